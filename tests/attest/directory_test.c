/* Collateral in directories: keys, parts, replacing a set while it is read. */
#include "attest/attest.h"
#include "tests/tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[64];

static void put(struct attest_bundle *b, enum attest_part part, const char *text)
{
	struct bawn_error e = { 0 };

	if (attest_bundle_put(b, part, text, strlen(text), &e))
		ok(false, "attest_bundle_put: %s", e.msg);
}

static bool has(const struct attest_bundle *b, enum attest_part part, const char *text)
{
	const struct attest_file *f = &b->part[part];

	return text ? f->p && f->n == strlen(text) && memcmp(f->p, text, f->n) == 0 : !f->p;
}

static void keys(void)
{
	static const char *const good[] = { "sgx-00606a000000", "sgx-00606a000000-platform", "tdx-00606a000000-early",
					    "tdx-b0c06f000000-processor-early" };
	static const char *const bad[] = { "", "sgx", "sgx-00606A000000", "sgx-00606a00000", "sgx-00606a000000-",
					   "sgx-00606a000000-root", "sgx-00606a000000-platform-late",
					   "sgx-00606a000000-early-platform", "sgz-00606a000000", ".new.sgx-00606a000000",
					   "sgx-00606a000000-platformx", "sgx_00606a000000" };
	struct attest_key k;
	char name[ATTEST_KEY_NAME];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		bool is = attest_key_parse(good[i], &k);

		attest_key_name(&k, name);
		ok(is && strcmp(name, good[i]) == 0, "a key: %s", good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ok(!attest_key_parse(bad[i], &k), "no key: %s", bad[i]);
}

static unsigned entries(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n - 2;
}

static void writing(void)
{
	const struct attest_key k = { .tee = BAWN_TEE_TDX, .fmspc = { 1, 2, 3, 4, 5, 6 }, .ca = "platform" };
	struct attest_bundle a = { 0 }, b;
	struct bawn_error e = { 0 };
	char store[128], set[256];

	snprintf(store, sizeof(store), "%s/store", top);
	snprintf(set, sizeof(set), "%s/tdx-010203040506-platform", store);
	is_int(attest_dir_read(store, &k, &b, &e), BAWN_ERR_NOT_FOUND, "no store yet");
	put(&a, ATTEST_PART_TCB_INFO, "one");
	put(&a, ATTEST_PART_PCK_CRL, "two");
	e = (struct bawn_error){ 0 };
	is_int(attest_dir_write(store, &k, &a, &e), 0, "a set is written, and its store made");
	is_int(attest_dir_read(store, &k, &b, &e), 0, "and read");
	ok(has(&b, ATTEST_PART_TCB_INFO, "one") && has(&b, ATTEST_PART_PCK_CRL, "two") &&
		   has(&b, ATTEST_PART_ROOT_CRL, NULL),
	   "with the parts it has");
	attest_bundle_free(&b);
	attest_bundle_free(&a);
	put(&a, ATTEST_PART_ROOT_CRL, "three");
	is_int(attest_dir_write(store, &k, &a, &e), 0, "another set in its place");
	is_int(attest_dir_read(store, &k, &b, &e), 0, "is read");
	ok(has(&b, ATTEST_PART_TCB_INFO, NULL) && has(&b, ATTEST_PART_ROOT_CRL, "three"), "nothing of the old is left");
	attest_bundle_free(&b);
	is_int(entries(store), 2, "the store has the set and the lock, nothing else");
	is_int(entries(set), 1, "the set has its part");
	e = (struct bawn_error){ 0 };
	is_int(attest_dir_write(set, &k, &a, &e), BAWN_ERR_USAGE, "a set is no store");
	e = (struct bawn_error){ 0 };
	is_int(attest_bundle_read(&b, top, &e), BAWN_ERR_NOT_FOUND, "a directory without parts");
	attest_bundle_free(&a);
}

static int count_set(void *arg, const char *path, bool early, struct bawn_error *e)
{
	unsigned *count = arg;

	(void)e;
	count[early]++;
	return strstr(path, "stop") ? 7 : 0;
}

static void listing(void)
{
	struct attest_key k = { .tee = BAWN_TEE_SGX, .fmspc = { 9 } };
	struct attest_bundle a = { 0 };
	unsigned count[2] = { 0, 0 };
	char store[128], other[256];
	struct bawn_error e = { 0 };

	snprintf(store, sizeof(store), "%s/list", top);
	put(&a, ATTEST_PART_TCB_INFO, "x");
	for (unsigned i = 0; i < 6; i++) {
		k.early = i & 1;
		k.fmspc[5] = (uint8_t)(i / 2);
		attest_dir_write(store, &k, &a, &e);
	}
	snprintf(other, sizeof(other), "%s/something-else", store);
	mkdir(other, 0755);
	is_int(attest_dir_each(store, count_set, count, &e), 0, "each set of a store");
	ok(count[0] == 3 && count[1] == 3, "standard and early ones, and no other directory");
	snprintf(other, sizeof(other), "%s/none", top);
	e = (struct bawn_error){ 0 };
	is_int(attest_dir_each(other, count_set, count, &e), BAWN_ERR_NOT_FOUND, "no store");
	attest_bundle_free(&a);
}

static void infer(void)
{
	static const char chain[] = "x -----END CERTIFICATE----- rest", *crl = "crl";
	struct attest_bundle b = { 0 };
	struct bawn_error e = { 0 };

	is_int(attest_bundle_infer(&b, cur_make(chain, strlen(chain)), &e), 0, "no list: nothing to infer");
	ok(has(&b, ATTEST_PART_PCK_CRL_CHAIN, NULL), "no chain either");
	put(&b, ATTEST_PART_PCK_CRL, crl);
	is_int(attest_bundle_infer(&b, (struct cur){ 0 }, &e), 0, "no chain to infer from");
	ok(has(&b, ATTEST_PART_PCK_CRL_CHAIN, NULL), "none inferred");
	is_int(attest_bundle_infer(&b, cur_make(chain, strlen(chain)), &e), 0, "from the quote's chain");
	ok(has(&b, ATTEST_PART_PCK_CRL_CHAIN, " rest"), "what is above the leaf");
	is_int(attest_bundle_infer(&b, cur_make("END", 3), &e), 0, "it is there now");
	ok(has(&b, ATTEST_PART_PCK_CRL_CHAIN, " rest"), "and stays");
	attest_bundle_free(&b);
}

/* ---- one thread replaces a set, another reads it: never a mixture ---- */

static atomic_bool stop;
static atomic_uint replaced;
static char race_store[128];
static const struct attest_key race_key = { .fmspc = { 7 } };

static void *replace(void *arg)
{
	struct bawn_error *e = arg;

	for (unsigned i = 0; !atomic_load(&stop) && !e->code; i++) {
		struct attest_bundle a = { 0 };
		char text[16];

		atomic_store(&replaced, i);
		snprintf(text, sizeof(text), "%u", i);
		for (enum attest_part part = 0; part < ATTEST_PARTS; part++)
			put(&a, part, text);
		attest_dir_write(race_store, &race_key, &a, e);
		attest_bundle_free(&a);
	}
	return NULL;
}

static bool is_uniform(const struct attest_bundle *b)
{
	for (enum attest_part part = 0; part < ATTEST_PARTS; part++)
		if (!b->part[part].p || b->part[part].n != b->part[0].n ||
		    memcmp(b->part[part].p, b->part[0].p, b->part[0].n) != 0)
			return false;
	return true;
}

static void race(void)
{
	const uint64_t until = clock_ns() + 3000000000u;
	struct bawn_error e = { 0 };
	unsigned mixed = 0, failed = 0;
	struct attest_bundle b;
	pthread_t t;

	snprintf(race_store, sizeof(race_store), "%s/race", top);
	pthread_create(&t, NULL, replace, &e);
	while (atomic_load(&replaced) < 50 && !e.code && clock_ns() < until) {
		bool there = atomic_load(&replaced) > 0;

		if (attest_dir_read(race_store, &race_key, &b, NULL)) {
			failed += there;
			continue;
		}
		mixed += !is_uniform(&b);
		attest_bundle_free(&b);
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	is_int(e.code, 0, "replacing a set again and again");
	ok(atomic_load(&replaced) > 0, "%u times", atomic_load(&replaced));
	is_int(mixed, 0, "a reader never sees two sets at once");
	is_int(failed, 0, "nor none");
}

int main(void)
{
	char command[128];

	snprintf(top, sizeof(top), "%s/bawn-dir.XXXXXX", "/tmp");
	if (!mkdtemp(top))
		return skip_all("no temporary directory");
	keys();
	writing();
	listing();
	infer();
	race();
	snprintf(command, sizeof(command), "rm -rf %s", top);
	if (system(command))
		printf("# %s is left behind\n", top);
	return tap_done();
}
