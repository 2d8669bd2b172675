/* RDRAND, and the two helpers for secrets under their public names. */
#include "runtime/runtime.h"

#include <string.h>

/* Intel's software implementation guide for the DRNG, 5.2.1: ten tries, then it is broken. */
#define TRIES 10

bool bawn_random(void *p, size_t n)
{
	uint8_t *to = p;

	while (n) {
		size_t part = n < sizeof(uint64_t) ? n : sizeof(uint64_t);
		uint64_t v = 0;
		bool good = false;

		for (int i = 0; i < TRIES && !good; i++)
			__asm__ volatile("rdrand %0" : "=r"(v), "=@ccc"(good) : : "cc");
		if (!good)
			return false;
		memcpy(to, &v, part);
		to += part;
		n -= part;
	}
	return true;
}

void bawn_wipe(void *p, size_t n)
{
	wipe(p, n);
}

bool bawn_equal(const void *a, const void *b, size_t n)
{
	return ct_equal(a, b, n);
}
