/* Inputs in any encoding: what comes out is no larger, and text that is one encoding is not left as it is. */
#include "attest/attest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *out, *again;
	size_t n, again_n;
	char *hex;

	if (attest_input_decode(data, size, &out, &n, NULL))
		return 0;
	if (n > size || (n == size && size && memcmp(out, data, n) != 0))
		abort();
	/* What was decoded, written as hexadecimal digits, is the same. */
	hex = malloc(2 * n + 1);
	if (hex && n) {
		hex_encode(out, n, hex);
		if (attest_input_decode(hex, 2 * n, &again, &again_n, NULL))
			abort();
		if (again_n != n || memcmp(again, out, n) != 0)
			abort();
		free(again);
	}
	free(hex);
	free(out);
	return 0;
}
