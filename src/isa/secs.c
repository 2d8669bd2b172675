/*
 * What depends on the CPU at hand: the size of the XSAVE area, and with it
 * the validity of a SECS. Executes CPUID, so enclaves do not link this.
 */
#include "isa/isa.h"

#include <cpuid.h>

#define XSAVE_LEGACY_SIZE 576u /* x87, SSE and the XSAVE header, SDM volume 1, 13.4 */
#define CPUID_XSAVE 0x0d

uint32_t isa_xsave_size(uint64_t xfrm)
{
	uint32_t size = XSAVE_LEGACY_SIZE;

	for (unsigned i = 2; i < 64; i++) {
		unsigned length, offset, c, d;

		if (!(xfrm >> i & 1))
			continue;
		/* ECX bit 0: a supervisor component, without a place in the standard format. */
		if (!__get_cpuid_count(CPUID_XSAVE, i, &length, &offset, &c, &d) || length == 0 ||
		    c & 1)
			return 0;
		if (offset < XSAVE_LEGACY_SIZE || offset > (1u << 20) || length > (1u << 20))
			return 0;
		if (offset + length > size)
			size = offset + length;
	}
	return size;
}

/* SDM 42.7.2.1: what XSETBV would refuse, ECREATE and EINIT refuse too. */
const char *isa_xfrm_flaw(uint64_t xfrm, uint64_t allowed_xfrm)
{
	if ((xfrm & XFRM_X87_SSE) != XFRM_X87_SSE)
		return "ATTRIBUTES.XFRM lacks x87 or SSE state";
	if (xfrm & ~allowed_xfrm)
		return "ATTRIBUTES.XFRM has state components that this CPU does not allow";
	if (xfrm & XFRM_MPX && (xfrm & XFRM_MPX) != XFRM_MPX)
		return "ATTRIBUTES.XFRM has only one of the two MPX components";
	if (xfrm & XFRM_AVX512 && ((xfrm & XFRM_AVX512) != XFRM_AVX512 || !(xfrm & XFRM_AVX)))
		return "ATTRIBUTES.XFRM has only a part of the AVX-512 components";
	if (xfrm & XFRM_AMX && (xfrm & XFRM_AMX) != XFRM_AMX)
		return "ATTRIBUTES.XFRM has only one of the two AMX components";
	return NULL;
}

/* CONFIGID, CONFIGSVN, CET fields: legal only with the attribute that gives them meaning. */
static const char *optional_fields_flaw(const struct isa_secs *s)
{
	uint8_t configid = 0, cet = s->cet_attributes;

	for (size_t i = 0; i < sizeof(s->configid); i++)
		configid |= s->configid[i];
	for (size_t i = 0; i < sizeof(s->cet_leg_bitmap_offset); i++)
		cet |= s->cet_leg_bitmap_offset[i];
	if (!(s->attributes.flags & ATTR_KSS) && (configid || s->configsvn))
		return "CONFIGID or CONFIGSVN is set without ATTRIBUTES.KSS";
	if (!(s->attributes.flags & ATTR_CET) && cet)
		return "CET fields are set without ATTRIBUTES.CET";
	return NULL;
}

static const char *reserved_flaw(const struct isa_secs *s)
{
	if (!ct_is_zero(s->reserved1, sizeof(s->reserved1)) ||
	    !ct_is_zero(s->reserved2, sizeof(s->reserved2)) ||
	    !ct_is_zero(s->reserved3, sizeof(s->reserved3)) ||
	    !ct_is_zero(s->reserved4, sizeof(s->reserved4)))
		return "reserved bytes of SECS are not zero";
	return NULL;
}

static const char *frame_flaw(const struct isa_secs *s)
{
	uint32_t xsave = isa_xsave_size(s->attributes.xfrm);
	uint64_t need = (uint64_t)xsave + sizeof(struct isa_gprsgx);

	if (s->miscselect & (MISC_EXINFO | MISC_CPINFO))
		need += sizeof(struct isa_exinfo);
	if (xsave == 0)
		return "ATTRIBUTES.XFRM has a component of unknown size";
	if ((uint64_t)s->ssaframesize * ISA_PAGE < need)
		return "SSAFRAMESIZE is too small for ATTRIBUTES.XFRM and MISCSELECT";
	return NULL;
}

const char *isa_secs_flaw(const struct isa_secs *s, uint64_t allowed_xfrm, uint32_t allowed_misc)
{
	const uint64_t flags = s->attributes.flags;
	const char *flaw;

	if ((flaw = reserved_flaw(s)))
		return flaw;
	if (flags & ~ATTR_KNOWN)
		return "reserved bits of ATTRIBUTES are set";
	if (flags & ATTR_INIT)
		return "ATTRIBUTES.INIT is set before EINIT";
	if (!(flags & ATTR_MODE64BIT))
		return "ATTRIBUTES.MODE64BIT is not set: a 32-bit enclave";
	if ((flaw = isa_xfrm_flaw(s->attributes.xfrm, allowed_xfrm)) ||
	    (flaw = optional_fields_flaw(s)))
		return flaw;
	if (s->miscselect & ~allowed_misc)
		return "MISCSELECT has bits that this CPU does not allow";
	if (s->size < 2 * ISA_PAGE || s->size & (s->size - 1))
		return "SIZE is not a power of two of at least two pages";
	if (s->baseaddr & (s->size - 1))
		return "BASEADDR is not aligned to SIZE";
	/* Canonical, with four-level paging: what user space can map at all. */
	if (s->baseaddr >> 47 || s->size > (UINT64_C(1) << 47) - s->baseaddr)
		return "BASEADDR and SIZE leave the address space";
	return frame_flaw(s);
}
