#include "tests/wire/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(void *p, size_t each, uint64_t v)
{
	memcpy(p, &v, each); /* the tests run on little-endian machines, as SGX does */
}

static void fill_field(const struct wire_field *f, uint8_t *to)
{
	switch (f->kind) {
	case WIRE_UINT:
		for (size_t at = 0; at < f->size; at += f->each)
			put(to + at, f->each, f->max ? f->max : 1);
		break;
	case WIRE_BOOL:
		*to = 1;
		break;
	case WIRE_BYTES:
		memset(to, 0x5a, f->size);
		break;
	case WIRE_TEXT:
		strcpy((char *)to, "/a");
		break;
	case WIRE_ZERO:
		break;
	case WIRE_PART:
		sample_fill(f->part, to);
	}
}

/* Fields that hold only together. */
static void settle(const struct wire_layout *l, void *host)
{
	if (strcmp(l->name, "launch") == 0 && l->host == sizeof(struct wire_launch)) {
		struct wire_launch *x = host;

		x->base = UINT64_C(1) << 40;
		x->size = UINT64_C(1) << 36;
	} else if (strcmp(l->name, "collateral") == 0 && l->host == sizeof(struct wire_collateral)) {
		strcpy(((struct wire_collateral *)host)->ca, "platform");
	} else if (strcmp(l->name, "entry") == 0) {
		((struct wire_entry *)host)->kind = WIRE_GRANT;
	}
}

void sample_fill(const struct wire_layout *l, void *host)
{
	memset(host, 0, l->host);
	for (size_t i = 0; i < l->fields; i++)
		fill_field(&l->field[i], (uint8_t *)host + l->field[i].offset);
	settle(l, host);
}

struct spoil {
	void (*fn)(void *arg, const uint8_t *p, size_t n, const char *what);
	void *arg;
	const uint8_t *good;
	size_t n;
	uint8_t *p;
};

static void hand(struct spoil *s, size_t n, const struct wire_layout *l, const struct wire_field *f,
		 const char *how)
{
	char what[120];

	snprintf(what, sizeof(what), "%s: %s %s", l->name, f->name, how);
	s->fn(s->arg, s->p, n, what);
	memcpy(s->p, s->good, s->n);
}

static void spoil_field(struct spoil *s, const struct wire_layout *l, const struct wire_field *f,
			size_t at)
{
	switch (f->kind) {
	case WIRE_UINT:
		if (!f->max || (f->each < 8 && f->max >> (8 * f->each) != 0))
			break;
		put(s->p + at, f->each, f->max + 1);
		hand(s, s->n, l, f, "one too large");
		memset(s->p + at, 0xff, f->each);
		hand(s, s->n, l, f, "all ones");
		break;
	case WIRE_BOOL:
		s->p[at] = 2;
		hand(s, s->n, l, f, "two");
		break;
	case WIRE_TEXT:
		memset(s->p + at, 'a', f->size);
		hand(s, s->n, l, f, "without an end");
		s->p[at] = '\n';
		hand(s, s->n, l, f, "with a line end");
		s->p[at] = 0x80;
		hand(s, s->n, l, f, "beyond ASCII");
		s->p[at + f->size - 1] = 'x';
		hand(s, s->n, l, f, "going on after its end");
		break;
	case WIRE_ZERO:
		s->p[at + f->size - 1] = 1;
		hand(s, s->n, l, f, "not zero");
		break;
	case WIRE_BYTES:
	case WIRE_PART:
		break;
	}
	hand(s, at + f->size - 1, l, f, "cut short");
}

static size_t spoil_layout(struct spoil *s, const struct wire_layout *l, size_t at)
{
	for (size_t i = 0; i < l->fields; i++) {
		const struct wire_field *f = &l->field[i];

		if (f->kind == WIRE_PART) {
			at = spoil_layout(s, f->part, at);
			continue;
		}
		spoil_field(s, l, f, at);
		at += f->size;
	}
	return at;
}

void sample_spoil(const struct wire_layout *l, const void *host,
		  void (*fn)(void *arg, const uint8_t *p, size_t n, const char *what), void *arg)
{
	struct spoil s = { .fn = fn, .arg = arg };
	struct buf b;

	buf_init(&b, ROLE_MAX);
	wire_encode(l, host, &b);
	s.good = b.p;
	s.n = b.n;
	s.p = malloc(b.n + 1);
	if (!s.p || b.failed)
		abort();
	if (b.n)
		memcpy(s.p, b.p, b.n);
	if (spoil_layout(&s, l, 0) != b.n)
		abort();
	free(s.p);
	buf_free(&b);
}
