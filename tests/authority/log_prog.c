/* log_prog DIR LINES [SEGMENT-BYTES FILES]: append to an audit log; lines vary by their number. */
#include "authority/authority.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct authority_audit_options o = { .segment_bytes = argc > 3 ? strtoull(argv[3], NULL, 10) : 0,
					     .segments = argc > 4 ? (unsigned)atoi(argv[4]) : 0 };
	int dir = argc > 2 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;
	struct authority_audit *a;
	struct bawn_error e = { 0 };

	if (dir < 0 || authority_audit_open(&a, dir, &o, &e)) {
		fprintf(stderr, "log_prog: %s\n", e.msg);
		return 1;
	}
	for (unsigned i = 0; i < (unsigned)atoi(argv[2]); i++) {
		struct role_audit ev = { .event = WIRE_AUDIT_REQUEST, .operation = i % WIRE_OPERATIONS,
					 .time = UINT64_C(1700000000000000) + i * UINT64_C(3600000000),
					 .code = i % 3 ? WIRE_OK : WIRE_DENIED,
					 .reason = i % 3 ? WIRE_REASON_RULE : WIRE_REASON_DEFAULT,
					 .line = i % 3 ? 12 : 0, .protocol = ROLE_NATIVE, .socket = "native",
					 .has_subject = true, .uid = 1000 + i % 2, .gid = 100, .pid = 77,
					 .note = "made by a test" };

		if (i % 7 == 0 && i) {
			ev.event = WIRE_AUDIT_GRANT;
			ev.changed = i + 1;
			ev.until = 2000000000;
			strcpy(ev.match, "quote cgroup=/the\"client\"");
		}
		if (ev.operation == WIRE_OP_QUOTE) {
			ev.identity.known = WIRE_KNOWN_ALL;
			memset(ev.identity.mrenclave, (int)i, 32);
			memset(ev.identity.mrsigner, 0xbb, 32);
			ev.identity.attributes = ATTR_MODE64BIT | (i % 2 ? ATTR_DEBUG : 0);
		}
		if (authority_audit_append(a, &ev, &e)) {
			fprintf(stderr, "log_prog: %s\n", e.msg);
			return 1;
		}
	}
	authority_audit_free(&a);
	return 0;
}
