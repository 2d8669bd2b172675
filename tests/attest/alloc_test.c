/*
 * Allocations of ours, counted and made to fail: the linker sends our calls of
 * malloc and calloc here (tests.mk), and those of OpenSSL where they always go.
 *
 * no-musl: OpenSSL linked statically would be counted, too
 */
#include "tests/attest/forge.h"
#include "tests/tap.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static size_t calls;
static size_t fail_at = SIZE_MAX; /* the call that fails, counted from 0 */

void *__wrap_malloc(size_t n)
{
	return calls++ == fail_at ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return calls++ == fail_at ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return calls++ == fail_at ? NULL : __real_realloc(p, n);
}

/* From nothing to a verdict; 0, or the first code that is not. */
static int all_of_it(const struct forge *f, const struct bawn_root *root, struct bawn_verification *out)
{
	struct bawn_collateral c = forge_collateral(f);
	struct bawn_verifier *v = NULL;
	int r = bawn_verifier_new(&v, root, &out->error);

	if (!r)
		r = bawn_verifier_add_collateral(v, &c, &out->error);
	if (!r)
		r = bawn_verify_quote(v, f->quote.p, f->quote.n, FORGE_NOW, NULL, out);
	bawn_verifier_free(&v);
	return r;
}

int main(void)
{
	struct bawn_verification out = { 0 };
	struct bawn_collateral c;
	struct bawn_verifier *v = NULL;
	struct bawn_root root;
	size_t before, made, held = 0, right = 0, failed = 0;
	struct forge f;

	forge_init(&f, BAWN_TEE_TDX);
	forge_version5(&f, ATTEST_BODY_TD15);
	forge_build(&f);
	root = forge_root(&f);
	c = forge_collateral(&f);
	if (bawn_verifier_new(&v, &root, NULL) || bawn_verifier_add_collateral(v, &c, NULL) ||
	    bawn_verify_quote(v, f.quote.p, f.quote.n, FORGE_NOW, NULL, &out))
		abort();
	before = calls;
	ok(before > 0, "a new verifier allocates");
	for (int i = 0; i < 100; i++)
		held += bawn_verify_quote(v, f.quote.p, f.quote.n, FORGE_NOW, NULL, &out) == 0;
	is_int(held, 100, "a known quote is verified again and again");
	is_int(calls - before, 0, "without an allocation of ours");
	forge_key(&f.attestation, "another");
	forge_quote(&f);
	before = calls;
	held = bawn_verify_quote(v, f.quote.p, f.quote.n, FORGE_NOW, NULL, &out) == 0;
	ok(held && calls - before <= 1, "a new QE report takes one at most, for a bank of the cache");
	bawn_verifier_free(&v);

	/* Every allocation fails once. */
	before = calls;
	is_int(all_of_it(&f, &root, &out), 0, "from nothing to a verdict");
	made = calls - before;
	for (size_t i = 0; i < made; i++) {
		memset(&out, 0, sizeof(out));
		fail_at = calls + i;
		int r = all_of_it(&f, &root, &out);

		/* A bank of the cache that cannot be made costs time, nothing else. */
		failed += r == BAWN_ERR_MEMORY;
		right += r == BAWN_ERR_MEMORY ? out.verdict == BAWN_UNDECIDED : r == 0 && out.verdict == BAWN_ACCEPTED;
	}
	fail_at = SIZE_MAX;
	is_int(right, made, "each allocation that fails is reported, or does no harm");
	ok(failed >= 8, "%zu of %zu are reported", failed, made);
	forge_free(&f);
	return tap_done();
}
