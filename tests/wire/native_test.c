/* The native protocol: every message there and back, every field spoiled, every size wrong. */
#include "crypto/crypto.h"
#include "tests/tap.h"
#include "tests/wire/sample.h"

static const struct wire_layout *spoiled_layout;
static bool all_refused;
static unsigned spoiled;

static void refused(void *arg, const uint8_t *p, size_t n, const char *what)
{
	struct bawn_error e = { 0 };
	struct cur c = cur_make(p, n);

	spoiled++;
	if (wire_decode(spoiled_layout, &c, arg, &e) != BAWN_ERR_FORMAT || !*e.msg) {
		printf("# accepted: %s\n", what);
		all_refused = false;
	}
}

static void test_layout(const struct wire_layout *l, const char *name)
{
	uint8_t *in = malloc(l->host), *out = malloc(l->host);
	struct bawn_error e = { 0 };
	struct buf b, again;
	struct cur c;

	sample_fill(l, in);
	buf_init(&b, ROLE_MAX);
	buf_init(&again, ROLE_MAX);
	wire_encode(l, in, &b);
	is_int(b.n, wire_size(l), name);
	c = cur_make(b.p, b.n);
	if (!ok(wire_decode(l, &c, out, &e) == 0 && !c.n, "%s: there and back", name))
		printf("# %s\n", e.msg);
	wire_encode(l, out, &again);
	ok(again.n == b.n && (b.n == 0 || memcmp(again.p, b.p, b.n) == 0), "... the same");
	spoiled_layout = l;
	all_refused = true;
	spoiled = 0;
	sample_spoil(l, in, refused, out);
	ok(all_refused, "%s: %u spoiled versions are refused", name, spoiled);
	buf_free(&b);
	buf_free(&again);
	free(in);
	free(out);
}

static void expect_request(const struct buf *b, size_t n, size_t fds, int rc, const char *name)
{
	static struct wire_request r;
	struct bawn_error e = { 0 };

	is_int(wire_request_decode(b->p, n, fds, &r, &e), rc, name);
}

/* A message as a datagram: head, exact size, descriptors. */
static void test_request(unsigned type)
{
	const struct wire_message *m = wire_message_of(type);
	static struct wire_request r, back;
	struct bawn_error e = { 0 };
	struct buf b;

	memset(&r, 0, sizeof(r));
	r.head = (struct wire_head){ .type = (uint16_t)type, .tag = UINT64_C(0x1122334455667788) };
	sample_fill(m->request, &r.u);
	buf_init(&b, WIRE_MAX);
	wire_request_encode(&r, &b);
	is_int(wire_request_decode(b.p, b.n, m->request_fds, &back, &e), 0, m->name);
	ok(back.head.tag == r.head.tag && back.head.type == type && back.head.size == b.n, "... its head");
	expect_request(&b, b.n - 1, m->request_fds, BAWN_ERR_FORMAT, "... cut by a byte");
	expect_request(&b, b.n, m->request_fds + 1u, BAWN_ERR_FORMAT, "... a descriptor too many");
	if (m->request_fds)
		expect_request(&b, b.n, 0, BAWN_ERR_FORMAT, "... without its descriptor");
	put_le16(b.p + 6, 1);
	expect_request(&b, b.n, m->request_fds, BAWN_ERR_FORMAT, "... with a code");
	put_le16(b.p + 6, 0);
	buf_add(&b, "", 1);
	expect_request(&b, b.n, m->request_fds, BAWN_ERR_FORMAT, "... a byte more than its size");
	put_le32(b.p + 8, (uint32_t)b.n);
	expect_request(&b, b.n, m->request_fds, BAWN_ERR_FORMAT, "... a byte too many");
	buf_free(&b);
}

static void test_answer(unsigned type)
{
	const struct wire_message *m = wire_message_of(type);
	static struct wire_answer a, back;
	struct bawn_error e = { 0 };
	uint8_t tail[3] = { 1, 2, 3 };
	struct buf b;

	memset(&a, 0, sizeof(a));
	a.head = (struct wire_head){ .type = (uint16_t)type, .tag = 7 };
	sample_fill(m->answer, &a.u);
	if (m->answer->tail_max)
		a.tail = cur_make(tail, sizeof(tail));
	buf_init(&b, WIRE_MAX);
	wire_answer_encode(&a, &b);
	is_int(wire_answer_decode(b.p, b.n, m->answer_fds, &back, &e), 0, m->name);
	ok(back.tail.n == a.tail.n && (!a.tail.n || memcmp(back.tail.p, tail, sizeof(tail)) == 0),
	   "... its tail");
	is_int(wire_answer_decode(b.p, b.n, m->answer_fds + 1u, &back, &e), BAWN_ERR_FORMAT,
	       "... a descriptor too many");
	b.n = 0;
	a.tail = cur_make(tail, sizeof(tail));
	if (!m->answer->tail_max) {
		wire_answer_encode(&a, &b);
		ok(b.failed, "... no tail where none is due");
	}
	buf_free(&b);
	buf_init(&b, WIRE_MAX);
	memset(&a, 0, sizeof(a));
	a.head = (struct wire_head){ .type = (uint16_t)type, .code = WIRE_DENIED };
	strcpy(a.u.refusal.text, "by the policy");
	wire_answer_encode(&a, &b);
	is_int(wire_answer_decode(b.p, b.n, 0, &back, &e), 0, "... a refusal");
	is_str(back.u.refusal.text, "by the policy", "... and its text");
	buf_free(&b);
}

static void test_head(void)
{
	struct wire_request r = { .head = { .type = WIRE_STATUS } };
	struct bawn_error e = { 0 };
	struct buf b;

	buf_init(&b, WIRE_MAX);
	wire_request_encode(&r, &b);
	is_int(b.n, WIRE_HEAD, "an empty request is a head");
	for (size_t n = 0; n < WIRE_HEAD; n++)
		if (wire_request_decode(b.p, n, 0, &r, &e) != BAWN_ERR_FORMAT)
			ok(false, "a head of %zu bytes is refused", n);
	b.p[0] ^= 1;
	expect_request(&b, b.n, 0, BAWN_ERR_FORMAT, "a wrong magic");
	b.p[0] ^= 1;
	b.p[12] = 1;
	expect_request(&b, b.n, 0, BAWN_ERR_FORMAT, "reserved bytes of the head");
	b.p[12] = 0;
	put_le16(b.p + 4, WIRE_TYPES);
	expect_request(&b, b.n, 0, BAWN_ERR_UNSUPPORTED, "an unknown request is told from a broken one");
	put_le16(b.p + 4, 0);
	expect_request(&b, b.n, 0, BAWN_ERR_UNSUPPORTED, "no request has number 0");
	buf_free(&b);
	r.head.type = WIRE_TYPES;
	buf_init(&b, WIRE_MAX);
	wire_request_encode(&r, &b);
	ok(b.failed, "and it is not written either");
	buf_free(&b);
}

/* Rules that hold between fields. */
static bool holds(const struct wire_layout *l, const void *host)
{
	uint8_t *out = malloc(l->host);
	struct bawn_error e = { 0 };
	struct buf b;
	struct cur c;
	int rc;

	buf_init(&b, WIRE_MAX);
	wire_encode(l, host, &b);
	c = cur_make(b.p, b.n);
	rc = wire_decode(l, &c, out, &e);
	buf_free(&b);
	free(out);
	return rc == 0;
}

#define REFUSED(S, layout, change, name)                                                           \
	do {                                                                                       \
		S *x = malloc(sizeof(S));                                                          \
		sample_fill((layout), x);                                                          \
		ok(holds((layout), x), "before: %s", name);                                        \
		change;                                                                            \
		ok(!holds((layout), x), "%s", name);                                               \
		free(x);                                                                           \
	} while (0)

static void test_flaws(void)
{
	const struct wire_layout *hello = wire_message_of(WIRE_HELLO)->request,
				 *quote = wire_message_of(WIRE_QUOTE)->request,
				 *launch = wire_message_of(WIRE_LAUNCH)->request,
				 *collateral = wire_message_of(WIRE_COLLATERAL)->request,
				 *now = wire_message_of(WIRE_PROVISION_NOW)->request,
				 *target = wire_message_of(WIRE_TARGET_INFO)->request;

	REFUSED(struct wire_hello, hello, x->min = 2, "versions from 2 to 1");
	REFUSED(struct wire_hello, hello, x->min = x->max = 0, "version 0");
	REFUSED(struct wire_quote, quote, x->want_report = false, "a nonce without a report");
	REFUSED(struct wire_quote, quote, x->key = 0, "a quote by no key");
	REFUSED(struct wire_target_info, target, x->key = 0, "target info of no key");
	REFUSED(struct wire_launch, launch, x->size--, "a size that is no power of two");
	REFUSED(struct wire_launch, launch, x->size = 0, "no size");
	REFUSED(struct wire_launch, launch, x->size = 2048, "half a page");
	REFUSED(struct wire_launch, launch, x->base += 4096, "a base that is not aligned");
	REFUSED(struct wire_launch, launch, x->pages = 0, "no pages");
	REFUSED(struct wire_launch, launch, x->base = 0; x->size = 8192; x->pages = 3, "pages that do not fit");
	REFUSED(struct wire_collateral, collateral, x->tee = 1, "an unknown TEE");
	REFUSED(struct wire_collateral, collateral, strcpy(x->ca, "root"), "an unknown CA");
	REFUSED(struct wire_provision_now, now, x->what = 0, "nothing to provision");
	REFUSED(struct wire_entry, &wire_entry_layout, x->kind = 0, "an entry of no kind");
	REFUSED(struct wire_entry, &wire_entry_layout, x->kind = WIRE_REVOCATION, "a revocation that ends");
	REFUSED(struct wire_match, &wire_match_layout, x->operations = 0, "a match of no operation");
	REFUSED(struct wire_match, &wire_match_layout, x->uid_first = 2, "uids from 2 to 1");
	REFUSED(struct wire_match, &wire_match_layout, x->gid_first = 2, "gids from 2 to 1");
	REFUSED(struct wire_match, &wire_match_layout, strcpy(x->cgroup, "a"), "a relative control group");
	REFUSED(struct wire_match, &wire_match_layout, strcpy(x->cgroup, "/a/"), "a control group and a slash");
	REFUSED(struct wire_match, &wire_match_layout, x->socket[0] = 0; x->socket[1] = 0, "an unnamed socket");
	REFUSED(struct wire_match, &wire_match_layout,
		x->has &= ~(WIRE_HAS_MRSIGNER | WIRE_HAS_MRENCLAVE); memset(x->mrsigner, 0, 32);
		memset(x->mrenclave, 0, 32), "a product of nobody");
	for (uint32_t bit = 1; bit <= WIRE_HAS_ALL; bit <<= 1)
		REFUSED(struct wire_match, &wire_match_layout, x->has &= ~bit, "a condition without its bit");
	for (uint32_t bit = 1; bit <= WIRE_KNOWN_ALL; bit <<= 1)
		REFUSED(struct wire_identity, &wire_identity_layout, x->known &= ~bit,
			"an identity that is not known");
	REFUSED(struct wire_anchor, &wire_anchor_layout, x->count = 0, "a MAC of no line");
}

static void page(uint64_t offset, uint32_t secinfo, const struct wire_page *before, int want,
		 const char *name)
{
	struct wire_page p = { .offset = offset, .secinfo = secinfo, .measured = true }, back;
	struct bawn_error e = { 0 };
	uint8_t b[WIRE_STREAM_ENTRY];

	wire_page_encode(&p, b);
	is_int(wire_page_decode(b, before, 0x10000, &back, &e), want, name);
	if (want == 0)
		ok(back.offset == offset && back.secinfo == secinfo && back.measured, "... as it was");
	for (size_t i = 12; i < WIRE_STREAM_ENTRY; i++) {
		b[i] ^= 2;
		if (wire_page_decode(b, before, 0x10000, &back, &e) != BAWN_ERR_FORMAT)
			ok(false, "... byte %zu spoiled is refused", i);
		b[i] ^= 2;
	}
}

static void test_stream(void)
{
	struct wire_page before = { .offset = 0x1000 };

	is_int(wire_stream_data(0), 0, "a stream of no pages");
	is_int(wire_stream_size(WIRE_STREAM_PAGES_MAX + 1), 0, "a stream of too many");
	is_int(wire_stream_data(1), 4096, "one page starts behind its table");
	is_int(wire_stream_size(1), 8192, "... and is two pages");
	is_int(wire_stream_data(256), 4096, "256 entries fill a page");
	is_int(wire_stream_data(257), 8192, "257 do not fit one");
	page(0, 0x205, NULL, 0, "a first page");
	page(0x2000, 0x203, &before, 0, "a page after another");
	page(0x3000, 0x100, &before, 0, "a TCS");
	page(0x1000, 0x205, &before, BAWN_ERR_FORMAT, "the same page twice");
	page(0, 0x205, &before, BAWN_ERR_FORMAT, "a page before the one before");
	page(0x10000, 0x205, NULL, BAWN_ERR_FORMAT, "a page past the end");
	page(UINT64_C(0xfffffffffffff000), 0x205, NULL, BAWN_ERR_FORMAT, "a page at the end of the world");
	page(0x1001, 0x205, NULL, BAWN_ERR_FORMAT, "an offset within a page");
	page(0x1000, 0x202, NULL, BAWN_ERR_FORMAT, "a page that can be written and not read");
	page(0x1000, 0x005, NULL, BAWN_ERR_FORMAT, "a SECS");
	page(0x1000, 0x80000205, NULL, BAWN_ERR_FORMAT, "reserved bits of SECINFO");
}

static void test_identity(void)
{
	static struct wire_request r;
	struct wire_identity id;
	uint8_t want[32];

	r.head.type = WIRE_QUOTE;
	memset(r.u.quote.report.body.mrenclave, 1, 32);
	memset(r.u.quote.report.body.mrsigner, 2, 32);
	r.u.quote.report.body.isvprodid = 3;
	r.u.quote.report.body.isvsvn = 4;
	r.u.quote.report.body.attributes.flags = ATTR_DEBUG;
	wire_request_identity(&r, &id);
	ok(id.known == WIRE_KNOWN_ALL && id.mrenclave[31] == 1 && id.mrsigner[31] == 2 &&
		   id.product == 3 && id.svn == 4 && id.attributes == ATTR_DEBUG,
	   "a quote is about the report's enclave");
	memset(&r, 0, sizeof(r));
	r.head.type = WIRE_TOKEN;
	memset(r.u.token.mrsigner, 5, 32);
	wire_request_identity(&r, &id);
	ok(id.known == (WIRE_KNOWN_MRENCLAVE | WIRE_KNOWN_MRSIGNER | WIRE_KNOWN_ATTRIBUTES) &&
		   id.mrsigner[0] == 5,
	   "of a token's enclave product and SVN are not known");
	memset(&r, 0, sizeof(r));
	r.head.type = WIRE_LAUNCH;
	memset(r.u.launch.sigstruct.modulus, 6, 384);
	r.u.launch.attributes = ATTR_MODE64BIT;
	crypto_sha256(r.u.launch.sigstruct.modulus, 384, want);
	wire_request_identity(&r, &id);
	ok(id.known == WIRE_KNOWN_ALL && memcmp(id.mrsigner, want, 32) == 0 &&
		   id.attributes == ATTR_MODE64BIT,
	   "a launch is about the SIGSTRUCT's signer");
	r.head.type = WIRE_STATUS;
	wire_request_identity(&r, &id);
	is_int(id.known, 0, "status is about no enclave");
}

static void test_codes(void)
{
	bool named = true, errors = true;

	for (unsigned i = 0; i < WIRE_CODES; i++) {
		named = named && strcmp(wire_code_name(i), "?") != 0;
		errors = errors && (wire_code_error(i) < 0) == (i != WIRE_OK);
	}
	ok(named && strcmp(wire_code_name(WIRE_CODES), "?") == 0, "every code has a name");
	ok(errors && wire_code_error(0xffff) < 0, "every code but the first is an error to a client");
	is_int(wire_code_of(BAWN_ERR_DENIED), WIRE_DENIED, "denied");
	is_int(wire_code_of(-1000), WIRE_FAILED, "an unknown error");
	for (unsigned i = 0; i < WIRE_OPERATIONS; i++)
		named = named && strcmp(wire_operation_name(i), "?") != 0;
	for (unsigned i = 0; i < WIRE_AUDIT_EVENTS; i++)
		named = named && strcmp(wire_audit_event_name(i), "?") != 0;
	ok(named, "so has every operation and every event");
	for (unsigned bit = 0; 1u << bit <= WIRE_OUTLIVES_ALL; bit++)
		named = named && wire_outlives_text(bit);
	ok(named && !wire_outlives_text(31), "what outlives a revocation has words");
	is_int(wire_outlives(WIRE_OP_BIT(WIRE_OP_LAUNCH)), WIRE_OUTLIVES_TOKENS | WIRE_OUTLIVES_ENCLAVES,
	       "tokens and enclaves outlive that of launching");
	is_int(wire_outlives(WIRE_OP_ALL), WIRE_OUTLIVES_ALL, "and all of it that of everything");
}

int main(void)
{
	for (unsigned type = 1; type < WIRE_TYPES; type++) {
		char name[64];

		snprintf(name, sizeof(name), "request %s", wire_message_of(type)->name);
		test_layout(wire_message_of(type)->request, name);
		snprintf(name, sizeof(name), "answer to %s", wire_message_of(type)->name);
		test_layout(wire_message_of(type)->answer, name);
		test_request(type);
		test_answer(type);
	}
	test_head();
	test_flaws();
	test_stream();
	test_identity();
	test_codes();
	return tap_done();
}
