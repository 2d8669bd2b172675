/* Between platform.c (the file's grammar) and platform_dir.c (the directory). */
#ifndef BAWN_CPU_PLATFORM_H
#define BAWN_CPU_PLATFORM_H

#include "cpu/cpu.h"

#define PLATFORM_FILE "platform"
#define PLATFORM_EPC_FILE "epc" /* src/preload/pool.c's */
#define PLATFORM_FILE_MAX 8192

#define EPC_DEFAULT_BYTES (UINT64_C(128) << 20)

/* Whole pages, from 1 MiB to 1 TiB. */
static inline bool platform_epc_size_legal(uint64_t n)
{
	return n >= UINT64_C(1) << 20 && n <= UINT64_C(1) << 40 && n % ISA_PAGE == 0;
}

/* The text of a platform file, appended. */
void platform_render(const struct cpu_platform *p, struct buf *b);

#endif
