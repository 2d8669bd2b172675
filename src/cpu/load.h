/* Between load.c, which stages and hashes pages, and load_writer.c, which writes them. */
#ifndef BAWN_CPU_LOAD_H
#define BAWN_CPU_LOAD_H

#include "cpu/state.h"

#define LOAD_BATCH 16u /* pages: the staged bytes stay in the second-level cache */
#define LOAD_STAGED_PAGE                                                                           \
	(ISA_MEASURE_BLOCK +                                                                       \
	 ISA_PAGE / ISA_MEASURE_CHUNK * (ISA_MEASURE_BLOCK + ISA_MEASURE_CHUNK))

struct load_batch {
	uint64_t offset;
	unsigned pages;
	bool measured;      /* then the pages are in `staged` */
	const uint8_t *src; /* else here, `stride` apart; NULL: zeros, nothing to write */
	size_t stride;
	uint8_t *staged;    /* room for LOAD_STAGED_PAGE bytes a page */
};

/* Write the pages of a batch to the EPC: 0, or -1 if there is no memory for them. */
int load_write(const struct cpu_epc *epc, const struct load_batch *b);

/* A thread that writes batches in order. NULL if one cannot be had or would not help. */
struct load_writer;
struct load_writer *load_writer_new(const struct cpu_epc *epc);
/* A batch of up to LOAD_BATCH pages to fill; waits while all are in use. */
struct load_batch *load_writer_slot(struct load_writer *w);
void load_writer_push(struct load_writer *w);
/* Wait until everything is written: 0, or -1 if something could not be. */
int load_writer_drain(struct load_writer *w);
void load_writer_free(struct load_writer **w);

#endif
