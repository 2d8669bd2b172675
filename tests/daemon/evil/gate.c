/*
 * A gate in the wrong hands: it does to the vault what a client tells it to, one
 * letter a datagram. bawnd-evil is bawnd with this one in the gate's place.
 */
#include "daemon/daemon.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint32_t generation = 1; /* of the connection that the next request claims to be on */

/* A request on this socket, of whatever kind the gate claims. */
static void forge(int socket, unsigned type, enum role_protocol protocol, uint32_t conn)
{
	struct role_message m = { .head.type = ROLE_REQUEST };
	struct wire_request q = { .head.type = (uint16_t)type, .head.tag = 7 };
	struct buf body;

	if (type == WIRE_HELLO)
		q.u.hello.min = q.u.hello.max = WIRE_VERSION;
	if (type == WIRE_TARGET_INFO)
		q.u.target_info.key = WIRE_KEY_ECDSA_P256;
	buf_init(&body, WIRE_MAX);
	role_request_native(&q, &body);
	m.u.request = (struct role_request){ .conn = conn, .generation = generation, .seq = type, .protocol = protocol,
					     .type = type, .tag = 7, .has_socket = socket >= 0 };
	m.tail = cur_make(body.p, body.n);
	channel_send_role(FD_GATE_VAULT, &m, &socket, socket >= 0 ? 1 : 0, NULL);
	buf_free(&body);
}

/*
 * HELLO in this client's name, and its answer awaited: the vault has several
 * threads, and one would find no connection while another still makes it.
 */
static void greet(int client, uint32_t conn)
{
	static struct message in;
	struct role_message m;
	bool answered = false;

	generation++;
	forge(client, WIRE_HELLO, ROLE_NATIVE, conn);
	while (!answered && channel_recv(FD_GATE_VAULT, &in, NULL) == 0) {
		answered = in.kind == CHAN_ROLE && role_decode(in.body, in.n, &m, NULL) == 0 &&
			   m.head.type == ROLE_ANSWERED && m.u.answered.conn == conn &&
			   m.u.answered.generation == generation;
		message_close(&in);
	}
}

static void garbage(void)
{
	uint8_t b[600];

	for (unsigned i = 0; i < 2000; i++) {
		for (size_t k = 0; k < sizeof(b); k++)
			b[k] = (uint8_t)(i * 31 + k * k);
		b[0] = CHAN_ROLE;
		put_le32(b + 1, WIRE_MAGIC);
		send(FD_GATE_VAULT, b, i % sizeof(b) + 1, MSG_NOSIGNAL);
	}
	for (uint32_t i = 0; i < 70000; i += 997)
		forge(-1, WIRE_STATUS, ROLE_NATIVE, i);
	/* Descriptors that are no sockets, and the listener itself. */
	forge(FD_CONFIG, WIRE_HELLO, ROLE_NATIVE, 4);
	forge(FD_GATE_LISTEN, WIRE_HELLO, ROLE_NATIVE, 5);
	log_msg(LOG_ERROR, "evil: garbage sent");
}

static void obey(char what, int client, int passed)
{
	switch (what) {
	case 'g':
		garbage();
		break;
	case 'q': /* for a client that may not: what the vault answers goes to that client */
		greet(client, 1);
		forge(-1, WIRE_TARGET_INFO, ROLE_NATIVE, 1);
		break;
	case 'l': /* what a client who may has not asked for */
		greet(client, 7);
		forge(-1, WIRE_POLICY_LOCK, ROLE_NATIVE, 7);
		forge(-1, WIRE_QUIESCE, ROLE_NATIVE, 7);
		break;
	case 'c': /* a client's own end, which has the credentials of who listens */
		forge(passed, WIRE_HELLO, ROLE_NATIVE, 6);
		break;
	case 'a': /* as if it had come by the other protocol */
		forge(client, WIRE_HELLO, ROLE_AESM, 2);
		break;
	}
}

/* What a client wants done, and a descriptor for it; false if it says nothing. */
static bool hear(int client, char *what, int *passed)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = what, .iov_len = 1 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	const struct cmsghdr *c;

	if (recvmsg(client, &h, MSG_CMSG_CLOEXEC) != 1)
		return false;
	c = CMSG_FIRSTHDR(&h);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(passed, CMSG_DATA(c), sizeof(int));
	return true;
}

static bool from_parent(void)
{
	static struct message in;
	bool on;

	if (channel_recv(FD_PARENT, &in, NULL))
		return false;
	if (in.kind == CHAN_PING)
		channel_send(FD_PARENT, CHAN_PONG, NULL, 0, NULL, 0, NULL);
	on = in.kind != CHAN_STOP;
	message_close(&in);
	return on;
}

int gate_main(const struct config *c)
{
	bool on = true;

	(void)c;
	channel_send(FD_PARENT, CHAN_READY, NULL, 0, NULL, 0, NULL);
	while (on) {
		struct pollfd f[2] = { { .fd = FD_PARENT, .events = POLLIN },
				       { .fd = FD_GATE_LISTEN, .events = POLLIN } };
		int fd, passed = -1;
		char what;

		poll(f, 2, -1);
		if (f[0].revents)
			on = from_parent();
		if (!(f[1].revents & POLLIN))
			continue;
		fd = accept4(FD_GATE_LISTEN, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0 && hear(fd, &what, &passed))
			obey(what, fd, passed);
		if (passed >= 0)
			close(passed);
		if (fd >= 0)
			close(fd);
	}
	return 0;
}
