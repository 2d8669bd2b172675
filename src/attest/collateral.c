/* Collateral from bytes to checked items. */
#include "attest/attest.h"
#include "attest/internal.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

void attest_window_narrow(struct attest_window *w, int64_t from, int64_t until, const char *what)
{
	if (from > w->from) {
		w->from = from;
		w->from_what = what;
	}
	if (until < w->until) {
		w->until = until;
		w->until_what = what;
	}
}

void attest_window_meet(struct attest_window *w, const struct attest_window *other)
{
	attest_window_narrow(w, other->from, w->until, other->from_what);
	attest_window_narrow(w, w->from, other->until, other->until_what);
}

void attest_item_release(struct attest_item *i)
{
	if (i && atomic_fetch_sub_explicit(&i->refs, 1, memory_order_acq_rel) == 1)
		free(i);
}

#define ITEM_SIZE(member) (offsetof(struct attest_item, u) + sizeof(((struct attest_item *)0)->u.member))

/* size: of the item with what it is a union of, as far as the kind needs it; that is not cleared. */
static struct attest_item *item_new(enum attest_kind kind, size_t size, struct bawn_error *e)
{
	struct attest_item *i = malloc(size);

	if (!i) {
		err_nomem(e);
		return NULL;
	}
	memset(i, 0, offsetof(struct attest_item, u));
	i->kind = kind;
	i->refs = 1;
	i->window = ATTEST_ALWAYS;
	return i;
}

/* ---- who signed it ---- */

/* A chain of two that was verified, and what counts of it. */
struct signer {
	struct attest_chain chain;
	struct attest_window window;
};

static int check_signer(struct bawn_bytes pem, enum attest_role role, const struct attest_anchor *a,
			struct attest_sigcache *cache, struct signer *s, struct bawn_error *e)
{
	const struct attest_cert *cert = s->chain.cert;
	enum bawn_reason reason;
	int r;

	if (!pem.p)
		return err_set(e, BAWN_ERR_USAGE, "its issuer chain is missing");
	r = attest_chain_parse(pem.p, pem.n, &s->chain, e);
	if (!r)
		r = attest_chain_verify(&s->chain, role, a, cache, &reason, e);
	if (r)
		return r;
	s->window = ATTEST_ALWAYS;
	attest_window_narrow(&s->window, cert[0].not_before, cert[0].not_after,
			     role == ATTEST_ROLE_PCK_CA ? "PCK CA certificate" : "TCB signing certificate");
	attest_window_narrow(&s->window, cert[1].not_before, cert[1].not_after, "root certificate");
	return 0;
}

static void take_signer(struct attest_item *i, const struct signer *s)
{
	i->signer = s->chain.cert[0].serial;
	i->root = s->chain.cert[1].serial;
	attest_window_meet(&i->window, &s->window);
}

static int check_signature(struct cur bytes, const uint8_t key[64], const uint8_t rs[64],
			   struct attest_sigcache *cache, struct bawn_error *e)
{
	uint8_t digest[32];

	crypto_sha256(bytes.p, bytes.n, digest);
	return attest_sigcache_verify(cache, key, digest, rs, e);
}

/* ---- TCB info, QE identity ---- */

static int make_tcb_info(const struct bawn_collateral *c, const struct signer *s,
			 struct attest_sigcache *cache, struct attest_item **out, struct bawn_error *e)
{
	struct attest_item *i = item_new(ATTEST_TCB_INFO, ITEM_SIZE(tcb), e);
	struct attest_tcb_info *t = i ? &i->u.tcb : NULL;
	int r = i ? attest_tcb_info_parse(c->tcb_info.p, c->tcb_info.n, t, e) : BAWN_ERR_MEMORY;

	if (!r)
		r = check_signature(t->signed_bytes, s->chain.cert[0].key, t->signature, cache, e);
	if (r) {
		err_context(e, "TCB info");
		attest_item_release(i);
		return r;
	}
	i->early = c->early;
	t->signed_bytes = cur_make(NULL, 0); /* the caller's text */
	attest_window_narrow(&i->window, t->issued, t->next_update, "TCB info");
	take_signer(i, s);
	*out = i;
	return 0;
}

static int make_qe_identity(const struct bawn_collateral *c, const struct signer *s,
			    struct attest_sigcache *cache, struct attest_item **out, struct bawn_error *e)
{
	struct attest_item *i = item_new(ATTEST_QE_IDENTITY, ITEM_SIZE(qe), e);
	struct attest_qe_identity *q = i ? &i->u.qe : NULL;
	int r = i ? attest_qe_identity_parse(c->qe_identity.p, c->qe_identity.n, q, e) : BAWN_ERR_MEMORY;

	if (!r)
		r = check_signature(q->signed_bytes, s->chain.cert[0].key, q->signature, cache, e);
	if (r) {
		err_context(e, "QE identity");
		attest_item_release(i);
		return r;
	}
	i->early = c->early;
	q->signed_bytes = cur_make(NULL, 0);
	attest_window_narrow(&i->window, q->issued, q->next_update, "QE identity");
	take_signer(i, s);
	*out = i;
	return 0;
}

/* Both, the second mostly by the same signer as the first. Appended to items. */
static int make_statements(const struct bawn_collateral *c, const struct attest_anchor *a,
			   struct attest_sigcache *cache, struct attest_item **items, size_t *count,
			   struct bawn_error *e)
{
	struct signer s;
	int r = 0;

	if (c->tcb_info.p) {
		r = check_signer(c->tcb_chain, ATTEST_ROLE_TCB_SIGNING, a, cache, &s, e);
		if (r)
			err_context(e, "TCB info");
		else if (!(r = make_tcb_info(c, &s, cache, &items[*count], e)))
			++*count;
	}
	if (r || !c->qe_identity.p)
		return r;
	if (c->qe_chain.p || !c->tcb_info.p) {
		r = check_signer(c->qe_chain.p ? c->qe_chain : c->tcb_chain, ATTEST_ROLE_TCB_SIGNING, a, cache, &s, e);
		if (r)
			err_context(e, "QE identity");
	}
	if (!r && !(r = make_qe_identity(c, &s, cache, &items[*count], e)))
		++*count;
	return r;
}

/* ---- revocation lists ---- */

void attest_issuer_id(struct cur name, const uint8_t key[64], uint8_t id[32])
{
	struct crypto_sha256 h;

	crypto_sha256_init(&h);
	crypto_sha256_update(&h, key, 64);
	crypto_sha256_update(&h, name.p, name.n);
	crypto_sha256_final(&h, id);
}

/* Serials are random, or count upward; their last bytes tell them apart either way. */
static size_t serial_hash(const struct attest_serial *s, size_t buckets)
{
	uint32_t h = 0;

	for (size_t i = s->n < 4 ? 0 : s->n - 4u; i < s->n; i++)
		h = h << 8 | s->p[i];
	return (h ^ h >> 16) & (buckets - 1);
}

/* The serial's bucket, or the empty one where it would be; there always is one. */
static uint16_t *serial_bucket(const struct attest_item *i, const struct attest_serial *serial)
{
	size_t b = serial_hash(serial, i->u.crl.buckets);

	while (i->u.crl.bucket[b] && attest_serial_cmp(&i->u.crl.serial[i->u.crl.bucket[b] - 1], serial) != 0)
		b = (b + 1) & (i->u.crl.buckets - 1);
	return &i->u.crl.bucket[b];
}

bool attest_item_revokes(const struct attest_item *i, const struct attest_serial *serial)
{
	return *serial_bucket(i, serial) != 0;
}

struct cur attest_item_ca(const struct attest_item *i)
{
	return cur_make(i->u.crl.certs, i->u.crl.ca_n);
}

struct cur attest_item_root(const struct attest_item *i)
{
	return cur_make(i->u.crl.certs + i->u.crl.ca_n, i->u.crl.root_n);
}

/* One block: the item, serials, buckets, certificates. */
static struct attest_item *crl_item(enum attest_kind kind, const struct attest_crl *crl,
				    const struct attest_chain *chain, struct bawn_error *e)
{
	size_t ca_n = chain ? chain->cert[0].der.n : 0, root_n = chain ? chain->cert[1].der.n : 0, buckets = 4;
	struct cur entries = crl->entries;
	struct attest_item *i;
	uint16_t *b;

	_Static_assert(ATTEST_CRL_ENTRIES_MAX < UINT16_MAX, "an entry's number has 16 bits");
	while (buckets <= 2 * crl->count)
		buckets *= 2;
	i = item_new(kind, ITEM_SIZE(crl) + crl->count * sizeof(struct attest_serial) + buckets * sizeof(*b) + ca_n + root_n, e);
	if (!i)
		return NULL;
	memset(&i->u.crl, 0, sizeof(i->u.crl));
	i->u.crl.bucket = (uint16_t *)((uint8_t *)i + ITEM_SIZE(crl));
	i->u.crl.serial = (struct attest_serial *)(i->u.crl.bucket + buckets);
	i->u.crl.certs = (uint8_t *)(i->u.crl.serial + crl->count);
	i->u.crl.buckets = buckets;
	memset(i->u.crl.bucket, 0, buckets * sizeof(*b));
	while (i->u.crl.count < crl->count && attest_crl_next(&entries, &i->u.crl.serial[i->u.crl.count], NULL)) {
		b = serial_bucket(i, &i->u.crl.serial[i->u.crl.count++]);
		*b = (uint16_t)i->u.crl.count;
	}
	i->u.crl.ca_n = ca_n;
	i->u.crl.root_n = root_n;
	if (chain) {
		memcpy(i->u.crl.certs, chain->der[0], ca_n);
		memcpy(i->u.crl.certs + ca_n, chain->der[1], root_n);
	}
	attest_window_narrow(&i->window, crl->this_update, crl->next_update,
			     kind == ATTEST_ROOT_CRL ? "root's revocation list" : "PCK CA's revocation list");
	return i;
}

static int check_root_crl(const struct attest_crl *crl, const struct attest_anchor *a,
			  struct attest_sigcache *cache, struct attest_item **out, struct bawn_error *e)
{
	int r;

	if (!attest_name_is(crl->issuer, a->names.root, &a->names))
		return err_set(e, BAWN_ERR_SIGNATURE, "it was not issued by \"%s\"", a->names.root);
	r = check_signature(crl->tbs, a->key, crl->signature, cache, e);
	if (r)
		return r;
	*out = crl_item(ATTEST_ROOT_CRL, crl, NULL, e);
	if (!*out)
		return BAWN_ERR_MEMORY;
	attest_issuer_id(crl->issuer, a->key, (*out)->u.crl.issuer);
	return 0;
}

static int check_pck_crl(const struct attest_crl *crl, struct bawn_bytes pem, const struct attest_anchor *a,
			 struct attest_sigcache *cache, struct attest_item **out, struct bawn_error *e)
{
	struct signer s;
	const struct attest_cert *ca = &s.chain.cert[0];
	int r = check_signer(pem, ATTEST_ROLE_PCK_CA, a, cache, &s, e);

	if (r)
		return r;
	if (!attest_name_equal(crl->issuer, ca->subject))
		return err_set(e, BAWN_ERR_SIGNATURE, "it was not issued by the CA of its chain");
	if (ca->has_key_usage && !(ca->key_usage & 1u << 6))
		return err_set(e, BAWN_ERR_SIGNATURE, "its CA may not sign revocation lists");
	r = check_signature(crl->tbs, ca->key, crl->signature, cache, e);
	if (r)
		return r;
	*out = crl_item(ATTEST_PCK_CRL, crl, &s.chain, e);
	if (!*out)
		return BAWN_ERR_MEMORY;
	attest_issuer_id(crl->issuer, ca->key, (*out)->u.crl.issuer);
	take_signer(*out, &s);
	return 0;
}

static int make_crl(const struct bawn_collateral *c, enum attest_kind kind, const struct attest_anchor *a,
		    struct attest_sigcache *cache, struct attest_item **out, struct bawn_error *e)
{
	struct bawn_bytes in = kind == ATTEST_ROOT_CRL ? c->root_crl : c->pck_crl;
	struct attest_crl crl;
	const uint8_t *der;
	bool owned;
	size_t n;
	int r = attest_crl_decode(in.p, in.n, &der, &n, &owned, e);

	if (!r) {
		r = attest_crl_parse(der, n, &crl, e);
		if (!r && kind == ATTEST_ROOT_CRL)
			r = check_root_crl(&crl, a, cache, out, e);
		else if (!r)
			r = check_pck_crl(&crl, c->pck_crl_chain, a, cache, out, e);
		if (owned)
			free((void *)(uintptr_t)der);
	}
	if (r)
		err_context(e, kind == ATTEST_ROOT_CRL ? "root's revocation list" : "PCK CA's revocation list");
	return r;
}

/* ---- all parts ---- */

int attest_collateral_check(const struct bawn_collateral *c, const struct attest_anchor *a,
			    struct attest_sigcache *cache, struct attest_item *items[ATTEST_ITEMS_MAX],
			    size_t *count, struct bawn_error *e)
{
	int r = 0;

	*count = 0;
	if (c->root_crl.p && !(r = make_crl(c, ATTEST_ROOT_CRL, a, cache, &items[*count], e)))
		++*count;
	if (!r && c->pck_crl.p && !(r = make_crl(c, ATTEST_PCK_CRL, a, cache, &items[*count], e)))
		++*count;
	if (!r)
		r = make_statements(c, a, cache, items, count, e);
	while (r && *count > 0)
		attest_item_release(items[--*count]);
	return r;
}
