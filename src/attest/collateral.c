/* Collateral from bytes to checked items. */
#include "attest/attest.h"
#include "attest/internal.h"

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

static struct attest_item *item_new(enum attest_kind kind, size_t size, struct bawn_error *e)
{
	struct attest_item *i = calloc(1, size);

	if (!i) {
		err_nomem(e);
		return NULL;
	}
	i->kind = kind;
	i->refs = 1;
	i->window = ATTEST_ALWAYS;
	return i;
}

/* ---- who signed it ---- */

/* Verify a chain of two, and take over what counts of it. */
static int check_chain(struct bawn_bytes pem, enum attest_role role, const struct attest_anchor *a,
		       struct attest_sigcache *cache, struct attest_chain *chain, struct attest_item *i,
		       struct bawn_error *e)
{
	enum bawn_reason reason;
	int r = attest_chain_parse(pem.p, pem.n, chain, e);

	if (!r)
		r = attest_chain_verify(chain, role, a, cache, &reason, e);
	if (r)
		return r;
	i->signer = chain->cert[0].serial;
	i->root = chain->cert[1].serial;
	attest_window_narrow(&i->window, chain->cert[0].not_before, chain->cert[0].not_after,
			     role == ATTEST_ROLE_PCK_CA ? "PCK CA certificate" : "TCB signing certificate");
	attest_window_narrow(&i->window, chain->cert[1].not_before, chain->cert[1].not_after, "root certificate");
	return 0;
}

static int check_signature(struct cur bytes, const uint8_t key[64], const uint8_t rs[64],
			   struct attest_sigcache *cache, struct bawn_error *e)
{
	uint8_t digest[32];

	crypto_sha256(bytes.p, bytes.n, digest);
	return attest_sigcache_verify(cache, key, digest, rs, e);
}

static int no_chain(struct bawn_error *e)
{
	return err_set(e, BAWN_ERR_USAGE, "its issuer chain is missing");
}

/* ---- TCB info, QE identity ---- */

static int make_tcb_info(const struct bawn_collateral *c, const struct attest_anchor *a,
			 struct attest_sigcache *cache, struct attest_item **out, struct bawn_error *e)
{
	struct attest_item *i = item_new(ATTEST_TCB_INFO, sizeof(*i), e);
	struct attest_chain chain;
	int r = i ? attest_tcb_info_parse(c->tcb_info.p, c->tcb_info.n, &i->u.tcb, e) : BAWN_ERR_MEMORY;

	if (!r && !c->tcb_chain.p)
		r = no_chain(e);
	if (!r)
		r = check_chain(c->tcb_chain, ATTEST_ROLE_TCB_SIGNING, a, cache, &chain, i, e);
	if (!r)
		r = check_signature(i->u.tcb.signed_bytes, chain.cert[0].key, i->u.tcb.signature, cache, e);
	if (r) {
		err_context(e, "TCB info");
		attest_item_release(i);
		return r;
	}
	i->early = c->early;
	i->u.tcb.signed_bytes = cur_make(NULL, 0); /* the caller's text */
	attest_window_narrow(&i->window, i->u.tcb.issued, i->u.tcb.next_update, "TCB info");
	*out = i;
	return 0;
}

static int make_qe_identity(const struct bawn_collateral *c, const struct attest_anchor *a,
			    struct attest_sigcache *cache, struct attest_item **out, struct bawn_error *e)
{
	struct bawn_bytes pem = c->qe_chain.p ? c->qe_chain : c->tcb_chain;
	struct attest_item *i = item_new(ATTEST_QE_IDENTITY, sizeof(*i), e);
	struct attest_chain chain;
	int r = i ? attest_qe_identity_parse(c->qe_identity.p, c->qe_identity.n, &i->u.qe, e) : BAWN_ERR_MEMORY;

	if (!r && !pem.p)
		r = no_chain(e);
	if (!r)
		r = check_chain(pem, ATTEST_ROLE_TCB_SIGNING, a, cache, &chain, i, e);
	if (!r)
		r = check_signature(i->u.qe.signed_bytes, chain.cert[0].key, i->u.qe.signature, cache, e);
	if (r) {
		err_context(e, "QE identity");
		attest_item_release(i);
		return r;
	}
	i->early = c->early;
	i->u.qe.signed_bytes = cur_make(NULL, 0);
	attest_window_narrow(&i->window, i->u.qe.issued, i->u.qe.next_update, "QE identity");
	*out = i;
	return 0;
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

static int serial_cmp(const void *a, const void *b)
{
	return attest_serial_cmp(a, b);
}

bool attest_item_revokes(const struct attest_item *i, const struct attest_serial *serial)
{
	return bsearch(serial, i->u.crl.serial, i->u.crl.count, sizeof(*serial), serial_cmp) != NULL;
}

static const uint8_t *after_serials(const struct attest_item *i)
{
	return (const uint8_t *)(i->u.crl.serial + i->u.crl.count);
}

struct cur attest_item_ca(const struct attest_item *i)
{
	return cur_make(after_serials(i), i->u.crl.ca_n);
}

struct cur attest_item_root(const struct attest_item *i)
{
	return cur_make(after_serials(i) + i->u.crl.ca_n, i->u.crl.root_n);
}

/* Serials to a sorted table; lists mostly come in the order of revocation. */
static struct attest_item *crl_item(enum attest_kind kind, const struct attest_crl *crl,
				    const struct attest_chain *chain, struct bawn_error *e)
{
	size_t ca_n = chain ? chain->cert[0].der.n : 0, root_n = chain ? chain->cert[1].der.n : 0;
	struct cur entries = crl->entries;
	struct attest_item *i;
	int64_t since;
	size_t n;

	i = item_new(kind, sizeof(*i) + crl->count * sizeof(struct attest_serial) + ca_n + root_n, e);
	if (!i)
		return NULL;
	for (n = 0; n < crl->count && attest_crl_next(&entries, &i->u.crl.serial[n], &since); n++)
		;
	i->u.crl.count = n;
	qsort(i->u.crl.serial, n, sizeof(struct attest_serial), serial_cmp);
	i->u.crl.ca_n = ca_n;
	i->u.crl.root_n = root_n;
	if (chain) {
		memcpy((uint8_t *)(i->u.crl.serial + n), chain->der[0], ca_n);
		memcpy((uint8_t *)(i->u.crl.serial + n) + ca_n, chain->der[1], root_n);
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

static int check_pck_crl(const struct attest_crl *crl, const struct attest_chain *chain,
			 struct attest_sigcache *cache, struct attest_item **out, struct bawn_error *e)
{
	const struct attest_cert *ca = &chain->cert[0];
	int r;

	if (!attest_name_equal(crl->issuer, ca->subject))
		return err_set(e, BAWN_ERR_SIGNATURE, "it was not issued by the CA of its chain");
	if (ca->has_key_usage && !(ca->key_usage & 1u << 6))
		return err_set(e, BAWN_ERR_SIGNATURE, "its CA may not sign revocation lists");
	r = check_signature(crl->tbs, ca->key, crl->signature, cache, e);
	if (r)
		return r;
	*out = crl_item(ATTEST_PCK_CRL, crl, chain, e);
	if (!*out)
		return BAWN_ERR_MEMORY;
	attest_issuer_id(crl->issuer, ca->key, (*out)->u.crl.issuer);
	return 0;
}

static int make_crl(const struct bawn_collateral *c, enum attest_kind kind, const struct attest_anchor *a,
		    struct attest_sigcache *cache, struct attest_item **out, struct bawn_error *e)
{
	struct bawn_bytes in = kind == ATTEST_ROOT_CRL ? c->root_crl : c->pck_crl;
	struct attest_item chain_part = { .window = ATTEST_ALWAYS };
	struct attest_chain chain;
	struct attest_crl crl;
	const uint8_t *der;
	bool owned;
	size_t n;
	int r = attest_crl_decode(in.p, in.n, &der, &n, &owned, e);

	if (!r) {
		r = attest_crl_parse(der, n, &crl, e);
		if (!r && kind == ATTEST_ROOT_CRL) {
			r = check_root_crl(&crl, a, cache, out, e);
		} else if (!r) {
			r = c->pck_crl_chain.p ? check_chain(c->pck_crl_chain, ATTEST_ROLE_PCK_CA, a, cache, &chain,
							     &chain_part, e)
					       : no_chain(e);
			if (!r)
				r = check_pck_crl(&crl, &chain, cache, out, e);
		}
		if (owned)
			free((void *)(uintptr_t)der);
	}
	if (r) {
		err_context(e, kind == ATTEST_ROOT_CRL ? "root's revocation list" : "PCK CA's revocation list");
		return r;
	}
	(*out)->signer = chain_part.signer;
	(*out)->root = chain_part.root;
	attest_window_meet(&(*out)->window, &chain_part.window);
	return 0;
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
	if (!r && c->tcb_info.p && !(r = make_tcb_info(c, a, cache, &items[*count], e)))
		++*count;
	if (!r && c->qe_identity.p && !(r = make_qe_identity(c, a, cache, &items[*count], e)))
		++*count;
	while (r && *count > 0)
		attest_item_release(items[--*count]);
	return r;
}
