/*
 * crypto.h for the injected object's inside, as far as the CPU needs it: no
 * OpenSSL, which would be the host's or a second copy of it, but BearSSL, linked
 * statically, which allocates nothing and calls nothing (CMAC is src/crypto's own,
 * with BearSSL's block cipher). The big numbers are
 * our own: all are public, and EINIT's division is what libraries do not offer.
 */
#include "crypto/crypto.h"
#include "preload/preload.h"

#include <bearssl.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

/* ---- SHA-256 ---- */

_Static_assert(sizeof(br_sha256_context) <= sizeof(struct crypto_sha256), "SHA-256 state does not fit");

static br_sha256_context *context(struct crypto_sha256 *h)
{
	return (br_sha256_context *)(void *)h->opaque;
}

void crypto_sha256_init(struct crypto_sha256 *h)
{
	memset(h, 0, sizeof(*h));
	br_sha256_init(context(h));
}

void crypto_sha256_update(struct crypto_sha256 *h, const void *p, size_t n)
{
	br_sha256_update(context(h), p, n);
}

void crypto_sha256_final(struct crypto_sha256 *h, uint8_t out[32])
{
	br_sha256_out(context(h), out);
	wipe(h, sizeof(*h));
}

void crypto_sha256(const void *p, size_t n, uint8_t out[32])
{
	struct crypto_sha256 h;

	crypto_sha256_init(&h);
	crypto_sha256_update(&h, p, n);
	crypto_sha256_final(&h, out);
}

/* BearSSL keeps chaining values as SHA-256 prints them: big-endian. */
void crypto_sha256_save(const struct crypto_sha256 *h, uint32_t chain[8], uint64_t *bytes)
{
	uint8_t state[32];

	*bytes = br_sha256_state((const br_sha256_context *)(const void *)h->opaque, state);
	for (int i = 0; i < 8; i++)
		chain[i] = get_be32(state + 4 * i);
}

void crypto_sha256_load(struct crypto_sha256 *h, const uint32_t chain[8], uint64_t bytes)
{
	uint8_t state[32];

	for (int i = 0; i < 8; i++) {
		put_le32(state + 4 * i, __builtin_bswap32(chain[i]));
	}
	crypto_sha256_init(h);
	br_sha256_set_state(context(h), state, bytes & ~(uint64_t)63);
}

int crypto_random(void *p, size_t n, struct bawn_error *e)
{
	uint8_t *b = p;

	while (n) {
		long r = raw(SYS_getrandom, (uintptr_t)b, n, 0, 0, 0, 0);

		if (r == -EINTR)
			continue;
		if (r <= 0)
			return err_set(e, BAWN_ERR_CRYPTO, "no random bytes from the kernel");
		b += r;
		n -= (size_t)r;
	}
	return 0;
}

/* ---- RSA-3072 with exponent 3: SIGSTRUCT's numbers, little-endian ---- */

#define LIMBS (CRYPTO_RSA_BYTES / 8)

struct product {
	uint64_t l[2 * LIMBS];
};

static void multiply(const uint64_t *a, const uint64_t *b, struct product *out)
{
	memset(out, 0, sizeof(*out));
	for (int i = 0; i < LIMBS; i++) {
		uint64_t carry = 0;

		for (int k = 0; k < LIMBS; k++) {
			unsigned __int128 v = (unsigned __int128)a[i] * b[k] + out->l[i + k] + carry;

			out->l[i + k] = (uint64_t)v;
			carry = (uint64_t)(v >> 64);
		}
		out->l[i + LIMBS] = carry;
	}
}

/* a -= b over n limbs; the borrow. */
static uint64_t subtract(uint64_t *a, const uint64_t *b, int n)
{
	uint64_t borrow = 0;

	for (int i = 0; i < n; i++) {
		unsigned __int128 v = (unsigned __int128)a[i] - b[i] - borrow;

		a[i] = (uint64_t)v;
		borrow = (uint64_t)(v >> 64) & 1;
	}
	return borrow;
}

static bool less(const uint64_t *a, const uint64_t *b)
{
	for (int i = LIMBS; i-- > 0;)
		if (a[i] != b[i])
			return a[i] < b[i];
	return false;
}

/*
 * v = q * n + r, one bit after the other: 3072 subtractions are a few hundred
 * microseconds, and an EINIT needs two. False if q has more than 3072 bits.
 */
static bool divide(const struct product *v, const uint64_t *n, uint64_t *q, uint64_t *r)
{
	if (!less(v->l + LIMBS, n))
		return false;
	memcpy(r, v->l + LIMBS, LIMBS * sizeof(uint64_t));
	memset(q, 0, LIMBS * sizeof(uint64_t));
	for (int bit = 64 * LIMBS; bit-- > 0;) {
		uint64_t out = r[LIMBS - 1] >> 63;

		for (int i = LIMBS - 1; i > 0; i--)
			r[i] = r[i] << 1 | r[i - 1] >> 63;
		r[0] = r[0] << 1 | (v->l[bit / 64] >> (bit % 64) & 1);
		if (out || !less(r, n)) {
			subtract(r, n, LIMBS);
			q[bit / 64] |= UINT64_C(1) << (bit % 64);
		}
	}
	return true;
}

struct numbers {
	uint64_t s[LIMBS], n[LIMBS], q1[LIMBS], q2[LIMBS], r[LIMBS];
};

/* s^2 = q1 * n + t, s * t = q2 * n + r. */
static int compute(struct numbers *v, const uint8_t *s, const uint8_t *n, struct bawn_error *e)
{
	uint64_t t[LIMBS];
	struct product p;

	memcpy(v->s, s, sizeof(v->s));
	memcpy(v->n, n, sizeof(v->n));
	if (!less(v->s, v->n))
		return err_set(e, BAWN_ERR_SIGNATURE, "the signature is not smaller than the modulus");
	multiply(v->s, v->s, &p);
	if (!divide(&p, v->n, v->q1, t))
		return err_set(e, BAWN_ERR_SIGNATURE, "a quotient of the signature does not fit");
	multiply(v->s, t, &p);
	if (!divide(&p, v->n, v->q2, v->r))
		return err_set(e, BAWN_ERR_SIGNATURE, "a quotient of the signature does not fit");
	return 0;
}

int crypto_rsa3_quotients(const uint8_t s[CRYPTO_RSA_BYTES], const uint8_t n[CRYPTO_RSA_BYTES],
			  uint8_t q1[CRYPTO_RSA_BYTES], uint8_t q2[CRYPTO_RSA_BYTES],
			  struct bawn_error *e)
{
	struct numbers v;
	int r = compute(&v, s, n, e);

	if (r == 0) {
		memcpy(q1, v.q1, CRYPTO_RSA_BYTES);
		memcpy(q2, v.q2, CRYPTO_RSA_BYTES);
	}
	return r;
}

int crypto_rsa3_verify(const uint8_t s[CRYPTO_RSA_BYTES], const uint8_t n[CRYPTO_RSA_BYTES],
		       const uint8_t digest[32], struct bawn_error *e)
{
	/* EMSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 9.2), as it lies in memory: last byte first. */
	static const uint8_t info[20] = { 0x20, 0x04, 0x00, 0x05, 0x01, 0x02, 0x04, 0x03, 0x65, 0x01,
					  0x48, 0x86, 0x60, 0x09, 0x06, 0x0d, 0x30, 0x31, 0x30, 0x00 };
	uint8_t want[CRYPTO_RSA_BYTES];
	struct numbers v;
	int r = compute(&v, s, n, e);

	if (r)
		return r;
	memset(want, 0xff, sizeof(want));
	for (int i = 0; i < 32; i++)
		want[i] = digest[31 - i];
	memcpy(want + 32, info, sizeof(info));
	want[CRYPTO_RSA_BYTES - 2] = 1;
	want[CRYPTO_RSA_BYTES - 1] = 0;
	return ct_equal(want, v.r, sizeof(want)) ?
		       0 :
		       err_set(e, BAWN_ERR_SIGNATURE, "the RSA signature does not verify");
}
