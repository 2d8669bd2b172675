/* P-256 and SHA-256 with BearSSL. */
#include "common/common.h"

#include <bearssl.h>
#include <string.h>

#define SEED 40

/* n - 1, n the order of P-256 (SP 800-186, 3.2.1.3), least significant word first. */
static const uint64_t order_less_1[4] = { 0xf3b9cac2fc632550, 0xbce6faada7179e84, 0xffffffffffffffff,
					  0xffffffff00000000 };

/* r -= m if `top` (a bit above r) is set or r >= m; in a time that does not depend on r. */
static void reduce(uint64_t r[4], uint64_t top)
{
	uint64_t less[4], borrow = 0, keep;

	for (int i = 0; i < 4; i++) {
		unsigned __int128 v = (unsigned __int128)r[i] - order_less_1[i] - borrow;

		less[i] = (uint64_t)v;
		borrow = (uint64_t)(v >> 64) & 1;
	}
	/* r stays as it is if the subtraction needed a bit that top does not give. */
	keep = -(borrow & ~top & 1);
	for (int i = 0; i < 4; i++)
		r[i] = (r[i] & keep) | (less[i] & ~keep);
	bawn_wipe(less, sizeof(less));
}

/* (seed mod (n - 1)) + 1, bit by bit: 320 steps of a shift and a subtraction. */
static void to_scalar(const uint8_t seed[SEED], uint8_t d[32])
{
	uint64_t r[4] = { 0 }, carry = 1;

	for (int bit = 0; bit < 8 * SEED; bit++) {
		uint64_t top = r[3] >> 63;

		for (int i = 3; i > 0; i--)
			r[i] = r[i] << 1 | r[i - 1] >> 63;
		r[0] = r[0] << 1 | (seed[bit / 8] >> (7 - bit % 8) & 1);
		reduce(r, top);
	}
	for (int i = 0; i < 4; i++) {
		unsigned __int128 v = (unsigned __int128)r[i] + carry;

		carry = (uint64_t)(v >> 64);
		for (int b = 0; b < 8; b++)
			d[31 - 8 * i - b] = (uint8_t)((uint64_t)v >> 8 * b);
	}
	bawn_wipe(r, sizeof(r));
}

void common_p256_derive(const uint8_t key[16], const char *label, uint8_t d[32])
{
	uint8_t block[16] = { [14] = 0x01, [15] = 0x40 }; /* 320 bits */
	uint8_t seed[48];

	memcpy(block + 1, label, strlen(label));
	for (uint8_t i = 0; i < 3; i++) {
		block[0] = (uint8_t)(i + 1);
		bawn_cmac(key, block, sizeof(block), seed + 16 * i);
	}
	to_scalar(seed, d);
	bawn_wipe(seed, sizeof(seed));
}

bool common_p256_public(const uint8_t d[32], uint8_t xy[64])
{
	uint8_t copy[32], point[65];
	size_t n;

	memcpy(copy, d, sizeof(copy));
	n = br_ec_p256_m31.mulgen(point, copy, sizeof(copy), BR_EC_secp256r1);
	bawn_wipe(copy, sizeof(copy));
	if (n != sizeof(point))
		return false;
	memcpy(xy, point + 1, 64);
	return true;
}

bool common_p256_sign(const uint8_t d[32], const uint8_t digest[32], uint8_t rs[64])
{
	uint8_t copy[32];
	const br_ec_private_key key = { .curve = BR_EC_secp256r1, .x = copy, .xlen = sizeof(copy) };
	bool good;

	memcpy(copy, d, sizeof(copy));
	good = br_ecdsa_i31_sign_raw(&br_ec_p256_m31, &br_sha256_vtable, digest, &key, rs) == 64;
	bawn_wipe(copy, sizeof(copy));
	return good;
}

bool common_p256_verify(const uint8_t xy[64], const uint8_t digest[32], const uint8_t rs[64])
{
	uint8_t point[65] = { 0x04 };
	const br_ec_public_key key = { .curve = BR_EC_secp256r1, .q = point, .qlen = sizeof(point) };

	memcpy(point + 1, xy, 64);
	return br_ecdsa_i31_vrfy_raw(&br_ec_p256_m31, digest, 32, &key, rs, 64) == 1;
}

void common_sha256(const struct common_part *parts, size_t count, uint8_t digest[32])
{
	br_sha256_context h;

	br_sha256_init(&h);
	for (size_t i = 0; i < count; i++)
		br_sha256_update(&h, parts[i].p, parts[i].n);
	br_sha256_out(&h, digest);
	bawn_wipe(&h, sizeof(h));
}
