/* Quotes: the attestation key, its certificate and the quoting enclave, put together. */
#include "daemon/vault.h"

#include <stdlib.h>
#include <string.h>

#define QUOTE_MAX (32u << 10)

static struct ae_certification certification(const struct provisioning *p)
{
	return (struct ae_certification){ .type = AE_CERTIFIED_PCK_CHAIN, .data = p->chain,
					  .n = p->chain_n };
}

/* Under prov_lock. */
static bool have_all(const struct vault *v)
{
	return v->desk && v->prov.has_key && v->prov.has_chain;
}

int quote_ready(struct vault *v, struct job *j, struct bawn_error *e)
{
	char text[WIRE_NOTE];
	bool ready, hope, closed;

	pthread_rwlock_rdlock(&v->prov_lock);
	ready = have_all(v);
	pthread_rwlock_unlock(&v->prov_lock);
	pthread_mutex_lock(&v->lock);
	closed = enclaves_quiesced(v, text);
	/* Worth waiting for: something was asked for and nothing has gone wrong yet. */
	hope = v->config->source != SOURCE_NONE && !v->problem[0];
	pthread_mutex_unlock(&v->lock);
	if (closed)
		return err_set(e, BAWN_ERR_BUSY, "%s", text);
	if (ready)
		return 0;
	if (hope) {
		j->park = PARK_PROVISIONED;
		return BAWN_ERR_BUSY;
	}
	if (v->config->source == SOURCE_NONE)
		return err_set(e, BAWN_ERR_NOT_FOUND, "no certificate for this platform: say where from "
			       "with \"collateral =\" in bawnd.conf");
	/* Where the courier looked is for those to know who may see the status. */
	if (!job_may(v, j, WIRE_OP_STATUS))
		return err_set(e, BAWN_ERR_NOT_FOUND, "no certificate for this platform yet: the log of the service has why");
	pthread_mutex_lock(&v->lock);
	err_set(e, BAWN_ERR_NOT_FOUND, "no certificate for this platform yet: %s", v->problem);
	pthread_mutex_unlock(&v->lock);
	return BAWN_ERR_NOT_FOUND;
}

int quote_size(struct vault *v, size_t *n, struct bawn_error *e)
{
	struct ae_certification c;

	pthread_rwlock_rdlock(&v->prov_lock);
	c = certification(&v->prov);
	*n = ae_quote_size(&c);
	pthread_rwlock_unlock(&v->prov_lock);
	return *n ? 0 : err_set(e, BAWN_ERR_UNSUPPORTED, "the certificate's chain is too long");
}

/* The quoting enclave sealed the key anew (the TCB has risen): keep that. */
static void keep_blob(struct vault *v, const uint8_t before[AE_QE_BLOB_BYTES],
		      const uint8_t after[AE_QE_BLOB_BYTES])
{
	bool same;

	pthread_rwlock_wrlock(&v->prov_lock);
	/* Unless there is another key by now. */
	same = ct_equal(v->prov.blob, before, AE_QE_BLOB_BYTES);
	if (same)
		memcpy(v->prov.blob, after, AE_QE_BLOB_BYTES);
	pthread_rwlock_unlock(&v->prov_lock);
	if (!same)
		return;
	pthread_mutex_lock(&v->lock);
	/* The first thread writes it, and sees whether it is certified as high as it is now. */
	v->resealed = v->unchecked = true;
	v->next_try = 0;
	pthread_mutex_unlock(&v->lock);
}

int quote_make(struct vault *v, const struct ae_quote_request *q, struct isa_report *qe_report,
	       struct buf *out, struct bawn_error *e)
{
	uint8_t blob[AE_QE_BLOB_BYTES], before[AE_QE_BLOB_BYTES];
	struct ae_quote_request request = *q;
	struct ae_certification c;
	uint64_t start = clock_ns();
	bool resealed = false;
	uint8_t *quote;
	size_t n;
	int r;

	pthread_rwlock_rdlock(&v->prov_lock);
	if (!have_all(v)) {
		pthread_rwlock_unlock(&v->prov_lock);
		return err_set(e, BAWN_ERR_NOT_FOUND, "no certificate for this platform");
	}
	memcpy(blob, v->prov.blob, sizeof(blob));
	memcpy(before, blob, sizeof(blob));
	c = certification(&v->prov);
	request.certification = &c;
	n = ae_quote_size(&c);
	quote = n && n <= QUOTE_MAX ? malloc(n) : NULL;
	r = quote ? ae_desk_quote(v->desk, blob, &resealed, &request, qe_report, quote, n, e)
		  : err_nomem(e);
	pthread_rwlock_unlock(&v->prov_lock);
	if (r == 0) {
		buf_add(out, quote, n);
		r = out->failed ? err_nomem(e) : 0;
	}
	free(quote);
	if (r == 0 && resealed)
		keep_blob(v, before, blob);
	/* The enclave's own refusal tells nothing of us. */
	if (r && r != BAWN_ERR_DENIED && r != BAWN_ERR_BUSY)
		provision_look(v);
	if (r == 0) {
		uint64_t minute = now_s() / 60;

		atomic_fetch_add(&v->count.quotes, 1);
		atomic_fetch_add(&v->count.quote_ns, clock_ns() - start);
		pthread_mutex_lock(&v->lock);
		if (v->minute != minute) {
			v->last_minute_quotes = v->minute + 1 == minute ? v->minute_quotes : 0;
			v->minute_quotes = 0;
			v->minute = minute;
		}
		v->minute_quotes++;
		pthread_mutex_unlock(&v->lock);
	}
	return r;
}
