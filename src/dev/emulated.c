/* The emulated CPU as a device. It protects nothing; see doc/EMULATED-CPU.md. */
#include "dev/internal.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct emulated {
	struct cpu_platform platform;
	struct cpu_epc *epc;
	struct dev_ranges ranges;
	bool reserved, mapped; /* ELRANGE: reserved by us, mapped by the engine */
};

/* A leaf's end as an error; 0 for success. */
static int ended(int r, const struct cpu_fault *f, const char *leaf, uint64_t offset,
		 struct bawn_error *e)
{
	unsigned long long at = offset;

	if (r == 0)
		return 0;
	if (r != CPU_FAULT)
		return err_sgx(e, (uint32_t)r, "%s: %s", leaf, isa_status_name((uint32_t)r));
	if (f->vector == VEC_PF)
		return err_set(e, BAWN_ERR_SGX, "%s at 0x%llx raised #PF (0x%x)", leaf, at,
			       f->error_code);
	return err_set(e, BAWN_ERR_SGX, "%s at 0x%llx raised %s", leaf, at,
		       f->vector == VEC_GP ? "#GP(0)" : "an exception");
}

static int emulated_create(struct dev *d, struct isa_secs *secs, struct bawn_error *e)
{
	struct emulated *m = d->priv;
	struct cpu_fault f = { 0 };
	uint64_t base = secs->baseaddr;
	int r = 0;

	if (!d->detached)
		r = dev_reserve(secs->size, &base, e);
	if (r)
		return r;
	m->reserved = !d->detached;
	secs->baseaddr = base;
	d->base = base;
	d->size = secs->size;
	r = cpu_epc_new(&m->epc, &m->platform, e);
	if (r)
		return r;
	d->fd = m->epc->fd;
	return ended(cpu_ecreate(m->epc, secs, &f), &f, "ECREATE", 0, e);
}

static int emulated_add_pages(struct dev *d, uint64_t offset, uint64_t length, const void *src,
			      bool repeat, uint64_t secinfo_flags, bool measured,
			      struct bawn_error *e)
{
	struct emulated *m = d->priv;
	struct isa_secinfo si __attribute__((aligned(64))) = { .flags = secinfo_flags };
	struct cpu_fault f = { 0 };
	uint64_t done = 0;
	int r = dev_ranges_add(&m->ranges, offset, length, secinfo_flags, e);

	if (r)
		return r;
	r = cpu_eadd_many(m->epc, offset, length, src, repeat, &si, measured, &done, &f);
	return ended(r, &f, "EADD", offset + done, e);
}

/* ELRANGE in this process, each page as the driver would let it be mapped. */
static int map_all(struct dev *d, const struct dev_ranges *ranges, struct bawn_error *e)
{
	struct emulated *m = d->priv;
	int r = cpu_elrange_map(m->epc, e);

	if (r)
		return r;
	m->mapped = true;
	r = cpu_elrange_protect(m->epc, 0, d->size, PROT_NONE, e);
	return r ? r : dev_ranges_map(ranges, d, e);
}

static int emulated_init(struct dev *d, const struct isa_sigstruct *s,
			 const struct isa_einittoken *token, struct bawn_error *e)
{
	struct emulated *m = d->priv;
	struct cpu_fault f = { 0 };
	int r;

	if (!m->platform.launch_locked) {
		/* As the kernel's driver: its own signer to the registers, and no token. */
		uint8_t signer[32];

		crypto_sha256(s->modulus, sizeof(s->modulus), signer);
		r = ended(cpu_lepubkeyhash_write(m->epc, signer, &f), &f, "WRMSR", 0, e);
		if (r)
			return r;
		token = NULL;
	}
	r = ended(cpu_einit(m->epc, s, token, &f), &f, "EINIT", 0, e);
	return r || d->detached ? r : map_all(d, &m->ranges, e);
}

static int emulated_map(struct dev *d, uint64_t offset, uint64_t length, int prot,
			struct bawn_error *e)
{
	struct emulated *m = d->priv;

	return cpu_elrange_protect(m->epc, offset, length, prot, e);
}

static int no_sgx2(const char *leaf, struct bawn_error *e)
{
	return err_set(e, BAWN_ERR_UNSUPPORTED, "%s: this emulated platform has no SGX2", leaf);
}

static int emulated_restrict(struct dev *d, uint64_t offset, uint64_t length, uint64_t permissions,
			     struct bawn_error *e)
{
	struct emulated *m = d->priv;
	struct isa_secinfo si __attribute__((aligned(64))) = {
		.flags = permissions | SECINFO_OF_PT(PT_REG),
	};
	int r = 0;

	if (!d->features.sgx2)
		return no_sgx2("EMODPR", e);
	for (uint64_t at = offset; at < offset + length && !r; at += ISA_PAGE) {
		struct cpu_fault f = { 0 };

		r = ended(cpu_emodpr(m->epc, at, &si, &f), &f, "EMODPR", at, e);
	}
	return r;
}

static int emulated_modify_type(struct dev *d, uint64_t offset, uint64_t length,
				enum isa_page_type pt, struct bawn_error *e)
{
	struct emulated *m = d->priv;
	struct isa_secinfo si __attribute__((aligned(64))) = { .flags = SECINFO_OF_PT(pt) };
	int r = 0;

	if (!d->features.sgx2)
		return no_sgx2("EMODT", e);
	for (uint64_t at = offset; at < offset + length && !r; at += ISA_PAGE) {
		struct cpu_fault f = { 0 };

		r = ended(cpu_emodt(m->epc, at, &si, &f), &f, "EMODT", at, e);
	}
	return r;
}

/* As the kernel's driver: only pages that the enclave has accepted as trimmed. */
static int emulated_remove(struct dev *d, uint64_t offset, uint64_t length, struct bawn_error *e)
{
	struct emulated *m = d->priv;
	int r = 0;

	if (!d->features.sgx2)
		return no_sgx2("EREMOVE", e);
	for (uint64_t at = offset; at < offset + length && !r; at += ISA_PAGE) {
		struct cpu_fault f = { 0 };
		struct cpu_epcm p;

		if (!cpu_epcm_get(m->epc, at, &p) || !p.valid || p.pt != PT_TRIM || p.modified)
			return err_set(e, BAWN_ERR_DENIED, "EREMOVE at 0x%llx: not trimmed and accepted",
				       (unsigned long long)at);
		r = ended(cpu_eremove(m->epc, at, &f), &f, "EREMOVE", at, e);
	}
	return r;
}

/* Whoever can read the platform's fuses can have any key: there is nothing to grant. */
static int emulated_allow_provision(struct dev *d, struct bawn_error *e)
{
	(void)d;
	(void)e;
	return 0;
}

void dev_emulated_close(struct dev *d)
{
	struct emulated *m = d->priv;

	if (m->mapped)
		cpu_elrange_unmap(m->epc);
	if (m->reserved)
		munmap((void *)(uintptr_t)d->base, d->size);
	if (m->epc)
		cpu_epc_free(&m->epc);
	dev_ranges_free(&m->ranges);
	wipe(m, sizeof(*m));
	free(m);
}

static const struct dev_ops emulated_ops = {
	.name = "emulated",
	.create = emulated_create,
	.add_pages = emulated_add_pages,
	.init = emulated_init,
	.map = emulated_map,
	.restrict_pages = emulated_restrict,
	.modify_type = emulated_modify_type,
	.remove_pages = emulated_remove,
	.allow_provision = emulated_allow_provision,
	.close = dev_emulated_close,
};

int dev_emulated_open(struct dev *d, const char *platform, struct bawn_error *e)
{
	struct emulated *m = calloc(1, sizeof(*m));
	struct cpu_features f;
	int r;

	if (!m)
		return err_nomem(e);
	r = cpu_platform_open(platform, &m->platform, e);
	if (!r)
		r = cpu_engine_start(e);
	if (r) {
		wipe(m, sizeof(*m));
		free(m);
		return r;
	}
	cpu_features(&m->platform, &f);
	d->ops = &emulated_ops;
	d->enter = cpu_enter_enclave;
	d->emulated = true;
	d->priv = m;
	d->features = (struct dev_features){
		.xfrm = f.xfrm,
		.miscselect = f.miscselect,
		.sgx2 = f.sgx2,
		.kss = f.kss,
		.aexnotify = f.aexnotify,
		.needs_token = m->platform.launch_locked,
	};
	return 0;
}

struct cpu_epc *dev_emulated_epc(const struct dev *d)
{
	return d->ops == &emulated_ops ? ((const struct emulated *)d->priv)->epc : NULL;
}

int dev_emulated_adopt(struct dev *d, int fd, const struct dev_ranges *r, struct bawn_error *e)
{
	struct emulated *m = d->priv;
	int rc = cpu_epc_attach(&m->epc, fd, &m->platform, e);

	close(fd);
	d->ops = &emulated_ops;
	m->reserved = true;
	if (rc)
		return rc;
	d->fd = m->epc->fd;
	if (m->epc->base != d->base || m->epc->size != d->size || !cpu_epc_initialised(m->epc))
		return err_set(e, BAWN_ERR_FORMAT, "the broker gave another enclave than was asked for");
	return map_all(d, r, e);
}
