/*
 * Enclaves between loader and vault: a head of fixed size, then the pages as an
 * SGXS stream. A white list is a record like them, with its file for pages and
 * nothing else in its head.
 */
#include "daemon/daemon.h"

#include "ae/ae.h"
#include "image/image.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a record is: an enclave, or (RECORD_LIST + its kind) a white list. */
#define RECORD_LIST CONF_ENCLAVES
#define RECORDS (CONF_ENCLAVES + CONF_LISTS)

static const uint8_t magic[8] = "BAWNIMG1";
static const uint8_t sized[8] = "ECREATE"; /* how an SGXS stream begins that tells its size */

/* 8 magic, u32 which, u32 TCS policy, 16 attributes, u32 MISCSELECT, u32 0, SIGSTRUCT, u64 bytes. */
#define HEAD (8 + 4 + 4 + 16 + 4 + 4 + sizeof(struct isa_sigstruct) + 8)

struct head {
	uint32_t which, tcs_policy, miscselect;
	struct isa_attributes attributes;
	struct isa_sigstruct sigstruct;
	uint64_t n;
};

static void put_head(uint8_t *p, const struct head *h)
{
	memcpy(p, magic, 8);
	put_le32(p + 8, h->which);
	put_le32(p + 12, h->tcs_policy);
	put_le64(p + 16, h->attributes.flags);
	put_le64(p + 24, h->attributes.xfrm);
	put_le32(p + 32, h->miscselect);
	put_le32(p + 36, 0);
	memcpy(p + 40, &h->sigstruct, sizeof(h->sigstruct));
	put_le64(p + 40 + sizeof(h->sigstruct), h->n);
}

static bool get_head(const uint8_t *p, struct head *h)
{
	struct cur c = cur_make(p, HEAD);
	uint8_t m[8];
	uint32_t zero;

	return cur_bytes(&c, m, 8) && memcmp(m, magic, 8) == 0 && cur_le32(&c, &h->which) &&
	       h->which < RECORDS && cur_le32(&c, &h->tcs_policy) && h->tcs_policy <= 1 &&
	       cur_le64(&c, &h->attributes.flags) && cur_le64(&c, &h->attributes.xfrm) &&
	       cur_le32(&c, &h->miscselect) && cur_le32(&c, &zero) && zero == 0 &&
	       cur_bytes(&c, &h->sigstruct, sizeof(h->sigstruct)) && cur_le64(&c, &h->n) &&
	       h->n <= STREAM_MAX;
}

int stream_write(int fd, enum conf_enclave which, const struct image *im, struct bawn_error *e)
{
	struct head h = { .which = which, .tcs_policy = im->tcs_policy, .miscselect = im->miscselect,
			  .attributes = im->attributes, .sigstruct = im->sigstruct };
	uint8_t bytes[HEAD];
	off_t at = lseek(fd, 0, SEEK_END), end;
	int r;

	if (at < 0 || lseek(fd, at + (off_t)HEAD, SEEK_SET) < 0)
		return err_sys(e, "memory file");
	r = image_write_sgxs(im, fd, e);
	if (r)
		return r;
	end = lseek(fd, 0, SEEK_CUR);
	h.n = (uint64_t)(end - at) - HEAD;
	put_head(bytes, &h);
	if (end < 0 || h.n > STREAM_MAX || pwrite(fd, bytes, HEAD, at) != (ssize_t)HEAD)
		return err_sys(e, "memory file");
	return 0;
}

/* Find it; *at becomes where its pages start. */
static int find(int fd, unsigned which, struct head *h, off_t *at, struct bawn_error *e)
{
	uint8_t bytes[HEAD];

	for (*at = 0;; *at += (off_t)(HEAD + h->n)) {
		ssize_t r = pread(fd, bytes, HEAD, *at);

		if (r == 0)
			return err_set(e, BAWN_ERR_NOT_FOUND, "no such enclave is configured, or its file "
				       "could not be read");
		if (r != (ssize_t)HEAD || !get_head(bytes, h))
			return err_set(e, BAWN_ERR_FORMAT, "the enclaves as loaded: malformed");
		if (h->which == which)
			break;
	}
	*at += (off_t)HEAD;
	return 0;
}

bool stream_has(int fd, enum conf_enclave which)
{
	struct head h;
	off_t at;

	return find(fd, which, &h, &at, NULL) != BAWN_ERR_NOT_FOUND;
}

int stream_identity(int fd, enum conf_enclave which, struct isa_sigstruct *s,
		    struct isa_attributes *attributes, struct bawn_error *e)
{
	struct head h;
	off_t at;
	int r = find(fd, which, &h, &at, e);

	if (r)
		return r;
	*s = h.sigstruct;
	*attributes = h.attributes;
	return 0;
}

/* What follows a head; the caller's. */
static int read_body(int fd, const struct head *h, off_t at, uint8_t **out, struct bawn_error *e)
{
	struct bawn_error why = { 0 };
	int r = sealed_part(fd, (uint64_t)at, h->n, out, &why);

	return r ? err_set(e, r, "the enclaves as loaded: %s", why.msg) : 0;
}

int stream_write_list(int fd, enum conf_list which, const void *p, size_t n, struct bawn_error *e)
{
	struct head h = { .which = RECORD_LIST + (unsigned)which, .n = n };
	uint8_t bytes[HEAD];
	off_t at = lseek(fd, 0, SEEK_END);

	put_head(bytes, &h);
	if (at < 0 || pwrite(fd, bytes, HEAD, at) != (ssize_t)HEAD ||
	    pwrite(fd, p, n, at + (off_t)HEAD) != (ssize_t)n)
		return err_sys(e, "memory file");
	return 0;
}

int stream_read_list(int fd, enum conf_list which, uint8_t **out, size_t *n, struct bawn_error *e)
{
	struct head h;
	off_t at;
	int r = find(fd, RECORD_LIST + (unsigned)which, &h, &at, e);

	*out = NULL;
	if (r == 0 && h.n > AE_WHITE_LIST_MAX)
		r = err_set(e, BAWN_ERR_FORMAT, "the white list as loaded: too large");
	if (r == 0)
		r = read_body(fd, &h, at, out, e);
	if (r == 0)
		*n = h.n;
	return r;
}

int stream_read(int fd, enum conf_enclave which, struct image **out, struct bawn_error *e)
{
	struct head h;
	uint8_t *p;
	off_t at;
	int r = find(fd, which, &h, &at, e);

	if (r == 0)
		r = read_body(fd, &h, at, &p, e);
	if (r)
		return r;
	/* An ELF is for the loader to take apart, even if it is the loader that asks for it. */
	if (h.n < sizeof(sized) || memcmp(p, sized, sizeof(sized)) != 0)
		r = err_set(e, BAWN_ERR_FORMAT, "the enclaves as loaded: no SGXS stream");
	if (r == 0) /* copies the pages */
		r = image_open_memory(out, p, h.n, NULL, e);
	free(p);
	if (r)
		return r;
	(*out)->sigstruct = h.sigstruct;
	(*out)->has_sigstruct = true;
	(*out)->attributes = h.attributes;
	(*out)->miscselect = h.miscselect;
	(*out)->tcs_policy = h.tcs_policy;
	return 0;
}
