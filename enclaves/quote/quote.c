/*
 * The quote enclave: a quoting enclave with the interface of Intel's QE3. It
 * derives an attestation key, has it certified by a PCE, and signs with it what
 * reports say of other enclaves.
 *
 * The host passes addresses; everything is copied in once, checked, and used
 * as copied. It keeps nothing between calls: the blob that the host stores is
 * all of its state.
 */
#include "quote/quote.h"

#include <string.h>

/* Whoever is to certify our keys must know the platform's, and must not be open to debuggers. */
static uint32_t read_pce(uint64_t address, struct isa_targetinfo *t)
{
	if (!bawn_copy_in(t, address, sizeof(*t)))
		return AE_QE_ERROR_INVALID_PARAMETER;
	if (!(t->attributes.flags & ATTR_PROVISIONKEY))
		return AE_QE_TARGET_PRIVILEGE;
	if (t->attributes.flags & ATTR_DEBUG)
		return AE_QE_TARGET_DEBUG;
	return AE_SUCCESS;
}

/*
 * The key that the host gives, vouched for. It is whom the platform's owner
 * wants to know the PPID; any enclave with PROVISION_KEY can ask the PCE for
 * as much, so a constant here would hide nothing.
 */
static uint32_t encrypt_key(const struct ae_ms_encrypt_key *a)
{
	uint8_t key[AE_PEK_BYTES], digest[32];
	const uint8_t suite = AE_SUITE_RSA_OAEP_3072;
	const struct common_part parts[] = { { &suite, 1 }, { key, sizeof(key) } };
	struct isa_targetinfo pce;
	struct isa_report report;
	uint32_t answer;

	if (a->suite != suite || a->certification_type != AE_CERTIFIED_PPID_RSA3072 ||
	    a->key_size != AE_PEK_BYTES || !bawn_copy_in(key, a->key, sizeof(key)))
		return AE_QE_ERROR_INVALID_PARAMETER;
	answer = read_pce(a->pce_target, &pce);
	if (answer != AE_SUCCESS)
		return answer;
	common_sha256(parts, 2, digest);
	if (!common_report(&pce, digest, &report))
		return AE_QE_ERROR_UNEXPECTED;
	return bawn_copy_out(a->key, key, sizeof(key)) &&
			       bawn_copy_out(a->report, &report, sizeof(report)) ?
		       AE_SUCCESS :
		       AE_QE_ERROR_INVALID_PARAMETER;
}

/* ---- gen_att_key ---- */

/* The key and everything about it that is known before it is certified. */
static uint32_t make_key(struct quote_blob *b)
{
	const struct common_part parts[] = { { b->plain.key, 64 }, { b->plain.auth, AE_QE_AUTH_BYTES } };
	uint32_t answer = quote_key(b->key);

	if (answer == AE_SUCCESS)
		answer = quote_id(b->plain.qe_id);
	if (answer != AE_SUCCESS || !common_p256_public(b->key, b->plain.key))
		return AE_QE_ERROR_ATT_KEY_GEN;
	common_sha256(parts, 2, b->plain.key_id);
	return AE_SUCCESS;
}

static uint32_t att_key(const struct ae_ms_att_key *a, struct quote_blob *b)
{
	uint8_t sealed[AE_QE_BLOB_BYTES];
	struct isa_targetinfo pce;
	struct isa_report report;
	uint32_t answer;

	if (a->blob_size != AE_QE_BLOB_BYTES || a->auth_size != AE_QE_AUTH_BYTES ||
	    !bawn_copy_in(b->plain.auth, a->auth, AE_QE_AUTH_BYTES))
		return AE_QE_ERROR_INVALID_PARAMETER;
	b->plain.auth_size = AE_QE_AUTH_BYTES;
	answer = read_pce(a->pce_target, &pce);
	if (answer == AE_SUCCESS)
		answer = make_key(b);
	if (answer != AE_SUCCESS)
		return answer;
	if (!common_report(&pce, b->plain.key_id, &report))
		return AE_QE_ERROR_UNEXPECTED;
	answer = quote_seal(b, sealed);
	if (answer != AE_SUCCESS)
		return answer;
	return bawn_copy_out(a->blob, sealed, sizeof(sealed)) &&
			       bawn_copy_out(a->report, &report, sizeof(report)) ?
		       AE_SUCCESS :
		       AE_QE_ERROR_INVALID_PARAMETER;
}

/* ---- verify_blob ---- */

static uint32_t verify_blob(const struct ae_ms_verify_blob *a, struct quote_blob *b)
{
	uint8_t sealed[AE_QE_BLOB_BYTES], again;
	struct bawn_report_body self;
	uint32_t answer;
	bool resealed;

	if (a->blob_size != AE_QE_BLOB_BYTES || !a->id != !a->id_size ||
	    (a->id && a->id_size < sizeof(b->plain.key_id)) ||
	    !bawn_copy_in(sealed, a->blob, sizeof(sealed)))
		return AE_QE_ERROR_INVALID_PARAMETER;
	answer = quote_open(sealed, b, &resealed);
	if (answer != AE_SUCCESS)
		return answer;
	bawn_self(&self);
	again = resealed;
	if ((resealed && !bawn_copy_out(a->blob, sealed, sizeof(sealed))) ||
	    !bawn_copy_out(a->resealed, &again, sizeof(again)) ||
	    (a->body && !bawn_copy_out(a->body, &self, sizeof(self))) ||
	    (a->id && !bawn_copy_out(a->id, b->plain.key_id, sizeof(b->plain.key_id))))
		return AE_QE_ERROR_INVALID_PARAMETER;
	return AE_SUCCESS;
}

/* ---- store_cert_data ---- */

/*
 * The certification is the host's word: only a verifier with the PCK's
 * certificate can check it. It must be for this key, or quotes would be void.
 */
static uint32_t take_certification(struct quote_blob *b, const struct ae_qe_plain *from)
{
	struct bawn_report_body self;

	if (!bawn_equal(from->qe_report.body.reportdata, b->plain.key_id, sizeof(b->plain.key_id)))
		return AE_QE_KEY_MISMATCH;
	bawn_self(&self);
	memcpy(b->plain.cert_cpusvn, from->cert_cpusvn, sizeof(b->plain.cert_cpusvn));
	b->plain.cert_qe_isvsvn = self.isvsvn;
	b->plain.cert_pce = from->cert_pce;
	b->plain.certification_type = from->certification_type;
	memcpy(b->plain.raw_cpusvn, from->raw_cpusvn, sizeof(b->plain.raw_cpusvn));
	b->plain.raw_pce = from->raw_pce;
	b->plain.scheme = from->scheme;
	b->plain.pce_target = from->pce_target;
	b->plain.qe_report = from->qe_report;
	memcpy(b->plain.qe_report_signature, from->qe_report_signature,
	       sizeof(b->plain.qe_report_signature));
	return AE_SUCCESS;
}

static uint32_t store_certification(const struct ae_ms_store_cert *a, struct quote_blob *b)
{
	uint8_t sealed[AE_QE_BLOB_BYTES];
	struct ae_qe_plain from;
	uint32_t answer;
	bool resealed;

	if (a->blob_size != AE_QE_BLOB_BYTES || a->certification_type != AE_CERTIFIED_PPID_RSA3072 ||
	    a->cipher_size != (a->cipher ? AE_PPID_CIPHER_BYTES : 0) ||
	    !bawn_copy_in(&from, a->plain, sizeof(from)) ||
	    !bawn_copy_in(sealed, a->blob, sizeof(sealed)))
		return AE_QE_ERROR_INVALID_PARAMETER;
	answer = quote_open(sealed, b, &resealed);
	if (answer == AE_SUCCESS)
		answer = take_certification(b, &from);
	if (answer != AE_SUCCESS)
		return answer;
	if (a->cipher) {
		if (!bawn_copy_in(b->ppid, a->cipher, sizeof(b->ppid)))
			return AE_QE_ERROR_INVALID_PARAMETER;
		b->ppid_size = sizeof(b->ppid);
	}
	answer = quote_seal(b, sealed);
	if (answer != AE_SUCCESS)
		return answer;
	return bawn_copy_out(a->blob, sealed, sizeof(sealed)) ? AE_SUCCESS :
								 AE_QE_ERROR_INVALID_PARAMETER;
}

/* ---- ECALLs ---- */

static uint32_t ecall_encrypt_key(void *args)
{
	struct ae_ms_encrypt_key *a = args;

	a->answer = encrypt_key(a);
	return BAWN_STATUS_OK;
}

static uint32_t ecall_att_key(void *args)
{
	struct quote_blob b = { 0 };
	struct ae_ms_att_key *a = args;

	a->answer = att_key(a, &b);
	bawn_wipe(&b, sizeof(b));
	return BAWN_STATUS_OK;
}

static uint32_t ecall_verify_blob(void *args)
{
	struct quote_blob b = { 0 };
	struct ae_ms_verify_blob *a = args;

	a->answer = verify_blob(a, &b);
	bawn_wipe(&b, sizeof(b));
	return BAWN_STATUS_OK;
}

static uint32_t ecall_store_certification(void *args)
{
	struct quote_blob b = { 0 };
	struct ae_ms_store_cert *a = args;

	a->answer = store_certification(a, &b);
	bawn_wipe(&b, sizeof(b));
	return BAWN_STATUS_OK;
}

static uint32_t ecall_quote(void *args)
{
	struct ae_ms_quote *a = args;

	a->answer = quote_generate(a);
	return BAWN_STATUS_OK;
}

const struct bawn_ecall bawn_ecalls[] = {
	[AE_QE_GET_PCE_ENCRYPT_KEY] = { ecall_encrypt_key, sizeof(struct ae_ms_encrypt_key), 0 },
	[AE_QE_GEN_ATT_KEY] = { ecall_att_key, sizeof(struct ae_ms_att_key), 0 },
	[AE_QE_VERIFY_BLOB] = { ecall_verify_blob, sizeof(struct ae_ms_verify_blob), 0 },
	[AE_QE_STORE_CERT_DATA] = { ecall_store_certification, sizeof(struct ae_ms_store_cert), 0 },
	[AE_QE_GEN_QUOTE] = { ecall_quote, sizeof(struct ae_ms_quote), 0 },
};
const uint32_t bawn_ecall_count = sizeof(bawn_ecalls) / sizeof(bawn_ecalls[0]);
