/*
 * The gate: the only role that reads what clients write. It has no key, no
 * device, no file and no network, and no say in who may what: it hands each
 * connection's socket with the request to the vault, which asks the kernel
 * who is at its other end, and answers there itself.
 */
#include "daemon/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define EVENTS 64
#define PLENTY (UNDER_WAY_MAX / 2)
/* What an event is about, beyond clients' numbers. */
#define ABOUT_PARENT UINT32_C(0x80000000)
#define ABOUT_VAULT UINT32_C(0x80000001)
#define ABOUT_LISTENER UINT32_C(0x80000100)

static int watch(struct gate *g, int fd, uint32_t events, uint32_t about, struct bawn_error *e)
{
	struct epoll_event ev = { .events = events, .data.u64 = about };

	return epoll_ctl(g->epoll, EPOLL_CTL_ADD, fd, &ev) ? err_sys(e, "epoll_ctl") : 0;
}

/* ---- the vault ---- */

/* What it was asked is lost, and nobody knows how much of an answer went out: those connections end. */
static void vault_gone(struct gate *g)
{
	if (g->vault < 0)
		return;
	close(g->vault);
	g->vault = -1;
	gate_unstick(g);
	for (uint32_t i = 0; i < g->config->connections; i++)
		if (g->client[i].fd >= 0 && g->client[i].in_flight)
			client_close(g, &g->client[i]);
}

static void vault_new(struct gate *g, int fd)
{
	vault_gone(g);
	g->vault = fd;
	g->epoch++;
	/* Never waits for the vault, which may be waiting for us. */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (watch(g, fd, EPOLLIN, ABOUT_VAULT, NULL))
		exit(1);
}

/* The client whose request with the vault this is, or NULL. */
static struct client *asker(struct gate *g, uint32_t conn, uint32_t generation, uint32_t seq)
{
	struct client *c = conn < g->config->connections ? &g->client[conn] : NULL;

	return c && c->fd >= 0 && c->generation == generation && c->seq == seq && c->in_flight ? c : NULL;
}

static void parked(struct gate *g, const struct role_parked *p)
{
	struct client *c = asker(g, p->conn, p->generation, p->seq);

	if (!c || c->parked)
		return;
	c->parked = true;
	g->parked++;
}

static void answered(struct gate *g, const struct role_answered *a)
{
	struct client *c = asker(g, a->conn, a->generation, a->seq);

	if (!c)
		return;
	client_landed(g, c);
	c->since = clock_ns();
	if (a->close) {
		c->epoch = 0; /* the vault closed its own already */
		client_close(g, c);
		return;
	}
	/* Edges that came meanwhile are not told again. */
	c->readable = true;
	client_consider(g, c);
}

static void from_vault(struct gate *g)
{
	struct role_message m;

	/* All that is there, but no more than what was asked: clients are to have their turn. */
	for (unsigned i = 0; i < UNDER_WAY_MAX; i++) {
		switch (channel_recv(g->vault, &g->in, NULL)) {
		case 0:
			break;
		case BAWN_ERR_BUSY:
			return;
		default:
			vault_gone(g);
			return;
		}
		if (g->in.kind != CHAN_ROLE || role_decode(g->in.body, g->in.n, &m, NULL))
			m.head.type = 0;
		if (m.head.type == ROLE_ANSWERED)
			answered(g, &m.u.answered);
		else if (m.head.type == ROLE_PARKED)
			parked(g, &m.u.parked);
		message_close(&g->in);
	}
}

/* ---- the parent ---- */

static void from_parent(struct gate *g)
{
	if (channel_recv(FD_PARENT, &g->in, NULL))
		_exit(1); /* without a parent there is nothing to do */
	switch (g->in.kind) {
	case CHAN_PEER:
		if (g->in.n == 1 && g->in.body[0] == PROC_VAULT && g->in.nfds == 1)
			vault_new(g, message_fd(&g->in));
		break;
	case CHAN_STOP:
		g->stopping = true;
		for (uint32_t i = 0; i < g->config->nsockets; i++) {
			/* Closing is not enough while the parent has the same socket. */
			epoll_ctl(g->epoll, EPOLL_CTL_DEL, FD_GATE_LISTEN + (int)i, NULL);
			close(FD_GATE_LISTEN + (int)i);
		}
		break;
	case CHAN_PING:
		channel_send(FD_PARENT, CHAN_PONG, NULL, 0, NULL, 0, NULL);
		break;
	}
	message_close(&g->in);
}

static void tell_counters(struct gate *g)
{
	struct role_message m = { .head.type = ROLE_COUNTERS };

	g->counters.clients = g->n;
	g->counters.clients_max = g->max_clients;
	if (g->vault < 0 || memcmp(&g->counters, &g->told, sizeof(g->told)) == 0)
		return;
	m.u.counters = g->counters;
	if (gate_send(g, &m, NULL, 0) == 0)
		g->told = g->counters;
}

/* ---- the loop ---- */

static void handle(struct gate *g, const struct epoll_event *ev)
{
	uint32_t about = (uint32_t)ev->data.u64;

	if (about == ABOUT_PARENT)
		from_parent(g);
	else if (about == ABOUT_VAULT && g->vault >= 0)
		from_vault(g);
	else if (about >= ABOUT_LISTENER && !g->stopping)
		client_accept(g, FD_GATE_LISTEN + (int)(about - ABOUT_LISTENER),
			      &g->config->sockets[about - ABOUT_LISTENER]);
	else if (about < g->config->connections && g->client[about].generation == ev->data.u64 >> 32)
		client_event(g, &g->client[about], ev->events);
}

/*
 * While the vault has plenty before it, nothing that comes is served sooner for
 * being read at once, but every time that we wake takes a processor from an
 * enclave. So what comes meanwhile is taken together.
 */
static void gather(const struct gate *g)
{
	static const struct timespec a_while = { .tv_nsec = 1000000 };

	if (gate_under_way(g) >= PLENTY)
		nanosleep(&a_while, NULL);
}

/* What the vault keeps waiting, and nobody is there any more to hear, is no reason to stay. */
static void let_go(struct gate *g)
{
	for (uint32_t i = 0; i < g->config->connections; i++) {
		struct client *c = &g->client[i];

		if (c->fd >= 0 && c->parked && c->ended)
			client_close(g, c);
	}
}

static void loop(struct gate *g)
{
	uint64_t looked = 0;

	while (!(g->stopping && g->in_flight == 0 && !g->ring)) {
		struct epoll_event ev[EVENTS];
		int n;
		uint64_t now;

		gather(g);
		/* A full channel has no event of its own here: look again soon. */
		n = epoll_wait(g->epoll, ev, EVENTS, g->stuck.n || g->owed_n ? 1 : 1000);
		for (int i = 0; i < n; i++)
			handle(g, &ev[i]);
		gate_unstick(g);
		gate_dispatch(g);
		if (g->stopping)
			let_go(g);
		now = clock_ns();
		if (now - looked >= SECOND) {
			looked = now;
			client_expire(g, now);
			tell_counters(g);
		}
		if (n < 0 && errno != EINTR)
			return;
	}
}

static int set_up(struct gate *g, struct bawn_error *e)
{
	size_t n = g->config->connections;
	uint32_t generation;
	int r;

	g->client = calloc(n, sizeof(*g->client));
	g->max_users = (uint32_t)(2 * n);
	g->users = calloc(2 * n, sizeof(*g->users));
	g->owed = calloc(n, sizeof(*g->owed));
	if (!g->client || !g->users || !g->owed)
		return err_nomem(e);
	/* What an earlier gate was told must not look like ours: numbers start anywhere. */
	if (getrandom(&generation, sizeof(generation), 0) != (ssize_t)sizeof(generation))
		return err_sys(e, "getrandom");
	for (size_t i = 0; i < n; i++) {
		g->client[i].fd = -1;
		g->client[i].generation = generation;
	}
	fcntl(g->vault, F_SETFL, O_NONBLOCK);
	buf_init(&g->stuck, CHANNEL_MAX);
	g->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (g->epoll < 0)
		return err_sys(e, "epoll_create1");
	r = watch(g, FD_PARENT, EPOLLIN, ABOUT_PARENT, e);
	if (r == 0)
		r = watch(g, g->vault, EPOLLIN, ABOUT_VAULT, e);
	for (uint32_t i = 0; i < g->config->nsockets && r == 0; i++)
		r = watch(g, FD_GATE_LISTEN + (int)i, EPOLLIN, ABOUT_LISTENER + i, e);
	return r ? r : channel_send(FD_PARENT, CHAN_READY, NULL, 0, NULL, 0, e);
}

int gate_main(const struct config *c)
{
	static struct gate g = { .vault = FD_GATE_VAULT, .epoch = 1 };
	struct bawn_error e = { 0 };

	g.config = c;
	if (set_up(&g, &e)) {
		log_msg(LOG_ERROR, "%s", e.msg);
		return 1;
	}
	loop(&g);
	return 0;
}
