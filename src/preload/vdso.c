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

struct image {
	uint8_t *p;
	size_t n; /* so far */
	Elf64_Sym symbol[SYMBOLS];
	uint64_t target[SYMBOLS];
	uint32_t symbols; /* the null one included */
	char names[2048];
	uint32_t names_size;
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

enum { S_NULL, S_HASH, S_DYNSYM, S_DYNSTR, S_VERSYM, S_VERDEF, S_DYNAMIC, S_TEXT, S_SHSTRTAB, SECTIONS };

/* Name, type and so on of each; addresses and sizes come as they are known. */
static const char section_names[] = "\0.hash\0.dynsym\0.dynstr\0.gnu.version\0.gnu.version_d\0.dynamic\0.text\0"
				    ".shstrtab";

static uint32_t section_name(int k)
{
	const char *p = section_names;

	while (k--)
		p += strlen(p) + 1;
	return (uint32_t)(p - section_names);
}

static void fill(struct image *m, const void *real)
{
	const uint64_t phdrs = sizeof(Elf64_Ehdr);
	Elf64_Shdr s[SECTIONS] = { { 0 } };
	Elf64_Dyn dyn[10];
	Elf64_Ehdr e = { 0 };
	size_t size, defs;
	uint64_t at;

	room(m, sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr), 8);
	m->names_size = 1;
	m->symbols = 1;
	add_symbols(m, real);
	at = add_hash(m, &size);
	s[S_HASH] = (Elf64_Shdr){ .sh_type = SHT_HASH, .sh_addr = at, .sh_size = size, .sh_link = S_DYNSYM, .sh_entsize = 4 };
	at = add_versions(m, &s[S_VERDEF].sh_addr, &defs);
	s[S_VERSYM] = (Elf64_Shdr){ .sh_type = SHT_GNU_versym, .sh_addr = at, .sh_size = m->symbols * 2,
				    .sh_link = S_DYNSYM, .sh_entsize = 2 };
	s[S_VERDEF].sh_type = SHT_GNU_verdef;
	s[S_VERDEF].sh_size = defs;
	s[S_VERDEF].sh_link = S_DYNSTR;
	s[S_VERDEF].sh_info = 2;
	at = add_name(m, SONAME);
	dyn[1] = (Elf64_Dyn){ DT_SONAME, { at } };
	at = m->n;
	add_jumps(m, S_TEXT);
	s[S_TEXT] = (Elf64_Shdr){ .sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC | SHF_EXECINSTR, .sh_addr = (at + 15) & ~UINT64_C(15) };
	s[S_TEXT].sh_size = m->n - s[S_TEXT].sh_addr;
	at = add(m, m->symbol, m->symbols * sizeof(m->symbol[0]), 8);
	s[S_DYNSYM] = (Elf64_Shdr){ .sh_type = SHT_DYNSYM, .sh_addr = at, .sh_size = m->symbols * sizeof(m->symbol[0]),
				    .sh_link = S_DYNSTR, .sh_info = 1, .sh_entsize = sizeof(m->symbol[0]) };
	at = add(m, m->names, m->names_size, 8);
	s[S_DYNSTR] = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_addr = at, .sh_size = m->names_size };
	dyn[0] = (Elf64_Dyn){ DT_HASH, { s[S_HASH].sh_addr } };
	dyn[2] = (Elf64_Dyn){ DT_STRTAB, { s[S_DYNSTR].sh_addr } };
	dyn[3] = (Elf64_Dyn){ DT_SYMTAB, { s[S_DYNSYM].sh_addr } };
	dyn[4] = (Elf64_Dyn){ DT_STRSZ, { m->names_size } };
	dyn[5] = (Elf64_Dyn){ DT_SYMENT, { sizeof(Elf64_Sym) } };
	dyn[6] = (Elf64_Dyn){ DT_VERSYM, { s[S_VERSYM].sh_addr } };
	dyn[7] = (Elf64_Dyn){ DT_VERDEF, { s[S_VERDEF].sh_addr } };
	dyn[8] = (Elf64_Dyn){ DT_VERDEFNUM, { 2 } };
	dyn[9] = (Elf64_Dyn){ DT_NULL, { 0 } };
	at = add(m, dyn, sizeof(dyn), 8);
	s[S_DYNAMIC] = (Elf64_Shdr){ .sh_type = SHT_DYNAMIC, .sh_addr = at, .sh_size = sizeof(dyn),
				     .sh_link = S_DYNSTR, .sh_entsize = sizeof(dyn[0]) };
	at = add(m, section_names, sizeof(section_names), 8);
	s[S_SHSTRTAB] = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_addr = at, .sh_size = sizeof(section_names) };
	for (int i = 1; i < SECTIONS; i++) {
		s[i].sh_name = section_name(i);
		s[i].sh_offset = s[i].sh_addr;
		s[i].sh_addralign = 8;
		if (i == S_SHSTRTAB)
			s[i].sh_addr = 0;
		else
			s[i].sh_flags |= SHF_ALLOC;
	}
	at = add(m, s, sizeof(s), 8);
	memcpy(e.e_ident, ELFMAG, SELFMAG);
	e.e_ident[EI_CLASS] = ELFCLASS64;
	e.e_ident[EI_DATA] = ELFDATA2LSB;
	e.e_ident[EI_VERSION] = EV_CURRENT;
	e.e_type = ET_DYN;
	e.e_machine = EM_X86_64;
	e.e_version = EV_CURRENT;
	e.e_phoff = phdrs;
	e.e_shoff = at;
	e.e_ehsize = sizeof(e);
	e.e_phentsize = sizeof(Elf64_Phdr);
	e.e_phnum = 2;
	e.e_shentsize = sizeof(Elf64_Shdr);
	e.e_shnum = SECTIONS;
	e.e_shstrndx = S_SHSTRTAB;
	memcpy(m->p, &e, sizeof(e));
	memcpy(m->p + phdrs, (Elf64_Phdr[]){
		{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = m->n, .p_memsz = m->n, .p_align = ISA_PAGE },
		{ .p_type = PT_DYNAMIC, .p_flags = PF_R, .p_offset = s[S_DYNAMIC].sh_offset,
		  .p_vaddr = s[S_DYNAMIC].sh_addr, .p_paddr = s[S_DYNAMIC].sh_addr, .p_filesz = sizeof(dyn),
		  .p_memsz = sizeof(dyn), .p_align = 8 } },
	       2 * sizeof(Elf64_Phdr));
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
