/* Help, errors and JSON: what all subcommands say in the same way. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void print_commands(const struct cli_command *const *list)
{
	for (; *list; list++)
		printf("  %-12s %s\n", (*list)->name, (*list)->summary);
}

void cli_help_all(void)
{
	puts("usage: bawn COMMAND [OPTION...] [OPERAND...]\n"
	     "       bawn --version\n\n"
	     "Load, run, inspect and attest SGX enclaves, on hardware or on an emulated CPU.\n\n"
	     "Commands:");
	print_commands(cli_commands);
	puts("\n`bawn COMMAND --help` tells more; so does the manual, bawn(1).\n"
	     "Exit codes: 0 yes or done, 1 failure, 64 wrong usage; others are told by the command.");
}

#define HELP_WIDTH 96

/* "quote, certify", folded, lines behind the first indented; *at is the column. */
static void print_words(cli_words words, int indent, int at)
{
	const char *word;

	for (unsigned i = 0; (word = words(i)); i++) {
		at += printf("%s", i ? "," : "");
		if (at + 1 + (int)strlen(word) > HELP_WIDTH)
			at = printf("\n%*s%s", indent, "", word) - 1;
		else
			at += printf("%s%s", i ? " " : "", word);
	}
	putchar('\n');
}

static void print_options(const struct cli_option *o)
{
	char left[80];

	puts("\nOptions:");
	for (; o->name; o++) {
		char letter[5] = "    ";

		if (o->hidden)
			continue;
		if (o->letter)
			snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, o->value ? " " : "",
			 o->value ? o->value : "");
		if (strlen(left) > 26)
			printf("  %s\n  %-26s %s\n", left, "", o->help);
		else
			printf("  %-26s %s\n", left, o->help);
		if (o->words)
			print_words(o->words, 29, printf("%29sone of ", ""));
	}
}

static void print_sets(const struct cli_set *set)
{
	for (putchar('\n'); set->name; set++)
		print_words(set->words, 2, printf("%s%s ", set->name, strchr(set->name, '=') ? "" : ":"));
}

void cli_help(const char *path, const struct cli_command *cmd)
{
	printf("usage: bawn %s", path);
	if (cmd->verbs)
		fputs(" COMMAND", stdout);
	if (cmd->verbs || cmd->options)
		fputs(" [OPTION...]", stdout);
	if (cmd->operands)
		printf(" %s", cmd->operands);
	printf("\n\n%s\n", cmd->summary);
	if (cmd->verbs) {
		puts("\nCommands:");
		print_commands(cmd->verbs);
	}
	if (cmd->options)
		print_options(cmd->options);
	if (cmd->sets)
		print_sets(cmd->sets);
	if (cmd->details)
		printf("\n%s\n", cmd->details);
}

__attribute__((format(printf, 3, 0))) static void vwarn(const struct cli *c, const char *subject,
							const char *fmt, va_list ap)
{
	fflush(stdout);
	fprintf(stderr, "bawn: %s: ", c->path);
	if (subject)
		fprintf(stderr, "%s: ", subject);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void cli_warn(const struct cli *c, const char *subject, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vwarn(c, subject, fmt, ap);
	va_end(ap);
}

/* Is the subject named in a message, as "SUBJECT: ...", "SUBJECT is ..." or "... SUBJECT/file: ..."? */
static bool names(const char *msg, const char *subject)
{
	const size_t n = strlen(subject);

	for (const char *p = msg; n && (p = strstr(p, subject)); p++)
		if ((p == msg || p[-1] == ' ') && (p[n] == ':' || p[n] == '/' || p[n] == '\0' || strncmp(p + n, " is ", 4) == 0))
			return true;
	return false;
}

int cli_fail(const struct cli *c, const char *subject, const struct bawn_error *e)
{
	if (subject && names(e->msg, subject))
		subject = NULL;
	cli_warn(c, subject, "%s", e->msg);
	return CLI_FAILURE;
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vwarn(c, NULL, fmt, ap);
	va_end(ap);
	fprintf(stderr, "See `bawn %s --help`.\n", c->path);
	return CLI_USAGE;
}

void cli_hint(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

const char *cli_output(const struct cli *c)
{
	const char *output = cli_value(c, "output");

	return output && strcmp(output, "-") != 0 ? output : NULL;
}

int cli_deliver(struct cli *c, const void *p, size_t n)
{
	const char *output = cli_output(c);
	struct bawn_error e = { 0 };

	if (output)
		return io_write_file(output, p, n, 0644, &e) ? cli_fail(c, output, &e) : CLI_OK;
	if (cli_flag(c, "json"))
		return CLI_OK;
	if (fwrite(p, 1, n, stdout) == n && fflush(stdout) == 0)
		return CLI_OK;
	cli_warn(c, NULL, "cannot write to standard output");
	return CLI_FAILURE;
}

struct json *cli_json(struct cli *c)
{
	if (!c->json.out)
		json_init(&c->json, &c->out);
	return &c->json;
}
