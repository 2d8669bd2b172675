/*
 * The ECALL interface of the architectural enclaves, for both sides of it:
 * the drivers in this folder and the open enclaves (enclaves/provision, quote,
 * launch, ledger). Freestanding. doc/ARCHITECTURAL-ENCLAVES.md explains it.
 *
 * Addresses are the host's, as integers. The structures are laid out as SDK
 * enclaves have them, their padding named so that none of it is left unset.
 */
#ifndef AE_ABI_H
#define AE_ABI_H

#include "isa/isa.h"

/*
 * What the enclaves answer in the first member. Numbers below 0xba00 and from
 * 0xd001 to 0xd009 are Intel's; where Intel's enclaves have one number for
 * several refusals, ours have some of their own.
 */
enum ae_answer {
	AE_SUCCESS = 0,
	AE_FAILURE = 1,
	AE_INVALID_PARAMETER = 15,
	AE_READ_RAND_ERROR = 16,
	AE_INSUFFICIENT_DATA_IN_BUFFER = 18,
	AE_LE_UNEXPECTED_ERROR = 37,
	AE_LE_INVALID_PARAMETER = 38,
	AE_LE_GET_EINITTOKEN_KEY_ERROR = 39,
	AE_LE_INVALID_ATTRIBUTE = 40,
	AE_LE_INVALID_PRIVILEGE_ERROR = 41,
	AE_LE_WHITELIST_UNINITIALIZED_ERROR = 42,
	AE_PCE_UNEXPECTED_ERROR = 206,
	AE_PCE_INVALID_PRIVILEGE = 207,
	AE_PCE_INVALID_REPORT = 208,
	AE_LE_WHITE_LIST_ALREADY_UPDATED = 213,
	AE_PCE_CRYPTO_ERROR = 215,

	AE_QE_ERROR_UNEXPECTED = 0xd001,
	AE_QE_ERROR_INVALID_PARAMETER = 0xd002,
	AE_QE_ECDSABLOB_ERROR = 0xd004,
	AE_QE_ERROR_CRYPTO = 0xd005,
	AE_QE_ERROR_ATT_KEY_GEN = 0xd006,
	AE_QE_ERROR_WRONG_STATE = 0xd007,
	AE_QE_ERROR_INVALID_REPORT = 0xd008,
	AE_QE_UNABLE_TO_GENERATE_QE_REPORT = 0xd009,

	AE_REPORT_OTHER_CPUSVN = 0xba01,   /* the report was made at another CPUSVN than now's */
	AE_PCE_DEBUG_CALLER = 0xba02,      /* the report is by a debug enclave */
	AE_PCE_CPUSVN_ABOVE = 0xba03,      /* certify at a CPUSVN above the CPU's */
	AE_PCE_ISVSVN_ABOVE = 0xba04,      /* certify at an ISVSVN above the enclave's */
	AE_QE_TARGET_DEBUG = 0xba11,       /* the target given as PCE is a debug enclave */
	AE_QE_TARGET_PRIVILEGE = 0xba12,   /* the target given as PCE has no PROVISION_KEY */
	AE_QE_BLOB_ABOVE = 0xba13,         /* sealed at a CPUSVN or ISVSVN above the present one */
	AE_QE_BLOB_FOREIGN = 0xba14,       /* sealed on another platform, or for another signer */
	AE_QE_KEY_MISMATCH = 0xba15,       /* the certification is for another attestation key */
	AE_LE_LIST_SIGNATURE = 0xba21,     /* a signature of the list does not hold */
	AE_LE_LIST_PRODUCT = 0xba22,       /* the list is for another launch enclave */
	AE_LEDGER_BLOB = 0xba31,           /* no blob of this enclave, or changed, or of another platform or signer */
	AE_LEDGER_ABOVE = 0xba32,          /* sealed at a CPUSVN or ISVSVN above the present one */
	AE_LEDGER_LOG = 0xba33,            /* an end of another log, or a name that is not the key's */
	AE_LEDGER_BACK = 0xba34,           /* an end before the one in the blob, or another one of the same line */
	AE_LEDGER_PROOF = 0xba35,          /* not made with the key of this log at that line */
	AE_LEDGER_FAR = 0xba36,            /* more than AE_LEDGER_STEPS lines behind the one in the blob */
};

/* ---- launch enclave ---- */

enum { AE_LE_GET_LAUNCH_TOKEN = 0, AE_LE_INIT_WHITE_LIST = 1 };

struct ae_ms_launch_token {
	uint32_t answer, pad;
	uint64_t mrenclave, mrsigner, attributes;
	uint64_t token; /* out */
};
struct ae_ms_white_list {
	uint32_t answer, pad1;
	uint64_t list;
	uint32_t size, pad2;
};

/* The white list file; all integers big-endian. */
#define AE_LIST_PROVIDER_BYTES 136 /* version, type, provider, root: u16 each; key 64; signature 64 */
#define AE_LIST_HEADER_BYTES 16
#define AE_LIST_ENTRIES_MAX 2048u
#define AE_LIST_PRODUCT 0x20
enum ae_list_type {
	AE_LIST_LAUNCH = 1,    /* whose production enclaves get a token */
	AE_LIST_PROVISION = 2, /* whose enclaves may have PROVISION_KEY: our launch enclave's own */
};

/* ---- provisioning certification enclave ---- */

enum { AE_PCE_GET_PC_INFO = 0, AE_PCE_CERTIFY_ENCLAVE = 1, AE_PCE_GET_PC_INFO_WITHOUT_PPID = 2 };

#define AE_SUITE_RSA_OAEP_3072 1
#define AE_SCHEME_ECDSA_P256 0
#define AE_PEK_BYTES 388 /* modulus, then exponent, big-endian */
#define AE_PPID_CIPHER_BYTES 384
#define AE_PCE_ID 0

struct ae_pce_info {
	uint16_t isvsvn;
	uint16_t id;
};
struct ae_psvn {
	uint8_t cpusvn[16];
	uint8_t isvsvn[2]; /* little-endian; the structure has 18 bytes */
};
struct ae_ms_pc_info {
	uint32_t answer, pad1;
	uint64_t report, key;
	uint32_t key_size;
	uint8_t suite, pad2[3];
	uint64_t cipher; /* out, like all below but sizes */
	uint32_t cipher_size, pad3;
	uint64_t written, info, scheme;
};
struct ae_ms_certify {
	uint32_t answer, pad1;
	uint64_t psvn, report;
	uint64_t signature; /* out */
	uint32_t signature_size, pad2;
	uint64_t written; /* out */
};
struct ae_ms_pc_info_without_ppid {
	uint32_t answer, pad;
	uint64_t info; /* out */
};

/* ---- quoting enclave (ECDSA) ---- */

enum {
	AE_QE_GET_PCE_ENCRYPT_KEY = 0,
	AE_QE_GEN_ATT_KEY = 1,
	AE_QE_VERIFY_BLOB = 2,
	AE_QE_STORE_CERT_DATA = 3,
	AE_QE_GEN_QUOTE = 4,
};

#define AE_QE_BLOB_BYTES 2205
#define AE_QE_AUTH_BYTES 32

/* Certification data in a quote, by type. */
enum ae_certification_type {
	AE_CERTIFIED_PPID_CLEAR = 1,   /* PPID 16, CPUSVN 16, PCE's ISVSVN 2, PCE's id 2 */
	AE_CERTIFIED_PPID_RSA2048 = 2, /* the same, the PPID encrypted: 256 */
	AE_CERTIFIED_PPID_RSA3072 = 3, /* 384 */
	AE_CERTIFIED_PCK_LEAF = 4,     /* PEM */
	AE_CERTIFIED_PCK_CHAIN = 5,    /* PEM, the leaf first */
};
#define AE_CERTIFICATION_MAX (64u << 10)

/*
 * What a blob says in the clear, authenticated: of the attestation key and
 * its certification. Little-endian where not said otherwise.
 */
struct ae_qe_plain {
	uint8_t blob_type, version; /* 0, 0 */
	uint8_t cert_cpusvn[16];
	uint16_t cert_qe_isvsvn; /* the QE's when it was certified */
	struct ae_pce_info cert_pce;
	uint32_t certification_type; /* 3 */
	uint8_t raw_cpusvn[16];      /* the platform's own when it was certified */
	struct ae_pce_info raw_pce;
	uint8_t scheme; /* of the signature: 0 */
	struct isa_targetinfo pce_target;
	struct isa_report qe_report;     /* the one that was certified */
	uint8_t qe_report_signature[64]; /* by the PCK, r || s, big-endian */
	uint8_t key[64];                 /* attestation public key x || y, big-endian */
	uint8_t key_id[32];              /* SHA-256(key || auth) */
	uint8_t seal_cpusvn[16];
	uint16_t seal_isvsvn;
	uint32_t auth_size;
	uint8_t auth[AE_QE_AUTH_BYTES];
	uint8_t qe_id[16];
} __attribute__((packed));

/* What it keeps secret. The private key is little-endian. */
struct ae_qe_secret {
	uint8_t key[32];
	uint8_t clear_ppid; /* 0: what follows is the encrypted PPID */
	uint8_t suite;
	uint32_t cipher_size;
	uint8_t cipher[AE_PPID_CIPHER_BYTES];
} __attribute__((packed));

/* Intel's SDK seals with a header of 560 bytes, then the secret, then the clear part. */
#define AE_SDK_SEALED_BYTES 560
_Static_assert(sizeof(struct ae_qe_plain) == 1223, "ae_qe_plain");
_Static_assert(sizeof(struct ae_qe_secret) == 422, "ae_qe_secret");
_Static_assert(AE_SDK_SEALED_BYTES + 1223 + 422 == AE_QE_BLOB_BYTES, "ae_qe_plain");

struct ae_ms_encrypt_key {
	uint32_t answer, pad1;
	uint64_t pce_target;
	uint64_t report; /* out */
	uint8_t suite, pad2;
	uint16_t certification_type;
	uint32_t key_size;
	uint64_t key; /* out; ours: in too */
};
struct ae_ms_att_key {
	uint32_t answer, pad1;
	uint64_t blob; /* in, out */
	uint32_t blob_size, pad2;
	uint64_t pce_target;
	uint64_t report; /* out */
	uint64_t auth;
	uint32_t auth_size, pad3;
};
struct ae_ms_verify_blob {
	uint32_t answer, pad1;
	uint64_t blob; /* in, out */
	uint32_t blob_size, pad2;
	uint64_t resealed, body; /* out: u8, REPORT body */
	uint32_t id_size, pad3;
	uint64_t id; /* out */
};
struct ae_ms_store_cert {
	uint32_t answer, pad1;
	uint64_t plain;
	uint32_t certification_type, pad2;
	uint64_t cipher;
	uint32_t cipher_size, pad3;
	uint64_t blob; /* in, out */
	uint32_t blob_size, pad4;
};
struct ae_ms_quote {
	uint32_t answer, pad1;
	uint64_t blob; /* in, out */
	uint32_t blob_size, pad2;
	uint64_t report, nonce, target;
	uint64_t qe_report; /* out */
	uint64_t quote;     /* out */
	uint32_t quote_size;
	uint16_t pce_isvsvn, pad3;
	uint64_t certification; /* u16 type, u32 size, data */
	uint32_t certification_size, pad4;
};

/* ---- ledger enclave: ours alone ---- */

enum { AE_LEDGER_BEGIN = 0, AE_LEDGER_NOTE = 1, AE_LEDGER_READ = 2 };

/*
 * The end of an audit log, as doc/PROTOCOL.md encodes an anchor: the log's name
 * 16, number of the line 8, MAC of the line 32, its time 8; little-endian.
 */
#define AE_LEDGER_END_BYTES 64
#define AE_LEDGER_END_LOG 0
#define AE_LEDGER_END_COUNT 16
#define AE_LEDGER_END_MAC 24
/* The first 16 bytes of SHA-256(this || K[1]) name a log; with K[n], what follows from line n on. */
#define AE_LEDGER_NAME "bawn audit log"
/* K[n + 1] = SHA-256(this || K[n]). */
#define AE_LEDGER_NEXT "bawn audit key"
/* Proof of an end at line n: HMAC-SHA256(SHA-256(this || K[n + 1]), end). */
#define AE_LEDGER_PROVES "bawn audit end"
/* Keys that are derived in one call; a log of so many lines would fill a disk. */
#define AE_LEDGER_STEPS (UINT32_C(1) << 22)

#define AE_LEDGER_NAME_BYTES 16
/* What a blob says in the clear, and READ vouches for. */
struct ae_ledger_state {
	uint8_t first[8]; /* number of the first line followed: 1 if it was there when the log began */
	uint8_t name[AE_LEDGER_NAME_BYTES]; /* made from the key of that line: the log's, if it was the first of all */
	uint8_t end[AE_LEDGER_END_BYTES];
};
/* Sealed data (doc/ENCLAVE-KIT.md): the state as additional data, the next line's key as text. */
#define AE_LEDGER_BLOB_BYTES (80 + 88 + 32)

struct ae_ms_ledger_begin {
	uint32_t answer, pad;
	uint64_t end, key; /* where it begins, and the key of the line after */
	uint64_t blob;     /* out */
};
struct ae_ms_ledger_note {
	uint32_t answer, pad;
	uint64_t blob; /* in, out */
	uint64_t end, proof;
};
struct ae_ms_ledger_read {
	uint32_t answer, pad;
	uint64_t blob;
	uint64_t state; /* out */
};

#endif
