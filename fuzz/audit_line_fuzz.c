/* Lines of the audit log. */
#include "authority/authority.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct authority_line l;
	struct bawn_error e = { 0 };
	char text[64];

	if (authority_line_parse(data, size, &l, &e)) {
		if (e.code != BAWN_ERR_FORMAT)
			abort();
		return 0;
	}
	if (!l.n || l.maced >= size || l.identity.known & ~WIRE_KNOWN_ALL)
		abort();
	authority_line_text(l.note, text, sizeof(text));
	authority_line_text(l.match, text, sizeof(text));
	for (size_t i = 0; text[i]; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			abort();
	return 0;
}
