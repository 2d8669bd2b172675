/*
 * The file that an enclave comes to the clients in: blobs_prog.c makes it, with
 * the project's own measuring and signing; the clients, which know nothing but
 * the kernel's interface, load it. Made and read in one build: no format.
 */
#ifndef CLIENT_BLOB_H
#define CLIENT_BLOB_H

#include <stdint.h>

#define BLOB_MAGIC UINT64_C(0x31424f4c42)
#define BLOB_SIGSTRUCT 1808
#define BLOB_TOKEN 304

struct blob {
	uint64_t magic;
	uint64_t size;              /* of ELRANGE */
	uint64_t attributes, xfrm;
	uint32_t miscselect;
	uint32_t ssaframesize;
	uint64_t pages;
	uint8_t sigstruct[4096] __attribute__((aligned(8)));
	uint8_t token[512];         /* blobs that are given one */
	uint8_t mrenclave[32], mrsigner[32];
	uint8_t fill[4096 - 48 - 512 - 64];
};
struct blob_page {
	uint64_t offset;
	uint64_t secinfo; /* SECINFO.FLAGS */
	uint64_t measured;
	uint8_t fill[4096 - 24];
	uint8_t data[4096];
};
_Static_assert(sizeof(struct blob) == 8192 && sizeof(struct blob_page) == 8192, "whole pages");

#endif
