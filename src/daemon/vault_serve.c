/*
 * One request's way through the vault: decided, answered or parked, decided
 * again, put on record, sent. The second decision is what makes a revocation
 * hold for what is under way.
 */
#include "daemon/vault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct job *job_new(void)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->fd = j->answer_fd = j->fetched_fd = -1;
	j->event = WIRE_AUDIT_REQUEST;
	j->operation = WIRE_OPERATIONS;
	buf_init(&j->tail, WIRE_TAIL_MAX);
	return j;
}

void job_free(struct vault *v, struct job *j)
{
	if (j->conn)
		conn_give(v, j->conn);
	if (j->fd >= 0)
		close(j->fd);
	if (j->answer_fd >= 0)
		close(j->answer_fd);
	buf_free(&j->tail);
	free(j->aesm);
	free(j);
}

/* ---- refusals ---- */

void job_refuse(struct job *j, enum wire_code code, uint32_t retry_ms, const char *fmt, ...)
{
	struct wire_refusal *r = &j->answer.u.refusal;
	va_list ap;

	memset(&j->answer.u, 0, sizeof(j->answer.u));
	j->answer.head.code = (uint16_t)code;
	r->retry_ms = retry_ms;
	va_start(ap, fmt);
	text_vprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
	if (!j->note[0])
		text_printf(j->note, sizeof(j->note), "%s", r->text);
	j->tail.n = 0;
	if (j->answer_fd >= 0) {
		close(j->answer_fd);
		j->answer_fd = -1;
	}
}

void job_fail(struct job *j, int rc, const struct bawn_error *e)
{
	enum wire_code code = wire_code_of(rc);

	job_refuse(j, code, code == WIRE_BUSY ? 100 : 0, "%s", e->msg);
	j->answer.u.refusal.sgx_status = e->sgx_status;
	if (code == WIRE_FAILED)
		log_msg(LOG_ERROR, "a request failed: %s", e->msg);
	/* AESM clients hear a number only: the one that fits the failure itself. */
	if (j->protocol == ROLE_AESM)
		j->response.error = aesm_error_of(rc);
}

/* AESM's number for a refusal that has none yet. */
static uint32_t aesm_code(enum wire_code code)
{
	switch (code) {
	case WIRE_OK: return AESM_OK;
	case WIRE_DENIED: return AESM_ERR_DENIED;
	case WIRE_LIMITED:
	case WIRE_BUSY:
	case WIRE_TIMEOUT: return AESM_ERR_BUSY;
	case WIRE_UNAVAILABLE: return AESM_ERR_UNAVAILABLE;
	case WIRE_BAD_INPUT:
	case WIRE_TOO_LARGE:
	case WIRE_MALFORMED: return AESM_ERR_PARAMETER;
	case WIRE_UNSUPPORTED: return AESM_ERR_INTERFACE;
	default: return AESM_ERR_UNEXPECTED;
	}
}

/* ---- the decision ---- */

static void decide(struct vault *v, const struct job *j, enum wire_operation op,
		   struct wire_decision *d)
{
	struct authority_subject s;

	conn_subject(j->conn, &s);
	authority_decide(v->policy, v->entries, &s, op, j->identity.known ? &j->identity : NULL,
			 now_s(), d);
}

bool job_may(struct vault *v, const struct job *j, enum wire_operation op)
{
	struct wire_decision d;

	pthread_mutex_lock(&v->lock);
	decide(v, j, op, &d);
	pthread_mutex_unlock(&v->lock);
	return d.allowed;
}

/* HELLO tells nothing that a connection does not show: it is answered to anybody. */
static bool for_anybody(const struct job *j)
{
	return j->protocol == ROLE_NATIVE && j->native.head.type == WIRE_HELLO;
}

/* Asked before there is an enclave to speak of: what a report is to be made for, and the like. */
static bool is_ahead(const struct job *j)
{
	if (j->protocol == ROLE_NATIVE)
		return !j->malformed && j->native.head.type == WIRE_TARGET_INFO;
	switch (j->aesm->type) {
	case AESM_INIT_QUOTE:
	case AESM_INIT_QUOTE_EX:
	case AESM_GET_QUOTE_SIZE_EX:
	case AESM_SELECT_KEY:
	case AESM_KEY_COUNT:
	case AESM_KEY_IDS:
	case AESM_GET_WHITE_LIST_SIZE:
	case AESM_GET_WHITE_LIST:
		return true;
	default:
		return false;
	}
}

static void decide_ahead(struct vault *v, const struct job *j, struct wire_decision *d)
{
	struct authority_subject s;

	conn_subject(j->conn, &s);
	authority_decide_ahead(v->policy, v->entries, &s, j->operation, now_s(), d);
	/* For the provisioning enclave reports are made to be certified, above all. */
	if (!d->allowed && j->protocol == ROLE_NATIVE && j->native.u.target_info.key == WIRE_KEY_PCE)
		authority_decide_ahead(v->policy, v->entries, &s, WIRE_OP_CERTIFY, now_s(), d);
}

static bool permitted(struct vault *v, struct job *j)
{
	char text[WIRE_NOTE];
	uint32_t wait = 0;
	bool unread;

	if (for_anybody(j))
		return true;
	pthread_mutex_lock(&v->lock);
	if (is_ahead(j))
		decide_ahead(v, j, &j->decision);
	else
		decide(v, j, j->operation, &j->decision);
	if (j->decision.allowed && !j->metered)
		wait = authority_rate_take(v->rates, &j->decision, j->conn->uid, clock_ns());
	j->metered = true;
	/* That it could not be read is no refusal of its owner's. */
	unread = !v->policy_loaded && v->policy_info.code == WIRE_UNAVAILABLE;
	text_printf(text, sizeof(text), "%s", v->policy_info.problem);
	j->authority = atomic_load(&v->authority_changes);
	pthread_mutex_unlock(&v->lock);
	if (j->decision.allowed)
		return true;
	if (unread) {
		job_refuse(j, WIRE_UNAVAILABLE, 1000, "no policy yet: %s", text);
		return false;
	}
	authority_decision_text(&j->decision, text);
	job_refuse(j, wait ? WIRE_LIMITED : WIRE_DENIED, wait, "%s", text);
	j->response.error = 0;
	return false;
}

void authority_changed(struct vault *v)
{
	pthread_rwlock_wrlock(&v->leaving);
	atomic_fetch_add(&v->authority_changes, 1);
	pthread_rwlock_unlock(&v->leaving);
}

/* Nothing has happened since it was decided that could make it another decision. */
static bool decided_still(struct vault *v, const struct job *j)
{
	return for_anybody(j) || (j->authority == atomic_load(&v->authority_changes) &&
				  j->decision.reason != WIRE_REASON_GRANT); /* which ends by itself */
}

/* ---- the answer ---- */

static bool send_native(struct job *j)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct buf b;
	bool good;

	j->answer.head.type = j->native.head.type;
	j->answer.head.tag = j->native.head.tag;
	if (j->answer.head.code == WIRE_OK)
		j->answer.tail = cur_make(j->tail.p, j->tail.n);
	buf_init(&b, WIRE_MAX);
	wire_answer_encode(&j->answer, &b);
	iov = (struct iovec){ .iov_base = b.p, .iov_len = b.n };
	if (j->answer_fd >= 0)
		io_put_fds(&m, control.bytes, &j->answer_fd, 1);
	/* A datagram goes whole or not at all; who does not read is not waited for. */
	good = !b.failed && sendmsg(j->conn->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)b.n;
	buf_free(&b);
	return good;
}

static bool send_aesm(struct job *j)
{
	struct buf b;
	bool good;

	j->response.type = j->aesm->type;
	if (j->answer.head.code != WIRE_OK && !j->response.error)
		j->response.error = aesm_code((enum wire_code)j->answer.head.code);
	if (j->response.error)
		j->response = (struct aesm_response){ .type = j->aesm->type, .error = j->response.error };
	buf_init(&b, AESM_FRAME_MAX + 4);
	aesm_response_encode(&j->response, &b);
	good = !b.failed && send(j->conn->fd, b.p, b.n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)b.n;
	buf_free(&b);
	j->close = true; /* one request a connection, as with Intel's service */
	return good;
}

static void to_gate(struct vault *v, const struct role_message *m)
{
	if (!v->gate_gone)
		channel_send_role(FD_VAULT_GATE, m, NULL, 0, NULL);
}

void tell_gate(struct vault *v, const struct role_answered *a)
{
	struct role_message m = { .head.type = ROLE_ANSWERED };

	m.u.answered = *a;
	to_gate(v, &m);
}

static enum wire_code answered_with(const struct job *j)
{
	if (j->answer.head.code == WIRE_OK && j->protocol == ROLE_AESM && j->response.error)
		return WIRE_BAD_INPUT;
	return (enum wire_code)j->answer.head.code;
}

static enum outcome outcome_of(enum wire_code code)
{
	switch (code) {
	case WIRE_OK:
		return OUTCOME_OK;
	case WIRE_DENIED:
	case WIRE_LIMITED:
		return OUTCOME_REFUSED;
	case WIRE_BAD_INPUT:
	case WIRE_MALFORMED:
	case WIRE_TOO_LARGE:
	case WIRE_UNSUPPORTED:
	case WIRE_NOT_FOUND:
		return OUTCOME_BAD;
	default:
		return OUTCOME_FAILED;
	}
}

static void count(struct vault *v, const struct job *j, enum wire_code code)
{
	const struct conf_socket *s = j->conn->socket;
	size_t at = s ? (size_t)(s - v->config->sockets) : CONF_SOCKETS;
	unsigned op = j->operation < WIRE_OPERATIONS && !for_anybody(j) ? j->operation : WIRE_OPERATIONS;

	atomic_fetch_add(&v->count.by_operation[at < CONF_SOCKETS ? at : CONF_SOCKETS][op][outcome_of(code)], 1);
	atomic_fetch_add(&v->count.requests, 1);
	atomic_fetch_add(&v->count.by_code[code < WIRE_CODES ? code : WIRE_FAILED], 1);
	if (code == WIRE_DENIED)
		atomic_fetch_add(&v->count.denied, 1);
	else if (code == WIRE_LIMITED)
		atomic_fetch_add(&v->count.limited, 1);
	else if (code == WIRE_TIMEOUT)
		atomic_fetch_add(&v->count.timeouts, 1);
	else if (code == WIRE_FAILED)
		atomic_fetch_add(&v->count.failed, 1);
}

/* Revoked while we were at it: what was made is thrown away. */
static bool permitted_still(struct vault *v, struct job *j)
{
	if (j->answer.head.code != WIRE_OK || permitted(v, j))
		return true;
	wipe(j->scratch, sizeof(j->scratch));
	return false;
}

static bool send_answer(struct vault *v, struct job *j)
{
	count(v, j, answered_with(j));
	return j->protocol == ROLE_AESM ? send_aesm(j) : send_native(j);
}

/* The record may have waited for long: what was revoked meanwhile does not leave, and that is on record too. */
static bool leave(struct vault *v, struct job *j)
{
	bool sent;

	pthread_rwlock_rdlock(&v->leaving);
	if (decided_still(v, j) || permitted_still(v, j)) {
		sent = send_answer(v, j);
		pthread_rwlock_unlock(&v->leaving);
		return sent;
	}
	pthread_rwlock_unlock(&v->leaving);
	snprintf(j->note, sizeof(j->note), "refused after all: what is on record for it before was not sent");
	vault_audit(v, j, answered_with(j));
	return send_answer(v, j);
}

static void finish(struct vault *v, struct job *j)
{
	struct role_answered told = { .conn = j->index, .generation = j->conn->generation,
				      .seq = j->seq };

	permitted_still(v, j);
	vault_audit(v, j, answered_with(j));
	if (!leave(v, j))
		j->close = true;
	if (j->close)
		conn_end(v, j->conn);
	told.close = j->close;
	/* Given back first: once it is told, the gate may use the number for another. */
	job_free(v, j);
	tell_gate(v, &told);
}

/* ---- parking ---- */

enum parked { PARKED, PARKED_CAME, PARKED_NOT };

/* May one more of these wait? Under lock. */
static bool room(const struct vault *v, const struct job *j)
{
	const bool launch = j->park == PARK_LAUNCH;
	const size_t most = launch ? LAUNCHES_MAX : PARKED_MAX;
	size_t all = 0, own = 0;

	for (size_t i = 0; i < v->parked_n; i++) {
		if ((v->parked[i]->park == PARK_LAUNCH) != launch)
			continue;
		all++;
		own += v->parked[i]->conn->uid == j->conn->uid;
	}
	return all < most && own < most / 4;
}

/*
 * The job is another's once this returns PARKED. What it waits for may have
 * come between the time it was missed and now; what is asked for only now
 * cannot come too early, since the lock is needed to hand it out.
 */
static enum parked park(struct vault *v, struct job *j)
{
	struct role_message m = { .head.type = ROLE_PARKED };
	const bool told = j->parked;
	enum parked r = PARKED_NOT;

	m.u.parked = (struct role_parked){ .conn = j->index, .generation = j->conn->generation,
					   .seq = j->seq };
	pthread_mutex_lock(&v->lock);
	if (j->resumed[j->park] != v->resumed[j->park] && j->park != PARK_FETCHED) {
		r = PARKED_CAME;
	} else if (v->stopping || !room(v, j)) {
		job_refuse(j, WIRE_BUSY, 500, "too many requests wait already");
	} else if (j->park == PARK_FETCHED && v->courier < 0) {
		job_refuse(j, WIRE_UNAVAILABLE, 1000, "the courier is not there just now");
	} else {
		r = PARKED;
		j->parked = true;
		v->parked[v->parked_n++] = j;
		if (j->park == PARK_LAUNCH) {
			pthread_cond_signal(&v->launches);
		} else if (j->park == PARK_FETCHED) {
			j->number = 0;
			collateral_next(v);
		}
	}
	pthread_mutex_unlock(&v->lock);
	if (r == PARKED && !told)
		to_gate(v, &m);
	return r;
}

/* Under lock. */
static struct job *take_parked(struct vault *v, size_t i)
{
	struct job *j = v->parked[i];

	memmove(&v->parked[i], &v->parked[i + 1], (--v->parked_n - i) * sizeof(j));
	return j;
}

static struct job *unpark(struct vault *v, bool (*wanted)(const struct job *, const void *),
			  const void *arg)
{
	struct job *j = NULL;

	pthread_mutex_lock(&v->lock);
	for (size_t i = 0; i < v->parked_n && !j; i++) {
		if (wanted(v->parked[i], arg))
			j = take_parked(v, i);
	}
	pthread_mutex_unlock(&v->lock);
	return j;
}

struct wanted {
	enum park what;
	uint64_t number, now;
};

static bool is_resumed(const struct job *j, const void *arg)
{
	const struct wanted *w = arg;

	return j->park == w->what && (w->what != PARK_FETCHED || j->number == w->number);
}

static bool is_late(const struct job *j, const void *arg)
{
	return j->deadline <= ((const struct wanted *)arg)->now;
}

void parked_resume(struct vault *v, enum park what, uint64_t number, const struct role_fetched *f,
		   int fd)
{
	struct wanted w = { .what = what, .number = number };
	struct job *j;
	size_t n = 0;

	pthread_mutex_lock(&v->lock);
	v->resumed[what]++;
	for (size_t i = 0; i < v->parked_n; i++)
		n += is_resumed(v->parked[i], &w);
	pthread_mutex_unlock(&v->lock);
	/* No more than there are now: one that has to wait once more waits for the next time. */
	while (n-- && (j = unpark(v, is_resumed, &w))) {
		j->fetched = f;
		j->fetched_fd = fd;
		job_serve(v, j);
	}
}

size_t parked_turn(const struct vault *v, enum park what, uint32_t last_uid)
{
	size_t first = SIZE_MAX;

	for (size_t i = 0; i < v->parked_n; i++) {
		const struct job *j = v->parked[i];

		if (j->park != what || (what == PARK_FETCHED && j->number))
			continue;
		if (j->conn->uid != last_uid)
			return i;
		if (first == SIZE_MAX)
			first = i;
	}
	return first;
}

struct job *parked_launch(struct vault *v)
{
	struct job *j;
	size_t i;

	pthread_mutex_lock(&v->lock);
	while ((i = parked_turn(v, PARK_LAUNCH, v->launched_uid)) == SIZE_MAX)
		pthread_cond_wait(&v->launches, &v->lock);
	j = take_parked(v, i);
	v->launched_uid = j->conn->uid;
	pthread_mutex_unlock(&v->lock);
	return j;
}

static const char *waits_for(struct vault *v, const struct job *j)
{
	if (j->park == PARK_LAUNCH)
		return "others are launched first";
	if (j->park == PARK_POLICY)
		return "the policy has not been read yet";
	return v->problem[0] && job_may(v, j, WIRE_OP_STATUS) ? v->problem : "what it needs is still on its way";
}

void parked_expire(struct vault *v, uint64_t now)
{
	struct wanted w = { .now = now };
	struct job *j;

	while ((j = unpark(v, is_late, &w))) {
		job_refuse(j, WIRE_TIMEOUT, 1000, "no answer in time: %s", waits_for(v, j));
		finish(v, j);
	}
}

/* ---- serving ---- */

static void dispatch(struct vault *v, struct job *j)
{
	if (j->protocol == ROLE_AESM) {
		aesm_serve(v, j);
		return;
	}
	if (j->malformed) {
		job_refuse(j, WIRE_MALFORMED, 0, "%s", j->note);
		j->close = true;
		return;
	}
	/* On a connection that is older than this vault another one has answered HELLO. */
	if (!j->conn->greeted && j->seq <= 1 && j->native.head.type != WIRE_HELLO) {
		job_refuse(j, WIRE_MALFORMED, 0, "HELLO comes first");
		j->close = true;
		return;
	}
	if (j->native.head.type == WIRE_LAUNCH)
		launch_serve(v, j);
	else if (j->operation == WIRE_OP_ADMINISTER)
		admin_serve(v, j);
	else
		native_serve(v, j);
}

static void serve_once(struct vault *v, struct job *j)
{
	bool known;

	pthread_mutex_lock(&v->lock);
	memcpy(j->resumed, v->resumed, sizeof(j->resumed));
	known = v->policy_known;
	pthread_mutex_unlock(&v->lock);
	j->park = PARK_NOT;
	memset(&j->answer, 0, sizeof(j->answer));
	j->response.error = 0;
	if (!known && !for_anybody(j))
		j->park = PARK_POLICY; /* nothing is answered before it is known who may have what */
	else if (permitted(v, j) && audit_permits(v, j))
		dispatch(v, j);
	j->fetched = NULL;
	j->fetched_fd = -1;
}

void job_serve(struct vault *v, struct job *j)
{
	enum parked r;

	if (!j->deadline)
		j->deadline = clock_ns() + v->config->request_seconds * SECOND_NS;
	do {
		serve_once(v, j);
		r = j->park == PARK_NOT ? PARKED_NOT : park(v, j);
	} while (r == PARKED_CAME);
	if (r != PARKED)
		finish(v, j);
}
