/*
 * What the files of interposed names (names*.c) have in common.
 *
 * They are compiled against one C library and run in another: they use nothing
 * whose layout differs (struct stat is the kernel's in glibc and musl), and
 * refer to no versioned symbol.
 */
#ifndef BAWN_PRELOAD_NAMES_H
#define BAWN_PRELOAD_NAMES_H

#include "preload/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAME __attribute__((visibility("default")))

/* ---- the definitions that the program would have had; NULL: the kernel itself ---- */

#define BEHIND(X)                                                                                  \
	X(open) X(openat) X(close) X(fcntl) X(ioctl) X(mmap) X(munmap) X(mprotect) X(dup) X(dup2)  \
	X(dup3) X(getauxval) X(read) X(write) X(pread) X(pwrite) X(recvmsg) X(recvmmsg)

extern struct names_next {
#define MEMBER(name) __typeof__(name) *name;
	BEHIND(MEMBER)
#undef MEMBER
} next;

/* ---- answers ---- */

/* As the C library gives the result of a system call. */
static inline long answer(long r)
{
	if (!raw_failed(r))
		return r;
	errno = (int)-r;
	return -1;
}

#define ARG(x) ((uint64_t)(uintptr_t)(x))

/* No path of ours begins otherwise: every other program's opens end here. */
static inline bool path_may_be_ours(const char *p)
{
	if (!p || p[0] != '/')
		return false;
	if (p[1] == 'd')
		return p[2] == 'e' && p[3] == 'v' && p[4] == '/' && (p[5] == 's' || p[5] == 'i');
	return p[1] == 'p' && p[2] == 'r' && p[3] == 'o' && p[4] == 'c' && p[5] == '/' && p[6] == 's';
}

/* The device that a path names. It must be absolute, so dir does not matter. */
static inline enum file_kind device_at(const char *path)
{
	if (!path_may_be_ours(path))
		return FILE_OTHER;
	preload_start();
	return file_of_path(path);
}

#endif
