/*
 * Faults for the kernel's selftests to find (tools/check-kernel). Each makes an
 * object to preload like the real one, but for one function, which the linker
 * leads here (tests.mk). Nothing of this is in what is installed.
 */
#include "cpu/engine.h"

#if defined(FAULT_NO_PF_SGX)

/* Page faults by the EPCM that look like the page tables'. */
enum cpu_access __real_cpu_page_access(const struct cpu_epc *epc, uint64_t offset, uint32_t access,
				       int vma, int *prot, struct cpu_fault *fault);
enum cpu_access __wrap_cpu_page_access(const struct cpu_epc *epc, uint64_t offset, uint32_t access,
				       int vma, int *prot, struct cpu_fault *fault);

enum cpu_access __wrap_cpu_page_access(const struct cpu_epc *epc, uint64_t offset, uint32_t access,
				       int vma, int *prot, struct cpu_fault *fault)
{
	enum cpu_access a = __real_cpu_page_access(epc, offset, access, vma, prot, fault);

	fault->error_code &= ~PF_SGX;
	return a;
}

#elif defined(FAULT_EMODPR)

/* EMODPR that says it is done. */
int __wrap_cpu_emodpr(struct cpu_epc *epc, uint64_t offset, const struct isa_secinfo *si,
		      struct cpu_fault *f);

int __wrap_cpu_emodpr(struct cpu_epc *epc, uint64_t offset, const struct isa_secinfo *si,
		      struct cpu_fault *f)
{
	(void)epc;
	(void)offset;
	(void)si;
	(void)f;
	return 0;
}

#elif defined(FAULT_SIGNALS)

/* Signals that somebody sent are lost. */
struct cpu_verdict __real_cpu_deliver(struct cpu_frame *f, struct cpu_thread *t, bool fault);
struct cpu_verdict __wrap_cpu_deliver(struct cpu_frame *f, struct cpu_thread *t, bool fault);

struct cpu_verdict __wrap_cpu_deliver(struct cpu_frame *f, struct cpu_thread *t, bool fault)
{
	if (f->info.code <= 0)
		return (struct cpu_verdict){ VERDICT_RETURN, 0 };
	return __real_cpu_deliver(f, t, fault);
}

#endif
