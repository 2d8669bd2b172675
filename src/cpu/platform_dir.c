/*
 * A platform on disk: a directory (0700) with one file (0600), and beside it
 * the count of its EPC in use, if `bawn emulate` made one. It is made
 * beside its place and renamed into it, and changed by renaming a new file
 * over the old one, so that it is never half there. The new file has the old
 * one's owner: the administrator may raise what is a service's.
 */
#include "cpu/platform.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1u
#endif

/* SHA-256 of Intel's launch-signing modulus: what IA32_SGXLEPUBKEYHASH holds after reset. */
static const uint8_t intel_lepubkeyhash[32] = {
	0xac, 0xb7, 0x70, 0x12, 0x05, 0x3e, 0x05, 0xa6, 0x3d, 0x41, 0x3b, 0x8b, 0xba, 0xe8, 0xfb, 0x6c,
	0x5d, 0x73, 0xb3, 0xf2, 0x99, 0x6d, 0x91, 0xc4, 0x3b, 0xbb, 0xf9, 0x09, 0x59, 0xc0, 0xf8, 0xd4,
};

/* Every component starts at 1, so that there is an older SVN to ask for. */
#define FIRST_SVN 1

int cpu_platform_default_dir(char *out, size_t max, struct bawn_error *e)
{
	const char *dir = getenv("BAWN_PLATFORM"), *below = "";
	int n;

	if (!dir || !*dir) {
		dir = getenv("XDG_STATE_HOME");
		below = "/bawn/platform";
		/* A relative path there is invalid and to be ignored (XDG base directories). */
		if (!dir || dir[0] != '/') {
			dir = getenv("HOME");
			below = "/.local/state/bawn/platform";
		}
	}
	if (!dir || !*dir)
		return err_set(e, BAWN_ERR_NOT_FOUND,
			       "no place for an emulated platform: set BAWN_PLATFORM or HOME");
	n = snprintf(out, max, "%s%s", dir, below);
	if (n < 0 || (size_t)n >= max)
		return err_set(e, BAWN_ERR_USAGE, "the platform directory's name is too long");
	return 0;
}

/* ---- making one ---- */

static int make_fuses(const struct cpu_platform_options *opt, struct cpu_platform *p,
		      struct bawn_error *e)
{
	const struct cpu_platform_options none = { 0 };
	int r;

	if (!opt)
		opt = &none;
	*p = (struct cpu_platform){
		.launch_locked = opt->launch_locked,
		.sgx2 = !opt->sgx1,
		.kss = !opt->sgx1,
		.aexnotify = !opt->sgx1,
		.epc_size = opt->epc_size ? opt->epc_size : EPC_DEFAULT_BYTES,
	};
	if (!platform_epc_size_legal(p->epc_size))
		return err_set(e, BAWN_ERR_USAGE,
			       "the EPC must be whole pages, from 1 MiB to 1 TiB");
	memset(p->cpusvn, FIRST_SVN, sizeof(p->cpusvn));
	memcpy(p->lepubkeyhash, opt->lepubkeyhash ? opt->lepubkeyhash : intel_lepubkeyhash,
	       sizeof(p->lepubkeyhash));
	if ((r = crypto_random(p->id, sizeof(p->id), e)) != 0 ||
	    (r = crypto_random(p->provision_fuse, sizeof(p->provision_fuse), e)) != 0 ||
	    (r = crypto_random(p->seal_fuse, sizeof(p->seal_fuse), e)) != 0 ||
	    (r = crypto_random(p->owner_epoch, sizeof(p->owner_epoch), e)) != 0)
		return r;
	return 0;
}

static int write_platform(int dir, const struct cpu_platform *p, struct bawn_error *e)
{
	struct buf b;
	int r;

	buf_init(&b, PLATFORM_FILE_MAX);
	platform_render(p, &b);
	r = b.failed ? err_nomem(e) : io_replace_file_at(dir, PLATFORM_FILE, b.p, b.n, 0600, e);
	buf_free(&b);
	return r;
}

static int exists_error(const char *dir, struct bawn_error *e)
{
	return err_set(e, BAWN_ERR_USAGE,
		       "%s exists already: name a directory that does not, or remove that one", dir);
}

/* tmp becomes dir, which must not exist. */
static int move_into_place(const char *tmp, const char *dir, struct bawn_error *e)
{
	if (syscall(SYS_renameat2, AT_FDCWD, tmp, AT_FDCWD, dir, RENAME_NOREPLACE) == 0)
		return 0;
	/* File systems without RENAME_NOREPLACE: only an empty directory can be renamed over. */
	if ((errno == EINVAL || errno == ENOSYS) && mkdir(dir, 0700) == 0) {
		if (rename(tmp, dir) == 0)
			return 0;
		err_sys(e, "renaming %s", tmp);
		rmdir(dir);
		return BAWN_ERR_SYSTEM;
	}
	if (errno == EEXIST)
		return exists_error(dir, e);
	return err_sys(e, "renaming %s", tmp);
}

static int fill_directory(const char *tmp, const struct cpu_platform *p, struct bawn_error *e)
{
	int fd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return err_sys(e, "opening %s", tmp);
	r = write_platform(fd, p, e);
	if (r == 0 && fsync(fd) != 0)
		r = err_sys(e, "writing %s", tmp);
	close(fd);
	return r;
}

static void remove_directory(const char *tmp)
{
	int fd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		unlinkat(fd, PLATFORM_FILE, 0);
		close(fd);
	}
	rmdir(tmp);
}

/* The directory without trailing slashes, so that ".XXXXXX" goes beside it. */
static int trimmed(const char *dir, char *out, size_t max, struct bawn_error *e)
{
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	if (n == 0 || n + 8 > max)
		return err_set(e, BAWN_ERR_USAGE, "no usable name of a platform directory");
	memcpy(out, dir, n);
	out[n] = '\0';
	return 0;
}

static int create_named(const char *dir, const struct cpu_platform *p, struct bawn_error *e)
{
	char tmp[PATH_MAX + 8];
	int r = io_make_parents(dir, 0700, e);

	if (r != 0) {
		err_context(e, "no place for the platform (BAWN_PLATFORM names another)");
		return r;
	}
	snprintf(tmp, sizeof(tmp), "%s.XXXXXX", dir);
	if (!mkdtemp(tmp))
		return err_sys(e, "cannot make %s (BAWN_PLATFORM names another place)", dir);
	r = fill_directory(tmp, p, e);
	if (r == 0)
		r = move_into_place(tmp, dir, e);
	if (r != 0)
		remove_directory(tmp);
	return r;
}

int cpu_platform_create(const char *dir, const struct cpu_platform_options *opt,
			struct bawn_error *e)
{
	char name[PATH_MAX];
	struct cpu_platform p = { 0 };
	struct stat st;
	int r = trimmed(dir, name, sizeof(name), e);

	if (r != 0)
		return r;
	if (lstat(name, &st) == 0)
		return exists_error(name, e);
	r = make_fuses(opt, &p, e);
	if (r == 0)
		r = create_named(name, &p, e);
	wipe(&p, sizeof(p));
	return r;
}

/* ---- using one ---- */

static int open_directory(const char *dir, struct bawn_error *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return err_set(e, BAWN_ERR_NOT_FOUND,
			       "no platform at %s: make one with \"bawn emu platform create\"", dir);
	return fd < 0 ? err_sys(e, "cannot use the platform %s", dir) : fd;
}

/* Fuses that everybody can read, or replace, are nobody's. */
static int check_mode(int fd, const char *dir, struct bawn_error *e)
{
	struct stat st;

	if (fstatat(fd, PLATFORM_FILE, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		if (errno == ENOENT)
			return err_set(e, BAWN_ERR_NOT_FOUND,
				       "%s holds no platform: name another directory, or make one with "
				       "\"bawn emu platform create\"", dir);
		return err_sys(e, "cannot use %s/platform", dir);
	}
	if (!S_ISREG(st.st_mode))
		return err_set(e, BAWN_ERR_FORMAT,
			       "%s/platform is not a regular file: put the file itself there", dir);
	if (st.st_mode & 07)
		return err_set(e, BAWN_ERR_DENIED,
			       "%s/platform is open to everybody: chmod 600 it", dir);
	return 0;
}

static int load_at(int fd, const char *dir, struct cpu_platform *out, struct bawn_error *e)
{
	uint8_t *text;
	size_t n;
	int r = check_mode(fd, dir, e);

	if (r == 0 && (r = io_read_file_at(fd, PLATFORM_FILE, PLATFORM_FILE_MAX, &text, &n, e)) != 0)
		err_context(e, "cannot use the platform %s", dir);
	if (r != 0)
		return r;
	r = cpu_platform_parse(text, n, out, e);
	if (r != 0)
		err_context(e, "%s/platform is damaged (restore it, or make another platform)", dir);
	wipe(text, n);
	free(text);
	return r;
}

int cpu_platform_load(const char *dir, struct cpu_platform *out, struct bawn_error *e)
{
	int fd = open_directory(dir, e), r;

	if (fd < 0)
		return fd;
	r = load_at(fd, dir, out, e);
	close(fd);
	return r;
}

int cpu_platform_open(const char *dir, struct cpu_platform *out, struct bawn_error *e)
{
	struct bawn_error first = { 0 }, ignored = { 0 };
	char name[PATH_MAX];
	int r;

	if (dir)
		return cpu_platform_load(dir, out, e);
	r = cpu_platform_default_dir(name, sizeof(name), e);
	if (r != 0)
		return r;
	r = cpu_platform_load(name, out, &first);
	if (r == BAWN_ERR_NOT_FOUND) {
		/* Another process may be doing the same: then it exists now. */
		r = cpu_platform_create(name, NULL, &ignored);
		if (r == 0 || ignored.code == BAWN_ERR_USAGE)
			return cpu_platform_load(name, out, e);
		first = ignored;
	}
	if (r != 0 && e && e->code == 0) {
		*e = first;
		err_context(e, "the default platform (BAWN_PLATFORM names another)");
	}
	return r;
}

int cpu_platform_upgrade(const char *dir, unsigned index, uint8_t svn, struct bawn_error *e)
{
	struct cpu_platform p = { 0 };
	int fd, r;

	if (index >= sizeof(p.cpusvn))
		return err_set(e, BAWN_ERR_USAGE, "CPUSVN has components 0 to 15");
	fd = open_directory(dir, e);
	if (fd < 0)
		return fd;
	/* Two upgrades at once would lose one. */
	r = flock(fd, LOCK_EX) == 0 ? load_at(fd, dir, &p, e) : err_sys(e, "locking %s", dir);
	if (r == 0 && svn <= p.cpusvn[index])
		r = err_set(e, BAWN_ERR_USAGE,
			    "component %u of CPUSVN is %u: it can only be raised", index,
			    p.cpusvn[index]);
	if (r == 0) {
		p.cpusvn[index] = svn;
		r = write_platform(fd, &p, e);
	}
	wipe(&p, sizeof(p));
	close(fd);
	return r;
}

/* ---- removing one ---- */

/* Nothing in it but what a platform consists of. */
static int only_ours(int fd, const char *dir, struct bawn_error *e)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!d) {
		r = err_sys(e, "reading %s", dir);
		if (copy >= 0)
			close(copy);
		return r;
	}
	while ((entry = readdir(d)) && r == 0)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strcmp(entry->d_name, PLATFORM_FILE) != 0 &&
		    strcmp(entry->d_name, PLATFORM_EPC_FILE) != 0)
			r = err_set(e, BAWN_ERR_DENIED,
				    "%s also holds \"%.60s\", which is no part of a platform: move it "
				    "away first", dir, entry->d_name);
	closedir(d);
	return r;
}

/* Overwrite before unlinking: on most file systems that reaches the same blocks. */
static int wipe_file(int dirfd, struct bawn_error *e)
{
	uint8_t zeros[512] = { 0 };
	struct stat st;
	int fd = openat(dirfd, PLATFORM_FILE, O_WRONLY | O_NOFOLLOW | O_CLOEXEC), r = 0;

	if (fd < 0)
		return err_sys(e, "opening the platform file");
	if (fstat(fd, &st) != 0)
		r = err_sys(e, "size of the platform file");
	for (off_t at = 0; r == 0 && at < st.st_size; at += (off_t)sizeof(zeros)) {
		size_t n = sizeof(zeros);

		if (st.st_size - at < (off_t)n)
			n = (size_t)(st.st_size - at);
		r = io_write_full(fd, zeros, n, e);
	}
	if (r == 0 && fsync(fd) != 0)
		r = err_sys(e, "wiping the platform file");
	close(fd);
	return r;
}

int cpu_platform_remove(const char *dir, struct bawn_error *e)
{
	struct cpu_platform p;
	int fd = open_directory(dir, e), r;

	if (fd < 0)
		return fd;
	r = load_at(fd, dir, &p, e);
	wipe(&p, sizeof(p));
	if (r == 0)
		r = only_ours(fd, dir, e);
	if (r == 0)
		r = wipe_file(fd, e);
	if (r == 0 && ((unlinkat(fd, PLATFORM_EPC_FILE, 0) != 0 && errno != ENOENT) ||
		       unlinkat(fd, PLATFORM_FILE, 0) != 0 || rmdir(dir) != 0))
		r = err_sys(e, "removing %s", dir);
	close(fd);
	return r;
}
