/* The readable part of a quoting enclave's blob: all or nothing, and nothing of it that is not there. */
#include "ae/ae.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ae_blob none;
	struct bawn_error e = { 0 };
	struct ae_blob b;
	size_t at;
	int r = ae_blob_parse(data, size, &b, &e);

	if ((r != 0) != (e.msg[0] != 0))
		abort();
	if (r) {
		/* What is not one leaves nothing behind, unless it is one of another kind. */
		if (size != AE_QE_BLOB_BYTES && memcmp(&b, &none, sizeof(b)))
			abort();
		return 0;
	}
	at = b.intel ? AE_SDK_SEALED_BYTES + sizeof(struct ae_qe_secret) : 64;
	if (size != AE_QE_BLOB_BYTES || memcmp(&b.plain, data + at, sizeof(b.plain)) ||
	    b.plain.auth_size > AE_QE_AUTH_BYTES ||
	    b.certified == ct_is_zero(b.plain.qe_report_signature, 64))
		abort();
	return 0;
}
