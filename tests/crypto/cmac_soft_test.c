/* AES-CMAC without AES-NI, as on a CPU that has none, against the same with it. */
#define __builtin_cpu_supports(feature) 0
#define crypto_cmac soft_cmac
void soft_cmac(const unsigned char key[16], const void *p, unsigned long n, unsigned char out[16]);
#include "src/crypto/cmac.c"
#undef crypto_cmac

#include "tests/tap.h"

void crypto_cmac(const uint8_t key[16], const void *p, size_t n, uint8_t out[16]);

int main(void)
{
	uint8_t key[16], text[700], soft[16], hard[16];
	bool same = true;

	if (crypto_random(key, sizeof(key), NULL) || crypto_random(text, sizeof(text), NULL))
		return 1;
	for (size_t n = 0; n <= sizeof(text); n++) {
		soft_cmac(key, text, n, soft);
		crypto_cmac(key, text, n, hard);
		if (memcmp(soft, hard, sizeof(soft)) == 0)
			continue;
		printf("# %zu bytes\n", n);
		same = false;
	}
	ok(same, "the same MACs for 0 to 700 bytes");
	return tap_done();
}
