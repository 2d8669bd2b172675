/* Faults that the witness recovers from, and faults that it does not. */
#include "bawn_enclave.h"
#include "witness/witness.h"

#include <string.h>

uint32_t witness_fault(void *args);

#define VECTOR_DE 0
#define VECTOR_UD 6
#define VECTOR_PF 14

/* What the handler is to do on this thread, and what it saw. */
static _Thread_local struct {
	uint64_t kind;
	uint64_t vector;
	uint64_t address;
	uint32_t ocall;
} expected;

static bool handler(struct bawn_fault *f)
{
	/* A handler is ordinary code: it uses vector registers, and nobody must notice. */
	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n\tpcmpeqd %%xmm15, %%xmm15" : : : "xmm0", "xmm15");
	expected.vector = f->vector;
	expected.address = f->address;
	switch (expected.kind) {
	case WITNESS_FAULT_UD:
		f->rip += 2;
		return f->vector == VECTOR_UD;
	case WITNESS_FAULT_DIVIDE:
		f->rcx = 7;
		return f->vector == VECTOR_DE;
	case WITNESS_FAULT_PAGE:
		f->rip += 3;
		return f->vector == VECTOR_PF;
	case WITNESS_FAULT_OCALL:
		expected.ocall = bawn_ocall(WITNESS_ADD, NULL, 0);
		f->rip += 2;
		return true;
	case WITNESS_FAULT_HANDLER:
		__asm__ volatile("ud2");
		return true;
	default:
		return false;
	}
}

/* Each of these has its fault in one instruction of known length, with a pattern in XMM15 and XMM0. */
#define WITH_PATTERN(text)                   \
	"movq %[pattern], %%xmm0\n\t"        \
	"movq %[pattern], %%xmm15\n\t" text  \
	"\n\tmovq %%xmm0, %[x0]\n\t"         \
	"movq %%xmm15, %[x15]"
#define PATTERN UINT64_C(0x7769746e65737321)

static uint64_t divide(uint64_t by, uint64_t *x0, uint64_t *x15)
{
	uint64_t quotient = 42, high = 0;

	__asm__ volatile(WITH_PATTERN("divq %%rcx")
			 : "+a"(quotient), "+d"(high), "+c"(by), [x0] "=&r"(*x0), [x15] "=&r"(*x15)
			 : [pattern] "r"(PATTERN)
			 : "xmm0", "xmm15", "cc");
	return quotient;
}

static void undefined(uint64_t *x0, uint64_t *x15)
{
	__asm__ volatile(WITH_PATTERN("ud2")
			 : [x0] "=&r"(*x0), [x15] "=&r"(*x15)
			 : [pattern] "r"(PATTERN)
			 : "xmm0", "xmm15", "cc");
}

static void read_byte(uint64_t address, uint64_t *x0, uint64_t *x15)
{
	/* 0F B6 00: three bytes. */
	__asm__ volatile(WITH_PATTERN("movzbl (%%rax), %%eax")
			 : "+a"(address), [x0] "=&r"(*x0), [x15] "=&r"(*x15)
			 : [pattern] "r"(PATTERN)
			 : "xmm0", "xmm15");
}

/* 64 KiB below this thread's TCS is a guard area: the last byte of it. */
static uint64_t guard_page(void)
{
	extern const uint8_t runtime_image[];

	return (uint64_t)runtime_image + bawn_thread_id() - 1;
}

__attribute__((noinline)) static uint64_t recurse(uint64_t n)
{
	volatile uint8_t frame[512];

	frame[n % sizeof(frame)] = (uint8_t)n;
	return n == UINT64_MAX ? 0 : recurse(n + 1) + frame[(n + 1) % sizeof(frame)];
}

__attribute__((noinline)) static void overrun(uint64_t n)
{
	uint8_t buffer[32];
	volatile uint8_t *p = buffer;

	for (uint64_t i = 0; i < n; i++)
		p[i] = 0x55;
}

uint32_t witness_fault(void *args)
{
	struct witness_fault *a = args;
	uint64_t x0 = PATTERN, x15 = PATTERN;

	expected.kind = a->kind;
	expected.vector = UINT64_MAX;
	bawn_on_fault(handler);
	switch (a->kind) {
	case WITNESS_FAULT_DIVIDE:
		a->result = divide(0, &x0, &x15);
		break;
	case WITNESS_FAULT_PAGE:
		read_byte(guard_page(), &x0, &x15);
		a->result = expected.address - guard_page();
		break;
	case WITNESS_FAULT_OCALL:
		undefined(&x0, &x15);
		a->result = expected.ocall;
		break;
	case WITNESS_FAULT_UD:
	case WITNESS_FAULT_FATAL:
	case WITNESS_FAULT_HANDLER:
		undefined(&x0, &x15);
		a->result = 0;
		break;
	case WITNESS_FAULT_STACK:
		a->result = recurse(0);
		break;
	case WITNESS_FAULT_CANARY:
		overrun(64);
		break;
	case WITNESS_FAULT_ABORT:
		bawn_abort();
	default:
		return BAWN_STATUS_ARGUMENT;
	}
	a->vector = expected.vector;
	return x0 == PATTERN && x15 == PATTERN ? BAWN_STATUS_OK : WITNESS_WRONG;
}
