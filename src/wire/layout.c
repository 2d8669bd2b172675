/* Fields at fixed places, by table: the one encoder and the one decoder of all our messages. */
#include "wire/wire.h"

#include <string.h>

size_t wire_size(const struct wire_layout *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->fields; i++)
		n += l->field[i].kind == WIRE_PART ? wire_size(l->field[i].part) : l->field[i].size;
	return n;
}

/* A number of the host's, of 1, 2, 4 or 8 bytes, and back. */
static uint64_t number_get(const void *p, size_t each)
{
	uint64_t v64;
	uint32_t v32;
	uint16_t v16;

	switch (each) {
	case 8:
		memcpy(&v64, p, 8);
		return v64;
	case 4:
		memcpy(&v32, p, 4);
		return v32;
	case 2:
		memcpy(&v16, p, 2);
		return v16;
	default:
		return *(const uint8_t *)p;
	}
}

static void number_put(void *p, size_t each, uint64_t v)
{
	uint32_t v32 = (uint32_t)v;
	uint16_t v16 = (uint16_t)v;
	uint8_t v8 = (uint8_t)v;

	switch (each) {
	case 8:
		memcpy(p, &v, 8);
		break;
	case 4:
		memcpy(p, &v32, 4);
		break;
	case 2:
		memcpy(p, &v16, 2);
		break;
	default:
		memcpy(p, &v8, 1);
	}
}

static bool printable(uint8_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

/* ---- writing ---- */

static void put_numbers(const struct wire_field *f, const uint8_t *from, struct buf *out)
{
	uint8_t le[8];

	for (size_t at = 0; at < f->size; at += f->each) {
		put_le64(le, number_get(from + at, f->each));
		buf_add(out, le, f->each);
	}
}

static void put_zeros(size_t n, struct buf *out)
{
	static const uint8_t zeros[64];

	for (; n > sizeof(zeros); n -= sizeof(zeros))
		buf_add(out, zeros, sizeof(zeros));
	buf_add(out, zeros, n);
}

static void put_text(const struct wire_field *f, const uint8_t *from, struct buf *out)
{
	size_t n = 0;

	while (n + 1 < f->size && printable(from[n]))
		n++;
	buf_add(out, from, n);
	put_zeros(f->size - n, out);
}

void wire_encode(const struct wire_layout *l, const void *in, struct buf *out)
{
	for (size_t i = 0; i < l->fields; i++) {
		const struct wire_field *f = &l->field[i];
		const uint8_t *from = (const uint8_t *)in + f->offset;

		switch (f->kind) {
		case WIRE_UINT:
			put_numbers(f, from, out);
			break;
		case WIRE_BOOL:
			buf_add(out, from, 1);
			break;
		case WIRE_BYTES:
			buf_add(out, from, f->size);
			break;
		case WIRE_TEXT:
			put_text(f, from, out);
			break;
		case WIRE_ZERO:
			put_zeros(f->size, out);
			break;
		case WIRE_PART:
			wire_encode(f->part, from, out);
			break;
		}
	}
}

/* ---- reading: NULL, or what is wrong ---- */

static const char *get_numbers(const struct wire_field *f, struct cur *c, uint8_t *to)
{
	for (size_t at = 0; at < f->size; at += f->each) {
		uint8_t le[8] = { 0 };
		uint64_t v;

		if (!cur_bytes(c, le, f->each))
			return "is cut short";
		v = get_le64(le);
		if (f->max && v > f->max)
			return "is out of range";
		number_put(to + at, f->each, v);
	}
	return NULL;
}

static const char *get_bool(struct cur *c, uint8_t *to)
{
	bool value;
	uint8_t b;

	if (!cur_u8(c, &b))
		return "is cut short";
	if (b > 1)
		return "is neither 0 nor 1";
	value = b;
	memcpy(to, &value, sizeof(value));
	return NULL;
}

static const char *get_text(const struct wire_field *f, struct cur *c, uint8_t *to)
{
	size_t n = 0;

	if (!cur_bytes(c, to, f->size))
		return "is cut short";
	while (n < f->size && to[n]) {
		if (!printable(to[n]))
			return "is not printable";
		n++;
	}
	if (n == f->size)
		return "does not end";
	return ct_is_zero(to + n, f->size - n) ? NULL : "goes on after its end";
}

static const char *get_zeros(const struct wire_field *f, struct cur *c)
{
	struct cur zeros;

	if (!cur_sub(c, f->size, &zeros))
		return "is cut short";
	return ct_is_zero(zeros.p, zeros.n) ? NULL : "is not zero";
}

static const char *get_field(const struct wire_field *f, struct cur *c, uint8_t *to)
{
	switch (f->kind) {
	case WIRE_UINT:
		return get_numbers(f, c, to);
	case WIRE_BOOL:
		return get_bool(c, to);
	case WIRE_BYTES:
		return cur_bytes(c, to, f->size) ? NULL : "is cut short";
	case WIRE_TEXT:
		return get_text(f, c, to);
	case WIRE_ZERO:
		return get_zeros(f, c);
	case WIRE_PART:
		break;
	}
	return NULL;
}

int wire_decode(const struct wire_layout *l, struct cur *c, void *out, struct bawn_error *e)
{
	const char *why;

	memset(out, 0, l->host);
	for (size_t i = 0; i < l->fields; i++) {
		const struct wire_field *f = &l->field[i];
		uint8_t *to = (uint8_t *)out + f->offset;

		if (f->kind == WIRE_PART) {
			int rc = wire_decode(f->part, c, to, e);

			if (rc)
				return rc;
			continue;
		}
		why = get_field(f, c, to);
		if (why)
			return err_set(e, BAWN_ERR_FORMAT, "%s: %s %s", l->name, f->name, why);
	}
	why = l->flaw ? l->flaw(out) : NULL;
	if (why)
		return err_set(e, BAWN_ERR_FORMAT, "%s: %s", l->name, why);
	return 0;
}

/* ---- datagrams ---- */

void wire_frame(const struct wire_head *h, const struct wire_layout *l, const void *body,
		struct cur tail, struct buf *out)
{
	uint8_t head[WIRE_HEAD] = { 0 };

	if (tail.n > l->tail_max) { /* a caller's mistake that must not become a message */
		out->failed = true;
		return;
	}
	put_le32(head, WIRE_MAGIC);
	put_le16(head + 4, h->type);
	put_le16(head + 6, h->code);
	put_le32(head + 8, (uint32_t)(WIRE_HEAD + wire_size(l) + tail.n));
	put_le64(head + 16, h->tag);
	buf_add(out, head, sizeof(head));
	wire_encode(l, body, out);
	buf_add(out, tail.p, tail.n);
}

int wire_head_decode(struct cur *c, struct wire_head *h, struct bawn_error *e)
{
	uint32_t magic, reserved;
	size_t n = c->n;

	if (!cur_le32(c, &magic) || !cur_le16(c, &h->type) || !cur_le16(c, &h->code) ||
	    !cur_le32(c, &h->size) || !cur_le32(c, &reserved) || !cur_le64(c, &h->tag))
		return err_set(e, BAWN_ERR_FORMAT, "a message of %zu bytes has no room for its head", n);
	if (magic != WIRE_MAGIC)
		return err_set(e, BAWN_ERR_FORMAT, "not a message of bawnd");
	if (h->size != n)
		return err_set(e, BAWN_ERR_FORMAT, "a message of %zu bytes says that it has %u", n, h->size);
	if (reserved)
		return err_set(e, BAWN_ERR_FORMAT, "the head's reserved bytes are not zero");
	return 0;
}

int wire_tail(const struct wire_layout *l, struct cur *c, struct cur *tail, struct bawn_error *e)
{
	if (c->n > l->tail_max)
		return err_set(e, BAWN_ERR_FORMAT, "%s: %zu bytes too many", l->name, c->n - l->tail_max);
	cur_sub(c, c->n, tail);
	return 0;
}
