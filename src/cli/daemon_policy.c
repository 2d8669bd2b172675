/* bawn daemon policy show, lock: the policy that is in force. */
#include "cli/daemon.h"

#include <stdio.h>

static void info_json(struct json *j, const struct wire_policy_info *p)
{
	json_open(j, NULL, '{');
	json_string(j, "path", p->path);
	json_hex(j, "sha256", p->digest, sizeof(p->digest));
	daemon_json_time(j, "loaded", p->loaded);
	json_u64(j, "rules", p->rules);
	json_u64(j, "sections", p->sections);
	json_u64(j, "grants", p->grants);
	json_u64(j, "revocations", p->revocations);
	json_bool(j, "locked", p->locked);
	json_close(j, '}');
}

static void info_text(const struct wire_policy_info *p)
{
	char hex[65], t[32];

	hex_encode(p->digest, 32, hex);
	printf("%s in force since %s: %u rules in %u sections%s\n", p->path, daemon_time(p->loaded, t),
	       p->rules, p->sections, p->locked ? ", locked" : "");
	printf("  SHA-256 %s\n", hex);
	if (p->grants || p->revocations)
		printf("  and %u grants, %u revocations: bawn daemon grant --list\n", p->grants,
		       p->revocations);
}

int daemon_policy_info(struct cli *c, enum wire_type type)
{
	struct wire_request q = { .head.type = (uint16_t)type };
	struct bawn_client *client;
	struct wire_answer a;
	int r = cli_service(c, &client);

	if (r == 0)
		r = cli_ask(c, &client, &q, &a);
	if (r)
		return r;
	if (cli_flag(c, "json"))
		info_json(cli_json(c), &a.u.policy_info);
	else
		info_text(&a.u.policy_info);
	bawn_client_free(&client);
	return CLI_OK;
}

static const struct cli_option options[] = { CLI_OPT_SOCKET, CLI_OPT_JSON, { 0 } };

static int run_show(struct cli *c)
{
	return daemon_policy_info(c, WIRE_POLICY_INFO);
}

const struct cli_command cmd_daemon_policy_show = {
	.name = "show",
	.summary = "tell which policy the service has in force",
	.options = options,
	.run = run_show,
};

static int run_lock(struct cli *c)
{
	return daemon_policy_info(c, WIRE_POLICY_LOCK);
}

const struct cli_command cmd_daemon_policy_lock = {
	.name = "lock",
	.summary = "let nothing replace the policy until bawnd is started again",
	.details = "Nothing is granted then, and no revocation removed. Revocations can still be made.",
	.options = options,
	.run = run_lock,
};
