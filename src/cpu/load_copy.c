/* Copying pages to the EPC, where the kernel has to find memory for them. */
#include "cpu/load.h"

#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>

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
 * before it is filled, and nothing faults. Not by pwritev(3), a cancellation point:
 * the EPC is locked.
 */
int load_write(const struct cpu_epc *epc, const struct load_job *job)
{
	const uint64_t start = epc->pages_off + job->offset;
	struct iovec v[LOAD_PIECE];

	for (uint64_t at = 0; at < job->pages;) {
		uint64_t pages = job->pages - at < LOAD_PIECE ? job->pages - at : LOAD_PIECE;
		long n = cpu_syscall6(SYS_pwritev, (uint64_t)epc->fd, (uintptr_t)v,
				      (uint64_t)gather(job, at, pages, v), start + at * ISA_PAGE, 0, 0);

		if (n == -EINTR)
			continue;
		/* Part of a page is as good as none: it is written again. */
		if (n < (long)ISA_PAGE)
			return -1;
		at += (uint64_t)n / ISA_PAGE;
	}
	return 0;
}
