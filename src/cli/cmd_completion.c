/* Completion scripts for three shells, made from the table of commands. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

typedef void (*visit_fn)(const char *path, const struct cli_command *cmd);

/* Every command and verb, parents first; path is "emu platform create". */
static void walk(const struct cli_command *const *list, const char *prefix, visit_fn visit)
{
	for (; *list; list++) {
		char path[64];

		snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? " " : "", (*list)->name);
		visit(path, *list);
		if ((*list)->verbs)
			walk((*list)->verbs, path, visit);
	}
}

static void names(const struct cli_command *const *list)
{
	for (const char *sep = ""; *list; list++, sep = " ")
		printf("%s%s", sep, (*list)->name);
}

static void words_of(const char *choices)
{
	for (; *choices; choices++)
		putchar(*choices == '|' ? ' ' : *choices);
}

/* In single quotes for a shell: our own help texts may hold an apostrophe. */
static void quote(const char *s)
{
	putchar('\'');
	for (; *s; s++)
		if (*s == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*s);
	putchar('\'');
}

/* ---- bash: also what zsh uses, through its bashcompinit ---- */

static void bash_path(const char *path, const struct cli_command *cmd)
{
	(void)cmd;
	printf("\t\t' %s') path=\" %s\" ;;\n", path, path);
}

static void bash_values(const char *path, const struct cli_command *cmd)
{
	for (const struct cli_option *o = cmd->options; o && o->name; o++) {
		if (o->hidden || !o->value)
			continue;
		printf("\t' %s --%s') ", path, o->name);
		if (strchr(o->value, '|')) {
			fputs("COMPREPLY=($(compgen -W '", stdout);
			words_of(o->value);
			puts("' -- \"$cur\")); return ;;");
		} else {
			printf("COMPREPLY=($(compgen -%c -- \"$cur\")); return ;;\n",
			       strcmp(o->value, "DIR") == 0 ? 'd' : 'f');
		}
	}
}

static void bash_words(const char *path, const struct cli_command *cmd)
{
	printf("\t' %s') words='", path);
	if (cmd->verbs) {
		names(cmd->verbs);
		putchar(' ');
	}
	for (const struct cli_option *o = cmd->options; o && o->name; o++)
		if (!o->hidden)
			printf("--%s ", o->name);
	printf("--help' files=%d ;;\n", cmd->operands != NULL);
}

static void bash(void)
{
	puts("# Completion of bawn for bash, made by `bawn completion bash`.\n"
	     "_bawn() {\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	     "\tlocal path='' words files=0 i\n"
	     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	     "\t\tcase \"$path ${COMP_WORDS[i]}\" in");
	walk(cli_commands, "", bash_path);
	puts("\t\t*) break ;;\n\t\tesac\n\tdone\n\tcase \"$path $prev\" in");
	walk(cli_commands, "", bash_values);
	puts("\tesac\n\tcase \"$path\" in");
	fputs("\t'') words='", stdout);
	names(cli_commands);
	puts(" --help --version' ;;");
	walk(cli_commands, "", bash_words);
	puts("\tesac\n"
	     "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	     "\tif [[ $files = 1 && $cur != -* ]]; then\n"
	     "\t\tCOMPREPLY+=($(compgen -f -- \"$cur\"))\n"
	     "\tfi\n"
	     "}\n"
	     "complete -o filenames -F _bawn bawn");
}

static void zsh(void)
{
	puts("#compdef bawn\n"
	     "autoload -U +X bashcompinit && bashcompinit");
	bash();
}

/* ---- fish ---- */

static void fish_command(const char *path, const struct cli_command *cmd)
{
	const char *last = strrchr(path, ' ');

	fputs("complete -c bawn -f -n '__bawn_at", stdout);
	if (last)
		printf(" %.*s", (int)(last - path), path);
	printf("' -a %s -d ", cmd->name);
	quote(cmd->summary);
	putchar('\n');
	if (cmd->operands)
		printf("complete -c bawn -F -n '__bawn_at %s'\n", path);
	for (const struct cli_option *o = cmd->options; o && o->name; o++) {
		if (o->hidden)
			continue;
		printf("complete -c bawn -n '__bawn_at %s' -l %s ", path, o->name);
		if (o->letter)
			printf("-s %c ", o->letter);
		if (o->value && strchr(o->value, '|')) {
			fputs("-x -a '", stdout);
			words_of(o->value);
			fputs("' ", stdout);
		} else if (o->value) {
			fputs("-r ", stdout);
		}
		fputs("-d ", stdout);
		quote(o->help);
		putchar('\n');
	}
}

static void fish(void)
{
	puts("# Completion of bawn for fish, made by `bawn completion fish`.\n"
	     "# True while the words typed so far, options aside, are just these, or these\n"
	     "# and operands of a command that has no commands below it.\n"
	     "function __bawn_at\n"
	     "\tset -l typed (string match -v -- '-*' (commandline -opc))[2..-1]\n"
	     "\tset -l n (count $argv)\n"
	     "\ttest (count $typed) -ge $n; or return 1\n"
	     "\tif test $n -eq 0\n"
	     "\t\ttest (count $typed) -eq 0\n"
	     "\telse\n"
	     "\t\ttest \"$typed[1..$n]\" = \"$argv\"\n"
	     "\tend\n"
	     "end");
	walk(cli_commands, "", fish_command);
}

static int run(struct cli *c)
{
	static const struct {
		const char *shell;
		void (*print)(void);
	} shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };

	for (size_t i = 0; i < ARRAY_LEN(shells); i++)
		if (strcmp(c->argv[0], shells[i].shell) == 0) {
			shells[i].print();
			return CLI_OK;
		}
	return cli_usage(c, "no completion for %s: bash, zsh or fish", c->argv[0]);
}

const struct cli_command cmd_completion = {
	.name = "completion",
	.summary = "print a completion script for a shell",
	.operands = "bash|zsh|fish",
	.details = "For this session of bash: source <(bawn completion bash)",
	.min = 1,
	.max = 1,
	.run = run,
};
