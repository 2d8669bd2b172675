/*
 * The runtime with the witness enclave, on the emulated CPU or what
 * BAWN_TEST_DEVICE says: many threads,
 * timers, very many calls, and a process killed inside an enclave.
 * no-asan: memory is counted, and what ASan holds back of what was freed is growth
 */
#include "enclaves/witness/witness.h"
#include "tests/host/raw.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *platform;
static char unbound_path[256], bound_path[256];

static uint32_t add(void *ms, void *arg)
{
	struct witness_add *a = ms;

	(void)arg;
	a->sum = a->a + a->b;
	return 0;
}
static const bawn_ocall_fn ocalls[] = { [WITNESS_ADD] = add };

static struct bawn_enclave *load_file(const char *path)
{
	struct bawn_options opt = {
		.allow_development = true,
		.device = raw_device(),
		.platform = platform,
		.ocalls = ocalls,
		.ocall_count = ARRAY_LEN(ocalls),
	};
	struct bawn_enclave *en;
	struct bawn_error e = { 0 };

	if (bawn_enclave_load(&en, path, &opt, &e))
		printf("# %s\n", e.msg);
	return en;
}

static struct bawn_enclave *load_witness(void)
{
	return load_file(unbound_path);
}

/* ---- many threads ---- */

#define THREADS 8
#define CALLS 10000
static _Atomic unsigned wrong;

static void note(int r, uint32_t status, bool good)
{
	if (r || status || !good)
		wrong++;
}

/* A mixture: arguments, memory copied in and out, and an OCALL in between. */
static void *call_many(void *arg)
{
	struct bawn_enclave *en = arg;
	uint64_t seed = (uint64_t)(uintptr_t)&seed;

	for (uint64_t i = 0; i < CALLS; i++) {
		struct witness_sum s = { .a = i, .b = seed };
		uint64_t in[8] = { i, seed, i ^ seed }, out[8] = { 0 };
		struct witness_echo echo = {
			.in = (uint64_t)(uintptr_t)in,
			.out = (uint64_t)(uintptr_t)out,
			.size = sizeof(in),
		};
		uint32_t status = 1;
		int r;

		if (i % 4 == 0) {
			r = bawn_ecall(en, WITNESS_SUM, &s, &status, NULL);
			note(r, status, s.sum == s.a + s.b);
		} else {
			r = bawn_ecall(en, WITNESS_ECHO, &echo, &status, NULL);
			note(r, status, !memcmp(in, out, sizeof(in)));
		}
	}
	return NULL;
}

static void test_threads(const char *path, const char *policy)
{
	struct bawn_enclave *en = load_file(path);
	pthread_t t[THREADS];

	if (!ok(en, "the witness, %s threads", policy))
		return;
	wrong = 0;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, call_many, en);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	is_int(wrong, 0, "8 threads of 10 000 ECALLs each, nothing wrong");
	bawn_enclave_free(&en);
}

/* ---- timers ---- */

static volatile sig_atomic_t ticks;

static void on_tick(int sig)
{
	(void)sig;
	ticks++;
}

static void install(void)
{
	struct sigaction sa = { .sa_handler = on_tick, .sa_flags = SA_RESTART };

	sigaction(SIGALRM, &sa, NULL);
}

static void every_300us(bool on)
{
	struct itimerval it = { { 0, on ? 300 : 0 }, { 0, on ? 300 : 0 } };

	setitimer(ITIMER_REAL, &it, NULL);
}

/* Under another device's enclaves this program's own engine has nothing to do, and counts nothing. */
static bool often_enough(const struct cpu_counters *before, struct cpu_counters *now)
{
	cpu_engine_counters(now);
	return ticks > 200 && (!raw_is_emulated() || now->aex - before->aex > 100);
}

/* Computations that the timer interrupts, and short calls; on a busy machine signals are rare. */
static bool compute_under_timer(struct bawn_enclave *en)
{
	struct witness_compute want = { .rounds = 300000 };
	struct cpu_counters before, after;
	uint32_t status = 1;
	uint64_t end;

	if (!en || bawn_ecall(en, WITNESS_COMPUTE, &want, &status, NULL) || status)
		return false;
	wrong = 0;
	ticks = 0;
	cpu_engine_counters(&before);
	every_300us(true);
	end = clock_ns() + UINT64_C(60000000000); /* by then something is wrong with signals */
	while (!often_enough(&before, &after) && clock_ns() < end) {
		struct witness_compute c = { .rounds = want.rounds };
		struct witness_sum s = { .a = 1, .b = 2 };
		int r = bawn_ecall(en, WITNESS_COMPUTE, &c, &status, NULL);

		note(r, status, c.result == want.result);
		r = bawn_ecall(en, WITNESS_SUM, &s, &status, NULL);
		note(r, status, s.sum == 3);
	}
	every_300us(false);
	printf("# %d signals, %llu asynchronous exits, %u wrong results\n", (int)ticks,
	       (unsigned long long)(after.aex - before.aex), wrong);
	return wrong == 0 && often_enough(&before, &after);
}

static bool handler_before(void)
{
	struct bawn_enclave *en;
	bool good;

	install();
	en = load_witness();
	good = compute_under_timer(en);
	bawn_enclave_free(&en);
	return good;
}

static bool handler_after(void)
{
	struct bawn_enclave *en = load_witness();
	bool good;

	install();
	good = compute_under_timer(en);
	bawn_enclave_free(&en);
	return good;
}

/* In a process of its own: that an emulated device was opened cannot be undone. */
static void in_child(bool (*fn)(void), const char *name)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		bool good = fn();

		fflush(stdout);
		_exit(!good);
	}
	waitpid(pid, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s", name);
}

/* ---- no growth ---- */

static long rss_pages(void)
{
	long size = 0, rss = -1;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f) {
		if (fscanf(f, "%ld %ld", &size, &rss) != 2)
			rss = -1;
		fclose(f);
	}
	return rss;
}

static unsigned open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void call_empty(struct bawn_enclave *en, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint32_t status = 1;
		int r = bawn_ecall(en, WITNESS_EMPTY, NULL, &status, NULL);

		note(r, status, true);
	}
}

static void test_growth(void)
{
	const char *fewer = getenv("BAWN_TEST_CALLS");
	const unsigned calls = fewer ? (unsigned)atoi(fewer) : 1000000;
	struct bawn_enclave *en = load_witness();
	struct cpu_counters before, after;
	unsigned fds = open_fds();
	long rss;

	wrong = 0;
	call_empty(en, 1000);
	cpu_engine_counters(&before);
	rss = rss_pages();
	call_empty(en, calls);
	cpu_engine_counters(&after);
	ok(wrong == 0, "%u ECALLs, nothing wrong", calls);
	if (raw_is_emulated()) {
		is_int(after.eenter - before.eenter, calls, "as many EENTERs");
		is_int(after.eexit - before.eexit, calls, "as many EEXITs");
	}
	ok(rss_pages() - rss <= 16, "no growth: %ld pages before, %ld after", rss, rss_pages());
	is_int(open_fds(), fds, "no descriptor more");
	bawn_enclave_free(&en);

	/* Loading and freeing leaks nothing either. */
	for (int i = 0; i < 5; i++) {
		en = load_witness();
		bawn_enclave_free(&en);
	}
	rss = rss_pages();
	fds = open_fds();
	for (int i = 0; i < 50; i++) {
		en = load_witness();
		call_empty(en, 1);
		bawn_enclave_free(&en);
	}
	ok(rss_pages() - rss <= 64, "50 enclaves: %ld pages before, %ld after", rss, rss_pages());
	is_int(open_fds(), fds, "no descriptor more");
	is_int(wrong, 0, "all answered");
}

/* ---- killed inside ---- */

/*
 * A second process on the same enclave pages, as if the descriptor had been
 * passed to it: stress_test spin PLATFORM FD TCS READY.
 */
static int spin_for_ever(char **argv)
{
	int fd = atoi(argv[3]), ready = atoi(argv[5]);
	struct bawn_enclave here = { .enter = cpu_enter_enclave };
	struct host_slot slot = { .tcs = strtoull(argv[4], NULL, 0) };
	uint64_t spin[2] = { UINT64_C(1) << 62 }, result;
	struct cpu_platform p;
	struct cpu_epc *epc;

	if (cpu_platform_load(argv[2], &p, NULL) || cpu_engine_start(NULL) ||
	    cpu_epc_attach(&epc, fd, &p, NULL))
		return 1;
	if (mmap((void *)(uintptr_t)epc->base, epc->size, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
		 0) == MAP_FAILED)
		return 2;
	if (cpu_elrange_map(epc, NULL) ||
	    cpu_elrange_protect(epc, 0, epc->size, PROT_READ | PROT_WRITE | PROT_EXEC, NULL))
		return 3;
	if (write(ready, "", 1) != 1)
		return 4;
	host_run(&here, &slot, RAW_SPIN, spin, &result, NULL);
	return 5;
}

static pid_t start_spinner(const struct bawn_enclave *en, int ready)
{
	char fd[16], tcs[32], out[16];
	char name[] = "stress_test", verb[] = "spin", dir[64];
	char *argv[] = { name, verb, dir, fd, tcs, out, NULL };
	pid_t pid;

	snprintf(dir, sizeof(dir), "%s", platform);
	snprintf(tcs, sizeof(tcs), "0x%llx", (unsigned long long)en->slot[0].tcs);
	snprintf(out, sizeof(out), "%d", ready);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		snprintf(fd, sizeof(fd), "%d", dup(en->dev->fd));
		execv("/proc/self/exe", argv);
		_exit(9);
	}
	return pid;
}

static void test_killed(void)
{
	struct raw_options how = { .threads = 1 };
	struct bawn_enclave *en;
	struct bawn_error e = { 0 };
	uint32_t status = 1;
	int ready[2], wstatus;
	char c;
	pid_t pid;

	raw_load(&en, platform, &how, NULL, &e);
	if (!ok(en && pipe(ready) == 0, "an enclave with one TCS %s", e.msg))
		return;
	pid = start_spinner(en, ready[1]);
	close(ready[1]);
	ok(read(ready[0], &c, 1) == 1, "another process is about to enter it");
	usleep(100000);
	is_int(waitpid(pid, &wstatus, WNOHANG), 0, "and is in it");
	is_int(bawn_ecall(en, RAW_EMPTY, NULL, &status, &e), BAWN_ERR_LOST,
	       "the TCS cannot be entered twice");
	kill(pid, SIGKILL);
	waitpid(pid, &wstatus, 0);
	en->state = HOST_RUNNING; /* the TCS is there after all */
	en->slot[0].state = SLOT_FREE;
	e = (struct bawn_error){ 0 };
	ok(!bawn_ecall(en, RAW_EMPTY, NULL, &status, &e) && status == 0,
	   "once that process is killed, it can %s", e.msg);
	bawn_enclave_free(&en);
}

int main(int argc, char **argv)
{
	const char *build = getenv("BUILD");

	if (argc == 6)
		return spin_for_ever(argv);

	build = build ? build : "build";
	snprintf(unbound_path, sizeof(unbound_path), "%s/enclaves/witness-unbound.signed.so", build);
	snprintf(bound_path, sizeof(bound_path), "%s/enclaves/witness.signed.so", build);
	if (access(unbound_path, R_OK) != 0 || access(bound_path, R_OK) != 0)
		return skip_all("the enclaves are not built (make enclaves)");
	platform = raw_platform(NULL);
	in_child(handler_before, "under a 300 us timer, its handler installed before the device was opened");
	in_child(handler_after, "under a 300 us timer, its handler installed after the device was opened");
	test_threads(unbound_path, "unbound");
	test_threads(bound_path, "bound");
	test_growth();
	if (raw_is_emulated())
		test_killed();
	raw_platform_remove();
	return tap_done();
}
