/*
 * What a signal means. A thread is in an enclave or it is not; the signal is
 * an exception of the instruction at RIP, or it came from elsewhere:
 *
 *                    in an enclave                 outside
 *   ENCLU            leaf function, EEXIT          EENTER, ERESUME, or #GP
 *   other exception  AEX; then the entry           the program's handler
 *                    function's caller is told,
 *                    or the program's handler
 *   anything else    AEX, the program's handler    the program's handler
 *
 * ENCLU is known by its bytes, never by the signal: it is SIGILL on most
 * machines, SIGSEGV where the CPU has SGX and the hypervisor hides it.
 */
#include "cpu/engine.h"

#include <errno.h>
#include <string.h>

#define INSIDE_RETRIES 16

#define FP_SW_BYTES 464
#define FP_XSTATE 0x46505853u /* FP_XSTATE_MAGIC1 */

/* ---- registers between the kernel's frame and the CPU ---- */

#define FOR_EACH_REGISTER(X)                                                                       \
	X(rax) X(rcx) X(rdx) X(rbx) X(rsp) X(rbp) X(rsi) X(rdi) X(r8) X(r9) X(r10) X(r11) X(r12)   \
	X(r13) X(r14) X(r15) X(rip)

static void regs_from_frame(struct cpu_regs *r, const struct cpu_frame *f, uint64_t fs, uint64_t gs)
{
	const struct cpu_mcontext *mc = &f->uc.mc;

#define TAKE(reg) r->reg = mc->reg;
	FOR_EACH_REGISTER(TAKE)
#undef TAKE
	r->rflags = mc->eflags;
	r->fsbase = fs;
	r->gsbase = gs;
	r->xsave = NULL;
	r->xsave_size = 0;
}

/* Extended state too, for the leaves that save or load it. */
static void regs_with_xsave(struct cpu_regs *r, const struct cpu_frame *f)
{
	uint8_t *fp = (uint8_t *)f->uc.mc.fpstate;

	if (!fp || get_le32(fp + FP_SW_BYTES) != FP_XSTATE)
		return;
	r->xsave = fp;
	r->xsave_size = get_le32(fp + FP_SW_BYTES + 16); /* xstate_size */
}

static void regs_to_frame(const struct cpu_regs *r, struct cpu_frame *f)
{
	struct cpu_mcontext *mc = &f->uc.mc;

#define GIVE(reg) mc->reg = r->reg;
	FOR_EACH_REGISTER(GIVE)
#undef GIVE
	mc->eflags = r->rflags;
}

/* ---- where we are ---- */

static const struct cpu_verdict go_on = { VERDICT_RETURN, 0 };
static const struct cpu_verdict go_inside = { VERDICT_ENCLAVE, 0 };

/* An exception of the running instruction, not a signal that somebody sent. */
static bool is_exception(const struct cpu_siginfo *i)
{
	if (i->signo < 1 || i->signo > 64 || i->code <= 0 || !(TRAP_SIGNALS & SIGBIT(i->signo)))
		return false;
	if (i->signo == SIGTRAP && i->code == 6 /* TRAP_PERF */)
		return false;
	return !(i->signo == SIGBUS && i->code == 5 /* BUS_MCEERR_AO */);
}

/*
 * The bytes at RIP, as long as they match: what was executed was fetched, so
 * each is there if the one before says that the instruction goes on.
 */
static bool bytes_are(const uint8_t *p, const uint8_t *want, size_t n)
{
	while (n && *p == *want) {
		p++;
		want++;
		n--;
	}
	return n == 0;
}

/* The exception came of executing what is at RIP, not of fetching it. */
static bool was_fetched(const struct cpu_mcontext *mc)
{
	const uint64_t page = ~(uint64_t)(ISA_PAGE - 1);

	return mc->trapno != VEC_PF ||
	       (!(mc->err & PF_I) && (mc->cr2 & page) != (mc->rip & page) &&
		(mc->cr2 & page) != ((mc->rip + 2) & page));
}

/* The code bytes at RIP: in an enclave through the EPC, since pages may be execute-only. */
static const uint8_t *code_at(const struct cpu_thread *t, const struct cpu_mcontext *mc, uint64_t n)
{
	if (!t || t->state != STATE_INSIDE)
		return (const uint8_t *)mc->rip;
	if (mc->rip - t->map->base >= t->map->size || t->map->base + t->map->size - mc->rip < n)
		return NULL;
	return t->map->epc->alias + (mc->rip - t->map->base);
}

static bool is_enclu(const struct cpu_thread *t, const struct cpu_mcontext *mc)
{
	static const uint8_t enclu[] = { 0x0f, 0x01, 0xd7 };
	const uint8_t *p;

	if (!was_fetched(mc))
		return false;
	p = code_at(t, mc, sizeof(enclu));
	return p && bytes_are(p, enclu, sizeof(enclu));
}

/*
 * Instructions that raise #UD in an enclave (SDM 39.6.1), of those that this
 * machine refuses a program with #GP anyway: CPUID where it faults, port I/O,
 * software interrupts.
 */
static bool is_illegal_inside(const struct cpu_thread *t, const struct cpu_mcontext *mc)
{
	static const uint8_t cpuid[] = { 0x0f, 0xa2 };
	const uint8_t *p = code_at(t, mc, 2);

	if (!p || mc->trapno != VEC_GP)
		return false;
	if (bytes_are(p, cpuid, sizeof(cpuid)))
		return true;
	if (*p == 0x66 || *p == 0xf2 || *p == 0xf3)
		p++;
	return (*p >= 0x6c && *p <= 0x6f) || (*p >= 0xe4 && *p <= 0xe7) ||
	       (*p >= 0xec && *p <= 0xef) || *p == 0xcd;
}

/* ---- in, out ---- */

static void went_inside(struct cpu_thread *t, struct cpu_map *m, const struct cpu_regs *r)
{
	t->map = m;
	t->host_fs = t->lp.host_fs;
	t->host_gs = t->lp.host_gs;
	t->fs = r->fsbase;
	t->gs = r->gsbase;
	cpu_syscall_fault(t, true);
	t->state = STATE_INSIDE;
}

static void asynchronous_exit(struct cpu_frame *f, struct cpu_thread *t, const struct cpu_fault *why)
{
	struct cpu_regs r;

	regs_from_frame(&r, f, t->fs, t->gs);
	regs_with_xsave(&r, f);
	t->aex++;
	cpu_aex(&t->lp, &r, why);
	t->state = STATE_OUT;
	cpu_syscall_fault(t, false);
	regs_to_frame(&r, f);
	f->uc.sigmask = cpu_mask_outside(t, f->uc.sigmask);
}

/* The exception is told to whoever the vDSO's function would tell, or else to the handler. */
static struct cpu_verdict report(struct cpu_frame *f, struct cpu_thread *t,
				 const struct cpu_fault *fault)
{
	struct cpu_mcontext *mc = &f->uc.mc;

	if (t)
		t->faults++;
	/* The kernel does not fix up #DB and #BP: they are the debugger's. */
	if (mc->rip == (uintptr_t)cpu_aep && fault->vector != VEC_DB && fault->vector != VEC_BP) {
		mc->rip = (uintptr_t)cpu_aep_fixup;
		mc->rdi = fault->vector;
		mc->rsi = fault->error_code;
		mc->rdx = fault->vector == VEC_PF ? fault->address & ~(uint64_t)(ISA_PAGE - 1) : 0;
		/* An AEX leaves these as the enclave had them; C would not survive them. */
		mc->eflags &= ~(uint64_t)(RFLAGS_AC | RFLAGS_DF);
		return go_on;
	}
	cpu_frame_set_fault(f, fault);
	return cpu_deliver(f, t, true);
}

/* ---- ENCLU ---- */

static struct cpu_verdict enclu_outside(struct cpu_frame *f, struct cpu_thread *t)
{
	struct cpu_mcontext *mc = &f->uc.mc;
	const uint32_t leaf = (uint32_t)mc->rax;
	struct cpu_fault fault = { .vector = VEC_GP };
	struct cpu_map *m = cpu_map_find(mc->rbx);
	struct cpu_regs r;
	int result = CPU_FAULT;

	/* From our own entry function: the C library's signals were blocked, or are to be. */
	if (mc->rip == (uintptr_t)cpu_aep)
		f->uc.sigmask = cpu_mask_outside(t, f->uc.sigmask);
	else if (t)
		f->uc.sigmask = cpu_settle_scopes(t, mc->rsp, f->uc.sigmask);
	if (leaf != ENCLU_EENTER && leaf != ENCLU_ERESUME)
		return report(f, t, &fault);
	if (!t)
		t = cpu_thread_get_in_trap(f);
	if (!t) {
		/* No memory for a record. There is no exception for that; this one stops the caller. */
		return report(f, NULL, &fault);
	}
	if (!m) {
		if (!(mc->rbx & (ISA_PAGE - 1)))
			fault = (struct cpu_fault){ VEC_PF, PF_U | PF_W, mc->rbx };
		return report(f, t, &fault);
	}
	if (m->generation != cpu_epc_generation(m->epc))
		cpu_map_refresh(m);
	regs_from_frame(&r, f, cpu_fsbase(), cpu_gsbase());
	if (leaf == ENCLU_EENTER) {
		result = cpu_eenter(&t->lp, m->epc, &r, &fault);
		t->eenter += result == 0;
	} else {
		regs_with_xsave(&r, f);
		result = cpu_eresume(&t->lp, m->epc, &r, &fault);
		t->eresume += result == 0;
	}
	if (result == CPU_FAULT)
		return report(f, t, &fault);
	went_inside(t, m, &r);
	regs_to_frame(&r, f);
	f->uc.sigmask = cpu_mask_inside(t, f->uc.sigmask);
	return go_inside;
}

static struct cpu_verdict exception_inside(struct cpu_frame *f, struct cpu_thread *t,
					   struct cpu_fault *fault)
{
	asynchronous_exit(f, t, fault);
	fault->address &= ~(uint64_t)(ISA_PAGE - 1);
	return report(f, t, fault);
}

/*
 * EACCEPT and EACCEPTCOPY reach their page through the page tables too: where
 * none is yet, the access itself makes the kernel add one (EAUG), and the
 * instruction is executed again.
 */
static bool operand_added(const struct cpu_thread *t, const struct cpu_fault *fault)
{
	uint64_t offset = fault->address - t->map->base;
	struct cpu_epcm page;
	struct cpu_fault unused;

	if (fault->vector != VEC_PF || !cpu_epcm_get(t->map->epc, offset, &page) || page.valid)
		return false;
	cpu_map_fault(t->map, fault->address, fault->error_code, &unused);
	return cpu_epcm_get(t->map->epc, offset, &page) && page.valid;
}

static struct cpu_verdict enclu_inside(struct cpu_frame *f, struct cpu_thread *t)
{
	struct cpu_fault fault;
	struct cpu_regs r;
	int result;

	t->retries = 0;
	regs_from_frame(&r, f, t->fs, t->gs);
	if ((uint32_t)r.rax == ENCLU_EEXIT) {
		result = cpu_eexit(&t->lp, &r, &fault);
		if (result != CPU_FAULT) {
			t->eexit++;
			t->state = STATE_OUT;
			cpu_syscall_fault(t, false);
			regs_to_frame(&r, f);
			f->uc.sigmask = cpu_mask_outside(t, f->uc.sigmask);
			return go_on;
		}
	} else {
		result = cpu_enclu_inside(&t->lp, &r, &fault);
	}
	if (result == CPU_FAULT)
		return operand_added(t, &fault) ? go_inside : exception_inside(f, t, &fault);
	regs_to_frame(&r, f);
	return go_inside;
}

/* ---- exceptions in an enclave ---- */

/* True if there was nothing to it: resume. Else *fault is what the CPU would raise. */
static bool page_fault_inside(const struct cpu_frame *f, struct cpu_thread *t,
			      struct cpu_fault *fault)
{
	const struct cpu_mcontext *mc = &f->uc.mc;

	switch (cpu_map_fault(t->map, mc->cr2, (uint32_t)mc->err, fault)) {
	case CPU_PF_MENDED:
		t->retries = 0;
		return true;
	case CPU_PF_SPURIOUS:
		/*
		 * Another thread mended it, or the host has a reason of its own
		 * (SIGBUS: no memory for the page), which repeats itself.
		 */
		if (t->retry_address != mc->cr2)
			t->retries = 0;
		t->retry_address = mc->cr2;
		return f->info.signo == SIGSEGV && t->retries++ < INSIDE_RETRIES;
	default:
		return false;
	}
}

static struct cpu_verdict trap_inside(struct cpu_frame *f, struct cpu_thread *t)
{
	struct cpu_mcontext *mc = &f->uc.mc;
	struct cpu_fault fault = { .vector = (uint8_t)mc->trapno, .error_code = (uint32_t)mc->err };

	if (!is_exception(&f->info)) {
		asynchronous_exit(f, t, NULL);
		return cpu_deliver(f, t, false);
	}
	if (cpu_syscall_trapped(f)) {
		/* The instruction has not been executed, but stepped over. */
		mc->rip -= 2;
		fault = (struct cpu_fault){ .vector = VEC_UD };
		return exception_inside(f, t, &fault);
	}
	if (is_enclu(t, mc))
		return enclu_inside(f, t);
	/* Code outside ELRANGE is not fetched in enclave mode (SDM 37.3). */
	if (mc->rip - t->map->base >= t->map->size)
		fault = (struct cpu_fault){ .vector = VEC_GP };
	else if (fault.vector == VEC_PF) {
		if (page_fault_inside(f, t, &fault))
			return go_inside;
	} else if (is_illegal_inside(t, mc)) {
		fault = (struct cpu_fault){ .vector = VEC_UD };
	} else if (fault.vector == VEC_DB && !t->lp.dbgoptin && f->info.code == TRAP_TRACE) {
		/* TF stays clear after an opt-out entry, whatever POPF says (SDM 42.2.5). */
		mc->eflags &= ~(uint64_t)RFLAGS_TF;
		return go_inside;
	} else if (fault.vector == VEC_BP) {
		/* In an enclave INT3 is a fault: RIP stays on it (SDM 42.4.1). */
		mc->rip--;
	}
	if (fault.vector == VEC_BP || fault.vector == VEC_DB || fault.vector == VEC_UD)
		fault.error_code = 0;
	return exception_inside(f, t, &fault);
}

/* ---- while entering ---- */

/*
 * A signal in the window of cpu_enter_enclave: from here on the thread is
 * inside, about to execute the enclave's first instruction.
 */
static void complete_entry(struct cpu_frame *f, struct cpu_thread *t)
{
	struct cpu_mcontext *mc = &f->uc.mc;
	const struct cpu_entry *e = (const struct cpu_entry *)(mc->rbp + (uint64_t)(int64_t)ENTRY_AT);

	mc->rdi = e->rdi;
	mc->rsi = e->rsi;
	mc->rdx = e->rdx;
	mc->r8 = e->r8;
	mc->r9 = e->r9;
	mc->r10 = e->r10;
	mc->r11 = e->r11;
	mc->rsp = e->rsp;
	mc->rax = e->rax;
	mc->rbx = e->rbx;
	mc->rcx = e->rcx;
	mc->rip = e->rip;
	t->fs = e->fs;
	t->gs = e->gs;
	t->state = STATE_INSIDE;
}

/*
 * A signal while cpu_enter_fast changes the state of TCS and processor: not in
 * the enclave yet, nor outside any more. Put it off until the window, or until
 * the entry has failed; meanwhile only trap signals can come.
 */
static struct cpu_verdict put_off(struct cpu_frame *f, struct cpu_thread *t)
{
	if (t->deferred) {
		/* A second one: a trap signal that somebody sent. Held, and sent again. */
		cpu_hold(t, f->info.signo, &f->info);
		return go_on;
	}
	t->deferred = (uint32_t)f->info.signo;
	t->deferred_info = f->info;
	t->deferred_mask = cpu_mask_outside(t, f->uc.sigmask);
	f->uc.sigmask = ~TRAP_SIGNALS;
	return go_on;
}

/* The signal that was put off takes the place of the trap that calls for it. */
static void take_deferred(struct cpu_frame *f, struct cpu_thread *t)
{
	f->info = t->deferred_info;
	f->uc.sigmask = t->deferred_mask;
	t->deferred = 0;
}

static struct cpu_verdict trap_in_window(struct cpu_frame *f, struct cpu_thread *t)
{
	bool called = f->uc.mc.rip == (uintptr_t)cpu_window_deferred && is_exception(&f->info);
	struct cpu_verdict v;

	complete_entry(f, t);
	if (t->deferred) {
		if (!called)
			cpu_hold(t, f->info.signo, &f->info);
		take_deferred(f, t);
	}
	asynchronous_exit(f, t, NULL);
	v = cpu_deliver(f, t, false);
	cpu_release_held(t);
	return v;
}

static bool in_window(const struct cpu_mcontext *mc)
{
	return mc->rip >= (uintptr_t)cpu_window && mc->rip < (uintptr_t)cpu_window_end;
}

/*
 * The C library's signals are blocked while entering; but the handler that is
 * about to run may leave by a jump, and nobody would ever unblock them.
 */
static void give_up_entry(struct cpu_frame *f, struct cpu_thread *t)
{
	struct cpu_mcontext *mc = &f->uc.mc;

	/* Begun: as if it had not been. RDX is cpu_entry_begin's `before`. */
	if (mc->rip == (uintptr_t)cpu_entry_blocked) {
		uint64_t before = *(const uint64_t *)mc->rdx;

		f->uc.sigmask = (f->uc.sigmask & ~LIBC_SIGNALS) | (before & LIBC_SIGNALS);
		mc->rip = (uintptr_t)cpu_entry_again;
	}
	/* Failed: the instruction, which is to fault, needs no signal blocked. */
	if (t->libc_held)
		f->uc.sigmask = cpu_mask_outside(t, f->uc.sigmask);
}

static struct cpu_verdict trap_outside(struct cpu_frame *f, struct cpu_thread *t)
{
	struct cpu_mcontext *mc = &f->uc.mc;
	bool exception = is_exception(&f->info);
	struct cpu_verdict v;

	if (t && t->state == STATE_ENTERING) {
		if (!exception)
			return put_off(f, t);
		t->state = STATE_OUT; /* a defect in cpu_enter_fast: let it be seen */
	}
	if (exception && t && t->deferred && mc->rip == (uintptr_t)cpu_raised_here) {
		mc->rip += 2;
		take_deferred(f, t);
		give_up_entry(f, t);
		v = cpu_deliver(f, t, false);
		cpu_release_held(t);
		return v;
	}
	if (t)
		give_up_entry(f, t);
	if (exception && is_enclu(NULL, mc))
		return enclu_outside(f, t);
	if (exception && cpu_cpuid_emulate(mc))
		return go_on;
	if (exception && mc->rip == (uintptr_t)cpu_copy_here) {
		mc->rip = (uintptr_t)cpu_copy_failed;
		return go_on;
	}
	return cpu_deliver(f, t, exception);
}

struct cpu_verdict cpu_trap(struct cpu_frame *f, struct cpu_thread *t)
{
	struct cpu_verdict v;
	int saved = errno; /* leaf functions make system calls through the C library */

	if (t)
		cpu_thread_claim(t);
	if (t && t->state != STATE_OUT && in_window(&f->uc.mc))
		v = trap_in_window(f, t);
	else if (t && t->state == STATE_INSIDE)
		v = trap_inside(f, t);
	else
		v = trap_outside(f, t);
	errno = saved;
	return v;
}

bool cpu_copy(void *to, const void *from, size_t n)
{
	/* With a record the thread's trap signals are not blocked. */
	return cpu_thread_get() && cpu_copy_guarded(to, from, n) == 0;
}

/* ---- EENTER without a trap ---- */

int cpu_enter_fast(struct cpu_entry *e, uint64_t rflags)
{
	struct cpu_thread *t = cpu_thread_get();
	struct cpu_map *m = t ? t->map : NULL;
	struct cpu_fault fault;
	struct cpu_regs r;
	const uint64_t libc = LIBC_SIGNALS;
	uint64_t mask;
	int result;

	if (!t || !cpu_fsgsbase || (rflags & RFLAGS_TF))
		return 1;
	if (!m || e->rbx - m->base >= m->size)
		m = cpu_map_find(e->rbx);
	if (!m)
		return 1;
	if (m->generation != cpu_epc_generation(m->epc))
		cpu_map_refresh(m);

	cpu_entry_begin(t, &libc, &mask);
	mask = cpu_settle_scopes(t, e->rsp, mask);
	cpu_mask_inside(t, mask);
	if (mask & TRAP_SIGNALS) {
		/* Blocked behind our back, by a jump with a mask from before the record was made. */
		cpu_mask_swap(SIG_UNBLOCK, TRAP_SIGNALS);
		t->traps_blocked |= mask & TRAP_SIGNALS;
	}
	r = (struct cpu_regs){
		.rax = ENCLU_EENTER, .rbx = e->rbx, .rcx = (uintptr_t)cpu_aep,
		.rsp = e->rsp, .rbp = (uintptr_t)e - (uint64_t)(int64_t)ENTRY_AT,
		.rflags = rflags, .rip = (uintptr_t)cpu_aep,
		.fsbase = cpu_fsbase(), .gsbase = cpu_gsbase(),
	};
	result = cpu_eenter(&t->lp, m->epc, &r, &fault);
	if (result == CPU_FAULT) {
		/* The instruction itself shall fault, so that all faults take one way. */
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		t->state = STATE_OUT;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		if (t->deferred)
			cpu_raise_deferred();
		return 1;
	}
	t->eenter++;
	t->map = m;
	t->host_fs = t->lp.host_fs;
	t->host_gs = t->lp.host_gs;
	e->rax = r.rax;
	e->rcx = r.rcx;
	e->rip = r.rip;
	e->fs = r.fsbase;
	e->gs = r.gsbase;
	e->thread = t;
	cpu_syscall_fault(t, true);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return 0; /* still STATE_ENTERING: the window ends that */
}
