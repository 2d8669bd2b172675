/*
 * The parent: starts the roles, and again what of them dies; writes the audit
 * log; passes nothing on that it would have to understand.
 */
#include "daemon/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define MS UINT64_C(1000000)
#define BACKOFF_FIRST (20 * MS)
#define BACKOFF_MAX (10 * SECOND)
#define BACKOFF_SERVED (320 * MS) /* at most, for what has served: it is back within a second, however often it dies */
#define STEADY (5 * SECOND) /* a role that ran for so long starts its back-off anew */
#define PING_EVERY (5 * SECOND)
#define PING_LATE (20 * SECOND) /* then it is taken for stuck */
#define LOAD_LATE (30 * SECOND) /* the same of the loader, which has nothing to answer but to end */
#define LOG_BURST 200           /* messages of a role in a second */

/* ---- children ---- */

static struct child *child_of(struct parent *p, pid_t pid)
{
	for (int i = 0; i < PROCS; i++)
		if (p->child[i].pid == pid)
			return &p->child[i];
	return NULL;
}

static bool anybody(const struct parent *p, enum process r)
{
	return p->child[r].pid > 0;
}

static enum process which(const struct parent *p, const struct child *c)
{
	return (enum process)(c - p->child);
}

/* Tell `to` of a new `peer`, by its end of a channel between them. */
static void introduce(struct parent *p, enum process to, enum process peer, int fd)
{
	uint8_t who = (uint8_t)peer;
	struct bawn_error e = { 0 };

	if (p->child[to].pid > 0 && channel_send(p->child[to].channel, CHAN_PEER, &who, 1, &fd, 1, &e))
		log_msg(LOG_WARN, "telling the %s of a new %s: %s", process_name(to),
			process_name(peer), e.msg);
}

static int open_state(const struct parent *p, const char *name, struct bawn_error *e)
{
	char path[CONF_PATH + 16];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", p->config->state, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "%s", path) : fd;
}

static void close_fds(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* The descriptors of a role beyond channel and configuration; those in `own` are closed afterwards. */
static int role_fds(struct parent *p, enum process r, int *fds, size_t *n, int *own, size_t *nown,
		    struct bawn_error *e)
{
	static const char *const dir[PROCS] = { [PROC_VAULT] = "vault", [PROC_COURIER] = "courier" };
	int pair[2], rc;

	/* A channel to the vault, or from the vault to each of the two. */
	for (enum process q = PROC_GATE; q <= PROC_COURIER; q++) {
		if (r == PROC_VAULT ? q == PROC_VAULT : q != PROC_VAULT)
			continue;
		rc = channel_pair(pair, e);
		if (rc)
			return rc;
		introduce(p, q, r, pair[1]);
		close(pair[1]);
		fds[(*n)++] = own[(*nown)++] = pair[0];
	}
	if (r == PROC_GATE)
		for (uint32_t i = 0; i < p->config->nsockets; i++)
			fds[(*n)++] = p->listener[i];
	if (dir[r]) {
		int fd = open_state(p, dir[r], e);

		if (fd < 0)
			return fd;
		fds[(*n)++] = own[(*nown)++] = fd;
	}
	if (r == PROC_VAULT && p->metrics >= 0)
		fds[(*n)++] = p->metrics;
	return 0;
}

static int start(struct parent *p, enum process r, struct bawn_error *e)
{
	int fds[8 + CONF_SOCKETS], own[8], pair[2];
	struct child *c = &p->child[r];
	size_t n = 0, nown = 0;
	int rc = channel_pair(pair, e);

	if (rc)
		return rc;
	fds[n++] = own[nown++] = pair[1];
	fds[n++] = p->config_fd;
	rc = role_fds(p, r, fds, &n, own, &nown, e);
	if (rc == 0)
		rc = process_spawn(p->config, r, fds, n, &c->pid, e);
	close_fds(own, nown);
	if (rc) {
		close(pair[0]);
		c->pid = 0;
		return rc;
	}
	c->channel = pair[0];
	fcntl(c->channel, F_SETFL, O_NONBLOCK);
	c->started = c->heard = clock_ns();
	c->ready = false;
	c->restart_at = 0;
	if (r != PROC_VAULT)
		return 0;
	if (p->locked)
		channel_send(c->channel, CHAN_LOCK, NULL, 0, NULL, 0, NULL);
	/* How the log is before the policy, without which it answers nothing. */
	p->audit_owed = p->audit_now = true;
	parent_audit_answer(p);
	parent_give_loaded(p);
	return 0;
}

static void start_or_later(struct parent *p, enum process r)
{
	struct bawn_error e = { 0 };

	if (start(p, r, &e) == 0)
		return;
	log_msg(LOG_ERROR, "cannot start the %s: %s", process_name(r), e.msg);
	p->child[r].restart_at = clock_ns() + SECOND;
}

uint64_t parent_backoff(unsigned failures)
{
	return failures > 10 ? BACKOFF_MAX : BACKOFF_FIRST << (failures - 1);
}

/* It ended. The first restart is at once; each one that soon follows waits longer. */
static void ended(struct parent *p, struct child *c, int status)
{
	uint64_t now = clock_ns(), wait;
	char how[64];

	/* What it had to say last, and may have acted on, is still in the channel: all of it. */
	while (parent_drain(p, c))
		;
	close(c->channel);
	c->channel = -1;
	c->pid = 0;
	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "was killed by signal %d", WTERMSIG(status));
	else
		snprintf(how, sizeof(how), "ended with code %d", WEXITSTATUS(status));
	if (p->stopping) {
		log_msg(LOG_DEBUG, "the %s %s", process_name(which(p, c)), how);
		return;
	}
	if (now - c->started > STEADY)
		c->failures = 0;
	c->failures++;
	p->restarts++;
	wait = parent_backoff(c->failures);
	if (c->ready && wait > BACKOFF_SERVED)
		wait = BACKOFF_SERVED;
	c->restart_at = now + wait;
	log_msg(LOG_ERROR, "the %s %s; it is started again", process_name(which(p, c)), how);
	parent_note(p, WIRE_AUDIT_FAULT, "the %s %s", process_name(which(p, c)), how);
	p->audit_now = true; /* restarts are told with the log's head */
}

static void reap(struct parent *p)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *c = child_of(p, pid);

		if (!c)
			continue;
		if (which(p, c) == PROC_LOADER)
			parent_loader_ended(p, status);
		else
			ended(p, c, status);
	}
}

/* ---- messages ---- */

static void take_log(struct parent *p, struct child *c, const struct message *m)
{
	uint64_t second = clock_ns() / SECOND;
	char text[512];

	if (m->n < 1)
		return;
	/* A role that talks too much is not listened to: the log is not its to fill. */
	if (c->log_second != second) {
		c->log_second = second;
		c->log_count = 0;
	}
	if (++c->log_count > LOG_BURST)
		return;
	snprintf(text, sizeof(text), "%.*s", (int)(m->n - 1), (const char *)m->body + 1);
	for (char *s = text; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
	daemon_log_write(which(p, c), (enum log_level)(m->body[0] <= LOG_DEBUG ? m->body[0] : LOG_DEBUG),
			 text);
}

static void all_ready(struct parent *p)
{
	for (enum process r = PROC_GATE; r <= PROC_COURIER; r++)
		if (!p->child[r].ready)
			return;
	if (p->announced)
		return;
	p->announced = true;
	notify_send("READY=1\nSTATUS=Serving.");
	log_msg(LOG_INFO, "serving %u sockets%s", p->config->nsockets,
		p->config->emulated ? " on an EMULATED platform, which protects nothing" : "");
	if (p->ready_fd >= 0) {
		/* Who started us in the background waits for this. */
		if (write(p->ready_fd, "", 1) != 1)
			log_msg(LOG_DEBUG, "nobody waits for us");
		close(p->ready_fd);
		p->ready_fd = -1;
	}
}

/* Said once, not every time: a full disk is no news after that. */
static void write_metrics(struct parent *p, const struct message *m)
{
	struct bawn_error e = { 0 };
	bool failed;

	if (!p->config->metrics_file[0])
		return;
	failed = io_write_file(p->config->metrics_file, m->body, m->n, 0644, &e) != 0;
	if (failed && !p->metrics_failing)
		log_msg(LOG_ERROR, "metrics: %s", e.msg);
	p->metrics_failing = failed;
}

static void take(struct parent *p, struct child *c, struct message *m)
{
	enum process r = which(p, c);

	c->heard = clock_ns();
	switch (m->kind) {
	case CHAN_LOG:
		take_log(p, c, m);
		break;
	case CHAN_READY:
		c->ready = true;
		all_ready(p);
		break;
	case CHAN_ROLE:
		if (r == PROC_VAULT)
			parent_audit(p, m);
		else if (r == PROC_LOADER)
			parent_loaded_policy(p, m);
		break;
	case CHAN_LOADED:
		if (r == PROC_LOADER)
			parent_loaded_enclaves(p, m);
		break;
	case CHAN_RELOAD:
		if (r == PROC_VAULT)
			parent_load(p);
		break;
	case CHAN_LOCK:
		if (r == PROC_VAULT)
			p->locked = true;
		break;
	case CHAN_METRICS:
		if (r == PROC_VAULT)
			write_metrics(p, m);
		break;
	case CHAN_PONG:
		break;
	default:
		log_msg(LOG_WARN, "the %s says what is not its to say (%u)", process_name(r), m->kind);
	}
	message_close(m);
}

bool parent_drain(struct parent *p, struct child *c)
{
	/* So many in one go that nobody else waits for long. */
	for (int i = 0; i < 256; i++) {
		if (c->channel < 0 || channel_recv(c->channel, &p->in, NULL))
			return false;
		take(p, c, &p->in);
	}
	return true;
}

/* ---- time ---- */

static void keep_alive(struct parent *p, uint64_t now)
{
	bool fine = true;

	for (enum process r = PROC_GATE; r <= PROC_COURIER; r++) {
		struct child *c = &p->child[r];

		if (c->restart_at && now >= c->restart_at && !p->stopping)
			start_or_later(p, r);
		if (c->pid > 0 && c->pinged + PING_EVERY < now) {
			c->pinged = now;
			channel_send(c->channel, CHAN_PING, NULL, 0, NULL, 0, NULL);
		}
		if (c->pid > 0 && c->pinged && c->heard + PING_LATE < now && r != PROC_COURIER) {
			log_msg(LOG_ERROR, "the %s does not answer: it is killed", process_name(r));
			kill(c->pid, SIGKILL);
			c->heard = now;
		}
		/* The courier may be waiting for a server. */
		fine = fine && c->pid > 0 && (r == PROC_COURIER || c->heard + PING_LATE > now);
	}
	if (anybody(p, PROC_LOADER) && p->child[PROC_LOADER].started + LOAD_LATE < now) {
		log_msg(LOG_ERROR, "the loader does not end: it is killed");
		kill(p->child[PROC_LOADER].pid, SIGKILL);
		p->child[PROC_LOADER].started = now;
	}
	if (p->child[PROC_LOADER].restart_at && now >= p->child[PROC_LOADER].restart_at && !p->stopping)
		parent_load(p);
	if (p->watchdog && fine && now - p->watchdog_sent >= p->watchdog) {
		notify_send("WATCHDOG=1");
		p->watchdog_sent = now;
	}
	parent_audit_idle(p, now);
}

static int wait_ms(const struct parent *p, uint64_t now)
{
	uint64_t until = now + SECOND;

	if (p->audit_gather > now)
		until = p->audit_gather;
	if (p->watchdog && p->watchdog_sent + p->watchdog < until)
		until = p->watchdog_sent + p->watchdog;
	for (enum process r = PROC_LOADER; r <= PROC_COURIER && !p->stopping; r++)
		if (p->child[r].restart_at && p->child[r].restart_at < until)
			until = p->child[r].restart_at;
	return until <= now ? 0 : (int)((until - now) / MS) + 1;
}

/* ---- stopping ---- */

static void tell_stop(struct parent *p, enum process r)
{
	if (anybody(p, r))
		channel_send(p->child[r].channel, CHAN_STOP, NULL, 0, NULL, 0, NULL);
}

/* First the gate, so that nothing new comes; when it is gone, those who serve it. */
static void stop_step(struct parent *p, uint64_t now)
{
	if (p->stopping == STOP_ASKED) {
		notify_send("STOPPING=1");
		p->stop_deadline = now + (p->config->request_seconds + 5) * SECOND;
		tell_stop(p, PROC_GATE);
		if (anybody(p, PROC_LOADER))
			kill(p->child[PROC_LOADER].pid, SIGKILL);
		p->stopping = STOP_GATE;
	}
	if (p->stopping == STOP_GATE && !anybody(p, PROC_GATE)) {
		/* What it has said so far is to be on disk, and known to it as the end; not for ever, if it goes on talking. */
		for (int i = 0; i < 16 && parent_drain(p, &p->child[PROC_VAULT]); i++)
			;
		parent_audit_settle(p);
		tell_stop(p, PROC_VAULT);
		tell_stop(p, PROC_COURIER);
		p->stopping = STOP_REST;
	}
	/* The courier may be waiting for a server: nobody is there whom it could tell what that says. */
	if (p->stopping == STOP_REST && !anybody(p, PROC_VAULT) && p->stop_deadline > now + SECOND)
		p->stop_deadline = now + SECOND;
	if (now >= p->stop_deadline)
		for (enum process r = 0; r < PROCS; r++)
			if (anybody(p, r))
				kill(p->child[r].pid, SIGKILL);
}

static bool all_gone(const struct parent *p)
{
	for (enum process r = 0; r < PROCS; r++)
		if (anybody(p, r))
			return false;
	return true;
}

static void take_signals(struct parent *p)
{
	struct signalfd_siginfo si;

	while (read(p->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGCHLD:
			reap(p);
			break;
		case SIGHUP:
			log_msg(LOG_INFO, "reading policy and enclaves again");
			notify_send("RELOADING=1");
			parent_load(p);
			break;
		default: /* SIGTERM, SIGINT */
			if (!p->stopping)
				p->stopping = STOP_ASKED;
			stop_step(p, clock_ns());
		}
	}
}

static void loop(struct parent *p)
{
	while (!(p->stopping && all_gone(p))) {
		struct pollfd f[1 + PROCS] = { { .fd = p->signals, .events = POLLIN } };
		uint64_t now = clock_ns();

		for (int i = 0; i < PROCS; i++)
			f[1 + i] = (struct pollfd){ .fd = p->child[i].pid > 0 ? p->child[i].channel : -1,
						    .events = POLLIN };
		if (p->audit_gather > now)
			f[1 + PROC_VAULT].fd = -1;
		if (poll(f, ARRAY_LEN(f), wait_ms(p, now)) < 0 && errno != EINTR)
			return;
		for (int i = 0; i < PROCS; i++)
			if (f[1 + i].revents & POLLIN)
				parent_drain(p, &p->child[i]);
			else if (f[1 + i].revents && p->child[i].pid > 0)
				kill(p->child[i].pid, SIGKILL); /* without a channel it is of no use */
		if (f[0].revents)
			take_signals(p);
		now = clock_ns();
		parent_audit_answer(p);
		keep_alive(p, now);
		if (p->stopping)
			stop_step(p, now);
	}
}

/* ---- beginning and end ---- */

/* A directory for a role, with its owner if we are root; what is there already is left as it is. */
static int make_dir(const char *path, mode_t mode, const struct conf_user *u, struct bawn_error *e)
{
	if (mkdir(path, mode)) {
		if (errno == EEXIST)
			return 0;
		return err_sys(e, "cannot make %s", path);
	}
	if (u && u->set && chown(path, u->uid, u->gid))
		return err_sys(e, "cannot give %s its owner", path);
	return chmod(path, mode) ? err_sys(e, "%s", path) : 0;
}

static int make_parents(const char *path, struct bawn_error *e)
{
	char part[CONF_PATH + 16];

	for (const char *s = strchr(path + 1, '/'); s; s = strchr(s + 1, '/')) {
		int r;

		snprintf(part, sizeof(part), "%.*s", (int)(s - path), path);
		r = make_dir(part, 0755, NULL, e);
		if (r)
			return r;
	}
	return 0;
}

static int make_dirs(const struct config *c, struct bawn_error *e)
{
	const struct conf_user *vault = c->separate ? &c->user[PROC_VAULT] : NULL;
	const struct conf_user *courier = c->separate ? &c->user[PROC_COURIER] : NULL;
	char path[CONF_PATH + 16];
	int r = make_parents(c->state, e);

	if (r == 0)
		r = make_dir(c->state, 0755, NULL, e);
	snprintf(path, sizeof(path), "%s/vault", c->state);
	if (r == 0)
		r = make_dir(path, 0700, vault, e);
	snprintf(path, sizeof(path), "%s/courier", c->state);
	if (r == 0)
		r = make_dir(path, 0700, courier, e);
	if (r == 0)
		r = make_parents(c->audit, e);
	return r ? r : make_dir(c->audit, 0700, NULL, e);
}

static int open_signals(struct parent *p, struct bawn_error *e)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGCHLD);
	sigaddset(&s, SIGHUP);
	sigaddset(&s, SIGTERM);
	sigaddset(&s, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &s, NULL))
		return err_sys(e, "sigprocmask");
	p->signals = signalfd(-1, &s, SFD_CLOEXEC | SFD_NONBLOCK);
	return p->signals < 0 ? err_sys(e, "signalfd") : 0;
}

/* Leave the terminal; the process that was started waits until we serve, and ends with our verdict. */
static int to_background(struct parent *p, struct bawn_error *e)
{
	int pipe_fd[2], null;
	char byte;
	pid_t pid;

	if (pipe2(pipe_fd, O_CLOEXEC))
		return err_sys(e, "pipe");
	pid = fork();
	if (pid < 0)
		return err_sys(e, "fork");
	if (pid > 0) {
		close(pipe_fd[1]);
		_exit(read(pipe_fd[0], &byte, 1) == 1 ? 0 : 1);
	}
	close(pipe_fd[0]);
	p->ready_fd = fcntl(pipe_fd[1], F_DUPFD_CLOEXEC, 64);
	close(pipe_fd[1]);
	setsid();
	if (chdir("/"))
		return err_sys(e, "chdir");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return err_sys(e, "/dev/null");
	for (int fd = 0; fd < 2; fd++)
		dup2(null, fd);
	close(null);
	return 0;
}

static int set_up(struct parent *p, bool foreground, struct bawn_error *e)
{
	int r = foreground ? 0 : to_background(p, e);

	if (r == 0)
		r = open_signals(p, e);
	if (r == 0)
		r = make_dirs(p->config, e);
	if (r == 0)
		r = parent_audit_open(p, e);
	if (r == 0)
		r = listen_all(p->config, p->listener, e);
	if (r == 0 && p->config->metrics[0])
		r = listen_path(p->config->metrics, SOCK_STREAM, 0660, -1, &p->metrics, e);
	if (r == 0)
		r = sealed_new("bawnd-config", p->config, sizeof(*p->config), &p->config_fd, e);
	return r;
}

int parent_main(struct config *c, bool foreground)
{
	static struct parent p = { .metrics = -1, .config_fd = -1, .policy_fd = -1, .enclaves_fd = -1,
				   .ready_fd = -1, .audit_dir = -1 };
	struct bawn_error e = { 0 };

	p.config = c;
	for (int i = 0; i < PROCS; i++)
		p.child[i].channel = -1;
	daemon_log_open(c, false);
	if (prctl(PR_SET_DUMPABLE, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err_sys(&e, "prctl");
	if (e.code || seccomp_enter(PROC_PARENT, &e) || set_up(&p, foreground, &e)) {
		log_msg(LOG_ERROR, "%s", e.msg);
		return 1;
	}
	if (!foreground) {
		/* From here on the log is syslog's; nobody's terminal is held. */
		daemon_log_open(c, true);
		dup2(STDIN_FILENO, STDERR_FILENO);
	}
	p.watchdog = notify_watchdog();
	parent_note(&p, WIRE_AUDIT_START, "bawnd %s, device %s", bawn_version(), c->device);
	start_or_later(&p, PROC_VAULT);
	start_or_later(&p, PROC_GATE);
	parent_load(&p);
	start_or_later(&p, PROC_COURIER);
	loop(&p);
	parent_note(&p, WIRE_AUDIT_STOP, "stopped as asked");
	parent_audit_close(&p);
	listen_remove(c);
	if (p.metrics >= 0)
		unlink(c->metrics);
	/* Of a service that is gone there are no numbers. */
	if (c->metrics_file[0])
		unlink(c->metrics_file);
	log_msg(LOG_INFO, "stopped");
	return 0;
}
