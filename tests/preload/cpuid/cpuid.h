/*
 * For the kernel's selftests where CPUID cannot be made to fault: they execute
 * it to learn of SGX2 and of the size of the page cache. Compiled with this
 * header before the compiler's own they ask the emulator instead.
 */
#include_next <cpuid.h>

#ifndef BAWN_TESTS_CPUID_H
#define BAWN_TESTS_CPUID_H

void bawn_emulated_cpuid(unsigned leaf, unsigned subleaf, unsigned out[4]) __attribute__((weak));

static inline void tests_cpuid(unsigned leaf, unsigned subleaf, unsigned out[4])
{
	if (bawn_emulated_cpuid)
		bawn_emulated_cpuid(leaf, subleaf, out);
	else
		__cpuid_count(leaf, subleaf, out[0], out[1], out[2], out[3]);
}
#undef __cpuid_count
#define __cpuid_count(leaf, subleaf, a, b, c, d)                                                   \
	do {                                                                                       \
		unsigned out_[4];                                                                  \
		tests_cpuid(leaf, subleaf, out_);                                                  \
		(a) = out_[0];                                                                     \
		(b) = out_[1];                                                                     \
		(c) = out_[2];                                                                     \
		(d) = out_[3];                                                                     \
		(void)(a), (void)(b), (void)(c), (void)(d);                                        \
	} while (0)

#endif
