/* Verbs of bawn daemon. */
#ifndef BAWN_CLI_DAEMON_H
#define BAWN_CLI_DAEMON_H

#include "cli/cli.h"

extern const struct cli_command cmd_daemon_policy, cmd_daemon_audit;

#endif
