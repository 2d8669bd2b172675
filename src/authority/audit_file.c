/* Files of the audit log: their names, their lines, the record of the head. */
#include "authority/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- names ---- */

#define DIGITS 12u
#define SEGMENTS_MAX 100000u

void audit_name(uint64_t first, char out[AUDIT_NAME])
{
	snprintf(out, AUDIT_NAME, "audit-%012" PRIu64 ".log", first);
}

static bool parse_name(const char *name, uint64_t *first)
{
	char again[AUDIT_NAME];
	const char *digits = name + 6;
	size_t zeros, n;

	if (strncmp(name, "audit-", 6) != 0)
		return false;
	n = strspn(digits, "0123456789");
	zeros = strspn(digits, "0");
	if (n < DIGITS || zeros == n || !words_number(digits + zeros, n - zeros, UINT64_MAX, first))
		return false;
	audit_name(*first, again);
	return strcmp(name, again) == 0;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int collect(DIR *d, uint64_t **list, size_t *n, struct bawn_error *e)
{
	size_t cap = 0;
	struct dirent *ent;

	while ((errno = 0, ent = readdir(d))) {
		uint64_t first, *grown;

		if (!parse_name(ent->d_name, &first))
			continue;
		if (*n == cap) {
			cap = cap ? cap * 2 : 64;
			grown = cap <= SEGMENTS_MAX ? realloc(*list, cap * sizeof(**list)) : NULL;
			if (!grown)
				return err_nomem(e);
			*list = grown;
		}
		(*list)[(*n)++] = first;
	}
	return errno ? err_sys(e, "cannot read the audit log's directory") : 0;
}

int audit_segments(int dirfd, uint64_t **out, size_t *n, struct bawn_error *e)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	*out = NULL;
	*n = 0;
	if (!d) {
		rc = err_sys(e, "cannot open the audit log's directory");
		if (fd >= 0)
			close(fd);
		return rc;
	}
	rc = collect(d, out, n, e);
	closedir(d);
	if (rc) {
		free(*out);
		*out = NULL;
		return rc;
	}
	if (*n)
		qsort(*out, *n, sizeof(**out), ascending);
	return 0;
}

/* ---- lines ---- */

int audit_reader_open(struct audit_reader **out, int dirfd, uint64_t segment, uint64_t offset,
		      struct bawn_error *e)
{
	struct audit_reader *r = malloc(sizeof(*r));
	char name[AUDIT_NAME];

	if (!r)
		return err_nomem(e);
	audit_name(segment, name);
	r->start = r->end = 0;
	r->line = 0;
	r->offset = offset;
	r->fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (r->fd < 0 || lseek(r->fd, (off_t)offset, SEEK_SET) < 0) {
		int rc = errno == ENOENT ? err_set(e, BAWN_ERR_NOT_FOUND, "%s: no such file", name) :
					   err_sys(e, "cannot read %s", name);

		if (r->fd >= 0)
			close(r->fd);
		free(r);
		return rc;
	}
	*out = r;
	return 0;
}

void audit_reader_free(struct audit_reader **r)
{
	if (*r)
		close((*r)->fd);
	free(*r);
	*r = NULL;
}

/* Take n bytes as a line; `ended`: the line end after them too. */
static int take(struct audit_reader *r, size_t n, bool ended, struct cur *line)
{
	*line = cur_make(r->buf + r->start, n);
	r->start += n + ended;
	r->offset += n + ended;
	r->line++;
	return 1;
}

int audit_reader_next(struct audit_reader *r, struct cur *line, struct bawn_error *e)
{
	for (;;) {
		size_t have = r->end - r->start;
		const uint8_t *nl = have ? memchr(r->buf + r->start, '\n', have) : NULL;
		ssize_t got;

		if (nl)
			return take(r, (size_t)(nl - (r->buf + r->start)), true, line);
		if (have >= AUTHORITY_AUDIT_LINE)
			return take(r, have, false, line);
		memmove(r->buf, r->buf + r->start, have);
		r->start = 0;
		r->end = have;
		got = read(r->fd, r->buf + have, sizeof(r->buf) - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, "cannot read the audit log");
		if (got == 0) {
			*line = cur_make(r->buf, have);
			return 0;
		}
		r->end += (size_t)got;
	}
}

/* ---- the head ---- */

static const struct wire_field head_fields[] = {
	F_PART(struct audit_head, anchor, wire_anchor_layout),
	F_BYTES(struct audit_head, key),
	F_UINT(struct audit_head, segment),
	F_UINT(struct audit_head, offset),
};

static const char *head_flaw(const void *host)
{
	const struct audit_head *h = host;

	if (h->segment > h->anchor.count + 1 || h->offset > INT64_MAX)
		return "a file that can not be";
	return NULL;
}

static const struct wire_layout head_layout =
	LAYOUT(struct audit_head, "audit-head", head_fields, .flaw = head_flaw);

int audit_head_read(int dirfd, struct audit_head *out, struct bawn_error *e)
{
	uint8_t *p;
	size_t n;
	struct cur c;
	int rc = authority_state_read(dirfd, AUDIT_HEAD_FILE, wire_size(&head_layout), &p, &n, e);

	if (rc)
		return rc;
	c = cur_make(p, n);
	rc = wire_decode(&head_layout, &c, out, e);
	wipe(p, n);
	free(p);
	if (rc == 0 && c.n)
		rc = err_set(e, BAWN_ERR_FORMAT, "audit-head: %zu bytes too many", c.n);
	return rc;
}

int audit_head_write(int dirfd, const struct audit_head *h, struct bawn_error *e)
{
	struct buf b;
	int rc;

	buf_init(&b, wire_size(&head_layout));
	wire_encode(&head_layout, h, &b);
	rc = b.failed ? err_nomem(e) :
			authority_state_write(dirfd, AUDIT_HEAD_FILE, b.p, b.n, b.n, e);
	buf_free(&b);
	return rc;
}

/* ---- anchors ---- */

void authority_anchor_encode(const struct wire_anchor *a, uint8_t out[AUTHORITY_ANCHOR])
{
	struct buf b;

	memset(out, 0, AUTHORITY_ANCHOR);
	buf_init(&b, AUTHORITY_ANCHOR);
	wire_encode(&wire_anchor_layout, a, &b);
	if (!b.failed)
		memcpy(out, b.p, b.n);
	buf_free(&b);
}

int authority_anchor_decode(const void *p, size_t n, struct wire_anchor *out, struct bawn_error *e)
{
	struct cur c = cur_make(p, n);
	int rc = wire_decode(&wire_anchor_layout, &c, out, e);

	if (rc == 0 && c.n)
		rc = err_set(e, BAWN_ERR_FORMAT, "anchor: %zu bytes too many", c.n);
	return rc;
}

enum authority_audit_finding authority_anchor_compare(const struct wire_anchor *a,
						      const struct role_line *line)
{
	if (memcmp(a->log, line->log, sizeof(a->log)) != 0)
		return AUTHORITY_AUDIT_OTHER;
	if (line->last < a->count)
		return AUTHORITY_AUDIT_CUT;
	if (line->gone)
		return AUTHORITY_AUDIT_MISSING;
	if (line->has)
		return ct_equal(a->mac, line->mac, 32) ? AUTHORITY_AUDIT_SOUND : AUTHORITY_AUDIT_CHANGED;
	return a->count <= line->dropped ? AUTHORITY_AUDIT_SOUND : AUTHORITY_AUDIT_MISSING;
}
