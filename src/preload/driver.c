/*
 * The in-kernel driver's requests up to INIT (asm/sgx.h; what it checks and in
 * which order, Linux 6.1 to 6.12). Nothing of interposition here: a request, a
 * pointer of the caller's, an EPC.
 */
#include "preload/preload.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/syscall.h>

struct add_pages {
	uint64_t src, offset, length, secinfo, flags, count;
};
#define ADD_MEASURE UINT64_C(1)
#define ADD_PIECE (16u * ISA_PAGE) /* bytes between two looks for signals */

#define SIGNAL(sig) (UINT64_C(1) << ((sig) - 1))

/* Attributes that anybody gets; PROVISIONKEY has to be granted. */
#define ATTR_UNPRIVILEGED (ATTR_DEBUG | ATTR_MODE64BIT | ATTR_KSS | ATTR_AEXNOTIFY)

long driver_get(void *to, uint64_t from, size_t n)
{
	return cpu_copy(to, (const void *)from, n) ? 0 : -EFAULT;
}

long driver_put(uint64_t to, const void *from, size_t n)
{
	return cpu_copy((void *)to, from, n) ? 0 : -EFAULT;
}

static bool created(const struct cpu_epc *epc)
{
	return __atomic_load_n(&epc->size, __ATOMIC_ACQUIRE) != 0;
}

bool driver_range_valid(const struct cpu_epc *epc, uint64_t offset, uint64_t length)
{
	return !(offset % ISA_PAGE) && length && !(length % ISA_PAGE) && offset + length >= offset &&
	       offset + length - ISA_PAGE < epc->size;
}

/* ---- CREATE ---- */

static long create(struct cpu_epc *epc, uint64_t arg)
{
	struct isa_secs secs;
	struct cpu_fault f;
	uint64_t src;

	if (created(epc))
		return -EINVAL;
	if (driver_get(&src, arg, sizeof(src)) || driver_get(&secs, src, sizeof(secs)))
		return -EFAULT;
	if (secs.size == 0 || secs.size & (secs.size - 1))
		return -EINVAL;
	/* The SECS has a page of the EPC too, and the version array another. */
	if (epc->charge && !epc->charge(epc->charge_arg, 2))
		return -ENOMEM;
	if (cpu_ecreate(epc, &secs, &f) == 0)
		return 0;
	if (epc->charge)
		epc->charge(epc->charge_arg, -2);
	return -EIO;
}

/* ---- ADD_PAGES ---- */

static bool secinfo_valid(const struct isa_secinfo *si)
{
	uint64_t pt = SECINFO_PT(si->flags), rwx = si->flags & SECINFO_RWX;

	return (pt == PT_REG || pt == PT_TCS) && !(rwx & SECINFO_W && !(rwx & SECINFO_R)) &&
	       !(pt == PT_TCS && rwx) && !(si->flags & ~SECINFO_EADD_FLAGS) &&
	       ct_is_zero(si->reserved, sizeof(si->reserved));
}

static uint64_t signals_hold(void)
{
	/* Faults of the copy still come: those signals are of the instruction itself. */
	uint64_t all = ~(SIGNAL(SIGSEGV) | SIGNAL(SIGBUS) | SIGNAL(SIGILL) | SIGNAL(SIGFPE) |
			 SIGNAL(SIGTRAP));
	uint64_t old = 0;

	raw(SYS_rt_sigprocmask, SIG_BLOCK, (uintptr_t)&all, (uintptr_t)&old, 8, 0, 0);
	return old;
}

static void signals_release(uint64_t old)
{
	raw(SYS_rt_sigprocmask, SIG_SETMASK, (uintptr_t)&old, 0, 8, 0, 0);
}

/* struct kernel_sigaction */
struct action {
	uint64_t handler, flags, restorer, mask;
};

static bool is_ignored(int sig, const struct action *a)
{
	const uint64_t by_default = SIGNAL(SIGCHLD) | SIGNAL(SIGURG) | SIGNAL(SIGWINCH) | SIGNAL(SIGCONT);

	return a->handler == (uintptr_t)SIG_IGN ||
	       (a->handler == (uintptr_t)SIG_DFL && SIGNAL(sig) & by_default);
}

/*
 * A signal has arrived that would interrupt a system call made with this mask;
 * *restart: the call would then begin again.
 */
static bool signal_waits(uint64_t mask, bool *restart)
{
	uint64_t pending = 0;

	raw(SYS_rt_sigpending, (uintptr_t)&pending, 8, 0, 0, 0, 0);
	pending &= ~mask;
	for (int sig = 1; sig <= 64; sig++) {
		struct action a = { 0 };

		if (!(pending & SIGNAL(sig)))
			continue;
		raw(SYS_rt_sigaction, (uint64_t)sig, 0, (uintptr_t)&a, 8, 0, 0);
		*restart = a.flags & SA_RESTART;
		if (!is_ignored(sig, &a))
			return true;
	}
	return false;
}

/*
 * Up to ADD_PIECE pages, with their contents in a buffer of ours: what is
 * measured is what is loaded.
 */
static long add_piece(struct cpu_epc *epc, const struct add_pages *a, const struct isa_secinfo *si,
		      uint8_t *buffer, uint64_t *added)
{
	uint64_t n = a->length - a->count, done = 0, absent = 0;
	struct cpu_epcm page;
	struct cpu_fault f;
	int r;

	*added = 0;
	if (n > ADD_PIECE)
		n = ADD_PIECE;
	/* A page that is there already is found before its source is looked at. */
	while (absent < n && !(cpu_epcm_get(epc, a->offset + a->count + absent, &page) && page.valid))
		absent += ISA_PAGE;
	if (absent == 0)
		return -EBUSY;
	absent = source_usable(a->src + a->count, absent);
	if (absent == 0)
		return -EACCES;
	/* As many pages as the source has. */
	for (n = absent; n && driver_get(buffer, a->src + a->count, n);)
		n -= ISA_PAGE;
	if (n == 0)
		return -EFAULT;
	while (n && epc->charge && !epc->charge(epc->charge_arg, (int64_t)(n / ISA_PAGE)))
		n = n > ISA_PAGE ? ISA_PAGE : 0;
	if (n == 0)
		return -ENOMEM;
	r = cpu_eadd_many(epc, a->offset + a->count, n, buffer, false, si, a->flags & ADD_MEASURE, &done,
			  &f);
	if (done != n && epc->charge)
		epc->charge(epc->charge_arg, -(int64_t)((n - done) / ISA_PAGE));
	*added = done;
	return r == 0 ? 0 : f.vector == VEC_PF && !(f.error_code & PF_SGX) ? -ENOMEM : -EIO;
}

static long add_all(struct cpu_epc *epc, struct add_pages *a, const struct isa_secinfo *si,
		    uint8_t *buffer)
{
	uint64_t mask = signals_hold(), added;
	bool restart;
	long r = 0;

	for (a->count = 0; a->count < a->length && r == 0;) {
		if (!signal_waits(mask, &restart)) {
			r = add_piece(epc, a, si, buffer, &added);
			a->count += added;
		} else if (a->count) {
			break;
		} else if (restart) {
			signals_release(mask); /* its handler runs here */
			mask = signals_hold();
		} else {
			r = -EINTR;
		}
	}
	signals_release(mask);
	return r;
}

static long add_pages(struct cpu_epc *epc, uint64_t arg)
{
	struct isa_secinfo si;
	struct add_pages a;
	uint8_t *buffer;
	long r;

	if (!created(epc) || cpu_epc_initialised(epc))
		return -EINVAL;
	if (driver_get(&a, arg, sizeof(a)))
		return -EFAULT;
	if (a.src % ISA_PAGE || !driver_range_valid(epc, a.offset, a.length))
		return -EINVAL;
	if (driver_get(&si, a.secinfo, sizeof(si)))
		return -EFAULT;
	if (!secinfo_valid(&si))
		return -EINVAL;
	buffer = malloc(a.length < ADD_PIECE ? a.length : ADD_PIECE);
	if (!buffer)
		return -ENOMEM;
	r = add_all(epc, &a, &si, buffer);
	free(buffer);
	return driver_put(arg, &a, sizeof(a)) ? -EFAULT : r;
}

/* ---- INIT, PROVISION ---- */

/* Bits that the signature demands and this CPU does not have. */
static bool demands_too_much(const struct cpu_epc *epc, const struct isa_sigstruct *s)
{
	struct cpu_features have;

	cpu_features(&epc->platform, &have);
	return s->attributes.flags & s->attributemask.flags &
		       ~(have.attributes | ATTR_INIT | ATTR_PROVISIONKEY | ATTR_EINITTOKEN_KEY) ||
	       s->attributes.xfrm & s->attributemask.xfrm & ~have.xfrm ||
	       s->miscselect & s->miscmask & ~have.miscselect;
}

static long init(struct cpu_epc *epc, uint64_t arg)
{
	struct isa_sigstruct s;
	struct isa_secs secs;
	struct cpu_fault f;
	uint8_t signer[32];
	uint64_t at;
	int r;

	if (!created(epc) || cpu_epc_initialised(epc))
		return -EINVAL;
	if (driver_get(&at, arg, sizeof(at)) || driver_get(&s, at, sizeof(s)))
		return -EFAULT;
	if (s.vendor != 0 && s.vendor != ISA_VENDOR_INTEL)
		return -EINVAL;
	if (!cpu_epc_secs(epc, &secs))
		return -EINVAL;
	if (secs.attributes.flags & ~(ATTR_UNPRIVILEGED | cpu_epc_granted(epc)))
		return -EACCES;
	if (demands_too_much(epc, &s))
		return -EINVAL;
	/* The registers get the enclave's own signer, and the token is one of zeros. */
	crypto_sha256(s.modulus, sizeof(s.modulus), signer);
	if (cpu_lepubkeyhash_write(epc, signer, &f) != 0)
		return -EIO;
	r = cpu_einit(epc, &s, NULL, &f);
	return r == 0 ? 0 : r == CPU_FAULT ? -EIO : -EPERM;
}

static long provision(struct cpu_epc *epc, uint64_t arg, bool (*is_provision)(int fd))
{
	uint64_t fd;

	if (driver_get(&fd, arg, sizeof(fd)))
		return -EFAULT;
	if (!is_provision((int)fd))
		return -EINVAL;
	cpu_epc_grant(epc, ATTR_PROVISIONKEY);
	return 0;
}

/* ---- all ---- */

static long dispatch(struct cpu_epc *epc, uint32_t request, uint64_t arg, bool (*is_provision)(int fd))
{
	switch (request) {
	case DRIVER_CREATE:
		return create(epc, arg);
	case DRIVER_ADD_PAGES:
		return add_pages(epc, arg);
	case DRIVER_INIT:
		return init(epc, arg);
	case DRIVER_PROVISION:
		return provision(epc, arg, is_provision);
	case DRIVER_RESTRICT:
		return driver_restrict(epc, arg);
	case DRIVER_MODIFY:
		return driver_modify(epc, arg);
	case DRIVER_REMOVE:
		return driver_remove(epc, arg);
	default:
		return -ENOTTY;
	}
}

long driver_ioctl(struct cpu_epc *epc, uint32_t request, uint64_t arg, bool (*is_provision)(int fd))
{
	long r;

	if (!cpu_epc_request_begin(epc))
		return -EBUSY;
	r = dispatch(epc, request, arg, is_provision);
	cpu_epc_request_end(epc);
	return r;
}

long driver_may_map(const struct cpu_epc *epc, uint64_t start, uint64_t end, int prot)
{
	uint64_t size = __atomic_load_n(&epc->size, __ATOMIC_ACQUIRE);
	long persona = raw(SYS_personality, 0xffffffff, 0, 0, 0, 0, 0);

	if (cpu_epc_initialised(epc) && (start < epc->base || end > epc->base + size))
		return -EACCES;
	if (persona > 0 && persona & READ_IMPLIES_EXEC)
		return -EACCES;
	if (prot == PROT_NONE || !size)
		return 0;
	if (start < epc->base)
		start = epc->base;
	if (end > epc->base + size)
		end = epc->base + size;
	for (uint64_t at = start; at < end; at += ISA_PAGE) {
		struct cpu_epcm page;

		/* SECINFO's R, W and X are PROT_READ, PROT_WRITE and PROT_EXEC in value. */
		if (cpu_epcm_get(epc, at - epc->base, &page) && page.valid && prot & ~page.most)
			return -EACCES;
	}
	return 0;
}
