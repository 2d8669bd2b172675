/*
 * CPUID in an enclave raises #UD. Where the CPU can be told to fault it for
 * programs (CPUID faulting: Intel since Ivy Bridge, some AMD), each thread
 * that enters enclaves has that set, and CPUID outside is emulated for it.
 *
 * The setting is the thread's, and threads and processes that it makes inherit
 * it; execve clears it. So CPUID may fault in threads without a record, too;
 * one that blocks SIGSEGV and executes CPUID dies, which is why this is done
 * only where enclaves are entered.
 */
#include "cpu/engine.h"

#include <cpuid.h>
#include <errno.h>

#define ARCH_GET_CPUID 0x1011
#define ARCH_SET_CPUID 0x1012

int cpu_cpuid_fault(bool on)
{
	return (int)cpu_syscall(SYS_arch_prctl, ARCH_SET_CPUID, !on, 0, 0);
}

bool cpu_engine_faults_cpuid(void)
{
	static int known; /* 1: no, 2: yes */
	int state = __atomic_load_n(&known, __ATOMIC_RELAXED);

	if (!state) {
		/*
		 * Setting it to what it is tells whether it can be set, and
		 * changes nothing: ENODEV without the CPU's help, EINVAL without
		 * the kernel's. 1: CPUID is enabled.
		 */
		long now = cpu_syscall(SYS_arch_prctl, ARCH_GET_CPUID, 0, 0, 0);

		state = !cpu_syscall_failed(now) && cpu_cpuid_fault(now == 0) == 0 ? 2 : 1;
		__atomic_store_n(&known, state, __ATOMIC_RELAXED);
	}
	return state == 2;
}

static cpu_cpuid_fn cpuid_answer;
static bool (*cpuid_stands_at)(uint64_t rip);

bool cpu_engine_cpuid(cpu_cpuid_fn answer, bool (*stands_at)(uint64_t rip))
{
	cpuid_answer = answer;
	cpuid_stands_at = stands_at;
	return cpu_engine_faults_cpuid() && cpu_cpuid_fault(true) == 0;
}

/* CPUID that faults, or the UD2 in its place. */
static bool is_cpuid(const struct cpu_mcontext *mc, bool *faults)
{
	const uint8_t *p = (const uint8_t *)mc->rip;

	*faults = mc->trapno == VEC_GP;
	if (*faults)
		return p[0] == 0x0f && p[1] == 0xa2;
	return mc->trapno == VEC_UD && p[0] == 0x0f && p[1] == 0x0b && cpuid_stands_at &&
	       cpuid_stands_at(mc->rip);
}

bool cpu_cpuid_emulate(struct cpu_mcontext *mc)
{
	const uint32_t leaf = (uint32_t)mc->rax, subleaf = (uint32_t)mc->rcx;
	uint32_t r[4];
	bool faults;

	if (!is_cpuid(mc, &faults) || (faults && cpu_cpuid_fault(false) != 0))
		return false;
	__cpuid_count(leaf, subleaf, r[0], r[1], r[2], r[3]);
	/* What the answer needs may execute CPUID as well. */
	if (cpuid_answer)
		cpuid_answer(leaf, subleaf, r);
	if (faults)
		cpu_cpuid_fault(true);
	mc->rax = r[0];
	mc->rbx = r[1];
	mc->rcx = r[2];
	mc->rdx = r[3];
	mc->rip += 2;
	return true;
}
