/* Copying pages to the EPC, on a thread of its own where there is a processor for it. */
#include "cpu/load.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct load_writer {
	const struct cpu_epc *epc;
	pthread_t thread;
	struct load_job job;
	int result;
	bool stop;
	uint32_t begun, done; /* futexes: jobs so far */
};

/* ---- copying ---- */

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

/* ---- the thread ---- */

/* Wait until the counter is no longer `value`. */
static void wait_past(uint32_t *p, uint32_t value)
{
	while (__atomic_load_n(p, __ATOMIC_ACQUIRE) == value)
		syscall(SYS_futex, p, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void count(uint32_t *p)
{
	__atomic_fetch_add(p, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, p, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *run(void *arg)
{
	struct load_writer *w = arg;

	for (uint32_t next = 0;; next++) {
		wait_past(&w->begun, next);
		if (w->stop)
			return NULL;
		w->result = load_write(w->epc, &w->job);
		count(&w->done);
	}
}

static bool second_processor(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 1;
}

struct load_writer *load_writer_new(const struct cpu_epc *epc)
{
	struct load_writer *w = second_processor() ? calloc(1, sizeof(*w)) : NULL;

	if (!w)
		return NULL;
	w->epc = epc;
	if (pthread_create(&w->thread, NULL, run, w) != 0) {
		free(w);
		return NULL;
	}
	return w;
}

void load_writer_begin(struct load_writer *w, const struct load_job *job)
{
	w->job = *job;
	count(&w->begun);
}

int load_writer_wait(struct load_writer *w)
{
	wait_past(&w->done, w->begun - 1);
	return w->result;
}

void load_writer_free(struct load_writer **p)
{
	struct load_writer *w = *p;

	*p = NULL;
	if (!w)
		return;
	w->stop = true;
	count(&w->begun);
	pthread_join(w->thread, NULL);
	free(w);
}
