/* From the entry point to what was asked for: each command, or a refusal. */
#include "runtime/runtime.h"

_Static_assert(offsetof(struct runtime_thread, self) == T_SELF, "abi.h");
_Static_assert(offsetof(struct runtime_thread, ocall) == T_OCALL, "abi.h");
_Static_assert(offsetof(struct runtime_thread, entry) == T_ENTRY, "abi.h");
_Static_assert(offsetof(struct runtime_thread, canary) == T_CANARY, "abi.h");
_Static_assert(sizeof(struct runtime_thread) <= ISA_PAGE, "a thread has one page");
_Static_assert(offsetof(struct runtime_entry, command) == E_COMMAND, "abi.h");
_Static_assert(offsetof(struct runtime_entry, argument) == E_ARGUMENT, "abi.h");
_Static_assert(offsetof(struct runtime_entry, tcs) == E_TCS, "abi.h");
_Static_assert(offsetof(struct runtime_entry, cssa) == E_CSSA, "abi.h");
_Static_assert(offsetof(struct runtime_entry, ret) == E_RETURN, "abi.h");
_Static_assert(offsetof(struct runtime_entry, urbp) == E_URBP, "abi.h");
_Static_assert(offsetof(struct runtime_entry, ursp) == E_URSP, "abi.h");
_Static_assert(offsetof(struct runtime_entry, mxcsr) == E_MXCSR, "abi.h");
_Static_assert(offsetof(struct runtime_entry, fcw) == E_FCW, "abi.h");
_Static_assert(sizeof(struct runtime_entry) == E_SIZE, "abi.h");
_Static_assert(offsetof(struct runtime_ocall_frame, previous) == O_PREVIOUS, "abi.h");
_Static_assert(offsetof(struct runtime_ocall_frame, entry) == O_ENTRY, "abi.h");
_Static_assert(offsetof(struct runtime_ocall_frame, mxcsr) == O_MXCSR, "abi.h");
_Static_assert(offsetof(struct runtime_ocall_frame, fcw) == O_FCW, "abi.h");
_Static_assert(sizeof(struct runtime_ocall_frame) == O_SIZE, "abi.h");
_Static_assert(offsetof(struct isa_enclave_layout, stack_top) == L_STACK_TOP, "abi.h");

/* UNINIT: the host has no more calls to make. Not from within an OCALL of its own thread. */
static uint32_t uninit(const struct runtime_thread *t)
{
	if (t->ocall)
		return BAWN_STATUS_FAILED;
	runtime_close();
	return BAWN_STATUS_OK;
}

/*
 * Called by enclave_entry on the trusted stack; the return value is the
 * status that the host gets. An ORET does not return: it goes on where the
 * OCALL was made.
 */
uint32_t runtime_enter(struct runtime_entry *e)
{
	struct runtime_thread *t;

	/* Not by the FS base: its `self` is unset before the first entry. */
	t = (struct runtime_thread *)(e->tcs + (uint64_t)runtime_layout()->td);
	if (e->cssa)
		return runtime_except(e, t);
	if (e->command == CMD_INIT)
		return runtime_init(e, t);
	switch (runtime_state_get()) {
	case STATE_READY:
		break;
	case STATE_CLOSED:
		return BAWN_STATUS_CRASHED;
	default:
		return BAWN_STATUS_FAILED;
	}
	runtime_fence();
	if (!t->self && !runtime_thread_init(t, e->tcs)) {
		runtime_close();
		return BAWN_STATUS_FAILED;
	}
	if (e->command >= 0)
		return runtime_ecall(e, t);
	switch (e->command) {
	case CMD_ORET:
		if (!t->ocall)
			return BAWN_STATUS_FAILED;
		runtime_fence();
		runtime_ocall_resume(t->ocall, e->argument);
	case CMD_UNINIT:
		return uninit(t);
	case CMD_EXCEPT: /* nothing was interrupted */
		return BAWN_STATUS_FAILED;
	default: /* MKTCS, PTHREAD and what else SDK enclaves with dynamic threads know */
		return BAWN_STATUS_FUNCTION;
	}
}
