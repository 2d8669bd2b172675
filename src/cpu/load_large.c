/*
 * Large pages for what is loaded. For the kernel to find memory page by page
 * costs half as much as to measure what is copied there; so what is large gets
 * large pages: from MADV_COLLAPSE (Linux 6.1), which asks no setting of the
 * system's, and which needs no more than one page to be there.
 *
 * The kernel clears them first, in a tenth of the time it takes to measure them.
 * So a second thread makes them ahead of the one that measures, if there is a
 * processor for it. The first does not wait for it, which may take long where
 * other work keeps the processors: it makes what the second has not begun, and
 * copies at the end what was begun and not ready.
 */
#include "cpu/load.h"

#include <emmintrin.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

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
	uint8_t state = NOT_YET;

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

/* Make up to `most` from i on; how many. */
static unsigned make_some(struct load_large *l, unsigned i, unsigned most)
{
	unsigned n = 0;

	while (n < most && i + n < l->count && take(l, i + n))
		n++;
	if (n)
		make(l, i, n);
	return n;
}

/* Have the source there where it is the mapping of a file, so that reading it does not fault. */
static void map_source(const struct load_large *l, unsigned i)
{
	const struct load_job part = part_of(l, i);
	const uintptr_t from = (uintptr_t)part.src & ~(uintptr_t)(ISA_PAGE - 1);

	if (!part.repeat)
		madvise((void *)from, (uintptr_t)part.src + part.pages * ISA_PAGE - from,
			MADV_POPULATE_READ);
}

/* The second thread. */
static void *make_ahead(void *arg)
{
	struct load_large *l = arg;

	/* More and more at a time: a call may have to wait for every processor. */
	for (unsigned i = 0, n, most = 1; i < l->count; i += n ? n : 1) {
		n = make_some(l, i, most);
		if (n)
			most *= 2;
		for (unsigned k = i; k < i + n; k++)
			map_source(l, k);
	}
	return NULL;
}

static bool second_processor(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 1;
}

/* The program's signals are for its own threads. */
static bool start_helper(struct load_large *l)
{
	sigset_t all, before;
	bool started;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pthread_create(&l->helper, NULL, make_ahead, l) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

/*
 * pthread_join is a cancellation point; the EPC is locked, and the helper works
 * on what is on this thread's stack. (The injected object makes no threads.)
 */
static void join_helper(struct load_large *l)
{
#ifndef BAWN_PRELOAD
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
#endif
	pthread_join(l->helper, NULL);
#ifndef BAWN_PRELOAD
	pthread_setcancelstate(state, NULL);
#endif
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
	l->helped = l->count >= WORTH_A_THREAD && second_processor() && start_helper(l);
}

enum load_how load_large_how(struct load_large *l, uint64_t offset)
{
	const uint64_t i = (offset - l->first) / LARGE;

	if (i >= l->count)
		return LOAD_WRITE;
	if (l->late[i])
		return LOAD_LATER;
	/* One while the second thread starts; all that is left without it, or if it is late. */
	make_some(l, (unsigned)i, l->helped && i == 0 ? 1 : l->count);
	switch (__atomic_load_n(&l->state[i], __ATOMIC_ACQUIRE)) {
	case MADE:
		return LOAD_STORE;
	case IN_VAIN:
		return LOAD_WRITE;
	default:
		l->late[i] = true;
		return LOAD_LATER;
	}
}

/* Past the caches, which the hash needs, and which would first fetch what is overwritten. */
void load_store(const struct cpu_epc *epc, uint64_t offset, const uint8_t *from)
{
	uint8_t *to = epc->alias + offset;

	for (unsigned i = 0; i < ISA_PAGE; i += sizeof(__m128i))
		_mm_stream_si128((__m128i *)(void *)(to + i),
				 _mm_loadu_si128((const __m128i *)(const void *)(from + i)));
}

static int copy_late(struct load_large *l, unsigned i)
{
	const struct load_job part = part_of(l, i);

	if (l->state[i] != MADE)
		return load_write(l->epc, &part);
	for (uint64_t at = 0; at < part.pages * ISA_PAGE; at += ISA_PAGE)
		load_store(l->epc, part.offset + at, part.repeat ? part.src : part.src + at);
	return 0;
}

int load_large_end(struct load_large *l)
{
	int r = 0;

	if (l->helped)
		join_helper(l);
	if (!l->count)
		return 0;
	for (unsigned i = 0; i < l->count && r == 0; i++)
		r = l->late[i] ? copy_late(l, i) : 0;
	_mm_sfence(); /* streamed stores are in no order with those to the EPCM */
	madvise(l->epc->alias + l->first, l->count * LARGE, MADV_DONTNEED);
	return r;
}
