/* What the vault did, told to the parent before the client hears of it. */
#include "daemon/vault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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
