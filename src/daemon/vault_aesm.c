/*
 * Intel's AESM protocol. Its clients get from us what they got from Intel's
 * service, except what only Intel's EPID servers could give; doc/AESM.md has
 * each call and each answer.
 */
#include "daemon/vault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- attestation keys ---- */

#define OURS 2

/*
 * The ids that mean our key: its own, and that of Intel's quoting enclave,
 * which is all that some clients know (Gramine) and in whose place ours stands.
 */
static int own_key_ids(struct vault *v, uint8_t out[OURS][AESM_KEY_ID], struct bawn_error *e)
{
	struct bawn_enclave_info i;
	bool known;
	int r = 0;

	pthread_mutex_lock(&v->lock);
	known = v->qe_known;
	pthread_mutex_unlock(&v->lock);
	if (!known) {
		pthread_rwlock_rdlock(&v->prov_lock);
		r = v->desk ? ae_desk_enclave(v->desk, AE_QUOTE, &i, e) : enclaves_none(e);
		pthread_rwlock_unlock(&v->prov_lock);
	}
	if (r)
		return r;
	pthread_mutex_lock(&v->lock);
	aesm_key_id(v->qe_mrsigner, v->qe_product, out[0]);
	pthread_mutex_unlock(&v->lock);
	aesm_key_id(aesm_intel_qe3_signer, 1, out[1]);
	return 0;
}

/* What an enclave refuses is for the request's own sake, not by the owner's word. */
static void not_by_policy(struct job *j, int r)
{
	if (r == BAWN_ERR_DENIED)
		j->answer.head.code = WIRE_BAD_INPUT;
}

static void fail(struct job *j, int r, const struct bawn_error *e)
{
	/* A certificate that is not there yet has a number of its own. */
	if (j->park != PARK_NOT)
		return;
	job_fail(j, r, e);
	not_by_policy(j, r);
	if (r == BAWN_ERR_NOT_FOUND)
		j->response.error = AESM_ERR_NO_CERTIFICATE;
	else if (r == BAWN_ERR_BUSY)
		j->response.error = AESM_ERR_BUSY;
}

static void answer_error(struct job *j, enum aesm_error code)
{
	j->response.error = code;
}

static bool has(const struct job *j, unsigned field)
{
	return j->aesm->has & 1u << field;
}

/* Is the key that is asked for ours? Without one it is the default, which is the only one. */
static bool our_key(struct vault *v, struct job *j, unsigned field)
{
	uint8_t ours[OURS][AESM_KEY_ID];
	struct bawn_error e = { 0 };
	int r;

	if (!has(j, field))
		return true;
	r = own_key_ids(v, ours, &e);
	if (r) {
		fail(j, r, &e);
		return false;
	}
	for (int i = 0; i < OURS; i++)
		if (aesm_key_id_equal(j->aesm->key_id, ours[i]))
			return true;
	answer_error(j, AESM_ERR_KEY_ID);
	return false;
}

static void serve_key_count(struct job *j)
{
	j->response.has_number = true;
	j->response.number = 1;
}

/* The ids alone, one after another: no head in front of them, unlike in the list of a selection. */
static void serve_key_ids(struct vault *v, struct job *j)
{
	uint8_t ours[OURS][AESM_KEY_ID];
	struct bawn_error e = { 0 };
	int r = own_key_ids(v, ours, &e);

	if (r) {
		fail(j, r, &e);
		return;
	}
	if (j->aesm->buf_size < AESM_KEY_ID) {
		answer_error(j, AESM_ERR_PARAMETER);
		return;
	}
	memcpy(j->scratch, ours[0], AESM_KEY_ID);
	j->response.first = cur_make(j->scratch, AESM_KEY_ID);
}

static void serve_select(struct vault *v, struct job *j)
{
	uint8_t ours[OURS][AESM_KEY_ID];
	struct bawn_error e = { 0 };
	enum aesm_error code;
	int r = own_key_ids(v, ours, &e);

	if (r) {
		fail(j, r, &e);
		return;
	}
	code = aesm_select(j->aesm->blob, j->aesm->blob_size, (const uint8_t(*)[AESM_KEY_ID])ours, OURS,
			   j->scratch);
	if (code == AESM_OK)
		j->response.first = cur_make(j->scratch, AESM_KEY_ID);
	else
		answer_error(j, code);
}

/* ---- quotes ---- */

static void serve_init_ex(struct vault *v, struct job *j)
{
	struct bawn_error e = { 0 };
	struct isa_targetinfo t = { 0 };
	int r;

	if (!our_key(v, j, 1))
		return;
	/* Without want_key_id only the size is asked for, and the target is zeros. */
	if (j->aesm->want_key_id) {
		if (j->aesm->buf_size != 32) {
			answer_error(j, AESM_ERR_PARAMETER);
			return;
		}
		r = quote_ready(v, j, &e);
		if (r == 0) {
			pthread_rwlock_rdlock(&v->prov_lock);
			r = ae_desk_target(v->desk, &t, &e);
			memcpy(j->scratch + sizeof(t), v->prov.key_id, 32);
			pthread_rwlock_unlock(&v->prov_lock);
		}
		if (r) {
			fail(j, r, &e);
			return;
		}
		j->response.second = cur_make(j->scratch + sizeof(t), 32);
	}
	memcpy(j->scratch, &t, sizeof(t));
	j->response.first = cur_make(j->scratch, sizeof(t));
	j->response.has_number = true;
	j->response.number = 32;
}

static void serve_size_ex(struct vault *v, struct job *j)
{
	struct bawn_error e = { 0 };
	size_t n;
	int r;

	if (!our_key(v, j, 1))
		return;
	r = quote_ready(v, j, &e);
	if (r == 0)
		r = quote_size(v, &n, &e);
	if (r) {
		fail(j, r, &e);
		return;
	}
	j->response.has_number = true;
	j->response.number = n;
}

/* qe_report_info: nonce 16, the application's TARGETINFO 512, the QE's REPORT 432 */
#define INFO_REPORT (16 + sizeof(struct isa_targetinfo))
#define INFO_BYTES (INFO_REPORT + sizeof(struct isa_report))

static void serve_quote_ex(struct vault *v, struct job *j)
{
	const struct aesm_request *q = j->aesm;
	bool info = has(j, 3);
	struct ae_quote_request request = {
		.report = &q->report,
		.nonce = info ? q->info_nonce : NULL,
		.target = info ? &q->info_target : NULL,
	};
	struct isa_report qe_report;
	struct bawn_error e = { 0 };
	size_t n = 0;
	int r;

	if (!our_key(v, j, 2))
		return;
	r = quote_ready(v, j, &e);
	if (r == 0)
		r = quote_size(v, &n, &e);
	if (r == 0 && (q->buf_size < n || q->buf_size > WIRE_TAIL_MAX)) {
		answer_error(j, AESM_ERR_PARAMETER);
		return;
	}
	if (r == 0)
		r = quote_make(v, &request, info ? &qe_report : NULL, &j->tail, &e);
	if (r) {
		fail(j, r, &e);
		if (r == BAWN_ERR_DENIED)
			j->response.error = AESM_ERR_REPORT;
		return;
	}
	/* Padded to what the caller has room for; the quote's own length tells where it ends. */
	while (j->tail.n < q->buf_size && !j->tail.failed)
		buf_add(&j->tail, (const uint8_t[64]){ 0 },
			q->buf_size - j->tail.n < 64 ? (size_t)q->buf_size - j->tail.n : 64);
	if (j->tail.failed) {
		answer_error(j, AESM_ERR_MEMORY);
		return;
	}
	j->response.first = cur_make(j->tail.p, j->tail.n);
	if (info) {
		memcpy(j->scratch, q->info_nonce, 16);
		memcpy(j->scratch + 16, &q->info_target, sizeof(q->info_target));
		memcpy(j->scratch + INFO_REPORT, &qe_report, sizeof(qe_report));
		j->response.second = cur_make(j->scratch, INFO_BYTES);
	}
}

/* ---- launch tokens ---- */

static void serve_token(struct vault *v, struct job *j)
{
	struct ae_identity who = { .attributes = j->aesm->attributes };
	struct isa_einittoken token;
	struct bawn_error e = { 0 };
	int r;

	memcpy(who.mrenclave, j->aesm->mrenclave, sizeof(who.mrenclave));
	crypto_sha256(j->aesm->modulus, sizeof(j->aesm->modulus), who.mrsigner);
	pthread_rwlock_rdlock(&v->prov_lock);
	r = v->desk ? ae_desk_token(v->desk, &who, &token, &e) : enclaves_none(&e);
	pthread_rwlock_unlock(&v->prov_lock);
	if (r) {
		job_fail(j, r, &e);
		not_by_policy(j, r);
		j->response.error = r == BAWN_ERR_DENIED      ? AESM_ERR_LAUNCH_TOKEN
				    : r == BAWN_ERR_NOT_FOUND ? AESM_ERR_UNAVAILABLE
							      : aesm_error_of(r);
		return;
	}
	atomic_fetch_add(&v->count.tokens, 1);
	memcpy(j->scratch, &token, sizeof(token));
	j->response.first = cur_make(j->scratch, sizeof(token));
}

/* ---- white lists ---- */

static void serve_list(struct vault *v, struct job *j)
{
	struct bawn_error e = { 0 };

	buf_free(&j->tail);
	buf_init(&j->tail, AE_WHITE_LIST_MAX);
	j->quiet = true;
	if (lists_get(v, LIST_LAUNCH, &j->tail, &e)) {
		answer_error(j, AESM_ERR_INTERFACE);
	} else if (j->aesm->type == AESM_GET_WHITE_LIST_SIZE) {
		j->response.has_number = true;
		j->response.number = j->tail.n;
	} else if (j->aesm->list_size < j->tail.n) {
		answer_error(j, AESM_ERR_PARAMETER);
	} else {
		j->response.first = cur_make(j->tail.p, j->tail.n);
	}
}

static void serve_register(struct vault *v, struct job *j)
{
	struct bawn_error e = { 0 };
	struct ae_white_list list;
	int r;

	if (j->aesm->data_type != 0) {
		answer_error(j, AESM_ERR_PARAMETER);
		return;
	}
	r = lists_register(v, j->aesm->blob, j->aesm->blob_size, &list, &e);
	if (r == 0) {
		snprintf(j->note, sizeof(j->note), "white list of type %u, version %u: %u signers", list.type,
			 list.version, list.count);
		return;
	}
	job_fail(j, r, &e);
	not_by_policy(j, r);
	/* Nor by policy's number, which is 6. */
	if (r == BAWN_ERR_DENIED)
		answer_error(j, AESM_ERR_PARAMETER);
}

void aesm_serve(struct vault *v, struct job *j)
{
	if (j->aesm->flaw) {
		answer_error(j, (enum aesm_error)j->aesm->flaw);
		return;
	}
	switch (j->aesm->type) {
	case AESM_INIT_QUOTE_EX:
		j->quiet = true;
		serve_init_ex(v, j);
		break;
	case AESM_GET_QUOTE_SIZE_EX:
		j->quiet = true;
		serve_size_ex(v, j);
		break;
	case AESM_GET_QUOTE_EX:
		serve_quote_ex(v, j);
		break;
	case AESM_SELECT_KEY:
		j->quiet = true;
		serve_select(v, j);
		break;
	case AESM_KEY_COUNT:
		j->quiet = true;
		serve_key_count(j);
		break;
	case AESM_KEY_IDS:
		j->quiet = true;
		serve_key_ids(v, j);
		break;
	case AESM_GET_LAUNCH_TOKEN:
		serve_token(v, j);
		break;
	case AESM_GET_EXTENDED_GROUP:
		/* Group 0: Intel's own, the only one there is without extended groups. */
		j->response.has_number = true;
		j->response.number = 0;
		break;
	case AESM_SWITCH_EXTENDED_GROUP:
		if (j->aesm->group != 0)
			answer_error(j, AESM_ERR_UNEXPECTED);
		break;
	case AESM_GET_WHITE_LIST_SIZE:
	case AESM_GET_WHITE_LIST:
		serve_list(v, j);
		break;
	case AESM_REGISTER:
		serve_register(v, j);
		break;
	default:
		/*
		 * InitQuote, GetQuote, attestation errors: Intel's EPID servers are needed,
		 * and gone. For good, so not by "unavailable", at which clients try again.
		 */
		answer_error(j, AESM_ERR_INTERFACE);
	}
}
