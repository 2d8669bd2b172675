/*
 * Large pages for what is loaded. For the kernel to find memory page by page
 * costs half as much as to measure what is copied there; so what is large gets
 * large pages: from MADV_COLLAPSE (Linux 6.1), which asks no setting of the
 * system's, and which needs no more than one page to be there.
 *
 * The kernel clears them first, in a tenth of the time it takes to measure them.
 * So a second thread makes them ahead of the one that measures, if there is a
 * processor for it. Whoever comes first to a large page makes it: where the
 * second gets no time it costs none, and the first waits for it only as long as
 * one that was begun takes.
 */
#include "cpu/load.h"

#include <emmintrin.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

#define LARGE EPC_PAGES_ALIGN /* bytes */
#define WORTH_A_THREAD 4u     /* large pages */

enum { NOT_YET, IN_HAND, MADE, IN_VAIN };

/* What the job fills of large page i: the job's piece. */
static struct load_job part_of(const struct load_large *l, unsigned i)
{
	const struct load_job *job = l->job;
	const uint64_t at = l->first + i * LARGE, end = job->offset + job->pages * ISA_PAGE;
	const uint64_t from = at > job->offset ? at : job->offset;
	const uint64_t to = at + LARGE < end ? at + LARGE : end;

	return (struct load_job){
		.offset = from,
		.pages = (to - from) / ISA_PAGE,
		.src = job->repeat ? job->src : job->src + (from - job->offset),
		.repeat = job->repeat,
	};
}

static bool filled(const struct load_large *l, unsigned i)
{
	return part_of(l, i).pages >= LARGE / ISA_PAGE / 4 * 3;
}

/* ---- making them ---- */

static bool take(struct load_large *l, unsigned i)
{
	uint32_t state = NOT_YET;

	return __atomic_compare_exchange_n(&l->state[i], &state, IN_HAND, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED);
}

/*
 * Make n that were taken. In vain where memory is in pieces or the kernel is
 * old: they are then written like other pages, and no more of them tried.
 */
static void make(struct load_large *l, unsigned i, unsigned n)
{
	bool good = !__atomic_load_n(&l->no_more, __ATOMIC_RELAXED);

	for (unsigned k = i; good && k < i + n; k++) {
		struct load_job page = part_of(l, k);

		page.pages = 1;
		good = load_write(l->epc, &page) == 0;
	}
	good = good && madvise(l->epc->alias + l->first + i * LARGE, n * LARGE, MADV_COLLAPSE) == 0;
	if (!good)
		__atomic_store_n(&l->no_more, true, __ATOMIC_RELAXED);
	for (unsigned k = i; k < i + n; k++)
		__atomic_store_n(&l->state[k], good ? MADE : IN_VAIN, __ATOMIC_RELEASE);
}

/* Have the source there where it is the mapping of a file, so that reading it does not fault. */
static void map_source(const struct load_job *part)
{
	const uintptr_t from = (uintptr_t)part->src & ~(uintptr_t)(ISA_PAGE - 1);

	if (!part->repeat)
		madvise((void *)from, (uintptr_t)part->src + part->pages * ISA_PAGE - from,
			MADV_POPULATE_READ);
}

/* The second thread. */
static void *make_ahead(void *arg)
{
	struct load_large *l = arg;

	for (unsigned i = 0; i < l->count; i++) {
		const struct load_job part = part_of(l, i);

		if (!take(l, i))
			continue;
		make(l, i, 1);
		syscall(SYS_futex, &l->state[i], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
		map_source(&part);
	}
	return NULL;
}

static bool second_processor(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 1;
}

/* ---- for who measures ---- */

void load_large_begin(struct load_large *l, const struct cpu_epc *epc, const struct load_job *job)
{
	const uint64_t end = job->offset + job->pages * ISA_PAGE;

	*l = (struct load_large){ .epc = epc, .job = job, .first = job->offset & ~(LARGE - 1) };
	l->count = (unsigned)((end - l->first + LARGE - 1) / LARGE);
	/* The last and the first only if they are nearly filled. */
	if (!filled(l, l->count - 1))
		l->count--;
	if (l->count && !filled(l, 0)) {
		l->first += LARGE;
		l->count--;
	}
	l->helped = l->count >= WORTH_A_THREAD && second_processor() &&
		    pthread_create(&l->helper, NULL, make_ahead, l) == 0;
}

bool load_large_made(struct load_large *l, uint64_t offset)
{
	const uint64_t i = (offset - l->first) / LARGE;
	/* A call costs something, too: all at once without help, and more the later help is. */
	const unsigned most = !l->helped ? l->count : i > 1 ? (unsigned)i : 1;
	unsigned n = 0;
	uint32_t state;

	if (i >= l->count)
		return false;
	while (n < most && i + n < l->count && take(l, (unsigned)i + n))
		n++;
	if (n)
		make(l, (unsigned)i, n);
	while (state = __atomic_load_n(&l->state[i], __ATOMIC_ACQUIRE), state == IN_HAND)
		syscall(SYS_futex, &l->state[i], FUTEX_WAIT_PRIVATE, IN_HAND, NULL, NULL, 0);
	return state == MADE;
}

/* Past the caches, which the hash needs, and which would first fetch what is overwritten. */
void load_store(const struct cpu_epc *epc, uint64_t offset, const uint8_t *from)
{
	uint8_t *to = epc->alias + offset;

	for (unsigned i = 0; i < ISA_PAGE; i += sizeof(__m128i))
		_mm_stream_si128((__m128i *)(void *)(to + i),
				 _mm_loadu_si128((const __m128i *)(const void *)(from + i)));
}

void load_large_end(struct load_large *l)
{
	__atomic_store_n(&l->no_more, true, __ATOMIC_RELAXED);
	if (l->helped)
		pthread_join(l->helper, NULL);
	if (!l->count)
		return;
	_mm_sfence(); /* streamed stores are in no order with those to the EPCM */
	madvise(l->epc->alias + l->first, l->count * LARGE, MADV_DONTNEED);
}
