/* What a subcommand was given: options and operands, by its table. */
#include "attest/attest.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_option *find_option(const struct cli_command *cmd, const char *name, size_t len)
{
	for (const struct cli_option *o = cmd->options; o && o->name; o++)
		if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

static const struct cli_option *find_letter(const struct cli_command *cmd, char letter)
{
	for (const struct cli_option *o = cmd->options; o && o->name; o++)
		if (o->letter && o->letter == letter)
			return o;
	return NULL;
}

/* The part of "a|b|FILE" at *p, which moves on; false at the end. */
static bool next_part(const char **p, struct cur *part)
{
	size_t n = strcspn(*p, "|");

	*part = cur_make(*p, n);
	*p += n + ((*p)[n] == '|');
	return n != 0;
}

static bool is_literal(struct cur part)
{
	return part.p[0] >= 'a' && part.p[0] <= 'z';
}

bool cli_choice(const char *value, unsigned i, struct cur *word)
{
	while (next_part(&value, word))
		if (is_literal(*word) && i-- == 0)
			return true;
	return false;
}

bool cli_is_open(const char *value)
{
	struct cur part;

	while (next_part(&value, &part))
		if (!is_literal(part))
			return true;
	return false;
}

static bool is_word(const struct cli_option *o, const char *given)
{
	const char *name;
	struct cur word;

	for (unsigned i = 0; o->words && (name = o->words(i)); i++)
		if (strcmp(name, given) == 0)
			return true;
	for (unsigned i = 0; !o->words && cli_choice(o->value, i, &word); i++)
		if (word.n == strlen(given) && memcmp(word.p, given, word.n) == 0)
			return true;
	return !o->words && cli_is_open(o->value);
}

static int not_a_word(struct cli *c, const struct cli_option *o, const char *given)
{
	char all[512] = "";
	const char *name;

	for (unsigned i = 0; o->words && (name = o->words(i)); i++) {
		size_t n = strlen(all);

		snprintf(all + n, sizeof(all) - n, "%s%s", i ? "|" : "", name);
	}
	return cli_usage(c, "--%s: %s is not one of %s", o->name, given, o->words ? all : o->value);
}

static int take(struct cli *c, const struct cli_option *o, const char *value)
{
	if (value && !is_word(o, value))
		return not_a_word(c, o, value);
	c->given[c->ngiven++] = (struct cli_given){ .option = o, .value = value };
	return 0;
}

/* argv[*i] is "--name", "--name=value", "-x" or "-xvalue"; the value may be the next word. */
static int parse_option(struct cli *c, int argc, char **argv, int *i)
{
	const char *arg = argv[*i], *value = NULL;
	const struct cli_option *o;

	if (arg[1] == '-') {
		size_t len = strcspn(arg + 2, "=");

		o = find_option(c->cmd, arg + 2, len);
		if (arg[2 + len] == '=')
			value = arg + 2 + len + 1;
	} else {
		o = find_letter(c->cmd, arg[1]);
		if (arg[2])
			value = arg + 2;
	}
	if (!o)
		return cli_usage(c, "no such option: %s", arg);
	if (!o->value && value)
		return cli_usage(c, "--%s takes no value", o->name);
	if (o->value && !value) {
		if (*i + 1 >= argc)
			return cli_usage(c, "--%s needs a value (%s)", o->name, o->value);
		value = argv[++*i];
	}
	return take(c, o, value);
}

int cli_parse(struct cli *c, int argc, char **argv)
{
	const struct cli_command *cmd = c->cmd;
	bool options = true;
	int rc;

	c->argv = argv; /* operands move to the front */
	c->given = calloc((size_t)argc + 1, sizeof(*c->given));
	if (!c->given) {
		cli_warn(c, NULL, "out of memory");
		return CLI_FAILURE;
	}
	for (int i = 0; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
		} else if (options && argv[i][0] == '-' && argv[i][1]) {
			rc = parse_option(c, argc, argv, &i);
			if (rc)
				return rc;
		} else {
			argv[c->argc++] = argv[i];
			options = options && !cmd->program;
		}
	}
	if (c->argc < cmd->min)
		return cli_usage(c, "%s is missing", cmd->operands);
	if (c->argc > cmd->max)
		return cli_usage(c, "one operand too many: %s", argv[cmd->max]);
	return 0;
}

const char *cli_value_at(const struct cli *c, const char *name, size_t i)
{
	const struct cli_option *o = find_option(c->cmd, name, strlen(name));

	if (!o)
		abort(); /* the command asks for an option that its table lacks */
	for (size_t k = 0; k < c->ngiven; k++)
		if (c->given[k].option == o && i-- == 0)
			return c->given[k].value ? c->given[k].value : "";
	return NULL;
}

const char *cli_value(const struct cli *c, const char *name)
{
	const char *last = NULL, *v;

	for (size_t i = 0; (v = cli_value_at(c, name, i)); i++)
		last = v;
	return last;
}

bool cli_flag(const struct cli *c, const char *name)
{
	return cli_value_at(c, name, 0) != NULL;
}

/* "128M": a whole number, perhaps with a unit of 1024, 1024^2 or 1024^3. */
static bool parse_size(const char *s, uint64_t *out)
{
	static const char units[] = "KMG";
	uint64_t n = 0;
	const char *unit;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++)
		if (!mul_u64(n, 10, &n) || !add_u64(n, (uint64_t)(*s - '0'), &n))
			return false;
	if (*s == '\0') {
		*out = n;
		return true;
	}
	unit = strchr(units, *s);
	return unit && s[1] == '\0' && mul_u64(n, UINT64_C(1) << (10 * (unit - units + 1)), out);
}

int cli_size(struct cli *c, const char *name, uint64_t *out)
{
	const char *s = cli_value(c, name);

	if (s && (!parse_size(s, out) || *out == 0))
		return cli_usage(c, "--%s: %s is not a size", name, s);
	return 0;
}

int cli_number(struct cli *c, const char *name, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *s = cli_value(c, name);
	unsigned long long v;
	bool hex;
	char *end;

	if (!s)
		return 0;
	hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	errno = 0;
	v = strtoull(s, &end, hex ? 16 : 10);
	/* strtoull takes signs and spaces, which are no part of a number here */
	if (s[0] < '0' || s[0] > '9' || end == s || *end || errno || v < min || v > max)
		return cli_usage(c, "--%s: %s is not a whole number from %llu to %llu", name, s,
				 (unsigned long long)min, (unsigned long long)max);
	*out = v;
	return 0;
}

int cli_time(struct cli *c, const char *name, int64_t *out)
{
	const char *given = cli_value(c, name), *s = given;
	char whole[21];
	size_t n = s ? strlen(s) : 0;

	if (!s)
		return 0;
	if (n && n <= 12 && strspn(s, "0123456789") == n) {
		*out = strtoll(s, NULL, 10);
		return 0;
	}
	if (n == 10) {
		snprintf(whole, sizeof(whole), "%sT00:00:00Z", s);
		s = whole;
		n = 20;
	}
	if (!attest_time_iso(s, n, out))
		return cli_usage(c, "--%s: not an instant such as 2026-03-05T10:50:03Z: %s", name, given);
	return 0;
}

int cli_hex(struct cli *c, const char *name, void *out, size_t n)
{
	const char *s = cli_value(c, name);

	if (s && !hex_decode(s, strlen(s), out, n))
		return cli_usage(c, "--%s: not %zu hexadecimal digits: %.80s", name, 2 * n, s);
	return 0;
}
