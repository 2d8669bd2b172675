/*
 * MRENCLAVE of a page stream: what ECREATE, EADD and EEXTEND would hash
 * (SDM 40.3).
 */
#include "image/image.h"

#include <string.h>

static void measured_run(struct crypto_sha256 *h, const struct image_run *r)
{
	const struct isa_secinfo si = { .flags = r->secinfo };
	struct isa_measure_page m;

	isa_measure_page_begin(&m, &si);
	for (uint64_t at = 0; at < r->length; at += ISA_PAGE) {
		isa_measure_page_set(&m, r->offset + at, r->repeat ? r->src : r->src + at);
		crypto_sha256_update(h, &m, sizeof(m));
	}
}

static void unmeasured_run(struct crypto_sha256 *h, const struct image_run *r)
{
	const struct isa_secinfo si = { .flags = r->secinfo };
	uint8_t blocks[64][ISA_MEASURE_BLOCK];
	size_t n = 0;

	for (uint64_t at = 0; at < r->length; at += ISA_PAGE) {
		isa_measure_eadd(r->offset + at, &si, blocks[n++]);
		if (n == ARRAY_LEN(blocks) || at + ISA_PAGE == r->length) {
			crypto_sha256_update(h, blocks, n * ISA_MEASURE_BLOCK);
			n = 0;
		}
	}
}

int image_measure(const struct image *im, uint8_t mrenclave[32], struct bawn_error *e)
{
	uint8_t block[ISA_MEASURE_BLOCK];
	struct crypto_sha256 h;

	if (im->nruns == 0)
		return err_set(e, BAWN_ERR_FORMAT, "the enclave has no pages");
	crypto_sha256_init(&h);
	isa_measure_ecreate(im->ssaframesize, im->size, block);
	crypto_sha256_update(&h, block, sizeof(block));
	for (size_t i = 0; i < im->nruns; i++) {
		if (im->runs[i].measured)
			measured_run(&h, &im->runs[i]);
		else
			unmeasured_run(&h, &im->runs[i]);
	}
	crypto_sha256_final(&h, mrenclave);
	return 0;
}
