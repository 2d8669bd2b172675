/* seeds_prog DIR: seeds for the fuzz targets of messages: DIR/native, DIR/role, DIR/aesm. */
#include "role/role.h"
#include "tests/seed.h"
#include "tests/wire/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void save(const char *dir, const char *part, const char *name, struct buf *b)
{
	if (b->failed)
		exit(1);
	seed_write(dir, part, name, b->p, b->n);
	b->n = 0;
}

static void native(const char *dir, struct buf *b)
{
	for (unsigned type = 1; type < WIRE_TYPES; type++) {
		const struct wire_message *m = wire_message_of(type);
		static struct wire_request r;
		static struct wire_answer a;
		char name[64];

		r.head = (struct wire_head){ .type = (uint16_t)type, .tag = 1 };
		sample_fill(m->request, &r.u);
		wire_request_encode(&r, b);
		snprintf(name, sizeof(name), "%s-request", m->name);
		save(dir, "native", name, b);
		memset(&a, 0, sizeof(a));
		a.head = r.head;
		sample_fill(m->answer, &a.u);
		wire_answer_encode(&a, b);
		snprintf(name, sizeof(name), "%s-answer", m->name);
		save(dir, "native", name, b);
	}
}

static void role(const char *dir, struct buf *b)
{
	for (unsigned type = ROLE_REQUEST; type <= 0x1ff; type++) {
		const struct wire_layout *l = role_layout(type);
		static struct role_message m;

		if (!l)
			continue;
		memset(&m, 0, sizeof(m));
		m.head = (struct wire_head){ .type = (uint16_t)type };
		sample_fill(l, &m.u);
		role_encode(&m, b);
		save(dir, "role", l->name, b);
	}
}

static void request_inside(const char *dir, struct buf *b)
{
	static struct role_message m;
	static struct wire_request r;
	struct buf body;

	buf_init(&body, ROLE_MAX);
	r.head.type = WIRE_QUOTE;
	sample_fill(wire_message_of(WIRE_QUOTE)->request, &r.u);
	role_request_native(&r, &body);
	m.head.type = ROLE_REQUEST;
	m.u.request = (struct role_request){ .protocol = ROLE_NATIVE, .type = WIRE_QUOTE, .has_socket = true };
	m.tail = cur_make(body.p, body.n);
	role_encode(&m, b);
	save(dir, "role", "request-native", b);
	buf_free(&body);
}

/* Protobuf by hand: there is no encoder of requests in the library. */
static void aesm(const char *dir, struct buf *b)
{
	static const uint8_t init[] = { 0x7a, 0x04, 0x18, 0x01, 0x20, 0x20 };
	static const uint8_t count[] = { 0xaa, 0x01, 0x03, 0x48, 0x98, 0x75 };
	static const uint8_t sized[] = { 0x82, 0x01, 0x83, 0x02, 0x0a, 0x80, 0x02 };
	static const uint8_t select[] = { 0x9a, 0x01, 0x8b, 0x02, 0x0a, 0x88, 0x02, 0, 0, 0, 0, 1, 0, 0, 0 };
	static const uint8_t list[] = { 0x72, 0x08, 0x0a, 0x04, 1, 2, 3, 4, 0x10, 0x00 };
	static const uint8_t quote[] = { 0x8a, 0x01, 0xb6, 0x03, 0x0a, 0xb0, 0x03 };
	static const uint8_t size[] = { 0x20, 0x88, 0x20 };
	static const uint8_t zeros[432];

	buf_add(b, init, sizeof(init));
	save(dir, "aesm", "init-quote-ex", b);
	buf_add(b, count, sizeof(count));
	save(dir, "aesm", "key-count", b);
	buf_add(b, sized, sizeof(sized));
	buf_add(b, zeros, 256);
	save(dir, "aesm", "quote-size-ex", b);
	buf_add(b, select, sizeof(select));
	buf_add(b, zeros, 256);
	save(dir, "aesm", "select", b);
	buf_add(b, list, sizeof(list));
	save(dir, "aesm", "register", b);
	buf_add(b, quote, sizeof(quote));
	buf_add(b, zeros, 432);
	buf_add(b, size, sizeof(size));
	save(dir, "aesm", "quote-ex", b);
}

int main(int argc, char **argv)
{
	struct buf b;

	if (argc != 2)
		return 64;
	buf_init(&b, ROLE_MAX);
	native(argv[1], &b);
	role(argv[1], &b);
	request_inside(argv[1], &b);
	aesm(argv[1], &b);
	buf_free(&b);
	return 0;
}
