/* What a fab is, as text: every member of struct fab that lasts, and what must hold between them. */
#include "fab/internal.h"

#include <string.h>

#define AT(type, m) offsetof(struct type, m), sizeof(((struct type *)0)->m)
#define TABLE(name, members) static const struct fab_table name = { members, ARRAY_LEN(members) }
#define ARRAY_OF(type, m, table, n, count)                                                         \
	FAB_ARRAY, offsetof(struct type, m), sizeof(((struct type *)0)->m[0]), table, n,           \
		offsetof(struct type, count)

static const struct fab_member advisory_members[] = { { NULL, FAB_TEXT, 0, 32 } };
TABLE(advisory_table, advisory_members);

static const struct fab_member level_members[] = {
	{ "components", FAB_HEX, AT(fab_level, components) },
	{ "svn", FAB_NUMBER, AT(fab_level, svn) },
	{ "status", FAB_STATUS, AT(fab_level, status) },
	{ "date", FAB_TIME, AT(fab_level, date) },
	{ "advisories", ARRAY_OF(fab_level, advisory, &advisory_table, FAB_ADVISORIES_MAX, advisory_count) },
};
TABLE(level_table, level_members);

static const struct fab_member levels_members[] = {
	{ NULL, ARRAY_OF(fab_levels, level, &level_table, FAB_LEVELS_MAX, count) },
};
TABLE(levels_table, levels_members);

static const struct fab_member qe_members[] = {
	{ "mrsigner", FAB_HEX, AT(fab_qe, mrsigner) },
	{ "product", FAB_NUMBER, AT(fab_qe, isvprodid) },
	{ "miscselect", FAB_HEX, AT(fab_qe, miscselect) },
	{ "miscselect_mask", FAB_HEX, AT(fab_qe, miscselect_mask) },
	{ "attributes", FAB_HEX, AT(fab_qe, attributes) },
	{ "attributes_mask", FAB_HEX, AT(fab_qe, attributes_mask) },
};
TABLE(qe_table, qe_members);

static const struct fab_member platform_members[] = {
	{ "id", FAB_HEX, AT(fab_platform, id) },
	{ "provision_fuse", FAB_HEX, AT(fab_platform, provision_fuse) },
	{ "pce_mrsigner", FAB_HEX, AT(fab_platform, pce_mrsigner) },
	{ "ppid", FAB_HEX, AT(fab_platform, ppid) },
	{ "piid", FAB_HEX, AT(fab_platform, piid) },
	{ "sgx_type", FAB_NUMBER, AT(fab_platform, sgx_type) },
	{ "dynamic_platform", FAB_BOOL, AT(fab_platform, dynamic_platform) },
	{ "cached_keys", FAB_BOOL, AT(fab_platform, cached_keys) },
	{ "smt", FAB_BOOL, AT(fab_platform, smt) },
};
TABLE(platform_table, platform_members);

static const struct fab_member certificate_members[] = {
	{ "serial", FAB_HEX, AT(fab_certificate, serial) },
	{ "platform", FAB_NUMBER, AT(fab_certificate, platform) },
	{ "cpusvn", FAB_HEX, AT(fab_certificate, cpusvn) },
	{ "pcesvn", FAB_NUMBER, AT(fab_certificate, pcesvn) },
	{ "from", FAB_TIME, AT(fab_certificate, from) },
	{ "until", FAB_TIME, AT(fab_certificate, until) },
	{ "revoked", FAB_SINCE, AT(fab_certificate, revoked) },
};
TABLE(certificate_table, certificate_members);

static const struct fab_member fab_members[] = {
	{ "intel_names", FAB_BOOL, AT(fab, intel_names) },
	{ "processor_ca", FAB_BOOL, AT(fab, processor_ca) },
	{ "url", FAB_TEXT, AT(fab, url) },
	{ "fmspc", FAB_HEX, AT(fab, fmspc) },
	{ "pce_id", FAB_HEX, AT(fab, pce_id) },
	{ "root_key", FAB_HEX, AT(fab, key[FAB_ROOT].d) },
	{ "pck_ca_key", FAB_HEX, AT(fab, key[FAB_PCK_CA].d) },
	{ "tcb_signer_key", FAB_HEX, AT(fab, key[FAB_TCB_SIGNER].d) },
	{ "root_serial", FAB_HEX, AT(fab, serial[FAB_ROOT]) },
	{ "pck_ca_serial", FAB_HEX, AT(fab, serial[FAB_PCK_CA]) },
	{ "tcb_signer_serial", FAB_HEX, AT(fab, serial[FAB_TCB_SIGNER]) },
	{ "root_revoked", FAB_SINCE, AT(fab, revoked[FAB_ROOT]) },
	{ "pck_ca_revoked", FAB_SINCE, AT(fab, revoked[FAB_PCK_CA]) },
	{ "tcb_signer_revoked", FAB_SINCE, AT(fab, revoked[FAB_TCB_SIGNER]) },
	{ "crl_number", FAB_NUMBER, AT(fab, crl_number) },
	{ "evaluation", FAB_NUMBER, AT(fab, evaluation) },
	{ "pce_mrsigner", FAB_HEX, AT(fab, pce_mrsigner) },
	{ "pce_isvsvn", FAB_NUMBER, AT(fab, pce_isvsvn) },
	{ "qe", FAB_OBJECT, AT(fab, qe), &qe_table },
	{ "has_early", FAB_BOOL, AT(fab, has_early) },
	{ "levels", FAB_OBJECT, AT(fab, levels[FAB_PLATFORM_LEVELS][0]), &levels_table },
	{ "early_levels", FAB_OBJECT, AT(fab, levels[FAB_PLATFORM_LEVELS][1]), &levels_table },
	{ "qe_levels", FAB_OBJECT, AT(fab, levels[FAB_QE_LEVELS][0]), &levels_table },
	{ "early_qe_levels", FAB_OBJECT, AT(fab, levels[FAB_QE_LEVELS][1]), &levels_table },
	{ "platforms", ARRAY_OF(fab, platform, &platform_table, FAB_PLATFORMS_MAX, platform_count) },
	{ "certificates",
	  ARRAY_OF(fab, certificate, &certificate_table, FAB_CERTIFICATES_MAX, certificate_count) },
};
TABLE(fab_table, fab_members);

/* The whole: a version, then the fab, so that another form can be told from this one. */
void fab_render(const struct fab *f, struct buf *b)
{
	struct json j;

	json_init(&j, b);
	json_open(&j, NULL, '{');
	json_u64(&j, "bawn_fab", 1);
	fab_record_write(&j, "fab", &fab_table, f);
	json_close(&j, '}');
}

static bool levels_good(const struct fab_levels *l, bool qe)
{
	for (uint32_t i = 0; i < l->count; i++) {
		if (i && fab_level_compare(&l->level[i - 1], &l->level[i]) <= 0)
			return false;
		if (qe && !ct_is_zero(l->level[i].components, sizeof(l->level[i].components)))
			return false;
	}
	return true;
}

static const char *flaw(const struct fab *f)
{
	for (int kind = 0; kind < 2; kind++)
		for (int early = 0; early < 2; early++)
			if (!levels_good(&f->levels[kind][early], kind == FAB_QE_LEVELS))
				return "levels are not in descending order";
	for (uint32_t i = 0; i < f->certificate_count; i++)
		if (f->certificate[i].platform >= f->platform_count)
			return "a certificate is of no platform";
	for (uint32_t i = 0; i < f->platform_count; i++)
		if (f->platform[i].sgx_type > 2)
			return "an SGX type is not 0, 1 or 2";
	for (int i = 0; i < FAB_AUTHORITIES; i++)
		if (f->serial[i][0] == 0 || f->serial[i][0] & 0x80)
			return "a serial number is not one that the fab gives";
	if (!fab_url_good(f->url))
		return "the URL is none";
	return f->evaluation == 0 || f->evaluation == UINT32_MAX ? "the evaluation number is out of range" : NULL;
}

/* Keys are stored as their private half. */
static int derive_keys(struct fab *f, struct bawn_error *e)
{
	int rc = 0;

	for (int i = 0; i < FAB_AUTHORITIES && rc == 0; i++)
		rc = crypto_p256_public(f->key[i].d, f->key[i].xy, e);
	return rc;
}

int fab_parse(const void *text, size_t n, struct fab *f, struct bawn_error *e)
{
	struct jread_object o;
	bool version = false, body = false;
	const char *why;
	struct jread r;
	struct cur name;
	uint64_t v = 0;

	memset(f, 0, sizeof(*f));
	f->fd = -1;
	jread_init(&r, text, n);
	jread_object(&r, &o);
	while (jread_member(&r, &o, &name)) {
		if (jread_is(name, "bawn_fab"))
			version = jread_u64(&r, 1, &v) && v == 1;
		else if (jread_is(name, "fab"))
			body = fab_record_read(&r, &fab_table, f);
		else
			jread_fail(&r, "a member that is not known");
	}
	if (!jread_end(&r))
		return err_set(e, BAWN_ERR_FORMAT, "%s (byte %zu)", r.why, (size_t)(r.p - r.start));
	if (!version || !body)
		return err_set(e, BAWN_ERR_FORMAT, "it is not the file of a fab");
	why = flaw(f);
	return why ? err_set(e, BAWN_ERR_FORMAT, "%s", why) : derive_keys(f, e);
}
