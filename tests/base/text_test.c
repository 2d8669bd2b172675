/* Readers of base64, JSON and DER: what they take, and what they must refuse. */
#include "base/base.h"
#include "tests/tap.h"

/* ---- base64 ---- */

static bool b64(const char *s, const char *want)
{
	uint8_t out[64];
	size_t n;

	if (!base64_decode(s, strlen(s), out, sizeof(out), &n))
		return !want;
	return want && n == strlen(want) && memcmp(out, want, n) == 0;
}

static void test_base64(void)
{
	/* RFC 4648 section 10 */
	ok(b64("", "") && b64("Zg==", "f") && b64("Zm8=", "fo") && b64("Zm9v", "foo") &&
	   b64("Zm9vYg==", "foob") && b64("Zm9vYmE=", "fooba") && b64("Zm9vYmFy", "foobar"),
	   "vectors of RFC 4648");
	ok(b64("Zm\n9v\r\nYm\tFy ", "foobar"), "line ends and spaces are skipped");
	ok(b64("Zm9vYg=\n=\n", "foob"), "also around the padding");
	ok(b64("Zg", NULL) && b64("Zg=", NULL) && b64("Z", NULL) && b64("Z===", NULL) && b64("=", NULL) &&
	   b64("====", NULL), "incomplete groups are refused");
	ok(b64("Zh==", NULL) && b64("Zm9=", NULL), "bits that no byte takes must be zero");
	ok(b64("Zg==Zg==", NULL) && b64("Zg==x", NULL), "nothing follows the padding");
	ok(b64("Zm9-", NULL) && b64("Zm_v", NULL) && b64("Zm9v\x01", NULL) && b64("Zm9v\xff\xff\xff\xff", NULL),
	   "other characters are refused");

	uint8_t in[256 * 3], out[256 * 3];
	char text[256 * 4 + 1];
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 151 + i / 7);
	for (size_t i = 0; i < 256; i++) {
		const uint8_t *b = in + 3 * i;
		uint32_t v = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];

		for (int k = 0; k < 4; k++)
			text[4 * i + (size_t)k] = alphabet[v >> (18 - 6 * k) & 63];
	}
	ok(base64_decode(text, 1024, out, sizeof(out), &n) && n == sizeof(in) && memcmp(in, out, n) == 0,
	   "every symbol decodes");
	ok(!base64_decode(text, 1024, out, sizeof(out) - 1, &n), "more than there is room for is refused");
}

/* ---- JSON ---- */

static bool json_ok(const char *s, size_t n)
{
	struct jread r;

	jread_init(&r, s, n);
	return jread_skip(&r) && jread_end(&r);
}

static void test_json_grammar(void)
{
	static const char *const good[] = {
		"{}", "[]", " \t\r\n{ } ", "[1,-0,0.5,1e9,-1.25E-3]", "\"\"", "null", "true", "false",
		"{\"a\":{\"a\":[{\"a\":1}]},\"b\":null}", "\"\\u0041\\n\\\"\\\\\\/\\ud83d\\ude00\"",
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "[[],{},\"\"]",
	};
	static const char *const bad[] = {
		"", " ", "{", "[", "]", "{]", "[1,]", "{\"a\":1,}", "[,1]", "{,}", "{\"a\"}", "{\"a\":}", "{a:1}",
		"{'a':1}", "01", "-", "1.", ".5", "1e", "1e+", "+1", "0x1", "1 2", "[1 2]", "{\"a\":1 \"b\":2}",
		"{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"b\":1}}", "{\"\\u0061\":1}", "nul", "True", "nulll",
		"\"", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\n\"",
		"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"",
		"\xef\xbb\xbf{}", "{}x", "[1]]", "NaN", "Infinity", "// c\n{}", "\"\t\"",
	};
	size_t n = 0;
	char deep[200];

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		n += json_ok(good[i], strlen(good[i]));
	is_int(n, ARRAY_LEN(good), "well-formed texts are read");
	n = 0;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		bool taken = json_ok(bad[i], strlen(bad[i]));

		n += taken;
		if (taken)
			printf("# taken: %s\n", bad[i]);
	}
	is_int(n, 0, "malformed ones are refused");
	ok(!json_ok("[1]\0", 4), "a NUL byte after the value is text");
	memset(deep, '[', 32);
	memset(deep + 32, ']', 32);
	ok(json_ok(deep, 64), "32 levels are read");
	memset(deep, '[', 33);
	memset(deep + 33, ']', 33);
	ok(!json_ok(deep, 66), "33 are not");

	char wide[70 * 8 + 2] = "{", *w = wide + 1;

	for (int i = 0; i < JREAD_MEMBERS; i++)
		w += sprintf(w, "%s\"m%d\":0", i ? "," : "", i);
	strcpy(w, "}");
	ok(json_ok(wide, strlen(wide)), "64 members are read");
	strcpy(w, ",\"m64\":0}");
	ok(!json_ok(wide, strlen(wide)), "65 are not");
}

static void test_json_values(void)
{
	static const char text[] = "{\"n\": 65535, \"s\":\"x y\", \"l\":[1,2,3], \"b\":true, \"o\": {\"k\" :1}}";
	struct jread r;
	struct jread_object o;
	struct cur name, s = { 0 };
	const uint8_t *from = NULL, *to = NULL;
	uint64_t v = 0, sum = 0;
	size_t i = SIZE_MAX;
	bool b = false;

	jread_init(&r, text, sizeof(text) - 1);
	jread_object(&r, &o);
	while (jread_member(&r, &o, &name)) {
		if (jread_is(name, "n")) {
			jread_u64(&r, 65535, &v);
		} else if (jread_is(name, "s")) {
			jread_string(&r, &s);
		} else if (jread_is(name, "b")) {
			jread_bool(&r, &b);
		} else if (jread_is(name, "l")) {
			uint64_t e;

			jread_array(&r);
			while (jread_element(&r, &i))
				sum += jread_u64(&r, 9, &e) ? e * (i + 1) : 0;
		} else {
			from = jread_here(&r);
			jread_skip(&r);
			to = r.p;
		}
	}
	ok(jread_end(&r), "an object is read member by member");
	ok(v == 65535 && sum == 14 && b && jread_is(s, "x y"), "with its values");
	ok(from && to - from == 8 && memcmp(from, "{\"k\" :1}", 8) == 0, "and the exact bytes of one");

	static const char *const numbers[] = { "256", "-1", "1.0", "1e1", "\"1\"", "18446744073709551616", "" };
	size_t refused = 0;

	for (size_t k = 0; k < ARRAY_LEN(numbers); k++) {
		jread_init(&r, numbers[k], strlen(numbers[k]));
		refused += !jread_u64(&r, 255, &v);
	}
	is_int(refused, ARRAY_LEN(numbers), "numbers out of range or not whole are refused");
	jread_init(&r, "\"a\\u0062\"", 9);
	ok(!jread_string(&r, &s) && r.failed && r.why, "a string with escapes is refused where text is needed");
	ok(!jread_skip(&r) && !jread_end(&r), "a failure sticks");

	static const char escaped[] = "\"a\\/\\n\\u0041\\u00e9\\u20AC\\ud83d\\ude00\\\\\\\"z\"";
	static const char plain[] = "a/\nA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\\\"z";
	char out[sizeof(escaped)];
	size_t n;

	jread_init(&r, escaped, sizeof(escaped) - 1);
	ok(jread_raw(&r, &s) && jread_end(&r) && s.n == sizeof(escaped) - 3, "a string with escapes, as it is written");
	n = jread_unescape(s, out);
	ok(n == sizeof(plain) - 1 && memcmp(out, plain, n) == 0, "and what it stands for");
	memcpy(out, s.p, s.n);
	n = jread_unescape(cur_make(out, s.n), out);
	ok(n == sizeof(plain) - 1 && memcmp(out, plain, n) == 0, "in place");
	jread_init(&r, "\"\\ud800\"", 8);
	ok(!jread_raw(&r, &s), "half a surrogate pair is refused");
}

/* ---- DER ---- */

static struct cur hexed(const char *hex, uint8_t *buf)
{
	size_t n = strlen(hex) / 2;

	if (!hex_decode(hex, 2 * n, buf, n))
		abort();
	return cur_make(buf, n);
}

static void test_der(void)
{
	static const char *const bad[] = {
		"", "30", "3001", "3080", "308000", "30810100", "3081", "30820001ff", "308200", "3085010000000000",
		"1f0100", "3f8101", "30ffffffff", "3084ffffffff00",
	};
	uint8_t buf[300], out[4], tag;
	struct cur c, body;
	size_t refused = 0;
	uint64_t v = 0;
	bool b = false;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		c = hexed(bad[i], buf);
		refused += !der_any(&c, &tag, &body) && c.n == strlen(bad[i]) / 2;
	}
	is_int(refused, ARRAY_LEN(bad), "malformed lengths and tags are refused, and nothing is taken");
	memset(buf, 0, sizeof(buf));
	memcpy(buf, "\x04\x81\x80", 3);
	c = cur_make(buf, 131);
	ok(der_get(&c, DER_OCTET_STRING, &body) && body.n == 128 && c.n == 0, "a long length is read");
	buf[2] = 0x7f;
	c = cur_make(buf, 130);
	ok(!der_get(&c, DER_OCTET_STRING, &body), "one that would have fitted a byte is not");

	c = hexed("020100", buf);
	ok(der_uint(&c, DER_INTEGER, 255, &v) && v == 0, "zero");
	c = hexed("020200ff", buf);
	ok(der_uint(&c, DER_INTEGER, 255, &v) && v == 255, "255");
	c = hexed("0201ff", buf);
	ok(!der_uint(&c, DER_INTEGER, 255, &v), "a negative number");
	c = hexed("0202007f", buf);
	ok(!der_uint(&c, DER_INTEGER, 255, &v), "a number longer than it need be");
	c = hexed("02020100", buf);
	ok(!der_uint(&c, DER_INTEGER, 255, &v) && c.n == 4, "a number out of range");
	c = hexed("0200", buf);
	ok(!der_uint(&c, DER_INTEGER, 255, &v), "a number of no bytes");
	c = hexed("0203010203", buf);
	ok(der_unsigned(&c, out, 4) && memcmp(out, "\0\1\2\3", 4) == 0, "right-aligned");
	c = hexed("02050101020304", buf);
	ok(!der_unsigned(&c, out, 4), "too long for its place");
	c = hexed("0101ff", buf);
	ok(der_bool(&c, &b) && b, "true");
	c = hexed("010101", buf);
	ok(!der_bool(&c, &b), "a truth that DER does not know");
	c = hexed("03020700", buf);
	ok(!der_bits(&c, &body), "unused bits");
	c = hexed("0300", buf);
	ok(!der_bits(&c, &body), "a bit string of nothing");
	c = hexed("0500", buf);
	ok(der_optional(&c, DER_BOOLEAN, &b, &body) && !b && c.n == 2, "an absent option takes nothing");
	c = hexed("0103", buf);
	ok(!der_optional(&c, DER_BOOLEAN, &b, &body), "a malformed one is refused");
}

/* ---- lines of words ---- */

/* The words of all lines, "number:word word;". */
static const char *worded(const char *text, size_t n)
{
	static char out[200];
	static struct words w;
	struct cur c = cur_make(text, n);
	struct bawn_error e = { 0 };
	int rc;

	w.number = 0;
	*out = 0;
	while ((rc = words_next(&c, &w, &e)) > 0) {
		sprintf(out + strlen(out), "%u:", w.number);
		for (size_t i = 0; i < w.count; i++)
			sprintf(out + strlen(out), "%s%s", w.word[i], i + 1 < w.count ? " " : ";");
	}
	return rc ? "error" : out;
}

static void test_words(void)
{
	static char big[20000];
	uint64_t v;

	is_str(worded("a b\n\n \t\n# c\n  d\t e # f\n", 22), "1:a b;5:d e;", "words, blank lines, comments");
	is_str(worded("a#b #\xc3\xa9\r\nc", 10), "1:a#b;2:c;", "a # within a word; bytes in a comment; CR");
	is_str(worded("", 0), "", "no text");
	is_str(worded("a", 1), "1:a;", "no end of line");
	is_str(worded("a\0b", 3), "error", "a NUL");
	is_str(worded("a\x1b[0m", 5), "error", "a control character");
	is_str(worded("# \x1b", 3), "error", "... in a comment too");
	is_str(worded("\xc3\xa9", 2), "error", "bytes beyond ASCII in a word");
	is_str(worded("a#\xc3\xa9", 4), "error", "... even behind a # within it");
	memset(big, 'x', sizeof(big));
	is_str(worded(big, 8192), "error", "a line too long");
	memset(big, ' ', 8000);
	for (size_t i = 0; i < 257; i++)
		big[2 * i] = 'x';
	is_str(worded(big, 514), "error", "too many words");
	ok(words_number("0", 1, 9, &v) && v == 0 && words_number("18446744073709551615", 20, UINT64_MAX, &v) &&
		   v == UINT64_MAX,
	   "numbers");
	ok(!words_number("18446744073709551616", 20, UINT64_MAX, &v) && !words_number("01", 2, 9, &v) &&
		   !words_number("", 0, 9, &v) && !words_number("1x", 2, 99, &v) &&
		   !words_number("-1", 2, 9, &v) && !words_number("+1", 2, 9, &v) && !words_number("10", 2, 9, &v),
	   "what is none, or too large");
}

int main(void)
{
	test_words();
	test_base64();
	test_json_grammar();
	test_json_values();
	test_der();
	return tap_done();
}
