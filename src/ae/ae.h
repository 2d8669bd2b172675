/*
 * ae: drivers of the architectural enclaves. Fixed-size structures and page
 * streams in, answers out; they know nothing of users, files or policy.
 *
 * A driver speaks to Intel's signed enclave and to an open one with the same
 * ECALLs alike. The caller loads the enclave; a driver borrows it and holds no
 * state of its own. Each of these enclaves has one TCS, so calls to one
 * enclave are the caller's to serialise.
 *
 * ECALL numbers and marshalling structures: doc/ARCHITECTURAL-ENCLAVES.md.
 */
#ifndef BAWN_AE_H
#define BAWN_AE_H

#include "cpu/cpu.h"
#include "isa/isa.h"

/*
 * What these enclaves answer in their own return value: 0, or the number of
 * one of Intel's errors. err->sgx_status holds it when a driver fails with
 * BAWN_ERR_DENIED; ae_status_name gives the word.
 */
const char *ae_status_name(uint32_t status);

/* ---- launch enclave ---- */

/* The white list file as served: provider certificate, list, signature; big-endian. */
#define AE_WHITE_LIST_MAX (136 + 16 + 2048 * 32 + 64)

/* Give the launch enclave its list of signers. Its version may only rise. */
int ae_launch_white_list(struct bawn_enclave *le, const void *list, size_t n,
			 struct bawn_error *e);
/*
 * An EINITTOKEN for the enclave of this identity. The attributes are those
 * its SECS will have; ATTR_INIT must be clear.
 */
int ae_launch_token(struct bawn_enclave *le, const uint8_t mrenclave[32],
		    const uint8_t mrsigner[32], const struct isa_attributes *attributes,
		    struct isa_einittoken *token, struct bawn_error *e);

/* ---- provisioning certification enclave ---- */

#define AE_SUITE_RSA_OAEP_3072 1
#define AE_PEK_BYTES 388 /* modulus, then exponent, big-endian */
#define AE_PPID_CIPHER_BYTES 384

struct ae_pce_info {
	uint16_t isvsvn;
	uint16_t id;
};
/* What the caller's report must carry: SHA-256(suite || key) and 32 zero bytes. */
void ae_pce_report_data(uint8_t suite, const uint8_t key[AE_PEK_BYTES], uint8_t out[64]);
/*
 * The PPID, encrypted to the key; report is by an enclave with PROVISION_KEY,
 * for this PCE, over ae_pce_report_data.
 */
int ae_pce_info(struct bawn_enclave *pce, const struct isa_report *report,
		const uint8_t key[AE_PEK_BYTES], uint8_t cipher[AE_PPID_CIPHER_BYTES],
		struct ae_pce_info *info, struct bawn_error *e);
/*
 * Sign the body of a report by an enclave with PROVISION_KEY, with the PCK at
 * this CPUSVN and PCE ISVSVN. rs is r || s, big-endian.
 */
int ae_pce_certify(struct bawn_enclave *pce, const uint8_t cpusvn[16], uint16_t isvsvn,
		   const struct isa_report *report, uint8_t rs[64], struct bawn_error *e);

/* ---- the same keys outside, from the fuses of an emulated platform ---- */

/* PPID as the PCE of this signer derives it. */
void ae_ppid(const struct cpu_platform *p, const uint8_t pce_mrsigner[32], uint8_t ppid[16]);
/* The PCK's public key x || y at this CPUSVN and PCE ISVSVN, big-endian. */
int ae_pck_public(const struct cpu_platform *p, const uint8_t pce_mrsigner[32],
		  const uint8_t cpusvn[16], uint16_t isvsvn, uint8_t xy[64],
		  struct bawn_error *e);

#endif
