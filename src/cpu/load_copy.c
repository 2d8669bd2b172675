/*
 * Copying pages to the EPC. For the kernel to find memory page by page costs
 * half as much as to measure what is copied there; so what is large gets large
 * pages: from MADV_COLLAPSE (Linux 6.1), which asks no setting of the system's,
 * and which needs no more than one page to be there.
 */
#include "cpu/load.h"

#include <emmintrin.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/uio.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define LARGE EPC_PAGES_ALIGN /* bytes */

struct load_job load_piece(const struct load_job *job, uint64_t first)
{
	uint64_t offset = job->offset + first * ISA_PAGE, left = job->pages - first;
	uint64_t room = LOAD_PIECE - offset / ISA_PAGE % LOAD_PIECE;

	return (struct load_job){
		.offset = offset,
		.pages = left < room ? left : room,
		.src = job->repeat ? job->src : job->src + first * ISA_PAGE,
		.repeat = job->repeat,
	};
}

/* ---- to pages that the kernel has to find ---- */

/* Up to LOAD_PIECE pages, from page `first` of the job; the number of iovecs. */
static int gather(const struct load_job *job, uint64_t first, uint64_t pages, struct iovec *v)
{
	if (!job->repeat) {
		v[0].iov_base = (void *)(uintptr_t)(job->src + first * ISA_PAGE);
		v[0].iov_len = (size_t)pages * ISA_PAGE;
		return 1;
	}
	for (uint64_t i = 0; i < pages; i++) {
		v[i].iov_base = (void *)(uintptr_t)job->src;
		v[i].iov_len = ISA_PAGE;
	}
	return (int)pages;
}

/*
 * By system calls and not through the alias: the kernel need not clear a page
 * before it is filled, and nothing faults.
 */
int load_write(const struct cpu_epc *epc, const struct load_job *job)
{
	const off_t start = (off_t)(epc->pages_off + job->offset);
	struct iovec v[LOAD_PIECE];

	for (uint64_t at = 0; at < job->pages;) {
		uint64_t pages = job->pages - at < LOAD_PIECE ? job->pages - at : LOAD_PIECE;
		ssize_t n = pwritev(epc->fd, v, gather(job, at, pages, v),
				    start + (off_t)(at * ISA_PAGE));

		if (n < 0 && errno == EINTR)
			continue;
		/* Part of a page is as good as none: it is written again. */
		if (n < (ssize_t)ISA_PAGE)
			return -1;
		at += (uint64_t)n / ISA_PAGE;
	}
	return 0;
}

/* ---- to large pages ---- */

/* Of the large page at this offset, the part that the job fills; true if it is nearly all. */
static bool fills(const struct load_job *job, uint64_t at, struct load_large *part)
{
	const uint64_t end = job->offset + job->pages * ISA_PAGE;

	part->from = at > job->offset ? at : job->offset;
	part->to = at + LARGE < end ? at + LARGE : end;
	return part->from < part->to && part->to - part->from >= LARGE / 4 * 3;
}

int load_large_begin(const struct cpu_epc *epc, const struct load_job *job, struct load_large *large)
{
	const uint64_t end = job->offset + job->pages * ISA_PAGE;
	uint64_t first = 0, last = 0; /* of large pages */
	struct load_large part, all = { 0 };

	*large = all;
	for (uint64_t at = job->offset & ~(LARGE - 1); at < end; at += LARGE) {
		struct load_job one;

		if (!fills(job, at, &part))
			continue;
		one = load_piece(job, (part.from - job->offset) / ISA_PAGE);
		one.pages = 1;
		if (load_write(epc, &one) != 0)
			return -1;
		if (!all.to) {
			first = at;
			all.from = part.from;
		}
		last = at;
		all.to = part.to;
	}
	/* In vain where memory is in pieces or the kernel is old: then they are written like others. */
	if (all.to && madvise(epc->alias + first, last + LARGE - first, MADV_COLLAPSE) == 0)
		*large = all;
	return 0;
}

/* Past the caches, which the hash needs, and which would first fetch what is overwritten. */
void load_store(const struct cpu_epc *epc, uint64_t offset, const uint8_t *from)
{
	uint8_t *to = epc->alias + offset;

	for (unsigned i = 0; i < ISA_PAGE; i += sizeof(__m128i))
		_mm_stream_si128((__m128i *)(void *)(to + i),
				 _mm_loadu_si128((const __m128i *)(const void *)(from + i)));
}

void load_large_end(const struct cpu_epc *epc, const struct load_large *large)
{
	if (large->from == large->to)
		return;
	_mm_sfence(); /* streamed stores are in no order with those to the EPCM */
	madvise(epc->alias + large->from, large->to - large->from, MADV_DONTNEED);
}
