/*
 * The enclave's own initialisation: HOST_INIT with a description of this
 * machine, since CPUID cannot be executed inside. The numbering of features is
 * that of Intel's SDK; see doc/RUNTIME-ABI.md.
 */
#include "host/host.h"

#include <cpuid.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Newer enclaves read this packed structure; older ones, whose metadata is of
 * version 1, read no further than `version` as long as that is 0.
 */
struct system_features {
	uint64_t cpu_features; /* numbering of releases before 2.16 */
	uint32_t version;
	uint64_t feature_set;
	uint32_t cpuinfo[8][4]; /* CPUID leaves 0, 1, 4 and 7, each at its own number */
	uint64_t sealed_key;    /* address; of encrypted enclaves, which we refuse */
	uint64_t size;          /* of this structure */
	uint64_t cpu_features_ext;
	uint32_t cpu_cores;
} __attribute__((packed));
_Static_assert(sizeof(struct system_features) == 176, "as the SDK has it");

#define VERSION_BEFORE_EDMM 0u
#define VERSION_EDMM 5u
#define FEATURE_EDMM (UINT64_C(1) << 0)
#define FEATURE_AEXNOTIFY (UINT64_C(1) << 1)
#define FEATURE_EXTENDED (UINT64_C(1) << 62) /* size and what follows it are there */
#define FEATURE_LAST (UINT64_C(1) << 63)     /* the last word of feature_set */

enum { EAX, EBX, ECX, EDX };
#define XCR0_YMM UINT64_C(0x06)
#define XCR0_ZMM UINT64_C(0xe0)

/* A feature: where CPUID tells it, what XCR0 must have, and its bits in the two numberings. */
struct feature {
	uint32_t leaf;
	uint8_t reg, bit;
	uint8_t xcr0;
	int8_t ext, old;
};
static const struct feature table[] = {
	{ 1, EDX, 0, 0, 1, 1 },          /* x87 */
	{ 1, EDX, 15, 0, 2, 2 },         /* CMOV */
	{ 1, EDX, 23, 0, 3, 3 },         /* MMX */
	{ 1, EDX, 24, 0, 4, 4 },         /* FXSAVE */
	{ 1, EDX, 25, 0, 5, 5 },         /* SSE */
	{ 1, EDX, 26, 0, 6, 6 },         /* SSE2 */
	{ 1, ECX, 0, 0, 7, 7 },          /* SSE3 */
	{ 1, ECX, 9, 0, 8, 8 },          /* SSSE3 */
	{ 1, ECX, 19, 0, 9, 9 },         /* SSE4.1 */
	{ 1, ECX, 20, 0, 10, 10 },       /* SSE4.2 */
	{ 1, ECX, 22, 0, 11, 12 },       /* MOVBE */
	{ 1, ECX, 23, 0, 12, 11 },       /* POPCNT */
	{ 1, ECX, 1, 0, 13, 13 },        /* PCLMULQDQ */
	{ 1, ECX, 25, 0, 14, 14 },       /* AES */
	{ 1, ECX, 29, XCR0_YMM, 15, 15 }, /* F16C */
	{ 1, ECX, 28, XCR0_YMM, 16, 16 }, /* AVX */
	{ 1, ECX, 30, 0, 17, 17 },       /* RDRAND */
	{ 1, ECX, 12, XCR0_YMM, 18, 18 }, /* FMA */
	{ 7, EBX, 5, XCR0_YMM, 23, 23 }, /* AVX2 */
	{ 7, EBX, 17, XCR0_ZMM, 24, -1 }, /* AVX512DQ */
	{ 7, EBX, 16, XCR0_ZMM, 27, -1 }, /* AVX512F */
	{ 7, EBX, 19, 0, 28, 27 },       /* ADX */
	{ 7, EBX, 18, 0, 29, 26 },       /* RDSEED */
	{ 7, EBX, 21, XCR0_ZMM, 30, -1 }, /* AVX512IFMA */
	{ 7, EBX, 28, XCR0_ZMM, 34, -1 }, /* AVX512CD */
	{ 7, EBX, 29, 0, 35, -1 },       /* SHA */
	{ 7, EBX, 30, XCR0_ZMM, 37, -1 }, /* AVX512BW */
	{ 7, EBX, 31, XCR0_ZMM, 38, -1 }, /* AVX512VL */
	{ 7, ECX, 1, XCR0_ZMM, 39, -1 }, /* AVX512VBMI */
	{ 7, ECX, 14, XCR0_ZMM, 42, -1 }, /* AVX512VPOPCNTDQ */
	{ 7, ECX, 12, XCR0_ZMM, 43, -1 }, /* AVX512BITALG */
	{ 7, ECX, 6, XCR0_ZMM, 44, -1 }, /* AVX512VBMI2 */
	{ 7, ECX, 8, 0, 45, -1 },        /* GFNI */
	{ 7, ECX, 9, XCR0_YMM, 46, -1 }, /* VAES */
	{ 7, ECX, 10, XCR0_YMM, 47, -1 }, /* VPCLMULQDQ */
	{ 7, ECX, 11, XCR0_ZMM, 48, -1 }, /* AVX512VNNI */
	{ 7, EBX, 24, 0, 49, -1 },       /* CLWB */
	{ 7, ECX, 22, 0, 50, -1 },       /* RDPID */
	{ 0x80000001, ECX, 8, 0, -1, 25 }, /* PREFETCHW */
};
#define GENERIC_BIT 0 /* "an x86" */
/* BMI1 and BMI2 go together. */
#define BMI_EXT 19
#define BMI_EBX (1u << 3 | 1u << 8)

static void cpuid(uint32_t leaf, uint32_t r[4])
{
	memset(r, 0, 4 * sizeof(r[0]));
	__get_cpuid_count(leaf, 0, &r[EAX], &r[EBX], &r[ECX], &r[EDX]);
}

static uint64_t xcr0(void)
{
	uint32_t r[4], lo, hi;

	cpuid(1, r);
	if (!(r[ECX] & 1u << 27)) /* OSXSAVE */
		return 0;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

static void cpu_features_of(struct system_features *f)
{
	uint64_t ext = UINT64_C(1) << GENERIC_BIT, old = ext, enabled = xcr0();
	uint32_t leaf1[4], leaf7[4], leaf81[4];

	cpuid(1, leaf1);
	cpuid(7, leaf7);
	cpuid(0x80000001, leaf81);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct feature *t = &table[i];
		const uint32_t *r = t->leaf == 1 ? leaf1 : t->leaf == 7 ? leaf7 : leaf81;

		if (!(r[t->reg] & 1u << t->bit) || (enabled & t->xcr0) != t->xcr0)
			continue;
		if (t->ext >= 0)
			ext |= UINT64_C(1) << t->ext;
		if (t->old >= 0)
			old |= UINT64_C(1) << t->old;
	}
	if ((leaf7[EBX] & BMI_EBX) == BMI_EBX) {
		ext |= UINT64_C(1) << BMI_EXT;
		old |= UINT64_C(1) << BMI_EXT;
	}
	f->cpu_features = old;
	f->cpu_features_ext = ext;
}

/* What only its initialisation had to write is mapped without the right to. */
static int settle(struct bawn_enclave *en, const struct image *im, struct bawn_error *e)
{
	for (size_t i = 0; i < im->nsettled; i++) {
		const struct image_settled *s = &im->settled[i];
		int prot = (s->secinfo & SECINFO_R ? PROT_READ : 0) |
			   (s->secinfo & SECINFO_X ? PROT_EXEC : 0);
		int r = en->dev->ops->map(en->dev, s->offset, s->length, prot, e);

		if (r)
			return r;
	}
	return 0;
}

/*
 * What is the same for every enclave, looked up once: in a virtual machine
 * every CPUID is a trip to the hypervisor, and there are twenty of them.
 */
static struct system_features machine;

static void look_at_machine(void)
{
	static const uint32_t leaves[] = { 0, 1, 4, 7 };
	uint32_t regs[4];

	machine.size = sizeof(machine);
	machine.cpu_cores = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	cpu_features_of(&machine);
	for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
		cpuid(leaves[i], regs);
		memcpy(machine.cpuinfo[leaves[i]], regs, sizeof(regs));
	}
}

int host_start(struct bawn_enclave *en, const struct image *im, struct bawn_error *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct host_slot *slot = en->utility ? en->utility : &en->slot[0];
	uint64_t status = HOST_STATUS_FAILED;
	struct system_features f;
	int r;

	pthread_once(&once, look_at_machine);
	f = machine;
	f.version = en->edmm ? VERSION_EDMM : VERSION_BEFORE_EDMM;
	f.feature_set = FEATURE_LAST | FEATURE_EXTENDED | (en->edmm ? FEATURE_EDMM : 0) |
			(en->aexnotify ? FEATURE_AEXNOTIFY : 0);
	r = host_run(en, slot, HOST_INIT, &f, &status, e);
	if (r) {
		err_context(e, "initialisation");
		return r;
	}
	if ((uint32_t)status != HOST_STATUS_OK)
		return err_set(e, BAWN_ERR_CRASHED,
			       "the enclave's initialisation failed with its status 0x%x",
			       (uint32_t)status);
	r = settle(en, im, e);
	return r ? r : host_threads_start(en, im->tcs_min_pool, e);
}
