/*
 * Laying out an enclave of the kit: heap and threads behind the image, and
 * the metadata that says so, in the forms that Intel's runtime reads too: 1.5
 * for every CPU and, where the enclave can grow, 3.3 for those with EDMM.
 * Both add the same pages in the same order, so one signature is for both.
 */
#include "image/internal.h"

#include <string.h>

#define SSA_FRAMES 2
#define TCS_TEMPLATE 72
#define STACK_FILL 0xccccccccu
#define RW (SECINFO_R | SECINFO_W | SECINFO_OF_PT(PT_REG))
#define TLS_MAX (UINT64_C(64) << 20)

enum {
	ID_HEAP_MIN = 1,
	ID_HEAP_INIT = 2,
	ID_HEAP_MAX = 3,
	ID_TCS = 4,
	ID_TD = 5,
	ID_SSA = 6,
	ID_STACK_MAX = 7,
	ID_STACK_MIN = 8,
	ID_THREAD_GROUP = LAYOUT_GROUP | 9,
	ID_GUARD = 10,
	ID_DYNAMIC = 10, /* added to an id: the same of a dynamic thread */
};

/* ---- sizes that do not depend on the machine that signs ---- */

/* Offsets of the state components in standard format on every CPU so far: the largest end. */
uint32_t image_xsave_size(uint64_t xfrm)
{
	if (xfrm & XFRM_AMX)
		return 11008;
	if (xfrm & XFRM_PKRU)
		return 2696;
	if (xfrm & XFRM_AVX512)
		return 2688;
	if (xfrm & XFRM_MPX)
		return 1088;
	return xfrm & XFRM_AVX ? 832 : 576;
}

uint32_t image_ssa_pages(uint64_t xfrm)
{
	uint64_t bytes = image_xsave_size(xfrm) + sizeof(struct isa_gprsgx) +
			 sizeof(struct isa_exinfo);

	return (uint32_t)((bytes + ISA_PAGE - 1) / ISA_PAGE);
}

/* ---- the plan ---- */

struct plan {
	const struct image_config *c;
	bool dynamic; /* anything for EDMM in it: then there are two versions of metadata */
	uint64_t image_end, heap, threads, dynamic_threads, end, size;
	uint64_t ssa_pages, tls_size, td_pages;
	/* within a thread, from its first guard page */
	uint64_t stack, tcs, ssa, td, stride;
	uint8_t tcs_template[TCS_TEMPLATE];
};

static uint64_t page_ceil(uint64_t v)
{
	return (v + ISA_PAGE - 1) & ~(uint64_t)(ISA_PAGE - 1);
}

static int plan_tls(struct plan *p, const struct image_elf *elf, struct bawn_error *e)
{
	uint64_t align = elf->tls_align ? elf->tls_align : 1;

	if (elf->tls_size > TLS_MAX || align > ISA_PAGE || align & (align - 1))
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "thread-local storage above 64 MiB or aligned to more than a page");
	p->tls_size = (elf->tls_size + align - 1) & ~(align - 1);
	p->td_pages = 1 + page_ceil(p->tls_size) / ISA_PAGE;
	return 0;
}

/* guard | stack | guard | TCS | SSA | guard | TLS and thread data */
static void plan_thread(struct plan *p)
{
	p->ssa_pages = SSA_FRAMES * image_ssa_pages(p->c->xfrm | ~p->c->xfrm_mask);
	p->stack = ISA_PAGE;
	p->tcs = p->stack + p->c->stack_max + ISA_PAGE;
	p->ssa = p->tcs + ISA_PAGE;
	p->td = p->ssa + p->ssa_pages * ISA_PAGE + ISA_PAGE;
	p->stride = p->td + p->td_pages * ISA_PAGE;
}

static void make_tcs_template(struct plan *p, const struct image_elf *elf)
{
	uint64_t td = p->td + (p->td_pages - 1) * ISA_PAGE - p->tcs;
	struct isa_tcs tcs = { .flags = p->c->aexnotify ? TCS_AEXNOTIFY : 0,
			       .ossa = p->ssa - p->tcs,
			       .nssa = SSA_FRAMES,
			       .oentry = elf->entry,
			       .ofsbase = td,
			       .ogsbase = td,
			       .fslimit = UINT32_MAX,
			       .gslimit = UINT32_MAX };

	memcpy(p->tcs_template, &tcs, TCS_TEMPLATE);
}

static int make_plan(struct plan *p, const struct image_elf *elf, const struct image_config *c,
		     struct bawn_error *e)
{
	const struct image_segment *last = &elf->segment[elf->nsegments - 1];
	int rc;

	memset(p, 0, sizeof(*p));
	p->c = c;
	p->dynamic = c->heap_max > c->heap_init || c->threads_max > c->threads;
	rc = plan_tls(p, elf, e);
	if (rc)
		return rc;
	plan_thread(p);
	make_tcs_template(p, elf);
	/* Each term is bounded (config.c), so nothing here can wrap. */
	p->image_end = page_ceil(last->vaddr + last->memsz);
	p->heap = p->image_end;
	p->threads = p->heap + c->heap_max;
	p->dynamic_threads = p->threads + c->threads * p->stride;
	p->end = p->threads + c->threads_max * p->stride;
	for (p->size = 2 * ISA_PAGE; p->size < p->end; p->size *= 2)
		if (p->size >= IMAGE_MAX_SIZE)
			return err_set(e, BAWN_ERR_USAGE,
				       "image, heap and threads take more than 64 GiB");
	return 0;
}

/* ---- what the enclave is told ---- */

static void fill_layout(const struct plan *p, struct isa_enclave_layout *l)
{
	const struct image_config *c = p->c;
	uint64_t td = p->td + (p->td_pages - 1) * ISA_PAGE;

	*l = (struct isa_enclave_layout){
		.size = sizeof(*l),
		.enclave_size = p->size,
		.heap_offset = p->heap,
		.heap_min = c->heap_min,
		.heap_init = c->heap_init,
		.heap_max = c->heap_max,
		.threads_static = c->threads,
		.threads_max = c->threads_max,
		.thread_stride = p->stride,
		.stack_top = (int64_t)(p->stack + c->stack_max) - (int64_t)p->tcs,
		.stack_start = (int64_t)(p->stack + c->stack_max - c->stack_min) - (int64_t)p->tcs,
		.stack_limit = (int64_t)p->stack - (int64_t)p->tcs,
		.ssa = (int64_t)(p->ssa - p->tcs),
		.ssa_frame_size = p->ssa_pages / SSA_FRAMES * ISA_PAGE,
		.nssa = SSA_FRAMES,
		.td = (int64_t)(td - p->tcs),
		.tls = (int64_t)(td - p->tls_size - p->tcs),
		.dynamic_tcs_offset =
			c->threads_max > c->threads ? p->dynamic_threads + p->tcs : 0,
		.flags = (p->dynamic ? ISA_LAYOUT_EDMM : 0) |
			 (c->threads_bound ? 0 : ISA_LAYOUT_UNBOUND),
	};
	memcpy(l->magic, ISA_LAYOUT_MAGIC, sizeof(l->magic));
	memcpy(l->tcs_template, p->tcs_template, sizeof(l->tcs_template));
}

/* ---- metadata, written ---- */

/* One blob under construction in the room that the note has left. */
struct writer {
	uint8_t *p;
	size_t n, room;
	bool full;
};

static uint8_t *take(struct writer *w, size_t n)
{
	if (w->full || n > w->room - w->n) {
		w->full = true;
		return NULL;
	}
	uint8_t *at = w->p + w->n;
	w->n += n;
	memset(at, 0, n);
	return at;
}

static void entry(struct writer *w, unsigned id, unsigned attributes, uint64_t bytes, uint64_t rva,
		  uint32_t content_size, uint32_t content_offset, uint64_t si_flags)
{
	uint8_t *p = take(w, 32);

	if (!p)
		return;
	put_le16(p, (uint16_t)id);
	put_le16(p + 2, (uint16_t)attributes);
	put_le32(p + 4, (uint32_t)(bytes / ISA_PAGE));
	put_le64(p + 8, rva);
	put_le32(p + 16, content_size);
	put_le32(p + 20, content_offset);
	put_le64(p + 24, si_flags);
}

static void group(struct writer *w, unsigned id, unsigned entries, uint32_t times, uint64_t step)
{
	uint8_t *p = take(w, 32);

	if (!p)
		return;
	put_le16(p, (uint16_t)id);
	put_le16(p + 2, (uint16_t)entries);
	put_le32(p + 4, times);
	put_le64(p + 8, step);
}

static void write_heap(struct writer *w, const struct plan *p, bool edmm)
{
	const struct image_config *c = p->c;
	unsigned init = LAYOUT_ATTR_EADD | LAYOUT_ATTR_POST_REMOVE;

	entry(w, ID_HEAP_MIN, LAYOUT_ATTR_EADD, c->heap_min, p->heap, 0, 0, RW);
	if (c->heap_init > c->heap_min)
		entry(w, ID_HEAP_INIT, edmm ? init | LAYOUT_ATTR_POST_ADD : LAYOUT_ATTR_EADD,
		      c->heap_init - c->heap_min, p->heap + c->heap_min, 0, 0, RW);
	if (c->heap_max > c->heap_init)
		entry(w, ID_HEAP_MAX, edmm ? LAYOUT_ATTR_POST_ADD : 0, c->heap_max - c->heap_init,
		      p->heap + c->heap_init, 0, 0, edmm ? RW : 0);
}

/*
 * `count` threads from base on. Static ones have their whole stack; dynamic
 * ones start with the least of it.
 */
static void write_threads(struct writer *w, const struct plan *p, uint64_t base, uint32_t count,
			  bool dynamic, uint32_t tcs_template)
{
	const unsigned measured = LAYOUT_ATTR_EADD | LAYOUT_ATTR_EEXTEND;
	const unsigned attr = dynamic ? LAYOUT_ATTR_POST_ADD | LAYOUT_ATTR_DYN_THREAD : measured;
	const unsigned grow =
		(dynamic ? LAYOUT_ATTR_POST_ADD : measured) | LAYOUT_ATTR_GROW_DOWN;
	const unsigned id = dynamic ? ID_DYNAMIC : 0;
	const uint64_t stack = base + p->stack, spare = p->c->stack_max - p->c->stack_min;
	const size_t before = w->n;

	if (count == 0)
		return;
	entry(w, ID_GUARD, 0, ISA_PAGE, base, 0, 0, 0);
	if (spare)
		entry(w, id + ID_STACK_MAX, grow, spare, stack, STACK_FILL, 0, RW);
	entry(w, id + ID_STACK_MIN, attr, p->c->stack_min, stack + spare, STACK_FILL, 0, RW);
	entry(w, ID_GUARD, 0, ISA_PAGE, stack + p->c->stack_max, 0, 0, 0);
	entry(w, id + ID_TCS, attr, ISA_PAGE, base + p->tcs, TCS_TEMPLATE, tcs_template,
	      SECINFO_OF_PT(PT_TCS));
	entry(w, id + ID_SSA, attr, p->ssa_pages * ISA_PAGE, base + p->ssa, 0, 0, RW);
	entry(w, ID_GUARD, 0, ISA_PAGE, base + p->td - ISA_PAGE, 0, 0, 0);
	entry(w, id + ID_TD, attr, p->td_pages * ISA_PAGE, base + p->td, 0, 0, RW);
	if (count > 1)
		group(w, id + ID_THREAD_GROUP, (unsigned)((w->n - before) / 32), count - 1,
		      p->stride);
}

static void write_layout(struct writer *w, const struct plan *p, bool edmm, uint32_t tcs_template)
{
	uint64_t end = p->end;

	write_heap(w, p, edmm);
	write_threads(w, p, p->threads, p->c->threads, false, tcs_template);
	if (edmm)
		write_threads(w, p, p->dynamic_threads, p->c->threads_max - p->c->threads, true,
			      tcs_template);
	else
		end = p->dynamic_threads;
	if (p->size > end)
		entry(w, ID_GUARD, 0, p->size - end, end, 0, 0, 0);
}

static void patch(struct writer *w, uint64_t dst, uint32_t src, uint32_t size)
{
	uint8_t *p = take(w, 32);

	if (!p)
		return;
	put_le64(p, dst);
	put_le32(p + 8, src);
	put_le32(p + 12, size);
}

/* Where the ELF header points to the section headers: cleared, so that strip(1) changes nothing. */
static void write_patches(struct writer *w, uint64_t layout_at, uint32_t layout, uint32_t zeros)
{
	patch(w, layout_at, layout, sizeof(struct isa_enclave_layout));
	patch(w, 0x3c, zeros, 2); /* e_shnum */
	patch(w, 0x28, zeros, 8); /* e_shoff */
	patch(w, 0x3e, zeros, 2); /* e_shstrndx */
}

static void write_dir(uint8_t *blob, unsigned i, uint32_t offset, size_t end)
{
	put_le32(blob + METADATA_DIRS + 8 * i, offset);
	put_le32(blob + METADATA_DIRS + 8 * i + 4, (uint32_t)end - offset);
}

static void write_header(uint8_t *blob, const struct plan *p, uint64_t version, size_t size)
{
	const struct image_config *c = p->c;
	struct isa_attributes wanted = image_wanted_attributes(c);

	put_le64(blob, METADATA_MAGIC);
	put_le64(blob + 8, version);
	put_le32(blob + 16, (uint32_t)size);
	put_le32(blob + 20, c->threads_bound ? 0 : 1);
	put_le32(blob + 24, (uint32_t)(p->ssa_pages / SSA_FRAMES));
	put_le32(blob + 28, image_xsave_size(wanted.xfrm));
	put_le32(blob + 32, c->miscselect);
	put_le32(blob + 36, c->threads - 1);
	put_le64(blob + 40, p->size);
	put_le64(blob + 48, wanted.flags);
	put_le64(blob + 56, wanted.xfrm);
}

/* One version of the metadata; gives its size, 0 if there is no room for it. */
static size_t write_blob(uint8_t *room, size_t n, const struct plan *p, uint64_t version,
			 uint64_t layout_at)
{
	struct writer w = { .p = room, .room = n };
	struct isa_enclave_layout layout;
	uint32_t template_at, layout_block, zeros, table;

	take(&w, METADATA_DIRS + 32);
	template_at = (uint32_t)w.n;
	uint8_t *at = take(&w, TCS_TEMPLATE);
	if (at)
		memcpy(at, p->tcs_template, TCS_TEMPLATE);
	layout_block = (uint32_t)w.n;
	at = take(&w, sizeof(layout));
	fill_layout(p, &layout);
	if (at)
		memcpy(at, &layout, sizeof(layout));
	zeros = (uint32_t)w.n;
	take(&w, 8);
	table = (uint32_t)w.n;
	write_patches(&w, layout_at, layout_block, zeros);
	if (!w.full)
		write_dir(room, 0, table, w.n);
	table = (uint32_t)w.n;
	write_layout(&w, p, METADATA_MAJOR(version) == 3, template_at);
	if (w.full)
		return 0;
	write_dir(room, 1, table, w.n);
	write_header(room, p, version, w.n);
	return w.n;
}

/* ---- all of it ---- */

static bool executable(const struct image_elf *elf, uint64_t at)
{
	for (size_t i = 0; i < elf->nsegments; i++) {
		const struct image_segment *s = &elf->segment[i];

		if (at >= s->vaddr && at - s->vaddr < s->memsz)
			return s->secinfo & SECINFO_X;
	}
	return false;
}

static int find_layout(const uint8_t *file, const struct image_elf *elf, uint64_t *at,
		       struct bawn_error *e)
{
	const size_t size = sizeof(struct isa_enclave_layout);

	if (elf->metadata_room == 0)
		return err_set(e, BAWN_ERR_FORMAT,
			       "there is no section .note.sgxmeta to write the metadata to");
	if (elf->layout_symbol == 0 && elf->has_global_data)
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "built with Intel's SDK: its own signer must lay it out first, then "
			       "bawn sign can sign it again");
	if (elf->layout_symbol == 0)
		return err_set(e, BAWN_ERR_FORMAT,
			       "not built with Bawn's kit: it does not export bawn_enclave_layout");
	if (elf->undefined[0])
		return err_set(e, BAWN_ERR_FORMAT, "the symbol %s is undefined", elf->undefined);
	if (elf->textrel)
		return err_set(e, BAWN_ERR_UNSUPPORTED, "it has text relocations: build with -fPIC");
	if (!executable(elf, elf->entry))
		return err_set(e, BAWN_ERR_FORMAT,
			       "its entry point 0x%llx is not in an executable segment",
			       (unsigned long long)elf->entry);
	if (!image_elf_offset(elf, elf->layout_symbol, size, at) ||
	    memcmp(file + *at, ISA_LAYOUT_MAGIC, 8) != 0 || get_le64(file + *at + 8) != size)
		return err_set(e, BAWN_ERR_FORMAT,
			       "bawn_enclave_layout is not what this version of bawn fills in");
	return 0;
}

static int write_metadata(uint8_t *room, size_t n, const struct plan *p, uint64_t layout_at,
			  struct bawn_error *e)
{
	size_t used = 0, size;

	memset(room, 0, n);
	if (p->dynamic) {
		used = write_blob(room, n, p, METADATA_VERSION(3, 3), layout_at);
		if (used == 0)
			goto full;
	}
	size = write_blob(room + used, n - used, p, METADATA_VERSION(1, 5), layout_at);
	if (size)
		return 0;
full:
	return err_set(e, BAWN_ERR_FORMAT,
		       ".note.sgxmeta has room for %zu bytes, which is too little: 0x2000 always do", n);
}

int image_lay_out(uint8_t *file, size_t n, const struct image_config *c, struct bawn_error *e)
{
	struct image_elf elf;
	struct plan p;
	uint64_t layout_at = 0;
	int rc = image_elf_parse(&elf, file, n, e);

	if (rc)
		return rc;
	rc = find_layout(file, &elf, &layout_at, e);
	if (rc == 0)
		rc = make_plan(&p, &elf, c, e);
	if (rc == 0)
		rc = write_metadata(file + elf.metadata_offset, (size_t)elf.metadata_room, &p,
				    layout_at, e);
	image_elf_free(&elf);
	return rc;
}
