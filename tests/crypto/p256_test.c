/* P-256: a published vector, ranges and points that must be refused, keys from secrets. */
#include "crypto/crypto.h"
#include "tests/tap.h"

static const char order[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

static void unhex(const char *s, uint8_t *out)
{
	if (!hex_decode(s, strlen(s), out, strlen(s) / 2))
		abort();
}

/* RFC 6979 A.2.5: P-256 with SHA-256, message "sample". */
static void vector(uint8_t d[32], uint8_t xy[64], uint8_t digest[32], uint8_t rs[64])
{
	unhex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721", d);
	unhex("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
	      "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299", xy);
	crypto_sha256("sample", 6, digest);
	unhex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
	      "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8", rs);
}

static void test_verify(void)
{
	uint8_t d[32], xy[64], digest[32], rs[64], bad[64], pub[64];
	struct bawn_error e = { 0 };
	int refused = 0;

	vector(d, xy, digest, rs);
	is_int(crypto_p256_verify(xy, digest, rs, &e), 0, "RFC 6979 A.2.5 signature holds");
	is_int(crypto_p256_public(d, pub, NULL), 0, "public key of a private one");
	is_mem(pub, xy, 64, "is the vector's");
	for (unsigned i = 0; i < 64; i++) {
		memcpy(bad, rs, 64);
		bad[i] ^= 1;
		refused += crypto_p256_verify(xy, digest, bad, NULL) == BAWN_ERR_SIGNATURE;
		memcpy(bad, xy, 64);
		bad[i] ^= 1;
		refused += crypto_p256_verify(bad, digest, rs, NULL) == BAWN_ERR_SIGNATURE;
	}
	is_int(refused, 128, "a bit changed in any byte of key or signature is refused");
	digest[31] ^= 1;
	is_int(crypto_p256_verify(xy, digest, rs, NULL), BAWN_ERR_SIGNATURE, "another digest is refused");
}

static void test_ranges(void)
{
	uint8_t d[32], xy[64], digest[32], rs[64], bad[64], n[32];

	vector(d, xy, digest, rs);
	unhex(order, n);
	memset(bad, 0, 64);
	is_int(crypto_p256_verify(xy, digest, bad, NULL), BAWN_ERR_SIGNATURE, "r = s = 0");
	memcpy(bad, rs, 64);
	memset(bad, 0, 32);
	is_int(crypto_p256_verify(xy, digest, bad, NULL), BAWN_ERR_SIGNATURE, "r = 0");
	memcpy(bad, rs, 64);
	memcpy(bad + 32, n, 32);
	is_int(crypto_p256_verify(xy, digest, bad, NULL), BAWN_ERR_SIGNATURE, "s = n");
	memset(bad, 0xff, 64);
	is_int(crypto_p256_verify(xy, digest, bad, NULL), BAWN_ERR_SIGNATURE, "r and s above n");
	/* s and n - s are both signatures. */
	memcpy(bad, rs, 64);
	for (int i = 31, borrow = 0; i >= 0; i--) {
		int v = n[i] - rs[32 + i] - borrow;

		borrow = v < 0;
		bad[32 + i] = (uint8_t)v;
	}
	is_int(crypto_p256_verify(xy, digest, bad, NULL), 0, "n - s holds as well");
	memset(bad, 0, 64);
	is_int(crypto_p256_verify(bad, digest, rs, NULL), BAWN_ERR_SIGNATURE, "a key of zeros is no point");
	memset(bad, 0xff, 64);
	is_int(crypto_p256_verify(bad, digest, rs, NULL), BAWN_ERR_SIGNATURE, "coordinates above p");
}

static void test_scalar(void)
{
	uint8_t x[64], d[32], want[32], xy[64], digest[32], rs[64], n[32];
	struct bawn_error e = { 0 };

	unhex(order, n);
	is_int(crypto_p256_scalar(n, 32, d, &e), 0, "the order as secret");
	memset(want, 0, 32);
	want[31] = 2; /* n mod (n - 1) + 1 */
	is_mem(d, want, 32, "becomes 2");
	memset(x, 0, sizeof(x));
	crypto_p256_scalar(x, 64, d, &e);
	want[31] = 1;
	is_mem(d, want, 32, "zero becomes 1");
	is_int(crypto_p256_scalar(x, 65, d, NULL), BAWN_ERR_USAGE, "more than 64 bytes are refused");
	memset(x, 0xa5, sizeof(x));
	is_int(crypto_p256_scalar(x, 64, d, &e), 0, "a long secret");
	is_int(crypto_p256_public(d, xy, &e), 0, "its public key");
	crypto_sha256("m", 1, digest);
	is_int(crypto_p256_sign(d, digest, rs, &e), 0, "signs");
	is_int(crypto_p256_verify(xy, digest, rs, &e), 0, "and is verified");
	memset(d, 0, 32);
	is_int(crypto_p256_public(d, xy, NULL), BAWN_ERR_USAGE, "a private key of zero");
	is_int(crypto_p256_sign(d, digest, rs, NULL), BAWN_ERR_USAGE, "does not sign");
	is_int(crypto_p256_public(n, xy, NULL), BAWN_ERR_USAGE, "nor is the order one");
}

static void test_key(void)
{
	struct crypto_key *k = NULL, *again = NULL, *rsa = NULL;
	uint8_t d[32], d2[32], xy[64], xy2[64], digest[32] = { 1 }, rs[64];
	struct bawn_error e = { 0 };
	struct buf pem;

	buf_init(&pem, 4096);
	is_int(crypto_key_new_p256(&k, &e), 0, "a new P-256 key");
	is_int(crypto_key_p256(k, d, xy, &e), 0, "its scalar and point");
	is_int(crypto_p256_sign(d, digest, rs, &e), 0, "signs");
	is_int(crypto_p256_verify(xy, digest, rs, &e), 0, "and verifies");
	is_int(crypto_key_to_pem(k, &pem, &e), 0, "as PEM");
	is_int(crypto_key_from_pem(&again, pem.p, pem.n, &e), 0, "and back");
	is_int(crypto_key_p256(again, d2, xy2, &e), 0, "its scalar and point");
	ok(!memcmp(d, d2, 32) && !memcmp(xy, xy2, 64), "are the same");
	memset(xy2, 0, sizeof(xy2));
	is_int(crypto_key_p256_public(k, xy2, &e), 0, "its point alone");
	ok(!memcmp(xy, xy2, 64), "is the same");
	is_int(crypto_key_new_rsa3(&rsa, &e), 0, "an RSA key");
	is_int(crypto_key_p256_public(rsa, xy2, NULL), BAWN_ERR_UNSUPPORTED, "has no such point");
	is_int(crypto_key_p256(rsa, d, xy, NULL), BAWN_ERR_UNSUPPORTED, "is none");
	crypto_key_free(&k);
	crypto_key_free(&again);
	crypto_key_free(&rsa);
	buf_free(&pem);
}

int main(void)
{
	test_key();
	test_verify();
	test_ranges();
	test_scalar();
	return tap_done();
}
