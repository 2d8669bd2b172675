#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

/* `bawn help emu platform create` is `bawn emu platform create --help`. */
static int run(struct cli *c)
{
	const struct cli_command *const *list = cli_commands;
	const struct cli_command *cmd = NULL;
	char path[64] = "";

	if (c->argc == 0) {
		cli_help_all();
		return CLI_OK;
	}
	for (unsigned i = 0; i < c->argc; i++) {
		size_t n = strlen(path);

		cmd = list ? cli_find(list, c->argv[i]) : NULL;
		if (!cmd)
			return cli_usage(c, "no such command: %s", c->argv[i]);
		snprintf(path + n, sizeof(path) - n, "%s%s", n ? " " : "", cmd->name);
		list = cmd->verbs;
	}
	cli_help(path, cmd);
	return CLI_OK;
}

static const char *command_name(unsigned i)
{
	return cli_commands[i] ? cli_commands[i]->name : NULL;
}

const struct cli_command cmd_help = {
	.name = "help",
	.summary = "list the commands, or tell about one",
	.operands = "[COMMAND...]",
	.sets = (const struct cli_set[]){ { "COMMAND", command_name }, { 0 } },
	.max = 8,
	.run = run,
};
