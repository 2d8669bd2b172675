/*
 * no-asan: runs enclaves, whose traps AddressSanitizer does not understand
 *
 * Intel's EPID enclaves, where BAWN_CONFORMANCE has them: they work as far as
 * they do without what Intel's services signed, and say where they stop.
 */
#include "tests/ae/kit.h"

#include <sys/mman.h>

/* n bytes that end where memory ends: an enclave that reads or writes more crashes. */
static uint8_t *exactly(size_t n)
{
	uint8_t *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + 8192, 4096, PROT_NONE))
		exit(1);
	return p + 8192 - n;
}

static void test_pve(const char *platform)
{
	const char *path = kit_real("libsgx_pve.signed.so"), *pce_path = kit_real("libsgx_pce.signed.so");
	struct bawn_enclave *pve, *pce;
	struct ae_epid_endpoint a = { .selector = 0xff }, b;
	uint8_t *xegb = exactly(AE_XEGB_BYTES), *pek = exactly(AE_EPID_PEK_BYTES);
	uint8_t *msg3 = exactly(AE_EPID_MSG3_BYTES), *msg4 = exactly(AE_EPID_MSG4_BYTES);
	uint8_t *blob = exactly(AE_EPID_BLOB_BYTES);
	struct ae_epid_msg2 m = { .message = exactly(AE_EPID_MSG2_BYTES) };
	struct isa_targetinfo t;
	struct isa_report r;
	struct bawn_error e = { 0 };

	if (!path || !pce_path) {
		skip("no libsgx_pve.signed.so");
		return;
	}
	pve = kit_load(path, platform, false);
	pce = kit_load(pce_path, platform, false);
	if (!pve || !pce)
		return;
	kit_target(pce, &t);
	is_int(ae_epid_endpoint(pve, &a, &e), 0, "PvE: an endpoint");
	is_int(ae_epid_endpoint(pve, &b, &e), 0, "and again");
	kit_say(&e);
	ok(memcmp(a.xid, b.xid, sizeof(a.xid)) != 0, "each with a transaction id of its own");
	/* No group blob stands for Intel's first group: then the PEK is looked at. */
	kit_refused(ae_epid_msg1(pve, xegb, pek, &t, &r, &e), &e, 31, "msg1 without a signed PEK");
	xegb[1] = 1; /* format 1, with the length of such a blob */
	put_le16(xegb + 2, 0x8801);
	kit_refused(ae_epid_msg1(pve, xegb, pek, &t, &r, &e), &e, 205, "msg1 with a blob that is not signed");
	kit_refused(ae_epid_msg3(pve, &m, msg3, &e), &e, 31, "msg2 without a signed PEK");
	kit_refused(ae_epid_msg4(pve, msg4, blob, &e), &e, 32, "msg4 before there was a msg2");
	bawn_enclave_free(&pce);
	bawn_enclave_free(&pve);
}

static void test_qe(const char *platform)
{
	const char *path = kit_real("libsgx_qe.signed.so");
	uint8_t *blob = exactly(AE_EPID_BLOB_BYTES), cpusvn[16], data[64] = { 6 };
	uint8_t *quote = calloc(1, AE_EPID_QUOTE_BYTES);
	struct bawn_enclave *qe, *app;
	struct isa_targetinfo t;
	struct isa_report r;
	struct ae_epid_request q = { .report = &r, .linkable = 1 };
	struct bawn_error e = { 0 };
	bool resealed = true;

	if (!path) {
		skip("no libsgx_qe.signed.so");
		return;
	}
	qe = kit_load(path, platform, false);
	app = kit_load(kit_path("witness"), platform, false);
	if (!qe || !app)
		return;
	kit_refused(ae_epid_verify_blob(qe, blob, &resealed, cpusvn, &e), &e, 21, "QE: a blob of zeros");
	ok(!resealed, "is not sealed anew");
	kit_target(qe, &t);
	kit_report(app, &t, data, &r);
	kit_refused(ae_epid_quote(qe, blob, &q, NULL, quote, AE_EPID_QUOTE_BYTES, &e), &e, 21,
		    "QE: no quote by it");
	r.body.reportdata[0] ^= 1;
	kit_refused(ae_epid_quote(qe, blob, &q, NULL, quote, AE_EPID_QUOTE_BYTES, &e), &e, 20,
		    "QE: nor of a report that is changed");
	bawn_enclave_free(&app);
	bawn_enclave_free(&qe);
	free(quote);
}

int main(void)
{
	const char *platform;

	if (!getenv("BAWN_CONFORMANCE"))
		return skip_all("BAWN_CONFORMANCE names no folder of signed enclaves");
	if (!kit_start())
		return tap_done();
	platform = kit_platform("epid", NULL);
	test_pve(platform);
	test_qe(platform);
	kit_done();
	return tap_done();
}
