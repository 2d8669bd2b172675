/*
 * The mappings of emulated enclaves: what the kernel's VMAs of a real one are.
 * An enclave's areas can lie anywhere before ECREATE has said where its ELRANGE
 * is; only those in it, from then on, show its pages.
 */
#include "preload/preload.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define MAP_KIND 0x0f /* MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE */
#define PAGE_MASK ((uint64_t)ISA_PAGE - 1)

struct area {
	struct area *next;
	uint64_t start, end;
	int prot;
};

/* ---- areas; under files_lock ---- */

static struct area *spare;

static struct area *area_new(void)
{
	struct area *a = spare;

	if (!a) {
		size_t n = (ISA_PAGE * 4 - 64) / sizeof(*a);

		a = malloc(n * sizeof(*a));
		if (!a)
			return NULL;
		for (size_t i = 0; i < n; i++) {
			a[i].next = spare;
			spare = &a[i];
		}
		a = spare;
	}
	spare = a->next;
	return a;
}

static void area_free(struct area *a)
{
	a->next = spare;
	spare = a;
}

/* ---- bounds ---- */

/*
 * Every munmap and mprotect of the program has to know whether it is about an
 * enclave, and most are not: so the bounds of each enclave's areas can be read
 * without the lock. Whoever has no place here makes all of them look.
 */
#define BOUNDS 256

static struct {
	uint64_t low, high; /* high 0: not in use */
} bounds[BOUNDS + 1]; /* the first is for enclaves that found no other */
static uint32_t bounds_end = 1;

bool maps_may_touch(uint64_t at, uint64_t length)
{
	const uint32_t n = __atomic_load_n(&bounds_end, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < n; i++)
		if (at < __atomic_load_n(&bounds[i].high, __ATOMIC_RELAXED) &&
		    at + length > __atomic_load_n(&bounds[i].low, __ATOMIC_RELAXED))
			return true;
	return false;
}

static void bounds_set(uint32_t i, uint64_t low, uint64_t high)
{
	__atomic_store_n(&bounds[i].low, low, __ATOMIC_RELAXED);
	__atomic_store_n(&bounds[i].high, high, __ATOMIC_RELEASE);
}

/* Under files_lock: e->low and high have changed, or its last area has gone. */
static void bounds_follow(struct enclave *e)
{
	uint32_t i = e->bounds;

	if (!e->areas) {
		if (i)
			bounds_set(i, 0, 0);
		e->bounds = 0;
		return;
	}
	for (i = i ? i : 1; !e->bounds && i <= BOUNDS && bounds[i].high; i++)
		;
	if (i > BOUNDS) {
		bounds_set(0, 0, UINT64_MAX);
		return;
	}
	e->bounds = i;
	bounds_set(i, e->low, e->high);
	if (i >= bounds_end)
		__atomic_store_n(&bounds_end, i + 1, __ATOMIC_RELEASE);
}

static bool area_add(struct enclave *e, uint64_t start, uint64_t end, int prot)
{
	struct area *a = area_new();

	if (!a)
		return false;
	*a = (struct area){ .next = e->areas, .start = start, .end = end, .prot = prot };
	if (!e->areas || start < e->low)
		e->low = start;
	if (!e->areas || end > e->high)
		e->high = end;
	e->areas = a;
	e->uses++;
	bounds_follow(e);
	return true;
}

static bool touches(const struct enclave *e, uint64_t start, uint64_t end)
{
	return e->areas && start < e->high && end > e->low;
}

/* The part of [start, end) in ELRANGE, as offset and length; false if there is none. */
static bool in_elrange(const struct enclave *e, uint64_t start, uint64_t end, uint64_t *offset,
		       uint64_t *length)
{
	uint64_t size = __atomic_load_n(&e->epc->size, __ATOMIC_ACQUIRE), base = e->epc->base;

	if (!size || end <= base || start >= base + size)
		return false;
	if (start < base)
		start = base;
	if (end > base + size)
		end = base + size;
	*offset = start - base;
	*length = end - start;
	return true;
}

/*
 * Cut [start, end) out of an area: up to two pieces are left. False if there is
 * no memory for the second.
 */
static bool cut(struct enclave *e, struct area *a, uint64_t start, uint64_t end)
{
	if (a->start < start && end < a->end) {
		if (!area_add(e, end, a->end, a->prot))
			return false;
		a->end = start;
	} else if (a->start < start) {
		a->end = start;
	} else {
		a->start = end;
	}
	return true;
}

/* Remove every area of e in [start, end), and what the engine knows of it. */
static struct enclave *forget(struct enclave *e, uint64_t start, uint64_t end)
{
	uint64_t offset, length;
	struct enclave *gone = NULL;

	if (in_elrange(e, start, end, &offset, &length))
		cpu_elrange_forget_range(e->epc, offset, length);
	for (struct area **p = &e->areas; *p;) {
		struct area *a = *p;

		if (a->end <= start || a->start >= end) {
			p = &a->next;
		} else if (a->start >= start && a->end <= end) {
			*p = a->next;
			area_free(a);
			bounds_follow(e);
			gone = enclave_unuse(e);
			if (gone)
				return gone;
		} else {
			cut(e, a, start, end);
			p = &a->next;
		}
	}
	return NULL;
}

/* Take everything of ours out of [start, end); enclaves that went by it are chained in the result. */
static struct enclave *forget_all(uint64_t start, uint64_t end)
{
	struct enclave *gone = NULL, *next, *one;

	for (struct enclave *e = enclaves; e; e = next) {
		next = e->next;
		if (!touches(e, start, end))
			continue;
		one = forget(e, start, end);
		if (one) {
			one->next = gone;
			gone = one;
		}
	}
	return gone;
}

static void free_all(struct enclave *gone)
{
	while (gone) {
		struct enclave *next = gone->next;

		enclave_free(gone);
		gone = next;
	}
}

static uint64_t page_up(uint64_t n)
{
	return (n + PAGE_MASK) & ~PAGE_MASK;
}

/* ---- mapping; under files_lock ---- */

/* Another enclave that has had the same addresses, and has nothing mapped there any more, gives way. */
static bool make_way(const struct enclave *e)
{
	uint64_t offset, length;

	for (struct enclave *other = enclaves; other; other = other->next) {
		if (other == e ||
		    !in_elrange(other, e->epc->base, e->epc->base + e->epc->size, &offset, &length))
			continue;
		for (const struct area *a = other->areas; a; a = a->next)
			if (in_elrange(other, a->start, a->end, &offset, &length))
				return false;
		debug_hide(other->epc);
		cpu_elrange_unmap(other->epc);
	}
	return true;
}

/* Let the engine know ELRANGE. */
static long engine_knows(struct enclave *e)
{
	if (cpu_elrange_find(e->epc->base) == e->epc)
		return 0;
	if (cpu_elrange_attach(e->epc, NULL) != 0 &&
	    (!make_way(e) || cpu_elrange_attach(e->epc, NULL) != 0))
		return -ENOMEM;
	debug_show(e->epc);
	return 0;
}

/* Put the enclave's pages, or nothing where it has none, at [start, end). */
static long place(struct enclave *e, uint64_t start, uint64_t end, int prot)
{
	uint64_t offset, length;
	long r;

	r = raw(SYS_mmap, start, end - start, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, (uint64_t)-1, 0);
	if (raw_failed(r))
		return r;
	if (!in_elrange(e, start, end, &offset, &length))
		return 0;
	r = engine_knows(e);
	if (r)
		return r;
	return cpu_elrange_map_range(e->epc, offset, length, prot, NULL) == 0 ? 0 : -ENOMEM;
}

void maps_created(struct enclave *e)
{
	uint64_t offset, length;

	for (const struct area *a = e->areas; a; a = a->next)
		if (in_elrange(e, a->start, a->end, &offset, &length) && engine_knows(e) == 0)
			cpu_elrange_map_range(e->epc, offset, length, a->prot, NULL);
}

/* Find room, as the kernel would; the address or -errno. */
static long reserve(uint64_t at, uint64_t length, int flags)
{
	return raw(SYS_mmap, at, length, PROT_NONE,
		   (uint64_t)((flags & ~MAP_KIND) | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE),
		   (uint64_t)-1, 0);
}

static long may_map(const struct enclave *e, uint64_t start, uint64_t end, int prot)
{
	return e->isgx ? 0 : driver_may_map(e->epc, start, end, prot);
}

long maps_mmap(struct enclave *e, uint64_t at, uint64_t length, int prot, int flags, uint64_t offset)
{
	bool fixed = (flags & MAP_FIXED) && !(flags & MAP_FIXED_NOREPLACE);
	struct enclave *gone = NULL;
	uint64_t mask;
	long r;

	length = page_up(length);
	if (!length || offset & PAGE_MASK || (flags & MAP_KIND) == MAP_PRIVATE ||
	    (fixed && at & PAGE_MASK))
		return -EINVAL;
	if (at + length < at)
		return -ENOMEM;
	prot &= PROT_READ | PROT_WRITE | PROT_EXEC;
	mask = lock_take(&files_lock);
	r = fixed ? (long)at : reserve(at, length, flags);
	if (!raw_failed(r)) {
		at = (uint64_t)r;
		r = may_map(e, at, at + length, prot);
		if (r && !fixed)
			raw(SYS_munmap, at, length, 0, 0, 0, 0);
		if (!r) {
			e->uses++; /* it may be its own areas that go */
			gone = forget_all(at, at + length);
			e->uses--;
			r = place(e, at, at + length, prot);
			if (!r && !area_add(e, at, at + length, prot))
				r = -ENOMEM;
			if (!r)
				r = (long)at;
		}
	}
	lock_give(&files_lock, mask);
	free_all(gone);
	return r;
}

/* ---- isgx ---- */

/* The first area that begins or lies after `at`, its enclave in *of. Under the lock. */
static struct area *area_at(uint64_t at, uint64_t end, struct enclave **of)
{
	struct area *best = NULL;

	for (struct enclave *e = enclaves; e; e = e->next) {
		if (!touches(e, at, end))
			continue;
		for (struct area *a = e->areas; a; a = a->next)
			if (a->end > at && a->start < end && (!best || a->start < best->start)) {
				best = a;
				*of = e;
			}
	}
	return best;
}

/* An address that is a multiple of the length, as the driver finds one; or -errno. */
static long reserve_aligned(uint64_t at, uint64_t length, int flags)
{
	long r = reserve(at, 2 * length, flags & ~MAP_FIXED);
	uint64_t start;

	if (raw_failed(r))
		return r;
	start = ((uint64_t)r + length - 1) & ~(length - 1);
	if (start != (uint64_t)r)
		raw(SYS_munmap, (uint64_t)r, start - (uint64_t)r, 0, 0, 0, 0);
	if (start != (uint64_t)r + length)
		raw(SYS_munmap, start + length, (uint64_t)r + length - start, 0, 0, 0, 0);
	return (long)start;
}

long maps_mmap_isgx(uint64_t at, uint64_t length, int prot, int flags)
{
	struct enclave *e;
	long r;

	length = page_up(length);
	if (length < 2 * ISA_PAGE || length & (length - 1) || (flags & MAP_KIND) == MAP_PRIVATE ||
	    length > UINT64_C(1) << 40)
		return -EINVAL;
	if (flags & MAP_FIXED)
		r = (long)((at + length - 1) & ~(length - 1));
	else
		r = reserve_aligned(at, length, flags);
	if (raw_failed(r))
		return r;
	at = (uint64_t)r;
	e = enclave_make(&r);
	if (!e)
		return r;
	e->isgx = true;
	r = maps_mmap(e, at, length, prot, MAP_SHARED | MAP_FIXED, 0);
	enclave_put(e);
	return r;
}

struct enclave *maps_at(uint64_t address, long *error)
{
	struct enclave *e, *found = NULL;
	uint64_t mask;

	*error = -EINVAL;
	if (address & PAGE_MASK)
		return NULL;
	mask = lock_take(&files_lock);
	if (area_at(address, address + 1, &e) && e->isgx) {
		*error = -ENOENT;
		if (e->epc->size) {
			*error = 0;
			e->uses++;
			found = e;
		}
	}
	lock_give(&files_lock, mask);
	return found;
}

struct enclave *maps_exactly(uint64_t start, uint64_t end)
{
	uint64_t mask = lock_take(&files_lock);
	struct enclave *e, *found = NULL;
	const struct area *a = area_at(start, start + 1, &e);

	if (a && e->isgx && a->start == start && a->end == end) {
		e->uses++;
		found = e;
	}
	lock_give(&files_lock, mask);
	return found;
}

void maps_forget(uint64_t at, uint64_t length)
{
	uint64_t mask;
	struct enclave *gone;

	length = page_up(length);
	if (at & PAGE_MASK || !length || at + length < at)
		return; /* the system call will refuse it */
	mask = lock_take(&files_lock);
	gone = forget_all(at, at + length);
	lock_give(&files_lock, mask);
	free_all(gone);
}

long maps_munmap(uint64_t at, uint64_t length)
{
	maps_forget(at, length);
	return raw(SYS_munmap, at, length, 0, 0, 0, 0);
}

/* ---- protections ---- */

/* [start, end) of the area a gets another protection. */
static long protect(struct enclave *e, struct area *a, uint64_t start, uint64_t end, int prot)
{
	long r = may_map(e, start, end, prot);
	uint64_t offset, length;

	if (r)
		return r;
	if (a->start != start || a->end != end) {
		if (!area_add(e, start, end, prot))
			return -ENOMEM;
		if (!cut(e, a, start, end))
			return -ENOMEM;
	} else {
		a->prot = prot;
	}
	if (in_elrange(e, start, end, &offset, &length))
		cpu_elrange_protect(e->epc, offset, length, prot, NULL);
	return 0;
}

bool maps_mprotect(uint64_t at, uint64_t length, int prot, long *result)
{
	const int rwx = prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
	uint64_t end = at + page_up(length), mask;
	struct enclave *e;
	struct area *a;
	long r = 0;

	if (at & PAGE_MASK || end <= at)
		return false;
	mask = lock_take(&files_lock);
	a = area_at(at, end, &e);
	if (!a) {
		lock_give(&files_lock, mask);
		return false;
	}
	/* From the left to the right, as the kernel does; what comes before a failure stays. */
	while (at < end && !r) {
		uint64_t stop;

		a = area_at(at, end, &e);
		if (!a || a->start > at) {
			stop = a ? a->start : end;
			r = raw(SYS_mprotect, at, stop - at, (uint64_t)prot, 0, 0, 0);
		} else {
			stop = a->end < end ? a->end : end;
			r = protect(e, a, at, stop, rwx);
		}
		at = stop;
	}
	lock_give(&files_lock, mask);
	*result = r;
	return true;
}
