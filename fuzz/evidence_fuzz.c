/* Certificates that carry quotes, and whether they are bound; the first 64 bytes are report data. */
#include "attest/attest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attest_evidence ev;
	struct bawn_error e = { 0 };

	if (size < 64)
		return 0;
	if (attest_evidence_read(data + 64, size - 64, &ev, &e))
		return 0;
	if (ev.quote.p < data + 64 || ev.quote.p + ev.quote.n > data + size || !ev.format)
		abort();
	attest_evidence_check(&ev, data, &e);
	return 0;
}
