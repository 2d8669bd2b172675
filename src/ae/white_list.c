/*
 * The white list file, outside of the launch enclave: taken apart, checked,
 * made. All integers are big-endian.
 *
 *	  0  u16 version 1, u16 type 0, u16 provider 0, u16 root 0 \
 *	  8  provider's public key x || y                           > certificate
 *	 72  root's signature r || s over bytes 0 to 71            /
 *	136  u16 version 1, u16 type, u16 provider 0, u16 launch enclave's product
 *	144  u32 version of the list, u32 n
 *	152  n MRSIGNERs
 *	     provider's signature r || s over everything from byte 136 on
 */
#include "ae/internal.h"

#include <string.h>

#define VERSION 1
#define SIGNED_CERTIFICATE 72
#define SIGNATURE 64

static bool be16(struct cur *c, uint16_t *v)
{
	struct cur two;

	if (!cur_sub(c, 2, &two))
		return false;
	*v = get_be16(two.p);
	return true;
}

static bool be32(struct cur *c, uint32_t *v)
{
	struct cur four;

	if (!cur_sub(c, 4, &four))
		return false;
	*v = get_be32(four.p);
	return true;
}

static bool read_provider(struct cur *c, struct ae_white_list *out, struct bawn_error *e)
{
	uint16_t version, type, provider, root;

	if (!be16(c, &version) || !be16(c, &type) || !be16(c, &provider) || !be16(c, &root) ||
	    !cur_bytes(c, out->provider, sizeof(out->provider)) || !cur_skip(c, SIGNATURE)) {
		err_set(e, BAWN_ERR_FORMAT, "white list: it ends within the provider's certificate");
		return false;
	}
	if (version == VERSION && type == 0 && provider == 0 && root == 0)
		return true;
	err_set(e, BAWN_ERR_FORMAT, "white list: a provider's certificate of version %u, type %u, provider "
		"%u, root %u: 1, 0, 0, 0 expected", version, type, provider, root);
	return false;
}

int ae_white_list_parse(const void *file, size_t n, struct ae_white_list *out,
			struct bawn_error *e)
{
	static const uint8_t zero[32];
	struct cur c = cur_make(file, n), signers;
	uint16_t version, provider;

	*out = (struct ae_white_list){ 0 };
	if (!read_provider(&c, out, e))
		return BAWN_ERR_FORMAT;
	if (!be16(&c, &version) || !be16(&c, &out->type) || !be16(&c, &provider) ||
	    !be16(&c, &out->product) || !be32(&c, &out->version) || !be32(&c, &out->count))
		return err_set(e, BAWN_ERR_FORMAT, "white list: it ends within the list's header");
	if (version != VERSION || provider != 0)
		return err_set(e, BAWN_ERR_FORMAT, "white list: version %u by provider %u: 1 and 0 expected",
			       version, provider);
	if (out->type != AE_LIST_LAUNCH && out->type != AE_LIST_PROVISION)
		return err_set(e, BAWN_ERR_FORMAT, "white list: type %u: 1 (launch) or 2 (provision) expected",
			       out->type);
	if (out->count < 1 || out->count > AE_LIST_ENTRIES_MAX)
		return err_set(e, BAWN_ERR_FORMAT, "white list: %u signers: 1 to %u expected", out->count,
			       AE_LIST_ENTRIES_MAX);
	if (!cur_sub(&c, (size_t)out->count * 32, &signers) || !cur_skip(&c, SIGNATURE) || c.n)
		return err_set(e, BAWN_ERR_FORMAT, "white list: %zu bytes are not those of %u signers", n,
			       out->count);
	out->signers = signers.p;
	out->any = memcmp(signers.p, zero, sizeof(zero)) == 0;
	return 0;
}

int ae_white_list_verify(const void *file, size_t n, const uint8_t root[64], struct bawn_error *e)
{
	const uint8_t *p = file;
	struct ae_white_list list;
	uint8_t digest[32];
	int rc = ae_white_list_parse(file, n, &list, e);

	if (rc)
		return rc;
	crypto_sha256(p, SIGNED_CERTIFICATE, digest);
	if (crypto_p256_verify(root, digest, p + SIGNED_CERTIFICATE, NULL))
		return err_set(e, BAWN_ERR_SIGNATURE, "white list: its provider is not certified by this root");
	crypto_sha256(p + AE_LIST_PROVIDER_BYTES, n - AE_LIST_PROVIDER_BYTES - SIGNATURE, digest);
	if (crypto_p256_verify(list.provider, digest, p + n - SIGNATURE, NULL))
		return err_set(e, BAWN_ERR_SIGNATURE, "white list: the provider's signature does not hold");
	return 0;
}

static void add_be16(struct buf *b, unsigned v)
{
	const uint8_t bytes[] = { (uint8_t)(v >> 8), (uint8_t)v };

	buf_add(b, bytes, sizeof(bytes));
}

/* What was appended since `from`, signed, and the signature appended. */
static int add_signature(struct buf *b, size_t from, const uint8_t d[32], struct bawn_error *e)
{
	uint8_t digest[32], rs[SIGNATURE];
	int rc;

	if (b->failed)
		return err_nomem(e);
	crypto_sha256(b->p + from, b->n - from, digest);
	rc = crypto_p256_sign(d, digest, rs, e);
	if (rc == 0)
		buf_add(b, rs, sizeof(rs));
	return rc ? rc : b->failed ? err_nomem(e) : 0;
}

int ae_white_list_sign(const struct ae_white_list *list, const uint8_t root[32],
		       const uint8_t provider[32], struct buf *out, struct bawn_error *e)
{
	const size_t start = out->n;
	uint8_t xy[64];
	int rc;

	if (list->count < 1 || list->count > AE_LIST_ENTRIES_MAX ||
	    (list->type != AE_LIST_LAUNCH && list->type != AE_LIST_PROVISION))
		return err_set(e, BAWN_ERR_USAGE, "a white list has 1 to %u signers and is of type 1 or 2",
			       AE_LIST_ENTRIES_MAX);
	rc = crypto_p256_public(provider, xy, e);
	if (rc)
		return rc;
	add_be16(out, VERSION);
	for (int i = 0; i < 3; i++)
		add_be16(out, 0);
	buf_add(out, xy, sizeof(xy));
	rc = add_signature(out, start, root, e);
	if (rc)
		return rc;
	add_be16(out, VERSION);
	add_be16(out, list->type);
	add_be16(out, 0);
	add_be16(out, list->product);
	add_be16(out, list->version >> 16);
	add_be16(out, list->version);
	add_be16(out, list->count >> 16);
	add_be16(out, list->count);
	buf_add(out, list->signers, (size_t)list->count * 32);
	return add_signature(out, start + AE_LIST_PROVIDER_BYTES, provider, e);
}
