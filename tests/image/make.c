#include "make.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

size_t bytes_grow(struct bytes *b, size_t n)
{
	size_t at = b->n;

	b->p = realloc(b->p, b->n + n + 1);
	if (!b->p)
		abort();
	memset(b->p + at, 0, n);
	b->n += n;
	return at;
}

void bytes_free(struct bytes *b)
{
	free(b->p);
	*b = (struct bytes){ 0 };
}

static size_t bytes_add(struct bytes *b, const void *p, size_t n)
{
	size_t at = bytes_grow(b, n);

	if (n)
		memcpy(b->p + at, p, n);
	return at;
}

/* ---- metadata ---- */

static void put_dir(uint8_t *m, unsigned i, size_t offset, size_t end)
{
	put_le32(m + 0x750 + 8 * i, (uint32_t)offset);
	put_le32(m + 0x754 + 8 * i, (uint32_t)(end - offset));
}

static void add_tables(struct bytes *b, size_t start, const struct make_meta *d)
{
	size_t at = b->n;

	for (size_t i = 0; i < d->npatches; i++) {
		size_t p = bytes_grow(b, 32);

		put_le64(b->p + p, d->patches[i].dst);
		put_le32(b->p + p + 8, d->patches[i].src);
		put_le32(b->p + p + 12, d->patches[i].size);
	}
	put_dir(b->p + start, 0, at - start, b->n - start);
	at = b->n;
	for (size_t i = 0; i < d->nlayout; i++) {
		const struct make_layout *l = &d->layout[i];
		size_t p = bytes_grow(b, 32);

		put_le16(b->p + p, (uint16_t)l->id);
		put_le16(b->p + p + 2, (uint16_t)l->attributes);
		put_le32(b->p + p + 4, l->pages);
		put_le64(b->p + p + 8, l->rva);
		put_le32(b->p + p + 16, l->content_size);
		put_le32(b->p + p + 20, l->content_offset);
		put_le64(b->p + p + 24, l->flags);
	}
	put_dir(b->p + start, 1, at - start, b->n - start);
}

static void add_extras(struct bytes *b, size_t start, const struct make_meta *d)
{
	size_t at = b->n;

	if (d->elrange) {
		bytes_grow(b, 24);
		put_le64(b->p + at, d->elrange->image_address);
		put_le64(b->p + at + 8, d->elrange->start);
		put_le64(b->p + at + 16, d->elrange->size);
		put_dir(b->p + start, 2, at - start, b->n - start);
	}
	at = b->n;
	if (d->shared_object) {
		bytes_grow(b, 16 + 32);
		put_le32(b->p + at, 0x1002);
		put_le32(b->p + at + 4, 32);
		put_le32(b->p + at + 8, (uint32_t)(at + 16 - start));
		for (unsigned i = 0; i < 3; i++)
			put_le64(b->p + at + 16 + 8 * i, d->shared_object[i]);
		put_dir(b->p + start, 3, at - start, at + 16 - start);
	}
}

void make_meta(struct bytes *out, const struct make_meta *d)
{
	size_t start = bytes_grow(out, META_DATA + 256);
	uint8_t *m = out->p + start;

	/* A TCS whose SSA follows it and whose thread data is four pages on. */
	put_le64(m + META_TCS + 16, 0x1000);
	put_le32(m + META_TCS + 28, 2);
	put_le64(m + META_TCS + 32, 0x1040);
	put_le64(m + META_TCS + 48, 0x4000);
	put_le64(m + META_TCS + 56, 0x4000);
	put_le32(m + META_TCS + 64, UINT32_MAX);
	put_le32(m + META_TCS + 68, UINT32_MAX);
	for (unsigned i = 0; i < 256; i++)
		m[META_DATA + i] = (uint8_t)i;
	add_tables(out, start, d);
	add_extras(out, start, d);
	m = out->p + start;
	put_le64(m, METADATA_MAGIC);
	put_le64(m + 8, d->version);
	put_le32(m + 16, (uint32_t)(out->n - start));
	put_le32(m + 20, 1);
	put_le32(m + 24, 1);
	put_le32(m + 28, 576);
	put_le64(m + 40, d->enclave_size);
	put_le64(m + 48, ATTR_MODE64BIT);
	put_le64(m + 56, XFRM_X87_SSE);
}

/* ---- ELF ---- */

uint8_t make_byte(uint64_t vaddr)
{
	return (uint8_t)(vaddr * 7 + (vaddr >> 12) + 1);
}

static size_t add_string(struct bytes *strings, const char *s)
{
	return bytes_add(strings, s, strlen(s) + 1);
}

static void add_symbol(struct bytes *symbols, struct bytes *strings, const char *name,
		       uint64_t value, bool defined)
{
	Elf64_Sym s = { .st_name = (Elf64_Word)add_string(strings, name),
			.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT),
			.st_shndx = defined ? 1 : SHN_UNDEF,
			.st_value = value,
			.st_size = 8 };

	bytes_add(symbols, &s, sizeof(s));
}

static void make_symbols(const struct make_elf *d, struct bytes *symbols, struct bytes *strings)
{
	bytes_grow(symbols, sizeof(Elf64_Sym));
	bytes_grow(strings, 1);
	for (size_t i = 0; i < ARRAY_LEN(d->symbols); i++)
		if (d->symbols[i])
			add_symbol(symbols, strings, d->symbols[i], 0x1000 + 8 * i, true);
	if (d->layout_at)
		add_symbol(symbols, strings, "bawn_enclave_layout", d->layout_at, true);
	if (d->undefined)
		add_symbol(symbols, strings, d->undefined, 0, false);
}

/* Relocation and dynamic section lie in the last segment's data, at its end. */
static void make_dynamic(const struct make_elf *d, struct made *out, Elf64_Phdr *ph)
{
	const struct make_segment *s = &d->segment[d->nsegments - 1];
	uint64_t at = s->filesz - 256;
	Elf64_Rela rela = { .r_offset = d->textrel, .r_info = ELF64_R_INFO(0, R_X86_64_RELATIVE) };
	Elf64_Dyn dyn[] = { { DT_RELA, { s->vaddr + at } },
			    { DT_RELASZ, { sizeof(rela) } },
			    { DT_TEXTREL, { 0 } },
			    { DT_NULL, { 0 } } };
	uint8_t *p = out->file.p + out->segment[d->nsegments - 1] + at;

	memcpy(p, &rela, sizeof(rela));
	memcpy(p + 32, dyn, sizeof(dyn));
	*ph = (Elf64_Phdr){ .p_type = PT_DYNAMIC,
			    .p_offset = out->segment[d->nsegments - 1] + at + 32,
			    .p_vaddr = s->vaddr + at + 32,
			    .p_filesz = sizeof(dyn),
			    .p_memsz = sizeof(dyn) };
}

static size_t place_segment(struct bytes *b, const struct make_segment *s)
{
	/* The offset in a page is that of the address. */
	size_t at = bytes_grow(b, (4096 - b->n % 4096) % 4096 + s->vaddr % 4096 + s->filesz);

	at = b->n - s->filesz;
	for (uint64_t i = 0; i < s->filesz; i++)
		b->p[at + i] = make_byte(s->vaddr + i);
	return at;
}

static void make_segments(struct made *out, const struct make_elf *d)
{
	struct bytes *b = &out->file;
	size_t n = 0;
	Elf64_Phdr ph[6];

	for (size_t i = 0; i < d->nsegments; i++) {
		const struct make_segment *s = &d->segment[i];

		out->segment[i] = place_segment(b, s);
		ph[n++] = (Elf64_Phdr){ .p_type = PT_LOAD,
					.p_flags = s->flags,
					.p_offset = out->segment[i],
					.p_vaddr = s->vaddr,
					.p_filesz = s->filesz,
					.p_memsz = s->memsz,
					.p_align = 4096 };
	}
	if (d->tls_size)
		ph[n++] = (Elf64_Phdr){ .p_type = PT_TLS,
					.p_memsz = d->tls_size,
					.p_align = d->tls_align };
	if (d->textrel)
		make_dynamic(d, out, &ph[n++]);
	memcpy(b->p + out->phdr, ph, n * sizeof(*ph));
	put_le16(b->p + offsetof(Elf64_Ehdr, e_phnum), (uint16_t)n);
}

static void make_note(struct made *out, const struct make_elf *d)
{
	size_t room = d->meta_room > d->meta_n ? d->meta_room : d->meta_n;

	out->note = bytes_grow(&out->file, 25 + room);
	out->meta = out->note + 25;
	put_le32(out->file.p + out->note, 13);
	put_le32(out->file.p + out->note + 4, (uint32_t)room);
	put_le32(out->file.p + out->note + 8, 1);
	memcpy(out->file.p + out->note + 12, "sgx_metadata", 13);
	if (d->meta_n)
		memcpy(out->file.p + out->meta, d->meta, d->meta_n);
}

static void make_sections(struct made *out, const struct make_elf *d)
{
	struct bytes symbols = { 0 }, strings = { 0 }, names = { 0 };
	Elf64_Shdr sh[6] = { 0 };
	size_t n = 4;

	make_symbols(d, &symbols, &strings);
	bytes_grow(&names, 1);
	sh[1] = (Elf64_Shdr){ .sh_name = (Elf64_Word)add_string(&names, ".dynsym"),
			      .sh_type = SHT_DYNSYM,
			      .sh_offset = bytes_add(&out->file, symbols.p, symbols.n),
			      .sh_size = symbols.n,
			      .sh_link = 2,
			      .sh_entsize = sizeof(Elf64_Sym) };
	sh[2] = (Elf64_Shdr){ .sh_name = (Elf64_Word)add_string(&names, ".dynstr"),
			      .sh_type = SHT_STRTAB,
			      .sh_offset = bytes_add(&out->file, strings.p, strings.n),
			      .sh_size = strings.n };
	if (!d->no_note) {
		make_note(out, d);
		sh[n++] = (Elf64_Shdr){ .sh_name = (Elf64_Word)add_string(&names, ".note.sgxmeta"),
					.sh_type = SHT_NOTE,
					.sh_offset = out->note,
					.sh_size = out->file.n - out->note };
	}
	if (d->pcltbl)
		sh[n++] = (Elf64_Shdr){ .sh_name = (Elf64_Word)add_string(&names, ".pcltbl"),
					.sh_type = SHT_PROGBITS };
	sh[3] = (Elf64_Shdr){ .sh_name = (Elf64_Word)add_string(&names, ".shstrtab"),
			      .sh_type = SHT_STRTAB };
	sh[3].sh_size = names.n;
	sh[3].sh_offset = bytes_add(&out->file, names.p, names.n);
	bytes_grow(&out->file, (8 - out->file.n % 8) % 8);
	out->shdr = bytes_add(&out->file, sh, n * sizeof(*sh));
	put_le64(out->file.p + offsetof(Elf64_Ehdr, e_shoff), out->shdr);
	put_le16(out->file.p + offsetof(Elf64_Ehdr, e_shnum), (uint16_t)n);
	bytes_free(&symbols);
	bytes_free(&strings);
	bytes_free(&names);
}

void make_elf(struct made *out, const struct make_elf *d)
{
	Elf64_Ehdr h = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			 .e_type = ET_DYN,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_entry = 0x1040,
			 .e_phoff = sizeof(h),
			 .e_ehsize = sizeof(h),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_shentsize = sizeof(Elf64_Shdr),
			 .e_shstrndx = 3 };

	memset(out, 0, sizeof(*out));
	bytes_add(&out->file, &h, sizeof(h));
	out->phdr = bytes_grow(&out->file, 6 * sizeof(Elf64_Phdr));
	make_segments(out, d);
	make_sections(out, d);
}

/* ---- a plain enclave ---- */

#define RW (SECINFO_R | SECINFO_W | SECINFO_OF_PT(PT_REG))

const struct make_layout plain_layout[] = {
	{ 1, 1, 4, 0x5000, 0, 0, RW },                                 /* heap */
	{ 10, 0, 1, 0x9000, 0, 0, 0 },                                 /* guard */
	{ 8, 3, 2, 0xa000, 0xcccccccc, 0, RW },                        /* stack */
	{ 4, 3, 1, 0xc000, 72, META_TCS, SECINFO_OF_PT(PT_TCS) },      /* TCS */
	{ 6, 3, 2, 0xd000, 0, 0, RW },                                 /* SSA */
	{ 5, 3, 1, 0x10000, 0, 0, RW },                                /* thread data */
	GROUP(0x1009, 5, 1, 0x8000),
};
const size_t plain_layout_n = ARRAY_LEN(plain_layout);

void make_plain(struct made *out, uint64_t version)
{
	struct bytes meta = { 0 };
	const struct make_meta m = { .version = version,
				     .enclave_size = 0x20000,
				     .layout = plain_layout,
				     .nlayout = plain_layout_n };
	struct make_elf d = { .segment = { { 0x1000, 0x1800, 0x1800, PF_R | PF_X },
					   { 0x3100, 0x400, 0x1200, PF_R | PF_W } },
			      .nsegments = 2,
			      .symbols = { "enclave_entry", "g_global_data" } };

	make_meta(&meta, &m);
	d.meta = meta.p;
	d.meta_n = meta.n;
	d.meta_room = meta.n + 64;
	make_elf(out, &d);
	bytes_free(&meta);
}

void make_rich(struct made *made)
{
	const struct make_layout layout[] = {
		{ 1, 1, 4, 0x5000, 0, 0, RW },
		{ 3, 8, 4, 0x9000, 0, 0, RW },
		{ 8, 3, 2, 0xe000, 0xcccccccc, 0, RW },
		{ 4, 3, 1, 0x10000, 72, META_TCS, SECINFO_OF_PT(PT_TCS) },
		{ 5, 3, 1, 0x11000, 256, META_DATA, RW },
		GROUP(0x1009, 3, 2, 0x4000),
		{ 14, 0x28, 1, 0x1c000, 72, META_TCS, SECINFO_OF_PT(PT_TCS) },
		GROUP(0x1013, 1, 3, 0x1000),
	};
	const struct image_patch patches[] = { { 0x28, META_DATA, 8 }, { 0x1ff0, META_DATA, 32 } };
	const struct image_elrange r = { 0x20000, 0, 0x40000 };
	struct make_meta m = { .version = METADATA_VERSION(13, 3),
			       .enclave_size = 0x20000,
			       .layout = layout,
			       .nlayout = ARRAY_LEN(layout),
			       .patches = patches,
			       .npatches = ARRAY_LEN(patches),
			       .elrange = &r };
	struct make_elf d = { .segment = { { 0x1000, 0x1800, 0x1800, PF_R | PF_X },
					   { 0x3100, 0x400, 0x1200, PF_R | PF_W } },
			      .nsegments = 2,
			      .symbols = { "enclave_entry", "g_global_data" },
			      .textrel = 0x1ffc };
	struct bytes b = { 0 };

	make_meta(&b, &m);
	m.version = METADATA_VERSION(1, 5);
	m.elrange = NULL;
	m.nlayout = 6;
	make_meta(&b, &m);
	d.meta = b.p;
	d.meta_n = b.n;
	d.meta_room = b.n + 64;
	make_elf(made, &d);
	bytes_free(&b);
}

const struct make_elf plain_kit = { .segment = { { 0x1000, 0x1800, 0x1800, PF_R | PF_X },
						 { 0x3100, 0x400, 0x1200, PF_R | PF_W } },
				    .nsegments = 2,
				    .layout_at = 0x3100,
				    .meta_room = 0x2000 };

void make_kit(struct made *out, const struct make_elf *d)
{
	make_elf(out, d);
	for (size_t i = 0; i < d->nsegments; i++) {
		const struct make_segment *s = &d->segment[i];
		uint64_t in_segment = d->layout_at - s->vaddr;

		if (d->layout_at < s->vaddr || in_segment + 296 > s->filesz)
			continue;
		uint8_t *p = out->file.p + out->segment[i] + in_segment;
		memset(p, 0, 296);
		memcpy(p, "BAWNLAYO", 8);
		put_le64(p + 8, 296);
	}
}

/* ---- streams ---- */

static void stream_page(struct bytes *b, uint64_t offset, uint64_t flags, const char *tag)
{
	size_t at = bytes_grow(b, 64);

	memcpy(b->p + at, "EADD", 4);
	put_le64(b->p + at + 8, offset);
	put_le64(b->p + at + 16, flags);
	for (unsigned c = 0; tag && c < 16; c++) {
		at = bytes_grow(b, 320);
		memcpy(b->p + at, tag, strlen(tag));
		put_le64(b->p + at + 8, offset + 256 * c);
	}
}

void make_stream(struct bytes *b, const char *tag)
{
	bytes_grow(b, 64);
	memcpy(b->p, tag, strlen(tag));
	put_le32(b->p + 8, 1);
	put_le64(b->p + 12, *tag == 'U' ? 0x1008 : 0x10000);
	stream_page(b, 0x1000, RW, "EEXTEND");
	stream_page(b, 0x2000, RW, NULL);
	stream_page(b, 0x3000, SECINFO_OF_PT(PT_TCS), "EEXTEND");
	stream_page(b, 0x4000, RW, "UNMEASRD");
}

/* ---- the expected measurement ---- */

static void block(struct expect *x, const char *tag, uint64_t a, uint64_t b)
{
	uint8_t p[64] = { 0 };

	memcpy(p, tag, strlen(tag));
	put_le64(p + 8, a);
	put_le64(p + 16, b);
	crypto_sha256_update(&x->h, p, sizeof(p));
}

void expect_begin(struct expect *x, uint32_t ssa_pages, uint64_t size)
{
	memset(x, 0, sizeof(*x));
	crypto_sha256_init(&x->h);
	/* SSAFRAMESIZE has four bytes, SIZE eight right behind it. */
	block(x, "ECREATE", ssa_pages | size << 32, size >> 32);
}

void expect_page(struct expect *x, uint64_t offset, uint64_t flags, const uint8_t *data,
		 bool measured)
{
	static const uint8_t zeros[4096];

	block(x, "EADD", offset, flags);
	x->added++;
	if (!measured)
		return;
	x->measured++;
	for (unsigned c = 0; c < 16; c++) {
		block(x, "EEXTEND", offset + 256 * c, 0);
		crypto_sha256_update(&x->h, (data ? data : zeros) + 256 * c, 256);
	}
}

void expect_segment_page(struct expect *x, const struct make_segment *s, uint64_t page,
			 uint64_t offset, uint64_t flags)
{
	uint8_t data[4096];

	for (unsigned i = 0; i < sizeof(data); i++) {
		uint64_t a = page + i;

		data[i] = a >= s->vaddr && a < s->vaddr + s->filesz ? make_byte(a) : 0;
	}
	expect_page(x, offset, flags, data, true);
}

bool expect_same(struct expect *x, const struct image *im)
{
	uint64_t added, measured;
	uint8_t want[32], got[32] = { 0 };

	crypto_sha256_final(&x->h, want);
	if (!im || image_measure(im, got, NULL))
		return false;
	image_count(im, &added, &measured);
	return memcmp(want, got, 32) == 0 && added == x->added && measured == x->measured;
}
