/*
 * Intel's EPID enclaves. What they take is signed by keys fixed in them, and
 * the services that signed it are gone: they are driven to where they say so.
 */
#include "ae/internal.h"

#include <string.h>

enum { PVE_GEN_MSG1 = 0, PVE_PROC_MSG2 = 1, PVE_PROC_MSG4 = 2, PVE_GEN_ES_MSG1 = 3 };
enum { QE_VERIFY_BLOB = 0, QE_GET_QUOTE = 1 };

int ae_epid_endpoint(struct bawn_enclave *pve, struct ae_epid_endpoint *out, struct bawn_error *e)
{
	struct {
		uint32_t answer, pad;
		uint64_t endpoint;
	} ms = { .endpoint = ae_address(out) };

	_Static_assert(sizeof(*out) == 9, "as the enclave has it");
	return ae_call(pve, PVE_GEN_ES_MSG1, &ms, "gen_es_msg1_data", e);
}

int ae_epid_msg1(struct bawn_enclave *pve, const uint8_t xegb[AE_XEGB_BYTES],
		 const uint8_t pek[AE_EPID_PEK_BYTES], const struct isa_targetinfo *pce,
		 struct isa_report *report, struct bawn_error *e)
{
	struct {
		uint32_t answer, pad;
		uint64_t xegb, pek, pce, report;
	} ms = { .xegb = ae_address(xegb), .pek = ae_address(pek), .pce = ae_address(pce),
		 .report = ae_address(report) };

	return ae_call(pve, PVE_GEN_MSG1, &ms, "gen_prov_msg1_data", e);
}

int ae_epid_msg3(struct bawn_enclave *pve, const struct ae_epid_msg2 *m,
		 uint8_t out[AE_EPID_MSG3_BYTES], struct bawn_error *e)
{
	struct {
		uint32_t answer, pad1;
		uint64_t message;
		uint8_t rekey, pad2[7];
		uint64_t sigrl;
		uint32_t sigrl_size, pad3;
		uint64_t out, signature;
		uint32_t signature_size, pad4;
	} ms = { .message = ae_address(m->message), .rekey = m->rekey,
		 .sigrl = ae_address(m->sigrl), .sigrl_size = m->sigrl_size, .out = ae_address(out),
		 .signature = ae_address(m->signature), .signature_size = m->signature_size };

	return ae_call(pve, PVE_PROC_MSG2, &ms, "proc_prov_msg2_data", e);
}

int ae_epid_msg4(struct bawn_enclave *pve, const uint8_t message[AE_EPID_MSG4_BYTES],
		 uint8_t blob[AE_EPID_BLOB_BYTES], struct bawn_error *e)
{
	struct {
		uint32_t answer, pad;
		uint64_t message, blob;
	} ms = { .message = ae_address(message), .blob = ae_address(blob) };

	return ae_call(pve, PVE_PROC_MSG4, &ms, "proc_prov_msg4_data", e);
}

int ae_epid_verify_blob(struct bawn_enclave *qe, uint8_t blob[AE_EPID_BLOB_BYTES], bool *resealed,
			uint8_t cpusvn[16], struct bawn_error *e)
{
	uint8_t again = 0;
	struct {
		uint32_t answer, pad1;
		uint64_t blob;
		uint32_t size, pad2;
		uint64_t resealed, cpusvn;
	} ms = { .blob = ae_address(blob), .size = AE_EPID_BLOB_BYTES, .resealed = ae_address(&again),
		 .cpusvn = ae_address(cpusvn) };
	int rc = ae_call(qe, QE_VERIFY_BLOB, &ms, "verify_blob", e);

	*resealed = rc == 0 && again != 0;
	return rc;
}

int ae_epid_quote(struct bawn_enclave *qe, uint8_t blob[AE_EPID_BLOB_BYTES],
		  const struct ae_epid_request *q, struct isa_report *qe_report, uint8_t *quote,
		  uint32_t size, struct bawn_error *e)
{
	struct {
		uint32_t answer, pad1;
		uint64_t blob;
		uint32_t blob_size, pad2;
		uint64_t report;
		uint32_t type, pad3;
		uint64_t spid, nonce, sigrl;
		uint32_t sigrl_size, pad4;
		uint64_t qe_report, quote;
		uint32_t quote_size;
		uint16_t pce_isvsvn, pad5;
	} ms = { .blob = ae_address(blob),
		 .blob_size = AE_EPID_BLOB_BYTES,
		 .report = ae_address(q->report),
		 .type = q->linkable,
		 .spid = ae_address(q->spid),
		 .nonce = ae_address(q->nonce),
		 .sigrl = ae_address(q->sigrl),
		 .sigrl_size = q->sigrl_size,
		 .qe_report = ae_address(q->nonce ? qe_report : NULL),
		 .quote = ae_address(quote),
		 .quote_size = size,
		 .pce_isvsvn = q->pce_isvsvn };

	return ae_call(qe, QE_GET_QUOTE, &ms, "get_quote", e);
}
