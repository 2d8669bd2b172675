/*
 * Which descriptors are emulated devices. An enclave's is the memory file of
 * its EPC, from open() on, so it travels by fork, exec and SCM_RIGHTS as a real
 * one does; one that came from elsewhere is known by what is in it. The table
 * of descriptors tells which may be ours at all, so that calls on others are
 * quick, and when the last one of this process is closed.
 */
#include "preload/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

#define EPC_MAGIC "BAWNEPC\n"
#define PROVISION_MAGIC "BAWNPRV\n"
#define ISGX_MAGIC "BAWNISG\n"
#define MAGIC_SIZE 8
#define TRACKED 65536 /* descriptors; higher ones are looked at each time, and not missed when closed */
#define HIDDEN_FROM 512 /* where descriptors of our own are put */

struct enclave *enclaves;
struct lock files_lock;

static struct enclave *of_fd[TRACKED]; /* under files_lock */
static uint8_t known[TRACKED / 8];     /* of_fd is not NULL, or it is a device: read without it */
static uint8_t hidden[TRACKED / 8];
static uint32_t tracked_end;           /* one past the highest ever */

/* ---- devices by name ---- */

static bool same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

enum file_kind file_of_path(const char *path)
{
	if (!settings.on)
		return FILE_OTHER;
	if (same(path, "/proc/self/auxv"))
		return FILE_AUXV;
	if (settings.isgx)
		return same(path, "/dev/isgx") ? FILE_ISGX : FILE_OTHER;
	if (same(path, "/dev/sgx_enclave") || same(path, "/dev/sgx/enclave"))
		return FILE_ENCLAVE;
	if (same(path, "/dev/sgx_provision") || same(path, "/dev/sgx/provision"))
		return FILE_PROVISION;
	return FILE_OTHER;
}

/* ---- the table of descriptors; under files_lock ---- */

static void set_bit(uint8_t *map, int fd, bool on)
{
	uint8_t bit = (uint8_t)(1u << fd % 8);

	if (on)
		__atomic_fetch_or(&map[fd / 8], bit, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&map[fd / 8], (uint8_t)~bit, __ATOMIC_RELAXED);
}

static bool bit_of(const uint8_t *map, int fd)
{
	return fd >= 0 && fd < TRACKED && __atomic_load_n(&map[fd / 8], __ATOMIC_RELAXED) >> fd % 8 & 1;
}

bool file_is_known(int fd)
{
	return fd >= TRACKED || bit_of(known, fd);
}

bool file_is_hidden(int fd)
{
	if (!bit_of(hidden, fd))
		return false;
	if (file_kind_of(fd) == FILE_ENCLAVE)
		return true;
	/* It was closed behind our back, and the number is another file's by now. */
	set_bit(hidden, fd, false);
	return false;
}

/* Let fd stand for e, or for nothing; the enclave that goes by this, to be freed, or NULL. */
static struct enclave *track(int fd, struct enclave *e)
{
	struct enclave *before;

	if (fd < 0 || fd >= TRACKED || of_fd[fd] == e)
		return NULL;
	before = of_fd[fd];
	of_fd[fd] = e;
	set_bit(known, fd, e != NULL);
	if (e) {
		e->uses++;
		if ((uint32_t)fd >= tracked_end)
			tracked_end = (uint32_t)fd + 1;
	}
	return before ? enclave_unuse(before) : NULL;
}

struct enclave *enclave_unuse(struct enclave *e)
{
	struct enclave **p = &enclaves;

	if (--e->uses)
		return NULL;
	while (*p && *p != e)
		p = &(*p)->next;
	if (*p)
		*p = e->next;
	return e;
}

void enclave_free(struct enclave *e)
{
	uint64_t mask;
	int fd;

	if (!e)
		return;
	fd = e->epc->fd;
	pool_drop(e->hold);
	mask = lock_take(&files_lock);
	debug_hide(e->epc);
	lock_give(&files_lock, mask);
	cpu_elrange_unmap(e->epc);
	if (fd >= 0 && fd < TRACKED)
		set_bit(hidden, fd, false);
	cpu_epc_free(&e->epc);
	free(e);
}

void enclave_put(struct enclave *e)
{
	uint64_t mask = lock_take(&files_lock);
	struct enclave *gone = enclave_unuse(e);

	lock_give(&files_lock, mask);
	enclave_free(gone);
}

/* ---- recognising ---- */

static uint32_t own_pid(void)
{
	return (uint32_t)raw(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

/* After fork the enclave is held by the child as well. */
static void claim(struct enclave *e)
{
	uint32_t pid = own_pid();

	if (e->pid == pid)
		return;
	e->pid = pid;
	e->hold = pool_hold(e->inode, cpu_epc_pages(e->epc));
	e->epc->charge_arg = e->hold;
	e->epc->charge = e->hold ? pool_charge : NULL;
}

/* Ours would be in the way of a program that numbers its descriptors. */
static void hide_fd(struct cpu_epc *epc)
{
	long fd = raw(SYS_fcntl, (uint64_t)epc->fd, F_DUPFD_CLOEXEC, HIDDEN_FROM, 0, 0, 0);

	if (!raw_failed(fd)) {
		raw(SYS_close, (uint64_t)epc->fd, 0, 0, 0, 0, 0);
		epc->fd = (int)fd;
	}
	if (epc->fd < TRACKED)
		set_bit(hidden, epc->fd, true);
}

static struct enclave *enclave_new(struct cpu_epc *epc, uint64_t inode)
{
	struct enclave *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->epc = epc;
	e->inode = inode;
	e->uses = 1; /* the caller's */
	hide_fd(epc);
	claim(e);
	return e;
}

/* A memory file: nothing else has no name. */
static bool could_be_ours(int fd, struct stat *st)
{
	return raw(SYS_fstat, (uint64_t)fd, (uintptr_t)st, 0, 0, 0, 0) == 0 && S_ISREG(st->st_mode) &&
	       st->st_nlink == 0 && st->st_size >= (off_t)ISA_PAGE;
}

static enum file_kind kind_of(int fd, struct stat *st)
{
	uint8_t magic[MAGIC_SIZE];

	if (!settings.on || !could_be_ours(fd, st) ||
	    raw(SYS_pread64, (uint64_t)fd, (uintptr_t)magic, sizeof(magic), 0, 0, 0) != sizeof(magic))
		return FILE_OTHER;
	if (memcmp(magic, EPC_MAGIC, sizeof(magic)) == 0)
		return FILE_ENCLAVE;
	if (memcmp(magic, PROVISION_MAGIC, sizeof(magic)) == 0)
		return FILE_PROVISION;
	return memcmp(magic, ISGX_MAGIC, sizeof(magic)) == 0 ? FILE_ISGX : FILE_OTHER;
}

enum file_kind file_kind_of(int fd)
{
	struct stat st;

	return kind_of(fd, &st);
}

static struct enclave *find(uint64_t inode)
{
	struct enclave *e = enclaves;

	while (e && e->inode != inode)
		e = e->next;
	return e;
}

/* An enclave that another process made. */
static struct enclave *attach(int fd, uint64_t inode, long *error)
{
	const struct cpu_platform *p = settings_platform();
	struct bawn_error e = { 0 };
	struct enclave *en = NULL;
	struct cpu_epc *epc;

	*error = preload_engine();
	if (*error)
		return NULL;
	if (!p || cpu_epc_attach(&epc, fd, p, &e) != 0) {
		if (p)
			preload_say(e.msg);
		*error = -EACCES;
		return NULL;
	}
	en = enclave_new(epc, inode);
	if (!en) {
		cpu_epc_free(&epc);
		*error = -ENOMEM;
	}
	return en;
}

/* The new enclave into the list, unless another thread was first; a use of whichever is there. */
static struct enclave *enlist(struct enclave *made, int fd)
{
	uint64_t mask = lock_take(&files_lock);
	struct enclave *e = find(made->inode), *gone;

	if (e) {
		e->uses++;
	} else {
		e = made;
		made->next = enclaves;
		enclaves = made;
	}
	gone = track(fd, e);
	lock_give(&files_lock, mask);
	enclave_free(gone);
	if (e != made)
		enclave_free(made);
	return e;
}

struct enclave *enclave_get(int fd, enum file_kind *kind, long *error)
{
	struct enclave *e, *gone = NULL;
	struct stat st;
	uint64_t mask;

	*error = 0;
	*kind = kind_of(fd, &st);
	if (*kind != FILE_ENCLAVE)
		return NULL;
	mask = lock_take(&files_lock);
	e = find(st.st_ino);
	if (e) {
		e->uses++;
		gone = track(fd, e);
		claim(e);
	}
	lock_give(&files_lock, mask);
	enclave_free(gone);
	if (e)
		return e;
	e = attach(fd, st.st_ino, error);
	return e ? enlist(e, fd) : NULL;
}

void file_came(int fd)
{
	if (fd >= 0 && fd < TRACKED && file_kind_of(fd) != FILE_OTHER)
		set_bit(known, fd, true);
}

/* struct linux_dirent64 */
struct entry {
	uint64_t inode, offset;
	uint16_t length;
	uint8_t type;
	char name[];
} __attribute__((packed));

void file_look_at_all(void)
{
	uint8_t text[2048] __attribute__((aligned(8)));
	int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long n;

	while (dir >= 0 && (n = raw(SYS_getdents64, (uint64_t)dir, (uintptr_t)text, sizeof(text), 0, 0, 0)) > 0)
		for (long at = 0; at < n;) {
			const struct entry *e = (const void *)(text + at);
			int fd = 0;

			for (const char *p = e->name; *p >= '0' && *p <= '9' && fd < TRACKED; p++)
				fd = fd * 10 + (*p - '0');
			if (e->name[0] != '.' && fd != dir)
				file_came(fd);
			at += e->length;
		}
	if (dir >= 0)
		close(dir);
}

/* ---- opening ---- */

/* Descriptors that were closed without a call of ours. */
static void sweep(void)
{
	struct enclave *gone[16];
	size_t n = 0;
	uint64_t mask = lock_take(&files_lock);

	for (uint32_t fd = 0; fd < tracked_end && n < ARRAY_LEN(gone); fd++) {
		struct stat st;

		if (!of_fd[fd] || (could_be_ours((int)fd, &st) && st.st_ino == of_fd[fd]->inode))
			continue;
		gone[n] = track((int)fd, NULL);
		n += gone[n] != NULL;
	}
	lock_give(&files_lock, mask);
	while (n)
		enclave_free(gone[--n]);
}

struct enclave *enclave_make(long *error)
{
	const struct cpu_platform *p = settings_platform();
	struct bawn_error err = { 0 };
	struct enclave *e = NULL;
	struct cpu_epc *epc;
	struct stat st;

	*error = p ? -ENOMEM : -EACCES;
	if (!p)
		return NULL;
	sweep();
	if (cpu_epc_new(&epc, p, &err) != 0)
		return NULL;
	if (fstat(epc->fd, &st) == 0)
		e = enclave_new(epc, st.st_ino);
	if (!e)
		cpu_epc_free(&epc);
	return e ? enlist(e, -1) : NULL;
}

static long open_enclave(int flags)
{
	struct enclave *e, *gone;
	uint64_t mask;
	long fd;

	e = enclave_make(&fd);
	if (!e)
		return fd;
	fd = raw(SYS_fcntl, (uint64_t)e->epc->fd, flags & O_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0, 0, 0, 0);
	if (!raw_failed(fd)) {
		mask = lock_take(&files_lock);
		gone = track((int)fd, e);
		lock_give(&files_lock, mask);
		enclave_free(gone);
	}
	enclave_put(e);
	return fd;
}

static long open_marker(const char *magic, const char *name, int flags)
{
	uint32_t want = (flags & O_CLOEXEC ? MFD_CLOEXEC : 0) | MFD_ALLOW_SEALING;
	long fd = raw(SYS_memfd_create, (uintptr_t)name, want | MFD_NOEXEC_SEAL, 0, 0, 0, 0);

	if (fd == -EINVAL)
		fd = raw(SYS_memfd_create, (uintptr_t)name, want, 0, 0, 0, 0);
	if (raw_failed(fd))
		return fd;
	raw(SYS_ftruncate, (uint64_t)fd, ISA_PAGE, 0, 0, 0, 0);
	raw(SYS_pwrite64, (uint64_t)fd, (uintptr_t)magic, MAGIC_SIZE, 0, 0, 0);
	raw(SYS_fcntl, (uint64_t)fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL, 0, 0, 0);
	file_came((int)fd);
	return fd;
}

/* What /proc/self/auxv would be if the kernel knew. */
static long open_auxv(int flags)
{
	long fd = raw(SYS_memfd_create, (uintptr_t)"auxv", flags & O_CLOEXEC ? MFD_CLOEXEC : 0, 0, 0, 0, 0);
	size_t n;
	const void *all = auxv_all(&n);

	if (!raw_failed(fd))
		raw(SYS_pwrite64, (uint64_t)fd, (uintptr_t)all, n, 0, 0, 0);
	return fd;
}

long file_open(enum file_kind kind, int flags)
{
	long r;

	if (kind == FILE_AUXV)
		return open_auxv(flags);
	r = preload_engine();
	if (r)
		return r;
	if (kind == FILE_PROVISION)
		return open_marker(PROVISION_MAGIC, "bawn-provision", flags);
	if (kind == FILE_ISGX)
		return open_marker(ISGX_MAGIC, "bawn-isgx", flags);
	return open_enclave(flags);
}

/* ---- what happens to descriptors ---- */

void file_copied(int from, int to)
{
	struct enclave *e, *gone = NULL;
	uint64_t mask;

	if (!file_is_known(from) || to < 0)
		return;
	mask = lock_take(&files_lock);
	e = from < TRACKED ? of_fd[from] : NULL;
	if (e)
		gone = track(to, e);
	lock_give(&files_lock, mask);
	enclave_free(gone);
	if (!e)
		file_came(to);
}

void file_closing(int fd)
{
	struct enclave *gone = NULL;
	uint64_t mask;

	if (!bit_of(known, fd))
		return;
	mask = lock_take(&files_lock);
	/* A child of vfork has this memory, but descriptors of its own. */
	if (of_fd[fd] && of_fd[fd]->pid == own_pid())
		gone = track(fd, NULL);
	else if (!of_fd[fd])
		set_bit(known, fd, false);
	lock_give(&files_lock, mask);
	enclave_free(gone);
}

void file_closing_range(unsigned first, unsigned last)
{
	for (unsigned fd = first; fd <= last && fd < tracked_end; fd++)
		file_closing((int)fd);
}

unsigned file_next_hidden(unsigned from)
{
	for (; from < TRACKED; from++)
		if (bit_of(hidden, (int)from))
			return from;
	return ~0u;
}

void file_move_hidden(int fd)
{
	uint64_t mask = lock_take(&files_lock);

	for (struct enclave *e = enclaves; e; e = e->next)
		if (e->epc->fd == fd) {
			hide_fd(e->epc);
			set_bit(hidden, fd, e->epc->fd == fd);
		}
	lock_give(&files_lock, mask);
}

/* ---- requests ---- */

static bool is_provision(int fd)
{
	return file_kind_of(fd) == FILE_PROVISION;
}

void enclave_created(struct enclave *e)
{
	uint64_t mask = lock_take(&files_lock);

	maps_created(e);
	lock_give(&files_lock, mask);
}

long file_ioctl(int fd, uint32_t request, uint64_t arg, bool *ours)
{
	enum file_kind kind;
	struct enclave *e;
	long r;

	e = enclave_get(fd, &kind, &r);
	*ours = kind != FILE_OTHER;
	if (kind == FILE_ISGX)
		return isgx_ioctl(request, arg);
	if (!e)
		return kind == FILE_PROVISION ? -ENOTTY : r;
	r = driver_ioctl(e->epc, request, arg, is_provision);
	if (r == 0 && request == DRIVER_CREATE)
		enclave_created(e);
	enclave_put(e);
	return r;
}
