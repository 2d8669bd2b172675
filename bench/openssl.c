/* What OpenSSL's SHA-256 allows, for benchmarks whose limit that is. */
#include "bench/bench.h"

#include <openssl/evp.h>

#define BLOCK 65536u

void bench_sha256(void *bytes, uint64_t times)
{
	static uint8_t block[BLOCK], digest[32];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	while (times-- > 0) {
		if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
			bench_fail("OpenSSL has no SHA-256");
		for (uint64_t left = *(const uint64_t *)bytes; left;) {
			size_t n = left < BLOCK ? (size_t)left : BLOCK;

			if (EVP_DigestUpdate(ctx, block, n) != 1)
				bench_fail("EVP_DigestUpdate failed");
			left -= n;
		}
		if (EVP_DigestFinal_ex(ctx, digest, NULL) != 1)
			bench_fail("EVP_DigestFinal_ex failed");
	}
	EVP_MD_CTX_free(ctx);
}
