/*
 * runtime: the inside of the enclave kit. Entry and dispatch, threads, the
 * boundary, faults, and the pieces behind bawn_enclave.h.
 *
 * What runs before INIT has applied the relocations (enter.c, start.c and
 * what they call) uses no pointer that needs one. What is on the stack while
 * a thread gets its canary (enter.c, start.c, thread.c) is built without
 * stack protector.
 */
#ifndef RUNTIME_H
#define RUNTIME_H

#include "bawn_enclave.h"
#include "isa/isa.h"
#include "runtime/abi.h"

/* Also what other files and the linker script define: a GOT would need relocation first. */
#pragma GCC visibility push(hidden)

/* The image and its tables, from enclave.lds. */
extern const uint8_t runtime_image[];
extern const uint8_t runtime_rela_start[], runtime_rela_end[];
extern const uint8_t runtime_tls_start[], runtime_tls_data_end[], runtime_tls_end[];

/* ---- what signing the enclave fills in (doc/ENCLAVE-FORMAT.md) ---- */

extern const struct isa_enclave_layout bawn_enclave_layout
	__attribute__((visibility("default")));

/* The layout as patched: the compiler must not believe the initialiser. */
static inline const struct isa_enclave_layout *runtime_layout(void)
{
	const struct isa_enclave_layout *p = &bawn_enclave_layout;

	__asm__("" : "+r"(p));
	return p;
}

/* ---- threads ---- */

/* What entry.S leaves on the trusted stack of each entry. */
struct runtime_entry {
	int64_t command;   /* RDI */
	uint64_t argument; /* RSI */
	uint64_t tcs;      /* RBX, which EENTER has verified */
	uint64_t cssa;     /* RAX, the CPU's */
	uint64_t ret;      /* RCX, the CPU's: the instruction after EENTER */
	uint64_t urbp, ursp;
	uint32_t mxcsr;
	uint16_t fcw;
	uint16_t unused;
};

/* A pending OCALL; above it on the stack, the callee-saved registers. */
struct runtime_ocall_frame {
	uint64_t previous; /* the pending OCALL below, or 0 */
	uint64_t entry;    /* the ECALL that made it */
	uint32_t mxcsr;
	uint16_t fcw;
	uint16_t unused;
};

/* At the FS base of each thread, zero until its first entry; TLS lies below it. */
struct runtime_thread {
	struct runtime_thread *self; /* the ABI of thread-local storage; set once all is */
	struct runtime_ocall_frame *ocall; /* the newest pending OCALL, or NULL */
	struct runtime_entry *entry;       /* the running ECALL */
	uint64_t host_sp;                  /* free host stack lies below */
	uint64_t tcs;
	uint64_t canary;
	uint64_t stack_limit, stack_top; /* stack_top: where ECALLs begin, below FAULT_STACK */
	struct isa_gprsgx *gpr; /* of SSA frame 0 */
	bool in_fault;          /* a handler runs */
};

static inline struct runtime_thread *runtime_thread(void)
{
	struct runtime_thread *t;

	__asm__("movq %%fs:%c1, %0" : "=r"(t) : "i"(T_SELF));
	return t;
}

/* First entry on this TCS. False if the CPU has no random numbers. */
bool runtime_thread_init(struct runtime_thread *t, uint64_t tcs);
/* Thread-local storage as the image has it. */
void runtime_tls_init(struct runtime_thread *t);
size_t runtime_tls_size(void);

/* ---- state of the enclave ---- */

enum runtime_state { STATE_NEW, STATE_STARTING, STATE_READY, STATE_CLOSED };
extern uint32_t runtime_state; /* atomic */
static inline uint32_t runtime_state_get(void)
{
	return __atomic_load_n(&runtime_state, __ATOMIC_ACQUIRE);
}
/* Nothing enters any more; ECALLs in other threads run to their end. */
static inline void runtime_close(void)
{
	__atomic_store_n(&runtime_state, STATE_CLOSED, __ATOMIC_RELEASE);
}

extern uint64_t runtime_xfrm;             /* SECS.ATTRIBUTES.XFRM; 3 before INIT */
extern struct isa_report_body runtime_self; /* since INIT; report data zero */

/* ELRANGE, from INIT on. */
extern uint64_t runtime_base, runtime_size;

uint32_t runtime_init(const struct runtime_entry *e, struct runtime_thread *t);
uint32_t runtime_ecall(const struct runtime_entry *e, struct runtime_thread *t);
uint32_t runtime_except(const struct runtime_entry *e, struct runtime_thread *t);

/* No load after this executes before everything above has. */
static inline void runtime_fence(void)
{
	__asm__ volatile("lfence" : : : "memory");
}

/* ---- entry.S ---- */

extern const uint8_t runtime_boundary_start[], runtime_boundary_end[];
extern const uint8_t runtime_ereport_insn[];
uint32_t runtime_enter(struct runtime_entry *e); /* enter.c; called by enclave_entry */
/* EEXIT for an OCALL; returns, by runtime_ocall_resume, with what the host says. */
uint32_t runtime_ocall_exit(uint64_t index, uint64_t args, uint64_t host_sp);
_Noreturn void runtime_ocall_resume(struct runtime_ocall_frame *f, uint64_t status);
/* Phase 2 of a fault, reached by ERESUME: RDI the frame, RSI its XSAVE area. */
void runtime_fault_second(void);
bool runtime_fault_call(struct bawn_fault *f); /* fault.c; called by it */
/* 0, or 1 if the instruction faulted. */
uint32_t runtime_ereport(const void *target, const void *data, void *report);
/* 0 or an enum isa_status. */
uint32_t runtime_egetkey(const void *request, void *key);

#pragma GCC visibility pop
#endif
