/*
 * attest: quotes, certificates, revocation lists, TCB infos, QE identities,
 * and the verifier that puts them together (its public half is in bawn.h).
 *
 * Readers here are strict and bounded, and allocate nothing. What a reader
 * returns points into the bytes it was given, which must outlive it, unless
 * said otherwise. Readers check form; attest_chain_* and the verifier check
 * signatures. Instants are seconds since 1970, UTC; bounds are inclusive.
 *
 * doc/QUOTE-VERIFICATION.md is the specification.
 */
#ifndef BAWN_ATTEST_H
#define BAWN_ATTEST_H

#include "base/base.h"
#include "bawn.h"
#include "crypto/crypto.h"
#include "isa/isa.h"

/* ======================= limits ======================= */

#define ATTEST_QUOTE_MAX 131072u  /* bytes of a quote that are looked at; the QE's data alone may have 65535 */
#define ATTEST_JSON_MAX 262144u   /* bytes of a TCB info or QE identity */
#define ATTEST_CRL_MAX 524288u    /* bytes of a revocation list, as DER */
#define ATTEST_CRL_ENTRIES_MAX 8000 /* revoked certificates in it */
#define ATTEST_CERT_MAX 4096u     /* bytes of a certificate, as DER */
#define ATTEST_CHAIN_TEXT_MAX 32768u /* bytes of a chain as PEM, text between blocks included */
#define ATTEST_LEVELS_MAX 64      /* TCB levels of a TCB info */
#define ATTEST_SVN_LEVELS_MAX 96  /* levels of a QE identity, or of all TDX modules together */
#define ATTEST_MODULES_MAX 16     /* TDX module identities */
#define ATTEST_ADVISORIES_MAX 96  /* different advisories in one TCB info or QE identity */
#define ATTEST_ADVISORY_BUCKETS 256
#define ATTEST_ADVISORY_REFS_MAX 2048 /* uses of them, all levels together */

/* ======================= quotes ======================= */

enum attest_body { ATTEST_BODY_SGX = 1, ATTEST_BODY_TD10, ATTEST_BODY_TD15, ATTEST_BODY_TD15EX };

#define ATTEST_QUOTE_HEADER 48
#define ATTEST_REPORT_SIZE 384 /* SGX report body */

/* Certification data types (quote layout, doc/QUOTE-VERIFICATION.md). */
enum attest_cert_type {
	ATTEST_CERT_PPID_PLAIN = 1,
	ATTEST_CERT_PPID_RSA2048 = 2,
	ATTEST_CERT_PPID_RSA3072 = 3,
	ATTEST_CERT_PCK_LEAF = 4,
	ATTEST_CERT_PCK_CHAIN = 5,
	ATTEST_CERT_QE_REPORT = 6,
	ATTEST_CERT_MANIFEST = 7,
};

struct attest_quote {
	uint16_t version;
	enum bawn_tee tee;
	uint16_t qe_svn, pce_svn; /* version 3 only, else as they are */
	uint8_t qe_vendor_id[16], user_data[20];
	enum attest_body body_type;
	struct cur body;         /* the report */
	struct cur signed_bytes; /* header, version 5's descriptor, report */
	struct cur signature;    /* 64: r || s */
	struct cur key;          /* 64: the attestation key, x || y */
	struct cur qe_report;    /* 384 */
	struct cur qe_signature; /* 64 */
	struct cur qe_auth;      /* any length */
	enum attest_cert_type cert_type; /* of the innermost certification data; never 6 */
	struct cur cert_data;
	size_t size;             /* bytes of the quote; what follows is padding */
};

/* BAWN_ERR_FORMAT, or BAWN_ERR_UNSUPPORTED for an unknown version, TEE, key or body type. */
int attest_quote_parse(const void *p, size_t n, struct attest_quote *q, struct bawn_error *e);
/* The fields of 384 bytes of SGX report; reserved ones are not looked at. */
void attest_report_read(const uint8_t report[ATTEST_REPORT_SIZE], struct bawn_sgx_report *out);
/* The fields of q's TD report; q->body_type must not be SGX. */
void attest_td_report_read(const struct attest_quote *q, struct bawn_td_report *out);
/* Report data of either kind, 64 bytes. */
const uint8_t *attest_quote_report_data(const struct attest_quote *q);

/* ======================= dates ======================= */

/* DER UTCTime (YYMMDDHHMMSSZ, 1950 to 2049) or GeneralizedTime (YYYYMMDDHHMMSSZ), RFC 5280 4.1.2.5. */
bool attest_time_der(uint8_t tag, struct cur body, int64_t *t);
/* "2026-08-13T10:45:38Z" and nothing else. */
bool attest_time_iso(const char *s, size_t n, int64_t *t);
/* Writes the same, for years 0 to 9999. */
void attest_time_format(int64_t t, char out[21]);

/* ======================= certificates ======================= */

/* A distinguished name, as the bytes of its DER. */
bool attest_name_equal(struct cur a, struct cur b);
/* The common name into out, NUL-terminated, "" if it has none or an odd one. */
void attest_name_cn(struct cur name, char *out, size_t max);
/* "CN=..., O=..., C=..." for people; cut to fit; controls and quotes become '?'. */
void attest_name_text(struct cur name, char *out, size_t max);

struct attest_serial {
	uint8_t n;     /* bytes used, 1 to 20 */
	uint8_t p[20]; /* big-endian, without leading zeros */
};

struct attest_cert {
	struct cur der, tbs;          /* all of it; the signed part */
	struct cur issuer, subject;   /* names, whole SEQUENCEs */
	struct attest_serial serial;
	int64_t not_before, not_after;
	uint8_t key[64];              /* P-256, x || y */
	uint8_t signature[64];        /* ECDSA with SHA-256, r || s */
	bool is_ca;                   /* basicConstraints CA true */
	int path_len;                 /* pathLenConstraint, -1 for none */
	bool has_key_usage;
	uint16_t key_usage;           /* bit 0 digitalSignature ... bit 5 keyCertSign, bit 6 cRLSign */
	struct cur sgx_extension;     /* value of 1.2.840.113741.1.13.1; p NULL if absent */
	bool emulated;                /* carries the marker of an emulated platform */
};

/*
 * X.509 version 3, P-256, ecdsa-with-SHA256. An extension may appear once;
 * critical ones that are not understood are refused.
 */
int attest_cert_parse(const void *der, size_t n, struct attest_cert *c, struct bawn_error *e);
/* 0 if `key` signed it. */
int attest_cert_verify(const struct attest_cert *c, const uint8_t key[64], struct bawn_error *e);
/* What a PCK certificate says of its platform. */
struct attest_pck {
	uint8_t ppid[16], cpusvn[16], components[16], pce_id[2], fmspc[6], piid[16];
	uint16_t pcesvn;
	uint8_t sgx_type;
	bool has_piid, has_configuration;
	bool dynamic_platform, cached_keys, smt;
};
int attest_pck_parse(struct cur sgx_extension, struct attest_pck *out, struct bawn_error *e);

/*
 * The next PEM block labelled `label` ("CERTIFICATE", "X509 CRL"), decoded
 * into buf. Text around blocks is skipped. 1: one was found, 0: none is left,
 * negative: malformed or too large. *text moves behind the block.
 */
int attest_pem_next(struct cur *text, const char *label, uint8_t *buf, size_t max, size_t *n,
		    struct bawn_error *e);

/* ======================= root, names, chains ======================= */

#define ATTEST_NAME_PARTS 8
struct attest_names {
	char root[64], pck_ca[2][64], pck[64], tcb_signing[64]; /* common names; pck_ca[1] may be "" */
	bool check_rest; /* the attributes that follow must be these, in this order */
	size_t rest_count;
	struct {
		uint8_t attribute; /* last byte of the OID 2.5.4.x */
		char value[64];
	} rest[ATTEST_NAME_PARTS];
};
/* True if the name is this common name and names->rest. */
bool attest_name_is(struct cur name, const char *cn, const struct attest_names *names);

/* The trust anchor: a name and a key. */
struct attest_anchor {
	enum bawn_profile profile;
	struct attest_names names;
	uint8_t key[64];
	bool given;           /* by a certificate, whose own signature was verified: */
	uint8_t signature_id[32]; /* what it is remembered by */
};
int attest_anchor_init(struct attest_anchor *a, const struct bawn_root *root, struct bawn_error *e);

enum attest_role { ATTEST_ROLE_PCK, ATTEST_ROLE_TCB_SIGNING, ATTEST_ROLE_PCK_CA };

#define ATTEST_CHAIN_MAX 3
/* A chain, leaf first, and room for its bytes. */
struct attest_chain {
	size_t count;
	struct attest_cert cert[ATTEST_CHAIN_MAX];
	uint8_t der[ATTEST_CHAIN_MAX][ATTEST_CERT_MAX];
};
/* Certificates of a PEM text (a trailing NUL is allowed), in its order; more than three: refused. */
int attest_chain_parse(const void *pem, size_t n, struct attest_chain *c, struct bawn_error *e);

struct attest_sigcache;
/*
 * Length (3 for a PCK, else 2), names for the role, CA flags, and every
 * signature down from the anchor. Neither dates nor revocation. cache may be
 * NULL. *reason tells PCK_CHAIN from PCK_UNTRUSTED.
 */
int attest_chain_verify(const struct attest_chain *c, enum attest_role role,
			const struct attest_anchor *a, struct attest_sigcache *cache,
			enum bawn_reason *reason, struct bawn_error *e);

/* ======================= revocation lists ======================= */

struct attest_crl {
	struct cur der, tbs, issuer;
	int64_t this_update, next_update;
	uint8_t signature[64];
	struct cur entries;   /* the body of revokedCertificates, maybe empty; checked entry by entry */
	size_t count;
	uint8_t number[20];   /* cRLNumber, big-endian */
};
int attest_crl_parse(const void *der, size_t n, struct attest_crl *c, struct bawn_error *e);
/* Next entry of c->entries, which was checked by attest_crl_parse; false at the end. since may be NULL. */
bool attest_crl_next(struct cur *entries, struct attest_serial *serial, int64_t *since);
/*
 * A revocation list as it comes: DER, PEM or hexadecimal digits, to DER. *out
 * is p itself or malloc'd, in which case *owned is true.
 */
int attest_crl_decode(const void *p, size_t n, const uint8_t **out, size_t *outn, bool *owned,
		      struct bawn_error *e);

/* ======================= TCB info and QE identity ======================= */

/* Advisory ids, each once; levels refer to them by number. */
struct attest_advisories {
	uint16_t count, ref_count;
	char id[ATTEST_ADVISORIES_MAX][32];
	uint8_t ref[ATTEST_ADVISORY_REFS_MAX];
	uint8_t bucket[ATTEST_ADVISORY_BUCKETS]; /* of id's, by hash: number + 1 */
};
/* A run of references: ref[first] to ref[first + count - 1]. */
struct attest_refs {
	uint16_t first, count;
};

struct attest_tcb_level {
	uint8_t sgx[16], tdx[16];
	uint16_t pcesvn;
	uint8_t status; /* enum bawn_tcb_status */
	struct attest_refs advisories;
	int64_t date;
};
struct attest_svn_level {
	uint16_t isvsvn;
	uint8_t status;
	struct attest_refs advisories;
	int64_t date;
};

struct attest_component_name {
	char category[16], type[48];
};

struct attest_tdx_module {
	uint8_t version; /* TEE_TCB_SVN[1]; 0: `tdxModule`, which has no levels */
	uint8_t mrsigner[48], attributes[8], attributes_mask[8];
	uint16_t first, count; /* of module_level, descending isvsvn */
};

struct attest_tcb_info {
	enum bawn_tee tee;
	uint8_t version;
	uint8_t fmspc[6], pce_id[2];
	uint32_t evaluation;
	int64_t issued, next_update;
	uint16_t level_count, module_count, module_level_count;
	struct attest_tcb_level level[ATTEST_LEVELS_MAX]; /* highest first */
	struct attest_tdx_module module[ATTEST_MODULES_MAX]; /* [0] is version 0 for TDX */
	struct attest_svn_level module_level[ATTEST_SVN_LEVELS_MAX];
	struct attest_component_name sgx_name[16], tdx_name[16]; /* as the first level to name them does */
	struct attest_advisories advisories;
	struct cur signed_bytes; /* into the text */
	uint8_t signature[64];
};

struct attest_qe_identity {
	enum bawn_tee tee; /* QE: SGX, TD_QE: TDX */
	uint32_t evaluation;
	int64_t issued, next_update;
	uint8_t miscselect[4], miscselect_mask[4], attributes[16], attributes_mask[16], mrsigner[32];
	uint16_t isvprodid;
	uint16_t level_count;
	struct attest_svn_level level[ATTEST_SVN_LEVELS_MAX]; /* descending isvsvn */
	struct attest_advisories advisories;
	struct cur signed_bytes;
	uint8_t signature[64];
};

/* Both overwrite *out; only signed_bytes points into the text. */
int attest_tcb_info_parse(const void *json, size_t n, struct attest_tcb_info *out,
			  struct bawn_error *e);
int attest_qe_identity_parse(const void *json, size_t n, struct attest_qe_identity *out,
			     struct bawn_error *e);

/* ======================= quotes in certificates (RA-TLS) ======================= */

/* SubjectPublicKeyInfo and extensions of any X.509 version 3 certificate, whatever its algorithms. */
bool attest_x509_read(struct cur der, struct cur *key_info, struct cur *extensions);
/*
 * The value of the extension whose OID has these bytes. *value has p NULL if
 * there is none. False for malformed extensions, or if there is a second one.
 */
bool attest_x509_extension(struct cur extensions, const void *oid, size_t n, struct cur *value);

/* The first URI among its CRL distribution points (RFC 5280 section 4.2.1.13), NUL-terminated, if any. */
bool attest_x509_crl_url(struct cur der, char *url, size_t max);

/*
 * A certificate of an attested TLS server, of any key type: the quote in it,
 * and what is needed to see that the quote vouches for the certificate's key.
 */
struct attest_evidence {
	const char *format;  /* in words, with the extension's OID */
	struct cur quote;
	struct cur key_info; /* SubjectPublicKeyInfo */
	bool has_claims;     /* DICE tagged evidence: the report data is the claims' digest */
	struct cur claims, key_hash, nonce; /* key_hash: [algorithm, digest] in CBOR; nonce.p NULL if absent */
};
/*
 * DER. Of several extensions the one that says most is taken: 2.23.133.5.4.9
 * (CBOR tag 60000), then 1.2.840.113741.1337.6, 1.2.840.113741.1.13.1,
 * 1.3.6.1.4.1.311.105.1 and 1.2.840.113556.10.1.1. BAWN_ERR_NOT_FOUND: none of
 * them. The certificate's own signature, names and dates are not looked at.
 */
int attest_evidence_read(const void *der, size_t n, struct attest_evidence *out,
			 struct bawn_error *e);
/*
 * 0 if a genuine quote with this report data vouches for the certificate's
 * key, as the format says; BAWN_ERR_SIGNATURE if it does not.
 */
int attest_evidence_check(const struct attest_evidence *ev, const uint8_t report_data[64],
			  struct bawn_error *e);

/* ======================= standing ======================= */

/* Which levels a platform meets, and what they say together. */
struct attest_standing {
	enum bawn_tcb_status status, platform, qe, module; /* module UNKNOWN: there is none to look at */
	const struct attest_tcb_level *platform_level;
	const struct attest_svn_level *qe_level, *module_level; /* module_level may be NULL */
	const struct attest_tdx_module *module_identity;        /* the same */
	int64_t date; /* the earliest of the levels' */
};

/*
 * tee_tcb_svn: 16 bytes for TDX, NULL for SGX. BAWN_ERR_SIGNATURE if a part is
 * below every level, or the module is not described.
 */
int attest_standing(const struct attest_tcb_info *t, const struct attest_qe_identity *q,
		    const struct attest_pck *pck, uint16_t qe_isvsvn, const uint8_t *tee_tcb_svn,
		    struct attest_standing *out, enum bawn_reason *reason, struct bawn_error *e);
/* The status of a TD that was launched at one standing and runs at another. */
enum bawn_tcb_status attest_relaunch(enum bawn_tcb_status launch, enum bawn_tcb_status current);
/* 0 if the QE's report is of the enclave that the identity describes. */
int attest_qe_check(const struct attest_qe_identity *q, const struct bawn_sgx_report *report,
		    struct bawn_error *e);
/* 0 if the TDX module is one that the TCB info describes. */
int attest_module_check(const struct attest_tcb_info *t, const struct bawn_td_report *td,
			struct bawn_error *e);
/* Fills advisories and shortfalls of a result. */
void attest_explain(const struct attest_tcb_info *t, const struct attest_qe_identity *q,
		    const struct attest_standing *s, const struct attest_pck *pck, uint16_t qe_isvsvn,
		    const uint8_t *tee_tcb_svn, struct bawn_verification *out);
/* BAWN_OK, or BAWN_ERR_DENIED with violations and error of *v set. p NULL: the default. */
int attest_policy_check(const struct bawn_policy *p, int64_t time, struct bawn_verification *v);

/* ======================= input ======================= */

/*
 * A quote (or a DER certificate) as people hand it around: raw bytes, hex
 * digits (0x in front, and blanks between, allowed), base64, or base64url
 * without blanks. Text that is neither is left as it is, for the parser to
 * refuse. *out is malloc'd.
 */
int attest_input_decode(const void *p, size_t n, uint8_t **out, size_t *outn, struct bawn_error *e);
/* Every quote has zero bytes, and a certificate bytes above 0x7f: text has neither. */
bool attest_input_is_text(const void *p, size_t n);

/* ======================= collateral, kept in directories ======================= */

/*
 * What it takes to verify the quotes of one kind of platform, as it came:
 * nothing of it is verified. A directory has one file for each part.
 */
enum attest_part {
	ATTEST_PART_TCB_INFO,      /* tcb_info.json */
	ATTEST_PART_TCB_CHAIN,     /* tcb_signing_chain.pem */
	ATTEST_PART_QE_IDENTITY,   /* qe_identity.json */
	ATTEST_PART_QE_CHAIN,      /* qe_signing_chain.pem; absent: the same as tcb_signing_chain.pem */
	ATTEST_PART_PCK_CRL,       /* pck_crl.der */
	ATTEST_PART_PCK_CRL_CHAIN, /* pck_crl_issuer_chain.pem */
	ATTEST_PART_ROOT_CRL,      /* root_ca_crl.der */
	ATTEST_PART_PCK_CHAIN,     /* pck_chain.pem, for quotes that carry none */
	ATTEST_PARTS,
};
const char *attest_part_file(enum attest_part part);

struct attest_bundle {
	struct attest_file {
		uint8_t *p; /* malloc'd; NULL: absent */
		size_t n;
	} part[ATTEST_PARTS];
};
void attest_bundle_free(struct attest_bundle *s);
/* A copy of bytes becomes a part. */
int attest_bundle_put(struct attest_bundle *s, enum attest_part part, const void *p, size_t n,
		   struct bawn_error *e);
/* The parts there are. BAWN_ERR_NOT_FOUND if there is no such directory or none of them in it. */
int attest_bundle_read(struct attest_bundle *s, const char *dir, struct bawn_error *e);
/*
 * A revocation list that came without its issuer's chain gets the one of the
 * PCK certificate: pck_chain is PEM, leaf first, or absent to use the bundle's.
 */
int attest_bundle_infer(struct attest_bundle *s, struct cur pck_chain, struct bawn_error *e);
/* Give the verifier every part that holds; the first failure is returned, the rest is still given. */
int attest_bundle_add(const struct attest_bundle *s, bool early, struct bawn_verifier *v,
		   struct bawn_error *e);

/* A part, or a certificate of one, and when it holds. */
struct attest_validity {
	enum attest_part part;
	char what[80]; /* "TCB info", "certificate Intel SGX TCB Signing" */
	int64_t from, until;
};
#define ATTEST_VALIDITY_MAX 24
/* Those of all parts there are, *n of them. BAWN_ERR_FORMAT, after as many as could be read. */
int attest_bundle_validity(const struct attest_bundle *s, struct attest_validity out[ATTEST_VALIDITY_MAX],
		       size_t *n, struct bawn_error *e);

/* Whose quotes a set verifies. */
struct attest_key {
	enum bawn_tee tee;
	uint8_t fmspc[6];
	char ca[12]; /* "platform", "processor", or "" for a root that has one PCK CA */
	bool early;
};
#define ATTEST_KEY_NAME 48
/* "sgx-00606a000000-platform-early", the set's directory; and back. */
void attest_key_name(const struct attest_key *k, char out[ATTEST_KEY_NAME]);
bool attest_key_parse(const char *name, struct attest_key *k);
/* Told from the set's own TCB info and PCK revocation list. */
int attest_bundle_key(const struct attest_bundle *s, bool early, struct attest_key *k,
		   struct bawn_error *e);

/*
 * A store is a directory of such directories, or one of them by itself, with
 * the early set in its folder "early". Reads the set for a key.
 */
int attest_dir_read(const char *store, const struct attest_key *k, struct attest_bundle *s,
		      struct bawn_error *e);
/* True if the directory is one set by itself. */
bool attest_dir_is_set(const char *dir);
/* Put a set in place of the one there was: readers see one or the other, whole. */
int attest_dir_write(const char *store, const struct attest_key *k, const struct attest_bundle *s,
		       struct bawn_error *e);
/*
 * Call fn with each set's path (and whether it is the early one), in the
 * names' order; stops at the first value that is not 0 and returns it.
 */
int attest_dir_each(const char *store,
		      int (*fn)(void *arg, const char *path, bool early, struct bawn_error *e),
		      void *arg, struct bawn_error *e);

/* ======================= collateral, fetched ======================= */

#define ATTEST_PCS_URL "https://api.trustedservices.intel.com"

/* A provisioning certification service (PCS, version 4 of its API) or a caching one (PCCS). */
struct attest_source {
	const char *url;     /* up to the part before "/sgx/certification/v4" */
	bool pccs;           /* the root's revocation list is at rootcacrl, not where the root says */
	struct http_options http;
	unsigned tries;      /* of each request; 0: 3 */
	uint32_t evaluation; /* this tcbEvaluationDataNumber in place of the standard or early set */
};
/*
 * Everything for a key but ATTEST_PART_PCK_CHAIN; revocation lists become DER.
 * Nothing is verified here, save that the place of the root's revocation list
 * is taken only from the anchor's own certificate. An empty k->ca is asked for
 * as "platform". BAWN_ERR_NETWORK; BAWN_ERR_NOT_FOUND if the server knows no
 * such FMSPC; BAWN_ERR_FORMAT; BAWN_ERR_SIGNATURE for another root.
 */
int attest_fetch(const struct attest_source *s, const struct attest_anchor *anchor,
		 const struct attest_key *k, struct attest_bundle *out, struct bawn_error *e);

/* Whose PCK certificate, and at which security versions. */
struct attest_pck_query {
	bool has_ppid;
	uint8_t encrypted_ppid[384]; /* to the service's key; a PCCS may do without */
	uint8_t cpusvn[16], qe_id[16];
	uint16_t pcesvn, pce_id;
};
/*
 * The PCK certificate and its chain, leaf first: ATTEST_PART_PCK_CHAIN of *out
 * and nothing else. Not verified. Errors as attest_fetch.
 */
int attest_fetch_pck(const struct attest_source *s, const struct attest_pck_query *q,
		     struct attest_bundle *out, struct bawn_error *e);

/* ======================= policy files (bawn-verify-policy(5)) ======================= */

#define ATTEST_POLICY_MAX (1u << 20) /* bytes of a policy file */

struct attest_policy;
/*
 * What a text says, on top of the default policy. The whole text is refused
 * (BAWN_ERR_FORMAT, with the line's number) for anything that is not
 * understood, said twice, or that nothing could ever meet.
 */
int attest_policy_parse(const char *text, size_t n, struct attest_policy **out,
			struct bawn_error *e);
/* Borrowed; lives until attest_policy_free. */
const struct bawn_policy *attest_policy_get(const struct attest_policy *p);
void attest_policy_free(struct attest_policy **p);

#endif
