/* EINITTOKENs and SGX-TCBm values from outside: strictly. */
#include "ae/internal.h"

#include <string.h>

int ae_token_parse(const void *file, size_t n, struct isa_einittoken *out, struct bawn_error *e)
{
	struct isa_einittoken t;

	memset(out, 0, sizeof(*out));
	if (n != sizeof(t))
		return err_set(e, BAWN_ERR_FORMAT, "an EINITTOKEN of %zu bytes: %zu expected", n, sizeof(t));
	memcpy(&t, file, sizeof(t));
	if (t.valid > 1)
		return err_set(e, BAWN_ERR_FORMAT, "EINITTOKEN: VALID is %u: 0 or 1 expected", t.valid);
	if (!ct_is_zero(t.reserved1, sizeof(t.reserved1)) ||
	    !ct_is_zero(t.reserved2, sizeof(t.reserved2)) ||
	    !ct_is_zero(t.reserved3, sizeof(t.reserved3)) ||
	    !ct_is_zero(t.reserved4, sizeof(t.reserved4)))
		return err_set(e, BAWN_ERR_FORMAT, "EINITTOKEN: a reserved field is not zero (SDM 38.14)");
	*out = t;
	return 0;
}

int ae_tcb_parse(const char *hex, size_t n, struct ae_tcb *out, struct bawn_error *e)
{
	uint8_t b[18];

	*out = (struct ae_tcb){ 0 };
	if (!hex_decode(hex, n, b, sizeof(b)))
		return err_set(e, BAWN_ERR_FORMAT, "a TCB is 36 hexadecimal digits: CPUSVN, then the PCE's "
			       "ISVSVN, little-endian");
	memcpy(out->cpusvn, b, 16);
	out->pce_isvsvn = get_le16(b + 16);
	return 0;
}
