/*
 * AES-128-CMAC (RFC 4493).
 *
 * EVP_MAC allocates at every use, and this runs in signal handlers (EREPORT
 * and EGETKEY trap there): so the block cipher directly, which does not. With
 * AES-NI, where there is any, by hand: OpenSSL has its own behind EVP alone, and
 * every key that the emulated CPU derives is a CMAC over 680 bytes. In what
 * `bawn emulate` injects, which has no OpenSSL, the other one is BearSSL's.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/crypto.h"

#include <immintrin.h>
#include <string.h>

#ifdef BAWN_PRELOAD
#include <bearssl.h>
typedef br_aes_ct_cbcenc_keys AES_KEY;

static void AES_set_encrypt_key(const uint8_t *key, int bits, AES_KEY *k)
{
	br_aes_ct_cbcenc_init(k, key, (size_t)bits / 8);
}

static void AES_encrypt(const uint8_t in[16], uint8_t out[16], const AES_KEY *k)
{
	uint8_t iv[16] = { 0 };

	memmove(out, in, 16);
	br_aes_ct_cbcenc_run(k, iv, out, 16);
}
#else
#include <openssl/aes.h>
#endif

#define AESNI __attribute__((target("aes,sse2")))

struct cipher {
	bool ni;
	AES_KEY soft;
	__m128i round[11];
};

/* ---- AES-NI: FIPS 197, 5.2, with the instructions made for it ---- */

AESNI static __m128i next_round_key(__m128i k, __m128i assist)
{
	assist = _mm_shuffle_epi32(assist, 0xff);
	for (int i = 0; i < 3; i++)
		k = _mm_xor_si128(k, _mm_slli_si128(k, 4));
	return _mm_xor_si128(k, assist);
}

AESNI static void expand(struct cipher *c, const uint8_t key[16])
{
	__m128i *k = c->round;

	k[0] = _mm_loadu_si128((const __m128i *)key);
	/* The round constant is part of the instruction. */
#define ROUND(i, constant) k[i] = next_round_key(k[(i) - 1], _mm_aeskeygenassist_si128(k[(i) - 1], constant))
	ROUND(1, 0x01);
	ROUND(2, 0x02);
	ROUND(3, 0x04);
	ROUND(4, 0x08);
	ROUND(5, 0x10);
	ROUND(6, 0x20);
	ROUND(7, 0x40);
	ROUND(8, 0x80);
	ROUND(9, 0x1b);
	ROUND(10, 0x36);
#undef ROUND
}

AESNI static void chain_ni(const struct cipher *c, uint8_t x[16], const uint8_t *m, size_t blocks)
{
	__m128i v = _mm_loadu_si128((const __m128i *)x);

	for (; blocks > 0; blocks--, m += 16) {
		v = _mm_xor_si128(v, _mm_loadu_si128((const __m128i *)m));
		v = _mm_xor_si128(v, c->round[0]);
		for (int i = 1; i < 10; i++)
			v = _mm_aesenc_si128(v, c->round[i]);
		v = _mm_aesenclast_si128(v, c->round[10]);
	}
	_mm_storeu_si128((__m128i *)x, v);
}

/* ---- either ---- */

static void cipher_init(struct cipher *c, const uint8_t key[16])
{
	c->ni = __builtin_cpu_supports("aes");
	if (c->ni)
		expand(c, key);
	else
		AES_set_encrypt_key(key, 128, &c->soft);
}

/* x becomes the state of CBC-MAC after these blocks. */
static void chain(const struct cipher *c, uint8_t x[16], const uint8_t *m, size_t blocks)
{
	if (c->ni) {
		chain_ni(c, x, m, blocks);
		return;
	}
	for (; blocks > 0; blocks--, m += 16) {
		for (int i = 0; i < 16; i++)
			x[i] ^= m[i];
		AES_encrypt(x, x, &c->soft);
	}
}

/* Doubling in GF(2^128), RFC 4493 section 2.3. */
static void cmac_double(const uint8_t in[16], uint8_t out[16])
{
	uint8_t carry = (uint8_t)(in[0] >> 7);

	for (int i = 0; i < 15; i++)
		out[i] = (uint8_t)(in[i] << 1 | in[i + 1] >> 7);
	out[15] = (uint8_t)(in[15] << 1 ^ (0x87 & -carry));
}

void crypto_cmac(const uint8_t key[16], const void *p, size_t n, uint8_t out[16])
{
	static const uint8_t zero[16];
	size_t head = n ? (n - 1) / 16 : 0, tail = n - 16 * head;
	uint8_t subkey[16] = { 0 }, x[16] = { 0 }, last[16] = { 0 };
	struct cipher c;

	cipher_init(&c, key);
	chain(&c, subkey, zero, 1);
	cmac_double(subkey, subkey);
	chain(&c, x, p, head);
	if (tail)
		memcpy(last, (const uint8_t *)p + 16 * head, tail);
	if (tail < 16) {
		last[tail] = 0x80;
		cmac_double(subkey, subkey);
	}
	for (int i = 0; i < 16; i++)
		last[i] ^= subkey[i];
	chain(&c, x, last, 1);
	memcpy(out, x, sizeof(x));
	wipe(&c, sizeof(c));
	wipe(subkey, sizeof(subkey));
	wipe(x, sizeof(x));
	wipe(last, sizeof(last));
}
