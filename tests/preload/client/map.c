/* What may be mapped of an enclave, and what is seen there from outside. */
#include "client.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)
#define RWX (RW | PROT_EXEC)

static int map(const struct encl *e, uint64_t offset, uint64_t length, int prot, int flags)
{
	void *at = (void *)(e->base + offset);
	void *p = mmap(at, length, prot, flags | MAP_FIXED, e->fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	return p == at ? 0 : -EPROTO;
}

static int protect(const struct encl *e, uint64_t offset, uint64_t length, int prot)
{
	return mprotect((void *)(e->base + offset), length, prot) ? -errno : 0;
}

static void test_before_init(void)
{
	struct encl e;
	void *p;
	int fd = sgx_open();

	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	ok(p != MAP_FAILED, "an enclave that is not created yet can be mapped");
	munmap(p, PAGE);
	p = mmap(NULL, PAGE, PROT_EXEC, MAP_SHARED, fd, 0);
	ok(p != MAP_FAILED, "executable, too: the device is on no noexec file system");
	munmap(p, PAGE);
	close(fd);
	encl_build(&e, "plain");
	is_int(map(&e, KIT_RODATA, PAGE, RW, MAP_SHARED), -EACCES, "before INIT: no more than SECINFO says");
	is_int(map(&e, KIT_RODATA, PAGE, PROT_READ, MAP_SHARED), 0, "before INIT: what it says");
	p = mmap(NULL, PAGE, RWX, MAP_SHARED, e.fd, 0);
	ok(p != MAP_FAILED, "before INIT: outside ELRANGE");
	munmap(p, PAGE);
	is_int(sgx_init(e.fd, e.blob->sigstruct), 0, "INIT with mappings");
	encl_map(&e);
	enter = vdso_by_hash();
	is_int(call(&e, 0, KIT_ADD, 40, 2).rdi, 42, "and it runs");
	encl_free(&e);
}

static void test_rules(const struct encl *e)
{
	const int shared = MAP_SHARED;
	void *p;

	is_int(map(e, KIT_DATA, PAGE, RW, MAP_PRIVATE), -EINVAL, "MAP_PRIVATE");
	is_int(map(e, KIT_CODE, PAGE, RX, shared), 0, "code: R X");
	is_int(map(e, KIT_CODE, PAGE, RWX, shared), -EACCES, "code: not W");
	is_int(map(e, KIT_DATA, PAGE, RW, shared), 0, "data: R W");
	is_int(map(e, KIT_DATA, PAGE, RX, shared), -EACCES, "data: not X");
	is_int(map(e, KIT_DATA, PAGE, PROT_READ, shared), 0, "data: less than it may");
	is_int(map(e, KIT_DATA, PAGE, PROT_NONE, shared), 0, "data: nothing");
	is_int(map(e, KIT_RODATA, PAGE, PROT_WRITE, shared), -EACCES, "read-only: not W alone");
	is_int(map(e, KIT_RWX, PAGE, RWX, shared), 0, "one with all permissions");
	is_int(map(e, KIT_TCS, PAGE, RW, shared), 0, "a TCS: R W");
	is_int(map(e, KIT_TCS, PAGE, RX, shared), -EACCES, "a TCS: not X");
	is_int(map(e, KIT_CODE, 2 * PAGE, PROT_READ, shared), 0, "two pages: what both have");
	is_int(map(e, KIT_CODE, 2 * PAGE, RX, shared), -EACCES, "two pages: not what only one has");
	is_int(map(e, KIT_CODE, e->size, PROT_NONE, shared), 0, "all of ELRANGE without access");
	is_int(map(e, KIT_CODE, e->size, PROT_READ, shared), 0, "readable: all pages are");
	is_int(map(e, KIT_CODE, e->size, RW, shared), -EACCES, "writable: not all are");
	is_int(map(e, KIT_ABSENT, 4 * PAGE, RWX, shared), 0, "where no pages are: everything");
	is_int(map(e, KIT_TCS - 4 * PAGE, 5 * PAGE, RWX, shared), -EACCES, "unless the last has less");
	is_int(map(e, -PAGE, 2 * PAGE, PROT_READ, shared), -EACCES, "below ELRANGE");
	is_int(map(e, e->size - PAGE, 2 * PAGE, PROT_READ, shared), -EACCES, "above ELRANGE");
	is_int(map(e, e->size, PAGE, PROT_NONE, shared), -EACCES, "beside ELRANGE, without access even");
	p = mmap(NULL, PAGE, PROT_READ, shared, e->fd, 0);
	ok(p == MAP_FAILED && errno == EACCES, "anywhere else");
	p = mmap((void *)(e->base + KIT_RODATA), PAGE, PROT_READ, shared | MAP_FIXED, e->fd, 0x7000);
	ok(p == (void *)(e->base + KIT_RODATA), "the offset is ignored");
	encl_map(e);
	is_int(peek(e, 0, KIT_RODATA), 0x5ead0417, "the address selects the page");
}

static void test_mprotect(const struct encl *e)
{
	is_int(protect(e, KIT_DATA, PAGE, PROT_READ), 0, "mprotect: less");
	is_int(protect(e, KIT_DATA, PAGE, RW), 0, "mprotect: all that it may");
	is_int(protect(e, KIT_DATA, PAGE, RWX), -EACCES, "mprotect: more");
	is_int(protect(e, KIT_RODATA, PAGE, RW), -EACCES, "mprotect: a read-only page");
	is_int(protect(e, KIT_TCS, PAGE, RX), -EACCES, "mprotect: a TCS");
	is_int(protect(e, KIT_CODE, 2 * PAGE, RX), -EACCES, "mprotect: two pages, one has less");
	is_int(call(e, 0, KIT_ADD, 1, 2).rdi, 3, "the enclave runs still");
	is_int(protect(e, 8, PAGE, PROT_READ), -EINVAL, "mprotect: an address in the middle of a page");
	is_int(protect(e, KIT_CODE, 0, PROT_READ), 0, "mprotect: nothing");
}

/* What the page tables forbid is a plain #PF; what the EPCM forbids has the SGX bit. */
static void test_faults(const struct encl *e)
{
	const uint64_t data = e->base + KIT_DATA, ro = e->base + KIT_RODATA;
	struct answer a;

	protect(e, KIT_DATA, PAGE, PROT_READ);
	a = call(e, 1, KIT_WRITE, data, 7);
	is_fault(a, 14, 7, data, "a write where the page tables say R: 7");
	is_int(a.run.function, ERESUME, "after an AEX, function is ERESUME");
	protect(e, KIT_DATA, PAGE, RW);
	a = resume(e, 1);
	ok(a.ret == 0 && a.run.function == EEXIT, "resumed after mprotect");
	is_int(peek(e, 1, KIT_DATA), 7, "the write has happened");
	munmap((void *)data, PAGE);
	is_fault(call(e, 1, KIT_READ, data, 0), 14, 4, data, "a read where nothing is mapped: 4");
	is_fault(call(e, 2, KIT_WRITE, data, 0), 14, 6, data, "a write there: 6");
	is_fault(call(e, 3, KIT_JUMP, data, 0), 14, 0x14, data, "a jump there: 14h");
	map(e, KIT_DATA, PAGE, RW, MAP_SHARED);
	ok(resume(e, 1).run.function == EEXIT && resume(e, 2).run.function == EEXIT, "mapped again, resumed");
	is_int(peek(e, 1, KIT_DATA), 0, "what was there before is there still, and the write");
	/* The EPCM of a TCS permits nothing, though its mapping does. */
	is_fault(call(e, 1, KIT_READ, tcs_at(e, 7), 0), 14, 0x8005, tcs_at(e, 7), "a read of a TCS: 8005h");
	is_fault(call(e, 2, KIT_WRITE, ro + 8, 0), 14, 7, ro, "a write to a read-only page, mapped so: 7");
}

/* ---- from outside ---- */

static sigjmp_buf out;
static volatile int outside_code;

static void on_fault(int sig, siginfo_t *si, void *context)
{
	(void)context;
	outside_code = sig * 1000 + si->si_code;
	siglongjmp(out, 1);
}

static int outside_read(uint64_t at, uint64_t *value)
{
	if (sigsetjmp(out, 1))
		return outside_code;
	*value = *(volatile uint64_t *)at;
	return 0;
}

static int outside_write(uint64_t at, uint64_t value)
{
	if (sigsetjmp(out, 1))
		return outside_code;
	*(volatile uint64_t *)at = value;
	return 0;
}

/*
 * On hardware all ones are read (the abort page) and writes are dropped. Where
 * that cannot be had, the access must fault; the contents must never be seen.
 */
static void test_outside(const struct encl *e)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO }, old[2];
	uint64_t value = 0;
	int r;

	poke(e, 0, KIT_DATA, 0x123456789);
	sigaction(SIGSEGV, &sa, &old[0]);
	sigaction(SIGBUS, &sa, &old[1]);
	r = outside_read(e->base + KIT_DATA, &value);
	if (r || value == UINT64_MAX)
		ok(true, "a read from outside: %s", r ? "faults" : "all ones");
	else
		printf("# a read from outside sees what is there: user space cannot prevent it\n");
	r = outside_write(e->base + KIT_DATA, 55);
	if (!r && peek(e, 0, KIT_DATA) != 0x123456789)
		printf("# a write from outside is not dropped: user space cannot prevent it\n");
	r = outside_read(e->base + KIT_ABSENT, &value);
	ok(r || value == UINT64_MAX || value == 0, "where no page is: %s", r ? "faults" : "no content");
	sigaction(SIGSEGV, &old[0], NULL);
	sigaction(SIGBUS, &old[1], NULL);
}

/* The enclave lives as long as a mapping or a descriptor does. */
static void test_lifetime(void)
{
	struct encl e;
	int again;

	encl_make(&e, "plain");
	again = dup(e.fd);
	close(e.fd);
	is_int(call(&e, 0, KIT_ADD, 1, 2).rdi, 3, "after close of the first descriptor");
	close(again);
	is_int(call(&e, 0, KIT_ADD, 3, 4).rdi, 7, "after close of the last");
	poke(&e, 0, KIT_DATA, 9);
	is_int(peek(&e, 1, KIT_DATA), 9, "with memory that is its own");
	is_int(protect(&e, KIT_DATA, PAGE, RWX), -EACCES, "and mprotect still asks");
	munmap((void *)e.base, e.size);
	/* The address is free for something else, which is not an enclave's. */
	is_int((uintptr_t)mmap((void *)e.base, PAGE, RWX, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
	       e.base, "after munmap the addresses are free");
	*(volatile char *)e.base = 1;
	is_int(mprotect((void *)e.base, PAGE, RWX), 0, "for other uses, with their own rules");
	munmap((void *)e.base, PAGE);
	encl_make(&e, "plain");
	is_int(call(&e, 0, KIT_ADD, 5, 6).rdi, 11, "another enclave afterwards");
	mmap((void *)e.base, e.size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	memset((void *)e.base, 1, e.size);
	ok(true, "something mapped over an enclave is what it is");
	ok(call(&e, 0, KIT_ADD, 5, 6).run.function == EENTER, "and entering there faults on EENTER");
	encl_free(&e);
}

int main(void)
{
	struct encl e;

	test_before_init();
	encl_make(&e, "plain");
	test_rules(&e);
	test_mprotect(&e);
	test_faults(&e);
	test_outside(&e);
	encl_free(&e);
	test_lifetime();
	return tap_done();
}
