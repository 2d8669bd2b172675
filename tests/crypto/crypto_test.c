/* src/crypto against published vectors and against itself: hash, CMAC, RSA with exponent 3. */
#include "crypto/crypto.h"
#include "tests/tap.h"

static void test_sha256(void)
{
	static const uint8_t abc[32] = {
		0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
		0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
	};
	struct crypto_sha256 h, copy;
	uint8_t out[32], want[32], block[300];
	uint32_t chain[8];
	uint64_t bytes;

	crypto_sha256("abc", 3, out);
	is_mem(out, abc, 32, "SHA-256 of \"abc\" (FIPS 180-4)");
	crypto_sha256_init(&h);
	crypto_sha256_update(&h, "a", 1);
	memcpy(&copy, &h, sizeof(h)); /* the state is plain memory: a copy goes on alone */
	crypto_sha256_update(&h, "x", 1);
	crypto_sha256_update(&copy, "bc", 2);
	crypto_sha256_final(&copy, out);
	is_mem(out, abc, 32, "a copied state continues");
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 7);
	crypto_sha256(block, sizeof(block), want);
	crypto_sha256_init(&h);
	crypto_sha256_update(&h, block, 128);
	crypto_sha256_save(&h, chain, &bytes);
	is_int(bytes, 128, "a saved state tells how much was hashed");
	crypto_sha256_load(&copy, chain, bytes);
	crypto_sha256_update(&copy, block + 128, sizeof(block) - 128);
	crypto_sha256_final(&copy, out);
	is_mem(out, want, 32, "a saved state continues where it is loaded");
}

/* RFC 4493 section 4. */
/* RFC 4231: keys shorter than ours are the same as with zeros at their end. */
static void test_hmac(void)
{
	uint8_t key[32] = { 0 }, out[32], want[32];

	memset(key, 0x0b, 20);
	hex_decode("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", 64, want, 32);
	crypto_hmac_sha256(key, "Hi There", 8, NULL, 0, out);
	is_mem(out, want, 32, "HMAC-SHA-256, RFC 4231 case 1");
	crypto_hmac_sha256(key, "Hi ", 3, "There", 5, out);
	is_mem(out, want, 32, "... in two parts");
	memset(key, 0, sizeof(key));
	memcpy(key, "Jefe", 4);
	hex_decode("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", 64, want, 32);
	crypto_hmac_sha256(key, "what do ya want for nothing?", 28, "", 0, out);
	is_mem(out, want, 32, "... case 2");
}

static void test_cmac(void)
{
	uint8_t key[16], m[64], want[16], out[16];
	static const struct {
		size_t n;
		const char *mac;
	} v[] = {
		{ 0, "bb1d6929e95937287fa37d129b756746" },
		{ 16, "070a16b46b4d4144f79bdd9dd04a287c" },
		{ 40, "dfa66747de9ae63030ca32611497c827" },
		{ 64, "51f0bebf7e3b9d92fc49741779363cfe" },
	};

	hex_decode("2b7e151628aed2a6abf7158809cf4f3c", 32, key, 16);
	hex_decode("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
		   "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
		   128, m, 64);
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		hex_decode(v[i].mac, 32, want, 16);
		crypto_cmac(key, m, v[i].n, out);
		ok(memcmp(out, want, 16) == 0, "AES-CMAC of %zu bytes (RFC 4493)", v[i].n);
	}
}

static void test_rsa(void)
{
	struct crypto_key *k = NULL, *again = NULL;
	struct bawn_error e = { 0 };
	uint8_t digest[32], n[384], n2[384], s[384], q1[384], q2[384];
	struct buf pem;

	crypto_sha256("message", 7, digest);
	is_int(crypto_key_new_rsa3(&k, &e), 0, "make an RSA-3072 key");
	is_int(crypto_key_rsa3_modulus(k, n, &e), 0, "its modulus");
	is_int(crypto_rsa3_sign(k, digest, s, &e), 0, "sign");
	is_int(crypto_rsa3_verify(s, n, digest, &e), 0, "verify");
	is_int(crypto_rsa3_quotients(s, n, q1, q2, &e), 0, "q1 and q2");
	ok(!ct_is_zero(q1, 384) && !ct_is_zero(q2, 384), "the quotients are not zero");

	buf_init(&pem, 16384);
	is_int(crypto_key_to_pem(k, &pem, &e), 0, "write PEM");
	is_int(crypto_key_from_pem(&again, pem.p, pem.n, &e), 0, "read it back");
	is_int(crypto_key_rsa3_modulus(again, n2, &e), 0, "its modulus");
	is_mem(n, n2, 384, "the same key");
	is_int(e.code, 0, "no error was recorded on the way");

	digest[0] ^= 1;
	is_int(crypto_rsa3_verify(s, n, digest, &e), BAWN_ERR_SIGNATURE, "another digest is refused");
	digest[0] ^= 1;
	s[100] ^= 1;
	is_int(crypto_rsa3_verify(s, n, digest, NULL), BAWN_ERR_SIGNATURE, "a changed signature is refused");
	memset(s, 0xff, 384);
	is_int(crypto_rsa3_verify(s, n, digest, NULL), BAWN_ERR_SIGNATURE, "s >= n is refused");
	is_int(crypto_rsa3_quotients(s, n, q1, q2, NULL), BAWN_ERR_SIGNATURE, "no quotients for s >= n");
	memset(n, 0, 384);
	is_int(crypto_rsa3_verify(s, n, digest, NULL), BAWN_ERR_SIGNATURE, "n = 0 is refused");
	is_int(crypto_key_from_pem(&again, "no key", 6, NULL), BAWN_ERR_FORMAT, "text is no key");
	buf_free(&pem);
	crypto_key_free(&k);
	crypto_key_free(&again);
	ok(!k && !again, "freed");
}

int main(void)
{
	test_sha256();
	test_cmac();
	test_hmac();
	test_rsa();
	return tap_done();
}
