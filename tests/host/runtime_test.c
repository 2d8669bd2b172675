/*
 * The runtime against an enclave made by hand, on the emulated CPU or what BAWN_TEST_DEVICE says.
 */
#include "tests/host/raw.h"
#include "tests/tap.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *platform;
static struct bawn_error err;

static struct bawn_enclave *load(const struct raw_options *how, const struct bawn_options *opt)
{
	struct bawn_enclave *en;

	err = (struct bawn_error){ 0 };
	if (raw_load(&en, platform, how, opt, &err))
		printf("# %s\n", err.msg);
	return en;
}

/* An ECALL that is expected to come back with status 0. */
static bool call(struct bawn_enclave *en, enum raw_ecall index, void *ms)
{
	uint32_t status = 77;

	err = (struct bawn_error){ 0 };
	if (bawn_ecall(en, index, ms, &status, &err)) {
		printf("# %s\n", err.msg);
		return false;
	}
	return status == 0;
}

static int call_code(struct bawn_enclave *en, enum raw_ecall index, void *ms)
{
	uint32_t status;

	err = (struct bawn_error){ 0 };
	return bawn_ecall(en, index, ms, &status, &err);
}

/* ---- loading ---- */

static void test_load(void)
{
	static const struct {
		const char *name;
		unsigned what;
		uint32_t status;
	} broken[] = {
		{ "a flipped bit of the signature", RAW_BREAK_SIGNATURE, ISA_INVALID_SIGNATURE },
		{ "a flipped bit of the body", RAW_BREAK_BODY, ISA_INVALID_SIGNATURE },
		{ "a flipped bit of q2", RAW_BREAK_Q2, ISA_INVALID_SIGNATURE },
		{ "a flipped bit of a page", RAW_BREAK_CODE, ISA_INVALID_MEASUREMENT },
		{ "a flipped bit of the header", RAW_BREAK_HEADER, ISA_INVALID_SIG_STRUCT },
	};
	struct raw_options how = { .threads = 1 };
	struct bawn_options opt = { 0 };
	struct bawn_enclave *en = load(&how, NULL);
	struct bawn_enclave_info info;
	struct isa_targetinfo ti;
	struct raw_shared shared = { 0 };
	uint64_t touch[3] = { RAW_REFUSE, 0, 1 };
	uint8_t signer[32];

	ok(en, "loaded");
	bawn_enclave_info(en, &info);
	raw_signer(signer);
	is_mem(info.mrsigner, signer, 32, "MRSIGNER is the key's");
	is_str(info.device, raw_device(), "the device says what it is");
	/* Under `bawn emulate` so are the other devices. */
	ok(info.emulated == (raw_is_emulated() || getenv("BAWN_EMULATE")) && !info.dynamic_memory,
	   "and so does the flag; no dynamic memory");
	is_int(info.isvprodid, 7, "ISVPRODID");
	is_int(info.isvsvn, 3, "ISVSVN");
	is_int(info.base % info.size, 0, "ELRANGE is naturally aligned");
	ok(info.create_ns && info.add_ns && info.einit_ns && info.init_ns, "all steps took time");
	bawn_enclave_targetinfo(en, (uint8_t *)&ti);
	is_mem(ti.measurement, info.mrenclave, 32, "TARGETINFO has the measurement");
	is_int(ti.attributes.flags, info.attributes, "and the attributes");
	ok(info.attributes & ATTR_INIT, "INIT among them");
	ok(call(en, RAW_SHARED, &shared), "what INIT was given");
	is_int(shared.inits, 1, "one INIT");
	ok(shared.cpu_features & 1 << 9, "features with SSE4.1");
	is_int(shared.version, 0, "version 0 for metadata 1.x");
	is_int(shared.feature_set >> 62, 3, "extended, last word");
	is_int(shared.feature_set & 1, 0, "no EDMM");
	is_int(shared.size, 176, "size");
	bawn_enclave_free(&en);
	ok(!en, "freed");
	bawn_enclave_free(&en);

	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		how.break_what = broken[i].what;
		ok(!load(&how, NULL) && err.code == BAWN_ERR_SGX, "%s: refused", broken[i].name);
		/* The in-kernel driver keeps it to itself. */
		if (raw_is_emulated())
			is_int(err.sgx_status, broken[i].status, "with EINIT's status");
		else
			is_int(err.sys_errno, EPERM, "with EPERM");
	}
	how.break_what = RAW_INTACT;
	opt.debug = true;
	ok(!load(&how, &opt) && (raw_is_emulated() ? err.sgx_status == ISA_INVALID_ATTRIBUTE :
						     err.sys_errno == EPERM),
	   "DEBUG on a production enclave: %s", err.msg);
	opt.debug = false;
	opt.config_svn = 1;
	ok(!load(&how, &opt) && err.code == BAWN_ERR_UNSUPPORTED, "CONFIGSVN without KSS");
	opt.config_svn = 0;
	how.init_status = 5;
	ok(!load(&how, NULL) && err.code == BAWN_ERR_CRASHED && strstr(err.msg, "0x5"),
	   "INIT fails: %s", err.msg);
	how.init_status = 0;
	how.settled = true;
	en = load(&how, NULL);
	ok(en && call(en, RAW_SHARED, &shared) && shared.inits == 1, "INIT may write what is settled later");
	touch[1] = en->secs.baseaddr + ISA_PAGE + 512;
	is_int(call_code(en, RAW_TOUCH, touch), BAWN_ERR_CRASHED, "later it is read-only");
	bawn_enclave_free(&en);
	how.settled = false;
	opt.no_init = true;
	en = load(&how, &opt);
	ok(en && call_code(en, RAW_EMPTY, NULL) == BAWN_ERR_USAGE, "no ECALL without INIT");
	bawn_enclave_free(&en);
}

static void test_load_usage(void)
{
	struct bawn_options opt = { .device = "quantum" };
	struct bawn_enclave *en;
	struct bawn_error e = { 0 };

	is_int(bawn_enclave_load(&en, "/nonexistent", &opt, &e), BAWN_ERR_USAGE, "no such device");
	opt.device = raw_device();
	opt.platform = platform;
	ok(bawn_enclave_load(&en, "/nonexistent", &opt, NULL) < 0 && !en, "no such file");
	ok(bawn_enclave_load(&en, NULL, &opt, NULL) == BAWN_ERR_USAGE, "no path");
	opt.reserved[3] = 1;
	is_int(bawn_enclave_load(&en, "/nonexistent", &opt, NULL), BAWN_ERR_USAGE, "reserved option");
	opt.reserved[3] = 0;
	opt.ocall_count = 1;
	is_int(bawn_enclave_load(&en, "/nonexistent", &opt, NULL), BAWN_ERR_USAGE, "OCALLs missing");
	opt.ocall_count = 0;
	opt.platform = "/nonexistent/platform";
	e = (struct bawn_error){ 0 };
	ok(bawn_enclave_load(&en, "/nonexistent", &opt, &e) < 0, "no such platform: %s", e.msg);
	ok(bawn_enclave_load_memory(&en, "ELF?", 4, &opt, NULL) < 0, "not a file");
}

/* ---- calls ---- */

static struct bawn_enclave *current; /* for OCALLs that call in again */
static unsigned uninits;

static uint32_t oc_triple(void *ms, void *arg)
{
	*(unsigned *)arg += 1;
	*(uint64_t *)ms *= 3;
	return 0x55;
}

/* Calls in again until *ms is 0. */
static uint32_t oc_again(void *ms, void *arg)
{
	uint64_t *depth = ms;
	uint64_t args[3] = { 1, (uint64_t)(uintptr_t)depth, 99 };

	(void)arg;
	if (*depth == 0)
		return 0;
	--*depth;
	if (!call(current, RAW_OCALL, args))
		return 1;
	return (uint32_t)args[2] + 1;
}

static uint32_t oc_uninit(void *ms, void *arg)
{
	(void)ms;
	(void)arg;
	uninits++;
	return 0;
}

/* A nested call that crashes the enclave. */
static uint32_t oc_crash(void *ms, void *arg)
{
	uint64_t args[2] = { RAW_REFUSE };

	(void)ms;
	(void)arg;
	return call_code(current, RAW_FAULT, args) == BAWN_ERR_CRASHED ? 0 : 1;
}

static uint32_t oc_nested_tcs(void *ms, void *arg)
{
	uint64_t args[2] = { 1 };

	(void)arg;
	*(uint64_t *)ms = call(current, RAW_SPIN, args) ? args[1] : 0;
	return 0;
}

static unsigned ocall_count;
static const bawn_ocall_fn ocalls[] = { oc_triple, oc_again, oc_uninit, oc_crash, NULL, oc_nested_tcs };
static const struct bawn_options with_ocalls = {
	.ocalls = ocalls,
	.ocall_count = ARRAY_LEN(ocalls),
	.ocall_arg = &ocall_count,
};

static void test_calls(void)
{
	struct raw_options how = { .threads = 2 };
	struct bawn_enclave *en = load(&how, &with_ocalls);
	uint64_t sum[3] = { 40, 2, 0 }, value = 5, args[3] = { 0, (uint64_t)(uintptr_t)&value };
	uint64_t want = 0x1234, spin[2] = { 1 }, tcs = 0;
	uint32_t status = 0;

	current = en;
	ok(call(en, RAW_EMPTY, NULL), "empty ECALL");
	ok(call(en, RAW_ADD, sum) && sum[2] == 42, "arguments in and out");
	ok(!bawn_ecall(en, RAW_STATUS, &want, &status, NULL) && status == 0x1234, "a status");
	ok(!bawn_ecall(en, RAW_ECALLS, NULL, &status, NULL) && status == 0x1001, "no such ECALL");
	is_int(bawn_ecall(en, 0x80000000, NULL, &status, NULL), BAWN_ERR_USAGE, "index too large");
	is_int(bawn_ecall(en, 0, NULL, NULL, NULL), BAWN_ERR_USAGE, "no room for the status");
	is_int(bawn_ecall(NULL, 0, NULL, &status, NULL), BAWN_ERR_USAGE, "no enclave");

	ok(call(en, RAW_OCALL, args) && value == 15 && args[2] == 0x55, "an OCALL, and its status");
	is_int(ocall_count, 1, "with its argument");
	args[0] = 4;
	ok(call(en, RAW_OCALL, args) && args[2] == 0x1001, "an OCALL that is NULL");
	args[0] = ARRAY_LEN(ocalls);
	ok(call(en, RAW_OCALL, args) && args[2] == 0x1001, "an OCALL beyond the table");
	args[0] = 0x7fffffff;
	ok(call(en, RAW_OCALL, args) && args[2] == 0x1001, "far beyond");
	args[0] = (uint64_t)-50;
	ok(call(en, RAW_OCALL, args) && args[2] == 0x1001, "an unknown built-in OCALL");

	value = 20;
	args[0] = 1;
	ok(call(en, RAW_OCALL, args) && value == 0 && args[2] == 20, "ECALLs nested 20 deep");
	ok(call(en, RAW_SPIN, spin), "the TCS of a call");
	args[0] = 5;
	args[1] = (uint64_t)(uintptr_t)&tcs;
	ok(call(en, RAW_OCALL, args) && tcs == spin[1], "a nested call is on the same TCS");
	bawn_enclave_free(&en);
}

/* Registers that the caller of bawn_ecall may rely on. */
static void test_registers(void)
{
	struct raw_options how = { .threads = 1 };
	struct bawn_enclave *en = load(&how, NULL);
	const uint32_t up = 0x5f80; /* round upwards */
	char from[8] = "abcdefg", to[8];
	uint32_t mxcsr, usual;
	uint16_t fcw, usual_fcw, up_fcw = 0x0b7f;
	unsigned char df;

	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(usual), "=m"(usual_fcw));
	__asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(up), "m"(up_fcw));
	ok(call(en, RAW_CLOBBER, NULL), "an ECALL that clobbers what it can");
	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(fcw));
	__asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(usual), "m"(usual_fcw));
	is_int(mxcsr & 0x6000, up & 0x6000, "the rounding mode survives it");
	is_int(fcw, up_fcw, "and the x87 control word");
	__asm__ volatile("pushfq; pop %%rax; shr $10, %%rax; and $1, %%al" : "=a"(df) : : "cc");
	is_int(df, 0, "the direction flag is clear");
	memcpy(to, from, sizeof(to));
	is_str(to, "abcdefg", "copies go upwards");
	bawn_enclave_free(&en);
}

/* ---- exceptions ---- */

struct seen {
	enum bawn_exception_action action;
	struct bawn_exception x;
	unsigned n;
	void *fix; /* page to make accessible */
};

static enum bawn_exception_action on_exception(const struct bawn_exception *x, void *arg)
{
	struct seen *s = arg;

	s->x = *x;
	s->n++;
	if (s->fix)
		mprotect(s->fix, ISA_PAGE, PROT_READ | PROT_WRITE);
	return s->action;
}

static void test_exceptions(void)
{
	struct raw_options how = { .threads = 2 };
	struct seen seen = { .action = BAWN_EXCEPTION_ENCLAVE };
	struct bawn_options opt = { .exception = on_exception, .exception_arg = &seen };
	struct bawn_enclave *en = load(&how, NULL);
	uint64_t fault[2] = { RAW_STEP }, touch[3] = { RAW_REFUSE, 0, 0x77 };
	void *page;

	for (unsigned i = 1; i <= 3; i++)
		ok(call(en, RAW_FAULT, fault) && fault[1] == i, "UD2, handled inside (%u)", i);
	fault[0] = RAW_REFUSE;
	is_int(call_code(en, RAW_FAULT, fault), BAWN_ERR_CRASHED, "UD2, not handled");
	ok(strstr(err.msg, "#UD"), "%s", err.msg);
	is_int(call_code(en, RAW_EMPTY, NULL), BAWN_ERR_CRASHED, "and so all later calls");
	bawn_enclave_free(&en);

	en = load(&how, NULL);
	fault[0] = RAW_FAULT_IN_HANDLER;
	is_int(call_code(en, RAW_FAULT, fault), BAWN_ERR_CRASHED, "a fault in the handler");
	bawn_enclave_free(&en);

	en = load(&how, &opt);
	page = mmap(NULL, ISA_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fault[0] = RAW_STEP;
	ok(call(en, RAW_FAULT, fault) && seen.n == 1 && seen.x.vector == VEC_UD,
	   "the callback sees it and lets the enclave handle it");
	seen.action = BAWN_EXCEPTION_RESUME;
	seen.fix = page;
	touch[1] = (uint64_t)(uintptr_t)page + 0x123;
	ok(call(en, RAW_TOUCH, touch) && seen.n == 2, "the callback repairs a page, and it goes on");
	is_int(seen.x.vector, VEC_PF, "it was #PF");
	is_int(seen.x.error_code & PF_W, PF_W, "a write");
	is_int(seen.x.address, (uintptr_t)page, "of that page");
	munmap(page, ISA_PAGE);
	seen.action = BAWN_EXCEPTION_FAIL;
	seen.fix = NULL;
	ok(call_code(en, RAW_TOUCH, touch) == BAWN_ERR_CRASHED, "the callback gives up: %s", err.msg);
	bawn_enclave_free(&en);

	en = load(&how, &with_ocalls);
	current = en;
	fault[0] = 3;
	fault[1] = 0;
	is_int(call_code(en, RAW_OCALL, (uint64_t[3]){ 3, 0, 0 }), BAWN_ERR_CRASHED,
	       "a nested call crashes: so does the outer one");
	bawn_enclave_free(&en);

	how.aexnotify = true;
	en = load(&how, NULL);
	fault[0] = RAW_IN_PLACE;
	fault[1] = 0;
	ok(en && call(en, RAW_FAULT, fault) && fault[1] == 1, "AEX-notify: handled in place");
	ok(en && call(en, RAW_FAULT, fault) && fault[1] == 2, "and again");
	fault[0] = RAW_REFUSE;
	ok(en && call_code(en, RAW_FAULT, fault) == BAWN_ERR_CRASHED, "and refused");
	bawn_enclave_free(&en);
}

static void test_loss(void)
{
	struct raw_options how = { .threads = 1 };
	struct bawn_enclave *en = load(&how, NULL);
	struct cpu_fault f;
	pid_t child;
	int status = -1;

	ok(call(en, RAW_EMPTY, NULL), "it lives");
	child = fork();
	if (child == 0)
		_exit(call_code(en, RAW_EMPTY, NULL) == BAWN_ERR_LOST ? 0 : 1);
	waitpid(child, &status, 0);
	is_int(status, 0, "a fork's child has lost it");
	ok(call(en, RAW_EMPTY, NULL), "its parent has not");
	if (!raw_is_emulated()) {
		/* Only an emulated page can be taken away in passing. */
		bawn_enclave_free(&en);
		return;
	}
	is_int(cpu_eremove(dev_emulated_epc(en->dev), en->slot[0].tcs - en->secs.baseaddr, &f), 0,
	       "its TCS is taken away");
	is_int(call_code(en, RAW_EMPTY, NULL), BAWN_ERR_LOST, "lost");
	is_int(call_code(en, RAW_EMPTY, NULL), BAWN_ERR_LOST, "for ever");
	bawn_enclave_free(&en);
}

/* ---- threads ---- */

#define CALLS 2000
static _Atomic unsigned wrong, busy;

static void *call_often(void *arg)
{
	for (uint64_t i = 0; i < CALLS; i++) {
		uint64_t sum[3] = { i, (uint64_t)(uintptr_t)arg, 0 };
		uint32_t status;
		int r = bawn_ecall(arg, RAW_ADD, sum, &status, NULL);

		if (r == BAWN_ERR_BUSY)
			busy++;
		else if (r || status || sum[2] != sum[0] + sum[1])
			wrong++;
	}
	return NULL;
}

static void run_threads(unsigned n, void *(*fn)(void *), void *arg)
{
	pthread_t t[16];

	for (unsigned i = 0; i < n; i++)
		pthread_create(&t[i], NULL, fn, arg);
	for (unsigned i = 0; i < n; i++)
		pthread_join(t[i], NULL);
}

static void *call_once(void *arg)
{
	uint64_t spin[2] = { 1 };

	return call_code(arg, RAW_SPIN, spin) ? NULL : (void *)(uintptr_t)spin[1];
}

/* Takes the only TCS and holds it until told. */
static pthread_barrier_t held, done;
static uint32_t oc_hold(void *ms, void *arg)
{
	(void)ms;
	(void)arg;
	pthread_barrier_wait(&held);
	pthread_barrier_wait(&done);
	return 0;
}
static const bawn_ocall_fn hold_ocalls[] = { oc_hold };

static void *hold(void *arg)
{
	uint64_t args[3] = { 0 };

	return call(arg, RAW_OCALL, args) ? arg : NULL;
}

static void test_pool(void)
{
	struct raw_options how = { .threads = 2 };
	struct bawn_options opt = { .ocalls = hold_ocalls, .ocall_count = 1, .no_wait = true };
	struct bawn_enclave *en = load(&how, NULL);
	pthread_t t;
	void *r, *first, *second;

	run_threads(6, call_often, en);
	ok(wrong == 0 && busy == 0, "6 threads share 2 TCSs, waiting for them");
	bawn_enclave_free(&en);

	how.threads = 1;
	en = load(&how, &opt);
	pthread_barrier_init(&held, NULL, 2);
	pthread_barrier_init(&done, NULL, 2);
	pthread_create(&t, NULL, hold, en);
	pthread_barrier_wait(&held);
	is_int(call_code(en, RAW_EMPTY, NULL), BAWN_ERR_BUSY, "no_wait: busy");
	pthread_barrier_wait(&done);
	pthread_join(t, &r);
	ok(r == en, "the one who had it is not disturbed");
	ok(call(en, RAW_EMPTY, NULL), "and then it is free");
	bawn_enclave_free(&en);

	/* Bound: threads keep what they have; two for the main thread and one other at a time. */
	how = (struct raw_options){ .threads = 2, .bound = true };
	en = load(&how, &opt);
	first = call_once(en);
	ok(first && call_once(en) == first, "bound: this thread always has the same TCS");
	pthread_create(&t, NULL, call_once, en);
	pthread_join(t, &second);
	ok(second && second != first, "another thread another one");
	for (int i = 0; i < 5; i++) {
		pthread_create(&t, NULL, call_once, en);
		pthread_join(t, &r);
		ok(r == second, "which is free again when that thread has ended");
	}
	pthread_create(&t, NULL, hold, en);
	pthread_barrier_wait(&held);
	pthread_t t2;
	pthread_create(&t2, NULL, call_once, en);
	pthread_join(t2, &r);
	ok(!r && err.code == BAWN_ERR_BUSY, "bound and busy");
	pthread_barrier_wait(&done);
	pthread_join(t, &r);
	bawn_enclave_free(&en);
	opt.no_wait = false;
	en = load(&how, &opt);
	run_threads(8, call_often, en);
	ok(wrong == 0, "8 threads wait for the others to end");
	bawn_enclave_free(&en);
}

/* ---- memory and threads made later ---- */

static bool accept_page(struct bawn_enclave *en, uint64_t offset, uint64_t flags, uint64_t want)
{
	uint64_t args[3] = { en->secs.baseaddr + offset, flags, 99 };

	return call(en, RAW_ACCEPT, args) && args[2] == want;
}

static bool builtin(struct bawn_enclave *en, int number, void *ms)
{
	uint64_t args[3] = { (uint64_t)(int64_t)number, (uint64_t)(uintptr_t)ms, 99 };

	return call(en, RAW_OCALL, args) && args[2] == 0;
}

struct ms_alloc {
	int32_t ret;
	uint64_t addr, size;
	uint32_t properties, flags;
};
struct ms_modify {
	int32_t ret;
	uint64_t addr, size;
	uint32_t from, to;
};

#define REG_RW 0x203u
#define REG_R 0x201u
#define TYPE_TRIM 0x400u

static void test_edmm(void)
{
	struct raw_options how = { .threads = 1, .dynamic_threads = 3, .min_pool = 2, .edmm = true };
	struct bawn_options opt = with_ocalls;
	struct bawn_enclave *en;
	struct bawn_enclave_info info;
	struct raw_shared shared = { 0 };
	struct ms_alloc a = { .size = 4 * ISA_PAGE, .properties = REG_RW };
	struct ms_modify m = { .from = REG_RW, .to = REG_R };
	uint64_t touch[3] = { RAW_EACCEPT, 0, 0xabcd }, offset = RAW_HEAP;
	unsigned absent = 0;

	opt.no_wait = true;
	en = load(&how, &opt);
	if (!ok(en, "an enclave with dynamic threads"))
		return;
	bawn_enclave_info(en, &info);
	ok(info.dynamic_memory && info.threads == 4, "dynamic memory, 4 threads");
	for (size_t i = 0; i < en->nslots; i++)
		absent += en->slot[i].state == SLOT_ABSENT;
	is_int(absent, 1, "two made at once, as its pool asks for, one not");
	ok(call(en, RAW_SHARED, &shared) && shared.version == 5 && (shared.feature_set & 1),
	   "it was told of EDMM");

	a.addr = en->secs.baseaddr + offset;
	ok(builtin(en, -6, &a) && a.ret == 0, "memory is allocated");
	touch[1] = a.addr + 8;
	ok(call(en, RAW_TOUCH, touch), "used, and accepted by the exception handler");
	touch[1] = a.addr + ISA_PAGE;
	ok(call(en, RAW_TOUCH, touch), "the next page too");
	m.addr = a.addr;
	m.size = ISA_PAGE;
	ok(builtin(en, -7, &m) && m.ret == 0, "made read-only");
	ok(accept_page(en, offset, REG_R | SECINFO_PR, 0), "accepted");
	m.from = REG_R;
	m.to = TYPE_TRIM | 1;
	ok(builtin(en, -7, &m) && m.ret == 0, "trimmed");
	m.from = TYPE_TRIM | 1;
	ok(builtin(en, -7, &m) && m.ret != 0, "not removed before that is accepted");
	ok(accept_page(en, offset, TYPE_TRIM | SECINFO_MODIFIED, 0), "accepted");
	ok(builtin(en, -7, &m) && m.ret == 0, "removed");
	ok(builtin(en, -6, &a) && a.ret == 0, "and allocated once more");
	touch[1] = a.addr + 16;
	ok(call(en, RAW_TOUCH, touch), "and used");
	ok(builtin(en, -2, (uint64_t[2]){ a.addr, a.addr + ISA_PAGE }), "trimmed by the older OCALL");
	ok(accept_page(en, offset, TYPE_TRIM | SECINFO_MODIFIED, 0), "accepted");
	ok(builtin(en, -3, (uint64_t[1]){ a.addr }), "and removed");

	a.addr = en->secs.baseaddr + en->secs.size;
	ok(builtin(en, -6, &a) && a.ret != 0, "no memory outside the enclave");
	a.addr = en->secs.baseaddr + offset + 1;
	ok(builtin(en, -6, &a) && a.ret != 0, "nor off a page's boundary");
	a.addr = en->secs.baseaddr + offset;
	a.size = UINT64_MAX & ~UINT64_C(4095);
	ok(builtin(en, -6, &a) && a.ret != 0, "nor of such a size");
	m.from = TYPE_TRIM;
	m.to = REG_RW;
	ok(builtin(en, -7, &m) && m.ret != 0, "nothing comes back from trimmed");

	pthread_barrier_init(&held, NULL, 2);
	wrong = busy = 0;
	run_threads(3, call_often, en);
	ok(wrong == 0 && busy == 0, "3 threads: the last one was made when it was needed");
	absent = 0;
	for (size_t i = 0; i < en->nslots; i++)
		absent += en->slot[i].state == SLOT_ABSENT;
	is_int(absent, 0, "all are there now");
	uninits = 0;
	bawn_enclave_free(&en);
	is_int(uninits, 1, "it was uninitialised once");
}

/* ---- events ---- */

static void *waiter(void *arg)
{
	uint64_t args[3] = { 0 };
	struct {
		int32_t ret;
		uint64_t tcs;
	} ms = { -1, 0 };
	struct bawn_enclave *en = arg;

	/* With one TCS free, this call is on the second. */
	ms.tcs = en->slot[1].tcs;
	args[1] = (uint64_t)(uintptr_t)&ms;
	return call(en, RAW_OCALL, args) && args[2] == 0 && ms.ret == 0 ? arg : NULL;
}

static void test_events(void)
{
	static const bawn_ocall_fn fns[] = {
		bawn_ocall_wait_event, bawn_ocall_set_event, bawn_ocall_setwait_events,
		bawn_ocall_set_multiple_events, bawn_ocall_cpuidex,
	};
	struct raw_options how = { .threads = 2 };
	struct bawn_options opt = { .ocalls = fns, .ocall_count = ARRAY_LEN(fns) };
	struct bawn_enclave *en = load(&how, &opt);
	struct {
		int32_t ret;
		uint64_t a, b;
	} ms = { -1, en->slot[1].tcs, 0 };
	uint64_t args[3] = { 1, (uint64_t)(uintptr_t)&ms }, list[2];
	struct {
		int32_t *info, leaf, subleaf;
	} cpuid;
	int32_t regs[4] = { 0 };
	pthread_t t;
	void *r;

	pthread_create(&t, NULL, waiter, en);
	usleep(2000);
	ok(call(en, RAW_OCALL, args) && ms.ret == 0, "an event is set");
	pthread_join(t, &r);
	ok(r, "and wakes who waits for it");
	ok(call(en, RAW_OCALL, args), "set before anyone waits");
	pthread_create(&t, NULL, waiter, en);
	pthread_join(t, &r);
	ok(r, "it is kept");
	list[0] = en->slot[1].tcs;
	list[1] = en->slot[0].tcs;
	ms.a = (uint64_t)(uintptr_t)list;
	ms.b = 2;
	args[0] = 3;
	ok(call(en, RAW_OCALL, args) && ms.ret == 0, "two at once");
	ms.a = en->slot[1].tcs;
	ms.b = en->slot[0].tcs;
	args[0] = 2;
	ok(call(en, RAW_OCALL, args) && ms.ret == 0, "set one, wait for the other, which is set");
	ms.a = 4096;
	args[0] = 1;
	ok(call(en, RAW_OCALL, args) && ms.ret != 0, "no such thread");
	cpuid.info = regs;
	cpuid.leaf = cpuid.subleaf = 0;
	args[0] = 4;
	args[1] = (uint64_t)(uintptr_t)&cpuid;
	ok(call(en, RAW_OCALL, args) && regs[0] > 0 && regs[1], "CPUID");
	bawn_enclave_free(&en);
}

/* ---- threads that the enclave starts ---- */

static const bawn_ocall_fn thread_fns[] = {
	bawn_ocall_pthread_wait_timeout, bawn_ocall_pthread_create, bawn_ocall_pthread_wakeup,
};
struct wait_ms {
	int32_t ret;
	uint64_t tcs, seconds;
};
struct thread_ms {
	int32_t ret;
	uint64_t tcs;
};

static bool ocall(struct bawn_enclave *en, uint64_t index, void *ms)
{
	uint64_t args[3] = { index, (uint64_t)(uintptr_t)ms, 77 };

	return call(en, RAW_OCALL, args) && args[2] == 0;
}

static uint64_t own_tcs(struct bawn_enclave *en)
{
	uint64_t args[2] = { 1, 0 };

	call(en, RAW_SPIN, args);
	return args[1];
}

static void test_started(bool bound)
{
	struct raw_options how = { .threads = 3, .bound = bound };
	struct bawn_options opt = { .ocalls = thread_fns, .ocall_count = ARRAY_LEN(thread_fns) };
	struct bawn_enclave *en = load(&how, &opt);
	uint64_t self = own_tcs(en);
	struct wait_ms wait = { -1, self, 0 }, theirs = { -1, 0, 0 };
	struct thread_ms ms = { -1, self };
	uint64_t threads[3] = { 77, 0, self };

	ok(call(en, RAW_THREADS, threads) && threads[0] == 0, "no thread was started yet");
	for (int i = 0; i < 20; i++) {
		ms.ret = wait.ret = -1;
		if (!ocall(en, 1, &ms) || ms.ret || !ocall(en, 0, &wait) || wait.ret)
			break;
	}
	ok(ms.ret == 0 && wait.ret == 0, "threads are started, and wake who waits for their end");
	ok(call(en, RAW_THREADS, threads) && threads[0] == 20, "each of them ran");
	is_int(own_tcs(en), self, "on other TCSs");

	theirs.tcs = en->slot[en->slot[0].tcs == self].tcs;
	threads[1] = (uint64_t)(uintptr_t)&theirs;
	ok(call(en, RAW_THREADS, threads) && ocall(en, 1, &ms) && ms.ret == 0, "one that waits");
	ms.tcs = theirs.tcs;
	ok(ocall(en, 2, &ms) && ms.ret == 0 && ocall(en, 0, &wait) && theirs.ret == 0, "is woken up, and ends");
	ok(ocall(en, 1, &ms) && ms.ret == 0 && ocall(en, 1, &ms) && ms.ret == 0, "two that wait for ever");
	ok(ocall(en, 1, &ms) && ms.ret == 0x1003, "there is no TCS for a third");
	theirs.ret = 0;
	bawn_enclave_free(&en);
	ok(!en && theirs.ret != 0, "the enclave's end is theirs");
}

static void test_timeout(void)
{
	struct raw_options how = { .threads = 1 };
	struct bawn_options opt = { .ocalls = thread_fns, .ocall_count = ARRAY_LEN(thread_fns) };
	struct bawn_enclave *en = load(&how, &opt);
	struct wait_ms wait = { -1, own_tcs(en), 1 };

	ok(ocall(en, 0, &wait) && wait.ret == 0, "a wait of a second comes to an end");
	wait.tcs = 4096;
	ok(ocall(en, 0, &wait) && wait.ret != 0, "a wait for no thread");
	bawn_enclave_free(&en);
}

int main(void)
{
	platform = raw_platform(NULL);
	test_load_usage();
	test_load();
	test_calls();
	test_registers();
	test_exceptions();
	test_loss();
	test_pool();
	test_edmm();
	test_events();
	test_started(false);
	test_started(true);
	test_timeout();
	raw_platform_remove();
	return tap_done();
}
