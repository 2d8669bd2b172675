/* The owner's policy: its text, and the bytes that are made of it. */
#include "authority/authority.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool any_name(void *arg, const char *name, uint32_t *id)
{
	(void)arg;
	*id = (uint32_t)strlen(name);
	return *name != 'x';
}

static void remark(void *arg, unsigned line, const char *text)
{
	(void)arg;
	if (!*text || line > 1u << 21)
		abort();
}

/* A policy can be asked about anybody, and never allows what no policy can. */
static void ask(const struct authority_policy *p)
{
	const struct authority_subject s = { .uid = 1000, .gid = 4, .section = p->sections ? p->section[0] : "",
					     .cgroup = "/a/b" };
	struct wire_identity i = { .known = WIRE_KNOWN_ALL, .attributes = ATTR_PROVISIONKEY };
	struct wire_decision d;

	for (unsigned op = 0; op < WIRE_OPERATIONS; op++) {
		authority_decide(p, NULL, &s, op, &i, 0, &d);
		if (op == WIRE_OP_LAUNCH && d.allowed)
			abort();
		if (d.allowed && !d.line)
			abort();
	}
}

static void as_bytes(const struct authority_policy *p)
{
	struct authority_policy *q = NULL;
	struct bawn_error e = { 0 };
	struct buf b, again;

	buf_init(&b, AUTHORITY_POLICY_MAX);
	buf_init(&again, AUTHORITY_POLICY_MAX);
	authority_policy_encode(p, &b);
	if (b.failed || authority_policy_decode(b.p, b.n, &q, &e))
		abort();
	authority_policy_encode(q, &again);
	if (again.n != b.n || memcmp(again.p, b.p, b.n) != 0)
		abort();
	free(q);
	buf_free(&b);
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct authority_names names = { .user = any_name, .group = any_name };
	struct authority_policy *p = NULL;
	struct bawn_error e = { 0 };

	if (authority_policy_parse((const char *)data, size, &names, &p, &e)) {
		if (p || !e.code)
			abort();
		return 0;
	}
	ask(p);
	authority_policy_remarks(p, remark, NULL);
	as_bytes(p);
	free(p);
	return 0;
}
