/*
 * seccomp(2): the system calls of each role, one table a role. What is not in
 * it is refused, told to the parent, and ends the role: a table that is short
 * of something shows itself at once and by name.
 *
 * The vault alone may map executable memory, take an alternate signal stack
 * and set FS and GS: it enters enclaves. Nobody executes a program.
 *
 * The parent starts the roles, which inherit its table beneath their own. So
 * it has all that they have, and what they do before they enter theirs; the
 * rest, tracing and modules and mounts and what is yet to be invented, fails
 * as in a kernel that does not know it (ENOSYS), on which C libraries fall
 * back. It fails and does not kill: that would hide who made the call from a
 * role's own table, and end the service for a C library's curiosity.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define X32_BIT 0x40000000u

enum how {
	ALWAYS,
	WHERE,  /* (argument & mask) == value */
	REFUSE, /* fails with errno `value`: the C library asks, and lives without */
};
struct rule {
	uint16_t nr;
	uint8_t how, arg;
	uint32_t mask, value;
};
#define MAX_RULES 400
#define MAX_PROGRAM (MAX_RULES * 6 + 8)
#define NUMBERS 512 /* of system calls */
#define NEW_NAMESPACES                                                                             \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* What the C library needs to run at all. */
#define RUNTIME                                                                                    \
	{ SYS_read }, { SYS_write }, { SYS_close }, { SYS_brk }, { SYS_munmap }, { SYS_mremap },   \
	{ SYS_madvise }, { SYS_futex }, { SYS_getpid }, { SYS_gettid }, { SYS_exit },              \
	{ SYS_exit_group }, { SYS_rt_sigreturn }, { SYS_rt_sigprocmask }, { SYS_rt_sigaction },    \
	{ SYS_tgkill }, { SYS_restart_syscall }, { SYS_clock_gettime }, { SYS_clock_nanosleep },   \
	{ SYS_nanosleep }, { SYS_getrandom }, { SYS_fstat }, { SYS_newfstatat }, { SYS_lseek },    \
	{ SYS_sched_yield }, { SYS_fcntl }, { SYS_writev }, { SYS_readv },                         \
	{ SYS_poll }, { SYS_ppoll }, { SYS_sendmsg }, { SYS_recvmsg }, { SYS_sendto },             \
	{ SYS_recvfrom }, { SYS_shutdown }, { SYS_getsockopt },                                    \
	{ SYS_prctl, REFUSE, .value = EINVAL }, { SYS_prlimit64, REFUSE, .value = EPERM },         \
	{ SYS_sysinfo, REFUSE, .value = EPERM }, { SYS_ioctl, WHERE, 1, UINT32_MAX, 0x5413 }

/* Memory that cannot be executed. */
#define NO_EXEC                                                                                    \
	{ SYS_mmap, WHERE, 2, PROT_EXEC, 0 }, { SYS_mprotect, WHERE, 2, PROT_EXEC, 0 }

static const struct rule loader_rules[] = {
	RUNTIME,
	NO_EXEC,
	{ SYS_memfd_create },
	{ SYS_ftruncate },
	{ SYS_pread64 },
	{ SYS_pwrite64 },
	/* names of users and groups: the files; what would need a module or a daemon is not asked */
	{ SYS_mmap, REFUSE, .value = EPERM },
	{ SYS_mprotect, REFUSE, .value = EPERM },
	{ SYS_socket, REFUSE, .value = EAFNOSUPPORT },
	{ SYS_openat },
	{ SYS_open },
	{ SYS_access },
	{ SYS_faccessat },
	{ SYS_faccessat2 },
	{ SYS_readlink },
	{ SYS_stat },
	{ SYS_lstat },
	{ SYS_getdents64 },
	{ SYS_statx, REFUSE, .value = ENOSYS },
};

static const struct rule gate_rules[] = {
	RUNTIME,
	NO_EXEC,
	{ SYS_accept4 },
	{ SYS_ioctl, WHERE, 1, UINT32_MAX, 0x541b }, /* FIONREAD */
	{ SYS_epoll_create1 },
	{ SYS_epoll_ctl },
	{ SYS_epoll_wait },
	{ SYS_epoll_pwait },
};

static const struct rule vault_rules[] = {
	{ SYS_getuid }, /* asked for as built against musl */
	{ SYS_geteuid },
	{ SYS_getgid },
	{ SYS_getegid },
	RUNTIME,
	/* enclaves */
	{ SYS_mmap },
	{ SYS_mprotect },
	{ SYS_sigaltstack },
	{ SYS_rt_sigpending }, /* the driver that `bawn emulate` is, as the next two */
	{ SYS_fstatfs },
	{ SYS_personality, WHERE, 0, UINT32_MAX, UINT32_MAX }, /* asked for, not set */
	{ SYS_arch_prctl },
	{ SYS_rt_tgsigqueueinfo },
	{ SYS_memfd_create },
	{ SYS_ftruncate },
	{ SYS_ioctl, WHERE, 1, 0xff00, 0xa400 }, /* SGX's requests alone */
	{ SYS_kill, WHERE, 1, UINT32_MAX, 0 },   /* is the owner of a lock alive? */
	{ SYS_inotify_init1 }, /* are enclaves that were handed over still there? */
	{ SYS_inotify_add_watch },
	{ SYS_mlock },
	{ SYS_mlock2 },
	{ SYS_munlock },
	{ SYS_sched_getaffinity },
	/* threads, no processes; clone3 hides its flags in memory */
	{ SYS_clone, WHERE, 0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM },
	{ SYS_clone3, REFUSE, .value = ENOSYS },
	{ SYS_set_robust_list },
	{ SYS_rseq },
	{ SYS_set_tid_address },
	/* its state, the platform, /proc: Landlock and permissions say which files */
	{ SYS_openat },
	{ SYS_open },
	{ SYS_pread64 },
	{ SYS_pwrite64 },
	{ SYS_preadv },
	{ SYS_pwritev },
	{ SYS_fallocate },
	{ SYS_fsync },
	{ SYS_fdatasync },
	{ SYS_fchmod },
	{ SYS_renameat },
	{ SYS_renameat2 },
	{ SYS_unlinkat },
	{ SYS_mkdirat },
	{ SYS_readlink },
	{ SYS_readlinkat },
	{ SYS_getdents64 },
	{ SYS_access },
	{ SYS_faccessat },
	{ SYS_faccessat2 },
	{ SYS_statx, REFUSE, .value = ENOSYS },
	/* clients: their sockets come from the gate; the metrics' listener from the parent */
	{ SYS_accept4 },
	{ SYS_getsockname },
	{ SYS_getpeername },
	{ SYS_dup },
	{ SYS_dup2 },
};

static const struct rule courier_rules[] = {
	RUNTIME,
	NO_EXEC,
	/* name resolution and TLS; SIGPIPE taken back after a write */
	{ SYS_rt_sigpending },
	{ SYS_rt_sigtimedwait },
	{ SYS_socket, WHERE, 0, UINT32_MAX, AF_INET },
	{ SYS_socket, WHERE, 0, UINT32_MAX, AF_INET6 },
	{ SYS_socket, REFUSE, .value = EAFNOSUPPORT },
	{ SYS_connect },
	{ SYS_bind },
	{ SYS_getsockname },
	{ SYS_getpeername },
	{ SYS_setsockopt },
	{ SYS_sendmmsg },
	{ SYS_recvmmsg },
	{ SYS_select },
	{ SYS_pselect6 },
	{ SYS_ioctl, WHERE, 1, UINT32_MAX, 0x541b }, /* FIONREAD */
	{ SYS_ioctl, WHERE, 1, UINT32_MAX, 0x5421 }, /* FIONBIO */
	{ SYS_getuid },
	{ SYS_geteuid },
	{ SYS_getgid },
	{ SYS_getegid },
	{ SYS_uname },
	{ SYS_gettimeofday },
	{ SYS_time },
	{ SYS_getppid },
	{ SYS_set_robust_list },
	{ SYS_rseq },
	{ SYS_sched_getaffinity },
	/* what it keeps, and what it hands over */
	{ SYS_memfd_create },
	{ SYS_dup },
	{ SYS_openat },
	{ SYS_open },
	{ SYS_pread64 },
	{ SYS_pwrite64 },
	{ SYS_ftruncate },
	{ SYS_fsync },
	{ SYS_fdatasync },
	{ SYS_fchmod },
	{ SYS_flock }, /* of the store of collateral */
	{ SYS_rename },
	{ SYS_renameat },
	{ SYS_renameat2 },
	{ SYS_unlink },
	{ SYS_unlinkat },
	{ SYS_rmdir },
	{ SYS_mkdir },
	{ SYS_mkdirat },
	{ SYS_getdents64 },
	{ SYS_access },
	{ SYS_faccessat },
	{ SYS_faccessat2 },
	{ SYS_stat },
	{ SYS_lstat },
	{ SYS_readlink },
	{ SYS_readlinkat },
	{ SYS_statfs },
	{ SYS_fstatfs },
	{ SYS_statx, REFUSE, .value = ENOSYS },
};

/* Beyond what the roles have. */
static const struct rule parent_rules[] = {
	/* starting itself as a role: descriptors, users, limits, sandbox */
	{ SYS_clone, WHERE, 0, NEW_NAMESPACES, 0 },
	{ SYS_fork },
	{ SYS_execve },
	{ SYS_wait4 },
	{ SYS_kill },
	{ SYS_close_range },
	{ SYS_setgroups },
	{ SYS_setresgid },
	{ SYS_setresuid },
	{ SYS_setuid },
	{ SYS_prlimit64 },
	{ SYS_setrlimit },
	{ SYS_getrlimit },
	{ SYS_mlockall },
	{ SYS_prctl, WHERE, 0, UINT32_MAX, PR_SET_DUMPABLE },
	{ SYS_prctl, WHERE, 0, UINT32_MAX, PR_SET_PDEATHSIG },
	{ SYS_prctl, WHERE, 0, UINT32_MAX, PR_SET_NO_NEW_PRIVS },
	{ SYS_landlock_create_ruleset },
	{ SYS_landlock_add_rule },
	{ SYS_landlock_restrict_self },
	{ SYS_seccomp },
	/* its sockets, the service manager, syslog */
	{ SYS_socket, WHERE, 0, UINT32_MAX, AF_UNIX },
	{ SYS_socket, WHERE, 0, UINT32_MAX, AF_NETLINK }, /* diag_open: also the vault's, before its own table */
	{ SYS_socketpair, WHERE, 0, UINT32_MAX, AF_UNIX },
	{ SYS_listen },
	{ SYS_umask },
	{ SYS_chmod },
	{ SYS_chown },
	{ SYS_signalfd4 },
	/* the audit log */
	{ SYS_flock },
	/* into the background */
	{ SYS_pipe2 },
	{ SYS_setsid },
	{ SYS_chdir },
};

static const struct {
	const struct rule *rules;
	size_t n;
} tables[PROCS] = {
	[PROC_PARENT] = { parent_rules, ARRAY_LEN(parent_rules) },
	[PROC_LOADER] = { loader_rules, ARRAY_LEN(loader_rules) },
	[PROC_GATE] = { gate_rules, ARRAY_LEN(gate_rules) },
	[PROC_VAULT] = { vault_rules, ARRAY_LEN(vault_rules) },
	[PROC_COURIER] = { courier_rules, ARRAY_LEN(courier_rules) },
};
_Static_assert(ARRAY_LEN(parent_rules) + ARRAY_LEN(loader_rules) + ARRAY_LEN(gate_rules) +
			       ARRAY_LEN(vault_rules) + ARRAY_LEN(courier_rules) <= MAX_RULES,
	       "MAX_RULES");

/* ---- the program ---- */

#define LOAD(field)                                                                                \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offsetof(struct seccomp_data, field)))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))

/* With the call's number in the accumulator before and after. */
static size_t emit(struct sock_filter *f, const struct rule *r)
{
	uint32_t action = r->how == REFUSE ? SECCOMP_RET_ERRNO | (r->value & SECCOMP_RET_DATA)
					   : SECCOMP_RET_ALLOW;
	struct sock_filter plain[] = {
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, r->nr, 0, 1),
		RETURN(action),
	};
	/* The upper half of the argument is left alone: all of these are of type int. */
	struct sock_filter where[] = {
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, r->nr, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 (uint32_t)(offsetof(struct seccomp_data, args) + 8u * r->arg)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, r->mask),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, r->value, 0, 1),
		RETURN(SECCOMP_RET_ALLOW),
		LOAD(nr),
	};

	if (r->how == WHERE) {
		memcpy(f, where, sizeof(where));
		return ARRAY_LEN(where);
	}
	memcpy(f, plain, sizeof(plain));
	return ARRAY_LEN(plain);
}

/* What a table allows; calls that are allowed as a whole are so once (and what else is said of them is moot). */
static size_t emit_allowed(struct sock_filter *f, enum process r, enum how how, bool allowed[NUMBERS])
{
	size_t n = 0;

	for (size_t i = 0; i < tables[r].n; i++) {
		const struct rule *x = &tables[r].rules[i];

		if (x->how != how || allowed[x->nr])
			continue;
		n += emit(f + n, x);
		allowed[x->nr] = how == ALWAYS;
	}
	return n;
}

/* The parent's: all tables together, without what they refuse. */
static size_t emit_all(struct sock_filter *f)
{
	bool allowed[NUMBERS] = { false };
	size_t n = 0;

	/* The roles' first: theirs are made most often. */
	for (enum process r = PROC_LOADER; r < PROCS; r++)
		n += emit_allowed(f + n, r, ALWAYS, allowed);
	n += emit_allowed(f + n, PROC_PARENT, ALWAYS, allowed);
	for (enum process r = PROC_PARENT; r < PROCS; r++)
		n += emit_allowed(f + n, r, WHERE, allowed);
	return n;
}

static size_t emit_table(struct sock_filter *f, enum process r)
{
	size_t n = 0;

	for (size_t i = 0; i < tables[r].n; i++)
		n += emit(f + n, &tables[r].rules[i]);
	return n;
}

/* By system calls alone: the role is as good as dead. */
static void refused(int sig, siginfo_t *si, void *context)
{
	char text[80];
	int n;

	(void)sig;
	(void)context;
	n = snprintf(text, sizeof(text), "made system call %d, which its role does not have",
		     si->si_syscall);
	if (n > 0) {
		char m[96] = { CHAN_LOG, LOG_ERROR };

		memcpy(m + 2, text, (size_t)n);
		syscall(SYS_sendto, FD_PARENT, m, (size_t)n + 2, MSG_NOSIGNAL, NULL, 0);
	}
	syscall(SYS_exit_group, 72);
}

int seccomp_enter(enum process r, struct bawn_error *e)
{
	static struct sock_filter f[MAX_PROGRAM];
	struct sigaction sa = { .sa_sigaction = refused, .sa_flags = SA_SIGINFO };
	const struct sock_filter head[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1),
		RETURN(SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog p = { .filter = f };
	size_t n = ARRAY_LEN(head);

	if (r != PROC_PARENT && sigaction(SIGSYS, &sa, NULL))
		return err_sys(e, "sigaction");
	memcpy(f, head, sizeof(head));
	n += r == PROC_PARENT ? emit_all(f + n) : emit_table(f + n, r);
	f[n++] = r == PROC_PARENT ? (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | ENOSYS)
				  : (struct sock_filter)RETURN(SECCOMP_RET_TRAP);
	p.len = (unsigned short)n;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p))
		return err_sys(e, "seccomp");
	return 0;
}
