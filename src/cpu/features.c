/* What the emulated CPU offers on this machine (SDM 37.7.2, CPUID leaf 12H). */
#include "cpu/state.h"

#include <cpuid.h>

#define CPUID_OSXSAVE (1u << 27) /* CPUID.1:ECX */

/*
 * XCR0 without what makes no sense in an enclave here: MPX, which is gone, and
 * PKRU, whose initial value after an AEX would open the host's own keys.
 */
#define XFRM_OFFERED (XFRM_X87_SSE | XFRM_AVX | XFRM_AVX512 | XFRM_AMX)

static uint64_t read_xcr0(void)
{
	unsigned a, b, c = 0, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & CPUID_OSXSAVE))
		return XFRM_X87_SSE;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (uint64_t)d << 32 | a;
}

static uint64_t offered_xfrm(void)
{
	static uint64_t known;
	uint64_t x = __atomic_load_n(&known, __ATOMIC_RELAXED);
	static const uint64_t groups[] = { XFRM_AMX, XFRM_AVX512, XFRM_AVX };

	if (x)
		return x;
	x = read_xcr0() & XFRM_OFFERED;
	/* Whole groups only, and of known size. */
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (isa_xfrm_flaw(x, x) || isa_xsave_size(x) == 0)
			x &= ~groups[i];
	__atomic_store_n(&known, x, __ATOMIC_RELAXED);
	return x;
}

void cpu_features(const struct cpu_platform *p, struct cpu_features *out)
{
	*out = (struct cpu_features){
		.xfrm = offered_xfrm(),
		.miscselect = p->sgx2 ? MISC_EXINFO : 0,
		.attributes = ATTR_DEBUG | ATTR_MODE64BIT | ATTR_PROVISIONKEY |
			      ATTR_EINITTOKEN_KEY,
		.size_log2 = EPC_SIZE_LOG2,
		.sgx2 = p->sgx2,
		.kss = p->kss,
		.aexnotify = p->aexnotify,
	};
	if (p->kss)
		out->attributes |= ATTR_KSS;
	if (p->aexnotify)
		out->attributes |= ATTR_AEXNOTIFY;
}
