/*
 * load SECONDS: eight threads in one enclave, under a profiling timer and real
 * timers at 1 kHz each. Every result is checked.
 */
#include "client.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static struct encl en;
static volatile bool stop;
static uint64_t profiles, ticks, handler_wrong;
static __thread uint64_t mine;
static sigset_t profiling; /* blocked in a thread until that is set */

static void on_profile(int sig)
{
	(void)sig;
	__atomic_fetch_add(&profiles, 1, __ATOMIC_RELAXED);
	if (mine >> 8 != 0xabc)
		__atomic_fetch_add(&handler_wrong, 1, __ATOMIC_RELAXED);
}

static void on_tick(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)si;
	(void)context;
	__atomic_fetch_add(&ticks, 1, __ATOMIC_RELAXED);
	if (mine >> 8 != 0xabc)
		__atomic_fetch_add(&handler_wrong, 1, __ATOMIC_RELAXED);
}

/* A timer for this thread, every millisecond. */
static timer_t start_timer(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	struct itimerspec t = { { 0, 1000000 }, { 0, 1000000 } };
	timer_t id;

	ev.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &ev, &id) || timer_settime(id, 0, &t, NULL))
		bail("a timer");
	return id;
}

struct worker {
	unsigned tcs;
	uint64_t calls, wrong;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	timer_t id;

	mine = 0xabc00 | w->tcs;
	pthread_sigmask(SIG_UNBLOCK, &profiling, NULL);
	id = start_timer();
	for (uint64_t i = 1; !stop; i++) {
		const uint64_t rounds = i % 7 ? 2000 : 200000;
		struct answer a;

		switch (i % 4) {
		case 0:
			a = call(&en, w->tcs, KIT_REGISTERS, i, rounds);
			w->wrong += a.rdi != 0;
			break;
		case 1:
			a = call(&en, w->tcs, KIT_XMM, i, rounds);
			w->wrong += a.rdi != 0;
			break;
		default:
			a = call(&en, w->tcs, KIT_SPIN, rounds, i);
			w->wrong += a.rdi != spin(rounds, i);
		}
		w->wrong += a.ret != 0 || a.exceptions != 0;
		w->calls++;
	}
	timer_delete(id);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction tick = { .sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct itimerval t = { { 0, 1000 }, { 0, 1000 } }, off = { { 0 } };
	struct worker w[KIT_TCSS] = { 0 };
	pthread_t id[KIT_TCSS];
	uint64_t calls = 0, wrong = 0;
	struct timespec limit = { argc > 1 ? atoi(argv[1]) : 2, 0 };

	encl_make(&en, "plain");
	mine = 0xabc00;
	sigaction(SIGUSR1, &tick, NULL);
	signal(SIGPROF, on_profile);
	sigemptyset(&profiling);
	sigaddset(&profiling, SIGPROF);
	pthread_sigmask(SIG_BLOCK, &profiling, NULL);
	for (unsigned i = 0; i < KIT_TCSS; i++) {
		w[i].tcs = i;
		if (pthread_create(&id[i], NULL, work, &w[i]))
			bail("a thread");
	}
	pthread_sigmask(SIG_UNBLOCK, &profiling, NULL);
	setitimer(ITIMER_PROF, &t, NULL);
	while (nanosleep(&limit, &limit))
		;
	stop = true;
	for (unsigned i = 0; i < KIT_TCSS; i++)
		pthread_join(id[i], NULL);
	setitimer(ITIMER_PROF, &off, NULL);
	for (unsigned i = 0; i < KIT_TCSS; i++) {
		calls += w[i].calls;
		wrong += w[i].wrong;
		ok(w[i].calls > 0 && w[i].wrong == 0, "thread %u: %llu calls, %llu wrong", i,
		   (unsigned long long)w[i].calls, (unsigned long long)w[i].wrong);
	}
	ok(profiles > 10 && ticks > 100, "%llu profiling signals, %llu of timers", (unsigned long long)profiles,
	   (unsigned long long)ticks);
	is_int(handler_wrong, 0, "handlers had their thread's data");
	ok(wrong == 0, "nothing wrong in %llu calls", (unsigned long long)calls);
	return tap_done();
}
