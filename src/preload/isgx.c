/*
 * The older driver, /dev/isgx, for CPUs whose launch control is locked (the
 * out-of-tree linux-sgx-driver, SGX2 branch). One descriptor serves all
 * enclaves; one is made by a mapping, of a power of two, that CREATE's SECS
 * then names, and is found by its addresses. INIT takes a token. Requests
 * answer 0, -errno, or the positive code of a leaf function.
 */
#include "preload/preload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ISGX_CREATE 0x4008a400u
#define ISGX_ADD_PAGE 0x401aa401u
#define ISGX_INIT 0x4018a402u
#define ISGX_EMODPR 0x4018a409u
#define ISGX_MKTCS 0x4010a40au
#define ISGX_TRIM 0x4010a40bu
#define ISGX_NOTIFY_ACCEPT 0x4010a40cu
#define ISGX_PAGE_REMOVE 0x4008a40du
#define SIZE_OF(request) ((request) >> 16 & 0x3fff)

struct add_page {
	uint64_t addr, src, secinfo;
	uint16_t mrmask; /* a bit for each 256 bytes to be measured */
} __attribute__((packed));
struct init {
	uint64_t addr, sigstruct, einittoken;
};
struct range {
	uint64_t start;
	uint32_t pages;
	uint32_t pad;
};
struct modify {
	struct range range;
	uint64_t flags;
};

union argument {
	uint64_t word;
	struct add_page add;
	struct init init;
	struct range range;
	struct modify modify;
};

/* ---- CREATE, ADD_PAGE, INIT ---- */

static long create(uint64_t src)
{
	struct isa_secs secs;
	struct cpu_fault f;
	struct enclave *e;
	long r = 0;

	if (driver_get(&secs, src, sizeof(secs)))
		return -EFAULT;
	if (secs.size < 2 * ISA_PAGE || secs.size & (secs.size - 1) || secs.baseaddr & (secs.size - 1))
		return -EINVAL;
	e = maps_exactly(secs.baseaddr, secs.baseaddr + secs.size);
	if (!e)
		return -EINVAL;
	if (e->epc->size)
		r = -EINVAL;
	else if (e->epc->charge && !e->epc->charge(e->epc->charge_arg, 2))
		r = -ENOMEM;
	else if (cpu_ecreate(e->epc, &secs, &f) != 0)
		r = -EFAULT;
	else
		enclave_created(e);
	enclave_put(e);
	return r;
}

static bool secinfo_valid(const struct isa_secinfo *si)
{
	return !isa_secinfo_flaw(si) && !(si->flags & SECINFO_W && !(si->flags & SECINFO_R));
}

/* What the driver wants of a TCS, more than EADD does. */
static bool tcs_valid(const struct isa_tcs *t, uint64_t size)
{
	const uint64_t page = ISA_PAGE - 1;

	return !isa_tcs_flaw(t) && !(t->flags & TCS_DBGOPTIN) && !((t->ossa | t->ofsbase | t->ogsbase) & page) &&
	       t->ossa < size && t->ofsbase < size && t->ogsbase < size && (t->fslimit & page) == page &&
	       (t->gslimit & page) == page;
}

static long add_to(struct cpu_epc *epc, const struct add_page *a, const uint8_t *page,
		   const struct isa_secinfo *si)
{
	uint64_t offset = a->addr - epc->base, done;
	struct cpu_epcm there;
	struct cpu_fault f;

	if (!secinfo_valid(si) ||
	    (SECINFO_PT(si->flags) == PT_TCS && !tcs_valid((const void *)page, epc->size)) ||
	    cpu_epc_initialised(epc))
		return -EINVAL;
	if (!cpu_epcm_get(epc, offset, &there))
		return -EINVAL;
	if (there.valid)
		return -EEXIST;
	if (epc->charge && !epc->charge(epc->charge_arg, 1))
		return -ENOMEM;
	if (cpu_eadd_many(epc, offset, ISA_PAGE, page, false, si, a->mrmask == 0xffff, &done, &f) != 0) {
		if (epc->charge)
			epc->charge(epc->charge_arg, -1);
		return -EFAULT;
	}
	for (unsigned i = 0; a->mrmask != 0xffff && i < 16; i++)
		if (a->mrmask >> i & 1 && cpu_eextend(epc, offset + i * ISA_MEASURE_CHUNK, &f) != 0)
			return -EFAULT;
	return 0;
}

static long add_page(const struct add_page *a)
{
	struct isa_secinfo si;
	struct enclave *e;
	uint8_t *page;
	long r;

	e = maps_at(a->addr, &r);
	if (!e)
		return r;
	page = malloc(ISA_PAGE);
	if (!page)
		r = -ENOMEM;
	else if (driver_get(&si, a->secinfo, sizeof(si)) || driver_get(page, a->src, ISA_PAGE))
		r = -EFAULT;
	else
		r = add_to(e->epc, a, page, &si);
	free(page);
	enclave_put(e);
	return r;
}

static long init(const struct init *a)
{
	struct isa_sigstruct s;
	struct isa_einittoken token;
	struct cpu_fault f;
	struct enclave *e;
	long r;

	if (driver_get(&s, a->sigstruct, sizeof(s)) || driver_get(&token, a->einittoken, sizeof(token)))
		return -EFAULT;
	e = maps_at(a->addr, &r);
	if (!e)
		return r;
	r = 0;
	if (!cpu_epc_initialised(e->epc))
		r = cpu_einit(e->epc, &s, &token, &f);
	enclave_put(e);
	return r == CPU_FAULT ? -EFAULT : r;
}

/* ---- SGX2 ---- */

/* One page; 0, -errno or a leaf's code. flags: permissions, or a page type. */
static long modify_page(struct cpu_epc *epc, uint64_t offset, uint64_t flags)
{
	const struct isa_secinfo si = { .flags = flags };
	bool type = SECINFO_PT(flags) != 0;
	struct cpu_epcm page;
	struct cpu_fault f;
	int r;

	if (!cpu_epcm_get(epc, offset, &page) || !page.valid)
		return -EFAULT;
	if (!type && page.pt == PT_TCS)
		return -EINVAL;
	r = type ? cpu_emodt(epc, offset, &si, &f) : cpu_emodpr(epc, offset, &si, &f);
	return r == CPU_FAULT ? -EFAULT : r;
}

static long modify_range(const struct range *range, uint64_t flags)
{
	struct enclave *e;
	uint64_t offset, end;
	long r = 0;

	if (range->start % ISA_PAGE || !range->pages)
		return -EINVAL;
	e = maps_at(range->start, &r);
	if (!e)
		return r;
	offset = range->start - e->epc->base;
	end = offset + (uint64_t)range->pages * ISA_PAGE;
	if (!e->epc->platform.sgx2)
		r = -ENOSYS;
	else if (end > e->epc->size)
		r = -EINVAL;
	for (; r == 0 && offset < end; offset += ISA_PAGE)
		r = modify_page(e->epc, offset, flags);
	enclave_put(e);
	return r;
}

static long restrict_range(const struct modify *m)
{
	if (m->flags & ~SECINFO_RWX || (m->flags & SECINFO_W && !(m->flags & SECINFO_R)))
		return -EINVAL;
	return modify_range(&m->range, m->flags);
}

/* trimmed: only pages that were trimmed, and accepted as such. */
static long remove_page(struct cpu_epc *epc, uint64_t address, bool trimmed)
{
	uint64_t offset = address - epc->base;
	struct cpu_epcm page;
	struct cpu_fault f;
	int r;

	if (!cpu_epcm_get(epc, offset, &page) || !page.valid ||
	    (trimmed && (page.pt != PT_TRIM || page.modified)))
		return -EINVAL;
	r = cpu_eremove(epc, offset, &f);
	if (r)
		return r == CPU_FAULT ? -EFAULT : r;
	if (epc->charge)
		epc->charge(epc->charge_arg, -1);
	return 0;
}

/* It goes on after a failure, and tells of the last. */
static long remove_range(uint64_t start, uint64_t pages, bool trimmed)
{
	struct enclave *e;
	long r = 0, one;

	start &= ~(uint64_t)(ISA_PAGE - 1);
	e = maps_at(start, &r);
	if (!e)
		return r;
	if (!e->epc->platform.sgx2)
		r = -ENOSYS;
	for (uint64_t i = 0; e->epc->platform.sgx2 && i < pages && i * ISA_PAGE < e->epc->size; i++) {
		one = remove_page(e->epc, start + i * ISA_PAGE, trimmed);
		if (one)
			r = one;
	}
	enclave_put(e);
	return r;
}

long isgx_ioctl(uint32_t request, uint64_t arg)
{
	union argument a = { 0 };

	switch (request) {
	case ISGX_CREATE:
	case ISGX_ADD_PAGE:
	case ISGX_INIT:
	case ISGX_EMODPR:
	case ISGX_MKTCS:
	case ISGX_TRIM:
	case ISGX_NOTIFY_ACCEPT:
	case ISGX_PAGE_REMOVE:
		break;
	default:
		return -ENOTTY;
	}
	if (driver_get(&a, arg, SIZE_OF(request)))
		return -EFAULT;
	switch (request) {
	case ISGX_CREATE:
		return create(a.word);
	case ISGX_ADD_PAGE:
		return add_page(&a.add);
	case ISGX_INIT:
		return init(&a.init);
	case ISGX_EMODPR:
		return restrict_range(&a.modify);
	case ISGX_MKTCS:
		return modify_range(&a.range, SECINFO_OF_PT(PT_TCS));
	case ISGX_TRIM:
		return modify_range(&a.range, SECINFO_OF_PT(PT_TRIM));
	case ISGX_NOTIFY_ACCEPT:
		return remove_range(a.range.start, a.range.pages, true);
	default:
		return remove_range(a.word, 1, false);
	}
}
