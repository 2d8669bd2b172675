/* The policy's text, looked at for --check-config. */
#include "authority/authority.h"
#include "daemon/daemon.h"

#include <stdio.h>
#include <stdlib.h>

struct remarks {
	const char *path;
	unsigned *count;
};

static void remark(void *arg, unsigned line, const char *text)
{
	const struct remarks *r = arg;

	if (line)
		fprintf(stderr, "bawnd: %s, line %u: %s\n", r->path, line, text);
	else
		fprintf(stderr, "bawnd: %s: %s\n", r->path, text);
	++*r->count;
}

/* A socket whose section is not in the policy gives nobody anything. */
static void check_sections(const struct config *c, const struct authority_policy *p,
			   struct remarks *r)
{
	for (uint32_t i = 0; i < c->nsockets; i++) {
		if (authority_section(p, c->sockets[i].name) >= 0)
			continue;
		fprintf(stderr, "bawnd: %s: no section [%s] for the socket of that name: it serves "
			"nobody\n", r->path, c->sockets[i].name);
		++*r->count;
	}
}

int policy_check(const struct config *c, unsigned *remarks, struct bawn_error *e)
{
	struct remarks r = { .path = c->policy, .count = remarks };
	struct authority_policy *p = NULL;
	uint8_t *text;
	size_t n;
	int rc = io_read_file(c->policy, AUTHORITY_TEXT_MAX, &text, &n, e);

	if (rc) {
		err_context(e, "policy");
		return rc;
	}
	rc = authority_policy_parse((const char *)text, n, &authority_system_names, &p, e);
	free(text);
	if (rc) {
		err_context(e, "%s", c->policy);
		return rc;
	}
	authority_policy_remarks(p, remark, &r);
	check_sections(c, p, &r);
	free(p);
	return 0;
}
