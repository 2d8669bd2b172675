/* Shared by the tests that run the witness: a platform of their own, and loading. */
#ifndef TESTS_WITNESS_H
#define TESTS_WITNESS_H

#include "bawn.h"
#include "tests/tap.h"
#include "enclaves/witness/witness.h"

/*
 * False, and all is said (skipped or failed), if the emulated CPU cannot be
 * had here. `own` makes a new platform for this process; without it, the one
 * that BAWN_PLATFORM names.
 */
bool witness_platform(bool own);
/* The platform made by witness_platform is removed. */
void witness_platform_done(void);
/* build/enclaves/<name>.signed.so, with the witness's OCALLs; NULL, with a failed test, if it does not load. */
struct bawn_enclave *witness_load(const char *name);
/* An ECALL that must come back; its status, or UINT32_MAX with a failed test. */
uint32_t witness_call(struct bawn_enclave *en, uint32_t index, void *args);

#endif
