/* Validity rules that need no CPU: SECINFO, TCS, SIGSTRUCT. */
#include "isa/isa.h"

#include <string.h>

/* SDM 40.3, EADD */
const char *isa_secinfo_flaw(const struct isa_secinfo *s)
{
	uint64_t pt = SECINFO_PT(s->flags);

	if (s->flags & ~SECINFO_EADD_FLAGS || !ct_is_zero(s->reserved, sizeof(s->reserved)))
		return "reserved bits of SECINFO are set";
	if (pt == PT_SS_FIRST || pt == PT_SS_REST)
		return "a shadow stack page (CET) in SECINFO";
	if (pt != PT_REG && pt != PT_TCS)
		return "the page type in SECINFO is neither regular nor TCS";
	if (pt == PT_REG && s->flags & SECINFO_W && !(s->flags & SECINFO_R))
		return "SECINFO makes a page writable that is not readable";
	return NULL;
}

/* SDM 38.8 and 40.3, EADD of a TCS. FSLIMIT and GSLIMIT matter to 32-bit enclaves alone. */
const char *isa_tcs_flaw(const struct isa_tcs *t)
{
	if (t->flags & ~(TCS_DBGOPTIN | TCS_AEXNOTIFY))
		return "reserved bits of TCS.FLAGS are set";
	if (!ct_is_zero(t->reserved, sizeof(t->reserved)))
		return "reserved bytes of the TCS are not zero";
	if (t->ocetssa || t->prevssp)
		return "the TCS has shadow stack fields (CET)";
	return NULL;
}

void isa_tcs_reset(struct isa_tcs *t)
{
	t->stage = 0;
	t->flags &= ~TCS_DBGOPTIN;
	t->cssa = 0;
	t->aep = 0;
}

/* SDM 38.13 and 40.3, EINIT: all that makes it return INVALID_SIG_STRUCT before any arithmetic. */
const char *isa_sigstruct_flaw(const struct isa_sigstruct *s)
{
	/* HEADER's last word is Intel's "type", whose top bit marks a debug signature. */
	if (memcmp(s->header, isa_sigstruct_header, 15) == 0 && s->header[15] == 0x80)
		return "SIGSTRUCT.HEADER marks a debug signature, which production CPUs refuse";
	if (memcmp(s->header, isa_sigstruct_header, sizeof(s->header)) != 0)
		return "SIGSTRUCT.HEADER is not the constant";
	if (memcmp(s->header2, isa_sigstruct_header2, sizeof(s->header2)) != 0)
		return "SIGSTRUCT.HEADER2 is not the constant";
	if (s->vendor != 0 && s->vendor != ISA_VENDOR_INTEL)
		return "SIGSTRUCT.VENDOR is neither 0 nor Intel's 0x8086";
	if (s->exponent != 3)
		return "SIGSTRUCT.EXPONENT is not 3";
	if (!ct_is_zero(s->reserved1, sizeof(s->reserved1)) ||
	    !ct_is_zero(s->reserved2, sizeof(s->reserved2)) ||
	    !ct_is_zero(s->reserved3, sizeof(s->reserved3)) ||
	    !ct_is_zero(s->reserved4, sizeof(s->reserved4)))
		return "reserved bytes of SIGSTRUCT are not zero";
	return NULL;
}
