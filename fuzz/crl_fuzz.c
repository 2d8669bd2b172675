/* Revocation lists in every form: what was accepted can be walked, entry by entry. */
#include "attest/attest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attest_serial serial;
	struct bawn_error e = { 0 };
	struct attest_crl crl;
	struct cur entries;
	const uint8_t *der;
	size_t n, count = 0;
	int64_t since;
	bool owned;
	int r = attest_crl_decode(data, size, &der, &n, &owned, &e);

	if (r) {
		if (!e.msg[0])
			abort();
		return 0;
	}
	r = attest_crl_parse(der, n, &crl, &e);
	if ((r != 0) != (e.msg[0] != 0))
		abort();
	if (!r) {
		for (entries = crl.entries; attest_crl_next(&entries, &serial, &since); count++)
			if (serial.n < 1 || serial.n > 20)
				abort();
		if (count != crl.count || entries.n)
			abort();
	}
	if (owned)
		free((void *)(uintptr_t)der);
	return 0;
}
