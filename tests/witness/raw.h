/*
 * The host that an enclave has to fear: enters by any command, at any time,
 * with any stack, and need not come back as it said it would.
 */
#ifndef TESTS_WITNESS_RAW_H
#define TESTS_WITNESS_RAW_H

#include "host/host.h"

/* How an entry ended. */
struct raw_exit {
	int result;        /* of the entry function */
	uint32_t function; /* EEXIT; ERESUME: an exception; EENTER: it could not even enter */
	int64_t rdi, rsi;  /* EEXIT */
	uint16_t vector;
};

/*
 * What to do about an OCALL: returns true, and the command and argument to
 * enter with next, or false to leave it at that.
 */
typedef bool (*raw_ocall_fn)(struct bawn_enclave *en, const struct raw_exit *x, int64_t *command,
			     uint64_t *argument);
extern raw_ocall_fn raw_ocall; /* NULL: leave it, always */

/*
 * One entry on one TCS by EENTER or ERESUME, through the device's own entry
 * function, always with the same stack pointer for the same nesting, so that
 * an exit finds its way back from an entry other than its own.
 */
struct raw_exit raw_enter(struct bawn_enclave *en, unsigned slot, uint32_t leaf, int64_t command,
			  uint64_t argument);
/* The status of an entry that must end with RDI = -1; UINT32_MAX if it does not. */
uint32_t raw_status(struct bawn_enclave *en, unsigned slot, int64_t command, uint64_t argument);

/* Registers for an ENCLU of our own, and those that it left. */
struct raw_regs {
	uint64_t rax, rbx, rdi, rsi, rsp;
	uint64_t others[4]; /* after: R8 | R12, R9 | R13, R10 | R14, R11 | R15 */
	uint64_t rdx;
	uint8_t xmm[16]; /* after: all sixteen, ORed */
	uint8_t unused[8];
	uint64_t rflags;
	uint32_t mxcsr;
	uint16_t fcw;
};
#define RAW_RFLAGS 0x2u
#define RAW_MXCSR 0x1f80u
#define RAW_FCW 0x37fu
/* EENTER with these; RAX and RBX are set here. */
void raw_enclu_on(struct bawn_enclave *en, unsigned slot, struct raw_regs *r);
/* The same by an ENCLU of our own, with this stack pointer, which must come back. */
uint32_t raw_status_on(struct bawn_enclave *en, unsigned slot, int64_t command, uint64_t argument,
		       uint64_t rsp);

#endif
