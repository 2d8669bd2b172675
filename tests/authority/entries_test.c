/* Grants and revocations: made, kept, taken back; what a crash, a full disk and a damaged file do. */
#include "tests/authority/kit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct authority_subject root = { .uid = 0, .gid = 0, .section = "native" };

static struct wire_entry entry(enum wire_entry_kind kind, const char *operations, const char *condition)
{
	struct wire_entry x = { .kind = kind };
	struct bawn_error e = { 0 };

	if (authority_match_operations(&x.match, operations, &e) ||
	    (condition && authority_match_word(&x.match, condition, &kit_names, &e)))
		ok(false, "%s", e.msg);
	return x;
}

static int add(struct authority_entries *x, struct wire_entry n, bool locked, struct authority_change *c)
{
	struct bawn_error e = { 0 };

	return authority_entries_add(x, &n, &root, locked, 1000, c, &e);
}

static struct authority_entries *load(int dir, int want)
{
	struct authority_entries *x = NULL;
	struct bawn_error e = { 0 };

	is_int(authority_entries_load(&x, dir, &e), want, "load");
	return x;
}

static void test_making(void)
{
	int dir = kit_dir();
	struct authority_entries *x = load(dir, 0);
	struct authority_change c;
	struct wire_entry removed;
	struct bawn_error e = { 0 };
	bool kept = false;

	is_int(add(x, entry(WIRE_REVOCATION, "quote", "uid=5"), false, &c), 0, "a revocation");
	ok(c.id == 1 && c.kept && !c.lifted && !c.blocker, "... is kept");
	is_int(add(x, entry(WIRE_GRANT, "quote", "gid=5"), false, &c), 0, "a grant");
	ok(c.id == 2 && c.blocker == 1, "... in whose way a revocation may stand");
	is_int(add(x, entry(WIRE_GRANT, "certify", "gid=5"), false, &c), 0, "another");
	is_int(c.blocker, 0, "... in whose way none does");
	is_int(add(x, entry(WIRE_GRANT, "quote", "uid=6"), false, &c), 0, "one for somebody else");
	is_int(c.blocker, 0, "... neither");
	is_int(add(x, entry(WIRE_GRANT, "quote", "uid=5"), false, &c), 0, "the same as was revoked");
	ok(c.lifted == 1 && c.id == 5, "... takes its place");
	is_int(add(x, entry(WIRE_GRANT, "quote", "uid=5"), false, &c), 0, "... and once more");
	ok(c.lifted == 0 && c.id == 6, "... has a number of its own");
	is_int(authority_entries_count(x, WIRE_GRANT), 4, "equal grants are one");
	is_int(authority_entries_count(x, WIRE_REVOCATION), 0, "no revocation is left");
	authority_entries_free(&x);

	x = load(dir, 0);
	is_int(authority_entries_count(x, WIRE_GRANT), 4, "all are there after a restart");
	ok(authority_entries_at(x, 3)->id == 6 && authority_entries_at(x, 3)->made == 1000 &&
		   authority_entries_at(x, 3)->match.uid_first == 5 && !authority_entries_at(x, 4),
	   "... as they were");
	is_int(authority_entries_remove(x, 6, false, &removed, &kept, &e), 0, "one is removed");
	ok(removed.id == 6 && kept, "... for good");
	is_int(authority_entries_remove(x, 6, false, NULL, &kept, &e), BAWN_ERR_NOT_FOUND, "... and is gone");
	is_int(add(x, entry(WIRE_REVOCATION, "any", NULL), false, &c), 0, "everything is revoked");
	is_int(c.id, 7, "numbers are not used twice");
	authority_entries_free(&x);
	x = load(dir, 0);
	is_int(authority_entries_count(x, WIRE_GRANT), 3, "that is so after another restart");
	is_int(add(x, entry(WIRE_GRANT, "status", NULL), false, &c), 0, "another grant");
	is_int(c.id, 8, "... has the next number");
	authority_entries_free(&x);
}

static void test_refused(void)
{
	struct authority_entries *x = load(-1, 0);
	struct authority_subject group = { .uid = 7, .gid = 8, .section = "native" };
	struct wire_entry n;
	struct authority_change c;
	struct bawn_error e = { 0 };
	bool kept;

	is_int(add(x, entry(WIRE_GRANT, "quote,administer", NULL), false, &c), BAWN_ERR_DENIED,
	       "nobody grants administer");
	is_int(add(x, entry(WIRE_GRANT, "quote", NULL), true, &c), BAWN_ERR_DENIED,
	       "nothing is granted while the policy is locked");
	is_int(add(x, entry(WIRE_REVOCATION, "any,administer", "uid=0"), false, &c), BAWN_ERR_USAGE,
	       "nobody revokes himself");
	is_int(add(x, entry(WIRE_REVOCATION, "any,administer", NULL), false, &c), BAWN_ERR_USAGE,
	       "... nor with everybody");
	n = entry(WIRE_REVOCATION, "administer", "gid=8");
	is_int(authority_entries_add(x, &n, &group, false, 0, &c, &e), BAWN_ERR_USAGE, "... nor his group");
	n = entry(WIRE_REVOCATION, "administer", "cgroup=/a");
	is_int(authority_entries_add(x, &n, &group, false, 0, &c, &e), BAWN_ERR_USAGE,
	       "... nor what may be his control group");
	is_int(add(x, entry(WIRE_REVOCATION, "any,administer", "uid=1"), false, &c), 0, "others he does");
	is_int(add(x, entry(WIRE_REVOCATION, "quote", "uid=2"), true, &c), 0, "also while the policy is locked");
	is_int(authority_entries_remove(x, c.id, true, NULL, &kept, &e), BAWN_ERR_DENIED,
	       "... but takes no revocation back then");
	n = entry(WIRE_GRANT, "quote", NULL);
	n.expires = 1000;
	is_int(add(x, n, false, &c), BAWN_ERR_USAGE, "a grant that is over");
	n.kind = 3;
	is_int(add(x, n, false, &c), BAWN_ERR_USAGE, "an entry of no kind");
	n = entry(WIRE_GRANT, "quote", NULL);
	n.match.operations = 0;
	is_int(add(x, n, false, &c), BAWN_ERR_USAGE, "a match that does not hold together");
	for (uint32_t i = 0; i < AUTHORITY_ENTRIES_MAX - 2; i++) {
		n = entry(WIRE_GRANT, "quote", NULL);
		n.match.has = WIRE_HAS_UID;
		n.match.uid_first = n.match.uid_last = 100 + i;
		if (add(x, n, false, &c))
			ok(false, "grant %u", i);
	}
	is_int(add(x, entry(WIRE_GRANT, "launch", NULL), false, &c), BAWN_ERR_MEMORY, "the list has an end");
	is_int(add(x, n, false, &c), 0, "... but takes what replaces another");
	authority_entries_free(&x);
}

static void test_tidy(void)
{
	int dir = kit_dir();
	struct authority_entries *x = load(dir, 0);
	struct wire_entry n = entry(WIRE_GRANT, "quote", NULL);
	struct authority_change c;
	struct bawn_error e = { 0 };

	n.expires = 2000;
	add(x, n, false, &c);
	is_int(authority_entries_tidy(x, 1999, &e), 0, "tidied too early");
	is_int(authority_entries_count(x, WIRE_GRANT), 1, "... it is there");
	is_int(authority_entries_tidy(x, 2000, &e), 0, "tidied");
	authority_entries_free(&x);
	x = load(dir, 0);
	is_int(authority_entries_count(x, WIRE_GRANT), 0, "a grant that is over is gone");
	authority_entries_free(&x);
}

/* ---- damage ---- */

static void test_damage(void)
{
	int dir = kit_dir();
	struct authority_entries *x = load(dir, 0);
	struct authority_policy *p = kit_policy("[native]\nallow any,administer\n");
	struct authority_change c;
	struct wire_decision d;
	struct bawn_error e = { 0 };
	unsigned bad = 0, n_changes = 0;
	uint8_t *good, *copy;
	size_t n;

	add(x, entry(WIRE_REVOCATION, "quote", "uid=5"), false, &c);
	authority_entries_free(&x);
	is_int(io_read_file_at(dir, AUTHORITY_ENTRIES_FILE, 100000, &good, &n, &e), 0, "the file");
	copy = malloc(n + 1);
	for (size_t i = 0; i <= n; i++) {
		size_t len = n;

		memcpy(copy, good, n);
		if (i < n)
			copy[i] ^= 0x10;
		else
			copy[len++] = 0;
		if (i % 7 && i < n - 40) /* every seventh byte, and the end */
			continue;
		n_changes++;
		memset(&e, 0, sizeof(e));
		io_write_file_at(dir, AUTHORITY_ENTRIES_FILE, copy, len, 0600, &e);
		bad += authority_entries_load(&x, dir, &e) != BAWN_ERR_FORMAT || !authority_entries_damaged(x);
		authority_entries_free(&x);
	}
	ok(!bad, "%u changes of a byte are all found", n_changes);
	bad = 0;
	for (size_t len = 0; len < n; len += 11) {
		memset(&e, 0, sizeof(e));
		io_write_file_at(dir, AUTHORITY_ENTRIES_FILE, good, len, 0600, &e);
		bad += authority_entries_load(&x, dir, &e) != BAWN_ERR_FORMAT;
		authority_entries_free(&x);
	}
	ok(!bad, "and so is what is cut short");
	memset(&e, 0, sizeof(e));
	is_int(authority_entries_load(&x, dir, &e), BAWN_ERR_FORMAT, "with a damaged file");
	authority_decide(p, x, &root, WIRE_OP_ADMINISTER, NULL, 0, &d);
	ok(!d.allowed && d.reason == WIRE_REASON_DAMAGED, "... nothing is allowed");
	is_int(add(x, entry(WIRE_REVOCATION, "quote", NULL), false, &c), BAWN_ERR_DENIED,
	       "... and the file is left as it is");
	is_int(authority_entries_tidy(x, 0, &e), 0, "... by tidying as well");
	authority_entries_free(&x);
	is_int(authority_state_write(dir, "other", good, n, 0, &e), 0, "another state file");
	renameat(dir, "other", dir, AUTHORITY_ENTRIES_FILE);
	memset(&e, 0, sizeof(e));
	is_int(authority_entries_load(&x, dir, &e), BAWN_ERR_FORMAT, "... does not pass for this one");
	authority_entries_free(&x);
	free(good);
	free(copy);
	free(p);
}

/* ---- what cannot be written ---- */

static void test_unwritable(void)
{
	int dir = kit_dir();
	struct authority_entries *x = load(dir, 0);
	struct rlimit old, none = { 0 };
	struct authority_change c;
	struct bawn_error e = { 0 };
	bool kept = true;
	int rc;

	add(x, entry(WIRE_GRANT, "quote", NULL), false, &c);
	add(x, entry(WIRE_REVOCATION, "certify", NULL), false, &c);
	/* No file can grow: what a full disk is, for any user. */
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	none.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_FSIZE, &none);
	is_int(add(x, entry(WIRE_REVOCATION, "launch", NULL), false, &c), 0, "a revocation that cannot be kept");
	ok(!c.kept, "... says so");
	is_int(authority_entries_count(x, WIRE_REVOCATION), 2, "... and holds");
	rc = authority_entries_remove(x, 2, false, NULL, &kept, &e);
	ok(rc == BAWN_ERR_SYSTEM && authority_entries_count(x, WIRE_REVOCATION) == 2,
	   "a revocation that cannot be removed stays");
	is_int(authority_entries_remove(x, 1, false, NULL, &kept, &e), 0, "a grant is removed");
	ok(!kept && !authority_entries_count(x, WIRE_GRANT), "... at once, and not for good");
	setrlimit(RLIMIT_FSIZE, &old);
	memset(&e, 0, sizeof(e));
	is_int(authority_entries_tidy(x, 0, &e), 0, "when there is room again it is written");
	authority_entries_free(&x);
	x = load(dir, 0);
	ok(authority_entries_count(x, WIRE_REVOCATION) == 2 && !authority_entries_count(x, WIRE_GRANT),
	   "... all of it");
	authority_entries_free(&x);
}

/* The space for the next version is there before it is needed. */
static void test_reserve(void)
{
	int dir = kit_dir();
	struct bawn_error e = { 0 };
	struct stat st;
	uint8_t *p;
	size_t n;

	is_int(authority_state_write(dir, "state", "abc", 3, 8192, &e), 0, "a state file");
	is_int(fstatat(dir, "state.new", &st, 0), 0, "... has the place of its next version");
	ok(st.st_size >= 8192 && st.st_blocks * 512 >= 8192, "... which is allocated");
	is_int(authority_state_write(dir, "state", "abcd", 4, 0, &e), 0, "the next version");
	is_int(authority_state_read(dir, "state", 4, &p, &n, &e), 0, "... can be read");
	ok(n == 4 && memcmp(p, "abcd", 4) == 0, "... and has just its own bytes");
	free(p);
	is_int(authority_state_read(dir, "state", 3, &p, &n, &e), BAWN_ERR_FORMAT, "... within bounds");
	memset(&e, 0, sizeof(e));
	is_int(authority_state_read(dir, "none", 3, &p, &n, &e), BAWN_ERR_NOT_FOUND, "what was never written");
	is_int(authority_state_write(dir, "a/b", "", 0, 0, &e), BAWN_ERR_USAGE, "a name that is a path");
	is_int(authority_state_write(dir, "", "", 0, 0, &e), BAWN_ERR_USAGE, "no name");
	unlinkat(dir, "state.new", 0);
	is_int(symlinkat("elsewhere", dir, "state.new"), 0, "a link in its place");
	is_int(authority_state_write(dir, "state", "x", 1, 0, &e), BAWN_ERR_SYSTEM, "a link is not followed");
	ok(faccessat(dir, "elsewhere", F_OK, 0) != 0, "... nothing was written behind it");
	fstatat(dir, "state", &st, 0);
	is_int(st.st_mode & 07777, 0600, "nobody else may read it");
}

/* ---- killed at any instant ---- */

static void write_for_ever(int dir, int told)
{
	struct authority_entries *x = NULL;
	struct bawn_error e = { 0 };

	if (authority_entries_load(&x, dir, &e))
		_exit(1);
	for (;;) {
		struct authority_change c;
		uint64_t id;

		if (add(x, entry(WIRE_REVOCATION, "quote", "uid=5"), false, &c) || !c.kept)
			_exit(2);
		id = c.id;
		if (write(told, &id, sizeof(id)) != sizeof(id))
			_exit(3);
		if (add(x, entry(WIRE_GRANT, "quote", "uid=5"), false, &c) || !c.kept)
			_exit(4);
	}
}

static void test_killed(void)
{
	int dir = kit_dir(), rounds = 40, whole = 0, progressed = 0;
	uint64_t last = 0;

	for (int i = 0; i < rounds; i++) {
		struct authority_entries *x = NULL;
		struct bawn_error e = { 0 };
		const struct wire_entry *found;

		if (!kit_killed(write_for_ever, dir, i, &last, sizeof(last)))
			continue;
		if (authority_entries_load(&x, dir, &e) == 0) {
			/* What the writer was told to be kept, or what came after it. */
			found = authority_entries_at(x, 0);
			whole += last == 0 || (found && found->id >= last);
			progressed += last != 0;
		} else {
			printf("# round %d: %s\n", i, e.msg);
		}
		authority_entries_free(&x);
	}
	is_int(whole, rounds, "killed at forty instants, nothing that was kept is lost, and nothing torn");
	ok(progressed > 0, "... in %d rounds something had been kept", progressed);
}

int main(void)
{
	test_making();
	test_refused();
	test_tidy();
	test_damage();
	test_unwritable();
	test_reserve();
	test_killed();
	return tap_done();
}
