/*
 * bawn_enclave.h: what code inside an enclave built with Bawn's kit may use.
 *
 * An enclave is a table of functions, bawn_ecalls, that the host calls by
 * index. The runtime underneath speaks the entry ABI of SDK enclaves: see
 * doc/ENCLAVE-KIT.md, which also tells what it does and does not protect
 * against. Enclaves do not allocate: there is no heap.
 *
 * Functions returning uint32_t return an enum bawn_status, BAWN_STATUS_OK
 * if they did what they say, and leave no result in their outputs else.
 */
#ifndef BAWN_ENCLAVE_H
#define BAWN_ENCLAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden) /* one image, no symbol of which is looked up: no GOT */

/* The numbers are those that hosts of SDK enclaves know; an ECALL may return others of its own. */
enum bawn_status {
	BAWN_STATUS_OK = 0,
	BAWN_STATUS_FAILED = 0x0001,      /* the request makes no sense now */
	BAWN_STATUS_ARGUMENT = 0x0002,    /* a pointer, length or field is not acceptable */
	BAWN_STATUS_MEMORY = 0x0003,      /* a buffer is too small */
	BAWN_STATUS_FUNCTION = 0x1001,    /* no such ECALL or OCALL */
	BAWN_STATUS_CRASHED = 0x1006,     /* the enclave faulted and can not go on */
	BAWN_STATUS_NOT_NESTED = 0x1007,  /* this ECALL may not be made from within an OCALL */
	BAWN_STATUS_NO_OCALL = 0x1008,    /* no OCALL can be made here: in a fault handler */
	BAWN_STATUS_STACK = 0x1009,       /* the trusted stack is used up */
	BAWN_STATUS_MAC = 0x3001,         /* a report or a sealed blob does not verify */
	BAWN_STATUS_ATTRIBUTE = 0x3002,   /* EGETKEY: not entitled to this key */
	BAWN_STATUS_CPUSVN = 0x3003,      /* EGETKEY: CPUSVN above the CPU's own */
	BAWN_STATUS_ISVSVN = 0x3004,      /* EGETKEY: ISVSVN above the enclave's own */
	BAWN_STATUS_KEYNAME = 0x3005,     /* EGETKEY: no such key */
};

/* ---- ECALLs ---- */

/*
 * The runtime copies args_size bytes from the host into the enclave, once,
 * calls with the copy, and copies it back: no ECALL ever sees its arguments
 * change under its hands. args is 64-byte aligned, NULL if args_size is 0.
 * Whatever it returns is the status that the host sees; the copy goes back
 * in any case.
 */
struct bawn_ecall {
	uint32_t (*call)(void *args);
	uint32_t args_size; /* at most BAWN_ARGS_MAX */
	uint32_t flags;     /* BAWN_ECALL_* */
};
#define BAWN_ARGS_MAX 2048
#define BAWN_ECALL_NESTED 1u /* may be called while an OCALL of the same thread is pending */

/* The enclave defines these two. An entry without a function is not callable. */
extern const struct bawn_ecall bawn_ecalls[];
extern const uint32_t bawn_ecall_count;

/* ---- the host's memory ---- */

/*
 * An address in the host's memory. An integer, so that it can not be
 * dereferenced by mistake: only the two copies below touch it.
 */
typedef uint64_t bawn_untrusted;

/* True if all n bytes at p lie outside the enclave; false if they wrap, or if p is 0 and n is not. */
bool bawn_outside(bawn_untrusted p, size_t n);
/* True if all n bytes at p lie inside the enclave. */
bool bawn_inside(const void *p, size_t n);
/*
 * Copy n bytes in or out; false, with nothing copied, unless all of the
 * host's side lies outside. Copy what you check, then check the copy: the
 * host can change its memory between any two reads.
 */
bool bawn_copy_in(void *dst, bawn_untrusted src, size_t n);
bool bawn_copy_out(bawn_untrusted dst, const void *src, size_t n);

/* ---- OCALLs ---- */

/*
 * Call the host's function `index` with a copy of n bytes of args on the
 * host's stack, and copy them back (args NULL and n 0: none). The return
 * value is the host's, as is everything that comes back in args: check it.
 * BAWN_STATUS_NO_OCALL in a fault handler, BAWN_STATUS_ARGUMENT if the host's
 * stack can not be where it says.
 */
uint32_t bawn_ocall(uint32_t index, void *args, size_t n);
/*
 * n bytes on the host's stack, for what an OCALL's arguments point to: 16-byte
 * aligned, 0 if there are none. Free them in reverse order; what is left goes
 * when the ECALL returns.
 */
bawn_untrusted bawn_host_alloc(size_t n);
void bawn_host_free(bawn_untrusted p, size_t n);
#define BAWN_HOST_ALLOC_MAX (256u << 10)

/* ---- identity, reports and keys: the structures of SDM 38.15 to 38.17 ---- */

struct bawn_attributes {
	uint64_t flags;
	uint64_t xfrm;
};
struct bawn_targetinfo {
	uint8_t mrenclave[32];
	struct bawn_attributes attributes;
	uint8_t cet_attributes;
	uint8_t reserved1;
	uint16_t configsvn;
	uint32_t miscselect;
	uint8_t reserved2[8];
	uint8_t configid[64];
	uint8_t reserved3[384];
};
struct bawn_report_body {
	uint8_t cpusvn[16];
	uint32_t miscselect;
	uint8_t cet_attributes;
	uint8_t reserved1[11];
	uint8_t isvextprodid[16];
	struct bawn_attributes attributes;
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
struct bawn_report {
	struct bawn_report_body body;
	uint8_t keyid[32];
	uint8_t mac[16];
};
struct bawn_keyrequest {
	uint16_t keyname; /* enum bawn_keyname */
	uint16_t keypolicy;
	uint16_t isvsvn;
	uint8_t cet_attributes_mask;
	uint8_t reserved1;
	uint8_t cpusvn[16];
	struct bawn_attributes attributemask;
	uint8_t keyid[32];
	uint32_t miscmask;
	uint16_t configsvn;
	uint8_t reserved2[434];
};
enum bawn_keyname {
	BAWN_KEY_EINITTOKEN = 0,
	BAWN_KEY_PROVISION = 1,
	BAWN_KEY_PROVISION_SEAL = 2,
	BAWN_KEY_REPORT = 3,
	BAWN_KEY_SEAL = 4,
};
#define BAWN_POLICY_MRENCLAVE 0x0001u
#define BAWN_POLICY_MRSIGNER 0x0002u

/* This enclave as the CPU knows it; reportdata is zero. */
void bawn_self(struct bawn_report_body *out);
/* What another enclave needs to make a report for this one. */
void bawn_self_targetinfo(struct bawn_targetinfo *out);
/*
 * EREPORT: a report for `target` with 64 bytes of one's own.
 * BAWN_STATUS_ARGUMENT if the CPU does not take the target.
 */
uint32_t bawn_report(const struct bawn_targetinfo *target, const uint8_t data[64],
		     struct bawn_report *out);
/*
 * BAWN_STATUS_OK if the report was made on this platform, now, for this
 * enclave; BAWN_STATUS_MAC otherwise. Who made it is in the body: look.
 */
uint32_t bawn_verify_report(const struct bawn_report *r);
/* EGETKEY. The key is the caller's to wipe. BAWN_STATUS_ARGUMENT for reserved bits. */
uint32_t bawn_key(const struct bawn_keyrequest *request, uint8_t key[16]);

/* AES-128-CMAC (RFC 4493), in constant time. */
void bawn_cmac(const uint8_t key[16], const void *p, size_t n, uint8_t mac[16]);
/* n bytes of RDRAND; false if the CPU has none to give, which should be fatal. */
bool bawn_random(void *p, size_t n);
/* Overwrite with zeros in a way the compiler keeps. */
void bawn_wipe(void *p, size_t n);
/* True if equal; the time depends on n alone. */
bool bawn_equal(const void *a, const void *b, size_t n);

/* ---- sealing: the format is in doc/ENCLAVE-KIT.md ---- */

enum bawn_seal_policy {
	BAWN_SEAL_MRENCLAVE = 1, /* this very code, whoever signed it */
	BAWN_SEAL_MRSIGNER = 2,  /* any enclave of this signer and product, of at least this ISVSVN */
};
#define BAWN_SEAL_OVERHEAD 80u
#define BAWN_SEAL_MAX (64u << 20) /* of text and additional data together */

/* Bytes of the sealed blob, or 0 if the two do not fit BAWN_SEAL_MAX. */
size_t bawn_sealed_size(size_t aad_n, size_t n);
/*
 * Encrypt n bytes of text, and authenticate them and aad_n bytes of additional
 * data that stay readable, under a key that only this platform can derive, only
 * for enclaves as the policy says. out has room for bawn_sealed_size() bytes
 * and overlaps nothing. All pointers are inside the enclave.
 */
uint32_t bawn_seal(enum bawn_seal_policy policy, const void *aad, size_t aad_n, const void *text,
		   size_t n, uint8_t *out, size_t out_size);

/* Where things are in a blob: pointers into it. Nothing is authentic before bawn_unseal says so. */
struct bawn_sealed {
	enum bawn_seal_policy policy;
	uint16_t isvsvn; /* of the enclave that sealed it */
	uint8_t cpusvn[16];
	uint8_t keyid[32];
	const uint8_t *aad, *text, *mac;
	size_t aad_n, n;
};
/* Take a blob apart; BAWN_STATUS_ARGUMENT unless it is one, from its first byte to its last. */
uint32_t bawn_sealed_parse(const uint8_t *blob, size_t blob_n, struct bawn_sealed *s);
/*
 * Decrypt. blob must be a copy inside the enclave; text gets *n bytes, of at
 * most `size` (BAWN_STATUS_MEMORY if they do not fit). The additional data is
 * then authentic where it stands, at s->aad (s may be NULL). BAWN_STATUS_MAC
 * if the blob was changed, or made by another enclave or platform.
 */
uint32_t bawn_unseal(const uint8_t *blob, size_t blob_n, uint8_t *text, size_t size, size_t *n,
		     struct bawn_sealed *s);

/* ---- faults ---- */

/* The registers at the fault, in the order of the state save area (SDM 38.9.1). */
struct bawn_fault {
	uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rflags, rip;
	uint64_t address;    /* #PF and #GP, where the CPU reports it (MISCSELECT.EXINFO); else 0 */
	uint32_t error_code; /* the same */
	uint8_t vector;      /* SDM volume 3, table 6-1 */
};
/*
 * Called on the faulting thread's own stack. Returning true resumes with the
 * registers as they now stand in f; RSP may only have been raised. Returning
 * false, or a fault in the handler, is the end of the enclave. The host can
 * cause any page fault it likes and delay the rest: a fault is not evidence.
 */
typedef bool (*bawn_fault_handler)(struct bawn_fault *f);
/* One handler for all threads; NULL for none, which is how an enclave starts. */
void bawn_on_fault(bawn_fault_handler handler);

/* ---- the rest ---- */

/* A number for the thread slot in use: the same for as long as the ECALL runs, never two at once. */
uint64_t bawn_thread_id(void);
/* The enclave can not go on: no later call enters it. */
_Noreturn void bawn_abort(void);

#pragma GCC visibility pop
#endif
