/* TCB infos: which security versions of a platform are good, as signed JSON (versions 2 and 3). */
#include "attest/attest.h"
#include "attest/internal.h"

#include <string.h>

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

	if (!jread_raw(r, &s))
		return false;
	if (*out)
		return true;
	n = s.n < max - 1 ? s.n : max - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = s.p[i] < 0x20 || s.p[i] > 0x7e ? '?' : (char)s.p[i];
	out[n] = '\0';
	return true;
}

struct component_reader {
	uint8_t *svn;
	struct attest_component_name *names;
};

static bool read_component_member(struct jread *r, unsigned i, void *arg)
{
	struct component_reader *x = arg;
	uint64_t v;

	if (i == 1)
		return read_text(r, x->names->category, sizeof(x->names->category));
	if (i == 2)
		return read_text(r, x->names->type, sizeof(x->names->type));
	if (!jread_u64(r, UINT8_MAX, &v))
		return false;
	*x->svn = (uint8_t)v;
	return true;
}

static bool read_component(struct jread *r, uint8_t *svn, struct attest_component_name *names)
{
	static const char *const members[] = { "svn", "category", "type" };
	struct component_reader x = { svn, names };

	return attest_json_object(r, members, ARRAY_LEN(members), 1, read_component_member, &x);
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

/* Components of version 2 come one by one, those of version 3 in arrays. */
enum { SGX_ARRAY, TDX_ARRAY, PCESVN, NUMBERED };
#define ALL_NUMBERED (0xffffu << NUMBERED)

struct level_reader {
	struct attest_tcb_info *t;
	struct attest_tcb_level *l;
	uint32_t have; /* a bit for each member */
};

static bool read_tcb_member(struct jread *r, unsigned i, void *arg)
{
	struct level_reader *x = arg;
	uint64_t v;

	x->have |= 1u << i;
	if (i == SGX_ARRAY)
		return read_components(r, x->l->sgx, x->t->sgx_name);
	if (i == TDX_ARRAY)
		return read_components(r, x->l->tdx, x->t->tdx_name);
	if (i == PCESVN)
		return attest_json_u16(r, &x->l->pcesvn);
	if (!jread_u64(r, UINT8_MAX, &v))
		return false;
	x->l->sgx[i - NUMBERED] = (uint8_t)v;
	return true;
}

static bool read_tcb(struct jread *r, void *arg)
{
	static const char *const members[] = {
		"sgxtcbcomponents", "tdxtcbcomponents", "pcesvn",
		"sgxtcbcomp01svn", "sgxtcbcomp02svn", "sgxtcbcomp03svn", "sgxtcbcomp04svn", "sgxtcbcomp05svn",
		"sgxtcbcomp06svn", "sgxtcbcomp07svn", "sgxtcbcomp08svn", "sgxtcbcomp09svn", "sgxtcbcomp10svn",
		"sgxtcbcomp11svn", "sgxtcbcomp12svn", "sgxtcbcomp13svn", "sgxtcbcomp14svn", "sgxtcbcomp15svn",
		"sgxtcbcomp16svn",
	};
	struct level_reader *x = arg;

	if (!attest_json_object(r, members, ARRAY_LEN(members), 1u << PCESVN, read_tcb_member, x))
		return false;
	return (x->have & ALL_NUMBERED) == (x->have & 1u << SGX_ARRAY ? 0 : ALL_NUMBERED) ||
	       jread_fail(r, "a level without its 16 components, or with two sets of them");
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
	struct level_reader level = { x->t, l, 0 };
	struct attest_level_head head;

	memset(l, 0, sizeof(*l));
	if (!attest_json_level(r, &x->t->advisories, allowed, read_tcb, &level, &head))
		return false;
	l->date = head.date;
	l->status = head.status;
	l->advisories = head.advisories;
	x->any_numbered |= !(level.have & 1u << SGX_ARRAY);
	x->any_sgx_array |= (level.have & 1u << SGX_ARRAY) != 0;
	x->any_tdx_array |= (level.have & 1u << TDX_ARRAY) != 0;
	x->any_without_tdx |= !(level.have & 1u << TDX_ARRAY);
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

struct module_reader {
	struct attest_tcb_info *t;
	struct attest_tdx_module *m;
	int version;
};

static bool read_module_member(struct jread *r, unsigned i, void *arg)
{
	struct module_reader *x = arg;
	struct cur id;

	switch (i) {
	case 0:
		return attest_json_hex(r, x->m->mrsigner, sizeof(x->m->mrsigner));
	case 1:
		return attest_json_hex(r, x->m->attributes, sizeof(x->m->attributes));
	case 2:
		return attest_json_hex(r, x->m->attributes_mask, sizeof(x->m->attributes_mask));
	case 3:
		if (!jread_string(r, &id))
			return false;
		x->version = module_version(id);
		return true;
	default:
		return attest_json_svn_levels(r, &x->t->advisories, x->t->module_level, &x->t->module_level_count,
					      ATTEST_SVN_LEVELS_MAX);
	}
}

/* tdxModule has the first three members, an element of tdxModuleIdentities all five. */
static const char *const module_members[] = { "mrsigner", "attributes", "attributesMask", "id", "tcbLevels" };

static bool read_module(struct jread *r, struct attest_tcb_info *t, size_t members, struct attest_tdx_module *m,
			int *version)
{
	struct module_reader x = { t, m, -1 };

	memset(m, 0, sizeof(*m));
	m->first = t->module_level_count;
	if (!attest_json_object(r, module_members, members, (1u << members) - 1, read_module_member, &x))
		return false;
	m->count = (uint16_t)(t->module_level_count - m->first);
	*version = x.version;
	return true;
}

static bool read_identities(struct jread *r, struct attest_tcb_info *t)
{
	struct attest_tdx_module m;
	size_t i = SIZE_MAX;
	int version;

	if (!jread_array(r))
		return false;
	while (jread_element(r, &i)) {
		if (!read_module(r, t, ARRAY_LEN(module_members), &m, &version))
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
	return !r->failed && (i != SIZE_MAX || jread_fail(r, "no TDX modules in tdxModuleIdentities"));
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

static bool read_version(struct jread *r, uint8_t *version)
{
	uint64_t v;

	if (!jread_u64(r, UINT32_MAX, &v))
		return false;
	*version = (uint8_t)v;
	return v == 2 || v == 3 || jread_fail(r, "a version other than 2 and 3");
}

static bool read_member(struct jread *r, unsigned i, void *arg)
{
	struct reader *x = arg;
	struct attest_tcb_info *t = x->t;
	uint64_t type;
	int version;

	switch (i) {
	case 0:
		return read_version(r, &t->version);
	case 1:
		return attest_json_date(r, &t->issued);
	case 2:
		return attest_json_date(r, &t->next_update);
	case 3:
		return attest_json_hex(r, t->fmspc, sizeof(t->fmspc));
	case 4:
		return attest_json_hex(r, t->pce_id, sizeof(t->pce_id));
	case 5:
		return jread_u64(r, UINT32_MAX, &type) && (type == 0 || jread_fail(r, "a tcbType other than 0"));
	case 6:
		return attest_json_u32(r, &t->evaluation);
	case 7:
		return read_levels(r, x);
	case 8:
		return read_id(r, x);
	case 9:
		x->has_module = true;
		return read_module(r, t, 3, &t->module[0], &version);
	default:
		x->has_identities = true;
		return read_identities(r, t);
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
	static const char *const members[] = {
		"version", "issueDate", "nextUpdate", "fmspc", "pceId", "tcbType", "tcbEvaluationDataNumber",
		"tcbLevels", "id", "tdxModule", "tdxModuleIdentities",
	};

	return attest_json_object(r, members, ARRAY_LEN(members), 0xff, read_member, arg) && check_kind(r, arg);
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
