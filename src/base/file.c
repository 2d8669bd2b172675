/* Files, whole: bounded reading, and writing that is never seen half done. */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int io_read_full(int fd, void *p, size_t n, struct bawn_error *e)
{
	uint8_t *b = p;

	while (n) {
		ssize_t r = read(fd, b, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_sys(e, "read");
		if (r == 0)
			return err_set(e, BAWN_ERR_FORMAT, "the input ends %zu bytes early", n);
		b += r;
		n -= (size_t)r;
	}
	return 0;
}

int io_write_full(int fd, const void *p, size_t n, struct bawn_error *e)
{
	const uint8_t *b = p;

	while (n) {
		ssize_t r = write(fd, b, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_sys(e, "write");
		b += r;
		n -= (size_t)r;
	}
	return 0;
}

/* Read to the end of fd, at most max bytes. What it held is wiped if it fails: it may be a key. */
static int read_all(int fd, const char *name, size_t max, uint8_t **out, size_t *n,
		    struct bawn_error *e)
{
	struct buf b;
	struct stat st;
	uint8_t chunk[65536];
	int rc = 0;

	buf_init(&b, max);
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(e, BAWN_ERR_FORMAT, "%s is a directory, not a file", name);
	for (;;) {
		ssize_t r = read(fd, chunk, sizeof(chunk));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			rc = err_sys(e, "cannot read %s", name);
			break;
		}
		if (r == 0)
			break;
		if ((size_t)r > max - b.n) {
			rc = err_set(e, BAWN_ERR_FORMAT, "%s is larger than %zu bytes", name, max);
			break;
		}
		buf_add(&b, chunk, (size_t)r);
		if (b.failed) {
			rc = err_nomem(e);
			break;
		}
	}
	wipe(chunk, sizeof(chunk));
	if (rc == 0 && !b.p) { /* an empty file is a pointer too */
		b.p = malloc(1);
		if (!b.p)
			rc = err_nomem(e);
	}
	if (rc) {
		buf_free(&b);
		return rc;
	}
	*out = b.p;
	*n = b.n;
	return 0;
}

static int open_failed(struct bawn_error *e, const char *name)
{
	if (errno == ENOENT)
		return err_set(e, BAWN_ERR_NOT_FOUND, "%s: no such file", name);
	if (errno == EACCES || errno == EPERM)
		return err_set(e, BAWN_ERR_DENIED, "%s: permission denied", name);
	return err_sys(e, "cannot open %s", name);
}

int io_read_file(const char *path, size_t max, uint8_t **out, size_t *n, struct bawn_error *e)
{
	int fd, rc;

	if (strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO, "standard input", max, out, n, e);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return open_failed(e, path);
	rc = read_all(fd, path, max, out, n, e);
	close(fd);
	return rc;
}

int io_read_file_at(int dirfd, const char *name, size_t max, uint8_t **out, size_t *n,
		    struct bawn_error *e)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc;

	if (fd < 0)
		return open_failed(e, name);
	rc = read_all(fd, name, max, out, n, e);
	close(fd);
	return rc;
}

/* A name beside the target that no other writer uses. */
static void temporary_name(const char *name, char *out, size_t max)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	snprintf(out, max, "%s.new.%ld.%lx", name, (long)getpid(),
		 (unsigned long)t.tv_nsec ^ (unsigned long)(uintptr_t)&t);
}

/* The rename itself must reach the disk: sync the directory that holds the name. */
static int sync_directory(int dirfd, const char *name, struct bawn_error *e)
{
	char dir[4096];
	const char *slash = strrchr(name, '/');
	int fd, rc = 0;

	if (!slash)
		strcpy(dir, ".");
	else
		snprintf(dir, sizeof(dir), "%.*s", slash == name ? 1 : (int)(slash - name), name);
	fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open directory %s", dir);
	if (fsync(fd) && errno != EINVAL && errno != EROFS)
		rc = err_sys(e, "cannot sync directory %s", dir);
	close(fd);
	return rc;
}

bool io_is_special(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, 0) == 0 && !S_ISREG(st.st_mode);
}

/* A device, a pipe: nothing to replace, the bytes go into it. */
static int write_into(int dirfd, const char *name, const void *p, size_t n, struct bawn_error *e)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC | O_NOCTTY), rc;

	if (fd < 0)
		return err_sys(e, "cannot write %s", name);
	rc = io_write_full(fd, p, n, e);
	if (close(fd) && rc == 0)
		rc = err_sys(e, "cannot close %s", name);
	return rc;
}

/* like: whose owner, group and mode it gets in place of ours and `mode`; NULL: none. */
static int write_beside(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
			const struct stat *like, struct bawn_error *e)
{
	char tmp[4096];
	int fd, rc;

	if (io_is_special(dirfd, name))
		return write_into(dirfd, name, p, n, e);

	if (strlen(name) > sizeof(tmp) - 64)
		return err_set(e, BAWN_ERR_USAGE, "file name too long");
	temporary_name(name, tmp, sizeof(tmp));
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, "cannot create %s", name);
	rc = io_write_full(fd, p, n, e);
	if (rc == 0 && like && fchown(fd, like->st_uid, like->st_gid))
		rc = err_sys(e, "cannot give %s its owner", name);
	if (rc == 0 && fchmod(fd, like ? like->st_mode & 07777 : mode))
		rc = err_sys(e, "cannot set the mode of %s", tmp);
	if (rc == 0 && fsync(fd))
		rc = err_sys(e, "cannot sync %s", tmp);
	if (close(fd) && rc == 0)
		rc = err_sys(e, "cannot close %s", tmp);
	if (rc == 0 && renameat(dirfd, tmp, dirfd, name))
		rc = err_sys(e, "cannot rename %s to %s", tmp, name);
	if (rc) {
		unlinkat(dirfd, tmp, 0);
		return rc;
	}
	return sync_directory(dirfd, name, e);
}

int io_write_file_at(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
		     struct bawn_error *e)
{
	return write_beside(dirfd, name, p, n, mode, NULL, e);
}

int io_replace_file_at(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
		       struct bawn_error *e)
{
	struct stat st;
	bool there = fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);

	return write_beside(dirfd, name, p, n, mode, there ? &st : NULL, e);
}

int io_write_file(const char *path, const void *p, size_t n, mode_t mode, struct bawn_error *e)
{
	return io_write_file_at(AT_FDCWD, path, p, n, mode, e);
}

uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

int io_make_parents(const char *name, mode_t mode, struct bawn_error *e)
{
	char path[4096];
	size_t n = strlen(name);

	if (n >= sizeof(path))
		return err_set(e, BAWN_ERR_USAGE, "the name is too long: %.80s", name);
	memcpy(path, name, n + 1);
	for (char *p = path + 1; n && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, mode) != 0 && errno != EEXIST)
			return err_sys(e, "making directory %s", path);
		*p = '/';
	}
	return 0;
}
