/* Where enclaves are found, and where an attester keeps what it needs again. */
#include "attester/attester.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef BAWN_LIBEXEC
#define BAWN_LIBEXEC "/usr/local/lib/bawn"
#endif

/* ---- enclaves ---- */

static bool try_path(char *out, size_t max, const char *folder, const char *below, const char *name)
{
	int n = snprintf(out, max, "%s%s/%s.signed.so", folder, below, name);

	return n > 0 && (size_t)n < max && access(out, F_OK) == 0;
}

int attester_enclave_path(const char *name, char *out, size_t max, struct bawn_error *e)
{
	const char *folder = getenv("BAWN_ENCLAVES");
	char exe[4096];
	ssize_t n;

	if (folder && *folder) {
		/* Told where: nowhere else is looked. */
		if (try_path(out, max, folder, "", name))
			return 0;
		return err_set(e, BAWN_ERR_NOT_FOUND, "no %s.signed.so in %s (BAWN_ENCLAVES)", name, folder);
	}
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n > 0) {
		exe[n] = '\0';
		*strrchr(exe, '/') = '\0';
		if (try_path(out, max, exe, "/enclaves", name) || try_path(out, max, exe, "/../lib/bawn", name))
			return 0;
	}
	if (try_path(out, max, BAWN_LIBEXEC, "", name))
		return 0;
	return err_set(e, BAWN_ERR_NOT_FOUND, "no %s enclave, neither beside the program nor in %s: name it, or set "
		       "BAWN_ENCLAVES", name, BAWN_LIBEXEC);
}

/* ---- the directory ---- */

static int default_base(char out[4096], struct bawn_error *e)
{
	const char *dir = getenv("XDG_STATE_HOME"), *below = "/bawn/attest";
	int n;

	if (!dir || dir[0] != '/') {
		dir = getenv("HOME");
		below = "/.local/state/bawn/attest";
	}
	if (!dir || !*dir)
		return err_set(e, BAWN_ERR_NOT_FOUND, "no place to keep the attestation key: set HOME, or name one");
	n = snprintf(out, 4096, "%s%s", dir, below);
	return n < 4096 ? 0 : err_set(e, BAWN_ERR_USAGE, "the state directory's name is too long");
}

/* Emulated platforms are many, and each has its own keys. */
static int platform_name(const struct bawn_enclave_info *qe, const char *platform, char out[64],
			 struct bawn_error *e)
{
	struct cpu_platform p;
	char id[33];
	int rc;

	if (!qe->emulated) {
		snprintf(out, 64, "%s", qe->device);
		return 0;
	}
	rc = cpu_platform_open(platform, &p, e);
	if (rc)
		return rc;
	hex_encode(p.id, sizeof(p.id), id);
	wipe(&p, sizeof(p));
	snprintf(out, 64, "emulated-%s", id);
	return 0;
}

int attester_state_open(const char *base, const struct bawn_enclave_info *qe, const char *platform,
			char path[4096], int *fd, struct bawn_error *e)
{
	char dir[4096], name[64];
	int rc = platform_name(qe, platform, name, e), n;

	if (rc == 0 && !base)
		rc = default_base(dir, e);
	if (rc)
		return rc;
	n = snprintf(path, 4096, "%s/%s", base ? base : dir, name);
	if (n >= 4096)
		return err_set(e, BAWN_ERR_USAGE, "the state directory's name is too long");
	rc = io_make_parents(path, 0700, e);
	if (rc)
		return rc;
	if (mkdir(path, 0700) && errno != EEXIST)
		return err_sys(e, "making directory %s", path);
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *fd < 0 ? err_sys(e, "opening %s", path) : 0;
}

bool attester_blob_read(int fd, uint8_t blob[AE_QE_BLOB_BYTES])
{
	uint8_t *p;
	size_t n;
	bool good;

	if (io_read_file_at(fd, ATTESTER_BLOB, AE_QE_BLOB_BYTES, &p, &n, NULL))
		return false;
	good = n == AE_QE_BLOB_BYTES;
	if (good)
		memcpy(blob, p, n);
	free(p);
	return good;
}

int attester_blob_write(int fd, const uint8_t blob[AE_QE_BLOB_BYTES], struct bawn_error *e)
{
	return io_write_file_at(fd, ATTESTER_BLOB, blob, AE_QE_BLOB_BYTES, 0600, e);
}
