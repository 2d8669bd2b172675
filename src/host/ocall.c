/*
 * OCALLs that the runtime itself answers: memory management after EINIT (the
 * built-in ones, with numbers below HOST_DONE), and those that SDK enclaves
 * import from sgx_tstdc.edl. What an enclave passes is in this process's own
 * memory; a wrong range is refused by the device.
 */
#include "host/host.h"

#include <cpuid.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum builtin {
	OCALL_TRIM = -2,        /* these four: before metadata 3 */
	OCALL_TRIM_COMMIT = -3,
	OCALL_RESTRICT = -4,
	OCALL_PROTECT = -5,
	OCALL_ALLOC = -6,
	OCALL_MODIFY = -7,
};

/* Page properties of OCALL_ALLOC and OCALL_MODIFY: SECINFO.FLAGS, and PROT_* in the low bits. */
#define PROPERTY_PROT 7u
#define PROPERTY_TYPE(p) (SECINFO_PT(p))

struct ms_alloc {
	int32_t retval;
	uint64_t addr, size;
	uint32_t properties, flags;
};
struct ms_modify {
	int32_t retval;
	uint64_t addr, size;
	uint32_t from, to;
};
struct ms_range {
	uint64_t from, to;
};
struct ms_permissions {
	uint64_t addr, size, permissions;
};

/* Is [addr, addr + size) whole pages of the enclave? *offset: where. */
static bool in_enclave(const struct bawn_enclave *en, uint64_t addr, uint64_t size,
		       uint64_t *offset)
{
	*offset = addr - en->secs.baseaddr;
	return size && *offset < en->secs.size && size <= en->secs.size - *offset &&
	       (addr | size) % ISA_PAGE == 0;
}

static int alloc(struct bawn_enclave *en, const struct ms_alloc *ms)
{
	uint64_t offset;

	if (!in_enclave(en, ms->addr, ms->size, &offset))
		return BAWN_ERR_USAGE;
	return en->dev->ops->map(en->dev, offset, ms->size, PROT_READ | PROT_WRITE, NULL);
}

/* EMODPR, then what the page tables allow: EACCEPT needs the page readable. */
static int change_permissions(struct dev *d, uint64_t offset, uint64_t size, uint32_t prot)
{
	int r = d->ops->restrict_pages(d, offset, size, prot, NULL);

	if (r || prot == PROT_NONE)
		return r;
	return d->ops->map(d, offset, size, (int)prot, NULL);
}

/*
 * One change at a time: to a TCS, to trimmed, from trimmed and accepted to
 * removed, or of the permissions of ordinary pages.
 */
static int modify(struct bawn_enclave *en, const struct ms_modify *ms)
{
	struct dev *d = en->dev;
	uint64_t from = PROPERTY_TYPE(ms->from), to = PROPERTY_TYPE(ms->to), offset;
	uint32_t prot = ms->to & PROPERTY_PROT, was = ms->from & PROPERTY_PROT;
	int r;

	if (!in_enclave(en, ms->addr, ms->size, &offset))
		return BAWN_ERR_USAGE;
	if (from == PT_TRIM && to == PT_TRIM) {
		r = d->ops->remove_pages(d, offset, ms->size, NULL);
		return r || prot ? r : d->ops->map(d, offset, ms->size, PROT_NONE, NULL);
	}
	if (from == PT_TRIM || (from != to && prot != was))
		return BAWN_ERR_USAGE;
	if (to == PT_TRIM || (to == PT_TCS && from == PT_REG))
		return d->ops->modify_type(d, offset, ms->size, (enum isa_page_type)to, NULL);
	if (from != to || to != PT_REG)
		return BAWN_ERR_USAGE;
	if (prot == was)
		return prot ? 0 : d->ops->map(d, offset, ms->size, PROT_NONE, NULL);
	return change_permissions(d, offset, ms->size, prot);
}

static int trim(struct bawn_enclave *en, uint64_t from, uint64_t to)
{
	uint64_t offset;

	if (to < from || !in_enclave(en, from, to - from, &offset))
		return BAWN_ERR_USAGE;
	return en->dev->ops->modify_type(en->dev, offset, to - from, PT_TRIM, NULL);
}

static int permissions(struct bawn_enclave *en, const struct ms_permissions *ms, bool page_tables)
{
	struct dev *d = en->dev;
	uint64_t offset;

	if (!in_enclave(en, ms->addr, ms->size, &offset))
		return BAWN_ERR_USAGE;
	if (page_tables)
		return d->ops->map(d, offset, ms->size, (int)(ms->permissions & PROPERTY_PROT), NULL);
	return d->ops->restrict_pages(d, offset, ms->size, ms->permissions & PROPERTY_PROT, NULL);
}

uint32_t host_builtin(struct bawn_enclave *en, long number, void *ms)
{
	struct ms_alloc *a = ms;
	struct ms_modify *m = ms;
	const struct ms_range *range = ms;
	uint64_t offset;
	int r = BAWN_ERR_USAGE;

	if (!ms)
		return HOST_STATUS_FUNCTION;
	switch (number) {
	case OCALL_ALLOC:
		a->retval = alloc(en, a) ? EINVAL : 0;
		return HOST_STATUS_OK;
	case OCALL_MODIFY:
		m->retval = modify(en, m) ? EINVAL : 0;
		return HOST_STATUS_OK;
	case OCALL_TRIM:
		r = trim(en, range->from, range->to);
		break;
	case OCALL_TRIM_COMMIT:
		if (in_enclave(en, range->from, ISA_PAGE, &offset))
			r = en->dev->ops->remove_pages(en->dev, offset, ISA_PAGE, NULL);
		break;
	case OCALL_RESTRICT:
		r = permissions(en, ms, false);
		break;
	case OCALL_PROTECT:
		r = permissions(en, ms, true);
		break;
	default:
		return HOST_STATUS_FUNCTION;
	}
	return r ? HOST_STATUS_FAILED : HOST_STATUS_OK;
}

/* ---- sgx_tstdc.edl ---- */

struct ms_cpuidex {
	int32_t *info;
	int32_t leaf, subleaf;
};

uint32_t bawn_ocall_cpuidex(void *ms, void *arg)
{
	const struct ms_cpuidex *m = ms;
	uint32_t a, b, c, d;

	(void)arg;
	__cpuid_count(m->leaf, m->subleaf, a, b, c, d);
	m->info[0] = (int32_t)a;
	m->info[1] = (int32_t)b;
	m->info[2] = (int32_t)c;
	m->info[3] = (int32_t)d;
	return HOST_STATUS_OK;
}

/*
 * A thread that finds a mutex of the enclave taken waits outside for an event
 * that belongs to its TCS, whose address is what it is called by. An event set
 * before it is waited for is kept.
 */
static struct host_slot *event_slot(struct bawn_enclave *en, uint64_t tcs)
{
	for (size_t i = 0; i < en->nslots; i++)
		if (en->slot[i].tcs == tcs)
			return &en->slot[i];
	return NULL;
}

bool host_event_wait(struct bawn_enclave *en, uint64_t tcs, uint64_t seconds)
{
	const struct timespec t = { .tv_sec = seconds < INT32_MAX ? (time_t)seconds : INT32_MAX };
	struct host_slot *s = event_slot(en, tcs);

	if (!s)
		return false;
	while (atomic_exchange(&s->event, 0) == 0) {
		if (atomic_load(&en->state) != HOST_RUNNING)
			return false;
		if (syscall(SYS_futex, &s->event, FUTEX_WAIT_PRIVATE, 0, seconds ? &t : NULL, NULL, 0) != 0 &&
		    errno == ETIMEDOUT)
			break;
	}
	return atomic_load(&en->state) == HOST_RUNNING;
}

bool host_event_set(struct bawn_enclave *en, uint64_t tcs)
{
	struct host_slot *s = event_slot(en, tcs);

	if (!s)
		return false;
	if (atomic_exchange(&s->event, 1) == 0)
		syscall(SYS_futex, &s->event, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	return true;
}

void host_events_end(struct bawn_enclave *en)
{
	/* Set, or who is about to wait would miss it: who has woken up looks at the state. */
	for (size_t i = 0; i < en->nslots; i++) {
		atomic_store(&en->slot[i].event, 1);
		syscall(SYS_futex, &en->slot[i].event, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	}
}

/* For the enclave whose OCALL this thread is serving. */
static bool wait_event(uint64_t tcs)
{
	const struct host_call *c = host_thread()->top;

	return c && host_event_wait(c->en, tcs, 0);
}

static bool set_event(uint64_t tcs)
{
	const struct host_call *c = host_thread()->top;

	return c && host_event_set(c->en, tcs);
}

struct ms_event {
	int32_t retval;
	uint64_t tcs;
};
struct ms_events {
	int32_t retval;
	uint64_t waiter, self;
};
struct ms_multiple {
	int32_t retval;
	const uint64_t *waiters;
	uint64_t total;
};

static int32_t outcome(bool good)
{
	return good ? HOST_STATUS_OK : HOST_STATUS_FAILED;
}

uint32_t bawn_ocall_wait_event(void *ms, void *arg)
{
	struct ms_event *m = ms;

	(void)arg;
	m->retval = outcome(wait_event(m->tcs));
	return HOST_STATUS_OK;
}

uint32_t bawn_ocall_set_event(void *ms, void *arg)
{
	struct ms_event *m = ms;

	(void)arg;
	m->retval = outcome(set_event(m->tcs));
	return HOST_STATUS_OK;
}

uint32_t bawn_ocall_setwait_events(void *ms, void *arg)
{
	struct ms_events *m = ms;

	(void)arg;
	m->retval = outcome(set_event(m->waiter) && wait_event(m->self));
	return HOST_STATUS_OK;
}

uint32_t bawn_ocall_set_multiple_events(void *ms, void *arg)
{
	struct ms_multiple *m = ms;
	bool good = true;

	(void)arg;
	for (uint64_t i = 0; i < m->total; i++)
		good = set_event(m->waiters[i]) && good;
	m->retval = outcome(good);
	return HOST_STATUS_OK;
}
