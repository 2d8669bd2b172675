/* TCB infos: which security versions of a platform are good, as signed JSON (versions 2 and 3). */
#include "attest/attest.h"
#include "attest/internal.h"

#include <string.h>

/* What a level's tcb had: version 2 names its components one by one, version 3 has arrays. */
struct parts {
	uint32_t numbered; /* a bit for each sgxtcbcompNNsvn */
	bool sgx_array, tdx_array, pcesvn;
};

struct reader {
	struct attest_tcb_info *t;
	bool has_id, has_module, has_identities;
	bool any_numbered, any_sgx_array, any_tdx_array, any_without_tdx;
};

/* ---- components ---- */

/* Text for people, from a signed document: shortened and made plain, not refused. The first counts. */
static bool read_text(struct jread *r, char *out, size_t max)
{
	struct cur s;
	size_t n;

	if (!jread_string(r, &s))
		return false;
	if (*out)
		return true;
	n = s.n < max - 1 ? s.n : max - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = s.p[i] < 0x20 || s.p[i] > 0x7e ? '?' : (char)s.p[i];
	out[n] = '\0';
	return true;
}

static bool read_component(struct jread *r, uint8_t *svn, struct attest_component_name *names)
{
	struct jread_object o;
	bool seen = false;
	struct cur name;
	uint64_t v;

	if (!jread_object(r, &o))
		return false;
	while (jread_member(r, &o, &name)) {
		if (jread_is(name, "svn")) {
			if (jread_u64(r, 255, &v))
				*svn = (uint8_t)v;
			seen = true;
		} else if (jread_is(name, "category")) {
			read_text(r, names->category, sizeof(names->category));
		} else if (jread_is(name, "type")) {
			read_text(r, names->type, sizeof(names->type));
		} else {
			jread_skip(r);
		}
	}
	return !r->failed && (seen || jread_fail(r, "a component without svn"));
}

static bool read_components(struct jread *r, uint8_t svn[16], struct attest_component_name name[16])
{
	size_t i = SIZE_MAX, count = 0;

	if (!jread_array(r))
		return false;
	while (jread_element(r, &i)) {
		if (i >= 16)
			return jread_fail(r, "more than 16 components");
		if (!read_component(r, &svn[i], &name[i]))
			return false;
		count++;
	}
	return !r->failed && (count == 16 || jread_fail(r, "fewer than 16 components"));
}

/* 0 to 15 for "sgxtcbcomp01svn" to "sgxtcbcomp16svn", else -1. */
static int numbered_component(struct cur name)
{
	int n;

	if (name.n != 15 || memcmp(name.p, "sgxtcbcomp", 10) != 0 || memcmp(name.p + 12, "svn", 3) != 0 ||
	    name.p[10] < '0' || name.p[10] > '9' || name.p[11] < '0' || name.p[11] > '9')
		return -1;
	n = (name.p[10] - '0') * 10 + (name.p[11] - '0');
	return n >= 1 && n <= 16 ? n - 1 : -1;
}

static bool read_tcb(struct jread *r, struct attest_tcb_info *t, struct attest_tcb_level *l, struct parts *have)
{
	struct jread_object o;
	struct cur name;
	uint64_t v = 0;

	if (!jread_object(r, &o))
		return false;
	while (jread_member(r, &o, &name)) {
		int k = numbered_component(name);

		if (k >= 0) {
			have->numbered |= 1u << k;
			if (jread_u64(r, 255, &v))
				l->sgx[k] = (uint8_t)v;
		} else if (jread_is(name, "sgxtcbcomponents")) {
			have->sgx_array = true;
			read_components(r, l->sgx, t->sgx_name);
		} else if (jread_is(name, "tdxtcbcomponents")) {
			have->tdx_array = true;
			read_components(r, l->tdx, t->tdx_name);
		} else if (jread_is(name, "pcesvn")) {
			have->pcesvn = true;
			if (jread_u64(r, UINT16_MAX, &v))
				l->pcesvn = (uint16_t)v;
		} else {
			jread_skip(r);
		}
	}
	if (r->failed)
		return false;
	if (!have->pcesvn || (have->numbered != 0xffff && have->numbered) ||
	    (have->numbered != 0) == have->sgx_array)
		return jread_fail(r, "a level without pcesvn or without its 16 components");
	return true;
}

/* ---- levels ---- */

/* Order of levels: components one after the other, PCESVN, TDX components. */
static int level_cmp(const struct attest_tcb_level *a, const struct attest_tcb_level *b)
{
	int c = memcmp(a->sgx, b->sgx, sizeof(a->sgx));

	if (c == 0 && a->pcesvn != b->pcesvn)
		c = a->pcesvn < b->pcesvn ? -1 : 1;
	return c ? c : memcmp(a->tdx, b->tdx, sizeof(a->tdx));
}

static bool read_level(struct jread *r, struct reader *x, struct attest_tcb_level *l)
{
	const uint32_t allowed =
		BAWN_STATUS_BIT(BAWN_TCB_UP_TO_DATE) | BAWN_STATUS_BIT(BAWN_TCB_SW_HARDENING_NEEDED) |
		BAWN_STATUS_BIT(BAWN_TCB_CONFIGURATION_NEEDED) |
		BAWN_STATUS_BIT(BAWN_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED) |
		BAWN_STATUS_BIT(BAWN_TCB_OUT_OF_DATE) |
		BAWN_STATUS_BIT(BAWN_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED) | BAWN_STATUS_BIT(BAWN_TCB_REVOKED);
	enum { TCB = 1, DATE = 2, STATUS = 4 } have = 0;
	struct parts parts = { 0 };
	struct jread_object o;
	struct cur name;

	memset(l, 0, sizeof(*l));
	if (!jread_object(r, &o))
		return false;
	while (jread_member(r, &o, &name)) {
		if (jread_is(name, "tcb")) {
			have |= TCB;
			read_tcb(r, x->t, l, &parts);
		} else if (jread_is(name, "tcbDate")) {
			have |= DATE;
			attest_json_date(r, &l->date);
		} else if (jread_is(name, "tcbStatus")) {
			have |= STATUS;
			attest_json_status(r, allowed, &l->status);
		} else if (jread_is(name, "advisoryIDs")) {
			attest_json_advisories(r, &x->t->advisories, &l->advisories);
		} else {
			jread_skip(r);
		}
	}
	if (r->failed)
		return false;
	if (have != (TCB | DATE | STATUS))
		return jread_fail(r, "a level without tcb, tcbDate or tcbStatus");
	x->any_numbered |= parts.numbered != 0;
	x->any_sgx_array |= parts.sgx_array;
	x->any_tdx_array |= parts.tdx_array;
	x->any_without_tdx |= !parts.tdx_array;
	return true;
}

static bool read_levels(struct jread *r, struct reader *x)
{
	struct attest_tcb_info *t = x->t;
	struct attest_tcb_level l;
	size_t i = SIZE_MAX, at;

	if (!jread_array(r))
		return false;
	while (jread_element(r, &i)) {
		if (t->level_count == ATTEST_LEVELS_MAX)
			return jread_fail(r, "too many TCB levels");
		if (!read_level(r, x, &l))
			return false;
		for (at = t->level_count; at > 0 && level_cmp(&t->level[at - 1], &l) < 0; at--)
			t->level[at] = t->level[at - 1];
		if (at > 0 && level_cmp(&t->level[at - 1], &l) == 0)
			return jread_fail(r, "the same TCB level twice");
		t->level[at] = l;
		t->level_count++;
	}
	return !r->failed && (t->level_count || jread_fail(r, "no TCB levels"));
}

/* ---- TDX modules ---- */

/* "TDX_03", in either case, to 3; -1 for any other id, which no TEE_TCB_SVN can ask for. */
static int module_version(struct cur id)
{
	uint8_t v;

	if (id.n != 6 || (id.p[0] | 0x20) != 't' || (id.p[1] | 0x20) != 'd' || (id.p[2] | 0x20) != 'x' ||
	    id.p[3] != '_' || !hex_decode((const char *)id.p + 4, 2, &v, 1))
		return -1;
	return v;
}

/* tdxModule (levels false) or an element of tdxModuleIdentities. */
static bool read_module(struct jread *r, struct attest_tcb_info *t, bool levels, struct attest_tdx_module *m,
			int *version)
{
	enum { MRSIGNER = 1, ATTRIBUTES = 2, MASK = 4, ID = 8, LEVELS = 16 } have = 0;
	struct jread_object o;
	struct cur name, id;

	memset(m, 0, sizeof(*m));
	m->first = t->module_level_count;
	*version = -1;
	if (!jread_object(r, &o))
		return false;
	while (jread_member(r, &o, &name)) {
		if (jread_is(name, "mrsigner")) {
			have |= MRSIGNER;
			attest_json_hex(r, m->mrsigner, sizeof(m->mrsigner));
		} else if (jread_is(name, "attributes")) {
			have |= ATTRIBUTES;
			attest_json_hex(r, m->attributes, sizeof(m->attributes));
		} else if (jread_is(name, "attributesMask")) {
			have |= MASK;
			attest_json_hex(r, m->attributes_mask, sizeof(m->attributes_mask));
		} else if (levels && jread_is(name, "id")) {
			have |= ID;
			if (jread_string(r, &id))
				*version = module_version(id);
		} else if (levels && jread_is(name, "tcbLevels")) {
			have |= LEVELS;
			attest_json_svn_levels(r, &t->advisories, t->module_level, &t->module_level_count,
					       ATTEST_SVN_LEVELS_MAX);
		} else {
			jread_skip(r);
		}
	}
	m->count = (uint16_t)(t->module_level_count - m->first);
	if (r->failed)
		return false;
	return have == (levels ? 31 : 7) || jread_fail(r, "a TDX module without one of its members");
}

static bool read_identities(struct jread *r, struct attest_tcb_info *t)
{
	struct attest_tdx_module m;
	size_t i = SIZE_MAX;
	int version;

	if (!jread_array(r))
		return false;
	while (jread_element(r, &i)) {
		if (!read_module(r, t, true, &m, &version))
			return false;
		/* Version 0 is tdxModule's; an entry for it would never be asked for. */
		if (version <= 0)
			continue;
		for (size_t k = 1; k <= t->module_count; k++)
			if (t->module[k].version == version)
				return jread_fail(r, "two TDX modules of one version");
		if (t->module_count + 1 >= ATTEST_MODULES_MAX)
			return jread_fail(r, "too many TDX modules");
		m.version = (uint8_t)version;
		t->module[++t->module_count] = m;
	}
	return !r->failed;
}

/* ---- all of it ---- */

static bool read_id(struct jread *r, struct reader *x)
{
	struct cur s;

	if (!jread_string(r, &s))
		return false;
	x->has_id = true;
	if (jread_is(s, "SGX"))
		x->t->tee = BAWN_TEE_SGX;
	else if (jread_is(s, "TDX"))
		x->t->tee = BAWN_TEE_TDX;
	else
		return jread_fail(r, "an id that is neither SGX nor TDX");
	return true;
}

static bool read_member(struct jread *r, struct cur name, struct reader *x, uint32_t *have)
{
	static const char *const members[] = {
		"version", "issueDate", "nextUpdate", "fmspc", "pceId", "tcbType", "tcbEvaluationDataNumber",
		"tcbLevels", "id", "tdxModule", "tdxModuleIdentities",
	};
	struct attest_tcb_info *t = x->t;
	uint64_t v = 0;
	int version;
	unsigned i;

	for (i = 0; i < ARRAY_LEN(members) && !jread_is(name, members[i]); i++)
		;
	*have |= 1u << i;
	switch (i) {
	case 0:
		if (!jread_u64(r, UINT32_MAX, &v))
			return false;
		t->version = (uint8_t)v;
		return v == 2 || v == 3 || jread_fail(r, "a version other than 2 and 3");
	case 1:
		return attest_json_date(r, &t->issued);
	case 2:
		return attest_json_date(r, &t->next_update);
	case 3:
		return attest_json_hex(r, t->fmspc, sizeof(t->fmspc));
	case 4:
		return attest_json_hex(r, t->pce_id, sizeof(t->pce_id));
	case 5:
		return jread_u64(r, UINT32_MAX, &v) && (v == 0 || jread_fail(r, "a tcbType other than 0"));
	case 6:
		if (!jread_u64(r, UINT32_MAX, &v))
			return false;
		t->evaluation = (uint32_t)v;
		return true;
	case 7:
		return read_levels(r, x);
	case 8:
		return read_id(r, x);
	case 9:
		x->has_module = true;
		return read_module(r, t, false, &t->module[0], &version);
	case 10:
		x->has_identities = true;
		return read_identities(r, t);
	default:
		return jread_skip(r);
	}
}

/* What may be there depends on the version and the TEE, which may come last. */
static bool check_kind(struct jread *r, const struct reader *x)
{
	const struct attest_tcb_info *t = x->t;

	if (t->version == 2) {
		if (x->has_id || x->has_module || x->has_identities || x->any_sgx_array || x->any_tdx_array)
			return jread_fail(r, "version 2 has members of version 3");
		return true;
	}
	if (!x->has_id || x->any_numbered)
		return jread_fail(r, "version 3 without id, or with components of version 2");
	if (t->tee == BAWN_TEE_SGX && (x->has_module || x->has_identities || x->any_tdx_array))
		return jread_fail(r, "TDX members in an SGX TCB info");
	if (t->tee == BAWN_TEE_TDX && (!x->has_module || x->any_without_tdx))
		return jread_fail(r, "a TDX TCB info without tdxModule or tdxtcbcomponents");
	return true;
}

static bool read_tcb_info(struct jread *r, void *arg)
{
	struct reader *x = arg;
	struct jread_object o;
	uint32_t have = 0;
	struct cur name;

	if (!jread_object(r, &o))
		return false;
	while (jread_member(r, &o, &name))
		if (!read_member(r, name, x, &have))
			return false;
	if (r->failed)
		return false;
	if ((have & 0xff) != 0xff)
		return jread_fail(r, "a member is missing");
	return check_kind(r, x);
}

int attest_tcb_info_parse(const void *json, size_t n, struct attest_tcb_info *out, struct bawn_error *e)
{
	struct reader x = { .t = out };
	int r;

	memset(out, 0, sizeof(*out));
	r = attest_json_signed(json, n, "tcbInfo", read_tcb_info, &x, &out->signed_bytes, out->signature, e);
	if (!r && out->tee == BAWN_TEE_TDX)
		out->module_count++; /* module[0] is tdxModule */
	return r;
}
