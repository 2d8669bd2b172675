/*
 * ELRANGE in this process: one shared mapping of the EPC, each page with the
 * protection that both its VMA and its EPCM entry allow.
 *
 * A stale protection that allows too little shows itself as a page fault, and
 * is mended there. One that allows too much does not, so changes made by this
 * process are followed as they are made (cpu_epc.changed), and those made by
 * others at the next entry, by the EPCM's generation. Threads that are inside
 * meanwhile keep what they had, where a driver would have interrupted them.
 */
#include "cpu/engine.h"

#include <string.h>
#include <sys/mman.h>

#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)
#define MAPPED 0x80 /* in cpu_map.vma: there is a mapping, if only with PROT_NONE */

static struct cpu_map *all_maps; /* grows at the head; read without a lock */

struct cpu_map *cpu_map_find(uint64_t address)
{
	for (struct cpu_map *m = __atomic_load_n(&all_maps, __ATOMIC_ACQUIRE); m; m = m->next) {
		uint64_t size = __atomic_load_n(&m->size, __ATOMIC_ACQUIRE);

		if (address - m->base < size)
			return m;
	}
	return NULL;
}

static struct cpu_map *map_of(const struct cpu_epc *epc)
{
	struct cpu_map *m = cpu_map_find(epc->base);

	return m && m->epc == epc ? m : NULL;
}

/* Under the lock: bring the host's protections of these pages up to date, run by run. */
static void apply(struct cpu_map *m, uint64_t first, uint64_t end)
{
	uint64_t run = first;
	int prot = -1; /* of the run [run, i) that has to be changed */

	for (uint64_t i = first; i <= end; i++) {
		int want = -1;

		if (i < end) {
			/* Without looking at the EPCM where that cannot matter: it is sparse. */
			want = m->vma[i] & RWX ? cpu_page_protection(m->epc, i * ISA_PAGE, m->vma[i]) :
						 PROT_NONE;
			if (want == m->host[i])
				want = -1;
		}
		if (want == prot)
			continue;
		if (prot >= 0 &&
		    cpu_syscall(SYS_mprotect, m->base + run * ISA_PAGE, (i - run) * ISA_PAGE,
				(uint64_t)prot, 0) == 0)
			memset(m->host + run, prot, i - run);
		run = i;
		prot = want;
	}
}

/* The EPC's hook: the EPCM of these pages was changed by this process. */
static void map_changed(void *arg, uint64_t offset, uint64_t length)
{
	struct cpu_map *m = arg;
	uint64_t mask = cpu_lock(&cpu_fork_page->maps);
	uint64_t now = cpu_epc_generation(m->epc);

	if (offset < m->size && length <= m->size - offset)
		apply(m, offset / ISA_PAGE, (offset + length + ISA_PAGE - 1) / ISA_PAGE);
	/* If that was the only change, all is as it should be. */
	if (m->generation + 1 == now)
		m->generation = now;
	cpu_unlock(&cpu_fork_page->maps, mask);
}

static int map_vma(void *arg, uint64_t offset)
{
	const struct cpu_map *m = arg;

	return offset < m->size ? m->vma[offset / ISA_PAGE] & RWX : PROT_NONE;
}

void cpu_map_refresh(struct cpu_map *m)
{
	uint64_t mask = cpu_lock(&cpu_fork_page->maps);
	uint64_t now = cpu_epc_generation(m->epc);

	if (m->generation != now) {
		apply(m, 0, m->size / ISA_PAGE);
		m->generation = now;
	}
	cpu_unlock(&cpu_fork_page->maps, mask);
}

/* One page to `prot`; false if that changed nothing. */
static bool page_protect(struct cpu_map *m, uint64_t page, int prot)
{
	uint64_t mask = cpu_lock(&cpu_fork_page->maps);
	bool changed = m->host[page] != prot && m->vma[page] & MAPPED &&
		       cpu_syscall(SYS_mprotect, m->base + page * ISA_PAGE, ISA_PAGE,
				   (uint64_t)prot, 0) == 0;

	if (changed)
		m->host[page] = (uint8_t)prot;
	cpu_unlock(&cpu_fork_page->maps, mask);
	return changed;
}

static void add_on_demand(struct cpu_epc *epc, uint64_t offset)
{
	struct cpu_fault unused;

	if (epc->charge && !epc->charge(epc->charge_arg, 1))
		return;
	if (cpu_eaug(epc, offset, &unused) != 0 && epc->charge)
		epc->charge(epc->charge_arg, -1);
}

enum cpu_page_fault cpu_map_fault(struct cpu_map *m, uint64_t address, uint32_t error_code,
				  struct cpu_fault *f)
{
	uint64_t offset = address - m->base, page = offset / ISA_PAGE;
	uint32_t access = error_code & (PF_W | PF_I);
	enum cpu_access verdict;
	int prot = PROT_NONE;

	*f = (struct cpu_fault){
		.vector = VEC_PF,
		.error_code = PF_U | (error_code & (PF_P | PF_W | PF_I)),
		.address = address,
	};
	if (offset >= m->size)
		return CPU_PF_FAULT;
	verdict = cpu_page_access(m->epc, offset, access, m->vma[page] & RWX, &prot, f);
	if (verdict == CPU_ACCESS_EAUG) {
		/* In vain if another thread was first, or for want of memory: the answer tells. */
		add_on_demand(m->epc, page * ISA_PAGE);
		verdict = cpu_page_access(m->epc, offset, access, m->vma[page] & RWX, &prot, f);
	}
	if (verdict == CPU_ACCESS_EAUG)
		f->error_code &= ~PF_P; /* no page, and none to be had */
	if (verdict != CPU_ACCESS_OK)
		return CPU_PF_FAULT;
	return page_protect(m, page, prot) ? CPU_PF_MENDED : CPU_PF_SPURIOUS;
}

/* ---- what cpu.h promises ---- */

int cpu_elrange_reserve(uint64_t size, uint64_t *base, struct bawn_error *e)
{
	uint64_t p, twice;

	if (size < ISA_PAGE || (size & (size - 1)))
		return err_set(e, BAWN_ERR_USAGE, "an enclave's size must be a power of two");
	if (!mul_u64(size, 2, &twice))
		return err_set(e, BAWN_ERR_USAGE, "an enclave of this size cannot be placed");
	p = (uint64_t)cpu_syscall6(SYS_mmap, 0, twice, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, (uint64_t)-1, 0);
	if (cpu_syscall_failed((long)p))
		return err_set(e, BAWN_ERR_MEMORY, "no address space for an enclave of %llu bytes",
			       (unsigned long long)size);
	*base = (p + size - 1) & ~(size - 1);
	if (*base != p)
		cpu_syscall(SYS_munmap, p, *base - p, 0, 0);
	if (*base != p + size)
		cpu_syscall(SYS_munmap, *base + size, p + size - *base, 0, 0);
	return 0;
}

/* Under the lock: an unused entry, or a new one; NULL without memory. */
static struct cpu_map *map_entry(void)
{
	struct cpu_map *m;

	for (m = all_maps; m; m = m->next)
		if (!m->size)
			return m;
	m = (struct cpu_map *)cpu_syscall6(SYS_mmap, 0, ISA_PAGE, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0);
	if (cpu_syscall_failed((long)m))
		return NULL;
	m->next = all_maps;
	__atomic_store_n(&all_maps, m, __ATOMIC_RELEASE);
	return m;
}

/* Under the lock. */
static int map_make(struct cpu_epc *epc, struct bawn_error *e)
{
	uint64_t pages = epc->size / ISA_PAGE;
	struct cpu_map *m;
	long p;

	if (cpu_map_find(epc->base) || cpu_map_find(epc->base + epc->size - 1))
		return err_set(e, BAWN_ERR_USAGE, "there is an enclave at this address already");
	m = map_entry();
	if (!m)
		return err_nomem(e);
	/* Zeros: nothing is mapped. */
	p = cpu_syscall6(SYS_mmap, 0, 2 * pages, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, (uint64_t)-1, 0);
	if (cpu_syscall_failed(p))
		return err_nomem(e);
	m->vma = (uint8_t *)p;
	m->host = m->vma + pages;
	m->arrays = 2 * pages;
	m->epc = epc;
	m->base = epc->base;
	m->generation = cpu_epc_generation(epc);
	__atomic_store_n(&m->size, epc->size, __ATOMIC_RELEASE);
	epc->vma_arg = m;
	epc->vma = map_vma;
	epc->changed_arg = m;
	epc->changed = map_changed;
	return 0;
}

int cpu_elrange_attach(struct cpu_epc *epc, struct bawn_error *e)
{
	uint64_t mask;
	int r;

	if (!epc->size)
		return err_set(e, BAWN_ERR_USAGE, "an enclave is mapped after its ECREATE, not before");
	r = cpu_fork_page_init(e);
	if (r)
		return r;
	mask = cpu_lock(&cpu_fork_page->maps);
	r = map_of(epc) ? 0 : map_make(epc, e);
	cpu_unlock(&cpu_fork_page->maps, mask);
	return r;
}

/* The map of this enclave, if this is a range of pages of it. */
static struct cpu_map *map_range(const struct cpu_epc *epc, uint64_t offset, uint64_t length,
				 struct bawn_error *e)
{
	struct cpu_map *m = map_of(epc);

	if (!m)
		err_set(e, BAWN_ERR_USAGE, "this enclave is not mapped");
	else if (offset % ISA_PAGE || length % ISA_PAGE || offset > m->size ||
		 length > m->size - offset)
		err_set(e, BAWN_ERR_USAGE, "not a range of pages of this enclave");
	else
		return m;
	return NULL;
}

int cpu_elrange_map_range(struct cpu_epc *epc, uint64_t offset, uint64_t length, int prot,
			  struct bawn_error *e)
{
	struct cpu_map *m = map_range(epc, offset, length, e);
	uint64_t first = offset / ISA_PAGE, end = first + length / ISA_PAGE, mask;
	long p;

	if (!m || (prot & ~RWX))
		return err_set(e, BAWN_ERR_USAGE, "not a protection");
	mask = cpu_lock(&cpu_fork_page->maps);
	p = cpu_syscall6(SYS_mmap, m->base + offset, length, PROT_NONE, MAP_SHARED | MAP_FIXED,
			 (uint64_t)epc->fd, epc->pages_off + offset);
	if (!cpu_syscall_failed(p)) {
		memset(m->vma + first, prot | MAPPED, end - first);
		memset(m->host + first, PROT_NONE, end - first);
		apply(m, first, end);
	}
	cpu_unlock(&cpu_fork_page->maps, mask);
	return cpu_syscall_failed(p) ?
		       err_set(e, BAWN_ERR_MEMORY,
			       "mapping %llu bytes of an emulated enclave failed (%ld)",
			       (unsigned long long)length, -p) :
		       0;
}

/* Under the lock: no mapping of ours there any more. */
static void forget(struct cpu_map *m, uint64_t offset, uint64_t length)
{
	memset(m->vma + offset / ISA_PAGE, 0, length / ISA_PAGE);
	memset(m->host + offset / ISA_PAGE, PROT_NONE, length / ISA_PAGE);
}

void cpu_elrange_forget_range(struct cpu_epc *epc, uint64_t offset, uint64_t length)
{
	struct cpu_map *m = map_range(epc, offset, length, NULL);
	uint64_t mask;

	if (!m)
		return;
	mask = cpu_lock(&cpu_fork_page->maps);
	forget(m, offset, length);
	cpu_unlock(&cpu_fork_page->maps, mask);
}

/* Under the lock: unmap what is mapped in [offset, offset + length), and nothing else. */
static int unmap_mapped(struct cpu_map *m, uint64_t offset, uint64_t length)
{
	uint64_t end = (offset + length) / ISA_PAGE;

	for (uint64_t i = offset / ISA_PAGE, run; i < end; i = run) {
		uint8_t mapped = m->vma[i] & MAPPED;
		long r;

		for (run = i + 1; run < end && (m->vma[run] & MAPPED) == mapped; run++)
			;
		if (!mapped)
			continue;
		r = cpu_syscall(SYS_munmap, m->base + i * ISA_PAGE, (run - i) * ISA_PAGE, 0, 0);
		if (r)
			return (int)r;
		forget(m, i * ISA_PAGE, (run - i) * ISA_PAGE);
	}
	return 0;
}

int cpu_elrange_unmap_range(struct cpu_epc *epc, uint64_t offset, uint64_t length,
			    struct bawn_error *e)
{
	struct cpu_map *m = map_range(epc, offset, length, e);
	uint64_t mask;
	int r;

	if (!m)
		return BAWN_ERR_USAGE;
	mask = cpu_lock(&cpu_fork_page->maps);
	r = unmap_mapped(m, offset, length);
	cpu_unlock(&cpu_fork_page->maps, mask);
	return r ? err_set(e, BAWN_ERR_SYSTEM, "unmapping an emulated enclave failed (%d)", -r) : 0;
}

int cpu_elrange_prot(const struct cpu_epc *epc, uint64_t offset)
{
	const struct cpu_map *m = map_of(epc);
	uint8_t vma = m && offset < m->size ? m->vma[offset / ISA_PAGE] : 0;

	return vma & MAPPED ? vma & RWX : -1;
}

struct cpu_epc *cpu_elrange_find(uint64_t address)
{
	const struct cpu_map *m = cpu_map_find(address);

	return m ? m->epc : NULL;
}

int cpu_elrange_map(struct cpu_epc *epc, struct bawn_error *e)
{
	int r = cpu_elrange_attach(epc, e);

	if (!r && cpu_elrange_prot(epc, 0) < 0)
		r = cpu_elrange_map_range(epc, 0, epc->size, RWX, e);
	return r;
}

int cpu_elrange_protect(struct cpu_epc *epc, uint64_t offset, uint64_t length, int prot,
			struct bawn_error *e)
{
	struct cpu_map *m = map_range(epc, offset, length, e);
	uint64_t mask;

	if (!m || (prot & ~RWX))
		return err_set(e, BAWN_ERR_USAGE, "not a protection");
	mask = cpu_lock(&cpu_fork_page->maps);
	for (uint64_t i = offset / ISA_PAGE; i < (offset + length) / ISA_PAGE; i++)
		if (m->vma[i] & MAPPED)
			m->vma[i] = (uint8_t)(prot | MAPPED);
	apply(m, offset / ISA_PAGE, (offset + length) / ISA_PAGE);
	cpu_unlock(&cpu_fork_page->maps, mask);
	return 0;
}

void cpu_elrange_unmap(struct cpu_epc *epc)
{
	struct cpu_map *m = map_of(epc);
	uint64_t mask;

	if (!m)
		return;
	epc->changed = NULL;
	epc->vma = NULL;
	mask = cpu_lock(&cpu_fork_page->maps);
	unmap_mapped(m, 0, m->size);
	cpu_syscall(SYS_munmap, (uintptr_t)m->vma, m->arrays, 0, 0);
	m->epc = NULL;
	__atomic_store_n(&m->size, 0, __ATOMIC_RELEASE);
	cpu_unlock(&cpu_fork_page->maps, mask);
}
