/*
 * Calls: an ECALL from entry to its final exit, with the OCALLs and exceptions
 * in between. The ordinary path takes no lock and makes no system call.
 */
#include "host/host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert(offsetof(struct host_call, run) == 0 && offsetof(struct host_call, mxcsr) == 256 &&
		       offsetof(struct host_call, fcw) == 260,
	       "enter.S");
_Static_assert(sizeof(struct host_next) == 16 && offsetof(struct host_next, command) == 4 &&
		       offsetof(struct host_next, arg) == 8,
	       "enter.S takes it from RAX:RDX");

static const struct host_next leave;

/* ---- an enclave's end ---- */

void host_kill(struct bawn_enclave *en, enum host_state why)
{
	uint32_t running = HOST_RUNNING;

	atomic_compare_exchange_strong(&en->state, &running, why);
	host_wake_all(en);
	host_events_end(en);
}

int host_alive(const struct bawn_enclave *en, struct bawn_error *e)
{
	if (__builtin_expect(en->fork_generation != host_fork_generation(), 0))
		return err_set(e, BAWN_ERR_LOST, "the enclave belongs to the process that forked this one");
	switch (atomic_load_explicit(&en->state, memory_order_relaxed)) {
	case HOST_RUNNING:
		return 0;
	case HOST_CRASHED:
		return err_set(e, BAWN_ERR_CRASHED, "the enclave crashed in an earlier call: load it again");
	}
	return err_set(e, BAWN_ERR_LOST, "the enclave is lost: load it again");
}

static struct host_next give_up(struct host_call *c, enum host_state why)
{
	c->code = why == HOST_LOST ? BAWN_ERR_LOST : BAWN_ERR_CRASHED;
	host_kill(c->en, why);
	return leave;
}

static const char *vector_name(uint8_t vector)
{
	static const char *const names[] = {
		[VEC_DE] = "#DE", [VEC_DB] = "#DB", [VEC_BP] = "#BP", [VEC_BR] = "#BR",
		[VEC_UD] = "#UD", [VEC_GP] = "#GP", [VEC_PF] = "#PF", [VEC_MF] = "#MF",
		[VEC_AC] = "#AC", [VEC_XM] = "#XM", [VEC_CP] = "#CP",
	};

	return vector < ARRAY_LEN(names) && names[vector] ? names[vector] : "exception";
}

/* Why the call ended, in words. */
static int end_error(const struct host_call *c, struct bawn_error *e)
{
	const struct bawn_exception *x = &c->fault;

	if (c->code == BAWN_ERR_LOST)
		return err_set(e, c->code, "the enclave is gone (%s when entering it): load it again",
			       vector_name(x->vector));
	if (x->vector == VEC_PF)
		return err_set(e, c->code, "the enclave crashed: #PF (0x%x) at %s0x%llx, not handled",
			       x->error_code,
			       x->address - c->en->secs.baseaddr < c->en->secs.size ? "its offset " : "",
			       (unsigned long long)(x->address - c->en->secs.baseaddr <
						    c->en->secs.size
							    ? x->address - c->en->secs.baseaddr
							    : x->address));
	return err_set(e, c->code, "the enclave crashed: %s, not handled", vector_name(x->vector));
}

/* ---- OCALLs ---- */

static uint32_t ocall(struct host_call *c, long number, void *ms)
{
	struct bawn_enclave *en = c->en;
	uint32_t status = HOST_STATUS_FUNCTION;

	c->in_ocall = true;
	if (__builtin_expect(number < 0, 0))
		status = host_builtin(en, number, ms);
	else if ((size_t)number < en->ocall_count && en->ocalls[number])
		status = en->ocalls[number](ms, en->ocall_arg);
	c->in_ocall = false;
	return status;
}

static struct host_next on_eexit(struct host_call *c, long rdi, long rsi)
{
	uint32_t status, state;

	if (rdi == HOST_DONE) {
		c->result = (uint64_t)rsi;
		return leave;
	}
	/* Index and status are 32 bits wide. */
	status = ocall(c, (int32_t)rdi, (void *)(uintptr_t)rsi);
	/* A nested call may have been its end: then its TCS is not where this one left it. */
	state = atomic_load_explicit(&c->en->state, memory_order_relaxed);
	if (__builtin_expect(state != HOST_RUNNING, 0)) {
		c->code = state == HOST_LOST ? BAWN_ERR_LOST : BAWN_ERR_CRASHED;
		return leave;
	}
	return (struct host_next){ ENCLU_EENTER, HOST_ORET, status };
}

/* ---- exceptions ---- */

static int enter(struct host_call *c, long command, void *ms);

/*
 * The exception stopped the enclave at CSSA 0; it gets to handle it in an
 * entry of its own at CSSA 1, on top of this one on the same stack. If it
 * says that it did, ERESUME goes on from where it has put the saved state.
 */
static struct host_next deliver(struct host_call *c)
{
	struct host_call inner = { .en = c->en, .slot = c->slot };

	inner.run.tcs = c->run.tcs;
	if (c->en->aexnotify) {
		/* This one never exits: it goes on by EDECCSSA, in place of the entry that faulted. */
		c->delivered = true;
		return (struct host_next){ ENCLU_EENTER, HOST_EXCEPT, 0 };
	}
	if (enter(&inner, HOST_EXCEPT, NULL) == 0 && inner.code == 0 &&
	    (uint32_t)inner.result == HOST_STATUS_OK)
		return (struct host_next){ .leaf = ENCLU_ERESUME };
	if (inner.code == BAWN_ERR_LOST) {
		c->fault = inner.fault;
		return give_up(c, HOST_LOST);
	}
	return give_up(c, HOST_CRASHED);
}

static struct host_next on_exception(struct host_call *c)
{
	struct bawn_enclave *en = c->en;

	/* One level only: there is no frame for a fault in the first phase of handling one. */
	if (c->command == HOST_EXCEPT)
		return give_up(c, HOST_CRASHED);
	if (en->exception) {
		switch (en->exception(&c->fault, en->exception_arg)) {
		case BAWN_EXCEPTION_RESUME:
			return (struct host_next){ .leaf = ENCLU_ERESUME };
		case BAWN_EXCEPTION_FAIL:
			return give_up(c, HOST_CRASHED);
		case BAWN_EXCEPTION_ENCLAVE:
			break;
		}
	}
	if (atomic_load(&en->state) != HOST_RUNNING)
		return give_up(c, (enum host_state)atomic_load(&en->state));
	return deliver(c);
}

struct host_next host_dispatch(long rdi, long rsi, struct isa_run *run)
{
	struct host_call *c = (struct host_call *)run;

	if (__builtin_expect(run->function == ENCLU_EEXIT, 1))
		return on_eexit(c, rdi, rsi);
	c->fault = (struct bawn_exception){
		.vector = (uint8_t)run->exception_vector,
		.error_code = run->exception_error_code,
		.address = run->exception_vector == VEC_PF ? run->exception_addr : 0,
		.tcs = run->tcs,
	};
	if (run->function == ENCLU_ERESUME)
		return on_exception(c);
	/*
	 * EENTER itself faulted. A TCS that cannot be read is one that is gone; no
	 * frame left for the exception that is being delivered (#GP) is a crash.
	 */
	if (c->command == HOST_EXCEPT && c->fault.vector == VEC_GP)
		return give_up(c, HOST_CRASHED);
	return give_up(c, HOST_LOST);
}

/* ---- calls ---- */

/* c has en, slot and run.tcs; 0 or a negative errno of the entry function. */
static int enter(struct host_call *c, long command, void *ms)
{
	struct host_thread *t = host_thread();
	int r;

	c->command = (int16_t)(command < 0 ? command : 0);
	c->run.user_handler = (uint64_t)(uintptr_t)host_exited;
	c->outer = t->top;
	t->top = c;
	r = host_enter(c->en->enter, command, ms, c);
	t->top = c->outer;
	return r;
}

int host_run(struct bawn_enclave *en, struct host_slot *slot, long command, void *ms,
	     uint64_t *result, struct bawn_error *e)
{
	struct host_call c = { .en = en, .slot = slot };
	int r;

	c.run.tcs = slot->tcs;
	r = enter(&c, command, ms);
	if (__builtin_expect(r != 0, 0)) {
		errno = -r;
		return err_sys(e, "entering the enclave");
	}
	if (__builtin_expect(c.code != 0, 0))
		return end_error(&c, e);
	/* An exception that was delivered in place and refused ends the call with this. */
	if (__builtin_expect(c.delivered, 0) && ((uint32_t)c.result == HOST_STATUS_CRASHED ||
						 (uint32_t)c.result == HOST_STATUS_STACK)) {
		give_up(&c, HOST_CRASHED);
		return end_error(&c, e);
	}
	*result = c.result;
	return 0;
}

/* The TCS by which this thread is waiting for an OCALL of this enclave, if it is. */
static struct host_slot *nested_slot(const struct host_thread *t, const struct bawn_enclave *en)
{
	for (const struct host_call *c = t->top; c; c = c->outer)
		if (c->en == en)
			return c->in_ocall ? c->slot : NULL;
	return NULL;
}

int bawn_ecall(struct bawn_enclave *en, uint32_t index, void *ms, uint32_t *status,
	       struct bawn_error *e)
{
	struct host_thread *t = host_thread();
	struct host_slot *slot;
	uint64_t result;
	int r;

	if (!en || !status || index > INT32_MAX)
		return err_set(e, BAWN_ERR_USAGE, "ECALL: an enclave, an index below 2^31 and room for "
						  "the status are needed");
	if (__builtin_expect(en->no_init, 0))
		return err_set(e, BAWN_ERR_USAGE, "ECALL: the enclave was loaded without initialising it");
	r = host_alive(en, e);
	if (r)
		return r;
	slot = nested_slot(t, en);
	if (slot) {
		r = host_run(en, slot, (long)index, ms, &result, e);
	} else {
		r = host_slot_take(en, t, &slot, e);
		if (r)
			return r;
		r = host_run(en, slot, (long)index, ms, &result, e);
		host_slot_give(en, slot, r);
	}
	if (!r)
		*status = (uint32_t)result;
	return r;
}
