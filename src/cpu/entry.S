/*
 * The instructions of the engine that cannot be C: the first and last ones of
 * the signal handler, where FS and GS may be the enclave's; the way into an
 * enclave without a trap; the return from a program's handler.
 */
#include "cpu/engine.h"

#define SYS_rt_sigprocmask 14
#define SYS_rt_sigreturn 15
#define SYS_sigaltstack 131
#define SYS_arch_prctl 158
#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

#define EEXIT 4
#define ERESUME 3
#define EENTER 2
#define EINVAL 22
#define KERNEL_SIGSET 8 /* bytes */

/* struct isa_run */
#define RUN_TCS 0
#define RUN_FUNCTION 8
#define RUN_VECTOR 12
#define RUN_ERROR_CODE 14
#define RUN_ADDRESS 16
#define RUN_HANDLER 24
#define RUN_RESERVED 40
#define RUN_END 256

	.macro function name
	.globl	\name
	.hidden	\name
	.type	\name, @function
	.p2align 4
\name:
	.endm
	.macro place name
	.globl	\name
	.hidden	\name
\name:
	.endm

	.text

/*
 * The handler of every signal that the engine takes. On entry: RDI the signal,
 * RSI the siginfo, RDX the ucontext, RSP the frame; all signals blocked; FS and
 * GS bases as they were at the trap, which is the enclave's if that thread was
 * inside. Until they are the host's again no C may run: it would find another
 * thread pointer, and the stack protector another canary.
 *
 * RBX keeps the frame and R12 the record (0: none): C keeps both.
 */
	function cpu_trap_entry
	.cfi_startproc
	mov	%rsp, %rbx
	.cfi_def_cfa	%rbx, 8
	/* The kernel clears DF and TF for a handler, not AC: an enclave's would fault in C. */
	pushfq
	andl	$~RFLAGS_AC, (%rsp)
	popfq

	/*
	 * Is this the alternate stack of a record? The frame says which stack is
	 * registered. Only if that is where a record would have it is the record
	 * looked at, and only its magic makes it one.
	 */
	mov	%rsp, %r12
	and	$-RECORD_SIZE, %r12
	lea	RECORD_STACK(%r12), %rax
	cmp	%rax, UC_SS_SP(%rdx)
	jne	.Lno_record
	cmpq	$RECORD_STACK_LEN, UC_SS_SIZE(%rdx)
	jne	.Lno_record
	mov	cpu_thread_magic(%rip), %rax
	xor	%r12, %rax
	cmp	%rax, T_MAGIC(%r12)
	jne	.Lno_record

	cmpl	$STATE_INSIDE, T_STATE(%r12)
	jne	.Ltrap
	cmpb	$0, cpu_fsgsbase(%rip)
	je	.Lhost_bases_slow
	rdfsbase %rax
	mov	%rax, T_FS(%r12)
	rdgsbase %rax
	mov	%rax, T_GS(%r12)
	mov	T_HOST_FS(%r12), %rax
	wrfsbase %rax
	mov	T_HOST_GS(%r12), %rax
	wrgsbase %rax

.Ltrap:
	mov	%rbx, %rdi
	mov	%r12, %rsi
	sub	$8, %rsp		/* the frame lies 8 below a multiple of 16 */
	call	cpu_trap
	cmp	$VERDICT_HANDLER, %rax
	je	.Lcall_handler
	cmp	$VERDICT_ENCLAVE, %rax
	jne	.Lsigreturn

	/* Back into the enclave. No signal can come before rt_sigreturn restores the mask. */
	cmpb	$0, cpu_fsgsbase(%rip)
	je	.Lenclave_bases_slow
	mov	T_FS(%r12), %rax
	wrfsbase %rax
	mov	T_GS(%r12), %rax
	wrgsbase %rax
.Lsigreturn:
	lea	FRAME_UC(%rbx), %rsp	/* as if the handler had returned */
	mov	$SYS_rt_sigreturn, %eax
	syscall
	ud2

.Lno_record:
	xor	%r12d, %r12d
	jmp	.Ltrap

	/* A thread without a record: its frame is where the program's handler expects it. */
.Lcall_handler:
	mov	FRAME_INFO(%rbx), %edi
	lea	FRAME_INFO(%rbx), %rsi
	mov	%rdx, %rcx
	lea	FRAME_UC(%rbx), %rdx
	mov	%rbx, %rsp
	xor	%eax, %eax
	jmp	*%rcx

	/* The same where the kernel or the CPU lacks FSGSBASE. */
	.macro	arch_prctl code
	mov	$\code, %edi
	mov	$SYS_arch_prctl, %eax
	syscall
	.endm
.Lhost_bases_slow:
	lea	T_FS(%r12), %rsi
	arch_prctl ARCH_GET_FS
	lea	T_GS(%r12), %rsi
	arch_prctl ARCH_GET_GS
	mov	T_HOST_FS(%r12), %rsi
	arch_prctl ARCH_SET_FS
	mov	T_HOST_GS(%r12), %rsi
	arch_prctl ARCH_SET_GS
	jmp	.Ltrap
.Lenclave_bases_slow:
	mov	T_FS(%r12), %rsi
	arch_prctl ARCH_SET_FS
	mov	T_GS(%r12), %rsi
	arch_prctl ARCH_SET_GS
	jmp	.Lsigreturn
	.cfi_endproc
	.size	cpu_trap_entry, . - cpu_trap_entry

/*
 * Where a program's handler returns to: RSP is its ucontext. Everything may be
 * changed here, since rt_sigreturn loads all of it. The unwind information
 * describes a signal frame: each register at its place in the ucontext.
 */
#define MC(reg) (UC_MCONTEXT + (reg))
	/* The value of this register was saved at RSP (RBX) + off. */
	.macro	saved_at dwarf, base, off
	.cfi_escape 0x10, \dwarf, 3, 0x70 + \base, ((\off) & 0x7f) | 0x80, (\off) >> 7
	.endm
	.macro	saved_context base
	.cfi_escape 0x0f, 4, 0x70 + \base, (MC(120) & 0x7f) | 0x80, MC(120) >> 7, 0x06
	saved_at 0, \base, MC(104)	/* rax */
	saved_at 1, \base, MC(96)	/* rdx */
	saved_at 2, \base, MC(112)	/* rcx */
	saved_at 3, \base, MC(88)	/* rbx */
	saved_at 4, \base, MC(72)	/* rsi */
	saved_at 5, \base, MC(64)	/* rdi */
	saved_at 6, \base, MC(80)	/* rbp */
	saved_at 7, \base, MC(120)	/* rsp */
	saved_at 8, \base, MC(0)
	saved_at 9, \base, MC(8)
	saved_at 10, \base, MC(16)
	saved_at 11, \base, MC(24)
	saved_at 12, \base, MC(32)
	saved_at 13, \base, MC(40)
	saved_at 14, \base, MC(48)
	saved_at 15, \base, MC(56)
	saved_at 16, \base, MC(128)	/* rip */
	.endm

	.p2align 4
	.cfi_startproc
	.cfi_signal_frame
	saved_context 7
	nop			/* unwinders look up the address before a return address */
	.globl	cpu_handler_restorer
	.hidden	cpu_handler_restorer
	.type	cpu_handler_restorer, @function
cpu_handler_restorer:
	mov	%rsp, %rbx
	saved_context 3
	mov	%rsp, %rdi
	and	$-16, %rsp
	call	cpu_handler_return
	mov	%rbx, %rsp
	mov	$SYS_rt_sigreturn, %eax
	syscall
	ud2
	.cfi_endproc
	.size	cpu_handler_restorer, . - cpu_handler_restorer

/*
 * int cpu_enter_enclave(rdi, rsi, rdx, ecx = leaf, r8, r9, run on the stack)
 *
 * The frame: 16(%rbp) run, 8(%rbp) return address, 0(%rbp) the caller's RBP,
 * -8(%rbp) to -40(%rbp) its RBX and R12 to R15, below that a struct cpu_entry.
 * The kernel's function leaves R12 to R15 as they are after an exit, which is
 * zero after an exception; giving them back makes this one callable from C.
 * RSP belongs to the enclave from here on: what it pushed on this stack before an EEXIT is still there at
 * the next entry. RBP is ours at every exit, since the enclave must bring it
 * back on EEXIT, and an AEX does (SDM 40.3, URBP).
 */
	.globl	cpu_enter_enclave
	.hidden	cpu_enter_enclave
	.type	cpu_enter_enclave, @function
	.p2align 4
cpu_enter_enclave:
	.cfi_startproc
	push	%rbp
	.cfi_def_cfa	%rsp, 16
	.cfi_offset	%rbp, -16
	mov	%rsp, %rbp
	.cfi_def_cfa	%rbp, 16
	push	%rbx
	.cfi_offset	%rbx, -24
	push	%r12
	.cfi_offset	%r12, -32
	push	%r13
	.cfi_offset	%r13, -40
	push	%r14
	.cfi_offset	%r14, -48
	push	%r15
	.cfi_offset	%r15, -56
	sub	$ENTRY_SIZE, %rsp
	mov	%ecx, %eax

.Lenter:
	lea	-EENTER(%rax), %ecx
	cmp	$(ERESUME - EENTER), %ecx
	ja	.Linvalid
	mov	16(%rbp), %rcx
	mov	$RUN_RESERVED, %ebx
1:	cmpq	$0, (%rcx, %rbx)
	jne	.Linvalid
	add	$8, %ebx
	cmp	$RUN_END, %ebx
	jne	1b
	mov	RUN_TCS(%rcx), %rbx
	cmp	$ERESUME, %eax
	je	.Lexecute

	/*
	 * EENTER. The CPU leaves the general registers to the enclave as they
	 * are; those that C may change wait in the entry.
	 */
	mov	%rdi, ENTRY_AT + E_RDI(%rbp)
	mov	%rsi, ENTRY_AT + E_RSI(%rbp)
	mov	%rdx, ENTRY_AT + E_RDX(%rbp)
	mov	%r8, ENTRY_AT + E_R8(%rbp)
	mov	%r9, ENTRY_AT + E_R9(%rbp)
	mov	%r10, ENTRY_AT + E_R10(%rbp)
	mov	%r11, ENTRY_AT + E_R11(%rbp)
	mov	%rsp, ENTRY_AT + E_RSP(%rbp)
	mov	%rbx, ENTRY_AT + E_RBX(%rbp)
	lea	ENTRY_AT(%rbp), %rdi
	pushfq
	pop	%rsi
	and	$-16, %rsp
	call	cpu_enter_fast
	test	%eax, %eax
	jnz	.Lnot_fast

	/*
	 * The window. cpu_enter_fast has done what EENTER does to TCS and
	 * processor; what is left is to load registers and jump. A signal that
	 * finds RIP in the window finds the thread inside the enclave, before its
	 * first instruction: the handler takes all registers from the entry, which
	 * nothing here changes, as if the jump had been made. So no instruction of
	 * the window has to be repeated or undone. Not from the entry but as found:
	 * RBP and R12 to R15, which C keeps and the window does not touch.
	 *
	 *   the first store    up to here signals are put off (STATE_ENTERING)
	 *   the comparison     one was: have it delivered now, as an AEX
	 *   wrfsbase, wrgsbase bases the enclave's from here; the handler restores
	 *                      the host's whenever it finds STATE_INSIDE
	 *   the loads          from the entry
	 *   the jump           through the entry: no register is free
	 */
	place cpu_window
	mov	ENTRY_AT + E_THREAD(%rbp), %rax
	movl	$STATE_INSIDE, T_STATE(%rax)
	cmpl	$0, T_DEFERRED(%rax)
	jne	cpu_window_deferred
	mov	ENTRY_AT + E_FS(%rbp), %rax
	wrfsbase %rax
	mov	ENTRY_AT + E_GS(%rbp), %rax
	wrgsbase %rax
	mov	ENTRY_AT + E_RDI(%rbp), %rdi
	mov	ENTRY_AT + E_RSI(%rbp), %rsi
	mov	ENTRY_AT + E_RDX(%rbp), %rdx
	mov	ENTRY_AT + E_R8(%rbp), %r8
	mov	ENTRY_AT + E_R9(%rbp), %r9
	mov	ENTRY_AT + E_R10(%rbp), %r10
	mov	ENTRY_AT + E_R11(%rbp), %r11
	mov	ENTRY_AT + E_RAX(%rbp), %rax
	mov	ENTRY_AT + E_RBX(%rbp), %rbx
	mov	ENTRY_AT + E_RCX(%rbp), %rcx
	mov	ENTRY_AT + E_RSP(%rbp), %rsp
	jmp	*(ENTRY_AT + E_RIP)(%rbp)
	place cpu_window_deferred
	ud2			/* a trap in the window: see above */
	place cpu_window_end

	/* By the instruction, then: first entry in vain, a fault to come, TF set. */
.Lnot_fast:
	mov	ENTRY_AT + E_RDI(%rbp), %rdi
	mov	ENTRY_AT + E_RSI(%rbp), %rsi
	mov	ENTRY_AT + E_RDX(%rbp), %rdx
	mov	ENTRY_AT + E_R8(%rbp), %r8
	mov	ENTRY_AT + E_R9(%rbp), %r9
	mov	ENTRY_AT + E_R10(%rbp), %r10
	mov	ENTRY_AT + E_R11(%rbp), %r11
	mov	ENTRY_AT + E_RSP(%rbp), %rsp
	mov	$EENTER, %eax
.Lexecute:
	lea	cpu_aep(%rip), %rcx

	/* Both the entry by instruction and the AEP: after an AEX, RAX is ERESUME. */
	place cpu_aep
	.byte	0x0f, 0x01, 0xd7	/* enclu */

	/* EEXIT leads here: RCX at entry is the address after ENCLU. */
	cld
	mov	16(%rbp), %rbx
	movl	$EEXIT, RUN_FUNCTION(%rbx)
.Lexited:
	mov	RUN_HANDLER(%rbx), %r10
	test	%r10, %r10
	jnz	.Lhandler
	xor	%eax, %eax
.Lout:
	mov	-8(%rbp), %rbx
	mov	-16(%rbp), %r12
	mov	-24(%rbp), %r13
	mov	-32(%rbp), %r14
	mov	-40(%rbp), %r15
	leave
	.cfi_remember_state
	.cfi_def_cfa	%rsp, 8
	.cfi_restore	%rbp
	.cfi_restore	%rbx
	.cfi_restore	%r12
	.cfi_restore	%r13
	.cfi_restore	%r14
	.cfi_restore	%r15
	ret
	.cfi_restore_state

.Linvalid:
	mov	$-EINVAL, %eax
	jmp	.Lout

	/* An exception: RAX the leaf, RDI the vector, RSI the error code, RDX the address. */
	place cpu_aep_fixup
	mov	16(%rbp), %rbx
	mov	%eax, RUN_FUNCTION(%rbx)
	mov	%di, RUN_VECTOR(%rbx)
	mov	%si, RUN_ERROR_CODE(%rbx)
	mov	%rdx, RUN_ADDRESS(%rbx)
	jmp	.Lexited

	/*
	 * handler(rdi, rsi, rdx, rsp, r8, r9, run), on the enclave's own untrusted
	 * stack, below what it left there; RBX keeps that stack pointer.
	 */
.Lhandler:
	mov	%rsp, %rcx
	mov	%rbx, %rax
	mov	%rsp, %rbx
	and	$-16, %rsp
	push	%rax		/* alignment */
	push	%rax		/* run */
	call	*%r10
	mov	%rbx, %rsp
	test	%eax, %eax
	jle	.Lout
	jmp	.Lenter
	.cfi_endproc
	.size	cpu_enter_enclave, . - cpu_enter_enclave

/*
 * void cpu_entry_begin(struct cpu_thread *t, const uint64_t *block, uint64_t *before)
 *
 * Block the C library's signals, and only then be STATE_ENTERING: with them
 * unblocked, a cancellation would take the thread away from here with a state
 * in which its signals are put off. The other way round a signal may come
 * between the two. The handler then gives back the mask from before and has the
 * call made again: the program's handler, which need not return, finds nothing
 * changed.
 */
	function cpu_entry_begin
	.cfi_startproc
	mov	%rdi, %r8
	xor	%edi, %edi		/* SIG_BLOCK */
	mov	$KERNEL_SIGSET, %r10d
	place cpu_entry_again
	mov	$SYS_rt_sigprocmask, %eax
	syscall
	place cpu_entry_blocked
	movl	$STATE_ENTERING, T_STATE(%r8)
	ret
	.cfi_endproc
	.size	cpu_entry_begin, . - cpu_entry_begin

/* void cpu_raise_deferred(void): trap; the handler steps over the instruction. */
	function cpu_raise_deferred
	.cfi_startproc
	place cpu_raised_here
	ud2
	ret
	.cfi_endproc
	.size	cpu_raise_deferred, . - cpu_raise_deferred

/*
 * size_t cpu_copy_guarded(void *to, const void *from, size_t n): a fault at its
 * one access to memory ends it; the bytes that are left are its result.
 */
	function cpu_copy_guarded
	.cfi_startproc
	mov	%rdx, %rcx
	place cpu_copy_here
	rep movsb
	place cpu_copy_failed
	mov	%rcx, %rax
	ret
	.cfi_endproc
	.size	cpu_copy_guarded, . - cpu_copy_guarded

/*
 * long cpu_altstack_from(uint64_t from, const struct cpu_altstack *ss)
 *
 * The kernel refuses to change the alternate stack of a thread that runs on
 * it, going by the stack pointer alone.
 */
	function cpu_altstack_from
	.cfi_startproc
	mov	%rsp, %r10
	.cfi_def_cfa_register %r10
	mov	%rdi, %rsp
	mov	%rsi, %rdi
	xor	%esi, %esi
	mov	$SYS_sigaltstack, %eax
	syscall
	mov	%r10, %rsp
	.cfi_def_cfa_register %rsp
	ret
	.cfi_endproc
	.size	cpu_altstack_from, . - cpu_altstack_from

	.section .note.GNU-stack, "", @progbits
