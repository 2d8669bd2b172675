/* The gate's clients: accepted, counted by uid, made to wait their turn, closed. */
#include "daemon/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define ACCEPT_BATCH 64

/* ---- users ---- */

static struct user *user_of(struct gate *g, uint32_t uid)
{
	struct user *empty = NULL;

	for (uint32_t i = 0; i < g->max_users; i++) {
		if (g->users[i].clients && g->users[i].uid == uid)
			return &g->users[i];
		if (!g->users[i].clients && !g->users[i].in_ring && !empty)
			empty = &g->users[i];
	}
	if (empty)
		*empty = (struct user){ .uid = uid };
	return empty;
}

static void enqueue(struct gate *g, struct client *c)
{
	struct user *u = c->user;

	if (c->queued || c->in_flight)
		return;
	c->queued = true;
	c->next = NULL;
	if (u->tail)
		u->tail->next = c;
	else
		u->head = c;
	u->tail = c;
	if (u->in_ring)
		return;
	u->in_ring = true;
	u->next = NULL;
	if (g->ring_tail)
		g->ring_tail->next = u;
	else
		g->ring = u;
	g->ring_tail = u;
}

static void dequeue(struct client *c)
{
	struct user *u = c->user;
	struct client **p = &u->head, *last = NULL;

	if (!c->queued)
		return;
	while (*p && *p != c) {
		last = *p;
		p = &(*p)->next;
	}
	if (*p)
		*p = c->next;
	if (u->tail == c)
		u->tail = last;
	c->queued = false;
	/* A user whose queue is empty leaves the ring when its turn comes. */
}

/* ---- closing ---- */

void client_landed(struct gate *g, struct client *c)
{
	g->in_flight -= c->in_flight;
	g->parked -= c->parked;
	c->in_flight = c->parked = false;
}

void client_close(struct gate *g, struct client *c)
{
	dequeue(c);
	if (c->epoch == g->epoch)
		gate_closed(g, (uint32_t)(c - g->client), c->generation);
	client_landed(g, c);
	shutdown(c->fd, SHUT_RDWR);
	/* Closing is not enough while the vault has the same socket. */
	epoll_ctl(g->epoll, EPOLL_CTL_DEL, c->fd, NULL);
	close(c->fd);
	c->fd = -1;
	c->user->clients--;
	g->n--;
	free(c->frame);
	c->frame = NULL;
	c->have = 0;
}

/*
 * Room for one more of this user, or of anybody if u is NULL: the connection
 * that has asked for nothing for the longest time makes way. So who opens many
 * and uses none is in nobody's way, its own least of all.
 */
static bool make_room(struct gate *g, const struct user *u)
{
	struct client *oldest = NULL;

	for (uint32_t i = 0; i < g->config->connections; i++) {
		struct client *c = &g->client[i];

		if (c->fd < 0 || c->in_flight || c->queued || (u && c->user != u))
			continue;
		if (!oldest || c->since < oldest->since)
			oldest = c;
	}
	if (!oldest)
		return false;
	client_close(g, oldest);
	return true;
}

/* Of all users, the one with the most connections gives one up. */
static struct user *largest(struct gate *g)
{
	struct user *most = NULL;

	for (uint32_t i = 0; i < g->max_users; i++)
		if (g->users[i].clients && (!most || g->users[i].clients > most->clients))
			most = &g->users[i];
	return most;
}

/* ---- accepting ---- */

static struct client *free_slot(struct gate *g)
{
	for (uint32_t i = 0; i < g->config->connections; i++)
		if (g->client[i].fd < 0)
			return &g->client[i];
	return NULL;
}

static bool admit(struct gate *g, int fd, const struct conf_socket *s)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET };
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t n = sizeof(peer);
	struct client *c;
	struct user *u;
	uint32_t generation;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n))
		return false;
	if (g->n >= g->config->connections && !make_room(g, largest(g)) && !make_room(g, NULL))
		return false;
	u = user_of(g, peer.uid);
	if (!u || (u->clients >= g->config->connections_per_uid && !make_room(g, u)))
		return false;
	c = free_slot(g);
	if (!c)
		return false;
	generation = c->generation + 1;
	ev.data.u64 = (uint64_t)generation << 32 | (uint32_t)(c - g->client);
	if (epoll_ctl(g->epoll, EPOLL_CTL_ADD, fd, &ev))
		return false;
	*c = (struct client){ .fd = fd, .generation = generation, .protocol = s->protocol, .user = u,
			      .since = clock_ns(), .epoch = 0 };
	u->clients++;
	g->n++;
	if (g->n > g->max_clients)
		g->max_clients = g->n;
	return true;
}

void client_accept(struct gate *g, int listener, const struct conf_socket *s)
{
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		g->counters.accepted++;
		if (!admit(g, fd, s)) {
			g->counters.refused++;
			close(fd);
		}
	}
}

/* ---- events ---- */

enum look { LOOK_TAKE, LOOK_LEAVE, LOOK_LATER, LOOK_WRONG };

/*
 * AESM: is what comes next the gate's to take? A request is one field, whose
 * number is its type, behind the frame's length. What is grave is left where it
 * is, and the vault told once all of it is there.
 */
static enum look look(const struct client *c, unsigned *type)
{
	uint8_t head[5];
	int there = 0;
	ssize_t n;

	do
		n = recv(c->fd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno != EAGAIN)) /* it ends as it does when it is read */
		return LOOK_TAKE;
	/* Not even if nothing is there: what comes just after this look may be grave. */
	if (n < (ssize_t)sizeof(head))
		return LOOK_LATER;
	*type = (head[4] & 7) == 2 && head[4] < 0x80 ? head[4] >> 3 : 0;
	if (!aesm_is_grave(*type))
		return LOOK_TAKE;
	if (get_le32(head) > AESM_GRAVE_MAX)
		return LOOK_WRONG;
	if (ioctl(c->fd, FIONREAD, &there) || there < 4 + (int)get_le32(head))
		return LOOK_LATER;
	return LOOK_LEAVE;
}

/* AESM: as much of the frame as is there. True once it is whole. */
static bool read_frame(struct gate *g, struct client *c)
{
	switch (c->have ? LOOK_TAKE : look(c, &c->grave)) {
	case LOOK_LEAVE:
		return true;
	case LOOK_LATER:
		c->readable = false;
		c->grave = 0;
		return false;
	case LOOK_WRONG:
		g->counters.malformed++;
		client_close(g, c);
		return false;
	case LOOK_TAKE:
		c->grave = 0;
	}
	while (c->have < 4 || c->have < 4 + c->need) {
		uint8_t length[4];
		size_t want;
		ssize_t r;

		if (c->have >= 4 && !c->frame)
			return false;
		want = c->have < 4 ? 4 - c->have : 4 + c->need - c->have;
		if (!c->frame) {
			c->frame = malloc(4);
			if (!c->frame)
				return false;
		}
		r = recv(c->fd, c->frame + c->have, want, MSG_DONTWAIT);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && errno == EAGAIN) {
			c->readable = false;
			return false;
		}
		if (r <= 0) {
			client_close(g, c);
			return false;
		}
		c->have += (size_t)r;
		if (c->have != 4 || c->need)
			continue;
		/* The length is known: bounded before anything of that size is allocated. */
		memcpy(length, c->frame, 4);
		c->need = get_le32(length);
		free(c->frame);
		c->frame = c->need && c->need <= AESM_FRAME_MAX ? malloc(4 + c->need) : NULL;
		if (!c->frame) {
			g->counters.malformed++;
			client_close(g, c);
			return false;
		}
		memcpy(c->frame, length, 4);
	}
	return true;
}

void client_consider(struct gate *g, struct client *c)
{
	/* Once told to stop, only what was in line by then is served. */
	if (c->fd < 0 || c->in_flight || c->queued || g->stopping)
		return;
	if (c->protocol == PROTOCOL_AESM) {
		if (c->readable && read_frame(g, c))
			enqueue(g, c);
		return;
	}
	if (c->readable)
		enqueue(g, c);
}

void client_event(struct gate *g, struct client *c, uint32_t events)
{
	if (c->fd < 0)
		return;
	if (events & EPOLLIN)
		c->readable = true;
	if (events & (EPOLLERR | EPOLLHUP))
		c->ended = true;
	/* Half closed: what was sent before is still answered. */
	if (events & EPOLLRDHUP)
		c->readable = true;
	client_consider(g, c);
	if (c->fd >= 0 && c->ended && !c->in_flight && !c->queued)
		client_close(g, c);
}

uint64_t client_expire(struct gate *g, uint64_t now)
{
	uint64_t limit = g->config->request_seconds * SECOND;

	/* AESM clients speak at once. A native request comes whole or not at all. */
	for (uint32_t i = 0; i < g->config->connections; i++) {
		struct client *c = &g->client[i];

		if (c->fd < 0 || c->in_flight || c->queued || c->protocol != PROTOCOL_AESM ||
		    now - c->since < limit)
			continue;
		g->counters.timeouts++;
		client_close(g, c);
	}
	return SECOND;
}
