/* bawn attest: a quote of an enclave on this machine. */
#include "attester/attester.h"
#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPORT_CALL 5 /* of the witness, and of whatever enclave has the same call */
#define REPORT_BYTES 432
#define LISTS_MAX 2 /* types of white lists: enum ae_list_type */

static const struct cli_option options[] = {
	{ .name = "enclave", .value = "FILE", .help = "the enclave to be attested (default: the witness)" },
	{ .name = "report-call", .value = "N", .help = "its ECALL that makes a report (default: 5, as the witness's)" },
	{ .name = "debug", .help = "load it with ATTRIBUTES.DEBUG" },
	{ .name = "report", .value = "FILE", .help = "attest this report, which another program's enclave made" },
	{ .name = "user-data", .value = "FILE", .help = "report data: the file's bytes, at most 64, then zeros" },
	{ .name = "digest", .value = "FILE", .help = "report data: the file's SHA-256, then zeros" },
	{ .name = "nonce", .value = "HEX", .help = "report data: these bytes, at most 64, then zeros" },
	{ .name = "output", .value = "FILE", .letter = 'o', .help = "the quote goes here (default: standard output)" },
	{ .name = "target", .value = "FILE", .help = "write the quoting enclave's TARGETINFO here, and make no quote" },
	{ .name = "pck-request", .help = "print what a PCS is asked with, and make no quote" },
	{ .name = "pck-chain", .value = "FILE", .help = "the platform's PCK certificate, CA and root; kept" },
	{ .name = "ppid-key", .value = "FILE", .help = "whom the platform's id is encrypted to: 388 bytes, raw or hex" },
	CLI_OPT_DEVICE,
	CLI_OPT_PLATFORM,
	{ .name = "provision", .value = "FILE", .help = "the provisioning certification enclave (default: Bawn's)" },
	{ .name = "quoting", .value = "FILE", .help = "the quoting enclave (default: Bawn's)" },
	{ .name = "launch", .value = "FILE", .help = "the launch enclave, where launch control is locked" },
	{ .name = "white-list", .value = "FILE", .help = "a list of signers for it; may be repeated, one of each type" },
	{ .name = "allow-development", .help = "hardware: take what a development key signed" },
	{ .name = "state", .value = "DIR", .help = "where key and certificate are kept (default: the user's)" },
	CLI_OPT_JSON,
	{ 0 }
};

/* ---- report data ---- */

static int whole_file(struct cli *c, const char *path, size_t max, uint8_t **p, size_t *n)
{
	struct bawn_error e = { 0 };

	return io_read_file(path, max, p, n, &e) ? cli_fail(c, path, &e) : 0;
}

static int data_of_file(struct cli *c, const char *path, bool digest, uint8_t data[64])
{
	uint8_t *p;
	size_t n;
	int rc = whole_file(c, path, 64u << 20, &p, &n);

	if (rc)
		return rc;
	if (digest) {
		crypto_sha256(p, n, data);
	} else if (n > 64) {
		cli_warn(c, path, "%zu bytes do not fit into the 64 of report data: --digest puts their SHA-256 there", n);
		rc = CLI_FAILURE;
	} else {
		memcpy(data, p, n);
	}
	free(p);
	return rc;
}

static int report_data(struct cli *c, uint8_t data[64])
{
	const char *nonce = cli_value(c, "nonce"), *file = cli_value(c, "user-data"), *digest = cli_value(c, "digest");
	size_t n = nonce ? strlen(nonce) : 0;

	memset(data, 0, 64);
	if ((nonce != NULL) + (file != NULL) + (digest != NULL) > 1)
		return cli_usage(c, "--nonce, --user-data and --digest exclude each other");
	if (cli_value(c, "report") && (nonce || file || digest))
		return cli_usage(c, "the report data of --report is in the report already");
	if (nonce && (n == 0 || n > 128 || n % 2 || !hex_decode(nonce, n, data, n / 2)))
		return cli_usage(c, "--nonce: not 1 to 64 bytes in hexadecimal: %.140s", nonce);
	if (file || digest)
		return data_of_file(c, file ? file : digest, digest != NULL, data);
	return 0;
}

/* ---- the report ---- */

/* The witness's ECALL, and what any enclave has to have that `--enclave` names. */
struct report_call {
	uint8_t targetinfo[512];
	uint8_t data[64];
	uint8_t report[REPORT_BYTES];
};

static int ask_enclave(struct cli *c, const char *path, const uint8_t target[512], const uint8_t data[64],
		       uint8_t report[REPORT_BYTES])
{
	const struct bawn_options opt = { .device = cli_value(c, "device"), .platform = cli_value(c, "platform"),
					  .debug = cli_flag(c, "debug"),
					  .allow_development = cli_flag(c, "allow-development") };
	struct report_call ms = { 0 };
	struct bawn_enclave *en;
	struct bawn_error e = { 0 };
	uint64_t call = REPORT_CALL;
	uint32_t status = 0;
	int rc = cli_number(c, "report-call", 0, 0xffff, &call);

	if (rc)
		return rc;
	memcpy(ms.targetinfo, target, sizeof(ms.targetinfo));
	memcpy(ms.data, data, sizeof(ms.data));
	if (bawn_enclave_load(&en, path, &opt, &e))
		return cli_fail(c, path, &e);
	rc = bawn_ecall(en, (uint32_t)call, &ms, &status, &e);
	bawn_enclave_free(&en);
	if (rc)
		return cli_fail(c, path, &e);
	if (status || ct_is_zero(ms.report, sizeof(ms.report))) {
		cli_warn(c, path, "its ECALL %u made no report (status 0x%x): is it one that makes reports?",
			 (unsigned)call, (unsigned)status);
		return CLI_FAILURE;
	}
	memcpy(report, ms.report, sizeof(ms.report));
	return 0;
}

static int get_report(struct cli *c, struct bawn_attester *a, uint8_t report[REPORT_BYTES])
{
	const char *file = cli_value(c, "report"), *path = cli_value(c, "enclave");
	struct bawn_error e = { 0 };
	uint8_t target[512], data[64], *p;
	char found[4096];
	size_t n;
	int rc = report_data(c, data);

	if (rc)
		return rc;
	if (file) {
		rc = whole_file(c, file, REPORT_BYTES, &p, &n);
		if (rc)
			return rc;
		if (n == REPORT_BYTES)
			memcpy(report, p, n);
		free(p);
		if (n == REPORT_BYTES)
			return 0;
		cli_warn(c, file, "a REPORT has %d bytes, not %zu", REPORT_BYTES, n);
		return CLI_FAILURE;
	}
	if (!path) {
		if (attester_enclave_path("witness", found, sizeof(found), &e))
			return cli_fail(c, NULL, &e);
		path = found;
	}
	if (bawn_attester_target(a, target, &e))
		return cli_fail(c, NULL, &e);
	return ask_enclave(c, path, target, data, report);
}

/* ---- what comes of it ---- */

static void show_info(struct json *j, const struct bawn_attester_info *i)
{
	json_bool(j, "emulated", i->emulated);
	json_string(j, "device", i->device);
	json_string(j, "state", i->state);
	json_bool(j, "has_certificate", i->has_certificate);
	if (!i->has_certificate)
		return;
	json_hex(j, "fmspc", i->fmspc, sizeof(i->fmspc));
	json_hex(j, "ppid", i->ppid, sizeof(i->ppid));
	json_hex(j, "cpusvn", i->cpusvn, sizeof(i->cpusvn));
	json_u64(j, "pcesvn", i->pcesvn);
	show_time(j, "certificate_expires", i->certificate_expires);
}

static int deliver(struct cli *c, struct bawn_attester *a, const uint8_t *quote, size_t n)
{
	const char *output = cli_value(c, "output");
	struct bawn_attester_info info;
	struct bawn_sgx_report report;
	struct bawn_error e = { 0 };
	struct json *j;

	if (output && strcmp(output, "-") != 0 && io_write_file(output, quote, n, 0644, &e))
		return cli_fail(c, output, &e);
	if (!cli_flag(c, "json")) {
		if ((!output || strcmp(output, "-") == 0) && fwrite(quote, 1, n, stdout) != n) {
			cli_warn(c, NULL, "cannot write to standard output");
			return CLI_FAILURE;
		}
		return CLI_OK;
	}
	bawn_attester_info(a, &info);
	attest_report_read(quote + ATTEST_QUOTE_HEADER, &report);
	j = cli_json(c);
	json_open(j, NULL, '{');
	show_info(j, &info);
	show_sgx_report(&(struct show){ .json = j }, "enclave", &report, quote + ATTEST_QUOTE_HEADER);
	json_u64(j, "size", n);
	if (output)
		json_string(j, "file", output);
	else
		json_hex(j, "quote", quote, n);
	json_close(j, '}');
	return CLI_OK;
}

static int make_quote(struct cli *c, struct bawn_attester *a)
{
	uint8_t report[REPORT_BYTES], *quote;
	struct bawn_error e = { 0 };
	size_t n;
	int rc = get_report(c, a, report);

	if (rc)
		return rc;
	if (bawn_attester_quote(a, report, NULL, &quote, &n, &e))
		return cli_fail(c, NULL, &e);
	rc = deliver(c, a, quote, n);
	free(quote);
	return rc;
}

static int write_target(struct cli *c, struct bawn_attester *a, const char *path)
{
	struct bawn_attester_info info;
	struct bawn_error e = { 0 };
	uint8_t target[512];
	struct json *j;

	if (bawn_attester_target(a, target, &e) || io_write_file(path, target, sizeof(target), 0644, &e))
		return cli_fail(c, path, &e);
	if (cli_flag(c, "json")) {
		bawn_attester_info(a, &info);
		j = cli_json(c);
		json_open(j, NULL, '{');
		show_info(j, &info);
		json_hex(j, "target", target, sizeof(target));
		json_close(j, '}');
	}
	return CLI_OK;
}

/* As a PCS's query has it, SVNs and id in memory order. */
static int print_request(struct cli *c, struct bawn_attester *a)
{
	struct bawn_pck_request r;
	struct bawn_error e = { 0 };
	struct show s = { .json = NULL };
	uint8_t pcesvn[2], pce_id[2];

	if (bawn_attester_pck_request(a, &r, &e))
		return cli_fail(c, NULL, &e);
	put_le16(pcesvn, r.pcesvn);
	put_le16(pce_id, r.pce_id);
	if (cli_flag(c, "json")) {
		s.json = cli_json(c);
		json_open(s.json, NULL, '{');
	}
	show_hex(&s, "qeid", "qeid", r.qe_id, sizeof(r.qe_id));
	show_hex(&s, "encrypted_ppid", "encrypted_ppid", r.encrypted_ppid, sizeof(r.encrypted_ppid));
	show_hex(&s, "cpusvn", "cpusvn", r.cpusvn, sizeof(r.cpusvn));
	show_hex(&s, "pcesvn", "pcesvn", pcesvn, sizeof(pcesvn));
	show_hex(&s, "pceid", "pceid", pce_id, sizeof(pce_id));
	show_hex(&s, "pce_mrsigner", "MRSIGNER of the PCE", r.pce_mrsigner, sizeof(r.pce_mrsigner));
	if (s.json)
		json_close(s.json, '}');
	return CLI_OK;
}

/* ---- opening ---- */

/* Files that the attester is given as bytes. */
struct given {
	uint8_t *chain, *key;
	struct bawn_bytes list[LISTS_MAX];
};

static int read_lists(struct cli *c, struct given *g, struct bawn_attester_options *o)
{
	const char *path;
	uint8_t *p;
	int rc = 0;

	o->white_lists = g->list;
	for (size_t i = 0; rc == 0 && (path = cli_value_at(c, "white-list", i)); i++) {
		if (i == LISTS_MAX)
			return cli_usage(c, "there are %d types of white lists", LISTS_MAX);
		rc = whole_file(c, path, AE_WHITE_LIST_MAX, &p, &g->list[i].n);
		if (rc == 0) {
			g->list[i].p = p;
			o->white_list_count++;
		}
	}
	return rc;
}

static int read_given(struct cli *c, struct given *g, struct bawn_attester_options *o)
{
	const char *chain = cli_value(c, "pck-chain"), *key = cli_value(c, "ppid-key");
	struct bawn_error e = { 0 };
	uint8_t *text;
	size_t n;
	int rc = read_lists(c, g, o);

	if (rc == 0 && chain) {
		rc = whole_file(c, chain, ATTEST_CHAIN_TEXT_MAX, &g->chain, &o->pck_chain.n);
		o->pck_chain.p = g->chain;
	}
	if (rc == 0 && key) {
		rc = whole_file(c, key, 4096, &text, &n);
		if (rc)
			return rc;
		if (attest_input_decode(text, n, &g->key, &o->ppid_key.n, &e))
			rc = cli_fail(c, key, &e);
		o->ppid_key.p = g->key;
		free(text);
	}
	return rc;
}

static int open_attester(struct cli *c, struct bawn_attester **a)
{
	struct bawn_attester_options o = {
		.device = cli_value(c, "device"), .platform = cli_value(c, "platform"),
		.allow_development = cli_flag(c, "allow-development"), .provision = cli_value(c, "provision"),
		.quote = cli_value(c, "quoting"), .launch = cli_value(c, "launch"), .state = cli_value(c, "state"),
	};
	struct bawn_error e = { 0 };
	struct given g = { 0 };
	int rc = read_given(c, &g, &o);

	if (rc == 0 && bawn_attester_new(a, &o, &e))
		rc = cli_fail(c, NULL, &e);
	free(g.chain);
	free(g.key);
	for (size_t i = 0; i < LISTS_MAX; i++)
		free((void *)(uintptr_t)g.list[i].p);
	return rc;
}

static int run(struct cli *c)
{
	const char *target = cli_value(c, "target"), *output = cli_value(c, "output");
	bool request = cli_flag(c, "pck-request");
	struct bawn_attester *a = NULL;
	int rc;

	if (target && request)
		return cli_usage(c, "--target and --pck-request exclude each other");
	if (request && !cli_value(c, "ppid-key"))
		return cli_usage(c, "--pck-request needs --ppid-key: whom is the platform's id to be encrypted to?");
	if (cli_value(c, "report") && cli_value(c, "enclave"))
		return cli_usage(c, "--report and --enclave exclude each other");
	if (!target && !request && !output && !cli_flag(c, "json") && isatty(STDOUT_FILENO))
		return cli_usage(c, "a quote is no text for a terminal: give -o FILE");
	rc = open_attester(c, &a);
	if (rc == 0)
		rc = target ? write_target(c, a, target) : request ? print_request(c, a) : make_quote(c, a);
	bawn_attester_free(&a);
	return rc;
}

const struct cli_command cmd_attest = {
	.name = "attest",
	.summary = "make a quote: what an enclave here is, for others to verify",
	.details = "The quote is made in this process, with the provisioning certification enclave and the\n"
		   "quoting enclave. An emulated platform gets its PCK certificate from `bawn emu fab issue`.",
	.options = options,
	.run = run,
};
