/*
 * attester: quotes made in this process, over a desk of architectural
 * enclaves and a directory that keeps key and certificate. bawn.h has its
 * public half.
 */
#ifndef BAWN_ATTESTER_H
#define BAWN_ATTESTER_H

#include "ae/ae.h"
#include "attest/attest.h"

/*
 * The file of an enclave of ours, "provision" or the like: in $BAWN_ENCLAVES, in
 * a folder "enclaves" beside the program, or where Bawn is installed.
 * BAWN_ERR_NOT_FOUND.
 */
int attester_enclave_path(const char *name, char *out, size_t max, struct bawn_error *e);

/* ---- the directory ---- */

#define ATTESTER_BLOB "attestation_key.blob"
#define ATTESTER_CHAIN "pck_chain.pem"

/*
 * The directory of one platform's state below `base` (NULL: the default), made
 * if it is not there: "emulated-<id>" or the device's name. *fd is open.
 */
int attester_state_open(const char *base, const struct bawn_enclave_info *qe, const char *platform,
			char path[4096], int *fd, struct bawn_error *e);
/* False if there is none; a file of another size is none. */
bool attester_blob_read(int fd, uint8_t blob[AE_QE_BLOB_BYTES]);
int attester_blob_write(int fd, const uint8_t blob[AE_QE_BLOB_BYTES], struct bawn_error *e);

#endif
