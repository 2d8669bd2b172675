/*
 * The desk: which enclaves are resident, and who waits for them. One lock
 * guards the books; it is never held while an enclave is loaded or runs.
 */
#include "ae/desk.h"

#include <stdlib.h>
#include <string.h>

#define INSTANCES_MAX 64u
#define QUEUE_DEFAULT 64u

/* An enclave, or room for one. Whoever holds it alone touches `en`. */
struct instance {
	struct bawn_enclave *en; /* NULL: not loaded */
	bool held;
	uint64_t idle_since; /* clock_ns, while resident and not held */
};

/* A caller in the queue, on its own stack. */
struct waiter {
	struct waiter *next;
	pthread_cond_t turn;
	struct instance *granted;
	bool refused;
};

struct kind {
	struct instance *instance;
	unsigned count, pins, waiting;
	struct waiter *first, **last;
	uint32_t keep_ms;
	pthread_mutex_t loading; /* the source is asked for one at a time */
	bool needs_token;        /* learnt from a refusal */
	bool known;              /* loaded before: isvsvn is its */
	uint16_t isvsvn;
	uint64_t calls, loads, losses;
};

struct ae_desk {
	pthread_mutex_t lock;
	pthread_cond_t left; /* somebody gave an instance back */
	struct ae_source source;
	struct kind kind[AE_ENCLAVES];
	unsigned queue;
	bool closed;
	uint8_t ppid_key[AE_PEK_BYTES];
	bool has_ppid_key;
	struct desk_lists lists;
};

/* ---- making and freeing ---- */

static bool kind_init(struct kind *k, unsigned count, uint32_t keep_ms)
{
	k->count = count ? count : 1;
	k->keep_ms = keep_ms;
	k->last = &k->first;
	pthread_mutex_init(&k->loading, NULL);
	k->instance = calloc(k->count, sizeof(*k->instance));
	return k->instance != NULL;
}

int ae_desk_new(struct ae_desk **out, const struct ae_desk_options *opt, struct bawn_error *e)
{
	struct ae_desk *d;
	bool good = true;

	*out = NULL;
	if (!opt->source.load)
		return err_set(e, BAWN_ERR_USAGE, "a desk needs a source of enclaves");
	for (int i = 0; i < AE_ENCLAVES; i++)
		if (opt->instances[i] > INSTANCES_MAX)
			return err_set(e, BAWN_ERR_USAGE, "%u instances of an enclave: %u at most",
				       opt->instances[i], INSTANCES_MAX);
	/* The version rule of white lists is the enclave's own: two could disagree. */
	if (opt->instances[AE_LAUNCH] > 1)
		return err_set(e, BAWN_ERR_USAGE, "there is one launch enclave at a time");
	d = calloc(1, sizeof(*d));
	if (!d)
		return err_nomem(e);
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->left, NULL);
	d->source = opt->source;
	d->queue = opt->queue ? opt->queue : QUEUE_DEFAULT;
	d->has_ppid_key = opt->ppid_key != NULL;
	if (opt->ppid_key)
		memcpy(d->ppid_key, opt->ppid_key, sizeof(d->ppid_key));
	for (int i = 0; i < AE_ENCLAVES; i++)
		good &= kind_init(&d->kind[i], opt->instances[i], opt->keep_ms[i]);
	if (!good) {
		ae_desk_free(&d);
		return err_nomem(e);
	}
	*out = d;
	return 0;
}

void ae_desk_free(struct ae_desk **desk)
{
	struct ae_desk *d = *desk;

	if (!d)
		return;
	*desk = NULL;
	for (int i = 0; i < AE_ENCLAVES; i++) {
		struct kind *k = &d->kind[i];

		for (unsigned n = 0; k->instance && n < k->count; n++)
			bawn_enclave_free(&k->instance[n].en);
		free(k->instance);
		pthread_mutex_destroy(&k->loading);
	}
	free(d->lists.list[0]);
	free(d->lists.list[1]);
	pthread_cond_destroy(&d->left);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

const uint8_t *desk_ppid_key(const struct ae_desk *d)
{
	return d->has_ppid_key ? d->ppid_key : NULL;
}

struct desk_lists *desk_lists(struct ae_desk *d)
{
	return &d->lists;
}

/* ---- the queue ---- */

static struct instance *find_free(struct kind *k)
{
	struct instance *empty = NULL;

	for (unsigned i = 0; i < k->count; i++) {
		if (k->instance[i].held)
			continue;
		if (k->instance[i].en)
			return &k->instance[i];
		empty = &k->instance[i];
	}
	return empty;
}

static int closed_error(struct bawn_error *e)
{
	return err_set(e, BAWN_ERR_BUSY, "the enclaves are put away (a TCB update, or shutting down): try "
		       "again later");
}

/* The lock is held. First come, first served: who comes later does not overtake who waits. */
static int take(struct ae_desk *d, struct kind *k, struct instance **out, struct bawn_error *e)
{
	struct waiter w = { .turn = PTHREAD_COND_INITIALIZER };

	*out = NULL;
	if (d->closed)
		return closed_error(e);
	if (!k->first)
		*out = find_free(k);
	if (*out) {
		(*out)->held = true;
		return 0;
	}
	if (k->waiting >= d->queue)
		return err_set(e, BAWN_ERR_BUSY, "%u callers wait for the enclave already: try again later",
			       k->waiting);
	*k->last = &w;
	k->last = &w.next;
	k->waiting++;
	while (!w.granted && !w.refused)
		pthread_cond_wait(&w.turn, &d->lock);
	pthread_cond_destroy(&w.turn);
	*out = w.granted;
	return w.granted ? 0 : closed_error(e);
}

static struct waiter *leave_queue(struct kind *k)
{
	struct waiter *w = k->first;

	k->first = w->next;
	if (!k->first)
		k->last = &k->first;
	k->waiting--;
	return w;
}

/*
 * The lock is held. Hands the instance to who waits longest, or lays it aside.
 * Returns an enclave to free, once the lock is not held.
 */
static struct bawn_enclave *give(struct ae_desk *d, struct kind *k, struct instance *i)
{
	struct bawn_enclave *drop = NULL;

	if (k->first) {
		struct waiter *w = leave_queue(k);

		w->granted = i;
		pthread_cond_signal(&w->turn);
		return NULL;
	}
	i->held = false;
	i->idle_since = clock_ns();
	if (d->closed || (k->keep_ms == 0 && k->pins == 0)) {
		drop = i->en;
		i->en = NULL;
	}
	pthread_cond_broadcast(&d->left);
	return drop;
}

/* ---- loading ---- */

/* Where launch control is locked, the launch enclave is asked for a token first. */
static int load_with_token(struct ae_desk *d, enum ae_enclave which, struct bawn_enclave **out,
			   struct bawn_error *e)
{
	struct isa_einittoken token;
	struct bawn_error why = { 0 };
	struct ae_identity who = { 0 };
	int rc = d->source.identify(d->source.arg, which, &who, e);

	if (rc == 0)
		rc = ae_desk_token(d, &who, &token, &why);
	if (rc && why.code) {
		/* Whoever wants something of the enclave is not who was refused. */
		rc = rc == BAWN_ERR_DENIED ? BAWN_ERR_SYSTEM : rc;
		err_context(&why, "no launch token for the %s enclave%s", ae_enclave_name(which),
			    who.attributes.flags & ATTR_PROVISIONKEY ? " (which has PROVISION_KEY)" : "");
		why.code = (enum bawn_code)rc;
		if (e && !e->code)
			*e = why;
	}
	if (rc == 0)
		rc = d->source.load(d->source.arg, which, &token, out, e);
	return rc;
}

static int load_one(struct ae_desk *d, enum ae_enclave which, struct bawn_enclave **out,
		    struct bawn_error *e)
{
	struct kind *k = &d->kind[which];
	struct bawn_error why = { 0 };
	int rc;

	if (k->needs_token)
		return load_with_token(d, which, out, e);
	rc = d->source.load(d->source.arg, which, NULL, out, &why);
	if (rc == BAWN_ERR_SGX && why.sgx_status == ISA_INVALID_EINITTOKEN && which != AE_LAUNCH &&
	    d->source.identify) {
		why = (struct bawn_error){ 0 };
		rc = load_with_token(d, which, out, &why);
		k->needs_token = rc == 0;
	}
	if (rc && e && !e->code)
		*e = why;
	return rc;
}

static int load_instance(struct ae_desk *d, enum ae_enclave which, struct instance *i,
			 struct bawn_error *e)
{
	struct kind *k = &d->kind[which];
	struct bawn_enclave_info info;
	int rc;

	if (i->en)
		return 0;
	pthread_mutex_lock(&k->loading);
	rc = load_one(d, which, &i->en, e);
	pthread_mutex_unlock(&k->loading);
	if (rc == 0 && which == AE_LAUNCH) {
		rc = desk_give_lists(i->en, &d->lists, e);
		if (rc)
			bawn_enclave_free(&i->en);
	}
	if (rc == 0) {
		bawn_enclave_info(i->en, &info);
		pthread_mutex_lock(&d->lock);
		k->loads++;
		k->known = true;
		k->isvsvn = info.isvsvn;
		pthread_mutex_unlock(&d->lock);
	}
	return rc;
}

bool desk_known_isvsvn(struct ae_desk *d, enum ae_enclave which, uint16_t *isvsvn)
{
	bool known;

	pthread_mutex_lock(&d->lock);
	known = d->kind[which].known;
	*isvsvn = d->kind[which].isvsvn;
	pthread_mutex_unlock(&d->lock);
	return known;
}

/* The caller holds the instance. */
static int run(struct ae_desk *d, enum ae_enclave which, struct instance *i, desk_fn fn, void *arg,
	       struct bawn_error *e)
{
	struct bawn_error why = { 0 };
	int rc = 0;

	for (int attempt = 0; attempt < 2; attempt++) {
		why = (struct bawn_error){ 0 };
		rc = load_instance(d, which, i, &why);
		if (rc == 0)
			rc = fn(i->en, arg, &why);
		/* Neither comes back to life: a new one is loaded for the next, or for this one again. */
		if (rc == BAWN_ERR_LOST || rc == BAWN_ERR_CRASHED)
			bawn_enclave_free(&i->en);
		if (rc != BAWN_ERR_LOST)
			break;
		pthread_mutex_lock(&d->lock);
		d->kind[which].losses++;
		pthread_mutex_unlock(&d->lock);
	}
	if (rc && e && !e->code)
		*e = why;
	return rc;
}

int desk_do(struct ae_desk *d, enum ae_enclave which, desk_fn fn, void *arg, struct bawn_error *e)
{
	struct kind *k = &d->kind[which];
	struct bawn_enclave *drop;
	struct instance *i;
	int rc;

	pthread_mutex_lock(&d->lock);
	rc = take(d, k, &i, e);
	if (rc == 0)
		k->calls++;
	pthread_mutex_unlock(&d->lock);
	if (rc)
		return rc;
	rc = run(d, which, i, fn, arg, e);
	pthread_mutex_lock(&d->lock);
	drop = give(d, k, i);
	pthread_mutex_unlock(&d->lock);
	bawn_enclave_free(&drop);
	return rc;
}

/* ---- residency ---- */

/*
 * The lock is held. Takes the enclaves that have been idle since before
 * `until` out of the books, at most max of them.
 */
static unsigned collect(struct kind *k, uint64_t until, struct bawn_enclave **out, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < k->count && n < max; i++) {
		struct instance *x = &k->instance[i];

		if (x->held || !x->en || x->idle_since > until)
			continue;
		out[n++] = x->en;
		x->en = NULL;
	}
	return n;
}

static void free_all(struct bawn_enclave **en, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		bawn_enclave_free(&en[i]);
}

void desk_pin(struct ae_desk *d, unsigned kinds)
{
	pthread_mutex_lock(&d->lock);
	for (int i = 0; i < AE_ENCLAVES; i++)
		if (kinds & DESK_BIT(i))
			d->kind[i].pins++;
	pthread_mutex_unlock(&d->lock);
}

void desk_unpin(struct ae_desk *d, unsigned kinds)
{
	struct bawn_enclave *drop[AE_ENCLAVES * INSTANCES_MAX];
	unsigned n = 0;

	pthread_mutex_lock(&d->lock);
	for (int i = 0; i < AE_ENCLAVES; i++) {
		struct kind *k = &d->kind[i];

		if (!(kinds & DESK_BIT(i)))
			continue;
		k->pins--;
		if (k->pins == 0 && k->keep_ms == 0)
			n += collect(k, UINT64_MAX, drop + n, k->count);
	}
	pthread_mutex_unlock(&d->lock);
	free_all(drop, n);
}

static bool anyone_in(const struct ae_desk *d)
{
	for (int i = 0; i < AE_ENCLAVES; i++)
		for (unsigned n = 0; n < d->kind[i].count; n++)
			if (d->kind[i].instance[n].held)
				return true;
	return false;
}

void ae_desk_close(struct ae_desk *d)
{
	struct bawn_enclave *drop[AE_ENCLAVES * INSTANCES_MAX];
	unsigned n = 0;

	pthread_mutex_lock(&d->lock);
	d->closed = true;
	for (int i = 0; i < AE_ENCLAVES; i++)
		while (d->kind[i].first) {
			struct waiter *w = leave_queue(&d->kind[i]);

			w->refused = true;
			pthread_cond_signal(&w->turn);
		}
	while (d->closed && anyone_in(d))
		pthread_cond_wait(&d->left, &d->lock);
	for (int i = 0; d->closed && i < AE_ENCLAVES; i++)
		n += collect(&d->kind[i], UINT64_MAX, drop + n, d->kind[i].count);
	pthread_mutex_unlock(&d->lock);
	free_all(drop, n);
}

void ae_desk_open(struct ae_desk *d)
{
	pthread_mutex_lock(&d->lock);
	d->closed = false;
	pthread_cond_broadcast(&d->left);
	pthread_mutex_unlock(&d->lock);
}

/* The lock is held. Milliseconds until the first of this kind may go, or -1. */
static int64_t next_expiry(const struct kind *k, uint64_t now)
{
	int64_t best = -1;

	for (unsigned i = 0; i < k->count; i++) {
		const struct instance *x = &k->instance[i];
		uint64_t idle = (now - x->idle_since) / 1000000;
		int64_t left = idle < k->keep_ms ? (int64_t)(k->keep_ms - idle) : 0;

		if (!x->held && x->en && (best < 0 || left < best))
			best = left;
	}
	return best;
}

int ae_desk_expire(struct ae_desk *d)
{
	struct bawn_enclave *drop[AE_ENCLAVES * INSTANCES_MAX];
	uint64_t now = clock_ns();
	int64_t best = -1;
	unsigned n = 0;

	pthread_mutex_lock(&d->lock);
	for (int i = 0; i < AE_ENCLAVES; i++) {
		struct kind *k = &d->kind[i];
		uint64_t keep = (uint64_t)k->keep_ms * 1000000;
		int64_t left;

		if (k->keep_ms == AE_KEEP || k->pins)
			continue;
		if (now >= keep)
			n += collect(k, now - keep, drop + n, k->count);
		left = next_expiry(k, now);
		if (left >= 0 && (best < 0 || left < best))
			best = left;
	}
	pthread_mutex_unlock(&d->lock);
	free_all(drop, n);
	return best > INT32_MAX ? INT32_MAX : (int)best;
}

void ae_desk_state(struct ae_desk *d, struct ae_desk_state *out)
{
	*out = (struct ae_desk_state){ 0 };
	pthread_mutex_lock(&d->lock);
	out->closed = d->closed;
	for (int i = 0; i < AE_ENCLAVES; i++) {
		const struct kind *k = &d->kind[i];

		for (unsigned n = 0; n < k->count; n++) {
			out->enclave[i].busy += k->instance[n].held;
			/* `en` of one that is held is its holder's: there is one, or will be. */
			out->enclave[i].resident += k->instance[n].held || k->instance[n].en;
		}
		out->enclave[i].waiting = k->waiting;
		out->enclave[i].calls = k->calls;
		out->enclave[i].loads = k->loads;
		out->enclave[i].losses = k->losses;
	}
	pthread_mutex_unlock(&d->lock);
}
