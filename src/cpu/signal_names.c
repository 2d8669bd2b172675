/*
 * Front end for programs linked with libbawn: the C library's names for what
 * the engine must see. They do what the C library's do, by system calls, and
 * nothing else while no emulated device is open.
 *
 * All of the names that one object file of a C library defines are here, or a
 * static link would find some twice. Left out: sigpause and sigsuspend, whose
 * masks are temporary; sigvec and sigstack, which are history; names with two
 * underscores that C libraries use among themselves. Out of reach: handlers
 * installed by plain system calls once an emulated device is open, or by a
 * library that was not linked against ours and found the C library first.
 *
 * The engine is started here, so that nobody links it without these names: they
 * would be found elsewhere (in AddressSanitizer's run-time library, say), and
 * handlers installed afterwards would not be seen.
 */
#include "cpu/engine.h"

#include <errno.h>
#include <string.h>

#define NAME __attribute__((visibility("default")))

typedef void (*handler_fn)(int);

/* Not declared by every C library, or only for some standards. */
NAME handler_fn bsd_signal(int sig, handler_fn h);
NAME handler_fn ssignal(int sig, handler_fn h);
NAME handler_fn sysv_signal(int sig, handler_fn h);
NAME handler_fn __sysv_signal(int sig, handler_fn h);
NAME handler_fn sigset(int sig, handler_fn h);
NAME int sigignore(int sig);
NAME int sighold(int sig);
NAME int sigrelse(int sig);
NAME int siginterrupt(int sig, int flag);
NAME int sigblock(int mask);
NAME int sigsetmask(int mask);
NAME int siggetmask(void);

_Static_assert(sizeof(stack_t) == sizeof(struct cpu_altstack), "both are the kernel's");

static uint64_t interrupting; /* signals that siginterrupt made interrupt system calls */

static int answer(int r)
{
	if (r >= 0)
		return r;
	errno = -r;
	return -1;
}

static bool is_signal(int sig)
{
	return sig >= 1 && sig <= 64 && !(LIBC_SIGNALS & SIGBIT(sig));
}

NAME int sigaction(int sig, const struct sigaction *restrict act, struct sigaction *restrict old)
{
	struct cpu_action k = { 0 }, before = { 0 };
	int r;

	if (!is_signal(sig))
		return answer(-EINVAL);
	if (act) {
		k.handler = (uintptr_t)act->sa_handler;
		k.flags = (uint64_t)(unsigned)act->sa_flags;
		memcpy(&k.mask, &act->sa_mask, sizeof(k.mask));
	}
	r = cpu_signal_action(sig, act ? &k : NULL, old ? &before : NULL);
	if (r == 0 && old) {
		memset(old, 0, sizeof(*old));
		old->sa_handler = (handler_fn)(uintptr_t)before.handler;
		old->sa_flags = (int)before.flags;
		memcpy(&old->sa_mask, &before.mask, sizeof(before.mask));
	}
	return answer(r);
}

static handler_fn install(int sig, handler_fn h, uint64_t flags, uint64_t mask)
{
	struct cpu_action k = { .handler = (uintptr_t)h, .flags = flags, .mask = mask }, before;
	int r = is_signal(sig) && h != SIG_ERR ? cpu_signal_action(sig, &k, &before) : -EINVAL;

	if (answer(r) != 0)
		return SIG_ERR;
	return (handler_fn)(uintptr_t)before.handler;
}

NAME handler_fn signal(int sig, handler_fn h)
{
	uint64_t quiet = is_signal(sig) ? interrupting & SIGBIT(sig) : 0;

	return install(sig, h, quiet ? 0 : SA_RESTART, is_signal(sig) ? SIGBIT(sig) : 0);
}

NAME handler_fn bsd_signal(int sig, handler_fn h)
{
	return signal(sig, h);
}

NAME handler_fn ssignal(int sig, handler_fn h)
{
	return signal(sig, h);
}

NAME handler_fn sysv_signal(int sig, handler_fn h)
{
	return install(sig, h, (uint64_t)SA_RESETHAND | SA_NODEFER, 0);
}

NAME handler_fn __sysv_signal(int sig, handler_fn h)
{
	return sysv_signal(sig, h);
}

NAME int siginterrupt(int sig, int flag)
{
	struct cpu_action k;
	int r = is_signal(sig) ? cpu_signal_action(sig, NULL, &k) : -EINVAL;

	if (r)
		return answer(r);
	if (flag) {
		__atomic_fetch_or(&interrupting, SIGBIT(sig), __ATOMIC_RELAXED);
		k.flags &= ~(uint64_t)SA_RESTART;
	} else {
		__atomic_fetch_and(&interrupting, ~SIGBIT(sig), __ATOMIC_RELAXED);
		k.flags |= SA_RESTART;
	}
	return answer(cpu_signal_action(sig, &k, NULL));
}

/* ---- masks ---- */

static int change_mask(int how, const sigset_t *set, sigset_t *old)
{
	uint64_t asked, before;
	int r;

	if (set)
		memcpy(&asked, set, sizeof(asked));
	r = cpu_signal_mask(how, set ? &asked : NULL, old ? &before : NULL);
	if (r == 0 && old) {
		memset(old, 0, sizeof(*old));
		memcpy(old, &before, sizeof(before));
	}
	return r;
}

NAME int sigprocmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
	return answer(change_mask(how, set, old));
}

NAME int pthread_sigmask(int how, const sigset_t *restrict set, sigset_t *restrict old)
{
	return -change_mask(how, set, old);
}

static int change_one(int how, int sig, bool *was_blocked)
{
	uint64_t bit, before;
	int r;

	if (!is_signal(sig))
		return -EINVAL;
	bit = SIGBIT(sig);
	r = cpu_signal_mask(how, &bit, &before);
	if (r == 0 && was_blocked)
		*was_blocked = (before & bit) != 0;
	return r;
}

NAME int sighold(int sig)
{
	return answer(change_one(SIG_BLOCK, sig, NULL));
}

NAME int sigrelse(int sig)
{
	return answer(change_one(SIG_UNBLOCK, sig, NULL));
}

NAME int sigignore(int sig)
{
	return install(sig, SIG_IGN, 0, 0) == SIG_ERR ? -1 : 0;
}

NAME handler_fn sigset(int sig, handler_fn h)
{
	const handler_fn hold = (handler_fn)(uintptr_t)2; /* SIG_HOLD */
	struct cpu_action before;
	bool blocked = false;
	int r;

	if (h == hold) {
		r = is_signal(sig) ? cpu_signal_action(sig, NULL, &before) : -EINVAL;
		if (r == 0)
			r = change_one(SIG_BLOCK, sig, &blocked);
		if (answer(r) != 0)
			return SIG_ERR;
		return blocked ? hold : (handler_fn)(uintptr_t)before.handler;
	}
	h = install(sig, h, 0, 0);
	if (h == SIG_ERR || answer(change_one(SIG_UNBLOCK, sig, &blocked)) != 0)
		return SIG_ERR;
	return blocked ? hold : h;
}

/* 4.2BSD's: masks of 32 signals. */
NAME int sigblock(int mask)
{
	uint64_t set = (uint32_t)mask, before = 0;

	cpu_signal_mask(SIG_BLOCK, &set, &before);
	return (int)before;
}

NAME int sigsetmask(int mask)
{
	uint64_t set = (uint32_t)mask, before = 0;

	cpu_signal_mask(SIG_SETMASK, &set, &before);
	return (int)before;
}

NAME int siggetmask(void)
{
	uint64_t before = 0;

	cpu_signal_mask(SIG_BLOCK, NULL, &before);
	return (int)before;
}

/* ---- alternate stacks ---- */

NAME int sigaltstack(const stack_t *restrict ss, stack_t *restrict old)
{
	struct cpu_altstack k, before;
	int r;

	if (ss)
		memcpy(&k, ss, sizeof(k));
	r = cpu_signal_altstack(ss ? &k : NULL, old ? &before : NULL,
				(uintptr_t)__builtin_frame_address(0));
	if (r == 0 && old)
		memcpy(old, &before, sizeof(before));
	return answer(r);
}

/* ---- the start ---- */

int cpu_engine_start(struct bawn_error *e)
{
	return cpu_signals_take_over(e);
}
