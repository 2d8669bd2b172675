/* The quoting enclave (ECDSA): attestation key, blob, quote. */
#include "ae/internal.h"

#include <stdlib.h>
#include <string.h>

/* Header and report 432, length 4; signature, key, QE report and its signature; auth; type, size. */
#define QUOTE_FIXED (432 + 4 + 64 + 64 + 384 + 64 + 2 + AE_QE_AUTH_BYTES + 2 + 4)
#define FROM_BLOB (AE_PPID_CIPHER_BYTES + 20) /* certification data of type 3 */

int ae_qe_encrypt_key(struct bawn_enclave *qe, const struct isa_targetinfo *pce,
		      uint8_t key[AE_PEK_BYTES], struct isa_report *report, struct bawn_error *e)
{
	struct ae_ms_encrypt_key ms = { .pce_target = ae_address(pce),
					.report = ae_address(report),
					.suite = AE_SUITE_RSA_OAEP_3072,
					.certification_type = AE_CERTIFIED_PPID_RSA3072,
					.key_size = AE_PEK_BYTES,
					.key = ae_address(key) };

	return ae_call(qe, AE_QE_GET_PCE_ENCRYPT_KEY, &ms, "get_pce_encrypt_key", e);
}

int ae_qe_generate(struct bawn_enclave *qe, const struct isa_targetinfo *pce,
		   const uint8_t auth[AE_QE_AUTH_BYTES], uint8_t blob[AE_QE_BLOB_BYTES],
		   struct isa_report *report, struct bawn_error *e)
{
	struct ae_ms_att_key ms = { .blob = ae_address(blob),
				    .blob_size = AE_QE_BLOB_BYTES,
				    .pce_target = ae_address(pce),
				    .report = ae_address(report),
				    .auth = ae_address(auth),
				    .auth_size = AE_QE_AUTH_BYTES };

	memset(blob, 0, AE_QE_BLOB_BYTES);
	return ae_call(qe, AE_QE_GEN_ATT_KEY, &ms, "gen_att_key", e);
}

int ae_qe_verify_blob(struct bawn_enclave *qe, uint8_t blob[AE_QE_BLOB_BYTES], bool *resealed,
		      struct isa_report_body *self, uint8_t id[32], struct bawn_error *e)
{
	struct isa_report_body body;
	uint8_t again = 0;
	struct ae_ms_verify_blob ms = { .blob = ae_address(blob),
					.blob_size = AE_QE_BLOB_BYTES,
					.resealed = ae_address(&again),
					.body = ae_address(self ? self : &body),
					.id_size = id ? 32 : 0,
					.id = ae_address(id) };
	int rc = ae_call(qe, AE_QE_VERIFY_BLOB, &ms, "verify_blob", e);

	if (rc == 0 && resealed)
		*resealed = again != 0;
	return rc;
}

bool ae_qe_refused_blob(const struct bawn_error *e)
{
	return e->sgx_status == AE_QE_ECDSABLOB_ERROR || e->sgx_status == AE_QE_BLOB_ABOVE ||
	       e->sgx_status == AE_QE_BLOB_FOREIGN;
}

int ae_qe_store(struct bawn_enclave *qe, const struct ae_qe_certification *c,
		const uint8_t ppid[AE_PPID_CIPHER_BYTES], uint8_t blob[AE_QE_BLOB_BYTES],
		struct bawn_error *e)
{
	/* What the enclave knows itself (key, auth, QE_ID, seal's SVNs) it takes from the blob. */
	struct ae_qe_plain plain = { .cert_pce = { .isvsvn = c->isvsvn, .id = c->pce.id },
				     .certification_type = AE_CERTIFIED_PPID_RSA3072,
				     .raw_pce = c->pce,
				     .scheme = AE_SCHEME_ECDSA_P256,
				     .pce_target = c->pce_target,
				     .qe_report = c->report };
	struct ae_ms_store_cert ms = { .plain = ae_address(&plain),
				       .certification_type = AE_CERTIFIED_PPID_RSA3072,
				       .cipher = ae_address(ppid),
				       .cipher_size = ppid ? AE_PPID_CIPHER_BYTES : 0,
				       .blob = ae_address(blob),
				       .blob_size = AE_QE_BLOB_BYTES };

	memcpy(plain.cert_cpusvn, c->cpusvn, sizeof(plain.cert_cpusvn));
	memcpy(plain.raw_cpusvn, c->raw_cpusvn, sizeof(plain.raw_cpusvn));
	memcpy(plain.qe_report_signature, c->signature, sizeof(plain.qe_report_signature));
	return ae_call(qe, AE_QE_STORE_CERT_DATA, &ms, "store_cert_data", e);
}

void ae_certification_clear(const uint8_t ppid[16], const uint8_t cpusvn[16], uint16_t pce_isvsvn,
			    uint16_t pce_id, uint8_t out[36])
{
	memcpy(out, ppid, 16);
	memcpy(out + 16, cpusvn, 16);
	put_le16(out + 32, pce_isvsvn);
	put_le16(out + 34, pce_id);
}

size_t ae_quote_size(const struct ae_certification *c)
{
	if (!c || c->type == 0)
		return QUOTE_FIXED + FROM_BLOB;
	if (c->type > AE_CERTIFIED_PCK_CHAIN || !c->data || !c->n || c->n > AE_CERTIFICATION_MAX)
		return 0;
	return QUOTE_FIXED + c->n;
}

/* Type, size and data in one piece; NULL and *n = 0 where the blob's own is meant. */
static int pack(const struct ae_certification *c, uint8_t **out, size_t *n, struct bawn_error *e)
{
	*out = NULL;
	*n = 0;
	if (!c || c->type == 0)
		return 0;
	*out = malloc(6 + c->n);
	if (!*out)
		return err_nomem(e);
	*n = 6 + c->n;
	put_le16(*out, c->type);
	put_le32(*out + 2, (uint32_t)c->n);
	memcpy(*out + 6, c->data, c->n);
	return 0;
}

int ae_qe_quote(struct bawn_enclave *qe, uint8_t blob[AE_QE_BLOB_BYTES],
		const struct ae_quote_request *q, struct isa_report *qe_report, uint8_t *quote,
		size_t size, struct bawn_error *e)
{
	struct ae_ms_quote ms = { .blob = ae_address(blob),
				  .blob_size = AE_QE_BLOB_BYTES,
				  .report = ae_address(q->report),
				  .nonce = ae_address(q->nonce),
				  .target = ae_address(q->target),
				  .qe_report = ae_address(q->nonce ? qe_report : NULL),
				  .quote = ae_address(quote),
				  .quote_size = (uint32_t)size,
				  .pce_isvsvn = q->pce_isvsvn };
	size_t want = ae_quote_size(q->certification), n;
	uint8_t *certification;
	int rc;

	if (!want)
		return err_set(e, BAWN_ERR_USAGE, "certification data must be of type 1 to 5 and of 1 to "
			       "%u bytes", AE_CERTIFICATION_MAX);
	if (size != want)
		return err_set(e, BAWN_ERR_USAGE, "the quote has %zu bytes: there is room for %zu", want,
			       size);
	if (!q->nonce != !q->target || (q->nonce && !qe_report))
		return err_set(e, BAWN_ERR_USAGE, "a nonce goes with a target and room for a report");
	rc = pack(q->certification, &certification, &n, e);
	if (rc)
		return rc;
	ms.certification = ae_address(certification);
	ms.certification_size = (uint32_t)n;
	rc = ae_call(qe, AE_QE_GEN_QUOTE, &ms, "gen_quote", e);
	free(certification);
	return rc;
}
