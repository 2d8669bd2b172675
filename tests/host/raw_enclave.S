/*
 * An enclave without a runtime library, for tests of the host's: it speaks the
 * entry ABI (doc/RUNTIME-ABI.md) in the fewest instructions, does what it is
 * told to, and checks nothing. raw.c puts it together; raw.h names its calls.
 *
 * Memory: this code at offset 0, a shared page at 0x1000, and for each thread
 * five pages at its TCS: TCS, two SSA frames, thread page (FS base), stack.
 */
#define SHARED 0x1000      /* from the code */
#define SSA0_GPR (0x1000 + 4096 - 184) /* from the TCS; SDM 38.9 */
#define GPR_RSP 32
#define GPR_RDI 56
#define GPR_RIP 136
#define EXINFO_MADDR -16   /* from the GPRs */
#define THREAD 0x3000
#define STACK_TOP 0x2000   /* from the thread page */

/* thread page */
#define T_SELF %fs:0
#define T_URSP %fs:8
#define T_URBP %fs:16
#define T_LAST %fs:24      /* trusted RSP of the pending OCALL, or 0 */
#define T_RETURN %fs:32
#define T_MODE %fs:40      /* what to do with an exception */
#define T_COUNT %fs:48
#define T_TCS %fs:56

#define EEXIT 4
#define EACCEPT 5
#define EDECCSSA 9
#define RW_REG 0x203
#define PENDING 0x08
#define TCS_MODIFIED 0x110

	.section .rodata.raw, "a"
	.balign 4096
	.globl raw_code, raw_code_end
	.hidden raw_code, raw_code_end
raw_code:
	test	%rax, %rax
	jnz	except
	cmp	$-2, %rdi
	je	oret
	mov	T_LAST, %rax
	test	%rax, %rax
	jnz	1f
	mov	T_SELF, %rax
	add	$STACK_TOP, %rax
1:	xchg	%rsp, %rax
	push	T_URSP
	push	T_URBP
	push	T_RETURN
	push	T_LAST
	mov	%rax, T_URSP
	mov	%rbp, T_URBP
	mov	%rcx, T_RETURN
	mov	%rbx, T_TCS
	lea	finish(%rip), %rax
	push	%rax
	cmp	$-1, %rdi
	je	init
	cmp	$-4, %rdi
	je	mktcs
	cmp	$-5, %rdi
	je	uninit
	cmp	$-6, %rdi
	je	pthread
	cmp	$((table_end - table) / 4), %rdi
	jae	no_function
	lea	table(%rip), %r10
	movslq	(%r10, %rdi, 4), %r11
	add	%r10, %r11
	mov	%rsi, %rdi
	jmp	*%r11
finish:	/* eax: status */
	mov	%eax, %esi
	mov	T_RETURN, %rbx
	mov	T_URBP, %rbp
	mov	T_URSP, %rdx
	pop	T_LAST
	pop	T_RETURN
	pop	T_URBP
	pop	T_URSP
	mov	%rdx, %rsp
	mov	$-1, %rdi
	mov	$EEXIT, %eax
	enclu
no_function:
	mov	$0x1001, %eax
	ret

/* OCALL edi with rsi; the status in eax. */
ocall:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	T_LAST
	mov	%rsp, T_LAST
	mov	T_RETURN, %rbx
	mov	T_URBP, %rbp
	mov	T_URSP, %rsp
	movslq	%edi, %rdi
	mov	$EEXIT, %eax
	enclu
oret:
	mov	T_LAST, %rsp
	pop	T_LAST
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	mov	%esi, %eax
	ret

/* CSSA 1, on the host's stack, which is left alone: what T_MODE says. */
except:
	cmp	$-3, %rdi
	jne	refuse
	lea	SSA0_GPR(%rbx), %r8
	mov	%rcx, %r10
	mov	T_MODE, %rax
	lock incq T_COUNT
	cmp	$1, %rax
	jb	step
	je	refuse
	cmp	$3, %rax
	jb	accept_page
	je	fault_again
	cmp	$5, %rax
	jb	in_place
fault_again:
	ud2
step:	/* 0: over a two-byte instruction */
	addq	$2, GPR_RIP(%r8)
	xor	%esi, %esi
	jmp	except_exit
refuse:	/* 1 */
	mov	%rcx, %r10
	mov	$0x1006, %esi
except_exit:
	mov	$-1, %rdi
	mov	%r10, %rbx
	mov	$EEXIT, %eax
	enclu
accept_page: /* 2: the page that was touched */
	mov	EXINFO_MADDR(%r8), %rcx
	and	$-4096, %rcx
	lea	accept_rw(%rip), %rbx
	mov	$EACCEPT, %eax
	enclu
	mov	%eax, %esi
	jmp	except_exit
in_place: /* 4: AEX-notify; never exits */
	mov	GPR_RIP(%r8), %r11
	add	$2, %r11
	mov	GPR_RSP(%r8), %rsp
	mov	GPR_RDI(%r8), %rdi
	mov	$EDECCSSA, %eax
	enclu
	jmp	*%r11

/* ---- commands ---- */

init:
	lea	raw_code(%rip), %r8
	lock incq SHARED(%r8)
	mov	0(%rsi), %rax
	mov	%rax, SHARED + 8(%r8)  /* cpu_features */
	mov	8(%rsi), %eax
	mov	%rax, SHARED + 16(%r8) /* version */
	mov	12(%rsi), %rax
	mov	%rax, SHARED + 24(%r8) /* feature_set */
	mov	156(%rsi), %rax
	mov	%rax, SHARED + 32(%r8) /* size */
	mov	SHARED + 40(%r8), %eax /* the status that it was built to give */
	ret
uninit:
	/* Tells by an OCALL that it happened. */
	mov	$2, %edi
	xor	%esi, %esi
	jmp	ocall

/* A thread of the enclave's own: waits by OCALL 0, then names who waits for its end. */
pthread:
	push	%rsi
	lea	raw_code(%rip), %r8
	lock incq SHARED + 48(%r8)
	mov	SHARED + 56(%r8), %rsi
	xor	%edi, %edi
	test	%rsi, %rsi
	jz	1f
	call	ocall
1:	pop	%rsi
	lea	raw_code(%rip), %r8
	mov	SHARED + 64(%r8), %rax
	mov	%rax, (%rsi)
	xor	%eax, %eax
	ret

/* The five pages of a thread at the address in ms: allocate, accept, fill in, make a TCS. */
mktcs:
	push	%rbx
	push	%r12
	push	%r13
	mov	(%rsi), %r12
	push	T_URSP
	mov	(%rsp), %r13
	sub	$256, %r13
	and	$-16, %r13
	mov	%r13, T_URSP
	mov	%r12, 8(%r13)
	movq	$0x5000, 16(%r13)
	movl	$RW_REG, 24(%r13)
	movl	$0, 28(%r13)
	mov	$-6, %edi
	mov	%r13, %rsi
	call	ocall
	or	0(%r13), %eax
	jnz	mktcs_out
	lea	0x4000(%r12), %rcx
1:	lea	accept_rw(%rip), %rbx
	mov	$EACCEPT, %eax
	enclu
	test	%eax, %eax
	jnz	mktcs_out
	sub	$4096, %rcx
	cmp	%r12, %rcx
	jae	1b
	lea	raw_code(%rip), %r8
	mov	%r12, %rax
	sub	%r8, %rax
	add	$0x1000, %rax
	mov	%rax, 16(%r12)        /* OSSA */
	movl	$2, 28(%r12)          /* NSSA */
	add	$0x2000, %rax
	mov	%rax, 48(%r12)        /* OFSBASE */
	mov	%rax, 56(%r12)        /* OGSBASE */
	movq	$-1, 64(%r12)         /* limits */
	lea	THREAD(%r12), %rax
	mov	%rax, (%rax)          /* self */
	mov	%r12, 8(%r13)
	movq	$0x1000, 16(%r13)
	movl	$RW_REG, 24(%r13)
	movl	$0x103, 28(%r13)
	mov	$-7, %edi
	mov	%r13, %rsi
	call	ocall
	or	0(%r13), %eax
	jnz	mktcs_out
	lea	accept_tcs(%rip), %rbx
	mov	%r12, %rcx
	mov	$EACCEPT, %eax
	enclu
mktcs_out:
	pop	T_URSP
	pop	%r13
	pop	%r12
	pop	%rbx
	ret

/* ---- ECALLs: rdi is ms ---- */

	.balign 4
table:
	.long	e_empty - table
	.long	e_add - table
	.long	e_ocall - table
	.long	e_fault - table
	.long	e_touch - table
	.long	e_accept - table
	.long	e_spin - table
	.long	e_clobber - table
	.long	e_status - table
	.long	e_shared - table
	.long	e_threads - table
table_end:

e_empty:
	xor	%eax, %eax
	ret
e_add:	/* { a, b, sum } */
	mov	0(%rdi), %rax
	add	8(%rdi), %rax
	mov	%rax, 16(%rdi)
	xor	%eax, %eax
	ret
e_ocall: /* { index, argument, status } */
	push	%rdi
	mov	8(%rdi), %rsi
	mov	0(%rdi), %rdi
	call	ocall
	pop	%rdi
	mov	%rax, 16(%rdi)
	xor	%eax, %eax
	ret
e_fault: /* { mode, exceptions so far } */
	mov	0(%rdi), %rax
	mov	%rax, T_MODE
	ud2
	mov	T_COUNT, %rax
	mov	%rax, 8(%rdi)
	xor	%eax, %eax
	ret
e_touch: /* { mode, address, value } */
	mov	0(%rdi), %rax
	mov	%rax, T_MODE
	mov	8(%rdi), %rcx
	mov	16(%rdi), %rax
	mov	%rax, (%rcx)
	mov	(%rcx), %rdx
	xor	%eax, %eax
	cmp	%rdx, 16(%rdi)
	setne	%al
	ret
e_accept: /* { address, SECINFO.FLAGS, EACCEPT's answer } */
	push	%rbx
	mov	%rsp, %r8
	sub	$64, %rsp
	and	$-64, %rsp
	mov	%rsp, %rbx
	xor	%eax, %eax
	mov	$7, %ecx
1:	mov	%rax, (%rbx, %rcx, 8)
	dec	%ecx
	jns	1b
	mov	8(%rdi), %rax
	mov	%rax, (%rbx)
	mov	0(%rdi), %rcx
	mov	$EACCEPT, %eax
	enclu
	mov	%rax, 16(%rdi)
	mov	%r8, %rsp
	pop	%rbx
	xor	%eax, %eax
	ret
e_spin:	/* { rounds, TCS } */
	mov	T_TCS, %rax
	mov	%rax, 8(%rdi)
	mov	0(%rdi), %rcx
1:	dec	%rcx
	jnz	1b
	xor	%eax, %eax
	ret
e_clobber: /* what the C ABI preserves and a runtime has to: { } */
	sub	$8, %rsp
	movl	$0x7f80, (%rsp)
	ldmxcsr	(%rsp)
	movl	$0x0c7f, (%rsp)
	fldcw	(%rsp)
	add	$8, %rsp
	mov	$-1, %rbx
	mov	%rbx, %rbp
	mov	%rbx, %r12
	mov	%rbx, %r13
	mov	%rbx, %r14
	mov	%rbx, %r15
	std
	xor	%eax, %eax
	ret
e_status: /* { status to give } */
	mov	0(%rdi), %eax
	ret
e_threads: /* { started so far, structure of their OCALL, waiter }: the first is read, the others set */
	lea	raw_code(%rip), %r8
	mov	SHARED + 48(%r8), %rax
	mov	%rax, (%rdi)
	mov	8(%rdi), %rax
	mov	%rax, SHARED + 56(%r8)
	mov	16(%rdi), %rax
	mov	%rax, SHARED + 64(%r8)
	xor	%eax, %eax
	ret
e_shared: /* { five words of the shared page } */
	lea	raw_code(%rip), %r8
	mov	$4, %ecx
1:	mov	SHARED(%r8, %rcx, 8), %rax
	mov	%rax, (%rdi, %rcx, 8)
	dec	%ecx
	jns	1b
	xor	%eax, %eax
	ret

	.balign 64
accept_rw:
	.quad	RW_REG | PENDING, 0, 0, 0, 0, 0, 0, 0
accept_tcs:
	.quad	TCS_MODIFIED, 0, 0, 0, 0, 0, 0, 0
raw_code_end:
	.section .note.GNU-stack, "", @progbits
