/*
 * Enclave files for the tests, made from a description, and the measurement
 * that their pages should give, computed from a list written by hand. What is
 * made is as broken as the description.
 */
#ifndef BAWN_TESTS_MAKE_H
#define BAWN_TESTS_MAKE_H

#include "image/internal.h"

/* ---- bytes under construction ---- */

struct bytes {
	uint8_t *p;
	size_t n;
};
/* The offset of n more bytes, zero. */
size_t bytes_grow(struct bytes *b, size_t n);
void bytes_free(struct bytes *b);

/* ---- SDK metadata ---- */

struct make_layout {
	unsigned id, attributes;
	uint32_t pages;
	uint64_t rva;
	uint32_t content_size, content_offset;
	uint64_t flags;
};
/* A group in the same shape: id, entries, times, step. */
#define GROUP(id, entries, times, step) { (id), (entries), (times), (step), 0, 0, 0 }

struct make_meta {
	uint64_t version, enclave_size;
	const struct make_layout *layout;
	size_t nlayout;
	const struct image_patch *patches;
	size_t npatches;
	const struct image_elrange *elrange;
	const uint64_t *shared_object; /* file offset, address, size */
};
/* What the bytes of the metadata always begin with, behind the directories. */
#define META_TCS 0x770u   /* a TCS template, 72 bytes */
#define META_DATA 0x7c0u  /* 256 bytes: 0, 1, 2 ... */
void make_meta(struct bytes *out, const struct make_meta *m);

/* ---- ELF ---- */

struct make_segment {
	uint64_t vaddr, filesz, memsz;
	uint32_t flags; /* PF_ */
};
struct make_elf {
	struct make_segment segment[4];
	size_t nsegments;
	uint64_t tls_size, tls_align;
	const char *symbols[4]; /* dynamic, defined at address 0x1000 + 8 * i */
	const char *undefined;
	uint64_t layout_at; /* address of bawn_enclave_layout in a segment's data; 0: none */
	uint64_t textrel;   /* relocation for this address; 0: none */
	bool pcltbl, no_note;
	const uint8_t *meta;
	size_t meta_n, meta_room; /* room: bytes of the note's content, meta_n at least */
};
struct made {
	struct bytes file;
	size_t segment[4]; /* file offsets */
	size_t note, meta; /* file offsets of the note and of the metadata */
	size_t phdr, shdr; /* of the headers */
};
/* Byte i of a segment's data is made from its address. */
uint8_t make_byte(uint64_t vaddr);
void make_elf(struct made *out, const struct make_elf *d);

/* A small and sound enclave in metadata 1.5, and what it is made of. */
extern const struct make_layout plain_layout[];
extern const size_t plain_layout_n;
void make_plain(struct made *out, uint64_t version);
/* All that metadata can have: patches, groups, content, dynamic entries, two versions. */
void make_rich(struct made *made);
/* An ELF file with a fresh bawn_enclave_layout where layout_at says, if a segment has data there. */
void make_kit(struct made *out, const struct make_elf *d);
/* What most tests of it use; the block is at 0x3100. */
extern const struct make_elf plain_kit;
/* A stream with measured, unmeasured and empty pages and a TCS; tag: ECREATE or UNSIZED. */
void make_stream(struct bytes *out, const char *tag);

/* ---- the expected measurement ---- */

struct expect {
	struct crypto_sha256 h;
	uint64_t added, measured;
};
void expect_begin(struct expect *x, uint32_t ssa_pages, uint64_t size);
/* One page; data NULL: zeros. */
void expect_page(struct expect *x, uint64_t offset, uint64_t flags, const uint8_t *data,
		 bool measured);
/* The page at this address of a segment, its data where the segment has some. */
void expect_segment_page(struct expect *x, const struct make_segment *s, uint64_t page,
			 uint64_t offset, uint64_t flags);
/* Whether the image has this measurement and these counts; expect_is makes a TAP line of it. */
bool expect_same(struct expect *x, const struct image *im);
#define expect_is(x, im, name) ok(expect_same(x, im), "%s", name)

#endif
