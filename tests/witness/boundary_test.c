/*
 * The witness against a host that attacks: commands out of turn, pointers into
 * the enclave, answers that are none, faults that are none. Whatever the host
 * does, the enclave refuses or ends; and what it is refused changes nothing.
 * no-asan: it calls on stacks of its own, and jumps off them, which ASan cannot follow
 */
#include "tests/witness/raw.h"
#include "tests/witness/witness.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

#define OK 0u
#define FAILED 1u
#define ARGUMENT 2u
#define FUNCTION 0x1001u
#define CRASHED 0x1006u
#define NOT_NESTED 0x1007u
#define INIT (-1)
#define ORET (-2)
#define EXCEPT (-3)
#define MKTCS (-4)
#define UNINIT (-5)

static uint8_t features[256];

/* Past EINIT, and not yet initialised. */
static struct bawn_enclave *fresh(void)
{
	const struct bawn_options options = { .no_init = true, .allow_development = true };
	struct bawn_enclave *en = NULL;
	struct bawn_error e = { 0 };
	const char *build = getenv("BUILD");
	char path[512];

	snprintf(path, sizeof(path), "%s/enclaves/witness.signed.so", build ? build : "build");
	if (bawn_enclave_load(&en, path, &options, &e)) {
		printf("Bail out! %s: %s\n", path, e.msg);
		exit(1);
	}
	return en;
}

static struct bawn_enclave *ready(void)
{
	struct bawn_enclave *en = fresh();

	if (raw_status(en, 0, INIT, (uint64_t)features)) {
		printf("Bail out! the witness does not initialise\n");
		exit(1);
	}
	return en;
}

static void test_before_init(void)
{
	struct bawn_enclave *en = fresh();

	is_int(raw_status(en, 0, WITNESS_EMPTY, 0), FAILED, "no ECALL before INIT");
	is_int(raw_status(en, 0, ORET, 0), FAILED, "no ORET");
	is_int(raw_status(en, 0, EXCEPT, 0), FAILED, "no EXCEPT");
	is_int(raw_status(en, 0, UNINIT, 0), FAILED, "no UNINIT");
	is_int(raw_status(en, 0, INIT, (uint64_t)features), OK, "INIT");
	is_int(raw_status(en, 0, INIT, (uint64_t)features), FAILED, "not twice");
	is_int(raw_status(en, 1, INIT, (uint64_t)features), FAILED, "nor by another thread");
	is_int(raw_status(en, 0, WITNESS_EMPTY, 0), OK, "and goes on");
	is_int(raw_status(en, 1, WITNESS_EMPTY, 0), OK, "in all threads");
	bawn_enclave_free(&en);
}

static void test_init_argument(void)
{
	static const char *const what[] = { "in the enclave", "across its start", "across its end",
					    "that wraps", "null" };
	struct bawn_enclave *en;

	for (unsigned i = 0; i < ARRAY_LEN(what); i++) {
		en = fresh();
		uint64_t base = en->info.base, end = base + en->info.size;
		uint64_t argument[] = { base + 4096, base - 8, end - 8, UINT64_MAX - 7, 0 };

		ok(raw_status(en, 0, INIT, argument[i]) == FAILED &&
			   raw_status(en, 0, WITNESS_EMPTY, 0) == CRASHED,
		   "INIT with an argument %s ends the enclave", what[i]);
		bawn_enclave_free(&en);
	}
}

static void test_commands(struct bawn_enclave *en)
{
	is_int(raw_status(en, 0, ORET, 0), FAILED, "ORET without an OCALL");
	is_int(raw_status(en, 0, EXCEPT, 0), FAILED, "EXCEPT without an interruption");
	is_int(raw_status(en, 0, MKTCS, (uint64_t)features), FUNCTION, "MKTCS is not known");
	is_int(raw_status(en, 0, -6, 0), FUNCTION, "nor what comes after UNINIT");
	is_int(raw_status(en, 0, INT64_MIN, 0), FUNCTION, "nor the least of all commands");
	is_int(raw_status(en, 0, 10000, 0), FUNCTION, "an ECALL that is none");
	is_int(raw_status(en, 0, INT64_C(1) << 32, 0), FUNCTION, "nor 2^32, for ECALL 0");
	is_int(raw_status(en, 0, INT64_MAX, 0), FUNCTION, "nor the last");
	is_int(raw_status(en, 0, WITNESS_EMPTY, 0), OK, "none of it did anything");
}

/* ---- pointers ---- */

static void test_arguments(struct bawn_enclave *en)
{
	uint64_t base = en->info.base, end = base + en->info.size;
	uint64_t tcs = en->slot[0].tcs;
	const size_t n = sizeof(struct witness_sum);

	is_int(raw_status(en, 0, WITNESS_SUM, base), ARGUMENT, "arguments at the enclave's start");
	is_int(raw_status(en, 0, WITNESS_SUM, tcs - 8192), ARGUMENT, "on its stack");
	is_int(raw_status(en, 0, WITNESS_SUM, base - n + 1), ARGUMENT, "with one byte in it");
	is_int(raw_status(en, 0, WITNESS_SUM, end - 1), ARGUMENT, "from its last byte on");
	is_int(raw_status(en, 0, WITNESS_SUM, UINT64_MAX - n + 2), ARGUMENT, "that wrap by a byte");
	is_int(raw_status(en, 0, WITNESS_SUM, 0), ARGUMENT, "that are not there");
}

static void test_buffers(struct bawn_enclave *en)
{
	uint64_t base = en->info.base, size = en->info.size;
	uint8_t mine[64];
	struct {
		uint64_t address, n;
		const char *what;
	} bad[] = {
		{ base + size / 2, 16, "inside" },
		{ base - 8, 16, "across the start" },
		{ base + size - 8, 16, "across the end" },
		{ base - 1, size + 2, "around all of it" },
		{ base, size, "that is the enclave" },
		{ UINT64_MAX - 7, 16, "that wraps" },
		{ (uint64_t)mine, UINT64_MAX, "with a length that wraps" },
		{ (uint64_t)mine, (uint64_t)0 - (uint64_t)mine + base + 1, "whose length wraps into it" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct witness_bounds b = { .address = bad[i].address, .size = bad[i].n };

		ok(raw_status(en, 0, WITNESS_BOUNDS, (uint64_t)&b) == OK && !b.outside && !b.copied,
		   "a buffer %s is not the host's", bad[i].what);
		if (bad[i].n > WITNESS_BUFFER)
			continue;
		struct witness_echo from = { bad[i].address, (uint64_t)mine, bad[i].n };
		struct witness_echo to = { (uint64_t)mine, bad[i].address, bad[i].n };

		memset(mine, 0x77, sizeof(mine));
		ok(raw_status(en, 0, WITNESS_ECHO, (uint64_t)&from) == ARGUMENT && mine[0] == 0x77,
		   "nor read");
		is_int(raw_status(en, 0, WITNESS_ECHO, (uint64_t)&to), ARGUMENT, "nor written");
	}
	struct witness_bounds b = { .address = base, .size = size };
	ok(raw_status(en, 0, WITNESS_BOUNDS, (uint64_t)&b) == OK && b.inside, "it knows itself");
	b = (struct witness_bounds){ .address = (uint64_t)mine, .size = sizeof(mine) };
	ok(raw_status(en, 0, WITNESS_BOUNDS, (uint64_t)&b) == OK && b.outside && b.copied &&
		   !b.inside,
	   "and what is the host's");
}

/* ---- OCALLs ---- */

/* What the host answers with, and whether it adds up. */
static uint64_t answer_sum, answer_status;

static bool answer(struct bawn_enclave *en, const struct raw_exit *x, int64_t *command,
		   uint64_t *argument)
{
	struct witness_add *a = (struct witness_add *)x->rsi;

	(void)en;
	memset(a, 0xff, sizeof(*a)); /* what it had asked is gone: only the answer may matter */
	a->sum = answer_sum;
	*command = ORET;
	*argument = answer_status;
	return true;
}

static uint32_t sum_answered(struct bawn_enclave *en, uint64_t sum, uint64_t status)
{
	struct witness_sum s = { .a = 40, .b = 2 };

	answer_sum = sum;
	answer_status = status;
	raw_ocall = answer;
	uint32_t r = raw_status(en, 0, WITNESS_SUM, (uint64_t)&s);
	raw_ocall = NULL;
	return r == OK && s.sum != 42 ? UINT32_MAX : r;
}

static bool attack(struct bawn_enclave *en, const struct raw_exit *x, int64_t *command,
		   uint64_t *argument)
{
	struct witness_add *a = (struct witness_add *)x->rsi;
	struct witness_deep deep = { .depth = 0, .reached = 9 };

	ok(a->a == 40 && a->b == 2, "an OCALL with its arguments on the host's stack");
	is_int(raw_status(en, 0, WITNESS_EMPTY, 0), NOT_NESTED, "meanwhile: an ECALL not meant for it");
	is_int(raw_status(en, 0, 10000, 0), FUNCTION, "one that is none");
	is_int(raw_status(en, 0, INIT, (uint64_t)features), FAILED, "INIT");
	is_int(raw_status(en, 0, UNINIT, 0), FAILED, "UNINIT");
	is_int(raw_status(en, 0, EXCEPT, 0), FAILED, "EXCEPT");
	is_int(raw_status(en, 1, ORET, 0), FAILED, "ORET by another thread");
	is_int(raw_status(en, 0, WITNESS_DEEP, (uint64_t)&deep), OK, "one that may be nested");
	is_int(deep.reached, 0, "does its work");
	a->sum = 42;
	*command = ORET;
	*argument = 0;
	return true;
}

static void test_ocall(struct bawn_enclave *en)
{
	struct witness_sum sum = { .a = 40, .b = 2 };
	struct witness_deep deep = { .depth = 3 };
	struct raw_exit x;

	raw_ocall = attack;
	is_int(raw_status(en, 0, WITNESS_SUM, (uint64_t)&sum), OK, "and then the answer");
	raw_ocall = NULL;
	is_int(sum.sum, 42, "arrives");
	is_int(raw_status(en, 0, ORET, 0), FAILED, "but not twice");

	is_int(sum_answered(en, 42, 0), OK, "an answer that is right");
	is_int(sum_answered(en, 43, 0), WITNESS_WRONG, "one that is not");
	is_int(sum_answered(en, 42, UINT64_C(0xffffffff00001234)), 0x1234,
	       "a status that does not fit is cut to size");

	x = raw_enter(en, 0, ENCLU_EENTER, WITNESS_DEEP, (uint64_t)&deep);
	ok(x.rdi == WITNESS_AGAIN, "a call that waits for a deeper one");
	is_int(raw_status(en, 0, ORET, 0), WITNESS_WRONG, "and is told that it happened");
}

/* ---- the host's stack ---- */

static void test_stack(struct bawn_enclave *en)
{
	static _Alignas(16) uint8_t stack[16384];
	struct witness_sum sum = { .a = 1, .b = 2 };
	uint64_t base = en->info.base, tcs = en->slot[0].tcs;

	is_int(raw_status_on(en, 0, WITNESS_EMPTY, 0, (uint64_t)stack + 8192), OK,
	       "an entry by ENCLU in the program");
	is_int(raw_status_on(en, 0, WITNESS_EMPTY, 0, tcs - 4096 - 512), OK,
	       "a stack pointer into the enclave does not become its own");
	is_int(raw_status_on(en, 0, WITNESS_SUM, (uint64_t)&sum, tcs - 8192), ARGUMENT,
	       "and nothing is put there for an OCALL");
	is_int(raw_status_on(en, 0, WITNESS_SUM, (uint64_t)&sum, base + en->info.size + 64), ARGUMENT,
	       "nor where it would begin within");
	is_int(raw_status_on(en, 0, WITNESS_SUM, (uint64_t)&sum, 0), ARGUMENT, "nor at zero");
}

/* ---- registers ---- */

#define FLAG_DF UINT64_C(0x400)
#define FLAG_AC UINT64_C(0x40000)

/* Floating-point control and flags as no compiler expects them: its business is the same, and ours. */
static void test_registers(struct bawn_enclave *en)
{
	static _Alignas(16) uint8_t stack[16384];
	struct witness_compute c = { .rounds = 5000 }, d = c;
	struct raw_regs r = {
		.rdi = WITNESS_COMPUTE,
		.rsi = (uint64_t)&d,
		.rsp = (uint64_t)stack + 8192,
		.rflags = RAW_RFLAGS | FLAG_DF | FLAG_AC,
		.mxcsr = 0x7f80 | 0x8040, /* towards zero, denormals are zero, flushed to zero */
		.fcw = 0x0c7f,            /* single precision, towards zero */
	};

	is_int(raw_status(en, 0, WITNESS_COMPUTE, (uint64_t)&c), OK, "a computation");
	raw_enclu_on(en, 0, &r);
	ok(r.rdi == UINT64_MAX && r.rsi == OK, "again, with odd flags and control words");
	is_int(d.result, c.result, "gives the same");
	ok(!(r.rflags & (FLAG_DF | FLAG_AC)), "it leaves DF and AC clear");
	ok(r.mxcsr == (0x7f80 | 0x8040) && r.fcw == 0x0c7f, "the control words as they were");
	ok(!r.others[0] && !r.others[1] && !r.others[2] && !r.others[3] && !r.rdx,
	   "nothing in general registers");
	ok(ct_is_zero(r.xmm, sizeof(r.xmm)), "and nothing in vector registers");

	struct witness_sum sum = { .a = 1, .b = 2 };
	r.rdi = WITNESS_SUM;
	r.rsi = (uint64_t)&sum;
	raw_enclu_on(en, 0, &r);
	ok(r.rdi == WITNESS_ADD && r.rsp < (uint64_t)stack + 8192, "an OCALL");
	ok(!r.others[0] && !r.others[1] && !r.others[2] && !r.others[3] && !r.rdx &&
		   ct_is_zero(r.xmm, sizeof(r.xmm)) && r.mxcsr == (0x7f80 | 0x8040),
	   "leaves no more");
	r.rdi = (uint64_t)ORET;
	r.rsi = 7;
	raw_enclu_on(en, 0, &r);
	ok(r.rdi == UINT64_MAX && r.rsi == 7, "and comes to its end");
}

/* ---- exceptions ---- */

static struct bawn_enclave *interrupted;
static uint32_t answers[5], interruptions;

/* The enclave was interrupted; enter it on the same TCS as if it had faulted. */
static void on_timer(int sig, siginfo_t *info, void *context)
{
	static const int64_t commands[] = { EXCEPT, WITNESS_EMPTY, ORET, INIT, UNINIT };
	const greg_t *r = ((const ucontext_t *)context)->uc_mcontext.gregs;
	unsigned i = interruptions % ARRAY_LEN(commands);

	(void)sig, (void)info;
	/* The registers of an asynchronous exit (SDM 39.4.1): else it was outside, and all is allowed. */
	if (r[REG_RAX] != ENCLU_ERESUME || (uint64_t)r[REG_RBX] != interrupted->slot[0].tcs)
		return;
	interruptions++;
	answers[i] = raw_status(interrupted, 0, commands[i], (uint64_t)features);
}

static void test_false_exceptions(struct bawn_enclave *en)
{
	struct witness_compute c = { .rounds = 1000000 }, d = c;
	struct itimerval every = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction sa = { .sa_sigaction = on_timer, .sa_flags = SA_SIGINFO }, old;
	bool same = true, came = true;

	is_int(raw_status(en, 0, WITNESS_COMPUTE, (uint64_t)&c), OK, "a long computation");
	interrupted = en;
	memset(answers, 0xff, sizeof(answers));
	sigaction(SIGALRM, &sa, &old);
	for (int i = 0; i < 200 && interruptions < 20; i++) {
		struct raw_exit x;

		setitimer(ITIMER_REAL, &every, NULL);
		x = raw_enter(en, 0, ENCLU_EENTER, WITNESS_COMPUTE, (uint64_t)&d);
		setitimer(ITIMER_REAL, &never, NULL);
		came = came && x.rdi == -1 && x.rsi == OK;
		same = same && d.result == c.result;
	}
	sigaction(SIGALRM, &old, NULL);
	ok(interruptions >= 20, "is interrupted, %u times", interruptions);
	is_int(answers[0], FAILED, "EXCEPT, when nothing has faulted");
	is_int(answers[1], FAILED, "an ECALL on top of what was interrupted");
	is_int(answers[2], FAILED, "an ORET");
	is_int(answers[3], FAILED, "an INIT");
	is_int(answers[4], FAILED, "an UNINIT");
	ok(came && same, "all refused, and the result is what it was");
}

static void test_exception_twice(struct bawn_enclave *en)
{
	struct witness_fault f = { .kind = WITNESS_FAULT_DIVIDE };
	struct raw_exit x = raw_enter(en, 0, ENCLU_EENTER, WITNESS_FAULT, (uint64_t)&f);

	ok(x.function == ENCLU_ERESUME && x.vector == VEC_DE, "a fault reaches the host");
	is_int(raw_status(en, 0, WITNESS_EMPTY, 0), FAILED, "which may not call now");
	is_int(raw_status(en, 0, EXCEPT, 0), OK, "and tells the enclave");
	is_int(raw_status(en, 0, EXCEPT, 0), FAILED, "once");
	x = raw_enter(en, 0, ENCLU_ERESUME, 0, 0);
	ok(x.function == ENCLU_EEXIT && x.rdi == -1 && x.rsi == OK && f.result == 6,
	   "then it goes on, repaired");

	/* Resumed without having been told, it faults again, and no more than that. */
	raw_enter(en, 0, ENCLU_EENTER, WITNESS_FAULT, (uint64_t)&f);
	x = raw_enter(en, 0, ENCLU_ERESUME, 0, 0);
	ok(x.function == ENCLU_ERESUME && x.vector == VEC_DE, "resumed untold, it faults again");
	is_int(raw_status(en, 0, EXCEPT, 0), OK, "and can still be told");
	x = raw_enter(en, 0, ENCLU_ERESUME, 0, 0);
	ok(x.rdi == -1 && x.rsi == OK, "and goes on");
}

/* The handler declines, in a thread that is then lost, and with it the enclave. */
static void test_exception_refused(void)
{
	struct bawn_enclave *en = ready();
	struct witness_fault f = { .kind = WITNESS_FAULT_FATAL };
	struct raw_exit x = raw_enter(en, 0, ENCLU_EENTER, WITNESS_FAULT, (uint64_t)&f);

	ok(x.function == ENCLU_ERESUME && x.vector == VEC_UD, "a fault that will not be handled");
	is_int(raw_status(en, 0, EXCEPT, 0), OK, "is taken");
	x = raw_enter(en, 0, ENCLU_ERESUME, 0, 0);
	ok(x.function == ENCLU_ERESUME, "and given up");
	is_int(raw_status(en, 0, EXCEPT, 0), CRASHED, "for good");
	is_int(raw_status(en, 1, WITNESS_EMPTY, 0), CRASHED, "in all threads");
	bawn_enclave_free(&en);
}

static sigjmp_buf out;
static uint32_t told;

static void on_fault(int sig)
{
	(void)sig;
	told = raw_status(interrupted, 0, EXCEPT, 0);
	siglongjmp(out, 1);
}

/* The status of EXCEPT for a fault of an ECALL that was entered with this stack pointer. */
static uint32_t fault_on(struct bawn_enclave *en, uint64_t rsp)
{
	struct witness_fault f = { .kind = WITNESS_FAULT_UD };
	struct sigaction sa = { .sa_handler = on_fault }, old;

	interrupted = en;
	told = UINT32_MAX;
	sigaction(SIGILL, &sa, &old);
	if (!sigsetjmp(out, 1))
		raw_status_on(en, 0, WITNESS_FAULT, (uint64_t)&f, rsp);
	sigaction(SIGILL, &old, NULL);
	return told;
}

/*
 * An exception handler that trusted the stack pointer in the save area would
 * write where the host wants it to (CVE-2021-0186).
 */
static void test_exception_on_stack(void)
{
	static _Alignas(16) uint8_t stack[16384];
	struct bawn_enclave *en = ready();

	is_int(fault_on(en, (uint64_t)stack + 8192), OK, "a fault is taken, with a stack of the host's");
	bawn_enclave_free(&en);
	en = ready();
	is_int(fault_on(en, en->slot[0].tcs - 8192), CRASHED, "with one in the enclave it is not");
	bawn_enclave_free(&en);
}

/* Offset and length of the image's writable segment, from the file's program headers. */
static bool data_segment(uint64_t *offset, uint64_t *length)
{
	const char *build = getenv("BUILD");
	uint8_t head[4096] = { 0 };
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/enclaves/witness.so", build ? build : "build");
	f = fopen(path, "rb");
	if (!f || fread(head, 1, sizeof(head), f) != sizeof(head))
		return false;
	fclose(f);
	for (unsigned i = 0; i < get_le16(head + 56); i++) {
		const uint8_t *ph = head + get_le64(head + 32) + i * 56;

		if (get_le32(ph) == 1 && get_le32(ph + 4) & 2) { /* PT_LOAD, PF_W */
			*offset = get_le64(ph + 16);
			*length = (get_le64(ph + 40) + 4095) & ~UINT64_C(4095);
			return true;
		}
	}
	return false;
}

/*
 * The host takes away a page that the entry code itself needs, so that it
 * faults half way in. Its own handler must not get to see that.
 */
static void test_exception_in_entry(void)
{
	struct bawn_enclave *en = ready();
	struct witness_fault f = { .kind = WITNESS_FAULT_DIVIDE };
	uint64_t offset, length;
	struct raw_exit x;
	void *data;

	raw_enter(en, 0, ENCLU_EENTER, WITNESS_FAULT, (uint64_t)&f); /* installs the handler */
	raw_status(en, 0, EXCEPT, 0);
	raw_enter(en, 0, ENCLU_ERESUME, 0, 0);
	is_int(f.result, 6, "an enclave that handles faults");
	if (!data_segment(&offset, &length)) {
		ok(false, "finding its data");
		return;
	}
	data = (void *)(en->info.base + offset);
	ok(!mprotect(data, length, PROT_NONE), "whose data the host takes away");
	x = raw_enter(en, 0, ENCLU_EENTER, WITNESS_EMPTY, 0);
	ok(x.function == ENCLU_ERESUME && x.vector == VEC_PF, "faults on its way in");
	ok(!mprotect(data, length, PROT_READ | PROT_WRITE), "and gets it back");
	is_int(raw_status(en, 0, EXCEPT, 0), CRASHED, "and goes no further");
	bawn_enclave_free(&en);
}

static void test_uninit(void)
{
	struct bawn_enclave *en = ready();

	is_int(raw_status(en, 0, UNINIT, 0), OK, "UNINIT");
	is_int(raw_status(en, 0, WITNESS_EMPTY, 0), CRASHED, "closes the enclave");
	is_int(raw_status(en, 1, WITNESS_EMPTY, 0), CRASHED, "to all");
	is_int(raw_status(en, 0, INIT, (uint64_t)features), CRASHED, "for ever");
	bawn_enclave_free(&en);
}

int main(void)
{
	struct bawn_enclave *en;

	if (!witness_platform(true))
		return tap_done();
	test_before_init();
	test_init_argument();
	en = ready();
	test_commands(en);
	test_arguments(en);
	test_buffers(en);
	test_ocall(en);
	test_stack(en);
	test_registers(en);
	test_false_exceptions(en);
	test_exception_twice(en);
	test_exception_refused();
	test_exception_on_stack();
	test_exception_in_entry();
	test_uninit();
	bawn_enclave_free(&en);
	witness_platform_done();
	return tap_done();
}
