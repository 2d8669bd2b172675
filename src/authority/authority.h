/*
 * authority: who may have what, and the memory of it. The owner's policy, the
 * grants and revocations made at run time, rates, the audit log, and the files
 * that all this is kept in.
 *
 * Used by bawnd and, offline, by `bawn daemon policy` and `bawn daemon audit`.
 * Nothing here opens sockets or asks the system who somebody is; state lives
 * below directory descriptors that the caller opened. Not thread-safe, unless
 * said otherwise.
 */
#ifndef BAWN_AUTHORITY_H
#define BAWN_AUTHORITY_H

#include "base/base.h"
#include "role/role.h"

/* ======================= policy: bawn-policy(5) ======================= */

#define AUTHORITY_TEXT_MAX (1u << 20) /* bytes of a policy file */
#define AUTHORITY_RULES_MAX 1024u
#define AUTHORITY_SECTIONS_MAX 64u
#define AUTHORITY_SIGNERS_MAX 256u /* in each list */

enum authority_list {
	AUTHORITY_SIGNING_KEYS,      /* who may sign an enclave that is launched */
	AUTHORITY_LAUNCH_KEYS,       /* who may sign an enclave with EINITTOKEN_KEY */
	AUTHORITY_PROVISIONING_KEYS, /* who may sign an enclave with PROVISION_KEY */
	AUTHORITY_LISTS,
};

struct authority_rule {
	bool allow;
	uint32_t line;
	uint64_t sections; /* bits of the sections that it stands in; 0: before the first, for all sockets */
	struct wire_match match;
	uint32_t rate, rate_seconds, burst; /* rate 0: no limit */
	uint64_t epc; /* bytes; 0: not said */
};

/*
 * A policy in force. Flat: no pointers, so that it can be handed over as
 * bytes (authority_policy_encode), and big: allocate it.
 */
struct authority_policy {
	bool lock; /* until bawnd restarts, nothing replaces this policy and nothing is granted */
	uint32_t sections, rules;
	char section[AUTHORITY_SECTIONS_MAX][WIRE_SECTION];
	struct authority_signers {
		uint32_t line; /* of the list's first line; 0: no such list, and nothing is restricted by it */
		uint32_t count;
		uint8_t mrsigner[AUTHORITY_SIGNERS_MAX][32];
	} list[AUTHORITY_LISTS];
	struct authority_rule rule[AUTHORITY_RULES_MAX];
};

/* Numbers for names of users and groups; false if there is none. */
struct authority_names {
	bool (*user)(void *arg, const char *name, uint32_t *uid);
	bool (*group)(void *arg, const char *name, uint32_t *gid);
	void *arg;
};
/* From the C library (getpwnam, getgrnam). */
extern const struct authority_names authority_system_names;

/*
 * Read the text of a policy. names NULL: names are errors. *out is malloc'd,
 * the caller's to free. BAWN_ERR_FORMAT says the line and what is wrong.
 */
int authority_policy_parse(const char *text, size_t n, const struct authority_names *names,
			   struct authority_policy **out, struct bawn_error *e);
/* The same policy as bytes (at most AUTHORITY_POLICY_MAX), and back with every bound checked. */
#define AUTHORITY_POLICY_MAX (1u << 20)
void authority_policy_encode(const struct authority_policy *p, struct buf *out);
int authority_policy_decode(const void *p, size_t n, struct authority_policy **out,
			    struct bawn_error *e);
/* Add a remark for each thing that is legal and probably not meant; fn may be called many times. */
void authority_policy_remarks(const struct authority_policy *p,
			      void (*fn)(void *arg, unsigned line, const char *remark), void *arg);
/* The section's number, or -1. */
int authority_section(const struct authority_policy *p, const char *name);
/* Whether a list lets this signer be; a list that is not there lets everybody. Constant time per entry. */
bool authority_listed(const struct authority_policy *p, enum authority_list which,
		      const uint8_t mrsigner[32]);
const char *authority_list_name(enum authority_list which); /* "signing_keys" */

/* ======================= matches in words ======================= */

/*
 * One word of a match: "uid=1000-1999", "group=sgx", "cgroup=/a", "socket=web",
 * "mrenclave=HEX", "mrsigner=HEX", "product=1", "svn=2", "debug=no". Added to *m;
 * said twice, or unknown: BAWN_ERR_FORMAT.
 */
int authority_match_word(struct wire_match *m, const char *word,
			 const struct authority_names *names, struct bawn_error *e);
/* "quote,launch" or "any"; added to m->operations. */
int authority_match_operations(struct wire_match *m, const char *words, struct bawn_error *e);
/* The same in the policy's words, appended: "quote uid=1000 debug=no". */
void authority_match_text(const struct wire_match *m, struct buf *out);
/* True if both are about the same, to the letter. */
bool authority_match_equal(const struct wire_match *a, const struct wire_match *b);

/* ======================= decisions ======================= */

struct authority_subject {
	uint32_t uid, gid;
	const uint32_t *groups; /* supplementary; borrowed */
	size_t ngroups;
	bool more_groups;    /* and others, which are not told */
	const char *section; /* of the socket that the request came in by */
	const char *cgroup;  /* version 2 path; NULL: not known */
};

/*
 * Whether all conditions of the match hold, its operations left aside. What is
 * not known holds if `unknown` says so. identity may be NULL.
 */
bool authority_matches(const struct wire_match *m, const struct authority_subject *s,
		       const struct wire_identity *identity, bool unknown);

struct authority_entries; /* grants and revocations, below */

/*
 * The decision. Pure: it charges no rate and changes nothing, so it can be
 * asked when a request arrives and again before its answer leaves. In order:
 *
 *   1. entries that can not be read          refused (DAMAGED)
 *   2. a revocation that matches             refused (REVOKED)
 *   3. LAUNCH with a key attribute           refused (KEYS)
 *   4. LAUNCH by a signer in no list         refused (LIST)
 *   5. a deny line before the first section  refused (RULE)
 *   6. a grant that matches and is not over  allowed (GRANT)
 *   7. the first line of the socket's section that matches: as it says (RULE)
 *   8. else                                  refused (DEFAULT)
 *
 * What is not known of the enclave, the groups or the control group counts
 * against the request: it meets a refusal's condition and not a permission's. identity
 * NULL or with known 0: conditions on the enclave never hold.
 * now: seconds since 1970, for grants that end. entries may be NULL: none.
 */
void authority_decide(const struct authority_policy *p, const struct authority_entries *entries,
		      const struct authority_subject *s, enum wire_operation op,
		      const struct wire_identity *identity, uint64_t now,
		      struct wire_decision *out);
/* The operations that are about an enclave. */
#define AUTHORITY_OF_ENCLAVES                                                                      \
	(WIRE_OP_BIT(WIRE_OP_QUOTE) | WIRE_OP_BIT(WIRE_OP_CERTIFY) | WIRE_OP_BIT(WIRE_OP_LAUNCH))
/*
 * The decision on what belongs to one of those operations and is asked before
 * there is an enclave to speak of (target info, key ids, the white list). It is
 * no secret, and nobody gets anywhere without it: allowed to whoever might get
 * `op` for some enclave, and to whoever may see the status. So a permission's
 * conditions on the enclave hold, a refusal's do not. There is no rate: what
 * it leads to has one.
 */
void authority_decide_ahead(const struct authority_policy *p, const struct authority_entries *entries,
			    const struct authority_subject *s, enum wire_operation op, uint64_t now,
			    struct wire_decision *out);
/* In words: "allowed by line 12 of the policy"; out has WIRE_NOTE bytes. */
void authority_decision_text(const struct wire_decision *d, char out[WIRE_NOTE]);
/* In short, for the audit log: "line 12", "grant 3", "default". */
void authority_decision_rule(uint32_t reason, uint32_t line, uint64_t entry, char out[32]);

/* ---- rates ---- */

/*
 * Token buckets, one for each rule or grant and uid, in a table of fixed size.
 * When it is full the bucket nearest to full makes way, since it loses least.
 */
struct authority_rates;
int authority_rates_new(struct authority_rates **out, size_t buckets, struct bawn_error *e);
void authority_rates_free(struct authority_rates **r);
/*
 * Take one token for an allowed decision; now_ns is CLOCK_MONOTONIC. 0, or the
 * milliseconds (at least 1) until there will be one; *d then becomes refused
 * (RATE). Decisions without a rate cost nothing.
 */
uint32_t authority_rate_take(struct authority_rates *r, struct wire_decision *d, uint32_t uid,
			     uint64_t now_ns);

/* ======================= state files ======================= */

/*
 * A file in an envelope: magic, name, length, contents, SHA-256 over all that.
 * It is written beside the old one, synced, and renamed, and the directory is
 * synced; so after SIGKILL or power loss there is the old or the new one,
 * whole. One writer per name. The space of the next version is kept allocated
 * (reserve bytes), so that a full disk does not keep a revocation from being
 * recorded; where it can not be, BAWN_ERR_SYSTEM and the old file stays.
 */
#define AUTHORITY_STATE_NAME 32
int authority_state_write(int dirfd, const char *name, const void *p, size_t n, size_t reserve,
			  struct bawn_error *e);
/*
 * *out is malloc'd and has *n bytes, at most max; the caller wipes secrets.
 * BAWN_ERR_NOT_FOUND: never written. BAWN_ERR_FORMAT: damaged.
 */
int authority_state_read(int dirfd, const char *name, size_t max, uint8_t **out, size_t *n,
			 struct bawn_error *e);
/* The envelope alone: for bytes that came another way. */
int authority_state_open(const char *name, const void *p, size_t n, struct cur *contents,
			 struct bawn_error *e);
void authority_state_seal(const char *name, const void *p, size_t n, struct buf *out);

/* ======================= grants and revocations ======================= */

#define AUTHORITY_ENTRIES_MAX 1024u
#define AUTHORITY_ENTRIES_FILE "grants"

/*
 * Loaded from dirfd (borrowed until freed; -1: kept in memory alone). A file
 * that can not be read leaves *out usable, in a state where everything is
 * refused, and returns its error as well: the service starts, and says so.
 */
int authority_entries_load(struct authority_entries **out, int dirfd, struct bawn_error *e);
/* The same of the file's contents, in memory alone; *out is NULL if they are malformed. */
int authority_entries_decode(struct authority_entries **out, const void *p, size_t n,
			     struct bawn_error *e);
void authority_entries_free(struct authority_entries **x);
bool authority_entries_damaged(const struct authority_entries *x);
/*
 * Make a grant or a revocation. id, made and by are set here. It replaces an
 * equal entry of either kind. It holds at once, in memory; *kept tells whether
 * it is on disk too, and e why not (the return value is 0 all the same).
 * BAWN_ERR_USAGE: what makes no sense, or a revocation that the caller would
 * fall under itself; BAWN_ERR_DENIED: a grant of administer, or any grant
 * while `locked`; BAWN_ERR_MEMORY: the list is full.
 */
struct authority_change {
	uint64_t id;
	uint64_t lifted;  /* the equal entry of the other kind that it replaced, or 0 */
	uint64_t blocker; /* a grant: a revocation that may still stand in its way, or 0 */
	bool kept;
};
int authority_entries_add(struct authority_entries *x, const struct wire_entry *entry,
			  const struct authority_subject *by, bool locked, uint64_t now,
			  struct authority_change *out, struct bawn_error *e);
/*
 * Remove an entry: what the policy file says is in force again. BAWN_ERR_DENIED:
 * a revocation while locked; BAWN_ERR_NOT_FOUND. A grant is gone at once, and
 * *kept tells whether on disk too; a revocation that can not be removed from
 * the disk stays, and the error is returned.
 */
int authority_entries_remove(struct authority_entries *x, uint64_t id, bool locked,
			     struct wire_entry *removed, bool *kept, struct bawn_error *e);
/* Drop grants that are over, and write anew what could not be kept; call now and then. */
int authority_entries_tidy(struct authority_entries *x, uint64_t now, struct bawn_error *e);
/* The i-th entry in ascending order of ids, or NULL. */
const struct wire_entry *authority_entries_at(const struct authority_entries *x, size_t i);
size_t authority_entries_count(const struct authority_entries *x, enum wire_entry_kind kind);

/* ======================= audit log: doc/AUDIT.md ======================= */

/*
 * Files "audit-NNNNNNNNNNNN.log" in one directory, named after their first
 * line's number; a line is a JSON object that ends in
 *
 *	,"mac":"<64 hex digits>"}
 *
 * MAC = HMAC-SHA256(K[n], MAC of line n - 1 || the line's bytes before that),
 * K[n + 1] = SHA-256("bawn audit key" || K[n]), and K[n] is forgotten at the
 * next sync: whoever takes the machine over can not change what was written
 * before. K[1] is in the file "audit-key" until the owner takes it away; the
 * log's name is made from it.
 */
struct authority_audit;
struct authority_audit_options {
	uint64_t segment_bytes; /* begin a new file at this size; 0: 16 MiB; at least 64 KiB */
	unsigned segments;      /* files to keep; 0: 16; at least 2 */
};
#define AUTHORITY_AUDIT_LINE 4096u /* bytes of a line, its end included */
/*
 * Open, or begin, the log for appending; dirfd is borrowed until freed. What a
 * crash left is taken up: lines written since the last sync are verified, a
 * line cut off in its middle is removed, what does not verify is set aside in
 * a file of its own, and a line says so. BAWN_ERR_BUSY: another process has
 * the log open.
 */
int authority_audit_open(struct authority_audit **out, int dirfd,
			 const struct authority_audit_options *o, struct bawn_error *e);
/* Syncs and closes. */
void authority_audit_free(struct authority_audit **a);
/*
 * Append one line. On failure (disk full) nothing half-written stays; the line
 * is counted as lost, which the next line that can be written tells.
 * ev->number is no part of the line.
 */
int authority_audit_append(struct authority_audit *a, const struct role_audit *ev,
			   struct bawn_error *e);
/* Tell now of lines that were lost, if there are any that no line tells of, and lines can be written. */
int authority_audit_recover(struct authority_audit *a, struct bawn_error *e);
/*
 * Make what was appended durable and forget the keys that it was written
 * under: when idle, and every few seconds otherwise. Nothing to do: 0.
 */
int authority_audit_sync(struct authority_audit *a, struct bawn_error *e);
/* The head as of the last sync: what will be there after a power failure. */
void authority_audit_head(const struct authority_audit *a, struct wire_anchor *out);
/*
 * That the log's writer has the key of the line after that head: who holds an
 * earlier key of this log, as the ledger enclave does, can check it. doc/AUDIT.md.
 */
void authority_audit_proof(const struct authority_audit *a, uint8_t proof[32]);
/*
 * From where on the log can be followed, and with which key: line 0, if
 * the first key is still there, leads to the present one, and that is not a
 * million lines away; else its end. The key is a secret; wipe it.
 */
int authority_audit_follow(struct authority_audit *a, struct wire_anchor *from, uint8_t key[32],
			   struct bawn_error *e);
/*
 * What there is at a line, to be compared with an anchor of earlier. Nothing is
 * verified. Reads a file of the log, or all of them if the line is not there;
 * none for number 0.
 */
int authority_audit_look(const struct authority_audit *a, uint64_t number, struct role_line *out,
			 struct bawn_error *e);
/* Lines that could not be written since the log was opened. */
uint64_t authority_audit_lost(const struct authority_audit *a);

/* One line, without its line end, taken apart. Texts point into the line. */
struct authority_line {
	uint64_t n;
	struct cur event, time, operation, answer, rule, protocol, socket, note, cgroup, match, until;
	bool has_subject;
	uint64_t uid, gid, pid;
	struct wire_identity identity; /* known 0: of no enclave */
	uint64_t entry;       /* GRANT, REVOKE, REMOVE: its number; 0: none */
	uint64_t lost, cut;   /* RECOVER: lines that could not be written, bytes set aside */
	uint64_t first, last; /* DROP: lines that went with a file */
	bool begins;          /* BEGIN: the first line of a file, with the next two */
	uint8_t log[16], before[32]; /* the log's name; the MAC of the line before */
	size_t maced;         /* bytes that the MAC covers */
	uint8_t mac[32];
};
int authority_line_parse(const void *p, size_t n, struct authority_line *out,
			 struct bawn_error *e);
/* A text of a line with its %XX decoded; what is no printable ASCII then becomes '?'. */
void authority_line_text(struct cur text, char *out, size_t size);

/* The owner's key: the log's name and K[1]. As text: 96 hexadecimal digits. */
struct authority_audit_key {
	uint8_t log[16], key[32];
};
#define AUTHORITY_AUDIT_KEY_FILE "audit-key"
int authority_audit_key_parse(const char *text, size_t n, struct authority_audit_key *out,
			      struct bawn_error *e);

enum authority_audit_finding {
	AUTHORITY_AUDIT_SOUND,
	AUTHORITY_AUDIT_CHANGED, /* a line's MAC does not hold: it, or what is before it, is not as written */
	AUTHORITY_AUDIT_MISSING, /* lines between two others, or files, are gone */
	AUTHORITY_AUDIT_CUT,     /* the log ends before the head that is on record */
	AUTHORITY_AUDIT_GARBAGE, /* not a line of an audit log */
	AUTHORITY_AUDIT_OTHER,   /* another log: its name differs from the key's or the anchor's */
	AUTHORITY_AUDIT_FINDINGS,
};
const char *authority_audit_finding_name(unsigned finding); /* "changed" */
struct authority_audit_report {
	enum authority_audit_finding finding; /* the first */
	char file[32];         /* of the finding, or empty */
	uint64_t line_in_file; /* 1-based */
	uint64_t number;       /* the line's number, found or expected */
	uint64_t first, last;  /* lines verified; 0: none */
	uint64_t dropped;      /* lines 1 to this went with rotated files, on record */
	uint64_t lost;         /* lines that could not be written, on record */
	uint64_t recovered;    /* times that a crash was recovered from */
	uint64_t unfinished;   /* bytes after the last line: being written, or cut by a crash */
	char text[WIRE_NOTE];
};
/*
 * Verify all there is. head: the anchor that the vault holds, or that was noted
 * elsewhere; NULL: none. The log's own record of its head counts too where it
 * can be read. 0 if it was read to its end or to a finding.
 */
int authority_audit_verify(int dirfd, const struct authority_audit_key *key,
			   const struct wire_anchor *head, struct authority_audit_report *out,
			   struct bawn_error *e);
/*
 * Call fn for each line in order, from line number `from` on, until it returns
 * a value that is not 0, which is returned. Nothing is verified; what is no
 * line is passed over.
 */
int authority_audit_each(int dirfd, uint64_t from,
			 int (*fn)(void *arg, const struct authority_line *l, struct cur text),
			 void *arg, struct bawn_error *e);
/* The number of the last line; 0 if there is none. */
int authority_audit_last(int dirfd, uint64_t *number, struct bawn_error *e);

/*
 * The anchor: the head, for the vault to keep with its state, as it is and
 * sealed by the ledger enclave. The vault hands it out over WIRE_AUDIT_HEAD,
 * from memory, so that who puts an old file back changes nothing for a running
 * service.
 */
#define AUTHORITY_ANCHOR 64u
void authority_anchor_encode(const struct wire_anchor *a, uint8_t out[AUTHORITY_ANCHOR]);
int authority_anchor_decode(const void *p, size_t n, struct wire_anchor *out,
			    struct bawn_error *e);
/* Whether this is the log that the anchor is of: `line` is what it has at the anchor's line. */
enum authority_audit_finding authority_anchor_compare(const struct wire_anchor *a,
						      const struct role_line *line);

#endif
