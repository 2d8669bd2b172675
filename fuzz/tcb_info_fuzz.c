/* TCB infos: what is read is in order, complete and within its tables. */
#include "attest/attest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refs(const struct attest_advisories *a, struct attest_refs r)
{
	if (r.first + r.count > a->ref_count)
		abort();
	for (size_t i = 0; i < r.count; i++) {
		const char *id = a->id[a->ref[r.first + i]];

		if (a->ref[r.first + i] >= a->count || !*id || strnlen(id, 32) == 32)
			abort();
	}
}

static void check_module(const struct attest_tcb_info *t, const struct attest_tdx_module *m)
{
	if (m->first + m->count > t->module_level_count || (m->version && !m->count))
		abort();
	for (size_t i = m->first; i < (size_t)m->first + m->count; i++) {
		check_refs(&t->advisories, t->module_level[i].advisories);
		if (i > m->first && t->module_level[i - 1].isvsvn <= t->module_level[i].isvsvn)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct attest_tcb_info t;
	struct bawn_error e = { 0 };
	int r = attest_tcb_info_parse(data, size, &t, &e);

	if ((r != 0) != (e.msg[0] != 0))
		abort();
	if (r)
		return 0;
	if (t.signed_bytes.p < data || t.signed_bytes.p + t.signed_bytes.n > data + size || t.signed_bytes.p[0] != '{' ||
	    t.signed_bytes.p[t.signed_bytes.n - 1] != '}' || t.level_count == 0 || t.level_count > ATTEST_LEVELS_MAX ||
	    (t.tee == BAWN_TEE_TDX) != (t.module_count > 0))
		abort();
	for (size_t i = 0; i < t.level_count; i++) {
		check_refs(&t.advisories, t.level[i].advisories);
		if (t.level[i].status == BAWN_TCB_UNKNOWN || t.level[i].status > BAWN_TCB_REVOKED ||
		    (i && memcmp(t.level[i - 1].sgx, t.level[i].sgx, 16) < 0))
			abort();
	}
	for (size_t i = 0; i < t.module_count; i++)
		check_module(&t, &t.module[i]);
	return 0;
}
