/* Asynchronous exit: the enclave's state to the SSA, a synthetic one for the host (SDM 39). */
#include "cpu/state.h"

#include <string.h>

/* EXITINFO for the exceptions that it reports (SDM 38.9.1.1). */
static uint32_t exit_info(const struct cpu_fault *why, uint32_t miscselect)
{
	if (!why)
		return 0;
	switch (why->vector) {
	case VEC_BP:
		return EXITINFO_VALID | EXITINFO_SOFTWARE | VEC_BP;
	case VEC_GP:
	case VEC_PF:
		if (!(miscselect & MISC_EXINFO))
			return 0;
		return EXITINFO_VALID | EXITINFO_HARDWARE | why->vector;
	case VEC_DE:
	case VEC_DB:
	case VEC_BR:
	case VEC_UD:
	case VEC_MF:
	case VEC_AC:
	case VEC_XM:
		return EXITINFO_VALID | EXITINFO_HARDWARE | why->vector;
	default:
		return 0;
	}
}

static void save_exinfo(uint8_t *gpr, const struct cpu_fault *why)
{
	struct isa_exinfo x = { .errcd = why->error_code };

	if (why->vector == VEC_PF)
		x.maddr = why->address;
	memcpy(gpr - sizeof(x), &x, sizeof(x));
}

static void save_gprs(struct isa_gprsgx *g, const struct cpu_regs *r)
{
	g->rax = r->rax;
	g->rcx = r->rcx;
	g->rdx = r->rdx;
	g->rbx = r->rbx;
	g->rsp = r->rsp;
	g->rbp = r->rbp;
	g->rsi = r->rsi;
	g->rdi = r->rdi;
	g->r8 = r->r8;
	g->r9 = r->r9;
	g->r10 = r->r10;
	g->r11 = r->r11;
	g->r12 = r->r12;
	g->r13 = r->r13;
	g->r14 = r->r14;
	g->r15 = r->r15;
	g->rflags = r->rflags;
	g->rip = r->rip;
	g->fsbase = r->fsbase;
	g->gsbase = r->gsbase;
}

/* What the program outside gets to see (SDM table 39-1). */
static void synthetic_gprs(const struct cpu_lp *lp, struct cpu_regs *r)
{
	const uint64_t cleared = RF_CF | RF_PF | RF_AF | RF_ZF | RF_SF | RF_OF | RF_RF;

	r->rax = ENCLU_ERESUME;
	r->rbx = lp->tcs;
	r->rcx = lp->aep;
	r->rip = lp->aep;
	r->rdx = r->rsi = r->rdi = 0;
	r->r8 = r->r9 = r->r10 = r->r11 = 0;
	r->r12 = r->r13 = r->r14 = r->r15 = 0;
	r->rflags &= ~cleared;
	if (!lp->dbgoptin)
		r->rflags = (r->rflags & ~RF_TF) | (lp->saved_tf ? RF_TF : 0);
	r->fsbase = lp->host_fs;
	r->gsbase = lp->host_gs;
}

/* The frame's pages are still there: the first and the last tell, XSAVE area and registers. */
static bool frame_present(const struct cpu_epc *epc, const struct epc_view *v, uint64_t ssa)
{
	for (uint64_t p = ssa; p < ssa + v->xsave_size; p += ISA_PAGE)
		if (!(epcm_load(epc, p) & EPCM_VALID))
			return false;
	return epcm_load(epc, ssa + v->frame - ISA_PAGE) & EPCM_VALID;
}

/* Everything to the frame; false if it is gone. */
static bool save(struct cpu_lp *lp, struct cpu_regs *r, const struct epc_view *v,
		 const struct cpu_fault *why)
{
	struct cpu_epc *epc = lp->epc;
	struct isa_gprsgx *g;

	if (!v || !v->frame || !frame_present(epc, v, lp->ssa))
		return false;
	g = epc_gprsgx(epc, v, lp->ssa);
	save_gprs(g, r);
	g->exitinfo = exit_info(why, v->miscselect);
	if (g->exitinfo && (why->vector == VEC_PF || why->vector == VEC_GP))
		save_exinfo((uint8_t *)g, why);
	if (r->xsave)
		xsave_save(epc->alias + lp->ssa, r->xsave, r->xsave_size, v->attributes.xfrm);
	/* SDM 39.3.1: the outside stack is what the frame says, which the enclave may have moved. */
	r->rsp = g->ursp;
	r->rbp = g->urbp;
	return true;
}

bool cpu_aex(struct cpu_lp *lp, struct cpu_regs *r, const struct cpu_fault *why)
{
	struct isa_tcs *page = epc_tcs(lp->epc, lp->tcs);
	struct epc_view tmp;
	const struct epc_view *v = epc_view(lp->epc, &tmp);
	const bool saved = save(lp, r, v, why);

	if (saved) {
		page->cssa++;
	} else {
		r->rsp = lp->ursp;
		r->rbp = lp->urbp;
	}
	if (r->xsave)
		xsave_synthesise(r->xsave, r->xsave_size,
				 v ? v->attributes.xfrm : lp->epc->priv->features.xfrm, why);
	synthetic_gprs(lp, r);
	epc_tcs_release(page);
	lp->epc = NULL;
	return saved;
}
