/*
 * cpu: the emulated SGX CPU. Two halves behind one header.
 *
 * The *state half* is pure: a platform (fuses, CPUSVN, launch control), the
 * EPC of an enclave (pages and EPCM in a memfd) and the leaf functions of
 * ENCLS and ENCLU as functions over them and over a register file. It knows
 * no signal and no thread.
 *
 * The *engine half* makes it happen on this machine: it maps ELRANGE with the
 * protections that the EPCM allows, enters by a jump, traps ENCLU and faults,
 * performs AEXs for every signal, and delivers the program's own handlers on
 * the stack they would have had.
 */
#ifndef BAWN_CPU_H
#define BAWN_CPU_H

#include "crypto/crypto.h"
#include "isa/isa.h"

/* ======================= platform ======================= */

/*
 * One emulated platform: a directory (0700) holding fuses and settings. Two
 * with the same content are the same machine. Whoever can read it is that
 * machine: all users of one platform are one trust domain.
 */
struct cpu_platform {
	uint8_t id[16];             /* public name of the platform, random */
	uint8_t provision_fuse[32]; /* root provisioning key */
	uint8_t seal_fuse[32];      /* root sealing key */
	uint8_t owner_epoch[16];
	uint8_t cpusvn[16];         /* current; `upgrade` raises it */
	bool launch_locked;         /* IA32_SGXLEPUBKEYHASH not writable */
	uint8_t lepubkeyhash[32];   /* the signer whose enclaves need no token */
	bool sgx2;                  /* EDMM leaves present */
	bool kss;
	bool aexnotify;             /* AEX-notify and EDECCSSA */
	/*
	 * Bytes of EPC that CPUID reports. Not a limit here: under a kernel that
	 * swaps EPC pages, enclaves may be larger than the EPC (cpu_epc_pages
	 * counts for who wants to limit).
	 */
	uint64_t epc_size;
};

struct cpu_platform_options {
	bool launch_locked;
	const uint8_t *lepubkeyhash; /* 32 bytes or NULL */
	bool sgx1;                   /* no SGX2, KSS, AEX-notify */
	uint64_t epc_size;           /* 0: default */
};

/* $BAWN_PLATFORM, else $XDG_STATE_HOME/bawn/platform, else ~/.local/state/bawn/platform. */
int cpu_platform_default_dir(char *out, size_t max, struct bawn_error *e);
/* Fresh fuses. opt may be NULL. Refuses a directory that exists; makes missing parents (0700). */
int cpu_platform_create(const char *dir, const struct cpu_platform_options *opt,
			struct bawn_error *e);
/* BAWN_ERR_NOT_FOUND if there is none. The caller wipes *out when done with it. */
int cpu_platform_load(const char *dir, struct cpu_platform *out, struct bawn_error *e);
/*
 * What opening an emulated device does: load dir or, if dir is NULL, the
 * default platform, which is created (default options) if it does not exist.
 */
int cpu_platform_open(const char *dir, struct cpu_platform *out, struct bawn_error *e);
/* Parse the text of a platform file: strict; every key exactly once. */
int cpu_platform_parse(const void *text, size_t n, struct cpu_platform *out, struct bawn_error *e);
/* Raise CPUSVN: component `index` (0 to 15) to `svn`, which must be higher. */
int cpu_platform_upgrade(const char *dir, unsigned index, uint8_t svn, struct bawn_error *e);
/* Wipe and remove exactly the files a platform consists of; refuses anything else. */
int cpu_platform_remove(const char *dir, struct bawn_error *e);

/* ======================= how leaf functions end ======================= */

/*
 * How a leaf function ends: 0 or a positive status (what RAX gets, with ZF
 * set for nonzero ones), or CPU_FAULT with *fault telling the exception that
 * the instruction raises, with nothing changed.
 */
#define CPU_FAULT (-1)
struct cpu_fault {
	uint8_t vector;      /* enum isa_vector */
	uint32_t error_code; /* #GP 0, #PF as in SDM 37.x, with PF_SGX for EPCM violations */
	uint64_t address;    /* #PF: the linear address */
};

/* ======================= EPC of one enclave ======================= */

/*
 * EPCM entry. Entries are packed 64-bit words in the shared memfd: a read is
 * one atomic load; whoever changes one holds the EPC's lock (epc_lock.c).
 */
struct cpu_epcm {
	bool valid, pending, modified, pr;
	uint8_t pt;          /* enum isa_page_type */
	uint8_t permissions; /* SECINFO_R | W | X */
	/*
	 * What a driver lets it be mapped with, likewise: as it was added; TCSs RW;
	 * pages of EAUG all. EMODPR and EMODPE leave it alone.
	 */
	uint8_t most;
};

/*
 * One enclave's EPC as this process sees it. The memfd's layout is
 * doc/EMULATED-CPU.md's: header page, SECS page, EPCM, then a page for every
 * page of ELRANGE, sparse, at a linear file offset, so that ELRANGE is one
 * mapping of [pages_off, pages_off + size).
 */
struct cpu_epc {
	int fd;
	uint64_t base, size;  /* ELRANGE; size 0 before ECREATE */
	uint8_t *alias;       /* the emulator's own mapping of all pages, read-write */
	uint64_t pages_off;   /* file offset of the page at BASEADDR */
	struct cpu_platform platform; /* fuses in locked, undumpable memory are the caller's choice */
	/* The engine's hook: called after the EPCM of pages [offset, offset + length) changed. */
	void (*changed)(void *arg, uint64_t offset, uint64_t length);
	void *changed_arg;
	/*
	 * The engine's hook: PROT_* bits of the VMA over a page, for operands of
	 * ENCLU leaves and SSA frames, which go through the page tables on
	 * hardware. NULL: everything is allowed. No system call, no lock.
	 */
	int (*vma)(void *arg, uint64_t offset);
	void *vma_arg;
	/*
	 * The driver's hook: pages that the engine is about to add on demand, or a
	 * negative number of those that it did not after all. False: no room.
	 * Called in traps. NULL: there is always room.
	 */
	bool (*charge)(void *arg, int64_t pages);
	void *charge_arg;
	struct cpu_epc_shared *shared; /* the header page; private to the state half */
	struct cpu_epc_private *priv;  /* likewise */
};

/* A fresh, empty EPC (a memfd, close-on-exec). */
int cpu_epc_new(struct cpu_epc **out, const struct cpu_platform *p, struct bawn_error *e);
/*
 * An EPC received from elsewhere; checks that it is one, of this platform, and
 * every length in it: the sender is not trusted. Dups fd.
 */
int cpu_epc_attach(struct cpu_epc **out, int fd, const struct cpu_platform *p,
		   struct bawn_error *e);
/* Unmaps, closes, wipes. No thread may be inside, or use it any more. */
void cpu_epc_free(struct cpu_epc **epc);
/* The EPCM entry of the page at this offset; false outside ELRANGE. */
bool cpu_epcm_get(const struct cpu_epc *epc, uint64_t offset, struct cpu_epcm *out);
/* The SECS as it stands (measurement final after EINIT); false before ECREATE. */
bool cpu_epc_secs(const struct cpu_epc *epc, struct isa_secs *out);
bool cpu_epc_initialised(const struct cpu_epc *epc);
/* Valid pages of the enclave, SECS not counted. */
uint64_t cpu_epc_pages(const struct cpu_epc *epc);
/* Rises with every change of any EPCM entry, in any process: compare before trusting a cached protection. */
uint64_t cpu_epc_generation(const struct cpu_epc *epc);

/*
 * One request at a time, whichever process makes it, for whoever plays the
 * driver: false while another is under way. A dead one's ends by itself.
 */
bool cpu_epc_request_begin(struct cpu_epc *epc);
void cpu_epc_request_end(struct cpu_epc *epc);
/* Attributes that the driver has granted this enclave so far, and granting more. */
uint64_t cpu_epc_granted(const struct cpu_epc *epc);
void cpu_epc_grant(struct cpu_epc *epc, uint64_t attributes);

/* The host protection (PROT_*) that this page may be mapped with: what VMA and EPCM both allow. */
int cpu_page_protection(const struct cpu_epc *epc, uint64_t offset, int vma);
/*
 * An access from inside the enclave, to `offset` (any byte of the page),
 * faulted on the host: what the CPU, and a kernel with SGX2, would make of it.
 * access is PF_W for a write, PF_I for a fetch, 0 for a read.
 */
enum cpu_access {
	CPU_ACCESS_OK,    /* legal: map the page with *prot and retry */
	CPU_ACCESS_EAUG,  /* no page there, but SGX2: EAUG it (cpu_eaug), and ask again */
	CPU_ACCESS_FAULT, /* *fault is the #PF to deliver */
};
enum cpu_access cpu_page_access(const struct cpu_epc *epc, uint64_t offset, uint32_t access,
				int vma, int *prot, struct cpu_fault *fault);

/* ======================= leaf functions ======================= */

/* ---- ENCLS: what a driver executes ---- */

int cpu_ecreate(struct cpu_epc *epc, const struct isa_secs *secs, struct cpu_fault *f);
/* One page; page points to 4096 bytes. */
int cpu_eadd(struct cpu_epc *epc, uint64_t offset, const void *page, const struct isa_secinfo *si,
	     struct cpu_fault *f);
int cpu_eextend(struct cpu_epc *epc, uint64_t offset, struct cpu_fault *f); /* 256 bytes */
/*
 * Many pages at the cost of the hash: EADD of `length` bytes from src (one
 * page if repeat) and, if measured, EEXTEND of each chunk, same result as
 * page by page. *done counts the bytes added, also on a fault.
 */
int cpu_eadd_many(struct cpu_epc *epc, uint64_t offset, uint64_t length, const void *src,
		  bool repeat, const struct isa_secinfo *si, bool measured, uint64_t *done,
		  struct cpu_fault *f);
/*
 * IA32_SGXLEPUBKEYHASH0 to 3, as this EPC's enclave meets them: at first the
 * platform's. Writing is WRMSR: #GP where launch control is locked. Where it is
 * flexible, the kernel's driver writes the enclave's own signer before EINIT,
 * and whoever plays the driver here has to do the same.
 */
int cpu_lepubkeyhash_write(struct cpu_epc *epc, const uint8_t hash[32], struct cpu_fault *f);
/* t NULL: a token of zeros, VALID = 0. Never SGX_UNMASKED_EVENT: events wait for the end. */
int cpu_einit(struct cpu_epc *epc, const struct isa_sigstruct *s, const struct isa_einittoken *t,
	      struct cpu_fault *f);
/* CPU_SECS_PAGE removes the SECS: SGX_CHILD_PRESENT while it has pages. */
#define CPU_SECS_PAGE UINT64_MAX
int cpu_eremove(struct cpu_epc *epc, uint64_t offset, struct cpu_fault *f);
int cpu_eaug(struct cpu_epc *epc, uint64_t offset, struct cpu_fault *f);
int cpu_emodpr(struct cpu_epc *epc, uint64_t offset, const struct isa_secinfo *si,
	       struct cpu_fault *f);
int cpu_emodt(struct cpu_epc *epc, uint64_t offset, const struct isa_secinfo *si,
	      struct cpu_fault *f);
int cpu_edbgrd(struct cpu_epc *epc, uint64_t offset, uint64_t *value, struct cpu_fault *f);
int cpu_edbgwr(struct cpu_epc *epc, uint64_t offset, uint64_t value, struct cpu_fault *f);

/* ---- a logical processor ---- */

struct cpu_regs {
	uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rflags, rip, fsbase, gsbase;
	/*
	 * XSAVE area in standard format, xsave_size bytes (header included), or
	 * NULL: then the leaf leaves extended state alone. Modified in place.
	 */
	uint8_t *xsave;
	size_t xsave_size;
};

/* What the CPU remembers while a thread is in an enclave (SDM 37, CR_* registers). */
struct cpu_lp {
	struct cpu_epc *epc;  /* NULL: not in an enclave */
	uint64_t tcs;         /* linear address of the TCS */
	uint64_t aep;
	uint64_t ursp, urbp;  /* RSP and RBP at entry */
	uint64_t ssa;         /* offset of the SSA frame that an AEX would fill */
	uint64_t host_fs, host_gs;
	bool saved_tf, dbgoptin;
	uint64_t owner;       /* who marks TCSs busy: see cpu_owner_self */
};
/*
 * This thread, for the TCS's busy mark and the EPC's lock; a dead owner's mark
 * is taken over. Never 0. The first call of a thread reads /proc; later ones
 * make one system call, so keep it in the thread's cpu_lp.
 */
uint64_t cpu_owner_self(void);
/* False only if the thread is known to be dead (or a zombie, or its id another's by now). */
bool cpu_owner_alive(uint64_t owner);
/* The same for this process: it lives as long as one of its threads does. Reads /proc each time. */
uint64_t cpu_owner_process(void);
bool cpu_owner_process_alive(uint64_t owner);

/*
 * ENCLU. Each takes the registers as at the instruction and leaves them as
 * after it (RIP included: the next instruction, or the target). On CPU_FAULT
 * nothing has changed. epc is the enclave that RBX's TCS lies in (EENTER,
 * ERESUME) or lp->epc.
 */
int cpu_eenter(struct cpu_lp *lp, struct cpu_epc *epc, struct cpu_regs *r, struct cpu_fault *f);
int cpu_eresume(struct cpu_lp *lp, struct cpu_epc *epc, struct cpu_regs *r, struct cpu_fault *f);
int cpu_eexit(struct cpu_lp *lp, struct cpu_regs *r, struct cpu_fault *f);
/* EREPORT, EGETKEY, EACCEPT, EACCEPTCOPY, EMODPE, EVERIFYREPORT2, EDECCSSA, by EAX; advances RIP. */
int cpu_enclu_inside(struct cpu_lp *lp, struct cpu_regs *r, struct cpu_fault *f);
/*
 * Asynchronous exit: state to the SSA, synthetic state to r (RAX = ERESUME,
 * RBX = TCS, RCX = RIP = AEP), bases of the host. why is the exception, or
 * NULL for an interrupt. False if the state could not be saved (the SSA page
 * is gone): the enclave is then dead and r is still the synthetic state.
 */
bool cpu_aex(struct cpu_lp *lp, struct cpu_regs *r, const struct cpu_fault *why);

/* What the emulated CPU offers here: XFRM from XCR0 and CPUID, MISCSELECT. */
struct cpu_features {
	uint64_t xfrm;
	uint32_t miscselect;
	uint64_t attributes;   /* ATTRIBUTES flags that ECREATE accepts */
	uint8_t size_log2;     /* MaxEnclaveSize_64 of CPUID.(12H,0) */
	bool sgx2, kss, aexnotify;
};
void cpu_features(const struct cpu_platform *p, struct cpu_features *out);

/*
 * Keys outside an enclave, for the platform's manufacturer (the fab) and
 * tests: what EGETKEY(PROVISION_KEY) would give an enclave of this signer.
 * `masked` and masked_misc are its ATTRIBUTES and MISCSELECT after masking;
 * mask and miscmask those of the KEYREQUEST, which enter the key as well.
 */
void cpu_provision_key(const struct cpu_platform *p, const uint8_t mrsigner[32],
		       uint16_t isvprodid, uint16_t isvsvn, const uint8_t cpusvn[16],
		       const struct isa_attributes *masked, const struct isa_attributes *mask,
		       uint32_t masked_misc, uint32_t miscmask, uint8_t out[16]);

/* ======================= raw system calls ======================= */

/*
 * The engine, and what `bawn emulate` injects, make their system calls
 * themselves: they run where errno belongs to whoever was interrupted, and under
 * names that they interpose. Result or -errno.
 */
static inline long cpu_syscall6(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
				uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
static inline long cpu_syscall(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	return cpu_syscall6(nr, a, b, c, d, 0, 0);
}
static inline bool cpu_syscall_failed(long ret)
{
	return (unsigned long)ret > -4096ul;
}

/* ======================= the engine ======================= */

/*
 * Map ELRANGE of an EPC (at its base, once ECREATE has set it) and follow its
 * EPCM. Reserving the range beforehand is cpu_elrange_reserve's.
 */
int cpu_elrange_reserve(uint64_t size, uint64_t *base, struct bawn_error *e);
int cpu_elrange_map(struct cpu_epc *epc, struct bawn_error *e);
/*
 * The same in pieces, for whoever plays the driver: make ELRANGE known without
 * mapping any of it; then map and unmap ranges of it in place of whatever the
 * address space has there. Unmapped ranges are holes; with the last one gone
 * ELRANGE stays known until cpu_elrange_unmap.
 */
int cpu_elrange_attach(struct cpu_epc *epc, struct bawn_error *e);
int cpu_elrange_map_range(struct cpu_epc *epc, uint64_t offset, uint64_t length, int prot,
			  struct bawn_error *e);
int cpu_elrange_unmap_range(struct cpu_epc *epc, uint64_t offset, uint64_t length,
			    struct bawn_error *e);
/* Forget a range without unmapping it: something else is about to be mapped there. */
void cpu_elrange_forget_range(struct cpu_epc *epc, uint64_t offset, uint64_t length);
/* The mapping of the page at this offset: PROT_* bits, or -1 where there is none. */
int cpu_elrange_prot(const struct cpu_epc *epc, uint64_t offset);
/* The enclave known at this address, or NULL. */
struct cpu_epc *cpu_elrange_find(uint64_t address);
/* What a VMA would allow at most, page range by page range, as mmap or mprotect set it. */
int cpu_elrange_protect(struct cpu_epc *epc, uint64_t offset, uint64_t length, int prot,
			struct bawn_error *e);
void cpu_elrange_unmap(struct cpu_epc *epc);

/*
 * Take over the signals of this process: wrap the handlers it has, and those
 * it installs later. Once, at the first use of an emulated device; again is a
 * no-op.
 */
int cpu_engine_start(struct bawn_error *e);
/*
 * __vdso_sgx_enter_enclave on the emulated CPU: same registers, same frame,
 * same struct, same return values. A C function with all that goes with it; the
 * kernel's own is not: after an exception it returns with R12 to R15 zero.
 */
int cpu_enter_enclave(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned int leaf,
		      unsigned long r8, unsigned long r9, struct isa_run *run);
/*
 * Copy between memory that may not be there and memory that is: false if any
 * of it faults. Needs the engine started.
 */
bool cpu_copy(void *to, const void *from, size_t n);
/*
 * Before cpu_engine_start: SYSCALL in an enclave shall raise #UD. [start, end)
 * is the code that the engine is in. False where the kernel cannot do that.
 */
bool cpu_engine_strict(const void *start, const void *end);
/* True where CPUID inside an enclave faults (the CPU can, and the kernel lets us). */
bool cpu_engine_faults_cpuid(void);
/*
 * Let CPUID outside of enclaves answer otherwise: r has what the CPU says, EAX,
 * EBX, ECX, EDX. True if CPUID faults from now on in this thread and those that
 * it makes. stands_at: a UD2 at this address was a CPUID; NULL for none.
 */
typedef void (*cpu_cpuid_fn)(uint32_t leaf, uint32_t subleaf, uint32_t r[4]);
bool cpu_engine_cpuid(cpu_cpuid_fn answer, bool (*stands_at)(uint64_t rip));
/* This program is under `bawn emulate`: what it takes for hardware is emulated. */
bool cpu_engine_is_injected(void);
/* Counters since the start, for tests and benchmarks. */
struct cpu_counters {
	uint64_t eenter, eresume, eexit, aex, faults, threads;
};
void cpu_engine_counters(struct cpu_counters *out);

#endif
