/* The launch enclave: white list and EINITTOKENs. */
#include "ae/internal.h"

#include <string.h>

int ae_launch_white_list(struct bawn_enclave *le, const void *list, size_t n,
			 struct bawn_error *e)
{
	struct ae_ms_white_list ms = { .list = ae_address(list), .size = (uint32_t)n };

	if (n == 0 || n > AE_WHITE_LIST_MAX)
		return err_set(e, BAWN_ERR_FORMAT, "a white list of %zu bytes: 1 to %u expected", n,
			       (unsigned)AE_WHITE_LIST_MAX);
	return ae_call(le, AE_LE_INIT_WHITE_LIST, &ms, "white list", e);
}

int ae_launch_token(struct bawn_enclave *le, const uint8_t mrenclave[32],
		    const uint8_t mrsigner[32], const struct isa_attributes *attributes,
		    struct isa_einittoken *token, struct bawn_error *e)
{
	struct ae_ms_launch_token ms = { .mrenclave = ae_address(mrenclave),
					 .mrsigner = ae_address(mrsigner),
					 .attributes = ae_address(attributes),
					 .token = ae_address(token) };
	int rc;

	memset(token, 0, sizeof(*token));
	rc = ae_call(le, AE_LE_GET_LAUNCH_TOKEN, &ms, "launch token", e);
	if (rc)
		return rc;
	if (token->valid != 1)
		return err_set(e, BAWN_ERR_FORMAT, "the launch enclave's token is not marked valid");
	return 0;
}
