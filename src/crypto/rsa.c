/*
 * RSA-3072 with exponent 3 as SIGSTRUCT uses it: little-endian numbers, and
 * the quotients q1 and q2 that spare the CPU its divisions (SDM 38.13).
 */
#include "crypto/crypto.h"
#include "crypto/internal.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

struct rsa_numbers {
	BN_CTX *ctx;
	BIGNUM *s, *n, *q1, *q2, *t, *r;
};

static bool numbers_new(struct rsa_numbers *v, const uint8_t *s, const uint8_t *n)
{
	memset(v, 0, sizeof(*v));
	v->ctx = BN_CTX_new();
	if (!v->ctx)
		return false;
	BN_CTX_start(v->ctx);
	v->s = BN_CTX_get(v->ctx);
	v->n = BN_CTX_get(v->ctx);
	v->q1 = BN_CTX_get(v->ctx);
	v->q2 = BN_CTX_get(v->ctx);
	v->t = BN_CTX_get(v->ctx);
	v->r = BN_CTX_get(v->ctx);
	return v->r && BN_lebin2bn(s, CRYPTO_RSA_BYTES, v->s) && BN_lebin2bn(n, CRYPTO_RSA_BYTES, v->n);
}

static void numbers_free(struct rsa_numbers *v)
{
	if (v->ctx)
		BN_CTX_end(v->ctx);
	BN_CTX_free(v->ctx);
}

/* q1 and q2 into v; the remainder s^3 mod n is left in v->r. */
static bool quotients(struct rsa_numbers *v)
{
	return BN_sqr(v->t, v->s, v->ctx) && BN_div(v->q1, v->r, v->t, v->n, v->ctx) &&
	       BN_mul(v->t, v->s, v->r, v->ctx) && BN_div(v->q2, v->r, v->t, v->n, v->ctx);
}

int crypto_rsa3_quotients(const uint8_t s[CRYPTO_RSA_BYTES], const uint8_t n[CRYPTO_RSA_BYTES],
			  uint8_t q1[CRYPTO_RSA_BYTES], uint8_t q2[CRYPTO_RSA_BYTES],
			  struct bawn_error *e)
{
	struct rsa_numbers v;
	int rc = 0;

	if (!numbers_new(&v, s, n))
		rc = err_set(e, BAWN_ERR_CRYPTO, "OpenSSL: out of memory for a big number");
	else if (BN_is_zero(v.n) || BN_cmp(v.s, v.n) >= 0)
		rc = err_set(e, BAWN_ERR_SIGNATURE, "the signature is not smaller than the modulus");
	else if (!quotients(&v))
		rc = err_set(e, BAWN_ERR_CRYPTO, "OpenSSL: a division failed");
	else if (BN_bn2lebinpad(v.q1, q1, CRYPTO_RSA_BYTES) < 0 ||
		 BN_bn2lebinpad(v.q2, q2, CRYPTO_RSA_BYTES) < 0)
		rc = err_set(e, BAWN_ERR_SIGNATURE, "a quotient of the signature does not fit");
	numbers_free(&v);
	return rc;
}

/* EMSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 9.2), big-endian. */
static void encode_pkcs1(const uint8_t digest[32], uint8_t em[CRYPTO_RSA_BYTES])
{
	static const uint8_t info[19] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
					  0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };
	size_t at = CRYPTO_RSA_BYTES - sizeof(info) - 32;

	memset(em, 0xff, at);
	em[0] = 0;
	em[1] = 1;
	em[at - 1] = 0;
	memcpy(em + at, info, sizeof(info));
	memcpy(em + at + sizeof(info), digest, 32);
}

int crypto_rsa3_verify(const uint8_t s[CRYPTO_RSA_BYTES], const uint8_t n[CRYPTO_RSA_BYTES],
		       const uint8_t digest[32], struct bawn_error *e)
{
	uint8_t want[CRYPTO_RSA_BYTES], got[CRYPTO_RSA_BYTES];
	struct rsa_numbers v;
	int rc = 0;

	encode_pkcs1(digest, want);
	if (!numbers_new(&v, s, n))
		rc = err_set(e, BAWN_ERR_CRYPTO, "OpenSSL: out of memory for a big number");
	else if (BN_is_zero(v.n) || BN_cmp(v.s, v.n) >= 0)
		rc = err_set(e, BAWN_ERR_SIGNATURE, "the signature is not smaller than the modulus");
	else if (!quotients(&v) || BN_bn2binpad(v.r, got, sizeof(got)) < 0)
		rc = err_set(e, BAWN_ERR_CRYPTO, "OpenSSL: a division failed");
	else if (!ct_equal(want, got, sizeof(want)))
		rc = err_set(e, BAWN_ERR_SIGNATURE, "the RSA signature does not verify");
	numbers_free(&v);
	return rc;
}

int crypto_key_rsa3_modulus(const struct crypto_key *k, uint8_t n[CRYPTO_RSA_BYTES],
			    struct bawn_error *e)
{
	BIGNUM *modulus = NULL, *exponent = NULL;
	int rc = 0;

	if (EVP_PKEY_get_base_id(k->pkey) != EVP_PKEY_RSA || EVP_PKEY_get_bits(k->pkey) != 3072 ||
	    !EVP_PKEY_get_bn_param(k->pkey, "e", &exponent) || !BN_is_word(exponent, 3))
		rc = err_set(e, BAWN_ERR_UNSUPPORTED,
			     "not an RSA-3072 key with exponent 3, which SIGSTRUCT needs; make one with `bawn sign --new-key FILE`");
	else if (!EVP_PKEY_get_bn_param(k->pkey, "n", &modulus) ||
		 BN_bn2lebinpad(modulus, n, CRYPTO_RSA_BYTES) < 0)
		rc = err_set(e, BAWN_ERR_CRYPTO, "OpenSSL: cannot read the modulus");
	BN_free(modulus);
	BN_free(exponent);
	return rc;
}

static void reverse(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		uint8_t t = p[i];

		p[i] = p[n - 1 - i];
		p[n - 1 - i] = t;
	}
}

int crypto_rsa3_sign(const struct crypto_key *k, const uint8_t digest[32],
		     uint8_t s[CRYPTO_RSA_BYTES], struct bawn_error *e)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->pkey, NULL);
	size_t n = CRYPTO_RSA_BYTES;
	int rc = 0;

	if (!ctx || EVP_PKEY_sign_init(ctx) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) <= 0 ||
	    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) <= 0 ||
	    EVP_PKEY_sign(ctx, s, &n, digest, 32) <= 0 || n != CRYPTO_RSA_BYTES)
		rc = err_set(e, BAWN_ERR_CRYPTO, "OpenSSL: signing failed (is it a private RSA-3072 key?)");
	else
		reverse(s, CRYPTO_RSA_BYTES);
	EVP_PKEY_CTX_free(ctx);
	return rc;
}

int crypto_rsa_oaep_decrypt(const struct crypto_key *k, const uint8_t *c, size_t n, uint8_t *out,
			    size_t max, size_t *outn, struct bawn_error *e)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->pkey, NULL);
	uint8_t plain[1024]; /* OpenSSL wants room for the whole modulus */
	size_t len = sizeof(plain);
	int rc = 0;

	if (!ctx || EVP_PKEY_decrypt_init(ctx) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) <= 0 ||
	    EVP_PKEY_decrypt(ctx, plain, &len, c, n) <= 0) {
		rc = err_set(e, BAWN_ERR_CRYPTO, "the RSA-OAEP ciphertext does not open with this key");
	} else if (len > max) {
		rc = err_set(e, BAWN_ERR_FORMAT, "the RSA-OAEP plaintext is %zu bytes, at most %zu expected",
			     len, max);
	} else {
		memcpy(out, plain, len);
		*outn = len;
	}
	wipe(plain, sizeof(plain));
	EVP_PKEY_CTX_free(ctx);
	return rc;
}
