/*
 * An image in place of the kernel's vDSO: its functions, as jumps to the real
 * ones, and __vdso_sgx_enter_enclave. Made for every way in which it is read:
 * PT_DYNAMIC with DT_HASH, by file offset or address (they are the same), and
 * section headers with .dynsym and .dynstr. Nothing in it is relocated, as in
 * the kernel's.
 */
#include "preload/preload.h"

#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define IMAGE_SIZE (4 * ISA_PAGE)
#define SYMBOLS 64
#define ENTER "__vdso_sgx_enter_enclave"
#define VERSION "LINUX_2.6"
#define SONAME "linux-vdso.so.1"

/* jmp *0(%rip); the address */
#define JUMP_SIZE 16

/* ---- the real image ---- */

struct real {
	const char *load; /* address of vaddr 0 */
	const Elf64_Sym *symbols;
	const char *names;
	uint32_t count;
};

static uint32_t gnu_hash_count(const uint32_t *h)
{
	uint32_t buckets = h[0], first = h[1], last = 0;
	const uint32_t *bucket = h + 4 + 2 * h[2], *chain = bucket + buckets;

	for (uint32_t i = 0; i < buckets; i++)
		if (bucket[i] > last)
			last = bucket[i];
	if (last < first)
		return first;
	while (!(chain[last - first] & 1))
		last++;
	return last + 1;
}

static bool read_real(const Elf64_Ehdr *ehdr, struct real *r)
{
	const char *image = (const char *)ehdr;
	const Elf64_Phdr *ph = (const Elf64_Phdr *)(const void *)(image + ehdr->e_phoff);
	const uint32_t *hash = NULL, *gnu = NULL;
	const Elf64_Dyn *dyn = NULL;

	memset(r, 0, sizeof(*r));
	for (unsigned i = 0; i < ehdr->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD && !r->load)
			r->load = image + ph[i].p_offset - ph[i].p_vaddr;
		if (ph[i].p_type == PT_DYNAMIC)
			dyn = (const Elf64_Dyn *)(const void *)(image + ph[i].p_offset);
	}
	for (; r->load && dyn && dyn->d_tag != DT_NULL; dyn++) {
		const void *p = r->load + dyn->d_un.d_ptr;

		if (dyn->d_tag == DT_SYMTAB)
			r->symbols = p;
		else if (dyn->d_tag == DT_STRTAB)
			r->names = p;
		else if (dyn->d_tag == DT_HASH)
			hash = p;
		else if (dyn->d_tag == DT_GNU_HASH)
			gnu = p;
	}
	r->count = hash ? hash[1] : gnu ? gnu_hash_count(gnu) : 0;
	return r->symbols && r->names && r->count;
}

/* ---- the image under construction ---- */

enum { S_NULL, S_HASH, S_DYNSYM, S_DYNSTR, S_VERSYM, S_VERDEF, S_DYNAMIC, S_TEXT, S_SHSTRTAB, SECTIONS };

struct image {
	uint8_t *p;
	size_t n; /* so far */
	Elf64_Sym symbol[SYMBOLS];
	uint64_t target[SYMBOLS];
	uint32_t symbols; /* the null one included */
	char names[2048];
	uint32_t names_size;
	Elf64_Shdr section[SECTIONS];
};

/* Room for n bytes, aligned; their offset. */
static uint64_t room(struct image *m, size_t n, size_t align)
{
	uint64_t at = (m->n + align - 1) & ~(uint64_t)(align - 1);

	m->n = at + n;
	if (m->n > IMAGE_SIZE)
		__builtin_trap(); /* the limits above are for far more than any kernel has */
	return at;
}

static uint64_t add(struct image *m, const void *p, size_t n, size_t align)
{
	uint64_t at = room(m, n, align);

	memcpy(m->p + at, p, n);
	return at;
}

static uint32_t add_name(struct image *m, const char *name)
{
	uint32_t at = m->names_size;
	size_t n = strlen(name) + 1;

	if (at + n > sizeof(m->names))
		return 0;
	memcpy(m->names + at, name, n);
	m->names_size += (uint32_t)n;
	return at;
}

static void add_symbol(struct image *m, const char *name, uint64_t target, uint8_t info)
{
	uint32_t at = m->symbols < SYMBOLS ? add_name(m, name) : 0;

	if (!at)
		return;
	m->target[m->symbols] = target;
	m->symbol[m->symbols++] = (Elf64_Sym){ .st_name = at, .st_info = info, .st_size = JUMP_SIZE };
}

static void add_symbols(struct image *m, const void *real)
{
	struct real r;

	add_symbol(m, ENTER, (uintptr_t)cpu_enter_enclave, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC));
	if (!real || !read_real(real, &r))
		return;
	for (uint32_t i = 1; i < r.count; i++) {
		const Elf64_Sym *s = &r.symbols[i];

		if (s->st_shndx != SHN_UNDEF && s->st_shndx != SHN_ABS &&
		    ELF64_ST_TYPE(s->st_info) == STT_FUNC && strcmp(r.names + s->st_name, ENTER) != 0)
			add_symbol(m, r.names + s->st_name, (uintptr_t)r.load + s->st_value, s->st_info);
	}
}

static void add_jumps(struct image *m, uint16_t section)
{
	for (uint32_t i = 1; i < m->symbols; i++) {
		static const uint8_t jump[6] = { 0xff, 0x25, 0, 0, 0, 0 };
		uint64_t at = room(m, JUMP_SIZE, JUMP_SIZE);

		memcpy(m->p + at, jump, sizeof(jump));
		memcpy(m->p + at + sizeof(jump), &m->target[i], sizeof(m->target[i]));
		m->symbol[i].st_value = at;
		m->symbol[i].st_shndx = section;
	}
}

static uint32_t hash_of(const char *name)
{
	uint32_t h = 0, high;

	for (; *name; name++) {
		h = (h << 4) + (uint8_t)*name;
		high = h & 0xf0000000;
		h = (h ^ high >> 24) & ~high;
	}
	return h;
}

/* DT_HASH with one chain: there are a dozen symbols. */
static uint64_t add_hash(struct image *m, size_t *size)
{
	uint32_t words[3 + SYMBOLS] = { 1, m->symbols, m->symbols > 1 ? 1 : 0 };

	for (uint32_t i = 1; i + 1 < m->symbols; i++)
		words[3 + i] = i + 1;
	*size = (3 + m->symbols) * sizeof(words[0]);
	return add(m, words, *size, 8);
}

/* The version of all symbols is LINUX_2.6, the second definition. */
static uint64_t add_versions(struct image *m, uint64_t *definitions, size_t *size)
{
	uint16_t of[SYMBOLS] = { 0 };
	struct {
		Elf64_Verdef def;
		Elf64_Verdaux aux;
	} d[2];

	for (uint32_t i = 1; i < m->symbols; i++)
		of[i] = 2;
	memset(d, 0, sizeof(d));
	for (int i = 0; i < 2; i++) {
		const char *name = i ? VERSION : SONAME;

		d[i].def = (Elf64_Verdef){
			.vd_version = VER_DEF_CURRENT, .vd_flags = i ? 0 : VER_FLG_BASE,
			.vd_ndx = (uint16_t)(i + 1), .vd_cnt = 1, .vd_hash = hash_of(name),
			.vd_aux = sizeof(d[i].def), .vd_next = i ? 0 : sizeof(d[i]),
		};
		d[i].aux.vda_name = add_name(m, name);
	}
	*definitions = add(m, d, sizeof(d), 8);
	*size = sizeof(d);
	return add(m, of, m->symbols * sizeof(of[0]), 8);
}

/* ---- sections ---- */

/* All but what is code, names and addresses follow from the order in the image. */
static const char section_names[] = "\0.hash\0.dynsym\0.dynstr\0.gnu.version\0.gnu.version_d\0.dynamic\0.text\0"
				    ".shstrtab";

static uint32_t section_name(int k)
{
	const char *p = section_names;

	while (k--)
		p += strlen(p) + 1;
	return (uint32_t)(p - section_names);
}

static void section(struct image *m, int k, uint32_t type, uint64_t at, uint64_t size, uint32_t link,
		    uint32_t info, uint64_t entry)
{
	m->section[k] = (Elf64_Shdr){
		.sh_name = section_name(k), .sh_type = type, .sh_addr = k == S_SHSTRTAB ? 0 : at,
		.sh_flags = (k == S_SHSTRTAB ? 0 : SHF_ALLOC) | (k == S_TEXT ? SHF_EXECINSTR : 0),
		.sh_offset = at, .sh_size = size, .sh_link = link, .sh_info = info, .sh_addralign = 8,
		.sh_entsize = entry,
	};
}

/* Tables whose content does not depend on where others are, and the code. */
static void add_content(struct image *m)
{
	uint64_t at, definitions;
	size_t size;

	at = add_hash(m, &size);
	section(m, S_HASH, SHT_HASH, at, size, S_DYNSYM, 0, 4);
	at = add_versions(m, &definitions, &size);
	section(m, S_VERSYM, SHT_GNU_versym, at, m->symbols * 2, S_DYNSYM, 0, 2);
	section(m, S_VERDEF, SHT_GNU_verdef, definitions, size, S_DYNSTR, 2, 0);
	at = (m->n + JUMP_SIZE - 1) & ~(uint64_t)(JUMP_SIZE - 1);
	add_jumps(m, S_TEXT);
	section(m, S_TEXT, SHT_PROGBITS, at, m->n - at, 0, 0, 0);
	at = add(m, m->symbol, m->symbols * sizeof(m->symbol[0]), 8);
	section(m, S_DYNSYM, SHT_DYNSYM, at, m->symbols * sizeof(m->symbol[0]), S_DYNSTR, 1,
		sizeof(m->symbol[0]));
}

static void add_dynamic(struct image *m)
{
	const uint64_t soname = add_name(m, SONAME), names = add(m, m->names, m->names_size, 8);
	const Elf64_Dyn dyn[] = {
		{ DT_SONAME, { soname } },
		{ DT_HASH, { m->section[S_HASH].sh_addr } },
		{ DT_STRTAB, { names } },
		{ DT_SYMTAB, { m->section[S_DYNSYM].sh_addr } },
		{ DT_STRSZ, { m->names_size } },
		{ DT_SYMENT, { sizeof(Elf64_Sym) } },
		{ DT_VERSYM, { m->section[S_VERSYM].sh_addr } },
		{ DT_VERDEF, { m->section[S_VERDEF].sh_addr } },
		{ DT_VERDEFNUM, { 2 } },
		{ DT_NULL, { 0 } },
	};

	section(m, S_DYNSTR, SHT_STRTAB, names, m->names_size, 0, 0, 0);
	section(m, S_DYNAMIC, SHT_DYNAMIC, add(m, dyn, sizeof(dyn), 8), sizeof(dyn), S_DYNSTR, 0,
		sizeof(dyn[0]));
}

static void add_headers(struct image *m, uint64_t sections)
{
	const Elf64_Shdr *dynamic = &m->section[S_DYNAMIC];
	const struct {
		Elf64_Ehdr e;
		Elf64_Phdr p[2];
	} head = {
		.e = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
			.e_phoff = sizeof(Elf64_Ehdr), .e_shoff = sections, .e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2, .e_shentsize = sizeof(Elf64_Shdr),
			.e_shnum = SECTIONS, .e_shstrndx = S_SHSTRTAB,
		},
		.p = {
			{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = m->n, .p_memsz = m->n,
			  .p_align = ISA_PAGE },
			{ .p_type = PT_DYNAMIC, .p_flags = PF_R, .p_offset = dynamic->sh_offset,
			  .p_vaddr = dynamic->sh_addr, .p_paddr = dynamic->sh_addr,
			  .p_filesz = dynamic->sh_size, .p_memsz = dynamic->sh_size, .p_align = 8 },
		},
	};

	memcpy(m->p, &head, sizeof(head));
}

static void fill(struct image *m, const void *real)
{
	room(m, sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr), 8);
	m->names_size = 1;
	m->symbols = 1;
	add_symbols(m, real);
	add_content(m);
	add_dynamic(m);
	section(m, S_SHSTRTAB, SHT_STRTAB, add(m, section_names, sizeof(section_names), 8),
		sizeof(section_names), 0, 0, 0);
	add_headers(m, add(m, m->section, sizeof(m->section), 8));
}

void *vdso_make(const void *real)
{
	static struct image m;

	m.p = mmap(NULL, IMAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m.p == MAP_FAILED)
		return NULL;
	fill(&m, real);
	raw(SYS_mprotect, (uintptr_t)m.p, IMAGE_SIZE, PROT_READ | PROT_EXEC, 0, 0, 0);
	return m.p;
}
