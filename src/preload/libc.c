/*
 * The C library of the injected object's inside: what base, isa, crypto and
 * cpu call, by system calls, and nothing of the host's. The host's own functions
 * would come back to the names that this object interposes, may be another C
 * library's than the one compiled against, and may not be called where a trap
 * has interrupted them.
 *
 * These names are made local when the inside is linked (see the Makefile), so
 * that they meet neither the interposed names nor the host. Errors go to an
 * errno of the inside's own.
 */
#include "preload/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static _Thread_local int own_errno __attribute__((tls_model("initial-exec")));

int *__errno_location(void)
{
	return &own_errno;
}

static long answer(long r)
{
	if (!raw_failed(r))
		return r;
	own_errno = (int)-r;
	return -1;
}

#define ARG(x) ((uint64_t)(uintptr_t)(x))

/* ---- memory: whole pages, so that nothing is shared with anybody ---- */

#define HEADER 64 /* keeps the alignment that malloc promises, and that of a cache line */

void *malloc(size_t n)
{
	size_t all = (n + HEADER + ISA_PAGE - 1) & ~(size_t)(ISA_PAGE - 1);
	long p = all < n ? -ENOMEM :
			   raw(SYS_mmap, 0, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       (uint64_t)-1, 0);

	if (raw_failed(p))
		return NULL;
	*(size_t *)p = all;
	return (void *)(p + HEADER);
}

void *calloc(size_t n, size_t size)
{
	uint64_t all;

	return mul_u64(n, size, &all) ? malloc(all) : NULL;
}

void free(void *p)
{
	size_t *all = (size_t *)(void *)((uint8_t *)p - HEADER);

	if (p)
		raw(SYS_munmap, ARG(all), *all, 0, 0, 0, 0);
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *d = to;

	__asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	uint8_t *d = to;
	const uint8_t *s = from;

	if ((uintptr_t)to - (uintptr_t)from >= n)
		return memcpy(to, from, n);
	while (n--)
		__asm__ volatile("movb %1, %0" : "=m"(d[n]) : "q"(s[n]));
	return to;
}

void *memset(void *to, int c, size_t n)
{
	void *d = to;

	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

/* What clang makes of a memcmp whose sign nobody asks for. */
int bcmp(const void *a, const void *b, size_t n)
{
	return memcmp(a, b, n);
}

void *memchr(const void *p, int c, size_t n)
{
	const uint8_t *s = p;

	for (; n; n--, s++)
		if (*s == (uint8_t)c)
			return (void *)(uintptr_t)s;
	return NULL;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	/* The compiler would make a call of strlen of a plain loop. */
	while (*(const volatile char *)&s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (uint8_t)*a - (uint8_t)*b;
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)(uintptr_t)s;
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	for (;; s++) {
		if (*s == (char)c)
			last = s;
		if (!*s)
			return (char *)(uintptr_t)last;
	}
}

/* What the fortified variants of a static library's objects ask for. */
void *__memcpy_chk(void *to, const void *from, size_t n, size_t room);
void *__memmove_chk(void *to, const void *from, size_t n, size_t room);
void *__memset_chk(void *to, int c, size_t n, size_t room);
void __stack_chk_fail(void) __attribute__((noreturn));

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
	if (n > room)
		__builtin_trap();
	return memcpy(to, from, n);
}

void *__memmove_chk(void *to, const void *from, size_t n, size_t room)
{
	if (n > room)
		__builtin_trap();
	return memmove(to, from, n);
}

void *__memset_chk(void *to, int c, size_t n, size_t room)
{
	if (n > room)
		__builtin_trap();
	return memset(to, c, n);
}

void __stack_chk_fail(void)
{
	__builtin_trap();
}

/* ---- files ---- */

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return (int)answer(raw(SYS_openat, (uint64_t)AT_FDCWD, ARG(path), (uint64_t)flags, mode, 0, 0));
}

int close(int fd)
{
	return (int)answer(raw(SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0));
}

ssize_t read(int fd, void *p, size_t n)
{
	return answer(raw(SYS_read, (uint64_t)fd, ARG(p), n, 0, 0, 0));
}

ssize_t write(int fd, const void *p, size_t n)
{
	return answer(raw(SYS_write, (uint64_t)fd, ARG(p), n, 0, 0, 0));
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	return answer(raw(SYS_pread64, (uint64_t)fd, ARG(p), n, (uint64_t)at, 0, 0));
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
	return answer(raw(SYS_pwritev, (uint64_t)fd, ARG(v), (uint64_t)n, (uint64_t)at, 0, 0));
}

off_t lseek(int fd, off_t at, int whence)
{
	return answer(raw(SYS_lseek, (uint64_t)fd, (uint64_t)at, (uint64_t)whence, 0, 0, 0));
}

ssize_t readlink(const char *path, char *out, size_t n)
{
	return answer(raw(SYS_readlink, ARG(path), ARG(out), n, 0, 0, 0));
}

int fcntl(int fd, int op, ...)
{
	uint64_t arg;
	va_list ap;

	va_start(ap, op);
	arg = va_arg(ap, uint64_t);
	va_end(ap);
	return (int)answer(raw(SYS_fcntl, (uint64_t)fd, (uint64_t)op, arg, 0, 0, 0));
}

int ftruncate(int fd, off_t n)
{
	return (int)answer(raw(SYS_ftruncate, (uint64_t)fd, (uint64_t)n, 0, 0, 0, 0));
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
	return (int)answer(raw(SYS_fallocate, (uint64_t)fd, (uint64_t)mode, (uint64_t)at, (uint64_t)n, 0, 0));
}

int fstat(int fd, struct stat *st)
{
	return (int)answer(raw(SYS_fstat, (uint64_t)fd, ARG(st), 0, 0, 0, 0));
}

int fstatfs(int fd, struct statfs *st)
{
	return (int)answer(raw(SYS_fstatfs, (uint64_t)fd, ARG(st), 0, 0, 0, 0));
}

int memfd_create(const char *name, unsigned flags)
{
	return (int)answer(raw(SYS_memfd_create, ARG(name), flags, 0, 0, 0, 0));
}

void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	return (void *)answer(raw(SYS_mmap, ARG(at), n, (uint64_t)prot, (uint64_t)flags, (uint64_t)fd,
				  (uint64_t)offset));
}

int munmap(void *at, size_t n)
{
	return (int)answer(raw(SYS_munmap, ARG(at), n, 0, 0, 0, 0));
}

int madvise(void *at, size_t n, int advice)
{
	return (int)answer(raw(SYS_madvise, ARG(at), n, (uint64_t)advice, 0, 0, 0));
}

/* ---- processes and time ---- */

long syscall(long nr, ...)
{
	uint64_t a[6];
	va_list ap;

	va_start(ap, nr);
	for (size_t i = 0; i < ARRAY_LEN(a); i++)
		a[i] = va_arg(ap, uint64_t);
	va_end(ap);
	return answer(raw(nr, a[0], a[1], a[2], a[3], a[4], a[5]));
}

int kill(pid_t pid, int sig)
{
	return (int)answer(raw(SYS_kill, (uint64_t)pid, (uint64_t)sig, 0, 0, 0, 0));
}

int nanosleep(const struct timespec *t, struct timespec *left)
{
	return (int)answer(raw(SYS_nanosleep, ARG(t), ARG(left), 0, 0, 0, 0));
}

uint64_t clock_ns(void)
{
	struct timespec t = { 0 };

	raw(SYS_clock_gettime, CLOCK_MONOTONIC, ARG(&t), 0, 0, 0, 0);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

int sched_yield(void)
{
	return (int)answer(raw(SYS_sched_yield, 0, 0, 0, 0, 0, 0));
}

unsigned long getauxval(unsigned long type)
{
	return auxv_value(type);
}

/* Nothing here runs in threads of its own: there is one processor as far as the inside knows. */
int sched_getaffinity(pid_t pid, size_t n, cpu_set_t *set)
{
	(void)pid;
	(void)n;
	(void)set;
	own_errno = ENOSYS;
	return -1;
}

int __sched_cpucount(size_t n, const cpu_set_t *set)
{
	(void)n;
	(void)set;
	return 1;
}

int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*run)(void *), void *arg)
{
	(void)t;
	(void)a;
	(void)run;
	(void)arg;
	return EAGAIN;
}

int pthread_join(pthread_t t, void **result)
{
	(void)t;
	(void)result;
	return ESRCH;
}

/* ---- text ---- */

char *strerror(int err)
{
	/* Numbers are enough: these messages are for who debugs an emulated program. */
	static _Thread_local char text[24] __attribute__((tls_model("initial-exec")));

	snprintf(text, sizeof(text), "error %d", err);
	return text;
}

struct out {
	char *p;
	size_t n, max;
};

static void put(struct out *o, char c)
{
	if (o->n + 1 < o->max)
		o->p[o->n] = c;
	o->n++;
}

struct spec {
	bool zero, left;
	int width, precision; /* precision -1: none */
};

static void put_text(struct out *o, const char *s, const struct spec *how)
{
	size_t n = 0;

	while ((how->precision < 0 || n < (size_t)how->precision) && s[n])
		n++;
	for (int pad = how->left ? 0 : how->width - (int)n; pad > 0; pad--)
		put(o, ' ');
	for (size_t i = 0; i < n; i++)
		put(o, s[i]);
	for (int pad = how->left ? how->width - (int)n : 0; pad > 0; pad--)
		put(o, ' ');
}

static void put_number(struct out *o, uint64_t v, unsigned base, bool negative, const struct spec *how)
{
	char digits[24];
	int n = 0, pad;

	do
		digits[n++] = "0123456789abcdef"[v % base];
	while ((v /= base) != 0);
	pad = how->width - n - negative;
	for (; !how->zero && !how->left && pad > 0; pad--)
		put(o, ' ');
	if (negative)
		put(o, '-');
	for (; how->zero && pad > 0; pad--)
		put(o, '0');
	while (n)
		put(o, digits[--n]);
	for (; how->left && pad > 0; pad--)
		put(o, ' ');
}

static int digits(const char **f)
{
	int v = 0;

	while (**f >= '0' && **f <= '9')
		v = v * 10 + (*(*f)++ - '0');
	return v;
}

int vsnprintf(char *p, size_t max, const char *f, va_list ap)
{
	struct out o = { p, 0, max };

	for (; *f; f++) {
		struct spec how = { .precision = -1 };
		bool wide = false;
		int64_t v;

		if (*f != '%') {
			put(&o, *f);
			continue;
		}
		for (f++; *f == '0' || *f == '-'; f++)
			*(*f == '0' ? &how.zero : &how.left) = true;
		how.width = digits(&f);
		if (*f == '.') {
			f++;
			how.precision = *f == '*' ? (f++, va_arg(ap, int)) : digits(&f);
		}
		for (; *f == 'l' || *f == 'z' || *f == 'j'; f++)
			wide = true;
		switch (*f) {
		case 's':
			put_text(&o, va_arg(ap, const char *), &how);
			break;
		case 'c':
			put(&o, (char)va_arg(ap, int));
			break;
		case 'd':
			v = wide ? va_arg(ap, int64_t) : va_arg(ap, int);
			put_number(&o, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0, &how);
			break;
		case 'u':
		case 'x':
			put_number(&o, wide ? va_arg(ap, uint64_t) : va_arg(ap, unsigned),
				   *f == 'x' ? 16 : 10, false, &how);
			break;
		default:
			put(&o, *f);
			break;
		}
	}
	if (max)
		p[o.n < max ? o.n : max - 1] = '\0';
	return (int)o.n;
}

int snprintf(char *p, size_t max, const char *f, ...)
{
	va_list ap;
	int n;

	va_start(ap, f);
	n = vsnprintf(p, max, f, ap);
	va_end(ap);
	return n;
}
