/* This program started again as one of its roles, and what it gives up first. */
#include "cpu/cpu.h"
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_FDS 32
#define ABOVE 64 /* where descriptors wait for their numbers */
#define EMULATED_FDS 640 /* `bawn emulate` keeps its own from 512 on (doc/EMULATE.md) */
#define LOCKABLE (512u << 20) /* enough to lock memory as a whole */

const char *process_name(enum process r)
{
	static const char *const names[PROCS] = { "parent", "loader", "gate", "vault", "courier" };

	return names[r];
}

/* ---- in the child, before exec ---- */

/* fds[i] becomes FD_PARENT + i; everything else is closed. */
static bool place_fds(const int *fds, size_t n)
{
	int moved[MAX_FDS];

	for (size_t i = 0; i < n; i++) {
		moved[i] = fcntl(fds[i], F_DUPFD, ABOVE);
		if (moved[i] < 0)
			return false;
	}
	for (size_t i = 0; i < n; i++)
		if (dup2(moved[i], FD_PARENT + (int)i) < 0)
			return false;
	return syscall(SYS_close_range, FD_PARENT + (unsigned)n, ~0u, 0) == 0;
}

/* Standard input and outputs are the parent's, perhaps a terminal or a file: roles have the channel. */
static bool close_stdio(void)
{
	int fd = open("/dev/null", O_RDWR);

	for (int i = 0; fd >= 0 && i <= STDERR_FILENO; i++)
		if (dup2(fd, i) < 0)
			return false;
	return fd >= 0;
}

/* For good: groups, then group, then user, each of them all three (setuid(7)). */
bool process_become(const struct conf_user *u)
{
	gid_t groups[CONF_GROUPS];

	for (uint32_t i = 0; i < u->ngroups; i++)
		groups[i] = u->groups[i];
	return setgroups(u->ngroups, groups) == 0 && setresgid(u->gid, u->gid, u->gid) == 0 &&
	       setresuid(u->uid, u->uid, u->uid) == 0 && setuid(0) != 0;
}

static void keep_env(const char *const *names, char **env, size_t max)
{
	size_t n = 0;

	for (; *names; names++) {
		const char *v = getenv(*names);
		char *line;

		if (!v || n + 1 >= max)
			continue;
		line = malloc(strlen(*names) + strlen(v) + 2);
		if (!line)
			continue;
		strcpy(line, *names);
		strcat(line, "=");
		strcat(line, v);
		env[n++] = line;
	}
	env[n] = NULL;
}

_Noreturn static void child(const struct config *c, enum process r, const int *fds, size_t nfds,
			    pid_t parent)
{
	/* The sanitizers' options are for tests; proxies are the courier's, who has no other say. */
	static const char *const plain[] = { "ASAN_OPTIONS", "UBSAN_OPTIONS", NULL };
	static const char *const courier[] = { "ASAN_OPTIONS", "UBSAN_OPTIONS", "https_proxy",
					       "http_proxy", "no_proxy", NULL };
	/* Under `bawn emulate` the vault is the one that opens devices. */
	static const char *const emulated[] = { "LD_PRELOAD", "BAWN_EMULATE", "BAWN_PLATFORM", NULL };
	char *const argv[] = { strdup("bawnd"), strdup("--role"), strdup(process_name(r)), NULL };
	char *env[8];
	enum process as = r == PROC_LOADER ? PROC_GATE : r; /* it needs no more than the gate */
	struct rlimit lock = { LOCKABLE, LOCKABLE };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (r == PROC_VAULT)
		setrlimit(RLIMIT_MEMLOCK, &lock); /* as root; others stay with what they have */
	if (!close_stdio() || !place_fds(fds, nfds) || (c->separate && !process_become(&c->user[as])))
		_exit(71);
	/* Dies with the parent, however that ends. After setresuid, which forgets it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	keep_env(r == PROC_COURIER                               ? courier
		 : r == PROC_VAULT && cpu_engine_is_injected() ? emulated
							       : plain,
		 env, ARRAY_LEN(env));
	execve("/proc/self/exe", argv, env);
	_exit(71);
}

int process_spawn(const struct config *c, enum process r, const int *fds, size_t nfds, pid_t *pid,
	       struct bawn_error *e)
{
	pid_t self = getpid();

	if (nfds > MAX_FDS)
		return err_set(e, BAWN_ERR_USAGE, "too many descriptors for a role");
	*pid = fork();
	if (*pid < 0)
		return err_sys(e, "fork");
	if (*pid == 0)
		child(c, r, fds, nfds, self);
	return 0;
}

/* ---- in the role ---- */

static int limit(int what, rlim_t n, struct bawn_error *e)
{
	struct rlimit l = { n, n }, now;

	if (getrlimit(what, &now) == 0 && now.rlim_max < n)
		l.rlim_cur = l.rlim_max = now.rlim_max;
	return setrlimit(what, &l) ? err_sys(e, "setrlimit") : 0;
}

static int limits(const struct config *c, enum process r, struct bawn_error *e)
{
	rlim_t files = r == PROC_GATE || r == PROC_VAULT ? c->connections + 128 : 64;
	int rc = limit(RLIMIT_CORE, 0, e);

	if (r == PROC_VAULT && cpu_engine_is_injected())
		files += EMULATED_FDS;
	if (rc == 0)
		rc = limit(RLIMIT_NOFILE, files, e);
	/* The gate and the loader make no file; the others none that is large. */
	if (rc == 0 && r == PROC_GATE)
		rc = limit(RLIMIT_FSIZE, 0, e);
	/* A new thread or process counts against the user: of these, nobody starts one. */
	if (rc == 0 && c->separate && r != PROC_VAULT)
		rc = limit(RLIMIT_NPROC, 1, e);
	return rc;
}

/*
 * Pages are locked as they are first used, so address space that is only
 * reserved costs nothing. Where the limit is too low for that (an ordinary
 * user's), what holds keys is locked by itself.
 */
static bool lock_memory(void)
{
	struct rlimit l;

	return getrlimit(RLIMIT_MEMLOCK, &l) == 0 && l.rlim_cur >= LOCKABLE &&
	       mlockall(MCL_CURRENT | MCL_ONFAULT) == 0;
}

int sandbox_enter(const struct config *c, enum process r, struct sandbox *what, struct bawn_error *e)
{
	int rc;

	*what = (struct sandbox){ .own_user = c->separate, .diag = -1 };
	/* What a terminal or a service manager sends to all is the parent's to heed. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (prctl(PR_SET_DUMPABLE, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_sys(e, "prctl");
	rc = limits(c, r, e);
	if (rc)
		return rc;
	if (r == PROC_VAULT)
		what->locked = lock_memory();
	rc = landlock_enter(c, r, &what->landlock_abi, e);
	if (rc)
		return rc;
	what->landlock = what->landlock_abi > 0;
	if (r == PROC_VAULT)
		what->diag = diag_open(NULL); /* what cannot be had the parent has told of */
	rc = seccomp_enter(r, e);
	what->seccomp = rc == 0;
	return rc;
}
