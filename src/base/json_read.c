/* JSON texts, read once and strictly, without allocating (RFC 8259). */
#include "base/base.h"

#include <string.h>

void jread_init(struct jread *r, const void *p, size_t n)
{
	*r = (struct jread){ .start = p, .p = p, .end = (const uint8_t *)p + n };
}

bool jread_fail(struct jread *r, const char *why)
{
	if (!r->failed) {
		r->failed = true;
		r->why = why;
	}
	return false;
}

static inline void space(struct jread *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
		r->p++;
}

/* The next byte that is not space, or 0 at the end (which no JSON token starts with). */
static inline uint8_t peek(struct jread *r)
{
	if (r->failed)
		return 0;
	space(r);
	return r->p < r->end ? *r->p : 0;
}

static inline bool expect(struct jread *r, uint8_t c, const char *why)
{
	if (peek(r) != c || r->failed)
		return jread_fail(r, why);
	r->p++;
	return true;
}

const uint8_t *jread_here(struct jread *r)
{
	space(r);
	return r->p;
}

/* ---- strings ---- */

/* Bytes of the UTF-8 character at p (RFC 3629), 0 if it is none. */
static size_t utf8_length(const uint8_t *p, size_t n)
{
	uint8_t a = p[0], low = 0x80, high = 0xbf;
	size_t len;

	if (a < 0x80)
		return 1;
	if (a < 0xc2 || a > 0xf4)
		return 0;
	len = a < 0xe0 ? 2 : a < 0xf0 ? 3 : 4;
	if (a == 0xe0)
		low = 0xa0; /* else it fits two bytes */
	else if (a == 0xed)
		high = 0x9f; /* surrogates */
	else if (a == 0xf0)
		low = 0x90; /* else it fits three bytes */
	else if (a == 0xf4)
		high = 0x8f; /* above U+10FFFF */
	if (n < len || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return len;
}

/* Four hexadecimal digits at p, or -1. */
static int32_t hex4(const uint8_t *p, const uint8_t *end)
{
	uint8_t b[2];

	if (end - p < 4 || !hex_decode((const char *)p, 4, b, 2))
		return -1;
	return b[0] << 8 | b[1];
}

/* Bytes of the escape at p (a backslash), 0 if it is none; surrogates must come in pairs. */
static size_t escape_length(const uint8_t *p, const uint8_t *end)
{
	int32_t a, b;

	if (end - p < 2)
		return 0;
	if (p[1] != 'u')
		return memchr("\"\\/bfnrt", p[1], 8) ? 2 : 0;
	a = hex4(p + 2, end);
	if (a < 0 || (a >= 0xdc00 && a <= 0xdfff))
		return 0;
	if (a < 0xd800 || a > 0xdbff)
		return 6;
	if (end - p < 12 || p[6] != '\\' || p[7] != 'u')
		return 0;
	b = hex4(p + 8, end);
	return b >= 0xdc00 && b <= 0xdfff ? 12 : 0;
}

/* Past the characters that stand for themselves: ASCII without controls, quote, backslash. */
static const uint8_t *plain_end(const uint8_t *p, const uint8_t *end)
{
	const uint64_t low = UINT64_C(0x0101010101010101), high = low << 7;
	uint64_t v, quote, slash;

	/* Eight at a time: a zero byte is found by what borrowing from it leaves in its top bit. */
	for (; end - p >= 8; p += 8) {
		memcpy(&v, p, 8);
		quote = v ^ low * '"';
		slash = v ^ low * '\\';
		v = (v | (v - low * 0x20) | (quote - low) | (slash - low)) & high;
		/* Borrows go upward, so the lowest byte that is found is right. */
		if (v)
			return p + __builtin_ctzll(v) / 8;
	}
	while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

static bool string(struct jread *r, struct cur *s, bool *escapes)
{
	const uint8_t *start;

	if (!expect(r, '"', "a string was expected"))
		return false;
	start = r->p;
	*escapes = false;
	for (;;) {
		size_t n;

		r->p = plain_end(r->p, r->end);
		if (r->p >= r->end || *r->p == '"')
			break;
		if (*r->p < 0x20)
			return jread_fail(r, "control character in a string");
		if (*r->p == '\\') {
			*escapes = true;
			n = escape_length(r->p, r->end);
		} else {
			n = utf8_length(r->p, (size_t)(r->end - r->p));
		}
		if (!n)
			return jread_fail(r, "malformed escape or UTF-8 in a string");
		r->p += n;
	}
	if (r->p >= r->end)
		return jread_fail(r, "unterminated string");
	*s = cur_make(start, (size_t)(r->p - start));
	r->p++;
	return true;
}

bool jread_string(struct jread *r, struct cur *s)
{
	bool escapes;

	if (!string(r, s, &escapes))
		return false;
	return !escapes || jread_fail(r, "escapes are not accepted in this string");
}

bool jread_raw(struct jread *r, struct cur *s)
{
	bool escapes;

	return string(r, s, &escapes);
}

static size_t put_utf8(uint32_t c, uint8_t *out)
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

size_t jread_unescape(struct cur raw, void *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const uint8_t *p = raw.p, *end = p + raw.n;
	uint8_t *o = out;
	uint32_t c;
	size_t n;

	/* No escape is shorter than what it stands for, so reading stays ahead of writing. */
	while (p < end) {
		if (*p != '\\') {
			*o++ = *p++;
			continue;
		}
		n = escape_length(p, end);
		if (n < 2)
			break; /* not from jread_raw */
		if (n == 2) {
			*o++ = (uint8_t)to[strchr(from, p[1]) - from];
		} else {
			c = (uint32_t)hex4(p + 2, end);
			if (n == 12)
				c = 0x10000 + ((c & 0x3ff) << 10) + ((uint32_t)hex4(p + 8, end) & 0x3ff);
			o += put_utf8(c, o);
		}
		p += n;
	}
	return (size_t)(o - (uint8_t *)out);
}

/* ---- numbers and words ---- */

static bool digits(struct jread *r)
{
	const uint8_t *start = r->p;

	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	return r->p > start || jread_fail(r, "malformed number");
}

static bool number(struct jread *r)
{
	if (*r->p == '-')
		r->p++;
	if (r->p < r->end && *r->p == '0')
		r->p++; /* nothing may follow a leading zero but a point or exponent */
	else if (!digits(r))
		return false;
	if (r->p < r->end && *r->p == '.') {
		r->p++;
		if (!digits(r))
			return false;
	}
	if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
		r->p++;
		if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
			r->p++;
		if (!digits(r))
			return false;
	}
	return true;
}

bool jread_u64(struct jread *r, uint64_t max, uint64_t *v)
{
	const uint8_t *start;
	uint64_t n = 0;

	if (peek(r) < '0' || peek(r) > '9')
		return jread_fail(r, "a whole number was expected");
	start = r->p;
	if (!number(r))
		return false;
	for (const uint8_t *p = start; p < r->p; p++) {
		if (*p < '0' || *p > '9' || !mul_u64(n, 10, &n) || !add_u64(n, (uint64_t)(*p - '0'), &n) ||
		    n > max)
			return jread_fail(r, "number out of range, or not whole");
	}
	*v = n;
	return true;
}

static bool word(struct jread *r, const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(r->end - r->p) < n || memcmp(r->p, w, n) != 0)
		return jread_fail(r, "unknown word");
	r->p += n;
	return true;
}

bool jread_bool(struct jread *r, bool *v)
{
	uint8_t c = peek(r);

	if (c != 't' && c != 'f')
		return jread_fail(r, "true or false was expected");
	*v = c == 't';
	return word(r, *v ? "true" : "false");
}

/* ---- arrays and objects ---- */

static inline bool enter(struct jread *r, uint8_t c, const char *why)
{
	if (!expect(r, c, why))
		return false;
	if (++r->depth > JREAD_DEPTH)
		return jread_fail(r, "nested too deeply");
	return true;
}

/* A comma before every item but the first; false, and the bracket taken, at the end. */
static inline bool another(struct jread *r, bool first, uint8_t close)
{
	uint8_t c = peek(r);

	if (r->failed)
		return false;
	if (c == close) {
		r->p++;
		r->depth--;
		return false;
	}
	if (first)
		return true;
	return expect(r, ',', close == '}' ? "a comma or } was expected" : "a comma or ] was expected");
}

bool jread_object(struct jread *r, struct jread_object *o)
{
	o->count = 0;
	return enter(r, '{', "an object was expected");
}

/* Some of a name's bytes: equal names have equal marks, and most others do not. */
static uint64_t mark(struct cur s)
{
	uint64_t m = s.n;

	if (s.n)
		m |= (uint64_t)s.p[0] << 8 | (uint64_t)s.p[s.n / 4] << 16 | (uint64_t)s.p[s.n / 2] << 24 |
		     (uint64_t)s.p[s.n * 2 / 3] << 32 | (uint64_t)s.p[s.n * 3 / 4] << 40 |
		     (uint64_t)s.p[s.n - 1] << 48;
	return m;
}

bool jread_member(struct jread *r, struct jread_object *o, struct cur *name)
{
	bool escapes;
	uint64_t m;

	if (!another(r, o->count == 0, '}') || !string(r, name, &escapes))
		return false;
	/* With escapes there would be two spellings of one name. */
	if (escapes || name->n > JREAD_NAME)
		return jread_fail(r, "a member's name is too long or has escapes");
	m = mark(*name);
	for (unsigned i = 0; i < o->count; i++)
		if (o->mark[i] == m && o->name[i].n == name->n && memcmp(o->name[i].p, name->p, name->n) == 0)
			return jread_fail(r, "duplicate member");
	if (o->count == JREAD_MEMBERS)
		return jread_fail(r, "too many members in an object");
	o->mark[o->count] = m;
	o->name[o->count++] = *name;
	return expect(r, ':', "a colon was expected");
}

bool jread_array(struct jread *r)
{
	return enter(r, '[', "an array was expected");
}

bool jread_element(struct jread *r, size_t *index)
{
	/* *index is SIZE_MAX before the first one. */
	bool first = *index == SIZE_MAX;

	if (!another(r, first, ']'))
		return false;
	*index = first ? 0 : *index + 1;
	return true;
}

bool jread_skip(struct jread *r)
{
	struct jread_object o;
	size_t i = SIZE_MAX;
	struct cur s;
	bool b;

	switch (peek(r)) {
	case '{':
		if (jread_object(r, &o))
			while (jread_member(r, &o, &s) && jread_skip(r))
				;
		break;
	case '[':
		if (jread_array(r))
			while (jread_element(r, &i) && jread_skip(r))
				;
		break;
	case '"':
		string(r, &s, &b);
		break;
	case 't':
	case 'f':
		jread_bool(r, &b);
		break;
	case 'n':
		word(r, "null");
		break;
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9':
		number(r);
		break;
	default:
		jread_fail(r, "a value was expected");
	}
	return !r->failed;
}

bool jread_end(struct jread *r)
{
	if (r->failed)
		return false;
	space(r);
	return r->p == r->end || jread_fail(r, "text after the value");
}
