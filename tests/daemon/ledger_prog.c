/*
 * The ledger enclave in the hands of somebody who has taken the machine over:
 *
 *	ledger_prog PLATFORM ENCLAVE END KEY LATER PROOF
 *
 * begins at END with KEY, notes LATER with PROOF, and prints what the enclave
 * seals, all in hexadecimal digits.
 */
#include "ae/ae.h"

#include <stdio.h>
#include <string.h>

static bool take(const char *text, uint8_t *out, size_t n)
{
	return hex_decode(text, strlen(text), out, n);
}

int main(int argc, char **argv)
{
	uint8_t end[AE_LEDGER_END_BYTES], later[AE_LEDGER_END_BYTES], key[32], proof[32], blob[AE_LEDGER_BLOB_BYTES];
	struct ae_files files = { .device = "emulated", .allow_development = true };
	struct ae_desk_options opt = { .keep_ms = { [AE_LEDGER] = AE_KEEP } };
	char hex[2 * sizeof(blob) + 1];
	struct bawn_error e = { 0 };
	struct ae_desk *desk = NULL;
	int r;

	if (argc != 7 || !take(argv[3], end, sizeof(end)) || !take(argv[4], key, sizeof(key)) ||
	    !take(argv[5], later, sizeof(later)) || !take(argv[6], proof, sizeof(proof)))
		return 64;
	files.platform = argv[1];
	files.enclave[AE_LEDGER].path = argv[2];
	opt.source = ae_files_source(&files);
	r = ae_desk_new(&desk, &opt, &e);
	if (r == 0)
		r = ae_desk_ledger_begin(desk, end, key, blob, &e);
	if (r == 0)
		r = ae_desk_ledger_note(desk, blob, later, proof, &e);
	ae_desk_free(&desk);
	if (r) {
		fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	hex_encode(blob, sizeof(blob), hex);
	puts(hex);
	return 0;
}
