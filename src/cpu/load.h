/* Between load.c, which measures pages, and load_copy.c, which copies them. */
#ifndef BAWN_CPU_LOAD_H
#define BAWN_CPU_LOAD_H

#include "cpu/state.h"

#define LOAD_PIECE 16u    /* pages that stay in a cache between being measured and copied */
#define LOAD_WINDOW 8192u /* pages of a job at most, which ends where a large page does */

/* A stretch of pages to copy. */
struct load_job {
	uint64_t offset, pages;
	const uint8_t *src;
	bool repeat; /* the one page at src for each */
};

/* The piece of a job that starts at its page `first`: never in two large pages. */
struct load_job load_piece(const struct load_job *job, uint64_t first);

/* Offsets between which a job's pages have memory already, and are stored to. */
struct load_large {
	uint64_t from, to;
};
/* Large pages for a job, where it fills them. 0, or -1 if there is no memory for any kind of page. */
int load_large_begin(const struct cpu_epc *epc, const struct load_job *job, struct load_large *large);
/* What was stored can be seen; the memory is not this process's any more. */
void load_large_end(const struct cpu_epc *epc, const struct load_large *large);

/* Copy a page to one that has memory. */
void load_store(const struct cpu_epc *epc, uint64_t offset, const uint8_t *from);
/* Copy to pages that need not: 0, or -1 if there is none for them. */
int load_write(const struct cpu_epc *epc, const struct load_job *job);

#endif
