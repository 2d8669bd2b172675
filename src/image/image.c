/* Opening an enclave file: which kind it is, its mapping, a SIGSTRUCT beside it. */
#include "image/internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ELF_MAGIC "\177ELF"

static int read_any(struct image *im, const void *p, size_t n, const struct image_open_options *opt,
		    struct bawn_error *e)
{
	static const struct image_open_options none;
	int rc;

	if (!opt)
		opt = &none;
	if (n >= 4 && memcmp(p, ELF_MAGIC, 4) == 0)
		rc = image_read_sdk(im, p, n, opt, e);
	else if (n >= 8 && (memcmp(p, "ECREATE\0", 8) == 0 || memcmp(p, "UNSIZED\0", 8) == 0))
		rc = image_read_sgxs(im, p, n, opt, e);
	else
		rc = err_set(e, BAWN_ERR_FORMAT,
			     "neither an ELF file nor an SGXS stream%s", n ? "" : ": it is empty");
	if (rc == 0 && opt->sigstruct_path) {
		rc = image_sigstruct_read(opt->sigstruct_path, &im->sigstruct, e);
		im->has_sigstruct = rc == 0;
	}
	if (rc == 0 && im->format == IMAGE_SGXS && im->has_sigstruct) {
		im->attributes = im->sigstruct.attributes;
		im->miscselect = im->sigstruct.miscselect;
	}
	return rc;
}

static int map_file(const char *path, void **map, size_t *n, struct bawn_error *e)
{
	struct stat st;
	int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "cannot open %s", path);
	if (fstat(fd, &st) != 0)
		rc = err_sys(e, "cannot examine %s", path);
	else if (!S_ISREG(st.st_mode))
		rc = err_set(e, BAWN_ERR_USAGE, "%s is not a regular file", path);
	else if ((uint64_t)st.st_size > 2 * IMAGE_MAX_SIZE)
		rc = err_set(e, BAWN_ERR_UNSUPPORTED, "%s is too large", path);
	else if (st.st_size > 0) {
		*n = (size_t)st.st_size;
		*map = mmap(NULL, *n, PROT_READ, MAP_PRIVATE, fd, 0);
		if (*map == MAP_FAILED) {
			*map = NULL;
			rc = err_sys(e, "cannot map %s", path);
		}
	}
	close(fd);
	return rc;
}

int image_open(struct image **out, const char *path, const struct image_open_options *opt,
	       struct bawn_error *e)
{
	struct bawn_error own = { 0 };
	struct image *im;
	void *map = NULL;
	size_t n = 0;
	int rc;

	*out = NULL;
	if (!e)
		e = &own;
	rc = map_file(path, &map, &n, e);
	if (rc)
		return rc;
	im = image_new(map, n);
	if (!im) {
		if (map)
			munmap(map, n);
		return err_nomem(e);
	}
	rc = read_any(im, map, n, opt, e);
	if (rc) {
		err_context(e, "%s", path);
		image_free(&im);
	}
	*out = im;
	return rc;
}

int image_open_memory(struct image **out, const void *p, size_t n,
		      const struct image_open_options *opt, struct bawn_error *e)
{
	struct image *im = image_new(NULL, 0);
	int rc;

	*out = NULL;
	if (!im)
		return err_nomem(e);
	rc = read_any(im, p, n, opt, e);
	if (rc)
		image_free(&im);
	*out = im;
	return rc;
}
