/*
 * SDK-format enclave files: read for a CPU with and without EDMM, measured,
 * and laid out as an enclave of the kit.
 */
#include "image/image.h"

#include <stdlib.h>
#include <string.h>

#define MEASURE_PAGES 1024 /* no point in hashing what a mutation made large */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_as(const uint8_t *data, size_t size, const struct image_open_options *opt)
{
	struct bawn_error e = { 0 };
	uint64_t added, measured;
	struct image *im;
	uint8_t m[32];

	if (image_open_memory(&im, data, size, opt, &e)) {
		if (im || !e.msg[0])
			abort();
		return;
	}
	image_count(im, &added, &measured);
	for (size_t i = 0; i < im->nruns; i++)
		if (im->runs[i].offset >= im->size || im->runs[i].length > im->size ||
		    (uintptr_t)im->runs[i].src % ISA_PAGE)
			abort();
	if (added <= MEASURE_PAGES)
		image_measure(im, m, &e);
	image_free(&im);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct image_open_options edmm = { .edmm = true }, any = { .any_version = true };
	struct image_config c;
	void *copy = NULL;

	if (size < 4 || memcmp(data, "\177ELF", 4) != 0)
		return 0;
	read_as(data, size, &edmm);
	/* On a page boundary, pages are used in place. */
	if (posix_memalign(&copy, ISA_PAGE, size) != 0)
		return 0;
	memcpy(copy, data, size);
	read_as(copy, size, &any);
	image_config_default(&c);
	c.heap_max = 2 << 20;
	c.threads_max = 3;
	if (image_lay_out(copy, size, &c, NULL) == 0)
		read_as(copy, size, &any);
	free(copy);
	return 0;
}
