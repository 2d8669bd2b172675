/* The SGX extension of a PCK certificate: it is read whole or not at all. */
#include "attest/attest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bawn_error e = { 0 };
	struct attest_pck p;
	int r = attest_pck_parse(cur_make(data, size), &p, &e);

	if ((r != 0) != (e.msg[0] != 0))
		abort();
	if (!r && (p.sgx_type > 2 || p.has_piid != p.has_configuration || (!p.has_configuration && p.smt)))
		abort();
	return 0;
}
