/* Grants and revocations: made at run time, effective at once, kept across restarts. */
#include "authority/authority.h"

#include <stdlib.h>
#include <string.h>

struct authority_entries {
	int dirfd;
	bool damaged;
	bool unkept; /* memory is ahead of the disk */
	uint64_t next; /* id */
	size_t count;
	struct wire_entry entry[AUTHORITY_ENTRIES_MAX]; /* in ascending order of ids */
};

/* ---- the file ---- */

struct head {
	uint64_t next;
	uint32_t count;
};
static const struct wire_field head_fields[] = {
	F_UINT(struct head, next),
	F_MAX(struct head, count, AUTHORITY_ENTRIES_MAX),
};
static const struct wire_layout head_layout = LAYOUT(struct head, "grants", head_fields);

static size_t file_max(void)
{
	return wire_size(&head_layout) + AUTHORITY_ENTRIES_MAX * wire_size(&wire_entry_layout);
}

/* Room for as much as there is now and 16 entries more: revocations for a full disk. */
static size_t file_reserve(const struct authority_entries *x)
{
	return wire_size(&head_layout) + (x->count + 16) * wire_size(&wire_entry_layout);
}

static int read_entries(struct authority_entries *x, struct cur c, struct bawn_error *e)
{
	uint64_t before = 0;
	struct head h;
	int rc = wire_decode(&head_layout, &c, &h, e);

	if (rc)
		return rc;
	x->next = h.next;
	for (x->count = 0; x->count < h.count; x->count++) {
		struct wire_entry *n = &x->entry[x->count];

		rc = wire_decode(&wire_entry_layout, &c, n, e);
		if (rc)
			return rc;
		if (n->id <= before || n->id >= x->next)
			return err_set(e, BAWN_ERR_FORMAT, "grants: numbers do not ascend");
		before = n->id;
	}
	return c.n ? err_set(e, BAWN_ERR_FORMAT, "grants: %zu bytes too many", c.n) : 0;
}

/* Write all but entry number `without` (count: all). */
static int write_entries(struct authority_entries *x, size_t without, struct bawn_error *e)
{
	struct head h = { .next = x->next, .count = (uint32_t)(x->count - (without < x->count)) };
	struct buf b;
	int rc;

	if (x->dirfd < 0)
		return 0;
	buf_init(&b, file_max());
	wire_encode(&head_layout, &h, &b);
	for (size_t i = 0; i < x->count; i++)
		if (i != without)
			wire_encode(&wire_entry_layout, &x->entry[i], &b);
	rc = b.failed ? err_nomem(e) :
			authority_state_write(x->dirfd, AUTHORITY_ENTRIES_FILE, b.p, b.n, file_reserve(x), e);
	buf_free(&b);
	return rc;
}

/* Bring the disk up to memory: true if it is. */
static bool keep(struct authority_entries *x, struct bawn_error *e)
{
	x->unkept = write_entries(x, x->count, e) != 0;
	return !x->unkept;
}

static struct authority_entries *none(int dirfd)
{
	struct authority_entries *x = calloc(1, sizeof(*x));

	if (x) {
		x->dirfd = dirfd;
		x->next = 1;
	}
	return x;
}

int authority_entries_decode(struct authority_entries **out, const void *p, size_t n,
			     struct bawn_error *e)
{
	int rc;

	*out = none(-1);
	rc = *out ? read_entries(*out, cur_make(p, n), e) : err_nomem(e);
	if (rc)
		authority_entries_free(out);
	return rc;
}

int authority_entries_load(struct authority_entries **out, int dirfd, struct bawn_error *e)
{
	struct authority_entries *x = none(dirfd);
	uint8_t *p = NULL;
	size_t n = 0;
	int rc;

	if (!x)
		return err_nomem(e);
	*out = x;
	if (dirfd < 0)
		return 0;
	rc = authority_state_read(dirfd, AUTHORITY_ENTRIES_FILE, file_max(), &p, &n, e);
	if (rc == BAWN_ERR_NOT_FOUND) {
		if (e)
			*e = (struct bawn_error){ 0 };
		return 0;
	}
	if (rc == 0)
		rc = read_entries(x, cur_make(p, n), e);
	free(p);
	if (rc) {
		x->damaged = true; /* a revocation may have been in it: nothing is allowed */
		x->count = 0;
	}
	return rc;
}

void authority_entries_free(struct authority_entries **x)
{
	free(*x);
	*x = NULL;
}

bool authority_entries_damaged(const struct authority_entries *x)
{
	return x->damaged;
}

/* ---- looking ---- */

const struct wire_entry *authority_entries_at(const struct authority_entries *x, size_t i)
{
	return i < x->count ? &x->entry[i] : NULL;
}

size_t authority_entries_count(const struct authority_entries *x, enum wire_entry_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < x->count; i++)
		n += x->entry[i].kind == kind;
	return n;
}

/* False if no request can meet both; true may err. */
static bool may_overlap(const struct wire_match *a, const struct wire_match *b)
{
	uint32_t both = a->has & b->has;

	if (!(a->operations & b->operations))
		return false;
	if (both & WIRE_HAS_UID && (a->uid_last < b->uid_first || b->uid_last < a->uid_first))
		return false;
	if (both & WIRE_HAS_SOCKET && strcmp(a->socket, b->socket) != 0)
		return false;
	if (both & WIRE_HAS_MRENCLAVE && memcmp(a->mrenclave, b->mrenclave, 32) != 0)
		return false;
	if (both & WIRE_HAS_MRSIGNER && memcmp(a->mrsigner, b->mrsigner, 32) != 0)
		return false;
	if (both & WIRE_HAS_PRODUCT && a->product != b->product)
		return false;
	return !(both & WIRE_HAS_DEBUG) || a->debug == b->debug;
}

static uint64_t blocker_of(const struct authority_entries *x, const struct wire_match *grant)
{
	for (size_t i = 0; i < x->count; i++)
		if (x->entry[i].kind == WIRE_REVOCATION && may_overlap(&x->entry[i].match, grant))
			return x->entry[i].id;
	return 0;
}

/* ---- changing ---- */

static int check_new(const struct authority_entries *x, const struct wire_entry *n,
		     const struct authority_subject *by, bool locked, uint64_t now, struct bawn_error *e)
{
	const char *why = wire_match_flaw(&n->match);
	bool administer = n->match.operations & WIRE_OP_BIT(WIRE_OP_ADMINISTER);

	if (x->damaged)
		return err_set(e, BAWN_ERR_DENIED, "grants and revocations can not be read: see the service's log");
	if (why)
		return err_set(e, BAWN_ERR_USAGE, "%s", why);
	if (n->kind == WIRE_REVOCATION) {
		/* Whoever revokes must still be there to undo it. */
		if (by && administer && authority_matches(&n->match, by, NULL, true))
			return err_set(e, BAWN_ERR_USAGE,
				       "that would revoke your own right to administer; leave yourself out, or name the operations");
		return 0;
	}
	if (n->kind != WIRE_GRANT)
		return err_set(e, BAWN_ERR_USAGE, "neither a grant nor a revocation");
	if (administer)
		return err_set(e, BAWN_ERR_DENIED, "only the policy file can let somebody administer");
	if (locked)
		return err_set(e, BAWN_ERR_DENIED, "the policy is locked until bawnd restarts");
	if (n->expires && n->expires <= now)
		return err_set(e, BAWN_ERR_USAGE, "that grant would be over already");
	return 0;
}

static void drop(struct authority_entries *x, size_t i)
{
	memmove(&x->entry[i], &x->entry[i + 1], (--x->count - i) * sizeof(x->entry[0]));
}

/* Drop what says the same or its opposite; the id of the latter, or 0. */
static uint64_t drop_equal(struct authority_entries *x, const struct wire_entry *n)
{
	uint64_t lifted = 0;

	for (size_t i = 0; i < x->count;) {
		if (!authority_match_equal(&x->entry[i].match, &n->match)) {
			i++;
			continue;
		}
		if (x->entry[i].kind != n->kind)
			lifted = x->entry[i].id;
		drop(x, i);
	}
	return lifted;
}

int authority_entries_add(struct authority_entries *x, const struct wire_entry *entry,
			  const struct authority_subject *by, bool locked, uint64_t now,
			  struct authority_change *out, struct bawn_error *e)
{
	int rc = check_new(x, entry, by, locked, now, e);
	struct wire_entry *n;

	if (rc)
		return rc;
	*out = (struct authority_change){ 0 };
	out->lifted = drop_equal(x, entry);
	if (x->count == AUTHORITY_ENTRIES_MAX)
		return err_set(e, BAWN_ERR_MEMORY, "there are %u grants and revocations; remove some, or put them into the policy",
			       AUTHORITY_ENTRIES_MAX);
	n = &x->entry[x->count++];
	*n = *entry;
	n->id = out->id = x->next++;
	n->by = by ? by->uid : 0;
	n->made = now;
	if (n->kind == WIRE_REVOCATION)
		n->expires = 0;
	else
		out->blocker = blocker_of(x, &n->match);
	out->kept = keep(x, e);
	return 0;
}

int authority_entries_remove(struct authority_entries *x, uint64_t id, bool locked,
			     struct wire_entry *removed, bool *kept, struct bawn_error *e)
{
	size_t i = 0;
	int rc;

	while (i < x->count && x->entry[i].id != id)
		i++;
	if (i == x->count)
		return err_set(e, BAWN_ERR_NOT_FOUND, "no grant or revocation has the number %llu",
			       (unsigned long long)id);
	if (removed)
		*removed = x->entry[i];
	if (x->entry[i].kind == WIRE_REVOCATION) {
		if (locked)
			return err_set(e, BAWN_ERR_DENIED, "the policy is locked until bawnd restarts");
		rc = write_entries(x, i, e); /* gone from the disk first: else a crash would bring it back */
		if (rc)
			return rc;
		drop(x, i);
		x->unkept = false;
		*kept = true;
		return 0;
	}
	drop(x, i);
	*kept = keep(x, e);
	return 0;
}

int authority_entries_tidy(struct authority_entries *x, uint64_t now, struct bawn_error *e)
{
	bool changed = x->unkept;

	if (x->damaged)
		return 0;
	for (size_t i = 0; i < x->count;) {
		if (x->entry[i].expires && x->entry[i].expires <= now) {
			drop(x, i);
			changed = true;
		} else {
			i++;
		}
	}
	if (!changed || keep(x, e))
		return 0;
	return e ? e->code : BAWN_ERR_SYSTEM;
}
