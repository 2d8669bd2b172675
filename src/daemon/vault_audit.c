/* What the vault did, told to the parent before the client hears of it. */
#include "daemon/vault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ANCHOR_FILE "anchor"
#define ANCHOR_EVERY (10 * SECOND_NS)

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t now_s(void)
{
	return now_us() / 1000000;
}

static void tell(struct vault *v, struct role_message *m)
{
	struct bawn_error e = { 0 };

	m->head.type = ROLE_AUDIT;
	m->u.audit.number = atomic_fetch_add(&v->audit_number, 1) + 1;
	m->u.audit.time = now_us();
	/* Waits while the parent is behind: nothing is done that is not on record. */
	if (channel_send_role(FD_PARENT, m, NULL, 0, &e))
		_exit(1); /* no parent, no service */
}

static enum wire_audit_event event_of(const struct job *j)
{
	if (j->protocol == ROLE_AESM)
		return j->aesm->type == AESM_REGISTER ? WIRE_AUDIT_POLICY : WIRE_AUDIT_REQUEST;
	switch (j->native.head.type) {
	case WIRE_POLICY_RELOAD:
	case WIRE_POLICY_LOCK:
		return WIRE_AUDIT_POLICY;
	case WIRE_GRANT_ADD:
		return j->native.u.grant_add.kind == WIRE_GRANT ? WIRE_AUDIT_GRANT : WIRE_AUDIT_REVOKE;
	case WIRE_GRANT_REMOVE:
		return WIRE_AUDIT_REMOVE;
	case WIRE_QUIESCE:
		return WIRE_AUDIT_QUIESCE;
	case WIRE_PROVISION_NOW:
		return WIRE_AUDIT_PROVISION;
	default:
		return WIRE_AUDIT_REQUEST;
	}
}

void audit_expect(struct job *j)
{
	if (j->malformed)
		return;
	j->event = event_of(j);
	if (j->event == WIRE_AUDIT_GRANT || j->event == WIRE_AUDIT_REVOKE) {
		j->entry = j->native.u.grant_add;
		j->entry.id = 0; /* is given when it is made */
	} else if (j->event == WIRE_AUDIT_REMOVE)
		j->entry.id = j->native.u.grant_remove.id;
}

/* Whom it is about: as much of it as there is room for, which is all of it. */
static void put_match(const struct wire_match *m, char out[ROLE_MATCH])
{
	struct buf b;

	buf_init(&b, ROLE_MATCH);
	authority_match_text(m, &b);
	snprintf(out, ROLE_MATCH, "%.*s", (int)b.n, (const char *)b.p);
	buf_free(&b);
}

void vault_audit(struct vault *v, const struct job *j, enum wire_code code)
{
	struct role_message m = { 0 };
	struct role_audit *a = &m.u.audit;

	if (code == WIRE_OK && j->quiet)
		return;
	*a = (struct role_audit){
		.event = j->event,
		.operation = j->operation,
		.protocol = j->protocol,
		.code = code,
		.reason = j->decision.reason,
		.line = j->decision.line,
		.entry = j->decision.entry,
		.has_subject = true,
		.uid = j->conn->uid,
		.gid = j->conn->gid,
		.pid = j->conn->pid,
		.identity = j->identity,
		.changed = j->entry.id,
		.until = j->entry.expires,
	};
	if (j->entry.match.operations)
		put_match(&j->entry.match, a->match);
	memcpy(a->socket, j->conn->socket->name, sizeof(a->socket));
	memcpy(a->cgroup, j->conn->cgroup, sizeof(a->cgroup));
	memcpy(a->note, j->note, sizeof(a->note));
	tell(v, &m);
}

/*
 * What is on record when it goes well, but for what only takes away (to revoke,
 * to lock, to quiesce): nobody is to be kept from that by a full disk.
 */
static bool gives(const struct job *j)
{
	if (j->protocol == ROLE_AESM)
		return j->aesm->type == AESM_GET_QUOTE_EX || j->aesm->type == AESM_GET_LAUNCH_TOKEN ||
		       j->aesm->type == AESM_REGISTER;
	switch (j->native.head.type) {
	case WIRE_QUOTE:
	case WIRE_CERTIFY:
	case WIRE_PCE_INFO:
	case WIRE_TOKEN:
	case WIRE_LAUNCH:
	case WIRE_COLLATERAL:
	case WIRE_PROVISION_NOW:
	case WIRE_POLICY_RELOAD:
	case WIRE_GRANT_REMOVE:
		return true;
	case WIRE_GRANT_ADD:
		return j->native.u.grant_add.kind == WIRE_GRANT;
	default:
		return false;
	}
}

bool audit_permits(struct vault *v, struct job *j)
{
	bool failing;

	if (!v->config->audit_required || j->malformed || !gives(j))
		return true;
	pthread_mutex_lock(&v->lock);
	failing = v->anchor.failing;
	pthread_mutex_unlock(&v->lock);
	if (failing)
		job_refuse(j, WIRE_UNAVAILABLE, 5000, "the audit log cannot be written, and nothing is given without it");
	return !failing;
}

void vault_note(struct vault *v, enum wire_audit_event event, const char *fmt, ...)
{
	struct role_message m = { 0 };
	va_list ap;

	m.u.audit = (struct role_audit){ .event = event, .operation = WIRE_OPERATIONS };
	va_start(ap, fmt);
	text_vprintf(m.u.audit.note, sizeof(m.u.audit.note), fmt, ap);
	va_end(ap);
	tell(v, &m);
}

/* ---- the log's head, kept where the log's writer has no access: who cuts the log is found out ---- */

static void ask_line(uint64_t number)
{
	struct role_message m = { .head.type = ROLE_LINE_ASK, .u.line_ask.number = number };

	if (channel_send_role(FD_PARENT, &m, NULL, 0, NULL))
		_exit(1);
}

/* Before the record of it is in the log, what was kept stays: else nobody would know of it after a crash. */
static void anchor_fault(struct vault *v, const char *what)
{
	pthread_mutex_lock(&v->lock);
	snprintf(v->anchor_problem, sizeof(v->anchor_problem), "%s", what);
	v->anchor_from = UINT64_MAX;
	pthread_mutex_unlock(&v->lock);
	log_msg(LOG_ERROR, "%s", what);
	vault_note(v, WIRE_AUDIT_FAULT, "%s", what);
	ask_line(0);
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
		anchor_fault(v, "audit log: what was kept of its end cannot be read, so it may have been cut off");
		return;
	}
	v->kept = a;
	v->anchor_from = UINT64_MAX;
	ask_line(a.count);
}

void anchor_line(struct vault *v, const struct role_line *now)
{
	enum authority_audit_finding f = authority_anchor_compare(&v->kept, now);
	char what[WIRE_NOTE];

	if (f == AUTHORITY_AUDIT_SOUND || v->anchor_problem[0]) {
		pthread_mutex_lock(&v->lock);
		v->anchor_from = v->anchor_problem[0] ? now->last : 0;
		pthread_mutex_unlock(&v->lock);
		return;
	}
	if (f == AUTHORITY_AUDIT_OTHER)
		snprintf(what, sizeof(what), "audit log: another one is in the place of that with %llu lines",
			 (unsigned long long)v->kept.count);
	else if (f == AUTHORITY_AUDIT_CUT)
		snprintf(what, sizeof(what), "audit log: it ends before line %llu, which it had",
			 (unsigned long long)v->kept.count);
	else if (f == AUTHORITY_AUDIT_CHANGED)
		snprintf(what, sizeof(what), "audit log: its line %llu is another than it was",
			 (unsigned long long)v->kept.count);
	else
		snprintf(what, sizeof(what), "audit log: lines that it had are gone");
	anchor_fault(v, what);
}

void anchor_save(struct vault *v, bool force)
{
	uint8_t bytes[AUTHORITY_ANCHOR];
	struct bawn_error e = { 0 };
	uint64_t now = clock_ns();
	struct wire_anchor head;

	pthread_mutex_lock(&v->lock);
	head = v->anchor.head;
	/* After a fault only when the service is stopped: a vault that dies is not the end of it. */
	if (!head.count || head.count < v->anchor_from ||
	    (!force && (v->anchor_problem[0] || now - v->anchor_saved < ANCHOR_EVERY))) {
		pthread_mutex_unlock(&v->lock);
		return;
	}
	v->anchor_saved = now;
	pthread_mutex_unlock(&v->lock);
	authority_anchor_encode(&head, bytes);
	if (authority_state_write(FD_VAULT_STATE, ANCHOR_FILE, bytes, sizeof(bytes), 4096, &e))
		log_msg(LOG_WARN, "the audit log's head cannot be kept: %s", e.msg);
}
