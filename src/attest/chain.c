/* Certificate chains of fixed shape: leaf, maybe CA, root. */
#include "attest/attest.h"
#include "attest/internal.h"

#include <string.h>

#define KEY_CERT_SIGN (1u << 5)

int attest_chain_parse(const void *pem, size_t n, struct attest_chain *c, struct bawn_error *e)
{
	struct cur text = cur_make(pem, n);
	uint8_t rest[8];
	size_t len;
	int r;

	c->count = 0;
	if (n > ATTEST_CHAIN_TEXT_MAX)
		return err_set(e, BAWN_ERR_FORMAT, "%zu bytes are too much for a certificate chain", n);
	while (c->count < ATTEST_CHAIN_MAX) {
		r = attest_pem_next(&text, "CERTIFICATE", c->der[c->count], ATTEST_CERT_MAX, &len, e);
		if (r == 0)
			return 0;
		if (r > 0)
			r = attest_cert_parse(c->der[c->count], len, &c->cert[c->count], e);
		if (r < 0) {
			err_context(e, "certificate %zu of the chain", c->count + 1);
			return r;
		}
		c->count++;
	}
	/* Whether or not a fourth is well-formed, it is one too many. */
	if (attest_pem_next(&text, "CERTIFICATE", rest, 0, &len, NULL) != 0)
		return err_set(e, BAWN_ERR_FORMAT, "the chain has more than three certificates");
	return 0;
}

static bool named(const struct attest_cert *c, enum attest_role role, const struct attest_names *names)
{
	switch (role) {
	case ATTEST_ROLE_PCK:
		return attest_name_is(c->subject, names->pck, names);
	case ATTEST_ROLE_TCB_SIGNING:
		return attest_name_is(c->subject, names->tcb_signing, names);
	case ATTEST_ROLE_PCK_CA:
		return attest_name_is(c->subject, names->pck_ca[0], names) ||
		       attest_name_is(c->subject, names->pck_ca[1], names);
	}
	return false;
}

static const char *role_name(enum attest_role role)
{
	return role == ATTEST_ROLE_PCK ? "PCK certificate" :
	       role == ATTEST_ROLE_PCK_CA ? "PCK CA" : "TCB signing certificate";
}

/* A CA's certificate, which may sign others (RFC 5280 4.2.1.3, 4.2.1.9). */
static bool may_sign(const struct attest_cert *c)
{
	return c->is_ca && (!c->has_key_usage || c->key_usage & KEY_CERT_SIGN);
}

static int check_shape(const struct attest_chain *c, enum attest_role role, const struct attest_anchor *a,
		       struct bawn_error *e)
{
	size_t want = role == ATTEST_ROLE_PCK ? 3 : 2;

	if (c->count != want)
		return err_set(e, BAWN_ERR_FORMAT, "the chain of a %s has %zu certificates, not %zu", role_name(role),
			       want, c->count);
	if (!named(&c->cert[0], role, &a->names))
		return err_set(e, BAWN_ERR_SIGNATURE, "the first certificate is not called as a %s is",
			       role_name(role));
	if (role == ATTEST_ROLE_PCK && !named(&c->cert[1], ATTEST_ROLE_PCK_CA, &a->names))
		return err_set(e, BAWN_ERR_SIGNATURE, "the second certificate is not called as a PCK CA is");
	if (role == ATTEST_ROLE_PCK_CA && !may_sign(&c->cert[0]))
		return err_set(e, BAWN_ERR_SIGNATURE, "the certificate of the PCK CA is not a CA's");
	for (size_t i = 0; i < want; i++) {
		const struct attest_cert *x = &c->cert[i], *issuer = &c->cert[i + 1 < want ? i + 1 : i];

		if (!attest_name_equal(x->issuer, issuer->subject))
			return err_set(e, BAWN_ERR_SIGNATURE, "certificate %zu names another issuer than the next", i + 1);
		/* The root's own path length is not looked at: old ones say 0 and have a CA below them. */
		if (!may_sign(issuer))
			return err_set(e, BAWN_ERR_SIGNATURE, "the issuer of certificate %zu is not a CA", i + 1);
		if (x->emulated != (a->profile == BAWN_PROFILE_EMULATED))
			return err_set(e, BAWN_ERR_SIGNATURE, x->emulated ?
				       "the certificate is an emulated platform's" :
				       "the certificate lacks the marker of emulated platforms");
	}
	return 0;
}

int attest_chain_verify(const struct attest_chain *c, enum attest_role role,
			const struct attest_anchor *a, struct attest_sigcache *cache,
			enum bawn_reason *reason, struct bawn_error *e)
{
	const struct attest_cert *root;
	uint8_t digest[32];
	int r;

	*reason = BAWN_REASON_PCK_CHAIN;
	r = check_shape(c, role, a, e);
	if (r)
		return r;
	root = &c->cert[c->count - 1];
	if (!attest_name_is(root->subject, a->names.root, &a->names) ||
	    memcmp(root->key, a->key, sizeof(a->key)) != 0) {
		*reason = BAWN_REASON_PCK_UNTRUSTED;
		return err_set(e, BAWN_ERR_SIGNATURE, "the chain ends in another root than the one trusted");
	}
	/*
	 * From the root down. Its signature by itself proves no trust, but that its
	 * dates and serial number, which are looked at later, were not made up.
	 */
	for (size_t i = c->count; i-- > 0;) {
		const uint8_t *key = i + 1 < c->count ? c->cert[i + 1].key : a->key;

		crypto_sha256(c->cert[i].tbs.p, c->cert[i].tbs.n, digest);
		r = attest_sigcache_verify(cache, key, digest, c->cert[i].signature, e);
		if (r) {
			err_context(e, "certificate %zu of the chain", i + 1);
			return r;
		}
	}
	*reason = BAWN_REASON_NONE;
	return 0;
}
