/*
 * An SDK-format file to pages: patched segments first, then the layout table.
 * The order and every rule here are part of the measurement.
 */
#include "image/internal.h"

#include <stdlib.h>
#include <string.h>

/* What the pages of a segment are made from. */
struct source {
	const struct image_elf *elf;
	const struct image_metadata *meta;
	struct image_patch *patch;
	size_t npatches;
	uint64_t image_offset; /* of address 0 of this ELF file, from BASEADDR */
	uint64_t file_offset;  /* of this ELF file in the whole; patches count from there */
};

static uint64_t page_floor(uint64_t v)
{
	return v & ~(uint64_t)(ISA_PAGE - 1);
}
static uint64_t page_ceil(uint64_t v) /* v <= IMAGE_MAX_SIZE */
{
	return page_floor(v + ISA_PAGE - 1);
}
static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- patches ---- */

static int load_patches(struct source *src, struct bawn_error *e)
{
	const struct image_metadata *m = src->meta;
	size_t n = m->patches.size / 32;
	struct cur dst;

	src->patch = calloc(n + 1, sizeof(*src->patch));
	if (!src->patch)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		struct image_patch *p = &src->patch[i];
		int rc = image_metadata_patch(m, i, p, e);

		if (rc)
			return rc;
		if (!cur_at(&src->elf->file, p->dst, p->size, &dst))
			return err_set(e, BAWN_ERR_FORMAT,
				       "the metadata is damaged: a patch is for a place outside the file");
		if (dst.n && dst.p < m->blob.p + m->blob.n && m->blob.p < dst.p + dst.n)
			return err_set(e, BAWN_ERR_FORMAT,
				       "the metadata is damaged: a patch changes the metadata itself");
		src->npatches++;
	}
	return 0;
}

/* The first file offset at or after `from` that a patch changes, or UINT64_MAX. */
static uint64_t next_patched(const struct source *src, uint64_t from)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < src->npatches; i++) {
		const struct image_patch *p = &src->patch[i];

		if (p->size && p->dst + p->size > from)
			next = min_u64(next, p->dst > from ? p->dst : from);
	}
	return next;
}

/* Apply to the bytes [at, at + n) of the file, copied to p, what patches do to them. */
static void apply_patches(const struct source *src, uint64_t at, uint8_t *p, uint64_t n)
{
	for (size_t i = 0; i < src->npatches; i++) {
		const struct image_patch *patch = &src->patch[i];
		uint64_t from = patch->dst > at ? patch->dst : at;
		uint64_t to = min_u64(patch->dst + patch->size, at + n);

		if (from < to)
			memcpy(p + (from - at), src->meta->blob.p + patch->src + (from - patch->dst),
			       to - from);
	}
}

/* ---- segments ---- */

static bool has_relocation(const struct image_elf *elf, uint64_t vaddr)
{
	uint64_t page = vaddr / ISA_PAGE;

	return elf->textrel && page < elf->textrel_pages && elf->textrel[page / 8] >> page % 8 & 1;
}

/* One page copied: its part of the file, patched, zeros around it. */
static int add_copied_page(struct image *im, const struct source *src,
			   const struct image_segment *s, uint64_t page, uint64_t secinfo,
			   struct bawn_error *e)
{
	uint64_t from = page > s->vaddr ? page : s->vaddr;
	uint64_t to = min_u64(page + ISA_PAGE, s->vaddr + s->filesz);
	uint64_t at = s->offset + (from - s->vaddr);
	uint8_t *p = image_new_page(im);

	if (!p)
		return err_nomem(e);
	memcpy(p + (from - page), src->elf->file.p + at, to - from);
	apply_patches(src, src->file_offset + at, p + (from - page), to - from);
	return image_add_run(im,
			     &(struct image_run){ .offset = src->image_offset + page,
						  .length = ISA_PAGE,
						  .src = p,
						  .secinfo = secinfo,
						  .measured = true },
			     e);
}

/* How many bytes from `page` on can be used in place: whole pages of the file, not patched. */
static uint64_t plain_length(const struct source *src, const struct image_segment *s, uint64_t page)
{
	if (page < s->vaddr || page + ISA_PAGE > s->vaddr + s->filesz)
		return 0;
	uint64_t at = s->offset + (page - s->vaddr);
	if ((uintptr_t)(src->elf->file.p + at) % ISA_PAGE)
		return 0;
	if (src->elf->textrel) /* permissions differ page by page */
		return next_patched(src, src->file_offset + at) - src->file_offset - at < ISA_PAGE ?
			       0 :
			       ISA_PAGE;
	uint64_t whole = page_floor(s->vaddr + s->filesz - page);
	uint64_t patched = next_patched(src, src->file_offset + at) - src->file_offset - at;
	return min_u64(whole, page_floor(patched));
}

/* The initialised part of a segment, from its first page to the last that has file content. */
static int add_data(struct image *im, const struct source *src, const struct image_segment *s,
		    struct bawn_error *e)
{
	uint64_t page = page_floor(s->vaddr);

	while (page < s->vaddr + s->filesz) {
		uint64_t plain = plain_length(src, s, page), secinfo = s->secinfo;
		int rc;

		if (has_relocation(src->elf, page))
			secinfo |= SECINFO_W;
		if (plain == 0) {
			rc = add_copied_page(im, src, s, page, secinfo, e);
			plain = ISA_PAGE;
		} else {
			rc = image_add_run(
				im,
				&(struct image_run){ .offset = src->image_offset + page,
						     .length = plain,
						     .src = src->elf->file.p + s->offset +
							    (page - s->vaddr),
						     .secinfo = secinfo,
						     .measured = true },
				e);
		}
		if (rc)
			return rc;
		page += plain;
	}
	return 0;
}

static int add_zeros(struct image *im, uint64_t offset, uint64_t length, uint64_t secinfo,
		     struct bawn_error *e)
{
	if (length == 0)
		return 0;
	return image_add_run(im,
			     &(struct image_run){ .offset = offset,
						  .length = length,
						  .src = image_zero_page,
						  .secinfo = secinfo,
						  .repeat = true,
						  .measured = true },
			     e);
}

static int add_segment(struct image *im, const struct source *src, const struct image_segment *s,
		       struct bawn_error *e)
{
	uint64_t from = s->filesz ? page_ceil(s->vaddr + s->filesz) : page_floor(s->vaddr);
	uint64_t to = s->memsz ? page_ceil(s->vaddr + s->memsz) : from;
	int rc = add_data(im, src, s, e);

	if (rc == 0 && to > from)
		rc = add_zeros(im, src->image_offset + from, to - from, s->secinfo, e);
	return rc;
}

/*
 * Metadata 1.3 alone: a segment that does not start on a page boundary may be
 * followed by one more page of zeros, if its size, rounded up by itself, would
 * reach further than it does, and if the next segment leaves room for it.
 */
static int add_trailing_page(struct image *im, const struct source *src,
			     const struct image_segment *s, const struct image_segment *next,
			     struct bawn_error *e)
{
	uint64_t end = page_ceil(s->vaddr + s->memsz);

	if (src->meta->version != METADATA_VERSION(1, 3) || s->vaddr == 0 ||
	    end >= page_ceil(s->vaddr + page_ceil(s->memsz)) ||
	    (next && end >= page_floor(next->vaddr)))
		return 0;
	return add_zeros(im, src->image_offset + end, ISA_PAGE, s->secinfo, e);
}

/* Beyond the maximum they stay as they were: nothing rests on it. */
static void settle(struct image *im, uint64_t offset, uint64_t end, uint64_t secinfo)
{
	struct image_settled *last = im->nsettled ? &im->settled[im->nsettled - 1] : NULL;

	if (offset >= end)
		return;
	if (last && last->offset + last->length == offset && last->secinfo == secinfo)
		last->length += end - offset;
	else if (im->nsettled < IMAGE_MAX_SETTLED)
		im->settled[im->nsettled++] = (struct image_settled){ offset, end - offset, secinfo };
}

/* What of a segment is not written any more once the enclave is initialised. */
static void settle_segment(struct image *im, const struct source *src,
			   const struct image_segment *s)
{
	const struct image_elf *elf = src->elf;
	uint64_t end = s->vaddr + s->memsz, relro_end;

	for (uint64_t page = page_floor(s->vaddr); page < end && !(s->secinfo & SECINFO_W);
	     page += ISA_PAGE)
		if (has_relocation(elf, page))
			settle(im, src->image_offset + page, src->image_offset + page + ISA_PAGE,
			       s->secinfo);
	/* Whole pages only: what shares the last one stays writable. */
	if (elf->relro < s->vaddr || !add_u64(elf->relro, elf->relro_size, &relro_end))
		return;
	settle(im, src->image_offset + page_floor(elf->relro),
	       src->image_offset + page_floor(min_u64(relro_end, page_ceil(end))), SECINFO_R);
}

static int add_segments(struct image *im, const struct source *src, bool main_file,
			struct bawn_error *e)
{
	const struct image_elf *elf = src->elf;

	for (size_t i = 0; i < elf->nsegments; i++) {
		const struct image_segment *s = &elf->segment[i];
		int rc = add_segment(im, src, s, e);

		if (rc == 0)
			settle_segment(im, src, s);

		if (rc == 0 && main_file)
			rc = add_trailing_page(im, src, s,
					       i + 1 < elf->nsegments ? s + 1 : NULL, e);
		if (rc)
			return rc;
	}
	return 0;
}

/* OpenSSL's FIPS module rides behind the enclave in the file and behind its segments in memory. */
static int add_shared_object(struct image *im, const struct source *main_src,
			     struct bawn_error *e)
{
	uint64_t file_offset, size, mem_offset;
	struct image_elf elf;
	struct cur file;
	bool found;
	int rc = image_metadata_shared_object(main_src->meta, &found, &file_offset, &size,
					      &mem_offset, e);

	if (rc || !found)
		return rc;
	if (!cur_at(&main_src->elf->file, file_offset, size, &file) || mem_offset > im->size)
		return err_set(e, BAWN_ERR_FORMAT,
			       "the metadata is damaged: the shared object behind the enclave is not there");
	rc = image_elf_parse(&elf, file.p, file.n, e);
	if (rc)
		return rc;
	struct source src = *main_src;
	src.elf = &elf;
	src.image_offset += mem_offset;
	src.file_offset = file_offset;
	rc = add_segments(im, &src, false, e);
	image_elf_free(&elf);
	return rc;
}

/* ---- layout ---- */

/*
 * A TCS template holds offsets relative to the TCS (and to the image, where
 * ELRANGE is larger): the TCS's own address in the image is added. CSSA and
 * the like are what EADD would make of them.
 */
static int add_tcs(struct image *im, const struct source *src, const struct image_layout *l,
		   uint64_t rva, struct bawn_error *e)
{
	struct isa_tcs tcs = { 0 };
	uint8_t *page;
	int rc;

	if (l->page_count != 1 || l->content_size > sizeof(tcs))
		return err_set(e, BAWN_ERR_FORMAT,
			       "the metadata is damaged: a TCS is not exactly one page");
	memcpy(&tcs, src->meta->blob.p + l->content_offset, l->content_size);
	tcs.ossa += rva;
	tcs.ofsbase += rva;
	tcs.ogsbase += rva;
	isa_tcs_reset(&tcs);
	im->entry = tcs.oentry;
	page = image_new_page(im);
	if (!page)
		return err_nomem(e);
	memcpy(page, &tcs, sizeof(tcs));
	rc = image_add_run(im,
			   &(struct image_run){ .offset = src->image_offset + rva,
						.length = ISA_PAGE,
						.src = page,
						.secinfo = l->si_flags,
						.measured = l->attributes & LAYOUT_ATTR_EEXTEND },
			   e);
	if (rc == 0 && !(l->attributes & LAYOUT_ATTR_EREMOVE))
		rc = image_add_tcs(im, src->image_offset + rva, false, e);
	return rc;
}

/* Content out of the metadata: measured whatever the attributes say, then zeros. */
static int add_content(struct image *im, const struct source *src, const struct image_layout *l,
		       uint64_t rva, struct bawn_error *e)
{
	uint64_t length = (uint64_t)l->page_count * ISA_PAGE, at = 0;

	if (l->content_size > length)
		return err_set(e, BAWN_ERR_FORMAT,
			       "the metadata is damaged: the content of a layout entry is larger than it");
	for (; at < l->content_size; at += ISA_PAGE) {
		uint8_t *page = image_new_page(im);
		int rc;

		if (!page)
			return err_nomem(e);
		memcpy(page, src->meta->blob.p + l->content_offset + at,
		       min_u64(ISA_PAGE, l->content_size - at));
		rc = image_add_run(im,
				   &(struct image_run){ .offset = src->image_offset + rva + at,
							.length = ISA_PAGE,
							.src = page,
							.secinfo = l->si_flags,
							.measured = true },
				   e);
		if (rc)
			return rc;
	}
	return add_zeros(im, src->image_offset + rva + at, length - at, l->si_flags, e);
}

/* A page of one 32-bit word, kept per file: stacks of all threads share it. */
static const uint8_t *fill_page(struct image *im, uint32_t word)
{
	const struct image_run *last = im->nruns ? &im->runs[im->nruns - 1] : NULL;

	if (word == 0)
		return image_zero_page;
	for (const struct image_run *r = last; r && r >= im->runs; r--)
		if (r->repeat && get_le32(r->src) == word)
			return r->src;
	uint8_t *page = image_new_page(im);
	for (size_t i = 0; page && i < ISA_PAGE; i += 4)
		put_le32(page + i, word);
	return page;
}

static int add_filled(struct image *im, const struct source *src, const struct image_layout *l,
		      uint64_t rva, struct bawn_error *e)
{
	const uint8_t *page = fill_page(im, l->content_size);

	if (!page)
		return err_nomem(e);
	return image_add_run(im,
			     &(struct image_run){ .offset = src->image_offset + rva,
						  .length = (uint64_t)l->page_count * ISA_PAGE,
						  .src = page,
						  .secinfo = l->si_flags,
						  .repeat = true,
						  .measured = l->attributes & LAYOUT_ATTR_EEXTEND },
			     e);
}

#define LAYOUT_ID_TCS_DYN 14

static int add_dynamic(struct image *im, const struct source *src, const struct image_layout *l,
		       uint64_t rva, struct bawn_error *e)
{
	int rc = 0;

	if (!(l->attributes & LAYOUT_ATTR_EADD))
		rc = image_add_dynamic(
			im,
			&(struct image_dynamic){ .offset = src->image_offset + rva,
						 .length = (uint64_t)l->page_count * ISA_PAGE,
						 .secinfo = l->si_flags,
						 .layout_id = l->id,
						 .attributes = l->attributes },
			e);
	if (rc == 0 && l->id == LAYOUT_ID_TCS_DYN)
		rc = image_add_tcs(im, src->image_offset + rva, true, e);
	return rc;
}

static int add_entry(struct image *im, const struct source *src, const struct image_layout *l,
		     uint64_t step, struct bawn_error *e)
{
	uint64_t rva;
	int rc = 0;

	if (l->page_count == 0)
		return 0;
	if (l->rva % ISA_PAGE || !add_u64(l->rva, step, &rva) || rva > IMAGE_MAX_SIZE)
		return err_set(e, BAWN_ERR_FORMAT,
			       "the metadata is damaged: a layout entry has an address outside the image");
	if (l->attributes & LAYOUT_ATTR_EADD) {
		if (l->content_offset && l->si_flags == SECINFO_OF_PT(PT_TCS))
			rc = add_tcs(im, src, l, rva, e);
		else if (l->content_offset)
			rc = add_content(im, src, l, rva, e);
		else if (l->si_flags)
			rc = add_filled(im, src, l, rva, e);
	}
	if (rc == 0 && l->attributes & LAYOUT_ATTR_POST_ADD)
		rc = add_dynamic(im, src, l, rva, e);
	return rc;
}

static int add_group(struct image *im, const struct source *src, const struct image_layout *g,
		     struct bawn_error *e)
{
	uint64_t step = 0;

	/* An empty group, or one of guards alone, must not count to four billion. */
	if (g->load_times > IMAGE_MAX_RUNS)
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "a layout group is repeated more than %u times", IMAGE_MAX_RUNS);
	for (uint32_t t = 0; t < g->load_times; t++) {
		if (!add_u64(step, g->load_step, &step) || step > IMAGE_MAX_SIZE)
			return err_set(e, BAWN_ERR_FORMAT,
				       "the metadata is damaged: a layout group leaves the image");
		for (const struct image_layout *l = g - g->entry_count; l < g; l++) {
			int rc = add_entry(im, src, l, step, e);

			if (rc)
				return rc;
		}
	}
	return 0;
}

static int add_layout(struct image *im, const struct source *src, struct bawn_error *e)
{
	for (size_t i = 0; i < im->nlayout; i++) {
		const struct image_layout *l = &im->layout[i];
		int rc = l->id & LAYOUT_GROUP ? add_group(im, src, l, e) :
						add_entry(im, src, l, 0, e);

		if (rc)
			return rc;
	}
	return 0;
}

/* ---- facts for people and for the runtime ---- */

static uint64_t bytes_of(const struct image *im, uint16_t id)
{
	for (size_t i = 0; i < im->nlayout; i++)
		if (im->layout[i].id == id)
			return (uint64_t)im->layout[i].page_count * ISA_PAGE;
	return 0;
}

static void take_facts(struct image *im, const struct image_metadata *m, const struct image_elf *elf)
{
	im->ssaframesize = m->ssa_frame_size;
	im->sigstruct = m->sigstruct;
	im->has_sigstruct = !ct_is_zero(&m->sigstruct, sizeof(m->sigstruct));
	im->attributes = m->attributes;
	im->miscselect = m->miscselect;
	im->metadata_version = m->version;
	im->tcs_policy = m->tcs_policy;
	im->tcs_min_pool = m->tcs_min_pool;
	im->xsave_size = m->xsave_size;
	im->is_simulation = elf->is_simulation;
	im->is_encrypted = elf->is_encrypted;
	im->is_kit = elf->layout_symbol != 0;
	im->heap_min = bytes_of(im, 1);
	if (m->version < METADATA_VERSION(1, 4)) {
		im->heap_init = im->heap_max = im->heap_min;
		im->stack_min = im->stack_max = bytes_of(im, 5);
		return;
	}
	im->heap_init = im->heap_min + bytes_of(im, 2);
	im->heap_max = im->heap_init + bytes_of(im, 3);
	im->stack_min = bytes_of(im, 8);
	im->stack_max = im->stack_min + bytes_of(im, 7);
}

static int take_size(struct image *im, const struct image_metadata *m, struct bawn_error *e)
{
	struct image_elrange r;
	int rc;

	im->size = m->enclave_size;
	if (METADATA_MAJOR(m->version) <= 10)
		return 0;
	rc = image_metadata_elrange(m, &r, e);
	if (rc)
		return rc;
	im->size = r.size;
	im->fixed_base = true;
	im->elrange_base = r.start;
	im->image_offset = r.image_address - r.start;
	return 0;
}

static int build(struct image *im, const struct image_elf *elf, const struct image_metadata *m,
		 struct bawn_error *e)
{
	struct source src = { .elf = elf, .meta = m };
	int rc = take_size(im, m, e);

	if (rc)
		return rc;
	src.image_offset = im->image_offset;
	rc = image_metadata_layout(m, im, e);
	if (rc == 0)
		rc = load_patches(&src, e);
	if (rc == 0)
		rc = add_segments(im, &src, true, e);
	if (rc == 0)
		rc = add_shared_object(im, &src, e);
	if (rc == 0)
		rc = add_layout(im, &src, e);
	free(src.patch);
	if (rc)
		return rc;
	take_facts(im, m, elf);
	return image_check_pages(im, e);
}

int image_read_sdk(struct image *im, const void *p, size_t n, const struct image_open_options *opt,
		   struct bawn_error *e)
{
	struct image_metadata m;
	struct image_elf elf;
	int rc = image_elf_parse(&elf, p, n, e);

	if (rc)
		return rc;
	im->format = IMAGE_SDK;
	rc = image_metadata_choose(&m, &elf, opt, im, e);
	if (rc == 0)
		rc = build(im, &elf, &m, e);
	image_elf_free(&elf);
	return rc;
}
