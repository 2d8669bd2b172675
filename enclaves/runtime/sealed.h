/* The sealed blob's format, shared by its reader and its writer. */
#ifndef RUNTIME_SEALED_H
#define RUNTIME_SEALED_H

#include "base/base.h"
#include "bawn_enclave.h"

#define SEALED_MAGIC "BWNS"
#define SEALED_VERSION 1
#define SEALED_HEADER 64u

/* The first 64 bytes of a blob with these fields. */
void sealed_header(const struct bawn_sealed *s, uint8_t out[SEALED_HEADER]);

#endif
