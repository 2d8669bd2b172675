/* Policy files: parsed or refused, and what was parsed can be applied. */
#include "attest/attest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct bawn_verification blank;
	struct bawn_error e = { 0 };
	struct attest_policy *p = NULL;
	struct bawn_verification *v;

	if (attest_policy_parse((const char *)data, size, &p, &e)) {
		if (p || !e.code)
			abort();
		return 0;
	}
	v = malloc(sizeof(*v));
	if (v) {
		*v = blank;
		v->status = BAWN_TCB_REVOKED; /* which no file can make acceptable */
		if (attest_policy_check(attest_policy_get(p), 1, v) == 0)
			abort();
	}
	free(v);
	attest_policy_free(&p);
	return 0;
}
