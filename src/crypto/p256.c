/*
 * P-256: verification, and what keys derived from secrets need.
 *
 * The low-level interface is deprecated but public, and it is what is fast:
 * from a raw key and signature, EVP costs 96 us where this costs 68 (OpenSSL
 * 3.0, of which the verification itself is 66). Deeper still, tables for
 * constant keys (EC_GROUP_precompute_mult) would halve that, but take 30 ms
 * and 150 KiB a key to make, and the ECDSA equation written out by hand here.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/crypto.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* Looked up by name once: that costs a fifth of a verification. Never freed, only read. */
static EC_GROUP *p256_group;

static void p256_init(void)
{
	p256_group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
}

static const EC_GROUP *p256(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, p256_init);
	return p256_group;
}

static int no_p256(struct bawn_error *e)
{
	ERR_clear_error();
	return err_set(e, BAWN_ERR_CRYPTO, "OpenSSL failed in a P-256 operation (out of memory?)");
}

/* 1 <= x < n, the order (SP 800-186 3.2.1.3). */
static bool in_range(const uint8_t x[32])
{
	static const uint8_t n[32] = {
		0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
	};
	unsigned borrow = 0;

	for (int i = 31; i >= 0; i--)
		borrow = (unsigned)(x[i] - n[i] - (int)borrow) >> 31;
	return borrow && !ct_is_zero(x, 32);
}

static ECDSA_SIG *sig_from_raw(const uint8_t rs[64])
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(rs, 32, NULL), *s = BN_bin2bn(rs + 32, 32, NULL);

	if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1)
		return sig;
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return NULL;
}

/*
 * Keys between uses: making one costs a thirtieth of a verification, copying
 * the group into it. A thread mostly finds the one it used last; what does not
 * fit is freed.
 */
#define POOL 16
static _Atomic(EC_KEY *) pool[POOL];
static _Atomic unsigned threads;
static _Thread_local unsigned turn; /* where this thread looks first, plus 1 */

static EC_KEY *key_take(void)
{
	const EC_GROUP *group = p256();
	EC_KEY *key;

	if (!turn)
		turn = atomic_fetch_add(&threads, 1) % POOL + 1;
	for (unsigned i = 0; i < POOL; i++) {
		_Atomic(EC_KEY *) *slot = &pool[(turn - 1 + i) % POOL];

		key = atomic_load_explicit(slot, memory_order_relaxed);
		if (key && (key = atomic_exchange(slot, NULL)))
			return key;
	}
	key = group ? EC_KEY_new() : NULL;
	if (key && EC_KEY_set_group(key, group) != 1) {
		EC_KEY_free(key);
		key = NULL;
	}
	return key;
}

static void key_give(EC_KEY *key)
{
	for (unsigned i = 0; key && i < POOL; i++) {
		EC_KEY *empty = NULL;

		if (atomic_compare_exchange_strong(&pool[(turn - 1 + i) % POOL], &empty, key))
			return;
	}
	EC_KEY_free(key);
}

int crypto_p256_verify(const uint8_t xy[64], const uint8_t digest[32], const uint8_t rs[64],
		       struct bawn_error *e)
{
	uint8_t point[65] = { POINT_CONVERSION_UNCOMPRESSED };
	EC_KEY *key;
	ECDSA_SIG *sig;
	int r = 0, held = -1;

	/* So that whatever OpenSSL fails at from here on is not the signature's fault. */
	if (!in_range(rs) || !in_range(rs + 32))
		return err_set(e, BAWN_ERR_SIGNATURE, "the ECDSA signature is out of range");
	key = key_take();
	sig = sig_from_raw(rs);
	memcpy(point + 1, xy, 64);
	if (!key || !sig) {
		r = no_p256(e);
	} else if (EC_KEY_oct2key(key, point, sizeof(point), NULL) != 1) {
		if (ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE)
			r = no_p256(e);
		else
			r = err_set(e, BAWN_ERR_SIGNATURE, "the public key is not a point of P-256");
	} else if ((held = ECDSA_do_verify(digest, 32, sig, key)) == 0) {
		r = err_set(e, BAWN_ERR_SIGNATURE, "the ECDSA signature does not hold");
	} else if (held != 1) {
		r = no_p256(e);
	}
	if (r)
		ERR_clear_error();
	ECDSA_SIG_free(sig);
	key_give(key);
	return r;
}

int crypto_p256_public(const uint8_t d[32], uint8_t xy[64], struct bawn_error *e)
{
	const EC_GROUP *group = p256();
	BN_CTX *ctx = BN_CTX_secure_new();
	BIGNUM *k = BN_secure_new();
	EC_POINT *q = group ? EC_POINT_new(group) : NULL;
	uint8_t point[65];
	int r = 0;

	if (!group || !ctx || !k || !q || !BN_bin2bn(d, 32, k)) {
		r = no_p256(e);
	} else if (!in_range(d)) {
		r = err_set(e, BAWN_ERR_USAGE, "a P-256 private key must be between 1 and the order - 1");
	} else {
		BN_set_flags(k, BN_FLG_CONSTTIME);
		if (EC_POINT_mul(group, q, k, NULL, NULL, ctx) != 1 ||
		    EC_POINT_point2oct(group, q, POINT_CONVERSION_UNCOMPRESSED, point,
				       sizeof(point), ctx) != sizeof(point))
			r = no_p256(e);
		else
			memcpy(xy, point + 1, 64);
	}
	EC_POINT_clear_free(q);
	BN_clear_free(k);
	BN_CTX_free(ctx);
	return r;
}

int crypto_p256_scalar(const uint8_t *x, size_t n, uint8_t d[32], struct bawn_error *e)
{
	const EC_GROUP *group = p256();
	BN_CTX *ctx = BN_CTX_secure_new();
	BIGNUM *c = BN_secure_new(), *m = BN_new();
	int r = 0;

	if (n > 64)
		r = err_set(e, BAWN_ERR_USAGE, "at most 64 bytes can become a P-256 scalar, not %zu", n);
	else if (!group || !ctx || !c || !m || !BN_bin2bn(x, (int)n, c) ||
		 !BN_copy(m, EC_GROUP_get0_order(group)) || BN_sub_word(m, 1) != 1)
		r = no_p256(e);
	if (!r) {
		BN_set_flags(c, BN_FLG_CONSTTIME);
		if (BN_mod(c, c, m, ctx) != 1 || BN_add_word(c, 1) != 1 ||
		    BN_bn2binpad(c, d, 32) != 32)
			r = no_p256(e);
	}
	BN_free(m);
	BN_clear_free(c);
	BN_CTX_free(ctx);
	return r;
}

int crypto_p256_sign(const uint8_t d[32], const uint8_t digest[32], uint8_t rs[64],
		     struct bawn_error *e)
{
	const EC_GROUP *group = p256();
	EC_KEY *key = group ? EC_KEY_new() : NULL;
	BIGNUM *k = BN_secure_new();
	ECDSA_SIG *sig = NULL;
	int r = 0;

	if (!in_range(d))
		r = err_set(e, BAWN_ERR_USAGE, "a P-256 private key must be between 1 and the order - 1");
	else if (!key || !k || !BN_bin2bn(d, 32, k) || EC_KEY_set_group(key, group) != 1 ||
		 EC_KEY_set_private_key(key, k) != 1 || !(sig = ECDSA_do_sign(digest, 32, key)) ||
		 BN_bn2binpad(ECDSA_SIG_get0_r(sig), rs, 32) != 32 ||
		 BN_bn2binpad(ECDSA_SIG_get0_s(sig), rs + 32, 32) != 32)
		r = no_p256(e);
	ECDSA_SIG_free(sig);
	BN_clear_free(k);
	EC_KEY_free(key);
	return r;
}
