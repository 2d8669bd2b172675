/* Policies: every rule, met and not met, on results made for the purpose and on forged quotes. */
#include "tests/attest/forge.h"
#include "tests/tap.h"

/* A result as the verifier leaves it before the policy: SGX, UpToDate, nothing odd. */
static struct bawn_verification sgx(void)
{
	struct bawn_verification v = { .status = BAWN_TCB_UP_TO_DATE, .tee = BAWN_TEE_SGX, .tcb_date = 1000000,
				       .evaluation = 17, .has_piid = true, .has_configuration = true, .smt = true };

	memset(v.sgx.mrenclave, 1, 32);
	memset(v.sgx.mrsigner, 2, 32);
	memset(v.sgx.configid, 3, 64);
	memset(v.ppid, 4, 16);
	memset(v.piid, 5, 16);
	memset(v.report_data, 6, 32);
	v.sgx.isvprodid = 7;
	v.sgx.isvsvn = 8;
	v.sgx.attributes[0] = 0x05;
	v.sgx.miscselect = 1;
	strcpy(v.advisories[0], "INTEL-SA-00001");
	strcpy(v.advisories[1], "INTEL-SA-00002");
	v.advisory_count = 2;
	return v;
}

static struct bawn_verification tdx(void)
{
	struct bawn_verification v = sgx();

	v.tee = BAWN_TEE_TDX;
	memset(&v.sgx, 0, sizeof(v.sgx));
	memset(v.td.mrtd, 1, 48);
	for (int i = 0; i < 4; i++)
		memset(v.td.rtmr[i], 10 + i, 48);
	memset(v.td.mrconfigid, 2, 48);
	memset(v.td.mrowner, 3, 48);
	memset(v.td.mrownerconfig, 4, 48);
	memset(v.td.mrseam, 5, 48);
	v.td.attributes[3] = 0x10;
	v.td.xfam[0] = 0xe7;
	return v;
}

static void is_violation(const struct bawn_policy *p, struct bawn_verification v, uint32_t want, const char *what)
{
	int r = attest_policy_check(p, 5000000, &v);

	ok(v.violations == want && r == (want ? BAWN_ERR_DENIED : 0) && v.error.code == (want ? BAWN_ERR_DENIED : 0) &&
	   (!want || *v.error.msg), "%s", what);
}

static void test_status(void)
{
	struct bawn_policy p = { 0 };
	struct bawn_verification v = sgx();
	unsigned right = 0;

	is_violation(NULL, v, 0, "the default accepts UpToDate");
	for (unsigned s = BAWN_TCB_UNKNOWN; s <= BAWN_TCB_REVOKED + 1; s++) {
		v.status = (enum bawn_tcb_status)s;
		v.violations = 0;
		v.error = (struct bawn_error){ 0 };
		right += (attest_policy_check(NULL, 0, &v) == 0) == (s == BAWN_TCB_UP_TO_DATE);
	}
	is_int(right, BAWN_TCB_REVOKED + 2, "and nothing else");
	p.statuses = UINT32_MAX;
	v = sgx();
	v.status = BAWN_TCB_REVOKED;
	is_violation(&p, v, BAWN_VIOLATES_STATUS, "no policy accepts Revoked");
	v.status = BAWN_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
	is_violation(&p, v, 0, "but the others, if it says so");
	v.status = BAWN_TCB_UNKNOWN;
	is_violation(&p, v, BAWN_VIOLATES_STATUS, "nor what was never evaluated");
	p.statuses = BAWN_STATUS_BIT(BAWN_TCB_SW_HARDENING_NEEDED);
	v.status = BAWN_TCB_UP_TO_DATE;
	is_violation(&p, v, BAWN_VIOLATES_STATUS, "a list is the whole list");
}

static void test_flags(void)
{
	struct bawn_policy p = { 0 };
	struct bawn_verification v = sgx();

	v.debug = true;
	is_violation(NULL, v, BAWN_VIOLATES_DEBUG, "debug is refused");
	p.allow_debug = true;
	is_violation(&p, v, 0, "unless it is allowed");
	v = sgx();
	v.emulated = true;
	is_violation(&p, v, BAWN_VIOLATES_EMULATED, "an emulated platform is refused");
	p.allow_emulated = true;
	is_violation(&p, v, 0, "unless it is allowed");
	v.debug = true;
	v.status = BAWN_TCB_OUT_OF_DATE;
	is_violation(NULL, v, BAWN_VIOLATES_DEBUG | BAWN_VIOLATES_EMULATED | BAWN_VIOLATES_STATUS, "all that is wrong is told");
	p = (struct bawn_policy){ .smt = BAWN_FORBID };
	is_violation(&p, sgx(), BAWN_VIOLATES_CONFIGURATION, "SMT forbidden");
	p.smt = BAWN_REQUIRE;
	is_violation(&p, sgx(), 0, "SMT required");
	p = (struct bawn_policy){ .dynamic_platform = BAWN_FORBID, .cached_keys = BAWN_FORBID };
	is_violation(&p, sgx(), 0, "neither dynamic nor with cached keys");
	v = sgx();
	v.cached_keys = true;
	is_violation(&p, v, BAWN_VIOLATES_CONFIGURATION, "cached keys forbidden");
	v = sgx();
	v.has_configuration = false;
	is_violation(&p, v, BAWN_VIOLATES_CONFIGURATION, "what the certificate does not tell is not met");
}

static void test_dates(void)
{
	struct bawn_policy p = { .min_tcb_date = 1000000, .min_evaluation = 17 };
	struct bawn_verification v = sgx();

	is_violation(&p, v, 0, "the earliest date and evaluation themselves");
	p.min_tcb_date++;
	is_violation(&p, v, BAWN_VIOLATES_TCB_DATE, "a later date is asked for");
	p = (struct bawn_policy){ .min_evaluation = 18 };
	is_violation(&p, v, BAWN_VIOLATES_EVALUATION, "a later evaluation is asked for");
	/* At instant 5000000, short of a level of that date. */
	v.status = BAWN_TCB_OUT_OF_DATE;
	v.shortfall_count = 2;
	v.shortfalls[0].level_date = 4999000;
	v.shortfalls[1].level_date = 4999900;
	p = (struct bawn_policy){ .grace_seconds = 1000 };
	is_violation(&p, v, 0, "out of date for as long as the grace");
	p.grace_seconds = 999;
	is_violation(&p, v, BAWN_VIOLATES_STATUS, "a second longer");
	p.grace_seconds = UINT32_MAX;
	v.status = BAWN_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
	is_violation(&p, v, BAWN_VIOLATES_STATUS, "grace is not for configuration");
	p.statuses = BAWN_STATUS_BIT(BAWN_TCB_UP_TO_DATE) | BAWN_STATUS_BIT(BAWN_TCB_CONFIGURATION_NEEDED);
	is_violation(&p, v, 0, "unless that is accepted by itself");
	v.status = BAWN_TCB_REVOKED;
	is_violation(&p, v, BAWN_VIOLATES_STATUS, "nor is it for Revoked");
	v.status = BAWN_TCB_OUT_OF_DATE;
	v.shortfall_count = 0;
	is_violation(&p, v, BAWN_VIOLATES_STATUS, "nor if there is no better level");
}

static void test_advisories(void)
{
	static const char *const one[] = { "INTEL-SA-00002" }, *const both[] = { "INTEL-SA-00002", "INTEL-SA-00001" },
			  *const other[] = { "INTEL-SA-0000" };
	struct bawn_policy p = { .refused_advisories = one, .refused_advisory_count = 1 };

	is_violation(&p, sgx(), BAWN_VIOLATES_ADVISORY, "a refused advisory");
	p = (struct bawn_policy){ .refused_advisories = other, .refused_advisory_count = 1 };
	is_violation(&p, sgx(), 0, "one that does not apply");
	p = (struct bawn_policy){ .accepted_advisories = both, .accepted_advisory_count = 2 };
	is_violation(&p, sgx(), 0, "all advisories are accepted ones");
	p.accepted_advisory_count = 1;
	is_violation(&p, sgx(), BAWN_VIOLATES_ADVISORY, "not all are");
	p.accepted_advisory_count = 0;
	is_violation(&p, sgx(), BAWN_VIOLATES_ADVISORY, "an empty list accepts none");
}

static void test_enclaves(void)
{
	uint8_t ones[64], twos[64], threes[64];
	struct bawn_enclave_rule rule[2] = { { .product = -1 }, { .product = 99 } };
	struct bawn_policy p = { .enclaves = rule, .enclave_count = 1 };

	memset(ones, 1, 64);
	memset(twos, 2, 64);
	memset(threes, 3, 64);
	is_violation(&p, sgx(), 0, "any enclave");
	is_violation(&p, tdx(), BAWN_VIOLATES_TD, "but no TD");
	rule[0] = (struct bawn_enclave_rule){ .mrenclave = ones, .mrsigner = twos, .product = 7, .min_svn = 8, .configid = threes };
	is_violation(&p, sgx(), 0, "everything told agrees");
	rule[0].mrenclave = twos;
	is_violation(&p, sgx(), BAWN_VIOLATES_ENCLAVE, "another MRENCLAVE");
	rule[0].mrenclave = NULL;
	rule[0].mrsigner = ones;
	is_violation(&p, sgx(), BAWN_VIOLATES_ENCLAVE, "another MRSIGNER");
	twos[31] = 0;
	rule[0].mrsigner = twos;
	is_violation(&p, sgx(), BAWN_VIOLATES_ENCLAVE, "one that differs in its last byte");
	twos[31] = 2;
	rule[0].product = 0;
	is_violation(&p, sgx(), BAWN_VIOLATES_ENCLAVE, "another product");
	rule[0].product = 7;
	rule[0].min_svn = 9;
	is_violation(&p, sgx(), BAWN_VIOLATES_ENCLAVE, "too low an SVN");
	rule[0].min_svn = 7;
	rule[0].configid = ones;
	is_violation(&p, sgx(), BAWN_VIOLATES_ENCLAVE, "another CONFIGID");
	rule[1] = (struct bawn_enclave_rule){ .mrenclave = ones, .product = -1 };
	p.enclave_count = 2;
	is_violation(&p, sgx(), 0, "one rule of two is enough");
	p.enclave_count = 0;
	is_violation(&p, sgx(), BAWN_VIOLATES_ENCLAVE, "no rule lets nobody in");
}

static void test_tds(void)
{
	uint8_t value[16][48];
	struct bawn_td_rule rule = { 0 };
	struct bawn_policy p = { .tds = &rule, .td_count = 1 };
	const uint8_t **field[] = { &rule.mrtd, &rule.mrconfigid, &rule.mrowner, &rule.mrownerconfig, &rule.mrseam };
	struct bawn_verification v = tdx();

	for (int i = 0; i < 16; i++)
		memset(value[i], i, 48);
	is_violation(&p, v, 0, "any TD");
	is_violation(&p, sgx(), BAWN_VIOLATES_ENCLAVE, "but no enclave");
	for (unsigned i = 0; i < ARRAY_LEN(field); i++) {
		*field[i] = value[i + 1];
		is_violation(&p, v, 0, "a measurement agrees");
		*field[i] = value[15];
		is_violation(&p, v, BAWN_VIOLATES_TD, "or does not");
		*field[i] = NULL;
	}
	for (int i = 0; i < 4; i++) {
		rule.rtmr[i] = value[10 + i];
		is_violation(&p, v, 0, "an RTMR agrees");
		rule.rtmr[i] = value[9];
		is_violation(&p, v, BAWN_VIOLATES_TD, "or does not");
		rule.rtmr[i] = NULL;
	}
	rule.sept_ve_disable = rule.no_service_td = true;
	is_violation(&p, v, 0, "SEPT_VE_DISABLE, no service TD");
	v.td.attributes[3] = 0xef;
	is_violation(&p, v, BAWN_VIOLATES_TD, "SEPT_VE_DISABLE clear");
	v = tdx();
	v.td.has_15 = true;
	v.td.mrservicetd[47] = 1;
	is_violation(&p, v, BAWN_VIOLATES_TD, "a service TD");
	rule = (struct bawn_td_rule){ .mrservicetd = value[0] };
	is_violation(&p, v, BAWN_VIOLATES_TD, "another service TD than the one wanted");
	v.td.mrservicetd[47] = 0;
	is_violation(&p, v, 0, "the one wanted");
	v.td.has_15 = false;
	is_violation(&p, v, BAWN_VIOLATES_TD, "a report that does not tell");
}

static void test_platform(void)
{
	uint8_t four[2][16], five[1][16];
	struct bawn_policy p = { .ppids = (const uint8_t (*)[16])four, .ppid_count = 2 };
	struct bawn_verification v = sgx();

	memset(four, 4, sizeof(four));
	memset(five, 5, sizeof(five));
	four[0][15] = 0;
	is_violation(&p, v, 0, "a PPID in the list");
	p.ppid_count = 1;
	is_violation(&p, v, BAWN_VIOLATES_PLATFORM, "not in the list");
	p.piids = (const uint8_t (*)[16])five;
	p.piid_count = 1;
	is_violation(&p, v, 0, "but its platform instance id is");
	v.has_piid = false;
	is_violation(&p, v, BAWN_VIOLATES_PLATFORM, "if it has one");
	p = (struct bawn_policy){ .ppids = (const uint8_t (*)[16])four };
	is_violation(&p, sgx(), BAWN_VIOLATES_PLATFORM, "an empty list has no platform");
}

static void test_data(void)
{
	uint8_t data[65] = { 0 }, mask[16] = { 0 }, want[16] = { 0 };
	struct bawn_policy p = { .report_data = { data, 32 } };
	struct bawn_verification v = sgx();

	memset(data, 6, 32);
	is_violation(&p, v, 0, "report data, the rest zero");
	p.report_data.n = 64;
	is_violation(&p, v, 0, "all of it");
	v.report_data[63] = 1;
	is_violation(&p, v, BAWN_VIOLATES_REPORT_DATA, "the last byte differs");
	p.report_data.n = 32;
	is_violation(&p, v, BAWN_VIOLATES_REPORT_DATA, "something follows");
	p.report_data.n = 31;
	is_violation(&p, sgx(), BAWN_VIOLATES_REPORT_DATA, "a byte too few");
	p.report_data.n = 65;
	is_violation(&p, sgx(), BAWN_VIOLATES_REPORT_DATA, "more than there is");
	p.report_data.n = 0;
	is_violation(&p, sgx(), BAWN_VIOLATES_REPORT_DATA, "none is all zeros");

	mask[0] = 0x04;
	want[0] = 0x04;
	p = (struct bawn_policy){ .sgx_attributes = { mask, want } };
	is_violation(&p, sgx(), 0, "attributes as required");
	want[0] = 0;
	is_violation(&p, sgx(), BAWN_VIOLATES_ATTRIBUTES, "attributes that are not");
	p = (struct bawn_policy){ .sgx_attributes = { mask, NULL } };
	is_violation(&p, sgx(), BAWN_VIOLATES_ATTRIBUTES, "without a value: zero");
	mask[0] = 0x01;
	p = (struct bawn_policy){ .sgx_miscselect = { mask, NULL } };
	is_violation(&p, sgx(), BAWN_VIOLATES_ATTRIBUTES, "MISCSELECT");
	memset(mask, 0xff, sizeof(mask));
	want[0] = 0xe7;
	p = (struct bawn_policy){ .xfam = { mask, want } };
	is_violation(&p, tdx(), 0, "XFAM as required");
	want[1] = 1;
	is_violation(&p, tdx(), BAWN_VIOLATES_ATTRIBUTES, "XFAM that is not");
	want[0] = want[1] = 0;
	want[3] = 0x10;
	p = (struct bawn_policy){ .td_attributes = { mask, want } };
	is_violation(&p, tdx(), 0, "TD attributes as required");
	want[7] = 0x80;
	is_violation(&p, tdx(), BAWN_VIOLATES_ATTRIBUTES, "TD attributes that are not");
}

static void test_words(void)
{
	enum bawn_tcb_status s;
	unsigned right = 0;

	for (unsigned i = BAWN_TCB_UP_TO_DATE; i <= BAWN_TCB_REVOKED; i++)
		right += bawn_tcb_status_parse(bawn_tcb_status_name((enum bawn_tcb_status)i), &s) && s == i;
	is_int(right, BAWN_TCB_REVOKED, "statuses and their words");
	ok(!bawn_tcb_status_parse("Unknown", &s) && !bawn_tcb_status_parse("", &s) && !bawn_tcb_status_parse("revoked", &s),
	   "words that are none");
	is_str(bawn_tcb_status_name((enum bawn_tcb_status)200), "Unknown", "a status that is none");
	is_str(bawn_verdict_name((enum bawn_verdict)200), "undecided", "a verdict that is none");
	is_str(bawn_reason_name(BAWN_REASON_QE_REPORT_DATA), "qe-report-data", "a reason");
	right = 0;
	for (unsigned i = 0; i < 12; i++)
		right += strcmp(bawn_violation_text((enum bawn_violation)(1u << i)), "unknown") != 0;
	is_int(right, 12, "a sentence for every violation");
}

int main(void)
{
	test_status();
	test_flags();
	test_dates();
	test_advisories();
	test_enclaves();
	test_tds();
	test_platform();
	test_data();
	test_words();
	return tap_done();
}
