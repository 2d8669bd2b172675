/*
 * base: what every other part stands on. Errors, bounded cursors, growing
 * buffers, hex, secrets, files and descriptors, logging.
 *
 * Nothing here knows of SGX or of cryptography. The first half is
 * freestanding and is what enclave code may use (BAWN_FREESTANDING).
 */
#ifndef BAWN_BASE_H
#define BAWN_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define BASE_PAGE 4096u

/* ---- little-endian and big-endian integers in byte arrays ---- */

static inline uint16_t get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t get_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t get_le64(const uint8_t *p)
{
	return (uint64_t)get_le32(p) | (uint64_t)get_le32(p + 4) << 32;
}
static inline void put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}
static inline void put_le32(uint8_t *p, uint32_t v)
{
	put_le16(p, (uint16_t)v);
	put_le16(p + 2, (uint16_t)(v >> 16));
}
static inline void put_le64(uint8_t *p, uint64_t v)
{
	put_le32(p, (uint32_t)v);
	put_le32(p + 4, (uint32_t)(v >> 32));
}
static inline uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)get_be16(p) << 16 | get_be16(p + 2);
}

/* ---- bounded cursor: every read of foreign bytes goes through it ---- */

/*
 * A view of bytes not yet consumed. A read either takes exactly what it asks
 * for, copied out, and returns true, or takes nothing and returns false.
 */
struct cur {
	const uint8_t *p;
	size_t n;
};

static inline struct cur cur_make(const void *p, size_t n)
{
	return (struct cur){ .p = p, .n = n };
}
/* Take the next n bytes as a cursor of their own. */
static inline bool cur_sub(struct cur *c, size_t n, struct cur *out)
{
	if (n > c->n)
		return false;
	*out = (struct cur){ .p = c->p, .n = n };
	c->p += n;
	c->n -= n;
	return true;
}
static inline bool cur_skip(struct cur *c, size_t n)
{
	struct cur unused;

	return cur_sub(c, n, &unused);
}
/* Copy the next n bytes to dst. */
bool cur_bytes(struct cur *c, void *dst, size_t n);
bool cur_u8(struct cur *c, uint8_t *v);
bool cur_le16(struct cur *c, uint16_t *v);
bool cur_le32(struct cur *c, uint32_t *v);
bool cur_le64(struct cur *c, uint64_t *v);
/* A cursor over [off, off + n) of the whole, or false; overflow-safe. */
bool cur_at(const struct cur *whole, uint64_t off, uint64_t n, struct cur *out);

/* ---- secrets ---- */

/* True if the n bytes are equal; the time depends on n alone. */
bool ct_equal(const void *a, const void *b, size_t n);
/* True if all n bytes are zero; the time depends on n alone. */
bool ct_is_zero(const void *a, size_t n);
/* Overwrite with zeros in a way the compiler keeps. */
void wipe(void *p, size_t n);

/* a + b and a * b with overflow refused: false and *r untouched. */
static inline bool add_u64(uint64_t a, uint64_t b, uint64_t *r)
{
	uint64_t v;

	if (__builtin_add_overflow(a, b, &v))
		return false;
	*r = v;
	return true;
}
static inline bool mul_u64(uint64_t a, uint64_t b, uint64_t *r)
{
	uint64_t v;

	if (__builtin_mul_overflow(a, b, &v))
		return false;
	*r = v;
	return true;
}

#ifndef BAWN_FREESTANDING

#include "bawn.h"
#include <stdarg.h>
#include <sys/types.h>

/* ---- errors ---- */

/*
 * Record a failure and return its code, so that `return err_set(...)` reads
 * well. The first (deepest) cause is kept: a second call on an error already
 * set changes nothing and returns the code given. e may be NULL.
 */
int err_set(struct bawn_error *e, enum bawn_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for a failed system call: errno is recorded, ": <strerror>" appended. */
int err_sys(struct bawn_error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same for a status code of an SGX leaf function (ENUM in isa.h); code BAWN_ERR_SGX. */
int err_sgx(struct bawn_error *e, uint32_t status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int err_nomem(struct bawn_error *e);
/* Put "<text>: " in front of a recorded message (which file, which step). */
void err_context(struct bawn_error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- texts in fixed room ---- */

/* printf into max bytes; what does not fit ends after a word, with "..." behind it. */
void text_printf(char *out, size_t max, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void text_vprintf(char *out, size_t max, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
/* The same of a text and an end that is kept whole; out may be the text itself. */
void text_fit(char *out, size_t max, const char *text, const char *end);

/* ---- hex and base64 ---- */

/* 2 * n lower-case digits and a NUL into out (2 * n + 1 bytes). */
void hex_encode(const void *p, size_t n, char *out);
/* Exactly 2 * n digits (either case) and nothing else; false otherwise. */
bool hex_decode(const char *s, size_t len, void *out, size_t n);
/*
 * Base64 with padding (RFC 4648 section 4); spaces, tabs and line ends are
 * skipped. *n becomes the bytes written, at most max. False for anything else,
 * bits left over included.
 */
bool base64_decode(const char *s, size_t len, void *out, size_t max, size_t *n);

/* ---- growing buffer ---- */

/*
 * Bytes under construction, up to a hard maximum. A failed append (memory or
 * maximum) sets `failed`, which sticks; callers test it once at the end.
 */
struct buf {
	uint8_t *p;
	size_t n, cap, max;
	bool failed;
};
void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b); /* wipes, then frees */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- text files of lines and words ---- */

#define WORDS_MAX 256u

/* One line, cut into its words. Start it as number 0. */
struct words {
	unsigned number; /* of the line, from 1 */
	size_t count;    /* words in it */
	char *word[WORDS_MAX];
	char text[8192]; /* what they point into */
};
/*
 * The next line with a word in it: 1, or 0 at the end of the text. A # at a
 * word's start begins a comment, the only place for bytes beyond ASCII. CR LF
 * ends a line too. BAWN_ERR_FORMAT: a control character, a line too long.
 */
int words_next(struct cur *text, struct words *w, struct bawn_error *e);
/* "line 7: what: word"; word may be NULL. Returns BAWN_ERR_FORMAT. */
int words_wrong(const struct words *w, struct bawn_error *e, const char *what, const char *word);
/* A number of n decimal digits and nothing else, no zero in front, at most max. */
bool words_number(const char *s, size_t n, uint64_t max, uint64_t *out);

/* ---- JSON, writing (RFC 8259) ---- */

/*
 * Writes well-formed JSON into a buffer: commas, escapes and indentation are
 * its business. key is NULL for array elements and the outermost value.
 */
struct json {
	struct buf *out;
	unsigned depth;
	bool first[32]; /* no member written yet at this depth */
};
void json_init(struct json *j, struct buf *out);
void json_open(struct json *j, const char *key, char bracket); /* '{' or '[' */
void json_close(struct json *j, char bracket);                 /* '}' or ']' */
void json_string(struct json *j, const char *key, const char *utf8);
void json_hex(struct json *j, const char *key, const void *p, size_t n);
void json_u64(struct json *j, const char *key, uint64_t v);
void json_i64(struct json *j, const char *key, int64_t v);
void json_fixed(struct json *j, const char *key, double v, int decimals);
void json_bool(struct json *j, const char *key, bool v);
void json_null(struct json *j, const char *key);

/* ---- JSON, reading (RFC 8259) ---- */

#define JREAD_DEPTH 32   /* arrays and objects within each other */
#define JREAD_MEMBERS 64 /* members of one object */
#define JREAD_NAME 64    /* bytes of a member's name */

/*
 * Reads a text once, front to back, allocating nothing. Strict: UTF-8, no
 * byte order mark, no duplicate member, no escape in a member's name, nothing
 * after the value. The first thing wrong sets `failed`, which sticks and makes
 * every later call return false; `why` then says what it was and `p` where.
 *
 *	jread_object(&r, &o);
 *	while (jread_member(&r, &o, &name))
 *		if (jread_is(name, "version")) jread_u64(&r, 0xffff, &version);
 *		else jread_skip(&r);
 *	jread_end(&r);  // true: all of it was read and well-formed
 */
struct jread {
	const uint8_t *start, *p, *end;
	unsigned depth;
	bool failed;
	const char *why;
};
struct jread_object {
	unsigned count; /* of the members seen: their names, and marks to compare first */
	struct cur name[JREAD_MEMBERS];
	uint64_t mark[JREAD_MEMBERS];
};
void jread_init(struct jread *r, const void *p, size_t n);
bool jread_object(struct jread *r, struct jread_object *o);
/* The next member's name; false at the object's end or on failure. Its value must be read next. */
bool jread_member(struct jread *r, struct jread_object *o, struct cur *name);
bool jread_array(struct jread *r);
/* True if another element follows, which must be read next. *index is SIZE_MAX at first, then its number. */
bool jread_element(struct jread *r, size_t *index);
/* A string, without its quotes and as it stands; false if it has escapes. */
bool jread_string(struct jread *r, struct cur *s);
/* The same, but escapes (checked) stay in it as they are written. */
bool jread_raw(struct jread *r, struct cur *s);
/*
 * What a raw string stands for, in UTF-8: at most raw.n bytes into out, which may
 * be raw.p itself. Returns their number. raw must come from jread_raw.
 */
size_t jread_unescape(struct cur raw, void *out);
/* A number written as digits alone, at most max. */
bool jread_u64(struct jread *r, uint64_t max, uint64_t *v);
bool jread_bool(struct jread *r, bool *v);
/* Any value, checked as strictly as the rest. */
bool jread_skip(struct jread *r);
/* Where the next value starts, without the space before it: for the exact bytes of a value. */
const uint8_t *jread_here(struct jread *r);
bool jread_end(struct jread *r);
/* The reader's own refusal: the caller found a value that it cannot accept. Returns false. */
bool jread_fail(struct jread *r, const char *why);
/* True if s is exactly the text. Inline, so that the length of a literal is a constant. */
static inline bool jread_is(struct cur s, const char *text)
{
	return s.n == __builtin_strlen(text) && __builtin_memcmp(s.p, text, s.n) == 0;
}

/* ---- DER, reading (X.690) ---- */

enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0a,
	DER_UTF8_STRING = 0x0c,
	DER_PRINTABLE_STRING = 0x13,
	DER_IA5_STRING = 0x16,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
};

/*
 * Each takes one element off the front of c and returns true, or takes nothing
 * and returns false. Lengths must be definite and as short as can be; tags
 * have one byte.
 */
bool der_any(struct cur *c, uint8_t *tag, struct cur *body);
bool der_get(struct cur *c, uint8_t tag, struct cur *body);
/* With *whole, the element with its tag and length. */
bool der_get_whole(struct cur *c, uint8_t tag, struct cur *whole);
/* The same if the next element has that tag; *present tells. False only for a malformed one. */
bool der_optional(struct cur *c, uint8_t tag, bool *present, struct cur *body);
/* A non-negative INTEGER or ENUMERATED of at most max. */
bool der_uint(struct cur *c, uint8_t tag, uint64_t max, uint64_t *v);
/* A non-negative INTEGER's bytes, without the zero that keeps it positive. */
bool der_magnitude(struct cur *c, struct cur *bytes);
/* The same of at most n bytes, right-aligned in out. */
bool der_unsigned(struct cur *c, uint8_t *out, size_t n);
bool der_bool(struct cur *c, bool *v);
/* A BIT STRING without unused bits. */
bool der_bits(struct cur *c, struct cur *body);
/* True if the body of an OID is these bytes. */
bool der_oid_is(struct cur oid, const void *bytes, size_t n);

/* ---- DER, writing; each appends to b, whose `failed` tells in the end ---- */

void der_put(struct buf *b, uint8_t tag, const void *p, size_t n);
/* Everything from `start` on becomes the body of one element. */
void der_wrap(struct buf *b, size_t start, uint8_t tag);
/* A non-negative INTEGER from big-endian bytes; leading zeros are dropped. */
void der_put_magnitude(struct buf *b, const uint8_t *p, size_t n);
void der_put_uint(struct buf *b, uint8_t tag, uint64_t v); /* INTEGER or ENUMERATED */
/* Seconds since 1970: UTCTime where it can be (RFC 5280 section 4.1.2.5) and unless `generalized`. */
void der_put_time(struct buf *b, int64_t t, bool generalized);
/* The PEM text of n bytes (RFC 7468). */
void buf_pem(struct buf *b, const char *label, const void *der, size_t n);

/* ---- files and descriptors ---- */

/* The whole of a file ("-": standard input) of at most max bytes; *out is malloc'd, the caller's. */
int io_read_file(const char *path, size_t max, uint8_t **out, size_t *n, struct bawn_error *e);
/* The same below a directory descriptor; refuses symbolic links in the last part. */
int io_read_file_at(int dirfd, const char *name, size_t max, uint8_t **out, size_t *n,
		    struct bawn_error *e);
/*
 * Written to a new file beside it, synced, renamed over it; mode as given, umask
 * ignored. What is there and no regular file (a device, a pipe) is written into.
 */
int io_write_file(const char *path, const void *p, size_t n, mode_t mode, struct bawn_error *e);
int io_write_file_at(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
		     struct bawn_error *e);
/* The same, but a file that is there keeps its owner, group and mode: it may be another user's to read. */
int io_replace_file_at(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
		       struct bawn_error *e);
/* The directories above a name, those that are missing (mkdir -p). */
int io_make_parents(const char *name, mode_t mode, struct bawn_error *e);
/* Something is there, and it is no regular file: it must not be renamed over. */
bool io_is_special(int dirfd, const char *name);
/* All n bytes or an error; EINTR is retried, end of file is an error for reading. */
int io_read_full(int fd, void *p, size_t n, struct bawn_error *e);
int io_write_full(int fd, const void *p, size_t n, struct bawn_error *e);
struct msghdr;
/* Descriptors to go with a message; control is zeroed room for them, CMSG_SPACE(n * sizeof(int)) and aligned. */
void io_put_fds(struct msghdr *m, void *control, const int *fds, size_t n);
/*
 * Take those of a received message, at most max, into fds; what does not fit is
 * closed. True if that was all, and there was nothing else.
 */
bool io_take_fds(struct msghdr *m, int *fds, size_t max, size_t *n);
/* One message with up to 8 descriptors over a UNIX socket (SCM_RIGHTS, close-on-exec). */
int io_send_fds(int sock, const void *p, size_t n, const int *fds, size_t nfds,
		struct bawn_error *e);
int io_recv_fds(int sock, void *p, size_t max, size_t *n, int *fds, size_t maxfds, size_t *nfds,
		struct bawn_error *e);

/* ---- time ---- */

uint64_t clock_ns(void); /* CLOCK_MONOTONIC */

/* ---- logging: libraries never print; they call what the program installed ---- */

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
typedef void (*log_fn)(void *arg, enum log_level level, const char *msg);
void log_to(log_fn fn, void *arg);
void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif /* BAWN_FREESTANDING */
#endif
