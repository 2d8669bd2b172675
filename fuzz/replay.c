/*
 * A main for a fuzz target without a fuzzer: replay CORPUS runs the target on
 * every file of the folder, on its truncations and on random mutations of it
 * (REPLAY_MUTATIONS in all, always the same ones). Linked with one target;
 * prints TAP. A crash, a hang or a sanitizer's finding is the failure.
 */
#include "base/base.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_SEED (64u << 20)
#define MAX_TRUNCATIONS 600u /* of one file, spread over its length */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct seed {
	char name[256];
	uint8_t *p;
	size_t n;
};
static char current[400]; /* what runs now, for the message of a crash */

static void crashed(int sig)
{
	ssize_t done = write(STDOUT_FILENO, current, strlen(current));

	(void)done; /* nothing more to be done about it here */
	signal(sig, SIG_DFL);
	raise(sig);
}

/* Where nobody else looks: a sanitizer's own handlers say more. */
static void name_crashes(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
	struct sigaction old;

	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			signal(signals[i], crashed);
}

/* A copy of its own length, so that a sanitizer sees the smallest over-read. */
static void run(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	if (n)
		memcpy(copy, p, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static uint64_t rng_state = 0x9e3779b97f4a7c15u;
static uint64_t rng(void) /* xorshift64: repeatable, quality of no account */
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

static void truncations(const struct seed *s)
{
	size_t step = s->n / MAX_TRUNCATIONS + 1;

	for (size_t n = 0; n < s->n; n += step) {
		snprintf(current, sizeof(current), "# crashed: %.200s cut to %zu bytes\n", s->name, n);
		run(s->p, n);
	}
}

/* One to four bytes changed: a bit, a random value, or an extreme one. */
static void mutate(uint8_t *p, size_t n)
{
	static const uint8_t extreme[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };

	for (uint64_t k = rng() % 4 + 1; k-- > 0;) {
		uint8_t *b = p + rng() % n;

		switch (rng() % 3) {
		case 0:
			*b ^= (uint8_t)(1u << rng() % 8);
			break;
		case 1:
			*b = (uint8_t)rng();
			break;
		default:
			*b = extreme[rng() % sizeof(extreme)];
		}
	}
}

static void mutations(const struct seed *s, unsigned long count)
{
	uint8_t *p = malloc(s->n ? s->n : 1);

	if (!p)
		abort();
	for (unsigned long i = 0; i < count && s->n; i++) {
		snprintf(current, sizeof(current), "# crashed: %.200s, mutation %lu\n", s->name, i);
		memcpy(p, s->p, s->n);
		mutate(p, s->n);
		run(p, s->n);
	}
	free(p);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct seed *)a)->name, ((const struct seed *)b)->name);
}

/* The files of the folder, sorted; 0 if there is none or one cannot be read. */
static size_t read_seeds(const char *dir, struct seed *seeds, size_t max)
{
	struct dirent *ent;
	size_t n = 0;
	DIR *d = opendir(dir);

	while (d && n < max && (ent = readdir(d))) {
		struct bawn_error e = { 0 };
		struct seed *s = &seeds[n];

		if (ent->d_name[0] == '.')
			continue;
		snprintf(s->name, sizeof(s->name), "%s", ent->d_name);
		if (io_read_file_at(dirfd(d), s->name, MAX_SEED, &s->p, &s->n, &e)) {
			printf("# %s/%s: %s\n", dir, s->name, e.msg);
			n = 0;
			break;
		}
		n++;
	}
	if (d)
		closedir(d);
	qsort(seeds, n, sizeof(*seeds), by_name);
	return n;
}

int main(int argc, char **argv)
{
	static struct seed seeds[1000];
	const char *env = getenv("REPLAY_MUTATIONS");
	unsigned long count = env ? strtoul(env, NULL, 10) : 2000;
	size_t n = argc == 2 ? read_seeds(argv[1], seeds, ARRAY_LEN(seeds)) : 0;

	name_crashes();
	setvbuf(stdout, NULL, _IONBF, 0);
	printf("%sok 1 - %zu inputs in %s\n", n ? "" : "not ", n, argc == 2 ? argv[1] : "(no folder)");
	for (size_t i = 0; i < n; i++) {
		snprintf(current, sizeof(current), "# crashed: %.200s\n", seeds[i].name);
		run(seeds[i].p, seeds[i].n);
		truncations(&seeds[i]);
		mutations(&seeds[i], count / n + 1);
		free(seeds[i].p);
	}
	puts("ok 2 - they, their truncations and mutations end in an answer\n1..2");
	return n == 0;
}
