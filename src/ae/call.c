/* The ECALL that all drivers make, and the words for what the enclaves answer. */
#include "ae/internal.h"

#include <string.h>

#define FUNCTION_UNKNOWN 0x1001 /* the enclave's runtime: no such ECALL */

static const struct word {
	uint32_t status;
	const char *name;
	const char *more; /* what is the matter, or to be done; NULL: the name says all */
} ae_words[] = {
	{ AE_SUCCESS, "AE_SUCCESS" },
	{ AE_FAILURE, "AE_FAILURE" },
	{ 2, "AE_ENCLAVE_LOST" },
	{ 13, "AE_PSVN_UNMATCHED_ERROR" },
	{ AE_INVALID_PARAMETER, "AE_INVALID_PARAMETER" },
	{ AE_READ_RAND_ERROR, "AE_READ_RAND_ERROR" },
	{ 17, "AE_OUT_OF_MEMORY_ERROR" },
	{ AE_INSUFFICIENT_DATA_IN_BUFFER, "AE_INSUFFICIENT_DATA_IN_BUFFER" },
	{ 19, "QE_UNEXPECTED_ERROR" },
	{ 20, "QE_PARAMETER_ERROR" },
	{ 21, "QE_EPIDBLOB_ERROR" },
	{ 22, "QE_REVOKED_ERROR" },
	{ 23, "QE_SIGRL_ERROR" },
	{ 24, "PVE_UNEXPECTED_ERROR" },
	{ 25, "PVE_PARAMETER_ERROR" },
	{ 26, "PVE_EPIDBLOB_ERROR" },
	{ 27, "PVE_INSUFFICIENT_MEMORY_ERROR" },
	{ 28, "PVE_INTEGRITY_CHECK_ERROR" },
	{ 29, "PVE_SIGRL_INTEGRITY_CHECK_ERROR" },
	{ 30, "PVE_SERVER_REPORTED_ERROR" },
	{ 31, "PVE_PEK_SIGN_ERROR" },
	{ 32, "PVE_MSG_ERROR" },
	{ 33, "PVE_REVOKED_ERROR" },
	{ AE_LE_UNEXPECTED_ERROR, "LE_UNEXPECTED_ERROR" },
	{ AE_LE_INVALID_PARAMETER, "LE_INVALID_PARAMETER" },
	{ AE_LE_GET_EINITTOKEN_KEY_ERROR, "LE_GET_EINITTOKEN_KEY_ERROR" },
	{ AE_LE_INVALID_ATTRIBUTE, "LE_INVALID_ATTRIBUTE",
	  "attributes that no token is given for, or PROVISION_KEY for a signer who is not listed for it" },
	{ AE_LE_INVALID_PRIVILEGE_ERROR, "LE_INVALID_PRIVILEGE_ERROR",
	  "the signer is not on the white list" },
	{ AE_LE_WHITELIST_UNINITIALIZED_ERROR, "LE_WHITELIST_UNINITIALIZED_ERROR",
	  "a production enclave needs a white list: give the launch enclave one" },
	{ 43, "LE_CALC_LIC_TOKEN_ERROR" },
	{ 203, "PVE_PROV_ATTEST_KEY_NOT_FOUND" },
	{ 204, "PVE_INVALID_REPORT" },
	{ 205, "PVE_XEGDSK_SIGN_ERROR" },
	{ AE_PCE_UNEXPECTED_ERROR, "PCE_UNEXPECTED_ERROR" },
	{ AE_PCE_INVALID_PRIVILEGE, "PCE_INVALID_PRIVILEGE" },
	{ AE_PCE_INVALID_REPORT, "PCE_INVALID_REPORT",
	  "the report is changed, of another platform, or for another enclave" },
	{ AE_LE_WHITE_LIST_ALREADY_UPDATED, "LE_WHITE_LIST_ALREADY_UPDATED",
	  "it has a list of this version or a later one" },
	{ AE_PCE_CRYPTO_ERROR, "PCE_CRYPTO_ERROR" },
	{ AE_REPORT_OTHER_CPUSVN, "REPORT_OTHER_CPUSVN",
	  "the report says that it was made at another CPUSVN: make it again" },
	{ AE_PCE_DEBUG_CALLER, "PCE_DEBUG_CALLER" },
	{ AE_PCE_CPUSVN_ABOVE, "PCE_CPUSVN_ABOVE" },
	{ AE_PCE_ISVSVN_ABOVE, "PCE_ISVSVN_ABOVE" },
	{ AE_QE_TARGET_DEBUG, "QE_TARGET_DEBUG" },
	{ AE_QE_TARGET_PRIVILEGE, "QE_TARGET_PRIVILEGE" },
	{ AE_QE_BLOB_ABOVE, "QE_BLOB_ABOVE",
	  "the key was sealed by a later enclave, or at a later CPUSVN" },
	{ AE_QE_BLOB_FOREIGN, "QE_BLOB_FOREIGN",
	  "the key was sealed on another platform, or by another signer's enclave" },
	{ AE_QE_KEY_MISMATCH, "QE_KEY_MISMATCH" },
	{ AE_LE_LIST_SIGNATURE, "LE_LIST_SIGNATURE",
	  "its root is not the one of this launch enclave, or it was changed" },
	{ AE_LE_LIST_PRODUCT, "LE_LIST_PRODUCT" },
	{ AE_LEDGER_BLOB, "LEDGER_BLOB",
	  "what it is given was changed, or sealed on another platform, or by another signer's enclave" },
	{ AE_LEDGER_ABOVE, "LEDGER_ABOVE", "it was sealed by a later enclave, or at a later CPUSVN" },
	{ AE_LEDGER_LOG, "LEDGER_LOG", "this is another log" },
	{ AE_LEDGER_BACK, "LEDGER_BACK", "the log had more lines, or others" },
	{ AE_LEDGER_PROOF, "LEDGER_PROOF", "the log's key is another than it was" },
	{ AE_LEDGER_FAR, "LEDGER_FAR", "the log has grown too much since" },
	{ AE_QE_ERROR_UNEXPECTED, "QE3_ERROR_UNEXPECTED" },
	{ AE_QE_ERROR_INVALID_PARAMETER, "QE3_ERROR_INVALID_PARAMETER" },
	{ 0xd003, "QE3_ERROR_OUT_OF_MEMORY" },
	{ AE_QE_ECDSABLOB_ERROR, "QE3_ECDSABLOB_ERROR" },
	{ AE_QE_ERROR_CRYPTO, "QE3_ERROR_CRYPTO" },
	{ AE_QE_ERROR_ATT_KEY_GEN, "QE3_ERROR_ATT_KEY_GEN" },
	{ AE_QE_ERROR_WRONG_STATE, "QE3_ERROR_WRONG_STATE" },
	{ AE_QE_ERROR_INVALID_REPORT, "QE3_ERROR_INVALID_REPORT",
	  "the report is changed, of another platform, or for another enclave" },
	{ AE_QE_UNABLE_TO_GENERATE_QE_REPORT, "QE3_UNABLE_TO_GENERATE_QE_REPORT" },
};

static const struct word *find_word(uint32_t status)
{
	static const struct word unknown = { .name = "unknown answer" };

	for (size_t i = 0; i < ARRAY_LEN(ae_words); i++)
		if (ae_words[i].status == status)
			return &ae_words[i];
	return &unknown;
}

const char *ae_status_name(uint32_t status)
{
	return find_word(status)->name;
}

int ae_call(struct bawn_enclave *enclave, uint32_t index, void *ms, const char *what,
	    struct bawn_error *e)
{
	const struct word *word;
	uint32_t status = 0, answer;
	int rc = bawn_ecall(enclave, index, ms, &status, e);

	if (rc) {
		err_context(e, "%s", what);
		return rc;
	}
	if (status == FUNCTION_UNKNOWN)
		return err_set(e, BAWN_ERR_UNSUPPORTED, "%s: this enclave does not have the call", what);
	if (status)
		return err_set(e, BAWN_ERR_DENIED, "%s: the enclave's runtime refused the call (0x%x)",
			       what, status);
	memcpy(&answer, ms, sizeof(answer));
	if (answer == AE_SUCCESS)
		return 0;
	word = find_word(answer);
	err_set(e, BAWN_ERR_DENIED, "%s: the enclave answered %s (%u)%s%s", what, word->name, answer,
		word->more ? ": " : "", word->more ? word->more : "");
	if (e && !e->sgx_status)
		e->sgx_status = answer;
	return BAWN_ERR_DENIED;
}
