/* What the files of image share. */
#ifndef BAWN_IMAGE_INTERNAL_H
#define BAWN_IMAGE_INTERNAL_H

#include "image/image.h"

/* ---- pages.c: the stream under construction ---- */

/* Takes ownership of a mapping of n bytes (or NULL). NULL if out of memory. */
struct image *image_new(void *map, size_t n);
/* A new zeroed page that lives as long as the image; NULL if out of memory. */
uint8_t *image_new_page(struct image *im);
extern const uint8_t image_zero_page[ISA_PAGE];
/* The mapping is not needed before this address any more: its pages may leave memory. */
void image_map_used(struct image *im, const void *upto);
/* Append a run, merged with the last one where possible. Refuses what lies outside [0, size). */
int image_add_run(struct image *im, const struct image_run *r, struct bawn_error *e);
int image_add_tcs(struct image *im, uint64_t offset, bool dynamic, struct bawn_error *e);
int image_add_dynamic(struct image *im, const struct image_dynamic *d, struct bawn_error *e);
/* No page twice, among runs and dynamic ranges; SECINFOs and TCSs are what EADD takes. */
int image_check_pages(const struct image *im, struct bawn_error *e);
/* SIZE as ECREATE wants it, within IMAGE_MAX_SIZE. */
int image_check_size(uint64_t size, struct bawn_error *e);

/* ---- elf.c: what libelf tells of a file ---- */

#define IMAGE_MAX_SEGMENTS 32

struct image_segment {
	uint64_t vaddr, memsz;
	uint64_t offset, filesz; /* in the file, checked to lie in it */
	uint64_t secinfo;
};
struct image_elf {
	struct cur file;
	struct image_segment segment[IMAGE_MAX_SEGMENTS];
	size_t nsegments;
	uint64_t tls_size, tls_align; /* PT_TLS: memsz and alignment, else 0 */
	uint64_t relro, relro_size;   /* PT_GNU_RELRO, not checked; else 0 */
	uint64_t entry;               /* enclave_entry, else e_entry */
	uint64_t metadata_offset, metadata_room; /* file offset and bytes; 0 if there is no note */
	uint64_t layout_symbol, layout_symbol_size; /* address of bawn_enclave_layout, else 0 */
	char undefined[64];           /* the first undefined symbol, "" if none */
	bool is_simulation, is_encrypted, has_global_data;
	uint8_t *textrel; /* DT_TEXTREL: bitmap of pages with relocations, else NULL; image_elf_free's */
	uint64_t textrel_pages;
};
int image_elf_parse(struct image_elf *f, const void *p, size_t n, struct bawn_error *e);
void image_elf_free(struct image_elf *f);
/* File offset of n bytes of initialised data at an address, or false. */
bool image_elf_offset(const struct image_elf *f, uint64_t vaddr, uint64_t n, uint64_t *offset);

/* ---- metadata.c: the SDK's metadata, bytes to structure ---- */

#define METADATA_MAGIC UINT64_C(0x86A80294635D0E4C)
#define METADATA_DIRS 0x750u    /* offset of the directories, behind SIGSTRUCT */
#define METADATA_SIGSTRUCT 64u
#define METADATA_VERSION(major, minor) ((uint64_t)(major) << 32 | (minor))
#define METADATA_MAJOR(v) ((uint32_t)((v) >> 32))
#define METADATA_MINOR(v) ((uint32_t)(v))

struct image_dir {
	uint32_t offset, size;
};
struct image_patch {
	uint64_t dst; /* file offset */
	uint32_t src, size;
};
struct image_elrange {
	uint64_t image_address, start, size;
};
struct image_metadata {
	struct cur blob; /* exactly `size` bytes of the file */
	uint64_t version;
	uint32_t size, tcs_policy, ssa_frame_size, xsave_size, miscselect, tcs_min_pool;
	uint64_t enclave_size;
	struct isa_attributes attributes;
	struct isa_sigstruct sigstruct;
	struct image_dir patches, layout, elrange, extend;
};
/* Find the metadata to use in the note, recording all versions in im. */
int image_metadata_choose(struct image_metadata *m, const struct image_elf *f,
			  const struct image_open_options *opt, struct image *im,
			  struct bawn_error *e);
int image_metadata_patch(const struct image_metadata *m, size_t i, struct image_patch *out,
			 struct bawn_error *e);
int image_metadata_layout(const struct image_metadata *m, struct image *im, struct bawn_error *e);
int image_metadata_elrange(const struct image_metadata *m, struct image_elrange *out,
			   struct bawn_error *e);
/* Bytes of XSAVE state and pages per SSA frame for the largest form of these features. */
uint32_t image_xsave_size(uint64_t xfrm);
uint32_t image_ssa_pages(uint64_t xfrm);
/* A second ELF file behind the first (OpenSSL's FIPS module): false if there is none. */
int image_metadata_shared_object(const struct image_metadata *m, bool *found, uint64_t *file_offset,
				 uint64_t *size, uint64_t *mem_offset, struct bawn_error *e);

/* ---- the two readers; im is fresh, options are never NULL ---- */

int image_read_sdk(struct image *im, const void *p, size_t n, const struct image_open_options *opt,
		   struct bawn_error *e);
int image_read_sgxs(struct image *im, const void *p, size_t n,
		    const struct image_open_options *opt, struct bawn_error *e);

#endif
