/* Bytes under construction, up to a hard maximum. */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_free(struct buf *b)
{
	if (b->p)
		wipe(b->p, b->cap);
	free(b->p);
	*b = (struct buf){ .max = b->max };
}

/* Room for n more bytes. Not realloc: what moves may be a secret and is wiped behind us. */
static bool reserve(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 256;
	uint8_t *p;

	if (b->failed || n > b->max - b->n) {
		b->failed = true;
		return false;
	}
	if (n <= b->cap - b->n)
		return true;
	while (cap - b->n < n)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	p = malloc(cap);
	if (!p) {
		b->failed = true;
		return false;
	}
	if (b->p) {
		memcpy(p, b->p, b->n);
		wipe(b->p, b->cap);
		free(b->p);
	}
	b->p = p;
	b->cap = cap;
	return true;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	if (!n || !reserve(b, n))
		return;
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

void buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	char small[256];
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	if (n < 0) {
		b->failed = true;
	} else if ((size_t)n < sizeof(small)) {
		buf_add(b, small, (size_t)n);
	} else if (reserve(b, (size_t)n + 1)) { /* vsnprintf wants room for its NUL */
		vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, again);
		b->n += (size_t)n;
	}
	va_end(again);
	va_end(ap);
}
