/*
 * The verifier. What the quote itself proves (form, chain, signatures) comes
 * before what the collateral says, so that a forgery is called one even where
 * there is no collateral, and everything else falls to "undecided".
 */
#include "attest/attest.h"
#include "attest/internal.h"

#include <stdlib.h>
#include <string.h>

struct bawn_verifier {
	struct attest_anchor anchor;
	struct attest_sigcache *cache;
	struct attest_store store;
};

/* One verification on its way. */
struct job {
	struct bawn_verifier *v;
	const struct attest_set *set;
	struct bawn_verification *out;
	int64_t time;
	bool early;
	bool pck_given; /* the PCK chain is the caller's, not the quote's */
	struct attest_quote quote;
	struct attest_chain chain; /* PCK leaf, CA, root */
	struct attest_pck pck;
	uint8_t ca_id[32]; /* name and key of the PCK's CA */
	const struct attest_item *tcb, *qe, *root_crl, *pck_crl;
};

int bawn_verifier_new(struct bawn_verifier **out, const struct bawn_root *root, struct bawn_error *e)
{
	struct bawn_verifier *v = calloc(1, sizeof(*v));
	int r = v ? attest_anchor_init(&v->anchor, root, e) : err_nomem(e);

	if (!r)
		r = attest_sigcache_new(&v->cache, e);
	if (!r && v->anchor.given)
		attest_sigcache_add(v->cache, v->anchor.signature_id);
	/* For another key than Intel's these are ids of nothing. */
	for (size_t i = 0; !r && i < ATTEST_INTEL_ROOTS; i++)
		if (v->anchor.profile == BAWN_PROFILE_INTEL)
			attest_sigcache_add(v->cache, attest_intel_roots[i]);
	if (!r)
		r = attest_store_init(&v->store, e);
	if (r) {
		bawn_verifier_free(&v);
		return r;
	}
	*out = v;
	return 0;
}

void bawn_verifier_free(struct bawn_verifier **v)
{
	if (!*v)
		return;
	attest_store_destroy(&(*v)->store);
	attest_sigcache_free(&(*v)->cache);
	free(*v);
	*v = NULL;
}

int bawn_verifier_add_collateral(struct bawn_verifier *v, const struct bawn_collateral *c,
				 struct bawn_error *e)
{
	struct attest_item *items[ATTEST_ITEMS_MAX];
	size_t n;
	int r = attest_collateral_check(c, &v->anchor, v->cache, items, &n, e);

	if (r || n == 0)
		return r;
	return attest_store_add(&v->store, items, n, e);
}

/* ---- failing ---- */

static int not_genuine(struct job *j, enum bawn_reason reason)
{
	bool internal = j->out->error.code == BAWN_ERR_CRYPTO || j->out->error.code == BAWN_ERR_MEMORY;
	/* A PCK chain that does not fit, if the caller gave it, says nothing about the quote. */
	bool misfit = j->pck_given && !j->out->signatures_hold &&
		      (reason == BAWN_REASON_PCK_CHAIN || reason == BAWN_REASON_PCK_UNTRUSTED ||
		       reason == BAWN_REASON_PCK_EXTENSION || reason == BAWN_REASON_QE_REPORT_SIGNATURE);

	j->out->verdict = internal || misfit ? BAWN_UNDECIDED : BAWN_NOT_GENUINE;
	j->out->reason = internal ? BAWN_REASON_INTERNAL : reason;
	return j->out->error.code;
}

static int undecided(struct job *j, enum bawn_reason reason)
{
	j->out->verdict = BAWN_UNDECIDED;
	j->out->reason = reason;
	return j->out->error.code;
}

/* ---- the quote itself ---- */

static void describe_quote(const struct attest_quote *q, struct bawn_verification *out)
{
	out->tee = q->tee;
	out->version = q->version;
	out->certification_type = (uint16_t)q->cert_type;
	memcpy(out->qe_vendor_id, q->qe_vendor_id, sizeof(out->qe_vendor_id));
	memcpy(out->user_data, q->user_data, sizeof(out->user_data));
	memcpy(out->report_data, attest_quote_report_data(q), sizeof(out->report_data));
	attest_report_read(q->qe_report.p, &out->qe);
	if (q->tee == BAWN_TEE_TDX) {
		attest_td_report_read(q, &out->td);
		/* Any bit of the TD-under-debug group means that it is open. */
		out->debug = out->td.attributes[0] != 0;
	} else {
		attest_report_read(q->body.p, &out->sgx);
		out->debug = out->sgx.attributes[0] & ATTR_DEBUG;
	}
}

static int read_quote(struct job *j, const void *quote, size_t n)
{
	static const uint8_t intel[16] = { 0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
					   0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07 };

	if (attest_quote_parse(quote, n, &j->quote, &j->out->error))
		return not_genuine(j, BAWN_REASON_QUOTE_FORMAT);
	describe_quote(&j->quote, j->out);
	if (j->v->anchor.profile == BAWN_PROFILE_INTEL && memcmp(j->quote.qe_vendor_id, intel, sizeof(intel)) != 0) {
		err_set(&j->out->error, BAWN_ERR_UNSUPPORTED, "the quoting enclave's vendor is not Intel");
		return not_genuine(j, BAWN_REASON_QUOTE_FORMAT);
	}
	return 0;
}

/* Type 4: the leaf, as DER or PEM, completed by the CA that issued a revocation list. */
static int read_leaf(struct job *j)
{
	struct attest_chain *c = &j->chain;
	struct bawn_error *e = &j->out->error;
	struct cur data = j->quote.cert_data, text = data, ca, root;
	size_t n;
	int r;

	if (data.n && data.p[0] == DER_SEQUENCE) {
		r = data.n <= ATTEST_CERT_MAX ? 1 : err_set(e, BAWN_ERR_FORMAT, "the PCK certificate is too large");
		n = data.n;
		if (r > 0)
			memcpy(c->der[0], data.p, n);
	} else {
		r = attest_pem_next(&text, "CERTIFICATE", c->der[0], ATTEST_CERT_MAX, &n, e);
		if (r > 0 && attest_pem_next(&text, "CERTIFICATE", c->der[1], 0, &(size_t){ 0 }, NULL) != 0)
			r = err_set(e, BAWN_ERR_FORMAT, "certification data of type 4 is one certificate, not a chain");
		if (r == 0)
			r = err_set(e, BAWN_ERR_FORMAT, "certification data of type 4 is no certificate");
	}
	if (r < 0 || attest_cert_parse(c->der[0], n, &c->cert[0], e))
		return not_genuine(j, BAWN_REASON_PCK_CHAIN);
	for (size_t i = 0; i < j->set->pck_crl_count; i++) {
		ca = attest_item_ca(j->set->pck_crl[i]);
		root = attest_item_root(j->set->pck_crl[i]);
		/* Both were read when they came. */
		if (attest_cert_parse(ca.p, ca.n, &c->cert[1], NULL) || attest_cert_parse(root.p, root.n, &c->cert[2], NULL) ||
		    !attest_name_equal(c->cert[0].issuer, c->cert[1].subject))
			continue;
		c->count = 3;
		return 0;
	}
	err_set(e, BAWN_ERR_NOT_FOUND, "the certificate of the CA that issued the PCK certificate was not given");
	return undecided(j, BAWN_REASON_NO_PCK);
}

static int read_pck(struct job *j, struct bawn_bytes pck_chain)
{
	struct cur pem = j->quote.cert_data;

	if (j->quote.cert_type == ATTEST_CERT_PCK_LEAF)
		return read_leaf(j);
	if (j->quote.cert_type != ATTEST_CERT_PCK_CHAIN) {
		if (!pck_chain.p) {
			err_set(&j->out->error, BAWN_ERR_NOT_FOUND,
				"the quote carries no PCK certificate (certification data type %u)",
				(unsigned)j->quote.cert_type);
			return undecided(j, BAWN_REASON_NO_PCK);
		}
		pem = cur_make(pck_chain.p, pck_chain.n);
		j->pck_given = true;
	}
	if (attest_chain_parse(pem.p, pem.n, &j->chain, &j->out->error))
		return not_genuine(j, BAWN_REASON_PCK_CHAIN);
	return 0;
}

static void describe_platform(struct job *j)
{
	struct bawn_verification *out = j->out;
	const struct attest_pck *p = &j->pck;

	memcpy(out->ppid, p->ppid, sizeof(out->ppid));
	memcpy(out->fmspc, p->fmspc, sizeof(out->fmspc));
	memcpy(out->pce_id, p->pce_id, sizeof(out->pce_id));
	memcpy(out->cpusvn, p->cpusvn, sizeof(out->cpusvn));
	memcpy(out->components, p->components, sizeof(out->components));
	memcpy(out->piid, p->piid, sizeof(out->piid));
	out->pcesvn = p->pcesvn;
	out->sgx_type = p->sgx_type;
	out->has_piid = p->has_piid;
	out->has_configuration = p->has_configuration;
	out->dynamic_platform = p->dynamic_platform;
	out->cached_keys = p->cached_keys;
	out->smt = p->smt;
	attest_name_cn(j->chain.cert[1].subject, out->pck_ca, sizeof(out->pck_ca));
}

static int check_pck(struct job *j, struct bawn_bytes pck_chain)
{
	enum bawn_reason reason;
	int r = read_pck(j, pck_chain);

	if (r)
		return r;
	if (attest_chain_verify(&j->chain, ATTEST_ROLE_PCK, &j->v->anchor, j->v->cache, &reason, &j->out->error)) {
		err_context(&j->out->error, "PCK chain");
		return not_genuine(j, reason);
	}
	if (!j->chain.cert[0].sgx_extension.p) {
		err_set(&j->out->error, BAWN_ERR_FORMAT, "the PCK certificate has no SGX extension");
		return not_genuine(j, BAWN_REASON_PCK_EXTENSION);
	}
	if (attest_pck_parse(j->chain.cert[0].sgx_extension, &j->pck, &j->out->error))
		return not_genuine(j, BAWN_REASON_PCK_EXTENSION);
	attest_issuer_id(j->chain.cert[1].subject, j->chain.cert[1].key, j->ca_id);
	describe_platform(j);
	return 0;
}

/* PCK signs QE report, which vouches for the attestation key, which signs the quote. */
static int check_signatures(struct job *j)
{
	const struct attest_quote *q = &j->quote;
	struct bawn_error *e = &j->out->error;
	struct crypto_sha256 h;
	uint8_t digest[32];

	crypto_sha256(q->qe_report.p, q->qe_report.n, digest);
	if (attest_sigcache_verify(j->v->cache, j->chain.cert[0].key, digest, q->qe_signature.p, e)) {
		err_context(e, "QE report");
		return not_genuine(j, BAWN_REASON_QE_REPORT_SIGNATURE);
	}
	crypto_sha256_init(&h);
	crypto_sha256_update(&h, q->key.p, q->key.n);
	crypto_sha256_update(&h, q->qe_auth.p, q->qe_auth.n);
	crypto_sha256_final(&h, digest);
	/* REPORTDATA's upper half is the QE's own business. */
	if (!ct_equal(digest, q->qe_report.p + 320, 32)) {
		err_set(e, BAWN_ERR_SIGNATURE, "the QE report does not vouch for the attestation key");
		return not_genuine(j, BAWN_REASON_QE_REPORT_DATA);
	}
	crypto_sha256(q->signed_bytes.p, q->signed_bytes.n, digest);
	if (crypto_p256_verify(q->key.p, digest, q->signature.p, e)) {
		err_context(e, "quote");
		return not_genuine(j, BAWN_REASON_QUOTE_SIGNATURE);
	}
	j->out->signatures_hold = true;
	return 0;
}

/* ---- what the collateral says ---- */

static void find_collateral(struct job *j)
{
	uint8_t root_id[32];

	j->tcb = attest_set_tcb(j->set, j->quote.tee, j->pck.fmspc, j->early);
	j->qe = j->set->qe[j->quote.tee == BAWN_TEE_TDX][j->early];
	/* The list must have been issued by this very name, not by another spelling of it. */
	attest_issuer_id(j->chain.cert[2].subject, j->chain.cert[2].key, root_id);
	if (j->set->root_crl && memcmp(j->set->root_crl->u.crl.issuer, root_id, sizeof(root_id)) == 0)
		j->root_crl = j->set->root_crl;
	j->pck_crl = attest_set_pck_crl(j->set, j->ca_id);
}

static int revoked(struct job *j, enum bawn_reason reason, const char *what)
{
	err_set(&j->out->error, BAWN_ERR_SIGNATURE, "the %s is revoked", what);
	return reason == BAWN_REASON_PCK_REVOKED ? not_genuine(j, reason) : undecided(j, reason);
}

/* Before anything can be missing or late: what a list that is at hand says is said. */
static int check_revocation(struct job *j)
{
	const struct attest_cert *cert = j->chain.cert;
	const struct attest_item *const signed_by[] = { j->tcb, j->qe, j->pck_crl };

	if (j->pck_crl && attest_item_revokes(j->pck_crl, &cert[0].serial))
		return revoked(j, BAWN_REASON_PCK_REVOKED, "PCK certificate");
	if (!j->root_crl)
		return 0;
	if (attest_item_revokes(j->root_crl, &cert[1].serial))
		return revoked(j, BAWN_REASON_PCK_REVOKED, "certificate of the PCK CA");
	if (attest_item_revokes(j->root_crl, &cert[2].serial))
		return revoked(j, BAWN_REASON_PCK_REVOKED, "root certificate");
	for (size_t i = 0; i < ARRAY_LEN(signed_by); i++)
		if (signed_by[i] && (attest_item_revokes(j->root_crl, &signed_by[i]->signer) ||
				     attest_item_revokes(j->root_crl, &signed_by[i]->root)))
			return revoked(j, BAWN_REASON_SIGNER_REVOKED, "certificate of the collateral's signer");
	return 0;
}

static int missing(struct job *j, enum bawn_reason reason, const char *what)
{
	err_set(&j->out->error, BAWN_ERR_NOT_FOUND, "%s was not given", what);
	return undecided(j, reason);
}

static int check_presence(struct job *j)
{
	char fmspc[13];

	if (!j->root_crl)
		return missing(j, BAWN_REASON_NO_ROOT_CRL, "the root's revocation list");
	if (!j->pck_crl)
		return missing(j, BAWN_REASON_NO_PCK_CRL, "the PCK CA's revocation list");
	hex_encode(j->pck.fmspc, sizeof(j->pck.fmspc), fmspc);
	if (!j->tcb) {
		err_set(&j->out->error, BAWN_ERR_NOT_FOUND, "no %s%s TCB info for FMSPC %s was given",
			j->early ? "early " : "", j->quote.tee == BAWN_TEE_TDX ? "TDX" : "SGX", fmspc);
		return undecided(j, BAWN_REASON_NO_TCB_INFO);
	}
	if (memcmp(j->tcb->u.tcb.pce_id, j->pck.pce_id, sizeof(j->pck.pce_id)) != 0) {
		err_set(&j->out->error, BAWN_ERR_NOT_FOUND, "the TCB info for FMSPC %s is for another PCE", fmspc);
		return undecided(j, BAWN_REASON_NO_TCB_INFO);
	}
	if (!j->qe)
		return missing(j, BAWN_REASON_NO_QE_IDENTITY, j->early ? "the early QE identity" : "the QE identity");
	return 0;
}

static int check_dates(struct job *j)
{
	const struct attest_cert *cert = j->chain.cert;
	struct attest_window w = ATTEST_ALWAYS;
	char date[21];

	attest_window_narrow(&w, cert[0].not_before, cert[0].not_after, "PCK certificate");
	attest_window_narrow(&w, cert[1].not_before, cert[1].not_after, "PCK CA certificate");
	attest_window_narrow(&w, cert[2].not_before, cert[2].not_after, "root certificate");
	attest_window_meet(&w, &j->root_crl->window);
	attest_window_meet(&w, &j->pck_crl->window);
	attest_window_meet(&w, &j->tcb->window);
	attest_window_meet(&w, &j->qe->window);
	j->out->valid_from = w.from;
	j->out->expires = w.until;
	j->out->expires_first = w.until_what;
	if (j->time < w.from) {
		attest_time_format(w.from, date);
		err_set(&j->out->error, BAWN_ERR_NOT_FOUND, "the %s is not valid before %s (is the clock right?)",
			w.from_what, date);
		return undecided(j, BAWN_REASON_NOT_YET_VALID);
	}
	if (j->time > w.until) {
		attest_time_format(w.until, date);
		err_set(&j->out->error, BAWN_ERR_NOT_FOUND, "the %s was valid until %s only (fetch it again?)",
			w.until_what, date);
		return undecided(j, BAWN_REASON_EXPIRED);
	}
	return 0;
}

static int check_standing(struct job *j)
{
	const struct attest_tcb_info *t = &j->tcb->u.tcb;
	const struct attest_qe_identity *q = &j->qe->u.qe;
	struct bawn_verification *out = j->out;
	bool tdx = j->quote.tee == BAWN_TEE_TDX;
	enum bawn_reason reason = BAWN_REASON_NONE;
	struct attest_standing launch, current;

	if (attest_qe_check(q, &out->qe, &out->error))
		return not_genuine(j, BAWN_REASON_QE_IDENTITY);
	if (tdx && attest_module_check(t, &out->td, &out->error))
		return not_genuine(j, BAWN_REASON_TDX_MODULE);
	if (attest_standing(t, q, &j->pck, out->qe.isvsvn, tdx ? out->td.tee_tcb_svn : NULL, &launch, &reason,
			    &out->error))
		return not_genuine(j, reason);
	current = launch;
	if (tdx && out->td.has_15 &&
	    attest_standing(t, q, &j->pck, out->qe.isvsvn, out->td.tee_tcb_svn2, &current, &reason, &out->error))
		return not_genuine(j, reason);
	out->platform_status = launch.platform;
	out->qe_status = launch.qe;
	out->module_status = launch.module;
	out->launch_status = launch.status;
	out->current_status = current.status;
	out->status = attest_relaunch(launch.status, current.status);
	out->tcb_date = launch.date;
	out->tcb_evaluation = t->evaluation;
	out->qe_evaluation = q->evaluation;
	out->evaluation = t->evaluation < q->evaluation ? t->evaluation : q->evaluation;
	attest_explain(t, q, &launch, &j->pck, out->qe.isvsvn, tdx ? out->td.tee_tcb_svn : NULL, out);
	return 0;
}

static int verify(struct job *j, const void *quote, size_t n, struct bawn_bytes pck_chain)
{
	int r = read_quote(j, quote, n);

	if (!r)
		r = check_pck(j, pck_chain);
	if (!r)
		r = check_signatures(j);
	if (r)
		return r;
	find_collateral(j);
	r = check_revocation(j);
	if (!r)
		r = check_presence(j);
	if (!r)
		r = check_dates(j);
	return r ? r : check_standing(j);
}

int bawn_verify_quote_with_pck(struct bawn_verifier *v, const void *quote, size_t n,
			       struct bawn_bytes pck_chain, int64_t time, const struct bawn_policy *policy,
			       struct bawn_verification *result)
{
	struct job j = { .v = v, .out = result, .time = time, .early = policy && policy->early };
	int r;

	memset(result, 0, sizeof(*result));
	result->emulated = v->anchor.profile == BAWN_PROFILE_EMULATED;
	j.set = attest_store_get(&v->store);
	r = verify(&j, quote, n, pck_chain);
	attest_store_put(j.set);
	if (r)
		return r;
	r = attest_policy_check(policy, time, result);
	result->verdict = r ? BAWN_UNACCEPTABLE : BAWN_ACCEPTED;
	result->reason = r ? BAWN_REASON_POLICY : BAWN_REASON_NONE;
	return r;
}

int bawn_verify_quote(struct bawn_verifier *v, const void *quote, size_t n, int64_t time,
		      const struct bawn_policy *policy, struct bawn_verification *result)
{
	return bawn_verify_quote_with_pck(v, quote, n, (struct bawn_bytes){ NULL, 0 }, time, policy, result);
}
