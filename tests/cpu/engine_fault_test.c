/*
 * Exceptions in an enclave: vector, error code and address as the entry
 * function reports them, the state save area, and going on after a repair.
 */
#include "engine_kit.h"
#include "tests/tap.h"

#include <cpuid.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

static struct kit kit;
static uint64_t step; /* bytes that the repair steps over */

static int step_over(const struct kit *k, unsigned tcs, struct kit_answer *a)
{
	(void)a;
	kit_ssa(k, tcs)->rip += step;
	return ENCLU_ERESUME;
}

static uint32_t exitinfo; /* as the SSA had it */
static struct isa_exinfo exinfo;
static int note_and_step_over(const struct kit *k, unsigned tcs, struct kit_answer *a)
{
	const struct isa_gprsgx *g = kit_ssa(k, tcs);

	exitinfo = g->exitinfo;
	memcpy(&exinfo, (const uint8_t *)g - sizeof(exinfo), sizeof(exinfo));
	return step_over(k, tcs, a);
}

/* ---- exceptions that the processor raises by itself ---- */

static void test_vectors(void)
{
	static const struct {
		enum kit_command command;
		unsigned vector, length;
		const char *what;
	} t[] = {
		{ KIT_UD2, VEC_UD, 2, "#UD" },
		{ KIT_GP, VEC_GP, 3, "#GP" },
		{ KIT_DE, VEC_DE, 2, "#DE" },
		{ KIT_MF, VEC_MF, 1, "#MF" },
		{ KIT_XM, VEC_XM, 4, "#XM" },
		{ KIT_IN, VEC_UD, 1, "port input: #UD" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct kit_answer a;

		step = t[i].length;
		a = kit_call_fix(&kit, 0, t[i].command, 0x1717, 0, 0, 0, note_and_step_over);
		is_int(a.first.exception_vector, t[i].vector, t[i].what);
		ok(a.first.function == ENCLU_ERESUME && a.first.exception_error_code == 0 &&
			   a.first.exception_addr == 0,
		   "after ERESUME, no error code, no address");
		is_int(exitinfo, EXITINFO_VALID | EXITINFO_HARDWARE | t[i].vector, "EXITINFO");
		ok(a.exceptions == 1 && a.run.function == ENCLU_EEXIT && a.rdi == 0x1717,
		   "resumed after the repair, once");
	}
}

static void test_given_up(void)
{
	struct kit_answer a = kit_call(&kit, 0, KIT_UD2, 0, 0);

	is_int(a.ret, 0, "an exception is no error of the call");
	is_int(kit_tcs(&kit, 0)->cssa, 1, "CSSA stays raised");
	is_int(kit_call(&kit, 0, KIT_ADD, 1, 2).rsi, 1, "the next entry sees it");
	kit_call(&kit, 0, KIT_UD2, 0, 0);
	kit_call(&kit, 0, KIT_UD2, 0, 0);
	a = kit_call(&kit, 0, KIT_ADD, 1, 2);
	ok(a.run.function == ENCLU_EENTER && a.run.exception_vector == VEC_GP,
	   "with all frames used up: #GP on EENTER");
	kit_drop(&kit, 0);
	is_int(kit_tcs(&kit, 0)->stage, 0, "nothing stays busy");
}

/* ---- page faults ---- */

static struct kit_answer touch(enum kit_command c, uint64_t offset)
{
	struct kit_answer a = kit_call(&kit, 1, c, kit.base + offset, 0);

	kit_drop(&kit, 1);
	return a;
}

static void expect_pf(const char *what, struct kit_answer a, uint64_t address, unsigned code)
{
	bool good = a.exceptions == 1 && a.first.exception_vector == VEC_PF &&
		    a.first.exception_error_code == code &&
		    a.first.exception_addr == (address & ~UINT64_C(0xfff));

	ok(good, "%s", what);
	if (!good)
		printf("# %u exceptions, vector %u code %x (want %x) address %llx (want %llx)\n",
		       a.exceptions, a.first.exception_vector, a.first.exception_error_code, code,
		       (unsigned long long)a.first.exception_addr, (unsigned long long)address);
}

static void test_page_faults(void)
{
	void *hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	expect_pf("EPCM: a write to a read-only page", touch(KIT_WRITE, KIT_RODATA + 8),
		  kit.base + KIT_RODATA, PF_SGX | PF_P | PF_W | PF_U);
	expect_pf("EPCM: code in a data page", touch(KIT_JUMP, KIT_DATA), kit.base + KIT_DATA,
		  PF_SGX | PF_P | PF_U | PF_I);
	expect_pf("EPCM: a TCS cannot be read", touch(KIT_READ, KIT_TCS), kit.base + KIT_TCS,
		  PF_SGX | PF_P | PF_U);
	expect_pf("EPCM: nor written", touch(KIT_WRITE, KIT_TCS), kit.base + KIT_TCS,
		  PF_SGX | PF_P | PF_W | PF_U);
	expect_pf("the host: an address that nobody may read",
		  kit_call(&kit, 1, KIT_READ, (uintptr_t)hole + 24, 0), (uintptr_t)hole, PF_U);
	kit_drop(&kit, 1);
	munmap(hole, 4096);
	ok(kit_call(&kit, 1, KIT_READ, (uintptr_t)&step, 0).rdi == step, "an enclave reads its host's memory");
	is_int(touch(KIT_READ, KIT_RODATA).rdi, 0x5ead0417, "and a page of its own");
}

static int allow_write(const struct kit *k, unsigned tcs, struct kit_answer *a)
{
	(void)tcs;
	(void)a;
	cpu_elrange_protect(k->epc, KIT_DATA, ISA_PAGE, PROT_READ | PROT_WRITE, NULL);
	return ENCLU_ERESUME;
}

static void test_vma(void)
{
	const uint64_t at = kit.base + KIT_DATA + 0x100;
	struct kit_answer a;

	ok(cpu_elrange_protect(kit.epc, KIT_DATA, ISA_PAGE, PROT_READ, NULL) == 0, "a VMA without write");
	a = kit_call_fix(&kit, 1, KIT_WRITE, at, 0xabcdef, 0, 0, allow_write);
	expect_pf("page tables: a plain page fault", a, at, PF_P | PF_W | PF_U);
	ok(a.exceptions == 1 && a.run.function == ENCLU_EEXIT, "repaired by mprotect, resumed");
	is_int(kit_call(&kit, 1, KIT_READ, at, 0).rdi, 0xabcdef, "the write happened");
	cpu_elrange_protect(kit.epc, KIT_RWX, ISA_PAGE, PROT_READ | PROT_WRITE, NULL);
	expect_pf("page tables before EPCM: no execution", touch(KIT_JUMP, KIT_RWX),
		  kit.base + KIT_RWX, PF_P | PF_U | PF_I);
	cpu_elrange_protect(kit.epc, KIT_RWX, ISA_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, NULL);
	cpu_elrange_protect(kit.epc, KIT_TCS, ISA_PAGE, PROT_NONE, NULL);
	a = kit_call(&kit, 0, KIT_ADD, 0, 0);
	ok(a.run.function == ENCLU_EENTER && a.run.exception_vector == VEC_PF &&
		   !(a.run.exception_error_code & PF_SGX),
	   "EENTER through a VMA that hides the TCS: a plain #PF");
	cpu_elrange_protect(kit.epc, KIT_TCS, ISA_PAGE, PROT_READ | PROT_WRITE, NULL);
	is_int(kit_call(&kit, 0, KIT_ADD, 0, 5).rdi, 5, "and back");
	ok(cpu_elrange_protect(kit.epc, KIT_SIZE, ISA_PAGE, PROT_READ, NULL) != 0 &&
		   cpu_elrange_protect(kit.epc, 1, ISA_PAGE, PROT_READ, NULL) != 0 &&
		   cpu_elrange_protect(kit.epc, 0, ISA_PAGE, 8, NULL) != 0,
	   "ranges and protections that make no sense are refused");
}

/* ---- SGX2: what changes while the enclave runs ---- */

static struct isa_secinfo *secinfo; /* in the enclave's data page, through the alias */
static uint64_t secinfo_at;

static uint64_t accept(unsigned tcs, uint64_t offset, uint64_t flags)
{
	*secinfo = (struct isa_secinfo){ .flags = flags };
	return kit_call_fix(&kit, tcs, KIT_ENCLU, ENCLU_EACCEPT, secinfo_at, kit.base + offset, 0,
			    NULL).rdi;
}

static int accept_fresh(const struct kit *k, unsigned tcs, struct kit_answer *a)
{
	(void)k;
	(void)tcs;
	(void)a;
	is_int(accept(3, KIT_ABSENT, SECINFO_R | SECINFO_W | SECINFO_PENDING | SECINFO_OF_PT(PT_REG)), 0,
	       "EACCEPT from another thread");
	return ENCLU_ERESUME;
}

static void test_edmm(void)
{
	const uint64_t absent = kit.base + KIT_ABSENT, reg = SECINFO_OF_PT(PT_REG);
	struct isa_secinfo si = { .flags = SECINFO_R | reg };
	struct kit_answer a;
	struct cpu_fault f;

	secinfo = (struct isa_secinfo *)(kit.epc->alias + KIT_DATA + 0x800);
	secinfo_at = kit.base + KIT_DATA + 0x800;
	a = kit_call_fix(&kit, 2, KIT_WRITE, absent, 0x1234567, 0, 0, accept_fresh);
	expect_pf("a page that is not there is EAUGed, and pending", a, absent,
		  PF_SGX | PF_P | PF_W | PF_U);
	is_int(a.exceptions, 1, "accepted, the write goes through");
	is_int(kit_call(&kit, 2, KIT_READ, absent, 0).rdi, 0x1234567, "and is there");

	is_int(cpu_emodpr(kit.epc, KIT_ABSENT, &si, &f), 0, "EMODPR to read-only");
	expect_pf("takes write away at once", touch(KIT_WRITE, KIT_ABSENT), absent,
		  PF_SGX | PF_P | PF_W | PF_U);
	is_int(accept(3, KIT_ABSENT, SECINFO_R | SECINFO_PR | reg), 0, "EACCEPT of it");
	is_int(accept(3, KIT_ABSENT, SECINFO_R | SECINFO_W | SECINFO_PR | reg),
	       ISA_PAGE_ATTRIBUTES_MISMATCH, "EACCEPT of what was not done: a status");
	*secinfo = (struct isa_secinfo){ .flags = SECINFO_R | SECINFO_W | reg };
	kit_call_fix(&kit, 3, KIT_ENCLU, ENCLU_EMODPE, secinfo_at, absent, 0, NULL);
	is_int(kit_call(&kit, 2, KIT_WRITE, absent, 7).exceptions, 0, "EMODPE gives write back");

	si.flags = SECINFO_OF_PT(PT_TRIM);
	is_int(cpu_emodt(kit.epc, KIT_ABSENT, &si, &f), 0, "EMODT to TRIM");
	expect_pf("a trimmed page cannot be read", touch(KIT_READ, KIT_ABSENT), absent,
		  PF_SGX | PF_P | PF_U);
	is_int(accept(3, KIT_ABSENT, SECINFO_MODIFIED | SECINFO_OF_PT(PT_TRIM)), 0, "EACCEPT of it");
	is_int(cpu_eremove(kit.epc, KIT_ABSENT, &f), 0, "EREMOVE");
}

/* Another process, with another mapping of the same EPC, takes a permission away. */
static int restrict_elsewhere(void *arg)
{
	struct isa_secinfo si = { .flags = SECINFO_R | SECINFO_OF_PT(PT_REG) };
	struct cpu_epc *epc = NULL;
	struct cpu_fault f;
	int r;

	(void)arg;
	if (cpu_epc_attach(&epc, kit.epc->fd, &kit.epc->platform, NULL) != 0)
		return 2;
	r = cpu_emodpr(epc, KIT_RWX, &si, &f);
	cpu_epc_free(&epc);
	return r != 0;
}

static void test_other_process(void)
{
	is_int(kit_call(&kit, 2, KIT_WRITE, kit.base + KIT_RWX, 1).exceptions, 0, "a page is writable");
	is_int(kit_child(restrict_elsewhere, NULL), 0, "another process restricts it");
	expect_pf("this one sees it at its next entry", touch(KIT_WRITE, KIT_RWX), kit.base + KIT_RWX,
		  PF_SGX | PF_P | PF_W | PF_U);
}

static void test_sgx1(void)
{
	struct kit_options o = { .sgx1 = true };
	struct kit old;
	struct kit_answer a;

	kit_make(&old, &o);
	a = kit_call(&old, 0, KIT_READ, old.base + KIT_ABSENT, 0);
	expect_pf("SGX1: a page that is not there", a, old.base + KIT_ABSENT, PF_U);
	kit_drop(&old, 0);
	kit_free(&old);
}

/* ---- state that must survive, or must not leak ---- */

static void test_exinfo(void)
{
	struct kit_answer a;

	step = 3;
	a = kit_call_fix(&kit, 4, KIT_WRITE, kit.base + KIT_RODATA + 0x123, 0, 0, 0, note_and_step_over);
	is_int(a.exceptions, 1, "a page fault stepped over");
	is_int(exinfo.maddr, kit.base + KIT_RODATA + 0x123, "EXINFO.MADDR is exact");
	is_int(exinfo.errcd, PF_SGX | PF_P | PF_W | PF_U, "EXINFO.ERRCD");
}

static void test_alignment(void)
{
	char buffer[32] = { 1, 2, 3 };
	struct kit_answer a;

	step = 3;
	a = kit_call_fix(&kit, 5, KIT_AC, (uintptr_t)buffer + 1, 0, 0, 0, step_over);
	is_int(a.first.exception_vector, VEC_AC, "#AC");
	is_int(a.exceptions, 1, "once");
}

/* ---- #BP and #DB are not reported, but delivered ---- */

static volatile int traps;
static uint64_t trap_rip, trap_rax, trap_ssa_rip;
static void on_trap(int sig, siginfo_t *info, void *uc)
{
	const struct cpu_mcontext *mc = &((struct cpu_ucontext *)uc)->mc;

	(void)sig;
	(void)info;
	traps++;
	trap_rip = mc->rip;
	trap_rax = mc->rax;
	trap_ssa_rip = kit_ssa(&kit, 6)->rip;
	if (*(uint8_t *)(kit.epc->alias + (trap_ssa_rip - kit.base)) == 0xcc)
		kit_ssa(&kit, 6)->rip++;
}

static void test_traps(void)
{
	struct sigaction sa = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	struct kit_answer a;

	sigaction(SIGTRAP, &sa, NULL);
	a = kit_call(&kit, 6, KIT_INT3, 99, 0);
	is_int(traps, 1, "#BP goes to the SIGTRAP handler");
	ok(trap_rip == (uintptr_t)cpu_aep && trap_rax == ENCLU_ERESUME, "with the synthetic state");
	ok(a.exceptions == 0 && a.rdi == 99, "which resumes the enclave");
	is_int(kit.epc->alias[trap_ssa_rip - kit.base], 0xcc, "INT3 is a fault: RIP was on it");
	traps = 0;
	a = kit_call(&kit, 6, KIT_TF, 0, 0);
	ok(traps == 0 && a.run.function == ENCLU_EEXIT, "TF has no effect after an opt-out entry");
	kit_tcs(&kit, 6)->flags |= TCS_DBGOPTIN;
	a = kit_call(&kit, 6, KIT_TF, 0, 0);
	ok(traps > 0 && a.run.function == ENCLU_EEXIT, "after an opt-in entry it steps: %d times", traps);
	kit_tcs(&kit, 6)->flags &= ~TCS_DBGOPTIN;
	signal(SIGTRAP, SIG_DFL);
}

static void test_cpuid(void)
{
	struct kit_answer a;
	unsigned eax, ebx, ecx, edx;

	if (!cpu_engine_faults_cpuid()) {
		skip("this machine cannot make CPUID fault");
		return;
	}
	step = 2;
	a = kit_call_fix(&kit, 0, KIT_CPUID, 0, 0, 0, 0, step_over);
	is_int(a.first.exception_vector, VEC_UD, "CPUID: #UD");
	ok(__get_cpuid(0, &eax, &ebx, &ecx, &edx) && ebx != 0, "outside it works");
}

int main(void)
{
	struct bawn_error e = { 0 };

	if (cpu_engine_start(&e) != 0) {
		printf("Bail out! %s\n", e.msg);
		return 1;
	}
	kit_make(&kit, NULL);
	test_vectors();
	test_given_up();
	test_page_faults();
	test_vma();
	test_edmm();
	test_other_process();
	test_sgx1();
	test_exinfo();
	test_alignment();
	test_traps();
	test_cpuid();
	kit_free(&kit);
	return tap_done();
}
