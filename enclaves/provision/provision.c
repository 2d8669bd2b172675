/*
 * The provision enclave: a provisioning certification enclave (PCE) with the
 * interface of Intel's. It knows the platform's provisioning key, as its own
 * signer's enclaves have it; tells the PPID, encrypted to whom the caller
 * names; and signs reports of enclaves that may know such keys themselves.
 *
 * The host passes addresses; everything is copied in once, checked, and used
 * as copied.
 */
#include "common/common.h"

#include <bearssl.h>
#include <string.h>

#define RSA_BYTES 384

/* ---- keys ---- */

/* EGETKEY(PROVISION_KEY): every flag but MODE64BIT separates, XFRM does not. */
static uint32_t provision_key(const uint8_t cpusvn[16], uint16_t isvsvn, uint8_t key[16])
{
	struct bawn_keyrequest r = {
		.keyname = BAWN_KEY_PROVISION,
		.isvsvn = isvsvn,
		.attributemask.flags = ~ATTR_MODE64BIT,
		.miscmask = UINT32_MAX,
	};

	memcpy(r.cpusvn, cpusvn, sizeof(r.cpusvn));
	switch (bawn_key(&r, key)) {
	case BAWN_STATUS_OK:
		return AE_SUCCESS;
	case BAWN_STATUS_CPUSVN:
		return AE_PCE_CPUSVN_ABOVE;
	case BAWN_STATUS_ISVSVN:
		return AE_PCE_ISVSVN_ABOVE;
	default:
		return AE_FAILURE;
	}
}

/* The same for every SVN: the key of SVN 0 is what all later ones can derive. */
static uint32_t platform_id(uint8_t ppid[16])
{
	static const uint8_t zero[16];
	uint8_t key[16];
	uint32_t answer = provision_key(zero, 0, key);

	if (answer == AE_SUCCESS)
		bawn_cmac(key, zero, sizeof(zero), ppid);
	bawn_wipe(key, sizeof(key));
	return answer;
}

/* ---- who may ask ---- */

static uint32_t accept(const struct isa_report *r)
{
	uint32_t answer;

	if (!common_report_holds(r, AE_PCE_INVALID_REPORT, &answer))
		return answer;
	if (!(r->body.attributes.flags & ATTR_PROVISIONKEY))
		return AE_PCE_INVALID_PRIVILEGE;
	/* Whoever may look into it would make it ask for anything. */
	if (r->body.attributes.flags & ATTR_DEBUG)
		return AE_PCE_DEBUG_CALLER;
	return AE_SUCCESS;
}

/* The caller vouches for the key that the PPID goes to. */
static bool names_key(const struct isa_report *r, uint8_t suite, const uint8_t key[AE_PEK_BYTES])
{
	const struct common_part parts[] = { { &suite, 1 }, { key, AE_PEK_BYTES } };
	uint8_t want[64] = { 0 };

	common_sha256(parts, 2, want);
	return bawn_equal(want, r->body.reportdata, sizeof(want));
}

/* ---- get_pc_info ---- */

/* RSA-OAEP with SHA-256 and an empty label (RFC 8017, 7.1.1). */
static bool encrypt(const uint8_t key[AE_PEK_BYTES], const uint8_t ppid[16],
		    uint8_t cipher[RSA_BYTES])
{
	uint8_t modulus[RSA_BYTES], exponent[4], seed[48];
	const br_rsa_public_key pk = { modulus, sizeof(modulus), exponent, sizeof(exponent) };
	br_hmac_drbg_context random;
	bool good;

	memcpy(modulus, key, sizeof(modulus));
	memcpy(exponent, key + RSA_BYTES, sizeof(exponent));
	/* 3072 bits and odd, and an odd exponent above 1: BearSSL asks for no less, but does not say so. */
	if (!(modulus[0] & 0x80) || !(modulus[RSA_BYTES - 1] & 1) || !(exponent[3] & 1) ||
	    get_be32(exponent) < 3)
		return false;
	if (!bawn_random(seed, sizeof(seed)))
		return false;
	br_hmac_drbg_init(&random, &br_sha256_vtable, seed, sizeof(seed));
	good = br_rsa_i31_oaep_encrypt(&random.vtable, &br_sha256_vtable, NULL, 0, &pk, cipher,
				       RSA_BYTES, ppid, 16) == RSA_BYTES;
	bawn_wipe(&random, sizeof(random));
	bawn_wipe(seed, sizeof(seed));
	return good;
}

static uint32_t own_isvsvn(uint64_t info)
{
	struct ae_pce_info out = { .id = AE_PCE_ID };
	struct bawn_report_body self;

	bawn_self(&self);
	out.isvsvn = self.isvsvn;
	return bawn_copy_out(info, &out, sizeof(out)) ? AE_SUCCESS : AE_INVALID_PARAMETER;
}

static uint32_t get_pc_info(const struct ae_ms_pc_info *a)
{
	static const uint32_t written = RSA_BYTES;
	static const uint8_t scheme = AE_SCHEME_ECDSA_P256;
	uint8_t key[AE_PEK_BYTES], ppid[16], cipher[RSA_BYTES];
	struct isa_report report;
	uint32_t answer;
	bool good;

	if (a->suite != AE_SUITE_RSA_OAEP_3072 || a->key_size != AE_PEK_BYTES)
		return AE_INVALID_PARAMETER;
	if (a->cipher_size < RSA_BYTES)
		return AE_INSUFFICIENT_DATA_IN_BUFFER;
	if (!bawn_copy_in(&report, a->report, sizeof(report)) ||
	    !bawn_copy_in(key, a->key, sizeof(key)))
		return AE_INVALID_PARAMETER;
	answer = accept(&report);
	if (answer != AE_SUCCESS)
		return answer;
	if (!names_key(&report, a->suite, key))
		return AE_PCE_CRYPTO_ERROR;
	answer = platform_id(ppid);
	if (answer != AE_SUCCESS)
		return answer;
	good = encrypt(key, ppid, cipher);
	bawn_wipe(ppid, sizeof(ppid));
	if (!good)
		return AE_PCE_CRYPTO_ERROR;
	if (!bawn_copy_out(a->cipher, cipher, sizeof(cipher)) ||
	    !bawn_copy_out(a->written, &written, sizeof(written)) ||
	    !bawn_copy_out(a->scheme, &scheme, sizeof(scheme)))
		return AE_INVALID_PARAMETER;
	return own_isvsvn(a->info);
}

/* ---- certify_enclave ---- */

static uint32_t certify(const struct ae_ms_certify *a)
{
	static const uint32_t written = 64;
	uint8_t key[16], d[32], digest[32], rs[64];
	struct common_part body;
	struct isa_report report;
	struct ae_psvn psvn;
	uint32_t answer;
	bool good;

	if (a->signature_size < sizeof(rs))
		return bawn_copy_out(a->written, &written, sizeof(written)) ?
			       AE_INSUFFICIENT_DATA_IN_BUFFER :
			       AE_INVALID_PARAMETER;
	if (!bawn_copy_in(&psvn, a->psvn, sizeof(psvn)) ||
	    !bawn_copy_in(&report, a->report, sizeof(report)))
		return AE_INVALID_PARAMETER;
	answer = accept(&report);
	if (answer == AE_SUCCESS)
		answer = provision_key(psvn.cpusvn, get_le16(psvn.isvsvn), key);
	if (answer != AE_SUCCESS)
		return answer;
	body = (struct common_part){ &report.body, sizeof(report.body) };
	common_sha256(&body, 1, digest);
	common_p256_derive(key, "PAK_KEY_DER", d);
	good = common_p256_sign(d, digest, rs);
	bawn_wipe(key, sizeof(key));
	bawn_wipe(d, sizeof(d));
	if (!good)
		return AE_FAILURE;
	return bawn_copy_out(a->signature, rs, sizeof(rs)) &&
			       bawn_copy_out(a->written, &written, sizeof(written)) ?
		       AE_SUCCESS :
		       AE_INVALID_PARAMETER;
}

/* ---- ECALLs ---- */

static uint32_t ecall_get_pc_info(void *args)
{
	struct ae_ms_pc_info *a = args;

	a->answer = get_pc_info(a);
	return BAWN_STATUS_OK;
}

static uint32_t ecall_certify_enclave(void *args)
{
	struct ae_ms_certify *a = args;

	a->answer = certify(a);
	return BAWN_STATUS_OK;
}

static uint32_t ecall_get_pc_info_without_ppid(void *args)
{
	struct ae_ms_pc_info_without_ppid *a = args;

	a->answer = own_isvsvn(a->info);
	return BAWN_STATUS_OK;
}

const struct bawn_ecall bawn_ecalls[] = {
	[AE_PCE_GET_PC_INFO] = { ecall_get_pc_info, sizeof(struct ae_ms_pc_info), 0 },
	[AE_PCE_CERTIFY_ENCLAVE] = { ecall_certify_enclave, sizeof(struct ae_ms_certify), 0 },
	[AE_PCE_GET_PC_INFO_WITHOUT_PPID] = { ecall_get_pc_info_without_ppid,
					      sizeof(struct ae_ms_pc_info_without_ppid), 0 },
};
const uint32_t bawn_ecall_count = sizeof(bawn_ecalls) / sizeof(bawn_ecalls[0]);
