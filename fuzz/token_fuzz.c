/* EINITTOKENs and SGX-TCBm values: exact, or refused with nothing left behind. */
#include "ae/ae.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void token(const uint8_t *data, size_t size)
{
	static const struct isa_einittoken none;
	struct bawn_error e = { 0 };
	struct isa_einittoken t;
	int r = ae_token_parse(data, size, &t, &e);

	if ((r != 0) != (e.msg[0] != 0))
		abort();
	if (r ? memcmp(&t, &none, sizeof(t)) : size != sizeof(t) || memcmp(&t, data, size))
		abort();
}

static void tcb(const uint8_t *data, size_t size)
{
	struct bawn_error e = { 0 };
	struct ae_tcb t;
	uint8_t b[18];
	char hex[37];

	if (ae_tcb_parse((const char *)data, size, &t, &e))
		return;
	memcpy(b, t.cpusvn, 16);
	put_le16(b + 16, t.pce_isvsvn);
	hex_encode(b, sizeof(b), hex);
	for (size_t i = 0; i < 36; i++)
		if (size != 36 || (data[i] | 0x20) != (hex[i] | 0x20))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	token(data, size);
	tcb(data, size);
	return 0;
}
