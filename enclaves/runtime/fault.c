/*
 * Faults, in two phases.
 *
 * Phase 1 (runtime_except) is an entry at CSSA 1: the host says that SSA
 * frame 0 holds a fault. If that is so, it builds a struct bawn_fault on the
 * interrupted code's stack, and points the saved RIP at phase 2, where
 * ERESUME then arrives at CSSA 0 (entry.S) and calls the enclave's handler.
 *
 * The host can enter here whenever it has interrupted the thread, so frame 0
 * can be any point of the enclave, a stack switch included. Hence: nothing is
 * handled whose RIP lies in the boundary, or whose RSP is not this thread's
 * stack below FAULT_STACK; and the CPU, not the host, says that there is a
 * fault (EXITINFO.VALID, SDM 38.9.1.2).
 */
#include "runtime/runtime.h"

#include <string.h>

#define FLAGS_CF UINT64_C(0x001)
#define FLAGS_FIXED UINT64_C(0x002)
/* CF, PF, AF, ZF, SF, DF and OF: what a handler may give back to its code. */
#define FLAGS_USER UINT64_C(0xcd5)
#define XSAVE_HEADER 512 /* bytes into an XSAVE area; 64 long (SDM volume 1, 13.4) */
#define XSAVE_LEGACY 576

static bawn_fault_handler handler;

_Static_assert(offsetof(struct bawn_fault, rsp) == F_RSP, "abi.h");
_Static_assert(offsetof(struct bawn_fault, rdi) == F_RDI, "abi.h");
_Static_assert(offsetof(struct bawn_fault, rflags) == F_RFLAGS, "abi.h");
_Static_assert(offsetof(struct bawn_fault, rip) == F_RIP, "abi.h");
_Static_assert(offsetof(struct isa_gprsgx, rip) == F_RIP, "the same registers in the same order");

void bawn_on_fault(bawn_fault_handler h)
{
	__atomic_store_n(&handler, h, __ATOMIC_RELEASE);
}

void bawn_abort(void)
{
	runtime_close();
	/* The host asks why (EXCEPT) and is told that the enclave has crashed. */
	for (;;)
		__asm__ volatile("ud2");
}

_Noreturn void __stack_chk_fail(void);
_Noreturn void __stack_chk_fail(void)
{
	bawn_abort();
}

static uint32_t give_up(uint32_t status)
{
	runtime_close();
	return status;
}

/* The saved stack pointer, which this runtime set, is the thread's own and not about to leave it. */
static bool on_trusted_stack(const struct runtime_thread *t)
{
	const struct isa_gprsgx *g = t->gpr;

	return g->rsp != g->ursp && bawn_outside(g->ursp, 0) && g->rsp > t->stack_limit &&
	       g->rsp <= t->stack_top;
}

static bool in_boundary(uint64_t rip)
{
	return rip >= (uint64_t)runtime_boundary_start && rip < (uint64_t)runtime_boundary_end;
}

/* Bytes that XSAVE writes under our XFRM; ECREATE made sure that they fit an SSA frame. */
static uint64_t xsave_size(void)
{
	return runtime_xfrm == XFRM_X87_SSE ? XSAVE_LEGACY : runtime_layout()->ssa_frame_size;
}

/*
 * Put struct bawn_fault and room for the extended state below the interrupted
 * code's red zone, and make ERESUME call the handler with it.
 */
static uint32_t divert(struct runtime_thread *t)
{
	struct isa_gprsgx *g = t->gpr;
	const struct isa_exinfo *ex = (const struct isa_exinfo *)g - 1;
	uint64_t need = RESUME_GAP + sizeof(struct bawn_fault) + xsave_size() + 3 * 64;
	struct bawn_fault *f;
	uint64_t xsave;

	if (g->rsp - t->stack_limit < need + FAULT_STACK)
		return give_up(BAWN_STATUS_STACK);
	f = (struct bawn_fault *)((g->rsp - RESUME_GAP - sizeof(*f)) & ~UINT64_C(63));
	xsave = ((uint64_t)f - xsave_size()) & ~UINT64_C(63);

	memcpy(f, g, offsetof(struct bawn_fault, address));
	f->address = 0;
	f->error_code = 0;
	f->vector = (uint8_t)g->exitinfo;
	if ((runtime_self.miscselect & MISC_EXINFO) && (f->vector == VEC_PF || f->vector == VEC_GP)) {
		f->address = ex->maddr;
		f->error_code = ex->errcd;
	}
	memset((uint8_t *)xsave + XSAVE_HEADER, 0, 64);

	g->rip = (uint64_t)runtime_fault_second;
	g->rdi = (uint64_t)f;
	g->rsi = xsave;
	g->rsp = xsave;
	g->rflags = FLAGS_FIXED;
	g->exitinfo = 0; /* taken: a second EXCEPT finds no fault */
	t->in_fault = true;
	return BAWN_STATUS_OK;
}

uint32_t runtime_except(const struct runtime_entry *e, struct runtime_thread *t)
{
	struct isa_gprsgx *g = t->gpr;

	if (e->command != CMD_EXCEPT)
		return BAWN_STATUS_FAILED;
	if (!t->self || runtime_state_get() != STATE_READY)
		return give_up(BAWN_STATUS_CRASHED);
	/*
	 * EREPORT did not take its TARGETINFO (or the host interrupted it just
	 * there, and gets no report). Without EXINFO the CPU does not mark a #GP
	 * as a fault, so this comes first.
	 */
	if (g->rip == (uint64_t)runtime_ereport_insn && g->rax == ENCLU_EREPORT) {
		g->rip += 3;
		g->rflags |= FLAGS_CF;
		g->exitinfo = 0;
		return BAWN_STATUS_OK;
	}
	if (!(g->exitinfo & EXITINFO_VALID))
		return BAWN_STATUS_FAILED;
	if (in_boundary(g->rip) || !on_trusted_stack(t))
		return give_up(g->rsp <= t->stack_limit ? BAWN_STATUS_STACK : BAWN_STATUS_CRASHED);
	if (t->in_fault || !__atomic_load_n(&handler, __ATOMIC_ACQUIRE))
		return give_up(BAWN_STATUS_CRASHED);
	return divert(t);
}

/*
 * From phase 2, as ordinary code of the interrupted ECALL. False, for the end,
 * also if the handler wants to go on where no code or stack of ours is, or
 * further down, on top of f itself.
 */
bool runtime_fault_call(struct bawn_fault *f)
{
	struct runtime_thread *t = runtime_thread();
	bawn_fault_handler h = __atomic_load_n(&handler, __ATOMIC_ACQUIRE);
	uint64_t rsp = f->rsp;

	if (!h || !h(f) || f->rsp < rsp || f->rsp > t->stack_top ||
	    !bawn_inside((const void *)f->rip, 1))
		return false;
	f->rflags = (f->rflags & FLAGS_USER) | FLAGS_FIXED;
	t->in_fault = false;
	return true;
}
