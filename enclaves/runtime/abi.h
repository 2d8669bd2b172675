/*
 * Numbers that entry.S and the C files share: the commands of the entry ABI
 * and offsets into the structures of runtime.h, which asserts them.
 */
#ifndef RUNTIME_ABI_H
#define RUNTIME_ABI_H

/* RDI at EENTER: an ECALL's index if >= 0 (doc/ENCLAVE-KIT.md, "Entry and exit"). */
#define CMD_INIT -1
#define CMD_ORET -2
#define CMD_EXCEPT -3
#define CMD_UNINIT -5

/* RDI at EEXIT: an OCALL's index, or this. */
#define EXIT_RETURN -1

/*
 * The top of each trusted stack is set aside for the first phase of a fault,
 * which runs on top of whatever the interrupted code was doing.
 */
#define FAULT_STACK 4096

/* struct runtime_thread, at the FS base. The canary's place is the compiler's. */
#define T_SELF 0x00
#define T_OCALL 0x08
#define T_ENTRY 0x10
#define T_CANARY 0x28

/* struct runtime_entry */
#define E_COMMAND 0
#define E_ARGUMENT 8
#define E_TCS 16
#define E_CSSA 24
#define E_RETURN 32
#define E_URBP 40
#define E_URSP 48
#define E_MXCSR 56
#define E_FCW 60
#define E_SIZE 64

/* struct runtime_ocall_frame, up to the registers that runtime_ocall_exit pushes */
#define O_PREVIOUS 0
#define O_ENTRY 8
#define O_MXCSR 16
#define O_FCW 20
#define O_SIZE 24

/* struct bawn_fault */
#define F_RSP 0x20
#define F_RDI 0x38
#define F_RFLAGS 0x80
#define F_RIP 0x88

/* struct isa_enclave_layout */
#define L_STACK_TOP 0x50

/*
 * Below the stack pointer of interrupted code: the red zone (System V ABI,
 * 3.2.2), and two words from which runtime_fault_second resumes.
 */
#define RED_ZONE 128
#define RESUME_GAP (RED_ZONE + 16)

#endif
