/*
 * layouts_prog: the fields of every native message, for the test that holds
 * doc/PROTOCOL.md to them. "request quote 980" or "part entry 500", then a line
 * "offset bytes field kind max" for each field.
 */
#include "wire/wire.h"

#include <inttypes.h>
#include <stdio.h>

static void print(const char *what, const char *name, const struct wire_layout *l)
{
	static const char *const kinds[] = {
		[WIRE_UINT] = "uint", [WIRE_BOOL] = "bool", [WIRE_BYTES] = "bytes",
		[WIRE_TEXT] = "text", [WIRE_ZERO] = "zero", [WIRE_PART] = "part",
	};
	size_t at = 0;

	printf("%s %s %zu %u\n", what, name, wire_size(l), l->tail_max);
	for (size_t i = 0; i < l->fields; i++) {
		const struct wire_field *f = &l->field[i];
		size_t n = f->kind == WIRE_PART ? wire_size(f->part) : f->size;

		printf("%zu %zu %s %s %" PRIu64 "\n", at, n, f->name, kinds[f->kind], f->max);
		at += n;
	}
}

int main(void)
{
	print("part", "identity", &wire_identity_layout);
	print("part", "match", &wire_match_layout);
	print("part", "entry", &wire_entry_layout);
	print("part", "decision", &wire_decision_layout);
	print("part", "anchor", &wire_anchor_layout);
	for (unsigned type = 1; type < WIRE_TYPES; type++) {
		const struct wire_message *m = wire_message_of(type);

		print("request", m->name, m->request);
		print("answer", m->name, m->answer);
	}
	return 0;
}
