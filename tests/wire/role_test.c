/* Messages between bawnd's roles, and clients' requests inside them. */
#include "role/role.h"
#include "tests/tap.h"
#include "tests/wire/sample.h"

static const struct wire_layout *layout;
static bool all_refused;

static void refused(void *arg, const uint8_t *p, size_t n, const char *what)
{
	static struct role_message m;
	struct bawn_error e = { 0 };
	struct buf b;
	uint8_t head[WIRE_HEAD] = { 0 };

	put_le32(head, WIRE_MAGIC);
	put_le16(head + 4, (uint16_t) * (unsigned *)arg);
	put_le32(head + 8, (uint32_t)(WIRE_HEAD + n));
	buf_init(&b, ROLE_MAX);
	buf_add(&b, head, sizeof(head));
	buf_add(&b, p, n);
	if (role_decode(b.p, b.n, &m, &e) != BAWN_ERR_FORMAT) {
		printf("# accepted: %s\n", what);
		all_refused = false;
	}
	buf_free(&b);
}

static void test_message(unsigned type)
{
	static struct role_message m, back;
	struct bawn_error e = { 0 };
	struct buf b;

	layout = role_layout(type);
	memset(&m, 0, sizeof(m));
	m.head.type = (uint16_t)type;
	sample_fill(layout, &m.u);
	buf_init(&b, ROLE_MAX);
	role_encode(&m, &b);
	is_int(role_decode(b.p, b.n, &back, &e), 0, layout->name);
	is_mem(&back.u, &m.u, layout->host, "... there and back");
	is_int(role_decode(b.p, b.n - 1, &back, &e), BAWN_ERR_FORMAT, "... cut by a byte");
	buf_add(&b, "x", 1);
	put_le32(b.p + 8, (uint32_t)b.n);
	if (!layout->tail_max)
		is_int(role_decode(b.p, b.n, &back, &e), BAWN_ERR_FORMAT, "... a byte too many");
	put_le16(b.p + 6, 1);
	is_int(role_decode(b.p, b.n, &back, &e), BAWN_ERR_FORMAT, "... with a code");
	all_refused = true;
	sample_spoil(layout, &m.u, refused, &type);
	ok(all_refused, "... spoiled, it is refused");
	buf_free(&b);
}

static void test_native(void)
{
	static struct wire_request r, back;
	static struct role_message m;
	struct bawn_error e = { 0 };
	struct buf b;

	r.head = (struct wire_head){ .type = WIRE_LAUNCH, .tag = 9 };
	sample_fill(wire_message_of(WIRE_LAUNCH)->request, &r.u);
	buf_init(&b, ROLE_MAX);
	role_request_native(&r, &b);
	m.head.type = ROLE_REQUEST;
	m.u.request = (struct role_request){ .protocol = ROLE_NATIVE, .type = WIRE_LAUNCH, .tag = 9,
					     .has_fd = true };
	m.tail = cur_make(b.p, b.n);
	is_int(role_read_native(&m, &back, &e), 0, "a native request goes through");
	is_mem(&back.u.launch, &r.u.launch, sizeof(r.u.launch), "... as it was");
	is_int(back.head.tag, 9, "... with its tag");
	m.u.request.has_fd = false;
	is_int(role_read_native(&m, &back, &e), BAWN_ERR_FORMAT, "... not without its descriptor");
	m.u.request.has_fd = true;
	m.tail.n--;
	is_int(role_read_native(&m, &back, &e), BAWN_ERR_FORMAT, "... not cut");
	m.tail.n++;
	m.u.request.type = WIRE_STATUS;
	m.u.request.has_fd = false;
	is_int(role_read_native(&m, &back, &e), BAWN_ERR_FORMAT, "... not as another one");
	m.u.request.type = WIRE_TYPES;
	is_int(role_read_native(&m, &back, &e), BAWN_ERR_FORMAT, "... not as one that there is not");
	m.u.request.type = WIRE_LAUNCH;
	m.u.request.protocol = ROLE_AESM;
	is_int(role_read_native(&m, &back, &e), BAWN_ERR_FORMAT, "... not as one of the other protocol");
	buf_free(&b);
}

static void test_aesm(void)
{
	static struct aesm_request r, back;
	static struct role_message m;
	struct bawn_error e = { 0 };
	struct buf b, whole;

	sample_fill(&aesm_request_layout, &r);
	r.type = AESM_REGISTER;
	r.blob_size = 5;
	memcpy(r.blob, "hello", 5);
	buf_init(&b, ROLE_MAX);
	role_request_aesm(&r, &b);
	m.head.type = ROLE_REQUEST;
	m.u.request = (struct role_request){ .protocol = ROLE_AESM, .type = AESM_REGISTER };
	m.tail = cur_make(b.p, b.n);
	is_int(role_read_aesm(&m, &back, &e), 0, "an AESM request goes through");
	is_mem(&back, &r, offsetof(struct aesm_request, blob) + 5, "... as it was");
	m.tail.n--;
	is_int(role_read_aesm(&m, &back, &e), BAWN_ERR_FORMAT, "... not cut");
	m.tail.n++;
	m.u.request.type = AESM_GET_QUOTE;
	is_int(role_read_aesm(&m, &back, &e), BAWN_ERR_FORMAT, "... not as another one");
	m.u.request.type = AESM_REGISTER;
	m.u.request.has_fd = true;
	is_int(role_read_aesm(&m, &back, &e), BAWN_ERR_FORMAT, "... not with a descriptor");
	b.n = 0;
	r.blob_size = AESM_BLOB_MAX;
	role_request_aesm(&r, &b);
	m.u.request.has_fd = false;
	m.tail = cur_make(b.p, b.n);
	is_int(role_read_aesm(&m, &back, &e), 0, "the largest one too");
	buf_init(&whole, ROLE_MAX);
	role_encode(&m, &whole);
	ok(!whole.failed && whole.n > AESM_BLOB_MAX, "... and it fits a message");
	buf_free(&whole);
	b.n = 0;
	r.blob_size++;
	role_request_aesm(&r, &b);
	ok(b.failed, "... and no larger one");
	buf_free(&b);
}

int main(void)
{
	static const unsigned types[] = { ROLE_REQUEST, ROLE_CLOSED, ROLE_ANSWERED, ROLE_COUNTERS,
					  ROLE_AUDIT,   ROLE_ANCHOR, ROLE_POLICY,   ROLE_FETCH,
					  ROLE_FETCHED, ROLE_PARKED,  ROLE_LINE_ASK, ROLE_LINE,
					  ROLE_KEY_ASK, ROLE_KEY };

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		test_message(types[i]);
	ok(!role_layout(0) && !role_layout(WIRE_STATUS), "clients' messages are no roles' messages");
	test_native();
	test_aesm();
	return tap_done();
}
