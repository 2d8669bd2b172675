/* An enclave made by hand (raw_enclave.S), to be loaded with thread layouts that no tool makes. */
#ifndef TESTS_HOST_RAW_H
#define TESTS_HOST_RAW_H

#include "host/host.h"

enum raw_ecall {
	RAW_EMPTY,
	RAW_ADD,     /* { a, b, sum } */
	RAW_OCALL,   /* { index, argument, status that came back } */
	RAW_FAULT,   /* { mode, exceptions of this thread so far }: executes UD2 */
	RAW_TOUCH,   /* { mode, address, value }: writes there; status 1 if it reads something else */
	RAW_ACCEPT,  /* { address, SECINFO.FLAGS, what EACCEPT said } */
	RAW_SPIN,    /* { rounds, the TCS it ran on } */
	RAW_CLOBBER, /* leaves nothing as the C ABI wants it */
	RAW_STATUS,  /* { status to return } */
	RAW_SHARED,  /* struct raw_shared */
	RAW_THREADS, /* { threads it started so far, structure of their OCALL 0 or 0, TCS to wake } */
	RAW_ECALLS,
};

/* What the enclave does about an exception. */
enum raw_mode {
	RAW_STEP,     /* steps over two bytes */
	RAW_REFUSE,   /* cannot handle it */
	RAW_EACCEPT,  /* accepts the page as new */
	RAW_FAULT_IN_HANDLER,
	RAW_IN_PLACE, /* goes on by EDECCSSA */
};

struct raw_shared {
	uint64_t inits, cpu_features, version, feature_set, size;
};

struct raw_options {
	unsigned threads;         /* static ones, at least 1 */
	unsigned dynamic_threads; /* made by RAW's MKTCS */
	uint32_t min_pool;
	bool bound, edmm, aexnotify, provision;
	bool settled;             /* the shared page is for INIT to write only */
	uint32_t init_status;     /* what INIT returns */
	unsigned break_what;      /* enum raw_break */
};
enum raw_break {
	RAW_INTACT,
	RAW_BREAK_SIGNATURE, /* a bit of the signature */
	RAW_BREAK_BODY,      /* a bit of what is signed */
	RAW_BREAK_Q2,
	RAW_BREAK_CODE,      /* a bit of a page */
	RAW_BREAK_HEADER,    /* a constant of SIGSTRUCT */
};

#define RAW_SIZE UINT64_C(0x100000)
#define RAW_HEAP UINT64_C(0x80000) /* nothing is there until it is made */

/*
 * The device that the runtime is tested on: emulated, or what BAWN_TEST_DEVICE
 * says, which is "kernel" under `bawn emulate` (tests/preload/runtime_test.sh).
 */
const char *raw_device(void);
bool raw_is_emulated(void);
/* Build, sign with a key made on first use, and load on that device; platform is for the emulated one. */
int raw_load(struct bawn_enclave **out, const char *platform, const struct raw_options *how,
	     const struct bawn_options *opt, struct bawn_error *e);
/* The signer's hash, as MRSIGNER. */
void raw_signer(uint8_t mrsigner[32]);

/* A fresh platform in a directory of its own, removed by raw_platform_remove. */
const char *raw_platform(const struct cpu_platform_options *opt);
void raw_platform_remove(void);

#endif
