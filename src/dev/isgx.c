/*
 * The out-of-tree driver (/dev/isgx): locked launch control, so EINIT takes a
 * token; one page a request; an enclave is found by its address, not by its
 * descriptor. Requests return 0, -1 with errno, or a positive SGX code.
 */
#include "dev/internal.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

struct req_create {
	uint64_t src;
};
struct req_add_page {
	uint64_t addr, src, secinfo;
	uint16_t mrmask; /* a bit for each 256 bytes to be measured */
} __attribute__((packed));
struct req_init {
	uint64_t addr, sigstruct, einittoken;
};
struct req_range {
	uint64_t start;
	uint32_t pages;
	uint32_t pad;
};
struct req_emodpr {
	struct req_range range;
	uint64_t flags;
};
#define REQ_CREATE _IOW(0xa4, 0x00, struct req_create)
#define REQ_ADD_PAGE _IOW(0xa4, 0x01, struct req_add_page)
#define REQ_INIT _IOW(0xa4, 0x02, struct req_init)
#define REQ_EMODPR _IOW(0xa4, 0x09, struct req_emodpr)
#define REQ_MKTCS _IOW(0xa4, 0x0a, struct req_range)
#define REQ_TRIM _IOW(0xa4, 0x0b, struct req_range)
#define REQ_NOTIFY_ACCEPT _IOW(0xa4, 0x0c, struct req_range)
_Static_assert(REQ_CREATE == 0x4008a400 && REQ_ADD_PAGE == 0x401aa401 && REQ_INIT == 0x4018a402 &&
		       REQ_EMODPR == 0x4018a409 && REQ_MKTCS == 0x4010a40a &&
		       REQ_TRIM == 0x4010a40b && REQ_NOTIFY_ACCEPT == 0x4010a40c,
	       "sgx_user.h");

#define MRMASK_ALL 0xffff
#define CODE_POWER_LOST 0x40000000
#define CODE_LE_ROLLBACK 0x40000001

/* What a request returned, r, as an error. */
static int failed(int r, const char *what, struct bawn_error *e)
{
	if (r < 0)
		return err_sys(e, "%s", what);
	if (r == CODE_POWER_LOST)
		return err_set(e, BAWN_ERR_LOST, "%s: the enclave was lost to a power transition", what);
	if (r == CODE_LE_ROLLBACK)
		return err_set(e, BAWN_ERR_DENIED, "%s: the launch enclave is older than one seen before",
			       what);
	return err_sgx(e, (uint32_t)r, "%s: %s", what, isa_status_name((uint32_t)r));
}

static int isgx_create(struct dev *d, struct isa_secs *secs, struct bawn_error *e)
{
	struct req_create req = { .src = (uint64_t)(uintptr_t)secs };
	void *p;
	int r;

	if (secs->baseaddr)
		return err_set(e, BAWN_ERR_UNSUPPORTED, "isgx: an enclave with an address range of its own");
	/* The driver aligns the mapping to its size and finds the enclave by it later. */
	p = mmap(NULL, secs->size, PROT_NONE, MAP_SHARED, d->fd, 0);
	if (p == MAP_FAILED)
		return err_sys(e, "isgx: reserving the enclave's addresses");
	secs->baseaddr = (uint64_t)(uintptr_t)p;
	d->base = secs->baseaddr;
	d->size = secs->size;
	r = ioctl(d->fd, REQ_CREATE, &req);
	return r ? failed(r, "ECREATE", e) : 0;
}

static int isgx_add_pages(struct dev *d, uint64_t offset, uint64_t length, const void *src,
			  bool repeat, uint64_t secinfo_flags, bool measured, struct bawn_error *e)
{
	struct isa_secinfo si __attribute__((aligned(64))) = { .flags = secinfo_flags };
	const uint8_t *p = src;
	int r = dev_ranges_add(d->priv, offset, length, secinfo_flags, e);

	for (uint64_t done = 0; done < length && !r; done += ISA_PAGE) {
		struct req_add_page req = {
			.addr = d->base + offset + done,
			.src = (uint64_t)(uintptr_t)(repeat ? p : p + done),
			.secinfo = (uint64_t)(uintptr_t)&si,
			.mrmask = measured ? MRMASK_ALL : 0,
		};

		r = ioctl(d->fd, REQ_ADD_PAGE, &req);
		if (r)
			r = failed(r, "EADD", e);
	}
	return r;
}

static int isgx_init(struct dev *d, const struct isa_sigstruct *s,
		     const struct isa_einittoken *token, struct bawn_error *e)
{
	static const struct isa_einittoken none;
	struct req_init req = {
		.addr = d->base,
		.sigstruct = (uint64_t)(uintptr_t)s,
		.einittoken = (uint64_t)(uintptr_t)(token ? token : &none),
	};
	int r = ioctl(d->fd, REQ_INIT, &req);

	return r ? failed(r, "EINIT", e) : dev_ranges_map(d->priv, d, e);
}

static int isgx_map(struct dev *d, uint64_t offset, uint64_t length, int prot,
		    struct bawn_error *e)
{
	if (mprotect((void *)(uintptr_t)(d->base + offset), length, prot) == 0)
		return 0;
	return err_sys(e, "isgx: protecting 0x%llx bytes at 0x%llx", (unsigned long long)length,
		       (unsigned long long)offset);
}

static int range_request(struct dev *d, unsigned long request, const char *leaf, uint64_t offset,
			 uint64_t length, struct bawn_error *e)
{
	struct req_range req = { .start = d->base + offset, .pages = (uint32_t)(length / ISA_PAGE) };
	int r = ioctl(d->fd, request, &req);

	return r ? failed(r, leaf, e) : 0;
}

static int isgx_restrict(struct dev *d, uint64_t offset, uint64_t length, uint64_t permissions,
			 struct bawn_error *e)
{
	struct req_emodpr req = {
		.range = { .start = d->base + offset, .pages = (uint32_t)(length / ISA_PAGE) },
		.flags = permissions,
	};
	int r = ioctl(d->fd, REQ_EMODPR, &req);

	return r ? failed(r, "EMODPR", e) : 0;
}

static int isgx_modify_type(struct dev *d, uint64_t offset, uint64_t length, enum isa_page_type pt,
			    struct bawn_error *e)
{
	return range_request(d, pt == PT_TCS ? REQ_MKTCS : REQ_TRIM, "EMODT", offset, length, e);
}

static int isgx_remove(struct dev *d, uint64_t offset, uint64_t length, struct bawn_error *e)
{
	return range_request(d, REQ_NOTIFY_ACCEPT, "EREMOVE", offset, length, e);
}

/* This driver leaves PROVISION_KEY to the launch enclave, which puts it in the token. */
static int isgx_allow_provision(struct dev *d, struct bawn_error *e)
{
	(void)d;
	(void)e;
	return 0;
}

static const struct dev_ops isgx_ops = {
	.name = "isgx",
	.create = isgx_create,
	.add_pages = isgx_add_pages,
	.init = isgx_init,
	.map = isgx_map,
	.restrict_pages = isgx_restrict,
	.modify_type = isgx_modify_type,
	.remove_pages = isgx_remove,
	.allow_provision = isgx_allow_provision,
	.close = dev_driver_close,
};

static bool has_sgx2(int fd)
{
	struct req_emodpr req = { 0 };

	return ioctl(fd, REQ_EMODPR, &req) == 0 || errno != ENOTTY;
}

int dev_isgx_open(struct dev *d, struct bawn_error *e)
{
	int r = dev_driver_open(d, DEV_NODE_ISGX, e);

	if (r)
		return r;
	d->ops = &isgx_ops;
	d->emulated = cpu_engine_is_injected();
	d->enter = dev_vdso_enter();
	if (!d->enter) {
		d->enter = dev_signal_enter;
		r = dev_signal_enter_start(e);
	}
	if (r) {
		dev_driver_close(d);
		return r;
	}
	dev_hardware_features(&d->features);
	d->features.sgx2 = d->features.sgx2 && has_sgx2(d->fd);
	d->features.needs_token = true;
	return 0;
}
