/*
 * daemon: bawnd. One program, re-executed as each of its roles:
 *
 *   parent   binds sockets, starts the others and what of them dies again, writes the audit log
 *   loader   reads policy and enclave files for the vault, once, and ends
 *   gate     accepts clients, reads their requests, hands them on
 *   vault    decides and answers: devices, enclaves, keys, state
 *   courier  fetches certificates and collateral
 *
 * Roles share a parent and no memory. What one sends another is read through
 * cursors, as from a stranger; descriptors are looked at before they are used.
 */
#ifndef BAWN_DAEMON_H
#define BAWN_DAEMON_H

#include "role/role.h"

#include <sys/un.h>

enum process { PROC_PARENT, PROC_LOADER, PROC_GATE, PROC_VAULT, PROC_COURIER, PROCS };
const char *process_name(enum process r);

/* ======================= configuration (bawnd.conf(5)) ======================= */

#define CONF_PATH 256
#define CONF_NAME 32
#define CONF_SOCKETS 16
#define CONF_GROUPS 8
#define CONF_MAX (64u << 10) /* bytes of the file */

enum conf_protocol { PROTOCOL_NATIVE, PROTOCOL_AESM };

/* Whose clients of a socket are let in, of network name spaces. */
enum conf_networks { NETWORKS_BY_MODE, NETWORKS_OWN, NETWORKS_ANY };

/* What a socket is bound to, by the kernel's own numbers. */
struct bound_file {
	bool known;
	uint32_t dev, ino;
};

struct conf_socket {
	char name[CONF_NAME]; /* as the policy calls it */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	bool abstract; /* Intel's legacy name, which anybody can take first */
	enum conf_protocol protocol;
	uint32_t mode;
	int64_t gid; /* -1: as it comes */
	enum conf_networks networks; /* not BY_MODE once the configuration is loaded */
	/* of the listener, as the parent has found it: */
	struct bound_file file;
	uint64_t network; /* diag_network */
};

struct conf_user {
	bool set;
	uint32_t uid, gid;
	uint32_t groups[CONF_GROUPS];
	uint32_t ngroups;
};

enum conf_enclave { ENCLAVE_LAUNCH, ENCLAVE_PROVISION, ENCLAVE_QUOTE, ENCLAVE_LEDGER, CONF_ENCLAVES };
enum conf_list { LIST_LAUNCH, LIST_PROVISION, CONF_LISTS }; /* enum ae_list_type - 1 */
enum conf_source { SOURCE_NONE, SOURCE_DIRECTORY, SOURCE_PCS, SOURCE_PCCS };

/* Flat: handed to the roles as it is, in sealed memory. */
struct config {
	uint64_t magic;
	char device[16];
	char platform[CONF_PATH]; /* of the emulated CPU; "" else */
	bool emulated;            /* device = emulated, or any under `bawn emulate` */
	char state[CONF_PATH];    /* vault/ and courier/ are in it */
	char audit[CONF_PATH];    /* directory */
	char policy[CONF_PATH];
	char metrics[CONF_PATH];  /* a socket; "": none */
	char metrics_file[CONF_PATH]; /* written anew every metrics_seconds; "": none */
	uint32_t metrics_seconds;
	char enclave[CONF_ENCLAVES][CONF_PATH];
	char white_list[CONF_LISTS][CONF_PATH]; /* for the launch enclave; "": none */
	bool debug_enclaves;      /* load ours for debugging: for tests of them */
	struct conf_socket sockets[CONF_SOCKETS];
	uint32_t nsockets;
	struct conf_user user[PROCS]; /* as which role; unset: as the parent */
	bool separate;            /* started by root: each role has its own user */

	enum conf_source source;
	char url[CONF_PATH];      /* or the directory */
	char api_key_file[CONF_PATH], ca_file[CONF_PATH], proxy[CONF_PATH];
	char ppid_key_file[CONF_PATH];
	bool has_ppid_key;
	uint8_t ppid_key[388];    /* whom the platform's id is encrypted to */
	char root_file[CONF_PATH]; /* trust anchor of the collateral; "": Intel's, or the platform's own */
	uint32_t renew_days;      /* before a certificate ends */

	uint32_t connections, connections_per_uid;
	uint32_t request_seconds; /* for a request to come in whole, and for its answer */
	uint32_t idle_seconds;    /* until enclaves and devices are closed; 0: never */
	uint32_t workers;         /* threads of the vault; 0: as many as CPUs, at most 8 */
	uint64_t epc_per_client, epc_total; /* bytes, of the launch broker */
	uint64_t audit_bytes;     /* of one file, before it is rotated */
	uint32_t audit_files;
	bool audit_required;      /* while it cannot be written, nothing is given */
	bool ledger_wanted;       /* the ledger enclave is not the default's, which need not be there */
	enum log_level log;
};
#define CONF_MAGIC UINT64_C(0x31666e6f6377616e)

/* What holds where nothing is said; differs for root and for an ordinary user. */
int config_default(struct config *c, struct bawn_error *e);
/* On top of what c says. name is for errors, which tell the line. */
int config_parse(struct config *c, const char *text, size_t n, const char *name,
		 struct bawn_error *e);
/*
 * Defaults, then the file (NULL: the usual one, if it is there), then what must
 * hold together. BAWN_ERR_DENIED: others could write that file.
 */
int config_load(struct config *c, const char *path, struct bawn_error *e);

/*
 * Can anybody change what is at this path, or put something else there, but
 * root, we ourselves and (what is at its end alone) the user `also`, if not
 * NULL? BAWN_ERR_DENIED, and where, if so; 0 for what is not there.
 */
int place_check(const char *path, const struct conf_user *also, struct bawn_error *e);
/* The same of the policy and of the directories that hold state. */
int places_check(const struct config *c, struct bawn_error *e);

/* ======================= channels between roles ======================= */

/*
 * A pair of SOCK_SEQPACKET sockets; a message is one datagram: a byte that
 * tells its kind, then a body.
 */
#define CHANNEL_MAX ROLE_MAX
#define CHANNEL_FDS 4

enum channel_kind {
	CHAN_ROLE = 1, /* either way: a message of src/wire's, with the descriptors that go with it */
	/* from the parent */
	CHAN_PEER,     /* fd: the channel to a new gate, vault or courier, whose number is the body's byte */
	CHAN_LOADED,   /* to vault; fd: enclaves and white lists, as stream_write left them */
	CHAN_STOP,     /* answer what is under way, then end */
	CHAN_PING,
	/* to the parent */
	CHAN_PONG,
	CHAN_READY,
	CHAN_LOG,      /* u8 level, text */
	CHAN_RELOAD,   /* from vault: an administrator asks for what SIGHUP does */
	CHAN_METRICS,    /* from vault: text for the file, which is out of its reach */
	CHAN_LOCK,       /* from vault, and to a new one: nothing replaces the policy any more */
};

struct message {
	uint8_t kind;
	uint8_t body[CHANNEL_MAX];
	size_t n;
	int fd[CHANNEL_FDS];
	size_t nfds;
};

int channel_pair(int fd[2], struct bawn_error *e);
/* BAWN_ERR_NOT_FOUND: the other end is gone; BAWN_ERR_BUSY: full, and the channel does not block. */
int channel_send(int ch, enum channel_kind kind, const void *body, size_t n, const int *fds,
		 size_t nfds, struct bawn_error *e);
/*
 * BAWN_ERR_NOT_FOUND: the other end is gone; BAWN_ERR_BUSY: nothing there, and
 * the channel does not block. The caller closes the descriptors.
 */
int channel_recv(int ch, struct message *m, struct bawn_error *e);
void message_close(struct message *m); /* what descriptors it still has */
/* The next descriptor, the caller's from now on; -1 if there is none. */
int message_fd(struct message *m);
/* A message of src/wire's. */
int channel_send_role(int ch, const struct role_message *m, const int *fds, size_t nfds,
		      struct bawn_error *e);

/*
 * Native requests that change something or tell much. The gate leaves them in
 * the client's socket, and the vault reads them there itself: so a gate in the
 * wrong hands can not make them on a connection that somebody else has open.
 */
static inline bool request_is_grave(unsigned type)
{
	const struct wire_message *m = wire_message_of(type);

	return m && (m->operation == WIRE_OP_ADMINISTER || m->operation == WIRE_OP_PROVISION);
}

/* The same of AESM's, which come in a stream: the gate looks at the first bytes and waits for the rest. */
static inline bool aesm_is_grave(unsigned type)
{
	return aesm_operation(type) == WIRE_OP_ADMINISTER;
}
#define AESM_GRAVE_MAX (AESM_BLOB_MAX + 64u) /* bytes of one, without its length */

/* ======================= starting and sandboxing ======================= */

/* Descriptors that a role finds open, by number. */
#define FD_PARENT 3 /* channel to the parent */
#define FD_CONFIG 4 /* sealed memory: struct config */
#define FD_ROLE 5   /* the first of the role's own, below */

/* gate: channel to the vault, then a listener for each configured socket. */
#define FD_GATE_VAULT FD_ROLE
#define FD_GATE_LISTEN (FD_ROLE + 1)
/* vault: channels, state directory, a listener if metrics are configured. */
#define FD_VAULT_GATE FD_ROLE
#define FD_VAULT_COURIER (FD_ROLE + 1)
#define FD_VAULT_STATE (FD_ROLE + 2)
#define FD_VAULT_METRICS (FD_ROLE + 3)
/* courier: channel, directory of what it keeps. */
#define FD_COURIER_VAULT FD_ROLE
#define FD_COURIER_STATE (FD_ROLE + 1)
/* loader: the policy's file, the enclaves' files, the white lists; /dev/null for one that is not there. */
#define FD_LOADER_POLICY FD_ROLE
#define FD_LOADER_ENCLAVE (FD_ROLE + 1)
#define FD_LOADER_LIST (FD_LOADER_ENCLAVE + CONF_ENCLAVES)

/* Start this program again as a role, with fds[i] at FD_PARENT + i. *pid is the child. */
int process_spawn(const struct config *c, enum process r, const int *fds, size_t nfds, pid_t *pid,
	       struct bawn_error *e);
/* For good: this process is that user's. False if that cannot be. */
bool process_become(const struct conf_user *u);
/*
 * First thing in a role: no core dumps, no new privileges, limits, Landlock,
 * seccomp. After it nothing that the role does not need can be had. How much
 * of it held is in *what, for status.
 */
struct sandbox {
	bool seccomp, landlock, own_user, locked;
	int landlock_abi;
	int diag; /* the vault's, by diag_open; -1: none */
};
int sandbox_enter(const struct config *c, enum process r, struct sandbox *what, struct bawn_error *e);
/* The parent enters its own, which its roles inherit. */
int seccomp_enter(enum process r, struct bawn_error *e);
int landlock_enter(const struct config *c, enum process r, int *abi, struct bawn_error *e);

/* Ask the kernel about sockets: a descriptor, or enum bawn_code. */
int diag_open(struct bawn_error *e);
/*
 * The file that a socket is bound to. BAWN_ERR_NOT_FOUND: it is of another
 * network name space than ours, or this kernel has no unix_diag.
 */
int diag_bound(int diag, int socket, struct bound_file *out, struct bawn_error *e);
/* A number for the network name space that a socket is of; 0: this kernel does not tell. */
uint64_t diag_network(int socket);

/* Sealed memory: made, and checked when it comes from elsewhere. */
int sealed_begin(const char *name, int *fd, struct bawn_error *e);
int sealed_end(int fd, struct bawn_error *e);
int sealed_new(const char *name, const void *p, size_t n, int *fd, struct bawn_error *e);
/* Is it sealed against every change, and of at most max bytes? *n becomes how many. */
int sealed_check(int fd, uint64_t max, uint64_t *n, struct bawn_error *e);
/* A copy (the caller's) of n bytes from `at` on, which must be in it; refuses what is not sealed. */
int sealed_part(int fd, uint64_t at, uint64_t n, uint8_t **out, struct bawn_error *e);
/* A copy (the caller's) of all of it, at most max bytes; refuses what is not sealed. */
int sealed_read(int fd, size_t max, uint8_t **out, size_t *n, struct bawn_error *e);

/* ======================= enclaves, from loader to vault ======================= */

struct image;
/*
 * The vault parses no enclave file. What it gets is the pages as an SGXS
 * stream, the SIGSTRUCT, and the little that the runtime must know besides;
 * one enclave after the other in one memory file.
 */
#define STREAM_MAX (UINT64_C(256) << 20)
#define LOADED_MAX ((CONF_ENCLAVES + 1) * STREAM_MAX) /* bytes of all of it, white lists included */
int stream_write(int fd, enum conf_enclave which, const struct image *im, struct bawn_error *e);
/* False: it is not in there. */
bool stream_has(int fd, enum conf_enclave which);
/* BAWN_ERR_NOT_FOUND if it is not in there. */
int stream_read(int fd, enum conf_enclave which, struct image **out, struct bawn_error *e);
/* The SIGSTRUCT and attributes alone. */
int stream_identity(int fd, enum conf_enclave which, struct isa_sigstruct *s,
		    struct isa_attributes *attributes, struct bawn_error *e);

/* White lists are in there too, as their files are. *out is the caller's. */
int stream_write_list(int fd, enum conf_list which, const void *p, size_t n, struct bawn_error *e);
int stream_read_list(int fd, enum conf_list which, uint8_t **out, size_t *n, struct bawn_error *e);

/* ======================= the parent's own ======================= */

/* Bind, or take from socket activation, every configured socket. */
int listen_all(struct config *c, int fds[CONF_SOCKETS], struct bawn_error *e);
/* Remove those that listen_all bound. */
void listen_remove(const struct config *c);
int listen_path(const char *path, int type, uint32_t mode, int64_t gid, int *fd,
		struct bawn_error *e);
/* sd_notify(3)'s datagram to $NOTIFY_SOCKET; nothing without one. */
void notify_send(const char *text);
/* Nanoseconds between two WATCHDOG=1, or 0. */
uint64_t notify_watchdog(void);

/* ======================= logging ======================= */

/* To standard error, or to syslog once in the background. */
void daemon_log_open(const struct config *c, bool background);
void daemon_log_write(enum process r, enum log_level level, const char *text);
/* In a role: by the parent. */
void process_log_open(const struct config *c);

/* ======================= the policy's text ======================= */

/* Parse for --check-config and print remarks; *remarks counts them. */
int policy_check(const struct config *c, unsigned *remarks, struct bawn_error *e);
/*
 * Can each role open what the configuration names for it? For --check-config:
 * prints what is wrong, and adds to the two numbers.
 */
void files_check(const struct config *c, unsigned *errors, unsigned *remarks);

/* ======================= roles ======================= */

/* Exit codes. Each is called after sandbox_enter and does not return to its caller's caller. */
int parent_main(struct config *c, bool foreground);
int loader_main(const struct config *c);
int gate_main(const struct config *c);
int vault_main(const struct config *c, const struct sandbox *s);
int courier_main(const struct config *c);

#endif
