/*
 * PPID and PCK as a PCE derives them, outside of it: what the manufacturer of
 * an emulated platform knows from the fuses.
 */
#include "ae/ae.h"

#include <string.h>

#define PCE_ISVPRODID 1

/* EGETKEY(PROVISION_KEY) inside the PCE: all flags but MODE64BIT, no XFRM, all of MISCSELECT. */
static void pce_provision_key(const struct cpu_platform *p, const uint8_t mrsigner[32],
			      const uint8_t cpusvn[16], uint16_t isvsvn, uint8_t key[16])
{
	const struct isa_attributes pce = { .flags = ATTR_INIT | ATTR_PROVISIONKEY, .xfrm = 0 };
	const struct isa_attributes mask = { .flags = ~ATTR_MODE64BIT, .xfrm = 0 };

	cpu_provision_key(p, mrsigner, PCE_ISVPRODID, isvsvn, cpusvn, &pce, &mask, 0, UINT32_MAX, key);
}

void ae_ppid(const struct cpu_platform *p, const uint8_t pce_mrsigner[32], uint8_t ppid[16])
{
	static const uint8_t zero[16];
	uint8_t key[16];

	pce_provision_key(p, pce_mrsigner, zero, 0, key);
	crypto_cmac(key, zero, sizeof(zero), ppid);
	wipe(key, sizeof(key));
}

int ae_pck_public(const struct cpu_platform *p, const uint8_t pce_mrsigner[32],
		  const uint8_t cpusvn[16], uint16_t isvsvn, uint8_t xy[64],
		  struct bawn_error *e)
{
	/* Counter, label, 00 00, output length in bits (320), big-endian. */
	uint8_t block[16] = "\0PAK_KEY_DER\0\0\x01\x40", key[16], seed[48], d[32];
	int rc;

	pce_provision_key(p, pce_mrsigner, cpusvn, isvsvn, key);
	for (uint8_t i = 0; i < 3; i++) {
		block[0] = (uint8_t)(i + 1);
		crypto_cmac(key, block, sizeof(block), seed + 16 * i);
	}
	rc = crypto_p256_scalar(seed, 40, d, e);
	if (rc == 0)
		rc = crypto_p256_public(d, xy, e);
	wipe(key, sizeof(key));
	wipe(seed, sizeof(seed));
	wipe(d, sizeof(d));
	return rc;
}
