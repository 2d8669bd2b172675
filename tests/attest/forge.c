/* See forge.h. */
#include "tests/attest/forge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INTEL_REST "O=Intel Corporation, L=Santa Clara, ST=CA, C=US"

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "forge: %s\n", what);
	exit(1);
}

/* ---- default statements ---- */

#define SVN8(v) "{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "}"
#define SVNS(v) "[" SVN8(v) "," SVN8("0") "]"
#define NAMED(v) "[{\"svn\":" v ",\"category\":\"BIOS\",\"type\":\"Early Microcode Update\"}," \
	"{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "}," SVN8("0") "]"
#define TDXS(v) "[{\"svn\":" v ",\"category\":\"OS/VMM\",\"type\":\"TDX Module\"},{\"svn\":0},{\"svn\":" v "},{\"svn\":0}," \
	"{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0}," SVN8("0") "]"
#define HEAD(id) "{\"id\":\"" id "\",\"version\":3,\"issueDate\":\"2025-12-20T00:00:00Z\"," \
	"\"nextUpdate\":\"2026-01-19T00:00:00Z\",\"fmspc\":\"00a0b0c0d0e0\",\"pceId\":\"0000\",\"tcbType\":0," \
	"\"tcbEvaluationDataNumber\":20,"
#define ZERO48 "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"

const char forge_sgx_tcb[] = HEAD("SGX") "\"tcbLevels\":["
	"{\"tcb\":{\"sgxtcbcomponents\":" NAMED("5") ",\"pcesvn\":11},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"},"
	"{\"tcb\":{\"sgxtcbcomponents\":" NAMED("4") ",\"pcesvn\":10},\"tcbDate\":\"2024-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\","
		"\"advisoryIDs\":[\"INTEL-SA-00001\",\"INTEL-SA-00002\"]},"
	"{\"tcb\":{\"sgxtcbcomponents\":" SVNS("2") ",\"pcesvn\":5},\"tcbDate\":\"2020-01-01T00:00:00Z\",\"tcbStatus\":\"Revoked\","
		"\"advisoryIDs\":[\"INTEL-SA-00003\"]}]}";

#define COMP(n, v) "\"sgxtcbcomp" n "svn\":" v ","
#define COMPS(v) COMP("01", v) COMP("02", v) COMP("03", v) COMP("04", v) COMP("05", v) COMP("06", v) COMP("07", v) \
	COMP("08", v) COMP("09", "0") COMP("10", "0") COMP("11", "0") COMP("12", "0") COMP("13", "0") COMP("14", "0") \
	COMP("15", "0") COMP("16", "0")

const char forge_sgx_tcb_v2[] = "{\"version\":2,\"issueDate\":\"2025-12-20T00:00:00Z\",\"nextUpdate\":\"2026-01-19T00:00:00Z\","
	"\"fmspc\":\"00a0b0c0d0e0\",\"pceId\":\"0000\",\"tcbType\":0,\"tcbEvaluationDataNumber\":20,\"tcbLevels\":["
	"{\"tcb\":{" COMPS("5") "\"pcesvn\":11},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"},"
	"{\"tcb\":{" COMPS("4") "\"pcesvn\":10},\"tcbDate\":\"2024-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\"}]}";

const char forge_tdx_tcb[] = HEAD("TDX")
	"\"tdxModule\":{\"mrsigner\":\"" ZERO48 "\",\"attributes\":\"0000000000000000\",\"attributesMask\":\"FFFFFFFFFFFFFFFF\"},"
	"\"tdxModuleIdentities\":[{\"id\":\"TDX_01\",\"mrsigner\":\"" ZERO48 "\",\"attributes\":\"0000000000000000\","
	"\"attributesMask\":\"FFFFFFFFFFFFFFFF\",\"tcbLevels\":["
		"{\"tcb\":{\"isvsvn\":5},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"},"
		"{\"tcb\":{\"isvsvn\":3},\"tcbDate\":\"2024-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":[\"INTEL-SA-00005\"]},"
		"{\"tcb\":{\"isvsvn\":2},\"tcbDate\":\"2023-01-01T00:00:00Z\",\"tcbStatus\":\"Revoked\"}]}],"
	"\"tcbLevels\":["
	"{\"tcb\":{\"sgxtcbcomponents\":" SVNS("5") ",\"pcesvn\":11,\"tdxtcbcomponents\":" TDXS("5") "},"
		"\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"},"
	"{\"tcb\":{\"sgxtcbcomponents\":" SVNS("4") ",\"pcesvn\":10,\"tdxtcbcomponents\":" TDXS("3") "},"
		"\"tcbDate\":\"2024-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":[\"INTEL-SA-00004\"]}]}";

#define QE(id, product) "{\"id\":\"" id "\",\"version\":2,\"issueDate\":\"2025-12-21T00:00:00Z\"," \
	"\"nextUpdate\":\"2026-01-20T00:00:00Z\",\"tcbEvaluationDataNumber\":20,\"miscselect\":\"00000000\"," \
	"\"miscselectMask\":\"FFFFFFFF\",\"attributes\":\"11000000000000000000000000000000\"," \
	"\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\"," \
	"\"mrsigner\":\"000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F\",\"isvprodid\":" product "," \
	"\"tcbLevels\":[{\"tcb\":{\"isvsvn\":8},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"}," \
	"{\"tcb\":{\"isvsvn\":6},\"tcbDate\":\"2023-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":[\"INTEL-SA-00009\"]}," \
	"{\"tcb\":{\"isvsvn\":4},\"tcbDate\":\"2021-01-01T00:00:00Z\",\"tcbStatus\":\"Revoked\"}]}"

const char forge_sgx_qe[] = QE("QE", "1");
const char forge_tdx_qe[] = QE("TD_QE", "2");

/* ---- keys, edits, PEM ---- */

void forge_key(struct forge_key *k, const char *label)
{
	uint8_t h[64];

	crypto_sha256(label, strlen(label), h);
	crypto_sha256(h, 32, h + 32);
	must(!crypto_p256_scalar(h, 64, k->d, NULL) && !crypto_p256_public(k->d, k->xy, NULL), "key");
}

static void replace_first(struct buf *b, const uint8_t *from, size_t from_n, const uint8_t *to, size_t to_n)
{
	uint8_t *at = memmem(b->p, b->n, from, from_n);
	struct buf out;
	size_t before;

	must(at != NULL, "an edit does not apply");
	before = (size_t)(at - b->p);
	buf_init(&out, 1 << 20);
	buf_add(&out, b->p, before);
	buf_add(&out, to, to_n);
	buf_add(&out, at + from_n, b->n - before - from_n);
	must(!out.failed, "memory");
	buf_free(b);
	*b = out;
}

static void apply_text(struct buf *b, const struct forge_edit *edits)
{
	for (int i = 0; edits && i < FORGE_EDITS && edits[i].from; i++)
		replace_first(b, (const uint8_t *)edits[i].from, strlen(edits[i].from), (const uint8_t *)edits[i].to,
			      strlen(edits[i].to));
}

static void apply_hex(struct buf *b, const struct forge_edit *edits)
{
	uint8_t from[256], to[256];

	for (int i = 0; i < FORGE_EDITS && edits[i].from; i++) {
		size_t n = strlen(edits[i].from) / 2, m = strlen(edits[i].to) / 2;

		must(n <= 256 && m <= 256 && hex_decode(edits[i].from, 2 * n, from, n) &&
		     hex_decode(edits[i].to, 2 * m, to, m), "hexadecimal edit");
		replace_first(b, from, n, to, m);
	}
}

void forge_pem(struct buf *out, const char *label, const uint8_t *der, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	buf_printf(out, "-----BEGIN %s-----\n", label);
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)der[i] << 16 | (i + 1 < n ? (uint32_t)der[i + 1] << 8 : 0) |
			     (i + 2 < n ? der[i + 2] : 0);

		buf_printf(out, "%c%c%c%c%s", digits[v >> 18], digits[v >> 12 & 63], i + 1 < n ? digits[v >> 6 & 63] : '=',
			   i + 2 < n ? digits[v & 63] : '=', (i + 3) % 48 == 0 || i + 3 >= n ? "\n" : "");
	}
	buf_printf(out, "-----END %s-----\n", label);
}

void forge_json(struct buf *out, const char *name, const char *body, const struct forge_edit *edits,
		const struct forge_key *key)
{
	uint8_t digest[32], rs[64];
	char hex[129];
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_str(&b, body);
	apply_text(&b, edits);
	crypto_sha256(b.p, b.n, digest);
	must(!crypto_p256_sign(key->d, digest, rs, NULL), "signing");
	hex_encode(rs, 64, hex);
	buf_printf(out, "{\"%s\":", name);
	buf_add(out, b.p, b.n);
	buf_printf(out, ",\"signature\":\"%s\"}", hex);
	must(!out->failed, "memory");
	buf_free(&b);
}

/* ---- DER ---- */

static void der(struct buf *b, uint8_t tag, const void *p, size_t n)
{
	uint8_t head[4] = { tag, (uint8_t)n };
	size_t head_n = 2;

	if (n >= 0x100) {
		head[1] = 0x82;
		head[2] = (uint8_t)(n >> 8);
		head[3] = (uint8_t)n;
		head_n = 4;
	} else if (n >= 0x80) {
		head[1] = 0x81;
		head[2] = (uint8_t)n;
		head_n = 3;
	}
	buf_add(b, head, head_n);
	buf_add(b, p, n);
}

/* Everything from `start` on becomes the body of one element. */
static void wrap(struct buf *b, size_t start, uint8_t tag)
{
	size_t n = b->n - start;
	uint8_t *body = malloc(n + 1);

	must(body != NULL, "memory");
	memcpy(body, b->p + start, n);
	b->n = start;
	der(b, tag, body, n);
	free(body);
}

static void der_number(struct buf *b, uint8_t tag, uint64_t v)
{
	uint8_t p[9] = { 0 };
	size_t n = 1;

	for (uint64_t x = v >> 8; x; x >>= 8)
		n++;
	for (size_t i = 0; i < n; i++)
		p[n - i] = (uint8_t)(v >> 8 * i);
	if (p[1] & 0x80)
		der(b, tag, p, n + 1);
	else
		der(b, tag, p + 1, n);
}

static void der_serial(struct buf *b, const uint8_t *p, size_t n)
{
	uint8_t v[33] = { 0 };

	memcpy(v + 1, p, n);
	if (p[0] & 0x80)
		der(b, DER_INTEGER, v, n + 1);
	else
		der(b, DER_INTEGER, p, n);
}

static void der_algorithm(struct buf *b)
{
	static const uint8_t ecdsa_sha256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 };

	der(b, DER_SEQUENCE, ecdsa_sha256, sizeof(ecdsa_sha256));
}

static void der_attribute(struct buf *b, uint8_t attribute, const char *value, size_t n)
{
	uint8_t oid[3] = { 0x55, 0x04, attribute };
	size_t start = b->n;

	der(b, DER_OID, oid, sizeof(oid));
	der(b, attribute == 6 ? DER_PRINTABLE_STRING : DER_UTF8_STRING, value, n);
	wrap(b, start, DER_SEQUENCE);
	wrap(b, start, DER_SET);
}

static void der_name(struct buf *b, const char *cn, const char *rest)
{
	static const struct {
		const char *key;
		uint8_t attribute;
	} keys[] = { { "OU=", 11 }, { "O=", 10 }, { "L=", 7 }, { "ST=", 8 }, { "C=", 6 } };
	size_t start = b->n;

	der_attribute(b, 3, cn, strlen(cn));
	while (rest && *rest) {
		for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
			size_t k = strlen(keys[i].key);

			if (strncmp(rest, keys[i].key, k) == 0) {
				size_t n = strcspn(rest + k, ",");

				der_attribute(b, keys[i].attribute, rest + k, n);
				rest += k + n;
				break;
			}
		}
		rest += strspn(rest, ", ");
	}
	wrap(b, start, DER_SEQUENCE);
}

static void der_time(struct buf *b, int64_t t, bool generalized)
{
	time_t v = (time_t)t;
	struct tm tm;
	char s[32];

	gmtime_r(&v, &tm);
	generalized |= tm.tm_year >= 150;
	strftime(s, sizeof(s), "%Y%m%d%H%M%SZ", &tm);
	if (generalized)
		der(b, DER_GENERALIZED_TIME, s, strlen(s));
	else
		der(b, DER_UTC_TIME, s + 2, strlen(s + 2));
}

/* Sign the TBS that b holds, and complete it to what it is to be. */
static void der_sign(struct buf *b, const struct forge_key *key)
{
	uint8_t digest[32], rs[64], zero = 0;
	size_t start;

	must(!b->failed, "memory");
	crypto_sha256(b->p, b->n, digest);
	must(!crypto_p256_sign(key->d, digest, rs, NULL), "signing");
	der_algorithm(b);
	start = b->n;
	for (int half = 0; half < 2; half++) {
		const uint8_t *p = rs + 32 * half;
		size_t n = 32;

		while (n > 1 && !*p) {
			p++;
			n--;
		}
		der_serial(b, p, n);
	}
	wrap(b, start, DER_SEQUENCE);
	{
		size_t n = b->n - start;
		uint8_t sig[80];

		memcpy(sig, b->p + start, n);
		b->n = start;
		buf_add(b, &zero, 1);
		buf_add(b, sig, n);
		wrap(b, start, DER_BIT_STRING);
	}
	wrap(b, 0, DER_SEQUENCE);
	must(!b->failed, "memory");
}

/* ---- certificates ---- */

static void der_extension(struct buf *b, const void *oid, size_t oid_n, bool critical, const void *value, size_t n)
{
	static const uint8_t yes = 0xff;
	size_t start = b->n;

	der(b, DER_OID, oid, oid_n);
	if (critical)
		der(b, DER_BOOLEAN, &yes, 1);
	der(b, DER_OCTET_STRING, value, n);
	wrap(b, start, DER_SEQUENCE);
}

static void sgx_member(struct buf *b, const uint8_t *id, size_t id_n, uint8_t tag, const void *value, size_t n)
{
	uint8_t oid[11] = { 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01 };
	size_t start = b->n;

	memcpy(oid + 9, id, id_n);
	der(b, DER_OID, oid, 9 + id_n);
	if (tag == DER_INTEGER)
		der_number(b, tag, *(const uint16_t *)value);
	else
		der(b, tag, value, n);
	wrap(b, start, DER_SEQUENCE);
}

static void sgx_extension(struct buf *out, const struct attest_pck *p, uint32_t members)
{
	static const uint8_t sgx[] = { 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01 };
	const bool flag[] = { p->dynamic_platform, p->cached_keys, p->smt };
	struct buf b, inner;

	buf_init(&b, 4096);
	for (uint8_t m = 1; m <= 7; m++) {
		if (!(members >> m & 1))
			continue;
		buf_init(&inner, 4096);
		switch (m) {
		case 1:
			sgx_member(&b, &m, 1, DER_OCTET_STRING, p->ppid, 16);
			break;
		case 2:
			for (uint8_t i = 1; i <= 18; i++) {
				uint8_t id[2] = { 2, i };
				uint16_t v = i <= 16 ? p->components[i - 1] : p->pcesvn;

				if (i <= 17)
					sgx_member(&inner, id, 2, DER_INTEGER, &v, 0);
				else
					sgx_member(&inner, id, 2, DER_OCTET_STRING, p->cpusvn, 16);
			}
			sgx_member(&b, &m, 1, DER_SEQUENCE, inner.p, inner.n);
			break;
		case 3:
			sgx_member(&b, &m, 1, DER_OCTET_STRING, p->pce_id, 2);
			break;
		case 4:
			sgx_member(&b, &m, 1, DER_OCTET_STRING, p->fmspc, 6);
			break;
		case 5:
			sgx_member(&b, &m, 1, DER_ENUMERATED, &p->sgx_type, 1);
			break;
		case 6:
			sgx_member(&b, &m, 1, DER_OCTET_STRING, p->piid, 16);
			break;
		case 7:
			for (uint8_t i = 1; i <= 3; i++) {
				uint8_t id[2] = { 7, i }, v = flag[i - 1] ? 0xff : 0;

				sgx_member(&inner, id, 2, DER_BOOLEAN, &v, 1);
			}
			sgx_member(&b, &m, 1, DER_SEQUENCE, inner.p, inner.n);
			break;
		}
		buf_free(&inner);
	}
	wrap(&b, 0, DER_SEQUENCE);
	der_extension(out, sgx, sizeof(sgx), false, b.p, b.n);
	buf_free(&b);
}

static void extensions(struct buf *b, const struct forge *f, int which, const struct forge_key *issuer)
{
	static const uint8_t emulated[] = { 0x69, 0xa9, 0x8f, 0xe6, 0xe7, 0x8c, 0xbc, 0xfa, 0x95, 0xad,
					    0x90, 0x95, 0xf7, 0xea, 0xa7, 0xd5, 0xb5, 0x81, 0x76 };
	static const uint8_t null[] = { 0x05, 0x00 };
	const struct forge_cert *c = &f->cert[which];
	uint8_t oid[3] = { 0x55, 0x1d, 35 }, aki[24] = { 0x30, 0x16, 0x80, 0x14 }, usage[4] = { 0x03, 0x02, 0x01 };
	uint8_t ca[5] = { 0x30, 0x03, 0x01, 0x01, 0xff }, none[2] = { 0x30, 0x00 }, digest[32];
	size_t start = b->n;

	crypto_sha256(issuer->xy, 64, digest);
	memcpy(aki + 4, digest, 20);
	der_extension(b, oid, 3, false, aki, sizeof(aki));
	if (c->key_usage >= 0) {
		oid[2] = 15;
		usage[3] = (uint8_t)c->key_usage;
		der_extension(b, oid, 3, true, usage, sizeof(usage));
	}
	if (c->ca >= 0) {
		oid[2] = 19;
		der_extension(b, oid, 3, true, c->ca ? ca : none, c->ca ? sizeof(ca) : sizeof(none));
	}
	if (c->emulated)
		der_extension(b, emulated, sizeof(emulated), true, null, sizeof(null));
	if (which == FORGE_PCK && f->pck_members)
		sgx_extension(b, &f->platform, f->pck_members);
	wrap(b, start, DER_SEQUENCE);
	wrap(b, start, 0xa3);
}

static void make_cert(struct forge *f, int which, const struct forge_key *issuer)
{
	static const uint8_t version[] = { 0x02, 0x01, 0x02 };
	static const uint8_t p256[] = { 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
					0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
	const struct forge_cert *c = &f->cert[which];
	uint8_t point[66] = { 0x00, 0x04 };
	struct buf *b = &f->der[which];
	size_t start;

	buf_free(b);
	buf_init(b, 1 << 16);
	der(b, 0xa0, version, sizeof(version));
	der_serial(b, c->serial, c->serial_n);
	der_algorithm(b);
	der_name(b, c->issuer, c->rest);
	start = b->n;
	der_time(b, c->from, c->generalized);
	der_time(b, c->until, c->generalized);
	wrap(b, start, DER_SEQUENCE);
	der_name(b, c->subject, c->rest);
	start = b->n;
	buf_add(b, p256, sizeof(p256));
	memcpy(point + 2, f->key[which].xy, 64);
	der(b, DER_BIT_STRING, point, sizeof(point));
	wrap(b, start, DER_SEQUENCE);
	extensions(b, f, which, issuer);
	wrap(b, 0, DER_SEQUENCE);
	apply_hex(b, c->edit);
	der_sign(b, issuer);
}

/* ---- revocation lists ---- */

static void make_crl(struct buf *b, const struct forge_crl *c, const struct forge_key *issuer)
{
	static const uint8_t version[] = { 0x02, 0x01, 0x01 }, number[] = { 0x02, 0x01, 0x07 };
	uint8_t oid[3] = { 0x55, 0x1d, 20 }, aki[24] = { 0x30, 0x16, 0x80, 0x14 }, digest[32];
	size_t start, entry;

	buf_free(b);
	buf_init(b, 1 << 18);
	buf_add(b, version, sizeof(version));
	der_algorithm(b);
	der_name(b, c->issuer, c->rest);
	der_time(b, c->from, false);
	der_time(b, c->until, false);
	start = b->n;
	for (size_t i = 0; i < c->count; i++) {
		entry = b->n;
		der_serial(b, c->serial[i], c->serial_n[i]);
		der_time(b, c->from, false);
		wrap(b, entry, DER_SEQUENCE);
	}
	if (c->count)
		wrap(b, start, DER_SEQUENCE);
	start = b->n;
	der_extension(b, oid, 3, false, number, sizeof(number));
	oid[2] = 35;
	crypto_sha256(issuer->xy, 64, digest);
	memcpy(aki + 4, digest, 20);
	der_extension(b, oid, 3, false, aki, sizeof(aki));
	wrap(b, start, DER_SEQUENCE);
	wrap(b, start, 0xa0);
	wrap(b, 0, DER_SEQUENCE);
	apply_hex(b, c->edit);
	der_sign(b, issuer);
}

/* ---- the quote ---- */

static size_t body_size(enum attest_body t)
{
	return t == ATTEST_BODY_SGX ? 384 : t == ATTEST_BODY_TD10 ? 584 : t == ATTEST_BODY_TD15 ? 648 : 885;
}

static void le16(struct buf *b, unsigned v)
{
	uint8_t p[2] = { (uint8_t)v, (uint8_t)(v >> 8) };

	buf_add(b, p, 2);
}

static void le32(struct buf *b, size_t v)
{
	le16(b, v & 0xffff);
	le16(b, (unsigned)(v >> 16));
}

static void certification(struct buf *b, const struct forge *f)
{
	uint8_t ppid[384 + 20] = { 0 };
	size_t sizes[] = { 0, 16, 256, 384 }, n;

	le16(b, f->cert_type);
	switch (f->cert_type) {
	case ATTEST_CERT_PCK_CHAIN:
		le32(b, f->pck_chain.n + 1);
		buf_add(b, f->pck_chain.p, f->pck_chain.n);
		buf_add(b, "", 1); /* as most quoting libraries leave it */
		return;
	case ATTEST_CERT_PCK_LEAF:
		le32(b, f->der[FORGE_PCK].n);
		buf_add(b, f->der[FORGE_PCK].p, f->der[FORGE_PCK].n);
		return;
	case ATTEST_CERT_PPID_PLAIN:
	case ATTEST_CERT_PPID_RSA2048:
	case ATTEST_CERT_PPID_RSA3072:
		n = sizes[f->cert_type];
		memcpy(ppid, f->platform.ppid, 16);
		memcpy(ppid + n, f->platform.cpusvn, 16);
		put_le16(ppid + n + 16, f->platform.pcesvn);
		memcpy(ppid + n + 18, f->platform.pce_id, 2);
		le32(b, n + 20);
		buf_add(b, ppid, n + 20);
		return;
	default:
		le32(b, 8);
		buf_add(b, "manifest", 8);
	}
}

void forge_quote(struct forge *f)
{
	uint8_t digest[32], rs[64];
	struct buf *b = &f->quote, auth, inner;
	struct crypto_sha256 h;
	size_t signed_n;

	buf_free(b);
	buf_init(b, 1 << 17);
	le16(b, f->version);
	le16(b, 2);
	le32(b, f->tee == BAWN_TEE_TDX ? 0x81 : 0);
	le32(b, 0);
	buf_add(b, f->vendor, 16);
	buf_add(b, f->user_data, 20);
	if (f->version == 5) {
		le16(b, f->body_type);
		le32(b, body_size(f->body_type));
	}
	buf_add(b, f->body, body_size(f->body_type));
	signed_n = b->n;
	crypto_sha256(b->p, b->n, digest);
	must(!crypto_p256_sign(f->attestation.d, digest, rs, NULL), "signing");
	buf_init(&auth, 1 << 17);
	buf_init(&inner, 1 << 17);
	buf_add(&auth, rs, 64);
	buf_add(&auth, f->attestation.xy, 64);
	crypto_sha256_init(&h);
	crypto_sha256_update(&h, f->attestation.xy, 64);
	crypto_sha256_update(&h, f->qe_auth, f->qe_auth_n);
	crypto_sha256_final(&h, f->qe_report + 320);
	buf_add(&inner, f->qe_report, 384);
	crypto_sha256(f->qe_report, 384, digest);
	must(!crypto_p256_sign(f->key[FORGE_PCK].d, digest, rs, NULL), "signing");
	buf_add(&inner, rs, 64);
	le16(&inner, (unsigned)f->qe_auth_n);
	buf_add(&inner, f->qe_auth, f->qe_auth_n);
	certification(&inner, f);
	if (f->version > 3) {
		le16(&auth, 6);
		le32(&auth, inner.n);
	}
	buf_add(&auth, inner.p, inner.n);
	le32(b, auth.n);
	buf_add(b, auth.p, auth.n);
	must(!b->failed && !auth.failed && !inner.failed && signed_n < b->n, "memory");
	buf_free(&auth);
	buf_free(&inner);
}

/* ---- all of it ---- */

static void pem_chain(struct buf *out, const struct forge *f, const int *which, size_t n)
{
	buf_free(out);
	buf_init(out, 1 << 16);
	for (size_t i = 0; i < n; i++)
		forge_pem(out, "CERTIFICATE", f->der[which[i]].p, f->der[which[i]].n);
}

void forge_platform(struct forge *f)
{
	static const int pck[] = { FORGE_PCK, FORGE_CA, FORGE_ROOT };

	make_cert(f, FORGE_PCK, &f->key[FORGE_CA]);
	pem_chain(&f->pck_chain, f, pck, 3);
	forge_quote(f);
}

void forge_build(struct forge *f)
{
	static const int tcb[] = { FORGE_TCB, FORGE_ROOT },
			 ca[] = { FORGE_CA, FORGE_ROOT }, root[] = { FORGE_ROOT };

	make_cert(f, FORGE_ROOT, &f->key[FORGE_ROOT]);
	make_cert(f, FORGE_CA, &f->key[FORGE_ROOT]);
	make_cert(f, FORGE_TCB, &f->key[FORGE_ROOT]);
	pem_chain(&f->tcb_chain, f, tcb, 2);
	pem_chain(&f->ca_chain, f, ca, 2);
	pem_chain(&f->root_pem, f, root, 1);
	make_crl(&f->root_crl_der, &f->root_crl, &f->key[FORGE_ROOT]);
	make_crl(&f->pck_crl_der, &f->pck_crl, &f->key[FORGE_CA]);
	buf_free(&f->tcb_json);
	buf_init(&f->tcb_json, 1 << 18);
	forge_json(&f->tcb_json, "tcbInfo", f->tcb_info, f->tcb_edit, &f->key[FORGE_TCB]);
	buf_free(&f->qe_json);
	buf_init(&f->qe_json, 1 << 18);
	forge_json(&f->qe_json, "enclaveIdentity", f->qe_identity, f->qe_edit, &f->key[FORGE_TCB]);
	forge_platform(f);
}

static void init_certs(struct forge *f)
{
	static const char *const subject[] = { "Intel SGX Root CA", "Intel SGX PCK Platform CA", "Intel SGX TCB Signing",
					       "Intel SGX PCK Certificate" };
	static const char *const label[] = { "root", "ca", "tcb signing", "pck" };

	for (int i = 0; i < FORGE_CERTS; i++) {
		struct forge_cert *c = &f->cert[i];

		forge_key(&f->key[i], label[i]);
		c->subject = subject[i];
		c->issuer = subject[i == FORGE_PCK ? FORGE_CA : FORGE_ROOT];
		c->rest = INTEL_REST;
		c->serial_n = 20;
		memcpy(c->serial, f->key[i].xy, 20);
		c->serial[0] |= 1;
		c->from = FORGE_NOW - (400 + i) * FORGE_DAY;
		c->until = FORGE_NOW + (400 + i) * FORGE_DAY;
		c->ca = i == FORGE_ROOT || i == FORGE_CA;
		c->key_usage = c->ca ? 0x06 : 0xc0;
	}
	forge_key(&f->attestation, "attestation");
	f->root_crl = (struct forge_crl){ .issuer = subject[FORGE_ROOT], .rest = INTEL_REST,
					  .from = FORGE_NOW - 20 * FORGE_DAY, .until = FORGE_NOW + 17 * FORGE_DAY };
	f->pck_crl = (struct forge_crl){ .issuer = subject[FORGE_CA], .rest = INTEL_REST,
					 .from = FORGE_NOW - 21 * FORGE_DAY, .until = FORGE_NOW + 16 * FORGE_DAY };
}

void forge_init(struct forge *f, enum bawn_tee tee)
{
	static const uint8_t intel[16] = { 0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
					   0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07 };
	static const uint8_t fmspc[6] = { 0x00, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0 };
	bool tdx = tee == BAWN_TEE_TDX;

	memset(f, 0, sizeof(*f));
	init_certs(f);
	memset(f->platform.ppid, 0x11, 16);
	memset(f->platform.piid, 0x22, 16);
	memset(f->platform.components, 5, 8);
	memset(f->platform.cpusvn, 5, 8);
	f->platform.pcesvn = 11;
	memcpy(f->platform.fmspc, fmspc, 6);
	f->platform.sgx_type = 1;
	f->platform.smt = true;
	f->pck_members = 0xfe;
	f->tcb_info = tdx ? forge_tdx_tcb : forge_sgx_tcb;
	f->qe_identity = tdx ? forge_tdx_qe : forge_sgx_qe;
	f->tee = tee;
	f->version = tdx ? 4 : 3;
	f->cert_type = ATTEST_CERT_PCK_CHAIN;
	f->body_type = tdx ? ATTEST_BODY_TD10 : ATTEST_BODY_SGX;
	memcpy(f->vendor, intel, 16);
	memset(f->user_data, 0x33, 16);
	/* QE: ATTRIBUTES INIT | PROVISION_KEY, the identity's MRSIGNER, product and SVN 8 */
	f->qe_report[48] = 0x11;
	for (int i = 0; i < 32; i++)
		f->qe_report[128 + i] = (uint8_t)i;
	f->qe_report[256] = tdx ? 2 : 1;
	f->qe_report[258] = 8;
	memset(f->qe_auth, 0x44, 32);
	f->qe_auth_n = 32;
	if (tdx) {
		f->body[0] = 5; /* TEE_TCB_SVN: module 5 of version 0, then the loader's 5 */
		f->body[2] = 5;
		f->body[120 + 3] = 0x10; /* SEPT_VE_DISABLE */
		memset(f->body + 136, 0x55, 48);
		memset(f->body + 520, 0x66, 64);
	} else {
		f->body[48] = 0x05; /* INIT | MODE64BIT */
		memset(f->body + 64, 0x55, 32);
		memset(f->body + 128, 0x77, 32);
		f->body[256] = 3;
		f->body[258] = 4;
		memset(f->body + 320, 0x66, 64);
	}
}

void forge_version5(struct forge *f, enum attest_body body)
{
	f->version = 5;
	f->body_type = body;
	memcpy(f->body + 584, f->body, 16); /* TEE_TCB_SVN2 as at launch */
}

void forge_free(struct forge *f)
{
	struct buf *all[] = { &f->pck_chain, &f->tcb_chain, &f->ca_chain, &f->root_pem, &f->root_crl_der,
			      &f->pck_crl_der, &f->tcb_json, &f->qe_json, &f->quote };

	for (int i = 0; i < FORGE_CERTS; i++)
		buf_free(&f->der[i]);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		buf_free(all[i]);
}

static struct bawn_bytes view(const struct buf *b)
{
	return (struct bawn_bytes){ b->p, b->n };
}

struct bawn_root forge_root(const struct forge *f)
{
	return (struct bawn_root){ .profile = BAWN_PROFILE_INTEL, .certificate = view(&f->root_pem) };
}

struct bawn_collateral forge_collateral(const struct forge *f)
{
	return (struct bawn_collateral){
		.tcb_info = view(&f->tcb_json), .qe_identity = view(&f->qe_json), .tcb_chain = view(&f->tcb_chain),
		.root_crl = view(&f->root_crl_der), .pck_crl = view(&f->pck_crl_der), .pck_crl_chain = view(&f->ca_chain),
	};
}
