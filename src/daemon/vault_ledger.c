/*
 * The audit log's end, sealed by the ledger enclave where there is one: who can
 * write all our files, but came after a line was written, cannot make us believe
 * that the log ended before it (doc/AUDIT.md). Sealed are the ends that
 * vault_anchor.c keeps as they are; on the first thread, a while after the
 * start, since nobody waits for it.
 */
#include "daemon/vault.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEDGER_FILE "ledger"
#define LEDGER_EVERY (10 * SECOND_NS)

/* ---- the enclave ---- */

static bool has_enclave(struct vault *v)
{
	return v->desk && stream_has(v->enclaves, ENCLAVE_LEDGER);
}

/* Why it is not followed, for status; NULL: it is, or is not to be. */
static void unsealed(struct vault *v, const struct bawn_error *why)
{
	const bool new = why && !v->unsealed[0];

	pthread_mutex_lock(&v->lock);
	if (why)
		text_printf(v->unsealed, sizeof(v->unsealed), "audit log: its end is not sealed: %s", why->msg);
	else
		v->unsealed[0] = '\0';
	pthread_mutex_unlock(&v->lock);
	if (new)
		log_msg(LOG_WARN, "%s", v->unsealed);
}

/* Of an error: the enclave refused, for good; not that it could not be had. */
static bool refused(const struct bawn_error *e)
{
	return e->code == BAWN_ERR_DENIED && e->sgx_status >= AE_LEDGER_BLOB && e->sgx_status <= AE_LEDGER_FAR;
}

static void take_state(struct ledger *l, const struct ae_ledger_state *s, struct bawn_error *e)
{
	l->first = get_le64(s->first);
	authority_anchor_decode(s->end, sizeof(s->end), &l->end, e);
}

static void write_blob(struct vault *v)
{
	struct bawn_error e = { 0 };

	if (authority_state_write(FD_VAULT_STATE, LEDGER_FILE, v->ledger.blob, sizeof(v->ledger.blob), 4096, &e))
		log_msg(LOG_WARN, "the audit log's end as sealed cannot be kept: %s", e.msg);
}

/* ---- from the start on ---- */

static void ask_key(struct vault *v)
{
	struct role_message m = { .head.type = ROLE_KEY_ASK };

	v->ledger.step = LEDGER_KEY;
	if (channel_send_role(FD_PARENT, &m, NULL, 0, NULL))
		_exit(1);
}

static void look(struct vault *v)
{
	static const struct wire_anchor unknown;
	struct ledger *l = &v->ledger;
	struct ae_ledger_state state;
	struct bawn_error e = { 0 };
	uint8_t *p = NULL;
	size_t n = 0;
	int r = authority_state_read(FD_VAULT_STATE, LEDGER_FILE, sizeof(l->blob), &p, &n, &e);

	if (r == BAWN_ERR_NOT_FOUND) {
		unsealed(v, NULL);
		if (has_enclave(v))
			ask_key(v);
		return;
	}
	if (r == 0 && n == sizeof(l->blob))
		memcpy(l->blob, p, n);
	else if (r == 0)
		r = err_set(&e, BAWN_ERR_FORMAT, "%zu bytes", n);
	free(p);
	if (r == 0)
		r = ae_desk_ledger_read(v->desk, l->blob, &state, &e);
	if (r == 0)
		take_state(l, &state, &e);
	if (e.code == BAWN_ERR_FORMAT || refused(&e)) {
		anchor_fault(v, &unknown, "audit log: its end as sealed cannot be read, so it may have been cut off: %s",
			     e.sgx_status ? ae_status_name(e.sgx_status) : e.msg);
		return;
	}
	if (r && r != BAWN_ERR_BUSY)
		unsealed(v, &e);
	if (r)
		return;
	unsealed(v, NULL);
	l->step = LEDGER_LINE;
	anchor_ask_line(l->end.count);
}

/* Whoever reads the record is to know of what there is no sealed word. */
static void tell_first(struct vault *v)
{
	if (v->ledger.first > 1)
		vault_note(v, WIRE_AUDIT_START, "audit log: its end is sealed, but not that of what was before line %llu",
			   (unsigned long long)v->ledger.first);
}

void ledger_line(struct vault *v, const struct role_line *now)
{
	struct ledger *l = &v->ledger;

	if (l->step != LEDGER_LINE)
		return;
	l->step = LEDGER_WAITS;
	if (!anchor_holds(v, &l->end, now, ", as sealed"))
		return;
	tell_first(v);
	l->step = LEDGER_FOLLOWS;
	l->next = 0;
}

void ledger_key(struct vault *v, const struct role_key *k)
{
	struct ledger *l = &v->ledger;
	uint8_t end[AUTHORITY_ANCHOR];
	struct bawn_error e = { 0 };

	if (l->step != LEDGER_KEY)
		return;
	l->step = LEDGER_WAITS;
	authority_anchor_encode(&k->from, end);
	pthread_rwlock_rdlock(&v->prov_lock);
	if (!has_enclave(v))
		err_set(&e, BAWN_ERR_NOT_FOUND, "its enclave is gone");
	else
		ae_desk_ledger_begin(v->desk, end, k->key, l->blob, &e);
	pthread_rwlock_unlock(&v->prov_lock);
	if (e.code) {
		if (e.code != BAWN_ERR_BUSY)
			log_msg(LOG_WARN, "audit log: its end is not sealed: %s", e.msg);
		return;
	}
	l->end = k->from;
	l->first = k->from.count + 1;
	write_blob(v);
	tell_first(v);
	l->step = LEDGER_FOLLOWS;
	l->next = 0;
}

/* ---- and on ---- */

static void follow(struct vault *v)
{
	struct ledger *l = &v->ledger;
	uint8_t end[AUTHORITY_ANCHOR];
	struct bawn_error e = { 0 };
	struct role_anchor now;
	int r;

	pthread_mutex_lock(&v->lock);
	now = v->anchor;
	pthread_mutex_unlock(&v->lock);
	/* At the first look too, where nothing is new: whether the log's key is the one that it had. */
	if (!now.head.count || (l->followed && now.head.count == l->end.count))
		return;
	authority_anchor_encode(&now.head, end);
	r = ae_desk_ledger_note(v->desk, l->blob, end, now.proof, &e);
	if (r == 0) {
		l->end = now.head;
		l->followed = true;
		write_blob(v);
		unsealed(v, NULL);
	} else if (refused(&e) && e.sgx_status == AE_LEDGER_FAR) {
		ledger_forget(v);
		vault_note(v, WIRE_AUDIT_FAULT, "audit log: its end has not been sealed since line %llu; that begins anew",
			   (unsigned long long)l->end.count);
	} else if (refused(&e)) {
		anchor_fault(v, &l->end, "audit log: after line %llu it does not go on as it was: %s",
			     (unsigned long long)l->end.count, ae_status_name(e.sgx_status));
	} else if (r != BAWN_ERR_BUSY) {
		unsealed(v, &e);
	}
}

void ledger_tick(struct vault *v, bool last)
{
	struct ledger *l = &v->ledger;
	const uint64_t now = clock_ns();

	if (!l->next)
		l->next = l->step == LEDGER_FOLLOWS ? now : now + SECOND_NS;
	if ((!last && now < l->next) || v->anchor_asked || v->anchor_problem[0])
		return;
	l->next = now + LEDGER_EVERY;
	pthread_rwlock_rdlock(&v->prov_lock);
	if (l->step == LEDGER_FOLLOWS && v->desk)
		follow(v);
	else if (!last && v->desk && l->step == LEDGER_WAITS)
		look(v);
	else if (!last && l->step == LEDGER_KEY) /* that was not answered */
		l->step = LEDGER_WAITS;
	pthread_rwlock_unlock(&v->prov_lock);
}

void ledger_forget(struct vault *v)
{
	v->ledger = (struct ledger){ .next = v->ledger.next };
	unlinkat(FD_VAULT_STATE, LEDGER_FILE, 0);
}
