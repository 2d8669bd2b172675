/*
 * What a verifier refuses: a change anywhere that is signed, and wrong values
 * in every field, properly signed.
 */
#include "tests/attest/forge.h"
#include "tests/tap.h"

static struct bawn_policy anything = { .statuses = UINT32_MAX, .allow_debug = true };

/* 0, or why not; *v tells the rest. Collateral that is refused leaves verdict undecided. */
static int check(const struct forge *f, struct bawn_verification *v)
{
	struct bawn_collateral c = forge_collateral(f);
	struct bawn_root root = forge_root(f);
	struct bawn_verifier *ver = NULL;
	int r;

	memset(v, 0, sizeof(*v));
	r = bawn_verifier_new(&ver, &root, &v->error);
	if (!r)
		r = bawn_verifier_add_collateral(ver, &c, &v->error);
	if (!r)
		r = bawn_verify_quote(ver, f->quote.p, f->quote.n, FORGE_NOW, &anything, v);
	bawn_verifier_free(&ver);
	return r;
}

/* ---- every byte ---- */

/* Offset of the PEM text in a quote: its text between blocks is nobody's. */
static size_t pem_start(const struct forge *f)
{
	const uint8_t *p = memmem(f->quote.p, f->quote.n, "-----BEGIN", 10);

	return (size_t)(p - f->quote.p);
}

static void sweep_quote(enum bawn_tee tee, enum attest_body body5, const char *what)
{
	struct bawn_verification v;
	struct bawn_collateral c;
	struct bawn_root root;
	struct bawn_verifier *ver = NULL;
	size_t accepted = 0, n;
	struct forge f;

	forge_init(&f, tee);
	if (body5)
		forge_version5(&f, body5);
	forge_build(&f);
	c = forge_collateral(&f);
	root = forge_root(&f);
	if (bawn_verifier_new(&ver, &root, NULL) || bawn_verifier_add_collateral(ver, &c, NULL))
		abort();
	n = pem_start(&f);
	for (size_t i = 0; i < n; i++)
		for (unsigned bit = 0; bit < 8; bit += 7) {
			f.quote.p[i] ^= (uint8_t)(1u << bit);
			accepted += bawn_verify_quote(ver, f.quote.p, f.quote.n, FORGE_NOW, &anything, &v) == 0 ||
				    v.verdict == BAWN_ACCEPTED || v.verdict == BAWN_UNACCEPTABLE;
			f.quote.p[i] ^= (uint8_t)(1u << bit);
		}
	ok(accepted == 0, "%s: a bit changed in any of %zu bytes before the chain is refused", what, n);
	accepted = 0;
	for (size_t i = 0; i < f.quote.n; i++)
		accepted += bawn_verify_quote(ver, f.quote.p, i, FORGE_NOW, &anything, &v) == 0;
	ok(accepted == 0, "%s: every truncation is refused", what);
	is_int(bawn_verify_quote(ver, f.quote.p, f.quote.n, FORGE_NOW, &anything, &v), 0, "and the quote itself is not");
	bawn_verifier_free(&ver);
	forge_free(&f);
}

/* Change each byte of one certificate, in all chains that have it. */
static void sweep_certificate(int which, const char *what)
{
	static const int pck[] = { FORGE_PCK, FORGE_CA, FORGE_ROOT }, tcb[] = { FORGE_TCB, FORGE_ROOT },
			 ca[] = { FORGE_CA, FORGE_ROOT };
	struct {
		struct buf *out;
		const int *certs;
		size_t n;
	} chains[3];
	size_t accepted = 0, n;
	struct bawn_verification v;
	struct forge f;

	forge_init(&f, BAWN_TEE_SGX);
	forge_build(&f);
	chains[0].out = &f.pck_chain, chains[0].certs = pck, chains[0].n = 3;
	chains[1].out = &f.tcb_chain, chains[1].certs = tcb, chains[1].n = 2;
	chains[2].out = &f.ca_chain, chains[2].certs = ca, chains[2].n = 2;
	n = f.der[which].n;
	for (size_t i = 0; i < n; i++) {
		f.der[which].p[i] ^= 1;
		for (size_t k = 0; k < 3; k++) {
			buf_free(chains[k].out);
			for (size_t j = 0; j < chains[k].n; j++)
				buf_pem(chains[k].out, "CERTIFICATE", f.der[chains[k].certs[j]].p, f.der[chains[k].certs[j]].n);
		}
		forge_quote(&f);
		accepted += check(&f, &v) == 0;
		f.der[which].p[i] ^= 1;
	}
	ok(accepted == 0, "%s: a change of any of its %zu bytes is refused", what, n);
	forge_free(&f);
}

static void sweep_collateral(void)
{
	struct forge f;
	struct bawn_root root;
	const struct {
		const char *what;
		struct buf *b;
	} parts[] = { { "root's revocation list", &f.root_crl_der }, { "PCK CA's revocation list", &f.pck_crl_der },
		      { "TCB info", &f.tcb_json }, { "QE identity", &f.qe_json } };

	forge_init(&f, BAWN_TEE_SGX);
	f.pck_crl.count = 2;
	for (int i = 0; i < 2; i++) {
		memset(f.pck_crl.serial[i], 0x50 + i, 20);
		f.pck_crl.serial_n[i] = 20;
	}
	forge_build(&f);
	root = forge_root(&f);
	for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
		struct bawn_verifier *ver = NULL;
		size_t taken = 0, n = parts[k].b->n;

		if (bawn_verifier_new(&ver, &root, NULL))
			abort();
		for (size_t i = 0; i < n; i++) {
			struct bawn_collateral c = forge_collateral(&f);
			uint8_t *p = parts[k].b->p, old = p[i];

			/* The signature's digits may be of either case, so change them to others. */
			p[i] = old >= '0' && old <= '8' ? old + 1 : old ^ 1;
			taken += bawn_verifier_add_collateral(ver, &c, NULL) == 0;
			p[i] = old;
		}
		ok(taken == 0, "%s: a change of any of its %zu bytes is refused", parts[k].what, n);
		taken = 0;
		for (size_t i = 0; i < n; i++) {
			struct bawn_collateral c = { 0 };

			if (k == 0)
				c.root_crl = (struct bawn_bytes){ parts[k].b->p, i };
			else if (k == 1)
				c.pck_crl = (struct bawn_bytes){ parts[k].b->p, i }, c.pck_crl_chain = forge_collateral(&f).pck_crl_chain;
			else if (k == 2)
				c.tcb_info = (struct bawn_bytes){ parts[k].b->p, i }, c.tcb_chain = forge_collateral(&f).tcb_chain;
			else
				c.qe_identity = (struct bawn_bytes){ parts[k].b->p, i }, c.qe_chain = forge_collateral(&f).tcb_chain;
			taken += bawn_verifier_add_collateral(ver, &c, NULL) == 0;
		}
		ok(taken == 0, "%s: every truncation is refused", parts[k].what);
		bawn_verifier_free(&ver);
	}
	forge_free(&f);
}

/* ---- the quote's fields, properly signed ---- */

static void edited(struct forge *f, enum bawn_verdict verdict, enum bawn_reason reason, const char *what)
{
	struct bawn_verification v;

	check(f, &v);
	if (!ok(v.verdict == verdict && v.reason == reason, "%s", what))
		printf("# %s, %s: %s\n", bawn_verdict_name(v.verdict), bawn_reason_name(v.reason), v.error.msg);
}

/* Put bytes into the quote's unsigned structure and see what is said. */
static void quote_bytes(enum bawn_tee tee, unsigned version, size_t at, const char *hex, enum bawn_reason reason,
			const char *what)
{
	struct forge f;
	size_t n = strlen(hex) / 2;

	forge_init(&f, tee);
	if (version == 5)
		forge_version5(&f, tee == BAWN_TEE_TDX ? ATTEST_BODY_TD15 : ATTEST_BODY_SGX);
	f.version = version;
	forge_build(&f);
	if (!hex_decode(hex, 2 * n, f.quote.p + at, n))
		abort();
	edited(&f, BAWN_NOT_GENUINE, reason, what);
	forge_free(&f);
}

static void test_quote_fields(void)
{
	const enum bawn_reason format = BAWN_REASON_QUOTE_FORMAT;
	struct forge f;

	quote_bytes(BAWN_TEE_SGX, 3, 0, "0200", format, "version 2");
	quote_bytes(BAWN_TEE_SGX, 3, 0, "0600", format, "version 6");
	quote_bytes(BAWN_TEE_SGX, 3, 0, "0301", format, "version 259");
	quote_bytes(BAWN_TEE_SGX, 3, 2, "0300", format, "key type 3");
	quote_bytes(BAWN_TEE_SGX, 3, 4, "81000000", format, "a version 3 quote of TDX");
	quote_bytes(BAWN_TEE_SGX, 3, 4, "01000000", format, "TEE type 1");
	quote_bytes(BAWN_TEE_TDX, 4, 4, "81000001", format, "TEE type 0x01000081");
	quote_bytes(BAWN_TEE_TDX, 4, 4, "00000000", format, "a TD's quote that says SGX");
	quote_bytes(BAWN_TEE_TDX, 5, 48, "0900", format, "body type 9");
	quote_bytes(BAWN_TEE_TDX, 5, 48, "0000", format, "body type 0");
	quote_bytes(BAWN_TEE_TDX, 5, 48, "0100", format, "body type SGX of a TD");
	quote_bytes(BAWN_TEE_TDX, 5, 50, "48020000", format, "body size of another type");
	quote_bytes(BAWN_TEE_SGX, 5, 4, "81000000", format, "an SGX body of a TDX quote");
	quote_bytes(BAWN_TEE_SGX, 3, 432, "ffffffff", format, "authentication data of 4 GiB");
	quote_bytes(BAWN_TEE_SGX, 3, 436 + 128 + 448, "ffff", format, "QE authentication data past the end");
	quote_bytes(BAWN_TEE_SGX, 3, 436 + 128 + 450 + 32, "0000", format, "certification data type 0");
	quote_bytes(BAWN_TEE_SGX, 3, 436 + 128 + 450 + 32, "0600", format, "type 6 within version 3");
	quote_bytes(BAWN_TEE_SGX, 3, 436 + 128 + 450 + 32, "0800", format, "certification data type 8");
	quote_bytes(BAWN_TEE_SGX, 3, 436 + 128 + 450 + 34, "00000000", format, "certification data that ends early");
	quote_bytes(BAWN_TEE_SGX, 4, 436 + 128, "0500", format, "outer certification data of type 5");
	quote_bytes(BAWN_TEE_SGX, 4, 436 + 130, "00000000", format, "outer certification data of no size");
	quote_bytes(BAWN_TEE_SGX, 4, 436 + 130, "ffffffff", format, "outer certification data past the end");
	quote_bytes(BAWN_TEE_SGX, 4, 436 + 134 + 450 + 32, "0600", format, "type 6 within type 6");
	quote_bytes(BAWN_TEE_SGX, 3, 12, "00", format, "a quoting enclave of another vendor");

	forge_init(&f, BAWN_TEE_SGX);
	f.qe_report[320] = 1; /* overwritten by the digest: the upper half is free */
	f.qe_report[352] = 1;
	forge_build(&f);
	edited(&f, BAWN_ACCEPTED, BAWN_REASON_NONE, "the upper half of the QE's report data is the QE's business");
	forge_key(&f.attestation, "another attestation key");
	memcpy(f.quote.p + 436 + 64, f.attestation.xy, 64);
	edited(&f, BAWN_NOT_GENUINE, BAWN_REASON_QE_REPORT_DATA, "an attestation key that the QE did not vouch for");
	forge_quote(&f);
	f.quote.p[436 + 128] ^= 1;
	edited(&f, BAWN_NOT_GENUINE, BAWN_REASON_QE_REPORT_SIGNATURE, "a QE report that the PCK did not sign");
	forge_quote(&f);
	f.quote.p[60] ^= 1;
	edited(&f, BAWN_NOT_GENUINE, BAWN_REASON_QUOTE_SIGNATURE, "a report that the attestation key did not sign");
	forge_free(&f);
}

static void qe_byte(size_t at, uint8_t v, const char *what, bool good)
{
	struct forge f;

	forge_init(&f, BAWN_TEE_SGX);
	f.qe_report[at] = v;
	forge_build(&f);
	edited(&f, good ? BAWN_ACCEPTED : BAWN_NOT_GENUINE, good ? BAWN_REASON_NONE : BAWN_REASON_QE_IDENTITY, what);
	forge_free(&f);
}

static void td_byte(size_t at, uint8_t v, const char *what)
{
	struct forge f;

	forge_init(&f, BAWN_TEE_TDX);
	f.body[at] = v;
	forge_build(&f);
	edited(&f, BAWN_NOT_GENUINE, BAWN_REASON_TDX_MODULE, what);
	forge_free(&f);
}

static void test_reports(void)
{
	struct forge f;

	qe_byte(16, 1, "the QE's MISCSELECT", false);
	qe_byte(48, 0x13, "the QE's ATTRIBUTES: debug", false);
	qe_byte(55, 0x80, "the QE's ATTRIBUTES: the last bit of the mask", false);
	qe_byte(48, 0x15, "the QE's ATTRIBUTES: a bit outside the mask", true);
	qe_byte(56, 0x07, "the QE's XFRM, outside the mask", true);
	qe_byte(159, 0, "the QE's MRSIGNER", false);
	qe_byte(256, 2, "the QE's ISVPRODID", false);
	qe_byte(257, 1, "the QE's ISVPRODID, upper byte", false);
	td_byte(64, 1, "MRSIGNERSEAM");
	td_byte(111, 1, "MRSIGNERSEAM, last byte");
	td_byte(112, 1, "SEAMATTRIBUTES");
	td_byte(119, 0x80, "SEAMATTRIBUTES, last bit");
	/* Identity values are taken as they stand: a bit set outside the mask never matches. */
	forge_init(&f, BAWN_TEE_SGX);
	f.qe_edit[0] = (struct forge_edit){ "\"attributes\":\"11", "\"attributes\":\"15" };
	f.qe_report[48] = 0x15;
	forge_build(&f);
	edited(&f, BAWN_NOT_GENUINE, BAWN_REASON_QE_IDENTITY, "an identity with a bit outside its own mask");
	forge_free(&f);
	forge_init(&f, BAWN_TEE_TDX);
	f.tcb_edit[0] = (struct forge_edit){ "\"attributesMask\":\"FFFFFFFFFFFFFFFF\"}", "\"attributesMask\":\"0000000000000000\"}" };
	f.body[112] = 1;
	forge_build(&f);
	edited(&f, BAWN_NOT_GENUINE, BAWN_REASON_TDX_MODULE, "SEAMATTRIBUTES outside the mask");
	forge_free(&f);
}

/* ---- statements, properly signed ---- */

struct text_case {
	const char *from, *to, *what;
};

/* true: refused when it is added */
static void text_cases(enum bawn_tee tee, bool qe, const char *base, const struct text_case *t, size_t n, bool refused)
{
	struct bawn_verification v;
	struct forge f;

	for (size_t i = 0; i < n; i++) {
		forge_init(&f, tee);
		if (base)
			f.tcb_info = base;
		(qe ? f.qe_edit : f.tcb_edit)[0] = (struct forge_edit){ t[i].from, t[i].to };
		forge_build(&f);
		check(&f, &v);
		if (!ok(refused ? v.error.code == BAWN_ERR_FORMAT && v.verdict == BAWN_UNDECIDED : v.verdict == BAWN_ACCEPTED, "%s",
			t[i].what))
			printf("# %s, %s: %s\n", bawn_verdict_name(v.verdict), bawn_reason_name(v.reason), v.error.msg);
		forge_free(&f);
	}
}

static void test_tcb_fields(void)
{
	static const struct text_case bad[] = {
		{ "\"version\":3,", "\"version\":1,", "TCB info version 1" },
		{ "\"version\":3,", "\"version\":4,", "TCB info version 4" },
		{ "\"version\":3,", "\"version\":2,", "version 2 with members of version 3" },
		{ "\"version\":3,", "\"version\":\"3\",", "a version as text" },
		{ "\"version\":3,", "", "no version" },
		{ "\"version\":3,", "\"version\":3,\"version\":3,", "two versions" },
		{ "\"id\":\"SGX\",", "", "version 3 without id" },
		{ "\"id\":\"SGX\"", "\"id\":\"sgx\"", "an unknown id" },
		{ "\"id\":\"SGX\"", "\"id\":\"TDX\"", "SGX levels called TDX" },
		{ "\"issueDate\":\"2025-12-20T00:00:00Z\"", "\"issueDate\":\"2025-12-20\"", "an issue date without time" },
		{ "2025-12-20T00:00:00Z", "2025-12-20T00:00:00+00:00", "an issue date with an offset" },
		{ "2025-12-20T00:00:00Z", "2025-13-20T00:00:00Z", "a thirteenth month" },
		{ "2025-12-20T00:00:00Z", "2025-02-29T00:00:00Z", "a day that did not exist" },
		{ "2025-12-20T00:00:00Z", "2025-12-20T24:00:00Z", "an hour that does not exist" },
		{ "\"nextUpdate\":\"2026-01-19T00:00:00Z\",", "", "no next update" },
		{ "\"fmspc\":\"00a0b0c0d0e0\"", "\"fmspc\":\"00a0b0c0d0\"", "an FMSPC of five bytes" },
		{ "\"fmspc\":\"00a0b0c0d0e0\"", "\"fmspc\":\"00a0b0c0d0eg\"", "an FMSPC that is not hexadecimal" },
		{ "\"fmspc\":\"00a0b0c0d0e0\",", "", "no FMSPC" },
		{ "\"pceId\":\"0000\"", "\"pceId\":\"000000\"", "a PCE id of three bytes" },
		{ "\"pceId\":\"0000\",", "", "no PCE id" },
		{ "\"tcbType\":0", "\"tcbType\":1", "TCB type 1" },
		{ "\"tcbType\":0,", "", "no TCB type" },
		{ "\"tcbEvaluationDataNumber\":20,", "", "no evaluation number" },
		{ "\"tcbEvaluationDataNumber\":20", "\"tcbEvaluationDataNumber\":-1", "a negative evaluation number" },
		{ "\"tcbEvaluationDataNumber\":20", "\"tcbEvaluationDataNumber\":4294967296", "an evaluation number of 33 bits" },
		{ "{\"svn\":5}", "{\"svn\":256}", "a component of 256" },
		{ "{\"svn\":5}", "{\"svn\":-1}", "a negative component" },
		{ "{\"svn\":5}", "{\"svn\":5.0}", "a component with a fraction" },
		{ "{\"svn\":5}", "{\"svn\":\"5\"}", "a component as text" },
		{ "{\"svn\":5},", "", "fifteen components" },
		{ "{\"svn\":5},", "{\"svn\":5},{\"svn\":5},", "seventeen components" },
		{ "{\"svn\":5},", "{},", "a component without svn" },
		{ "\"pcesvn\":11", "\"pcesvn\":65536", "a PCESVN of 17 bits" },
		{ ",\"pcesvn\":11", "", "a level without PCESVN" },
		{ "\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"Fine\"", "an unknown status" },
		{ "\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"uptodate\"", "a status in other letters" },
		{ "\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"TDRelaunchAdvised\"", "a status that no level has" },
		{ "\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"Unknown\"", "a status that is none" },
		{ ",\"tcbStatus\":\"UpToDate\"", "", "a level without status" },
		{ "\"tcbDate\":\"2025-01-01T00:00:00Z\",", "", "a level without date" },
		{ "\"INTEL-SA-00001\"", "\"\"", "an empty advisory" },
		{ "\"INTEL-SA-00001\"", "\"INTEL-SA-00001-and-a-lot-more-than-fits\"", "an advisory of 39 letters" },
		{ "\"INTEL-SA-00001\"", "\"INTEL SA\"", "an advisory with a space" },
		{ "\"INTEL-SA-00001\"", "17", "an advisory that is a number" },
		{ "\"pcesvn\":10}", "\"pcesvn\":10,\"sgxtcbcomp01svn\":4}", "components of both versions" },
		{ "\"tcbLevels\":[", "\"tdxModule\":{},\"tcbLevels\":[", "tdxModule in an SGX TCB info" },
		{ "\"tcbLevels\":[", "\"tdxModuleIdentities\":[],\"tcbLevels\":[", "tdxModuleIdentities in an SGX TCB info" },
		{ "\"tcbLevels\":[", "\"levels\":[", "no TCB levels" },
		{ "\"tcbLevels\":[", "\"tcbLevels\":[],\"levels\":[", "an empty list of TCB levels" },
	};
	static const struct text_case good[] = {
		{ "\"fmspc\":\"00a0b0c0d0e0\"", "\"fmspc\":\"00A0B0C0D0E0\"", "an FMSPC in capitals" },
		{ "\"tcbLevels\":[", "\"news\":{\"a\":[1,null,true]},\"tcbLevels\":[", "a member that is not known" },
		{ "\"tcbType\":0,", " \"tcbType\" :\n0 ,", "space between" },
		{ "\"pcesvn\":11", "\"isvsvn\":0,\"pcesvn\":11", "a member of a TCB that is not known" },
	};
	static const struct text_case bad2[] = {
		{ "\"version\":2", "\"version\":3", "version 3 without what it needs" },
		{ "\"version\":2,", "\"version\":2,\"id\":\"SGX\",", "version 2 with an id" },
		{ "\"sgxtcbcomp07svn\":5,", "", "a component missing in version 2" },
		{ "\"sgxtcbcomp07svn\":5,", "\"sgxtcbcomp07svn\":5,\"sgxtcbcomp07svn\":5,", "a component twice in version 2" },
		{ "\"sgxtcbcomp07svn\":5,", "\"sgxtcbcomp07svn\":300,", "a component of 300 in version 2" },
	};

	text_cases(BAWN_TEE_SGX, false, NULL, bad, ARRAY_LEN(bad), true);
	text_cases(BAWN_TEE_SGX, false, NULL, good, ARRAY_LEN(good), false);
	text_cases(BAWN_TEE_SGX, false, forge_sgx_tcb_v2, bad2, ARRAY_LEN(bad2), true);
}

static void test_tdx_fields(void)
{
	static const struct text_case bad[] = {
		{ "\"id\":\"TDX\"", "\"id\":\"SGX\"", "TDX members called SGX" },
		{ "\"tdxModule\":", "\"module\":", "no tdxModule" },
		{ "\"mrsigner\":\"00", "\"mrsigner\":\"", "a module's mrsigner of 47 bytes" },
		{ "\"attributes\":\"00", "\"attributes\":\"", "a module's attributes of 7 bytes" },
		{ "\"attributesMask\":\"FF", "\"attributesMask\":\"", "a module's mask of 7 bytes" },
		{ "\"attributesMask\":\"FFFFFFFFFFFFFFFF\"}", "\"mask\":\"\"}", "a module without mask" },
		{ "{\"id\":\"TDX_01\",", "{", "a module identity without id" },
		{ "\"tcbLevels\":[{\"tcb\":{\"isvsvn\":5}", "\"levels\":[{\"tcb\":{\"isvsvn\":5}", "a module identity without levels" },
		{ "{\"isvsvn\":5}", "{\"isvsvn\":3}", "two module levels of one isvsvn" },
		{ "{\"isvsvn\":5}", "{\"isvsvn\":65536}", "a module's isvsvn of 17 bits" },
		{ "{\"isvsvn\":5}", "{}", "a module level without isvsvn" },
		{ "\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"SWHardeningNeeded\"", "a module status that modules do not have" },
		{ "\"tdxtcbcomponents\"", "\"others\"", "a TDX level without TDX components" },
		{ "\"tdxModuleIdentities\":[", "\"tdxModuleIdentities\":[{\"id\":\"TDX_01\",\"mrsigner\":\"\"},", "a malformed identity" },
		{ "\"tdxModuleIdentities\":[", "\"tdxModuleIdentities\":[7,", "an identity that is a number" },
		{ "\"tdxModuleIdentities\":[", "\"tdxModuleIdentities\":[],\"others\":[", "an empty list of identities" },
	};
	static const struct text_case good[] = {
		{ "\"TDX_01\"", "\"tdx_01\"", "a module's id in small letters" },
		{ "\"TDX_01\"", "\"SEAM\"", "a module of another kind, if it is not asked for" },
	};

	text_cases(BAWN_TEE_TDX, false, NULL, bad, ARRAY_LEN(bad), true);
	text_cases(BAWN_TEE_TDX, false, NULL, good, ARRAY_LEN(good), false);
}

static void test_qe_fields(void)
{
	static const struct text_case bad[] = {
		{ "\"id\":\"QE\"", "\"id\":\"QVE\"", "the identity of a QVE" },
		{ "\"id\":\"QE\",", "", "an identity of nobody" },
		{ "\"version\":2", "\"version\":1", "identity version 1" },
		{ "\"version\":2", "\"version\":3", "identity version 3" },
		{ "\"issueDate\":\"2025-12-21T00:00:00Z\",", "", "no issue date" },
		{ "\"nextUpdate\":\"2026-01-20T00:00:00Z\"", "\"nextUpdate\":null", "no next update" },
		{ "\"tcbEvaluationDataNumber\":20,", "", "no evaluation number" },
		{ "\"miscselect\":\"00", "\"miscselect\":\"", "miscselect of three bytes" },
		{ "\"miscselectMask\":\"FF", "\"miscselectMask\":\"", "its mask of three bytes" },
		{ "\"attributes\":\"11", "\"attributes\":\"", "attributes of 15 bytes" },
		{ "\"attributesMask\":\"FB", "\"attributesMask\":\"", "their mask of 15 bytes" },
		{ "\"mrsigner\":\"00", "\"mrsigner\":\"", "mrsigner of 31 bytes" },
		{ "\"isvprodid\":1", "\"isvprodid\":65536", "a product of 17 bits" },
		{ "\"isvprodid\":1,", "", "no product" },
		{ "\"tcbLevels\":[", "\"tcbLevels\":[],\"x\":[", "no levels" },
		{ "{\"isvsvn\":8}", "{\"isvsvn\":6}", "two levels of one isvsvn" },
		{ "\"tcbStatus\":\"UpToDate\"", "\"tcbStatus\":\"ConfigurationNeeded\"", "a status that QEs do not have" },
		{ "\"advisoryIDs\":[\"INTEL-SA-00009\"]", "\"advisoryIDs\":\"INTEL-SA-00009\"", "advisories that are no list" },
	};
	static const struct text_case good[] = {
		{ "\"isvprodid\":1,", "\"isvprodid\":1,\"other\":[[[]]],", "a member that is not known" },
	};

	text_cases(BAWN_TEE_SGX, true, NULL, bad, ARRAY_LEN(bad), true);
	text_cases(BAWN_TEE_SGX, true, NULL, good, ARRAY_LEN(good), false);
}

/* What the signature does not cover: the envelope. */
static void test_envelope(void)
{
	static const struct text_case bad[] = {
		{ "{\"tcbInfo\":", "\xef\xbb\xbf{\"tcbInfo\":", "a byte order mark" },
		{ "\"}", "\"} x", "text behind" },
		{ "{\"tcbInfo\":", "[{\"tcbInfo\":", "an array around" },
		{ ",\"signature\":\"", ",\"signature\":\"00", "a signature of 65 bytes" },
		{ ",\"signature\":", ",\"Signature\":", "no signature" },
		{ ",\"signature\":", ",\"more\":1,\"signature\":", "a third member" },
		{ "{\"tcbInfo\":{", "{\"tcbInfo\":{ ", "a space where none was signed" },
		{ "{\"tcbInfo\":", "{\"tcbInfo\":{},\"tcbInfo\":", "two statements" },
		{ ",\"signature\":", ",\"signature\":\"\",\"signature\":", "two signatures" },
	};
	struct bawn_verification v;
	struct forge f;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf b;
		const uint8_t *at;

		forge_init(&f, BAWN_TEE_SGX);
		forge_build(&f);
		/* The last place where it occurs: "}" closes the envelope. */
		at = NULL;
		for (const uint8_t *p = f.tcb_json.p; (p = memmem(p, f.tcb_json.n - (size_t)(p - f.tcb_json.p), bad[i].from,
								  strlen(bad[i].from))); p++)
			at = p;
		if (!at)
			abort();
		buf_init(&b, 1 << 18);
		buf_add(&b, f.tcb_json.p, (size_t)(at - f.tcb_json.p));
		buf_str(&b, bad[i].to);
		buf_add(&b, at + strlen(bad[i].from), f.tcb_json.n - (size_t)(at - f.tcb_json.p) - strlen(bad[i].from));
		buf_free(&f.tcb_json);
		f.tcb_json = b;
		ok(check(&f, &v) != 0 && v.verdict == BAWN_UNDECIDED, "%s", bad[i].what);
		forge_free(&f);
	}
	forge_init(&f, BAWN_TEE_SGX);
	forge_build(&f);
	for (size_t i = f.tcb_json.n - 130; i < f.tcb_json.n - 2; i++)
		if (f.tcb_json.p[i] >= 'a' && f.tcb_json.p[i] <= 'f')
			f.tcb_json.p[i] = (uint8_t)(f.tcb_json.p[i] - 'a' + 'A');
	is_int(check(&f, &v), 0, "a signature in capitals holds");
	forge_free(&f);
}

static void test_mismatch(void)
{
	struct bawn_verification v;
	struct forge f;

	forge_init(&f, BAWN_TEE_SGX);
	f.tcb_edit[0] = (struct forge_edit){ "\"fmspc\":\"00", "\"fmspc\":\"01" };
	forge_build(&f);
	edited(&f, BAWN_UNDECIDED, BAWN_REASON_NO_TCB_INFO, "a TCB info of another FMSPC");
	f.tcb_edit[0] = (struct forge_edit){ "\"pceId\":\"00", "\"pceId\":\"01" };
	forge_build(&f);
	edited(&f, BAWN_UNDECIDED, BAWN_REASON_NO_TCB_INFO, "a TCB info of another PCE");
	f.tcb_edit[0] = (struct forge_edit){ NULL, NULL };
	f.tcb_info = forge_tdx_tcb;
	forge_build(&f);
	edited(&f, BAWN_UNDECIDED, BAWN_REASON_NO_TCB_INFO, "a TCB info of the other TEE");
	f.tcb_info = forge_sgx_tcb;
	f.qe_identity = forge_tdx_qe;
	forge_build(&f);
	edited(&f, BAWN_UNDECIDED, BAWN_REASON_NO_QE_IDENTITY, "the identity of the other TEE's QE");
	f.qe_identity = forge_sgx_qe;
	forge_build(&f);
	/* Statements signed by whoever else has a key below the root. */
	buf_free(&f.tcb_json);
	forge_json(&f.tcb_json, "tcbInfo", forge_sgx_tcb, NULL, &f.key[FORGE_PCK]);
	ok(check(&f, &v) != 0 && v.verdict == BAWN_UNDECIDED, "a TCB info signed by a PCK");
	forge_free(&f);
	forge_init(&f, BAWN_TEE_SGX);
	f.key[FORGE_TCB] = f.key[FORGE_PCK];
	forge_build(&f);
	buf_free(&f.tcb_chain);
	buf_add(&f.tcb_chain, f.pck_chain.p, f.pck_chain.n);
	ok(check(&f, &v) != 0 && v.verdict == BAWN_UNDECIDED, "with the PCK's chain for its own");
	buf_free(&f.tcb_chain);
	buf_pem(&f.tcb_chain, "CERTIFICATE", f.der[FORGE_PCK].p, f.der[FORGE_PCK].n);
	buf_pem(&f.tcb_chain, "CERTIFICATE", f.der[FORGE_CA].p, f.der[FORGE_CA].n);
	ok(check(&f, &v) != 0 && v.verdict == BAWN_UNDECIDED, "or with two thirds of it");
	forge_free(&f);
}

/* ---- certificates, properly signed ---- */

/* oid: changed in the TBS, so that inner and outer algorithm, curve and so on are wrong. */
static void cert_edit(int which, const char *from, const char *to, enum bawn_reason reason, const char *what)
{
	struct bawn_verification v;
	struct forge f;

	forge_init(&f, BAWN_TEE_SGX);
	f.cert[which].edit[0] = (struct forge_edit){ from, to };
	forge_build(&f);
	check(&f, &v);
	/* A CA's defect already spoils the collateral. */
	if (!ok(which == FORGE_PCK ? v.verdict == BAWN_NOT_GENUINE && v.reason == reason : v.error.code && v.verdict == BAWN_UNDECIDED,
		"%s", what))
		printf("# %s, %s: %s\n", bawn_verdict_name(v.verdict), bawn_reason_name(v.reason), v.error.msg);
	forge_free(&f);
}

static void test_certificates(void)
{
	const enum bawn_reason chain = BAWN_REASON_PCK_CHAIN, ext = BAWN_REASON_PCK_EXTENSION;
	struct bawn_verification v;
	struct forge f;

	cert_edit(FORGE_PCK, "a003020102", "a003020101", chain, "X.509 version 2");
	cert_edit(FORGE_PCK, "2a8648ce3d040302", "2a8648ce3d040303", chain, "signed with SHA-384, it says");
	cert_edit(FORGE_PCK, "2a8648ce3d030107", "2a8648ce3d030106", chain, "a key on another curve");
	cert_edit(FORGE_PCK, "2a8648ce3d0201", "2a8648ce3d0202", chain, "a key of another algorithm");
	cert_edit(FORGE_PCK, "03420004", "03420002", chain, "a compressed key");
	cert_edit(FORGE_PCK, "03420004", "03420104", chain, "a key with unused bits");
	cert_edit(FORGE_PCK, "0603551d0f0101ff", "0603551d250101ff", chain, "a critical extension that is not known");
	cert_edit(FORGE_PCK, "0603551d23", "0603551d13", chain, "basicConstraints twice");
	cert_edit(FORGE_CA, "0603551d13", "0603551d11", chain, "a CA without basicConstraints");
	/* PCK extension: every member absent, of the wrong size or type, or twice. */
	for (unsigned m = 1; m <= 5; m++) {
		forge_init(&f, BAWN_TEE_SGX);
		f.pck_members &= ~(1u << m);
		forge_build(&f);
		edited(&f, BAWN_NOT_GENUINE, ext, "an SGX extension without one of its first five members");
		forge_free(&f);
	}
	for (unsigned m = 6; m <= 7; m++) {
		forge_init(&f, BAWN_TEE_SGX);
		f.pck_members &= ~(1u << m);
		forge_build(&f);
		edited(&f, BAWN_NOT_GENUINE, ext, "an SGX extension with six members");
		forge_free(&f);
	}
	forge_init(&f, BAWN_TEE_SGX);
	f.pck_members = 0;
	forge_build(&f);
	edited(&f, BAWN_NOT_GENUINE, ext, "no SGX extension");
	forge_free(&f);
	cert_edit(FORGE_PCK, "060a2a864886f84d010d0103", "060a2a864886f84d010d0104", ext, "FMSPC in the PCE id's place");
	cert_edit(FORGE_PCK, "060a2a864886f84d010d0106", "060a2a864886f84d010d0101", ext, "PPID twice");
	cert_edit(FORGE_PCK, "060a2a864886f84d010d0106", "060a2a864886f84d010d0108", ext, "a member that is not known");
	cert_edit(FORGE_PCK, "060a2a864886f84d010d010104", "060a2a864886f84d010d010103", ext, "a PPID that is no OCTET STRING");
	cert_edit(FORGE_PCK, "060b2a864886f84d010d010205", "060b2a864886f84d010d010206", ext, "a component twice");
	cert_edit(FORGE_PCK, "060b2a864886f84d010d010205", "060b2a864886f84d010d010213", ext, "a component that is not known");
	cert_edit(FORGE_PCK, "060b2a864886f84d010d010205", "060b2a864886f84d010d010305", ext, "a component of another sequence");
	cert_edit(FORGE_PCK, "060b2a864886f84d010d010204020105", "060b2a864886f84d010d010204020185", ext, "a negative component");
	cert_edit(FORGE_PCK, "060b2a864886f84d010d01020402", "060b2a864886f84d010d01020404", ext, "a component that is no INTEGER");
	cert_edit(FORGE_PCK, "060b2a864886f84d010d01021102010b", "060b2a864886f84d010d01021104010b", ext, "a PCESVN that is no INTEGER");
	cert_edit(FORGE_PCK, "060b2a864886f84d010d01021204", "060b2a864886f84d010d01021202", ext, "a CPUSVN that is no OCTET STRING");
	cert_edit(FORGE_PCK, "060a2a864886f84d010d01050a0101", "060a2a864886f84d010d01050a0103", ext, "an SGX type that is not known");
	cert_edit(FORGE_PCK, "060a2a864886f84d010d01050a0101", "060a2a864886f84d010d0105020101", ext, "an SGX type that is no ENUMERATED");
	cert_edit(FORGE_PCK, "060b2a864886f84d010d0107010101", "060b2a864886f84d010d0107020101", ext, "a configuration flag twice");
	cert_edit(FORGE_PCK, "060b2a864886f84d010d0107030101ff", "060b2a864886f84d010d010703010101", ext, "a flag that is neither");

	/* Names and rights. */
	forge_init(&f, BAWN_TEE_SGX);
	f.cert[FORGE_PCK].subject = "Intel SGX PCK Certificate ";
	forge_build(&f);
	edited(&f, BAWN_NOT_GENUINE, chain, "a PCK certificate that is called almost so");
	f.cert[FORGE_PCK].subject = "Intel SGX TCB Signing";
	forge_build(&f);
	edited(&f, BAWN_NOT_GENUINE, chain, "a TCB signer as PCK");
	forge_free(&f);
	forge_init(&f, BAWN_TEE_SGX);
	f.cert[FORGE_PCK].rest = "O=Somebody, L=Santa Clara, ST=CA, C=US";
	forge_build(&f);
	edited(&f, BAWN_NOT_GENUINE, chain, "a PCK certificate of another organisation");
	forge_free(&f);
	forge_init(&f, BAWN_TEE_SGX);
	f.cert[FORGE_PCK].issuer = "Intel SGX PCK Processor CA";
	forge_build(&f);
	edited(&f, BAWN_NOT_GENUINE, chain, "a PCK certificate that names another issuer");
	forge_free(&f);
	forge_init(&f, BAWN_TEE_SGX);
	f.cert[FORGE_TCB].subject = "Intel SGX PCK Platform CA";
	forge_build(&f);
	ok(check(&f, &v) != 0 && v.verdict == BAWN_UNDECIDED, "a TCB signer by another name");
	forge_free(&f);
	forge_init(&f, BAWN_TEE_SGX);
	f.cert[FORGE_CA].key_usage = 0xc0;
	forge_build(&f);
	ok(check(&f, &v) != 0 && v.verdict == BAWN_UNDECIDED, "a CA that may not sign certificates");
	f.cert[FORGE_CA].key_usage = 0x04;
	forge_build(&f);
	ok(check(&f, &v) != 0 && v.verdict == BAWN_UNDECIDED, "a CA that may not sign revocation lists");
	f.cert[FORGE_CA].key_usage = 0x06;
	f.cert[FORGE_CA].ca = 0;
	forge_build(&f);
	ok(check(&f, &v) != 0 && v.verdict == BAWN_UNDECIDED, "a CA that is none");
	forge_free(&f);
	forge_init(&f, BAWN_TEE_SGX);
	f.cert[FORGE_PCK].emulated = true;
	forge_build(&f);
	edited(&f, BAWN_NOT_GENUINE, chain, "the marker of emulated platforms below Intel's names");
	forge_free(&f);
}

/* Chains of other lengths and orders. */
static void chain_of(struct forge *f, const int *certs, size_t n, enum bawn_reason reason, const char *what)
{
	buf_free(&f->pck_chain);
	for (size_t i = 0; i < n; i++)
		buf_pem(&f->pck_chain, "CERTIFICATE", f->der[certs[i]].p, f->der[certs[i]].n);
	forge_quote(f);
	edited(f, reason ? BAWN_NOT_GENUINE : BAWN_ACCEPTED, reason, what);
}

static void test_chains(void)
{
	static const int right[] = { FORGE_PCK, FORGE_CA, FORGE_ROOT, FORGE_ROOT }, back[] = { FORGE_ROOT, FORGE_CA, FORGE_PCK },
			 swapped[] = { FORGE_PCK, FORGE_ROOT, FORGE_CA }, by_root[] = { FORGE_TCB, FORGE_CA, FORGE_ROOT },
			 no_ca[] = { FORGE_PCK, FORGE_ROOT, FORGE_ROOT };
	const enum bawn_reason chain = BAWN_REASON_PCK_CHAIN;
	struct forge f, other;

	forge_init(&f, BAWN_TEE_SGX);
	forge_build(&f);
	chain_of(&f, right, 0, chain, "no chain");
	chain_of(&f, right, 1, chain, "the leaf alone");
	chain_of(&f, right, 2, chain, "no root");
	chain_of(&f, right, 3, BAWN_REASON_NONE, "leaf, CA, root");
	chain_of(&f, right, 4, chain, "the root twice");
	chain_of(&f, back, 3, chain, "root first");
	chain_of(&f, swapped, 3, chain, "root second");
	chain_of(&f, by_root, 3, chain, "a TCB signer first");
	chain_of(&f, no_ca, 3, chain, "the root in the CA's place");
	/* A whole platform below another root of the same name. */
	forge_init(&other, BAWN_TEE_SGX);
	for (int i = 0; i < FORGE_CERTS; i++)
		forge_key(&other.key[i], i == 0 ? "evil root" : i == 1 ? "evil ca" : i == 2 ? "evil tcb" : "evil pck");
	forge_build(&other);
	buf_free(&f.quote);
	buf_add(&f.quote, other.quote.p, other.quote.n);
	edited(&f, BAWN_NOT_GENUINE, BAWN_REASON_PCK_UNTRUSTED, "another root of the same name");
	forge_free(&other);
	/* Text, CRLF, and no NUL at the end. */
	forge_init(&other, BAWN_TEE_SGX);
	forge_build(&other);
	buf_free(&f.pck_chain);
	for (int i = 0; i < 3; i++) {
		struct buf pem;

		buf_init(&pem, 1 << 16);
		buf_pem(&pem, "CERTIFICATE", f.der[right[i]].p, f.der[right[i]].n);
		buf_str(&f.pck_chain, "subject=/CN=whoever\r\n");
		for (size_t k = 0; k < pem.n; k++) {
			if (pem.p[k] == '\n')
				buf_str(&f.pck_chain, "\r");
			buf_add(&f.pck_chain, pem.p + k, 1);
		}
		buf_free(&pem);
	}
	forge_quote(&f);
	edited(&f, BAWN_ACCEPTED, BAWN_REASON_NONE, "text between certificates, CRLF");
	forge_free(&other);
	forge_free(&f);
}

/* A PCK as a CA: its certificate signs another one, with the right names. */
static void test_pck_as_ca(void)
{
	struct bawn_verification v;
	struct forge f;

	forge_init(&f, BAWN_TEE_SGX);
	f.cert[FORGE_CA].ca = 0; /* what a stolen PCK has: no right to sign */
	f.cert[FORGE_CA].key_usage = 0xc0;
	forge_build(&f);
	struct bawn_collateral c = forge_collateral(&f);
	struct bawn_root root = forge_root(&f);
	struct bawn_verifier *ver = NULL;

	/* The CA's list is left out, so that the quote's own chain is what fails. */
	c.pck_crl = c.pck_crl_chain = (struct bawn_bytes){ NULL, 0 };
	if (bawn_verifier_new(&ver, &root, NULL) || bawn_verifier_add_collateral(ver, &c, NULL))
		abort();
	bawn_verify_quote(ver, f.quote.p, f.quote.n, FORGE_NOW, &anything, &v);
	ok(v.verdict == BAWN_NOT_GENUINE && v.reason == BAWN_REASON_PCK_CHAIN, "a certificate without the right signs a PCK");
	bawn_verifier_free(&ver);
	forge_free(&f);
}

/* ---- revocation lists, properly signed ---- */

static void crl_edit(bool root, const char *from, const char *to, const char *what)
{
	struct bawn_verification v;
	struct forge f;

	forge_init(&f, BAWN_TEE_SGX);
	(root ? &f.root_crl : &f.pck_crl)->edit[0] = (struct forge_edit){ from, to };
	forge_build(&f);
	if (!ok(check(&f, &v) != 0 && v.verdict == BAWN_UNDECIDED, "%s", what))
		printf("# %s\n", bawn_verdict_name(v.verdict));
	forge_free(&f);
}

static void revoke(struct forge_crl *crl, const struct forge_cert *c)
{
	memset(crl->serial[0], 0x7f, 20);
	crl->serial_n[0] = 20;
	memset(crl->serial[2], 0x01, 20);
	crl->serial_n[2] = 19;
	memcpy(crl->serial[1], c->serial, 20);
	crl->serial_n[1] = c->serial_n;
	crl->count = 3;
}

static void test_revocation(void)
{
	static const struct {
		int cert;
		bool root_list;
		enum bawn_verdict verdict;
		enum bawn_reason reason;
		const char *what;
	} t[] = {
		{ FORGE_PCK, false, BAWN_NOT_GENUINE, BAWN_REASON_PCK_REVOKED, "the PCK certificate in its CA's list" },
		{ FORGE_PCK, true, BAWN_ACCEPTED, BAWN_REASON_NONE, "its serial in the root's list is another's" },
		{ FORGE_CA, true, BAWN_NOT_GENUINE, BAWN_REASON_PCK_REVOKED, "the CA in the root's list" },
		{ FORGE_CA, false, BAWN_ACCEPTED, BAWN_REASON_NONE, "its serial in its own list is another's" },
		{ FORGE_ROOT, true, BAWN_NOT_GENUINE, BAWN_REASON_PCK_REVOKED, "the root in its own list" },
		{ FORGE_TCB, true, BAWN_UNDECIDED, BAWN_REASON_SIGNER_REVOKED, "the TCB signer in the root's list" },
		{ FORGE_TCB, false, BAWN_ACCEPTED, BAWN_REASON_NONE, "its serial in the CA's list is another's" },
	};
	struct forge f;

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		forge_init(&f, BAWN_TEE_SGX);
		revoke(t[i].root_list ? &f.root_crl : &f.pck_crl, &f.cert[t[i].cert]);
		forge_build(&f);
		edited(&f, t[i].verdict, t[i].reason, t[i].what);
		forge_free(&f);
	}
	for (size_t more = 0; more < 2; more++) {
		forge_init(&f, BAWN_TEE_SGX);
		f.pck_crl.others = ATTEST_CRL_ENTRIES_MAX - 3 + more; /* and three */
		revoke(&f.pck_crl, &f.cert[FORGE_PCK]);
		forge_build(&f);
		edited(&f, more ? BAWN_UNDECIDED : BAWN_NOT_GENUINE, more ? BAWN_REASON_NONE : BAWN_REASON_PCK_REVOKED,
		       more ? "a list of more entries than that" : "the last of as many entries as a list can have");
		forge_free(&f);
	}
	for (int root = 0; root < 2; root++) {
		crl_edit(root, "020101300a06082a8648ce3d040302", "020100300a06082a8648ce3d040302", "a list of version 1");
		crl_edit(root, "2a8648ce3d040302", "2a8648ce3d040303", "a list signed with SHA-384, it says");
		crl_edit(root, "0603551d14", "0603551d15", "a list without number");
		crl_edit(root, "0603551d23", "0603551d24", "a list without authority key identifier");
		crl_edit(root, "0603551d14", "0603551d23", "an authority key identifier twice");
		crl_edit(root, "170d", "180d", "a date in the wrong form");
		crl_edit(root, "5a170d", "5a020d", "no next update");
		crl_edit(root, "0403020107", "0403020187", "a negative number");
	}
	forge_init(&f, BAWN_TEE_SGX);
	f.root_crl.issuer = "Intel SGX PCK Platform CA";
	forge_build(&f);
	edited(&f, BAWN_UNDECIDED, BAWN_REASON_NONE, "a root's list of another issuer");
	forge_free(&f);
	forge_init(&f, BAWN_TEE_SGX);
	f.root_crl.edit[0] = (struct forge_edit){ "06035504030c", "060355040313" };
	forge_build(&f);
	edited(&f, BAWN_UNDECIDED, BAWN_REASON_NO_ROOT_CRL, "a root's list whose issuer is spelled in another type");
	forge_free(&f);
	forge_init(&f, BAWN_TEE_SGX);
	f.pck_crl.issuer = "Intel SGX PCK Processor CA";
	forge_build(&f);
	edited(&f, BAWN_UNDECIDED, BAWN_REASON_NONE, "a PCK CA's list of another issuer");
	forge_free(&f);
}

/* Lists in the forms that services give. */
static void test_list_forms(void)
{
	struct bawn_verification v;
	struct forge f;
	struct buf pem;
	char *hex;

	forge_init(&f, BAWN_TEE_SGX);
	forge_build(&f);
	hex = malloc(2 * f.root_crl_der.n + 1);
	hex_encode(f.root_crl_der.p, f.root_crl_der.n, hex);
	buf_free(&f.root_crl_der);
	buf_str(&f.root_crl_der, hex);
	buf_str(&f.root_crl_der, "\n");
	buf_init(&pem, 1 << 16);
	buf_pem(&pem, "X509 CRL", f.pck_crl_der.p, f.pck_crl_der.n);
	buf_free(&f.pck_crl_der);
	f.pck_crl_der = pem;
	is_int(check(&f, &v), 0, "lists as hexadecimal digits and as PEM");
	f.root_crl_der.p[0] = 'g';
	ok(check(&f, &v) != 0, "digits that are none");
	free(hex);
	forge_free(&f);
}

int main(void)
{
	sweep_quote(BAWN_TEE_SGX, 0, "SGX, version 3");
	sweep_quote(BAWN_TEE_TDX, 0, "TDX, version 4");
	sweep_quote(BAWN_TEE_TDX, ATTEST_BODY_TD15EX, "TDX, version 5");
	sweep_certificate(FORGE_PCK, "PCK certificate");
	sweep_certificate(FORGE_CA, "PCK CA certificate");
	sweep_certificate(FORGE_ROOT, "root certificate");
	sweep_certificate(FORGE_TCB, "TCB signing certificate");
	sweep_collateral();
	test_quote_fields();
	test_reports();
	test_tcb_fields();
	test_tdx_fields();
	test_qe_fields();
	test_envelope();
	test_mismatch();
	test_certificates();
	test_chains();
	test_pck_as_ca();
	test_revocation();
	test_list_forms();
	return tap_done();
}
