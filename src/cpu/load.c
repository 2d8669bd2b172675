/*
 * EADD, and loading many pages: measure, copy, enter in the EPCM. What is
 * measured is what is loaded only if the caller does not change the source
 * meanwhile: it is read twice.
 */
#include "cpu/load.h"

#include <string.h>

struct load {
	struct cpu_epc *epc;
	const struct isa_secinfo *si;
	const uint8_t *src;
	bool repeat, measured;
	bool zeros; /* one page of zeros, again and again */
	struct isa_measure_page text __attribute__((aligned(64))); /* or the hash is slower */
	struct crypto_sha256 hash;
};

/* Hash l->text; have the page at `next` fetched meanwhile, as many lines at a time as are taken. */
static void hash_page(struct load *l, const uint8_t *next)
{
	const uint8_t *text = l->text.eadd;
	const size_t parts = 4, n = sizeof(l->text) / parts & ~(size_t)63;

	for (size_t k = 0; k < parts; k++) {
		for (size_t i = 0; i < ISA_PAGE / parts; i += 64)
			__builtin_prefetch(next + k * (ISA_PAGE / parts) + i);
		crypto_sha256_update(&l->hash, text + k * n,
				     k + 1 < parts ? n : sizeof(l->text) - k * n);
	}
}

/* Hash what EADD and the EEXTENDs of a page hash. */
static void measure(struct load *l, uint64_t offset, const uint8_t *page)
{
	if (l->measured) {
		isa_measure_page_set(&l->text, offset, page);
		hash_page(l, l->repeat ? page : page + ISA_PAGE);
	} else {
		isa_measure_eadd(offset, l->si, l->text.eadd);
		crypto_sha256_update(&l->hash, l->text.eadd, ISA_MEASURE_BLOCK);
	}
}

/* Measure and copy; the EPCM is not touched yet. 0 or -1. */
static int fill_window(struct load *l, const struct load_job *job)
{
	struct load_large large = { 0 };
	struct load_job piece;
	int r = 0;

	if (!l->zeros)
		load_large_begin(&large, l->epc, job);
	for (uint64_t first = 0; first < job->pages && r == 0; first += piece.pages) {
		enum load_how how;

		piece = load_piece(job, first);
		how = load_large_how(&large, piece.offset);
		for (uint64_t i = 0; i < piece.pages; i++) {
			const uint8_t *page = l->repeat ? piece.src : piece.src + i * ISA_PAGE;

			/* In turns: what was stored goes to memory while the next page is hashed. */
			measure(l, piece.offset + i * ISA_PAGE, page);
			if (how == LOAD_STORE)
				load_store(l->epc, piece.offset + i * ISA_PAGE, page);
		}
		/* Absent pages read as zeros already. */
		if (how == LOAD_WRITE && !l->zeros)
			r = load_write(l->epc, &piece);
	}
	return load_large_end(&large) == 0 ? r : -1;
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
	struct load_job job;
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
	job = (struct load_job){ .offset = offset, .pages = n, .src = src, .repeat = l->repeat };
	if (fill_window(l, &job) != 0) {
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
		uint64_t room = LOAD_WINDOW - (offset + *done) / ISA_PAGE % LOAD_WINDOW;
		int r;

		if (pages > room)
			pages = room;
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
	isa_measure_page_begin(&l.text, &secinfo);
	l.zeros = repeat && SECINFO_PT(secinfo.flags) == PT_REG && ct_is_zero(src, ISA_PAGE);
	r = add_all(&l, offset, length, done, f);
	wipe(&l.hash, sizeof(l.hash));
	wipe(&l.text, sizeof(l.text));
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
