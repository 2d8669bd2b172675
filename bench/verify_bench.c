/*
 * Quote verification against its floor: the unit is one P-256 verification
 * from a raw key and signature, by whichever public call of OpenSSL is fastest
 * here. Cold is everything from bytes with a verifier just made; warm knows
 * collateral and CAs. Made platforms, and a real quote if there is a corpus.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "bench/bench.h"
#include "tests/attest/forge.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define POOL 256

static void need(bool good, const char *what)
{
	if (!good)
		bench_fail("%s", what);
}

/* ---- the unit ---- */

static uint8_t unit_point[65], unit_digest[32], unit_rs[64], unit_der[80];
static int unit_der_n;
static EC_GROUP *group;
static EC_KEY *kept;

static ECDSA_SIG *unit_sig(void)
{
	ECDSA_SIG *s = ECDSA_SIG_new();

	ECDSA_SIG_set0(s, BN_bin2bn(unit_rs, 32, NULL), BN_bin2bn(unit_rs + 32, 32, NULL));
	return s;
}

static void unit_new_key(void *arg, uint64_t times)
{
	(void)arg;
	while (times--) {
		EC_KEY *k = EC_KEY_new();
		ECDSA_SIG *s = unit_sig();

		need(EC_KEY_set_group(k, group) == 1 && EC_KEY_oct2key(k, unit_point, 65, NULL) == 1 &&
		     ECDSA_do_verify(unit_digest, 32, s, k) == 1, "unit");
		ECDSA_SIG_free(s);
		EC_KEY_free(k);
	}
}

static void unit_kept_key(void *arg, uint64_t times)
{
	(void)arg;
	while (times--) {
		ECDSA_SIG *s = unit_sig();

		need(EC_KEY_oct2key(kept, unit_point, 65, NULL) == 1 &&
		     ECDSA_do_verify(unit_digest, 32, s, kept) == 1, "unit");
		ECDSA_SIG_free(s);
	}
}

static void unit_der_signature(void *arg, uint64_t times)
{
	(void)arg;
	while (times--) {
		unsigned char *p = unit_der;
		ECDSA_SIG *s = unit_sig();

		unit_der_n = i2d_ECDSA_SIG(s, &p);
		ECDSA_SIG_free(s);
		need(EC_KEY_oct2key(kept, unit_point, 65, NULL) == 1 &&
		     ECDSA_verify(0, unit_digest, 32, unit_der, unit_der_n, kept) == 1, "unit");
	}
}

static void unit_evp(void *arg, uint64_t times)
{
	(void)arg;
	while (times--) {
		char name[] = "P-256";
		OSSL_PARAM params[] = {
			OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
			OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, unit_point, 65),
			OSSL_PARAM_construct_end(),
		};
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
		unsigned char *p = unit_der;
		ECDSA_SIG *s = unit_sig();
		EVP_PKEY *key = NULL;

		unit_der_n = i2d_ECDSA_SIG(s, &p);
		ECDSA_SIG_free(s);
		need(EVP_PKEY_fromdata_init(ctx) == 1 && EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1, "unit");
		EVP_PKEY_CTX_free(ctx);
		ctx = EVP_PKEY_CTX_new(key, NULL);
		need(EVP_PKEY_verify_init(ctx) == 1 &&
		     EVP_PKEY_verify(ctx, unit_der, (size_t)unit_der_n, unit_digest, 32) == 1, "unit");
		EVP_PKEY_CTX_free(ctx);
		EVP_PKEY_free(key);
	}
}

static const struct {
	const char *name;
	bench_fn fn;
} units[] = {
	{ "EC_KEY made anew, ECDSA_do_verify", unit_new_key },
	{ "EC_KEY kept, ECDSA_do_verify", unit_kept_key },
	{ "EC_KEY kept, ECDSA_verify", unit_der_signature },
	{ "EVP_PKEY_fromdata, EVP_PKEY_verify", unit_evp },
};
static bench_fn unit;

static void choose_unit(void)
{
	uint64_t best[ARRAY_LEN(units)] = { 0 };
	struct forge_key k;
	size_t fastest = 0;

	forge_key(&k, "unit");
	unit_point[0] = POINT_CONVERSION_UNCOMPRESSED;
	memcpy(unit_point + 1, k.xy, 64);
	memset(unit_digest, 7, sizeof(unit_digest));
	need(!crypto_p256_sign(k.d, unit_digest, unit_rs, NULL), "signing");
	group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	kept = EC_KEY_new();
	need(group && kept && EC_KEY_set_group(kept, group) == 1, "group");
	/* The least of many short turns, taken one after the other: what it costs undisturbed. */
	for (int round = 0; round < 200; round++)
		for (size_t i = 0; i < ARRAY_LEN(units); i++) {
			uint64_t start = bench_now();

			units[i].fn(NULL, 10);
			start = bench_now() - start;
			if (!round || start < best[i])
				best[i] = start;
		}
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		char row[80];

		snprintf(row, sizeof(row), "P-256: %s", units[i].name);
		bench_row(row, (double)best[i] / 10000, "us", 0, 0, BENCH_NO_GOAL, 0);
		if (best[i] < best[fastest])
			fastest = i;
	}
	unit = units[fastest].fn;
}

/* ---- cold ---- */

struct cold {
	struct bawn_root root;
	struct bawn_collateral c;
	struct bawn_bytes quote;
	int64_t time;
	bool own_root;
};

static struct bawn_policy anything = { .statuses = UINT32_MAX, .allow_debug = true };

static void cold(void *arg, uint64_t times)
{
	const struct cold *x = arg;
	struct bawn_verification v;

	while (times--) {
		struct bawn_verifier *ver = NULL;

		need(!bawn_verifier_new(&ver, x->own_root ? &x->root : NULL, NULL) &&
		     !bawn_verifier_add_collateral(ver, &x->c, NULL) &&
		     !bawn_verify_quote(ver, x->quote.p, x->quote.n, x->time, &anything, &v), "cold verification");
		bawn_verifier_free(&ver);
	}
}

/* What is signed, hashed once, and nine units. */
static void cold_floor(void *arg, uint64_t times)
{
	const struct cold *x = arg;
	uint8_t digest[32];

	while (times--) {
		const struct bawn_bytes *all[] = { &x->c.tcb_info, &x->c.qe_identity, &x->c.root_crl, &x->c.pck_crl, &x->quote };

		for (size_t i = 0; i < ARRAY_LEN(all); i++)
			crypto_sha256(all[i]->p, all[i]->n, digest);
		unit(NULL, 9);
	}
}

static struct bawn_bytes slurp(const char *dir, const char *name)
{
	char path[1024];
	uint8_t *p;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (io_read_file(path, 1 << 20, &p, &n, NULL))
		return (struct bawn_bytes){ NULL, 0 };
	return (struct bawn_bytes){ p, n };
}

/* A real case of the corpus, at the instant that its case.json tells. */
static bool read_real(const char *name, struct cold *x)
{
	const char *env = getenv("BAWN_CORPUS");
	struct bawn_bytes text;
	const char *at;
	char dir[512];

	snprintf(dir, sizeof(dir), "%s/%s", env ? env : "../shared/corpus", name);
	text = slurp(dir, "case.json");
	at = text.p ? memmem(text.p, text.n, "\"verify_time\":", 14) : NULL;
	if (!at)
		return false;
	*x = (struct cold){ .time = strtoll(at + 14, NULL, 10) };
	x->quote = slurp(dir, "quote.bin");
	x->c = (struct bawn_collateral){
		.tcb_info = slurp(dir, "tcb_info.json"), .tcb_chain = slurp(dir, "tcb_signing_chain.pem"),
		.qe_identity = slurp(dir, "qe_identity.json"), .root_crl = slurp(dir, "root_ca_crl.der"),
		.pck_crl = slurp(dir, "pck_crl.der"), .pck_crl_chain = slurp(dir, "pck_crl_issuer_chain.pem"),
	};
	free((void *)(uintptr_t)text.p);
	return x->quote.p && x->c.tcb_info.p && x->c.pck_crl_chain.p;
}

/* ---- warm ---- */

struct pool {
	struct forge f;
	struct bawn_bytes quote[POOL];
	struct bawn_verifier *v;
	size_t next;
	uint64_t units; /* the floor of one */
};

static void keep_quote(struct pool *p, size_t i)
{
	uint8_t *copy = malloc(p->f.quote.n);

	need(copy != NULL, "memory");
	memcpy(copy, p->f.quote.p, p->f.quote.n);
	p->quote[i] = (struct bawn_bytes){ copy, p->f.quote.n };
}

/* Another PCK for each (platforms), or another attestation key (one platform). */
static void make_pool(struct pool *p, bool platforms)
{
	char label[32];

	memset(p, 0, sizeof(*p));
	p->units = platforms ? 3 : 2;
	forge_init(&p->f, BAWN_TEE_SGX);
	forge_build(&p->f);
	for (size_t i = 0; i < POOL; i++) {
		snprintf(label, sizeof(label), "%s %zu", platforms ? "platform" : "attestation", i);
		forge_key(platforms ? &p->f.key[FORGE_PCK] : &p->f.attestation, label);
		if (platforms)
			forge_platform(&p->f);
		else
			forge_quote(&p->f);
		keep_quote(p, i);
	}
	forge_quote(&p->f);
}

/* A verifier that knows collateral and CAs, and one platform, but no quote of the pool's. */
static void fresh(struct pool *p)
{
	struct bawn_collateral c = forge_collateral(&p->f);
	struct bawn_root root = forge_root(&p->f);
	struct bawn_verification v;
	uint64_t start = bench_now();

	bawn_verifier_free(&p->v);
	need(!bawn_verifier_new(&p->v, &root, NULL) && !bawn_verifier_add_collateral(p->v, &c, NULL) &&
	     !bawn_verify_quote(p->v, p->quote[0].p, p->quote[0].n, FORGE_NOW, NULL, &v), "warming up");
	p->next = 1;
	bench_exclude(bench_now() - start);
}

static void warm(void *arg, uint64_t times)
{
	struct bawn_verification v;
	struct pool *p = arg;

	while (times--) {
		if (!p->v || p->next == POOL)
			fresh(p);
		need(!bawn_verify_quote(p->v, p->quote[p->next].p, p->quote[p->next].n, FORGE_NOW, NULL, &v), "warm verification");
		p->next++;
	}
}

static void warm_floor(void *arg, uint64_t times)
{
	const struct pool *p = arg;

	unit(NULL, p->units * times);
}

static void again(void *arg, uint64_t times)
{
	struct bawn_verification v;
	struct pool *p = arg;

	while (times--)
		need(!bawn_verify_quote(p->v, p->quote[0].p, p->quote[0].n, FORGE_NOW, NULL, &v), "known verification");
}

static void one_unit(void *arg, uint64_t times)
{
	(void)arg;
	unit(NULL, times);
}

/* ---- threads against processes ---- */

#define TURN_NS UINT64_C(60000000)

struct worker {
	struct pool *p;
	uint64_t done;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t end = clock_ns() + TURN_NS;

	while (clock_ns() < end) {
		again(w->p, 20);
		w->done += 20;
	}
	return NULL;
}

static uint64_t by_threads(struct pool *p, size_t n)
{
	struct worker w[64];
	pthread_t t[64];
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		w[i] = (struct worker){ .p = p };
		need(pthread_create(&t[i], NULL, work, &w[i]) == 0, "pthread_create");
	}
	for (size_t i = 0; i < n; i++) {
		pthread_join(t[i], NULL);
		sum += w[i].done;
	}
	return sum;
}

static uint64_t by_processes(struct pool *p, size_t n)
{
	uint64_t *done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), sum = 0;

	need(done != MAP_FAILED, "mmap");
	for (size_t i = 0; i < n; i++) {
		pid_t pid = fork();

		need(pid >= 0, "fork");
		if (pid == 0) {
			struct worker w = { .p = p };

			work(&w);
			done[i] = w.done;
			_exit(0);
		}
	}
	for (size_t i = 0; i < n; i++)
		wait(NULL);
	for (size_t i = 0; i < n; i++)
		sum += done[i];
	munmap(done, 4096);
	return sum;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void scaling(struct pool *p)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = cpus < 1 ? 1 : cpus > 64 ? 64 : (size_t)cpus;
	double ratio[31], threads = 0, processes = 0;
	char name[80];

	for (size_t i = 0; i < ARRAY_LEN(ratio); i++) {
		double t = (double)by_threads(p, n), q = (double)by_processes(p, n);

		ratio[i] = t / q;
		threads += t / ARRAY_LEN(ratio);
		processes += q / ARRAY_LEN(ratio);
	}
	qsort(ratio, ARRAY_LEN(ratio), sizeof(ratio[0]), ascending);
	snprintf(name, sizeof(name), "verify: %zu threads against %zu processes", n, n);
	bench_row(name, threads * 1e9 / (double)TURN_NS, "1/s", processes * 1e9 / (double)TURN_NS,
		  ratio[ARRAY_LEN(ratio) / 2], BENCH_AT_LEAST, 0.9);
}

/* ---- memory ---- */

static void memory(struct pool *p)
{
#ifdef __GLIBC__
	size_t before, full, after;
	struct bawn_collateral lists;
	struct forge f;

	bawn_verifier_free(&p->v);
	before = mallinfo2().uordblks;
	fresh(p);
	warm(p, POOL - 1);
	/* As many TCB infos as it keeps, and more. */
	forge_init(&f, BAWN_TEE_SGX);
	for (unsigned i = 0; i < 2 * 64; i++) {
		struct bawn_collateral c;
		char fmspc[32];

		snprintf(fmspc, sizeof(fmspc), "\"fmspc\":\"%02x", i);
		f.tcb_edit[0] = (struct forge_edit){ "\"fmspc\":\"00", fmspc };
		forge_build(&f);
		c = (struct bawn_collateral){ .tcb_info = { f.tcb_json.p, f.tcb_json.n }, .tcb_chain = { f.tcb_chain.p, f.tcb_chain.n } };
		need(!bawn_verifier_add_collateral(p->v, &c, NULL), "TCB info");
	}
	/* And the longest lists. */
	f.root_crl.others = f.pck_crl.others = ATTEST_CRL_ENTRIES_MAX;
	forge_build(&f);
	lists = forge_collateral(&f);
	lists.tcb_info = lists.qe_identity = (struct bawn_bytes){ NULL, 0 };
	need(!bawn_verifier_add_collateral(p->v, &lists, NULL), "revocation lists");
	forge_free(&f);
	full = mallinfo2().uordblks - before;
	bench_row("verify: memory of a full verifier", (double)full / 1024, "KiB", 0, 0, BENCH_AT_MOST, 2048);
	fresh(p);
	warm(p, POOL - 1);
	before = mallinfo2().uordblks;
	again(p, 2000);
	after = mallinfo2().uordblks;
	bench_row("verify: growth in 2000 verifications", (double)after - (double)before, "bytes", 0, 0, BENCH_AT_MOST, 0);
#else
	(void)p;
#endif
}

static void compare_cold(const char *name, struct cold *x)
{
	bench_compare(name, "us", 0, cold, x, cold_floor, x, BENCH_AT_MOST, 1.25);
}

int main(void)
{
	static const char *const real[] = { "real-sgx3-00606a000000-e9f62c72", "real-tdx4-b0c06f000000-b558895a",
					    "real-tdx5-90c06f000000-cf77a6e9" };
	static struct pool platforms, attestations;
	struct cold x = { .time = FORGE_NOW, .own_root = true };
	struct forge f;
	char name[80];

	bench_use_cpu_time();
	choose_unit();
	forge_init(&f, BAWN_TEE_SGX);
	forge_build(&f);
	x.root = forge_root(&f);
	x.c = forge_collateral(&f);
	x.quote = (struct bawn_bytes){ f.quote.p, f.quote.n };
	compare_cold("verify: cold, made platform, 9 units + hashing", &x);
	forge_free(&f);
	for (size_t i = 0; i < ARRAY_LEN(real); i++) {
		if (!read_real(real[i], &x))
			continue;
		snprintf(name, sizeof(name), "verify: cold, %.9s, 9 units + hashing", real[i]);
		compare_cold(name, &x);
	}
	make_pool(&platforms, true);
	bench_compare("verify: warm, new platform, 3 units", "us", 0, warm, &platforms, warm_floor, &platforms, BENCH_AT_MOST, 1.2);
	make_pool(&attestations, false);
	bench_compare("verify: warm, known PCK, 2 units", "us", 0, warm, &attestations, warm_floor, &attestations, BENCH_AT_MOST, 1.2);
	bench_compare("verify: warm, known QE report too, 1 unit", "us", 0, again, &attestations, one_unit, NULL, BENCH_NO_GOAL, 0);
	scaling(&attestations);
	memory(&attestations);
	return bench_done();
}
