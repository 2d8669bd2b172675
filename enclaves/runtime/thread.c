/* A thread's first entry: where its stack is, its canary, its thread-local storage. */
#include "runtime/runtime.h"

#include <string.h>

#define TLS_ALIGN 64 /* of the PT_TLS segment: enclave.lds */

size_t runtime_tls_size(void)
{
	size_t n = (size_t)(runtime_tls_end - runtime_tls_start);

	return (n + TLS_ALIGN - 1) & ~(size_t)(TLS_ALIGN - 1);
}

void runtime_tls_init(struct runtime_thread *t)
{
	uint8_t *tls = (uint8_t *)t - runtime_tls_size();
	size_t data = (size_t)(runtime_tls_data_end - runtime_tls_start);

	memcpy(tls, runtime_tls_start, data);
	memset(tls + data, 0, runtime_tls_size() - data);
}

bool runtime_thread_init(struct runtime_thread *t, uint64_t tcs)
{
	const struct isa_enclave_layout *l = runtime_layout();
	uint64_t canary;

	if (!bawn_random(&canary, sizeof(canary)))
		return false;
	t->tcs = tcs;
	t->stack_limit = tcs + (uint64_t)l->stack_start;
	t->stack_top = tcs + (uint64_t)l->stack_top - FAULT_STACK;
	t->gpr = (struct isa_gprsgx *)(tcs + (uint64_t)l->ssa + l->ssa_frame_size) - 1;
	/* A zero byte first: a string that overruns its buffer stops there. */
	t->canary = canary << 8;
	runtime_tls_init(t);
	t->self = t;
	return true;
}

uint64_t bawn_thread_id(void)
{
	return runtime_thread()->tcs - runtime_base;
}
