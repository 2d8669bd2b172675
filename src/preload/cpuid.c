/* What CPUID says of SGX on the emulated machine (SDM 37.7.2); all else is as it is. */
#include "preload/preload.h"

#include <cpuid.h>

#define LEAF_FEATURES 7u
#define LEAF_SGX 0x12u

#define FEATURE_SGX (1u << 2)     /* EBX */
#define FEATURE_SGX_LC (1u << 30) /* ECX */
#define SGX_EDECCSSA (1u << 11)   /* EAX of (12H, 0) */

/* Where the EPC is: no program can do more with a physical address than show it. */
#define EPC_BASE (UINT64_C(1) << 36)

static void sgx_leaf(const struct cpu_platform *p, uint32_t subleaf, uint32_t r[4])
{
	struct cpu_features have;

	r[0] = r[1] = r[2] = r[3] = 0;
	cpu_features(p, &have);
	switch (subleaf) {
	case 0:
		r[0] = 1u | (uint32_t)have.sgx2 << 1 | (have.aexnotify ? SGX_EDECCSSA : 0);
		r[1] = have.miscselect;
		/* 32-bit enclaves do not exist here, but the field may not say so. */
		r[3] = 31u | (uint32_t)have.size_log2 << 8;
		break;
	case 1:
		r[0] = (uint32_t)have.attributes;
		r[1] = (uint32_t)(have.attributes >> 32);
		r[2] = (uint32_t)have.xfrm;
		r[3] = (uint32_t)(have.xfrm >> 32);
		break;
	case 2: /* one section, with confidentiality and integrity */
		r[0] = 1u | (uint32_t)EPC_BASE;
		r[1] = (uint32_t)(EPC_BASE >> 32);
		r[2] = 1u | (uint32_t)p->epc_size;
		r[3] = (uint32_t)(p->epc_size >> 32);
		break;
	}
}

void cpuid_filter(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
	const struct cpu_platform *p = settings.on ? settings_platform() : NULL;

	if (!p)
		return;
	if (leaf == 0 && r[0] < LEAF_SGX)
		r[0] = LEAF_SGX;
	if (leaf == LEAF_FEATURES && subleaf == 0) {
		r[1] |= FEATURE_SGX;
		r[2] = p->launch_locked ? r[2] & ~FEATURE_SGX_LC : r[2] | FEATURE_SGX_LC;
	}
	if (leaf == LEAF_SGX)
		sgx_leaf(p, subleaf, r);
}

/* For programs that were told of it, where CPUID itself cannot be changed. */
void bawn_emulated_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	preload_start();
	__cpuid_count(leaf, subleaf, out[0], out[1], out[2], out[3]);
	cpuid_filter(leaf, subleaf, out);
}
