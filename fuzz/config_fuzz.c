/* bawnd's configuration file. Its reader is no part of the library, so it is included. */
#include "daemon/config.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool ends(const char *s, size_t max)
{
	return memchr(s, '\0', max) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config c;
	struct bawn_error e = { 0 };

	if (config_default(&c, &e))
		abort();
	if (size > CONF_MAX)
		return 0;
	if (config_parse(&c, (const char *)data, size, "file", &e)) {
		if (!e.code)
			abort();
		return 0;
	}
	if (c.nsockets > CONF_SOCKETS || c.magic != CONF_MAGIC || !ends(c.state, sizeof(c.state)) ||
	    !ends(c.policy, sizeof(c.policy)) || !ends(c.url, sizeof(c.url)))
		abort();
	for (uint32_t i = 0; i < c.nsockets; i++)
		if (!ends(c.sockets[i].path, sizeof(c.sockets[i].path)) || !c.sockets[i].name[0])
			abort();
	return 0;
}
