/*
 * Extended state between the kernel's signal frame and the SSA. Both are in
 * the standard format of XSAVE (SDM volume 1, 13.4); what differs is bytes
 * 464-511, which the kernel uses and the SSA has as zeros, and the components:
 * XFRM's only, everything else stays the host's.
 */
#include "cpu/state.h"

#include <cpuid.h>
#include <sched.h>
#include <string.h>

#define CPUID_XSAVE 0x0d
#define LEGACY_SIZE 512u
#define HEADER_END 576u
#define XSTATE_BV 512u
#define XCOMP_BV 520u
#define COMPONENTS 63u /* bit 63 of XSTATE_BV is not a component */

/* Legacy region, FXSAVE format. */
#define X87_CONTROL_END 24u /* FCW to FDP */
#define MXCSR 24u
#define MXCSR_MASK 28u
#define X87_REGS 32u
#define X87_REGS_END 160u
#define XMM_END 416u
#define BIT_X87 UINT64_C(1)
#define BIT_SSE UINT64_C(2)

#define FCW_INIT 0x037fu
#define FCW_AFTER_MF 0x037eu
#define FSW_AFTER_MF 0x8081u
#define MXCSR_INIT 0x1f80u
#define MXCSR_AFTER_XM 0x1f01u
#define MXCSR_MASK_DEFAULT 0xffbfu

static struct {
	uint32_t offset, length; /* length 0: not there */
} component[COMPONENTS];
static int component_state; /* 0: not read, 1: being read, 2: read */

void xsave_init(void)
{
	int none = 0;

	if (!__atomic_compare_exchange_n(&component_state, &none, 1, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		while (__atomic_load_n(&component_state, __ATOMIC_ACQUIRE) != 2)
			sched_yield();
		return;
	}
	for (unsigned i = 2; i < COMPONENTS; i++) {
		const uint32_t size = isa_xsave_size(UINT64_C(1) << i);
		unsigned length, offset, c, d;

		if (size == 0 || !__get_cpuid_count(CPUID_XSAVE, i, &length, &offset, &c, &d))
			continue;
		component[i].offset = offset;
		component[i].length = length;
	}
	__atomic_store_n(&component_state, 2, __ATOMIC_RELEASE);
}

uint32_t xsave_size(uint64_t xfrm)
{
	uint32_t size = HEADER_END;

	for (unsigned i = 2; i < 64; i++) {
		if (!(xfrm >> i & 1))
			continue;
		if (i >= COMPONENTS || component[i].length == 0)
			return 0;
		if (component[i].offset + component[i].length > size)
			size = component[i].offset + component[i].length;
	}
	return size;
}

/* Component i lies within n bytes. */
static bool fits(unsigned i, size_t n)
{
	return component[i].length != 0 &&
	       (size_t)component[i].offset + component[i].length <= n;
}

static void save_legacy(uint8_t *frame, const uint8_t *x, uint64_t bv)
{
	memset(frame, 0, HEADER_END);
	if (bv & BIT_X87) {
		memcpy(frame, x, X87_CONTROL_END);
		memcpy(frame + X87_REGS, x + X87_REGS, X87_REGS_END - X87_REGS);
	} else {
		put_le16(frame, FCW_INIT);
	}
	/* XSAVE writes MXCSR and its mask whatever XSTATE_BV says (SDM volume 1, 13.7). */
	memcpy(frame + MXCSR, x + MXCSR, X87_REGS - MXCSR);
	if (bv & BIT_SSE)
		memcpy(frame + X87_REGS_END, x + X87_REGS_END, XMM_END - X87_REGS_END);
}

void xsave_save(uint8_t *frame, const uint8_t *x, size_t n, uint64_t xfrm)
{
	uint64_t bv;

	if (n < HEADER_END)
		return;
	bv = get_le64(x + XSTATE_BV) & xfrm;
	save_legacy(frame, x, bv);
	for (unsigned i = 2; i < COMPONENTS; i++) {
		uint8_t *to = frame + component[i].offset;

		if (!(xfrm >> i & 1))
			continue;
		if (bv >> i & 1 && fits(i, n)) {
			memcpy(to, x + component[i].offset, component[i].length);
		} else {
			memset(to, 0, component[i].length);
			bv &= ~(UINT64_C(1) << i);
		}
	}
	put_le64(frame + XSTATE_BV, bv);
}

/*
 * SDM 39.3.2.1: the initial state, but for the flags that the exception set.
 * Nothing of the enclave's registers stays behind.
 */
void xsave_synthesise(uint8_t *x, size_t n, uint64_t xfrm, const struct cpu_fault *why)
{
	const bool mf = why && why->vector == VEC_MF, xm = why && why->vector == VEC_XM;
	uint64_t bv;

	if (n < HEADER_END)
		return;
	bv = get_le64(x + XSTATE_BV) & ~xfrm;
	memset(x, 0, X87_CONTROL_END);
	memset(x + X87_REGS, 0, XMM_END - X87_REGS);
	put_le16(x, mf ? FCW_AFTER_MF : FCW_INIT);
	put_le16(x + 2, mf ? FSW_AFTER_MF : 0);
	put_le32(x + MXCSR, xm ? MXCSR_AFTER_XM : MXCSR_INIT);
	for (unsigned i = 2; i < COMPONENTS; i++)
		if (xfrm >> i & 1 && fits(i, n))
			memset(x + component[i].offset, 0, component[i].length);
	put_le64(x + XSTATE_BV, bv | (mf ? BIT_X87 : 0));
}

static bool mxcsr_valid(const uint8_t *head, const uint8_t *x)
{
	uint32_t mask = get_le32(x + MXCSR_MASK);

	return !(get_le32(head + MXCSR) & ~(mask ? mask : MXCSR_MASK_DEFAULT));
}

/* What XRSTOR refuses in the standard form (SDM volume 1, 13.8.1). */
static bool head_valid(const uint8_t *head, const uint8_t *x, size_t n, uint64_t xfrm)
{
	const uint64_t bv = get_le64(head + XSTATE_BV);

	if (bv & ~xfrm || !ct_is_zero(head + XCOMP_BV, 16) || !mxcsr_valid(head, x))
		return false;
	/* What the process may not use (AMX without permission), it cannot resume with. */
	for (unsigned i = 2; i < COMPONENTS; i++)
		if (bv >> i & 1 && !fits(i, n))
			return false;
	return true;
}

bool xsave_restore(uint8_t *x, size_t n, const uint8_t *frame, uint64_t xfrm)
{
	uint8_t head[HEADER_END];
	uint64_t bv;

	if (n < HEADER_END)
		return true;
	/* Other threads of the enclave can write the frame meanwhile. */
	memcpy(head, frame, sizeof(head));
	if (!head_valid(head, x, n, xfrm))
		return false;
	bv = get_le64(head + XSTATE_BV);
	if (bv & BIT_X87) {
		memcpy(x, head, X87_CONTROL_END);
		memcpy(x + X87_REGS, head + X87_REGS, X87_REGS_END - X87_REGS);
	}
	memcpy(x + MXCSR, head + MXCSR, 4);
	if (bv & BIT_SSE)
		memcpy(x + X87_REGS_END, head + X87_REGS_END, XMM_END - X87_REGS_END);
	for (unsigned i = 2; i < COMPONENTS; i++)
		if (bv >> i & 1)
			memcpy(x + component[i].offset, frame + component[i].offset,
			       component[i].length);
	put_le64(x + XSTATE_BV, (get_le64(x + XSTATE_BV) & ~xfrm) | bv);
	wipe(head, sizeof(head));
	return true;
}
