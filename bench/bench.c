#include "bench/bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_ROUNDS 1001u

static uint64_t setting(const char *name, uint64_t preset, uint64_t max)
{
	const char *s = getenv(name);
	uint64_t v = s ? strtoull(s, NULL, 10) : preset;

	return v < 1 ? 1 : v > max ? max : v;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), ascending);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static uint64_t excluded;
static clockid_t clock_id = CLOCK_MONOTONIC;

void bench_use_cpu_time(void)
{
	clock_id = CLOCK_THREAD_CPUTIME_ID;
}

uint64_t bench_now(void)
{
	struct timespec t;

	clock_gettime(clock_id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void bench_exclude(uint64_t ns)
{
	excluded += ns;
}

static double time_of(bench_fn fn, void *arg, uint64_t times)
{
	uint64_t start = bench_now();

	excluded = 0;
	fn(arg, times);
	return (double)(bench_now() - start - excluded) / (double)times;
}

/* How often to repeat fn for a turn of this many nanoseconds; warms it up too. */
static uint64_t calibrate(bench_fn fn, void *arg, double turn)
{
	uint64_t n = 1;
	double t;

	while ((t = time_of(fn, arg, n) * (double)n) < turn / 4 && n < UINT64_C(1) << 40)
		n *= 2;
	n = (uint64_t)((double)n * turn / (t > 1 ? t : 1));
	return n ? n : 1;
}

/* A part of PIECES of n, so that all parts together are n. */
#define PIECES 8u
static uint64_t piece(uint64_t n, unsigned i)
{
	return n * (i + 1) / PIECES - n * i / PIECES;
}

/*
 * One turn of both, in pieces taken by turns: what disturbs the machine for
 * longer than a piece (a scheduler's slice, another speed) disturbs both.
 */
static void turn_of(bench_fn fn, void *arg, uint64_t n, bench_fn reference, void *reference_arg, uint64_t nref,
		    double *value, double *ref)
{
	double sum = 0, ref_sum = 0;

	for (unsigned i = 0; i < PIECES; i++) {
		uint64_t k = piece(n, i), kref = reference ? piece(nref, i) : 0;

		if (k)
			sum += time_of(fn, arg, k) * (double)k;
		if (kref)
			ref_sum += time_of(reference, reference_arg, kref) * (double)kref;
	}
	*value = sum / (double)n;
	if (reference)
		*ref = ref_sum / (double)nref;
}

struct bench_times bench_measure(bench_fn fn, void *arg, bench_fn reference, void *reference_arg)
{
	static double value[MAX_ROUNDS], ref[MAX_ROUNDS], ratio[MAX_ROUNDS];
	double turn = (double)setting("BENCH_MS", 20, 60000) * 1e6;
	size_t rounds = setting("BENCH_ROUNDS", 15, MAX_ROUNDS);
	uint64_t n = calibrate(fn, arg, turn);
	uint64_t nref = reference ? calibrate(reference, reference_arg, turn) : 0;
	struct bench_times t = { 0 };

	for (size_t i = 0; i < rounds; i++) {
		turn_of(fn, arg, n, reference, reference_arg, nref, &value[i], &ref[i]);
		if (reference)
			ratio[i] = value[i] / ref[i];
	}
	t.value = median(value, rounds);
	if (reference) {
		t.reference = median(ref, rounds);
		t.ratio = median(ratio, rounds);
	}
	return t;
}

/* A tab and a number with about four digits that matter, or "-" for none. */
static void number(double v, bool there)
{
	double a = v < 0 ? -v : v;

	if (there)
		printf("\t%.*f", a >= 1000 ? 0 : a >= 10 ? 1 : 3, v);
	else
		fputs("\t-", stdout);
}

void bench_row(const char *name, double value, const char *unit, double reference, double ratio,
	       enum bench_goal kind, double goal)
{
	double judged = ratio > 0 ? ratio : value;
	bool holds = kind == BENCH_NO_GOAL ||
		     (kind == BENCH_AT_MOST ? judged <= goal : judged >= goal);

	fputs(name, stdout);
	number(value, true);
	printf("\t%s", unit);
	number(reference, reference > 0);
	number(ratio, ratio > 0);
	if (kind == BENCH_NO_GOAL)
		fputs("\t-", stdout);
	else
		printf("\t%s %g", kind == BENCH_AT_MOST ? "<=" : ">=", goal);
	printf("\t%s\n", holds ? "true" : "false");
	fflush(stdout);
}

void bench_compare(const char *name, const char *unit, double bytes, bench_fn fn, void *arg,
		   bench_fn reference, void *reference_arg, enum bench_goal kind, double goal)
{
	struct bench_times t = bench_measure(fn, arg, reference, reference_arg);

	if (bytes > 0) { /* a rate: more is better, so the ratio turns over */
		double mib = bytes / 1048576 * 1e9;

		bench_row(name, mib / t.value, unit, reference ? mib / t.reference : 0,
			  reference ? 1 / t.ratio : 0, kind, goal);
	} else {
		double scale = strcmp(unit, "us") == 0 ? 1e3 : strcmp(unit, "ms") == 0 ? 1e6 : 1;

		bench_row(name, t.value / scale, unit, t.reference / scale, t.ratio, kind, goal);
	}
}

void bench_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

int bench_done(void)
{
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
