/*
 * What the compiler and BearSSL expect of a C library: memory functions, and
 * the checked forms that a distribution's BearSSL was built with. Constant
 * time in the contents; no pointer that needs relocation.
 */
#include "bawn_enclave.h"

#include <string.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	void *to = dst;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(n) : : "memory");
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	uint8_t *to = dst;
	const uint8_t *from = src;

	if ((uintptr_t)dst - (uintptr_t)src >= n)
		return memcpy(dst, src, n);
	/* dst lies within src: from the end. */
	while (n--)
		__asm__ volatile("movb %1, %%al\n\tmovb %%al, %0"
				 : "=m"(to[n]) : "m"(from[n]) : "al");
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	void *to = dst;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a, *y = b;
	int result = 0;

	/* From the end, so that the first difference is the last to be kept. */
	while (n--) {
		int diff = x[n] - y[n];
		int differs = (diff | -diff) >> 31;

		result = (result & ~differs) | (diff & differs);
	}
	return result;
}

size_t strlen(const char *s)
{
	const volatile char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

void *__memcpy_chk(void *restrict dst, const void *restrict src, size_t n, size_t size);
void *__memmove_chk(void *dst, const void *src, size_t n, size_t size);
void *__memset_chk(void *dst, int c, size_t n, size_t size);

void *__memcpy_chk(void *restrict dst, const void *restrict src, size_t n, size_t size)
{
	if (n > size)
		bawn_abort();
	return memcpy(dst, src, n);
}

void *__memmove_chk(void *dst, const void *src, size_t n, size_t size)
{
	if (n > size)
		bawn_abort();
	return memmove(dst, src, n);
}

void *__memset_chk(void *dst, int c, size_t n, size_t size)
{
	if (n > size)
		bawn_abort();
	return memset(dst, c, n);
}
