/* The vDSO's function: how it is found, and what it does (asm/sgx.h). */
#include "client.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

/* Fortanix's way: whoever defines it, if anybody does. */
int __vdso_sgx_enter_enclave(unsigned long, unsigned long, unsigned long, unsigned, unsigned long,
			     unsigned long, struct sgx_run *) __attribute__((weak));

/* A client's constructor may come first of all. */
static bool early_open, early_vdso;

__attribute__((constructor)) static void early(void)
{
	int fd = sgx_open();

	early_open = fd >= 0;
	early_vdso = vdso_by_hash() != NULL;
	close(fd);
}

static void test_lookup(const struct encl *e)
{
	sgx_enter_fn by_hash = vdso_by_hash(), by_sections = vdso_by_sections();

	ok(early_open, "the device opens in a constructor");
	ok(early_vdso, "and the vDSO's function is there by then");
	ok(by_hash != NULL, "found by the auxiliary vector and the SysV hash");
	ok(by_sections != NULL, "found by the section headers");
	ok(&__vdso_sgx_enter_enclave != NULL, "found as a weak symbol");
	if (by_sections) {
		enter = by_sections;
		is_int(call(e, 0, KIT_ADD, 1, 2).rdi, 3, "a call by the section headers'");
	}
	if (&__vdso_sgx_enter_enclave) {
		enter = __vdso_sgx_enter_enclave;
		is_int(call(e, 0, KIT_ADD, 3, 4).rdi, 7, "a call by the weak symbol's");
	}
	enter = by_hash;
	is_int(call(e, 0, KIT_ADD, 5, 6).rdi, 11, "a call by the hash's");
}

static int raw(const struct encl *e, unsigned tcs, unsigned leaf, struct sgx_run *run)
{
	run->tcs = tcs_at(e, tcs);
	return enter(KIT_ADD, 1, 2, leaf, 0, 0, run);
}

static void test_arguments(const struct encl *e)
{
	static const unsigned leaves[] = { 0, 1, 4, 5, 9, 0x80000002, 0xffffffff };
	struct sgx_run run = { 0 };
	bool good = true;

	for (size_t i = 0; i < COUNT(leaves); i++)
		good = good && raw(e, 0, leaves[i], &run) == -EINVAL;
	ok(good, "leaves other than EENTER and ERESUME: EINVAL");
	good = true;
	for (size_t i = 0; i < sizeof(run.reserved); i++) {
		run.reserved[i] = 0x80;
		good = good && raw(e, 0, EENTER, &run) == -EINVAL;
		run.reserved[i] = 0;
	}
	ok(good, "each reserved byte that is not zero: EINVAL");
	is_int(run.function, 0, "and nothing written");
	is_int(raw(e, 0, EENTER, &run), 0, "no handler: 0");
	is_int(run.function, EEXIT, "and function EEXIT");
	run.vector = 77;
	is_int(raw(e, 0, EENTER, &run), 0, "again");
	is_int(run.vector, 77, "an exit leaves the exception fields alone");
}

/* ---- the handler ---- */

static unsigned handled;
static int give;
static uint64_t seen[6];
static struct sgx_run *seen_run;
static bool aligned;

static int plain_handler(long rdi, long rsi, long rdx, long rsp, long r8, long r9, struct sgx_run *run)
{
	const uint64_t got[6] = { (uint64_t)rdi, (uint64_t)rsi, (uint64_t)rdx, (uint64_t)rsp, (uint64_t)r8, (uint64_t)r9 };

	memcpy(seen, got, sizeof(seen));
	seen_run = run;
	aligned = (uintptr_t)__builtin_frame_address(0) % 16 == 0;
	return ++handled == 1 ? give : 0;
}

static void test_handler(const struct encl *e)
{
	struct sgx_run run = { .user_handler = (uintptr_t)plain_handler, .user_data = 0x1234 };
	static const int values[] = { 0, -1, -12345, INT32_MIN };
	bool good = true;

	for (size_t i = 0; i < COUNT(values); i++) {
		handled = 0;
		give = values[i];
		good = good && raw(e, 0, EENTER, &run) == values[i] && handled == 1;
	}
	ok(good, "what the handler returns is returned, if it is not positive");
	is_int(seen[0], 3, "RDI as the enclave left it");
	is_int(seen[1], 0, "RSI, too");
	ok(seen[2] == seen[3], "RSP at the exit"); /* KIT_ADD tells it in RDX */
	ok(seen_run == &run, "the run");
	ok(aligned, "on a stack as functions have it");
	is_int(run.user_data, 0x1234, "user_data is the program's");
	handled = 0;
	run.tcs = tcs_at(e, 0);
	enter(KIT_DF, 1000, 0, EENTER, 0, 0, &run);
	is_int(seen[0], 0x400, "DF is set in the enclave");
}

/*
 * A handler that enters again has to leave the registers that the enclave gets,
 * so it is no C function: the first time it says `give` with those of `next`,
 * then 0, keeping RDI.
 */
int asm_handler(long, long, long, long, long, long, struct sgx_run *);
uint64_t next[3], last_rdi;
int give_next;
unsigned times;
__asm__(".text\n"
	"asm_handler:\n"
	"	mov	%rdi, last_rdi(%rip)\n"
	"	incl	times(%rip)\n"
	"	cmpl	$1, times(%rip)\n"
	"	jne	1f\n"
	"	mov	next(%rip), %rdi\n"
	"	mov	next+8(%rip), %rsi\n"
	"	mov	next+16(%rip), %rdx\n"
	"	mov	give_next(%rip), %eax\n"
	"	ret\n"
	"1:	xor	%eax, %eax\n"
	"	ret\n");

static int twice(const struct encl *e, enum kit_command first, uint64_t rsi, int leaf,
		 enum kit_command second, uint64_t rsi2, uint64_t rdx2)
{
	struct sgx_run run = { .tcs = tcs_at(e, 0), .user_handler = (uintptr_t)asm_handler };

	next[0] = second;
	next[1] = rsi2;
	next[2] = rdx2;
	give_next = leaf;
	times = 0;
	return enter(first, rsi, 0, EENTER, 0, 0, &run);
}

static void test_again(const struct encl *e)
{
	is_int(twice(e, KIT_ADD, 1, EENTER, KIT_ADD, 20, 22), 0, "2: it is entered again");
	is_int(times, 2, "and comes to the handler again");
	is_int(last_rdi, 42, "having run with the handler's registers");
	is_int(twice(e, KIT_ADD, 1, 1, KIT_ADD, 0, 0), -EINVAL, "another positive value is no leaf: EINVAL");
	is_int(twice(e, KIT_OCALL, 1000, EENTER, KIT_ORET, 234, 0), 0, "an OCALL, served by the handler");
	is_int(last_rdi, 1234, "finds what it had pushed on this stack");
}

/* RBX, RBP, R12 to R15 and RSP across a call; the number of those that changed. */
unsigned preserved(sgx_enter_fn fn, struct sgx_run *run);
__asm__(".text\n"
	"preserved:\n"
	"	push	%rbx\n	push	%rbp\n	push	%r12\n	push	%r13\n	push	%r14\n	push	%r15\n"
	"	mov	%rdi, %rax\n"
	"	mov	$0x1b1, %ebx\n	mov	$0x1b9, %ebp\n	mov	$0x112, %r12d\n"
	"	mov	$0x113, %r13d\n	mov	$0x114, %r14d\n"
	"	mov	%rsp, %r15\n"
	"	push	%rsi\n" /* the run; RSP is aligned by now */
	"	xor	%edi, %edi\n	xor	%esi, %esi\n	xor	%edx, %edx\n"
	"	mov	$2, %ecx\n"
	"	call	*%rax\n"
	"	add	$8, %rsp\n"
	"	xor	%eax, %eax\n"
	"	cmp	$0x1b1, %rbx\n	setne	%cl\n	add	%cl, %al\n"
	"	cmp	$0x1b9, %rbp\n	setne	%cl\n	add	%cl, %al\n"
	"	cmp	$0x112, %r12\n	setne	%cl\n	add	%cl, %al\n"
	"	cmp	$0x113, %r13\n	setne	%cl\n	add	%cl, %al\n"
	"	cmp	$0x114, %r14\n	setne	%cl\n	add	%cl, %al\n"
	"	cmp	%rsp, %r15\n	setne	%cl\n	add	%cl, %al\n"
	"	movzbl	%al, %eax\n"
	"	pop	%r15\n	pop	%r14\n	pop	%r13\n	pop	%r12\n	pop	%rbp\n	pop	%rbx\n"
	"	ret\n");

static void test_registers(const struct encl *e)
{
	struct sgx_run run = { .tcs = tcs_at(e, 0) };
	uint32_t mxcsr, mxcsr_after = 0;

	is_int(preserved(enter, &run), 0, "RBX, RBP, RSP and R12 to R15 are as they were");
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	enter(KIT_ADD, 1, 2, EENTER, 0, 0, &run);
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr_after));
	is_int(mxcsr_after, mxcsr, "MXCSR");
	is_int(call(e, 0, KIT_XMM, 5, 100).rdi, 0, "SSE registers are the enclave's inside");
	is_int(call(e, 0, KIT_REGISTERS, 7, 1000).rdi, 0, "all general registers, too");
	is_int(call(e, 3, KIT_BASES, 0, 0).rdi, 0xf5f5003, "FS base is the TCS's");
	is_int(call(e, 3, KIT_BASES, 0, 0).rsi, 0x656503, "GS base, too");
}

/* ---- exceptions ---- */

static void test_exceptions(const struct encl *e)
{
	static const struct {
		enum kit_command command;
		unsigned vector, length;
		const char *name;
	} cases[] = {
		{ KIT_UD2, 6, 2, "UD2: #UD" },
		{ KIT_GP, 13, 3, "a non-canonical address: #GP" },
		{ KIT_DE, 0, 2, "a division by zero: #DE" },
		{ KIT_MF, 16, 1, "x87: #MF" },
		{ KIT_XM, 19, 4, "SSE: #XM" },
	};
	const uint64_t ssa_rip = KIT_TCS + PAGE + 4096 - 184 + 136;
	struct answer a;
	uint64_t rip;

	for (size_t i = 0; i < COUNT(cases); i++) {
		a = call(e, 0, cases[i].command, 99, 0);
		is_fault(a, cases[i].vector, 0, 0, cases[i].name);
		is_int(a.run.function, ERESUME, "reported as ERESUME");
		/* Look at the frame from a second entry (CSSA is 1), step over, go on. */
		rip = peek(e, 0, ssa_rip);
		ok(rip > e->base && rip < e->base + PAGE, "the frame tells where");
		poke(e, 0, ssa_rip, rip + cases[i].length);
		a = resume(e, 0);
		ok(a.run.function == EEXIT && (a.rdi == 99 || cases[i].command == KIT_MF),
		   "and it goes on behind it");
	}
}

static unsigned fixed;

/* In the handler: enter on the same TCS, mend the frame, tell the vDSO to resume. */
static int mend(struct answer *a)
{
	const uint64_t ssa_rip = KIT_TCS + (uint64_t)a->tcs * KIT_STRIDE + PAGE + 4096 - 184 + 136;

	fixed++;
	poke(a->e, a->tcs, ssa_rip, peek(a->e, a->tcs, ssa_rip) + 2);
	return ERESUME;
}

static void test_nested(const struct encl *e)
{
	struct answer a = call_fix(e, 2, KIT_UD2, 31, 0, 0, 0, mend);

	ok(a.ret == 0 && a.rdi == 31 && fixed == 1, "a handler enters again, mends, and says ERESUME");
	for (unsigned i = 0; i < 200; i++)
		a = call_fix(e, 2, KIT_UD2, i, 0, 0, 0, mend);
	ok(a.rdi == 199 && fixed == 201, "200 times over");
}

static void test_entry_faults(const struct encl *e)
{
	struct sgx_run run = { 0 };
	struct answer a;

	run.tcs = tcs_at(e, 0) + 8;
	enter(KIT_ADD, 0, 0, EENTER, 0, 0, &run);
	ok(run.function == EENTER && run.vector == 13, "a TCS that is not aligned: #GP on EENTER");
	run.tcs = e->base + KIT_DATA;
	enter(KIT_ADD, 0, 0, EENTER, 0, 0, &run);
	ok(run.function == EENTER && run.vector == 14 && run.addr == e->base + KIT_DATA,
	   "a page that is no TCS: #PF on EENTER, with its address");
	run.tcs = 0x1000;
	enter(KIT_ADD, 0, 0, EENTER, 0, 0, &run);
	ok(run.function == EENTER && run.vector == 14, "no memory: #PF on EENTER");
	ok(resume(e, 4).run.vector == 13, "ERESUME where nothing was interrupted: #GP");
	ok(resume(e, 4).run.function == ERESUME, "on ERESUME");
	/* Three frames: the fourth entry has none. */
	for (unsigned i = 0; i < KIT_SSA_FRAMES; i++)
		a = call(e, 5, KIT_UD2, 0, 0);
	ok(a.run.function == ERESUME && a.run.vector == 6, "three exceptions deep");
	a = call(e, 5, KIT_ADD, 0, 0);
	ok(a.run.function == EENTER && a.run.vector == 13, "no SSA frame left: #GP on EENTER");
}

struct slot {
	const struct encl *e;
	unsigned tcs;
	int inside;
};

static void *spinner(void *arg)
{
	struct slot *s = arg;

	__atomic_store_n(&s->inside, 1, __ATOMIC_RELEASE);
	call(s->e, s->tcs, KIT_SPIN, 400000000, 1);
	return NULL;
}

static void test_busy(const struct encl *e)
{
	struct slot s = { e, 6, 0 };
	struct sgx_run run = { .tcs = tcs_at(e, 6) };
	pthread_t t;

	pthread_create(&t, NULL, spinner, &s);
	while (!__atomic_load_n(&s.inside, __ATOMIC_ACQUIRE))
		usleep(1000);
	usleep(30000);
	enter(KIT_ADD, 0, 0, EENTER, 0, 0, &run);
	ok(run.function == EENTER && run.vector == 13, "a TCS that another thread is in: #GP on EENTER");
	pthread_join(t, NULL);
	is_int(call(e, 6, KIT_ADD, 1, 1).rdi, 2, "afterwards it is free");
}

static void *many(void *arg)
{
	struct slot *s = arg;
	uintptr_t wrong = 0;

	for (uint64_t i = 0; i < 2000; i++)
		wrong += call(s->e, s->tcs, KIT_ADD, i, s->tcs).rdi != i + s->tcs;
	return (void *)wrong;
}

static void test_threads(const struct encl *e)
{
	struct slot s[KIT_TCSS];
	pthread_t t[KIT_TCSS];
	uintptr_t wrong = 0;
	void *r;

	for (unsigned i = 0; i < KIT_TCSS; i++) {
		s[i] = (struct slot){ e, i, 0 };
		pthread_create(&t[i], NULL, many, &s[i]);
	}
	for (unsigned i = 0; i < KIT_TCSS; i++) {
		pthread_join(t[i], &r);
		wrong += (uintptr_t)r;
	}
	is_int(wrong, 0, "eight threads, 2000 calls each");
}

int main(void)
{
	struct encl e, f;

	encl_make(&e, "plain");
	test_lookup(&e);
	test_arguments(&e);
	test_handler(&e);
	test_again(&e);
	encl_free(&e);
	encl_make(&e, "plain");
	encl_make(&f, "other");
	test_registers(&e);
	test_exceptions(&e);
	test_nested(&e);
	test_entry_faults(&e);
	test_busy(&e);
	test_threads(&f);
	encl_free(&e);
	encl_free(&f);
	return tap_done();
}
