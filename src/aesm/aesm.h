/*
 * aesm: the messages of clients of Intel's service, in protobuf (doc/AESM.md).
 * Nothing here does input or output or asks who is speaking.
 */
#ifndef BAWN_AESM_H
#define BAWN_AESM_H

#include "wire/wire.h"

#define AESM_FRAME_MAX 131072u /* bytes of a message, without its length */
#define AESM_BLOB_MAX 66048u   /* SigRL, white list, list of key ids */
#define AESM_KEY_ID 256u
#define AESM_KEY_IDS_MAX 10u   /* in a list */
#define AESM_TIMEOUT_MS 15000u /* what Intel's clients wait; the field is ignored, as by Intel's server */

enum aesm_type {
	AESM_INIT_QUOTE = 1,
	AESM_GET_QUOTE = 2,
	AESM_GET_LAUNCH_TOKEN = 3,
	AESM_REPORT_ATTESTATION_ERROR = 4,
	AESM_GET_WHITE_LIST_SIZE = 10,
	AESM_GET_WHITE_LIST = 11,
	AESM_GET_EXTENDED_GROUP = 12,
	AESM_SWITCH_EXTENDED_GROUP = 13,
	AESM_REGISTER = 14,
	AESM_INIT_QUOTE_EX = 15,
	AESM_GET_QUOTE_SIZE_EX = 16,
	AESM_GET_QUOTE_EX = 17,
	AESM_CHECK_UPDATE = 18,
	AESM_SELECT_KEY = 19,
	AESM_UNSUPPORTED = 20, /* a response alone */
	AESM_KEY_COUNT = 21,
	AESM_KEY_IDS = 22,
};
enum aesm_error {
	AESM_OK = 0,
	AESM_ERR_UNEXPECTED = 1,
	AESM_ERR_NO_DEVICE = 2,
	AESM_ERR_PARAMETER = 3,
	AESM_ERR_EPID_BLOB = 4,
	AESM_ERR_LAUNCH_TOKEN = 6,
	AESM_ERR_NETWORK = 12,
	AESM_ERR_FILE = 15,
	AESM_ERR_BUSY = 18,
	AESM_ERR_MEMORY = 21,
	AESM_ERR_OUT_OF_EPC = 29,
	AESM_ERR_UNAVAILABLE = 30,
	AESM_ERR_KEY_ID = 38,
	AESM_ERR_INTERFACE = 40,
	AESM_ERR_NOT_INITIALIZED = 42,
	AESM_ERR_NO_CERTIFICATE = 44,
	AESM_ERR_REPORT = 47,
	/*
	 * Refused by the owner's policy. Intel's protocol has no such code; its
	 * clients show this one as SGX_ERROR_SERVICE_INVALID_PRIVILEGE (0x4004)
	 * for a launch token, else as SGX_ERROR_UNEXPECTED, and do not try again.
	 */
	AESM_ERR_DENIED = AESM_ERR_LAUNCH_TOKEN,
};
/* For a failure inside: enum bawn_code to enum aesm_error. */
enum aesm_error aesm_error_of(int rc);
/* What a request asks for. */
enum wire_operation aesm_operation(unsigned type);

/*
 * A request, flat. `has` has bit n set if field number n was there; an empty
 * optional field counts as absent.
 */
struct aesm_request {
	uint32_t type;
	uint32_t has;
	uint32_t flaw; /* an enum aesm_error to answer at once: a field has an impossible size */
	struct isa_report report;
	uint8_t mrenclave[32];
	uint8_t modulus[384]; /* mr_signer: the key, little-endian, not its hash */
	struct isa_attributes attributes;
	uint8_t key_id[AESM_KEY_ID];
	uint8_t nonce[16], spid[16];
	uint8_t platform_info[101];
	/* qe_report_info of message 17 */
	uint8_t info_nonce[16];
	struct isa_targetinfo info_target;
	struct isa_report info_report; /* as the client left it; the answer has the QE's */
	bool qe_report;   /* message 2 */
	bool want_key_id; /* b_pub_key_id of message 15 */
	uint64_t buf_size;
	uint32_t quote_type, group, data_type, error_code, update_size, config, list_size;
	uint32_t timeout;
	uint32_t blob_size;
	uint8_t blob[AESM_BLOB_MAX]; /* SigRL (2), white list (14), list of key ids (19) */
};
extern const struct wire_layout aesm_request_layout; /* between gate and vault, without the blob */

/*
 * One message without its length. BAWN_ERR_FORMAT if it cannot be decoded or
 * lacks what is required (Intel's service closes without a reply, and so does
 * ours); 0 with *r filled otherwise, r->flaw telling of fields of wrong size.
 */
int aesm_request_decode(const void *p, size_t n, struct aesm_request *r, struct bawn_error *e);
/* What the request is about, as wire_request_identity. */
void aesm_request_identity(const struct aesm_request *r, struct wire_identity *out);

/* A response. Bytes are borrowed. What the type does not have is not sent. */
struct aesm_response {
	uint32_t type;
	uint32_t error;     /* enum aesm_error; if not 0, nothing else is sent */
	struct cur first;   /* target info, quote, token, update info, white list, key id(s) */
	struct cur second;  /* gid (1), qe_report (2), pub_key_id (15), qe_report_info (17) */
	uint64_t number;    /* size (10, 15, 16), group (12), status (18), count (21) */
	bool has_number;    /* message 18: send the status */
};
/* Length and message, appended. */
void aesm_response_encode(const struct aesm_response *r, struct buf *out);

/* ---- attestation key ids and their lists ---- */

extern const uint8_t aesm_intel_qe3_signer[32]; /* MRSIGNER of Intel's QE3: what clients ask for */
/* Write the id of the ECDSA-P256 key of a QE of this signer and product. */
void aesm_key_id(const uint8_t qe_mrsigner[32], uint16_t product, uint8_t out[AESM_KEY_ID]);
/* True if the first 158 bytes agree: what Intel's service compares. */
bool aesm_key_id_equal(const uint8_t a[AESM_KEY_ID], const uint8_t b[AESM_KEY_ID]);
/*
 * Which entry of a list {u16 0, u16 0, u32 count, ids} is one of ours; the first
 * that is is copied out as the caller wrote it. An empty list: ours[0]. AESM_OK,
 * AESM_ERR_PARAMETER (malformed) or AESM_ERR_KEY_ID (none).
 */
enum aesm_error aesm_select(const void *list, size_t n, const uint8_t (*ours)[AESM_KEY_ID],
			    size_t nours, uint8_t out[AESM_KEY_ID]);

#endif
