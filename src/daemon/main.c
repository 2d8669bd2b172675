/* bawnd: what the command line says, and which role this process is. */
#include "daemon/daemon.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_USAGE 64
#define EXIT_CONFIG 78 /* EX_CONFIG of sysexits.h */

static const char usage[] =
	"usage: bawnd [--config FILE] [--foreground] [--check-config]\n\n"
	"Serve SGX attestation, launch and provisioning over UNIX sockets, under the owner's policy.\n\n"
	"Options:\n"
	"  --config FILE    the configuration (default: /etc/bawn/bawnd.conf, if it is there)\n"
	"  --foreground     stay in the foreground and log to standard error\n"
	"  --check-config   read configuration and policy, look for the files that they name,\n"
	"                   say what is wrong, and end\n"
	"  --help           this text\n"
	"  --version        the version\n\n"
	"SIGHUP reads policy and enclaves again; SIGTERM answers what is under way and ends.\n"
	"Exit codes: 0 ended as asked, 1 failure, 64 wrong usage, 78 wrong configuration.\n"
	"See bawnd(8), bawnd.conf(5), and `bawn daemon` for its administration.\n";

static void early_log(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	fprintf(stderr, "bawnd: %s\n", text);
}

/* One of the roles, started by the parent with its descriptors in place. */
static int run_role(const char *name)
{
	struct bawn_error e = { 0 };
	struct sandbox sandbox;
	struct config *c = NULL;
	uint8_t *bytes = NULL;
	size_t n = 0;
	enum process r;

	for (r = PROC_LOADER; r < PROCS && strcmp(name, process_name(r)) != 0; r++)
		;
	if (r == PROCS || sealed_read(FD_CONFIG, sizeof(*c), &bytes, &n, &e) || n != sizeof(*c)) {
		fputs("bawnd: --role is for bawnd itself\n", stderr);
		return EXIT_USAGE;
	}
	c = (struct config *)(void *)bytes;
	if (c->magic != CONF_MAGIC)
		return EXIT_USAGE;
	process_log_open(c);
	if (sandbox_enter(c, r, &sandbox, &e)) {
		log_msg(LOG_ERROR, "cannot enter the sandbox: %s", e.msg);
		return 1;
	}
	switch (r) {
	case PROC_LOADER:
		return loader_main(c);
	case PROC_GATE:
		return gate_main(c);
	case PROC_VAULT:
		return vault_main(c, &sandbox);
	case PROC_COURIER:
		return courier_main(c);
	default:
		return EXIT_USAGE;
	}
}

static int check_config(const struct config *c)
{
	struct bawn_error e = { 0 };
	unsigned errors = 0, remarks = 0;

	if (policy_check(c, &remarks, &e)) {
		fprintf(stderr, "bawnd: %s\n", e.msg);
		errors++;
	}
	files_check(c, &errors, &remarks);
	if (errors)
		return EXIT_CONFIG;
	printf("configuration and policy are well-formed%s\n", remarks ? ", with remarks" : "");
	return 0;
}

int main(int argc, char **argv)
{
	enum { OPT_CONFIG = 1, OPT_FOREGROUND, OPT_CHECK, OPT_HELP, OPT_VERSION, OPT_ROLE };
	static const struct option options[] = {
		{ "config", required_argument, NULL, OPT_CONFIG },
		{ "foreground", no_argument, NULL, OPT_FOREGROUND },
		{ "check-config", no_argument, NULL, OPT_CHECK },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ "role", required_argument, NULL, OPT_ROLE },
		{ 0 },
	};
	bool foreground = false, check = false;
	struct bawn_error e = { 0 };
	const char *path = NULL;
	struct config c;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (o) {
		case OPT_CONFIG:
			path = optarg;
			break;
		case OPT_FOREGROUND:
			foreground = true;
			break;
		case OPT_CHECK:
			check = true;
			break;
		case OPT_HELP:
			fputs(usage, stdout);
			return 0;
		case OPT_VERSION:
			printf("bawnd %s\n", bawn_version());
			return 0;
		case OPT_ROLE:
			return run_role(optarg);
		default:
			fputs("See `bawnd --help`.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "bawnd: takes no operands: %s\nSee `bawnd --help`.\n", argv[optind]);
		return EXIT_USAGE;
	}
	log_to(early_log, NULL);
	if (config_load(&c, path, &e) || places_check(&c, &e)) {
		fprintf(stderr, "bawnd: %s\n", e.msg);
		return EXIT_CONFIG;
	}
	return check ? check_config(&c) : parent_main(&c, foreground);
}
