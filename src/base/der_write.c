/* DER elements into a buffer (X.690), and PEM around them: what certificates are made of. */
#include "base/base.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Tag and length of an element of n bytes; gives the bytes used. */
static size_t header(uint8_t tag, size_t n, uint8_t out[6])
{
	size_t bytes = n < 0x80 ? 0 : n < 0x100 ? 1 : n < 0x10000 ? 2 : n < 0x1000000 ? 3 : 4;

	out[0] = tag;
	out[1] = bytes ? (uint8_t)(0x80 | bytes) : (uint8_t)n;
	for (size_t i = 0; i < bytes; i++)
		out[2 + i] = (uint8_t)(n >> 8 * (bytes - 1 - i));
	return 2 + bytes;
}

void der_put(struct buf *b, uint8_t tag, const void *p, size_t n)
{
	uint8_t head[6];

	buf_add(b, head, header(tag, n, head));
	buf_add(b, p, n);
}

void der_wrap(struct buf *b, size_t start, uint8_t tag)
{
	uint8_t head[6];
	size_t n = b->n - start, head_n = header(tag, n, head);

	buf_add(b, head, head_n); /* for the room; its place is in front */
	if (b->failed)
		return;
	memmove(b->p + start + head_n, b->p + start, n);
	memcpy(b->p + start, head, head_n);
}

void der_put_magnitude(struct buf *b, const uint8_t *p, size_t n)
{
	size_t start = b->n;

	while (n > 1 && !*p) {
		p++;
		n--;
	}
	if (n == 0 || *p & 0x80) /* the zero that keeps it positive */
		buf_add(b, "", 1);
	buf_add(b, p, n);
	der_wrap(b, start, DER_INTEGER);
}

void der_put_uint(struct buf *b, uint8_t tag, uint64_t v)
{
	uint8_t p[8];
	size_t start = b->n;

	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> 8 * (7 - i));
	der_put_magnitude(b, p, sizeof(p));
	if (!b->failed)
		b->p[start] = tag; /* an ENUMERATED is written like an INTEGER */
}

void der_put_time(struct buf *b, int64_t t, bool generalized)
{
	time_t v = (time_t)t;
	struct tm tm;
	char s[32];

	if (!gmtime_r(&v, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900) {
		b->failed = true;
		return;
	}
	/* RFC 5280 section 4.1.2.5: UTCTime has years 1950 to 2049. */
	generalized |= tm.tm_year >= 150 || tm.tm_year < 50;
	strftime(s, sizeof(s), "%Y%m%d%H%M%SZ", &tm);
	if (generalized)
		der_put(b, DER_GENERALIZED_TIME, s, strlen(s));
	else
		der_put(b, DER_UTC_TIME, s + 2, strlen(s + 2));
}

void buf_pem(struct buf *b, const char *label, const void *der, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = der;

	buf_printf(b, "-----BEGIN %s-----\n", label);
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
			     (i + 2 < n ? p[i + 2] : 0);
		char group[5] = { digits[v >> 18], digits[v >> 12 & 63], '=', '=', '\n' };

		if (i + 1 < n)
			group[2] = digits[v >> 6 & 63];
		if (i + 2 < n)
			group[3] = digits[v & 63];
		buf_add(b, group, (i + 3) % 48 == 0 || i + 3 >= n ? 5 : 4);
	}
	buf_printf(b, "-----END %s-----\n", label);
}
