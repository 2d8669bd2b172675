/* The launch enclave: white list and EINITTOKENs. */
#include "ae/internal.h"

#include <string.h>

enum { LE_GET_LAUNCH_TOKEN = 0, LE_INIT_WHITE_LIST = 1 };

int ae_launch_white_list(struct bawn_enclave *le, const void *list, size_t n,
			 struct bawn_error *e)
{
	struct {
		uint32_t answer;
		const void *list;
		uint32_t size;
	} ms = { .list = list, .size = (uint32_t)n };

	if (n == 0 || n > AE_WHITE_LIST_MAX)
		return err_set(e, BAWN_ERR_FORMAT, "a white list of %zu bytes: 1 to %d expected", n,
			       AE_WHITE_LIST_MAX);
	return ae_call(le, LE_INIT_WHITE_LIST, &ms, "white list", e);
}

int ae_launch_token(struct bawn_enclave *le, const uint8_t mrenclave[32],
		    const uint8_t mrsigner[32], const struct isa_attributes *attributes,
		    struct isa_einittoken *token, struct bawn_error *e)
{
	struct {
		uint32_t answer;
		const uint8_t *mrenclave, *mrsigner;
		const struct isa_attributes *attributes;
		struct isa_einittoken *token;
	} ms = { .mrenclave = mrenclave, .mrsigner = mrsigner, .attributes = attributes,
		 .token = token };
	int rc;

	memset(token, 0, sizeof(*token));
	rc = ae_call(le, LE_GET_LAUNCH_TOKEN, &ms, "launch token", e);
	if (rc)
		return rc;
	if (token->valid != 1)
		return err_set(e, BAWN_ERR_FORMAT, "the launch enclave's token is not marked valid");
	return 0;
}
