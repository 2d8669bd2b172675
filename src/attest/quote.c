/* Quotes to their parts. Nothing is verified here; see doc/QUOTE-VERIFICATION.md for the layout. */
#include "attest/attest.h"

#include <string.h>

#define KEY_TYPE_ECDSA_P256 2
#define TEE_TDX 0x81u

static const size_t body_size[] = {
	[ATTEST_BODY_SGX] = 384,
	[ATTEST_BODY_TD10] = 584,
	[ATTEST_BODY_TD15] = 648,
	[ATTEST_BODY_TD15EX] = 885,
};

static int truncated(struct bawn_error *e, const char *where)
{
	return err_set(e, BAWN_ERR_FORMAT, "the quote ends in %s", where);
}

static int parse_header(struct cur *c, struct attest_quote *q, struct bawn_error *e)
{
	uint16_t key_type;
	uint32_t tee;

	if (!c->n)
		return err_set(e, BAWN_ERR_FORMAT, "the quote is empty");
	if (c->n < ATTEST_QUOTE_HEADER)
		return truncated(e, "its header");
	cur_le16(c, &q->version);
	cur_le16(c, &key_type);
	cur_le32(c, &tee);
	cur_le16(c, &q->qe_svn);
	cur_le16(c, &q->pce_svn);
	cur_bytes(c, q->qe_vendor_id, sizeof(q->qe_vendor_id));
	cur_bytes(c, q->user_data, sizeof(q->user_data));
	if (q->version < 3 || q->version > 5)
		return err_set(e, BAWN_ERR_UNSUPPORTED, "quote version %u is not supported (3, 4 and 5 are)",
			       q->version);
	if (key_type != KEY_TYPE_ECDSA_P256)
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "attestation key type %u is not supported (2, ECDSA P-256, is)", key_type);
	if (tee != BAWN_TEE_SGX && tee != TEE_TDX)
		return err_set(e, BAWN_ERR_UNSUPPORTED, "TEE type 0x%x is neither SGX nor TDX", (unsigned)tee);
	/* In version 3 the field was reserved and zero. */
	if (q->version == 3 && tee != BAWN_TEE_SGX)
		return err_set(e, BAWN_ERR_FORMAT, "a version 3 quote cannot be of TDX");
	q->tee = tee == TEE_TDX ? BAWN_TEE_TDX : BAWN_TEE_SGX;
	return 0;
}

static int parse_body(struct cur *c, struct attest_quote *q, struct bawn_error *e)
{
	if (q->version < 5) {
		q->body_type = q->tee == BAWN_TEE_TDX ? ATTEST_BODY_TD10 : ATTEST_BODY_SGX;
	} else {
		uint16_t type;
		uint32_t size;

		if (!cur_le16(c, &type) || !cur_le32(c, &size))
			return truncated(e, "its body descriptor");
		if (type < ATTEST_BODY_SGX || type > ATTEST_BODY_TD15EX)
			return err_set(e, BAWN_ERR_UNSUPPORTED, "quote body type %u is not known", type);
		q->body_type = (enum attest_body)type;
		if (size != body_size[type])
			return err_set(e, BAWN_ERR_FORMAT, "quote body type %u has %zu bytes, not %u", type,
				       body_size[type], (unsigned)size);
		if ((q->body_type == ATTEST_BODY_SGX) != (q->tee == BAWN_TEE_SGX))
			return err_set(e, BAWN_ERR_FORMAT, "the quote's body type and TEE type disagree");
	}
	if (!cur_sub(c, body_size[q->body_type], &q->body))
		return truncated(e, "its report");
	return 0;
}

/* What follows the attestation key: directly in version 3, wrapped as type 6 in 4 and 5. */
static int parse_qe_part(struct cur c, struct attest_quote *q, struct bawn_error *e)
{
	uint16_t auth_size, type;
	uint32_t size;

	if (!cur_sub(&c, ATTEST_REPORT_SIZE, &q->qe_report) || !cur_sub(&c, 64, &q->qe_signature))
		return truncated(e, "its QE report");
	if (!cur_le16(&c, &auth_size) || !cur_sub(&c, auth_size, &q->qe_auth))
		return truncated(e, "its QE authentication data");
	if (!cur_le16(&c, &type) || !cur_le32(&c, &size) || !cur_sub(&c, size, &q->cert_data))
		return truncated(e, "its certification data");
	if (c.n)
		return err_set(e, BAWN_ERR_FORMAT, "%zu bytes follow the quote's certification data", c.n);
	if (type < ATTEST_CERT_PPID_PLAIN || type > ATTEST_CERT_MANIFEST || type == ATTEST_CERT_QE_REPORT)
		return err_set(e, BAWN_ERR_UNSUPPORTED, "certification data type %u is not known here", type);
	q->cert_type = (enum attest_cert_type)type;
	return 0;
}

static int parse_auth(struct cur c, struct attest_quote *q, struct bawn_error *e)
{
	uint16_t type;
	uint32_t size;
	struct cur inner;

	if (!cur_sub(&c, 64, &q->signature) || !cur_sub(&c, 64, &q->key))
		return truncated(e, "its signature");
	if (q->version == 3)
		return parse_qe_part(c, q, e);
	if (!cur_le16(&c, &type) || !cur_le32(&c, &size))
		return truncated(e, "its outer certification data");
	if (type != ATTEST_CERT_QE_REPORT)
		return err_set(e, BAWN_ERR_FORMAT, "outer certification data must be of type 6, not %u", type);
	if (!cur_sub(&c, size, &inner) || c.n)
		return err_set(e, BAWN_ERR_FORMAT,
			       "the sizes of authentication data and outer certification data disagree");
	return parse_qe_part(inner, q, e);
}

int attest_quote_parse(const void *p, size_t n, struct attest_quote *q, struct bawn_error *e)
{
	struct cur c = cur_make(p, n < ATTEST_QUOTE_MAX ? n : ATTEST_QUOTE_MAX), auth;
	const uint8_t *start = p;
	uint32_t auth_size;
	int r;

	memset(q, 0, sizeof(*q));
	r = parse_header(&c, q, e);
	if (!r)
		r = parse_body(&c, q, e);
	if (r)
		return r;
	q->signed_bytes = cur_make(start, (size_t)(c.p - start));
	if (!cur_le32(&c, &auth_size) || !cur_sub(&c, auth_size, &auth))
		return truncated(e, "its authentication data");
	q->size = (size_t)(c.p - start);
	return parse_auth(auth, q, e);
}

void attest_report_read(const uint8_t report[ATTEST_REPORT_SIZE], struct bawn_sgx_report *out)
{
	struct isa_report_body b;

	_Static_assert(sizeof(b) == ATTEST_REPORT_SIZE, "an SGX report body has 384 bytes");
	memcpy(&b, report, sizeof(b));
	memset(out, 0, sizeof(*out));
	memcpy(out->cpusvn, b.cpusvn, sizeof(out->cpusvn));
	memcpy(out->mrenclave, b.mrenclave, sizeof(out->mrenclave));
	memcpy(out->mrsigner, b.mrsigner, sizeof(out->mrsigner));
	memcpy(out->attributes, &b.attributes, sizeof(out->attributes));
	memcpy(out->configid, b.configid, sizeof(out->configid));
	memcpy(out->isvextprodid, b.isvextprodid, sizeof(out->isvextprodid));
	memcpy(out->isvfamilyid, b.isvfamilyid, sizeof(out->isvfamilyid));
	out->miscselect = b.miscselect;
	out->isvprodid = b.isvprodid;
	out->isvsvn = b.isvsvn;
	out->configsvn = b.configsvn;
}

#define TAKE(c, field) cur_bytes((c), (field), sizeof(field))

/* Sizes were checked with the body type, so none of these reads can fail. */
void attest_td_report_read(const struct attest_quote *q, struct bawn_td_report *out)
{
	struct cur c = q->body;

	memset(out, 0, sizeof(*out));
	TAKE(&c, out->tee_tcb_svn);
	TAKE(&c, out->mrseam);
	TAKE(&c, out->mrsignerseam);
	TAKE(&c, out->seamattributes);
	TAKE(&c, out->attributes);
	TAKE(&c, out->xfam);
	TAKE(&c, out->mrtd);
	TAKE(&c, out->mrconfigid);
	TAKE(&c, out->mrowner);
	TAKE(&c, out->mrownerconfig);
	TAKE(&c, out->rtmr);
	cur_skip(&c, 64); /* REPORTDATA: attest_quote_report_data */
	out->has_15 = q->body_type >= ATTEST_BODY_TD15;
	if (!out->has_15)
		return;
	TAKE(&c, out->tee_tcb_svn2);
	TAKE(&c, out->mrservicetd);
	out->has_15ex = q->body_type == ATTEST_BODY_TD15EX;
	if (!out->has_15ex)
		return;
	cur_u8(&c, &out->vmid);
	TAKE(&c, out->td_id);
	TAKE(&c, out->dev_info);
	TAKE(&c, out->init_service_td_hash);
	TAKE(&c, out->init_service_td_attributes);
	TAKE(&c, out->init_cpusvn);
	TAKE(&c, out->init_tee_tcb_svn);
	TAKE(&c, out->init_fmspc);
	TAKE(&c, out->current_service_td_hash);
	TAKE(&c, out->current_service_td_attributes);
}

const uint8_t *attest_quote_report_data(const struct attest_quote *q)
{
	return q->body.p + (q->body_type == ATTEST_BODY_SGX ? 320 : 520);
}
