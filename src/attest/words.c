/* The words for statuses, verdicts, reasons and violations. */
#include "attest/attest.h"

#include <string.h>

static const char *const statuses[] = {
	[BAWN_TCB_UNKNOWN] = "Unknown",
	[BAWN_TCB_UP_TO_DATE] = "UpToDate",
	[BAWN_TCB_SW_HARDENING_NEEDED] = "SWHardeningNeeded",
	[BAWN_TCB_CONFIGURATION_NEEDED] = "ConfigurationNeeded",
	[BAWN_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED] = "ConfigurationAndSWHardeningNeeded",
	[BAWN_TCB_TD_RELAUNCH_ADVISED] = "TDRelaunchAdvised",
	[BAWN_TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED] = "TDRelaunchAdvisedConfigurationNeeded",
	[BAWN_TCB_OUT_OF_DATE] = "OutOfDate",
	[BAWN_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED] = "OutOfDateConfigurationNeeded",
	[BAWN_TCB_REVOKED] = "Revoked",
};

const char *bawn_tcb_status_name(enum bawn_tcb_status s)
{
	return (size_t)s < ARRAY_LEN(statuses) ? statuses[s] : statuses[BAWN_TCB_UNKNOWN];
}

bool bawn_tcb_status_parse(const char *name, enum bawn_tcb_status *out)
{
	for (size_t i = BAWN_TCB_UP_TO_DATE; i < ARRAY_LEN(statuses); i++) {
		if (strcmp(name, statuses[i]) == 0) {
			*out = (enum bawn_tcb_status)i;
			return true;
		}
	}
	return false;
}

const char *bawn_verdict_name(enum bawn_verdict v)
{
	static const char *const names[] = {
		[BAWN_UNDECIDED] = "undecided",
		[BAWN_NOT_GENUINE] = "not-genuine",
		[BAWN_UNACCEPTABLE] = "unacceptable",
		[BAWN_ACCEPTED] = "accepted",
	};

	return (size_t)v < ARRAY_LEN(names) ? names[v] : names[BAWN_UNDECIDED];
}

const char *bawn_reason_name(enum bawn_reason r)
{
	static const char *const names[] = {
		[BAWN_REASON_NONE] = "none",
		[BAWN_REASON_QUOTE_FORMAT] = "quote-format",
		[BAWN_REASON_PCK_CHAIN] = "pck-chain",
		[BAWN_REASON_PCK_UNTRUSTED] = "pck-untrusted",
		[BAWN_REASON_PCK_EXTENSION] = "pck-extension",
		[BAWN_REASON_PCK_REVOKED] = "pck-revoked",
		[BAWN_REASON_QE_REPORT_SIGNATURE] = "qe-report-signature",
		[BAWN_REASON_QE_REPORT_DATA] = "qe-report-data",
		[BAWN_REASON_QUOTE_SIGNATURE] = "quote-signature",
		[BAWN_REASON_QE_IDENTITY] = "qe-identity",
		[BAWN_REASON_TDX_MODULE] = "tdx-module",
		[BAWN_REASON_TCB_NOT_SUPPORTED] = "tcb-not-supported",
		[BAWN_REASON_NO_PCK] = "no-pck",
		[BAWN_REASON_NO_TCB_INFO] = "no-tcb-info",
		[BAWN_REASON_NO_QE_IDENTITY] = "no-qe-identity",
		[BAWN_REASON_NO_ROOT_CRL] = "no-root-crl",
		[BAWN_REASON_NO_PCK_CRL] = "no-pck-crl",
		[BAWN_REASON_EXPIRED] = "expired",
		[BAWN_REASON_NOT_YET_VALID] = "not-yet-valid",
		[BAWN_REASON_SIGNER_REVOKED] = "signer-revoked",
		[BAWN_REASON_INTERNAL] = "internal",
		[BAWN_REASON_POLICY] = "policy",
	};

	return (size_t)r < ARRAY_LEN(names) ? names[r] : "unknown";
}

const char *bawn_violation_text(enum bawn_violation bit)
{
	switch (bit) {
	case BAWN_VIOLATES_STATUS:
		return "the TCB status is not accepted";
	case BAWN_VIOLATES_DEBUG:
		return "it can be debugged, so its memory is open to the host";
	case BAWN_VIOLATES_EMULATED:
		return "it comes from an emulated platform, which protects nothing";
	case BAWN_VIOLATES_TCB_DATE:
		return "the TCB is of an earlier date than is accepted";
	case BAWN_VIOLATES_EVALUATION:
		return "the collateral is of an earlier TCB evaluation than is accepted";
	case BAWN_VIOLATES_ADVISORY:
		return "an advisory applies that is not accepted";
	case BAWN_VIOLATES_ENCLAVE:
		return "the enclave is none of those accepted";
	case BAWN_VIOLATES_TD:
		return "the trust domain is none of those accepted";
	case BAWN_VIOLATES_PLATFORM:
		return "the platform is none of those accepted";
	case BAWN_VIOLATES_REPORT_DATA:
		return "the report data is not the one expected";
	case BAWN_VIOLATES_ATTRIBUTES:
		return "attributes, MISCSELECT or XFAM are not as required";
	case BAWN_VIOLATES_CONFIGURATION:
		return "the platform's configuration (SMT, dynamic platform, cached keys) is not as required";
	}
	return "unknown";
}
