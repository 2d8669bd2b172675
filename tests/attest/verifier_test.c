/* The verifier as an object that lives long: what it keeps, what makes way, many threads. */
#include "attest/internal.h"
#include "tests/attest/forge.h"
#include "tests/tap.h"

#include <pthread.h>

static struct bawn_policy anything = { .statuses = UINT32_MAX, .allow_debug = true };

static struct bawn_verifier *verifier_for(const struct forge *f, bool collateral)
{
	struct bawn_collateral c = forge_collateral(f);
	struct bawn_root root = forge_root(f);
	struct bawn_verifier *v = NULL;

	if (bawn_verifier_new(&v, &root, NULL) || (collateral && bawn_verifier_add_collateral(v, &c, NULL)))
		abort();
	return v;
}

static enum bawn_reason reason(struct bawn_verifier *v, const struct forge *f, const struct bawn_policy *p)
{
	struct bawn_verification out;
	int r = bawn_verify_quote(v, f->quote.p, f->quote.n, FORGE_NOW, p, &out);

	if ((r == 0) != (out.verdict == BAWN_ACCEPTED) || r != (int)out.error.code)
		abort();
	return out.reason;
}

/* Collateral part by part: what is missing is said, and nothing is guessed. */
static void test_parts(void)
{
	struct bawn_verification out;
	struct bawn_collateral all, c;
	struct bawn_verifier *v;
	struct bawn_error e = { 0 };
	struct forge f;

	forge_init(&f, BAWN_TEE_SGX);
	forge_build(&f);
	all = forge_collateral(&f);
	v = verifier_for(&f, false);
	is_int(bawn_verify_quote(v, f.quote.p, f.quote.n, FORGE_NOW, NULL, &out), BAWN_ERR_NOT_FOUND, "no collateral at all");
	ok(out.verdict == BAWN_UNDECIDED && out.reason == BAWN_REASON_NO_ROOT_CRL && out.signatures_hold,
	   "is undecided, though the signatures hold");
	c = (struct bawn_collateral){ .root_crl = all.root_crl };
	is_int(bawn_verifier_add_collateral(v, &c, &e), 0, "the root's list alone");
	is_int(reason(v, &f, NULL), BAWN_REASON_NO_PCK_CRL, "then the CA's list is missing");
	c = (struct bawn_collateral){ .pck_crl = all.pck_crl };
	is_int(bawn_verifier_add_collateral(v, &c, &e), BAWN_ERR_USAGE, "which cannot come without its chain");
	c.pck_crl_chain = all.pck_crl_chain;
	is_int(bawn_verifier_add_collateral(v, &c, NULL), 0, "the CA's list");
	is_int(reason(v, &f, NULL), BAWN_REASON_NO_TCB_INFO, "then the TCB info is missing");
	c = (struct bawn_collateral){ .tcb_info = all.tcb_info };
	is_int(bawn_verifier_add_collateral(v, &c, NULL), BAWN_ERR_USAGE, "nor can that");
	c.tcb_chain = all.tcb_chain;
	is_int(bawn_verifier_add_collateral(v, &c, NULL), 0, "the TCB info");
	is_int(reason(v, &f, NULL), BAWN_REASON_NO_QE_IDENTITY, "then the QE identity is missing");
	c = (struct bawn_collateral){ .qe_identity = all.qe_identity, .qe_chain = all.tcb_chain };
	is_int(bawn_verifier_add_collateral(v, &c, NULL), 0, "the QE identity");
	is_int(reason(v, &f, NULL), BAWN_REASON_NONE, "then nothing is");
	c = (struct bawn_collateral){ 0 };
	is_int(bawn_verifier_add_collateral(v, &c, NULL), 0, "nothing can be added");
	/* All or nothing. */
	f.tcb_json.p[30] ^= 1;
	f.root_crl.from = FORGE_NOW + 1;
	struct forge later;

	forge_init(&later, BAWN_TEE_SGX);
	later.root_crl.from = FORGE_NOW + 1;
	forge_build(&later);
	c = forge_collateral(&later);
	c.tcb_info = (struct bawn_bytes){ f.tcb_json.p, f.tcb_json.n };
	ok(bawn_verifier_add_collateral(v, &c, NULL) != 0, "a bad part");
	is_int(reason(v, &f, NULL), BAWN_REASON_NONE, "spoils the good ones that come with it");
	c = (struct bawn_collateral){ .root_crl = forge_collateral(&later).root_crl };
	is_int(bawn_verifier_add_collateral(v, &c, NULL), 0, "a newer list");
	is_int(reason(v, &f, NULL), BAWN_REASON_NOT_YET_VALID, "takes the place of the older one");
	forge_free(&later);
	bawn_verifier_free(&v);
	ok(v == NULL, "a freed verifier is gone");
	bawn_verifier_free(&v);
	forge_free(&f);
}

static void test_early(void)
{
	struct bawn_policy early = { .early = true };
	struct bawn_verification out;
	struct bawn_collateral c;
	struct bawn_verifier *v;
	struct forge f, next;

	forge_init(&f, BAWN_TEE_SGX);
	forge_build(&f);
	v = verifier_for(&f, true);
	is_int(reason(v, &f, &early), BAWN_REASON_NO_TCB_INFO, "without early data nothing is said about the early set");
	/* The next evaluation asks for component 6. */
	forge_init(&next, BAWN_TEE_SGX);
	next.tcb_edit[0] = (struct forge_edit){ "\"tcbEvaluationDataNumber\":20", "\"tcbEvaluationDataNumber\":21" };
	next.tcb_edit[1] = (struct forge_edit){ "[{\"svn\":5", "[{\"svn\":6" };
	next.tcb_edit[2] = (struct forge_edit){ "2025-01-01T00:00:00Z", "2026-02-10T00:00:00Z" };
	next.qe_edit[0] = (struct forge_edit){ "\"tcbEvaluationDataNumber\":20", "\"tcbEvaluationDataNumber\":21" };
	forge_build(&next);
	c = forge_collateral(&next);
	c.early = true;
	/* Same keys, but other certificates: signed anew. Both sets' signers are below the root. */
	is_int(bawn_verifier_add_collateral(v, &c, NULL), 0, "early data");
	is_int(bawn_verify_quote(v, f.quote.p, f.quote.n, FORGE_NOW, NULL, &out), 0, "by the standard set");
	ok(out.status == BAWN_TCB_UP_TO_DATE && out.evaluation == 20, "it is UpToDate");
	is_int(bawn_verify_quote(v, f.quote.p, f.quote.n, FORGE_NOW, &early, &out), BAWN_ERR_DENIED, "by the early set");
	ok(out.status == BAWN_TCB_OUT_OF_DATE && out.evaluation == 21 && out.shortfall_count == 1 &&
	   out.shortfalls[0].need == 6 && out.shortfalls[0].have == 5 && out.shortfalls[0].level_date == 1770681600,
	   "it is not, and what is short of what is told");
	forge_free(&next);
	bawn_verifier_free(&v);
	forge_free(&f);
}

/* More TCB infos than there is room for. */
static void test_eviction(void)
{
	struct bawn_collateral c;
	struct bawn_verifier *v;
	struct forge f, other;
	size_t added = 0;
	char fmspc[32];

	forge_init(&f, BAWN_TEE_SGX);
	forge_build(&f);
	v = verifier_for(&f, true);
	forge_init(&other, BAWN_TEE_SGX);
	for (unsigned i = 1; i <= 2 * ATTEST_TCB_INFOS_MAX; i++) {
		snprintf(fmspc, sizeof(fmspc), "\"fmspc\":\"%02x", i);
		other.tcb_edit[0] = (struct forge_edit){ "\"fmspc\":\"00", fmspc };
		forge_build(&other);
		c = (struct bawn_collateral){ .tcb_info = { other.tcb_json.p, other.tcb_json.n },
					      .tcb_chain = { other.tcb_chain.p, other.tcb_chain.n } };
		added += bawn_verifier_add_collateral(v, &c, NULL) == 0 && reason(v, &f, NULL) == BAWN_REASON_NONE;
	}
	is_int(added, 2 * ATTEST_TCB_INFOS_MAX, "a TCB info that is in use stays when others make way");
	forge_free(&other);
	bawn_verifier_free(&v);
	forge_free(&f);
}

/* What was learned is good only within the dates of what it stands on. */
static void test_time(void)
{
	struct bawn_verification out;
	struct bawn_verifier *v;
	struct forge f;

	forge_init(&f, BAWN_TEE_SGX);
	f.cert[FORGE_PCK].until = FORGE_NOW + 10;
	forge_build(&f);
	v = verifier_for(&f, true);
	is_int(bawn_verify_quote(v, f.quote.p, f.quote.n, FORGE_NOW, NULL, &out), 0, "known now");
	is_int(bawn_verify_quote(v, f.quote.p, f.quote.n, FORGE_NOW + 11, NULL, &out), BAWN_ERR_NOT_FOUND, "not after its end");
	ok(out.reason == BAWN_REASON_EXPIRED, "for that reason");
	is_int(bawn_verify_quote(v, f.quote.p, f.quote.n, FORGE_NOW + 10, NULL, &out), 0, "and at its end again");
	is_int(bawn_verify_quote(v, f.quote.p, f.quote.n, INT64_MIN, NULL, &out), BAWN_ERR_NOT_FOUND, "the first instant there is");
	is_int(bawn_verify_quote(v, f.quote.p, f.quote.n, INT64_MAX, NULL, &out), BAWN_ERR_NOT_FOUND, "and the last");
	/* A quote that was known, changed: nothing that is remembered helps it. */
	f.quote.p[100] ^= 1;
	is_int(reason(v, &f, NULL), BAWN_REASON_QUOTE_SIGNATURE, "a known quote with a changed report");
	f.quote.p[100] ^= 1;
	f.quote.p[436 + 128 + 384] ^= 1;
	is_int(reason(v, &f, NULL), BAWN_REASON_QE_REPORT_SIGNATURE, "with a changed signature of the QE report");
	bawn_verifier_free(&v);
	forge_free(&f);
}

/* ---- the cache of signatures ---- */

static void test_cache(void)
{
	struct attest_sigcache *c = NULL;
	struct forge_key k;
	uint8_t digest[32], rs[64], other[64], id[32];
	size_t good = 0;

	if (attest_sigcache_new(&c, NULL))
		abort();
	forge_key(&k, "cache");
	memset(digest, 9, sizeof(digest));
	if (crypto_p256_sign(k.d, digest, rs, NULL))
		abort();
	for (int i = 0; i < 3; i++)
		good += attest_sigcache_verify(c, k.xy, digest, rs, NULL) == 0;
	memcpy(other, rs, 64);
	other[63] ^= 1;
	for (int i = 0; i < 3; i++)
		good += attest_sigcache_verify(c, k.xy, digest, other, NULL) == BAWN_ERR_SIGNATURE;
	is_int(good, 6, "what held holds, what did not is not remembered to");
	/* Far more than there is room for: old ones go, none is mixed up. */
	for (uint32_t i = 0; i < 40000; i++) {
		memset(id, 0, sizeof(id));
		crypto_sha256(&i, sizeof(i), id);
		attest_sigcache_add(c, id);
	}
	ok(attest_sigcache_verify(c, k.xy, digest, other, NULL) == BAWN_ERR_SIGNATURE &&
	   attest_sigcache_verify(c, k.xy, digest, rs, NULL) == 0, "also when it overflows");
	/* An entry is what decides: one put there for a bad signature is believed. */
	attest_sigcache_id(k.xy, digest, other, id);
	attest_sigcache_add(c, id);
	is_int(attest_sigcache_verify(c, k.xy, digest, other, NULL), 0, "an entry saves the verification");
	attest_sigcache_free(&c);
	ok(c == NULL, "and it goes");
}

/* ---- threads ---- */

#define THREADS 8
#define TURNS 200

struct crowd {
	struct bawn_verifier *v;
	struct forge *f; /* [4] platforms */
	_Atomic int wrong, go;
};

static void *verify_many(void *arg)
{
	struct crowd *c = arg;
	struct bawn_verification out;

	while (!c->go)
		;
	for (int i = 0; i < TURNS; i++) {
		const struct forge *f = &c->f[i % 4];

		if (bawn_verify_quote(c->v, f->quote.p, f->quote.n, FORGE_NOW, &anything, &out) || out.ppid[0] != 0x11 + i % 4)
			c->wrong++;
		if (i % 7 == 0) {
			uint8_t bad[8192];

			memcpy(bad, f->quote.p, f->quote.n);
			bad[70] ^= 1;
			if (bawn_verify_quote(c->v, bad, f->quote.n, FORGE_NOW, &anything, &out) != BAWN_ERR_SIGNATURE)
				c->wrong++;
		}
	}
	return NULL;
}

static void test_threads(void)
{
	struct forge f[4];
	struct crowd c = { .f = f };
	struct bawn_collateral col;
	pthread_t t[THREADS];

	for (int i = 0; i < 4; i++) {
		char label[32];

		forge_init(&f[i], BAWN_TEE_SGX);
		snprintf(label, sizeof(label), "thread %d", i);
		forge_key(&f[i].key[FORGE_PCK], label);
		memset(f[i].platform.ppid, 0x11 + i, 16);
		forge_build(&f[i]);
	}
	c.v = verifier_for(&f[0], true);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, verify_many, &c))
			abort();
	c.go = 1;
	/* Meanwhile collateral changes, again and again. */
	col = forge_collateral(&f[0]);
	for (int i = 0; i < 50; i++)
		if (bawn_verifier_add_collateral(c.v, &col, NULL))
			c.wrong++;
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	is_int(c.wrong, 0, "eight threads verify while collateral changes");
	bawn_verifier_free(&c.v);
	for (int i = 0; i < 4; i++)
		forge_free(&f[i]);
}

/* ---- bounds on hostile input ---- */

static void test_hostile(void)
{
	size_t n = 1 << 18;
	uint8_t *big = malloc(n);
	struct bawn_collateral c;
	struct bawn_verification out;
	struct bawn_verifier *v;
	struct forge f;
	int refused = 0;

	forge_init(&f, BAWN_TEE_SGX);
	forge_build(&f);
	v = verifier_for(&f, true);
	for (size_t i = 0; i < n; i++)
		big[i] = "{\"tcbInfo\":["[i < 12 ? i : 11];
	c = (struct bawn_collateral){ .tcb_info = { big, n }, .tcb_chain = forge_collateral(&f).tcb_chain };
	refused += bawn_verifier_add_collateral(v, &c, NULL) != 0; /* nesting */
	memcpy(big, "{\"tcbInfo\":{", 12);
	for (size_t i = 12; i + 10 < n; i += 10)
		snprintf((char *)big + i, 11, "\"%05zx\":1,", i / 10 & 0xfffff);
	refused += bawn_verifier_add_collateral(v, &c, NULL) != 0; /* many members */
	memset(big, '"', n);
	refused += bawn_verifier_add_collateral(v, &c, NULL) != 0;
	memset(big, '-', n);
	c = (struct bawn_collateral){ .tcb_info = forge_collateral(&f).tcb_info, .tcb_chain = { big, n } };
	refused += bawn_verifier_add_collateral(v, &c, NULL) != 0; /* PEM */
	for (size_t i = 0; i < n; i++)
		big[i] = "-----BEGIN CERTIFICATE-----"[i % 27];
	c.tcb_chain.n = ATTEST_CHAIN_TEXT_MAX;
	refused += bawn_verifier_add_collateral(v, &c, NULL) != 0;
	for (size_t i = 0; i + 1 < n; i += 2)
		big[i] = 0x30, big[i + 1] = 0x80;
	c = (struct bawn_collateral){ .root_crl = { big, n } };
	refused += bawn_verifier_add_collateral(v, &c, NULL) != 0; /* DER */
	memset(big, 'a', n);
	refused += bawn_verifier_add_collateral(v, &c, NULL) != 0; /* hexadecimal */
	/* A quote whose chain is as large as a quote may be. */
	memcpy(big, f.quote.p, 436 + 128 + 450 + 34);
	put_le32(big + 432, 60000);
	put_le32(big + 436 + 128 + 450 + 34, 60000 - 128 - 450 - 38);
	for (size_t i = 436 + 128 + 450 + 38; i < n; i++)
		big[i] = "-----BEGIN CERTIFICATE-----"[i % 27];
	refused += bawn_verify_quote(v, big, n, FORGE_NOW, NULL, &out) != 0;
	/* If that took more than an instant, the limit of time that every test has would end it. */
	is_int(refused, 8, "large and odd inputs are refused");
	is_int(reason(v, &f, NULL), BAWN_REASON_NONE, "and leave everything as it was");
	free(big);
	bawn_verifier_free(&v);
	forge_free(&f);
}

int main(void)
{
	test_parts();
	test_early();
	test_eviction();
	test_time();
	test_cache();
	test_threads();
	test_hostile();
	return tap_done();
}
