/* SHA-256 as the measurement of an enclave uses it, against OpenSSL's own interface. */
#include "bench/bench.h"
#include "crypto/crypto.h"

#include <openssl/evp.h>

#define BLOCK 65536u

static uint8_t block[BLOCK], digest[32];

static void ours(void *arg, uint64_t times)
{
	struct crypto_sha256 h;

	(void)arg;
	crypto_sha256_init(&h);
	while (times-- > 0)
		crypto_sha256_update(&h, block, sizeof(block));
	crypto_sha256_final(&h, digest);
}

static void openssl(void *arg, uint64_t times)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	(void)arg;
	if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		bench_fail("OpenSSL has no SHA-256");
	while (times-- > 0)
		if (EVP_DigestUpdate(ctx, block, sizeof(block)) != 1)
			bench_fail("EVP_DigestUpdate failed");
	if (EVP_DigestFinal_ex(ctx, digest, NULL) != 1)
		bench_fail("EVP_DigestFinal_ex failed");
	EVP_MD_CTX_free(ctx);
}

int main(void)
{
	bench_compare("sha256, 64 KiB blocks", "MiB/s", BLOCK, ours, NULL, openssl, NULL,
		      BENCH_AT_LEAST, 0.9);
	return bench_done();
}
