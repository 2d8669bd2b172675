/* ENCLU of SGX2: EACCEPT, EACCEPTCOPY, EMODPE (SDM 40.4). */
#include "cpu/state.h"

#include <string.h>

#define SECINFO_ALIGN 64
/* SECINFO.FLAGS for these leaves: RWX, PENDING, MODIFIED, PR, page type. */
#define SECINFO_FLAGS (SECINFO_RWX | SECINFO_PENDING | SECINFO_MODIFIED | SECINFO_PR | 0xff00u)
/* What EACCEPT compares with the EPCM; PR is not, though it decides what is legal to ask. */
#define ACCEPT_COMPARED (SECINFO_RWX | SECINFO_PENDING | SECINFO_MODIFIED | 0xff00u)

static int read_secinfo(const struct cpu_epc *epc, uint64_t linear, struct isa_secinfo *si,
			struct cpu_fault *f)
{
	uint8_t *p;

	if (operand(epc, linear, SECINFO_ALIGN, true, false, &p, f) != 0)
		return CPU_FAULT;
	memcpy(si, p, sizeof(*si));
	if (si->flags & ~SECINFO_FLAGS || !ct_is_zero(si->reserved, sizeof(si->reserved)))
		return fault_gp(f);
	return 0;
}

/* A page operand: aligned, inside ELRANGE. */
static int page_operand(const struct cpu_epc *epc, uint64_t linear, uint64_t *offset,
			struct cpu_fault *f)
{
	*offset = linear - epc->base;
	if (linear & (ISA_PAGE - 1) || linear < epc->base || *offset >= epc->size)
		return fault_gp(f);
	return 0;
}

/* What the page tables say of an access to a page, before its EPCM entry is looked at. */
static uint32_t page_tables(const struct cpu_epc *epc, uint64_t offset, bool w)
{
	uint32_t code = access_code_vma(epc, offset, true, w, false);

	return code & PF_SGX ? 0 : code;
}

static bool accept_legal(uint64_t flags)
{
	switch (SECINFO_PT(flags)) {
	case PT_REG:
		return flags & (SECINFO_PR | SECINFO_PENDING) && !(flags & SECINFO_MODIFIED);
	case PT_TCS:
	case PT_TRIM:
		return flags & SECINFO_MODIFIED && !(flags & (SECINFO_PR | SECINFO_PENDING));
	default:
		return false;
	}
}

/* EACCEPT of a page that becomes a TCS: what EADD would have forced, has to be so. */
static bool tcs_acceptable(const struct cpu_epc *epc, uint64_t offset)
{
	struct isa_tcs t;

	memcpy(&t, epc->alias + offset, sizeof(t));
	return !isa_tcs_flaw(&t) && !(t.flags & TCS_DBGOPTIN) &&
	       (epc->platform.aexnotify || !(t.flags & TCS_AEXNOTIFY)) && t.cssa < t.nssa &&
	       t.aep == 0 && t.stage == 0;
}

static int accept_locked(struct cpu_epc *epc, uint64_t offset, uint64_t flags, struct cpu_fault *f)
{
	const uint64_t entry = epcm_load(epc, offset);
	const unsigned pt = EPCM_PT(entry);

	if (!(entry & EPCM_VALID) || (pt != PT_REG && pt != PT_TCS && pt != PT_TRIM))
		return fault_pf(f, epc->base + offset, PF_SGX | PF_U | PF_W | PF_P);
	if ((entry & ACCEPT_COMPARED) != (flags & ACCEPT_COMPARED))
		return ISA_PAGE_ATTRIBUTES_MISMATCH;
	/* Tracking is complete by definition: see EMODPR and EMODT. */
	if (pt == PT_TCS && !tcs_acceptable(epc, offset))
		return fault_gp(f);
	epcm_store(epc, offset, entry & ~(SECINFO_PENDING | SECINFO_MODIFIED | SECINFO_PR));
	epc_touch(epc);
	return 0;
}

int leaf_eaccept(struct cpu_lp *lp, struct cpu_regs *r, struct cpu_fault *f)
{
	struct cpu_epc *epc = lp->epc;
	struct isa_secinfo si;
	uint64_t offset, mask;
	uint32_t code;
	int status;

	if (read_secinfo(epc, r->rbx, &si, f) != 0 || page_operand(epc, r->rcx, &offset, f) != 0)
		return CPU_FAULT;
	code = page_tables(epc, offset, false);
	if (code)
		return fault_pf(f, r->rcx, code | PF_W);
	if (!accept_legal(si.flags))
		return fault_gp(f);
	if (!epc_lock(epc, &mask))
		return fault_gp(f);
	status = accept_locked(epc, offset, si.flags, f);
	epc_unlock(epc, mask);
	if (status == CPU_FAULT)
		return CPU_FAULT;
	if (status == 0)
		epc_announce(epc, offset, ISA_PAGE);
	leaf_status(r, status);
	return status;
}

static int acceptcopy_locked(struct cpu_epc *epc, uint64_t to, uint64_t from, uint64_t flags,
			     struct cpu_fault *f)
{
	const uint64_t entry = epcm_load(epc, to);
	const uint64_t want = EPCM_VALID | SECINFO_PENDING | SECINFO_R | SECINFO_W |
			      EPCM_OF_PT(PT_REG);
	uint32_t code = access_code_vma(epc, from, true, false, false);

	if (code)
		return fault_pf(f, epc->base + from, code);
	if ((entry & ~(SECINFO_PR | EPCM_MOST(SECINFO_RWX))) != want)
		return ISA_PAGE_ATTRIBUTES_MISMATCH;
	memcpy(epc->alias + to, epc->alias + from, ISA_PAGE);
	epcm_store(epc, to,
		   (entry & ~(SECINFO_PENDING | SECINFO_RWX)) | (flags & SECINFO_RWX));
	epc_touch(epc);
	return 0;
}

int leaf_eacceptcopy(struct cpu_lp *lp, struct cpu_regs *r, struct cpu_fault *f)
{
	struct cpu_epc *epc = lp->epc;
	struct isa_secinfo si;
	uint64_t to, from, mask;
	uint32_t code;
	int status;

	if (r->rbx & (SECINFO_ALIGN - 1) || page_operand(epc, r->rcx, &to, f) != 0 ||
	    page_operand(epc, r->rdx, &from, f) != 0)
		return fault_gp(f);
	if (read_secinfo(epc, r->rbx, &si, f) != 0)
		return CPU_FAULT;
	code = page_tables(epc, to, true);
	if (code)
		return fault_pf(f, r->rcx, code);
	code = page_tables(epc, from, false);
	if (code)
		return fault_pf(f, r->rdx, code);
	if ((si.flags & SECINFO_W && !(si.flags & SECINFO_R)) || SECINFO_PT(si.flags) != PT_REG)
		return fault_gp(f);
	if (!epc_lock(epc, &mask))
		return fault_gp(f);
	status = acceptcopy_locked(epc, to, from, si.flags, f);
	epc_unlock(epc, mask);
	if (status == CPU_FAULT)
		return CPU_FAULT;
	if (status == 0)
		epc_announce(epc, to, ISA_PAGE);
	leaf_status(r, status);
	return status;
}

static int modpe_locked(struct cpu_epc *epc, uint64_t offset, uint64_t flags, struct cpu_fault *f)
{
	const uint64_t entry = epcm_load(epc, offset);

	if (!(entry & EPCM_VALID) || entry & (SECINFO_PENDING | SECINFO_MODIFIED) ||
	    EPCM_PT(entry) != PT_REG)
		return fault_pf(f, epc->base + offset, PF_SGX | PF_U | PF_W | PF_P);
	if (!((entry | flags) & SECINFO_R) && flags & SECINFO_W)
		return fault_gp(f);
	epcm_store(epc, offset, entry | (flags & SECINFO_RWX));
	epc_touch(epc);
	return 0;
}

int leaf_emodpe(struct cpu_lp *lp, struct cpu_regs *r, struct cpu_fault *f)
{
	struct cpu_epc *epc = lp->epc;
	struct isa_secinfo si;
	uint64_t offset, mask;
	uint32_t code;
	int status;

	if (r->rbx & (SECINFO_ALIGN - 1) || page_operand(epc, r->rcx, &offset, f) != 0)
		return fault_gp(f);
	if (read_secinfo(epc, r->rbx, &si, f) != 0)
		return CPU_FAULT;
	code = page_tables(epc, offset, false);
	if (code)
		return fault_pf(f, r->rcx, code | PF_W);
	if (!epc_lock(epc, &mask))
		return fault_gp(f);
	status = modpe_locked(epc, offset, si.flags, f);
	epc_unlock(epc, mask);
	if (status == 0)
		epc_announce(epc, offset, ISA_PAGE);
	return status;
}
