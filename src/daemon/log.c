/* Logging: roles tell the parent, the parent tells standard error or syslog. */
#include "daemon/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* syslog.h has names of its own for what base.h calls LOG_WARN and the like. */
void syslog(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));
void openlog(const char *ident, int option, int facility);
#define SYSLOG_DAEMON (3 << 3)
#define SYSLOG_PID 1

static enum log_level wanted = LOG_INFO;
static bool to_syslog, priorities;

static int priority_of(enum log_level level)
{
	static const int numbers[] = { 3, 4, 6, 7 }; /* syslog(3): err, warning, info, debug */

	return level <= LOG_DEBUG ? numbers[level] : 7;
}

void daemon_log_write(enum process r, enum log_level level, const char *text)
{
	char prefix[8] = "";

	if (level > wanted)
		return;
	if (to_syslog) {
		syslog(priority_of(level), "%s: %s", process_name(r), text);
		return;
	}
	if (priorities) /* sd-daemon(3) */
		snprintf(prefix, sizeof(prefix), "<%d>", priority_of(level));
	fprintf(stderr, "%sbawnd: %s%s%s\n", prefix, r == PROC_PARENT ? "" : process_name(r),
		r == PROC_PARENT ? "" : ": ", text);
}

static void from_parent(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	daemon_log_write(PROC_PARENT, level, text);
}

void daemon_log_open(const struct config *c, bool background)
{
	wanted = c->log;
	to_syslog = background;
	priorities = getenv("JOURNAL_STREAM") != NULL;
	if (background)
		openlog("bawnd", SYSLOG_PID, SYSLOG_DAEMON);
	setvbuf(stderr, NULL, _IOLBF, 0);
	log_to(from_parent, NULL);
}

/* Never waits: a parent that is slow to read loses messages, not the service. */
static void to_parent(void *arg, enum log_level level, const char *text)
{
	char m[514] = { CHAN_LOG, (char)level };
	size_t n = strnlen(text, sizeof(m) - 2);

	(void)arg;
	if (level > wanted)
		return;
	memcpy(m + 2, text, n);
	send(FD_PARENT, m, n + 2, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void process_log_open(const struct config *c)
{
	wanted = c->log;
	log_to(to_parent, NULL);
}
