/*
 * crypto: the only user of OpenSSL. Plain functions over plain bytes.
 *
 * Byte order is each structure's own: SIGSTRUCT numbers are little-endian
 * (SDM 38.13), ECDSA numbers big-endian (FIPS 186-5).
 */
#ifndef BAWN_CRYPTO_H
#define BAWN_CRYPTO_H

#include "base/base.h"

/*
 * SHA-256 whose running state is plain memory: it is kept in the SECS of an
 * enclave under construction, which more than one process may be building.
 */
struct crypto_sha256 {
	uint64_t opaque[16];
};
void crypto_sha256_init(struct crypto_sha256 *h);
void crypto_sha256_update(struct crypto_sha256 *h, const void *p, size_t n);
void crypto_sha256_final(struct crypto_sha256 *h, uint8_t out[32]); /* wipes h */
void crypto_sha256(const void *p, size_t n, uint8_t out[32]);

/* AES-128-CMAC (RFC 4493). Neither allocates nor locks: called in signal handlers. */
void crypto_cmac(const uint8_t key[16], const void *p, size_t n, uint8_t out[16]);

int crypto_random(void *p, size_t n, struct bawn_error *e);

/* ---- RSA-3072 with exponent 3, as SIGSTRUCT uses it (SDM 38.13, EINIT) ---- */

#define CRYPTO_RSA_BYTES 384

/*
 * q1 = floor(s^2 / n), q2 = floor((s^3 - q1 * s * n) / n); all little-endian.
 * BAWN_ERR_SIGNATURE if a quotient does not fit or s >= n.
 */
int crypto_rsa3_quotients(const uint8_t s[CRYPTO_RSA_BYTES], const uint8_t n[CRYPTO_RSA_BYTES],
			  uint8_t q1[CRYPTO_RSA_BYTES], uint8_t q2[CRYPTO_RSA_BYTES],
			  struct bawn_error *e);
/*
 * 0 if s is the PKCS #1 v1.5 signature with SHA-256 of the digest under (n, 3);
 * BAWN_ERR_SIGNATURE otherwise. All numbers little-endian. Does not look at q1, q2.
 */
int crypto_rsa3_verify(const uint8_t s[CRYPTO_RSA_BYTES], const uint8_t n[CRYPTO_RSA_BYTES],
		       const uint8_t digest[32], struct bawn_error *e);

struct crypto_key; /* a private key, RSA or P-256; freeing wipes it */
int crypto_key_from_pem(struct crypto_key **out, const void *pem, size_t n, struct bawn_error *e);
int crypto_key_new_rsa3(struct crypto_key **out, struct bawn_error *e);
/* PKCS #8 PEM, appended to out. */
int crypto_key_to_pem(const struct crypto_key *k, struct buf *out, struct bawn_error *e);
void crypto_key_free(struct crypto_key **k);
/* The modulus, little-endian; BAWN_ERR_UNSUPPORTED unless RSA-3072 with exponent 3. */
int crypto_key_rsa3_modulus(const struct crypto_key *k, uint8_t n[CRYPTO_RSA_BYTES],
			    struct bawn_error *e);
/* PKCS #1 v1.5 signature with SHA-256 of a digest, little-endian. */
int crypto_rsa3_sign(const struct crypto_key *k, const uint8_t digest[32],
		     uint8_t s[CRYPTO_RSA_BYTES], struct bawn_error *e);
/* RSA-OAEP (SHA-256 for both) decryption of a big-endian ciphertext, any RSA key. */
int crypto_rsa_oaep_decrypt(const struct crypto_key *k, const uint8_t *c, size_t n, uint8_t *out,
			    size_t max, size_t *outn, struct bawn_error *e);

/* ---- P-256 ---- */

/* 0 if r || s (32 + 32, big-endian) signs the digest under x || y; else BAWN_ERR_SIGNATURE. */
int crypto_p256_verify(const uint8_t xy[64], const uint8_t digest[32], const uint8_t rs[64],
		       struct bawn_error *e);
/* The public point x || y of a private scalar, big-endian. */
int crypto_p256_public(const uint8_t d[32], uint8_t xy[64], struct bawn_error *e);
/* d = (x mod (n - 1)) + 1 for a big-endian x of any length up to 64: FIPS 186-5 A.2.1. */
int crypto_p256_scalar(const uint8_t *x, size_t n, uint8_t d[32], struct bawn_error *e);

#endif
