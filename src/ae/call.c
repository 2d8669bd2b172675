/* The ECALL that all drivers make, and the words for what the enclaves answer. */
#include "ae/internal.h"

#include <string.h>

static const struct {
	uint32_t status;
	const char *name;
} ae_words[] = {
	{ 0, "AE_SUCCESS" },
	{ 1, "AE_FAILURE" },
	{ 2, "AE_ENCLAVE_LOST" },
	{ 13, "AE_PSVN_UNMATCHED_ERROR" },
	{ 15, "AE_INVALID_PARAMETER" },
	{ 16, "AE_READ_RAND_ERROR" },
	{ 17, "AE_OUT_OF_MEMORY_ERROR" },
	{ 18, "AE_INSUFFICIENT_DATA_IN_BUFFER" },
	{ 19, "QE_UNEXPECTED_ERROR" },
	{ 20, "QE_PARAMETER_ERROR" },
	{ 21, "QE_EPIDBLOB_ERROR" },
	{ 22, "QE_REVOKED_ERROR" },
	{ 23, "QE_SIGRL_ERROR" },
	{ 24, "PVE_UNEXPECTED_ERROR" },
	{ 25, "PVE_PARAMETER_ERROR" },
	{ 26, "PVE_EPIDBLOB_ERROR" },
	{ 37, "LE_UNEXPECTED_ERROR" },
	{ 38, "LE_INVALID_PARAMETER" },
	{ 39, "LE_GET_EINITTOKEN_KEY_ERROR" },
	{ 40, "LE_INVALID_ATTRIBUTE" },
	{ 41, "LE_INVALID_PRIVILEGE_ERROR" },
	{ 42, "LE_WHITELIST_UNINITIALIZED_ERROR" },
	{ 43, "LE_CALC_LIC_TOKEN_ERROR" },
	{ 206, "PCE_UNEXPECTED_ERROR" },
	{ 207, "PCE_INVALID_PRIVILEGE" },
	{ 208, "PCE_INVALID_REPORT" },
	{ 213, "LE_WHITE_LIST_ALREADY_UPDATED" },
	{ 215, "PCE_CRYPTO_ERROR" },
};

const char *ae_status_name(uint32_t status)
{
	for (size_t i = 0; i < ARRAY_LEN(ae_words); i++)
		if (ae_words[i].status == status)
			return ae_words[i].name;
	return "unknown answer";
}

int ae_call(struct bawn_enclave *enclave, uint32_t index, void *ms, const char *what,
	    struct bawn_error *e)
{
	uint32_t status = 0, answer;
	int rc = bawn_ecall(enclave, index, ms, &status, e);

	if (rc) {
		err_context(e, "%s", what);
		return rc;
	}
	if (status)
		return err_set(e, BAWN_ERR_DENIED, "%s: the enclave's runtime refused the call (0x%x)",
			       what, status);
	memcpy(&answer, ms, sizeof(answer));
	if (answer == 0)
		return 0;
	err_set(e, BAWN_ERR_DENIED, "%s: the enclave answered %s (%u)", what,
		ae_status_name(answer), answer);
	if (e && !e->sgx_status)
		e->sgx_status = answer;
	return BAWN_ERR_DENIED;
}
