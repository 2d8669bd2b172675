/* Writing staged pages to the EPC, on a thread of its own where there is a processor for it. */
#include "cpu/load.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SLOTS 8u
#define CHUNKS (ISA_PAGE / ISA_MEASURE_CHUNK)

struct load_writer {
	const struct cpu_epc *epc;
	pthread_t thread;
	uint32_t pushed, written; /* futexes; batches so far, modulo 2^32 */
	int failed;
	bool stop; /* seen with the next push */
	struct load_batch slot[SLOTS];
	uint8_t staged[SLOTS][LOAD_BATCH * LOAD_STAGED_PAGE];
};

/* ---- one batch ---- */

static unsigned gather(const struct load_batch *b, struct iovec *v)
{
	const uint8_t *p = b->staged;
	unsigned n = 0;

	for (unsigned i = 0; i < b->pages; i++) {
		if (!b->measured) {
			v[n].iov_base = (void *)(uintptr_t)(b->src + i * b->stride);
			v[n++].iov_len = ISA_PAGE;
			continue;
		}
		p += ISA_MEASURE_BLOCK;
		for (unsigned k = 0; k < CHUNKS; k++) {
			v[n].iov_base = (void *)(uintptr_t)(p + ISA_MEASURE_BLOCK);
			v[n++].iov_len = ISA_MEASURE_CHUNK;
			p += ISA_MEASURE_BLOCK + ISA_MEASURE_CHUNK;
		}
	}
	return n;
}

int load_write(const struct cpu_epc *epc, const struct load_batch *b)
{
	struct iovec v[LOAD_BATCH * CHUNKS], *at = v;
	off_t offset = (off_t)(epc->pages_off + b->offset);
	unsigned n;

	_Static_assert(LOAD_BATCH * CHUNKS <= IOV_MAX, "one call writes a batch");
	if (!b->src)
		return 0;
	n = gather(b, v);
	while (n) {
		ssize_t w = pwritev(epc->fd, at, (int)n, offset);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return -1;
		offset += w;
		for (; n && (size_t)w >= at->iov_len; at++, n--)
			w -= (ssize_t)at->iov_len;
		if (n) {
			at->iov_base = (uint8_t *)at->iov_base + w;
			at->iov_len -= (size_t)w;
		}
	}
	return 0;
}

/* ---- the thread ---- */

static void futex_wait(uint32_t *p, uint32_t value)
{
	syscall(SYS_futex, p, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(uint32_t *p)
{
	syscall(SYS_futex, p, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/*
 * Neither side wakes the other for every batch: where they share a processor
 * after all, that would switch between them each time. The one that waits is
 * woken when half of the slots are full, or when nothing else will happen.
 */
#define WAKE (SLOTS / 2)

/* Wait until the counter is no longer `value`. */
static uint32_t wait_past(uint32_t *p, uint32_t value)
{
	uint32_t now;

	while ((now = __atomic_load_n(p, __ATOMIC_ACQUIRE)) == value)
		futex_wait(p, value);
	return now;
}

static void *run(void *arg)
{
	struct load_writer *w = arg;
	uint32_t next = 0, backlog;

	for (;;) {
		wait_past(&w->pushed, next);
		if (w->stop)
			return NULL;
		if (load_write(w->epc, &w->slot[next % SLOTS]) != 0)
			__atomic_store_n(&w->failed, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&w->written, ++next, __ATOMIC_RELEASE);
		backlog = __atomic_load_n(&w->pushed, __ATOMIC_ACQUIRE) - next;
		if (backlog == WAKE || backlog == 0)
			futex_wake(&w->written);
	}
}

static bool second_processor(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 1;
}

struct load_writer *load_writer_new(const struct cpu_epc *epc)
{
	struct load_writer *w;

	if (!second_processor())
		return NULL;
	w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w == MAP_FAILED)
		return NULL;
	w->epc = epc;
	for (unsigned i = 0; i < SLOTS; i++)
		w->slot[i].staged = w->staged[i];
	if (pthread_create(&w->thread, NULL, run, w) != 0) {
		munmap(w, sizeof(*w));
		return NULL;
	}
	return w;
}

struct load_batch *load_writer_slot(struct load_writer *w)
{
	uint32_t written = __atomic_load_n(&w->written, __ATOMIC_ACQUIRE);

	while (w->pushed - written == SLOTS)
		written = wait_past(&w->written, written);
	return &w->slot[w->pushed % SLOTS];
}

void load_writer_push(struct load_writer *w)
{
	uint32_t backlog;

	__atomic_store_n(&w->pushed, w->pushed + 1, __ATOMIC_RELEASE);
	backlog = w->pushed - __atomic_load_n(&w->written, __ATOMIC_ACQUIRE);
	if (backlog >= WAKE)
		futex_wake(&w->pushed);
}

int load_writer_drain(struct load_writer *w)
{
	uint32_t written = __atomic_load_n(&w->written, __ATOMIC_ACQUIRE);

	futex_wake(&w->pushed);
	while (written != w->pushed)
		written = wait_past(&w->written, written);
	return __atomic_exchange_n(&w->failed, 0, __ATOMIC_RELAXED) ? -1 : 0;
}

void load_writer_free(struct load_writer **p)
{
	struct load_writer *w = *p;

	*p = NULL;
	if (!w)
		return;
	w->stop = true;
	load_writer_push(w);
	futex_wake(&w->pushed);
	pthread_join(w->thread, NULL);
	wipe(w->staged, sizeof(w->staged));
	munmap(w, sizeof(*w));
}
