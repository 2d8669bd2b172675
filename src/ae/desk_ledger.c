/* The ledger enclave by way of the desk: the end of an audit log, sealed. */
#include "ae/desk.h"

#include <string.h>

struct step {
	uint8_t *blob;
	const uint8_t *end, *secret; /* secret: key or proof */
	struct ae_ledger_state *state;
};

/*
 * An enclave of another kind that was put in its place has structures of other
 * sizes, which it reads and writes whole. With nothing but zeros behind ours it
 * refuses.
 */
static int ask(struct bawn_enclave *en, uint32_t index, const void *ms, size_t n, const char *what,
	       struct bawn_error *e)
{
	uint64_t room[64] = { 0 };

	memcpy(room, ms, n);
	return ae_call(en, index, room, what, e);
}

static int ask_begin(struct bawn_enclave *en, void *arg, struct bawn_error *e)
{
	struct step *x = arg;
	const struct ae_ms_ledger_begin ms = { .end = ae_address(x->end), .key = ae_address(x->secret),
					       .blob = ae_address(x->blob) };

	return ask(en, AE_LEDGER_BEGIN, &ms, sizeof(ms), "beginning to seal the audit log's end", e);
}

static int ask_note(struct bawn_enclave *en, void *arg, struct bawn_error *e)
{
	struct step *x = arg;
	const struct ae_ms_ledger_note ms = { .blob = ae_address(x->blob), .end = ae_address(x->end),
					      .proof = ae_address(x->secret) };

	return ask(en, AE_LEDGER_NOTE, &ms, sizeof(ms), "sealing the audit log's end", e);
}

static int ask_read(struct bawn_enclave *en, void *arg, struct bawn_error *e)
{
	struct step *x = arg;
	const struct ae_ms_ledger_read ms = { .blob = ae_address(x->blob), .state = ae_address(x->state) };

	return ask(en, AE_LEDGER_READ, &ms, sizeof(ms), "reading the audit log's end as sealed", e);
}

/* The enclave writes to a copy: what it refuses, or dies over, leaves the caller's as it was. */
static int change(struct ae_desk *d, desk_fn fn, const uint8_t *end, const uint8_t *secret,
		  uint8_t blob[AE_LEDGER_BLOB_BYTES], struct bawn_error *e)
{
	uint8_t copy[AE_LEDGER_BLOB_BYTES];
	struct step x = { .blob = copy, .end = end, .secret = secret };
	int rc;

	memcpy(copy, blob, sizeof(copy));
	rc = desk_do(d, AE_LEDGER, fn, &x, e);
	if (rc == 0)
		memcpy(blob, copy, sizeof(copy));
	return rc;
}

int ae_desk_ledger_begin(struct ae_desk *d, const uint8_t end[AE_LEDGER_END_BYTES], const uint8_t key[32],
			 uint8_t blob[AE_LEDGER_BLOB_BYTES], struct bawn_error *e)
{
	memset(blob, 0, AE_LEDGER_BLOB_BYTES);
	return change(d, ask_begin, end, key, blob, e);
}

int ae_desk_ledger_note(struct ae_desk *d, uint8_t blob[AE_LEDGER_BLOB_BYTES],
			const uint8_t end[AE_LEDGER_END_BYTES], const uint8_t proof[32], struct bawn_error *e)
{
	return change(d, ask_note, end, proof, blob, e);
}

int ae_desk_ledger_read(struct ae_desk *d, const uint8_t blob[AE_LEDGER_BLOB_BYTES],
			struct ae_ledger_state *out, struct bawn_error *e)
{
	uint8_t copy[AE_LEDGER_BLOB_BYTES];
	struct step x = { .blob = copy, .state = out };

	memcpy(copy, blob, sizeof(copy));
	return desk_do(d, AE_LEDGER, ask_read, &x, e);
}
