/* What `bawn verify`, its batches and `bawn collateral` share; of no use to other subcommands. */
#ifndef BAWN_CLI_VERIFY_H
#define BAWN_CLI_VERIFY_H

#include "attest/attest.h"
#include "cli/cli.h"

#include <pthread.h>

enum verify_exit { VERIFY_UNACCEPTABLE = 3, VERIFY_NOT_GENUINE = 4, VERIFY_UNDECIDED = 5 };

/* ---- options that more than one command takes ---- */

#define VERIFY_OPT_STORE                                                                           \
	{ .name = "collateral", .value = "DIR",                                                    \
	  .help = "the collateral kept here (default: $BAWN_COLLATERAL, else the user's)" }
#define VERIFY_OPT_AT                                                                              \
	{ .name = "at", .value = "TIME",                                                           \
	  .help = "as of this instant: 2026-03-05T10:50:03Z, 2026-03-05, or seconds since 1970" }
#define VERIFY_OPT_ROOT                                                                            \
	{ .name = "root", .value = "FILE", .help = "the root certificate (default: Intel's key)" }, \
	{ .name = "profile", .value = "intel|emulated|FILE",                                       \
	  .help = "names the root's certificates bear (default: intel)" }
#define VERIFY_OPT_NETWORK                                                                         \
	{ .name = "pcs", .value = "intel|URL", .help = "fetch collateral from a PCS" },            \
	{ .name = "pccs", .value = "URL", .help = "fetch collateral from a PCCS" },                \
	{ .name = "proxy", .value = "URL",                                                         \
	  .help = "through this HTTP proxy (default: $https_proxy, $http_proxy; \"\": none)" },    \
	{ .name = "tls-ca", .value = "FILE",                                                       \
	  .help = "trust these certificates for TLS, not the system's" },                          \
	{ .name = "insecure", .help = "take plain http, and TLS from anybody" },                   \
	{ .name = "timeout", .value = "SECONDS", .help = "for each request (default: 30)" },       \
	{ .name = "tries", .value = "N", .help = "for each request (default: 3)" }

/* The store's directory from option, environment or home; "" if there is no home. */
void verify_store_path(const struct cli *c, char *out, size_t max);
/* --at, or the clock. *fixed tells which. 0 or an exit code. */
int verify_time(struct cli *c, bool *fixed, int64_t *t);
/* --pcs, --pccs and what belongs to them; *given tells if there is a server. 0 or an exit code. */
int verify_source(struct cli *c, struct attest_source *s, bool *given);

/* The trust anchor from --root and --profile, and what holds its bytes. */
struct verify_root {
	struct bawn_root root;
	struct bawn_names names;
	uint8_t *certificate;
	char *names_text;
};
/* 0 or an exit code, after saying why. */
int verify_root_open(struct cli *c, struct verify_root *r);
void verify_root_close(struct verify_root *r);

/* ---- one run ---- */

struct verify_set; /* collateral met so far, by key */

struct verify_run {
	struct verify_root root;
	struct attest_anchor anchor;
	struct bawn_verifier *verifier; /* without collateral: for a first look */
	struct attest_policy *file;
	struct bawn_policy policy; /* the file's, with what the command line adds */
	uint8_t report_data[64];
	struct attest_source source;
	bool fetches;              /* source is given */
	char store[4096];          /* "" for none */
	bool store_given;          /* by option: it is an error if it is not there */
	bool store_is_set;         /* it is one set by itself, for whatever quotes */
	bool certificates;         /* inputs are certificates that carry quotes */
	bool fixed_time;
	int64_t time;
	pthread_mutex_t lock;      /* over sets */
	struct verify_set *sets;
	unsigned set_count;
};
/* 0 or an exit code, after saying why. */
int verify_run_open(struct cli *c, struct verify_run *r);
void verify_run_close(struct verify_run *r);

/* What came of one input. */
struct verify_answer {
	struct bawn_verification v;
	int64_t time;
	const char *reason;  /* in one word */
	bool fetches;        /* a server was asked for what was missing */
	bool early;
	enum bawn_tcb_status standard; /* early: the status by the standard set, if has_standard */
	bool has_standard;
	const char *format;  /* how the certificate carries the quote, or NULL */
	bool key_bound;      /* the quote vouches for the certificate's key */
	uint8_t nonce[64];   /* of the certificate's claims */
	size_t nonce_n;
};
/* Any number of threads may do this at once. report_data overrides the policy's if its p is not NULL. */
void verify_one(struct verify_run *r, const void *input, size_t n, struct bawn_bytes report_data,
		struct verify_answer *a);
int verify_exit_code(const struct verify_answer *a);

void verify_text(const struct verify_answer *a, struct buf *out);
/* Members of an object that is open. */
void verify_json(const struct verify_answer *a, struct json *j);

/* The batch of --batch; gives the exit code. */
int verify_batch(struct cli *c, struct verify_run *r);

/* ---- collateral ---- */

enum collateral_exit { COLLATERAL_DUE = 3, COLLATERAL_BROKEN = 4, COLLATERAL_EXPIRED = 5 };

/* `bawn collateral show` and `check`. */
int collateral_show(struct cli *c);
int collateral_check(struct cli *c);

/* Of a command that has no directory to look in: says so, gives CLI_USAGE. */
int collateral_nowhere(const struct cli *c);
/* Of a directory that is not there or has no collateral: says how some comes there. */
void collateral_missing(const struct cli *c, const struct bawn_error *e);

/*
 * Keep a set that was verified. BAWN_ERR_FORMAT if it is not for that key;
 * BAWN_ERR_DENIED if something in it is older than what is kept, unless older.
 */
int collateral_keep(const char *store, const struct attest_key *k, const struct attest_bundle *s,
		    bool older, struct bawn_error *e);

#endif
