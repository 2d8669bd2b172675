/* One message with descriptors over a UNIX socket (unix(7), SCM_RIGHTS). */
#include "base/base.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FDS 8

void io_put_fds(struct msghdr *m, void *control, const int *fds, size_t n)
{
	struct cmsghdr *c;

	m->msg_control = control;
	m->msg_controllen = CMSG_SPACE(n * sizeof(int));
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
}

bool io_take_fds(struct msghdr *m, int *fds, size_t max, size_t *n)
{
	bool clean = true;

	*n = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t k;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			clean = false;
			continue;
		}
		k = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < k; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (*n < max) {
				fds[(*n)++] = fd;
			} else {
				close(fd);
				clean = false;
			}
		}
	}
	return clean;
}

int io_send_fds(int sock, const void *p, size_t n, const int *fds, size_t nfds,
		struct bawn_error *e)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)p, .iov_len = n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t r;

	if (nfds > MAX_FDS || n == 0)
		return err_set(e, BAWN_ERR_USAGE, "a message carries 1 byte or more and at most %d descriptors",
			       MAX_FDS);
	if (nfds)
		io_put_fds(&m, control.bytes, fds, nfds);
	do
		r = sendmsg(sock, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(e, "sendmsg");
	/* The descriptors went with the first byte; what is left of a stream goes plainly. */
	return io_write_full(sock, (const uint8_t *)p + r, n - (size_t)r, e);
}

int io_recv_fds(int sock, void *p, size_t max, size_t *n, int *fds, size_t maxfds, size_t *nfds,
		struct bawn_error *e)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = p, .iov_len = max };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	int got[MAX_FDS];
	size_t ngot;
	bool clean;
	ssize_t r;

	do
		r = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(e, "recvmsg");
	clean = io_take_fds(&m, got, MAX_FDS, &ngot);
	if (!clean || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || ngot > maxfds) {
		for (size_t i = 0; i < ngot; i++)
			close(got[i]);
		return err_set(e, BAWN_ERR_FORMAT, "a message with more bytes or descriptors than expected");
	}
	if (ngot)
		memcpy(fds, got, ngot * sizeof(int));
	*nfds = ngot;
	*n = (size_t)r;
	return 0;
}
