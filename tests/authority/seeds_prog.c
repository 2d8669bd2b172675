/* seeds_prog DIR: seeds for fuzz targets: DIR/policy_bytes and DIR/grants; texts of policies are written by hand. */
#include "tests/authority/kit.h"

static const char text[] = "lock\nsigning_keys aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
			   "deny any cgroup=/user.slice\n[native aesm]\nallow quote group=sgx rate=600/m\n"
			   "[web]\nallow launch uid=1000-1999 epc=64M debug=no\n";

static void save(const char *dir, const char *name, const struct buf *b)
{
	struct bawn_error e = { 0 };
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (b->failed || io_write_file(path, b->p, b->n, 0644, &e))
		exit((fprintf(stderr, "seeds_prog: %s\n", e.msg), 1));
}

int main(int argc, char **argv)
{
	struct authority_policy *p = kit_policy(text);
	struct authority_entries *x = NULL;
	struct wire_entry n = { .kind = WIRE_REVOCATION, .note = "a seed" };
	struct authority_change c;
	struct bawn_error e = { 0 };
	struct buf b;
	uint8_t *file;
	size_t size;
	int dir;

	if (argc != 2 || !p)
		return 64;
	buf_init(&b, AUTHORITY_POLICY_MAX);
	authority_policy_encode(p, &b);
	save(argv[1], "policy_bytes/all", &b);
	dir = kit_dir();
	if (authority_entries_load(&x, dir, &e) || authority_match_operations(&n.match, "quote", &e) ||
	    authority_match_word(&n.match, "uid=1000", NULL, &e) ||
	    authority_entries_add(x, &n, NULL, false, 1, &c, &e))
		return 1;
	n.kind = WIRE_GRANT;
	n.match.operations = WIRE_OP_BIT(WIRE_OP_LAUNCH);
	n.expires = 2000;
	if (authority_entries_add(x, &n, NULL, false, 1, &c, &e) ||
	    io_read_file_at(dir, AUTHORITY_ENTRIES_FILE, 1u << 20, &file, &size, &e))
		return 1;
	b.n = 0;
	buf_add(&b, file, size);
	save(argv[1], "grants/sealed", &b);
	b.n = 0; /* without the envelope: 48 bytes before, 32 after */
	buf_add(&b, file + 48, size - 80);
	save(argv[1], "grants/plain", &b);
	free(file);
	free(p);
	authority_entries_free(&x);
	buf_free(&b);
	return 0;
}
