/* What AESM's messages mean: key ids, identities, operations, errors. Their encoding: aesm_proto.py. */
#include "aesm/aesm.h"
#include "crypto/crypto.h"
#include "tests/tap.h"

static void test_key_ids(void)
{
	uint8_t id[AESM_KEY_ID], other[AESM_KEY_ID], want[AESM_KEY_ID] = { 0 };

	/* The layout, byte by byte, as clients have it. */
	want[4] = 32;
	memcpy(want + 6, aesm_intel_qe3_signer, 32);
	want[54] = 1;
	want[154] = 2;
	aesm_key_id(aesm_intel_qe3_signer, 1, id);
	is_mem(id, want, sizeof(id), "the id of Intel's ECDSA key");
	for (size_t i = 0; i < AESM_KEY_ID; i++) {
		memcpy(other, id, sizeof(id));
		other[i] ^= 1;
		if (aesm_key_id_equal(id, other) != (i >= 158))
			ok(false, "byte %zu counts if it is one of the first 158", i);
	}
	ok(aesm_key_id_equal(id, id), "an id is itself");
}

static uint8_t list[8 + 11 * AESM_KEY_ID];

static size_t make_list(unsigned n)
{
	memset(list, 0, sizeof(list));
	put_le32(list + 4, n);
	for (unsigned i = 0; i < n; i++)
		memset(list + 8 + i * AESM_KEY_ID, (int)i + 1, AESM_KEY_ID);
	return 8 + (size_t)n * AESM_KEY_ID;
}

static void test_select(void)
{
	uint8_t ours[2][AESM_KEY_ID], out[AESM_KEY_ID], zeros[AESM_KEY_ID] = { 0 };
	size_t n;

	memset(ours[0], 3, AESM_KEY_ID);
	memset(ours[1], 7, AESM_KEY_ID);
	is_int(aesm_select(NULL, 0, ours, 2, out), AESM_OK, "no list");
	is_mem(out, ours[0], AESM_KEY_ID, "... is our first");
	n = make_list(3);
	list[8 + 2 * AESM_KEY_ID + 200] = 0x99; /* not compared, but the caller's */
	is_int(aesm_select(list, n, ours, 2, out), AESM_OK, "a list with ours");
	is_mem(out, list + 8 + 2 * AESM_KEY_ID, AESM_KEY_ID, "... is answered with the caller's own entry");
	n = make_list(10);
	is_int(aesm_select(list, n, ours + 1, 1, out), AESM_OK, "ten entries");
	is_int(out[0], 7, "... of which the seventh is ours");
	is_int(aesm_select(list, n, ours, 2, out), AESM_OK, "several of ours");
	is_int(out[0], 3, "... are answered with the first");
	n = make_list(2);
	is_int(aesm_select(list, n, ours, 2, out), AESM_ERR_KEY_ID, "none of ours");
	is_mem(out, zeros, AESM_KEY_ID, "... leaves nothing");
	n = make_list(0);
	is_int(aesm_select(list, n, ours, 2, out), AESM_ERR_KEY_ID, "a list of none");
	n = make_list(11);
	is_int(aesm_select(list, n, ours, 2, out), AESM_ERR_PARAMETER, "eleven entries");
	n = make_list(3);
	is_int(aesm_select(list, n - 1, ours, 2, out), AESM_ERR_PARAMETER, "a list cut short");
	is_int(aesm_select(list, n + 1, ours, 2, out), AESM_ERR_PARAMETER, "a list too long");
	is_int(aesm_select(list, 7, ours, 2, out), AESM_ERR_PARAMETER, "half a head");
	list[0] = 1;
	is_int(aesm_select(list, n, ours, 2, out), AESM_ERR_PARAMETER, "another id");
	list[0] = 0;
	list[2] = 1;
	is_int(aesm_select(list, n, ours, 2, out), AESM_ERR_PARAMETER, "another version");
	make_list(3);
	put_le32(list + 4, 0x80000003u);
	is_int(aesm_select(list, n, ours, 2, out), AESM_ERR_PARAMETER, "a count that would overflow");
	is_int(aesm_select(NULL, 0, ours, 0, out), AESM_ERR_KEY_ID, "where we have none");
}

static void test_identity(void)
{
	static struct aesm_request r;
	struct wire_identity i;
	uint8_t want[32];

	r.type = AESM_GET_LAUNCH_TOKEN;
	memset(r.mrenclave, 1, 32);
	memset(r.modulus, 2, 384);
	r.attributes.flags = ATTR_DEBUG;
	crypto_sha256(r.modulus, 384, want);
	aesm_request_identity(&r, &i);
	ok(i.known == (WIRE_KNOWN_MRENCLAVE | WIRE_KNOWN_MRSIGNER | WIRE_KNOWN_ATTRIBUTES) &&
		   i.mrenclave[5] == 1 && memcmp(i.mrsigner, want, 32) == 0 && i.attributes == ATTR_DEBUG,
	   "a token's enclave is signed by the modulus's hash");
	r.type = AESM_GET_QUOTE_EX;
	memset(r.report.body.mrsigner, 9, 32);
	aesm_request_identity(&r, &i);
	ok(i.known == WIRE_KNOWN_ALL && i.mrsigner[0] == 9, "a quote's is the report's");
	r.type = AESM_INIT_QUOTE_EX;
	aesm_request_identity(&r, &i);
	is_int(i.known, 0, "others are about none");
}

static void test_meaning(void)
{
	is_int(aesm_operation(AESM_GET_QUOTE_EX), WIRE_OP_QUOTE, "quotes");
	is_int(aesm_operation(AESM_KEY_IDS), WIRE_OP_QUOTE, "... and what leads to them");
	is_int(aesm_operation(AESM_GET_LAUNCH_TOKEN), WIRE_OP_LAUNCH, "tokens");
	is_int(aesm_operation(AESM_REGISTER), WIRE_OP_ADMINISTER, "a white list is everybody's");
	is_int(aesm_operation(AESM_CHECK_UPDATE), WIRE_OP_STATUS, "questions about the platform");
	is_int(aesm_error_of(0), AESM_OK, "no error");
	for (int rc = BAWN_ERR_NETWORK; rc < 0; rc++)
		if (aesm_error_of(rc) == AESM_OK)
			ok(false, "%d is an error", rc);
	is_int(aesm_error_of(BAWN_ERR_DENIED), AESM_ERR_LAUNCH_TOKEN, "what policy refuses has one code");
	is_int(aesm_error_of(-1000), AESM_ERR_UNEXPECTED, "an unknown error");
}

int main(void)
{
	test_key_ids();
	test_select();
	test_identity();
	test_meaning();
	return tap_done();
}
