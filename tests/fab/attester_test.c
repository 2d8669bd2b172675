/*
 * no-asan: runs enclaves, whose traps AddressSanitizer does not understand
 *
 * bawn.h's attester: quotes by many threads, the quoting enclave's proof, what
 * is kept between lives, and what is said where something is missing.
 */
#include "attester/attester.h"
#include "enclaves/witness/witness.h"
#include "fab/fab.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char base[] = "/tmp/bawn-attester-test.XXXXXX";
static char platform_dir[128], state_dir[128], fab_dir[128];
static struct buf chain, root;

static const char *enclave(const char *name)
{
	static char path[4][512];
	static unsigned turn;
	const char *build = getenv("BUILD");
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/enclaves/%s.signed.so", build ? build : "build", name);
	return p;
}

static void must(int rc, const struct bawn_error *e)
{
	if (!rc)
		return;
	printf("Bail out! %s\n", e->msg);
	exit(1);
}

/* A platform, a fab, a certificate and collateral for them. */
static void make_world(void)
{
	struct fab_dates dates = { .now = time(NULL) };
	struct bawn_options opt = { .device = "emulated", .platform = platform_dir };
	struct fab_issue issue = { .pcesvn = 1 };
	struct bawn_enclave_info pce;
	struct bawn_enclave *en;
	struct cpu_platform p;
	struct bawn_error e = { 0 };
	struct fab *f;
	uint32_t n;

	snprintf(platform_dir, sizeof(platform_dir), "%s/platform", base);
	snprintf(state_dir, sizeof(state_dir), "%s/state", base);
	snprintf(fab_dir, sizeof(fab_dir), "%s/fab", base);
	dates.from = dates.now;
	dates.until = dates.now + 30 * FAB_DAY;
	must(cpu_platform_create(platform_dir, NULL, &e), &e);
	must(bawn_enclave_load(&en, enclave("provision"), &opt, &e), &e);
	bawn_enclave_info(en, &pce);
	bawn_enclave_free(&en);
	must(fab_create(fab_dir, &(struct fab_options){ .pce_mrsigner = pce.mrsigner, .pce_isvsvn = pce.isvsvn,
							.dates = dates }, &e), &e);
	must(fab_open(&f, fab_dir, true, &e), &e);
	must(cpu_platform_load(platform_dir, &p, &e), &e);
	must(fab_register(f, &p, pce.mrsigner, NULL, &issue.platform, &e), &e);
	memcpy(issue.cpusvn, p.cpusvn, sizeof(issue.cpusvn));
	issue.dates = dates;
	buf_init(&chain, 65536);
	buf_init(&root, 65536);
	must(fab_issue(f, &issue, &n, &chain, &e), &e);
	must(fab_authority_pem(f, FAB_ROOT, &root, &e), &e);
	must(fab_save(f, &e), &e);
	fab_close(&f);
}

static struct bawn_attester_options options(bool with_chain)
{
	struct bawn_attester_options o = { .device = "emulated", .platform = platform_dir,
					   .provision = enclave("provision"), .quote = enclave("quote"),
					   .state = state_dir };

	if (with_chain)
		o.pck_chain = (struct bawn_bytes){ chain.p, chain.n };
	return o;
}

static struct bawn_enclave *load_witness(void)
{
	const struct bawn_options opt = { .device = "emulated", .platform = platform_dir };
	struct bawn_enclave *en = NULL;
	struct bawn_error e = { 0 };

	must(bawn_enclave_load(&en, enclave("witness"), &opt, &e), &e);
	return en;
}

static bool make_report(struct bawn_enclave *en, struct bawn_attester *a, uint8_t first, uint8_t report[432])
{
	struct witness_report w = { .data = { first } };
	uint32_t status = 1;

	if (bawn_attester_target(a, w.targetinfo, NULL) || bawn_ecall(en, WITNESS_REPORT, &w, &status, NULL) || status)
		return false;
	memcpy(report, w.report, 432);
	return true;
}

/* Does the quote say this, and does its chain of signatures lead to the fab's root? */
static bool genuine(const uint8_t *quote, size_t n, uint8_t first)
{
	struct bawn_root r = { .profile = BAWN_PROFILE_EMULATED, .certificate = { root.p, root.n } };
	struct bawn_policy policy = { .allow_emulated = true };
	struct bawn_verification *v = calloc(1, sizeof(*v));
	struct bawn_verifier *verifier;
	bool good = v && bawn_verifier_new(&verifier, &r, NULL) == 0;

	if (good) {
		/* Without collateral: undecided, but the signatures are checked. */
		bawn_verify_quote(verifier, quote, n, time(NULL), &policy, v);
		good = v->verdict == BAWN_UNDECIDED && v->signatures_hold && v->report_data[0] == first;
		bawn_verifier_free(&verifier);
	}
	free(v);
	return good;
}

/* ---- one quote, and what is kept ---- */

static void test_life(struct bawn_enclave *en)
{
	struct bawn_attester_options o = options(false);
	struct bawn_attester_info info;
	struct bawn_attester *a = NULL;
	struct bawn_error e = { 0 };
	uint8_t report[432], *quote;
	struct stat st;
	char path[4300];
	size_t n;

	must(bawn_attester_new(&a, &o, &e), &e);
	bawn_attester_info(a, &info);
	ok(info.emulated && !info.has_certificate, "an attester without a certificate");
	ok(make_report(en, a, 1, report), "has a target");
	is_int(bawn_attester_quote(a, report, NULL, &quote, &n, &e), BAWN_ERR_NOT_FOUND, "but makes no quote");
	ok(quote == NULL && strstr(e.msg, "PCK certificate"), "and says what is missing");
	bawn_attester_free(&a);
	ok(a == NULL, "freed");

	o = options(true);
	e = (struct bawn_error){ 0 };
	must(bawn_attester_new(&a, &o, &e), &e);
	bawn_attester_info(a, &info);
	ok(info.has_certificate && info.pcesvn == 1 && info.certificate_expires > time(NULL), "with one");
	is_int(bawn_attester_quote(a, report, NULL, &quote, &n, &e), 0, "it makes a quote");
	ok(genuine(quote, n, 1), "that is genuine");
	free(quote);
	snprintf(path, sizeof(path), "%s/" ATTESTER_BLOB, info.state);
	ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600 && st.st_size == AE_QE_BLOB_BYTES, "its key is kept");
	report[100] ^= 1;
	is_int(bawn_attester_quote(a, report, NULL, &quote, &n, &e), BAWN_ERR_DENIED, "a changed report is refused");
	ok(e.sgx_status == AE_QE_ERROR_INVALID_REPORT && !quote, "by the quoting enclave");
	bawn_attester_free(&a);

	o = options(false);
	must(bawn_attester_new(&a, &o, &(struct bawn_error){ 0 }), &e);
	bawn_attester_info(a, &info);
	ok(info.has_certificate, "the next one has the certificate");
	bawn_attester_free(&a);
	bawn_attester_free(&a);
}

/* ---- the quoting enclave's proof ---- */

static void test_proof(struct bawn_enclave *en)
{
	struct bawn_attester_options o = options(false);
	struct bawn_quote_proof proof = { .nonce = { 7, 7, 7 } };
	struct witness_targetinfo target;
	struct witness_verify verify;
	struct bawn_attester *a = NULL;
	struct bawn_error e = { 0 };
	struct crypto_sha256 h;
	uint8_t report[432], digest[32], *quote;
	uint32_t status = 1;
	size_t n;

	must(bawn_attester_new(&a, &o, &e), &e);
	bawn_ecall(en, WITNESS_TARGETINFO, &target, &status, NULL);
	memcpy(proof.target, target.targetinfo, sizeof(proof.target));
	make_report(en, a, 2, report);
	is_int(bawn_attester_quote(a, report, &proof, &quote, &n, &e), 0, "a quote with a proof");
	ok(genuine(quote, n, 2), "is genuine");
	crypto_sha256_init(&h);
	crypto_sha256_update(&h, proof.nonce, sizeof(proof.nonce));
	crypto_sha256_update(&h, quote, n);
	crypto_sha256_final(&h, digest);
	is_mem(proof.report + 320, digest, 32, "the proof is over nonce and quote");
	memcpy(verify.report, proof.report, sizeof(verify.report));
	bawn_ecall(en, WITNESS_VERIFY, &verify, &status, NULL);
	is_int(status, 0, "and the enclave that it is for finds it true");
	free(quote);
	bawn_attester_free(&a);
}

/* ---- threads ---- */

#define THREADS 6
#define QUOTES 10
struct share {
	struct bawn_attester *a;
	uint8_t report[432], first;
	unsigned good;
};

static void *quote_many(void *arg)
{
	struct share *s = arg;

	for (unsigned i = 0; i < QUOTES; i++) {
		uint8_t *quote;
		size_t n;

		if (bawn_attester_quote(s->a, s->report, NULL, &quote, &n, NULL) == 0 && genuine(quote, n, s->first))
			s->good++;
		free(quote);
	}
	return NULL;
}

static void test_threads(struct bawn_enclave *en)
{
	struct bawn_attester_options o = options(false);
	struct bawn_attester *a = NULL;
	struct share share[THREADS];
	pthread_t thread[THREADS];
	struct bawn_error e = { 0 };
	unsigned good = 0;

	must(bawn_attester_new(&a, &o, &e), &e);
	for (unsigned i = 0; i < THREADS; i++) {
		share[i] = (struct share){ .a = a, .first = (uint8_t)(10 + i) };
		make_report(en, a, share[i].first, share[i].report);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, quote_many, &share[i]);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		good += share[i].good;
	}
	is_int(good, THREADS * QUOTES, "many threads: each quote is of its own report");
	bawn_attester_free(&a);
}

/* ---- what is wrong, and said ---- */

static void refused(const struct bawn_attester_options *o, int code, const char *word, const char *name)
{
	struct bawn_attester *a = (void *)&a;
	struct bawn_error e = { 0 };

	is_int(bawn_attester_new(&a, o, &e), code, name);
	ok(a == NULL && strstr(e.msg, word), "  with the reason: %s", e.msg);
}

static void test_refusals(void)
{
	struct bawn_attester_options o = options(false);
	uint8_t key[10] = { 0 };
	char leaf[8192];
	char *end;

	o.quote = "/nonexistent/quote.signed.so";
	refused(&o, BAWN_ERR_SYSTEM, "quote enclave", "no quoting enclave");
	o = options(false);
	o.quote = NULL;
	setenv("BAWN_ENCLAVES", base, 1);
	refused(&o, BAWN_ERR_NOT_FOUND, "BAWN_ENCLAVES", "none where they should be");
	unsetenv("BAWN_ENCLAVES");
	o = options(false);
	o.ppid_key = (struct bawn_bytes){ key, sizeof(key) };
	refused(&o, BAWN_ERR_USAGE, "388", "a key for PPIDs of another size");
	o = options(false);
	o.pck_chain = (struct bawn_bytes){ root.p, root.n };
	refused(&o, BAWN_ERR_FORMAT, "PCK certificate", "a root in place of a chain");
	snprintf(leaf, sizeof(leaf), "%.*s", (int)chain.n, (const char *)chain.p);
	end = strstr(leaf, "-----END CERTIFICATE-----\n") + 26;
	o.pck_chain = (struct bawn_bytes){ leaf, (size_t)(end - leaf) };
	refused(&o, BAWN_ERR_FORMAT, "its CA and a root", "a leaf alone");
	o.pck_chain = (struct bawn_bytes){ "junk", 4 };
	refused(&o, BAWN_ERR_FORMAT, "", "junk");
	o = options(false);
	o.state = "/proc/none";
	refused(&o, BAWN_ERR_SYSTEM, "/proc/none", "a state directory that cannot be");
	o = options(false);
	o.device = "quantum";
	refused(&o, BAWN_ERR_USAGE, "quantum", "a device that there is not");
}

int main(void)
{
	struct bawn_enclave *en;
	char command[64];

	if (!mkdtemp(base))
		return 1;
	make_world();
	en = load_witness();
	test_life(en);
	test_proof(en);
	test_threads(en);
	test_refusals();
	bawn_enclave_free(&en);
	buf_free(&chain);
	buf_free(&root);
	snprintf(command, sizeof(command), "rm -rf %s", base);
	return system(command) || tap_done();
}
