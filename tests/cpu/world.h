/*
 * A small enclave to try leaf functions on, with a logical processor and
 * registers. Pages, by their offset:
 *
 *	CODE   one page, R X
 *	DATA   eight pages, R W
 *	CONST  one page, R
 *	TCS    one page; its SSA has three frames, one page each
 *	SSA    three pages, R W
 *	FREE   from here on nothing
 */
#ifndef BAWN_TESTS_CPU_WORLD_H
#define BAWN_TESTS_CPU_WORLD_H

#include "cpu/cpu.h"
#include "tests/tap.h"

#define BASE UINT64_C(0x700000000000)
#define SIZE UINT64_C(0x100000)
#define CODE UINT64_C(0x0)
#define DATA UINT64_C(0x1000)
#define CONST UINT64_C(0x9000)
#define TCS UINT64_C(0xa000)
#define SSA UINT64_C(0xb000)
#define FREE UINT64_C(0xe000)
#define NSSA 3u
#define OENTRY UINT64_C(0x10)
#define OFSBASE UINT64_C(0x2000)
#define OGSBASE UINT64_C(0x3000)

#define AEP UINT64_C(0x401000)
#define EENTER_RIP UINT64_C(0x400ff0)
#define HOST_FS UINT64_C(0x7fff00001000)
#define HOST_GS UINT64_C(0x7fff00002000)
#define HOST_RSP UINT64_C(0x7fffffffe000)
#define HOST_RBP UINT64_C(0x7fffffffe100)

struct world {
	struct cpu_platform platform;
	struct cpu_epc *epc;
	struct isa_secs secs;
	struct isa_sigstruct sig;
	struct crypto_sha256 hash; /* what the measurement should be, kept beside the CPU */
	struct cpu_lp lp;
	struct cpu_regs r;
	struct cpu_fault f;
	uint64_t changed_offset, changed_length; /* the last call of the hook */
	unsigned changes;
};

/* Fuses that follow from seed; SGX2, KSS, AEX-notify; flexible launch control. */
void platform_fake(struct cpu_platform *p, uint8_t seed);
/* RSA keys 0 and 1, made once a process. */
const struct crypto_key *key_of(unsigned which);
/* Sign what *s says with key `which`, in place: modulus, signature, q1, q2. */
void sign(struct isa_sigstruct *s, unsigned which);
void mrsigner_of(unsigned which, uint8_t out[32]);

struct isa_secinfo secinfo(uint64_t flags);
#define REG_R secinfo(SECINFO_R | SECINFO_OF_PT(PT_REG))
#define REG_RW secinfo(SECINFO_R | SECINFO_W | SECINFO_OF_PT(PT_REG))
#define REG_RX secinfo(SECINFO_R | SECINFO_X | SECINFO_OF_PT(PT_REG))
#define REG_RWX secinfo(SECINFO_RWX | SECINFO_OF_PT(PT_REG))
#define TCS_INFO secinfo(SECINFO_OF_PT(PT_TCS))

/* The SECS of the world's enclave: MODE64, XFRM 3, `flags` besides. */
void secs_fill(struct isa_secs *s, uint64_t flags);
void tcs_fill(struct isa_tcs *t);

/* An EPC of a fake platform and a SECS ready for ECREATE; nothing executed yet. */
void world_start(struct world *w, uint64_t attributes);
/* ECREATE, and the pages above, all measured; the SIGSTRUCT filled in but not signed. */
void world_build(struct world *w);
/* Sign with key 0, write the launch-control registers, EINIT. */
void world_init(struct world *w);
/* All of that. */
void world_ready(struct world *w, uint64_t attributes);
void world_end(struct world *w);

/* EADD (and EEXTEND of all of it) of one page, keeping the measurement beside. */
int world_add(struct world *w, uint64_t offset, const void *page, struct isa_secinfo si,
	      bool measured);
/* Registers as a host has them before EENTER of the TCS at this offset. */
void host_regs(struct world *w, uint64_t tcs);
/* EENTER of the TCS that must succeed. */
void enter(struct world *w);
/* ENCLU inside, with these operands. */
int enclu(struct world *w, uint32_t leaf, uint64_t rbx, uint64_t rcx, uint64_t rdx);
/* A byte of the enclave's memory as the CPU sees it. */
#define AT(w, offset) ((w)->epc->alias + (offset))

/* The result must be this fault. */
bool fault_is(const struct world *w, int result, uint8_t vector, uint32_t code, uint64_t address,
	      const char *name, int line);
#define is_gp(w, result, name) fault_is((w), (result), VEC_GP, 0, 0, (name), __LINE__)
#define is_ud(w, result, name) fault_is((w), (result), VEC_UD, 0, 0, (name), __LINE__)
#define is_pf(w, result, code, address, name)                                                      \
	fault_is((w), (result), VEC_PF, (code), (address), (name), __LINE__)
/* #PF of ENCLS for a page or (0) for the SECS. */
#define PF_ENCLS (PF_SGX | PF_P | PF_W)

#endif
