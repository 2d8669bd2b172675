/* PEM blocks (RFC 7468, with text allowed around them). */
#include "attest/attest.h"

#include <stdio.h>
#include <string.h>

/* Where `what` starts in the text, or NULL. */
static const uint8_t *find(struct cur text, const char *what, size_t n)
{
	return memmem(text.p, text.n, what, n);
}

int attest_pem_next(struct cur *text, const char *label, uint8_t *buf, size_t max, size_t *n,
		    struct bawn_error *e)
{
	char begin[64], end[64];
	int begin_n = snprintf(begin, sizeof(begin), "-----BEGIN %s-----", label);
	int end_n = snprintf(end, sizeof(end), "-----END %s-----", label);
	const uint8_t *p = text->n ? find(*text, begin, (size_t)begin_n) : NULL;
	struct cur body;

	if (!p) {
		*text = cur_make(text->p, 0);
		return 0;
	}
	cur_skip(text, (size_t)(p - text->p) + (size_t)begin_n);
	body = *text;
	p = find(*text, end, (size_t)end_n);
	if (!p)
		return err_set(e, BAWN_ERR_FORMAT, "a PEM block has no end: %s", label);
	body.n = (size_t)(p - body.p);
	cur_skip(text, body.n + (size_t)end_n);
	if (!base64_decode((const char *)body.p, body.n, buf, max, n))
		return err_set(e, BAWN_ERR_FORMAT, "a PEM block is not base64, or too large: %s", label);
	return 1;
}
