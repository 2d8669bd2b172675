/* The vault's threads: who takes what from where. */
#include "daemon/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define RATE_BUCKETS 4096
#define WORKER_STACK (512u << 10)

/*
 * Quotes follow each other so closely under load that the first thread would
 * never get to write a new certificate. Nobody reads while reading already.
 */
#ifdef PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
#define WRITERS_FIRST PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP
#else
#define WRITERS_FIRST PTHREAD_RWLOCK_INITIALIZER
#endif

/* ---- workers ---- */

/* The gate died: its clients are let go, and a new one awaited. */
static void gate_ended(struct vault *v, unsigned epoch)
{
	pthread_mutex_lock(&v->lock);
	if (v->gate_epoch == epoch && !v->gate_gone) {
		v->gate_gone = true;
		conns_drop(v);
	}
	while (v->gate_epoch == epoch)
		pthread_cond_wait(&v->changed, &v->lock);
	pthread_mutex_unlock(&v->lock);
}

/* From the client's socket itself: nobody else has written it. The gate only tells that it is there. */
static int read_own(struct job *j, struct bawn_error *e)
{
	uint8_t *p = malloc(WIRE_MAX + 1);
	struct iovec iov = { .iov_base = p, .iov_len = WIRE_MAX + 1 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	const struct wire_message *w;
	ssize_t n;
	int r;

	if (!p)
		return err_nomem(e);
	n = recvmsg(j->conn->fd, &h, MSG_DONTWAIT); /* without room for descriptors: none come */
	if (n <= 0) {
		free(p);
		return err_set(e, BAWN_ERR_NOT_FOUND, "a request that no client made");
	}
	r = h.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? err_set(e, BAWN_ERR_FORMAT, "more than a message may have")
						   : wire_request_decode(p, (size_t)n, 0, &j->native, e);
	free(p);
	w = wire_message_of(j->native.head.type);
	if (r == 0 && !request_is_grave(j->native.head.type))
		r = err_set(e, BAWN_ERR_FORMAT, "not a request that the vault reads");
	if (r == 0) {
		j->operation = w->operation;
		return 0;
	}
	/* The client is told, as by the gate. */
	j->malformed = true;
	text_printf(j->note, sizeof(j->note), "%s", e->msg);
	return 0;
}

static bool take_exactly(int fd, uint8_t *p, size_t n)
{
	while (n) {
		ssize_t r = recv(fd, p, n, MSG_DONTWAIT);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		p += r;
		n -= (size_t)r;
	}
	return true;
}

/* The same of AESM's: a frame, all of which has come. What is none ends the connection. */
static int read_own_aesm(struct job *j, struct bawn_error *e)
{
	uint8_t length[4], *p;
	size_t n;
	int r;

	if (!take_exactly(j->conn->fd, length, 4) || get_le32(length) > AESM_GRAVE_MAX)
		return err_set(e, BAWN_ERR_NOT_FOUND, "a request that no client made");
	n = get_le32(length);
	p = malloc(n + 1);
	if (!p)
		return err_nomem(e);
	r = take_exactly(j->conn->fd, p, n) ? aesm_request_decode(p, n, j->aesm, e)
					     : err_set(e, BAWN_ERR_NOT_FOUND, "a request that no client made");
	free(p);
	if (r == 0 && !aesm_is_grave(j->aesm->type))
		r = err_set(e, BAWN_ERR_FORMAT, "not a request that the vault reads");
	return r;
}

static int read_aesm(struct job *j, const struct role_message *m, struct bawn_error *e)
{
	int r;

	j->aesm = calloc(1, sizeof(*j->aesm));
	if (!j->aesm)
		return err_nomem(e);
	if (!aesm_is_grave(m->u.request.type))
		r = role_read_aesm(m, j->aesm, e);
	else if (j->conn->socket->protocol == PROTOCOL_AESM && !m->tail.n)
		r = read_own_aesm(j, e);
	else
		r = err_set(e, BAWN_ERR_FORMAT, "AESM message %u: a request that no client made", m->u.request.type);
	if (r)
		return r;
	j->operation = aesm_operation(j->aesm->type);
	aesm_request_identity(j->aesm, &j->identity);
	return 0;
}

static int read_request(struct job *j, const struct role_message *m, struct bawn_error *e)
{
	const struct wire_message *w;
	int r;

	j->protocol = (enum role_protocol)m->u.request.protocol;
	w = j->protocol == ROLE_NATIVE ? wire_message_of(m->u.request.type) : NULL;
	if (w && request_is_grave(m->u.request.type)) {
		j->operation = w->operation; /* as long as it cannot be read */
		return j->conn->socket->protocol == PROTOCOL_NATIVE && !m->tail.n
			       ? read_own(j, e)
			       : err_set(e, BAWN_ERR_FORMAT, "%s: a request that no client made", w->name);
	}
	if (j->protocol == ROLE_AESM)
		return read_aesm(j, m, e);
	r = role_read_native(m, &j->native, e);
	if (r)
		return r;
	w = wire_message_of(j->native.head.type);
	if (!w)
		return err_set(e, BAWN_ERR_FORMAT, "no such request");
	j->operation = w->operation;
	wire_request_identity(&j->native, &j->identity);
	return 0;
}

static void take_request(struct vault *v, const struct role_message *m, struct message *in)
{
	const struct role_request *r = &m->u.request;
	int socket = r->has_socket ? message_fd(in) : -1;
	struct bawn_error e = { 0 };
	struct job *j = job_new();

	if (!j)
		_exit(1); /* out of memory: another will do better */
	j->fd = r->has_fd ? message_fd(in) : -1;
	j->index = r->conn;
	j->seq = r->seq;
	if (r->has_socket && socket < 0)
		goto dropped;
	j->conn = conn_take(v, r, socket);
	if (!j->conn || read_request(j, m, &e)) {
		if (e.code)
			vault_remark("a request from the gate that cannot be read: %s", e.msg);
		goto dropped;
	}
	audit_expect(j);
	/* The protocol is the socket's, whatever the gate says. */
	if ((j->protocol == ROLE_AESM) != (j->conn->socket->protocol == PROTOCOL_AESM))
		goto dropped;
	job_serve(v, j);
	return;
dropped:
	/* The gate closes its own, and does not tell us again. */
	if (j->conn)
		conn_end(v, j->conn);
	job_free(v, j);
	tell_gate(v, &(struct role_answered){ .conn = r->conn, .generation = r->generation,
					      .seq = r->seq, .close = true });
}

static void take(struct vault *v, struct message *in)
{
	struct role_message m;
	struct bawn_error e = { 0 };

	if (in->kind != CHAN_ROLE || role_decode(in->body, in->n, &m, &e)) {
		vault_remark("the gate says what cannot be read: %s", e.msg);
		return;
	}
	switch (m.head.type) {
	case ROLE_REQUEST:
		take_request(v, &m, in);
		break;
	case ROLE_CLOSED:
		conn_closed(v, m.u.closed.conn, m.u.closed.generation);
		break;
	case ROLE_COUNTERS:
		pthread_mutex_lock(&v->lock);
		v->gate_counters = m.u.counters;
		pthread_mutex_unlock(&v->lock);
		break;
	}
}

static void *work(void *arg)
{
	struct message *in = malloc(sizeof(*in));
	struct vault *v = arg;

	if (!in)
		_exit(1);
	for (;;) {
		unsigned epoch;
		int r;

		pthread_mutex_lock(&v->lock);
		epoch = v->gate_epoch;
		pthread_mutex_unlock(&v->lock);
		r = channel_recv(FD_VAULT_GATE, in, NULL);
		if (r == 0) {
			take(v, in);
			message_close(in);
		} else if (r != BAWN_ERR_FORMAT) {
			gate_ended(v, epoch);
		}
	}
	return NULL;
}

static int start_workers(struct vault *v, struct bawn_error *e)
{
	/*
	 * As many as there are quoting enclaves: nobody waits for one, and each
	 * thread keeps the one that its processor's caches know. Two at least, so
	 * that what needs none is served beside what does.
	 */
	unsigned n = enclaves_at_once(v) < 2 ? 2 : enclaves_at_once(v);
	pthread_attr_t a;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, WORKER_STACK);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	/* And one for large enclaves, which take their time, and one for what nobody waits for. */
	for (unsigned i = 0; i <= n + 1; i++) {
		pthread_t t;

		if (pthread_create(&t, &a, i < n ? work : i == n ? launch_work : ledger_work, v))
			return err_set(e, BAWN_ERR_SYSTEM, "cannot start a thread");
	}
	pthread_attr_destroy(&a);
	return 0;
}

/* ---- from the parent ---- */

/* A new channel in place of the old one, under the same number: workers notice nothing else. */
static void new_gate(struct vault *v, int fd)
{
	shutdown(FD_VAULT_GATE, SHUT_RDWR);
	pthread_mutex_lock(&v->lock);
	if (!v->gate_gone)
		conns_drop(v);
	dup2(fd, FD_VAULT_GATE);
	v->gate_epoch++;
	v->gate_gone = false;
	pthread_cond_broadcast(&v->changed);
	pthread_mutex_unlock(&v->lock);
	close(fd);
}

static void new_courier(struct vault *v, int fd)
{
	pthread_mutex_lock(&v->lock);
	if (v->courier >= 0)
		close(v->courier);
	v->courier = fd;
	pthread_mutex_unlock(&v->lock);
	/* It waits for servers, and what is asked of it is sent under lock: nobody waits for it. */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	provision_courier(v);
}

static void new_policy(struct vault *v, const struct role_policy *info, int fd)
{
	struct authority_policy *p = NULL;
	struct wire_quiesce_answer closed;
	struct bawn_error e = { 0 };
	uint8_t *bytes = NULL;
	size_t n = 0;
	int r = (int)info->code;

	if (fd >= 0) {
		r = sealed_read(fd, AUTHORITY_POLICY_MAX, &bytes, &n, &e);
		if (r == 0)
			r = authority_policy_decode(bytes, n, &p, &e);
		free(bytes);
		if (r)
			log_msg(LOG_ERROR, "the policy as loaded: %s", e.msg);
	}
	pthread_mutex_lock(&v->lock);
	if (p && v->locked && v->policy_loaded) {
		free(p);
		p = NULL;
		log_msg(LOG_WARN, "the policy is locked: the new one waits for a restart");
	} else if (p) {
		free(v->policy);
		v->policy = p;
		v->policy_info = *info;
		v->policy_loaded = now_s();
		v->locked |= p->lock;
	} else {
		/* What was in force stays so; status tells. */
		v->policy_info.code = r == WIRE_UNAVAILABLE ? WIRE_UNAVAILABLE : r ? WIRE_BAD_INPUT : WIRE_OK;
		memcpy(v->policy_info.problem, info->problem, sizeof(info->problem));
		memcpy(v->policy_info.path, info->path, sizeof(info->path));
	}
	v->policy_known = true;
	pthread_mutex_unlock(&v->lock);
	if (r)
		vault_note(v, WIRE_AUDIT_POLICY, "another is not read, nothing changed: %s", info->problem);
	if (p) {
		char hex[17];

		hex_encode(info->digest, 8, hex);
		vault_note(v, WIRE_AUDIT_POLICY, "in force: %u rules, SHA-256 %s...%s", p->rules, hex,
			   p->lock ? ", locked" : "");
		if (p->lock)
			channel_send(FD_PARENT, CHAN_LOCK, NULL, 0, NULL, 0, NULL);
		/* Those lists are looked at when an enclave is loaded. */
		if ((p->list[AUTHORITY_LAUNCH_KEYS].line || p->list[AUTHORITY_PROVISIONING_KEYS].line) &&
		    !v->quiesced_until) {
			enclaves_quiesce(v, 0, &closed);
			provision_look(v);
		}
	}
	authority_changed(v);
	parked_resume(v, PARK_POLICY, 0, NULL, -1);
}

static void parent_role(struct vault *v)
{
	struct bawn_error e = { 0 };
	struct role_message m;
	int fd;

	if (role_decode(v->in.body, v->in.n, &m, &e)) {
		log_msg(LOG_ERROR, "the parent says what cannot be read: %s", e.msg);
		return;
	}
	if (m.head.type == ROLE_ANCHOR) {
		anchor_told(v, &m.u.anchor);
	} else if (m.head.type == ROLE_LINE) {
		anchor_line(v, &m.u.line);
	} else if (m.head.type == ROLE_KEY) {
		ledger_key(v, &m.u.key);
		wipe(&m, sizeof(m));
		wipe(v->in.body, v->in.n);
	} else if (m.head.type == ROLE_POLICY) {
		fd = message_fd(&v->in);
		new_policy(v, &m.u.policy, fd);
		if (fd >= 0)
			close(fd);
	}
}

static void from_parent(struct vault *v)
{
	struct bawn_error e = { 0 };
	int fd;

	if (channel_recv(FD_PARENT, &v->in, &e))
		_exit(1); /* without a parent there is no audit log */
	switch (v->in.kind) {
	case CHAN_ROLE:
		parent_role(v);
		break;
	case CHAN_PEER:
		fd = message_fd(&v->in);
		if (fd >= 0 && v->in.n == 1 && v->in.body[0] == PROC_GATE)
			new_gate(v, fd);
		else if (fd >= 0 && v->in.n == 1 && v->in.body[0] == PROC_COURIER)
			new_courier(v, fd);
		else if (fd >= 0)
			close(fd);
		break;
	case CHAN_LOADED:
		fd = message_fd(&v->in);
		if (fd >= 0 && enclaves_new(v, fd, &e)) {
			log_msg(LOG_ERROR, "the enclaves as loaded: %s", e.msg);
			close(fd);
		}
		/* What failed for want of them is tried at once. */
		pthread_mutex_lock(&v->lock);
		v->unchecked = v->prov.has_key;
		v->looked = false;
		v->look_next = 0;
		v->next_try = 0;
		pthread_mutex_unlock(&v->lock);
		/* Where key and certificate were there already, nothing else tells those who came before. */
		parked_resume(v, PARK_PROVISIONED, 0, NULL, -1);
		ledger_look(v);
		break;
	case CHAN_LOCK:
		pthread_mutex_lock(&v->lock);
		v->locked = true;
		pthread_mutex_unlock(&v->lock);
		break;
	case CHAN_STOP:
		v->stopping = true;
		break;
	case CHAN_PING:
		/* Whoever has the lock for ever is found out here. */
		pthread_mutex_lock(&v->lock);
		pthread_mutex_unlock(&v->lock);
		channel_send(FD_PARENT, CHAN_PONG, NULL, 0, NULL, 0, NULL);
		break;
	}
	message_close(&v->in);
}

static void from_courier(struct vault *v)
{
	struct bawn_error e = { 0 };
	struct role_message m;
	int fd, r = channel_recv(v->courier, &v->in, &e);

	if (r == BAWN_ERR_NOT_FOUND) {
		pthread_mutex_lock(&v->lock);
		close(v->courier);
		v->courier = -1;
		pthread_mutex_unlock(&v->lock);
		provision_courier(v);
		return;
	}
	if (r)
		return;
	fd = message_fd(&v->in);
	if (v->in.kind == CHAN_ROLE && role_decode(v->in.body, v->in.n, &m, &e) == 0 &&
	    m.head.type == ROLE_FETCHED)
		provision_fetched(v, &m.u.fetched, fd);
	else
		vault_remark("the courier says what cannot be read: %s", e.msg);
	if (fd >= 0)
		close(fd);
	message_close(&v->in);
}

/* ---- the first thread ---- */

static void loop(struct vault *v)
{
	uint64_t wait = 0;

	while (!v->stopping) {
		struct pollfd f[3] = {
			{ .fd = FD_PARENT, .events = POLLIN },
			{ .fd = v->courier, .events = POLLIN },
			{ .fd = v->config->metrics[0] ? FD_VAULT_METRICS : -1, .events = POLLIN },
		};
		struct bawn_error e = { 0 };
		uint64_t left;

		poll(f, ARRAY_LEN(f), (int)(wait / 1000000) + 1);
		if (f[0].revents)
			from_parent(v);
		if (v->courier >= 0 && f[1].revents)
			from_courier(v);
		if (f[2].revents)
			metrics_serve(v, FD_VAULT_METRICS);
		wait = provision_step(v);
		left = enclaves_tick(v);
		if (left < wait)
			wait = left;
		if (wait > SECOND_NS)
			wait = SECOND_NS;
		lists_tick(v);
		metrics_tick(v);
		vault_remark_tick(clock_ns());
		launch_held(v, UINT64_MAX, NULL); /* so that little of it is ever left to be told */
		collateral_tick(v);
		parked_expire(v, clock_ns());
		pthread_mutex_lock(&v->lock);
		if (authority_entries_tidy(v->entries, now_s(), &e))
			text_printf(v->unkept, sizeof(v->unkept), "grants cannot be kept: %s", e.msg);
		else
			v->unkept[0] = '\0';
		pthread_mutex_unlock(&v->lock);
		anchor_save(v, false);
	}
}

static int set_up(struct vault *v, struct bawn_error *e)
{
	struct bawn_error state = { 0 };
	int r = conns_new(v, e);

	v->started = now_s();
	lives_new(&v->lives);
	v->emulated = v->config->emulated;
	v->policy = calloc(1, sizeof(*v->policy)); /* allows nothing */
	if (r == 0 && !v->policy)
		r = err_nomem(e);
	if (r == 0)
		r = authority_rates_new(&v->rates, RATE_BUCKETS, e);
	if (r)
		return r;
	if (authority_entries_load(&v->entries, FD_VAULT_STATE, &state) && !v->entries)
		return err_set(e, state.code, "grants and revocations: %s", state.msg);
	if (state.code) {
		log_msg(LOG_ERROR, "grants and revocations: %s: everything is refused", state.msg);
		vault_note(v, WIRE_AUDIT_FAULT, "grants and revocations: %s", state.msg);
	}
	state = (struct bawn_error){ 0 };
	r = provision_load(v, &state);
	if (r && r != BAWN_ERR_NOT_FOUND) {
		log_msg(LOG_ERROR, "%s: provisioning starts anew", state.msg);
		vault_note(v, WIRE_AUDIT_FAULT, "provisioning state: %s", state.msg);
	}
	ledger_init(v);
	anchor_load(v);
	/* Sealed, but worth keeping out of swap all the same; whole where the limit allows it. */
	if (!v->sandbox.locked && mlock(&v->prov, sizeof(v->prov)))
		log_msg(LOG_DEBUG, "memory cannot be locked");
	r = start_workers(v, e);
	return r ? r : channel_send(FD_PARENT, CHAN_READY, NULL, 0, NULL, 0, e);
}

int vault_main(const struct config *c, const struct sandbox *s)
{
	static struct vault v = { .courier = FD_VAULT_COURIER, .bundle = -1, .gate_epoch = 1,
				  .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .launches = PTHREAD_COND_INITIALIZER,
				  .prov_lock = WRITERS_FIRST, .leaving = WRITERS_FIRST };
	struct bawn_error e = { 0 };

	v.config = c;
	v.sandbox = *s;
	signal(SIGPIPE, SIG_IGN);
	fcntl(v.courier, F_SETFL, O_NONBLOCK); /* as in new_courier */
	if (set_up(&v, &e)) {
		log_msg(LOG_ERROR, "%s", e.msg);
		return 1;
	}
	loop(&v);
	/* The gate is gone, so nothing is under way but what waited; that is told so. */
	parked_expire(&v, UINT64_MAX);
	ledger_stop(&v);
	anchor_save(&v, true);
	if (v.unsaved)
		log_msg(LOG_ERROR, "the provisioning state could not be written to the last");
	_exit(0); /* the workers are in the middle of waiting */
}
