/* bawn collateral show: what TCB infos, QE identities, revocation lists and certificates say. */
#include "cli/show.h"
#include "cli/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- levels ---- */

static void advisories(const struct show *s, const struct attest_advisories *all, struct attest_refs refs)
{
	if (s->json)
		json_open(s->json, "advisory_ids", '[');
	for (uint16_t i = 0; i < refs.count; i++) {
		const char *id = all->id[all->ref[refs.first + i]];

		if (s->json)
			json_string(s->json, NULL, id);
		else
			printf("%s%s", i ? " " : " (", id);
	}
	if (s->json)
		json_close(s->json, ']');
	else
		puts(refs.count ? ")" : "");
}

static void level_head(const struct show *s, uint8_t status, int64_t t)
{
	const char *word = bawn_tcb_status_name((enum bawn_tcb_status)status);
	char date[21];

	attest_time_format(t, date);
	if (s->json) {
		json_open(s->json, NULL, '{');
		json_string(s->json, "tcb_status", word);
		json_string(s->json, "tcb_date", date);
	} else {
		printf("    %.10s %s", date, word);
	}
}

static void tcb_level(const struct show *s, const struct attest_tcb_info *t,
		      const struct attest_tcb_level *l)
{
	level_head(s, l->status, l->date);
	advisories(s, &t->advisories, l->advisories);
	if (!s->json)
		printf("      SGX components");
	show_numbers(s, "sgx_components", l->sgx);
	if (s->json)
		json_u64(s->json, "pcesvn", l->pcesvn);
	else
		printf(", PCE %u\n", l->pcesvn);
	if (t->tee == BAWN_TEE_TDX) {
		if (!s->json)
			printf("      TDX components");
		show_numbers(s, "tdx_components", l->tdx);
		if (!s->json)
			putchar('\n');
	}
	if (s->json)
		json_close(s->json, '}');
}

static void svn_level(const struct show *s, const struct attest_svn_level *l,
		      const struct attest_advisories *all)
{
	level_head(s, l->status, l->date);
	if (s->json)
		json_u64(s->json, "isvsvn", l->isvsvn);
	else
		printf(" from SVN %u", l->isvsvn);
	advisories(s, all, l->advisories);
	if (s->json)
		json_close(s->json, '}');
}

/* ---- parts ---- */

static void module(const struct show *s, const struct attest_tcb_info *t, const struct attest_tdx_module *m)
{
	char mrsigner[97];

	if (s->json) {
		json_open(s->json, NULL, '{');
		json_u64(s->json, "version", m->version);
		json_hex(s->json, "mrsigner", m->mrsigner, 48);
		json_hex(s->json, "attributes", m->attributes, 8);
		json_hex(s->json, "attributes_mask", m->attributes_mask, 8);
		json_open(s->json, "levels", '[');
	} else {
		hex_encode(m->mrsigner, 48, mrsigner);
		printf("  TDX module of version %u, MRSIGNER %s\n", m->version,
		       ct_is_zero(m->mrsigner, 48) ? "zero (Intel's)" : mrsigner);
	}
	for (uint16_t i = 0; i < m->count; i++)
		svn_level(s, &t->module_level[m->first + i], &t->advisories);
	if (s->json) {
		json_close(s->json, ']');
		json_close(s->json, '}');
	}
}

/* The names of components, where TCB info tells them; they are the same in all levels. */
static void component_names(const struct show *s, const char *kind, const char *key,
			    const struct attest_component_name name[16])
{
	if (s->json)
		json_open(s->json, key, '[');
	for (unsigned i = 0; i < 16; i++) {
		if (!*name[i].category && !*name[i].type)
			continue;
		if (s->json) {
			json_open(s->json, NULL, '{');
			json_u64(s->json, "component", i + 1);
			json_string(s->json, "category", name[i].category);
			json_string(s->json, "type", name[i].type);
			json_close(s->json, '}');
		} else {
			printf("    %s component %u: %s%s%s\n", kind, i + 1, name[i].category,
			       *name[i].category && *name[i].type ? ": " : "", name[i].type);
		}
	}
	if (s->json)
		json_close(s->json, ']');
}

static void tcb_levels(const struct show *s, const struct attest_tcb_info *t)
{
	if (s->json)
		json_open(s->json, "levels", '[');
	for (uint16_t i = 0; i < t->level_count; i++)
		tcb_level(s, t, &t->level[i]);
	if (s->json) {
		json_close(s->json, ']');
		json_open(s->json, "tdx_modules", '[');
	}
	for (uint16_t i = 0; i < t->module_count; i++)
		module(s, t, &t->module[i]);
	if (s->json)
		json_close(s->json, ']');
}

static int show_tcb_info(const struct show *s, const struct attest_file *f, struct bawn_error *e)
{
	struct attest_tcb_info *t = malloc(sizeof(*t));
	int rc = t ? attest_tcb_info_parse(f->p, f->n, t, e) : err_nomem(e);
	const char *tee = rc == 0 && t->tee == BAWN_TEE_TDX ? "TDX" : "SGX";
	char fmspc[13];

	if (rc == 0 && s->json) {
		json_open(s->json, "tcb_info", '{');
		json_string(s->json, "tee", tee);
		json_u64(s->json, "version", t->version);
		json_hex(s->json, "fmspc", t->fmspc, 6);
		json_hex(s->json, "pce_id", t->pce_id, 2);
		json_u64(s->json, "evaluation", t->evaluation);
		show_dates(s, t->issued, t->next_update);
	} else if (rc == 0) {
		hex_encode(t->fmspc, 6, fmspc);
		printf("  TCB info for %s, FMSPC %s, PCE %02x%02x, version %u, evaluation %u\n", tee, fmspc,
		       t->pce_id[0], t->pce_id[1], t->version, t->evaluation);
		show_dates(s, t->issued, t->next_update);
	}
	if (rc == 0) {
		component_names(s, "SGX", "sgx_components", t->sgx_name);
		if (t->tee == BAWN_TEE_TDX)
			component_names(s, "TDX", "tdx_components", t->tdx_name);
		tcb_levels(s, t);
		if (s->json)
			json_close(s->json, '}');
	}
	free(t);
	return rc;
}

static int show_qe_identity(const struct show *s, const struct attest_file *f, struct bawn_error *e)
{
	struct attest_qe_identity *q = malloc(sizeof(*q));
	int rc = q ? attest_qe_identity_parse(f->p, f->n, q, e) : err_nomem(e);
	const char *id = rc == 0 && q->tee == BAWN_TEE_TDX ? "TD_QE" : "QE";
	char mrsigner[65];

	if (rc == 0 && s->json) {
		json_open(s->json, "qe_identity", '{');
		json_string(s->json, "id", id);
		json_hex(s->json, "mrsigner", q->mrsigner, 32);
		json_u64(s->json, "isvprodid", q->isvprodid);
		json_hex(s->json, "miscselect", q->miscselect, 4);
		json_hex(s->json, "miscselect_mask", q->miscselect_mask, 4);
		json_hex(s->json, "attributes", q->attributes, 16);
		json_hex(s->json, "attributes_mask", q->attributes_mask, 16);
		json_u64(s->json, "evaluation", q->evaluation);
		show_dates(s, q->issued, q->next_update);
		json_open(s->json, "levels", '[');
	} else if (rc == 0) {
		hex_encode(q->mrsigner, 32, mrsigner);
		printf("  QE identity %s, product %u, evaluation %u, MRSIGNER %s\n", id, q->isvprodid,
		       q->evaluation, mrsigner);
		show_dates(s, q->issued, q->next_update);
	}
	for (uint16_t i = 0; rc == 0 && i < q->level_count; i++)
		svn_level(s, &q->level[i], &q->advisories);
	if (rc == 0 && s->json) {
		json_close(s->json, ']');
		json_close(s->json, '}');
	}
	free(q);
	return rc;
}

static void crl_entries(const struct show *s, const struct attest_crl *crl)
{
	struct cur entries = crl->entries;
	struct attest_serial serial;
	char hex[41], date[21];
	int64_t since;

	while (attest_crl_next(&entries, &serial, &since)) {
		hex_encode(serial.p, serial.n, hex);
		attest_time_format(since, date);
		if (s->json) {
			json_open(s->json, NULL, '{');
			json_string(s->json, "serial", hex);
			json_string(s->json, "revoked", date);
			json_close(s->json, '}');
		} else {
			printf("    revoked %s serial %s\n", date, hex);
		}
	}
}

static int show_crl(const struct show *s, const char *key, const struct attest_file *f,
		    struct bawn_error *e)
{
	struct attest_crl crl;
	char issuer[256], hex[41];
	const char *number = hex;
	const uint8_t *der;
	bool owned;
	size_t n;
	int rc = attest_crl_decode(f->p, f->n, &der, &n, &owned, e);

	if (rc)
		return rc;
	rc = attest_crl_parse(der, n, &crl, e);
	if (rc == 0) {
		attest_name_text(crl.issuer, issuer, sizeof(issuer));
		hex_encode(crl.number, sizeof(crl.number), hex);
		number += strspn(hex, "0"); /* all zeros: nothing is left */
	}
	if (rc == 0 && s->json) {
		json_open(s->json, key, '{');
		json_string(s->json, "issuer", issuer);
		json_string(s->json, "number", *number ? number : "0");
		show_dates(s, crl.this_update, crl.next_update);
		json_open(s->json, "revoked", '[');
		crl_entries(s, &crl);
		json_close(s->json, ']');
		json_close(s->json, '}');
	} else if (rc == 0) {
		printf("  revocation list of %s\n    number 0x%s, %zu entries\n", issuer,
		       *number ? number : "0", crl.count);
		show_dates(s, crl.this_update, crl.next_update);
		crl_entries(s, &crl);
	}
	if (owned)
		free((uint8_t *)der);
	return rc;
}

/* ---- certificates ---- */

static int show_chain(const struct show *s, enum attest_part part, const struct attest_file *f,
		      struct bawn_error *e)
{
	static const char *const keys[ATTEST_PARTS] = {
		[ATTEST_PART_TCB_CHAIN] = "tcb_chain",
		[ATTEST_PART_QE_CHAIN] = "qe_chain",
		[ATTEST_PART_PCK_CRL_CHAIN] = "pck_crl_chain",
		[ATTEST_PART_PCK_CHAIN] = "pck_chain",
	};
	return show_certificates(s, keys[part], cur_make(f->p, f->n), e);
}

static int show_part(const struct show *s, enum attest_part part, const struct attest_file *f,
		     struct bawn_error *e)
{
	switch (part) {
	case ATTEST_PART_TCB_INFO:
		return show_tcb_info(s, f, e);
	case ATTEST_PART_QE_IDENTITY:
		return show_qe_identity(s, f, e);
	case ATTEST_PART_PCK_CRL:
		return show_crl(s, "pck_crl", f, e);
	case ATTEST_PART_ROOT_CRL:
		return show_crl(s, "root_crl", f, e);
	case ATTEST_PART_TCB_CHAIN:
	case ATTEST_PART_QE_CHAIN:
	case ATTEST_PART_PCK_CRL_CHAIN:
	case ATTEST_PART_PCK_CHAIN:
	case ATTEST_PARTS:
		break;
	}
	return show_chain(s, part, f, e);
}

static int show_set(void *arg, const char *path, bool early, struct bawn_error *e)
{
	struct show *s = arg;
	struct attest_bundle set;
	int rc = attest_bundle_read(&set, path, e);

	if (rc)
		return rc;
	if (s->json) {
		json_open(s->json, NULL, '{');
		json_string(s->json, "path", path);
		json_bool(s->json, "early", early);
	} else {
		printf("%s%s\n", path, early ? " (early evaluation)" : "");
	}
	for (enum attest_part part = 0; part < ATTEST_PARTS; part++) {
		struct bawn_error why = { 0 };

		if (!set.part[part].p || show_part(s, part, &set.part[part], &why) == 0)
			continue;
		s->failed = true;
		cli_foreign(set.part[part].p, set.part[part].n, CLI_KIND_COLLATERAL, &why);
		err_context(&why, "%s", attest_part_file(part));
		cli_fail(s->c, path, &why);
	}
	if (s->json)
		json_close(s->json, '}');
	attest_bundle_free(&set);
	return 0;
}

/* Whatever part of collateral it turns out to be. */
static int show_bytes(const struct show *s, const struct attest_file *f, struct bawn_error *e)
{
	struct attest_cert cert;

	if (memmem(f->p, f->n, "\"tcbInfo\"", 9))
		return show_tcb_info(s, f, e);
	if (memmem(f->p, f->n, "\"enclaveIdentity\"", 17))
		return show_qe_identity(s, f, e);
	if (memmem(f->p, f->n, "BEGIN CERTIFICATE", 17) || attest_cert_parse(f->p, f->n, &cert, NULL) == 0)
		return show_certificates(s, "certificates", cur_make(f->p, f->n), e);
	return show_crl(s, "crl", f, e);
}

/* A file by itself. A quote is refused, though there are certificates in it. */
static int show_file(const struct show *s, const char *path, struct bawn_error *e)
{
	struct attest_file f;
	int rc = io_read_file(path, 1u << 20, &f.p, &f.n, e);

	if (rc == BAWN_ERR_FORMAT) /* too large for any */
		err_context(e, "no collateral");
	if (s->json) {
		json_open(s->json, NULL, '{');
		json_string(s->json, "path", path);
	}
	if (rc == 0 && cli_foreign(f.p, f.n, CLI_KIND_COLLATERAL, e)) {
		rc = e->code;
		free(f.p);
	} else if (rc == 0) {
		if (!s->json)
			printf("%s\n", path);
		rc = show_bytes(s, &f, e);
		if (rc)
			cli_foreign(f.p, f.n, CLI_KIND_COLLATERAL, e);
		free(f.p);
	}
	if (s->json) {
		if (rc)
			json_string(s->json, "error", e->msg);
		json_close(s->json, '}');
	}
	return rc;
}

static int show_operand(struct show *s, const char *path, struct bawn_error *e)
{
	struct stat st;
	int rc;

	if (strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)))
		return show_file(s, path, e);
	rc = attest_dir_each(path, show_set, s, e);
	if (rc && s->json) {
		json_open(s->json, NULL, '{');
		json_string(s->json, "path", path);
		json_string(s->json, "error", e->msg);
		json_close(s->json, '}');
	}
	return rc;
}

int collateral_show(struct cli *c)
{
	struct show s = { .c = c };
	char store[4096];

	verify_store_path(c, store, sizeof(store));
	if (!c->argc && !*store)
		return collateral_nowhere(c);
	if (cli_flag(c, "json")) {
		s.json = cli_json(c);
		json_open(s.json, NULL, '[');
	}
	for (unsigned i = 0; i < (c->argc ? c->argc : 1); i++) {
		struct bawn_error e = { 0 };
		int rc = show_operand(&s, c->argc ? c->argv[i] : store, &e);

		if (rc == BAWN_ERR_NOT_FOUND)
			collateral_missing(c, &e);
		else if (rc)
			cli_fail(c, c->argc ? c->argv[i] : NULL, &e);
		s.failed = s.failed || rc;
	}
	if (s.json)
		json_close(s.json, ']');
	return s.failed ? CLI_FAILURE : CLI_OK;
}
