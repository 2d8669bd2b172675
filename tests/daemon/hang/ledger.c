/* A ledger enclave that answers nothing, ever, for hang_test.sh. */
#include "ae/abi.h"
#include "bawn_enclave.h"

static uint32_t for_ever(void *args)
{
	volatile uint8_t *answer = args;

	for (;;)
		answer[0]++;
	return BAWN_STATUS_OK;
}

const struct bawn_ecall bawn_ecalls[] = {
	[AE_LEDGER_BEGIN] = { for_ever, sizeof(struct ae_ms_ledger_begin), 0 },
	[AE_LEDGER_NOTE] = { for_ever, sizeof(struct ae_ms_ledger_note), 0 },
	[AE_LEDGER_READ] = { for_ever, sizeof(struct ae_ms_ledger_read), 0 },
};
const uint32_t bawn_ecall_count = sizeof(bawn_ecalls) / sizeof(bawn_ecalls[0]);
