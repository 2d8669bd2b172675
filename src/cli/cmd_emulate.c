/* bawn emulate: run a program, unmodified, on the emulated CPU. */
#include "cli/cli.h"
#include "cpu/cpu.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* As shells: the program is not there, or cannot be run. */
enum { EXIT_CANNOT = 126, EXIT_NOT_FOUND = 127 };

#define OBJECT "libbawn_emulate.so"
#define SCRIPTS_DEEP 4 /* interpreters of interpreters, as the kernel counts */

static const struct cli_option options[] = {
	CLI_OPT_PLATFORM,
	{ .name = "epc", .value = "SIZE", .help = "bytes of EPC, or with K, M or G (default: the platform's)" },
	{ .name = "sgx1", .help = "a CPU without dynamic memory, KSS and AEX-notify" },
	{ .name = "strict", .help = "system calls fault in enclaves; each of the program's costs a little more" },
	{ .name = "driver", .value = "mainline|isgx",
	  .help = "/dev/sgx_enclave as in Linux (default), or the older /dev/isgx" },
	{ .name = "locked-launch", .help = "launch control is locked: enclaves need tokens (with --driver isgx)" },
	{ 0 }
};

/* ---- the object to inject ---- */

/* Where it is: $BAWN_PRELOAD, beside this program (a build tree), or installed. */
static int find_object(struct cli *c, char out[PATH_MAX])
{
	const char *given = getenv("BAWN_PRELOAD");
	const char *places[] = { "%s/" OBJECT, "%s/../lib/bawn/" OBJECT, BAWN_LIBDIR "/" OBJECT };
	char self[PATH_MAX], path[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n < 0 ? 0 : n] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = given ? 0 : !slash ? 2 : 0; i < ARRAY_LEN(places); i++) {
		if (given)
			snprintf(path, sizeof(path), "%s", given);
		else
			snprintf(path, sizeof(path), places[i], self);
		if (realpath(path, out) && access(out, R_OK) == 0) {
			/* The dynamic linker takes both for separators. */
			if (!strpbrk(out, " :"))
				return 0;
			cli_warn(c, out, "a path with spaces or colons cannot be preloaded: install it elsewhere");
			return CLI_FAILURE;
		}
		if (given)
			break;
	}
	cli_warn(c, NULL, "%s is not there; it belongs beside bawn, or into %s (BAWN_PRELOAD names another)",
		 given ? given : OBJECT, BAWN_LIBDIR);
	return CLI_FAILURE;
}

/* ---- the program ---- */

/* As execvp searches; false if there is none. */
static bool find_program(const char *name, char out[PATH_MAX])
{
	const char *path = getenv("PATH");

	if (strchr(name, '/')) {
		snprintf(out, PATH_MAX, "%s", name);
		return access(out, F_OK) == 0;
	}
	for (const char *p = path ? path : "/bin:/usr/bin"; *p;) {
		size_t n = strcspn(p, ":");

		snprintf(out, PATH_MAX, "%.*s%s%s", (int)n, p, n ? "/" : "", name);
		if (access(out, X_OK) == 0)
			return true;
		p += n + (p[n] == ':');
	}
	return false;
}

/* Why the dynamic linker would not load anything into this ELF file; NULL if it would. */
static const char *elf_flaw(int fd, const Elf64_Ehdr *e)
{
	Elf64_Phdr ph;

	if (e->e_ident[EI_CLASS] != ELFCLASS64 || e->e_machine != EM_X86_64)
		return "not a program for x86-64: enclaves are 64-bit here";
	for (unsigned i = 0; i < e->e_phnum; i++)
		if (pread(fd, &ph, sizeof(ph), (off_t)(e->e_phoff + i * sizeof(ph))) == sizeof(ph) &&
		    ph.p_type == PT_INTERP)
			return NULL;
	return "statically linked: nothing can be injected into it; link it dynamically";
}

static const char *privilege(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_mode & (S_ISUID | S_ISGID))
		return "setuid or setgid: the system lets nothing be injected into it; run a copy without those bits";
	if (geteuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return "has file capabilities: the system lets nothing be injected into it; run a copy without them";
	return NULL;
}

/* Why this program cannot be run so, or NULL; *err is errno if it cannot be run at all. */
static const char *program_flaw(const char *path, int depth, int *err)
{
	char head[PATH_MAX] = { 0 };
	const char *flaw = NULL;
	Elf64_Ehdr e;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	*err = 0;
	if (fd < 0) {
		*err = errno;
		return NULL;
	}
	n = pread(fd, head, sizeof(head) - 1, 0);
	if (n >= (ssize_t)sizeof(e) && memcmp(head, ELFMAG, SELFMAG) == 0) {
		memcpy(&e, head, sizeof(e));
		flaw = privilege(fd);
		if (!flaw)
			flaw = elf_flaw(fd, &e);
	} else if (n > 2 && head[0] == '#' && head[1] == '!' && depth < SCRIPTS_DEEP) {
		char *name = head + 2 + strspn(head + 2, " \t");

		name[strcspn(name, " \t\n")] = '\0';
		close(fd);
		return program_flaw(name, depth + 1, err);
	}
	close(fd);
	return flaw;
}

/* ---- what is passed on ---- */

static int preload_too(struct cli *c, const char *object)
{
	const char *others = getenv("LD_PRELOAD");
	char *text;
	int r;

	if (asprintf(&text, "%s%s%s", object, others && *others ? ":" : "", others ? others : "") < 0) {
		cli_warn(c, NULL, "out of memory");
		return CLI_FAILURE;
	}
	r = setenv("LD_PRELOAD", text, 1);
	free(text);
	return r ? CLI_FAILURE : 0;
}

/* The platform's directory, absolute, made if it is the user's own and not there; checked. */
static int find_platform(struct cli *c, bool isgx, char out[PATH_MAX])
{
	const char *given = cli_value(c, "platform");
	struct cpu_platform p = { 0 };
	struct bawn_error e = { 0 };
	char dir[PATH_MAX];
	bool locked;

	if (given)
		snprintf(dir, sizeof(dir), "%s", given);
	else if (cpu_platform_default_dir(dir, sizeof(dir), &e))
		return cli_fail(c, NULL, &e);
	if (cpu_platform_open(given, &p, &e))
		return cli_fail(c, NULL, &e);
	locked = p.launch_locked || cli_flag(c, "locked-launch");
	wipe(&p, sizeof(p));
	if (!realpath(dir, out)) {
		err_sys(&e, "%s", dir);
		return cli_fail(c, NULL, &e);
	}
	if (locked && !isgx) {
		cli_warn(c, NULL, "Linux's own driver serves no CPU with locked launch control: "
				  "use --driver isgx, or a platform whose launch control is flexible");
		return CLI_FAILURE;
	}
	return 0;
}

static int pass_settings(struct cli *c)
{
	const char *driver = cli_value(c, "driver");
	bool isgx = driver && strcmp(driver, "isgx") == 0;
	char platform[PATH_MAX], size[40] = "", text[PATH_MAX + 128];
	uint64_t epc = 0;
	int r = cli_size(c, "epc", &epc);

	if (!r && epc && (epc % ISA_PAGE || epc < (UINT64_C(1) << 20) || epc > (UINT64_C(1) << 40)))
		r = cli_usage(c, "--epc: whole pages, from 1M to 1024G");
	if (!r)
		r = find_platform(c, isgx, platform);
	if (r)
		return r;
	if (epc)
		snprintf(size, sizeof(size), "epc=%llu,", (unsigned long long)epc);
	snprintf(text, sizeof(text), "%s%s%s%s%splatform=%s", size, cli_flag(c, "sgx1") ? "sgx1," : "",
		 cli_flag(c, "strict") ? "strict," : "", isgx ? "isgx," : "",
		 cli_flag(c, "locked-launch") ? "locked," : "", platform);
	if (setenv("BAWN_EMULATE", text, 1) || setenv("BAWN_PLATFORM", platform, 1)) {
		cli_warn(c, NULL, "out of memory");
		return CLI_FAILURE;
	}
	return 0;
}

static int run(struct cli *c)
{
	char object[PATH_MAX], program[PATH_MAX];
	const char *flaw;
	int err, r;

	if (c->argc == 0) {
		cli_help(c->path, c->cmd);
		return CLI_USAGE;
	}
	r = pass_settings(c);
	if (!r)
		r = find_object(c, object);
	if (r)
		return r;
	if (!find_program(c->argv[0], program)) {
		cli_warn(c, c->argv[0], "no such program");
		return EXIT_NOT_FOUND;
	}
	flaw = program_flaw(program, 0, &err);
	if (flaw) {
		cli_warn(c, program, "%s", flaw);
		return EXIT_CANNOT;
	}
	r = preload_too(c, object);
	if (r)
		return r;
	c->argv[c->argc] = NULL; /* what was given for us is behind it */
	execv(program, c->argv);
	cli_warn(c, program, "%s", strerror(errno));
	return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT;
}

const struct cli_command cmd_emulate = {
	.name = "emulate",
	.summary = "run a program on the emulated SGX CPU",
	.operands = "PROGRAM [ARGUMENT...]",
	.details = "The program, and what it starts, finds /dev/sgx_enclave, /dev/sgx_provision and the\n"
		   "vDSO's entry function, as on a machine with SGX. Its exit code is passed on; 126: it\n"
		   "cannot be run so; 127: there is no such program.",
	.options = options,
	.max = CLI_ANY,
	.program = true,
	.run = run,
};
