/*
 * By which of the configured sockets a connection came: that decides which
 * section of the policy it has. The gate is not believed: it could hand over
 * what a local user accepted on a socket of their own. Its name alone proves
 * nothing either (diag.c), so the file that it is bound to must be the one that
 * the parent's listener is bound to.
 */
#include "daemon/vault.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

/* Neither a listener nor of another kind: then it has this type. */
static int connection_type(int fd)
{
	int type = 0, listens = 1;
	socklen_t n = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n))
		return -1;
	/* A listener has the address too, and the credentials of who made it listen: the parent. */
	n = sizeof(listens);
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) || listens ? -1 : type;
}

static const struct conf_socket *by_name(const struct config *c, int fd)
{
	static const char abstract[] = "\0sgx_aesm_socket_base";
	struct sockaddr_un a = { 0 };
	socklen_t n = sizeof(a);
	int type = connection_type(fd);

	if (getsockname(fd, (struct sockaddr *)&a, &n) || a.sun_family != AF_UNIX ||
	    n <= offsetof(struct sockaddr_un, sun_path))
		return NULL;
	for (uint32_t i = 0; i < c->nsockets; i++) {
		const struct conf_socket *s = &c->sockets[i];
		bool same = s->abstract ? n == sizeof(a) && memcmp(a.sun_path, abstract, sizeof(abstract)) == 0
					: strncmp(s->path, a.sun_path, sizeof(a.sun_path)) == 0;

		if (same && type == (s->protocol == PROTOCOL_NATIVE ? SOCK_SEQPACKET : SOCK_STREAM))
			return s;
	}
	return NULL;
}

/*
 * A connection belongs to the network name space of who made it, and only of
 * our own does the kernel tell us. Of another one there is the name alone, which
 * will do where everybody may connect anyway, or the owner says so.
 */
static bool is_elsewhere(const struct conf_socket *s, int fd)
{
	return s->network && diag_network(fd) != s->network;
}

static bool elsewhere_is_fine(const struct conf_socket *s)
{
	if (s->networks == NETWORKS_ANY)
		return true;
	vault_remark("a client in another network name space, by [socket %s], which is not for those: "
		     "\"networks = any\" would let it in", s->name);
	return false;
}

const struct conf_socket *socket_of(const struct vault *v, int fd)
{
	const struct conf_socket *s = by_name(v->config, fd);
	struct bawn_error e = { 0 };
	struct bound_file is;
	int r;

	if (!s)
		return NULL;
	/* Abstract names are of a network name space, and taken once in it. */
	if (s->abstract)
		return is_elsewhere(s, fd) ? NULL : s;
	if (is_elsewhere(s, fd))
		return elsewhere_is_fine(s) ? s : NULL;
	if (!s->file.known || v->sandbox.diag < 0)
		return s;
	r = diag_bound(v->sandbox.diag, fd, &is, &e);
	if (r == BAWN_ERR_NOT_FOUND) /* elsewhere, and the kernel is too old to tell that otherwise */
		return elsewhere_is_fine(s) ? s : NULL;
	if (r) {
		vault_remark("by which socket a client came cannot be told: %s", e.msg);
		return NULL;
	}
	if (is.dev == s->file.dev && is.ino == s->file.ino)
		return s;
	vault_remark("a connection by a socket that has the name of [socket %s] and is another", s->name);
	return NULL;
}
