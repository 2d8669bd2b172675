/*
 * entry.S: the only way in and the only ways out.
 *
 * The whole of it lies between runtime_boundary_start and _end. Here the
 * registers are partly the host's, so a fault inside is never handled
 * (fault.c): that is what makes re-entry in the middle of a stack switch
 * harmless, whatever RSP the host had chosen.
 *
 * Untrusted loads are none, except what the host passed in registers. Every
 * path fences after it has chosen its stack and before it uses it, so that
 * neither a mispredicted branch nor an injected load value (LVI) runs with
 * another one.
 */
#include "runtime/abi.h"

#define ENCLU .byte 0x0f, 0x01, 0xd7
#define EEXIT 4

	.section .rodata
	.balign 64
/*
 * XRSTOR from here, under XFRM, puts all extended state into its initial
 * configuration: XSTATE_BV and XCOMP_BV are zero. Only MXCSR is loaded as it
 * stands: all exceptions masked, and flagged, which makes the time of SIMD
 * instructions independent of whether they raise one (Intel's guidance on
 * MXCSR configuration dependent timing). FCW becomes 0x37f.
 */
clean_state:
	.fill 24, 1, 0
	.long 0x1fbf
	.fill 576 - 28, 1, 0

/* Clobbers RAX and RDX. */
.macro CLEAN_EXTENDED_STATE
	movl	runtime_xfrm(%rip), %eax
	movl	runtime_xfrm+4(%rip), %edx
	xrstor64 clean_state(%rip)
.endm

/* What the enclave leaves in general registers and flags, ahead of EEXIT: nothing. */
.macro CLEAN_AND_EEXIT
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	xorl	%r12d, %r12d
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d
	cld
	movl	$EEXIT, %eax
	lfence
	ENCLU
	ud2
.endm

	.section .text.boundary, "ax", @progbits
	.balign 64
	.globl	runtime_boundary_start
	.hidden	runtime_boundary_start
runtime_boundary_start:

/*
 * enclave_entry: TCS.OENTRY. From the CPU: RAX = CSSA, RBX = TCS, RCX = the
 * instruction after EENTER, FS and GS bases = the thread's page. From the
 * host: RDI = command, RSI = its argument, RSP and RBP = the host's stack,
 * all else of no meaning.
 */
	.globl	enclave_entry
	.type	enclave_entry, @function
enclave_entry:
	cld
	xorl	%edx, %edx
	xorl	%r10d, %r10d
	xorl	%r11d, %r11d
	xorl	%r12d, %r12d
	xorl	%r13d, %r13d
	xorl	%r14d, %r14d
	xorl	%r15d, %r15d
	/*
	 * The stack: the top page if something was interrupted (CSSA > 0);
	 * below the newest OCALL if one is pending; else the thread's own.
	 */
	movq	bawn_enclave_layout+L_STACK_TOP(%rip), %r8
	addq	%rbx, %r8
	testq	%rax, %rax
	jnz	1f
	leaq	-FAULT_STACK(%r8), %r8
	movq	%fs:T_OCALL, %r9
	testq	%r9, %r9
	cmovnzq	%r9, %r8
1:	movq	%rsp, %r9
	lfence
	movq	%r8, %rsp

	/* struct runtime_entry */
	subq	$(E_SIZE - E_MXCSR), %rsp
	pushq	%r9
	pushq	%rbp
	pushq	%rcx
	pushq	%rax
	pushq	%rbx
	pushq	%rsi
	pushq	%rdi
	movq	$0, E_MXCSR(%rsp)
	stmxcsr	E_MXCSR(%rsp)
	fnstcw	E_FCW(%rsp)
	/* Status flags, DF, AC, TF and NT to zero (IF is not ours to change). */
	pushq	$2
	popfq
	movq	%rsp, %rbp
	movq	%rsp, %rdi
	CLEAN_EXTENDED_STATE
	xorl	%eax, %eax
	xorl	%ebx, %ebx
	xorl	%ecx, %ecx
	xorl	%edx, %edx
	xorl	%esi, %esi
	xorl	%r8d, %r8d
	xorl	%r9d, %r9d
	lfence
	call	runtime_enter

	/* Back to the host with the status, and its own stack and control words. */
	movl	%eax, %esi
	CLEAN_EXTENDED_STATE
	ldmxcsr	E_MXCSR(%rbp)
	fldcw	E_FCW(%rbp)
	movq	$EXIT_RETURN, %rdi
	movq	E_RETURN(%rbp), %rbx
	movq	E_URSP(%rbp), %rsp
	movq	E_URBP(%rbp), %rbp
	CLEAN_AND_EEXIT
	.size	enclave_entry, . - enclave_entry

/*
 * uint32_t runtime_ocall_exit(uint64_t index, uint64_t args, uint64_t host_sp)
 *
 * Saves what the System V ABI lets a callee keep, as a struct
 * runtime_ocall_frame, and leaves for the host: RDI = index, RSI = args,
 * RSP = host_sp, RBP as the host's at the ECALL.
 */
	.globl	runtime_ocall_exit
	.hidden	runtime_ocall_exit
	.type	runtime_ocall_exit, @function
runtime_ocall_exit:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	subq	$O_SIZE, %rsp
	movq	%fs:T_OCALL, %rax
	movq	%rax, O_PREVIOUS(%rsp)
	movq	%fs:T_ENTRY, %r12
	movq	%r12, O_ENTRY(%rsp)
	stmxcsr	O_MXCSR(%rsp)
	fnstcw	O_FCW(%rsp)
	movq	%rsp, %fs:T_OCALL
	movq	%rdx, %r8
	CLEAN_EXTENDED_STATE
	ldmxcsr	E_MXCSR(%r12)
	fldcw	E_FCW(%r12)
	movq	E_RETURN(%r12), %rbx
	movq	E_URBP(%r12), %rbp
	movq	%r8, %rsp
	CLEAN_AND_EEXIT
	.size	runtime_ocall_exit, . - runtime_ocall_exit

/*
 * _Noreturn void runtime_ocall_resume(struct runtime_ocall_frame *f, uint64_t status)
 *
 * The host came back: runtime_ocall_exit returns. The stack of the entry that
 * brought the news lies below the frame and is abandoned.
 */
	.globl	runtime_ocall_resume
	.hidden	runtime_ocall_resume
	.type	runtime_ocall_resume, @function
runtime_ocall_resume:
	movq	%rdi, %rsp
	movq	O_PREVIOUS(%rsp), %rax
	movq	%rax, %fs:T_OCALL
	movq	O_ENTRY(%rsp), %rax
	movq	%rax, %fs:T_ENTRY
	ldmxcsr	O_MXCSR(%rsp)
	fldcw	O_FCW(%rsp)
	addq	$O_SIZE, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	movl	%esi, %eax
	shlq	$0, (%rsp)
	lfence
	ret
	.size	runtime_ocall_resume, . - runtime_ocall_resume

/*
 * Phase 2 of a fault. ERESUME has put us here instead of at the interrupted
 * code: RDI = struct bawn_fault, RSI = its XSAVE area (header zeroed), RSP
 * aligned below both, extended state as it was at the fault.
 */
	.globl	runtime_fault_second
	.hidden	runtime_fault_second
	.type	runtime_fault_second, @function
runtime_fault_second:
	movq	%rdi, %rbx
	movq	%rsi, %rbp
	movl	runtime_xfrm(%rip), %eax
	movl	runtime_xfrm+4(%rip), %edx
	xsave64	(%rbp)
	xrstor64 clean_state(%rip)
	call	runtime_fault_call
	testb	%al, %al
	jnz	1f
	call	bawn_abort
1:
	movl	runtime_xfrm(%rip), %eax
	movl	runtime_xfrm+4(%rip), %edx
	xrstor64 (%rbp)
	/* RIP and RFLAGS below the red zone, from where one RET skips it. */
	movq	F_RSP(%rbx), %rax
	movq	F_RFLAGS(%rbx), %rcx
	movq	%rcx, -RESUME_GAP(%rax)
	movq	F_RIP(%rbx), %rcx
	movq	%rcx, -RESUME_GAP+8(%rax)
	movq	%rbx, %rdi
	movq	0x00(%rdi), %rax
	movq	0x08(%rdi), %rcx
	movq	0x10(%rdi), %rdx
	movq	0x18(%rdi), %rbx
	movq	0x28(%rdi), %rbp
	movq	0x30(%rdi), %rsi
	movq	0x40(%rdi), %r8
	movq	0x48(%rdi), %r9
	movq	0x50(%rdi), %r10
	movq	0x58(%rdi), %r11
	movq	0x60(%rdi), %r12
	movq	0x68(%rdi), %r13
	movq	0x70(%rdi), %r14
	movq	0x78(%rdi), %r15
	movq	F_RSP(%rdi), %rsp
	leaq	-RESUME_GAP(%rsp), %rsp
	movq	F_RDI(%rdi), %rdi
	popfq
	ret	$RED_ZONE
	.size	runtime_fault_second, . - runtime_fault_second

	.globl	runtime_boundary_end
	.hidden	runtime_boundary_end
runtime_boundary_end:

/* ---- leaf functions inside the enclave; their faults are fault.c's to see ---- */

	.text
/*
 * uint32_t runtime_ereport(const void *target, const void *data, void *report)
 * A TARGETINFO that the CPU does not take faults; fault.c then steps over the
 * instruction with CF set. EREPORT itself leaves the flags alone.
 */
	.globl	runtime_ereport, runtime_ereport_insn
	.hidden	runtime_ereport, runtime_ereport_insn
	.type	runtime_ereport, @function
runtime_ereport:
	pushq	%rbx
	movq	%rdi, %rbx
	movq	%rsi, %rcx
	xorl	%eax, %eax
	clc
runtime_ereport_insn:
	ENCLU
	setc	%al
	movzbl	%al, %eax
	popq	%rbx
	ret
	.size	runtime_ereport, . - runtime_ereport

/* uint32_t runtime_egetkey(const void *request, void *key): ZF tells failure, RAX then which. */
	.globl	runtime_egetkey
	.hidden	runtime_egetkey
	.type	runtime_egetkey, @function
runtime_egetkey:
	pushq	%rbx
	movq	%rdi, %rbx
	movq	%rsi, %rcx
	movl	$1, %eax
	ENCLU
	jz	1f
	xorl	%eax, %eax
1:	popq	%rbx
	ret
	.size	runtime_egetkey, . - runtime_egetkey

/* Where `bawn sign` puts the metadata: room for it, in the note that loaders look for. */
	.section .note.sgxmeta, "", @note
	.balign 4
	.long	1f - 0f
	.long	2f - 1f
	.long	1
0:	.asciz	"sgx_metadata"
1:	.fill	0x3000, 1, 0
2:	.balign 4

	.section .note.GNU-stack, "", @progbits
