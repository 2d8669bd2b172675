/* DER elements off a cursor (X.690): the little that certificates and revocation lists need. */
#include "base/base.h"

#include <string.h>

/* Inline, so that what it returns can stay in registers: revocation lists are made of these. */
static inline __attribute__((always_inline)) bool take(struct cur *c, uint8_t *tag, struct cur *body)
{
	const uint8_t *p = c->p, *end = p + c->n;
	size_t n, bytes;

	/* Tags of more than one byte (number 31) do not occur in what is read here. */
	if (c->n < 2 || (p[0] & 0x1f) == 0x1f)
		return false;
	n = p[1];
	*tag = *p;
	p += 2;
	if (n >= 0x80) {
		bytes = n & 0x7f;
		/* 0x80 is the indefinite form; four bytes are more than any input here. */
		if (bytes == 0 || bytes > 4 || bytes > (size_t)(end - p) || *p == 0)
			return false;
		for (n = 0; bytes; bytes--)
			n = n << 8 | *p++;
		if (n < 0x80)
			return false;
	}
	if (n > (size_t)(end - p))
		return false;
	*body = cur_make(p, n);
	*c = cur_make(p + n, (size_t)(end - p) - n);
	return true;
}

bool der_any(struct cur *c, uint8_t *tag, struct cur *body)
{
	return take(c, tag, body);
}

bool der_get(struct cur *c, uint8_t tag, struct cur *body)
{
	uint8_t t;

	/* With another tag the first byte tells, before anything is taken. */
	return c->n && c->p[0] == tag && take(c, &t, body);
}

bool der_get_whole(struct cur *c, uint8_t tag, struct cur *whole)
{
	const uint8_t *start = c->p;
	struct cur body;

	if (!der_get(c, tag, &body))
		return false;
	*whole = cur_make(start, (size_t)(c->p - start));
	return true;
}

bool der_optional(struct cur *c, uint8_t tag, bool *present, struct cur *body)
{
	*present = c->n && c->p[0] == tag;
	return !*present || der_get(c, tag, body);
}

/* The body of a non-negative INTEGER, its sign byte taken off. */
static bool magnitude(struct cur *b)
{
	if (!b->n || b->p[0] & 0x80)
		return false;
	if (b->p[0] == 0 && b->n > 1) {
		/* Needed only to keep the number positive, else it is one byte too long. */
		if (!(b->p[1] & 0x80))
			return false;
		return cur_skip(b, 1);
	}
	return true;
}

bool der_uint(struct cur *c, uint8_t tag, uint64_t max, uint64_t *v)
{
	struct cur in = *c, b;
	uint64_t n = 0;

	if (!der_get(&in, tag, &b) || !magnitude(&b) || b.n > 8)
		return false;
	for (size_t i = 0; i < b.n; i++)
		n = n << 8 | b.p[i];
	if (n > max)
		return false;
	*v = n;
	*c = in;
	return true;
}

bool der_magnitude(struct cur *c, struct cur *bytes)
{
	struct cur in = *c, b;

	if (!der_get(&in, DER_INTEGER, &b) || !magnitude(&b))
		return false;
	*bytes = b;
	*c = in;
	return true;
}

bool der_unsigned(struct cur *c, uint8_t *out, size_t n)
{
	struct cur in = *c, b;

	if (!der_magnitude(&in, &b) || b.n > n)
		return false;
	memset(out, 0, n - b.n);
	memcpy(out + (n - b.n), b.p, b.n);
	*c = in;
	return true;
}

bool der_bool(struct cur *c, bool *v)
{
	struct cur in = *c, b;

	if (!der_get(&in, DER_BOOLEAN, &b) || b.n != 1 || (b.p[0] != 0 && b.p[0] != 0xff))
		return false;
	*v = b.p[0] != 0;
	*c = in;
	return true;
}

bool der_bits(struct cur *c, struct cur *body)
{
	struct cur in = *c, b;
	uint8_t unused;

	if (!der_get(&in, DER_BIT_STRING, &b) || !cur_u8(&b, &unused) || unused != 0)
		return false;
	*body = b;
	*c = in;
	return true;
}

bool der_oid_is(struct cur oid, const void *bytes, size_t n)
{
	return oid.n == n && memcmp(oid.p, bytes, n) == 0;
}
