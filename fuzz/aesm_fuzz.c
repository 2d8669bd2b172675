/* Requests of AESM's protocol: decoded or refused; what is decoded goes to the vault unchanged. */
#include "role/role.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct aesm_request r, again;
	static struct role_message m;
	static const uint8_t ours[1][AESM_KEY_ID];
	uint8_t id[AESM_KEY_ID];
	struct bawn_error e = { 0 };
	struct wire_identity identity;
	struct buf b;

	if (aesm_request_decode(data, size, &r, &e)) {
		if (e.code != BAWN_ERR_FORMAT)
			abort();
		return 0;
	}
	aesm_request_identity(&r, &identity);
	if (r.type == AESM_SELECT_KEY)
		aesm_select(r.blob, r.blob_size, ours, 1, id);
	buf_init(&b, ROLE_MAX);
	role_request_aesm(&r, &b);
	m.u.request = (struct role_request){ .protocol = ROLE_AESM, .type = r.type };
	m.tail = cur_make(b.p, b.n);
	if (b.failed || role_read_aesm(&m, &again, &e) ||
	    memcmp(&r, &again, offsetof(struct aesm_request, blob) + r.blob_size) != 0)
		abort();
	buf_free(&b);
	return 0;
}
