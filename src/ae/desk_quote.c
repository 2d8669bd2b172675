/* Quoting by way of the desk: the ECALLs of two enclaves, strung together. */
#include "ae/desk.h"

#include <string.h>

#define BOTH (DESK_BIT(AE_PROVISION) | DESK_BIT(AE_QUOTE))

/* ---- what the enclaves are ---- */

static int tell_info(struct bawn_enclave *en, void *arg, struct bawn_error *e)
{
	(void)e;
	bawn_enclave_info(en, arg);
	return 0;
}

static int tell_target(struct bawn_enclave *en, void *arg, struct bawn_error *e)
{
	uint8_t bytes[512];

	(void)e;
	bawn_enclave_targetinfo(en, bytes);
	memcpy(arg, bytes, sizeof(bytes));
	return 0;
}

int ae_desk_enclave(struct ae_desk *d, enum ae_enclave which, struct bawn_enclave_info *out,
		    struct bawn_error *e)
{
	if ((unsigned)which >= AE_ENCLAVES)
		return err_set(e, BAWN_ERR_USAGE, "there is no architectural enclave %d", which);
	return desk_do(d, which, tell_info, out, e);
}

int ae_desk_target(struct ae_desk *d, struct isa_targetinfo *out, struct bawn_error *e)
{
	return desk_do(d, AE_QUOTE, tell_target, out, e);
}

int ae_desk_pce_target(struct ae_desk *d, struct isa_targetinfo *out, struct bawn_error *e)
{
	return desk_do(d, AE_PROVISION, tell_target, out, e);
}

/* ---- the PCE's two answers ---- */

struct ppid_step {
	const struct isa_report *report;
	const uint8_t *key;
	uint8_t *cipher;
	struct ae_pce_info *info;
};

static int ask_ppid(struct bawn_enclave *pce, void *arg, struct bawn_error *e)
{
	struct ppid_step *x = arg;

	return ae_pce_info(pce, x->report, x->key, x->cipher, x->info, e);
}

int ae_desk_pce_info(struct ae_desk *d, const struct isa_report *report,
		     const uint8_t key[AE_PEK_BYTES], uint8_t cipher[AE_PPID_CIPHER_BYTES],
		     struct ae_pce_info *info, struct bawn_error *e)
{
	struct ppid_step x = { report, key, cipher, info };

	return desk_do(d, AE_PROVISION, ask_ppid, &x, e);
}

struct certify_step {
	const struct isa_report *report;
	const struct ae_tcb *tcb; /* or NULL */
	struct ae_tcb used;
	uint8_t *rs;
};

static int ask_certify(struct bawn_enclave *pce, void *arg, struct bawn_error *e)
{
	struct certify_step *x = arg;
	struct bawn_enclave_info info;

	if (x->tcb) {
		x->used = *x->tcb;
	} else {
		/* The report was made at the platform's own CPUSVN, or it does not verify. */
		bawn_enclave_info(pce, &info);
		memcpy(x->used.cpusvn, x->report->body.cpusvn, sizeof(x->used.cpusvn));
		x->used.pce_isvsvn = info.isvsvn;
	}
	return ae_pce_certify(pce, x->used.cpusvn, x->used.pce_isvsvn, x->report, x->rs, e);
}

int ae_desk_certify(struct ae_desk *d, const struct isa_report *report, const struct ae_tcb *tcb,
		    struct ae_tcb *used, uint8_t rs[64], struct bawn_error *e)
{
	struct certify_step x = { .report = report, .tcb = tcb, .rs = rs };
	int rc = desk_do(d, AE_PROVISION, ask_certify, &x, e);

	if (rc == 0 && used)
		*used = x.used;
	return rc;
}

/*
 * Older PCEs do not tell their id alone, but there has only ever been one. The
 * ISVSVN is the file's, so one look at it is enough for the life of the desk.
 */
static int pce_as_it_is(struct ae_desk *d, struct ae_pce_info *out, struct bawn_error *e)
{
	struct bawn_enclave_info info;
	int rc = 0;

	*out = (struct ae_pce_info){ .id = AE_PCE_ID };
	if (!desk_known_isvsvn(d, AE_PROVISION, &out->isvsvn)) {
		rc = ae_desk_enclave(d, AE_PROVISION, &info, e);
		out->isvsvn = info.isvsvn;
	}
	return rc;
}

/* ---- PPID ---- */

struct key_step {
	const struct isa_targetinfo *pce;
	uint8_t *key;
	struct isa_report *report;
};

static int ask_encrypt_key(struct bawn_enclave *qe, void *arg, struct bawn_error *e)
{
	struct key_step *x = arg;

	return ae_qe_encrypt_key(qe, x->pce, x->key, x->report, e);
}

/* The PPID, encrypted, and what the PCE says of itself. *has is false if there is no key for it. */
static int encrypted_ppid(struct ae_desk *d, const struct isa_targetinfo *pce, bool *has,
			  uint8_t cipher[AE_PPID_CIPHER_BYTES], struct ae_pce_info *info,
			  struct bawn_error *e)
{
	uint8_t key[AE_PEK_BYTES];
	struct isa_report report;
	struct key_step x = { pce, key, &report };
	int rc;

	*has = desk_ppid_key(d) != NULL;
	if (!*has)
		return pce_as_it_is(d, info, e);
	memcpy(key, desk_ppid_key(d), sizeof(key));
	rc = desk_do(d, AE_QUOTE, ask_encrypt_key, &x, e);
	if (rc == 0)
		rc = ae_desk_pce_info(d, &report, key, cipher, info, e);
	return rc;
}

/* ---- attestation keys ---- */

struct generate_step {
	const struct isa_targetinfo *pce;
	const uint8_t *auth;
	uint8_t *blob;
	struct isa_report *report;
};

static int ask_generate(struct bawn_enclave *qe, void *arg, struct bawn_error *e)
{
	struct generate_step *x = arg;

	return ae_qe_generate(qe, x->pce, x->auth, x->blob, x->report, e);
}

struct store_step {
	const struct ae_qe_certification *certification;
	const uint8_t *cipher; /* or NULL */
	const uint8_t *before;
	uint8_t *after;
};

static int ask_store(struct bawn_enclave *qe, void *arg, struct bawn_error *e)
{
	struct store_step *x = arg;

	memcpy(x->after, x->before, AE_QE_BLOB_BYTES);
	return ae_qe_store(qe, x->certification, x->cipher, x->after, e);
}

static const uint8_t default_auth[AE_QE_AUTH_BYTES] = {
	0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
	0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f,
};

/* Have the PCE sign c->report at this TCB, and put that and the rest of c into a blob. */
static int certify_into(struct ae_desk *d, struct ae_qe_certification *c, const struct ae_tcb *tcb,
			const uint8_t *cipher, const uint8_t *before, uint8_t *after,
			struct bawn_error *e)
{
	struct store_step stored = { c, cipher, before, after };
	struct ae_tcb used;
	int rc = ae_desk_certify(d, &c->report, tcb, &used, c->signature, e);

	if (rc)
		return rc;
	memcpy(c->cpusvn, used.cpusvn, sizeof(c->cpusvn));
	c->isvsvn = used.pce_isvsvn;
	memcpy(c->raw_cpusvn, c->report.body.cpusvn, sizeof(c->raw_cpusvn));
	return desk_do(d, AE_QUOTE, ask_store, &stored, e);
}

static int generate(struct ae_desk *d, const struct ae_tcb *tcb, const uint8_t *auth,
		    uint8_t blob[AE_QE_BLOB_BYTES], struct bawn_error *e)
{
	uint8_t cipher[AE_PPID_CIPHER_BYTES], bare[AE_QE_BLOB_BYTES];
	struct ae_qe_certification c = { 0 };
	struct generate_step made = { &c.pce_target, auth ? auth : default_auth, bare, &c.report };
	bool has_ppid = false;
	int rc = ae_desk_pce_target(d, &c.pce_target, e);

	if (rc == 0)
		rc = encrypted_ppid(d, &c.pce_target, &has_ppid, cipher, &c.pce, e);
	if (rc == 0)
		rc = desk_do(d, AE_QUOTE, ask_generate, &made, e);
	if (rc == 0)
		rc = certify_into(d, &c, tcb, has_ppid ? cipher : NULL, bare, blob, e);
	return rc;
}

int ae_desk_generate(struct ae_desk *d, const struct ae_tcb *tcb,
		     const uint8_t auth[AE_QE_AUTH_BYTES], uint8_t blob[AE_QE_BLOB_BYTES],
		     struct bawn_error *e)
{
	uint8_t made[AE_QE_BLOB_BYTES];
	int rc;

	desk_pin(d, BOTH);
	rc = generate(d, tcb, auth, made, e);
	desk_unpin(d, BOTH);
	if (rc == 0)
		memcpy(blob, made, sizeof(made));
	return rc;
}

/*
 * The report that was certified before is certified again: the enclave makes
 * none for a key that it has. So it must still be one of this platform at this
 * CPUSVN for this PCE; where it is not, a new key is needed.
 */
int ae_desk_recertify(struct ae_desk *d, const struct ae_tcb *tcb, uint8_t blob[AE_QE_BLOB_BYTES],
		      struct bawn_error *e)
{
	struct ae_qe_certification c = { 0 };
	uint8_t made[AE_QE_BLOB_BYTES];
	struct ae_blob b;
	int rc = ae_blob_parse(blob, AE_QE_BLOB_BYTES, &b, e);

	if (rc)
		return rc;
	if (!b.certified)
		return err_set(e, BAWN_ERR_USAGE, "the blob's key was never certified: generate one");
	c.report = b.plain.qe_report;
	c.pce_target = b.plain.pce_target;
	desk_pin(d, BOTH);
	rc = pce_as_it_is(d, &c.pce, e);
	if (rc == 0)
		rc = certify_into(d, &c, tcb, NULL, blob, made, e);
	desk_unpin(d, BOTH);
	if (rc == 0)
		memcpy(blob, made, sizeof(made));
	return rc;
}

static int pck_request(struct ae_desk *d, struct ae_pck_request *out, struct bawn_error *e)
{
	struct bawn_enclave_info pce;
	struct isa_targetinfo target;
	struct isa_report report;
	uint8_t bare[AE_QE_BLOB_BYTES];
	/* QE_ID is told in a blob, and nowhere else; making one changes nothing. */
	struct generate_step made = { &target, default_auth, bare, &report };
	struct ae_pce_info info = { 0 };
	struct ae_blob blob;
	int rc = ae_desk_enclave(d, AE_PROVISION, &pce, e);

	if (rc == 0)
		rc = ae_desk_pce_target(d, &target, e);
	if (rc == 0)
		rc = encrypted_ppid(d, &target, &out->has_ppid, out->encrypted_ppid, &info, e);
	if (rc == 0)
		rc = desk_do(d, AE_QUOTE, ask_generate, &made, e);
	if (rc == 0)
		rc = ae_blob_parse(bare, sizeof(bare), &blob, e);
	if (rc)
		return rc;
	memcpy(out->qe_id, blob.plain.qe_id, sizeof(out->qe_id));
	memcpy(out->cpusvn, report.body.cpusvn, sizeof(out->cpusvn));
	memcpy(out->pce_mrsigner, pce.mrsigner, sizeof(out->pce_mrsigner));
	out->pce_isvsvn = info.isvsvn;
	out->pce_id = info.id;
	return 0;
}

int ae_desk_pck_request(struct ae_desk *d, struct ae_pck_request *out, struct bawn_error *e)
{
	int rc;

	*out = (struct ae_pck_request){ 0 };
	desk_pin(d, BOTH);
	rc = pck_request(d, out, e);
	desk_unpin(d, BOTH);
	if (rc)
		*out = (struct ae_pck_request){ 0 };
	return rc;
}

/* ---- blobs ---- */

struct verify_step {
	const uint8_t *before;
	uint8_t after[AE_QE_BLOB_BYTES];
	bool resealed;
	struct isa_report_body self;
};

static int ask_verify(struct bawn_enclave *qe, void *arg, struct bawn_error *e)
{
	struct verify_step *x = arg;

	memcpy(x->after, x->before, sizeof(x->after));
	return ae_qe_verify_blob(qe, x->after, &x->resealed, &x->self, NULL, e);
}

int ae_desk_blob(struct ae_desk *d, uint8_t blob[AE_QE_BLOB_BYTES], struct ae_blob_state *out,
		 struct bawn_error *e)
{
	struct verify_step x = { .before = blob };
	struct isa_report_body certified;
	struct ae_pce_info pce = { 0 };
	struct ae_blob b;
	int rc = ae_blob_parse(blob, AE_QE_BLOB_BYTES, &b, e);

	*out = (struct ae_blob_state){ 0 };
	if (rc == 0)
		rc = desk_do(d, AE_QUOTE, ask_verify, &x, e);
	if (rc == 0)
		rc = ae_blob_parse(x.after, sizeof(x.after), &b, e);
	if (rc == 0)
		rc = pce_as_it_is(d, &pce, e);
	if (rc)
		return rc;
	memcpy(blob, x.after, sizeof(x.after));
	out->resealed = x.resealed;
	out->certified = b.certified;
	/* The quoting enclave as it was certified, against what it is; and the PCE. */
	certified = b.plain.qe_report.body;
	out->behind = b.certified && (memcmp(certified.cpusvn, x.self.cpusvn, 16) != 0 ||
				      certified.isvsvn != x.self.isvsvn ||
				      b.plain.raw_pce.isvsvn != pce.isvsvn);
	memcpy(out->key, b.plain.key, sizeof(out->key));
	crypto_sha256(out->key, sizeof(out->key), out->key_id);
	memcpy(out->qe_id, b.plain.qe_id, sizeof(out->qe_id));
	memcpy(out->tcb.cpusvn, b.plain.cert_cpusvn, sizeof(out->tcb.cpusvn));
	out->tcb.pce_isvsvn = b.plain.cert_pce.isvsvn;
	return 0;
}

/* ---- quotes ---- */

struct quote_step {
	const uint8_t *before;
	uint8_t after[AE_QE_BLOB_BYTES];
	const struct ae_quote_request *request;
	struct isa_report *qe_report;
	uint8_t *quote;
	size_t size;
};

static int ask_quote(struct bawn_enclave *qe, void *arg, struct bawn_error *e)
{
	struct quote_step *x = arg;

	memcpy(x->after, x->before, sizeof(x->after));
	return ae_qe_quote(qe, x->after, x->request, x->qe_report, x->quote, x->size, e);
}

int ae_desk_quote(struct ae_desk *d, uint8_t blob[AE_QE_BLOB_BYTES], bool *resealed,
		  const struct ae_quote_request *q, struct isa_report *qe_report, uint8_t *quote,
		  size_t size, struct bawn_error *e)
{
	struct ae_quote_request request = *q;
	struct quote_step x = { .before = blob, .request = &request, .qe_report = qe_report,
				.quote = quote, .size = size };
	struct ae_pce_info pce;
	int rc = pce_as_it_is(d, &pce, e);

	request.pce_isvsvn = pce.isvsvn;
	if (rc == 0)
		rc = desk_do(d, AE_QUOTE, ask_quote, &x, e);
	if (rc)
		return rc;
	if (resealed)
		*resealed = memcmp(blob, x.after, sizeof(x.after)) != 0;
	memcpy(blob, x.after, sizeof(x.after));
	return 0;
}
