/* What the verbs of `bawn emu fab` share. */
#ifndef BAWN_CLI_EMU_FAB_H
#define BAWN_CLI_EMU_FAB_H

#include "cli/emu.h"
#include "cli/show.h"
#include "fab/fab.h"

#define FAB_OPT_DIR                                                                                \
	{ .name = "fab", .value = "DIR", .help = "the fab (default: $BAWN_FAB, else the user's)" }
#define FAB_OPT_DATES                                                                              \
	{ .name = "from", .value = "TIME", .help = "what is signed holds from then on (default: now)" }, \
	{ .name = "until", .value = "TIME", .help = "and until then" }

/* --from and --until; by default `days` long. 0 or an exit code. */
int emu_fab_dates(struct cli *c, int64_t days, struct fab_dates *d);
/* The fab's directory; 0 or an exit code. */
int emu_fab_dir(struct cli *c, char out[4096]);
/* Open it, after saying why not: 0 or an exit code. */
int emu_fab_open(struct cli *c, bool change, struct fab **f);
/* The dates, and it opened to be changed: how verbs begin that sign something. */
int emu_fab_begin(struct cli *c, int64_t days, struct fab_dates *d, struct fab **f);
/* Save, publish with these dates, show if asked to, close: how verbs end that have changed it. */
int emu_fab_finish(struct cli *c, struct fab **f, const struct fab_dates *dates);
#define EMU_FAB_COLLATERAL_DAYS 30

/* Member "emulated", and where the fab is, in an object that is open. */
void emu_fab_head(struct json *j, const struct fab *f);
void emu_fab_levels_json(struct json *j, const struct fab *f);
void emu_fab_levels_text(const struct fab *f);

/*
 * An enclave given as a file, or as its MRSIGNER in 64 digits (with_digits):
 * mrsigner is set in both cases, *s and *has_file only for a file. 0 or an exit
 * code.
 */
struct emu_fab_enclave {
	uint8_t mrsigner[32];
	bool has_file;
	struct isa_sigstruct sigstruct;
};
int emu_fab_enclave(struct cli *c, const char *option, bool with_digits, const char *given,
		    struct emu_fab_enclave *out);

extern const struct cli_command cmd_emu_fab_issue, cmd_emu_fab_pck, cmd_emu_fab_level;

#endif
