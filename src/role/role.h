/*
 * role: what bawnd's processes say to each other, in messages of the form of
 * wire. A role that was taken over sends what it likes: these decoders are as
 * strict as those for clients.
 */
#ifndef BAWN_ROLE_H
#define BAWN_ROLE_H

#include "aesm/aesm.h"
#include "wire/wire.h"

enum role_type {
	ROLE_REQUEST = 0x100,  /* gate to vault */
	ROLE_CLOSED = 0x101,   /* gate to vault: the client is gone */
	ROLE_ANSWERED = 0x102, /* vault to gate */
	ROLE_COUNTERS = 0x103, /* gate to vault */
	ROLE_PARKED = 0x104,   /* vault to gate: a request waits for something else than the vault */
	ROLE_AUDIT = 0x110,    /* vault to parent */
	ROLE_ANCHOR = 0x111,   /* parent to vault: the log's head, and what the parent counts */
	ROLE_LINE_ASK = 0x112, /* vault to parent: what the log has at some line */
	ROLE_LINE = 0x113,     /* parent to vault: the answer */
	ROLE_KEY_ASK = 0x114,  /* vault to parent: from where, and with which key, the log can be followed */
	ROLE_KEY = 0x115,      /* parent to vault: the answer */
	ROLE_POLICY = 0x122,   /* parent to vault, with a sealed memory file: the policy in force */
	ROLE_FETCH = 0x130,    /* vault to courier */
	ROLE_FETCHED = 0x131,  /* courier to vault, with a sealed memory file if there is content */
};

enum role_protocol { ROLE_NATIVE = 1, ROLE_AESM = 2 };
/* Tail: the request's body by its layout (AESM: and the blob). */
struct role_request {
	uint32_t conn, generation, seq; /* the gate's; conn < 65536 */
	uint32_t protocol;
	uint32_t type; /* enum wire_type or aesm_type */
	uint64_t tag;
	uint64_t received; /* CLOCK_MONOTONIC, ns */
	bool has_socket; /* descriptors: the client's socket first ... */
	bool has_fd;     /* ... then the client's own descriptor */
};
#define ROLE_CONN_MAX 65535u
struct role_closed {
	uint32_t conn, generation;
};
struct role_answered {
	uint32_t conn, generation, seq;
	bool close;
};
/*
 * The request is not answered yet, and takes none of the vault's time: it waits
 * for a certificate, collateral, the policy, or its turn to be launched. The
 * gate no longer counts it among those that it may have under way. How many one
 * user may have waiting is the vault's to limit. Its answer may overtake this.
 */
struct role_parked {
	uint32_t conn, generation, seq;
};
struct role_counters {
	uint32_t clients, clients_max;
	uint64_t accepted, malformed, timeouts, refused; /* refused: no slot was free */
};

#define ROLE_MATCH 640
struct role_audit {
	uint64_t number; /* the vault's own, for ROLE_ANCHOR */
	uint64_t time;   /* microseconds since 1970 */
	uint32_t event;
	uint32_t operation; /* enum wire_operation; WIRE_OPERATIONS: none */
	uint32_t protocol;  /* enum role_protocol, or 0 */
	uint32_t code;      /* enum wire_code: the answer */
	uint32_t reason, line;
	uint64_t entry;
	bool has_subject;
	uint32_t uid, gid, pid;
	char socket[WIRE_SECTION];
	char cgroup[WIRE_CGROUP];
	struct wire_identity identity;
	uint64_t changed, until; /* a grant or revocation, made or removed: its number, when it ends */
	char match[ROLE_MATCH];  /* ... and whom it is about, in the policy's words */
	char note[WIRE_NOTE];
};
struct role_anchor {
	uint64_t number; /* of the last ROLE_AUDIT that the log has */
	uint64_t lost;   /* lines that could not be written */
	uint64_t restarts; /* of roles */
	bool failing;    /* lines cannot be written just now: disk full, read-only */
	struct wire_anchor head;
	uint8_t proof[32]; /* that we have the key of the line after the head: for the ledger enclave */
};

struct role_key { /* a secret */
	struct wire_anchor from; /* count 0 if the log's first key is there, else the head */
	uint8_t key[32];         /* of the line after */
};

struct role_line_ask {
	uint64_t number;
};
struct role_line {
	uint8_t log[16];        /* the log's name */
	uint64_t last, dropped; /* numbers: of its last line; of the last one that went with old files */
	bool gone;              /* when it was opened there was less of it than there had been */
	bool has;               /* the line that was asked for, whose MAC is: */
	uint8_t mac[32];
};

struct role_policy { /* without a descriptor if code is not WIRE_OK: the old policy stays */
	uint32_t code;
	uint32_t size;
	uint8_t digest[32]; /* of the text */
	char path[WIRE_NOTE];
	char problem[WIRE_NOTE];
};

enum role_fetch_what { ROLE_FETCH_PCK = 1, ROLE_FETCH_COLLATERAL = 2, ROLE_FETCHES };
struct role_fetch {
	uint64_t number;
	uint32_t what;
	uint8_t ppid[384]; /* encrypted */
	uint8_t cpusvn[16], qe_id[16], fmspc[6];
	uint16_t pce_id, pce_svn;
	char ca[12];
	uint32_t tee;
	bool early;
	uint32_t skip; /* PCK: so many candidates turned out to be of other platforms */
};
struct role_fetched { /* the memory file: PEM chain, or the parts one after the other */
	uint64_t number;
	uint32_t what, code;
	uint32_t part_size[WIRE_COLLATERAL_PARTS]; /* COLLATERAL: by enum attest_part; PCK: [0] */
	uint64_t fetched;
	/* PCK, from the certificate: the TCB level that it is for, its key (x || y), whose it is, its dates */
	uint8_t cpusvn[16];
	uint16_t pce_svn, pce_id;
	uint8_t key[64], fmspc[6];
	char ca[12], root[64];
	uint64_t from, expires; /* seconds since 1970; COLLATERAL: of what ends first */
	uint32_t tcb_status;    /* COLLATERAL: enum bawn_tcb_status of this platform, as far as known */
	char problem[WIRE_NOTE];
};

/* A role's message, whole. */
struct role_message {
	struct wire_head head;
	union role_body {
		struct role_request request;
		struct role_closed closed;
		struct role_answered answered;
		struct role_parked parked;
		struct role_counters counters;
		struct role_audit audit;
		struct role_anchor anchor;
		struct role_line_ask line_ask;
		struct role_line line;
		struct role_key key;
		struct role_policy policy;
		struct role_fetch fetch;
		struct role_fetched fetched;
	} u;
	struct cur tail; /* ROLE_REQUEST */
};
#define ROLE_MAX 98304u /* bytes of a message: an AESM request with its blob fits */
/* The body of a message of this type, or NULL. */
const struct wire_layout *role_layout(unsigned type);
void role_encode(const struct role_message *m, struct buf *out);
int role_decode(const void *p, size_t n, struct role_message *m, struct bawn_error *e);
/* The tail of ROLE_REQUEST, made and read. */
void role_request_native(const struct wire_request *r, struct buf *out);
void role_request_aesm(const struct aesm_request *r, struct buf *out);
int role_read_native(const struct role_message *m, struct wire_request *r, struct bawn_error *e);
int role_read_aesm(const struct role_message *m, struct aesm_request *r, struct bawn_error *e);

#endif
