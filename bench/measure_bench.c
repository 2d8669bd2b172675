/*
 * Opening and measuring a 64 MiB enclave file, all of it measured, against
 * what OpenSSL needs for the same number of hashed bytes: 320 for every 256,
 * and 64 for every page (SDM 40.3, EADD and EEXTEND).
 */
#include "bench/bench.h"
#include "image/image.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[] = "/tmp/bawn-measure-bench.XXXXXX";

/* ---- what is compared ---- */

static uint64_t hashed; /* bytes */

static void open_and_measure(void *arg, uint64_t times)
{
	struct bawn_error e = { 0 };
	uint8_t mrenclave[32];
	struct image *im;

	(void)arg;
	while (times-- > 0) {
		if (image_open(&im, path, NULL, &e) || image_measure(im, mrenclave, &e))
			bench_fail("%s", e.msg);
		image_free(&im);
	}
}

/* ---- the file is made, and memory measured, in processes of their own ---- */

static void write_enclave(void)
{
	struct bawn_error e = { 0 };
	struct image_config c;
	size_t n;
	uint8_t *file = bench_enclave(&n);

	image_config_default(&c);
	c.heap_min = c.heap_init = c.heap_max = ISA_PAGE;
	if (image_lay_out(file, n, &c, &e) || io_write_file(path, file, n, 0600, &e))
		bench_fail("%s: %s", path, e.msg);
	free(file);
}

static void once(void)
{
	open_and_measure(NULL, 1);
}

/* Peak resident memory in MiB of a process that does this and ends. */
static double peak_of(void (*work)(void))
{
	struct rusage u;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		work();
		_exit(0);
	}
	if (pid < 0 || wait4(pid, &status, 0, &u) != pid || status != 0)
		bench_fail("a child process failed");
	return (double)u.ru_maxrss / 1024;
}

static void nothing(void)
{
}

int main(void)
{
	const double mib = (double)BENCH_ENCLAVE / (1 << 20);
	struct bawn_error e = { 0 };
	uint64_t added, measured;
	struct image *im;
	int fd = mkstemp(path);

	if (fd < 0)
		bench_fail("cannot create %s", path);
	close(fd);
	peak_of(write_enclave);
	bench_row("memory to measure 64 MiB, beyond the file", peak_of(once) - peak_of(nothing) - mib,
		  "MiB", 0, 0, BENCH_AT_MOST, 8);
	if (image_open(&im, path, NULL, &e))
		bench_fail("%s", e.msg);
	image_count(im, &added, &measured);
	image_free(&im);
	hashed = 64 + added * 64 + measured * 5120;
	bench_compare("open and measure an enclave, 64 MiB", "MiB/s", (double)BENCH_ENCLAVE, open_and_measure,
		      NULL, bench_sha256, &hashed, BENCH_AT_LEAST, 0.85);
	unlink(path);
	return bench_done();
}
