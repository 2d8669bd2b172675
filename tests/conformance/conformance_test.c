/*
 * Enclaves that nobody here built: BAWN_CONFORMANCE names a folder, searched
 * to its depths for *.signed.so, and for *.sgxs with a *.sig beside. Each must
 * measure as it was signed, pass EINIT and initialise, on the emulated CPU; and
 * be refused with EINIT's own status once a bit of it, or its launch token, is
 * wrong.
 *
 * A launch enclave embeds a signature that EINIT does not take; the usable one
 * is expected beside it as le_prod_css.bin.
 */
#include "bawn.h"
#include "cpu/cpu.h"
#include "image/image.h"
#include "tests/tap.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE ((size_t)256 << 20)

static char flexible[64], locked[64]; /* platforms */

struct subject {
	const char *path;
	uint8_t *file;
	size_t n;
	struct isa_sigstruct s;
	bool external; /* s is not the file's own */
};

static int load(const struct subject *x, const struct isa_sigstruct *s, const uint8_t *file,
		const struct bawn_options *more, struct bawn_enclave **en, struct bawn_error *e)
{
	struct bawn_options opt = more ? *more : (struct bawn_options){ 0 };

	opt.device = "emulated";
	if (!opt.platform)
		opt.platform = flexible;
	opt.sigstruct = s;
	*e = (struct bawn_error){ 0 };
	if (file)
		return bawn_enclave_load_memory(en, file, x->n, &opt, e);
	return bawn_enclave_load(en, x->path, &opt, e);
}

/* Loading must fail with just this status of EINIT. */
static void refused(const struct subject *x, const struct isa_sigstruct *s, const uint8_t *file,
		    const struct bawn_options *opt, uint32_t status, const char *what)
{
	struct bawn_enclave *en = NULL;
	struct bawn_error e;
	int r = load(x, s, file, opt, &en, &e);

	ok(r == BAWN_ERR_SGX && e.sgx_status == status, "%s: %s: %s", x->path, what,
	   r ? e.msg : "loaded");
	bawn_enclave_free(&en);
}

/* ---- one file ---- */

/* A byte of the file that is code: the image's first executable page points there. */
static bool flip_code(uint8_t *file, size_t n, const struct image_open_options *how)
{
	struct image *im;
	bool done = false;

	if (image_open_memory(&im, file, n, how, NULL))
		return false;
	if (im->format == IMAGE_SGXS) {
		/* Its pages are copied; the last bytes of the file are those of a measured chunk. */
		file[n - 100] ^= 1;
		done = true;
	}
	for (size_t i = 0; i < im->nruns && !done; i++) {
		const struct image_run *run = &im->runs[i];
		/* In the middle of a run, where pages are the file's own. */
		const uint8_t *p = run->src + (run->length / 2 & ~(uint64_t)(ISA_PAGE - 1)) + 100;

		if (run->secinfo & SECINFO_X && run->measured && p >= file && p < file + n) {
			file[p - file] ^= 1;
			done = true;
		}
	}
	image_free(&im);
	return done;
}

static void test_damaged(const struct subject *x)
{
	struct isa_sigstruct s = x->s;
	struct bawn_options debug = { .debug = true };
	struct image_open_options how = { .edmm = true };
	uint8_t *copy = aligned_alloc(ISA_PAGE, (x->n + ISA_PAGE - 1) & ~(size_t)(ISA_PAGE - 1));

	s.signature[100] ^= 0x04;
	refused(x, &s, NULL, NULL, ISA_INVALID_SIGNATURE, "a bit of the signature");
	s = x->s;
	s.date ^= 1;
	refused(x, &s, NULL, NULL, ISA_INVALID_SIGNATURE, "a bit of the body");
	s = x->s;
	s.q2[3] ^= 0x80;
	refused(x, &s, NULL, NULL, ISA_INVALID_SIGNATURE, "a bit of q2");
	memcpy(copy, x->file, x->n);
	if (ok(flip_code(copy, x->n, &how), "%s: its code is found", x->path))
		refused(x, &x->s, copy, NULL, ISA_INVALID_MEASUREMENT, "a bit of the code");
	free(copy);
	if (x->s.attributemask.flags & ~x->s.attributes.flags & ATTR_DEBUG)
		refused(x, &x->s, NULL, &debug, ISA_INVALID_ATTRIBUTE, "DEBUG for a production enclave");
}

/* Where launch control is locked to somebody else. */
static void test_token(const struct subject *x)
{
	struct isa_einittoken token = { .valid = 1, .attributes = x->s.attributes };
	struct bawn_options opt = { .platform = locked };

	if (x->s.attributes.flags & ATTR_EINITTOKEN_KEY)
		return; /* launch enclaves answer to the lock itself */
	refused(x, &x->s, NULL, &opt, ISA_INVALID_EINITTOKEN, "no launch token");
	image_mrsigner(&x->s, token.mrsigner);
	memcpy(token.mrenclave, x->s.enclavehash, 32);
	opt.token = &token;
	refused(x, &x->s, NULL, &opt, ISA_INVALID_EINITTOKEN, "a launch token that nobody made");
}

static void test_file(struct subject *x)
{
	struct bawn_enclave *en = NULL;
	struct bawn_enclave_info info;
	struct image *im = NULL;
	struct bawn_error e = { 0 };
	uint8_t mrenclave[32];

	if (!ok(!image_open_memory(&im, x->file, x->n, NULL, &e), "%s: opens %s", x->path, e.msg))
		return;
	if (!x->external)
		x->s = im->sigstruct;
	ok(!image_measure(im, mrenclave, &e), "%s: measures %s", x->path, e.msg);
	is_mem(mrenclave, x->s.enclavehash, 32, "as it was signed");
	image_free(&im);
	ok(!image_sigstruct_check(&x->s, &e), "%s: the signature holds %s", x->path, e.msg);
	if (!ok(!load(x, &x->s, NULL, NULL, &en, &e), "%s: EINIT and initialisation %s", x->path, e.msg))
		return;
	bawn_enclave_info(en, &info);
	is_mem(info.mrenclave, mrenclave, 32, "the same MRENCLAVE");
	bawn_enclave_free(&en);
	test_damaged(x);
	test_token(x);
}

static bool ends_in(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && !strcmp(s + n - m, suffix);
}

/* The signature beside a stream of this name. */
static void signature_path(const char *stream, char path[4096])
{
	snprintf(path, 4096, "%.*s.sig", (int)(strlen(stream) - strlen(".sgxs")), stream);
}

/* The signature beside a launch enclave or a stream. */
static void find_signature(struct subject *x)
{
	char path[4096];
	struct image *im;
	struct bawn_error e = { 0 };
	const char *slash = strrchr(x->path, '/');

	if (image_open_memory(&im, x->file, x->n, NULL, NULL))
		return;
	if (isa_sigstruct_flaw(&im->sigstruct) && slash) {
		if (im->format == IMAGE_SGXS)
			signature_path(x->path, path);
		else
			snprintf(path, sizeof(path), "%.*s/le_prod_css.bin", (int)(slash - x->path), x->path);
		x->external = image_sigstruct_read(path, &x->s, &e) == 0;
		printf("# %s: with the signature in %s\n", x->path, x->external ? path : "itself");
	}
	image_free(&im);
}

static void visit_file(const char *path)
{
	struct subject x = { .path = path };
	struct bawn_error e = { 0 };

	if (!ok(!io_read_file(path, MAX_FILE, &x.file, &x.n, &e), "%s: read %s", path, e.msg))
		return;
	find_signature(&x);
	test_file(&x);
	free(x.file);
}

/* ---- the folder ---- */

static bool is_signed(const char *path)
{
	char signature[4096];

	if (!ends_in(path, ".sgxs"))
		return ends_in(path, ".signed.so");
	signature_path(path, signature);
	return access(signature, R_OK) == 0;
}

static unsigned visit(const char *dir, unsigned depth)
{
	struct dirent **entry;
	struct stat st;
	char path[4096];
	unsigned found = 0;
	int n = scandir(dir, &entry, NULL, alphasort);

	ok(n >= 0, "%s: read", dir);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, entry[i]->d_name);
		if (entry[i]->d_name[0] != '.' && stat(path, &st) == 0) {
			if (S_ISDIR(st.st_mode) && depth < 8) {
				found += visit(path, depth + 1);
			} else if (S_ISREG(st.st_mode) && is_signed(path)) {
				visit_file(path);
				found++;
			}
		}
		free(entry[i]);
	}
	if (n >= 0)
		free(entry);
	return found;
}

static void make_platform(char *dir, size_t n, const char *name,
			  const struct cpu_platform_options *opt)
{
	struct bawn_error e = { 0 };

	snprintf(dir, n, "/tmp/bawn-conformance-%s.%d", name, (int)getpid());
	ok(!cpu_platform_create(dir, opt, &e), "a platform: %s%s", name, e.msg);
}

int main(void)
{
	static const uint8_t somebody_else[32] = { 1 };
	const char *dir = getenv("BAWN_CONFORMANCE");

	if (!dir)
		return skip_all("BAWN_CONFORMANCE does not name a folder of signed enclaves");
	make_platform(flexible, sizeof(flexible), "flexible", NULL);
	make_platform(locked, sizeof(locked), "locked",
		      &(struct cpu_platform_options){ .launch_locked = true,
						      .lepubkeyhash = somebody_else });
	ok(visit(dir, 0) > 0, "%s: holds signed enclaves", dir);
	cpu_platform_remove(flexible, NULL);
	cpu_platform_remove(locked, NULL);
	return tap_done();
}
