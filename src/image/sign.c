/* Making a SIGSTRUCT and putting it where a loader will look for it. */
#include "image/internal.h"

#include <string.h>

struct isa_attributes image_wanted_attributes(const struct image_config *c)
{
	struct isa_attributes a = { .flags = ATTR_MODE64BIT };

	if (c->provision_key)
		a.flags |= ATTR_PROVISIONKEY;
	if (c->einittoken_key)
		a.flags |= ATTR_EINITTOKEN_KEY;
	if (c->kss)
		a.flags |= ATTR_KSS;
	if (c->aexnotify)
		a.flags |= ATTR_AEXNOTIFY;
	/* What the signature leaves open is wanted where the CPU has it. */
	a.xfrm = (c->xfrm & c->xfrm_mask) | ~c->xfrm_mask;
	return a;
}

void image_sigstruct_make(struct isa_sigstruct *s, const struct image_config *c,
			  const uint8_t mrenclave[32])
{
	memset(s, 0, sizeof(*s));
	memcpy(s->header, isa_sigstruct_header, sizeof(s->header));
	memcpy(s->header2, isa_sigstruct_header2, sizeof(s->header2));
	s->vendor = c->vendor;
	s->date = c->date;
	s->swdefined = c->swdefined;
	s->exponent = 3;
	s->miscselect = c->miscselect & c->miscmask;
	s->miscmask = c->miscmask;
	memcpy(s->isvfamilyid, c->isvfamilyid, sizeof(s->isvfamilyid));
	memcpy(s->isvextprodid, c->isvextprodid, sizeof(s->isvextprodid));
	s->attributes.flags = image_wanted_attributes(c).flags;
	s->attributes.xfrm = c->xfrm;
	s->attributemask.flags = c->debug ? ~ATTR_DEBUG : UINT64_MAX;
	s->attributemask.xfrm = c->xfrm_mask;
	memcpy(s->enclavehash, mrenclave, sizeof(s->enclavehash));
	s->isvprodid = c->isvprodid;
	s->isvsvn = c->isvsvn;
}

int image_sigstruct_complete(struct isa_sigstruct *s, const uint8_t modulus[CRYPTO_RSA_BYTES],
			     const uint8_t signature[CRYPTO_RSA_BYTES], struct bawn_error *e)
{
	int rc;

	memcpy(s->modulus, modulus, sizeof(s->modulus));
	memcpy(s->signature, signature, sizeof(s->signature));
	rc = crypto_rsa3_quotients(s->signature, s->modulus, s->q1, s->q2, e);
	return rc ? rc : image_sigstruct_check(s, e);
}

int image_store_sigstruct(uint8_t *file, size_t n, const struct image_config *c,
			  const struct isa_sigstruct *s, struct bawn_error *e)
{
	struct isa_attributes wanted = image_wanted_attributes(c);
	struct image_elf elf;
	int rc = image_elf_parse(&elf, file, n, e);

	if (rc)
		return rc;
	uint8_t *p = file + elf.metadata_offset, *end = p + elf.metadata_room;
	image_elf_free(&elf);
	/* The chain was walked when the file was measured: sizes are sound. */
	while (end - p >= METADATA_DIRS && get_le64(p) == METADATA_MAGIC) {
		uint32_t size = get_le32(p + 16);

		put_le32(p + 32, c->miscselect);
		put_le64(p + 48, wanted.flags);
		put_le64(p + 56, wanted.xfrm);
		memcpy(p + METADATA_SIGSTRUCT, s, sizeof(*s));
		if (size < METADATA_DIRS || size > (size_t)(end - p))
			return err_set(e, BAWN_ERR_FORMAT, "the metadata is damaged: its size");
		p += size;
	}
	return 0;
}
