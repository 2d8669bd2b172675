/*
 * The collateral in force. A change makes a new set and swaps it in; readers
 * keep the one they took, so that nothing they look at goes away or moves.
 */
#include "attest/attest.h"
#include "attest/internal.h"

#include <stdlib.h>
#include <string.h>

static void set_release(struct attest_set *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < s->tcb_count; i++)
		attest_item_release(s->tcb[i]);
	for (size_t i = 0; i < s->pck_crl_count; i++)
		attest_item_release(s->pck_crl[i]);
	for (int tdx = 0; tdx < 2; tdx++)
		for (int early = 0; early < 2; early++)
			attest_item_release(s->qe[tdx][early]);
	attest_item_release(s->root_crl);
	free(s);
}

static struct attest_item *keep(struct attest_item *i)
{
	if (i)
		atomic_fetch_add_explicit(&i->refs, 1, memory_order_relaxed);
	return i;
}

static struct attest_set *set_copy(const struct attest_set *old)
{
	struct attest_set *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	/* Field by field: readers are counting in old->refs meanwhile. */
	s->refs = 1;
	s->tcb_count = old->tcb_count;
	s->pck_crl_count = old->pck_crl_count;
	memcpy(s->tcb, old->tcb, sizeof(s->tcb));
	memcpy(s->qe, old->qe, sizeof(s->qe));
	memcpy(s->pck_crl, old->pck_crl, sizeof(s->pck_crl));
	s->root_crl = old->root_crl;
	s->age = old->age + 1;
	for (size_t i = 0; i < s->tcb_count; i++)
		keep(s->tcb[i]);
	for (size_t i = 0; i < s->pck_crl_count; i++)
		keep(s->pck_crl[i]);
	for (int tdx = 0; tdx < 2; tdx++)
		for (int early = 0; early < 2; early++)
			keep(s->qe[tdx][early]);
	keep(s->root_crl);
	return s;
}

/* Note that an item was of use, for choosing what makes way. One store per change of the set. */
static struct attest_item *touch(struct attest_item *i, uint64_t age)
{
	if (atomic_load_explicit(&i->used, memory_order_relaxed) != age)
		atomic_store_explicit(&i->used, age, memory_order_relaxed);
	return i;
}

struct attest_item *attest_set_tcb(const struct attest_set *s, enum bawn_tee tee, const uint8_t fmspc[6],
				   bool early)
{
	for (size_t i = 0; i < s->tcb_count; i++) {
		const struct attest_tcb_info *t = &s->tcb[i]->u.tcb;

		if (t->tee == tee && s->tcb[i]->early == early && memcmp(t->fmspc, fmspc, sizeof(t->fmspc)) == 0)
			return touch(s->tcb[i], s->age);
	}
	return NULL;
}

struct attest_item *attest_set_pck_crl(const struct attest_set *s, const uint8_t issuer[32])
{
	for (size_t i = 0; i < s->pck_crl_count; i++)
		if (memcmp(s->pck_crl[i]->u.crl.issuer, issuer, 32) == 0)
			return touch(s->pck_crl[i], s->age);
	return NULL;
}

/* Into an array: in place of `like`, else at the end, else in place of the least recently used. */
static void replace(struct attest_item **array, size_t *count, size_t max, const struct attest_item *like,
		    struct attest_item *item)
{
	size_t at = 0;

	while (at < *count && array[at] != like)
		at++;
	if (at == *count && *count < max) {
		array[(*count)++] = item;
		return;
	}
	if (at == *count) {
		at = 0;
		for (size_t i = 1; i < *count; i++)
			if (atomic_load(&array[i]->used) < atomic_load(&array[at]->used))
				at = i;
	}
	attest_item_release(array[at]);
	array[at] = item;
}

static void set_add(struct attest_set *s, struct attest_item *i)
{
	struct attest_item **slot;

	touch(i, s->age);
	switch (i->kind) {
	case ATTEST_TCB_INFO:
		replace(s->tcb, &s->tcb_count, ATTEST_TCB_INFOS_MAX,
			attest_set_tcb(s, i->u.tcb.tee, i->u.tcb.fmspc, i->early), i);
		return;
	case ATTEST_PCK_CRL:
		replace(s->pck_crl, &s->pck_crl_count, ATTEST_PCK_CRLS_MAX,
			attest_set_pck_crl(s, i->u.crl.issuer), i);
		return;
	case ATTEST_QE_IDENTITY:
		slot = &s->qe[i->u.qe.tee == BAWN_TEE_TDX][i->early];
		break;
	default:
		slot = &s->root_crl;
	}
	attest_item_release(*slot);
	*slot = i;
}

int attest_store_init(struct attest_store *s, struct bawn_error *e)
{
	s->now = calloc(1, sizeof(*s->now));
	if (!s->now)
		return err_nomem(e);
	s->now->refs = 1;
	pthread_rwlock_init(&s->lock, NULL);
	pthread_mutex_init(&s->change, NULL);
	return 0;
}

void attest_store_destroy(struct attest_store *s)
{
	if (!s->now)
		return;
	set_release(s->now);
	s->now = NULL;
	pthread_mutex_destroy(&s->change);
	pthread_rwlock_destroy(&s->lock);
}

const struct attest_set *attest_store_get(struct attest_store *s)
{
	struct attest_set *set;

	pthread_rwlock_rdlock(&s->lock);
	set = s->now;
	atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
	pthread_rwlock_unlock(&s->lock);
	return set;
}

void attest_store_put(const struct attest_set *set)
{
	set_release((struct attest_set *)(uintptr_t)set);
}

int attest_store_add(struct attest_store *s, struct attest_item *const *items, size_t n, struct bawn_error *e)
{
	struct attest_set *old, *set;

	pthread_mutex_lock(&s->change);
	old = s->now; /* only changed under `change` */
	set = set_copy(old);
	if (!set) {
		pthread_mutex_unlock(&s->change);
		for (size_t i = 0; i < n; i++)
			attest_item_release(items[i]);
		return err_nomem(e);
	}
	for (size_t i = 0; i < n; i++)
		set_add(set, items[i]);
	pthread_rwlock_wrlock(&s->lock);
	s->now = set;
	pthread_rwlock_unlock(&s->lock);
	pthread_mutex_unlock(&s->change);
	set_release(old);
	return 0;
}
