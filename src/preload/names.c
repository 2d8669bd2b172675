/*
 * The C library's names through which programs reach an SGX device, taken
 * over. What is not about an emulated one goes on to the definition that the
 * program would have had, found by dlsym, or to the kernel where there is none
 * (yet): with the same result, for one comparison more.
 *
 * This file is compiled against one C library and runs in another: it uses
 * nothing whose layout differs (struct stat is the kernel's in glibc and musl),
 * and refers to no versioned symbol.
 */
#include "preload/preload.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define NAME __attribute__((visibility("default")))

#define NEXT_OBJECT ((void *)-1l) /* RTLD_NEXT */
extern void *dlsym(void *, const char *) __attribute__((weak));
extern const char *gnu_get_libc_version(void) __attribute__((weak));
extern int dl_iterate_phdr(int (*)(struct dl_phdr_info *, size_t, void *), void *) __attribute__((weak));
extern uint64_t cpu_libc_signals;

/* Not all of them are declared by every C library. */
struct stat64;
NAME int open64(const char *path, int flags, ...);
NAME int openat64(int dir, const char *path, int flags, ...);
NAME int __open_2(const char *path, int flags);
NAME int __open64_2(const char *path, int flags);
NAME int __openat_2(int dir, const char *path, int flags);
NAME int __openat64_2(int dir, const char *path, int flags);
NAME int fcntl64(int fd, int op, ...);
NAME void *mmap64(void *at, size_t n, int prot, int flags, int fd, off_t offset);
NAME ssize_t pread64(int fd, void *p, size_t n, off_t at);
NAME ssize_t pwrite64(int fd, const void *p, size_t n, off_t at);
NAME int close_range(unsigned first, unsigned last, int flags);
NAME void closefrom(int first);
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

/* ---- what comes behind us ---- */

#define BEHIND(X)                                                                                  \
	X(open) X(openat) X(close) X(fcntl) X(ioctl) X(mmap) X(munmap) X(mprotect) X(dup) X(dup2)  \
	X(dup3) X(fork) X(getauxval) X(read) X(write) X(pread) X(pwrite) X(recvmsg) X(recvmmsg)

static struct {
#define MEMBER(name) __typeof__(name) *name;
	BEHIND(MEMBER)
#undef MEMBER
} next;

static void look_behind(void)
{
	if (!dlsym)
		return;
#define FIND(name) *(void **)(void *)&next.name = dlsym(NEXT_OBJECT, #name);
	BEHIND(FIND)
#undef FIND
}

static int rewrite_one(struct dl_phdr_info *info, size_t size, void *own)
{
	(void)size;
	/* Not this object: it asks the real CPU. */
	if (info->dlpi_addr != *(const ElfW(Addr) *)own)
		rewrite_object(info->dlpi_name, info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum);
	return 0;
}

extern const char __ehdr_start[] __attribute__((visibility("hidden")));

__attribute__((constructor)) static void begin(void)
{
	preload_start();
	/* Signals that the C library keeps for itself: glibc two, musl three. */
	cpu_libc_signals = (gnu_get_libc_version ? UINT64_C(3) : UINT64_C(7)) << 31;
	look_behind();
	if (preload_rewrites() && dl_iterate_phdr) {
		ElfW(Addr) own = (ElfW(Addr))__ehdr_start;

		dl_iterate_phdr(rewrite_one, &own);
	}
	preload_cpuid();
}

static long answer(long r)
{
	if (!raw_failed(r))
		return r;
	errno = (int)-r;
	return -1;
}

#define ARG(x) ((uint64_t)(uintptr_t)(x))

/* ---- opening ---- */

static enum file_kind device_at(int dir, const char *path)
{
	enum file_kind kind;

	(void)dir; /* an absolute path, or none of ours */
	preload_start();
	kind = file_of_path(path);
	return kind;
}

static int open_at(int dir, const char *path, int flags, mode_t mode)
{
	enum file_kind kind = device_at(dir, path);

	if (kind != FILE_OTHER)
		return (int)answer((flags & O_CREAT) && (flags & O_EXCL) ? -EEXIST : file_open(kind, flags));
	if (dir == AT_FDCWD && next.open)
		return next.open(path, flags, mode);
	if (next.openat)
		return next.openat(dir, path, flags, mode);
	return (int)answer(raw(SYS_openat, (uint64_t)dir, ARG(path), (uint64_t)flags, mode, 0, 0));
}

/* The mode is there only if a file may be made. */
#define MODE_ARGUMENT(flags, mode)                                                                 \
	do {                                                                                       \
		if ((flags) & (O_CREAT | O_TMPFILE)) {                                             \
			va_list ap;                                                                \
			va_start(ap, flags);                                                       \
			(mode) = va_arg(ap, mode_t);                                               \
			va_end(ap);                                                                \
		}                                                                                  \
	} while (0)

NAME int open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE_ARGUMENT(flags, mode);
	return open_at(AT_FDCWD, path, flags, mode);
}

NAME int open64(const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE_ARGUMENT(flags, mode);
	return open_at(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

NAME int openat(int dir, const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE_ARGUMENT(flags, mode);
	return open_at(dir, path, flags, mode);
}

NAME int openat64(int dir, const char *path, int flags, ...)
{
	mode_t mode = 0;

	MODE_ARGUMENT(flags, mode);
	return open_at(dir, path, flags | O_LARGEFILE, mode);
}

NAME int __open_2(const char *path, int flags)
{
	return open_at(AT_FDCWD, path, flags, 0);
}

NAME int __open64_2(const char *path, int flags)
{
	return open_at(AT_FDCWD, path, flags | O_LARGEFILE, 0);
}

NAME int __openat_2(int dir, const char *path, int flags)
{
	return open_at(dir, path, flags, 0);
}

NAME int __openat64_2(int dir, const char *path, int flags)
{
	return open_at(dir, path, flags | O_LARGEFILE, 0);
}

/* ---- descriptors ---- */

NAME int close(int fd)
{
	if (file_is_hidden(fd))
		return (int)answer(-EBADF);
	file_closing(fd);
	return next.close ? next.close(fd) : (int)answer(raw(SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0));
}

/* A range without those that the program does not know of. */
static long close_spans(unsigned first, unsigned last, int flags)
{
	long r = 0;

	if (first > last)
		return -EINVAL;
	if (!(flags & 4 /* CLOSE_RANGE_CLOEXEC */))
		file_closing_range(first, last);
	for (unsigned from = first;; from++) {
		unsigned to = file_next_hidden(from);

		if (to > last || to < from) {
			return raw(SYS_close_range, from, last, (uint64_t)flags, 0, 0, 0);
		}
		if (to > from)
			r = raw(SYS_close_range, from, to - 1, (uint64_t)flags, 0, 0, 0);
		if (r || to == last)
			return r;
		from = to;
	}
}

NAME int close_range(unsigned first, unsigned last, int flags)
{
	return (int)answer(close_spans(first, last, flags));
}

NAME void closefrom(int first)
{
	if (close_spans(first < 0 ? 0 : (unsigned)first, ~0u, 0) == -ENOSYS)
		for (int fd = first < 0 ? 0 : first; fd < 65536; fd++)
			close(fd);
}

static int copied(int from, int to)
{
	if (to >= 0)
		file_copied(from, to);
	return to;
}

NAME int dup(int fd)
{
	return copied(fd, next.dup ? next.dup(fd) : (int)answer(raw(SYS_dup, (uint64_t)fd, 0, 0, 0, 0, 0)));
}

/* The devices have neither read nor write; the memory files behind them have. */
static bool is_device(int fd)
{
	return file_is_known(fd) && file_kind_of(fd) != FILE_OTHER;
}

NAME ssize_t read(int fd, void *p, size_t n)
{
	if (is_device(fd))
		return answer(-EINVAL);
	return next.read ? next.read(fd, p, n) : answer(raw(SYS_read, (uint64_t)fd, ARG(p), n, 0, 0, 0));
}

NAME ssize_t write(int fd, const void *p, size_t n)
{
	if (is_device(fd))
		return answer(-EINVAL);
	return next.write ? next.write(fd, p, n) : answer(raw(SYS_write, (uint64_t)fd, ARG(p), n, 0, 0, 0));
}

NAME ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	if (is_device(fd))
		return answer(-EINVAL);
	return next.pread ? next.pread(fd, p, n, at) :
			    answer(raw(SYS_pread64, (uint64_t)fd, ARG(p), n, (uint64_t)at, 0, 0));
}

NAME ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (is_device(fd))
		return answer(-EINVAL);
	return next.pwrite ? next.pwrite(fd, p, n, at) :
			     answer(raw(SYS_pwrite64, (uint64_t)fd, ARG(p), n, (uint64_t)at, 0, 0));
}

NAME ssize_t pread64(int fd, void *p, size_t n, off_t at)
{
	return pread(fd, p, n, at);
}

NAME ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
	return pwrite(fd, p, n, at);
}

/* Something is about to be put in the place of a descriptor. */
static void replacing(int from, int to)
{
	if (from == to)
		return;
	if (file_is_hidden(to))
		file_move_hidden(to);
	file_closing(to);
}

NAME int dup2(int from, int to)
{
	replacing(from, to);
	return copied(from, next.dup2 ? next.dup2(from, to) :
					(int)answer(raw(SYS_dup2, (uint64_t)from, (uint64_t)to, 0, 0, 0, 0)));
}

NAME int dup3(int from, int to, int flags)
{
	replacing(from, to);
	return copied(from, next.dup3 ? next.dup3(from, to, flags) :
					(int)answer(raw(SYS_dup3, (uint64_t)from, (uint64_t)to,
							(uint64_t)flags, 0, 0, 0)));
}

static int control(int fd, int op, void *arg)
{
	int r = next.fcntl ? next.fcntl(fd, op, arg) :
			     (int)answer(raw(SYS_fcntl, (uint64_t)fd, (uint64_t)op, ARG(arg), 0, 0, 0));

	return op == F_DUPFD || op == F_DUPFD_CLOEXEC ? copied(fd, r) : r;
}

#define POINTER_ARGUMENT(last, p)                                                                  \
	do {                                                                                       \
		va_list ap;                                                                        \
		va_start(ap, last);                                                                \
		(p) = va_arg(ap, void *);                                                          \
		va_end(ap);                                                                        \
	} while (0)

NAME int fcntl(int fd, int op, ...)
{
	void *arg;

	POINTER_ARGUMENT(op, arg);
	return control(fd, op, arg);
}

NAME int fcntl64(int fd, int op, ...)
{
	void *arg;

	POINTER_ARGUMENT(op, arg);
	return control(fd, op, arg);
}

NAME int ioctl(int fd, unsigned long request, ...)
{
	void *arg;

	POINTER_ARGUMENT(request, arg);
	if (DRIVER_MAGIC(request) == 0xa4) {
		bool ours = false;
		long r = file_ioctl(fd, (uint32_t)request, ARG(arg), &ours);

		if (ours)
			return (int)answer(r);
	}
	return next.ioctl ? next.ioctl(fd, request, arg) :
			    (int)answer(raw(SYS_ioctl, (uint64_t)fd, request, ARG(arg), 0, 0, 0));
}

/* Descriptors in a message: some may be enclaves'. */
static void came(const struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)m, c)) {
		const unsigned char *p = CMSG_DATA(c);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); n; n--, p += sizeof(int)) {
			int fd;

			memcpy(&fd, p, sizeof(fd));
			file_came(fd);
		}
	}
}

NAME ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	ssize_t r = next.recvmsg ? next.recvmsg(fd, m, flags) :
				   answer(raw(SYS_recvmsg, (uint64_t)fd, ARG(m), (uint64_t)(unsigned)flags, 0, 0, 0));

	if (r >= 0 && m->msg_controllen)
		came(m);
	return r;
}

NAME int recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *timeout)
{
	int r = next.recvmmsg ? next.recvmmsg(fd, m, n, flags, timeout) :
				(int)answer(raw(SYS_recvmmsg, (uint64_t)fd, ARG(m), n, (uint64_t)(unsigned)flags,
						ARG(timeout), 0));

	for (int i = 0; i < r; i++)
		if (m[i].msg_hdr.msg_controllen)
			came(&m[i].msg_hdr);
	return r;
}

/* A child has the locks as they are: not in the middle of something. */
NAME pid_t fork(void)
{
	uint64_t mask = lock_take(&files_lock);
	pid_t r = next.fork ? next.fork() : (pid_t)answer(raw(SYS_fork, 0, 0, 0, 0, 0, 0));
	int saved = errno;

	lock_give(&files_lock, mask);
	errno = saved;
	return r;
}

/* ---- memory ---- */

NAME void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	if (file_is_known(fd) && !(flags & MAP_ANONYMOUS)) {
		enum file_kind kind;
		long r;
		struct enclave *e = enclave_get(fd, &kind, &r);

		if (kind != FILE_OTHER) {
			if (e) {
				r = maps_mmap(e, ARG(at), n, prot, flags, (uint64_t)offset);
				enclave_put(e);
			} else if (kind == FILE_ISGX) {
				r = maps_mmap_isgx(ARG(at), n, prot, flags);
			} else if (!r) {
				r = -ENODEV; /* the provision device has no memory */
			}
			return (void *)answer(r);
		}
	}
	if ((flags & MAP_FIXED) && maps_may_touch(ARG(at), n))
		maps_forget(ARG(at), n);
	return next.mmap ? next.mmap(at, n, prot, flags, fd, offset) :
			   (void *)answer(raw(SYS_mmap, ARG(at), n, (uint64_t)prot, (uint64_t)flags,
					      (uint64_t)fd, (uint64_t)offset));
}

NAME void *mmap64(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	return mmap(at, n, prot, flags, fd, offset);
}

NAME int munmap(void *at, size_t n)
{
	if (maps_may_touch(ARG(at), n))
		maps_forget(ARG(at), n);
	return next.munmap ? next.munmap(at, n) : (int)answer(raw(SYS_munmap, ARG(at), n, 0, 0, 0, 0));
}

NAME int mprotect(void *at, size_t n, int prot)
{
	long r;

	if (maps_may_touch(ARG(at), n) && maps_mprotect(ARG(at), n, prot, &r))
		return (int)answer(r);
	return next.mprotect ? next.mprotect(at, n, prot) :
			       (int)answer(raw(SYS_mprotect, ARG(at), n, (uint64_t)prot, 0, 0, 0));
}

/* ---- what kind of file it is ---- */

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
	enum file_kind kind = device_at(dir, path);

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
	enum file_kind kind = device_at(dir, path);

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

/* ---- the entry function ---- */

NAME unsigned long getauxval(unsigned long type)
{
	preload_start();
	if (next.getauxval && type != AT_SYSINFO_EHDR)
		return next.getauxval(type);
	return auxv_value(type);
}

/* A weak reference to this name is how some programs look for it: the same function as the vDSO's. */
__asm__(".globl __vdso_sgx_enter_enclave\n"
	".type __vdso_sgx_enter_enclave, @function\n"
	".p2align 4\n"
	"__vdso_sgx_enter_enclave:\n"
	"	jmp cpu_enter_enclave\n"
	".size __vdso_sgx_enter_enclave, . - __vdso_sgx_enter_enclave\n");
