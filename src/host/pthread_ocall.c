/*
 * OCALLs that SDK enclaves import from sgx_pthread.edl: threads that the
 * enclave starts. Such a thread is a host thread that enters the enclave by a
 * TCS of its own, with HOST_PTHREAD, and ends when that command does; then the
 * enclave may have named the TCS of a thread that waits for its end.
 */
#include "host/host.h"

#include <stdlib.h>

struct started {
	struct bawn_enclave *en;
	struct host_slot *slot;
};

static void *run(void *arg)
{
	struct started s = *(struct started *)arg;
	uint64_t waiter = 0, status;
	int r;

	free(arg);
	r = host_run(s.en, s.slot, HOST_PTHREAD, &waiter, &status, NULL);
	/* Before the waiter goes on, and perhaps starts another: this TCS is to be had again. */
	host_slot_return(s.en, s.slot, r);
	if (waiter)
		host_event_set(s.en, waiter);
	host_threads_left(s.en);
	return NULL;
}

/* Start one: 0, or the status that the enclave is told. */
static uint32_t start(struct bawn_enclave *en)
{
	struct started *s = malloc(sizeof(*s));
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	if (!s)
		return HOST_STATUS_FAILED;
	s->en = en;
	if (host_slot_reserve(en, &s->slot, NULL) != 0) {
		free(s);
		return HOST_STATUS_TCS;
	}
	atomic_fetch_add(&en->started, 1);
	r = pthread_attr_init(&attr);
	if (!r) {
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		r = pthread_create(&thread, &attr, run, s);
		pthread_attr_destroy(&attr);
	}
	if (!r)
		return HOST_STATUS_OK;
	host_slot_return(en, s->slot, 0);
	host_threads_left(en);
	free(s);
	return HOST_STATUS_FAILED;
}

struct ms_create {
	int32_t retval;
	uint64_t self;
};
struct ms_wait {
	int32_t retval;
	uint64_t waiter, timeout;
};
struct ms_wakeup {
	int32_t retval;
	uint64_t waiter;
};

uint32_t bawn_ocall_pthread_create(void *ms, void *arg)
{
	const struct host_call *c = host_thread()->top;
	struct ms_create *m = ms;

	(void)arg;
	m->retval = (int32_t)(c ? start(c->en) : HOST_STATUS_FAILED);
	return HOST_STATUS_OK;
}

uint32_t bawn_ocall_pthread_wait_timeout(void *ms, void *arg)
{
	const struct host_call *c = host_thread()->top;
	struct ms_wait *m = ms;

	(void)arg;
	/* Whether the event came or the time passed, the enclave looks for itself. */
	m->retval = c && host_event_wait(c->en, m->waiter, m->timeout) ? HOST_STATUS_OK : HOST_STATUS_FAILED;
	return HOST_STATUS_OK;
}

uint32_t bawn_ocall_pthread_wakeup(void *ms, void *arg)
{
	const struct host_call *c = host_thread()->top;
	struct ms_wakeup *m = ms;

	(void)arg;
	if (c)
		host_event_set(c->en, m->waiter);
	m->retval = HOST_STATUS_OK;
	return HOST_STATUS_OK;
}
