/*
 * Calls into an enclave on the emulated CPU, against what any of it must cost
 * here: one trapped instruction, its signal and sigreturn.
 */
#include "bawn.h"
#include "bench/bench.h"
#include "bench/trap.h"
#include "cpu/cpu.h"
#include "enclaves/witness/witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- calls ---- */

static uint32_t add(void *ms, void *arg)
{
	struct witness_add *a = ms;

	(void)arg;
	a->sum = a->a + a->b;
	return 0;
}

static void ecall(struct bawn_enclave *en, uint32_t index, void *ms)
{
	struct bawn_error e = { 0 };
	uint32_t status;

	if (bawn_ecall(en, index, ms, &status, &e))
		bench_fail("%s", e.msg);
	if (status)
		bench_fail("the enclave's status 0x%x", status);
}

static void empty(void *arg, uint64_t times)
{
	for (uint64_t i = 0; i < times; i++)
		ecall(arg, WITNESS_EMPTY, NULL);
}

static void with_ocall(void *arg, uint64_t times)
{
	for (uint64_t i = 0; i < times; i++) {
		struct witness_sum s = { .a = i, .b = 2 };

		ecall(arg, WITNESS_SUM, &s);
	}
}

int main(void)
{
	static const bawn_ocall_fn ocalls[] = { [WITNESS_ADD] = add };
	struct bawn_options opt = {
		.device = "emulated", .ocalls = ocalls, .ocall_count = ARRAY_LEN(ocalls) };
	const char *build = getenv("BUILD");
	char platform[64], path[256];
	struct bawn_enclave *en;
	struct bawn_error e = { 0 };
	int r;

	snprintf(platform, sizeof(platform), "/tmp/bawn-bench-platform.%d", (int)getpid());
	snprintf(path, sizeof(path), "%s/enclaves/witness-unbound.signed.so", build ? build : "build");
	if (cpu_platform_create(platform, NULL, &e))
		bench_fail("%s", e.msg);
	opt.platform = platform;
	r = bawn_enclave_load(&en, path, &opt, &e);
	cpu_platform_remove(platform, NULL);
	if (r)
		bench_fail("%s: %s", path, e.msg);
	bench_compare("empty ECALL / trapped instruction", "us", 0, empty, en, bench_trap, NULL, BENCH_AT_MOST,
		      1.3);
	bench_compare("ECALL with one OCALL / trapped instruction", "us", 0, with_ocall, en, bench_trap, NULL,
		      BENCH_NO_GOAL, 0);
	bawn_enclave_free(&en);
	return bench_done();
}
