#include "tests/host/raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern const uint8_t raw_code[], raw_code_end[];

#define THREAD_PAGES 5 /* TCS, two SSA frames, thread page, stack */
#define FIRST_THREAD 0x2000
#define MAX_THREADS 16

/* The image: its pages, and the arrays that struct image points to. */
struct raw {
	struct image im;
	struct image_run run[2 + MAX_THREADS * 2];
	struct image_tcs tcs[MAX_THREADS];
	uint8_t *pages;
};

static struct crypto_key *key(void)
{
	static struct crypto_key *k;
	struct bawn_error e = { 0 };

	if (!k && crypto_key_new_rsa3(&k, &e)) {
		fprintf(stderr, "%s\n", e.msg);
		exit(1);
	}
	return k;
}

void raw_signer(uint8_t mrsigner[32])
{
	uint8_t n[CRYPTO_RSA_BYTES];

	crypto_key_rsa3_modulus(key(), n, NULL);
	crypto_sha256(n, sizeof(n), mrsigner);
}

static void add_run(struct raw *r, uint64_t offset, unsigned pages, uint64_t secinfo)
{
	r->run[r->im.nruns++] = (struct image_run){
		.offset = offset,
		.length = (uint64_t)pages * ISA_PAGE,
		.src = r->pages + offset,
		.secinfo = secinfo,
		.measured = true,
	};
}

static void add_thread(struct raw *r, uint64_t at, bool aexnotify)
{
	struct isa_tcs tcs = {
		.flags = aexnotify ? TCS_AEXNOTIFY : 0,
		.ossa = at + ISA_PAGE,
		.nssa = 2,
		.ofsbase = at + 3 * ISA_PAGE,
		.ogsbase = at + 3 * ISA_PAGE,
		.fslimit = UINT32_MAX,
		.gslimit = UINT32_MAX,
	};

	memcpy(r->pages + at, &tcs, sizeof(tcs));
	add_run(r, at, 1, SECINFO_OF_PT(PT_TCS));
	add_run(r, at + ISA_PAGE, THREAD_PAGES - 1, SECINFO_R | SECINFO_W | SECINFO_OF_PT(PT_REG));
}

/* The thread page holds its own linear address, which is known only once BASEADDR is. */
static void set_self(struct raw *r, uint64_t at, uint64_t base)
{
	put_le64(r->pages + at + 3 * ISA_PAGE, base + at + 3 * ISA_PAGE);
}

static int sign(struct raw *r, const struct raw_options *how, struct bawn_error *e)
{
	struct isa_sigstruct *s = &r->im.sigstruct;
	struct image_config c;
	uint8_t mrenclave[32], n[CRYPTO_RSA_BYTES], sig[CRYPTO_RSA_BYTES], digest[32];
	uint8_t body[ISA_SIGSTRUCT_SIGNED];
	int rc;

	image_config_default(&c);
	c.isvprodid = 7;
	c.isvsvn = 3;
	c.aexnotify = how->aexnotify;
	c.provision_key = how->provision;
	c.date = 0x20260101;
	c.miscselect = MISC_EXINFO;
	rc = image_measure(&r->im, mrenclave, e);
	if (rc)
		return rc;
	image_sigstruct_make(s, &c, mrenclave);
	isa_sigstruct_signed(s, body);
	crypto_sha256(body, sizeof(body), digest);
	rc = crypto_key_rsa3_modulus(key(), n, e);
	if (!rc)
		rc = crypto_rsa3_sign(key(), digest, sig, e);
	if (!rc)
		rc = image_sigstruct_complete(s, n, sig, e);
	r->im.has_sigstruct = true;
	r->im.attributes = s->attributes;
	r->im.miscselect = s->miscselect;
	return rc;
}

static void damage(struct raw *r, unsigned what)
{
	struct isa_sigstruct *s = &r->im.sigstruct;

	switch (what) {
	case RAW_BREAK_SIGNATURE:
		s->signature[5] ^= 1;
		break;
	case RAW_BREAK_BODY:
		s->isvsvn ^= 1;
		break;
	case RAW_BREAK_Q2:
		s->q2[9] ^= 1;
		break;
	case RAW_BREAK_CODE:
		r->pages[17] ^= 1;
		break;
	case RAW_BREAK_HEADER:
		s->header[12] ^= 0x80;
		break;
	}
}

static int build(struct raw *r, const struct raw_options *how, uint64_t base,
		 struct bawn_error *e)
{
	uint64_t at = FIRST_THREAD;

	r->im = (struct image){
		.format = IMAGE_SDK,
		.size = RAW_SIZE,
		.ssaframesize = 1,
		.fixed_base = true,
		.elrange_base = base,
		.runs = r->run,
		.tcs = r->tcs,
		.metadata_version = how->edmm ? UINT64_C(3) << 32 : UINT64_C(1) << 32 | 4,
		.tcs_policy = how->bound ? 0 : 1,
		.tcs_min_pool = how->min_pool,
	};
	if (how->settled)
		r->im.settled[r->im.nsettled++] =
			(struct image_settled){ ISA_PAGE, ISA_PAGE, SECINFO_R };
	r->pages = aligned_alloc(ISA_PAGE, RAW_HEAP);
	if (!r->pages)
		return err_nomem(e);
	memset(r->pages, 0, RAW_HEAP);
	memcpy(r->pages, raw_code, (size_t)(raw_code_end - raw_code));
	put_le32(r->pages + ISA_PAGE + 40, how->init_status);
	add_run(r, 0, 1, SECINFO_R | SECINFO_X | SECINFO_OF_PT(PT_REG));
	add_run(r, ISA_PAGE, 1, SECINFO_R | SECINFO_W | SECINFO_OF_PT(PT_REG));
	for (unsigned i = 0; i < how->threads + how->dynamic_threads; i++) {
		bool dynamic = i >= how->threads;

		r->tcs[r->im.ntcs++] = (struct image_tcs){ at, dynamic };
		if (!dynamic) {
			add_thread(r, at, how->aexnotify);
			set_self(r, at, base);
		}
		at += THREAD_PAGES * ISA_PAGE;
	}
	return sign(r, how, e);
}

const char *raw_device(void)
{
	const char *name = getenv("BAWN_TEST_DEVICE");

	return name && *name ? name : "emulated";
}

bool raw_is_emulated(void)
{
	return strcmp(raw_device(), "emulated") == 0;
}

int raw_load(struct bawn_enclave **out, const char *platform, const struct raw_options *how,
	     const struct bawn_options *opt, struct bawn_error *e)
{
	static const struct bawn_options defaults;
	struct raw r = { 0 };
	struct dev *d = NULL;
	enum dev_kind kind;
	uint64_t base = 0;
	int rc;

	*out = NULL;
	/* A fixed address, so that pages can hold addresses: where there is room right now. */
	rc = cpu_elrange_reserve(RAW_SIZE, &base, e);
	if (rc)
		return rc;
	rc = build(&r, how, base, e);
	munmap((void *)(uintptr_t)base, RAW_SIZE);
	if (!rc)
		rc = dev_kind_parse(raw_device(), &kind, e);
	if (!rc)
		rc = dev_open(&d, kind, platform, e);
	damage(&r, how->break_what);
	if (!rc)
		rc = host_load_image(out, &r.im, &d, opt ? opt : &defaults, clock_ns(), e);
	free(r.pages);
	return rc;
}

/* ---- platforms ---- */

static char dirs[8][64];
static unsigned ndirs;

const char *raw_platform(const struct cpu_platform_options *opt)
{
	struct bawn_error e = { 0 };
	char *dir = dirs[ndirs];

	snprintf(dir, sizeof(dirs[0]), "/tmp/bawn-test-platform.%d.%u", (int)getpid(), ndirs);
	if (ndirs == ARRAY_LEN(dirs) - 1 || cpu_platform_create(dir, opt, &e)) {
		fprintf(stderr, "a platform for the test: %s\n", e.msg);
		exit(1);
	}
	ndirs++;
	return dir;
}

void raw_platform_remove(void)
{
	while (ndirs)
		cpu_platform_remove(dirs[--ndirs], NULL);
}
