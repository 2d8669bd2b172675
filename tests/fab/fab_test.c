/* The fab as a library: its file, its levels, its certificates. */
#include "fab/fab.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW INT64_C(1767225600) /* 2026-01-01 */

static char base[] = "/tmp/bawn-fab-test.XXXXXX";
static const struct fab_dates dates = { NOW, NOW, NOW + 1000 * FAB_DAY };
static const uint8_t pce[32] = { 0x11, 0x22 };

static const char *below(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	return path;
}

static struct fab *fresh(const char *name, const struct fab_options *o)
{
	struct bawn_error e = { 0 };
	struct fab *f = NULL;

	if (fab_create(below(name), o, &e) || fab_open(&f, below(name), true, &e)) {
		printf("Bail out! %s: %s\n", name, e.msg);
		exit(1);
	}
	return f;
}

/* ---- the file ---- */

/* A fab with one of everything, so that every member has a value to damage. */
static struct fab *full(void)
{
	const struct fab_options o = { .pce_mrsigner = pce, .pce_isvsvn = 5, .dates = dates };
	struct fab_level l = { .svn = 7, .status = BAWN_TCB_OUT_OF_DATE, .date = NOW, .advisory_count = 2,
			       .advisory = { "BAWN-SA-00001", "BAWN-SA-00002" } };
	struct cpu_platform p = { .id = { 1 }, .provision_fuse = { 2 } };
	struct fab *f = fresh("full", &o);
	struct isa_sigstruct s = { .isvsvn = 3, .isvprodid = 1 };
	struct fab_issue i = { .pcesvn = 9, .raw = true, .dates = dates };
	struct buf chain;
	uint32_t n;

	fab_set_qe(f, &s, NOW);
	fab_level_set(f, FAB_PLATFORM_LEVELS, true, &l, NULL);
	buf_init(&chain, 65536);
	is_int(fab_register(f, &p, pce, NULL, &i.platform, NULL), 0, "a platform is registered");
	is_int(fab_issue(f, &i, &n, &chain, NULL), 0, "and gets a certificate");
	f->certificate[n].revoked = (struct fab_revocation){ true, NOW };
	buf_free(&chain);
	return f;
}

static bool accepts(const struct buf *text, struct bawn_error *e)
{
	struct fab *f = calloc(1, sizeof(*f));
	bool good = f && fab_parse(text->p, text->n, f, e) == 0;

	fab_close(&f);
	return good;
}

/* The text with line `at` replaced by `line`. */
static void with_line(const struct buf *text, size_t at, const char *line, struct buf *out)
{
	const char *p = (const char *)text->p, *end = p + text->n;

	buf_init(out, 1 << 20);
	for (size_t i = 0; p < end; i++) {
		size_t n = (size_t)((const char *)memchr(p, '\n', (size_t)(end - p)) - p) + 1;

		if (i == at)
			buf_str(out, line);
		else
			buf_add(out, p, n);
		p += n;
	}
}

/* Each member misspelt, and each value of another kind or length: all refused, each with a reason. */
static void test_damage(const struct buf *text)
{
	const char *p = (const char *)text->p, *end = p + text->n;
	unsigned members = 0, accepted = 0;

	for (size_t at = 0; p < end; at++) {
		size_t n = (size_t)((const char *)memchr(p, '\n', (size_t)(end - p)) - p) + 1;
		char line[4096], bad[4100];

		snprintf(line, sizeof(line), "%.*s", (int)n, p);
		p += n;
		if (!strstr(line, "\": "))
			continue;
		members++;
		for (int how = 0; how < 4; how++) {
			struct bawn_error e = { 0 };
			char *value = strstr(line, "\": ") + 3;
			int head = (int)(value - line);
			bool comma = n > 2 && line[n - 2] == ',';
			struct buf b;

			if (how && (*value == '[' || *value == '{'))
				continue;
			if (how == 0) /* misspelt */
				snprintf(bad, sizeof(bad), "%.*sx%s", head - 3, line, line + head - 3);
			else if (how == 1) /* another kind */
				snprintf(bad, sizeof(bad), "%.*s[]%s\n", head, line, comma ? "," : "");
			else if (how == 2) /* a digit more */
				snprintf(bad, sizeof(bad), "%.*s%s%s\n", head, line,
					 *value == '"' ? "\"000\"" : "18446744073709551616", comma ? "," : "");
			else /* a text with what no member has */
				snprintf(bad, sizeof(bad), "%.*s\"a b\"%s\n", head, line, comma ? "," : "");
			with_line(text, at, bad, &b);
			if (accepts(&b, &e) || !e.msg[0]) {
				accepted++;
				printf("# accepted: %s", bad);
			}
			buf_free(&b);
		}
	}
	ok(members > 60, "there are %u members to damage", members);
	is_int(accepted, 0, "none of them is read when it is damaged");
}

static void test_values(const struct fab *good)
{
	static const char *const cases[] = { "levels in the wrong order", "a certificate of no platform",
					     "an SGX type of 3", "a serial number of zero", "evaluation 0",
					     "a private key of zero" };
	struct fab *f = malloc(sizeof(*f));

	for (size_t i = 0; f && i < ARRAY_LEN(cases); i++) {
		struct bawn_error e = { 0 };
		struct buf b;

		*f = *good;
		switch (i) {
		case 0:
			f->levels[0][1].level[1] = f->levels[0][1].level[0];
			break;
		case 1:
			f->certificate[0].platform = 9;
			break;
		case 2:
			f->platform[0].sgx_type = 3;
			break;
		case 3:
			memset(f->serial[FAB_ROOT], 0, FAB_SERIAL);
			break;
		case 4:
			f->evaluation = 0;
			break;
		default:
			memset(f->key[FAB_PCK_CA].d, 0, 32);
		}
		buf_init(&b, 1 << 20);
		fab_render(f, &b);
		ok(!accepts(&b, &e) && e.msg[0], "refused: %s", cases[i]);
		buf_free(&b);
	}
	free(f);
}

static void test_file(const char *seed)
{
	struct fab *f = full(), *again = NULL;
	struct bawn_error e = { 0 };
	struct buf text, second;

	buf_init(&text, 1 << 20);
	buf_init(&second, 1 << 20);
	fab_render(f, &text);
	if (seed && io_write_file(seed, text.p, text.n, 0644, &e))
		printf("# %s\n", e.msg);
	is_int(fab_save(f, &e), 0, "saved");
	test_damage(&text);
	test_values(f);
	fab_close(&f);
	is_int(fab_open(&again, below("full"), false, &e), 0, "and opened");
	fab_render(again, &second);
	ok(text.n == second.n && memcmp(text.p, second.p, text.n) == 0, "it is the same");
	fab_close(&again);
	text.p[text.n - 2] = ' ';
	ok(!accepts(&text, &e), "a text without its end is refused");
	buf_free(&text);
	buf_free(&second);
	is_int(fab_open(&again, below("none"), false, &e), BAWN_ERR_NOT_FOUND, "no fab: not found");
	mkdir(below("empty"), 0700);
	is_int(fab_open(&again, below("empty"), false, NULL), BAWN_ERR_NOT_FOUND, "an empty directory: not found");
	ok(again == NULL, "nothing is opened");
}

/* ---- creating ---- */

static void test_create(void)
{
	struct fab_options o = { .dates = dates };
	static const char *const bad[] = { "ftp://x", "https://a b", "https://a\"b", "", "localhost" };
	struct bawn_error e = { 0 };
	struct stat st;
	struct fab *f = fresh("first", &o);
	char file[300];

	ok(stat(below("first"), &st) == 0 && (st.st_mode & 0777) == 0700, "nobody else can look into it");
	snprintf(file, sizeof(file), "%s/fab.json", below("first"));
	ok(stat(file, &st) == 0 && (st.st_mode & 0777) == 0600, "nor read its keys");
	fab_close(&f);
	is_int(fab_create(below("first"), &o, &e), BAWN_ERR_USAGE, "a directory that exists is refused");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		o.url = bad[i];
		is_int(fab_create(below("second"), &o, NULL), BAWN_ERR_USAGE, "so is what is no URL");
	}
	ok(stat(below("second"), &st) != 0, "and nothing is left of it");
	o.url = "https://example.test/pcs//";
	f = fresh("third", &o);
	ok(strcmp(f->url, "https://example.test/pcs") == 0, "a slash behind the URL is dropped");
	fab_close(&f);
}

/* ---- levels ---- */

static struct fab_level level(uint8_t first, uint16_t svn, enum bawn_tcb_status status)
{
	struct fab_level l = { .svn = svn, .status = (uint8_t)status, .date = NOW };

	l.components[0] = first;
	return l;
}

static void test_levels(void)
{
	const struct fab_options o = { .dates = dates };
	struct fab *f = fresh("levels", &o);
	const struct fab_levels *set = fab_levels(f, FAB_PLATFORM_LEVELS, false);
	struct fab_level l = level(3, 2, BAWN_TCB_UP_TO_DATE);

	is_int(fab_level_set(f, FAB_PLATFORM_LEVELS, false, &l, NULL), 0, "a higher level");
	l = level(2, 9, BAWN_TCB_OUT_OF_DATE);
	fab_level_set(f, FAB_PLATFORM_LEVELS, false, &l, NULL);
	l = level(2, 10, BAWN_TCB_REVOKED);
	fab_level_set(f, FAB_PLATFORM_LEVELS, false, &l, NULL);
	is_int(set->count, 4, "four levels");
	ok(set->level[0].components[0] == 3 && set->level[1].svn == 10 && set->level[2].svn == 9 &&
		   set->level[3].components[0] == 1,
	   "the highest first, components before PCESVN");
	l = level(2, 10, BAWN_TCB_CONFIGURATION_NEEDED);
	fab_level_set(f, FAB_PLATFORM_LEVELS, false, &l, NULL);
	ok(set->count == 4 && set->level[1].status == BAWN_TCB_CONFIGURATION_NEEDED, "the same versions: replaced");
	ok(fab_levels(f, FAB_PLATFORM_LEVELS, true) == set, "the early set is the standard one");
	is_int(fab_level_adopt(f, NULL), BAWN_ERR_NOT_FOUND, "so there is none to adopt");
	is_int(fab_level_remove(f, FAB_PLATFORM_LEVELS, true, &l, NULL), 0, "until it is changed");
	ok(set->count == 4 && fab_levels(f, FAB_PLATFORM_LEVELS, true)->count == 3, "by itself");
	is_int(fab_level_adopt(f, NULL), 0, "then it is adopted");
	ok(set->count == 3 && !f->has_early && f->evaluation == 2, "with the evaluation number after");
	l = level(9, 9, BAWN_TCB_UP_TO_DATE);
	is_int(fab_level_remove(f, FAB_PLATFORM_LEVELS, false, &l, NULL), BAWN_ERR_NOT_FOUND, "none to remove");
	for (int i = 0; i < 2; i++) {
		l = set->level[0];
		fab_level_remove(f, FAB_PLATFORM_LEVELS, false, &l, NULL);
	}
	l = set->level[0];
	is_int(fab_level_remove(f, FAB_PLATFORM_LEVELS, false, &l, NULL), BAWN_ERR_USAGE, "the last one stays");
	l.status = BAWN_TCB_TD_RELAUNCH_ADVISED;
	is_int(fab_level_set(f, FAB_PLATFORM_LEVELS, false, &l, NULL), BAWN_ERR_USAGE, "a status of no level");
	l = level(0, 1, BAWN_TCB_CONFIGURATION_NEEDED);
	is_int(fab_level_set(f, FAB_QE_LEVELS, false, &l, NULL), BAWN_ERR_USAGE, "a status of no QE level");
	for (unsigned i = 0; i < FAB_LEVELS_MAX; i++) {
		l = level((uint8_t)(10 + i), 0, BAWN_TCB_OUT_OF_DATE);
		fab_level_set(f, FAB_PLATFORM_LEVELS, false, &l, NULL);
	}
	is_int(set->count, FAB_LEVELS_MAX, "as many levels as there can be");
	l = level(200, 0, BAWN_TCB_OUT_OF_DATE);
	is_int(fab_level_set(f, FAB_PLATFORM_LEVELS, false, &l, NULL), BAWN_ERR_USAGE, "and not one more");
	fab_close(&f);
}

/* ---- certificates ---- */

static void leaf_of(const struct buf *chain, struct attest_chain *c, struct attest_pck *pck)
{
	struct bawn_error e = { 0 };

	ok(attest_chain_parse(chain->p, chain->n, c, &e) == 0 && c->count == 3, "a chain of three %s", e.msg);
	is_int(attest_pck_parse(c->cert[0].sgx_extension, pck, &e), 0, "with an SGX extension");
}

static void verify_chain(const struct fab *f, const struct attest_chain *c)
{
	struct attest_anchor a;
	struct bawn_error e = { 0 };
	enum bawn_reason reason;
	struct buf root;

	buf_init(&root, 8192);
	fab_authority_pem(f, FAB_ROOT, &root, NULL);
	is_int(attest_anchor_init(&a, &(struct bawn_root){ .profile = BAWN_PROFILE_EMULATED,
							   .certificate = { root.p, root.n } }, &e), 0,
	       "its root is an emulated platform's");
	is_int(attest_chain_verify(c, ATTEST_ROLE_PCK, &a, NULL, &reason, &e), 0, "the chain holds under it");
	is_int(attest_anchor_init(&a, &(struct bawn_root){ .profile = BAWN_PROFILE_INTEL,
							   .certificate = { root.p, root.n } }, NULL),
	       BAWN_ERR_USAGE, "it is no root under Intel's names");
	buf_free(&root);
}

static void test_issue(void)
{
	const struct fab_options o = { .pce_mrsigner = pce, .pce_isvsvn = 2, .dates = dates };
	struct cpu_platform p = { .id = { 1 }, .provision_fuse = { 2 } }, other = { .provision_fuse = { 3 } };
	struct attest_chain *c = malloc(sizeof(*c));
	struct fab_issue i = { .pcesvn = 4, .dates = dates };
	struct fab *f = fresh("issue", &o);
	uint8_t key[64], ppid[16], serial[FAB_SERIAL];
	uint32_t first, second, number;
	struct attest_pck pck;
	struct buf chain;

	memset(i.cpusvn, 3, 16);
	buf_init(&chain, 1 << 20);
	fab_register(f, &p, pce, NULL, &first, NULL);
	fab_register(f, &other, pce, NULL, &second, NULL);
	ok(first != second && f->platform_count == 2, "two platforms");
	fab_register(f, &p, pce, NULL, &number, NULL);
	ok(number == first && f->platform_count == 2, "are two when one comes again");
	ae_ppid(&p, pce, ppid);
	ok(fab_find_ppid(f, ppid, &number, NULL) == 0 && number == first, "found by PPID");
	ppid[3] ^= 1;
	is_int(fab_find_ppid(f, ppid, &number, NULL), BAWN_ERR_NOT_FOUND, "or not");

	i.platform = first;
	is_int(fab_issue(f, &i, &number, &chain, NULL), 0, "a certificate");
	leaf_of(&chain, c, &pck);
	verify_chain(f, c);
	ok(pck.pcesvn == 2 && pck.components[0] == 1 && pck.cpusvn[15] == 1, "is for the level that is reached");
	ae_pck_public(&p, pce, pck.cpusvn, pck.pcesvn, key, NULL);
	is_mem(c->cert[0].key, key, 64, "and for the key that the PCE derives there");
	ae_ppid(&p, pce, ppid);
	is_mem(pck.ppid, ppid, 16, "of the platform with this PPID");
	memcpy(serial, f->certificate[number].serial, FAB_SERIAL);

	buf_free(&chain);
	fab_issue(f, &i, &number, &chain, NULL);
	is_mem(f->certificate[number].serial, serial, FAB_SERIAL, "asked again: the same one");
	i.dates.now = dates.until + 1;
	buf_free(&chain);
	fab_issue(f, &i, &number, &chain, NULL);
	ok(f->certificate_count == 2, "unless it has ended");
	i.dates.now = NOW;
	f->certificate[0].revoked = f->certificate[1].revoked = (struct fab_revocation){ true, 0 };
	buf_free(&chain);
	fab_issue(f, &i, &number, &chain, NULL);
	ok(f->certificate_count == 3 && !f->certificate[number].revoked.is, "or is revoked");
	i.raw = true;
	buf_free(&chain);
	fab_issue(f, &i, &number, &chain, NULL);
	leaf_of(&chain, c, &pck);
	ok(pck.pcesvn == 4 && pck.components[0] == 3, "raw: for the TCB itself");
	i.raw = false;
	i.pcesvn = 1;
	is_int(fab_issue(f, &i, &number, &chain, NULL), BAWN_ERR_NOT_FOUND, "below every level: none");
	buf_free(&chain);
	free(c);
	fab_close(&f);
}

static void test_names(void)
{
	const struct fab_options o = { .intel_names = true, .processor_ca = true, .pce_mrsigner = pce, .dates = dates };
	struct cpu_platform p = { .provision_fuse = { 2 } };
	struct attest_chain *c = malloc(sizeof(*c));
	struct fab_issue i = { .raw = true, .dates = dates };
	struct fab *f = fresh("names", &o);
	struct attest_pck pck;
	struct buf chain;
	char cn[64];
	uint32_t n;

	buf_init(&chain, 1 << 20);
	fab_register(f, &p, pce, &(struct fab_platform){ .sgx_type = 2, .smt = true }, &i.platform, NULL);
	fab_issue(f, &i, &n, &chain, NULL);
	leaf_of(&chain, c, &pck);
	attest_name_cn(c->cert[1].subject, cn, sizeof(cn));
	ok(strcmp(cn, "Intel SGX PCK Processor CA") == 0, "Intel's names where they are asked for");
	ok(c->cert[0].emulated && c->cert[1].emulated && c->cert[2].emulated, "with the marker all the same");
	ok(!pck.has_piid && !pck.has_configuration && pck.sgx_type == 2, "a Processor CA's certificate is short");
	buf_free(&chain);
	free(c);
	fab_close(&f);
}

static void test_ppid_key(void)
{
	const struct fab_options o = { .dates = dates };
	uint8_t key[AE_PEK_BYTES], junk[AE_PPID_CIPHER_BYTES] = { 0 }, ppid[16];
	struct fab *f = fresh("ppid", &o);

	is_int(fab_ppid_key(f, key, NULL), 0, "the key that PPIDs are encrypted to");
	ok(key[0] & 0x80 && key[387] == 3, "as a PCE takes it");
	ok(fab_decrypt_ppid(f, junk, sizeof(junk), ppid, NULL) != 0, "what it did not encrypt is refused");
	ok(fab_decrypt_ppid(f, junk, 12, ppid, NULL) != 0, "and what is too short");
	fab_close(&f);
}

int main(int argc, char **argv)
{
	if (!mkdtemp(base))
		return 1;
	test_file(argc > 1 ? argv[1] : NULL); /* with an argument: the seed of the fuzz target */
	test_create();
	test_levels();
	test_issue();
	test_names();
	test_ppid_key();
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", base);
	return system(command) || tap_done();
}
