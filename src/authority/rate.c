/*
 * Rates. A bucket is one instant (the "theoretical arrival time" of the generic
 * cell rate algorithm, ITU-T I.371 annex A): when its tokens will all be back.
 * A bucket whose instant is past is full, so it is as good as none, and its
 * place is free.
 */
#include "authority/authority.h"

#include <stdlib.h>

#define WAYS 8u /* places that a bucket can be in */
#define FOREVER (UINT64_C(1) << 62) /* ns; sums with it do not overflow */

struct bucket {
	uint64_t rule;
	uint32_t uid;
	uint64_t full_at; /* ns */
};
struct authority_rates {
	size_t sets; /* a power of two */
	struct bucket bucket[];
};

int authority_rates_new(struct authority_rates **out, size_t buckets, struct bawn_error *e)
{
	struct authority_rates *r;
	size_t sets = 1;

	while (sets * WAYS < buckets && sets < SIZE_MAX / 4 / WAYS / sizeof(struct bucket))
		sets *= 2;
	r = calloc(1, sizeof(*r) + sets * WAYS * sizeof(struct bucket));
	if (!r)
		return err_nomem(e);
	r->sets = sets;
	*out = r;
	return 0;
}

void authority_rates_free(struct authority_rates **r)
{
	free(*r);
	*r = NULL;
}

/* The bucket of this rule and uid, or the place that it gets. */
static struct bucket *find(struct authority_rates *r, uint64_t rule, uint32_t uid)
{
	uint64_t mixed = (rule ^ (uint64_t)uid << 32 ^ uid) * UINT64_C(0x9e3779b97f4a7c15);
	struct bucket *set = &r->bucket[((mixed >> 32) & (r->sets - 1)) * WAYS], *fullest = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].rule == rule && set[i].uid == uid)
			return &set[i];
		if (set[i].full_at < fullest->full_at)
			fullest = &set[i];
	}
	*fullest = (struct bucket){ .rule = rule, .uid = uid };
	return fullest;
}

uint32_t authority_rate_take(struct authority_rates *r, struct wire_decision *d, uint32_t uid,
			     uint64_t now_ns)
{
	uint64_t each, room, wait, full_at;
	struct bucket *b;

	if (!d->allowed || !d->rate)
		return 0;
	/* A grant's number and a line's can be the same: the top bit tells them apart. */
	b = find(r, d->entry ? d->entry | UINT64_C(1) << 63 : d->line, uid);
	each = (uint64_t)d->rate_seconds * UINT64_C(1000000000) / d->rate;
	if (!mul_u64(each, d->burst ? d->burst - 1 : 0, &room) || room > FOREVER)
		room = FOREVER;
	full_at = b->full_at > now_ns ? b->full_at : now_ns;
	if (full_at - now_ns <= room) {
		b->full_at = full_at + each;
		return 0;
	}
	wait = (full_at - now_ns - room + 999999) / 1000000;
	d->allowed = false;
	d->reason = WIRE_REASON_RATE;
	return wait > UINT32_MAX ? UINT32_MAX : (uint32_t)wait;
}
