/*
 * The audit log's head, kept where the log's writer has no access: who cuts the
 * log is found out. vault_ledger.c has it sealed besides.
 */
#include "daemon/vault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANCHOR_FILE "anchor"
#define ANCHOR_EVERY (10 * SECOND_NS)

void anchor_ask_line(uint64_t number)
{
	struct role_message m = { .head.type = ROLE_LINE_ASK, .u.line_ask.number = number };

	if (channel_send_role(FD_PARENT, &m, NULL, 0, NULL))
		_exit(1);
}

/* Before the record of it is in the log, what was kept stays: else nobody would know of it after a crash. */
void anchor_fault(struct vault *v, const struct wire_anchor *kept, const char *fmt, ...)
{
	char what[WIRE_NOTE];
	va_list ap;

	va_start(ap, fmt);
	text_vprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&v->lock);
	v->kept = *kept;
	memcpy(v->anchor_problem, what, sizeof(what));
	v->anchor_from = UINT64_MAX;
	v->anchor_lost = v->anchor_known ? v->anchor.lost : UINT64_MAX;
	pthread_mutex_unlock(&v->lock);
	log_msg(LOG_ERROR, "%s", what);
	vault_note(v, WIRE_AUDIT_FAULT, "%s", what);
	anchor_ask_line(0);
}

void anchor_told(struct vault *v, const struct role_anchor *a)
{
	char what[WIRE_NOTE];
	bool again;

	pthread_mutex_lock(&v->lock);
	if (!v->anchor_known && v->anchor_problem[0])
		v->anchor_lost = a->lost;
	v->anchor = *a;
	v->anchor_known = true;
	/* The line that tells of the fault may be among those that could not be written. */
	again = v->anchor_problem[0] && a->lost > v->anchor_lost && !a->failing;
	if (again) {
		v->anchor_lost = a->lost;
		v->anchor_from = UINT64_MAX;
		memcpy(what, v->anchor_problem, sizeof(what));
	}
	pthread_mutex_unlock(&v->lock);
	if (!again)
		return;
	vault_note(v, WIRE_AUDIT_FAULT, "%s", what);
	anchor_ask_line(0);
}

bool anchor_holds(struct vault *v, const struct wire_anchor *kept, const struct role_line *now, const char *how)
{
	enum authority_audit_finding f = authority_anchor_compare(kept, now);
	const unsigned long long count = kept->count;

	if (f == AUTHORITY_AUDIT_OTHER)
		anchor_fault(v, kept, "audit log: another one is in the place of that with %llu lines%s", count, how);
	else if (f == AUTHORITY_AUDIT_CUT)
		anchor_fault(v, kept, "audit log: it ends before line %llu, which it had%s", count, how);
	else if (f == AUTHORITY_AUDIT_CHANGED)
		anchor_fault(v, kept, "audit log: its line %llu is another than it was%s", count, how);
	else if (f != AUTHORITY_AUDIT_SOUND)
		anchor_fault(v, kept, "audit log: lines that it had are gone%s", how);
	return f == AUTHORITY_AUDIT_SOUND;
}

void anchor_load(struct vault *v)
{
	struct bawn_error e = { 0 };
	struct wire_anchor a;
	uint8_t *p = NULL;
	size_t n;
	int r = authority_state_read(FD_VAULT_STATE, ANCHOR_FILE, AUTHORITY_ANCHOR, &p, &n, &e);

	if (r == BAWN_ERR_NOT_FOUND)
		return;
	if (r == 0)
		r = authority_anchor_decode(p, n, &a, &e);
	free(p);
	if (r) {
		static const struct wire_anchor unknown;

		anchor_fault(v, &unknown, "audit log: what was kept of its end cannot be read, so it may have been cut off");
		return;
	}
	v->kept = a;
	v->anchor_from = UINT64_MAX;
	v->anchor_asked = true;
	anchor_ask_line(a.count);
}

void anchor_line(struct vault *v, const struct role_line *now)
{
	bool asked;

	pthread_mutex_lock(&v->lock);
	if (v->anchor_problem[0]) { /* asked by anchor_fault */
		v->anchor_from = now->last;
		pthread_mutex_unlock(&v->lock);
		return;
	}
	asked = v->anchor_asked;
	pthread_mutex_unlock(&v->lock);
	if (!asked) {
		ledger_line(v, now);
		return;
	}
	if (anchor_holds(v, &v->kept, now, "")) {
		pthread_mutex_lock(&v->lock);
		v->anchor_from = 0;
		pthread_mutex_unlock(&v->lock);
	}
	pthread_mutex_lock(&v->lock);
	v->anchor_asked = false;
	pthread_mutex_unlock(&v->lock);
	ledger_look(v);
}

void anchor_save(struct vault *v, bool force)
{
	uint8_t bytes[AUTHORITY_ANCHOR];
	struct bawn_error e = { 0 };
	uint64_t now = clock_ns();
	struct wire_anchor head;
	bool fault;

	pthread_mutex_lock(&v->lock);
	head = v->anchor.head;
	fault = v->anchor_problem[0];
	/*
	 * After a fault only when the service is stopped, since a vault that dies is
	 * not the end of it; and only if it is on record.
	 */
	if (!head.count || head.count < v->anchor_from || (fault && v->anchor.lost > v->anchor_lost) ||
	    (!force && (fault || now - v->anchor_saved < ANCHOR_EVERY))) {
		pthread_mutex_unlock(&v->lock);
		return;
	}
	v->anchor_saved = now;
	pthread_mutex_unlock(&v->lock);
	authority_anchor_encode(&head, bytes);
	if (authority_state_write(FD_VAULT_STATE, ANCHOR_FILE, bytes, sizeof(bytes), 4096, &e))
		log_msg(LOG_WARN, "the audit log's head cannot be kept: %s", e.msg);
	if (fault)
		ledger_forget();
}
