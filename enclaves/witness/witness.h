/*
 * witness.h: the calls of the witness enclave, for both sides. It does one of
 * each thing that an enclave can do, so that a platform, a device or a
 * runtime can be shown to work; tests and the demo drive it.
 *
 * Addresses are the host's, as integers; structures hold no padding.
 */
#ifndef WITNESS_H
#define WITNESS_H

#include <stdint.h>

enum witness_ecall {
	WITNESS_EMPTY,      /* no arguments */
	WITNESS_ECHO,       /* struct witness_echo */
	WITNESS_SUM,        /* struct witness_sum; OCALL WITNESS_ADD */
	WITNESS_DEEP,       /* struct witness_deep; OCALL WITNESS_AGAIN; may be nested */
	WITNESS_TARGETINFO, /* struct witness_targetinfo */
	WITNESS_REPORT,     /* struct witness_report */
	WITNESS_VERIFY,     /* struct witness_verify */
	WITNESS_KEY,        /* struct witness_key */
	WITNESS_SEAL,       /* struct witness_seal */
	WITNESS_UNSEAL,     /* struct witness_unseal */
	WITNESS_FAULT,      /* struct witness_fault */
	WITNESS_COMPUTE,    /* struct witness_compute */
	WITNESS_THREAD,     /* struct witness_thread */
	WITNESS_BOUNDS,     /* struct witness_bounds */
};

enum witness_ocall {
	WITNESS_ADD,   /* struct witness_add: the host adds */
	WITNESS_AGAIN, /* struct witness_deep: the host calls WITNESS_DEEP with it */
};

/* Statuses of its own. */
#define WITNESS_WRONG 0x10000u /* the host's answer is not what it should be */

#define WITNESS_BUFFER 8192u /* the most it takes at once */

/* Copies in_size bytes from `in`, to `out`. */
struct witness_echo {
	uint64_t in, out;
	uint64_t size;
};
/* a + b, by the host; the enclave checks. */
struct witness_sum {
	uint64_t a, b, sum;
};
struct witness_add {
	uint64_t a, b, sum;
};
/* Calls out `depth` times, each from within the last; `reached` counts on the way back. */
struct witness_deep {
	uint64_t depth, reached;
};
struct witness_targetinfo {
	uint8_t targetinfo[512];
};
struct witness_report {
	uint8_t targetinfo[512];
	uint8_t data[64];
	uint8_t report[432];
};
struct witness_verify {
	uint8_t report[432];
};
/* The CMAC under the key asked for, of "witness": tells keys apart without showing them. */
struct witness_key {
	uint8_t keyrequest[512];
	uint8_t fingerprint[16];
};
/* All pointers are the host's; *_size is what there is room for, then what there is. */
struct witness_seal {
	uint64_t policy; /* 1 MRENCLAVE, 2 MRSIGNER */
	uint64_t aad, aad_size;
	uint64_t text, text_size;
	uint64_t blob, blob_size;
};
struct witness_unseal {
	uint64_t blob, blob_size;
	uint64_t aad, aad_size;
	uint64_t text, text_size;
};

enum witness_fault_kind {
	WITNESS_FAULT_UD,       /* UD2, stepped over */
	WITNESS_FAULT_DIVIDE,   /* division by zero, repaired: result = 42 / the new divisor, 7 */
	WITNESS_FAULT_PAGE,     /* a read of the enclave's guard page; result = its offset in the enclave */
	WITNESS_FAULT_OCALL,    /* an OCALL from the handler: result = what it was refused with */
	WITNESS_FAULT_FATAL,    /* the rest end the enclave: UD2, not handled */
	WITNESS_FAULT_HANDLER,  /* UD2, then another in the handler */
	WITNESS_FAULT_STACK,    /* recursion without end */
	WITNESS_FAULT_CANARY,   /* an overrun of a buffer on the stack */
	WITNESS_FAULT_ABORT,    /* bawn_abort() */
};
/* Vector registers hold a pattern across the fault and are checked after it. */
struct witness_fault {
	uint64_t kind;
	uint64_t result;
	uint64_t vector; /* as the handler saw it */
};
/* A long computation in general and vector registers: the same result for the same rounds, always. */
struct witness_compute {
	uint64_t rounds;
	uint64_t result;
};
/* Adds to a variable of the thread's own, and to one shared by all. */
struct witness_thread {
	uint64_t add;
	uint64_t thread, own, shared;
};
/* What the enclave makes of an address that the host names. */
struct witness_bounds {
	uint64_t address, size;
	uint64_t outside, inside;
	uint64_t copied; /* it could be copied in (of at most WITNESS_BUFFER bytes) */
};

#endif
