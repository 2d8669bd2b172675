/* JSON, writing (RFC 8259): indented by two spaces, keys in the caller's order. */
#include "base/base.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void json_init(struct json *j, struct buf *out)
{
	*j = (struct json){ .out = out };
	j->first[0] = true;
}

/* One UTF-8 sequence at s (RFC 3629): its length, or 0 if it is not well-formed. */
static size_t utf8_length(const unsigned char *s)
{
	uint32_t c;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2, c = s[0] & 0x1f;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3, c = s[0] & 0x0f;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4, c = s[0] & 0x07;
	else
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)) ||
	    (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n;
}

static void quoted(struct buf *out, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	buf_str(out, "\"");
	while (*p) {
		size_t n = utf8_length(p);

		if (n == 0) {
			buf_str(out, "\\ufffd"); /* not UTF-8: replacement character */
			n = 1;
		} else if (*p == '"' || *p == '\\') {
			buf_printf(out, "\\%c", *p);
		} else if (*p < 0x20 || *p == 0x7f) {
			buf_printf(out, "\\u%04x", *p);
		} else {
			buf_add(out, p, n);
		}
		p += n;
	}
	buf_str(out, "\"");
}

/* Comma, line break, indentation and key before a value. */
static void lead_in(struct json *j, const char *key)
{
	if (!j->first[j->depth])
		buf_str(j->out, ",");
	j->first[j->depth] = false;
	if (j->depth) {
		buf_str(j->out, "\n");
		for (unsigned i = 0; i < j->depth; i++)
			buf_str(j->out, "  ");
	}
	if (key) {
		quoted(j->out, key);
		buf_str(j->out, ": ");
	}
}

void json_open(struct json *j, const char *key, char bracket)
{
	lead_in(j, key);
	buf_add(j->out, &bracket, 1);
	if (j->depth + 1 >= ARRAY_LEN(j->first)) {
		j->out->failed = true;
		return;
	}
	j->first[++j->depth] = true;
}

void json_close(struct json *j, char bracket)
{
	bool empty = j->first[j->depth];

	if (j->depth == 0) {
		j->out->failed = true;
		return;
	}
	j->depth--;
	if (!empty) {
		buf_str(j->out, "\n");
		for (unsigned i = 0; i < j->depth; i++)
			buf_str(j->out, "  ");
	}
	buf_add(j->out, &bracket, 1);
	if (j->depth == 0)
		buf_str(j->out, "\n");
}

void json_string(struct json *j, const char *key, const char *utf8)
{
	lead_in(j, key);
	quoted(j->out, utf8);
}

void json_hex(struct json *j, const char *key, const void *p, size_t n)
{
	const uint8_t *b = p;

	lead_in(j, key);
	buf_str(j->out, "\"");
	for (size_t i = 0; i < n; i++)
		buf_printf(j->out, "%02x", b[i]);
	buf_str(j->out, "\"");
}

void json_u64(struct json *j, const char *key, uint64_t v)
{
	lead_in(j, key);
	buf_printf(j->out, "%" PRIu64, v);
}

void json_i64(struct json *j, const char *key, int64_t v)
{
	lead_in(j, key);
	buf_printf(j->out, "%" PRId64, v);
}

void json_fixed(struct json *j, const char *key, double v, int decimals)
{
	lead_in(j, key);
	if (isfinite(v))
		buf_printf(j->out, "%.*f", decimals, v);
	else
		buf_str(j->out, "null"); /* JSON has no infinities */
}

void json_bool(struct json *j, const char *key, bool v)
{
	lead_in(j, key);
	buf_str(j->out, v ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	lead_in(j, key);
	buf_str(j->out, "null");
}
