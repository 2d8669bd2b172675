/*
 * no-asan: runs enclaves, whose traps AddressSanitizer does not understand
 *
 * The provisioning certification enclave on the emulated CPU: ours, and
 * Intel's signed ones where BAWN_CONFORMANCE names a folder that has them.
 * What it tells and signs is held against keys computed from the fuses.
 */
#include "tests/ae/kit.h"

struct world {
	const char *dir;
	struct cpu_platform platform;
	struct bawn_enclave *pce, *caller, *commoner, *debug;
	struct bawn_enclave_info info;
	struct isa_targetinfo target;
	bool ours;
};

/* ---- PPID ---- */

static int pc_info(struct world *w, const struct isa_report *r, const uint8_t *key,
		   uint8_t *cipher, struct bawn_error *e)
{
	struct ae_pce_info info = { 0xffff, 0xffff };
	int rc = ae_pce_info(w->pce, r, key, cipher, &info, e);

	if (rc == 0)
		ok(info.isvsvn == w->info.isvsvn && info.id == 0, "it tells its ISVSVN and id");
	return rc;
}

static void test_ppid(struct world *w)
{
	uint8_t cipher[AE_PPID_CIPHER_BYTES], again[AE_PPID_CIPHER_BYTES], data[64], ppid[16], want[16];
	struct isa_report r;
	struct bawn_error e = { 0 };

	ae_pce_report_data(AE_SUITE_RSA_OAEP_3072, kit_pek(), data);
	if (!kit_report(w->caller, &w->target, data, &r))
		return;
	is_int(pc_info(w, &r, kit_pek(), cipher, &e), 0, "get_pc_info");
	kit_say(&e);
	ae_ppid(&w->platform, w->info.mrsigner, want);
	if (kit_decrypt_ppid(cipher, ppid))
		is_mem(ppid, want, 16, "to the PPID computed from the fuses");
	is_int(pc_info(w, &r, kit_pek(), again, &e), 0, "get_pc_info again");
	ok(memcmp(cipher, again, sizeof(cipher)) != 0, "encrypts with other randomness");
}

static void test_ppid_refused(struct world *w)
{
	uint8_t cipher[AE_PPID_CIPHER_BYTES], data[64], key[AE_PEK_BYTES];
	struct isa_report r;
	struct bawn_error e = { 0 };
	int rc;

	memcpy(key, kit_pek(), sizeof(key));
	ae_pce_report_data(AE_SUITE_RSA_OAEP_3072, key, data);
	kit_report(w->caller, &w->target, data, &r);
	key[100] ^= 1;
	rc = ae_pce_info(w->pce, &r, key, cipher, &(struct ae_pce_info){ 0 }, &e);
	/* The first releases of Intel's answer AE_INVALID_PARAMETER. */
	ok(rc == BAWN_ERR_DENIED && (e.sgx_status == AE_PCE_CRYPTO_ERROR ||
				     (!w->ours && e.sgx_status == AE_INVALID_PARAMETER)),
	   "a key that the report does not name: %s", ae_status_name(e.sgx_status));
	e = (struct bawn_error){ 0 };
	key[100] ^= 1;
	data[63] = 1;
	kit_report(w->caller, &w->target, data, &r);
	rc = ae_pce_info(w->pce, &r, key, cipher, &(struct ae_pce_info){ 0 }, &e);
	ok(rc == BAWN_ERR_DENIED && (e.sgx_status == AE_PCE_CRYPTO_ERROR ||
				     (!w->ours && e.sgx_status == AE_INVALID_PARAMETER)),
	   "more than the hash in the report data: %s", ae_status_name(e.sgx_status));
	e = (struct bawn_error){ 0 };
	data[63] = 0;
	kit_report(w->commoner, &w->target, data, &r);
	rc = ae_pce_info(w->pce, &r, key, cipher, &(struct ae_pce_info){ 0 }, &e);
	kit_refused(rc, &e, AE_PCE_INVALID_PRIVILEGE, "an enclave without PROVISION_KEY");
	kit_report(w->caller, &w->target, data, &r);
	r.body.reportdata[0] ^= 1;
	rc = ae_pce_info(w->pce, &r, key, cipher, &(struct ae_pce_info){ 0 }, &e);
	kit_refused(rc, &e, AE_PCE_INVALID_REPORT, "a changed report");
}

/* What the driver would not pass. */
static void test_arguments(struct world *w)
{
	uint8_t cipher[AE_PPID_CIPHER_BYTES], data[64], scheme;
	uint32_t written;
	struct ae_pce_info info;
	struct isa_report r;
	const struct ae_ms_pc_info good = {
		.report = (uintptr_t)&r, .key = (uintptr_t)kit_pek(), .key_size = AE_PEK_BYTES,
		.suite = AE_SUITE_RSA_OAEP_3072, .cipher = (uintptr_t)cipher,
		.cipher_size = sizeof(cipher), .written = (uintptr_t)&written, .info = (uintptr_t)&info,
		.scheme = (uintptr_t)&scheme,
	};
	struct ae_ms_pc_info ms = good;
	struct bawn_error e = { 0 };
	uint32_t status;

	ae_pce_report_data(AE_SUITE_RSA_OAEP_3072, kit_pek(), data);
	kit_report(w->caller, &w->target, data, &r);
#define ASK(want, what)                                                                            \
	do {                                                                                       \
		bool answered;                                                                     \
                                                                                                   \
		status = 1;                                                                        \
		answered = bawn_ecall(w->pce, AE_PCE_GET_PC_INFO, &ms, &status, &e) == 0 && status == 0;   \
		ok(answered && ms.answer == (want), "%s: %s", what, ae_status_name(ms.answer));    \
		ms = good;                                                                         \
	} while (0)
	ms.suite = 2;
	ASK(AE_INVALID_PARAMETER, "another crypto suite");
	ms.cipher_size = 383;
	ASK(AE_INSUFFICIENT_DATA_IN_BUFFER, "too little room for the PPID");
	if (!w->ours)
		return; /* below, the SDK's bridge answers in place of the function */
	ms.key_size = AE_PEK_BYTES - 1;
	ASK(AE_INVALID_PARAMETER, "a key of another size");
	ms.report = w->info.base;
	ASK(AE_INVALID_PARAMETER, "a report inside the enclave");
	ms.key = w->info.base + w->info.size - 100;
	ASK(AE_INVALID_PARAMETER, "a key that begins in the enclave");
	ms.cipher = w->info.base + 4096;
	ASK(AE_INVALID_PARAMETER, "a result into the enclave");
	ms.info = w->info.base - 2;
	ASK(AE_INVALID_PARAMETER, "a result across its border");
	ASK(AE_SUCCESS, "and the right ones");
#undef ASK
}

static void test_bad_keys(struct world *w)
{
	static const struct {
		size_t at;
		uint8_t clear, set;
		const char *what;
	} bad[] = {
		{ 0, 0x80, 0, "a modulus of less than 3072 bits" },
		{ 383, 1, 0, "an even modulus" },
		{ 387, 3, 1, "the exponent 1" },
		{ 387, 1, 2, "an even exponent" },
	};
	uint8_t cipher[AE_PPID_CIPHER_BYTES], data[64], key[AE_PEK_BYTES];
	struct bawn_error e = { 0 };
	struct isa_report r;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		memcpy(key, kit_pek(), sizeof(key));
		key[bad[i].at] = (uint8_t)((key[bad[i].at] & ~bad[i].clear) | bad[i].set);
		ae_pce_report_data(AE_SUITE_RSA_OAEP_3072, key, data);
		kit_report(w->caller, &w->target, data, &r);
		kit_refused(ae_pce_info(w->pce, &r, key, cipher, &(struct ae_pce_info){ 0 }, &e), &e,
			    AE_PCE_CRYPTO_ERROR, bad[i].what);
	}
}

static void test_without_ppid(struct world *w)
{
	struct ae_pce_info info = { 0xffff, 0xffff };
	struct bawn_error e = { 0 };
	int rc = ae_pce_info_without_ppid(w->pce, &info, &e);

	if (!w->ours && rc == BAWN_ERR_UNSUPPORTED) {
		ok(true, "get_pc_info_without_ppid: this release does not have it");
		return;
	}
	is_int(rc, 0, "get_pc_info_without_ppid");
	ok(info.isvsvn == w->info.isvsvn && info.id == 0, "tells ISVSVN and id");
	kit_say(&e);
}

/* ---- certification ---- */

static bool verifies(struct world *w, const struct isa_report *r, const uint8_t cpusvn[16],
		     uint16_t isvsvn, const uint8_t rs[64])
{
	uint8_t xy[64], digest[32];

	crypto_sha256(&r->body, sizeof(r->body), digest);
	return ae_pck_public(&w->platform, w->info.mrsigner, cpusvn, isvsvn, xy, NULL) == 0 &&
	       crypto_p256_verify(xy, digest, rs, NULL) == 0;
}

static void test_certify(struct world *w)
{
	uint8_t data[64] = "an attestation key's hash", rs[64], lower[16], above[16];
	uint16_t own = w->info.isvsvn;
	struct isa_report r;
	struct bawn_error e = { 0 };

	if (!kit_report(w->caller, &w->target, data, &r))
		return;
	is_int(ae_pce_certify(w->pce, w->platform.cpusvn, own, &r, rs, &e), 0, "certify_enclave");
	kit_say(&e);
	ok(verifies(w, &r, w->platform.cpusvn, own, rs), "under the PCK computed from the fuses");
	ok(!verifies(w, &r, w->platform.cpusvn, (uint16_t)(own - 1), rs), "and not the older PCE's");
	is_int(ae_pce_certify(w->pce, w->platform.cpusvn, (uint16_t)(own - 1), &r, rs, &e), 0,
	       "at an older ISVSVN");
	ok(verifies(w, &r, w->platform.cpusvn, (uint16_t)(own - 1), rs), "under the older PCK");
	memcpy(lower, w->platform.cpusvn, 16);
	lower[0]--;
	is_int(ae_pce_certify(w->pce, lower, own, &r, rs, &e), 0, "at an older CPUSVN");
	ok(verifies(w, &r, lower, own, rs) && !verifies(w, &r, w->platform.cpusvn, own, rs),
	   "under the PCK of that");
	/* Intel's answer AE_FAILURE to both. */
	kit_refused(ae_pce_certify(w->pce, w->platform.cpusvn, (uint16_t)(own + 1), &r, rs, &e), &e,
		    w->ours ? AE_PCE_ISVSVN_ABOVE : AE_FAILURE, "at an ISVSVN above its own");
	memcpy(above, w->platform.cpusvn, 16);
	above[3]++;
	kit_refused(ae_pce_certify(w->pce, above, own, &r, rs, &e), &e,
		    w->ours ? AE_PCE_CPUSVN_ABOVE : AE_FAILURE, "at a CPUSVN above the platform's");
}

static void test_certify_refused(struct world *w, struct bawn_enclave *foreign)
{
	uint8_t data[64] = { 1 }, rs[64];
	struct isa_targetinfo own;
	struct isa_report r;
	struct bawn_error e = { 0 };

	kit_report(w->caller, &w->target, data, &r);
	r.body.isvsvn++;
	kit_refused(ae_pce_certify(w->pce, w->platform.cpusvn, 1, &r, rs, &e), &e, AE_PCE_INVALID_REPORT,
		    "a changed report");
	kit_report(foreign, &w->target, data, &r);
	kit_refused(ae_pce_certify(w->pce, w->platform.cpusvn, 1, &r, rs, &e), &e, AE_PCE_INVALID_REPORT,
		    "another platform's report");
	kit_target(w->caller, &own);
	kit_report(w->caller, &own, data, &r);
	kit_refused(ae_pce_certify(w->pce, w->platform.cpusvn, 1, &r, rs, &e), &e, AE_PCE_INVALID_REPORT,
		    "a report for another enclave");
	kit_report(w->commoner, &w->target, data, &r);
	kit_refused(ae_pce_certify(w->pce, w->platform.cpusvn, 1, &r, rs, &e), &e,
		    AE_PCE_INVALID_PRIVILEGE, "an enclave without PROVISION_KEY");
	if (!w->ours)
		return;
	kit_report(w->debug, &w->target, data, &r);
	kit_refused(ae_pce_certify(w->pce, w->platform.cpusvn, 1, &r, rs, &e), &e, AE_PCE_DEBUG_CALLER,
		    "a debug enclave");
}

/* A report from before the microcode update: the key that made it is gone. */
static void test_stale(struct world *w)
{
	uint8_t data[64] = { 2 }, rs[64];
	struct bawn_enclave *later;
	struct isa_report r;
	struct bawn_error e = { 0 };

	kit_report(w->caller, &w->target, data, &r);
	is_int(cpu_platform_upgrade(w->dir, 0, (uint8_t)(w->platform.cpusvn[0] + 1), &e), 0,
	       "CPUSVN rises");
	later = kit_load(kit_path("provision"), w->dir, false);
	if (!later)
		return;
	kit_refused(ae_pce_certify(later, w->platform.cpusvn, 1, &r, rs, &e), &e, AE_REPORT_OTHER_CPUSVN,
		    "a report from before that");
	bawn_enclave_free(&later);
}

static void test_pce(const char *path, bool ours, const char *name)
{
	struct world w = { .ours = ours };
	struct bawn_enclave *foreign;
	struct bawn_error e = { 0 };
	const char *other;
	char other_name[64];

	printf("# %s\n", path);
	snprintf(other_name, sizeof(other_name), "other-%s", name);
	w.dir = kit_platform(name, NULL);
	other = kit_platform(other_name, NULL);
	w.pce = kit_load(path, w.dir, false);
	w.caller = kit_load(kit_path("witness-provision"), w.dir, false);
	w.commoner = kit_load(kit_path("witness"), w.dir, false);
	w.debug = kit_load(kit_path("witness-provision"), w.dir, true);
	foreign = kit_load(kit_path("witness-provision"), other, false);
	if (cpu_platform_load(w.dir, &w.platform, &e) == 0 && w.pce && w.caller && w.commoner && w.debug &&
	    foreign) {
		bawn_enclave_info(w.pce, &w.info);
		kit_target(w.pce, &w.target);
		test_ppid(&w);
		test_ppid_refused(&w);
		test_arguments(&w);
		test_without_ppid(&w);
		test_certify(&w);
		test_certify_refused(&w, foreign);
		if (ours) {
			test_bad_keys(&w);
			test_stale(&w);
		}
	}
	kit_say(&e);
	bawn_enclave_free(&foreign);
	bawn_enclave_free(&w.debug);
	bawn_enclave_free(&w.commoner);
	bawn_enclave_free(&w.caller);
	bawn_enclave_free(&w.pce);
	wipe(&w.platform, sizeof(w.platform));
}

int main(void)
{
	const char *path;

	if (!kit_start())
		return tap_done();
	test_pce(kit_path("provision"), true, "ours");
	if ((path = kit_real("libsgx_pce.signed.so")))
		test_pce(path, false, "intel");
	else
		skip("no libsgx_pce.signed.so in BAWN_CONFORMANCE");
	if ((path = kit_real("libsgx_pce-1.25.signed.so")))
		test_pce(path, false, "intel-1.25");
	else
		skip("no libsgx_pce-1.25.signed.so in BAWN_CONFORMANCE");
	kit_done();
	return tap_done();
}
