/*
 * The power fails while the audit log is written: at each call that changes names or
 * brings something to the disk, what may be on the disk then is made a log of, taken up
 * and verified. Whatever reached the disk and what not, nothing is found that was not
 * done by somebody, and the end that the vault was told of last is there.
 *
 * What may be there: names as they are, or as of the directory's last sync; of each
 * file what was written, or what it had at its own last sync.
 */
#include "tests/authority/kit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES 512
#define NAMES 32

struct bytes {
	uint8_t *p;
	size_t n;
};

static struct file {
	ino_t ino;
	bool live;
	struct bytes synced, last; /* last: what it had when it went */
} file[FILES];
static size_t files;

static struct name {
	char text[64];
	size_t file;
} synced[NAMES];
static size_t nsynced;

static int log_dir = -1, image_dir = -1;
static bool watching;
static struct wire_anchor told;
static unsigned instants, failures;

/* ---- what is on the disk ---- */

static void keep(struct bytes *b, int dir, const char *name)
{
	struct bawn_error e = { 0 };

	free(b->p);
	*b = (struct bytes){ 0 };
	if (io_read_file_at(dir, name, 1u << 20, &b->p, &b->n, &e))
		ok(false, "cannot read %s: %s", name, e.msg);
}

/* The file that has this name. */
static size_t file_of(const char *name)
{
	struct stat st;

	if (fstatat(log_dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return FILES;
	for (size_t i = 0; i < files; i++)
		if (file[i].live && file[i].ino == st.st_ino)
			return i;
	if (files == FILES) {
		ok(false, "too many files");
		exit(1);
	}
	file[files] = (struct file){ .ino = st.st_ino, .live = true };
	return files++;
}

static size_t list_names(struct name out[NAMES])
{
	DIR *d = fdopendir(openat(log_dir, ".", O_RDONLY | O_DIRECTORY));
	struct dirent *ent;
	size_t n = 0;

	while (d && n < NAMES && (ent = readdir(d)))
		if (ent->d_name[0] != '.' && strlen(ent->d_name) < sizeof(out->text)) {
			strcpy(out[n].text, ent->d_name);
			out[n].file = file_of(ent->d_name);
			n++;
		}
	if (d)
		closedir(d);
	return n;
}

/* This name is about to go, and its file with it. */
static void goes(const char *name)
{
	size_t f = file_of(name);

	if (f == FILES)
		return;
	keep(&file[f].last, log_dir, name);
	file[f].live = false;
}

static const struct bytes *content(const struct name *n, const struct name *now, size_t nnow, bool as_synced)
{
	static struct bytes current;

	if (as_synced)
		return &file[n->file].synced;
	if (!file[n->file].live)
		return &file[n->file].last;
	for (size_t i = 0; i < nnow; i++)
		if (now[i].file == n->file) {
			keep(&current, log_dir, now[i].text);
			return &current;
		}
	return &file[n->file].synced;
}

static void make_image(bool old_names, bool as_synced)
{
	struct name now[NAMES];
	size_t n = list_names(now), k = old_names ? nsynced : n;
	DIR *d = fdopendir(openat(image_dir, ".", O_RDONLY | O_DIRECTORY));
	struct dirent *ent;

	while (d && (ent = readdir(d)))
		unlinkat(image_dir, ent->d_name, 0);
	if (d)
		closedir(d);
	for (size_t i = 0; i < k; i++) {
		const struct name *x = old_names ? &synced[i] : &now[i];
		const struct bytes *b = content(x, now, n, as_synced);
		int fd = openat(image_dir, x->text, O_WRONLY | O_CREAT | O_EXCL, 0600);

		if (fd < 0 || io_write_full(fd, b->p, b->n, NULL))
			ok(false, "cannot write %s", x->text);
		close(fd);
	}
}

/* ---- what becomes of it ---- */

static const struct authority_audit_options options = { .segment_bytes = 65536, .segments = 2 };

__attribute__((format(printf, 3, 4))) static void fails(bool old_names, bool as_synced, const char *fmt, ...)
{
	va_list ap;

	failures++;
	printf("# instant %u, names %s, contents %s: ", instants, old_names ? "as synced" : "as they are",
	       as_synced ? "as synced" : "as they are");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

static void look(bool old_names, bool as_synced)
{
	struct authority_audit_key key;
	struct authority_audit_report report;
	struct authority_audit *a = NULL;
	struct bawn_error e = { 0 };
	struct role_line line;
	uint8_t *text;
	size_t n;

	make_image(old_names, as_synced);
	if (authority_audit_open(&a, image_dir, &options, &e)) {
		fails(old_names, as_synced, "not taken up: %s", e.msg);
		return;
	}
	if (told.count) {
		if (authority_audit_look(a, told.count, &line, &e))
			fails(old_names, as_synced, "not read: %s", e.msg);
		else if (authority_anchor_compare(&told, &line) != AUTHORITY_AUDIT_SOUND)
			fails(old_names, as_synced, "line %llu, that was told: %s", (unsigned long long)told.count,
			      authority_audit_finding_name(authority_anchor_compare(&told, &line)));
	}
	authority_audit_free(&a);
	if (io_read_file_at(image_dir, AUTHORITY_AUDIT_KEY_FILE, 1000, &text, &n, &e) ||
	    authority_audit_key_parse((const char *)text, n, &key, &e) ||
	    authority_audit_verify(image_dir, &key, told.count ? &told : NULL, &report, &e)) {
		fails(old_names, as_synced, "not verified: %s", e.msg);
		return;
	}
	free(text);
	if (report.finding)
		fails(old_names, as_synced, "%s: %s", authority_audit_finding_name(report.finding), report.text);
}

static void instant(void)
{
	const int kept = errno;

	watching = false;
	instants++;
	for (unsigned i = 0; i < 4 && !failures; i++)
		look(i & 1, i & 2);
	watching = true;
	errno = kept;
}

/* ---- the calls; nothing is really synced, since nothing really fails ---- */

int __real_openat(int dir, const char *name, int flags, ...);
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);
int __wrap_openat(int dir, const char *name, int flags, ...);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_unlinkat(int dir, const char *name, int flags);

static void brought(int fd)
{
	struct name now[NAMES];
	struct stat st;
	size_t n;

	if (!watching || fstat(fd, &st))
		return;
	watching = false;
	n = list_names(now);
	if (S_ISDIR(st.st_mode)) {
		memcpy(synced, now, sizeof(now));
		nsynced = n;
	}
	for (size_t i = 0; i < n; i++)
		if (file[now[i].file].ino == st.st_ino)
			keep(&file[now[i].file].synced, log_dir, now[i].text);
	watching = true;
	instant();
}

int __wrap_fdatasync(int fd)
{
	brought(fd);
	return 0;
}

int __wrap_fsync(int fd)
{
	brought(fd);
	return 0;
}

static int opened(int dir, int flags, int fd)
{
	if (watching && dir == log_dir && flags & O_CREAT)
		instant();
	return fd;
}

int __wrap_openat(int dir, const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return opened(dir, flags, __real_openat(dir, name, flags, mode));
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	bool on = watching && from_dir == log_dir && faccessat(log_dir, from, F_OK, 0) == 0;
	int r;

	if (on)
		goes(to);
	r = __real_renameat(from_dir, from, to_dir, to);
	if (on)
		instant();
	return r;
}

int __wrap_unlinkat(int dir, const char *name, int flags)
{
	bool on = watching && dir == log_dir && faccessat(log_dir, name, F_OK, 0) == 0;
	int r;

	if (on)
		goes(name);
	r = __real_unlinkat(dir, name, flags);
	if (on)
		instant();
	return r;
}

/* ---- the log ---- */

static void writes(struct authority_audit *a, unsigned n)
{
	struct role_audit ev = { .event = WIRE_AUDIT_REQUEST, .operation = WIRE_OP_QUOTE, .protocol = ROLE_NATIVE,
				 .reason = WIRE_REASON_RULE, .line = 12, .has_subject = true, .uid = 1,
				 .socket = "native", .cgroup = "/system.slice/a.service" };
	struct bawn_error e = { 0 };

	memset(ev.note, '"', sizeof(ev.note) - 1); /* three times as long in the log */
	memset(ev.cgroup + 20, '"', sizeof(ev.cgroup) - 21);
	for (unsigned i = 0; i < n && !failures; i++) {
		ev.time = UINT64_C(1700000000123456) + i * 1000000;
		if (authority_audit_append(a, &ev, &e))
			ok(false, "append: %s", e.msg);
		authority_audit_head(a, &told);
		if (i % 7 == 6 && authority_audit_sync(a, &e))
			ok(false, "sync: %s", e.msg);
		authority_audit_head(a, &told);
	}
}

int main(void)
{
	struct authority_audit *a = NULL;
	struct bawn_error e = { 0 };
	struct name now[NAMES];
	size_t n;

	log_dir = kit_dir();
	image_dir = kit_dir();
	watching = true;
	ok(authority_audit_open(&a, log_dir, &options, &e) == 0, "a log");
	writes(a, 150);
	authority_audit_free(&a);
	is_int(failures, 0, "whenever the power fails, the log is sound, and has what was told of it");
	ok(instants > 99, "... at %u instants", instants);
	ok(authority_audit_open(&a, log_dir, &options, &e) == 0, "taken up");
	writes(a, 50);
	authority_audit_free(&a);
	is_int(failures, 0, "... the same then");
	watching = false;
	n = list_names(now);
	while (n && strcmp(now[n - 1].text, "audit-000000000001.log") != 0)
		n--;
	is_int((long)n, 0, "files were rotated away meanwhile");
	return tap_done();
}
