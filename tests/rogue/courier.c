/*
 * A courier and a loader in the wrong hands, in the same program as the gate:
 * what they hand over is what a file tells them. The courier looks for "rogue"
 * in the directory that it keeps things in, with the name of an attempt; the
 * loader for "# rogue NAME" at the beginning of the policy.
 */
#include "daemon/daemon.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int __wrap_channel_send_role(int ch, const struct role_message *m, const int *fds, size_t nfds,
			     struct bawn_error *e);
int __real_channel_send_role(int ch, const struct role_message *m, const int *fds, size_t nfds,
			     struct bawn_error *e);
int __wrap_channel_send(int ch, enum channel_kind kind, const void *body, size_t n, const int *fds,
			size_t nfds, struct bawn_error *e);
int __real_channel_send(int ch, enum channel_kind kind, const void *body, size_t n, const int *fds,
			size_t nfds, struct bawn_error *e);

#define HUGE_BYTES (INT64_C(1) << 40) /* of address space in a memory file: nobody has so much memory */

/* The same bytes, up to n of them, in memory that is sealed or not. */
static int copy(int from, off_t n, bool seal)
{
	uint8_t page[4096];
	ssize_t got;
	int fd = memfd_create("rogue", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	for (off_t at = 0; at < n && (got = pread(from, page, sizeof(page), at)) > 0; at += got)
		if (write(fd, page, (size_t)(got < n - at ? got : n - at)) < 0)
			_exit(73);
	if (seal && sealed_end(fd, NULL))
		_exit(73);
	return fd;
}

/* What is handed over instead of fd; -1: nothing. */
static int instead(const char *name, int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	int other;

	if (strcmp(name, "unsealed") == 0)
		return copy(fd, size, false);
	if (strcmp(name, "short") == 0)
		return copy(fd, size / 2, true);
	if (strcmp(name, "null") == 0)
		return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	if (strcmp(name, "channel") == 0)
		return fcntl(FD_PARENT, F_DUPFD_CLOEXEC, 0);
	if (strcmp(name, "huge") == 0) {
		other = copy(fd, size, false);
		if (ftruncate(other, HUGE_BYTES) || sealed_end(other, NULL))
			_exit(73);
		return other;
	}
	return -1;
}

/* ---- the courier ---- */

int __wrap_channel_send_role(int ch, const struct role_message *m, const int *fds, size_t nfds,
			     struct bawn_error *e)
{
	struct role_message lie = *m;
	char name[32] = "";
	int file, fd, r;

	if (m->head.type != ROLE_FETCHED || m->u.fetched.what != ROLE_FETCH_COLLATERAL || nfds != 1)
		return __real_channel_send_role(ch, m, fds, nfds, e);
	file = openat(FD_COURIER_STATE, "rogue", O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return __real_channel_send_role(ch, m, fds, nfds, e);
	if (read(file, name, sizeof(name) - 1) <= 0)
		_exit(73);
	close(file);
	name[strcspn(name, "\n")] = '\0';
	if (strcmp(name, "claims") == 0) { /* more than there is */
		memset(lie.u.fetched.part_size, 0xff, sizeof(lie.u.fetched.part_size));
		return __real_channel_send_role(ch, &lie, fds, nfds, e);
	}
	fd = instead(name, fds[0]);
	r = __real_channel_send_role(ch, m, &fd, fd >= 0, e);
	if (fd >= 0)
		close(fd);
	return r;
}

/* ---- the loader ---- */

int __wrap_channel_send(int ch, enum channel_kind kind, const void *body, size_t n, const int *fds,
			size_t nfds, struct bawn_error *e)
{
	static const char mark[] = "# rogue ";
	char text[64] = "", *name = text + sizeof(mark) - 1;
	int fd, r;

	if (kind != CHAN_LOADED || nfds != 1 || pread(FD_LOADER_POLICY, text, sizeof(text) - 1, 0) <= 0 ||
	    strncmp(text, mark, sizeof(mark) - 1) != 0)
		return __real_channel_send(ch, kind, body, n, fds, nfds, e);
	name[strcspn(name, "\n")] = '\0';
	fd = instead(name, fds[0]);
	r = __real_channel_send(ch, kind, body, n, &fd, fd >= 0, e);
	if (fd >= 0)
		close(fd);
	return r;
}
