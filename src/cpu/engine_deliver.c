/*
 * The program's own signal handlers, as the kernel would have called them.
 *
 * A trap arrives on our alternate stack with all signals blocked. Nothing of
 * the program may run there: the next trap starts at the top of that stack
 * again. So the frame is copied to the stack that the program would have used,
 * showing what the kernel would have shown; and our own frame is edited so
 * that rt_sigreturn enters the handler there, with the mask that it should
 * have. The handler returns to cpu_handler_restorer, which puts back into the
 * frame what only the kernel needs, and that frame ends in rt_sigreturn too.
 * The kernel knows nothing of all this; so a handler may enter enclaves, be
 * interrupted, or leave by a jump.
 */
#include "cpu/engine.h"

#include <errno.h>
#include <string.h>

#define RED_ZONE 128
/* struct _fpx_sw_bytes, at the end of the legacy area (asm/sigcontext.h) */
#define FP_LEGACY 512
#define FP_SW_BYTES 464
#define FP_XSTATE 0x46505853u /* FP_XSTATE_MAGIC1 */
#define FP_MXCSR 24
#define FP_MXCSR_INIT 0x1f80u

/* ---- signals that the program believes blocked ---- */

/* Send a signal to this thread again; what blocks it decides when it arrives. */
static void send_again(int sig, const struct cpu_siginfo *info)
{
	uint64_t pid = (uint64_t)cpu_syscall(SYS_getpid, 0, 0, 0, 0);
	uint64_t tid = (uint64_t)cpu_syscall(SYS_gettid, 0, 0, 0, 0);

	if (cpu_syscall(SYS_rt_tgsigqueueinfo, pid, tid, (uint64_t)sig, (uintptr_t)info) != 0)
		cpu_syscall(SYS_tgkill, pid, tid, (uint64_t)sig, 0);
}

static unsigned held_slot(int sig)
{
	static const uint8_t sigs[HELD_SIGNALS] = { SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSYS, SIGSEGV };
	unsigned i;

	for (i = 0; i < HELD_SIGNALS - 1 && sigs[i] != sig; i++)
		;
	return i;
}

void cpu_hold(struct cpu_thread *t, int sig, const struct cpu_siginfo *info)
{
	if (t->held & SIGBIT(sig))
		return;
	t->held_info[held_slot(sig)] = *info;
	t->held |= SIGBIT(sig);
}

void cpu_release_held(struct cpu_thread *t)
{
	uint64_t now = t->held & ~t->traps_blocked;

	for (int sig = 1; now; sig++, now >>= 1)
		if (now & 1) {
			t->held &= ~SIGBIT(sig);
			send_again(sig, &t->held_info[held_slot(sig)]);
		}
}

uint64_t cpu_mask_inside(struct cpu_thread *t, uint64_t mask)
{
	t->libc_held |= LIBC_SIGNALS & ~mask;
	return mask | LIBC_SIGNALS;
}

uint64_t cpu_mask_outside(struct cpu_thread *t, uint64_t mask)
{
	if (!t)
		return mask;
	mask &= ~t->libc_held;
	t->libc_held = 0;
	return mask | (t->scopes ? SCOPE_SIGNAL : 0);
}

/*
 * A handler that was left by siglongjmp did not return through us. If the mask
 * is one from outside of all handlers, so are we. Else its frame lies below the
 * stack pointer, or on an alternate stack that is no longer run on: the same
 * signs by which the kernel tells.
 */
uint64_t cpu_settle_scopes(struct cpu_thread *t, uint64_t sp, uint64_t mask)
{
	if (!t->scopes)
		return mask;
	if (!(mask & SCOPE_SIGNAL)) {
		t->traps_blocked = t->scope[0].before;
		t->scopes = 0;
	}
	while (t->scopes) {
		const struct cpu_scope *s = &t->scope[t->scopes - 1];
		bool was_on = cpu_on_altstack(&t->alt, s->sp), is_on = cpu_on_altstack(&t->alt, sp);

		if (was_on == is_on ? sp <= s->sp : !was_on)
			return mask;
		t->traps_blocked = s->before;
		t->scopes--;
	}
	return mask & ~SCOPE_SIGNAL;
}

static void push_scope(struct cpu_thread *t, uint64_t sp)
{
	/* The outermost stays: it knows what the program itself had blocked. */
	if (t->scopes == SCOPES) {
		memmove(t->scope + 1, t->scope + 2, (SCOPES - 2) * sizeof(t->scope[0]));
		t->scopes--;
	}
	t->scope[t->scopes++] = (struct cpu_scope){ .sp = sp, .before = t->traps_blocked };
}

/* ---- frames ---- */

/* Bytes of the floating-point state that a frame points to. */
static uint64_t fpstate_size(const uint8_t *fp)
{
	uint32_t magic, size;

	memcpy(&magic, fp + FP_SW_BYTES, 4);
	memcpy(&size, fp + FP_SW_BYTES + 4, 4);
	return magic == FP_XSTATE && size >= FP_LEGACY ? size : FP_LEGACY;
}

/* The kernel gives a handler the initial floating-point state. */
static void fpstate_reset(uint8_t *fp, uint64_t size)
{
	uint32_t mxcsr = FP_MXCSR_INIT;
	uint16_t fcw = 0x37f;

	memcpy(fp + FP_MXCSR, &mxcsr, 4);
	if (size > FP_LEGACY) {
		memset(fp + FP_LEGACY, 0, 8); /* XSTATE_BV: all components initial */
	} else {
		memset(fp, 0, FP_MXCSR);
		memcpy(fp, &fcw, 2);
	}
}

/* The stack that the kernel would have used: 0 if the frame does not fit it. */
static uint64_t choose_stack(const struct cpu_altstack *alt, const struct cpu_action *a,
			     uint64_t sp, uint64_t need)
{
	bool on = cpu_on_altstack(alt, sp);
	uint64_t top = sp - RED_ZONE;

	if ((a->flags & SA_ONSTACK) && alt->size && !(alt->flags & ALT_DISABLE) && !on) {
		top = alt->sp + alt->size;
		on = true;
	}
	/* 128: what the alignments below may take. */
	if (on && !(alt->flags & ALT_AUTODISARM) && top - alt->sp < need + 128)
		return 0;
	return top;
}

/*
 * Copy the frame below `top`, as the program shall see it. A stack that cannot
 * be written kills the process with SIGSEGV, as it would without us.
 */
static struct cpu_frame *copy_frame(const struct cpu_frame *f, uint64_t top, uint64_t fpsize)
{
	struct cpu_frame *copy;

	if (fpsize) {
		top = (top - fpsize) & ~UINT64_C(63);
		memcpy((void *)top, (const void *)f->uc.mc.fpstate, fpsize);
	}
	copy = (struct cpu_frame *)(((top - sizeof(*f)) & ~UINT64_C(15)) - 8);
	*copy = *f;
	copy->pretcode = (uintptr_t)cpu_handler_restorer;
	if (fpsize)
		copy->uc.mc.fpstate = top;
	return copy;
}

/* The mask that a handler runs with. */
static uint64_t handler_mask(const struct cpu_frame *f, const struct cpu_action *a)
{
	uint64_t m = f->uc.sigmask | a->mask;

	return a->flags & SA_NODEFER ? m : m | SIGBIT(f->info.signo);
}

/* Let the default action be taken: die with this very signal, or stop, or nothing. */
static struct cpu_verdict default_action(struct cpu_frame *f, int sig)
{
	if (TRAP_SIGNALS & SIGBIT(sig)) {
		cpu_signal_default(sig);
		f->uc.sigmask &= ~SIGBIT(sig);
	}
	send_again(sig, &f->info);
	return (struct cpu_verdict){ VERDICT_RETURN, 0 };
}

/*
 * A handler is about to get this frame: show it the program's view of mask and
 * alternate stack, and block what it blocks. Returns the kernel's mask for it.
 */
static uint64_t begin_handler(struct cpu_frame *shown, struct cpu_thread *t, uint64_t mask)
{
	const uint64_t traps = t->traps_blocked | (mask & TRAP_SIGNALS);

	if (t->scopes)
		shown->uc.sigmask &= ~SCOPE_SIGNAL;
	shown->uc.sigmask |= t->traps_blocked;
	shown->uc.stack = t->alt;
	if (traps != t->traps_blocked)
		push_scope(t, (uintptr_t)shown);
	t->traps_blocked = traps;
	if (t->alt.flags & ALT_AUTODISARM)
		t->alt = (struct cpu_altstack){ .flags = ALT_DISABLE };
	return (mask & ~TRAP_SIGNALS) | (t->scopes ? SCOPE_SIGNAL : 0);
}

/* On a thread with a record, or where the frame is not on the right stack. */
static struct cpu_verdict call_on_stack(struct cpu_frame *f, struct cpu_thread *t,
					const struct cpu_action *a)
{
	struct cpu_altstack alt = t ? t->alt : f->uc.stack;
	struct cpu_mcontext *mc = &f->uc.mc;
	uint8_t *fp = (uint8_t *)mc->fpstate;
	uint64_t fpsize = fp ? fpstate_size(fp) : 0, mask, top;
	struct cpu_frame *copy;

	top = choose_stack(&alt, a, mc->rsp, sizeof(*f) + fpsize);
	if (!top) {
		f->info = (struct cpu_siginfo){ .signo = SIGSEGV, .code = SI_KERNEL };
		return default_action(f, SIGSEGV);
	}
	copy = copy_frame(f, top, fpsize);
	mask = handler_mask(f, a);
	if (t)
		mask = begin_handler(copy, t, mask);
	f->uc.sigmask = mask;
	mc->rip = a->handler;
	mc->rsp = (uintptr_t)copy;
	mc->rdi = (uint64_t)copy->info.signo;
	mc->rsi = (uintptr_t)&copy->info;
	mc->rdx = (uintptr_t)&copy->uc;
	mc->rax = 0;
	mc->eflags &= ~(uint64_t)(RFLAGS_DF | RFLAGS_TF | RFLAGS_RF);
	if (fpsize)
		fpstate_reset(fp, fpsize);
	return (struct cpu_verdict){ VERDICT_RETURN, 0 };
}

static struct cpu_verdict call_handler(struct cpu_frame *f, struct cpu_thread *t,
				       const struct cpu_action *a)
{
	const struct cpu_altstack alt = f->uc.stack;
	bool here = cpu_on_altstack(&alt, (uintptr_t)f);
	uint64_t mask = handler_mask(f, a);

	/*
	 * A thread without a record, whose alternate stack is its program's. The
	 * kernel pushed the frame where the program wants it, unless only the
	 * engine asked for the alternate stack.
	 */
	if (!t && (!here || (a->flags & SA_ONSTACK) || cpu_on_altstack(&alt, f->uc.mc.rsp))) {
		/*
		 * A handler that blocks trap signals gets a record for its thread, and
		 * with it the kernel's frame serves as the copy: it may enter enclaves.
		 */
		if (mask & ~f->uc.sigmask & TRAP_SIGNALS)
			t = cpu_thread_get_in_trap(f);
		if (t) {
			mask = begin_handler(f, t, mask);
			f->uc.stack = alt;
		}
		cpu_mask_swap(SIG_SETMASK, mask);
		return (struct cpu_verdict){ VERDICT_HANDLER, a->handler };
	}
	return call_on_stack(f, t, a);
}

struct cpu_verdict cpu_deliver(struct cpu_frame *f, struct cpu_thread *t, bool fault)
{
	struct cpu_verdict done = { VERDICT_RETURN, 0 };
	int sig = f->info.signo;
	struct cpu_action a;

	if (t) {
		struct cpu_altstack mine = cpu_thread_stack(t);

		/*
		 * The C library's own handler runs on our stack (setuid in all
		 * threads): whatever else comes must wait for its end.
		 */
		if (cpu_on_altstack(&mine, f->uc.mc.rsp)) {
			if (fault)
				return default_action(f, sig);
			f->uc.sigmask |= SIGBIT(sig);
			send_again(sig, &f->info);
			return done;
		}
		f->uc.sigmask = cpu_settle_scopes(t, f->uc.mc.rsp, f->uc.sigmask);
		if (t->traps_blocked & SIGBIT(sig)) {
			/* The kernel kills a thread that faults with the fault's signal blocked. */
			if (fault)
				return default_action(f, sig);
			cpu_hold(t, sig, &f->info);
			return done;
		}
	}
	cpu_signal_take(sig, &a);
	if (a.handler > ACTION_IGNORE)
		return call_handler(f, t, &a);
	if (a.handler == ACTION_IGNORE && !fault)
		return done;
	return default_action(f, sig);
}

void cpu_handler_return(struct cpu_ucontext *uc)
{
	struct cpu_thread *t = cpu_is_on() ? cpu_thread_self() : NULL;
	uint64_t frame = (uintptr_t)uc - FRAME_UC;

	if (!t)
		return;
	/* What rt_sigreturn does with the alternate stack, for the program's. */
	if (!cpu_on_altstack(&t->alt, uc->mc.rsp)) {
		t->alt = uc->stack;
		t->alt.flags &= ~ALT_ONSTACK;
	}
	for (uint32_t i = t->scopes; i-- > 0;)
		if (t->scope[i].sp == frame)
			t->scopes = i;
	t->traps_blocked = uc->sigmask & TRAP_SIGNALS;
	uc->sigmask &= ~TRAP_SIGNALS;
	if (t->scopes)
		uc->sigmask |= SCOPE_SIGNAL;
	uc->stack = cpu_thread_stack(t);
	cpu_release_held(t);
}

/* ---- exceptions as signals ---- */

void cpu_frame_set_fault(struct cpu_frame *f, const struct cpu_fault *fault)
{
	struct cpu_siginfo *i = &f->info;
	const int32_t signo = i->signo, code = i->code;
	const bool same = f->uc.mc.trapno == fault->vector; /* then the kernel's finer code stands */

	*i = (struct cpu_siginfo){ .addr = f->uc.mc.rip };
	switch (fault->vector) {
	case VEC_DE:
	case VEC_MF:
	case VEC_XM:
		i->signo = SIGFPE;
		i->code = same ? code : FPE_INTDIV;
		break;
	case VEC_DB:
		i->signo = SIGTRAP;
		i->code = same ? code : TRAP_TRACE;
		break;
	case VEC_BP:
		i->signo = SIGTRAP;
		i->code = SI_KERNEL;
		i->addr = 0;
		break;
	case VEC_UD:
		i->signo = SIGILL;
		i->code = ILL_ILLOPN;
		break;
	case VEC_PF:
		i->signo = SIGSEGV;
		i->code = same && !(fault->error_code & PF_SGX) ? code : SEGV_ACCERR;
		i->addr = fault->address;
		f->uc.mc.cr2 = fault->address;
		break;
	case VEC_AC:
		i->signo = SIGBUS;
		i->code = BUS_ADRALN;
		i->addr = 0;
		break;
	default: /* #GP; #NP and #SS are bus errors */
		i->signo = same ? signo : SIGSEGV;
		i->code = SI_KERNEL;
		i->addr = 0;
		break;
	}
	f->uc.mc.trapno = fault->vector;
	f->uc.mc.err = fault->error_code;
}
