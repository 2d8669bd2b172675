/*
 * A signal at every instruction of a call: on the way in, in the enclave, on
 * the way out. The process that calls is traced and stepped by this one; each
 * call gets one SIGUSR1, before the first instruction that has not had one.
 * Whatever the instruction, the handler runs once, sees a state that a program
 * may see, and the call's result is right.
 *
 * Then the same with an asynchronous cancellation: each call is a new thread's,
 * which ends at the instruction or as soon as the engine lets it, and leaves
 * nothing behind.
 *
 * no-asan: what would be stepped is mostly AddressSanitizer
 */
#include "engine_kit.h"
#include "tests/tap.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* How the call enters: by a jump, by a trap, or not: what should be a TCS is none. */
enum way { BY_JUMP, BY_TRAP, IN_VAIN };

/* What the traced process tells, in memory that both have. */
static struct shared {
	volatile uint64_t signals, inside, odd, wrong, calls;
	volatile uint64_t base, alias; /* of the enclave, and where its pages can be written */
	volatile bool last;
	/* Cancellations: the tracer posts `cancel`, and goes on after `done`. */
	sem_t cancel, done;
	volatile uint64_t cleaned, cancelled;
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
__attribute__((noinline)) static void marker(void)
{
	__asm__ volatile("int3\n"
			 ".globl step_marker\n.hidden step_marker\nstep_marker:" ::: "memory");
}

static void traced(enum way way)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	struct bawn_error e = { 0 };

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(77);
	raise(SIGSTOP);
	if (cpu_engine_start(&e) != 0)
		_exit(99);
	kit_make(&kit, NULL);
	cpu_fsgsbase &= way != BY_TRAP;
	shared->base = kit.base;
	shared->alias = (uintptr_t)kit.epc->alias;
	sigaction(SIGUSR1, &sa, NULL);
	kit_call(&kit, 0, KIT_ADD, 1, 1);
	if (way == IN_VAIN)
		kit.tcs[0] += ISA_PAGE;
	for (uint64_t i = 0; !shared->last; i++) {
		struct kit_answer a;

		marker();
		a = kit_call(&kit, 0, KIT_ADD, i, 42);
		shared->calls++;
		if (way == IN_VAIN ?
			    a.run.function != ENCLU_EENTER || a.run.exception_vector != VEC_PF :
			    a.ret || a.run.function != ENCLU_EEXIT || a.rdi != i + 42 || a.rsi != 0)
			shared->wrong++;
	}
	_exit(0);
}

/* ---- and is cancelled ---- */

static void on_own_signal(int sig)
{
	(void)sig;
	shared->signals++;
}

/* The thread's way out: whatever it was doing, it is a thread as any other now. */
static void clean(void *arg)
{
	const struct cpu_thread *t = cpu_thread_self();
	uint64_t signals = shared->signals, mask;

	(void)arg;
	shared->cleaned++;
	if (t && (t->state != STATE_OUT || t->lp.epc || t->deferred))
		shared->odd++;
	/* The signal of the cancellation itself may be. */
	mask = cpu_mask_swap(SIG_BLOCK, 0) & (TRAP_SIGNALS | LIBC_SIGNALS);
	if (mask & (mask - 1) || mask & TRAP_SIGNALS)
		shared->odd++;
	raise(SIGUSR1);
	if (shared->signals != signals + 1)
		shared->odd++;
	if (kit_call(&kit, 1, KIT_ADD, 1, 1).rdi != 2)
		shared->wrong++;
}

static void *calls_and_is_cancelled(void *arg)
{
	const bool *first_entry = arg;
	int old;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(77);
	if (!*first_entry)
		kit_call(&kit, 1, KIT_ADD, 1, 1);
	pthread_cleanup_push(clean, NULL);
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	marker();
	kit_call(&kit, 0, KIT_ADD, 1, 42);
	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &old);
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancels(bool first_entry)
{
	struct bawn_error e = { 0 };

	if (cpu_engine_start(&e) != 0)
		_exit(99);
	kit_make(&kit, NULL);
	shared->base = kit.base;
	shared->alias = (uintptr_t)kit.epc->alias;
	signal(SIGUSR1, on_own_signal);
	while (!shared->last) {
		pthread_t t;
		void *r;

		if (pthread_create(&t, NULL, calls_and_is_cancelled, &first_entry) != 0)
			_exit(98);
		while (sem_wait(&shared->cancel) != 0)
			;
		if (!shared->last)
			pthread_cancel(t);
		sem_post(&shared->done);
		pthread_join(t, &r);
		shared->cancelled += r == PTHREAD_CANCELED;
		/* It waits for the enclave's exit: nothing is left in the SSA either. */
		if (kit_tcs(&kit, 0)->stage != 0 || kit_tcs(&kit, 0)->cssa != 0)
			shared->odd++;
		if (kit_call(&kit, 0, KIT_ADD, 2, 2).rdi != 4)
			shared->wrong++;
	}
	_exit(0);
}

/* ======================= the tracer ======================= */

#define MOST 20000u
static uint64_t had[MOST]; /* instructions that had their signal */
static unsigned nhad;
static pid_t tracee; /* thread */

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

	if (ptrace(how, tracee, NULL, (void *)(uintptr_t)(unsigned)sig) != 0 ||
	    waitpid(tracee, &status, __WALL) != tracee || !WIFSTOPPED(status))
		return 0;
	return WSTOPSIG(status);
}

/* Run to this instruction, passing signals on. False if it ended. */
static bool run_to(uint64_t place, int sig)
{
	/* The enclave's pages are written through the emulator's own mapping of them. */
	uint64_t offset = place - shared->base;
	uint64_t writable = offset < KIT_SIZE ? shared->alias + offset : place;
	long word = ptrace(PTRACE_PEEKTEXT, tracee, (void *)writable, NULL);
	struct user_regs_struct r;

	ptrace(PTRACE_POKETEXT, tracee, (void *)writable, (void *)((word & ~0xffl) | 0xcc));
	for (sig = go(PTRACE_CONT, sig); sig && sig != SIGTRAP;)
		sig = go(PTRACE_CONT, sig);
	ptrace(PTRACE_POKETEXT, tracee, (void *)writable, (void *)word);
	if (!sig)
		return false;
	ptrace(PTRACE_GETREGS, tracee, NULL, &r);
	if (r.rip != place + 1)
		return false;
	r.rip = place;
	ptrace(PTRACE_SETREGS, tracee, NULL, &r);
	return true;
}

/* PUSHF would show the program the tracer's TF. */
static void hide_tf(uint64_t rip, const struct user_regs_struct *after)
{
	uint8_t code = (uint8_t)ptrace(PTRACE_PEEKTEXT, tracee, (void *)rip, NULL);
	long flags;

	if (code != 0x9c)
		return;
	flags = ptrace(PTRACE_PEEKDATA, tracee, (void *)after->rsp, NULL);
	ptrace(PTRACE_POKEDATA, tracee, (void *)after->rsp, (void *)(flags & ~(long)RFLAGS_TF));
}

/*
 * From the first instruction of the call to one that has had no signal yet. 1:
 * there it stands; 0: the call is over, all of them had; -1: it ended.
 */
static int step_to_next(enum way way)
{
	struct user_regs_struct r, before;
	uint64_t back;
	int sig;

	if (!run_to((uintptr_t)cpu_enter_enclave, 0))
		return -1;
	ptrace(PTRACE_GETREGS, tracee, NULL, &r);
	back = (uint64_t)ptrace(PTRACE_PEEKDATA, tracee, (void *)r.rsp, NULL);
	/* All calls go the same way: what came before the last one had its signal. */
	if (nhad > 1 && !run_to(had[nhad - 1], 0))
		return -1;
	ptrace(PTRACE_GETREGS, tracee, NULL, &r);
	while (seen(r.rip)) {
		before = r;
		sig = go(PTRACE_SINGLESTEP, 0);
		if (!sig)
			return -1;
		ptrace(PTRACE_GETREGS, tracee, NULL, &r);
		if (sig == SIGTRAP) {
			hide_tf(before.rip, &r);
		} else {
			/*
			 * ENCLU. An exit leads behind the entry, an entry to the enclave's
			 * first instruction. The handler, all signals blocked, is not stepped.
			 */
			bool exits = r.rip - shared->base < KIT_SIZE;
			uint64_t to = exits	     ? (uintptr_t)cpu_aep + 3 :
				      way == IN_VAIN ? (uintptr_t)cpu_aep_fixup :
						       shared->base + KIT_CODE;

			if ((!exits && r.rip != (uintptr_t)cpu_aep) || !run_to(to, sig))
				return -1;
			ptrace(PTRACE_GETREGS, tracee, NULL, &r);
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
		ptrace(PTRACE_GETREGS, tracee, NULL, &r);
		return r.rip == (uintptr_t)step_marker;
	}
	return false;
}

static void begin(void)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sem_init(&shared->cancel, 1, 0);
	sem_init(&shared->done, 1, 0);
	nhad = 0;
	fflush(stdout);
}

static void test_signals(enum way way, const char *how)
{
	int status = 0, more = 1;
	uint64_t signals = 0;

	begin();
	tracee = fork();
	if (tracee == 0)
		traced(way);
	if (waitpid(tracee, &status, 0) != tracee || !WIFSTOPPED(status)) {
		skip("processes may not be traced here");
		return;
	}
	more = finish(0) ? 1 : -1;
	while (more > 0) {
		more = step_to_next(way);
		if (more > 0) {
			signals++;
			syscall(SYS_tgkill, tracee, tracee, SIGUSR1);
		} else if (more == 0) {
			shared->last = true;
		}
		if (more > 0 && !finish(0))
			more = -1;
	}
	if (more == 0) {
		ptrace(PTRACE_CONT, tracee, NULL, NULL);
		while (waitpid(tracee, &status, 0) == tracee && WIFSTOPPED(status))
			ptrace(PTRACE_CONT, tracee, NULL, (void *)(uintptr_t)WSTOPSIG(status));
	} else {
		kill(tracee, SIGKILL);
		waitpid(tracee, &status, 0);
	}
	printf("# %u instructions, %llu signals of which %llu found it in the enclave\n", nhad,
	       (unsigned long long)signals, (unsigned long long)shared->inside);
	ok(more == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: calls go on", how);
	is_int(shared->signals, signals, "each signal is delivered, once");
	is_int(shared->odd, 0, "every handler sees a proper state");
	is_int(shared->wrong, 0, "every result is right");
	if (way == IN_VAIN)
		is_int(shared->inside, 0, "none in the enclave");
	else
		ok(shared->inside > 3 && signals > shared->inside, "in and outside the enclave");
	munmap(shared, 4096);
}

/* The next thread, at its marker. False if there is none: the process has ended. */
static bool next_thread(pid_t process)
{
	int status;

	tracee = waitpid(-1, &status, __WALL);
	if (tracee <= 0 || tracee == process)
		return false;
	/* Signals of its own before it calls: ENCLU, of a record's first entry. */
	while (WIFSTOPPED(status) && WSTOPSIG(status) != SIGTRAP) {
		ptrace(PTRACE_CONT, tracee, NULL, (void *)(uintptr_t)WSTOPSIG(status));
		if (waitpid(tracee, &status, __WALL) != tracee)
			return false;
	}
	return WIFSTOPPED(status);
}

static void test_cancellations(bool first_entry, const char *how)
{
	uint64_t threads = 0;
	int status = 0, more = 1;
	pid_t process;

	begin();
	process = fork();
	if (process == 0)
		cancels(first_entry);
	while (more > 0 && next_thread(process)) {
		int sig;

		more = step_to_next(BY_JUMP);
		if (more < 0)
			break;
		shared->last = more == 0;
		threads += more;
		sem_post(&shared->cancel);
		while (sem_wait(&shared->done) != 0)
			;
		/* To its end. */
		for (sig = go(PTRACE_CONT, 0); sig; sig = go(PTRACE_CONT, sig))
			;
	}
	if (more != 0)
		kill(process, SIGKILL);
	while (waitpid(-1, &status, __WALL) > 0)
		;
	if (threads == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		skip("threads may not be traced here");
		return;
	}
	printf("# %u instructions, %llu cancellations\n", nhad, (unsigned long long)threads);
	ok(more == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: threads go on", how);
	is_int(shared->cancelled, threads, "each thread is cancelled");
	is_int(shared->cleaned, threads, "and cleans up, once");
	is_int(shared->signals, threads, "where its signals arrive");
	is_int(shared->odd, 0, "in a proper state, leaving nothing busy");
	is_int(shared->wrong, 0, "and enclaves can be entered, there and afterwards");
	munmap(shared, 4096);
}

int main(void)
{
	kit_key();
	test_signals(BY_JUMP, "entered by a jump");
	test_signals(BY_TRAP, "entered by a trap");
	test_signals(IN_VAIN, "entered in vain");
	test_cancellations(false, "cancelled");
	test_cancellations(true, "cancelled at its first entry");
	return tap_done();
}
