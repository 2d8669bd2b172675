/* QE identities: which quoting enclave is good, as signed JSON (version 2). */
#include "attest/attest.h"
#include "attest/internal.h"

#include <string.h>

static bool read_id(struct jread *r, enum bawn_tee *tee)
{
	struct cur s;

	if (!jread_string(r, &s))
		return false;
	if (jread_is(s, "QE"))
		*tee = BAWN_TEE_SGX;
	else if (jread_is(s, "TD_QE"))
		*tee = BAWN_TEE_TDX;
	else
		return jread_fail(r, "an identity of an enclave that is neither QE nor TD_QE");
	return true;
}

static bool read_member(struct jread *r, unsigned i, void *arg)
{
	struct attest_qe_identity *q = arg;
	uint64_t v = 0;

	switch (i) {
	case 0:
		return read_id(r, &q->tee);
	case 1:
		return jread_u64(r, UINT32_MAX, &v) && (v == 2 || jread_fail(r, "a version other than 2"));
	case 2:
		return attest_json_date(r, &q->issued);
	case 3:
		return attest_json_date(r, &q->next_update);
	case 4:
		return attest_json_u32(r, &q->evaluation);
	case 5:
		return attest_json_hex(r, q->miscselect, sizeof(q->miscselect));
	case 6:
		return attest_json_hex(r, q->miscselect_mask, sizeof(q->miscselect_mask));
	case 7:
		return attest_json_hex(r, q->attributes, sizeof(q->attributes));
	case 8:
		return attest_json_hex(r, q->attributes_mask, sizeof(q->attributes_mask));
	case 9:
		return attest_json_hex(r, q->mrsigner, sizeof(q->mrsigner));
	case 10:
		return attest_json_u16(r, &q->isvprodid);
	default:
		return attest_json_svn_levels(r, &q->advisories, q->level, &q->level_count, ATTEST_SVN_LEVELS_MAX);
	}
}

static bool read_identity(struct jread *r, void *arg)
{
	static const char *const members[] = {
		"id", "version", "issueDate", "nextUpdate", "tcbEvaluationDataNumber", "miscselect", "miscselectMask",
		"attributes", "attributesMask", "mrsigner", "isvprodid", "tcbLevels",
	};

	return attest_json_object(r, members, ARRAY_LEN(members), 0xfff, read_member, arg);
}

int attest_qe_identity_parse(const void *json, size_t n, struct attest_qe_identity *out,
			     struct bawn_error *e)
{
	memset(out, 0, sizeof(*out));
	return attest_json_signed(json, n, "enclaveIdentity", read_identity, out, &out->signed_bytes,
				  out->signature, e);
}
