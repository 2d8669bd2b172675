/*
 * Sealing: AES-128-GCM by BearSSL with AES-NI and PCLMULQDQ, under a key of its
 * own for every blob. EGETKEY derives it from the platform, the policy, and a
 * KEYID of 256 random bits, so the key is never used twice and the nonce can
 * be zero. The header and the additional data are both authenticated.
 */
#include "runtime/runtime.h"
#include "runtime/sealed.h"

#include <bearssl.h>
#include <string.h>

_Static_assert(SEALED_HEADER + 16 == BAWN_SEAL_OVERHEAD, "sealed.c");

/*
 * Attributes that separate keys. INIT and DEBUG the CPU adds anyway; an
 * enclave that may have PROVISION_KEY or EINITTOKEN_KEY shares with none that
 * may not. XFRM and MISCSELECT do not separate: the host chooses them within
 * what the signer allowed, by what the CPU can do, and data should survive
 * a move of the program to a wider setting.
 */
#define SEAL_ATTRIBUTES (ATTR_INIT | ATTR_DEBUG | ATTR_PROVISIONKEY | ATTR_EINITTOKEN_KEY)

static uint32_t seal_key(const struct bawn_sealed *s, uint8_t key[16])
{
	struct bawn_keyrequest r = {
		.keyname = BAWN_KEY_SEAL,
		.keypolicy = s->policy == BAWN_SEAL_MRENCLAVE ? BAWN_POLICY_MRENCLAVE :
								BAWN_POLICY_MRSIGNER,
		.isvsvn = s->isvsvn,
		.attributemask.flags = SEAL_ATTRIBUTES,
		.configsvn = runtime_self.configsvn,
	};

	memcpy(r.cpusvn, s->cpusvn, sizeof(r.cpusvn));
	memcpy(r.keyid, s->keyid, sizeof(r.keyid));
	return bawn_key(&r, key);
}

/* GCM over the header, the additional data and the text, in place. */
static void gcm(const uint8_t key[16], bool encrypt, const uint8_t header[SEALED_HEADER],
		const void *aad, size_t aad_n, uint8_t *text, size_t n, uint8_t tag[16])
{
	static const uint8_t nonce[12];
	br_aes_x86ni_ctr_keys aes;
	br_gcm_context g;

	br_aes_x86ni_ctr_init(&aes, key, 16);
	br_gcm_init(&g, &aes.vtable, br_ghash_pclmul);
	br_gcm_reset(&g, nonce, sizeof(nonce));
	br_gcm_aad_inject(&g, header, SEALED_HEADER);
	br_gcm_aad_inject(&g, aad, aad_n);
	br_gcm_flip(&g);
	br_gcm_run(&g, encrypt, text, n);
	br_gcm_get_tag(&g, tag);
	wipe(&g, sizeof(g));
	wipe(&aes, sizeof(aes));
}

uint32_t bawn_seal(enum bawn_seal_policy policy, const void *aad, size_t aad_n, const void *text,
		   size_t n, uint8_t *out, size_t out_size)
{
	struct bawn_sealed s = { .policy = policy, .isvsvn = runtime_self.isvsvn, .aad_n = aad_n,
				 .n = n };
	size_t size = bawn_sealed_size(aad_n, n);
	uint8_t key[16], header[SEALED_HEADER];
	uint32_t status;

	if (!size || (policy != BAWN_SEAL_MRENCLAVE && policy != BAWN_SEAL_MRSIGNER))
		return BAWN_STATUS_ARGUMENT;
	if (size > out_size)
		return BAWN_STATUS_MEMORY;
	memcpy(s.cpusvn, runtime_self.cpusvn, sizeof(s.cpusvn));
	if (!bawn_random(s.keyid, sizeof(s.keyid)))
		return BAWN_STATUS_FAILED;
	status = seal_key(&s, key);
	if (status != BAWN_STATUS_OK)
		return status;
	sealed_header(&s, header);
	memcpy(out, header, sizeof(header));
	if (aad_n)
		memcpy(out + SEALED_HEADER, aad, aad_n);
	if (n)
		memcpy(out + SEALED_HEADER + aad_n, text, n);
	gcm(key, true, header, aad, aad_n, out + SEALED_HEADER + aad_n, n, out + size - 16);
	wipe(key, sizeof(key));
	return BAWN_STATUS_OK;
}

uint32_t bawn_unseal(const uint8_t *blob, size_t blob_n, uint8_t *text, size_t size, size_t *n,
		     struct bawn_sealed *parts)
{
	struct bawn_sealed s;
	uint8_t key[16], tag[16], header[SEALED_HEADER];
	uint32_t status = bawn_sealed_parse(blob, blob_n, &s);

	if (status != BAWN_STATUS_OK)
		return status;
	if (s.n > size)
		return BAWN_STATUS_MEMORY;
	status = seal_key(&s, key);
	if (status != BAWN_STATUS_OK)
		return status;
	sealed_header(&s, header);
	if (s.n)
		memcpy(text, s.text, s.n);
	gcm(key, false, header, s.aad, s.aad_n, text, s.n, tag);
	wipe(key, sizeof(key));
	if (!ct_equal(tag, s.mac, sizeof(tag))) {
		wipe(text, s.n); /* decrypted, but not authentic */
		return BAWN_STATUS_MAC;
	}
	*n = s.n;
	if (parts)
		*parts = s;
	return BAWN_STATUS_OK;
}
