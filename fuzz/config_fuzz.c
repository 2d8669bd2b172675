/* bawnd.conf: what is taken is within its bounds, and a refusal names the line. */
#include "daemon/daemon.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool ends(const char *s, size_t n)
{
	return memchr(s, '\0', n) != NULL;
}

/* A path that is set starts at the root: the roles run with another working directory. */
static bool path_holds(const char s[CONF_PATH])
{
	return ends(s, CONF_PATH) && (!*s || *s == '/');
}

static void hold_sockets(const struct config *c)
{
	if (c->nsockets > CONF_SOCKETS)
		abort();
	for (uint32_t i = 0; i < c->nsockets; i++) {
		const struct conf_socket *s = &c->sockets[i];

		if (!ends(s->name, sizeof(s->name)) || !s->name[0] || !ends(s->path, sizeof(s->path)) ||
		    (s->path[0] && s->path[0] != '/') || s->mode > 0777 ||
		    s->gid < -1 || s->gid >= UINT32_MAX)
			abort();
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(s->name, c->sockets[j].name) == 0)
				abort();
	}
}

static void hold(const struct config *c)
{
	if (!path_holds(c->platform) || !path_holds(c->state) || !path_holds(c->audit) ||
	    !path_holds(c->policy) || !path_holds(c->metrics) || !path_holds(c->metrics_file) || !path_holds(c->api_key_file) ||
	    !path_holds(c->ca_file) || !path_holds(c->root_file) || !path_holds(c->ppid_key_file) ||
	    !ends(c->url, CONF_PATH) || !ends(c->proxy, CONF_PATH) || !ends(c->device, sizeof(c->device)))
		abort();
	for (int i = 0; i < CONF_ENCLAVES; i++)
		if (!path_holds(c->enclave[i]))
			abort();
	for (int i = 0; i < CONF_LISTS; i++)
		if (!path_holds(c->white_list[i]))
			abort();
	for (int i = 0; i < PROCS; i++)
		if (c->user[i].ngroups > CONF_GROUPS)
			abort();
	if (c->magic != CONF_MAGIC || c->workers > 8 || c->connections > 16384 || c->connections_per_uid > 16384 ||
	    !c->request_seconds || !c->metrics_seconds || !c->audit_files || c->audit_bytes < 4096 || c->log > LOG_DEBUG ||
	    c->source > SOURCE_PCCS || (c->source != SOURCE_NONE && c->source != SOURCE_PCS && !c->url[0]))
		abort();
	hold_sockets(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config c, first;
	struct bawn_error e = { 0 };

	if (size > CONF_MAX)
		return 0;
	if (!first.magic && config_default(&first, NULL))
		abort();
	c = first;
	if (config_parse(&c, (const char *)data, size, "fuzz", &e)) {
		if (strncmp(e.msg, "fuzz, line ", 11) != 0)
			abort();
		return 0;
	}
	hold(&c);
	return 0;
}
