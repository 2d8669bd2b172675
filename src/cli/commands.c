#include "cli/cli.h"

#include <string.h>

/* One line for each subcommand, in the order of `bawn help`. */
#define COMMANDS(X)                                                                                \
	X(check)                                                                                   \
	X(inspect)                                                                                 \
	X(measure)                                                                                 \
	X(load)                                                                                    \
	X(sign)                                                                                    \
	X(launch)                                                                                  \
	X(attest)                                                                                  \
	X(verify)                                                                                  \
	X(quote)                                                                                   \
	X(collateral)                                                                              \
	X(emulate)                                                                                 \
	X(daemon)                                                                                  \
	X(emu)                                                                                     \
	X(help)                                                                                    \
	X(completion)

#define DECLARE(name) extern const struct cli_command cmd_##name;
COMMANDS(DECLARE)

#define ENTRY(name) &cmd_##name,
const struct cli_command *const cli_commands[] = { COMMANDS(ENTRY) NULL };

const struct cli_command *cli_find(const struct cli_command *const *list, const char *name)
{
	for (; *list; list++)
		if (strcmp((*list)->name, name) == 0)
			return *list;
	return NULL;
}
