/* Choosing and opening a device; what all backends need. */
#include "dev/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const char *const dev_node_paths[DEV_NODES][3] = {
	[DEV_NODE_ENCLAVE] = { "/dev/sgx_enclave", "/dev/sgx/enclave" },
	[DEV_NODE_PROVISION] = { "/dev/sgx_provision", "/dev/sgx/provision" },
	[DEV_NODE_ISGX] = { "/dev/isgx" },
};

int dev_kind_parse(const char *name, enum dev_kind *out, struct bawn_error *e)
{
	static const struct {
		const char *name;
		enum dev_kind kind;
	} kinds[] = {
		{ "auto", DEV_AUTO },
		{ "kernel", DEV_KERNEL },
		{ "isgx", DEV_ISGX },
		{ "emulated", DEV_EMULATED },
	};
	const char *where = "device";

	if (!name) {
		name = getenv("BAWN_DEVICE");
		where = "BAWN_DEVICE";
	}
	if (!name || !*name) {
		*out = DEV_AUTO;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (!strcmp(name, kinds[i].name)) {
			*out = kinds[i].kind;
			return 0;
		}
	return err_set(e, BAWN_ERR_USAGE, "%s \"%.32s\": use auto, kernel, isgx or emulated", where,
		       name);
}

int dev_node_open(enum dev_node_id id, int *fd, struct bawn_error *e)
{
	const char *path = dev_node_paths[id][0];
	int err = ENOENT;

	for (size_t i = 0; dev_node_paths[id][i] && err == ENOENT; i++) {
		path = dev_node_paths[id][i];
		*fd = open(path, O_RDWR | O_CLOEXEC);
		if (*fd >= 0)
			return 0;
		err = errno;
	}
	if (err == ENOENT || err == ENXIO || err == ENODEV)
		return err_set(e, BAWN_ERR_NO_DEVICE, "no SGX device %s here (`bawn check` tells more)",
			       dev_node_paths[id][0]);
	if (err == EACCES || err == EPERM)
		return err_set(e, BAWN_ERR_DENIED,
			       "no permission to open %s: add this user to the group that owns it", path);
	errno = err;
	return err_sys(e, "%s", path);
}

static int open_auto(struct dev *d, struct bawn_error *e)
{
	struct bawn_error first = { 0 };
	int r = dev_kernel_open(d, &first);

	if (r == BAWN_ERR_NO_DEVICE) {
		struct bawn_error second = { 0 };

		r = dev_isgx_open(d, &second);
		if (r != BAWN_ERR_NO_DEVICE)
			first = second;
	}
	if (r == BAWN_ERR_NO_DEVICE)
		return err_set(e, r, "no SGX device here; to run on the emulated CPU, which protects "
			       "nothing, say --device emulated or BAWN_DEVICE=emulated");
	if (r && e && !e->code)
		*e = first;
	return r;
}

int dev_open(struct dev **out, enum dev_kind kind, const char *platform, struct bawn_error *e)
{
	struct dev *d = calloc(1, sizeof(*d));
	int r = BAWN_ERR_USAGE;

	*out = NULL;
	if (!d)
		return err_nomem(e);
	d->fd = -1;
	switch (kind) {
	case DEV_AUTO:
		r = open_auto(d, e);
		break;
	case DEV_KERNEL:
		r = dev_kernel_open(d, e);
		break;
	case DEV_ISGX:
		r = dev_isgx_open(d, e);
		break;
	case DEV_EMULATED:
		r = dev_emulated_open(d, platform, e);
		break;
	}
	if (r) {
		free(d);
		return r;
	}
	*out = d;
	return 0;
}

void dev_free(struct dev **d)
{
	if (!*d)
		return;
	(*d)->ops->close(*d);
	free(*d);
	*d = NULL;
}

int dev_driver_open(struct dev *d, enum dev_node_id id, struct bawn_error *e)
{
	int r = dev_node_open(id, &d->fd, e);

	if (r)
		return r;
	d->priv = calloc(1, sizeof(struct dev_ranges));
	if (d->priv)
		return 0;
	dev_driver_close(d);
	return err_nomem(e);
}

void dev_driver_close(struct dev *d)
{
	if (d->size && !d->detached)
		munmap((void *)(uintptr_t)d->base, d->size);
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	if (d->priv)
		dev_ranges_free(d->priv);
	free(d->priv);
	d->priv = NULL;
}

int dev_reserve(uint64_t size, uint64_t *base, struct bawn_error *e)
{
	void *p;

	if (!*base)
		return cpu_elrange_reserve(size, base, e);
	p = mmap((void *)(uintptr_t)*base, size, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (p == MAP_FAILED)
		return err_sys(e, "ELRANGE at 0x%llx, where the enclave must be",
			       (unsigned long long)*base);
	/* A kernel that does not know the flag takes the address for a hint. */
	if ((uint64_t)(uintptr_t)p != *base) {
		munmap(p, size);
		return err_set(e, BAWN_ERR_MEMORY, "the address range that the enclave must have is taken");
	}
	return 0;
}

static int prot_of(uint64_t secinfo_flags)
{
	if (SECINFO_PT(secinfo_flags) == PT_TCS)
		return PROT_READ | PROT_WRITE;
	return (secinfo_flags & SECINFO_R ? PROT_READ : 0) |
	       (secinfo_flags & SECINFO_W ? PROT_WRITE : 0) |
	       (secinfo_flags & SECINFO_X ? PROT_EXEC : 0);
}

int dev_ranges_add(struct dev_ranges *l, uint64_t offset, uint64_t length, uint64_t secinfo_flags,
		   struct bawn_error *e)
{
	int prot = prot_of(secinfo_flags);
	struct dev_range *last = l->n ? &l->r[l->n - 1] : NULL;

	if (last && last->prot == prot && last->offset + last->length == offset) {
		last->length += length;
		return 0;
	}
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 32;
		struct dev_range *r = realloc(l->r, cap * sizeof(*r));

		if (!r)
			return err_nomem(e);
		l->r = r;
		l->cap = cap;
	}
	l->r[l->n++] = (struct dev_range){ offset, length, prot };
	return 0;
}

int dev_ranges_map(const struct dev_ranges *l, struct dev *d, struct bawn_error *e)
{
	for (size_t i = 0; i < l->n; i++) {
		int r = d->ops->map(d, l->r[i].offset, l->r[i].length, l->r[i].prot, e);

		if (r)
			return r;
	}
	return 0;
}

void dev_ranges_free(struct dev_ranges *l)
{
	free(l->r);
	*l = (struct dev_ranges){ 0 };
}
