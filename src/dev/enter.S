/*
 * dev_signal_enter(rdi, rsi, rdx, leaf, r8, r9, run): the kernel's
 * __vdso_sgx_enter_enclave (arch/x86/entry/vdso/vsgx.S is the model of its
 * behaviour) for kernels that have none. Faults at the ENCLU, which is both
 * where EENTER and ERESUME execute and where asynchronous exits lead, come
 * back through the signal handler in signal_enter.c, which sets
 *
 *	rip = dev_signal_fixup, rdi = vector, rsi = error code, rdx = address
 *
 * and leaves rax, the leaf. Frame: 0x10(%rbp) is run, -8(%rbp) the caller's rbx.
 * Register contents other than rax, rbx, rcx pass through to the enclave.
 */
#define RUN_TCS 0
#define RUN_FUNCTION 8
#define RUN_VECTOR 12
#define RUN_ERROR 14
#define RUN_ADDRESS 16
#define RUN_HANDLER 24
#define RUN_RESERVED 40
#define RUN_END 256
#define EENTER 2
#define ERESUME 3
#define EEXIT 4
#define EINVAL 22

	.text
	.globl dev_signal_enter, dev_signal_enclu, dev_signal_fixup
	.hidden dev_signal_enter, dev_signal_enclu, dev_signal_fixup
	.type dev_signal_enter, @function
	.balign 16
dev_signal_enter:
	.cfi_startproc
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	mov	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	push	%rbx
	.cfi_rel_offset %rbx, -8
	mov	%ecx, %eax
.Lenter:
	cmp	$EENTER, %eax
	jb	.Linvalid
	cmp	$ERESUME, %eax
	ja	.Linvalid
	mov	0x10(%rbp), %rbx
	mov	$RUN_RESERVED, %ecx
1:	cmpq	$0, (%rbx, %rcx)
	jne	.Linvalid
	add	$8, %ecx
	cmp	$RUN_END, %ecx
	jb	1b
	mov	RUN_TCS(%rbx), %rbx
	lea	dev_signal_enclu(%rip), %rcx
dev_signal_enclu:
	enclu
	mov	0x10(%rbp), %rbx
	movl	$EEXIT, RUN_FUNCTION(%rbx)
.Lexited:
	cmpq	$0, RUN_HANDLER(%rbx)
	jne	.Lhandler
	xor	%eax, %eax
.Lout:
	cld
	mov	-8(%rbp), %rbx
	leave
	.cfi_remember_state
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_restore_state
.Linvalid:
	mov	$-EINVAL, %eax
	jmp	.Lout
dev_signal_fixup:
	mov	0x10(%rbp), %rbx
	mov	%eax, RUN_FUNCTION(%rbx)
	mov	%di, RUN_VECTOR(%rbx)
	mov	%si, RUN_ERROR(%rbx)
	mov	%rdx, RUN_ADDRESS(%rbx)
	jmp	.Lexited
.Lhandler:
	/* rcx: RSP at exit. The enclave may have moved it: its frames there must survive. */
	mov	%rsp, %rcx
	mov	%rbx, %rax
	mov	%rsp, %rbx
	and	$0xf, %rbx
	and	$-0x10, %rsp
	push	%rax
	push	%rax
	cld
	call	*RUN_HANDLER(%rax)
	lea	0x10(%rsp, %rbx), %rsp
	test	%eax, %eax
	jg	.Lenter
	jmp	.Lout
	.cfi_endproc
	.size dev_signal_enter, . - dev_signal_enter

	.section .note.GNU-stack, "", @progbits
