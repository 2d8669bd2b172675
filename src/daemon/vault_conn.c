/*
 * Who is asking. The gate passes sockets; everything else about a client the
 * vault asks the kernel itself, so that a gate in the wrong hands cannot lend
 * anybody another's name: who is at the other end, and by which of the
 * configured sockets it came.
 */
#include "daemon/vault.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int conns_new(struct vault *v, struct bawn_error *e)
{
	v->conn = calloc(v->config->connections, sizeof(*v->conn));
	if (!v->conn)
		return err_nomem(e);
	for (uint32_t i = 0; i < v->config->connections; i++)
		v->conn[i].fd = -1;
	return 0;
}

/* ---- what the kernel says ---- */

/*
 * Is this our end of a connection that was accepted? A client's own end shows
 * other credentials: those of whoever listens there, root's perhaps. It is
 * told by the name of its peer, since what is listened on has one; clients'
 * ends have none.
 */
static bool accepted(int fd)
{
	struct sockaddr_un a;
	socklen_t n = sizeof(a);

	return getpeername(fd, (struct sockaddr *)&a, &n) == 0 &&
	       n <= offsetof(struct sockaddr_un, sun_path);
}

static bool identify(const struct vault *v, struct conn *c)
{
	struct ucred peer;
	gid_t groups[WIRE_GROUPS];
	socklen_t n = sizeof(peer);

	c->socket = socket_of(v, c->fd);
	if (!c->socket || !accepted(c->fd) || getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n))
		return false;
	c->uid = peer.uid;
	c->gid = peer.gid;
	c->pid = (uint32_t)peer.pid;
	n = sizeof(groups);
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) == 0)
		for (c->ngroups = 0; c->ngroups < n / sizeof(gid_t); c->ngroups++)
			c->groups[c->ngroups] = groups[c->ngroups];
	else
		c->more_groups = true; /* more than fit: a denial for any group holds, a permission does not */
	c->has_cgroup = peer_read(c->fd, c->pid, c->uid, c->cgroup);
	return true;
}

void conn_subject(const struct conn *c, struct authority_subject *out)
{
	*out = (struct authority_subject){
		.uid = c->uid,
		.gid = c->gid,
		.groups = c->groups,
		.ngroups = c->ngroups,
		.more_groups = c->more_groups,
		.section = c->socket->name,
		.cgroup = c->has_cgroup ? c->cgroup : NULL,
	};
}

/* ---- their lives ---- */

static void drop(struct conn *c)
{
	if (c->fd < 0)
		return;
	if (c->refs) {
		c->dead = true;
		return;
	}
	close(c->fd);
	c->fd = -1;
}

struct conn *conn_take(struct vault *v, const struct role_request *r, int fd)
{
	struct conn fresh = { .fd = fd, .generation = r->generation }, *c;
	bool known = fd >= 0 && identify(v, &fresh);

	if (r->conn >= v->config->connections || (fd >= 0 && !known)) {
		if (fd >= 0) {
			/* Closed and no more: it may be a listener, and end for everybody. */
			vault_remark("a socket from the gate that is no client's of ours");
			close(fd);
		}
		return NULL;
	}
	pthread_mutex_lock(&v->lock);
	c = &v->conn[r->conn];
	if (fd >= 0) {
		/* A gate gives a number away again only when the one before is done with. */
		drop(c);
		if (c->fd >= 0) {
			close(fd);
			c = NULL;
		} else {
			*c = fresh;
		}
	}
	if (c && (c->fd < 0 || c->dead || c->generation != r->generation))
		c = NULL;
	if (c)
		c->refs++;
	pthread_mutex_unlock(&v->lock);
	return c;
}

void conn_give(struct vault *v, struct conn *c)
{
	pthread_mutex_lock(&v->lock);
	if (--c->refs == 0 && c->dead)
		drop(c);
	pthread_mutex_unlock(&v->lock);
}

void conn_end(struct vault *v, struct conn *c)
{
	pthread_mutex_lock(&v->lock);
	c->dead = true;
	pthread_mutex_unlock(&v->lock);
}

void conn_closed(struct vault *v, uint32_t index, uint32_t generation)
{
	if (index >= v->config->connections)
		return;
	pthread_mutex_lock(&v->lock);
	if (v->conn[index].generation == generation)
		drop(&v->conn[index]);
	pthread_mutex_unlock(&v->lock);
}

void conns_drop(struct vault *v)
{
	for (uint32_t i = 0; i < v->config->connections; i++) {
		struct conn *c = &v->conn[i];

		if (c->fd < 0)
			continue;
		/* Those that are being served get their answer first. */
		if (!c->refs)
			shutdown(c->fd, SHUT_RDWR);
		drop(c);
	}
}
