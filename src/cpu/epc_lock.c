/*
 * The lock of an EPC, and what makes it survive its holder: a change that
 * takes several steps is announced in the shared header first, so that whoever
 * finds the holder dead can undo or finish it.
 *
 * A holder that ended its thread by an unwinding would not be dead until that is
 * over. Signals are held back; and what is called under the lock, and while
 * waiting for it, is no cancellation point: hence system calls.
 */
#include "cpu/state.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#define LOCK_SPINS 200
#define LOCK_WAIT_NS UINT64_C(1000000000)
#define LOCK_SLEEP_NS 50000
#define LOCK_CHECK_NS UINT64_C(5000000) /* how often a holder's life is asked after */

/* Every signal but those that the processor raises at the very instruction. */
static uint64_t hold_signals(void)
{
	static const int not_held[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS };
	uint64_t all = ~UINT64_C(0), old = 0;

	for (size_t i = 0; i < ARRAY_LEN(not_held); i++)
		all &= ~(UINT64_C(1) << (not_held[i] - 1));
	cpu_syscall(SYS_rt_sigprocmask, SIG_BLOCK, (uintptr_t)&all, (uintptr_t)&old, sizeof(all));
	return old;
}

static void release_signals(uint64_t old)
{
	cpu_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (uintptr_t)&old, 0, sizeof(old));
}

static bool try_lock(struct cpu_epc_shared *s, uint64_t from, uint64_t self)
{
	return __atomic_compare_exchange_n(&s->lock, &from, self, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

/* Wait for the lock; false after a second, or if this very thread has it. */
static bool wait_lock(struct cpu_epc_shared *s, uint64_t self)
{
	const struct timespec nap = { .tv_nsec = LOCK_SLEEP_NS };
	uint64_t start, checked = 0;

	for (int i = 0; i < LOCK_SPINS; i++) {
		if (__atomic_load_n(&s->lock, __ATOMIC_RELAXED) == 0 && try_lock(s, 0, self))
			return true;
		__builtin_ia32_pause();
	}
	start = clock_ns();
	for (;;) {
		uint64_t now = clock_ns(), holder = __atomic_load_n(&s->lock, __ATOMIC_RELAXED);

		if (holder == self)
			return false;
		if (holder == 0) {
			if (try_lock(s, 0, self))
				return true;
			continue;
		}
		if (now - checked >= LOCK_CHECK_NS) {
			checked = now;
			if (!cpu_owner_alive(holder) && try_lock(s, holder, self))
				return true;
		}
		if (now - start >= LOCK_WAIT_NS)
			return false;
		cpu_syscall(SYS_nanosleep, (uintptr_t)&nap, 0, 0, 0);
	}
}

bool epc_lock(struct cpu_epc *epc, uint64_t *sigmask)
{
	uint64_t self = cpu_owner_self();
	struct cpu_epc_shared *s = epc->shared;

	*sigmask = hold_signals();
	if (!try_lock(s, 0, self) && !wait_lock(s, self)) {
		release_signals(*sigmask);
		return false;
	}
	if (epc_sync(epc, NULL) != 0) {
		epc_unlock(epc, *sigmask);
		return false;
	}
	if (s->intent.op != EPC_NOTHING)
		epc_recover(epc);
	return true;
}

void epc_unlock(struct cpu_epc *epc, uint64_t sigmask)
{
	__atomic_store_n(&epc->shared->lock, 0, __ATOMIC_RELEASE);
	release_signals(sigmask);
}

bool cpu_epc_request_begin(struct cpu_epc *epc)
{
	uint64_t self = cpu_owner_self(), holder = 0;

	while (!__atomic_compare_exchange_n(&epc->shared->request, &holder, self, false,
					    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		if (cpu_owner_alive(holder))
			return false;
	return true;
}

void cpu_epc_request_end(struct cpu_epc *epc)
{
	__atomic_store_n(&epc->shared->request, 0, __ATOMIC_RELEASE);
}

void epc_intend(struct cpu_epc *epc, enum epc_intent_op op, uint64_t offset, uint64_t length,
		uint64_t pages)
{
	struct cpu_epc_shared *s = epc->shared;

	s->intent.first = offset / ISA_PAGE;
	s->intent.count = length / ISA_PAGE;
	s->intent.pages = pages;
	s->intent.measure = !(s->measure_current & 1);
	__atomic_store_n(&s->intent.op, op, __ATOMIC_RELEASE);
}

void epc_intent_done(struct cpu_epc *epc)
{
	struct cpu_epc_shared *s = epc->shared;

	s->pages = s->intent.pages;
	__atomic_store_n(&s->intent.op, EPC_NOTHING, __ATOMIC_RELEASE);
}

void epc_recover(struct cpu_epc *epc)
{
	struct cpu_epc_shared *s = epc->shared;
	const uint64_t all = epc_size(epc) / ISA_PAGE;
	uint64_t first = s->intent.first, count = s->intent.count;
	uint32_t op = s->intent.op;

	/* Other processes write the header: believe nothing that would lead outside. */
	if (first >= all || count == 0 || count > all - first)
		op = EPC_NOTHING;
	switch (op) {
	case EPC_ADD:
		/* Added are the pages that the current measurement includes: all, or none. */
		if ((s->measure_current & 1) == s->intent.measure)
			break;
		for (uint64_t i = first; i < first + count; i++)
			epcm_store(epc, i * ISA_PAGE, 0);
		epc_discard(epc, first * ISA_PAGE, count * ISA_PAGE);
		s->intent.pages = s->pages;
		break;
	case EPC_AUG:
		if (!(epcm_load(epc, first * ISA_PAGE) & EPCM_VALID))
			s->intent.pages = s->pages;
		break;
	case EPC_REMOVE:
		if (epcm_load(epc, first * ISA_PAGE) & EPCM_VALID)
			s->intent.pages = s->pages;
		else
			epc_discard(epc, first * ISA_PAGE, ISA_PAGE);
		break;
	default:
		s->intent.pages = s->pages;
		break;
	}
	epc_intent_done(epc);
	epc_touch(epc);
}

int epc_discard(struct cpu_epc *epc, uint64_t offset, uint64_t length)
{
	long r;

	do
		r = cpu_syscall(SYS_fallocate, (uint64_t)epc->fd,
				FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				epc->pages_off + offset, length);
	while (r == -EINTR);
	return (int)r;
}

void epc_touch(struct cpu_epc *epc)
{
	__atomic_fetch_add(&epc->shared->generation, 1, __ATOMIC_ACQ_REL);
}

void epc_announce(struct cpu_epc *epc, uint64_t offset, uint64_t length)
{
	if (epc->changed)
		epc->changed(epc->changed_arg, offset, length);
}
