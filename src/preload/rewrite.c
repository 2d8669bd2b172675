/*
 * CPUID where the CPU cannot be made to fault it: the instruction in the
 * program's code is replaced by UD2, which is as long and traps, and is
 * emulated there. The bytes 0F A2 may as well be part of another instruction, so
 * only those are replaced that decoding from the beginning of their function
 * comes to; .eh_frame says where functions begin. The program's file is not
 * touched: the pages become private copies.
 */
#include "preload/preload.h"

#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define MOST 1024 /* instructions */
#define TEXT_MAX (UINT64_C(64) << 20) /* bytes that are looked through in one object */

/* .eh_frame_hdr as linkers write it: all encodings are these (LSB, 10.6.2). */
#define PCREL_SDATA4 0x1b
#define UDATA4 0x03
#define DATAREL_SDATA4 0x3b

static uint64_t places[MOST]; /* of rewritten instructions, ascending within an object */
static uint32_t count;

bool rewrite_is(uint64_t rip)
{
	for (uint32_t i = 0; i < __atomic_load_n(&count, __ATOMIC_ACQUIRE); i++)
		if (places[i] == rip)
			return true;
	return false;
}

uint32_t rewrite_count(void)
{
	return count;
}

struct object {
	const uint8_t *hdr; /* .eh_frame_hdr */
	uint64_t start, end; /* of the code being looked through */
};

static int32_t get_s32(const uint8_t *p)
{
	return (int32_t)get_le32(p);
}

/* The function around an address: its first byte and its end. */
static bool function_around(const struct object *o, uint64_t at, uint64_t *first, uint64_t *end)
{
	const uint8_t *table = o->hdr + 12;
	uint32_t low = 0, high = get_le32(o->hdr + 8);
	const uint8_t *fde;

	/* Pairs of the function and its FDE, both relative to the table, ascending. */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if ((uintptr_t)o->hdr + (uint64_t)(int64_t)get_s32(table + 8 * middle) <= at)
			low = middle;
		else
			high = middle;
	}
	if (high == 0)
		return false;
	*first = (uintptr_t)o->hdr + (uint64_t)(int64_t)get_s32(table + 8 * low);
	fde = o->hdr + get_s32(table + 8 * low + 4);
	/* Length, CIE, then the function again: if that is not the same, it is encoded in another way. */
	if ((uintptr_t)(fde + 8) + (uint64_t)(int64_t)get_s32(fde + 8) != *first)
		return false;
	*end = *first + get_le32(fde + 12);
	return *first <= at && at < *end && *first >= o->start && *end <= o->end;
}

static bool is_instruction(const struct object *o, uint64_t at)
{
	uint64_t p, end;

	if (!function_around(o, at, &p, &end))
		return false;
	while (p < at) {
		size_t n = insn_length((const uint8_t *)p);

		if (!n)
			return false;
		p += n;
	}
	return p == at;
}

static void rewrite(uint64_t at, int prot)
{
	const uint64_t page = at & ~(uint64_t)(ISA_PAGE - 1);
	const uint64_t length = at + 2 - page > ISA_PAGE ? 2 * ISA_PAGE : ISA_PAGE;

	if (count == MOST || raw(SYS_mprotect, page, length, PROT_READ | PROT_WRITE | PROT_EXEC, 0, 0, 0) != 0)
		return; /* forbidden here (SELinux's execmod): CPUID stays what it is */
	places[count] = at;
	__atomic_store_n(&count, count + 1, __ATOMIC_RELEASE);
	((uint8_t *)at)[1] = 0x0b;
	raw(SYS_mprotect, page, length, (uint64_t)prot, 0, 0, 0);
}

static void look_through(const struct object *o, int prot)
{
	const uint8_t *p = (const uint8_t *)o->start, *end = (const uint8_t *)o->end - 1;

	for (; p < end && (p = memchr(p, 0x0f, (size_t)(end - p))); p++)
		if (p[1] == 0xa2 && is_instruction(o, (uintptr_t)p))
			rewrite((uintptr_t)p, prot);
}

/* The C library, its dynamic linker and the vDSO ask for much, but not for SGX. */
static bool is_left_alone(const char *path)
{
	static const char *const starts[] = { "libc.", "ld-", "linux-vdso" };
	const char *name = path ? strrchr(path, '/') : NULL;

	name = name ? name + 1 : path;
	for (size_t i = 0; name && i < ARRAY_LEN(starts); i++)
		if (memcmp(name, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

void rewrite_object(const char *path, uint64_t bias, const void *program_headers, size_t n)
{
	const Elf64_Phdr *ph = program_headers;
	struct object o = { 0 };

	if (is_left_alone(path))
		return;
	for (size_t i = 0; i < n; i++)
		if (ph[i].p_type == PT_GNU_EH_FRAME)
			o.hdr = (const uint8_t *)(bias + ph[i].p_vaddr);
	if (!o.hdr || o.hdr[0] != 1 || o.hdr[1] != PCREL_SDATA4 || o.hdr[2] != UDATA4 ||
	    o.hdr[3] != DATAREL_SDATA4)
		return;
	for (size_t i = 0; i < n; i++) {
		if (ph[i].p_type != PT_LOAD || !(ph[i].p_flags & PF_X) || ph[i].p_flags & PF_W ||
		    !(ph[i].p_flags & PF_R) || ph[i].p_memsz > TEXT_MAX || ph[i].p_memsz < 2)
			continue;
		o.start = bias + ph[i].p_vaddr;
		o.end = o.start + ph[i].p_filesz;
		look_through(&o, PROT_READ | PROT_EXEC);
	}
}
