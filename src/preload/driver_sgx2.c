/* The in-kernel driver's requests after INIT: SGX2's dynamic memory, from outside the enclave. */
#include "preload/preload.h"

#include <errno.h>

struct modify { /* RESTRICT_PERMISSIONS and MODIFY_TYPES */
	uint64_t offset, length, what, result, count;
};
struct remove {
	uint64_t offset, length, count;
};

static long ready(const struct cpu_epc *epc)
{
	if (!epc->platform.sgx2)
		return -ENODEV;
	return cpu_epc_initialised(epc) ? 0 : -EINVAL;
}

/* How an ENCLS leaf ended, for a request that reports that. */
static long ended(int r, uint64_t *result)
{
	if (r == 0)
		return 0;
	if (r != CPU_FAULT)
		*result = (uint64_t)r;
	return -EFAULT;
}

/* ---- RESTRICT_PERMISSIONS ---- */

static bool permissions_valid(uint64_t what)
{
	return !(what & ~SECINFO_RWX) && !(what & SECINFO_W && !(what & SECINFO_R));
}

static long restrict_page(struct cpu_epc *epc, uint64_t offset, const struct cpu_epcm *page,
			  struct modify *m)
{
	const struct isa_secinfo si = { .flags = m->what };
	struct cpu_fault f;

	if (page->pt != PT_REG)
		return -EINVAL;
	return ended(cpu_emodpr(epc, offset, &si, &f), &m->result);
}

/* ---- MODIFY_TYPES ---- */

static bool type_valid(uint64_t what)
{
	return what == PT_TCS || what == PT_TRIM;
}

static long modify_page(struct cpu_epc *epc, uint64_t offset, const struct cpu_epcm *page,
			struct modify *m)
{
	const struct isa_secinfo si = { .flags = SECINFO_OF_PT(m->what) };
	struct cpu_fault f;

	if (page->pt != PT_REG && !(page->pt == PT_TCS && m->what == PT_TRIM))
		return -EINVAL;
	/* A TCS is mapped read-write: the page must have been vetted for that. */
	if (page->pt == PT_REG && m->what == PT_TCS && ~page->most & (SECINFO_R | SECINFO_W))
		return -EPERM;
	return ended(cpu_emodt(epc, offset, &si, &f), &m->result);
}

/* ---- both: page by page until one fails; count and result are told in any case ---- */

static long modify(struct cpu_epc *epc, uint64_t arg, bool (*valid)(uint64_t what),
		   long (*one)(struct cpu_epc *, uint64_t, const struct cpu_epcm *, struct modify *))
{
	struct cpu_epcm page;
	struct modify m;
	long r = ready(epc);

	if (r)
		return r;
	if (driver_get(&m, arg, sizeof(m)))
		return -EFAULT;
	if (!driver_range_valid(epc, m.offset, m.length) || !valid(m.what) || m.result || m.count)
		return -EINVAL;
	while (m.count < m.length) {
		uint64_t offset = m.offset + m.count;

		r = cpu_epcm_get(epc, offset, &page) && page.valid ? one(epc, offset, &page, &m) : -EFAULT;
		if (r)
			break;
		m.count += ISA_PAGE;
	}
	return driver_put(arg, &m, sizeof(m)) ? -EFAULT : r;
}

long driver_restrict(struct cpu_epc *epc, uint64_t arg)
{
	return modify(epc, arg, permissions_valid, restrict_page);
}

long driver_modify(struct cpu_epc *epc, uint64_t arg)
{
	return modify(epc, arg, type_valid, modify_page);
}

/* ---- REMOVE_PAGES ---- */

static long remove_page(struct cpu_epc *epc, uint64_t offset)
{
	struct cpu_epcm page;
	struct cpu_fault f;
	int r;

	if (!cpu_epcm_get(epc, offset, &page) || !page.valid)
		return -EFAULT;
	/* Trimmed, and accepted by the enclave. */
	if (page.pt != PT_TRIM || page.modified)
		return -EPERM;
	r = cpu_eremove(epc, offset, &f);
	if (r)
		return r == CPU_FAULT ? -EFAULT : -EBUSY;
	if (epc->charge)
		epc->charge(epc->charge_arg, -1);
	return 0;
}

long driver_remove(struct cpu_epc *epc, uint64_t arg)
{
	struct remove m;
	long r = ready(epc);

	if (r)
		return r;
	if (driver_get(&m, arg, sizeof(m)))
		return -EFAULT;
	if (!driver_range_valid(epc, m.offset, m.length) || m.count)
		return -EINVAL;
	while (m.count < m.length && (r = remove_page(epc, m.offset + m.count)) == 0)
		m.count += ISA_PAGE;
	return driver_put(arg, &m, sizeof(m)) ? -EFAULT : r;
}
