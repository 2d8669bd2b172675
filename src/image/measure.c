/*
 * MRENCLAVE of a page stream: what ECREATE, EADD and EEXTEND would hash
 * (SDM 40.3), composed in one buffer per page, since each call into the hash
 * costs as much as a few hundred bytes of it.
 */
#include "image/image.h"

#include <string.h>

#define CHUNKS (ISA_PAGE / ISA_MEASURE_CHUNK)
#define CHUNK_RECORD (ISA_MEASURE_BLOCK + ISA_MEASURE_CHUNK)
#define OFFSET_AT 8 /* of the page or chunk, in the block of EADD and EEXTEND */

struct page_buffer {
	uint8_t eadd[ISA_MEASURE_BLOCK];
	uint8_t chunk[CHUNKS][CHUNK_RECORD];
};

static void measured_run(struct crypto_sha256 *h, const struct image_run *r)
{
	const struct isa_secinfo si = { .flags = r->secinfo };
	struct page_buffer b;

	isa_measure_eadd(r->offset, &si, b.eadd);
	for (unsigned c = 0; c < CHUNKS; c++) {
		isa_measure_eextend(r->offset, b.chunk[c]);
		memcpy(b.chunk[c] + ISA_MEASURE_BLOCK, r->src + c * ISA_MEASURE_CHUNK,
		       ISA_MEASURE_CHUNK);
	}
	for (uint64_t at = 0; at < r->length; at += ISA_PAGE) {
		put_le64(b.eadd + OFFSET_AT, r->offset + at);
		for (unsigned c = 0; c < CHUNKS; c++) {
			uint64_t in_run = at + c * ISA_MEASURE_CHUNK;

			put_le64(b.chunk[c] + OFFSET_AT, r->offset + in_run);
			if (!r->repeat)
				memcpy(b.chunk[c] + ISA_MEASURE_BLOCK, r->src + in_run,
				       ISA_MEASURE_CHUNK);
		}
		crypto_sha256_update(h, &b, sizeof(b));
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
