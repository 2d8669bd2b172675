/* bawn daemon grant, revoke: authority given and taken while the service runs. */
#include "authority/authority.h"
#include "cli/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What can be granted: to administer is the policy's alone to give. */
static const char *grant_operation(unsigned i)
{
	return daemon_operation(i < WIRE_OP_ADMINISTER ? i : i + 1);
}

static const struct cli_set grant_sets[] = {
	{ "OPERATIONS", grant_operation }, { "WORD", daemon_condition }, { 0 }
};
static const struct cli_set revoke_sets[] = {
	{ "OPERATIONS", daemon_operation }, { "WORD", daemon_condition }, { 0 }
};

/* ---- listing ---- */

static void entry_json(struct json *j, const struct wire_entry *x, const char *match)
{
	json_open(j, NULL, '{');
	json_u64(j, "id", x->id);
	json_string(j, "kind", x->kind == WIRE_GRANT ? "grant" : "revocation");
	json_string(j, "match", match);
	json_u64(j, "by", x->by);
	daemon_json_time(j, "made", x->made);
	daemon_json_time(j, "expires", x->expires);
	json_string(j, "note", x->note);
	json_close(j, '}');
}

static void entry_text(const struct wire_entry *x, const char *match)
{
	char made[32], expires[32];

	printf("%llu  %s  %s  by uid %u, %s", (unsigned long long)x->id,
	       x->kind == WIRE_GRANT ? "grant " : "revoke", match, x->by, daemon_time(x->made, made));
	if (x->expires)
		printf(", until %s", daemon_time(x->expires, expires));
	printf("%s%s\n", x->note[0] ? "  # " : "", x->note);
}

/* The entries of one answer; the last one's id is where the next begins. */
static int list_some(const struct wire_answer *a, struct json *j, uint64_t *after,
		     struct bawn_error *e)
{
	struct cur tail = a->tail;

	for (uint32_t i = 0; i < a->u.grant_list.count; i++) {
		struct wire_entry x;
		struct buf match;
		int r = wire_decode(&wire_entry_layout, &tail, &x, e);

		if (r)
			return r;
		buf_init(&match, 4096);
		authority_match_text(&x.match, &match);
		buf_add(&match, "", 1);
		if (match.failed) {
			buf_free(&match);
			return err_nomem(e);
		}
		if (j)
			entry_json(j, &x, (const char *)match.p);
		else
			entry_text(&x, (const char *)match.p);
		buf_free(&match);
		*after = x.id;
	}
	return 0;
}

static int list(struct cli *c)
{
	struct wire_request q = { .head.type = WIRE_GRANT_LIST };
	struct json *j = cli_flag(c, "json") ? cli_json(c) : NULL;
	struct bawn_client *client;
	struct bawn_error e = { 0 };
	struct wire_answer a;
	int r = cli_service(c, &client);

	if (r)
		return r;
	if (j)
		json_open(j, NULL, '[');
	do {
		r = cli_ask(c, &client, &q, &a);
		if (r)
			return r;
		r = list_some(&a, j, &q.u.grant_list.after, &e);
	} while (r == 0 && a.u.grant_list.more);
	if (j)
		json_close(j, ']');
	bawn_client_free(&client);
	return r ? cli_fail(c, NULL, &e) : CLI_OK;
}

/* ---- making and removing ---- */

static int parse_match(struct cli *c, struct wire_match *m)
{
	struct bawn_error e = { 0 };
	const char *flaw;

	if (c->argc < 1)
		return cli_usage(c, "which operations? such as: quote uid=1000");
	if (authority_match_operations(m, c->argv[0], &e))
		return cli_usage(c, "%s", e.msg);
	for (unsigned i = 1; i < c->argc; i++)
		if (authority_match_word(m, c->argv[i], &authority_system_names, &e))
			return daemon_not_a_word(c, c->argv[i], &e);
	flaw = wire_match_flaw(m);
	return flaw ? cli_usage(c, "%s", flaw) : 0;
}

static void added_json(struct json *j, const struct wire_grant_add_answer *g)
{
	json_open(j, NULL, '{');
	json_u64(j, "id", g->id);
	json_u64(j, "lifted", g->lifted);
	json_u64(j, "blocker", g->blocker);
	json_bool(j, "kept", g->kept);
	json_u64(j, "enclaves_outside", g->outside);
	json_open(j, "outlives", '[');
	for (unsigned i = 0; wire_outlives_text(i); i++)
		if (g->outlives & 1u << i)
			json_string(j, NULL, wire_outlives_text(i));
	json_close(j, ']');
	json_close(j, '}');
}

static void added_text(const struct wire_grant_add_answer *g, bool grant)
{
	printf("%s %llu is in force\n", grant ? "grant" : "revocation", (unsigned long long)g->id);
	if (g->lifted)
		printf("it replaces the %s %llu\n", grant ? "revocation" : "grant", (unsigned long long)g->lifted);
	if (g->blocker)
		printf("but the revocation %llu still stands in its way\n", (unsigned long long)g->blocker);
	if (!g->kept)
		puts("WARNING: it could not be written, and will not hold after a restart: see the service's log");
	puts(grant ? "What a later revocation will not reach:" : "What this does not reach:");
	for (unsigned i = 0; wire_outlives_text(i); i++)
		if (g->outlives & 1u << i)
			printf("  %s\n", wire_outlives_text(i));
	if (g->outside)
		printf("  %u enclaves handed over earlier are still there\n", g->outside);
}

static int add(struct cli *c, enum wire_entry_kind kind, uint64_t expires)
{
	struct wire_request q = { .head.type = WIRE_GRANT_ADD };
	const char *note = cli_value(c, "note");
	struct bawn_client *client;
	struct wire_answer a;
	int r = parse_match(c, &q.u.grant_add.match);

	q.u.grant_add.kind = kind;
	q.u.grant_add.expires = expires;
	if (note && strlen(note) >= sizeof(q.u.grant_add.note))
		return cli_usage(c, "--note: at most %zu bytes", sizeof(q.u.grant_add.note) - 1);
	if (note)
		strcpy(q.u.grant_add.note, note);
	if (r == 0)
		r = cli_service(c, &client);
	if (r == 0)
		r = cli_ask(c, &client, &q, &a);
	if (r)
		return r;
	if (cli_flag(c, "json"))
		added_json(cli_json(c), &a.u.grant_add);
	else
		added_text(&a.u.grant_add, kind == WIRE_GRANT);
	bawn_client_free(&client);
	return CLI_OK;
}

static int remove_entry(struct cli *c)
{
	struct wire_request q = { .head.type = WIRE_GRANT_REMOVE };
	struct bawn_client *client;
	struct wire_answer a;
	int r = cli_number(c, "remove", 1, UINT64_MAX, &q.u.grant_remove.id);

	if (r == 0 && (c->argc || cli_value(c, "note")))
		return cli_usage(c, "--remove takes the number alone");
	if (r == 0)
		r = cli_service(c, &client);
	if (r == 0)
		r = cli_ask(c, &client, &q, &a);
	if (r)
		return r;
	if (cli_flag(c, "json")) {
		struct json *j = cli_json(c);

		json_open(j, NULL, '{');
		json_u64(j, "removed", q.u.grant_remove.id);
		json_close(j, '}');
	} else {
		printf("%llu is removed: what the policy says is in force\n",
		       (unsigned long long)q.u.grant_remove.id);
	}
	bawn_client_free(&client);
	return CLI_OK;
}

static const struct cli_option grant_options[] = {
	CLI_OPT_SOCKET,
	{ .name = "for", .value = "SECONDS", .help = "let it end by itself" },
	{ .name = "note", .value = "TEXT", .help = "why, for the list and the audit log" },
	{ .name = "list", .help = "list grants and revocations" },
	{ .name = "remove", .value = "ID", .help = "remove the one of this number" },
	CLI_OPT_JSON,
	{ 0 }
};

static int run_grant(struct cli *c)
{
	uint64_t seconds = 0;
	int r = cli_number(c, "for", 1, UINT64_C(100) * 366 * 86400, &seconds);

	if (r)
		return r;
	if (cli_flag(c, "list"))
		return c->argc || cli_value(c, "for") || cli_value(c, "note") || cli_value(c, "remove") ?
			       cli_usage(c, "--list takes nothing else") : list(c);
	if (cli_value(c, "remove"))
		return seconds ? cli_usage(c, "--remove takes the number alone") : remove_entry(c);
	return add(c, WIRE_GRANT, seconds ? (uint64_t)time(NULL) + seconds : 0);
}

const struct cli_command cmd_daemon_grant = {
	.name = "grant",
	.summary = "allow what the policy does not, until further notice",
	.operands = "OPERATIONS [WORD...]",
	.sets = grant_sets,
	.details = "OPERATIONS are joined by commas; any is all of them, and to administer is the policy's\n"
		   "alone to give. All WORDs must hold.\n"
		   "It holds at once and is kept across restarts. What no revocation can undo later is shown.",
	.options = grant_options,
	.max = CLI_ANY,
	.run = run_grant,
};

static const struct cli_option revoke_options[] = {
	CLI_OPT_SOCKET,
	{ .name = "note", .value = "TEXT", .help = "why, for the list and the audit log" },
	{ .name = "remove", .value = "ID", .help = "take the revocation of this number back" },
	CLI_OPT_JSON,
	{ 0 }
};

static int run_revoke(struct cli *c)
{
	return cli_value(c, "remove") ? remove_entry(c) : add(c, WIRE_REVOCATION, 0);
}

const struct cli_command cmd_daemon_revoke = {
	.name = "revoke",
	.summary = "refuse what the policy allows, at once",
	.operands = "OPERATIONS [WORD...]",
	.sets = revoke_sets,
	.details = "OPERATIONS are joined by commas; any is all but administer. All WORDs must hold.\n"
		   "It reaches open connections and requests that wait, and is kept across restarts; what\n"
		   "it cannot reach is shown.",
	.options = revoke_options,
	.max = CLI_ANY,
	.run = run_revoke,
};
