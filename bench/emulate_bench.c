/*
 * What `bawn emulate` costs: a call into an enclave through the emulated vDSO's
 * function, against one trapped instruction; and calls of the C library that
 * have nothing to do with SGX, against the same calls without the preload.
 *
 *	emulate_bench          what `make bench` runs; starts the others
 *	emulate_bench ecall    under `bawn emulate`: rows of calls into an enclave
 *	emulate_bench serve    under `bawn emulate`, with an enclave loaded: turns of libc
 *	                       calls, as asked for on standard input
 */
#include "bench/bench.h"
#include "bench/trap.h"
#include "enclaves/witness/witness.h"
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *build;

static struct bawn_enclave *load(void)
{
	struct bawn_options opt = { .device = "kernel", .allow_development = true };
	struct bawn_enclave *en;
	struct bawn_error e = { 0 };
	char path[256];

	snprintf(path, sizeof(path), "%s/enclaves/witness-unbound.signed.so", build);
	if (bawn_enclave_load(&en, path, &opt, &e))
		bench_fail("%s: %s", path, e.msg);
	return en;
}

/* ---- calls into an enclave ---- */

/* By the vDSO's function alone: no handler of its contract, no exceptions, no OCALLs. */
static void vdso_call(void *arg, uint64_t times)
{
	struct bawn_enclave *en = arg;
	struct host_call c = { .run.tcs = en->slot[0].tcs };

	for (uint64_t i = 0; i < times; i++)
		if (host_enter(en->enter, WITNESS_EMPTY, NULL, &c) || c.run.function != ENCLU_EEXIT)
			bench_fail("a call through the vDSO's function");
}

static void ecall(void *arg, uint64_t times)
{
	struct bawn_error e = { 0 };
	uint32_t status;

	for (uint64_t i = 0; i < times; i++)
		if (bawn_ecall(arg, WITNESS_EMPTY, NULL, &status, &e) || status)
			bench_fail("%s", e.msg);
}

static int ecalls(void)
{
	struct bawn_enclave *en = load();

	bench_compare("emulate: empty ECALL, vDSO / trapped instruction", "us", 0, vdso_call, en, bench_trap,
		      NULL, BENCH_AT_MOST, 1.3);
	bench_compare("emulate: empty ECALL, libbawn / trapped instruction", "us", 0, ecall, en, bench_trap,
		      NULL, BENCH_NO_GOAL, 0);
	bawn_enclave_free(&en);
	return bench_done();
}

/* ---- calls of the C library ---- */

static int null_fd;

static void do_close(uint64_t times)
{
	for (uint64_t i = 0; i < times; i++)
		close(-1);
}

static void do_getppid(uint64_t times)
{
	for (uint64_t i = 0; i < times; i++)
		getppid();
}

static void do_ioctl(uint64_t times)
{
	int n;

	for (uint64_t i = 0; i < times; i++)
		ioctl(null_fd, FIONREAD, &n);
}

static void do_fstat(uint64_t times)
{
	struct stat st;

	for (uint64_t i = 0; i < times; i++)
		fstat(null_fd, &st);
}

static void do_mmap(uint64_t times)
{
	for (uint64_t i = 0; i < times; i++) {
		void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			bench_fail("mmap");
		munmap(p, 4096);
	}
}

static void do_open(uint64_t times)
{
	for (uint64_t i = 0; i < times; i++)
		close(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static const struct {
	const char *name;
	void (*fn)(uint64_t times);
	unsigned calls; /* of the C library in one */
} libc[] = {
	{ "close", do_close, 1 },
	{ "getppid", do_getppid, 1 },
	{ "ioctl", do_ioctl, 1 },
	{ "fstat", do_fstat, 1 },
	{ "mmap + munmap", do_mmap, 2 },
	{ "open + close", do_open, 2 },
};

struct turn {
	uint64_t which, times;
};

/* Nanoseconds for one. */
static double take_turn(const struct turn *t)
{
	uint64_t start = clock_ns();

	libc[t->which].fn(t->times);
	return (double)(clock_ns() - start) / (double)t->times;
}

static int serve(void)
{
	struct bawn_enclave *en = load();
	struct turn t;

	while (read(0, &t, sizeof(t)) == sizeof(t) && t.which < ARRAY_LEN(libc)) {
		double ns = take_turn(&t);

		if (write(1, &ns, sizeof(ns)) != sizeof(ns))
			return 1;
	}
	bawn_enclave_free(&en);
	return 0;
}

static double ask(int to, int from, const struct turn *t)
{
	double ns;

	if (write(to, t, sizeof(*t)) != sizeof(*t) || read(from, &ns, sizeof(ns)) != sizeof(ns))
		bench_fail("the program under `bawn emulate` has ended");
	return ns;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Here and there in turns; the median of the differences, per call. */
static void compare(int to, int from)
{
	enum { ROUNDS = 31 };
	double extra[ROUNDS], plain[ROUNDS];
	char name[64];

	for (uint64_t i = 0; i < ARRAY_LEN(libc); i++) {
		struct turn t = { i, 1000 };

		t.times = (uint64_t)(4e6 / take_turn(&t)) + 1;
		ask(to, from, &t);
		for (int r = 0; r < ROUNDS; r++) {
			plain[r] = take_turn(&t) / libc[i].calls;
			extra[r] = ask(to, from, &t) / libc[i].calls - plain[r];
		}
		qsort(extra, ROUNDS, sizeof(*extra), ascending);
		qsort(plain, ROUNDS, sizeof(*plain), ascending);
		snprintf(name, sizeof(name), "emulate: %s, more by", libc[i].name);
		bench_row(name, extra[ROUNDS / 2], "ns", plain[ROUNDS / 2], 0, BENCH_AT_MOST, 10);
	}
}

/* ---- */

static pid_t start(const char *self, const char *mode, int in, int out)
{
	char bawn[256];
	pid_t pid = fork();

	if (pid == 0) {
		snprintf(bawn, sizeof(bawn), "%s/bawn", build);
		dup2(in, 0);
		dup2(out, 1);
		execl(bawn, bawn, "emulate", "--", self, mode, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void ended(pid_t pid)
{
	int status = 1;

	if (waitpid(pid, &status, 0) != pid || status)
		bench_fail("a program under `bawn emulate` failed");
}

int main(int argc, char **argv)
{
	char platform[64];
	struct bawn_error e = { 0 };
	int to[2], from[2];
	pid_t pid;

	build = getenv("BUILD");
	build = build ? build : "build";
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (argc == 2)
		return strcmp(argv[1], "ecall") == 0 ? ecalls() : serve();
	if (argc != 1 || getenv("BAWN_EMULATE"))
		bench_fail("usage: emulate_bench");
	snprintf(platform, sizeof(platform), "/tmp/bawn-bench-emulate.%d", (int)getpid());
	if (cpu_platform_create(platform, NULL, &e))
		bench_fail("%s", e.msg);
	setenv("BAWN_PLATFORM", platform, 1);
	ended(start(argv[0], "ecall", 0, 1));
	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		bench_fail("pipe");
	pid = start(argv[0], "serve", to[0], from[1]);
	close(to[0]);
	close(from[1]);
	compare(to[1], from[0]);
	close(to[1]);
	ended(pid);
	cpu_platform_remove(platform, NULL);
	return bench_done();
}
