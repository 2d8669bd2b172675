/*
 * EADD, and loading many pages: copy, measure, enter in the EPCM.
 *
 * Copying a page to a memfd costs more than half as much as measuring it,
 * nearly all of it for the kernel to find memory, so a large load has a second
 * thread for it (load_writer.c). Both read the source: what is measured is what
 * is loaded only if the caller does not change it meanwhile.
 */
#include "cpu/load.h"

#include <string.h>

/* Pages between two commits: bounds the work that a killed process leaves to undo. */
#define WINDOW_PAGES 4096u
/* From here on a second thread pays. */
#define THREAD_BYTES (UINT64_C(1) << 20)

struct load {
	struct cpu_epc *epc;
	const struct isa_secinfo *si;
	const uint8_t *src;
	bool repeat, measured;
	bool zeros; /* one page of zeros, again and again */
	struct load_writer *writer; /* or NULL */
	struct crypto_sha256 hash;
};

/*
 * Hash what EADD and the EEXTENDs of one page hash. It is put together first:
 * one long update costs less than 33 short ones.
 */
static void measure(struct load *l, uint64_t offset, const uint8_t *page)
{
	uint8_t text[ISA_MEASURE_BLOCK +
		     ISA_PAGE / ISA_MEASURE_CHUNK * (ISA_MEASURE_BLOCK + ISA_MEASURE_CHUNK)];
	uint8_t *to = text + ISA_MEASURE_BLOCK;

	isa_measure_eadd(offset, l->si, text);
	for (unsigned i = 0; l->measured && i < ISA_PAGE; i += ISA_MEASURE_CHUNK) {
		isa_measure_eextend(offset + i, to);
		memcpy(to + ISA_MEASURE_BLOCK, page + i, ISA_MEASURE_CHUNK);
		to += ISA_MEASURE_BLOCK + ISA_MEASURE_CHUNK;
	}
	crypto_sha256_update(&l->hash, text, (size_t)(to - text));
}

static void measure_all(struct load *l, const struct load_job *job)
{
	for (uint64_t i = 0; i < job->pages; i++)
		measure(l, job->offset + i * ISA_PAGE,
			l->repeat ? job->src : job->src + i * ISA_PAGE);
}

/* Copy and measure; the EPCM is not touched yet. 0 or -1. */
static int fill_window(struct load *l, uint64_t offset, uint64_t pages, const uint8_t *src)
{
	struct load_job job = { .offset = offset, .src = src, .repeat = l->repeat };

	if (l->writer) {
		job.pages = pages;
		load_writer_begin(l->writer, &job);
		measure_all(l, &job);
		return load_writer_wait(l->writer);
	}
	for (; pages; pages -= job.pages, job.offset += job.pages * ISA_PAGE) {
		job.pages = pages < LOAD_PIECE ? pages : LOAD_PIECE;
		/* Absent pages read as zeros already. */
		if (!l->zeros && load_write(l->epc, &job) != 0)
			return -1;
		measure_all(l, &job);
		if (!l->repeat)
			job.src += job.pages * ISA_PAGE;
	}
	return 0;
}

/* EADD's checks of one page, in the SDM's order; the source page if it is a TCS was checked. */
static int check_page(const struct cpu_epc *epc, uint64_t offset, bool tcs_flawed,
		      struct cpu_fault *f)
{
	if (offset < epc_size(epc) && epcm_load(epc, offset) & EPCM_VALID)
		return fault_encls(epc, offset, f);
	if (epc_state(epc) == EPC_EMPTY || epc_state(epc) == EPC_REMOVED)
		return fault_encls(epc, CPU_SECS_PAGE, f);
	if (tcs_flawed || offset >= epc_size(epc) || epc_state(epc) != EPC_CREATED)
		return fault_gp(f);
	return 0;
}

static int window_locked(struct load *l, uint64_t offset, uint64_t *pages, const uint8_t *src,
			 bool tcs_flawed, struct cpu_fault *f)
{
	struct cpu_epc *epc = l->epc;
	struct cpu_epc_shared *s = epc->shared;
	const unsigned next = !(s->measure_current & 1);
	uint64_t n = 1, entry = EPCM_VALID | (l->si->flags & (SECINFO_RWX | 0xff00));
	uint64_t most = l->si->flags & SECINFO_RWX;

	if (check_page(epc, offset, tcs_flawed, f) != 0)
		return CPU_FAULT;
	if (SECINFO_PT(l->si->flags) == PT_TCS) {
		entry &= ~SECINFO_RWX;
		most = SECINFO_R | SECINFO_W;
	}
	entry |= EPCM_MOST(most);
	while (n < *pages && offset + n * ISA_PAGE < epc->size &&
	       !(epcm_load(epc, offset + n * ISA_PAGE) & EPCM_VALID))
		n++;
	*pages = n;
	epc_intend(epc, EPC_ADD, offset, n * ISA_PAGE, s->pages + n);
	crypto_sha256_load(&l->hash, s->measure[!next].chain, s->measure[!next].bytes);
	if (fill_window(l, offset, n, src) != 0) {
		epc_recover(epc);
		return fault_pf(f, epc->base + offset, PF_W);
	}
	crypto_sha256_save(&l->hash, s->measure[next].chain, &s->measure[next].bytes);
	for (uint64_t i = 0; i < n; i++)
		epcm_store(epc, offset + i * ISA_PAGE, entry);
	__atomic_store_n(&s->measure_current, next, __ATOMIC_RELEASE);
	epc_intent_done(epc);
	epc_touch(epc);
	return 0;
}

/* Up to *pages pages; *pages is then how many. */
static int add_window(struct load *l, uint64_t offset, uint64_t *pages, const uint8_t *src,
		      bool tcs_flawed, struct cpu_fault *f)
{
	uint64_t mask;
	int r;

	if (!epc_lock(l->epc, &mask))
		return fault_gp(f);
	/* The writer is made with the signals held back, so it never takes one of the program's. */
	if (!l->writer && *pages * ISA_PAGE >= THREAD_BYTES && !l->zeros)
		l->writer = load_writer_new(l->epc);
	r = window_locked(l, offset, pages, src, tcs_flawed, f);
	epc_unlock(l->epc, mask);
	return r;
}

/* A TCS is changed on the way in, and checked. */
static int add_tcs(struct load *l, uint64_t offset, const uint8_t *src, struct cpu_fault *f)
{
	struct isa_tcs tcs;
	uint64_t pages = 1;
	bool flawed;

	memcpy(&tcs, src, sizeof(tcs));
	flawed = isa_tcs_flaw(&tcs) ||
		 (tcs.flags & TCS_AEXNOTIFY && !l->epc->platform.aexnotify);
	isa_tcs_reset(&tcs);
	return add_window(l, offset, &pages, (const uint8_t *)&tcs, flawed, f);
}

static int add_all(struct load *l, uint64_t offset, uint64_t length, uint64_t *done,
		   struct cpu_fault *f)
{
	const bool tcs = SECINFO_PT(l->si->flags) == PT_TCS;

	while (*done < length) {
		const uint8_t *src = l->repeat ? l->src : l->src + *done;
		uint64_t pages = (length - *done) / ISA_PAGE;
		int r;

		if (pages > WINDOW_PAGES)
			pages = WINDOW_PAGES;
		if (tcs)
			pages = 1;
		r = tcs ? add_tcs(l, offset + *done, src, f) :
			  add_window(l, offset + *done, &pages, src, false, f);
		if (r != 0)
			return r;
		*done += pages * ISA_PAGE;
	}
	return 0;
}

int cpu_eadd_many(struct cpu_epc *epc, uint64_t offset, uint64_t length, const void *src,
		  bool repeat, const struct isa_secinfo *si, bool measured, uint64_t *done,
		  struct cpu_fault *f)
{
	const struct isa_secinfo secinfo = *si;
	struct load l = {
		.epc = epc, .si = &secinfo, .src = src, .repeat = repeat, .measured = measured,
	};
	int r;

	*done = 0;
	if ((offset | length) & (ISA_PAGE - 1) || length == 0 || isa_secinfo_flaw(&secinfo))
		return fault_gp(f);
	l.zeros = repeat && SECINFO_PT(secinfo.flags) == PT_REG && ct_is_zero(src, ISA_PAGE);
	r = add_all(&l, offset, length, done, f);
	load_writer_free(&l.writer);
	wipe(&l.hash, sizeof(l.hash));
	if (*done)
		epc_announce(epc, offset, *done);
	return r;
}

int cpu_eadd(struct cpu_epc *epc, uint64_t offset, const void *page, const struct isa_secinfo *si,
	     struct cpu_fault *f)
{
	uint64_t done;

	return cpu_eadd_many(epc, offset, ISA_PAGE, page, false, si, false, &done, f);
}
