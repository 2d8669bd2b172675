/*
 * cli: the bawn command. One file per subcommand, one table of them.
 *
 * To add a subcommand NAME: write src/cli/cmd_NAME.c, which defines
 *
 *	static const struct cli_option options[] = { CLI_OPT_JSON, { 0 } };
 *	static int run(struct cli *c) { ... }
 *	const struct cli_command cmd_NAME = {
 *		.name = "NAME", .summary = "...", .operands = "FILE...",
 *		.details = "...", .options = options, .min = 1, .max = CLI_ANY, .run = run,
 *	};
 *
 * and add one line to COMMANDS in commands.c; then man/bawn-NAME.1. Verbs below
 * a command (`bawn emu platform create`) are commands in a NULL-terminated list
 * `verbs` of their parent, which has no `run`. Options, operands' number, help
 * and completion come from the table: `run` is called only with arguments that
 * fit it, and only looks them up.
 */
#ifndef BAWN_CLI_H
#define BAWN_CLI_H

#include "base/base.h"

/* Exit codes that mean the same for every subcommand; verdicts have others, documented there. */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILURE = 1,
	CLI_USAGE = 64, /* EX_USAGE of sysexits.h */
};

/* A set of words that another part has names for: the i-th, or NULL behind the last. */
typedef const char *(*cli_words)(unsigned i);

struct cli_option {
	const char *name;  /* without the dashes */
	const char *value; /* NULL: a flag; "FILE", "DIR", "HEX"...; "a|b|c": one of these words; "a|FILE": or a file */
	cli_words words;   /* it is one of these, called `value` in the usage; NULL: as value says */
	const char *help;  /* one line */
	char letter;       /* short form, or 0 */
	bool hidden;       /* neither in help nor in completion */
};
/*
 * Words that operands can be: "OPERATION" is one of words, or several joined by
 * commas; "answer=" one of words behind that. A word may be "uid=N" or "debug=yes|no".
 */
struct cli_set {
	const char *name;
	cli_words words;
};
#define CLI_OPT_JSON { .name = "json", .help = "print JSON" }
#define CLI_OPT_DEVICE                                                                             \
	{ .name = "device", .value = "auto|kernel|isgx|emulated",                                  \
	  .help = "the SGX device (default: $BAWN_DEVICE, else auto)" }
#define CLI_OPT_PLATFORM                                                                           \
	{ .name = "platform", .value = "DIR",                                                      \
	  .help = "the emulated platform (default: $BAWN_PLATFORM, else the user's)" }

#define CLI_ANY 1000000u

struct cli;
struct cli_command {
	const char *name;
	const char *summary;  /* one line, lower case, no full stop */
	const char *operands; /* "FILE...", as in the usage line; NULL: none */
	const struct cli_set *sets; /* what else than files they can be, ends with a zero entry; NULL: nothing */
	const char *details;  /* more help, or NULL: exit codes other than 0, 1 and 64 go here */
	const struct cli_option *options; /* ends with a zero entry; NULL: none */
	const struct cli_command *const *verbs; /* NULL-terminated, or NULL */
	unsigned min, max;    /* number of operands */
	bool program;         /* the operands are a command line: no options after the first */
	int (*run)(struct cli *c); /* gives the exit code */
};

/* One run of a subcommand: what it was given. */
struct cli {
	const struct cli_command *cmd;
	char path[64]; /* "emu platform create" */
	unsigned argc; /* operands */
	char **argv;
	struct cli_given {
		const struct cli_option *option;
		const char *value;
	} *given;
	size_t ngiven;
	struct buf out;
	struct json json;
};

/* ---- what was given; the name must be in the command's table ---- */

bool cli_flag(const struct cli *c, const char *name);
/* The last value given, or NULL. */
const char *cli_value(const struct cli *c, const char *name);
/* The i-th value of an option that may be repeated, or NULL. */
const char *cli_value_at(const struct cli *c, const char *name, size_t i);
/*
 * A whole number (decimal, or hexadecimal with 0x) from min to max; *out stays
 * as it is if the option was not given. 0, or CLI_USAGE after saying so.
 */
int cli_number(struct cli *c, const char *name, uint64_t min, uint64_t max, uint64_t *out);
/* The same for a size in bytes, not 0: "4096", "128M"; K, M and G are powers of 1024. */
int cli_size(struct cli *c, const char *name, uint64_t *out);

/*
 * An instant, 2026-03-05T10:50:03Z, 2026-03-05 (0:00 UTC) or seconds since
 * 1970; *out stays as it is if the option was not given. 0, or CLI_USAGE.
 */
int cli_time(struct cli *c, const char *name, int64_t *out);
/* Exactly 2 * n hexadecimal digits; the same. */
int cli_hex(struct cli *c, const char *name, void *out, size_t n);

/* ---- values that are one of several words ---- */

/* The i-th literal word of "a|b|FILE": what is in capitals stands for something. */
bool cli_choice(const char *value, unsigned i, struct cur *word);
/* True if there is anything in capitals in it. */
bool cli_is_open(const char *value);

/* ---- saying things ---- */

/* "bawn: emu platform create: SUBJECT: text" on standard error. subject may be NULL. */
void cli_warn(const struct cli *c, const char *subject, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for a recorded error; gives CLI_FAILURE, for `return cli_fail(...)`. */
int cli_fail(const struct cli *c, const char *subject, const struct bawn_error *e);
/* The same for wrong usage, with a hint at --help; gives CLI_USAGE. */
int cli_usage(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What to do next, a sentence: on a line of its own below such a message. */
void cli_hint(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/*
 * The JSON document of this run, written to standard output when `run` has
 * returned, whatever its exit code: empty so far, or as far as it was written.
 */
struct json *cli_json(struct cli *c);

/* ---- what comes out ---- */

/* The file of --output; NULL for standard output, by "-" or without the option. */
const char *cli_output(const struct cli *c);
/* Bytes to --output: CLI_OK, or CLI_FAILURE after saying so. Not to standard output if that has the JSON document. */
int cli_deliver(struct cli *c, const void *p, size_t n);

/* ---- a file that is not what was expected ---- */

enum cli_kind { CLI_KIND_QUOTE, CLI_KIND_COLLATERAL, CLI_KIND_WHITE_LIST };
/*
 * Are these bytes, whole or not, of another kind than is wanted? Then *e says of
 * which, what was wanted, and which command is for it. Else false; an error
 * that *e has gets a remark if they are of no kind that is known.
 */
bool cli_foreign(const void *p, size_t n, enum cli_kind wanted, struct bawn_error *e);

/* ---- the frame's own ---- */

/* All subcommands, NULL-terminated. */
extern const struct cli_command *const cli_commands[];
/* The command of this name in a list, or NULL. */
const struct cli_command *cli_find(const struct cli_command *const *list, const char *name);
/* Sort argv (without the command's name) into options and operands: 0 or CLI_USAGE. */
int cli_parse(struct cli *c, int argc, char **argv);
void cli_help_all(void);
void cli_help(const char *path, const struct cli_command *cmd);
/* argv[0] is a command's name in list; runs it, or a verb of it. prefix: the path so far. */
int cli_dispatch(const struct cli_command *const *list, const char *prefix, int argc, char **argv);

#endif
