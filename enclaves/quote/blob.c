/* Deriving the attestation key and QE_ID; sealing and opening blobs. */
#include "quote/quote.h"

#include <string.h>

/* The readable part: plain, then size and bytes of the encrypted PPID, then zeros up to the blob's size. */
#define TEXT 32
#define CLEAR (AE_QE_BLOB_BYTES - BAWN_SEAL_OVERHEAD - TEXT)
#define AT_PPID_SIZE sizeof(struct ae_qe_plain)
#define AT_PPID (AT_PPID_SIZE + 4)
_Static_assert(AT_PPID + AE_PPID_CIPHER_BYTES <= CLEAR, "the readable part");

static uint32_t seal_key(const struct bawn_report_body *svns, uint8_t key[16])
{
	struct bawn_keyrequest r = {
		.keyname = BAWN_KEY_SEAL,
		.keypolicy = BAWN_POLICY_MRSIGNER,
		.isvsvn = svns->isvsvn,
		.attributemask.flags = ~ATTR_MODE64BIT,
		.miscmask = UINT32_MAX,
	};

	memcpy(r.cpusvn, svns->cpusvn, sizeof(r.cpusvn));
	return bawn_key(&r, key) == BAWN_STATUS_OK ? AE_SUCCESS : AE_QE_ERROR_CRYPTO;
}

uint32_t quote_key(uint8_t d[32])
{
	struct bawn_report_body self;
	uint8_t key[16];
	uint32_t answer;

	bawn_self(&self);
	answer = seal_key(&self, key);
	if (answer == AE_SUCCESS)
		common_p256_derive(key, "QE_ATT_DER", d);
	bawn_wipe(key, sizeof(key));
	return answer;
}

uint32_t quote_id(uint8_t id[16])
{
	static const struct bawn_report_body zero;
	static const uint8_t block[16] = "\0QE_ID_DER\0\0\0\0\0\x80"; /* 128 bits */
	uint8_t key[16];
	uint32_t answer = seal_key(&zero, key);

	if (answer == AE_SUCCESS)
		bawn_cmac(key, block, sizeof(block), id);
	bawn_wipe(key, sizeof(key));
	return answer;
}

uint32_t quote_seal(struct quote_blob *b, uint8_t out[AE_QE_BLOB_BYTES])
{
	struct bawn_report_body self;
	uint8_t clear[CLEAR] = { 0 };

	bawn_self(&self);
	memcpy(b->plain.seal_cpusvn, self.cpusvn, sizeof(b->plain.seal_cpusvn));
	b->plain.seal_isvsvn = self.isvsvn;
	memcpy(clear, &b->plain, sizeof(b->plain));
	memcpy(clear + AT_PPID_SIZE, &b->ppid_size, sizeof(b->ppid_size));
	memcpy(clear + AT_PPID, b->ppid, sizeof(b->ppid));
	return bawn_seal(BAWN_SEAL_MRSIGNER, clear, sizeof(clear), b->key, sizeof(b->key), out,
			 AE_QE_BLOB_BYTES) == BAWN_STATUS_OK ?
		       AE_SUCCESS :
		       AE_QE_ERROR_UNEXPECTED;
}

/* The tag does not fit. If the blob names another QE_ID, it says itself where it belongs. */
static uint32_t why_not(const struct bawn_sealed *s)
{
	struct ae_qe_plain plain;
	uint8_t id[16];

	if (quote_id(id) != AE_SUCCESS)
		return AE_QE_ECDSABLOB_ERROR;
	memcpy(&plain, s->aad, sizeof(plain));
	return bawn_equal(plain.qe_id, id, sizeof(id)) ? AE_QE_ECDSABLOB_ERROR : AE_QE_BLOB_FOREIGN;
}

static uint32_t unseal(const uint8_t sealed[AE_QE_BLOB_BYTES], struct quote_blob *b,
		       struct bawn_sealed *s)
{
	size_t n;

	/* This signer's other products and formats seal too: the form comes first. */
	if (bawn_sealed_parse(sealed, AE_QE_BLOB_BYTES, s) != BAWN_STATUS_OK ||
	    s->policy != BAWN_SEAL_MRSIGNER || s->aad_n != CLEAR || s->n != TEXT)
		return AE_QE_ECDSABLOB_ERROR;
	switch (bawn_unseal(sealed, AE_QE_BLOB_BYTES, b->key, sizeof(b->key), &n, s)) {
	case BAWN_STATUS_OK:
		break;
	case BAWN_STATUS_CPUSVN:
	case BAWN_STATUS_ISVSVN:
		return AE_QE_BLOB_ABOVE;
	case BAWN_STATUS_MAC:
		return why_not(s);
	default:
		return AE_QE_ECDSABLOB_ERROR;
	}
	memcpy(&b->plain, s->aad, sizeof(b->plain));
	memcpy(&b->ppid_size, s->aad + AT_PPID_SIZE, sizeof(b->ppid_size));
	memcpy(b->ppid, s->aad + AT_PPID, sizeof(b->ppid));
	/* Authentic, so an enclave of ours wrote it; a later one may write more versions. */
	if (b->plain.blob_type != 0 || b->plain.version != 0 ||
	    b->plain.auth_size != AE_QE_AUTH_BYTES ||
	    (b->ppid_size != 0 && b->ppid_size != AE_PPID_CIPHER_BYTES))
		return AE_QE_ECDSABLOB_ERROR;
	return AE_SUCCESS;
}

uint32_t quote_open(uint8_t sealed[AE_QE_BLOB_BYTES], struct quote_blob *b, bool *resealed)
{
	struct bawn_report_body self;
	struct bawn_sealed s;
	uint32_t answer = unseal(sealed, b, &s);

	*resealed = false;
	if (answer != AE_SUCCESS)
		return answer;
	bawn_self(&self);
	if (s.isvsvn == self.isvsvn && !memcmp(s.cpusvn, self.cpusvn, sizeof(self.cpusvn)))
		return AE_SUCCESS;
	/* The TCB has risen: what could open it before, should not be able to from now on. */
	*resealed = true;
	return quote_seal(b, sealed);
}
