/* Policies: whether what was found is what the caller wants. */
#include "attest/attest.h"

#include <string.h>

static const struct bawn_policy by_default;

static bool status_accepted(uint32_t statuses, enum bawn_tcb_status s)
{
	/* Unknown and Revoked are accepted by nobody, whatever bits are set. */
	return s > BAWN_TCB_UNKNOWN && s < BAWN_TCB_REVOKED && statuses & BAWN_STATUS_BIT(s);
}

/* Out of date for no longer than the policy's grace, counted from the better level's date. */
static bool within_grace(const struct bawn_policy *p, uint32_t statuses, int64_t time,
			 const struct bawn_verification *v)
{
	int64_t since = INT64_MAX;

	if (!p->grace_seconds || !v->shortfall_count)
		return false;
	if (v->status == BAWN_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED) {
		if (!status_accepted(statuses, BAWN_TCB_CONFIGURATION_NEEDED))
			return false;
	} else if (v->status != BAWN_TCB_OUT_OF_DATE) {
		return false;
	}
	for (uint32_t i = 0; i < v->shortfall_count; i++)
		if (v->shortfalls[i].level_date < since)
			since = v->shortfalls[i].level_date;
	return time <= since + (int64_t)p->grace_seconds;
}

static bool advisories_accepted(const struct bawn_policy *p, const struct bawn_verification *v)
{
	for (uint32_t i = 0; i < v->advisory_count; i++) {
		bool listed = !p->accepted_advisories;

		for (size_t k = 0; k < p->refused_advisory_count; k++)
			if (strcmp(v->advisories[i], p->refused_advisories[k]) == 0)
				return false;
		for (size_t k = 0; !listed && k < p->accepted_advisory_count; k++)
			listed = strcmp(v->advisories[i], p->accepted_advisories[k]) == 0;
		if (!listed)
			return false;
	}
	return true;
}

/* True if want is NULL, or have is it. */
static bool same(const uint8_t *have, const uint8_t *want, size_t n)
{
	return !want || memcmp(have, want, n) == 0;
}

static bool enclave_accepted(const struct bawn_policy *p, const struct bawn_sgx_report *s)
{
	for (size_t i = 0; i < p->enclave_count; i++) {
		const struct bawn_enclave_rule *r = &p->enclaves[i];

		if (same(s->mrenclave, r->mrenclave, 32) && same(s->mrsigner, r->mrsigner, 32) &&
		    same(s->configid, r->configid, 64) && (r->product < 0 || r->product == s->isvprodid) &&
		    s->isvsvn >= r->min_svn)
			return true;
	}
	return false;
}

/* ATTRIBUTES of a TD: bit 28 */
static bool sept_ve_disabled(const struct bawn_td_report *td)
{
	return td->attributes[3] & 0x10;
}

static bool td_accepted(const struct bawn_policy *p, const struct bawn_td_report *td)
{
	for (size_t i = 0; i < p->td_count; i++) {
		const struct bawn_td_rule *r = &p->tds[i];
		bool good = same(td->mrtd, r->mrtd, 48) && same(td->mrconfigid, r->mrconfigid, 48) &&
			    same(td->mrowner, r->mrowner, 48) && same(td->mrownerconfig, r->mrownerconfig, 48) &&
			    same(td->mrseam, r->mrseam, 48);

		for (int k = 0; k < 4; k++)
			good &= same(td->rtmr[k], r->rtmr[k], 48);
		/* A report without MRSERVICETD has it neither zero nor otherwise, but has no service TD. */
		if (r->mrservicetd)
			good &= td->has_15 && same(td->mrservicetd, r->mrservicetd, 48);
		if (r->no_service_td)
			good &= ct_is_zero(td->mrservicetd, sizeof(td->mrservicetd));
		if (r->sept_ve_disable)
			good &= sept_ve_disabled(td);
		if (good)
			return true;
	}
	return false;
}

static bool platform_accepted(const struct bawn_policy *p, const struct bawn_verification *v)
{
	if (!p->ppids && !p->piids)
		return true;
	for (size_t i = 0; p->ppids && i < p->ppid_count; i++)
		if (memcmp(p->ppids[i], v->ppid, 16) == 0)
			return true;
	for (size_t i = 0; p->piids && v->has_piid && i < p->piid_count; i++)
		if (memcmp(p->piids[i], v->piid, 16) == 0)
			return true;
	return false;
}

static bool report_data_accepted(const struct bawn_policy *p, const uint8_t have[64])
{
	uint8_t want[64] = { 0 };

	if (!p->report_data.p)
		return true;
	if (p->report_data.n > sizeof(want))
		return false;
	memcpy(want, p->report_data.p, p->report_data.n);
	return ct_equal(have, want, sizeof(want));
}

static bool masked_accepted(struct bawn_masked m, const void *have, size_t n)
{
	const uint8_t *h = have;

	for (size_t i = 0; m.mask && i < n; i++)
		if (((h[i] ^ (m.want ? m.want[i] : 0)) & m.mask[i]) != 0)
			return false;
	return true;
}

static bool attributes_accepted(const struct bawn_policy *p, const struct bawn_verification *v)
{
	uint8_t miscselect[4];

	if (v->tee == BAWN_TEE_TDX)
		return masked_accepted(p->td_attributes, v->td.attributes, 8) &&
		       masked_accepted(p->xfam, v->td.xfam, 8);
	put_le32(miscselect, v->sgx.miscselect);
	return masked_accepted(p->sgx_attributes, v->sgx.attributes, 16) &&
	       masked_accepted(p->sgx_miscselect, miscselect, 4);
}

static bool flag_accepted(enum bawn_tristate want, bool known, bool have)
{
	return want == BAWN_ANY || (known && have == (want == BAWN_REQUIRE));
}

static uint32_t violations(const struct bawn_policy *p, int64_t time, const struct bawn_verification *v)
{
	uint32_t statuses = p->statuses ? p->statuses : BAWN_STATUS_BIT(BAWN_TCB_UP_TO_DATE), bad = 0;

	if (v->emulated && !p->allow_emulated)
		bad |= BAWN_VIOLATES_EMULATED;
	if (!status_accepted(statuses, v->status) && !within_grace(p, statuses, time, v))
		bad |= BAWN_VIOLATES_STATUS;
	if (v->debug && !p->allow_debug)
		bad |= BAWN_VIOLATES_DEBUG;
	if (p->min_tcb_date && v->tcb_date < p->min_tcb_date)
		bad |= BAWN_VIOLATES_TCB_DATE;
	if (v->evaluation < p->min_evaluation)
		bad |= BAWN_VIOLATES_EVALUATION;
	if (!advisories_accepted(p, v))
		bad |= BAWN_VIOLATES_ADVISORY;
	/* A policy that names enclaves alone is about enclaves: it does not let in any TD, nor the reverse. */
	if (v->tee == BAWN_TEE_SGX ? (p->enclaves ? !enclave_accepted(p, &v->sgx) : p->tds != NULL) : false)
		bad |= BAWN_VIOLATES_ENCLAVE;
	if (v->tee == BAWN_TEE_TDX ? (p->tds ? !td_accepted(p, &v->td) : p->enclaves != NULL) : false)
		bad |= BAWN_VIOLATES_TD;
	if (!platform_accepted(p, v))
		bad |= BAWN_VIOLATES_PLATFORM;
	if (!report_data_accepted(p, v->report_data))
		bad |= BAWN_VIOLATES_REPORT_DATA;
	if (!attributes_accepted(p, v))
		bad |= BAWN_VIOLATES_ATTRIBUTES;
	if (!flag_accepted(p->smt, v->has_configuration, v->smt) ||
	    !flag_accepted(p->dynamic_platform, v->has_configuration, v->dynamic_platform) ||
	    !flag_accepted(p->cached_keys, v->has_configuration, v->cached_keys))
		bad |= BAWN_VIOLATES_CONFIGURATION;
	return bad;
}

int attest_policy_check(const struct bawn_policy *p, int64_t time, struct bawn_verification *v)
{
	unsigned bit = 0;

	v->violations = violations(p ? p : &by_default, time, v);
	if (!v->violations)
		return 0;
	if (v->violations == BAWN_VIOLATES_STATUS)
		return err_set(&v->error, BAWN_ERR_DENIED, "the TCB status %s is not accepted",
			       bawn_tcb_status_name(v->status));
	while (!(v->violations >> bit & 1))
		bit++;
	return err_set(&v->error, BAWN_ERR_DENIED, "%s", bawn_violation_text((enum bawn_violation)(1u << bit)));
}
