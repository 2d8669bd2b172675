/*
 * SYSCALL in an enclave raises #UD (SDM 39.6.1). Syscall user dispatch (Linux
 * 5.11) lets the kernel look at a byte of the thread before each of its system
 * calls, and send SIGSYS instead of executing it; our own code, which makes some
 * on the way in and out, is exempt by its addresses. It costs every system call
 * of the thread some 20 ns, so it is there only where it was asked for.
 *
 * The setting is the thread's own: neither threads nor processes that it makes
 * have it.
 */
#include "cpu/engine.h"

#define PR_SET_SYSCALL_USER_DISPATCH 59
#define DISPATCH_OFF 0
#define DISPATCH_ON 1
#define SI_USER_DISPATCH 2

uint64_t cpu_syscall_signal;

static uint64_t own_start, own_length; /* of our code */

bool cpu_engine_strict(const void *start, const void *end)
{
	static uint8_t selector;

	/* Does the kernel have it? */
	if (cpu_syscall6(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, DISPATCH_ON, 0, 0,
			 (uintptr_t)&selector, 0) != 0)
		return false;
	cpu_syscall6(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, DISPATCH_OFF, 0, 0, 0, 0);
	own_start = (uintptr_t)start;
	own_length = (uintptr_t)end - (uintptr_t)start;
	cpu_syscall_signal = SIGBIT(SIGSYS);
	return true;
}

void cpu_syscall_arm(struct cpu_thread *t)
{
	if (cpu_syscall_signal)
		cpu_syscall6(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, DISPATCH_ON, own_start, own_length,
			     (uintptr_t)&t->syscalls_fault, 0);
}

bool cpu_syscall_trapped(const struct cpu_frame *f)
{
	return f->info.signo == SIGSYS && f->info.code == SI_USER_DISPATCH;
}
