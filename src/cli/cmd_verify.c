/* bawn verify: is a quote genuine, and acceptable? */
#include "cli/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (4u << 20)

static const struct cli_option options[] = {
	VERIFY_OPT_STORE,
	VERIFY_OPT_NETWORK,
	VERIFY_OPT_AT,
	VERIFY_OPT_ROOT,
	{ .name = "allow-emulated", .help = "an emulated platform is acceptable (it protects nothing)" },
	{ .name = "policy", .value = "FILE", .help = "what is acceptable: bawn-verify-policy(5)" },
	{ .name = "report-data", .value = "HEX", .help = "the report data must be this, then zeros" },
	{ .name = "early", .help = "judge by the evaluation to come, and tell what it changes" },
	{ .name = "cert", .help = "the input is a certificate that carries a quote (RA-TLS)" },
	{ .name = "batch", .help = "the operand names many quotes; all cores verify them" },
	{ .name = "format", .value = "list|ndjson|frames",
	  .help = "of a batch: file names (default), JSON records, or frames" },
	{ .name = "threads", .value = "N", .help = "of a batch (default: one for each core)" },
	CLI_OPT_JSON,
	{ 0 },
};

static int run_single(struct cli *c, struct verify_run *r)
{
	struct verify_answer *a = malloc(sizeof(*a));
	struct bawn_error e = { 0 };
	uint8_t *input = NULL;
	size_t n;
	int rc;

	if (!a) {
		cli_warn(c, NULL, "out of memory");
		return CLI_FAILURE;
	}
	if (io_read_file(c->argv[0], INPUT_MAX, &input, &n, &e)) {
		rc = cli_fail(c, c->argv[0], &e);
		goto out;
	}
	verify_one(r, input, n, (struct bawn_bytes){ 0 }, a);
	rc = verify_exit_code(a);
	if (cli_flag(c, "json")) {
		struct json *j = cli_json(c);

		json_open(j, NULL, '{');
		verify_json(a, j);
		json_close(j, '}');
	} else {
		struct buf out;

		buf_init(&out, 1u << 20);
		verify_text(a, &out);
		fwrite(out.p, 1, out.n, stdout);
		buf_free(&out);
	}
out:
	free(input);
	free(a);
	return rc;
}

static int run(struct cli *c)
{
	struct verify_run r;
	int rc;

	if (!cli_flag(c, "batch") && (cli_flag(c, "format") || cli_flag(c, "threads")))
		return cli_usage(c, "--format and --threads go with --batch");
	rc = verify_run_open(c, &r);
	if (rc == 0)
		rc = cli_flag(c, "batch") ? verify_batch(c, &r) : run_single(c, &r);
	verify_run_close(&r);
	return rc;
}

const struct cli_command cmd_verify = {
	.name = "verify",
	.summary = "is a quote genuine, and acceptable?",
	.operands = "QUOTE|-",
	.details = "QUOTE is an SGX or TDX quote: raw, hexadecimal or base64.\n"
		   "Exit codes: 0 accepted, 3 genuine but not acceptable, 4 not genuine,\n"
		   "5 could not be decided (no valid collateral, no network).\n"
		   "See bawn-verify(1) for all of it.",
	.options = options,
	.min = 1,
	.max = 1,
	.run = run,
};
