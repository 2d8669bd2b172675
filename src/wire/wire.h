/*
 * wire: the messages between bawnd and its clients (doc/PROTOCOL.md), and what
 * they are made of. Messages are datagrams (SOCK_SEQPACKET): a head of 24 bytes
 * and a body whose fields have fixed places and sizes, little-endian, laid out
 * by a table (struct wire_layout). A few bodies have a tail of bytes at the
 * end. Nothing here does input or output or asks who is speaking; decoders
 * copy out, refuse every byte that they do not expect, and allocate nothing.
 * What bawnd's processes say to each other (src/role) has the same form.
 */
#ifndef BAWN_WIRE_H
#define BAWN_WIRE_H

#include "base/base.h"
#include "isa/isa.h"

/* ======================= layouts ======================= */

enum wire_kind {
	WIRE_UINT,  /* numbers of `each` (1, 2, 4, 8) bytes; at most `max` if that is not 0 */
	WIRE_BOOL,  /* one byte, 0 or 1 */
	WIRE_BYTES, /* as they are */
	WIRE_TEXT,  /* printable ASCII, a NUL, then zeros to the field's end */
	WIRE_ZERO,  /* reserved: zeros on the wire, nothing in the struct */
	WIRE_PART,  /* another layout */
};
struct wire_field {
	const char *name;
	enum wire_kind kind;
	uint16_t offset, size; /* in the struct; except for a part, size is also that on the wire */
	uint16_t each;
	uint64_t max;
	const struct wire_layout *part;
};
struct wire_layout {
	const char *name;
	const struct wire_field *field;
	size_t fields;
	size_t host;       /* sizeof of the struct */
	uint32_t tail_max; /* bytes that may follow the fields; 0: none */
	/* What is wrong with fields that are right one by one, in a phrase; NULL: nothing, or no such rule. */
	const char *(*flaw)(const void *host);
};
/* For tables: F_UINT(struct role_closed, conn) and so on; LAYOUT(struct, title, table, .flaw = ...). */
#define WIRE_AT_(S, m) .name = #m, .offset = offsetof(S, m), .size = sizeof(((S *)0)->m)
#define F_UINT(S, m) { WIRE_AT_(S, m), .kind = WIRE_UINT, .each = sizeof(((S *)0)->m) }
#define F_MAX(S, m, most)                                                                          \
	{ WIRE_AT_(S, m), .kind = WIRE_UINT, .each = sizeof(((S *)0)->m), .max = (most) }
#define F_UINTS(S, m) { WIRE_AT_(S, m), .kind = WIRE_UINT, .each = sizeof(((S *)0)->m[0]) }
#define F_BOOL(S, m) { WIRE_AT_(S, m), .kind = WIRE_BOOL }
#define F_BYTES(S, m) { WIRE_AT_(S, m), .kind = WIRE_BYTES }
#define F_TEXT(S, m) { WIRE_AT_(S, m), .kind = WIRE_TEXT }
#define F_ZERO(n) { .name = "reserved", .kind = WIRE_ZERO, .size = (n) }
#define F_PART(S, m, layout) { WIRE_AT_(S, m), .kind = WIRE_PART, .part = &(layout) }
#define LAYOUT(S, title, table, ...)                                                               \
	{ .name = (title), .field = (table), .fields = ARRAY_LEN(table), .host = sizeof(S), __VA_ARGS__ }

/* Bytes of the fields on the wire. */
size_t wire_size(const struct wire_layout *l);
/* Append the fields of *in. A text that is not printable ASCII is cut before the first such byte. */
void wire_encode(const struct wire_layout *l, const void *in, struct buf *out);
/*
 * Take the fields off the front of c into *out (l->host bytes, all of them
 * written). BAWN_ERR_FORMAT names the field that is not as the layout says.
 */
int wire_decode(const struct wire_layout *l, struct cur *c, void *out, struct bawn_error *e);

/* ======================= what both ends speak of ======================= */

/* What can be asked for: bits of a policy's rules. */
enum wire_operation {
	WIRE_OP_STATUS,     /* the service's state, in outline */
	WIRE_OP_QUOTE,      /* target info and quotes */
	WIRE_OP_CERTIFY,    /* the PCE's signature, and platform information */
	WIRE_OP_COLLATERAL, /* cached collateral */
	WIRE_OP_LAUNCH,     /* launch tokens, and enclaves made by the broker */
	WIRE_OP_PROVISION,  /* the provisioning state, and to hurry it */
	WIRE_OP_ADMINISTER, /* policy, grants, revocations, audit head, quiescing */
	WIRE_OPERATIONS,
};
#define WIRE_OP_BIT(op) (1u << (op))
/* All that "any" means: everything but administer, which has to be named. */
#define WIRE_OP_ANY (WIRE_OP_BIT(WIRE_OP_ADMINISTER) - 1)
#define WIRE_OP_ALL (WIRE_OP_BIT(WIRE_OPERATIONS) - 1)
const char *wire_operation_name(unsigned op); /* "quote"; "?" if unknown */

#define WIRE_SECTION 32 /* bytes of a policy section's name, NUL included */
#define WIRE_CGROUP 256
#define WIRE_NOTE 128
#define WIRE_GROUPS 32

/* What is known of an enclave when it is asked about: from a REPORT, a SIGSTRUCT, a token request. */
struct wire_identity {
	uint32_t known; /* WIRE_KNOWN_*; 0: there is no enclave in the request */
	uint8_t mrenclave[32], mrsigner[32];
	uint64_t attributes; /* SECS.ATTRIBUTES.FLAGS */
	uint16_t product, svn;
};
#define WIRE_KNOWN_MRENCLAVE 1u
#define WIRE_KNOWN_MRSIGNER 2u
#define WIRE_KNOWN_PRODUCT 4u /* ISVPRODID */
#define WIRE_KNOWN_SVN 8u     /* ISVSVN */
#define WIRE_KNOWN_ATTRIBUTES 16u
#define WIRE_KNOWN_ALL 31u
void wire_identity_of_report(const struct isa_report_body *r, struct wire_identity *out);

/* Whom and what a rule, a grant or a revocation is about: all that is said must hold. */
struct wire_match {
	uint32_t has;                 /* WIRE_HAS_* */
	uint32_t operations;          /* bits; never 0 */
	uint32_t uid_first, uid_last; /* inclusive */
	uint32_t gid_first, gid_last; /* the primary group or a supplementary one */
	char cgroup[WIRE_CGROUP];     /* this control group (version 2) or one below it */
	char socket[WIRE_SECTION];    /* the section that the socket is bound to */
	uint8_t mrenclave[32], mrsigner[32];
	uint16_t product, svn; /* exactly; at least */
	bool debug;            /* ATTRIBUTES.DEBUG is as this */
};
/* What is not said is zero, so that equal matches are equal bytes, field by field. */
#define WIRE_HAS_UID 1u
#define WIRE_HAS_GID 2u
#define WIRE_HAS_CGROUP 4u
#define WIRE_HAS_SOCKET 8u
#define WIRE_HAS_MRENCLAVE 16u
#define WIRE_HAS_MRSIGNER 32u
#define WIRE_HAS_PRODUCT 64u
#define WIRE_HAS_SVN 128u
#define WIRE_HAS_DEBUG 256u
#define WIRE_HAS_ALL 511u
#define WIRE_HAS_SUBJECT (WIRE_HAS_UID | WIRE_HAS_GID | WIRE_HAS_CGROUP)
#define WIRE_HAS_ENCLAVE                                                                           \
	(WIRE_HAS_MRENCLAVE | WIRE_HAS_MRSIGNER | WIRE_HAS_PRODUCT | WIRE_HAS_SVN | WIRE_HAS_DEBUG)

/* NULL if it holds together, else what does not, in a phrase; decoders refuse it then. */
const char *wire_match_flaw(const struct wire_match *m);

/* A grant or a revocation that an administrator made. */
enum wire_entry_kind { WIRE_GRANT = 1, WIRE_REVOCATION = 2 };
struct wire_entry {
	uint64_t id;      /* given by the service, never twice; 0 in requests */
	uint32_t kind;
	uint32_t by;      /* the administrator's uid; 0 in requests */
	uint64_t made;    /* seconds since 1970; 0 in requests */
	uint64_t expires; /* the same; 0: never. Grants alone */
	struct wire_match match;
	char note[WIRE_NOTE]; /* why, in the administrator's words */
};

/* Why an answer is as it is. */
enum wire_reason {
	WIRE_REASON_DEFAULT,  /* no rule said yes */
	WIRE_REASON_RULE,     /* the policy's line `line` */
	WIRE_REASON_GRANT,    /* the grant `entry` */
	WIRE_REASON_REVOKED,  /* the revocation `entry` */
	WIRE_REASON_LIST,     /* the signer is not in the list at line `line` */
	WIRE_REASON_KEYS,     /* asks for PROVISION_KEY or EINITTOKEN_KEY, which are never handed out */
	WIRE_REASON_RATE,     /* allowed by `line` or `entry`, but too often */
	WIRE_REASON_BUDGET,   /* allowed, but the EPC budget is used up */
	WIRE_REASON_DAMAGED,  /* grants and revocations can not be read: all is refused */
	WIRE_REASONS,
};
struct wire_decision {
	bool allowed;
	uint32_t reason;
	uint32_t line;   /* of the policy file; 0: none */
	uint64_t entry;  /* of a grant or revocation; 0: none */
	uint32_t rate, rate_seconds, burst; /* at most `rate` per `rate_seconds`; 0: no limit */
	uint64_t epc;    /* bytes of EPC that the client may hold by this rule; 0: the service's default */
};

/* The state of the audit log after its line number `count`. */
struct wire_anchor {
	uint8_t log[16]; /* the log's name, from its first key */
	uint64_t count;
	uint8_t mac[32]; /* of line `count`; zeros if count is 0 */
	uint64_t time;   /* seconds since 1970 */
};

extern const struct wire_layout wire_identity_layout, wire_match_layout, wire_entry_layout,
	wire_decision_layout, wire_anchor_layout;

/* What a line of the audit log tells of. */
enum wire_audit_event {
	WIRE_AUDIT_REQUEST, /* an answer to a client */
	WIRE_AUDIT_START,
	WIRE_AUDIT_STOP,
	WIRE_AUDIT_POLICY,  /* loaded, refused or locked: the note says */
	WIRE_AUDIT_GRANT,   /* added: entry */
	WIRE_AUDIT_REVOKE,  /* added: entry */
	WIRE_AUDIT_REMOVE,  /* a grant or revocation was removed: entry */
	WIRE_AUDIT_PROVISION, /* key, certificate, collateral: the note says */
	WIRE_AUDIT_QUIESCE,
	WIRE_AUDIT_FAULT,   /* a role died, a file is damaged: the note says */
	WIRE_AUDIT_RECOVER, /* the log itself: lines lost, a torn line cut */
	WIRE_AUDIT_DROP,    /* the log itself: old lines removed by rotation */
	WIRE_AUDIT_BEGIN,   /* the log itself: the first line of a file */
	WIRE_AUDIT_EVENTS,
};
const char *wire_audit_event_name(unsigned event); /* "request" */

/* ======================= messages ======================= */

#define WIRE_MAGIC UINT32_C(0x4e574142) /* "BAWN" */
#define WIRE_VERSION 1u
#define WIRE_HEAD 24u
#define WIRE_MAX 65536u /* bytes of a message, head included */
#define WIRE_TAIL_MAX 61440u
#define WIRE_FDS_MAX 4u /* descriptors with a message */

struct wire_head {
	uint16_t type; /* of the request; an answer has the same */
	uint16_t code; /* 0 in a request; enum wire_code in an answer */
	uint32_t size; /* of the message, head included */
	uint64_t tag;  /* the client's; the answer has the same */
};
/* The head off the front of a datagram of c->n bytes; the size must be just that. */
int wire_head_decode(struct cur *c, struct wire_head *h, struct bawn_error *e);

enum wire_code {
	WIRE_OK = 0,
	WIRE_MALFORMED = 1,    /* the request is not as the protocol says; the connection ends */
	WIRE_UNSUPPORTED = 2,  /* no such request, version, key or device here */
	WIRE_DENIED = 3,       /* by the owner's policy or a revocation */
	WIRE_LIMITED = 4,      /* too often: again after retry_ms */
	WIRE_BUSY = 5,         /* the service has too much to do: again after retry_ms */
	WIRE_UNAVAILABLE = 6,  /* not provisioned, quiesced, degraded: see the text */
	WIRE_BAD_INPUT = 7,    /* well-formed, but refused: a report of another machine, a bad SIGSTRUCT */
	WIRE_NOT_FOUND = 8,    /* no such entry, no such collateral */
	WIRE_LOCKED = 9,       /* the policy is locked until bawnd restarts */
	WIRE_TOO_LARGE = 10,   /* an image or an EPC budget */
	WIRE_TIMEOUT = 11,     /* the service could not answer in time */
	WIRE_FAILED = 12,      /* something broke inside; the service's log says what */
	WIRE_CODES,
};
const char *wire_code_name(unsigned code); /* "denied" */
/* What a client makes of it: enum bawn_code. */
int wire_code_error(unsigned code);
/* And what the service answers for an error of its own. */
enum wire_code wire_code_of(int rc);

/* The body of every answer whose code is not WIRE_OK. */
struct wire_refusal {
	uint32_t retry_ms;   /* 0: not worth trying again as it is */
	uint32_t sgx_status; /* of the leaf function or enclave that refused, or 0 */
	char text[WIRE_NOTE]; /* what happened, and what to do */
};

enum wire_type {
	WIRE_HELLO = 1,
	WIRE_STATUS = 2,
	WIRE_TARGET_INFO = 3,
	WIRE_QUOTE = 4,
	WIRE_CERTIFY = 5,
	WIRE_PCE_INFO = 6,
	WIRE_TOKEN = 7,
	WIRE_LAUNCH = 8,
	WIRE_PROVISIONING = 9,
	WIRE_PROVISION_NOW = 10,
	WIRE_COLLATERAL = 11,
	WIRE_QUIESCE = 12,
	WIRE_POLICY_INFO = 13,
	WIRE_POLICY_TEST = 14,
	WIRE_POLICY_RELOAD = 15,
	WIRE_POLICY_LOCK = 16,
	WIRE_GRANT_ADD = 17, /* a grant or a revocation */
	WIRE_GRANT_REMOVE = 18,
	WIRE_GRANT_LIST = 19,
	WIRE_AUDIT_HEAD = 20,
	WIRE_TYPES,
};

/* The first request of a connection; nothing else is answered before it. */
struct wire_hello {
	uint32_t min, max; /* versions that the client speaks */
	char client[32];   /* its name, for the log; may be empty */
};
struct wire_hello_answer {
	uint32_t version;  /* spoken from now on */
	uint32_t features; /* WIRE_FEATURE_* */
	uint32_t message_max;
	bool emulated;
	char server[32]; /* "bawnd 0.1.0" */
	char section[WIRE_SECTION]; /* of the policy, that this socket is bound to */
};
#define WIRE_FEATURE_QUOTE 1u
#define WIRE_FEATURE_CERTIFY 2u
#define WIRE_FEATURE_TOKEN 4u
#define WIRE_FEATURE_LAUNCH 8u
#define WIRE_FEATURE_COLLATERAL 16u

/* Requests without anything to say: STATUS, PROVISIONING, POLICY_INFO, _RELOAD, _LOCK, AUDIT_HEAD. */
struct wire_empty {
	uint8_t nothing;
};

enum wire_state {
	WIRE_STATE_STARTING,
	WIRE_STATE_READY,
	WIRE_STATE_DEGRADED, /* something fails: `problem` says what */
	WIRE_STATE_QUIESCED,
	WIRE_STATES,
};
const char *wire_state_name(unsigned state);

struct wire_status {
	bool emulated;
	bool full; /* the fields after `problem` are filled: the caller may administer */
	uint32_t state;
	char device[16];      /* "kernel", "isgx", "emulated", "none" */
	uint8_t cpusvn[16];
	uint8_t fmspc[6];     /* zeros until there is a certificate */
	uint16_t pce_id, pce_svn, qe_svn;
	uint32_t tcb_status;  /* enum bawn_tcb_status, by the cached collateral */
	uint64_t now, started; /* seconds since 1970, all times here; 0: not yet, unknown */
	uint64_t key_made, certificate_expires, collateral_expires;
	char root[64];        /* common name of the root that quotes lead to */
	char problem[WIRE_NOTE];
	/* full alone */
	uint32_t clients, clients_max;
	uint32_t quotes_minute; /* in the last whole minute */
	uint32_t enclaves;      /* loaded in the vault */
	uint64_t requests, quotes, tokens, launches; /* since the start */
	uint64_t denied, limited, malformed, timeouts, failed;
	uint64_t epc_held, epc_limit; /* bytes in enclaves handed over, as far as known */
	uint64_t audit_count, audit_lost;
	uint64_t restarts; /* of roles */
};

enum wire_key { WIRE_KEY_ECDSA_P256 = 1, WIRE_KEY_PCE = 2, WIRE_KEYS };
struct wire_target_info {
	uint32_t key; /* enum wire_key: whose enclave the report is to be for */
};
struct wire_target_info_answer {
	uint32_t quote_size;  /* bytes of a quote; 0 for the PCE */
	uint8_t key_id[32];   /* SHA-256 of the attestation key; zeros for the PCE */
	struct isa_targetinfo target;
};

struct wire_quote {
	uint32_t key;      /* WIRE_KEY_ECDSA_P256 */
	bool want_report;  /* a report of the QE too, for app, over SHA-256(nonce || quote) */
	uint8_t nonce[16]; /* zeros unless want_report, like app */
	struct isa_targetinfo app;
	struct isa_report report;
};
struct wire_quote_answer { /* tail: the quote */
	bool has_report;
	struct isa_report qe_report; /* zeros unless has_report */
};

struct wire_certify {
	uint8_t cpusvn[16]; /* of the PCK to sign with, not above the platform's own */
	uint16_t pce_svn;
	struct isa_report report; /* for the PCE; of an enclave with PROVISION_KEY */
};
struct wire_certify_answer { /* tail: the PCK chain as PEM, or nothing */
	uint8_t signature[64]; /* r || s */
	uint16_t pce_id, pce_svn;
};

struct wire_pce_info {
	uint8_t suite;    /* 1: RSA-OAEP-3072 */
	uint8_t key[388]; /* modulus, exponent; big-endian */
	struct isa_report report; /* for the PCE, over SHA-256(suite || key); PROVISION_KEY */
};
struct wire_pce_info_answer {
	uint8_t ppid[384]; /* encrypted to the key */
	uint16_t pce_id, pce_svn;
};

struct wire_token {
	uint8_t mrenclave[32], mrsigner[32];
	uint64_t attributes, xfrm;
};
struct wire_token_answer {
	struct isa_einittoken token;
};

/*
 * With one descriptor: a memory file sealed against change, as laid out by
 * WIRE_STREAM_*. SECS.BASEADDR is the client's to choose, since it must map
 * the enclave just there.
 */
struct wire_launch {
	uint64_t base, size; /* ELRANGE: a power of two, base a multiple of it; base 0: any */
	uint64_t attributes, xfrm;
	uint32_t ssaframesize, miscselect;
	uint16_t config_svn;
	uint8_t config_id[64];
	uint32_t pages; /* in the stream */
	struct isa_sigstruct sigstruct;
};
struct wire_launch_answer { /* with one descriptor: the enclave */
	bool emulated;
	uint64_t id; /* in the audit log and in status */
	uint64_t base, size;
	char device[16];
};
/*
 * The page stream: `pages` entries of 16 bytes, zeros up to a multiple of
 * 4096, then the pages' 4096 bytes each in the same order; nothing after.
 */
#define WIRE_STREAM_ENTRY 16u
#define WIRE_STREAM_PAGES_MAX (1u << 20) /* 4 GiB of enclave */
struct wire_page {
	uint64_t offset;   /* from the base; in bytes, a multiple of 4096, ascending */
	uint32_t secinfo;  /* permissions 0x7 and page type << 8: 0x100 (TCS) or 0x2xx (regular) */
	bool measured;     /* EEXTEND */
};
/* Bytes of a stream of so many pages, and where the pages start; 0 for 0 or too many. */
uint64_t wire_stream_size(uint32_t pages);
uint64_t wire_stream_data(uint32_t pages);
void wire_page_encode(const struct wire_page *p, uint8_t out[WIRE_STREAM_ENTRY]);
/* An entry as it must follow `before` (NULL: the first) inside an ELRANGE of `size`. */
int wire_page_decode(const uint8_t in[WIRE_STREAM_ENTRY], const struct wire_page *before,
		     uint64_t size, struct wire_page *out, struct bawn_error *e);

enum wire_provisioning_state {
	WIRE_PROVISIONING_NONE,    /* never tried: no attestation key */
	WIRE_PROVISIONING_WAITING, /* a key, but no certificate yet */
	WIRE_PROVISIONING_READY,
	WIRE_PROVISIONING_RENEWING, /* ready, and on the way to something newer */
	WIRE_PROVISIONING_EXPIRED, /* the certificate's time is over */
	WIRE_PROVISIONING_STATES,
};
const char *wire_provisioning_name(unsigned state);
struct wire_provisioning {
	bool emulated;
	uint32_t state;
	uint8_t cpusvn[16];
	uint8_t fmspc[6];
	uint8_t qe_id[16];
	uint16_t pce_id, pce_svn;
	uint64_t key_made, certificate_from, certificate_expires; /* seconds since 1970 */
	uint64_t collateral_expires, last_success, last_try, next_try;
	uint32_t tries; /* since the last success */
	char source[WIRE_NOTE];  /* URL or directory, without credentials */
	char problem[WIRE_NOTE]; /* of the last try, or empty */
};
struct wire_provision_now {
	uint32_t what; /* WIRE_PROVISION_* bits, not 0 */
};
#define WIRE_PROVISION_CERTIFICATE 1u
#define WIRE_PROVISION_COLLATERAL 2u
#define WIRE_PROVISION_KEY 4u /* a new attestation key */
#define WIRE_PROVISION_ALL 7u

struct wire_collateral {
	uint32_t part; /* enum attest_part */
	uint32_t tee;  /* enum bawn_tee */
	bool early;
	uint8_t fmspc[6];
	char ca[12]; /* "platform", "processor" or "" */
};
#define WIRE_COLLATERAL_PARTS 8u
struct wire_collateral_answer { /* with one descriptor: a sealed memory file, read from 0 */
	uint32_t size;
	uint64_t fetched; /* seconds since 1970 */
};

struct wire_quiesce {
	uint32_t seconds; /* stay closed for so long, whatever is asked; 0: until asked */
};
struct wire_quiesce_answer {
	uint32_t enclaves; /* closed by this */
	uint32_t outside;  /* handed over earlier, which only their holders can close */
};

struct wire_policy_info {
	bool locked;
	uint8_t digest[32]; /* SHA-256 of the file in force */
	uint64_t loaded;    /* seconds since 1970 */
	uint32_t rules, sections, grants, revocations;
	char path[WIRE_NOTE];
};

/* Who asks, as a question about somebody. */
struct wire_subject {
	uint32_t uid, gid, pid;
	uint32_t ngroups; /* supplementary groups */
	uint32_t groups[WIRE_GROUPS];
	char socket[WIRE_SECTION]; /* section */
	bool has_cgroup;
	char cgroup[WIRE_CGROUP];
};
struct wire_policy_test {
	uint32_t operation;
	struct wire_subject subject;
	struct wire_identity identity;
};

struct wire_grant_add_answer {
	uint64_t id;
	uint64_t lifted;   /* id of the equal entry of the other kind that this one replaces, or 0 */
	uint64_t blocker;  /* a grant: of a revocation that still stands in its way, or 0 */
	uint32_t outlives; /* WIRE_OUTLIVES_*: what a later revocation will not reach */
	uint32_t outside;  /* a revocation: enclaves handed over that are still out there */
	bool kept;         /* on disk: it will hold after a restart */
};
#define WIRE_OUTLIVES_QUOTES 1u   /* quotes already issued */
#define WIRE_OUTLIVES_TOKENS 2u   /* launch tokens already issued */
#define WIRE_OUTLIVES_ENCLAVES 4u /* enclaves already handed over */
#define WIRE_OUTLIVES_SIGNATURES 8u /* certifications already issued */
#define WIRE_OUTLIVES_COPIES 16u  /* collateral already read */
#define WIRE_OUTLIVES_ALL 31u
/* What outlives the revocation of these operations. */
uint32_t wire_outlives(uint32_t operations);
/* In words, by bit number 0..4: "quotes already issued stay valid"; NULL past the end. */
const char *wire_outlives_text(unsigned bit);

struct wire_grant_remove {
	uint64_t id;
};
struct wire_grant_list {
	uint64_t after; /* entries with a greater id */
};
struct wire_grant_list_answer { /* tail: `count` entries */
	uint32_t count;
	bool more;
};

/* A request of a client, whole. Flat: no pointers. */
struct wire_request {
	struct wire_head head;
	union wire_request_body {
		struct wire_empty empty;
		struct wire_hello hello;
		struct wire_target_info target_info;
		struct wire_quote quote;
		struct wire_certify certify;
		struct wire_pce_info pce_info;
		struct wire_token token;
		struct wire_launch launch;
		struct wire_provision_now provision_now;
		struct wire_collateral collateral;
		struct wire_quiesce quiesce;
		struct wire_policy_test policy_test;
		struct wire_entry grant_add;
		struct wire_grant_remove grant_remove;
		struct wire_grant_list grant_list;
	} u;
};
/* An answer: the tail points into the bytes it was read from (or, for encoding, anywhere). */
struct wire_answer {
	struct wire_head head;
	union wire_answer_body {
		struct wire_refusal refusal; /* head.code is not WIRE_OK */
		struct wire_empty empty;     /* GRANT_REMOVE */
		struct wire_hello_answer hello;
		struct wire_status status;
		struct wire_target_info_answer target_info;
		struct wire_quote_answer quote;
		struct wire_certify_answer certify;
		struct wire_pce_info_answer pce_info;
		struct wire_token_answer token;
		struct wire_launch_answer launch;
		struct wire_provisioning provisioning; /* PROVISION_NOW too */
		struct wire_collateral_answer collateral;
		struct wire_quiesce_answer quiesce;
		struct wire_policy_info policy_info; /* POLICY_RELOAD and POLICY_LOCK too */
		struct wire_decision policy_test;
		struct wire_grant_add_answer grant_add;
		struct wire_grant_list_answer grant_list;
		struct wire_anchor audit_head;
	} u;
	struct cur tail;
};

/* The native requests, by type. */
struct wire_message {
	const char *name;
	enum wire_operation operation; /* HELLO: STATUS, but answered to anybody */
	const struct wire_layout *request, *answer;
	uint8_t request_fds, answer_fds; /* exactly so many descriptors go along (answer: if WIRE_OK) */
};
/* NULL if there is no such request. */
const struct wire_message *wire_message_of(unsigned type);

/*
 * Encoders append one datagram to out (out->failed tells of memory); head.size
 * is computed. Decoders take one datagram of n bytes; nfds is the number of
 * descriptors that came with it. BAWN_ERR_UNSUPPORTED for a well-formed head
 * of an unknown type (r->head is then set), BAWN_ERR_FORMAT for all else.
 */
void wire_request_encode(const struct wire_request *r, struct buf *out);
int wire_request_decode(const void *p, size_t n, size_t nfds, struct wire_request *r,
			struct bawn_error *e);
void wire_answer_encode(const struct wire_answer *a, struct buf *out);
int wire_answer_decode(const void *p, size_t n, size_t nfds, struct wire_answer *a,
		       struct bawn_error *e);
/*
 * What is asked about, for the policy: out->known is 0 if the request is about
 * no enclave. It is what the client says: the QE, the PCE or EINIT finds out
 * whether it is true, and nothing comes out if it is not.
 */
void wire_request_identity(const struct wire_request *r, struct wire_identity *out);

/* ---- for other messages of this form ---- */

/* An empty body, for requests that say nothing. */
extern const struct wire_layout wire_empty_layout;

/* One datagram: a head, the body, a tail. */
void wire_frame(const struct wire_head *h, const struct wire_layout *l, const void *body,
		struct cur tail, struct buf *out);
/* What is left in c must fit the layout's tail. */
int wire_tail(const struct wire_layout *l, struct cur *c, struct cur *tail, struct bawn_error *e);

#endif
