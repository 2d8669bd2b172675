/*
 * How long an enclave that was handed over is there: as long as anybody has its
 * descriptor, or a mapping of it. Who that is nobody can know, since descriptors
 * are passed on; that somebody is, the kernel tells:
 *
 *   of an EPC in a memory file (the emulated CPU) by inotify(7), when the last
 *   of it goes;
 *
 *   of a descriptor of /dev/sgx_enclave by a lock on it. All of them are of one
 *   inode, so each has a byte of its own; an open file description's lock
 *   (fcntl(2), F_OFD_SETLK) ends with the description, which mappings keep. Its
 *   holder can take it off: then the enclave is no longer counted.
 */
#include "daemon/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <unistd.h>

#define TRIES 8

void lives_new(struct lives *l)
{
	*l = (struct lives){ .inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), .device = -1 };
}

static int watch_file(struct lives *l, int fd, struct life *out, struct bawn_error *e)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	out->watch = inotify_add_watch(l->inotify, path, IN_DELETE_SELF);
	return out->watch < 0 ? err_sys(e, "watching an enclave's memory (inotify)") : 0;
}

/* Where others look from: a lock is not in the way of who holds it. */
static int open_device(struct lives *l, int fd, struct bawn_error *e)
{
	char path[40];

	if (l->device >= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	l->device = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return l->device < 0 ? err_sys(e, "the enclaves' device") : 0;
}

static struct flock byte_at(uint64_t at)
{
	return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = 1 };
}

static int lock_device(struct lives *l, int fd, struct life *out, struct bawn_error *e)
{
	int r = open_device(l, fd, e);

	if (r)
		return r;
	/* Enclaves of before our start have locks still. */
	for (int i = 0; i < TRIES; i++) {
		struct flock f;
		uint64_t at;

		if (getrandom(&at, sizeof(at), 0) != (ssize_t)sizeof(at))
			return err_sys(e, "getrandom");
		at = at >> 2 | 1;
		f = byte_at(at);
		if (fcntl(fd, F_OFD_SETLK, &f) == 0) {
			out->byte = at;
			return 0;
		}
		if (errno != EAGAIN && errno != EACCES)
			return err_sys(e, "a lock on the enclave's descriptor");
	}
	return err_set(e, BAWN_ERR_BUSY, "somebody has locked all of the enclaves' device");
}

int life_watch(struct lives *l, int fd, struct life *out, struct bawn_error *e)
{
	*out = (struct life){ .watch = -1 };
	/* Memory files have seals; this way they are told by what they are under `bawn emulate`, too. */
	return fcntl(fd, F_GET_SEALS) >= 0 ? watch_file(l, fd, out, e) : lock_device(l, fd, out, e);
}

int life_ended(struct lives *l)
{
	union {
		struct inotify_event align;
		char bytes[sizeof(struct inotify_event)]; /* of a file by itself: without a name */
	} ev;

	while (read(l->inotify, &ev, sizeof(ev)) == (ssize_t)sizeof(ev))
		if (ev.align.mask & IN_DELETE_SELF)
			return ev.align.wd;
	return -1;
}

bool life_over(const struct lives *l, const struct life *of)
{
	struct flock f = byte_at(of->byte);

	if (!of->byte || fcntl(l->device, F_OFD_GETLK, &f))
		return false;
	return f.l_type == F_UNLCK || f.l_start != (off_t)of->byte || f.l_len != 1;
}
