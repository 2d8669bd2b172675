/*
 * The kernel's interface to enclaves as its users know it (asm/sgx.h), and the
 * out-of-tree driver's: written down here again, so that no mistake in ours
 * is checked against itself.
 */
#ifndef CLIENT_ABI_H
#define CLIENT_ABI_H

#include <stdint.h>

#define SGX_CREATE 0x4008a400u
#define SGX_ADD_PAGES 0xc030a401u
#define SGX_INIT 0x4008a402u
#define SGX_PROVISION 0x4008a403u
#define SGX_RESTRICT 0xc028a405u
#define SGX_MODIFY 0xc028a406u
#define SGX_REMOVE 0xc018a407u
#define SGX_VEPC_REMOVE_ALL 0xa404u

struct sgx_create {
	uint64_t src;
};
struct sgx_add {
	uint64_t src, offset, length, secinfo, flags, count;
};
struct sgx_init {
	uint64_t sigstruct;
};
struct sgx_provision {
	uint64_t fd;
};
struct sgx_modify { /* RESTRICT: permissions; MODIFY: page type */
	uint64_t offset, length, what, result, count;
};
struct sgx_remove {
	uint64_t offset, length, count;
};
#define SGX_MEASURE 1u

struct sgx_secs {
	uint64_t size, base;
	uint32_t ssaframesize, miscselect;
	uint8_t reserved1[24];
	uint64_t attributes, xfrm;
	uint8_t mrenclave[32], reserved2[32], mrsigner[32], reserved3[32];
	uint8_t configid[64];
	uint16_t isvprodid, isvsvn, configsvn;
	uint8_t reserved4[3834];
};
_Static_assert(sizeof(struct sgx_secs) == 4096, "SDM 38.7");
struct sgx_secinfo {
	uint64_t flags;
	uint8_t reserved[56];
};
#define SI_R 1u
#define SI_W 2u
#define SI_X 4u
#define SI_PENDING 8u
#define SI_MODIFIED 0x10u
#define SI_PR 0x20u
#define SI_TCS 0x100u
#define SI_REG 0x200u
#define SI_TRIM 0x400u

#define AT_INIT 1u
#define AT_DEBUG 2u
#define AT_MODE64 4u
#define AT_PROVISION 0x10u
#define AT_TOKEN 0x20u

#define EGETKEY 1u
#define EREPORT 0u
#define EENTER 2u
#define ERESUME 3u
#define EEXIT 4u
#define EACCEPT 5u
#define EMODPE 6u
#define EACCEPTCOPY 7u

struct sgx_run {
	uint64_t tcs;
	uint32_t function;
	uint16_t vector, error_code;
	uint64_t addr;
	uint64_t user_handler, user_data;
	uint8_t reserved[216];
};
_Static_assert(sizeof(struct sgx_run) == 256, "asm/sgx.h");
typedef int (*sgx_enter_fn)(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned leaf,
			    unsigned long r8, unsigned long r9, struct sgx_run *run);
typedef int (*sgx_handler_fn)(long rdi, long rsi, long rdx, long rsp, long r8, long r9,
			      struct sgx_run *run);

/* ---- /dev/isgx ---- */

#define ISGX_CREATE 0x4008a400u
#define ISGX_ADD_PAGE 0x401aa401u
#define ISGX_INIT 0x4018a402u
#define ISGX_EMODPR 0x4018a409u
#define ISGX_MKTCS 0x4010a40au
#define ISGX_TRIM 0x4010a40bu
#define ISGX_NOTIFY_ACCEPT 0x4010a40cu
#define ISGX_REMOVE 0x4008a40du

struct isgx_create {
	uint64_t src;
};
struct isgx_add_page {
	uint64_t addr, src, secinfo;
	uint16_t mrmask;
} __attribute__((packed));
struct isgx_init {
	uint64_t addr, sigstruct, token;
};
struct isgx_range {
	uint64_t start;
	uint32_t pages;
};
struct isgx_modify {
	struct isgx_range range;
	uint64_t flags;
};

#endif
