/* EENTER, EEXIT, ERESUME, AEX, EDECCSSA, AEX-notify: registers, SSA, every fault. */
#include "tests/cpu/world.h"

#include <cpuid.h>
#include <string.h>
#include <sys/mman.h>

#define TF UINT64_C(0x100)
#define STATUS_FLAGS UINT64_C(0x8d5)
#define DF UINT64_C(0x400)
#define PF_FRAME (PF_SGX | PF_P | PF_U | PF_W)

static struct isa_tcs *tcs(struct world *w)
{
	return (void *)AT(w, TCS);
}

static struct isa_gprsgx *gpr(struct world *w, unsigned frame)
{
	return (void *)AT(w, SSA + (frame + 1) * ISA_PAGE - sizeof(struct isa_gprsgx));
}

static struct isa_exinfo *exinfo(struct world *w, unsigned frame)
{
	return (void *)((uint8_t *)gpr(w, frame) - sizeof(struct isa_exinfo));
}

static int eenter(struct world *w)
{
	host_regs(w, TCS);
	return cpu_eenter(&w->lp, w->epc, &w->r, &w->f);
}

static int eresume(struct world *w)
{
	host_regs(w, TCS);
	w->r.rax = ENCLU_ERESUME;
	return cpu_eresume(&w->lp, w->epc, &w->r, &w->f);
}

static void eexit(struct world *w)
{
	w->r.rbx = 0x400000;
	is_int(cpu_eexit(&w->lp, &w->r, &w->f), 0, "EEXIT");
}

/* ---- EENTER and EEXIT ---- */

static void test_round_trip(void)
{
	struct world w;

	world_ready(&w, 0);
	host_regs(&w, TCS);
	w.r.rflags |= STATUS_FLAGS;
	is_int(cpu_eenter(&w.lp, w.epc, &w.r, &w.f), 0, "EENTER");
	ok(w.r.rip == BASE + OENTRY, "RIP is the entry point");
	ok(w.r.rax == 0, "RAX is CSSA");
	ok(w.r.rcx == EENTER_RIP + 3, "RCX is behind the EENTER");
	ok(w.r.rbx == BASE + TCS && w.r.rdx == 0xd0 && w.r.rsi == 0x51 && w.r.rdi == 0xd1,
	   "the other registers are the host's");
	ok(w.r.rsp == HOST_RSP && w.r.rbp == HOST_RBP, "the stack too");
	ok(w.r.fsbase == BASE + OFSBASE && w.r.gsbase == BASE + OGSBASE, "FS and GS are the TCS's");
	ok((w.r.rflags & STATUS_FLAGS) == STATUS_FLAGS, "the flags stay");
	ok(gpr(&w, 0)->ursp == HOST_RSP && gpr(&w, 0)->urbp == HOST_RBP, "U_RSP and U_RBP are in the SSA");
	ok(w.lp.epc == w.epc && w.lp.tcs == BASE + TCS && w.lp.aep == AEP, "the processor is inside");
	ok(tcs(&w)->stage == w.lp.owner && tcs(&w)->aep == AEP, "the TCS is busy");
	is_gp(&w, cpu_eenter(&w.lp, w.epc, &w.r, &w.f), "EENTER inside");
	w.r.rbx = UINT64_C(1) << 50;
	is_gp(&w, cpu_eexit(&w.lp, &w.r, &w.f), "EEXIT to an address that is not canonical");
	w.r.rbx = 0x402000;
	w.r.rax = 4;
	w.r.rdx = 0x77;
	is_int(cpu_eexit(&w.lp, &w.r, &w.f), 0, "EEXIT");
	ok(w.r.rip == 0x402000, "RIP is RBX");
	ok(w.r.rcx == AEP, "RCX is the AEP");
	ok(w.r.fsbase == HOST_FS && w.r.gsbase == HOST_GS, "FS and GS are the host's");
	ok(w.r.rdx == 0x77, "the other registers are the enclave's");
	ok(!w.lp.epc && tcs(&w)->stage == 0 && tcs(&w)->cssa == 0, "the TCS is free");
	is_gp(&w, cpu_eexit(&w.lp, &w.r, &w.f), "EEXIT outside");
	world_end(&w);
}

/* Another logical processor. */
static void test_busy(void)
{
	struct cpu_lp other = { .owner = cpu_owner_self() };
	struct cpu_regs r;
	struct world w;

	world_ready(&w, 0);
	enter(&w);
	r = w.r;
	r.rbx = BASE + TCS;
	r.rcx = AEP;
	is_gp(&w, cpu_eenter(&other, w.epc, &r, &w.f), "EENTER of a TCS in use");
	is_gp(&w, cpu_eresume(&other, w.epc, &r, &w.f), "ERESUME of it: no frame");
	cpu_aex(&w.lp, &w.r, NULL);
	r.rbx = BASE + TCS;
	is_int(cpu_eenter(&other, w.epc, &r, &w.f), 0, "after an AEX it is free");
	is_int(r.rax, 1, "with the next frame");
	w.r.rbx = BASE + TCS;
	is_gp(&w, cpu_eresume(&w.lp, w.epc, &w.r, &w.f), "ERESUME of a TCS in use");
	r.rbx = 0x400000;
	is_int(cpu_eexit(&other, &r, &w.f), 0, "EEXIT");
	is_int(eresume(&w), 0, "ERESUME afterwards");
	world_end(&w);
}

static void test_tf(void)
{
	struct world w;

	world_ready(&w, ATTR_DEBUG);
	host_regs(&w, TCS);
	w.r.rflags |= TF;
	is_int(cpu_eenter(&w.lp, w.epc, &w.r, &w.f), 0, "EENTER while single-stepping");
	ok(!(w.r.rflags & TF), "the enclave is not stepped");
	eexit(&w);
	ok(w.r.rflags & TF, "the host is, again");
	host_regs(&w, TCS);
	w.r.rflags |= TF;
	cpu_eenter(&w.lp, w.epc, &w.r, &w.f);
	cpu_aex(&w.lp, &w.r, NULL);
	ok(w.r.rflags & TF, "also after an AEX");
	is_int(cpu_edbgwr(w.epc, TCS + 8, TCS_DBGOPTIN, &w.f), 0, "opt in");
	host_regs(&w, TCS);
	w.r.rflags |= TF;
	is_int(cpu_eenter(&w.lp, w.epc, &w.r, &w.f), 0, "EENTER");
	ok(w.r.rflags & TF, "an enclave that opted in is stepped");
	world_end(&w);
}

/* One thing wrong at a time; `undo` puts it right again. */
static void test_eenter_faults(void)
{
	struct isa_secinfo r = REG_R, trim = secinfo(SECINFO_OF_PT(PT_TRIM));
	struct world w;

	world_start(&w, 0);
	world_build(&w);
	is_gp(&w, eenter(&w), "EENTER before EINIT");
	world_init(&w);
#define REGS(check, name, change)                                                                  \
	host_regs(&w, TCS);                                                                        \
	change;                                                                                    \
	check(&w, cpu_eenter(&w.lp, w.epc, &w.r, &w.f), "EENTER: " name)
	REGS(is_gp, "TCS not page-aligned", w.r.rbx += 8);
	REGS(is_gp, "AEP not canonical", w.r.rcx = UINT64_C(1) << 47);
	host_regs(&w, SIZE);
	is_pf(&w, cpu_eenter(&w.lp, w.epc, &w.r, &w.f), PF_U, BASE + SIZE, "EENTER: TCS outside the EPC");
	host_regs(&w, FREE);
	is_pf(&w, cpu_eenter(&w.lp, w.epc, &w.r, &w.f), PF_U | PF_W, BASE + FREE, "EENTER: an absent page");
	host_regs(&w, DATA);
	is_pf(&w, cpu_eenter(&w.lp, w.epc, &w.r, &w.f), PF_FRAME, BASE + DATA, "EENTER: a regular page");
#define FIELD(name, field, value)                                                                  \
	do {                                                                                       \
		uint64_t kept = tcs(&w)->field;                                                    \
		tcs(&w)->field = (value);                                                          \
		is_gp(&w, eenter(&w), "EENTER: " name);                                            \
		tcs(&w)->field = (__typeof__(tcs(&w)->field))kept;                                 \
	} while (0)
	FIELD("OSSA not page-aligned", ossa, SSA + 16);
	FIELD("OFSBASE not page-aligned", ofsbase, OFSBASE + 1);
	FIELD("OGSBASE not page-aligned", ogsbase, OGSBASE + 1);
	FIELD("FS base not canonical", ofsbase, UINT64_C(1) << 60);
	FIELD("GS base not canonical", ogsbase, UINT64_C(1) << 60);
	FIELD("OENTRY not canonical", oentry, UINT64_C(1) << 60);
	FIELD("reserved flags", flags, 4);
	FIELD("AEX-notify for an enclave without it", flags, TCS_AEXNOTIFY);
	FIELD("no SSA frame left", cssa, NSSA);
	FIELD("no SSA frame at all", nssa, 0);
	FIELD("busy", stage, w.lp.owner);
	tcs(&w)->flags = TCS_AEXNOTIFY | TCS_DBGOPTIN;
	is_int(eenter(&w), 0, "EENTER: a debugger may differ about AEX-notify");
	eexit(&w);
	tcs(&w)->flags = 0;

#define FRAME(name, value, code, address)                                                          \
	tcs(&w)->ossa = (value);                                                                   \
	is_pf(&w, eenter(&w), code, address, "EENTER: SSA " name);                                 \
	tcs(&w)->ossa = SSA
	FRAME("outside ELRANGE", SIZE, PF_U | PF_W, BASE + SIZE);
	FRAME("far outside", UINT64_C(0x7ffffffff000) & ~UINT64_C(0xfff), PF_U | PF_W,
	      BASE + UINT64_C(0x7ffffffff000));
	FRAME("on an absent page", FREE, PF_U | PF_W, BASE + FREE);
	FRAME("on a read-only page", CONST, PF_FRAME, BASE + CONST);
	FRAME("on a TCS", TCS, PF_FRAME, BASE + TCS);
	is_int(cpu_eaug(w.epc, FREE, &w.f), 0, "EAUG");
	FRAME("on a pending page", FREE, PF_FRAME, BASE + FREE);
	is_int(cpu_emodpr(w.epc, SSA, &r, &w.f), 0, "EMODPR of the SSA");
	is_pf(&w, eenter(&w), PF_FRAME, BASE + SSA, "EENTER: SSA that was restricted");
	is_int(cpu_emodt(w.epc, TCS, &trim, &w.f), 0, "EMODT of the TCS");
	is_pf(&w, eenter(&w), PF_FRAME, BASE + TCS, "EENTER: a trimmed TCS");
	ok(!w.lp.epc && tcs(&w)->stage == 0, "nothing was entered");
	world_end(&w);
#undef REGS
#undef FIELD
#undef FRAME
}

static int vma_without_ssa(void *arg, uint64_t offset)
{
	uint64_t hidden;

	memcpy(&hidden, arg, sizeof(hidden));
	return offset == hidden ? PROT_READ : PROT_READ | PROT_WRITE;
}

static void test_eenter_vma(void)
{
	uint64_t hidden = SSA;
	struct world w;

	world_ready(&w, 0);
	w.epc->vma = vma_without_ssa;
	w.epc->vma_arg = &hidden;
	is_pf(&w, eenter(&w), PF_P | PF_U | PF_W, BASE + SSA, "EENTER: SSA mapped read-only");
	hidden = TCS;
	is_pf(&w, eenter(&w), PF_P | PF_U | PF_W, BASE + TCS, "EENTER: TCS mapped read-only");
	hidden = CODE;
	is_int(eenter(&w), 0, "EENTER");
	world_end(&w);
}

/* A frame of three pages: the first with the XSAVE area, the last with the registers. */
static void test_large_frame(void)
{
	struct isa_secinfo none = secinfo(SECINFO_OF_PT(PT_REG));
	struct world w;

	world_start(&w, 0);
	w.secs.ssaframesize = 3;
	world_build(&w);
	world_init(&w);
	tcs(&w)->nssa = 1;
	is_int(cpu_emodpr(w.epc, SSA + ISA_PAGE, &none, &w.f), 0, "the middle page is closed");
	is_int(eenter(&w), 0, "the middle page of a frame is not needed");
	ok(gpr(&w, 2)->ursp == HOST_RSP, "U_RSP is in the last page");
	eexit(&w);
	is_int(cpu_emodpr(w.epc, SSA + 2 * ISA_PAGE, &none, &w.f), 0, "the last page is closed");
	is_pf(&w, eenter(&w), PF_FRAME, BASE + SSA + 3 * ISA_PAGE - sizeof(struct isa_gprsgx),
	      "the last page is needed");
	world_end(&w);
}

/* ---- AEX and ERESUME: general registers ---- */

static void fill_regs(struct cpu_regs *r, uint64_t seed)
{
	uint64_t *v[] = { &r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp, &r->rsi, &r->rdi,
			  &r->r8,  &r->r9,  &r->r10, &r->r11, &r->r12, &r->r13, &r->r14, &r->r15 };

	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		*v[i] = seed + i;
	r->rip = BASE + 0x123;
	r->rflags = 0x202 | STATUS_FLAGS | DF;
	r->fsbase = BASE + 0x5000;
	r->gsbase = BASE + 0x6000;
}

static void test_aex(void)
{
	struct cpu_regs inside;
	struct isa_gprsgx *g;
	struct world w;

	world_ready(&w, 0);
	enter(&w);
	fill_regs(&w.r, 0x1000);
	inside = w.r;
	gpr(&w, 0)->ursp = HOST_RSP - 0x100; /* the enclave made room on the outside stack */
	gpr(&w, 0)->aexnotify = 1;
	ok(cpu_aex(&w.lp, &w.r, NULL), "AEX by an interrupt");
	ok(w.r.rax == ENCLU_ERESUME && w.r.rbx == BASE + TCS && w.r.rcx == AEP && w.r.rip == AEP,
	   "RAX, RBX, RCX and RIP are those of an ERESUME");
	ok(w.r.rsp == HOST_RSP - 0x100 && w.r.rbp == HOST_RBP, "the stack is the SSA's U_RSP and U_RBP");
	ok(w.r.fsbase == HOST_FS && w.r.gsbase == HOST_GS, "FS and GS are the host's");
	ok(!(w.r.rdx | w.r.rsi | w.r.rdi | w.r.r8 | w.r.r9 | w.r.r10 | w.r.r11 | w.r.r12 | w.r.r13 |
	     w.r.r14 | w.r.r15), "the other registers are zero");
	ok((w.r.rflags & STATUS_FLAGS) == 0 && w.r.rflags & DF, "the status flags are clear, the others stay");
	ok(!w.lp.epc && tcs(&w)->stage == 0 && tcs(&w)->cssa == 1, "outside, with CSSA raised");
	g = gpr(&w, 0);
	ok(g->rax == inside.rax && g->rcx == inside.rcx && g->rdx == inside.rdx && g->rbx == inside.rbx &&
		   g->rsp == inside.rsp && g->rbp == inside.rbp && g->rsi == inside.rsi &&
		   g->rdi == inside.rdi && g->r8 == inside.r8 && g->r9 == inside.r9 &&
		   g->r10 == inside.r10 && g->r11 == inside.r11 && g->r12 == inside.r12 &&
		   g->r13 == inside.r13 && g->r14 == inside.r14 && g->r15 == inside.r15,
	   "the SSA has the registers");
	ok(g->rip == inside.rip && g->rflags == inside.rflags && g->fsbase == inside.fsbase &&
		   g->gsbase == inside.gsbase, "RIP, RFLAGS and the bases");
	ok(g->exitinfo == 0 && g->aexnotify == 1, "no exception; AEXNOTIFY is the enclave's");

	host_regs(&w, TCS);
	w.r.rcx = AEP + 0x10;
	w.r.rsp = HOST_RSP - 0x2000;
	w.r.fsbase = HOST_FS + 8;
	is_int(cpu_eresume(&w.lp, w.epc, &w.r, &w.f), 0, "ERESUME");
	ok(w.r.rax == inside.rax && w.r.rcx == inside.rcx && w.r.rbx == inside.rbx &&
		   w.r.rsp == inside.rsp && w.r.rbp == inside.rbp && w.r.r15 == inside.r15 &&
		   w.r.rip == inside.rip && w.r.rflags == inside.rflags &&
		   w.r.fsbase == inside.fsbase && w.r.gsbase == inside.gsbase,
	   "everything is back");
	ok(tcs(&w)->cssa == 0 && g->ursp == HOST_RSP - 0x2000, "CSSA is lowered, U_RSP the new one");
	eexit(&w);
	ok(w.r.rcx == AEP + 0x10 && w.r.fsbase == HOST_FS + 8, "AEP and FS are those of the ERESUME");
	is_gp(&w, eresume(&w), "ERESUME without a frame");
	world_end(&w);
}

static void test_exceptions(void)
{
	static const struct {
		uint8_t vector;
		uint32_t exitinfo; /* with EXINFO selected */
		bool needs_exinfo;
	} cases[] = {
		{ VEC_DE, 0x80000300, false }, { VEC_DB, 0x80000301, false },
		{ VEC_BP, 0x80000603, false }, { VEC_BR, 0x80000305, false },
		{ VEC_UD, 0x80000306, false }, { VEC_GP, 0x8000030d, true },
		{ VEC_PF, 0x8000030e, true },  { VEC_MF, 0x80000310, false },
		{ VEC_AC, 0x80000311, false }, { VEC_XM, 0x80000313, false },
		{ 2, 0, false },	       { 12, 0, false },
	};
	struct world with, without;

	world_ready(&with, 0);
	world_start(&without, 0);
	without.secs.miscselect = 0;
	world_build(&without);
	world_init(&without);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cpu_fault why = { .vector = cases[i].vector, .error_code = 0x8007,
					 .address = BASE + 0x4567 };
		bool exinfo_set = cases[i].exitinfo && cases[i].needs_exinfo;

		enter(&with);
		memset(exinfo(&with, 0), 0xee, sizeof(struct isa_exinfo));
		cpu_aex(&with.lp, &with.r, &why);
		is_int(gpr(&with, 0)->exitinfo, cases[i].exitinfo, "EXITINFO");
		ok(exinfo(&with, 0)->errcd == (exinfo_set ? 0x8007 : 0xeeeeeeee) &&
			   exinfo(&with, 0)->maddr == (!exinfo_set		   ? UINT64_C(0xeeeeeeeeeeeeeeee) :
						       why.vector == VEC_PF ? why.address :
									      0),
		   "EXINFO after vector %u", cases[i].vector);
		is_int(eresume(&with), 0, "ERESUME");
		eexit(&with);
		enter(&without);
		cpu_aex(&without.lp, &without.r, &why);
		is_int(gpr(&without, 0)->exitinfo, cases[i].needs_exinfo ? 0 : cases[i].exitinfo,
		       "without EXINFO selected");
		is_int(eresume(&without), 0, "ERESUME");
		eexit(&without);
	}
	world_end(&with);
	world_end(&without);
}

/* Entering again while frames are in use, down to the last frame. */
static void test_nesting(void)
{
	struct world w;

	world_ready(&w, 0);
	for (unsigned i = 0; i < NSSA; i++) {
		is_int(eenter(&w), 0, "EENTER");
		is_int(w.r.rax, i, "RAX is CSSA");
		w.r.rdx = 0x100 + i;
		ok(cpu_aex(&w.lp, &w.r, NULL), "AEX");
	}
	is_gp(&w, eenter(&w), "no frame is left");
	for (unsigned i = NSSA; i-- > 0;) {
		is_int(eresume(&w), 0, "ERESUME");
		ok(w.r.rdx == 0x100 + i, "the frame entered last");
		if (i)
			eexit(&w);
	}
	world_end(&w);
}

static void test_eresume_faults(void)
{
	struct isa_gprsgx kept;
	struct world w;

	world_ready(&w, 0);
	enter(&w);
	is_gp(&w, cpu_eresume(&w.lp, w.epc, &w.r, &w.f), "ERESUME inside");
	w.r.rip = BASE + 0x10;
	cpu_aex(&w.lp, &w.r, NULL);
	kept = *gpr(&w, 0);
#define CASE(name, field, value)                                                                   \
	gpr(&w, 0)->field = (value);                                                               \
	is_gp(&w, eresume(&w), "ERESUME: " name);                                                  \
	*gpr(&w, 0) = kept
	CASE("RIP not canonical", rip, UINT64_C(1) << 63);
	CASE("FS base not canonical", fsbase, UINT64_C(1) << 63);
	CASE("GS base not canonical", gsbase, UINT64_C(1) << 63);
#undef CASE
	host_regs(&w, TCS);
	w.r.rbx += 1;
	is_gp(&w, cpu_eresume(&w.lp, w.epc, &w.r, &w.f), "ERESUME: TCS not page-aligned");
	host_regs(&w, TCS);
	w.r.rcx = UINT64_C(1) << 47;
	is_gp(&w, cpu_eresume(&w.lp, w.epc, &w.r, &w.f), "ERESUME: AEP not canonical");
	host_regs(&w, DATA);
	is_pf(&w, cpu_eresume(&w.lp, w.epc, &w.r, &w.f), PF_FRAME, BASE + DATA, "ERESUME: a regular page");
	ok(tcs(&w)->stage == 0 && tcs(&w)->cssa == 1, "nothing has changed");
	gpr(&w, 0)->rflags = 0x3000 | TF | 0x20000; /* IOPL, TF, VM: not the enclave's to set */
	is_int(eresume(&w), 0, "ERESUME");
	is_int(w.r.rflags, 0x202, "RFLAGS: only what an enclave may set");
	world_end(&w);
}

static void test_lost_frame(void)
{
	struct isa_secinfo trim = secinfo(SECINFO_OF_PT(PT_TRIM)), si;
	struct cpu_lp other = { .owner = cpu_owner_self() };
	struct cpu_regs r;
	struct world w;

	world_ready(&w, 0);
	is_int(cpu_emodt(w.epc, SSA + ISA_PAGE, &trim, &w.f), 0, "EMODT of an SSA page");
	enter(&w);
	si = secinfo(SECINFO_MODIFIED | SECINFO_OF_PT(PT_TRIM));
	memcpy(AT(&w, DATA), &si, sizeof(si));
	is_int(enclu(&w, ENCLU_EACCEPT, BASE + DATA, BASE + SSA + ISA_PAGE, 0), 0, "EACCEPT");
	/* This frame goes while the thread is inside, which hardware would not let happen. */
	is_int(cpu_emodt(w.epc, SSA, &trim, &w.f), 0, "EMODT of the frame in use");
	is_int(enclu(&w, ENCLU_EACCEPT, BASE + DATA, BASE + SSA, 0), 0, "EACCEPT");
	is_int(cpu_eremove(w.epc, SSA, &w.f), 0, "EREMOVE");
	fill_regs(&w.r, 0x1000);
	ok(!cpu_aex(&w.lp, &w.r, NULL), "an AEX cannot save");
	ok(w.r.rax == ENCLU_ERESUME && w.r.rip == AEP && w.r.rsp == HOST_RSP && w.r.rbp == HOST_RBP &&
		   w.r.r12 == 0 && w.r.fsbase == HOST_FS, "but the host gets its state");
	ok(!w.lp.epc && tcs(&w)->stage == 0, "and the TCS is free");
	ok(ct_is_zero(AT(&w, SSA), ISA_PAGE), "nothing was written");
	host_regs(&w, TCS);
	r = w.r;
	is_pf(&w, cpu_eenter(&other, w.epc, &r, &w.f), PF_U | PF_W, BASE + SSA, "EENTER finds no frame");
	world_end(&w);
}

/* ---- extended state ---- */

#define XSTATE_BV 512
#define AREA 4096

static void fill_area(uint8_t *x, uint64_t bv)
{
	for (int i = 0; i < AREA; i++)
		x[i] = (uint8_t)(i * 13 + 1);
	put_le16(x, 0x0240);
	put_le32(x + 24, 0x1fa0);
	put_le32(x + 28, 0xffff);
	memset(x + 512, 0, 64);
	put_le64(x + XSTATE_BV, bv);
}

static int resume_with(struct world *w, uint8_t *x, size_t n)
{
	host_regs(w, TCS);
	w->r.xsave = x;
	w->r.xsave_size = n;
	return cpu_eresume(&w->lp, w->epc, &w->r, &w->f);
}

static void test_xsave_legacy(void)
{
	uint8_t x[AREA], before[AREA], zeros[AREA] = { 0 };
	struct world w;

	world_ready(&w, 0); /* XFRM = 3 */
	enter(&w);
	fill_area(x, 7);
	memcpy(before, x, sizeof(x));
	w.r.xsave = x;
	w.r.xsave_size = sizeof(x);
	cpu_aex(&w.lp, &w.r, NULL);
	is_mem(AT(&w, SSA), before, 24, "x87 control in the SSA");
	is_mem(AT(&w, SSA + 24), before + 24, 8, "MXCSR and its mask");
	is_mem(AT(&w, SSA + 32), before + 32, 128, "x87 registers");
	is_mem(AT(&w, SSA + 160), before + 160, 256, "XMM registers");
	is_mem(AT(&w, SSA + 416), zeros, 96, "bytes 416-511 are zero: the kernel's are not ours");
	is_int(get_le64(AT(&w, SSA + XSTATE_BV)), 3, "XSTATE_BV is within XFRM");
	is_mem(AT(&w, SSA + 520), zeros, 56, "the rest of the header is zero");
	is_mem(AT(&w, SSA + 576), zeros, 512, "nothing of what XFRM leaves out");

	is_int(get_le16(x), 0x037f, "afterwards FCW is initial");
	is_int(get_le32(x + 24), 0x1f80, "MXCSR too");
	ok(memcmp(x + 32, zeros, 384) == 0, "no register of the enclave is left");
	is_mem(x + 416, before + 416, 96, "the kernel's bytes are");
	is_mem(x + 576, before + 576, AREA - 576, "and so is what XFRM leaves out");
	is_int(get_le64(x + XSTATE_BV), 4, "XSTATE_BV: initial, but for that");

	fill_area(x, 7);
	memset(x + 576, 0x77, AREA - 576);
	is_int(resume_with(&w, x, sizeof(x)), 0, "ERESUME");
	ok(memcmp(x, before, 28) == 0 && memcmp(x + 32, before + 32, 384) == 0, "the registers are back");
	is_int(x[600], 0x77, "the host's own are not touched");
	is_int(get_le64(x + XSTATE_BV), 7, "XSTATE_BV");
	world_end(&w);
}

static void test_xsave_initial(void)
{
	uint8_t x[AREA];
	struct world w;

	world_ready(&w, 0);
	enter(&w);
	fill_area(x, 0); /* everything initial, whatever the memory says */
	w.r.xsave = x;
	w.r.xsave_size = sizeof(x);
	cpu_aex(&w.lp, &w.r, NULL);
	is_int(get_le64(AT(&w, SSA + XSTATE_BV)), 0, "initial state stays initial");
	is_int(get_le16(AT(&w, SSA)), 0x037f, "FCW in the SSA is initial");
	ok(ct_is_zero(AT(&w, SSA + 32), 480), "the registers are zero");
	is_int(get_le32(AT(&w, SSA + 24)), 0x1fa0, "MXCSR is saved all the same");
	fill_area(x, 3);
	is_int(resume_with(&w, x, sizeof(x)), 0, "ERESUME");
	is_int(get_le64(x + XSTATE_BV), 0, "and resumed as such");
	is_int(get_le32(x + 24), 0x1fa0, "with its MXCSR");
	world_end(&w);
}

static void test_xsave_exceptions(void)
{
	struct cpu_fault mf = { .vector = VEC_MF }, xm = { .vector = VEC_XM };
	uint8_t x[AREA];
	struct world w;

	world_ready(&w, 0);
	enter(&w);
	fill_area(x, 3);
	w.r.xsave = x;
	w.r.xsave_size = sizeof(x);
	cpu_aex(&w.lp, &w.r, &mf);
	ok(get_le16(x) == 0x037e && get_le16(x + 2) == 0x8081, "#MF: FCW and FSW tell");
	is_int(get_le64(x + XSTATE_BV), 1, "and are loaded");
	enter(&w);
	fill_area(x, 3);
	w.r.xsave = x;
	w.r.xsave_size = sizeof(x);
	cpu_aex(&w.lp, &w.r, &xm);
	is_int(get_le32(x + 24), 0x1f01, "#XM: MXCSR tells");
	world_end(&w);
}

static void test_xsave_faults(void)
{
	uint8_t x[AREA], head[576], before[AREA];
	struct world w;

	world_ready(&w, 0);
	enter(&w);
	fill_area(x, 3);
	w.r.xsave = x;
	w.r.xsave_size = sizeof(x);
	cpu_aex(&w.lp, &w.r, NULL);
	memcpy(head, AT(&w, SSA), sizeof(head));
	fill_area(x, 7);
	memcpy(before, x, sizeof(x));
#define CASE(name, change)                                                                         \
	change;                                                                                    \
	is_gp(&w, resume_with(&w, x, sizeof(x)), "ERESUME: " name);                                \
	memcpy(AT(&w, SSA), head, sizeof(head))
	CASE("XSTATE_BV beyond XFRM", put_le64(AT(&w, SSA + XSTATE_BV), 7));
	CASE("XSTATE_BV bit 63", AT(&w, SSA + XSTATE_BV)[7] = 0x80);
	CASE("XCOMP_BV: compacted format", AT(&w, SSA + 520)[7] = 0x80);
	CASE("XCOMP_BV", AT(&w, SSA + 520)[0] = 1);
	CASE("header byte 16", AT(&w, SSA + 528)[0] = 1);
	CASE("header byte 23", AT(&w, SSA + 528)[7] = 1);
	CASE("reserved bits of MXCSR", put_le32(AT(&w, SSA + 24), 0x80001f80));
#undef CASE
	is_mem(x, before, sizeof(x), "nothing was loaded");
	ok(tcs(&w)->stage == 0 && tcs(&w)->cssa == 1 && !w.lp.epc, "nothing has changed");
	is_int(resume_with(&w, x, sizeof(x)), 0, "ERESUME of the good frame");
	world_end(&w);

	world_ready(&w, 0);
	enter(&w);
	memset(AT(&w, SSA), 0x5a, 576);
	w.r.xsave = NULL;
	cpu_aex(&w.lp, &w.r, NULL);
	is_int(*AT(&w, SSA), 0x5a, "without an area extended state is left alone");
	is_int(eresume(&w), 0, "and not looked at");
	world_end(&w);
}

/* A component beyond SSE, as far as this machine has one: AVX. */
static void test_xsave_avx(void)
{
	uint8_t x[AREA], before[AREA];
	struct cpu_features have;
	unsigned length = 0, offset = 0, c, d;
	struct world w;

	world_start(&w, 0);
	cpu_features(&w.platform, &have);
	if (!(have.xfrm & XFRM_AVX)) {
		skip("this machine has no AVX");
		world_end(&w);
		return;
	}
	__get_cpuid_count(0x0d, 2, &length, &offset, &c, &d);
	w.secs.attributes.xfrm = have.xfrm & 7;
	world_build(&w);
	world_init(&w);
	enter(&w);
	fill_area(x, 7);
	memcpy(before, x, sizeof(x));
	w.r.xsave = x;
	w.r.xsave_size = sizeof(x);
	cpu_aex(&w.lp, &w.r, NULL);
	is_int(get_le64(AT(&w, SSA + XSTATE_BV)), 7, "XSTATE_BV has AVX");
	is_mem(AT(&w, SSA + offset), before + offset, length, "YMM registers are saved");
	ok(ct_is_zero(x + offset, length), "and cleared");
	is_mem(x + offset + length, before + offset + length, AREA - offset - length,
	       "what is behind them is not");
	fill_area(x, 3);
	memset(x + offset, 0, length);
	is_int(resume_with(&w, x, sizeof(x)), 0, "ERESUME");
	is_mem(x + offset, before + offset, length, "YMM registers are back");
	is_int(get_le64(x + XSTATE_BV), 7, "XSTATE_BV");
	w.r.xsave = x;
	w.r.xsave_size = offset + length - 1;
	cpu_aex(&w.lp, &w.r, NULL);
	is_int(get_le64(AT(&w, SSA + XSTATE_BV)), 3, "a component that the area has no room for is initial");
	put_le64(AT(&w, SSA + XSTATE_BV), 7);
	is_gp(&w, resume_with(&w, x, offset + length - 1), "nor can it be resumed");
	world_end(&w);
}

/* ---- AEX-notify and EDECCSSA ---- */

static void test_edeccssa(void)
{
	struct isa_secinfo none = secinfo(SECINFO_OF_PT(PT_REG));
	struct world w;

	world_ready(&w, ATTR_AEXNOTIFY);
	enter(&w);
	is_gp(&w, enclu(&w, ENCLU_EDECCSSA, 0, 0, 0), "EDECCSSA with CSSA = 0");
	w.r.rdx = 0x11;
	cpu_aex(&w.lp, &w.r, NULL);
	is_int(eenter(&w), 0, "EENTER of the next frame");
	is_int(w.r.rax, 1, "CSSA");
	w.r.rflags |= STATUS_FLAGS;
	is_int(enclu(&w, ENCLU_EDECCSSA, 1, 2, 3), 0, "EDECCSSA");
	ok(w.r.rax == ENCLU_EDECCSSA && w.r.rbx == 1 && (w.r.rflags & STATUS_FLAGS) == STATUS_FLAGS &&
		   w.r.rip == BASE + OENTRY + 3, "changes no register but RIP");
	is_int(tcs(&w)->cssa, 0, "CSSA is lowered");
	w.r.rdx = 0x22;
	cpu_aex(&w.lp, &w.r, NULL);
	ok(gpr(&w, 0)->rdx == 0x22 && tcs(&w)->cssa == 1, "the next AEX fills that frame");
	is_int(eresume(&w), 0, "ERESUME");
	is_int(w.r.rdx, 0x22, "of it");
	cpu_aex(&w.lp, &w.r, NULL);
	is_int(eenter(&w), 0, "EENTER");
	is_int(cpu_emodpr(w.epc, SSA, &none, &w.f), 0, "the frame below is closed");
	is_pf(&w, enclu(&w, ENCLU_EDECCSSA, 0, 0, 0), PF_FRAME, BASE + SSA, "EDECCSSA to it");
	is_int(tcs(&w)->cssa, 1, "CSSA stays");
	world_end(&w);
}

static void test_notify(void)
{
	struct world w;

	world_ready(&w, ATTR_AEXNOTIFY);
	tcs(&w)->flags = 0;
	is_gp(&w, eenter(&w), "a TCS without AEX-notify in an enclave with it");
	tcs(&w)->flags = TCS_AEXNOTIFY;
	enter(&w);
	w.r.rdx = 0x33;
	cpu_aex(&w.lp, &w.r, NULL);
	is_int(eresume(&w), 0, "ERESUME, no notification asked for");
	is_int(w.r.rdx, 0x33, "resumes");
	gpr(&w, 0)->aexnotify = 1;
	cpu_aex(&w.lp, &w.r, NULL);
	host_regs(&w, TCS);
	w.r.rax = ENCLU_ERESUME;
	is_int(cpu_eresume(&w.lp, w.epc, &w.r, &w.f), 0, "ERESUME with a notification pending");
	ok(w.r.rip == BASE + OENTRY && w.r.rax == 1 && w.r.rcx == EENTER_RIP + 3,
	   "enters at OENTRY with CSSA in RAX");
	ok(w.r.rsp == HOST_RSP && w.r.rdx == 0xd0 && w.r.fsbase == BASE + OFSBASE,
	   "with the host's registers, as EENTER does");
	ok(tcs(&w)->cssa == 1 && gpr(&w, 1)->ursp == HOST_RSP, "in the next frame");
	is_int(enclu(&w, ENCLU_EDECCSSA, 0, 0, 0), 0, "EDECCSSA");
	is_int(gpr(&w, 0)->rdx, 0x33, "the interrupted state is in the frame");
	world_end(&w);

	world_ready(&w, ATTR_AEXNOTIFY);
	tcs(&w)->nssa = 1;
	enter(&w);
	gpr(&w, 0)->aexnotify = 1;
	cpu_aex(&w.lp, &w.r, NULL);
	is_gp(&w, eresume(&w), "a notification needs a frame of its own");
	gpr(&w, 0)->aexnotify = 2;
	is_int(eresume(&w), 0, "only bit 0 asks for one");
	world_end(&w);
}

int main(void)
{
	test_round_trip();
	test_busy();
	test_tf();
	test_eenter_faults();
	test_eenter_vma();
	test_large_frame();
	test_aex();
	test_exceptions();
	test_nesting();
	test_eresume_faults();
	test_lost_frame();
	test_xsave_legacy();
	test_xsave_initial();
	test_xsave_exceptions();
	test_xsave_faults();
	test_xsave_avx();
	test_edeccssa();
	test_notify();
	return tap_done();
}
