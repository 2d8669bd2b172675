/*
 * The way into an enclave and out of it: __vdso_sgx_enter_enclave's contract, and ENCLU elsewhere.
 */
#include "engine_kit.h"
#include "tests/tap.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static struct kit kit;

static void test_calls(void)
{
	struct cpu_counters before, after;
	struct kit_answer a;
	struct isa_run run = { .tcs = kit.tcs[0] };
	unsigned wrong = 0;

	a = kit_call(&kit, 0, KIT_ADD, 40, 2);
	is_int(a.ret, 0, "a call returns what the handler returned");
	is_int(a.run.function, ENCLU_EEXIT, "function is EEXIT");
	is_int(a.rdi, 42, "the answer arrives");
	is_int(a.rsi, 0, "RAX at entry is CSSA");
	is_int(a.rdx, a.rsp, "RSP passes both ways unchanged");
	is_int(cpu_enter_enclave(KIT_ADD, 1, 2, ENCLU_EENTER, 0, 0, &run), 0, "without a handler: 0");
	is_int(run.function, ENCLU_EEXIT, "and the function");

	cpu_engine_counters(&before);
	for (uint64_t i = 0; i < 2000; i++)
		wrong += kit_call(&kit, (unsigned)i % KIT_TCSS, KIT_ADD, i, i).rdi != 2 * i;
	cpu_engine_counters(&after);
	is_int(wrong, 0, "2000 calls over all TCSs");
	is_int(after.eenter - before.eenter, 2000, "counted as 2000 EENTERs");
	is_int(after.eexit - before.eexit, 2000, "and as many EEXITs");
	is_int(after.aex + after.faults, 0, "without an AEX or a fault");
	is_int(after.threads, 1, "of one thread");
}

static void test_arguments(void)
{
	struct isa_run run = { .tcs = kit.tcs[0] };
	static const unsigned leaves[] = { 0, 1, 4, 5, 9, 0xffffffff };

	for (size_t i = 0; i < ARRAY_LEN(leaves); i++)
		ok(cpu_enter_enclave(KIT_ADD, 0, 0, leaves[i], 0, 0, &run) == -EINVAL,
		   "leaf %x is refused", leaves[i]);
	run.reserved[0] = 1;
	is_int(cpu_enter_enclave(KIT_ADD, 0, 0, ENCLU_EENTER, 0, 0, &run), -EINVAL,
	       "the first reserved byte must be zero");
	run.reserved[0] = 0;
	run.reserved[sizeof(run.reserved) - 1] = 1;
	is_int(cpu_enter_enclave(KIT_ADD, 0, 0, ENCLU_EENTER, 0, 0, &run), -EINVAL,
	       "and the last");
	is_int(run.function, 0, "a refused call writes nothing");
}

static void expect_fault(const char *what, struct kit_answer a, unsigned function, unsigned vector)
{
	ok(a.ret == 0 && a.run.function == function && a.run.exception_vector == vector, "%s", what);
	if (a.run.function != function || a.run.exception_vector != vector)
		printf("# ret %d function %u vector %u code %x\n", a.ret, a.run.function,
		       a.run.exception_vector, a.run.exception_error_code);
}

static void test_entry_faults(void)
{
	struct kit other = kit;
	struct kit_answer a;

	other.tcs[0] = kit.tcs[0] + 8;
	expect_fault("a misaligned TCS: #GP on EENTER", kit_call(&other, 0, KIT_ADD, 0, 0),
		     ENCLU_EENTER, VEC_GP);
	other.tcs[0] = kit.base + KIT_DATA;
	a = kit_call(&other, 0, KIT_ADD, 0, 0);
	expect_fault("a page that is no TCS: #PF on EENTER", a, ENCLU_EENTER, VEC_PF);
	ok(a.run.exception_error_code & PF_SGX, "with the SGX bit");
	ok(a.run.exception_addr == kit.base + KIT_DATA, "and its address");
	other.tcs[0] = 0x1000;
	expect_fault("an address of no enclave: #PF on EENTER", kit_call(&other, 0, KIT_ADD, 0, 0),
		     ENCLU_EENTER, VEC_PF);
	expect_fault("ERESUME with nothing to resume: #GP", kit_resume(&kit, 0), ENCLU_ERESUME, VEC_GP);
	kit_tcs(&kit, 0)->stage = cpu_owner_self();
	expect_fault("a busy TCS: #GP", kit_call(&kit, 0, KIT_ADD, 0, 0), ENCLU_EENTER, VEC_GP);
	kit_tcs(&kit, 0)->stage = 0;
	is_int(kit_call(&kit, 0, KIT_ADD, 1, 1).rdi, 2, "afterwards it can be entered");
}

/* ---- the user handler ---- */

static int ocall_handler(long rdi, long rsi, long rdx, long rsp, long r8, long r9,
			 struct isa_run *run)
{
	struct kit_answer *a = (struct kit_answer *)run->user_data;

	(void)rdx;
	(void)r8;
	(void)r9;
	if (rdi == -1) {
		/* As a runtime does: enter again with the answer in registers. */
		a->rsp = (uint64_t)rsp;
		a->rsi = (uint64_t)rsi;
		__asm__ volatile("" ::: "memory");
		return -7;
	}
	a->rdi = (uint64_t)rdi;
	return 5 - 5;
}

/* A handler in assembly: sets RDI, RSI for the next entry and asks for EENTER. */
int handler_oret(void);
int handler_eenter_fails(void);
__asm__(".pushsection .text\n"
	"handler_oret:\n"
	"	cmp	$-1, %rdi\n"
	"	jne	1f\n"
	"	mov	$13, %edi\n" /* KIT_ORET */
	"	mov	$1000, %esi\n"
	"	mov	$2, %eax\n"
	"	ret\n"
	"1:	mov	8(%rsp), %rax\n" /* run */
	"	mov	32(%rax), %rax\n"
	"	mov	%rdi, (%rax)\n"
	"	mov	%rcx, 8(%rax)\n"
	"	mov	$-3, %eax\n"
	"	ret\n"
	"handler_eenter_fails:\n"
	"	mov	$9, %eax\n"
	"	ret\n"
	".popsection\n");

static int depth;
static int nest_handler(long rdi, long rsi, long rdx, long rsp, long r8, long r9,
			struct isa_run *run)
{
	uint64_t sum = 0;

	(void)rdx;
	(void)rsp;
	(void)r8;
	(void)r9;
	if (rdi != -2)
		return -100;
	if (rsi > 0) {
		struct isa_run inner = {
			.tcs = kit.tcs[rsi % (long)KIT_TCSS], .user_handler = run->user_handler,
			.user_data = (uintptr_t)&sum,
		};

		depth++;
		cpu_enter_enclave(KIT_NEST, (unsigned long)rsi - 1, 0, ENCLU_EENTER, 0, 0, &inner);
	}
	*(uint64_t *)run->user_data = sum + (uint64_t)rsi;
	return (int)-rsi;
}

static void test_handler(void)
{
	struct kit_answer a = { .run = { .tcs = kit.tcs[1] } };
	uint64_t out[2] = { 0 }, sum = 0, pushed;
	struct isa_run run = { .tcs = kit.tcs[1] };

	a.run.user_handler = (uintptr_t)ocall_handler;
	a.run.user_data = (uintptr_t)&a;
	a.ret = cpu_enter_enclave(KIT_OCALL, 77, 0, ENCLU_EENTER, 0, 0, &a.run);
	pushed = *(volatile uint64_t *)a.rsp; /* below our stack now: the next call writes there */
	is_int(a.ret, -7, "a negative value of the handler is returned");
	is_int(a.rsi, 77, "the handler sees RSI");
	is_int(pushed, 77, "RSP is where the enclave left it, and what it pushed is there");

	run.user_handler = (uintptr_t)handler_oret;
	run.user_data = (uintptr_t)out;
	is_int(cpu_enter_enclave(KIT_OCALL, 234, 0, ENCLU_EENTER, 0, 0, &run), -3,
	       "an OCALL: out, in again, out");
	is_int(out[0], 1234, "the enclave found its frame on the untrusted stack");

	run.user_handler = (uintptr_t)handler_eenter_fails;
	is_int(cpu_enter_enclave(KIT_ADD, 0, 0, ENCLU_EENTER, 0, 0, &run), -EINVAL,
	       "a handler that asks for an invalid leaf");

	run.user_handler = (uintptr_t)nest_handler;
	run.user_data = (uintptr_t)&sum;
	is_int(cpu_enter_enclave(KIT_NEST, 6, 0, ENCLU_EENTER, 0, 0, &run), -6,
	       "calls nested in handlers");
	is_int(sum, 6 + 5 + 4 + 3 + 2 + 1, "all of them");
	is_int(depth, 6, "six deep");
}

static void test_bases(void)
{
	uint64_t fs = cpu_fsbase(), gs = cpu_gsbase();
	struct kit_answer a = kit_call(&kit, 3, KIT_BASES, 0, 0);

	is_int(a.rdi, 0xf5f5000 + 3, "FS base is the TCS's");
	is_int(a.rsi, 0x656500 + 3, "GS base is the TCS's");
	is_int(cpu_fsbase(), fs, "FS base is the host's again");
	is_int(cpu_gsbase(), gs, "GS base too");
}

/* ---- a program's own ENCLU ---- */

struct own {
	uint64_t rdi, rsi, tcs, leaf;
};
/* RDI, RSI, RBX, RAX from *o; the AEP is an ENCLU of its own. Answers in *o. */
void own_enclu(struct own *o);
extern char own_at[], own_aep[];
__asm__(".pushsection .text\n"
	"own_enclu:\n"
	"	push	%rbx\n"
	"	push	%rdi\n"
	"	mov	16(%rdi), %rbx\n"
	"	mov	24(%rdi), %rax\n"
	"	mov	8(%rdi), %rsi\n"
	"	lea	own_aep(%rip), %rcx\n"
	"	mov	(%rdi), %rdi\n"
	"own_at:.byte	0x0f, 0x01, 0xd7\n"
	"	mov	%rdi, %rcx\n"
	"	pop	%rdi\n"
	"	pop	%rbx\n"
	"	mov	%rcx, (%rdi)\n"
	"	mov	%rsi, 8(%rdi)\n"
	"	ret\n"
	"own_aep:.byte	0x0f, 0x01, 0xd7\n"
	"	ud2\n"
	".popsection\n");

static siginfo_t seen_info;
static uint64_t seen_rip, seen_err, seen_trapno, seen_rax;
static volatile int seen;
static void skip_enclu(int sig, siginfo_t *info, void *uc)
{
	struct cpu_mcontext *mc = &((struct cpu_ucontext *)uc)->mc;

	seen = sig;
	seen_info = *info;
	seen_rip = mc->rip;
	seen_err = mc->err;
	seen_trapno = mc->trapno;
	seen_rax = mc->rax;
	mc->rip += 3;
}

static void expect_own(const char *what, uint64_t tcs, uint64_t leaf, int sig, unsigned vector)
{
	struct own o = { .rdi = KIT_ADD, .tcs = tcs, .leaf = leaf };

	seen = 0;
	own_enclu(&o);
	ok(seen == sig && seen_trapno == vector && seen_rip == (uintptr_t)own_at, "%s", what);
	if (seen != sig || seen_trapno != vector)
		printf("# signal %d trapno %llu\n", seen, (unsigned long long)seen_trapno);
}

static void test_own_enclu(void)
{
	struct own o = { .rdi = KIT_SPIN, .rsi = 1000, .tcs = kit.tcs[2], .leaf = ENCLU_EENTER };
	struct sigaction sa = { .sa_sigaction = skip_enclu, .sa_flags = SA_SIGINFO };
	static const unsigned inside_only[] = { 0, 1, 4, 5, 6, 7, 8, 9 };

	o.leaf |= UINT64_C(0xabcd) << 32; /* the upper half is ignored */
	own_enclu(&o);
	ok(o.rsi == 0, "EENTER by a program's own ENCLU");
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGILL, &sa, NULL);
	for (size_t i = 0; i < ARRAY_LEN(inside_only); i++) {
		char what[64];

		snprintf(what, sizeof(what), "leaf %u outside an enclave: #GP", inside_only[i]);
		expect_own(what, kit.tcs[2], inside_only[i], SIGSEGV, VEC_GP);
	}
	expect_own("a leaf that does not exist: #GP", kit.tcs[2], 0x1234, SIGSEGV, VEC_GP);
	is_int(seen_info.si_code, SI_KERNEL, "as the kernel reports #GP");
	expect_own("ERESUME without a frame: #GP", kit.tcs[2], ENCLU_ERESUME, SIGSEGV, VEC_GP);
	expect_own("EENTER with a data page: #PF", kit.base + KIT_DATA, ENCLU_EENTER, SIGSEGV, VEC_PF);
	ok(seen_info.si_code == SEGV_ACCERR && (uintptr_t)seen_info.si_addr == kit.base + KIT_DATA &&
		   (seen_err & PF_SGX),
	   "with its address and the SGX bit");
	signal(SIGSEGV, SIG_DFL);
	signal(SIGILL, SIG_DFL);
}

/* The ENCLU that faulted is stepped over. */
static int skip_inside(const struct kit *k, unsigned tcs, struct kit_answer *a)
{
	(void)a;
	kit_ssa(k, tcs)->rip += 3;
	return ENCLU_ERESUME;
}

static void test_inside_leaves(void)
{
	static const struct {
		unsigned leaf;
		uint64_t rbx;
		const char *what;
	} t[] = {
		{ ENCLU_EENTER, 0, "EENTER inside: #GP" },
		{ ENCLU_ERESUME, 0, "ERESUME inside: #GP" },
		{ 0x77, 0, "an unknown leaf inside: #GP" },
		{ ENCLU_EREPORT, 0x100, "EREPORT with operands outside: #GP" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct kit_answer a = kit_call_fix(&kit, 4, KIT_ENCLU, t[i].leaf, t[i].rbx, 0, 0,
						   skip_inside);

		ok(a.exceptions == 1 && a.first.function == ENCLU_ERESUME &&
			   a.first.exception_vector == VEC_GP,
		   "%s", t[i].what);
		ok(a.run.function == ENCLU_EEXIT && a.rdi == t[i].leaf, "resumed after it");
	}
}

int main(void)
{
	struct bawn_error e = { 0 };

	if (cpu_engine_start(&e) != 0 || cpu_engine_start(&e) != 0) {
		printf("Bail out! %s\n", e.msg);
		return 1;
	}
	kit_make(&kit, NULL);
	test_calls();
	test_arguments();
	test_entry_faults();
	test_handler();
	test_bases();
	test_own_enclu();
	test_inside_leaves();
	cpu_fsgsbase = 0;
	is_int(kit_call(&kit, 0, KIT_ADD, 20, 22).rdi, 42, "without FSGSBASE");
	test_bases();
	kit_free(&kit);
	return tap_done();
}
