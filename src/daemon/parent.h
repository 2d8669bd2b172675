/* The parent's files share this. */
#ifndef BAWN_DAEMON_PARENT_H
#define BAWN_DAEMON_PARENT_H

#include "authority/authority.h"
#include "daemon/daemon.h"

struct child {
	pid_t pid; /* 0: not running */
	int channel;
	bool ready;          /* loader: it has told of the policy */
	unsigned failures;   /* in a row */
	uint64_t started, heard, pinged, restart_at; /* clock_ns; restart_at 0: not waiting */
	uint64_t log_second;
	unsigned log_count;
};

enum stopping { STOP_NO, STOP_ASKED, STOP_GATE, STOP_REST };

struct parent {
	struct config *config;
	int config_fd;
	int listener[CONF_SOCKETS], metrics; /* metrics: -1 if none */
	bool metrics_failing;
	int signals, ready_fd;
	struct child child[PROCS];
	uint64_t restarts;
	bool announced;
	enum stopping stopping;
	uint64_t stop_deadline;
	uint64_t watchdog, watchdog_sent;

	/* what the loader made of the files */
	int policy_fd, enclaves_fd; /* sealed memory, -1 before */
	struct role_message policy; /* ROLE_POLICY that goes with policy_fd */
	bool locked;                /* the vault has locked the policy: until we end, that one stays */
	bool load_again;            /* asked for while the loader was at work */
	char policy_refused[WIRE_NOTE]; /* why its file was not even read; "" if it was */

	/* the audit log */
	int audit_dir;
	struct authority_audit *audit;
	uint64_t audit_number;      /* the vault's number of the last record */
	bool audit_owed, audit_now; /* the vault is to be told: soon, at once */
	bool audit_failing, audit_unsynced; /* lines cannot be written; not be brought to disk */
	uint64_t audit_synced, audit_told, audit_key_given;
	uint64_t audit_gather; /* until then records are left to gather in the channel */

	struct message in;
};

/* Nanoseconds until a role that failed so often in a row is started again. */
uint64_t parent_backoff(unsigned failures);
/* Take what a role says; true if there may be more. */
bool parent_drain(struct parent *p, struct child *c);

/* ---- load.c ---- */

/* Have policy and enclaves read, and given to the vault. */
void parent_load(struct parent *p);
void parent_loader_ended(struct parent *p, int status);
void parent_loaded_policy(struct parent *p, struct message *m);
void parent_loaded_enclaves(struct parent *p, struct message *m);
/* What was loaded last, to a vault that is new. */
void parent_give_loaded(struct parent *p);

/* ---- audit.c ---- */

int parent_audit_open(struct parent *p, struct bawn_error *e);
void parent_audit_close(struct parent *p);
/* A record of the vault, or its question about one that there is. */
void parent_audit(struct parent *p, const struct message *m);
/* One of our own. */
void parent_note(struct parent *p, enum wire_audit_event event, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The log's head, to the vault, if it changed. */
void parent_audit_answer(struct parent *p);
void parent_audit_idle(struct parent *p, uint64_t now);
/* All of it to the disk, and its head to the vault, now. */
void parent_audit_settle(struct parent *p);

#endif
