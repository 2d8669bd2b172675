/* SGX2: the driver's three requests, EAUG on demand, EACCEPT's codes, EPCM faults. */
#include "client.h"

#include <sys/mman.h>
#include <unistd.h>

#define NOWHERE ((void *)0x1000)
#define RW (SI_R | SI_W)
#define GP (-1 - 13) /* of accept_page */
/* Nothing is there at EINIT. */
#define FREE 0x60000u

static int restrict_to(const struct encl *e, uint64_t offset, uint64_t permissions)
{
	struct sgx_modify m;

	return sgx_modify(e->fd, SGX_RESTRICT, &m, offset, PAGE, permissions);
}

static int change_type(const struct encl *e, uint64_t offset, uint64_t type)
{
	struct sgx_modify m;

	return sgx_modify(e->fd, SGX_MODIFY, &m, offset, PAGE, type);
}

static void map_free(const struct encl *e, uint64_t offset, uint64_t length, int prot)
{
	if (mmap((void *)(e->base + offset), length, prot, MAP_SHARED | MAP_FIXED, e->fd, 0) == MAP_FAILED)
		bail("mapping where no pages are");
}

/* What all three refuse, before they look at pages. */
static void test_refusals(const struct encl *e)
{
	static const struct {
		unsigned long request;
		const char *name;
	} all[] = { { SGX_RESTRICT, "RESTRICT" }, { SGX_MODIFY, "MODIFY" }, { SGX_REMOVE, "REMOVE" } };
	struct encl raw;
	char name[80];

	encl_build(&raw, "plain");
	for (size_t i = 0; i < COUNT(all); i++) {
		const unsigned long rq = all[i].request;
		struct sgx_modify m;
#define REFUSED(fd, r, what, ...)                                                                  \
	m = (struct sgx_modify)__VA_ARGS__;                                                        \
	snprintf(name, sizeof(name), "%s: %s", all[i].name, what);                                 \
	is_int(sgx_ioctl(fd, rq, &m), r, name)
		const uint64_t what = rq == SGX_RESTRICT ? SI_R : rq == SGX_MODIFY ? 4 : 0;

		REFUSED(raw.fd, -EINVAL, "before INIT", { KIT_DATA, PAGE, what, 0, 0 });
		snprintf(name, sizeof(name), "%s: no argument", all[i].name);
		is_int(sgx_ioctl(e->fd, rq, NOWHERE), -EFAULT, name);
		REFUSED(e->fd, -EINVAL, "an offset in the middle of a page", { 8, PAGE, what, 0, 0 });
		REFUSED(e->fd, -EINVAL, "part of a page", { KIT_DATA, 8, what, 0, 0 });
		REFUSED(e->fd, -EINVAL, "nothing", { KIT_DATA, 0, what, 0, 0 });
		REFUSED(e->fd, -EINVAL, "behind ELRANGE", { e->size, PAGE, what, 0, 0 });
		REFUSED(e->fd, -EINVAL, "around zero", { -PAGE, 2 * PAGE, what, 0, 0 });
		if (rq == SGX_REMOVE) {
			REFUSED(e->fd, -EINVAL, "a count to begin with", { KIT_DATA, PAGE, 1, 0, 0 });
		} else {
			REFUSED(e->fd, -EINVAL, "a count to begin with", { KIT_DATA, PAGE, what, 0, 1 });
			REFUSED(e->fd, -EINVAL, "a result to begin with", { KIT_DATA, PAGE, what, 1, 0 });
		}
		REFUSED(e->fd, -EFAULT, "no page there", { FREE, PAGE, what, 0, 0 });
		if (rq != SGX_REMOVE)
			is_int(m.count, 0, "and nothing done");
	}
	is_int(restrict_to(e, KIT_DATA, SI_W), -EINVAL, "RESTRICT: W without R");
	is_int(restrict_to(e, KIT_DATA, SI_R | SI_REG), -EINVAL, "RESTRICT: more than permissions");
	is_int(restrict_to(e, KIT_TCS, SI_R), -EINVAL, "RESTRICT: a TCS");
	is_int(change_type(e, KIT_DATA, 2), -EINVAL, "MODIFY: to a regular page");
	is_int(change_type(e, KIT_DATA, 0), -EINVAL, "MODIFY: to a SECS");
	is_int(change_type(e, KIT_DATA, 0x104), -EINVAL, "MODIFY: to more than a type");
	is_int(change_type(e, KIT_TCS, 1), -EINVAL, "MODIFY: a TCS to a TCS");
	is_int(change_type(e, KIT_RODATA, 1), -EPERM, "MODIFY: a page that never may be written, to a TCS");
	is_int(change_type(e, KIT_CODE, 1), -EPERM, "MODIFY: code, to a TCS");
	encl_free(&raw);
}

static void test_permissions(const struct encl *e)
{
	const uint64_t at = e->base + KIT_RWX;
	struct sgx_modify m;
	struct answer a;

	poke(e, 0, KIT_RWX, 0xabc);
	is_int(sgx_modify(e->fd, SGX_RESTRICT, &m, KIT_RWX, PAGE, SI_R), 0, "RESTRICT to R");
	ok(m.result == 0 && m.count == PAGE, "counted, no result");
	is_int(sgx_modify(e->fd, SGX_RESTRICT, &m, KIT_RWX, PAGE, SI_R), 0, "again, before it is accepted");
	is_int(accept_page(e, 0, KIT_RWX, SI_REG | RW | SI_PR), 19, "EACCEPT of other permissions: 19");
	is_int(accept_page(e, 3, KIT_RWX, SI_REG | SI_R | SI_MODIFIED), GP, "EACCEPT of a change that there is not: #GP");
	is_int(accept_page(e, 4, KIT_RWX, SI_REG | SI_R), GP, "EACCEPT of no change: #GP");
	is_int(accept_page(e, 0, KIT_RWX, SI_TRIM | SI_MODIFIED), 19, "EACCEPT of another type: 19");
	is_int(accept_page(e, 0, KIT_RWX, SI_REG | SI_R | SI_PR), 0, "EACCEPT");
	is_int(accept_page(e, 0, KIT_RWX, SI_REG | SI_R | SI_PR), 0, "EACCEPT once more: PR is not compared");
	is_int(peek(e, 0, KIT_RWX), 0xabc, "it can be read");
	a = call(e, 1, KIT_WRITE, at, 5);
	is_fault(a, 14, 0x8007, at, "a write: 8007h");
	is_fault(call(e, 2, KIT_JUMP, at, 0), 14, 0x8015, at, "a jump: 8015h");
	is_int(extend_page(e, 0, KIT_RWX, RW), 0, "EMODPE to R W, by another thread");
	a = resume(e, 1);
	ok(a.run.function == EEXIT && a.exceptions == 0, "the write goes on");
	is_int(peek(e, 0, KIT_RWX), 5, "and has written");
	is_int(sgx_modify(e->fd, SGX_RESTRICT, &m, KIT_DATA, 3 * PAGE, SI_R | SI_W | SI_X), 0,
	       "RESTRICT to more than a page has takes nothing away");
	is_int(m.count, 3 * PAGE, "of three pages");
	for (unsigned i = 0; i < 3; i++)
		accept_page(e, 0, KIT_DATA + i * PAGE,
			    SI_REG | SI_PR | (i == 1 ? SI_R : RW));
	poke(e, 0, KIT_DATA, 1);
	is_int(sgx_modify(e->fd, SGX_RESTRICT, &m, KIT_RWX, 3 * PAGE, SI_R), -EFAULT, "RESTRICT up to where no page is");
	is_int(m.count, PAGE, "one was done");
	accept_page(e, 0, KIT_RWX, SI_REG | SI_R | SI_PR);
}

static void test_types(const struct encl *e)
{
	struct sgx_modify m;
	struct sgx_remove r;
	const uint64_t data = KIT_TCS + 6 * KIT_STRIDE + 0x6000; /* nothing there */
	const uint64_t at = e->base + data;

	map_free(e, data, PAGE, PROT_READ | PROT_WRITE);
	is_int(accept_page(e, 0, data, SI_REG | RW | SI_PENDING), 0, "EACCEPT where no page is: EAUGed at once");
	poke(e, 0, data, 0x77);
	is_int(sgx_modify(e->fd, SGX_REMOVE, &m, data, PAGE, 0), -EPERM, "REMOVE: not trimmed");
	is_int(sgx_modify(e->fd, SGX_MODIFY, &m, data, PAGE, 4), 0, "MODIFY to TRIM");
	is_int(m.count, PAGE, "counted");
	is_int(sgx_remove(e->fd, &r, data, PAGE), -EPERM, "REMOVE: not accepted");
	is_int(r.count, 0, "nothing done");
	is_int(sgx_modify(e->fd, SGX_RESTRICT, &m, data, PAGE, SI_R), -EINVAL, "RESTRICT: a trimmed page");
	is_int(change_type(e, data, 1), -EINVAL, "MODIFY: a trimmed page to a TCS");
	is_fault(call(e, 1, KIT_READ, at, 0), 14, 0x8005, at, "a read of it: 8005h");
	is_int(accept_page(e, 3, data, SI_REG | RW | SI_PR), 19, "EACCEPT as another type: 19");
	is_int(accept_page(e, 0, data, SI_TRIM | SI_MODIFIED), 0, "EACCEPT");
	is_fault(call(e, 2, KIT_WRITE, at, 0), 14, 0x8007, at, "a write: 8007h still");
	is_int(sgx_remove(e->fd, &r, data, PAGE), 0, "REMOVE");
	is_int(r.count, PAGE, "counted");
	is_int(sgx_remove(e->fd, &r, data, PAGE), -EFAULT, "REMOVE: it is gone");
	is_int(accept_page(e, 0, data, SI_REG | RW | SI_PENDING), 0, "EAUGed again");
	is_int(peek(e, 0, data), 0, "and empty");
}

/* EAUG by a fault: PENDING until accepted. */
static void test_augment(const struct encl *e)
{
	const uint64_t at = e->base + FREE;
	struct sgx_modify m;
	struct answer a;

	map_free(e, FREE, 4 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	a = call(e, 1, KIT_WRITE, at, 0x55);
	is_fault(a, 14, 0x8007, at, "a write where no page is: EAUG, then 8007h");
	is_int(sgx_modify(e->fd, SGX_RESTRICT, &m, FREE, PAGE, SI_R), -EFAULT, "RESTRICT: a pending page");
	is_int(m.result, 20, "PAGE_NOT_MODIFIABLE");
	is_int(m.count, 0, "nothing done");
	is_int(sgx_modify(e->fd, SGX_MODIFY, &m, FREE, PAGE, 1), -EFAULT, "MODIFY to TCS: a pending page");
	is_int(m.result, 20, "PAGE_NOT_MODIFIABLE");
	is_int(accept_page(e, 0, FREE, SI_REG | SI_R | SI_PENDING), 19, "EACCEPT of fewer permissions: 19");
	is_int(accept_page(e, 0, FREE, SI_REG | RW | SI_PENDING | SI_X), 19, "EACCEPT of more: 19");
	is_int(accept_page(e, 0, FREE, SI_REG | RW | SI_PENDING), 0, "EACCEPT");
	ok(resume(e, 1).run.function == EEXIT, "the write goes on");
	is_int(peek(e, 0, FREE), 0x55, "and has written");
	is_fault(call(e, 1, KIT_READ, at + PAGE, 0), 14, 0x8005, at + PAGE, "a read: 8005h");
	is_fault(call(e, 2, KIT_JUMP, at, 0), 14, 0x8015, at, "a jump into the accepted page: 8015h");
	is_int(extend_page(e, 0, FREE, RW | SI_X), 0, "EMODPE to R W X");
	is_int(accept_page(e, 0, FREE + PAGE, SI_REG | RW | SI_PENDING), 0, "EACCEPT of the page that was read");
	is_int(sgx_modify(e->fd, SGX_MODIFY, &m, FREE, 2 * PAGE, 4), 0, "both trimmed");
	is_int(accept_page(e, 0, FREE, SI_TRIM | SI_MODIFIED), 0, "accepted");
	is_int(sgx_modify(e->fd, SGX_REMOVE, &m, FREE, 2 * PAGE, 0), -EPERM, "REMOVE: the second is not accepted");
	is_int(m.what, PAGE, "the first is gone");
}

/* A copy inside the enclave of what a new page shall hold. */
static void test_acceptcopy(const struct encl *e)
{
	const uint64_t new = e->base + FREE + 2 * PAGE, si = KIT_DATA + 1024;
	const struct sgx_secinfo info = { .flags = SI_REG | RW | SI_X };
	struct answer a;

	poke_all(e, 0, si, &info, sizeof(info));
	a = call_enclu(e, 0, EACCEPTCOPY, e->base + si, new, e->base + KIT_RODATA);
	ok(a.exceptions == 0 && a.rdi == 0, "EACCEPTCOPY where no page is");
	is_int(peek(e, 0, FREE + 2 * PAGE), 0x5ead0417, "the copy");
	a = call_enclu(e, 0, EACCEPTCOPY, e->base + si, new, e->base + KIT_RODATA);
	is_int(a.rdi, 19, "EACCEPTCOPY of a page that is not pending: 19");
	a = call_enclu(e, 1, EACCEPT, e->base + si + 8, new, 0);
	is_fault(a, 13, 0, 0, "EACCEPT: a SECINFO that is not aligned: #GP");
	a = call_enclu(e, 2, EACCEPT, 0x10000, new, 0);
	ok(a.exceptions == 1 && (a.first.vector == 13 || a.first.vector == 14), "EACCEPT: a SECINFO outside faults");
	a = call_enclu(e, 1, EACCEPT, e->base + si, e->base + e->size, 0);
	ok(a.exceptions == 1, "EACCEPT: a page outside faults");
}

/* A TCS made of new pages runs, and goes again. */
static void test_dynamic_tcs(void)
{
	const uint64_t tcs = 0x58000; /* where TCS 9 would be: TCS, SSA, and the last is its thread page */
	struct sgx_modify m;
	struct sgx_remove r;
	struct answer a;
	struct encl e;
	uint64_t words[9] = { 0 };

	encl_make(&e, "plain");
	map_free(&e, tcs, 8 * PAGE, PROT_READ | PROT_WRITE);
	words[2] = tcs + PAGE;          /* OSSA */
	words[3] = UINT64_C(1) << 32;   /* CSSA, NSSA */
	words[4] = KIT_CODE;            /* OENTRY */
	words[6] = words[7] = tcs + 7 * PAGE;
	words[8] = 0xfff00000fff;
	for (unsigned i = 0; i < 8; i++)
		if (i < 2 || i == 7)
			is_int(accept_page(&e, 0, tcs + i * PAGE, SI_REG | RW | SI_PENDING), 0, "a new page");
	poke_all(&e, 0, tcs, words, sizeof(words));
	is_int(sgx_modify(e.fd, SGX_MODIFY, &m, tcs, PAGE, 1), 0, "MODIFY to TCS");
	a = call(&e, 9, KIT_ADD, 1, 2);
	ok(a.run.function == EENTER && a.run.vector == 14, "not to be entered before EACCEPT: #PF");
	is_int(accept_page(&e, 0, tcs, SI_TCS | SI_MODIFIED), 0, "EACCEPT");
	is_int(call(&e, 9, KIT_ADD, 40, 2).rdi, 42, "a call on the new TCS");
	is_int(sgx_modify(e.fd, SGX_MODIFY, &m, tcs, PAGE, 4), 0, "MODIFY to TRIM");
	a = call(&e, 9, KIT_ADD, 1, 2);
	ok(a.run.function == EENTER && a.run.vector == 14, "a trimmed one is entered no more");
	is_int(accept_page(&e, 0, tcs, SI_TRIM | SI_MODIFIED), 0, "EACCEPT");
	is_int(sgx_remove(e.fd, &r, tcs, PAGE), 0, "REMOVE");
	is_int(accept_page(&e, 0, tcs, SI_REG | RW | SI_PENDING), 0, "the place is a page again");
	poke(&e, 0, tcs, 3);
	is_int(peek(&e, 0, tcs), 3, "a regular one");
	encl_free(&e);
}

int main(int argc, char **argv)
{
	struct sgx_modify m;
	struct encl e;

	if (argc > 1 && strcmp(argv[1], "sgx1") == 0) {
		/* No EXINFO there, either. */
		encl_build(&e, "sgx1");
		if (sgx_init(e.fd, e.blob->sigstruct))
			bail("INIT");
		encl_map(&e);
		enter = vdso_by_hash();
		is_int(sgx_modify(e.fd, SGX_RESTRICT, &m, KIT_DATA, PAGE, SI_R), -ENODEV, "RESTRICT without SGX2: ENODEV");
		is_int(sgx_modify(e.fd, SGX_MODIFY, &m, KIT_DATA, PAGE, 4), -ENODEV, "MODIFY: ENODEV");
		is_int(sgx_modify(e.fd, SGX_REMOVE, &m, KIT_DATA, PAGE, 0), -ENODEV, "REMOVE: ENODEV");
		is_int(sgx_ioctl(e.fd, SGX_REMOVE, NOWHERE), -ENODEV, "whatever the argument");
		map_free(&e, FREE, PAGE, PROT_READ | PROT_WRITE);
		is_fault(call(&e, 1, KIT_WRITE, e.base + FREE, 1), 14, 6, e.base + FREE, "no page, no EAUG: 6");
		return tap_done();
	}
	encl_make(&e, "plain");
	test_refusals(&e);
	test_permissions(&e);
	encl_free(&e);
	encl_make(&e, "plain");
	test_types(&e);
	encl_free(&e);
	encl_make(&e, "plain");
	test_augment(&e);
	test_acceptcopy(&e);
	encl_free(&e);
	test_dynamic_tcs();
	return tap_done();
}
