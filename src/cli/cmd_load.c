/* bawn load: create, add, EINIT and initialise signed enclaves, and say how long each step took. */
#include "bawn.h"
#include "cli/cli.h"
#include "isa/isa.h"

#include <stdio.h>
#include <stdlib.h>

static const struct cli_option options[] = {
	CLI_OPT_DEVICE,
	CLI_OPT_PLATFORM,
	{ .name = "sigstruct", .value = "FILE", .help = "the signature, instead of the file's own" },
	{ .name = "token", .value = "FILE", .help = "the launch token, where launch control is locked" },
	{ .name = "debug", .help = "load as debug enclaves, whose memory is open" },
	{ .name = "allow-development",
	  .help = "on hardware too, load what a development key has signed" },
	{ .name = "no-init", .help = "stop after EINIT: enclaves that speak another entry ABI" },
	CLI_OPT_JSON,
	{ 0 }
};

/* A file of exactly `size` bytes; NULL in *out if the option was not given. */
static int read_exactly(struct cli *c, const char *option, size_t size, uint8_t **out)
{
	const char *path = cli_value(c, option);
	struct bawn_error e = { 0 };
	size_t n;

	*out = NULL;
	if (!path)
		return 0;
	if (io_read_file(path, size, out, &n, &e))
		return cli_fail(c, path, &e);
	if (n != size) {
		cli_warn(c, path, "%zu bytes, where %zu are needed", n, size);
		free(*out);
		*out = NULL;
		return CLI_FAILURE;
	}
	return 0;
}

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static void report_json(struct json *j, const struct bawn_enclave_info *i)
{
	json_string(j, "device", i->device);
	json_bool(j, "emulated", i->emulated);
	json_bool(j, "debug", i->attributes & ATTR_DEBUG);
	json_hex(j, "mrenclave", i->mrenclave, sizeof(i->mrenclave));
	json_hex(j, "mrsigner", i->mrsigner, sizeof(i->mrsigner));
	json_u64(j, "isvprodid", i->isvprodid);
	json_u64(j, "isvsvn", i->isvsvn);
	json_u64(j, "attributes", i->attributes);
	json_u64(j, "xfrm", i->xfrm);
	json_u64(j, "miscselect", i->miscselect);
	json_u64(j, "size", i->size);
	json_u64(j, "threads", i->threads);
	json_bool(j, "dynamic_memory", i->dynamic_memory);
	json_fixed(j, "create_ms", ms(i->create_ns), 3);
	json_fixed(j, "add_ms", ms(i->add_ns), 3);
	json_fixed(j, "einit_ms", ms(i->einit_ns), 3);
	json_fixed(j, "init_ms", ms(i->init_ns), 3);
}

static void report_text(const char *path, const struct bawn_enclave_info *i, bool no_init)
{
	char hex[2 * 32 + 1];

	hex_encode(i->mrenclave, 32, hex);
	printf("%s: %s on the %s device%s\n", path, no_init ? "loaded" : "initialised",
	       i->device, i->attributes & ATTR_DEBUG ? ", for debugging" : "");
	printf("  mrenclave %s\n", hex);
	printf("  create %.2f ms, add %.2f ms, EINIT %.2f ms", ms(i->create_ns), ms(i->add_ns),
	       ms(i->einit_ns));
	if (!no_init)
		printf(", init %.2f ms", ms(i->init_ns));
	putchar('\n');
}

/* One file. The reason of a failure goes to standard error, and into the JSON. */
static int load_one(struct cli *c, const char *path, const struct bawn_options *opt,
		    struct json *j)
{
	struct bawn_enclave_info info;
	struct bawn_enclave *en;
	struct bawn_error e = { 0 };
	int r = bawn_enclave_load(&en, path, opt, &e);

	if (!r) {
		bawn_enclave_info(en, &info);
		bawn_enclave_free(&en);
	} else {
		cli_fail(c, path, &e);
	}
	if (!j) {
		if (!r)
			report_text(path, &info, opt->no_init);
		return r;
	}
	json_open(j, NULL, '{');
	json_string(j, "file", path);
	json_bool(j, "ok", !r);
	if (r) {
		json_string(j, "error", e.msg);
		json_i64(j, "code", e.code);
		json_u64(j, "sgx_status", e.sgx_status);
	} else {
		report_json(j, &info);
	}
	json_close(j, '}');
	return r;
}

static int run(struct cli *c)
{
	struct bawn_options opt = {
		.device = cli_value(c, "device"),
		.platform = cli_value(c, "platform"),
		.debug = cli_flag(c, "debug"),
		.no_init = cli_flag(c, "no-init"),
		.allow_development = cli_flag(c, "allow-development"),
	};
	struct json *j = NULL;
	uint8_t *sigstruct, *token = NULL;
	int failed = 0, r;

	if (c->argc > 1 && (cli_value(c, "sigstruct") || cli_value(c, "token")))
		return cli_usage(c, "a signature or token is for one enclave: give one file");
	r = read_exactly(c, "sigstruct", sizeof(struct isa_sigstruct), &sigstruct);
	if (!r)
		r = read_exactly(c, "token", sizeof(struct isa_einittoken), &token);
	if (!r) {
		opt.sigstruct = sigstruct;
		opt.token = token;
		if (cli_flag(c, "json")) {
			j = cli_json(c);
			json_open(j, NULL, '[');
		}
		for (unsigned i = 0; i < c->argc; i++)
			failed += load_one(c, c->argv[i], &opt, j) != 0;
		if (j)
			json_close(j, ']');
		r = failed ? CLI_FAILURE : CLI_OK;
	}
	free(sigstruct);
	free(token);
	return r;
}

const struct cli_command cmd_load = {
	.name = "load",
	.summary = "create, initialise and start signed enclaves",
	.operands = "FILE...",
	.details = "Says how long each step took, and ends each enclave again. The exit code is 0\n"
		   "only if all of them ran.",
	.options = options,
	.min = 1,
	.max = CLI_ANY,
	.run = run,
};
