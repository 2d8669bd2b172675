/* Certificate revocation lists, version 2 (RFC 5280 section 5). */
#include "attest/attest.h"
#include "attest/internal.h"

#include <stdlib.h>
#include <string.h>

enum { CE_CRL_NUMBER = 20, CE_AKI = 35, CE_REASON = 21, CE_INVALIDITY_DATE = 24 };

static int malformed(struct bawn_error *e, const char *what)
{
	return err_set(e, BAWN_ERR_FORMAT, "malformed revocation list: %s", what);
}

/* One Extension: the last byte of an OID 2.5.29.x, or 0 for any other. */
static bool next_extension(struct cur *list, uint8_t *id, bool *critical, struct cur *value)
{
	struct cur ext, oid;

	*critical = false;
	if (!der_get(list, DER_SEQUENCE, &ext) || !der_get(&ext, DER_OID, &oid) ||
	    (ext.n && ext.p[0] == DER_BOOLEAN && !der_bool(&ext, critical)) ||
	    !der_get(&ext, DER_OCTET_STRING, value) || ext.n)
		return false;
	*id = oid.n == 3 && oid.p[0] == 0x55 && oid.p[1] == 0x1d ? oid.p[2] : 0;
	return true;
}

/* One revoked certificate. A critical extension (an indirect list's issuer) is refused. */
static bool read_entry(struct cur *entries, struct attest_serial *serial, int64_t *since)
{
	struct cur entry, date, list, value;
	uint8_t tag, id;
	bool critical;

	if (!der_get(entries, DER_SEQUENCE, &entry) || !attest_serial_der(&entry, serial) ||
	    !der_any(&entry, &tag, &date) || !attest_time_der(tag, date, since))
		return false;
	if (!entry.n)
		return true;
	if (!der_get(&entry, DER_SEQUENCE, &list) || entry.n || !list.n)
		return false;
	while (list.n)
		if (!next_extension(&list, &id, &critical, &value) ||
		    (critical && id != CE_REASON && id != CE_INVALIDITY_DATE))
			return false;
	return true;
}

bool attest_crl_next(struct cur *entries, struct attest_serial *serial, int64_t *since)
{
	struct cur entry;

	if (since)
		return entries->n && read_entry(entries, serial, since);
	return entries->n && der_get(entries, DER_SEQUENCE, &entry) && attest_serial_der(&entry, serial);
}

static int parse_extensions(struct cur *tbs, struct attest_crl *c, struct bawn_error *e)
{
	struct cur explicit, list, value;
	bool number = false, aki = false, critical;
	uint8_t id;

	if (!der_get(tbs, 0xa0, &explicit) || tbs->n || !der_get(&explicit, DER_SEQUENCE, &list) || explicit.n)
		return malformed(e, "no extensions");
	while (list.n) {
		if (!next_extension(&list, &id, &critical, &value))
			return malformed(e, "extensions");
		if (id == CE_CRL_NUMBER) {
			if (number || !der_unsigned(&value, c->number, sizeof(c->number)) || value.n)
				return malformed(e, "its number");
			number = true;
		} else if (id == CE_AKI) {
			if (aki || !value.n)
				return malformed(e, "authority key identifier");
			aki = true;
		} else if (critical) {
			/* Partial, delta and indirect lists say so in critical extensions. */
			return err_set(e, BAWN_ERR_UNSUPPORTED,
				       "the revocation list has a critical extension that is not known here");
		}
	}
	if (!number || !aki)
		return malformed(e, "it has no number or no authority key identifier");
	return 0;
}

static bool parse_time(struct cur *c, int64_t *t)
{
	struct cur body;
	uint8_t tag;

	return der_any(c, &tag, &body) && attest_time_der(tag, body, t);
}

static int parse_tbs(struct cur tbs, struct attest_crl *c, struct bawn_error *e)
{
	struct attest_serial serial;
	struct cur entries;
	uint64_t version;
	int64_t since;
	bool present;

	if (!der_uint(&tbs, DER_INTEGER, 1, &version) || version != 1)
		return malformed(e, "not version 2");
	if (!attest_algorithm_der(&tbs))
		return err_set(e, BAWN_ERR_UNSUPPORTED, "the revocation list is not signed by ECDSA with SHA-256");
	if (!der_get_whole(&tbs, DER_SEQUENCE, &c->issuer))
		return malformed(e, "issuer");
	if (!parse_time(&tbs, &c->this_update) || !parse_time(&tbs, &c->next_update))
		return malformed(e, "dates");
	if (!der_optional(&tbs, DER_SEQUENCE, &present, &c->entries))
		return malformed(e, "entries");
	if (!present)
		c->entries = cur_make(tbs.p, 0);
	for (entries = c->entries; entries.n; c->count++) {
		if (c->count == ATTEST_CRL_ENTRIES_MAX)
			return malformed(e, "it has too many entries");
		if (!read_entry(&entries, &serial, &since))
			return malformed(e, "an entry");
	}
	return parse_extensions(&tbs, c, e);
}

int attest_crl_parse(const void *der, size_t n, struct attest_crl *c, struct bawn_error *e)
{
	struct cur in = cur_make(der, n), list, whole, tbs;

	memset(c, 0, sizeof(*c));
	c->der = in;
	if (n > ATTEST_CRL_MAX)
		return malformed(e, "it is too large");
	if (!der_get(&in, DER_SEQUENCE, &list) || in.n || !der_get_whole(&list, DER_SEQUENCE, &c->tbs))
		return malformed(e, "no DER");
	if (!attest_algorithm_der(&list))
		return err_set(e, BAWN_ERR_UNSUPPORTED, "the revocation list is not signed by ECDSA with SHA-256");
	if (!attest_signature_der(&list, c->signature) || list.n)
		return malformed(e, "signature");
	whole = c->tbs;
	der_get(&whole, DER_SEQUENCE, &tbs);
	return parse_tbs(tbs, c, e);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\0';
}

int attest_crl_decode(const void *p, size_t n, const uint8_t **out, size_t *outn, bool *owned,
		      struct bawn_error *e)
{
	struct cur text = cur_make(p, n);
	uint8_t *buf;
	int r = 0;

	*out = p;
	*outn = n;
	*owned = false;
	if (n > 2 * ATTEST_CRL_MAX + 4096)
		return malformed(e, "it is too large");
	/* DER starts with '0' too, but hexadecimal DER goes on with another digit. */
	if (n > 1 && text.p[0] == DER_SEQUENCE && text.p[1] >= 0x80)
		return 0;
	buf = malloc(n + 1);
	if (!buf)
		return err_nomem(e);
	while (text.n && is_space((char)text.p[text.n - 1]))
		text.n--;
	if (text.n && hex_decode((const char *)text.p, text.n, buf, text.n / 2)) {
		*outn = text.n / 2;
	} else {
		r = attest_pem_next(&text, "X509 CRL", buf, n, outn, e);
		if (r == 0)
			r = malformed(e, "neither DER, PEM nor hexadecimal digits");
	}
	if (r < 0) {
		free(buf);
		return r;
	}
	*out = buf;
	*owned = true;
	return 0;
}
