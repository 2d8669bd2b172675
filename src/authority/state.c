/* State files: an envelope that tells damage, and writing that SIGKILL can not cut in two. */
#include "authority/authority.h"
#include "crypto/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the envelope ---- */

#define MAGIC "BAWNSTA1"
#define HEAD (8 + AUTHORITY_STATE_NAME + 8)
#define SUM 32u

void authority_state_seal(const char *name, const void *p, size_t n, struct buf *out)
{
	uint8_t head[HEAD] = { 0 }, sum[SUM];
	size_t start = out->n;

	memcpy(head, MAGIC, 8);
	snprintf((char *)head + 8, AUTHORITY_STATE_NAME, "%s", name);
	put_le64(head + 8 + AUTHORITY_STATE_NAME, n);
	buf_add(out, head, sizeof(head));
	buf_add(out, p, n);
	if (out->failed)
		return;
	crypto_sha256(out->p + start, out->n - start, sum);
	buf_add(out, sum, sizeof(sum));
}

int authority_state_open(const char *name, const void *p, size_t n, struct cur *contents,
			 struct bawn_error *e)
{
	uint8_t head[HEAD], want[HEAD] = { 0 }, sum[SUM], found[SUM];
	struct cur c = cur_make(p, n);

	memcpy(want, MAGIC, 8);
	snprintf((char *)want + 8, AUTHORITY_STATE_NAME, "%s", name);
	if (!cur_bytes(&c, head, sizeof(head)) || memcmp(head, want, HEAD - 8) != 0)
		return err_set(e, BAWN_ERR_FORMAT, "%s: not the state file of this name", name);
	if (c.n < SUM || get_le64(head + HEAD - 8) != c.n - SUM)
		return err_set(e, BAWN_ERR_FORMAT, "%s: the file is cut short, or too long", name);
	cur_sub(&c, c.n - SUM, contents);
	cur_bytes(&c, found, SUM);
	crypto_sha256(p, n - SUM, sum);
	if (!ct_equal(sum, found, SUM))
		return err_set(e, BAWN_ERR_FORMAT, "%s: the checksum does not hold", name);
	return 0;
}

/* ---- the file ---- */

#define NEXT ".new"

static int open_next(int dirfd, const char *next, struct bawn_error *e)
{
	/* Not truncated: the space that it has is what makes a full disk no matter. */
	int fd = openat(dirfd, next, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0)
		return err_sys(e, "cannot create %s", next);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return err_set(e, BAWN_ERR_SYSTEM, "%s is no regular file", next);
}

static int write_next(int fd, const char *next, const struct buf *b, struct bawn_error *e)
{
	int rc = io_write_full(fd, b->p, b->n, e);

	if (rc == 0 && ftruncate(fd, (off_t)b->n))
		rc = err_sys(e, "cannot size %s", next);
	if (rc == 0 && fchmod(fd, 0600))
		rc = err_sys(e, "cannot set the mode of %s", next);
	if (rc == 0 && fsync(fd))
		rc = err_sys(e, "cannot sync %s", next);
	return rc;
}

/* The next version's place on the disk. It need not succeed: it is needed only when nothing does. */
static void keep_space(int dirfd, const char *next, size_t reserve)
{
	int fd = openat(dirfd, next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return;
	if (reserve && posix_fallocate(fd, 0, (off_t)reserve))
		unlinkat(dirfd, next, 0);
	close(fd);
}

int authority_state_write(int dirfd, const char *name, const void *p, size_t n, size_t reserve,
			  struct bawn_error *e)
{
	char next[AUTHORITY_STATE_NAME + sizeof(NEXT)];
	struct buf b;
	int fd, rc;

	if (!*name || strlen(name) >= AUTHORITY_STATE_NAME || strchr(name, '/'))
		return err_set(e, BAWN_ERR_USAGE, "not the name of a state file: %.40s", name);
	snprintf(next, sizeof(next), "%s" NEXT, name);
	buf_init(&b, n + HEAD + SUM);
	authority_state_seal(name, p, n, &b);
	fd = b.failed ? err_nomem(e) : open_next(dirfd, next, e);
	rc = fd < 0 ? fd : write_next(fd, next, &b, e);
	if (fd >= 0 && close(fd) && rc == 0)
		rc = err_sys(e, "cannot close %s", next);
	if (rc == 0 && renameat(dirfd, next, dirfd, name))
		rc = err_sys(e, "cannot rename %s to %s", next, name);
	if (rc == 0 && fsync(dirfd) && errno != EINVAL && errno != EROFS)
		rc = err_sys(e, "cannot sync the directory of %s", name);
	if (rc == 0)
		keep_space(dirfd, next, reserve ? reserve + HEAD + SUM : 0);
	buf_free(&b);
	return rc;
}

int authority_state_read(int dirfd, const char *name, size_t max, uint8_t **out, size_t *n,
			 struct bawn_error *e)
{
	struct cur contents;
	uint8_t *p;
	size_t size;
	int rc = io_read_file_at(dirfd, name, max + HEAD + SUM, &p, &size, e);

	if (rc)
		return rc;
	rc = authority_state_open(name, p, size, &contents, e);
	if (rc) {
		wipe(p, size);
		free(p);
		return rc;
	}
	*n = contents.n;
	memmove(p, contents.p, contents.n);
	wipe(p + contents.n, size - contents.n);
	*out = p;
	return 0;
}
