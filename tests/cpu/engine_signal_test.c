/*
 * Signals of the program while it runs enclaves: every handler sees what it
 * would on hardware, on the stack it would have had. Each case is a process of
 * its own, since handlers, timers and the engine's start are the process's.
 *
 * no-asan: its alternate stacks and jumps out of handlers are what is tested
 */
#include "engine_kit.h"
#include "tests/tap.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static struct kit kit;
static int failures;
static volatile int *volatile nowhere = (volatile int *)16;

static void check(bool good, int line, const char *what)
{
	if (good)
		return;
	if (failures++ < 5)
		printf("# line %d: %s\n", line, what);
	fflush(stdout);
}
#define CHECK(x) check((x), __LINE__, #x)

static void start(void)
{
	struct bawn_error e = { 0 };

	if (cpu_engine_start(&e) != 0) {
		printf("# %s\n", e.msg);
		_exit(99);
	}
	kit_make(&kit, NULL);
}

static void handle(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	CHECK(sigaction(sig, &sa, NULL) == 0);
}

static void tick(int which, long us)
{
	struct itimerval t = { { 0, us }, { 0, us } };

	CHECK(setitimer(which, &t, NULL) == 0);
}

static bool within(const void *p, const void *base, size_t n)
{
	return (uintptr_t)p - (uintptr_t)base < n;
}

/* ---- timers ---- */

static uint8_t *altstack;
#define ALTSTACK 65536
static volatile uint64_t ticks, inside, odd;
static volatile bool expect_altstack;

static void use_altstack(void)
{
	stack_t ss = { .ss_size = ALTSTACK };

	altstack = mmap(NULL, ALTSTACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ss.ss_sp = altstack;
	CHECK(sigaltstack(&ss, NULL) == 0);
}

static void on_tick(int sig, siginfo_t *info, void *vuc)
{
	const struct cpu_ucontext *uc = vuc;
	sigset_t now;
	char here;

	ticks++;
	if (info->si_signo != sig || within(&here, altstack, ALTSTACK) != expect_altstack)
		odd++;
	/* No other stack than the program's two is ever run on. */
	if (!expect_altstack && within(&here, (void *)cpu_thread_self(), RECORD_SIZE))
		odd++;
	if (altstack && (uc->stack.sp != (uintptr_t)altstack || uc->stack.size != ALTSTACK))
		odd++;
	sigprocmask(SIG_BLOCK, NULL, &now);
	if (!sigismember(&now, sig) || sigismember(&now, SIGSEGV) || (uc->sigmask & SIGBIT(sig)))
		odd++;
	/* RIP is never in the enclave; where the AEP is interrupted, the state is synthetic. */
	if (uc->mc.rip - kit.base < KIT_SIZE)
		odd++;
	if (uc->mc.rip == (uintptr_t)cpu_aep && uc->mc.rax == ENCLU_ERESUME) {
		inside++;
		if (uc->mc.rbx - kit.base >= KIT_SIZE || uc->mc.rcx != (uintptr_t)cpu_aep ||
		    uc->mc.rdi || uc->mc.r8 || uc->mc.r15)
			odd++;
	}
	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm7, %%xmm7; pcmpeqd %%xmm15, %%xmm15;"
			 "fninit" ::: "xmm0", "xmm7", "xmm15");
	errno = 12345;
}

struct timer_case {
	bool before, alt, prof;
};

static int timer_child(void *arg)
{
	const struct timer_case *t = arg;
	int sig = t->prof ? SIGPROF : SIGALRM;
	uint64_t want = kit_spin(20000, 7);
	struct cpu_counters c;

	if (t->before) {
		if (t->alt)
			use_altstack();
		handle(sig, on_tick, t->alt ? SA_ONSTACK : 0);
		start();
	} else {
		start();
		if (t->alt)
			use_altstack();
		handle(sig, on_tick, t->alt ? SA_ONSTACK : 0);
	}
	expect_altstack = t->alt;
	tick(t->prof ? ITIMER_PROF : ITIMER_REAL, 300);
	for (int i = 0; (inside < 40 || i < 200) && i < 400000; i++) {
		CHECK(kit_call(&kit, 0, KIT_SPIN, 20000, 7).rdi == want);
		CHECK(kit_call(&kit, 1, KIT_ADD, (uint64_t)i, 1).rdi == (uint64_t)i + 1);
	}
	tick(t->prof ? ITIMER_PROF : ITIMER_REAL, 0);
	cpu_engine_counters(&c);
	CHECK(ticks >= 40);
	CHECK(inside >= 40);
	CHECK(odd == 0);
	/* A tick may also find the AEP before its ERESUME is executed. */
	CHECK(c.aex > 0 && c.aex <= inside && c.eresume == c.aex);
	CHECK(kit_tcs(&kit, 0)->cssa == 0 && kit_tcs(&kit, 0)->stage == 0);
	return failures != 0;
}

static void test_timers(void)
{
	static const struct timer_case t[] = {
		{ true, false, false }, { false, false, false }, { true, true, false },
		{ false, true, false }, { true, false, true },   { false, true, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		is_int(kit_child(timer_child, (void *)&t[i]), 0,
		       t[i].before ? (t[i].alt ? "a timer, handler from before the start, alternate stack" :
						 "a timer, handler from before the start") :
				     (t[i].alt ? "a timer, handler from after the start, alternate stack" :
						 "a timer, handler from after the start"));
}

/* ---- state across asynchronous exits ---- */

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f");
}

static int state_child(void *arg)
{
	struct kit_answer a;

	(void)arg;
	start();
	handle(SIGALRM, on_tick, 0);
	tick(ITIMER_REAL, 300);
	for (uint64_t i = 1; i < 4; i++) {
		CHECK(kit_call(&kit, 0, KIT_REGISTERS, i << 32, 4000000).rdi == 0);
		CHECK(kit_call(&kit, 0, KIT_XMM, i << 33, 4000000).rdi == 0);
		if (has_avx2())
			CHECK(kit_call(&kit, 0, KIT_VECTORS, i << 34, 4000000).rdi == 0);
		if (has_avx512())
			CHECK(kit_call(&kit, 0, KIT_ZMM, i << 35, 4000000).rdi == 0);
		CHECK(kit_call(&kit, 0, KIT_DF, 4000000, 0).rdi != 0);
		a = kit_call(&kit, 0, KIT_SET_BASES, kit.base + i, kit.base + 16 * i);
		CHECK(a.rdi == kit.base + i && a.rsi == kit.base + 16 * i);
	}
	tick(ITIMER_REAL, 0);
	CHECK(inside > 5);
	return failures != 0;
}

static int slow_bases_child(void *arg)
{
	(void)arg;
	start();
	cpu_fsgsbase = 0;
	handle(SIGALRM, on_tick, 0);
	tick(ITIMER_REAL, 300);
	for (int i = 0; i < 100; i++)
		CHECK(kit_call(&kit, 0, KIT_SPIN, 30000, 1).rdi == kit_spin(30000, 1));
	return failures != 0 || inside == 0 || odd != 0;
}

/* ---- jumps out of handlers ---- */

static sigjmp_buf jump;
static void jump_out(int sig, siginfo_t *info, void *uc)
{
	(void)info;
	(void)uc;
	siglongjmp(jump, sig);
}

static int jump_child(void *arg)
{
	volatile int jumps = 0;

	(void)arg;
	start();
	handle(SIGALRM, jump_out, 0);
	for (volatile int i = 0; i < 30; i++) {
		struct itimerval t = { { 0, 0 }, { 0, 200 + 37 * i } };

		if (sigsetjmp(jump, 1) == 0) {
			setitimer(ITIMER_REAL, &t, NULL);
			for (;;)
				kit_call(&kit, 2, i % 2 ? KIT_SPIN : KIT_ADD, 1000, 1);
		}
		jumps++;
		CHECK(kit_tcs(&kit, 2)->stage == 0);
		kit_drop(&kit, 2);
		CHECK(kit_call(&kit, 2, KIT_ADD, 3, 4).rdi == 7);
	}
	CHECK(jumps == 30);
	return failures != 0;
}

/*
 * A handler that blocks trap signals is left with its mask: what the engine
 * blocked besides is free again after the next entry, or no cancellation would
 * come any more.
 */
static int jump_with_mask_child(void *arg)
{
	struct sigaction sa = { .sa_sigaction = jump_out, .sa_flags = SA_SIGINFO };
	uint64_t mask;

	(void)arg;
	start();
	CHECK(kit_call(&kit, 2, KIT_ADD, 3, 4).rdi == 7);
	sigfillset(&sa.sa_mask);
	sigaction(SIGUSR1, &sa, NULL);
	if (sigsetjmp(jump, 0) == 0)
		raise(SIGUSR1);
	mask = cpu_mask_swap(SIG_BLOCK, 0);
	CHECK(mask & SIGBIT(SIGUSR1) && mask & SCOPE_SIGNAL);
	CHECK(kit_call(&kit, 2, KIT_ADD, 3, 4).rdi == 7);
	mask = cpu_mask_swap(SIG_BLOCK, 0);
	CHECK(mask & SIGBIT(SIGUSR1) && !(mask & LIBC_SIGNALS));
	return failures != 0;
}

/* ---- EENTER in a handler ---- */

static volatile uint64_t entered_in_handler;
static void enter_in_handler(int sig, siginfo_t *info, void *uc)
{
	(void)info;
	(void)uc;
	(void)sig;
	entered_in_handler++;
	/* Another thread of the enclave, and the same TCS one SSA frame up. */
	CHECK(kit_call(&kit, 4, KIT_ADD, 10, entered_in_handler).rdi == 10 + entered_in_handler);
	if (kit_tcs(&kit, 3)->cssa == 1)
		CHECK(kit_call(&kit, 3, KIT_ADD, 5, 6).rdi == 11);
}

static int handler_enters_child(void *arg)
{
	bool alt = arg != NULL;

	start();
	if (alt)
		use_altstack();
	handle(SIGALRM, enter_in_handler, alt ? SA_ONSTACK : 0);
	tick(ITIMER_REAL, 300);
	for (int i = 0; entered_in_handler < 50 && i < 100000; i++)
		CHECK(kit_call(&kit, 3, KIT_SPIN, 20000, 7).rdi == kit_spin(20000, 7));
	tick(ITIMER_REAL, 0);
	CHECK(entered_in_handler >= 50);
	return failures != 0;
}

/* First entry of a thread in a handler, on the program's alternate stack. */
static int first_entry_in_handler_child(void *arg)
{
	stack_t now;

	(void)arg;
	start();
	use_altstack();
	handle(SIGUSR1, enter_in_handler, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(entered_in_handler == 1);
	sigaltstack(NULL, &now);
	CHECK(now.ss_sp == altstack && now.ss_size == ALTSTACK && now.ss_flags == 0);
	CHECK(kit_call(&kit, 3, KIT_ADD, 1, 1).rdi == 2);
	raise(SIGUSR1);
	CHECK(entered_in_handler == 2);
	return failures != 0;
}

/* ---- nesting, masks, flags ---- */

static char order[64];
static volatile int recursion;
static void note(char c)
{
	size_t n = strlen(order);

	if (n < sizeof(order) - 1)
		order[n] = c;
}
static void on_usr1(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	(void)info;
	(void)uc;
	note('a');
	raise(SIGUSR2);
	note('b');
	raise(SIGUSR1); /* blocked until this returns */
	if (recursion++ == 0)
		note('c');
	else
		signal(SIGUSR1, SIG_IGN);
}
static void on_usr2(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	(void)info;
	(void)uc;
	note('2');
	kit_call(&kit, 5, KIT_ADD, 1, 1);
}
static void on_nodefer(int sig, siginfo_t *info, void *uc)
{
	(void)info;
	(void)uc;
	note('<');
	if (++recursion < 3)
		raise(sig);
	note('>');
}

static int nesting_child(void *arg)
{
	struct sigaction now;

	(void)arg;
	start();
	CHECK(kit_call(&kit, 0, KIT_ADD, 1, 1).rdi == 2);
	handle(SIGUSR1, on_usr1, 0);
	handle(SIGUSR2, on_usr2, 0);
	raise(SIGUSR1);
	CHECK(strcmp(order, "a2bca2b") == 0);
	memset(order, 0, sizeof(order));
	recursion = 0;
	handle(SIGUSR1, on_nodefer, SA_NODEFER);
	raise(SIGUSR1);
	CHECK(strcmp(order, "<<<>>>") == 0);
	memset(order, 0, sizeof(order));
	recursion = 5;
	handle(SIGUSR1, on_nodefer, (int)SA_RESETHAND);
	raise(SIGUSR1);
	CHECK(strcmp(order, "<>") == 0);
	sigaction(SIGUSR1, NULL, &now);
	CHECK(now.sa_handler == SIG_DFL);
	raise(SIGUSR1); /* deadly now */
	return 1;
}

static volatile int value;
static void on_queue(int sig, siginfo_t *info, void *uc)
{
	(void)uc;
	value = info->si_value.sival_int;
	CHECK(sig == SIGRTMIN + 3 && info->si_code == SI_QUEUE && info->si_pid == getpid());
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* siginterrupt */
static int names_child(void *arg)
{
	sigset_t set, old;
	struct sigaction sa;
	union sigval v = { .sival_int = 4711 };
	bool started = arg != NULL;

	if (started) {
		start();
		kit_call(&kit, 0, KIT_ADD, 1, 1);
	}
	handle(SIGRTMIN + 3, on_queue, 0);
	CHECK(sigqueue(getpid(), SIGRTMIN + 3, v) == 0 && value == 4711);
	errno = 0;
	CHECK(sigaction(SIGKILL, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL) == -1 && errno == EINVAL);
	CHECK(sigaction(0, NULL, &sa) == -1 && sigaction(65, NULL, &sa) == -1);
	CHECK(sigaction(33, NULL, &sa) == -1 && errno == EINVAL);
	CHECK(signal(SIGUSR1, SIG_IGN) == SIG_DFL && signal(SIGUSR1, SIG_DFL) == SIG_IGN);
	CHECK(signal(SIGSEGV, SIG_IGN) == SIG_DFL && signal(SIGSEGV, SIG_DFL) == SIG_IGN);
	CHECK(signal(SIGSTOP, SIG_IGN) == SIG_ERR);
	sigaction(SIGUSR1, NULL, &sa);
	CHECK(sa.sa_handler == SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	sigaddset(&set, SIGUSR2);
	CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0 && !sigismember(&old, SIGSEGV));
	CHECK(pthread_sigmask(SIG_UNBLOCK, NULL, &old) == 0);
	CHECK(sigismember(&old, SIGSEGV) && sigismember(&old, SIGUSR2) && !sigismember(&old, SIGILL));
	kill(getpid(), SIGSEGV);
	if (started)
		CHECK(kit_call(&kit, 0, KIT_ADD, 1, 1).rdi == 2);
	signal(SIGSEGV, SIG_IGN);
	sigdelset(&set, SIGUSR2);
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	sigprocmask(SIG_BLOCK, NULL, &old);
	CHECK(!sigismember(&old, SIGSEGV) && sigismember(&old, SIGUSR2));
	CHECK(sigprocmask(77, &set, NULL) == -1 && errno == EINVAL);
	CHECK(pthread_sigmask(77, &set, NULL) == EINVAL);
	CHECK(siginterrupt(SIGUSR1, 1) == 0 && signal(SIGUSR1, SIG_IGN) == SIG_DFL);
	sigaction(SIGUSR1, NULL, &sa);
	CHECK(!(sa.sa_flags & SA_RESTART));
	CHECK(siginterrupt(SIGUSR1, 0) == 0);
	sigaction(SIGUSR1, NULL, &sa);
	CHECK(sa.sa_flags & SA_RESTART);
	return failures != 0;
}
#pragma GCC diagnostic pop

/* ---- faults of the program itself ---- */

static volatile int segvs;
static volatile uint8_t *page;
static void mend(int sig, siginfo_t *info, void *vuc)
{
	const struct cpu_ucontext *uc = vuc;

	CHECK(sig == SIGSEGV && info->si_code == SEGV_ACCERR && info->si_addr == page + 5);
	CHECK(uc->mc.trapno == 14 && uc->mc.cr2 == (uintptr_t)page + 5 && (uc->mc.err & PF_W));
	segvs++;
	CHECK(kit_call(&kit, 6, KIT_ADD, 2, 2).rdi == 4);
	mprotect((void *)page, 4096, PROT_READ | PROT_WRITE);
}

static void *fault_here(void *arg)
{
	(void)arg;
	mprotect((void *)page, 4096, PROT_READ);
	page[5] = 1;
	return NULL;
}

static int foreign_child(void *arg)
{
	bool before = arg != NULL;
	pthread_t t;

	page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (before)
		handle(SIGSEGV, mend, 0);
	start();
	if (!before)
		handle(SIGSEGV, mend, 0);
	fault_here(NULL); /* a thread without a record, which gets one in the handler */
	CHECK(segvs == 1);
	fault_here(NULL);
	CHECK(segvs == 2);
	pthread_create(&t, NULL, fault_here, NULL);
	pthread_join(t, NULL);
	CHECK(segvs == 3);
	return failures != 0;
}

static int jump_segv_child(void *arg)
{
	volatile int n = 0;

	(void)arg;
	start();
	kit_call(&kit, 0, KIT_ADD, 1, 1);
	handle(SIGSEGV, jump_out, 0);
	while (n < 20)
		if (sigsetjmp(jump, 1) == 0)
			*nowhere = 1;
		else
			n++;
	return failures != 0;
}

/* A store to nowhere, on the stack that ends at top. */
static void fault_on(uint8_t *top)
{
	__asm__ volatile("mov %%rsp, %%rbx\n\tmov %0, %%rsp\n\tmovl $1, 16\n\tmov %%rbx, %%rsp"
			 :
			 : "r"(top)
			 : "rbx", "memory");
}

/* The mask is all that tells: the next fault is on a stack below the handler that was left. */
static int jump_stacks_child(void *arg)
{
	uint8_t *low = mmap(NULL, ALTSTACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
			    -1, 0);
	volatile int n = 0;
	sigset_t now;

	start();
	if (arg)
		kit_call(&kit, 0, KIT_ADD, 1, 1);
	handle(SIGSEGV, jump_out, 0);
	while (n < 20)
		if (sigsetjmp(jump, 1) == 0) {
			if (n % 3 == 0)
				*nowhere = 1;
			fault_on(low + ALTSTACK);
		} else {
			n++;
			if (n % 5 == 0)
				CHECK(kit_call(&kit, 0, KIT_ADD, 1, 1).rdi == 2);
		}
	sigprocmask(SIG_SETMASK, NULL, &now);
	CHECK(!sigismember(&now, SIGSEGV));
	return failures != 0;
}

/* EENTER by an instruction of the program, then the enclave adds. */
static uint64_t own_enclu_add(uint64_t tcs, uint64_t a, uint64_t b)
{
	register uint64_t rax __asm__("rax") = ENCLU_EENTER;
	register uint64_t rbx __asm__("rbx") = tcs;
	register uint64_t rdi __asm__("rdi") = KIT_ADD;
	register uint64_t rsi __asm__("rsi") = a;
	register uint64_t rdx __asm__("rdx") = b;

	__asm__ volatile("lea 1f(%%rip), %%rcx\n1:\t.byte 0x0f, 0x01, 0xd7"
			 : "+r"(rax), "+r"(rbx), "+r"(rdi), "+r"(rsi), "+r"(rdx)
			 :
			 : "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
	return rdi;
}

static volatile uint64_t own_sum;
static void on_ud2(int sig, siginfo_t *info, void *vuc)
{
	struct cpu_ucontext *uc = vuc;
	sigset_t now;

	(void)info;
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK(sigismember(&now, sig) && !sigismember(&now, SIGUSR1));
	CHECK(!(uc->sigmask & (SIGBIT(sig) | SCOPE_SIGNAL)));
	CHECK(!altstack || (uc->stack.sp == (uintptr_t)altstack && uc->stack.size == ALTSTACK));
	/* Its ENCLU arrives as the very signal that is blocked here. */
	own_sum += own_enclu_add(kit.tcs[1], 20, 22);
	uc->mc.rip += 2;
}

/* A thread that enters an enclave for the first time in a SIGILL handler, by an ENCLU of its own. */
static int own_enclu_in_handler_child(void *arg)
{
	sigset_t now;

	start();
	if (arg)
		use_altstack();
	handle(SIGILL, on_ud2, arg ? SA_ONSTACK : 0);
	for (int i = 1; i <= 3; i++) {
		__asm__ volatile("ud2" ::: "memory");
		CHECK(own_sum == 42u * (unsigned)i);
	}
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK(!sigismember(&now, SIGILL));
	CHECK(!(cpu_mask_swap(SIG_BLOCK, 0) & (SCOPE_SIGNAL | SIGBIT(SIGILL))));
	return failures != 0;
}

static void overflow(int n)
{
	volatile char big[4096];

	big[0] = (char)n;
	if (n >= 0)
		overflow(n + 1);
	big[1] = big[0];
}
static int overflow_child(void *arg)
{
	(void)arg;
	start();
	kit_call(&kit, 0, KIT_ADD, 1, 1);
	use_altstack();
	handle(SIGSEGV, jump_out, SA_ONSTACK);
	if (sigsetjmp(jump, 1) == 0)
		overflow(0);
	CHECK(kit_call(&kit, 0, KIT_ADD, 1, 1).rdi == 2);
	return failures != 0;
}

static int altstack_child(void *arg)
{
	stack_t ss = { 0 }, old;
	bool entered = arg != NULL;

	start();
	if (entered)
		kit_call(&kit, 0, KIT_ADD, 1, 1);
	CHECK(sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE));
	use_altstack();
	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == altstack && old.ss_flags == 0);
	ss.ss_size = 100;
	CHECK(sigaltstack(&ss, NULL) == -1 && errno == ENOMEM);
	ss.ss_flags = 77;
	CHECK(sigaltstack(&ss, NULL) == -1 && errno == EINVAL);
	kit_call(&kit, 0, KIT_ADD, 1, 1);
	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == altstack && old.ss_size == ALTSTACK);
	ss.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&ss, &old) == 0 && old.ss_sp == altstack);
	CHECK(sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE));
	return failures != 0;
}

/* ---- ways to die ---- */

static void segv_again(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	(void)info;
	(void)uc;
	*nowhere = 1;
}

enum death { HOST_FAULT, SENT, IN_HANDLER, TERMINATED, IN_ENCLAVE, BLOCKED_FAULT, ILL, DISABLED_ABORT };

static int death_child(void *arg)
{
	enum death how = *(const enum death *)arg;
	sigset_t all;

	start();
	kit_call(&kit, 0, KIT_ADD, 1, 1);
	sigfillset(&all);
	switch (how) {
	case HOST_FAULT:
		*nowhere = 1;
		break;
	case SENT:
		raise(SIGSEGV);
		break;
	case IN_HANDLER:
		handle(SIGSEGV, segv_again, 0);
		*nowhere = 1;
		break;
	case TERMINATED:
		alarm(1);
		signal(SIGALRM, SIG_DFL);
		ualarm(2000, 0);
		for (;;)
			kit_call(&kit, 0, KIT_SPIN, 1000000, 1);
	case IN_ENCLAVE:
		/* Nobody is told of #BP but the SIGTRAP handler; there is none. */
		kit_call(&kit, 0, KIT_INT3, 1, 1);
		break;
	case BLOCKED_FAULT:
		sigprocmask(SIG_SETMASK, &all, NULL);
		handle(SIGSEGV, mend, 0);
		*nowhere = 1;
		break;
	case ILL:
		__asm__ volatile("ud2");
		break;
	case DISABLED_ABORT:
		abort();
	}
	return 55;
}

static void test_deaths(void)
{
	static const struct {
		enum death how;
		int sig;
		const char *what;
	} t[] = {
		{ HOST_FAULT, SIGSEGV, "a fault without a handler kills with SIGSEGV" },
		{ SENT, SIGSEGV, "SIGSEGV sent without a handler kills" },
		{ IN_HANDLER, SIGSEGV, "a fault in the handler of that fault kills" },
		{ TERMINATED, SIGALRM, "SIGALRM by default kills in an enclave" },
		{ IN_ENCLAVE, SIGTRAP, "#BP in an enclave, without a handler, kills with SIGTRAP" },
		{ BLOCKED_FAULT, SIGSEGV, "a fault with its signal blocked kills" },
		{ ILL, SIGILL, "an invalid instruction kills with SIGILL" },
		{ DISABLED_ABORT, SIGABRT, "abort aborts" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		int status = kit_child(death_child, (void *)&t[i].how);

		ok(WIFSIGNALED(status) && WTERMSIG(status) == t[i].sig, "%s", t[i].what);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != t[i].sig)
			printf("# status %x\n", status);
	}
}

/* ---- all signals blocked ---- */

static void *blocked_thread(void *arg)
{
	sigset_t now;

	(void)arg;
	for (int i = 0; i < 50; i++)
		CHECK(kit_call(&kit, 6, KIT_ADD, 1, (uint64_t)i).rdi == 1 + (uint64_t)i);
	CHECK(kit_call_fix(&kit, 6, KIT_UD2, 0, 0, 0, 0, NULL).first.exception_vector == VEC_UD);
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	CHECK(sigismember(&now, SIGILL) && sigismember(&now, SIGSEGV) && sigismember(&now, SIGALRM));
	return NULL;
}

static int blocked_child(void *arg)
{
	sigset_t all;
	pthread_t t;

	(void)arg;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	start();
	pthread_create(&t, NULL, blocked_thread, NULL);
	pthread_join(t, NULL);
	kit_drop(&kit, 6);
	blocked_thread(NULL);
	return failures != 0;
}

static volatile int late;
static void on_late(int sig, siginfo_t *info, void *uc)
{
	(void)uc;
	CHECK(sig == SIGSEGV && info->si_code <= 0 && info->si_pid == getpid());
	late++;
}
static int held_child(void *arg)
{
	sigset_t set, old;

	(void)arg;
	start();
	kit_call(&kit, 0, KIT_ADD, 1, 1);
	handle(SIGSEGV, on_late, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGSEGV);
	raise(SIGSEGV);
	CHECK(late == 0);
	kit_call(&kit, 0, KIT_ADD, 1, 1);
	CHECK(late == 0);
	sigprocmask(SIG_UNBLOCK, &set, &old);
	CHECK(late == 1 && sigismember(&old, SIGSEGV));
	raise(SIGSEGV);
	CHECK(late == 2);
	return failures != 0;
}

int main(void)
{
	kit_key(); /* before there are processes that would each make one */
	test_timers();
	is_int(kit_child(state_child, NULL), 0, "registers, vectors, flags and bases across exits");
	is_int(kit_child(slow_bases_child, NULL), 0, "a timer without FSGSBASE");
	is_int(kit_child(jump_child, NULL), 0, "siglongjmp out of a handler");
	is_int(kit_child(jump_with_mask_child, NULL), 0, "and with the handler's mask");
	is_int(kit_child(handler_enters_child, NULL), 0, "EENTER in a handler");
	is_int(kit_child(handler_enters_child, &kit), 0, "EENTER in a handler on an alternate stack");
	is_int(kit_child(first_entry_in_handler_child, NULL), 0, "a thread's first EENTER in a handler");
	ok(WTERMSIG(kit_child(nesting_child, NULL)) == SIGUSR1, "nesting, SA_NODEFER, SA_RESETHAND");
	is_int(kit_child(names_child, NULL), 0, "signal functions before the start");
	is_int(kit_child(names_child, &kit), 0, "signal functions after the start");
	is_int(kit_child(foreign_child, NULL), 0, "the program's own SIGSEGV, handler from after the start");
	is_int(kit_child(foreign_child, &kit), 0, "the program's own SIGSEGV, handler from before");
	is_int(kit_child(jump_segv_child, NULL), 0, "siglongjmp out of a SIGSEGV handler, again and again");
	is_int(kit_child(jump_stacks_child, NULL), 0, "the same on two stacks");
	is_int(kit_child(jump_stacks_child, &kit), 0, "the same on two stacks, after an entry");
	is_int(kit_child(own_enclu_in_handler_child, NULL), 0, "a thread's first ENCLU in a SIGILL handler");
	is_int(kit_child(own_enclu_in_handler_child, &kit), 0, "the same on an alternate stack");
	is_int(kit_child(overflow_child, NULL), 0, "a stack overflow, handled on the alternate stack");
	is_int(kit_child(altstack_child, NULL), 0, "sigaltstack before the first entry");
	is_int(kit_child(altstack_child, &kit), 0, "sigaltstack after the first entry");
	test_deaths();
	is_int(kit_child(blocked_child, NULL), 0, "threads that block all signals");
	is_int(kit_child(held_child, NULL), 0, "SIGSEGV sent while it is blocked");
	return tap_done();
}
