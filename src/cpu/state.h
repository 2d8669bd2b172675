/*
 * Internals of the state half: the shared memory of an EPC, its lock, and
 * what the leaf functions have in common. doc/EMULATED-CPU.md describes the
 * layout to others.
 */
#ifndef BAWN_CPU_STATE_H
#define BAWN_CPU_STATE_H

#include "cpu/cpu.h"

/* ---- the memfd ---- */

#define EPC_MAGIC "BAWNEPC\n"
#define EPC_VERSION 1u
#define EPC_SECS_OFF 4096u
#define EPC_EPCM_OFF 8192u
#define EPC_PAGES_ALIGN (UINT64_C(2) << 20) /* so that a large page can back ELRANGE */
#define EPC_SIZE_LOG2 40                    /* the largest ELRANGE, CPUID.(12H,0).EDX[15:8] */

enum epc_state { EPC_EMPTY, EPC_CREATED, EPC_INITIALISED, EPC_REMOVED };

/* What a holder of the lock was about to do, for whoever finds it dead: see epc_recover. */
enum epc_intent_op { EPC_NOTHING, EPC_ADD, EPC_AUG, EPC_REMOVE };

/* A running measurement: SHA-256 after a multiple of 64 bytes. */
struct epc_measure {
	uint32_t chain[8];
	uint64_t bytes;
	uint8_t reserved[24];
};

struct cpu_epc_shared {
	uint8_t magic[8];
	uint32_t version;
	uint32_t state; /* enum epc_state */
	uint8_t platform[16];
	uint64_t size;  /* of ELRANGE; never changes after ECREATE */
	uint64_t lock;  /* owner (cpu_owner_self) or 0 */
	uint64_t pages; /* valid ones */
	uint64_t request; /* owner of the driver's request under way, or 0 */
	uint64_t generation; /* alone in its cache line: polled at every entry */
	uint64_t granted; /* attributes that the driver has granted beyond the usual ones */
	uint8_t reserved2[48];
	struct {
		uint32_t op;
		uint32_t measure; /* EPC_ADD: which measure becomes current */
		uint64_t first, count; /* pages, as indices */
		uint64_t pages; /* `pages` after it */
	} intent;
	uint32_t measure_current;
	uint8_t reserved3[28];
	struct epc_measure measure[2];
	uint8_t isvfamilyid[16];
	uint8_t isvextprodid[16];
	uint8_t reserved4[3744];
};

/*
 * EPCM entry: SECINFO.FLAGS as the SDM lays them out, a valid bit, and what no
 * EPCM has: the most that a driver lets the page be mapped with, for whoever
 * plays one.
 */
#define EPCM_VALID (UINT64_C(1) << 63)
#define EPCM_MOST_SHIFT 48
#define EPCM_MOST(rwx) ((uint64_t)((rwx) & SECINFO_RWX) << EPCM_MOST_SHIFT)
#define EPCM_MOST_OF(e) ((uint8_t)((e) >> EPCM_MOST_SHIFT & SECINFO_RWX))
#define EPCM_PT(e) ((unsigned)((e) >> 8) & 0xff)
#define EPCM_OF_PT(pt) ((uint64_t)(pt) << 8)

/*
 * What the leaves need of an initialised enclave's SECS: a private copy,
 * checked, that no peer can change under them.
 */
struct epc_view {
	uint64_t base, size;
	uint64_t frame; /* bytes of one SSA frame */
	uint32_t xsave_size;
	uint32_t miscselect;
	struct isa_attributes attributes;
	uint8_t mrenclave[32], mrsigner[32];
	uint8_t configid[64];
	uint8_t isvfamilyid[16], isvextprodid[16];
	uint16_t isvprodid, isvsvn, configsvn;
};

struct cpu_epc_private {
	uint64_t *epcm;
	uint8_t *map; /* EPCM and pages, from EPC_EPCM_OFF to the end */
	size_t map_size;
	struct cpu_features features;
	uint8_t report_keyid[32];
	struct epc_view view;
	int view_state; /* 0: not there, 1: being made, 2: there */
};

/* ---- epc.c ---- */

/* File offset of the first page, and the whole file's size, for an ELRANGE of this size. */
uint64_t epc_pages_off(uint64_t size);
uint64_t epc_file_size(uint64_t size);
/* Map EPCM and pages if ECREATE has happened, here or in another process. */
int epc_sync(struct cpu_epc *epc, struct bawn_error *e);
/* ECREATE's half: give the memfd its final size, seal it, map it. */
int epc_grow(struct cpu_epc *epc, uint64_t base, uint64_t size, struct bawn_error *e);
/* Why this SECS may not be, or NULL: ECREATE's rules on this CPU. */
const char *epc_secs_flaw(const struct cpu_epc *epc, const struct isa_secs *secs);
/* The enclave's view, or NULL if it is not initialised. tmp is used while another thread makes it. */
const struct epc_view *epc_view(const struct cpu_epc *epc, struct epc_view *tmp);

static inline enum epc_state epc_state(const struct cpu_epc *epc)
{
	return (enum epc_state)__atomic_load_n(&epc->shared->state, __ATOMIC_ACQUIRE);
}
/* ELRANGE's size, or 0; after it every other field of *epc may be read. */
static inline uint64_t epc_size(const struct cpu_epc *epc)
{
	return __atomic_load_n(&epc->size, __ATOMIC_ACQUIRE);
}
static inline struct isa_secs *epc_secs(const struct cpu_epc *epc)
{
	return (struct isa_secs *)((uint8_t *)epc->shared + EPC_SECS_OFF);
}
/* offset must lie within ELRANGE. */
static inline uint64_t epcm_load(const struct cpu_epc *epc, uint64_t offset)
{
	return __atomic_load_n(&epc->priv->epcm[offset / ISA_PAGE], __ATOMIC_ACQUIRE);
}
/* A TCS in the alias, by its linear address. */
static inline struct isa_tcs *epc_tcs(const struct cpu_epc *epc, uint64_t linear)
{
	return (struct isa_tcs *)(void *)(epc->alias + (linear - epc->base));
}
/* TCS.STATE := INACTIVE */
static inline void epc_tcs_release(struct isa_tcs *t)
{
	__atomic_store_n(&t->stage, 0, __ATOMIC_RELEASE);
}
/* The registers of the SSA frame at this offset. */
static inline struct isa_gprsgx *epc_gprsgx(const struct cpu_epc *epc, const struct epc_view *v,
					    uint64_t ssa)
{
	return (struct isa_gprsgx *)(void *)(epc->alias + ssa + v->frame -
					     sizeof(struct isa_gprsgx));
}
/* The first entry at or after index i in a part of the EPCM that was ever written. */
uint64_t epcm_next(const struct cpu_epc *epc, uint64_t i);
/* Under the lock. */
static inline void epcm_store(struct cpu_epc *epc, uint64_t offset, uint64_t entry)
{
	__atomic_store_n(&epc->priv->epcm[offset / ISA_PAGE], entry, __ATOMIC_RELEASE);
}

/* ---- epc_lock.c: who changes EPCM, SECS or measurement holds the lock ---- */

/*
 * Take the lock, with this thread's signals held back until epc_unlock. Waits
 * up to a second; a dead holder's lock is taken over and its half-done work
 * undone or finished. False: a conflict (or the EPC cannot be mapped).
 */
bool epc_lock(struct cpu_epc *epc, uint64_t *sigmask);
void epc_unlock(struct cpu_epc *epc, uint64_t sigmask);
/* Announce, and afterwards close, a change in several steps. */
void epc_intend(struct cpu_epc *epc, enum epc_intent_op op, uint64_t offset, uint64_t length,
		uint64_t pages);
void epc_intent_done(struct cpu_epc *epc);
/* Undo or finish what was intended. Under the lock. */
void epc_recover(struct cpu_epc *epc);
/* Give memory back and make the pages read as zeros. */
int epc_discard(struct cpu_epc *epc, uint64_t offset, uint64_t length);
/* EPCM entries changed: count it. The hook is called by epc_announce, after the lock is released. */
void epc_touch(struct cpu_epc *epc);
void epc_announce(struct cpu_epc *epc, uint64_t offset, uint64_t length);

/* ---- faults ---- */

static inline int fault_gp(struct cpu_fault *f)
{
	*f = (struct cpu_fault){ .vector = VEC_GP };
	return CPU_FAULT;
}
static inline int fault_ud(struct cpu_fault *f)
{
	*f = (struct cpu_fault){ .vector = VEC_UD };
	return CPU_FAULT;
}
static inline int fault_pf(struct cpu_fault *f, uint64_t address, uint32_t code)
{
	*f = (struct cpu_fault){ .vector = VEC_PF, .error_code = code, .address = address };
	return CPU_FAULT;
}
/* #PF of an ENCLS leaf (supervisor mode) on the page at offset; the SECS has address 0. */
int fault_encls(const struct cpu_epc *epc, uint64_t offset, struct cpu_fault *f);
/* The error code of an enclave's access to an EPC page of type REG, or 0 if it is allowed. */
uint32_t access_code(const struct cpu_epc *epc, uint64_t offset, bool r, bool w, bool x, int vma);
/* The same with the engine's view of the VMA. */
uint32_t access_code_vma(const struct cpu_epc *epc, uint64_t offset, bool r, bool w, bool x);

static inline bool is_canonical(uint64_t a)
{
	return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

/* ---- RFLAGS ---- */

#define RF_CF UINT64_C(0x0001)
#define RF_PF UINT64_C(0x0004)
#define RF_AF UINT64_C(0x0010)
#define RF_ZF UINT64_C(0x0040)
#define RF_SF UINT64_C(0x0080)
#define RF_TF UINT64_C(0x0100)
#define RF_DF UINT64_C(0x0400)
#define RF_OF UINT64_C(0x0800)
#define RF_NT UINT64_C(0x4000)
#define RF_RF UINT64_C(0x10000)
#define RF_AC UINT64_C(0x40000)
#define RF_ID UINT64_C(0x200000)
#define RF_STATUS (RF_CF | RF_PF | RF_AF | RF_SF | RF_OF)

/* How a leaf with a status ends: RAX, ZF by it, the other flags clear. */
static inline void leaf_status(struct cpu_regs *r, int status)
{
	r->rax = (uint64_t)status;
	r->rflags &= ~(RF_STATUS | RF_ZF);
	if (status != 0)
		r->rflags |= RF_ZF;
}

#define ENCLU_LENGTH 3 /* 0F 01 D7 */

/* ---- ENCLU leaves, by file ---- */

int leaf_ereport(struct cpu_lp *lp, struct cpu_regs *r, struct cpu_fault *f);
int leaf_egetkey(struct cpu_lp *lp, struct cpu_regs *r, struct cpu_fault *f);
int leaf_eaccept(struct cpu_lp *lp, struct cpu_regs *r, struct cpu_fault *f);
int leaf_eacceptcopy(struct cpu_lp *lp, struct cpu_regs *r, struct cpu_fault *f);
int leaf_emodpe(struct cpu_lp *lp, struct cpu_regs *r, struct cpu_fault *f);
int leaf_edeccssa(struct cpu_lp *lp, struct cpu_regs *r, struct cpu_fault *f);

/*
 * An operand of an ENCLU leaf: `n` bytes, aligned to `align` (at least n, at
 * most a page), inside ELRANGE, on a regular page with these permissions.
 * Returns 0 with *p pointing into the alias, or CPU_FAULT.
 */
int operand(const struct cpu_epc *epc, uint64_t linear, uint64_t align, bool r, bool w,
	    uint8_t **p, struct cpu_fault *f);

/* ---- xsave.c: the XSAVE area of the SSA (SDM 38.9, 39.3.2) ---- */

/* Read CPUID once, before anything runs in a signal handler. */
void xsave_init(void);
/* isa_xsave_size without CPUID; 0 if a component is not offered here. */
uint32_t xsave_size(uint64_t xfrm);
/* x is an XSAVE area of n bytes; one without room for the XSAVE header is left alone. */
void xsave_save(uint8_t *frame, const uint8_t *x, size_t n, uint64_t xfrm);
/* The components of xfrm as after an AEX for this reason: nothing of the enclave is left in them. */
void xsave_synthesise(uint8_t *x, size_t n, uint64_t xfrm, const struct cpu_fault *why);
/* False, with nothing changed, where XRSTOR of this frame would raise #GP. */
bool xsave_restore(uint8_t *x, size_t n, const uint8_t *frame, uint64_t xfrm);

/* ---- keys.c ---- */

/*
 * What a key depends on: the SDM's TMP_KEYDEPENDENCIES (40.4, EGETKEY), in the
 * order in which it is hashed here. Little-endian, no padding bytes.
 */
struct key_deps {
	uint8_t label[16];
	uint16_t keyname, keypolicy, isvprodid, isvsvn, configsvn;
	uint8_t zero[6];
	uint32_t miscselect, miscmask;
	struct isa_attributes attributes, attributemask;
	uint8_t cpusvn[16];
	uint8_t ownerepoch[16];
	uint8_t isvfamilyid[16], isvextprodid[16];
	uint8_t mrenclave[32], mrsigner[32];
	uint8_t keyid[32];
	uint8_t seal_fuses[32];
	uint8_t configid[64];
	uint8_t padding[352];
};
void key_derive(const struct cpu_platform *p, struct key_deps *d, uint8_t out[16]);
/* True if the CPU has reached this CPUSVN in every component. */
bool cpusvn_reached(const struct cpu_platform *p, const uint8_t cpusvn[16]);
/* The key that EINIT checks a token's MAC with. */
void key_einittoken(const struct cpu_platform *p, const struct isa_einittoken *t,
		    uint8_t out[16]);
/* The key that EREPORT makes the MAC for this target with. */
void key_report(const struct cpu_platform *p, const struct isa_targetinfo *target,
		const uint8_t keyid[32], uint8_t out[16]);
/* EGETKEY's: 0 or a status; the request's reserved fields are already checked. */
int key_request(const struct cpu_platform *p, const struct epc_view *v,
		const struct isa_keyrequest *q, uint8_t out[16]);

#endif
