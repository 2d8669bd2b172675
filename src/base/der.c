/* DER elements off a cursor (X.690): the little that certificates and revocation lists need. */
#include "base/base.h"

#include <string.h>

bool der_any(struct cur *c, uint8_t *tag, struct cur *body)
{
	struct cur in = *c;
	uint8_t t, first, b;
	size_t n = 0;

	/* Tags of more than one byte (number 31) do not occur in what is read here. */
	if (!cur_u8(&in, &t) || (t & 0x1f) == 0x1f || !cur_u8(&in, &first))
		return false;
	if (first < 0x80) {
		n = first;
	} else {
		unsigned bytes = first & 0x7f;

		/* 0x80 is the indefinite form; four bytes are more than any input here. */
		if (bytes == 0 || bytes > 4)
			return false;
		for (unsigned i = 0; i < bytes; i++) {
			if (!cur_u8(&in, &b) || (i == 0 && b == 0))
				return false;
			n = n << 8 | b;
		}
		if (n < 0x80)
			return false;
	}
	if (!cur_sub(&in, n, body))
		return false;
	*tag = t;
	*c = in;
	return true;
}

bool der_get(struct cur *c, uint8_t tag, struct cur *body)
{
	struct cur in = *c, b;
	uint8_t t;

	if (!der_any(&in, &t, &b) || t != tag)
		return false;
	*body = b;
	*c = in;
	return true;
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

bool der_unsigned(struct cur *c, uint8_t *out, size_t n)
{
	struct cur in = *c, b;

	if (!der_get(&in, DER_INTEGER, &b) || !magnitude(&b) || b.n > n)
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
