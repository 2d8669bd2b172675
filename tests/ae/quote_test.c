/*
 * no-asan: runs enclaves, whose traps AddressSanitizer does not understand
 *
 * The quote enclave on the emulated CPU: keys, blobs and quotes by single
 * ECALLs, certified by our provision enclave, judged by the verifier.
 */
#include "tests/ae/kit.h"

struct world {
	const char *dir;
	struct cpu_platform platform;
	struct bawn_enclave *pce, *qe, *app;
	struct bawn_enclave_info pce_info, qe_info;
	struct isa_targetinfo pce_target, qe_target;
	struct kit_trust trust;
	struct ae_tcb tcb;
};

static const uint8_t auth[AE_QE_AUTH_BYTES] = "thirty-two bytes, authenticated";

static bool open_world(struct world *w, const char *name)
{
	struct bawn_error e = { 0 };

	*w = (struct world){ .dir = kit_platform(name, NULL) };
	w->pce = kit_load(kit_path("provision"), w->dir, false);
	w->qe = kit_load(kit_path("quote"), w->dir, false);
	w->app = kit_load(kit_path("witness"), w->dir, false);
	if (!w->pce || !w->qe || !w->app || cpu_platform_load(w->dir, &w->platform, &e))
		return ok(false, "a world");
	bawn_enclave_info(w->pce, &w->pce_info);
	bawn_enclave_info(w->qe, &w->qe_info);
	kit_target(w->pce, &w->pce_target);
	kit_target(w->qe, &w->qe_target);
	memcpy(w->tcb.cpusvn, w->platform.cpusvn, 16);
	w->tcb.pce_isvsvn = w->pce_info.isvsvn;
	return kit_trust(&w->trust, &w->platform, w->pce_info.mrsigner, &w->tcb, &w->qe_info);
}

static void close_world(struct world *w)
{
	kit_trust_free(&w->trust);
	bawn_enclave_free(&w->app);
	bawn_enclave_free(&w->qe);
	bawn_enclave_free(&w->pce);
	wipe(&w->platform, sizeof(w->platform));
}

/* ---- a certified blob, step by step ---- */

static bool certified(struct world *w, bool with_ppid, uint8_t blob[AE_QE_BLOB_BYTES])
{
	uint8_t key[AE_PEK_BYTES], cipher[AE_PPID_CIPHER_BYTES];
	struct ae_qe_certification c = { .isvsvn = w->tcb.pce_isvsvn, .pce_target = w->pce_target };
	struct isa_report r;
	struct bawn_error e = { 0 };
	bool good;

	memcpy(key, kit_pek(), sizeof(key));
	good = ae_qe_encrypt_key(w->qe, &w->pce_target, key, &r, &e) == 0 &&
	       ae_pce_info(w->pce, &r, key, cipher, &c.pce, &e) == 0 &&
	       ae_qe_generate(w->qe, &w->pce_target, auth, blob, &c.report, &e) == 0 &&
	       ae_pce_certify(w->pce, w->tcb.cpusvn, w->tcb.pce_isvsvn, &c.report, c.signature, &e) == 0;
	memcpy(c.cpusvn, w->tcb.cpusvn, 16);
	memcpy(c.raw_cpusvn, w->platform.cpusvn, 16);
	good = good && ae_qe_store(w->qe, &c, with_ppid ? cipher : NULL, blob, &e) == 0;
	ok(good, "a key is made, certified and stored");
	kit_say(&e);
	return good;
}

static void test_key(struct world *w)
{
	static const uint8_t zero[32];
	uint8_t key[AE_PEK_BYTES], blob[AE_QE_BLOB_BYTES], again[AE_QE_BLOB_BYTES], data[64], id[32];
	struct isa_report r, r2;
	struct isa_report_body self;
	struct ae_blob b, b2;
	struct bawn_error e = { 0 };
	struct crypto_sha256 h;
	bool resealed = true;

	memcpy(key, kit_pek(), sizeof(key));
	is_int(ae_qe_encrypt_key(w->qe, &w->pce_target, key, &r, &e), 0, "get_pce_encrypt_key");
	is_mem(key, kit_pek(), sizeof(key), "leaves the key that was configured");
	ae_pce_report_data(AE_SUITE_RSA_OAEP_3072, key, data);
	is_mem(r.body.reportdata, data, 64, "and reports over it");
	is_int(ae_qe_generate(w->qe, &w->pce_target, auth, blob, &r, &e), 0, "gen_att_key");
	is_int(ae_blob_parse(blob, sizeof(blob), &b, &e), 0, "its blob can be read");
	ok(!b.intel && !b.certified && b.sealed_isvsvn == w->qe_info.isvsvn &&
		   !memcmp(b.sealed_cpusvn, w->platform.cpusvn, 16),
	   "uncertified, sealed at the present SVNs");
	crypto_sha256_init(&h);
	crypto_sha256_update(&h, b.plain.key, 64);
	crypto_sha256_update(&h, auth, sizeof(auth));
	crypto_sha256_final(&h, id);
	is_mem(r.body.reportdata, id, 32, "the report is over key and authentication data");
	is_mem(r.body.reportdata + 32, zero, 32, "and zeros");
	is_mem(b.plain.key_id, id, 32, "as is the key's id");
	is_int(ae_qe_generate(w->qe, &w->pce_target, auth, again, &r2, &e), 0, "gen_att_key again");
	ae_blob_parse(again, sizeof(again), &b2, &e);
	is_mem(b2.plain.key, b.plain.key, 64, "gives the same key: it is derived");
	is_mem(b2.plain.qe_id, b.plain.qe_id, 16, "and the same QE_ID");
	ok(memcmp(again, blob, sizeof(blob)) != 0, "in another blob");
	is_int(ae_qe_verify_blob(w->qe, blob, &resealed, &self, id, &e), 0, "verify_blob");
	ok(!resealed && !memcmp(id, b.plain.key_id, 32), "tells the key's id");
	is_mem(self.mrenclave, w->qe_info.mrenclave, 32, "and itself");
	kit_say(&e);
}

static void test_targets(struct world *w)
{
	struct isa_targetinfo t = w->pce_target;
	uint8_t key[AE_PEK_BYTES] = { 0 }, blob[AE_QE_BLOB_BYTES];
	struct isa_report r;
	struct bawn_error e = { 0 };

	t.attributes.flags |= ATTR_DEBUG;
	kit_refused(ae_qe_encrypt_key(w->qe, &t, key, &r, &e), &e, AE_QE_TARGET_DEBUG,
		    "get_pce_encrypt_key for a debug PCE");
	kit_refused(ae_qe_generate(w->qe, &t, auth, blob, &r, &e), &e, AE_QE_TARGET_DEBUG,
		    "gen_att_key for a debug PCE");
	t.attributes.flags = w->pce_target.attributes.flags & ~ATTR_PROVISIONKEY;
	kit_refused(ae_qe_encrypt_key(w->qe, &t, key, &r, &e), &e, AE_QE_TARGET_PRIVILEGE,
		    "get_pce_encrypt_key for an enclave without PROVISION_KEY");
	kit_refused(ae_qe_generate(w->qe, &t, auth, blob, &r, &e), &e, AE_QE_TARGET_PRIVILEGE,
		    "gen_att_key for an enclave without PROVISION_KEY");
	t = w->pce_target;
	t.reserved3[5] = 1;
	kit_refused(ae_qe_encrypt_key(w->qe, &t, key, &r, &e), &e, AE_QE_ERROR_UNEXPECTED,
		    "a target with a reserved bit set");
}

/* ---- quotes ---- */

struct quoted {
	uint8_t *p;
	size_t n;
	struct isa_report app;
};

static int quote(struct world *w, struct bawn_enclave *app, uint8_t *blob,
		 const struct ae_certification *c, struct quoted *out, struct bawn_error *e)
{
	uint8_t data[64] = "what the application has to say";
	struct ae_quote_request q = { .report = &out->app, .certification = c,
				      .pce_isvsvn = w->pce_info.isvsvn };

	out->n = ae_quote_size(c);
	out->p = calloc(1, out->n);
	if (!kit_report(app, &w->qe_target, data, &out->app))
		return BAWN_ERR_SYSTEM;
	return ae_qe_quote(w->qe, blob, &q, NULL, out->p, out->n, e);
}

static void check_accepted(struct world *w, const struct quoted *q, bool with_pck, const char *what)
{
	struct bawn_verification v;

	is_int(kit_verify(&w->trust, q->p, q->n, with_pck, &v), 0, what);
	if (v.verdict != BAWN_ACCEPTED)
		printf("#   %s: %s\n", bawn_reason_name(v.reason), v.error.msg);
	ok(v.status == BAWN_TCB_UP_TO_DATE, "UpToDate");
	is_mem(v.sgx.mrenclave, q->app.body.mrenclave, 32, "of the application");
	is_mem(v.report_data, q->app.body.reportdata, 64, "saying what it said");
	is_mem(v.qe.mrenclave, w->qe_info.mrenclave, 32, "by our quote enclave");
}

static void test_quotes(struct world *w)
{
	uint8_t blob[AE_QE_BLOB_BYTES], clear[36], ppid[16];
	struct ae_certification chain = { AE_CERTIFIED_PCK_CHAIN, w->trust.chain, w->trust.chain_n };
	struct ae_certification plain = { AE_CERTIFIED_PPID_CLEAR, clear, sizeof(clear) };
	struct ae_certification rsa2048 = { AE_CERTIFIED_PPID_RSA2048, w->trust.chain, 276 };
	struct bawn_quote_needs needs;
	struct bawn_error e = { 0 };
	struct ae_blob b;
	struct quoted q;

	if (!certified(w, true, blob))
		return;
	is_int(ae_blob_parse(blob, sizeof(blob), &b, &e), 0, "the blob can be read");
	ok(b.certified && b.plain.cert_pce.isvsvn == w->tcb.pce_isvsvn, "it is certified");
	is_int(quote(w, w->app, blob, &chain, &q, &e), 0, "gen_quote, type 5");
	kit_say(&e);
	check_accepted(w, &q, false, "verifies by its own chain");
	is_int(bawn_quote_needs(q.p, q.n, &needs, &e), 0, "what it needs");
	ok(needs.version == 3 && needs.certification_type == 5 && needs.tee == BAWN_TEE_SGX, "is told");
	is_mem(needs.qe_id, b.plain.qe_id, 16, "QE_ID is in the header");
	free(q.p);

	is_int(quote(w, w->app, blob, NULL, &q, &e), 0, "gen_quote, type 3 from the blob");
	check_accepted(w, &q, true, "verifies with a chain from elsewhere");
	is_int(bawn_quote_needs(q.p, q.n, &needs, &e), 0, "what it needs");
	ok(needs.certification_type == 3 && needs.has_tcb && needs.pcesvn == w->tcb.pce_isvsvn &&
		   !memcmp(needs.cpusvn, w->tcb.cpusvn, 16) && needs.ppid.n == 384,
	   "TCB and encrypted PPID are there");
	ae_ppid(&w->platform, w->pce_info.mrsigner, ppid);
	if (kit_decrypt_ppid(needs.ppid.p, clear))
		is_mem(clear, ppid, 16, "to the PPID from the fuses");
	free(q.p);

	ae_certification_clear(ppid, w->tcb.cpusvn, w->tcb.pce_isvsvn, 0, clear);
	is_int(quote(w, w->app, blob, &plain, &q, &e), 0, "gen_quote, type 1");
	check_accepted(w, &q, true, "verifies with a chain from elsewhere");
	is_int(bawn_quote_needs(q.p, q.n, &needs, &e), 0, "what it needs");
	ok(needs.certification_type == 1 && needs.ppid.n == 16 && !memcmp(needs.ppid.p, ppid, 16),
	   "the PPID is there in the clear");
	free(q.p);
	is_int(quote(w, w->app, blob, &rsa2048, &q, &e), 0, "gen_quote, type 2");
	check_accepted(w, &q, true, "verifies with a chain from elsewhere");
	free(q.p);
}

/* Without a PPID in the blob, a quote must bring its certification. */
static void test_no_ppid(struct world *w)
{
	struct ae_certification chain = { AE_CERTIFIED_PCK_CHAIN, w->trust.chain, w->trust.chain_n };
	uint8_t blob[AE_QE_BLOB_BYTES];
	struct bawn_error e = { 0 };
	struct quoted q;

	if (!certified(w, false, blob))
		return;
	kit_refused(quote(w, w->app, blob, NULL, &q, &e), &e, AE_QE_ERROR_WRONG_STATE,
		    "type 3 without a PPID");
	free(q.p);
	is_int(quote(w, w->app, blob, &chain, &q, &e), 0, "type 5 without one");
	check_accepted(w, &q, false, "verifies");
	free(q.p);
}

static void test_nonce(struct world *w)
{
	uint8_t blob[AE_QE_BLOB_BYTES], data[64] = { 7 }, want[64] = { 0 };
	static const uint8_t nonce[16] = "sixteen bytes...";
	struct isa_targetinfo app_target;
	struct isa_report app, qe;
	struct ae_certification chain = { AE_CERTIFIED_PCK_CHAIN, w->trust.chain, w->trust.chain_n };
	struct ae_quote_request r = { .report = &app, .certification = &chain, .pce_isvsvn = 1,
				      .nonce = nonce, .target = &app_target };
	struct witness_verify verify;
	struct crypto_sha256 h;
	struct bawn_error e = { 0 };
	uint32_t status = 1;
	size_t n = ae_quote_size(&chain);
	uint8_t *p = calloc(1, n);

	kit_target(w->app, &app_target);
	if (!certified(w, true, blob) || !kit_report(w->app, &w->qe_target, data, &app))
		return;
	is_int(ae_qe_quote(w->qe, blob, &r, &qe, p, n, &e), 0, "a quote with a nonce");
	kit_say(&e);
	memcpy(verify.report, &qe, sizeof(qe));
	ok(bawn_ecall(w->app, WITNESS_VERIFY, &verify, &status, &e) == 0 && status == 0,
	   "the application verifies the quote enclave's report");
	crypto_sha256_init(&h);
	crypto_sha256_update(&h, nonce, sizeof(nonce));
	crypto_sha256_update(&h, p, n);
	crypto_sha256_final(&h, want);
	is_mem(qe.body.reportdata, want, 64, "which is over nonce and quote");
	is_mem(qe.body.mrenclave, w->qe_info.mrenclave, 32, "and by the quote enclave");
	app_target.reserved2[0] = 1;
	kit_refused(ae_qe_quote(w->qe, blob, &r, &qe, p, n, &e), &e, AE_QE_UNABLE_TO_GENERATE_QE_REPORT,
		    "a target with a reserved bit set");
	r.target = NULL;
	is_int(ae_qe_quote(w->qe, blob, &r, &qe, p, n, &e), BAWN_ERR_USAGE, "a nonce without a target");
	free(p);
}

/* What SECS and SIGSTRUCT say under KSS is in report and quote. */
static void test_kss(struct world *w)
{
	static const uint8_t family[16] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
					    0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
	static const uint8_t extended[16] = { 0xf0, 0xe0, 0xd0, 0xc0, 0xb0, 0xa0, 0x90, 0x80,
					      0x70, 0x60, 0x50, 0x40, 0x30, 0x20, 0x10, 0x00 };
	uint8_t config[64] = "a configuration of the owner's", blob[AE_QE_BLOB_BYTES];
	const struct bawn_options how = { .config_id = config, .config_svn = 9 };
	struct bawn_enclave *app = kit_load_with(kit_path("witness-kss"), w->dir, &how);
	struct ae_certification chain = { AE_CERTIFIED_PCK_CHAIN, w->trust.chain, w->trust.chain_n };
	struct bawn_verification v;
	struct bawn_error e = { 0 };
	struct quoted q;

	if (!app || !certified(w, true, blob))
		return;
	is_int(quote(w, app, blob, &chain, &q, &e), 0, "a quote of an enclave with KSS");
	kit_say(&e);
	check_accepted(w, &q, false, "verifies");
	kit_verify(&w->trust, q.p, q.n, false, &v);
	is_mem(v.sgx.configid, config, 64, "CONFIGID");
	is_int(v.sgx.configsvn, 9, "CONFIGSVN");
	is_mem(v.sgx.isvfamilyid, family, 16, "ISVFAMILYID");
	is_mem(v.sgx.isvextprodid, extended, 16, "ISVEXTPRODID");
	free(q.p);
	bawn_enclave_free(&app);
}

/* ---- refusals ---- */

static void test_reports_refused(struct world *w, struct bawn_enclave *foreign)
{
	uint8_t blob[AE_QE_BLOB_BYTES], data[64] = { 1 };
	struct isa_report r;
	struct ae_quote_request q = { .report = &r };
	size_t n = ae_quote_size(NULL);
	uint8_t *p = calloc(1, n);
	struct bawn_error e = { 0 };

	if (!certified(w, true, blob))
		return;
	kit_report(w->app, &w->qe_target, data, &r);
	r.body.attributes.flags ^= ATTR_DEBUG;
	kit_refused(ae_qe_quote(w->qe, blob, &q, NULL, p, n, &e), &e, AE_QE_ERROR_INVALID_REPORT,
		    "a tampered report");
	kit_report(foreign, &w->qe_target, data, &r);
	kit_refused(ae_qe_quote(w->qe, blob, &q, NULL, p, n, &e), &e, AE_QE_ERROR_INVALID_REPORT,
		    "another platform's report");
	kit_report(w->app, &w->pce_target, data, &r);
	kit_refused(ae_qe_quote(w->qe, blob, &q, NULL, p, n, &e), &e, AE_QE_ERROR_INVALID_REPORT,
		    "a report for another enclave");
	free(p);
}

static void test_blobs_refused(struct world *w, struct world *other)
{
	uint8_t blob[AE_QE_BLOB_BYTES], good[AE_QE_BLOB_BYTES], bare[AE_QE_BLOB_BYTES];
	static const size_t at[] = { 0, 4, 5, 6, 30, 57, 61, 64, 1000, 1290, 1700, 2160, 2188, 2204 };
	struct isa_report r;
	struct ae_qe_certification c = { 0 };
	struct bawn_error e = { 0 };
	struct quoted q;

	if (!certified(w, true, good) || !certified(other, true, blob))
		return;
	kit_refused(ae_qe_verify_blob(w->qe, blob, NULL, NULL, NULL, &e), &e, AE_QE_BLOB_FOREIGN,
		    "a blob of another platform");
	kit_refused(quote(w, w->app, blob, NULL, &q, &e), &e, AE_QE_BLOB_FOREIGN, "no quote by it");
	free(q.p);
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		int rc;

		memcpy(blob, good, sizeof(blob));
		blob[at[i]] ^= 1;
		rc = ae_qe_verify_blob(w->qe, blob, NULL, NULL, NULL, &e);
		ok(rc == BAWN_ERR_DENIED && (e.sgx_status == AE_QE_ECDSABLOB_ERROR ||
					     e.sgx_status == AE_QE_BLOB_ABOVE),
		   "a blob changed at byte %zu: %s", at[i], ae_status_name(e.sgx_status));
		e = (struct bawn_error){ 0 };
	}
	is_int(ae_qe_generate(w->qe, &w->pce_target, auth, bare, &r, &e), 0, "a key without certification");
	kit_refused(quote(w, w->app, bare, NULL, &q, &e), &e, AE_QE_ERROR_WRONG_STATE, "no quote by it");
	free(q.p);
	c.report = r;
	c.report.body.reportdata[0] ^= 1;
	kit_refused(ae_qe_store(w->qe, &c, NULL, bare, &e), &e, AE_QE_KEY_MISMATCH,
		    "a certification of another key");
}

static void test_arguments(struct world *w)
{
	uint8_t blob[AE_QE_BLOB_BYTES], data[64] = { 3 }, *p = calloc(1, 8192);
	uint8_t certification[6 + 10] = { 4, 0, 10 };
	struct isa_report r;
	struct ae_ms_quote good = { .blob = (uintptr_t)blob, .blob_size = sizeof(blob),
				    .report = (uintptr_t)&r, .quote = (uintptr_t)p, .quote_size = 8192,
				    .certification = (uintptr_t)certification,
				    .certification_size = sizeof(certification) };
	struct ae_ms_quote ms = good;
	struct bawn_error e = { 0 };
	uint32_t status;

	if (!certified(w, true, blob) || !kit_report(w->app, &w->qe_target, data, &r))
		return;
#define ASK(want, what)                                                                            \
	do {                                                                                       \
		bool answered;                                                                     \
                                                                                                   \
		status = 1;                                                                        \
		answered = bawn_ecall(w->qe, AE_QE_GEN_QUOTE, &ms, &status, &e) == 0 && status == 0;   \
		ok(answered && ms.answer == (want), "%s: %s", what, ae_status_name(ms.answer));    \
		ms = good;                                                                         \
	} while (0)
	ASK(AE_SUCCESS, "what is right");
	ms.blob_size--;
	ASK(AE_QE_ERROR_INVALID_PARAMETER, "a blob of another size");
	ms.blob = w->qe_info.base;
	ASK(AE_QE_ERROR_INVALID_PARAMETER, "a blob inside the enclave");
	ms.report = w->qe_info.base + w->qe_info.size - 4;
	ASK(AE_QE_ERROR_INVALID_PARAMETER, "a report across its border");
	ms.quote = w->qe_info.base;
	ASK(AE_QE_ERROR_INVALID_PARAMETER, "a quote into the enclave");
	ms.quote = w->qe_info.base - 1052;
	ASK(AE_QE_ERROR_INVALID_PARAMETER, "a quote whose certification would be in the enclave");
	ms.quote_size = 1052 + 9;
	ASK(AE_QE_ERROR_INVALID_PARAMETER, "too little room");
	ms.nonce = (uintptr_t)data;
	ASK(AE_QE_ERROR_INVALID_PARAMETER, "a nonce alone");
	ms.certification_size--;
	ASK(AE_QE_ERROR_INVALID_PARAMETER, "certification data of another size");
	ms.certification_size = 5;
	ASK(AE_QE_ERROR_INVALID_PARAMETER, "certification data without its header");
	ms.certification = w->qe_info.base - 6;
	ASK(AE_QE_ERROR_INVALID_PARAMETER, "certification data of the enclave's");
	ms.certification = (uintptr_t)certification;
	ms.certification_size = sizeof(certification);
	for (certification[0] = 1; certification[0] <= 3; certification[0]++)
		ASK(AE_QE_ERROR_INVALID_PARAMETER, "a platform's id of another size");
	certification[0] = 6;
	ASK(AE_QE_ERROR_INVALID_PARAMETER, "type 6");
	certification[0] = 0;
	ASK(AE_QE_ERROR_INVALID_PARAMETER, "type 0");
	certification[0] = 4;
	certification[4] = 2; /* 128 KiB */
	ms.certification_size = 6 + 10 + (2 << 16);
	ASK(AE_QE_ERROR_INVALID_PARAMETER, "more than a quote may have");
#undef ASK
	free(p);
}

/* ---- SVNs ---- */

/* A later release takes the blob and seals it anew; the earlier one then refuses it. */
static void test_release(struct world *w)
{
	uint8_t blob[AE_QE_BLOB_BYTES], before[AE_QE_BLOB_BYTES];
	struct bawn_enclave *later = kit_load(kit_path("quote-svn2"), w->dir, false);
	struct bawn_error e = { 0 };
	struct ae_blob b, b2;
	bool resealed = false;

	if (!later || !certified(w, true, blob))
		return;
	memcpy(before, blob, sizeof(before));
	is_int(ae_qe_verify_blob(later, blob, &resealed, NULL, NULL, &e), 0, "ISVSVN 2 takes a blob of 1");
	ok(resealed && memcmp(before, blob, sizeof(blob)) != 0, "and seals it anew");
	ae_blob_parse(before, sizeof(before), &b, &e);
	ae_blob_parse(blob, sizeof(blob), &b2, &e);
	ok(b2.sealed_isvsvn == 2 && !memcmp(b.plain.key, b2.plain.key, 64) &&
		   !memcmp(&b.plain.qe_report, &b2.plain.qe_report, sizeof(b.plain.qe_report)),
	   "the same key and certification, at ISVSVN 2");
	is_int(ae_qe_verify_blob(later, blob, &resealed, NULL, NULL, &e), 0, "it takes that again");
	ok(!resealed, "as it is");
	kit_refused(ae_qe_verify_blob(w->qe, blob, NULL, NULL, NULL, &e), &e, AE_QE_BLOB_ABOVE,
		    "ISVSVN 1: a blob of a higher SVN");
	is_int(ae_qe_verify_blob(w->qe, before, &resealed, NULL, NULL, &e), 0, "its own it still takes");
	kit_say(&e);
	bawn_enclave_free(&later);
}

static void test_update(struct world *w)
{
	uint8_t blob[AE_QE_BLOB_BYTES], before[AE_QE_BLOB_BYTES], data[64] = { 4 };
	struct ae_certification chain = { AE_CERTIFIED_PCK_CHAIN, w->trust.chain, w->trust.chain_n };
	struct bawn_enclave *old_qe = w->qe, *old_app = w->app;
	struct isa_report stale;
	struct ae_quote_request q = { .report = &stale };
	struct bawn_error e = { 0 };
	struct quoted made;
	size_t n = ae_quote_size(NULL);
	uint8_t *p = calloc(1, n);

	if (!certified(w, true, blob) || !kit_report(w->app, &w->qe_target, data, &stale))
		return;
	memcpy(before, blob, sizeof(before));
	is_int(cpu_platform_upgrade(w->dir, 2, (uint8_t)(w->platform.cpusvn[2] + 1), &e), 0,
	       "CPUSVN rises");
	w->qe = kit_load(kit_path("quote"), w->dir, false);
	w->app = kit_load(kit_path("witness"), w->dir, false);
	if (!w->qe || !w->app)
		return;
	kit_refused(ae_qe_quote(w->qe, blob, &q, NULL, p, n, &e), &e, AE_REPORT_OTHER_CPUSVN,
		    "a report from before that");
	is_int(quote(w, w->app, blob, &chain, &made, &e), 0, "a quote with the old blob");
	kit_say(&e);
	ok(memcmp(before, blob, sizeof(blob)) != 0, "which is sealed anew");
	check_accepted(w, &made, false, "it verifies: its key was certified at the old TCB");
	free(made.p);
	kit_refused(ae_qe_verify_blob(old_qe, blob, NULL, NULL, NULL, &e), &e, AE_QE_BLOB_ABOVE,
		    "at the old CPUSVN: a blob of a higher one");
	bawn_enclave_free(&old_qe);
	bawn_enclave_free(&old_app);
	free(p);
}

int main(void)
{
	struct world w, other;

	if (!kit_start())
		return tap_done();
	if (open_world(&w, "one") && open_world(&other, "two")) {
		test_key(&w);
		test_targets(&w);
		test_quotes(&w);
		test_no_ppid(&w);
		test_nonce(&w);
		test_kss(&w);
		test_reports_refused(&w, other.app);
		test_blobs_refused(&w, &other);
		test_arguments(&w);
		test_release(&w);
		test_update(&w);
		close_world(&other);
	}
	close_world(&w);
	kit_done();
	return tap_done();
}
