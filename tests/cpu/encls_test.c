/* EREMOVE, EDBGRD, EDBGWR and ENCLS of SGX2: every status and fault. */
#include "tests/cpu/world.h"

#include <string.h>
#include <sys/mman.h>

static struct cpu_epcm epcm(const struct world *w, uint64_t offset)
{
	struct cpu_epcm m = { 0 };

	cpu_epcm_get(w->epc, offset, &m);
	return m;
}

/* EAUG and what EACCEPT would do to it, without entering. */
static void augment(struct world *w, uint64_t offset)
{
	is_int(cpu_eaug(w->epc, offset, &w->f), 0, "EAUG");
}

static void accept(struct world *w, uint64_t offset, uint64_t flags)
{
	struct isa_secinfo si = secinfo(flags);

	enter(w);
	memcpy(AT(w, DATA), &si, sizeof(si));
	is_int(enclu(w, ENCLU_EACCEPT, BASE + DATA, BASE + offset, 0), 0, "EACCEPT");
	w->r.rbx = 0x400000;
	is_int(cpu_eexit(&w->lp, &w->r, &w->f), 0, "EEXIT");
}

static void modify(struct world *w, uint64_t offset, unsigned pt)
{
	struct isa_secinfo si = secinfo(SECINFO_OF_PT(pt));

	is_int(cpu_emodt(w->epc, offset, &si, &w->f), 0, "EMODT");
}

/* ---- EREMOVE ---- */

static void test_eremove(void)
{
	struct world w;
	unsigned changes;

	world_ready(&w, 0);
	is_gp(&w, cpu_eremove(w.epc, 0x80, &w.f), "EREMOVE of an unaligned address");
	is_pf(&w, cpu_eremove(w.epc, SIZE, &w.f), PF_W, BASE + SIZE, "EREMOVE outside the EPC");
	is_int(cpu_eremove(w.epc, FREE, &w.f), 0, "EREMOVE of an absent page does nothing");
	is_int(cpu_eremove(w.epc, CPU_SECS_PAGE, &w.f), ISA_CHILD_PRESENT,
	       "EREMOVE of the SECS of an enclave with pages");
	enter(&w);
	is_int(cpu_eremove(w.epc, CONST, &w.f), ISA_ENCLAVE_ACT, "EREMOVE with a thread inside");
	is_int(cpu_eremove(w.epc, TCS, &w.f), ISA_ENCLAVE_ACT, "and of the TCS in use");
	w.r.rbx = 0x400000;
	cpu_eexit(&w.lp, &w.r, &w.f);
	changes = w.changes;
	is_int(cpu_eremove(w.epc, CONST, &w.f), 0, "EREMOVE afterwards");
	ok(w.changes == changes + 1 && w.changed_offset == CONST, "the hook is told");
	ok(!epcm(&w, CONST).valid && ct_is_zero(AT(&w, CONST), ISA_PAGE),
	   "nothing of the page is left");
	for (uint64_t at = 0; at < FREE; at += ISA_PAGE)
		if (cpu_eremove(w.epc, at, &w.f) != 0)
			ok(false, "EREMOVE of page %llx", (unsigned long long)at);
	is_int(cpu_epc_pages(w.epc), 0, "no pages left");
	is_int(cpu_eremove(w.epc, CPU_SECS_PAGE, &w.f), 0, "EREMOVE of the SECS");
	is_int(cpu_eremove(w.epc, CPU_SECS_PAGE, &w.f), 0, "again does nothing");
	ok(!cpu_epc_initialised(w.epc), "there is no enclave any more");
	host_regs(&w, TCS);
	is_pf(&w, cpu_eenter(&w.lp, w.epc, &w.r, &w.f), PF_U | PF_W, BASE + TCS, "nothing to enter");
	is_pf(&w, cpu_eaug(w.epc, 0, &w.f), PF_ENCLS, 0, "EAUG without SECS");
	world_end(&w);
}

static void test_eremove_trimmed(void)
{
	struct world w;

	world_ready(&w, 0);
	modify(&w, CONST, PT_TRIM);
	enter(&w);
	is_int(cpu_eremove(w.epc, CONST, &w.f), ISA_ENCLAVE_ACT,
	       "EREMOVE of a trimmed page that was not accepted");
	w.r.rbx = 0x400000;
	cpu_eexit(&w.lp, &w.r, &w.f);
	accept(&w, CONST, SECINFO_MODIFIED | SECINFO_OF_PT(PT_TRIM));
	enter(&w);
	is_int(cpu_eremove(w.epc, CONST, &w.f), 0, "accepted, it goes while threads are inside");
	world_end(&w);
}

/* ---- EAUG ---- */

static void test_eaug(void)
{
	struct cpu_epcm m;
	struct world w;

	world_start(&w, 0);
	is_pf(&w, cpu_eaug(w.epc, 0, &w.f), PF_ENCLS, 0, "EAUG before ECREATE");
	world_build(&w);
	is_gp(&w, cpu_eaug(w.epc, FREE, &w.f), "EAUG before EINIT");
	world_init(&w);
	is_gp(&w, cpu_eaug(w.epc, FREE + 1, &w.f), "EAUG at an unaligned address");
	is_gp(&w, cpu_eaug(w.epc, SIZE, &w.f), "EAUG outside ELRANGE");
	is_pf(&w, cpu_eaug(w.epc, DATA, &w.f), PF_ENCLS, BASE + DATA, "EAUG of a page that is there");
	memset(AT(&w, FREE), 0xaa, ISA_PAGE); /* as a stale mapping would */
	is_int(cpu_eaug(w.epc, FREE, &w.f), 0, "EAUG");
	m = epcm(&w, FREE);
	ok(m.valid && m.pending && m.pt == PT_REG && m.permissions == (SECINFO_R | SECINFO_W),
	   "the page is pending, readable and writable");
	ok(ct_is_zero(AT(&w, FREE), ISA_PAGE), "and zero");
	w.epc->platform.sgx2 = false;
	is_gp(&w, cpu_eaug(w.epc, FREE + ISA_PAGE, &w.f), "EAUG on SGX1");
	world_end(&w);
}

/* ---- EMODPR ---- */

static void test_emodpr(void)
{
	struct isa_secinfo r = REG_R, bad;
	struct cpu_epcm m;
	struct world w;

	world_start(&w, 0);
	world_build(&w);
	is_gp(&w, cpu_emodpr(w.epc, DATA, &r, &w.f), "EMODPR before EINIT");
	world_init(&w);
	is_gp(&w, cpu_emodpr(w.epc, DATA + 8, &r, &w.f), "EMODPR at an unaligned address");
	bad = secinfo(SECINFO_W);
	is_gp(&w, cpu_emodpr(w.epc, DATA, &bad, &w.f), "EMODPR to writable, not readable");
	bad = secinfo(SECINFO_R | 0x80);
	is_gp(&w, cpu_emodpr(w.epc, DATA, &bad, &w.f), "EMODPR with reserved flags");
	bad = REG_R;
	bad.reserved[0] = 1;
	is_gp(&w, cpu_emodpr(w.epc, DATA, &bad, &w.f), "EMODPR with reserved bytes");
	is_pf(&w, cpu_emodpr(w.epc, SIZE, &r, &w.f), PF_W, BASE + SIZE, "EMODPR outside the EPC");
	is_pf(&w, cpu_emodpr(w.epc, FREE, &r, &w.f), PF_ENCLS, BASE + FREE, "EMODPR of an absent page");
	is_pf(&w, cpu_emodpr(w.epc, TCS, &r, &w.f), PF_ENCLS, BASE + TCS, "EMODPR of a TCS");
	augment(&w, FREE);
	is_int(cpu_emodpr(w.epc, FREE, &r, &w.f), ISA_PAGE_NOT_MODIFIABLE, "EMODPR of a pending page");
	modify(&w, CONST, PT_TRIM);
	is_int(cpu_emodpr(w.epc, CONST, &r, &w.f), ISA_PAGE_NOT_MODIFIABLE, "EMODPR of a modified page");
	is_int(cpu_emodpr(w.epc, DATA, &r, &w.f), 0, "EMODPR");
	m = epcm(&w, DATA);
	ok(m.permissions == SECINFO_R && m.pr, "read only, restriction in progress");
	r = REG_RWX;
	is_int(cpu_emodpr(w.epc, DATA, &r, &w.f), 0, "EMODPR to more");
	is_int(epcm(&w, DATA).permissions, SECINFO_R, "gives nothing back");
	w.epc->platform.sgx2 = false;
	is_gp(&w, cpu_emodpr(w.epc, DATA, &r, &w.f), "EMODPR on SGX1");
	world_end(&w);
}

/* ---- EMODT ---- */

static void test_emodt(void)
{
	struct isa_secinfo trim = secinfo(SECINFO_OF_PT(PT_TRIM)), tcs = TCS_INFO, bad;
	struct cpu_epcm m;
	struct world w;

	world_start(&w, 0);
	world_build(&w);
	is_gp(&w, cpu_emodt(w.epc, DATA, &trim, &w.f), "EMODT before EINIT");
	world_init(&w);
	is_gp(&w, cpu_emodt(w.epc, DATA + 8, &trim, &w.f), "EMODT at an unaligned address");
	bad = REG_RW;
	is_gp(&w, cpu_emodt(w.epc, DATA, &bad, &w.f), "EMODT to REG");
	bad = secinfo(SECINFO_OF_PT(PT_SS_REST));
	is_gp(&w, cpu_emodt(w.epc, DATA, &bad, &w.f), "EMODT to a shadow stack");
	bad = secinfo(SECINFO_OF_PT(PT_TRIM) | 0x80);
	is_gp(&w, cpu_emodt(w.epc, DATA, &bad, &w.f), "EMODT with reserved flags");
	bad = secinfo(SECINFO_OF_PT(PT_TRIM));
	bad.reserved[20] = 1;
	is_gp(&w, cpu_emodt(w.epc, DATA, &bad, &w.f), "EMODT with reserved bytes");
	is_pf(&w, cpu_emodt(w.epc, SIZE, &trim, &w.f), PF_W, BASE + SIZE, "EMODT outside the EPC");
	is_pf(&w, cpu_emodt(w.epc, FREE, &trim, &w.f), PF_ENCLS, BASE + FREE, "EMODT of an absent page");
	is_pf(&w, cpu_emodt(w.epc, TCS, &tcs, &w.f), PF_ENCLS, BASE + TCS, "EMODT of a TCS to TCS");
	augment(&w, FREE);
	is_int(cpu_emodt(w.epc, FREE, &tcs, &w.f), ISA_PAGE_NOT_MODIFIABLE, "EMODT of a pending page");
	is_int(cpu_emodt(w.epc, DATA, &tcs, &w.f), 0, "EMODT of a regular page to TCS");
	m = epcm(&w, DATA);
	ok(m.pt == PT_TCS && m.modified && m.permissions == 0, "modified, without permissions");
	is_int(cpu_emodt(w.epc, DATA, &trim, &w.f), ISA_PAGE_NOT_MODIFIABLE, "EMODT of a modified page");
	is_int(cpu_emodt(w.epc, TCS, &trim, &w.f), 0, "EMODT of a TCS to TRIM");
	is_int(epcm(&w, TCS).pt, PT_TRIM, "trimmed");
	is_pf(&w, cpu_emodt(w.epc, TCS, &trim, &w.f), PF_ENCLS, BASE + TCS, "EMODT of a trimmed page");
	w.epc->platform.sgx2 = false;
	is_gp(&w, cpu_emodt(w.epc, CONST, &trim, &w.f), "EMODT on SGX1");
	world_end(&w);
}

/* ---- EDBGRD, EDBGWR ---- */

static void test_debug(void)
{
	uint64_t v = 0;
	struct world w;

	world_start(&w, ATTR_DEBUG);
	is_pf(&w, cpu_edbgrd(w.epc, 0, &v, &w.f), PF_W, 0, "EDBGRD before ECREATE");
	world_build(&w);
	is_int(cpu_edbgrd(w.epc, CODE, &v, &w.f), 0, "EDBGRD before EINIT");
	world_init(&w);
	is_gp(&w, cpu_edbgrd(w.epc, 4, &v, &w.f), "EDBGRD, unaligned");
	is_pf(&w, cpu_edbgrd(w.epc, SIZE, &v, &w.f), PF_W, BASE + SIZE, "EDBGRD outside the EPC");
	is_pf(&w, cpu_edbgrd(w.epc, FREE, &v, &w.f), PF_ENCLS, BASE + FREE, "EDBGRD of an absent page");
	is_int(cpu_edbgrd(w.epc, CODE + 8, &v, &w.f), 0, "EDBGRD of code");
	ok(v == UINT64_C(0x9090909090909090), "the code");
	is_int(cpu_edbgwr(w.epc, CODE + 8, 0xcc, &w.f), 0, "EDBGWR ignores permissions");
	cpu_edbgrd(w.epc, CODE + 8, &v, &w.f);
	is_int(v, 0xcc, "what was written");
	is_int(cpu_edbgrd(w.epc, TCS + 32, &v, &w.f), 0, "EDBGRD of TCS.OENTRY");
	is_int(v, OENTRY, "OENTRY");
	is_int(cpu_edbgrd(w.epc, TCS + 64, &v, &w.f), 0, "EDBGRD of the last field of a TCS");
	is_gp(&w, cpu_edbgrd(w.epc, TCS + 72, &v, &w.f), "EDBGRD behind it");
	is_gp(&w, cpu_edbgwr(w.epc, TCS, 1, &w.f), "EDBGWR of TCS.STATE");
	is_gp(&w, cpu_edbgwr(w.epc, TCS + 16, 1, &w.f), "EDBGWR of TCS.OSSA");
	is_int(cpu_edbgwr(w.epc, TCS + 8, TCS_DBGOPTIN, &w.f), 0, "EDBGWR of TCS.FLAGS");
	enter(&w);
	ok(w.lp.dbgoptin, "the next entry is opted in");
	is_int(cpu_edbgrd(w.epc, TCS, &v, &w.f), 0, "EDBGRD of TCS.STATE");
	is_int(v, 1, "active");
	w.r.rbx = 0x400000;
	cpu_eexit(&w.lp, &w.r, &w.f);
	cpu_edbgrd(w.epc, TCS, &v, &w.f);
	is_int(v, 0, "inactive");
	augment(&w, FREE);
	is_int(cpu_edbgrd(w.epc, FREE, &v, &w.f), ISA_PAGE_NOT_DEBUGGABLE, "EDBGRD of a pending page");
	is_int(cpu_edbgwr(w.epc, FREE, 1, &w.f), ISA_PAGE_NOT_DEBUGGABLE, "EDBGWR of it");
	modify(&w, CONST, PT_TRIM);
	is_pf(&w, cpu_edbgrd(w.epc, CONST, &v, &w.f), PF_ENCLS, BASE + CONST, "EDBGRD of a trimmed page");
	modify(&w, DATA, PT_TCS);
	is_int(cpu_edbgrd(w.epc, DATA, &v, &w.f), ISA_PAGE_NOT_DEBUGGABLE, "EDBGRD of a modified page");
	world_end(&w);

	world_ready(&w, 0);
	is_gp(&w, cpu_edbgrd(w.epc, CODE, &v, &w.f), "EDBGRD of a production enclave");
	is_gp(&w, cpu_edbgwr(w.epc, CODE, 0, &w.f), "EDBGWR of a production enclave");
	world_end(&w);
}

/* ---- what a fault is, and what a page may be mapped with ---- */

static void access_case(struct world *w, uint64_t offset, uint32_t access, int vma,
			enum cpu_access want, uint32_t code, int prot, const char *name)
{
	int got;
	enum cpu_access a = cpu_page_access(w->epc, offset, access, vma, &got, &w->f);

	ok(a == want && (want != CPU_ACCESS_FAULT || (w->f.vector == VEC_PF && w->f.error_code == code &&
						      w->f.address == BASE + offset)) &&
		   got == prot, "%s", name);
	if (a != want || got != prot)
		printf("#   got %d, protection %d, code %#x\n", a, got, w->f.error_code);
}

static void test_access(void)
{
	const int rw = PROT_READ | PROT_WRITE, rx = PROT_READ | PROT_EXEC, rwx = rw | PROT_EXEC;
	struct isa_secinfo r = REG_R;
	struct world w;

	world_start(&w, 0);
	world_build(&w);
	access_case(&w, FREE, 0, rwx, CPU_ACCESS_FAULT, PF_U, 0, "an absent page before EINIT");
	world_init(&w);
	access_case(&w, CODE + 5, 0, rx, CPU_ACCESS_OK, 0, rx, "code is read");
	access_case(&w, CODE, PF_I, rwx, CPU_ACCESS_OK, 0, rx, "code is run");
	access_case(&w, CODE, PF_W, rwx, CPU_ACCESS_FAULT, PF_SGX | PF_P | PF_W | PF_U, 0,
		    "code is written: EPCM");
	access_case(&w, CODE, PF_W, rx, CPU_ACCESS_FAULT, PF_P | PF_W | PF_U, 0,
		    "code is written: page tables");
	access_case(&w, DATA + 0xfff, PF_W, rw, CPU_ACCESS_OK, 0, rw, "data is written");
	access_case(&w, DATA, PF_W, PROT_READ, CPU_ACCESS_FAULT, PF_P | PF_W | PF_U, 0,
		    "data is written through a read-only mapping");
	access_case(&w, DATA, 0, PROT_READ, CPU_ACCESS_OK, 0, PROT_READ, "data is read through it");
	access_case(&w, DATA, PF_I, rwx, CPU_ACCESS_FAULT, PF_SGX | PF_P | PF_I | PF_U, 0, "data is run");
	access_case(&w, DATA, 0, PROT_NONE, CPU_ACCESS_FAULT, PF_U, 0, "no mapping at all");
	access_case(&w, TCS, 0, rw, CPU_ACCESS_FAULT, PF_SGX | PF_P | PF_U, 0, "a TCS is read");
	is_int(cpu_page_protection(w.epc, TCS, rwx), PROT_NONE, "a TCS is never mapped");
	access_case(&w, FREE, PF_W, rwx, CPU_ACCESS_EAUG, 0, 0, "an absent page is EAUGed");
	access_case(&w, FREE, PF_W, PROT_READ, CPU_ACCESS_FAULT, PF_W | PF_U, 0,
		    "but not for an access that the mapping forbids");
	access_case(&w, SIZE, 0, rwx, CPU_ACCESS_FAULT, PF_U, 0, "behind ELRANGE");
	augment(&w, FREE);
	access_case(&w, FREE, PF_W, rwx, CPU_ACCESS_FAULT, PF_SGX | PF_P | PF_W | PF_U, 0,
		    "a pending page (0x8007)");
	accept(&w, FREE, SECINFO_PENDING | SECINFO_R | SECINFO_W | SECINFO_OF_PT(PT_REG));
	access_case(&w, FREE, PF_W, rwx, CPU_ACCESS_OK, 0, rw, "accepted");
	is_int(cpu_emodpr(w.epc, FREE, &r, &w.f), 0, "EMODPR");
	access_case(&w, FREE, PF_W, rw, CPU_ACCESS_FAULT, PF_SGX | PF_P | PF_W | PF_U, 0,
		    "restricted (0x8007)");
	access_case(&w, FREE, 0, rw, CPU_ACCESS_OK, 0, PROT_READ, "still read");
	modify(&w, FREE, PT_TRIM);
	access_case(&w, FREE, 0, rw, CPU_ACCESS_FAULT, PF_SGX | PF_P | PF_U, 0, "trimmed (0x8005)");
	w.epc->platform.sgx2 = false;
	access_case(&w, FREE + ISA_PAGE, 0, rw, CPU_ACCESS_FAULT, PF_U, 0, "an absent page on SGX1");
	world_end(&w);
}

static void test_generation(void)
{
	struct isa_secinfo r = REG_R;
	uint64_t before;
	struct world w;

	world_ready(&w, 0);
	before = cpu_epc_generation(w.epc);
	enter(&w);
	w.r.rbx = 0x400000;
	cpu_eexit(&w.lp, &w.r, &w.f);
	is_int(cpu_epc_generation(w.epc), before, "entering changes no EPCM entry");
	is_int(cpu_emodpr(w.epc, DATA, &r, &w.f), 0, "EMODPR");
	ok(cpu_epc_generation(w.epc) > before, "EMODPR does");
	before = cpu_epc_generation(w.epc);
	augment(&w, FREE);
	ok(cpu_epc_generation(w.epc) > before, "EAUG does");
	before = cpu_epc_generation(w.epc);
	accept(&w, FREE, SECINFO_PENDING | SECINFO_R | SECINFO_W | SECINFO_OF_PT(PT_REG));
	ok(cpu_epc_generation(w.epc) > before, "EACCEPT does");
	before = cpu_epc_generation(w.epc);
	is_int(cpu_eremove(w.epc, FREE, &w.f), 0, "EREMOVE");
	ok(cpu_epc_generation(w.epc) > before, "EREMOVE does");
	world_end(&w);
}

int main(void)
{
	test_eremove();
	test_eremove_trimmed();
	test_eaug();
	test_emodpr();
	test_emodt();
	test_debug();
	test_access();
	test_generation();
	return tap_done();
}
