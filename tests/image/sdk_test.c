/* SDK-format files: every rule of the page stream, and every field refused when it is wrong. */
#include "make.h"

#include "../tap.h"

#include <elf.h>

#define R (SECINFO_R | SECINFO_OF_PT(PT_REG))
#define RX (SECINFO_R | SECINFO_X | SECINFO_OF_PT(PT_REG))
#define RW (SECINFO_R | SECINFO_W | SECINFO_OF_PT(PT_REG))
#define RWX (SECINFO_RWX | SECINFO_OF_PT(PT_REG))
#define TCS SECINFO_OF_PT(PT_TCS)

static struct image *open_made(const struct made *m, const struct image_open_options *opt)
{
	struct bawn_error e = { 0 };
	struct image *im;

	if (image_open_memory(&im, m->file.p, m->file.n, opt, &e))
		printf("# %s\n", e.msg);
	return im;
}

/* Description to image in one go; the file must outlive the image. */
static struct image *build(struct made *made, const struct make_elf *elf,
			   const struct make_meta *meta, const struct image_open_options *opt)
{
	struct make_elf d = *elf;
	struct bytes b = { 0 };

	make_meta(&b, meta);
	d.meta = b.p;
	d.meta_n = b.n;
	d.meta_room = b.n + 32;
	make_elf(made, &d);
	bytes_free(&b);
	return open_made(made, opt);
}

static void done(struct made *made, struct image **im)
{
	image_free(im);
	bytes_free(&made->file);
}

static void expect_tcs(struct expect *x, uint64_t offset, uint64_t rva)
{
	uint8_t page[4096] = { 0 };

	put_le64(page + 16, rva + 0x1000);
	put_le32(page + 28, 2);
	put_le64(page + 32, 0x1040);
	put_le64(page + 48, rva + 0x4000);
	put_le64(page + 56, rva + 0x4000);
	put_le32(page + 64, UINT32_MAX);
	put_le32(page + 68, UINT32_MAX);
	expect_page(x, offset, TCS, page, true);
}

static void expect_fill(struct expect *x, uint64_t offset, unsigned pages, uint32_t word)
{
	uint8_t page[4096];

	for (unsigned i = 0; i < 4096; i += 4)
		put_le32(page + i, word);
	for (unsigned i = 0; i < pages; i++)
		expect_page(x, offset + 4096 * i, RW, page, true);
}

/* What make_plain makes. */
static void expect_plain_segments(struct expect *x, uint64_t by)
{
	const struct make_segment text = { 0x1000, 0x1800, 0x1800, 0 },
				  data = { 0x3100, 0x400, 0x1200, 0 };

	expect_segment_page(x, &text, 0x1000, by + 0x1000, RX);
	expect_segment_page(x, &text, 0x2000, by + 0x2000, RX);
	expect_segment_page(x, &data, 0x3000, by + 0x3000, RW);
	expect_page(x, by + 0x4000, RW, NULL, true);
}

static void expect_plain_layout(struct expect *x, uint64_t by)
{
	for (uint64_t at = 0x5000; at < 0x9000; at += 0x1000)
		expect_page(x, by + at, RW, NULL, false);
	for (uint64_t step = 0; step <= 0x8000; step += 0x8000) {
		expect_fill(x, by + step + 0xa000, 2, 0xcccccccc);
		expect_tcs(x, by + step + 0xc000, step + 0xc000);
		expect_page(x, by + step + 0xd000, RW, NULL, true);
		expect_page(x, by + step + 0xe000, RW, NULL, true);
		expect_page(x, by + step + 0x10000, RW, NULL, true);
	}
}

static void test_plain(void)
{
	struct made made;
	struct expect x;

	make_plain(&made, METADATA_VERSION(1, 5));
	struct image *im = open_made(&made, NULL);
	expect_begin(&x, 1, 0x20000);
	expect_plain_segments(&x, 0);
	expect_plain_layout(&x, 0);
	if (expect_is(&x, im, "a plain enclave, a group of threads")) {
		is_int(im->ntcs, 2, "two threads");
		is_int(im->tcs[1].offset, 0x14000, "the second one is a step on");
		is_int(im->heap_min, 0x4000, "its heap");
		is_int(im->stack_max, 0x2000, "its stack");
		is_int(im->entry, 0x1040, "its entry");
		ok(!im->has_sigstruct && !im->is_simulation && !im->is_encrypted && !im->is_kit,
		   "no marks");
	}
	done(&made, &im);
}

static void test_unaligned(void)
{
	struct made made;
	struct expect x;
	struct image *im = NULL;

	make_plain(&made, METADATA_VERSION(1, 5));
	uint8_t *moved = malloc(made.file.n + 1);
	memcpy(moved + 1, made.file.p, made.file.n);
	ok(image_open_memory(&im, moved + 1, made.file.n, NULL, NULL) == 0, "at an odd address");
	expect_begin(&x, 1, 0x20000);
	expect_plain_segments(&x, 0);
	expect_plain_layout(&x, 0);
	expect_is(&x, im, "from an odd address");
	for (size_t i = 0; im && i < im->nruns; i++)
		if ((uintptr_t)im->runs[i].src % 4096)
			ok(false, "the source of run %zu is not page-aligned", i);
	done(&made, &im);
	free(moved);
}

/* The trailing page of 1.3, where it is due and where not. */
static void test_trailing_page(void)
{
	static const struct {
		const char *name;
		uint64_t version, vaddr, memsz, next;
		bool page;
	} cases[] = {
		{ "1.3, size rounds further", METADATA_VERSION(1, 3), 0x3eb0, 0x1068, 0x9000, true },
		{ "1.3, last segment", METADATA_VERSION(1, 3), 0x3eb0, 0x1068, 0, true },
		{ "1.3, starts on a page", METADATA_VERSION(1, 3), 0x3000, 0x1068, 0, false },
		{ "1.3, size does not round further", METADATA_VERSION(1, 3), 0x3100, 0x1ff0, 0,
		  false },
		{ "1.3, the next segment is there", METADATA_VERSION(1, 3), 0x3eb0, 0x1068, 0x5000,
		  false },
		{ "1.3, the next segment is one page on", METADATA_VERSION(1, 3), 0x3eb0, 0x1068,
		  0x6000, true },
		{ "1.4", METADATA_VERSION(1, 4), 0x3eb0, 0x1068, 0, false },
		{ "1.2", METADATA_VERSION(1, 2), 0x3eb0, 0x1068, 0, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct make_segment s = { cases[i].vaddr, 0x100, cases[i].memsz, PF_R | PF_W };
		const struct make_segment next = { cases[i].next, 0x1000, 0x1000, PF_R };
		const struct make_elf elf = { .segment = { s, next },
					      .nsegments = cases[i].next ? 2 : 1 };
		const struct make_meta meta = { .version = cases[i].version, .enclave_size = 0x10000 };
		uint64_t end = (s.vaddr + s.memsz + 0xfff) & ~0xfffULL;
		struct made made;
		struct expect x;

		struct image *im = build(&made, &elf, &meta, NULL);
		expect_begin(&x, 1, 0x10000);
		for (uint64_t at = s.vaddr & ~0xfffULL; at < end; at += 0x1000)
			expect_segment_page(&x, &s, at, at, RW);
		if (cases[i].page)
			expect_page(&x, end, RW, NULL, true);
		if (cases[i].next)
			expect_segment_page(&x, &next, next.vaddr, next.vaddr, R);
		expect_is(&x, im, cases[i].name);
		done(&made, &im);
	}
}

static void test_patches(void)
{
	const struct make_segment s = { 0x1000, 0x4000, 0x4000, PF_R };
	/* The segment's data begins at file offset 0x1000: within a page, across two, at the end. */
	const struct image_patch patches[] = { { 0x1010, META_DATA, 16 },
					       { 0x1ff8, META_DATA + 32, 16 },
					       { 0x1ffc, META_DATA + 128, 2 },
					       { 0x4f00, META_DATA, 256 } };
	const struct make_elf elf = { .segment = { s }, .nsegments = 1 };
	const struct make_meta meta = { .version = METADATA_VERSION(1, 5),
					.enclave_size = 0x10000,
					.patches = patches,
					.npatches = ARRAY_LEN(patches) };
	uint8_t page[4][4096];
	struct made made;
	struct expect x;
	struct image *im = build(&made, &elf, &meta, NULL);

	for (unsigned i = 0; i < 0x4000; i++)
		page[i / 4096][i % 4096] = make_byte(0x1000 + i);
	for (unsigned i = 0; i < 16; i++)
		page[0][0x10 + i] = (uint8_t)i;
	for (unsigned i = 0; i < 8; i++) {
		page[0][0xff8 + i] = (uint8_t)(32 + i);
		page[1][i] = (uint8_t)(40 + i);
	}
	page[0][0xffc] = 128;
	page[0][0xffd] = 129;
	for (unsigned i = 0; i < 256; i++)
		page[3][0xf00 + i] = (uint8_t)i;
	is_int(made.segment[0], 0x1000, "the segment is where the patches think");
	expect_begin(&x, 1, 0x10000);
	for (unsigned i = 0; i < 4; i++)
		expect_page(&x, 0x1000 * (i + 1), R, page[i], true);
	expect_is(&x, im, "patches in a page, across two, over another, at the end");
	done(&made, &im);
}

static void test_elrange(void)
{
	const struct image_elrange r = { .image_address = 0x7f0000040000,
					 .start = 0x7f0000000000,
					 .size = 0x100000 };
	const struct make_elf elf = { .segment = { { 0x1000, 0x1800, 0x1800, PF_R | PF_X },
						   { 0x3100, 0x400, 0x1200, PF_R | PF_W } },
				      .nsegments = 2 };
	static const uint32_t majors[] = { 11, 13 };

	for (size_t i = 0; i < ARRAY_LEN(majors); i++) {
		const struct make_meta meta = { .version = METADATA_VERSION(majors[i], 5),
						.enclave_size = 0x20000,
						.layout = plain_layout,
						.nlayout = plain_layout_n,
						.elrange = &r };
		const struct image_open_options edmm = { .edmm = true };
		struct made made;
		struct expect x;
		struct image *im = build(&made, &elf, &meta, &edmm);

		expect_begin(&x, 1, 0x100000);
		expect_plain_segments(&x, 0x40000);
		expect_plain_layout(&x, 0x40000);
		if (expect_is(&x, im, "an ELRANGE larger than the image")) {
			ok(im->fixed_base && im->elrange_base == r.start, "its base is fixed");
			is_int(im->image_offset, 0x40000, "the image's place in it");
			is_int(im->tcs[0].offset, 0x4c000, "a TCS counts from BASEADDR");
		}
		done(&made, &im);
	}
}

static void test_content(void)
{
	const struct make_layout layout[] = {
		/* content is measured whatever the attributes say, and zeros follow it */
		{ 5, 1, 2, 0x2000, 256, META_DATA, RW },
		{ 21, 1, 1, 0x5000, 0x01020304, 0, RWX },
		{ 20, 3, 1, 0x6000, 0, 0, R },
		/* EADD without flags adds nothing */
		{ 22, 3, 1, 0x7000, 0, 0, 0 },
		/* a TCS that the host must not use */
		{ 4, 7, 1, 0x8000, 72, META_TCS, TCS },
	};
	const struct make_elf elf = { .segment = { { 0x1000, 16, 16, PF_R } }, .nsegments = 1 };
	const struct make_meta meta = { .version = METADATA_VERSION(1, 5),
					.enclave_size = 0x10000,
					.layout = layout,
					.nlayout = ARRAY_LEN(layout) };
	uint8_t page[4096] = { 0 };
	struct made made;
	struct expect x;
	struct image *im = build(&made, &elf, &meta, NULL);

	expect_begin(&x, 1, 0x10000);
	expect_segment_page(&x, &elf.segment[0], 0x1000, 0x1000, R);
	for (unsigned i = 0; i < 256; i++)
		page[i] = (uint8_t)i;
	expect_page(&x, 0x2000, RW, page, true);
	expect_page(&x, 0x3000, RW, NULL, true);
	expect_page(&x, 0x5000, RWX, NULL, false);
	expect_page(&x, 0x6000, R, NULL, true);
	expect_tcs(&x, 0x8000, 0x8000);
	if (expect_is(&x, im, "content, fill, no flags, removed TCS"))
		is_int(im->ntcs, 0, "a removed TCS is no thread");
	for (size_t i = 0; im && i < im->nruns; i++)
		if (im->runs[i].offset == 0x5000)
			is_int(get_le32(im->runs[i].src + 4092), 0x01020304, "pages are filled");
	done(&made, &im);
}

static void test_dynamic(void)
{
	const struct make_layout layout[] = {
		{ 1, 1, 1, 0x2000, 0, 0, RW },
		{ 2, 0x19, 1, 0x3000, 0, 0, RW },
		{ 3, 8, 2, 0x4000, 0, 0, RW },
		{ 17, 0x48, 1, 0x8000, 0xcccccccc, 0, RW },
		{ 14, 0x28, 1, 0x9000, 72, META_TCS, TCS },
		GROUP(0x1013, 2, 2, 0x2000),
	};
	const struct make_elf elf = { .segment = { { 0x1000, 16, 16, PF_R } }, .nsegments = 1 };
	const struct make_meta meta = { .version = METADATA_VERSION(3, 3),
					.enclave_size = 0x10000,
					.layout = layout,
					.nlayout = ARRAY_LEN(layout) };
	const struct image_open_options edmm = { .edmm = true };
	struct made made;
	struct expect x;
	struct image *im = build(&made, &elf, &meta, &edmm);

	expect_begin(&x, 1, 0x10000);
	expect_segment_page(&x, &elf.segment[0], 0x1000, 0x1000, R);
	expect_page(&x, 0x2000, RW, NULL, false);
	expect_page(&x, 0x3000, RW, NULL, false);
	if (expect_is(&x, im, "dynamic entries add nothing")) {
		is_int(im->ndynamic, 7, "but are told");
		is_int(im->ntcs, 3, "three TCSs");
		ok(im->tcs[2].dynamic && im->tcs[2].offset == 0xd000, "which are dynamic");
		is_int(im->heap_init, 0x2000, "the heap at start");
		is_int(im->heap_max, 0x4000, "the heap at most");
		is_int(im->dynamic[0].layout_id, 3, "a range has its id");
	}
	done(&made, &im);
}

static void test_textrel(void)
{
	const struct make_segment text = { 0x1000, 0x3000, 0x3000, PF_R | PF_X },
				  data = { 0x4000, 0x1000, 0x1000, PF_R | PF_W };
	/* 4 bytes before a page's end: both pages are written to. */
	const struct make_elf elf = { .segment = { text, data }, .nsegments = 2, .textrel = 0x1ffc };
	const struct make_meta meta = { .version = METADATA_VERSION(1, 5), .enclave_size = 0x10000 };
	struct made made;
	struct expect x;
	struct image *im = build(&made, &elf, &meta, NULL);

	expect_begin(&x, 1, 0x10000);
	expect_segment_page(&x, &text, 0x1000, 0x1000, RWX);
	expect_segment_page(&x, &text, 0x2000, 0x2000, RWX);
	expect_segment_page(&x, &text, 0x3000, 0x3000, RX);
	expect_page(&x, 0x4000, RW, made.file.p + made.segment[1], true);
	expect_is(&x, im, "text relocations make pages writable");
	done(&made, &im);
}

static void test_shared_object(void)
{
	const struct make_elf inner_elf = { .segment = { { 0, 0x1234, 0x2000, PF_R } },
					    .nsegments = 1,
					    .no_note = true };
	const struct make_elf elf = { .segment = { { 0x1000, 0x1000, 0x1000, PF_R | PF_X } },
				      .nsegments = 1 };
	uint64_t object[3] = { 0, 0x5000, 0 };
	const struct make_meta meta = { .version = METADATA_VERSION(1, 5),
					.enclave_size = 0x10000,
					.shared_object = object };
	struct made made, inner;
	struct expect x;
	struct image *im;

	make_elf(&inner, &inner_elf);
	im = build(&made, &elf, &meta, NULL);
	ok(im == NULL, "a shared object that is not there is refused");
	object[0] = made.file.n + 3;
	object[2] = inner.file.n;
	bytes_free(&made.file);
	im = build(&made, &elf, &meta, NULL);
	ok(im == NULL, "one beyond the end of the file is refused");
	bytes_grow(&made.file, 3);
	bytes_grow(&made.file, inner.file.n);
	memcpy(made.file.p + object[0], inner.file.p, inner.file.n);
	im = open_made(&made, NULL);
	expect_begin(&x, 1, 0x10000);
	expect_segment_page(&x, &elf.segment[0], 0x1000, 0x1000, RX);
	for (uint64_t at = 0; at < 0x2000; at += 0x1000)
		expect_segment_page(&x, &inner_elf.segment[0], at, at + 0x5000, R);
	expect_is(&x, im, "a second ELF file behind the first");
	bytes_free(&inner.file);
	done(&made, &im);
}

/* ---- which metadata ---- */

static uint64_t chosen(const struct made *made, const struct image_open_options *opt)
{
	struct image *im;
	uint64_t v = 0;

	if (image_open_memory(&im, made->file.p, made->file.n, opt, NULL) == 0)
		v = im->metadata_version;
	image_free(&im);
	return v;
}

static void make_versions(struct made *made, const uint64_t *versions, size_t n)
{
	struct make_elf d = { .segment = { { 0x1000, 16, 16, PF_R } }, .nsegments = 1 };
	struct bytes b = { 0 };

	for (size_t i = 0; i < n; i++)
		make_meta(&b, &(struct make_meta){ .version = versions[i], .enclave_size = 0x10000 });
	d.meta = b.p;
	d.meta_n = b.n;
	d.meta_room = b.n + 8;
	make_elf(made, &d);
	bytes_free(&b);
}

static void test_versions(void)
{
	static const uint64_t v[] = { METADATA_VERSION(1, 4), METADATA_VERSION(3, 1),
				      METADATA_VERSION(2, 2), METADATA_VERSION(1, 5) };
	const struct image_open_options none = { 0 }, edmm = { .edmm = true },
					any = { .any_version = true },
					one = { .version = METADATA_VERSION(1, 4) },
					absent = { .version = METADATA_VERSION(1, 3) };
	struct made made;

	make_versions(&made, v, 4);
	is_int(chosen(&made, &none), METADATA_VERSION(1, 5), "without EDMM, the highest 1.x");
	is_int(chosen(&made, &edmm), METADATA_VERSION(3, 1), "with EDMM, 3.x");
	is_int(chosen(&made, &any), METADATA_VERSION(1, 5), "any: still what can be used");
	is_int(chosen(&made, &one), METADATA_VERSION(1, 4), "one by name");
	is_int(chosen(&made, &absent), 0, "one that is not there");
	struct image *im = open_made(&made, NULL);
	is_int(im ? im->nversions : 0, 4, "all are listed");
	done(&made, &im);
	make_versions(&made, v + 1, 2);
	is_int(chosen(&made, &none), 0, "3.x and 2.x without EDMM");
	is_int(chosen(&made, &any), METADATA_VERSION(3, 1), "any: what there is");
	bytes_free(&made.file);
	make_versions(&made, v + 2, 1);
	is_int(chosen(&made, &edmm), 0, "2.x is not for use");
	is_int(chosen(&made, &any), METADATA_VERSION(2, 2), "2.x to look at");
	bytes_free(&made.file);
	static const uint64_t unknown[] = { METADATA_VERSION(4, 1) };
	make_versions(&made, unknown, 1);
	is_int(chosen(&made, &any), 0, "4.x is unknown");
	bytes_free(&made.file);
	const uint64_t many[9] = { v[0], v[0], v[0], v[0], v[0], v[0], v[0], v[0], v[0] };
	make_versions(&made, many, 9);
	is_int(chosen(&made, &any), 0, "nine versions are too many");
	bytes_free(&made.file);
}

static void test_marks(void)
{
	const struct make_elf elf = { .segment = { { 0x1000, 0x1000, 0x1000, PF_R } },
				      .nsegments = 1,
				      .symbols = { "g_global_data_sim", "bawn_enclave_layout" },
				      .pcltbl = true };
	const struct make_meta meta = { .version = METADATA_VERSION(1, 5), .enclave_size = 0x10000 };
	struct made made;
	struct image *im = build(&made, &elf, &meta, NULL);

	ok(im && im->is_simulation && im->is_encrypted && im->is_kit,
	   "simulation, encryption and kit are seen");
	done(&made, &im);
}

/* ---- what is refused ---- */

static void refused_bytes(const struct made *made, const char *name, const char *word)
{
	struct image_open_options edmm = { .edmm = true };
	struct bawn_error e = { 0 };
	struct image *im;
	int rc = image_open_memory(&im, made->file.p, made->file.n, &edmm, &e);

	ok(rc < 0 && !im && strstr(e.msg, word), "%s: %s", name, rc ? e.msg : "accepted");
	image_free(&im);
}

/* A plain enclave with n bytes at `at` of its metadata or file changed to a value. */
static void refused_field(size_t at, bool in_meta, unsigned n, uint64_t value, const char *name,
			  const char *word)
{
	struct made made;

	make_plain(&made, METADATA_VERSION(1, 5));
	for (unsigned i = 0; i < n; i++)
		made.file.p[at + i + (in_meta ? made.meta : 0)] = (uint8_t)(value >> 8 * i);
	refused_bytes(&made, name, word);
	bytes_free(&made.file);
}
#define REFUSED_META(at, n, value, name, word) refused_field(at, true, n, value, name, word)
#define REFUSED_FILE(at, n, value, name, word) refused_field(at, false, n, value, name, word)

static void test_bad_metadata(void)
{
	REFUSED_META(0, 1, 0, "no magic", "not signed");
	REFUSED_META(16, 4, 0x100, "a small size field", "smaller than its header");
	REFUSED_META(16, 4, 0x10000, "a large size field", "larger than the room");
	REFUSED_META(16, 4, 0x200000, "a very large size field", "1 MiB");
	REFUSED_META(20, 4, 2, "thread policy 2", "TCS policy");
	REFUSED_META(24, 4, 0, "no SSA frame", "SSA frame");
	REFUSED_META(24, 4, 17, "a large SSA frame", "SSA frame");
	REFUSED_META(40, 8, 0x18000, "a size that is no power of two", "power of two");
	REFUSED_META(40, 8, 0, "size zero", "power of two");
	REFUSED_META(40, 8, UINT64_C(1) << 37, "a size above the limit", "64 GiB");
	REFUSED_META(40, 8, 0x8000, "a size that the layout exceeds", "outside the enclave");
	REFUSED_META(0x750, 4, 0x7fffffff, "patches elsewhere", "patch table");
	REFUSED_META(0x754, 4, 0x20000, "too many patches", "patch table");
	REFUSED_META(0x754, 4, 33, "a part of a patch", "whole number");
	REFUSED_META(0x758, 4, 0xffffffff, "a layout elsewhere", "layout table");
	REFUSED_META(0x75c, 4, 33, "a part of a layout entry", "whole number");
	REFUSED_META(0x768, 4, 0x7fffffff, "extensions elsewhere", "extension");
}

/* One layout that is wrong in one way. */
static void refused_layout(const struct make_layout *layout, size_t n, const char *name,
			   const char *word)
{
	const struct make_meta meta = { .version = METADATA_VERSION(3, 3),
					.enclave_size = 0x20000,
					.layout = layout,
					.nlayout = n };
	struct make_elf d = { .segment = { { 0x1000, 16, 16, PF_R } }, .nsegments = 1 };
	struct bytes b = { 0 };
	struct made made;

	make_meta(&b, &meta);
	d.meta = b.p;
	d.meta_n = b.n;
	make_elf(&made, &d);
	refused_bytes(&made, name, word);
	bytes_free(&b);
	bytes_free(&made.file);
}
#define REFUSED_LAYOUT(name, word, ...)                                                            \
	do {                                                                                       \
		const struct make_layout l[] = { __VA_ARGS__ };                                    \
		refused_layout(l, ARRAY_LEN(l), name, word);                                       \
	} while (0)

static void test_bad_layout(void)
{
	const struct make_layout heap = { 1, 1, 1, 0x5000, 0, 0, RW };

	REFUSED_LAYOUT("an address inside a page", "outside", { 1, 1, 1, 0x5010, 0, 0, RW });
	REFUSED_LAYOUT("an address that wraps", "outside", { 1, 1, 1, UINT64_MAX - 0xfff, 0, 0, RW });
	REFUSED_LAYOUT("pages beyond the end", "outside", { 1, 1, 28, 0x5000, 0, 0, RW });
	REFUSED_LAYOUT("all the pages there are", "outside", { 1, 1, UINT32_MAX, 0x5000, 0, 0, RW });
	REFUSED_LAYOUT("a page twice", "twice", heap, heap);
	REFUSED_LAYOUT("a page of a segment", "twice", { 1, 1, 1, 0x1000, 0, 0, RW });
	REFUSED_LAYOUT("a dynamic page twice", "twice", heap, { 3, 8, 1, 0x5000, 0, 0, RW });
	REFUSED_LAYOUT("a writable page that is not readable", "not readable",
		       { 1, 1, 1, 0x5000, 0, 0, SECINFO_W | SECINFO_OF_PT(PT_REG) });
	REFUSED_LAYOUT("a page type of the CPU's own", "page type",
		       { 1, 1, 1, 0x5000, 0, 0, SECINFO_R | SECINFO_OF_PT(PT_VA) });
	REFUSED_LAYOUT("reserved bits of SECINFO", "reserved", { 1, 1, 1, 0x5000, 0, 0, RW | 1 << 20 });
	REFUSED_LAYOUT("a TCS of two pages", "one page", { 4, 3, 2, 0x5000, 72, META_TCS, TCS });
	REFUSED_LAYOUT("a TCS with reserved bytes", "reserved",
		       { 4, 3, 1, 0x5000, 200, META_DATA - 80, TCS });
	REFUSED_LAYOUT("a TCS from a fill word", "reserved", { 4, 3, 1, 0x5000, 0x01010101, 0, TCS });
	REFUSED_LAYOUT("content outside the metadata", "outside",
		       { 5, 3, 1, 0x5000, 16, 0x7fffff00, RW });
	/* Entries of no pages, to make the metadata larger than a page. */
	struct make_layout large[66] = { { 5, 3, 1, 0x5000, 4097, 8, RW } };
	refused_layout(large, ARRAY_LEN(large), "content larger than its pages", "larger than it");
	REFUSED_LAYOUT("a group of more than there is", "precede", GROUP(0x1009, 1, 1, 0x1000), heap);
	REFUSED_LAYOUT("a group of groups", "repeats a group", heap, GROUP(0x1009, 1, 1, 0x1000),
		       GROUP(0x1009, 1, 1, 0x1000));
	REFUSED_LAYOUT("a group that repeats in place", "twice", heap, GROUP(0x1009, 1, 1, 0));
	REFUSED_LAYOUT("a group repeated for ever", "repeated more", heap,
		       GROUP(0x1009, 1, UINT32_MAX, 0));
	REFUSED_LAYOUT("a step that wraps", "leaves the image", heap,
		       GROUP(0x1009, 1, 2, UINT64_MAX / 2 + 1));
	REFUSED_LAYOUT("a step beyond the end", "outside", heap, GROUP(0x1009, 1, 2, 0x10000));
}

static void refused_patch(struct image_patch p, const char *name, const char *word)
{
	const struct make_meta meta = { .version = METADATA_VERSION(1, 5),
					.enclave_size = 0x20000,
					.patches = &p,
					.npatches = 1 };
	struct make_elf d = { .segment = { { 0x1000, 16, 16, PF_R } }, .nsegments = 1 };
	struct bytes b = { 0 };
	struct made made;

	make_meta(&b, &meta);
	d.meta = b.p;
	d.meta_n = b.n;
	make_elf(&made, &d);
	refused_bytes(&made, name, word);
	bytes_free(&b);
	bytes_free(&made.file);
}

static void refused_elrange(struct image_elrange r, const char *name, const char *word)
{
	const struct make_meta meta = { .version = METADATA_VERSION(11, 5),
					.enclave_size = 0x20000,
					.elrange = &r };
	struct make_elf d = { .segment = { { 0x1000, 16, 16, PF_R } }, .nsegments = 1 };
	struct bytes b = { 0 };
	struct made made;

	make_meta(&b, &meta);
	d.meta = b.p;
	d.meta_n = b.n;
	make_elf(&made, &d);
	refused_bytes(&made, name, word);
	bytes_free(&b);
	bytes_free(&made.file);
}

static void test_bad_tables(void)
{
	refused_patch((struct image_patch){ UINT64_MAX - 4, META_DATA, 8 }, "a patch that wraps",
		      "outside the file");
	refused_patch((struct image_patch){ 0x100000, META_DATA, 8 }, "a patch beyond the file",
		      "outside the file");
	refused_patch((struct image_patch){ 0x10, 0x7fffff00, 8 }, "a patch from outside", "source");
	refused_patch((struct image_patch){ 0x1200, META_DATA, 8 }, "a patch of the metadata",
		      "metadata itself");
	refused_elrange((struct image_elrange){ 0x40000, 0, 0x30000 }, "an ELRANGE of odd size",
			"power of two");
	refused_elrange((struct image_elrange){ 0x140000, 0x40000, 0x200000 },
			"an ELRANGE that is not aligned", "not aligned");
	refused_elrange((struct image_elrange){ 0x100, 0, 0x200000 }, "an image off a page",
			"not aligned");
	refused_elrange((struct image_elrange){ 0, 0x200000, 0x200000 }, "an image before it",
			"does not lie");
	refused_elrange((struct image_elrange){ 0x1f0000, 0, 0x200000 }, "an image beyond it",
			"does not lie");
	refused_elrange((struct image_elrange){ UINT64_MAX - 0xfff, 0, 0x200000 },
			"an image that wraps", "does not lie");
}

static void test_bad_elf(void)
{
	const size_t ph = sizeof(Elf64_Ehdr), p_offset = 8, p_vaddr = 16, p_filesz = 32, p_memsz = 40,
		     second = ph + sizeof(Elf64_Phdr);
	struct made made;

	REFUSED_FILE(0, 1, 0, "no ELF magic", "neither");
	REFUSED_FILE(EI_CLASS, 1, ELFCLASS32, "32 bits", "ELF");
	REFUSED_FILE(EI_DATA, 1, ELFDATA2MSB, "big-endian", "ELF");
	REFUSED_FILE(16, 2, ET_EXEC, "not a shared object", "ET_DYN");
	REFUSED_FILE(18, 2, EM_386, "another machine", "x86");
	REFUSED_FILE(54, 2, 55, "an odd program header", "program headers");
	REFUSED_FILE(56, 2, 0, "no program header", "no loadable segment");
	REFUSED_FILE(32, 8, UINT64_C(1) << 40, "program headers elsewhere", "ELF");
	REFUSED_FILE(40, 8, UINT64_C(1) << 40, "section headers elsewhere", "");
	REFUSED_FILE(60, 2, 0, "no section headers", "section headers");
	REFUSED_FILE(62, 2, 99, "section names elsewhere", "section names");
	REFUSED_FILE(ph + p_offset, 8, UINT64_C(1) << 40, "a segment elsewhere", "end of the file");
	REFUSED_FILE(ph + p_filesz, 8, UINT64_MAX, "a segment larger than the file", "end of the file");
	REFUSED_FILE(ph + p_memsz, 8, 1, "a segment smaller than its data", "larger in the file");
	REFUSED_FILE(ph + p_memsz, 8, UINT64_MAX, "a segment that wraps", "beyond");
	REFUSED_FILE(ph + 4, 4, 0, "a segment without permissions", "permissions");
	REFUSED_FILE(ph + 4, 4, PF_W, "a segment that can only be written", "not readable");
	REFUSED_FILE(second + p_vaddr, 8, 0x2100, "segments that overlap", "overlap");
	REFUSED_FILE(second + p_vaddr, 8, 0x2900, "segments that share a page", "twice");
	REFUSED_FILE(second + p_vaddr, 8, 0x100, "segments out of order", "out of order");

	make_elf(&made, &(struct make_elf){ .segment = { { 0x1000, 16, 16, PF_R } },
					    .nsegments = 1,
					    .no_note = true });
	refused_bytes(&made, "no note", "no section .note.sgxmeta");
	bytes_free(&made.file);
	make_plain(&made, METADATA_VERSION(1, 5));
	made.file.p[made.note + 12] = 'S';
	refused_bytes(&made, "a note of another name", "not named");
	made.file.p[made.note + 12] = 's';
	put_le32(made.file.p + made.note, 16);
	refused_bytes(&made, "a note with a padded name", "not named");
	put_le32(made.file.p + made.note, 13);
	put_le32(made.file.p + made.note + 4, 0x100000);
	refused_bytes(&made, "a note longer than its section", "longer than its section");
	bytes_free(&made.file);
	refused_bytes(&(struct made){ .file = { (uint8_t *)"", 0 } }, "nothing", "empty");
}

static void test_no_file(void)
{
	struct bawn_error e = { 0 };
	struct image *im;

	is_int(image_open(&im, "/nonexistent/enclave.so", NULL, &e), BAWN_ERR_SYSTEM, "no file");
	ok(strstr(e.msg, "/nonexistent/enclave.so"), "and its name: %s", e.msg);
	ok(image_open(&im, "/dev/null", NULL, NULL) < 0, "a device");
	ok(image_open(&im, "/", NULL, NULL) < 0, "a folder");
}

int main(void)
{
	test_plain();
	test_unaligned();
	test_trailing_page();
	test_patches();
	test_elrange();
	test_content();
	test_dynamic();
	test_textrel();
	test_shared_object();
	test_versions();
	test_marks();
	test_bad_metadata();
	test_bad_layout();
	test_bad_tables();
	test_bad_elf();
	test_no_file();
	return tap_done();
}
