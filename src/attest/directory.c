/* Collateral in directories: one file a part, one directory a set, sets replaced whole. */
#include "attest/attest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_TRIES 16 /* a set may be replaced while it is read */
#define SETS_MAX 4096u

static const struct {
	const char *file;
	size_t max;
} parts[ATTEST_PARTS] = {
	[ATTEST_PART_TCB_INFO] = { "tcb_info.json", ATTEST_JSON_MAX },
	[ATTEST_PART_TCB_CHAIN] = { "tcb_signing_chain.pem", ATTEST_CHAIN_TEXT_MAX },
	[ATTEST_PART_QE_IDENTITY] = { "qe_identity.json", ATTEST_JSON_MAX },
	[ATTEST_PART_QE_CHAIN] = { "qe_signing_chain.pem", ATTEST_CHAIN_TEXT_MAX },
	[ATTEST_PART_PCK_CRL] = { "pck_crl.der", 2 * ATTEST_CRL_MAX }, /* may be PEM or hex */
	[ATTEST_PART_PCK_CRL_CHAIN] = { "pck_crl_issuer_chain.pem", ATTEST_CHAIN_TEXT_MAX },
	[ATTEST_PART_ROOT_CRL] = { "root_ca_crl.der", 2 * ATTEST_CRL_MAX },
	[ATTEST_PART_PCK_CHAIN] = { "pck_chain.pem", ATTEST_CHAIN_TEXT_MAX },
};

const char *attest_part_file(enum attest_part part)
{
	return parts[part].file;
}

void attest_bundle_free(struct attest_bundle *s)
{
	for (int i = 0; i < ATTEST_PARTS; i++)
		free(s->part[i].p);
	*s = (struct attest_bundle){ 0 };
}

int attest_bundle_put(struct attest_bundle *s, enum attest_part part, const void *p, size_t n,
		   struct bawn_error *e)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		return err_nomem(e);
	memcpy(copy, p, n);
	free(s->part[part].p);
	s->part[part] = (struct attest_file){ copy, n };
	return 0;
}

/* The parts below an open directory; *found tells how many. */
static int read_parts(int dir, struct attest_bundle *s, unsigned *found, struct bawn_error *e)
{
	*found = 0;
	for (int i = 0; i < ATTEST_PARTS; i++) {
		struct bawn_error why = { 0 };
		int rc = io_read_file_at(dir, parts[i].file, parts[i].max, &s->part[i].p, &s->part[i].n,
					 &why);

		if (rc == 0)
			++*found;
		else if (why.sys_errno != ENOENT && why.code != BAWN_ERR_NOT_FOUND)
			return err_set(e, why.code, "%s", why.msg);
	}
	return 0;
}

/* Replacing a set exchanges directories first and removes files after. */
static bool is_still(int fd, const char *dir)
{
	struct stat was, now;

	return fstat(fd, &was) == 0 && stat(dir, &now) == 0 && was.st_dev == now.st_dev &&
	       was.st_ino == now.st_ino;
}

int attest_bundle_read(struct attest_bundle *s, const char *dir, struct bawn_error *e)
{
	unsigned found = 0;
	bool replaced = true;

	*s = (struct attest_bundle){ 0 };
	for (int i = 0; replaced; i++) {
		int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

		if (fd < 0 && errno == ENOENT)
			return err_set(e, BAWN_ERR_NOT_FOUND, "%.100s: no such directory", dir);
		if (fd < 0)
			return err_sys(e, "%.100s", dir);
		attest_bundle_free(s);
		rc = i < READ_TRIES ? read_parts(fd, s, &found, e) :
				      err_set(e, BAWN_ERR_BUSY, "it is replaced again and again");
		replaced = !is_still(fd, dir);
		close(fd);
		if (rc) {
			attest_bundle_free(s);
			err_context(e, "%.60s", dir);
			return rc;
		}
	}
	if (!found)
		return err_set(e, BAWN_ERR_NOT_FOUND, "%.80s: no collateral in it (such as %s)", dir,
			       parts[0].file);
	return 0;
}

/* ---- into a verifier ---- */

int attest_bundle_infer(struct attest_bundle *s, struct cur pck_chain, struct bawn_error *e)
{
	static const char end[] = "-----END CERTIFICATE-----";
	const struct attest_file *own = &s->part[ATTEST_PART_PCK_CHAIN];
	const uint8_t *leaf_end;

	if (s->part[ATTEST_PART_PCK_CRL_CHAIN].p || !s->part[ATTEST_PART_PCK_CRL].p)
		return 0;
	if (!pck_chain.p)
		pck_chain = cur_make(own->p, own->n);
	leaf_end = pck_chain.p ? memmem(pck_chain.p, pck_chain.n, end, sizeof(end) - 1) : NULL;
	if (!leaf_end)
		return 0;
	cur_skip(&pck_chain, (size_t)(leaf_end - pck_chain.p) + sizeof(end) - 1);
	return attest_bundle_put(s, ATTEST_PART_PCK_CRL_CHAIN, pck_chain.p, pck_chain.n, e);
}

static struct bawn_bytes bytes(const struct attest_bundle *s, enum attest_part part)
{
	return (struct bawn_bytes){ s->part[part].p, s->part[part].n };
}

static void add(struct bawn_verifier *v, const struct bawn_collateral *c, enum attest_part part,
		struct bawn_error *first)
{
	struct bawn_error e = { 0 };

	if (bawn_verifier_add_collateral(v, c, &e) == 0)
		return;
	err_context(&e, "%s", parts[part].file);
	if (!first->code)
		*first = e;
}

int attest_bundle_add(const struct attest_bundle *s, bool early, struct bawn_verifier *v,
		   struct bawn_error *e)
{
	bool own_chain = s->part[ATTEST_PART_QE_CHAIN].p;
	struct bawn_error first = { 0 };
	const struct bawn_collateral crl = { .root_crl = bytes(s, ATTEST_PART_ROOT_CRL) };
	const struct bawn_collateral pck = { .pck_crl = bytes(s, ATTEST_PART_PCK_CRL),
					     .pck_crl_chain = bytes(s, ATTEST_PART_PCK_CRL_CHAIN) };
	const struct bawn_collateral tcb = { .early = early,
					     .tcb_info = bytes(s, ATTEST_PART_TCB_INFO),
					     .tcb_chain = bytes(s, ATTEST_PART_TCB_CHAIN) };
	const struct bawn_collateral qe = {
		.early = early,
		.qe_identity = bytes(s, ATTEST_PART_QE_IDENTITY),
		.qe_chain = bytes(s, own_chain ? ATTEST_PART_QE_CHAIN : ATTEST_PART_TCB_CHAIN),
	};

	if (crl.root_crl.p)
		add(v, &crl, ATTEST_PART_ROOT_CRL, &first);
	if (pck.pck_crl.p)
		add(v, &pck, ATTEST_PART_PCK_CRL, &first);
	if (tcb.tcb_info.p)
		add(v, &tcb, ATTEST_PART_TCB_INFO, &first);
	if (qe.qe_identity.p)
		add(v, &qe, ATTEST_PART_QE_IDENTITY, &first);
	return first.code ? err_set(e, first.code, "%s", first.msg) : 0;
}

/* ---- keys ---- */

void attest_key_name(const struct attest_key *k, char out[ATTEST_KEY_NAME])
{
	char fmspc[13];

	hex_encode(k->fmspc, 6, fmspc);
	snprintf(out, ATTEST_KEY_NAME, "%s-%s%s%s%s", k->tee == BAWN_TEE_TDX ? "tdx" : "sgx", fmspc,
		 *k->ca ? "-" : "", k->ca, k->early ? "-early" : "");
}

bool attest_key_parse(const char *name, struct attest_key *k)
{
	char again[ATTEST_KEY_NAME];
	size_t n = strlen(name);

	*k = (struct attest_key){ .tee = BAWN_TEE_SGX };
	if (n < 16 || n >= ATTEST_KEY_NAME || !hex_decode(name + 4, 12, k->fmspc, 6))
		return false;
	if (strncmp(name, "tdx-", 4) == 0)
		k->tee = BAWN_TEE_TDX;
	k->early = n > 6 && strcmp(name + n - 6, "-early") == 0;
	if (strncmp(name + 16, "-platform", 9) == 0)
		strcpy(k->ca, "platform");
	else if (strncmp(name + 16, "-processor", 10) == 0)
		strcpy(k->ca, "processor");
	attest_key_name(k, again);
	return strcmp(name, again) == 0;
}

/* Intel's word for the CA that issued a revocation list; "" if the list is another CA's. */
static int crl_ca(const struct attest_file *f, char ca[12], struct bawn_error *e)
{
	struct attest_crl crl;
	const uint8_t *der;
	char cn[64];
	size_t n;
	bool owned;
	int rc = attest_crl_decode(f->p, f->n, &der, &n, &owned, e);

	if (rc)
		return rc;
	rc = attest_crl_parse(der, n, &crl, e);
	if (rc == 0) {
		attest_name_cn(crl.issuer, cn, sizeof(cn));
		snprintf(ca, 12, "%s", strcmp(cn, "Intel SGX PCK Platform CA") == 0  ? "platform" :
				       strcmp(cn, "Intel SGX PCK Processor CA") == 0 ? "processor" : "");
	}
	if (owned)
		free((uint8_t *)der);
	return rc;
}

/* QE identity and TCB info must be of one kind of TEE: together they judge one quote. */
static int check_qe_tee(const struct attest_bundle *s, enum bawn_tee tee, struct bawn_error *e)
{
	const struct attest_file *f = &s->part[ATTEST_PART_QE_IDENTITY];
	struct attest_qe_identity *q;
	int rc;

	if (!f->p)
		return 0;
	q = malloc(sizeof(*q));
	if (!q)
		return err_nomem(e);
	rc = attest_qe_identity_parse(f->p, f->n, q, e);
	if (rc)
		err_context(e, "%s", parts[ATTEST_PART_QE_IDENTITY].file);
	else if (q->tee != tee)
		rc = err_set(e, BAWN_ERR_FORMAT, "QE identity and TCB info are for different kinds of quotes");
	free(q);
	return rc;
}

int attest_bundle_key(const struct attest_bundle *s, bool early, struct attest_key *k,
		      struct bawn_error *e)
{
	const struct attest_file *f = &s->part[ATTEST_PART_TCB_INFO];
	struct attest_tcb_info *info;
	int rc;

	*k = (struct attest_key){ .early = early };
	if (!f->p)
		return err_set(e, BAWN_ERR_NOT_FOUND, "no tcb_info.json: nothing tells what it is for");
	info = malloc(sizeof(*info));
	if (!info)
		return err_nomem(e);
	rc = attest_tcb_info_parse(f->p, f->n, info, e);
	if (rc == 0) {
		k->tee = info->tee;
		memcpy(k->fmspc, info->fmspc, 6);
	}
	free(info);
	if (rc) {
		err_context(e, "%s", parts[ATTEST_PART_TCB_INFO].file);
		return rc;
	}
	rc = check_qe_tee(s, k->tee, e);
	if (rc || !s->part[ATTEST_PART_PCK_CRL].p)
		return rc;
	rc = crl_ca(&s->part[ATTEST_PART_PCK_CRL], k->ca, e);
	if (rc)
		err_context(e, "%s", parts[ATTEST_PART_PCK_CRL].file);
	return rc;
}

/* ---- the store ---- */

static int join(char *out, size_t max, const char *a, const char *b, struct bawn_error *e)
{
	int n = snprintf(out, max, "%s/%s", a, b);

	if (n < 0 || (size_t)n >= max)
		return err_set(e, BAWN_ERR_USAGE, "a path too long");
	return 0;
}

/* A directory that is a set by itself, as an export or a copy of one is. */
bool attest_dir_is_set(const char *dir)
{
	char path[4096];

	for (int i = 0; i < ATTEST_PARTS; i++)
		if (join(path, sizeof(path), dir, parts[i].file, NULL) == 0 && access(path, F_OK) == 0)
			return true;
	return false;
}

int attest_dir_read(const char *store, const struct attest_key *k, struct attest_bundle *s,
		      struct bawn_error *e)
{
	char name[ATTEST_KEY_NAME], path[4096];
	int rc;

	*s = (struct attest_bundle){ 0 };
	if (attest_dir_is_set(store)) {
		if (!k->early)
			return attest_bundle_read(s, store, e);
		snprintf(name, sizeof(name), "early");
	} else {
		attest_key_name(k, name);
	}
	rc = join(path, sizeof(path), store, name, e);
	return rc ? rc : attest_bundle_read(s, path, e);
}

static int write_parts(int dir, const struct attest_bundle *s, struct bawn_error *e)
{
	for (int i = 0; i < ATTEST_PARTS; i++) {
		int rc = s->part[i].p ? io_write_file_at(dir, parts[i].file, s->part[i].p, s->part[i].n,
							 0644, e) : 0;
		if (rc)
			return rc;
	}
	return 0;
}

/* Remove what a set's directory holds, and it; nothing else is ever in one that we made. */
static void remove_set(int store, const char *name)
{
	int dir = openat(store, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (dir < 0)
		return;
	for (int i = 0; i < ATTEST_PARTS; i++)
		unlinkat(dir, parts[i].file, 0);
	close(dir);
	unlinkat(store, name, AT_REMOVEDIR);
}

/*
 * Exchange the new directory with the old one in one step. File systems that
 * cannot do that get two renames, between which the set is absent.
 */
static int swap_in(int store, const char *fresh, const char *name, struct bawn_error *e)
{
	char old[ATTEST_KEY_NAME + 8];

	if (renameat(store, fresh, store, name) == 0)
		return 0;
	if (errno != EEXIST && errno != ENOTEMPTY)
		return err_sys(e, "cannot rename %s to %s", fresh, name);
#ifdef SYS_renameat2
	if (syscall(SYS_renameat2, store, fresh, store, name, 2 /* RENAME_EXCHANGE */) == 0)
		return 0;
#endif
	snprintf(old, sizeof(old), ".old.%s", name);
	remove_set(store, old);
	if (renameat(store, name, store, old) || renameat(store, fresh, store, name))
		return err_sys(e, "cannot put %s in place", name);
	remove_set(store, old);
	return 0;
}

static int write_locked(int store, const char *name, const struct attest_bundle *s,
			struct bawn_error *e)
{
	char fresh[ATTEST_KEY_NAME + 8];
	int dir, rc;

	snprintf(fresh, sizeof(fresh), ".new.%s", name);
	remove_set(store, fresh); /* left behind by a crash: the lock says that nobody uses it */
	if (mkdirat(store, fresh, 0755))
		return err_sys(e, "cannot create %s", fresh);
	dir = openat(store, fresh, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return err_sys(e, "cannot open %s", fresh);
	rc = write_parts(dir, s, e);
	if (rc == 0 && fsync(dir))
		rc = err_sys(e, "cannot sync %s", fresh);
	close(dir);
	if (rc == 0)
		rc = swap_in(store, fresh, name, e);
	remove_set(store, fresh); /* what was there before, or what failed */
	if (rc == 0 && fsync(store))
		rc = err_sys(e, "cannot sync the store");
	return rc;
}

int attest_dir_write(const char *store, const struct attest_key *k, const struct attest_bundle *s,
		       struct bawn_error *e)
{
	char name[ATTEST_KEY_NAME];
	int dir, lock, rc;

	if (attest_dir_is_set(store))
		return err_set(e, BAWN_ERR_USAGE,
			       "%.80s is one set by itself: name a directory for many, or an empty one", store);
	if (mkdir(store, 0755) && errno != EEXIST)
		return err_sys(e, "cannot create %.80s", store);
	dir = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "%.80s", store);
	lock = openat(dir, ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (lock < 0 || flock(lock, LOCK_EX)) {
		rc = err_sys(e, "%.80s: cannot lock it", store);
	} else {
		attest_key_name(k, name);
		rc = write_locked(dir, name, s, e);
		if (rc)
			err_context(e, "%.60s", store);
	}
	if (lock >= 0)
		close(lock);
	close(dir);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The names of the sets in a store, sorted. */
static int list(const char *store, char (**names)[ATTEST_KEY_NAME], size_t *count,
		struct bawn_error *e)
{
	DIR *d = opendir(store);
	const struct dirent *entry;
	struct attest_key k;
	int rc = 0;

	*count = 0;
	if (!d)
		return errno == ENOENT ? err_set(e, BAWN_ERR_NOT_FOUND, "%.100s: no such directory", store) :
					 err_sys(e, "%.100s", store);
	*names = malloc(SETS_MAX * sizeof(**names));
	if (!*names)
		rc = err_nomem(e);
	while (rc == 0 && (entry = readdir(d))) {
		if (!attest_key_parse(entry->d_name, &k))
			continue;
		if (*count == SETS_MAX)
			rc = err_set(e, BAWN_ERR_UNSUPPORTED, "%.80s: more than %u sets", store, SETS_MAX);
		else
			attest_key_name(&k, (*names)[(*count)++]);
	}
	closedir(d);
	if (rc == 0)
		qsort(*names, *count, sizeof(**names), by_name);
	else
		free(*names);
	return rc;
}

int attest_dir_each(const char *store,
		      int (*fn)(void *arg, const char *path, bool early, struct bawn_error *e),
		      void *arg, struct bawn_error *e)
{
	char (*names)[ATTEST_KEY_NAME] = NULL, path[4096];
	struct attest_key k;
	size_t count;
	int rc;

	if (attest_dir_is_set(store)) {
		rc = fn(arg, store, false, e);
		if (rc == 0 && join(path, sizeof(path), store, "early", e) == 0 && attest_dir_is_set(path))
			rc = fn(arg, path, true, e);
		return rc;
	}
	rc = list(store, &names, &count, e);
	if (rc)
		return rc;
	if (!count)
		rc = err_set(e, BAWN_ERR_NOT_FOUND, "%.80s: no collateral in it", store);
	for (size_t i = 0; i < count && rc == 0; i++) {
		rc = join(path, sizeof(path), store, names[i], e);
		if (rc == 0 && attest_key_parse(names[i], &k))
			rc = fn(arg, path, k.early, e);
	}
	free(names);
	return rc;
}
