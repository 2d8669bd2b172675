/*
 * common: what the architectural enclaves share. P-256 by BearSSL's m31
 * code, which is constant-time, and the checks of a report.
 */
#ifndef ENCLAVE_COMMON_H
#define ENCLAVE_COMMON_H

#include "ae/abi.h"
#include "bawn_enclave.h"

/*
 * A private scalar from a key of EGETKEY: the first 40 bytes of
 * CMAC(key, i || label || zeros || 01 40) for i = 1, 2, 3, as a big-endian x,
 * give d = (x mod (n - 1)) + 1 (FIPS 186-5, A.2.1). The label has at most 13
 * bytes.
 */
void common_p256_derive(const uint8_t key[16], const char *label, uint8_t d[32]);
/* The public point x || y of a scalar from common_p256_derive. */
bool common_p256_public(const uint8_t d[32], uint8_t xy[64]);
/*
 * Sign a SHA-256 digest: r || s. The nonce is that of RFC 6979, so nothing
 * that the host or a weak generator does to random numbers gives the key away.
 */
bool common_p256_sign(const uint8_t d[32], const uint8_t digest[32], uint8_t rs[64]);
bool common_p256_verify(const uint8_t xy[64], const uint8_t digest[32], const uint8_t rs[64]);

struct common_part {
	const void *p;
	size_t n;
};
/* SHA-256 over the parts, one after the other. */
void common_sha256(const struct common_part *parts, size_t count, uint8_t digest[32]);

/*
 * True if the report was made on this platform, now, for this enclave. Else
 * *answer is AE_REPORT_OTHER_CPUSVN, if it says that it was made at another
 * CPUSVN, or `invalid`: a MAC tells no more.
 */
bool common_report_holds(const struct isa_report *r, uint32_t invalid, uint32_t *answer);
/* EREPORT for this target over 32 bytes and 32 zero bytes. */
bool common_report(const struct isa_targetinfo *target, const uint8_t data[32],
		   struct isa_report *out);

#endif
