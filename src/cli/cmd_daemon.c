/* bawn daemon: the service, its policy and its log. */
#include "cli/daemon.h"

static const struct cli_command *const verbs[] = { &cmd_daemon_policy, &cmd_daemon_audit, NULL };

const struct cli_command cmd_daemon = {
	.name = "daemon",
	.summary = "bawnd: its policy and its audit log",
	.verbs = verbs,
};
