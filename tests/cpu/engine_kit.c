/* See engine_kit.h. */
#include "engine_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The enclave. R11 keeps the address to return to. Nothing but R8 to R11 and
 * the argument registers is changed, as the caller expects of a function; the
 * untrusted stack is used where an instruction needs one.
 */
__asm__(
	".pushsection .rodata\n"
	".p2align 4\n"
	".globl kit_code, kit_code_end\n"
	".hidden kit_code, kit_code_end\n"
	"kit_code:\n"
	"	mov	%rcx, %r11\n"
	"	lea	9f(%rip), %r10\n"
	"	movslq	(%r10,%rdi,4), %rcx\n"
	"	add	%rcx, %r10\n"
	"	jmp	*%r10\n"
	"9:	.long	add - 9b, spin - 9b, ud - 9b, gp - 9b, de - 9b, bp - 9b, tf - 9b, rd - 9b, wr - 9b\n"
	"	.long	jump - 9b, ac - 9b, bases - 9b, ocall - 9b, oret - 9b, df - 9b, ymm - 9b\n"
	"	.long	cpuid - 9b, enclu - 9b, mf - 9b, xm - 9b, in - 9b, setb - 9b, xmm - 9b, zmm - 9b\n"
	"	.long	regs - 9b, nest - 9b\n"
	"out:	mov	%r11, %rbx\n"
	"	mov	$4, %eax\n"
	"	.byte	0x0f, 0x01, 0xd7\n"

	"add:	lea	(%rsi,%rdx), %rdi\n"
	"	mov	%rax, %rsi\n"
	"	mov	%rsp, %rdx\n"
	"	jmp	out\n"

	"spin:	mov	%rdx, %rdi\n"
	"	movabs	$6364136223846793005, %r8\n"
	"1:	test	%rsi, %rsi\n"
	"	jz	out\n"
	"	imul	%r8, %rdi\n"
	"	add	$1442695040888963407 & 0x7fffffff, %rdi\n"
	"	dec	%rsi\n"
	"	jmp	1b\n"

	"ud:	ud2\n"
	"	mov	%rsi, %rdi\n"
	"	jmp	out\n"

	"gp:	movabs	$0x8000000000000000, %r8\n"
	"	mov	(%r8), %r9\n" /* 3 bytes */
	"	mov	%rsi, %rdi\n"
	"	jmp	out\n"

	"de:	xor	%ecx, %ecx\n"
	"	div	%ecx\n" /* 2 bytes */
	"	mov	%rsi, %rdi\n"
	"	jmp	out\n"

	"bp:	int3\n"
	"	mov	%rsi, %rdi\n"
	"	jmp	out\n"

	"tf:	pushfq\n"
	"	orl	$0x100, (%rsp)\n"
	"	popfq\n"
	"	nop\n"
	"	nop\n"
	"	pushfq\n"
	"	pop	%rdi\n"
	"	and	$0x100, %edi\n"
	"	pushfq\n"
	"	andl	$~0x100, (%rsp)\n"
	"	popfq\n"
	"	jmp	out\n"

	"rd:	mov	(%rsi), %rdi\n" /* 3 bytes */
	"	jmp	out\n"
	"wr:	mov	%rdx, (%rsi)\n" /* 3 bytes */
	"	jmp	out\n"
	"jump:	jmp	*%rsi\n"

	"ac:	pushfq\n"
	"	orl	$0x40000, (%rsp)\n"
	"	popfq\n"
	"	mov	(%rsi), %rdi\n" /* 3 bytes */
	"	pushfq\n"
	"	andl	$~0x40000, (%rsp)\n"
	"	popfq\n"
	"	jmp	out\n"

	"bases:	mov	%fs:0, %rdi\n"
	"	mov	%gs:8, %rsi\n"
	"	jmp	out\n"

	"ocall:	push	%r11\n"
	"	push	%rsi\n"
	"	mov	$-1, %rdi\n"
	"	jmp	out\n"
	"oret:	pop	%rdi\n"
	"	add	%rsi, %rdi\n"
	"	pop	%r11\n"
	"	jmp	out\n"

	"df:	std\n"
	"1:	dec	%rsi\n"
	"	jnz	1b\n"
	"	pushfq\n"
	"	pop	%rdi\n"
	"	cld\n"
	"	and	$0x400, %edi\n"
	"	jmp	out\n"

	".macro	each16 insn:vararg\n"
	".irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	\\insn\n"
	".endr\n"
	".endm\n"

	/* Fill with RSI + n, wait, compare; the answer has a bit per register. */
	"xmm:\n"
	".irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	lea	\\n(%rsi), %r8\n"
	"	movq	%r8, %xmm\\n\n"
	"	punpcklqdq %xmm\\n, %xmm\\n\n"
	".endr\n"
	"1:	dec	%rdx\n"
	"	jnz	1b\n"
	"	xor	%edi, %edi\n"
	".irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	lea	\\n(%rsi), %r8\n"
	"	movdqu	%xmm\\n, -64(%rsp)\n"
	"	cmp	%r8, -64(%rsp)\n"
	"	jne	2f\n"
	"	cmp	%r8, -56(%rsp)\n"
	"	je	3f\n"
	"2:	or	$1 << \\n, %edi\n"
	"3:\n"
	".endr\n"
	"	jmp	out\n"

	"ymm:\n"
	".irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	lea	\\n(%rsi), %r8\n"
	"	vmovq	%r8, %xmm\\n\n"
	"	vpbroadcastq %xmm\\n, %ymm\\n\n"
	".endr\n"
	"1:	dec	%rdx\n"
	"	jnz	1b\n"
	"	xor	%edi, %edi\n"
	".irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	lea	\\n(%rsi), %r8\n"
	"	vmovdqu	%ymm\\n, -64(%rsp)\n"
	"	cmp	%r8, -64(%rsp)\n"
	"	jne	2f\n"
	"	cmp	%r8, -40(%rsp)\n"
	"	je	3f\n"
	"2:	or	$1 << \\n, %edi\n"
	"3:\n"
	".endr\n"
	"	vzeroupper\n"
	"	jmp	out\n"

	"zmm:\n"
	".irp	n, 0,7,15,16,24,31\n"
	"	lea	\\n(%rsi), %r8\n"
	"	vpbroadcastq %r8, %zmm\\n\n"
	".endr\n"
	"	mov	$0x5a5a, %r8d\n"
	"	kmovw	%r8d, %k3\n"
	"1:	dec	%rdx\n"
	"	jnz	1b\n"
	"	xor	%edi, %edi\n"
	".irp	n, 0,7,15,16,24,31\n"
	"	lea	\\n(%rsi), %r8\n"
	"	vmovdqu64 %zmm\\n, -128(%rsp)\n"
	"	cmp	%r8, -128(%rsp)\n"
	"	jne	2f\n"
	"	cmp	%r8, -72(%rsp)\n"
	"	je	3f\n"
	"2:	or	$1 << \\n, %edi\n"
	"3:\n"
	".endr\n"
	"	kmovw	%k3, %r8d\n"
	"	cmp	$0x5a5a, %r8d\n"
	"	je	4f\n"
	"	not	%edi\n"
	"4:	vzeroupper\n"
	"	jmp	out\n"

	"cpuid:	mov	%esi, %eax\n"
	"	xor	%ecx, %ecx\n"
	"	cpuid\n"
	"	mov	%rbx, %rdi\n"
	"	jmp	out\n"

	"enclu:	mov	%rsi, %rax\n"
	"	mov	%rdx, %rbx\n"
	"	mov	%r8, %rcx\n"
	"	mov	%r9, %rdx\n"
	"	.byte	0x0f, 0x01, 0xd7\n"
	"	mov	%rax, %rdi\n"
	"	jmp	out\n"

	"mf:	fninit\n"
	"	movw	$0x37b, -16(%rsp)\n" /* zero divide unmasked */
	"	fldcw	-16(%rsp)\n"
	"	fld1\n"
	"	fldz\n"
	"	fdivrp\n"
	"	fwait\n" /* 1 byte */
	"	fninit\n"
	"	mov	%rsi, %rdi\n"
	"	jmp	out\n"

	"xm:	movl	$0x1d80, -16(%rsp)\n"
	"	ldmxcsr	-16(%rsp)\n"
	"	pcmpeqd	%xmm0, %xmm0\n"
	"	psrld	$25, %xmm0\n"
	"	pslld	$23, %xmm0\n" /* 1.0 */
	"	pxor	%xmm1, %xmm1\n"
	"	divss	%xmm1, %xmm0\n" /* 4 bytes */
	"	movl	$0x1f80, -16(%rsp)\n"
	"	ldmxcsr	-16(%rsp)\n"
	"	mov	%rsi, %rdi\n"
	"	jmp	out\n"

	"in:	mov	$0x80, %edx\n"
	"	in	%dx, %al\n" /* 1 byte */
	"	mov	%rsi, %rdi\n"
	"	jmp	out\n"

	"setb:	wrfsbase %rsi\n"
	"	wrgsbase %rdx\n"
	"	mov	$20000000, %ecx\n"
	"1:	dec	%ecx\n"
	"	jnz	1b\n"
	"	rdfsbase %rdi\n"
	"	rdgsbase %rsi\n"
	"	jmp	out\n"

	/* The registers that a function may not change are saved on the untrusted stack. */
	"regs:	push	%rbx\n"
	"	push	%rbp\n"
	"	push	%r12\n"
	"	push	%r13\n"
	"	push	%r14\n"
	"	push	%r15\n"
	"	push	%r11\n"
	"	mov	%rsi, %rax\n"
	".irp	r, rbx,rcx,rbp,rdi,r8,r9,r10,r11,r12,r13,r14,r15\n"
	"	lea	3(%rax), %rax\n"
	"	mov	%rax, %\\r\n"
	".endr\n"
	"1:	dec	%rdx\n"
	"	jnz	1b\n"
	"	mov	%rsi, %rax\n"
	"	xor	%edx, %edx\n"
	".irp	r, rbx,rcx,rbp,rdi,r8,r9,r10,r11,r12,r13,r14,r15\n"
	"	lea	3(%rax), %rax\n"
	"	cmp	%rax, %\\r\n"
	"	je	2f\n"
	"	inc	%edx\n"
	"2:\n"
	".endr\n"
	"	mov	%rdx, %rdi\n"
	"	pop	%r11\n"
	"	pop	%r15\n"
	"	pop	%r14\n"
	"	pop	%r13\n"
	"	pop	%r12\n"
	"	pop	%rbp\n"
	"	pop	%rbx\n"
	"	jmp	out\n"

	"nest:	mov	$-2, %rdi\n"
	"	jmp	out\n"
	"kit_code_end:\n"
	".popsection\n");

extern const uint8_t kit_code[], kit_code_end[];

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
