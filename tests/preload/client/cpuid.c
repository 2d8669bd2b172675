/*
 * cpuid EPC-BYTES [sgx1]: what CPUID says, executed as any program does it.
 */
#include "client.h"

#include <cpuid.h>

struct leaf {
	unsigned a, b, c, d;
};

static struct leaf ask(unsigned leaf, unsigned sub)
{
	struct leaf l;

	__cpuid_count(leaf, sub, l.a, l.b, l.c, l.d);
	return l;
}

static uint64_t xcr0(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

int main(int argc, char **argv)
{
	const uint64_t epc = argc > 1 ? strtoull(argv[1], NULL, 0) : 0;
	const bool sgx2 = argc < 3;
	struct leaf l = ask(0, 0);
	char vendor[13] = "";
	uint64_t xfrm;

	memcpy(vendor, &l.b, 4);
	memcpy(vendor + 4, &l.d, 4);
	memcpy(vendor + 8, &l.c, 4);
	ok(l.a >= 0x12, "leaf 0: there is a leaf 12H");
	ok(strlen(vendor) == 12, "and the machine's vendor: %s", vendor);
	l = ask(1, 0);
	ok((l.d & 1u << 26) && (l.c & 1u << 27), "leaf 1: SSE2, OSXSAVE, as ever");
	l = ask(7, 0);
	ok(l.b & 1u << 2, "leaf 7: SGX");
	ok(l.c & 1u << 30, "and flexible launch control");
	l = ask(0x12, 0);
	ok(l.a & 1, "leaf 12H: SGX1");
	is_int(l.a >> 1 & 1, sgx2, "SGX2, unless it is to be without");
	is_int(l.b & 1, sgx2, "MISCSELECT.EXINFO likewise");
	ok((l.d >> 8 & 0xff) >= 36, "enclaves of 2^%u bytes", l.d >> 8 & 0xff);
	l = ask(0x12, 1);
	ok((l.a & 0x36) == 0x36, "attributes: DEBUG, MODE64BIT, PROVISION_KEY, EINITTOKEN_KEY");
	is_int(l.a >> 7 & 1, sgx2, "KSS");
	xfrm = (uint64_t)l.d << 32 | l.c;
	ok((xfrm & 3) == 3 && (xfrm & ~xcr0()) == 0, "XFRM 0x%llx, of XCR0 0x%llx", (unsigned long long)xfrm,
	   (unsigned long long)xcr0());
	l = ask(0x12, 2);
	is_int(l.a & 0xf, 1, "one section of page cache");
	is_int((uint64_t)(l.d & 0xfffff) << 32 | (l.c & 0xfffff000), epc, "as large as was asked for");
	l = ask(0x12, 3);
	ok(l.a == 0 && l.b == 0 && l.c == 0 && l.d == 0, "and no other");
	for (unsigned i = 0; i < 1000; i++)
		l = ask(7, 0);
	ok(l.b & 1u << 2, "a thousand times");
	is_int(ask(7, 1).b & 1u << 2, 0, "leaf 7.1 is another");
	ok(__get_cpuid_max(0, NULL) >= 0x12, "by the compiler's functions");
	ok(__get_cpuid_count(0x12, 0, &l.a, &l.b, &l.c, &l.d) && (l.a & 1), "too");
	return tap_done();
}
