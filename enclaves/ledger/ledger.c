/*
 * The ledger enclave: keeps the end of an audit log where only it can write.
 * The log's key goes from line to line by a hash, and each is forgotten once it
 * is used (doc/AUDIT.md). What is sealed here has the key as it was at the end
 * last noted; another end is taken if it is proven with the key that follows
 * from that one. So whoever takes the machine over, and has the keys of lines to
 * come, cannot have an end sealed that lies before: not of this log.
 *
 * What no enclave can know: whether the blob that it is given is the last one.
 */
#include "ae/abi.h"
#include "bawn_enclave.h"

#include <bearssl.h>
#include <string.h>

struct ledger {
	struct ae_ledger_state state;
	uint8_t key[32]; /* of the line after state.end */
};
_Static_assert(sizeof(struct ae_ledger_state) + 32 + BAWN_SEAL_OVERHEAD == AE_LEDGER_BLOB_BYTES, "blob");
_Static_assert(sizeof(AE_LEDGER_NAME) == sizeof(AE_LEDGER_NEXT) &&
		       sizeof(AE_LEDGER_NAME) == sizeof(AE_LEDGER_PROVES),
	       "none of the labels begins another");

static void labelled(const char *label, const uint8_t key[32], uint8_t out[32])
{
	br_sha256_context h;

	br_sha256_init(&h);
	br_sha256_update(&h, label, strlen(label));
	br_sha256_update(&h, key, 32);
	br_sha256_out(&h, out);
	bawn_wipe(&h, sizeof(h));
}

static uint64_t count_of(const uint8_t end[AE_LEDGER_END_BYTES])
{
	uint64_t n;

	memcpy(&n, end + AE_LEDGER_END_COUNT, sizeof(n));
	return n;
}

/* ---- blobs ---- */

static uint32_t seal(const struct ledger *l, uint64_t where)
{
	uint8_t blob[AE_LEDGER_BLOB_BYTES];

	if (bawn_seal(BAWN_SEAL_MRSIGNER, &l->state, sizeof(l->state), l->key, sizeof(l->key), blob,
		      sizeof(blob)) != BAWN_STATUS_OK)
		return AE_FAILURE;
	return bawn_copy_out(where, blob, sizeof(blob)) ? AE_SUCCESS : AE_INVALID_PARAMETER;
}

static uint32_t unseal(uint64_t where, struct ledger *l)
{
	uint8_t blob[AE_LEDGER_BLOB_BYTES];
	struct bawn_sealed s;
	size_t n;

	if (!bawn_copy_in(blob, where, sizeof(blob)))
		return AE_INVALID_PARAMETER;
	if (bawn_sealed_parse(blob, sizeof(blob), &s) != BAWN_STATUS_OK || s.policy != BAWN_SEAL_MRSIGNER ||
	    s.aad_n != sizeof(l->state) || s.n != sizeof(l->key))
		return AE_LEDGER_BLOB;
	switch (bawn_unseal(blob, sizeof(blob), l->key, sizeof(l->key), &n, &s)) {
	case BAWN_STATUS_OK:
		memcpy(&l->state, s.aad, sizeof(l->state));
		return AE_SUCCESS;
	case BAWN_STATUS_CPUSVN:
	case BAWN_STATUS_ISVSVN:
		return AE_LEDGER_ABOVE;
	case BAWN_STATUS_MAC:
		return AE_LEDGER_BLOB;
	default:
		return AE_FAILURE;
	}
}

/* ---- what is asked ---- */

/*
 * With no line yet, the log's name must be the key's own: to begin the same log
 * once more takes its first key. With lines, the state says from where on, and
 * its name tells it from what somebody else begins there with a key of theirs.
 */
static uint32_t begin(const struct ae_ms_ledger_begin *a)
{
	static const uint8_t none[32];
	uint32_t answer = AE_SUCCESS;
	struct ledger l;
	uint64_t first;
	uint8_t name[32];

	if (!bawn_copy_in(l.state.end, a->end, sizeof(l.state.end)) ||
	    !bawn_copy_in(l.key, a->key, sizeof(l.key)))
		return AE_INVALID_PARAMETER;
	first = count_of(l.state.end) + 1;
	memcpy(l.state.first, &first, sizeof(first));
	labelled(AE_LEDGER_NAME, l.key, name);
	memcpy(l.state.name, name, sizeof(l.state.name));
	if (first == 0)
		answer = AE_INVALID_PARAMETER;
	else if (first == 1 && (!bawn_equal(name, l.state.end + AE_LEDGER_END_LOG, sizeof(l.state.name)) ||
				!bawn_equal(none, l.state.end + AE_LEDGER_END_MAC, 32)))
		answer = AE_LEDGER_LOG;
	if (answer == AE_SUCCESS)
		answer = seal(&l, a->blob);
	bawn_wipe(&l, sizeof(l));
	return answer;
}

/* Move on to this end, if it is what has become of the one in l. */
static uint32_t follow(struct ledger *l, const uint8_t end[AE_LEDGER_END_BYTES], const uint8_t proof[32])
{
	const uint64_t from = count_of(l->state.end), to = count_of(end);
	br_hmac_key_context key;
	br_hmac_context mac;
	uint8_t derived[32], right[32];
	bool proven;

	if (!bawn_equal(end + AE_LEDGER_END_LOG, l->state.end + AE_LEDGER_END_LOG, 16))
		return AE_LEDGER_LOG;
	if (to < from || (to == from && !bawn_equal(end + AE_LEDGER_END_MAC, l->state.end + AE_LEDGER_END_MAC, 32)))
		return AE_LEDGER_BACK;
	if (to - from > AE_LEDGER_STEPS)
		return AE_LEDGER_FAR;
	for (uint64_t i = from; i < to; i++)
		labelled(AE_LEDGER_NEXT, l->key, l->key);
	labelled(AE_LEDGER_PROVES, l->key, derived);
	br_hmac_key_init(&key, &br_sha256_vtable, derived, sizeof(derived));
	br_hmac_init(&mac, &key, 0);
	br_hmac_update(&mac, end, AE_LEDGER_END_BYTES);
	br_hmac_out(&mac, right);
	bawn_wipe(derived, sizeof(derived));
	bawn_wipe(&key, sizeof(key));
	bawn_wipe(&mac, sizeof(mac));
	proven = bawn_equal(right, proof, sizeof(right));
	bawn_wipe(right, sizeof(right)); /* of whatever end the host came with */
	if (!proven)
		return AE_LEDGER_PROOF;
	memcpy(l->state.end, end, AE_LEDGER_END_BYTES);
	return AE_SUCCESS;
}

static uint32_t note(const struct ae_ms_ledger_note *a)
{
	uint8_t end[AE_LEDGER_END_BYTES], proof[32];
	struct ledger l;
	uint32_t answer;

	if (!bawn_copy_in(end, a->end, sizeof(end)) || !bawn_copy_in(proof, a->proof, sizeof(proof)))
		return AE_INVALID_PARAMETER;
	answer = unseal(a->blob, &l);
	if (answer == AE_SUCCESS)
		answer = follow(&l, end, proof);
	if (answer == AE_SUCCESS)
		answer = seal(&l, a->blob);
	bawn_wipe(&l, sizeof(l));
	return answer;
}

static uint32_t read_state(const struct ae_ms_ledger_read *a)
{
	struct ledger l;
	uint32_t answer = unseal(a->blob, &l);

	if (answer == AE_SUCCESS && !bawn_copy_out(a->state, &l.state, sizeof(l.state)))
		answer = AE_INVALID_PARAMETER;
	bawn_wipe(&l, sizeof(l));
	return answer;
}

static uint32_t ecall_begin(void *args)
{
	struct ae_ms_ledger_begin *a = args;

	a->answer = begin(a);
	return BAWN_STATUS_OK;
}

static uint32_t ecall_note(void *args)
{
	struct ae_ms_ledger_note *a = args;

	a->answer = note(a);
	return BAWN_STATUS_OK;
}

static uint32_t ecall_read(void *args)
{
	struct ae_ms_ledger_read *a = args;

	a->answer = read_state(a);
	return BAWN_STATUS_OK;
}

const struct bawn_ecall bawn_ecalls[] = {
	[AE_LEDGER_BEGIN] = { ecall_begin, sizeof(struct ae_ms_ledger_begin), 0 },
	[AE_LEDGER_NOTE] = { ecall_note, sizeof(struct ae_ms_ledger_note), 0 },
	[AE_LEDGER_READ] = { ecall_read, sizeof(struct ae_ms_ledger_read), 0 },
};
const uint32_t bawn_ecall_count = sizeof(bawn_ecalls) / sizeof(bawn_ecalls[0]);
