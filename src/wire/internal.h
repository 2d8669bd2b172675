/* Tables of fields, for the files that have some. */
#ifndef BAWN_WIRE_INTERNAL_H
#define BAWN_WIRE_INTERNAL_H

#include "wire/wire.h"

#define WIRE_AT_(S, m) .name = #m, .offset = offsetof(S, m), .size = sizeof(((S *)0)->m)
#define F_UINT(S, m) { WIRE_AT_(S, m), .kind = WIRE_UINT, .each = sizeof(((S *)0)->m) }
#define F_MAX(S, m, most)                                                                          \
	{ WIRE_AT_(S, m), .kind = WIRE_UINT, .each = sizeof(((S *)0)->m), .max = (most) }
#define F_UINTS(S, m) { WIRE_AT_(S, m), .kind = WIRE_UINT, .each = sizeof(((S *)0)->m[0]) }
#define F_BOOL(S, m) { WIRE_AT_(S, m), .kind = WIRE_BOOL }
#define F_BYTES(S, m) { WIRE_AT_(S, m), .kind = WIRE_BYTES }
#define F_TEXT(S, m) { WIRE_AT_(S, m), .kind = WIRE_TEXT }
#define F_ZERO(n) { .name = "reserved", .kind = WIRE_ZERO, .size = (n) }
#define F_PART(S, m, layout) { WIRE_AT_(S, m), .kind = WIRE_PART, .part = &(layout) }
/* A layout from its table of fields; more members may follow. */
#define LAYOUT(S, title, table, ...)                                                               \
	{ .name = (title), .field = (table), .fields = ARRAY_LEN(table), .host = sizeof(S), __VA_ARGS__ }

/* An empty body, for requests that say nothing. */
extern const struct wire_layout wire_empty_layout;

/* One datagram: a head, the body, a tail. */
void wire_frame(const struct wire_head *h, const struct wire_layout *l, const void *body,
		struct cur tail, struct buf *out);
/* What is left in c must fit the layout's tail. */
int wire_tail(const struct wire_layout *l, struct cur *c, struct cur *tail, struct bawn_error *e);

#endif
