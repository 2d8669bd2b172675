#include "tests/witness/raw.h"

/*
 * A stack for each nesting (a signal handler may enter too). The enclave goes
 * back to the stack it came from, so entries that belong together need the
 * same one.
 */
#define NESTING 4
static _Alignas(64) uint8_t stacks[NESTING][65536];
static unsigned depth;
static struct {
	struct bawn_enclave *en;
	struct raw_exit *x;
} last[NESTING];
raw_ocall_fn raw_ocall;

/* Registers of the next entry: set here, loaded by raw_exited. */
int64_t raw_next_command;
uint64_t raw_next_argument;

/* After an exit, on the stack that the enclave left (kernel: vdso_sgx_enter_enclave's handler). */
int raw_exited_c(long rdi, long rsi, long rdx, long rsp, long r8, long r9, struct isa_run *run);
int raw_exited_c(long rdi, long rsi, long rdx, long rsp, long r8, long r9, struct isa_run *run)
{
	struct raw_exit *x = last[depth - 1].x;

	(void)rdx, (void)rsp, (void)r8, (void)r9;
	x->function = run->function;
	x->rdi = rdi;
	x->rsi = rsi;
	x->vector = run->exception_vector;
	if (x->function == ENCLU_EEXIT && rdi >= 0 && raw_ocall &&
	    raw_ocall(last[depth - 1].en, x, &raw_next_command, &raw_next_argument))
		return ENCLU_EENTER;
	return 0;
}

int raw_exited(long rdi, long rsi, long rdx, long rsp, long r8, long r9, struct isa_run *run);
__asm__(".text\n"
	".type raw_exited, @function\n"
	"raw_exited:\n\t"
	"pushq 8(%rsp)\n\t" /* run, which also aligns the stack */
	"call raw_exited_c\n\t"
	"add $8, %rsp\n\t"
	"mov raw_next_command(%rip), %rdi\n\t"
	"mov raw_next_argument(%rip), %rsi\n\t"
	"ret\n");

int raw_on_stack(isa_enter_fn enter, int64_t command, uint64_t argument, uint32_t leaf,
		 struct isa_run *run, void *stack);
__asm__(".text\n"
	".type raw_on_stack, @function\n"
	"raw_on_stack:\n\t"
	"push %rbp\n\tmov %rsp, %rbp\n\t"
	"push %rbx\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\tpush %rax\n\t"
	"mov %rsp, %r12\n\tmov %r9, %rsp\n\t"
	"mov %r12, (%rsp)\n\t" /* the enclave keeps no register for us */
	"sub $8, %rsp\n\tpush %r8\n\t"
	"mov %rdi, %rax\n\tmov %rsi, %rdi\n\tmov %rdx, %rsi\n\t"
	"xor %edx, %edx\n\txor %r8d, %r8d\n\txor %r9d, %r9d\n\t"
	"call *%rax\n\t"
	"add $16, %rsp\n\tmov (%rsp), %rsp\n\t"
	"pop %rcx\n\tpop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbx\n\t"
	"pop %rbp\n\tret\n");

struct raw_exit raw_enter(struct bawn_enclave *en, unsigned slot, uint32_t leaf, int64_t command,
			  uint64_t argument)
{
	struct isa_run run = { .tcs = en->slot[slot].tcs,
			       .user_handler = (uint64_t)(uintptr_t)raw_exited };
	struct raw_exit x = { 0 };

	last[depth].en = en;
	last[depth].x = &x;
	x.result = raw_on_stack(en->enter, command, argument, leaf, &run,
				stacks[depth++] + sizeof(stacks[0]) - 64);
	depth--;
	return x;
}

uint32_t raw_status(struct bawn_enclave *en, unsigned slot, int64_t command, uint64_t argument)
{
	struct raw_exit x = raw_enter(en, slot, ENCLU_EENTER, command, argument);

	return x.result || x.function != ENCLU_EEXIT || x.rdi != -1 ? UINT32_MAX : (uint32_t)x.rsi;
}

/* RFLAGS, MXCSR and FCW are loaded before ENCLU as well, and the host's own afterwards. */
void raw_enclu(struct raw_regs *r);
__asm__(".type raw_enclu, @function\n"
	"raw_enclu:\n\t"
	"push %rbp\n\tpush %rbx\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
	"sub $8, %rsp\n\tstmxcsr (%rsp)\n\tfnstcw 4(%rsp)\n\t"
	"mov %rdi, raw_enclu_regs(%rip)\n\tmov %rsp, raw_enclu_rsp(%rip)\n\t"
	"ldmxcsr 112(%rdi)\n\tfldcw 116(%rdi)\n\t"
	"mov (%rdi), %rax\n\tmov 8(%rdi), %rbx\n\tmov 24(%rdi), %rsi\n\t"
	"lea 1f(%rip), %rcx\n\tmov $-1, %rdx\n\tmov $-1, %r8\n\tmov $-1, %r15\n\t"
	"push 104(%rdi)\n\tmov 32(%rdi), %r9\n\tmov 16(%rdi), %rdi\n\tpopfq\n\t"
	"mov %r9, %rsp\n\t"
	".byte 0x0f, 0x01, 0xd7\n\tjmp 2f\n"
	"1:\t.byte 0x0f, 0x01, 0xd7\n" /* the AEP */
	"2:\tmov raw_enclu_regs(%rip), %rcx\n\t"
	"mov %rax, (%rcx)\n\tmov %rbx, 8(%rcx)\n\tmov %rdi, 16(%rcx)\n\tmov %rsi, 24(%rcx)\n\t"
	"mov %rsp, 32(%rcx)\n\tmov raw_enclu_rsp(%rip), %rsp\n\t"
	"pushfq\n\tpop 104(%rcx)\n\tcld\n\tpush $2\n\tpopfq\n\t"
	"stmxcsr 112(%rcx)\n\tfnstcw 116(%rcx)\n\t"
	"mov %r8, 40(%rcx)\n\tmov %r9, 48(%rcx)\n\tmov %r10, 56(%rcx)\n\tmov %r11, 64(%rcx)\n\t"
	"or %r12, 40(%rcx)\n\tor %r13, 48(%rcx)\n\tor %r14, 56(%rcx)\n\tor %r15, 64(%rcx)\n\t"
	"mov %rdx, 72(%rcx)\n\t"
	"por %xmm1, %xmm0\n\tpor %xmm2, %xmm0\n\tpor %xmm3, %xmm0\n\tpor %xmm4, %xmm0\n\t"
	"por %xmm5, %xmm0\n\tpor %xmm6, %xmm0\n\tpor %xmm7, %xmm0\n\tpor %xmm8, %xmm0\n\t"
	"por %xmm9, %xmm0\n\tpor %xmm10, %xmm0\n\tpor %xmm11, %xmm0\n\tpor %xmm12, %xmm0\n\t"
	"por %xmm13, %xmm0\n\tpor %xmm14, %xmm0\n\tpor %xmm15, %xmm0\n\t"
	"movups %xmm0, 80(%rcx)\n\t"
	"ldmxcsr (%rsp)\n\tfldcw 4(%rsp)\n\tadd $8, %rsp\n\t"
	"pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbx\n\tpop %rbp\n\tret\n"
	".local raw_enclu_regs\n.comm raw_enclu_regs, 8\n"
	".local raw_enclu_rsp\n.comm raw_enclu_rsp, 8\n");
_Static_assert(offsetof(struct raw_regs, others) == 40 && offsetof(struct raw_regs, rdx) == 72 &&
		       offsetof(struct raw_regs, xmm) == 80 &&
		       offsetof(struct raw_regs, rflags) == 104 &&
		       offsetof(struct raw_regs, mxcsr) == 112 && offsetof(struct raw_regs, fcw) == 116,
	       "raw_enclu");

void raw_enclu_on(struct bawn_enclave *en, unsigned slot, struct raw_regs *r)
{
	r->rax = ENCLU_EENTER;
	r->rbx = en->slot[slot].tcs;
	raw_enclu(r);
}

uint32_t raw_status_on(struct bawn_enclave *en, unsigned slot, int64_t command, uint64_t argument,
		       uint64_t rsp)
{
	struct raw_regs r = { .rdi = (uint64_t)command, .rsi = argument, .rsp = rsp,
			      .rflags = RAW_RFLAGS, .mxcsr = RAW_MXCSR, .fcw = RAW_FCW };

	raw_enclu_on(en, slot, &r);
	return r.rdi != UINT64_MAX || r.rsp != rsp ? UINT32_MAX : (uint32_t)r.rsi;
}
