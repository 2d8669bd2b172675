/* What a file seems to be, for the message about one that is not what was expected. */
#include "ae/ae.h"
#include "attest/attest.h"
#include "cli/cli.h"
#include "isa/isa.h"

#include <stdlib.h>
#include <string.h>

enum kind {
	EMPTY, BINARY, TEXT, JSON, PEM, ELF, SGXS, QUOTE, EPID_QUOTE, TCB_INFO, QE_IDENTITY, CERTIFICATE,
	EVIDENCE, CRL, PRIVATE_KEY, SIGSTRUCT, TOKEN, WHITE_LIST,
};

static const struct {
	const char *is;
	const char *next; /* what to do with it, or NULL */
} kinds[] = {
	[EMPTY] = { "an empty file", NULL },
	[BINARY] = { NULL, NULL },
	[TEXT] = { "plain text", NULL },
	[JSON] = { "JSON of another kind", NULL },
	[PEM] = { "PEM of another kind", NULL },
	[ELF] = { "an ELF file", "`bawn inspect` shows enclaves" },
	[SGXS] = { "an enclave as an SGXS stream", "`bawn inspect` shows it" },
	[QUOTE] = { "a quote", "`bawn quote show` shows it" },
	[EPID_QUOTE] = { "an EPID quote", "only Intel could verify those" },
	[TCB_INFO] = { "a TCB info", "`bawn collateral show` shows it" },
	[QE_IDENTITY] = { "a QE identity", "`bawn collateral show` shows it" },
	[CERTIFICATE] = { "certificates", "`bawn collateral show` shows them" },
	[EVIDENCE] = { "a certificate that carries a quote", "`bawn verify --cert` verifies it" },
	[CRL] = { "a revocation list", "`bawn collateral show` shows it" },
	[PRIVATE_KEY] = { "a private key", "show it to nobody" },
	[SIGSTRUCT] = { "a SIGSTRUCT", "`bawn inspect --sigstruct` shows it with its enclave" },
	[TOKEN] = { "a launch token", "`bawn load --token` uses it" },
	[WHITE_LIST] = { "a white list", "`bawn launch whitelist show` shows it" },
};

static bool has(const void *p, size_t n, const char *what)
{
	return memmem(p, n, what, strlen(what)) != NULL;
}

static enum kind kind_of_json(const uint8_t *p, size_t n)
{
	if (has(p, n, "\"tcbInfo\""))
		return TCB_INFO;
	return has(p, n, "\"enclaveIdentity\"") ? QE_IDENTITY : JSON;
}

/* Text with tabs and line ends; UTF-8 is not looked into. */
static bool is_text(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i] < 0x20 && !strchr("\t\n\r\f", p[i])) || !p[i] || p[i] == 0x7f)
			return false;
	return true;
}

/*
 * A quote, whole or not, by what its header may say: version, kind of key and
 * of TEE; EPID's has version 1 or 2, whether it can be linked, and 436 bytes.
 */
static enum kind kind_of_header(const uint8_t *p, size_t n)
{
	struct cur c = cur_make(p, n);
	uint16_t version = 0, key = 0;
	uint32_t tee = 0;

	if (n < ATTEST_QUOTE_HEADER || !cur_le16(&c, &version) || !cur_le16(&c, &key) || !cur_le32(&c, &tee))
		return BINARY;
	if (version >= 3 && version <= 5 && key >= 1 && key <= 3 && (tee == 0 || tee == 0x81))
		return QUOTE;
	return (version == 1 || version == 2) && key <= 1 && n >= 436 ? EPID_QUOTE : BINARY;
}

static enum kind kind_of_der(const uint8_t *p, size_t n)
{
	struct attest_evidence evidence;
	struct cur key, extensions;
	struct attest_cert cert;
	struct attest_pck pck;
	struct attest_crl crl;

	if (attest_crl_parse(p, n, &crl, NULL) == 0)
		return CRL;
	if (!attest_x509_read(cur_make(p, n), &key, &extensions))
		return BINARY;
	/* A PCK certificate has under one of these OIDs what is no quote. */
	if (attest_evidence_read(p, n, &evidence, NULL) == 0 &&
	    (attest_cert_parse(p, n, &cert, NULL) || attest_pck_parse(cert.sgx_extension, &pck, NULL)))
		return EVIDENCE;
	return CERTIFICATE;
}

static enum kind kind_of_pem(const uint8_t *p, size_t n)
{
	struct cur text = cur_make(p, n);
	uint8_t der[ATTEST_CERT_MAX];
	size_t der_n;

	if (has(p, n, "PRIVATE KEY-----"))
		return PRIVATE_KEY;
	if (attest_pem_next(&text, "CERTIFICATE", der, sizeof(der), &der_n, NULL) == 1)
		return kind_of_der(der, der_n) == EVIDENCE ? EVIDENCE : CERTIFICATE;
	if (has(p, n, "-----BEGIN CERTIFICATE-----"))
		return CERTIFICATE;
	return has(p, n, "-----BEGIN X509 CRL-----") ? CRL : PEM;
}

static enum kind kind_of_bytes(const uint8_t *p, size_t n)
{
	static const uint8_t sigstruct[16] = { 6, 0, 0, 0, 0xe1, 0, 0, 0, 0, 0, 1 };
	struct ae_white_list list;

	if (n >= 4 && memcmp(p, "\177ELF", 4) == 0)
		return ELF;
	if (n >= 8 && (memcmp(p, "ECREATE\0", 8) == 0 || memcmp(p, "UNSIZED\0", 8) == 0))
		return SGXS;
	if (n == sizeof(struct isa_sigstruct) && memcmp(p, sigstruct, sizeof(sigstruct)) == 0)
		return SIGSTRUCT;
	if (n == sizeof(struct isa_einittoken) && p[0] <= 1 && !p[1] && !p[2] && !p[3])
		return TOKEN;
	if (ae_white_list_parse(p, n, &list, NULL) == 0)
		return WHITE_LIST;
	return p[0] == DER_SEQUENCE ? kind_of_der(p, n) : kind_of_header(p, n);
}

/* Hexadecimal digits and base64 are looked through. */
static enum kind kind_of_text(const uint8_t *p, size_t n)
{
	size_t blank = 0, raw_n;
	uint8_t *raw;
	enum kind k;

	while (blank < n && strchr(" \t\r\n", p[blank]))
		blank++;
	if (has(p, n, "-----BEGIN "))
		return kind_of_pem(p, n);
	if (blank < n && (p[blank] == '{' || p[blank] == '['))
		return kind_of_json(p, n);
	if (attest_input_decode(p, n, &raw, &raw_n, NULL))
		return TEXT;
	k = raw_n && (raw_n != n || memcmp(raw, p, n) != 0) ? kind_of_bytes(raw, raw_n) : TEXT;
	free(raw);
	return k == BINARY ? TEXT : k;
}

static enum kind kind_of(const uint8_t *p, size_t n)
{
	if (!n)
		return EMPTY;
	return is_text(p, n) ? kind_of_text(p, n) : kind_of_bytes(p, n);
}

static bool is_wanted(enum kind k, enum cli_kind wanted)
{
	switch (k) {
	case QUOTE:
		return wanted == CLI_KIND_QUOTE;
	case TCB_INFO:
	case QE_IDENTITY:
	case CERTIFICATE:
	case EVIDENCE:
	case CRL:
		return wanted == CLI_KIND_COLLATERAL;
	case WHITE_LIST:
		return wanted == CLI_KIND_WHITE_LIST;
	default:
		return false;
	}
}

bool cli_foreign(const void *p, size_t n, enum cli_kind wanted, struct bawn_error *e)
{
	static const struct {
		const char *name, *not_one_of;
	} words[] = {
		[CLI_KIND_QUOTE] = { "a quote", "a quote (SGX or TDX; raw, in hexadecimal or in base64)" },
		[CLI_KIND_COLLATERAL] = { "collateral", "a TCB info, a QE identity, a revocation list or certificates" },
		[CLI_KIND_WHITE_LIST] = { "a white list", "a white list of signers" },
	};
	enum kind k = kind_of(p, n);

	if (is_wanted(k, wanted))
		return false;
	if (k == BINARY) {
		if (e->msg[0])
			err_context(e, "not %s, it seems", words[wanted].name);
		return false;
	}
	*e = (struct bawn_error){ 0 };
	err_set(e, BAWN_ERR_FORMAT, "%s %s, not %s%s%s", k == CERTIFICATE ? "these are" : "this is", kinds[k].is, words[wanted].not_one_of,
		kinds[k].next ? "; " : "", kinds[k].next ? kinds[k].next : "");
	return true;
}
