/* Small readers: dates, names, PEM, the needs of a quote. */
#include "tests/attest/forge.h"
#include "tests/tap.h"

#include <time.h>

/* ---- dates ---- */

static bool iso(const char *s, int64_t *t)
{
	return attest_time_iso(s, strlen(s), t);
}

static bool der(uint8_t tag, const char *s, int64_t *t)
{
	return attest_time_der(tag, cur_make(s, strlen(s)), t);
}

static void test_dates(void)
{
	static const char *const bad[] = {
		"", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00z", "2026-01-01t00:00:00Z", "2026-01-01 00:00:00Z",
		"2026-01-01T00:00:00.0Z", "2026-01-01T00:00:00+00:00", "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z",
		"2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
		"2026-04-31T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
		"+026-01-01T00:00:00Z", "2026-1-01T00:00:000Z", " 026-01-01T00:00:00Z", "2026-01-01T00:00:00ZZ",
	};
	int64_t t = 0;
	size_t right = 0;
	char s[21];

	ok(iso("1970-01-01T00:00:00Z", &t) && t == 0, "the epoch");
	ok(iso("2026-01-01T00:00:00Z", &t) && t == FORGE_NOW, "a new year");
	ok(iso("2000-02-29T23:59:59Z", &t) && t == 951868799, "a leap day of a century");
	ok(iso("9999-12-31T23:59:59Z", &t) && t == 253402300799, "the last second");
	ok(iso("0000-01-01T00:00:00Z", &t) && t == -62167219200, "the first");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		right += !iso(bad[i], &t);
	is_int(right, ARRAY_LEN(bad), "texts that are no dates");
	/* Against the C library, a day and a bit at a time. */
	right = 0;
	for (int i = 0; i < 40000; i++) {
		time_t v = (time_t)i * 88000 - 30000000;
		char want[32];
		struct tm tm;

		gmtime_r(&v, &tm);
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm);
		attest_time_format(v, s);
		right += strcmp(s, want) == 0 && iso(s, &t) && t == v;
	}
	is_int(right, 40000, "forty thousand instants there and back");
	attest_time_format(INT64_MAX, s);
	is_str(s, "9999-12-31T23:59:59Z", "later than the last is the last");
	attest_time_format(INT64_MIN, s);
	is_str(s, "0000-01-01T00:00:00Z", "earlier than the first is the first");

	ok(der(DER_UTC_TIME, "260101000000Z", &t) && t == FORGE_NOW, "UTCTime");
	ok(der(DER_UTC_TIME, "491231235959Z", &t) && t == 2524607999, "UTCTime of 2049");
	ok(der(DER_UTC_TIME, "500101000000Z", &t) && t == -631152000, "UTCTime of 1950");
	ok(der(DER_GENERALIZED_TIME, "20500101000000Z", &t) && t == 2524608000, "GeneralizedTime of 2050");
	ok(!der(DER_UTC_TIME, "2601010000Z", &t) && !der(DER_UTC_TIME, "260101000000+0000", &t) &&
	   !der(DER_UTC_TIME, "260101000000", &t) && !der(DER_UTC_TIME, "26010100000aZ", &t) &&
	   !der(DER_UTC_TIME, "", &t) && !der(DER_GENERALIZED_TIME, "20260101000000.5Z", &t) &&
	   !der(DER_GENERALIZED_TIME, "260101000000Z", &t) && !der(DER_UTF8_STRING, "260101000000Z", &t) &&
	   !der(DER_GENERALIZED_TIME, "-0260101000000Z", &t), "forms that DER does not have");
}

/* ---- names ---- */

static void test_names(void)
{
	struct attest_cert c;
	struct forge f;
	char text[128], small[12];

	forge_init(&f, BAWN_TEE_SGX);
	forge_build(&f);
	if (attest_cert_parse(f.der[FORGE_PCK].p, f.der[FORGE_PCK].n, &c, NULL))
		abort();
	attest_name_cn(c.subject, text, sizeof(text));
	is_str(text, "Intel SGX PCK Certificate", "a common name");
	attest_name_text(c.issuer, text, sizeof(text));
	is_str(text, "CN=Intel SGX PCK Platform CA, O=Intel Corporation, L=Santa Clara, ST=CA, C=US", "a whole name");
	attest_name_text(c.issuer, small, sizeof(small));
	is_str(small, "CN=Intel SG", "cut to fit");
	attest_name_cn(cur_make("\x30\x03xyz", 5), text, sizeof(text));
	is_str(text, "", "an odd name has none");
	ok(c.is_ca == false && c.has_key_usage && c.key_usage == 3 && c.serial.n == 20 && c.path_len == -1, "the certificate's other fields");
	f.cert[FORGE_PCK].subject = "a\"b\\c\nd";
	forge_platform(&f);
	if (attest_cert_parse(f.der[FORGE_PCK].p, f.der[FORGE_PCK].n, &c, NULL))
		abort();
	attest_name_cn(c.subject, text, sizeof(text));
	is_str(text, "a?b?c?d", "made plain");
	forge_free(&f);
}

/* ---- PEM ---- */

static int blocks(const char *text, const char *label)
{
	struct cur c = cur_make(text, strlen(text));
	uint8_t buf[16];
	int n = 0, r;
	size_t len;

	while ((r = attest_pem_next(&c, label, buf, sizeof(buf), &len, NULL)) > 0)
		n++;
	return r < 0 ? -1 : n;
}

static void test_pem(void)
{
	is_int(blocks("", "X"), 0, "no text, no block");
	is_int(blocks("-----BEGIN X-----\nAAAA\n-----END X-----", "X"), 1, "one block");
	is_int(blocks("text\n-----BEGIN X-----AAAA-----END X----- more -----BEGIN X-----\r\nBBBB\r\n-----END X-----\n", "X"), 2, "two, with text");
	is_int(blocks("-----BEGIN Y-----\nAAAA\n-----END Y-----", "X"), 0, "another label");
	is_int(blocks("-----BEGIN X-----\nAAAA\n", "X"), -1, "no end");
	is_int(blocks("-----BEGIN X-----\nAAAA\n-----END Y-----", "X"), -1, "another end");
	is_int(blocks("-----BEGIN X-----\nAAA\n-----END X-----", "X"), -1, "no base64");
	is_int(blocks("-----BEGIN X-----\n-----BEGIN X-----\nAAAA\n-----END X-----", "X"), -1, "a block in a block");
	is_int(blocks("-----BEGIN X-----\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END X-----", "X"), -1, "too large a block");
}

/* ---- needs ---- */

static void test_needs(void)
{
	struct bawn_quote_needs needs;
	struct bawn_error e = { 0 };
	struct forge f;

	forge_init(&f, BAWN_TEE_TDX);
	f.cert[FORGE_PCK].issuer = "Intel SGX PCK Processor CA";
	forge_build(&f);
	is_int(bawn_quote_needs(f.quote.p, f.quote.n, &needs, &e), 0, "needs of a TD's quote");
	ok(needs.tee == BAWN_TEE_TDX && needs.version == 4 && needs.certification_type == 5 && needs.has_pck &&
	   strcmp(needs.ca, "processor") == 0 && needs.fmspc[1] == 0xa0 && needs.qe_id[0] == 0x33, "are told");
	is_int(bawn_quote_needs(f.quote.p, 500, &needs, &e), BAWN_ERR_FORMAT, "a quote that is cut off has none");
	f.cert_type = ATTEST_CERT_MANIFEST;
	forge_quote(&f);
	is_int(bawn_quote_needs(f.quote.p, f.quote.n, &needs, NULL), 0, "needs of a manifest");
	ok(!needs.has_pck && !needs.has_tcb, "are not known");
	forge_free(&f);
}

int main(void)
{
	test_dates();
	test_names();
	test_pem();
	test_needs();
	return tap_done();
}
