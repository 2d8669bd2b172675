/* Lines of the audit log: written, and taken apart again. */
#include "authority/internal.h"
#include "crypto/crypto.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- writing ---- */

/* Texts need no JSON escapes: what would is written as %XX, and so is %. */
static void put_text(struct buf *out, const char *key, const char *s)
{
	if (!*s)
		return;
	buf_printf(out, ",\"%s\":\"", key);
	for (; *s; s++) {
		uint8_t c = (uint8_t)*s;

		if (c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '%')
			buf_printf(out, "%%%02X", c);
		else
			buf_add(out, s, 1);
	}
	buf_str(out, "\"");
}

static void put_hex(struct buf *out, const char *key, const void *p, size_t n)
{
	char hex[129];

	hex_encode(p, n, hex);
	buf_printf(out, ",\"%s\":\"%s\"", key, hex);
}

static void put_time(struct buf *out, const char *key, uint64_t us)
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;
	char text[32];

	/* Before the year 10000, as the format has it. */
	if (t > 253402300799 || !gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		strcpy(text, "9999-12-31T23:59:59");
	buf_printf(out, ",\"%s\":\"%s.%06uZ\"", key, text, (unsigned)(us % 1000000));
}

static void put_identity(struct buf *out, const struct wire_identity *i)
{
	uint8_t attributes[8];

	for (int k = 0; k < 8; k++)
		attributes[k] = (uint8_t)(i->attributes >> (56 - 8 * k));
	if (i->known & WIRE_KNOWN_MRENCLAVE)
		put_hex(out, "mrenclave", i->mrenclave, 32);
	if (i->known & WIRE_KNOWN_MRSIGNER)
		put_hex(out, "mrsigner", i->mrsigner, 32);
	if (i->known & WIRE_KNOWN_PRODUCT)
		buf_printf(out, ",\"product\":%u", i->product);
	if (i->known & WIRE_KNOWN_SVN)
		buf_printf(out, ",\"svn\":%u", i->svn);
	if (i->known & WIRE_KNOWN_ATTRIBUTES)
		put_hex(out, "attributes", attributes, 8);
}

static void put_extra(struct buf *out, const struct audit_extra *x)
{
	if (x->log)
		put_hex(out, "log", x->log, 16);
	if (x->before)
		put_hex(out, "before", x->before, 32);
	if (x->lost)
		buf_printf(out, ",\"lost\":%" PRIu64, x->lost);
	if (x->cut)
		buf_printf(out, ",\"cut\":%" PRIu64, x->cut);
	if (x->last)
		buf_printf(out, ",\"first\":%" PRIu64 ",\"last\":%" PRIu64, x->first, x->last);
}

void audit_render(const struct role_audit *ev, uint64_t n, const struct audit_extra *x, struct buf *out)
{
	char rule[32];

	buf_printf(out, "{\"n\":%" PRIu64, n);
	put_time(out, "time", ev->time);
	put_text(out, "event", wire_audit_event_name(ev->event));
	if (ev->operation < WIRE_OPERATIONS)
		put_text(out, "operation", wire_operation_name(ev->operation));
	if (ev->has_subject) { /* somebody was answered */
		authority_decision_rule(ev->reason, ev->line, ev->entry, rule);
		put_text(out, "answer", wire_code_name(ev->code));
		put_text(out, "rule", rule);
	}
	if (ev->changed)
		buf_printf(out, ",\"entry\":%" PRIu64, ev->changed);
	put_text(out, "match", ev->match);
	if (ev->until)
		put_time(out, "until", ev->until < UINT64_MAX / 1000000 ? ev->until * 1000000 : UINT64_MAX);
	if (ev->protocol)
		put_text(out, "protocol", ev->protocol == ROLE_AESM ? "aesm" : "native");
	put_text(out, "socket", ev->socket);
	if (ev->has_subject)
		buf_printf(out, ",\"uid\":%u,\"gid\":%u,\"pid\":%u", ev->uid, ev->gid, ev->pid);
	put_text(out, "cgroup", ev->cgroup);
	put_identity(out, &ev->identity);
	if (x)
		put_extra(out, x);
	put_text(out, "note", ev->note);
}

/* ---- reading ---- */

static bool read_hex(struct jread *r, void *out, size_t n)
{
	struct cur s;

	if (!jread_string(r, &s))
		return false;
	return hex_decode((const char *)s.p, s.n, out, n) || jread_fail(r, "not that many bytes");
}

static bool read_u16(struct jread *r, uint16_t *out)
{
	uint64_t v;

	if (!jread_u64(r, UINT16_MAX, &v))
		return false;
	*out = (uint16_t)v;
	return true;
}

static bool read_attributes(struct jread *r, uint64_t *out)
{
	uint8_t b[8];

	if (!read_hex(r, b, sizeof(b)))
		return false;
	*out = (uint64_t)get_be32(b) << 32 | get_be32(b + 4);
	return true;
}

/* Members about the enclave; false if it is none of them. */
static bool identity_member(struct jread *r, struct cur name, struct wire_identity *i)
{
	uint32_t bit;

	if (jread_is(name, "mrenclave")) {
		bit = WIRE_KNOWN_MRENCLAVE;
		read_hex(r, i->mrenclave, 32);
	} else if (jread_is(name, "mrsigner")) {
		bit = WIRE_KNOWN_MRSIGNER;
		read_hex(r, i->mrsigner, 32);
	} else if (jread_is(name, "product")) {
		bit = WIRE_KNOWN_PRODUCT;
		read_u16(r, &i->product);
	} else if (jread_is(name, "svn")) {
		bit = WIRE_KNOWN_SVN;
		read_u16(r, &i->svn);
	} else if (jread_is(name, "attributes")) {
		bit = WIRE_KNOWN_ATTRIBUTES;
		read_attributes(r, &i->attributes);
	} else {
		return false;
	}
	i->known |= bit;
	return true;
}

static bool text_member(struct jread *r, struct cur name, struct authority_line *l)
{
	const struct {
		const char *name;
		struct cur *to;
	} texts[] = {
		{ "event", &l->event }, { "time", &l->time },         { "operation", &l->operation },
		{ "answer", &l->answer }, { "rule", &l->rule },       { "protocol", &l->protocol },
		{ "socket", &l->socket }, { "note", &l->note },       { "cgroup", &l->cgroup },
		{ "match", &l->match },   { "until", &l->until },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (jread_is(name, texts[i].name)) {
			jread_string(r, texts[i].to);
			return true;
		}
	return false;
}

static bool number_member(struct jread *r, struct cur name, struct authority_line *l)
{
	const struct {
		const char *name;
		uint64_t *to;
		uint64_t max;
	} numbers[] = {
		{ "n", &l->n, UINT64_MAX },         { "uid", &l->uid, UINT32_MAX },
		{ "gid", &l->gid, UINT32_MAX },     { "pid", &l->pid, UINT32_MAX },
		{ "lost", &l->lost, UINT64_MAX },   { "cut", &l->cut, UINT64_MAX },
		{ "first", &l->first, UINT64_MAX }, { "last", &l->last, UINT64_MAX },
		{ "entry", &l->entry, UINT64_MAX },
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (jread_is(name, numbers[i].name)) {
			jread_u64(r, numbers[i].max, numbers[i].to);
			return true;
		}
	return false;
}

/* Later releases may say more: what is not known is passed over. */
static void member(struct jread *r, struct cur name, struct authority_line *l)
{
	if (jread_is(name, "uid"))
		l->has_subject = true;
	if (number_member(r, name, l) || text_member(r, name, l) || identity_member(r, name, &l->identity))
		return;
	if (jread_is(name, "log")) {
		l->begins = true;
		read_hex(r, l->log, sizeof(l->log));
	} else if (jread_is(name, "before")) {
		read_hex(r, l->before, sizeof(l->before));
	} else if (jread_is(name, "mac")) {
		read_hex(r, l->mac, sizeof(l->mac));
	} else {
		jread_skip(r);
	}
}

int authority_line_parse(const void *p, size_t n, struct authority_line *out, struct bawn_error *e)
{
	struct jread_object o;
	struct jread r;
	struct cur name;

	memset(out, 0, sizeof(*out));
	if (n <= AUDIT_MAC_BYTES || n >= AUTHORITY_AUDIT_LINE ||
	    memcmp((const uint8_t *)p + n - AUDIT_MAC_BYTES, ",\"mac\":\"", 8) != 0)
		return err_set(e, BAWN_ERR_FORMAT, "not a line of an audit log: no MAC at its end");
	out->maced = n - AUDIT_MAC_BYTES;
	jread_init(&r, p, n);
	jread_object(&r, &o);
	while (jread_member(&r, &o, &name))
		member(&r, name, out);
	if (!jread_end(&r))
		return err_set(e, BAWN_ERR_FORMAT, "not a line of an audit log: %s", r.why);
	if (!out->n || !out->event.n || !out->time.n)
		return err_set(e, BAWN_ERR_FORMAT, "not a line of an audit log: number, time or event is missing");
	return 0;
}

void authority_line_text(struct cur text, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n && n + 1 < size; i++) {
		uint8_t c = text.p[i];

		if (c == '%' && i + 2 < text.n && hex_decode((const char *)text.p + i + 1, 2, &c, 1))
			i += 2;
		out[n++] = c >= 0x20 && c <= 0x7e ? (char)c : '?';
	}
	out[n] = '\0';
}
