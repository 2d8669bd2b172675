/* What administrators ask: policy, grants and revocations, quiescing, the audit log's head. */
#include "daemon/vault.h"

#include <stdio.h>
#include <string.h>

static void fill_policy(struct vault *v, struct wire_policy_info *a)
{
	pthread_mutex_lock(&v->lock);
	*a = (struct wire_policy_info){
		.locked = v->locked,
		.loaded = v->policy_loaded,
		.rules = v->policy->rules,
		.sections = v->policy->sections,
		.grants = (uint32_t)authority_entries_count(v->entries, WIRE_GRANT),
		.revocations = (uint32_t)authority_entries_count(v->entries, WIRE_REVOCATION),
	};
	memcpy(a->digest, v->policy_info.digest, sizeof(a->digest));
	memcpy(a->path, v->policy_info.path, sizeof(a->path));
	pthread_mutex_unlock(&v->lock);
}

static void serve_reload(struct vault *v, struct job *j)
{
	enum wire_code bad;
	bool locked;

	pthread_mutex_lock(&v->lock);
	locked = v->locked;
	bad = (enum wire_code)v->policy_info.code;
	pthread_mutex_unlock(&v->lock);
	if (locked) {
		job_refuse(j, WIRE_LOCKED, 0, "the policy is locked until bawnd restarts");
		return;
	}
	if (!j->number) { /* the first time round: ask, and wait for it */
		struct bawn_error e = { 0 };

		j->number = 1;
		if (channel_send(FD_PARENT, CHAN_RELOAD, NULL, 0, NULL, 0, &e))
			job_fail(j, e.code, &e);
		else
			j->park = PARK_POLICY;
		return;
	}
	if (bad)
		job_refuse(j, bad, bad == WIRE_UNAVAILABLE ? 1000 : 0, "%s", v->policy_info.problem);
	else
		fill_policy(v, &j->answer.u.policy_info);
}

static void serve_lock(struct vault *v, struct job *j)
{
	struct bawn_error e = { 0 };

	snprintf(j->note, sizeof(j->note), "locked until bawnd restarts");
	pthread_mutex_lock(&v->lock);
	v->locked = true;
	pthread_mutex_unlock(&v->lock);
	/* So that it holds when the vault alone starts again. */
	if (channel_send(FD_PARENT, CHAN_LOCK, NULL, 0, NULL, 0, &e))
		job_fail(j, e.code, &e);
	else
		fill_policy(v, &j->answer.u.policy_info);
}

static void serve_test(struct vault *v, struct job *j)
{
	const struct wire_policy_test *q = &j->native.u.policy_test;
	struct authority_subject s = {
		.uid = q->subject.uid,
		.gid = q->subject.gid,
		.groups = q->subject.groups,
		.ngroups = q->subject.ngroups,
		.section = q->subject.socket,
		.cgroup = q->subject.has_cgroup ? q->subject.cgroup : NULL,
	};

	j->quiet = true;
	if (q->subject.ngroups > WIRE_GROUPS || q->operation >= WIRE_OPERATIONS) {
		job_refuse(j, WIRE_BAD_INPUT, 0, "no such operation, or too many groups");
		return;
	}
	pthread_mutex_lock(&v->lock);
	if (!q->identity.known && WIRE_OP_BIT(q->operation) & AUTHORITY_OF_ENCLAVES)
		authority_decide_ahead(v->policy, v->entries, &s, (enum wire_operation)q->operation,
				       now_s(), &j->answer.u.policy_test);
	else
		authority_decide(v->policy, v->entries, &s, (enum wire_operation)q->operation,
				 &q->identity, now_s(), &j->answer.u.policy_test);
	pthread_mutex_unlock(&v->lock);
}

/* ---- grants and revocations ---- */

static void serve_add(struct vault *v, struct job *j)
{
	const struct wire_entry *q = &j->native.u.grant_add;
	struct wire_grant_add_answer *a = &j->answer.u.grant_add;
	struct authority_change change = { 0 };
	struct bawn_error e = { 0 };
	struct authority_subject by;
	int r;

	conn_subject(j->conn, &by);
	pthread_mutex_lock(&v->lock);
	r = authority_entries_add(v->entries, q, &by, v->locked, now_s(), &change, &e);
	pthread_mutex_unlock(&v->lock);
	authority_changed(v);
	if (r) {
		job_fail(j, r, &e);
		if (r == BAWN_ERR_DENIED && v->locked)
			j->answer.head.code = WIRE_LOCKED;
		return;
	}
	*a = (struct wire_grant_add_answer){
		.id = change.id,
		.lifted = change.lifted,
		.blocker = change.blocker,
		.outlives = wire_outlives(q->match.operations),
		.kept = change.kept,
	};
	if (q->kind == WIRE_REVOCATION)
		launch_held(v, UINT64_MAX, &a->outside);
	if (!change.kept)
		log_msg(LOG_ERROR, "a change of authority holds, but is not on disk: %s", e.msg);
	j->entry.id = change.id;
	memcpy(j->note, q->note, sizeof(j->note));
}

static void serve_remove(struct vault *v, struct job *j)
{
	uint64_t id = j->native.u.grant_remove.id;
	struct wire_entry removed;
	struct bawn_error e = { 0 };
	bool kept = false;
	int r;

	pthread_mutex_lock(&v->lock);
	r = authority_entries_remove(v->entries, id, v->locked, &removed, &kept, &e);
	pthread_mutex_unlock(&v->lock);
	authority_changed(v);
	if (r == 0)
		j->entry = removed;
	if (r == 0 && !kept)
		log_msg(LOG_ERROR, "a change of authority holds, but is not on disk: %s", e.msg);
	if (r)
		job_fail(j, r, &e);
	if (r == BAWN_ERR_DENIED)
		j->answer.head.code = WIRE_LOCKED;
}

static void serve_list(struct vault *v, struct job *j)
{
	struct wire_grant_list_answer *a = &j->answer.u.grant_list;
	size_t room = WIRE_TAIL_MAX / wire_size(&wire_entry_layout);

	j->quiet = true;
	pthread_mutex_lock(&v->lock);
	for (size_t i = 0;; i++) {
		const struct wire_entry *x = authority_entries_at(v->entries, i);

		if (!x)
			break;
		if (x->id <= j->native.u.grant_list.after)
			continue;
		if (a->count == room) {
			a->more = true;
			break;
		}
		wire_encode(&wire_entry_layout, x, &j->tail);
		a->count++;
	}
	pthread_mutex_unlock(&v->lock);
}

static void serve_quiesce(struct vault *v, struct job *j)
{
	enclaves_quiesce(v, j->native.u.quiesce.seconds, &j->answer.u.quiesce);
	snprintf(j->note, sizeof(j->note), "%u enclaves closed", j->answer.u.quiesce.enclaves);
}

static void serve_head(struct vault *v, struct job *j)
{
	char problem[WIRE_NOTE];

	j->quiet = true;
	pthread_mutex_lock(&v->lock);
	/* Of a log that is not the one it should be, the end is what it should have. */
	j->answer.u.audit_head = v->anchor_problem[0] ? v->kept : v->anchor.head;
	snprintf(problem, sizeof(problem), "%s", v->kept.count ? "" : v->anchor_problem);
	pthread_mutex_unlock(&v->lock);
	if (problem[0])
		job_refuse(j, WIRE_FAILED, 0, "%s", problem);
}

void admin_serve(struct vault *v, struct job *j)
{
	switch (j->native.head.type) {
	case WIRE_QUIESCE:
		serve_quiesce(v, j);
		break;
	case WIRE_POLICY_INFO:
		j->quiet = true;
		fill_policy(v, &j->answer.u.policy_info);
		break;
	case WIRE_POLICY_TEST:
		serve_test(v, j);
		break;
	case WIRE_POLICY_RELOAD:
		serve_reload(v, j);
		break;
	case WIRE_POLICY_LOCK:
		serve_lock(v, j);
		break;
	case WIRE_GRANT_ADD:
		serve_add(v, j);
		break;
	case WIRE_GRANT_REMOVE:
		serve_remove(v, j);
		break;
	case WIRE_GRANT_LIST:
		serve_list(v, j);
		break;
	case WIRE_AUDIT_HEAD:
		serve_head(v, j);
		break;
	default:
		job_refuse(j, WIRE_UNSUPPORTED, 0, "no such request");
	}
}
