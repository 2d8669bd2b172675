/*
 * A fab on disk: a directory (0700) with its file, keys and all (0600), the
 * certificates of its authorities, the chains it has issued, and its
 * collateral. The file is the truth; the rest can be made from it again.
 */
#include "fab/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_URL "https://localhost:8081"
/* E for emulated; no FMSPC of Intel's has more than the low nibbles of it. */
static const uint8_t default_fmspc[6] = { 0xe0, 0x0b, 0xaf, 0x00, 0x00, 0x00 };

int fab_default_dir(char *out, size_t max, struct bawn_error *e)
{
	const char *dir = getenv("BAWN_FAB"), *below = "";
	int n;

	if (!dir || !*dir) {
		dir = getenv("XDG_STATE_HOME");
		below = "/bawn/fab";
		if (!dir || dir[0] != '/') {
			dir = getenv("HOME");
			below = "/.local/state/bawn/fab";
		}
	}
	if (!dir || !*dir)
		return err_set(e, BAWN_ERR_NOT_FOUND, "no place for a fab: set BAWN_FAB or HOME");
	n = snprintf(out, max, "%s%s", dir, below);
	if (n < 0 || (size_t)n >= max)
		return err_set(e, BAWN_ERR_USAGE, "the fab directory's name is too long");
	return 0;
}

const char *fab_authority_file(enum fab_authority which)
{
	static const char *const file[FAB_AUTHORITIES] = {
		[FAB_ROOT] = "root_ca.pem", [FAB_PCK_CA] = "pck_ca.pem", [FAB_TCB_SIGNER] = "tcb_signing.pem",
	};

	return file[which];
}

const char *fab_name(const struct fab *f, enum fab_authority which)
{
	static const char *const names[2][FAB_AUTHORITIES + 1] = {
		{ "Bawn Emulated SGX Root CA", "Bawn Emulated SGX PCK CA", "Bawn Emulated SGX TCB Signing",
		  "Bawn Emulated SGX PCK Certificate" },
		{ "Intel SGX Root CA", "Intel SGX PCK Platform CA", "Intel SGX TCB Signing",
		  "Intel SGX PCK Certificate" },
	};

	if (f->intel_names && f->processor_ca && which == FAB_PCK_CA)
		return "Intel SGX PCK Processor CA";
	return names[f->intel_names][which];
}

const char *fab_rest(const struct fab *f)
{
	return f->intel_names ? "O=Intel Corporation, L=Santa Clara, ST=CA, C=US" :
				"O=Emulated platform: no security, OU=Made by bawn emu fab";
}

/* The places that a PCS has, and that a PCCS has the root's list at. */
void fab_crl_url(const struct fab *f, enum fab_authority issuer, char out[FAB_URL_MAX + 64])
{
	snprintf(out, FAB_URL_MAX + 64, "%s/sgx/certification/v4/%s%s", f->url,
		 issuer == FAB_ROOT ? "rootcacrl" : "pckcrl?ca=",
		 issuer == FAB_ROOT ? "" : f->processor_ca ? "processor" : "platform");
}

/* ---- making one ---- */

int fab_random_serial(uint8_t serial[FAB_SERIAL], struct bawn_error *e)
{
	int rc = crypto_random(serial, FAB_SERIAL, e);

	serial[0] = (serial[0] & 0x3f) | 0x40; /* positive, and of a fixed length */
	return rc;
}

bool fab_url_good(const char *url)
{
	size_t n = strlen(url);

	if (n >= FAB_URL_MAX || (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0))
		return false;
	for (size_t i = 0; i < n; i++)
		if (url[i] <= ' ' || url[i] > '~' || url[i] == '"' || url[i] == '\\')
			return false;
	return true;
}

static int fill(struct fab *f, const struct fab_options *o, struct bawn_error *e)
{
	struct fab_levels *first = &f->levels[FAB_PLATFORM_LEVELS][0];
	const char *url = o->url ? o->url : DEFAULT_URL;
	int rc = 0;

	if (!fab_url_good(url))
		return err_set(e, BAWN_ERR_USAGE, "not an http or https URL of at most %d bytes: %.80s",
			       FAB_URL_MAX - 1, url);
	f->fd = -1;
	f->intel_names = o->intel_names;
	f->processor_ca = o->processor_ca;
	memcpy(f->url, url, strlen(url) + 1);
	for (size_t n = strlen(url); n && f->url[n - 1] == '/'; n--)
		f->url[n - 1] = '\0';
	memcpy(f->fmspc, o->fmspc ? o->fmspc : default_fmspc, sizeof(f->fmspc));
	if (o->pce_mrsigner)
		memcpy(f->pce_mrsigner, o->pce_mrsigner, sizeof(f->pce_mrsigner));
	f->pce_isvsvn = o->pce_isvsvn;
	f->evaluation = 1;
	first->count = 1;
	first->level[0] = (struct fab_level){ .svn = o->pce_isvsvn, .status = BAWN_TCB_UP_TO_DATE,
					      .date = o->dates.from };
	memset(first->level[0].components, 1, sizeof(first->level[0].components));
	for (int i = 0; i < FAB_AUTHORITIES && rc == 0; i++) {
		rc = fab_key_new(&f->key[i], e);
		if (rc == 0)
			rc = fab_random_serial(f->serial[i], e);
	}
	return rc;
}

static int write_authority(const struct fab *f, int dir, enum fab_authority which,
			   const struct fab_dates *dates, struct bawn_error *e)
{
	char url[FAB_URL_MAX + 64];
	struct fab_cert c = {
		.issuer = fab_name(f, FAB_ROOT), .subject = fab_name(f, which), .rest = fab_rest(f),
		.serial = f->serial[which], .serial_n = FAB_SERIAL,
		.from = dates->from, .until = dates->until,
		.key = f->key[which].xy, .issuer_key = f->key[FAB_ROOT].xy,
		.ca = which != FAB_TCB_SIGNER, .path_len = which == FAB_ROOT ? 1 : 0,
		.key_usage = which == FAB_TCB_SIGNER ? FAB_USAGE_SIGNER : FAB_USAGE_CA,
		.key_id = true, .crl_url = url, .emulated = true,
	};
	struct buf der, pem;
	int rc;

	fab_crl_url(f, FAB_ROOT, url);
	buf_init(&der, ATTEST_CERT_MAX);
	buf_init(&pem, 2 * ATTEST_CERT_MAX);
	fab_cert_tbs(&der, &c);
	rc = fab_x509_sign(&der, f->key[FAB_ROOT].d, e);
	if (rc == 0) {
		buf_pem(&pem, "CERTIFICATE", der.p, der.n);
		rc = io_write_file_at(dir, fab_authority_file(which), pem.p, pem.n, 0644, e);
	}
	buf_free(&der);
	buf_free(&pem);
	return rc;
}

/* RSA-3072, as the PCE's suite 1 wants it. */
static int write_ppid_key(int dir, struct bawn_error *e)
{
	struct crypto_key *key = NULL;
	struct buf pem;
	int rc = crypto_key_new_rsa3(&key, e);

	buf_init(&pem, 16384);
	if (rc == 0)
		rc = crypto_key_to_pem(key, &pem, e);
	if (rc == 0)
		rc = io_write_file_at(dir, FAB_PPID_KEY, pem.p, pem.n, 0600, e);
	crypto_key_free(&key);
	buf_free(&pem);
	return rc;
}

static int write_state(const struct fab *f, int dir, struct bawn_error *e)
{
	struct buf b;
	int rc;

	buf_init(&b, FAB_FILE_MAX);
	fab_render(f, &b);
	rc = b.failed ? err_nomem(e) : io_write_file_at(dir, FAB_FILE, b.p, b.n, 0600, e);
	buf_free(&b);
	return rc;
}

static int fill_directory(const struct fab *f, const char *name, const struct fab_dates *dates,
			  struct bawn_error *e)
{
	int dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (dir < 0)
		return err_sys(e, "opening %s", name);
	if (mkdirat(dir, FAB_PCK_FOLDER, 0755) || mkdirat(dir, FAB_COLLATERAL, 0755))
		rc = err_sys(e, "making folders in %s", name);
	for (int i = 0; i < FAB_AUTHORITIES && rc == 0; i++)
		rc = write_authority(f, dir, (enum fab_authority)i, dates, e);
	if (rc == 0)
		rc = write_ppid_key(dir, e);
	if (rc == 0)
		rc = write_state(f, dir, e);
	close(dir);
	return rc;
}

/* What fill_directory may have made, where it failed. */
static void remove_directory(const char *name)
{
	int dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir >= 0) {
		for (int i = 0; i < FAB_AUTHORITIES; i++)
			unlinkat(dir, fab_authority_file((enum fab_authority)i), 0);
		unlinkat(dir, FAB_PPID_KEY, 0);
		unlinkat(dir, FAB_FILE, 0);
		unlinkat(dir, FAB_PCK_FOLDER, AT_REMOVEDIR);
		unlinkat(dir, FAB_COLLATERAL, AT_REMOVEDIR);
		close(dir);
	}
	rmdir(name);
}

static int exists_error(const char *dir, struct bawn_error *e)
{
	return err_set(e, BAWN_ERR_USAGE, "%s exists already: remove that fab (rm -r), or name another directory",
		       dir);
}

int fab_create(const char *dir, const struct fab_options *o, struct bawn_error *e)
{
	struct fab *f = calloc(1, sizeof(*f));
	char name[PATH_MAX], fresh[PATH_MAX + 8];
	size_t n = strlen(dir);
	struct stat st;
	int rc = f ? fill(f, o, e) : err_nomem(e);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	if (rc == 0 && (n == 0 || n + 8 > sizeof(name)))
		rc = err_set(e, BAWN_ERR_USAGE, "no usable name of a directory for a fab");
	snprintf(name, sizeof(name), "%.*s", (int)n, dir);
	snprintf(fresh, sizeof(fresh), "%s.XXXXXX", name);
	if (rc == 0 && lstat(name, &st) == 0)
		rc = exists_error(name, e);
	if (rc == 0)
		rc = io_make_parents(name, 0700, e);
	if (rc == 0 && !mkdtemp(fresh))
		rc = err_sys(e, "making a directory beside %s", name);
	if (rc == 0) {
		rc = fill_directory(f, fresh, &o->dates, e);
		/* An empty directory that was made meanwhile is nobody's loss; any other is refused. */
		if (rc == 0 && rename(fresh, name))
			rc = errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR ?
				     exists_error(name, e) :
				     err_sys(e, "renaming %s", fresh);
		if (rc)
			remove_directory(fresh);
	}
	fab_close(&f);
	return rc;
}

/* ---- using one ---- */

static int load(struct fab *f, bool change, struct bawn_error *e)
{
	struct stat st;
	uint8_t *text;
	char dir[4096];
	size_t n;
	int fd = f->fd, rc;

	if (flock(fd, change ? LOCK_EX : LOCK_SH))
		return err_sys(e, "locking %s", f->dir);
	if (fstatat(fd, FAB_FILE, &st, AT_SYMLINK_NOFOLLOW) && errno == ENOENT)
		return err_set(e, BAWN_ERR_NOT_FOUND, "%s is not a fab: it has no file " FAB_FILE, f->dir);
	rc = io_read_file_at(fd, FAB_FILE, FAB_FILE_MAX, &text, &n, e);
	if (rc)
		return rc;
	memcpy(dir, f->dir, sizeof(dir));
	rc = fab_parse(text, n, f, e);
	if (rc)
		err_context(e, "%s/" FAB_FILE, dir);
	memcpy(f->dir, dir, sizeof(dir));
	f->fd = fd;
	wipe(text, n);
	free(text);
	return rc;
}

int fab_open(struct fab **out, const char *dir, bool change, struct bawn_error *e)
{
	struct fab *f;
	int rc;

	*out = NULL;
	if (strlen(dir) >= sizeof(f->dir))
		return err_set(e, BAWN_ERR_USAGE, "the fab directory's name is too long");
	f = calloc(1, sizeof(*f));
	if (!f)
		return err_nomem(e);
	memcpy(f->dir, dir, strlen(dir) + 1);
	f->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->fd < 0)
		rc = errno == ENOENT ? err_set(e, BAWN_ERR_NOT_FOUND,
					       "no fab at %s: make one with \"bawn emu fab create\"", dir) :
				       err_sys(e, "opening %s", dir);
	else
		rc = load(f, change, e);
	if (rc)
		fab_close(&f);
	*out = f;
	return rc;
}

int fab_save(struct fab *f, struct bawn_error *e)
{
	int rc = write_state(f, f->fd, e);

	if (rc)
		err_context(e, "%s", f->dir);
	return rc;
}

void fab_close(struct fab **f)
{
	if (!*f)
		return;
	if ((*f)->fd >= 0)
		close((*f)->fd);
	wipe(*f, sizeof(**f));
	free(*f);
	*f = NULL;
}

int fab_authority_pem(const struct fab *f, enum fab_authority which, struct buf *out,
		      struct bawn_error *e)
{
	uint8_t *pem;
	size_t n;
	int rc = io_read_file_at(f->fd, fab_authority_file(which), 2 * ATTEST_CERT_MAX, &pem, &n, e);

	if (rc) {
		err_context(e, "%s", f->dir);
		return rc;
	}
	buf_add(out, pem, n);
	free(pem);
	return out->failed ? err_nomem(e) : 0;
}
