/* What systemd is told: the datagrams of sd_notify(3), without its library. */
#include "daemon/daemon.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void notify_send(const char *text)
{
	const char *to = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n = to ? strlen(to) : 0;
	int fd;

	/* "@name" stands for an abstract socket. */
	if (n < 2 || n >= sizeof(a.sun_path) || (*to != '/' && *to != '@'))
		return;
	memcpy(a.sun_path, to, n);
	if (*to == '@')
		a.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&a,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		log_msg(LOG_WARN, "the service manager does not take \"%.20s\"", text);
	close(fd);
}

uint64_t notify_watchdog(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	unsigned long long n;
	char *end;

	if (!usec || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	n = strtoull(usec, &end, 10);
	if (*end || n < 1000 || n > UINT64_MAX / 1000)
		return 0;
	return n * 1000 / 2; /* sd_watchdog_enabled(3) asks for half of it */
}
