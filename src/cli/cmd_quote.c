/* bawn quote: what quotes say. */
#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (4u << 20)

/* ---- header and body ---- */

static void show_header(const struct show *s, const struct attest_quote *q, size_t given)
{
	show_open(s, "header", "header");
	show_number(s, "version", "version", q->version);
	show_word(s, "attestation_key_type", "attestation key type", "ECDSA P-256");
	show_word(s, "tee", "TEE", q->tee == BAWN_TEE_TDX ? "TDX" : "SGX");
	show_number(s, "qe_svn", q->version == 3 ? "QE SVN" : "reserved (was QE SVN)", q->qe_svn);
	show_number(s, "pce_svn", q->version == 3 ? "PCE SVN" : "reserved (was PCE SVN)", q->pce_svn);
	show_hex(s, "qe_vendor_id", "QE vendor id", q->qe_vendor_id, sizeof(q->qe_vendor_id));
	show_hex(s, "user_data", "user data", q->user_data, sizeof(q->user_data));
	show_hex(s, "qe_id", "  of it the QE id", q->user_data, 16);
	show_number(s, "size", "bytes", q->size);
	show_number(s, "padding", "bytes behind it", given - q->size);
	show_close(s);
}

static const char *body_word(enum attest_body t)
{
	static const char *const words[] = { [ATTEST_BODY_SGX] = "SGX report", [ATTEST_BODY_TD10] = "TD report 1.0",
					     [ATTEST_BODY_TD15] = "TD report 1.5",
					     [ATTEST_BODY_TD15EX] = "TD report 1.5, extended" };

	return words[t];
}

static void show_body(const struct show *s, const struct attest_quote *q)
{
	struct bawn_sgx_report sgx;
	struct bawn_td_report td;

	show_word(s, "body_type", "body", body_word(q->body_type));
	if (q->body_type == ATTEST_BODY_SGX) {
		attest_report_read(q->body.p, &sgx);
		show_sgx_report(s, "enclave", &sgx, q->body.p);
	} else {
		attest_td_report_read(q, &td);
		show_td_report(s, "td", &td, attest_quote_report_data(q));
	}
}

/* ---- what vouches for it ---- */

static const char *certification_word(enum attest_cert_type t)
{
	static const char *const words[] = {
		[ATTEST_CERT_PPID_PLAIN] = "PPID, plain",
		[ATTEST_CERT_PPID_RSA2048] = "PPID, encrypted (RSA-2048)",
		[ATTEST_CERT_PPID_RSA3072] = "PPID, encrypted (RSA-3072)",
		[ATTEST_CERT_PCK_LEAF] = "PCK certificate",
		[ATTEST_CERT_PCK_CHAIN] = "PCK certificate chain",
		[ATTEST_CERT_QE_REPORT] = "QE report",
		[ATTEST_CERT_MANIFEST] = "platform manifest",
	};

	return words[t];
}

/* PPID, then CPUSVN, PCESVN and PCE id in the last 20 bytes; anything else as it is. */
static void show_ppid(const struct show *s, struct cur data)
{
	struct cur ppid;
	uint8_t cpusvn[16], pce_id[2];
	uint16_t pcesvn;

	if (data.n < 20 || !cur_sub(&data, data.n - 20, &ppid)) {
		show_hex(s, "data", "data", data.p, data.n);
		return;
	}
	cur_bytes(&data, cpusvn, sizeof(cpusvn));
	cur_le16(&data, &pcesvn);
	cur_bytes(&data, pce_id, sizeof(pce_id));
	show_hex(s, "ppid", "PPID", ppid.p, ppid.n);
	show_hex(s, "cpusvn", "CPUSVN", cpusvn, sizeof(cpusvn));
	show_number(s, "pcesvn", "PCESVN", pcesvn);
	show_hex(s, "pce_id", "PCE id", pce_id, sizeof(pce_id));
}

static int show_certification(const struct show *s, const struct attest_quote *q, struct bawn_error *e)
{
	struct cur data = q->cert_data;
	int rc = 0;

	show_open(s, "certification", "certification data");
	show_number(s, "type", "type", q->cert_type);
	show_word(s, "content", "content", certification_word(q->cert_type));
	show_number(s, "size", "bytes", data.n);
	switch (q->cert_type) {
	case ATTEST_CERT_PPID_PLAIN:
	case ATTEST_CERT_PPID_RSA2048:
	case ATTEST_CERT_PPID_RSA3072:
		show_ppid(s, data);
		break;
	case ATTEST_CERT_PCK_LEAF:
	case ATTEST_CERT_PCK_CHAIN:
		rc = show_certificates(s, "certificates", data, e);
		break;
	case ATTEST_CERT_QE_REPORT:
	case ATTEST_CERT_MANIFEST:
		show_hex(s, "data", "data", data.p, data.n);
		break;
	}
	show_close(s);
	return rc;
}

static int show_signature(const struct show *s, const struct attest_quote *q, struct bawn_error *e)
{
	struct bawn_sgx_report qe;

	show_open(s, "signature", "signature");
	show_hex(s, "ecdsa", "signature (r and s)", q->signature.p, q->signature.n);
	show_hex(s, "attestation_key", "attestation key (x and y)", q->key.p, q->key.n);
	show_close(s);
	attest_report_read(q->qe_report.p, &qe);
	show_sgx_report(s, "qe", &qe, q->qe_report.p);
	show_hex(s, "qe_report_signature", "its signature (r and s)", q->qe_signature.p, q->qe_signature.n);
	show_hex(s, "qe_authentication_data", "authentication data", q->qe_auth.p, q->qe_auth.n);
	return show_certification(s, q, e);
}

/* ---- quote show ---- */

static int refuse(struct cli *c, const struct show *s, const struct bawn_error *e)
{
	if (s->json) {
		json_open(s->json, NULL, '{');
		json_string(s->json, "error", e->msg);
		json_close(s->json, '}');
	}
	return cli_fail(c, c->argv[0], e);
}

static int show_quote(struct show *s, const struct attest_quote *q, size_t given)
{
	struct bawn_error e = { 0 };

	if (s->json)
		json_open(s->json, NULL, '{');
	show_header(s, q, given);
	show_body(s, q);
	if (show_signature(s, q, &e)) {
		cli_fail(s->c, s->c->argv[0], &e);
		s->failed = true;
	}
	if (s->json)
		json_close(s->json, '}');
	else
		puts("Nothing of it was verified: `bawn verify` does that.");
	return s->failed ? CLI_FAILURE : CLI_OK;
}

static int run_show(struct cli *c)
{
	struct show s = { .json = cli_flag(c, "json") ? cli_json(c) : NULL, .c = c };
	struct bawn_error e = { 0 };
	struct attest_quote q;
	uint8_t *given, *raw = NULL;
	size_t n, raw_n;
	int rc;

	rc = io_read_file(c->argv[0], INPUT_MAX, &given, &n, &e);
	if (rc == BAWN_ERR_FORMAT) /* a directory, or too large for one */
		err_context(&e, "no quote");
	if (rc)
		return refuse(c, &s, &e);
	rc = attest_input_decode(given, n, &raw, &raw_n, &e);
	if (rc == 0) {
		rc = attest_quote_parse(raw, raw_n, &q, &e);
		if (rc)
			cli_foreign(given, n, CLI_KIND_QUOTE, &e);
	}
	free(given);
	rc = rc ? refuse(c, &s, &e) : show_quote(&s, &q, raw_n);
	free(raw);
	return rc;
}

static const struct cli_option show_options[] = { CLI_OPT_JSON, { 0 } };

static const struct cli_command cmd_show = {
	.name = "show",
	.summary = "print every field of a quote, and the certificates in it",
	.operands = "FILE",
	.details = "SGX quotes of versions 3 to 5, TDX quotes of versions 4 and 5; raw, in hexadecimal\n"
		   "or in base64; `-` is standard input. Nothing is verified: see `bawn verify`.",
	.options = show_options,
	.min = 1,
	.max = 1,
	.run = run_show,
};

static const struct cli_command *const verbs[] = { &cmd_show, NULL };

const struct cli_command cmd_quote = {
	.name = "quote",
	.summary = "look into quotes",
	.verbs = verbs,
};
