/*
 * Many threads in one enclave, threads that come and go, processes that fork,
 * are killed, or start others.
 *
 * no-asan: memory is counted, and ASan unmaps whatever alternate stack a thread has at its end
 *
 * no-musl: it walks the stack by libgcc's unwinder, which is built for glibc
 */
#include "engine_kit.h"
#include "tests/tap.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

static struct kit kit;
static int wrong;

static void tick(long us)
{
	struct itimerval t = { { 0, us }, { 0, us } };

	setitimer(ITIMER_REAL, &t, NULL);
}

static volatile uint64_t ticks;
static void on_tick(int sig)
{
	(void)sig;
	__atomic_add_fetch(&ticks, 1, __ATOMIC_RELAXED);
}

/* ---- many threads ---- */

static void *caller(void *arg)
{
	unsigned tcs = (unsigned)(uintptr_t)arg;
	uint64_t bad = 0;

	for (uint64_t i = 0; i < 1500; i++) {
		struct kit_answer a = kit_call(&kit, tcs, KIT_BASES, 0, 0);

		bad += kit_call(&kit, tcs, KIT_ADD, i, tcs).rdi != i + tcs;
		bad += a.rdi != 0xf5f5000 + tcs || a.rsi != 0x656500 + tcs;
		if (i % 50 == 0)
			bad += kit_call(&kit, tcs, KIT_SPIN, 30000, i).rdi != kit_spin(30000, i);
	}
	return (void *)(uintptr_t)bad;
}

static void test_many(void)
{
	pthread_t t[KIT_TCSS];
	uint64_t bad = 0;

	signal(SIGALRM, on_tick);
	tick(300);
	for (uintptr_t i = 0; i < KIT_TCSS; i++)
		pthread_create(&t[i], NULL, caller, (void *)i);
	for (unsigned i = 0; i < KIT_TCSS; i++) {
		void *r;

		pthread_join(t[i], &r);
		bad += (uintptr_t)r;
	}
	tick(0);
	is_int(bad, 0, "8 threads, thousands of calls each, under a timer");
	ok(ticks > 10, "which went off");
}

/* ---- one TCS, many who want it ---- */

static void *contender(void *arg)
{
	uint64_t *busy = arg, bad = 0;

	for (uint64_t i = 0; i < 1500; i++) {
		struct kit_answer a = kit_call(&kit, 0, KIT_ADD, i, 1);

		if (a.exceptions && a.first.function == ENCLU_EENTER &&
		    a.first.exception_vector == VEC_GP)
			__atomic_add_fetch(busy, 1, __ATOMIC_RELAXED);
		else
			bad += a.rdi != i + 1;
	}
	return (void *)(uintptr_t)bad;
}

static void test_contention(void)
{
	uint64_t busy = 0, bad = 0;
	pthread_t t[3];

	for (unsigned i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, contender, &busy);
	for (unsigned i = 0; i < 3; i++) {
		void *r;

		pthread_join(t[i], &r);
		bad += (uintptr_t)r;
	}
	is_int(bad, 0, "three threads on one TCS: each call works or finds it busy");
	printf("# busy %llu times\n", (unsigned long long)busy);
	is_int(kit_tcs(&kit, 0)->stage, 0, "free at the end");
}

/* ---- threads that come and go ---- */

static void *short_life(void *arg)
{
	(void)arg;
	if (kit_call(&kit, 1, KIT_ADD, 1, 1).rdi != 2)
		__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	return NULL;
}

static unsigned long status_kb(const char *key)
{
	unsigned long kb = 0;
	char line[128];
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			kb = strtoul(line + strlen(key), NULL, 10);
	if (f)
		fclose(f);
	return kb;
}

static unsigned descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static void churn(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, short_life, NULL) != 0) {
			wrong++;
			return;
		}
		pthread_join(t, NULL);
	}
}

static void test_churn(void)
{
	unsigned long size, resident;
	struct cpu_counters c;
	unsigned fds;

	churn(50);
	size = status_kb("VmSize:");
	resident = status_kb("VmRSS:");
	fds = descriptors();
	churn(1500);
	cpu_engine_counters(&c);
	is_int(wrong, 0, "1500 threads, one call each");
	ok(c.threads < 24, "few records at a time (%llu)", (unsigned long long)c.threads);
	ok(status_kb("VmSize:") <= size + 1024, "no address space is lost");
	ok(status_kb("VmRSS:") <= resident + 1024, "nor memory");
	is_int(descriptors(), fds, "nor a descriptor");
}

/* ---- fork ---- */

static int grandchild(void *arg)
{
	(void)arg;
	return kit_call(&kit, 2, KIT_ADD, 2, 2).rdi != 4;
}

static int child(void *arg)
{
	struct cpu_counters c;
	pthread_t t;
	void *bad;

	(void)arg;
	if (kit_call(&kit, 2, KIT_ADD, 1, 1).rdi != 2)
		return 1;
	cpu_engine_counters(&c);
	if (c.threads != 1)
		return 2; /* the records of threads that are not here */
	pthread_create(&t, NULL, caller, (void *)3);
	pthread_join(t, &bad);
	if (bad)
		return 3;
	if (kit_child(grandchild, NULL) != 0)
		return 4;
	return 0;
}

/* A child whose only deed is a new thread's entry: its own record is claimed later. */
static int child_by_thread(void *arg)
{
	pthread_t t;
	void *bad;

	(void)arg;
	pthread_create(&t, NULL, caller, (void *)4);
	pthread_join(t, &bad);
	return bad || kit_call(&kit, 2, KIT_ADD, 1, 1).rdi != 2;
}

static void *fork_meanwhile(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++)
		if (kit_child(grandchild, NULL) != 0)
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void test_fork(void)
{
	pthread_t t, u;
	void *bad;

	is_int(kit_child(child, NULL), 0, "a child of fork enters, and its threads, and its child");
	is_int(kit_child(child_by_thread, NULL), 0, "a child's new thread enters before its first");
	pthread_create(&t, NULL, caller, (void *)5);
	pthread_create(&u, NULL, fork_meanwhile, NULL);
	pthread_join(t, &bad);
	pthread_join(u, NULL);
	ok(!bad && !wrong, "forks while another thread is in the enclave");
}

/* Until somebody is: a thread or process may take long to come so far. */
static bool wait_inside(unsigned tcs)
{
	for (int i = 0; i < 200000; i++) {
		if (__atomic_load_n(&kit_tcs(&kit, tcs)->stage, __ATOMIC_RELAXED) != 0)
			return true;
		usleep(100);
	}
	return false;
}

/* ---- killed inside ---- */

static int inside_for_ever(void *arg)
{
	int *pipe = arg;

	if (write(pipe[1], "x", 1) != 1)
		return 1;
	kit_call(&kit, 6, KIT_SPIN, ~UINT64_C(0), 1);
	return 1;
}

static void test_killed(void)
{
	int p[2], status = 0;
	char c;
	pid_t pid;

	if (pipe(p) != 0)
		return;
	pid = fork();
	if (pid == 0)
		_exit(inside_for_ever(p));
	ok(read(p[0], &c, 1) == 1, "a process enters, and stays");
	ok(wait_inside(6), "its TCS is busy");
	is_int(kit_call(&kit, 6, KIT_ADD, 1, 1).first.exception_vector, VEC_GP, "for others too");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	is_int(kit_call(&kit, 6, KIT_ADD, 1, 1).rdi, 2, "killed, it leaves nothing busy");
	close(p[0]);
	close(p[1]);
}

/* ---- ends of threads ---- */

static volatile int cleaned;
static void clean(void *arg)
{
	(void)arg;
	cleaned++;
}

static void *cancelled(void *arg)
{
	int old;

	pthread_cleanup_push(clean, NULL);
	if (arg)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
	for (;;) {
		kit_call(&kit, 7, KIT_SPIN, 3000, 1);
		if (!arg)
			pthread_testcancel();
	}
	pthread_cleanup_pop(1);
	return NULL;
}

static int exit_handler(long rdi, long rsi, long rdx, long rsp, long r8, long r9,
			struct isa_run *run)
{
	(void)rdi;
	(void)rsi;
	(void)rdx;
	(void)rsp;
	(void)r8;
	(void)r9;
	(void)run;
	pthread_exit((void *)88);
}

static void *exits_in_handler(void *arg)
{
	struct isa_run run = { .tcs = kit.tcs[7], .user_handler = (uintptr_t)exit_handler };

	(void)arg;
	pthread_cleanup_push(clean, NULL);
	cpu_enter_enclave(KIT_ADD, 1, 1, ENCLU_EENTER, 0, 0, &run);
	pthread_cleanup_pop(1);
	return NULL;
}

static void exit_on_signal(int sig)
{
	(void)sig;
	pthread_exit((void *)99);
}

static void *exits_on_signal(void *arg)
{
	(void)arg;
	pthread_cleanup_push(clean, NULL);
	for (;;)
		kit_call(&kit, 7, KIT_SPIN, 300000, 1);
	pthread_cleanup_pop(1);
	return NULL;
}

static void test_ends(void)
{
	pthread_t t;
	bool good;
	void *r;

	for (uintptr_t async = 0; async < 2; async++) {
		pthread_create(&t, NULL, cancelled, (void *)async);
		good = wait_inside(7);
		pthread_cancel(t);
		pthread_join(t, &r);
		ok(good && r == PTHREAD_CANCELED && cleaned == 1,
		   async ? "pthread_cancel, asynchronous" : "pthread_cancel, deferred");
		cleaned = 0;
		is_int(kit_tcs(&kit, 7)->stage, 0, "nothing busy");
	}
	kit_drop(&kit, 7);
	pthread_create(&t, NULL, exits_in_handler, NULL);
	pthread_join(t, &r);
	ok(r == (void *)88 && cleaned == 1, "pthread_exit in the handler of an exit");
	cleaned = 0;
	signal(SIGUSR1, exit_on_signal);
	pthread_create(&t, NULL, exits_on_signal, NULL);
	good = wait_inside(7);
	pthread_kill(t, SIGUSR1);
	pthread_join(t, &r);
	ok(good && r == (void *)99 && cleaned == 1,
	   "pthread_exit in a signal's handler, out of the enclave");
	kit_drop(&kit, 7);
	is_int(kit_call(&kit, 7, KIT_ADD, 1, 1).rdi, 2, "the TCS is free");
}

static volatile bool stop;
static void *until_stopped(void *arg)
{
	unsigned tcs = (unsigned)(uintptr_t)arg;

	while (!stop)
		if (kit_call(&kit, tcs, KIT_SPIN, 3000, 1).rdi != kit_spin(3000, 1))
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* The C library makes all threads call setresuid, by a signal of its own. */
static void test_setxid(void)
{
	pthread_t t[2];
	int bad = 0;

	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, until_stopped, (void *)i);
	for (int i = 0; i < 100; i++)
		bad += setresuid(getuid(), geteuid(), (uid_t)-1) != 0;
	stop = true;
	for (unsigned i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	ok(!bad && !wrong, "setresuid while threads are in the enclave");
}

static void test_spawn(void)
{
	static char name[] = "true";
	char *argv[] = { name, NULL }, *envp[] = { NULL };
	int status = -1;
	pid_t pid;

	tick(300);
	ok(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, envp) == 0 &&
		   waitpid(pid, &status, 0) == pid && status == 0,
	   "posix_spawn");
	is_int(system("true"), 0, "system");
	pid = vfork();
	if (pid == 0) {
		execve("/bin/true", argv, envp);
		_exit(1);
	}
	ok(waitpid(pid, &status, 0) == pid && status == 0, "vfork and execve");
	tick(0);
	is_int(kit_call(&kit, 0, KIT_ADD, 1, 1).rdi, 2, "and calls go on");
}

/* ---- unwinding ---- */

static bool saw_aep, saw_end;
static unsigned frames;
static _Unwind_Reason_Code frame(struct _Unwind_Context *c, void *arg)
{
	uintptr_t ip = _Unwind_GetIP(c);

	frames++;
	saw_aep |= ip == (uintptr_t)cpu_aep;
	saw_end |= arg == (void *)_Unwind_GetRegionStart(c);
	return _URC_NO_REASON;
}

void *walked_from(void *arg);
static void walk(int sig)
{
	(void)sig;
	if (!saw_aep) {
		frames = 0;
		_Unwind_Backtrace(frame, (void *)(uintptr_t)walked_from);
	}
}

__attribute__((noinline)) void *walked_from(void *arg)
{
	while (!saw_aep && ticks < 100000)
		kit_call(&kit, 0, KIT_SPIN, 100000, 1);
	return arg;
}

static void test_unwind(void)
{
	signal(SIGALRM, walk);
	tick(1000);
	walked_from(NULL);
	tick(0);
	ok(saw_aep, "a handler's stack can be walked to the asynchronous exit");
	ok(saw_end && frames > 4, "and on to who called (%u frames)", frames);
}

int main(void)
{
	struct bawn_error e = { 0 };

	if (cpu_engine_start(&e) != 0) {
		printf("Bail out! %s\n", e.msg);
		return 1;
	}
	kit_make(&kit, NULL);
	test_many();
	test_contention();
	test_churn();
	test_fork();
	test_killed();
	test_ends();
	test_setxid();
	test_spawn();
	test_unwind();
	kit_free(&kit);
	return tap_done();
}
