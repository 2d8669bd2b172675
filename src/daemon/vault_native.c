/* The native protocol's requests that concern enclaves and what is known of the platform. */
#include "daemon/vault.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- hello, status ---- */

static void serve_hello(struct vault *v, struct job *j)
{
	const struct wire_hello *q = &j->native.u.hello;
	struct wire_hello_answer *a = &j->answer.u.hello;

	if (q->min > WIRE_VERSION || q->max < WIRE_VERSION) {
		job_refuse(j, WIRE_UNSUPPORTED, 0, "this bawnd speaks version %u", WIRE_VERSION);
		j->close = true;
		return;
	}
	*a = (struct wire_hello_answer){
		.version = WIRE_VERSION,
		.features = WIRE_FEATURE_QUOTE | WIRE_FEATURE_CERTIFY | WIRE_FEATURE_TOKEN |
			    WIRE_FEATURE_LAUNCH | WIRE_FEATURE_COLLATERAL,
		.message_max = WIRE_MAX,
		.emulated = v->emulated,
	};
	snprintf(a->server, sizeof(a->server), "bawnd %s", bawn_version());
	memcpy(a->section, j->conn->socket->name, sizeof(a->section));
	j->conn->greeted = true;
	j->quiet = true;
}

static void fill_counts(struct vault *v, struct wire_status *s)
{
	uint64_t minute = now_s() / 60;
	struct ae_desk_state d;

	s->full = true;
	s->requests = atomic_load(&v->count.requests);
	s->quotes = atomic_load(&v->count.quotes);
	s->tokens = atomic_load(&v->count.tokens);
	s->launches = atomic_load(&v->count.launches);
	s->denied = atomic_load(&v->count.denied);
	s->limited = atomic_load(&v->count.limited);
	s->failed = atomic_load(&v->count.failed);
	s->epc_held = launch_held(v, UINT64_MAX, NULL);
	s->epc_limit = v->config->epc_total;
	pthread_rwlock_rdlock(&v->prov_lock);
	if (v->desk) {
		ae_desk_state(v->desk, &d);
		for (int i = 0; i < AE_ENCLAVES; i++)
			s->enclaves += d.enclave[i].resident;
	}
	pthread_rwlock_unlock(&v->prov_lock);
	pthread_mutex_lock(&v->lock);
	s->clients = v->gate_counters.clients;
	s->clients_max = v->gate_counters.clients_max;
	s->malformed = v->gate_counters.malformed;
	s->timeouts = v->gate_counters.timeouts + atomic_load(&v->count.timeouts);
	s->quotes_minute = (uint32_t)(minute == v->minute       ? v->last_minute_quotes
				      : minute == v->minute + 1 ? v->minute_quotes
								: 0);
	s->audit_count = v->anchor.head.count;
	s->audit_lost = v->anchor.lost;
	s->restarts = v->anchor.restarts;
	pthread_mutex_unlock(&v->lock);
}

static enum wire_state state_of(struct vault *v, char problem[WIRE_NOTE])
{
	enum wire_provisioning_state p = provision_state(v);
	enum wire_state s = WIRE_STATE_READY;
	char time[WIRE_NOTE], cannot[WIRE_NOTE];
	bool late = provision_time(v, time), none = provision_no_quotes(v, cannot);

	pthread_mutex_lock(&v->lock);
	snprintf(problem, WIRE_NOTE, "%s", v->problem);
	if (enclaves_quiesced(v, problem))
		s = WIRE_STATE_QUIESCED;
	else if (authority_entries_damaged(v->entries))
		text_printf(problem, WIRE_NOTE, "vault/%s cannot be read, so everything is refused: restore it, or "
			    "remove it and revoke anew, and restart", AUTHORITY_ENTRIES_FILE);
	else if (v->policy_info.code != WIRE_OK)
		text_printf(problem, WIRE_NOTE, "policy: %s", v->policy_info.problem);
	else if (v->anchor.failing)
		snprintf(problem, WIRE_NOTE, "the audit log cannot be written%s",
			 v->config->audit_required ? ", and nothing is given without it" : "");
	else if (v->anchor_problem[0])
		memcpy(problem, v->anchor_problem, WIRE_NOTE);
	else if (v->unkept[0])
		memcpy(problem, v->unkept, WIRE_NOTE);
	else if (none && v->desk && !problem[0])
		memcpy(problem, cannot, WIRE_NOTE);
	else if (late)
		memcpy(problem, time, WIRE_NOTE);
	if (!problem[0])
		ledger_problem(v, problem);
	if (s == WIRE_STATE_READY && problem[0])
		s = WIRE_STATE_DEGRADED;
	else if (s == WIRE_STATE_READY && p != WIRE_PROVISIONING_READY &&
		 p != WIRE_PROVISIONING_RENEWING && v->config->source != SOURCE_NONE)
		s = WIRE_STATE_STARTING;
	pthread_mutex_unlock(&v->lock);
	return s;
}

void status_fill(struct vault *v, struct wire_status *s, bool full)
{
	*s = (struct wire_status){ .emulated = v->emulated, .now = now_s(), .started = v->started };
	snprintf(s->device, sizeof(s->device), "%s", v->config->device);
	s->state = state_of(v, s->problem);
	pthread_rwlock_rdlock(&v->prov_lock);
	memcpy(s->fmspc, v->prov.fmspc, sizeof(s->fmspc));
	memcpy(s->root, v->prov.root, sizeof(s->root));
	s->pce_id = v->prov.pce_id;
	s->key_made = v->prov.key_made;
	s->certificate_expires = v->prov.expires;
	pthread_rwlock_unlock(&v->prov_lock);
	pthread_mutex_lock(&v->lock);
	memcpy(s->cpusvn, v->cpusvn, sizeof(s->cpusvn));
	s->pce_svn = v->pce_svn;
	s->qe_svn = v->qe_svn;
	s->tcb_status = v->tcb_status;
	s->collateral_expires = v->collateral_expires;
	pthread_mutex_unlock(&v->lock);
	if (full)
		fill_counts(v, s);
}

/* ---- quotes ---- */

/* An error of quote_ready: parked, or the answer. */
static bool must_wait(struct job *j, int rc, const struct bawn_error *e)
{
	if (rc && j->park == PARK_NOT) {
		job_fail(j, rc, e);
		/* Nothing is wrong with the request. */
		if (rc == BAWN_ERR_NOT_FOUND || rc == BAWN_ERR_BUSY) {
			j->answer.head.code = WIRE_UNAVAILABLE;
			j->answer.u.refusal.retry_ms = 5000;
		}
	}
	return rc != 0;
}

static void serve_target_info(struct vault *v, struct job *j)
{
	struct wire_target_info_answer *a = &j->answer.u.target_info;
	uint32_t key = j->native.u.target_info.key;
	struct bawn_error e = { 0 };
	size_t n = 0;
	int r;

	j->quiet = true;
	if (key == WIRE_KEY_PCE) {
		pthread_rwlock_rdlock(&v->prov_lock);
		r = v->desk ? ae_desk_pce_target(v->desk, &a->target, &e) : enclaves_none(&e);
		pthread_rwlock_unlock(&v->prov_lock);
		if (r)
			job_fail(j, r, &e);
		return;
	}
	if (key != WIRE_KEY_ECDSA_P256) {
		job_refuse(j, WIRE_UNSUPPORTED, 0, "no such attestation key");
		return;
	}
	r = quote_ready(v, j, &e);
	if (must_wait(j, r, &e))
		return;
	r = quote_size(v, &n, &e);
	pthread_rwlock_rdlock(&v->prov_lock);
	if (r == 0)
		r = ae_desk_target(v->desk, &a->target, &e);
	memcpy(a->key_id, v->prov.key_id, sizeof(a->key_id));
	pthread_rwlock_unlock(&v->prov_lock);
	a->quote_size = (uint32_t)n;
	if (r)
		job_fail(j, r, &e);
}

static void serve_quote(struct vault *v, struct job *j)
{
	const struct wire_quote *q = &j->native.u.quote;
	struct ae_quote_request request = {
		.report = &q->report,
		.nonce = q->want_report ? q->nonce : NULL,
		.target = q->want_report ? &q->app : NULL,
	};
	struct wire_quote_answer *a = &j->answer.u.quote;
	struct bawn_error e = { 0 };
	int r;

	if (q->key != WIRE_KEY_ECDSA_P256) {
		job_refuse(j, WIRE_UNSUPPORTED, 0, "no such attestation key");
		return;
	}
	r = quote_ready(v, j, &e);
	if (must_wait(j, r, &e))
		return;
	a->has_report = q->want_report;
	r = quote_make(v, &request, q->want_report ? &a->qe_report : NULL, &j->tail, &e);
	if (r)
		job_fail(j, r, &e);
	/* The enclave says no: the report is not this platform's, or not for it. */
	if (r == BAWN_ERR_DENIED)
		j->answer.head.code = WIRE_BAD_INPUT;
}

/* ---- the PCE ---- */

static void refused_by_enclave(struct job *j, int r, const struct bawn_error *e)
{
	job_fail(j, r, e);
	if (r == BAWN_ERR_DENIED)
		j->answer.head.code = WIRE_BAD_INPUT;
}

static void serve_certify(struct vault *v, struct job *j)
{
	const struct wire_certify *q = &j->native.u.certify;
	struct wire_certify_answer *a = &j->answer.u.certify;
	struct ae_tcb tcb = { .pce_isvsvn = q->pce_svn }, used;
	struct bawn_error e = { 0 };
	int r;

	memcpy(tcb.cpusvn, q->cpusvn, sizeof(tcb.cpusvn));
	pthread_rwlock_rdlock(&v->prov_lock);
	r = v->desk ? ae_desk_certify(v->desk, &q->report, &tcb, &used, a->signature, &e)
		    : enclaves_none(&e);
	if (r == 0) {
		a->pce_id = v->prov.pce_id;
		a->pce_svn = used.pce_isvsvn;
		/* The chain, if it is for that very key. */
		if (v->prov.has_chain && used.pce_isvsvn == v->prov.tcb.pce_isvsvn &&
		    memcmp(used.cpusvn, v->prov.tcb.cpusvn, sizeof(used.cpusvn)) == 0)
			buf_add(&j->tail, v->prov.chain, v->prov.chain_n);
	}
	pthread_rwlock_unlock(&v->prov_lock);
	if (r)
		refused_by_enclave(j, r, &e);
	else
		atomic_fetch_add(&v->count.certifications, 1);
}

static void serve_pce_info(struct vault *v, struct job *j)
{
	const struct wire_pce_info *q = &j->native.u.pce_info;
	struct wire_pce_info_answer *a = &j->answer.u.pce_info;
	struct bawn_error e = { 0 };
	struct ae_pce_info info;
	int r;

	_Static_assert(sizeof(q->key) == AE_PEK_BYTES && sizeof(a->ppid) == AE_PPID_CIPHER_BYTES,
		       "PCE_INFO");
	if (q->suite != AE_SUITE_RSA_OAEP_3072) {
		job_refuse(j, WIRE_UNSUPPORTED, 0, "no such cipher suite: 1 is RSA-OAEP-3072");
		return;
	}
	pthread_rwlock_rdlock(&v->prov_lock);
	r = v->desk ? ae_desk_pce_info(v->desk, &q->report, q->key, a->ppid, &info, &e)
		    : enclaves_none(&e);
	pthread_rwlock_unlock(&v->prov_lock);
	if (r) {
		refused_by_enclave(j, r, &e);
		return;
	}
	a->pce_id = info.id;
	a->pce_svn = info.isvsvn;
}

/* ---- launch tokens ---- */

static void serve_token(struct vault *v, struct job *j)
{
	const struct wire_token *q = &j->native.u.token;
	struct ae_identity who = { .attributes = { .flags = q->attributes, .xfrm = q->xfrm } };
	struct bawn_error e = { 0 };
	int r;

	memcpy(who.mrenclave, q->mrenclave, sizeof(who.mrenclave));
	memcpy(who.mrsigner, q->mrsigner, sizeof(who.mrsigner));
	pthread_rwlock_rdlock(&v->prov_lock);
	r = v->desk ? ae_desk_token(v->desk, &who, &j->answer.u.token.token, &e)
		    : enclaves_none(&e);
	pthread_rwlock_unlock(&v->prov_lock);
	if (r)
		refused_by_enclave(j, r, &e);
	else
		atomic_fetch_add(&v->count.tokens, 1);
}

/* ---- provisioning, collateral ---- */

/* A part of a bundle in sealed memory, as sealed memory of its own. */
static int part_fd(int fd, const struct role_fetched *f, uint32_t part, int *out, uint32_t *size,
		   struct bawn_error *e)
{
	uint64_t at = 0;
	uint8_t *p;
	int r;

	for (uint32_t i = 0; i < part; i++)
		at += f->part_size[i];
	*size = f->part_size[part];
	if (!*size)
		return err_set(e, BAWN_ERR_NOT_FOUND, "there is no such part of the collateral here");
	r = sealed_part(fd, at, *size, &p, e);
	if (r == 0)
		r = sealed_new("bawn-collateral", p, *size, out, e);
	free(p);
	return r;
}

static bool is_ours(struct vault *v, const struct wire_collateral *q)
{
	bool same;

	pthread_rwlock_rdlock(&v->prov_lock);
	same = q->tee == BAWN_TEE_SGX && !q->early && v->prov.has_chain &&
	       memcmp(q->fmspc, v->prov.fmspc, 6) == 0 && strcmp(q->ca, v->prov.ca) == 0;
	pthread_rwlock_unlock(&v->prov_lock);
	return same;
}

/* Where the courier looked is not the client's to know: the log has it, and the record. */
static void no_collateral(struct job *j)
{
	const struct wire_collateral *q = &j->native.u.collateral;
	enum wire_code code = (enum wire_code)j->fetched->code;
	char fmspc[13];

	hex_encode(q->fmspc, sizeof(q->fmspc), fmspc);
	vault_remark("collateral for FMSPC %s, which uid %u asked for: %s", fmspc, j->conn->uid, j->fetched->problem);
	memcpy(j->note, j->fetched->problem, sizeof(j->note));
	if (code == WIRE_OK || code == WIRE_NOT_FOUND)
		job_refuse(j, WIRE_NOT_FOUND, 0, "there is no collateral for FMSPC %s%s%s here", fmspc,
			   q->ca[0] ? " and CA " : "", q->ca);
	else /* nothing is wrong with what was asked */
		job_refuse(j, code == WIRE_BUSY || code == WIRE_UNAVAILABLE ? code : WIRE_FAILED, 0,
			   "the collateral cannot be had: the log of the service has why");
}

static void serve_collateral(struct vault *v, struct job *j)
{
	struct wire_collateral_answer *a = &j->answer.u.collateral;
	uint32_t part = j->native.u.collateral.part;
	struct bawn_error e = { 0 };
	int r = BAWN_ERR_BUSY;

	if (part >= WIRE_COLLATERAL_PARTS) {
		job_refuse(j, WIRE_UNSUPPORTED, 0, "no such part");
		return;
	}
	if (j->fetched && j->fetched->code == WIRE_OK && j->fetched_fd >= 0) {
		a->fetched = j->fetched->fetched;
		r = part_fd(j->fetched_fd, j->fetched, part, &j->answer_fd, &a->size, &e);
	} else if (j->fetched) {
		no_collateral(j);
		return;
	} else if (is_ours(v, &j->native.u.collateral)) {
		pthread_mutex_lock(&v->lock);
		if (v->bundle >= 0) {
			a->fetched = v->bundle_info.fetched;
			r = part_fd(v->bundle, &v->bundle_info, part, &j->answer_fd, &a->size, &e);
		}
		pthread_mutex_unlock(&v->lock);
	}
	if (r == BAWN_ERR_BUSY) /* another platform's: the courier has it, or gets it */
		j->park = PARK_FETCHED;
	else if (r)
		job_fail(j, r, &e);
}

static void serve_provisioning(struct vault *v, struct job *j)
{
	if (j->native.head.type == WIRE_PROVISION_NOW)
		provision_now(v, j->native.u.provision_now.what);
	else
		j->quiet = true;
	provision_fill(v, &j->answer.u.provisioning);
}

void native_serve(struct vault *v, struct job *j)
{
	switch (j->native.head.type) {
	case WIRE_HELLO:
		serve_hello(v, j);
		break;
	case WIRE_STATUS:
		j->quiet = true;
		status_fill(v, &j->answer.u.status, job_may(v, j, WIRE_OP_ADMINISTER));
		break;
	case WIRE_TARGET_INFO:
		serve_target_info(v, j);
		break;
	case WIRE_QUOTE:
		serve_quote(v, j);
		break;
	case WIRE_CERTIFY:
		serve_certify(v, j);
		break;
	case WIRE_PCE_INFO:
		serve_pce_info(v, j);
		break;
	case WIRE_TOKEN:
		serve_token(v, j);
		break;
	case WIRE_COLLATERAL:
		serve_collateral(v, j);
		break;
	case WIRE_PROVISIONING:
	case WIRE_PROVISION_NOW:
		serve_provisioning(v, j);
		break;
	default:
		job_refuse(j, WIRE_UNSUPPORTED, 0, "no such request");
	}
}
