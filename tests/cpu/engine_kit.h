/*
 * For the tests of the engine: a small enclave, made page by page and signed
 * with a key of the moment, and calls into it. Its code is position-independent
 * assembly (engine_kit.c); what it can do are the commands below.
 */
#ifndef ENGINE_KIT_H
#define ENGINE_KIT_H

#include "cpu/engine.h"

/* RDI selects; RSI, RDX, R8, R9 are arguments; EEXIT with RDI, RSI, RDX as answers. */
enum kit_command {
	KIT_ADD,       /* RDI := RSI + RDX, RSI := CSSA, RDX := RSP */
	KIT_SPIN,      /* RSI rounds of arithmetic from RDX; RDI := the result */
	KIT_UD2,       /* and then RDI := RSI */
	KIT_GP,        /* a load from a non-canonical address; RDI := RSI */
	KIT_DE,        /* division by zero; RDI := RSI */
	KIT_INT3,      /* RDI := RSI */
	KIT_TF,        /* POPF with TF, some instructions; RDI := TF seen in RFLAGS */
	KIT_READ,      /* RDI := the 8 bytes at RSI */
	KIT_WRITE,     /* the 8 bytes at RSI := RDX */
	KIT_JUMP,      /* jump to RSI */
	KIT_AC,        /* AC set, 8 bytes read at RSI, AC clear; RDI := what was read */
	KIT_BASES,     /* RDI := 8 bytes at FS:0, RSI := at GS:8 */
	KIT_OCALL,     /* RSI pushed on the untrusted stack, EEXIT with RDI = -1 below it */
	KIT_ORET,      /* from there: RDI := what was pushed plus RSI, and out */
	KIT_DF,        /* RSI rounds with DF set; RDI := DF still set */
	KIT_VECTORS,   /* YMM0 to 15 filled from RSI, RDX rounds; RDI := registers that changed */
	KIT_CPUID,     /* leaf RSI; RDI := EBX */
	KIT_ENCLU,     /* leaf RSI, RBX = RDX, RCX = R8, RDX = R9; RDI := RAX */
	KIT_MF,        /* an unmasked x87 division by zero */
	KIT_XM,        /* the same in SSE */
	KIT_IN,        /* port input */
	KIT_SET_BASES, /* WRFSBASE RSI, WRGSBASE RDX, RSI rounds; RDI, RSI := the bases */
	KIT_XMM,       /* as KIT_VECTORS, with XMM registers */
	KIT_ZMM,       /* and with ZMM registers */
	KIT_REGISTERS, /* all general registers filled from RSI, RDX rounds; RDI := changed ones */
	KIT_NEST,      /* EEXIT with RDI = -2, RSI as it was: the handler may enter again */
};

#define KIT_SIZE 0x80000u
#define KIT_TCSS 8u
#define KIT_SSA_FRAMES 3u
/* Offsets. Code; data; read-only; one that may be anything; nothing; TCSs from KIT_TCS. */
#define KIT_CODE 0x0u
#define KIT_DATA 0x1000u
#define KIT_RODATA 0x2000u
#define KIT_RWX 0x3000u
#define KIT_ABSENT 0x8000u
#define KIT_TCS 0x10000u
#define KIT_STRIDE 0x8000u /* TCS, SSA frames (one page each), TLS at + 0x7000 */

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
