#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void log_stderr(void *arg, enum log_level level, const char *msg)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };

	if (level <= *(const enum log_level *)arg)
		fprintf(stderr, "bawn: %s: %s\n", names[level], msg);
}

/* BAWN_LOG: error, warn (default), info or debug. */
static enum log_level log_wanted(void)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	const char *s = getenv("BAWN_LOG");

	for (unsigned i = 0; s && i < ARRAY_LEN(names); i++)
		if (strcmp(s, names[i]) == 0)
			return (enum log_level)i;
	return LOG_WARN;
}

/* A full disk or a closed pipe must not look like success. */
static int flush_stdout(int rc)
{
	if (!ferror(stdout) && fclose(stdout) == 0)
		return rc;
	fprintf(stderr, "bawn: standard output: %s\n", errno ? strerror(errno) : "write error");
	return rc ? rc : CLI_FAILURE;
}

static int run_command(struct cli *c, int argc, char **argv)
{
	int rc;

	buf_init(&c->out, 256u << 20);
	rc = cli_parse(c, argc, argv);
	if (rc == 0)
		rc = c->cmd->run(c);
	if (c->out.failed) {
		cli_warn(c, NULL, "out of memory for the JSON document");
		rc = rc ? rc : CLI_FAILURE;
	} else if (c->out.n) {
		fwrite(c->out.p, 1, c->out.n, stdout);
		putchar('\n');
	}
	buf_free(&c->out);
	free(c->given);
	return rc;
}

static int no_verb(const char *path, const struct cli_command *cmd, const char *word)
{
	fprintf(stderr, "bawn: %s: ", path);
	if (word)
		fprintf(stderr, "no such command: %s", word);
	else
		fputs("what to do is missing", stderr);
	fputs("; there is:", stderr);
	for (const struct cli_command *const *v = cmd->verbs; *v; v++)
		fprintf(stderr, " %s", (*v)->name);
	fputc('\n', stderr);
	return CLI_USAGE;
}

static bool is_help(const char *s)
{
	return strcmp(s, "--help") == 0 || strcmp(s, "-h") == 0;
}

/* --help among the options, wherever: not behind "--", nor in another program's arguments. */
static bool wants_help(const struct cli_command *cmd, int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (is_help(argv[i]))
			return true;
		if (cmd->program && argv[i][0] != '-')
			return false;
	}
	return false;
}

int cli_dispatch(const struct cli_command *const *list, const char *prefix, int argc, char **argv)
{
	const struct cli_command *cmd = cli_find(list, argv[0]);
	struct cli c = { .cmd = cmd };

	if (!cmd) {
		fprintf(stderr, "bawn: no such command: %s; see `bawn help`\n", argv[0]);
		return CLI_USAGE;
	}
	snprintf(c.path, sizeof(c.path), "%s%s%s", prefix, *prefix ? " " : "", cmd->name);
	if (cmd->verbs) {
		if (argc > 1 && cli_find(cmd->verbs, argv[1]))
			return cli_dispatch(cmd->verbs, c.path, argc - 1, argv + 1);
		if (argc > 1 && is_help(argv[1])) {
			cli_help(c.path, cmd);
			return CLI_OK;
		}
		return no_verb(c.path, cmd, argc > 1 ? argv[1] : NULL);
	}
	if (wants_help(cmd, argc - 1, argv + 1)) {
		cli_help(c.path, cmd);
		return CLI_OK;
	}
	return run_command(&c, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	enum log_level level = log_wanted();

	log_to(log_stderr, &level);
	if (argc < 2) {
		fputs("bawn: no command given; see `bawn help`\n", stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("bawn %s\n", bawn_version());
		return flush_stdout(CLI_OK);
	}
	if (is_help(argv[1])) {
		cli_help_all();
		return flush_stdout(CLI_OK);
	}
	return flush_stdout(cli_dispatch(cli_commands, "", argc - 1, argv + 1));
}
