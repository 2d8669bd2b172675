/*
 * The EPC of one enclave: a memfd that any process can map, and this process's
 * view of it. A descriptor may come from anybody, so every length is checked
 * against the sealed size of the file, and what has to be right for memory
 * safety is copied out once.
 */
#include "cpu/state.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u /* Linux 6.3: no execve of the file; mmap is not affected */
#endif

_Static_assert(sizeof(struct cpu_epc_shared) == EPC_SECS_OFF, "header page");
_Static_assert(offsetof(struct cpu_epc_shared, generation) == 64, "header: generation");
_Static_assert(offsetof(struct cpu_epc_shared, request) == 56, "header: request");
_Static_assert(offsetof(struct cpu_epc_shared, granted) == 72, "header: granted");
_Static_assert(offsetof(struct cpu_epc_shared, intent) == 128, "header: intent");
_Static_assert(offsetof(struct cpu_epc_shared, measure) == 192, "header: measure");
_Static_assert(offsetof(struct cpu_epc_shared, isvfamilyid) == 320, "header: isvfamilyid");

uint64_t epc_pages_off(uint64_t size)
{
	uint64_t end = EPC_EPCM_OFF + size / ISA_PAGE * sizeof(uint64_t);

	return (end + EPC_PAGES_ALIGN - 1) & ~(EPC_PAGES_ALIGN - 1);
}

uint64_t epc_file_size(uint64_t size)
{
	return epc_pages_off(size) + size;
}

static bool size_legal(uint64_t size)
{
	return size >= 2 * ISA_PAGE && size <= UINT64_C(1) << EPC_SIZE_LOG2 &&
	       (size & (size - 1)) == 0;
}

const char *epc_secs_flaw(const struct cpu_epc *epc, const struct isa_secs *secs)
{
	const struct cpu_features *have = &epc->priv->features;

	if (secs->attributes.flags & ~have->attributes)
		return "ATTRIBUTES has bits that this CPU does not support";
	if (!size_legal(secs->size))
		return "SIZE is not one that this CPU supports";
	return isa_secs_flaw(secs, have->xfrm, have->miscselect);
}

/* ---- mapping ---- */

/* The file from the EPCM on, where large pages of it are large pages of memory too. */
static uint8_t *map_file(int fd, size_t n)
{
	const uintptr_t align = EPC_PAGES_ALIGN - 1;
	uint8_t *all = mmap(NULL, n + EPC_PAGES_ALIGN, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *at, *p;
	size_t before;

	if (all == MAP_FAILED)
		return all;
	before = (EPC_EPCM_OFF - (uintptr_t)all) & align;
	at = all + before;
	p = mmap(at, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, EPC_EPCM_OFF);
	if (p == MAP_FAILED) {
		munmap(all, n + EPC_PAGES_ALIGN);
		return p;
	}
	if (before)
		munmap(all, before);
	munmap(at + n, EPC_PAGES_ALIGN - before);
	return p;
}

static int map_pages(struct cpu_epc *epc, uint64_t base, uint64_t size, struct bawn_error *e)
{
	const uint64_t pages_off = epc_pages_off(size);
	const size_t n = (size_t)(epc_file_size(size) - EPC_EPCM_OFF);
	uint8_t *map = map_file(epc->fd, n);

	if (map == MAP_FAILED)
		return err_sys(e, "mapping the EPC of an enclave of %llu bytes",
			       (unsigned long long)size);
	/* Not in core files: these are the pages of an enclave. */
	madvise(map, n, MADV_DONTDUMP);
	epc->priv->map = map;
	epc->priv->map_size = n;
	epc->priv->epcm = (uint64_t *)(void *)map;
	epc->alias = map + (pages_off - EPC_EPCM_OFF);
	epc->pages_off = pages_off;
	epc->base = base;
	__atomic_store_n(&epc->size, size, __ATOMIC_RELEASE);
	return 0;
}

int epc_sync(struct cpu_epc *epc, struct bawn_error *e)
{
	struct isa_secs secs;
	struct stat st;
	uint64_t size;
	const char *flaw;

	if (epc_size(epc) != 0 || epc_state(epc) == EPC_EMPTY)
		return 0;
	size = __atomic_load_n(&epc->shared->size, __ATOMIC_RELAXED);
	if (fstat(epc->fd, &st) != 0)
		return err_sys(e, "size of an EPC");
	if (!size_legal(size) || (uint64_t)st.st_size < epc_file_size(size))
		return err_set(e, BAWN_ERR_FORMAT, "the EPC's size does not fit its ELRANGE");
	memcpy(&secs, epc_secs(epc), sizeof(secs));
	if (secs.size != size)
		return err_set(e, BAWN_ERR_FORMAT, "SECS and header of the EPC disagree on SIZE");
	flaw = epc_secs_flaw(epc, &secs);
	if (flaw)
		return err_set(e, BAWN_ERR_FORMAT, "the EPC's SECS is not valid here: %s", flaw);
	return map_pages(epc, secs.baseaddr, size, e);
}

int epc_grow(struct cpu_epc *epc, uint64_t base, uint64_t size, struct bawn_error *e)
{
	/* The file may be larger already: an ECREATE whose process was killed. */
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct stat st;

	if (fstat(epc->fd, &st) != 0)
		return err_sys(e, "size of an EPC");
	if ((uint64_t)st.st_size < epc_file_size(size) &&
	    ftruncate(epc->fd, (off_t)epc_file_size(size)) != 0)
		return err_sys(e, "sizing the EPC of an enclave of %llu bytes",
			       (unsigned long long)size);
	if (fcntl(epc->fd, F_ADD_SEALS, seals) != 0 && errno != EPERM)
		return err_sys(e, "sealing the size of an EPC");
	return map_pages(epc, base, size, e);
}

/* ---- the view ---- */

static void make_view(const struct cpu_epc *epc, struct epc_view *v)
{
	struct isa_secs secs;
	uint64_t need;

	memcpy(&secs, epc_secs(epc), sizeof(secs));
	*v = (struct epc_view){
		.base = epc->base,
		.size = epc->size,
		.frame = (uint64_t)secs.ssaframesize * ISA_PAGE,
		.xsave_size = xsave_size(secs.attributes.xfrm),
		.miscselect = secs.miscselect,
		.attributes = secs.attributes,
		.isvprodid = secs.isvprodid,
		.isvsvn = secs.isvsvn,
		.configsvn = secs.configsvn,
	};
	v->attributes.flags |= ATTR_INIT;
	memcpy(v->mrenclave, secs.mrenclave, sizeof(v->mrenclave));
	memcpy(v->mrsigner, secs.mrsigner, sizeof(v->mrsigner));
	memcpy(v->configid, secs.configid, sizeof(v->configid));
	memcpy(v->isvfamilyid, epc->shared->isvfamilyid, sizeof(v->isvfamilyid));
	memcpy(v->isvextprodid, epc->shared->isvextprodid, sizeof(v->isvextprodid));
	/* A peer may have changed the SECS since it was checked: no frame is then large enough. */
	need = v->xsave_size + sizeof(struct isa_gprsgx);
	if (v->miscselect & MISC_EXINFO)
		need += sizeof(struct isa_exinfo);
	if (v->xsave_size == 0 || v->frame < need) {
		v->frame = 0;
		v->attributes.xfrm = 0;
	}
}

const struct epc_view *epc_view(const struct cpu_epc *epc, struct epc_view *tmp)
{
	struct cpu_epc_private *p = epc->priv;
	int none = 0;

	if (epc_size(epc) == 0 || epc_state(epc) != EPC_INITIALISED)
		return NULL;
	if (__atomic_load_n(&p->view_state, __ATOMIC_ACQUIRE) == 2)
		return &p->view;
	if (!__atomic_compare_exchange_n(&p->view_state, &none, 1, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		/* Another thread, perhaps the one that this signal handler interrupted, makes it. */
		make_view(epc, tmp);
		return tmp;
	}
	make_view(epc, &p->view);
	__atomic_store_n(&p->view_state, 2, __ATOMIC_RELEASE);
	return &p->view;
}

/* ---- birth, arrival, death ---- */

static int open_memfd(struct bawn_error *e)
{
	int fd = memfd_create("bawn-epc", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("bawn-epc", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_sys(e, "creating an EPC (memfd_create)");
	/* Never smaller from the first moment: truncation would kill whoever maps it. */
	if (ftruncate(fd, EPC_EPCM_OFF) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) != 0) {
		err_sys(e, "sizing an EPC");
		close(fd);
		return BAWN_ERR_SYSTEM;
	}
	return fd;
}

/* Takes over fd, also on failure. */
static int wrap_fd(struct cpu_epc **out, int fd, const struct cpu_platform *p, struct bawn_error *e)
{
	struct cpu_epc *epc = calloc(1, sizeof(*epc));
	int r;

	if (epc)
		epc->priv = calloc(1, sizeof(*epc->priv));
	if (!epc || !epc->priv) {
		free(epc);
		close(fd);
		return err_nomem(e);
	}
	epc->fd = fd;
	epc->platform = *p;
	xsave_init();
	cpu_features(p, &epc->priv->features);
	epc->shared = mmap(NULL, EPC_EPCM_OFF, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (epc->shared == MAP_FAILED) {
		epc->shared = NULL;
		r = err_sys(e, "mapping the header of an EPC");
	} else {
		r = crypto_random(epc->priv->report_keyid, sizeof(epc->priv->report_keyid), e);
	}
	if (r != 0) {
		cpu_epc_free(&epc);
		return r;
	}
	*out = epc;
	return 0;
}

int cpu_epc_new(struct cpu_epc **out, const struct cpu_platform *p, struct bawn_error *e)
{
	int fd = open_memfd(e), r;
	struct cpu_epc *epc;

	*out = NULL;
	if (fd < 0)
		return fd;
	r = wrap_fd(&epc, fd, p, e);
	if (r != 0)
		return r;
	memcpy(epc->shared->magic, EPC_MAGIC, sizeof(epc->shared->magic));
	epc->shared->version = EPC_VERSION;
	memcpy(epc->shared->platform, p->id, sizeof(p->id));
	*out = epc;
	return 0;
}

/* A memfd that cannot shrink, large enough for the header. */
static int check_file(int fd, struct bawn_error *e)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct statfs fs;
	struct stat st;

	if (seals < 0 || fstat(fd, &st) != 0 || fstatfs(fd, &fs) != 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)fs.f_type != TMPFS_MAGIC)
		return err_set(e, BAWN_ERR_FORMAT, "this descriptor is not an emulated EPC");
	if (!(seals & F_SEAL_SHRINK))
		return err_set(e, BAWN_ERR_FORMAT,
			       "this emulated EPC is not sealed: its owner could truncate it");
	if (st.st_size < (off_t)EPC_EPCM_OFF)
		return err_set(e, BAWN_ERR_FORMAT, "this emulated EPC is too short for its header");
	return 0;
}

static int check_header(const struct cpu_epc *epc, struct bawn_error *e)
{
	const struct cpu_epc_shared *s = epc->shared;

	if (memcmp(s->magic, EPC_MAGIC, sizeof(s->magic)) != 0)
		return err_set(e, BAWN_ERR_FORMAT, "this descriptor is not an emulated EPC");
	if (s->version != EPC_VERSION)
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "this emulated EPC has version %u, this program knows version %u",
			       s->version, EPC_VERSION);
	if (memcmp(s->platform, epc->platform.id, sizeof(s->platform)) != 0)
		return err_set(e, BAWN_ERR_DENIED,
			       "this emulated EPC is another platform's: name that one");
	if (epc_state(epc) > EPC_REMOVED)
		return err_set(e, BAWN_ERR_FORMAT, "this emulated EPC is in no known state");
	return 0;
}

int cpu_epc_attach(struct cpu_epc **out, int fd, const struct cpu_platform *p,
		   struct bawn_error *e)
{
	struct cpu_epc *epc;
	int r, own;

	*out = NULL;
	r = check_file(fd, e);
	if (r != 0)
		return r;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return err_sys(e, "duplicating the descriptor of an EPC");
	r = wrap_fd(&epc, own, p, e);
	if (r != 0)
		return r;
	r = check_header(epc, e);
	if (r == 0)
		r = epc_sync(epc, e);
	if (r != 0) {
		cpu_epc_free(&epc);
		return r;
	}
	*out = epc;
	return 0;
}

void cpu_epc_free(struct cpu_epc **p)
{
	struct cpu_epc *epc = *p;

	*p = NULL;
	if (!epc)
		return;
	if (epc->priv->map)
		munmap(epc->priv->map, epc->priv->map_size);
	if (epc->shared)
		munmap(epc->shared, EPC_EPCM_OFF);
	/* Not close(3), a cancellation point: what comes after it is not to be left out. */
	cpu_syscall(SYS_close, (uint64_t)epc->fd, 0, 0, 0);
	wipe(epc->priv, sizeof(*epc->priv));
	free(epc->priv);
	wipe(epc, sizeof(*epc));
	free(epc);
}

/* ---- reading it ---- */

uint64_t epcm_next(const struct cpu_epc *epc, uint64_t i)
{
	const uint64_t n = epc_size(epc) / ISA_PAGE;
	off_t at;

	/* Reading a hole through the mapping would fill it: ask the file, page by page. */
	if (i >= n || i % (ISA_PAGE / sizeof(uint64_t)) != 0)
		return i;
	at = lseek(epc->fd, (off_t)(EPC_EPCM_OFF + i * sizeof(uint64_t)), SEEK_DATA);
	if (at < 0)
		return n; /* ENXIO: nothing but holes up to the end */
	i = ((uint64_t)at - EPC_EPCM_OFF) / sizeof(uint64_t);
	return i < n ? i : n;
}

bool cpu_epcm_get(const struct cpu_epc *epc, uint64_t offset, struct cpu_epcm *out)
{
	uint64_t e;

	if (offset >= epc_size(epc))
		return false;
	e = epcm_load(epc, offset);
	*out = (struct cpu_epcm){
		.valid = e & EPCM_VALID,
		.pending = e & SECINFO_PENDING,
		.modified = e & SECINFO_MODIFIED,
		.pr = e & SECINFO_PR,
		.pt = (uint8_t)EPCM_PT(e),
		.permissions = (uint8_t)(e & SECINFO_RWX),
		.most = EPCM_MOST_OF(e),
	};
	return true;
}

bool cpu_epc_secs(const struct cpu_epc *epc, struct isa_secs *out)
{
	if (epc_size(epc) == 0 || epc_state(epc) == EPC_REMOVED)
		return false;
	memcpy(out, epc_secs(epc), sizeof(*out));
	if (epc_state(epc) == EPC_INITIALISED)
		out->attributes.flags |= ATTR_INIT;
	return true;
}

bool cpu_epc_initialised(const struct cpu_epc *epc)
{
	return epc_size(epc) != 0 && epc_state(epc) == EPC_INITIALISED;
}

uint64_t cpu_epc_pages(const struct cpu_epc *epc)
{
	return __atomic_load_n(&epc->shared->pages, __ATOMIC_RELAXED);
}

uint64_t cpu_epc_granted(const struct cpu_epc *epc)
{
	return __atomic_load_n(&epc->shared->granted, __ATOMIC_ACQUIRE);
}

void cpu_epc_grant(struct cpu_epc *epc, uint64_t attributes)
{
	__atomic_fetch_or(&epc->shared->granted, attributes, __ATOMIC_ACQ_REL);
}

uint64_t cpu_epc_generation(const struct cpu_epc *epc)
{
	return __atomic_load_n(&epc->shared->generation, __ATOMIC_ACQUIRE);
}
