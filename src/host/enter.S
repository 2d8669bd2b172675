/*
 * The way into an enclave and back, over __vdso_sgx_enter_enclave or whatever
 * behaves like it. That function keeps rsp, rbp and rbx; everything else is
 * the enclave's to destroy, so the other registers that the C ABI preserves
 * are kept here, MXCSR and the x87 control word among them.
 */
#define CALL_MXCSR 256 /* of struct host_call, which begins with its run */
#define CALL_FCW 260
#define EENTER 2

	.text
	.globl host_enter, host_exited
	.hidden host_enter, host_exited, host_dispatch

/*
 * int host_enter(enter rdi, command rsi, ms rdx, call rcx)
 * Calls enter(command, ms, 0, EENTER, 0, 0, run) with run on the stack.
 */
	.type host_enter, @function
	.balign 16
host_enter:
	.cfi_startproc
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	mov	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	.cfi_rel_offset %rbx, -8
	.cfi_rel_offset %r12, -16
	.cfi_rel_offset %r13, -24
	.cfi_rel_offset %r14, -32
	.cfi_rel_offset %r15, -40
	sub	$24, %rsp
	stmxcsr	CALL_MXCSR(%rcx)
	fnstcw	CALL_FCW(%rcx)
	mov	%rcx, (%rsp)
	mov	%rdi, %rax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	xor	%edx, %edx
	mov	$EENTER, %ecx
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	call	*%rax
	mov	(%rsp), %rcx
	ldmxcsr	CALL_MXCSR(%rcx)
	fldcw	CALL_FCW(%rcx)
	mov	-40(%rbp), %r15
	mov	-32(%rbp), %r14
	mov	-24(%rbp), %r13
	mov	-16(%rbp), %r12
	mov	-8(%rbp), %rbx
	leave
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
	.size host_enter, . - host_enter

/*
 * int host_exited(rdi, rsi, rdx, rsp at exit, r8, r9, run on the stack)
 * The handler after every exit. The enclave's frames lie above on this stack
 * and stay; host_dispatch says which leaf is next and with what in rdi, rsi.
 */
	.type host_exited, @function
	.balign 16
host_exited:
	.cfi_startproc
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	mov	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	mov	16(%rbp), %rdx
	ldmxcsr	CALL_MXCSR(%rdx)
	fldcw	CALL_FCW(%rdx)
	call	host_dispatch
	mov	%rax, %rdi
	sar	$32, %rdi
	mov	%rdx, %rsi
	xor	%edx, %edx
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	pop	%rbp
	.cfi_def_cfa %rsp, 8
	ret
	.cfi_endproc
	.size host_exited, . - host_exited

	.section .note.GNU-stack, "", @progbits
