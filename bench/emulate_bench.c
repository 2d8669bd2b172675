/*
 * What `bawn emulate` costs: a call into an enclave through the emulated vDSO's
 * function, against one trapped instruction; and calls of the C library that
 * have nothing to do with SGX, against the C library's own functions.
 *
 *	emulate_bench          what `make bench` runs; starts the others
 *	emulate_bench ecall    under `bawn emulate`: rows of calls into an enclave
 *	emulate_bench libc     under `bawn emulate`, with an enclave loaded: calls of libc
 */
#include "bench/bench.h"
#include "bench/trap.h"
#include "enclaves/witness/witness.h"
#include "host/host.h"

#include <dlfcn.h>
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

/* The functions as the program finds them, and the C library's own, in the same process. */
struct libc {
	int (*close)(int);
	pid_t (*getppid)(void);
	int (*ioctl)(int, unsigned long, ...);
	int (*fstat)(int, struct stat *);
	void *(*mmap)(void *, size_t, int, int, int, off_t);
	int (*munmap)(void *, size_t);
	int (*open)(const char *, int, ...);
};

static int null_fd;

static void do_close(const struct libc *c, uint64_t times)
{
	for (uint64_t i = 0; i < times; i++)
		c->close(-1);
}

static void do_getppid(const struct libc *c, uint64_t times)
{
	for (uint64_t i = 0; i < times; i++)
		c->getppid();
}

static void do_ioctl(const struct libc *c, uint64_t times)
{
	int n;

	for (uint64_t i = 0; i < times; i++)
		c->ioctl(null_fd, FIONREAD, &n);
}

static void do_fstat(const struct libc *c, uint64_t times)
{
	struct stat st;

	for (uint64_t i = 0; i < times; i++)
		c->fstat(null_fd, &st);
}

/*
 * The next three are refused by the kernel for their arguments, after all that
 * a preload has to look at: microseconds of real work, and their noise, would
 * hide the difference.
 */
static void do_mmap(const struct libc *c, uint64_t times)
{
	for (uint64_t i = 0; i < times; i++)
		c->mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void do_munmap(const struct libc *c, uint64_t times)
{
	for (uint64_t i = 0; i < times; i++)
		c->munmap((void *)1, 4096);
}

static void do_open(const struct libc *c, uint64_t times)
{
	for (uint64_t i = 0; i < times; i++)
		c->open("/dev/none", O_TMPFILE | O_RDONLY, 0);
}

static const struct {
	const char *name;
	void (*fn)(const struct libc *c, uint64_t times);
} works[] = {
	{ "close", do_close }, { "getppid", do_getppid }, { "ioctl", do_ioctl }, { "fstat", do_fstat },
	{ "mmap", do_mmap },   { "munmap", do_munmap },   { "open", do_open },
};

static double turn(size_t which, const struct libc *c, uint64_t times)
{
	uint64_t start = clock_ns();

	works[which].fn(c, times);
	return (double)(clock_ns() - start) / (double)times;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* In turns, one first and then the other; the median of the differences, per call. */
static void compare(size_t which, const struct libc *seen, const struct libc *own)
{
	enum { ROUNDS = 101 };
	double more[ROUNDS], plain[ROUNDS];
	const uint64_t times = (uint64_t)(1e6 / turn(which, own, 1000)) + 1;
	char name[64];

	for (int r = 0; r < ROUNDS; r++) {
		double first = turn(which, r % 2 ? seen : own, times);
		double second = turn(which, r % 2 ? own : seen, times);

		plain[r] = r % 2 ? second : first;
		more[r] = r % 2 ? first - second : second - first;
	}
	qsort(more, ROUNDS, sizeof(*more), ascending);
	qsort(plain, ROUNDS, sizeof(*plain), ascending);
	snprintf(name, sizeof(name), "emulate: %s, more by", works[which].name);
	bench_row(name, more[ROUNDS / 2], "ns", plain[ROUNDS / 2], 0, BENCH_AT_MOST, 10);
}

static int libc_calls(void)
{
	const struct libc seen = { close, getppid, ioctl, fstat, mmap, munmap, open };
	void *library = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	struct libc own;
	struct bawn_enclave *en = load();

	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (!library)
		bench_fail("no libc.so.6 in this process");
	*(void **)&own.close = dlsym(library, "close");
	*(void **)&own.getppid = dlsym(library, "getppid");
	*(void **)&own.ioctl = dlsym(library, "ioctl");
	*(void **)&own.fstat = dlsym(library, "fstat");
	*(void **)&own.mmap = dlsym(library, "mmap");
	*(void **)&own.munmap = dlsym(library, "munmap");
	*(void **)&own.open = dlsym(library, "open");
	if (seen.close == own.close)
		bench_fail("close is the C library's own: nothing was preloaded");
	for (size_t i = 0; i < ARRAY_LEN(works); i++)
		compare(i, &seen, &own);
	bawn_enclave_free(&en);
	return bench_done();
}

/* ---- */

static void run(const char *self, const char *mode)
{
	char bawn[256];
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		snprintf(bawn, sizeof(bawn), "%s/bawn", build);
		execl(bawn, bawn, "emulate", "--", self, mode, (char *)NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		bench_fail("emulate_bench %s under `bawn emulate` failed", mode);
}

int main(int argc, char **argv)
{
	char platform[64];
	struct bawn_error e = { 0 };

	build = getenv("BUILD");
	build = build ? build : "build";
	if (argc == 2)
		return strcmp(argv[1], "ecall") == 0 ? ecalls() : libc_calls();
	if (argc != 1 || getenv("BAWN_EMULATE"))
		bench_fail("usage: emulate_bench");
	snprintf(platform, sizeof(platform), "/tmp/bawn-bench-emulate.%d", (int)getpid());
	if (cpu_platform_create(platform, NULL, &e))
		bench_fail("%s", e.msg);
	setenv("BAWN_PLATFORM", platform, 1);
	run(argv[0], "ecall");
	run(argv[0], "libc");
	cpu_platform_remove(platform, NULL);
	return bench_done();
}
