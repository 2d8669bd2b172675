/* Between load.c, which measures pages, and load_copy.c and load_large.c, which copy them. */
#ifndef BAWN_CPU_LOAD_H
#define BAWN_CPU_LOAD_H

#include "cpu/state.h"

#include <pthread.h>

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

/* Copy to pages that need not have memory: 0, or -1 if there is none for them. */
int load_write(const struct cpu_epc *epc, const struct load_job *job);

/* Large pages for a job, where it fills them. */
struct load_large {
	const struct cpu_epc *epc;
	const struct load_job *job;
	uint64_t first; /* offset */
	unsigned count;
	bool helped, no_more;
	pthread_t helper;
	uint8_t state[LOAD_WINDOW * ISA_PAGE / EPC_PAGES_ALIGN];
	bool late[LOAD_WINDOW * ISA_PAGE / EPC_PAGES_ALIGN]; /* copied at the end */
};
/* The job must stay where it is until load_large_end. */
void load_large_begin(struct load_large *l, const struct cpu_epc *epc, const struct load_job *job);
/* How the page at this offset gets there: by load_store, by load_write, or by load_large_end. */
enum load_how { LOAD_STORE, LOAD_WRITE, LOAD_LATER };
enum load_how load_large_how(struct load_large *l, uint64_t offset);
void load_store(const struct cpu_epc *epc, uint64_t offset, const uint8_t *from);
/*
 * What was stored can be seen; the memory is not this process's any more. 0, or
 * -1 if there is none for what was left for later.
 */
int load_large_end(struct load_large *l);

#endif
