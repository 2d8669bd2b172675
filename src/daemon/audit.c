/* The audit log, as the parent keeps it: records come from the vault, or are our own. */
#include "daemon/parent.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SYNC_EVERY UINT64_C(2000000000) /* ns */
#define TELL_EVERY UINT64_C(100000000)
#define GATHER UINT64_C(5000000)
#define KEY_EVERY UINT64_C(5000000000)

int parent_audit_open(struct parent *p, struct bawn_error *e)
{
	struct authority_audit_options o = { .segment_bytes = p->config->audit_bytes,
					     .segments = p->config->audit_files };

	p->audit_dir = open(p->config->audit, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->audit_dir < 0)
		return err_sys(e, "%s", p->config->audit);
	return authority_audit_open(&p->audit, p->audit_dir, &o, e);
}

void parent_audit_close(struct parent *p)
{
	if (p->audit)
		authority_audit_free(&p->audit);
	if (p->audit_dir >= 0)
		close(p->audit_dir);
	p->audit_dir = -1;
}

/* How that went: a change is logged, and the vault told at once. */
static void outcome(struct parent *p, bool *state, int r, const char *what, const struct bawn_error *e)
{
	bool failing = r != 0;

	if (failing && !*state)
		log_msg(LOG_ERROR, "the audit log cannot be %s: %s", what, e->msg);
	if (!failing && *state)
		log_msg(LOG_WARN, "the audit log can be %s again", what);
	if (failing != *state)
		p->audit_owed = p->audit_now = true;
	*state = failing;
}

static void written(struct parent *p, int r, const struct bawn_error *e)
{
	outcome(p, &p->audit_failing, r, "written", e);
}

static void append(struct parent *p, const struct role_audit *ev)
{
	struct bawn_error e = { 0 };

	written(p, authority_audit_append(p->audit, ev, &e), &e);
	p->audit_owed = true;
}

static void answer_line(struct parent *p, uint64_t number)
{
	struct role_message m = { .head.type = ROLE_LINE };
	struct bawn_error e = { 0 };

	/* What cannot be read is not there, for whoever asks whether it is. */
	if (authority_audit_look(p->audit, number, &m.u.line, &e))
		log_msg(LOG_ERROR, "the audit log cannot be read: %s", e.msg);
	channel_send_role(p->child[PROC_VAULT].channel, &m, NULL, 0, NULL);
}

static void answer_key(struct parent *p)
{
	struct role_message m = { .head.type = ROLE_KEY };
	struct bawn_error e = { 0 };
	const uint64_t now = clock_ns();

	/* Without an answer it is asked again. */
	if (p->audit_key_given && now - p->audit_key_given < KEY_EVERY)
		return;
	p->audit_key_given = now;
	/* The vault has the keys of lines to come then: nobody is to have them whom no line tells of. */
	parent_note(p, WIRE_AUDIT_START, "the vault is given the audit log's key, to have its end sealed");
	if (!p->audit_failing && authority_audit_follow(p->audit, &m.u.key.from, m.u.key.key, &e) == 0)
		channel_send_role(p->child[PROC_VAULT].channel, &m, NULL, 0, NULL);
	wipe(&m, sizeof(m));
	p->audit_owed = true; /* what was brought to disk for it, the vault is to know */
}

void parent_audit(struct parent *p, const struct message *m)
{
	struct bawn_error e = { 0 };
	struct role_message r;

	if (role_decode(m->body, m->n, &r, &e) == 0 && r.head.type == ROLE_LINE_ASK) {
		answer_line(p, r.u.line_ask.number);
		return;
	}
	if (e.code == 0 && r.head.type == ROLE_KEY_ASK) {
		answer_key(p);
		return;
	}
	if (e.code || r.head.type != ROLE_AUDIT) {
		log_msg(LOG_ERROR, "a record of the vault that is none: %s", e.msg);
		return;
	}
	p->audit_number = r.u.audit.number;
	/*
	 * Nobody waits for a record once it is in the channel, where nothing but
	 * our own end can lose it. Taken together they cost the vault fewer of the
	 * times that we get a processor.
	 */
	p->audit_gather = clock_ns() + GATHER;
	append(p, &r.u.audit);
}

void parent_note(struct parent *p, enum wire_audit_event event, const char *fmt, ...)
{
	struct role_audit ev = { .event = event, .operation = WIRE_OPERATIONS };
	struct timespec t;
	va_list ap;

	if (!p->audit)
		return;
	clock_gettime(CLOCK_REALTIME, &t);
	ev.time = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
	va_start(ap, fmt);
	text_vprintf(ev.note, sizeof(ev.note), fmt, ap);
	va_end(ap);
	append(p, &ev);
}

void parent_audit_answer(struct parent *p)
{
	struct role_message m = { .head.type = ROLE_ANCHOR };
	struct child *v = &p->child[PROC_VAULT];

	if (!p->audit_owed || v->pid <= 0 || (!p->audit_now && clock_ns() - p->audit_told < TELL_EVERY))
		return;
	p->audit_told = clock_ns();
	m.u.anchor.number = p->audit_number;
	m.u.anchor.lost = authority_audit_lost(p->audit);
	m.u.anchor.restarts = p->restarts;
	m.u.anchor.failing = p->audit_failing || p->audit_unsynced;
	authority_audit_head(p->audit, &m.u.anchor.head);
	authority_audit_proof(p->audit, m.u.anchor.proof);
	if (channel_send_role(v->channel, &m, NULL, 0, NULL) == 0)
		p->audit_owed = p->audit_now = false;
}

static void bring_to_disk(struct parent *p)
{
	struct wire_anchor before, head;
	struct bawn_error e = { 0 };

	authority_audit_head(p->audit, &before);
	outcome(p, &p->audit_unsynced, authority_audit_sync(p->audit, &e), "brought to disk", &e);
	authority_audit_head(p->audit, &head);
	if (head.count != before.count)
		p->audit_owed = true; /* the vault is to know the head that is on disk now */
}

void parent_audit_settle(struct parent *p)
{
	bring_to_disk(p);
	p->audit_now = true;
	parent_audit_answer(p);
}

void parent_audit_idle(struct parent *p, uint64_t now)
{
	struct bawn_error e = { 0 };

	if (now - p->audit_synced < SYNC_EVERY)
		return;
	p->audit_synced = now;
	/* Nobody may have anything to say until it can be written again. */
	if (p->audit_failing)
		written(p, authority_audit_recover(p->audit, &e), &e);
	bring_to_disk(p);
}
