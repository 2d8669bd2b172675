/* Values, bits and reports, in words and as JSON. */
#include "cli/show.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define LABEL "    %-28s"

/* ---- values ---- */

void show_hex(const struct show *s, const char *name, const char *label, const void *p, size_t n)
{
	const uint8_t *b = p;

	if (s->json) {
		json_hex(s->json, name, p, n);
		return;
	}
	printf(LABEL, label);
	for (size_t i = 0; i < n; i++)
		printf("%02x", b[i]);
	puts(n ? "" : "none");
}

void show_number(const struct show *s, const char *name, const char *label, uint64_t v)
{
	if (s->json)
		json_u64(s->json, name, v);
	else
		printf(LABEL "%" PRIu64 "\n", label, v);
}

void show_word(const struct show *s, const char *name, const char *label, const char *word)
{
	if (s->json)
		json_string(s->json, name, word);
	else
		printf(LABEL "%s\n", label, word);
}

void show_flag(const struct show *s, const char *name, const char *label, bool v)
{
	if (s->json)
		json_bool(s->json, name, v);
	else
		printf(LABEL "%s\n", label, v ? "yes" : "no");
}

void show_numbers(const struct show *s, const char *name, const uint8_t p[16])
{
	if (s->json)
		json_open(s->json, name, '[');
	for (int i = 0; i < 16; i++) {
		if (s->json)
			json_u64(s->json, NULL, p[i]);
		else
			printf(" %u", p[i]);
	}
	if (s->json)
		json_close(s->json, ']');
}

void show_time(struct json *j, const char *key, int64_t t)
{
	char text[21];

	attest_time_format(t, text);
	json_string(j, key, text);
}

void show_dates(const struct show *s, int64_t from, int64_t until)
{
	char a[21], b[21];

	if (s->json) {
		show_time(s->json, "valid_from", from);
		show_time(s->json, "valid_until", until);
		return;
	}
	attest_time_format(from, a);
	attest_time_format(until, b);
	printf("    valid from %s until %s\n", a, b);
}

void show_open(const struct show *s, const char *name, const char *heading)
{
	if (s->json)
		json_open(s->json, name, '{');
	else
		printf("  %s\n", heading);
}

void show_close(const struct show *s)
{
	if (s->json)
		json_close(s->json, '}');
}

/* ---- bits ---- */

const struct show_bit show_flags[] = {
	{ ATTR_INIT, "INIT" },
	{ ATTR_DEBUG, "DEBUG" },
	{ ATTR_MODE64BIT, "MODE64BIT" },
	{ ATTR_PROVISIONKEY, "PROVISIONKEY" },
	{ ATTR_EINITTOKEN_KEY, "EINITTOKEN_KEY" },
	{ ATTR_CET, "CET" },
	{ ATTR_KSS, "KSS" },
	{ ATTR_AEXNOTIFY, "AEXNOTIFY" },
	{ 0 }
};
const struct show_bit show_xfrm[] = {
	{ 0x1, "x87" },	     { 0x2, "SSE" },	   { XFRM_AVX, "AVX" },
	{ XFRM_MPX, "MPX" }, { XFRM_AVX512, "AVX-512" }, { XFRM_PKRU, "PKRU" },
	{ XFRM_AMX, "AMX" }, { 0 }
};
const struct show_bit show_misc[] = { { MISC_EXINFO, "EXINFO" }, { MISC_CPINFO, "CPINFO" }, { 0 } };
/* TDATTRIBUTES (Intel TDX Module Base Architecture Specification) */
const struct show_bit show_td_flags[] = {
	{ UINT64_C(1), "DEBUG" },	      { UINT64_C(1) << 28, "SEPT_VE_DISABLE" },
	{ UINT64_C(1) << 30, "PKS" },	      { UINT64_C(1) << 31, "KL" },
	{ UINT64_C(1) << 63, "PERFMON" }, { 0 }
};

const char *show_bits(const struct show_bit *bits, uint64_t value, char *out, size_t max)
{
	size_t n = 0;

	out[0] = '\0';
	for (; bits->mask && n < max; bits++) {
		if ((value & bits->mask) != bits->mask)
			continue;
		n += (size_t)snprintf(out + n, max - n, "%s%s", n ? " " : "", bits->name);
		value &= ~bits->mask;
	}
	if (value && n < max)
		snprintf(out + n, max - n, "%s0x%" PRIx64, n ? " " : "", value);
	return out;
}

const char *show_open_bits(const struct show_bit *bits, uint64_t mask, char *out, size_t max)
{
	uint64_t known = 0;

	for (const struct show_bit *b = bits; b->mask; b++)
		known |= b->mask;
	show_bits(bits, ~mask & known, out, max);
	if (!out[0])
		snprintf(out, max, "nothing");
	return out;
}

void show_bits_json(struct json *j, const char *key, const struct show_bit *bits, uint64_t v)
{
	json_open(j, key, '[');
	for (; bits->mask; bits++)
		if ((v & bits->mask) == bits->mask)
			json_string(j, NULL, bits->name);
	json_close(j, ']');
}

/* ---- reports ---- */

/* Members that are bytes: what they are called, where they are in their structure. */
struct field {
	const char *name, *label;
	uint16_t at, n;
};
#define FIELD(type, field, label) { #field, label, offsetof(struct type, field), sizeof(((struct type *)0)->field) }

static void fields(const struct show *s, const struct field *f, size_t count, const void *base)
{
	for (size_t i = 0; i < count; i++)
		show_hex(s, f[i].name, f[i].label, (const uint8_t *)base + f[i].at, f[i].n);
}

/* In text, behind the bytes, what they mean; in JSON the bytes say it. */
static void meaning(const struct show *s, const char *label, const struct show_bit *bits, const uint8_t p[8])
{
	char text[256];

	if (!s->json && !ct_is_zero(p, 8))
		printf(LABEL "%s\n", label, show_bits(bits, get_le64(p), text, sizeof(text)));
}

void show_sgx_report(const struct show *s, const char *key, const struct bawn_sgx_report *r,
		     const uint8_t *bytes)
{
	static const struct field list[] = {
		FIELD(bawn_sgx_report, mrenclave, "MRENCLAVE"),
		FIELD(bawn_sgx_report, mrsigner, "MRSIGNER"),
		FIELD(bawn_sgx_report, cpusvn, "CPUSVN"),
		FIELD(bawn_sgx_report, configid, "CONFIGID"),
		FIELD(bawn_sgx_report, isvextprodid, "ISVEXTPRODID"),
		FIELD(bawn_sgx_report, isvfamilyid, "ISVFAMILYID"),
		FIELD(bawn_sgx_report, attributes, "ATTRIBUTES"),
	};

	struct isa_report_body body;

	show_open(s, key, strcmp(key, "qe") == 0 ? "report of the quoting enclave" : "report of the enclave");
	fields(s, list, ARRAY_LEN(list), r);
	meaning(s, "  of them FLAGS", show_flags, r->attributes);
	meaning(s, "  of them XFRM", show_xfrm, r->attributes + 8);
	show_number(s, "miscselect", "MISCSELECT", r->miscselect);
	show_number(s, "isvprodid", "ISVPRODID", r->isvprodid);
	show_number(s, "isvsvn", "ISVSVN", r->isvsvn);
	show_number(s, "configsvn", "CONFIGSVN", r->configsvn);
	if (bytes) {
		memcpy(&body, bytes, sizeof(body));
		show_number(s, "cet_attributes", "CET_ATTRIBUTES", body.cet_attributes);
		show_hex(s, "report_data", "REPORTDATA", body.reportdata, sizeof(body.reportdata));
	}
	show_close(s);
}

void show_td_report(const struct show *s, const char *key, const struct bawn_td_report *r,
		    const uint8_t *report_data)
{
	static const struct field td10[] = {
		FIELD(bawn_td_report, mrtd, "MRTD"),
		{ "rtmr0", "RTMR0", offsetof(struct bawn_td_report, rtmr[0]), 48 },
		{ "rtmr1", "RTMR1", offsetof(struct bawn_td_report, rtmr[1]), 48 },
		{ "rtmr2", "RTMR2", offsetof(struct bawn_td_report, rtmr[2]), 48 },
		{ "rtmr3", "RTMR3", offsetof(struct bawn_td_report, rtmr[3]), 48 },
		FIELD(bawn_td_report, mrconfigid, "MRCONFIGID"),
		FIELD(bawn_td_report, mrowner, "MROWNER"),
		FIELD(bawn_td_report, mrownerconfig, "MROWNERCONFIG"),
		FIELD(bawn_td_report, mrseam, "MRSEAM"),
		FIELD(bawn_td_report, mrsignerseam, "MRSIGNERSEAM"),
		FIELD(bawn_td_report, seamattributes, "SEAMATTRIBUTES"),
		FIELD(bawn_td_report, tee_tcb_svn, "TEE_TCB_SVN"),
		FIELD(bawn_td_report, xfam, "XFAM"),
		FIELD(bawn_td_report, attributes, "ATTRIBUTES"),
	};
	static const struct field td15[] = {
		FIELD(bawn_td_report, tee_tcb_svn2, "TEE_TCB_SVN2"),
		FIELD(bawn_td_report, mrservicetd, "MRSERVICETD"),
	};
	static const struct field td15ex[] = {
		FIELD(bawn_td_report, td_id, "TD id"),
		FIELD(bawn_td_report, dev_info, "device info"),
		FIELD(bawn_td_report, init_service_td_hash, "first service TD: hash"),
		FIELD(bawn_td_report, init_service_td_attributes, "first: ATTRIBUTES"),
		FIELD(bawn_td_report, init_cpusvn, "first: CPUSVN"),
		FIELD(bawn_td_report, init_tee_tcb_svn, "first: TEE_TCB_SVN"),
		FIELD(bawn_td_report, init_fmspc, "first: FMSPC"),
		FIELD(bawn_td_report, current_service_td_hash, "present service TD: hash"),
		FIELD(bawn_td_report, current_service_td_attributes, "present: ATTRIBUTES"),
	};

	show_open(s, key, "report of the trust domain");
	fields(s, td10, ARRAY_LEN(td10), r);
	meaning(s, "  of them", show_td_flags, r->attributes);
	if (r->has_15)
		fields(s, td15, ARRAY_LEN(td15), r);
	if (r->has_15ex) {
		show_number(s, "vmid", "VM id", r->vmid);
		fields(s, td15ex, ARRAY_LEN(td15ex), r);
	}
	if (report_data)
		show_hex(s, "report_data", "REPORTDATA", report_data, 64);
	show_close(s);
}
