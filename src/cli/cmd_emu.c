/* bawn emu: the emulated SGX CPU. */
#include "cli/emu.h"

static const struct cli_command *const verbs[] = { &cmd_emu_platform, &cmd_emu_fab, NULL };

const struct cli_command cmd_emu = {
	.name = "emu",
	.summary = "manage the emulated SGX CPU",
	.details = "Emulation is for development and tests: it protects nothing from whoever can read\n"
		   "the platform's files. Nothing uses it unless told to (--device emulated).",
	.verbs = verbs,
};
