/* Bounded cursor and secrets: the freestanding part of base. */
#include "base/base.h"

#include <string.h>

bool cur_bytes(struct cur *c, void *dst, size_t n)
{
	struct cur part;

	if (!cur_sub(c, n, &part))
		return false;
	if (n)
		memcpy(dst, part.p, n);
	return true;
}

bool cur_u8(struct cur *c, uint8_t *v)
{
	return cur_bytes(c, v, 1);
}

bool cur_le16(struct cur *c, uint16_t *v)
{
	uint8_t b[2];

	if (!cur_bytes(c, b, sizeof(b)))
		return false;
	*v = get_le16(b);
	return true;
}

bool cur_le32(struct cur *c, uint32_t *v)
{
	uint8_t b[4];

	if (!cur_bytes(c, b, sizeof(b)))
		return false;
	*v = get_le32(b);
	return true;
}

bool cur_le64(struct cur *c, uint64_t *v)
{
	uint8_t b[8];

	if (!cur_bytes(c, b, sizeof(b)))
		return false;
	*v = get_le64(b);
	return true;
}

bool cur_at(const struct cur *whole, uint64_t off, uint64_t n, struct cur *out)
{
	if (off > whole->n || n > whole->n - off)
		return false;
	*out = (struct cur){ .p = whole->p + off, .n = (size_t)n };
	return true;
}

bool ct_equal(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t diff = 0;

	for (size_t i = 0; i < n; i++)
		diff |= (uint8_t)(x[i] ^ y[i]);
	return diff == 0;
}

bool ct_is_zero(const void *a, size_t n)
{
	const volatile uint8_t *x = a;
	uint8_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= x[i];
	return any == 0;
}

void wipe(void *p, size_t n)
{
	if (!n)
		return;
	memset(p, 0, n);
	/* The memory is "used" afterwards, so the stores above stay. */
	__asm__ volatile("" : : "r"(p) : "memory");
}
