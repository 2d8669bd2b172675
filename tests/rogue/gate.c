/*
 * A gate in the wrong hands. It is the real one, except that a datagram "ROGUE
 * name" makes it try something that it must not be able to do. It tries it
 * inside its sandbox, and tells the client what came of it in the refusal that
 * such a datagram gets: "GOT ..." is what must never be seen.
 */
#include "crypto/crypto.h"
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

int __wrap_wire_request_decode(const void *p, size_t n, size_t nfds, struct wire_request *r,
			       struct bawn_error *e);
int __real_wire_request_decode(const void *p, size_t n, size_t nfds, struct wire_request *r,
			       struct bawn_error *e);
ssize_t __wrap_recv(int fd, void *p, size_t n, int flags);
ssize_t __real_recv(int fd, void *p, size_t n, int flags);

static char said[WIRE_NOTE];

/* What a system call that must fail came to. Most of them end the role before they return. */
static void outcome(const char *what, long result)
{
	if (result >= 0)
		snprintf(said, sizeof(said), "GOT %s", what);
	else
		snprintf(said, sizeof(said), "%s: %s", what, strerror(errno));
}

/* ---- the system ---- */

static void system_calls(const char *name)
{
	struct iovec local = { .iov_base = said, .iov_len = 16 }, remote = local;
	struct sockaddr addr = { .sa_family = AF_INET };
	char *const none[] = { NULL };
	void *m;

	if (strcmp(name, "open") == 0)
		outcome("a file", open("/etc/passwd", O_RDONLY));
	else if (strcmp(name, "openat") == 0)
		outcome("a directory", openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY));
	else if (strcmp(name, "config") == 0)
		outcome("another configuration", pwrite(FD_CONFIG, "x", 1, 0));
	else if (strcmp(name, "device") == 0)
		outcome("a device", open("/dev/zero", O_RDWR));
	else if (strcmp(name, "create") == 0)
		outcome("a new file", open("/tmp/rogue-gate", O_CREAT | O_WRONLY, 0600));
	else if (strcmp(name, "unlink") == 0)
		outcome("a file's removal", unlink("/tmp/rogue-gate"));
	else if (strcmp(name, "inet") == 0)
		outcome("an Internet socket", socket(AF_INET, SOCK_STREAM, 0));
	else if (strcmp(name, "unix") == 0)
		outcome("a UNIX socket", socket(AF_UNIX, SOCK_STREAM, 0));
	else if (strcmp(name, "pair") == 0)
		outcome("a pair of sockets", socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){ 0 }));
	else if (strcmp(name, "connect") == 0)
		outcome("a connection", connect(FD_GATE_LISTEN, &addr, sizeof(addr)));
	else if (strcmp(name, "bind") == 0)
		outcome("an address", bind(FD_GATE_LISTEN, &addr, sizeof(addr)));
	else if (strcmp(name, "exec") == 0)
		outcome("a program", execve("/bin/true", none, none));
	else if (strcmp(name, "fork") == 0)
		outcome("a process", fork());
	else if (strcmp(name, "ptrace") == 0)
		outcome("another process", syscall(SYS_ptrace, 16, getppid(), 0, 0));
	else if (strcmp(name, "memory") == 0)
		outcome("another's memory", process_vm_readv(getppid(), &local, 1, &remote, 1, 0));
	else if (strcmp(name, "kill") == 0)
		outcome("the parent's death", kill(getppid(), 0));
	else if (strcmp(name, "setuid") == 0)
		outcome("root", setuid(0));
	else if (strcmp(name, "mount") == 0)
		outcome("a mount", syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL));
	else if (strcmp(name, "unshare") == 0)
		outcome("a name space", syscall(SYS_unshare, 0x10000000));
	else if (strcmp(name, "uring") == 0)
		outcome("a ring", syscall(SYS_io_uring_setup, 1, said));
	else if (strcmp(name, "bpf") == 0)
		outcome("a BPF map", syscall(SYS_bpf, 0, said, 16));
	else if (strcmp(name, "memfd") == 0)
		outcome("a memory file", memfd_create("x", 0));
	else if (strcmp(name, "mmap-exec") == 0) {
		m = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		outcome("executable memory", m == MAP_FAILED ? -1 : 0);
	} else if (strcmp(name, "mprotect-exec") == 0) {
		m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		outcome("memory made executable", mprotect(m, 4096, PROT_READ | PROT_EXEC));
	}
}

/* What it was given: sockets, the configuration, and nothing to read or write besides. */
static void descriptors(void)
{
	struct stat st;
	unsigned n = 0;

	snprintf(said, sizeof(said), "nothing but sockets");
	for (int fd = 0; fd < 1024; fd++) {
		if (fstat(fd, &st) || S_ISSOCK(st.st_mode) || fd == FD_CONFIG)
			continue;
		n++;
		if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) /* /dev/null */
			continue;
		/* An epoll instance is no file of any kind. */
		if ((st.st_mode & S_IFMT) == 0)
			continue;
		snprintf(said, sizeof(said), "GOT descriptor %d, mode %o (%u)", fd, st.st_mode, n);
	}
	if (!(fcntl(FD_CONFIG, F_GET_SEALS) & F_SEAL_WRITE))
		snprintf(said, sizeof(said), "GOT a configuration that can be changed");
}

/* ---- the vault ---- */

static void send_role(int channel, const struct role_message *m, const int *fds, size_t n)
{
	struct bawn_error e = { 0 };

	if (channel_send_role(channel, m, fds, n, &e))
		snprintf(said, sizeof(said), "not sent: %.80s", e.msg);
	else
		snprintf(said, sizeof(said), "sent");
}

/* A native request, with the socket or without. */
static void request(unsigned seq, const struct wire_request *q, int fd)
{
	struct role_message m = { .head.type = ROLE_REQUEST };
	struct buf b;

	buf_init(&b, WIRE_MAX);
	role_request_native(q, &b);
	m.u.request = (struct role_request){ .conn = 3, .generation = 77, .seq = seq, .protocol = ROLE_NATIVE,
					     .type = q->head.type, .received = clock_ns(),
					     .has_socket = fd >= 0 };
	m.tail = cur_make(b.p, b.n);
	send_role(FD_GATE_VAULT, &m, &fd, fd >= 0);
	buf_free(&b);
}

/* In the name of whoever is at the end of fd, everything is granted to everybody. */
static void grant_by(int fd)
{
	static struct wire_request q;

	memset(&q, 0, sizeof(q));
	q.head.type = WIRE_GRANT_ADD;
	q.u.grant_add.kind = WIRE_GRANT;
	q.u.grant_add.match.operations = WIRE_OP_ANY;
	request(1, &q, fd);
}

/* The connection is made known to the vault; the answer goes to the client. */
static void hello_by(int fd)
{
	static struct wire_request q;

	memset(&q, 0, sizeof(q));
	q.head.type = WIRE_HELLO;
	q.u.hello.min = q.u.hello.max = WIRE_VERSION;
	request(1, &q, fd);
	usleep(300000);
}

/* The same in the name of a client that is connected, whose number and socket we have. */
static void grant_by_client(void)
{
	snprintf(said, sizeof(said), "nobody is connected");
	for (int fd = FD_GATE_LISTEN; fd < 1024; fd++) {
		int listens = 1;
		socklen_t size = sizeof(listens);
		struct stat st;

		if (fstat(fd, &st) || !S_ISSOCK(st.st_mode) ||
		    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) || listens)
			continue;
		hello_by(fd);
		grant_by(-1);
	}
}

/* A white list in the name of whoever is connected to AESM's socket. */
static void register_by_client(void)
{
	static struct aesm_request q;
	struct role_message m = { .head.type = ROLE_REQUEST };
	uint32_t conn = 3; /* another for each: of one that is still being refused no second request is looked at */
	struct buf b;

	snprintf(said, sizeof(said), "nobody is connected");
	q.type = AESM_REGISTER;
	q.has = 1u << 1 | 1u << 2;
	q.blob_size = 100;
	for (int whole = 0; whole < 2; whole++)
		for (int fd = FD_GATE_LISTEN; fd < 1024; fd++) {
			int listens = 1, type = 0;
			socklen_t size = sizeof(int);

			if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) || listens ||
			    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_STREAM)
				continue;
			buf_init(&b, WIRE_MAX);
			if (whole)
				role_request_aesm(&q, &b);
			m.u.request = (struct role_request){ .conn = conn++, .generation = 77, .seq = 1, .protocol = ROLE_AESM,
							     .type = AESM_REGISTER, .received = clock_ns(),
							     .has_socket = true };
			m.tail = cur_make(b.p, b.n);
			send_role(FD_GATE_VAULT, &m, &fd, 1);
			buf_free(&b);
		}
}

/* What a client sent us of its own, whose number in the kernel it tells, for a client of bawnd's. */
static void pass_off(const char *inode)
{
	struct stat st;

	snprintf(said, sizeof(said), "no such descriptor");
	for (int fd = FD_GATE_LISTEN; fd < 1024; fd++)
		if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == strtoull(inode, NULL, 10)) {
			hello_by(fd);
			return;
		}
}

/* Messages that others may send, on the gate's channel to the vault. */
static void others_messages(int channel)
{
	static const uint16_t types[] = { ROLE_ANSWERED, ROLE_PARKED, ROLE_AUDIT, ROLE_ANCHOR,
					  ROLE_POLICY,   ROLE_FETCH, ROLE_FETCHED, ROLE_LINE_ASK, ROLE_LINE };
	int fd = FD_CONFIG; /* sealed memory, as a policy is */

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct role_message m = { .head.type = types[i] };

		if (types[i] == ROLE_POLICY)
			m.u.policy.size = sizeof(struct config);
		if (types[i] == ROLE_AUDIT)
			memcpy(m.u.audit.note, "forged by the gate", 18);
		if (types[i] == ROLE_FETCH || types[i] == ROLE_FETCHED)
			m.u.fetched.what = ROLE_FETCH_PCK;
		send_role(channel, &m, &fd, types[i] == ROLE_POLICY || types[i] == ROLE_FETCHED);
	}
}

static void other_kinds(int channel)
{
	static const uint8_t kinds[] = { 0, CHAN_PEER, CHAN_LOADED, CHAN_STOP, CHAN_PING, CHAN_RELOAD,
					 CHAN_LOCK, 99 };
	uint8_t body = PROC_GATE;
	int fd = FD_CONFIG;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		channel_send(channel, (enum channel_kind)kinds[i], &body, 1, &fd,
			     kinds[i] == CHAN_PEER || kinds[i] == CHAN_LOADED, NULL);
	snprintf(said, sizeof(said), "sent");
}

static void garbage(int channel)
{
	uint8_t bytes[512];

	for (int i = 0; i < 200; i++) {
		crypto_random(bytes, sizeof(bytes), NULL);
		channel_send(channel, i % 2 ? CHAN_ROLE : (enum channel_kind)bytes[0], bytes, (size_t)i * 2, NULL,
			     0, NULL);
	}
	snprintf(said, sizeof(said), "sent");
}

const char *rogue_attempt(const char *name);

/* Does what the name says, and tells what came of it. */
const char *rogue_attempt(const char *name)
{
	static const struct {
		const char *name;
		int fd;
	} clients[] = { { "as-listener", FD_GATE_LISTEN }, { "as-parent", FD_PARENT },
			{ "as-vault", FD_GATE_VAULT },     { "as-config", FD_CONFIG },
			{ "as-null", 0 },                  { "as-nobody", -1 } };

	snprintf(said, sizeof(said), "no such attempt");
	system_calls(name);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++)
		if (strcmp(name, clients[i].name) == 0)
			grant_by(clients[i].fd);
	if (strncmp(name, "pass-off ", 9) == 0)
		pass_off(name + 9);
	else if (strcmp(name, "register") == 0)
		register_by_client();
	else if (strcmp(name, "as-client") == 0)
		grant_by_client();
	else if (strcmp(name, "descriptors") == 0)
		descriptors();
	else if (strcmp(name, "vault-messages") == 0)
		others_messages(FD_GATE_VAULT);
	else if (strcmp(name, "vault-kinds") == 0)
		other_kinds(FD_GATE_VAULT);
	else if (strcmp(name, "vault-garbage") == 0)
		garbage(FD_GATE_VAULT);
	else if (strcmp(name, "parent-messages") == 0)
		others_messages(FD_PARENT);
	else if (strcmp(name, "parent-kinds") == 0)
		other_kinds(FD_PARENT);
	else if (strcmp(name, "parent-garbage") == 0)
		garbage(FD_PARENT);
	return said;
}

int __wrap_wire_request_decode(const void *p, size_t n, size_t nfds, struct wire_request *r,
			       struct bawn_error *e)
{
	char name[64];

	if (n < 7 || n >= 6 + sizeof(name) || memcmp(p, "ROGUE ", 6) != 0)
		return __real_wire_request_decode(p, n, nfds, r, e);
	memcpy(name, (const char *)p + 6, n - 6);
	name[n - 6] = '\0';
	return err_set(e, BAWN_ERR_FORMAT, "%s", rogue_attempt(name));
}

/* What comes just after the gate has looked, and found nothing, must wait for its next look. */
ssize_t __wrap_recv(int fd, void *p, size_t n, int flags)
{
	ssize_t r = __real_recv(fd, p, n, flags);
	int error = errno;

	if (r < 0 && flags & MSG_PEEK)
		usleep(10000);
	errno = error;
	return r;
}
