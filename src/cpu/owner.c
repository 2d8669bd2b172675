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
 */
#include "cpu/state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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
	ssize_t n = readlink(link, text, sizeof(text) - 1);
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

/* Start time and state of a task from its "stat" file; false if it cannot be read. */
static bool task_stat(const char *path, uint64_t *start, char *state)
{
	char text[1024];
	const char *p;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	/* The name, in parentheses, may itself contain any character. */
	p = strrchr(text, ')');
	if (!p || p[1] != ' ')
		return false;
	*state = p[2];
	/* The state is field 3, the start time field 22 (proc(5)). */
	for (int field = 2; field < 22; field++) {
		p = strchr(p + 1, ' ');
		if (!p)
			return false;
	}
	*start = 0;
	for (p++; *p >= '0' && *p <= '9'; p++)
		*start = *start * 10 + (uint64_t)(*p - '0');
	return true;
}

/* Kept per thread; a forked child has another thread id and asks anew. */
static _Thread_local struct {
	long tid;
	uint64_t owner;
} self __attribute__((tls_model("initial-exec")));

uint64_t cpu_owner_self(void)
{
	long tid = syscall(SYS_gettid);
	uint64_t start = 0, space;
	char state;

	if (self.tid == tid)
		return self.owner;
	if (!task_stat("/proc/thread-self/stat", &start, &state))
		start = 0;
	space = namespace_id("/proc/self/ns/pid") + namespace_id("/proc/self/ns/time");
	self.owner = ((uint64_t)tid & TID_MASK) | (start & START_MASK) << TID_BITS |
		     space << (TID_BITS + START_BITS);
	self.tid = tid;
	return self.owner;
}

bool cpu_owner_alive(uint64_t owner)
{
	char path[40], state;
	uint64_t start;

	if (owner_space(owner) != owner_space(cpu_owner_self()))
		return true;
	if (kill((pid_t)owner_tid(owner), 0) != 0 && errno == ESRCH)
		return false;
	snprintf(path, sizeof(path), "/proc/%u/stat", (unsigned)owner_tid(owner));
	if (!task_stat(path, &start, &state))
		return true;
	if (state == 'Z' || state == 'X')
		return false;
	return owner_start(owner) == 0 || owner_start(owner) == (start & START_MASK);
}
