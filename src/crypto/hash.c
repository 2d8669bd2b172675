/* SHA-256, AES-128-CMAC, random bytes. */
#define OPENSSL_SUPPRESS_DEPRECATED /* low-level calls: see the two comments below */
#include "crypto/crypto.h"

#include <openssl/aes.h>
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

/* Doubling in GF(2^128), RFC 4493 section 2.3. */
static void cmac_double(const uint8_t in[16], uint8_t out[16])
{
	uint8_t carry = (uint8_t)(in[0] >> 7);

	for (int i = 0; i < 15; i++)
		out[i] = (uint8_t)(in[i] << 1 | in[i + 1] >> 7);
	out[15] = (uint8_t)(in[15] << 1 ^ (0x87 & -carry));
}

/*
 * EVP_MAC allocates at every use, and this runs in signal handlers (EREPORT
 * and EGETKEY trap there): so the block cipher directly, which does not.
 */
void crypto_cmac(const uint8_t key[16], const void *p, size_t n, uint8_t out[16])
{
	const uint8_t *m = p;
	uint8_t subkey[16], x[16] = { 0 }, last[16] = { 0 };
	AES_KEY k;

	AES_set_encrypt_key(key, 128, &k);
	AES_encrypt(x, subkey, &k);
	cmac_double(subkey, subkey);
	for (; n > 16; m += 16, n -= 16) {
		for (int i = 0; i < 16; i++)
			x[i] ^= m[i];
		AES_encrypt(x, x, &k);
	}
	if (n)
		memcpy(last, m, n);
	if (n < 16) {
		last[n] = 0x80;
		cmac_double(subkey, subkey);
	}
	for (int i = 0; i < 16; i++)
		x[i] ^= last[i] ^ subkey[i];
	AES_encrypt(x, out, &k);
	wipe(&k, sizeof(k));
	wipe(subkey, sizeof(subkey));
	wipe(x, sizeof(x));
	wipe(last, sizeof(last));
}

int crypto_random(void *p, size_t n, struct bawn_error *e)
{
	if (n > INT32_MAX || RAND_bytes(p, (int)n) != 1)
		return err_set(e, BAWN_ERR_CRYPTO, "no random bytes from OpenSSL");
	return 0;
}
