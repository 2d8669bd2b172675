/* The C library's names for what kind of file something is: see names.c. */
#include "preload/names.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Not all of them are declared by every C library. */
struct stat64;
NAME int __xstat(int version, const char *path, struct stat *st);
NAME int __lxstat(int version, const char *path, struct stat *st);
NAME int __fxstat(int version, int fd, struct stat *st);
NAME int __fxstatat(int version, int dir, const char *path, struct stat *st, int flags);
NAME int __xstat64(int version, const char *path, struct stat64 *st);
NAME int __lxstat64(int version, const char *path, struct stat64 *st);
NAME int __fxstat64(int version, int fd, struct stat64 *st);
NAME int __fxstatat64(int version, int dir, const char *path, struct stat64 *st, int flags);
NAME int stat64(const char *restrict path, struct stat64 *restrict st);
NAME int lstat64(const char *restrict path, struct stat64 *restrict st);
NAME int fstat64(int fd, struct stat64 *st);
NAME int fstatat64(int dir, const char *restrict path, struct stat64 *restrict st, int flags);

#define DEVICE_MAJOR 10 /* misc */
#define DEVICE_MINOR 125

static void describe(struct stat *st, enum file_kind kind)
{
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFCHR | (kind == FILE_PROVISION ? 0660 : 0666);
	st->st_nlink = 1;
	st->st_rdev = makedev(DEVICE_MAJOR, DEVICE_MINOR + (unsigned)kind);
	st->st_ino = 1000 + (unsigned)kind;
	st->st_blksize = (blksize_t)ISA_PAGE;
}

static int stat_at(int dir, const char *path, struct stat *st, int flags)
{
	enum file_kind kind = device_at(path);

	if (kind == FILE_OTHER || kind == FILE_AUXV)
		return (int)answer(raw(SYS_newfstatat, (uint64_t)dir, ARG(path), ARG(st), (uint64_t)flags, 0, 0));
	describe(st, kind);
	return 0;
}

static int stat_fd(int fd, struct stat *st)
{
	long r = raw(SYS_fstat, (uint64_t)fd, ARG(st), 0, 0, 0, 0);
	enum file_kind kind;

	/* A file without a name may be one of ours. */
	if (r == 0 && S_ISREG(st->st_mode) && st->st_nlink == 0) {
		kind = file_kind_of(fd);
		if (kind != FILE_OTHER)
			describe(st, kind);
	}
	return (int)answer(r);
}

NAME int statx(int dir, const char *restrict path, int flags, unsigned mask, struct statx *restrict st)
{
	long r = raw(SYS_statx, (uint64_t)dir, ARG(path), (uint64_t)(unsigned)flags, mask, ARG(st), 0);
	enum file_kind kind = device_at(path);
	struct stat as;

	/* By descriptor: a file without a name may be one of ours. */
	if (r == 0 && (flags & AT_EMPTY_PATH) && !*path && S_ISREG(st->stx_mode) && st->stx_nlink == 0)
		kind = file_kind_of(dir);
	if (kind == FILE_OTHER || kind == FILE_AUXV)
		return (int)answer(r);
	describe(&as, kind);
	memset(st, 0, sizeof(*st));
	st->stx_mask = STATX_BASIC_STATS & mask;
	st->stx_mode = (uint16_t)as.st_mode;
	st->stx_nlink = 1;
	st->stx_ino = as.st_ino;
	st->stx_blksize = (uint32_t)as.st_blksize;
	st->stx_rdev_major = major(as.st_rdev);
	st->stx_rdev_minor = minor(as.st_rdev);
	return 0;
}

static struct stat *plain(struct stat64 *st)
{
	return (struct stat *)(void *)st; /* one layout on this machine */
}

NAME int stat(const char *restrict path, struct stat *restrict st)
{
	return stat_at(AT_FDCWD, path, st, 0);
}
NAME int lstat(const char *restrict path, struct stat *restrict st)
{
	return stat_at(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}
NAME int fstat(int fd, struct stat *st)
{
	return stat_fd(fd, st);
}
NAME int fstatat(int dir, const char *restrict path, struct stat *restrict st, int flags)
{
	if ((flags & AT_EMPTY_PATH) && dir >= 0 && !*path)
		return stat_fd(dir, st);
	return stat_at(dir, path, st, flags);
}
NAME int stat64(const char *restrict path, struct stat64 *restrict st)
{
	return stat(path, plain(st));
}
NAME int lstat64(const char *restrict path, struct stat64 *restrict st)
{
	return lstat(path, plain(st));
}
NAME int fstat64(int fd, struct stat64 *st)
{
	return stat_fd(fd, plain(st));
}
NAME int fstatat64(int dir, const char *restrict path, struct stat64 *restrict st, int flags)
{
	return fstatat(dir, path, plain(st), flags);
}

/* glibc before 2.33. */
NAME int __xstat(int version, const char *path, struct stat *st)
{
	(void)version;
	return stat(path, st);
}
NAME int __lxstat(int version, const char *path, struct stat *st)
{
	(void)version;
	return lstat(path, st);
}
NAME int __fxstat(int version, int fd, struct stat *st)
{
	(void)version;
	return stat_fd(fd, st);
}
NAME int __fxstatat(int version, int dir, const char *path, struct stat *st, int flags)
{
	(void)version;
	return fstatat(dir, path, st, flags);
}
NAME int __xstat64(int version, const char *path, struct stat64 *st)
{
	(void)version;
	return stat(path, plain(st));
}
NAME int __lxstat64(int version, const char *path, struct stat64 *st)
{
	(void)version;
	return lstat(path, plain(st));
}
NAME int __fxstat64(int version, int fd, struct stat64 *st)
{
	(void)version;
	return stat_fd(fd, plain(st));
}
NAME int __fxstatat64(int version, int dir, const char *path, struct stat64 *st, int flags)
{
	(void)version;
	return fstatat(dir, path, plain(st), flags);
}

static int access_at(int dir, const char *path, int mode, int flags)
{
	enum file_kind kind = device_at(path);

	if (kind != FILE_OTHER && kind != FILE_AUXV)
		return mode & X_OK ? (int)answer(-EACCES) : 0;
	if (flags)
		return (int)answer(raw(SYS_faccessat2, (uint64_t)dir, ARG(path), (uint64_t)mode, (uint64_t)flags,
				       0, 0));
	return (int)answer(raw(SYS_faccessat, (uint64_t)dir, ARG(path), (uint64_t)mode, 0, 0, 0));
}

NAME int access(const char *path, int mode)
{
	return access_at(AT_FDCWD, path, mode, 0);
}

NAME int faccessat(int dir, const char *path, int mode, int flags)
{
	return access_at(dir, path, mode, flags);
}

NAME int euidaccess(const char *path, int mode)
{
	return access_at(AT_FDCWD, path, mode, AT_EACCESS);
}

NAME int eaccess(const char *path, int mode)
{
	return access_at(AT_FDCWD, path, mode, AT_EACCESS);
}
