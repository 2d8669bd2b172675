/* The page stream under construction: runs, the pages they own, and what must hold of the whole. */
#include "image/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Pages are taken from blocks, so that neighbours make one run and none ever moves. */
struct page_block {
	struct page_block *next;
	uint8_t *pages;
	size_t used, count;
};
struct image_own {
	uint8_t *map;
	size_t map_size, map_used; /* used: bytes given back already */
	struct page_block *blocks;
	size_t runs_cap, tcs_cap, dynamic_cap;
};

const uint8_t image_zero_page[ISA_PAGE] __attribute__((aligned(ISA_PAGE)));

#define BLOCK_MIN 16u  /* pages: most ELF files need fewer copies */
#define BLOCK_MAX 256u /* 1 MiB */

struct image *image_new(void *map, size_t n)
{
	struct image *im = calloc(1, sizeof(*im));

	if (im)
		im->own = calloc(1, sizeof(*im->own));
	if (!im || !im->own) {
		free(im);
		return NULL;
	}
	im->own->map = map;
	im->own->map_size = n;
	return im;
}

void image_free(struct image **imp)
{
	struct image *im = *imp;

	if (!im)
		return;
	for (struct page_block *b = im->own->blocks, *next; b; b = next) {
		next = b->next;
		free(b->pages);
		free(b);
	}
	if (im->own->map)
		munmap(im->own->map, im->own->map_size);
	free(im->own);
	free(im->runs);
	free(im->tcs);
	free(im->dynamic);
	free(im->layout);
	free(im);
	*imp = NULL;
}

#define GIVE_BACK (1u << 20)

/* The pages of a stream are copied as it is read: without this, it would be in memory twice. */
void image_map_used(struct image *im, const void *upto)
{
	struct image_own *own = im->own;

	if (!own->map)
		return;
	size_t used = (size_t)((const uint8_t *)upto - own->map) & ~(size_t)(ISA_PAGE - 1);
	if (used < own->map_used + GIVE_BACK)
		return;
	madvise(own->map + own->map_used, used - own->map_used, MADV_DONTNEED);
	own->map_used = used;
}

uint8_t *image_new_page(struct image *im)
{
	struct page_block *b = im->own->blocks;

	if (!b || b->used == b->count) {
		size_t count = b ? 2 * b->count : BLOCK_MIN;
		void *pages;

		if (count > BLOCK_MAX)
			count = BLOCK_MAX;
		b = calloc(1, sizeof(*b));
		if (!b || posix_memalign(&pages, ISA_PAGE, count * ISA_PAGE) != 0) {
			free(b);
			return NULL;
		}
		b->pages = pages;
		b->count = count;
		b->next = im->own->blocks;
		im->own->blocks = b;
	}
	uint8_t *page = b->pages + ISA_PAGE * b->used++;
	memset(page, 0, ISA_PAGE);
	return page;
}

/* Room for one more element; the array doubles, up to IMAGE_MAX_RUNS elements. */
static int grow(void **array, size_t n, size_t *cap, size_t size, struct bawn_error *e)
{
	if (n < *cap)
		return 0;
	if (n >= IMAGE_MAX_RUNS)
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "the file describes more than %u separate stretches of pages",
			       IMAGE_MAX_RUNS);
	size_t more = *cap ? 2 * *cap : 16;
	void *p = realloc(*array, more * size);

	if (!p)
		return err_nomem(e);
	*array = p;
	*cap = more;
	return 0;
}

static bool continues(const struct image_run *last, const struct image_run *r)
{
	if (last->offset + last->length != r->offset || last->secinfo != r->secinfo ||
	    last->measured != r->measured || last->repeat != r->repeat)
		return false;
	return r->repeat ? last->src == r->src : last->src + last->length == r->src;
}

static int check_range(const struct image *im, uint64_t offset, uint64_t length,
		       struct bawn_error *e)
{
	uint64_t end;

	if (offset % ISA_PAGE || length % ISA_PAGE || length == 0)
		return err_set(e, BAWN_ERR_FORMAT, "pages at offset 0x%llx are not page-aligned",
			       (unsigned long long)offset);
	if (!add_u64(offset, length, &end) || end > im->size)
		return err_set(e, BAWN_ERR_FORMAT,
			       "pages at offset 0x%llx lie outside the enclave's 0x%llx bytes",
			       (unsigned long long)offset, (unsigned long long)im->size);
	return 0;
}

int image_add_run(struct image *im, const struct image_run *r, struct bawn_error *e)
{
	int rc = check_range(im, r->offset, r->length, e);

	if (rc)
		return rc;
	if (im->nruns && continues(&im->runs[im->nruns - 1], r)) {
		im->runs[im->nruns - 1].length += r->length;
		return 0;
	}
	void *runs = im->runs;
	rc = grow(&runs, im->nruns, &im->own->runs_cap, sizeof(*im->runs), e);
	im->runs = runs;
	if (rc == 0)
		im->runs[im->nruns++] = *r;
	return rc;
}

int image_add_tcs(struct image *im, uint64_t offset, bool dynamic, struct bawn_error *e)
{
	int rc = check_range(im, offset, ISA_PAGE, e);

	if (rc)
		return rc;
	void *tcs = im->tcs;
	rc = grow(&tcs, im->ntcs, &im->own->tcs_cap, sizeof(*im->tcs), e);
	im->tcs = tcs;
	if (rc == 0)
		im->tcs[im->ntcs++] = (struct image_tcs){ .offset = offset, .dynamic = dynamic };
	return rc;
}

int image_add_dynamic(struct image *im, const struct image_dynamic *d, struct bawn_error *e)
{
	int rc = check_range(im, d->offset, d->length, e);

	if (rc)
		return rc;
	void *dynamic = im->dynamic;
	rc = grow(&dynamic, im->ndynamic, &im->own->dynamic_cap, sizeof(*im->dynamic), e);
	im->dynamic = dynamic;
	if (rc == 0)
		im->dynamic[im->ndynamic++] = *d;
	return rc;
}

struct range {
	uint64_t offset, length;
};

static int by_offset(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int check_overlap(const struct image *im, struct bawn_error *e)
{
	size_t n = im->nruns + im->ndynamic;
	struct range *r = calloc(n + 1, sizeof(*r));
	int rc = 0;

	if (!r)
		return err_nomem(e);
	for (size_t i = 0; i < im->nruns; i++)
		r[i] = (struct range){ im->runs[i].offset, im->runs[i].length };
	for (size_t i = 0; i < im->ndynamic; i++)
		r[im->nruns + i] =
			(struct range){ im->dynamic[i].offset, im->dynamic[i].length };
	qsort(r, n, sizeof(*r), by_offset);
	for (size_t i = 1; i < n && rc == 0; i++)
		if (r[i - 1].offset + r[i - 1].length > r[i].offset)
			rc = err_set(e, BAWN_ERR_FORMAT, "the page at offset 0x%llx is there twice",
				     (unsigned long long)r[i].offset);
	free(r);
	return rc;
}

static int check_run(const struct image_run *r, struct bawn_error *e)
{
	const struct isa_secinfo si = { .flags = r->secinfo };
	const char *flaw = isa_secinfo_flaw(&si);

	if (!flaw && SECINFO_PT(r->secinfo) == PT_TCS) {
		for (uint64_t at = 0; !flaw && at < r->length; at += ISA_PAGE) {
			struct isa_tcs t;

			memcpy(&t, r->src + (r->repeat ? 0 : at), sizeof(t));
			flaw = isa_tcs_flaw(&t);
		}
	}
	if (flaw)
		return err_set(e, BAWN_ERR_FORMAT, "page at offset 0x%llx: %s",
			       (unsigned long long)r->offset, flaw);
	return 0;
}

int image_check_pages(const struct image *im, struct bawn_error *e)
{
	for (size_t i = 0; i < im->nruns; i++) {
		int rc = check_run(&im->runs[i], e);

		if (rc)
			return rc;
	}
	return check_overlap(im, e);
}

int image_check_size(uint64_t size, struct bawn_error *e)
{
	if (size < 2 * ISA_PAGE || size & (size - 1))
		return err_set(e, BAWN_ERR_FORMAT,
			       "the enclave's size 0x%llx is not a power of two of at least two pages",
			       (unsigned long long)size);
	if (size > IMAGE_MAX_SIZE)
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "the enclave's size 0x%llx is above the 64 GiB that are supported",
			       (unsigned long long)size);
	return 0;
}

void image_count(const struct image *im, uint64_t *added, uint64_t *measured)
{
	*added = 0;
	*measured = 0;
	for (size_t i = 0; i < im->nruns; i++) {
		*added += im->runs[i].length / ISA_PAGE;
		if (im->runs[i].measured)
			*measured += im->runs[i].length / ISA_PAGE;
	}
}
