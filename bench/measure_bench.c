/*
 * Opening and measuring a 64 MiB enclave file, all of it measured, against
 * what OpenSSL needs for the same number of hashed bytes: 320 for every 256,
 * and 64 for every page (SDM 40.3, EADD and EEXTEND).
 */
#include "bench/bench.h"
#include "image/image.h"

#include <elf.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CODE ((size_t)64 << 20)
#define ROOM 0x2000u
#define BLOCK 65536u

static char path[] = "/tmp/bawn-measure-bench.XXXXXX";

/* ---- an enclave of the kit whose one segment is 64 MiB ---- */

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

static uint8_t *make_enclave(size_t *n)
{
	const size_t at = 4096 + CODE;
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
				.p_filesz = CODE,
				.p_memsz = CODE,
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

/* ---- what is compared ---- */

static uint64_t hashed; /* bytes */

static void open_and_measure(void *arg, uint64_t times)
{
	struct bawn_error e = { 0 };
	uint8_t mrenclave[32];
	struct image *im;

	(void)arg;
	while (times-- > 0) {
		if (image_open(&im, path, NULL, &e) || image_measure(im, mrenclave, &e))
			bench_fail("%s", e.msg);
		image_free(&im);
	}
}

static void openssl(void *arg, uint64_t times)
{
	static uint8_t block[BLOCK], digest[32];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	(void)arg;
	while (times-- > 0) {
		if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
			bench_fail("OpenSSL has no SHA-256");
		for (uint64_t left = hashed; left;) {
			size_t n = left < BLOCK ? (size_t)left : BLOCK;

			if (EVP_DigestUpdate(ctx, block, n) != 1)
				bench_fail("EVP_DigestUpdate failed");
			left -= n;
		}
		if (EVP_DigestFinal_ex(ctx, digest, NULL) != 1)
			bench_fail("EVP_DigestFinal_ex failed");
	}
	EVP_MD_CTX_free(ctx);
}

/* ---- the file is made, and memory measured, in processes of their own ---- */

static void write_enclave(void)
{
	struct bawn_error e = { 0 };
	struct image_config c;
	size_t n;
	uint8_t *file = make_enclave(&n);

	image_config_default(&c);
	c.heap_min = c.heap_init = c.heap_max = ISA_PAGE;
	if (image_lay_out(file, n, &c, &e) || io_write_file(path, file, n, 0600, &e))
		bench_fail("%s: %s", path, e.msg);
	free(file);
}

static void once(void)
{
	open_and_measure(NULL, 1);
}

/* Peak resident memory in MiB of a process that does this and ends. */
static double peak_of(void (*work)(void))
{
	struct rusage u;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		work();
		_exit(0);
	}
	if (pid < 0 || wait4(pid, &status, 0, &u) != pid || status != 0)
		bench_fail("a child process failed");
	return (double)u.ru_maxrss / 1024;
}

static void nothing(void)
{
}

int main(void)
{
	const double mib = (double)CODE / (1 << 20);
	struct bawn_error e = { 0 };
	uint64_t added, measured;
	struct image *im;
	int fd = mkstemp(path);

	if (fd < 0)
		bench_fail("cannot create %s", path);
	close(fd);
	peak_of(write_enclave);
	bench_row("memory to measure 64 MiB, beyond the file", peak_of(once) - peak_of(nothing) - mib,
		  "MiB", 0, 0, BENCH_AT_MOST, 8);
	if (image_open(&im, path, NULL, &e))
		bench_fail("%s", e.msg);
	image_count(im, &added, &measured);
	image_free(&im);
	hashed = 64 + added * 64 + measured * 5120;
	bench_compare("open and measure an enclave, 64 MiB", "MiB/s", (double)CODE, open_and_measure,
		      NULL, openssl, NULL, BENCH_AT_LEAST, 0.85);
	unlink(path);
	return bench_done();
}
