/*
 * forge_prog DIR [WORD...]: a forged platform's quote and collateral as files,
 * for verify_forged_test.sh. Words: sgx or tdx; emulated or owner (names and, for the
 * first, the marker); type=N (certification data); report-data=HEX; old (a
 * platform below the highest level).
 */
#include "tests/attest/forge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *dir;

static void save(const char *name, const struct buf *b)
{
	struct bawn_error e = { 0 };
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (io_write_file(path, b->p, b->n, 0644, &e)) {
		fprintf(stderr, "%s\n", e.msg);
		exit(1);
	}
}

static void rename_all(struct forge *f, const struct bawn_names *n, bool emulated)
{
	const char *subject[FORGE_CERTS] = { n->root, n->pck_ca, n->tcb_signing, n->pck };
	const char *issuer[FORGE_CERTS] = { n->root, n->root, n->root, n->pck_ca };

	for (int i = 0; i < FORGE_CERTS; i++) {
		f->cert[i].subject = subject[i];
		f->cert[i].issuer = issuer[i];
		f->cert[i].rest = n->rest ? n->rest : "O=Test";
		f->cert[i].emulated = emulated;
	}
	f->root_crl.issuer = n->root;
	f->pck_crl.issuer = n->pck_ca;
	f->root_crl.rest = f->pck_crl.rest = n->rest ? n->rest : "O=Test";
}

static bool apply(struct forge *f, const char *word)
{
	static const struct bawn_names emulated = { .root = "Bawn Emulated SGX Root CA",
						    .pck_ca = "Bawn Emulated SGX PCK CA",
						    .pck = "Bawn Emulated SGX PCK Certificate",
						    .tcb_signing = "Bawn Emulated SGX TCB Signing" };
	static const struct bawn_names owner = { .root = "Our Root", .pck_ca = "Our CA", .pck = "Our Platform",
						 .tcb_signing = "Our TCB", .rest = "O=Example, C=IE" };
	size_t report_data = f->tee == BAWN_TEE_TDX ? 520 : 320;

	if (strcmp(word, "emulated") == 0)
		rename_all(f, &emulated, true);
	else if (strcmp(word, "owner") == 0)
		rename_all(f, &owner, false);
	else if (strncmp(word, "type=", 5) == 0)
		f->cert_type = (unsigned)atoi(word + 5);
	else if (strncmp(word, "report-data=", 12) == 0)
		return hex_decode(word + 12, strlen(word + 12), f->body + report_data, strlen(word + 12) / 2);
	else if (strcmp(word, "old") == 0)
		f->platform.components[0] = 4;
	else
		return strcmp(word, "tdx") == 0 || strcmp(word, "sgx") == 0;
	return true;
}

int main(int argc, char **argv)
{
	struct forge f;
	bool tdx = false, own_chain;

	if (argc < 2)
		return 64;
	dir = argv[1];
	mkdir(dir, 0755);
	for (int i = 2; i < argc; i++)
		tdx |= strcmp(argv[i], "tdx") == 0;
	forge_init(&f, tdx ? BAWN_TEE_TDX : BAWN_TEE_SGX);
	for (int i = 2; i < argc; i++)
		if (!apply(&f, argv[i]))
			return 64;
	own_chain = f.cert_type != ATTEST_CERT_PCK_CHAIN;
	forge_build(&f);
	save("quote.bin", &f.quote);
	save("root_ca.pem", &f.root_pem);
	save("tcb_info.json", &f.tcb_json);
	save("tcb_signing_chain.pem", &f.tcb_chain);
	save("qe_identity.json", &f.qe_json);
	save("pck_crl.der", &f.pck_crl_der);
	save("root_ca_crl.der", &f.root_crl_der);
	save("pck_crl_issuer_chain.pem", &f.ca_chain);
	if (own_chain)
		save("pck_chain.pem", &f.pck_chain);
	forge_free(&f);
	return 0;
}
