/*
 * Test Anything Protocol for the C tests, read by prove(1). A test program
 * calls ok() and its kin, then returns tap_done() from main.
 */
#ifndef BAWN_TESTS_TAP_H
#define BAWN_TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Weak: one count for all the files of a test program. */
__attribute__((weak)) int tap_count, tap_failed;

__attribute__((format(printf, 4, 5), unused)) static bool tap_ok(bool good, const char *file, int line,
								  const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("%sok %d - ", good ? "" : "not ", ++tap_count);
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
	if (!good) {
		tap_failed++;
		printf("#   at %s:%d\n", file, line);
	}
	fflush(stdout);
	return good;
}
#define ok(good, ...) tap_ok((good), __FILE__, __LINE__, __VA_ARGS__)

__attribute__((unused)) static bool tap_is_int(long long got, long long want, const char *file, int line,
						const char *name)
{
	bool good = tap_ok(got == want, file, line, "%s", name);

	if (!good)
		printf("#   got %lld (0x%llx), want %lld (0x%llx)\n", got, got, want, want);
	return good;
}
#define is_int(got, want, name) tap_is_int((long long)(got), (long long)(want), __FILE__, __LINE__, name)

__attribute__((unused)) static bool tap_is_mem(const void *got, const void *want, size_t n, const char *file,
						int line, const char *name)
{
	bool good = tap_ok(memcmp(got, want, n) == 0, file, line, "%s", name);

	if (!good) {
		const unsigned char *g = got, *w = want;

		for (size_t i = 0; i < n; i++)
			if (g[i] != w[i]) {
				printf("#   first difference at byte %zu: got %02x, want %02x\n", i, g[i], w[i]);
				break;
			}
	}
	return good;
}
#define is_mem(got, want, n, name) tap_is_mem((got), (want), (n), __FILE__, __LINE__, name)

__attribute__((unused)) static bool tap_is_str(const char *got, const char *want, const char *file, int line,
						const char *name)
{
	bool good = tap_ok(got && strcmp(got, want) == 0, file, line, "%s", name);

	if (!good)
		printf("#   got \"%s\", want \"%s\"\n", got ? got : "(null)", want);
	return good;
}
#define is_str(got, want, name) tap_is_str((got), (want), __FILE__, __LINE__, name)

/* One skipped test, and why. */
#define skip(why) (printf("ok %d # SKIP %s\n", ++tap_count, (why)), fflush(stdout))
/* The whole program skips: call before any test, return its value from main. */
#define skip_all(why) (printf("1..0 # SKIP %s\n", (why)), 0)

__attribute__((unused)) static int tap_done(void)
{
	printf("1..%d\n", tap_count);
	if (tap_failed)
		printf("# %d of %d failed\n", tap_failed, tap_count);
	return tap_failed != 0;
}

#endif
