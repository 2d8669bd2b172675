/* The reader of sealed blobs: what it takes is consistent, and says where everything is. */
#include "runtime/sealed.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t header[SEALED_HEADER];
	struct bawn_sealed s;

	if (bawn_sealed_parse(data, n, &s) != BAWN_STATUS_OK)
		return 0;
	if (s.aad != data + SEALED_HEADER || s.text != s.aad + s.aad_n || s.mac != s.text + s.n ||
	    s.mac + 16 != data + n)
		abort();
	sealed_header(&s, header);
	if (memcmp(header, data, sizeof(header)) != 0)
		abort();
	return 0;
}
