/*
 * Our side of bench/compare/run: verify each case named on standard input.
 * bawn_prog CORPUS REPEATS: "case TAB verdict TAB cold TAB warm", microseconds
 * of CPU, the least of the repeats; cold is everything from bytes, with a new verifier.
 */
#include "attest/attest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static const char *verdict(const struct bawn_verification *v)
{
	return v->verdict == BAWN_UNACCEPTABLE || v->verdict == BAWN_ACCEPTED ?
		       bawn_tcb_status_name(v->status) :
		       "refused";
}

static int64_t verify_time(const char *corpus, const char *name)
{
	char path[4096];
	struct jread_object o;
	struct jread r;
	struct cur member;
	uint64_t t = 0;
	uint8_t *text;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s/case.json", corpus, name);
	if (io_read_file(path, 1 << 20, &text, &n, NULL))
		return 0;
	jread_init(&r, text, n);
	jread_object(&r, &o);
	while (jread_member(&r, &o, &member))
		if (jread_is(member, "verify_time"))
			jread_u64(&r, INT64_MAX, &t);
		else
			jread_skip(&r);
	free(text);
	return (int64_t)t;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* One verification: with *v NULL, a new verifier and all of its collateral too. */
static uint64_t once(const struct attest_bundle *b, const uint8_t *quote, size_t n, int64_t t,
		     struct bawn_verifier **v, struct bawn_verification *out)
{
	uint64_t start = cpu_ns();

	if (!*v && bawn_verifier_new(v, NULL, NULL) == 0)
		attest_bundle_add(b, false, *v, NULL);
	if (*v)
		bawn_verify_quote(*v, quote, n, t, NULL, out);
	return cpu_ns() - start;
}

static void run_case(const char *corpus, const char *name, unsigned repeats)
{
	static struct bawn_verification out;
	uint64_t cold = UINT64_MAX, warm = UINT64_MAX;
	struct bawn_verifier *v = NULL;
	struct attest_bundle b;
	char path[4096];
	uint8_t *quote;
	size_t n;
	int64_t t = verify_time(corpus, name);

	snprintf(path, sizeof(path), "%s/%s", corpus, name);
	if (attest_bundle_read(&b, path, NULL))
		return;
	snprintf(path, sizeof(path), "%s/%s/quote.bin", corpus, name);
	if (io_read_file(path, 1 << 20, &quote, &n, NULL) == 0) {
		for (unsigned i = 0; i < repeats; i++) {
			uint64_t ns;

			bawn_verifier_free(&v);
			ns = once(&b, quote, n, t, &v, &out);
			cold = ns < cold ? ns : cold;
		}
		for (unsigned i = 0; i < repeats; i++) {
			uint64_t ns = once(&b, quote, n, t, &v, &out);

			warm = ns < warm ? ns : warm;
		}
		printf("%s\t%s\t%.1f\t%.1f\n", name, verdict(&out), (double)cold / 1000, (double)warm / 1000);
		bawn_verifier_free(&v);
		free(quote);
	}
	attest_bundle_free(&b);
}

int main(int argc, char **argv)
{
	char name[256];
	struct rusage use;

	if (argc != 3)
		return 64;
	while (fgets(name, sizeof(name), stdin)) {
		name[strcspn(name, "\n")] = '\0';
		run_case(argv[1], name, (unsigned)atoi(argv[2]));
	}
	getrusage(RUSAGE_SELF, &use);
	printf("#rss\t%ld\n", use.ru_maxrss);
	return 0;
}
