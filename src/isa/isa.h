/*
 * isa: the architectural structures of SGX, their validity rules and the
 * blocks that make up a measurement. Names and sections are those of Intel's
 * Software Developer's Manual (SDM), volume 3D, chapters 37 to 40.
 *
 * Structures are laid out as in memory, little-endian, and are only ever
 * filled by copying; sizes and offsets are asserted in isa.c. Freestanding:
 * enclave code includes this too.
 */
#ifndef BAWN_ISA_H
#define BAWN_ISA_H

#include "base/base.h"

#define ISA_PAGE 4096u

/* ---- leaf functions: EAX of ENCLS (SDM 40.3) and ENCLU (SDM 40.4) ---- */

enum isa_encls {
	ENCLS_ECREATE = 0x00,
	ENCLS_EADD = 0x01,
	ENCLS_EINIT = 0x02,
	ENCLS_EREMOVE = 0x03,
	ENCLS_EDBGRD = 0x04,
	ENCLS_EDBGWR = 0x05,
	ENCLS_EEXTEND = 0x06,
	ENCLS_EAUG = 0x0d,
	ENCLS_EMODPR = 0x0e,
	ENCLS_EMODT = 0x0f,
};
enum isa_enclu {
	ENCLU_EREPORT = 0x00,
	ENCLU_EGETKEY = 0x01,
	ENCLU_EENTER = 0x02,
	ENCLU_ERESUME = 0x03,
	ENCLU_EEXIT = 0x04,
	ENCLU_EACCEPT = 0x05,
	ENCLU_EMODPE = 0x06,
	ENCLU_EACCEPTCOPY = 0x07,
	ENCLU_EVERIFYREPORT2 = 0x08,
	ENCLU_EDECCSSA = 0x09,
};

/* ---- status codes in RAX (SDM table 37-26) ---- */

enum isa_status {
	ISA_SUCCESS = 0,
	ISA_INVALID_SIG_STRUCT = 1,
	ISA_INVALID_ATTRIBUTE = 2,
	ISA_BLKSTATE = 3,
	ISA_INVALID_MEASUREMENT = 4,
	ISA_NOTBLOCKABLE = 5,
	ISA_PG_INVLD = 6,
	ISA_EPC_PAGE_CONFLICT = 7,
	ISA_INVALID_SIGNATURE = 8,
	ISA_MAC_COMPARE_FAIL = 9,
	ISA_PAGE_NOT_BLOCKED = 10,
	ISA_NOT_TRACKED = 11,
	ISA_VA_SLOT_OCCUPIED = 12,
	ISA_CHILD_PRESENT = 13,
	ISA_ENCLAVE_ACT = 14,
	ISA_ENTRYEPOCH_LOCKED = 15,
	ISA_INVALID_EINITTOKEN = 16,
	ISA_PREV_TRK_INCMPL = 17,
	ISA_PG_IS_SECS = 18,
	ISA_PAGE_ATTRIBUTES_MISMATCH = 19,
	ISA_PAGE_NOT_MODIFIABLE = 20,
	ISA_PAGE_NOT_DEBUGGABLE = 21,
	ISA_INVALID_COUNTER = 25,
	ISA_PG_NONEPC = 26,
	ISA_TRACK_NOT_REQUIRED = 27,
	ISA_INVALID_REPORTMACSTRUCT = 28,
	ISA_INSUFFICIENT_ENTROPY = 29,
	ISA_EPC_NOT_READY = 30,
	ISA_NO_UPDATE = 31,
	ISA_INVALID_CPUSVN = 32,
	ISA_INVALID_ISVSVN = 64,
	ISA_UNMASKED_EVENT = 128,
	ISA_INVALID_KEYNAME = 256,
};
/* "SGX_INVALID_SIG_STRUCT" and so on; "unknown status" for a value the SDM does not name. */
const char *isa_status_name(uint32_t status);

/* ---- attributes (SDM 38.7.1) ---- */

struct isa_attributes {
	uint64_t flags;
	uint64_t xfrm;
};
#define ATTR_INIT UINT64_C(0x01)
#define ATTR_DEBUG UINT64_C(0x02)
#define ATTR_MODE64BIT UINT64_C(0x04)
#define ATTR_PROVISIONKEY UINT64_C(0x10)
#define ATTR_EINITTOKEN_KEY UINT64_C(0x20)
#define ATTR_CET UINT64_C(0x40)
#define ATTR_KSS UINT64_C(0x80)
#define ATTR_AEXNOTIFY UINT64_C(0x400)
#define ATTR_KNOWN                                                                                 \
	(ATTR_INIT | ATTR_DEBUG | ATTR_MODE64BIT | ATTR_PROVISIONKEY | ATTR_EINITTOKEN_KEY |       \
	 ATTR_CET | ATTR_KSS | ATTR_AEXNOTIFY)

#define XFRM_X87_SSE UINT64_C(0x3)
#define XFRM_AVX UINT64_C(0x4)
#define XFRM_MPX UINT64_C(0x18)     /* BNDREGS and BNDCSR: both or neither */
#define XFRM_AVX512 UINT64_C(0xe0)  /* opmask, ZMM_Hi256, Hi16_ZMM: all, and AVX, or none */
#define XFRM_PKRU UINT64_C(0x200)
#define XFRM_AMX UINT64_C(0x60000)  /* XTILECFG and XTILEDATA: both or neither */

/* MISCSELECT (SDM 38.7.2) */
#define MISC_EXINFO UINT32_C(1) /* #PF and #GP leave EXINFO in the SSA frame */
#define MISC_CPINFO UINT32_C(2) /* #CP too */

/* ---- SECS (SDM 38.7), one page ---- */

struct isa_secs {
	uint64_t size;
	uint64_t baseaddr;
	uint32_t ssaframesize; /* in pages */
	uint32_t miscselect;
	uint8_t cet_leg_bitmap_offset[8];
	uint8_t cet_attributes;
	uint8_t reserved1[15];
	struct isa_attributes attributes;
	uint8_t mrenclave[32];
	uint8_t reserved2[32];
	uint8_t mrsigner[32];
	uint8_t reserved3[32];
	uint8_t configid[64];
	uint16_t isvprodid;
	uint16_t isvsvn;
	uint16_t configsvn;
	uint8_t reserved4[3834];
};

/* ---- SECINFO (SDM 38.11) ---- */

struct isa_secinfo {
	uint64_t flags;
	uint8_t reserved[56];
};
#define SECINFO_R UINT64_C(0x01)
#define SECINFO_W UINT64_C(0x02)
#define SECINFO_X UINT64_C(0x04)
#define SECINFO_PENDING UINT64_C(0x08)
#define SECINFO_MODIFIED UINT64_C(0x10)
#define SECINFO_PR UINT64_C(0x20)
/* SECINFO.FLAGS of EADD: everything else is reserved, or set by the CPU alone. */
#define SECINFO_EADD_FLAGS (SECINFO_RWX | UINT64_C(0xff00))
#define SECINFO_RWX (SECINFO_R | SECINFO_W | SECINFO_X)
#define SECINFO_PT(flags) (((flags) >> 8) & 0xff)
#define SECINFO_OF_PT(pt) ((uint64_t)(pt) << 8)
enum isa_page_type {
	PT_SECS = 0,
	PT_TCS = 1,
	PT_REG = 2,
	PT_VA = 3,
	PT_TRIM = 4,
	PT_SS_FIRST = 5,
	PT_SS_REST = 6,
};

/* ---- TCS (SDM 38.8), one page ---- */

struct isa_tcs {
	uint64_t stage; /* the CPU's own; software writes zero */
	uint64_t flags;
	uint64_t ossa;
	uint32_t cssa;
	uint32_t nssa;
	uint64_t oentry;
	uint64_t aep; /* the CPU's own */
	uint64_t ofsbase;
	uint64_t ogsbase;
	uint32_t fslimit;
	uint32_t gslimit;
	uint64_t ocetssa;
	uint64_t prevssp;
	uint8_t reserved[4008];
};
#define TCS_DBGOPTIN UINT64_C(1)
#define TCS_AEXNOTIFY UINT64_C(2)

/* ---- state save area (SDM 38.9) ---- */

struct isa_gprsgx {
	uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rflags, rip;
	uint64_t ursp, urbp;
	uint32_t exitinfo; /* vector 7:0, type 10:8, valid 31 */
	uint8_t reserved[3];
	uint8_t aexnotify;
	uint64_t fsbase, gsbase;
};
#define EXITINFO_VALID UINT32_C(0x80000000)
#define EXITINFO_HARDWARE UINT32_C(0x300)
#define EXITINFO_SOFTWARE UINT32_C(0x600)

struct isa_exinfo {
	uint64_t maddr;
	uint32_t errcd;
	uint32_t reserved;
};
#define PF_P UINT32_C(0x0001)
#define PF_W UINT32_C(0x0002)
#define PF_U UINT32_C(0x0004)
#define PF_I UINT32_C(0x0010)
#define PF_SGX UINT32_C(0x8000)

enum isa_vector {
	VEC_DE = 0,
	VEC_DB = 1,
	VEC_BP = 3,
	VEC_BR = 5,
	VEC_UD = 6,
	VEC_GP = 13,
	VEC_PF = 14,
	VEC_MF = 16,
	VEC_AC = 17,
	VEC_XM = 19,
	VEC_CP = 21,
};

/* ---- REPORT (SDM 38.15), TARGETINFO (38.16), KEYREQUEST (38.17) ---- */

struct isa_report_body {
	uint8_t cpusvn[16];
	uint32_t miscselect;
	uint8_t cet_attributes;
	uint8_t reserved1[11];
	uint8_t isvextprodid[16];
	struct isa_attributes attributes;
	uint8_t mrenclave[32];
	uint8_t reserved2[32];
	uint8_t mrsigner[32];
	uint8_t reserved3[32];
	uint8_t configid[64];
	uint16_t isvprodid;
	uint16_t isvsvn;
	uint16_t configsvn;
	uint8_t reserved4[42];
	uint8_t isvfamilyid[16];
	uint8_t reportdata[64];
};
struct isa_report {
	struct isa_report_body body;
	uint8_t keyid[32];
	uint8_t mac[16]; /* AES-CMAC of body alone */
};
struct isa_targetinfo {
	uint8_t measurement[32];
	struct isa_attributes attributes;
	uint8_t cet_attributes;
	uint8_t reserved1;
	uint16_t configsvn;
	uint32_t miscselect;
	uint8_t reserved2[8];
	uint8_t configid[64];
	uint8_t reserved3[384];
};
struct isa_keyrequest {
	uint16_t keyname;
	uint16_t keypolicy;
	uint16_t isvsvn;
	uint8_t cet_attributes_mask;
	uint8_t reserved1;
	uint8_t cpusvn[16];
	struct isa_attributes attributemask;
	uint8_t keyid[32];
	uint32_t miscmask;
	uint16_t configsvn;
	uint8_t reserved2[434];
};
enum isa_keyname {
	KEY_EINITTOKEN = 0,
	KEY_PROVISION = 1,
	KEY_PROVISION_SEAL = 2,
	KEY_REPORT = 3,
	KEY_SEAL = 4,
};
#define KEYPOLICY_MRENCLAVE 0x0001u
#define KEYPOLICY_MRSIGNER 0x0002u
#define KEYPOLICY_NOISVPRODID 0x0004u
#define KEYPOLICY_CONFIGID 0x0008u
#define KEYPOLICY_ISVFAMILYID 0x0010u
#define KEYPOLICY_ISVEXTPRODID 0x0020u

/* ---- SIGSTRUCT (SDM 38.13) and EINITTOKEN (38.14) ---- */

struct isa_sigstruct {
	uint8_t header[16];
	uint32_t vendor;
	uint32_t date; /* BCD yyyymmdd */
	uint8_t header2[16];
	uint32_t swdefined;
	uint8_t reserved1[84];
	uint8_t modulus[384];
	uint32_t exponent;
	uint8_t signature[384];
	uint32_t miscselect;
	uint32_t miscmask;
	uint8_t cet_attributes;
	uint8_t cet_attributes_mask;
	uint8_t reserved2[2];
	uint8_t isvfamilyid[16];
	struct isa_attributes attributes;
	struct isa_attributes attributemask;
	uint8_t enclavehash[32];
	uint8_t reserved3[16];
	uint8_t isvextprodid[16];
	uint16_t isvprodid;
	uint16_t isvsvn;
	uint8_t reserved4[12];
	uint8_t q1[384];
	uint8_t q2[384];
} __attribute__((packed));
/* "BDEV" in SWDEFINED: signed with a key of a build tree, which is no secret. */
#define ISA_SWDEFINED_DEVELOPMENT UINT32_C(0x56454442)
/* The signed bytes: 0..127 and 900..1027, as the 256 bytes that are hashed. */
#define ISA_SIGSTRUCT_SIGNED 256
void isa_sigstruct_signed(const struct isa_sigstruct *s, uint8_t out[ISA_SIGSTRUCT_SIGNED]);
#define ISA_VENDOR_INTEL UINT32_C(0x8086)
extern const uint8_t isa_sigstruct_header[16], isa_sigstruct_header2[16];

struct isa_einittoken {
	uint32_t valid;
	uint8_t reserved1[44];
	struct isa_attributes attributes;
	uint8_t mrenclave[32];
	uint8_t reserved2[32];
	uint8_t mrsigner[32];
	uint8_t reserved3[32];
	uint8_t cpusvnle[16];
	uint16_t isvprodidle;
	uint16_t isvsvnle;
	uint8_t reserved4[24];
	uint32_t maskedmiscselectle;
	struct isa_attributes maskedattributesle;
	uint8_t keyid[32];
	uint8_t mac[16];
} __attribute__((packed));
#define ISA_EINITTOKEN_MACED 192 /* the first bytes, covered by the MAC */

/* ---- entering an enclave: the kernel's ABI (asm/sgx.h), which every device here speaks ---- */

/*
 * What an enclave run leaves behind: the kernel's struct sgx_enclave_run
 * (asm/sgx.h), which __vdso_sgx_enter_enclave fills, and so do we.
 */
struct isa_run {
	uint64_t tcs;
	uint32_t function; /* the leaf last executed: EENTER, ERESUME or EEXIT */
	uint16_t exception_vector;
	uint16_t exception_error_code;
	uint64_t exception_addr;
	uint64_t user_handler;
	uint64_t user_data;
	uint8_t reserved[216];
};
/* __vdso_sgx_enter_enclave's own signature: SysV registers, run on the stack. */
typedef int (*isa_enter_fn)(unsigned long rdi, unsigned long rsi, unsigned long rdx,
			    unsigned int leaf, unsigned long r8, unsigned long r9,
			    struct isa_run *run);

/* ---- validity: NULL if it holds, else what does not, in one phrase ---- */

/*
 * SECS as ECREATE checks it, against the XFRM and MISCSELECT bits the CPU
 * allows (SDM 40.3, ECREATE). 64-bit enclaves only. Executes CPUID, so not for
 * use inside an enclave; lives in a file of its own with isa_xsave_size.
 */
const char *isa_secs_flaw(const struct isa_secs *s, uint64_t allowed_xfrm, uint32_t allowed_misc);
/* XFRM alone: legal combinations of state components within what is allowed (SDM 42.7.2.1). */
const char *isa_xfrm_flaw(uint64_t xfrm, uint64_t allowed_xfrm);
/* SECINFO as EADD checks it: a regular page or a TCS; shadow stacks (CET) are refused. */
const char *isa_secinfo_flaw(const struct isa_secinfo *s);
/*
 * TCS as EADD checks it for a 64-bit enclave (addresses are the CPU's to check
 * at EENTER). EADD does not refuse a busy or debug-opted TCS, it resets it:
 * see isa_tcs_reset.
 */
const char *isa_tcs_flaw(const struct isa_tcs *t);
/* What EADD does to the TCS it copies in: stage, CSSA, AEP and DBGOPTIN become zero. */
void isa_tcs_reset(struct isa_tcs *t);
/* SIGSTRUCT's constants and reserved bytes, exponent and vendor; not the signature. */
const char *isa_sigstruct_flaw(const struct isa_sigstruct *s);
/*
 * Bytes of the XSAVE area in standard format for these features, from the
 * CPUID.(0DH,i) offsets of this machine; 576 for XFRM = 3. 0 if unknown.
 */
uint32_t isa_xsave_size(uint64_t xfrm);

/* ---- measurement: the 64-byte blocks that ECREATE, EADD and EEXTEND hash ---- */

#define ISA_MEASURE_BLOCK 64
#define ISA_MEASURE_CHUNK 256
void isa_measure_ecreate(uint32_t ssaframesize, uint64_t size, uint8_t out[ISA_MEASURE_BLOCK]);
/* SECINFO as given: the permissions of a TCS, which EADD clears, are left out here. */
void isa_measure_eadd(uint64_t offset, const struct isa_secinfo *s, uint8_t out[ISA_MEASURE_BLOCK]);
void isa_measure_eextend(uint64_t offset, uint8_t out[ISA_MEASURE_BLOCK]);
/*
 * All that is hashed for one measured page, in a row: one long update of a hash
 * costs less than 33 short ones. For pages of one kind after each other: begin
 * once, set the offset for each, and copy its chunks to where they belong.
 */
struct isa_measure_page {
	uint8_t eadd[ISA_MEASURE_BLOCK];
	struct {
		uint8_t eextend[ISA_MEASURE_BLOCK];
		uint8_t data[ISA_MEASURE_CHUNK];
	} chunk[ISA_PAGE / ISA_MEASURE_CHUNK];
};
void isa_measure_page_begin(struct isa_measure_page *m, const struct isa_secinfo *s);
void isa_measure_page_set(struct isa_measure_page *m, uint64_t offset, const uint8_t *page);

/* ---- what the signer tells an enclave of ours about its own layout ---- */

/*
 * An enclave built with Bawn's kit exports this structure as the symbol
 * "bawn_enclave_layout", in initialised data, with magic and size set
 * and all else zero; `bawn sign` fills the rest in (a patch of the metadata,
 * so it is measured). Offsets without a remark are from BASEADDR; those of
 * the thread part are from the thread's TCS and signed. doc/ENCLAVE-FORMAT.md.
 */
struct isa_enclave_layout {
	uint8_t magic[8]; /* ISA_LAYOUT_MAGIC */
	uint64_t size;    /* sizeof(struct isa_enclave_layout) as the enclave was built */
	uint64_t enclave_size;                   /* SECS.SIZE, bytes */
	uint64_t heap_offset;
	uint64_t heap_min, heap_init, heap_max;  /* bytes: always there, there at start, by EAUG */
	uint64_t threads_static, threads_max;    /* TCSs at EINIT; the most there can be, by EDMM */
	uint64_t thread_stride;                  /* distance of neighbouring TCSs in a group */
	int64_t stack_top, stack_start;          /* past the highest byte; lowest byte present at EINIT */
	int64_t stack_limit;                     /* lowest byte it can grow down to, by EAUG */
	int64_t ssa;                             /* first SSA frame */
	uint64_t ssa_frame_size, nssa;           /* bytes per frame; frames */
	int64_t td;                              /* the page that FS and GS point to */
	int64_t tls;                             /* start of the TLS block, which ends at td */
	uint64_t dynamic_tcs_offset;             /* first TCS that EDMM may make, or 0 */
	uint8_t tcs_template[72];                /* OSSA, OFSBASE, OGSBASE relative to the TCS */
	uint64_t flags;                          /* ISA_LAYOUT_ */
	uint8_t reserved[64];
};
#define ISA_LAYOUT_MAGIC "BAWNLAYO"
#define ISA_LAYOUT_EDMM UINT64_C(1) /* signed with dynamic heap, stack or threads */
#define ISA_LAYOUT_UNBOUND UINT64_C(2) /* a TCS serves one host thread after another */

#endif
