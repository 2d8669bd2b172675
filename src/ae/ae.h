/*
 * ae: the architectural enclaves, Intel's signed ones and our open ones with
 * the same ECALLs. Fixed-size structures and page streams in, answers out;
 * they know nothing of users, files' owners or policy.
 *
 * Two floors. *Drivers* take an enclave that the caller has loaded, make one
 * ECALL on it, and hold no state; each of these enclaves has one TCS, so calls
 * to one enclave are the caller's to serialise. Above them, a *desk* (struct
 * ae_desk) loads the enclaves on demand, keeps or drops them, reloads what a
 * power transition took, queues its callers fairly, and strings the ECALLs
 * together: most callers want that.
 *
 * A refusal by an enclave is BAWN_ERR_DENIED with the enclave's own answer in
 * err->sgx_status (enum ae_answer, in ae/abi.h; ae_status_name gives the word).
 *
 * ECALL numbers and structures: doc/ARCHITECTURAL-ENCLAVES.md and ae/abi.h.
 */
#ifndef BAWN_AE_H
#define BAWN_AE_H

#include "ae/abi.h"
#include "cpu/cpu.h"
#include "isa/isa.h"

/* The word for an enclave's own answer, such as "PCE_INVALID_REPORT". */
const char *ae_status_name(uint32_t status);

/* ======================= drivers ======================= */

/* ---- launch enclave ---- */

/* The white list file as served: provider certificate, list, signature. */
#define AE_WHITE_LIST_MAX                                                                          \
	(AE_LIST_PROVIDER_BYTES + AE_LIST_HEADER_BYTES + AE_LIST_ENTRIES_MAX * 32 + 64)

/* Give the launch enclave a list of signers. Its version may only rise. */
int ae_launch_white_list(struct bawn_enclave *le, const void *list, size_t n,
			 struct bawn_error *e);
/*
 * An EINITTOKEN for the enclave of this identity. The attributes are those
 * its SECS will have; ATTR_INIT must be clear.
 */
int ae_launch_token(struct bawn_enclave *le, const uint8_t mrenclave[32],
		    const uint8_t mrsigner[32], const struct isa_attributes *attributes,
		    struct isa_einittoken *token, struct bawn_error *e);

/* ---- provisioning certification enclave (PCE) ---- */

/* What the caller's report must carry: SHA-256(suite || key) and 32 zero bytes. */
void ae_pce_report_data(uint8_t suite, const uint8_t key[AE_PEK_BYTES], uint8_t out[64]);
/*
 * The PPID, encrypted to the key; report is by an enclave with PROVISION_KEY,
 * for this PCE, over ae_pce_report_data.
 */
int ae_pce_info(struct bawn_enclave *pce, const struct isa_report *report,
		const uint8_t key[AE_PEK_BYTES], uint8_t cipher[AE_PPID_CIPHER_BYTES],
		struct ae_pce_info *info, struct bawn_error *e);
/* ISVSVN and id alone; BAWN_ERR_UNSUPPORTED by releases that do not have the call. */
int ae_pce_info_without_ppid(struct bawn_enclave *pce, struct ae_pce_info *info,
			     struct bawn_error *e);
/*
 * Sign the body of a report by an enclave with PROVISION_KEY, with the PCK at
 * this CPUSVN and PCE ISVSVN. rs is r || s, big-endian.
 */
int ae_pce_certify(struct bawn_enclave *pce, const uint8_t cpusvn[16], uint16_t isvsvn,
		   const struct isa_report *report, uint8_t rs[64], struct bawn_error *e);

/* ---- quoting enclave (ECDSA): QE3's interface ---- */

/*
 * The key that PPIDs are to be encrypted to, and a report over it for the PCE
 * (ae_pce_report_data). Our enclave takes the key given; Intel's overwrites it
 * with its own.
 */
int ae_qe_encrypt_key(struct bawn_enclave *qe, const struct isa_targetinfo *pce,
		      uint8_t key[AE_PEK_BYTES], struct isa_report *report, struct bawn_error *e);
/*
 * An attestation key, in a blob without certification, and the report over
 * SHA-256(key || auth) that the PCE is to certify.
 */
int ae_qe_generate(struct bawn_enclave *qe, const struct isa_targetinfo *pce,
		   const uint8_t auth[AE_QE_AUTH_BYTES], uint8_t blob[AE_QE_BLOB_BYTES],
		   struct isa_report *report, struct bawn_error *e);
/*
 * Check that the blob is this enclave's on this platform; seal it anew, in
 * place, if the TCB has risen (*resealed). self is the enclave's own report
 * body, id the attestation key's. Any of the outputs may be NULL.
 */
int ae_qe_verify_blob(struct bawn_enclave *qe, uint8_t blob[AE_QE_BLOB_BYTES], bool *resealed,
		      struct isa_report_body *self, uint8_t id[32], struct bawn_error *e);
/* Of an error: the quoting enclave itself refused the blob, for good; not that it, or another, could not be had. */
bool ae_qe_refused_blob(const struct bawn_error *e);

/* A certification of the attestation key, for ae_qe_store. */
struct ae_qe_certification {
	uint8_t cpusvn[16]; /* at which the PCE signed ... */
	uint16_t isvsvn;    /* ... and the PCE's ISVSVN */
	uint8_t raw_cpusvn[16]; /* the platform's */
	struct ae_pce_info pce; /* the PCE as it is */
	struct isa_targetinfo pce_target;
	struct isa_report report; /* ae_qe_generate's */
	uint8_t signature[64];    /* ae_pce_certify's */
};
/*
 * Put a certification into the blob, in place. ppid is the encrypted PPID, or
 * NULL to keep the one that the blob has.
 */
int ae_qe_store(struct bawn_enclave *qe, const struct ae_qe_certification *c,
		const uint8_t ppid[AE_PPID_CIPHER_BYTES], uint8_t blob[AE_QE_BLOB_BYTES],
		struct bawn_error *e);

/* What a quote carries of its certification; type 0: type 3, from the blob. */
struct ae_certification {
	uint16_t type; /* enum ae_certification_type, or 0 */
	const void *data;
	size_t n; /* at most AE_CERTIFICATION_MAX */
};
/* Certification data of type 1. */
void ae_certification_clear(const uint8_t ppid[16], const uint8_t cpusvn[16], uint16_t pce_isvsvn,
			    uint16_t pce_id, uint8_t out[36]);
/* Bytes of a quote with this certification (NULL: from the blob); 0 if it can not be. */
size_t ae_quote_size(const struct ae_certification *c);

struct ae_quote_request {
	const struct isa_report *report; /* of the enclave to be quoted, for the quoting enclave */
	const struct ae_certification *certification; /* or NULL */
	uint16_t pce_isvsvn; /* the PCE's present one: goes into the quote's header */
	/* For a report of the quoting enclave over SHA-256(nonce || quote); both NULL: none. */
	const uint8_t *nonce; /* 16 bytes */
	const struct isa_targetinfo *target; /* whom it is for */
};
/*
 * A quote of ae_quote_size bytes. qe_report may be NULL if no nonce is given.
 * The blob is changed where the TCB has risen: compare, and store it.
 */
int ae_qe_quote(struct bawn_enclave *qe, uint8_t blob[AE_QE_BLOB_BYTES],
		const struct ae_quote_request *q, struct isa_report *qe_report, uint8_t *quote,
		size_t size, struct bawn_error *e);

/* ---- what is readable in a blob, Intel's or ours, without the enclave ---- */

struct ae_blob {
	bool intel;     /* sealed by Intel's SDK */
	bool certified; /* ae_qe_store was here */
	uint8_t sealed_cpusvn[16]; /* of the key it is sealed under */
	uint16_t sealed_isvsvn;
	struct ae_qe_plain plain;
};
/* BAWN_ERR_FORMAT unless it is a blob, as far as can be seen. Nothing in it is authentic. */
int ae_blob_parse(const void *blob, size_t n, struct ae_blob *out, struct bawn_error *e);
/* Did the owner of this P-256 key (x || y) sign the quoting enclave's report in it? BAWN_ERR_SIGNATURE if not. */
int ae_blob_certified_by(const uint8_t blob[AE_QE_BLOB_BYTES], const uint8_t key[64], struct bawn_error *e);

/* ---- EPID: Intel's provisioning and quoting enclaves, as far as they go without its services ---- */

#define AE_XEGB_BYTES 460     /* extended EPID group blob, signed by Intel */
#define AE_EPID_PEK_BYTES 492 /* provisioning encryption key, signed by Intel */
#define AE_EPID_BLOB_BYTES 2836
#define AE_EPID_MSG2_BYTES 4717 /* second message, taken apart: group certificate to old blob */
#define AE_EPID_MSG3_BYTES 1090 /* what the third message is made of */
#define AE_EPID_MSG4_BYTES 1018 /* fourth message, taken apart */

/* The group the PvE belongs to and the service's endpoint to choose: needs nothing from outside. */
struct ae_epid_endpoint {
	uint8_t xid[8];
	uint8_t selector;
};
int ae_epid_endpoint(struct bawn_enclave *pve, struct ae_epid_endpoint *out, struct bawn_error *e);
/* First message's report for the PCE, over the PEK. */
int ae_epid_msg1(struct bawn_enclave *pve, const uint8_t xegb[AE_XEGB_BYTES],
		 const uint8_t pek[AE_EPID_PEK_BYTES], const struct isa_targetinfo *pce,
		 struct isa_report *report, struct bawn_error *e);
/* Second to third message. signature: proof of not being revoked, where a SigRL was given. */
struct ae_epid_msg2 {
	const uint8_t *message; /* AE_EPID_MSG2_BYTES */
	bool rekey;             /* a new key for a member in good standing */
	const void *sigrl;      /* or NULL */
	uint32_t sigrl_size;
	void *signature; /* or NULL */
	uint32_t signature_size;
};
int ae_epid_msg3(struct bawn_enclave *pve, const struct ae_epid_msg2 *m,
		 uint8_t out[AE_EPID_MSG3_BYTES], struct bawn_error *e);
/* Fourth message to the member's blob. */
int ae_epid_msg4(struct bawn_enclave *pve, const uint8_t message[AE_EPID_MSG4_BYTES],
		 uint8_t blob[AE_EPID_BLOB_BYTES], struct bawn_error *e);
/* Check a member's blob; sealed anew in place where the TCB has risen. */
int ae_epid_verify_blob(struct bawn_enclave *qe, uint8_t blob[AE_EPID_BLOB_BYTES], bool *resealed,
			uint8_t cpusvn[16], struct bawn_error *e);
struct ae_epid_request {
	const struct isa_report *report;
	uint32_t linkable; /* 0 unlinkable, 1 linkable */
	uint8_t spid[16];
	const uint8_t *nonce; /* 16 bytes or NULL */
	const void *sigrl;    /* signature revocation list, or NULL */
	uint32_t sigrl_size;
	uint16_t pce_isvsvn;
};
#define AE_EPID_QUOTE_BYTES 1116 /* without a SigRL */
int ae_epid_quote(struct bawn_enclave *qe, uint8_t blob[AE_EPID_BLOB_BYTES],
		  const struct ae_epid_request *q, struct isa_report *qe_report, uint8_t *quote,
		  uint32_t size, struct bawn_error *e);

/* ======================= white lists and tokens, outside ======================= */

struct ae_white_list {
	uint16_t type;    /* enum ae_list_type */
	uint16_t product; /* of the launch enclave it is for */
	uint32_t version, count;
	const uint8_t *signers; /* count * 32 bytes of MRSIGNER; points into the file */
	bool any;               /* the first is zero: every signer */
	uint8_t provider[64];   /* public key x || y that signed the list */
};
/* Take a white list file apart, from first to last byte. No signature is checked. */
int ae_white_list_parse(const void *file, size_t n, struct ae_white_list *out,
			struct bawn_error *e);
/* Check both signatures, down from the root's public key x || y. */
int ae_white_list_verify(const void *file, size_t n, const uint8_t root[64], struct bawn_error *e);
/*
 * Make a list (type, product, version, count, signers of `list`), certified by
 * the root and signed by the provider: private scalars. Appended to out.
 */
int ae_white_list_sign(const struct ae_white_list *list, const uint8_t root[32],
		       const uint8_t provider[32], struct buf *out, struct bawn_error *e);

/* An EINITTOKEN from a file: exactly 304 bytes, VALID 0 or 1, no reserved bit set (SDM 38.14). */
int ae_token_parse(const void *file, size_t n, struct isa_einittoken *out, struct bawn_error *e);

/* ======================= the desk ======================= */

enum ae_enclave { AE_LAUNCH, AE_PROVISION, AE_QUOTE, AE_LEDGER, AE_ENCLAVES };
const char *ae_enclave_name(enum ae_enclave which); /* "launch" */

/* What an enclave will be, for its launch token. */
struct ae_identity {
	uint8_t mrenclave[32], mrsigner[32];
	struct isa_attributes attributes; /* as in SECS, ATTR_INIT clear */
};

/*
 * Where the enclaves come from: the caller's business. load loads one, with
 * this token or NULL; identify, asked only where a token is needed, tells what
 * it will be. Called from the threads that use the desk, never two at once for
 * one kind.
 */
struct ae_source {
	int (*load)(void *arg, enum ae_enclave which, const struct isa_einittoken *token,
		    struct bawn_enclave **out, struct bawn_error *e);
	int (*identify)(void *arg, enum ae_enclave which, struct ae_identity *out,
			struct bawn_error *e); /* or NULL: no tokens */
	void *arg;
};

/* A source of files, or of files in memory; see ae_files_source. */
struct ae_files {
	const char *device, *platform; /* as in bawn_options */
	bool allow_development;
	struct {
		const char *path;      /* NULL: what is in memory, or there is none */
		const void *file;
		size_t n;
		const void *sigstruct; /* 1808 bytes in place of the file's own, or NULL */
	} enclave[AE_ENCLAVES];
};
/* A source over files, which must live as long as the desk. */
struct ae_source ae_files_source(const struct ae_files *files);

struct ae_desk_options {
	struct ae_source source;
	/* Instances of each kind that may be resident at once; 0: one. */
	unsigned instances[AE_ENCLAVES];
	/*
	 * How long an instance that nobody uses stays, in milliseconds: 0 drops it at
	 * once, AE_KEEP for ever. In between, ae_desk_expire does it.
	 */
	uint32_t keep_ms[AE_ENCLAVES];
	unsigned queue; /* callers that may wait for a kind; one more gets BAWN_ERR_BUSY. 0: 64 */
	const uint8_t *ppid_key; /* AE_PEK_BYTES: whom PPIDs are encrypted to; NULL: no PPID */
};
#define AE_KEEP UINT32_MAX

/*
 * A desk may be used from any number of threads at once; calls are served in
 * the order in which they came. It has no threads of its own, opens no file,
 * and reads no environment beyond what its source does. Errors of all calls,
 * beside the enclaves' refusals: BAWN_ERR_BUSY (the queue is full, or the desk
 * is closed), BAWN_ERR_NOT_FOUND (the source has no such enclave),
 * BAWN_ERR_CRASHED, BAWN_ERR_LOST (lost twice in a row), and those of loading.
 */
struct ae_desk;
int ae_desk_new(struct ae_desk **out, const struct ae_desk_options *opt, struct bawn_error *e);
/* No call may be in progress. */
void ae_desk_free(struct ae_desk **desk);

/*
 * Drop every enclave and load none until ae_desk_open: waits for calls in
 * progress, refuses new ones and those that wait. For a microcode update, which
 * takes a raised SVN only while the EPC is empty, or for shutting down.
 */
void ae_desk_close(struct ae_desk *d);
void ae_desk_open(struct ae_desk *d);
/*
 * Drop what has been idle for longer than it may. Returns the milliseconds
 * until there will be something to drop, or -1 for never: for a poll loop, which
 * calls it when that time is up and after calls were served.
 */
int ae_desk_expire(struct ae_desk *d);

struct ae_desk_state {
	bool closed;
	struct {
		unsigned resident, busy, waiting;
		uint64_t calls, loads, losses; /* since the desk was made; losses: reloads after BAWN_ERR_LOST */
	} enclave[AE_ENCLAVES];
};
void ae_desk_state(struct ae_desk *d, struct ae_desk_state *out);

/* What the enclave is; loads it if need be. */
int ae_desk_enclave(struct ae_desk *d, enum ae_enclave which, struct bawn_enclave_info *out,
		    struct bawn_error *e);

/* ---- launching ---- */

/*
 * Give the launch enclave a list, now and whenever it is loaded again. One of
 * each type is kept; a version not above the kept one's is refused.
 */
int ae_desk_white_list(struct ae_desk *d, const void *list, size_t n, struct bawn_error *e);
int ae_desk_token(struct ae_desk *d, const struct ae_identity *who, struct isa_einittoken *token,
		  struct bawn_error *e);

/* ---- quoting ---- */

/* TARGETINFO that reports to be quoted must be made for. */
int ae_desk_target(struct ae_desk *d, struct isa_targetinfo *out, struct bawn_error *e);

/*
 * What a PCS must be asked with for this platform's PCK certificate (its
 * pckcert query), and what a fab needs to make one.
 */
struct ae_pck_request {
	uint8_t qe_id[16];
	bool has_ppid; /* the desk was given a ppid_key, and the next is encrypted to it */
	uint8_t encrypted_ppid[AE_PPID_CIPHER_BYTES];
	uint8_t cpusvn[16]; /* the platform's own */
	uint16_t pce_isvsvn, pce_id;
	uint8_t pce_mrsigner[32]; /* PPID and PCK depend on it */
};
int ae_desk_pck_request(struct ae_desk *d, struct ae_pck_request *out, struct bawn_error *e);

/* A TCB, as a PCK certificate names it (a PCS's SGX-TCBm header). */
struct ae_tcb {
	uint8_t cpusvn[16];
	uint16_t pce_isvsvn;
};
/* The 18 bytes of SGX-TCBm, written as 36 hexadecimal digits. */
int ae_tcb_parse(const char *hex, size_t n, struct ae_tcb *out, struct bawn_error *e);

/*
 * An attestation key, certified by the PCE with the PCK at this TCB, which must
 * be the PCK certificate's; NULL: at the platform's own. The blob is the
 * caller's to store. auth: 32 bytes that the certification covers, NULL for
 * 00 01 .. 1f, which Intel's host software uses. Without a ppid_key the blob holds
 * no PPID, and quotes need a certification of their own.
 */
int ae_desk_generate(struct ae_desk *d, const struct ae_tcb *tcb,
		     const uint8_t auth[AE_QE_AUTH_BYTES], uint8_t blob[AE_QE_BLOB_BYTES],
		     struct bawn_error *e);
/*
 * The same for the key that the blob holds already: the report that was
 * certified before is certified again, at another TCB. PCE_INVALID_REPORT where
 * the platform's CPUSVN or the PCE is another since: then a new key is needed.
 */
int ae_desk_recertify(struct ae_desk *d, const struct ae_tcb *tcb, uint8_t blob[AE_QE_BLOB_BYTES],
		      struct bawn_error *e);

struct ae_blob_state {
	bool resealed;     /* the blob was changed: store it */
	bool certified;
	bool behind;       /* certified when the platform or the enclaves were at another SVN */
	uint8_t key[64];   /* attestation public key x || y */
	uint8_t key_id[32]; /* SHA-256 of the public key: what AESM calls att_key_id's hash */
	uint8_t qe_id[16];
	struct ae_tcb tcb; /* at which it is certified */
};
int ae_desk_blob(struct ae_desk *d, uint8_t blob[AE_QE_BLOB_BYTES], struct ae_blob_state *out,
		 struct bawn_error *e);

/*
 * A quote: q as for ae_qe_quote, except that pce_isvsvn is filled in by the
 * desk. *resealed tells that the blob was changed (NULL: not wanted).
 */
int ae_desk_quote(struct ae_desk *d, uint8_t blob[AE_QE_BLOB_BYTES], bool *resealed,
		  const struct ae_quote_request *q, struct isa_report *qe_report, uint8_t *quote,
		  size_t size, struct bawn_error *e);

/* ---- certifying others' enclaves ---- */

/* TARGETINFO of the PCE, for reports to be certified. */
int ae_desk_pce_target(struct ae_desk *d, struct isa_targetinfo *out, struct bawn_error *e);
/* ae_pce_certify. tcb NULL: at the platform's own; *used, if not NULL, becomes the TCB signed at. */
int ae_desk_certify(struct ae_desk *d, const struct isa_report *report, const struct ae_tcb *tcb,
		    struct ae_tcb *used, uint8_t rs[64], struct bawn_error *e);
/* ae_pce_info. */
int ae_desk_pce_info(struct ae_desk *d, const struct isa_report *report,
		     const uint8_t key[AE_PEK_BYTES], uint8_t cipher[AE_PPID_CIPHER_BYTES],
		     struct ae_pce_info *info, struct bawn_error *e);

/* ---- the end of an audit log, sealed (doc/AUDIT.md) ---- */

/*
 * Ends are encoded as in ae/abi.h. begin: follow a log from here on, with the
 * key of the next line; at line 0 the log's name must be the key's own.
 * note: a later end of the same log, proven with the key of the line after it;
 * the same end once more is no error. What the enclave refuses
 * (BAWN_ERR_DENIED, sgx_status AE_LEDGER_...) leaves the blob as it was.
 */
int ae_desk_ledger_begin(struct ae_desk *d, const uint8_t end[AE_LEDGER_END_BYTES], const uint8_t key[32],
			 uint8_t blob[AE_LEDGER_BLOB_BYTES], struct bawn_error *e);
int ae_desk_ledger_note(struct ae_desk *d, uint8_t blob[AE_LEDGER_BLOB_BYTES],
			const uint8_t end[AE_LEDGER_END_BYTES], const uint8_t proof[32], struct bawn_error *e);
/* What the blob says, if it is the enclave's own, of this platform. */
int ae_desk_ledger_read(struct ae_desk *d, const uint8_t blob[AE_LEDGER_BLOB_BYTES],
			struct ae_ledger_state *out, struct bawn_error *e);

/* ======================= keys outside, from an emulated platform's fuses ======================= */

/* PPID as the PCE of this signer derives it. */
void ae_ppid(const struct cpu_platform *p, const uint8_t pce_mrsigner[32], uint8_t ppid[16]);
/* The PCK's public key x || y at this CPUSVN and PCE ISVSVN, big-endian. */
int ae_pck_public(const struct cpu_platform *p, const uint8_t pce_mrsigner[32],
		  const uint8_t cpusvn[16], uint16_t isvsvn, uint8_t xy[64],
		  struct bawn_error *e);

#endif
