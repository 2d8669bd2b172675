/* bawn attest: a quote of an enclave on this machine. */
#include "attester/attester.h"
#include "cli/maker.h"
#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPORT_CALL 5 /* of the witness, and of whatever enclave has the same call */
#define REPORT_BYTES 432

static const struct cli_option options[] = {
	{ .name = "enclave", .value = "FILE", .help = "the enclave to be attested (default: the witness)" },
	{ .name = "report-call", .value = "N", .help = "its ECALL that makes a report (default: 5, as the witness's)" },
	{ .name = "debug", .help = "load it with ATTRIBUTES.DEBUG" },
	{ .name = "config-id", .value = "HEX", .help = "its CONFIGID, 128 digits; needs ATTRIBUTES.KSS" },
	{ .name = "config-svn", .value = "N", .help = "its CONFIGSVN; the same" },
	{ .name = "report", .value = "FILE", .help = "attest this report, which another program's enclave made" },
	{ .name = "user-data", .value = "FILE", .help = "report data: the file's bytes, at most 64, then zeros" },
	{ .name = "digest", .value = "FILE", .help = "report data: the file's SHA-256, then zeros" },
	{ .name = "nonce", .value = "HEX", .help = "report data: these bytes, at most 64, then zeros" },
	{ .name = "output", .value = "FILE", .letter = 'o', .help = "the quote goes here (default: standard output)" },
	{ .name = "daemon", .help = "have bawnd make it, under its owner's policy" },
	{ .name = "socket", .value = "PATH", .help = "bawnd's socket (default: $BAWN_SOCKET, else /run/bawn/bawnd.sock)" },
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

static int data_of_file(struct cli *c, const char *path, bool digest, uint8_t data[64])
{
	uint8_t *p;
	size_t n;
	int rc = maker_file(c, path, 64u << 20, &p, &n);

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
	struct bawn_options opt = { .device = cli_value(c, "device"), .platform = cli_value(c, "platform"),
				    .debug = cli_flag(c, "debug"),
				    .allow_development = cli_flag(c, "allow-development") };
	struct report_call ms = { 0 };
	struct bawn_enclave *en;
	struct bawn_error e = { 0 };
	uint64_t call = REPORT_CALL, config_svn = 0;
	uint8_t config_id[64] = { 0 };
	uint32_t status = 0;
	int rc = cli_number(c, "report-call", 0, 0xffff, &call);

	if (rc == 0)
		rc = cli_number(c, "config-svn", 0, UINT16_MAX, &config_svn);
	if (rc == 0)
		rc = cli_hex(c, "config-id", config_id, sizeof(config_id));
	if (rc)
		return rc;
	if (cli_value(c, "config-id") || cli_value(c, "config-svn"))
		opt.config_id = config_id;
	opt.config_svn = (uint16_t)config_svn;
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

static int get_report(struct cli *c, const struct maker *m, const uint8_t data[64], uint8_t report[REPORT_BYTES])
{
	const char *file = cli_value(c, "report"), *path = cli_value(c, "enclave");
	struct bawn_error e = { 0 };
	uint8_t target[512], *p;
	char found[4096];
	size_t n;
	int rc;

	if (file) {
		rc = maker_file(c, file, REPORT_BYTES, &p, &n);
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
	if (maker_target(m, target, &e))
		return maker_fail(c, m, &e);
	return ask_enclave(c, path, target, data, report);
}

/* ---- what comes of it ---- */

static int deliver(struct cli *c, const struct maker *m, const uint8_t *quote, size_t n)
{
	const char *output = cli_output(c);
	struct bawn_sgx_report report;
	int rc = cli_deliver(c, quote, n);
	struct json *j;

	if (rc || !cli_flag(c, "json"))
		return rc;
	attest_report_read(quote + ATTEST_QUOTE_HEADER, &report);
	j = cli_json(c);
	json_open(j, NULL, '{');
	maker_json(m, j);
	show_sgx_report(&(struct show){ .json = j }, "enclave", &report, quote + ATTEST_QUOTE_HEADER);
	json_u64(j, "size", n);
	if (output)
		json_string(j, "file", output);
	else
		json_hex(j, "quote", quote, n);
	json_close(j, '}');
	return CLI_OK;
}

static int make_quote(struct cli *c, const struct maker *m, const uint8_t data[64])
{
	uint8_t report[REPORT_BYTES], *quote;
	struct bawn_error e = { 0 };
	size_t n;
	int rc = get_report(c, m, data, report);

	if (rc)
		return rc;
	if (maker_quote(m, report, &quote, &n, &e))
		return maker_fail(c, m, &e);
	rc = deliver(c, m, quote, n);
	free(quote);
	return rc;
}

static int write_target(struct cli *c, const struct maker *m, const char *path)
{
	struct bawn_error e = { 0 };
	uint8_t target[512];
	struct json *j;

	if (maker_target(m, target, &e) || io_write_file(path, target, sizeof(target), 0644, &e))
		return cli_fail(c, path, &e);
	if (cli_flag(c, "json")) {
		j = cli_json(c);
		json_open(j, NULL, '{');
		maker_json(m, j);
		json_hex(j, "target", target, sizeof(target));
		json_close(j, '}');
	}
	return CLI_OK;
}

/* As a PCS's query has it, SVNs and id in memory order. */
static int print_request(struct cli *c, const struct maker *m)
{
	struct bawn_pck_request r;
	struct bawn_error e = { 0 };
	struct show s = { .json = NULL };
	uint8_t pcesvn[2], pce_id[2];

	if (bawn_attester_pck_request(m->attester, &r, &e))
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

/* ---- all of it ---- */

/* --report brings a report: what says how to make one is not for it. */
static int check_report(struct cli *c)
{
	static const char *const making[] = { "enclave", "report-call", "config-id", "config-svn" };

	if (!cli_value(c, "report"))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(making); i++)
		if (cli_value(c, making[i]))
			return cli_usage(c, "--report and --%s exclude each other", making[i]);
	return cli_flag(c, "debug") ? cli_usage(c, "--report and --debug exclude each other") : 0;
}

static int run(struct cli *c)
{
	const char *target = cli_value(c, "target");
	bool request = cli_flag(c, "pck-request");
	uint8_t data[64];
	struct maker m;
	int rc = check_report(c);

	if (rc)
		return rc;

	if (target && request)
		return cli_usage(c, "--target and --pck-request exclude each other");
	if (request && !cli_value(c, "ppid-key"))
		return cli_usage(c, "--pck-request needs --ppid-key: whom is the platform's id to be encrypted to?");
	if (request && maker_by_service(c))
		return cli_usage(c, "bawnd gets its certificates itself: no --pck-request");
	if (!target && !request && !cli_output(c) && !cli_flag(c, "json") && isatty(STDOUT_FILENO))
		return cli_usage(c, "a quote is no text for a terminal: give -o FILE");
	rc = report_data(c, data);
	if (rc)
		return rc;
	rc = maker_open(c, &m);
	if (rc == 0)
		rc = target  ? write_target(c, &m, target) :
		     request ? print_request(c, &m) :
			       make_quote(c, &m, data);
	maker_close(&m);
	return rc;
}

const struct cli_command cmd_attest = {
	.name = "attest",
	.summary = "make a quote: what an enclave here is, for others to verify",
	.details = "The quote is made in this process, with the provisioning certification enclave and the\n"
		   "quoting enclave, or by bawnd. In this process an emulated platform's PCK certificate is from\n"
		   "`bawn emu fab issue`.",
	.options = options,
	.run = run,
};
