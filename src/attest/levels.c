/* What TCB infos and QE identities have in common: envelope, dates, statuses, advisories, levels. */
#include "attest/attest.h"
#include "attest/internal.h"

#include <string.h>

bool attest_json_hex(struct jread *r, void *out, size_t n)
{
	struct cur s;

	if (!jread_string(r, &s))
		return false;
	return hex_decode((const char *)s.p, s.n, out, n) ||
	       jread_fail(r, "not the hexadecimal digits that were expected");
}

bool attest_json_u16(struct jread *r, uint16_t *out)
{
	uint64_t v;

	if (!jread_u64(r, UINT16_MAX, &v))
		return false;
	*out = (uint16_t)v;
	return true;
}

bool attest_json_u32(struct jread *r, uint32_t *out)
{
	uint64_t v;

	if (!jread_u64(r, UINT32_MAX, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

bool attest_json_date(struct jread *r, int64_t *t)
{
	struct cur s;

	if (!jread_string(r, &s))
		return false;
	return attest_time_iso((const char *)s.p, s.n, t) || jread_fail(r, "not a date such as 2026-08-13T10:45:38Z");
}

bool attest_json_status(struct jread *r, uint32_t allowed, uint8_t *status)
{
	struct cur s;

	if (!jread_string(r, &s))
		return false;
	for (unsigned i = BAWN_TCB_UP_TO_DATE; i <= BAWN_TCB_REVOKED; i++) {
		if (allowed & BAWN_STATUS_BIT(i) && jread_is(s, bawn_tcb_status_name((enum bawn_tcb_status)i))) {
			*status = (uint8_t)i;
			return true;
		}
	}
	return jread_fail(r, "unknown TCB status");
}

static unsigned hash(struct cur s)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ s.p[i]) * 16777619u;
	return (h ^ h >> 16) % ATTEST_ADVISORY_BUCKETS;
}

static bool plausible(struct cur s, size_t max)
{
	if (s.n == 0 || s.n >= max)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

/* The id's number in the table, entered if it is new; -1 if there is no room or it is no id. */
static int intern(struct attest_advisories *table, struct cur s)
{
	unsigned b;

	if (!plausible(s, sizeof(table->id[0])))
		return -1;
	/* There are more buckets than ids, so an empty one is met. */
	for (b = hash(s); table->bucket[b]; b = (b + 1) % ATTEST_ADVISORY_BUCKETS) {
		const char *id = table->id[table->bucket[b] - 1];

		if (memcmp(id, s.p, s.n) == 0 && !id[s.n])
			return table->bucket[b] - 1;
	}
	if (table->count == ATTEST_ADVISORIES_MAX)
		return -1;
	memcpy(table->id[table->count], s.p, s.n);
	table->bucket[b] = (uint8_t)(table->count + 1);
	return table->count++;
}

bool attest_json_advisories(struct jread *r, struct attest_advisories *table, struct attest_refs *refs)
{
	size_t i = SIZE_MAX;
	struct cur s;
	int number;

	refs->first = table->ref_count;
	if (!jread_array(r))
		return false;
	while (jread_element(r, &i)) {
		if (!jread_string(r, &s))
			return false;
		number = intern(table, s);
		if (number < 0 || table->ref_count == ATTEST_ADVISORY_REFS_MAX)
			return jread_fail(r, "malformed advisory id, or too many");
		table->ref[table->ref_count++] = (uint8_t)number;
	}
	refs->count = (uint16_t)(table->ref_count - refs->first);
	return !r->failed;
}

/* A member's name has no NUL, so that comparing ends with the shorter of both. */
static bool is_name(struct cur name, const char *text)
{
	return name.n && *text == *name.p && strncmp((const char *)name.p, text, name.n) == 0 && !text[name.n];
}

bool attest_json_object(struct jread *r, const char *const *names, size_t n, uint32_t need,
			bool (*read)(struct jread *r, unsigned i, void *arg), void *arg)
{
	struct jread_object o;
	uint32_t have = 0;
	struct cur name;
	unsigned i;

	if (!jread_object(r, &o))
		return false;
	while (jread_member(r, &o, &name)) {
		for (i = 0; i < n && !is_name(name, names[i]); i++)
			;
		if (i == n) {
			jread_skip(r);
			continue;
		}
		have |= 1u << i;
		if (!read(r, i, arg))
			return false;
	}
	for (i = 0; i < n && !r->failed; i++)
		if (need & ~have & 1u << i)
			jread_fail(r, "a member is missing");
	return !r->failed;
}

/* ---- levels ---- */

struct level_reader {
	struct attest_advisories *table;
	uint32_t allowed;
	bool (*tcb)(struct jread *r, void *arg);
	void *arg;
	struct attest_level_head *out;
};

static bool read_level(struct jread *r, unsigned i, void *arg)
{
	struct level_reader *x = arg;

	switch (i) {
	case 0:
		return x->tcb(r, x->arg);
	case 1:
		return attest_json_date(r, &x->out->date);
	case 2:
		return attest_json_status(r, x->allowed, &x->out->status);
	default:
		return attest_json_advisories(r, x->table, &x->out->advisories);
	}
}

bool attest_json_level(struct jread *r, struct attest_advisories *table, uint32_t allowed,
		       bool (*tcb)(struct jread *r, void *arg), void *arg, struct attest_level_head *out)
{
	static const char *const members[] = { "tcb", "tcbDate", "tcbStatus", "advisoryIDs" };
	struct level_reader x = { table, allowed, tcb, arg, out };

	memset(out, 0, sizeof(*out));
	return attest_json_object(r, members, ARRAY_LEN(members), 7, read_level, &x);
}

static bool read_isvsvn(struct jread *r, unsigned i, void *arg)
{
	(void)i;
	return attest_json_u16(r, arg);
}

static bool read_svn_tcb(struct jread *r, void *arg)
{
	static const char *const members[] = { "isvsvn" };

	return attest_json_object(r, members, 1, 1, read_isvsvn, arg);
}

static bool read_svn_level(struct jread *r, struct attest_advisories *table, struct attest_svn_level *l)
{
	const uint32_t allowed = BAWN_STATUS_BIT(BAWN_TCB_UP_TO_DATE) | BAWN_STATUS_BIT(BAWN_TCB_OUT_OF_DATE) |
				 BAWN_STATUS_BIT(BAWN_TCB_REVOKED);
	struct attest_level_head head;

	if (!attest_json_level(r, table, allowed, read_svn_tcb, &l->isvsvn, &head))
		return false;
	l->date = head.date;
	l->status = head.status;
	l->advisories = head.advisories;
	return true;
}

bool attest_json_svn_levels(struct jread *r, struct attest_advisories *table,
			    struct attest_svn_level *level, uint16_t *count, size_t max)
{
	size_t first = *count, at, i = SIZE_MAX;
	struct attest_svn_level l;

	if (!jread_array(r))
		return false;
	while (jread_element(r, &i)) {
		if (*count == max)
			return jread_fail(r, "too many levels");
		if (!read_svn_level(r, table, &l))
			return false;
		for (at = *count; at > first && level[at - 1].isvsvn < l.isvsvn; at--)
			level[at] = level[at - 1];
		if (at > first && level[at - 1].isvsvn == l.isvsvn)
			return jread_fail(r, "two levels of the same isvsvn");
		level[at] = l;
		++*count;
	}
	return !r->failed && (*count > first || jread_fail(r, "no levels"));
}

int attest_json_signed(const void *json, size_t n, const char *name,
		       bool (*body)(struct jread *r, void *arg), void *arg, struct cur *bytes,
		       uint8_t signature[64], struct bawn_error *e)
{
	bool have_body = false, have_signature = false;
	const uint8_t *start;
	struct jread_object o;
	struct cur member;
	struct jread r;

	if (n > ATTEST_JSON_MAX)
		return err_set(e, BAWN_ERR_FORMAT, "%s: %zu bytes are too much", name, n);
	jread_init(&r, json, n);
	jread_object(&r, &o);
	while (jread_member(&r, &o, &member)) {
		if (jread_is(member, name)) {
			start = jread_here(&r);
			have_body = body(&r, arg);
			*bytes = cur_make(start, (size_t)(r.p - start));
		} else if (jread_is(member, "signature")) {
			have_signature = attest_json_hex(&r, signature, 64);
		} else {
			jread_fail(&r, "a member that is neither the statement nor its signature");
		}
	}
	if (jread_end(&r) && !(have_body && have_signature))
		jread_fail(&r, "the statement or its signature is missing");
	if (r.failed)
		return err_set(e, BAWN_ERR_FORMAT, "%s, byte %zu: %s", name, (size_t)(r.p - r.start), r.why);
	return 0;
}
