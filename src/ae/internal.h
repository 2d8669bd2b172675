/* What the drivers share: one ECALL with its own return value first. */
#ifndef BAWN_AE_INTERNAL_H
#define BAWN_AE_INTERNAL_H

#include "ae/ae.h"

/*
 * ECALL `index` with this marshalling structure, whose first member is the
 * enclave's own u32 return value. what: the step, for the error message.
 */
int ae_call(struct bawn_enclave *enclave, uint32_t index, void *ms, const char *what,
	    struct bawn_error *e);

/* An address as the enclaves' structures have it. */
static inline uint64_t ae_address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

#endif
