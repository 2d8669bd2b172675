/*
 * Which file a socket is bound to, as the kernel has it (sock_diag(7),
 * unix_diag). A socket that was accepted is bound to the file of the one that
 * listened. Its name, which getsockname(2) tells, is what somebody bound it
 * to: in a mount name space of one's own that may be any name, of any file.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

/* One asks at a time: answers are told apart by nothing but their order. */
static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER;
static uint32_t sequence;

int diag_open(struct bawn_error *e)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	return fd < 0 ? err_sys(e, "sock_diag") : fd;
}

/* Under `asking`. The kernel answers before sendto returns. */
static ssize_t ask(int diag, ino_t inode, void *answer, size_t max)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req body;
	} q = {
		.head = { .nlmsg_len = sizeof(q), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST,
			  .nlmsg_seq = ++sequence },
		.body = { .sdiag_family = AF_UNIX, .udiag_states = UINT32_MAX, .udiag_ino = (uint32_t)inode,
			  .udiag_show = UDIAG_SHOW_VFS, .udiag_cookie = { UINT32_MAX, UINT32_MAX } },
	};
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK }, from;
	const struct nlmsghdr *h = answer;
	ssize_t n;

	if (sendto(diag, &q, sizeof(q), MSG_NOSIGNAL, (const struct sockaddr *)&kernel, sizeof(kernel)) !=
	    (ssize_t)sizeof(q))
		return -1;
	/* What is left of another question, or comes from anybody else, is passed over. */
	do {
		socklen_t size = sizeof(from);

		n = recvfrom(diag, answer, max, MSG_DONTWAIT, (struct sockaddr *)&from, &size);
	} while (n >= 0 && (n < (ssize_t)sizeof(*h) || from.nl_pid != 0 || h->nlmsg_seq != sequence));
	return n;
}

/* The attribute that tells the file, of the n bytes behind an answer's head. */
static bool take_file(const uint8_t *p, size_t n, struct bound_file *out)
{
	while (n >= sizeof(struct nlattr)) {
		struct nlattr a;
		size_t whole;

		memcpy(&a, p, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > n)
			return false;
		if (a.nla_type == UNIX_DIAG_VFS && a.nla_len >= sizeof(a) + sizeof(struct unix_diag_vfs)) {
			struct unix_diag_vfs v;

			memcpy(&v, p + sizeof(a), sizeof(v));
			*out = (struct bound_file){ .known = true, .dev = v.udiag_vfs_dev, .ino = v.udiag_vfs_ino };
			return true;
		}
		whole = NLMSG_ALIGN(a.nla_len);
		if (whole > n)
			return false;
		p += whole;
		n -= whole;
	}
	return false;
}

int diag_bound(int diag, int socket, struct bound_file *out, struct bawn_error *e)
{
	union {
		struct nlmsghdr head;
		uint8_t bytes[512];
	} a;
	const size_t front = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct unix_diag_msg));
	struct stat st;
	ssize_t n;
	int code;

	*out = (struct bound_file){ 0 };
	if (fstat(socket, &st))
		return err_sys(e, "fstat");
	pthread_mutex_lock(&asking);
	n = ask(diag, st.st_ino, a.bytes, sizeof(a));
	pthread_mutex_unlock(&asking);
	if (n < 0)
		return err_sys(e, "sock_diag");
	if (a.head.nlmsg_type == NLMSG_ERROR && n >= (ssize_t)(NLMSG_HDRLEN + sizeof(code))) {
		memcpy(&code, a.bytes + NLMSG_HDRLEN, sizeof(code));
		return err_set(e, code == -ENOENT ? BAWN_ERR_NOT_FOUND : BAWN_ERR_SYSTEM, "unix_diag: %s",
			       strerror(-code));
	}
	if (a.head.nlmsg_type != SOCK_DIAG_BY_FAMILY || (size_t)n < front ||
	    !take_file(a.bytes + front, (size_t)n - front, out))
		return err_set(e, BAWN_ERR_FORMAT, "the socket has no file");
	return 0;
}

uint64_t diag_network(int socket)
{
	uint64_t cookie = 0;
	socklen_t n = sizeof(cookie);

	return getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &n) ? 0 : cookie;
}
