/*
 * What `bawn emulate` was told: in the environment, for the program and all
 * that it starts.
 *
 *	BAWN_EMULATE=[epc=BYTES,][sgx1,][strict,][isgx,][locked,]platform=DIRECTORY
 */
#include "preload/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PLATFORM_FILE_MAX 8192

struct settings settings;

static bool word(const char **p, const char *want)
{
	size_t n = strlen(want);

	if (memcmp(*p, want, n) != 0)
		return false;
	*p += n;
	return true;
}

void settings_read(void)
{
	const char *p = auxv_environment(SETTINGS_VARIABLE);
	size_t n;

	if (!p)
		return;
	for (;;) {
		if (word(&p, "epc=")) {
			for (; *p >= '0' && *p <= '9'; p++)
				settings.epc_size = settings.epc_size * 10 + (uint64_t)(*p - '0');
			if (*p++ != ',')
				return;
		} else if (word(&p, "sgx1,")) {
			settings.sgx1 = true;
		} else if (word(&p, "strict,")) {
			settings.strict = true;
		} else if (word(&p, "isgx,")) {
			settings.isgx = true;
		} else if (word(&p, "locked,")) {
			settings.locked = true;
		} else {
			break;
		}
	}
	if (!word(&p, "platform="))
		return;
	n = strlen(p);
	if (n == 0 || n >= sizeof(settings.platform))
		return;
	memcpy(settings.platform, p, n + 1);
	settings.on = true;
}

/* ---- the platform ---- */

static struct cpu_platform *loaded;
struct lock settings_lock;
static bool failed;

static bool load(struct cpu_platform *p)
{
	static uint8_t text[PLATFORM_FILE_MAX];
	char path[sizeof(settings.platform) + 16];
	struct bawn_error e = { 0 };
	size_t n = 0;
	bool good;
	int fd;

	snprintf(path, sizeof(path), "%s/platform", settings.platform);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		preload_say("the emulated platform cannot be read");
		return false;
	}
	for (ssize_t r; n < sizeof(text) && (r = read(fd, text + n, sizeof(text) - n)) > 0;)
		n += (size_t)r;
	close(fd);
	good = cpu_platform_parse(text, n, p, &e) == 0;
	wipe(text, sizeof(text));
	if (!good) {
		preload_say(e.msg);
		return false;
	}
	if (settings.epc_size)
		p->epc_size = settings.epc_size;
	if (settings.sgx1)
		p->sgx2 = p->kss = p->aexnotify = false;
	if (settings.locked)
		p->launch_locked = true;
	return true;
}

const struct cpu_platform *settings_platform(void)
{
	uint64_t mask = lock_take(&settings_lock);

	if (!loaded && !failed) {
		/* Fuses are not for core files. */
		struct cpu_platform *p = mmap(NULL, ISA_PAGE, PROT_READ | PROT_WRITE,
					      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p != MAP_FAILED) {
			madvise(p, ISA_PAGE, MADV_DONTDUMP);
			if (load(p))
				loaded = p;
		}
		failed = !loaded;
	}
	lock_give(&settings_lock, mask);
	return loaded;
}
