/* The C library's names for what is done with descriptors: see names.c. */
#include "preload/names.h"

#include <string.h>

/* Not all of them are declared by every C library. */
NAME ssize_t pread64(int fd, void *p, size_t n, off_t at);
NAME ssize_t pwrite64(int fd, const void *p, size_t n, off_t at);
NAME int close_range(unsigned first, unsigned last, int flags);
NAME void closefrom(int first);

NAME int close(int fd)
{
	if (file_is_hidden(fd))
		return (int)answer(-EBADF);
	file_closing(fd);
	return next.close ? next.close(fd) : (int)answer(raw(SYS_close, (uint64_t)fd, 0, 0, 0, 0, 0));
}

/* A range without those that the program does not know of. */
static long close_spans(unsigned first, unsigned last, int flags)
{
	long r = 0;

	if (first > last)
		return -EINVAL;
	if (!(flags & 4 /* CLOSE_RANGE_CLOEXEC */))
		file_closing_range(first, last);
	for (unsigned from = first;; from++) {
		unsigned to = file_next_hidden(from);

		if (to > last || to < from) {
			return raw(SYS_close_range, from, last, (uint64_t)flags, 0, 0, 0);
		}
		if (to > from)
			r = raw(SYS_close_range, from, to - 1, (uint64_t)flags, 0, 0, 0);
		if (r || to == last)
			return r;
		from = to;
	}
}

NAME int close_range(unsigned first, unsigned last, int flags)
{
	return (int)answer(close_spans(first, last, flags));
}

NAME void closefrom(int first)
{
	if (close_spans(first < 0 ? 0 : (unsigned)first, ~0u, 0) == -ENOSYS)
		for (int fd = first < 0 ? 0 : first; fd < 65536; fd++)
			close(fd);
}

static int copied(int from, int to)
{
	if (to >= 0)
		file_copied(from, to);
	return to;
}

NAME int dup(int fd)
{
	return copied(fd, next.dup ? next.dup(fd) : (int)answer(raw(SYS_dup, (uint64_t)fd, 0, 0, 0, 0, 0)));
}

/* The devices have neither read nor write; the memory files behind them have. */
static bool is_device(int fd)
{
	return file_is_known(fd) && file_kind_of(fd) != FILE_OTHER;
}

NAME ssize_t read(int fd, void *p, size_t n)
{
	if (is_device(fd))
		return answer(-EINVAL);
	return next.read ? next.read(fd, p, n) : answer(raw(SYS_read, (uint64_t)fd, ARG(p), n, 0, 0, 0));
}

NAME ssize_t write(int fd, const void *p, size_t n)
{
	if (is_device(fd))
		return answer(-EINVAL);
	return next.write ? next.write(fd, p, n) : answer(raw(SYS_write, (uint64_t)fd, ARG(p), n, 0, 0, 0));
}

NAME ssize_t pread(int fd, void *p, size_t n, off_t at)
{
	if (is_device(fd))
		return answer(-EINVAL);
	return next.pread ? next.pread(fd, p, n, at) :
			    answer(raw(SYS_pread64, (uint64_t)fd, ARG(p), n, (uint64_t)at, 0, 0));
}

NAME ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (is_device(fd))
		return answer(-EINVAL);
	return next.pwrite ? next.pwrite(fd, p, n, at) :
			     answer(raw(SYS_pwrite64, (uint64_t)fd, ARG(p), n, (uint64_t)at, 0, 0));
}

NAME ssize_t pread64(int fd, void *p, size_t n, off_t at)
{
	return pread(fd, p, n, at);
}

NAME ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
	return pwrite(fd, p, n, at);
}

/* Something is about to be put in the place of a descriptor. */
static void replacing(int from, int to)
{
	bool hidden = file_is_hidden(to);

	if (from == to || (!hidden && !file_is_known(to)))
		return;
	/* Nothing to copy: then the descriptor in its place stays. */
	if (raw_failed(raw(SYS_fcntl, (uint64_t)from, F_GETFD, 0, 0, 0, 0)))
		return;
	if (hidden)
		file_move_hidden(to);
	file_closing(to);
}

NAME int dup2(int from, int to)
{
	replacing(from, to);
	return copied(from, next.dup2 ? next.dup2(from, to) :
					(int)answer(raw(SYS_dup2, (uint64_t)from, (uint64_t)to, 0, 0, 0, 0)));
}

NAME int dup3(int from, int to, int flags)
{
	replacing(from, to);
	return copied(from, next.dup3 ? next.dup3(from, to, flags) :
					(int)answer(raw(SYS_dup3, (uint64_t)from, (uint64_t)to,
							(uint64_t)flags, 0, 0, 0)));
}

static int control(int fd, int op, void *arg)
{
	int r = next.fcntl ? next.fcntl(fd, op, arg) :
			     (int)answer(raw(SYS_fcntl, (uint64_t)fd, (uint64_t)op, ARG(arg), 0, 0, 0));

	return op == F_DUPFD || op == F_DUPFD_CLOEXEC ? copied(fd, r) : r;
}

/* With fixed parameters, as names.c's open_any. */
NAME int fcntl_any(int fd, int op, void *arg) __asm__("fcntl");
NAME int fcntl_any64(int fd, int op, void *arg) __asm__("fcntl64");
NAME int ioctl_any(int fd, unsigned long request, void *arg) __asm__("ioctl");

int fcntl_any(int fd, int op, void *arg)
{
	return control(fd, op, arg);
}

int fcntl_any64(int fd, int op, void *arg)
{
	return control(fd, op, arg);
}

int ioctl_any(int fd, unsigned long request, void *arg)
{
	if (DRIVER_MAGIC(request) == 0xa4) {
		bool ours = false;
		long r = file_ioctl(fd, (uint32_t)request, ARG(arg), &ours);

		if (ours)
			return (int)answer(r);
	}
	return next.ioctl ? next.ioctl(fd, request, arg) :
			    (int)answer(raw(SYS_ioctl, (uint64_t)fd, request, ARG(arg), 0, 0, 0));
}

/* Descriptors in a message: some may be enclaves'. */
static void came(const struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)m, c)) {
		const unsigned char *p = CMSG_DATA(c);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); n; n--, p += sizeof(int)) {
			int fd;

			memcpy(&fd, p, sizeof(fd));
			file_came(fd);
		}
	}
}

NAME ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	ssize_t r = next.recvmsg ? next.recvmsg(fd, m, flags) :
				   answer(raw(SYS_recvmsg, (uint64_t)fd, ARG(m), (uint64_t)(unsigned)flags, 0, 0, 0));

	if (r >= 0 && m->msg_controllen)
		came(m);
	return r;
}

NAME int recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *timeout)
{
	int r = next.recvmmsg ? next.recvmmsg(fd, m, n, flags, timeout) :
				(int)answer(raw(SYS_recvmmsg, (uint64_t)fd, ARG(m), n, (uint64_t)(unsigned)flags,
						ARG(timeout), 0));

	for (int i = 0; i < r; i++)
		if (m[i].msg_hdr.msg_controllen)
			came(&m[i].msg_hdr);
	return r;
}
