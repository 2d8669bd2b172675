/* bawn emu platform: the fuses of emulated machines. */
#include "cli/emu.h"
#include "cpu/cpu.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The directory given, or the default one. */
static int directory(struct cli *c, char out[PATH_MAX])
{
	struct bawn_error e = { 0 };

	if (c->argc == 0)
		return cpu_platform_default_dir(out, PATH_MAX, &e) ? cli_fail(c, NULL, &e) : 0;
	if (strlen(c->argv[0]) >= PATH_MAX)
		return cli_usage(c, "the directory's name is too long");
	snprintf(out, PATH_MAX, "%s", c->argv[0]);
	return 0;
}

/* ---- showing ---- */

/* Never fuses or owner epoch: with them anybody could be this machine. */
static void members(struct json *j, const char *dir, const struct cpu_platform *p)
{
	json_bool(j, "emulated", true);
	json_string(j, "directory", dir);
	json_hex(j, "id", p->id, sizeof(p->id));
	json_hex(j, "cpusvn", p->cpusvn, sizeof(p->cpusvn));
	json_open(j, "launch_control", '{');
	json_bool(j, "locked", p->launch_locked);
	json_hex(j, "lepubkeyhash", p->lepubkeyhash, sizeof(p->lepubkeyhash));
	json_close(j, '}');
	json_bool(j, "sgx2", p->sgx2);
	json_bool(j, "kss", p->kss);
	json_bool(j, "aex_notify", p->aexnotify);
	json_u64(j, "epc_size", p->epc_size);
}

static const char *features(const struct cpu_platform *p)
{
	static char text[40];

	snprintf(text, sizeof(text), "SGX1%s%s%s", p->sgx2 ? ", SGX2" : "", p->kss ? ", KSS" : "",
		 p->aexnotify ? ", AEX-notify" : "");
	return text;
}

static void print(const char *dir, const struct cpu_platform *p)
{
	char id[33], svn[33], hash[65];

	hex_encode(p->id, sizeof(p->id), id);
	hex_encode(p->cpusvn, sizeof(p->cpusvn), svn);
	hex_encode(p->lepubkeyhash, sizeof(p->lepubkeyhash), hash);
	printf("emulated platform  %s\n", dir);
	printf("  id               %s\n", id);
	printf("  CPUSVN           %s\n", svn);
	printf("  launch control   %s\n", p->launch_locked ? "locked to a signer" : "flexible");
	printf("  LEPUBKEYHASH     %s\n", hash);
	printf("  features         %s\n", features(p));
	printf("  EPC              %llu bytes\n", (unsigned long long)p->epc_size);
}

/* Load the platform and show it: how create, show and upgrade end. */
static int show_directory(struct cli *c, const char *dir)
{
	struct bawn_error e = { 0 };
	struct cpu_platform p;
	struct json *j;

	if (cpu_platform_load(dir, &p, &e))
		return cli_fail(c, NULL, &e);
	if (cli_flag(c, "json")) {
		j = cli_json(c);
		json_open(j, NULL, '{');
		members(j, dir, &p);
		json_close(j, '}');
	} else {
		print(dir, &p);
	}
	wipe(&p, sizeof(p));
	return CLI_OK;
}

static const struct cli_option show_options[] = { CLI_OPT_JSON, { 0 } };

static int run_show(struct cli *c)
{
	char dir[PATH_MAX];
	int rc = directory(c, dir);

	return rc ? rc : show_directory(c, dir);
}

static const struct cli_command cmd_show = {
	.name = "show",
	.summary = "tell about a platform, except its fuses",
	.operands = "[DIR]",
	.options = show_options,
	.max = 1,
	.run = run_show,
};

/* ---- create ---- */

static const struct cli_option create_options[] = {
	{ .name = "locked-launch", .help = "enclaves of other signers than LEPUBKEYHASH need a token" },
	{ .name = "lepubkeyhash", .value = "HEX",
	  .help = "SHA-256 of the launch enclave's signing modulus (default: Intel's)" },
	{ .name = "sgx1", .help = "no dynamic memory, KSS or AEX-notify" },
	{ .name = "epc", .value = "SIZE", .help = "bytes of EPC, or with K, M or G (default: 128M)" },
	CLI_OPT_JSON,
	{ 0 }
};

static int run_create(struct cli *c)
{
	const char *hex = cli_value(c, "lepubkeyhash");
	struct cpu_platform_options opt = {
		.launch_locked = cli_flag(c, "locked-launch"),
		.sgx1 = cli_flag(c, "sgx1"),
	};
	struct bawn_error e = { 0 };
	uint8_t hash[32];
	char dir[PATH_MAX];
	int rc;

	if (hex && !hex_decode(hex, strlen(hex), hash, sizeof(hash)))
		return cli_usage(c, "--lepubkeyhash: not 64 hexadecimal digits");
	if (hex)
		opt.lepubkeyhash = hash;
	rc = cli_size(c, "epc", &opt.epc_size);
	if (!rc)
		rc = directory(c, dir);
	if (rc)
		return rc;
	if (cpu_platform_create(dir, &opt, &e))
		return cli_fail(c, NULL, &e);
	return show_directory(c, dir);
}

static const struct cli_command cmd_create = {
	.name = "create",
	.summary = "make a platform with fresh fuses",
	.operands = "[DIR]",
	.details = "Refuses a directory that exists. Without DIR it is $BAWN_PLATFORM, else\n"
		   "$XDG_STATE_HOME/bawn/platform, else ~/.local/state/bawn/platform.",
	.options = create_options,
	.max = 1,
	.run = run_create,
};

/* ---- list ---- */

/* The directory that the default platform lies in. */
static int parent_directory(struct cli *c, char out[PATH_MAX])
{
	char *slash;
	int rc = directory(c, out);

	if (rc)
		return rc;
	for (size_t n = strlen(out); n > 1 && out[n - 1] == '/'; n--)
		out[n - 1] = '\0';
	slash = strrchr(out, '/');
	if (!slash)
		snprintf(out, PATH_MAX, ".");
	else if (slash == out)
		slash[1] = '\0';
	else
		*slash = '\0';
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a directory, sorted; 0 or an exit code. No directory: no names. */
static int read_names(struct cli *c, const char *dir, char ***names, size_t *n)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	char **more;

	*names = NULL;
	*n = 0;
	if (!d) {
		if (errno == ENOENT)
			return 0;
		cli_warn(c, dir, "%s", strerror(errno));
		return CLI_FAILURE;
	}
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		more = realloc(*names, (*n + 1) * sizeof(**names));
		if (more)
			*names = more;
		if (!more || !(more[*n] = strdup(entry->d_name))) {
			closedir(d);
			cli_warn(c, NULL, "out of memory");
			return CLI_FAILURE;
		}
		++*n;
	}
	closedir(d);
	if (*n)
		qsort(*names, *n, sizeof(**names), by_name);
	return 0;
}

static void list_one(const char *dir, const struct cpu_platform *p, struct json *j)
{
	char id[33];

	if (j) {
		json_open(j, NULL, '{');
		members(j, dir, p);
		json_close(j, '}');
		return;
	}
	hex_encode(p->id, sizeof(p->id), id);
	printf("%s  %s  %s  %s\n", id, p->launch_locked ? "locked  " : "flexible", features(p), dir);
}

/* A directory that is no platform is passed over; a platform that cannot be read is an error. */
static int list_names(struct cli *c, const char *parent, char **names, size_t n, struct json *j)
{
	int rc = CLI_OK;

	for (size_t i = 0; i < n; i++) {
		struct bawn_error e = { 0 };
		struct cpu_platform p;
		char dir[PATH_MAX];
		int r;

		if ((size_t)snprintf(dir, sizeof(dir), "%s/%s", parent, names[i]) >= sizeof(dir))
			continue;
		r = cpu_platform_load(dir, &p, &e);
		if (r == 0)
			list_one(dir, &p, j);
		else if (r != BAWN_ERR_NOT_FOUND && e.sys_errno != ENOTDIR)
			rc = cli_fail(c, NULL, &e);
		wipe(&p, sizeof(p));
	}
	return rc;
}

static int run_list(struct cli *c)
{
	char parent[PATH_MAX], **names;
	struct json *j = NULL;
	size_t n;
	int rc = parent_directory(c, parent);

	if (rc)
		return rc;
	rc = read_names(c, parent, &names, &n);
	if (rc == 0) {
		if (cli_flag(c, "json")) {
			j = cli_json(c);
			json_open(j, NULL, '[');
		}
		rc = list_names(c, parent, names, n, j);
		if (j)
			json_close(j, ']');
	}
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	return rc;
}

static const struct cli_command cmd_list = {
	.name = "list",
	.summary = "list the platforms that lie where the default one does",
	.options = show_options,
	.run = run_list,
};

/* ---- upgrade ---- */

static const struct cli_option upgrade_options[] = {
	{ .name = "component", .value = "N", .help = "the component of CPUSVN, 0 to 15 (default: 0)" },
	{ .name = "svn", .value = "N", .help = "its new value (default: one more than it is)" },
	CLI_OPT_JSON,
	{ 0 }
};

static int run_upgrade(struct cli *c)
{
	struct bawn_error e = { 0 };
	struct cpu_platform p;
	uint64_t component = 0, svn;
	char dir[PATH_MAX];
	int rc = cli_number(c, "component", 0, 15, &component);

	if (rc || (rc = directory(c, dir)))
		return rc;
	if (cpu_platform_load(dir, &p, &e))
		return cli_fail(c, NULL, &e);
	svn = p.cpusvn[component] + 1u;
	wipe(&p, sizeof(p));
	rc = cli_number(c, "svn", 0, 255, &svn);
	if (rc)
		return rc;
	if (svn > 255) {
		cli_warn(c, dir, "component %u of CPUSVN is 255, the highest there is",
			 (unsigned)component);
		return CLI_FAILURE;
	}
	if (cpu_platform_upgrade(dir, (unsigned)component, (uint8_t)svn, &e))
		return cli_fail(c, NULL, &e);
	return show_directory(c, dir);
}

static const struct cli_command cmd_upgrade = {
	.name = "upgrade",
	.summary = "raise CPUSVN, as a microcode update does",
	.operands = "[DIR]",
	.details = "CPUSVN cannot go down again. Running enclaves keep the CPUSVN they started with.",
	.options = upgrade_options,
	.max = 1,
	.run = run_upgrade,
};

/* ---- remove ---- */

static int run_remove(struct cli *c)
{
	struct bawn_error e = { 0 };
	struct json *j;

	if (cpu_platform_remove(c->argv[0], &e))
		return cli_fail(c, NULL, &e);
	if (cli_flag(c, "json")) {
		j = cli_json(c);
		json_open(j, NULL, '{');
		json_bool(j, "emulated", true);
		json_string(j, "removed", c->argv[0]);
		json_close(j, '}');
	}
	return CLI_OK;
}

static const struct cli_command cmd_remove = {
	.name = "remove",
	.summary = "wipe a platform: what was sealed on it is lost",
	.operands = "DIR",
	.options = show_options,
	.min = 1,
	.max = 1,
	.run = run_remove,
};

static const struct cli_command *const verbs[] = {
	&cmd_create, &cmd_show, &cmd_list, &cmd_upgrade, &cmd_remove, NULL,
};

const struct cli_command cmd_emu_platform = {
	.name = "platform",
	.summary = "make, show and remove emulated platforms",
	.verbs = verbs,
};
