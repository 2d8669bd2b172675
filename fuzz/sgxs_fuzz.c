/* SGXS streams: read and measured; what can be read is still the same when written. */
#include "image/image.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WRITE_PAGES 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read(const struct image *im)
{
	uint8_t before[32], after[32];
	struct image *again = NULL;
	int fd = memfd_create("sgxs", MFD_CLOEXEC);
	off_t n;

	if (fd < 0)
		return;
	if (image_write_sgxs(im, fd, NULL) || (n = lseek(fd, 0, SEEK_END)) <= 0)
		abort();
	void *p = mmap(NULL, (size_t)n, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED || image_open_memory(&again, p, (size_t)n, NULL, NULL) ||
	    image_measure(im, before, NULL) || image_measure(again, after, NULL) ||
	    memcmp(before, after, 32) != 0)
		abort();
	image_free(&again);
	munmap(p, (size_t)n);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct image_open_options opt = { .unsized = 1 << 20 };
	struct bawn_error e = { 0 };
	uint64_t added, measured;
	struct image *im;

	if (size < 8 || (memcmp(data, "ECREATE", 8) != 0 && memcmp(data, "UNSIZED", 8) != 0))
		return 0;
	if (image_open_memory(&im, data, size, &opt, &e)) {
		if (im || !e.msg[0])
			abort();
		return 0;
	}
	image_count(im, &added, &measured);
	if (added <= WRITE_PAGES)
		write_and_read(im);
	image_free(&im);
	return 0;
}
