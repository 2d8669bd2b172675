/* The audit log, reading: verified from the owner's key on, or just read. */
#include "authority/internal.h"
#include "crypto/crypto.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int authority_audit_key_parse(const char *text, size_t n, struct authority_audit_key *out,
			      struct bawn_error *e)
{
	uint8_t all[48];

	while (n && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' '))
		n--;
	if (!hex_decode(text, n, all, sizeof(all)))
		return err_set(e, BAWN_ERR_FORMAT, "not the key of an audit log: 96 hexadecimal digits");
	memcpy(out->log, all, 16);
	memcpy(out->key, all + 16, 32);
	wipe(all, sizeof(all));
	return 0;
}

const char *authority_audit_finding_name(unsigned finding)
{
	static const char *const names[AUTHORITY_AUDIT_FINDINGS] = { "sound", "changed", "missing",
								     "cut",   "garbage", "other" };

	return finding < AUTHORITY_AUDIT_FINDINGS ? names[finding] : "?";
}

/* ---- verifying ---- */

#define NUMBER_MAX (UINT64_C(1) << 40) /* a key is that many hashes away: days */

struct check {
	const struct authority_audit_key *key;
	const struct wire_anchor *head; /* or NULL */
	struct wire_anchor own;         /* the log's own record; count 0: none */
	struct authority_audit_report *out;
	uint64_t segment;               /* being read */
	uint64_t next;                  /* number that the next line must have; 0: of the first file */
	uint8_t k[32], before[32];
	uint64_t gone;                  /* lines up to this one went with files, on record */
	uint64_t needs_gone;            /* and those that are not there */
	bool begun;                     /* the file's first line was read */
};

/* The first finding is the one that counts. */
__attribute__((format(printf, 4, 5))) static void find(struct check *c, enum authority_audit_finding f,
						       uint64_t line, const char *fmt, ...)
{
	va_list ap;

	if (c->out->finding)
		return;
	c->out->finding = f;
	c->out->line_in_file = line;
	c->out->number = c->next;
	if (line)
		audit_name(c->segment, c->out->file);
	va_start(ap, fmt);
	text_vprintf(c->out->text, sizeof(c->out->text), fmt, ap);
	va_end(ap);
}

/* The head says what the MAC of one line is; called when that line is verified. */
static void check_anchor(struct check *c, const struct wire_anchor *a, const struct authority_line *l,
			 uint64_t line, const char *whose)
{
	if (a && a->count == l->n && memcmp(a->log, c->key->log, 16) == 0 && !ct_equal(a->mac, l->mac, 32))
		find(c, AUTHORITY_AUDIT_CHANGED, line, "line %" PRIu64 " is not the one that %s has", l->n,
		     whose);
}

/* The first line of a file names the log, and the line before. */
static bool check_begin(struct check *c, const struct authority_line *l, uint64_t line)
{
	if (!l->begins || l->n != c->segment)
		find(c, AUTHORITY_AUDIT_GARBAGE, line, "the file does not begin as files of a log do");
	else if (!ct_equal(l->log, c->key->log, 16))
		find(c, AUTHORITY_AUDIT_OTHER, line, "the file belongs to another log than the key");
	else if (c->out->last && !ct_equal(l->before, c->before, 32))
		find(c, AUTHORITY_AUDIT_CHANGED, line, "the file does not continue the one before it");
	else if (!c->out->last)
		memcpy(c->before, l->before, 32);
	c->begun = true;
	return !c->out->finding;
}

static void note(struct check *c, const struct authority_line *l)
{
	c->out->lost += l->lost;
	if (jread_is(l->event, "recover"))
		c->out->recovered++;
	if (jread_is(l->event, "drop") && l->last > c->gone)
		c->gone = c->out->dropped = l->last;
}

static void check_line(struct check *c, struct cur text, uint64_t line)
{
	struct bawn_error e = { 0 };
	struct authority_line l;
	uint8_t mac[32];

	if (authority_line_parse(text.p, text.n, &l, &e)) {
		find(c, AUTHORITY_AUDIT_GARBAGE, line, "%s", e.msg);
		return;
	}
	if (!c->begun && !check_begin(c, &l, line))
		return;
	if (l.n > c->next) {
		find(c, AUTHORITY_AUDIT_MISSING, line, "lines %" PRIu64 " to %" PRIu64 " are missing", c->next,
		     l.n - 1);
		return;
	}
	audit_mac(c->k, c->before, text.p, l.maced, mac);
	if (l.n != c->next || !ct_equal(mac, l.mac, 32)) {
		find(c, AUTHORITY_AUDIT_CHANGED, line, "line %" PRIu64 " is not as it was written", c->next);
		return;
	}
	if (!c->out->first)
		c->out->first = l.n;
	c->out->last = l.n;
	memcpy(c->before, l.mac, 32);
	check_anchor(c, c->head, &l, line, "the anchor");
	check_anchor(c, c->own.count ? &c->own : NULL, &l, line, "the log's record of its head");
	note(c, &l);
	c->next++;
	audit_key_next(c->k);
}

static int check_segment(struct check *c, int dirfd, uint64_t segment, bool last, struct bawn_error *e)
{
	struct audit_reader *r;
	struct cur line;
	int rc = audit_reader_open(&r, dirfd, segment, 0, e);

	if (rc)
		return rc;
	c->segment = segment;
	c->begun = false;
	while (!c->out->finding && (rc = audit_reader_next(r, &line, e)) > 0)
		check_line(c, line, r->line);
	if (rc == 0 && !c->out->finding && line.n && !last)
		find(c, AUTHORITY_AUDIT_GARBAGE, r->line + 1, "the file's last line does not end");
	if (rc == 0 && last && !c->out->finding)
		c->out->unfinished = line.n;
	audit_reader_free(&r);
	return rc < 0 ? rc : 0;
}

/* What only the end tells. */
static void check_end(struct check *c, const struct wire_anchor *a, const char *whose)
{
	if (!a || !a->count)
		return;
	if (!ct_equal(a->log, c->key->log, 16))
		find(c, AUTHORITY_AUDIT_OTHER, 0, "%s is of another log than the key", whose);
	else if (a->count >= c->next)
		find(c, AUTHORITY_AUDIT_CUT, 0, "the log ends at line %" PRIu64 ", %s is at %" PRIu64,
		     c->next - 1, whose, a->count);
	else if (c->out->first && a->count < c->out->first && a->count > c->gone)
		find(c, AUTHORITY_AUDIT_MISSING, 0, "line %" PRIu64 ", where %s is, is not there", a->count,
		     whose);
}

/* K of the first line there is. */
static int start_at(struct check *c, uint64_t first, struct bawn_error *e)
{
	if (first > NUMBER_MAX)
		return err_set(e, BAWN_ERR_FORMAT, "a file of the audit log has an impossible number");
	memcpy(c->k, c->key->key, 32);
	for (uint64_t n = 1; n < first; n++)
		audit_key_next(c->k);
	c->next = first;
	c->needs_gone = first - 1;
	return 0;
}

int authority_audit_verify(int dirfd, const struct authority_audit_key *key,
			   const struct wire_anchor *head, struct authority_audit_report *out,
			   struct bawn_error *e)
{
	struct check c = { .key = key, .head = head, .out = out, .next = 1 };
	struct bawn_error ignored = { 0 };
	struct audit_head own;
	uint64_t *list;
	size_t n;
	int rc;

	memset(out, 0, sizeof(*out));
	/* Before the lines: a service that runs meanwhile can only add to them. */
	if (audit_head_read(dirfd, &own, &ignored) == 0)
		c.own = own.anchor;
	wipe(&own, sizeof(own));
	rc = audit_segments(dirfd, &list, &n, e);
	if (rc == 0 && n)
		rc = start_at(&c, list[0], e);
	for (size_t i = 0; rc == 0 && i < n && !out->finding; i++) {
		if (list[i] > c.next)
			find(&c, AUTHORITY_AUDIT_MISSING, 0, "lines %" PRIu64 " to %" PRIu64 " are missing: no file has them",
			     c.next, list[i] - 1);
		else
			rc = check_segment(&c, dirfd, list[i], i + 1 == n, e);
	}
	free(list);
	if (rc == 0) {
		check_end(&c, head, "the anchor");
		check_end(&c, &c.own, "its record of its head");
		if (c.needs_gone > c.gone)
			find(&c, AUTHORITY_AUDIT_MISSING, 0,
			     "lines %" PRIu64 " to %" PRIu64 " are missing, and were not rotated away",
			     c.gone + 1, c.needs_gone);
	}
	wipe(c.k, sizeof(c.k));
	return rc;
}

/* ---- reading ---- */

static int each_line(int dirfd, uint64_t segment, uint64_t from,
		     int (*fn)(void *arg, const struct authority_line *l, struct cur text), void *arg,
		     struct bawn_error *e)
{
	struct audit_reader *r;
	struct cur line;
	int rc = audit_reader_open(&r, dirfd, segment, 0, e);

	if (rc)
		return rc;
	while ((rc = audit_reader_next(r, &line, e)) > 0) {
		struct bawn_error ignored = { 0 };
		struct authority_line l;

		rc = 0;
		if (authority_line_parse(line.p, line.n, &l, &ignored) == 0 && l.n >= from)
			rc = fn(arg, &l, line);
		if (rc)
			break;
	}
	audit_reader_free(&r);
	return rc;
}

int authority_audit_each(int dirfd, uint64_t from,
			 int (*fn)(void *arg, const struct authority_line *l, struct cur text),
			 void *arg, struct bawn_error *e)
{
	uint64_t *list;
	size_t n;
	int rc = audit_segments(dirfd, &list, &n, e);

	for (size_t i = 0; rc == 0 && i < n; i++)
		if (i + 1 == n || list[i + 1] > from)
			rc = each_line(dirfd, list[i], from, fn, arg, e);
	free(list);
	return rc;
}

static int remember(void *arg, const struct authority_line *l, struct cur text)
{
	(void)text;
	*(uint64_t *)arg = l->n;
	return 0;
}

int authority_audit_last(int dirfd, uint64_t *number, struct bawn_error *e)
{
	uint64_t *list;
	size_t n;
	int rc = audit_segments(dirfd, &list, &n, e);

	*number = 0;
	if (rc == 0 && n)
		rc = each_line(dirfd, list[n - 1], 0, remember, number, e);
	free(list);
	return rc;
}
