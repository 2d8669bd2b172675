/* Between load.c, which measures pages, and load_writer.c, which copies them. */
#ifndef BAWN_CPU_LOAD_H
#define BAWN_CPU_LOAD_H

#include "cpu/state.h"

#define LOAD_PIECE 16u /* pages that stay in a cache between being copied and measured */

/* A stretch of pages to copy. */
struct load_job {
	uint64_t offset, pages;
	const uint8_t *src;
	bool repeat; /* the one page at src for each */
};

/* Copy them to the EPC: 0, or -1 if there is no memory for them. */
int load_write(const struct cpu_epc *epc, const struct load_job *job);

/* A thread that does so meanwhile. NULL if one cannot be had or would not help. */
struct load_writer;
struct load_writer *load_writer_new(const struct cpu_epc *epc);
/* One job at a time: begin, then wait for its result. */
void load_writer_begin(struct load_writer *w, const struct load_job *job);
int load_writer_wait(struct load_writer *w);
void load_writer_free(struct load_writer **w);

#endif
