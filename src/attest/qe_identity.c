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

/* One member; *have gets its bit. False only for a malformed value. */
static bool read_member(struct jread *r, struct cur name, struct attest_qe_identity *q, uint32_t *have)
{
	static const char *const members[] = {
		"id", "version", "issueDate", "nextUpdate", "tcbEvaluationDataNumber", "miscselect", "miscselectMask",
		"attributes", "attributesMask", "mrsigner", "isvprodid", "tcbLevels",
	};
	uint64_t v = 0;
	unsigned i;

	for (i = 0; i < ARRAY_LEN(members) && !jread_is(name, members[i]); i++)
		;
	*have |= 1u << i;
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
		if (!jread_u64(r, UINT32_MAX, &v))
			return false;
		q->evaluation = (uint32_t)v;
		return true;
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
		if (!jread_u64(r, UINT16_MAX, &v))
			return false;
		q->isvprodid = (uint16_t)v;
		return true;
	case 11:
		return attest_json_svn_levels(r, &q->advisories, q->level, &q->level_count, ATTEST_SVN_LEVELS_MAX);
	default:
		return jread_skip(r);
	}
}

static bool read_identity(struct jread *r, void *arg)
{
	struct attest_qe_identity *q = arg;
	struct jread_object o;
	uint32_t have = 0;
	struct cur name;

	if (!jread_object(r, &o))
		return false;
	while (jread_member(r, &o, &name))
		if (!read_member(r, name, q, &have))
			return false;
	return !r->failed && ((have & 0xfff) == 0xfff || jread_fail(r, "a member is missing"));
}

int attest_qe_identity_parse(const void *json, size_t n, struct attest_qe_identity *out,
			     struct bawn_error *e)
{
	memset(out, 0, sizeof(*out));
	return attest_json_signed(json, n, "enclaveIdentity", read_identity, out, &out->signed_bytes,
				  out->signature, e);
}
