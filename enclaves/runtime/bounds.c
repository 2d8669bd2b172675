/*
 * The boundary: which addresses are the host's, and the only two functions
 * that touch them.
 *
 * Reads are of whole, aligned 8-byte words, and so are writes where they can
 * be: partial accesses to the host's memory can leak stale data of this CPU's
 * buffers (Intel, INTEL-SA-00657 for reads and INTEL-SA-00615 for writes). A
 * word never straddles a page, hence never the enclave's border.
 */
#include "runtime/runtime.h"

#include <string.h>

#define WORD sizeof(uint64_t)

bool bawn_outside(bawn_untrusted p, size_t n)
{
	uint64_t end;

	if (!n)
		return p < runtime_base || p - runtime_base >= runtime_size;
	if (!p || __builtin_add_overflow(p, n - 1, &end)) /* end: the last byte */
		return false;
	return end < runtime_base || (p > runtime_base && p - runtime_base >= runtime_size);
}

bool bawn_inside(const void *p, size_t n)
{
	uint64_t a = (uint64_t)p;

	return a >= runtime_base && n <= runtime_size && a - runtime_base <= runtime_size - n;
}

static uint64_t load(uint64_t address)
{
	uint64_t v;

	__asm__ volatile("movq (%1), %0" : "=r"(v) : "r"(address) : "memory");
	return v;
}

bool bawn_copy_in(void *dst, bawn_untrusted src, size_t n)
{
	uint8_t *to = dst;

	if (!bawn_outside(src, n))
		return false;
	runtime_fence(); /* no load below with an address that has not passed */
	while (n) {
		size_t skip = src % WORD;
		size_t part = n < WORD - skip ? n : WORD - skip;
		uint64_t word = load(src - skip);

		memcpy(to, (uint8_t *)&word + skip, part);
		to += part;
		src += part;
		n -= part;
	}
	runtime_fence(); /* what was read has arrived before anything is decided by it */
	return true;
}

/* A store of less than a word: nothing stale is left to write before, nor lingers after. */
static void store_byte(uint64_t address, uint8_t v)
{
	uint16_t selector;

	__asm__ volatile("movw %%ds, %0\n\t"
			 "verw %0\n\t"
			 "movb %2, (%1)\n\t"
			 "mfence\n\t"
			 "lfence"
			 : "=&m"(selector)
			 : "r"(address), "r"(v)
			 : "memory", "cc");
}

bool bawn_copy_out(bawn_untrusted dst, const void *src, size_t n)
{
	const uint8_t *from = src;

	if (!bawn_outside(dst, n))
		return false;
	runtime_fence();
	while (n) {
		if (dst % WORD == 0 && n >= WORD) {
			uint64_t word;

			memcpy(&word, from, WORD);
			__asm__ volatile("movq %1, (%0)" : : "r"(dst), "r"(word) : "memory");
			dst += WORD;
			from += WORD;
			n -= WORD;
		} else {
			store_byte(dst++, *from++);
			n--;
		}
	}
	return true;
}
