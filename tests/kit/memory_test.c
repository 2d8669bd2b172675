/* The runtime's memory functions, under names that leave the C library's alone. */
#undef _FORTIFY_SOURCE
#include <string.h>

#define memcpy kit_memcpy
#define memmove kit_memmove
#define memset kit_memset
#define memcmp kit_memcmp
#define strlen kit_strlen
#define __memcpy_chk kit_memcpy_chk
#define __memmove_chk kit_memmove_chk
#define __memset_chk kit_memset_chk
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
#include "../../enclaves/runtime/mem.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen

#include "tests/tap.h"

#include <setjmp.h>

static jmp_buf aborted;

void bawn_abort(void)
{
	longjmp(aborted, 1);
}

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

int main(void)
{
	uint8_t a[96], b[96], want[96];
	bool move = true, copy = true, set = true, compare = true;

	for (size_t from = 0; from < 24; from++)
		for (size_t to = 0; to < 24; to++)
			for (size_t n = 0; n < 40; n++) {
				for (size_t i = 0; i < sizeof(a); i++)
					a[i] = want[i] = (uint8_t)(i * 11);
				memmove(want + to, want + from, n);
				move = move && kit_memmove(a + to, a + from, n) == a + to &&
				       !memcmp(a, want, sizeof(a));
			}
	ok(move, "memmove, overlapping both ways");
	for (size_t n = 0; n < sizeof(a); n++) {
		memset(b, 0, sizeof(b));
		memset(want, 0, sizeof(want));
		memcpy(want, a, n);
		copy = copy && kit_memcpy(b, a, n) == b && !memcmp(b, want, sizeof(b));
		memset(want, 0xab, n);
		set = set && kit_memset(b, 0xab, n) == b && !memcmp(b, want, sizeof(b));
	}
	ok(copy, "memcpy");
	ok(set, "memset");
	for (int x = 0; x < 256; x += 5)
		for (int y = 0; y < 256; y += 3) {
			uint8_t p[] = { 1, (uint8_t)x, 9, 200 }, q[] = { 1, (uint8_t)y, 200, 9 };

			compare = compare && sign(kit_memcmp(p, q, 4)) == sign(memcmp(p, q, 4)) &&
				  sign(kit_memcmp(p, q, 2)) == sign(memcmp(p, q, 2));
		}
	ok(compare, "memcmp has the sign of the first difference");
	is_int(kit_memcmp(a, b, 0), 0, "and nothing equals nothing");
	is_int(kit_strlen(""), 0, "strlen");
	is_int(kit_strlen("four"), 4, "strlen");

	if (setjmp(aborted)) {
		ok(true, "a copy beyond its destination ends the enclave");
	} else {
		kit_memcpy_chk(b, a, 9, 8);
		ok(false, "a copy beyond its destination ends the enclave");
	}
	return tap_done();
}
