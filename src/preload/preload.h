/*
 * preload: what `bawn emulate` injects into a program so that it finds an SGX
 * machine. Three layers, the upper ones knowing the lower:
 *
 *   names*.c                the C library's names, interposed
 *   files.c, maps.c         which descriptors and mappings are emulated ones
 *   driver*.c, isgx.c       what the Linux drivers do, on an emulated EPC
 *
 * and beside them pool.c (how much EPC there is, over all processes), auxv.c
 * and vdso.c (how programs find the entry function), settings.c, start.c.
 *
 * All but names*.c (and the CPU's signal_names.c) is linked with a small C
 * library of its own (libc.c) and calls nothing of the host's: a front end that
 * catches system calls instead of names would use the same lower layers.
 * Functions of them answer as system calls do: a result, or -errno.
 */
#ifndef BAWN_PRELOAD_H
#define BAWN_PRELOAD_H

#include "cpu/cpu.h"

/* ---- system calls, by a shorter name ---- */

static inline long raw(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	return cpu_syscall6(nr, a, b, c, d, e, f);
}
static inline bool raw_failed(long ret)
{
	return cpu_syscall_failed(ret);
}

/* ---- locks: held with all signals blocked, never across a wait ---- */

struct lock {
	uint32_t held;
};
uint64_t lock_take(struct lock *l);
void lock_give(struct lock *l, uint64_t mask);

/* ---- settings.c ---- */

#define SETTINGS_VARIABLE "BAWN_EMULATE" /* what `bawn emulate` passes on, see settings.c */

struct settings {
	bool on;             /* there are any: else everything passes through */
	char platform[4096]; /* directory */
	uint64_t epc_size;   /* 0: the platform's */
	bool sgx1, strict, isgx, locked;
};
extern struct settings settings;
extern struct lock settings_lock;
void settings_read(void);
/* The platform with the settings applied; NULL if it cannot be loaded, after saying why once. */
const struct cpu_platform *settings_platform(void);

/* ---- auxv.c: what the kernel told this program ---- */

unsigned long auxv_value(unsigned long type);
/* Change an entry, in place. */
void auxv_change(unsigned long type, unsigned long value);
/* The whole vector as changed; its size in bytes. */
const void *auxv_all(size_t *n);
/* The value of a variable in the environment that the program was started with, or NULL. */
const char *auxv_environment(const char *name);

/* ---- vdso.c ---- */

/* An image with the real one's functions and __vdso_sgx_enter_enclave; NULL without memory. */
void *vdso_make(const void *real);

/* ---- cpuid.c ---- */

/* What CPUID answered, as the emulated machine answers. r: EAX, EBX, ECX, EDX. */
void cpuid_filter(uint32_t leaf, uint32_t subleaf, uint32_t r[4]);
__attribute__((visibility("default"))) void bawn_emulated_cpuid(uint32_t leaf, uint32_t subleaf,
								 uint32_t out[4]);

/* ---- insn.c ---- */

/* Bytes of the instruction there; 0 if it is not known. */
size_t insn_length(const uint8_t *start);

/* ---- rewrite.c ---- */

/* Make the CPUIDs in the code of a loaded object trap. path: its file's name, or NULL. */
void rewrite_object(const char *path, uint64_t bias, const void *program_headers, size_t n);
/* One stood there. */
bool rewrite_is(uint64_t rip);
uint32_t rewrite_count(void);

/* ---- start.c ---- */

/* After the objects are rewritten, if that was wanted: CPUID answers as the platform's. */
void preload_cpuid(void);
/* CPUID cannot be made to fault here, and its answers are wanted changed. */
bool preload_rewrites(void);

/* Find settings, put the vDSO in place. At the first interposed call, or before. */
void preload_start(void);
/* Start the engine: at the first use of an emulated device. 0 or -errno. */
int preload_engine(void);
/* "bawn emulate: TEXT" on standard error. */
void preload_say(const char *text);

/* A child has all of it as it is between two calls, and not in the middle of one. */
void preload_before_fork(void);
void preload_after_fork(void);

/* ---- pool.c: the EPC of a platform, shared by the processes that use it ---- */

struct pool_hold;
extern struct lock pool_lock;
/* This process holds that enclave (its memfd's inode), with so many pages. NULL: no accounting. */
struct pool_hold *pool_hold(uint64_t inode, uint64_t pages);
void pool_drop(struct pool_hold *h);
/* cpu_epc.charge: pages more, or fewer; false if there is no room. */
bool pool_charge(void *hold, int64_t pages);

/* ---- driver.c, driver_sgx2.c: /dev/sgx_enclave ---- */

#define DRIVER_CREATE 0x4008a400u
#define DRIVER_ADD_PAGES 0xc030a401u
#define DRIVER_INIT 0x4008a402u
#define DRIVER_PROVISION 0x4008a403u
#define DRIVER_RESTRICT 0xc028a405u
#define DRIVER_MODIFY 0xc028a406u
#define DRIVER_REMOVE 0xc018a407u
#define DRIVER_MAGIC(request) ((request) >> 8 & 0xff) /* 0xa4 */

/* is_provision: whether a descriptor of the caller's is the provision device. */
long driver_ioctl(struct cpu_epc *epc, uint32_t request, uint64_t arg, bool (*is_provision)(int fd));
/* May [start, end) be mapped so? 0 or -EACCES. */
long driver_may_map(const struct cpu_epc *epc, uint64_t start, uint64_t end, int prot);

/* Between the driver's files: offset and length of a request, in bytes. */
bool driver_range_valid(const struct cpu_epc *epc, uint64_t offset, uint64_t length);
long driver_restrict(struct cpu_epc *epc, uint64_t arg);
long driver_modify(struct cpu_epc *epc, uint64_t arg);
long driver_remove(struct cpu_epc *epc, uint64_t arg);
/* Copies from and to the caller's memory: 0 or -EFAULT. */
long driver_get(void *to, uint64_t from, size_t n);
long driver_put(uint64_t to, const void *from, size_t n);

/* ---- isgx.c: /dev/isgx ---- */

long isgx_ioctl(uint32_t request, uint64_t arg);

/* ---- source.c ---- */

/*
 * How many of n bytes, from `at` on, ADD_PAGES may take as far as mounting with
 * noexec is concerned; 0: EACCES. Whether they are there is not looked at.
 */
uint64_t source_usable(uint64_t at, uint64_t n);

/* ---- files.c ---- */

enum file_kind { FILE_OTHER, FILE_ENCLAVE, FILE_PROVISION, FILE_ISGX, FILE_AUXV };
/* The device that this path names here, or FILE_OTHER. */
enum file_kind file_of_path(const char *path);
/* Open it: a descriptor or -errno. flags: O_CLOEXEC counts. */
long file_open(enum file_kind kind, int flags);
/* Might be an emulated one: for calls on descriptors that have to be quick. */
bool file_is_known(int fd);
/* A descriptor that came from elsewhere: look at it. */
void file_came(int fd);
/* Those that this program was started with. */
void file_look_at_all(void);
/* What it is, by looking. */
enum file_kind file_kind_of(int fd);
long file_ioctl(int fd, uint32_t request, uint64_t arg, bool *ours);
/* After the descriptor `to` has become a copy of `from`. */
void file_copied(int from, int to);
/* Before the descriptor is closed, or something else put in its place. */
void file_closing(int fd);
void file_closing_range(unsigned first, unsigned last);
/* Descriptors of ours that the program does not know of. */
bool file_is_hidden(int fd);
unsigned file_next_hidden(unsigned from); /* the first at or after; ~0u for none */
void file_move_hidden(int fd);            /* the program wants this number */

/* ---- debug.c ---- */

/*
 * For debuggers (doc/EMULATE.md): where the memory of debug enclaves can be
 * read and written, whatever its pages' protection. Unused rows are zero.
 */
#define DEBUG_MAPPINGS 64
struct debug_mapping {
	uint64_t base, size; /* ELRANGE */
	uint64_t mapping;    /* of all of it, read-write */
};
extern struct debug_mapping bawn_debug_mappings[DEBUG_MAPPINGS]
	__attribute__((visibility("default")));
/* Under files_lock: this enclave is mapped; this one is no more. */
void debug_show(const struct cpu_epc *epc);
void debug_hide(const struct cpu_epc *epc);

/* ---- maps.c ---- */

/*
 * Whether something of ours may be mapped in [at, at + length): quick, without a
 * lock, and on the safe side.
 */
bool maps_may_touch(uint64_t at, uint64_t length);

/* An open enclave, as this process sees it. */
struct enclave {
	struct enclave *next;
	uint64_t inode;
	struct cpu_epc *epc;
	struct pool_hold *hold;
	uint32_t pid;  /* whose hold it is: fork copies it */
	uint32_t uses; /* descriptors known, areas, calls under way */
	struct area *areas;
	uint64_t low, high; /* around all areas */
	uint32_t bounds;    /* where others find that, see maps.c */
	bool isgx;          /* made by a mapping of /dev/isgx: protections are not limited by its pages */
};
extern struct enclave *enclaves; /* under files_lock */
extern struct lock files_lock;
/* Under the lock: gone if nobody uses it; free it with enclave_free after giving the lock. */
struct enclave *enclave_unuse(struct enclave *e);
void enclave_free(struct enclave *e);
/* A use of the enclave behind a descriptor, or NULL; *kind tells what it is otherwise. */
struct enclave *enclave_get(int fd, enum file_kind *kind, long *error);
void enclave_put(struct enclave *e);
/* A new one that no descriptor stands for, in use by the caller, for isgx; NULL with *error. */
struct enclave *enclave_make(long *error);
/* CREATE has succeeded. */
void enclave_created(struct enclave *e);

long maps_mmap(struct enclave *e, uint64_t at, uint64_t length, int prot, int flags, uint64_t offset);
/* A mapping of /dev/isgx: an enclave to be. */
long maps_mmap_isgx(uint64_t at, uint64_t length, int prot, int flags);
/* A use of the enclave of isgx that is mapped at an address; NULL with *error: none, or not created yet. */
struct enclave *maps_at(uint64_t address, long *error);
/* The same by the ends of its one mapping, created or not. */
struct enclave *maps_exactly(uint64_t start, uint64_t end);
/* Something else takes the place of whatever is mapped there. */
void maps_forget(uint64_t at, uint64_t length);
long maps_munmap(uint64_t at, uint64_t length);
/* False: nothing of ours is there. */
bool maps_mprotect(uint64_t at, uint64_t length, int prot, long *result);
/* Under the lock: the enclave has its ELRANGE now; mappings made before become what they are. */
void maps_created(struct enclave *e);

#endif
