/*
 * Loading a 64 MiB enclave on the emulated CPU, all of it measured, from file
 * to EINIT, against what OpenSSL needs for the bytes that must be hashed; and
 * the memory that it takes.
 */
#include "bawn.h"
#include "bench/bench.h"
#include "cpu/cpu.h"
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[] = "/tmp/bawn-load-bench.XXXXXX";
static char platform[64];
static uint64_t hashed; /* bytes: 320 for every 256 measured, 64 for every page added (SDM 40.3) */
static double limit;    /* MiB: the file, the enclave and 8 more */

static void check(int r, const char *what, const struct bawn_error *e)
{
	if (r)
		bench_fail("%s: %s", what, e->msg);
}

/* Sign the file in memory with a key of the moment. */
static void sign(uint8_t *file, size_t n, const struct image_config *c)
{
	uint8_t mrenclave[32], body[ISA_SIGSTRUCT_SIGNED], digest[32];
	uint8_t modulus[CRYPTO_RSA_BYTES], signature[CRYPTO_RSA_BYTES];
	struct isa_sigstruct s;
	struct bawn_error e = { 0 };
	struct crypto_key *key;
	uint64_t added, measured;
	struct image *im;

	check(image_open_memory(&im, file, n, NULL, &e), "opening it", &e);
	check(image_measure(im, mrenclave, &e), "measuring it", &e);
	image_count(im, &added, &measured);
	hashed = added * 64 + measured * (ISA_PAGE / 256 * 320);
	limit = (double)(n + added * ISA_PAGE) / (1 << 20) + 8;
	image_free(&im);
	check(crypto_key_new_rsa3(&key, &e), "a key", &e);
	image_sigstruct_make(&s, c, mrenclave);
	isa_sigstruct_signed(&s, body);
	crypto_sha256(body, sizeof(body), digest);
	check(crypto_key_rsa3_modulus(key, modulus, &e), "the key", &e);
	check(crypto_rsa3_sign(key, digest, signature, &e), "signing", &e);
	check(image_sigstruct_complete(&s, modulus, signature, &e), "signing", &e);
	check(image_store_sigstruct(file, n, c, &s, &e), "storing the signature", &e);
	crypto_key_free(&key);
}

static void write_enclave(void)
{
	struct bawn_error e = { 0 };
	struct image_config c;
	size_t n;
	uint8_t *file = bench_enclave(&n);

	image_config_default(&c);
	c.heap_min = c.heap_init = c.heap_max = ISA_PAGE;
	c.date = 0x20260101;
	check(image_lay_out(file, n, &c, &e), "laying it out", &e);
	sign(file, n, &c);
	check(io_write_file(path, file, n, 0600, &e), path, &e);
	free(file);
}

static void load(void *arg, uint64_t times)
{
	struct bawn_options opt = { .device = "emulated", .platform = platform, .no_init = true };
	struct bawn_error e = { 0 };
	struct bawn_enclave *en;

	(void)arg;
	while (times-- > 0) {
		uint64_t start;

		check(bawn_enclave_load(&en, path, &opt, &e), path, &e);
		start = clock_ns();
		bawn_enclave_free(&en);
		bench_exclude(clock_ns() - start);
	}
}

/* Peak resident memory in MiB of a fresh process that loads it once: load_bench PATH PLATFORM. */
static double peak(void)
{
	char name[] = "load_bench";
	char *argv[] = { name, path, platform, NULL };
	struct rusage u;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execv("/proc/self/exe", argv);
		_exit(1);
	}
	if (pid < 0 || wait4(pid, &status, 0, &u) != pid || status != 0)
		bench_fail("the child process failed");
	return (double)u.ru_maxrss / 1024;
}

int main(int argc, char **argv)
{
	struct bawn_error e = { 0 };
	double mib;
	int fd;

	if (argc == 3) {
		snprintf(path, sizeof(path), "%s", argv[1]);
		snprintf(platform, sizeof(platform), "%s", argv[2]);
		load(NULL, 1);
		return 0;
	}
	fd = mkstemp(path);
	if (fd < 0)
		bench_fail("cannot create %s", path);
	close(fd);
	snprintf(platform, sizeof(platform), "/tmp/bawn-bench-platform.%d", (int)getpid());
	check(cpu_platform_create(platform, NULL, &e), platform, &e);
	write_enclave();
	bench_compare("load 64 MiB, all measured, EINIT / SHA-256", "MiB/s", (double)BENCH_ENCLAVE, load,
		      NULL, bench_sha256, &hashed, BENCH_AT_LEAST, 0.8);
	mib = peak();
	bench_row("peak memory / file, enclave and 8 MiB", mib, "MiB", limit, mib / limit, BENCH_AT_MOST,
		  1.0);
	unlink(path);
	cpu_platform_remove(platform, NULL);
	return bench_done();
}
