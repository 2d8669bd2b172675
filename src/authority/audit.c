/* The audit log, appending: one writer, in the parent. */
#include "authority/internal.h"
#include "crypto/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SEGMENT_BYTES (16u << 20)
#define SEGMENTS 16u
#define FOLLOWED_MAX (UINT64_C(1) << 20) /* lines that a log is followed over from its first key: a third of a second's hashes */

struct authority_audit {
	int dirfd;
	int lock; /* the directory again, locked */
	int fd;   /* of the file that is written to */
	struct authority_audit_options o;
	struct audit_head now;    /* as appended */
	struct wire_anchor synced;
	uint8_t proof[32]; /* of it */
	bool dirty;
	bool gone; /* what was there at the last sync was not there, or not as written, when it was opened */
	uint64_t lost, lost_told; /* lines */
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- one line ---- */

/* All of it or nothing of it: what half was written is taken back. */
static int write_line(struct authority_audit *a, const struct buf *b, struct bawn_error *e)
{
	int rc = io_write_full(a->fd, b->p, b->n, e);

	if (rc == 0)
		return 0;
	if (ftruncate(a->fd, (off_t)a->now.offset))
		log_msg(LOG_WARN, "audit log: half a line could not be taken back");
	return rc;
}

static int put(struct authority_audit *a, const struct role_audit *ev, const struct audit_extra *x,
	       struct bawn_error *e)
{
	uint8_t mac[32];
	char hex[65];
	struct buf b;
	int rc;

	buf_init(&b, AUTHORITY_AUDIT_LINE);
	audit_render(ev, a->now.anchor.count + 1, x, &b);
	if (b.failed) {
		buf_free(&b);
		return err_nomem(e);
	}
	audit_mac(a->now.key, a->now.anchor.mac, b.p, b.n, mac);
	hex_encode(mac, 32, hex);
	buf_printf(&b, ",\"mac\":\"%s\"}\n", hex);
	rc = b.failed ? err_nomem(e) : write_line(a, &b, e);
	if (rc == 0) {
		a->now.anchor.count++;
		a->now.anchor.time = ev->time / 1000000;
		a->now.offset += b.n;
		memcpy(a->now.anchor.mac, mac, 32);
		audit_key_next(a->now.key);
		a->dirty = true;
	}
	buf_free(&b);
	return rc;
}

/* A line of the log itself. */
static int put_own(struct authority_audit *a, enum wire_audit_event event, const struct audit_extra *x,
		   const char *note, struct bawn_error *e)
{
	struct role_audit ev = { .event = event, .operation = WIRE_OPERATIONS, .time = now_us() };

	snprintf(ev.note, sizeof(ev.note), "%s", note);
	return put(a, &ev, x, e);
}

/* ---- files ---- */

/* Begin the file that the next line is the first of. On failure the old one stays. */
static int begin_segment(struct authority_audit *a, struct bawn_error *e)
{
	struct audit_extra x = { .log = a->now.anchor.log };
	struct audit_head old = a->now;
	char name[AUDIT_NAME];
	int old_fd = a->fd, rc;
	uint8_t before[32];

	/* Its name may reach the disk at any time: there must be nothing missing before it then. */
	if (old_fd >= 0 && fdatasync(old_fd)) {
		wipe(&old, sizeof(old));
		return err_sys(e, "cannot sync the audit log");
	}
	audit_name(old.anchor.count + 1, name);
	memcpy(before, old.anchor.mac, 32);
	x.before = before;
	/* If there is a file of this name it has no whole line: a crash came between. */
	a->fd = openat(a->dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (a->fd < 0) {
		a->fd = old_fd;
		wipe(&old, sizeof(old));
		return err_sys(e, "cannot create %s", name);
	}
	a->now.segment = old.anchor.count + 1;
	a->now.offset = 0;
	rc = put_own(a, WIRE_AUDIT_BEGIN, &x, "", e);
	if (rc) {
		unlinkat(a->dirfd, name, 0);
		close(a->fd);
		a->fd = old_fd;
		a->now = old;
		wipe(&old, sizeof(old));
		return rc;
	}
	if (old_fd >= 0)
		close(old_fd);
	wipe(&old, sizeof(old));
	return 0;
}

/*
 * Remove the oldest files beyond the number to keep. That they go is on record,
 * and the record on disk, before they do: a power failure must not leave it the
 * other way round.
 */
static int drop_segments(struct authority_audit *a, struct bawn_error *e)
{
	uint64_t *list;
	size_t n, drop;
	int rc = audit_segments(a->dirfd, &list, &n, e);

	drop = rc == 0 && n > a->o.segments ? n - a->o.segments : 0;
	for (size_t i = 0; rc == 0 && i < drop; i++) {
		struct audit_extra x = { .first = list[i], .last = list[i + 1] - 1 };

		rc = put_own(a, WIRE_AUDIT_DROP, &x, "", e);
	}
	if (rc == 0 && drop && fdatasync(a->fd))
		rc = err_sys(e, "cannot sync the audit log");
	for (size_t i = 0; rc == 0 && i < drop; i++) {
		char name[AUDIT_NAME];

		audit_name(list[i], name);
		if (unlinkat(a->dirfd, name, 0))
			rc = err_sys(e, "cannot remove %s", name);
	}
	free(list);
	return rc;
}

static int rotate(struct authority_audit *a, struct bawn_error *e)
{
	struct bawn_error ignored = { 0 };
	int rc = begin_segment(a, e);

	if (rc)
		return rc;
	/* A file too many, or a head that is recorded later, is no reason to lose a line. */
	if (drop_segments(a, &ignored) || authority_audit_sync(a, &ignored))
		log_msg(LOG_WARN, "audit log: %s", ignored.msg);
	return 0;
}

/* ---- appending ---- */

/* For the line that tells of the loss, and for one after it of any length, which would be lost again otherwise. */
static int make_room(struct authority_audit *a, struct bawn_error *e)
{
	int rc = fallocate(a->fd, FALLOC_FL_KEEP_SIZE, (off_t)a->now.offset, 2 * AUTHORITY_AUDIT_LINE);

	return rc && errno != EOPNOTSUPP && errno != ENOSYS ? err_sys(e, "no room for the audit log") : 0;
}

int authority_audit_recover(struct authority_audit *a, struct bawn_error *e)
{
	struct audit_extra x = { .lost = a->lost - a->lost_told };
	int rc = 0;

	if (a->now.offset + AUTHORITY_AUDIT_LINE > a->o.segment_bytes)
		rc = rotate(a, e);
	if (rc == 0 && x.lost)
		rc = make_room(a, e);
	if (rc == 0 && x.lost) {
		rc = put_own(a, WIRE_AUDIT_RECOVER, &x, "lines could not be written", e);
		if (rc == 0)
			a->lost_told = a->lost;
	}
	return rc;
}

int authority_audit_append(struct authority_audit *a, const struct role_audit *ev, struct bawn_error *e)
{
	int rc = authority_audit_recover(a, e);

	if (rc == 0)
		rc = put(a, ev, NULL, e);
	if (rc)
		a->lost++;
	return rc;
}

int authority_audit_sync(struct authority_audit *a, struct bawn_error *e)
{
	int rc;

	if (!a->dirty)
		return 0;
	if (fdatasync(a->fd))
		return err_sys(e, "cannot sync the audit log");
	rc = audit_head_write(a->dirfd, &a->now, e);
	if (rc)
		return rc;
	a->synced = a->now.anchor;
	audit_prove(a->now.key, &a->synced, a->proof);
	a->dirty = false;
	return 0;
}

void authority_audit_head(const struct authority_audit *a, struct wire_anchor *out)
{
	*out = a->synced;
}

void authority_audit_proof(const struct authority_audit *a, uint8_t proof[32])
{
	memcpy(proof, a->proof, sizeof(a->proof));
}

/* Whoever begins with this key comes to the one that the log goes on with. */
static bool leads_on(const struct authority_audit *a, const uint8_t first[32])
{
	uint8_t key[32];
	bool same;

	if (a->now.anchor.count > FOLLOWED_MAX)
		return false;
	memcpy(key, first, sizeof(key));
	for (uint64_t n = 0; n < a->now.anchor.count; n++)
		audit_key_next(key);
	same = ct_equal(key, a->now.key, sizeof(key));
	wipe(key, sizeof(key));
	return same;
}

/* The first key, if its owner left it here, it is this log's, and the log goes on as it began. */
static bool first_key(const struct authority_audit *a, uint8_t key[32])
{
	struct authority_audit_key k = { 0 };
	uint8_t *text, log[16];
	bool good;
	size_t n;

	if (io_read_file_at(a->dirfd, AUTHORITY_AUDIT_KEY_FILE, 4096, &text, &n, NULL))
		return false;
	good = authority_audit_key_parse((const char *)text, n, &k, NULL) == 0;
	wipe(text, n);
	free(text);
	audit_log_name(k.key, log);
	/* Another log's, put here, is no more use than none. */
	good = good && memcmp(log, a->now.anchor.log, sizeof(log)) == 0 && leads_on(a, k.key);
	if (good)
		memcpy(key, k.key, 32);
	wipe(&k, sizeof(k));
	return good;
}

int authority_audit_follow(struct authority_audit *a, struct wire_anchor *from, uint8_t key[32], struct bawn_error *e)
{
	int rc = authority_audit_sync(a, e);

	if (rc)
		return rc;
	*from = (struct wire_anchor){ 0 };
	memcpy(from->log, a->now.anchor.log, sizeof(from->log));
	if (!first_key(a, key)) {
		*from = a->now.anchor;
		memcpy(key, a->now.key, 32);
	}
	return 0;
}

struct look {
	uint64_t number;
	struct role_line *out;
};

/* The first line from this number on: the one of this number, or that is not there. */
static int look_at(void *arg, const struct authority_line *l, struct cur text)
{
	struct look *k = arg;

	(void)text;
	k->out->has = l->n == k->number;
	if (k->out->has)
		memcpy(k->out->mac, l->mac, sizeof(k->out->mac));
	return 1;
}

static int look_for_drops(void *arg, const struct authority_line *l, struct cur text)
{
	struct look *k = arg;

	(void)text;
	if (l->event.n == 4 && memcmp(l->event.p, "drop", 4) == 0 && l->last > k->out->dropped)
		k->out->dropped = l->last;
	return 0;
}

int authority_audit_look(const struct authority_audit *a, uint64_t number, struct role_line *out,
			 struct bawn_error *e)
{
	struct look k = { .number = number, .out = out };
	int rc;

	*out = (struct role_line){ .last = a->now.anchor.count, .gone = a->gone };
	memcpy(out->log, a->now.anchor.log, sizeof(out->log));
	if (!number) /* the end alone is wanted */
		return 0;
	rc = authority_audit_each(a->dirfd, number, look_at, &k, e);
	if (rc >= 0 && !out->has)
		rc = authority_audit_each(a->dirfd, 0, look_for_drops, &k, e);
	return rc < 0 ? rc : 0;
}

uint64_t authority_audit_lost(const struct authority_audit *a)
{
	return a->lost;
}

/* ---- beginning a log ---- */

/* Files of another log get out of the way: kept, under a name that no log has. */
static int set_aside(int dirfd, const char *name, const uint8_t log[16], struct bawn_error *e)
{
	char hex[9], to[AUDIT_NAME + 32];

	hex_encode(log, 4, hex);
	snprintf(to, sizeof(to), "%s.before-%s", name, hex);
	if (renameat(dirfd, name, dirfd, to) && errno != ENOENT)
		return err_sys(e, "cannot rename %s", name);
	return 0;
}

/* All files whose first line has a number above this one. */
static int set_later_aside(int dirfd, uint64_t number, const uint8_t log[16], struct bawn_error *e)
{
	uint64_t *list;
	size_t n;
	int rc = audit_segments(dirfd, &list, &n, e);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		char name[AUDIT_NAME];

		audit_name(list[i], name);
		if (list[i] > number)
			rc = set_aside(dirfd, name, log, e);
	}
	free(list);
	return rc;
}

static int begin_log(struct authority_audit *a, struct bawn_error *e)
{
	char text[98];
	int rc = crypto_random(a->now.key, 32, e);

	audit_log_name(a->now.key, a->now.anchor.log);
	if (rc == 0)
		rc = set_later_aside(a->dirfd, 0, a->now.anchor.log, e);
	if (rc == 0)
		rc = set_aside(a->dirfd, AUTHORITY_AUDIT_KEY_FILE, a->now.anchor.log, e);
	if (rc == 0)
		rc = set_aside(a->dirfd, AUDIT_HEAD_FILE, a->now.anchor.log, e);
	if (rc)
		return rc;
	hex_encode(a->now.anchor.log, 16, text);
	hex_encode(a->now.key, 32, text + 32);
	text[96] = '\n';
	/* The key before the first line under it: else there could be lines that nobody can verify. */
	rc = io_write_file_at(a->dirfd, AUTHORITY_AUDIT_KEY_FILE, text, 97, 0600, e);
	wipe(text, sizeof(text));
	if (rc == 0)
		rc = begin_segment(a, e);
	return rc ? rc : authority_audit_sync(a, e);
}

/* ---- taking up a log ---- */

struct recovery {
	uint64_t cut;  /* bytes behind the last good line */
	bool damaged;  /* they, or lines before them, are not what a crash leaves */
};

/* Verify the lines of the current file from the head on: the head moves to the last good one. */
static int read_on(struct authority_audit *a, struct recovery *rec, struct bawn_error *e)
{
	struct audit_reader *r = NULL;
	struct cur line;
	int rc = audit_reader_open(&r, a->dirfd, a->now.segment, a->now.offset, e);

	while (rc == 0 && (rc = audit_reader_next(r, &line, e)) > 0) {
		struct bawn_error ignored = { 0 };
		struct authority_line l;
		uint8_t mac[32];

		rc = 0;
		if (authority_line_parse(line.p, line.n, &l, &ignored))
			break;
		audit_mac(a->now.key, a->now.anchor.mac, line.p, l.maced, mac);
		if (l.n != a->now.anchor.count + 1 || !ct_equal(mac, l.mac, 32))
			break;
		a->now.anchor.count = l.n;
		memcpy(a->now.anchor.mac, mac, 32);
		audit_key_next(a->now.key);
		a->now.offset = r->offset;
		a->dirty = true;
		line = cur_make(NULL, 0);
	}
	if (rc == 0) {
		struct stat st;

		rec->damaged = r->offset > a->now.offset; /* a whole line that does not verify */
		rec->cut = fstat(r->fd, &st) == 0 && (uint64_t)st.st_size > a->now.offset ?
				   (uint64_t)st.st_size - a->now.offset :
				   0;
	}
	audit_reader_free(&r);
	return rc;
}

/* Copy what does not verify to a file of its own. */
static int save_damage(struct authority_audit *a, uint64_t bytes, struct bawn_error *e)
{
	char name[AUDIT_NAME], to[AUDIT_NAME + 48];
	uint8_t *p = malloc(bytes < SEGMENT_BYTES ? bytes : SEGMENT_BYTES);
	ssize_t n;
	int fd, rc;

	if (!p)
		return err_nomem(e);
	audit_name(a->now.segment, name);
	snprintf(to, sizeof(to), "%s.damaged-%llu", name, (unsigned long long)a->now.anchor.count + 1);
	fd = openat(a->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	n = fd < 0 ? -1 : pread(fd, p, bytes < SEGMENT_BYTES ? bytes : SEGMENT_BYTES, (off_t)a->now.offset);
	rc = n < 0 ? err_sys(e, "cannot read %s", name) :
		     io_write_file_at(a->dirfd, to, p, (size_t)n, 0600, e);
	if (fd >= 0)
		close(fd);
	free(p);
	return rc;
}

/* Open the current file for appending behind the last good line. */
static int open_segment(struct authority_audit *a, struct bawn_error *e)
{
	char name[AUDIT_NAME];

	audit_name(a->now.segment, name);
	a->fd = openat(a->dirfd, name, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (a->fd < 0)
		return err_sys(e, "cannot open %s", name);
	return ftruncate(a->fd, (off_t)a->now.offset) ? err_sys(e, "cannot cut %s", name) : 0;
}

/* True if the file that would be the next one is there: begun after the head was recorded. */
static bool next_segment(struct authority_audit *a)
{
	char name[AUDIT_NAME];

	audit_name(a->now.anchor.count + 1, name);
	if (a->now.segment == a->now.anchor.count + 1 || faccessat(a->dirfd, name, F_OK, 0))
		return false;
	a->now.segment = a->now.anchor.count + 1;
	a->now.offset = 0;
	return true;
}

/* The file that the record speaks of is gone, or shorter than it was. */
static int begin_after_loss(struct authority_audit *a, struct bawn_error *e)
{
	struct audit_extra x = { 0 };
	int rc = set_later_aside(a->dirfd, a->now.anchor.count, a->now.anchor.log, e);

	a->gone = true;
	log_msg(LOG_ERROR, "audit log: lines up to %llu, or some of them, are gone",
		(unsigned long long)a->now.anchor.count);
	if (rc == 0)
		rc = begin_segment(a, e);
	return rc ? rc : put_own(a, WIRE_AUDIT_RECOVER, &x, "lines before this were gone", e);
}

static bool segment_is_whole(const struct authority_audit *a)
{
	char name[AUDIT_NAME];
	struct stat st;

	audit_name(a->now.segment, name);
	return fstatat(a->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size >= a->now.offset;
}

/* That something was cut off, or that a line is missing that says so: a full disk is no reason not to begin. */
static void put_cut(struct authority_audit *a, const struct recovery *rec)
{
	const struct audit_extra x = { .cut = rec->cut };
	struct bawn_error e = { 0 };

	if (put_own(a, WIRE_AUDIT_RECOVER, &x,
		    rec->damaged ? "lines that did not verify were set aside" : "a line cut off by a crash was removed",
		    &e) == 0)
		return;
	a->lost++;
	log_msg(LOG_WARN, "audit log: %llu bytes after line %llu were cut off, which cannot be written down: %s",
		(unsigned long long)rec->cut, (unsigned long long)a->now.anchor.count, e.msg);
}

static int take_up(struct authority_audit *a, struct bawn_error *e)
{
	struct recovery rec = { 0 };
	int rc;

	if (!segment_is_whole(a))
		return begin_after_loss(a, e);
	do
		rc = read_on(a, &rec, e);
	while (rc == 0 && !rec.cut && next_segment(a));
	if (rc == 0 && rec.damaged)
		rc = save_damage(a, rec.cut, e);
	if (rc == 0 && rec.cut) /* what follows the damage can not be verified either */
		rc = set_later_aside(a->dirfd, a->now.anchor.count + 1, a->now.anchor.log, e);
	if (rc == 0)
		rc = a->now.offset ? open_segment(a, e) : begin_segment(a, e);
	if (rc == 0 && rec.cut)
		put_cut(a, &rec);
	return rc;
}

static int open_log(struct authority_audit *a, struct bawn_error *e)
{
	int rc = audit_head_read(a->dirfd, &a->now, e);

	if (rc == 0) {
		rc = take_up(a, e);
	} else if (rc == BAWN_ERR_NOT_FOUND || rc == BAWN_ERR_FORMAT) {
		/* Without a head the log can not go on under its key: another one begins. */
		if (e)
			*e = (struct bawn_error){ 0 };
		memset(&a->now, 0, sizeof(a->now));
		return begin_log(a, e);
	}
	if (rc)
		return rc;
	a->dirty = true;
	return authority_audit_sync(a, e);
}

int authority_audit_open(struct authority_audit **out, int dirfd, const struct authority_audit_options *o,
			 struct bawn_error *e)
{
	struct authority_audit *a = calloc(1, sizeof(*a));
	int rc = 0;

	if (!a)
		return err_nomem(e);
	a->dirfd = dirfd;
	a->fd = -1;
	a->o.segment_bytes = o && o->segment_bytes ? o->segment_bytes : SEGMENT_BYTES;
	a->o.segments = o && o->segments ? o->segments : SEGMENTS;
	if (a->o.segment_bytes < 65536)
		a->o.segment_bytes = 65536;
	if (a->o.segments < 2)
		a->o.segments = 2;
	a->lock = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a->lock < 0)
		rc = err_sys(e, "cannot open the audit log's directory");
	else if (flock(a->lock, LOCK_EX | LOCK_NB))
		rc = errno == EWOULDBLOCK ? err_set(e, BAWN_ERR_BUSY, "another process has the audit log open") :
					    err_sys(e, "cannot lock the audit log's directory");
	if (rc == 0)
		rc = open_log(a, e);
	if (rc) {
		authority_audit_free(&a);
		return rc;
	}
	*out = a;
	return 0;
}

void authority_audit_free(struct authority_audit **a)
{
	struct bawn_error e = { 0 };

	if (!*a)
		return;
	if ((*a)->fd >= 0 && authority_audit_sync(*a, &e))
		log_msg(LOG_WARN, "audit log: %s", e.msg);
	if ((*a)->fd >= 0)
		close((*a)->fd);
	if ((*a)->lock >= 0)
		close((*a)->lock);
	wipe(*a, sizeof(**a));
	free(*a);
	*a = NULL;
}
