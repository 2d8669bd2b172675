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

/* ---- what a value or an operand can be ---- */

/* The literal words of "a|b|FILE", each behind a blank. */
static void choices(const char *key, size_t key_n, const char *value)
{
	struct cur word;

	for (unsigned i = 0; cli_choice(value, i, &word); i++)
		printf(" %.*s%.*s", (int)key_n, key, (int)word.n, (const char *)word.p);
}

/* The words of a set: "quote", "debug=yes"; of what is open, such as "uid=N[-N]", "uid=". */
static void set_words(const struct cli_set *set)
{
	const char *word;

	for (unsigned i = 0; (word = set->words(i)); i++) {
		const char *equals = strchr(word, '=');
		size_t key = equals ? (size_t)(equals - word) + 1 : 0;

		if (!key)
			printf(" %s%s", strchr(set->name, '=') ? set->name : "", word);
		else if (cli_is_open(word + key))
			printf(" %.*s", (int)key, word);
		else
			choices(word, key, word + key);
	}
}

static void option_words(const struct cli_option *o)
{
	const struct cli_set set = { o->value, o->words };

	if (o->words)
		set_words(&set);
	else
		choices("", 0, o->value);
}

static void operand_words(const struct cli_command *cmd)
{
	for (const struct cli_set *set = cmd->sets; set && set->name; set++)
		set_words(set);
}

/* 'f' if one of the names in capitals in "[DIR|FILE...]" is of a file, 'd' if one is of a directory, or 0. */
static char files_of(const char *text)
{
	static const char *const file[] = { "FILE", "PEM", "PATH", "ENCLAVE", "QUOTE", "SIGNER", "PROGRAM" };
	char kind = 0;

	for (const char *p = text; p && *p; p++) {
		size_t n = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

		for (size_t i = 0; i < ARRAY_LEN(file); i++)
			if (strlen(file[i]) == n && memcmp(p, file[i], n) == 0)
				return 'f';
		if (n == 3 && memcmp(p, "DIR", 3) == 0)
			kind = 'd';
		p += n ? n - 1 : 0;
	}
	return kind;
}

/* ---- bash: also what zsh uses, through its bashcompinit ---- */

static void bash_path(const char *path, const struct cli_command *cmd)
{
	(void)cmd;
	printf("\t\t' %s') path=' %s' ;;\n", path, path);
}

static void bash_values(const char *path, const struct cli_command *cmd)
{
	for (const struct cli_option *o = cmd->options; o && o->name; o++) {
		char files = o->value ? files_of(o->value) : 0;

		if (o->hidden || !o->value)
			continue;
		printf("\t' %s --%s'", path, o->name);
		if (o->letter)
			printf(" | ' %s -%c'", path, o->letter);
		fputs(") value=1 words='", stdout);
		option_words(o);
		fputs("'", stdout);
		if (files)
			printf(" files=%c", files);
		puts(" ;;");
	}
}

static void bash_words(const char *path, const struct cli_command *cmd)
{
	char files = files_of(cmd->operands);

	printf("\t' %s') words='", path);
	if (cmd->verbs)
		names(cmd->verbs);
	operand_words(cmd);
	for (const struct cli_option *o = cmd->options; o && o->name; o++)
		if (!o->hidden)
			printf(" --%s", o->name);
	fputs(" --help'", stdout);
	if (files)
		printf(" files=%c", files);
	if (cmd->sets)
		fputs(" list=1", stdout);
	puts(" ;;");
}

/*
 * bash parts words at "=", and replaces the part behind it; zsh leaves them
 * whole. `whole` is the word, `have` what of it is not to be replaced, `lead`
 * what stands before the part that is completed, `part`: an option's name, or
 * other words of a list.
 */
static void bash(const char *function)
{
	printf("%s() {\n", function);
	puts("\tlocal IFS=$' \\t\\n' i at=$COMP_CWORD path='' value='' words='' files='' list='' help=''\n"
	     "\tlocal whole=${COMP_WORDS[COMP_CWORD]} prev have='' lead='' part\n"
	     "\tif [[ $whole = '=' && $at -gt 1 ]]; then\n"
	     "\t\tat=$((at - 1)) have=${COMP_WORDS[at]}= whole=${COMP_WORDS[at]}=\n"
	     "\telif [[ $at -gt 2 && ${COMP_WORDS[at-1]} = '=' ]]; then\n"
	     "\t\tat=$((at - 2)) have=${COMP_WORDS[at]}= whole=${COMP_WORDS[at]}=$whole\n"
	     "\tfi\n"
	     "\tprev=${COMP_WORDS[at-1]} part=$whole\n"
	     "\tif [[ $whole = --*=* ]]; then\n"
	     "\t\tprev=${whole%%=*} lead=${whole%%=*}= part=${whole#*=}\n"
	     "\tfi\n"
	     "\tfor ((i = 1; i < at; i++)); do\n"
	     "\t\tcase \"$path ${COMP_WORDS[i]}\" in\n"
	     "\t\t' help') help=1 ;;");
	walk(cli_commands, "", bash_path);
	puts("\t\t*) break ;;\n\t\tesac\n\tdone\n\tcase \"$path $prev\" in");
	walk(cli_commands, "", bash_values);
	puts("\tesac\n\tif [[ -z $value && -z $lead ]]; then\n\tcase \"$path\" in");
	fputs("\t'') words='", stdout);
	names(cli_commands);
	puts(" --help --version' ;;");
	walk(cli_commands, "", bash_words);
	puts("\tesac\n"
	     "\tfi\n"
	     "\tif [[ -n $help ]]; then\n"
	     "\t\tfiles='' words=${words%%--*}\n"
	     "\tfi\n"
	     "\tif [[ -n $list && $part = *,* && $part != *=* ]]; then\n"
	     "\t\tlead=${part%,*}, part=${part##*,}\n"
	     "\tfi\n"
	     "\tCOMPREPLY=()\n"
	     "\tfor i in $(compgen -W \"$words\" -- \"$part\"); do\n"
	     "\t\ti=$lead$i\n"
	     "\t\tCOMPREPLY+=(\"${i#\"$have\"}\")\n"
	     "\tdone\n"
	     "\tif [[ -n ${BASH_VERSION-} && \" ${COMPREPLY[*]}\" = *= ]]; then\n"
	     "\t\tcompopt -o nospace 2>/dev/null\n"
	     "\telif [[ -n $files && $part != -* ]]; then\n"
	     "\t\t[[ -z ${BASH_VERSION-} ]] || compopt -o filenames 2>/dev/null\n"
	     "\t\tIFS=$'\\n'\n"
	     "\t\tfor i in $(compgen \"-$files\" -- \"$part\"); do\n"
	     "\t\t\ti=$lead$i\n"
	     "\t\t\tCOMPREPLY+=(\"${i#\"$have\"}\")\n"
	     "\t\tdone\n"
	     "\tfi\n"
	     "}");
}

static void bash_script(void)
{
	puts("# Completion of bawn for bash, made by `bawn completion bash`.");
	bash("_bawn");
	puts("complete -F _bawn bawn");
}

/* As a file of that name the script is itself the function _bawn, and runs when it is first wanted. */
static void zsh_script(void)
{
	puts("#compdef bawn\n"
	     "# Completion of bawn for zsh, made by `bawn completion zsh`.\n"
	     "autoload -U +X bashcompinit && bashcompinit");
	bash("__bawn");
	puts("complete -o filenames -F __bawn bawn\n"
	     "if [[ ${funcstack[1]-} = _bawn ]]; then\n"
	     "\t_bash_complete -o filenames -F __bawn\n"
	     "fi");
}

/* ---- fish ---- */

static void fish_option(const char *path, const struct cli_option *o)
{
	char files = o->value ? files_of(o->value) : 0;

	printf("complete -c bawn -n '__bawn_in %s' -l %s ", path, o->name);
	if (o->letter)
		printf("-s %c ", o->letter);
	if (o->value) {
		fputs(files == 'f' ? "-r" : "-x", stdout);
		fputs(" -a '", stdout);
		if (files == 'd')
			fputs("(__fish_complete_directories)", stdout);
		option_words(o);
		fputs("' ", stdout);
	}
	fputs("-d ", stdout);
	quote(o->help);
	putchar('\n');
}

static void fish_operands(const char *path, const struct cli_command *cmd)
{
	char files = files_of(cmd->operands);

	if (files == 'f')
		printf("complete -c bawn -F -n '__bawn_in %s'\n", path);
	if (files == 'd')
		printf("complete -c bawn -n '__bawn_in %s' -a '(__fish_complete_directories)'\n", path);
	if (cmd->sets) {
		printf("complete -c bawn -n '__bawn_in %s' -a '(__bawn_list", path);
		operand_words(cmd);
		puts(")'");
	}
}

static void fish_command(const char *path, const struct cli_command *cmd)
{
	const char *last = strrchr(path, ' ');
	int above = last ? (int)(last - path) : 0;

	printf("complete -c bawn -n '__bawn_is %.*s' -a %s -d ", above, path, cmd->name);
	quote(cmd->summary);
	printf("\ncomplete -c bawn -n '__bawn_is help %.*s' -a %s -d ", above, path, cmd->name);
	quote(cmd->summary);
	putchar('\n');
	if (strcmp(path, "help") != 0)
		fish_operands(path, cmd);
	for (const struct cli_option *o = cmd->options; o && o->name; o++)
		if (!o->hidden)
			fish_option(path, o);
}

static void fish_script(void)
{
	puts("# Completion of bawn for fish, made by `bawn completion fish`.\n"
	     "# True if these are the words typed so far; and if those begin with these.\n"
	     "function __bawn_is\n"
	     "\tset -l typed (commandline -opc)[2..-1]\n"
	     "\ttest \"$typed\" = \"$argv\"\n"
	     "end\n"
	     "function __bawn_in\n"
	     "\tset -l typed (commandline -opc)[2..-1]\n"
	     "\ttest (count $typed) -ge (count $argv)\n"
	     "\tand test \"$typed[1..\"(count $argv)\"]\" = \"$argv\"\n"
	     "end\n"
	     "# The words, behind those of a list that are there already: \"quote,launch\".\n"
	     "function __bawn_list\n"
	     "\tset -l before (commandline -ct | string match -r '^[^=]*,')\n"
	     "\tprintf '%s\\n' \"$before\"$argv\n"
	     "end\n"
	     "complete -c bawn -f\n"
	     "complete -c bawn -l help\n"
	     "complete -c bawn -n '__bawn_is' -l version");
	walk(cli_commands, "", fish_command);
}

/* ---- the command ---- */

static const struct {
	const char *name;
	void (*print)(void);
} shells[] = { { "bash", bash_script }, { "zsh", zsh_script }, { "fish", fish_script } };

static const char *shell_name(unsigned i)
{
	return i < ARRAY_LEN(shells) ? shells[i].name : NULL;
}

static int run(struct cli *c)
{
	for (size_t i = 0; i < ARRAY_LEN(shells); i++)
		if (strcmp(c->argv[0], shells[i].name) == 0) {
			shells[i].print();
			return CLI_OK;
		}
	return cli_usage(c, "no completion for this shell: %s", c->argv[0]);
}

const struct cli_command cmd_completion = {
	.name = "completion",
	.summary = "print a completion script for a shell",
	.operands = "SHELL",
	.sets = (const struct cli_set[]){ { "SHELL", shell_name }, { 0 } },
	.details = "For this session of bash: source <(bawn completion bash)",
	.min = 1,
	.max = 1,
	.run = run,
};
