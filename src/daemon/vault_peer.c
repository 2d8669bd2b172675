/*
 * The process at the other end of a socket. The kernel keeps its number, which
 * becomes another's once it has ended and been waited for: what /proc says of
 * the number is the client's only if the process is still there afterwards.
 */
#include "daemon/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5: a descriptor that stands for the process itself */
#endif

/* The beginning of a file of /proc as a string; false if there is none. */
static bool read_proc(uint32_t pid, const char *name, char *text, size_t size)
{
	char path[40];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* The version 2 control group: the line "0::/path". */
static bool read_cgroup(uint32_t pid, char out[WIRE_CGROUP])
{
	char text[4096];
	const char *line;
	size_t n;

	if (!read_proc(pid, "cgroup", text, sizeof(text)))
		return false;
	line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	if (!line)
		return false;
	line += *line == '\n' ? 4 : 3;
	n = strcspn(line, "\n");
	if (n >= WIRE_CGROUP) /* cut off it would be another's name */
		return false;
	memcpy(out, line, n);
	out[n] = '\0';
	return true;
}

/* When a process started (proc(5), field 22), if it is this user's; 0: not, or there is none. */
static uint64_t started(uint32_t pid, uint32_t uid)
{
	char text[4096];
	unsigned u[4];
	const char *p;

	if (!read_proc(pid, "status", text, sizeof(text)))
		return 0;
	p = strstr(text, "\nUid:");
	if (!p || sscanf(p + 5, "%u %u %u %u", &u[0], &u[1], &u[2], &u[3]) != 4 ||
	    (u[0] != uid && u[1] != uid && u[2] != uid && u[3] != uid))
		return 0;
	if (!read_proc(pid, "stat", text, sizeof(text)))
		return 0;
	p = strrchr(text, ')'); /* the name may hold anything */
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p + 1, NULL, 10) : 0;
}

static bool lives(int pidfd)
{
	struct pollfd f = { .fd = pidfd, .events = POLLIN };

	return poll(&f, 1, 0) == 0;
}

bool peer_read(int fd, uint32_t pid, uint32_t uid, char cgroup[WIRE_CGROUP])
{
	int pidfd = -1;
	socklen_t n = sizeof(pidfd);
	bool told = getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &n) == 0;
	/* An older kernel cannot say more than that it is one process, and that user's. */
	uint64_t before = !told && errno == ENOPROTOOPT ? started(pid, uid) : 0;
	bool known = read_cgroup(pid, cgroup);

	if (!(told ? lives(pidfd) : before && started(pid, uid) == before))
		known = false;
	if (told)
		close(pidfd);
	if (!known)
		cgroup[0] = '\0';
	return known;
}
