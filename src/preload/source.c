/*
 * Where the pages of ADD_PAGES come from. The driver refuses a source in a
 * mapping that can never be made executable, so that noexec holds for code on
 * its way into an enclave: that of a file on a file system mounted so. User
 * space learns of it from /proc/self/maps and statfs(2).
 */
#include "preload/preload.h"

#include <fcntl.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#define ST_NOEXEC 8 /* statfs(2), f_flags */

struct mapping {
	uint64_t from, to;
	char path[4096]; /* "" for none */
};

/* The lines of /proc/self/maps, read in pieces. */
struct maps_file {
	int fd;
	size_t at, n;
	char bytes[4096];
};

static int next_byte(struct maps_file *m)
{
	if (m->at == m->n) {
		ssize_t n = read(m->fd, m->bytes, sizeof(m->bytes));

		if (n <= 0)
			return -1;
		m->n = (size_t)n;
		m->at = 0;
	}
	return (unsigned char)m->bytes[m->at++];
}

/* Hexadecimal digits and what ends them. */
static uint64_t next_hex(struct maps_file *m, int *end)
{
	uint64_t v = 0;

	for (;;) {
		int c = next_byte(m);

		if (c >= '0' && c <= '9')
			v = v * 16 + (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v * 16 + (uint64_t)(c - 'a' + 10);
		else {
			*end = c;
			return v;
		}
	}
}

/* "from-to rwxp offset device inode   path"; false at the end of the file. */
static bool next_mapping(struct maps_file *m, struct mapping *out)
{
	size_t n = 0;
	int c;

	out->from = next_hex(m, &c);
	if (c != '-')
		return false;
	out->to = next_hex(m, &c);
	while (c != '\n' && c != -1 && c != '/')
		c = next_byte(m);
	for (; c != '\n' && c != -1; c = next_byte(m))
		if (n < sizeof(out->path) - 1)
			out->path[n++] = (char)c;
	out->path[n] = 0;
	return c == '\n';
}

static bool is_noexec(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct statfs st;
	bool yes;

	if (fd < 0)
		return false; /* removed since, or not to be told: nobody here can say */
	yes = fstatfs(fd, &st) == 0 && st.f_flags & ST_NOEXEC;
	close(fd);
	return yes;
}

uint64_t source_usable(uint64_t at, uint64_t n)
{
	/* Good news is remembered for the next pages; bad news never, since mappings change. */
	static _Thread_local uint64_t good_from, good_to;
	struct maps_file m = { .fd = -1 };
	struct mapping found;
	bool usable = true;

	if (at >= good_from && at < good_to)
		return n < good_to - at ? n : good_to - at;
	m.fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (m.fd < 0)
		return n;
	while (next_mapping(&m, &found)) {
		if (at < found.from || at >= found.to)
			continue;
		usable = !found.path[0] || !is_noexec(found.path);
		if (usable) {
			good_from = found.from;
			good_to = found.to;
		}
		n = n < found.to - at ? n : found.to - at;
		break;
	}
	close(m.fd);
	return usable ? n : 0;
}
