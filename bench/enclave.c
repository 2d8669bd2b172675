/* An enclave of the kit whose one segment is as large as the benchmarks want it. */
#include "bench/bench.h"
#include "isa/isa.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 0x2000u

static const char names[] = "\0.dynsym\0.dynstr\0.note.sgxmeta\0.shstrtab";
static const char symbols[] = "\0bawn_enclave_layout";
struct tail {
	Elf64_Sym symbol[2];
	char symbols[24];
	char names[48];
	struct {
		uint32_t namesz, descsz, type;
		char name[13];
		uint8_t room[ROOM];
	} __attribute__((packed)) note;
	Elf64_Shdr section[5] __attribute__((aligned(8)));
};

static void fill_tail(struct tail *t, size_t at)
{
	memcpy(t->symbols, symbols, sizeof(symbols));
	memcpy(t->names, names, sizeof(names));
	t->symbol[1] = (Elf64_Sym){ .st_name = 1, .st_shndx = 1, .st_value = 0x1000, .st_size = 296 };
	t->note.namesz = 13;
	t->note.descsz = ROOM;
	t->note.type = 1;
	memcpy(t->note.name, "sgx_metadata", 13);
	t->section[1] = (Elf64_Shdr){ .sh_name = 1,
				      .sh_type = SHT_DYNSYM,
				      .sh_offset = at + offsetof(struct tail, symbol),
				      .sh_size = sizeof(t->symbol),
				      .sh_link = 2,
				      .sh_entsize = sizeof(Elf64_Sym) };
	t->section[2] = (Elf64_Shdr){ .sh_name = 9,
				      .sh_type = SHT_STRTAB,
				      .sh_offset = at + offsetof(struct tail, symbols),
				      .sh_size = sizeof(symbols) };
	t->section[3] = (Elf64_Shdr){ .sh_name = 17,
				      .sh_type = SHT_NOTE,
				      .sh_offset = at + offsetof(struct tail, note),
				      .sh_size = sizeof(t->note) };
	t->section[4] = (Elf64_Shdr){ .sh_name = 31,
				      .sh_type = SHT_STRTAB,
				      .sh_offset = at + offsetof(struct tail, names),
				      .sh_size = sizeof(names) };
}

uint8_t *bench_enclave(size_t *n)
{
	const size_t at = 4096 + BENCH_ENCLAVE;
	const Elf64_Ehdr h = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			       .e_type = ET_DYN,
			       .e_machine = EM_X86_64,
			       .e_version = EV_CURRENT,
			       .e_entry = 0x2000,
			       .e_phoff = sizeof(h),
			       .e_phentsize = sizeof(Elf64_Phdr),
			       .e_phnum = 1,
			       .e_shentsize = sizeof(Elf64_Shdr),
			       .e_shnum = 5,
			       .e_shstrndx = 4,
			       .e_shoff = at + offsetof(struct tail, section) };
	const Elf64_Phdr ph = { .p_type = PT_LOAD,
				.p_flags = PF_R | PF_X,
				.p_offset = 4096,
				.p_vaddr = 4096,
				.p_filesz = BENCH_ENCLAVE,
				.p_memsz = BENCH_ENCLAVE,
				.p_align = 4096 };
	uint8_t *file = calloc(1, at + sizeof(struct tail));
	struct tail *t = calloc(1, sizeof(*t));

	if (!file || !t)
		bench_fail("out of memory");
	for (size_t i = 4096; i < at; i++)
		file[i] = (uint8_t)(i * 2654435761u >> 13);
	memcpy(file, &h, sizeof(h));
	memcpy(file + sizeof(h), &ph, sizeof(ph));
	memset(file + 4096, 0, sizeof(struct isa_enclave_layout));
	memcpy(file + 4096, ISA_LAYOUT_MAGIC, 8);
	put_le64(file + 4096 + 8, sizeof(struct isa_enclave_layout));
	fill_tail(t, at);
	memcpy(file + at, t, sizeof(*t));
	free(t);
	*n = at + sizeof(struct tail);
	return file;
}
