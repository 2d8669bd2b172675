/* grants_prog DIR grant|revoke OPERATION [CONDITION...]: as the vault does it; prints "kept" or why not. */
#include "authority/authority.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct authority_entries *x = NULL;
	struct wire_entry n = { 0 };
	struct authority_change c;
	struct bawn_error e = { 0 };
	int dir = argc > 3 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1, rc;

	if (dir < 0)
		return 64;
	n.kind = strcmp(argv[2], "grant") == 0 ? WIRE_GRANT : WIRE_REVOCATION;
	rc = authority_match_operations(&n.match, argv[3], &e);
	for (int i = 4; i < argc && rc == 0; i++)
		rc = authority_match_word(&n.match, argv[i], NULL, &e);
	if (rc == 0)
		rc = authority_entries_load(&x, dir, &e);
	if (rc == 0)
		rc = authority_entries_add(x, &n, NULL, false, 1, &c, &e);
	puts(rc == 0 && c.kept ? "kept" : e.msg);
	authority_entries_free(&x);
	return rc != 0;
}
