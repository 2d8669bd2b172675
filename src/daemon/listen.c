/* Sockets that clients connect to: bound here, or by who activates us. */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTEN_FIRST 3 /* SD_LISTEN_FDS_START */
#define BACKLOG 1024

/* Intel's abstract name takes the whole of sun_path, zeros and all. */
static const char abstract_name[] = "sgx_aesm_socket_base";

static socklen_t address_of(const struct conf_socket *s, struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (s->abstract) {
		memcpy(a->sun_path + 1, abstract_name, sizeof(abstract_name));
		return sizeof(*a);
	}
	strcpy(a->sun_path, s->path);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(s->path) + 1);
}

/* ---- activation: sd_listen_fds(3) ---- */

struct activation {
	int n;
	const char *names;
	bool taken[CONF_SOCKETS * 2];
};

static void activation_read(struct activation *a)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	long n;
	char *end;

	*a = (struct activation){ 0 };
	if (!pid || !fds || strtol(pid, NULL, 10) != getpid())
		return;
	n = strtol(fds, &end, 10);
	if (*end || n < 1 || n > (long)ARRAY_LEN(a->taken))
		return;
	a->n = (int)n;
	a->names = getenv("LISTEN_FDNAMES");
}

/* The i-th of the colon-separated names. */
static bool named(const struct activation *a, int i, const char *name)
{
	const char *p = a->names;
	size_t n;

	for (; p && i; i--) {
		p = strchr(p, ':');
		p = p ? p + 1 : NULL;
	}
	if (!p)
		return false;
	n = strcspn(p, ":");
	return n == strlen(name) && memcmp(p, name, n) == 0;
}

/* What a protocol's messages are: datagrams, or frames in a stream. */
static int socket_type(enum conf_protocol p)
{
	return p == PROTOCOL_NATIVE ? SOCK_SEQPACKET : SOCK_STREAM;
}

static bool listening(int fd, enum conf_protocol p)
{
	int type = 0, on = 0;
	socklen_t n = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) || type != socket_type(p))
		return false;
	n = sizeof(on);
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n) == 0 && on;
}

/*
 * The socket that was passed for this one, or -1: by its address, else by its
 * name; then its address is what clients' sockets will show.
 */
static int activated(struct activation *a, struct conf_socket *s, int *out, struct bawn_error *e)
{
	struct sockaddr_un want, have;
	socklen_t wn = address_of(s, &want);

	*out = -1;
	for (int i = 0; i < a->n; i++) {
		int fd = LISTEN_FIRST + i;
		socklen_t n = sizeof(have);
		bool same;

		memset(&have, 0, sizeof(have));
		if (a->taken[i] || getsockname(fd, (struct sockaddr *)&have, &n) ||
		    have.sun_family != AF_UNIX || !listening(fd, s->protocol))
			continue;
		same = s->abstract ? n == wn && memcmp(&want, &have, n) == 0
				   : strncmp(want.sun_path, have.sun_path, sizeof(have.sun_path)) == 0;
		if (!same && !named(a, i, s->name))
			continue;
		/* Its connections would not be known again. */
		if (!same && (s->abstract || !have.sun_path[0]))
			return err_set(e, BAWN_ERR_USAGE,
				       "descriptor %d of socket activation is named %s, but [socket %s] is %s", fd,
				       s->name, s->name,
				       s->abstract ? "AESM's abstract name" : "a path, and that is an abstract name");
		a->taken[i] = true;
		if (!s->abstract)
			snprintf(s->path, sizeof(s->path), "%.*s", (int)sizeof(s->path) - 1, have.sun_path);
		*out = fd;
		return 0;
	}
	return 0;
}

/* ---- binding ---- */

static int make_parent(const char *path, struct bawn_error *e)
{
	char dir[CONF_PATH];
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return 0;
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	if (mkdir(dir, 0755) == 0) {
		if (chmod(dir, 0755)) /* whatever the umask */
			return err_sys(e, "%s", dir);
		return 0;
	}
	return errno == EEXIST ? 0 : err_sys(e, "cannot make %s for the socket", dir);
}

/* What a daemon that was killed left behind; one that answers is another that runs. */
static int clear_stale(const struct sockaddr_un *a, socklen_t n, int type, struct bawn_error *e)
{
	struct stat st;
	int fd, r;

	if (lstat(a->sun_path, &st))
		return errno == ENOENT ? 0 : err_sys(e, "%s", a->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, BAWN_ERR_USAGE, "%s is there and no socket: it is not touched",
			       a->sun_path);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(e, "socket");
	r = connect(fd, (const struct sockaddr *)a, n);
	close(fd);
	if (r == 0)
		return err_set(e, BAWN_ERR_BUSY, "another daemon serves %s", a->sun_path);
	return unlink(a->sun_path) ? err_sys(e, "cannot remove %s", a->sun_path) : 0;
}

static int bind_one(const struct sockaddr_un *a, socklen_t n, int type, uint32_t mode, int64_t gid,
		    int *out, struct bawn_error *e)
{
	bool file = a->sun_path[0] != '\0';
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t old;
	int r;

	if (fd < 0)
		return err_sys(e, "socket");
	/* Nobody gets in before the permissions are right. */
	old = umask(0177);
	r = bind(fd, (const struct sockaddr *)a, n);
	umask(old);
	if (r)
		r = err_sys(e, "cannot bind %s", file ? a->sun_path : "the abstract AESM name");
	else if (file && gid >= 0 && chown(a->sun_path, (uid_t)-1, (gid_t)gid))
		r = err_sys(e, "cannot give %s its group", a->sun_path);
	else if (file && chmod(a->sun_path, mode))
		r = err_sys(e, "cannot set the mode of %s", a->sun_path);
	else if (listen(fd, BACKLOG))
		r = err_sys(e, "listen");
	if (r) {
		close(fd);
		return r;
	}
	*out = fd;
	return 0;
}

int listen_path(const char *path, int type, uint32_t mode, int64_t gid, int *fd,
		struct bawn_error *e)
{
	struct conf_socket s = { .mode = mode, .gid = gid };
	struct sockaddr_un a;
	socklen_t n;
	int r;

	if (strlen(path) >= sizeof(s.path))
		return err_set(e, BAWN_ERR_USAGE, "a socket's path has at most %zu bytes: %s",
			       sizeof(s.path) - 1, path);
	strcpy(s.path, path);
	n = address_of(&s, &a);
	r = make_parent(path, e);
	if (r == 0)
		r = clear_stale(&a, n, type, e);
	return r ? r : bind_one(&a, n, type, mode, gid, fd, e);
}

/* What the kernel says of our listeners is what it must say of the connections that they accept. */
static void learn_all(struct config *c, const int fds[CONF_SOCKETS])
{
	struct bawn_error e = { 0 };
	int diag = diag_open(&e);
	bool told = diag >= 0;

	for (uint32_t i = 0; i < c->nsockets; i++) {
		struct conf_socket *s = &c->sockets[i];

		s->network = diag_network(fds[i]);
		if (!s->abstract && diag >= 0 && diag_bound(diag, fds[i], &s->file, &e))
			told = false;
	}
	if (!told)
		log_msg(LOG_WARN, "the kernel does not tell by which socket clients come (%s): the name has to do", e.msg);
	if (diag >= 0)
		close(diag);
}

/* Which of the sockets are ours to remove. */
static bool bound[CONF_SOCKETS];

int listen_all(struct config *c, int fds[CONF_SOCKETS], struct bawn_error *e)
{
	struct activation a;
	int r = 0;

	activation_read(&a);
	for (uint32_t i = 0; i < c->nsockets; i++) {
		r = activated(&a, &c->sockets[i], &fds[i], e);
		if (r)
			return r;
		if (fds[i] < 0)
			continue;
		/* Out of the way of the numbers that roles have. */
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 64);
		if (fds[i] < 0)
			return err_sys(e, "fcntl");
		fcntl(fds[i], F_SETFL, O_NONBLOCK);
	}
	for (int i = 0; i < a.n; i++) {
		if (!a.taken[i])
			return err_set(e, BAWN_ERR_USAGE,
				       "descriptor %d of socket activation fits no socket of the "
				       "configuration, by path or by name", LISTEN_FIRST + i);
		close(LISTEN_FIRST + i);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	for (uint32_t i = 0; i < c->nsockets && r == 0; i++) {
		const struct conf_socket *s = &c->sockets[i];
		struct sockaddr_un addr;

		if (fds[i] >= 0)
			continue;
		if (s->abstract)
			r = bind_one(&addr, address_of(s, &addr), socket_type(s->protocol), s->mode, s->gid, &fds[i], e);
		else
			r = listen_path(s->path, socket_type(s->protocol), s->mode, s->gid, &fds[i], e);
		bound[i] = r == 0 && !s->abstract;
	}
	if (r)
		listen_remove(c);
	else
		learn_all(c, fds);
	return r;
}

void listen_remove(const struct config *c)
{
	for (uint32_t i = 0; i < c->nsockets; i++)
		if (bound[i])
			unlink(c->sockets[i].path);
	memset(bound, 0, sizeof(bound));
}
