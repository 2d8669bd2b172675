/* State files: the envelope, and in it grants and revocations. */
#include "authority/authority.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct authority_subject s = { .uid = 1000, .gid = 100, .section = "native" };
	static struct authority_policy none;
	struct authority_entries *x = NULL;
	struct bawn_error e = { 0 };
	struct cur contents;
	uint64_t before = 0;

	if (authority_state_open(AUTHORITY_ENTRIES_FILE, data, size, &contents, &e))
		contents = cur_make(data, size); /* no fuzzer finds a checksum */
	if (authority_entries_decode(&x, contents.p, contents.n, &e)) {
		if (x || !e.code)
			abort();
		return 0;
	}
	for (size_t i = 0; authority_entries_at(x, i); i++) {
		const struct wire_entry *n = authority_entries_at(x, i);

		if (n->id <= before || wire_match_flaw(&n->match))
			abort();
		before = n->id;
	}
	for (unsigned op = 0; op < WIRE_OPERATIONS; op++) {
		struct wire_decision d;

		authority_decide(&none, x, &s, op, NULL, 1000, &d);
		if (d.allowed && d.reason != WIRE_REASON_GRANT)
			abort();
	}
	authority_entries_free(&x);
	return 0;
}
