/*
 * bench: what the benchmarks share. A benchmark is a program bench/NAME_bench.c
 * that measures, prints rows by bench_row or bench_compare, and ends main with
 * `return bench_done();`. `make bench` runs all of them.
 *
 * Machines are noisy and change speed: what is compared is measured in turns,
 * in one run, and the median of the rounds' ratios is what counts.
 */
#ifndef BAWN_BENCH_H
#define BAWN_BENCH_H

#include "base/base.h"

/* Does the work `times` times. Ends the program by bench_fail if it fails. */
typedef void (*bench_fn)(void *arg, uint64_t times);

/*
 * Measure this thread's time on a processor instead of the time that passes: for
 * work that neither waits nor has threads, on a machine that others use too.
 */
void bench_use_cpu_time(void);
/* Nanoseconds on the clock that is measured with. */
uint64_t bench_now(void);

/* Nanoseconds of a bench_fn's time that are not what is measured: cleaning up after each time. */
void bench_exclude(uint64_t ns);

/* Nanoseconds for one of each: medians over the rounds; ratio = median of value / reference. */
struct bench_times {
	double value, reference, ratio;
};
/*
 * Measure both by turns, piece by piece. A turn lasts BENCH_MS milliseconds (default 20), and
 * there are BENCH_ROUNDS of them (default 15). reference may be NULL.
 */
struct bench_times bench_measure(bench_fn fn, void *arg, bench_fn reference, void *reference_arg);

enum bench_goal { BENCH_NO_GOAL, BENCH_AT_MOST, BENCH_AT_LEAST };

/*
 * Print a row. Without a reference give 0 for it and for the ratio. The goal
 * is for the ratio, or for the value where there is no reference.
 */
void bench_row(const char *name, double value, const char *unit, double reference, double ratio,
	       enum bench_goal kind, double goal);
/*
 * bench_measure, and a row of it: in unit "ns", "us" or "ms"; with bytes > 0 (the
 * bytes that one call deals with) in MiB/s, where more is better.
 */
void bench_compare(const char *name, const char *unit, double bytes, bench_fn fn, void *arg,
		   bench_fn reference, void *reference_arg, enum bench_goal kind, double goal);
/* Say why on standard error and exit 1. */
_Noreturn void bench_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int bench_done(void);

/*
 * The file of an enclave with a segment of 64 MiB, all of it measured, as the
 * linker would leave it: not laid out, not signed. Its code is noise. malloc'd.
 */
#define BENCH_ENCLAVE ((size_t)64 << 20)
uint8_t *bench_enclave(size_t *n);
/* A bench_fn for references: SHA-256 by OpenSSL of as many bytes as the uint64_t says. */
void bench_sha256(void *bytes, uint64_t times);

#endif
