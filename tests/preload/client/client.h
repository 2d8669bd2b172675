/*
 * What the clients share: programs that use enclaves through nothing but the
 * kernel's interface, as strangers to this project. They run under
 * `bawn emulate` (and would on hardware with the in-kernel driver), link the C
 * library alone, and print TAP. $BLOBS is the folder of their enclaves.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "tests/cpu/kit_enclave.h"
#include "tests/preload/client/abi.h"
#include "tests/preload/client/blob.h"
#include "tests/tap.h"

#include <errno.h>
#include <stddef.h>

#define PAGE 4096ul
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The enclave of that name, its pages behind it; mapped once, never freed. */
const struct blob *blob_get(const char *name);
static inline const struct blob_page *blob_pages(const struct blob *b)
{
	return (const struct blob_page *)(b + 1);
}

/* Says "Bail out!" and exits. */
_Noreturn void bail(const char *what);

/* ---- raw requests: 0, or the negative errno ---- */

int sgx_open(void);
int sgx_open_provision(void);
int sgx_ioctl(int fd, unsigned long request, void *arg);
/* Address space for an ELRANGE: naturally aligned, nothing mapped accessibly. */
uint64_t reserve(uint64_t size);
void secs_fill(struct sgx_secs *s, const struct blob *b, uint64_t base);
int sgx_create(int fd, const struct blob *b, uint64_t base);
/* One page of the blob. */
int sgx_add(int fd, const struct blob_page *p);
int sgx_add_all(int fd, const struct blob *b);
int sgx_init(int fd, const void *sigstruct);
/* SGX2: as *m or *r says; they hold result and count afterwards. */
int sgx_modify(int fd, unsigned long request, struct sgx_modify *m, uint64_t offset, uint64_t length,
	       uint64_t what);
int sgx_remove(int fd, struct sgx_remove *r, uint64_t offset, uint64_t length);

/* ---- an enclave, ready ---- */

struct encl {
	int fd;
	uint64_t base, size;
	const struct blob *blob;
};
/* Everything, to EINIT and the mapping of each page with its permissions; bails out on failure. */
void encl_make(struct encl *e, const char *name);
/* All but EINIT and mappings. */
void encl_build(struct encl *e, const char *name);
void encl_map(const struct encl *e);
void encl_free(struct encl *e);
static inline uint64_t tcs_at(const struct encl *e, unsigned i)
{
	return e->base + KIT_TCS + (uint64_t)i * KIT_STRIDE;
}

/* __vdso_sgx_enter_enclave, the kernel selftests' way (vdso.c); NULL if there is none. */
sgx_enter_fn vdso_by_hash(void);
/* By the section headers, as Intel's runtime does. */
sgx_enter_fn vdso_by_sections(void);
/* The one that calls below go through; by hash unless set. */
extern sgx_enter_fn enter;

/*
 * An ENCLU of the program's own, as runtimes do it that know no vDSO: EENTER
 * with these registers, which are those of the exit afterwards. enclu_aep is
 * the instruction, and its AEP.
 */
struct enclu_regs {
	uint64_t tcs, rdi, rsi, rdx, r8, r9;
};
void enclu_call(struct enclu_regs *r);
extern char enclu_aep[];
/* The same with the vDSO's signature, for `enter`; exceptions are signals then. */
int enter_by_enclu(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned leaf,
		   unsigned long r8, unsigned long r9, struct sgx_run *run);

/* ---- calls ---- */

struct answer;
/* What to do about an exception: as the vDSO's handler says. */
typedef int (*fix_fn)(struct answer *a);
struct answer {
	int ret;
	struct sgx_run run;
	uint64_t rdi, rsi, rdx, rsp; /* as EEXIT left them */
	unsigned exceptions;
	struct sgx_run first;        /* as at the first exception */
	const struct encl *e;
	unsigned tcs;
	fix_fn fix;
};
struct answer call(const struct encl *e, unsigned tcs, enum kit_command c, uint64_t rsi, uint64_t rdx);
struct answer call_fix(const struct encl *e, unsigned tcs, enum kit_command c, uint64_t rsi,
		       uint64_t rdx, uint64_t r8, uint64_t r9, fix_fn fix);
/* ERESUME alone, and what comes back. */
struct answer resume(const struct encl *e, unsigned tcs);
/* Registers of ENCLU(leaf) inside: RBX, RCX, RDX; answers RAX in rdi. */
struct answer call_enclu(const struct encl *e, unsigned tcs, unsigned leaf, uint64_t rbx, uint64_t rcx,
			 uint64_t rdx);
/* EACCEPT of a page with these SECINFO.FLAGS; its code, or -1 - vector for an exception. */
int accept_page(const struct encl *e, unsigned tcs, uint64_t offset, uint64_t flags);
/* EMODPE: 0, or -1 - vector. */
int extend_page(const struct encl *e, unsigned tcs, uint64_t offset, uint64_t flags);
uint64_t peek(const struct encl *e, unsigned tcs, uint64_t offset);
void poke(const struct encl *e, unsigned tcs, uint64_t offset, uint64_t value);
/* Copy into enclave memory (multiples of 8 bytes). */
void poke_all(const struct encl *e, unsigned tcs, uint64_t offset, const void *p, size_t n);
/* What KIT_SPIN answers. */
uint64_t spin(uint64_t rounds, uint64_t from);

/* EXCEPTION TAP: vector, error code, address of the first exception of a call. */
#define is_fault(a, vec, code, at, name)                                                           \
	do {                                                                                       \
		struct answer fault_ = (a);                                                        \
		bool good_ = fault_.exceptions == 1 && fault_.first.vector == (vec) &&             \
			     fault_.first.error_code == (code) && fault_.first.addr == (at);       \
		ok(good_, "%s", name);                                                             \
		if (!good_)                                                                        \
			printf("# ret %d, %u exceptions, function %u, vector %u, code 0x%x, "     \
			       "address 0x%llx\n",                                                 \
			       fault_.ret, fault_.exceptions, fault_.first.function,               \
			       fault_.first.vector, fault_.first.error_code,                       \
			       (unsigned long long)fault_.first.addr);                             \
	} while (0)

/* ---- processes ---- */

/* fn in a child; its wait status. */
int in_child(int (*fn)(void *arg), void *arg);
/* A descriptor over a socket. */
void send_fd(int sock, int fd);
int receive_fd(int sock);

#endif
