/* The launch enclave's own: the lists of signers. */
#ifndef LAUNCH_LAUNCH_H
#define LAUNCH_LAUNCH_H

#include "common/common.h"

/* Check a list and, if it is newer than what there is of its type, keep it. */
uint32_t lists_take(const struct ae_ms_white_list *a);
/* AE_SUCCESS if this signer's production enclaves may be launched. */
uint32_t lists_allow_launch(const uint8_t mrsigner[32]);
/* True if this signer's enclaves may have PROVISION_KEY. */
bool lists_allow_provision(const uint8_t mrsigner[32]);

#endif
