/* A seed of a fuzz target's corpus, by the programs that write them: DIR/TARGET/NAME, or the program ends. */
#ifndef BAWN_TESTS_SEED_H
#define BAWN_TESTS_SEED_H

#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static inline void seed_write(const char *dir, const char *target, const char *name, const void *p, size_t n)
{
	struct bawn_error e = { 0 };
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, target);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", dir, target, name);
	if (io_write_file(path, p, n, 0644, &e)) {
		fprintf(stderr, "seeds: %s\n", e.msg);
		exit(1);
	}
}

#endif
