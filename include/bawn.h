/*
 * bawn.h: load, initialise, call and attest SGX enclaves.
 *
 * Everything a host program needs. Functions return 0 or a negative
 * enum bawn_code; a struct bawn_error, where one is passed, says what
 * happened, where, and what to do about it.
 */
#ifndef BAWN_H
#define BAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BAWN_API __attribute__((visibility("default")))

enum bawn_code {
	BAWN_OK = 0,
	BAWN_ERR_USAGE = -1,       /* an argument makes no sense */
	BAWN_ERR_MEMORY = -2,      /* out of memory */
	BAWN_ERR_SYSTEM = -3,      /* a system call failed: see sys_errno */
	BAWN_ERR_FORMAT = -4,      /* a file or message is malformed */
	BAWN_ERR_UNSUPPORTED = -5, /* well-formed, but not something this build can do */
	BAWN_ERR_SIGNATURE = -6,   /* a signature does not hold */
	BAWN_ERR_MEASUREMENT = -7, /* a measurement differs from the signed one */
	BAWN_ERR_NO_DEVICE = -8,   /* no SGX device of the kind asked for */
	BAWN_ERR_DENIED = -9,      /* not permitted: permissions, launch control, policy */
	BAWN_ERR_SGX = -10,        /* a leaf function's status: see sgx_status */
	BAWN_ERR_LOST = -11,       /* the enclave is gone (power transition, EPC removed) */
	BAWN_ERR_CRASHED = -12,    /* the enclave faulted and can not go on */
	BAWN_ERR_BUSY = -13,       /* no TCS is free */
	BAWN_ERR_CRYPTO = -14,     /* the cryptographic library failed */
	BAWN_ERR_NOT_FOUND = -15,  /* no such file, platform, symbol or entry */
	BAWN_ERR_NETWORK = -16,    /* a server was not reached, or its answer is of no use */
};

/*
 * What went wrong. Start it as {0}; the first (deepest) cause is kept.
 * sys_errno is an errno or 0, sgx_status a leaf function's status or 0.
 */
struct bawn_error {
	enum bawn_code code;
	int sys_errno;
	uint32_t sgx_status;
	char msg[160];
};

/* The library's version, "major.minor.patch". */
BAWN_API const char *bawn_version(void);

#ifdef __cplusplus
}
#endif
#endif
