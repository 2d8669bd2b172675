/* bawn emu fab level: TCB levels and advisories. */
#include "cli/emu_fab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- showing ---- */

static void level_json(struct json *j, int kind, const struct fab_level *l)
{
	json_open(j, NULL, '{');
	if (kind == FAB_PLATFORM_LEVELS)
		json_hex(j, "cpusvn", l->components, sizeof(l->components));
	json_u64(j, kind == FAB_PLATFORM_LEVELS ? "pcesvn" : "isvsvn", l->svn);
	json_string(j, "status", bawn_tcb_status_name((enum bawn_tcb_status)l->status));
	show_time(j, "date", l->date);
	json_open(j, "advisories", '[');
	for (uint32_t i = 0; i < l->advisory_count; i++)
		json_string(j, NULL, l->advisory[i]);
	json_close(j, ']');
	json_close(j, '}');
}

void emu_fab_levels_json(struct json *j, const struct fab *f)
{
	for (int early = 0; early < 2; early++) {
		json_open(j, early ? "early" : "standard", '{');
		json_u64(j, "evaluation", f->evaluation + (early && f->has_early));
		for (int kind = 0; kind < 2; kind++) {
			const struct fab_levels *set = fab_levels(f, kind, early);

			json_open(j, kind == FAB_QE_LEVELS ? "qe_levels" : "levels", '[');
			for (uint32_t i = 0; i < set->count; i++)
				level_json(j, kind, &set->level[i]);
			json_close(j, ']');
		}
		json_close(j, '}');
	}
}

static void level_text(int kind, const struct fab_level *l)
{
	char cpusvn[33], date[21];

	hex_encode(l->components, sizeof(l->components), cpusvn);
	attest_time_format(l->date, date);
	printf("    %.10s %s from ", date, bawn_tcb_status_name((enum bawn_tcb_status)l->status));
	if (kind == FAB_PLATFORM_LEVELS)
		printf("CPUSVN %s, PCE %u", cpusvn, l->svn);
	else
		printf("quoting enclave %u", l->svn);
	for (uint32_t i = 0; i < l->advisory_count; i++)
		printf("%s%s", i ? " " : " (", l->advisory[i]);
	puts(l->advisory_count ? ")" : "");
}

void emu_fab_levels_text(const struct fab *f)
{
	for (int early = 0; early <= (int)f->has_early; early++) {
		printf("  %s levels, evaluation %u\n", early ? "early" : "TCB", (unsigned)f->evaluation + (unsigned)early);
		for (int kind = 0; kind < 2; kind++) {
			const struct fab_levels *set = fab_levels(f, kind, early);

			for (uint32_t i = 0; i < set->count; i++)
				level_text(kind, &set->level[i]);
		}
	}
}

/* ---- set, remove ---- */

#define OPT_WHICH                                                                                  \
	{ .name = "qe", .help = "a level of the quoting enclave" },                                \
	{ .name = "early", .help = "of the early set alone" },                                     \
	{ .name = "cpusvn", .value = "HEX", .help = "CPUSVN at least, 32 digits (default: all 01)" }, \
	{ .name = "pcesvn", .value = "N", .help = "PCESVN at least (default: the fab's PCE's)" },  \
	{ .name = "isvsvn", .value = "N", .help = "with --qe: the quoting enclave's ISVSVN at least" }

/* What a level of SGX can be: TDs alone are to be relaunched. */
static const char *status_word(unsigned i)
{
	static const enum bawn_tcb_status statuses[] = {
		BAWN_TCB_UP_TO_DATE, BAWN_TCB_SW_HARDENING_NEEDED, BAWN_TCB_CONFIGURATION_NEEDED,
		BAWN_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED, BAWN_TCB_OUT_OF_DATE,
		BAWN_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED, BAWN_TCB_REVOKED,
	};

	return i < ARRAY_LEN(statuses) ? bawn_tcb_status_name(statuses[i]) : NULL;
}

static const struct cli_option set_options[] = {
	FAB_OPT_DIR,
	OPT_WHICH,
	{ .name = "status", .value = "STATUS", .words = status_word, .help = "how good it is (of a quoting enclave nothing is ...Needed):" },
	{ .name = "advisory", .value = "ID", .help = "an advisory that says why; may be repeated" },
	{ .name = "date", .value = "TIME", .help = "the level's date (default: --from)" },
	FAB_OPT_DATES,
	CLI_OPT_JSON,
	{ 0 }
};

/* The level that the options name; without a status. */
static int which(struct cli *c, const struct fab *f, int *kind, struct fab_level *l)
{
	uint64_t svn;
	int rc;

	*l = (struct fab_level){ 0 };
	*kind = cli_flag(c, "qe") ? FAB_QE_LEVELS : FAB_PLATFORM_LEVELS;
	if (*kind == FAB_QE_LEVELS) {
		if (cli_value(c, "cpusvn") || cli_value(c, "pcesvn"))
			return cli_usage(c, "--cpusvn and --pcesvn are of platforms, not of the quoting enclave");
		if (!cli_value(c, "isvsvn"))
			return cli_usage(c, "--qe needs --isvsvn");
		rc = cli_number(c, "isvsvn", 0, UINT16_MAX, &svn);
	} else {
		if (cli_value(c, "isvsvn"))
			return cli_usage(c, "--isvsvn is of the quoting enclave: give --qe");
		svn = f->pce_isvsvn;
		memset(l->components, 1, sizeof(l->components));
		rc = cli_hex(c, "cpusvn", l->components, sizeof(l->components));
		if (rc == 0)
			rc = cli_number(c, "pcesvn", 0, UINT16_MAX, &svn);
	}
	l->svn = (uint16_t)svn;
	return rc;
}

static int take_advisories(struct cli *c, struct fab_level *l)
{
	const char *id;

	for (size_t i = 0; (id = cli_value_at(c, "advisory", i)); i++) {
		size_t n = strlen(id);

		if (i == FAB_ADVISORIES_MAX)
			return cli_usage(c, "a level can have %d advisories", FAB_ADVISORIES_MAX);
		if (n == 0 || n >= sizeof(l->advisory[0]))
			return cli_usage(c, "--advisory: 1 to %zu characters: %.80s", sizeof(l->advisory[0]) - 1, id);
		for (size_t k = 0; k < n; k++)
			if (id[k] <= ' ' || id[k] > '~' || id[k] == '"' || id[k] == '\\')
				return cli_usage(c, "--advisory: not an identifier such as INTEL-SA-00001: %.80s", id);
		memcpy(l->advisory[i], id, n + 1);
		l->advisory_count++;
	}
	return 0;
}

static int take_status(struct cli *c, struct fab_level *l)
{
	const char *given = cli_value(c, "status");
	enum bawn_tcb_status status;

	if (!given)
		return cli_usage(c, "--status must be given");
	if (!bawn_tcb_status_parse(given, &status))
		return cli_usage(c, "--status: no such status: %s", given);
	l->status = (uint8_t)status;
	return 0;
}

static int run_change(struct cli *c, bool set)
{
	struct bawn_error e = { 0 };
	struct fab_dates dates;
	struct fab_level l;
	struct fab *f;
	bool early = cli_flag(c, "early");
	int kind, rc = emu_fab_begin(c, EMU_FAB_COLLATERAL_DAYS, &dates, &f);

	if (rc)
		return rc;
	rc = which(c, f, &kind, &l);
	l.date = dates.from;
	if (rc == 0 && set)
		rc = take_status(c, &l);
	if (rc == 0 && set)
		rc = take_advisories(c, &l);
	if (rc == 0 && set)
		rc = cli_time(c, "date", &l.date);
	if (rc == 0 && (set ? fab_level_set(f, kind, early, &l, &e) : fab_level_remove(f, kind, early, &l, &e)))
		rc = cli_fail(c, NULL, &e);
	if (rc == 0)
		return emu_fab_finish(c, &f, &dates);
	fab_close(&f);
	return rc;
}

static int run_set(struct cli *c)
{
	return run_change(c, true);
}

static const struct cli_command cmd_set = {
	.name = "set",
	.summary = "say how good it is to be at some security versions or above",
	.details = "Takes the place of a level at the same versions. A fresh platform has CPUSVN all 01.",
	.options = set_options,
	.run = run_set,
};

static const struct cli_option remove_options[] = {
	FAB_OPT_DIR, OPT_WHICH, FAB_OPT_DATES, CLI_OPT_JSON, { 0 }
};

static int run_remove(struct cli *c)
{
	return run_change(c, false);
}

static const struct cli_command cmd_remove = {
	.name = "remove",
	.summary = "remove a level",
	.options = remove_options,
	.run = run_remove,
};

/* ---- adopt, list ---- */

static const struct cli_option adopt_options[] = { FAB_OPT_DIR, FAB_OPT_DATES, CLI_OPT_JSON, { 0 } };

static int run_adopt(struct cli *c)
{
	struct bawn_error e = { 0 };
	struct fab_dates dates;
	struct fab *f;
	int rc = emu_fab_begin(c, EMU_FAB_COLLATERAL_DAYS, &dates, &f);

	if (rc)
		return rc;
	if (fab_level_adopt(f, &e) == 0)
		return emu_fab_finish(c, &f, &dates);
	fab_close(&f);
	return cli_fail(c, NULL, &e);
}

static const struct cli_command cmd_adopt = {
	.name = "adopt",
	.summary = "make the early set the standard one: the day of a TCB recovery",
	.options = adopt_options,
	.run = run_adopt,
};

static const struct cli_option list_options[] = { FAB_OPT_DIR, CLI_OPT_JSON, { 0 } };

static int run_list(struct cli *c)
{
	struct json *j;
	struct fab *f;
	int rc = emu_fab_open(c, false, &f);

	if (rc)
		return rc;
	if (cli_flag(c, "json")) {
		j = cli_json(c);
		json_open(j, NULL, '{');
		emu_fab_head(j, f);
		emu_fab_levels_json(j, f);
		json_close(j, '}');
	} else {
		emu_fab_levels_text(f);
	}
	fab_close(&f);
	return CLI_OK;
}

static const struct cli_command cmd_list = {
	.name = "list",
	.summary = "print all levels",
	.options = list_options,
	.run = run_list,
};

static const struct cli_command *const verbs[] = { &cmd_set, &cmd_remove, &cmd_list, &cmd_adopt, NULL };

const struct cli_command cmd_emu_fab_level = {
	.name = "level",
	.summary = "decide which security versions are how good",
	.verbs = verbs,
};
