/* What the files of attest share and nobody else needs. */
#ifndef BAWN_ATTEST_INTERNAL_H
#define BAWN_ATTEST_INTERNAL_H

#include "attest/attest.h"

#include <pthread.h>
#include <stdatomic.h>

/* ECDSA-Sig-Value in a BIT STRING (RFC 5480 appendix A) off a cursor, as r || s. */
bool attest_signature_der(struct cur *c, uint8_t rs[64]);
/* AlgorithmIdentifier ecdsa-with-SHA256 off a cursor. */
bool attest_algorithm_der(struct cur *c);
/* CertificateSerialNumber off a cursor: positive, at most 20 bytes. */
bool attest_serial_der(struct cur *c, struct attest_serial *serial);
int attest_serial_cmp(const struct attest_serial *a, const struct attest_serial *b);

/* ---- the parts that TCB infos and QE identities share (levels.c) ---- */

/* A string of exactly 2 * n hexadecimal digits. */
bool attest_json_hex(struct jread *r, void *out, size_t n);
bool attest_json_u16(struct jread *r, uint16_t *out);
bool attest_json_u32(struct jread *r, uint32_t *out);
bool attest_json_date(struct jread *r, int64_t *t);
/* A status word whose bit (BAWN_STATUS_BIT) is in allowed. */
bool attest_json_status(struct jread *r, uint32_t allowed, uint8_t *status);
bool attest_json_advisories(struct jread *r, struct attest_advisories *table, struct attest_refs *refs);
/*
 * An object: read(r, i, arg) reads the value of the member called names[i], of
 * which those whose bits are in `need` must be there. Others are skipped.
 */
bool attest_json_object(struct jread *r, const char *const *names, size_t n, uint32_t need,
			bool (*read)(struct jread *r, unsigned i, void *arg), void *arg);
/*
 * A TCB level, { tcb, tcbDate, tcbStatus, advisoryIDs? }: tcb(r, arg) reads the
 * first, `allowed` is as above, advisories go into the table.
 */
struct attest_level_head {
	int64_t date;
	struct attest_refs advisories;
	uint8_t status;
};
bool attest_json_level(struct jread *r, struct attest_advisories *table, uint32_t allowed,
		       bool (*tcb)(struct jread *r, void *arg), void *arg, struct attest_level_head *out);
/*
 * An array of { tcb: { isvsvn }, tcbDate, tcbStatus, advisoryIDs? } appended to
 * level[*count], of max; sorted by descending isvsvn. Empty, or two of
 * the same isvsvn: refused.
 */
bool attest_json_svn_levels(struct jread *r, struct attest_advisories *table,
			    struct attest_svn_level *level, uint16_t *count, size_t max);
/*
 * { "<name>": {...}, "signature": "<128 digits>" } and nothing else: body(r, arg)
 * reads the first, *bytes becomes its exact text.
 */
int attest_json_signed(const void *json, size_t n, const char *name,
		       bool (*body)(struct jread *r, void *arg), void *arg, struct cur *bytes,
		       uint8_t signature[64], struct bawn_error *e);

/* ---- signatures ---- */

/*
 * Signatures known to hold, by SHA-256 of (key, digest, signature). What held
 * once holds for ever, so entries never go stale; old ones make way. Readers
 * never wait, neither for each other nor for writers.
 */
int attest_sigcache_new(struct attest_sigcache **out, struct bawn_error *e);
void attest_sigcache_free(struct attest_sigcache **c);
/* crypto_p256_verify, done at most once for the same arguments. c may be NULL. */
int attest_sigcache_verify(struct attest_sigcache *c, const uint8_t key[64], const uint8_t digest[32],
			   const uint8_t rs[64], struct bawn_error *e);
/* What a signature is remembered by; and remembering one that is known to hold. */
void attest_sigcache_id(const uint8_t key[64], const uint8_t digest[32], const uint8_t rs[64], uint8_t id[32]);
void attest_sigcache_add(struct attest_sigcache *c, const uint8_t id[32]);

/*
 * Below Intel's key: the self-signatures of the root certificates that Intel
 * has issued with it so far, by attest_sigcache_id. Their verification was done
 * when they were written down (tests/attest/corpus_test.c does it again), and
 * is a tenth of a verification from nothing. Others are verified as they come.
 */
#define ATTEST_INTEL_ROOTS 3
extern const uint8_t attest_intel_roots[ATTEST_INTEL_ROOTS][32];

/* ---- collateral that was checked (collateral.c, store.c) ---- */

/* Instants at which several things hold together, and which of them bounds it. */
struct attest_window {
	int64_t from, until;
	const char *from_what, *until_what; /* static text */
};
#define ATTEST_ALWAYS ((struct attest_window){ INT64_MIN, INT64_MAX, "nothing", "nothing" })
void attest_window_narrow(struct attest_window *w, int64_t from, int64_t until, const char *what);
void attest_window_meet(struct attest_window *w, const struct attest_window *other);

enum attest_kind { ATTEST_TCB_INFO, ATTEST_QE_IDENTITY, ATTEST_ROOT_CRL, ATTEST_PCK_CRL };

/* One piece: immutable once made, except for the counters. */
struct attest_item {
	enum attest_kind kind;
	_Atomic unsigned refs;
	_Atomic uint64_t used;     /* the store's age when it was last looked at */
	bool early;                /* TCB info and QE identity */
	struct attest_window window; /* of itself and its chain */
	struct attest_serial signer, root; /* of its chain: to be looked for in the root's list */
	union {
		struct attest_tcb_info tcb;
		struct attest_qe_identity qe;
		struct {
			uint8_t issuer[32]; /* SHA-256 of issuing name and key */
			size_t ca_n, root_n; /* PCK CRL: the certificates of its chain, DER */
			size_t count, buckets; /* revoked serials; a power of two above twice as many */
			struct attest_serial *serial;
			uint16_t *bucket;    /* by hash: number of a serial + 1, or 0 */
			uint8_t *certs;      /* CA, then root */
		} crl;
	} u;
};

void attest_issuer_id(struct cur name, const uint8_t key[64], uint8_t id[32]);
/* The DER of a PCK CRL's CA and root certificate. */
struct cur attest_item_ca(const struct attest_item *i);
struct cur attest_item_root(const struct attest_item *i);
bool attest_item_revokes(const struct attest_item *crl, const struct attest_serial *serial);
void attest_item_release(struct attest_item *i);

#define ATTEST_ITEMS_MAX 4 /* of a struct bawn_collateral */
/*
 * Check syntax, chain and signature of every part that is there; items[0] to
 * items[*count - 1] are the caller's to release. None on failure.
 */
int attest_collateral_check(const struct bawn_collateral *c, const struct attest_anchor *a,
			    struct attest_sigcache *cache, struct attest_item *items[ATTEST_ITEMS_MAX],
			    size_t *count, struct bawn_error *e);

/* A set of items that does not change; readers hold one while they look. */
#define ATTEST_TCB_INFOS_MAX 64
#define ATTEST_PCK_CRLS_MAX 3
struct attest_set {
	_Atomic unsigned refs;
	uint64_t age; /* sets made before this one */
	size_t tcb_count, pck_crl_count;
	struct attest_item *tcb[ATTEST_TCB_INFOS_MAX];
	struct attest_item *qe[2][2]; /* [TDX][early] */
	struct attest_item *root_crl;
	struct attest_item *pck_crl[ATTEST_PCK_CRLS_MAX];
};

/* The set in force, and its replacement. */
struct attest_store {
	pthread_rwlock_t lock;  /* of `now`, held for a few instructions */
	pthread_mutex_t change; /* one change at a time */
	struct attest_set *now;
};
int attest_store_init(struct attest_store *s, struct bawn_error *e);
void attest_store_destroy(struct attest_store *s);
const struct attest_set *attest_store_get(struct attest_store *s);
void attest_store_put(const struct attest_set *set);
/* Takes the items over (also on failure); each replaces its like. */
int attest_store_add(struct attest_store *s, struct attest_item *const *items, size_t n, struct bawn_error *e);
struct attest_item *attest_set_tcb(const struct attest_set *s, enum bawn_tee tee, const uint8_t fmspc[6],
				   bool early);
struct attest_item *attest_set_pck_crl(const struct attest_set *s, const uint8_t issuer[32]);

#endif
