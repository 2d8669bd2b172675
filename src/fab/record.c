/* Structures as JSON and back, by tables: a fab's file. */
#include "fab/internal.h"

#include <string.h>

/* ---- writing ---- */

/* Little-endian, as the machines are that this is for. */
static uint64_t number(const void *p, size_t size)
{
	uint64_t v = 0;

	memcpy(&v, p, size);
	return v;
}

static void write_time(struct json *j, const char *key, int64_t t)
{
	char text[21];

	attest_time_format(t, text);
	json_string(j, key, text);
}

static void write_since(struct json *j, const char *key, const struct fab_revocation *r)
{
	if (r->is)
		write_time(j, key, r->since);
	else
		json_string(j, key, "");
}

static void write_member(struct json *j, const struct fab_member *m, const void *from)
{
	const uint8_t *p = (const uint8_t *)from + m->at;
	uint32_t count = 0;

	switch (m->kind) {
	case FAB_HEX:
		json_hex(j, m->name, p, m->size);
		break;
	case FAB_NUMBER:
		json_u64(j, m->name, number(p, m->size));
		break;
	case FAB_TIME:
		write_time(j, m->name, *(const int64_t *)(const void *)p);
		break;
	case FAB_SINCE:
		write_since(j, m->name, (const struct fab_revocation *)(const void *)p);
		break;
	case FAB_BOOL:
		json_bool(j, m->name, *(const bool *)p);
		break;
	case FAB_TEXT:
		json_string(j, m->name, (const char *)p);
		break;
	case FAB_STATUS:
		json_string(j, m->name, bawn_tcb_status_name((enum bawn_tcb_status)*p));
		break;
	case FAB_OBJECT:
		fab_record_write(j, m->name, m->of, p);
		break;
	case FAB_ARRAY:
		memcpy(&count, (const uint8_t *)from + m->count_at, sizeof(count));
		json_open(j, m->name, '[');
		for (uint32_t i = 0; i < count; i++)
			fab_record_write(j, NULL, m->of, p + i * m->size);
		json_close(j, ']');
		break;
	}
}

void fab_record_write(struct json *j, const char *key, const struct fab_table *t, const void *from)
{
	if (!t->member[0].name) {
		struct fab_member value = t->member[0];

		value.name = key;
		write_member(j, &value, from);
		return;
	}
	json_open(j, key, '{');
	for (size_t i = 0; i < t->count; i++)
		write_member(j, &t->member[i], from);
	json_close(j, '}');
}

/* ---- reading ---- */

static bool read_number(struct jread *r, void *p, size_t size)
{
	uint64_t v;

	if (!jread_u64(r, UINT64_MAX >> 8 * (8 - size), &v))
		return false;
	memcpy(p, &v, size);
	return true;
}

static bool read_since(struct jread *r, struct fab_revocation *out)
{
	struct cur s;

	if (!jread_string(r, &s))
		return false;
	*out = (struct fab_revocation){ .is = s.n != 0 };
	if (s.n && !attest_time_iso((const char *)s.p, s.n, &out->since))
		return jread_fail(r, "not a date such as 2026-08-13T10:45:38Z");
	return true;
}

/* An empty text is what 1970 was written as once. */
static bool read_time(struct jread *r, int64_t *out)
{
	struct fab_revocation t;

	if (!read_since(r, &t))
		return false;
	*out = t.since;
	return true;
}

static bool read_text(struct jread *r, char *p, size_t size)
{
	struct cur s;

	if (!jread_string(r, &s))
		return false;
	if (s.n == 0 || s.n >= size)
		return jread_fail(r, "a text is empty, or too long");
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return jread_fail(r, "a text has characters that it cannot have");
	memset(p, 0, size);
	memcpy(p, s.p, s.n);
	return true;
}

static bool read_status(struct jread *r, uint8_t *p)
{
	enum bawn_tcb_status status;
	char word[64];

	if (!read_text(r, word, sizeof(word)))
		return false;
	if (!bawn_tcb_status_parse(word, &status))
		return jread_fail(r, "unknown TCB status");
	*p = (uint8_t)status;
	return true;
}

static bool read_hex(struct jread *r, void *p, size_t n)
{
	struct cur s;

	if (!jread_string(r, &s))
		return false;
	return hex_decode((const char *)s.p, s.n, p, n) ||
	       jread_fail(r, "not the hexadecimal digits that were expected");
}

static bool read_array(struct jread *r, const struct fab_member *m, uint8_t *to)
{
	size_t i = SIZE_MAX;
	uint32_t count = 0;

	if (!jread_array(r))
		return false;
	while (jread_element(r, &i)) {
		if (i >= m->max)
			return jread_fail(r, "too many elements");
		if (!fab_record_read(r, m->of, to + m->at + i * m->size))
			return false;
		count = (uint32_t)i + 1;
	}
	memcpy(to + m->count_at, &count, sizeof(count));
	return !r->failed;
}

static bool read_member(struct jread *r, const struct fab_member *m, void *to)
{
	uint8_t *p = (uint8_t *)to + m->at;

	switch (m->kind) {
	case FAB_HEX:
		return read_hex(r, p, m->size);
	case FAB_NUMBER:
		return read_number(r, p, m->size);
	case FAB_TIME:
		return read_time(r, (int64_t *)(void *)p);
	case FAB_SINCE:
		return read_since(r, (struct fab_revocation *)(void *)p);
	case FAB_BOOL:
		return jread_bool(r, (bool *)p);
	case FAB_TEXT:
		return read_text(r, (char *)p, m->size);
	case FAB_STATUS:
		return read_status(r, p);
	case FAB_OBJECT:
		return fab_record_read(r, m->of, p);
	case FAB_ARRAY:
		return read_array(r, m, to);
	}
	return jread_fail(r, "no such kind");
}

bool fab_record_read(struct jread *r, const struct fab_table *t, void *to)
{
	struct jread_object o;
	struct cur name;
	size_t seen = 0, i;

	if (!t->member[0].name)
		return read_member(r, &t->member[0], to);
	if (!jread_object(r, &o))
		return false;
	while (jread_member(r, &o, &name)) {
		for (i = 0; i < t->count && !jread_is(name, t->member[i].name); i++)
			;
		if (i == t->count)
			return jread_fail(r, "a member that is not known");
		if (!read_member(r, &t->member[i], to))
			return false;
		seen++;
	}
	/* The reader refuses a name that comes twice. */
	return !r->failed && (seen == t->count || jread_fail(r, "a member is missing"));
}
