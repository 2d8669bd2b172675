/*
 * Every attempt of gate.c under the gate's table of system calls alone, each in
 * a process of its own: it must end there, or fail. Prints TAP.
 */
#include "daemon/daemon.h"
#include "tests/tap.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

const char *rogue_attempt(const char *name);

/* What the tests' processes end with: the sandbox's own code, or ours. */
enum { REFUSED = 100, GOT = 101 };

static int in_child(const char *name)
{
	struct bawn_error e = { 0 };
	int fds[2], status;
	pid_t pid = fork();

	if (pid == 0) {
		if (channel_pair(fds, &e) || dup2(fds[0], FD_PARENT) < 0 ||
		    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || seccomp_enter(PROC_GATE, &e))
			_exit(102);
		_exit(strncmp(rogue_attempt(name), "GOT", 3) == 0 ? GOT : REFUSED);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int main(void)
{
	static const char *const names[] = {
		"config", "open",   "openat",  "device",  "create", "unlink", "inet",      "unix",         "pair",
		"connect", "bind",   "exec",    "fork",   "ptrace", "memory",    "kill",         "setuid",
		"mount",  "unshare", "uring",   "bpf",    "memfd",  "mmap-exec", "mprotect-exec",
	};

	is_int(in_child("nothing"), REFUSED, "a process in the gate's sandbox runs");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int code = in_child(names[i]);

		ok(code == REFUSED || code == 72, "%s: %s", names[i],
		   code == 72 ? "ends the gate" : code == REFUSED ? "fails" : "got through, or crashed");
	}
	return tap_done();
}
