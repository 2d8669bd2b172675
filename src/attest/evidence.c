/*
 * Quotes inside X.509 certificates, and whether they vouch for the
 * certificate's key. Formats: TCG DICE tagged evidence as "Interoperable
 * RA-TLS" of the Confidential Computing Consortium fills it, and the older
 * extensions of Gramine, Intel's SGX SDK and Open Enclave.
 */
#include "attest/attest.h"

#include <string.h>

#define TAG_INTEL_QUOTE 60000u /* IANA's registry of CBOR tags */
#define CLAIMS_MAX 16u
#define OE_HEADER 16u          /* version 1, type 2 (remote), size of the quote */

static const struct format {
	const char *text;
	uint8_t oid[12];
	uint8_t n;
	bool tagged, oe_header;
} formats[] = {
	{ .text = "DICE tagged evidence (2.23.133.5.4.9)", .tagged = true,
	  .oid = { 0x67, 0x81, 0x05, 0x05, 0x04, 0x09 }, .n = 6 },
	{ .text = "Gramine's extension (1.2.840.113741.1337.6)",
	  .oid = { 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x8a, 0x39, 0x06 }, .n = 9 },
	/* Gramine wrote the OID with a second tag and length inside it for some years. */
	{ .text = "Gramine's extension (1.2.840.113741.1337.6, doubly encoded)",
	  .oid = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x8a, 0x39, 0x06 }, .n = 11 },
	{ .text = "the SGX SDK's extension (1.2.840.113741.1.13.1)",
	  .oid = { 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01 }, .n = 9 },
	{ .text = "Open Enclave's report (1.3.6.1.4.1.311.105.1)", .oe_header = true,
	  .oid = { 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x69, 0x01 }, .n = 9 },
	{ .text = "Open Enclave's report (1.2.840.113556.10.1.1)", .oe_header = true,
	  .oid = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x0a, 0x01, 0x01 }, .n = 9 },
};

/* ---- CBOR (RFC 8949), definite lengths alone ---- */

enum cbor { CBOR_UINT = 0, CBOR_BYTES = 2, CBOR_TEXT = 3, CBOR_ARRAY = 4, CBOR_MAP = 5, CBOR_TAG = 6 };

/* The head of an item of the wanted kind: its number, count or length. */
static bool cbor_head(struct cur *c, enum cbor kind, uint64_t *v)
{
	uint8_t first, size, more[8];

	if (!cur_u8(c, &first) || first >> 5 != kind)
		return false;
	size = first & 31;
	if (size < 24) {
		*v = size;
		return true;
	}
	if (size > 27 || !cur_bytes(c, more, 1u << (size - 24)))
		return false;
	*v = 0;
	for (unsigned i = 0; i < 1u << (size - 24); i++)
		*v = *v << 8 | more[i];
	return true;
}

static bool cbor_string(struct cur *c, enum cbor kind, struct cur *out)
{
	uint64_t n;

	return cbor_head(c, kind, &n) && n <= c->n && cur_sub(c, (size_t)n, out);
}

static bool is_text(struct cur c, const char *text)
{
	return c.n == strlen(text) && memcmp(c.p, text, c.n) == 0;
}

/* { "pubkey-hash": bytes, maybe "nonce": bytes, maybe others of the same kind } */
static bool read_claims(struct cur c, struct attest_evidence *out)
{
	uint64_t count;

	if (!cbor_head(&c, CBOR_MAP, &count) || !count || count > CLAIMS_MAX)
		return false;
	while (count--) {
		struct cur name, value;

		if (!cbor_string(&c, CBOR_TEXT, &name) || !cbor_string(&c, CBOR_BYTES, &value))
			return false;
		if (is_text(name, "pubkey-hash")) {
			if (out->key_hash.p)
				return false;
			out->key_hash = value;
		} else if (is_text(name, "nonce")) {
			if (out->nonce.p)
				return false;
			out->nonce = value;
		}
	}
	return !c.n && out->key_hash.p;
}

/* 60000([quote, claims]) */
static bool read_tagged(struct cur c, struct attest_evidence *out)
{
	uint64_t tag, count;

	out->has_claims = true;
	return cbor_head(&c, CBOR_TAG, &tag) && tag == TAG_INTEL_QUOTE &&
	       cbor_head(&c, CBOR_ARRAY, &count) && count == 2 &&
	       cbor_string(&c, CBOR_BYTES, &out->quote) && cbor_string(&c, CBOR_BYTES, &out->claims) &&
	       !c.n && read_claims(out->claims, out);
}

static bool read_oe_report(struct cur c, struct attest_evidence *out)
{
	uint32_t version, type;
	uint64_t size;

	return cur_le32(&c, &version) && version == 1 && cur_le32(&c, &type) && type == 2 &&
	       cur_le64(&c, &size) && size <= c.n && cur_sub(&c, (size_t)size, &out->quote);
}

int attest_evidence_read(const void *der, size_t n, struct attest_evidence *out,
			 struct bawn_error *e)
{
	struct cur extensions, value;
	bool good;

	*out = (struct attest_evidence){ 0 };
	good = attest_x509_read(cur_make(der, n), &out->key_info, &extensions);
	for (size_t i = 0; good && i < ARRAY_LEN(formats); i++) {
		good = attest_x509_extension(extensions, formats[i].oid, formats[i].n, &value);
		if (!good || !value.p)
			continue;
		out->format = formats[i].text;
		if (formats[i].tagged)
			good = read_tagged(value, out);
		else if (formats[i].oe_header)
			good = read_oe_report(value, out);
		else
			out->quote = value;
		return good ? 0 : err_set(e, BAWN_ERR_FORMAT, "%s is malformed", out->format);
	}
	if (!good)
		return err_set(e, BAWN_ERR_FORMAT, "not an X.509 version 3 certificate with extensions");
	return err_set(e, BAWN_ERR_NOT_FOUND, "the certificate carries no quote");
}

/* ---- the binding ---- */

/* hash-entry of CoSWID: [algorithm of RFC 6920's registry, digest]. */
static bool check_key_hash(const struct attest_evidence *ev)
{
	struct cur c = ev->key_hash, digest;
	uint64_t count, algorithm;
	uint8_t want[64];
	size_t n;

	if (!cbor_head(&c, CBOR_ARRAY, &count) || count != 2 || !cbor_head(&c, CBOR_UINT, &algorithm) ||
	    !cbor_string(&c, CBOR_BYTES, &digest) || c.n)
		return false;
	switch (algorithm) {
	case 1:
		crypto_sha256(ev->key_info.p, ev->key_info.n, want);
		n = 32;
		break;
	case 7:
		crypto_sha384(ev->key_info.p, ev->key_info.n, want);
		n = 48;
		break;
	case 8:
		crypto_sha512(ev->key_info.p, ev->key_info.n, want);
		n = 64;
		break;
	default:
		return false;
	}
	return digest.n == n && ct_equal(digest.p, want, n);
}

/* PEM of the key, RFC 7468, in lines of 64; with nul, what Open Enclave hashes. */
static void hash_pem(struct cur der, bool nul, uint8_t digest[32])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char begin[] = "-----BEGIN PUBLIC KEY-----\n", end[] = "-----END PUBLIC KEY-----\n";
	struct crypto_sha256 h;

	crypto_sha256_init(&h);
	crypto_sha256_update(&h, begin, sizeof(begin) - 1);
	for (size_t i = 0; i < der.n; i += 3) {
		size_t left = der.n - i;
		uint32_t v = (uint32_t)der.p[i] << 16 | (left > 1 ? (uint32_t)der.p[i + 1] << 8 : 0) |
			     (left > 2 ? der.p[i + 2] : 0);
		char four[5] = { digits[v >> 18], digits[v >> 12 & 63],
				 left > 1 ? digits[v >> 6 & 63] : '=', left > 2 ? digits[v & 63] : '=', '\n' };
		bool line_ends = (i + 3) % 48 == 0 || left <= 3;

		crypto_sha256_update(&h, four, line_ends ? 5 : 4);
	}
	crypto_sha256_update(&h, end, sizeof(end) - 1 + nul);
	crypto_sha256_final(&h, digest);
}

/* The older formats: SHA-256 of the key, in one of the encodings that were in use. */
static bool check_plain(const struct attest_evidence *ev, const uint8_t report_data[64])
{
	uint8_t spki[32], pem[32], pem_nul[32];

	crypto_sha256(ev->key_info.p, ev->key_info.n, spki);
	hash_pem(ev->key_info, false, pem);
	hash_pem(ev->key_info, true, pem_nul);
	return ct_equal(report_data, spki, 32) || ct_equal(report_data, pem, 32) ||
	       ct_equal(report_data, pem_nul, 32);
}

int attest_evidence_check(const struct attest_evidence *ev, const uint8_t report_data[64],
			  struct bawn_error *e)
{
	uint8_t digest[32];

	if (!ev->has_claims) {
		if (!check_plain(ev, report_data))
			return err_set(e, BAWN_ERR_SIGNATURE,
				       "the quote does not vouch for the certificate's key: its report data is not the key's digest");
		return 0;
	}
	crypto_sha256(ev->claims.p, ev->claims.n, digest);
	if (!ct_equal(report_data, digest, 32))
		return err_set(e, BAWN_ERR_SIGNATURE,
			       "the quote does not vouch for the certificate's claims: its report data is not their digest");
	if (!check_key_hash(ev))
		return err_set(e, BAWN_ERR_SIGNATURE,
			       "the claims that the quote vouches for do not name the certificate's key");
	return 0;
}
