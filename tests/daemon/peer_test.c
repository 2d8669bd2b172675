/* Whose control group a client's is: its own, or nobody's, whoever has its number by now. */
#include "daemon/vault.h"

#include "tests/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PEERPIDFD 77

static bool old_kernel; /* one before Linux 6.5 */

/* In place of the C library's. */
int getsockopt(int fd, int level, int name, void *value, socklen_t *n)
{
	if (old_kernel && level == SOL_SOCKET && name == PEERPIDFD) {
		errno = ENOPROTOOPT;
		return -1;
	}
	return (int)syscall(SYS_getsockopt, fd, level, name, value, n);
}

struct client {
	int end, served; /* its own end of the connection, and the one that was accepted */
	pid_t pid;
};

static struct client client_new(void)
{
	static const struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "\0bawn-peer-test" };
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct client c = { .end = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0) };

	if (bind(listener, (const struct sockaddr *)&a, sizeof(a)) || listen(listener, 1))
		abort();
	c.pid = fork();
	if (c.pid == 0) {
		if (connect(c.end, (const struct sockaddr *)&a, sizeof(a)))
			_exit(1);
		for (;;)
			pause();
	}
	c.served = accept(listener, NULL, NULL);
	close(listener);
	return c;
}

static void client_end(struct client *c)
{
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	close(c->end);
	close(c->served);
}

/* Another process with that number; false if we may not choose one. */
static bool number_taken(pid_t pid, uid_t uid)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
			set_tid_size;
	} args = { .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1 };
	int fds[2];
	char byte;
	long r;

	if (pipe2(fds, O_CLOEXEC))
		abort();
	r = syscall(SYS_clone3, &args, sizeof(args));
	if (r == 0) {
		if (syscall(SYS_setresuid, uid, uid, uid) || write(fds[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(fds[1]);
	r = r > 0 && read(fds[0], &byte, 1) == 1;
	close(fds[0]);
	return r;
}

static bool read_peer(const struct client *c, char cgroup[WIRE_CGROUP])
{
	struct ucred who;
	socklen_t n = sizeof(who);

	if (getsockopt(c->served, SOL_SOCKET, SO_PEERCRED, &who, &n))
		abort();
	memset(cgroup, 'x', WIRE_CGROUP);
	return peer_read(c->served, (uint32_t)who.pid, who.uid, cgroup);
}

static bool unknown(const struct client *c)
{
	char cgroup[WIRE_CGROUP];

	return !read_peer(c, cgroup) && !cgroup[0];
}

/* Our own group, which is our children's too. */
static bool own_group(char out[WIRE_CGROUP])
{
	char line[512];
	bool found = false;
	FILE *f = fopen("/proc/self/cgroup", "r");

	while (f && !found && fgets(line, sizeof(line), f)) {
		found = strncmp(line, "0::", 3) == 0;
		line[strcspn(line, "\n")] = '\0';
		snprintf(out, WIRE_CGROUP, "%.250s", line + 3);
	}
	if (f)
		fclose(f);
	return found;
}

static void test_reuse(uid_t uid, const char *whose)
{
	struct client c = client_new();

	kill(c.pid, SIGKILL);
	waitpid(c.pid, NULL, 0);
	if (number_taken(c.pid, uid))
		ok(unknown(&c), "its number is another process's, %s: no group", whose);
	else
		skip("to choose a process's number one must be root");
	client_end(&c);
}

static void test_peer(void)
{
	char cgroup[WIRE_CGROUP], own[WIRE_CGROUP];
	struct client c = client_new();

	if (own_group(own)) {
		ok(read_peer(&c, cgroup), "a client that lives has a group");
		is_str(cgroup, own, "... its own");
	} else {
		ok(!read_peer(&c, cgroup), "without control groups of version 2 there is none");
	}
	kill(c.pid, SIGKILL);
	if (!old_kernel) {
		siginfo_t si;

		waitid(P_PID, (id_t)c.pid, &si, WEXITED | WNOWAIT);
		ok(unknown(&c), "one that has ended has none");
	}
	waitpid(c.pid, NULL, 0);
	ok(unknown(&c), "one that is gone has none");
	c.pid = 0;
	client_end(&c);
	test_reuse(61010, "of another user");
	if (!old_kernel)
		test_reuse(getuid(), "of the same user");
}

int main(void)
{
	struct client c = client_new();
	int fd = -1;
	socklen_t n = sizeof(fd);

	old_kernel = getsockopt(c.served, SOL_SOCKET, PEERPIDFD, &fd, &n) != 0;
	client_end(&c);
	if (!old_kernel) {
		close(fd);
		test_peer();
	}
	old_kernel = true;
	test_peer();
	return tap_done();
}
