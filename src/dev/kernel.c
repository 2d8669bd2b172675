/*
 * The in-kernel driver (Linux 5.11 and later, asm/sgx.h): one descriptor an
 * enclave. Launch control is always flexible: the driver writes the enclave's
 * own signer to the registers, and hides the device where it cannot.
 */
#include "dev/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

struct req_create {
	uint64_t src;
};
struct req_add_pages {
	uint64_t src, offset, length, secinfo, flags, count;
};
struct req_init {
	uint64_t sigstruct;
};
struct req_provision {
	uint64_t fd;
};
struct req_modify { /* RESTRICT_PERMISSIONS and MODIFY_TYPES */
	uint64_t offset, length, what, result, count;
};
struct req_remove {
	uint64_t offset, length, count;
};
#define REQ_CREATE _IOW(0xa4, 0x00, struct req_create)
#define REQ_ADD_PAGES _IOWR(0xa4, 0x01, struct req_add_pages)
#define REQ_INIT _IOW(0xa4, 0x02, struct req_init)
#define REQ_PROVISION _IOW(0xa4, 0x03, struct req_provision)
#define REQ_RESTRICT _IOWR(0xa4, 0x05, struct req_modify)
#define REQ_MODIFY _IOWR(0xa4, 0x06, struct req_modify)
#define REQ_REMOVE _IOWR(0xa4, 0x07, struct req_remove)
_Static_assert(REQ_CREATE == 0x4008a400 && REQ_ADD_PAGES == 0xc030a401 && REQ_INIT == 0x4008a402 &&
		       REQ_PROVISION == 0x4008a403 && REQ_RESTRICT == 0xc028a405 &&
		       REQ_MODIFY == 0xc028a406 && REQ_REMOVE == 0xc018a407,
	       "asm/sgx.h");

#define ADD_MEASURE 1u
#define RETRIES 1000u /* of EBUSY, EAGAIN and EINTR without progress */

/* Worth asking again: another request is under way, the page is being reclaimed, a signal came. */
static bool transient(int err)
{
	return err == EBUSY || err == EAGAIN || err == EINTR;
}

static int kernel_create(struct dev *d, struct isa_secs *secs, struct bawn_error *e)
{
	uint64_t base = secs->baseaddr;
	struct req_create req = { .src = (uint64_t)(uintptr_t)secs };
	int r = d->detached ? 0 : dev_reserve(secs->size, &base, e);

	if (r)
		return r;
	secs->baseaddr = base;
	d->base = base;
	d->size = secs->size;
	if (ioctl(d->fd, REQ_CREATE, &req) == 0)
		return 0;
	if (errno == ENOMEM)
		return err_set(e, BAWN_ERR_MEMORY, "ECREATE: no enclave page cache left");
	if (errno == EINVAL || errno == EIO)
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "ECREATE: size, attributes or frame size that this CPU does not take");
	return err_sys(e, "ECREATE");
}

static int add_error(uint64_t offset, struct bawn_error *e)
{
	unsigned long long at = offset;

	switch (errno) {
	case EACCES:
		return err_set(e, BAWN_ERR_DENIED,
			       "EADD at 0x%llx: the file is on a file system mounted noexec", at);
	case EBUSY:
		return err_set(e, BAWN_ERR_FORMAT, "EADD at 0x%llx: two pages at one address", at);
	case EINVAL:
		return err_set(e, BAWN_ERR_FORMAT, "EADD at 0x%llx: the driver refuses the page", at);
	case ENOMEM:
		return err_set(e, BAWN_ERR_MEMORY, "EADD at 0x%llx: no enclave page cache left", at);
	}
	return err_sys(e, "EADD at 0x%llx", at);
}

/* The pages [offset, offset + length) from src, however often a signal interrupts. */
static int add_span(struct dev *d, uint64_t offset, uint64_t length, const uint8_t *src,
		    const struct isa_secinfo *si, bool measured, struct bawn_error *e)
{
	unsigned tries = 0;

	while (length) {
		struct req_add_pages req = {
			.src = (uint64_t)(uintptr_t)src,
			.offset = offset,
			.length = length,
			.secinfo = (uint64_t)(uintptr_t)si,
			.flags = measured ? ADD_MEASURE : 0,
		};
		int failed = ioctl(d->fd, REQ_ADD_PAGES, &req);

		if (failed && req.count == 0 && (errno != EINTR || ++tries > RETRIES))
			return add_error(offset, e);
		if (req.count > length)
			return err_set(e, BAWN_ERR_SYSTEM, "EADD: the driver added more than asked");
		offset += req.count;
		length -= req.count;
		src += req.count;
	}
	return 0;
}

static int kernel_add_pages(struct dev *d, uint64_t offset, uint64_t length, const void *src,
			    bool repeat, uint64_t secinfo_flags, bool measured,
			    struct bawn_error *e)
{
	/* The driver wants SECINFO aligned to its size. */
	struct isa_secinfo si __attribute__((aligned(64))) = { .flags = secinfo_flags };
	int r = dev_ranges_add(d->priv, offset, length, secinfo_flags, e);

	if (r || !repeat)
		return r ? r : add_span(d, offset, length, src, &si, measured, e);
	for (uint64_t done = 0; done < length && !r; done += ISA_PAGE)
		r = add_span(d, offset + done, ISA_PAGE, src, &si, measured, e);
	return r;
}

static int kernel_init(struct dev *d, const struct isa_sigstruct *s,
		       const struct isa_einittoken *token, struct bawn_error *e)
{
	struct req_init req = { .sigstruct = (uint64_t)(uintptr_t)s };
	unsigned tries = 0;
	int r;

	(void)token; /* the driver passes one of its own making */
	while ((r = ioctl(d->fd, REQ_INIT, &req)) != 0 && transient(errno) && ++tries <= RETRIES)
		;
	if (r == 0)
		return d->detached ? 0 : dev_ranges_map(d->priv, d, e);
	if (errno == EACCES)
		return err_set(e, BAWN_ERR_DENIED, "EINIT: the driver does not grant one of the "
			       "attributes (provisioning needs /dev/sgx_provision)");
	if (errno == EPERM) {
		r = err_sgx(e, 0, "EINIT refused the enclave and the driver does not say why: see "
			    "what `bawn inspect` says of its signature and measurement");
		if (e && !e->sys_errno)
			e->sys_errno = EPERM;
		return r;
	}
	if (errno == EINVAL)
		return err_set(e, BAWN_ERR_FORMAT, "EINIT: the driver refuses the SIGSTRUCT");
	return err_sys(e, "EINIT");
}

static int kernel_map(struct dev *d, uint64_t offset, uint64_t length, int prot,
		      struct bawn_error *e)
{
	void *at = (void *)(uintptr_t)(d->base + offset);

	if (mmap(at, length, prot, MAP_SHARED | MAP_FIXED, d->fd, 0) != MAP_FAILED)
		return 0;
	if (errno == EPERM)
		return err_set(e, BAWN_ERR_DENIED,
			       "the device is on a file system mounted noexec: remount /dev with exec");
	return err_sys(e, "mapping 0x%llx bytes at 0x%llx of the enclave",
		       (unsigned long long)length, (unsigned long long)offset);
}

/* One of the SGX2 requests over a range, resumed where it stopped. */
static int modify(struct dev *d, unsigned long request, const char *leaf, uint64_t offset,
		  uint64_t length, uint64_t what, struct bawn_error *e)
{
	unsigned tries = 0;

	while (length) {
		struct req_modify req = { .offset = offset, .length = length, .what = what };
		int failed = ioctl(d->fd, request, &req);

		if (failed && req.count == 0 && (!transient(errno) || ++tries > RETRIES)) {
			if (errno == ENODEV || errno == ENOTTY)
				return err_set(e, BAWN_ERR_UNSUPPORTED, "%s: no SGX2 here", leaf);
			if (errno == EFAULT && req.result)
				return err_sgx(e, (uint32_t)req.result, "%s at 0x%llx: %s", leaf,
					       (unsigned long long)offset,
					       isa_status_name((uint32_t)req.result));
			return err_sys(e, "%s at 0x%llx", leaf, (unsigned long long)offset);
		}
		if (req.count > length)
			return err_set(e, BAWN_ERR_SYSTEM, "%s: the driver did more than asked", leaf);
		offset += req.count;
		length -= req.count;
	}
	return 0;
}

static int kernel_restrict(struct dev *d, uint64_t offset, uint64_t length, uint64_t permissions,
			   struct bawn_error *e)
{
	return modify(d, REQ_RESTRICT, "EMODPR", offset, length, permissions, e);
}

static int kernel_modify_type(struct dev *d, uint64_t offset, uint64_t length,
			      enum isa_page_type pt, struct bawn_error *e)
{
	return modify(d, REQ_MODIFY, "EMODT", offset, length, (uint64_t)pt, e);
}

static int kernel_remove(struct dev *d, uint64_t offset, uint64_t length, struct bawn_error *e)
{
	unsigned tries = 0;

	while (length) {
		struct req_remove req = { .offset = offset, .length = length };
		int failed = ioctl(d->fd, REQ_REMOVE, &req);

		if (failed && req.count == 0 && (!transient(errno) || ++tries > RETRIES)) {
			if (errno == ENODEV || errno == ENOTTY)
				return err_set(e, BAWN_ERR_UNSUPPORTED, "EREMOVE: no SGX2 here");
			return err_sys(e, "EREMOVE at 0x%llx", (unsigned long long)offset);
		}
		if (req.count > length)
			return err_set(e, BAWN_ERR_SYSTEM, "EREMOVE: the driver did more than asked");
		offset += req.count;
		length -= req.count;
	}
	return 0;
}

static int kernel_allow_provision(struct dev *d, struct bawn_error *e)
{
	struct req_provision req;
	int fd, r;

	r = dev_node_open(DEV_NODE_PROVISION, &fd, e);
	if (r)
		return r;
	req.fd = (uint64_t)fd;
	r = ioctl(d->fd, REQ_PROVISION, &req) == 0 ? 0 : err_sys(e, "allowing the provisioning key");
	close(fd);
	return r;
}

static const struct dev_ops kernel_ops = {
	.name = "kernel",
	.create = kernel_create,
	.add_pages = kernel_add_pages,
	.init = kernel_init,
	.map = kernel_map,
	.restrict_pages = kernel_restrict,
	.modify_type = kernel_modify_type,
	.remove_pages = kernel_remove,
	.allow_provision = kernel_allow_provision,
	.close = dev_driver_close,
};

/* Before INIT the request fails in any case; how tells whether there is SGX2. */
static bool has_sgx2(int fd)
{
	struct req_modify req = { 0 };

	return ioctl(fd, REQ_RESTRICT, &req) != 0 && errno != ENOTTY && errno != ENODEV;
}

int dev_kernel_open(struct dev *d, struct bawn_error *e)
{
	int r = dev_driver_open(d, DEV_NODE_ENCLAVE, e);

	if (r)
		return r;
	d->ops = &kernel_ops;
	d->emulated = cpu_engine_is_injected();
	d->enter = dev_vdso_enter();
	if (!d->enter) {
		dev_driver_close(d);
		return err_set(e, BAWN_ERR_UNSUPPORTED, "the kernel's vDSO has no __vdso_sgx_enter_enclave");
	}
	dev_hardware_features(&d->features);
	d->features.sgx2 = d->features.sgx2 && has_sgx2(d->fd);
	return 0;
}

int dev_kernel_adopt(struct dev *d, int fd, const struct dev_ranges *r, struct bawn_error *e)
{
	struct dev_ranges *own = calloc(1, sizeof(*own));

	if (!own) {
		close(fd);
		return err_nomem(e);
	}
	d->ops = &kernel_ops;
	d->priv = own;
	d->fd = fd;
	return dev_ranges_map(r, d, e);
}
