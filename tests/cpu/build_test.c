/* ECREATE, EADD, EEXTEND: every check, and the measurement. */
#include "cpu/state.h"
#include "tests/cpu/world.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- ECREATE ---- */

static void create_with(struct isa_secs *s, bool good, const char *name)
{
	struct world w;

	world_start(&w, 0);
	if (good)
		is_int(cpu_ecreate(w.epc, s, &w.f), 0, name);
	else
		is_gp(&w, cpu_ecreate(w.epc, s, &w.f), name);
	world_end(&w);
}

static void test_ecreate_flaws(void)
{
	struct isa_secs s;

#define CASE(good, name, change)                                                                   \
	secs_fill(&s, 0);                                                                          \
	change;                                                                                    \
	create_with(&s, good, "ECREATE: " name)
	CASE(true, "a plain SECS", (void)0);
	CASE(true, "two pages", s.size = 8192);
	CASE(true, "64 GiB", (s.size = UINT64_C(64) << 30, s.baseaddr = UINT64_C(64) << 30));
	CASE(true, "DEBUG, PROVISIONKEY, EINITTOKEN_KEY",
	     s.attributes.flags |= ATTR_DEBUG | ATTR_PROVISIONKEY | ATTR_EINITTOKEN_KEY);
	CASE(true, "KSS with CONFIGID",
	     (s.attributes.flags |= ATTR_KSS, s.configid[3] = 1, s.configsvn = 2));
	CASE(true, "AEXNOTIFY", s.attributes.flags |= ATTR_AEXNOTIFY);
	CASE(false, "one page is too small", s.size = 4096);
	CASE(false, "SIZE not a power of two", s.size = 12288);
	CASE(false, "larger than the CPU supports",
	     (s.size = UINT64_C(1) << 41, s.baseaddr = UINT64_C(1) << 41));
	CASE(false, "BASEADDR not aligned to SIZE", s.baseaddr += 4096);
	CASE(false, "BASEADDR not canonical", s.baseaddr = UINT64_C(1) << 60);
	CASE(false, "XFRM without x87", s.attributes.xfrm = 2);
	CASE(false, "XFRM without SSE", s.attributes.xfrm = 1);
	CASE(false, "XFRM beyond the CPU", s.attributes.xfrm |= UINT64_C(1) << 40);
	CASE(false, "PKRU is not offered", s.attributes.xfrm |= XFRM_PKRU);
	CASE(false, "MISCSELECT beyond the CPU", s.miscselect |= 0x80);
	CASE(false, "SSAFRAMESIZE zero", s.ssaframesize = 0);
	CASE(false, "32-bit enclave", s.attributes.flags &= ~ATTR_MODE64BIT);
	CASE(false, "INIT set", s.attributes.flags |= ATTR_INIT);
	CASE(false, "reserved attribute bit 3", s.attributes.flags |= 8);
	CASE(false, "CET is not supported", s.attributes.flags |= ATTR_CET);
	CASE(false, "CET_ATTRIBUTES set", s.cet_attributes = 1);
	CASE(false, "CONFIGID without KSS", s.configid[0] = 1);
	CASE(false, "CONFIGSVN without KSS", s.configsvn = 1);
	CASE(false, "reserved byte after CET_ATTRIBUTES", s.reserved1[14] = 1);
	CASE(false, "reserved byte after MRENCLAVE", s.reserved2[0] = 1);
	CASE(false, "reserved byte after MRSIGNER", s.reserved3[31] = 1);
	CASE(false, "last reserved byte", s.reserved4[sizeof(s.reserved4) - 1] = 1);
#undef CASE
}

static void test_ecreate_features(void)
{
	static const struct {
		uint64_t attributes;
		const char *name;
	} cases[] = {
		{ ATTR_KSS, "KSS on a platform without it" },
		{ ATTR_AEXNOTIFY, "AEXNOTIFY on a platform without it" },
	};
	struct world w;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cpu_platform p;
		struct cpu_epc *epc = NULL;

		platform_fake(&p, 1);
		p.sgx2 = p.kss = p.aexnotify = false;
		world_start(&w, cases[i].attributes);
		w.secs.miscselect = 0;
		is_int(cpu_epc_new(&epc, &p, NULL), 0, "an SGX1 platform");
		is_gp(&w, cpu_ecreate(epc, &w.secs, &w.f), cases[i].name);
		w.secs.attributes.flags = ATTR_MODE64BIT;
		w.secs.miscselect = MISC_EXINFO;
		is_gp(&w, cpu_ecreate(epc, &w.secs, &w.f), "EXINFO on an SGX1 platform");
		cpu_epc_free(&epc);
		world_end(&w);
	}
}

static void test_ecreate_effects(void)
{
	struct isa_secs secs;
	struct cpu_epcm m;
	struct world w;
	int seals;

	world_start(&w, 0);
	ok(!cpu_epc_secs(w.epc, &secs), "no SECS before ECREATE");
	ok(!cpu_epcm_get(w.epc, 0, &m), "no EPCM before ECREATE");
	memset(w.secs.mrenclave, 0xee, 32);
	memset(w.secs.mrsigner, 0xee, 32);
	w.secs.isvprodid = 9;
	is_int(cpu_ecreate(w.epc, &w.secs, &w.f), 0, "ECREATE");
	ok(cpu_epc_secs(w.epc, &secs), "a SECS after it");
	ok(ct_is_zero(secs.mrsigner, 32) && ct_is_zero(secs.mrenclave, 32) && secs.isvprodid == 0,
	   "ECREATE clears what EINIT will set");
	is_int(secs.baseaddr, BASE, "BASEADDR");
	is_int(w.epc->base, BASE, "base");
	is_int(w.epc->size, SIZE, "size");
	seals = fcntl(w.epc->fd, F_GET_SEALS);
	ok(seals & F_SEAL_SHRINK && seals & F_SEAL_GROW && seals & F_SEAL_SEAL,
	   "the memfd's size is sealed");
	ok(cpu_epcm_get(w.epc, 0, &m) && !m.valid, "pages are not valid yet");
	ok(!cpu_epcm_get(w.epc, SIZE, &m), "no EPCM outside ELRANGE");
	is_pf(&w, cpu_ecreate(w.epc, &w.secs, &w.f), PF_ENCLS, 0, "ECREATE again");
	world_end(&w);
}

static void test_sparse(void)
{
	struct isa_secinfo si = REG_RW;
	uint8_t page[ISA_PAGE] = { 1 };
	struct stat st;
	struct world w;

	world_start(&w, 0);
	w.secs.size = UINT64_C(64) << 30;
	w.secs.baseaddr = w.secs.size;
	is_int(cpu_ecreate(w.epc, &w.secs, &w.f), 0, "an ELRANGE of 64 GiB");
	is_int(cpu_eadd(w.epc, w.secs.size - ISA_PAGE, page, &si, &w.f), 0, "EADD of its last page");
	is_int(cpu_eremove(w.epc, w.secs.size - ISA_PAGE, &w.f), 0, "EREMOVE looks for threads in it");
	is_int(cpu_eadd(w.epc, 0, page, &si, &w.f), 0, "EADD of its first page");
	is_int(fstat(w.epc->fd, &st), 0, "its size in memory");
	ok(st.st_blocks * 512 < 128 * 1024, "two pages of 64 GiB take %lld KiB",
	   (long long)st.st_blocks / 2);
	world_end(&w);
}

/* ---- EADD ---- */

static void test_eadd(void)
{
	uint8_t page[ISA_PAGE];
	struct isa_secinfo si = REG_RW;
	struct cpu_epcm m;
	struct world w;

	memset(page, 0xab, sizeof(page));
	world_start(&w, 0);
	is_pf(&w, cpu_eadd(w.epc, 0, page, &si, &w.f), PF_ENCLS, 0, "EADD before ECREATE");
	is_int(cpu_ecreate(w.epc, &w.secs, &w.f), 0, "ECREATE");
	is_gp(&w, cpu_eadd(w.epc, 0x10, page, &si, &w.f), "EADD at an unaligned address");
	is_gp(&w, cpu_eadd(w.epc, SIZE, page, &si, &w.f), "EADD outside ELRANGE");

	static const struct {
		uint64_t flags;
		const char *name;
	} bad[] = {
		{ SECINFO_OF_PT(PT_SECS), "page type SECS" },
		{ SECINFO_OF_PT(PT_VA), "page type VA" },
		{ SECINFO_OF_PT(PT_TRIM), "page type TRIM" },
		{ SECINFO_OF_PT(PT_SS_FIRST) | SECINFO_R | SECINFO_W, "a shadow stack page" },
		{ SECINFO_OF_PT(PT_REG) | SECINFO_W, "writable but not readable" },
		{ SECINFO_OF_PT(PT_REG) | SECINFO_R | 0x40, "a reserved flag" },
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		si = secinfo(bad[i].flags);
		is_gp(&w, cpu_eadd(w.epc, 0, page, &si, &w.f), bad[i].name);
	}
	si = REG_RW;
	si.reserved[55] = 1;
	is_gp(&w, cpu_eadd(w.epc, 0, page, &si, &w.f), "a reserved byte of SECINFO");
	si = REG_RW;
	is_int(cpu_eadd(w.epc, 0x2000, page, &si, &w.f), 0, "EADD");
	ok(w.changes == 1 && w.changed_offset == 0x2000 && w.changed_length == ISA_PAGE,
	   "the hook is told");
	is_int(cpu_epc_pages(w.epc), 1, "one page");
	ok(cpu_epcm_get(w.epc, 0x2000, &m) && m.valid && m.pt == PT_REG &&
		   m.permissions == (SECINFO_R | SECINFO_W) && !m.pending && !m.modified && !m.pr,
	   "its EPCM entry");
	is_mem(AT(&w, 0x2000), page, ISA_PAGE, "its contents");
	is_pf(&w, cpu_eadd(w.epc, 0x2000, page, &si, &w.f), PF_ENCLS, BASE + 0x2000,
	      "EADD of a page that is there");
	world_end(&w);

	world_ready(&w, 0);
	is_gp(&w, cpu_eadd(w.epc, FREE, page, &si, &w.f), "EADD after EINIT");
	world_end(&w);
}

static void test_eadd_tcs(void)
{
	struct isa_secinfo si = secinfo(SECINFO_OF_PT(PT_TCS) | SECINFO_RWX);
	struct isa_tcs t;
	struct cpu_epcm m;
	struct world w;

	world_start(&w, 0);
	is_int(cpu_ecreate(w.epc, &w.secs, &w.f), 0, "ECREATE");
	tcs_fill(&t);
	t.reserved[0] = 1;
	is_gp(&w, cpu_eadd(w.epc, TCS, &t, &si, &w.f), "TCS: reserved bytes");
	tcs_fill(&t);
	t.flags = 4;
	is_gp(&w, cpu_eadd(w.epc, TCS, &t, &si, &w.f), "TCS: reserved flags");
	tcs_fill(&t);
	t.ocetssa = 16;
	is_gp(&w, cpu_eadd(w.epc, TCS, &t, &si, &w.f), "TCS: fields of CET");
	tcs_fill(&t);
	t.stage = 1;
	t.flags = TCS_DBGOPTIN;
	t.cssa = 2;
	t.aep = 0x1234;
	is_int(cpu_eadd(w.epc, TCS, &t, &si, &w.f), 0, "EADD of a used TCS");
	memcpy(&t, AT(&w, TCS), sizeof(t));
	ok(t.stage == 0 && t.flags == 0 && t.cssa == 0 && t.aep == 0, "it comes in fresh");
	is_int(t.oentry, OENTRY, "with its entry point");
	ok(cpu_epcm_get(w.epc, TCS, &m) && m.pt == PT_TCS && m.permissions == 0,
	   "its permissions are cleared");
	world_end(&w);

	world_start(&w, 0);
	w.epc->platform.aexnotify = false;
	is_int(cpu_ecreate(w.epc, &w.secs, &w.f), 0, "ECREATE");
	tcs_fill(&t);
	t.flags = TCS_AEXNOTIFY;
	is_gp(&w, cpu_eadd(w.epc, TCS, &t, &si, &w.f), "AEXNOTIFY is reserved without the feature");
	world_end(&w);
}

/* ---- EEXTEND ---- */

static void test_eextend(void)
{
	uint8_t page[ISA_PAGE] = { 0 };
	struct isa_secinfo si = REG_R;
	struct world w;

	world_start(&w, 0);
	is_pf(&w, cpu_eextend(w.epc, 0, &w.f), PF_W, 0, "EEXTEND before ECREATE");
	is_int(cpu_ecreate(w.epc, &w.secs, &w.f), 0, "ECREATE");
	is_gp(&w, cpu_eextend(w.epc, 0x80, &w.f), "EEXTEND of an unaligned chunk");
	is_pf(&w, cpu_eextend(w.epc, 0, &w.f), PF_ENCLS, BASE, "EEXTEND of an absent page");
	is_pf(&w, cpu_eextend(w.epc, SIZE, &w.f), PF_W, BASE + SIZE, "EEXTEND outside ELRANGE");
	is_int(cpu_eadd(w.epc, 0, page, &si, &w.f), 0, "EADD");
	is_int(cpu_eextend(w.epc, 0xf00, &w.f), 0, "EEXTEND of the last chunk");
	world_end(&w);

	world_ready(&w, 0);
	is_gp(&w, cpu_eextend(w.epc, CODE, &w.f), "EEXTEND after EINIT");
	world_end(&w);
}

/* ---- many pages are as many single ones ---- */

struct stretch {
	uint64_t offset, length;
	bool repeat, measured;
	uint64_t flags;
	uint8_t fill; /* of a repeated page */
};

static void add_singly(struct world *w, const struct stretch *s, const uint8_t *src)
{
	for (uint64_t at = 0; at < s->length; at += ISA_PAGE)
		if (world_add(w, s->offset + at, s->repeat ? src : src + at, secinfo(s->flags),
			      s->measured) != 0)
			printf("# page %llx did not go in\n", (unsigned long long)(s->offset + at));
}

static void test_many(void)
{
	/* Windows and pieces of every shape; the larger ones reach over large pages. */
	static const struct stretch stretches[] = {
		{ 0, 0x1000, false, true, SECINFO_R | SECINFO_OF_PT(PT_REG), 0 },
		{ 0x1000, 0x200000, false, true, SECINFO_R | SECINFO_X | SECINFO_OF_PT(PT_REG), 0 },
		{ 0x201000, 0x3000, true, true, SECINFO_R | SECINFO_OF_PT(PT_REG), 7 },
		{ 0x204000, 0x180000, false, false, SECINFO_R | SECINFO_OF_PT(PT_REG), 0 },
		{ 0x384000, 0x180000, true, false, SECINFO_R | SECINFO_W | SECINFO_OF_PT(PT_REG), 0 },
		{ 0x504000, 0x2000, true, true, SECINFO_R | SECINFO_OF_PT(PT_REG), 0 },
		{ 0x506000, 0x480000, false, true, SECINFO_R | SECINFO_OF_PT(PT_REG), 0 },
		{ 0x986000, 0x140000, true, false, SECINFO_R | SECINFO_OF_PT(PT_REG), 0xcc },
		{ 0xac6000, 0x340000, true, true, SECINFO_R | SECINFO_OF_PT(PT_REG), 0x5a },
		{ 0xf00000, 0x2380000, false, true, SECINFO_R | SECINFO_OF_PT(PT_REG), 0 },
	};
	const uint64_t size = UINT64_C(64) << 20;
	uint8_t *src = malloc(size), want[32], block[ISA_MEASURE_BLOCK];
	struct world one, many;
	uint64_t done;
	bool same = true;

	for (uint64_t i = 0; i < size; i++)
		src[i] = (uint8_t)(i * 2654435761u >> 11);
	world_start(&one, 0);
	world_start(&many, 0);
	one.secs.size = many.secs.size = size;
	is_int(cpu_ecreate(one.epc, &one.secs, &one.f), 0, "ECREATE");
	is_int(cpu_ecreate(many.epc, &many.secs, &many.f), 0, "ECREATE of its twin");
	isa_measure_ecreate(1, size, block);
	crypto_sha256_init(&one.hash);
	crypto_sha256_update(&one.hash, block, sizeof(block));
	for (size_t i = 0; i < ARRAY_LEN(stretches); i++) {
		const struct stretch *s = &stretches[i];
		struct isa_secinfo si = secinfo(s->flags);
		uint8_t page[ISA_PAGE];

		memset(page, s->fill, sizeof(page));
		add_singly(&one, s, s->repeat ? page : src + s->offset);
		is_int(cpu_eadd_many(many.epc, s->offset, s->length,
				     s->repeat ? page : src + s->offset, s->repeat, &si,
				     s->measured, &done, &many.f),
		       0, "EADD of a stretch");
		ok(done == s->length, "all %llu pages of it", (unsigned long long)s->length / ISA_PAGE);
	}
	is_int(cpu_epc_pages(one.epc), cpu_epc_pages(many.epc), "as many pages");
	for (uint64_t at = 0; at < size; at += ISA_PAGE) {
		struct cpu_epcm a = { 0 }, b = { 0 };

		cpu_epcm_get(one.epc, at, &a);
		cpu_epcm_get(many.epc, at, &b);
		same &= memcmp(&a, &b, sizeof(a)) == 0 &&
			memcmp(AT(&one, at), AT(&many, at), ISA_PAGE) == 0;
	}
	ok(same, "the same pages with the same EPCM entries");
	crypto_sha256_final(&one.hash, want);
	memcpy(one.sig.header, isa_sigstruct_header, 16);
	memcpy(one.sig.header2, isa_sigstruct_header2, 16);
	one.sig.exponent = 3;
	memcpy(one.sig.enclavehash, want, 32);
	sign(&one.sig, 0);
	mrsigner_of(0, want);
	is_int(cpu_lepubkeyhash_write(many.epc, want, &many.f), 0, "WRMSR");
	is_int(cpu_lepubkeyhash_write(one.epc, want, &one.f), 0, "WRMSR");
	is_int(cpu_einit(one.epc, &one.sig, NULL, &one.f), 0, "the measurement is what it should be");
	is_int(cpu_einit(many.epc, &one.sig, NULL, &many.f), 0, "and the twin's the same");
	world_end(&one);
	world_end(&many);
	free(src);
}

static void test_many_stops(void)
{
	static uint8_t src[16 * ISA_PAGE];
	struct isa_secinfo si = REG_RW, tcs = TCS_INFO;
	struct isa_tcs *t = (struct isa_tcs *)(void *)src;
	uint64_t done;
	struct world w;

	world_start(&w, 0);
	is_int(cpu_ecreate(w.epc, &w.secs, &w.f), 0, "ECREATE");
	is_gp(&w, cpu_eadd_many(w.epc, 0, 0, src, false, &si, true, &done, &w.f), "no pages");
	is_gp(&w, cpu_eadd_many(w.epc, 0, 0x800, src, false, &si, true, &done, &w.f), "half a page");
	is_int(cpu_eadd(w.epc, 0x5000, src, &si, &w.f), 0, "a page in the way");
	is_pf(&w, cpu_eadd_many(w.epc, 0x2000, 0x8000, src, false, &si, true, &done, &w.f), PF_ENCLS,
	      BASE + 0x5000, "EADD stops at it");
	is_int(done, 0x3000, "after three pages");
	is_int(cpu_epc_pages(w.epc), 4, "four in all");
	is_gp(&w, cpu_eadd_many(w.epc, SIZE - 0x2000, 0x4000, src, false, &si, true, &done, &w.f),
	      "EADD stops at the end of ELRANGE");
	is_int(done, 0x2000, "after two pages");
	tcs_fill(&t[0]);
	tcs_fill(&t[1]);
	tcs_fill(&t[2]);
	t[2].flags = 8;
	is_gp(&w, cpu_eadd_many(w.epc, 0x20000, 0x3000, src, false, &tcs, true, &done, &w.f),
	      "EADD of TCSs stops at a bad one");
	is_int(done, 0x2000, "after two");
	world_end(&w);
}

/* No memory for a page: RLIMIT_FSIZE stands in for it. Nothing is left half done. */
static void test_no_memory(void)
{
	const uint64_t size = UINT64_C(16) << 20, length = UINT64_C(4) << 20;
	struct rlimit old, small;
	struct isa_secinfo si = REG_R;
	uint8_t *src = malloc(length);
	struct world w, twin;
	struct cpu_epcm m;
	uint64_t done;

	memset(src, 0x6d, length);
	world_start(&w, 0);
	world_start(&twin, 0);
	w.secs.size = twin.secs.size = size;
	is_int(cpu_ecreate(w.epc, &w.secs, &w.f), 0, "ECREATE");
	is_int(cpu_ecreate(twin.epc, &twin.secs, &twin.f), 0, "ECREATE of its twin");
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = (rlim_t)(w.epc->pages_off + 0x101000);
	setrlimit(RLIMIT_FSIZE, &small);
	is_int(cpu_eadd(w.epc, 0x100000, src, &si, &w.f), 0, "EADD of the last page that fits");
	is_pf(&w, cpu_eadd(w.epc, 0x101000, src, &si, &w.f), PF_W, BASE + 0x101000, "EADD of the next");
	is_pf(&w, cpu_eadd_many(w.epc, 0x102000, length, src, false, &si, true, &done, &w.f), PF_W,
	      BASE + 0x102000, "EADD of many");
	is_int(cpu_eadd_many(w.epc, 0, 0x100000, src, false, &si, true, &done, &w.f), 0,
	       "EADD of many that fit");
	is_pf(&w, cpu_eadd_many(w.epc, 0x200000, 0x4000, src, true, &si, true, &done, &w.f), PF_W,
	      BASE + 0x200000, "EADD of a repeated page");
	setrlimit(RLIMIT_FSIZE, &old);
	is_int(done, 0, "none of them");
	is_int(cpu_epc_pages(w.epc), 0x101, "no page more than went in");
	ok(cpu_epcm_get(w.epc, 0x102000, &m) && !m.valid && *AT(&w, 0x102000) == 0,
	   "nothing of the others is left");
	is_int(cpu_eadd(twin.epc, 0x100000, src, &si, &twin.f), 0, "the twin: EADD");
	is_int(cpu_eadd_many(twin.epc, 0, 0x100000, src, false, &si, true, &done, &twin.f), 0,
	       "EADD of as many");
	is_int(cpu_eadd_many(w.epc, 0x102000, length, src, false, &si, true, &done, &w.f), 0,
	       "with memory they go in");
	is_int(cpu_eadd_many(twin.epc, 0x102000, length, src, false, &si, true, &done, &twin.f), 0,
	       "in the twin too");
	is_mem(w.epc->shared->measure[w.epc->shared->measure_current].chain,
	       twin.epc->shared->measure[twin.epc->shared->measure_current].chain, 32,
	       "what failed was not measured");
	world_end(&w);
	world_end(&twin);
	free(src);
}

static void keep_to_one_processor(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	ok(sched_setaffinity(0, sizeof(one), &one) == 0, "one processor from here on");
}

int main(void)
{
	test_ecreate_flaws();
	test_ecreate_features();
	test_ecreate_effects();
	test_sparse();
	test_eadd();
	test_eadd_tcs();
	test_eextend();
	test_many();
	/* Where there are no large pages. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	test_many();
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
	/* Where no second thread makes them. */
	keep_to_one_processor();
	test_many();
	test_many_stops();
	test_no_memory();
	return tap_done();
}
