/* The attester: an attestation key that is certified, and quotes by it. */
#include "attester/attester.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The certificate that quotes carry. */
struct certificate {
	bool there;
	uint8_t *text; /* PEM and a NUL, as quotes carry it */
	size_t n;
	uint8_t key[64];
	struct ae_tcb tcb;
	struct attest_pck pck;
	int64_t expires;
};

struct bawn_attester {
	struct ae_files files;
	char *copies[5]; /* device, platform, and the paths of the enclaves */
	struct ae_desk *desk;
	struct bawn_enclave_info qe;
	char state[4096];
	int fd;
	bool has_ppid_key;
	struct certificate certificate;
	pthread_mutex_t lock; /* over the next two */
	bool ready;           /* the key is made, certified for the certificate, and checked against it */
	uint8_t blob[AE_QE_BLOB_BYTES];
};

/* ---- the certificate ---- */

static int read_certificate(const void *pem, size_t n, struct certificate *c, struct bawn_error *e)
{
	struct attest_chain *chain = malloc(sizeof(*chain));
	int rc = chain ? attest_chain_parse(pem, n, chain, e) : err_nomem(e);

	if (rc == 0 && (chain->count != 3 || !chain->cert[0].sgx_extension.p))
		rc = err_set(e, BAWN_ERR_FORMAT, "not a PCK certificate, its CA and a root, in this order");
	if (rc == 0)
		rc = attest_pck_parse(chain->cert[0].sgx_extension, &c->pck, e);
	while (n && ((const char *)pem)[n - 1] == '\0')
		n--;
	if (rc == 0 && !(c->text = malloc(n + 1)))
		rc = err_nomem(e);
	if (rc == 0) {
		memcpy(c->text, pem, n);
		c->text[n] = '\0';
		c->n = n + 1;
		memcpy(c->key, chain->cert[0].key, sizeof(c->key));
		/* The components are what a PCE's CPUSVN is made of; .18 has it whole. */
		memcpy(c->tcb.cpusvn, c->pck.cpusvn, sizeof(c->tcb.cpusvn));
		c->tcb.pce_isvsvn = c->pck.pcesvn;
		c->expires = chain->cert[0].not_after;
		c->there = true;
	}
	if (rc)
		err_context(e, "PCK certificate");
	free(chain);
	return rc;
}

/* The one given, or the one that is kept; none is no error. */
static int find_certificate(struct bawn_attester *a, struct bawn_bytes given, struct bawn_error *e)
{
	uint8_t *text;
	size_t n;
	int rc;

	if (given.p)
		return read_certificate(given.p, given.n, &a->certificate, e);
	if (faccessat(a->fd, ATTESTER_CHAIN, F_OK, 0))
		return 0;
	rc = io_read_file_at(a->fd, ATTESTER_CHAIN, ATTEST_CHAIN_TEXT_MAX, &text, &n, e);
	if (rc)
		return rc;
	rc = read_certificate(text, n, &a->certificate, e);
	if (rc)
		err_context(e, "%s", a->state);
	free(text);
	return rc;
}

/* Did the key of this certificate sign the quoting enclave's report? */
static int check_key(const struct certificate *c, const uint8_t blob[AE_QE_BLOB_BYTES], struct bawn_error *e)
{
	struct bawn_error why = { 0 };
	int rc = ae_blob_certified_by(blob, c->key, &why);

	if (rc == BAWN_ERR_SIGNATURE)
		return err_set(e, rc, "the PCK certificate is not for this platform and its PCE: get the one that "
			       "is (emulated: `bawn emu fab issue`)");
	return rc ? err_set(e, rc, "%s", why.msg) : 0;
}

/* ---- the attestation key ---- */

static const struct ae_tcb *wanted_tcb(const struct bawn_attester *a)
{
	return a->certificate.there ? &a->certificate.tcb : NULL;
}

static bool same_tcb(const struct ae_tcb *a, const struct ae_tcb *b)
{
	return memcmp(a->cpusvn, b->cpusvn, sizeof(a->cpusvn)) == 0 && a->pce_isvsvn == b->pce_isvsvn;
}

/* The blob that is kept, brought up to date; false if there is none that is of use. */
static bool revive(struct bawn_attester *a, bool *changed)
{
	const struct ae_tcb *tcb = wanted_tcb(a);
	struct ae_blob_state state;
	struct bawn_error why = { 0 };

	if (!attester_blob_read(a->fd, a->blob))
		return false;
	if (ae_desk_blob(a->desk, a->blob, &state, &why)) {
		log_msg(LOG_WARN, "%s/" ATTESTER_BLOB ": %s; making another key", a->state, why.msg);
		return false;
	}
	*changed = state.resealed;
	if (!state.certified || state.behind)
		return false;
	if (!tcb || same_tcb(tcb, &state.tcb))
		return true;
	*changed = true;
	return ae_desk_recertify(a->desk, tcb, a->blob, NULL) == 0;
}

/* The lock is held. */
static int make_ready(struct bawn_attester *a, struct bawn_error *e)
{
	bool changed = false;
	int rc = 0;

	if (a->ready)
		return 0;
	if (!revive(a, &changed)) {
		changed = true;
		rc = ae_desk_generate(a->desk, wanted_tcb(a), NULL, a->blob, e);
	}
	/* A kept blob may be from before another certificate with the same TCB: it is made again. */
	if (rc == 0 && a->certificate.there && !changed && check_key(&a->certificate, a->blob, NULL)) {
		changed = true;
		rc = ae_desk_generate(a->desk, wanted_tcb(a), NULL, a->blob, e);
	}
	if (rc == 0 && a->certificate.there)
		rc = check_key(&a->certificate, a->blob, e);
	if (rc == 0 && changed)
		rc = attester_blob_write(a->fd, a->blob, e);
	a->ready = rc == 0;
	return rc;
}

/* ---- making one ---- */

static int copy(char **to, const char *from, struct bawn_error *e)
{
	if (from && !(*to = strdup(from)))
		return err_nomem(e);
	return 0;
}

/* Which enclaves; the launch enclave alone may be missing. */
static int find_enclaves(struct bawn_attester *a, const struct bawn_attester_options *o, struct bawn_error *e)
{
	const char *const given[] = { [AE_LAUNCH] = o->launch, [AE_PROVISION] = o->provision, [AE_QUOTE] = o->quote };
	char path[4096];
	int rc = 0;

	for (int i = 0; i < (int)ARRAY_LEN(given) && rc == 0; i++) {
		if (given[i])
			rc = copy(&a->copies[2 + i], given[i], e);
		else if (attester_enclave_path(ae_enclave_name((enum ae_enclave)i), path, sizeof(path), i == AE_LAUNCH ? NULL : e) == 0)
			rc = copy(&a->copies[2 + i], path, e);
		else if (i != AE_LAUNCH)
			rc = BAWN_ERR_NOT_FOUND;
		a->files.enclave[i].path = a->copies[2 + i];
	}
	return rc;
}

static int open_desk(struct bawn_attester *a, const struct bawn_attester_options *o, struct bawn_error *e)
{
	struct ae_desk_options desk = {
		.keep_ms = { [AE_PROVISION] = AE_KEEP, [AE_QUOTE] = AE_KEEP },
		.ppid_key = o->ppid_key.p,
	};
	int rc = copy(&a->copies[0], o->device, e);

	if (o->ppid_key.p && o->ppid_key.n != AE_PEK_BYTES)
		return err_set(e, BAWN_ERR_USAGE, "the key for PPIDs must have %d bytes, not %zu", AE_PEK_BYTES,
			       o->ppid_key.n);
	a->has_ppid_key = o->ppid_key.p != NULL;
	if (rc == 0)
		rc = copy(&a->copies[1], o->platform, e);
	if (rc == 0)
		rc = find_enclaves(a, o, e);
	a->files.device = a->copies[0];
	a->files.platform = a->copies[1];
	a->files.allow_development = o->allow_development;
	desk.source = ae_files_source(&a->files);
	if (rc == 0)
		rc = ae_desk_new(&a->desk, &desk, e);
	for (size_t i = 0; rc == 0 && i < o->white_list_count; i++)
		rc = ae_desk_white_list(a->desk, o->white_lists[i].p, o->white_lists[i].n, e);
	return rc ? rc : ae_desk_enclave(a->desk, AE_QUOTE, &a->qe, e);
}

int bawn_attester_new(struct bawn_attester **out, const struct bawn_attester_options *opt,
		      struct bawn_error *e)
{
	const struct bawn_attester_options none = { 0 };
	struct bawn_attester *a = calloc(1, sizeof(*a));
	int rc;

	*out = NULL;
	if (!a)
		return err_nomem(e);
	if (!opt)
		opt = &none;
	a->fd = -1;
	pthread_mutex_init(&a->lock, NULL);
	rc = open_desk(a, opt, e);
	if (rc == 0)
		rc = attester_state_open(opt->state, &a->qe, opt->platform, a->state, &a->fd, e);
	if (rc == 0)
		rc = find_certificate(a, opt->pck_chain, e);
	/* A certificate is kept only once it is seen to be of this platform. */
	if (rc == 0 && opt->pck_chain.p) {
		rc = make_ready(a, e);
		if (rc == 0)
			rc = io_write_file_at(a->fd, ATTESTER_CHAIN, a->certificate.text, a->certificate.n - 1, 0600, e);
	}
	if (rc)
		bawn_attester_free(&a);
	*out = a;
	return rc;
}

void bawn_attester_free(struct bawn_attester **attester)
{
	struct bawn_attester *a = *attester;

	if (!a)
		return;
	*attester = NULL;
	ae_desk_free(&a->desk);
	if (a->fd >= 0)
		close(a->fd);
	for (size_t i = 0; i < ARRAY_LEN(a->copies); i++)
		free(a->copies[i]);
	free(a->certificate.text);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

/* ---- using one ---- */

void bawn_attester_info(const struct bawn_attester *a, struct bawn_attester_info *out)
{
	const struct certificate *c = &a->certificate;

	*out = (struct bawn_attester_info){ .emulated = a->qe.emulated, .has_certificate = c->there };
	strncpy(out->device, a->qe.device, sizeof(out->device) - 1);
	memcpy(out->state, a->state, sizeof(out->state));
	if (!c->there)
		return;
	memcpy(out->fmspc, c->pck.fmspc, sizeof(out->fmspc));
	memcpy(out->ppid, c->pck.ppid, sizeof(out->ppid));
	memcpy(out->cpusvn, c->pck.cpusvn, sizeof(out->cpusvn));
	out->pcesvn = c->pck.pcesvn;
	out->certificate_expires = c->expires;
}

int bawn_attester_target(struct bawn_attester *a, uint8_t target[512], struct bawn_error *e)
{
	struct isa_targetinfo t;
	int rc = ae_desk_target(a->desk, &t, e);

	_Static_assert(sizeof(t) == 512, "TARGETINFO has 512 bytes");
	if (rc == 0)
		memcpy(target, &t, sizeof(t));
	return rc;
}

int bawn_attester_quote(struct bawn_attester *a, const uint8_t report[432], struct bawn_quote_proof *proof,
			uint8_t **quote, size_t *n, struct bawn_error *e)
{
	const struct ae_certification chain = { .type = AE_CERTIFIED_PCK_CHAIN, .data = a->certificate.text,
						.n = a->certificate.n };
	struct ae_quote_request q = { .certification = a->certificate.there ? &chain : NULL };
	struct isa_report mine, checked;
	struct isa_targetinfo target;
	uint8_t blob[AE_QE_BLOB_BYTES];
	bool resealed = false;
	int rc;

	*quote = NULL;
	*n = 0;
	if (!a->certificate.there && !a->has_ppid_key)
		return err_set(e, BAWN_ERR_NOT_FOUND,
			       "there is no PCK certificate for this platform yet: give it one (emulated: `bawn emu "
			       "fab issue`)");
	pthread_mutex_lock(&a->lock);
	rc = make_ready(a, e);
	memcpy(blob, a->blob, sizeof(blob));
	pthread_mutex_unlock(&a->lock);
	if (rc)
		return rc;
	memcpy(&mine, report, sizeof(mine));
	q.report = &mine;
	if (proof) {
		memcpy(&target, proof->target, sizeof(target));
		q.target = &target;
		q.nonce = proof->nonce;
	}
	*n = ae_quote_size(q.certification);
	*quote = calloc(1, *n);
	rc = *quote ? ae_desk_quote(a->desk, blob, &resealed, &q, proof ? &checked : NULL, *quote, *n, e) : err_nomem(e);
	if (rc) {
		free(*quote);
		*quote = NULL;
		return rc;
	}
	if (proof)
		memcpy(proof->report, &checked, sizeof(checked));
	if (resealed) {
		pthread_mutex_lock(&a->lock);
		memcpy(a->blob, blob, sizeof(blob));
		rc = attester_blob_write(a->fd, blob, e);
		pthread_mutex_unlock(&a->lock);
	}
	return rc;
}

int bawn_attester_pck_request(struct bawn_attester *a, struct bawn_pck_request *out, struct bawn_error *e)
{
	struct ae_pck_request r;
	int rc;

	if (!a->has_ppid_key)
		return err_set(e, BAWN_ERR_USAGE, "whom is the platform's id to be encrypted to? ppid_key says so");
	rc = ae_desk_pck_request(a->desk, &r, e);
	if (rc)
		return rc;
	*out = (struct bawn_pck_request){ .pcesvn = r.pce_isvsvn, .pce_id = r.pce_id };
	memcpy(out->qe_id, r.qe_id, sizeof(out->qe_id));
	memcpy(out->encrypted_ppid, r.encrypted_ppid, sizeof(out->encrypted_ppid));
	memcpy(out->cpusvn, r.cpusvn, sizeof(out->cpusvn));
	memcpy(out->pce_mrsigner, r.pce_mrsigner, sizeof(out->pce_mrsigner));
	return 0;
}
