/* Verbs of bawn emu. */
#ifndef BAWN_CLI_EMU_H
#define BAWN_CLI_EMU_H

#include "cli/cli.h"

extern const struct cli_command cmd_emu_platform, cmd_emu_fab;

#endif
