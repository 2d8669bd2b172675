/*
 * Collateral of other platforms, for clients. The courier does one thing after
 * the other, and a server may keep it long: so it is asked one thing at a time,
 * users take turns, and who wants the same waits for the same.
 */
#include "daemon/vault.h"

#include <string.h>

static bool same(const struct wire_collateral *a, const struct wire_collateral *b)
{
	return a->tee == b->tee && a->early == b->early && memcmp(a->fmspc, b->fmspc, sizeof(a->fmspc)) == 0 &&
	       strcmp(a->ca, b->ca) == 0;
}

static void ask(struct vault *v, const struct job *j)
{
	const struct wire_collateral *q = &j->native.u.collateral;
	struct role_message m = { .head.type = ROLE_FETCH };

	m.u.fetch = (struct role_fetch){ .what = ROLE_FETCH_COLLATERAL, .tee = q->tee, .early = q->early };
	memcpy(m.u.fetch.fmspc, q->fmspc, sizeof(q->fmspc));
	memcpy(m.u.fetch.ca, q->ca, sizeof(q->ca));
	m.u.fetch.number = ++v->fetch_number;
	if (channel_send_role(v->courier, &m, NULL, 0, NULL))
		return; /* full, or gone: again by and by */
	v->asking = v->fetch_number;
	v->asking_since = clock_ns();
	v->asked = *q;
	v->asked_uid = j->conn->uid;
}

void collateral_next(struct vault *v)
{
	size_t i = v->asking || v->courier < 0 ? SIZE_MAX : parked_turn(v, PARK_FETCHED, v->asked_uid);

	if (i != SIZE_MAX)
		ask(v, v->parked[i]);
	if (!v->asking)
		return;
	for (i = 0; i < v->parked_n; i++) {
		struct job *j = v->parked[i];

		if (j->park == PARK_FETCHED && !j->number && same(&j->native.u.collateral, &v->asked))
			j->number = v->asking;
	}
}

/* What the courier was asked is lost: those who wait for it have it asked again. Under lock. */
static void again(struct vault *v)
{
	v->asking = 0;
	for (size_t i = 0; i < v->parked_n; i++)
		if (v->parked[i]->park == PARK_FETCHED)
			v->parked[i]->number = 0;
	collateral_next(v);
}

void collateral_came(struct vault *v, const struct role_fetched *f, int fd)
{
	bool wanted;

	pthread_mutex_lock(&v->lock);
	wanted = v->asking && f->number == v->asking;
	if (wanted)
		v->asking = 0;
	pthread_mutex_unlock(&v->lock);
	if (!wanted)
		return;
	parked_resume(v, PARK_FETCHED, f->number, f, fd);
	pthread_mutex_lock(&v->lock);
	collateral_next(v);
	pthread_mutex_unlock(&v->lock);
}

void collateral_courier(struct vault *v)
{
	pthread_mutex_lock(&v->lock);
	again(v);
	pthread_mutex_unlock(&v->lock);
}

void collateral_tick(struct vault *v)
{
	pthread_mutex_lock(&v->lock);
	if (v->asking && clock_ns() - v->asking_since > COURIER_NS)
		again(v);
	else
		collateral_next(v);
	pthread_mutex_unlock(&v->lock);
}
