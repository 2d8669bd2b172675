/* INIT: relocation, a look at what was signed, identity. Once in an enclave's life. */
#include "runtime/runtime.h"

#include <elf.h>
#include <string.h>

__attribute__((section(".rodata.layout"))) const struct isa_enclave_layout bawn_enclave_layout = {
	.magic = { 'B', 'A', 'W', 'N', 'L', 'A', 'Y', 'O' },
	.size = sizeof(struct isa_enclave_layout),
};

uint32_t runtime_state = STATE_NEW;
uint64_t runtime_xfrm = XFRM_X87_SSE;
struct isa_report_body runtime_self;
uint64_t runtime_base, runtime_size;

/* The linker makes no others (enclaves.mk checks); none are in read-only pages. */
static bool relocate(void)
{
	const Elf64_Rela *end = (const Elf64_Rela *)runtime_rela_end;

	for (const Elf64_Rela *r = (const Elf64_Rela *)runtime_rela_start; r < end; r++) {
		uint64_t value = (uint64_t)runtime_image + (uint64_t)r->r_addend;

		if (ELF64_R_TYPE(r->r_info) != R_X86_64_RELATIVE)
			return false;
		memcpy((void *)((uint64_t)runtime_image + r->r_offset), &value, sizeof(value));
	}
	return true;
}

/* [from, to), relative to the TCS, is a range in the enclave of at least min bytes. */
static bool layout_range(uint64_t tcs, int64_t from, int64_t to, uint64_t min)
{
	uint64_t n = (uint64_t)to - (uint64_t)from;

	return from <= to && n >= min && bawn_inside((const void *)(tcs + (uint64_t)from), n);
}

/*
 * The layout was measured, so it is the signer's. It is still worth a look:
 * an enclave that was never signed, or whose ELRANGE begins elsewhere than its
 * image, would take the host's memory for its own.
 */
static bool layout_sane(const struct isa_enclave_layout *l, uint64_t tcs)
{
	uint64_t size = l->enclave_size;

	if (size < ISA_PAGE || (size & (size - 1)) || ((uint64_t)runtime_image & (size - 1)) ||
	    l->ssa_frame_size < ISA_PAGE || l->ssa_frame_size > size)
		return false;
	runtime_base = (uint64_t)runtime_image;
	runtime_size = size;
	/* The stack: at least twice what faults take of it. */
	return layout_range(tcs, l->stack_start, l->stack_top, 2 * FAULT_STACK) &&
	       layout_range(tcs, l->ssa, l->ssa + (int64_t)l->ssa_frame_size, ISA_PAGE) &&
	       layout_range(tcs, l->tls, l->td, runtime_tls_size()) &&
	       layout_range(tcs, l->td, l->td + ISA_PAGE, ISA_PAGE);
}

/*
 * RSI is SDK hosts' struct system_features: what the host says of the CPU.
 * Nothing here depends on that (no code is chosen by CPU features, no page is
 * added at run time), so it is not read. It must lie where it may.
 */
static bool features_outside(uint64_t p)
{
	return bawn_outside(p, 2 * sizeof(uint64_t));
}

static bool self_init(void)
{
	_Alignas(512) struct isa_targetinfo target;
	_Alignas(512) struct isa_report report;
	_Alignas(128) uint8_t data[64];

	memset(&target, 0, sizeof(target));
	memset(data, 0, sizeof(data));
	/* With AEX-notify the host expects faults to be handled in place, by EDECCSSA. */
	if (runtime_ereport(&target, data, &report) ||
	    (report.body.attributes.flags & ATTR_AEXNOTIFY))
		return false;
	runtime_self = report.body;
	runtime_xfrm = report.body.attributes.xfrm;
	return true;
}

uint32_t runtime_init(const struct runtime_entry *e, struct runtime_thread *t)
{
	uint32_t state = STATE_NEW;

	if (!__atomic_compare_exchange_n(&runtime_state, &state, STATE_STARTING, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return state == STATE_CLOSED ? BAWN_STATUS_CRASHED : BAWN_STATUS_FAILED;
	runtime_fence();
	if (!relocate() || !layout_sane(runtime_layout(), e->tcs) ||
	    !features_outside(e->argument) || !self_init() || !runtime_thread_init(t, e->tcs)) {
		runtime_close();
		return BAWN_STATUS_FAILED;
	}
	__atomic_store_n(&runtime_state, STATE_READY, __ATOMIC_RELEASE);
	return BAWN_STATUS_OK;
}
