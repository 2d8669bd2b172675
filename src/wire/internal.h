/* What the files of wire share. */
#ifndef BAWN_WIRE_INTERNAL_H
#define BAWN_WIRE_INTERNAL_H

#include "wire/wire.h"

/* An empty body, for requests that say nothing. */
extern const struct wire_layout wire_empty_layout;

/* One datagram: a head, the body, a tail. */
void wire_frame(const struct wire_head *h, const struct wire_layout *l, const void *body,
		struct cur tail, struct buf *out);
/* What is left in c must fit the layout's tail. */
int wire_tail(const struct wire_layout *l, struct cur *c, struct cur *tail, struct bawn_error *e);

#endif
