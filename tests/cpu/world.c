#include "tests/cpu/world.h"

#include <err.h>
#include <string.h>

void platform_fake(struct cpu_platform *p, uint8_t seed)
{
	*p = (struct cpu_platform){
		.sgx2 = true, .kss = true, .aexnotify = true, .epc_size = 128u << 20,
	};
	memset(p->id, seed, sizeof(p->id));
	for (int i = 0; i < 32; i++) {
		p->provision_fuse[i] = (uint8_t)(seed + i);
		p->seal_fuse[i] = (uint8_t)(seed * 3 + i);
	}
	memset(p->owner_epoch, seed ^ 0x55, sizeof(p->owner_epoch));
	memset(p->cpusvn, 5, sizeof(p->cpusvn));
}

const struct crypto_key *key_of(unsigned which)
{
	static struct crypto_key *keys[2];
	struct bawn_error e = { 0 };

	if (!keys[which] && crypto_key_new_rsa3(&keys[which], &e) != 0)
		errx(1, "%s", e.msg);
	return keys[which];
}

void sign(struct isa_sigstruct *s, unsigned which)
{
	const struct crypto_key *k = key_of(which);
	uint8_t text[ISA_SIGSTRUCT_SIGNED], digest[32];
	struct bawn_error e = { 0 };

	isa_sigstruct_signed(s, text);
	crypto_sha256(text, sizeof(text), digest);
	if (crypto_key_rsa3_modulus(k, s->modulus, &e) != 0 ||
	    crypto_rsa3_sign(k, digest, s->signature, &e) != 0 ||
	    crypto_rsa3_quotients(s->signature, s->modulus, s->q1, s->q2, &e) != 0)
		errx(1, "%s", e.msg);
}

void mrsigner_of(unsigned which, uint8_t out[32])
{
	uint8_t n[CRYPTO_RSA_BYTES];

	if (crypto_key_rsa3_modulus(key_of(which), n, NULL) != 0)
		errx(1, "no modulus");
	crypto_sha256(n, sizeof(n), out);
}

struct isa_secinfo secinfo(uint64_t flags)
{
	return (struct isa_secinfo){ .flags = flags };
}

void secs_fill(struct isa_secs *s, uint64_t flags)
{
	*s = (struct isa_secs){
		.size = SIZE,
		.baseaddr = BASE,
		.ssaframesize = 1,
		.miscselect = MISC_EXINFO,
		.attributes = { .flags = ATTR_MODE64BIT | flags, .xfrm = XFRM_X87_SSE },
	};
}

void tcs_fill(struct isa_tcs *t)
{
	*t = (struct isa_tcs){
		.ossa = SSA,
		.nssa = NSSA,
		.oentry = OENTRY,
		.ofsbase = OFSBASE,
		.ogsbase = OGSBASE,
		.fslimit = 0xfff,
		.gslimit = 0xfff,
	};
}

static void changed(void *arg, uint64_t offset, uint64_t length)
{
	struct world *w = arg;

	w->changed_offset = offset;
	w->changed_length = length;
	w->changes++;
}

void world_start(struct world *w, uint64_t attributes)
{
	struct bawn_error e = { 0 };

	memset(w, 0, sizeof(*w));
	platform_fake(&w->platform, 1);
	if (cpu_epc_new(&w->epc, &w->platform, &e) != 0)
		errx(1, "%s", e.msg);
	w->epc->changed = changed;
	w->epc->changed_arg = w;
	secs_fill(&w->secs, attributes);
	w->lp.owner = cpu_owner_self();
	w->r.rflags = 0x202;
}

static void must(const struct world *w, int result, const char *what)
{
	if (result != 0)
		errx(1, "%s: %d (#%u, code %#x, address %#llx)", what, result, w->f.vector,
		     w->f.error_code, (unsigned long long)w->f.address);
}

int world_add(struct world *w, uint64_t offset, const void *page, struct isa_secinfo si,
	      bool measured)
{
	uint8_t block[ISA_MEASURE_BLOCK];
	int r = cpu_eadd(w->epc, offset, page, &si, &w->f);

	if (r != 0)
		return r;
	isa_measure_eadd(offset, &si, block);
	crypto_sha256_update(&w->hash, block, sizeof(block));
	for (uint64_t at = offset; measured && at < offset + ISA_PAGE; at += ISA_MEASURE_CHUNK) {
		r = cpu_eextend(w->epc, at, &w->f);
		if (r != 0)
			return r;
		isa_measure_eextend(at, block);
		crypto_sha256_update(&w->hash, block, sizeof(block));
		crypto_sha256_update(&w->hash, (const uint8_t *)page + (at - offset),
				     ISA_MEASURE_CHUNK);
	}
	return 0;
}

static void fill_sigstruct(struct world *w)
{
	struct crypto_sha256 h = w->hash;
	struct isa_sigstruct *s = &w->sig;

	memset(s, 0, sizeof(*s));
	memcpy(s->header, isa_sigstruct_header, sizeof(s->header));
	memcpy(s->header2, isa_sigstruct_header2, sizeof(s->header2));
	s->date = 0x20240229;
	s->exponent = 3;
	s->attributes.flags = w->secs.attributes.flags;
	s->attributes.xfrm = w->secs.attributes.xfrm;
	s->attributemask.flags = ~UINT64_C(0);
	s->attributemask.xfrm = ~UINT64_C(0);
	s->miscselect = w->secs.miscselect;
	s->miscmask = ~0u;
	s->isvprodid = 7;
	s->isvsvn = 3;
	if (w->secs.attributes.flags & ATTR_KSS) {
		memset(s->isvfamilyid, 0xfa, sizeof(s->isvfamilyid));
		memset(s->isvextprodid, 0xe1, sizeof(s->isvextprodid));
	}
	crypto_sha256_final(&h, s->enclavehash);
}

void world_build(struct world *w)
{
	uint8_t block[ISA_MEASURE_BLOCK], page[ISA_PAGE];
	struct isa_tcs tcs;

	must(w, cpu_ecreate(w->epc, &w->secs, &w->f), "ECREATE");
	isa_measure_ecreate(w->secs.ssaframesize, w->secs.size, block);
	crypto_sha256_init(&w->hash);
	crypto_sha256_update(&w->hash, block, sizeof(block));
	memset(page, 0x90, sizeof(page));
	must(w, world_add(w, CODE, page, REG_RX, true), "EADD of code");
	memset(page, 0, sizeof(page));
	for (uint64_t at = DATA; at < CONST; at += ISA_PAGE)
		must(w, world_add(w, at, page, REG_RW, true), "EADD of data");
	memset(page, 0xc0, sizeof(page));
	must(w, world_add(w, CONST, page, REG_R, true), "EADD of constants");
	tcs_fill(&tcs);
	if (w->secs.attributes.flags & ATTR_AEXNOTIFY)
		tcs.flags = TCS_AEXNOTIFY;
	must(w, world_add(w, TCS, &tcs, TCS_INFO, true), "EADD of a TCS");
	memset(page, 0, sizeof(page));
	for (unsigned i = 0; i < NSSA; i++)
		must(w, world_add(w, SSA + i * ISA_PAGE, page, REG_RW, true), "EADD of SSA");
	fill_sigstruct(w);
}

void world_init(struct world *w)
{
	uint8_t mrsigner[32];

	sign(&w->sig, 0);
	crypto_sha256(w->sig.modulus, sizeof(w->sig.modulus), mrsigner);
	must(w, cpu_lepubkeyhash_write(w->epc, mrsigner, &w->f), "WRMSR");
	must(w, cpu_einit(w->epc, &w->sig, NULL, &w->f), "EINIT");
}

void world_ready(struct world *w, uint64_t attributes)
{
	world_start(w, attributes);
	world_build(w);
	world_init(w);
}

void world_end(struct world *w)
{
	cpu_epc_free(&w->epc);
}

void host_regs(struct world *w, uint64_t tcs)
{
	w->r = (struct cpu_regs){
		.rax = ENCLU_EENTER,
		.rbx = BASE + tcs,
		.rcx = AEP,
		.rdx = 0xd0,
		.rsp = HOST_RSP,
		.rbp = HOST_RBP,
		.rsi = 0x51,
		.rdi = 0xd1,
		.rflags = 0x202,
		.rip = EENTER_RIP,
		.fsbase = HOST_FS,
		.gsbase = HOST_GS,
	};
}

void enter(struct world *w)
{
	host_regs(w, TCS);
	must(w, cpu_eenter(&w->lp, w->epc, &w->r, &w->f), "EENTER");
}

int enclu(struct world *w, uint32_t leaf, uint64_t rbx, uint64_t rcx, uint64_t rdx)
{
	w->r.rax = leaf;
	w->r.rbx = rbx;
	w->r.rcx = rcx;
	w->r.rdx = rdx;
	return cpu_enclu_inside(&w->lp, &w->r, &w->f);
}

bool fault_is(const struct world *w, int result, uint8_t vector, uint32_t code, uint64_t address,
	      const char *name, int line)
{
	bool good = result == CPU_FAULT && w->f.vector == vector && w->f.error_code == code &&
		    w->f.address == address;

	tap_ok(good, __FILE__, line, "%s", name);
	if (!good)
		printf("#   result %d, vector %u, code %#x, address %#llx\n", result, w->f.vector,
		       w->f.error_code, (unsigned long long)w->f.address);
	return good;
}
