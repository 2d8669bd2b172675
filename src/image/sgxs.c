/*
 * SGX streams: 64-byte records that are what ECREATE, EADD and EEXTEND hash,
 * the last followed by 256 bytes of data. Two more tags are not measured:
 * UNSIZED stands for an ECREATE whose size is still open, UNMEASRD for data
 * that is loaded and not measured. doc/ENCLAVE-FORMAT.md.
 */
#include "image/internal.h"

#include <string.h>

#define CHUNKS (ISA_PAGE / ISA_MEASURE_CHUNK)
#define ALL_CHUNKS 0xffffu

struct reader {
	struct image *im;
	struct cur c;
	size_t total;
	/* the page that the last EADD began */
	bool open;
	uint64_t offset, secinfo;
	uint8_t *page; /* NULL: no data so far */
	unsigned seen, measured; /* a bit for each chunk */
};

static int bad(const struct reader *r, struct bawn_error *e, const char *what)
{
	return err_set(e, BAWN_ERR_FORMAT, "SGXS stream, before byte %zu: %s", r->total - r->c.n,
		       what);
}

/* ---- pages ---- */

static int page_flaw(const struct reader *r, struct bawn_error *e)
{
	if (r->measured && (r->measured != ALL_CHUNKS || r->seen != ALL_CHUNKS))
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "SGXS stream: the page at offset 0x%llx is measured only in part",
			       (unsigned long long)r->offset);
	return 0;
}

static int end_page(struct reader *r, struct bawn_error *e)
{
	int rc;

	if (!r->open)
		return 0;
	rc = page_flaw(r, e);
	if (rc)
		return rc;
	if (SECINFO_PT(r->secinfo) == PT_TCS && r->page) {
		struct isa_tcs tcs;

		memcpy(&tcs, r->page, sizeof(tcs));
		isa_tcs_reset(&tcs);
		memcpy(r->page, &tcs, sizeof(tcs));
		r->im->entry = tcs.oentry;
	}
	r->open = false;
	rc = image_add_run(r->im,
			   &(struct image_run){ .offset = r->offset,
						.length = ISA_PAGE,
						.src = r->page ? r->page : image_zero_page,
						.secinfo = r->secinfo,
						.repeat = r->page == NULL,
						.measured = r->measured != 0 },
			   e);
	if (rc == 0 && SECINFO_PT(r->secinfo) == PT_TCS)
		rc = image_add_tcs(r->im, r->offset, false, e);
	return rc;
}

static int begin_page(struct reader *r, struct cur *record, struct bawn_error *e)
{
	struct isa_secinfo si = { 0 };
	const char *flaw;
	int rc = end_page(r, e);

	if (rc)
		return rc;
	if (!cur_le64(record, &r->offset) || !cur_le64(record, &si.flags) ||
	    !cur_bytes(record, si.reserved, 40))
		return bad(r, e, "an EADD record is cut short");
	flaw = isa_secinfo_flaw(&si);
	if (flaw)
		return bad(r, e, flaw);
	r->secinfo = si.flags;
	if (SECINFO_PT(si.flags) == PT_TCS && si.flags & SECINFO_RWX)
		return bad(r, e, "a TCS has permissions");
	r->open = true;
	r->page = NULL;
	r->seen = r->measured = 0;
	return 0;
}

static int add_chunk(struct reader *r, struct cur *record, bool measured, struct bawn_error *e)
{
	uint64_t offset, in_page;
	struct cur data;

	if (!cur_le64(record, &offset) || !ct_is_zero(record->p, record->n))
		return bad(r, e, "the unused bytes of a record are not zero");
	if (!cur_sub(&r->c, ISA_MEASURE_CHUNK, &data))
		return bad(r, e, "the data of a chunk is cut short");
	in_page = offset - r->offset;
	if (!r->open || offset < r->offset || in_page >= ISA_PAGE || in_page % ISA_MEASURE_CHUNK)
		return bad(r, e, "a chunk does not belong to the page before it");
	unsigned bit = 1u << in_page / ISA_MEASURE_CHUNK;
	if (r->seen & bit)
		return bad(r, e, "a chunk of a page is there twice");
	/* Measured chunks in another order would give another MRENCLAVE. */
	if (measured && r->seen != bit - 1)
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "SGXS stream: the chunks of the page at offset 0x%llx are measured out of order",
			       (unsigned long long)r->offset);
	if (!r->page)
		r->page = image_new_page(r->im);
	if (!r->page)
		return err_nomem(e);
	memcpy(r->page + in_page, data.p, ISA_MEASURE_CHUNK);
	r->seen |= bit;
	if (measured)
		r->measured |= bit;
	return 0;
}

/* ---- the stream ---- */

static int read_ecreate(struct reader *r, struct cur *record, const char *tag, uint64_t *size_at,
			const struct image_open_options *opt, struct bawn_error *e)
{
	struct image *im = r->im;
	uint64_t size;

	if (!cur_le32(record, &im->ssaframesize) || !cur_le64(record, &size) ||
	    !ct_is_zero(record->p, record->n))
		return bad(r, e, "the unused bytes of the first record are not zero");
	if (im->ssaframesize == 0 || im->ssaframesize > 16)
		return bad(r, e, "the size of an SSA frame is not 1 to 16 pages");
	*size_at = UINT64_MAX;
	if (memcmp(tag, "UNSIZED\0", 8) == 0) {
		if (opt->unsized == 0)
			return err_set(e, BAWN_ERR_USAGE,
				       "the SGXS stream leaves the enclave's size open: give one");
		*size_at = size;
		size = opt->unsized;
	}
	im->size = size;
	return image_check_size(size, e);
}

static int read_record(struct reader *r, const char *tag, struct cur *record, struct bawn_error *e)
{
	if (memcmp(tag, "EADD\0\0\0\0", 8) == 0)
		return begin_page(r, record, e);
	if (memcmp(tag, "EEXTEND\0", 8) == 0)
		return add_chunk(r, record, true, e);
	if (memcmp(tag, "UNMEASRD", 8) == 0)
		return add_chunk(r, record, false, e);
	if (memcmp(tag, "ECREATE\0", 8) == 0 || memcmp(tag, "UNSIZED\0", 8) == 0)
		return bad(r, e, "a second ECREATE record");
	return bad(r, e, "a record has an unknown tag");
}

/* Write the size where an unsized stream wants it: into a page that has data of its own. */
static int write_size(struct image *im, uint64_t at, struct bawn_error *e)
{
	for (size_t i = 0; i < im->nruns && at % 8 == 0; i++) {
		const struct image_run *run = &im->runs[i];

		if (run->repeat || at < run->offset || at - run->offset >= run->length)
			continue;
		/* All pages of a stream that have data are copies made here. */
		put_le64((uint8_t *)(uintptr_t)run->src + (at - run->offset), im->size);
		return 0;
	}
	return err_set(e, BAWN_ERR_FORMAT,
		       "SGXS stream: there is no page to write the enclave's size to at 0x%llx",
		       (unsigned long long)at);
}

int image_read_sgxs(struct image *im, const void *p, size_t n,
		    const struct image_open_options *opt, struct bawn_error *e)
{
	struct reader r = { .im = im, .c = cur_make(p, n), .total = n };
	struct cur record;
	uint64_t size_at = UINT64_MAX;
	char tag[8];
	int rc = 0;

	im->format = IMAGE_SGXS;
	for (bool first = true; r.c.n && rc == 0; first = false) {
		if (!cur_sub(&r.c, ISA_MEASURE_BLOCK, &record) ||
		    !cur_bytes(&record, tag, sizeof(tag)))
			rc = bad(&r, e, "a record is cut short");
		else if (first)
			rc = read_ecreate(&r, &record, tag, &size_at, opt, e);
		else
			rc = read_record(&r, tag, &record, e);
		image_map_used(im, r.c.p);
	}
	if (rc == 0)
		rc = end_page(&r, e);
	if (rc == 0 && size_at != UINT64_MAX)
		rc = write_size(im, size_at, e);
	if (rc == 0)
		rc = image_check_pages(im, e);
	if (rc == 0 && im->nruns == 0)
		rc = err_set(e, BAWN_ERR_FORMAT, "the SGXS stream has no pages");
	return rc;
}

/* ---- writing ---- */

static void chunks_of_page(struct buf *b, const struct image_run *run, uint64_t at)
{
	const uint8_t *src = run->src + (run->repeat ? 0 : at);

	for (unsigned c = 0; c < CHUNKS; c++) {
		uint8_t block[ISA_MEASURE_BLOCK];

		isa_measure_eextend(run->offset + at + c * ISA_MEASURE_CHUNK, block);
		if (!run->measured)
			memcpy(block, "UNMEASRD", 8);
		buf_add(b, block, sizeof(block));
		buf_add(b, src + c * ISA_MEASURE_CHUNK, ISA_MEASURE_CHUNK);
	}
}

int image_write_sgxs(const struct image *im, int fd, struct bawn_error *e)
{
	uint8_t block[ISA_MEASURE_BLOCK];
	struct buf b;
	int rc = 0;

	buf_init(&b, 1 << 20);
	isa_measure_ecreate(im->ssaframesize, im->size, block);
	buf_add(&b, block, sizeof(block));
	for (size_t i = 0; i < im->nruns && rc == 0; i++) {
		const struct image_run *run = &im->runs[i];
		const struct isa_secinfo si = { .flags = run->secinfo };
		bool data = run->measured || !(run->repeat && run->src == image_zero_page);

		for (uint64_t at = 0; at < run->length && rc == 0; at += ISA_PAGE) {
			isa_measure_eadd(run->offset + at, &si, block);
			buf_add(&b, block, sizeof(block));
			if (data)
				chunks_of_page(&b, run, at);
			if (b.n > (1 << 19)) {
				rc = b.failed ? err_nomem(e) : io_write_full(fd, b.p, b.n, e);
				b.n = 0;
			}
		}
	}
	if (rc == 0)
		rc = b.failed ? err_nomem(e) : io_write_full(fd, b.p, b.n, e);
	buf_free(&b);
	return rc;
}
