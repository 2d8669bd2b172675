/* The subcommands of `bawn daemon`, and what they share. */
#ifndef BAWN_CLI_DAEMON_H
#define BAWN_CLI_DAEMON_H

#include "cli/cli.h"
#include "host/host.h"

extern const struct cli_command cmd_daemon_status, cmd_daemon_provision, cmd_daemon_quiesce,
	cmd_daemon_reload, cmd_daemon_grant, cmd_daemon_revoke, cmd_daemon_policy, cmd_daemon_audit;

/* Verbs of `bawn daemon policy` that ask the service. */
extern const struct cli_command cmd_daemon_policy_show, cmd_daemon_policy_lock;

#define CLI_OPT_SOCKET                                                                             \
	{ .name = "socket", .value = "PATH",                                                       \
	  .help = "the service's socket (default: $BAWN_SOCKET, else /run/bawn/bawnd.sock)" }

/* ---- service.c ---- */

/* Connect to the service of --socket; 0, or an exit code after saying why not, and what to do. */
int cli_service(struct cli *c, struct bawn_client **out);
/* One request on it; the same. The client is freed if it fails. */
int cli_ask(struct cli *c, struct bawn_client **client, struct wire_request *q,
	    struct wire_answer *a);
/* What to do about the error of a call of bawn.h that asked for this. */
void cli_service_hint(const struct cli *c, enum wire_type type, const struct bawn_error *e);
/* ---- cmd_daemon.c, daemon_policy.c ---- */

/* Operations of the policy, "quote", "administer", and "any". */
const char *daemon_operation(unsigned i);
/* Conditions of a grant or a rule: "uid=N[-N]", "debug=yes|no". */
const char *daemon_condition(unsigned i);
/* A word that is no condition: says which, and why; gives CLI_USAGE. */
int daemon_not_a_word(const struct cli *c, const char *word, const struct bawn_error *e);
/* A request that is answered with what is known of the policy, which is printed; an exit code. */
int daemon_policy_info(struct cli *c, enum wire_type type);
/* "2026-11-27T07:41:02Z", or a word for none. */
const char *daemon_time(uint64_t t, char out[32]);
void daemon_json_time(struct json *j, const char *key, uint64_t t);
/* Digits, or "-" (null) for zeros, which stand for what is not known; out has 2 * n + 1 bytes. */
const char *daemon_hex(const uint8_t *p, size_t n, char *out);
void daemon_json_hex(struct json *j, const char *key, const uint8_t *p, size_t n);
/* The same of numbers that may be 0. */
const char *daemon_known(bool known, uint64_t n, char out[32]);
void daemon_json_known(struct json *j, const char *key, bool known, uint64_t n);

#endif
