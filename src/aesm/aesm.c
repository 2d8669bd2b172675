/*
 * Requests and responses of Intel's AESM service: protobuf (proto2) messages,
 * read strictly. doc/AESM.md has the messages and the rules of reading.
 */
#include "aesm/aesm.h"
#include "crypto/crypto.h"

#include <string.h>

/* ---- protobuf ---- */

enum proto_wire { PROTO_VARINT = 0, PROTO_FIXED64 = 1, PROTO_BYTES = 2, PROTO_FIXED32 = 5 };

/* A varint of at most ten bytes, not longer than it has to be. */
static bool varint(struct cur *c, uint64_t *v)
{
	uint8_t b;

	*v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (!cur_u8(c, &b) || (shift == 63 && b > 1))
			return false;
		*v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return b || !shift;
	}
	return false;
}

struct proto_field {
	uint32_t number;
	enum proto_wire wire;
	uint64_t value;    /* PROTO_VARINT */
	struct cur bytes;  /* PROTO_BYTES */
};

/* The next field of a message; groups are refused. */
static bool field(struct cur *c, struct proto_field *f)
{
	uint64_t key, n;

	if (!varint(c, &key) || key >> 3 == 0 || key >> 3 > 0x1fffffff)
		return false;
	f->number = (uint32_t)(key >> 3);
	f->wire = key & 7;
	f->bytes = cur_make(NULL, 0);
	f->value = 0;
	switch (f->wire) {
	case PROTO_VARINT:
		return varint(c, &f->value);
	case PROTO_FIXED64:
		return cur_skip(c, 8);
	case PROTO_FIXED32:
		return cur_skip(c, 4);
	case PROTO_BYTES:
		return varint(c, &n) && n <= c->n && cur_sub(c, (size_t)n, &f->bytes);
	default:
		return false;
	}
}

static void put_varint(struct buf *out, uint64_t v)
{
	uint8_t b[10];
	size_t n = 0;

	do {
		b[n] = (uint8_t)(v & 0x7f) | (v > 0x7f ? 0x80 : 0);
		v >>= 7;
		n++;
	} while (v);
	buf_add(out, b, n);
}

static void put_number(struct buf *out, unsigned number, uint64_t v)
{
	put_varint(out, (uint64_t)number << 3 | PROTO_VARINT);
	put_varint(out, v);
}

static void put_bytes(struct buf *out, unsigned number, struct cur bytes)
{
	put_varint(out, (uint64_t)number << 3 | PROTO_BYTES);
	put_varint(out, bytes.n);
	buf_add(out, bytes.p, bytes.n);
}

/* ---- the messages: which fields each request has ---- */

enum field_kind {
	K_BYTES, /* exactly `size` bytes */
	K_BLOB,  /* up to AESM_BLOB_MAX bytes */
	K_INFO,  /* 960 bytes: nonce, TARGETINFO, REPORT */
	K_U32,
	K_U64,
	K_BOOL,
};
struct field_rule {
	uint8_t number;
	uint8_t kind;
	bool required;
	uint16_t size;
	size_t offset;
};
#define AT(m) offsetof(struct aesm_request, m)
#define BYTES(n, req, m) { n, K_BYTES, req, sizeof(((struct aesm_request *)0)->m), AT(m) }
#define U32(n, req, m) { n, K_U32, req, 4, AT(m) }
#define U64(n, req, m) { n, K_U64, req, 8, AT(m) }
#define BOOL(n, req, m) { n, K_BOOL, req, 1, AT(m) }
#define BLOB(n, req) { n, K_BLOB, req, 0, AT(blob) }
#define TIMEOUT(n) U32(n, false, timeout)
#define INFO_BYTES 960u

#define RULES_MAX 9
static const struct message_rule {
	uint8_t type;
	uint8_t first, second, number; /* of the response's fields; 0: it has none */
	struct field_rule field[RULES_MAX]; /* to the first number 0 */
} rules[] = {
	{ AESM_INIT_QUOTE, 2, 3, 0, { TIMEOUT(9) } },
	{ AESM_GET_QUOTE, 2, 3, 0,
	  { BYTES(1, true, report), U32(2, true, quote_type), BYTES(3, true, spid),
	    BYTES(4, false, nonce), BLOB(5, false), U64(6, true, buf_size), BOOL(7, false, qe_report),
	    TIMEOUT(9) } },
	{ AESM_GET_LAUNCH_TOKEN, 2, 0, 0,
	  { BYTES(1, true, mrenclave), BYTES(2, true, modulus), BYTES(3, true, attributes), TIMEOUT(9) } },
	{ AESM_REPORT_ATTESTATION_ERROR, 2, 0, 0,
	  { BYTES(1, true, platform_info), U32(2, true, error_code), U32(3, true, update_size),
	    TIMEOUT(9) } },
	{ AESM_GET_WHITE_LIST_SIZE, 0, 0, 2, { TIMEOUT(9) } },
	{ AESM_GET_WHITE_LIST, 2, 0, 0, { U32(1, false, list_size), TIMEOUT(9) } },
	{ AESM_GET_EXTENDED_GROUP, 0, 0, 2, { TIMEOUT(9) } },
	{ AESM_SWITCH_EXTENDED_GROUP, 0, 0, 0, { U32(1, false, group), TIMEOUT(9) } },
	{ AESM_REGISTER, 0, 0, 0, { BLOB(1, true), U32(2, true, data_type), TIMEOUT(9) } },
	{ AESM_INIT_QUOTE_EX, 2, 4, 3,
	  { BYTES(1, false, key_id), BOOL(3, true, want_key_id), U64(4, false, buf_size), TIMEOUT(9) } },
	{ AESM_GET_QUOTE_SIZE_EX, 0, 0, 2, { BYTES(1, false, key_id), TIMEOUT(9) } },
	{ AESM_GET_QUOTE_EX, 2, 3, 0,
	  { BYTES(1, true, report), BYTES(2, false, key_id), { 3, K_INFO, false, INFO_BYTES, 0 },
	    U64(4, true, buf_size), TIMEOUT(9) } },
	{ AESM_CHECK_UPDATE, 2, 0, 3,
	  { BYTES(1, false, platform_info), U32(2, true, update_size), U32(3, true, config),
	    TIMEOUT(9) } },
	{ AESM_SELECT_KEY, 2, 0, 0, { BLOB(1, false), TIMEOUT(2) } },
	{ AESM_KEY_COUNT, 0, 0, 2, { TIMEOUT(9) } },
	{ AESM_KEY_IDS, 2, 0, 0, { U64(1, true, buf_size), TIMEOUT(9) } },
};

static const struct message_rule *rule_of(uint64_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].type == type)
			return &rules[i];
	return NULL;
}

/* ---- reading a request ---- */

static bool read_number(const struct field_rule *k, uint64_t v, struct aesm_request *r)
{
	uint8_t *to = (uint8_t *)r + k->offset;
	bool b = v == 1;
	uint32_t v32 = (uint32_t)v;

	if (k->kind == K_BOOL) {
		memcpy(to, &b, sizeof(b));
		return v <= 1;
	}
	if (v > UINT32_MAX && !(k->kind == K_U64 && r->type == AESM_INIT_QUOTE_EX))
		return false; /* its buf_size alone is a uint64 */
	if (k->kind == K_U64)
		memcpy(to, &v, sizeof(v));
	else
		memcpy(to, &v32, sizeof(v32));
	return true;
}

static bool read_info(struct cur c, struct aesm_request *r)
{
	return cur_bytes(&c, r->info_nonce, sizeof(r->info_nonce)) &&
	       cur_bytes(&c, &r->info_target, sizeof(r->info_target)) &&
	       cur_bytes(&c, &r->info_report, sizeof(r->info_report)) && !c.n;
}

/* Bytes of the wrong size are no error of the protocol, but one that is answered. */
static void read_bytes(const struct field_rule *k, struct cur c, struct aesm_request *r)
{
	bool good;

	if (!c.n && !k->required)
		return;
	switch (k->kind) {
	case K_BLOB:
		good = c.n && c.n <= sizeof(r->blob);
		if (good) {
			r->blob_size = (uint32_t)c.n;
			cur_bytes(&c, r->blob, c.n);
		}
		break;
	case K_INFO:
		good = read_info(c, r);
		break;
	default:
		good = c.n == k->size;
		if (good)
			cur_bytes(&c, (uint8_t *)r + k->offset, c.n);
	}
	if (good)
		r->has |= 1u << k->number;
	else
		r->flaw = AESM_ERR_PARAMETER;
}

static const struct field_rule *field_rule(const struct message_rule *m, uint32_t number)
{
	for (size_t i = 0; i < RULES_MAX && m->field[i].number; i++)
		if (m->field[i].number == number)
			return &m->field[i];
	return NULL;
}

/* One field of a request; what a later release may have added is passed over. */
static int read_field(const struct message_rule *m, const struct proto_field *f, uint32_t *seen,
		      struct aesm_request *r, struct bawn_error *e)
{
	const struct field_rule *k = field_rule(m, f->number);
	bool bytes;

	if (!k)
		return 0;
	bytes = k->kind == K_BYTES || k->kind == K_BLOB || k->kind == K_INFO;
	if (f->wire != (bytes ? PROTO_BYTES : PROTO_VARINT))
		return err_set(e, BAWN_ERR_FORMAT, "AESM message %u: field %u is of another type", m->type,
			       f->number);
	if (*seen & 1u << k->number)
		return err_set(e, BAWN_ERR_FORMAT, "AESM message %u: field %u is there twice", m->type,
			       f->number);
	*seen |= 1u << k->number;
	if (bytes) {
		read_bytes(k, f->bytes, r);
		return 0;
	}
	if (!read_number(k, f->value, r))
		return err_set(e, BAWN_ERR_FORMAT, "AESM message %u: field %u is out of range", m->type,
			       f->number);
	r->has |= 1u << k->number;
	return 0;
}

static int read_body(const struct message_rule *m, struct cur c, struct aesm_request *r,
		     struct bawn_error *e)
{
	uint32_t seen = 0;

	while (c.n) {
		struct proto_field f;
		int rc;

		if (!field(&c, &f))
			return err_set(e, BAWN_ERR_FORMAT, "AESM message %u is no protobuf", m->type);
		rc = read_field(m, &f, &seen, r, e);
		if (rc)
			return rc;
	}
	for (size_t i = 0; i < RULES_MAX && m->field[i].number; i++)
		if (m->field[i].required && !(seen & 1u << m->field[i].number))
			return err_set(e, BAWN_ERR_FORMAT, "AESM message %u lacks field %u", m->type,
				       m->field[i].number);
	return 0;
}

int aesm_request_decode(const void *p, size_t n, struct aesm_request *r, struct bawn_error *e)
{
	struct cur c = cur_make(p, n);
	const struct message_rule *m;
	struct proto_field f;

	memset(r, 0, offsetof(struct aesm_request, blob));
	if (n > AESM_FRAME_MAX || !field(&c, &f) || f.wire != PROTO_BYTES)
		return err_set(e, BAWN_ERR_FORMAT, "not a request of AESM's protocol");
	m = rule_of(f.number);
	if (!m)
		return err_set(e, BAWN_ERR_FORMAT, "AESM's protocol has no request %u", f.number);
	if (c.n) /* a second request, or what no client sends */
		return err_set(e, BAWN_ERR_FORMAT, "AESM message %u: %zu bytes too many", m->type, c.n);
	r->type = m->type;
	return read_body(m, f.bytes, r, e);
}

/* ---- between gate and vault ---- */

static const struct wire_field request_fields[] = {
	F_UINT(struct aesm_request, type),
	F_UINT(struct aesm_request, has),
	F_UINT(struct aesm_request, flaw),
	F_BYTES(struct aesm_request, report),
	F_BYTES(struct aesm_request, mrenclave),
	F_BYTES(struct aesm_request, modulus),
	F_BYTES(struct aesm_request, attributes),
	F_BYTES(struct aesm_request, key_id),
	F_BYTES(struct aesm_request, nonce),
	F_BYTES(struct aesm_request, spid),
	F_BYTES(struct aesm_request, platform_info),
	F_BYTES(struct aesm_request, info_nonce),
	F_BYTES(struct aesm_request, info_target),
	F_BYTES(struct aesm_request, info_report),
	F_BOOL(struct aesm_request, qe_report),
	F_BOOL(struct aesm_request, want_key_id),
	F_UINT(struct aesm_request, buf_size),
	F_UINT(struct aesm_request, quote_type),
	F_UINT(struct aesm_request, group),
	F_UINT(struct aesm_request, data_type),
	F_UINT(struct aesm_request, error_code),
	F_UINT(struct aesm_request, update_size),
	F_UINT(struct aesm_request, config),
	F_UINT(struct aesm_request, list_size),
	F_UINT(struct aesm_request, timeout),
	F_MAX(struct aesm_request, blob_size, AESM_BLOB_MAX),
};

static const char *request_flaw(const void *host)
{
	return rule_of(((const struct aesm_request *)host)->type) ? NULL : "no such request";
}

const struct wire_layout aesm_request_layout = { .name = "AESM request",
						 .field = request_fields,
						 .fields = ARRAY_LEN(request_fields),
						 .host = offsetof(struct aesm_request, blob),
						 .flaw = request_flaw };

/* ---- responses ---- */

void aesm_response_encode(const struct aesm_response *r, struct buf *out)
{
	const struct message_rule *m = rule_of(r->type);
	struct buf body, message;
	uint8_t length[4];

	buf_init(&body, AESM_FRAME_MAX);
	buf_init(&message, AESM_FRAME_MAX);
	put_number(&body, 1, r->error);
	if (m && !r->error) {
		if (m->first && r->first.p)
			put_bytes(&body, m->first, r->first);
		if (m->number && (r->has_number || m->type != AESM_CHECK_UPDATE))
			put_number(&body, m->number, r->number);
		if (m->second && r->second.p)
			put_bytes(&body, m->second, r->second);
	}
	put_bytes(&message, r->type, cur_make(body.p, body.n));
	put_le32(length, (uint32_t)message.n);
	buf_add(out, length, sizeof(length));
	buf_add(out, message.p, message.n);
	out->failed = out->failed || !m || body.failed || message.failed;
	buf_free(&body);
	buf_free(&message);
}

/* ---- what they mean ---- */

enum aesm_error aesm_error_of(int rc)
{
	switch (rc) {
	case BAWN_OK:
		return AESM_OK;
	case BAWN_ERR_USAGE:
	case BAWN_ERR_FORMAT:
		return AESM_ERR_PARAMETER;
	case BAWN_ERR_SIGNATURE:
	case BAWN_ERR_MEASUREMENT:
	case BAWN_ERR_SGX:
		return AESM_ERR_REPORT;
	case BAWN_ERR_DENIED:
		return AESM_ERR_DENIED;
	case BAWN_ERR_MEMORY:
		return AESM_ERR_MEMORY;
	case BAWN_ERR_NO_DEVICE:
		return AESM_ERR_NO_DEVICE;
	case BAWN_ERR_NETWORK:
		return AESM_ERR_NETWORK;
	case BAWN_ERR_BUSY:
		return AESM_ERR_BUSY;
	case BAWN_ERR_LOST:
	case BAWN_ERR_CRASHED:
		return AESM_ERR_UNAVAILABLE;
	case BAWN_ERR_UNSUPPORTED:
		return AESM_ERR_INTERFACE;
	default:
		return AESM_ERR_UNEXPECTED;
	}
}

enum wire_operation aesm_operation(unsigned type)
{
	switch (type) {
	case AESM_GET_LAUNCH_TOKEN:
	case AESM_GET_WHITE_LIST_SIZE:
	case AESM_GET_WHITE_LIST:
		return WIRE_OP_LAUNCH;
	case AESM_SWITCH_EXTENDED_GROUP:
	case AESM_REGISTER: /* a white list for everybody on this machine */
		return WIRE_OP_ADMINISTER;
	case AESM_REPORT_ATTESTATION_ERROR:
	case AESM_GET_EXTENDED_GROUP:
	case AESM_CHECK_UPDATE:
		return WIRE_OP_STATUS;
	default:
		return WIRE_OP_QUOTE;
	}
}

void aesm_request_identity(const struct aesm_request *r, struct wire_identity *out)
{
	memset(out, 0, sizeof(*out));
	switch (r->type) {
	case AESM_GET_QUOTE:
	case AESM_GET_QUOTE_EX:
		wire_identity_of_report(&r->report.body, out);
		break;
	case AESM_GET_LAUNCH_TOKEN:
		out->known = WIRE_KNOWN_MRENCLAVE | WIRE_KNOWN_MRSIGNER | WIRE_KNOWN_ATTRIBUTES;
		memcpy(out->mrenclave, r->mrenclave, 32);
		crypto_sha256(r->modulus, sizeof(r->modulus), out->mrsigner);
		out->attributes = r->attributes.flags;
		break;
	default:
		break;
	}
}

/* ---- attestation key ids ---- */

#define KEY_ID_COMPARED 158u
#define KEY_ALGORITHM_ECDSA_P256 2u

const uint8_t aesm_intel_qe3_signer[32] = {
	0x8c, 0x4f, 0x57, 0x75, 0xd7, 0x96, 0x50, 0x3e, 0x96, 0x13, 0x7f, 0x77, 0xc6, 0x8a, 0x82, 0x9a,
	0x00, 0x56, 0xac, 0x8d, 0xed, 0x70, 0x14, 0x0b, 0x08, 0x1b, 0x09, 0x44, 0x90, 0xc5, 0x7b, 0xff,
};

void aesm_key_id(const uint8_t qe_mrsigner[32], uint16_t product, uint8_t out[AESM_KEY_ID])
{
	memset(out, 0, AESM_KEY_ID);
	put_le16(out + 4, 32); /* of the signer, in room for 48 */
	memcpy(out + 6, qe_mrsigner, 32);
	put_le32(out + 54, product);
	put_le32(out + 154, KEY_ALGORITHM_ECDSA_P256);
}

bool aesm_key_id_equal(const uint8_t a[AESM_KEY_ID], const uint8_t b[AESM_KEY_ID])
{
	return ct_equal(a, b, KEY_ID_COMPARED);
}

static bool is_ours(const uint8_t id[AESM_KEY_ID], const uint8_t (*ours)[AESM_KEY_ID], size_t nours)
{
	for (size_t i = 0; i < nours; i++)
		if (aesm_key_id_equal(id, ours[i]))
			return true;
	return false;
}

enum aesm_error aesm_select(const void *list, size_t n, const uint8_t (*ours)[AESM_KEY_ID],
			    size_t nours, uint8_t out[AESM_KEY_ID])
{
	struct cur c = cur_make(list, n);
	uint16_t id, version;
	uint32_t count;

	if (!nours)
		return AESM_ERR_KEY_ID;
	if (!n) {
		memcpy(out, ours[0], AESM_KEY_ID);
		return AESM_OK;
	}
	if (!cur_le16(&c, &id) || !cur_le16(&c, &version) || !cur_le32(&c, &count) || id || version ||
	    count > AESM_KEY_IDS_MAX || c.n != count * AESM_KEY_ID)
		return AESM_ERR_PARAMETER;
	while (cur_bytes(&c, out, AESM_KEY_ID))
		if (is_ours(out, ours, nours))
			return AESM_OK;
	memset(out, 0, AESM_KEY_ID);
	return AESM_ERR_KEY_ID;
}
