/* A device whose enclaves are made by a broker, in another process, from a stream of pages. */
#include "cpu/cpu.h"
#include "dev/internal.h"
#include "wire/wire.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Pages as the loader adds them; they stay where they are until init. */
struct piece {
	uint64_t offset, length;
	const uint8_t *src;
	uint64_t secinfo;
	bool repeat, measured;
};

struct brokered {
	struct dev_broker broker;
	void *inner; /* priv of the emulated device; NULL for the kernel's */
	struct isa_secs secs;
	struct piece *piece;
	size_t n, cap;
	uint64_t pages;
	struct dev_ranges ranges;
	bool reserved;
};

static int broker_create(struct dev *d, struct isa_secs *secs, struct bawn_error *e)
{
	struct brokered *b = d->priv;
	uint64_t base = secs->baseaddr;
	int r = dev_reserve(secs->size, &base, e);

	if (r)
		return r;
	b->reserved = true;
	secs->baseaddr = base;
	d->base = base;
	d->size = secs->size;
	b->secs = *secs;
	return 0;
}

static int broker_add_pages(struct dev *d, uint64_t offset, uint64_t length, const void *src,
			    bool repeat, uint64_t secinfo_flags, bool measured,
			    struct bawn_error *e)
{
	struct brokered *b = d->priv;

	if (b->n == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : 32;
		struct piece *p = realloc(b->piece, cap * sizeof(*p));

		if (!p)
			return err_nomem(e);
		b->piece = p;
		b->cap = cap;
	}
	b->piece[b->n++] = (struct piece){ offset, length, src, secinfo_flags, repeat, measured };
	b->pages += length / ISA_PAGE;
	return dev_ranges_add(&b->ranges, offset, length, secinfo_flags, e);
}

static int write_entries(int fd, const struct brokered *b, struct bawn_error *e)
{
	static const uint8_t zeros[ISA_PAGE];
	struct buf out;
	size_t total = wire_stream_data((uint32_t)b->pages);
	int r;

	buf_init(&out, total);
	for (size_t i = 0; i < b->n; i++)
		for (uint64_t at = 0; at < b->piece[i].length; at += ISA_PAGE) {
			struct wire_page p = { .offset = b->piece[i].offset + at,
					       .secinfo = (uint32_t)b->piece[i].secinfo,
					       .measured = b->piece[i].measured };
			uint8_t entry[WIRE_STREAM_ENTRY];

			wire_page_encode(&p, entry);
			buf_add(&out, entry, sizeof(entry));
		}
	buf_add(&out, zeros, total - out.n);
	r = out.failed ? err_nomem(e) : io_write_full(fd, out.p, out.n, e);
	buf_free(&out);
	return r;
}

static int write_stream(int fd, const struct brokered *b, struct bawn_error *e)
{
	int r = write_entries(fd, b, e);

	for (size_t i = 0; i < b->n && r == 0; i++) {
		const struct piece *p = &b->piece[i];

		if (!p->repeat)
			r = io_write_full(fd, p->src, p->length, e);
		for (uint64_t at = 0; p->repeat && at < p->length && r == 0; at += ISA_PAGE)
			r = io_write_full(fd, p->src, ISA_PAGE, e);
	}
	if (r == 0 && fcntl(fd, F_ADD_SEALS, ALL_SEALS))
		r = err_sys(e, "sealing the page stream");
	return r;
}

static void broker_release(struct brokered *b)
{
	dev_ranges_free(&b->ranges);
	free(b->piece);
	free(b);
}

/* The enclave is there: the device becomes what the broker's is. */
static int adopt(struct dev *d, int fd, struct bawn_error *e)
{
	struct brokered *b = d->priv;
	int r;

	d->priv = b->inner;
	r = b->inner ? dev_emulated_adopt(d, fd, &b->ranges, e) : dev_kernel_adopt(d, fd, &b->ranges, e);
	broker_release(b);
	return r;
}

static int broker_init(struct dev *d, const struct isa_sigstruct *s,
		       const struct isa_einittoken *token, struct bawn_error *e)
{
	struct brokered *b = d->priv;
	int stream, fd = -1, r;

	(void)token; /* the broker has its own launch enclave */
	if (!wire_stream_size((uint32_t)b->pages) || b->pages > WIRE_STREAM_PAGES_MAX)
		return err_set(e, BAWN_ERR_UNSUPPORTED, "an enclave without pages, or with too many");
	stream = memfd_create("bawn-pages", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (stream < 0)
		return err_sys(e, "memfd_create");
	r = write_stream(stream, b, e);
	if (r == 0)
		r = b->broker.launch(b->broker.arg, &b->secs, s, stream, (uint32_t)b->pages, &fd, e);
	close(stream);
	return r ? r : adopt(d, fd, e);
}

static int broker_none(struct bawn_error *e)
{
	return err_set(e, BAWN_ERR_USAGE, "the broker has not made the enclave yet");
}

static int broker_map(struct dev *d, uint64_t offset, uint64_t length, int prot,
		      struct bawn_error *e)
{
	(void)d, (void)offset, (void)length, (void)prot;
	return broker_none(e);
}

static int broker_modify(struct dev *d, uint64_t offset, uint64_t length, uint64_t permissions,
			 struct bawn_error *e)
{
	(void)d, (void)offset, (void)length, (void)permissions;
	return broker_none(e);
}

static int broker_modify_type(struct dev *d, uint64_t offset, uint64_t length,
			      enum isa_page_type pt, struct bawn_error *e)
{
	(void)d, (void)offset, (void)length, (void)pt;
	return broker_none(e);
}

static int broker_remove(struct dev *d, uint64_t offset, uint64_t length, struct bawn_error *e)
{
	(void)d, (void)offset, (void)length;
	return broker_none(e);
}

static int broker_allow_provision(struct dev *d, struct bawn_error *e)
{
	(void)d;
	return err_set(e, BAWN_ERR_DENIED, "an enclave with PROVISION_KEY is never handed over");
}

static void broker_close(struct dev *d)
{
	struct brokered *b = d->priv;
	void *inner = b->inner;

	if (b->reserved)
		munmap((void *)(uintptr_t)d->base, d->size);
	broker_release(b);
	d->priv = inner;
	if (inner)
		dev_emulated_close(d);
}

static const struct dev_ops broker_ops = {
	.name = "brokered",
	.create = broker_create,
	.add_pages = broker_add_pages,
	.init = broker_init,
	.map = broker_map,
	.restrict_pages = broker_modify,
	.modify_type = broker_modify_type,
	.remove_pages = broker_remove,
	.allow_provision = broker_allow_provision,
	.close = broker_close,
};

int dev_open_brokered(struct dev **out, const struct dev_broker *broker, bool emulated,
		      const char *platform, struct bawn_error *e)
{
	struct dev *d = calloc(1, sizeof(*d));
	struct brokered *b = calloc(1, sizeof(*b));
	/* Under `bawn emulate` an emulated enclave's descriptor is mapped and entered as the kernel's. */
	bool inner = emulated && !cpu_engine_is_injected();
	int r = d && b ? 0 : err_nomem(e);

	*out = NULL;
	if (r == 0) {
		d->fd = -1;
		b->broker = *broker;
		d->emulated = emulated;
		if (inner)
			r = dev_emulated_open(d, platform, e);
	}
	if (r) {
		free(d);
		free(b);
		return r;
	}
	if (!inner) {
		/* No device is opened: where a broker serves, it alone may have one. */
		d->enter = dev_vdso_enter();
		dev_hardware_features(&d->features);
		d->features.sgx2 = false;
	}
	b->inner = d->priv;
	d->priv = b;
	d->ops = &broker_ops;
	*out = d;
	if (d->enter)
		return 0;
	dev_free(out);
	return err_set(e, BAWN_ERR_UNSUPPORTED, "the kernel's vDSO has no __vdso_sgx_enter_enclave");
}
