/*
 * image: enclave files. An SDK-format ELF, an SGXS stream with its SIGSTRUCT,
 * or one of our own becomes one thing: the SECS to create and an ordered
 * stream of pages, each with its SECINFO flags and whether it is measured.
 * Also: measuring, checking and making signatures. The only user of libelf.
 */
#ifndef BAWN_IMAGE_H
#define BAWN_IMAGE_H

#include "crypto/crypto.h"
#include "isa/isa.h"

enum image_format { IMAGE_SDK, IMAGE_SGXS };

/*
 * A stretch of pages in the order of adding, all alike. src is page-aligned
 * and holds `length` bytes; if `repeat`, it holds one page that stands for
 * every page of the stretch (heap, guard-free stack, fill patterns).
 */
struct image_run {
	uint64_t offset; /* from BASEADDR, page-aligned */
	uint64_t length; /* bytes, a multiple of the page size */
	const uint8_t *src;
	uint64_t secinfo; /* SECINFO.FLAGS: permissions and page type */
	bool repeat;
	bool measured; /* EEXTEND every chunk of it */
};

/* What is known of a thread slot: static ones exist from EADD, dynamic ones by EDMM. */
struct image_tcs {
	uint64_t offset;
	bool dynamic;
};

/* Ranges that an SDK enclave with EDMM lets the host add after EINIT. */
struct image_dynamic {
	uint64_t offset, length;
	uint64_t secinfo;
	uint16_t layout_id;
	uint16_t attributes; /* layout attribute bits, doc/ENCLAVE-FORMAT.md */
};

struct image {
	enum image_format format;
	uint64_t size;           /* SECS.SIZE: a power of two */
	uint32_t ssaframesize;   /* pages */
	uint64_t elrange_start;  /* ELRANGE majors: where the image lies in it, else 0 */
	struct image_run *runs;
	size_t nruns;
	struct image_tcs *tcs;
	size_t ntcs;
	struct image_dynamic *dynamic;
	size_t ndynamic;
	bool has_sigstruct;
	struct isa_sigstruct sigstruct; /* as found in the file, unchecked */
	struct isa_attributes attributes; /* what SECS.ATTRIBUTES should ask for (before XFRM is narrowed) */
	uint32_t miscselect;
	/* SDK metadata, as far as the runtime and `inspect` want it; zero for SGXS */
	uint64_t metadata_version;
	uint32_t tcs_policy;   /* 0 bound, 1 unbound */
	uint32_t tcs_min_pool;
	uint64_t heap_min, heap_init, heap_max;
	uint64_t stack_min, stack_max;
	uint64_t xsave_size; /* SSA XSAVE bytes that the metadata promises */
	bool is_simulation;  /* exports g_global_data_sim: passes EINIT, cannot run */
	bool is_encrypted;   /* .pcltbl: needs the protected code loader */
	uint64_t entry;      /* OENTRY, for display */
	void *owned;         /* mapping and side pages; image_free's */
};

struct image_open_options {
	bool edmm;              /* choose metadata 3.x and its dynamic entries where present */
	const char *sigstruct_path; /* separate SIGSTRUCT (SGXS, or to override), or NULL */
};

/* Open and parse. The file is mapped privately; peak memory is the file plus boundary pages. */
int image_open(struct image **out, const char *path, const struct image_open_options *opt,
	       struct bawn_error *e);
/* The same from memory, which must stay as it is until image_free. */
int image_open_memory(struct image **out, const void *p, size_t n,
		      const struct image_open_options *opt, struct bawn_error *e);
void image_free(struct image **im);

/* MRENCLAVE of the page stream. */
int image_measure(const struct image *im, uint8_t mrenclave[32], struct bawn_error *e);
/* MRSIGNER: SHA-256 of the little-endian modulus. */
void image_mrsigner(const struct isa_sigstruct *s, uint8_t mrsigner[32]);
/* Constants, exponent, RSA signature, q1 and q2: 0 or BAWN_ERR_FORMAT / BAWN_ERR_SIGNATURE naming what fails. */
int image_sigstruct_check(const struct isa_sigstruct *s, struct bawn_error *e);

#endif
