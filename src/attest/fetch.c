/* The client of a PCS or PCCS, version 4 of their API. What it brings is verified by others. */
#include "attest/attest.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_TRIES 3u
#define FIRST_WAIT_MS 500u
#define LONGEST_WAIT_MS 60000u /* a server that asks for more is given up */
#define URL_MAX 2048 /* an encrypted PPID alone has 768 digits */

/* ---- one request, repeated while there is hope ---- */

static void sleep_ms(uint64_t ms)
{
	struct timespec t = { .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/* What the server asks for (RFC 9110 section 10.2.3, seconds alone), else twice as long each time. */
static uint64_t wait_ms(const struct http_reader *r, unsigned attempt)
{
	uint64_t ms = (uint64_t)FIRST_WAIT_MS << (attempt < 7 ? attempt : 7), seconds = 0;
	uint8_t jitter = 0;
	struct cur c;

	crypto_random(&jitter, 1, NULL); /* clients that failed together should not return together */
	if (!r || http_header(r, "Retry-After", &c) != 1 || !c.n || c.n > 6)
		return ms + jitter;
	for (size_t i = 0; i < c.n; i++) {
		if (c.p[i] < '0' || c.p[i] > '9')
			return ms + jitter;
		seconds = seconds * 10 + (c.p[i] - '0');
	}
	return seconds * 1000 + jitter;
}

static int bad_status(const struct http_reader *r, const char *url, struct bawn_error *e)
{
	struct cur where;

	if (r->status == 404)
		return err_set(e, BAWN_ERR_NOT_FOUND, "the server has none (404): %.110s", url);
	/* Of old evaluations Intel's says this. */
	if (r->status == 410)
		return err_set(e, BAWN_ERR_NOT_FOUND, "the server has it no longer (410): %.100s", url);
	if (r->status == 401 || r->status == 403)
		return err_set(e, BAWN_ERR_DENIED, "the server refuses (%u): %.110s", r->status, url);
	if (r->status / 100 == 3 && http_header(r, "Location", &where))
		return err_set(e, BAWN_ERR_NETWORK, "redirected to %.*s; give the right URL",
			       where.n < 90 ? (int)where.n : 90, (const char *)where.p);
	return err_set(e, BAWN_ERR_NETWORK, "status %u from %.110s", r->status, url);
}

/* 200 and its response, which is then the caller's to free. */
static int get(const struct attest_source *s, const char *url, struct http_reader *r,
	       struct bawn_error *e)
{
	unsigned tries = s->tries ? s->tries : DEFAULT_TRIES;
	struct cur warning;

	for (unsigned i = 0;; i++) {
		struct bawn_error why = { 0 };
		int rc = http_get(url, &s->http, r, &why);
		bool again = rc ? rc == BAWN_ERR_NETWORK : r->status == 429 || r->status >= 500;
		uint64_t wait = wait_ms(rc ? NULL : r, i);

		if (rc == 0 && r->status == 200) {
			if (http_header(r, "Warning", &warning))
				log_msg(LOG_WARN, "%.60s says: %.*s", s->url,
					warning.n < 200 ? (int)warning.n : 200, (const char *)warning.p);
			return 0;
		}
		if (rc == 0) {
			rc = bad_status(r, url, &why);
			http_reader_free(r);
		}
		if (!again || i + 1 >= tries || wait > LONGEST_WAIT_MS)
			return err_set(e, why.code, "%s", why.msg);
		log_msg(LOG_INFO, "%s; trying again in %llu ms", why.msg, (unsigned long long)wait);
		sleep_ms(wait);
	}
}

/* ---- parts ---- */

/* A chain, as percent-encoded PEM in a header field. */
static int put_chain(const struct http_reader *r, const char *field, struct attest_bundle *out,
		     enum attest_part part, struct bawn_error *e)
{
	struct cur value;
	struct buf pem;
	int rc;

	if (http_header(r, field, &value) != 1)
		return err_set(e, BAWN_ERR_FORMAT, "the response has no (or more than one) %s", field);
	buf_init(&pem, ATTEST_CHAIN_TEXT_MAX);
	if (http_percent_decode(value, &pem))
		rc = attest_bundle_put(out, part, pem.p, pem.n, e);
	else
		rc = err_set(e, BAWN_ERR_FORMAT, "%s is not percent-encoded text", field);
	buf_free(&pem);
	return rc;
}

static int put_crl(const struct http_reader *r, struct attest_bundle *out, enum attest_part part,
		   struct bawn_error *e)
{
	const uint8_t *der;
	bool owned;
	size_t n;
	int rc = attest_crl_decode(r->body.p, r->body.n, &der, &n, &owned, e);

	if (rc)
		return rc;
	rc = attest_bundle_put(out, part, der, n, e);
	if (owned)
		free((uint8_t *)der);
	return rc;
}

static int make_url(const struct attest_source *s, const char *tee, char url[URL_MAX],
		    struct bawn_error *e, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static int make_url(const struct attest_source *s, const char *tee, char url[URL_MAX],
		    struct bawn_error *e, const char *fmt, ...)
{
	size_t base = strlen(s->url);
	va_list ap;
	int n, m;

	while (base && s->url[base - 1] == '/')
		base--;
	n = snprintf(url, URL_MAX, "%.*s/%s/certification/v4/", base < 600 ? (int)base : 600, s->url, tee);
	va_start(ap, fmt);
	m = vsnprintf(url + n, URL_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	if (base > 600 || m < 0 || n + m >= URL_MAX)
		return err_set(e, BAWN_ERR_USAGE, "the URL is too long");
	return 0;
}

/* TCB info or QE identity: a JSON body, and its signers in a field. */
static int fetch_signed(const struct attest_source *s, const struct attest_key *k, bool tcb,
			struct attest_bundle *out, struct bawn_error *e)
{
	const char *tee = k->tee == BAWN_TEE_TDX ? "tdx" : "sgx";
	enum attest_part part = tcb ? ATTEST_PART_TCB_INFO : ATTEST_PART_QE_IDENTITY;
	char url[URL_MAX], fmspc[13], which[40];
	struct http_reader r;
	int rc;

	if (s->evaluation)
		snprintf(which, sizeof(which), "tcbEvaluationDataNumber=%u", s->evaluation);
	else
		snprintf(which, sizeof(which), "update=%s", k->early ? "early" : "standard");
	hex_encode(k->fmspc, 6, fmspc);
	rc = tcb ? make_url(s, tee, url, e, "tcb?fmspc=%s&%s", fmspc, which) :
		   make_url(s, tee, url, e, "qe/identity?%s", which);
	if (rc == 0)
		rc = get(s, url, &r, e);
	if (rc)
		return rc;
	rc = attest_bundle_put(out, part, r.body.p, r.body.n, e);
	if (rc == 0)
		rc = put_chain(&r, tcb ? "TCB-Info-Issuer-Chain" : "SGX-Enclave-Identity-Issuer-Chain", out,
			       tcb ? ATTEST_PART_TCB_CHAIN : ATTEST_PART_QE_CHAIN, e);
	http_reader_free(&r);
	return rc;
}

static int fetch_pck_crl(const struct attest_source *s, const struct attest_key *k,
			 struct attest_bundle *out, struct bawn_error *e)
{
	char url[URL_MAX];
	struct http_reader r;
	int rc = make_url(s, "sgx", url, e, "pckcrl?ca=%s&encoding=der", *k->ca ? k->ca : "platform");

	if (rc == 0)
		rc = get(s, url, &r, e);
	if (rc)
		return rc;
	rc = put_crl(&r, out, ATTEST_PART_PCK_CRL, e);
	if (rc == 0)
		rc = put_chain(&r, "SGX-PCK-CRL-Issuer-Chain", out, ATTEST_PART_PCK_CRL_CHAIN, e);
	http_reader_free(&r);
	return rc;
}

bool attest_x509_crl_url(struct cur der, char *url, size_t max)
{
	static const uint8_t oid[] = { 0x55, 0x1d, 0x1f };
	struct cur key, extensions, value, points, point, name, full, uri;

	if (!attest_x509_read(der, &key, &extensions) ||
	    !attest_x509_extension(extensions, oid, sizeof(oid), &value) || !value.p ||
	    !der_get(&value, DER_SEQUENCE, &points))
		return false;
	while (der_get(&points, DER_SEQUENCE, &point)) {
		if (!der_get(&point, 0xa0, &name) || !der_get(&name, 0xa0, &full))
			continue;
		while (full.n) {
			uint8_t tag;

			if (!der_any(&full, &tag, &uri))
				return false;
			if (tag != 0x86 || uri.n >= max || memchr(uri.p, 0, uri.n))
				continue;
			memcpy(url, uri.p, uri.n);
			url[uri.n] = '\0';
			return true;
		}
	}
	return false;
}

/* The root is the last certificate of the CRL's chain; it must be the anchor before it is heard. */
static int root_crl_url(const struct attest_anchor *anchor, const struct attest_bundle *got,
			char url[URL_MAX], struct bawn_error *e)
{
	const struct attest_file *f = &got->part[ATTEST_PART_PCK_CRL_CHAIN];
	struct attest_chain *chain = malloc(sizeof(*chain));
	enum bawn_reason reason;
	int rc;

	if (!chain)
		return err_nomem(e);
	rc = attest_chain_parse(f->p, f->n, chain, e);
	if (rc == 0)
		rc = attest_chain_verify(chain, ATTEST_ROLE_PCK_CA, anchor, NULL, &reason, e);
	if (rc == 0) /* name and key alone make it the anchor; what else it says, it must have signed */
		rc = attest_cert_verify(&chain->cert[chain->count - 1], anchor->key, e);
	if (rc)
		err_context(e, "SGX-PCK-CRL-Issuer-Chain");
	else if (!attest_x509_crl_url(chain->cert[chain->count - 1].der, url, URL_MAX))
		rc = err_set(e, BAWN_ERR_FORMAT,
			     "the root certificate does not tell where its revocation list is; try --pccs");
	free(chain);
	return rc;
}

static int fetch_root_crl(const struct attest_source *s, const struct attest_anchor *anchor,
			  struct attest_bundle *out, struct bawn_error *e)
{
	char url[URL_MAX];
	struct http_reader r;
	int rc = s->pccs ? make_url(s, "sgx", url, e, "rootcacrl") : root_crl_url(anchor, out, url, e);

	if (rc == 0)
		rc = get(s, url, &r, e);
	if (rc)
		return rc;
	rc = put_crl(&r, out, ATTEST_PART_ROOT_CRL, e);
	http_reader_free(&r);
	return rc;
}

int attest_fetch(const struct attest_source *s, const struct attest_anchor *anchor,
		 const struct attest_key *k, struct attest_bundle *out, struct bawn_error *e)
{
	int rc;

	*out = (struct attest_bundle){ 0 };
	rc = fetch_pck_crl(s, k, out, e);
	if (rc == 0)
		rc = fetch_root_crl(s, anchor, out, e);
	if (rc == 0)
		rc = fetch_signed(s, k, true, out, e);
	if (rc == 0)
		rc = fetch_signed(s, k, false, out, e);
	if (rc)
		attest_bundle_free(out);
	return rc;
}

int attest_fetch_pck(const struct attest_source *s, const struct attest_pck_query *q,
		     struct attest_bundle *out, struct bawn_error *e)
{
	char url[URL_MAX], ppid[2 * 384 + 1], cpusvn[33], qe_id[33], query[900];
	struct http_reader r;
	struct cur issuers;
	struct buf chain;
	int rc;

	*out = (struct attest_bundle){ 0 };
	hex_encode(q->encrypted_ppid, 384, ppid);
	hex_encode(q->cpusvn, 16, cpusvn);
	hex_encode(q->qe_id, 16, qe_id);
	/* A PCCS knows platforms by their QE_ID and may do without the PPID; a PCS does the opposite. */
	if (s->pccs)
		snprintf(query, sizeof(query), "qeid=%s%s%s", qe_id, q->has_ppid ? "&encrypted_ppid=" : "",
			 q->has_ppid ? ppid : "");
	else
		snprintf(query, sizeof(query), "encrypted_ppid=%s", ppid);
	if (!s->pccs && !q->has_ppid)
		return err_set(e, BAWN_ERR_USAGE, "a PCS tells platforms by their encrypted PPID, and there is none: "
			       "ppid-key-file is needed");
	/* Security versions are written low byte first. */
	rc = make_url(s, "sgx", url, e, "pckcert?%s&cpusvn=%s&pcesvn=%02x%02x&pceid=%02x%02x", query,
		      cpusvn, q->pcesvn & 0xff, q->pcesvn >> 8, q->pce_id & 0xff, q->pce_id >> 8);
	if (rc == 0)
		rc = get(s, url, &r, e);
	if (rc)
		return rc;
	buf_init(&chain, 3 * ATTEST_CHAIN_TEXT_MAX);
	buf_add(&chain, r.body.p, r.body.n);
	if (r.body.n && r.body.p[r.body.n - 1] != '\n')
		buf_add(&chain, "\n", 1);
	if (http_header(&r, "SGX-PCK-Certificate-Issuer-Chain", &issuers) != 1)
		rc = err_set(e, BAWN_ERR_FORMAT, "the response has no SGX-PCK-Certificate-Issuer-Chain");
	else if (!http_percent_decode(issuers, &chain) || chain.failed)
		rc = err_set(e, BAWN_ERR_FORMAT,
			     "SGX-PCK-Certificate-Issuer-Chain is not percent-encoded text");
	else
		rc = attest_bundle_put(out, ATTEST_PART_PCK_CHAIN, chain.p, chain.n, e);
	buf_free(&chain);
	http_reader_free(&r);
	if (rc)
		attest_bundle_free(out);
	return rc;
}
