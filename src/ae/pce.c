/* The provisioning certification enclave: PPID and certification of reports. */
#include "ae/internal.h"

#include <string.h>

enum { PCE_GET_PC_INFO = 0, PCE_CERTIFY_ENCLAVE = 1 };
#define SCHEME_ECDSA_P256 0

void ae_pce_report_data(uint8_t suite, const uint8_t key[AE_PEK_BYTES], uint8_t out[64])
{
	struct crypto_sha256 h;

	crypto_sha256_init(&h);
	crypto_sha256_update(&h, &suite, 1);
	crypto_sha256_update(&h, key, AE_PEK_BYTES);
	crypto_sha256_final(&h, out);
	memset(out + 32, 0, 32);
}

int ae_pce_info(struct bawn_enclave *pce, const struct isa_report *report,
		const uint8_t key[AE_PEK_BYTES], uint8_t cipher[AE_PPID_CIPHER_BYTES],
		struct ae_pce_info *info, struct bawn_error *e)
{
	uint32_t written = 0;
	uint8_t scheme = 0xff;
	struct {
		uint32_t answer;
		const struct isa_report *report;
		const uint8_t *key;
		uint32_t key_size;
		uint8_t suite;
		uint8_t *cipher;
		uint32_t cipher_size;
		uint32_t *written;
		struct ae_pce_info *info;
		uint8_t *scheme;
	} ms = { .report = report, .key = key, .key_size = AE_PEK_BYTES,
		 .suite = AE_SUITE_RSA_OAEP_3072, .cipher = cipher,
		 .cipher_size = AE_PPID_CIPHER_BYTES, .written = &written, .info = info,
		 .scheme = &scheme };
	int rc = ae_call(pce, PCE_GET_PC_INFO, &ms, "get_pc_info", e);

	if (rc)
		return rc;
	if (written != AE_PPID_CIPHER_BYTES || scheme != SCHEME_ECDSA_P256)
		return err_set(e, BAWN_ERR_FORMAT,
			       "get_pc_info: %u bytes and signature scheme %u, %d and 0 expected",
			       written, scheme, AE_PPID_CIPHER_BYTES);
	return 0;
}

int ae_pce_certify(struct bawn_enclave *pce, const uint8_t cpusvn[16], uint16_t isvsvn,
		   const struct isa_report *report, uint8_t rs[64], struct bawn_error *e)
{
	uint8_t psvn[18]; /* CPUSVN, then ISVSVN */
	uint32_t written = 0;
	struct {
		uint32_t answer;
		const uint8_t *psvn;
		const struct isa_report *report;
		uint8_t *signature;
		uint32_t signature_size;
		uint32_t *written;
	} ms = { .psvn = psvn, .report = report, .signature = rs, .signature_size = 64,
		 .written = &written };
	int rc;

	memcpy(psvn, cpusvn, 16);
	put_le16(psvn + 16, isvsvn);
	rc = ae_call(pce, PCE_CERTIFY_ENCLAVE, &ms, "certify_enclave", e);
	if (rc)
		return rc;
	if (written != 64)
		return err_set(e, BAWN_ERR_FORMAT, "certify_enclave: %u bytes of signature, 64 expected",
			       written);
	return 0;
}
