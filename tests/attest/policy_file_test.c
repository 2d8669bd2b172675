/* Policy files: what each word sets, and what is refused. verify_test.sh applies them to quotes. */
#include "attest/attest.h"
#include "tests/tap.h"

static struct attest_policy *parse(const char *text)
{
	struct attest_policy *p = NULL;
	struct bawn_error e = { 0 };

	if (attest_policy_parse(text, strlen(text), &p, &e))
		printf("# %s\n", e.msg);
	return p;
}

#define A16 "00112233445566778899aabbccddeeff"
#define A32 A16 A16
#define A48 A32 A16

static void one_of_each(void)
{
	static const uint8_t a16[16] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
					 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
	struct attest_policy *p = parse(
		"status UpToDate SWHardeningNeeded # both\n"
		"\t status  TDRelaunchAdvised\r\n"
		"refuse-advisory INTEL-SA-00001 INTEL-SA-00002\nrefuse-advisory INTEL-SA-00003\n"
		"accept-advisory INTEL-SA-00004\n"
		"min-tcb-date 1970-01-02\nmin-evaluation 17\ngrace 2h\n"
		"debug allow\nemulated allow\nevaluation-set early\n"
		"enclave mrenclave=" A32 " svn=7\nenclave mrsigner=" A32 " product=0 configid=" A32 A32 "\n"
		"td mrtd=" A48 " rtmr3=" A48 " mrservicetd=none\ntd mrseam=" A48 " sept-ve-disable=required\n"
		"ppid " A16 " " A16 "\npiid " A16 "\nreport-data 0011\n"
		"sgx-attributes 0000" "0000000000000000000000000000/" A16 "\n"
		"sgx-miscselect 00000000/00112233\ntd-attributes 0000000000000000/0011223344556677\n"
		"td-xfam 0000000000000000/0011223344556677\n"
		"smt require\ndynamic-platform forbid\n# no cached-keys"); /* and no line end */
	const struct bawn_policy *b;

	if (!ok(p != NULL, "a policy with all there is"))
		return;
	b = attest_policy_get(p);
	is_int(b->statuses,
	       BAWN_STATUS_BIT(BAWN_TCB_UP_TO_DATE) | BAWN_STATUS_BIT(BAWN_TCB_SW_HARDENING_NEEDED) |
		       BAWN_STATUS_BIT(BAWN_TCB_TD_RELAUNCH_ADVISED),
	       "statuses of two lines");
	is_int(b->refused_advisory_count, 3, "advisories refused");
	is_str(b->refused_advisories[2], "INTEL-SA-00003", "the last of them");
	is_int(b->accepted_advisory_count, 1, "advisories accepted");
	is_int(b->min_tcb_date, 86400, "min-tcb-date");
	is_int(b->min_evaluation, 17, "min-evaluation");
	is_int(b->grace_seconds, 7200, "grace");
	ok(b->allow_debug && b->allow_emulated && b->early, "debug, emulated, evaluation-set");
	is_int(b->enclave_count, 2, "enclaves");
	is_mem(b->enclaves[0].mrenclave, a16, 16, "mrenclave");
	ok(!b->enclaves[0].mrsigner && b->enclaves[0].product == -1 && b->enclaves[0].min_svn == 7,
	   "what is not said is any");
	ok(b->enclaves[1].product == 0 && b->enclaves[1].configid && !b->enclaves[1].mrenclave, "the second");
	is_int(b->td_count, 2, "trust domains");
	ok(b->tds[0].mrtd && b->tds[0].rtmr[3] && !b->tds[0].rtmr[0] && b->tds[0].no_service_td &&
		   !b->tds[0].sept_ve_disable && b->tds[1].mrseam && b->tds[1].sept_ve_disable,
	   "what they must be");
	ok(b->ppid_count == 2 && b->piid_count == 1, "platforms");
	is_mem(b->ppids[1], a16, 16, "the second PPID");
	ok(b->report_data.n == 2 && memcmp(b->report_data.p, a16, 2) == 0, "report data");
	ok(b->sgx_attributes.mask && b->sgx_miscselect.mask && b->td_attributes.mask && b->xfam.mask, "masks");
	is_mem(b->xfam.mask, a16, 8, "a mask");
	ok(b->smt == BAWN_REQUIRE && b->dynamic_platform == BAWN_FORBID && b->cached_keys == BAWN_ANY,
	   "configuration");
	attest_policy_free(&p);
	ok(!p, "freed");
}

static void nothing(void)
{
	static const struct bawn_policy zero;
	struct attest_policy *p = parse("# nothing\n\n   \n\t# at all");

	ok(p && memcmp(attest_policy_get(p), &zero, sizeof(zero)) == 0, "a policy of comments is the default");
	attest_policy_free(&p);
	p = parse("");
	ok(p && memcmp(attest_policy_get(p), &zero, sizeof(zero)) == 0, "so is an empty one");
	attest_policy_free(&p);
	p = parse("accept-advisory none");
	ok(p && attest_policy_get(p)->accepted_advisories && !attest_policy_get(p)->accepted_advisory_count,
	   "no advisory accepted is not the same as any");
	attest_policy_free(&p);
}

static void refused(void)
{
	static const char *const bad[] = {
		"satus UpToDate", "status", "status up", "status Revoked", "status Unknown",
		"grace 1", "grace 49711d", "grace 1w", "min-tcb-date 2023-02-29", "min-tcb-date 1970-01-01",
		"min-evaluation -1", "min-evaluation 1 2", "min-evaluation 1\nmin-evaluation 1",
		"debug", "debug Allow", "enclave svn=1", "enclave mrsigner=" A16, "enclave mrsigner=" A32 "00",
		"enclave mrsigner=" A32 " mrsigner=" A32, "enclave mrsigner=" A32 " svn=65536",
		"enclave mrsigner=" A32 " svn=01", "enclave mrsigner=" A32 " td=1", "enclave mrsigner",
		"td mrtd=" A32, "td mrservicetd=nobody", "td sept-ve-disable=allowed", "ppid " A32, "piid x",
		"report-data 0", "report-data " A32 A32 "00", "sgx-attributes " A16,
		"sgx-attributes " A16 "/00000000000000000000000000000000", "smt maybe",
		"accept-advisory none X-1", "refuse-advisory none", "status UpToDate\x01", "status \xc3\xa9",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct attest_policy *p = NULL;
		struct bawn_error e = { 0 };
		int rc = attest_policy_parse(bad[i], strlen(bad[i]), &p, &e);

		ok(rc == BAWN_ERR_FORMAT && !p && strstr(e.msg, "line "), "refused: %.*s",
		   (int)strcspn(bad[i], "\n"), bad[i]);
	}
	{
		struct attest_policy *p = NULL;
		struct bawn_error e = { 0 };

		attest_policy_parse("debug allow\n\n# x\nsmt x\n", 23, &p, &e);
		ok(strstr(e.msg, "line 4"), "the line is named: %s", e.msg);
		e = (struct bawn_error){ 0 };
		is_int(attest_policy_parse("debug\0allow", 11, &p, &e), BAWN_ERR_FORMAT, "a NUL");
	}
}

int main(void)
{
	one_of_each();
	nothing();
	refused();
	return tap_done();
}
