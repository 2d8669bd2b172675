/*
 * Quotes: parts lie within the input and account for all of it, and no quote
 * is vouched for by Intel's root without collateral.
 */
#include "attest/attest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(struct cur part, const uint8_t *data, size_t size)
{
	if (part.p < data || part.n > size || part.p + part.n > data + size)
		abort();
}

static void check_parts(const struct attest_quote *q, const uint8_t *data, size_t size)
{
	size_t fixed = 4 + 64 + 64 + ATTEST_REPORT_SIZE + 64 + 2 + 6 + (q->version > 3 ? 6 : 0);

	within(q->body, data, size);
	within(q->signed_bytes, data, size);
	within(q->signature, data, size);
	within(q->key, data, size);
	within(q->qe_report, data, size);
	within(q->qe_signature, data, size);
	within(q->qe_auth, data, size);
	within(q->cert_data, data, size);
	if (q->signed_bytes.n + fixed + q->qe_auth.n + q->cert_data.n != q->size || q->size > size || q->size < 1020)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bawn_verifier *verifier;
	struct bawn_verification v;
	struct bawn_quote_needs needs;
	struct bawn_error e = { 0 };
	struct attest_quote q;
	struct bawn_td_report td;
	int r = attest_quote_parse(data, size, &q, &e);

	if ((r != 0) != (e.msg[0] != 0))
		abort();
	if (!r) {
		check_parts(&q, data, size);
		if (q.tee == BAWN_TEE_TDX)
			attest_td_report_read(&q, &td);
	}
	bawn_quote_needs(data, size, &needs, NULL);
	if (!verifier && bawn_verifier_new(&verifier, NULL, NULL))
		return 0;
	r = bawn_verify_quote(verifier, data, size, INT64_C(1767225600), NULL, &v);
	if (r == 0 || v.verdict == BAWN_ACCEPTED || v.verdict == BAWN_UNACCEPTABLE || !v.error.msg[0] || v.reason == BAWN_REASON_NONE)
		abort();
	return 0;
}
