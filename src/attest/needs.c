/* What it takes to verify a quote, read from the quote alone. */
#include "attest/attest.h"

#include <string.h>

/* PPID (16, 256 or 384 bytes), CPUSVN, PCESVN, PCE id. The last is missing from some. */
static void read_ppid(const struct attest_quote *q, struct bawn_quote_needs *out)
{
	static const size_t ppid_size[] = { 0, 16, 256, 384 };
	struct cur c = q->cert_data, ppid;

	if (!cur_sub(&c, ppid_size[q->cert_type], &ppid) || !cur_bytes(&c, out->cpusvn, sizeof(out->cpusvn)) ||
	    !cur_le16(&c, &out->pcesvn))
		return;
	out->ppid = (struct bawn_bytes){ ppid.p, ppid.n };
	out->has_tcb = true;
	cur_bytes(&c, out->pce_id, sizeof(out->pce_id));
}

/* The first certificate of a chain, or the only one. */
static int read_certificate(const struct attest_quote *q, struct bawn_quote_needs *out, struct bawn_error *e)
{
	struct cur text = q->cert_data;
	const uint8_t *der = text.p;
	uint8_t buf[ATTEST_CERT_MAX];
	struct attest_cert cert;
	struct attest_pck pck;
	size_t n = text.n;
	char issuer[64];
	int r;

	if (!n || der[0] != DER_SEQUENCE) {
		r = attest_pem_next(&text, "CERTIFICATE", buf, sizeof(buf), &n, e);
		if (r <= 0)
			return r ? r : err_set(e, BAWN_ERR_FORMAT, "the quote's certification data has no certificate");
		der = buf;
	}
	r = attest_cert_parse(der, n, &cert, e);
	if (!r && !cert.sgx_extension.p)
		r = err_set(e, BAWN_ERR_FORMAT, "the PCK certificate has no SGX extension");
	if (!r)
		r = attest_pck_parse(cert.sgx_extension, &pck, e);
	if (r)
		return r;
	out->has_pck = true;
	memcpy(out->fmspc, pck.fmspc, sizeof(out->fmspc));
	memcpy(out->pce_id, pck.pce_id, sizeof(out->pce_id));
	attest_name_cn(cert.issuer, issuer, sizeof(issuer));
	if (strstr(issuer, "Processor CA"))
		memcpy(out->ca, "processor", sizeof("processor"));
	else if (strstr(issuer, "Platform CA"))
		memcpy(out->ca, "platform", sizeof("platform"));
	return 0;
}

int bawn_quote_needs(const void *quote, size_t n, struct bawn_quote_needs *out, struct bawn_error *e)
{
	struct attest_quote q;
	int r;

	memset(out, 0, sizeof(*out));
	r = attest_quote_parse(quote, n, &q, e);
	if (r)
		return r;
	out->tee = q.tee;
	out->version = q.version;
	out->certification_type = (uint16_t)q.cert_type;
	memcpy(out->qe_id, q.user_data, sizeof(out->qe_id));
	if (q.cert_type == ATTEST_CERT_PCK_CHAIN || q.cert_type == ATTEST_CERT_PCK_LEAF)
		return read_certificate(&q, out, e);
	if (q.cert_type <= ATTEST_CERT_PPID_RSA3072)
		read_ppid(&q, out);
	return 0;
}
