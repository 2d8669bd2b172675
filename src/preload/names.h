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
#include <stdarg.h>
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

/* The device that a path names. It must be absolute, so dir does not matter. */
static inline enum file_kind device_at(const char *path)
{
	preload_start();
	return file_of_path(path);
}

#endif
