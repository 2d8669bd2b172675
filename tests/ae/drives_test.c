/*
 * Real signed enclaves do real work on the emulated CPU: test-ecall's call
 * with its OCALLs; the launch enclave's tokens under locked launch control;
 * the PCE's PPID and certification, against keys computed from the fuses.
 *
 * BAWN_CONFORMANCE names a folder that holds them, itself or in folders of
 * its own (test-ecall.signed.so, libsgx_le.signed.so, le_prod_css.bin,
 * white_list_cert_to_be_verify.bin, libsgx_pce.signed.so).
 */
#include "ae/ae.h"
#include "enclaves/witness/witness.h"
#include "image/image.h"
#include "tests/tap.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch[] = "/tmp/bawn-drives.XXXXXX";

/* The file of this name in the folder, or in a folder of it. */
static const char *find(const char *name)
{
	static char path[4096];
	const char *top = getenv("BAWN_CONFORMANCE");
	DIR *d = opendir(top);
	struct dirent *entry;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	if (access(path, R_OK) == 0) {
		closedir(d);
		return path;
	}
	while (d && (entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", top, entry->d_name, name);
		if (access(path, R_OK) == 0) {
			closedir(d);
			return path;
		}
	}
	if (d)
		closedir(d);
	return NULL;
}

static const char *witness(const char *variant)
{
	static char path[4096];
	const char *build = getenv("BUILD");

	snprintf(path, sizeof(path), "%s/enclaves/%s", build ? build : "build", variant);
	return path;
}

static void report_error(const struct bawn_error *e)
{
	if (e->code)
		printf("#   %d: %s (status %u)\n", e->code, e->msg, e->sgx_status);
}

static bool load(struct bawn_enclave **en, const char *path, const struct bawn_options *opt,
		 const char *what)
{
	struct bawn_error e = { 0 };
	bool good = ok(bawn_enclave_load(en, path, opt, &e) == 0, "%s loads", what);

	if (!good)
		report_error(&e);
	return good;
}

/* ---- test-ecall: one ECALL, whose two OCALLs print ---- */

struct printed {
	unsigned calls;
	char text[2][2048];
};

static uint32_t print_ocall(void *ms, void *arg)
{
	struct printed *p = arg;
	const char *text;

	memcpy(&text, ms, sizeof(text));
	if (p->calls < ARRAY_LEN(p->text))
		snprintf(p->text[p->calls], sizeof(p->text[0]), "%s", text);
	p->calls++;
	return 0;
}

static void drive_test_ecall(const char *platform)
{
	static const bawn_ocall_fn table[] = { print_ocall };
	const char *path = find("test-ecall.signed.so");
	struct printed printed = { 0 };
	struct bawn_options opt = { .device = "emulated", .platform = platform, .debug = true,
				    .ocalls = table, .ocall_count = 1, .ocall_arg = &printed };
	char text[1024] = "spoken into the enclave\n";
	struct {
		char *buffer;
		size_t size;
	} ms = { text, sizeof(text) };
	struct bawn_enclave *en = NULL;
	struct bawn_error e = { 0 };
	uint32_t status = 1;

	if (!path) {
		skip("no test-ecall.signed.so");
		return;
	}
	if (!load(&en, path, &opt, "test-ecall"))
		return;
	is_int(bawn_ecall(en, 0, &ms, &status, &e), 0, "test-ecall: its ECALL returns");
	report_error(&e);
	is_int(status, 0, "test-ecall: with success");
	is_int(printed.calls, 2, "test-ecall: two OCALLs were made");
	ok(strstr(printed.text[0], "spoken into the enclave") ||
		   strstr(printed.text[1], "spoken into the enclave"),
	   "test-ecall: one of them brought the text back");
	printf("# OCALL 1: %.60s# OCALL 2: %.60s", printed.text[0], printed.text[1]);
	bawn_enclave_free(&en);
}

/* ---- LE: another signer's enclave under locked launch control ---- */

/* Identity of the witness as its token must name it. */
static bool identity(const char *path, uint8_t mrenclave[32], uint8_t mrsigner[32])
{
	struct image_open_options opt = { 0 };
	struct image *im = NULL;
	struct bawn_error e = { 0 };
	bool good = image_open(&im, path, &opt, &e) == 0 && image_measure(im, mrenclave, &e) == 0;

	if (good)
		image_mrsigner(&im->sigstruct, mrsigner);
	report_error(&e);
	image_free(&im);
	return good;
}

static void launch_witness(const char *platform, struct bawn_enclave *le)
{
	struct isa_attributes attributes = { .flags = ATTR_MODE64BIT | ATTR_DEBUG, .xfrm = XFRM_X87_SSE };
	struct isa_einittoken token;
	struct bawn_options opt = { .device = "emulated", .platform = platform, .debug = true };
	const char *path = witness("witness.signed.so");
	uint8_t mrenclave[32], mrsigner[32];
	struct bawn_enclave *en = NULL;
	struct bawn_error e = { 0 };

	if (!ok(identity(path, mrenclave, mrsigner), "the witness is of another signer"))
		return;
	is_int(bawn_enclave_load(&en, path, &opt, &e), BAWN_ERR_SGX, "without a token it is refused");
	is_int(e.sgx_status, ISA_INVALID_EINITTOKEN, "with INVALID_EINITTOKEN");
	e = (struct bawn_error){ 0 };
	is_int(ae_launch_token(le, mrenclave, mrsigner, &attributes, &token, &e), 0, "LE: a token for it");
	report_error(&e);
	opt.token = &token;
	if (load(&en, path, &opt, "with the token the witness"))
		bawn_enclave_free(&en);
	token.mac[3] ^= 4;
	is_int(bawn_enclave_load(&en, path, &opt, &e), BAWN_ERR_SGX, "with a damaged token it is refused");
	is_int(e.sgx_status, ISA_INVALID_EINITTOKEN, "with INVALID_EINITTOKEN");

	e = (struct bawn_error){ 0 };
	attributes.flags = ATTR_MODE64BIT;
	is_int(ae_launch_token(le, mrenclave, mrsigner, &attributes, &token, &e), BAWN_ERR_DENIED,
	       "LE: no token for a production enclave of a signer not on the list");
	is_str(ae_status_name(e.sgx_status), "LE_INVALID_PRIVILEGE_ERROR", "LE: and it says so");
	e = (struct bawn_error){ 0 };
	attributes.flags |= ATTR_PROVISIONKEY | ATTR_DEBUG;
	is_int(ae_launch_token(le, mrenclave, mrsigner, &attributes, &token, &e), BAWN_ERR_DENIED,
	       "LE: no token with PROVISION_KEY for a foreign signer");
	is_str(ae_status_name(e.sgx_status), "LE_INVALID_ATTRIBUTE", "LE: and it says so");
}

static void drive_launch(void)
{
	char platform[256];
	uint8_t *css = NULL, *list = NULL, signer[32];
	size_t css_size = 0, list_size = 0;
	struct isa_sigstruct sig;
	struct cpu_platform_options locked = { .launch_locked = true, .lepubkeyhash = signer };
	struct bawn_options opt = { .device = "emulated", .platform = platform };
	struct bawn_enclave *le = NULL;
	struct bawn_error e = { 0 };
	const char *path;

	if (!(path = find("le_prod_css.bin")) || io_read_file(path, 4096, &css, &css_size, &e) ||
	    css_size != sizeof(sig) || !(path = find("white_list_cert_to_be_verify.bin")) ||
	    io_read_file(path, AE_WHITE_LIST_MAX, &list, &list_size, &e) ||
	    !(path = find("libsgx_le.signed.so"))) {
		skip("no launch enclave with its production SIGSTRUCT and white list");
		free(css);
		free(list);
		return;
	}
	memcpy(&sig, css, sizeof(sig));
	image_mrsigner(&sig, signer);
	snprintf(platform, sizeof(platform), "%s/locked", scratch);
	is_int(cpu_platform_create(platform, &locked, &e), 0, "a platform locked to the LE's signer");
	opt.sigstruct = css;
	if (load(&le, path, &opt, "LE, with its production SIGSTRUCT and no token,")) {
		is_int(ae_launch_white_list(le, list, list_size, &e), 0, "LE: takes the white list");
		report_error(&e);
		e = (struct bawn_error){ 0 };
		is_int(ae_launch_white_list(le, list, list_size, &e), BAWN_ERR_DENIED,
		       "LE: refuses the same version again");
		is_str(ae_status_name(e.sgx_status), "LE_WHITE_LIST_ALREADY_UPDATED", "LE: and says so");
		launch_witness(platform, le);
		bawn_enclave_free(&le);
	}
	free(css);
	free(list);
}

/* ---- PCE: PPID and certification ---- */

/* A report of the privileged witness for the PCE over this data. */
static bool report_for(struct bawn_enclave *en, struct bawn_enclave *pce, const uint8_t data[64],
		       struct isa_report *out)
{
	struct witness_report ms = { 0 };
	struct bawn_error e = { 0 };
	uint32_t status = 1;
	bool good;

	bawn_enclave_targetinfo(pce, ms.targetinfo);
	memcpy(ms.data, data, 64);
	good = bawn_ecall(en, WITNESS_REPORT, &ms, &status, &e) == 0 && status == 0;
	report_error(&e);
	memcpy(out, ms.report, sizeof(*out));
	return good;
}

static void drive_ppid(const struct cpu_platform *p, const uint8_t *signer,
		       struct bawn_enclave *pce, struct bawn_enclave *caller,
		       struct bawn_enclave *commoner)
{
	struct crypto_key *key = NULL;
	uint8_t pek[AE_PEK_BYTES] = { 0 }, cipher[AE_PPID_CIPHER_BYTES], modulus[384], data[64];
	uint8_t ppid[16], want[16];
	struct ae_pce_info info = { 0 };
	struct isa_report report;
	struct bawn_error e = { 0 };
	size_t n = 0;

	if (crypto_key_new_rsa3(&key, &e) || crypto_key_rsa3_modulus(key, modulus, &e)) {
		ok(false, "a key to encrypt the PPID to");
		return;
	}
	for (size_t i = 0; i < 384; i++)
		pek[i] = modulus[383 - i];
	pek[387] = 3;
	ae_pce_report_data(AE_SUITE_RSA_OAEP_3072, pek, data);
	ok(report_for(caller, pce, data, &report), "the caller reports to the PCE");
	is_int(ae_pce_info(pce, &report, pek, cipher, &info, &e), 0, "PCE: get_pc_info");
	report_error(&e);
	is_int(crypto_rsa_oaep_decrypt(key, cipher, sizeof(cipher), ppid, sizeof(ppid), &n, &e), 0,
	       "the ciphertext opens");
	report_error(&e);
	ae_ppid(p, signer, want);
	ok(n == 16 && memcmp(ppid, want, 16) == 0, "to the PPID computed from the fuses");
	printf("# PCE ISVSVN %u, PCEID %u\n", info.isvsvn, info.id);

	e = (struct bawn_error){ 0 };
	pek[0] ^= 1;
	is_int(ae_pce_info(pce, &report, pek, cipher, &info, &e), BAWN_ERR_DENIED, "PCE: another key is refused");
	ok(e.sgx_status == 215 || e.sgx_status == 15, "PCE: and it says so (%s)",
	   ae_status_name(e.sgx_status)); /* the first releases answer AE_INVALID_PARAMETER */
	e = (struct bawn_error){ 0 };
	pek[0] ^= 1;
	report.body.reportdata[0] ^= 1;
	is_int(ae_pce_info(pce, &report, pek, cipher, &info, &e), BAWN_ERR_DENIED, "PCE: a changed report is refused");
	is_str(ae_status_name(e.sgx_status), "PCE_INVALID_REPORT", "PCE: and it says so");
	e = (struct bawn_error){ 0 };
	ok(report_for(commoner, pce, data, &report), "an enclave without PROVISION_KEY reports to the PCE");
	is_int(ae_pce_info(pce, &report, pek, cipher, &info, &e), BAWN_ERR_DENIED, "PCE: it is refused");
	is_str(ae_status_name(e.sgx_status), "PCE_INVALID_PRIVILEGE", "PCE: and it says so");
	crypto_key_free(&key);
}

static void drive_certify(const struct cpu_platform *p, const uint8_t *signer,
			  struct bawn_enclave *pce, struct bawn_enclave *caller, uint16_t isvsvn)
{
	uint8_t data[64] = "an attestation key's hash", rs[64], xy[64], digest[32];
	struct isa_report report;
	struct bawn_error e = { 0 };

	ok(report_for(caller, pce, data, &report), "the caller reports to the PCE");
	is_int(ae_pce_certify(pce, p->cpusvn, isvsvn, &report, rs, &e), 0, "PCE: certify_enclave");
	report_error(&e);
	crypto_sha256(&report.body, sizeof(report.body), digest);
	is_int(ae_pck_public(p, signer, p->cpusvn, isvsvn, xy, &e), 0, "the PCK from the fuses");
	is_int(crypto_p256_verify(xy, digest, rs, &e), 0, "verifies the PCE's signature");
	is_int(ae_pck_public(p, signer, p->cpusvn, (uint16_t)(isvsvn - 1), xy, &e), 0, "the PCK of an older PCE");
	is_int(crypto_p256_verify(xy, digest, rs, NULL), BAWN_ERR_SIGNATURE, "does not");
	is_int(ae_pce_certify(pce, p->cpusvn, (uint16_t)(isvsvn - 1), &report, rs, &e), 0,
	       "PCE: certifies at an older ISVSVN too");
	is_int(crypto_p256_verify(xy, digest, rs, NULL), 0, "which the older PCK verifies");
	is_int(ae_pce_certify(pce, p->cpusvn, (uint16_t)(isvsvn + 1), &report, rs, &e), BAWN_ERR_DENIED,
	       "PCE: not at one above its own");
}

static void drive_pce(const char *platform)
{
	const char *path = find("libsgx_pce.signed.so");
	struct bawn_options opt = { .device = "emulated", .platform = platform };
	struct bawn_enclave *pce = NULL, *caller = NULL, *commoner = NULL;
	struct bawn_enclave_info info;
	struct cpu_platform p;
	struct bawn_error e = { 0 };

	if (!path) {
		skip("no libsgx_pce.signed.so");
		return;
	}
	if (cpu_platform_load(platform, &p, &e) == 0 && load(&pce, path, &opt, "PCE") &&
	    load(&caller, witness("witness-provision.signed.so"), &opt, "a witness with PROVISION_KEY") &&
	    load(&commoner, witness("witness.signed.so"), &opt, "a witness without")) {
		bawn_enclave_info(pce, &info);
		drive_ppid(&p, info.mrsigner, pce, caller, commoner);
		drive_certify(&p, info.mrsigner, pce, caller, info.isvsvn);
	}
	report_error(&e);
	bawn_enclave_free(&commoner);
	bawn_enclave_free(&caller);
	bawn_enclave_free(&pce);
	wipe(&p, sizeof(p));
}

int main(void)
{
	char platform[256];
	struct bawn_error e = { 0 };

	if (!getenv("BAWN_CONFORMANCE"))
		return skip_all("BAWN_CONFORMANCE names no folder of signed enclaves");
	if (!mkdtemp(scratch))
		return 1;
	snprintf(platform, sizeof(platform), "%s/flexible", scratch);
	is_int(cpu_platform_create(platform, NULL, &e), 0, "a platform with flexible launch control");
	drive_test_ecall(platform);
	drive_pce(platform);
	drive_launch();
	cpu_platform_remove(platform, NULL);
	snprintf(platform, sizeof(platform), "%s/locked", scratch);
	cpu_platform_remove(platform, NULL);
	rmdir(scratch);
	return tap_done();
}
