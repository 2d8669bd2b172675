/* bawn daemon policy: what the owner's policy says, before it is put in force. */
#include "authority/authority.h"
#include "cli/daemon.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_FILE BAWN_CONFDIR "/policy"

enum policy_exit { POLICY_WRONG = 3, POLICY_REMARKS = 4, POLICY_REFUSED = 3 };

struct loaded {
	uint8_t *text;
	size_t n;
	struct authority_policy *p;
};

static void unload(struct loaded *l)
{
	free(l->text);
	free(l->p);
}

static const char *file_of(const struct cli *c)
{
	return c->argc ? c->argv[0] : DEFAULT_FILE;
}

/* 0, or an exit code after saying why: a file that cannot be read is not one that is wrong. */
static int load(struct cli *c, struct loaded *l, struct bawn_error *e)
{
	int rc;

	*l = (struct loaded){ 0 };
	rc = io_read_file(file_of(c), AUTHORITY_TEXT_MAX, &l->text, &l->n, e);
	if (rc) {
		cli_fail(c, NULL, e);
		if (rc == BAWN_ERR_NOT_FOUND && !c->argc)
			cli_hint("Name a file, or install one: without a policy bawnd refuses everything, see bawn-policy(5).");
		return CLI_FAILURE;
	}
	rc = authority_policy_parse((const char *)l->text, l->n, &authority_system_names, &l->p, e);
	if (rc == 0)
		return 0;
	cli_fail(c, file_of(c), e);
	return rc == BAWN_ERR_FORMAT ? POLICY_WRONG : CLI_FAILURE;
}

/* Line number `line` of the text, without blanks around it. */
static struct cur source_line(const struct loaded *l, unsigned line)
{
	struct cur rest = cur_make(l->text, l->n), out = cur_make(NULL, 0);

	while (line-- && rest.n) {
		const uint8_t *end = memchr(rest.p, '\n', rest.n);

		cur_sub(&rest, end ? (size_t)(end - rest.p) : rest.n, &out);
		cur_skip(&rest, end != NULL);
	}
	while (out.n && (out.p[0] == ' ' || out.p[0] == '\t'))
		cur_skip(&out, 1);
	while (out.n && (out.p[out.n - 1] == '\r' || out.p[out.n - 1] == ' ' || out.p[out.n - 1] == '\t'))
		out.n--;
	return out;
}

/* ---- check ---- */

struct remarks {
	struct cli *c;
	struct json *json; /* or NULL */
	unsigned count;
};

static void remark(void *arg, unsigned line, const char *text)
{
	struct remarks *r = arg;

	r->count++;
	if (r->json) {
		json_open(r->json, NULL, '{');
		json_u64(r->json, "line", line);
		json_string(r->json, "remark", text);
		json_close(r->json, '}');
	} else if (line) {
		cli_warn(r->c, file_of(r->c), "line %u: %s", line, text);
	} else {
		cli_warn(r->c, file_of(r->c), "%s", text);
	}
}

static void check_json(const struct loaded *l, struct remarks *r)
{
	struct json *j = r->json;

	json_open(j, NULL, '{');
	json_string(j, "file", file_of(r->c));
	json_bool(j, "understood", true);
	json_bool(j, "lock", l->p->lock);
	json_u64(j, "rules", l->p->rules);
	json_open(j, "sections", '[');
	for (uint32_t i = 0; i < l->p->sections; i++)
		json_string(j, NULL, l->p->section[i]);
	json_close(j, ']');
	json_open(j, "lists", '{');
	for (unsigned i = 0; i < AUTHORITY_LISTS; i++) {
		if (l->p->list[i].line)
			json_u64(j, authority_list_name(i), l->p->list[i].count);
		else
			json_null(j, authority_list_name(i));
	}
	json_close(j, '}');
	json_open(j, "remarks", '[');
	authority_policy_remarks(l->p, remark, r);
	json_close(j, ']');
	json_close(j, '}');
}

static void wrong_json(struct cli *c, const struct bawn_error *e)
{
	struct json *j = cli_json(c);

	json_open(j, NULL, '{');
	json_string(j, "file", file_of(c));
	json_bool(j, "understood", false);
	json_string(j, "error", e->msg);
	json_close(j, '}');
}

static int run_check(struct cli *c)
{
	struct bawn_error e = { 0 };
	struct remarks r = { .c = c, .json = cli_flag(c, "json") ? cli_json(c) : NULL };
	struct loaded l;
	int rc = load(c, &l, &e);

	if (rc == 0 && r.json) {
		check_json(&l, &r);
	} else if (r.json) {
		wrong_json(c, &e);
	} else if (rc == 0) {
		authority_policy_remarks(l.p, remark, &r);
		printf("%s: %u rules in %u sections%s\n", file_of(c), l.p->rules, l.p->sections,
		       l.p->lock ? ", locked" : "");
	}
	unload(&l);
	return rc == 0 && r.count && cli_flag(c, "strict") ? POLICY_REMARKS : rc;
}

static const struct cli_option check_options[] = {
	CLI_OPT_JSON,
	{ .name = "strict", .help = "exit with 4 if there are remarks" },
	{ 0 },
};
static const struct cli_command check = {
	.name = "check",
	.summary = "tell whether a policy is understood, and what in it was probably not meant",
	.operands = "[FILE]",
	.details = "FILE is " DEFAULT_FILE " by default. Exit codes: 0 understood, 3 not understood,\n"
		   "4 understood but remarkable (with --strict).",
	.options = check_options,
	.max = 1,
	.run = run_check,
};

/* ---- test ---- */

struct asked {
	struct wire_match m; /* as the words say */
	uint32_t operations;
	struct authority_subject s;
	uint32_t groups[WIRE_GROUPS];
	bool ahead; /* of an enclave that is not there yet */
	struct wire_identity identity;
};

static int add_group(struct cli *c, struct asked *a, uint32_t gid)
{
	if (a->s.ngroups == ARRAY_LEN(a->groups))
		return cli_usage(c, "too many groups");
	a->groups[a->s.ngroups++] = gid;
	return 0;
}

/* All groups of a user of this system. */
static int user_groups(struct cli *c, struct asked *a, const char *name, gid_t gid)
{
	gid_t list[WIRE_GROUPS];
	int n = WIRE_GROUPS, rc = 0;

	if (getgrouplist(name, gid, list, &n) < 0)
		cli_warn(c, name, "has more groups than can be told here");
	for (int i = 0; i < n && i < (int)WIRE_GROUPS && rc == 0; i++)
		rc = add_group(c, a, list[i]);
	a->s.gid = gid;
	return rc;
}

static int as_user(struct cli *c, struct asked *a, const char *name)
{
	struct passwd *pw = getpwnam(name);

	if (!pw)
		return cli_usage(c, "no such user on this system: %s", name);
	a->s.uid = pw->pw_uid;
	return user_groups(c, a, name, pw->pw_gid);
}

static int as_caller(struct cli *c, struct asked *a)
{
	gid_t list[WIRE_GROUPS];
	int n = getgroups(WIRE_GROUPS, list), rc = 0;

	a->s.uid = getuid();
	a->s.gid = getgid();
	for (int i = 0; i < n && rc == 0; i++)
		rc = add_group(c, a, list[i]);
	return rc;
}

/* Words about groups may be repeated: each is one more. */
static int group_word(struct cli *c, struct asked *a, const char *word, bool *first)
{
	struct wire_match m = { 0 };
	struct bawn_error e = { 0 };

	if (authority_match_word(&m, word, &authority_system_names, &e))
		return daemon_not_a_word(c, word, &e);
	if (m.gid_first != m.gid_last)
		return cli_usage(c, "somebody is in a group, not in a range: %s", word);
	if (*first)
		a->s.gid = m.gid_first;
	*first = false;
	return add_group(c, a, m.gid_first);
}

/* The conditions, behind the operation that is operand number `at`. */
static int read_words(struct cli *c, unsigned at, struct asked *a)
{
	bool own_group = true, somebody = false;
	struct bawn_error e = { 0 };
	int rc = 0;

	for (unsigned i = at + 1; i < c->argc && rc == 0; i++) {
		const char *word = c->argv[i];

		if (strncmp(word, "user=", 5) == 0 && !somebody)
			rc = as_user(c, a, word + 5);
		else if (strncmp(word, "gid=", 4) == 0 || strncmp(word, "group=", 6) == 0)
			rc = group_word(c, a, word, &own_group);
		else if (strcmp(word, "enclave=none") == 0)
			a->ahead = true;
		else if (authority_match_word(&a->m, word, &authority_system_names, &e))
			rc = daemon_not_a_word(c, word, &e);
		somebody = somebody || strncmp(word, "user=", 5) == 0 || strncmp(word, "uid=", 4) == 0;
	}
	if (rc == 0 && a->ahead && a->m.has & WIRE_HAS_ENCLAVE)
		rc = cli_usage(c, "enclave=none, or what the enclave is: one of them");
	if (rc == 0 && !somebody)
		rc = own_group ? as_caller(c, a) : cli_usage(c, "say uid=NUMBER or user=NAME too");
	return rc;
}

/* What is not said of the enclave is something that no line names. */
static void fill_identity(struct asked *a)
{
	struct wire_identity *i = &a->identity;

	i->known = WIRE_KNOWN_ALL;
	memcpy(i->mrenclave, a->m.mrenclave, 32);
	memcpy(i->mrsigner, a->m.mrsigner, 32);
	i->product = a->m.product;
	i->svn = a->m.svn;
	i->attributes = ATTR_MODE64BIT | (a->m.debug ? ATTR_DEBUG : 0);
}

static int read_question(struct cli *c, unsigned at, struct asked *a)
{
	struct bawn_error e = { 0 };
	struct wire_match operations = { 0 };
	int rc;

	*a = (struct asked){ 0 };
	if (c->argc <= at || strcmp(c->argv[at], "all") == 0)
		operations.operations = WIRE_OP_ALL;
	else if (authority_match_operations(&operations, c->argv[at], &e))
		return cli_usage(c, "%s", e.msg);
	a->operations = operations.operations;
	rc = read_words(c, at, a);
	if (rc)
		return rc;
	if (a->m.has & WIRE_HAS_UID) {
		if (a->m.uid_first != a->m.uid_last)
			return cli_usage(c, "ask about one user, not about a range");
		a->s.uid = a->m.uid_first;
	}
	a->s.groups = a->groups;
	a->s.section = a->m.has & WIRE_HAS_SOCKET ? a->m.socket : "native";
	a->s.cgroup = a->m.has & WIRE_HAS_CGROUP ? a->m.cgroup : NULL;
	fill_identity(a);
	return 0;
}

static void print_decision(const struct loaded *l, unsigned op, const struct wire_decision *d)
{
	struct cur line = source_line(l, d->line);
	char text[WIRE_NOTE];

	authority_decision_text(d, text);
	printf("%-11s %s\n", wire_operation_name(op), text);
	if (line.n)
		printf("%-11s   %u: %.*s\n", "", d->line, (int)line.n, (const char *)line.p);
}

static void decision_json(struct json *j, const struct loaded *l, unsigned op,
			  const struct wire_decision *d)
{
	char text[WIRE_NOTE], line[256];
	struct cur source = source_line(l, d->line);

	authority_decision_text(d, text);
	json_open(j, NULL, '{');
	json_string(j, "operation", wire_operation_name(op));
	json_bool(j, "allowed", d->allowed);
	json_string(j, "reason", text);
	if (d->line) {
		snprintf(line, sizeof(line), "%.*s", source.n < 255 ? (int)source.n : 255,
			 (const char *)source.p);
		json_u64(j, "line", d->line);
		if (source.n)
			json_string(j, "text", line);
	}
	if (d->entry)
		json_u64(j, "entry", d->entry);
	if (d->rate) {
		json_u64(j, "rate", d->rate);
		json_u64(j, "rate_seconds", d->rate_seconds);
		json_u64(j, "burst", d->burst);
	}
	if (d->epc)
		json_u64(j, "epc", d->epc);
	json_close(j, '}');
}

/* Grants and revocations of --grants, or NULL. */
static int load_entries(struct cli *c, struct authority_entries **out)
{
	const char *dir = cli_value(c, "grants");
	struct bawn_error e = { 0 };
	int fd, rc;

	*out = NULL;
	if (!dir)
		return 0;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		err_sys(&e, "cannot open %s", dir);
		cli_fail(c, NULL, &e);
		cli_hint("They are kept in the folder vault of `state` in bawnd.conf(5): /var/lib/bawn/vault, root's to read.");
		return CLI_FAILURE;
	}
	rc = authority_entries_load(out, fd, &e);
	close(fd); /* nothing is written here */
	return rc ? cli_fail(c, dir, &e) : 0;
}

/* Who decides: a policy that was read here, or the service. */
struct judge {
	struct loaded l; /* without a policy: the service */
	struct authority_entries *x;
	struct bawn_client *client;
};

/* 0, or an exit code after saying why there is no decision. */
static int judge(struct cli *c, struct judge *by, const struct asked *a, unsigned op,
		 struct wire_decision *d)
{
	const bool of_enclave = WIRE_OP_BIT(op) & AUTHORITY_OF_ENCLAVES;
	const struct wire_identity *identity = of_enclave && !a->ahead ? &a->identity : NULL;
	struct wire_request q = { .head.type = WIRE_POLICY_TEST };
	struct wire_policy_test *t = &q.u.policy_test;
	struct wire_answer answer;
	int rc;

	if (by->l.p && of_enclave && a->ahead) {
		authority_decide_ahead(by->l.p, by->x, &a->s, op, (uint64_t)time(NULL), d);
		return 0;
	}
	if (by->l.p) {
		authority_decide(by->l.p, by->x, &a->s, op, identity, (uint64_t)time(NULL), d);
		return 0;
	}
	t->operation = op;
	t->subject.uid = a->s.uid;
	t->subject.gid = a->s.gid;
	t->subject.ngroups = (uint32_t)a->s.ngroups;
	memcpy(t->subject.groups, a->groups, sizeof(t->subject.groups));
	snprintf(t->subject.socket, sizeof(t->subject.socket), "%s", a->s.section);
	t->subject.has_cgroup = a->s.cgroup != NULL;
	if (a->s.cgroup)
		snprintf(t->subject.cgroup, sizeof(t->subject.cgroup), "%s", a->s.cgroup);
	if (identity)
		t->identity = *identity;
	rc = cli_ask(c, &by->client, &q, &answer);
	if (rc == 0)
		*d = answer.u.policy_test;
	return rc;
}

static int answer(struct cli *c, struct judge *by, const struct asked *a)
{
	struct json *j = cli_flag(c, "json") ? cli_json(c) : NULL;
	bool refused = false;
	int rc = CLI_OK;

	if (j)
		json_open(j, NULL, '[');
	for (unsigned op = 0; op < WIRE_OPERATIONS && rc == 0; op++) {
		struct wire_decision d;

		if (!(a->operations & WIRE_OP_BIT(op)))
			continue;
		rc = judge(c, by, a, op, &d);
		if (rc)
			break;
		if (j)
			decision_json(j, &by->l, op, &d);
		else
			print_decision(&by->l, op, &d);
		refused = refused || !d.allowed;
	}
	if (j)
		json_close(j, ']');
	return rc ? rc : refused ? POLICY_REFUSED : CLI_OK;
}

static int run_test(struct cli *c)
{
	bool service = cli_flag(c, "service");
	struct judge by = { 0 };
	struct bawn_error e = { 0 };
	struct asked a;
	int rc;

	if (!service && !c->argc)
		return cli_usage(c, "name a policy's file, or ask the --service");
	if (!service && cli_value(c, "socket"))
		return cli_usage(c, "--socket goes with --service");
	if (service && cli_value(c, "grants"))
		return cli_usage(c, "the service has its own grants");
	rc = read_question(c, service ? 0 : 1, &a);
	if (rc == 0 && service)
		rc = cli_service(c, &by.client);
	if (rc == 0 && !service) {
		rc = load(c, &by.l, &e);
		if (rc == POLICY_WRONG) /* 3 is "refused" here */
			rc = CLI_FAILURE;
	}
	if (rc == 0 && !service)
		rc = load_entries(c, &by.x);
	if (rc == 0)
		rc = answer(c, &by, &a);
	bawn_client_free(&by.client);
	authority_entries_free(&by.x);
	unload(&by.l);
	return rc;
}

static const char *asked_operation(unsigned i)
{
	return i == WIRE_OPERATIONS + 1 ? "all" : daemon_operation(i);
}

/* Conditions, and one that only a question can have: behind the last of them. */
static const char *asked_condition(unsigned i)
{
	const char *word = daemon_condition(i);

	return word || (i && !daemon_condition(i - 1)) ? word : "enclave=none";
}

static const struct cli_set test_sets[] = {
	{ "OPERATION", asked_operation }, { "CONDITION", asked_condition }, { 0 }
};
static const struct cli_option test_options[] = {
	CLI_OPT_JSON,
	{ .name = "grants", .value = "DIR", .help = "with the grants and revocations kept in DIR" },
	{ .name = "service", .help = "ask the service about the policy in force: no FILE then" },
	CLI_OPT_SOCKET,
	{ 0 },
};
static const struct cli_command test = {
	.name = "test",
	.summary = "tell who would get what by a policy, and by which of its lines",
	.operands = "[FILE] [OPERATION[,OPERATION...] [CONDITION...]]",
	.sets = test_sets,
	.details = "Conditions are those of bawn-policy(5), about one user: uid=1000, or user=NAME (with its\n"
		   "groups); gid= or group= may be repeated, the first is the primary one; socket=native is\n"
		   "the default. Without uid and user it is about whoever asks. What is not said of the\n"
		   "enclave is something that no line names; enclave=none asks about what belongs to quote,\n"
		   "certify or launch and is asked before there is an enclave: target info, key ids.\n"
		   "any is all operations but administer, all is all of them.\n"
		   "Exit codes: 0 all of it is allowed, 3 something is refused.",
	.options = test_options,
	.max = CLI_ANY,
	.run = run_test,
};

static const struct cli_command *const verbs[] = { &check, &test, &cmd_daemon_policy_show,
						   &cmd_daemon_policy_lock, NULL };
const struct cli_command cmd_daemon_policy = {
	.name = "policy",
	.summary = "check a policy, and test what it says",
	.verbs = verbs,
};
