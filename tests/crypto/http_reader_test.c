/* The reader of HTTP responses: what it takes, what it refuses, in pieces of any size. */
#include "crypto/crypto.h"
#include "tests/tap.h"

#define MAX_BODY 64u

/* Feed text in pieces of `step` bytes, then the end of the connection. */
static int run(const char *text, size_t n, size_t step, bool head_only, struct http_reader *r)
{
	struct bawn_error e = { 0 };
	int rc = 0;

	http_reader_init(r, MAX_BODY);
	r->head_only = head_only;
	for (size_t i = 0; i < n && rc == 0; i += step)
		rc = http_reader_feed(r, text + i, n - i < step ? n - i : step, &e);
	return rc ? rc : http_reader_eof(r, &e);
}

static void takes(const char *text, unsigned status, const char *body, const char *name)
{
	static const size_t steps[] = { 1, 2, 3, 7, 100000 };
	bool good = true;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct http_reader r;

		good = good && run(text, strlen(text), steps[i], false, &r) == 0 && r.done &&
		       r.status == status && r.body.n == strlen(body) &&
		       (!r.body.n || memcmp(r.body.p, body, r.body.n) == 0);
		http_reader_free(&r);
	}
	ok(good, "%s", name);
}

static void refuses_n(const char *text, size_t n, int code, const char *name)
{
	struct http_reader r;
	int whole = run(text, n, 100000, false, &r), bytes;

	http_reader_free(&r);
	bytes = run(text, n, 1, false, &r);
	http_reader_free(&r);
	ok(whole == code && bytes == code, "%s: refused (%d, %d)", name, whole, bytes);
}

static void refuses(const char *text, int code, const char *name)
{
	refuses_n(text, strlen(text), code, name);
}

static void well_formed(void)
{
	takes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", "a length");
	takes("HTTP/1.0 200\r\ncontent-LENGTH:5\t \r\n\r\nhello", 200, "hello", "HTTP/1.0, no reason, blanks");
	takes("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, "", "an empty body");
	takes("HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "until the end", "no length: until the end");
	takes("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nA: b\r\n\r\n",
	      200, "hello!", "chunks, an extension, a trailer");
	takes("HTTP/1.1 204 No Content\r\n\r\n", 204, "", "204 has no body");
	takes("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz", 200,
	      "z", "an interim response is skipped");
	takes("HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 1\r\n\r\nz", 200, "z",
	      "identity is no coding");
}

static void malformed(void)
{
	const int F = BAWN_ERR_FORMAT, N = BAWN_ERR_NETWORK;

	refuses("SSH-2.0-OpenSSH_9.6\r\n\r\n", F, "another protocol");
	refuses("HTTP/2 200\r\n\r\n", F, "another version");
	refuses("HTTP/1.1 20x OK\r\n\r\n", F, "a status that is no number");
	refuses("HTTP/1.1 2000 OK\r\n\r\n", F, "a status of four digits");
	refuses("HTTP/1.1 099 OK\r\n\r\n", F, "a status below 100");
	refuses("HTTP/1.1 600 OK\r\n\r\n", F, "a status above 599");
	refuses("HTTP/1.1  200 OK\r\n\r\n", F, "two blanks in the status line");
	refuses("HTTP/1.1 200 OK\r\nA b: c\r\n\r\n", F, "a blank in a name");
	refuses("HTTP/1.1 200 OK\r\nA : c\r\n\r\n", F, "a blank after a name");
	refuses("HTTP/1.1 200 OK\r\n: c\r\n\r\n", F, "an empty name");
	refuses("HTTP/1.1 200 OK\r\nA\r\n\r\n", F, "no colon");
	refuses("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", F, "a folded line");
	refuses("HTTP/1.1 200 OK\r\nA: b\nB: c\r\n\r\n", F, "a bare LF");
	refuses("HTTP/1.1 200 OK\r\nA: b\rB: c\r\n\r\n", F, "a bare CR");
	refuses("HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n", F, "a control character");
	refuses_n("HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n", 28, F, "a NUL");
	refuses("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", F, "a negative length");
	refuses("HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello", F, "a length in hex");
	refuses("HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", F, "an empty length");
	refuses("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", F, "a list of lengths");
	refuses("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", F, "two lengths");
	refuses("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", F,
		"a length beside chunks");
	refuses("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", F, "another coding");
	refuses("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nz", F, "compressed");
	refuses("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", F, "a length too long");
	refuses("HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n", N, "a length above the maximum");
	refuses("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", N, "a body cut short");
	refuses("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!", F, "a byte after the body");
	refuses("HTTP/1.1 200 OK\r\nContent-Le", N, "a head cut short");
	refuses("", N, "nothing at all");
	refuses("HTTP/1.1 101 Switching Protocols\r\n\r\n", F, "101");
	refuses("HTTP/1.1 100 Continue\r\n\r\n", N, "an interim response alone");
	refuses("HTTP/1.1 100 A\r\n\r\nHTTP/1.1 100 A\r\n\r\nHTTP/1.1 100 A\r\n\r\nHTTP/1.1 100 A\r\n\r\n"
		"HTTP/1.1 100 A\r\n\r\n", F, "interim responses without end");
}

static void malformed_chunks(void)
{
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	refuses(CHUNKED "x\r\n", BAWN_ERR_FORMAT, "a chunk's size is no number");
	refuses(CHUNKED "\r\n", BAWN_ERR_FORMAT, "an empty chunk size");
	refuses(CHUNKED "-1\r\n", BAWN_ERR_FORMAT, "a negative chunk size");
	refuses(CHUNKED "1\nz\r\n0\r\n\r\n", BAWN_ERR_FORMAT, "a bare LF after a chunk's size");
	refuses(CHUNKED "1\r\nzz\r\n0\r\n\r\n", BAWN_ERR_FORMAT, "a chunk longer than it says");
	refuses(CHUNKED "41\r\n", BAWN_ERR_NETWORK, "a chunk above the maximum");
	refuses(CHUNKED "ffffffffffffffff\r\n", BAWN_ERR_FORMAT, "a chunk size that would overflow");
	refuses(CHUNKED "1\r\nz\r\n", BAWN_ERR_NETWORK, "no last chunk");
	refuses(CHUNKED "0\r\n\r\nx", BAWN_ERR_FORMAT, "a byte after the trailer");
}

static void limits(void)
{
	struct http_reader r;
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_str(&b, "HTTP/1.1 200 OK\r\nA: ");
	for (int i = 0; i < 70000; i++)
		buf_str(&b, "x");
	is_int(run((const char *)b.p, b.n, 4096, false, &r), BAWN_ERR_NETWORK, "a head without end");
	ok(r.head.cap <= HTTP_HEAD_MAX, "no more memory than the limit");
	http_reader_free(&r);
	b.n = 0;
	buf_str(&b, "HTTP/1.1 200 OK\r\n");
	for (unsigned i = 0; i <= HTTP_FIELDS_MAX; i++)
		buf_str(&b, "A: b\r\n");
	buf_str(&b, "\r\n");
	is_int(run((const char *)b.p, b.n, 4096, false, &r), BAWN_ERR_FORMAT, "too many fields");
	http_reader_free(&r);
	b.n = 0;
	buf_str(&b, CHUNKED "0\r\n");
	for (unsigned i = 0; i < 100000; i++)
		buf_str(&b, "A: b\r\n");
	is_int(run((const char *)b.p, b.n, 4096, false, &r), BAWN_ERR_FORMAT, "a trailer without end");
	http_reader_free(&r);
	b.n = 0;
	buf_str(&b, CHUNKED);
	for (unsigned i = 0; i < 65; i++)
		buf_str(&b, "1\r\nz\r\n");
	is_int(run((const char *)b.p, b.n, 4096, false, &r), BAWN_ERR_NETWORK, "chunks without end");
	http_reader_free(&r);
	buf_free(&b);
}

static void fields(void)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nOne:  a b\t\r\nTwo: 1\r\ntwo: 2\r\nContent-Length: 0\r\n\r\n";
	struct http_reader r;
	struct cur v;

	is_int(run(text, strlen(text), 9, false, &r), 0, "a response with fields");
	is_int(http_header(&r, "ONE", &v), 1, "a field is found in any case");
	ok(v.n == 3 && memcmp(v.p, "a b", 3) == 0, "without the blanks around it");
	is_int(http_header(&r, "Two", &v), 2, "a repeated field is counted");
	ok(v.n == 1 && v.p[0] == '1', "and the first value given");
	is_int(http_header(&r, "Three", &v), 0, "an absent field");
	is_int(http_header(&r, "HTTP/1.1 200 OK", &v), 0, "the status line is no field");
	http_reader_free(&r);
	is_int(run("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 38, 9, true, &r), 0,
	       "an answer to CONNECT has a head only");
	http_reader_free(&r);
}

static void percent(void)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "" }, { "a+b", "a+b" }, { "%2B%2b", "++" }, { "a%0Ab", "a\nb" },
		{ "%", NULL }, { "%4", NULL }, { "%4g", NULL }, { "%-1", NULL }, { "a%00", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b;
		bool good;

		buf_init(&b, 16);
		good = http_percent_decode(cur_make(cases[i].in, strlen(cases[i].in)), &b);
		ok(good == !!cases[i].out &&
			   (!good || (b.n == strlen(cases[i].out) &&
				      (!b.n || memcmp(b.p, cases[i].out, b.n) == 0))),
		   "percent-decoding of \"%s\"", cases[i].in);
		buf_free(&b);
	}
}

int main(void)
{
	well_formed();
	malformed();
	malformed_chunks();
	limits();
	fields();
	percent();
	return tap_done();
}
