/* The audit log: what is written, what a change of it looks like, what crashes and full disks leave. */
#include "tests/authority/kit.h"
#include "authority/internal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct authority_audit *open_log(int dir, const struct authority_audit_options *o)
{
	struct authority_audit *a = NULL;
	struct bawn_error e = { 0 };

	if (authority_audit_open(&a, dir, o, &e))
		ok(false, "cannot open: %s", e.msg);
	return a;
}

static int append(struct authority_audit *a, unsigned i)
{
	struct role_audit ev = { .event = WIRE_AUDIT_REQUEST, .operation = WIRE_OP_QUOTE, .protocol = ROLE_NATIVE,
				 .time = UINT64_C(1700000000123456) + i * 1000000, .reason = WIRE_REASON_RULE,
				 .line = 12, .has_subject = true, .uid = i, .gid = 100, .pid = 42,
				 .socket = "native", .cgroup = "/system.slice/a.service" };
	struct bawn_error e = { 0 };

	ev.identity = kit_identity((uint8_t)i, 0xbb);
	return authority_audit_append(a, &ev, &e);
}

/* A log of n lines (and its BEGIN), closed. */
static int make_log(unsigned n, const struct authority_audit_options *o)
{
	int dir = kit_dir();
	struct authority_audit *a = open_log(dir, o);

	for (unsigned i = 0; a && i < n; i++)
		if (append(a, i))
			ok(false, "append %u", i);
	authority_audit_free(&a);
	return dir;
}

static struct authority_audit_key read_key(int dir)
{
	struct authority_audit_key k = { { 0 }, { 0 } };
	struct bawn_error e = { 0 };
	uint8_t *p;
	size_t n;

	if (io_read_file_at(dir, AUTHORITY_AUDIT_KEY_FILE, 1000, &p, &n, &e) == 0) {
		if (authority_audit_key_parse((char *)p, n, &k, &e))
			ok(false, "%s", e.msg);
		free(p);
	} else {
		ok(false, "%s", e.msg);
	}
	return k;
}

static struct authority_audit_report report;

static enum authority_audit_finding verify(int dir, const struct wire_anchor *head)
{
	struct authority_audit_key k = read_key(dir);
	struct bawn_error e = { 0 };

	if (authority_audit_verify(dir, &k, head, &report, &e))
		ok(false, "verify: %s", e.msg);
	return report.finding;
}

static void found(int dir, enum authority_audit_finding want, const char *name)
{
	enum authority_audit_finding got = verify(dir, NULL);

	if (!ok(got == want, "%s: %s", name, authority_audit_finding_name(want)))
		printf("# %s: %s\n", authority_audit_finding_name(got), report.text);
}

/* ---- files, as an attacker has them ---- */

static char *slurp(int dir, const char *name, size_t *n)
{
	struct bawn_error e = { 0 };
	uint8_t *p;
	char *s;

	if (io_read_file_at(dir, name, 64u << 20, &p, n, &e))
		return NULL;
	s = malloc(*n + 1);
	memcpy(s, p, *n);
	s[*n] = '\0';
	free(p);
	return s;
}

/* In place and without a sync: there are thousands of them. */
static void spill(int dir, const char *name, const char *p, size_t n)
{
	struct bawn_error e = { 0 };
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || io_write_full(fd, p, n, &e))
		ok(false, "cannot write %s", name);
	close(fd);
}

#define FIRST "audit-000000000001.log"

static char *line_at(char *text, unsigned line)
{
	while (line-- > 1)
		text = strchr(text, '\n') + 1;
	return text;
}

/* ---- lines ---- */

static void test_line(void)
{
	int dir = kit_dir();
	struct authority_audit *a = open_log(dir, NULL);
	struct role_audit ev = { .event = WIRE_AUDIT_REQUEST, .operation = WIRE_OP_LAUNCH, .protocol = ROLE_AESM,
				 .time = UINT64_C(1700000000123456), .code = WIRE_DENIED,
				 .reason = WIRE_REASON_REVOKED, .entry = 5, .has_subject = true, .uid = 1000,
				 .gid = 100, .pid = 42, .socket = "aesm", .cgroup = "/a \"b\"\\%",
				 .note = "why\x01\xff" };
	struct authority_line l;
	struct bawn_error e = { 0 };
	char *text, *end, got[64];
	size_t n;

	ev.identity = kit_identity(0xaa, 0xbb);
	is_int(authority_audit_append(a, &ev, &e), 0, "a line");
	authority_audit_free(&a);
	text = slurp(dir, FIRST, &n);
	end = strchr(text, '\n') + 1;
	n = strlen(end) - 1;
	is_mem(end,
	       "{\"n\":2,\"time\":\"2023-11-14T22:13:20.123456Z\",\"event\":\"request\",\"operation\":\"launch\","
	       "\"answer\":\"denied\",\"rule\":\"revocation 5\",\"protocol\":\"aesm\",\"socket\":\"aesm\","
	       "\"uid\":1000,\"gid\":100,\"pid\":42,\"cgroup\":\"/a %22b%22%5C%25\",\"mrenclave\":\"aaaaaaaa",
	       236, "as it is written");
	is_int(authority_line_parse(end, n, &l, &e), 0, "it is taken apart");
	ok(l.n == 2 && l.uid == 1000 && l.pid == 42 && l.has_subject && jread_is(l.answer, "denied") &&
		   l.identity.known == WIRE_KNOWN_ALL && l.identity.svn == 2 &&
		   l.identity.attributes == ATTR_MODE64BIT && l.identity.mrsigner[0] == 0xbb,
	   "... to the same");
	authority_line_text(l.cgroup, got, sizeof(got));
	is_str(got, "/a \"b\"\\%", "texts are as they were");
	authority_line_text(l.note, got, sizeof(got));
	is_str(got, "why??", "but for what cannot be printed");
	authority_line_text(l.cgroup, got, 4);
	is_str(got, "/a ", "... cut to fit");
	for (size_t k = 0; k < n; k++)
		if (authority_line_parse(end, k, &l, &e) == 0)
			ok(false, "cut to %zu bytes it is no line", k);
	free(text);
}

static void test_line_refused(void)
{
#define MAC ",\"mac\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"
	static const char *const bad[] = {
		"{\"n\":1,\"time\":\"t\",\"event\":\"e\"}",
		"{\"n\":0,\"time\":\"t\",\"event\":\"e\"" MAC,
		"{\"time\":\"t\",\"event\":\"e\"" MAC,
		"{\"n\":1,\"event\":\"e\"" MAC,
		"{\"n\":1,\"time\":\"t\"" MAC,
		"{\"n\":-1,\"time\":\"t\",\"event\":\"e\"" MAC,
		"{\"n\":1,\"n\":2,\"time\":\"t\",\"event\":\"e\"" MAC,
		"{\"n\":1,\"time\":\"t\",\"event\":1" MAC,
		"{\"n\":1,\"time\":\"t\",\"event\":\"\\u0041\"" MAC,
		"{\"n\":1,\"time\":\"t\",\"event\":\"e\",\"uid\":4294967296" MAC,
		"{\"n\":1,\"time\":\"t\",\"event\":\"e\",\"product\":65536" MAC,
		"{\"n\":1,\"time\":\"t\",\"event\":\"e\",\"svn\":\"1\"" MAC,
		"{\"n\":1,\"time\":\"t\",\"event\":\"e\",\"mrenclave\":\"aa\"" MAC,
		"{\"n\":1,\"time\":\"t\",\"event\":\"e\",\"attributes\":\"00\"" MAC,
		"{\"n\":1,\"time\":\"t\",\"event\":\"e\",\"log\":\"00\"" MAC,
		"{\"n\":1,\"time\":\"t\",\"event\":\"e\",\"before\":1" MAC,
		"[\"n\",1,\"time\",\"t\",\"event\",\"e\"" MAC,
		MAC,
	};
	static const char good[] = "{\"n\":1,\"time\":\"t\",\"event\":\"e\",\"later\":[1]" MAC;
	struct authority_line l;
	struct bawn_error e = { 0 };

	is_int(authority_line_parse(good, strlen(good), &l, &e), 0, "what a later release says is passed over");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		is_int(authority_line_parse(bad[i], strlen(bad[i]), &l, &e), BAWN_ERR_FORMAT, bad[i]);
}

/* ---- the head that was kept elsewhere ---- */

static enum authority_audit_finding compared(int dir, const struct authority_audit_options *o,
					     const struct wire_anchor *kept)
{
	struct authority_audit *a = open_log(dir, o);
	struct role_line line;
	struct bawn_error e = { 0 };
	enum authority_audit_finding f = AUTHORITY_AUDIT_FINDINGS;

	if (a && authority_audit_look(a, kept->count, &line, &e) == 0)
		f = authority_anchor_compare(kept, &line);
	authority_audit_free(&a);
	return f;
}

static void test_kept(void)
{
	const struct authority_audit_options small = { .segment_bytes = 65536, .segments = 2 };
	int dir = make_log(10, NULL), other = make_log(20, NULL);
	struct authority_audit *a = open_log(dir, NULL);
	struct wire_anchor kept;
	char *text;
	size_t n;

	authority_audit_head(a, &kept);
	is_int(kept.count, 11, "a head is kept");
	append(a, 11);
	authority_audit_free(&a);
	is_int(compared(dir, NULL, &kept), AUTHORITY_AUDIT_SOUND, "the log goes on from there");
	is_int(compared(other, NULL, &kept), AUTHORITY_AUDIT_OTHER, "another log does not");
	kept.mac[31] ^= 1;
	is_int(compared(dir, NULL, &kept), AUTHORITY_AUDIT_CHANGED, "nor one with another line there");
	kept.count = 13;
	is_int(compared(dir, NULL, &kept), AUTHORITY_AUDIT_CUT, "nor one that ends before it");
	a = open_log(dir, NULL);
	authority_audit_head(a, &kept);
	authority_audit_free(&a);
	text = slurp(dir, FIRST, &n);
	*strrchr(text, 'n') = '\0'; /* somewhere in the last line */
	if (io_write_file_at(dir, FIRST, text, strlen(text), 0600, NULL))
		ok(false, "cannot cut");
	free(text);
	is_int(compared(dir, NULL, &kept), AUTHORITY_AUDIT_MISSING, "nor one that goes on behind a gap");

	dir = make_log(10, &small);
	a = open_log(dir, &small);
	authority_audit_head(a, &kept);
	for (unsigned i = 0; i < 1000; i++)
		append(a, i);
	authority_audit_free(&a);
	is_int(compared(dir, &small, &kept), AUTHORITY_AUDIT_SOUND, "one whose old files went, on record, does");
}

/* ---- verifying ---- */

static void test_sound(void)
{
	int dir = make_log(20, NULL);
	struct authority_audit *a;
	struct wire_anchor head;
	struct stat st;
	uint64_t last;
	struct bawn_error e = { 0 };

	found(dir, AUTHORITY_AUDIT_SOUND, "a log as it was written");
	ok(report.first == 1 && report.last == 21 && !report.lost && !report.recovered, "... of 21 lines");
	a = open_log(dir, NULL);
	authority_audit_head(a, &head);
	is_int(head.count, 21, "opened again it goes on");
	append(a, 7);
	authority_audit_head(a, &head);
	is_int(head.count, 21, "the head is what is on disk");
	is_int(authority_audit_sync(a, &e), 0, "synced");
	authority_audit_head(a, &head);
	is_int(head.count, 22, "... it moves");
	append(a, 8);
	found(dir, AUTHORITY_AUDIT_SOUND, "while it is being written");
	is_int(verify(dir, &head), AUTHORITY_AUDIT_SOUND, "with the anchor too");
	{
		struct authority_audit *b = NULL;

		is_int(authority_audit_open(&b, dir, NULL, &e), BAWN_ERR_BUSY, "nobody else can write it meanwhile");
	}
	authority_audit_free(&a);
	is_int(authority_audit_last(dir, &last, &e), 0, "the last line");
	is_int(last, 23, "... has a number");
	fstatat(dir, FIRST, &st, 0);
	is_int(st.st_mode & 07777, 0600, "nobody else may read it");
	fstatat(dir, AUTHORITY_AUDIT_KEY_FILE, &st, 0);
	is_int(st.st_mode & 07777, 0600, "nor its key");
	unlinkat(dir, "audit-head", 0);
	found(dir, AUTHORITY_AUDIT_SOUND, "without its record of its head");
}

static void test_changed(void)
{
	int dir = make_log(6, NULL);
	size_t n, unfound = 0, unnamed = 0;
	char *text = slurp(dir, FIRST, &n);

	for (size_t i = 0; i < n - 1; i++) { /* the last line end: test_lines_gone */
		unsigned line = 1;

		for (size_t k = 0; k < i; k++)
			line += text[k] == '\n';
		text[i] ^= 1;
		spill(dir, FIRST, text, n);
		text[i] ^= 1;
		unfound += verify(dir, NULL) == AUTHORITY_AUDIT_SOUND;
		/* A spoiled line end joins two lines: the first of them is named. */
		unnamed += report.line_in_file != line || strcmp(report.file, FIRST) != 0;
	}
	is_int(unfound, 0, "each byte changed is found");
	is_int(unnamed, 0, "... in its line");
	free(text);
}

static void test_lines_gone(void)
{
	int dir = make_log(6, NULL);
	char *copy, *at, *after, *text;
	size_t n, k;

	text = slurp(dir, FIRST, &n);
	copy = malloc(2 * n);
	for (unsigned line = 1; line <= 7; line++) {
		at = line_at(text, line);
		after = strchr(at, '\n') + 1;
		k = (size_t)(at - text);
		memcpy(copy, text, k);
		memcpy(copy + k, after, n - (size_t)(after - text));
		spill(dir, FIRST, copy, n - (size_t)(after - at));
		found(dir, line == 1 ? AUTHORITY_AUDIT_GARBAGE : line == 7 ? AUTHORITY_AUDIT_CUT : AUTHORITY_AUDIT_MISSING,
		      "a line is gone");
	}
	/* two lines changed places */
	at = line_at(text, 3);
	after = line_at(text, 4);
	k = (size_t)(at - text);
	memcpy(copy, text, k);
	memcpy(copy + k, after, (size_t)(line_at(text, 5) - after));
	memcpy(copy + k + (line_at(text, 5) - after), at, (size_t)(after - at));
	memcpy(copy + (line_at(text, 5) - text), line_at(text, 5), n - (size_t)(line_at(text, 5) - text));
	spill(dir, FIRST, copy, n);
	found(dir, AUTHORITY_AUDIT_MISSING, "lines in another order");
	/* a line twice */
	memcpy(copy, text, n);
	memcpy(copy + n, line_at(text, 7), (size_t)(text + n - line_at(text, 7)));
	spill(dir, FIRST, copy, n + (size_t)(text + n - line_at(text, 7)));
	found(dir, AUTHORITY_AUDIT_CHANGED, "a line twice");
	memcpy(copy, text, n);
	memcpy(copy + n, "garbage\n", 8);
	spill(dir, FIRST, copy, n + 8);
	found(dir, AUTHORITY_AUDIT_GARBAGE, "something that is no line");
	spill(dir, FIRST, copy, n + 4);
	found(dir, AUTHORITY_AUDIT_SOUND, "a line that is being written");
	is_int(report.unfinished, 4, "... is reported");
	spill(dir, FIRST, text, n - 1);
	found(dir, AUTHORITY_AUDIT_CUT, "a last line without its end");
	spill(dir, FIRST, "", 0);
	found(dir, AUTHORITY_AUDIT_CUT, "an empty file");
	unlinkat(dir, FIRST, 0);
	found(dir, AUTHORITY_AUDIT_CUT, "no file at all");
	free(text);
	free(copy);
}

/* Who can put an old head back can not put the anchor back. */
static void test_cut(void)
{
	int dir = make_log(5, NULL);
	struct authority_audit *a;
	struct wire_anchor head, other;
	char *text, *old_head;
	size_t n, head_n;

	text = slurp(dir, FIRST, &n);
	old_head = slurp(dir, "audit-head", &head_n);
	a = open_log(dir, NULL);
	append(a, 9);
	authority_audit_sync(a, NULL);
	authority_audit_head(a, &head);
	authority_audit_free(&a);
	is_int(verify(dir, &head), AUTHORITY_AUDIT_SOUND, "a log and its anchor");
	spill(dir, FIRST, text, n);
	found(dir, AUTHORITY_AUDIT_CUT, "the last line cut off");
	spill(dir, "audit-head", old_head, head_n);
	found(dir, AUTHORITY_AUDIT_SOUND, "... and an old head put back, without the anchor");
	is_int(verify(dir, &head), AUTHORITY_AUDIT_CUT, "... but with it, it is found");
	/* written again differently, under the key that was there at that time */
	a = open_log(dir, NULL);
	append(a, 10);
	append(a, 11);
	authority_audit_free(&a);
	is_int(verify(dir, &head), AUTHORITY_AUDIT_CHANGED, "another line in its place is found too");
	is_int(report.number, 7, "... by its number");
	other = head;
	other.log[0] ^= 1;
	is_int(verify(dir, &other), AUTHORITY_AUDIT_OTHER, "an anchor of another log");
	free(text);
	free(old_head);
}

static void test_other(void)
{
	int dir = make_log(3, NULL), dir2 = make_log(3, NULL);
	struct authority_audit_key k = read_key(dir2);
	struct bawn_error e = { 0 };
	size_t n;
	char *text;

	is_int(authority_audit_verify(dir, &k, NULL, &report, &e), 0, "the key of another log");
	is_int(report.finding, AUTHORITY_AUDIT_OTHER, "... is not this one's");
	k = read_key(dir);
	k.key[5] ^= 1;
	is_int(authority_audit_verify(dir, &k, NULL, &report, &e), 0, "a wrong key");
	is_int(report.finding, AUTHORITY_AUDIT_CHANGED, "... verifies nothing");
	is_int(authority_audit_key_parse("00", 2, &k, &e), BAWN_ERR_FORMAT, "what is no key");
	text = slurp(dir, "audit-head", &n);
	text[60] ^= 1;
	spill(dir, "audit-head", text, n);
	free(text);
	{
		/* The head is damaged: a new log begins, and the old one is kept. */
		struct authority_audit *a = open_log(dir, NULL);

		append(a, 1);
		authority_audit_free(&a);
		found(dir, AUTHORITY_AUDIT_SOUND, "a new log after the head was damaged");
		is_int(report.last, 2, "... from its own first line");
	}
}

/* ---- files ---- */

static int count_lines(void *arg, const struct authority_line *l, struct cur text)
{
	uint64_t *next = arg;

	(void)text;
	if (l->n != *next)
		return 77;
	++*next;
	return l->n == 1500 ? 5 : 0;
}

static void test_rotation(void)
{
	struct authority_audit_options o = { .segment_bytes = 65536, .segments = 3 };
	int dir = make_log(1000, &o);
	struct bawn_error e = { 0 };
	uint64_t first, last, next;
	char name[40], *text;
	size_t n;

	found(dir, AUTHORITY_AUDIT_SOUND, "a log of several files");
	ok(report.dropped > 0 && report.first == report.dropped + 1, "old ones were dropped, on record");
	first = report.first;
	last = report.last;
	next = first;
	is_int(authority_audit_each(dir, 0, count_lines, &next, &e), 0, "all lines there are, in order");
	is_int(next, last + 1, "... to the last");
	next = last - 5;
	is_int(authority_audit_each(dir, last - 5, count_lines, &next, &e), 0, "lines from the middle on");
	is_int(next, last + 1, "... too");
	snprintf(name, sizeof(name), "audit-%012llu.log", (unsigned long long)first);
	text = slurp(dir, name, &n);
	unlinkat(dir, name, 0);
	found(dir, AUTHORITY_AUDIT_MISSING, "a file removed that rotation did not remove");
	spill(dir, name, text, n - 200);
	found(dir, AUTHORITY_AUDIT_GARBAGE, "a file cut in a line");
	{
		char *end = text + n - 1;

		while (end[-1] != '\n')
			end--;
		spill(dir, name, text, (size_t)(end - text));
		found(dir, AUTHORITY_AUDIT_MISSING, "a file cut between lines");
	}
	spill(dir, name, text, n);
	found(dir, AUTHORITY_AUDIT_SOUND, "as it was");
	spill(dir, "audit-000000000005.log", text, n);
	found(dir, AUTHORITY_AUDIT_GARBAGE, "a file under another name");
	unlinkat(dir, "audit-000000000005.log", 0);
	spill(dir, "audit-5.log", text, n);
	spill(dir, "audit-0000000000005.log", text, n);
	spill(dir, "audit-000000000000.log", text, n);
	found(dir, AUTHORITY_AUDIT_SOUND, "files that are none of the log");
	free(text);
}

/* ---- what cannot be written ---- */

static void test_full(void)
{
	int dir = make_log(3, NULL);
	struct authority_audit *a = open_log(dir, NULL);
	struct rlimit old, some;
	unsigned failed = 0;
	struct stat st;

	fstatat(dir, FIRST, &st, 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	some = old;
	some.rlim_cur = (rlim_t)st.st_size + 700; /* a line fits, then a part of one */
	setrlimit(RLIMIT_FSIZE, &some);
	for (unsigned i = 0; i < 5; i++)
		failed += append(a, i) != 0;
	setrlimit(RLIMIT_FSIZE, &old);
	ok(failed > 0 && failed < 5, "%u of 5 lines could not be written", failed);
	is_int(authority_audit_lost(a), failed, "they are counted");
	found(dir, AUTHORITY_AUDIT_SOUND, "half a line is not left behind");
	is_int(append(a, 9), 0, "when there is room again it goes on");
	is_int(append(a, 10), 0, "... and on");
	authority_audit_free(&a);
	found(dir, AUTHORITY_AUDIT_SOUND, "that log");
	is_int(report.lost, failed, "... says how many lines it lacks");
	is_int(report.last, 4 + (5 - failed) + report.recovered + 2, "... and nothing else");
}

/* ---- crashes ---- */

static void write_for_ever(int dir, int told)
{
	struct authority_audit_options o = { .segment_bytes = 65536, .segments = 4 };
	struct authority_audit *a = NULL;
	struct bawn_error e = { 0 };

	if (authority_audit_open(&a, dir, &o, &e))
		_exit(1);
	for (uint64_t i = 0;; i++) {
		struct wire_anchor head;

		if (append(a, (unsigned)i))
			_exit(2);
		if (i % 16)
			continue;
		if (authority_audit_sync(a, &e))
			_exit(3);
		authority_audit_head(a, &head);
		if (write(told, &head, sizeof(head)) != sizeof(head))
			_exit(4);
	}
}

static void test_killed(void)
{
	int dir = kit_dir(), rounds = 30, sound = 0;
	struct wire_anchor head = { .count = 0 };
	uint64_t recovered = 0;

	for (int i = 0; i < rounds; i++) {
		if (!kit_killed(write_for_ever, dir, i, &head, sizeof(head)))
			continue;
		if (faccessat(dir, AUTHORITY_AUDIT_KEY_FILE, F_OK, 0)) {
			sound++; /* killed before there was a log */
			continue;
		}
		if (verify(dir, head.count ? &head : NULL) == AUTHORITY_AUDIT_SOUND)
			sound++;
		else
			printf("# round %d: %s\n", i, report.text);
		recovered = report.recovered;
	}
	is_int(sound, rounds, "killed at thirty instants, no line that was synced is lost");
	ok(head.count > 0, "... of %llu lines, after %llu repairs", (unsigned long long)head.count,
	   (unsigned long long)recovered);
}

/* What a crash can leave behind, made by hand. */
static void test_recovery(void)
{
	int dir = make_log(5, NULL);
	char *text, *copy, *head;
	size_t n, head_n;
	struct authority_audit *a;
	struct stat st;

	text = slurp(dir, FIRST, &n);
	copy = malloc(n + 100);
	memcpy(copy, text, n);
	memcpy(copy + n, "{\"n\":7,\"time\"", 13);
	spill(dir, FIRST, copy, n + 13);
	a = open_log(dir, NULL);
	append(a, 1);
	authority_audit_free(&a);
	found(dir, AUTHORITY_AUDIT_SOUND, "a line cut off by a crash is removed");
	ok(report.recovered == 1 && report.last == 8, "... and the log says so");

	/* lines behind the recorded head are verified before the log goes on */
	head = slurp(dir, "audit-head", &head_n);
	free(text);
	a = open_log(dir, NULL);
	append(a, 2);
	append(a, 3);
	authority_audit_free(&a);
	text = slurp(dir, FIRST, &n);
	spill(dir, "audit-head", head, head_n);
	a = open_log(dir, NULL);
	append(a, 4);
	authority_audit_free(&a);
	found(dir, AUTHORITY_AUDIT_SOUND, "lines after the last sync are taken up");
	is_int(report.last, 11, "... all of them");

	/* a whole line behind the head that is not ours */
	spill(dir, "audit-head", head, head_n);
	text[n - 100] ^= 1;
	spill(dir, FIRST, text, n);
	a = open_log(dir, NULL);
	append(a, 5);
	authority_audit_free(&a);
	found(dir, AUTHORITY_AUDIT_SOUND, "a line that does not verify is set aside");
	is_int(report.recovered, 2, "... and the log says so");
	is_int(fstatat(dir, FIRST ".damaged-10", &st, 0), 0, "... and it is kept");

	/* the file is shorter than the head knows */
	free(text);
	text = slurp(dir, FIRST, &n);
	spill(dir, FIRST, text, n - 300);
	a = open_log(dir, NULL);
	append(a, 6);
	authority_audit_free(&a);
	found(dir, AUTHORITY_AUDIT_GARBAGE, "a file that was cut while nobody wrote stays a finding");

	/* an empty next file: killed while it was begun */
	free(text);
	free(head);
	dir = make_log(2, NULL);
	spill(dir, "audit-000000000004.log", "", 0);
	a = open_log(dir, NULL);
	append(a, 7);
	authority_audit_free(&a);
	found(dir, AUTHORITY_AUDIT_SOUND, "a file that was just being begun");
	is_int(report.last, 5, "... is begun again");
	free(copy);
}

static void test_anchor(void)
{
	struct wire_anchor a = { .count = 5, .time = 6 }, b;
	struct bawn_error e = { 0 };
	uint8_t bytes[AUTHORITY_ANCHOR + 1] = { 0 };

	memset(a.log, 1, 16);
	memset(a.mac, 2, 32);
	authority_anchor_encode(&a, bytes);
	is_int(authority_anchor_decode(bytes, AUTHORITY_ANCHOR, &b, &e), 0, "an anchor there and back");
	is_mem(&b, &a, sizeof(a), "... the same");
	is_int(authority_anchor_decode(bytes, AUTHORITY_ANCHOR - 1, &b, &e), BAWN_ERR_FORMAT, "cut short");
	is_int(authority_anchor_decode(bytes, AUTHORITY_ANCHOR + 1, &b, &e), BAWN_ERR_FORMAT, "too long");
}

/* A line that a crash cut off, and no room to say so. */
static void test_recovery_full(void)
{
	int dir = make_log(5, NULL);
	struct authority_audit *a;
	struct rlimit old, some;
	char *text, *copy;
	size_t n;

	text = slurp(dir, FIRST, &n);
	copy = malloc(n + 13);
	memcpy(copy, text, n);
	memcpy(copy + n, "{\"n\":7,\"time\"", 13);
	spill(dir, FIRST, copy, n + 13);
	getrlimit(RLIMIT_FSIZE, &old);
	some = old;
	some.rlim_cur = (rlim_t)n + 20;
	setrlimit(RLIMIT_FSIZE, &some);
	a = open_log(dir, NULL);
	setrlimit(RLIMIT_FSIZE, &old);
	is_int((long)authority_audit_lost(a), 1, "on a full disk a log is taken up as well, and a line is missing");
	is_int(append(a, 1), 0, "it goes on when there is room");
	authority_audit_free(&a);
	found(dir, AUTHORITY_AUDIT_SOUND, "... and says so");
	is_int((long)report.lost, 1, "... of one line");
	free(text);
	free(copy);
}

/* ---- followed by the ledger enclave ---- */

/* Where the log says that it can be followed from; its key must be the one of the line after. */
static long from(struct authority_audit *a, uint8_t key[32])
{
	struct wire_anchor where = { 0 };
	struct bawn_error e = { 0 };

	if (!ok(authority_audit_follow(a, &where, key, &e) == 0, "it can be followed"))
		printf("# %s\n", e.msg);
	return (long)where.count;
}

static void rewrite_head(int dir, void (*change)(struct audit_head *h))
{
	struct bawn_error e = { 0 };
	struct audit_head h;

	ok(audit_head_read(dir, &h, &e) == 0, "a head");
	change(&h);
	ok(audit_head_write(dir, &h, &e) == 0, "... is changed");
}

static void other_key(struct audit_head *h)
{
	h->key[0] ^= 1;
}

/* As if so many lines had been there that all their files are gone. */
static void far_away(struct audit_head *h)
{
	const uint64_t lines = (UINT64_C(1) << 20) + 1;

	for (; h->anchor.count < lines; h->anchor.count++)
		audit_key_next(h->key);
}

static void test_follow(void)
{
	struct authority_audit_key first;
	struct authority_audit *a;
	uint8_t key[32];
	int dir = make_log(5, NULL);

	first = read_key(dir);
	a = open_log(dir, NULL);
	is_int(from(a, key), 0, "with its first key, from its first line");
	ok(memcmp(key, first.key, sizeof(key)) == 0, "... with that key");
	authority_audit_free(&a);
	rewrite_head(dir, other_key);
	a = open_log(dir, NULL);
	is_int(from(a, key), 6, "not if the log does not go on as it began");
	authority_audit_free(&a);

	dir = make_log(5, NULL);
	rewrite_head(dir, far_away);
	a = open_log(dir, NULL);
	is_int(from(a, key), (1L << 20) + 1, "nor over more lines than can be counted in a moment");
	authority_audit_free(&a);

	dir = make_log(5, NULL);
	unlinkat(dir, AUTHORITY_AUDIT_KEY_FILE, 0);
	a = open_log(dir, NULL);
	is_int(append(a, 1), 0, "a line that is not on disk yet");
	is_int(from(a, key), 7, "... is behind where it is followed from");
	authority_audit_free(&a);
}

int main(void)
{
	test_line();
	test_line_refused();
	test_kept();
	test_sound();
	test_changed();
	test_lines_gone();
	test_cut();
	test_other();
	test_rotation();
	test_full();
	test_recovery();
	test_recovery_full();
	test_killed();
	test_anchor();
	test_follow();
	return tap_done();
}
