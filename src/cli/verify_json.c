/* What a verification found, as JSON. bawn-verify(1) documents the members. */
#include "cli/verify.h"

static void hex(struct json *j, const char *key, const uint8_t *p, size_t n)
{
	json_hex(j, key, p, n);
}

static void time_member(struct json *j, const char *key, int64_t t)
{
	char text[21];

	if (!t) {
		json_null(j, key);
		return;
	}
	attest_time_format(t, text);
	json_string(j, key, text);
}

static void status(struct json *j, const char *key, enum bawn_tcb_status s)
{
	if (s == BAWN_TCB_UNKNOWN)
		json_null(j, key);
	else
		json_string(j, key, bawn_tcb_status_name(s));
}

static const struct {
	enum bawn_violation bit;
	const char *name;
} violations[] = {
	{ BAWN_VIOLATES_STATUS, "status" },
	{ BAWN_VIOLATES_DEBUG, "debug" },
	{ BAWN_VIOLATES_EMULATED, "emulated" },
	{ BAWN_VIOLATES_TCB_DATE, "tcb-date" },
	{ BAWN_VIOLATES_EVALUATION, "evaluation" },
	{ BAWN_VIOLATES_ADVISORY, "advisory" },
	{ BAWN_VIOLATES_ENCLAVE, "enclave" },
	{ BAWN_VIOLATES_TD, "td" },
	{ BAWN_VIOLATES_PLATFORM, "platform" },
	{ BAWN_VIOLATES_REPORT_DATA, "report-data" },
	{ BAWN_VIOLATES_ATTRIBUTES, "attributes" },
	{ BAWN_VIOLATES_CONFIGURATION, "configuration" },
};

static void shortfalls(struct json *j, const struct bawn_verification *v)
{
	static const char *const kinds[] = {
		[BAWN_SVN_SGX_COMPONENT] = "sgx-component", [BAWN_SVN_PCE] = "pce",
		[BAWN_SVN_TDX_COMPONENT] = "tdx-component", [BAWN_SVN_TDX_MODULE] = "tdx-module",
		[BAWN_SVN_QE] = "qe",
	};

	json_open(j, "shortfalls", '[');
	for (uint32_t i = 0; i < v->shortfall_count; i++) {
		const struct bawn_shortfall *s = &v->shortfalls[i];

		json_open(j, NULL, '{');
		json_string(j, "kind", kinds[s->kind]);
		if (s->kind == BAWN_SVN_SGX_COMPONENT || s->kind == BAWN_SVN_TDX_COMPONENT)
			json_u64(j, "component", s->index + 1u);
		json_u64(j, "have", s->have);
		json_u64(j, "need", s->need);
		status(j, "level_status", s->level_status);
		time_member(j, "level_date", s->level_date);
		if (*s->category)
			json_string(j, "category", s->category);
		if (*s->type)
			json_string(j, "type", s->type);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void tcb(struct json *j, const struct bawn_verification *v)
{
	json_open(j, "tcb", '{');
	status(j, "platform_status", v->platform_status);
	status(j, "qe_status", v->qe_status);
	status(j, "module_status", v->module_status);
	status(j, "launch_status", v->launch_status);
	status(j, "current_status", v->current_status);
	time_member(j, "date", v->tcb_date);
	json_u64(j, "evaluation", v->evaluation);
	json_u64(j, "tcb_info_evaluation", v->tcb_evaluation);
	json_u64(j, "qe_identity_evaluation", v->qe_evaluation);
	time_member(j, "valid_from", v->valid_from);
	time_member(j, "expires", v->expires);
	if (v->expires_first)
		json_string(j, "expires_first", v->expires_first);
	shortfalls(j, v);
	json_close(j, '}');
}

static void report(struct json *j, const char *key, const struct bawn_sgx_report *r)
{
	json_open(j, key, '{');
	hex(j, "mrenclave", r->mrenclave, 32);
	hex(j, "mrsigner", r->mrsigner, 32);
	json_u64(j, "isvprodid", r->isvprodid);
	json_u64(j, "isvsvn", r->isvsvn);
	hex(j, "attributes", r->attributes, 16);
	json_u64(j, "miscselect", r->miscselect);
	hex(j, "cpusvn", r->cpusvn, 16);
	hex(j, "configid", r->configid, 64);
	json_u64(j, "configsvn", r->configsvn);
	hex(j, "isvextprodid", r->isvextprodid, 16);
	hex(j, "isvfamilyid", r->isvfamilyid, 16);
	json_close(j, '}');
}

static void td(struct json *j, const struct bawn_td_report *r)
{
	static const char *const rtmr[] = { "rtmr0", "rtmr1", "rtmr2", "rtmr3" };

	json_open(j, "td", '{');
	hex(j, "mrtd", r->mrtd, 48);
	for (int i = 0; i < 4; i++)
		hex(j, rtmr[i], r->rtmr[i], 48);
	hex(j, "mrconfigid", r->mrconfigid, 48);
	hex(j, "mrowner", r->mrowner, 48);
	hex(j, "mrownerconfig", r->mrownerconfig, 48);
	hex(j, "mrseam", r->mrseam, 48);
	hex(j, "mrsignerseam", r->mrsignerseam, 48);
	hex(j, "seamattributes", r->seamattributes, 8);
	hex(j, "attributes", r->attributes, 8);
	hex(j, "xfam", r->xfam, 8);
	hex(j, "tee_tcb_svn", r->tee_tcb_svn, 16);
	if (r->has_15) {
		hex(j, "tee_tcb_svn2", r->tee_tcb_svn2, 16);
		hex(j, "mrservicetd", r->mrservicetd, 48);
	}
	if (r->has_15ex) {
		json_u64(j, "vmid", r->vmid);
		hex(j, "td_id", r->td_id, 32);
		hex(j, "dev_info", r->dev_info, 48);
		hex(j, "init_service_td_hash", r->init_service_td_hash, 48);
		hex(j, "init_service_td_attributes", r->init_service_td_attributes, 8);
		hex(j, "init_cpusvn", r->init_cpusvn, 16);
		hex(j, "init_tee_tcb_svn", r->init_tee_tcb_svn, 16);
		hex(j, "init_fmspc", r->init_fmspc, 12);
		hex(j, "current_service_td_hash", r->current_service_td_hash, 48);
		hex(j, "current_service_td_attributes", r->current_service_td_attributes, 8);
	}
	json_close(j, '}');
}

static void platform(struct json *j, const struct bawn_verification *v)
{
	json_open(j, "platform", '{');
	hex(j, "fmspc", v->fmspc, 6);
	hex(j, "pce_id", v->pce_id, 2);
	hex(j, "ppid", v->ppid, 16);
	if (v->has_piid)
		hex(j, "piid", v->piid, 16);
	json_string(j, "pck_ca", v->pck_ca);
	hex(j, "cpusvn", v->cpusvn, 16);
	hex(j, "components", v->components, 16);
	json_u64(j, "pcesvn", v->pcesvn);
	json_u64(j, "sgx_type", v->sgx_type);
	if (v->has_configuration) {
		json_bool(j, "dynamic_platform", v->dynamic_platform);
		json_bool(j, "cached_keys", v->cached_keys);
		json_bool(j, "smt", v->smt);
	}
	json_close(j, '}');
}

static void quote(struct json *j, const struct bawn_verification *v)
{
	json_open(j, "quote", '{');
	json_string(j, "tee", v->tee == BAWN_TEE_TDX ? "TDX" : "SGX");
	json_u64(j, "version", v->version);
	json_u64(j, "certification_type", v->certification_type);
	json_bool(j, "debug", v->debug);
	hex(j, "report_data", v->report_data, 64);
	hex(j, "qe_vendor_id", v->qe_vendor_id, 16);
	hex(j, "user_data", v->user_data, 20);
	json_close(j, '}');
	if (v->tee == BAWN_TEE_TDX)
		td(j, &v->td);
	else
		report(j, "enclave", &v->sgx);
	report(j, "qe", &v->qe);
}

void verify_json(const struct verify_answer *a, struct json *j)
{
	const struct bawn_verification *v = &a->v;
	bool standing = v->status != BAWN_TCB_UNKNOWN;

	json_string(j, "verdict", bawn_verdict_name(v->verdict));
	status(j, "tcb_status", v->status);
	json_open(j, "advisory_ids", '[');
	for (uint32_t i = 0; i < v->advisory_count; i++)
		json_string(j, NULL, v->advisories[i]);
	json_close(j, ']');
	json_string(j, "reason", a->reason);
	json_string(j, "message", v->error.msg);
	json_bool(j, "emulated", v->emulated);
	time_member(j, "time", a->time);
	json_open(j, "violations", '[');
	for (size_t i = 0; i < ARRAY_LEN(violations); i++)
		if (v->violations & violations[i].bit)
			json_string(j, NULL, violations[i].name);
	json_close(j, ']');
	if (a->early) {
		json_bool(j, "early", true);
		status(j, "standard_tcb_status", a->has_standard ? a->standard : BAWN_TCB_UNKNOWN);
	}
	if (a->format) {
		json_open(j, "certificate", '{');
		json_string(j, "format", a->format);
		json_bool(j, "key_bound", a->key_bound);
		if (a->nonce_n)
			hex(j, "nonce", a->nonce, a->nonce_n);
		json_close(j, '}');
	}
	if (standing)
		tcb(j, v);
	if (v->version) {
		json_bool(j, "signatures_hold", v->signatures_hold);
		quote(j, v);
	}
	if (standing)
		platform(j, v);
}
