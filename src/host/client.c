/* The client of bawnd: a connection, kept and renewed, and one request on it. doc/PROTOCOL.md. */
#include "host/host.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/bawn/bawnd.sock"
#define DEFAULT_TIMEOUT 30u
#define SECOND UINT64_C(1000000000)
#define RETRY_MS 50u

struct bawn_client {
	int fd; /* -1: not connected */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	unsigned timeout;
	uint64_t tag;
	struct wire_hello_answer hello;
	uint8_t in[WIRE_MAX];
};

static int lost(struct bawn_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	return BAWN_ERR_NETWORK; /* inside this file: the connection broke, and can be tried again */
}

static int connect_to(struct bawn_client *c, struct bawn_error *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct stat st;
	int why;

	strcpy(a.sun_path, c->path);
	c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return err_sys(e, "socket");
	if (connect(c->fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return 0;
	why = errno;
	lost(c);
	if (why == ECONNREFUSED && stat(c->path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return err_set(e, BAWN_ERR_FORMAT, "%s is not a socket", c->path);
	if (why == ENOENT || why == ECONNREFUSED)
		return err_set(e, BAWN_ERR_NOT_FOUND, "nothing serves %s: is bawnd running?", c->path);
	if (why == EACCES || why == EPERM)
		return err_set(e, BAWN_ERR_DENIED, "no permission to use %s", c->path);
	if (why == EPROTOTYPE)
		return err_set(e, BAWN_ERR_FORMAT, "%s is not bawnd's native socket", c->path);
	errno = why;
	return err_sys(e, "cannot connect to %s", c->path);
}

/* ---- one exchange ---- */

static int send_request(struct bawn_client *c, const struct wire_request *q, int fd,
			struct bawn_error *e)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct buf b;
	ssize_t r;

	buf_init(&b, WIRE_MAX);
	wire_request_encode(q, &b);
	if (b.failed) {
		buf_free(&b);
		return err_nomem(e);
	}
	iov = (struct iovec){ .iov_base = b.p, .iov_len = b.n };
	if (fd >= 0)
		io_put_fds(&m, control.bytes, &fd, 1);
	do
		r = sendmsg(c->fd, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	buf_free(&b);
	return r < 0 ? lost(c) : 0;
}

/* One datagram and at most one descriptor. */
static int receive(struct bawn_client *c, uint64_t deadline, size_t *n, int *fd,
		   struct bawn_error *e)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = c->in, .iov_len = sizeof(c->in) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	uint64_t now;
	size_t nfds;
	ssize_t r;

	*fd = -1;
	do {
		now = clock_ns();
		r = now >= deadline ? 0 : poll(&p, 1, (int)((deadline - now) / 1000000) + 1);
	} while (r < 0 && errno == EINTR);
	if (r == 0) {
		lost(c);
		return err_set(e, BAWN_ERR_BUSY, "no answer within %u seconds", c->timeout);
	}
	do
		r = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r <= 0)
		return lost(c);
	io_take_fds(&m, fd, 1, &nfds);
	if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		lost(c);
		return err_set(e, BAWN_ERR_FORMAT, "the service answers with more than fits");
	}
	*n = (size_t)r;
	return 0;
}

static int exchange(struct bawn_client *c, struct wire_request *q, int fd, struct wire_answer *a,
		    int *answer_fd, uint64_t deadline, struct bawn_error *e)
{
	size_t n = 0;
	int r;

	q->head.tag = ++c->tag;
	r = send_request(c, q, fd, e);
	if (r == 0)
		r = receive(c, deadline, &n, answer_fd, e);
	if (r)
		return r;
	r = wire_answer_decode(c->in, n, *answer_fd >= 0 ? 1 : 0, a, e);
	if (r == 0 && (a->head.tag != q->head.tag || a->head.type != q->head.type))
		r = err_set(e, BAWN_ERR_FORMAT, "the service answers another question");
	if (r) {
		/* What stands in the connection now is anybody's guess. */
		if (*answer_fd >= 0)
			close(*answer_fd);
		*answer_fd = -1;
		lost(c);
	}
	return r;
}

static int say_hello(struct bawn_client *c, uint64_t deadline, struct bawn_error *e)
{
	struct wire_request q = { .head.type = WIRE_HELLO };
	struct wire_answer a;
	int fd = -1, r;

	q.u.hello.min = q.u.hello.max = WIRE_VERSION;
	snprintf(q.u.hello.client, sizeof(q.u.hello.client), "libbawn %.20s", bawn_version());
	r = exchange(c, &q, -1, &a, &fd, deadline, e);
	if (fd >= 0)
		close(fd);
	if (r)
		return r;
	if (a.head.code != WIRE_OK) {
		lost(c);
		return err_set(e, wire_code_error(a.head.code), "%s", a.u.refusal.text);
	}
	c->hello = a.u.hello;
	return 0;
}

/* ---- a call, as often as it takes ---- */

static void sleep_ms(unsigned ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

/* Asked twice, these do no more than asked once. */
static bool repeatable(unsigned type)
{
	switch (type) {
	case WIRE_GRANT_ADD:
	case WIRE_GRANT_REMOVE:
	case WIRE_PROVISION_NOW:
	case WIRE_QUIESCE:
	case WIRE_POLICY_RELOAD:
	case WIRE_POLICY_LOCK:
	case WIRE_LAUNCH:
		return false;
	default:
		return true;
	}
}

static int refusal(const struct wire_answer *a, struct bawn_error *e)
{
	int code = wire_code_error(a->head.code);

	err_set(e, (enum bawn_code)code, "%s", a->u.refusal.text);
	if (e && !e->sgx_status)
		e->sgx_status = a->u.refusal.sgx_status;
	return code;
}

int client_call(struct bawn_client *c, struct wire_request *q, int fd, struct wire_answer *a,
		int *answer_fd, struct bawn_error *e)
{
	uint64_t deadline = clock_ns() + c->timeout * SECOND;
	int got = -1, r;

	for (;;) {
		bool fresh = c->fd < 0;

		r = fresh ? connect_to(c, e) : 0;
		if (r == 0 && fresh)
			r = say_hello(c, deadline, e);
		if (r == 0)
			r = exchange(c, q, fd, a, &got, deadline, e);
		if (r == 0 && a->head.code == WIRE_BUSY && a->u.refusal.retry_ms &&
		    clock_ns() + a->u.refusal.retry_ms * UINT64_C(1000000) < deadline) {
			sleep_ms(a->u.refusal.retry_ms);
			continue;
		}
		if (r != BAWN_ERR_NETWORK)
			break;
		if (!repeatable(q->head.type) || clock_ns() >= deadline) {
			r = err_set(e, BAWN_ERR_SYSTEM, "the service went away before it answered: see whether "
				    "it was done, and ask again");
			break;
		}
		sleep_ms(RETRY_MS);
	}
	if (answer_fd)
		*answer_fd = r == 0 && a->head.code == WIRE_OK ? got : -1;
	if (got >= 0 && (!answer_fd || *answer_fd < 0))
		close(got);
	return r == 0 && a->head.code != WIRE_OK ? refusal(a, e) : r;
}

const struct wire_hello_answer *client_hello(const struct bawn_client *c)
{
	return &c->hello;
}

/* ---- bawn.h ---- */

const char *client_socket(const char *path)
{
	if (!path)
		path = getenv("BAWN_SOCKET");
	return path && *path ? path : DEFAULT_SOCKET;
}

int bawn_client_open(struct bawn_client **out, const char *path, struct bawn_error *e)
{
	struct bawn_client *c;
	int r = BAWN_ERR_NETWORK;

	*out = NULL;
	path = client_socket(path);
	if (strlen(path) >= sizeof(c->path))
		return err_set(e, BAWN_ERR_USAGE, "a socket's path has at most %zu bytes",
			       sizeof(c->path) - 1);
	c = calloc(1, sizeof(*c));
	if (!c)
		return err_nomem(e);
	c->fd = -1;
	c->timeout = DEFAULT_TIMEOUT;
	strcpy(c->path, path);
	for (unsigned i = 0; i < 20 && r == BAWN_ERR_NETWORK; i++) {
		r = connect_to(c, e);
		if (r == 0)
			r = say_hello(c, clock_ns() + c->timeout * SECOND, e);
		if (r == BAWN_ERR_NETWORK)
			sleep_ms(RETRY_MS);
	}
	if (r) {
		if (r == BAWN_ERR_NETWORK)
			r = err_set(e, BAWN_ERR_BUSY, "%s: the service ends the connection", path);
		bawn_client_free(&c);
		return r;
	}
	*out = c;
	return 0;
}

void bawn_client_free(struct bawn_client **c)
{
	if (!*c)
		return;
	lost(*c);
	wipe(*c, sizeof(**c));
	free(*c);
	*c = NULL;
}

void bawn_client_timeout(struct bawn_client *c, unsigned seconds)
{
	c->timeout = seconds ? seconds : DEFAULT_TIMEOUT;
}
