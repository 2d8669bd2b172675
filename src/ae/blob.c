/*
 * The readable part of a quoting enclave's blob. Ours is sealed in the kit's
 * format (doc/ENCLAVE-KIT.md): header, clear part and what is behind it, the
 * private key. Intel's SDK puts the KEYREQUEST first, then lengths, then the
 * secret, then the clear part.
 */
#include "ae/internal.h"

#include <string.h>

#define KIT_CLEAR 2093 /* the clear part, the encrypted PPID, zeros: enclaves/quote/blob.c */
#define KIT_SECRET 32

/* KEYREQUEST 512, u32 offset of the clear part in the payload, 12 reserved; u32 payload, 12 reserved, tag. */
static bool read_sdk(struct cur c, struct ae_blob *out)
{
	struct cur request, clear;
	uint32_t offset, payload;

	if (!cur_sub(&c, 512, &request) || !cur_le32(&c, &offset) || !cur_skip(&c, 12) ||
	    !cur_le32(&c, &payload) || !cur_skip(&c, 12 + 16))
		return false;
	if (get_le16(request.p) != KEY_SEAL || payload != c.n ||
	    offset != sizeof(struct ae_qe_secret) || !cur_skip(&c, offset) ||
	    !cur_sub(&c, sizeof(out->plain), &clear) || c.n)
		return false;
	out->intel = true;
	out->sealed_isvsvn = get_le16(request.p + 4);
	memcpy(out->sealed_cpusvn, request.p + 8, sizeof(out->sealed_cpusvn));
	memcpy(&out->plain, clear.p, sizeof(out->plain));
	return true;
}

static bool read_kit(struct cur c, struct ae_blob *out)
{
	struct cur magic, keyid;
	uint8_t version, policy;
	uint32_t clear, secret;

	if (!cur_sub(&c, 4, &magic) || !cur_u8(&c, &version) || !cur_u8(&c, &policy) ||
	    !cur_le16(&c, &out->sealed_isvsvn) ||
	    !cur_bytes(&c, out->sealed_cpusvn, sizeof(out->sealed_cpusvn)) ||
	    !cur_sub(&c, 32, &keyid) || !cur_le32(&c, &clear) || !cur_le32(&c, &secret))
		return false;
	if (memcmp(magic.p, "BWNS", 4) != 0 || version != 1 || policy != 2 ||
	    clear != KIT_CLEAR || secret != KIT_SECRET || c.n != KIT_CLEAR + KIT_SECRET + 16)
		return false;
	return cur_bytes(&c, &out->plain, sizeof(out->plain));
}

int ae_blob_parse(const void *blob, size_t n, struct ae_blob *out, struct bawn_error *e)
{
	struct cur c = cur_make(blob, n);

	*out = (struct ae_blob){ 0 };
	if (n != AE_QE_BLOB_BYTES)
		return err_set(e, BAWN_ERR_FORMAT, "an attestation key's blob of %zu bytes: %d expected", n,
			       AE_QE_BLOB_BYTES);
	if (!read_kit(c, out)) {
		*out = (struct ae_blob){ 0 };
		if (!read_sdk(c, out)) {
			*out = (struct ae_blob){ 0 };
			return err_set(e, BAWN_ERR_FORMAT, "not a blob of a quoting enclave");
		}
	}
	if (out->plain.blob_type != 0 || out->plain.version != 0 ||
	    out->plain.auth_size > AE_QE_AUTH_BYTES)
		return err_set(e, BAWN_ERR_FORMAT, "a quoting enclave's blob of another kind: type %u, "
			       "version %u", out->plain.blob_type, out->plain.version);
	out->certified = !ct_is_zero(out->plain.qe_report_signature, 64);
	return 0;
}

int ae_blob_certified_by(const uint8_t blob[AE_QE_BLOB_BYTES], const uint8_t key[64], struct bawn_error *e)
{
	uint8_t digest[32];
	struct ae_blob b;
	int rc = ae_blob_parse(blob, AE_QE_BLOB_BYTES, &b, e);

	if (rc)
		return rc;
	crypto_sha256(&b.plain.qe_report.body, sizeof(b.plain.qe_report.body), digest);
	return crypto_p256_verify(key, digest, b.plain.qe_report_signature, e);
}
