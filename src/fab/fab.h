/*
 * fab: the manufacturer of emulated platforms. What Intel is for processors:
 * a root of trust, certificates for the keys that a platform's PCE derives,
 * and signed statements about which security versions are how good, all in
 * the formats in which a PCS serves them.
 *
 * A fab protects nothing: it vouches for platforms whose fuses are a file.
 * All of its certificates carry the marker of emulated platforms.
 *
 * Instants are seconds since 1970; nothing here reads a clock.
 */
#ifndef BAWN_FAB_H
#define BAWN_FAB_H

#include "ae/ae.h"
#include "attest/attest.h"

/* ======================= certificates and lists, made ======================= */

struct fab_key {
	uint8_t d[32], xy[64]; /* P-256, big-endian */
};
int fab_key_new(struct fab_key *k, struct bawn_error *e);

/* Bits of a KeyUsage's first byte. */
#define FAB_USAGE_CA 0x06     /* keyCertSign, cRLSign */
#define FAB_USAGE_SIGNER 0xc0 /* digitalSignature, nonRepudiation */

/* An X.509 certificate to be (RFC 5280). All that it points to is borrowed. */
struct fab_cert {
	const char *issuer, *subject; /* common names */
	const char *rest;             /* both names' other attributes, as struct bawn_names has them */
	const uint8_t *serial;
	size_t serial_n;
	int64_t from, until;
	bool generalized;      /* dates as GeneralizedTime */
	const uint8_t *key;    /* 64: x || y */
	const uint8_t *issuer_key;
	int ca;                /* 1, 0, or -1: no basicConstraints */
	int path_len;          /* pathLenConstraint of a CA, or -1 */
	int key_usage;         /* or -1: none */
	bool key_id;           /* with a subject key identifier */
	const char *crl_url;   /* where its issuer's list is, or NULL */
	bool emulated;         /* with the marker */
	const struct attest_pck *pck; /* the SGX extension, or NULL */
	uint32_t pck_members;  /* bit n: its member .n is there */
};
#define FAB_PCK_PROCESSOR 0x3eu /* .1 to .5 */
#define FAB_PCK_PLATFORM 0xfeu  /* and .6, .7 */
/* TBSCertificate, and TBSCertList below; append to b. */
void fab_cert_tbs(struct buf *b, const struct fab_cert *c);

struct fab_crl {
	const char *issuer, *rest;
	const uint8_t *issuer_key;
	int64_t from, until;
	uint64_t number;
	size_t count;
	/* The i-th revoked serial number and when; called with i from 0 to count - 1. */
	void (*entry)(const void *arg, size_t i, const uint8_t **serial, size_t *n, int64_t *since);
	const void *arg;
};
void fab_crl_tbs(struct buf *b, const struct fab_crl *c);
/* Sign what b holds, all of it, and make it the certificate or list: ecdsa-with-SHA256. */
int fab_x509_sign(struct buf *b, const uint8_t issuer_d[32], struct bawn_error *e);
/* {"<name>":<body>,"signature":"..."}, as a PCS signs its JSON; appended to out. */
int fab_json_sign(struct buf *out, const char *name, struct cur body, const uint8_t d[32],
		  struct bawn_error *e);

#endif
