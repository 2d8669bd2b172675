/*
 * White lists, by both of their readers: the host's, and the launch enclave's,
 * here with a boundary and signatures that always hold. They must agree.
 */
#include "ae/ae.h"
#include "enclaves/launch/lists.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

bool bawn_copy_in(void *dst, bawn_untrusted src, size_t n)
{
	memcpy(dst, (const void *)(uintptr_t)src, n);
	return true;
}

void bawn_self(struct bawn_report_body *out)
{
	*out = (struct bawn_report_body){ .isvprodid = AE_LIST_PRODUCT };
}

void common_sha256(const struct common_part *parts, size_t count, uint8_t out[32])
{
	(void)parts;
	(void)count;
	memset(out, 0, 32);
}

bool common_p256_verify(const uint8_t xy[64], const uint8_t digest[32], const uint8_t rs[64])
{
	(void)xy;
	(void)digest;
	(void)rs;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ae_ms_white_list a = { .list = (uintptr_t)data, .size = (uint32_t)size };
	struct bawn_error e = { 0 };
	struct ae_white_list l;
	uint32_t answer;
	int r = ae_white_list_parse(data, size, &l, &e);

	if ((r != 0) != (e.msg[0] != 0))
		abort();
	memset(kept, 0, sizeof(kept[0].version) + sizeof(kept[0].count));
	kept[1].count = 0;
	answer = lists_take(&a);
	if (r) {
		if (answer != AE_LE_INVALID_PARAMETER)
			abort();
		return 0;
	}
	if (answer != (l.product == AE_LIST_PRODUCT ? AE_SUCCESS : AE_LE_LIST_PRODUCT))
		abort();
	if (l.signers < data || l.signers + (size_t)l.count * 32 + 64 != data + size)
		abort();
	if (answer == AE_SUCCESS && l.type == AE_LIST_LAUNCH &&
	    lists_allow_launch(l.signers + ((size_t)l.count - 1) * 32) != AE_SUCCESS)
		abort();
	return 0;
}
