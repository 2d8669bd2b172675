/* Enclaves between loader and vault: what the vault reads, written again, is the same. */
#include "daemon/daemon.h"

#include "image/image.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WRITE_PAGES 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_identity(int fd, enum conf_enclave which, const struct image *im)
{
	struct isa_attributes attributes;
	struct isa_sigstruct s;

	if (stream_identity(fd, which, &s, &attributes, NULL) ||
	    memcmp(&s, &im->sigstruct, sizeof(s)) != 0 || attributes.flags != im->attributes.flags ||
	    attributes.xfrm != im->attributes.xfrm)
		abort();
}

static void write_and_read(const struct image *im, enum conf_enclave which)
{
	uint8_t before[32], after[32];
	struct image *again = NULL;
	int fd;

	if (sealed_begin("fuzz", &fd, NULL))
		return;
	if (stream_write(fd, which, im, NULL) || sealed_end(fd, NULL) || stream_read(fd, which, &again, NULL) ||
	    image_measure(im, before, NULL) || image_measure(again, after, NULL) ||
	    memcmp(before, after, 32) != 0 || again->tcs_policy != im->tcs_policy ||
	    again->miscselect != im->miscselect)
		abort();
	same_identity(fd, which, im);
	image_free(&again);
	close(fd);
}

static void read_lists(int fd)
{
	for (int i = 0; i < CONF_LISTS; i++) {
		enum conf_list which = (enum conf_list)i;
		uint8_t *p, *q;
		size_t n, m;
		int again;

		if (stream_read_list(fd, which, &p, &n, NULL)) {
			if (p)
				abort();
			continue;
		}
		if (sealed_begin("fuzz", &again, NULL) == 0) {
			if (stream_write_list(again, which, p, n, NULL) || sealed_end(again, NULL) ||
			    stream_read_list(again, which, &q, &m, NULL) || m != n || memcmp(p, q, n) != 0)
				abort();
			free(q);
			close(again);
		}
		free(p);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd;

	if (sealed_new("fuzz", data, size, &fd, NULL))
		return 0;
	for (int i = 0; i < CONF_ENCLAVES; i++) {
		enum conf_enclave which = (enum conf_enclave)i;
		struct bawn_error e = { 0 };
		uint64_t added, measured;
		struct image *im = NULL;

		if (stream_read(fd, which, &im, &e)) {
			if (im || !e.msg[0])
				abort();
			continue;
		}
		same_identity(fd, which, im);
		image_count(im, &added, &measured);
		if (added <= WRITE_PAGES)
			write_and_read(im, which);
		image_free(&im);
	}
	read_lists(fd);
	close(fd);
	return 0;
}
