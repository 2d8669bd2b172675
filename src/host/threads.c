/*
 * TCSs and host threads. A TCS is free, in use by one call, or, in enclaves
 * that bind threads, a host thread's own for as long as that lives. The usual
 * case, a thread calling by the TCS it used last, costs one compare-exchange
 * to take it and one exchange to give it back.
 */
#include "host/host.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local struct host_thread self;

struct host_thread *host_thread(void)
{
	return &self;
}

/* ---- the registry ---- */

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct bawn_enclave *registry;
static uint64_t next_id = 1;
static unsigned fork_generation;
static pthread_key_t thread_end_key;
static int setup_error;

unsigned host_fork_generation(void)
{
	return fork_generation;
}

/* No enclave follows its process into a child: its pages are not mapped there. */
static void in_child(void)
{
	fork_generation++;
	pthread_mutex_init(&registry_lock, NULL);
}

static bool release_bound(struct bawn_enclave *en, const struct host_thread *t)
{
	bool any = false;

	for (size_t i = 0; i < en->nslots; i++) {
		struct host_slot *s = &en->slot[i];

		if (atomic_load(&s->owner) != t)
			continue;
		atomic_store(&s->owner, NULL);
		atomic_store(&s->state, s->active ? SLOT_DEAD : SLOT_FREE);
		any = true;
	}
	return any;
}

/* A thread ends that has TCSs bound to it. */
static void on_thread_end(void *arg)
{
	pthread_mutex_lock(&registry_lock);
	for (struct bawn_enclave *en = registry; en; en = en->next)
		if (en->bound && release_bound(en, arg))
			host_wake_all(en);
	pthread_mutex_unlock(&registry_lock);
}

static void setup(void)
{
	setup_error = pthread_key_create(&thread_end_key, on_thread_end);
	if (!setup_error)
		setup_error = pthread_atfork(NULL, NULL, in_child);
}

int host_register(struct bawn_enclave *en, struct bawn_error *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, setup);
	if (setup_error) {
		errno = setup_error;
		return err_sys(e, "thread-specific data");
	}
	pthread_mutex_lock(&registry_lock);
	en->id = next_id++;
	en->fork_generation = fork_generation;
	en->next = registry;
	en->link = &registry;
	if (registry)
		registry->link = &en->next;
	registry = en;
	pthread_mutex_unlock(&registry_lock);
	return 0;
}

void host_unregister(struct bawn_enclave *en)
{
	if (!en->link)
		return;
	pthread_mutex_lock(&registry_lock);
	*en->link = en->next;
	if (en->next)
		en->next->link = en->link;
	pthread_mutex_unlock(&registry_lock);
	en->link = NULL;
}

/* ---- waiting for a TCS ---- */

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void wake(struct bawn_enclave *en, int n)
{
	if (atomic_load(&en->waiters) == 0)
		return;
	atomic_fetch_add(&en->released, 1);
	syscall(SYS_futex, &en->released, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

void host_wake_all(struct bawn_enclave *en)
{
	wake(en, INT_MAX);
}

/* ---- taking and giving ---- */

static bool claim(struct host_slot *s, uint32_t from)
{
	return atomic_compare_exchange_strong_explicit(&s->state, &from, SLOT_BUSY,
						       memory_order_acquire, memory_order_relaxed);
}

/*
 * Have the utility thread turn an absent TCS into one of ours. 1: *out is it,
 * in use by us; 0: none was absent.
 */
static int make_thread(struct bawn_enclave *en, struct host_slot **out, struct bawn_error *e)
{
	struct {
		uint64_t tcs;
	} ms;
	uint64_t status = HOST_STATUS_FAILED;
	int made = 0, r = 0;

	if (!en->utility)
		return 0;
	pthread_mutex_lock(&en->making);
	for (size_t i = 0; i < en->nslots && !made && !r; i++) {
		struct host_slot *s = &en->slot[i];

		if (atomic_load(&s->state) != SLOT_ABSENT)
			continue;
		ms.tcs = s->tcs;
		r = host_run(en, en->utility, HOST_MKTCS, &ms, &status, e);
		if (!r && (uint32_t)status != HOST_STATUS_OK) {
			/* It will not get better: leave this one out for good. */
			atomic_store(&s->state, SLOT_DEAD);
			continue;
		}
		if (!r) {
			atomic_store(&s->state, SLOT_BUSY);
			*out = s;
			made = 1;
		}
	}
	pthread_mutex_unlock(&en->making);
	return r ? r : made;
}

/* Any free TCS, starting somewhere that differs between threads. */
static struct host_slot *scan(struct bawn_enclave *en, const struct host_thread *t)
{
	size_t start = ((uintptr_t)t >> 6) % en->nslots;

	for (size_t i = 0; i < en->nslots; i++) {
		struct host_slot *s = &en->slot[(start + i) % en->nslots];

		if (atomic_load_explicit(&s->state, memory_order_relaxed) == SLOT_FREE &&
		    claim(s, SLOT_FREE))
			return s;
	}
	return NULL;
}

static int take_any(struct bawn_enclave *en, const struct host_thread *t, bool wait,
		    struct host_slot **out, struct bawn_error *e)
{
	int r = 0;

	while (!r) {
		uint32_t seen = atomic_load(&en->released);

		*out = scan(en, t);
		if (*out)
			return 0;
		r = make_thread(en, out, e);
		if (r)
			return r > 0 ? 0 : r;
		if (!wait)
			return err_set(e, BAWN_ERR_BUSY, "all %zu threads of the enclave are in use",
				       en->nslots);
		/* Announce, then look again: who releases one from here on bumps `released`. */
		atomic_fetch_add(&en->waiters, 1);
		*out = scan(en, t);
		r = *out ? 0 : host_alive(en, e);
		if (!*out && !r)
			futex_wait(&en->released, seen);
		atomic_fetch_sub(&en->waiters, 1);
		if (*out)
			return 0;
	}
	return r;
}

/* The TCS that is this thread's in an enclave that binds them. */
static int take_bound(struct bawn_enclave *en, struct host_thread *t, struct host_slot **out,
		      struct bawn_error *e)
{
	int r;

	for (size_t i = 0; i < en->nslots; i++)
		if (atomic_load_explicit(&en->slot[i].owner, memory_order_relaxed) == t) {
			*out = &en->slot[i];
			return 0;
		}
	/* Only a thread-specific value makes the C library tell us of the thread's end. */
	r = pthread_setspecific(thread_end_key, t);
	if (r) {
		errno = r;
		return err_sys(e, "thread-specific data");
	}
	r = take_any(en, t, !en->no_wait, out, e);
	if (r)
		return r;
	atomic_store(&(*out)->owner, t);
	atomic_store(&(*out)->state, SLOT_BOUND);
	return 0;
}

int host_slot_take(struct bawn_enclave *en, struct host_thread *t, struct host_slot **out,
		   struct bawn_error *e)
{
	size_t i = en->id % HOST_CACHE;
	struct host_slot *s = t->cache[i].id == en->id ? t->cache[i].slot : NULL;
	int r;

	if (!en->bound) {
		if (s && claim(s, SLOT_FREE)) {
			*out = s;
			return 0;
		}
		r = take_any(en, t, !en->no_wait, out, e);
	} else {
		bool mine = s && atomic_load_explicit(&s->owner, memory_order_relaxed) == t;

		*out = s;
		r = mine ? 0 : take_bound(en, t, out, e);
		if (!r && (*out)->active)
			return err_set(e, BAWN_ERR_USAGE,
				       "ECALL from a signal handler: this thread is inside the enclave");
		if (!r)
			(*out)->active = true;
	}
	if (!r) {
		t->cache[i].id = en->id;
		t->cache[i].slot = *out;
	}
	return r;
}

/* What a crash left on the TCS stays there: it is never entered again. */
static bool usable(int r)
{
	return r != BAWN_ERR_CRASHED && r != BAWN_ERR_LOST;
}

void host_slot_return(struct bawn_enclave *en, struct host_slot *s, int r)
{
	atomic_exchange(&s->state, usable(r) ? SLOT_FREE : SLOT_DEAD);
	wake(en, 1);
}

void host_slot_give(struct bawn_enclave *en, struct host_slot *s, int r)
{
	if (en->bound)
		s->active = !usable(r);
	else
		host_slot_return(en, s, r);
}

/* ---- threads that the enclave starts ---- */

int host_slot_reserve(struct bawn_enclave *en, struct host_slot **out, struct bawn_error *e)
{
	return take_any(en, &self, false, out, e);
}

void host_threads_left(struct bawn_enclave *en)
{
	/* Whoever waits may free the enclave as soon as it sees the last one go. */
	if (atomic_fetch_sub(&en->started, 1) == 1)
		syscall(SYS_futex, &en->started, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void host_threads_end(struct bawn_enclave *en)
{
	uint32_t left;

	if (atomic_load(&en->started) == 0)
		return;
	host_kill(en, HOST_LOST);
	while ((left = atomic_load(&en->started)))
		futex_wait(&en->started, left);
}

/* ---- an enclave's TCSs ---- */

int host_threads_init(struct bawn_enclave *en, const struct image *im, struct bawn_error *e)
{
	size_t dynamic = 0;

	if (im->ntcs == 0)
		return err_set(e, BAWN_ERR_FORMAT, "the enclave has no TCS: nothing can enter it");
	if (posix_memalign((void **)&en->slot, sizeof(*en->slot), im->ntcs * sizeof(*en->slot)))
		return err_nomem(e);
	memset(en->slot, 0, im->ntcs * sizeof(*en->slot));
	en->nslots = im->ntcs;
	for (size_t i = 0; i < im->ntcs; i++) {
		bool absent = im->tcs[i].dynamic;

		en->slot[i].tcs = en->secs.baseaddr + im->tcs[i].offset;
		atomic_init(&en->slot[i].state, absent ? SLOT_ABSENT : SLOT_FREE);
		dynamic += absent;
	}
	/* Dynamic threads are made by the first static one, which does nothing else. */
	for (size_t i = 0; i < im->ntcs && en->edmm && dynamic && !en->utility; i++)
		if (!im->tcs[i].dynamic) {
			en->utility = &en->slot[i];
			atomic_store(&en->utility->state, SLOT_UTILITY);
		}
	return 0;
}

int host_threads_start(struct bawn_enclave *en, uint32_t min_pool, struct bawn_error *e)
{
	uint32_t available = 0;
	struct host_slot *s;
	int r = 1;

	if (!en->utility)
		return 0;
	for (size_t i = 0; i < en->nslots; i++)
		available += atomic_load(&en->slot[i].state) == SLOT_FREE;
	for (; available < min_pool && r > 0; available++) {
		r = make_thread(en, &s, e);
		if (r > 0)
			atomic_store(&s->state, SLOT_FREE);
	}
	return r < 0 ? r : 0;
}
