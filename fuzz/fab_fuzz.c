/* A fab's file: what is accepted means the same when written and read again. */
#include "fab/fab.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct fab f, again; /* large */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct bawn_error e = { 0 };
	struct buf a, b;

	if (fab_parse(data, n, &f, &e)) {
		if (!e.msg[0])
			abort();
		return 0;
	}
	buf_init(&a, 4u << 20);
	buf_init(&b, 4u << 20);
	fab_render(&f, &a);
	if (a.failed || fab_parse(a.p, a.n, &again, NULL))
		abort();
	fab_render(&again, &b);
	if (a.n != b.n || memcmp(a.p, b.p, a.n) != 0)
		abort();
	buf_free(&a);
	buf_free(&b);
	return 0;
}
