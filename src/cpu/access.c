/*
 * Who may touch an enclave's page: the VMA (page tables) first, then the EPCM
 * (SDM 37.5.3 and 37.3 on the error codes; spec of the EPCM in 37.5).
 */
#include "cpu/state.h"

#include <sys/mman.h>

static bool vma_allows(int vma, bool r, bool w, bool x)
{
	return (!r || vma & PROT_READ) && (!w || vma & PROT_WRITE) && (!x || vma & PROT_EXEC);
}

/* Bits that a regular, settled page has, and those it has not. */
static bool settled(uint64_t entry)
{
	return entry & EPCM_VALID && EPCM_PT(entry) == PT_REG &&
	       !(entry & (SECINFO_PENDING | SECINFO_MODIFIED));
}

uint32_t access_code(const struct cpu_epc *epc, uint64_t offset, bool r, bool w, bool x, int vma)
{
	const uint64_t entry = epcm_load(epc, offset);
	const uint64_t need = (r ? SECINFO_R : 0) | (w ? SECINFO_W : 0) | (x ? SECINFO_X : 0);
	uint32_t code = PF_U | (w ? PF_W : 0) | (x ? PF_I : 0);

	/* A mapping without any access has no page table entry. */
	if (entry & EPCM_VALID && vma & (PROT_READ | PROT_WRITE | PROT_EXEC))
		code |= PF_P;
	/* A page that is not there, and page tables that forbid, are plain page faults. */
	if (!(entry & EPCM_VALID) || !vma_allows(vma, r, w, x))
		return code;
	if (!settled(entry) || (entry & need) != need)
		return code | PF_SGX;
	return 0;
}

uint32_t access_code_vma(const struct cpu_epc *epc, uint64_t offset, bool r, bool w, bool x)
{
	int vma = epc->vma ? epc->vma(epc->vma_arg, offset & ~(uint64_t)(ISA_PAGE - 1)) :
			     PROT_READ | PROT_WRITE | PROT_EXEC;

	return access_code(epc, offset, r, w, x, vma);
}

int cpu_page_protection(const struct cpu_epc *epc, uint64_t offset, int vma)
{
	int prot = PROT_NONE;
	uint64_t entry;

	if (offset >= epc_size(epc))
		return PROT_NONE;
	entry = epcm_load(epc, offset);
	if (!settled(entry))
		return PROT_NONE;
	if (entry & SECINFO_R)
		prot |= PROT_READ;
	if (entry & SECINFO_W)
		prot |= PROT_WRITE;
	if (entry & SECINFO_X)
		prot |= PROT_EXEC;
	return prot & vma;
}

enum cpu_access cpu_page_access(const struct cpu_epc *epc, uint64_t offset, uint32_t access,
				int vma, int *prot, struct cpu_fault *fault)
{
	const bool w = access & PF_W, x = access & PF_I;
	uint32_t code;

	*prot = PROT_NONE;
	if (offset >= epc_size(epc)) {
		fault_pf(fault, epc->base + offset, PF_U | (access & (PF_W | PF_I)));
		return CPU_ACCESS_FAULT;
	}
	code = access_code(epc, offset, !w && !x, w, x, vma);
	if (code == 0) {
		*prot = cpu_page_protection(epc, offset, vma);
		return CPU_ACCESS_OK;
	}
	/* The driver adds a page where one may be, if the mapping would then allow the access. */
	if (!(code & PF_P) && epc->platform.sgx2 && cpu_epc_initialised(epc) &&
	    vma_allows(vma, !w && !x, w, x))
		return CPU_ACCESS_EAUG;
	fault_pf(fault, epc->base + offset, code);
	return CPU_ACCESS_FAULT;
}

int fault_encls(const struct cpu_epc *epc, uint64_t offset, struct cpu_fault *f)
{
	if (offset == CPU_SECS_PAGE)
		return fault_pf(f, 0, PF_SGX | PF_P | PF_W);
	if (offset >= epc_size(epc))
		return fault_pf(f, epc->base + offset, PF_W);
	return fault_pf(f, epc->base + offset, PF_SGX | PF_P | PF_W);
}

int operand(const struct cpu_epc *epc, uint64_t linear, uint64_t align, bool r, bool w,
	    uint8_t **p, struct cpu_fault *f)
{
	const uint64_t offset = linear - epc->base;
	uint32_t code;

	if (linear & (align - 1) || linear < epc->base || offset >= epc->size)
		return fault_gp(f);
	code = access_code_vma(epc, offset, r, w, false);
	if (code)
		return fault_pf(f, linear, code);
	*p = epc->alias + offset;
	return 0;
}
