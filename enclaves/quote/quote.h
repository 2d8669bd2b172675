/* The quote enclave's own: the attestation key, and the blob it lives in. */
#ifndef QUOTE_QUOTE_H
#define QUOTE_QUOTE_H

#include "common/common.h"

/*
 * A blob, opened. Sealed in the kit's format under MRSIGNER: the additional
 * data is plain and what the host may see of the certification; the text is
 * the private key alone, big-endian.
 */
struct quote_blob {
	struct ae_qe_plain plain;
	uint32_t ppid_size; /* 0 or AE_PPID_CIPHER_BYTES */
	uint8_t ppid[AE_PPID_CIPHER_BYTES];
	uint8_t key[32];
};

/*
 * The attestation key and QE_ID, derived from SEAL keys: at the present SVNs,
 * and at SVN 0. Answers AE_SUCCESS or an error.
 */
uint32_t quote_key(uint8_t d[32]);
uint32_t quote_id(uint8_t id[16]);

/* Seal under the present SVNs. */
uint32_t quote_seal(struct quote_blob *b, uint8_t out[AE_QE_BLOB_BYTES]);
/*
 * Open the blob at `sealed`; if it was sealed at lower SVNs, seal it anew in
 * place and set *resealed. b is the caller's to wipe, whatever is answered.
 */
uint32_t quote_open(uint8_t sealed[AE_QE_BLOB_BYTES], struct quote_blob *b, bool *resealed);

/* gen_quote.c */
uint32_t quote_generate(const struct ae_ms_quote *a);

#endif
