/* The witness enclave: one of each thing that an enclave can do. */
#include "bawn_enclave.h"
#include "witness/witness.h"

#include <string.h>

static uint32_t empty(void *args)
{
	(void)args;
	return BAWN_STATUS_OK;
}

static uint32_t echo(void *args)
{
	struct witness_echo *a = args;
	uint8_t buffer[WITNESS_BUFFER];

	if (a->size > sizeof(buffer))
		return BAWN_STATUS_MEMORY;
	if (!bawn_copy_in(buffer, a->in, a->size) || !bawn_copy_out(a->out, buffer, a->size))
		return BAWN_STATUS_ARGUMENT;
	return BAWN_STATUS_OK;
}

static uint32_t sum(void *args)
{
	struct witness_sum *a = args;
	struct witness_add add = { .a = a->a, .b = a->b };
	uint32_t status = bawn_ocall(WITNESS_ADD, &add, sizeof(add));

	if (status != BAWN_STATUS_OK)
		return status;
	/* The answer is the host's word: here it can be checked. */
	if (add.sum != a->a + a->b)
		return WITNESS_WRONG;
	a->sum = add.sum;
	return BAWN_STATUS_OK;
}

static uint32_t deep(void *args)
{
	struct witness_deep *a = args;
	struct witness_deep next = { .depth = a->depth - 1 };
	uint32_t status;

	a->reached = 0;
	if (!a->depth)
		return BAWN_STATUS_OK;
	status = bawn_ocall(WITNESS_AGAIN, &next, sizeof(next));
	if (status != BAWN_STATUS_OK)
		return status;
	if (next.reached != a->depth - 1)
		return WITNESS_WRONG;
	a->reached = a->depth;
	return BAWN_STATUS_OK;
}

static uint32_t targetinfo(void *args)
{
	struct witness_targetinfo *a = args;
	struct bawn_targetinfo t;

	bawn_self_targetinfo(&t);
	memcpy(a->targetinfo, &t, sizeof(t));
	return BAWN_STATUS_OK;
}

static uint32_t report(void *args)
{
	struct witness_report *a = args;
	struct bawn_targetinfo t;
	struct bawn_report r;
	uint32_t status;

	memcpy(&t, a->targetinfo, sizeof(t));
	status = bawn_report(&t, a->data, &r);
	if (status == BAWN_STATUS_OK)
		memcpy(a->report, &r, sizeof(r));
	return status;
}

static uint32_t verify(void *args)
{
	struct witness_verify *a = args;
	struct bawn_report r;

	memcpy(&r, a->report, sizeof(r));
	return bawn_verify_report(&r);
}

static uint32_t key(void *args)
{
	struct witness_key *a = args;
	struct bawn_keyrequest request;
	uint8_t k[16];
	uint32_t status;

	memcpy(&request, a->keyrequest, sizeof(request));
	status = bawn_key(&request, k);
	if (status != BAWN_STATUS_OK)
		return status;
	bawn_cmac(k, "witness", 7, a->fingerprint);
	bawn_wipe(k, sizeof(k));
	return BAWN_STATUS_OK;
}

static uint32_t seal(void *args)
{
	struct witness_seal *a = args;
	uint8_t aad[WITNESS_BUFFER / 2], text[WITNESS_BUFFER / 2];
	uint8_t blob[WITNESS_BUFFER + BAWN_SEAL_OVERHEAD];
	uint32_t status;
	size_t n;

	if (a->aad_size > sizeof(aad) || a->text_size > sizeof(text))
		return BAWN_STATUS_MEMORY;
	n = bawn_sealed_size(a->aad_size, a->text_size);
	if (n > a->blob_size)
		return BAWN_STATUS_MEMORY;
	if (!bawn_copy_in(aad, a->aad, a->aad_size) ||
	    !bawn_copy_in(text, a->text, a->text_size))
		return BAWN_STATUS_ARGUMENT;
	status = bawn_seal((enum bawn_seal_policy)a->policy, aad, a->aad_size, text, a->text_size,
			   blob, sizeof(blob));
	bawn_wipe(text, sizeof(text));
	if (status != BAWN_STATUS_OK)
		return status;
	a->blob_size = n;
	return bawn_copy_out(a->blob, blob, n) ? BAWN_STATUS_OK : BAWN_STATUS_ARGUMENT;
}

static uint32_t unseal(void *args)
{
	struct witness_unseal *a = args;
	uint8_t blob[WITNESS_BUFFER + BAWN_SEAL_OVERHEAD], text[WITNESS_BUFFER];
	struct bawn_sealed parts;
	uint32_t status;
	size_t n;

	if (a->blob_size > sizeof(blob))
		return BAWN_STATUS_MEMORY;
	if (!bawn_copy_in(blob, a->blob, a->blob_size))
		return BAWN_STATUS_ARGUMENT;
	status = bawn_unseal(blob, a->blob_size, text, sizeof(text), &n, &parts);
	if (status != BAWN_STATUS_OK)
		return status;
	if (parts.aad_n > a->aad_size || n > a->text_size)
		status = BAWN_STATUS_MEMORY;
	else if (!bawn_copy_out(a->aad, parts.aad, parts.aad_n) ||
		 !bawn_copy_out(a->text, text, n))
		status = BAWN_STATUS_ARGUMENT;
	bawn_wipe(text, sizeof(text));
	if (status == BAWN_STATUS_OK) {
		a->aad_size = parts.aad_n;
		a->text_size = n;
	}
	return status;
}

static uint32_t compute(void *args)
{
	struct witness_compute *a = args;
	uint64_t x = UINT64_C(0x9e3779b97f4a7c15), bits;
	double d = 1.0;

	/* xorshift64*, and a sum of quotients in vector registers: exact, so the same everywhere. */
	for (uint64_t i = 0; i < a->rounds; i++) {
		x ^= x >> 12;
		x ^= x << 25;
		x ^= x >> 27;
		d = d / 3.0 + (double)(x >> 40);
	}
	memcpy(&bits, &d, sizeof(bits));
	a->result = x * UINT64_C(0x2545f4914f6cdd1d) ^ bits;
	return BAWN_STATUS_OK;
}

static uint32_t thread(void *args)
{
	static _Thread_local uint64_t own = 1000;
	static uint64_t shared;
	struct witness_thread *a = args;

	own += a->add;
	a->thread = bawn_thread_id();
	a->own = own;
	a->shared = __atomic_add_fetch(&shared, a->add, __ATOMIC_SEQ_CST);
	return BAWN_STATUS_OK;
}

static uint32_t bounds(void *args)
{
	struct witness_bounds *a = args;
	uint8_t buffer[WITNESS_BUFFER];

	a->outside = bawn_outside(a->address, a->size);
	a->inside = bawn_inside((const void *)a->address, a->size);
	a->copied = a->size <= sizeof(buffer) && bawn_copy_in(buffer, a->address, a->size);
	return BAWN_STATUS_OK;
}

uint32_t witness_fault(void *args);

const struct bawn_ecall bawn_ecalls[] = {
	[WITNESS_EMPTY] = { empty, 0, 0 },
	[WITNESS_ECHO] = { echo, sizeof(struct witness_echo), 0 },
	[WITNESS_SUM] = { sum, sizeof(struct witness_sum), 0 },
	[WITNESS_DEEP] = { deep, sizeof(struct witness_deep), BAWN_ECALL_NESTED },
	[WITNESS_TARGETINFO] = { targetinfo, sizeof(struct witness_targetinfo), 0 },
	[WITNESS_REPORT] = { report, sizeof(struct witness_report), 0 },
	[WITNESS_VERIFY] = { verify, sizeof(struct witness_verify), 0 },
	[WITNESS_KEY] = { key, sizeof(struct witness_key), 0 },
	[WITNESS_SEAL] = { seal, sizeof(struct witness_seal), 0 },
	[WITNESS_UNSEAL] = { unseal, sizeof(struct witness_unseal), 0 },
	[WITNESS_FAULT] = { witness_fault, sizeof(struct witness_fault), 0 },
	[WITNESS_COMPUTE] = { compute, sizeof(struct witness_compute), 0 },
	[WITNESS_THREAD] = { thread, sizeof(struct witness_thread), 0 },
	[WITNESS_BOUNDS] = { bounds, sizeof(struct witness_bounds), 0 },
};
const uint32_t bawn_ecall_count = sizeof(bawn_ecalls) / sizeof(bawn_ecalls[0]);
