/* From when until when the parts of a set hold. */
#include "attest/attest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct windows {
	struct attest_validity *out;
	size_t n;
};

__attribute__((format(printf, 5, 6))) static void note(struct windows *w, enum attest_part part,
						       int64_t from, int64_t until, const char *fmt, ...)
{
	struct attest_validity *o = &w->out[w->n];
	va_list ap;

	if (w->n == ATTEST_VALIDITY_MAX)
		return;
	w->n++;
	o->part = part;
	o->from = from;
	o->until = until;
	va_start(ap, fmt);
	vsnprintf(o->what, sizeof(o->what), fmt, ap);
	va_end(ap);
}

static int note_chain(struct windows *w, enum attest_part part, const struct attest_file *f,
		      struct bawn_error *e)
{
	struct attest_chain *c = malloc(sizeof(*c));
	int rc = c ? attest_chain_parse(f->p, f->n, c, e) : err_nomem(e);

	for (size_t i = 0; rc == 0 && i < c->count; i++) {
		char cn[64];

		attest_name_cn(c->cert[i].subject, cn, sizeof(cn));
		note(w, part, c->cert[i].not_before, c->cert[i].not_after, "certificate %s", cn);
	}
	free(c);
	return rc;
}

static int note_crl(struct windows *w, enum attest_part part, const struct attest_file *f,
		    struct bawn_error *e)
{
	struct attest_crl crl;
	const uint8_t *der;
	size_t n;
	bool owned;
	int rc = attest_crl_decode(f->p, f->n, &der, &n, &owned, e);

	if (rc)
		return rc;
	rc = attest_crl_parse(der, n, &crl, e);
	if (rc == 0)
		note(w, part, crl.this_update, crl.next_update, "%s revocation list",
		     part == ATTEST_PART_ROOT_CRL ? "root" : "PCK");
	if (owned)
		free((uint8_t *)der);
	return rc;
}

static int note_tcb_info(struct windows *w, const struct attest_file *f, struct bawn_error *e)
{
	struct attest_tcb_info *info = malloc(sizeof(*info));
	int rc = info ? attest_tcb_info_parse(f->p, f->n, info, e) : err_nomem(e);

	if (rc == 0)
		note(w, ATTEST_PART_TCB_INFO, info->issued, info->next_update, "TCB info");
	free(info);
	return rc;
}

static int note_qe_identity(struct windows *w, const struct attest_file *f, struct bawn_error *e)
{
	struct attest_qe_identity *id = malloc(sizeof(*id));
	int rc = id ? attest_qe_identity_parse(f->p, f->n, id, e) : err_nomem(e);

	if (rc == 0)
		note(w, ATTEST_PART_QE_IDENTITY, id->issued, id->next_update, "QE identity");
	free(id);
	return rc;
}

int attest_bundle_validity(const struct attest_bundle *s, struct attest_validity out[ATTEST_VALIDITY_MAX],
		       size_t *n, struct bawn_error *e)
{
	struct windows w = { .out = out };
	int first = 0;

	for (enum attest_part part = 0; part < ATTEST_PARTS; part++) {
		const struct attest_file *f = &s->part[part];
		struct bawn_error why = { 0 };
		int rc;

		if (!f->p)
			continue;
		if (part == ATTEST_PART_TCB_INFO)
			rc = note_tcb_info(&w, f, &why);
		else if (part == ATTEST_PART_QE_IDENTITY)
			rc = note_qe_identity(&w, f, &why);
		else if (part == ATTEST_PART_PCK_CRL || part == ATTEST_PART_ROOT_CRL)
			rc = note_crl(&w, part, f, &why);
		else
			rc = note_chain(&w, part, f, &why);
		if (rc && !first)
			first = err_set(e, why.code, "%s: %s", attest_part_file(part), why.msg);
	}
	*n = w.n;
	return first;
}
