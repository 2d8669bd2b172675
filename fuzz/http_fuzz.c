/*
 * The reader of HTTP responses. The first byte sets the size of the pieces:
 * taken whole or in pieces, a response must be read to the same result.
 */
#include "crypto/crypto.h"

#include <stdlib.h>
#include <string.h>

#define MAX_BODY 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run(const uint8_t *p, size_t n, size_t step, struct http_reader *r)
{
	struct bawn_error e = { 0 };
	int rc = 0;

	http_reader_init(r, MAX_BODY);
	for (size_t i = 0; i < n && rc == 0; i += step)
		rc = http_reader_feed(r, p + i, n - i < step ? n - i : step, &e);
	return rc ? rc : http_reader_eof(r, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_reader a, b;
	struct cur value;
	struct buf decoded;
	int rc;

	if (!size)
		return 0;
	rc = run(data + 1, size - 1, size, &a);
	if (run(data + 1, size - 1, 1 + data[0] % 16, &b) != rc)
		abort();
	if (rc == 0 && (a.status != b.status || a.body.n != b.body.n ||
			(a.body.n && memcmp(a.body.p, b.body.p, a.body.n) != 0)))
		abort();
	if (rc == 0 && http_header(&a, "TCB-Info-Issuer-Chain", &value)) {
		buf_init(&decoded, HTTP_HEAD_MAX);
		if (http_percent_decode(value, &decoded) && decoded.n > value.n)
			abort();
		buf_free(&decoded);
	}
	http_reader_free(&a);
	http_reader_free(&b);
	return 0;
}
