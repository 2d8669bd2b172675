/*
 * Quotes on the emulated CPU, against what any of it must cost here: the
 * cryptography, by the same code in a plain process, and the transitions,
 * measured alone.
 *
 * A transition is an ECALL that does nothing (EENTER, EEXIT). What a quote
 * costs beside its signature (EGETKEY, the report's MAC, the blob, copying) is
 * overhead, and counts.
 */
#include "ae/ae.h"
#include "bench/bench.h"
#include "enclaves/witness/witness.h"
#include "image/image.h"

#include <bearssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char platform[64], launch_free[3][256];
static const char *file(const char *name)
{
	static char path[4][256];
	static unsigned turn;
	const char *build = getenv("BUILD");
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/enclaves/%s.signed.so", build ? build : "build", name);
	return p;
}

static void must(int rc, const struct bawn_error *e)
{
	if (rc)
		bench_fail("%s", e->msg);
}

/* ---- the cryptography ---- */

static uint8_t secret[32] = { 1, 2, 3 }, digest[32] = { 4, 5, 6 };

static void sign(void)
{
	const br_ec_private_key key = { BR_EC_secp256r1, secret, sizeof(secret) };
	uint8_t rs[64];

	if (br_ecdsa_i31_sign_raw(&br_ec_p256_m31, &br_sha256_vtable, digest, &key, rs) != 64)
		bench_fail("BearSSL does not sign");
}

static void point(void)
{
	uint8_t q[65];

	if (br_ec_p256_m31.mulgen(q, secret, sizeof(secret), BR_EC_secp256r1) != sizeof(q))
		bench_fail("BearSSL does not multiply");
}

static void encrypt(const uint8_t *pek)
{
	static uint8_t modulus[384], exponent[4];
	const br_rsa_public_key pk = { modulus, sizeof(modulus), exponent, sizeof(exponent) };
	br_hmac_drbg_context random;
	uint8_t cipher[384];

	memcpy(modulus, pek, sizeof(modulus));
	memcpy(exponent, pek + 384, sizeof(exponent));
	br_hmac_drbg_init(&random, &br_sha256_vtable, secret, sizeof(secret));
	if (br_rsa_i31_oaep_encrypt(&random.vtable, &br_sha256_vtable, NULL, 0, &pk, cipher,
				    sizeof(cipher), secret, 16) != sizeof(cipher))
		bench_fail("BearSSL does not encrypt");
}

/* ---- a world ---- */

struct world {
	struct ae_files files;
	struct ae_desk_options opt;
	struct ae_desk *desk;
	struct bawn_enclave *empty; /* the witness: an ECALL that does nothing */
	struct bawn_enclave *qe, *pce;
	struct isa_targetinfo qe_target;
	struct isa_report report; /* of the witness, for the quoting enclave */
	uint8_t blob[AE_QE_BLOB_BYTES], pek[AE_PEK_BYTES];
	char chain[3800]; /* as large as Intel's */
	struct ae_certification certification;
	uint8_t *quote;
	struct image *image[2];
};

static struct bawn_enclave *load(const char *path)
{
	struct bawn_options opt = { .device = "emulated", .platform = platform };
	struct bawn_enclave *en;
	struct bawn_error e = { 0 };

	must(bawn_enclave_load(&en, path, &opt, &e), &e);
	return en;
}

static void report_for(struct bawn_enclave *by, struct bawn_enclave *target, struct isa_report *out)
{
	struct witness_report ms = { 0 };
	struct bawn_error e = { 0 };
	uint32_t status;

	bawn_enclave_targetinfo(target, ms.targetinfo);
	must(bawn_ecall(by, WITNESS_REPORT, &ms, &status, &e), &e);
	memcpy(out, ms.report, sizeof(*out));
}

static void new_pek(uint8_t pek[AE_PEK_BYTES])
{
	struct crypto_key *key;
	struct bawn_error e = { 0 };
	uint8_t modulus[384];

	must(crypto_key_new_rsa3(&key, &e), &e);
	must(crypto_key_rsa3_modulus(key, modulus, &e), &e);
	for (int i = 0; i < 384; i++)
		pek[i] = modulus[383 - i];
	memcpy(pek + 384, "\0\1\0\1", 4); /* what such keys have: not this one, but it costs as much */
	crypto_key_free(&key);
}

static void world_init(struct world *w)
{
	struct bawn_error e = { 0 };

	*w = (struct world){ .files = { .device = "emulated", .platform = platform } };
	for (size_t i = 0; i < 2; i++)
		snprintf(launch_free[i], sizeof(launch_free[i]), "%s", file(i ? "quote" : "provision"));
	w->files.enclave[AE_PROVISION].path = launch_free[0];
	w->files.enclave[AE_QUOTE].path = launch_free[1];
	new_pek(w->pek);
	w->opt = (struct ae_desk_options){ .source = ae_files_source(&w->files), .ppid_key = w->pek };
	for (int i = 0; i < AE_ENCLAVES; i++)
		w->opt.keep_ms[i] = AE_KEEP;
	must(ae_desk_new(&w->desk, &w->opt, &e), &e);
	must(ae_desk_generate(w->desk, NULL, NULL, w->blob, &e), &e);
	w->empty = load(file("witness-unbound"));
	w->qe = load(launch_free[1]);
	bawn_enclave_targetinfo(w->qe, (uint8_t *)&w->qe_target);
	report_for(w->empty, w->qe, &w->report);
	memset(w->chain, 'A', sizeof(w->chain));
	w->certification = (struct ae_certification){ AE_CERTIFIED_PCK_CHAIN, w->chain, sizeof(w->chain) };
	w->quote = malloc(ae_quote_size(&w->certification));
	for (int i = 0; i < 2; i++)
		must(image_open(&w->image[i], launch_free[i], NULL, &e), &e);
}

/* ---- a warm quote ---- */

static void quote(struct world *w, struct ae_desk *desk)
{
	struct ae_quote_request q = { .report = &w->report, .certification = &w->certification };
	struct bawn_error e = { 0 };

	must(ae_desk_quote(desk, w->blob, NULL, &q, NULL, w->quote, ae_quote_size(&w->certification), &e),
	     &e);
}

static void warm(void *arg, uint64_t times)
{
	while (times-- > 0)
		quote(arg, ((struct world *)arg)->desk);
}

static void transition(struct world *w)
{
	struct bawn_error e = { 0 };
	uint32_t status;

	must(bawn_ecall(w->empty, WITNESS_EMPTY, NULL, &status, &e), &e);
}

static void warm_parts(void *arg, uint64_t times)
{
	while (times-- > 0) {
		sign();
		transition(arg);
	}
}

/* ---- a first quote ---- */

static void cold(void *arg, uint64_t times)
{
	struct world *w = arg;
	struct bawn_error e = { 0 };

	while (times-- > 0) {
		uint8_t blob[AE_QE_BLOB_BYTES];
		struct ae_desk *d;
		uint64_t end;

		must(ae_desk_new(&d, &w->opt, &e), &e);
		must(ae_desk_generate(d, NULL, NULL, blob, &e), &e);
		quote(w, d);
		end = clock_ns();
		ae_desk_free(&d);
		bench_exclude(clock_ns() - end);
	}
}

/* Loading: SHA-256 of what is measured, RSA of SIGSTRUCT, one transition to initialise. */
static void load_parts(struct world *w, const struct image *im)
{
	uint8_t mrenclave[32];
	struct bawn_error e = { 0 };

	must(image_measure(im, mrenclave, &e), &e);
	must(image_sigstruct_check(&im->sigstruct, &e), &e);
	transition(w);
}

static void cold_parts(void *arg, uint64_t times)
{
	struct world *w = arg;

	while (times-- > 0) {
		load_parts(w, w->image[0]);
		load_parts(w, w->image[1]);
		encrypt(w->pek);
		point(); /* the attestation key */
		sign();  /* the certification */
		sign();  /* the quote */
		/* PPID: 2; key, certification, storing: 3; quote: 1. */
		for (int i = 0; i < 6; i++)
			transition(w);
	}
}

/* ---- certification: ours, Intel's ---- */

struct certifier {
	struct bawn_enclave *pce;
	struct bawn_enclave_info info;
	struct isa_report report;
};

static void certify(void *arg, uint64_t times)
{
	struct certifier *c = arg;
	struct bawn_error e = { 0 };
	uint8_t rs[64];

	while (times-- > 0)
		must(ae_pce_certify(c->pce, c->report.body.cpusvn, c->info.isvsvn, &c->report, rs, &e), &e);
}

static void bench_pce(const char *name, const char *path)
{
	struct bawn_enclave *caller = load(file("witness-provision"));
	struct certifier c = { .pce = load(path) };
	char row[96];
	uint64_t start;

	bawn_enclave_info(c.pce, &c.info);
	report_for(caller, c.pce, &c.report);
	start = clock_ns();
	certify(&c, 1);
	snprintf(row, sizeof(row), "%s: first certification", name);
	bench_row(row, (double)(clock_ns() - start) / 1e3, "us", 0, 0, BENCH_NO_GOAL, 0);
	snprintf(row, sizeof(row), "%s: later ones / sign + transition", name);
	bench_compare(row, "us", 0, certify, &c, warm_parts, &(struct world){ .empty = caller }, BENCH_NO_GOAL,
		      0);
	bawn_enclave_free(&c.pce);
	bawn_enclave_free(&caller);
}

static void bench_intel(void)
{
	static const char *const names[] = { "libsgx_pce.signed.so", "libsgx_pce-1.25.signed.so" };
	const char *top = getenv("BAWN_CONFORMANCE");
	char path[512], label[64];

	for (size_t i = 0; top && i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", top, names[i]);
		snprintf(label, sizeof(label), "Intel's PCE %s", i ? "1.25" : "2.x");
		if (access(path, R_OK) == 0)
			bench_pce(label, path);
	}
}

int main(void)
{
	struct bawn_error e = { 0 };
	struct world w;

	snprintf(platform, sizeof(platform), "/tmp/bawn-bench-platform.%d", (int)getpid());
	must(cpu_platform_create(platform, NULL, &e), &e);
	world_init(&w);
	bench_compare("warm quote / sign + transition", "us", 0, warm, &w, warm_parts, &w, BENCH_AT_MOST,
		      1.15);
	bench_compare("first quote / SHA-256, RSA, P-256, transitions", "ms", 0, cold, &w, cold_parts, &w,
		      BENCH_AT_MOST, 1.5);
	bench_pce("provision enclave", launch_free[0]);
	bench_intel();
	ae_desk_free(&w.desk);
	bawn_enclave_free(&w.qe);
	bawn_enclave_free(&w.empty);
	for (int i = 0; i < 2; i++)
		image_free(&w.image[i]);
	free(w.quote);
	cpu_platform_remove(platform, &e);
	return bench_done();
}
