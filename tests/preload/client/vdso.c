/* The ways in which programs find the vDSO's function; the weak symbol is lookup.c's own. */
#include "client.h"

#include <elf.h>
#include <sys/auxv.h>

static const char name[] = "__vdso_sgx_enter_enclave";

static unsigned long sysv_hash(const char *s)
{
	unsigned long h = 0, high;

	while (*s) {
		h = (h << 4) + (unsigned char)*s++;
		high = h & 0xf0000000;
		h ^= high >> 24;
		h &= ~high;
	}
	return h;
}

/* PT_DYNAMIC by its file offset, addresses in it unrelocated, DT_HASH. */
sgx_enter_fn vdso_by_hash(void)
{
	const char *image = (const char *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)image;
	const Elf64_Phdr *ph;
	const Elf64_Dyn *dyn = NULL;
	const Elf64_Sym *symbols = NULL;
	const char *strings = NULL;
	const uint32_t *hash = NULL;

	if (!image)
		return NULL;
	ph = (const Elf64_Phdr *)(image + eh->e_phoff);
	for (unsigned i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_DYNAMIC)
			dyn = (const Elf64_Dyn *)(image + ph[i].p_offset);
	for (; dyn && dyn->d_tag != DT_NULL; dyn++) {
		if (dyn->d_tag == DT_SYMTAB)
			symbols = (const Elf64_Sym *)(image + dyn->d_un.d_ptr);
		else if (dyn->d_tag == DT_STRTAB)
			strings = image + dyn->d_un.d_ptr;
		else if (dyn->d_tag == DT_HASH)
			hash = (const uint32_t *)(image + dyn->d_un.d_ptr);
	}
	if (!symbols || !strings || !hash)
		return NULL;
	for (uint32_t i = hash[2 + sysv_hash(name) % hash[0]]; i; i = hash[2 + hash[0] + i])
		if (strcmp(strings + symbols[i].st_name, name) == 0)
			return (sgx_enter_fn)(uintptr_t)(image + symbols[i].st_value);
	return NULL;
}

sgx_enter_fn vdso_by_sections(void)
{
	const char *image = (const char *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)image;
	const Elf64_Shdr *sh, *symbols = NULL, *strings = NULL;
	const char *names;

	if (!image || !eh->e_shoff || eh->e_shstrndx == SHN_UNDEF)
		return NULL;
	sh = (const Elf64_Shdr *)(image + eh->e_shoff);
	names = image + sh[eh->e_shstrndx].sh_offset;
	for (unsigned i = 0; i < eh->e_shnum; i++) {
		if (strcmp(names + sh[i].sh_name, ".dynsym") == 0)
			symbols = &sh[i];
		else if (strcmp(names + sh[i].sh_name, ".dynstr") == 0)
			strings = &sh[i];
	}
	if (!symbols || !strings)
		return NULL;
	for (size_t i = 0; i < symbols->sh_size / sizeof(Elf64_Sym); i++) {
		const Elf64_Sym *s = (const Elf64_Sym *)(image + symbols->sh_offset) + i;

		if (strcmp(image + strings->sh_offset + s->st_name, name) == 0)
			return (sgx_enter_fn)(uintptr_t)(image + s->st_value);
	}
	return NULL;
}
