/*
 * Who holds a TCS or the lock of an EPC: a thread, named so that any process
 * can tell whether it is still alive.
 *
 *	bits 0-21   thread id
 *	bits 22-47  its start time, in clock ticks since boot, modulo 2^26
 *	bits 48-63  its PID and time namespaces, mixed
 *
 * A killed process cannot clean up, so whoever meets its mark asks /proc. An
 * answer is trusted only if it says "dead" without doubt: an owner of another
 * namespace, or one that /proc hides, counts as alive.
 *
 * Names are asked for in traps and under locks, where a thread must not end: so
 * by system calls alone, since open, read and close are cancellation points.
 */
#include "cpu/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define TID_BITS 22
#define START_BITS 26
#define TID_MASK ((UINT64_C(1) << TID_BITS) - 1)
#define START_MASK ((UINT64_C(1) << START_BITS) - 1)

static uint64_t owner_tid(uint64_t owner)
{
	return owner & TID_MASK;
}
static uint64_t owner_start(uint64_t owner)
{
	return owner >> TID_BITS & START_MASK;
}
static uint64_t owner_space(uint64_t owner)
{
	return owner >> (TID_BITS + START_BITS);
}

/* The number after the first '[' of "pid:[4026531836]"; 0 if there is none. */
static uint64_t namespace_id(const char *link)
{
	char text[64];
	long n = cpu_syscall(SYS_readlink, (uintptr_t)link, (uintptr_t)text, sizeof(text) - 1, 0);
	const char *p;
	uint64_t id = 0;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strchr(text, '[');
	for (p = p ? p + 1 : ""; *p >= '0' && *p <= '9'; p++)
		id = id * 10 + (uint64_t)(*p - '0');
	return id;
}

struct task {
	char state;
	uint64_t threads, start;
};

/* The number after the next space. */
static const char *next_number(const char *p, uint64_t *v)
{
	p = p ? strchr(p, ' ') : NULL;
	*v = 0;
	if (p)
		for (p++; *p >= '0' && *p <= '9'; p++)
			*v = *v * 10 + (uint64_t)(*p - '0');
	return p;
}

/* What the "stat" file of a task says; false if it cannot be read. */
static bool task_stat(const char *path, struct task *t)
{
	char text[1024];
	const char *p;
	long n, fd = cpu_syscall(SYS_openat, (uint64_t)AT_FDCWD, (uintptr_t)path,
				 O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return false;
	n = cpu_syscall(SYS_read, (uint64_t)fd, (uintptr_t)text, sizeof(text) - 1, 0);
	cpu_syscall(SYS_close, (uint64_t)fd, 0, 0, 0);
	if (n <= 0)
		return false;
	text[n] = '\0';
	/* The name, in parentheses, may itself contain any character. */
	p = strrchr(text, ')');
	if (!p || p[1] != ' ')
		return false;
	t->state = p[2];
	/* The state is field 3, the number of threads 20, the start time 22 (proc(5)). */
	p += 2;
	for (int field = 4; p && field <= 22; field++) {
		uint64_t v;

		p = next_number(p, &v);
		if (field == 20)
			t->threads = v;
		if (field == 22)
			t->start = v;
	}
	return p != NULL;
}

/* Kept per thread; a forked child has another thread id and asks anew. */
static _Thread_local struct {
	long tid;
	uint64_t owner;
} self __attribute__((tls_model("initial-exec")));

/* The name of the thread whose "stat" this is. */
static uint64_t owner_of(uint64_t tid, const char *stat)
{
	uint64_t space = namespace_id("/proc/self/ns/pid") + namespace_id("/proc/self/ns/time");
	struct task t = { 0 };

	if (!task_stat(stat, &t))
		t.start = 0;
	return (tid & TID_MASK) | (t.start & START_MASK) << TID_BITS | space << (TID_BITS + START_BITS);
}

uint64_t cpu_owner_self(void)
{
	long tid = cpu_syscall(SYS_gettid, 0, 0, 0, 0);

	if (self.tid != tid) {
		self.owner = owner_of((uint64_t)tid, "/proc/thread-self/stat");
		self.tid = tid;
	}
	return self.owner;
}

uint64_t cpu_owner_process(void)
{
	return owner_of((uint64_t)cpu_syscall(SYS_getpid, 0, 0, 0, 0), "/proc/self/stat");
}

/* whole: of a process any thread will do, not only the one that gave the process its number. */
static bool is_alive(uint64_t owner, bool whole)
{
	struct task t = { 0 };
	char path[40];

	if (owner_space(owner) != owner_space(cpu_owner_self()))
		return true;
	if (cpu_syscall(SYS_kill, owner_tid(owner), 0, 0, 0) == -ESRCH)
		return false;
	snprintf(path, sizeof(path), "/proc/%u/stat", (unsigned)owner_tid(owner));
	if (!task_stat(path, &t))
		return true;
	if ((t.state == 'Z' || t.state == 'X') && !(whole && t.threads > 1))
		return false;
	return owner_start(owner) == 0 || owner_start(owner) == (t.start & START_MASK);
}

bool cpu_owner_alive(uint64_t owner)
{
	return is_alive(owner, false);
}

bool cpu_owner_process_alive(uint64_t owner)
{
	return is_alive(owner, true);
}
