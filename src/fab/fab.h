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

/* ======================= what a fab is ======================= */

#define FAB_LEVELS_MAX ATTEST_LEVELS_MAX
#define FAB_ADVISORIES_MAX 16   /* of a level */
#define FAB_PLATFORMS_MAX 256
#define FAB_CERTIFICATES_MAX 2048 /* PCK certificates; if all are revoked, the list still fits */
#define FAB_URL_MAX 256

/* How good it is to be at these security versions, or above. */
struct fab_level {
	uint8_t components[16]; /* of CPUSVN; zero for a quoting enclave's level */
	uint16_t svn;           /* PCESVN; the quoting enclave's ISVSVN */
	uint8_t status;         /* enum bawn_tcb_status */
	int64_t date;           /* tcbDate */
	uint32_t advisory_count;
	char advisory[FAB_ADVISORIES_MAX][32];
};
struct fab_levels {
	uint32_t count;
	struct fab_level level[FAB_LEVELS_MAX]; /* highest first */
};

/* The quoting enclave that the fab vouches for. mrsigner zero: none yet. */
struct fab_qe {
	uint8_t mrsigner[32], miscselect[4], miscselect_mask[4], attributes[16], attributes_mask[16];
	uint16_t isvprodid;
};

/* A platform that left the fab, with a PCE's signer on it: what its PCKs follow from. */
struct fab_platform {
	uint8_t id[16], provision_fuse[32]; /* of struct cpu_platform */
	uint8_t pce_mrsigner[32];
	uint8_t ppid[16], piid[16];
	uint8_t sgx_type;
	bool dynamic_platform, cached_keys, smt;
};

struct fab_revocation {
	bool is;
	int64_t since; /* any instant, 1970 too */
};

#define FAB_SERIAL 16
struct fab_certificate {
	uint8_t serial[FAB_SERIAL];
	uint32_t platform; /* its number */
	uint8_t cpusvn[16];
	uint16_t pcesvn;
	int64_t from, until;
	struct fab_revocation revoked;
};

enum fab_authority { FAB_ROOT, FAB_PCK_CA, FAB_TCB_SIGNER, FAB_AUTHORITIES };
enum { FAB_PLATFORM_LEVELS, FAB_QE_LEVELS };

struct fab {
	char dir[4096];
	int fd; /* of the directory, locked; -1 for none */
	/* settled when it was made */
	bool intel_names; /* Intel's names, for readers that insist on them; the marker all the same */
	bool processor_ca; /* certificates like the Processor CA's: without .6 and .7 */
	char url[FAB_URL_MAX]; /* of the PCS that serves its lists */
	uint8_t fmspc[6], pce_id[2];
	struct fab_key key[FAB_AUTHORITIES];
	uint8_t serial[FAB_AUTHORITIES][FAB_SERIAL];
	/* what changes */
	struct fab_revocation revoked[FAB_AUTHORITIES];
	uint64_t crl_number;
	uint32_t evaluation; /* tcbEvaluationDataNumber of the standard set; the early one's is one more */
	uint8_t pce_mrsigner[32]; /* of the PCE on platforms to come; zero: not told yet */
	uint16_t pce_isvsvn;
	struct fab_qe qe;
	bool has_early;               /* early levels differ from standard ones */
	struct fab_levels levels[2][2]; /* [platform, QE][standard, early] */
	uint32_t platform_count, certificate_count;
	struct fab_platform platform[FAB_PLATFORMS_MAX];
	struct fab_certificate certificate[FAB_CERTIFICATES_MAX];
};

/* When something is signed, and from when until when it is to hold. */
struct fab_dates {
	int64_t now, from, until;
};
#define FAB_DAY INT64_C(86400)

/* ======================= the directory ======================= */

/* $BAWN_FAB, else $XDG_STATE_HOME/bawn/fab, else ~/.local/state/bawn/fab. */
int fab_default_dir(char *out, size_t max, struct bawn_error *e);

struct fab_options {
	bool intel_names, processor_ca;
	const char *url;      /* NULL: https://localhost:8081 */
	const uint8_t *fmspc; /* 6, or NULL */
	const uint8_t *pce_mrsigner; /* 32, or NULL: told later */
	uint16_t pce_isvsvn;
	struct fab_dates dates; /* of root, CA and signer */
};
/*
 * A fab with fresh keys in a directory that must not exist. Its one TCB level
 * is that of a fresh platform (all components 1) with this PCE, UpToDate.
 */
int fab_create(const char *dir, const struct fab_options *o, struct bawn_error *e);
/*
 * The fab in a directory, locked against others: shared, or exclusive to
 * change it. BAWN_ERR_NOT_FOUND if there is none.
 */
int fab_open(struct fab **out, const char *dir, bool change, struct bawn_error *e);
/* Write what has changed; the next fab_publish tells the world. */
int fab_save(struct fab *f, struct bawn_error *e);
void fab_close(struct fab **f); /* wipes */
/* The text of a fab's file, and back: strict; dir and fd are not in it. */
void fab_render(const struct fab *f, struct buf *b);
int fab_parse(const void *text, size_t n, struct fab *f, struct bawn_error *e);

/* A certificate of the fab's own, PEM, appended. */
int fab_authority_pem(const struct fab *f, enum fab_authority which, struct buf *out,
		      struct bawn_error *e);
/* The common name of an authority's certificate, or of PCK certificates (FAB_AUTHORITIES). */
const char *fab_name(const struct fab *f, enum fab_authority which);

/* ======================= platforms and their certificates ======================= */

/*
 * The number of the record of a platform with this PCE on it, made if there is
 * none yet: fuses and MRSIGNER are what PPID and PCK follow from. how gives
 * sgx_type and the three flags, and may be NULL: as they were, or scalable and
 * fixed.
 */
int fab_register(struct fab *f, const struct cpu_platform *p, const uint8_t pce_mrsigner[32],
		 const struct fab_platform *how, uint32_t *number, struct bawn_error *e);
/* The platform of a PPID, or BAWN_ERR_NOT_FOUND. */
int fab_find_ppid(const struct fab *f, const uint8_t ppid[16], uint32_t *number,
		  struct bawn_error *e);
/* What a PCE encrypted to the fab's key (RSA-OAEP with SHA-256). */
int fab_decrypt_ppid(const struct fab *f, const uint8_t *cipher, size_t n, uint8_t ppid[16],
		     struct bawn_error *e);
/* That key, as a PCE takes it. */
int fab_ppid_key(const struct fab *f, uint8_t key[AE_PEK_BYTES], struct bawn_error *e);
/*
 * The certificate for a platform at a TCB: for the highest level, of either
 * set, that the TCB reaches, as a PCS gives it; with `raw`, for just this TCB.
 * It is the one there is, if that holds at dates->now and neither `anew` nor
 * other dates are asked for. *number is its record's; the chain (leaf, CA,
 * root, PEM) is appended, and kept in the folder pck. A new one is on record,
 * the fab saved, before it is made. BAWN_ERR_NOT_FOUND if the
 * TCB is below every level.
 */
struct fab_issue {
	uint32_t platform;
	uint8_t cpusvn[16];
	uint16_t pcesvn;
	bool raw, anew;
	struct fab_dates dates;
};
int fab_issue(struct fab *f, const struct fab_issue *o, uint32_t *number, struct buf *chain,
	      struct bawn_error *e);
/* "pck/PPID-CPUSVN-PCESVN.pem", in the fab's directory. */
#define FAB_CHAIN_NAME 96
void fab_chain_name(const struct fab *f, const struct fab_certificate *c, char out[FAB_CHAIN_NAME]);

/* ======================= levels ======================= */

/* Put a level in, in place of the one at the same versions. early: only into the early set. */
int fab_level_set(struct fab *f, int kind, bool early, const struct fab_level *l,
		  struct bawn_error *e);
/* Remove the level at the versions of l. BAWN_ERR_NOT_FOUND. */
int fab_level_remove(struct fab *f, int kind, bool early, const struct fab_level *l,
		     struct bawn_error *e);
/* The early set becomes the standard one: the day of a TCB recovery. */
int fab_level_adopt(struct fab *f, struct bawn_error *e);
/* The levels of a set, standard ones where there are no early ones. */
const struct fab_levels *fab_levels(const struct fab *f, int kind, bool early);

/*
 * Vouch for quoting enclaves of this SIGSTRUCT's signer, product and
 * attributes; its ISVSVN becomes the one level, UpToDate as of `date`, if they
 * were others' before.
 */
void fab_set_qe(struct fab *f, const struct isa_sigstruct *s, int64_t date);

/* ======================= collateral ======================= */

/*
 * Sign TCB info, QE identity and both lists, standard and early, and put them
 * into a store of collateral (attest_dir_write): the fab's own folder
 * "collateral", or `store`, which then has the root's and the platforms'
 * certificates too, so that it is complete without the fab.
 */
int fab_publish(struct fab *f, const struct fab_dates *dates, const char *store,
		struct bawn_error *e);

#endif
