/* bawn measure: MRENCLAVE of enclave files. */
#include "cli/cli.h"
#include "image/image.h"

#include <stdio.h>

static const struct cli_option options[] = {
	{ .name = "size", .value = "BYTES", .help = "size of an SGXS stream that leaves it open" },
	CLI_OPT_JSON,
	{ 0 }
};

static void report(struct json *j, const char *path, const struct image *im,
		   const uint8_t mrenclave[32])
{
	uint64_t added, measured;
	char hex[65];

	if (!j) {
		hex_encode(mrenclave, 32, hex);
		printf("%s  %s\n", hex, path);
		return;
	}
	image_count(im, &added, &measured);
	json_open(j, NULL, '{');
	json_string(j, "file", path);
	json_hex(j, "mrenclave", mrenclave, 32);
	json_u64(j, "size", im->size);
	json_u64(j, "pages", added);
	json_u64(j, "measured_pages", measured);
	json_close(j, '}');
}

static int run(struct cli *c)
{
	struct image_open_options opt = { .any_version = true, .edmm = true };
	struct json *j = NULL;
	int rc = cli_number(c, "size", 2 * ISA_PAGE, IMAGE_MAX_SIZE, &opt.unsized);

	if (rc)
		return rc;
	if (cli_flag(c, "json")) {
		j = cli_json(c);
		json_open(j, NULL, '[');
	}
	for (unsigned i = 0; i < c->argc; i++) {
		struct bawn_error e = { 0 };
		struct image *im = NULL;
		uint8_t mrenclave[32];

		if (image_open(&im, c->argv[i], &opt, &e) || image_measure(im, mrenclave, &e))
			rc = cli_fail(c, NULL, &e);
		else
			report(j, c->argv[i], im, mrenclave);
		image_free(&im);
	}
	if (j)
		json_close(j, ']');
	return rc;
}

const struct cli_command cmd_measure = {
	.name = "measure",
	.summary = "compute MRENCLAVE of enclave files",
	.operands = "FILE...",
	.details = "Prints the measurement that the pages of each file give, whatever its signature\n"
		   "says; `bawn inspect` compares the two.",
	.options = options,
	.min = 1,
	.max = CLI_ANY,
	.run = run,
};
