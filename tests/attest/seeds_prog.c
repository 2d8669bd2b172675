/*
 * seeds DIR: writes the seed corpora of the fuzz targets for quotes,
 * certificates and collateral below DIR (fuzz/corpus in this tree), forged.
 */
#include "tests/attest/forge.h"
#include "tests/seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *base;

static void seed(const char *target, const char *name, const void *p, size_t n)
{
	seed_write(base, target, name, p, n);
}

static void quotes(void)
{
	struct forge f;

	forge_init(&f, BAWN_TEE_SGX);
	forge_build(&f);
	seed("quote", "sgx3", f.quote.p, f.quote.n);
	for (unsigned type = 1; type <= 7; type += type == 3 ? 4 : 1) {
		char name[32];

		f.cert_type = type;
		forge_quote(&f);
		snprintf(name, sizeof(name), "sgx3-type%u", type);
		seed("quote", name, f.quote.p, f.quote.n);
	}
	f.cert_type = ATTEST_CERT_PCK_LEAF;
	f.version = 4;
	forge_quote(&f);
	seed("quote", "sgx4-type4", f.quote.p, f.quote.n);
	forge_version5(&f, ATTEST_BODY_SGX);
	forge_quote(&f);
	seed("quote", "sgx5-type4", f.quote.p, f.quote.n);
	forge_free(&f);
	forge_init(&f, BAWN_TEE_TDX);
	f.cert_type = ATTEST_CERT_PCK_LEAF;
	forge_build(&f);
	seed("quote", "tdx4", f.quote.p, f.quote.n);
	forge_version5(&f, ATTEST_BODY_TD15);
	forge_quote(&f);
	seed("quote", "tdx5", f.quote.p, f.quote.n);
	forge_version5(&f, ATTEST_BODY_TD15EX);
	forge_quote(&f);
	seed("quote", "tdx5-extended", f.quote.p, f.quote.n);
	forge_free(&f);
}

static void certificates(void)
{
	static const char *const names[] = { "root", "ca", "tcb-signing", "pck" };
	struct attest_cert c;
	struct forge f;

	forge_init(&f, BAWN_TEE_SGX);
	f.pck_crl.count = 3;
	for (int i = 0; i < 3; i++) {
		memset(f.pck_crl.serial[i], 0x11 * (i + 1), 20);
		f.pck_crl.serial_n[i] = 20u - (size_t)i;
	}
	forge_build(&f);
	for (int i = 0; i < FORGE_CERTS; i++)
		seed("cert", names[i], f.der[i].p, f.der[i].n);
	seed("cert", "chain", f.pck_chain.p, f.pck_chain.n);
	if (attest_cert_parse(f.der[FORGE_PCK].p, f.der[FORGE_PCK].n, &c, NULL))
		exit(1);
	seed("pck", "platform", c.sgx_extension.p, c.sgx_extension.n);
	f.pck_members = 0x3e;
	forge_platform(&f);
	if (attest_cert_parse(f.der[FORGE_PCK].p, f.der[FORGE_PCK].n, &c, NULL))
		exit(1);
	seed("pck", "processor", c.sgx_extension.p, c.sgx_extension.n);
	seed("crl", "root", f.root_crl_der.p, f.root_crl_der.n);
	seed("crl", "pck", f.pck_crl_der.p, f.pck_crl_der.n);
	struct buf text;

	buf_init(&text, 1 << 16);
	buf_pem(&text, "X509 CRL", f.pck_crl_der.p, f.pck_crl_der.n);
	seed("crl", "pck.pem", text.p, text.n);
	buf_free(&text);
	for (size_t i = 0; i < f.root_crl_der.n; i++)
		buf_printf(&text, "%02x", f.root_crl_der.p[i]);
	seed("crl", "root.hex", text.p, text.n);
	buf_free(&text);
	f.cert[FORGE_PCK].emulated = true;
	f.cert[FORGE_PCK].generalized = true;
	forge_platform(&f);
	seed("cert", "emulated", f.der[FORGE_PCK].p, f.der[FORGE_PCK].n);
	forge_free(&f);
}

static void statements(void)
{
	struct forge f;

	forge_init(&f, BAWN_TEE_SGX);
	forge_build(&f);
	seed("tcb_info", "sgx", f.tcb_json.p, f.tcb_json.n);
	seed("qe_identity", "qe", f.qe_json.p, f.qe_json.n);
	f.tcb_info = forge_sgx_tcb_v2;
	forge_build(&f);
	seed("tcb_info", "sgx2", f.tcb_json.p, f.tcb_json.n);
	forge_free(&f);
	forge_init(&f, BAWN_TEE_TDX);
	forge_build(&f);
	seed("tcb_info", "tdx", f.tcb_json.p, f.tcb_json.n);
	seed("qe_identity", "tdqe", f.qe_json.p, f.qe_json.n);
	forge_free(&f);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s DIR\n", argv[0]);
		return 64;
	}
	base = argv[1];
	quotes();
	certificates();
	statements();
	return 0;
}
