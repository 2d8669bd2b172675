/*
 * no-asan: runs enclaves, whose traps AddressSanitizer does not understand
 *
 * The ledger enclave on the emulated CPU, by way of the desk, over ends of an
 * audit log as its writer makes them.
 */
#include "tests/ae/kit.h"

#include "authority/authority.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOB AE_LEDGER_BLOB_BYTES

struct world {
	struct ae_files files;
	struct ae_desk *desk;
};

static void open_desk(struct world *w, const char *platform, const char *enclave)
{
	struct ae_desk_options opt = { .keep_ms = { [AE_LEDGER] = AE_KEEP } };
	struct bawn_error e = { 0 };

	*w = (struct world){ .files = { .device = "emulated", .platform = platform, .allow_development = true } };
	w->files.enclave[AE_LEDGER].path = kit_path(enclave);
	opt.source = ae_files_source(&w->files);
	ok(ae_desk_new(&w->desk, &opt, &e) == 0, "a desk");
	kit_say(&e);
}

/* ---- a log ---- */

struct log {
	char dir[64];
	int fd;
	struct authority_audit *a;
	uint8_t end[AE_LEDGER_END_BYTES], proof[32];
};

static void look_at_end(struct log *l)
{
	struct bawn_error e = { 0 };
	struct wire_anchor head;

	is_int(authority_audit_sync(l->a, &e), 0, "synced");
	authority_audit_head(l->a, &head);
	authority_audit_proof(l->a, l->proof);
	authority_anchor_encode(&head, l->end);
}

static void write_lines(struct log *l, unsigned n)
{
	struct role_audit ev = { .event = WIRE_AUDIT_REQUEST, .operation = WIRE_OPERATIONS };

	for (unsigned i = 0; i < n; i++)
		authority_audit_append(l->a, &ev, NULL);
	look_at_end(l);
}

static void open_log(struct log *l)
{
	struct bawn_error e = { 0 };

	*l = (struct log){ .dir = "/tmp/bawn-ledger-XXXXXX" };
	l->fd = mkdtemp(l->dir) ? open(l->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	ok(l->fd >= 0 && authority_audit_open(&l->a, l->fd, NULL, &e) == 0, "a log");
	kit_say(&e);
	look_at_end(l);
}

static void close_log(struct log *l)
{
	char command[128];

	authority_audit_free(&l->a);
	close(l->fd);
	snprintf(command, sizeof(command), "rm -r %s", l->dir);
	if (system(command))
		printf("# %s is left\n", l->dir);
}

/* Begin to follow it, from where it says. */
static int begin(struct world *w, struct log *l, struct wire_anchor *from, uint8_t key[32], uint8_t blob[BLOB],
		 struct bawn_error *e)
{
	uint8_t end[AE_LEDGER_END_BYTES];

	is_int(authority_audit_follow(l->a, from, key, e), 0, "the log says from where it can be followed");
	authority_anchor_encode(from, end);
	return ae_desk_ledger_begin(w->desk, end, key, blob, e);
}

static int note(struct world *w, const struct log *l, uint8_t blob[BLOB], struct bawn_error *e)
{
	return ae_desk_ledger_note(w->desk, blob, l->end, l->proof, e);
}

/* The name of what is followed from the blob's first line on. */
static void name_of(struct world *w, const uint8_t blob[BLOB], uint8_t name[AE_LEDGER_NAME_BYTES])
{
	struct ae_ledger_state s = { 0 };

	is_int(ae_desk_ledger_read(w->desk, blob, &s, NULL), 0, "the blob has a name");
	memcpy(name, s.name, sizeof(s.name));
}

static void says(struct world *w, const uint8_t blob[BLOB], const struct log *l, uint64_t first, const char *what)
{
	struct ae_ledger_state s = { 0 };
	struct bawn_error e = { 0 };

	is_int(ae_desk_ledger_read(w->desk, blob, &s, &e), 0, "the blob can be read");
	kit_say(&e);
	ok(memcmp(s.end, l->end, sizeof(s.end)) == 0 && get_le64(s.first) == first, "%s", what);
}

/* A refusal changes nothing. */
static void refuses(struct world *w, const uint8_t blob[BLOB], const uint8_t end[AE_LEDGER_END_BYTES],
		    const uint8_t proof[32], uint32_t answer, const char *what)
{
	struct bawn_error e = { 0 };
	uint8_t copy[BLOB];
	int rc;

	memcpy(copy, blob, BLOB);
	rc = ae_desk_ledger_note(w->desk, copy, end, proof, &e);
	kit_refused(rc, &e, answer, what);
	ok(memcmp(copy, blob, BLOB) == 0, "... and leaves the blob as it was");
}

/* ---- what it is for ---- */

static void test_follow(struct world *w)
{
	uint8_t blob[BLOB], key[32], older[BLOB], name[AE_LEDGER_NAME_BYTES];
	struct bawn_error e = { 0 };
	struct wire_anchor from;
	struct log l, early;

	open_log(&l);
	write_lines(&l, 5);
	is_int(begin(w, &l, &from, key, blob, &e), 0, "a log of which the first key is there");
	kit_say(&e);
	is_int((long)from.count, 0, "... is followed from its first line");
	is_int(note(w, &l, blob, &e), 0, "its end is taken");
	kit_say(&e);
	says(w, blob, &l, 1, "... and told");
	name_of(w, blob, name);
	ok(memcmp(name, l.end + AE_LEDGER_END_LOG, sizeof(name)) == 0, "... which is the log's");
	memcpy(older, blob, sizeof(blob));
	is_int(note(w, &l, blob, &e), 0, "once more");
	ok(memcmp(older, blob, sizeof(blob)) != 0, "... sealed anew");
	early = l;
	write_lines(&l, 300);
	is_int(note(w, &l, blob, &e), 0, "and 300 lines later");
	says(w, blob, &l, 1, "... that end");
	refuses(w, blob, early.end, early.proof, AE_LEDGER_BACK, "the end of before");
	{
		uint8_t other[AE_LEDGER_END_BYTES];

		memcpy(other, l.end, sizeof(other));
		other[AE_LEDGER_END_MAC] ^= 1;
		refuses(w, blob, other, l.proof, AE_LEDGER_BACK, "another line of the same number");
		memcpy(other, l.end, sizeof(other));
		other[AE_LEDGER_END_LOG] ^= 1;
		refuses(w, blob, other, l.proof, AE_LEDGER_LOG, "an end of another log");
		memcpy(other, l.end, sizeof(other));
		put_le64(other + AE_LEDGER_END_COUNT, get_le64(l.end + AE_LEDGER_END_COUNT) + 1);
		refuses(w, blob, other, l.proof, AE_LEDGER_PROOF, "a line that is not there yet");
		put_le64(other + AE_LEDGER_END_COUNT, get_le64(l.end + AE_LEDGER_END_COUNT) + AE_LEDGER_STEPS + 1);
		refuses(w, blob, other, l.proof, AE_LEDGER_FAR, "a line that is far away");
		put_le64(other + AE_LEDGER_END_COUNT, UINT64_MAX);
		refuses(w, blob, other, l.proof, AE_LEDGER_FAR, "the last number there is");
	}
	/* Every bit of a proof counts, and of an end. */
	write_lines(&l, 1);
	{
		unsigned taken = 0;

		for (unsigned i = 0; i < 32; i++) {
			uint8_t proof[32], copy[BLOB];

			memcpy(proof, l.proof, sizeof(proof));
			memcpy(copy, blob, sizeof(copy));
			proof[i] ^= (uint8_t)(1u << (i % 8));
			taken += ae_desk_ledger_note(w->desk, copy, l.end, proof, &e) != BAWN_ERR_DENIED;
			e = (struct bawn_error){ 0 };
		}
		for (unsigned i = 0; i < AE_LEDGER_END_BYTES; i++) {
			uint8_t end[AE_LEDGER_END_BYTES], copy[BLOB];

			memcpy(end, l.end, sizeof(end));
			memcpy(copy, blob, sizeof(copy));
			end[i] ^= (uint8_t)(1u << (i % 8));
			taken += ae_desk_ledger_note(w->desk, copy, end, l.proof, &e) != BAWN_ERR_DENIED;
			e = (struct bawn_error){ 0 };
		}
		is_int(taken, 0, "no other proof is taken, and no other end with it");
	}
	is_int(note(w, &l, older, &e), 0, "what was sealed earlier still can be led on: no enclave knows which was the last");
	close_log(&l);
}

static void test_begin(struct world *w)
{
	uint8_t blob[BLOB], forged[BLOB], key[32], end[AE_LEDGER_END_BYTES];
	uint8_t name[AE_LEDGER_NAME_BYTES], other[AE_LEDGER_NAME_BYTES];
	struct bawn_error e = { 0 };
	struct wire_anchor from;
	struct log l;
	char file[96];
	int rc;

	open_log(&l);
	write_lines(&l, 3);
	authority_audit_follow(l.a, &from, key, &e);
	authority_anchor_encode(&from, end);
	key[31] ^= 1;
	rc = ae_desk_ledger_begin(w->desk, end, key, blob, &e);
	kit_refused(rc, &e, AE_LEDGER_LOG, "a log cannot be begun with another key");
	key[31] ^= 1;
	end[AE_LEDGER_END_MAC] = 1;
	rc = ae_desk_ledger_begin(w->desk, end, key, blob, &e);
	kit_refused(rc, &e, AE_LEDGER_LOG, "nor with a line before its first");
	memset(end + AE_LEDGER_END_COUNT, 0xff, 8);
	rc = ae_desk_ledger_begin(w->desk, end, key, blob, &e);
	kit_refused(rc, &e, AE_INVALID_PARAMETER, "nor behind the last number there is");

	snprintf(file, sizeof(file), "%s/" AUTHORITY_AUDIT_KEY_FILE, l.dir);
	unlink(file);
	is_int(begin(w, &l, &from, key, blob, &e), 0, "without its first key");
	is_int((long)from.count, 4, "... it is followed from its end on");
	says(w, blob, &l, 5, "... which the blob tells");
	key[0] ^= 1;
	is_int(ae_desk_ledger_begin(w->desk, l.end, key, forged, &e), 0, "with another key there, too");
	says(w, forged, &l, 5, "... of which the blob tells the same");
	name_of(w, blob, name);
	name_of(w, forged, other);
	ok(memcmp(name, other, sizeof(name)) != 0, "... but by another name");
	write_lines(&l, 2);
	is_int(note(w, &l, blob, &e), 0, "and on");
	says(w, blob, &l, 5, "... to its new end");
	name_of(w, blob, other);
	ok(memcmp(name, other, sizeof(name)) == 0, "... under the same name");
	close_log(&l);
}

static void test_blobs(struct world *w, const char *other_platform)
{
	uint8_t blob[BLOB], key[32], changed[BLOB];
	struct ae_ledger_state s;
	struct bawn_error e = { 0 };
	struct wire_anchor from;
	unsigned taken = 0, crashed = 0;
	struct world other, later;
	struct log l;

	open_log(&l);
	is_int(begin(w, &l, &from, key, blob, &e), 0, "a blob");
	for (unsigned i = 0; i < BLOB; i++) {
		int rc;

		memcpy(changed, blob, sizeof(changed));
		changed[i] ^= 0x10;
		rc = ae_desk_ledger_read(w->desk, changed, &s, &e);
		taken += rc == 0;
		crashed += rc != BAWN_ERR_DENIED || (e.sgx_status != AE_LEDGER_BLOB && e.sgx_status != AE_LEDGER_ABOVE);
		e = (struct bawn_error){ 0 };
	}
	is_int(taken, 0, "of a blob no byte can be changed");
	is_int(crashed, 0, "... and that is what it says");

	open_desk(&other, other_platform, "ledger");
	kit_refused(ae_desk_ledger_read(other.desk, blob, &s, &e), &e, AE_LEDGER_BLOB, "a blob of another platform");
	refuses(&other, blob, l.end, l.proof, AE_LEDGER_BLOB, "nor is anything added to it");
	ae_desk_free(&other.desk);

	open_desk(&later, w->files.platform, "ledger-svn2");
	is_int(ae_desk_ledger_note(later.desk, blob, l.end, l.proof, &e), 0, "a later release of the enclave takes it over");
	kit_say(&e);
	kit_refused(ae_desk_ledger_read(w->desk, blob, &s, &e), &e, AE_LEDGER_ABOVE, "... for good");
	ae_desk_free(&later.desk);
	close_log(&l);
}

int main(void)
{
	const char *platform, *other;
	struct world w;

	if (!kit_start())
		return skip_all("no emulated platform here");
	platform = kit_platform("one", NULL);
	other = kit_platform("other", NULL);
	open_desk(&w, platform, "ledger");
	test_follow(&w);
	test_begin(&w);
	test_blobs(&w, other);
	ae_desk_free(&w.desk);
	kit_done();
	return tap_done();
}
