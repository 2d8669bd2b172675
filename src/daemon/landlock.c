/*
 * Landlock (landlock(7)): what of the file system, and of TCP, a role can
 * reach. Where the kernel lacks it, users and seccomp have to do.
 */
#include "cpu/cpu.h"
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Access rights by ABI version; headers may be older than the kernel. */
#define FS_EXECUTE (UINT64_C(1) << 0)
#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_REMOVE_DIR (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_DIR (UINT64_C(1) << 7)
#define FS_MAKE_REG (UINT64_C(1) << 8)
#define FS_REFER (UINT64_C(1) << 13)    /* ABI 2 */
#define FS_TRUNCATE (UINT64_C(1) << 14) /* ABI 3 */
#define FS_IOCTL_DEV (UINT64_C(1) << 15) /* ABI 5 */
#define FS_ABI1 ((UINT64_C(1) << 13) - 1)
#define NET_TCP (UINT64_C(3))           /* ABI 4: bind and connect */
#define SCOPED (UINT64_C(3))            /* ABI 6: abstract sockets, signals */
#define READ (FS_READ_FILE | FS_READ_DIR)
#define KEEP (READ | FS_WRITE_FILE | FS_REMOVE_FILE | FS_REMOVE_DIR | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER | FS_TRUNCATE)

struct attributes {
	uint64_t fs, net, scoped;
};

struct ruleset {
	int fd;
	uint64_t fs; /* rights that this kernel knows */
};

/* A path that is not there is nothing to allow. */
static int allow(const struct ruleset *s, const char *path, uint64_t access, struct bawn_error *e)
{
	struct landlock_path_beneath_attr a = { .allowed_access = access & s->fs };
	struct stat st;
	int r;

	a.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (a.parent_fd < 0)
		return 0;
	if (fstat(a.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		a.allowed_access &= FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV;
	r = (int)syscall(SYS_landlock_add_rule, s->fd, LANDLOCK_RULE_PATH_BENEATH, &a, 0);
	if (r)
		r = err_sys(e, "landlock: %s", path);
	close(a.parent_fd);
	return r;
}

static int allow_state(const struct ruleset *s, const struct config *c, const char *name,
		       struct bawn_error *e)
{
	char path[CONF_PATH + 16];

	strcpy(path, c->state);
	strcat(path, "/");
	strcat(path, name);
	return allow(s, path, KEEP, e);
}

/* Devices, the emulated platform, what /proc tells of clients (and of owners of an EPC). */
static int vault_rules(const struct ruleset *s, const struct config *c, struct bawn_error *e)
{
	static const char *const devices[] = { "/dev/sgx_enclave", "/dev/sgx_provision", "/dev/sgx",
					       "/dev/isgx" };
	const char *platform = c->platform[0] ? c->platform : NULL;
	/* What `bawn emulate` has in the devices' place is no file; its platform has the account of its EPC. */
	bool injected = cpu_engine_is_injected();
	int r = allow_state(s, c, "vault", e);

	for (size_t i = 0; i < ARRAY_LEN(devices) && r == 0 && !injected; i++)
		r = allow(s, devices[i], FS_READ_FILE | FS_WRITE_FILE | FS_IOCTL_DEV, e);
	if (r == 0)
		r = allow(s, "/proc", READ, e);
	if (injected)
		platform = getenv("BAWN_PLATFORM");
	if (r == 0 && platform)
		r = allow(s, platform, injected ? READ | FS_WRITE_FILE | FS_MAKE_REG : READ, e);
	return r;
}

/* Name resolution and roots of trust are spread over these; all of it to be read only. */
static int courier_rules(const struct ruleset *s, const struct config *c, struct bawn_error *e)
{
	static const char *const readable[] = { "/etc", "/usr", "/lib", "/lib64", "/run/systemd/resolve",
						"/run/resolvconf", "/run/NetworkManager" };
	const char *const configured[] = { c->source == SOURCE_DIRECTORY ? c->url : "", c->api_key_file,
					   c->ca_file, c->root_file };
	int r = allow_state(s, c, "courier", e);

	for (size_t i = 0; i < ARRAY_LEN(readable) && r == 0; i++)
		r = allow(s, readable[i], READ, e);
	for (size_t i = 0; i < ARRAY_LEN(configured) && r == 0; i++)
		if (configured[i][0])
			r = allow(s, configured[i], READ, e);
	return r;
}

/* Names of users and groups. */
static int loader_rules(const struct ruleset *s, struct bawn_error *e)
{
	static const char *const readable[] = { "/etc", "/usr/lib", "/lib" };
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(readable) && r == 0; i++)
		r = allow(s, readable[i], READ, e);
	return r;
}

int landlock_enter(const struct config *c, enum process r, int *abi, struct bawn_error *e)
{
	struct attributes a = { .fs = FS_ABI1 };
	struct ruleset s;
	int rc = 0;

	*abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (*abi < 1) {
		*abi = 0;
		return 0;
	}
	if (*abi >= 2)
		a.fs |= FS_REFER;
	if (*abi >= 3)
		a.fs |= FS_TRUNCATE;
	if (*abi >= 5)
		a.fs |= FS_IOCTL_DEV;
	if (*abi >= 4 && r != PROC_COURIER)
		a.net = NET_TCP;
	/* Signals and abstract sockets of others: nobody needs them (the vault asks who is alive). */
	if (*abi >= 6)
		a.scoped = r == PROC_VAULT ? 1 : SCOPED;
	s.fs = a.fs;
	s.fd = (int)syscall(SYS_landlock_create_ruleset, &a,
			    *abi >= 6 ? sizeof(a) : *abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t), 0);
	if (s.fd < 0)
		return err_sys(e, "landlock_create_ruleset");
	if (r == PROC_VAULT)
		rc = vault_rules(&s, c, e);
	else if (r == PROC_COURIER)
		rc = courier_rules(&s, c, e);
	else if (r == PROC_LOADER)
		rc = loader_rules(&s, e);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, s.fd, 0))
		rc = err_sys(e, "landlock_restrict_self");
	close(s.fd);
	return rc;
}
