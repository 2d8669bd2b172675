/* QE identities: what is read is in order and within its tables. */
#include "attest/attest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct attest_qe_identity q;
	struct bawn_error e = { 0 };
	int r = attest_qe_identity_parse(data, size, &q, &e);

	if ((r != 0) != (e.msg[0] != 0))
		abort();
	if (r)
		return 0;
	if (q.signed_bytes.p < data || q.signed_bytes.p + q.signed_bytes.n > data + size || !q.level_count ||
	    (q.tee != BAWN_TEE_SGX && q.tee != BAWN_TEE_TDX))
		abort();
	for (size_t i = 0; i < q.level_count; i++)
		if ((i && q.level[i - 1].isvsvn <= q.level[i].isvsvn) ||
		    q.level[i].advisories.first + q.level[i].advisories.count > q.advisories.ref_count)
			abort();
	return 0;
}
