/*
 * The enclave of the engine's tests and of those of the preload: position-
 * independent code of one page (kit_enclave.c), its commands, and where its
 * pages are. Needs no header of the project: programs that know only the
 * kernel's interface include it too.
 */
#ifndef KIT_ENCLAVE_H
#define KIT_ENCLAVE_H

extern const unsigned char kit_code[], kit_code_end[];

/* RDI selects; RSI, RDX, R8, R9 are arguments; EEXIT with RDI, RSI, RDX as answers. */
enum kit_command {
	KIT_ADD,       /* RDI := RSI + RDX, RSI := CSSA, RDX := RSP */
	KIT_SPIN,      /* RSI rounds of arithmetic from RDX; RDI := the result */
	KIT_UD2,       /* and then RDI := RSI */
	KIT_GP,        /* a load from a non-canonical address; RDI := RSI */
	KIT_DE,        /* division by zero; RDI := RSI */
	KIT_INT3,      /* RDI := RSI */
	KIT_TF,        /* POPF with TF, some instructions; RDI := TF seen in RFLAGS */
	KIT_READ,      /* RDI := the 8 bytes at RSI */
	KIT_WRITE,     /* the 8 bytes at RSI := RDX */
	KIT_JUMP,      /* jump to RSI */
	KIT_AC,        /* AC set, 8 bytes read at RSI, AC clear; RDI := what was read */
	KIT_BASES,     /* RDI := 8 bytes at FS:0, RSI := at GS:8 */
	KIT_OCALL,     /* RSI pushed on the untrusted stack, EEXIT with RDI = -1 below it */
	KIT_ORET,      /* from there: RDI := what was pushed plus RSI, and out */
	KIT_DF,        /* RSI rounds with DF set; RDI := DF still set */
	KIT_VECTORS,   /* YMM0 to 15 filled from RSI, RDX rounds; RDI := registers that changed */
	KIT_CPUID,     /* leaf RSI; RDI := EBX */
	KIT_ENCLU,     /* leaf RSI, RBX = RDX, RCX = R8, RDX = R9; RDI := RAX */
	KIT_MF,        /* an unmasked x87 division by zero */
	KIT_XM,        /* the same in SSE */
	KIT_IN,        /* port input */
	KIT_SET_BASES, /* WRFSBASE RSI, WRGSBASE RDX, RSI rounds; RDI, RSI := the bases */
	KIT_XMM,       /* as KIT_VECTORS, with XMM registers */
	KIT_ZMM,       /* and with ZMM registers */
	KIT_REGISTERS, /* all general registers filled from RSI, RDX rounds; RDI := changed ones */
	KIT_NEST,      /* EEXIT with RDI = -2, RSI as it was: the handler may enter again */
	KIT_SYSCALL,   /* system call RSI without arguments; RDI := its result */
};

#define KIT_SIZE 0x80000u
#define KIT_TCSS 8u
#define KIT_SSA_FRAMES 3u
/* Offsets. Code; data; read-only; one that may be anything; nothing; TCSs from KIT_TCS. */
#define KIT_CODE 0x0u
#define KIT_DATA 0x1000u
#define KIT_RODATA 0x2000u
#define KIT_RWX 0x3000u
#define KIT_ABSENT 0x8000u
#define KIT_TCS 0x10000u
#define KIT_STRIDE 0x8000u /* TCS, SSA frames (one page each), TLS at + 0x7000 */

#endif
