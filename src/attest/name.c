/* Distinguished names (X.501; RFC 5280 4.1.2.4), as far as SGX certificates go. */
#include "attest/attest.h"

#include <string.h>

bool attest_name_equal(struct cur a, struct cur b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/*
 * The next attribute of a name's body: one per RDN, OID 2.5.4.x, UTF8String or
 * PrintableString. False at the end (*bad false) and for anything else.
 */
static bool next_attribute(struct cur *body, uint8_t *attribute, struct cur *value, bool *bad)
{
	struct cur set, pair, oid;
	uint8_t tag;

	*bad = body->n != 0;
	if (!body->n || !der_get(body, DER_SET, &set) || !der_get(&set, DER_SEQUENCE, &pair) || set.n ||
	    !der_get(&pair, DER_OID, &oid) || oid.n != 3 || oid.p[0] != 0x55 || oid.p[1] != 0x04 ||
	    !der_any(&pair, &tag, value) || pair.n ||
	    (tag != DER_UTF8_STRING && tag != DER_PRINTABLE_STRING))
		return false;
	*attribute = oid.p[2];
	*bad = false;
	return true;
}

static bool value_is(struct cur value, const char *text)
{
	return value.n == strlen(text) && memcmp(value.p, text, value.n) == 0;
}

bool attest_name_is(struct cur name, const char *cn, const struct attest_names *names)
{
	struct cur body, value;
	uint8_t attribute;
	size_t i = 0;
	bool bad;

	if (!*cn || !der_get(&name, DER_SEQUENCE, &body) || name.n ||
	    !next_attribute(&body, &attribute, &value, &bad) || attribute != 3 || !value_is(value, cn))
		return false;
	while (next_attribute(&body, &attribute, &value, &bad)) {
		if (attribute == 3)
			return false; /* a second common name */
		if (names->check_rest && (i == names->rest_count || attribute != names->rest[i].attribute ||
					  !value_is(value, names->rest[i].value)))
			return false;
		i++;
	}
	return !bad && (!names->check_rest || i == names->rest_count);
}

/* What people can be shown of a foreign string. */
static size_t put_text(char *out, size_t max, size_t at, const void *p, size_t n)
{
	const uint8_t *s = p;

	for (size_t i = 0; i < n && at + 1 < max; i++)
		out[at++] = s[i] < 0x20 || s[i] > 0x7e || s[i] == '"' || s[i] == '\\' ? '?' : (char)s[i];
	if (max)
		out[at] = '\0';
	return at;
}

void attest_name_cn(struct cur name, char *out, size_t max)
{
	struct cur body, value;
	uint8_t attribute;
	bool bad;

	if (max)
		out[0] = '\0';
	if (!der_get(&name, DER_SEQUENCE, &body))
		return;
	while (next_attribute(&body, &attribute, &value, &bad))
		if (attribute == 3) {
			put_text(out, max, 0, value.p, value.n);
			return;
		}
}

void attest_name_text(struct cur name, char *out, size_t max)
{
	static const struct {
		uint8_t attribute;
		const char *key;
	} keys[] = { { 3, "CN" }, { 10, "O" }, { 11, "OU" }, { 7, "L" }, { 8, "ST" }, { 6, "C" } };
	struct cur body, value;
	uint8_t attribute;
	size_t at = 0;
	bool bad;

	if (max)
		out[0] = '\0';
	if (!der_get(&name, DER_SEQUENCE, &body))
		return;
	while (next_attribute(&body, &attribute, &value, &bad)) {
		const char *key = "?";

		for (size_t i = 0; i < ARRAY_LEN(keys); i++)
			if (keys[i].attribute == attribute)
				key = keys[i].key;
		if (at)
			at = put_text(out, max, at, ", ", 2);
		at = put_text(out, max, at, key, strlen(key));
		at = put_text(out, max, at, "=", 1);
		at = put_text(out, max, at, value.p, value.n);
	}
}
