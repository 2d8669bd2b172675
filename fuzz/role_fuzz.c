/* Messages between bawnd's roles: a role that was taken over sends what it likes. */
#include "role/role.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct role_message m;
	static struct wire_request native;
	static struct aesm_request aesm;
	struct bawn_error e = { 0 };
	struct wire_identity id;
	struct buf b;

	if (role_decode(data, size, &m, &e)) {
		if (!e.code)
			abort();
		return 0;
	}
	buf_init(&b, ROLE_MAX);
	role_encode(&m, &b);
	if (b.failed || b.n != size || memcmp(b.p, data, size) != 0)
		abort();
	if (m.head.type == ROLE_REQUEST && role_read_native(&m, &native, &e) == 0)
		wire_request_identity(&native, &id);
	else if (m.head.type == ROLE_REQUEST && role_read_aesm(&m, &aesm, &e) == 0)
		aesm_request_identity(&aesm, &id);
	buf_free(&b);
	return 0;
}
