/*
 * The in-kernel driver's backend against a driver played by this test, by the
 * rules of asm/sgx.h: which requests it makes, with what in them, and what it
 * makes of the answers. The linker leads its system calls here (tests.mk).
 */
#include "dev/internal.h"
#include "tests/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#define DRIVER 700    /* descriptors that no file has */
#define PROVISION 701
#define SIZE UINT64_C(0x40000)

struct add {
	uint64_t src, offset, length, secinfo, flags, count;
};
struct modify {
	uint64_t offset, length, what, result, count;
};

/* What the driver has seen, and how it answers next. */
static struct {
	uint64_t base, added, measured, first_words, removed, modified, what;
	unsigned calls, maps, noise;
	bool absent, denied, created, provisioned, initialised;
	int fail;          /* errno of the next request, once `after` requests have passed */
	unsigned after;
	uint64_t result;   /* of EMODPR and EMODT */
	uint64_t at_most;  /* bytes that one request gets done; 0: all */
	int last_prot;
} drv;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
void *__real_mmap(void *p, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *p, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mmap64(void *p, size_t n, int prot, int flags, int fd, off_t off);
isa_enter_fn __wrap_dev_vdso_enter(void);

static int no_entry(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned int leaf,
		    unsigned long r8, unsigned long r9, struct isa_run *run)
{
	(void)rdi;
	(void)rsi;
	(void)rdx;
	(void)leaf;
	(void)r8;
	(void)r9;
	(void)run;
	return 0;
}

isa_enter_fn __wrap_dev_vdso_enter(void)
{
	return no_entry;
}

int __wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	if (!strncmp(path, "/dev/sgx", 8) || !strcmp(path, "/dev/isgx")) {
		errno = drv.denied ? EACCES : ENOENT;
		if (drv.denied || drv.absent)
			return -1;
		if (!strcmp(path, "/dev/sgx_enclave"))
			return DRIVER;
		return strcmp(path, "/dev/sgx_provision") ? -1 : PROVISION;
	}
	va_start(ap, flags);
	mode = va_arg(ap, int);
	va_end(ap);
	return __real_open(path, flags, mode);
}

int __wrap_open64(const char *path, int flags, ...)
{
	return __wrap_open(path, flags, 0);
}

void *__wrap_mmap(void *p, size_t n, int prot, int flags, int fd, off_t off)
{
	if (fd != DRIVER)
		return __real_mmap(p, n, prot, flags, fd, off);
	if (!(flags & MAP_SHARED)) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	drv.maps++;
	drv.last_prot = prot;
	return p;
}

void *__wrap_mmap64(void *p, size_t n, int prot, int flags, int fd, off_t off)
{
	return __wrap_mmap(p, n, prot, flags, fd, off);
}

static int failing(int err)
{
	errno = err;
	return -1;
}

static int create(const uint64_t *src)
{
	const struct isa_secs *secs = (const void *)(uintptr_t)*src;

	if (drv.created || secs->baseaddr % secs->size)
		return failing(EINVAL);
	drv.base = secs->baseaddr;
	drv.created = true;
	return 0;
}

static uint64_t part(uint64_t length)
{
	return drv.at_most && drv.at_most < length ? drv.at_most : length;
}

static int add_pages(struct add *a)
{
	const struct isa_secinfo *si = (const void *)(uintptr_t)a->secinfo;

	if (!drv.created || drv.initialised || a->count || a->secinfo % 64 || a->src % ISA_PAGE ||
	    !a->length || !ct_is_zero(si->reserved, sizeof(si->reserved)))
		return failing(EINVAL);
	a->count = part(a->length);
	for (uint64_t i = 0; i < a->count; i += ISA_PAGE)
		drv.first_words += get_le32((const uint8_t *)(uintptr_t)(a->src + i)) +
				   (a->offset + i) / ISA_PAGE * 1000;
	drv.added += a->count;
	if (a->flags)
		drv.measured += a->count;
	return a->count < a->length ? failing(EINTR) : 0;
}

static int modify(struct modify *m)
{
	if (!drv.initialised || m->result || m->count)
		return failing(EINVAL);
	if (drv.result) {
		m->result = drv.result;
		return failing(EFAULT);
	}
	m->count = part(m->length);
	drv.modified += m->count;
	drv.what = m->what;
	return m->count < m->length ? failing(EAGAIN) : 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *p;

	va_start(ap, request);
	p = va_arg(ap, void *);
	va_end(ap);
	drv.calls++;
	if (fd != DRIVER)
		return failing(EBADF);
	if (drv.noise && drv.noise--)
		return failing(request == 0x4008a402 ? EINTR : EAGAIN);
	if (drv.fail && drv.after-- == 0)
		return failing(drv.fail);
	switch (request) {
	case 0x4008a400:
		return create(p);
	case 0xc030a401:
		return add_pages(p);
	case 0x4008a402:
		drv.initialised = true;
		return 0;
	case 0x4008a403:
		drv.provisioned = *(uint64_t *)p == PROVISION;
		return drv.provisioned ? 0 : failing(EINVAL);
	case 0xc028a405:
	case 0xc028a406:
		return modify(p);
	case 0xc018a407: {
		struct {
			uint64_t offset, length, count;
		} *r = p;

		r->count = part(r->length);
		drv.removed += r->count;
		return r->count < r->length ? failing(EBUSY) : 0;
	}
	}
	return failing(ENOTTY);
}

/* ---- */

static uint8_t pages[8 * ISA_PAGE] __attribute__((aligned(ISA_PAGE)));
static struct isa_sigstruct sig;
static struct bawn_error err;

static struct dev *device(void)
{
	struct dev *d;
	struct isa_secs secs = { .size = SIZE };

	memset(&drv, 0, sizeof(drv));
	err = (struct bawn_error){ 0 };
	if (dev_open(&d, DEV_KERNEL, NULL, &err) || d->ops->create(d, &secs, &err))
		return NULL;
	return d;
}

static void test_building(void)
{
	struct dev *d = device();

	ok(d && !d->emulated && drv.base == d->base && d->base % SIZE == 0, "ECREATE %s", err.msg);
	for (unsigned i = 0; i < 8; i++)
		put_le32(pages + i * ISA_PAGE, i + 1);
	ok(!d->ops->add_pages(d, 0, 4 * ISA_PAGE, pages, false, SECINFO_R | SECINFO_X | 0x200, true,
			      &err),
	   "EADD of four pages, measured");
	is_int(drv.added, 4 * ISA_PAGE, "all of them");
	is_int(drv.measured, 4 * ISA_PAGE, "all measured");
	is_int(drv.first_words, 1 + 2 + 3 + 4 + 6000, "each where it belongs");
	drv.first_words = 0;
	ok(!d->ops->add_pages(d, 4 * ISA_PAGE, 4 * ISA_PAGE, pages, true, SECINFO_R | SECINFO_W | 0x200,
			      false, &err),
	   "one page four times, not measured");
	is_int(drv.first_words, 4 + 22000, "the same page, four places");
	is_int(drv.measured, 4 * ISA_PAGE, "none measured");
	drv.at_most = ISA_PAGE;
	drv.first_words = 0;
	ok(!d->ops->add_pages(d, 8 * ISA_PAGE, 3 * ISA_PAGE, pages + ISA_PAGE, false, 0x100, true, &err),
	   "signals come in between");
	is_int(drv.first_words, 2 + 3 + 4 + 27000, "it goes on where it stopped");
	ok(!d->ops->allow_provision(d, &err) && drv.provisioned, "the provision device is passed");
	drv.noise = 3;
	ok(!d->ops->init(d, &sig, NULL, &err) && drv.initialised, "EINIT, after three interruptions");
	is_int(drv.maps, 2, "two ranges mapped: a TCS is like its writable neighbours");
	is_int(drv.last_prot, PROT_READ | PROT_WRITE, "a TCS read-write");

	ok(!d->ops->map(d, 0x20000, 0x1000, PROT_READ, &err) && drv.last_prot == PROT_READ, "mapped");
	drv.at_most = 2 * ISA_PAGE;
	ok(!d->ops->restrict_pages(d, 0x1000, 5 * ISA_PAGE, SECINFO_R, &err), "EMODPR in parts");
	is_int(drv.modified, 5 * ISA_PAGE, "all of it");
	is_int(drv.what, 1, "to what was asked");
	drv.noise = 5;
	ok(!d->ops->modify_type(d, 0x1000, ISA_PAGE, PT_TRIM, &err) && drv.what == 4, "EMODT");
	ok(!d->ops->remove_pages(d, 0x1000, 3 * ISA_PAGE, &err), "EREMOVE in parts");
	is_int(drv.removed, 3 * ISA_PAGE, "all of it");
	drv.result = ISA_PAGE_NOT_MODIFIABLE;
	ok(d->ops->modify_type(d, 0x1000, ISA_PAGE, PT_TCS, &err) == BAWN_ERR_SGX &&
		   err.sgx_status == ISA_PAGE_NOT_MODIFIABLE,
	   "a leaf's status: %s", err.msg);
	dev_free(&d);
	ok(!d, "freed");
}

/* The errno of one request, and what is made of it. */
static void request_fails(int err_no, int step, int code, const char *what)
{
	struct dev *d = device();
	int r = 0;

	drv.fail = err_no;
	switch (step) {
	case 0:
		r = d->ops->add_pages(d, 0, ISA_PAGE, pages, false, 0x203, true, &err);
		break;
	case 1:
		r = d->ops->init(d, &sig, NULL, &err);
		break;
	case 2:
		r = d->ops->restrict_pages(d, 0, ISA_PAGE, SECINFO_R, &err);
		break;
	case 3:
		r = d->ops->remove_pages(d, 0, ISA_PAGE, &err);
		break;
	}
	ok(r == code && err.code == (enum bawn_code)code, "%s: %s", what, err.msg);
	dev_free(&d);
}

static void test_errors(void)
{
	struct dev *d;

	request_fails(EACCES, 0, BAWN_ERR_DENIED, "a file on noexec");
	request_fails(EBUSY, 0, BAWN_ERR_FORMAT, "a page twice");
	request_fails(EINVAL, 0, BAWN_ERR_FORMAT, "a bad page");
	request_fails(ENOMEM, 0, BAWN_ERR_MEMORY, "no EPC");
	request_fails(EIO, 0, BAWN_ERR_SYSTEM, "EADD faulted");
	request_fails(EACCES, 1, BAWN_ERR_DENIED, "an attribute not granted");
	request_fails(EPERM, 1, BAWN_ERR_SGX, "EINIT said no");
	is_int(err.sys_errno, EPERM, "and why is not told");
	request_fails(EINVAL, 1, BAWN_ERR_FORMAT, "a bad SIGSTRUCT");
	request_fails(ENODEV, 2, BAWN_ERR_UNSUPPORTED, "no SGX2");
	request_fails(ENOTTY, 3, BAWN_ERR_UNSUPPORTED, "an older driver");
	request_fails(EPERM, 3, BAWN_ERR_SYSTEM, "not trimmed");

	memset(&drv, 0, sizeof(drv));
	drv.denied = true;
	err = (struct bawn_error){ 0 };
	is_int(dev_open(&d, DEV_AUTO, NULL, &err), BAWN_ERR_DENIED, "no permission");
	ok(strstr(err.msg, "group"), "%s", err.msg);
	drv.denied = false;
	drv.absent = true;
	err = (struct bawn_error){ 0 };
	is_int(dev_open(&d, DEV_KERNEL, NULL, &err), BAWN_ERR_NO_DEVICE, "no device");
}

int main(void)
{
	test_building();
	test_errors();
	return tap_done();
}
