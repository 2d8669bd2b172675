/*
 * What the program asked of the kernel's signal functions, and what the kernel
 * was told instead.
 *
 * Actions: every signal that the program handles, and every signal that faults
 * arrive as, has the engine's handler, on the alternate stack and with all
 * signals blocked. Actions without a handler are the kernel's business.
 *
 * Masks: in a thread with a record the trap signals are never blocked, or the
 * next ENCLU would kill it; whether the program believes them to be is
 * traps_blocked. All other bits are the kernel's own, so that jumps out of
 * handlers, inheritance and sigpending need no help; of the trap signals
 * SCOPE_SIGNAL tells that a handler which blocks them was left.
 *
 * Alternate stacks: in a thread with a record the kernel has ours, and the
 * program's is remembered.
 *
 * Known differences. A handler called out of sigsuspend, ppoll and the like
 * runs with the mask from before that call, not the temporary one, which the
 * kernel tells nobody. Trap signals with SIG_IGN are reset to SIG_DFL by
 * execve, since the kernel sees a handler. sigpending does not list trap
 * signals that are held back. pthread_cancel with glibc waits for the end of a
 * handler that blocks trap signals.
 */
#include "cpu/engine.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>

#define ARCH_SHSTK_STATUS 0x5005
#define HWCAP2_FSGSBASE 2
#define SIGNALS 64
#define ALT_MINIMUM 2048 /* the kernel's MINSIGSTKSZ */

/* Flags that mean the same with our handler in place. */
#define FLAGS_KEPT (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_RESTART)

uint32_t cpu_engine_on;

#ifdef BAWN_PRELOAD
const struct cpu_front bawn_emulate_signals = {
	.action = cpu_signal_action,
	.mask = cpu_signal_mask,
	.altstack = cpu_signal_altstack,
};
static const struct cpu_front *other_engine(void)
{
	return NULL;
}
#else
static const struct cpu_front *other_engine(void)
{
	return &bawn_emulate_signals;
}
#endif

static struct cpu_action actions[SIGNALS + 1]; /* as the program sees them; under the lock */

bool cpu_engine_is_injected(void)
{
	return other_engine() != NULL;
}

/* ---- actions ---- */

static long kernel_action(int sig, const struct cpu_action *act, struct cpu_action *old)
{
	return cpu_syscall(SYS_rt_sigaction, (uint64_t)sig, (uintptr_t)act, (uintptr_t)old, KSIGSETSIZE);
}

/* The kernel's action for what the program asked. */
static struct cpu_action wrapped(int sig, const struct cpu_action *act)
{
	struct cpu_action k = *act;

	k.restorer = (uintptr_t)cpu_handler_restorer;
	k.flags |= KSA_RESTORER;
	if (act->handler > ACTION_IGNORE || (TRAP_SIGNALS & SIGBIT(sig))) {
		k.handler = (uintptr_t)cpu_trap_entry;
		k.flags = (act->flags & (uint64_t)FLAGS_KEPT) | SA_SIGINFO | SA_ONSTACK | KSA_RESTORER;
		k.mask = ~UINT64_C(0);
	}
	return k;
}

int cpu_signal_action(int sig, const struct cpu_action *act, struct cpu_action *old)
{
	struct cpu_action k, before;
	uint64_t mask;
	long r;

	if (sig < 1 || sig > SIGNALS)
		return -EINVAL;
	if (!cpu_is_on()) {
		if (other_engine())
			return other_engine()->action(sig, act, old);
		if (act) {
			k = *act;
			k.restorer = (uintptr_t)cpu_handler_restorer;
			k.flags |= KSA_RESTORER;
		}
		r = kernel_action(sig, act ? &k : NULL, &before);
		if (r || !cpu_is_on()) {
			if (!r && old)
				*old = before;
			return (int)r;
		}
		/* The engine started meanwhile, and may have seen the action before or after ours. */
	}
	if (!act && !old)
		return 0;
	if (act)
		k = wrapped(sig, act);
	mask = cpu_lock(&cpu_fork_page->actions);
	r = kernel_action(sig, act ? &k : NULL, NULL);
	if (!r) {
		if (old)
			*old = actions[sig];
		if (act)
			actions[sig] = *act;
	}
	cpu_unlock(&cpu_fork_page->actions, mask);
	return (int)r;
}

void cpu_signal_take(int sig, struct cpu_action *out)
{
	uint64_t mask = cpu_lock(&cpu_fork_page->actions);
	struct cpu_action *a = &actions[sig];

	*out = *a;
	if (a->handler > ACTION_IGNORE && (a->flags & SA_RESETHAND)) {
		struct cpu_action k;

		a->handler = ACTION_DEFAULT;
		k = wrapped(sig, a);
		kernel_action(sig, &k, NULL);
	}
	cpu_unlock(&cpu_fork_page->actions, mask);
}

void cpu_signal_default(int sig)
{
	struct cpu_action k = { .handler = ACTION_DEFAULT };

	kernel_action(sig, &k, NULL);
}

/* ---- the signal mask ---- */

static void settle_now(struct cpu_thread *t, uint64_t sp)
{
	uint64_t mask = cpu_mask_swap(SIG_BLOCK, 0), settled = cpu_settle_scopes(t, sp, mask);

	if (settled != mask)
		cpu_mask_swap(SIG_UNBLOCK, SCOPE_SIGNAL);
}

int cpu_signal_mask(int how, const uint64_t *set, uint64_t *old)
{
	struct cpu_thread *t = cpu_is_on() ? cpu_thread_self() : NULL;
	uint64_t real, asked = set ? *set & ~LIBC_SIGNALS : 0, before = 0, traps;
	long r;

	if (!cpu_is_on() && other_engine())
		return other_engine()->mask(how, set, old);
	if (set && how != SIG_BLOCK && how != SIG_UNBLOCK && how != SIG_SETMASK)
		return -EINVAL;
	/*
	 * A thread that blocks the trap signals gets its record now, or an ENCLU
	 * of its own could not be trapped. Without memory it blocks them in truth.
	 */
	if (!t && cpu_is_on() && set && how != SIG_UNBLOCK && (asked & TRAP_SIGNALS))
		t = cpu_thread_get();
	if (t && t->scopes)
		settle_now(t, (uintptr_t)__builtin_frame_address(0));
	real = t ? asked & ~TRAP_SIGNALS : asked;
	if (t && t->scopes && how == SIG_SETMASK)
		real |= SCOPE_SIGNAL;
	r = cpu_syscall(SYS_rt_sigprocmask, (uint64_t)how, set ? (uintptr_t)&real : 0,
			old ? (uintptr_t)&before : 0, KSIGSETSIZE);
	if (r)
		return (int)r;
	if (t) {
		before |= t->traps_blocked;
		traps = asked & TRAP_SIGNALS;
		if (set && how == SIG_BLOCK)
			t->traps_blocked |= traps;
		else if (set && how == SIG_UNBLOCK)
			t->traps_blocked &= ~traps;
		else if (set)
			t->traps_blocked = traps;
		cpu_release_held(t);
	}
	if (old)
		*old = before & ~LIBC_SIGNALS;
	return 0;
}

/* ---- the alternate stack ---- */

bool cpu_on_altstack(const struct cpu_altstack *a, uint64_t sp)
{
	/* As the kernel judges: one that disarms itself is never "in use". */
	return a->size && !(a->flags & (ALT_DISABLE | ALT_AUTODISARM)) && sp > a->sp &&
	       sp - a->sp <= a->size;
}

int cpu_signal_altstack(const struct cpu_altstack *ss, struct cpu_altstack *old, uint64_t sp)
{
	struct cpu_thread *t = cpu_is_on() ? cpu_thread_self() : NULL;
	struct cpu_altstack before;
	uint32_t mode;
	bool on;

	if (!cpu_is_on() && other_engine())
		return other_engine()->altstack(ss, old, sp);
	if (!t)
		return (int)cpu_syscall(SYS_sigaltstack, (uintptr_t)ss, (uintptr_t)old, 0, 0);
	before = t->alt;
	on = cpu_on_altstack(&before, sp);
	if (ss) {
		mode = ss->flags & ~ALT_AUTODISARM;
		if (on)
			return -EPERM;
		if (mode != 0 && mode != ALT_ONSTACK && mode != ALT_DISABLE)
			return -EINVAL;
		if (mode == ALT_DISABLE)
			t->alt = (struct cpu_altstack){ .flags = ALT_DISABLE };
		else if (ss->size < ALT_MINIMUM)
			return -ENOMEM;
		else
			t->alt = (struct cpu_altstack){
				.sp = ss->sp, .size = ss->size, .flags = ss->flags & ALT_AUTODISARM
			};
	}
	if (old) {
		*old = before;
		old->flags &= ALT_AUTODISARM;
		old->flags |= on ? ALT_ONSTACK : before.size ? 0 : ALT_DISABLE;
	}
	return 0;
}

/* ---- taking over ---- */

/* Put our handler in front of every handler there is, and of the trap signals. */
static void wrap_all(void)
{
	for (int sig = 1; sig <= SIGNALS; sig++) {
		struct cpu_action k;

		if ((LIBC_SIGNALS & SIGBIT(sig)) || kernel_action(sig, NULL, &actions[sig]) != 0)
			continue;
		if (actions[sig].handler <= ACTION_IGNORE && !(TRAP_SIGNALS & SIGBIT(sig)))
			continue;
		k = wrapped(sig, &actions[sig]);
		kernel_action(sig, &k, NULL);
	}
}

/* What this machine must have, and what it has. */
static int look_around(struct bawn_error *e)
{
	const uint8_t *random = (const uint8_t *)getauxval(AT_RANDOM);
	uint64_t status = 0, frame = getauxval(AT_MINSIGSTKSZ);

	/* A shadow stack would refuse the frames that the engine makes. */
	if (cpu_syscall(SYS_arch_prctl, ARCH_SHSTK_STATUS, (uintptr_t)&status, 0, 0) == 0 && status)
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "the emulated CPU cannot run under a shadow stack: "
			       "disable it for this program (glibc.cpu.x86_shstk=off)");
	/* Room for the kernel's frame, and 128 KiB for leaf functions. */
	if (frame > RECORD_STACK_LEN - 0x20000)
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "this machine's signal frames have %llu bytes, too many for the emulated CPU",
			       (unsigned long long)frame);
	cpu_fsgsbase = (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) != 0;
	cpu_thread_magic = UINT64_C(0xb4c31d5a97e60f82);
	if (random)
		cpu_thread_magic ^= get_le64(random);
	return 0;
}

int cpu_signals_take_over(struct bawn_error *e)
{
	uint64_t mask;
	int r = 0;

	if (cpu_is_on())
		return 0;
	if (other_engine())
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "this program runs under `bawn emulate`, which has an emulated CPU already: "
			       "use the kernel device");
	r = cpu_fork_page_init(e);
	if (r)
		return r;
	mask = cpu_lock(&cpu_fork_page->actions);
	if (!cpu_is_on()) {
		r = look_around(e);
		if (!r) {
			/* First on, then wrap: see cpu_signal_action. */
			__atomic_store_n(&cpu_engine_on, 1, __ATOMIC_RELEASE);
			wrap_all();
		}
	}
	cpu_unlock(&cpu_fork_page->actions, mask);
	return r;
}
