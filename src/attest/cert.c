/* X.509 certificates (RFC 5280), narrowed to what SGX certificates are. */
#include "attest/attest.h"
#include "attest/internal.h"

#include <string.h>

static const uint8_t oid_ecdsa_sha256[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 };
static const uint8_t oid_ec_key[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01 };
static const uint8_t oid_p256[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
static const uint8_t oid_sgx[] = { 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01 };
/*
 * The marker of emulated platforms, 2.25.27331228650920489683698916858312605942.
 * It is critical, so that whoever does not know it refuses the certificate.
 */
static const uint8_t oid_emulated[] = {
	0x69, 0xa9, 0x8f, 0xe6, 0xe7, 0x8c, 0xbc, 0xfa, 0x95, 0xad,
	0x90, 0x95, 0xf7, 0xea, 0xa7, 0xd5, 0xb5, 0x81, 0x76,
};

/* id-ce, 2.5.29.x */
enum { CE_SKI = 14, CE_KEY_USAGE = 15, CE_BASIC_CONSTRAINTS = 19, CE_CRL_DP = 31, CE_AKI = 35 };

static int malformed(struct bawn_error *e, const char *what)
{
	return err_set(e, BAWN_ERR_FORMAT, "malformed certificate: %s", what);
}

bool attest_algorithm_der(struct cur *c)
{
	struct cur in = *c, alg, oid;

	if (!der_get(&in, DER_SEQUENCE, &alg) || !der_get(&alg, DER_OID, &oid) || alg.n ||
	    !der_oid_is(oid, oid_ecdsa_sha256, sizeof(oid_ecdsa_sha256)))
		return false;
	*c = in;
	return true;
}

bool attest_signature_der(struct cur *c, uint8_t rs[64])
{
	struct cur in = *c, bits, seq;

	if (!der_bits(&in, &bits) || !der_get(&bits, DER_SEQUENCE, &seq) || bits.n ||
	    !der_unsigned(&seq, rs, 32) || !der_unsigned(&seq, rs + 32, 32) || seq.n)
		return false;
	*c = in;
	return true;
}

bool attest_serial_der(struct cur *c, struct attest_serial *serial)
{
	struct cur v;

	if (!der_magnitude(c, &v) || v.n > sizeof(serial->p) || v.p[0] == 0)
		return false;
	memset(serial, 0, sizeof(*serial));
	serial->n = (uint8_t)v.n;
	memcpy(serial->p, v.p, v.n);
	return true;
}

int attest_serial_cmp(const struct attest_serial *a, const struct attest_serial *b)
{
	/* Unused bytes are zero, so this is a total order, and equal means equal. */
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	return memcmp(a->p, b->p, sizeof(a->p));
}

static bool parse_time(struct cur *c, int64_t *t)
{
	struct cur body;
	uint8_t tag;

	return der_any(c, &tag, &body) && attest_time_der(tag, body, t);
}

static int parse_key(struct cur *c, uint8_t key[64], struct bawn_error *e)
{
	struct cur info, alg, oid, curve, point;

	if (!der_get(c, DER_SEQUENCE, &info) || !der_get(&info, DER_SEQUENCE, &alg) ||
	    !der_get(&alg, DER_OID, &oid) || !der_bits(&info, &point) || info.n)
		return malformed(e, "public key");
	if (!der_oid_is(oid, oid_ec_key, sizeof(oid_ec_key)) || !der_get(&alg, DER_OID, &curve) || alg.n ||
	    !der_oid_is(curve, oid_p256, sizeof(oid_p256)) || point.n != 65 || point.p[0] != 0x04)
		return err_set(e, BAWN_ERR_UNSUPPORTED, "the certificate's key is not an uncompressed P-256 key");
	memcpy(key, point.p + 1, 64);
	return 0;
}

static bool parse_key_usage(struct cur value, struct attest_cert *c)
{
	struct cur body;
	uint8_t unused;

	/* A BIT STRING of at most nine named bits; DER drops trailing zeros, which some do not. */
	if (!der_get(&value, DER_BIT_STRING, &body) || value.n || !cur_u8(&body, &unused) || unused > 7 ||
	    !body.n || body.n > 2)
		return false;
	c->has_key_usage = true;
	for (size_t i = 0; i < body.n * 8; i++)
		if (body.p[i / 8] & 0x80u >> i % 8)
			c->key_usage |= (uint16_t)(1u << i);
	return true;
}

static bool parse_basic_constraints(struct cur value, struct attest_cert *c)
{
	struct cur seq;
	uint64_t len;

	if (!der_get(&value, DER_SEQUENCE, &seq) || value.n)
		return false;
	/* DEFAULT FALSE should be absent, but is not in every certificate there is. */
	if (seq.n && seq.p[0] == DER_BOOLEAN && !der_bool(&seq, &c->is_ca))
		return false;
	if (seq.n) {
		if (!c->is_ca || !der_uint(&seq, DER_INTEGER, 255, &len) || seq.n)
			return false;
		c->path_len = (int)len;
	}
	return true;
}

/* Bits of what was seen, so that nothing comes twice. */
enum { SEEN_SGX = 0, SEEN_EMULATED = 1, SEEN_OTHER = 2 };

static int parse_extension(struct cur *list, struct attest_cert *c, uint64_t *seen, struct bawn_error *e)
{
	struct cur ext, oid, value;
	bool critical = false, good = true, known = true;
	unsigned bit = SEEN_OTHER;

	if (!der_get(list, DER_SEQUENCE, &ext) || !der_get(&ext, DER_OID, &oid))
		return malformed(e, "extensions");
	if (ext.n && ext.p[0] == DER_BOOLEAN && !der_bool(&ext, &critical))
		return malformed(e, "extensions");
	if (!der_get(&ext, DER_OCTET_STRING, &value) || ext.n)
		return malformed(e, "extensions");
	if (oid.n == 3 && oid.p[0] == 0x55 && oid.p[1] == 0x1d && oid.p[2] < 60) {
		bit = SEEN_OTHER + 1 + oid.p[2];
		if (oid.p[2] == CE_KEY_USAGE)
			good = parse_key_usage(value, c);
		else if (oid.p[2] == CE_BASIC_CONSTRAINTS)
			good = parse_basic_constraints(value, c);
		else
			known = oid.p[2] == CE_SKI || oid.p[2] == CE_CRL_DP || oid.p[2] == CE_AKI;
	} else if (der_oid_is(oid, oid_sgx, sizeof(oid_sgx))) {
		bit = SEEN_SGX;
		c->sgx_extension = value;
	} else if (der_oid_is(oid, oid_emulated, sizeof(oid_emulated))) {
		bit = SEEN_EMULATED;
		c->emulated = true;
		good = critical;
	} else {
		known = false;
	}
	if (!good)
		return malformed(e, "the value of an extension");
	if (!known && critical)
		return err_set(e, BAWN_ERR_UNSUPPORTED, "the certificate has a critical extension that is not known here");
	if (bit != SEEN_OTHER && *seen >> bit & 1)
		return malformed(e, "an extension comes twice");
	*seen |= (uint64_t)1 << bit;
	return 0;
}

static int parse_extensions(struct cur *tbs, struct attest_cert *c, struct bawn_error *e)
{
	struct cur explicit, list;
	uint64_t seen = 0;
	int r = 0;

	/* The unique identifiers [1], [2] before them are of no use to anybody (RFC 5280 4.1.2.8). */
	if (!der_get(tbs, 0xa3, &explicit) || tbs->n || !der_get(&explicit, DER_SEQUENCE, &list) ||
	    explicit.n || !list.n)
		return malformed(e, "no extensions");
	while (!r && list.n)
		r = parse_extension(&list, c, &seen, e);
	return r;
}

static int parse_tbs(struct cur tbs, struct attest_cert *c, struct bawn_error *e)
{
	struct cur version, validity;
	uint64_t v;
	int r;

	if (!der_get(&tbs, 0xa0, &version) || !der_uint(&version, DER_INTEGER, 2, &v) || v != 2 || version.n)
		return malformed(e, "not X.509 version 3");
	if (!attest_serial_der(&tbs, &c->serial))
		return malformed(e, "serial number");
	if (!attest_algorithm_der(&tbs))
		return err_set(e, BAWN_ERR_UNSUPPORTED, "the certificate is not signed by ECDSA with SHA-256");
	if (!der_get_whole(&tbs, DER_SEQUENCE, &c->issuer))
		return malformed(e, "issuer");
	if (!der_get(&tbs, DER_SEQUENCE, &validity) || !parse_time(&validity, &c->not_before) ||
	    !parse_time(&validity, &c->not_after) || validity.n)
		return malformed(e, "validity");
	if (!der_get_whole(&tbs, DER_SEQUENCE, &c->subject))
		return malformed(e, "subject");
	r = parse_key(&tbs, c->key, e);
	return r ? r : parse_extensions(&tbs, c, e);
}

int attest_cert_parse(const void *der, size_t n, struct attest_cert *c, struct bawn_error *e)
{
	struct cur in = cur_make(der, n), cert, whole, tbs;

	memset(c, 0, sizeof(*c));
	c->path_len = -1;
	c->der = in;
	if (n > ATTEST_CERT_MAX)
		return malformed(e, "it is too large");
	if (!der_get(&in, DER_SEQUENCE, &cert) || in.n || !der_get_whole(&cert, DER_SEQUENCE, &c->tbs))
		return malformed(e, "no DER");
	if (!attest_algorithm_der(&cert))
		return err_set(e, BAWN_ERR_UNSUPPORTED, "the certificate is not signed by ECDSA with SHA-256");
	if (!attest_signature_der(&cert, c->signature) || cert.n)
		return malformed(e, "signature");
	whole = c->tbs;
	der_get(&whole, DER_SEQUENCE, &tbs);
	return parse_tbs(tbs, c, e);
}

int attest_cert_verify(const struct attest_cert *c, const uint8_t key[64], struct bawn_error *e)
{
	uint8_t digest[32];

	crypto_sha256(c->tbs.p, c->tbs.n, digest);
	return crypto_p256_verify(key, digest, c->signature, e);
}
