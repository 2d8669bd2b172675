/*
 * Where a platform stands: level choice, TDX modules, convergence, relaunch.
 * doc/QUOTE-VERIFICATION.md, "Levels" and "Convergence".
 */
#include "attest/attest.h"

#include <stdio.h>
#include <string.h>

/* TEE_TCB_SVN: byte 0 is the module's SVN, byte 1 its version. */
enum { SVN_MODULE = 0, SVN_VERSION = 1 };

static bool reaches(const uint8_t have[16], const uint8_t need[16], unsigned from)
{
	for (unsigned i = from; i < 16; i++)
		if (have[i] < need[i])
			return false;
	return true;
}

/*
 * The first TDX component to compare. From version 1 on a module has levels of
 * its own, and bytes 0 and 1 are theirs.
 */
static unsigned first_tdx(const uint8_t *tee_tcb_svn)
{
	return tee_tcb_svn[SVN_VERSION] ? 2 : 0;
}

static const struct attest_tcb_level *platform_level(const struct attest_tcb_info *t,
						     const struct attest_pck *pck, const uint8_t *tee_tcb_svn)
{
	for (size_t i = 0; i < t->level_count; i++) {
		const struct attest_tcb_level *l = &t->level[i];

		if (reaches(pck->components, l->sgx, 0) && pck->pcesvn >= l->pcesvn &&
		    (!tee_tcb_svn || reaches(tee_tcb_svn, l->tdx, first_tdx(tee_tcb_svn))))
			return l;
	}
	return NULL;
}

static const struct attest_svn_level *svn_level(const struct attest_svn_level *l, size_t n, uint16_t isvsvn)
{
	for (size_t i = 0; i < n; i++)
		if (isvsvn >= l[i].isvsvn)
			return &l[i];
	return NULL;
}

/* The entry for a module's version; version 0 is tdxModule itself. */
static const struct attest_tdx_module *find_module(const struct attest_tcb_info *t, uint8_t version)
{
	for (size_t i = 0; i < t->module_count; i++)
		if (t->module[i].version == version)
			return &t->module[i];
	return NULL;
}

/* A component's status comes into the platform's; both words are the PCS's. */
static enum bawn_tcb_status converge(enum bawn_tcb_status s, bool out_of_date, bool revoked)
{
	if (revoked)
		return BAWN_TCB_REVOKED;
	if (!out_of_date)
		return s;
	switch (s) {
	case BAWN_TCB_UP_TO_DATE:
	case BAWN_TCB_SW_HARDENING_NEEDED:
		return BAWN_TCB_OUT_OF_DATE;
	case BAWN_TCB_CONFIGURATION_NEEDED:
	case BAWN_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED:
		return BAWN_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
	default:
		return s;
	}
}

static int not_supported(enum bawn_reason *reason, struct bawn_error *e, const char *what)
{
	*reason = BAWN_REASON_TCB_NOT_SUPPORTED;
	return err_set(e, BAWN_ERR_SIGNATURE, "the %s is below every level that the collateral knows", what);
}

int attest_standing(const struct attest_tcb_info *t, const struct attest_qe_identity *q,
		    const struct attest_pck *pck, uint16_t qe_isvsvn, const uint8_t *tee_tcb_svn,
		    struct attest_standing *out, enum bawn_reason *reason, struct bawn_error *e)
{
	memset(out, 0, sizeof(*out));
	out->platform_level = platform_level(t, pck, tee_tcb_svn);
	if (!out->platform_level)
		return not_supported(reason, e, "platform's TCB");
	out->platform = (enum bawn_tcb_status)out->platform_level->status;
	out->date = out->platform_level->date;
	if (tee_tcb_svn && tee_tcb_svn[SVN_VERSION]) {
		out->module_identity = find_module(t, tee_tcb_svn[SVN_VERSION]);
		if (!out->module_identity) {
			*reason = BAWN_REASON_TDX_MODULE;
			return err_set(e, BAWN_ERR_SIGNATURE, "TDX module version %u is not in the TCB info",
				       tee_tcb_svn[SVN_VERSION]);
		}
		out->module_level = svn_level(t->module_level + out->module_identity->first,
					      out->module_identity->count, tee_tcb_svn[SVN_MODULE]);
		if (!out->module_level)
			return not_supported(reason, e, "TDX module");
		out->module = (enum bawn_tcb_status)out->module_level->status;
		if (out->module_level->date < out->date)
			out->date = out->module_level->date;
	}
	out->qe_level = svn_level(q->level, q->level_count, qe_isvsvn);
	if (!out->qe_level)
		return not_supported(reason, e, "quoting enclave");
	out->qe = (enum bawn_tcb_status)out->qe_level->status;
	if (out->qe_level->date < out->date)
		out->date = out->qe_level->date;
	out->status = converge(out->platform,
			       out->qe == BAWN_TCB_OUT_OF_DATE || out->module == BAWN_TCB_OUT_OF_DATE,
			       out->qe == BAWN_TCB_REVOKED || out->module == BAWN_TCB_REVOKED);
	return 0;
}

enum bawn_tcb_status attest_relaunch(enum bawn_tcb_status launch, enum bawn_tcb_status current)
{
	bool configuration = launch == BAWN_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;

	if (launch != BAWN_TCB_OUT_OF_DATE && launch != BAWN_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED)
		return launch;
	switch (current) {
	case BAWN_TCB_CONFIGURATION_NEEDED:
	case BAWN_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED:
		configuration = true;
		break;
	case BAWN_TCB_UP_TO_DATE:
	case BAWN_TCB_SW_HARDENING_NEEDED:
		break;
	default:
		return launch; /* a new launch would not help */
	}
	return configuration ? BAWN_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED : BAWN_TCB_TD_RELAUNCH_ADVISED;
}

/* (have & mask) == want, n bytes; want is taken as it stands. */
static bool masked(const uint8_t *have, const uint8_t *mask, const uint8_t *want, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((have[i] & mask[i]) != want[i])
			return false;
	return true;
}

int attest_qe_check(const struct attest_qe_identity *q, const struct bawn_sgx_report *report,
		    struct bawn_error *e)
{
	uint8_t miscselect[4];
	const char *what = NULL;

	put_le32(miscselect, report->miscselect); /* the identity has the bytes of the report */
	if (!masked(miscselect, q->miscselect_mask, q->miscselect, sizeof(miscselect)))
		what = "MISCSELECT";
	else if (!masked(report->attributes, q->attributes_mask, q->attributes, sizeof(report->attributes)))
		what = "ATTRIBUTES";
	else if (memcmp(report->mrsigner, q->mrsigner, sizeof(q->mrsigner)) != 0)
		what = "MRSIGNER";
	else if (report->isvprodid != q->isvprodid)
		what = "ISVPRODID";
	if (!what)
		return 0;
	return err_set(e, BAWN_ERR_SIGNATURE, "the quoting enclave's %s is not as its identity says", what);
}

int attest_module_check(const struct attest_tcb_info *t, const struct bawn_td_report *td,
			struct bawn_error *e)
{
	uint8_t version = td->tee_tcb_svn[SVN_VERSION];
	const struct attest_tdx_module *m = find_module(t, version);

	if (!m)
		return err_set(e, BAWN_ERR_SIGNATURE, "TDX module version %u is not in the TCB info", version);
	if (memcmp(td->mrsignerseam, m->mrsigner, sizeof(m->mrsigner)) != 0)
		return err_set(e, BAWN_ERR_SIGNATURE, "the TDX module's MRSIGNERSEAM is not the one in the TCB info");
	/* All bits are reserved so far, so any is one that nobody has judged. */
	if (!masked(td->seamattributes, m->attributes_mask, m->attributes, sizeof(m->attributes)) ||
	    !ct_is_zero(td->seamattributes, sizeof(td->seamattributes)))
		return err_set(e, BAWN_ERR_SIGNATURE, "the TDX module's SEAMATTRIBUTES are not as they must be");
	return 0;
}

/* ---- explaining ---- */

static void add_advisories(struct bawn_verification *v, const struct attest_advisories *table,
			   struct attest_refs refs)
{
	for (size_t i = 0; i < refs.count; i++) {
		const char *id = table->id[table->ref[refs.first + i]];
		bool seen = false;

		for (size_t k = 0; k < v->advisory_count && !seen; k++)
			seen = strcmp(v->advisories[k], id) == 0;
		/* Room for all ids of a TCB info and a QE identity, so nothing is ever left out. */
		_Static_assert(BAWN_ADVISORIES_MAX >= 2 * ATTEST_ADVISORIES_MAX, "advisories");
		if (!seen)
			memcpy(v->advisories[v->advisory_count++], id, sizeof(v->advisories[0]));
	}
}

static void add_shortfall(struct bawn_verification *v, enum bawn_svn_kind kind, unsigned index, unsigned have,
			  unsigned need, enum bawn_tcb_status status, int64_t date,
			  const struct attest_component_name *name)
{
	struct bawn_shortfall *s;

	if (have >= need || v->shortfall_count == BAWN_SHORTFALLS_MAX)
		return;
	s = &v->shortfalls[v->shortfall_count++];
	s->kind = kind;
	s->index = (uint8_t)index;
	s->have = (uint16_t)have;
	s->need = (uint16_t)need;
	s->level_status = status;
	s->level_date = date;
	if (name) {
		memcpy(s->category, name->category, sizeof(s->category));
		memcpy(s->type, name->type, sizeof(s->type));
	}
}

/* Of the levels above the one met: the lowest among those of the best status, if that is better. */
static const struct attest_tcb_level *better_level(const struct attest_tcb_info *t,
						   const struct attest_tcb_level *met)
{
	const struct attest_tcb_level *best = met;

	for (const struct attest_tcb_level *l = met; l-- > t->level;)
		if (l->status < best->status)
			best = l;
	return best == met ? NULL : best;
}

static const struct attest_svn_level *better_svn(const struct attest_svn_level *first,
						 const struct attest_svn_level *met)
{
	const struct attest_svn_level *best = met;

	for (const struct attest_svn_level *l = met; l-- > first;)
		if (l->status < best->status)
			best = l;
	return best == met ? NULL : best;
}

void attest_explain(const struct attest_tcb_info *t, const struct attest_qe_identity *q,
		    const struct attest_standing *s, const struct attest_pck *pck, uint16_t qe_isvsvn,
		    const uint8_t *tee_tcb_svn, struct bawn_verification *v)
{
	const struct attest_tcb_level *up = better_level(t, s->platform_level);
	const struct attest_svn_level *svn;
	enum bawn_tcb_status status;

	add_advisories(v, &t->advisories, s->platform_level->advisories);
	add_advisories(v, &q->advisories, s->qe_level->advisories);
	if (s->module_level)
		add_advisories(v, &t->advisories, s->module_level->advisories);
	if (up) {
		status = (enum bawn_tcb_status)up->status;
		for (unsigned i = 0; i < 16; i++)
			add_shortfall(v, BAWN_SVN_SGX_COMPONENT, i, pck->components[i], up->sgx[i], status, up->date,
				      &t->sgx_name[i]);
		add_shortfall(v, BAWN_SVN_PCE, 0, pck->pcesvn, up->pcesvn, status, up->date, NULL);
		for (unsigned i = tee_tcb_svn ? first_tdx(tee_tcb_svn) : 16; i < 16; i++)
			add_shortfall(v, BAWN_SVN_TDX_COMPONENT, i, tee_tcb_svn[i], up->tdx[i], status, up->date,
				      &t->tdx_name[i]);
	}
	svn = s->module_level ? better_svn(t->module_level + s->module_identity->first, s->module_level) : NULL;
	if (svn)
		add_shortfall(v, BAWN_SVN_TDX_MODULE, tee_tcb_svn[SVN_VERSION], tee_tcb_svn[SVN_MODULE], svn->isvsvn,
			      (enum bawn_tcb_status)svn->status, svn->date, NULL);
	svn = better_svn(q->level, s->qe_level);
	if (svn)
		add_shortfall(v, BAWN_SVN_QE, 0, qe_isvsvn, svn->isvsvn, (enum bawn_tcb_status)svn->status, svn->date,
			      NULL);
}
