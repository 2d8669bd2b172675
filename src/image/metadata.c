/*
 * The metadata that Intel's signer and ours leave in .note.sgxmeta: from bytes
 * to structures, each field bounded. doc/ENCLAVE-FORMAT.md has the layout.
 */
#include "image/internal.h"

#include <stdlib.h>
#include <string.h>

#define METADATA_MIN 0x760u /* all fields up to the first two directories */
#define LAYOUT_ENTRY 32u
#define PATCH_ENTRY 32u
#define EXTEND_ENTRY 16u
#define EXTEND_SHARED_OBJECT 0x1002u

static int bad(struct bawn_error *e, const char *what)
{
	return err_set(e, BAWN_ERR_FORMAT, "the metadata is damaged: %s", what);
}

/* ---- the header ---- */

static int read_dir(const struct image_metadata *m, unsigned i, struct image_dir *d,
		    const char *name, struct bawn_error *e)
{
	struct cur c, content;

	if (!cur_at(&m->blob, METADATA_DIRS + 8 * i, 8, &c) || !cur_le32(&c, &d->offset) ||
	    !cur_le32(&c, &d->size))
		return bad(e, "it is too short for its directories");
	if (!cur_at(&m->blob, d->offset, d->size, &content))
		return err_set(e, BAWN_ERR_FORMAT,
			       "the metadata is damaged: the %s table lies outside it", name);
	return 0;
}

static bool has_elrange(uint64_t version)
{
	return METADATA_MAJOR(version) > 10;
}

static bool has_extend(uint64_t version)
{
	uint32_t major = METADATA_MAJOR(version) % 10, minor = METADATA_MINOR(version);

	return (major == 1 && minor >= 5) || (major == 3 && minor >= 2);
}

static int read_dirs(struct image_metadata *m, struct bawn_error *e)
{
	int rc = read_dir(m, 0, &m->patches, "patch", e);

	if (rc == 0)
		rc = read_dir(m, 1, &m->layout, "layout", e);
	/* Older metadata has two directories and data right behind them. */
	if (rc == 0 && has_elrange(m->version))
		rc = read_dir(m, 2, &m->elrange, "ELRANGE", e);
	if (rc == 0 && has_extend(m->version))
		rc = read_dir(m, 3, &m->extend, "extension", e);
	return rc;
}

static int check_fields(const struct image_metadata *m, struct bawn_error *e)
{
	if (m->tcs_policy > 1)
		return bad(e, "the TCS policy is neither 0 (bound) nor 1 (unbound)");
	if (m->ssa_frame_size == 0 || m->ssa_frame_size > 16)
		return bad(e, "the size of an SSA frame is not 1 to 16 pages");
	if (m->patches.size % PATCH_ENTRY)
		return bad(e, "the patch table is not a whole number of entries");
	if (m->layout.size % LAYOUT_ENTRY)
		return bad(e, "the layout table is not a whole number of entries");
	return image_check_size(m->enclave_size, e);
}

/* The blob at the start of c; c is left behind it. False if there is none. */
static int next_blob(struct cur *c, bool *found, struct image_metadata *m, struct bawn_error *e)
{
	struct cur peek = *c, sig;
	uint64_t magic;

	*found = false;
	if (!cur_le64(&peek, &magic) || magic != METADATA_MAGIC)
		return 0;
	memset(m, 0, sizeof(*m));
	if (!cur_le64(&peek, &m->version) || !cur_le32(&peek, &m->size))
		return bad(e, "it is cut short");
	if (m->size < METADATA_MIN)
		return bad(e, "its size field is smaller than its header");
	if (m->size > IMAGE_MAX_METADATA)
		return bad(e, "its size field is above 1 MiB");
	if (!cur_sub(c, m->size, &m->blob))
		return bad(e, "its size field is larger than the room for it");
	peek = m->blob;
	if (!cur_skip(&peek, 20) || !cur_le32(&peek, &m->tcs_policy) ||
	    !cur_le32(&peek, &m->ssa_frame_size) || !cur_le32(&peek, &m->xsave_size) ||
	    !cur_le32(&peek, &m->miscselect) || !cur_le32(&peek, &m->tcs_min_pool) ||
	    !cur_le64(&peek, &m->enclave_size) || !cur_le64(&peek, &m->attributes.flags) ||
	    !cur_le64(&peek, &m->attributes.xfrm) || !cur_sub(&peek, sizeof(m->sigstruct), &sig))
		return bad(e, "it is cut short");
	memcpy(&m->sigstruct, sig.p, sizeof(m->sigstruct));
	*found = true;
	return 0;
}

/* ---- which one ---- */

/*
 * 1.x is for every CPU, 3.x for those with EDMM, of which 11 and 13 are forms
 * with an explicit ELRANGE. 2.x was for EDMM too, with a protocol that no
 * current runtime speaks.
 */
static bool known(uint64_t version)
{
	uint32_t major = METADATA_MAJOR(version);

	return major == 1 || major == 2 || major == 3 || major == 11 || major == 12 || major == 13;
}

static bool usable(uint64_t version, const struct image_open_options *opt)
{
	uint32_t form = METADATA_MAJOR(version) % 10;

	if (opt->version)
		return version == opt->version;
	return known(version) && (form == 1 || (form == 3 && opt->edmm));
}

static int none_usable(const struct image *im, const struct image_open_options *opt,
		       struct bawn_error *e)
{
	if (im->nversions == 0)
		return err_set(e, BAWN_ERR_NOT_FOUND,
			       "the enclave is not signed: there is no metadata in .note.sgxmeta; "
			       "run bawn sign");
	if (opt->version)
		return err_set(e, BAWN_ERR_NOT_FOUND, "the file has no metadata of version %u.%u",
			       METADATA_MAJOR(opt->version), METADATA_MINOR(opt->version));
	return err_set(e, BAWN_ERR_UNSUPPORTED,
		       "metadata version %u.%u can not be used here%s",
		       METADATA_MAJOR(im->versions[0]), METADATA_MINOR(im->versions[0]),
		       METADATA_MAJOR(im->versions[0]) % 10 == 3 && !opt->edmm ?
			       ": it needs a CPU and a driver with EDMM (SGX2)" :
			       "");
}

int image_metadata_choose(struct image_metadata *m, const struct image_elf *f,
			  const struct image_open_options *opt, struct image *im,
			  struct bawn_error *e)
{
	struct image_metadata candidate, fallback = { 0 };
	struct cur c;
	bool found;
	int rc;

	if (f->metadata_room == 0)
		return err_set(e, BAWN_ERR_FORMAT,
			       "not an enclave: the file has no section .note.sgxmeta");
	if (!cur_at(&f->file, f->metadata_offset, f->metadata_room, &c))
		return bad(e, "it reaches beyond the end of the file");
	memset(m, 0, sizeof(*m));
	for (;;) {
		rc = next_blob(&c, &found, &candidate, e);
		if (rc || !found)
			break;
		if (im->nversions == IMAGE_MAX_VERSIONS)
			return bad(e, "there are too many versions of it");
		im->versions[im->nversions++] = candidate.version;
		if (usable(candidate.version, opt) && candidate.version > m->version)
			*m = candidate;
		else if (known(candidate.version) && candidate.version > fallback.version)
			fallback = candidate;
	}
	if (rc)
		return rc;
	if (m->version == 0 && opt->any_version && !opt->version)
		*m = fallback;
	if (m->version == 0)
		return none_usable(im, opt, e);
	rc = read_dirs(m, e);
	return rc ? rc : check_fields(m, e);
}

/* ---- the tables ---- */

int image_metadata_patch(const struct image_metadata *m, size_t i, struct image_patch *out,
			 struct bawn_error *e)
{
	struct cur c, src;

	if (!cur_at(&m->blob, m->patches.offset + (uint64_t)i * PATCH_ENTRY, PATCH_ENTRY, &c) ||
	    !cur_le64(&c, &out->dst) || !cur_le32(&c, &out->src) || !cur_le32(&c, &out->size))
		return bad(e, "the patch table is cut short");
	if (!cur_at(&m->blob, out->src, out->size, &src))
		return bad(e, "the source of a patch lies outside it");
	return 0;
}

static bool read_entry(struct cur *c, struct image_layout *l)
{
	uint16_t second;
	uint32_t third;
	uint64_t fourth;

	memset(l, 0, sizeof(*l));
	if (!cur_le16(c, &l->id) || !cur_le16(c, &second) || !cur_le32(c, &third) ||
	    !cur_le64(c, &fourth))
		return false;
	if (l->id & LAYOUT_GROUP) {
		l->entry_count = second;
		l->load_times = third;
		l->load_step = fourth;
		return cur_skip(c, 16);
	}
	l->attributes = second;
	l->page_count = third;
	l->rva = fourth;
	return cur_le32(c, &l->content_size) && cur_le32(c, &l->content_offset) &&
	       cur_le64(c, &l->si_flags);
}

/* A group repeats entries right before it, none of them a group. */
static int check_group(const struct image_layout *table, size_t i, struct bawn_error *e)
{
	if (table[i].entry_count > i)
		return bad(e, "a layout group repeats more entries than precede it");
	for (size_t k = i - table[i].entry_count; k < i; k++)
		if (table[k].id & LAYOUT_GROUP)
			return bad(e, "a layout group repeats a group");
	return 0;
}

int image_metadata_layout(const struct image_metadata *m, struct image *im, struct bawn_error *e)
{
	size_t n = m->layout.size / LAYOUT_ENTRY;
	struct cur c, content;

	if (!cur_at(&m->blob, m->layout.offset, m->layout.size, &c))
		return bad(e, "the layout table is cut short");
	im->layout = calloc(n + 1, sizeof(*im->layout));
	if (!im->layout)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		struct image_layout *l = &im->layout[i];
		int rc = 0;

		if (!read_entry(&c, l))
			return bad(e, "the layout table is cut short");
		if (l->id & LAYOUT_GROUP)
			rc = check_group(im->layout, i, e);
		else if (l->content_offset &&
			 !cur_at(&m->blob, l->content_offset, l->content_size, &content))
			rc = bad(e, "the content of a layout entry lies outside it");
		if (rc)
			return rc;
		im->nlayout++;
	}
	return 0;
}

int image_metadata_elrange(const struct image_metadata *m, struct image_elrange *out,
			   struct bawn_error *e)
{
	struct cur c;
	uint64_t end, image_end;
	int rc;

	if (!cur_at(&m->blob, m->elrange.offset, m->elrange.size, &c) || c.n != 24 ||
	    !cur_le64(&c, &out->image_address) || !cur_le64(&c, &out->start) ||
	    !cur_le64(&c, &out->size))
		return bad(e, "the ELRANGE entry has the wrong size");
	rc = image_check_size(out->size, e);
	if (rc)
		return rc;
	if (out->start & (out->size - 1) || out->image_address % ISA_PAGE)
		return bad(e, "the ELRANGE or the image in it is not aligned");
	if (!add_u64(out->start, out->size, &end) ||
	    !add_u64(out->image_address, m->enclave_size, &image_end) ||
	    out->image_address < out->start || image_end > end)
		return bad(e, "the image does not lie in the ELRANGE");
	return 0;
}

int image_metadata_shared_object(const struct image_metadata *m, bool *found, uint64_t *file_offset,
				 uint64_t *size, uint64_t *mem_offset, struct bawn_error *e)
{
	struct cur c, entry, object;
	uint32_t id, length, offset;

	*found = false;
	if (!cur_at(&m->blob, m->extend.offset, m->extend.size, &c))
		return bad(e, "the extension table is cut short");
	while (cur_sub(&c, EXTEND_ENTRY, &entry)) {
		if (!cur_le32(&entry, &id) || !cur_le32(&entry, &length) ||
		    !cur_le32(&entry, &offset))
			return bad(e, "the extension table is cut short");
		if (id != EXTEND_SHARED_OBJECT || length == 0 || offset == 0)
			continue;
		if (!cur_at(&m->blob, offset, 32, &object) || !cur_le64(&object, file_offset) ||
		    !cur_le64(&object, mem_offset) || !cur_le64(&object, size))
			return bad(e, "an extension lies outside it");
		*found = true;
		return 0;
	}
	return 0;
}

/* ---- names ---- */

const char *image_layout_name(uint64_t version, uint16_t id)
{
	static const char *const old[] = { "heap", "TCS", "thread data", "SSA",
					   "stack", "thread group", "guard" };
	static const char *const now[] = { "heap, minimum",
					   "heap, initial",
					   "heap, maximum",
					   "TCS",
					   "thread data",
					   "SSA",
					   "stack, maximum",
					   "stack, minimum",
					   "thread group",
					   "guard",
					   "dynamic heap, minimum",
					   "dynamic heap, initial",
					   "dynamic heap, maximum",
					   "dynamic TCS",
					   "dynamic thread data",
					   "dynamic SSA",
					   "dynamic stack, maximum",
					   "dynamic stack, minimum",
					   "dynamic thread group",
					   "reserved memory, minimum",
					   "reserved memory, initial",
					   "reserved memory, maximum",
					   "user region" };
	bool is_old = version < METADATA_VERSION(1, 4);
	size_t n = is_old ? ARRAY_LEN(old) : ARRAY_LEN(now);
	uint16_t i = (uint16_t)((id & ~LAYOUT_GROUP) - 1);

	if (i >= n)
		return "unknown";
	return is_old ? old[i] : now[i];
}
