/* SHA-2, HMAC, random bytes. */
#define OPENSSL_SUPPRESS_DEPRECATED /* low-level calls: see the comment below */
#include "crypto/crypto.h"

#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>

/*
 * The EVP interface hides its state behind a pointer; ours is copied between
 * processes, so it is the plain SHA256_CTX, which runs the same assembly.
 */
_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct crypto_sha256), "SHA-256 state does not fit");

void crypto_sha256_init(struct crypto_sha256 *h)
{
	memset(h, 0, sizeof(*h));
	SHA256_Init((SHA256_CTX *)h->opaque);
}

void crypto_sha256_update(struct crypto_sha256 *h, const void *p, size_t n)
{
	SHA256_Update((SHA256_CTX *)h->opaque, p, n);
}

void crypto_sha256_final(struct crypto_sha256 *h, uint8_t out[32])
{
	SHA256_Final(out, (SHA256_CTX *)h->opaque);
	wipe(h, sizeof(*h));
}

void crypto_sha256(const void *p, size_t n, uint8_t out[32])
{
	struct crypto_sha256 h;

	crypto_sha256_init(&h);
	crypto_sha256_update(&h, p, n);
	crypto_sha256_final(&h, out);
}

void crypto_sha256_save(const struct crypto_sha256 *h, uint32_t chain[8], uint64_t *bytes)
{
	const SHA256_CTX *c = (const SHA256_CTX *)h->opaque;

	for (int i = 0; i < 8; i++)
		chain[i] = c->h[i];
	*bytes = ((uint64_t)c->Nh << 32 | c->Nl) >> 3;
}

void crypto_sha256_load(struct crypto_sha256 *h, const uint32_t chain[8], uint64_t bytes)
{
	SHA256_CTX *c = (SHA256_CTX *)h->opaque;

	crypto_sha256_init(h);
	for (int i = 0; i < 8; i++)
		c->h[i] = chain[i];
	bytes &= ~(uint64_t)63;
	c->Nl = (SHA_LONG)(bytes << 3);
	c->Nh = (SHA_LONG)(bytes >> 29);
}

void crypto_sha384(const void *p, size_t n, uint8_t out[48])
{
	SHA384(p, n, out);
}

void crypto_sha512(const void *p, size_t n, uint8_t out[64])
{
	SHA512(p, n, out);
}

void crypto_hmac_sha256(const uint8_t key[32], const void *a, size_t an, const void *b, size_t bn,
			uint8_t out[32])
{
	struct crypto_sha256 h;
	uint8_t pad[64], inner[32];

	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] = (uint8_t)((i < 32 ? key[i] : 0) ^ 0x36);
	crypto_sha256_init(&h);
	crypto_sha256_update(&h, pad, sizeof(pad));
	crypto_sha256_update(&h, a, an);
	crypto_sha256_update(&h, b, bn);
	crypto_sha256_final(&h, inner);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	crypto_sha256_init(&h);
	crypto_sha256_update(&h, pad, sizeof(pad));
	crypto_sha256_update(&h, inner, sizeof(inner));
	crypto_sha256_final(&h, out);
	wipe(pad, sizeof(pad));
	wipe(inner, sizeof(inner));
}

int crypto_random(void *p, size_t n, struct bawn_error *e)
{
	if (n > INT32_MAX || RAND_bytes(p, (int)n) != 1)
		return err_set(e, BAWN_ERR_CRYPTO, "no random bytes from OpenSSL");
	return 0;
}
