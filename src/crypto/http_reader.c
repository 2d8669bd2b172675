/*
 * A strict, bounded reader of one HTTP response (RFC 9112). What could be
 * taken in two ways is refused: folded lines, bare line feeds, two lengths,
 * a length beside a transfer coding, codings that were not asked for.
 */
#include "crypto/crypto.h"

#include <string.h>
#include <strings.h>

enum state { HEAD, LENGTH, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, UNTIL_CLOSE, DONE };

#define INTERIM_MAX 4u /* 100 Continue, 103 Early Hints and their like */

void http_reader_init(struct http_reader *r, size_t max_body)
{
	*r = (struct http_reader){ .state = HEAD };
	buf_init(&r->head, HTTP_HEAD_MAX);
	buf_init(&r->body, max_body);
}

void http_reader_free(struct http_reader *r)
{
	buf_free(&r->head);
	buf_free(&r->body);
}

static int malformed(struct bawn_error *e, const char *what)
{
	return err_set(e, BAWN_ERR_FORMAT, "HTTP response: %s", what);
}

/* tchar, RFC 9110 section 5.6.2. */
static bool is_token(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* Cut the next line off the head; its CRLF is dropped. Bare CR, LF and NUL are refused. */
static bool next_line(struct cur *c, struct cur *line)
{
	const uint8_t *cr = memchr(c->p, '\r', c->n);
	size_t n = cr ? (size_t)(cr - c->p) : 0;

	if (!cr || n + 2 > c->n || cr[1] != '\n' || memchr(c->p, '\n', n) || memchr(c->p, 0, n))
		return false;
	return cur_sub(c, n, line) && cur_skip(c, 2);
}

/* Split "name: value"; a name must not be empty nor followed by a blank (no folding either). */
static bool split_field(struct cur line, struct cur *name, struct cur *value)
{
	size_t n = 0;

	while (n < line.n && is_token(line.p[n]))
		n++;
	if (!n || n == line.n || line.p[n] != ':')
		return false;
	if (!cur_sub(&line, n, name) || !cur_skip(&line, 1))
		return false;
	while (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
		cur_skip(&line, 1);
	while (line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t'))
		line.n--;
	for (size_t i = 0; i < line.n; i++)
		if ((line.p[i] < 0x20 && line.p[i] != '\t') || line.p[i] == 0x7f)
			return false;
	*value = line;
	return true;
}

static bool same_name(struct cur got, const char *want)
{
	return got.n == strlen(want) && strncasecmp((const char *)got.p, want, got.n) == 0;
}

unsigned http_header(const struct http_reader *r, const char *name, struct cur *value)
{
	struct cur c = cur_make(r->head.p, r->head.n), line, got_name, got_value;
	unsigned count = 0;

	if (!next_line(&c, &line)) /* the status line */
		return 0;
	while (next_line(&c, &line) && split_field(line, &got_name, &got_value))
		if (same_name(got_name, name) && count++ == 0)
			*value = got_value;
	return count;
}

/* HTTP/1.x SP 3DIGIT [SP reason], RFC 9112 section 4. */
static int status_line(struct http_reader *r, struct cur line, struct bawn_error *e)
{
	const uint8_t *p = line.p;
	bool good = line.n >= 12 && (memcmp(p, "HTTP/1.1 ", 9) == 0 || memcmp(p, "HTTP/1.0 ", 9) == 0) &&
		    (line.n == 12 || p[12] == ' ');

	for (int i = 9; good && i < 12; i++)
		good = p[i] >= '0' && p[i] <= '9';
	if (!good)
		return malformed(e, "no HTTP/1.1 status line (is this an HTTP server?)");
	r->status = (unsigned)(p[9] - '0') * 100 + (unsigned)(p[10] - '0') * 10 + (unsigned)(p[11] - '0');
	if (r->status < 100 || r->status > 599)
		return malformed(e, "a status code outside 100..599");
	return 0;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_u64(struct cur c, unsigned base, uint64_t *v)
{
	uint64_t total = 0;

	if (!c.n || c.n > 15)
		return false;
	for (size_t i = 0; i < c.n; i++) {
		int digit = hex_digit(c.p[i]);

		if (digit < 0 || (unsigned)digit >= base)
			return false;
		total = total * base + (unsigned)digit;
	}
	*v = total;
	return true;
}

/* How the body ends: RFC 9112 section 6.3. */
static int framing(struct http_reader *r, struct bawn_error *e)
{
	struct cur length, coding, content;
	unsigned lengths = http_header(r, "Content-Length", &length);
	unsigned codings = http_header(r, "Transfer-Encoding", &coding);

	if (http_header(r, "Content-Encoding", &content) && !same_name(content, "identity"))
		return malformed(e, "a Content-Encoding that was not asked for");
	if (lengths + codings > 1)
		return malformed(e, "more than one Content-Length or Transfer-Encoding");
	if (r->head_only || r->status == 204 || r->status == 304) {
		r->state = DONE;
	} else if (codings) {
		if (!same_name(coding, "chunked"))
			return malformed(e, "a Transfer-Encoding other than chunked");
		r->state = CHUNK_SIZE;
	} else if (lengths) {
		if (!parse_u64(length, 10, &r->left))
			return malformed(e, "Content-Length is not a number");
		if (r->left > r->body.max)
			return err_set(e, BAWN_ERR_NETWORK, "HTTP response: a body of %llu bytes, more than %zu",
				       (unsigned long long)r->left, r->body.max);
		r->state = r->left ? LENGTH : DONE;
	} else {
		r->state = UNTIL_CLOSE;
	}
	r->done = r->state == DONE;
	return 0;
}

static int head_end(struct http_reader *r, struct bawn_error *e)
{
	struct cur c = cur_make(r->head.p, r->head.n), line, name, value;
	unsigned fields = 0;
	int rc;

	if (!next_line(&c, &line))
		return malformed(e, "a status line with a bare CR, LF or NUL");
	rc = status_line(r, line, e);
	if (rc)
		return rc;
	while (next_line(&c, &line) && line.n) {
		if (!split_field(line, &name, &value))
			return malformed(e, "a malformed header field");
		if (++fields > HTTP_FIELDS_MAX)
			return malformed(e, "too many header fields");
	}
	if (c.n)
		return malformed(e, "a header field with a bare CR, LF or NUL");
	if (r->status < 200) {
		if (r->status == 101 || ++r->interim > INTERIM_MAX)
			return malformed(e, "an interim response that was not asked for");
		buf_free(&r->head);
		r->match = 0;
		return 0;
	}
	return framing(r, e);
}

static int feed_head(struct http_reader *r, struct cur *in, struct bawn_error *e)
{
	static const char end[] = "\r\n\r\n";
	size_t n = 0;

	while (n < in->n && r->match < 4) {
		uint8_t c = in->p[n++];

		r->match = c == (uint8_t)end[r->match] ? r->match + 1 : c == '\r';
	}
	buf_add(&r->head, in->p, n);
	cur_skip(in, n);
	if (r->head.failed)
		return err_set(e, BAWN_ERR_NETWORK, "HTTP response: a head of more than %u bytes",
			       HTTP_HEAD_MAX);
	return r->match == 4 ? head_end(r, e) : 0;
}

static int feed_body(struct http_reader *r, struct cur *in, size_t n, struct bawn_error *e)
{
	buf_add(&r->body, in->p, n);
	cur_skip(in, n);
	if (r->body.failed)
		return err_set(e, BAWN_ERR_NETWORK, "HTTP response: a body of more than %zu bytes",
			       r->body.max);
	return 0;
}

/* A line of the chunked coding into r->line; *whole when its CRLF was taken. */
static int feed_line(struct http_reader *r, struct cur *in, bool *whole, struct bawn_error *e)
{
	*whole = false;
	while (in->n) {
		char c = (char)in->p[0];

		cur_skip(in, 1);
		if (r->line_len == sizeof(r->line))
			return malformed(e, "a line of the chunked coding is too long");
		r->line[r->line_len++] = c;
		if (c != '\n')
			continue;
		if (r->line_len < 2 || r->line[r->line_len - 2] != '\r')
			return malformed(e, "a bare LF in the chunked coding");
		*whole = true;
		r->line_len -= 2;
		return 0;
	}
	return 0;
}

/* chunk-size [chunk-ext], RFC 9112 section 7.1; extensions are ignored as it says. */
static int chunk_size(struct http_reader *r, struct bawn_error *e)
{
	const char *ext = memchr(r->line, ';', r->line_len);
	size_t n = ext ? (size_t)(ext - r->line) : r->line_len;

	r->line_len = 0;
	if (!parse_u64(cur_make(r->line, n), 16, &r->left))
		return malformed(e, "a chunk's size is not a number");
	if (r->left > r->body.max - r->body.n)
		return err_set(e, BAWN_ERR_NETWORK, "HTTP response: a body of more than %zu bytes",
			       r->body.max);
	r->state = r->left ? CHUNK_DATA : TRAILER;
	r->left = r->left ? r->left : HTTP_FIELDS_MAX;
	return 0;
}

static int feed_chunked(struct http_reader *r, struct cur *in, struct bawn_error *e)
{
	bool whole;
	int rc = feed_line(r, in, &whole, e);

	if (rc || !whole)
		return rc;
	if (r->state == CHUNK_SIZE)
		return chunk_size(r, e);
	if (r->state == CHUNK_END && r->line_len)
		return malformed(e, "no CRLF after a chunk");
	if (r->state == CHUNK_END)
		r->state = CHUNK_SIZE;
	else if (!r->line_len)
		r->state = DONE;
	else if (!r->left--)
		return malformed(e, "too many trailer fields");
	r->line_len = 0;
	r->done = r->state == DONE;
	return 0;
}

int http_reader_feed(struct http_reader *r, const void *p, size_t n, struct bawn_error *e)
{
	struct cur in = cur_make(p, n);
	int rc = 0;

	while (in.n && rc == 0) {
		size_t take = in.n < r->left ? in.n : (size_t)r->left;

		switch ((enum state)r->state) {
		case HEAD:
			rc = feed_head(r, &in, e);
			break;
		case LENGTH:
		case CHUNK_DATA:
			rc = feed_body(r, &in, take, e);
			r->left -= take;
			if (!r->left)
				r->state = r->state == LENGTH ? DONE : CHUNK_END;
			r->done = r->state == DONE;
			break;
		case UNTIL_CLOSE:
			rc = feed_body(r, &in, in.n, e);
			break;
		case CHUNK_SIZE:
		case CHUNK_END:
		case TRAILER:
			rc = feed_chunked(r, &in, e);
			break;
		case DONE:
			return malformed(e, "bytes after its end");
		}
	}
	return rc;
}

int http_reader_eof(struct http_reader *r, struct bawn_error *e)
{
	if (r->state == UNTIL_CLOSE) {
		r->state = DONE;
		r->done = true;
	}
	if (!r->done)
		return err_set(e, BAWN_ERR_NETWORK,
			       "the server closed the connection in the middle of its response");
	return 0;
}

bool http_percent_decode(struct cur in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		uint8_t c = in.p[i];

		if (c == '%') {
			int hi, lo;

			if (in.n - i < 3)
				return false;
			hi = hex_digit(in.p[i + 1]);
			lo = hex_digit(in.p[i + 2]);
			if (hi < 0 || lo < 0)
				return false;
			c = (uint8_t)(hi << 4 | lo);
			i += 2;
		}
		if (!c)
			return false;
		buf_add(out, &c, 1);
	}
	return !out->failed;
}
