/*
 * The parent's table of system calls by itself: what it must not let through,
 * and that what it lets through goes on working, across execve(2) too. Each in
 * a process of its own. Prints TAP; `sandbox try NAME` is what is executed.
 */
#include "daemon/daemon.h"
#include "tests/tap.h"

#include <errno.h>
#include <linux/audit.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Arguments that come as close to success as can be without doing harm. */
static const struct forbidden {
	const char *name;
	long nr, a, b, c;
	bool here; /* every kernel that runs these tests has it: it is the table that says ENOSYS */
} forbidden[] = {
	{ "ptrace", SYS_ptrace, 0, 0, 0, true },
	{ "process_vm_readv", SYS_process_vm_readv, 1, 0, 0, true },
	{ "process_vm_writev", SYS_process_vm_writev, 1, 0, 0, true },
	{ "mount", SYS_mount, 0, 0, 0, true },
	{ "umount2", SYS_umount2, 0, 0, 0, true },
	{ "move_mount", SYS_move_mount, -1, 0, -1, true },
	{ "pivot_root", SYS_pivot_root, 0, 0, 0, true },
	{ "chroot", SYS_chroot, 0, 0, 0, true },
	{ "unshare", SYS_unshare, CLONE_NEWUTS, 0, 0, true },
	{ "setns", SYS_setns, -1, 0, 0, true },
	{ "clone into a name space", SYS_clone, CLONE_NEWUTS | CLONE_NEWUSER | SIGCHLD, 0, 0, false },
	{ "clone3", SYS_clone3, 0, 0, 0, true },
	{ "bpf", SYS_bpf, 0, 0, 0, false },
	{ "io_uring_setup", SYS_io_uring_setup, 1, 0, 0, false },
	{ "userfaultfd", SYS_userfaultfd, 0, 0, 0, false },
	{ "perf_event_open", SYS_perf_event_open, 0, 0, -1, false },
	{ "init_module", SYS_init_module, 0, 0, 0, false },
	{ "finit_module", SYS_finit_module, -1, 0, 0, false },
	{ "delete_module", SYS_delete_module, 0, 0, 0, false },
	{ "kexec_load", SYS_kexec_load, 0, -1, 0, false },
	{ "keyctl", SYS_keyctl, 0, 0, 0, false },
	{ "add_key", SYS_add_key, 0, 0, 0, false },
	{ "reboot", SYS_reboot, 0, 0, 0, true },
	{ "swapon", SYS_swapon, 0, 0, 0, false },
	{ "settimeofday", SYS_settimeofday, 1, 1, 0, true },
	{ "clock_settime", SYS_clock_settime, -1, 0, 0, true },
	{ "sethostname", SYS_sethostname, 0, -1, 0, true },
	{ "open_by_handle_at", SYS_open_by_handle_at, -1, 0, 0, false },
	{ "iopl", SYS_iopl, 4, 0, 0, false },
	{ "pidfd_getfd", SYS_pidfd_getfd, -1, 0, 0, true },
	{ "a packet socket", SYS_socket, AF_PACKET, SOCK_RAW, 0, false },
	{ "prctl that is not its own", SYS_prctl, PR_SET_KEEPCAPS, 1, 0, true },
	{ "a call that there will be", 511, 0, 0, 0, false },
};

static bool fails(const struct forbidden *f)
{
	return syscall(f->nr, f->a, f->b, f->c, 0, 0, 0) == -1 && errno == ENOSYS;
}

static bool enter(void)
{
	struct bawn_error e = { 0 };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && seccomp_enter(PROC_PARENT, &e) == 0;
}

/* 0 if what `fn` does in a process of its own is as it should be. */
static int in_child(int (*fn)(const void *), const void *arg)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(fn(arg));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int one_before(const void *arg)
{
	return fails(arg) ? 1 : 0;
}

static int one_after(const void *arg)
{
	return enter() && fails(arg) ? 0 : 1;
}

/* Itself again, as roles are. */
static int executed(const void *arg)
{
	char *const argv[] = { strdup("sandbox"), strdup("try"), NULL }, *const env[] = { NULL };

	(void)arg;
	if (enter())
		execve("/proc/self/exe", argv, env);
	return 2;
}

static int try(void)
{
	for (size_t i = 0; i < ARRAY_LEN(forbidden); i++)
		if (!fails(&forbidden[i]))
			return 3;
	return 0;
}

/* A role's table on top of it still ends the role, by its own word. */
static int as_gate(const void *arg)
{
	struct bawn_error e = { 0 };
	int fds[2];

	(void)arg;
	if (!enter() || channel_pair(fds, &e) || dup2(fds[0], FD_PARENT) < 0 || seccomp_enter(PROC_GATE, &e))
		return 2;
	syscall(SYS_ptrace, 0, 0, 0, 0);
	return 3;
}

/* What it does all day. */
static int allowed(const void *arg)
{
	int fds[2], status;
	pid_t pid;

	(void)arg;
	if (!enter() || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) || unlink("/no/such/path") == 0 || errno != ENOENT)
		return 2;
	pid = fork();
	if (pid == 0)
		_exit(42);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 42)
		return 3;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? 4 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "try") == 0)
		return try();
	is_int(in_child(allowed, NULL), 0, "the parent's calls are allowed");
	for (size_t i = 0; i < ARRAY_LEN(forbidden); i++) {
		const struct forbidden *f = &forbidden[i];

		ok((!f->here || in_child(one_before, f) == 0) && in_child(one_after, f) == 0, "%s: as if there were none",
		   f->name);
	}
	is_int(in_child(executed, NULL), 0, "nor is there after execve");
	is_int(in_child(as_gate, NULL), 72, "a role is ended by its own table");
	return tap_done();
}
