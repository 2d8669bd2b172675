/* Channels between roles, and memory that nobody can change any more. */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHANNEL_BUFFER (1 << 20)

int channel_pair(int fd[2], struct bawn_error *e)
{
	const int size = CHANNEL_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd))
		return err_sys(e, "socketpair");
	/* What the kernel gives of it is enough. */
	for (int i = 0; i < 2; i++)
		setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

int channel_send(int ch, enum channel_kind kind, const void *body, size_t n, const int *fds,
		 size_t nfds, struct bawn_error *e)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(CHANNEL_FDS * sizeof(int))];
	} control = { 0 };
	uint8_t k = (uint8_t)kind;
	struct iovec iov[2] = {
		{ .iov_base = &k, .iov_len = 1 },
		{ .iov_base = (void *)(uintptr_t)body, .iov_len = n },
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n ? 2 : 1 };
	ssize_t r;

	if (n > CHANNEL_MAX || nfds > CHANNEL_FDS)
		return err_set(e, BAWN_ERR_USAGE, "a message too large for its channel");
	if (nfds)
		io_put_fds(&m, control.bytes, fds, nfds);
	do
		r = sendmsg(ch, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	if (r < 0 && (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN))
		return err_set(e, BAWN_ERR_NOT_FOUND, "the other end is gone");
	if (r < 0 && errno == EAGAIN)
		return err_set(e, BAWN_ERR_BUSY, "the channel is full");
	return r < 0 ? err_sys(e, "sendmsg") : 0;
}

int channel_recv(int ch, struct message *m, struct bawn_error *e)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(CHANNEL_FDS * sizeof(int))];
	} control;
	struct iovec iov[2] = {
		{ .iov_base = &m->kind, .iov_len = 1 },
		{ .iov_base = m->body, .iov_len = sizeof(m->body) },
	};
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	ssize_t r;

	m->nfds = m->n = 0;
	do
		r = recvmsg(ch, &h, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno == EAGAIN)
		return err_set(e, BAWN_ERR_BUSY, "no message");
	if (r == 0 || (r < 0 && errno == ECONNRESET))
		return err_set(e, BAWN_ERR_NOT_FOUND, "the other end is gone");
	if (r < 0)
		return err_sys(e, "recvmsg");
	if (!io_take_fds(&h, m->fd, CHANNEL_FDS, &m->nfds) || (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		message_close(m);
		return err_set(e, BAWN_ERR_FORMAT, "a message with more bytes or descriptors than expected");
	}
	m->n = (size_t)r - 1;
	return 0;
}

void message_close(struct message *m)
{
	while (m->nfds)
		close(m->fd[--m->nfds]);
}

int message_fd(struct message *m)
{
	int fd = m->nfds ? m->fd[0] : -1;

	if (m->nfds)
		memmove(m->fd, m->fd + 1, --m->nfds * sizeof(m->fd[0]));
	return fd;
}

int channel_send_role(int ch, const struct role_message *m, const int *fds, size_t nfds,
		      struct bawn_error *e)
{
	struct buf b;
	int r;

	buf_init(&b, CHANNEL_MAX);
	role_encode(m, &b);
	r = b.failed ? err_nomem(e) : channel_send(ch, CHAN_ROLE, b.p, b.n, fds, nfds, e);
	buf_free(&b);
	return r;
}

/* ---- sealed memory ---- */

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int sealed_begin(const char *name, int *fd, struct bawn_error *e)
{
	*fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return *fd < 0 ? err_sys(e, "memfd_create") : 0;
}

int sealed_end(int fd, struct bawn_error *e)
{
	return fcntl(fd, F_ADD_SEALS, ALL_SEALS) ? err_sys(e, "sealing memory") : 0;
}

int sealed_new(const char *name, const void *p, size_t n, int *fd, struct bawn_error *e)
{
	int r = sealed_begin(name, fd, e);

	if (r)
		return r;
	r = io_write_full(*fd, p, n, e);
	if (r == 0)
		r = sealed_end(*fd, e);
	if (r) {
		close(*fd);
		*fd = -1;
	}
	return r;
}

int sealed_check(int fd, uint64_t max, uint64_t *n, struct bawn_error *e)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & ALL_SEALS) != ALL_SEALS)
		return err_set(e, BAWN_ERR_FORMAT, "a descriptor that is no sealed memory");
	if (fstat(fd, &st))
		return err_sys(e, "fstat");
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return err_set(e, BAWN_ERR_FORMAT, "sealed memory of more than %llu bytes",
			       (unsigned long long)max);
	*n = (uint64_t)st.st_size;
	return 0;
}

int sealed_part(int fd, uint64_t at, uint64_t n, uint8_t **out, struct bawn_error *e)
{
	uint64_t size, done = 0;
	int r = sealed_check(fd, INT64_MAX, &size, e);
	uint8_t *p;

	*out = NULL;
	if (r)
		return r;
	if (at > size || n > size - at)
		return err_set(e, BAWN_ERR_FORMAT, "sealed memory that is shorter than what is said to be in it");
	p = malloc(n + 1);
	if (!p)
		return err_nomem(e);
	while (done < n) {
		ssize_t got = pread(fd, p + done, n - done, (off_t)(at + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			free(p);
			return err_sys(e, "reading sealed memory");
		}
		done += (uint64_t)got;
	}
	*out = p;
	return 0;
}

int sealed_read(int fd, size_t max, uint8_t **out, size_t *n, struct bawn_error *e)
{
	uint64_t size = 0;
	int r = sealed_check(fd, max, &size, e);

	*out = NULL;
	if (r == 0)
		r = sealed_part(fd, 0, size, out, e);
	if (r == 0)
		*n = (size_t)size;
	return r;
}
