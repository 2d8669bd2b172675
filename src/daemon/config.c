/* bawnd.conf: lines "key = value", and sections "[socket NAME]". */
#include "cpu/cpu.h"
#include "daemon/config_values.h"

#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_FILE BAWN_CONFDIR "/bawnd.conf"
#ifndef BAWN_LIBEXEC
#define BAWN_LIBEXEC "/usr/local/lib/bawn"
#endif

/* ---- keys ---- */

static int take_device(struct config *c, const char *v, const struct place *at,
		       struct bawn_error *e)
{
	static const char *const known[] = { "auto", "kernel", "isgx", "emulated" };

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(v, known[i]) == 0)
			return take_text(c->device, sizeof(c->device), v, at, e);
	return bad(at, e, "auto, kernel, isgx or emulated");
}

/* "pcs [URL]", "pccs URL", "directory DIR", "none" */
static int take_source(struct config *c, const char *v, const struct place *at,
		       struct bawn_error *e)
{
	size_t n = strcspn(v, " \t");
	const char *rest = v + n + strspn(v + n, " \t");

	if (strcmp(v, "none") == 0) {
		c->source = SOURCE_NONE;
		c->url[0] = '\0';
		return 0;
	}
	if (n == 3 && strncmp(v, "pcs", n) == 0)
		c->source = SOURCE_PCS;
	else if (n == 4 && strncmp(v, "pccs", n) == 0)
		c->source = SOURCE_PCCS;
	else if (n == 9 && strncmp(v, "directory", n) == 0)
		c->source = SOURCE_DIRECTORY;
	else
		return bad(at, e, "none, directory DIR, pcs [URL] or pccs URL");
	if (!*rest && c->source != SOURCE_PCS)
		return bad(at, e, "%.20s from where?", v);
	if (c->source == SOURCE_DIRECTORY)
		return take_path(c->url, sizeof(c->url), rest, at, e);
	return take_text(c->url, sizeof(c->url), rest, at, e);
}

static int take_log(struct config *c, const char *v, const struct place *at, struct bawn_error *e)
{
	static const char *const levels[] = { "error", "warn", "info", "debug" };

	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (strcmp(v, levels[i]) == 0) {
			c->log = (enum log_level)i;
			return 0;
		}
	return bad(at, e, "error, warn, info or debug");
}

enum value_type { TEXT, PATH, U32, SIZE, BOOL, USER, DEVICE, SOURCE, LOG };
#define AT(member) .offset = offsetof(struct config, member), .size = sizeof(((struct config *)0)->member)
static const struct key {
	const char *name;
	enum value_type type;
	size_t offset, size;
	uint64_t min, max;
} keys[] = {
	{ "device", DEVICE, AT(device) },
	{ "collateral", SOURCE, AT(source) },
	{ "log", LOG, AT(log) },
	{ "platform", PATH, AT(platform) },
	{ "state", PATH, AT(state) },
	{ "audit", PATH, AT(audit) },
	{ "policy", PATH, AT(policy) },
	{ "metrics", PATH, AT(metrics) },
	{ "metrics-file", PATH, AT(metrics_file) },
	{ "metrics-seconds", U32, AT(metrics_seconds), 1, 3600 },
	{ "launch-enclave", PATH, AT(enclave[ENCLAVE_LAUNCH]) },
	{ "provision-enclave", PATH, AT(enclave[ENCLAVE_PROVISION]) },
	{ "quote-enclave", PATH, AT(enclave[ENCLAVE_QUOTE]) },
	{ "ledger-enclave", PATH, AT(enclave[ENCLAVE_LEDGER]) },
	{ "white-list", PATH, AT(white_list[LIST_LAUNCH]) },
	{ "provision-white-list", PATH, AT(white_list[LIST_PROVISION]) },
	{ "debug-enclaves", BOOL, AT(debug_enclaves) },
	{ "gate-user", USER, AT(user[PROC_GATE]) },
	{ "vault-user", USER, AT(user[PROC_VAULT]) },
	{ "courier-user", USER, AT(user[PROC_COURIER]) },
	{ "api-key-file", PATH, AT(api_key_file) },
	{ "ca-file", PATH, AT(ca_file) },
	{ "root-file", PATH, AT(root_file) },
	{ "ppid-key-file", PATH, AT(ppid_key_file) },
	{ "proxy", TEXT, AT(proxy) },
	{ "renew-days", U32, AT(renew_days), 1, 3650 },
	{ "connections", U32, AT(connections), 8, 16384 },
	{ "connections-per-uid", U32, AT(connections_per_uid), 1, 16384 },
	{ "request-seconds", U32, AT(request_seconds), 1, 3600 },
	{ "idle-seconds", U32, AT(idle_seconds), 0, 86400 },
	{ "workers", U32, AT(workers), 0, 8 },
	{ "epc-per-client", SIZE, AT(epc_per_client), 0, UINT64_C(1) << 40 },
	{ "epc-total", SIZE, AT(epc_total), 0, UINT64_C(1) << 40 },
	{ "audit-size", SIZE, AT(audit_bytes), 4096, UINT64_C(1) << 40 },
	{ "audit-files", U32, AT(audit_files), 1, 1000 },
	{ "audit-required", BOOL, AT(audit_required) },
};

static const char *const socket_keys[] = { "path", "protocol", "mode", "group", "networks", "abstract" };

/* A file as it is read. Lines are 0 where a setting was not there yet. */
struct reading {
	struct place at;
	struct conf_socket *section; /* NULL before the first */
	unsigned line[ARRAY_LEN(keys)];
	unsigned socket_line[ARRAY_LEN(socket_keys)]; /* of this section */
};

/* Of two values one would be lost, and nobody could tell which was meant. */
static int only_once(struct reading *r, const char *name, unsigned *before, struct bawn_error *e)
{
	if (*before)
		return bad(&r->at, e, "%s was set in line %u already", name, *before);
	*before = r->at.line;
	r->at.setting = name;
	return 0;
}

static int take_value(struct config *c, const struct key *k, const char *v, const struct place *at,
		      struct bawn_error *e)
{
	char *to = (char *)c + k->offset;

	switch (k->type) {
	case TEXT:
		return take_text(to, k->size, v, at, e);
	case PATH:
		return take_path(to, k->size, v, at, e);
	case U32:
		return take_u32((uint32_t)k->min, (uint32_t)k->max, v, (uint32_t *)(void *)to, at, e);
	case SIZE:
		return take_size(k->min, k->max, v, (uint64_t *)(void *)to, at, e);
	case BOOL:
		return take_bool(v, (bool *)(void *)to, at, e);
	case USER:
		return take_user(v, (struct conf_user *)(void *)to, at, e);
	case DEVICE:
		return take_device(c, v, at, e);
	case SOURCE:
		return take_source(c, v, at, e);
	case LOG:
		return take_log(c, v, at, e);
	}
	return bad(at, e, "no such setting");
}

static int take_key(struct config *c, struct reading *r, const char *name, const char *v,
		    struct bawn_error *e)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		int rc;

		if (strcmp(name, keys[i].name) != 0)
			continue;
		rc = only_once(r, keys[i].name, &r->line[i], e);
		return rc ? rc : take_value(c, &keys[i], v, &r->at, e);
	}
	return bad(&r->at, e, "no such setting: %.40s", name);
}

static int take_socket_value(struct conf_socket *s, const char *name, const char *v,
			     const struct place *at, struct bawn_error *e)
{
	uint32_t gid = 0;
	int r;

	if (strcmp(name, "path") == 0)
		return take_path(s->path, sizeof(s->path), v, at, e);
	if (strcmp(name, "mode") == 0)
		return take_mode(v, &s->mode, at, e);
	if (strcmp(name, "abstract") == 0)
		return take_bool(v, &s->abstract, at, e);
	if (strcmp(name, "networks") == 0) {
		if (strcmp(v, "own") != 0 && strcmp(v, "any") != 0)
			return bad(at, e, "own or any");
		s->networks = *v == 'o' ? NETWORKS_OWN : NETWORKS_ANY;
		return 0;
	}
	if (strcmp(name, "group") == 0) {
		r = take_gid(v, &gid, at, e);
		if (r == 0)
			s->gid = gid;
		return r;
	}
	if (strcmp(v, "native") != 0 && strcmp(v, "aesm") != 0)
		return bad(at, e, "native or aesm");
	s->protocol = *v == 'a' ? PROTOCOL_AESM : PROTOCOL_NATIVE;
	return 0;
}

static int take_socket_key(struct reading *r, const char *name, const char *v, struct bawn_error *e)
{
	for (size_t i = 0; i < ARRAY_LEN(socket_keys); i++) {
		int rc;

		if (strcmp(name, socket_keys[i]) != 0)
			continue;
		rc = only_once(r, socket_keys[i], &r->socket_line[i], e);
		return rc ? rc : take_socket_value(r->section, socket_keys[i], v, &r->at, e);
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(name, keys[i].name) == 0)
			return bad(&r->at, e, "%s is no setting of a socket: it stands before the first section",
				   name);
	return bad(&r->at, e, "no such setting of a socket: %.40s", name);
}

/* "[socket NAME]" */
static int begin_socket(struct config *c, struct reading *r, const char *line, struct bawn_error *e)
{
	char name[CONF_NAME];
	int end = 0;

	if (sscanf(line, "[socket %31[a-z0-9-]]%n", name, &end) != 1 || line[end] || !end)
		return bad(&r->at, e, "a section is [socket NAME], with at most 31 of a-z, 0-9 and - in the name");
	if (!r->section)
		c->nsockets = 0; /* a file that tells sockets tells all of them */
	for (uint32_t i = 0; i < c->nsockets; i++)
		if (strcmp(c->sockets[i].name, name) == 0)
			return bad(&r->at, e, "socket %s was there already", name);
	if (c->nsockets == CONF_SOCKETS)
		return bad(&r->at, e, "more than %d sockets", CONF_SOCKETS);
	r->section = &c->sockets[c->nsockets++];
	*r->section = (struct conf_socket){ .mode = 0660, .gid = -1 };
	strcpy(r->section->name, name);
	memset(r->socket_line, 0, sizeof(r->socket_line));
	return 0;
}

static char *strip(char *s)
{
	size_t n;

	s += strspn(s, " \t\r");
	n = strlen(s);
	while (n && strchr(" \t\r", s[n - 1]))
		s[--n] = '\0';
	return s;
}

static int take_line(struct config *c, struct reading *r, char *line, struct bawn_error *e)
{
	char *s = strip(line), *equals, *name, *value;

	r->at.setting = NULL;
	if (!*s || *s == '#')
		return 0;
	if (*s == '[')
		return begin_socket(c, r, s, e);
	equals = strchr(s, '=');
	if (!equals)
		return bad(&r->at, e, "\"name = value\" is needed");
	*equals = '\0';
	name = strip(s);
	value = strip(equals + 1);
	return r->section ? take_socket_key(r, name, value, e) : take_key(c, r, name, value, e);
}

int config_parse(struct config *c, const char *text, size_t n, const char *name,
		 struct bawn_error *e)
{
	struct reading reading = { .at.name = name };
	char line[512];

	for (size_t i = 0; i < n;) {
		const char *end = memchr(text + i, '\n', n - i);
		size_t len = end ? (size_t)(end - text) - i : n - i;
		int r;

		reading.at.line++;
		reading.at.setting = NULL;
		if (len >= sizeof(line))
			return bad(&reading.at, e, "longer than %zu bytes", sizeof(line) - 1);
		if (memchr(text + i, '\0', len))
			return bad(&reading.at, e, "a zero byte");
		memcpy(line, text + i, len);
		line[len] = '\0';
		r = take_line(c, &reading, line, e);
		if (r)
			return r;
		i += len + 1;
	}
	return 0;
}

/* ---- defaults ---- */

static void add_socket(struct config *c, const char *name, enum conf_protocol protocol,
		       const char *path, uint32_t mode)
{
	struct conf_socket *s = &c->sockets[c->nsockets++];

	*s = (struct conf_socket){ .protocol = protocol, .mode = mode, .gid = -1 };
	strcpy(s->name, name);
	snprintf(s->path, sizeof(s->path), "%.107s", path);
}

static void default_user(struct conf_user *u, const char *name)
{
	struct place nowhere = { .name = "" };
	struct conf_user found;

	if (getpwnam(name) && take_user(name, &found, &nowhere, NULL) == 0)
		*u = found;
}

static void default_root(struct config *c)
{
	strcpy(c->state, "/var/lib/bawn");
	strcpy(c->audit, "/var/log/bawn");
	strcpy(c->policy, BAWN_CONFDIR "/policy");
	add_socket(c, "native", PROTOCOL_NATIVE, "/run/bawn/bawnd.sock", 0666);
	add_socket(c, "aesm", PROTOCOL_AESM, "/run/aesmd/aesm.socket", 0660);
	default_user(&c->user[PROC_GATE], "bawn-gate");
	default_user(&c->user[PROC_VAULT], "bawn-vault");
	default_user(&c->user[PROC_COURIER], "bawn-courier");
}

/* An ordinary user's own: what others of that user's programs keep where. */
static int default_user_places(struct config *c, struct bawn_error *e)
{
	const char *home = getenv("HOME"), *state = getenv("XDG_STATE_HOME");
	const char *conf = getenv("XDG_CONFIG_HOME"), *run = getenv("XDG_RUNTIME_DIR");
	char path[sizeof(c->sockets[0].path)];
	int n;

	if ((!home || *home != '/') && (!state || !conf || !run))
		return 0; /* the configuration tells, or config_check asks for it */
	n = state && *state == '/' ? snprintf(c->state, sizeof(c->state), "%s/bawn/daemon", state)
				   : snprintf(c->state, sizeof(c->state), "%s/.local/state/bawn/daemon", home);
	if (n >= (int)sizeof(c->state) - 8)
		return err_set(e, BAWN_ERR_USAGE, "the home directory's path is too long");
	strcpy(c->audit, c->state);
	strcat(c->audit, "/audit");
	if (conf && *conf == '/')
		snprintf(c->policy, sizeof(c->policy), "%s/bawn/policy", conf);
	else
		snprintf(c->policy, sizeof(c->policy), "%s/.config/bawn/policy", home);
	if (run && *run == '/') {
		n = snprintf(path, sizeof(path), "%s/bawn/bawnd.sock", run);
		if (n < (int)sizeof(path))
			add_socket(c, "native", PROTOCOL_NATIVE, path, 0600);
	}
	return 0;
}

int config_default(struct config *c, struct bawn_error *e)
{
	*c = (struct config){
		.magic = CONF_MAGIC,
		.separate = geteuid() == 0,
		.source = SOURCE_NONE,
		.renew_days = 30,
		.connections = 1024,
		.request_seconds = 15,
		.idle_seconds = 300,
		.metrics_seconds = 15,
		.epc_per_client = UINT64_C(64) << 20,
		.epc_total = UINT64_C(1) << 30,
		.audit_bytes = 16u << 20,
		.audit_files = 8,
		.log = LOG_INFO,
	};
	strcpy(c->device, "auto");
	strcpy(c->enclave[ENCLAVE_LAUNCH], BAWN_LIBEXEC "/launch.signed.so");
	strcpy(c->enclave[ENCLAVE_PROVISION], BAWN_LIBEXEC "/provision.signed.so");
	strcpy(c->enclave[ENCLAVE_QUOTE], BAWN_LIBEXEC "/quote.signed.so");
	strcpy(c->enclave[ENCLAVE_LEDGER], BAWN_LIBEXEC "/ledger.signed.so");
	if (!c->separate)
		return default_user_places(c, e);
	default_root(c);
	return 0;
}

/* ---- what must hold together ---- */

static int check_sockets(const struct config *c, struct bawn_error *e)
{
	if (c->nsockets == 0)
		return err_set(e, BAWN_ERR_USAGE, "no socket to serve: add a section [socket native] "
			       "with a path");
	for (uint32_t i = 0; i < c->nsockets; i++) {
		const struct conf_socket *s = &c->sockets[i];

		if (!s->path[0] && !s->abstract)
			return err_set(e, BAWN_ERR_USAGE, "socket %s has no path", s->name);
		if (s->abstract && (s->path[0] || s->protocol != PROTOCOL_AESM))
			return err_set(e, BAWN_ERR_USAGE, "socket %s: \"abstract\" is AESM's legacy name, "
				       "and stands in place of a path", s->name);
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(s->path, c->sockets[j].path) == 0)
				return err_set(e, BAWN_ERR_USAGE, "sockets %s and %s have the same place",
					       c->sockets[j].name, s->name);
	}
	return 0;
}

static int check(const struct config *c, struct bawn_error *e)
{
	static const char *const users[PROCS] = {
		[PROC_GATE] = "gate", [PROC_VAULT] = "vault", [PROC_COURIER] = "courier"
	};

	if (!c->state[0] || !c->audit[0] || !c->policy[0])
		return err_set(e, BAWN_ERR_USAGE, "state, audit and policy need a place: neither the "
			       "configuration nor HOME tells one");
	if (strcmp(c->device, "emulated") == 0 && !c->platform[0])
		return err_set(e, BAWN_ERR_USAGE, "device = emulated needs platform = DIR");
	if (strcmp(c->device, "emulated") != 0 && c->platform[0])
		return err_set(e, BAWN_ERR_USAGE, "a platform is for device = emulated");
	if (c->connections_per_uid > c->connections)
		return err_set(e, BAWN_ERR_USAGE, "connections-per-uid is more than connections");
	for (enum process r = PROC_GATE; c->separate && r <= PROC_COURIER; r++) {
		if (!c->user[r].set || c->user[r].uid == 0)
			return err_set(e, BAWN_ERR_USAGE, c->user[r].set ?
				       "started by root, the %s needs a user of its own, other than root: %s-user" :
				       "there is no user bawn-%s for the role: make it (the package's sysusers.d "
				       "does, or useradd --system), or name another by %s-user", users[r], users[r]);
		for (enum process q = PROC_GATE; q < r; q++)
			if (c->user[q].uid == c->user[r].uid)
				return err_set(e, BAWN_ERR_USAGE, "%s and %s have the same user", users[q],
					       users[r]);
	}
	return check_sockets(c, e);
}

/* 388 bytes, modulus and exponent, as they are or in hexadecimal digits. */
static int read_ppid_key(struct config *c, struct bawn_error *e)
{
	uint8_t *p;
	size_t n, text;
	int r;

	if (!c->ppid_key_file[0])
		return 0;
	r = io_read_file(c->ppid_key_file, 4096, &p, &n, e);
	if (r) {
		err_context(e, "ppid-key-file");
		return r;
	}
	for (text = n; text && strchr("\r\n ", p[text - 1]); text--)
		;
	c->has_ppid_key = true;
	if (n == sizeof(c->ppid_key))
		memcpy(c->ppid_key, p, n);
	else if (!hex_decode((const char *)p, text, c->ppid_key, sizeof(c->ppid_key)))
		r = err_set(e, BAWN_ERR_FORMAT, "ppid-key-file: %s: %zu bytes, or twice as many hexadecimal digits, are needed",
			    c->ppid_key_file, sizeof(c->ppid_key));
	free(p);
	return r;
}

/* Defaults that hang on other settings. */
static void settle(struct config *c)
{
	c->ledger_wanted = c->enclave[ENCLAVE_LEDGER][0] &&
			   strcmp(c->enclave[ENCLAVE_LEDGER], BAWN_LIBEXEC "/ledger.signed.so") != 0;
	if (!c->connections_per_uid)
		c->connections_per_uid = c->connections < 256 ? c->connections : 256;
	/* Where everybody may connect, nobody gains by seeming to have come by there. */
	for (uint32_t i = 0; i < c->nsockets; i++) {
		struct conf_socket *s = &c->sockets[i];

		if (s->networks == NETWORKS_BY_MODE)
			s->networks = s->mode & 2 ? NETWORKS_ANY : NETWORKS_OWN;
	}
}

int config_load(struct config *c, const char *path, struct bawn_error *e)
{
	struct bawn_error why = { 0 };
	uint8_t *text = NULL;
	size_t n = 0;
	int r = config_default(c, e);

	if (r)
		return r;
	if (path || c->separate) {
		r = place_check(path ? path : DEFAULT_FILE, NULL, e);
		if (r)
			return r;
	}
	r = io_read_file(path ? path : DEFAULT_FILE, CONF_MAX, &text, &n, &why);
	/* Only the usual file may be absent, and for an ordinary user it is root's, not theirs. */
	if (r && (path || (r != BAWN_ERR_NOT_FOUND && c->separate)))
		return err_set(e, r, "%s", why.msg);
	if (r == 0 && (path || c->separate))
		r = config_parse(c, (const char *)text, n, path ? path : DEFAULT_FILE, e);
	else
		r = 0;
	free(text);
	settle(c);
	if (r == 0)
		r = read_ppid_key(c, e);
	c->emulated = strcmp(c->device, "emulated") == 0 || cpu_engine_is_injected();
	return r ? r : check(c, e);
}
