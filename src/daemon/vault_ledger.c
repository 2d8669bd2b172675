/*
 * The audit log's end, sealed by the ledger enclave where there is one: who can
 * write all our files, but came after a line was written, cannot make us believe
 * that the log ended before it (doc/AUDIT.md). Sealed are the ends that
 * vault_anchor.c keeps as they are; by a thread of its own, since nobody waits
 * for it, and nobody is to wait while it loads the enclave.
 */
#include "daemon/vault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LEDGER_FILE "ledger"
#define LEDGER_EVERY (10 * SECOND_NS)
#define LEDGER_LAST (3 * SECOND_NS) /* for the last time, while the service stops */
#define LEDGER_LATE (20 * SECOND_NS) /* it does not answer */
#define NOT_SEALED "audit log: its end is not sealed: "

/* ---- waiting ---- */

void ledger_init(struct vault *v)
{
	pthread_condattr_t a;

	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&v->ledger.news, &a);
	pthread_condattr_destroy(&a);
}

/* Under lock. False: that time (clock_ns) is over. */
static bool wait_until(struct vault *v, uint64_t when)
{
	const struct timespec t = { .tv_sec = (time_t)(when / SECOND_NS), .tv_nsec = (long)(when % SECOND_NS) };

	return pthread_cond_timedwait(&v->ledger.news, &v->lock, &t) != ETIMEDOUT && clock_ns() < when;
}

void ledger_look(struct vault *v)
{
	pthread_mutex_lock(&v->lock);
	v->ledger.look = true;
	pthread_cond_broadcast(&v->ledger.news);
	pthread_mutex_unlock(&v->lock);
}

void ledger_stop(struct vault *v)
{
	const uint64_t until = clock_ns() + LEDGER_LAST;

	pthread_mutex_lock(&v->lock);
	v->ledger.last = true;
	pthread_cond_broadcast(&v->ledger.news);
	while (!v->ledger.done && wait_until(v, until))
		;
	pthread_mutex_unlock(&v->lock);
}

/* ---- what the parent is asked ---- */

void ledger_line(struct vault *v, const struct role_line *now)
{
	pthread_mutex_lock(&v->lock);
	if (v->ledger.asked == LEDGER_LINE) {
		v->ledger.line = *now;
		v->ledger.asked = LEDGER_NOTHING;
		pthread_cond_broadcast(&v->ledger.news);
	}
	pthread_mutex_unlock(&v->lock);
}

void ledger_key(struct vault *v, const struct role_key *k)
{
	pthread_mutex_lock(&v->lock);
	if (v->ledger.asked == LEDGER_KEY) {
		v->ledger.key = *k;
		v->ledger.asked = LEDGER_NOTHING;
		pthread_cond_broadcast(&v->ledger.news);
	}
	pthread_mutex_unlock(&v->lock);
}

/* Asks, and waits for the answer; without one it is asked again by and by. */
static bool ask_line(struct vault *v, uint64_t number, struct role_line *out)
{
	const uint64_t until = clock_ns() + LEDGER_EVERY;
	struct ledger *l = &v->ledger;
	bool answered;

	pthread_mutex_lock(&v->lock);
	l->since = 0;
	l->asked = LEDGER_LINE;
	pthread_mutex_unlock(&v->lock);
	anchor_ask_line(number);
	pthread_mutex_lock(&v->lock);
	while (l->asked && !l->last && wait_until(v, until))
		;
	answered = !l->asked;
	l->asked = LEDGER_NOTHING;
	*out = l->line;
	l->since = clock_ns();
	pthread_mutex_unlock(&v->lock);
	return answered;
}

static bool ask_key(struct vault *v, struct role_key *out)
{
	const struct role_message m = { .head.type = ROLE_KEY_ASK };
	const uint64_t until = clock_ns() + LEDGER_EVERY;
	struct ledger *l = &v->ledger;
	bool answered;

	pthread_mutex_lock(&v->lock);
	l->since = 0;
	l->asked = LEDGER_KEY;
	pthread_mutex_unlock(&v->lock);
	if (channel_send_role(FD_PARENT, &m, NULL, 0, NULL))
		_exit(1); /* no parent, no service */
	pthread_mutex_lock(&v->lock);
	while (l->asked && !l->last && wait_until(v, until))
		;
	answered = !l->asked;
	l->asked = LEDGER_NOTHING;
	*out = l->key;
	l->since = clock_ns();
	wipe(&l->key, sizeof(l->key));
	pthread_mutex_unlock(&v->lock);
	return answered;
}

/* ---- what comes of it ---- */

/* Why it is not sealed, for status; NULL: it is, or is not to be. */
static void unsealed(struct vault *v, const struct bawn_error *why)
{
	char text[WIRE_NOTE] = "";
	bool new;

	if (why)
		text_printf(text, sizeof(text), NOT_SEALED "%s", why->msg);
	pthread_mutex_lock(&v->lock);
	new = why && !v->unsealed[0];
	memcpy(v->unsealed, text, sizeof(text));
	pthread_mutex_unlock(&v->lock);
	if (new)
		log_msg(LOG_WARN, NOT_SEALED "%s", why->msg); /* all of it */
}

void ledger_problem(const struct vault *v, char problem[WIRE_NOTE])
{
	if (v->ledger.since && clock_ns() - v->ledger.since > LEDGER_LATE)
		text_printf(problem, WIRE_NOTE, NOT_SEALED "the ledger enclave does not answer");
	else
		memcpy(problem, v->unsealed, WIRE_NOTE);
}

/* The enclave is not to be had, or cannot do it, for now; that it is put away is nobody's failure. */
static void failed(struct vault *v, const struct bawn_error *why)
{
	if (why->code != BAWN_ERR_BUSY)
		unsealed(v, why);
}

/* Of an error: the enclave refused, for good. */
static bool refused(const struct bawn_error *e)
{
	return e->code == BAWN_ERR_DENIED && e->sgx_status >= AE_LEDGER_BLOB && e->sgx_status <= AE_LEDGER_FAR;
}

static bool refused_blob(const struct bawn_error *e)
{
	return refused(e) && (e->sgx_status == AE_LEDGER_BLOB || e->sgx_status == AE_LEDGER_ABOVE);
}

static void write_blob(struct vault *v)
{
	struct ledger *l = &v->ledger;
	struct bawn_error e = { 0 };

	l->unwritten = authority_state_write(FD_VAULT_STATE, LEDGER_FILE, l->blob, sizeof(l->blob), 4096, &e) != 0;
	unsealed(v, l->unwritten ? &e : NULL);
}

static int read_blob(struct vault *v, struct ae_desk *desk, struct bawn_error *e)
{
	struct ledger *l = &v->ledger;
	struct ae_ledger_state s;
	int r = ae_desk_ledger_read(desk, l->blob, &s, e);

	if (r)
		return r;
	l->first = get_le64(s.first);
	memcpy(l->name, s.name, sizeof(l->name));
	return authority_anchor_decode(s.end, sizeof(s.end), &l->end, e);
}

/* From where on there is a sealed word: who reads the record is to miss it where there is none any more. */
static void tell_first(struct vault *v)
{
	const struct ledger *l = &v->ledger;
	char hex[2 * AE_LEDGER_NAME_BYTES + 1];

	hex_encode(l->name, sizeof(l->name), hex);
	if (l->first > 1)
		vault_note(v, WIRE_AUDIT_START, "audit log: its end is sealed, but not that of what was before line %llu (%s)",
			   (unsigned long long)l->first, hex);
	else
		vault_note(v, WIRE_AUDIT_START, "audit log: its end is sealed, from the first line on");
}

/* ---- taking up what is sealed, or beginning ---- */

/* Is there one, or was one named that is not there? */
static bool wanted(const struct vault *v, const struct enclaves *x)
{
	return v->config->ledger_wanted || stream_has(x->fd, ENCLAVE_LEDGER);
}

/* That nothing was sealed yet is no problem where the owner has not said that it should be. */
static void not_begun(struct vault *v, const struct bawn_error *why)
{
	static bool told;

	if (v->config->ledger_wanted) {
		failed(v, why);
	} else if (why->code != BAWN_ERR_BUSY && !told) {
		told = true;
		log_msg(LOG_WARN, NOT_SEALED "%s", why->msg);
	}
}

/* The log's key is asked for only where there is an enclave that works: nobody else is to have it. */
static bool works(struct vault *v, const struct enclaves *x)
{
	static const uint8_t none[AE_LEDGER_BLOB_BYTES];
	struct ae_ledger_state s;
	struct bawn_error e = { 0 };

	if (ae_desk_ledger_read(x->desk, none, &s, &e) && refused_blob(&e))
		return true;
	if (!e.code)
		err_set(&e, BAWN_ERR_FORMAT, "this is no ledger enclave");
	not_begun(v, &e);
	return false;
}

static bool begin(struct vault *v, const struct enclaves *x)
{
	struct ledger *l = &v->ledger;
	uint8_t end[AUTHORITY_ANCHOR];
	struct bawn_error e = { 0 };
	struct role_key k;
	int r;

	if (!wanted(v, x)) {
		unsealed(v, NULL);
		return false;
	}
	if (!works(v, x) || !ask_key(v, &k))
		return false;
	authority_anchor_encode(&k.from, end);
	r = ae_desk_ledger_begin(x->desk, end, k.key, l->blob, &e);
	wipe(&k, sizeof(k));
	if (r == 0)
		r = read_blob(v, x->desk, &e);
	if (r) {
		not_begun(v, &e);
		return false;
	}
	write_blob(v);
	tell_first(v);
	return true;
}

static void damaged(struct vault *v, const char *how)
{
	static const struct wire_anchor unknown;

	anchor_fault(v, &unknown, "audit log: its end as sealed cannot be read, so it may have been cut off: %s", how);
}

static bool take_up(struct vault *v, const struct enclaves *x)
{
	struct ledger *l = &v->ledger;
	struct bawn_error e = { 0 };
	struct role_line line;
	uint8_t *p = NULL;
	size_t n = 0;
	int r = authority_state_read(FD_VAULT_STATE, LEDGER_FILE, sizeof(l->blob), &p, &n, &e);

	if (r == BAWN_ERR_NOT_FOUND)
		return begin(v, x);
	if (r == 0 && n == sizeof(l->blob))
		memcpy(l->blob, p, n);
	else if (r == 0)
		r = err_set(&e, BAWN_ERR_FORMAT, LEDGER_FILE ": %zu bytes", n);
	free(p);
	if (r == BAWN_ERR_FORMAT) {
		damaged(v, e.msg);
		return false;
	}
	if (r == 0)
		r = read_blob(v, x->desk, &e);
	if (r && refused_blob(&e)) {
		damaged(v, ae_status_name(e.sgx_status));
		return false;
	}
	if (r) {
		failed(v, &e);
		return false;
	}
	unsealed(v, NULL);
	if (!ask_line(v, l->end.count, &line) || !anchor_holds(v, &l->end, &line, ", as sealed"))
		return false;
	tell_first(v);
	return true;
}

/* ---- and on ---- */

static void not_followed(struct vault *v, const struct bawn_error *e)
{
	static const struct wire_anchor unknown;
	const unsigned long long count = v->ledger.end.count;

	if (refused(e) && e->sgx_status == AE_LEDGER_FAR) {
		ledger_forget();
		v->ledger.ready = false;
		ledger_look(v);
		vault_note(v, WIRE_AUDIT_FAULT, "audit log: its end has not been sealed since line %llu; that begins anew",
			   count);
	} else if (refused(e) && !refused_blob(e)) {
		/* The line is there, and is as it was: no anchor tells others what is wrong. */
		anchor_fault(v, &unknown, "audit log: after line %llu it does not go on as it was: %s", count,
			     ae_status_name(e->sgx_status));
	} else {
		/* What it does not read it has sealed itself since we started, or read: the enclave is another by now. */
		failed(v, e);
	}
}

static void follow(struct vault *v, const struct enclaves *x)
{
	struct ledger *l = &v->ledger;
	uint8_t end[AUTHORITY_ANCHOR];
	struct bawn_error e = { 0 };
	struct role_anchor now;

	pthread_mutex_lock(&v->lock);
	now = v->anchor;
	pthread_mutex_unlock(&v->lock);
	/* What the parent told last may be from before it told where to begin: the log has that line, as we know. */
	if (!now.head.count || now.head.count < l->end.count)
		return;
	/* At the first look too, where nothing is new: whether the log's key is the one that it had. */
	if (l->followed && now.head.count == l->end.count) {
		if (l->unwritten)
			write_blob(v);
		return;
	}
	authority_anchor_encode(&now.head, end);
	if (ae_desk_ledger_note(x->desk, l->blob, end, now.proof, &e)) {
		not_followed(v, &e);
		return;
	}
	l->end = now.head;
	l->followed = true;
	write_blob(v);
}

/* ---- the thread ---- */

static void step(struct vault *v, bool last)
{
	struct enclaves *x = enclaves_hold(v);
	struct ledger *l = &v->ledger;
	bool sound;

	pthread_mutex_lock(&v->lock);
	sound = !v->anchor_asked && !v->anchor_problem[0];
	l->since = clock_ns();
	pthread_mutex_unlock(&v->lock);
	if (x && sound && !l->ready && !last) {
		l->followed = false;
		l->ready = take_up(v, x);
	}
	if (x && sound && l->ready)
		follow(v, x);
	enclaves_give(&x);
	pthread_mutex_lock(&v->lock);
	l->since = 0;
	pthread_mutex_unlock(&v->lock);
}

void *ledger_work(void *vault)
{
	struct vault *v = vault;
	struct ledger *l = &v->ledger;

	for (bool last = false; !last;) {
		const uint64_t next = clock_ns() + LEDGER_EVERY;

		pthread_mutex_lock(&v->lock);
		while (!l->look && !l->last && wait_until(v, next))
			;
		l->look = false;
		last = l->last;
		pthread_mutex_unlock(&v->lock);
		step(v, last);
	}
	pthread_mutex_lock(&v->lock);
	l->done = true;
	pthread_cond_broadcast(&l->news);
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

void ledger_forget(void)
{
	/* To be gone after a power failure as well: what was told once would be told again. */
	if (unlinkat(FD_VAULT_STATE, LEDGER_FILE, 0) == 0 && fsync(FD_VAULT_STATE))
		log_msg(LOG_DEBUG, "the state directory cannot be synced");
}
