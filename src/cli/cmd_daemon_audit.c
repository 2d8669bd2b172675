/* bawn daemon audit: the service's log, verified and read. */
#include "authority/authority.h"
#include "cli/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_DIR "/var/log/bawn"

enum audit_exit { AUDIT_UNSOUND = 3, AUDIT_NOTHING = 3 };

static const char *dir_of(const struct cli *c)
{
	const char *dir = cli_value(c, "dir");

	return dir ? dir : DEFAULT_DIR;
}

/* A descriptor of the log's directory, or -1 after saying why not. */
static int open_dir(struct cli *c)
{
	int fd = open(dir_of(c), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct bawn_error e = { 0 };

	if (fd < 0) {
		err_sys(&e, "cannot open %s", dir_of(c));
		cli_fail(c, NULL, &e);
		if (e.sys_errno == ENOENT || e.sys_errno == ENOTDIR)
			cli_hint("bawnd makes it when it first runs; if `audit` in bawnd.conf(5) is another, name it with --dir.");
		else if (e.sys_errno == EACCES)
			cli_hint("Ask as root: nobody else can read the log.");
	}
	return fd;
}

#define OPT_DIR { .name = "dir", .value = "DIR", .help = "the log's directory (default: " DEFAULT_DIR ")" }

/* ---- verify ---- */

/* From this file, or from the log's directory. */
static int read_key(struct cli *c, int dir, const char *file, struct authority_audit_key *k)
{
	struct bawn_error e = { 0 };
	uint8_t *text;
	size_t n;
	int rc = file ? io_read_file(file, 4096, &text, &n, &e) :
			io_read_file_at(dir, AUTHORITY_AUDIT_KEY_FILE, 4096, &text, &n, &e);

	if (rc == BAWN_ERR_NOT_FOUND && !file) {
		cli_warn(c, dir_of(c), "there is no key here (" AUTHORITY_AUDIT_KEY_FILE "): either it was taken away, or this is no log's directory");
		cli_hint("`bawn daemon audit verify --key FILE` takes one that was taken away; --dir names another directory.");
		return CLI_FAILURE;
	}
	if (rc)
		return cli_fail(c, NULL, &e);
	rc = authority_audit_key_parse((const char *)text, n, k, &e);
	wipe(text, n);
	free(text);
	return rc ? cli_fail(c, file ? file : AUTHORITY_AUDIT_KEY_FILE, &e) : 0;
}

/* The head that the running service has. */
static int service_anchor(struct cli *c, struct wire_anchor *a)
{
	struct wire_request q = { .head.type = WIRE_AUDIT_HEAD };
	struct bawn_client *client;
	struct wire_answer answer;
	int rc = cli_service(c, &client);

	if (rc == 0)
		rc = cli_ask(c, &client, &q, &answer);
	if (rc)
		return rc;
	*a = answer.u.audit_head;
	bawn_client_free(&client);
	return 0;
}

static int read_anchor(struct cli *c, struct wire_anchor *a, const struct wire_anchor **given)
{
	const char *hex = cli_value(c, "anchor");
	struct bawn_error e = { 0 };
	uint8_t bytes[AUTHORITY_ANCHOR];

	*given = NULL;
	if (cli_value(c, "socket") && !cli_flag(c, "service"))
		return cli_usage(c, "--socket goes with --service");
	if (hex && cli_flag(c, "service"))
		return cli_usage(c, "--anchor and --service: one of them");
	if (cli_flag(c, "service")) {
		*given = a;
		return service_anchor(c, a);
	}
	if (!hex)
		return 0;
	if (!hex_decode(hex, strlen(hex), bytes, sizeof(bytes)))
		return cli_usage(c, "an anchor has %u hexadecimal digits, as `bawn daemon audit head` prints them",
				 2 * AUTHORITY_ANCHOR);
	if (authority_anchor_decode(bytes, sizeof(bytes), a, &e))
		return cli_usage(c, "%s", e.msg);
	*given = a;
	return 0;
}

static void report_json(struct json *j, const struct authority_audit_report *r)
{
	json_open(j, NULL, '{');
	json_string(j, "finding", authority_audit_finding_name(r->finding));
	if (r->finding) {
		json_string(j, "text", r->text);
		json_u64(j, "number", r->number);
	}
	if (r->file[0]) {
		json_string(j, "file", r->file);
		json_u64(j, "line", r->line_in_file);
	}
	json_u64(j, "first", r->first);
	json_u64(j, "last", r->last);
	json_u64(j, "dropped", r->dropped);
	json_u64(j, "lost", r->lost);
	json_u64(j, "recovered", r->recovered);
	json_u64(j, "unfinished", r->unfinished);
	json_close(j, '}');
}

static void report_text(const struct authority_audit_report *r)
{
	printf("%s: ", authority_audit_finding_name(r->finding));
	if (r->finding)
		printf("%s\n", r->text);
	else if (r->first)
		printf("lines %" PRIu64 " to %" PRIu64 "\n", r->first, r->last);
	else
		puts("an empty log");
	if (r->file[0])
		printf("  at %s, line %" PRIu64 "\n", r->file, r->line_in_file);
	if (r->finding && r->first)
		printf("  lines %" PRIu64 " to %" PRIu64 " are as they were written\n", r->first, r->last);
	if (r->dropped)
		printf("  lines up to %" PRIu64 " went with old files, on record\n", r->dropped);
	if (r->lost)
		printf("  %" PRIu64 " lines could not be written, on record\n", r->lost);
	if (r->recovered)
		printf("  taken up %" PRIu64 " times after a crash or a failure\n", r->recovered);
	if (r->unfinished)
		printf("  %" PRIu64 " bytes of an unfinished line at the end\n", r->unfinished);
}

static int run_verify(struct cli *c)
{
	struct authority_audit_report r;
	struct authority_audit_key key;
	struct wire_anchor anchor;
	const struct wire_anchor *given;
	struct bawn_error e = { 0 };
	int dir, rc = read_anchor(c, &anchor, &given);

	if (rc)
		return rc;
	dir = open_dir(c);
	if (dir < 0)
		return CLI_FAILURE;
	rc = read_key(c, dir, cli_value(c, "key"), &key);
	if (rc == 0 && authority_audit_verify(dir, &key, given, &r, &e))
		rc = cli_fail(c, dir_of(c), &e);
	wipe(&key, sizeof(key));
	close(dir);
	if (rc)
		return rc;
	if (cli_flag(c, "json"))
		report_json(cli_json(c), &r);
	else
		report_text(&r);
	return r.finding ? AUDIT_UNSOUND : CLI_OK;
}

static const struct cli_option verify_options[] = {
	CLI_OPT_JSON,
	OPT_DIR,
	{ .name = "key", .value = "FILE", .help = "the log's key, if it was taken away ('-': standard input)" },
	{ .name = "anchor", .value = "HEX", .help = "a head that was noted: the log must have that line" },
	{ .name = "service", .help = "the running service's head: the log must have that line" },
	CLI_OPT_SOCKET,
	{ 0 },
};
static const struct cli_command verify = {
	.name = "verify",
	.summary = "find out whether the log is as it was written",
	.details = "Exit codes: 0 it is, 3 a line was changed, is missing, or the end was cut off.",
	.options = verify_options,
	.run = run_verify,
};

/* ---- lines ---- */

static void print_text(const char *label, struct cur text)
{
	char plain[512];

	if (!text.n)
		return;
	authority_line_text(text, plain, sizeof(plain));
	printf(" %s%s", label, plain);
}

static void print_line(const struct authority_line *l)
{
	char hex[17];

	printf("%.*s %" PRIu64, (int)l->time.n, (const char *)l->time.p, l->n);
	print_text("", l->event);
	print_text("", l->operation);
	print_text("", l->answer);
	print_text("by ", l->rule);
	if (l->entry)
		printf(" entry %" PRIu64, l->entry);
	print_text("for ", l->match);
	print_text("until ", l->until);
	print_text("on ", l->socket);
	if (l->has_subject)
		printf(" uid %" PRIu64 " pid %" PRIu64, l->uid, l->pid);
	if (l->identity.known & WIRE_KNOWN_MRENCLAVE) {
		hex_encode(l->identity.mrenclave, 8, hex);
		printf(" mrenclave %s...", hex);
	}
	if (l->identity.known & WIRE_KNOWN_MRSIGNER) {
		hex_encode(l->identity.mrsigner, 8, hex);
		printf(" mrsigner %s...", hex);
	}
	if (l->identity.attributes & ATTR_DEBUG)
		printf(" debug");
	if (l->lost)
		printf(" lost %" PRIu64, l->lost);
	if (l->last)
		printf(" lines %" PRIu64 " to %" PRIu64, l->first, l->last);
	print_text("- ", l->note);
	putchar('\n');
}

/* With --json a line is printed as it stands in the log: JSON Lines. */
static void show(const struct cli *c, const struct authority_line *l, struct cur text)
{
	if (cli_flag(c, "json"))
		printf("%.*s\n", (int)text.n, (const char *)text.p);
	else
		print_line(l);
}

/* ---- tail ---- */

struct tail {
	struct cli *c;
	uint64_t next;
};

static int tail_line(void *arg, const struct authority_line *l, struct cur text)
{
	struct tail *t = arg;

	show(t->c, l, text);
	t->next = l->n + 1;
	return ferror(stdout) ? 1 : 0;
}

static int run_tail(struct cli *c)
{
	const struct timespec pause = { .tv_nsec = 300000000 };
	struct tail t = { .c = c };
	struct bawn_error e = { 0 };
	uint64_t lines = 10, last;
	int dir, rc = cli_number(c, "lines", 0, UINT32_MAX, &lines);

	if (rc)
		return rc;
	dir = open_dir(c);
	if (dir < 0)
		return CLI_FAILURE;
	rc = authority_audit_last(dir, &last, &e);
	t.next = last >= lines ? last - lines + 1 : 1;
	do {
		if (rc == 0)
			rc = authority_audit_each(dir, t.next, tail_line, &t, &e);
		fflush(stdout);
	} while (rc == 0 && cli_flag(c, "follow") && nanosleep(&pause, NULL) == 0);
	close(dir);
	return rc < 0 ? cli_fail(c, dir_of(c), &e) : CLI_OK;
}

static const struct cli_option tail_options[] = {
	{ .name = "json", .help = "print the lines as they stand in the log, JSON each" },
	OPT_DIR,
	{ .name = "lines", .value = "N", .help = "so many (default: 10)", .letter = 'n' },
	{ .name = "follow", .help = "and those that come, until interrupted", .letter = 'f' },
	{ 0 },
};
static const struct cli_command tail = {
	.name = "tail",
	.summary = "print the last lines of the log",
	.options = tail_options,
	.run = run_tail,
};

/* ---- search ---- */

struct search {
	struct cli *c;
	struct wire_match m; /* uid, gid, mrenclave, mrsigner, product, debug */
	const char *event, *operation, *answer, *rule, *protocol, *socket, *since, *until;
	bool by_pid;
	uint64_t pid, entry, found;
};

static bool is_text(struct cur text, const char *want)
{
	return !want || (text.n == strlen(want) && memcmp(text.p, want, text.n) == 0);
}

/* The text's beginning compared with as much as is said: "2026-11" is a month. */
static int against(struct cur text, const char *bound)
{
	size_t n = strlen(bound);

	return memcmp(text.p, bound, n < text.n ? n : text.n);
}

static bool matches(const struct search *s, const struct authority_line *l)
{
	const struct wire_match *m = &s->m;
	const struct authority_subject subject = { .uid = (uint32_t)l->uid, .gid = (uint32_t)l->gid };

	if (!is_text(l->event, s->event) || !is_text(l->operation, s->operation) ||
	    !is_text(l->answer, s->answer) || !is_text(l->rule, s->rule) || !is_text(l->socket, s->socket) ||
	    !is_text(l->protocol, s->protocol))
		return false;
	if (s->by_pid && !(l->has_subject && l->pid == s->pid))
		return false;
	if ((s->since && against(l->time, s->since) < 0) || (s->until && against(l->time, s->until) > 0))
		return false;
	if (s->entry && l->entry != s->entry)
		return false;
	if (m->has & (WIRE_HAS_UID | WIRE_HAS_GID) && !l->has_subject)
		return false;
	return authority_matches(m, &subject, &l->identity, false);
}

static int search_line(void *arg, const struct authority_line *l, struct cur text)
{
	struct search *s = arg;

	if (!matches(s, l))
		return 0;
	s->found++;
	show(s->c, l, text);
	return ferror(stdout) ? 1 : 0;
}

static bool value_of(const char *word, const char *key, const char **out)
{
	size_t n = strlen(key);

	if (strncmp(word, key, n) != 0 || word[n] != '=')
		return false;
	*out = word + n + 1;
	return true;
}

#define PROTOCOLS 2
static const char *protocol_name(unsigned i)
{
	return i ? "aesm" : "native";
}

/* A word that no line can have is a slip, and not the same as nothing found. */
static int one_of(const struct cli *c, const char *word, const char *value,
		  const char *(*name)(unsigned), unsigned names)
{
	for (unsigned i = 0; i < names; i++)
		if (strcmp(value, name(i)) == 0)
			return 0;
	return cli_usage(c, "no line has that: %s", word);
}

/* The beginning of a time as lines have it. */
static int a_time(const struct cli *c, const char *word, const char *value)
{
	static const char like[] = "0000-00-00T00:00:00.000000Z";
	size_t n = strlen(value);

	for (size_t i = 0; i < n; i++)
		if (n >= sizeof(like) || (like[i] == '0' ? value[i] < '0' || value[i] > '9' : value[i] != like[i]))
			return cli_usage(c, "not a time such as 2026-11-27T08:00, or its beginning: %s", word);
	return 0;
}

static int search_word(struct search *s, const char *word)
{
	struct bawn_error e = { 0 };
	const char *number;

	if (value_of(word, "event", &s->event))
		return one_of(s->c, word, s->event, wire_audit_event_name, WIRE_AUDIT_EVENTS);
	if (value_of(word, "operation", &s->operation))
		return one_of(s->c, word, s->operation, wire_operation_name, WIRE_OPERATIONS);
	if (value_of(word, "answer", &s->answer))
		return one_of(s->c, word, s->answer, wire_code_name, WIRE_CODES);
	if (value_of(word, "protocol", &s->protocol))
		return one_of(s->c, word, s->protocol, protocol_name, PROTOCOLS);
	if (value_of(word, "since", &s->since))
		return a_time(s->c, word, s->since);
	if (value_of(word, "until", &s->until))
		return a_time(s->c, word, s->until);
	if (value_of(word, "rule", &s->rule) || value_of(word, "socket", &s->socket))
		return 0;
	if (value_of(word, "pid", &number)) {
		s->by_pid = true;
		if (!words_number(number, strlen(number), UINT32_MAX, &s->pid))
			return cli_usage(s->c, "not a process's number: %s", word);
		return 0;
	}
	if (value_of(word, "entry", &number)) {
		if (!words_number(number, strlen(number), UINT64_MAX, &s->entry) || !s->entry)
			return cli_usage(s->c, "not the number of a grant or revocation: %s", word);
		return 0;
	}
	if (strncmp(word, "cgroup=", 7) == 0)
		return cli_usage(s->c, "a line is not searched by its control group: %s", word);
	if (authority_match_word(&s->m, word, &authority_system_names, &e))
		return daemon_not_a_word(s->c, word, &e);
	return 0;
}

static int run_search(struct cli *c)
{
	struct search s = { .c = c };
	struct bawn_error e = { 0 };
	int dir, rc = 0;

	for (unsigned i = 0; i < c->argc && rc == 0; i++)
		rc = search_word(&s, c->argv[i]);
	if (rc)
		return rc;
	dir = open_dir(c);
	if (dir < 0)
		return CLI_FAILURE;
	rc = authority_audit_each(dir, 0, search_line, &s, &e);
	close(dir);
	if (rc < 0)
		return cli_fail(c, dir_of(c), &e);
	return s.found ? CLI_OK : AUDIT_NOTHING;
}

static const char *event_word(unsigned i)
{
	return i < WIRE_AUDIT_EVENTS ? wire_audit_event_name(i) : NULL;
}

static const char *operation_word(unsigned i)
{
	return i < WIRE_OPERATIONS ? wire_operation_name(i) : NULL;
}

static const char *answer_word(unsigned i)
{
	return i < WIRE_CODES ? wire_code_name(i) : NULL;
}

static const char *protocol_word(unsigned i)
{
	return i < PROTOCOLS ? protocol_name(i) : NULL;
}

/* Those of the policy but one, and what lines have besides. */
static const char *search_condition(unsigned i)
{
	static const char *const more[] = { "pid=N", "entry=N", "rule=TEXT", "since=TIME", "until=TIME" };
	unsigned n = 0;

	for (const char *word; (word = daemon_condition(n)); n++) {
		if (strncmp(word, "cgroup=", 7) == 0)
			i++; /* lines do not have it */
		if (n == i)
			return word;
	}
	return i - n < ARRAY_LEN(more) ? more[i - n] : NULL;
}

static const struct cli_set search_sets[] = {
	{ "event=", event_word }, { "operation=", operation_word }, { "answer=", answer_word },
	{ "protocol=", protocol_word }, { "CONDITION", search_condition }, { 0 }
};
static const struct cli_option search_options[] = {
	{ .name = "json", .help = "print the lines as they stand in the log, JSON each" },
	OPT_DIR,
	{ 0 },
};
static const struct cli_command search = {
	.name = "search",
	.summary = "print the lines that meet all conditions",
	.operands = "CONDITION...",
	.sets = search_sets,
	.details = "Such as event=request answer=denied rule='line 12' since=2026-11-27T08:00 until=2026-11.\n"
		   "Exit codes: 0 some lines were found, 3 none.",
	.options = search_options,
	.min = 1,
	.max = CLI_ANY,
	.run = run_search,
};

/* ---- head, key ---- */

static int last_anchor(void *arg, const struct authority_line *l, struct cur text)
{
	struct wire_anchor *a = arg;

	(void)text;
	if (l->begins)
		memcpy(a->log, l->log, sizeof(a->log));
	a->count = l->n;
	memcpy(a->mac, l->mac, sizeof(a->mac));
	return 0;
}

static int directory_anchor(struct cli *c, struct wire_anchor *a)
{
	struct bawn_error e = { 0 };
	int dir = open_dir(c), rc;

	if (dir < 0)
		return CLI_FAILURE;
	rc = authority_audit_each(dir, 0, last_anchor, a, &e);
	close(dir);
	return rc ? cli_fail(c, dir_of(c), &e) : 0;
}

static int run_head(struct cli *c)
{
	struct wire_anchor a = { .time = (uint64_t)time(NULL) };
	uint8_t bytes[AUTHORITY_ANCHOR];
	char hex[2 * AUTHORITY_ANCHOR + 1];
	bool service = cli_flag(c, "service");
	int rc;

	if (cli_value(c, service ? "dir" : "socket"))
		return cli_usage(c, service ? "--dir and --service: one of them" : "--socket goes with --service");
	rc = service ? service_anchor(c, &a) : directory_anchor(c, &a);
	if (rc)
		return rc;
	if (!a.count) {
		cli_warn(c, cli_flag(c, "service") ? NULL : dir_of(c), "there is no line in the log");
		cli_hint(cli_flag(c, "service") ? "bawnd writes none unless bawnd.conf(5) has `audit`." :
			 "bawnd writes the first when it starts; --dir names another directory.");
		return CLI_FAILURE;
	}
	authority_anchor_encode(&a, bytes);
	hex_encode(bytes, sizeof(bytes), hex);
	if (cli_flag(c, "json")) {
		struct json *j = cli_json(c);

		json_open(j, NULL, '{');
		json_u64(j, "count", a.count);
		json_string(j, "anchor", hex);
		json_close(j, '}');
	} else {
		puts(hex);
	}
	return CLI_OK;
}

static const struct cli_option head_options[] = {
	CLI_OPT_JSON,
	OPT_DIR,
	{ .name = "service", .help = "as the running service has it" },
	CLI_OPT_SOCKET,
	{ 0 },
};
static const struct cli_command head = {
	.name = "head",
	.summary = "print the log's end, to note elsewhere and give to verify --anchor",
	.options = head_options,
	.run = run_head,
};

static int run_key(struct cli *c)
{
	struct authority_audit_key key;
	struct bawn_error e = { 0 };
	char hex[97];
	int dir = open_dir(c), rc;

	if (dir < 0)
		return CLI_FAILURE;
	rc = read_key(c, dir, NULL, &key);
	if (rc == 0) {
		hex_encode(key.log, 16, hex);
		hex_encode(key.key, 32, hex + 32);
		if (cli_flag(c, "json"))
			printf("{\"key\": \"%s\"}\n", hex);
		else
			puts(hex);
		/* Not removed unless it is surely where it was to go. */
		if (fflush(stdout) || ferror(stdout)) {
			cli_warn(c, NULL, "the key could not be written; it stays where it is");
			rc = CLI_FAILURE;
		} else if (cli_flag(c, "remove") && unlinkat(dir, AUTHORITY_AUDIT_KEY_FILE, 0)) {
			err_sys(&e, "cannot remove %s", AUTHORITY_AUDIT_KEY_FILE);
			rc = cli_fail(c, dir_of(c), &e);
		}
	}
	wipe(&key, sizeof(key));
	wipe(hex, sizeof(hex));
	close(dir);
	return rc;
}

static const struct cli_option key_options[] = {
	CLI_OPT_JSON,
	OPT_DIR,
	{ .name = "remove", .help = "and remove it from the directory: then only its holder can verify" },
	{ 0 },
};
static const struct cli_command key_command = {
	.name = "key",
	.summary = "print the log's key, to be kept elsewhere",
	.details = "Whoever has the key can verify the log from its beginning, and could also write another.\n"
		   "With it out of the way, even who takes this machine over cannot change what was written.",
	.options = key_options,
	.run = run_key,
};

static const struct cli_command *const verbs[] = { &verify, &tail, &search, &head, &key_command, NULL };
const struct cli_command cmd_daemon_audit = {
	.name = "audit",
	.summary = "verify, read and search the audit log",
	.verbs = verbs,
};
