/*
 * The sealed blob, taken apart (doc/ENCLAVE-KIT.md, "Sealed data"). All
 * integers little-endian:
 *
 *	 0  "BWNS"
 *	 4  u8   version, 1
 *	 5  u8   policy, 1 MRENCLAVE or 2 MRSIGNER
 *	 6  u16  ISVSVN \
 *	 8  u128 CPUSVN  > of the key
 *	24  u256 KEYID  /
 *	56  u32  bytes of additional data
 *	60  u32  bytes of text
 *	64  additional data, then the encrypted text, then the 16-byte GCM tag
 *
 * Builds outside an enclave too, for its tests.
 */
#include "runtime/sealed.h"

size_t bawn_sealed_size(size_t aad_n, size_t n)
{
	if (aad_n > BAWN_SEAL_MAX || n > BAWN_SEAL_MAX - aad_n)
		return 0;
	return BAWN_SEAL_OVERHEAD + aad_n + n;
}

uint32_t bawn_sealed_parse(const uint8_t *blob, size_t blob_n, struct bawn_sealed *s)
{
	struct cur c = cur_make(blob, blob_n), magic, aad, text, mac;
	struct bawn_sealed out = { 0 };
	uint8_t version, policy;
	uint32_t aad_n, n;

	if (!cur_sub(&c, 4, &magic) || !cur_u8(&c, &version) || !cur_u8(&c, &policy) ||
	    !cur_le16(&c, &out.isvsvn) || !cur_bytes(&c, out.cpusvn, sizeof(out.cpusvn)) ||
	    !cur_bytes(&c, out.keyid, sizeof(out.keyid)) || !cur_le32(&c, &aad_n) ||
	    !cur_le32(&c, &n))
		return BAWN_STATUS_ARGUMENT;
	if (!ct_equal(magic.p, SEALED_MAGIC, 4) || version != SEALED_VERSION ||
	    (policy != BAWN_SEAL_MRENCLAVE && policy != BAWN_SEAL_MRSIGNER))
		return BAWN_STATUS_ARGUMENT;
	if (bawn_sealed_size(aad_n, n) != blob_n)
		return BAWN_STATUS_ARGUMENT;
	if (!cur_sub(&c, aad_n, &aad) || !cur_sub(&c, n, &text) || !cur_sub(&c, 16, &mac) || c.n)
		return BAWN_STATUS_ARGUMENT;
	out.policy = policy;
	out.aad = aad.p;
	out.aad_n = aad_n;
	out.text = text.p;
	out.n = n;
	out.mac = mac.p;
	*s = out;
	return BAWN_STATUS_OK;
}

void sealed_header(const struct bawn_sealed *s, uint8_t out[SEALED_HEADER])
{
	const uint8_t magic[] = { 'B', 'W', 'N', 'S', SEALED_VERSION, (uint8_t)s->policy };

	for (size_t i = 0; i < sizeof(magic); i++)
		out[i] = magic[i];
	put_le16(out + 6, s->isvsvn);
	for (size_t i = 0; i < sizeof(s->cpusvn); i++)
		out[8 + i] = s->cpusvn[i];
	for (size_t i = 0; i < sizeof(s->keyid); i++)
		out[24 + i] = s->keyid[i];
	put_le32(out + 56, (uint32_t)s->aad_n);
	put_le32(out + 60, (uint32_t)s->n);
}
