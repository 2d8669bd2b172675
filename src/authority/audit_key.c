/* What is made of the audit log's keys: the next one, the log's name, MACs of lines, proofs of the end. */
#include "authority/internal.h"
#include "crypto/crypto.h"

#include <string.h>

/* SHA-256(label || key). The labels have one length, so none begins another. */
static void labelled(const char label[14], const uint8_t key[32], uint8_t out[32])
{
	struct crypto_sha256 h;

	crypto_sha256_init(&h);
	crypto_sha256_update(&h, label, 14);
	crypto_sha256_update(&h, key, 32);
	crypto_sha256_final(&h, out);
}

void audit_key_next(uint8_t key[32])
{
	labelled("bawn audit key", key, key);
}

void audit_log_name(const uint8_t first[32], uint8_t log[16])
{
	uint8_t h[32];

	labelled("bawn audit log", first, h);
	memcpy(log, h, 16);
}

void audit_mac(const uint8_t key[32], const uint8_t before[32], const void *line, size_t n,
	       uint8_t mac[32])
{
	crypto_hmac_sha256(key, before, 32, line, n, mac);
}

void audit_prove(const uint8_t key[32], const struct wire_anchor *end, uint8_t proof[32])
{
	uint8_t bytes[AUTHORITY_ANCHOR], derived[32];

	authority_anchor_encode(end, bytes);
	/* A key of its own: the next line's MAC is under `key`. */
	labelled("bawn audit end", key, derived);
	crypto_hmac_sha256(derived, bytes, sizeof(bytes), NULL, 0, proof);
	wipe(derived, sizeof(derived));
}
