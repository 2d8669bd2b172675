/*
 * For the tests of the engine: a small enclave, made page by page and signed
 * with a key of the moment, and calls into it. What it can do: kit_enclave.h.
 */
#ifndef ENGINE_KIT_H
#define ENGINE_KIT_H

#include "cpu/engine.h"
#include "kit_enclave.h"

struct kit {
	struct cpu_epc *epc;
	uint64_t base;
	uint64_t tcs[KIT_TCSS];
};

struct kit_options {
	bool sgx1;
	bool debug_opt_in; /* TCS.FLAGS.DBGOPTIN on all TCSs */
	uint64_t xfrm;     /* 0: what the machine has */
};

/* Make the key that signs enclaves, which takes a while; kit_make does it if need be. */
void kit_key(void);
/* A new enclave, mapped, the engine started unless told otherwise. Exits the test on failure. */
void kit_make(struct kit *k, const struct kit_options *o);
void kit_free(struct kit *k);

struct kit_answer;
/*
 * Called for an exception, before the call returns: what to do next, as the
 * handler of cpu_enter_enclave would say (ENCLU_ERESUME, or 0 to give up).
 */
typedef int (*kit_fix)(const struct kit *k, unsigned tcs, struct kit_answer *a);

/* What came back of a call. */
struct kit_answer {
	int ret; /* cpu_enter_enclave's value */
	struct isa_run run;
	uint64_t rdi, rsi, rdx, rsp; /* as EEXIT left them */
	unsigned exceptions;
	struct isa_run first; /* as at the first exception */
	const struct kit *kit;
	unsigned tcs;
	kit_fix fix;
};
struct kit_answer kit_call(const struct kit *k, unsigned tcs, enum kit_command c, uint64_t rsi,
			   uint64_t rdx);
/* With all arguments; fix may be NULL, which gives up. */
struct kit_answer kit_call_fix(const struct kit *k, unsigned tcs, enum kit_command c, uint64_t rsi,
			       uint64_t rdx, uint64_t r8, uint64_t r9, kit_fix fix);
/*
 * ERESUME alone. What it resumes returns to the frame that entered it, so this
 * is for calls that cannot succeed.
 */
struct kit_answer kit_resume(const struct kit *k, unsigned tcs);
/* Forget the SSA frames of a call that was given up. */
void kit_drop(const struct kit *k, unsigned tcs);
/* The saved registers of the SSA frame last filled, through the EPC. */
struct isa_gprsgx *kit_ssa(const struct kit *k, unsigned tcs);
struct isa_tcs *kit_tcs(const struct kit *k, unsigned tcs);
/* What KIT_SPIN answers. */
uint64_t kit_spin(uint64_t rounds, uint64_t from);
/* A child process that calls fn and exits with its value; returns its wait status. */
int kit_child(int (*fn)(void *arg), void *arg);

#endif
