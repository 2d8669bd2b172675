/*
 * The demo: loads the witness enclave, calls it, has it call out, verify
 * another's report and seal a secret; then, in a new process, unseals it, and
 * shows that an enclave of another signer cannot; and has it attested.
 * tools/demo.sh runs it.
 *
 * usage: demo first|second|other FOLDER-OF-ENCLAVES SEALED-FILE
 *        demo attest FOLDER-OF-ENCLAVES QUOTE-FILE PCK-CHAIN
 *
 * Everything it says it has just seen happen; it ends with 1 where something
 * did not happen as it should.
 */
#include "bawn.h"
#include "enclaves/witness/witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET "the tide turns at twenty past four"
#define LABEL "tide table, first draft"
#define STATUS_MAC 0x3001u

static void fail(const char *what, const char *why)
{
	printf("\nFAILED: %s: %s\n", what, why);
	exit(1);
}

static void print_hex(const char *name, const void *p, size_t n)
{
	const unsigned char *b = p;

	printf("  %-11s", name);
	for (size_t i = 0; i < n; i++)
		printf("%02x", b[i]);
	printf("\n");
}

/* ---- the host's side of the witness ---- */

static uint32_t add(void *ms, void *arg)
{
	struct witness_add *a = ms;

	(void)arg;
	a->sum = a->a + a->b;
	printf("  host:      the enclave asks for %llu + %llu; answered %llu\n",
	       (unsigned long long)a->a, (unsigned long long)a->b, (unsigned long long)a->sum);
	return 0;
}

static struct bawn_enclave *load(const char *folder, const char *name)
{
	static const bawn_ocall_fn ocalls[] = { [WITNESS_ADD] = add };
	/* Emulation is asked for by name: no default leads to it. */
	const struct bawn_options options = {
		.device = "emulated", .ocalls = ocalls, .ocall_count = 1 };
	struct bawn_enclave *en;
	struct bawn_error e = { 0 };
	struct bawn_enclave_info info;
	char path[4096];

	if (snprintf(path, sizeof(path), "%s/%s.signed.so", folder, name) >= (int)sizeof(path))
		fail(folder, "is too long a name");
	if (bawn_enclave_load(&en, path, &options, &e))
		fail(path, e.msg);
	bawn_enclave_info(en, &info);
	printf("  enclave    %s, %llu KiB, on the %s device\n", path,
	       (unsigned long long)info.size >> 10, info.device);
	print_hex("MRENCLAVE", info.mrenclave, 32);
	print_hex("MRSIGNER", info.mrsigner, 32);
	printf("  added and measured in %.1f ms; EINIT, which takes it only if the measurement is\n"
	       "  the signed one, in %.1f ms; its own start took %.1f ms\n",
	       (double)(info.create_ns + info.add_ns) / 1e6, (double)info.einit_ns / 1e6,
	       (double)info.init_ns / 1e6);
	return en;
}

static uint32_t try(struct bawn_enclave *en, uint32_t index, void *args, const char *what)
{
	struct bawn_error e = { 0 };
	uint32_t status;

	if (bawn_ecall(en, index, args, &status, &e))
		fail(what, e.msg);
	return status;
}

static void call(struct bawn_enclave *en, uint32_t index, void *args, const char *what)
{
	uint32_t status = try(en, index, args, what);
	char why[48];

	if (!status)
		return;
	snprintf(why, sizeof(why), "the enclave answered with status 0x%x", status);
	fail(what, why);
}

/* ---- the steps ---- */

static void calls(struct bawn_enclave *en)
{
	static const char text[] = "through the wall and back";
	char back[sizeof(text)] = "";
	struct witness_echo echo = { (uint64_t)(uintptr_t)text, (uint64_t)(uintptr_t)back,
				     sizeof(text) };
	struct witness_sum sum = { .a = 19, .b = 23 };

	printf("\nA call into it\n");
	call(en, WITNESS_ECHO, &echo, "echo");
	if (memcmp(text, back, sizeof(text)) != 0)
		fail("echo", "something else came back");
	printf("  sent       \"%s\"\n  came back  \"%s\"\n", text, back);

	printf("\nA call out of it\n");
	call(en, WITNESS_SUM, &sum, "sum");
	printf("  enclave:   got %llu, which is right\n", (unsigned long long)sum.sum);
}

static void reports(struct bawn_enclave *en, struct bawn_enclave *other)
{
	struct witness_targetinfo target;
	struct witness_report report;
	struct witness_verify verify;

	printf("\nA report by the first, verified inside the second\n");
	call(other, WITNESS_TARGETINFO, &target, "TARGETINFO");
	memcpy(report.targetinfo, target.targetinfo, sizeof(report.targetinfo));
	memset(report.data, 0, sizeof(report.data));
	strcpy((char *)report.data, "who says so?");
	call(en, WITNESS_REPORT, &report, "EREPORT");
	print_hex("REPORT.MAC", report.report + 416, 16);
	memcpy(verify.report, report.report, sizeof(verify.report));
	call(other, WITNESS_VERIFY, &verify, "verification of the report");
	printf("  second:    made on this platform, by what was measured above, for code like me\n");
	verify.report[64] ^= 1; /* the first byte of MRENCLAVE */
	if (try(other, WITNESS_VERIFY, &verify, "verification of a forged report") != STATUS_MAC)
		fail("a forged report", "was not refused");
	printf("  second:    refuses it once a bit of MRENCLAVE is changed\n");
}

static void seal(struct bawn_enclave *en, const char *path)
{
	uint8_t blob[512];
	struct witness_seal s = {
		.policy = 2, /* MRSIGNER */
		.aad = (uint64_t)(uintptr_t)LABEL, .aad_size = strlen(LABEL),
		.text = (uint64_t)(uintptr_t)SECRET, .text_size = strlen(SECRET),
		.blob = (uint64_t)(uintptr_t)blob, .blob_size = sizeof(blob),
	};
	FILE *f;

	printf("\nA secret sealed, to enclaves of this signer on this platform\n");
	call(en, WITNESS_SEAL, &s, "sealing");
	if (memmem(blob, s.blob_size, SECRET, 8))
		fail("sealing", "the secret is in the clear");
	f = fopen(path, "wb");
	if (!f || fwrite(blob, 1, s.blob_size, f) != s.blob_size || fclose(f))
		fail(path, "cannot be written");
	printf("  secret     \"%s\"\n  sealed     %llu bytes, in %s\n", SECRET,
	       (unsigned long long)s.blob_size, path);
}

static uint32_t unseal(struct bawn_enclave *en, const char *path, char *aad, char *text, size_t size)
{
	uint8_t blob[512];
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(blob, 1, sizeof(blob), f) : 0;
	struct witness_unseal u = {
		.blob = (uint64_t)(uintptr_t)blob, .blob_size = n,
		.aad = (uint64_t)(uintptr_t)aad, .aad_size = size - 1,
		.text = (uint64_t)(uintptr_t)text, .text_size = size - 1,
	};
	uint32_t status;

	if (!f || ferror(f) || n == 0)
		fail(path, "cannot be read");
	fclose(f);
	status = try(en, WITNESS_UNSEAL, &u, "unsealing");
	aad[status ? 0 : u.aad_size] = '\0';
	text[status ? 0 : u.text_size] = '\0';
	return status;
}

static void first(const char *folder, const char *path)
{
	struct bawn_enclave *en, *other;

	printf("\nTwo enclaves: the same code, signed by two signers (process %d)\n", (int)getpid());
	en = load(folder, "witness");
	other = load(folder, "witness-other");
	calls(en);
	reports(en, other);
	seal(en, path);
	bawn_enclave_free(&en);
	bawn_enclave_free(&other);
	printf("\nProcess %d ends, and its enclaves with it.\n", (int)getpid());
}

static void second(const char *folder, const char *path)
{
	char aad[256], text[256];
	struct bawn_enclave *en;

	printf("\nThe secret unsealed by a new process (%d)\n", (int)getpid());
	en = load(folder, "witness");
	if (unseal(en, path, aad, text, sizeof(text)))
		fail("unsealing", "the same signer's enclave was refused");
	if (strcmp(text, SECRET) != 0 || strcmp(aad, LABEL) != 0)
		fail("unsealing", "something else came out");
	printf("  unsealed   \"%s\" (%s)\n", text, aad);
	bawn_enclave_free(&en);
}

static void other_signer(const char *folder, const char *path)
{
	char aad[256], text[256];
	struct bawn_enclave *en;
	uint32_t status;

	printf("\nThe secret refused to an enclave of another signer (process %d)\n", (int)getpid());
	en = load(folder, "witness-other");
	status = unseal(en, path, aad, text, sizeof(text));
	if (status != STATUS_MAC)
		fail("unsealing", "the other signer's enclave was not refused");
	printf("  refused    status 0x%x: it derives another key, and nothing comes out\n", status);
	bawn_enclave_free(&en);
}

/* ---- attestation ---- */

static void *read_all(const char *path, size_t *n)
{
	static char text[65536];
	FILE *f = fopen(path, "rb");

	*n = f ? fread(text, 1, sizeof(text), f) : 0;
	if (!f || ferror(f) || *n == 0 || *n == sizeof(text))
		fail(path, "cannot be read");
	fclose(f);
	return text;
}

static struct bawn_attester *open_attester(const char *folder, const char *chain)
{
	static char provision[4096], quoting[4096];
	struct bawn_attester_options options = { .device = "emulated", .provision = provision, .quote = quoting };
	struct bawn_attester *a;
	struct bawn_error e = { 0 };

	snprintf(provision, sizeof(provision), "%s/provision.signed.so", folder);
	snprintf(quoting, sizeof(quoting), "%s/quote.signed.so", folder);
	options.pck_chain.p = read_all(chain, &options.pck_chain.n);
	if (bawn_attester_new(&a, &options, &e))
		fail("attester", e.msg);
	return a;
}

static void attest(const char *folder, const char *path, const char *chain)
{
	struct bawn_attester *a = open_attester(folder, chain);
	struct bawn_attester_info info;
	struct witness_report report;
	struct bawn_enclave *en;
	struct bawn_error e = { 0 };
	uint8_t *quote;
	size_t n;
	FILE *f;

	printf("\nThe enclave attested (process %d)\n", (int)getpid());
	bawn_attester_info(a, &info);
	print_hex("PPID", info.ppid, sizeof(info.ppid));
	printf("  attester   has a key that the platform's provision enclave has certified\n");
	en = load(folder, "witness");
	memset(report.data, 0, sizeof(report.data));
	strcpy((char *)report.data, "who says so, far away?");
	if (bawn_attester_target(a, report.targetinfo, &e))
		fail("TARGETINFO of the quote enclave", e.msg);
	call(en, WITNESS_REPORT, &report, "EREPORT");
	if (bawn_attester_quote(a, report.report, NULL, &quote, &n, &e))
		fail("quote", e.msg);
	f = fopen(path, "wb");
	if (!f || fwrite(quote, 1, n, f) != n || fclose(f))
		fail(path, "cannot be written");
	printf("  quote      %zu bytes, in %s\n", n, path);
	free(quote);
	bawn_enclave_free(&en);
	bawn_attester_free(&a);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(const char *folder, const char *path);
	} steps[] = { { "first", first }, { "second", second }, { "other", other_signer } };

	for (size_t i = 0; argc == 4 && i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strcmp(argv[1], steps[i].name) == 0) {
			steps[i].run(argv[2], argv[3]);
			return fflush(stdout) != 0;
		}
	if (argc == 5 && strcmp(argv[1], "attest") == 0) {
		attest(argv[2], argv[3], argv[4]);
		return fflush(stdout) != 0;
	}
	fprintf(stderr, "usage: %s first|second|other FOLDER-OF-ENCLAVES SEALED-FILE\n"
			"       %s attest FOLDER-OF-ENCLAVES QUOTE-FILE PCK-CHAIN\n", argv[0], argv[0]);
	return 64;
}
