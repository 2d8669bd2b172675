/* SIGSTRUCT: read, check in full, hash the signer (SDM 38.13 and EINIT in 40.3). */
#include "image/image.h"

#include <stdlib.h>
#include <string.h>

void image_mrsigner(const struct isa_sigstruct *s, uint8_t mrsigner[32])
{
	crypto_sha256(s->modulus, sizeof(s->modulus), mrsigner);
}

void image_sigstruct_examine(const struct isa_sigstruct *s, struct image_verdict *v)
{
	uint8_t body[ISA_SIGSTRUCT_SIGNED], digest[32];
	uint8_t q1[CRYPTO_RSA_BYTES], q2[CRYPTO_RSA_BYTES];

	memset(v, 0, sizeof(*v));
	v->flaw = isa_sigstruct_flaw(s);
	isa_sigstruct_signed(s, body);
	crypto_sha256(body, sizeof(body), digest);
	v->rsa = crypto_rsa3_verify(s->signature, s->modulus, digest, NULL) == 0;
	if (crypto_rsa3_quotients(s->signature, s->modulus, q1, q2, NULL) == 0) {
		v->q1 = memcmp(s->q1, q1, sizeof(q1)) == 0;
		v->q2 = memcmp(s->q2, q2, sizeof(q2)) == 0;
	}
}

int image_sigstruct_check(const struct isa_sigstruct *s, struct bawn_error *e)
{
	struct image_verdict v;

	image_sigstruct_examine(s, &v);
	if (v.flaw)
		return err_set(e, BAWN_ERR_FORMAT, "%s", v.flaw);
	if (!v.rsa)
		return err_set(e, BAWN_ERR_SIGNATURE,
			       "SIGSTRUCT's RSA signature is not by the key in it");
	if (!v.q1)
		return err_set(e, BAWN_ERR_SIGNATURE, "SIGSTRUCT.Q1 is not floor(s^2 / n)");
	if (!v.q2)
		return err_set(e, BAWN_ERR_SIGNATURE,
			       "SIGSTRUCT.Q2 is not floor((s^3 - q1 * s * n) / n)");
	return 0;
}

int image_sigstruct_read(const char *path, struct isa_sigstruct *s, struct bawn_error *e)
{
	uint8_t *p;
	size_t n;
	int rc = io_read_file(path, sizeof(*s) + 1, &p, &n, e);

	if (rc)
		return rc;
	if (n == sizeof(*s))
		memcpy(s, p, n);
	else
		rc = err_set(e, BAWN_ERR_FORMAT, "%s: a SIGSTRUCT has %zu bytes, this file %zu%s",
			     path, sizeof(*s), n, n > sizeof(*s) ? " or more" : "");
	free(p);
	return rc;
}
