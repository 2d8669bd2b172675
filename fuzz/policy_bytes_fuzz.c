/* A policy as bytes: what the vault takes from a process that may have been taken over. */
#include "authority/authority.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct authority_policy *p = NULL;
	struct bawn_error e = { 0 };
	struct buf b;

	if (authority_policy_decode(data, size, &p, &e)) {
		if (p || !e.code)
			abort();
		return 0;
	}
	buf_init(&b, AUTHORITY_POLICY_MAX);
	authority_policy_encode(p, &b);
	if (b.failed || b.n != size || memcmp(b.p, data, size) != 0)
		abort();
	for (uint32_t i = 0; i < p->rules; i++) {
		const struct authority_rule *r = &p->rule[i];
		struct authority_subject s = { .uid = r->match.uid_first, .gid = r->match.gid_first,
					       .section = p->sections ? p->section[0] : "",
					       .cgroup = r->match.cgroup };
		struct wire_decision d;

		authority_decide(p, NULL, &s, i % WIRE_OPERATIONS, NULL, 0, &d);
	}
	buf_free(&b);
	free(p);
	return 0;
}
