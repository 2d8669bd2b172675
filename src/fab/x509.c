/* X.509 certificates and revocation lists (RFC 5280), of the kind that SGX's are. */
#include "fab/fab.h"

#include <string.h>

int fab_key_new(struct fab_key *k, struct bawn_error *e)
{
	uint8_t seed[48]; /* 128 bits more than the order: no bias to speak of (FIPS 186-5 A.2.1) */
	int rc = crypto_random(seed, sizeof(seed), e);

	if (rc == 0)
		rc = crypto_p256_scalar(seed, sizeof(seed), k->d, e);
	if (rc == 0)
		rc = crypto_p256_public(k->d, k->xy, e);
	wipe(seed, sizeof(seed));
	return rc;
}

/* ---- names and algorithms ---- */

static void put_algorithm(struct buf *b)
{
	static const uint8_t ecdsa_sha256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 };

	der_put(b, DER_SEQUENCE, ecdsa_sha256, sizeof(ecdsa_sha256));
}

static void put_attribute(struct buf *b, uint8_t attribute, const char *value, size_t n)
{
	const uint8_t oid[3] = { 0x55, 0x04, attribute };
	size_t start = b->n;

	der_put(b, DER_OID, oid, sizeof(oid));
	/* A country is a PrintableString (RFC 5280 appendix A.1). */
	der_put(b, attribute == 6 ? DER_PRINTABLE_STRING : DER_UTF8_STRING, value, n);
	der_wrap(b, start, DER_SEQUENCE);
	der_wrap(b, start, DER_SET);
}

static void put_name(struct buf *b, const char *cn, const char *rest)
{
	static const struct {
		const char *key;
		uint8_t attribute;
	} keys[] = { { "OU=", 11 }, { "O=", 10 }, { "L=", 7 }, { "ST=", 8 }, { "C=", 6 } };
	size_t start = b->n;

	put_attribute(b, 3, cn, strlen(cn));
	while (rest && *rest) {
		size_t n = strcspn(rest, ","), k;

		for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
			k = strlen(keys[i].key);
			if (strncmp(rest, keys[i].key, k) == 0)
				put_attribute(b, keys[i].attribute, rest + k, n - k);
		}
		rest += n;
		rest += strspn(rest, ", ");
	}
	der_wrap(b, start, DER_SEQUENCE);
}

/* ---- extensions ---- */

static void put_extension(struct buf *b, const void *oid, size_t oid_n, bool critical, const void *value,
			  size_t n)
{
	static const uint8_t yes = 0xff;
	size_t start = b->n;

	der_put(b, DER_OID, oid, oid_n);
	if (critical)
		der_put(b, DER_BOOLEAN, &yes, 1);
	der_put(b, DER_OCTET_STRING, value, n);
	der_wrap(b, start, DER_SEQUENCE);
}

/* id-ce, 2.5.29.x */
static void put_ce(struct buf *b, uint8_t x, bool critical, const void *value, size_t n)
{
	const uint8_t oid[3] = { 0x55, 0x1d, x };

	put_extension(b, oid, sizeof(oid), critical, value, n);
}

/* Key identifiers are the first 160 bits of the key's SHA-256 (RFC 7093 section 2). */
static void put_authority(struct buf *b, const uint8_t issuer_key[64])
{
	uint8_t value[24] = { 0x30, 0x16, 0x80, 0x14 }, digest[32];

	crypto_sha256(issuer_key, 64, digest);
	memcpy(value + 4, digest, 20);
	put_ce(b, 35, false, value, sizeof(value));
}

static void put_key_id(struct buf *b, const uint8_t key[64])
{
	uint8_t value[22] = { 0x04, 0x14 }, digest[32];

	crypto_sha256(key, 64, digest);
	memcpy(value + 2, digest, 20);
	put_ce(b, 14, false, value, sizeof(value));
}

static void put_crl_url(struct buf *b, const char *url)
{
	struct buf v;

	buf_init(&v, 1024);
	der_put(&v, 0x86, url, strlen(url)); /* uniformResourceIdentifier [6] */
	der_wrap(&v, 0, 0xa0);               /* fullName [0] */
	der_wrap(&v, 0, 0xa0);               /* distributionPoint [0] */
	der_wrap(&v, 0, DER_SEQUENCE);
	der_wrap(&v, 0, DER_SEQUENCE);
	put_ce(b, 31, false, v.p, v.n);
	b->failed |= v.failed;
	buf_free(&v);
}

static void put_basic_constraints(struct buf *b, bool ca, int path_len)
{
	static const uint8_t yes = 0xff;
	struct buf v;

	buf_init(&v, 64);
	if (ca)
		der_put(&v, DER_BOOLEAN, &yes, 1);
	if (ca && path_len >= 0)
		der_put_uint(&v, DER_INTEGER, (uint64_t)path_len);
	der_wrap(&v, 0, DER_SEQUENCE);
	put_ce(b, 19, true, v.p, v.n);
	b->failed |= v.failed;
	buf_free(&v);
}

/* ---- the SGX extension ---- */

static const uint8_t sgx_oid[] = { 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01 };

/* What follows `start` is a value: put its OID, sgx_oid.x or sgx_oid.x.y, in front of it. */
static void name_member(struct buf *b, size_t start, uint8_t x, uint8_t y)
{
	uint8_t oid[2 + sizeof(sgx_oid) + 2] = { DER_OID, (uint8_t)(sizeof(sgx_oid) + (y ? 2 : 1)) };
	size_t n = (size_t)oid[1] + 2;

	memcpy(oid + 2, sgx_oid, sizeof(sgx_oid));
	oid[2 + sizeof(sgx_oid)] = x;
	oid[3 + sizeof(sgx_oid)] = y;
	buf_add(b, oid, n);
	if (b->failed)
		return;
	memmove(b->p + start + n, b->p + start, b->n - n - start);
	memcpy(b->p + start, oid, n);
	der_wrap(b, start, DER_SEQUENCE);
}

static void put_tcb(struct buf *b, const struct attest_pck *p)
{
	size_t start;

	for (uint8_t i = 1; i <= 18; i++) {
		start = b->n;
		if (i <= 16)
			der_put_uint(b, DER_INTEGER, p->components[i - 1]);
		else if (i == 17)
			der_put_uint(b, DER_INTEGER, p->pcesvn);
		else
			der_put(b, DER_OCTET_STRING, p->cpusvn, sizeof(p->cpusvn));
		name_member(b, start, 2, i);
	}
}

static void put_configuration(struct buf *b, const struct attest_pck *p)
{
	const bool flag[] = { p->dynamic_platform, p->cached_keys, p->smt };

	for (uint8_t i = 1; i <= 3; i++) {
		const uint8_t v = flag[i - 1] ? 0xff : 0;
		size_t start = b->n;

		der_put(b, DER_BOOLEAN, &v, 1);
		name_member(b, start, 7, i);
	}
}

static void put_sgx_member(struct buf *b, const struct attest_pck *p, uint8_t m)
{
	size_t start = b->n;

	switch (m) {
	case 1:
		der_put(b, DER_OCTET_STRING, p->ppid, sizeof(p->ppid));
		break;
	case 2:
		put_tcb(b, p);
		der_wrap(b, start, DER_SEQUENCE);
		break;
	case 3:
		der_put(b, DER_OCTET_STRING, p->pce_id, sizeof(p->pce_id));
		break;
	case 4:
		der_put(b, DER_OCTET_STRING, p->fmspc, sizeof(p->fmspc));
		break;
	case 5:
		der_put_uint(b, DER_ENUMERATED, p->sgx_type);
		break;
	case 6:
		der_put(b, DER_OCTET_STRING, p->piid, sizeof(p->piid));
		break;
	case 7:
		put_configuration(b, p);
		der_wrap(b, start, DER_SEQUENCE);
		break;
	}
	name_member(b, start, m, 0);
}

static void put_sgx(struct buf *b, const struct attest_pck *p, uint32_t members)
{
	struct buf v;

	buf_init(&v, 4096);
	for (uint8_t m = 1; m <= 7; m++)
		if (members >> m & 1)
			put_sgx_member(&v, p, m);
	der_wrap(&v, 0, DER_SEQUENCE);
	put_extension(b, sgx_oid, sizeof(sgx_oid), false, v.p, v.n);
	b->failed |= v.failed;
	buf_free(&v);
}

static void put_extensions(struct buf *b, const struct fab_cert *c)
{
	/* 2.25.27331228650920489683698916858312605942: doc/QUOTE-VERIFICATION.md, section 5. */
	static const uint8_t emulated[] = { 0x69, 0xa9, 0x8f, 0xe6, 0xe7, 0x8c, 0xbc, 0xfa, 0x95, 0xad,
					    0x90, 0x95, 0xf7, 0xea, 0xa7, 0xd5, 0xb5, 0x81, 0x76 };
	static const uint8_t null[] = { DER_NULL, 0x00 };
	const uint8_t usage[4] = { DER_BIT_STRING, 0x02,
				   c->key_usage > 0 ? (uint8_t)__builtin_ctz((unsigned)c->key_usage) : 0,
				   (uint8_t)c->key_usage };
	size_t start = b->n;

	put_authority(b, c->issuer_key);
	if (c->crl_url)
		put_crl_url(b, c->crl_url);
	if (c->key_id)
		put_key_id(b, c->key);
	if (c->key_usage >= 0)
		put_ce(b, 15, true, usage, sizeof(usage));
	if (c->ca >= 0)
		put_basic_constraints(b, c->ca == 1, c->path_len);
	if (c->emulated)
		put_extension(b, emulated, sizeof(emulated), true, null, sizeof(null));
	if (c->pck)
		put_sgx(b, c->pck, c->pck_members);
	der_wrap(b, start, DER_SEQUENCE);
	der_wrap(b, start, 0xa3);
}

/* ---- certificates ---- */

void fab_cert_tbs(struct buf *b, const struct fab_cert *c)
{
	static const uint8_t version[] = { DER_INTEGER, 0x01, 0x02 };
	static const uint8_t p256[] = { 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
					0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
	uint8_t point[66] = { 0x00, 0x04 };
	size_t whole = b->n, start;

	der_put(b, 0xa0, version, sizeof(version));
	der_put_magnitude(b, c->serial, c->serial_n);
	put_algorithm(b);
	put_name(b, c->issuer, c->rest);
	start = b->n;
	der_put_time(b, c->from, c->generalized);
	der_put_time(b, c->until, c->generalized);
	der_wrap(b, start, DER_SEQUENCE);
	put_name(b, c->subject, c->rest);
	start = b->n;
	buf_add(b, p256, sizeof(p256));
	memcpy(point + 2, c->key, 64);
	der_put(b, DER_BIT_STRING, point, sizeof(point));
	der_wrap(b, start, DER_SEQUENCE);
	put_extensions(b, c);
	der_wrap(b, whole, DER_SEQUENCE);
}

/* ---- revocation lists ---- */

static void put_entries(struct buf *b, const struct fab_crl *c)
{
	size_t start = b->n;

	for (size_t i = 0; i < c->count; i++) {
		size_t entry = b->n, n;
		const uint8_t *serial;
		int64_t since;

		c->entry(c->arg, i, &serial, &n, &since);
		der_put_magnitude(b, serial, n);
		der_put_time(b, since, false);
		der_wrap(b, entry, DER_SEQUENCE);
	}
	if (c->count) /* an empty list must be absent: RFC 5280 section 5.1.2.6 */
		der_wrap(b, start, DER_SEQUENCE);
}

void fab_crl_tbs(struct buf *b, const struct fab_crl *c)
{
	size_t whole = b->n, start;
	struct buf number;

	der_put_uint(b, DER_INTEGER, 1); /* version 2 */
	put_algorithm(b);
	put_name(b, c->issuer, c->rest);
	der_put_time(b, c->from, false);
	der_put_time(b, c->until, false);
	put_entries(b, c);
	start = b->n;
	buf_init(&number, 32);
	der_put_uint(&number, DER_INTEGER, c->number);
	put_ce(b, 20, false, number.p, number.n);
	b->failed |= number.failed;
	buf_free(&number);
	put_authority(b, c->issuer_key);
	der_wrap(b, start, DER_SEQUENCE);
	der_wrap(b, start, 0xa0);
	der_wrap(b, whole, DER_SEQUENCE);
}

/* ---- signing ---- */

int fab_x509_sign(struct buf *b, const uint8_t issuer_d[32], struct bawn_error *e)
{
	uint8_t digest[32], rs[64];
	size_t start;
	int rc;

	if (b->failed)
		return err_nomem(e);
	crypto_sha256(b->p, b->n, digest);
	rc = crypto_p256_sign(issuer_d, digest, rs, e);
	if (rc)
		return rc;
	put_algorithm(b);
	start = b->n;
	buf_add(b, "", 1); /* no unused bits */
	der_put_magnitude(b, rs, 32);
	der_put_magnitude(b, rs + 32, 32);
	der_wrap(b, start + 1, DER_SEQUENCE);
	der_wrap(b, start, DER_BIT_STRING);
	der_wrap(b, 0, DER_SEQUENCE);
	return b->failed ? err_nomem(e) : 0;
}

int fab_json_sign(struct buf *out, const char *name, struct cur body, const uint8_t d[32],
		  struct bawn_error *e)
{
	uint8_t digest[32], rs[64];
	char hex[129];
	int rc;

	crypto_sha256(body.p, body.n, digest);
	rc = crypto_p256_sign(d, digest, rs, e);
	if (rc)
		return rc;
	hex_encode(rs, sizeof(rs), hex);
	buf_printf(out, "{\"%s\":", name);
	buf_add(out, body.p, body.n);
	buf_printf(out, ",\"signature\":\"%s\"}", hex);
	return out->failed ? err_nomem(e) : 0;
}
