/* The gate's files share this. */
#ifndef BAWN_DAEMON_GATE_H
#define BAWN_DAEMON_GATE_H

#include "daemon/daemon.h"

/* With the vault at once, those aside that are parked there; the rest wait here, where turns are fair. */
#define UNDER_WAY_MAX 16

struct user;

/* A connection. Its number is its place in gate.client. */
struct client {
	int fd; /* -1: free */
	uint32_t generation, seq;
	enum conf_protocol protocol;
	struct user *user;
	bool in_flight;  /* the vault has a request of it */
	bool parked;     /* ... which waits there for something else than the vault */
	bool readable;   /* there may be bytes to read */
	bool queued;     /* among its user's that wait for their turn */
	bool ended;      /* nothing more will come */
	uint32_t epoch;  /* of the vault that has its socket */
	uint64_t since;  /* clock_ns: of the connection, or of its last request */
	struct client *next; /* in its user's queue */
	/* AESM: the frame as far as it is here, or the type of one that the vault will read (0: none) */
	uint8_t *frame;
	size_t have, need;
	unsigned grave;
};

/* All that one uid has here: turns go round users, not connections. */
struct user {
	uint32_t uid;
	uint32_t clients; /* 0: free */
	struct client *head, *tail;
	struct user *next; /* in the ring of those who have something waiting */
	bool in_ring;
};

struct gate {
	const struct config *config;
	int epoll, vault; /* vault: -1 while there is none */
	uint32_t epoch;
	struct client *client;
	struct user *users;
	uint32_t n, max_clients;
	uint32_t max_users; /* places: twice as many as connections, since some wait to leave the ring */
	struct user *ring, *ring_tail;
	uint32_t in_flight, parked; /* the first counts the second too */
	/* a message that the channel was too full for */
	struct buf stuck;
	int stuck_fds[CHANNEL_FDS];
	size_t stuck_nfds;
	/* connections that closed meanwhile, which the vault has still to be told: each once at most */
	struct role_closed *owed;
	uint32_t owed_n;
	bool stopping;
	struct role_counters counters, told;
	struct message in;
	uint8_t datagram[WIRE_MAX];
};

/* Requests that the vault has to do with just now. */
static inline uint32_t gate_under_way(const struct gate *g)
{
	return g->in_flight - g->parked;
}

/* ---- gate_client.c ---- */

void client_accept(struct gate *g, int listener, const struct conf_socket *s);
/* Something happened on it. */
void client_event(struct gate *g, struct client *c, uint32_t events);
/* It may have something for the vault: put it in line, read what may be read. */
void client_consider(struct gate *g, struct client *c);
void client_close(struct gate *g, struct client *c);
/* The vault is done with its request. */
void client_landed(struct gate *g, struct client *c);
/* Close those whose request does not come to its end. Returns the ns until it is worth looking again. */
uint64_t client_expire(struct gate *g, uint64_t now);

/* ---- gate_request.c ---- */

/* Read and hand on requests of those in line, as many as may be under way. */
void gate_dispatch(struct gate *g);
/* What could not be sent, again; false if the channel is still full. */
bool gate_unstick(struct gate *g);
/* Tell the vault, which has a descriptor of its own, that a connection is closed: now, or when there is room. */
void gate_closed(struct gate *g, uint32_t conn, uint32_t generation);
int gate_send(struct gate *g, const struct role_message *m, const int *fds, size_t nfds);

#endif
