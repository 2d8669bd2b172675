/* Choosing devices, probing, finding the vDSO's functions, entering without it. */
#include "dev/internal.h"
#include "tests/tap.h"

#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static void test_kinds(void)
{
	enum dev_kind k;
	struct bawn_error e = { 0 };

	unsetenv("BAWN_DEVICE");
	ok(!dev_kind_parse(NULL, &k, NULL) && k == DEV_AUTO, "nothing said: auto");
	ok(!dev_kind_parse("kernel", &k, NULL) && k == DEV_KERNEL, "kernel");
	ok(!dev_kind_parse("isgx", &k, NULL) && k == DEV_ISGX, "isgx");
	ok(!dev_kind_parse("emulated", &k, NULL) && k == DEV_EMULATED, "emulated");
	is_int(dev_kind_parse("emulate", &k, &e), BAWN_ERR_USAGE, "no other word");
	ok(strstr(e.msg, "emulated"), "%s", e.msg);
	setenv("BAWN_DEVICE", "emulated", 1);
	ok(!dev_kind_parse(NULL, &k, NULL) && k == DEV_EMULATED, "BAWN_DEVICE");
	ok(!dev_kind_parse("auto", &k, NULL) && k == DEV_AUTO, "a word goes before it");
	setenv("BAWN_DEVICE", "emu", 1);
	e = (struct bawn_error){ 0 };
	ok(dev_kind_parse(NULL, &k, &e) == BAWN_ERR_USAGE && strstr(e.msg, "BAWN_DEVICE"), "%s", e.msg);
	unsetenv("BAWN_DEVICE");
}

static void test_auto(void)
{
	struct dev_emulation em;
	struct dev_probe p;
	struct bawn_error e = { 0 };
	struct dev *d = NULL;

	dev_probe(&p);
	ok(p.node[DEV_NODE_ENCLAVE].path && p.node[DEV_NODE_ISGX].path, "nodes have names");
	ok(!p.sgx1 || p.cpu_sgx, "SGX1 only with SGX");
	dev_probe_emulation(&em);
	ok(em.memfd && em.reserve && em.exec && em.traps, "the emulated CPU would work, as it does in these tests");
	if (dev_probe_choice(&p) != DEV_AUTO) {
		skip("there is an SGX device: auto finds it");
		return;
	}
	ok(dev_open(&d, DEV_AUTO, NULL, &e) < 0 && !d, "auto finds none: %s", e.msg);
	if (e.code == BAWN_ERR_NO_DEVICE)
		ok(strstr(e.msg, "--device emulated"), "and says how to ask for the emulated CPU");
	e = (struct bawn_error){ 0 };
	if (!p.node[DEV_NODE_ENCLAVE].present)
		is_int(dev_open(&d, DEV_KERNEL, NULL, &e), BAWN_ERR_NO_DEVICE, "nor the kernel's");
	if (!p.node[DEV_NODE_ISGX].present)
		is_int(dev_open(&d, DEV_ISGX, NULL, &e), BAWN_ERR_NO_DEVICE, "nor isgx");
}

static void test_reserve(void)
{
	uint64_t base = 0, again;
	struct bawn_error e = { 0 };

	ok(!dev_reserve(1 << 24, &base, &e) && base % (1 << 24) == 0, "16 MiB, naturally aligned");
	again = base;
	ok(dev_reserve(1 << 24, &again, &e) < 0, "not there again: %s", e.msg);
	munmap((void *)(uintptr_t)base, 1 << 24);
	again = base;
	ok(!dev_reserve(1 << 24, &again, NULL) && again == base, "once it is free, just there");
	munmap((void *)(uintptr_t)base, 1 << 24);
	base = 0;
	ok(dev_reserve(UINT64_C(1) << 63, &base, NULL) < 0, "not the whole of it");
}

static void test_vdso(void)
{
	const void *image = (const void *)getauxval(AT_SYSINFO_EHDR);
	int (*gettime)(clockid_t, struct timespec *);
	struct timespec a = { 0 }, b = { 0 };
	static const char not_elf[64] = "#!/bin/sh";

	ok(!dev_vdso_symbol(NULL, "x"), "no image, no symbol");
	ok(!dev_vdso_symbol(not_elf, "x"), "not an image");
	if (!image) {
		skip("no vDSO here");
		return;
	}
	ok(!dev_vdso_symbol(image, "__vdso_no_such"), "no such symbol");
	*(void **)&gettime = dev_vdso_symbol(image, "__vdso_clock_gettime");
	if (!ok(gettime != NULL, "__vdso_clock_gettime is found"))
		return;
	clock_gettime(CLOCK_MONOTONIC, &a);
	is_int(gettime(CLOCK_MONOTONIC, &b), 0, "and works");
	ok(b.tv_sec == a.tv_sec || b.tv_sec == a.tv_sec + 1, "and tells the time");
}

/* ---- entering by our own hand: on a CPU without SGX, ENCLU is #UD ---- */

static struct isa_run run;
static int handled, again;

static int handler(long rdi, long rsi, long rdx, long rsp, long r8, long r9, struct isa_run *r)
{
	handled++;
	(void)rdi;
	(void)rsi;
	(void)rdx;
	/* Registers pass through: the first time as they came in, later as this function left them. */
	if (r != &run || rsp == 0 || (handled == 1 && (r8 != 5 || r9 != 6)))
		handled = -1000;
	return again-- > 0 ? ENCLU_EENTER : again;
}

static int enter(unsigned leaf)
{
	return dev_signal_enter(1, 2, 3, leaf, 5, 6, &run);
}

static void test_signal_enter(void)
{
	uint32_t a, b = 0, c, d;

	ok(!dev_signal_enter_start(NULL) && !dev_signal_enter_start(NULL), "handlers, once");
	is_int(enter(ENCLU_EEXIT), -EINVAL, "EEXIT is not a way in");
	is_int(enter(1), -EINVAL, "nor EGETKEY");
	run.reserved[215] = 1;
	is_int(enter(ENCLU_EENTER), -EINVAL, "reserved bytes");
	run.reserved[215] = 0;
	__get_cpuid_count(7, 0, &a, &b, &c, &d);
	if (b & 1u << 2) {
		skip("this CPU has SGX: ENCLU would mean something");
		return;
	}
	is_int(enter(ENCLU_EENTER), 0, "EENTER comes back");
	is_int(run.function, ENCLU_EENTER, "it faulted itself");
	is_int(run.exception_vector, VEC_UD, "with #UD");
	is_int(enter(ENCLU_ERESUME), 0, "ERESUME too");
	is_int(run.function, ENCLU_ERESUME, "and says so");
	run.user_handler = (uint64_t)(uintptr_t)handler;
	is_int(enter(ENCLU_EENTER), -1, "a handler's negative value is returned");
	is_int(handled, 1, "it was called once");
	again = 3;
	handled = 0;
	is_int(enter(ENCLU_EENTER), -1, "a positive one enters again");
	is_int(handled, 4, "three times");
}

/* ---- other faults are their owner's ---- */

static volatile sig_atomic_t mine;
static void on_fpe(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)context;
	mine += si->si_code <= 0 ? 1 : 100;
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO };

	sigaction(SIGFPE, &sa, NULL);
	test_kinds();
	test_auto();
	test_reserve();
	test_vdso();
	test_signal_enter();
	raise(SIGFPE);
	is_int(mine, 1, "the handler that was there before still gets its signals");
	return tap_done();
}
