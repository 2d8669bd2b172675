/*
 * What an ELF file says of itself: segments, TLS, the metadata note, a few
 * symbols, text relocations. libelf reads the headers; every byte behind an
 * offset that they give goes through a cursor over the file.
 */
#include "image/internal.h"

#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADERS 4096 /* program or section headers; real enclaves have 10 and 30 */
#define NOTE_NAME "sgx_metadata"
#define NOTE_HEADER 12

static int bad(struct bawn_error *e, const char *what)
{
	return err_set(e, BAWN_ERR_FORMAT, "not a usable enclave file: %s", what);
}

/* ---- headers ---- */

static int check_header(Elf *elf, GElf_Ehdr *h, struct bawn_error *e)
{
	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, h))
		return bad(e, "the ELF header is damaged or cut short");
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
	    h->e_machine != EM_X86_64)
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "the ELF file is not for 64-bit x86: 32-bit enclaves cannot be used");
	if (h->e_type != ET_DYN)
		return bad(e, "the ELF file is not a shared object (ET_DYN)");
	if (h->e_phentsize != sizeof(Elf64_Phdr))
		return bad(e, "the size of ELF program headers is wrong");
	return 0;
}

static int add_segment(struct image_elf *f, const GElf_Phdr *ph, struct bawn_error *e)
{
	struct image_segment s = { .vaddr = ph->p_vaddr,
				   .memsz = ph->p_memsz,
				   .offset = ph->p_offset,
				   .filesz = ph->p_filesz,
				   .secinfo = SECINFO_OF_PT(PT_REG) };
	struct cur data;
	uint64_t end;

	if (f->nsegments == IMAGE_MAX_SEGMENTS)
		return bad(e, "it has too many loadable segments");
	if (!cur_at(&f->file, s.offset, s.filesz, &data))
		return bad(e, "a loadable segment reaches beyond the end of the file");
	if (s.memsz < s.filesz)
		return bad(e, "a loadable segment is larger in the file than in memory");
	if (!add_u64(s.vaddr, s.memsz, &end) || end > IMAGE_MAX_SIZE)
		return bad(e, "a loadable segment ends beyond the supported 64 GiB");
	if (f->nsegments) {
		const struct image_segment *last = &f->segment[f->nsegments - 1];

		if (s.vaddr < last->vaddr + last->memsz)
			return bad(e, "loadable segments overlap or are out of order");
	}
	if (ph->p_flags & PF_R)
		s.secinfo |= SECINFO_R;
	if (ph->p_flags & PF_W)
		s.secinfo |= SECINFO_W;
	if (ph->p_flags & PF_X)
		s.secinfo |= SECINFO_X;
	if (!(s.secinfo & SECINFO_RWX))
		return bad(e, "a loadable segment has no permissions");
	f->segment[f->nsegments++] = s;
	return 0;
}

static int read_segments(struct image_elf *f, Elf *elf, GElf_Phdr *dynamic, struct bawn_error *e)
{
	size_t n;

	if (elf_getphdrnum(elf, &n) != 0 || n > MAX_HEADERS)
		return bad(e, "the ELF program headers are damaged");
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;
		int rc = 0;

		if (!gelf_getphdr(elf, (int)i, &ph))
			return bad(e, "the ELF program headers are cut short");
		if (ph.p_type == PT_LOAD)
			rc = add_segment(f, &ph, e);
		if (rc)
			return rc;
		if (ph.p_type == PT_TLS) {
			f->tls_size = ph.p_memsz;
			f->tls_align = ph.p_align;
		}
		if (ph.p_type == PT_GNU_RELRO) {
			f->relro = ph.p_vaddr;
			f->relro_size = ph.p_memsz;
		}
		if (ph.p_type == PT_DYNAMIC && dynamic->p_type != PT_DYNAMIC)
			*dynamic = ph;
	}
	if (f->nsegments == 0)
		return bad(e, "it has no loadable segment");
	return 0;
}

bool image_elf_offset(const struct image_elf *f, uint64_t vaddr, uint64_t n, uint64_t *offset)
{
	for (size_t i = 0; i < f->nsegments; i++) {
		const struct image_segment *s = &f->segment[i];
		uint64_t in_segment = vaddr - s->vaddr;

		if (vaddr < s->vaddr || in_segment > s->filesz || n > s->filesz - in_segment)
			continue;
		*offset = s->offset + in_segment;
		return true;
	}
	return false;
}

/* ---- sections: the note, the marker of encryption, dynamic symbols ---- */

/* Whether the string at `at` of a string table is exactly this one. */
static bool string_is(const struct cur *table, uint64_t at, const char *s)
{
	size_t n = strlen(s) + 1;
	struct cur c;

	return cur_at(table, at, n, &c) && memcmp(c.p, s, n) == 0;
}

/*
 * The note's name is not padded, unlike what ELF asks for: the metadata
 * follows its 13 bytes at once.
 */
static int read_note(struct image_elf *f, const GElf_Shdr *sh, struct bawn_error *e)
{
	uint32_t namesz, descsz, type;
	char name[sizeof(NOTE_NAME)];
	struct cur c, room;

	if (f->metadata_room)
		return bad(e, "there are two sections .note.sgxmeta");
	if (sh->sh_type == SHT_NOBITS || !cur_at(&f->file, sh->sh_offset, sh->sh_size, &c))
		return bad(e, "the section .note.sgxmeta reaches beyond the end of the file");
	if (!cur_le32(&c, &namesz) || !cur_le32(&c, &descsz) || !cur_le32(&c, &type) ||
	    namesz != sizeof(name) || !cur_bytes(&c, name, sizeof(name)) ||
	    memcmp(name, NOTE_NAME, sizeof(name)) != 0)
		return bad(e, "the note in .note.sgxmeta is not named \"" NOTE_NAME "\"");
	if (descsz == 0 || !cur_sub(&c, descsz, &room))
		return bad(e, "the note in .note.sgxmeta is longer than its section");
	f->metadata_offset = (uint64_t)(room.p - f->file.p);
	f->metadata_room = descsz;
	return 0;
}

static void note_undefined(struct image_elf *f, const struct cur *strings, uint32_t name)
{
	struct cur c;
	size_t n = 0;

	if (f->undefined[0] || !cur_at(strings, name, 1, &c))
		return;
	const uint8_t *s = c.p, *end = strings->p + strings->n;
	for (; s + n < end && s[n] && n < sizeof(f->undefined) - 1; n++)
		f->undefined[n] = (char)s[n];
	f->undefined[n] = '\0';
}

static int read_symbols(struct image_elf *f, Elf *elf, const GElf_Shdr *sh, struct bawn_error *e)
{
	GElf_Shdr str;
	struct cur symbols, strings;
	Elf64_Sym sym;

	if (sh->sh_entsize != sizeof(sym) ||
	    !cur_at(&f->file, sh->sh_offset, sh->sh_size, &symbols))
		return bad(e, "the dynamic symbol table is damaged or cut short");
	Elf_Scn *scn = elf_getscn(elf, sh->sh_link);
	if (!scn || !gelf_getshdr(scn, &str) || str.sh_type == SHT_NOBITS ||
	    !cur_at(&f->file, str.sh_offset, str.sh_size, &strings))
		return bad(e, "the names of the dynamic symbols are damaged or cut short");
	/* The first symbol is reserved. */
	for (bool first = true; cur_bytes(&symbols, &sym, sizeof(sym)); first = false) {
		if (first || sym.st_name == 0)
			continue;
		if (sym.st_shndx == SHN_UNDEF) {
			if (ELF64_ST_BIND(sym.st_info) != STB_WEAK)
				note_undefined(f, &strings, sym.st_name);
		} else if (string_is(&strings, sym.st_name, "enclave_entry")) {
			f->entry = sym.st_value;
		} else if (string_is(&strings, sym.st_name, "g_global_data_sim")) {
			f->is_simulation = true;
		} else if (string_is(&strings, sym.st_name, "g_global_data")) {
			f->has_global_data = true;
		} else if (string_is(&strings, sym.st_name, "bawn_enclave_layout")) {
			f->layout_symbol = sym.st_value;
			f->layout_symbol_size = sym.st_size;
		}
	}
	return 0;
}

static int read_section(struct image_elf *f, Elf *elf, const GElf_Shdr *sh,
			const struct cur *names, struct bawn_error *e)
{
	if (string_is(names, sh->sh_name, ".note.sgxmeta"))
		return read_note(f, sh, e);
	if (string_is(names, sh->sh_name, ".pcltbl"))
		f->is_encrypted = true;
	if (sh->sh_type == SHT_DYNSYM)
		return read_symbols(f, elf, sh, e);
	return 0;
}

static int read_sections(struct image_elf *f, Elf *elf, struct bawn_error *e)
{
	size_t n, strndx;
	struct cur names;
	GElf_Shdr sh;

	if (elf_getshdrnum(elf, &n) != 0 || n > MAX_HEADERS)
		return bad(e, "the ELF section headers are damaged");
	if (n == 0)
		return bad(e, "it has no section headers, so no metadata can be found");
	Elf_Scn *scn = elf_getshdrstrndx(elf, &strndx) == 0 ? elf_getscn(elf, strndx) : NULL;
	if (!scn || !gelf_getshdr(scn, &sh) || sh.sh_type == SHT_NOBITS ||
	    !cur_at(&f->file, sh.sh_offset, sh.sh_size, &names))
		return bad(e, "the section names are damaged or cut short");
	for (size_t i = 1; i < n; i++) {
		int rc;

		scn = elf_getscn(elf, i);
		if (!scn || !gelf_getshdr(scn, &sh))
			return bad(e, "the ELF section headers are cut short");
		rc = read_section(f, elf, &sh, &names, e);
		if (rc)
			return rc;
	}
	return 0;
}

/* ---- text relocations ---- */

struct dyn {
	bool textrel;
	uint64_t rela, relasz, jmprel, pltrelsz;
};

static int read_dynamic(const struct image_elf *f, const GElf_Phdr *ph, struct dyn *d,
			struct bawn_error *e)
{
	struct cur c;
	Elf64_Dyn entry;

	memset(d, 0, sizeof(*d));
	if (ph->p_type != PT_DYNAMIC)
		return 0;
	if (!cur_at(&f->file, ph->p_offset, ph->p_filesz, &c))
		return bad(e, "the dynamic segment reaches beyond the end of the file");
	while (cur_bytes(&c, &entry, sizeof(entry)) && entry.d_tag != DT_NULL) {
		switch (entry.d_tag) {
		case DT_TEXTREL:
			d->textrel = true;
			break;
		case DT_RELA:
			d->rela = entry.d_un.d_ptr;
			break;
		case DT_RELASZ:
			d->relasz = entry.d_un.d_val;
			break;
		case DT_JMPREL:
			d->jmprel = entry.d_un.d_ptr;
			break;
		case DT_PLTRELSZ:
			d->pltrelsz = entry.d_un.d_val;
			break;
		case DT_REL:
			return bad(e, "it has relocations without addend (DT_REL)");
		}
	}
	return 0;
}

static int mark_relocations(struct image_elf *f, uint64_t at, uint64_t size, struct bawn_error *e)
{
	uint64_t offset;
	struct cur c;
	Elf64_Rela r;

	if (size == 0)
		return 0;
	if (!image_elf_offset(f, at, size, &offset) || !cur_at(&f->file, offset, size, &c))
		return bad(e, "its relocations do not lie in a loadable segment");
	while (cur_bytes(&c, &r, sizeof(r))) {
		uint64_t page = r.r_offset / ISA_PAGE;

		if (ELF64_R_TYPE(r.r_info) == R_X86_64_NONE)
			continue;
		/* One that crosses into the next page marks that too. */
		uint64_t last = r.r_offset % ISA_PAGE > ISA_PAGE - 8 ? page + 1 : page;
		if (last >= f->textrel_pages)
			return bad(e, "a relocation is for an address outside the image");
		f->textrel[page / 8] |= (uint8_t)(1 << page % 8);
		f->textrel[last / 8] |= (uint8_t)(1 << last % 8);
	}
	return 0;
}

/* With DT_TEXTREL, pages that relocations change are added writable. */
static int read_relocations(struct image_elf *f, const GElf_Phdr *dynamic, struct bawn_error *e)
{
	const struct image_segment *last = &f->segment[f->nsegments - 1];
	struct dyn d;
	int rc = read_dynamic(f, dynamic, &d, e);

	if (rc || !d.textrel)
		return rc;
	f->textrel_pages = (last->vaddr + last->memsz + ISA_PAGE - 1) / ISA_PAGE;
	f->textrel = calloc(f->textrel_pages / 8 + 1, 1);
	if (!f->textrel)
		return err_nomem(e);
	rc = mark_relocations(f, d.rela, d.relasz, e);
	if (rc == 0)
		rc = mark_relocations(f, d.jmprel, d.pltrelsz, e);
	return rc;
}

/* ---- all of it ---- */

static int parse(struct image_elf *f, Elf *elf, struct bawn_error *e)
{
	GElf_Phdr dynamic = { .p_type = PT_NULL };
	GElf_Ehdr h;
	int rc = check_header(elf, &h, e);

	if (rc)
		return rc;
	f->entry = h.e_entry;
	rc = read_segments(f, elf, &dynamic, e);
	if (rc == 0)
		rc = read_sections(f, elf, e);
	if (rc == 0)
		rc = read_relocations(f, &dynamic, e);
	return rc;
}

int image_elf_parse(struct image_elf *f, const void *p, size_t n, struct bawn_error *e)
{
	int rc;

	memset(f, 0, sizeof(*f));
	f->file = cur_make(p, n);
	if (elf_version(EV_CURRENT) == EV_NONE)
		return err_set(e, BAWN_ERR_UNSUPPORTED, "libelf is too old for this ELF version");
	/* libelf reads through the pointer only: nothing here asks it to write. */
	Elf *elf = elf_memory((char *)(uintptr_t)p, n);
	if (!elf)
		return bad(e, "libelf cannot read it");
	rc = parse(f, elf, e);
	elf_end(elf);
	if (rc)
		image_elf_free(f);
	return rc;
}

void image_elf_free(struct image_elf *f)
{
	free(f->textrel);
	f->textrel = NULL;
}
