/* Shared by the tests of the architectural enclaves: platforms, enclaves, reports. */
#ifndef TESTS_AE_KIT_H
#define TESTS_AE_KIT_H

#include "ae/ae.h"
#include "enclaves/witness/witness.h"
#include "tests/tap.h"

/* A folder of this process; kit_done removes it and the platforms in it. */
bool kit_start(void);
void kit_done(void);
/* A new platform in it; opt may be NULL. The path is the kit's. */
const char *kit_platform(const char *name, const struct cpu_platform_options *opt);

/* build/enclaves/NAME.signed.so */
const char *kit_path(const char *name);
/* A file below BAWN_CONFORMANCE, itself or in a folder of it; NULL: not there (or no such folder). */
const char *kit_real(const char *name);

/* Load on this platform; NULL, with a failed test, if it does not. */
struct bawn_enclave *kit_load(const char *path, const char *platform, bool debug);
struct bawn_enclave *kit_load_with(const char *path, const char *platform, const struct bawn_options *more);
void kit_target(const struct bawn_enclave *en, struct isa_targetinfo *out);
/* The witness's report for this target; false with a failed test. */
bool kit_report(struct bawn_enclave *witness, const struct isa_targetinfo *target,
		const uint8_t data[64], struct isa_report *out);

/* Say what an error says, if there is one; and start it afresh. */
void kit_say(struct bawn_error *e);
/* rc is BAWN_ERR_DENIED with this answer. */
bool kit_refused(int rc, struct bawn_error *e, uint32_t answer, const char *what);

/* Take the enclave's TCS away, as a power transition takes everything. */
bool kit_lose(struct bawn_enclave *en);

/* ---- a key to encrypt PPIDs to ---- */

extern struct crypto_key *kit_ppid_key;
/* Its public half as the enclaves want it; made at the first call. */
const uint8_t *kit_pek(void);
/* 16 bytes; false, with a failed test, if it does not decrypt to 16. */
bool kit_decrypt_ppid(const uint8_t cipher[AE_PPID_CIPHER_BYTES], uint8_t ppid[16]);

/* ---- a verifier that knows a platform ---- */

struct kit_trust {
	struct bawn_verifier *verifier;
	char *chain; /* PEM, leaf first, with its NUL */
	size_t chain_n;
};
/*
 * A root that certifies this platform's PCK for this PCE at this TCB, and
 * describes this quoting enclave; what it takes is added to the verifier.
 */
bool kit_trust(struct kit_trust *out, const struct cpu_platform *p, const uint8_t pce_mrsigner[32],
	       const struct ae_tcb *tcb, const struct bawn_enclave_info *qe);
void kit_trust_free(struct kit_trust *t);
/* Verify at the root's time; the result is in *v. */
int kit_verify(const struct kit_trust *t, const void *quote, size_t n, bool with_chain,
	       struct bawn_verification *v);

#endif
