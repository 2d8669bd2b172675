/*
 * The C library's names through which programs reach an SGX device, taken
 * over: this file has paths and memory, names_fd.c descriptors, names_stat.c
 * what kind of file something is. What is not about an emulated one goes on to
 * the definition that the program would have had, found by dlsym, or to the kernel
 * where there is none (yet): with the same result, for a comparison more.
 */
#include "preload/names.h"

#include <elf.h>
#include <link.h>

#define NEXT_OBJECT ((void *)-1l) /* RTLD_NEXT */
extern void *dlsym(void *, const char *) __attribute__((weak));
extern const char *gnu_get_libc_version(void) __attribute__((weak));
extern int dl_iterate_phdr(int (*)(struct dl_phdr_info *, size_t, void *), void *) __attribute__((weak));
/* Of these each C library has one. */
extern int __register_atfork(void (*)(void), void (*)(void), void (*)(void), void *)
	__attribute__((weak));
extern int pthread_atfork(void (*)(void), void (*)(void), void (*)(void)) __attribute__((weak));
extern uint64_t cpu_libc_signals;

/* Not all of them are declared by every C library. */
NAME int __open_2(const char *path, int flags);
NAME int __open64_2(const char *path, int flags);
NAME int __openat_2(int dir, const char *path, int flags);
NAME int __openat64_2(int dir, const char *path, int flags);
NAME void *mmap64(void *at, size_t n, int prot, int flags, int fd, off_t offset);

struct names_next next;

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
	/* First of all, and so called last before a fork, and first after it. */
	if (__register_atfork)
		__register_atfork(preload_before_fork, preload_after_fork, preload_after_fork, NULL);
	else if (pthread_atfork)
		pthread_atfork(preload_before_fork, preload_after_fork, preload_after_fork);
	/* Signals that the C library keeps for itself: glibc two, musl three. */
	cpu_libc_signals = (gnu_get_libc_version ? UINT64_C(3) : UINT64_C(7)) << 31;
	look_behind();
	if (preload_rewrites() && dl_iterate_phdr) {
		ElfW(Addr) own = (ElfW(Addr))__ehdr_start;

		dl_iterate_phdr(rewrite_one, &own);
	}
	preload_cpuid();
}

/* ---- opening ---- */

static int open_at(int dir, const char *path, int flags, mode_t mode)
{
	enum file_kind kind = device_at(path);

	if (kind != FILE_OTHER)
		return (int)answer((flags & O_CREAT) && (flags & O_EXCL) ? -EEXIST : file_open(kind, flags));
	if (dir == AT_FDCWD && next.open)
		return next.open(path, flags, mode);
	if (next.openat)
		return next.openat(dir, path, flags, mode);
	return (int)answer(raw(SYS_openat, (uint64_t)dir, ARG(path), (uint64_t)flags, mode, 0, 0));
}

/*
 * With fixed parameters: an argument behind "..." comes in the register of a
 * third or fourth parameter (psABI 3.5.7), and no list has to be walked for it.
 * Where there is none it is junk, which the kernel does not look at either.
 */
NAME int open_any(const char *path, int flags, mode_t mode) __asm__("open");
NAME int open_any64(const char *path, int flags, mode_t mode) __asm__("open64");
NAME int openat_any(int dir, const char *path, int flags, mode_t mode) __asm__("openat");
NAME int openat_any64(int dir, const char *path, int flags, mode_t mode) __asm__("openat64");

int open_any(const char *path, int flags, mode_t mode)
{
	return open_at(AT_FDCWD, path, flags, mode);
}

int open_any64(const char *path, int flags, mode_t mode)
{
	return open_at(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int openat_any(int dir, const char *path, int flags, mode_t mode)
{
	return open_at(dir, path, flags, mode);
}

int openat_any64(int dir, const char *path, int flags, mode_t mode)
{
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
