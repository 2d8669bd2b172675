/*
 * A signal at every instruction of a call: on the way in, in the enclave, on
 * the way out. The process that calls is traced and stepped by this one; each
 * call gets one SIGUSR1, before the first instruction that has not had one.
 * Whatever the instruction, the handler runs once, sees a state that a program
 * may see, and the call's result is right.
 *
 * no-asan: what would be stepped is mostly AddressSanitizer
 */
#include "engine_kit.h"
#include "tests/tap.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the traced process tells, in memory that both have. */
static struct shared {
	volatile uint64_t signals, inside, odd, wrong, calls;
	volatile uint64_t base, alias; /* of the enclave, and where its pages can be written */
	volatile bool last;
} *shared;

/* ======================= the process that is traced ======================= */

static struct kit kit;
static _Thread_local uint64_t in_tls = 0x5e1f; /* found only with the host's FS */
extern char step_marker[];

static void on_signal(int sig, siginfo_t *info, void *vuc)
{
	const struct cpu_ucontext *uc = vuc;
	char here;

	shared->signals++;
	if (info->si_signo != sig || in_tls != 0x5e1f || (uc->sigmask & (TRAP_SIGNALS | LIBC_SIGNALS)))
		shared->odd++;
	/* On the thread's own stack, never the engine's. */
	if ((uintptr_t)&here - (uintptr_t)cpu_thread_self() < RECORD_SIZE)
		shared->odd++;
	if (uc->mc.rip - kit.base < KIT_SIZE)
		shared->odd++;
	if (uc->mc.rip == (uintptr_t)cpu_aep && uc->mc.rax == ENCLU_ERESUME) {
		shared->inside++;
		if (uc->mc.rbx != kit.tcs[0] || uc->mc.rcx != (uintptr_t)cpu_aep || uc->mc.rdi ||
		    uc->mc.r8 || uc->mc.r15)
			shared->odd++;
	}
}

/* Stop for the tracer. */
static void marker(void)
{
	__asm__ volatile("int3\n"
			 ".globl step_marker\n.hidden step_marker\nstep_marker:" ::: "memory");
}

static void traced(bool fast)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	struct bawn_error e = { 0 };

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(77);
	raise(SIGSTOP);
	if (cpu_engine_start(&e) != 0)
		_exit(99);
	kit_make(&kit, NULL);
	cpu_fsgsbase &= fast;
	shared->base = kit.base;
	shared->alias = (uintptr_t)kit.epc->alias;
	sigaction(SIGUSR1, &sa, NULL);
	kit_call(&kit, 0, KIT_ADD, 1, 1);
	for (uint64_t i = 0; !shared->last; i++) {
		struct kit_answer a;

		marker();
		a = kit_call(&kit, 0, KIT_ADD, i, 42);
		shared->calls++;
		if (a.ret || a.run.function != ENCLU_EEXIT || a.rdi != i + 42 || a.rsi != 0)
			shared->wrong++;
	}
	_exit(0);
}

/* ======================= the tracer ======================= */

#define MOST 20000u
static uint64_t had[MOST]; /* instructions that had their signal */
static unsigned nhad;
static pid_t child;

static bool seen(uint64_t rip)
{
	for (unsigned i = nhad; i-- > 0;)
		if (had[i] == rip)
			return true;
	return false;
}

/* Let it run; the signal that stopped it next, 0 if it ended. */
static int go(int how, int sig)
{
	int status;

	if (ptrace(how, child, NULL, (void *)(uintptr_t)(unsigned)sig) != 0 ||
	    waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		return 0;
	return WSTOPSIG(status);
}

/* Run to this instruction, passing signals on. False if it ended. */
static bool run_to(uint64_t place, int sig)
{
	/* The enclave's pages are written through the emulator's own mapping of them. */
	uint64_t offset = place - shared->base;
	uint64_t writable = offset < KIT_SIZE ? shared->alias + offset : place;
	long word = ptrace(PTRACE_PEEKTEXT, child, (void *)writable, NULL);
	struct user_regs_struct r;

	ptrace(PTRACE_POKETEXT, child, (void *)writable, (void *)((word & ~0xffl) | 0xcc));
	for (sig = go(PTRACE_CONT, sig); sig && sig != SIGTRAP;)
		sig = go(PTRACE_CONT, sig);
	ptrace(PTRACE_POKETEXT, child, (void *)writable, (void *)word);
	if (!sig)
		return false;
	ptrace(PTRACE_GETREGS, child, NULL, &r);
	if (r.rip != place + 1)
		return false;
	r.rip = place;
	ptrace(PTRACE_SETREGS, child, NULL, &r);
	return true;
}

/* PUSHF would show the program the tracer's TF. */
static void hide_tf(uint64_t rip, const struct user_regs_struct *after)
{
	uint8_t code = (uint8_t)ptrace(PTRACE_PEEKTEXT, child, (void *)rip, NULL);
	long flags;

	if (code != 0x9c)
		return;
	flags = ptrace(PTRACE_PEEKDATA, child, (void *)after->rsp, NULL);
	ptrace(PTRACE_POKEDATA, child, (void *)after->rsp, (void *)(flags & ~(long)RFLAGS_TF));
}

/*
 * From the first instruction of the call to one that has had no signal yet. 1:
 * there it stands; 0: the call is over, all of them had; -1: it ended.
 */
static int step_to_next(void)
{
	struct user_regs_struct r, before;
	uint64_t back;
	int sig;

	if (!run_to((uintptr_t)cpu_enter_enclave, 0))
		return -1;
	ptrace(PTRACE_GETREGS, child, NULL, &r);
	back = (uint64_t)ptrace(PTRACE_PEEKDATA, child, (void *)r.rsp, NULL);
	/* All calls go the same way: what came before the last one had its signal. */
	if (nhad > 1 && !run_to(had[nhad - 1], 0))
		return -1;
	ptrace(PTRACE_GETREGS, child, NULL, &r);
	while (seen(r.rip)) {
		before = r;
		sig = go(PTRACE_SINGLESTEP, 0);
		if (!sig)
			return -1;
		ptrace(PTRACE_GETREGS, child, NULL, &r);
		if (sig == SIGTRAP) {
			hide_tf(before.rip, &r);
		} else {
			/*
			 * ENCLU. An exit leads behind the entry, an entry to the enclave's
			 * first instruction. The handler, all signals blocked, is not stepped.
			 */
			bool exits = r.rip - shared->base < KIT_SIZE;

			if (!exits && r.rip != (uintptr_t)cpu_aep)
				return -1;
			if (!run_to(exits ? (uintptr_t)cpu_aep + 3 : shared->base + KIT_CODE, sig))
				return -1;
			ptrace(PTRACE_GETREGS, child, NULL, &r);
		}
		if (r.rip == back)
			return 0;
	}
	had[nhad++] = r.rip;
	return nhad < MOST ? 1 : -1;
}

/* With the signal pending, on to the marker of the next call. False if it ended. */
static bool finish(int sig)
{
	struct user_regs_struct r;

	for (sig = go(PTRACE_CONT, sig); sig; sig = go(PTRACE_CONT, sig)) {
		if (sig != SIGTRAP)
			continue;
		ptrace(PTRACE_GETREGS, child, NULL, &r);
		return r.rip == (uintptr_t)step_marker;
	}
	return false;
}

static void test_signals(bool fast, const char *how)
{
	int status = 0, more = 1;
	uint64_t signals = 0;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	nhad = 0;
	fflush(stdout);
	child = fork();
	if (child == 0)
		traced(fast);
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
		skip("processes may not be traced here");
		return;
	}
	more = finish(0) ? 1 : -1;
	while (more > 0) {
		more = step_to_next();
		if (more > 0) {
			signals++;
			syscall(SYS_tgkill, child, child, SIGUSR1);
		} else if (more == 0) {
			shared->last = true;
		}
		if (more > 0 && !finish(0))
			more = -1;
	}
	if (more == 0) {
		ptrace(PTRACE_CONT, child, NULL, NULL);
		while (waitpid(child, &status, 0) == child && WIFSTOPPED(status))
			ptrace(PTRACE_CONT, child, NULL, (void *)(uintptr_t)WSTOPSIG(status));
	} else {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
	}
	printf("# %u instructions, %llu signals of which %llu found it in the enclave\n", nhad,
	       (unsigned long long)signals, (unsigned long long)shared->inside);
	ok(more == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: calls go on", how);
	is_int(shared->signals, signals, "each signal is delivered, once");
	is_int(shared->odd, 0, "every handler sees a proper state");
	is_int(shared->wrong, 0, "every result is right");
	ok(shared->inside > 3 && signals > shared->inside, "in and outside the enclave");
	munmap(shared, 4096);
}

int main(void)
{
	kit_key();
	test_signals(true, "entered by a jump");
	test_signals(false, "entered by a trap");
	return tap_done();
}
