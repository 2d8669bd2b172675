/* Native messages, as the gate and a client read them: refused, or the same again when written. */
#include "role/role.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct buf *b, const uint8_t *data, size_t size)
{
	if (b->failed || b->n != size || memcmp(b->p, data, size) != 0)
		abort();
}

static void request(const uint8_t *data, size_t size)
{
	static struct wire_request r, again;
	static struct role_message m;
	struct bawn_error e = { 0 };
	struct wire_identity id;
	struct buf b;
	size_t fds = 0;

	if (wire_request_decode(data, size, 0, &r, &e) &&
	    wire_request_decode(data, size, fds = 1, &r, &e)) {
		if (!e.code)
			abort();
		return;
	}
	buf_init(&b, WIRE_MAX);
	wire_request_encode(&r, &b);
	same(&b, data, size);
	wire_request_identity(&r, &id);
	b.n = 0;
	role_request_native(&r, &b);
	m.u.request = (struct role_request){ .protocol = ROLE_NATIVE, .type = r.head.type, .has_fd = fds != 0 };
	m.tail = cur_make(b.p, b.n);
	if (role_read_native(&m, &again, &e))
		abort();
	buf_free(&b);
}

static void answer(const uint8_t *data, size_t size)
{
	static struct wire_answer a;
	struct bawn_error e = { 0 };
	struct buf b;

	if (wire_answer_decode(data, size, 0, &a, &e) && wire_answer_decode(data, size, 1, &a, &e))
		return;
	buf_init(&b, WIRE_MAX);
	wire_answer_encode(&a, &b);
	same(&b, data, size);
	if (a.head.type == WIRE_GRANT_LIST && a.head.code == WIRE_OK) {
		struct wire_entry x;

		while (a.tail.n && wire_decode(&wire_entry_layout, &a.tail, &x, &e) == 0)
			;
	}
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	request(data, size);
	answer(data, size);
	return 0;
}
