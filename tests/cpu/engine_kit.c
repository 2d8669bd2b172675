/* See engine_kit.h. */
#include "engine_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(bool good, const char *what)
{
	if (!good) {
		printf("Bail out! %s\n", what);
		exit(1);
	}
}

/* ---- building ---- */

static struct crypto_sha256 measurement;

static void add_page(struct cpu_epc *epc, uint64_t offset, const void *page, uint64_t flags)
{
	struct isa_secinfo si = { .flags = flags };
	uint8_t block[ISA_MEASURE_BLOCK];
	struct cpu_fault f;

	must(cpu_eadd(epc, offset, page, &si, &f) == 0, "EADD");
	isa_measure_eadd(offset, &si, block);
	crypto_sha256_update(&measurement, block, sizeof(block));
}

static struct crypto_key *key;

void kit_key(void)
{
	if (!key)
		must(crypto_key_new_rsa3(&key, NULL) == 0, "making a key");
}

static void init(struct cpu_epc *epc, const struct isa_secs *secs)
{
	struct isa_sigstruct s = { .vendor = 0, .date = 0x20260101, .exponent = 3 };
	uint8_t signed_bytes[ISA_SIGSTRUCT_SIGNED], digest[32], mrsigner[32];
	struct cpu_fault f;
	int r;

	kit_key();
	must(crypto_key_rsa3_modulus(key, s.modulus, NULL) == 0, "modulus");
	memcpy(s.header, isa_sigstruct_header, sizeof(s.header));
	memcpy(s.header2, isa_sigstruct_header2, sizeof(s.header2));
	s.attributes = secs->attributes;
	s.attributemask = (struct isa_attributes){ ~UINT64_C(0), 0 };
	s.miscselect = secs->miscselect;
	s.miscmask = ~UINT32_C(0);
	crypto_sha256_final(&measurement, s.enclavehash);
	isa_sigstruct_signed(&s, signed_bytes);
	crypto_sha256(signed_bytes, sizeof(signed_bytes), digest);
	must(crypto_rsa3_sign(key, digest, s.signature, NULL) == 0, "signing");
	must(crypto_rsa3_quotients(s.signature, s.modulus, s.q1, s.q2, NULL) == 0, "quotients");
	crypto_sha256(s.modulus, sizeof(s.modulus), mrsigner);
	must(cpu_lepubkeyhash_write(epc, mrsigner, &f) == 0, "launch control");
	r = cpu_einit(epc, &s, NULL, &f);
	if (r != 0)
		printf("# EINIT: %d\n", r);
	must(r == 0, "EINIT");
}

static void add_thread(struct kit *k, unsigned i, bool opt_in)
{
	const uint64_t at = KIT_TCS + (uint64_t)i * KIT_STRIDE;
	uint8_t page[ISA_PAGE] = { 0 };
	struct isa_tcs tcs = {
		.ossa = at + ISA_PAGE, .nssa = KIT_SSA_FRAMES, .oentry = KIT_CODE,
		.ofsbase = at + 0x7000, .ogsbase = at + 0x7000,
		.fslimit = 0xfff, .gslimit = 0xfff,
	};

	memcpy(page, &tcs, sizeof(tcs) < sizeof(page) ? sizeof(tcs) : sizeof(page));
	add_page(k->epc, at, page, SECINFO_OF_PT(PT_TCS));
	memset(page, 0, sizeof(page));
	for (unsigned n = 0; n < KIT_SSA_FRAMES; n++)
		add_page(k->epc, at + ISA_PAGE * (1 + n), page, SECINFO_R | SECINFO_W | SECINFO_OF_PT(PT_REG));
	put_le64(page, 0xf5f5000 + i);
	put_le64(page + 8, 0x656500 + i);
	add_page(k->epc, at + 0x7000, page, SECINFO_R | SECINFO_W | SECINFO_OF_PT(PT_REG));
	k->tcs[i] = k->base + at;
	if (opt_in)
		kit_tcs(k, i)->flags |= TCS_DBGOPTIN;
}

static void add_pages(struct kit *k)
{
	const uint64_t reg = SECINFO_OF_PT(PT_REG);
	uint8_t page[ISA_PAGE] = { 0 };

	must((size_t)(kit_code_end - kit_code) <= sizeof(page), "code size");
	memcpy(page, kit_code, (size_t)(kit_code_end - kit_code));
	add_page(k->epc, KIT_CODE, page, reg | SECINFO_R | SECINFO_X);
	memset(page, 0, sizeof(page));
	add_page(k->epc, KIT_DATA, page, reg | SECINFO_R | SECINFO_W);
	put_le64(page, 0x5ead0417);
	add_page(k->epc, KIT_RODATA, page, reg | SECINFO_R);
	add_page(k->epc, KIT_RWX, page, reg | SECINFO_R | SECINFO_W | SECINFO_X);
}

void kit_make(struct kit *k, const struct kit_options *o)
{
	static const struct kit_options none;
	struct cpu_platform p = {
		.id = "test platform", .provision_fuse = { 1 }, .seal_fuse = { 2 },
		.epc_size = 64 << 20,
	};
	struct isa_secs secs = { .size = KIT_SIZE, .ssaframesize = 1 };
	uint8_t block[ISA_MEASURE_BLOCK];
	struct cpu_features features;
	struct bawn_error e = { 0 };
	struct cpu_fault f;

	o = o ? o : &none;
	p.sgx2 = p.kss = p.aexnotify = !o->sgx1;
	memset(k, 0, sizeof(*k));
	must(cpu_epc_new(&k->epc, &p, &e) == 0, e.msg);
	must(cpu_elrange_reserve(KIT_SIZE, &k->base, &e) == 0, e.msg);
	cpu_features(&p, &features);
	secs.baseaddr = k->base;
	secs.attributes.flags = ATTR_MODE64BIT | ATTR_DEBUG;
	secs.attributes.xfrm = o->xfrm ? o->xfrm : features.xfrm & 0xe7;
	secs.miscselect = features.miscselect;
	must(cpu_ecreate(k->epc, &secs, &f) == 0, "ECREATE");
	crypto_sha256_init(&measurement);
	isa_measure_ecreate(secs.ssaframesize, secs.size, block);
	crypto_sha256_update(&measurement, block, sizeof(block));
	add_pages(k);
	for (unsigned i = 0; i < KIT_TCSS; i++)
		add_thread(k, i, o->debug_opt_in);
	init(k->epc, &secs);
	must(cpu_elrange_map(k->epc, &e) == 0, e.msg);
}

void kit_free(struct kit *k)
{
	cpu_elrange_unmap(k->epc);
	cpu_epc_free(&k->epc);
}

/* ---- calling ---- */

static int take_answer(long rdi, long rsi, long rdx, long rsp, long r8, long r9,
		       struct isa_run *run)
{
	struct kit_answer *a = (struct kit_answer *)run->user_data;

	(void)r8;
	(void)r9;
	if (run->function != ENCLU_EEXIT) {
		if (a->exceptions++ == 0)
			a->first = *run;
		return a->fix ? a->fix(a->kit, a->tcs, a) : 0;
	}
	a->rdi = (uint64_t)rdi;
	a->rsi = (uint64_t)rsi;
	a->rdx = (uint64_t)rdx;
	a->rsp = (uint64_t)rsp;
	return 0;
}

struct kit_answer kit_call_fix(const struct kit *k, unsigned tcs, enum kit_command c, uint64_t rsi,
			       uint64_t rdx, uint64_t r8, uint64_t r9, kit_fix fix)
{
	struct kit_answer a = { .run = { .tcs = k->tcs[tcs] }, .kit = k, .tcs = tcs, .fix = fix };

	a.run.user_handler = (uintptr_t)take_answer;
	a.run.user_data = (uintptr_t)&a;
	a.ret = cpu_enter_enclave(c, rsi, rdx, ENCLU_EENTER, r8, r9, &a.run);
	return a;
}

struct kit_answer kit_call(const struct kit *k, unsigned tcs, enum kit_command c, uint64_t rsi,
			   uint64_t rdx)
{
	return kit_call_fix(k, tcs, c, rsi, rdx, 0, 0, NULL);
}

struct kit_answer kit_resume(const struct kit *k, unsigned tcs)
{
	struct kit_answer a = { .run = { .tcs = k->tcs[tcs] } };

	a.ret = cpu_enter_enclave(0, 0, 0, ENCLU_ERESUME, 0, 0, &a.run);
	return a;
}

void kit_drop(const struct kit *k, unsigned tcs)
{
	kit_tcs(k, tcs)->cssa = 0;
}

struct isa_tcs *kit_tcs(const struct kit *k, unsigned tcs)
{
	return (struct isa_tcs *)(k->epc->alias + KIT_TCS + (uint64_t)tcs * KIT_STRIDE);
}

struct isa_gprsgx *kit_ssa(const struct kit *k, unsigned tcs)
{
	const struct isa_tcs *t = kit_tcs(k, tcs);

	must(t->cssa > 0, "an SSA frame");
	return (struct isa_gprsgx *)(k->epc->alias + t->ossa + ISA_PAGE * t->cssa -
				     sizeof(struct isa_gprsgx));
}

uint64_t kit_spin(uint64_t rounds, uint64_t from)
{
	while (rounds--)
		from = from * UINT64_C(6364136223846793005) + (UINT64_C(1442695040888963407) & 0x7fffffff);
	return from;
}

int kit_child(int (*fn)(void *arg), void *arg)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(fn(arg));
	must(pid > 0 && waitpid(pid, &status, 0) == pid, "fork");
	return status;
}
