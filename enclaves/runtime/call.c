/* ECALLs in, OCALLs out, and the host's stack in between. */
#include "runtime/runtime.h"

/* Keeps what the host's own code may have below its stack pointer (System V ABI, 3.2.2). */
static uint64_t host_stack_of(const struct runtime_entry *e)
{
	return e->ursp < RED_ZONE ? 0 : (e->ursp - RED_ZONE) & ~UINT64_C(15);
}

static uint32_t call(const struct bawn_ecall *c, uint64_t host_args)
{
	_Alignas(64) uint8_t args[BAWN_ARGS_MAX];
	uint32_t status;

	if (!c->args_size)
		return c->call(NULL);
	/* The one read of the arguments. */
	if (!bawn_copy_in(args, host_args, c->args_size))
		return BAWN_STATUS_ARGUMENT;
	status = c->call(args);
	return bawn_copy_out(host_args, args, c->args_size) ? status : BAWN_STATUS_ARGUMENT;
}

uint32_t runtime_ecall(const struct runtime_entry *e, struct runtime_thread *t)
{
	uint64_t index = (uint64_t)e->command, host_sp = t->host_sp;
	struct runtime_entry *outer = t->entry;
	const struct bawn_ecall *c;
	uint32_t status;

	if (index >= bawn_ecall_count)
		return BAWN_STATUS_FUNCTION;
	runtime_fence(); /* before the table is indexed: the bound holds in speculation too */
	c = &bawn_ecalls[index];
	if (!c->call || c->args_size > BAWN_ARGS_MAX)
		return BAWN_STATUS_FUNCTION;
	if (t->ocall && !(c->flags & BAWN_ECALL_NESTED))
		return BAWN_STATUS_NOT_NESTED;
	/* An unbound TCS serves one caller after another: none finds the last one's thread state. */
	if (!t->ocall && (runtime_layout()->flags & ISA_LAYOUT_UNBOUND))
		runtime_tls_init(t);
	runtime_fence();

	t->entry = (struct runtime_entry *)e;
	t->host_sp = host_stack_of(e);
	status = call(c, e->argument);
	t->entry = outer;
	t->host_sp = host_sp;
	return status;
}

/*
 * The stack pointer that the host has after an interruption is the one in the
 * save area, and a signal's frame goes below it: so what we take must be above
 * it before it is written, and until it is given back.
 */
static void host_stack_set(struct runtime_thread *t, uint64_t sp)
{
	t->host_sp = sp;
	t->gpr->ursp = sp;
	__asm__ volatile("" : : : "memory");
}

bawn_untrusted bawn_host_alloc(size_t n)
{
	struct runtime_thread *t = runtime_thread();
	uint64_t p;

	if (!n || n > BAWN_HOST_ALLOC_MAX || __builtin_sub_overflow(t->host_sp, n, &p))
		return 0;
	p &= ~UINT64_C(15);
	/* The host chose this stack pointer: it may be anything. */
	if (!bawn_outside(p, t->host_sp - p))
		return 0;
	host_stack_set(t, p);
	return p;
}

void bawn_host_free(bawn_untrusted p, size_t n)
{
	struct runtime_thread *t = runtime_thread();

	if (!p || p != t->host_sp)
		bawn_abort(); /* not the newest: the enclave's own mistake */
	host_stack_set(t, (p + n + 15) & ~UINT64_C(15));
}

uint32_t bawn_ocall(uint32_t index, void *args, size_t n)
{
	struct runtime_thread *t = runtime_thread();
	bawn_untrusted out;
	uint32_t status;

	if (t->in_fault)
		return BAWN_STATUS_NO_OCALL;
	/* As an int, the host would take it for a return or a command of its own. */
	if (index > INT32_MAX)
		return BAWN_STATUS_FUNCTION;
	if (!n)
		return runtime_ocall_exit(index, 0, t->host_sp);
	out = bawn_host_alloc(n);
	if (!out)
		return BAWN_STATUS_ARGUMENT;
	bawn_copy_out(out, args, n);
	status = runtime_ocall_exit(index, out, t->host_sp);
	bawn_copy_in(args, out, n); /* once, from where we know it is, whatever the host says */
	bawn_host_free(out, n);
	return status;
}
