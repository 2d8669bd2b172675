/*
 * The vault's files share this. Threads: `workers` of them take requests from
 * the gate's channel, each one request at a time, and answer; one makes
 * enclaves for the broker; one has the audit log's end sealed; the first thread
 * has the parent, the courier, the metrics and the clock.
 *
 * `lock` guards everything here that has no remark. The desk has its own lock,
 * and is called without ours. `lock` may be taken under `prov_lock` (what loads
 * enclaves does), never the other way round.
 */
#ifndef BAWN_DAEMON_VAULT_H
#define BAWN_DAEMON_VAULT_H

#include "ae/ae.h"
#include "authority/authority.h"
#include "daemon/daemon.h"

#include <pthread.h>
#include <stdatomic.h>

#define WORKERS_MAX 8
#define PARKED_MAX 256 /* requests that wait, launches aside; a fourth of them at most one user's */
#define LAUNCHES_MAX 32 /* those that wait for their turn, and likewise */
#define CHAIN_MAX 16384u /* bytes of a PCK certificate's chain */
#define SECOND_NS UINT64_C(1000000000)
#define COURIER_NS (120 * SECOND_NS) /* its answer, retries included; then it is taken for lost */

/* ======================= clients ======================= */

/* A client's connection: its socket came from the gate, what is known of it from the kernel. */
struct conn {
	int fd; /* -1: free */
	uint32_t generation;
	unsigned refs;   /* requests of it that are being served */
	bool dead;       /* to be closed once nobody serves it */
	bool greeted;    /* HELLO was answered */
	const struct conf_socket *socket;
	uint32_t uid, gid, pid, ngroups, groups[WIRE_GROUPS];
	bool has_cgroup, more_groups;
	char cgroup[WIRE_CGROUP];
};

/* ======================= requests ======================= */

/* What a request waits for when it cannot be answered at once. */
enum park { PARK_NOT, PARK_PROVISIONED, PARK_FETCHED, PARK_POLICY, PARK_LAUNCH, PARKS };

/* One request, from the gate's message to the answer. */
struct job {
	struct conn *conn;
	uint32_t index, seq; /* the gate's number of the connection and of the request */
	uint64_t deadline;   /* clock_ns */
	enum role_protocol protocol;
	enum wire_operation operation;
	struct wire_identity identity;
	struct wire_decision decision;
	uint64_t authority;  /* authority_changes when that was decided */
	int fd; /* the client's, or -1 */
	/* the request */
	struct wire_request native;
	struct aesm_request *aesm;
	/* the answer */
	struct wire_answer answer;
	struct buf tail;
	int answer_fd; /* goes along; -1: none */
	struct aesm_response response;
	uint8_t scratch[2048]; /* what response points to */
	bool close;            /* the connection, once it is answered */
	bool quiet;            /* nothing for the audit log if it went well */
	bool metered;          /* a rate was charged already */
	bool malformed;        /* what is wrong is in note */
	/* for the audit log */
	enum wire_audit_event event;
	struct wire_entry entry; /* that is made or removed; of what is not known yet, nothing */
	char note[WIRE_NOTE];
	enum park park;
	bool parked;           /* the gate knows that it waits, or has waited */
	bool turn;             /* PARK_LAUNCH: it has come */
	uint32_t resumed[PARKS]; /* the vault's, when it was last served */
	uint64_t number;       /* PARK_FETCHED: of the fetch; 0: not asked for yet */
	const struct role_fetched *fetched; /* when it has come, with fetched_fd */
	int fetched_fd;
};

/* ======================= enclaves handed over ======================= */

/* What tells how long they are there, and of one of them, how: vault_life.c. */
struct lives {
	int inotify, device; /* -1: none */
};
struct life {
	int watch;     /* inotify's; -1 */
	uint64_t byte; /* locked at the device; 0 */
};

/* ======================= provisioning ======================= */

/* The attestation key, its certificate, and what is known of the way to newer ones. */
struct provisioning {
	bool has_key, has_chain;
	uint8_t blob[AE_QE_BLOB_BYTES]; /* sealed by the quoting enclave */
	uint64_t key_made;
	uint8_t key_id[32], qe_id[16];
	struct ae_tcb tcb;              /* that the key is certified at: the certificate's */
	char chain[CHAIN_MAX];          /* PEM, leaf first */
	uint32_t chain_n;
	uint64_t from, expires;         /* of the certificate */
	uint8_t fmspc[6];
	char ca[12], root[64];
	uint16_t pce_id;
};

enum fetch_state { FETCH_IDLE, FETCH_ASKED };

/* What the loader brought, and the desk over it. */
struct enclaves {
	struct vault *vault;
	int fd; /* sealed memory */
	struct ae_desk *desk;
	_Atomic unsigned holders;
};

/* How a request ended: with what was asked for; by the policy's word or a rate; by a failure; for a flaw of its own. */
enum outcome { OUTCOME_OK, OUTCOME_REFUSED, OUTCOME_FAILED, OUTCOME_BAD, OUTCOMES };

/* The end of the audit log, sealed (vault_ledger.c). */
struct ledger {
	/* its thread's own */
	bool ready;             /* the blob is this log's */
	bool followed;          /* ... and so far the log goes on as it was */
	bool unwritten;         /* the blob is not on disk */
	uint8_t blob[AE_LEDGER_BLOB_BYTES];
	uint64_t first;         /* what the blob says: ae_ledger_state */
	uint8_t name[AE_LEDGER_NAME_BYTES];
	struct wire_anchor end;
	/* under lock */
	pthread_cond_t news;    /* of what follows */
	enum { LEDGER_NOTHING, LEDGER_LINE, LEDGER_KEY } asked; /* the parent, who has not answered yet */
	struct role_line line;
	struct role_key key;    /* wiped once it is used */
	uint64_t since;         /* clock_ns: it is at the enclave; 0: it is not */
	bool look;              /* without waiting: something has changed */
	bool last, done;        /* the service stops; that was seen to */
};

struct vault {
	const struct config *config;
	struct sandbox sandbox;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* gate_epoch */
	int courier;            /* -1: none now */
	bool stopping;
	uint64_t started;       /* seconds since 1970 */

	/* the gate */
	unsigned gate_epoch;
	bool gate_gone;
	struct conn *conn;
	struct role_counters gate_counters;

	/* authority */
	bool policy_known, locked;
	struct authority_policy *policy; /* allows nothing until one was read */
	struct role_policy policy_info;
	uint64_t policy_loaded;
	struct authority_entries *entries;
	char unkept[WIRE_NOTE]; /* why what is in memory of them is not on disk; empty: it is */
	struct authority_rates *rates;
	_Atomic uint64_t authority_changes; /* of policy, grants and revocations */
	pthread_rwlock_t leaving; /* read: an answer that they allow leaves; taken before `lock` */

	/* enclaves; prov_lock */
	struct enclaves *enclaves; /* NULL before there are any */
	struct ae_desk *desk;      /* the one of those */
	bool emulated;
	/* white lists that the launch enclave took, by kind */
	struct white_list {
		uint8_t *p;
		size_t n;
		uint32_t version;
	} list[CONF_LISTS];
	uint64_t lists_again; /* clock_ns, the first thread's: when to give them once more; 0: never */
	uint64_t quiesced_until; /* clock_ns; 0: not */
	struct isa_report_body qe; /* identity of the quoting enclave, once it was loaded */
	bool qe_known;
	bool looked;         /* the enclaves were seen at work, since they were loaded or something was wrong */
	uint64_t look_next;  /* clock_ns, the first thread's: not before that again */
	char cannot[WIRE_NOTE]; /* why they do not work; "" as far as known */
	bool told_none;      /* that there is no certificate and no source of one */
	uint16_t qe_svn, pce_svn;
	uint8_t cpusvn[16], qe_mrsigner[32];
	uint16_t qe_product;

	/* provisioning; prov_lock */
	pthread_rwlock_t prov_lock;
	struct provisioning prov;
	/* under lock: */
	uint64_t last_try, last_success; /* seconds since 1970, to be told */
	uint64_t next_try;               /* clock_ns, whatever becomes of the time of day; 0: at once */
	uint64_t renew_next, refresh_next; /* the same of certificate and collateral that are near their end */
	uint32_t tries;
	char problem[WIRE_NOTE];
	enum fetch_state pck, collateral;
	uint64_t fetch_number, pck_number, collateral_number;
	uint64_t pck_since, collateral_since; /* clock_ns */
	uint32_t pck_skip;          /* candidates that turned out to be another platform's */
	bool want_key;              /* a new attestation key was asked for */
	bool want_pck, want_collateral;
	bool collateral_turn;       /* it was asked for last */
	bool unchecked;             /* whether the key is fit for the platform as it is now */
	char time_told[WIRE_NOTE];  /* the first thread's: what of provision_time the log has */
	bool unasked;               /* it could not be seen: that is what `problem` is about */
	bool behind;                /* it is not: the TCB has risen */
	bool unsaved;               /* what is in prov could not be written */
	bool resealed;              /* the key in prov was sealed anew, and is to be written */
	int bundle;                 /* sealed memory: our own platform's collateral, -1: none */
	struct role_fetched bundle_info;
	uint64_t collateral_expires;
	uint32_t tcb_status;

	/* enclaves handed over */
	struct lives lives;
	struct handed *handed;
	size_t handed_n;
	uint64_t launch_id;

	/* what the courier was asked for a client */
	uint64_t asking, asking_since; /* its number, 0: nothing; clock_ns */
	struct wire_collateral asked;
	uint32_t asked_uid;

	struct job *parked[PARKED_MAX + LAUNCHES_MAX];
	size_t parked_n;
	pthread_cond_t launches; /* one of them is to be launched */
	uint32_t launched_uid;   /* whose turn was last */
	uint32_t resumed[PARKS]; /* how often what they wait for came */

	/* audit */
	_Atomic uint64_t audit_number;
	struct role_anchor anchor;
	uint64_t anchor_saved; /* clock_ns */
	struct wire_anchor kept;      /* the log's head as of the last run; count 0: none */
	bool anchor_known;            /* the parent has told of the log */
	bool anchor_asked;            /* the parent, what the log has there */
	uint64_t anchor_from;         /* lines that the log must have before its head is kept anew */
	uint64_t anchor_lost;         /* lines that were lost before a fault: if there are more, it may not be on record */
	char anchor_problem[WIRE_NOTE]; /* the log is not the one that was kept in mind */
	struct ledger ledger;
	char unsealed[WIRE_NOTE];     /* why the log's head is not sealed, though it should be */

	/* counters */
	struct {
		_Atomic uint64_t requests, quotes, tokens, launches, certifications;
		_Atomic uint64_t denied, limited, failed, timeouts;
		_Atomic uint64_t by_code[WIRE_CODES];
		/* answers by socket (one more for none), operation (likewise) and what came of it */
		_Atomic uint64_t by_operation[CONF_SOCKETS + 1][WIRE_OPERATIONS + 1][OUTCOMES];
		_Atomic uint64_t quote_ns;
	} count;
	uint64_t minute, minute_quotes, last_minute_quotes;
	uint64_t metrics_next; /* clock_ns, the first thread's */
	struct message in; /* the first thread's */
};

/* ---- vault_conn.c ---- */

int conns_new(struct vault *v, struct bawn_error *e);
/* The connection that a request of the gate's is about, held; fd: its socket if the gate sent it, else -1. */
struct conn *conn_take(struct vault *v, const struct role_request *r, int fd);
void conn_give(struct vault *v, struct conn *c);
/* Closed once nobody serves it: no request on it is taken any more. */
void conn_end(struct vault *v, struct conn *c);
void conn_closed(struct vault *v, uint32_t index, uint32_t generation);
/* All of them: the gate is another. Under lock. */
void conns_drop(struct vault *v);
void conn_subject(const struct conn *c, struct authority_subject *out);

/* ---- vault_peer.c ---- */

/*
 * The control group (version 2) of the process that connected, whose numbers
 * are as SO_PEERCRED says. False, and empty: it has none, or that is not
 * certain to be that process's own.
 */
bool peer_read(int fd, uint32_t pid, uint32_t uid, char cgroup[WIRE_CGROUP]);

/* ---- vault_socket.c ---- */

/* The configured socket that this connection was accepted on; NULL: none, or that is not certain. */
const struct conf_socket *socket_of(const struct vault *v, int fd);

/* ---- vault_serve.c ---- */

/* Answer, or park; frees the job once it is answered. */
void job_serve(struct vault *v, struct job *j);
struct job *job_new(void);
void job_free(struct vault *v, struct job *j);
void tell_gate(struct vault *v, const struct role_answered *a);
/* Serve again those that wait for this; number as in job. fd: the fetched memory, or -1. */
void parked_resume(struct vault *v, enum park what, uint64_t number, const struct role_fetched *f,
		   int fd);
/*
 * The next that waits for this and has to be seen to, another's than this
 * user's if there is one; SIZE_MAX: none. Under lock.
 */
size_t parked_turn(const struct vault *v, enum park what, uint32_t last_uid);
/* The next that is to be launched, once there is one. */
struct job *parked_launch(struct vault *v);
/* Those whose time is over are refused. */
void parked_expire(struct vault *v, uint64_t now);
/* A refusal as the answer. */
void job_refuse(struct job *j, enum wire_code code, uint32_t retry_ms, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same for an error of ours. */
void job_fail(struct job *j, int rc, const struct bawn_error *e);
/*
 * Policy, grants or revocations have changed: once this returns, nothing
 * leaves that they do not allow as they are now. Without lock.
 */
void authority_changed(struct vault *v);
/* True if the caller of the job may also do this. */
bool job_may(struct vault *v, const struct job *j, enum wire_operation op);

/* ---- vault_native.c, vault_admin.c, vault_aesm.c, vault_launch.c ---- */

/* Fill in the answer; the policy has agreed already. */
void native_serve(struct vault *v, struct job *j);
void admin_serve(struct vault *v, struct job *j);
void aesm_serve(struct vault *v, struct job *j);
void launch_serve(struct vault *v, struct job *j);
/* A thread: makes those that launch_serve has parked, one at a time. */
void *launch_work(void *vault);
void status_fill(struct vault *v, struct wire_status *s, bool full);
/* Bytes of EPC in enclaves that were handed over and are still there, of this uid or (UINT64_MAX) of all. */
uint64_t launch_held(struct vault *v, uint64_t uid, uint32_t *count);

/* ---- vault_fetch.c ---- */

/* Those that are parked for it have the courier asked, if it is not at work for one of them. Under lock. */
void collateral_next(struct vault *v);
/* For those that wait for just this; fd: its memory, or -1. */
void collateral_came(struct vault *v, const struct role_fetched *f, int fd);
/* The courier is another: what was asked is lost. */
void collateral_courier(struct vault *v);
void collateral_tick(struct vault *v);

/* ---- vault_life.c ---- */

void lives_new(struct lives *l);
/*
 * From now on it is known whether anybody has this descriptor, or a copy, or a
 * mapping. BAWN_ERR_BUSY: a holder of another has made that impossible.
 */
int life_watch(struct lives *l, int fd, struct life *out, struct bawn_error *e);
/* The watch of one that has ended, told once; -1: no more of them. */
int life_ended(struct lives *l);
/* True if one without a watch has ended. */
bool life_over(const struct lives *l, const struct life *of);

/* ---- vault_quote.c ---- */

/* What a quote answers is made of; both protocols use it. 0 or enum bawn_code; parks by BAWN_ERR_BUSY. */
int quote_ready(struct vault *v, struct job *j, struct bawn_error *e);
int quote_size(struct vault *v, size_t *n, struct bawn_error *e);
int quote_make(struct vault *v, const struct ae_quote_request *q, struct isa_report *qe_report,
	       struct buf *out, struct bawn_error *e);

/* ---- vault_provision.c ---- */

int provision_load(struct vault *v, struct bawn_error *e);
/* Do what is next; called now and then, and when something changed. Returns ns until the next time. */
uint64_t provision_step(struct vault *v);
void provision_fetched(struct vault *v, const struct role_fetched *f, int fd);
void provision_now(struct vault *v, uint32_t what);
void provision_fill(struct vault *v, struct wire_provisioning *out);
/* The courier is another: what was asked is lost. */
void provision_courier(struct vault *v);
enum wire_provisioning_state provision_state(struct vault *v);
/* What is wrong with the time of certificate or collateral; false if nothing is. */
bool provision_time(struct vault *v, char problem[WIRE_NOTE]);

/* Why no quote can be made now, in words; false if one can be, as far as is known. */
bool provision_no_quotes(struct vault *v, char problem[WIRE_NOTE]);
/* Something may be wrong with the enclaves: the first thread is to look. */
void provision_look(struct vault *v);

/* ---- vault_enclaves.c ---- */

int enclaves_new(struct vault *v, int fd, struct bawn_error *e);
/*
 * Those that there are, for who takes longer than others are to wait for
 * prov_lock: they stay until they are given back, though there may be others by
 * then. NULL: none yet.
 */
struct enclaves *enclaves_hold(struct vault *v);
void enclaves_give(struct enclaves **x);
/* The error of those who come before there is a desk: they may come again. */
int enclaves_none(struct bawn_error *e);
/* Quoting enclaves that may be at work side by side. */
unsigned enclaves_at_once(const struct vault *v);
/* That, and until when, an administrator had all closed; false if not. Under lock. */
bool enclaves_quiesced(const struct vault *v, char text[WIRE_NOTE]);
/* Close all; for `seconds` nothing is loaded. */
void enclaves_quiesce(struct vault *v, uint32_t seconds, struct wire_quiesce_answer *out);
/* Reopen in time; returns ns until there is something to do. */
uint64_t enclaves_tick(struct vault *v);

/* ---- vault_lists.c ---- */

/* Give a new desk the lists: those of the configuration, and newer ones registered before. Under prov_lock. */
void lists_load(struct vault *v);
/* Again, if that failed for a reason that passes. */
void lists_tick(struct vault *v);
/* A newer list, for good. what points into p. BAWN_ERR_FORMAT, BAWN_ERR_DENIED by the enclave. */
int lists_register(struct vault *v, const uint8_t *p, size_t n, struct ae_white_list *what,
		   struct bawn_error *e);
/* The list in force, appended; BAWN_ERR_NOT_FOUND without one. */
int lists_get(struct vault *v, enum conf_list which, struct buf *out, struct bawn_error *e);

/* ---- vault_audit.c ---- */

/* What the record is to be about, as soon as the request is known: so refusals have it too. */
void audit_expect(struct job *j);
void vault_audit(struct vault *v, const struct job *j, enum wire_code code);
/* False, and a refusal: it would be on record, there can be no record now, and the configuration wants one. */
bool audit_permits(struct vault *v, struct job *j);
void vault_note(struct vault *v, enum wire_audit_event event, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- vault_anchor.c ---- */

/*
 * The head of the audit log that the last vault kept: the parent is asked what
 * the log has there now, and what it says compared. A log that is not the same
 * is a fault, which status tells until the service is stopped and started.
 */
void anchor_load(struct vault *v);
/* What the parent tells of the log, and answers. */
void anchor_told(struct vault *v, const struct role_anchor *a);
void anchor_line(struct vault *v, const struct role_line *now);
/* Keep the head that there is now. */
void anchor_save(struct vault *v, bool force);
void anchor_ask_line(uint64_t number);
/* The log is not as it was kept: that, and what it should have had (count 0: not known). */
void anchor_fault(struct vault *v, const struct wire_anchor *kept, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Is the log, by what it has there now, the one that this is the end of? If not, that is a fault. */
bool anchor_holds(struct vault *v, const struct wire_anchor *kept, const struct role_line *now, const char *how);

/* ---- vault_ledger.c ---- */

/* Before the other threads. */
void ledger_init(struct vault *v);
/* A thread: has the end sealed that there is now, every few seconds. */
void *ledger_work(void *vault);
/* There are other enclaves, or it is known what the log has: no time is to be lost. */
void ledger_look(struct vault *v);
/* Why it is not sealed, though it should be; "" if there is nothing to say. Under lock. */
void ledger_problem(const struct vault *v, char problem[WIRE_NOTE]);
/* The service stops: once more, if that does not take long. */
void ledger_stop(struct vault *v);
/* What the parent answers. */
void ledger_line(struct vault *v, const struct role_line *now);
void ledger_key(struct vault *v, const struct role_key *k);
/* After a fault that was on record: what is sealed no longer counts. */
void ledger_forget(void);

/* ---- vault_remark.c ---- */

/* A warning that a client, or a role in the wrong hands, can cause as often as it likes: so many a minute, the rest is counted. */
void vault_remark(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Tell how many there were besides, once their minute is over. */
void vault_remark_tick(uint64_t now);

/* ---- vault_metrics.c ---- */

void metrics_serve(struct vault *v, int listener);
/* For the file, to the parent, when it is time. */
void metrics_tick(struct vault *v);

uint64_t now_s(void);

#endif
