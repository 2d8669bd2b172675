/*
 * The lists of signers. A file holds one list, signed by a provider whom the
 * root has certified (its layout: src/ae/white_list.c). There are two kinds,
 * each with versions of its own, which only rise as long as the enclave lives.
 */
#include "launch/launch.h"

#include <string.h>

/* The root's public key x || y, made part of the measured image by the build (enclaves.mk). */
#include "launch_root.h"

#define CERTIFIED 72 /* bytes of the provider's certificate that the root signed */
#define SIGNATURE 64
#define SMALLEST (AE_LIST_PROVIDER_BYTES + AE_LIST_HEADER_BYTES + 32 + SIGNATURE)
#define LARGEST                                                                                    \
	(AE_LIST_PROVIDER_BYTES + AE_LIST_HEADER_BYTES + AE_LIST_ENTRIES_MAX * 32 + SIGNATURE)

struct list {
	uint32_t version, count; /* count 0: there is none */
	uint8_t signer[AE_LIST_ENTRIES_MAX][32];
};
static struct list kept[2]; /* by type - 1 */

/* Inside, while it is checked. One TCS: never two at once. */
static uint8_t file[LARGEST];

struct header {
	uint16_t type, product;
	uint32_t version, count;
};

static uint32_t read_header(uint32_t size, struct header *h)
{
	static const uint8_t certificate[8] = { 0, 1 }; /* version 1; type, provider and root 0 */
	const uint8_t *p = file + AE_LIST_PROVIDER_BYTES;

	if (memcmp(file, certificate, sizeof(certificate)) || get_be16(p) != 1 || get_be16(p + 4) != 0)
		return AE_LE_INVALID_PARAMETER;
	*h = (struct header){ .type = get_be16(p + 2),
			      .product = get_be16(p + 6),
			      .version = get_be32(p + 8),
			      .count = get_be32(p + 12) };
	if ((h->type != AE_LIST_LAUNCH && h->type != AE_LIST_PROVISION) || h->count < 1 ||
	    h->count > AE_LIST_ENTRIES_MAX || size != SMALLEST + (h->count - 1) * 32)
		return AE_LE_INVALID_PARAMETER;
	return AE_SUCCESS;
}

static bool signatures_hold(uint32_t size)
{
	const struct common_part certificate = { file, CERTIFIED };
	const struct common_part list = { file + AE_LIST_PROVIDER_BYTES,
					  size - AE_LIST_PROVIDER_BYTES - SIGNATURE };
	uint8_t digest[32];

	common_sha256(&certificate, 1, digest);
	if (!common_p256_verify(launch_root, digest, file + CERTIFIED))
		return false;
	common_sha256(&list, 1, digest);
	return common_p256_verify(file + 8, digest, file + size - SIGNATURE);
}

uint32_t lists_take(const struct ae_ms_white_list *a)
{
	struct bawn_report_body self;
	struct header h;
	struct list *to;
	uint32_t answer;

	if (a->size < SMALLEST || a->size > LARGEST || !bawn_copy_in(file, a->list, a->size))
		return AE_LE_INVALID_PARAMETER;
	answer = read_header(a->size, &h);
	if (answer != AE_SUCCESS)
		return answer;
	if (!signatures_hold(a->size))
		return AE_LE_LIST_SIGNATURE;
	bawn_self(&self);
	if (h.product != self.isvprodid)
		return AE_LE_LIST_PRODUCT;
	to = &kept[h.type - 1];
	if (to->count && h.version <= to->version)
		return AE_LE_WHITE_LIST_ALREADY_UPDATED;
	to->version = h.version;
	to->count = h.count;
	memcpy(to->signer, file + AE_LIST_PROVIDER_BYTES + AE_LIST_HEADER_BYTES, h.count * 32);
	return AE_SUCCESS;
}

static bool listed(const struct list *l, const uint8_t mrsigner[32])
{
	for (uint32_t i = 0; i < l->count; i++)
		if (!memcmp(l->signer[i], mrsigner, 32))
			return true;
	return false;
}

uint32_t lists_allow_launch(const uint8_t mrsigner[32])
{
	const struct list *l = &kept[AE_LIST_LAUNCH - 1];

	if (!l->count)
		return AE_LE_WHITELIST_UNINITIALIZED_ERROR;
	/* A first entry of zeros stands for everybody. */
	if (ct_is_zero(l->signer[0], 32) || listed(l, mrsigner))
		return AE_SUCCESS;
	return AE_LE_INVALID_PRIVILEGE_ERROR;
}

bool lists_allow_provision(const uint8_t mrsigner[32])
{
	/* Nothing stands for everybody here, nor is anybody allowed before there is a list. */
	return !ct_is_zero(mrsigner, 32) && listed(&kept[AE_LIST_PROVISION - 1], mrsigner);
}
