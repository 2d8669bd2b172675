/* What a verifier accepts: quotes of every kind, levels, convergence, relaunch, roots, dates. */
#include "tests/attest/forge.h"
#include "tests/tap.h"

static struct bawn_policy anything = { .statuses = UINT32_MAX, .allow_debug = true, .allow_emulated = true };

/* Verify what was built, with a verifier of its own. */
static int check_at(const struct forge *f, const struct bawn_root *root, struct bawn_bytes pck, int64_t time,
		    const struct bawn_policy *policy, struct bawn_verification *v)
{
	struct bawn_collateral c = forge_collateral(f);
	struct bawn_root given = root ? *root : forge_root(f);
	struct bawn_verifier *ver = NULL;
	int r;

	memset(v, 0, sizeof(*v));
	r = bawn_verifier_new(&ver, &given, &v->error);
	if (!r)
		r = bawn_verifier_add_collateral(ver, &c, &v->error);
	if (!r)
		r = bawn_verify_quote_with_pck(ver, f->quote.p, f->quote.n, pck, time, policy, v);
	bawn_verifier_free(&ver);
	return r;
}

static int check(const struct forge *f, struct bawn_verification *v)
{
	return check_at(f, NULL, (struct bawn_bytes){ NULL, 0 }, FORGE_NOW, &anything, v);
}

static void is_status(const struct bawn_verification *v, enum bawn_tcb_status want, const char *what)
{
	is_str(bawn_tcb_status_name(v->status), bawn_tcb_status_name(want), what);
	if (v->status != want)
		printf("# %s: %s\n", bawn_verdict_name(v->verdict), v->error.msg);
}

/* ---- kinds of quotes ---- */

static void test_kinds(void)
{
	static const enum attest_body bodies[] = { ATTEST_BODY_TD10, ATTEST_BODY_TD15, ATTEST_BODY_TD15EX };
	struct bawn_verification v;
	struct forge f;

	forge_init(&f, BAWN_TEE_SGX);
	forge_build(&f);
	is_int(check(&f, &v), 0, "version 3, SGX");
	is_status(&v, BAWN_TCB_UP_TO_DATE, "is UpToDate");
	ok(v.tee == BAWN_TEE_SGX && v.version == 3 && v.sgx.mrenclave[5] == 0x55 && v.sgx.mrsigner[31] == 0x77 &&
	   v.sgx.isvprodid == 3 && v.sgx.isvsvn == 4 && v.report_data[63] == 0x66 && !v.debug && v.qe.isvsvn == 8,
	   "its report's fields");
	ok(v.ppid[0] == 0x11 && v.has_piid && v.piid[15] == 0x22 && v.fmspc[1] == 0xa0 && v.pcesvn == 11 &&
	   v.components[7] == 5 && v.has_configuration && v.smt && !v.cached_keys && v.sgx_type == 1, "its platform");
	is_str(v.pck_ca, "Intel SGX PCK Platform CA", "the CA of its platform");
	ok(v.signatures_hold && v.tcb_evaluation == 20 && v.evaluation == 20 && !v.advisory_count && !v.shortfall_count,
	   "nothing to complain about");
	f.version = 4;
	forge_quote(&f);
	is_int(check(&f, &v), 0, "version 4, SGX");
	forge_version5(&f, ATTEST_BODY_SGX);
	forge_quote(&f);
	is_int(check(&f, &v), 0, "version 5, SGX");
	f.qe_auth_n = 0;
	forge_quote(&f);
	is_int(check(&f, &v), 0, "no QE authentication data");
	f.qe_auth_n = sizeof(f.qe_auth);
	forge_quote(&f);
	is_int(check(&f, &v), 0, "as much QE authentication data as can be");
	f.qe_auth_n = 32;
	f.tcb_info = forge_sgx_tcb_v2;
	forge_build(&f);
	is_int(check(&f, &v), 0, "TCB info version 2");
	f.pck_members = 0x3e;
	forge_build(&f);
	is_int(check(&f, &v), 0, "a PCK certificate without platform instance id and configuration");
	ok(!v.has_piid && !v.has_configuration, "has neither");
	forge_free(&f);

	forge_init(&f, BAWN_TEE_TDX);
	forge_build(&f);
	is_int(check(&f, &v), 0, "version 4, TD 1.0");
	is_status(&v, BAWN_TCB_UP_TO_DATE, "is UpToDate");
	ok(v.tee == BAWN_TEE_TDX && v.td.mrtd[0] == 0x55 && v.report_data[0] == 0x66 && !v.td.has_15, "its report's fields");
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		forge_version5(&f, bodies[i]);
		memset(f.body + 600, 0x12, 48);
		f.body[648] = 9;
		f.body[884] = 0x34;
		forge_quote(&f);
		is_int(check(&f, &v), 0, i == 0 ? "version 5, TD 1.0" : i == 1 ? "version 5, TD 1.5" : "version 5, TD 1.5 extended");
		is_status(&v, BAWN_TCB_UP_TO_DATE, "is UpToDate");
		ok(v.td.has_15 == (i > 0) && v.td.has_15ex == (i == 2) && (i < 1 || v.td.mrservicetd[47] == 0x12) &&
		   (i < 2 || (v.td.vmid == 9 && v.td.current_service_td_attributes[7] == 0x34)), "its report's fields");
	}
	forge_free(&f);
}

static void test_certification(void)
{
	struct bawn_bytes none = { NULL, 0 }, chain;
	struct bawn_verification v;
	struct bawn_quote_needs needs;
	struct forge f, other;

	forge_init(&f, BAWN_TEE_SGX);
	f.cert_type = ATTEST_CERT_PCK_LEAF;
	forge_build(&f);
	is_int(check(&f, &v), 0, "type 4: the CA comes from the collateral");
	is_int(bawn_quote_needs(f.quote.p, f.quote.n, &needs, NULL), 0, "needs of type 4");
	ok(needs.has_pck && needs.fmspc[5] == 0xe0 && strcmp(needs.ca, "platform") == 0, "are known");
	chain = (struct bawn_bytes){ f.pck_chain.p, f.pck_chain.n };
	for (unsigned type = 1; type <= 3; type++) {
		f.cert_type = type;
		forge_quote(&f);
		is_int(check(&f, &v), BAWN_ERR_NOT_FOUND, "types 1 to 3 without a chain");
		ok(v.verdict == BAWN_UNDECIDED && v.reason == BAWN_REASON_NO_PCK && v.sgx.isvsvn == 4, "are undecided");
		is_int(check_at(&f, NULL, chain, FORGE_NOW, &anything, &v), 0, "and fine with one");
		is_int(bawn_quote_needs(f.quote.p, f.quote.n, &needs, NULL), 0, "their needs");
		ok(!needs.has_pck && needs.has_tcb && needs.pcesvn == 11 && needs.cpusvn[0] == 5 &&
		   needs.ppid.n == (type == 1 ? 16u : type == 2 ? 256u : 384u), "have PPID and TCB");
	}
	f.cert_type = ATTEST_CERT_MANIFEST;
	forge_quote(&f);
	check(&f, &v);
	ok(v.verdict == BAWN_UNDECIDED && v.reason == BAWN_REASON_NO_PCK, "type 7 carries no PCK certificate");
	/* A chain of another platform below the same root: the QE report is not signed by it. */
	forge_init(&other, BAWN_TEE_SGX);
	forge_key(&other.key[FORGE_PCK], "another platform");
	forge_build(&other);
	chain = (struct bawn_bytes){ other.pck_chain.p, other.pck_chain.n };
	check_at(&f, NULL, chain, FORGE_NOW, &anything, &v);
	ok(v.verdict == BAWN_UNDECIDED && v.reason == BAWN_REASON_QE_REPORT_SIGNATURE,
	   "a given chain that does not fit says nothing about the quote");
	f.cert_type = ATTEST_CERT_PCK_CHAIN;
	forge_quote(&f);
	is_int(check_at(&f, NULL, none, FORGE_NOW, NULL, &v), 0, "type 5, default policy");
	forge_free(&other);
	forge_free(&f);
}

/* ---- levels and convergence ---- */

static void test_levels(void)
{
	struct bawn_verification v;
	struct forge f;

	forge_init(&f, BAWN_TEE_SGX);
	f.platform.components[3] = 4;
	forge_build(&f);
	check(&f, &v);
	is_status(&v, BAWN_TCB_OUT_OF_DATE, "one component short: OutOfDate");
	ok(v.advisory_count == 2 && strcmp(v.advisories[1], "INTEL-SA-00002") == 0, "with its advisories");
	ok(v.shortfall_count == 1 && v.shortfalls[0].kind == BAWN_SVN_SGX_COMPONENT && v.shortfalls[0].index == 3 &&
	   v.shortfalls[0].have == 4 && v.shortfalls[0].need == 5 && v.shortfalls[0].level_status == BAWN_TCB_UP_TO_DATE,
	   "and what is short of what");
	is_int(v.tcb_date, 1704067200, "its tcbDate");
	f.platform.components[3] = 5;
	f.platform.components[0] = 4;
	f.platform.pcesvn = 10;
	forge_build(&f);
	check(&f, &v);
	ok(v.shortfall_count == 2 && v.shortfalls[1].kind == BAWN_SVN_PCE && v.shortfalls[1].need == 11 &&
	   strcmp(v.shortfalls[0].type, "Early Microcode Update") == 0 && strcmp(v.shortfalls[0].category, "BIOS") == 0,
	   "components are named as the TCB info does");
	f.platform.pcesvn = 9;
	forge_build(&f);
	check(&f, &v);
	is_status(&v, BAWN_TCB_REVOKED, "below all but the lowest: Revoked");
	f.platform.components[7] = 1;
	forge_build(&f);
	is_int(check(&f, &v), BAWN_ERR_SIGNATURE, "below every level");
	ok(v.verdict == BAWN_NOT_GENUINE && v.reason == BAWN_REASON_TCB_NOT_SUPPORTED, "is not supported");
	forge_free(&f);

	forge_init(&f, BAWN_TEE_TDX);
	f.body[0] = 4;
	forge_build(&f);
	check(&f, &v);
	is_status(&v, BAWN_TCB_OUT_OF_DATE, "TDX, module version 0: component 0 counts");
	ok(v.shortfall_count == 1 && v.shortfalls[0].kind == BAWN_SVN_TDX_COMPONENT && v.module_status == BAWN_TCB_UNKNOWN &&
	   strcmp(v.shortfalls[0].type, "TDX Module") == 0, "and is named");
	f.body[1] = 1;
	f.body[0] = 5;
	forge_quote(&f);
	check(&f, &v);
	is_status(&v, BAWN_TCB_UP_TO_DATE, "module version 1 of SVN 5");
	is_int(v.module_status, BAWN_TCB_UP_TO_DATE, "has a level of its own");
	f.body[0] = 4;
	forge_quote(&f);
	check(&f, &v);
	is_status(&v, BAWN_TCB_OUT_OF_DATE, "module SVN 4: OutOfDate");
	ok(v.module_status == BAWN_TCB_OUT_OF_DATE && v.platform_status == BAWN_TCB_UP_TO_DATE && v.advisory_count == 1 &&
	   v.shortfall_count == 1 && v.shortfalls[0].kind == BAWN_SVN_TDX_MODULE && v.shortfalls[0].need == 5,
	   "because of the module alone");
	f.body[0] = 2;
	forge_quote(&f);
	check(&f, &v);
	is_status(&v, BAWN_TCB_REVOKED, "module SVN 2: Revoked");
	f.body[0] = 1;
	forge_quote(&f);
	check(&f, &v);
	ok(v.verdict == BAWN_NOT_GENUINE && v.reason == BAWN_REASON_TCB_NOT_SUPPORTED, "module SVN 1: not supported");
	f.body[1] = 2;
	forge_quote(&f);
	check(&f, &v);
	ok(v.verdict == BAWN_NOT_GENUINE && v.reason == BAWN_REASON_TDX_MODULE, "module version 2 is not described");
	forge_free(&f);
}

/* Platform status against QE status. */
static void test_convergence(void)
{
	static const struct {
		const char *platform;
		uint8_t qe_svn;
		enum bawn_tcb_status want;
	} t[] = {
		{ "UpToDate", 8, BAWN_TCB_UP_TO_DATE },
		{ "SWHardeningNeeded", 8, BAWN_TCB_SW_HARDENING_NEEDED },
		{ "ConfigurationNeeded", 8, BAWN_TCB_CONFIGURATION_NEEDED },
		{ "ConfigurationAndSWHardeningNeeded", 8, BAWN_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED },
		{ "OutOfDate", 8, BAWN_TCB_OUT_OF_DATE },
		{ "OutOfDateConfigurationNeeded", 8, BAWN_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED },
		{ "Revoked", 8, BAWN_TCB_REVOKED },
		{ "UpToDate", 6, BAWN_TCB_OUT_OF_DATE },
		{ "SWHardeningNeeded", 7, BAWN_TCB_OUT_OF_DATE },
		{ "ConfigurationNeeded", 6, BAWN_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED },
		{ "ConfigurationAndSWHardeningNeeded", 6, BAWN_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED },
		{ "OutOfDate", 6, BAWN_TCB_OUT_OF_DATE },
		{ "OutOfDateConfigurationNeeded", 6, BAWN_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED },
		{ "Revoked", 6, BAWN_TCB_REVOKED },
		{ "UpToDate", 4, BAWN_TCB_REVOKED },
		{ "ConfigurationNeeded", 5, BAWN_TCB_REVOKED },
		{ "Revoked", 4, BAWN_TCB_REVOKED },
	};
	struct bawn_verification v;
	struct forge f;
	char to[64];

	forge_init(&f, BAWN_TEE_SGX);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		snprintf(to, sizeof(to), "\"tcbStatus\":\"%s\"", t[i].platform);
		f.tcb_edit[0] = (struct forge_edit){ "\"tcbStatus\":\"UpToDate\"", to };
		f.qe_report[258] = t[i].qe_svn;
		forge_build(&f);
		check(&f, &v);
		is_status(&v, t[i].want, t[i].platform);
	}
	ok(v.qe_status == BAWN_TCB_REVOKED && v.tcb_date == 1609459200, "the earliest tcbDate is told");
	f.qe_report[258] = 3;
	forge_build(&f);
	check(&f, &v);
	ok(v.verdict == BAWN_NOT_GENUINE && v.reason == BAWN_REASON_TCB_NOT_SUPPORTED, "a QE below every level");
	forge_free(&f);
}

static void test_relaunch(void)
{
	static const struct {
		const char *launch, *current;
		enum bawn_tcb_status want;
	} t[] = {
		{ "OutOfDate", "UpToDate", BAWN_TCB_TD_RELAUNCH_ADVISED },
		{ "OutOfDate", "SWHardeningNeeded", BAWN_TCB_TD_RELAUNCH_ADVISED },
		{ "OutOfDate", "ConfigurationNeeded", BAWN_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED },
		{ "OutOfDate", "ConfigurationAndSWHardeningNeeded", BAWN_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED },
		{ "OutOfDate", "OutOfDateConfigurationNeeded", BAWN_TCB_OUT_OF_DATE },
		{ "OutOfDate", "Revoked", BAWN_TCB_OUT_OF_DATE },
		{ "OutOfDateConfigurationNeeded", "UpToDate", BAWN_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED },
		{ "OutOfDateConfigurationNeeded", "OutOfDate", BAWN_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED },
		{ "UpToDate", "OutOfDate", BAWN_TCB_UP_TO_DATE },
		{ "SWHardeningNeeded", "UpToDate", BAWN_TCB_SW_HARDENING_NEEDED },
		{ "Revoked", "UpToDate", BAWN_TCB_REVOKED },
	};
	struct bawn_verification v;
	struct forge f;
	char up[128], low[128];

	forge_init(&f, BAWN_TEE_TDX);
	forge_version5(&f, ATTEST_BODY_TD15);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		/* Launched at the lower level, running at the upper one. */
		f.body[2] = 3;
		f.body[584 + 2] = 5;
		snprintf(up, sizeof(up), "Z\",\"tcbStatus\":\"%s\"},{\"tcb\":{\"sgx", t[i].current);
		snprintf(low, sizeof(low), "\"tcbStatus\":\"%s\",\"advisoryIDs\":[\"INTEL-SA-00004", t[i].launch);
		f.tcb_edit[0] = (struct forge_edit){ "Z\",\"tcbStatus\":\"UpToDate\"},{\"tcb\":{\"sgx", up };
		f.tcb_edit[1] = (struct forge_edit){ "\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":[\"INTEL-SA-00004", low };
		forge_build(&f);
		check(&f, &v);
		is_status(&v, t[i].want, t[i].launch);
	}
	ok(v.launch_status == BAWN_TCB_REVOKED && v.current_status == BAWN_TCB_UP_TO_DATE && v.advisory_count == 1,
	   "both standings are told, the advisories are those at launch");
	f.body[584 + 2] = 1;
	forge_quote(&f);
	check(&f, &v);
	ok(v.verdict == BAWN_NOT_GENUINE && v.reason == BAWN_REASON_TCB_NOT_SUPPORTED, "a current TCB below every level");
	forge_free(&f);
}

static void test_order(void)
{
	struct bawn_verification v;
	struct forge f;

	/* The levels' place in the text does not matter: swap the first two by editing their numbers. */
	forge_init(&f, BAWN_TEE_SGX);
	f.qe_edit[0] = (struct forge_edit){ "\"isvsvn\":8},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"",
					    "\"isvsvn\":5},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\"" };
	f.qe_edit[1] = (struct forge_edit){ "\"isvsvn\":6},\"tcbDate\":\"2023-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\"",
					    "\"isvsvn\":7},\"tcbDate\":\"2023-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"" };
	forge_build(&f);
	check(&f, &v);
	is_status(&v, BAWN_TCB_UP_TO_DATE, "the highest level met counts, wherever it stands");
	forge_free(&f);
}

/* ---- roots and names ---- */

static void rename_all(struct forge *f, const struct bawn_names *n, bool emulated)
{
	const char *const subject[] = { n->root, n->pck_ca, n->tcb_signing, n->pck };

	for (int i = 0; i < FORGE_CERTS; i++) {
		f->cert[i].subject = subject[i];
		f->cert[i].issuer = subject[i == FORGE_PCK ? FORGE_CA : FORGE_ROOT];
		f->cert[i].rest = n->rest;
		f->cert[i].emulated = emulated;
	}
	f->root_crl.issuer = n->root;
	f->pck_crl.issuer = n->pck_ca;
	f->root_crl.rest = f->pck_crl.rest = n->rest;
}

static void test_profiles(void)
{
	struct bawn_names names = { .root = "Example Root", .pck_ca = "Example CA", .pck = "Example PCK",
				    .tcb_signing = "Example TCB", .rest = "O=Example, C=IE" };
	const struct bawn_names emulated = { .root = "Bawn Emulated SGX Root CA", .pck_ca = "Bawn Emulated SGX PCK CA",
					     .pck = "Bawn Emulated SGX PCK Certificate",
					     .tcb_signing = "Bawn Emulated SGX TCB Signing" };
	struct bawn_bytes none = { NULL, 0 };
	struct bawn_verification v;
	struct bawn_root root;
	struct forge f;

	forge_init(&f, BAWN_TEE_SGX);
	rename_all(&f, &names, false);
	forge_build(&f);
	root = forge_root(&f);
	is_int(check_at(&f, &root, none, FORGE_NOW, NULL, &v), BAWN_ERR_USAGE, "an owner's root without a profile of its own");
	root.profile = BAWN_PROFILE_OWNER;
	is_int(check_at(&f, &root, none, FORGE_NOW, NULL, &v), BAWN_ERR_USAGE, "an owner's root without names");
	root.names = &names;
	is_int(check_at(&f, &root, none, FORGE_NOW, NULL, &v), 0, "an owner's root with names");
	ok(!v.emulated, "is no emulated platform's");
	names.rest = "O=Example, C=FR";
	is_int(check_at(&f, &root, none, FORGE_NOW, NULL, &v), BAWN_ERR_USAGE, "other attributes are not the owner's");
	names.rest = "O=Example";
	is_int(check_at(&f, &root, none, FORGE_NOW, NULL, &v), BAWN_ERR_USAGE, "nor are fewer");
	names.rest = NULL;
	is_int(check_at(&f, &root, none, FORGE_NOW, NULL, &v), 0, "unless they are not to be looked at");
	names.tcb_signing = "Example PCK";
	ok(check_at(&f, &root, none, FORGE_NOW, NULL, &v) != 0, "the TCB signer's name counts");
	names.tcb_signing = "Example TCB";
	names.pck = "Example TCB";
	ok(check_at(&f, &root, none, FORGE_NOW, NULL, &v) != 0 && v.reason == BAWN_REASON_PCK_CHAIN, "so does the PCK's");
	forge_free(&f);

	forge_init(&f, BAWN_TEE_SGX);
	rename_all(&f, &emulated, true);
	forge_build(&f);
	root = forge_root(&f);
	root.profile = BAWN_PROFILE_EMULATED;
	is_int(check_at(&f, &root, none, FORGE_NOW, NULL, &v), BAWN_ERR_DENIED, "an emulated platform by default");
	ok(v.emulated && v.verdict == BAWN_UNACCEPTABLE && v.violations == BAWN_VIOLATES_EMULATED, "is genuine but refused");
	is_int(check_at(&f, &root, none, FORGE_NOW, &anything, &v), 0, "and accepted if that is allowed");
	ok(v.emulated, "and said to be one");
	root.profile = BAWN_PROFILE_INTEL;
	is_int(check_at(&f, &root, none, FORGE_NOW, &anything, &v), BAWN_ERR_USAGE, "its root is none of Intel's");
	root.profile = BAWN_PROFILE_OWNER;
	root.names = &emulated;
	is_int(check_at(&f, &root, none, FORGE_NOW, &anything, &v), BAWN_ERR_USAGE, "nor an owner's, by its marker");
	forge_free(&f);

	forge_init(&f, BAWN_TEE_SGX);
	rename_all(&f, &emulated, false);
	forge_build(&f);
	root = forge_root(&f);
	root.profile = BAWN_PROFILE_EMULATED;
	is_int(check_at(&f, &root, none, FORGE_NOW, &anything, &v), BAWN_ERR_USAGE, "the names alone make no emulated platform");
	forge_free(&f);
}

static void test_roots(void)
{
	struct bawn_bytes none = { NULL, 0 };
	struct bawn_verification v;
	struct bawn_root root;
	struct forge f, old;

	forge_init(&f, BAWN_TEE_SGX);
	forge_build(&f);
	root = (struct bawn_root){ .profile = BAWN_PROFILE_INTEL };
	ok(check_at(&f, &root, none, FORGE_NOW, NULL, &v) != 0, "Intel's own root does not vouch for a test root");
	root.certificate = (struct bawn_bytes){ f.der[FORGE_ROOT].p, f.der[FORGE_ROOT].n };
	is_int(check_at(&f, &root, none, FORGE_NOW, NULL, &v), 0, "a root as DER");
	/* Re-issued: other serial, dates, bytes; the same name and key. */
	forge_init(&old, BAWN_TEE_SGX);
	old.cert[FORGE_ROOT].serial[3] ^= 0xff;
	old.cert[FORGE_ROOT].until += FORGE_DAY;
	forge_build(&old);
	root = forge_root(&old);
	is_int(check_at(&f, &root, none, FORGE_NOW, NULL, &v), 0, "a root issued anew with the same key is the same root");
	forge_key(&old.key[FORGE_ROOT], "another root");
	forge_build(&old);
	root = forge_root(&old);
	ok(check_at(&f, &root, none, FORGE_NOW, NULL, &v) != 0, "one with another key is not");
	root.certificate = (struct bawn_bytes){ f.ca_chain.p, f.ca_chain.n };
	is_int(check_at(&f, &root, none, FORGE_NOW, NULL, &v), BAWN_ERR_FORMAT, "two certificates are no root");
	root.certificate = (struct bawn_bytes){ f.der[FORGE_CA].p, f.der[FORGE_CA].n };
	is_int(check_at(&f, &root, none, FORGE_NOW, NULL, &v), BAWN_ERR_USAGE, "an intermediate CA is no root");
	root.certificate = (struct bawn_bytes){ "", 0 };
	is_int(check_at(&f, &root, none, FORGE_NOW, NULL, &v), BAWN_ERR_FORMAT, "nor is nothing");
	root = (struct bawn_root){ .profile = BAWN_PROFILE_EMULATED };
	is_int(check_at(&f, &root, none, FORGE_NOW, NULL, &v), BAWN_ERR_USAGE, "no emulated platform without its root");
	root.profile = (enum bawn_profile)77;
	is_int(check_at(&f, &root, none, FORGE_NOW, NULL, &v), BAWN_ERR_USAGE, "no profile but those there are");
	forge_free(&old);
	forge_free(&f);
}

/* ---- dates ---- */

static void is_window(struct forge *f, int64_t from, int64_t until, const char *what)
{
	struct bawn_bytes none = { NULL, 0 };
	struct bawn_verification before, at_start, at_end, after;

	forge_build(f);
	check_at(f, NULL, none, from - 1, &anything, &before);
	check_at(f, NULL, none, from, &anything, &at_start);
	check_at(f, NULL, none, until, &anything, &at_end);
	check_at(f, NULL, none, until + 1, &anything, &after);
	ok(before.verdict == BAWN_UNDECIDED && before.reason == BAWN_REASON_NOT_YET_VALID &&
	   at_start.verdict == BAWN_ACCEPTED && at_end.verdict == BAWN_ACCEPTED && after.verdict == BAWN_UNDECIDED &&
	   after.reason == BAWN_REASON_EXPIRED, "both bounds belong to it: %s", what);
	ok(at_end.valid_from == from && at_end.expires == until && strcmp(at_end.expires_first, what) == 0 &&
	   strstr(before.error.msg, what) && strstr(after.error.msg, what), "and are told: %s", what);
}

static void test_dates(void)
{
	static const char *const names[] = { "root certificate", "PCK CA certificate", "TCB signing certificate", "PCK certificate" };
	const int64_t from = FORGE_NOW - 1000, until = FORGE_NOW + 1000;
	struct forge f;

	for (int i = 0; i < FORGE_CERTS; i++) {
		forge_init(&f, BAWN_TEE_SGX);
		f.cert[i].from = from;
		f.cert[i].until = until;
		f.cert[i].generalized = i % 2;
		is_window(&f, from, until, names[i]);
		forge_free(&f);
	}
	forge_init(&f, BAWN_TEE_SGX);
	f.root_crl.from = from;
	f.root_crl.until = until;
	is_window(&f, from, until, "root's revocation list");
	forge_free(&f);
	forge_init(&f, BAWN_TEE_SGX);
	f.pck_crl.from = from;
	f.pck_crl.until = until;
	is_window(&f, from, until, "PCK CA's revocation list");
	forge_free(&f);
	forge_init(&f, BAWN_TEE_SGX);
	f.tcb_edit[0] = (struct forge_edit){ "2025-12-20T00:00:00Z", "2025-12-31T23:43:20Z" };
	f.tcb_edit[1] = (struct forge_edit){ "2026-01-19T00:00:00Z", "2026-01-01T00:16:40Z" };
	is_window(&f, from, until, "TCB info");
	forge_free(&f);
	forge_init(&f, BAWN_TEE_SGX);
	f.qe_edit[0] = (struct forge_edit){ "2025-12-21T00:00:00Z", "2025-12-31T23:43:20Z" };
	f.qe_edit[1] = (struct forge_edit){ "2026-01-20T00:00:00Z", "2026-01-01T00:16:40Z" };
	is_window(&f, from, until, "QE identity");
	forge_free(&f);
}

int main(void)
{
	test_kinds();
	test_certification();
	test_levels();
	test_convergence();
	test_relaunch();
	test_order();
	test_profiles();
	test_roots();
	test_dates();
	return tap_done();
}
