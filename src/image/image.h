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

/* What a file may claim at most; more is refused, whoever signed it. */
#define IMAGE_MAX_SIZE (UINT64_C(64) << 30) /* SECS.SIZE */
#define IMAGE_MAX_RUNS 131072u
#define IMAGE_MAX_METADATA (1u << 20)    /* one version's metadata, bytes */

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
	uint16_t attributes; /* LAYOUT_ATTR_ bits */
};

/* An entry of SDK metadata's layout table as it stands in the file (doc/ENCLAVE-FORMAT.md). */
struct image_layout {
	uint16_t id;         /* LAYOUT_GROUP: a group, whose fields are those at the end */
	uint16_t attributes; /* LAYOUT_ATTR_ */
	uint32_t page_count;
	uint64_t rva; /* from the start of the image */
	uint32_t content_size, content_offset;
	uint64_t si_flags; /* SECINFO.FLAGS */
	uint16_t entry_count;
	uint32_t load_times;
	uint64_t load_step;
};
#define LAYOUT_GROUP 0x1000u
#define LAYOUT_ATTR_EADD 0x01u
#define LAYOUT_ATTR_EEXTEND 0x02u
#define LAYOUT_ATTR_EREMOVE 0x04u /* added for the measurement's sake, not for use */
#define LAYOUT_ATTR_POST_ADD 0x08u
#define LAYOUT_ATTR_POST_REMOVE 0x10u
#define LAYOUT_ATTR_DYN_THREAD 0x20u
#define LAYOUT_ATTR_GROW_DOWN 0x40u
/* "heap", "TCS", "stack guard" ...; ids were renumbered after metadata 1.3. */
const char *image_layout_name(uint64_t metadata_version, uint16_t id);

/*
 * Pages that an SDK enclave writes only while it initialises itself: segments
 * with relocations in them, and what PT_GNU_RELRO names. secinfo: what is left.
 */
struct image_settled {
	uint64_t offset, length;
	uint64_t secinfo;
};
#define IMAGE_MAX_SETTLED 128

#define IMAGE_MAX_VERSIONS 8

struct image {
	enum image_format format;
	uint64_t size;         /* SECS.SIZE: a power of two */
	uint32_t ssaframesize; /* pages */
	/*
	 * ELRANGE majors (11, 13): the image lies at image_offset in ELRANGE, and
	 * the enclave insists on BASEADDR = elrange_base, which may be 0. All
	 * offsets in this structure count from BASEADDR all the same.
	 */
	bool fixed_base;
	uint64_t elrange_base, image_offset;
	struct image_run *runs;
	size_t nruns;
	struct image_tcs *tcs;
	size_t ntcs;
	struct image_dynamic *dynamic;
	size_t ndynamic;
	struct image_settled settled[IMAGE_MAX_SETTLED];
	size_t nsettled;
	bool has_sigstruct;
	struct isa_sigstruct sigstruct; /* as found in the file, unchecked */
	struct isa_attributes attributes; /* what SECS.ATTRIBUTES should ask for (before XFRM is narrowed) */
	uint32_t miscselect;
	/* SDK metadata, as far as the runtime and `inspect` want it; zero for SGXS */
	uint64_t metadata_version;             /* the one chosen: major << 32 | minor */
	uint64_t versions[IMAGE_MAX_VERSIONS]; /* all that the file has */
	size_t nversions;
	struct image_layout *layout;
	size_t nlayout;
	uint32_t tcs_policy; /* 0 bound, 1 unbound */
	uint32_t tcs_min_pool;
	uint64_t heap_min, heap_init, heap_max;
	uint64_t stack_min, stack_max;
	uint64_t xsave_size; /* SSA XSAVE bytes that the metadata promises */
	bool is_simulation;  /* exports g_global_data_sim: passes EINIT, cannot run */
	bool is_encrypted;   /* .pcltbl: needs the protected code loader */
	bool is_kit;         /* exports bawn_enclave_layout: built with Bawn's kit */
	uint64_t entry;      /* OENTRY, for display */
	struct image_own *own; /* mapping and copied pages; image_free's */
};

struct image_open_options {
	bool edmm;       /* choose metadata 3.x and its dynamic entries where present */
	bool any_version; /* to look at it only: if no metadata is usable here, take what there is */
	uint64_t version; /* look at this metadata version and no other; 0: choose */
	const char *sigstruct_path; /* separate SIGSTRUCT (SGXS, or to override), or NULL */
	uint64_t unsized; /* SECS.SIZE for an SGXS stream that leaves it open; 0: refuse such */
};

/*
 * Open and parse. An ELF file is mapped privately, and pages are copied only
 * where a segment begins or ends inside one or a patch touches them; it must
 * not be truncated while the image is open. An SGXS stream is copied, page by
 * page. opt may be NULL.
 */
int image_open(struct image **out, const char *path, const struct image_open_options *opt,
	       struct bawn_error *e);
/*
 * The same from memory, which must stay as it is until image_free. Where an
 * ELF file does not start on a page boundary, all its pages are copied.
 */
int image_open_memory(struct image **out, const void *p, size_t n,
		      const struct image_open_options *opt, struct bawn_error *e);
void image_free(struct image **im);

/* MRENCLAVE of the page stream. */
int image_measure(const struct image *im, uint8_t mrenclave[32], struct bawn_error *e);
/* Pages that the stream adds, and how many of them are measured. */
void image_count(const struct image *im, uint64_t *added, uint64_t *measured);
/* MRSIGNER: SHA-256 of the little-endian modulus. */
void image_mrsigner(const struct isa_sigstruct *s, uint8_t mrsigner[32]);
/* What of a SIGSTRUCT holds, each by itself. */
struct image_verdict {
	const char *flaw; /* of header, exponent, vendor or reserved bytes; NULL: none */
	bool rsa, q1, q2;
};
void image_sigstruct_examine(const struct isa_sigstruct *s, struct image_verdict *v);
/* Constants, exponent, RSA signature, q1 and q2: 0 or BAWN_ERR_FORMAT / BAWN_ERR_SIGNATURE naming what fails. */
int image_sigstruct_check(const struct isa_sigstruct *s, struct bawn_error *e);
/* Exactly 1808 bytes. */
int image_sigstruct_read(const char *path, struct isa_sigstruct *s, struct bawn_error *e);

/*
 * The page stream as an SGXS stream: the pages alone, so what SDK metadata
 * adds to them (dynamic ranges, thread policy, the SIGSTRUCT) is not in it.
 */
int image_write_sgxs(const struct image *im, int fd, struct bawn_error *e);

/* ---- signing ---- */

/*
 * What a signer decides. Sizes in bytes, multiples of the page size. The
 * layout part concerns enclaves of the kit alone and is taken as a whole.
 */
struct image_config {
	uint16_t isvprodid, isvsvn;
	bool debug;  /* the enclave may run with ATTRIBUTES.DEBUG */
	bool provision_key, einittoken_key, kss, aexnotify;
	uint8_t isvfamilyid[16], isvextprodid[16];
	uint32_t miscselect, miscmask;
	uint64_t xfrm, xfrm_mask;
	uint32_t vendor, swdefined;
	uint32_t date; /* BCD yyyymmdd; 0: not said */
	bool has_layout; /* any of the following was said */
	uint64_t heap_min, heap_init, heap_max;
	uint64_t stack_min, stack_max;
	uint32_t threads, threads_max;
	bool threads_bound;
};
void image_config_default(struct image_config *c);
/* What a SIGSTRUCT says, as the default for signing again. The date is left open. */
void image_config_from_sigstruct(struct image_config *c, const struct isa_sigstruct *s);
/*
 * Lines "key = value", "#" begins a comment; see bawn-sign(1). What is not
 * said stays as it is in c. Errors name the line.
 */
int image_config_parse(const void *text, size_t n, struct image_config *c, struct bawn_error *e);
/* yyyymmdd from text to BCD, or from seconds since the epoch (UTC). */
int image_date_parse(const char *text, uint32_t *date, struct bawn_error *e);
int image_date_from_time(int64_t seconds, uint32_t *date, struct bawn_error *e);

/*
 * Lay out an enclave of the kit: write metadata without a signature into the
 * note of the n bytes of its file, replacing what there was.
 */
int image_lay_out(uint8_t *file, size_t n, const struct image_config *c, struct bawn_error *e);
/* SECS.ATTRIBUTES that a loader should ask for, given what is signed. */
struct isa_attributes image_wanted_attributes(const struct image_config *c);
/* The SIGSTRUCT to be signed: all but modulus, signature, q1 and q2. c->date must be set. */
void image_sigstruct_make(struct isa_sigstruct *s, const struct image_config *c,
			  const uint8_t mrenclave[32]);
/* Put key and signature (little-endian) in, compute q1 and q2, check the whole. */
int image_sigstruct_complete(struct isa_sigstruct *s, const uint8_t modulus[CRYPTO_RSA_BYTES],
			     const uint8_t signature[CRYPTO_RSA_BYTES], struct bawn_error *e);
/* Write SIGSTRUCT, and the attributes to ask for, into every metadata of an SDK-format file. */
int image_store_sigstruct(uint8_t *file, size_t n, const struct image_config *c,
			  const struct isa_sigstruct *s, struct bawn_error *e);

#endif
