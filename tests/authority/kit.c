#include "tests/authority/kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static bool user(void *arg, const char *name, uint32_t *uid)
{
	(void)arg;
	*uid = strcmp(name, "alice") == 0 ? 1000 : 1001;
	return strcmp(name, "alice") == 0 || strcmp(name, "bob") == 0;
}

static bool group(void *arg, const char *name, uint32_t *gid)
{
	(void)arg;
	*gid = strcmp(name, "sgx") == 0 ? 200 : 100;
	return strcmp(name, "sgx") == 0 || strcmp(name, "users") == 0;
}

const struct authority_names kit_names = { .user = user, .group = group };

struct authority_policy *kit_policy(const char *text)
{
	struct authority_policy *p = NULL;
	struct bawn_error e = { 0 };

	if (authority_policy_parse(text, strlen(text), &kit_names, &p, &e))
		printf("# %s\n", e.msg);
	return p;
}

/* ---- directories ---- */

static struct {
	char path[64];
	int fd;
	pid_t owner;
} dirs[32];
static size_t ndirs;

static void sweep(void)
{
	for (size_t i = 0; i < ndirs; i++) {
		DIR *d = dirs[i].owner == getpid() ? opendir(dirs[i].path) : NULL;
		struct dirent *ent;

		while (d && (ent = readdir(d)))
			unlinkat(dirfd(d), ent->d_name, 0);
		if (d)
			closedir(d);
		if (d)
			rmdir(dirs[i].path);
	}
}

int kit_dir(void)
{
	const char *tmp = getenv("TMPDIR");
	size_t i = ndirs++;

	if (i == ARRAY_LEN(dirs))
		abort();
	if (i == 0)
		atexit(sweep);
	snprintf(dirs[i].path, sizeof(dirs[i].path), "%.40s/authority.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dirs[i].path))
		abort();
	dirs[i].owner = getpid();
	dirs[i].fd = open(dirs[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirs[i].fd < 0)
		abort();
	return dirs[i].fd;
}

const char *kit_dir_path(int dirfd_)
{
	for (size_t i = 0; i < ndirs; i++)
		if (dirs[i].fd == dirfd_)
			return dirs[i].path;
	return NULL;
}

struct wire_identity kit_identity(uint8_t mrenclave, uint8_t mrsigner)
{
	struct wire_identity i = { .known = WIRE_KNOWN_ALL, .attributes = ATTR_MODE64BIT, .product = 1,
				   .svn = 2 };

	memset(i.mrenclave, mrenclave, 32);
	memset(i.mrsigner, mrsigner, 32);
	return i;
}

bool kit_killed(void (*fn)(int dir, int told), int dir, int round, void *last, size_t size)
{
	struct timespec t = { .tv_nsec = 1000000 + (round * 7919 % 97) * 200000 };
	uint8_t record[128];
	int fds[2], status;
	pid_t pid;

	if (size > sizeof(record) || pipe(fds))
		abort();
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		fn(dir, fds[1]);
		_exit(99);
	}
	close(fds[1]);
	if (round % 2 && read(fds[0], record, size) == (ssize_t)size)
		memcpy(last, record, size);
	nanosleep(&t, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	while (read(fds[0], record, size) == (ssize_t)size)
		memcpy(last, record, size);
	close(fds[0]);
	if (!WIFSIGNALED(status))
		printf("# the writer ended by itself: %d\n", WEXITSTATUS(status));
	return WIFSIGNALED(status);
}
