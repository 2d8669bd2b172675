/* Requests on their way through the gate: read, decoded, and written anew for the vault. */
#include "daemon/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

/* ---- to the vault ---- */

int gate_send(struct gate *g, const struct role_message *m, const int *fds, size_t nfds)
{
	struct bawn_error e = { 0 };
	struct buf b;
	int r = 0;

	buf_init(&b, CHANNEL_MAX);
	role_encode(m, &b);
	if (b.failed)
		r = BAWN_ERR_MEMORY;
	else if (g->stuck.n) /* it would overtake */
		r = BAWN_ERR_BUSY;
	else
		r = channel_send(g->vault, CHAN_ROLE, b.p, b.n, fds, nfds, &e);
	if (r == BAWN_ERR_BUSY && !g->stuck.n) {
		buf_add(&g->stuck, b.p, b.n);
		g->stuck_nfds = 0;
		/* Copies: the client may be closed before they can be sent. */
		for (size_t i = 0; i < nfds; i++)
			g->stuck_fds[g->stuck_nfds++] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		r = g->stuck.failed ? BAWN_ERR_MEMORY : 0;
	}
	buf_free(&b);
	return r;
}

static int send_closed(struct gate *g, const struct role_closed *c)
{
	struct role_message m = { .head.type = ROLE_CLOSED, .u.closed = *c };

	return gate_send(g, &m, NULL, 0);
}

static bool send_stuck(struct gate *g)
{
	if (!g->stuck.n)
		return true;
	if (g->vault >= 0 && channel_send(g->vault, CHAN_ROLE, g->stuck.p, g->stuck.n, g->stuck_fds,
					  g->stuck_nfds, NULL) == BAWN_ERR_BUSY)
		return false;
	close_all(g->stuck_fds, g->stuck_nfds);
	g->stuck_nfds = 0;
	g->stuck.n = 0;
	return true;
}

bool gate_unstick(struct gate *g)
{
	if (g->vault < 0)
		g->owed_n = 0; /* the next one has nothing of theirs */
	if (!send_stuck(g))
		return false;
	while (g->owed_n && !g->stuck.n && send_closed(g, &g->owed[g->owed_n - 1]) == 0)
		g->owed_n--;
	return !g->stuck.n && !g->owed_n;
}

void gate_closed(struct gate *g, uint32_t conn, uint32_t generation)
{
	struct role_closed c = { .conn = conn, .generation = generation };

	/* Nothing is handed on while any is owed, so a number cannot be owed twice. */
	if (g->vault >= 0 && send_closed(g, &c))
		g->owed[g->owed_n++] = c;
}

static void hand_on(struct gate *g, struct client *c, struct role_message *m, int fd)
{
	struct role_request *r = &m->u.request;
	int fds[2];
	size_t n = 0;

	m->head.type = ROLE_REQUEST;
	r->conn = (uint32_t)(c - g->client);
	r->generation = c->generation;
	r->seq = ++c->seq;
	r->received = clock_ns();
	r->has_socket = c->epoch != g->epoch;
	r->has_fd = fd >= 0;
	if (r->has_socket)
		fds[n++] = c->fd;
	if (fd >= 0)
		fds[n++] = fd;
	c->since = r->received;
	if (gate_send(g, m, fds, n)) {
		client_close(g, c);
		return;
	}
	c->epoch = g->epoch;
	c->in_flight = true;
	g->in_flight++;
}

/* ---- native ---- */

/* What the gate answers by itself: a request that cannot be read. */
static void refuse(struct client *c, const struct wire_head *head, enum wire_code code,
		   const char *text)
{
	struct wire_answer a = { .head = { .type = head->type, .tag = head->tag, .code = (uint16_t)code } };
	struct buf b;

	strncpy(a.u.refusal.text, text, sizeof(a.u.refusal.text) - 1);
	buf_init(&b, WIRE_MAX);
	wire_answer_encode(&a, &b);
	if (!b.failed && send(c->fd, b.p, b.n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_msg(LOG_DEBUG, "a client does not take its refusal");
	buf_free(&b);
}

/* One datagram with its descriptors; < 0: nothing there, 0: the end. */
static ssize_t receive(struct gate *g, struct client *c, int *fds, size_t *nfds, bool *clean)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(WIRE_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = g->datagram, .iov_len = sizeof(g->datagram) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	ssize_t r;

	*nfds = 0;
	do
		r = recvmsg(c->fd, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno == EAGAIN ? -1 : 0;
	*clean = io_take_fds(&h, fds, WIRE_FDS_MAX, nfds) && !(h.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
	return r;
}

/* Nothing there: the next edge tells of more, or the client is gone. */
static void nothing_yet(struct gate *g, struct client *c)
{
	c->readable = false;
	if (c->ended)
		client_close(g, c);
}

/*
 * What is grave stays where it is, for the vault to read. False if what comes
 * next is not, and so is the gate's to take; not if nothing has come yet, since
 * what comes after this look may be grave.
 */
static bool leave_to_vault(struct gate *g, struct client *c)
{
	struct role_message m = { 0 };
	uint8_t head[WIRE_HEAD];
	uint16_t type;
	ssize_t n;

	do
		n = recv(c->fd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		nothing_yet(g, c);
		return true;
	}
	if (n != (ssize_t)sizeof(head))
		return false;
	type = get_le16(head + 4);
	if (!request_is_grave(type))
		return false;
	m.u.request.protocol = ROLE_NATIVE;
	m.u.request.type = type;
	hand_on(g, c, &m, -1);
	return true;
}

static void take_native(struct gate *g, struct client *c)
{
	static struct wire_request request;
	struct role_message m = { 0 };
	int fds[WIRE_FDS_MAX], r;
	struct bawn_error e = { 0 };
	bool clean = true;
	size_t nfds;
	ssize_t n = receive(g, c, fds, &nfds, &clean);
	struct buf body;

	if (n < 0) {
		nothing_yet(g, c);
		return;
	}
	if (n == 0) {
		close_all(fds, nfds);
		client_close(g, c);
		return;
	}
	request.head = (struct wire_head){ 0 };
	r = clean ? wire_request_decode(g->datagram, (size_t)n, nfds, &request, &e) : BAWN_ERR_FORMAT;
	if (r == BAWN_ERR_UNSUPPORTED) {
		refuse(c, &request.head, WIRE_UNSUPPORTED, "no such request: ask for what HELLO offers");
		close_all(fds, nfds);
		client_consider(g, c);
		return;
	}
	if (r) {
		g->counters.malformed++;
		refuse(c, &request.head, WIRE_MALFORMED, e.code ? e.msg : "more than a message may have");
		close_all(fds, nfds);
		client_close(g, c);
		return;
	}
	buf_init(&body, WIRE_MAX);
	role_request_native(&request, &body);
	m.u.request.protocol = ROLE_NATIVE;
	m.u.request.type = request.head.type;
	m.u.request.tag = request.head.tag;
	m.tail = cur_make(body.p, body.n);
	if (body.failed)
		client_close(g, c);
	else
		hand_on(g, c, &m, nfds ? fds[0] : -1);
	buf_free(&body);
	close_all(fds, nfds);
}

/* ---- AESM ---- */

static void take_aesm(struct gate *g, struct client *c)
{
	static struct aesm_request request;
	struct role_message m = { 0 };
	struct bawn_error e = { 0 };
	struct buf body;

	if (c->grave) {
		m.u.request.protocol = ROLE_AESM;
		m.u.request.type = c->grave;
		c->grave = 0;
		hand_on(g, c, &m, -1);
		return;
	}
	if (aesm_request_decode(c->frame + 4, c->need, &request, &e)) {
		g->counters.malformed++;
		client_close(g, c); /* as Intel's service does, without an answer */
		return;
	}
	buf_init(&body, CHANNEL_MAX);
	role_request_aesm(&request, &body);
	m.u.request.protocol = ROLE_AESM;
	m.u.request.type = request.type;
	m.tail = cur_make(body.p, body.n);
	free(c->frame);
	c->frame = NULL;
	c->have = c->need = 0;
	if (body.failed)
		client_close(g, c);
	else
		hand_on(g, c, &m, -1);
	buf_free(&body);
}

/* ---- turns ---- */

/* The next client in line: the first of the next user's. */
static struct client *next(struct gate *g)
{
	while (g->ring) {
		struct user *u = g->ring;
		struct client *c = u->head;

		g->ring = u->next;
		if (!g->ring)
			g->ring_tail = NULL;
		u->in_ring = false;
		u->next = NULL;
		if (!c)
			continue;
		u->head = c->next;
		if (!u->head) {
			u->tail = NULL;
		} else {
			u->in_ring = true;
			if (g->ring_tail)
				g->ring_tail->next = u;
			else
				g->ring = u;
			g->ring_tail = u;
		}
		c->queued = false;
		return c;
	}
	return NULL;
}

void gate_dispatch(struct gate *g)
{
	struct client *c;

	while (g->vault >= 0 && !g->stuck.n && !g->owed_n && gate_under_way(g) < UNDER_WAY_MAX &&
	       (c = next(g))) {
		if (c->fd < 0)
			continue;
		if (c->protocol == PROTOCOL_AESM)
			take_aesm(g, c);
		else if (!leave_to_vault(g, c))
			take_native(g, c);
	}
}
