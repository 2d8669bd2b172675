/* bawn daemon: the attestation service, as its users and its owner see it. */
#include "cli/daemon.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *daemon_operation(unsigned i)
{
	return i < WIRE_OPERATIONS ? wire_operation_name(i) : i == WIRE_OPERATIONS ? "any" : NULL;
}

const char *daemon_condition(unsigned i)
{
	static const char *const words[] = { "uid=N[-N]",    "user=NAME",    "gid=N[-N]",     "group=NAME",
					     "cgroup=PATH",  "socket=NAME",  "mrenclave=HEX", "mrsigner=HEX",
					     "product=N",    "svn=N",        "debug=yes|no" };

	return i < ARRAY_LEN(words) ? words[i] : NULL;
}

int daemon_not_a_word(const struct cli *c, const char *word, const struct bawn_error *e)
{
	return strstr(e->msg, word) ? cli_usage(c, "%s", e->msg) : cli_usage(c, "%s: %s", word, e->msg);
}

const char *daemon_time(uint64_t t, char out[32])
{
	time_t s = (time_t)t;
	struct tm tm;

	if (!t || !gmtime_r(&s, &tm) || !strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		strcpy(out, "-");
	return out;
}

void daemon_json_time(struct json *j, const char *key, uint64_t t)
{
	char text[32];

	if (t)
		json_string(j, key, daemon_time(t, text));
	else
		json_null(j, key);
}

const char *daemon_hex(const uint8_t *p, size_t n, char *out)
{
	if (ct_is_zero(p, n))
		return strcpy(out, "-");
	hex_encode(p, n, out);
	return out;
}

void daemon_json_hex(struct json *j, const char *key, const uint8_t *p, size_t n)
{
	if (ct_is_zero(p, n))
		json_null(j, key);
	else
		json_hex(j, key, p, n);
}

const char *daemon_known(bool known, uint64_t n, char out[32])
{
	snprintf(out, 32, known ? "%llu" : "-", (unsigned long long)n);
	return out;
}

void daemon_json_known(struct json *j, const char *key, bool known, uint64_t n)
{
	if (known)
		json_u64(j, key, n);
	else
		json_null(j, key);
}

static const struct cli_command *const verbs[] = {
	&cmd_daemon_status, &cmd_daemon_provision, &cmd_daemon_grant, &cmd_daemon_revoke,
	&cmd_daemon_policy, &cmd_daemon_audit, &cmd_daemon_quiesce, &cmd_daemon_reload, NULL,
};

const struct cli_command cmd_daemon = {
	.name = "daemon",
	.summary = "look at and administer the attestation service, bawnd",
	.verbs = verbs,
};
