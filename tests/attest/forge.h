/*
 * forge: a root of trust, a platform, its collateral and its quotes, made for
 * tests. Everything is properly signed by keys derived from labels, and
 * everything can be changed before it is signed, which is the point: a
 * verifier must refuse what is well signed but wrong.
 */
#ifndef BAWN_TESTS_FORGE_H
#define BAWN_TESTS_FORGE_H

#include "attest/attest.h"

#define FORGE_NOW INT64_C(1767225600) /* 2026-01-01T00:00:00Z, within every default date */
#define FORGE_DAY INT64_C(86400)

struct forge_key {
	uint8_t d[32], xy[64];
};
void forge_key(struct forge_key *k, const char *label);

/* Replace the first `from` by `to` before signing; in DER both are hexadecimal. It must occur. */
struct forge_edit {
	const char *from, *to;
};
#define FORGE_EDITS 3

struct forge_cert {
	const char *issuer, *subject; /* common names */
	const char *rest;             /* "O=...", as struct bawn_names has it */
	uint8_t serial[20];
	size_t serial_n;
	int64_t from, until;
	int ca;              /* 1, 0, or -1: no basicConstraints */
	int key_usage;       /* the byte of the BIT STRING, or -1: none */
	bool emulated;
	bool generalized;    /* dates as GeneralizedTime */
	struct forge_edit edit[FORGE_EDITS];
};

struct forge_crl {
	const char *issuer, *rest;
	int64_t from, until;
	uint8_t serial[8][20]; /* revoked */
	size_t serial_n[8], count;
	size_t others;         /* as many more before them, of certificates that nobody has */
	struct forge_edit edit[FORGE_EDITS];
};

enum { FORGE_ROOT, FORGE_CA, FORGE_TCB, FORGE_PCK, FORGE_CERTS };

struct forge {
	/* who signs */
	struct forge_key key[FORGE_CERTS], attestation;
	struct forge_cert cert[FORGE_CERTS];
	struct forge_crl root_crl, pck_crl;
	/* the platform */
	struct attest_pck platform;
	uint32_t pck_members; /* bit n: member .n is there */
	/* the statements: text before signing */
	const char *tcb_info, *qe_identity;
	struct forge_edit tcb_edit[FORGE_EDITS], qe_edit[FORGE_EDITS];
	/* the quote */
	enum bawn_tee tee;
	unsigned version, cert_type;
	enum attest_body body_type;
	uint8_t vendor[16], user_data[20];
	uint8_t body[885];      /* report, its size by body_type */
	uint8_t qe_report[384]; /* the first half of its report data is filled in */
	uint8_t qe_auth[65535];
	size_t qe_auth_n;
	/* made by forge_build */
	struct buf der[FORGE_CERTS], pck_chain, tcb_chain, ca_chain, root_pem;
	struct buf root_crl_der, pck_crl_der, tcb_json, qe_json, quote;
};

/* A platform with Intel's names below a test root, UpToDate, quote v3 of SGX or v4 of a TD 1.0. */
void forge_init(struct forge *f, enum bawn_tee tee);
/* Make the quote one of version 5 with this body; data beyond the TD 1.0 report stays as set. */
void forge_version5(struct forge *f, enum attest_body body);
void forge_build(struct forge *f);
/* The PCK certificate and the quote alone: another platform below the same CA. */
void forge_platform(struct forge *f);
/* The quote alone, after a change of what is in it. */
void forge_quote(struct forge *f);
void forge_free(struct forge *f);
/* Borrowed views of what was built. */
struct bawn_root forge_root(const struct forge *f);
struct bawn_collateral forge_collateral(const struct forge *f);

/* Sign a JSON body: {"<name>":<body>,"signature":"..."} into out. */
void forge_json(struct buf *out, const char *name, const char *body, const struct forge_edit *edits,
		const struct forge_key *key);

/* Default statements; one level each for UpToDate, OutOfDate and Revoked. */
extern const char forge_sgx_tcb[], forge_tdx_tcb[], forge_sgx_tcb_v2[], forge_sgx_qe[], forge_tdx_qe[];

#endif
