/*
 * Signals while enclaves run: every handler of the program sees what it would on
 * hardware (an asynchronous exit, SDM 39.3), on the stack that it would have had.
 */
#include "client.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static struct encl en;

static volatile unsigned count;
static volatile greg_t regs[NGREG];
static volatile uintptr_t at_stack;
static volatile int last_signal, last_code;
static volatile uintptr_t last_address;

static void note(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;
	int local;

	count++;
	last_signal = sig;
	if (si) {
		last_code = si->si_code;
		last_address = (uintptr_t)si->si_addr;
	}
	for (int i = 0; uc && i < NGREG; i++)
		regs[i] = uc->uc_mcontext.gregs[i];
	at_stack = (uintptr_t)&local;
}

static void plain(int sig)
{
	note(sig, NULL, NULL);
}

static void install(int sig, void (*fn)(int, siginfo_t *, void *), int flags, struct sigaction *old)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	sigemptyset(&sa.sa_mask);
	if (sigaction(sig, &sa, old))
		bail("sigaction");
	count = 0;
}

static void reset(int sig)
{
	signal(sig, SIG_DFL);
}

static void timer(unsigned us)
{
	struct itimerval t = { { 0, us }, { 0, us } };

	setitimer(ITIMER_REAL, &t, NULL);
}

/* SPIN until the handler has run a few times; the result must be right all the same. */
static void spin_with_timer(const char *name)
{
	const uint64_t rounds = 3000000;
	const uint64_t want = spin(rounds, 1);
	unsigned tries = 0;
	bool good = true;

	timer(500);
	do
		good = good && call(&en, 0, KIT_SPIN, rounds, 1).rdi == want;
	while (count < 5 && ++tries < 300);
	timer(0);
	ok(good && count >= 5, "%s (%u signals)", name, count);
}

/* ---- the synthetic state ---- */

static volatile unsigned inside, odd;

static void check_state(int sig, siginfo_t *si, void *context)
{
	const greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;

	note(sig, si, context);
	if ((uint64_t)g[REG_RIP] >= en.base && (uint64_t)g[REG_RIP] < en.base + en.size)
		odd++; /* never an address of the enclave */
	if (g[REG_RAX] == ERESUME && (uint64_t)g[REG_RBX] == tcs_at(&en, 0)) {
		const uint8_t *p = (const uint8_t *)g[REG_RIP];

		inside++;
		/* RIP and RCX are the AEP, where ENCLU is; the stack is the program's. */
		if (g[REG_RCX] != g[REG_RIP] || p[0] != 0x0f || p[1] != 0x01 || p[2] != 0xd7)
			odd++;
		if ((uint64_t)g[REG_RSP] >= en.base && (uint64_t)g[REG_RSP] < en.base + en.size)
			odd++;
		if (g[REG_RDI] || g[REG_RSI] || g[REG_RDX] || g[REG_R8] || g[REG_R12] || g[REG_R15])
			odd++; /* nothing of the enclave is left */
	}
}

static void test_state(void)
{
	install(SIGALRM, check_state, 0, NULL);
	spin_with_timer("an enclave's result is right with signals in between");
	ok(inside > 0, "handlers see RAX = ERESUME, RBX = TCS (%u of %u)", inside, count);
	is_int(odd, 0, "RCX = RIP = AEP, the program's stack, and nothing of the enclave");
	install(SIGALRM, check_state, SA_RESTART | SA_NODEFER, NULL);
	spin_with_timer("with SA_NODEFER");
	install(SIGALRM, (void (*)(int, siginfo_t *, void *))(uintptr_t)plain, 0, NULL);
	spin_with_timer("a handler with one argument");
	signal(SIGALRM, plain);
	count = 0;
	spin_with_timer("one installed by signal()");
	reset(SIGALRM);
}

/* ---- whose stack ---- */

static void test_stacks(void)
{
	static char alt[65536] __attribute__((aligned(16)));
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) }, old, none = { .ss_flags = SS_DISABLE };
	int here;

	is_int(sigaltstack(NULL, &old), 0, "sigaltstack tells");
	ok(old.ss_flags & SS_DISABLE, "that the program has none: the emulation's is not seen");
	install(SIGALRM, note, SA_ONSTACK, NULL);
	spin_with_timer("SA_ONSTACK without an alternate stack");
	ok(at_stack < (uintptr_t)&here && at_stack > (uintptr_t)&here - 65536, "on the program's own stack");
	is_int(sigaltstack(&ss, NULL), 0, "an alternate stack of the program's");
	sigaltstack(NULL, &old);
	ok(old.ss_sp == alt && old.ss_size == sizeof(alt) && old.ss_flags == 0, "is told as it was given");
	install(SIGALRM, note, SA_ONSTACK, NULL);
	spin_with_timer("SA_ONSTACK with it");
	ok(at_stack >= (uintptr_t)alt && at_stack < (uintptr_t)alt + sizeof(alt), "on that stack");
	install(SIGALRM, note, 0, NULL);
	spin_with_timer("without SA_ONSTACK");
	ok(at_stack < (uintptr_t)&here && at_stack > (uintptr_t)&here - 65536, "on the program's own stack");
	ss.ss_size = 100;
	ok(sigaltstack(&ss, NULL) == -1 && errno == ENOMEM, "one that is too small: ENOMEM");
	ss.ss_size = sizeof(alt);
	ss.ss_flags = 0x1234;
	ok(sigaltstack(&ss, NULL) == -1 && errno == EINVAL, "unknown flags: EINVAL");
	sigaltstack(&none, NULL);
	sigaltstack(NULL, &old);
	ok(old.ss_flags & SS_DISABLE, "given back");
	reset(SIGALRM);
}

/* ---- what sigaction tells ---- */

static void test_actions(void)
{
	struct sigaction sa = { .sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_NODEFER }, old;

	sigaddset(&sa.sa_mask, SIGUSR2);
	sigaction(SIGSEGV, NULL, &old);
	ok(old.sa_handler == SIG_DFL, "SIGSEGV has its default action, as far as the program knows");
	sigaction(SIGILL, NULL, &old);
	ok(old.sa_handler == SIG_DFL, "SIGILL, too");
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGSEGV, NULL, &old);
	ok(old.sa_sigaction == note && (old.sa_flags & ~0x04000000) == sa.sa_flags &&
		   sigismember(&old.sa_mask, SIGUSR2) == 1 && sigismember(&old.sa_mask, SIGUSR1) == 0,
	   "what was installed is told");
	sa.sa_handler = SIG_IGN;
	sa.sa_flags = 0;
	sigaction(SIGSEGV, &sa, &old);
	ok(old.sa_sigaction == note, "what was there before is told");
	ok(signal(SIGSEGV, SIG_DFL) == SIG_IGN, "by signal(), too");
	ok(sigaction(SIGKILL, &sa, NULL) == -1 && errno == EINVAL, "SIGKILL: EINVAL");
	ok(sigaction(65, &sa, NULL) == -1 && errno == EINVAL, "signal 65: EINVAL");
}

static void test_resethand(void)
{
	struct sigaction old;

	install(SIGALRM, note, SA_RESETHAND, NULL);
	/* A second one would kill. */
	struct itimerval once = { { 0, 0 }, { 0, 1000 } };
	setitimer(ITIMER_REAL, &once, NULL);
	for (unsigned i = 0; !count && i < 1000; i++)
		call(&en, 0, KIT_SPIN, 1000000, 1);
	sigaction(SIGALRM, NULL, &old);
	ok(count == 1 && old.sa_handler == SIG_DFL, "SA_RESETHAND: once, then the default");
}

/* ---- masks ---- */

static void test_masks(void)
{
	sigset_t set, old, pending;

	install(SIGUSR1, note, 0, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGSEGV);
	sigaddset(&set, SIGILL);
	is_int(pthread_sigmask(SIG_BLOCK, &set, NULL), 0, "SIGUSR1, SIGSEGV and SIGILL blocked");
	sigprocmask(SIG_BLOCK, NULL, &old);
	ok(sigismember(&old, SIGUSR1) == 1 && sigismember(&old, SIGSEGV) == 1 && sigismember(&old, SIGILL) == 1,
	   "as is told");
	is_int(call(&en, 0, KIT_ADD, 1, 2).rdi, 3, "enclaves run with SIGILL and SIGSEGV blocked");
	raise(SIGUSR1);
	is_int(call(&en, 0, KIT_SPIN, 1000000, 1).rdi, spin(1000000, 1), "with a signal pending");
	is_int(count, 0, "which is not delivered");
	sigpending(&pending);
	is_int(sigismember(&pending, SIGUSR1), 1, "it is pending");
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	is_int(count, 1, "unblocked: delivered");
	reset(SIGUSR1);
}

/* ---- handlers that do more ---- */

static volatile unsigned nested_calls, nested_wrong;

static void enters(int sig, siginfo_t *si, void *context)
{
	/* Another TCS: the first one's thread is interrupted, its frame in use. */
	struct answer a = call(&en, 1, KIT_ADD, count, 5);

	note(sig, si, context);
	nested_calls++;
	nested_wrong += a.ret || a.rdi != count - 1 + 5;
	/* And on the interrupted one, in the next SSA frame. */
	a = call(&en, 0, KIT_ADD, 20, 22);
	nested_wrong += a.rdi != 42;
}

static void test_entering(void)
{
	install(SIGALRM, enters, 0, NULL);
	spin_with_timer("a handler that enters enclaves itself");
	ok(nested_calls >= 5 && nested_wrong == 0, "%u such calls are right", nested_calls);
	reset(SIGALRM);
}

static volatile unsigned depth, deepest;

static void nests(int sig, siginfo_t *si, void *context)
{
	if (++depth > deepest)
		deepest = depth;
	note(sig, si, context);
	if (depth < 4)
		raise(sig == SIGALRM ? SIGUSR1 : SIGUSR2);
	depth--;
}

static void test_nesting(void)
{
	install(SIGUSR1, nests, 0, NULL);
	install(SIGUSR2, nests, SA_NODEFER, NULL);
	install(SIGALRM, nests, 0, NULL);
	spin_with_timer("handlers that are interrupted by others");
	is_int(deepest, 4, "four deep");
	reset(SIGALRM);
	reset(SIGUSR1);
	reset(SIGUSR2);
}

static sigjmp_buf out;

static void jumps(int sig, siginfo_t *si, void *context)
{
	note(sig, si, context);
	siglongjmp(out, 1);
}

/* The interrupted call is given up each time: its frame stays, so each has a TCS of its own. */
static void test_jumping(void)
{
	struct encl e;
	volatile unsigned done = 0;

	encl_make(&e, "other");
	install(SIGALRM, jumps, 0, NULL);
	for (volatile unsigned i = 0; i < KIT_TCSS; i++) {
		if (sigsetjmp(out, 1) == 0) {
			struct itimerval once = { { 0, 0 }, { 0, 2000 } };

			setitimer(ITIMER_REAL, &once, NULL);
			call(&e, i, KIT_SPIN, UINT64_C(1) << 40, 1);
		} else {
			done++;
		}
	}
	is_int(done, KIT_TCSS, "siglongjmp out of a handler, out of an enclave");
	is_int(call(&e, 0, KIT_ADD, 1, 2).rdi, 3, "afterwards it can be entered, one frame up");
	/* The interrupted calls can even be resumed: ERESUME is only an instruction. */
	install(SIGALRM, note, 0, NULL);
	spin_with_timer("and signals come as before");
	reset(SIGALRM);
	encl_free(&e);
}

/* ---- faults ---- */

static volatile unsigned segv, ill;

static void foreign(int sig, siginfo_t *si, void *context)
{
	note(sig, si, context);
	if (sig == SIGSEGV)
		segv++;
	else
		ill++;
	siglongjmp(out, 1);
}

static void skip_ud2(int sig, siginfo_t *si, void *context)
{
	note(sig, si, context);
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void test_foreign_faults(void)
{
	volatile unsigned *bad = (volatile unsigned *)0x123456789000;

	install(SIGSEGV, foreign, 0, NULL);
	install(SIGILL, foreign, 0, NULL);
	if (sigsetjmp(out, 1) == 0)
		(void)*bad;
	ok(segv == 1 && last_address == 0x123456789000 && last_code == SEGV_MAPERR, "a SIGSEGV of the program's own");
	ok(regs[REG_TRAPNO] == 14 && regs[REG_CR2] == 0x123456789000, "with trap number and address");
	if (sigsetjmp(out, 1) == 0)
		__asm__ volatile("ud2");
	ok(ill == 1 && regs[REG_TRAPNO] == 6, "a SIGILL of its own");
	install(SIGILL, skip_ud2, 0, NULL);
	__asm__ volatile("ud2");
	is_int(count, 1, "one that steps over the instruction");
	for (unsigned i = 0; i < 500; i++)
		__asm__ volatile("ud2");
	is_int(count, 501, "500 times");
	/* Sent by somebody: delivered as it came. */
	install(SIGSEGV, note, 0, NULL);
	raise(SIGSEGV);
	ok(count == 1 && last_code <= 0, "a SIGSEGV that was sent");
	install(SIGILL, note, 0, NULL);
	kill(getpid(), SIGILL);
	ok(count == 1 && last_code == SI_USER, "a SIGILL that was sent");
	is_int(call(&en, 0, KIT_ADD, 1, 2).rdi, 3, "and enclaves run");
	reset(SIGSEGV);
	reset(SIGILL);
}

static int dies_by_ud2(void *arg)
{
	(void)arg;
	__asm__ volatile("ud2");
	return 0;
}

static int dies_by_read(void *arg)
{
	(void)arg;
	return (int)*(volatile unsigned *)0x123456789000;
}

static int dies_by_kill(void *arg)
{
	(void)arg;
	call(&en, 2, KIT_ADD, 1, 2);
	kill(getpid(), SIGSEGV);
	return 0;
}

static int dies_by_raise(void *arg)
{
	(void)arg;
	raise(SIGILL);
	return 0;
}

static int ignores(void *arg)
{
	(void)arg;
	signal(SIGSEGV, SIG_IGN);
	kill(getpid(), SIGSEGV);
	return 7;
}

static void test_deaths(void)
{
	int s = in_child(dies_by_ud2, NULL);

	ok(WIFSIGNALED(s) && WTERMSIG(s) == SIGILL, "UD2 without a handler kills with SIGILL");
	s = in_child(dies_by_read, NULL);
	ok(WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV, "a wild read kills with SIGSEGV");
	s = in_child(dies_by_kill, NULL);
	ok(WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV, "kill(getpid(), SIGSEGV) kills");
	s = in_child(dies_by_raise, NULL);
	ok(WIFSIGNALED(s) && WTERMSIG(s) == SIGILL, "raise(SIGILL) kills");
	s = in_child(ignores, NULL);
	ok(WIFEXITED(s) && WEXITSTATUS(s) == 7, "SIG_IGN ignores what is sent");
}

/*
 * A runtime that enters by its own ENCLU, as those from before the vDSO do: an
 * exception in the enclave is a signal, whose handler enters the enclave again
 * on the same TCS, mends it, and returns to the AEP.
 */
static uint64_t own_enclu(uint64_t tcs, uint64_t rdi, uint64_t rsi)
{
	struct enclu_regs r = { .tcs = tcs, .rdi = rdi, .rsi = rsi };

	enclu_call(&r);
	return r.rdi;
}

static volatile unsigned own_faults, own_odd;

static void own_handler(int sig, siginfo_t *si, void *context)
{
	const greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
	const uint64_t ssa_rip = KIT_TCS + 4 * KIT_STRIDE + PAGE + 4096 - 184 + 136;
	uint64_t rip;

	note(sig, si, context);
	if (g[REG_RIP] != (greg_t)(uintptr_t)enclu_aep || g[REG_RAX] != ERESUME) {
		own_odd++;
		_exit(99);
	}
	own_faults++;
	rip = own_enclu(tcs_at(&en, 4), KIT_READ, en.base + ssa_rip);
	poke(&en, 4, ssa_rip, rip + 2);
}

static void test_own_enclu(void)
{
	is_int(own_enclu(tcs_at(&en, 4), KIT_BASES, 0), 0xf5f5004, "an ENCLU of the program's own");
	install(SIGILL, own_handler, SA_NODEFER, NULL);
	is_int(own_enclu(tcs_at(&en, 4), KIT_UD2, 4242), 4242, "#UD there is SIGILL; the handler enters, mends, returns to the AEP");
	ok(own_faults == 1 && own_odd == 0, "once");
	ok(last_code == ILL_ILLOPN && regs[REG_TRAPNO] == 6, "code and trap number");
	reset(SIGILL);
	install(SIGFPE, own_handler, SA_NODEFER, NULL);
	is_int(own_enclu(tcs_at(&en, 4), KIT_DE, 4343), 4343, "#DE there is SIGFPE");
	is_int(own_faults, 2, "once");
	reset(SIGFPE);
}

/* ---- threads that nobody has told of ---- */

static void *thread(void *arg)
{
	uint64_t *wrong = arg;

	for (unsigned i = 0; i < 300; i++)
		*wrong += call(&en, 5, KIT_ADD, i, 1).rdi != i + 1;
	return NULL;
}

/* Threads made inside the C library, where no name can be interposed. */
static int c11_thread(void *arg)
{
	thread(arg);
	return 5;
}

static sem_t timed;
static uint64_t timed_answer;

static void timer_thread(union sigval v)
{
	timed_answer = call(&en, 6, KIT_ADD, (uint64_t)v.sival_int, 2).rdi;
	sem_post(&timed);
}

static void test_threads(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = timer_thread,
			       .sigev_value.sival_int = 40 };
	struct itimerspec soon = { { 0, 0 }, { 0, 1000000 } };
	uint64_t wrong = 0;
	timer_t id;
	pthread_t t;
	thrd_t c11;
	int r = 0;

	pthread_create(&t, NULL, thread, &wrong);
	pthread_join(t, NULL);
	is_int(wrong, 0, "a new thread, which ends");
	for (unsigned i = 0; i < 50; i++) {
		pthread_create(&t, NULL, thread, &wrong);
		pthread_join(t, NULL);
	}
	is_int(wrong, 0, "50 of them");
	if (thrd_create(&c11, c11_thread, &wrong) != thrd_success)
		bail("thrd_create");
	thrd_join(c11, &r);
	ok(r == 5 && wrong == 0, "a thread of C11");
	sem_init(&timed, 0, 0);
	if (timer_create(CLOCK_MONOTONIC, &ev, &id) || timer_settime(id, 0, &soon, NULL))
		bail("a timer");
	while (sem_wait(&timed))
		;
	is_int(timed_answer, 42, "a timer's thread");
	timer_delete(id);
}

/* A handler runs with the program's FS base: errno and thread-local data are the thread's. */
static __thread uint64_t mine = 0x600d;
static volatile unsigned tls_wrong;

static void uses_tls(int sig, siginfo_t *si, void *context)
{
	note(sig, si, context);
	tls_wrong += mine != 0x600d;
	errno = 77;
}

static void test_tls(void)
{
	install(SIGALRM, uses_tls, 0, NULL);
	spin_with_timer("a handler that uses thread-local data");
	is_int(tls_wrong, 0, "has the thread's");
	reset(SIGALRM);
}

int main(void)
{
	encl_make(&en, "plain");
	call(&en, 0, KIT_ADD, 1, 2);
	test_actions();
	test_state();
	test_stacks();
	test_resethand();
	test_masks();
	test_entering();
	test_nesting();
	test_tls();
	test_jumping();
	test_foreign_faults();
	test_deaths();
	test_own_enclu();
	test_threads();
	encl_free(&en);
	return tap_done();
}
