/* What a verification found, as JSON. bawn-verify(1) documents the members. */
#include "cli/show.h"
#include "cli/verify.h"

#include <stddef.h>

/* Members that are bytes: what they are called, where they are in their structure. */
struct bytes_member {
	const char *name;
	uint16_t at, n;
};
#define BYTES(type, field) { #field, offsetof(struct type, field), sizeof(((struct type *)0)->field) }

static void hex_members(struct json *j, const struct bytes_member *m, size_t count, const void *base)
{
	for (size_t i = 0; i < count; i++)
		json_hex(j, m[i].name, (const uint8_t *)base + m[i].at, m[i].n);
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

static void platform(struct json *j, const struct bawn_verification *v)
{
	static const struct bytes_member bytes[] = {
		BYTES(bawn_verification, fmspc), BYTES(bawn_verification, pce_id), BYTES(bawn_verification, ppid),
		BYTES(bawn_verification, cpusvn), BYTES(bawn_verification, components),
	};

	json_open(j, "platform", '{');
	hex_members(j, bytes, ARRAY_LEN(bytes), v);
	if (v->has_piid)
		json_hex(j, "piid", v->piid, sizeof(v->piid));
	json_string(j, "pck_ca", v->pck_ca);
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
	static const struct bytes_member bytes[] = {
		BYTES(bawn_verification, report_data), BYTES(bawn_verification, qe_vendor_id),
		BYTES(bawn_verification, user_data),
	};
	const struct show s = { .json = j };

	json_open(j, "quote", '{');
	json_string(j, "tee", v->tee == BAWN_TEE_TDX ? "TDX" : "SGX");
	json_u64(j, "version", v->version);
	json_u64(j, "certification_type", v->certification_type);
	json_bool(j, "debug", v->debug);
	hex_members(j, bytes, ARRAY_LEN(bytes), v);
	json_close(j, '}');
	if (v->tee == BAWN_TEE_TDX)
		show_td_report(&s, "td", &v->td, NULL);
	else
		show_sgx_report(&s, "enclave", &v->sgx, NULL);
	show_sgx_report(&s, "qe", &v->qe, NULL);
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
			json_hex(j, "nonce", a->nonce, a->nonce_n);
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
