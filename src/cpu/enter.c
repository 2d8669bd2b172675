/*
 * Into an enclave and out of it by its own will: EENTER, ERESUME, EEXIT and
 * EDECCSSA (SDM 40.4). Called for every ECALL: no lock and no system call on
 * the way that succeeds.
 */
#include "cpu/state.h"

#include <string.h>

/* What an entry reads of a TCS, once: other processes can write it. */
struct tcs {
	uint64_t flags, ossa, oentry, ofsbase, ogsbase;
	uint32_t cssa, nssa;
	uint64_t entry; /* its EPCM entry */
};

/* An entry being checked: everything that will be committed. */
struct entry {
	struct cpu_epc *epc;
	const struct epc_view *v;
	struct isa_tcs *page; /* in the alias */
	struct tcs t;
	uint64_t linear; /* of the TCS */
	uint64_t ssa;    /* offset of the frame that the next AEX fills */
	uint64_t target, fsbase, gsbase;
	struct epc_view tmp;
};

static void read_tcs(const struct isa_tcs *page, struct tcs *t)
{
	t->flags = __atomic_load_n(&page->flags, __ATOMIC_RELAXED);
	t->ossa = __atomic_load_n(&page->ossa, __ATOMIC_RELAXED);
	t->cssa = __atomic_load_n(&page->cssa, __ATOMIC_RELAXED);
	t->nssa = __atomic_load_n(&page->nssa, __ATOMIC_RELAXED);
	t->oentry = __atomic_load_n(&page->oentry, __ATOMIC_RELAXED);
	t->ofsbase = __atomic_load_n(&page->ofsbase, __ATOMIC_RELAXED);
	t->ogsbase = __atomic_load_n(&page->ogsbase, __ATOMIC_RELAXED);
}

/* The page at offset must be a settled TCS. */
static int check_tcs_page(const struct cpu_epc *epc, uint64_t linear, uint64_t *entry,
			  struct cpu_fault *f)
{
	uint64_t offset = linear - epc->base;
	uint32_t code = access_code_vma(epc, offset, true, true, false);

	/* Page tables first; that a TCS is not a regular page, is EPCM's. */
	if (code && !(code & PF_SGX))
		return fault_pf(f, linear, code);
	*entry = epcm_load(epc, offset);
	if (!(*entry & EPCM_VALID) || EPCM_PT(*entry) != PT_TCS ||
	    *entry & (SECINFO_PENDING | SECINFO_MODIFIED))
		return fault_pf(f, linear, PF_SGX | PF_P | PF_U | PF_W);
	return 0;
}

/* What EENTER and ERESUME check alike, up to the SSA. */
static int check_entry(struct cpu_epc *epc, const struct cpu_regs *r, struct entry *n,
		       struct cpu_fault *f)
{
	const uint64_t size = epc_size(epc);

	n->epc = epc;
	n->linear = r->rbx;
	if (r->rbx & (ISA_PAGE - 1))
		return fault_gp(f);
	if (r->rbx < epc->base || r->rbx - epc->base >= size)
		return fault_pf(f, r->rbx, PF_U);
	if (!is_canonical(r->rcx))
		return fault_gp(f);
	if (check_tcs_page(epc, r->rbx, &n->t.entry, f) != 0)
		return CPU_FAULT;
	n->page = epc_tcs(epc, r->rbx);
	read_tcs(n->page, &n->t);
	if ((n->t.ossa | n->t.ofsbase | n->t.ogsbase) & (ISA_PAGE - 1))
		return fault_gp(f);
	if (n->t.flags & ~(TCS_DBGOPTIN | TCS_AEXNOTIFY))
		return fault_gp(f);
	n->v = epc_view(epc, &n->tmp);
	if (!n->v || !(n->v->attributes.flags & ATTR_MODE64BIT) || n->v->frame == 0)
		return fault_gp(f);
	/* AEX-notify is the whole enclave's affair, but for a debugger's. */
	if (!(n->t.flags & TCS_DBGOPTIN) &&
	    !(n->t.flags & TCS_AEXNOTIFY) != !(n->v->attributes.flags & ATTR_AEXNOTIFY))
		return fault_gp(f);
	return 0;
}

/* One page of an SSA frame. */
static int check_ssa_page(const struct cpu_epc *epc, uint64_t offset, struct cpu_fault *f)
{
	uint32_t code;

	if (offset >= epc->size)
		return fault_pf(f, epc->base + offset, PF_U | PF_W);
	code = access_code_vma(epc, offset, true, true, false);
	return code ? fault_pf(f, epc->base + offset, code) : 0;
}

/* SSA frame `index` of a TCS: every page of it that an AEX would write. */
static int check_frame(const struct cpu_epc *epc, const struct epc_view *v, uint64_t ossa,
		       uint32_t index, uint64_t *ssa, struct cpu_fault *f)
{
	uint64_t skip, at;

	if (!mul_u64(v->frame, index, &skip) || !add_u64(ossa, skip, &at) || at >= epc->size ||
	    v->frame > epc->size - at)
		return fault_pf(f, epc->base + ossa + v->frame * index, PF_U | PF_W);
	for (uint64_t p = at; p < at + v->xsave_size; p += ISA_PAGE)
		if (check_ssa_page(epc, p, f) != 0)
			return CPU_FAULT;
	if (check_ssa_page(epc, at + v->frame - ISA_PAGE, f) != 0) {
		f->address = epc->base + at + v->frame - sizeof(struct isa_gprsgx);
		return CPU_FAULT;
	}
	*ssa = at;
	return 0;
}

/* ---- the TCS's busy mark ---- */

/*
 * TCS.STATE := ACTIVE, that is, ours. 0; CPU_FAULT if it is another's; 1 if the
 * TCS has changed since it was checked: begin again.
 */
static int take_tcs(const struct entry *n, uint64_t owner, struct cpu_fault *f)
{
	uint64_t holder = 0;

	while (!__atomic_compare_exchange_n(&n->page->stage, &holder, owner, false,
					    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		/* A process killed inside left it; hardware would have had an AEX. */
		if (holder == owner || cpu_owner_alive(holder))
			return fault_gp(f);
	}
	if (epcm_load(n->epc, n->linear - n->epc->base) == n->t.entry &&
	    __atomic_load_n(&n->page->cssa, __ATOMIC_RELAXED) == n->t.cssa)
		return 0;
	epc_tcs_release(n->page);
	return 1;
}

/* ---- entering ---- */

/* TCS.OENTRY, OFSBASE and OGSBASE as addresses. */
static int entry_point(struct entry *n, struct cpu_fault *f)
{
	n->fsbase = n->t.ofsbase + n->v->base;
	n->gsbase = n->t.ogsbase + n->v->base;
	n->target = n->t.oentry + n->v->base;
	if (!is_canonical(n->fsbase) || !is_canonical(n->gsbase) || !is_canonical(n->target))
		return fault_gp(f);
	return 0;
}

/* The logical processor's registers, after the last check. */
static void commit_lp(struct cpu_lp *lp, struct entry *n, struct cpu_regs *r)
{
	lp->epc = n->epc;
	lp->tcs = n->linear;
	lp->aep = r->rcx;
	lp->ursp = r->rsp;
	lp->urbp = r->rbp;
	lp->ssa = n->ssa;
	lp->host_fs = r->fsbase;
	lp->host_gs = r->gsbase;
	lp->saved_tf = r->rflags & RF_TF;
	lp->dbgoptin = n->t.flags & TCS_DBGOPTIN;
	__atomic_store_n(&n->page->aep, r->rcx, __ATOMIC_RELAXED);
	if (!lp->dbgoptin)
		r->rflags &= ~RF_TF;
	r->fsbase = n->fsbase;
	r->gsbase = n->gsbase;
	r->rip = n->target;
}

/* U_RSP and U_RBP of the frame: an AEX gives them back. */
static void save_outside(const struct entry *n, const struct cpu_regs *r)
{
	struct isa_gprsgx *g = epc_gprsgx(n->epc, n->v, n->ssa);

	g->ursp = r->rsp;
	g->urbp = r->rbp;
}

/* Enter at OENTRY: EENTER, and ERESUME with a notification pending. */
static void commit_at_oentry(struct cpu_lp *lp, struct entry *n, struct cpu_regs *r)
{
	const uint64_t next = r->rip + ENCLU_LENGTH;

	save_outside(n, r);
	commit_lp(lp, n, r);
	r->rcx = next;
	r->rax = n->t.cssa;
}

static uint64_t lp_owner(struct cpu_lp *lp)
{
	if (lp->owner == 0)
		lp->owner = cpu_owner_self();
	return lp->owner;
}

int cpu_eenter(struct cpu_lp *lp, struct cpu_epc *epc, struct cpu_regs *r, struct cpu_fault *f)
{
	struct entry n;
	int taken;

	if (lp->epc)
		return fault_gp(f);
	do {
		if (check_entry(epc, r, &n, f) != 0)
			return CPU_FAULT;
		if (n.t.cssa >= n.t.nssa)
			return fault_gp(f);
		if (check_frame(epc, n.v, n.t.ossa, n.t.cssa, &n.ssa, f) != 0 ||
		    entry_point(&n, f) != 0)
			return CPU_FAULT;
		taken = take_tcs(&n, lp_owner(lp), f);
		if (taken == CPU_FAULT)
			return CPU_FAULT;
	} while (taken != 0);
	commit_at_oentry(lp, &n, r);
	return 0;
}

/* ---- ERESUME ---- */

/* The frame to resume from, and whether it asks for a notification instead. */
static int check_resume(struct entry *n, struct isa_gprsgx *g, bool *notify, struct cpu_fault *f)
{
	struct cpu_epc *epc = n->epc;

	if (n->t.cssa == 0)
		return fault_gp(f);
	if (check_frame(epc, n->v, n->t.ossa, n->t.cssa - 1, &n->ssa, f) != 0)
		return CPU_FAULT;
	memcpy(g, epc_gprsgx(epc, n->v, n->ssa), sizeof(*g));
	*notify = n->t.flags & TCS_AEXNOTIFY && g->aexnotify & 1;
	if (*notify) {
		if (n->t.cssa >= n->t.nssa)
			return fault_gp(f);
		if (check_frame(epc, n->v, n->t.ossa, n->t.cssa, &n->ssa, f) != 0)
			return CPU_FAULT;
		return entry_point(n, f);
	}
	n->target = g->rip;
	n->fsbase = g->fsbase;
	n->gsbase = g->gsbase;
	if (!is_canonical(n->target) || !is_canonical(n->fsbase) || !is_canonical(n->gsbase))
		return fault_gp(f);
	return 0;
}

static void restore_gprs(struct cpu_regs *r, const struct isa_gprsgx *g)
{
	const uint64_t kept = RF_CF | RF_PF | RF_AF | RF_ZF | RF_SF | RF_DF | RF_OF | RF_NT |
			      RF_AC | RF_ID | RF_RF;

	r->rax = g->rax;
	r->rcx = g->rcx;
	r->rdx = g->rdx;
	r->rbx = g->rbx;
	r->rsp = g->rsp;
	r->rbp = g->rbp;
	r->rsi = g->rsi;
	r->rdi = g->rdi;
	r->r8 = g->r8;
	r->r9 = g->r9;
	r->r10 = g->r10;
	r->r11 = g->r11;
	r->r12 = g->r12;
	r->r13 = g->r13;
	r->r14 = g->r14;
	r->r15 = g->r15;
	r->rflags = (r->rflags & ~kept) | (g->rflags & kept);
}

/* Everything from XRSTOR on; n->ssa is the frame being resumed. */
static int commit_resume(struct cpu_lp *lp, struct entry *n, struct cpu_regs *r,
			 const struct isa_gprsgx *g, struct cpu_fault *f)
{
	if (r->xsave &&
	    !xsave_restore(r->xsave, r->xsave_size, n->epc->alias + n->ssa,
			   n->v->attributes.xfrm)) {
		epc_tcs_release(n->page);
		return fault_gp(f);
	}
	save_outside(n, r);
	commit_lp(lp, n, r);
	restore_gprs(r, g);
	__atomic_store_n(&n->page->cssa, n->t.cssa - 1, __ATOMIC_RELEASE);
	return 0;
}

int cpu_eresume(struct cpu_lp *lp, struct cpu_epc *epc, struct cpu_regs *r, struct cpu_fault *f)
{
	struct isa_gprsgx g;
	struct entry n;
	bool notify;
	int result;

	if (lp->epc)
		return fault_gp(f);
	do {
		if (check_entry(epc, r, &n, f) != 0 || check_resume(&n, &g, &notify, f) != 0)
			return CPU_FAULT;
		result = take_tcs(&n, lp_owner(lp), f);
		if (result == CPU_FAULT)
			return CPU_FAULT;
	} while (result != 0);
	if (notify)
		commit_at_oentry(lp, &n, r);
	else
		result = commit_resume(lp, &n, r, &g, f);
	wipe(&g, sizeof(g));
	return result;
}

/* ---- leaving ---- */

int cpu_eexit(struct cpu_lp *lp, struct cpu_regs *r, struct cpu_fault *f)
{
	if (!lp->epc || !is_canonical(r->rbx))
		return fault_gp(f);
	r->rip = r->rbx;
	r->rcx = lp->aep;
	r->fsbase = lp->host_fs;
	r->gsbase = lp->host_gs;
	if (!lp->dbgoptin)
		r->rflags = (r->rflags & ~RF_TF) | (lp->saved_tf ? RF_TF : 0);
	epc_tcs_release(epc_tcs(lp->epc, lp->tcs));
	lp->epc = NULL;
	return 0;
}

int leaf_edeccssa(struct cpu_lp *lp, struct cpu_regs *r, struct cpu_fault *f)
{
	struct cpu_epc *epc = lp->epc;
	struct isa_tcs *page = epc_tcs(epc, lp->tcs);
	struct epc_view tmp;
	const struct epc_view *v = epc_view(epc, &tmp);
	uint64_t ossa, ssa;
	uint32_t cssa;

	(void)r;
	if (!epc->platform.aexnotify || !v)
		return fault_gp(f);
	cssa = __atomic_load_n(&page->cssa, __ATOMIC_RELAXED);
	ossa = __atomic_load_n(&page->ossa, __ATOMIC_RELAXED);
	if (cssa == 0 || v->frame == 0)
		return fault_gp(f);
	if (check_frame(epc, v, ossa, cssa - 1, &ssa, f) != 0)
		return CPU_FAULT;
	__atomic_store_n(&page->cssa, cssa - 1, __ATOMIC_RELEASE);
	lp->ssa = ssa;
	return 0;
}
