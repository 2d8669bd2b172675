/* What the loader reads, as the parent handles it: opened for it, kept, given to the vault. */
#include "daemon/parent.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* "/dev/null" stands for what is not there: the loader tells it from a file. */
static int open_or_null(const char *path, struct bawn_error *e)
{
	int fd = *path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : -1;

	if (fd < 0)
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "/dev/null") : fd;
}

/* A policy that others can write is theirs, and as good as none. */
static int open_policy(struct parent *p, struct bawn_error *e)
{
	struct bawn_error why = { 0 };
	const bool good = place_check(p->config->policy, NULL, &why) == 0;

	text_printf(p->policy_refused, sizeof(p->policy_refused), "%s", why.msg);
	return open_or_null(good ? p->config->policy : "", e);
}

static int start_loader(struct parent *p, struct bawn_error *e)
{
	int fds[3 + CONF_ENCLAVES + CONF_LISTS], pair[2];
	struct child *c = &p->child[PROC_LOADER];
	size_t n = 0;
	int rc = channel_pair(pair, e);

	if (rc)
		return rc;
	fds[n++] = pair[1];
	fds[n++] = p->config_fd;
	fds[n++] = open_policy(p, e);
	for (int i = 0; i < CONF_ENCLAVES; i++)
		fds[n++] = open_or_null(p->config->enclave[i], e);
	for (int i = 0; i < CONF_LISTS; i++)
		fds[n++] = open_or_null(p->config->white_list[i], e);
	for (size_t i = 2; i < n && rc == 0; i++)
		rc = fds[i] < 0 ? fds[i] : 0;
	if (rc == 0)
		rc = process_spawn(p->config, PROC_LOADER, fds, n, &c->pid, e);
	for (size_t i = 2; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	close(pair[1]);
	if (rc) {
		close(pair[0]);
		return rc;
	}
	c->channel = pair[0];
	fcntl(c->channel, F_SETFL, O_NONBLOCK);
	c->started = c->heard = clock_ns();
	c->ready = false;
	return 0;
}

static void give_policy(struct parent *p)
{
	struct child *v = &p->child[PROC_VAULT];
	struct bawn_error e = { 0 };

	if (v->pid <= 0 || !p->policy.head.type)
		return;
	if (channel_send_role(v->channel, &p->policy, &p->policy_fd, p->policy_fd >= 0 ? 1 : 0, &e))
		log_msg(LOG_ERROR, "giving the policy to the vault: %s", e.msg);
}

static void give_enclaves(struct parent *p)
{
	struct child *v = &p->child[PROC_VAULT];
	struct bawn_error e = { 0 };

	if (v->pid > 0 && p->enclaves_fd >= 0 &&
	    channel_send(v->channel, CHAN_LOADED, NULL, 0, &p->enclaves_fd, 1, &e))
		log_msg(LOG_ERROR, "giving enclaves to the vault: %s", e.msg);
}

/*
 * Nothing, or not everything, was read. The vault answers that, as long as it
 * has no policy, and tells it in its status else; it is tried again by and by.
 */
static void failed(struct parent *p, const char *why)
{
	struct role_message kept = p->policy;
	struct child *c = &p->child[PROC_LOADER];
	struct role_policy *r = &p->policy.u.policy;
	int kept_fd = p->policy_fd;

	log_msg(LOG_ERROR, "reading policy and enclaves failed, and is tried again: %s%s", why,
		kept_fd >= 0 ? "; what was in force stays so" : "");
	if (!c->failures++)
		parent_note(p, WIRE_AUDIT_FAULT, "reading policy and enclaves failed: %s", why);
	c->restart_at = clock_ns() + parent_backoff(c->failures);
	p->policy = (struct role_message){ .head.type = ROLE_POLICY };
	r->code = WIRE_UNAVAILABLE;
	text_printf(r->path, sizeof(r->path), "%s", p->config->policy);
	text_printf(r->problem, sizeof(r->problem), "%s; it is tried again", why);
	p->policy_fd = -1;
	give_policy(p);
	if (kept_fd >= 0) {
		p->policy = kept;
		p->policy_fd = kept_fd;
	}
}

void parent_load(struct parent *p)
{
	struct child *c = &p->child[PROC_LOADER];
	struct bawn_error e = { 0 };

	if (p->stopping)
		return;
	if (c->pid > 0) {
		p->load_again = true;
		return;
	}
	p->load_again = false;
	c->restart_at = 0;
	if (start_loader(p, &e))
		failed(p, e.msg);
}

void parent_loader_ended(struct parent *p, int status)
{
	struct child *c = &p->child[PROC_LOADER];
	char why[64];

	parent_drain(p, c);
	close(c->channel);
	c->channel = -1;
	c->pid = 0;
	if (p->stopping)
		return; /* we ended it ourselves */
	if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "the loader was killed by signal %d", WTERMSIG(status));
	else
		snprintf(why, sizeof(why), "the loader ended with code %d", WEXITSTATUS(status));
	if (status || !c->ready)
		failed(p, why);
	else
		c->failures = 0;
	if (p->announced)
		notify_send("READY=1");
	if (p->load_again)
		parent_load(p);
}

void parent_give_loaded(struct parent *p)
{
	give_policy(p);
	give_enclaves(p);
}

void parent_loaded_policy(struct parent *p, struct message *m)
{
	struct bawn_error e = { 0 };
	struct role_message r;
	int fd = message_fd(m);
	uint64_t size;

	if (role_decode(m->body, m->n, &r, &e) || r.head.type != ROLE_POLICY ||
	    (r.u.policy.code == WIRE_OK) != (fd >= 0) ||
	    (fd >= 0 && sealed_check(fd, AUTHORITY_POLICY_MAX, &size, &e))) {
		log_msg(LOG_ERROR, "the loader's answer cannot be read: %s", e.msg);
		if (fd >= 0)
			close(fd);
		return;
	}
	p->child[PROC_LOADER].ready = true;
	if (p->locked) {
		log_msg(LOG_WARN, "the policy is locked until bawnd restarts; the file is not looked at");
		if (fd >= 0)
			close(fd);
		return;
	}
	if (fd < 0) {
		if (p->policy_refused[0])
			memcpy(r.u.policy.problem, p->policy_refused, sizeof(r.u.policy.problem));
		/* A vault that has a policy keeps it, and learns of the failure. */
		struct role_message kept = p->policy;
		int kept_fd = p->policy_fd;

		log_msg(LOG_ERROR, "%s%s", r.u.policy.problem,
			kept_fd >= 0 ? "; the policy in force stays" : "; everything is refused");
		parent_note(p, WIRE_AUDIT_POLICY, "refused: %s", r.u.policy.problem);
		p->policy = r;
		p->policy_fd = -1;
		give_policy(p);
		if (kept_fd >= 0) {
			p->policy = kept;
			p->policy_fd = kept_fd;
		}
		return;
	}
	if (p->policy_fd >= 0)
		close(p->policy_fd);
	p->policy = r;
	p->policy_fd = fd;
	give_policy(p);
}

void parent_loaded_enclaves(struct parent *p, struct message *m)
{
	struct bawn_error e = { 0 };
	int fd = message_fd(m);
	uint64_t size;

	if (fd < 0)
		return;
	/* What is no such thing does not take the place of what is. */
	if (sealed_check(fd, LOADED_MAX, &size, &e)) {
		log_msg(LOG_ERROR, "the enclaves as loaded: %s", e.msg);
		close(fd);
		return;
	}
	if (p->enclaves_fd >= 0)
		close(p->enclaves_fd);
	p->enclaves_fd = fd;
	give_enclaves(p);
}
