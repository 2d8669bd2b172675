/*
 * Symbols of the vDSO. The image is trusted: the kernel, or whoever replaced
 * the auxiliary vector, put it there. Found by PT_DYNAMIC and the hash tables,
 * as the kernel's own parser does it (tools/testing/selftests/vDSO).
 */
#include "dev/internal.h"

#include <elf.h>
#include <string.h>
#include <sys/auxv.h>

struct vdso {
	const char *load; /* address of vaddr 0 */
	const Elf64_Sym *symtab;
	const char *strtab;
	const uint32_t *hash, *gnu_hash;
};

/* The DT_GNU_HASH table tells no number of symbols: it is one past the last of the longest chain. */
static uint32_t gnu_hash_symbols(const uint32_t *h)
{
	uint32_t nbuckets = h[0], first = h[1], bloom = h[2], last = 0;
	const uint32_t *buckets = h + 4 + 2 * bloom; /* bloom words are 64 bits */
	const uint32_t *chain = buckets + nbuckets;

	for (uint32_t i = 0; i < nbuckets; i++)
		if (buckets[i] > last)
			last = buckets[i];
	if (last < first)
		return first;
	while (!(chain[last - first] & 1))
		last++;
	return last + 1;
}

static bool parse(struct vdso *v, const Elf64_Ehdr *ehdr)
{
	const char *image = (const char *)ehdr;
	const Elf64_Phdr *ph = (const Elf64_Phdr *)(image + ehdr->e_phoff);
	const Elf64_Dyn *dyn = NULL;
	bool loaded = false;

	*v = (struct vdso){ 0 };
	for (unsigned i = 0; i < ehdr->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD && !loaded) {
			v->load = image + ph[i].p_offset - ph[i].p_vaddr;
			loaded = true;
		} else if (ph[i].p_type == PT_DYNAMIC) {
			dyn = (const Elf64_Dyn *)(image + ph[i].p_offset);
		}
	}
	if (!loaded || !dyn)
		return false;
	for (; dyn->d_tag != DT_NULL; dyn++) {
		const void *p = v->load + dyn->d_un.d_ptr;

		if (dyn->d_tag == DT_SYMTAB)
			v->symtab = p;
		else if (dyn->d_tag == DT_STRTAB)
			v->strtab = p;
		else if (dyn->d_tag == DT_HASH)
			v->hash = p;
		else if (dyn->d_tag == DT_GNU_HASH)
			v->gnu_hash = p;
	}
	return v->symtab && v->strtab && (v->hash || v->gnu_hash);
}

void *dev_vdso_symbol(const void *image, const char *name)
{
	const Elf64_Ehdr *ehdr = image;
	struct vdso v;
	uint32_t n;

	if (!ehdr || memcmp(ehdr->e_ident, ELFMAG, SELFMAG) != 0 ||
	    ehdr->e_ident[EI_CLASS] != ELFCLASS64 || !parse(&v, ehdr))
		return NULL;
	n = v.hash ? v.hash[1] : gnu_hash_symbols(v.gnu_hash);
	for (uint32_t i = 0; i < n; i++) {
		const Elf64_Sym *s = &v.symtab[i];

		if (s->st_shndx != SHN_UNDEF && ELF64_ST_TYPE(s->st_info) == STT_FUNC &&
		    !strcmp(v.strtab + s->st_name, name))
			return (void *)(uintptr_t)(v.load + s->st_value);
	}
	return NULL;
}

isa_enter_fn dev_vdso_enter(void)
{
	const void *image = (const void *)getauxval(AT_SYSINFO_EHDR);

	return (isa_enter_fn)(uintptr_t)dev_vdso_symbol(image, "__vdso_sgx_enter_enclave");
}
