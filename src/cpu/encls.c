/* ENCLS: ECREATE, EEXTEND, EREMOVE, EDBGRD, EDBGWR and SGX2's EAUG, EMODPR, EMODT (SDM 40.3). */
#include "cpu/state.h"

#include <string.h>

/* SECINFO for EMODPR and EMODT; PENDING, MODIFIED and PR are not reserved, only without meaning. */
#define SECINFO_FLAGS (SECINFO_RWX | SECINFO_PENDING | SECINFO_MODIFIED | SECINFO_PR | 0xff00u)
#define TCS_LIMIT 72u /* what of a TCS a debugger may read: without CET's fields */

/* ---- ECREATE ---- */

static int create_locked(struct cpu_epc *epc, const struct isa_secs *secs, struct cpu_fault *f)
{
	struct cpu_epc_shared *s = epc->shared;
	struct isa_secs *own = epc_secs(epc);
	uint8_t block[ISA_MEASURE_BLOCK];
	struct crypto_sha256 h;

	if (epc_state(epc) != EPC_EMPTY)
		return fault_encls(epc, CPU_SECS_PAGE, f);
	if (epc_secs_flaw(epc, secs))
		return fault_gp(f);
	if (epc_grow(epc, secs->baseaddr, secs->size, NULL) != 0)
		return fault_pf(f, 0, PF_W);
	memcpy(own, secs, sizeof(*own));
	memset(own->mrenclave, 0, sizeof(own->mrenclave));
	memset(own->mrsigner, 0, sizeof(own->mrsigner));
	own->isvprodid = 0;
	own->isvsvn = 0;
	isa_measure_ecreate(secs->ssaframesize, secs->size, block);
	crypto_sha256_init(&h);
	crypto_sha256_update(&h, block, sizeof(block));
	crypto_sha256_save(&h, s->measure[0].chain, &s->measure[0].bytes);
	s->measure_current = 0;
	__atomic_store_n(&s->size, secs->size, __ATOMIC_RELAXED);
	__atomic_store_n(&s->state, EPC_CREATED, __ATOMIC_RELEASE);
	return 0;
}

int cpu_ecreate(struct cpu_epc *epc, const struct isa_secs *secs, struct cpu_fault *f)
{
	const struct isa_secs copy = *secs;
	uint64_t mask;
	int r;

	if (!epc_lock(epc, &mask))
		return fault_gp(f);
	r = create_locked(epc, &copy, f);
	epc_unlock(epc, mask);
	return r;
}

/* ---- EEXTEND ---- */

static int extend_locked(struct cpu_epc *epc, uint64_t offset, struct cpu_fault *f)
{
	struct cpu_epc_shared *s = epc->shared;
	const unsigned current = s->measure_current & 1;
	uint8_t text[ISA_MEASURE_BLOCK + ISA_MEASURE_CHUNK];
	struct crypto_sha256 h;
	uint64_t entry;

	if (offset >= epc_size(epc))
		return fault_encls(epc, offset, f);
	entry = epcm_load(epc, offset);
	if (!(entry & EPCM_VALID) || (EPCM_PT(entry) != PT_REG && EPCM_PT(entry) != PT_TCS))
		return fault_encls(epc, offset, f);
	if (epc_state(epc) != EPC_CREATED)
		return fault_gp(f);
	isa_measure_eextend(offset, text);
	memcpy(text + ISA_MEASURE_BLOCK, epc->alias + offset, ISA_MEASURE_CHUNK);
	crypto_sha256_load(&h, s->measure[current].chain, s->measure[current].bytes);
	crypto_sha256_update(&h, text, sizeof(text));
	crypto_sha256_save(&h, s->measure[!current].chain, &s->measure[!current].bytes);
	__atomic_store_n(&s->measure_current, !current, __ATOMIC_RELEASE);
	return 0;
}

int cpu_eextend(struct cpu_epc *epc, uint64_t offset, struct cpu_fault *f)
{
	uint64_t mask;
	int r;

	if (offset & (ISA_MEASURE_CHUNK - 1))
		return fault_gp(f);
	if (!epc_lock(epc, &mask))
		return fault_gp(f);
	r = extend_locked(epc, offset, f);
	epc_unlock(epc, mask);
	return r;
}

/* ---- EREMOVE ---- */

/*
 * A thread is inside the enclave. EREMOVE is rare and a count kept by EENTER
 * would neither be free nor survive a killed process: look at every TCS. Only
 * the parts of the EPCM that were ever written exist, see epcm_next.
 */
static bool thread_inside(const struct cpu_epc *epc)
{
	uint64_t pages = epc_size(epc) / ISA_PAGE;

	for (uint64_t i = epcm_next(epc, 0); i < pages; i = epcm_next(epc, i + 1)) {
		uint64_t entry = epcm_load(epc, i * ISA_PAGE), owner;
		const struct isa_tcs *t = (const void *)(epc->alias + i * ISA_PAGE);

		if (!(entry & EPCM_VALID) || EPCM_PT(entry) != PT_TCS ||
		    entry & SECINFO_MODIFIED)
			continue;
		owner = __atomic_load_n(&t->stage, __ATOMIC_ACQUIRE);
		if (owner != 0 && cpu_owner_alive(owner))
			return true;
	}
	return false;
}

/* Keep everybody out of a TCS that is about to go; EENTER holds no lock. */
static bool claim_tcs(struct isa_tcs *t)
{
	uint64_t holder = 0;

	return __atomic_compare_exchange_n(&t->stage, &holder, cpu_owner_self(), false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED) ||
	       !cpu_owner_alive(holder);
}

static int remove_secs(struct cpu_epc *epc)
{
	if (epc_state(epc) == EPC_EMPTY || epc_state(epc) == EPC_REMOVED)
		return 0;
	if (epc->shared->pages != 0)
		return ISA_CHILD_PRESENT;
	__atomic_store_n(&epc->shared->state, EPC_REMOVED, __ATOMIC_RELEASE);
	return 0;
}

static int remove_locked(struct cpu_epc *epc, uint64_t offset, struct cpu_fault *f)
{
	uint64_t entry;

	if (offset == CPU_SECS_PAGE)
		return remove_secs(epc);
	if (offset >= epc_size(epc))
		return fault_encls(epc, offset, f);
	entry = epcm_load(epc, offset);
	if (!(entry & EPCM_VALID))
		return 0;
	if (!(EPCM_PT(entry) == PT_TRIM && !(entry & SECINFO_MODIFIED)) && thread_inside(epc))
		return ISA_ENCLAVE_ACT;
	if (EPCM_PT(entry) == PT_TCS && !claim_tcs(epc_tcs(epc, epc->base + offset)))
		return ISA_ENCLAVE_ACT;
	epc_intend(epc, EPC_REMOVE, offset, ISA_PAGE, epc->shared->pages - 1);
	epcm_store(epc, offset, 0);
	epc_discard(epc, offset, ISA_PAGE);
	epc_intent_done(epc);
	epc_touch(epc);
	return 0;
}

int cpu_eremove(struct cpu_epc *epc, uint64_t offset, struct cpu_fault *f)
{
	uint64_t mask;
	int r;

	if (offset != CPU_SECS_PAGE && offset & (ISA_PAGE - 1))
		return fault_gp(f);
	if (!epc_lock(epc, &mask))
		return fault_gp(f);
	r = remove_locked(epc, offset, f);
	epc_unlock(epc, mask);
	if (r == 0 && offset != CPU_SECS_PAGE)
		epc_announce(epc, offset, ISA_PAGE);
	return r;
}

/* ---- SGX2 ---- */

static int aug_locked(struct cpu_epc *epc, uint64_t offset, struct cpu_fault *f)
{
	if (offset < epc_size(epc) && epcm_load(epc, offset) & EPCM_VALID)
		return fault_encls(epc, offset, f);
	if (epc_state(epc) == EPC_EMPTY || epc_state(epc) == EPC_REMOVED)
		return fault_encls(epc, CPU_SECS_PAGE, f);
	if (epc_state(epc) != EPC_INITIALISED || offset >= epc_size(epc))
		return fault_gp(f);
	/* Zeros, whatever a stale mapping of another process may have left there. */
	if (epc_discard(epc, offset, ISA_PAGE) != 0)
		return fault_encls(epc, offset, f);
	epc_intend(epc, EPC_AUG, offset, ISA_PAGE, epc->shared->pages + 1);
	epcm_store(epc, offset,
		   EPCM_VALID | EPCM_OF_PT(PT_REG) | SECINFO_R | SECINFO_W | SECINFO_PENDING |
			   EPCM_MOST(SECINFO_RWX));
	epc_intent_done(epc);
	epc_touch(epc);
	return 0;
}

int cpu_eaug(struct cpu_epc *epc, uint64_t offset, struct cpu_fault *f)
{
	uint64_t mask;
	int r;

	if (!epc->platform.sgx2 || offset & (ISA_PAGE - 1))
		return fault_gp(f);
	if (!epc_lock(epc, &mask))
		return fault_gp(f);
	r = aug_locked(epc, offset, f);
	epc_unlock(epc, mask);
	if (r == 0)
		epc_announce(epc, offset, ISA_PAGE);
	return r;
}

static bool secinfo_legal(const struct isa_secinfo *si)
{
	return !(si->flags & ~SECINFO_FLAGS) && ct_is_zero(si->reserved, sizeof(si->reserved));
}

static int modpr_locked(struct cpu_epc *epc, uint64_t offset, uint64_t flags, struct cpu_fault *f)
{
	uint64_t entry;

	if (offset >= epc_size(epc))
		return fault_encls(epc, offset, f);
	entry = epcm_load(epc, offset);
	if (!(entry & EPCM_VALID))
		return fault_encls(epc, offset, f);
	if (entry & (SECINFO_PENDING | SECINFO_MODIFIED))
		return ISA_PAGE_NOT_MODIFIABLE;
	if (EPCM_PT(entry) != PT_REG)
		return fault_encls(epc, offset, f);
	if (epc_state(epc) != EPC_INITIALISED)
		return fault_gp(f);
	epcm_store(epc, offset, (entry & (~SECINFO_RWX | flags)) | SECINFO_PR);
	epc_touch(epc);
	return 0;
}

int cpu_emodpr(struct cpu_epc *epc, uint64_t offset, const struct isa_secinfo *si,
	       struct cpu_fault *f)
{
	uint64_t mask;
	int r;

	if (!epc->platform.sgx2 || offset & (ISA_PAGE - 1) || !secinfo_legal(si) ||
	    (si->flags & SECINFO_W && !(si->flags & SECINFO_R)))
		return fault_gp(f);
	if (!epc_lock(epc, &mask))
		return ISA_EPC_PAGE_CONFLICT;
	r = modpr_locked(epc, offset, si->flags, f);
	epc_unlock(epc, mask);
	if (r == 0)
		epc_announce(epc, offset, ISA_PAGE);
	return r;
}

static int modt_locked(struct cpu_epc *epc, uint64_t offset, unsigned pt, struct cpu_fault *f)
{
	uint64_t entry, most;

	if (offset >= epc_size(epc))
		return fault_encls(epc, offset, f);
	entry = epcm_load(epc, offset);
	if (!(entry & EPCM_VALID))
		return fault_encls(epc, offset, f);
	if (EPCM_PT(entry) != PT_REG && !(EPCM_PT(entry) == PT_TCS && pt == PT_TRIM))
		return fault_encls(epc, offset, f);
	if (entry & (SECINFO_PENDING | SECINFO_MODIFIED))
		return ISA_PAGE_NOT_MODIFIABLE;
	if (epc_state(epc) != EPC_INITIALISED)
		return fault_gp(f);
	most = pt == PT_TCS ? SECINFO_R | SECINFO_W : EPCM_MOST_OF(entry);
	epcm_store(epc, offset, EPCM_VALID | EPCM_OF_PT(pt) | SECINFO_MODIFIED | EPCM_MOST(most));
	epc_touch(epc);
	return 0;
}

int cpu_emodt(struct cpu_epc *epc, uint64_t offset, const struct isa_secinfo *si,
	      struct cpu_fault *f)
{
	unsigned pt = (unsigned)SECINFO_PT(si->flags);
	uint64_t mask;
	int r;

	if (!epc->platform.sgx2 || offset & (ISA_PAGE - 1) || !secinfo_legal(si) ||
	    (pt != PT_TCS && pt != PT_TRIM))
		return fault_gp(f);
	if (!epc_lock(epc, &mask))
		return ISA_EPC_PAGE_CONFLICT;
	r = modt_locked(epc, offset, pt, f);
	epc_unlock(epc, mask);
	if (r == 0)
		epc_announce(epc, offset, ISA_PAGE);
	return r;
}

/* ---- debugging ---- */

/* What EDBGRD and EDBGWR check alike; 0, a status, or CPU_FAULT. limit: bytes of a TCS they may touch. */
static int debug_check(const struct cpu_epc *epc, uint64_t offset, uint64_t first, uint64_t end,
		       struct cpu_fault *f)
{
	uint64_t entry;
	unsigned pt;

	if (offset & 7)
		return fault_gp(f);
	if (offset >= epc_size(epc))
		return fault_encls(epc, offset, f);
	entry = epcm_load(epc, offset);
	pt = EPCM_PT(entry);
	if (!(entry & EPCM_VALID) || (pt != PT_REG && pt != PT_TCS))
		return fault_encls(epc, offset, f);
	if (entry & (SECINFO_PENDING | SECINFO_MODIFIED))
		return ISA_PAGE_NOT_DEBUGGABLE;
	offset &= ISA_PAGE - 1;
	if (pt == PT_TCS && (offset < first || offset >= end))
		return fault_gp(f);
	if (!(epc_secs(epc)->attributes.flags & ATTR_DEBUG))
		return fault_gp(f);
	return 0;
}

int cpu_edbgrd(struct cpu_epc *epc, uint64_t offset, uint64_t *value, struct cpu_fault *f)
{
	int r = debug_check(epc, offset, 0, TCS_LIMIT, f);
	uint64_t v;

	if (r != 0)
		return r;
	v = __atomic_load_n((uint64_t *)(void *)(epc->alias + offset), __ATOMIC_RELAXED);
	/* TCS.STATE holds the owner here: a debugger sees busy or not. */
	if (!(offset & (ISA_PAGE - 1)) && EPCM_PT(epcm_load(epc, offset)) == PT_TCS)
		v = v != 0;
	*value = v;
	return 0;
}

int cpu_edbgwr(struct cpu_epc *epc, uint64_t offset, uint64_t value, struct cpu_fault *f)
{
	const size_t flags = offsetof(struct isa_tcs, flags);
	int r = debug_check(epc, offset, flags, flags + sizeof(uint64_t), f);

	if (r != 0)
		return r;
	__atomic_store_n((uint64_t *)(void *)(epc->alias + offset), value, __ATOMIC_RELAXED);
	return 0;
}
