/* Quotes in certificates: every format, the binding to the key, and damage to each. */
#include "attest/attest.h"
#include "tests/tap.h"

/* A public key of no use, as SubjectPublicKeyInfo. */
static const uint8_t key_info[] = { 0x30, 0x0a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x01, 0x00 };

static void element(struct buf *b, uint8_t tag, const void *p, size_t n)
{
	uint8_t head[4] = { tag, 0x82, (uint8_t)(n >> 8), (uint8_t)n };

	if (n < 128) {
		head[1] = (uint8_t)n;
		buf_add(b, head, 2);
	} else if (n < 256) {
		head[1] = 0x81;
		head[2] = (uint8_t)n;
		buf_add(b, head, 3);
	} else {
		buf_add(b, head, 4);
	}
	buf_add(b, p, n);
}

struct builder {
	struct buf extensions, cert;
};

static void start(struct builder *b)
{
	buf_init(&b->extensions, 65536);
	buf_init(&b->cert, 65536);
}

static void done(struct builder *b)
{
	buf_free(&b->extensions);
	buf_free(&b->cert);
}

static void add(struct builder *b, const char *oid_hex, const void *p, size_t n)
{
	struct buf inner;
	uint8_t oid[16];
	size_t len = strlen(oid_hex) / 2;

	hex_decode(oid_hex, 2 * len, oid, len);
	buf_init(&inner, 65536);
	element(&inner, 0x06, oid, len);
	element(&inner, 0x04, p, n);
	element(&b->extensions, 0x30, inner.p, inner.n);
	buf_free(&inner);
}

static void finish(struct builder *b)
{
	static const uint8_t empty[2] = { 0x30, 0x00 }, version[5] = { 0xa0, 0x03, 0x02, 0x01, 0x02 };
	struct buf wrapped, tbs, all;

	buf_init(&wrapped, 65536);
	buf_init(&tbs, 65536);
	buf_init(&all, 65536);
	element(&wrapped, 0x30, b->extensions.p, b->extensions.n);
	buf_add(&tbs, version, sizeof(version));
	element(&tbs, 0x02, "\x01", 1);
	for (int i = 0; i < 4; i++) /* algorithm, issuer, validity, subject */
		buf_add(&tbs, empty, 2);
	buf_add(&tbs, key_info, sizeof(key_info));
	element(&tbs, 0xa3, wrapped.p, wrapped.n);
	element(&all, 0x30, tbs.p, tbs.n);
	buf_add(&all, empty, 2);
	element(&all, 0x03, "\x00", 1);
	element(&b->cert, 0x30, all.p, all.n);
	buf_free(&wrapped);
	buf_free(&tbs);
	buf_free(&all);
}

#define DICE "678105050409"
#define GRAMINE "2a864886f84d8a3906"
#define GRAMINE_TWICE "06092a864886f84d8a3906"
#define SDK "2a864886f84d010d01"
#define OE_NEW "2b060104018237690" "1"
#define OE_OLD "2a864886f7140a0101"
#define QUOTE "a quote, as far as this test is concerned"

static int check(struct builder *b, const uint8_t rd[64], struct attest_evidence *ev)
{
	struct bawn_error e = { 0 };
	int rc;

	finish(b);
	rc = attest_evidence_read(b->cert.p, b->cert.n, ev, &e);
	return rc ? rc : attest_evidence_check(ev, rd, &e);
}

static void plain(const char *oid, const char *name)
{
	struct attest_evidence ev;
	struct builder b;
	uint8_t rd[64] = { 0 };

	crypto_sha256(key_info, sizeof(key_info), rd);
	start(&b);
	add(&b, "551d0f", "\x03\x02\x06\xc0", 4); /* key usage, to be passed over */
	add(&b, oid, QUOTE, sizeof(QUOTE));
	is_int(check(&b, rd, &ev), 0, name);
	ok(ev.quote.n == sizeof(QUOTE) && memcmp(ev.quote.p, QUOTE, sizeof(QUOTE)) == 0, "its quote");
	for (int i = 0; i < 32; i++) {
		struct bawn_error e = { 0 };

		rd[i] ^= 1;
		if (attest_evidence_check(&ev, rd, &e) != BAWN_ERR_SIGNATURE)
			ok(false, "another digest in byte %d", i);
		rd[i] ^= 1;
	}
	done(&b);
}

/* Claims: {"pubkey-hash": [algorithm, digest]} and maybe a nonce. */
static void claims(struct buf *out, uint8_t algorithm, const uint8_t *digest, size_t n, bool nonce)
{
	uint8_t map[] = { (uint8_t)(0xa1 + nonce), 0x6b };
	uint8_t hash[] = { 0x58, (uint8_t)(n + 4), 0x82, algorithm, 0x58, (uint8_t)n };

	buf_init(out, 4096);
	buf_add(out, map, 2);
	buf_str(out, "pubkey-hash");
	buf_add(out, hash, sizeof(hash));
	buf_add(out, digest, n);
	if (nonce)
		buf_str(out, "\x65nonce\x43xyz");
}

/* 60000([quote, claims]) */
static void tagged(struct buf *out, const void *text, size_t n)
{
	uint8_t head[] = { 0xd9, 0xea, 0x60, 0x82, 0x58, sizeof(QUOTE) }, second[] = { 0x58, (uint8_t)n };

	buf_init(out, 4096);
	buf_add(out, head, sizeof(head));
	buf_add(out, QUOTE, sizeof(QUOTE));
	buf_add(out, second, 2);
	buf_add(out, text, n);
}

static int check_tagged(const struct buf *text, struct attest_evidence *ev, struct builder *b)
{
	uint8_t rd[64] = { 0 };
	struct buf value;
	int rc;

	crypto_sha256(text->p, text->n, rd);
	tagged(&value, text->p, text->n);
	start(b);
	add(b, GRAMINE, "ignored", 7); /* the tagged one says more */
	add(b, DICE, value.p, value.n);
	rc = check(b, rd, ev);
	buf_free(&value);
	return rc;
}

static void dice(void)
{
	static const struct {
		uint8_t algorithm;
		size_t n;
	} algorithms[] = { { 1, 32 }, { 7, 48 }, { 8, 64 } };
	struct attest_evidence ev;
	struct builder b;
	struct buf text;
	uint8_t digest[64];

	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
		if (i == 0)
			crypto_sha256(key_info, sizeof(key_info), digest);
		else if (i == 1)
			crypto_sha384(key_info, sizeof(key_info), digest);
		else
			crypto_sha512(key_info, sizeof(key_info), digest);
		claims(&text, algorithms[i].algorithm, digest, algorithms[i].n, i == 1);
		is_int(check_tagged(&text, &ev, &b), 0, "tagged evidence");
		ok(ev.quote.n == sizeof(QUOTE), "its quote");
		ok((ev.nonce.p != NULL) == (i == 1) && (i != 1 || memcmp(ev.nonce.p, "xyz", 3) == 0), "its nonce");
		done(&b);
		buf_free(&text);
	}
	digest[0] ^= 1;
	claims(&text, 8, digest, 64, false);
	is_int(check_tagged(&text, &ev, &b), BAWN_ERR_SIGNATURE, "claims of another key");
	done(&b);
	buf_free(&text);
	digest[0] ^= 1;
	claims(&text, 8, digest, 63, false);
	is_int(check_tagged(&text, &ev, &b), BAWN_ERR_SIGNATURE, "a digest too short");
	done(&b);
	buf_free(&text);
	claims(&text, 2, digest, 64, false);
	is_int(check_tagged(&text, &ev, &b), BAWN_ERR_SIGNATURE, "an unknown algorithm");
	done(&b);
	buf_free(&text);
}

/* Every byte of tagged evidence changed in turn: never accepted, save within the quote. */
static void dice_damaged(void)
{
	uint8_t digest[32], rd[64] = { 0 };
	struct buf text, value;
	size_t accepted = 0;

	crypto_sha256(key_info, sizeof(key_info), digest);
	claims(&text, 1, digest, 32, true);
	crypto_sha256(text.p, text.n, rd);
	tagged(&value, text.p, text.n);
	for (size_t i = 0; i < value.n; i++) {
		struct attest_evidence ev;
		struct builder b;

		if (i >= 6 && i < 6 + sizeof(QUOTE))
			continue;
		start(&b);
		value.p[i] ^= 0x41;
		add(&b, DICE, value.p, value.n);
		accepted += check(&b, rd, &ev) == 0;
		value.p[i] ^= 0x41;
		done(&b);
	}
	is_int(accepted, 0, "no changed byte of tagged evidence is accepted");
	accepted = 0;
	for (size_t n = 0; n < value.n; n++) {
		struct attest_evidence ev;
		struct builder b;

		start(&b);
		add(&b, DICE, value.p, n);
		accepted += check(&b, rd, &ev) == 0;
		done(&b);
	}
	is_int(accepted, 0, "no truncation of it either");
	buf_str(&value, "x");
	{
		struct attest_evidence ev;
		struct builder b;

		start(&b);
		add(&b, DICE, value.p, value.n);
		is_int(check(&b, rd, &ev), BAWN_ERR_FORMAT, "nor a byte after it");
		done(&b);
	}
	buf_free(&text);
	buf_free(&value);
}

static void open_enclave(void)
{
	uint8_t report[16 + sizeof(QUOTE)] = { 1, 0, 0, 0, 2, 0, 0, 0, sizeof(QUOTE) }, rd[64] = { 0 };
	static const char *const oids[] = { OE_NEW, OE_OLD };
	/* base64 of key_info, as openssl pkey -pubin writes it */
	static const char pem[] = "-----BEGIN PUBLIC KEY-----\nMAowBQYDK2VwAwEA\n-----END PUBLIC KEY-----\n";
	struct attest_evidence ev;
	struct builder b;

	memcpy(report + 16, QUOTE, sizeof(QUOTE));
	for (size_t i = 0; i < 2; i++) {
		crypto_sha256(pem, sizeof(pem) - 1 + i, rd);
		start(&b);
		add(&b, oids[i], report, sizeof(report));
		is_int(check(&b, rd, &ev), 0, "an Open Enclave report, bound by the key's PEM");
		ok(ev.quote.n == sizeof(QUOTE) && ev.quote.p[0] == 'a', "its quote");
		done(&b);
	}
	for (int i = 0; i < 12; i++) {
		start(&b);
		report[i] ^= 0x80;
		add(&b, OE_OLD, report, sizeof(report));
		is_int(check(&b, rd, &ev), BAWN_ERR_FORMAT, "a damaged header of such a report");
		report[i] ^= 0x80;
		done(&b);
	}
}

static void certificates(void)
{
	struct attest_evidence ev;
	struct bawn_error e = { 0 };
	struct builder b;
	uint8_t rd[64] = { 0 };
	size_t accepted = 0;

	start(&b);
	add(&b, "551d0f", "\x03\x02\x06\xc0", 4);
	is_int(check(&b, rd, &ev), BAWN_ERR_NOT_FOUND, "a certificate without a quote");
	done(&b);
	start(&b);
	add(&b, GRAMINE, QUOTE, sizeof(QUOTE));
	add(&b, GRAMINE, QUOTE, sizeof(QUOTE));
	is_int(check(&b, rd, &ev), BAWN_ERR_FORMAT, "the same extension twice");
	done(&b);
	start(&b);
	add(&b, GRAMINE, QUOTE, sizeof(QUOTE));
	finish(&b);
	for (size_t n = 0; n < b.cert.n; n++)
		accepted += attest_evidence_read(b.cert.p, n, &ev, &e) == 0;
	is_int(accepted, 0, "no truncated certificate is read");
	buf_str(&b.cert, "x");
	is_int(attest_evidence_read(b.cert.p, b.cert.n, &ev, &e), BAWN_ERR_FORMAT, "nor one with a byte after it");
	done(&b);
}

int main(void)
{
	plain(GRAMINE, "Gramine's extension");
	plain(GRAMINE_TWICE, "Gramine's extension, doubly encoded");
	plain(SDK, "the SGX SDK's extension");
	dice();
	dice_damaged();
	open_enclave();
	certificates();
	return tap_done();
}
