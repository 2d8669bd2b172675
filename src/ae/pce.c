/* The provisioning certification enclave: PPID and certification of reports. */
#include "ae/internal.h"

#include <string.h>

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
	struct ae_ms_pc_info ms = { .report = ae_address(report),
				    .key = ae_address(key),
				    .key_size = AE_PEK_BYTES,
				    .suite = AE_SUITE_RSA_OAEP_3072,
				    .cipher = ae_address(cipher),
				    .cipher_size = AE_PPID_CIPHER_BYTES,
				    .written = ae_address(&written),
				    .info = ae_address(info),
				    .scheme = ae_address(&scheme) };
	int rc = ae_call(pce, AE_PCE_GET_PC_INFO, &ms, "get_pc_info", e);

	if (rc)
		return rc;
	if (written != AE_PPID_CIPHER_BYTES || scheme != AE_SCHEME_ECDSA_P256)
		return err_set(e, BAWN_ERR_FORMAT,
			       "get_pc_info: %u bytes and signature scheme %u, %d and 0 expected",
			       written, scheme, AE_PPID_CIPHER_BYTES);
	return 0;
}

int ae_pce_info_without_ppid(struct bawn_enclave *pce, struct ae_pce_info *info,
			     struct bawn_error *e)
{
	struct ae_ms_pc_info_without_ppid ms = { .info = ae_address(info) };

	return ae_call(pce, AE_PCE_GET_PC_INFO_WITHOUT_PPID, &ms, "get_pc_info_without_ppid", e);
}

int ae_pce_certify(struct bawn_enclave *pce, const uint8_t cpusvn[16], uint16_t isvsvn,
		   const struct isa_report *report, uint8_t rs[64], struct bawn_error *e)
{
	struct ae_psvn psvn;
	uint32_t written = 0;
	struct ae_ms_certify ms = { .psvn = ae_address(&psvn),
				    .report = ae_address(report),
				    .signature = ae_address(rs),
				    .signature_size = 64,
				    .written = ae_address(&written) };
	int rc;

	memcpy(psvn.cpusvn, cpusvn, sizeof(psvn.cpusvn));
	put_le16(psvn.isvsvn, isvsvn);
	rc = ae_call(pce, AE_PCE_CERTIFY_ENCLAVE, &ms, "certify_enclave", e);
	if (rc)
		return rc;
	if (written != 64)
		return err_set(e, BAWN_ERR_FORMAT, "certify_enclave: %u bytes of signature, 64 expected",
			       written);
	return 0;
}
