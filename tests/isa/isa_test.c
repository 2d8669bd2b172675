/* The architectural structures' validity rules, names and measurement blocks. */
#include "isa/isa.h"

#include "../tap.h"

static struct isa_secs good_secs(void)
{
	struct isa_secs s = { .size = 0x10000,
			      .baseaddr = 0x7f0000000000,
			      .ssaframesize = 1,
			      .attributes = { ATTR_MODE64BIT, XFRM_X87_SSE } };

	return s;
}

/* A change to a good SECS and a word that the complaint must have. */
#define SECS_FLAW(change, word)                                                                    \
	do {                                                                                       \
		struct isa_secs s = good_secs();                                                   \
		change;                                                                            \
		const char *flaw = isa_secs_flaw(&s, 0xe7, MISC_EXINFO);                           \
		ok(flaw && strstr(flaw, word), "SECS with %s: %s", #change, flaw ? flaw : "none"); \
	} while (0)

static void test_secs(void)
{
	struct isa_secs good = good_secs();

	ok(isa_secs_flaw(&good, 3, 0) == NULL, "a plain SECS holds");
	good.attributes.flags |= ATTR_DEBUG | ATTR_PROVISIONKEY | ATTR_EINITTOKEN_KEY | ATTR_KSS;
	good.configid[3] = 1;
	good.configsvn = 2;
	good.miscselect = MISC_EXINFO;
	ok(isa_secs_flaw(&good, 3, MISC_EXINFO) == NULL, "a SECS with KSS, keys and EXINFO holds");

	SECS_FLAW(s.reserved1[0] = 1, "reserved");
	SECS_FLAW(s.reserved2[31] = 1, "reserved");
	SECS_FLAW(s.reserved3[7] = 1, "reserved");
	SECS_FLAW(s.reserved4[3833] = 1, "reserved");
	SECS_FLAW(s.attributes.flags |= 8, "ATTRIBUTES");
	SECS_FLAW(s.attributes.flags |= ATTR_INIT, "INIT");
	SECS_FLAW(s.attributes.flags = 0, "MODE64BIT");
	SECS_FLAW(s.attributes.xfrm = 1, "SSE");
	SECS_FLAW(s.attributes.xfrm |= 0x200, "does not allow");
	SECS_FLAW(s.attributes.xfrm |= 0x20, "AVX-512");
	SECS_FLAW(s.miscselect = 2, "MISCSELECT");
	SECS_FLAW(s.configid[63] = 1, "CONFIGID");
	SECS_FLAW(s.configsvn = 1, "CONFIGSVN");
	SECS_FLAW(s.cet_attributes = 1, "CET");
	SECS_FLAW(s.cet_leg_bitmap_offset[7] = 1, "CET");
	SECS_FLAW(s.size = 4096, "SIZE");
	SECS_FLAW(s.size = 0, "SIZE");
	SECS_FLAW(s.size = 0x18000, "SIZE");
	SECS_FLAW(s.baseaddr += 4096, "BASEADDR");
	SECS_FLAW(s.baseaddr = UINT64_C(1) << 47, "address space");
	SECS_FLAW((s.baseaddr = 0, s.size = UINT64_C(1) << 48), "address space");
	SECS_FLAW(s.ssaframesize = 0, "SSAFRAMESIZE");
}

static void test_xfrm(void)
{
	ok(isa_xfrm_flaw(3, 3) == NULL, "x87 and SSE");
	ok(isa_xfrm_flaw(0xe7, 0xe7) == NULL, "AVX-512 whole");
	ok(isa_xfrm_flaw(0xe3, UINT64_MAX) != NULL, "AVX-512 without AVX");
	ok(isa_xfrm_flaw(0xb, UINT64_MAX) != NULL, "half of MPX");
	ok(isa_xfrm_flaw(0x20003, UINT64_MAX) != NULL, "half of AMX");
	ok(isa_xfrm_flaw(0x60003, UINT64_MAX) == NULL, "AMX whole");
	is_int(isa_xsave_size(3), 576, "the legacy area and the header");
	is_int(isa_xsave_size(UINT64_C(1) << 62 | 3), 0, "an unknown component has no size");
	/* AVX state is 256 bytes behind the header wherever there is AVX. */
	ok(isa_xsave_size(7) == 832 || isa_xsave_size(7) == 0, "AVX ends at 832");
}

static void test_secinfo(void)
{
	struct isa_secinfo s = { .flags = SECINFO_OF_PT(PT_REG) | SECINFO_R };

	ok(isa_secinfo_flaw(&s) == NULL, "a readable page");
	s.reserved[55] = 1;
	ok(isa_secinfo_flaw(&s) != NULL, "a reserved byte");
	s.reserved[55] = 0;
	static const uint64_t bad[] = {
		SECINFO_OF_PT(PT_REG) | SECINFO_W, /* writable alone */
		SECINFO_OF_PT(PT_REG) | SECINFO_R | SECINFO_PENDING,
		SECINFO_OF_PT(PT_REG) | SECINFO_R | SECINFO_MODIFIED,
		SECINFO_OF_PT(PT_REG) | SECINFO_R | SECINFO_PR,
		SECINFO_OF_PT(PT_REG) | SECINFO_R | 1 << 16,
		SECINFO_OF_PT(PT_SECS),
		SECINFO_OF_PT(PT_VA),
		SECINFO_OF_PT(PT_TRIM),
		SECINFO_OF_PT(PT_SS_FIRST) | SECINFO_R,
		SECINFO_OF_PT(7),
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		s.flags = bad[i];
		ok(isa_secinfo_flaw(&s) != NULL, "flags %llx refused: %s", (long long)bad[i],
		   isa_secinfo_flaw(&s));
	}
	s.flags = SECINFO_OF_PT(PT_TCS);
	ok(isa_secinfo_flaw(&s) == NULL, "a TCS");
}

static void test_tcs(void)
{
	struct isa_tcs t = { .flags = TCS_AEXNOTIFY, .nssa = 2 };

	ok(isa_tcs_flaw(&t) == NULL, "a plain TCS");
	t.reserved[4007] = 1;
	ok(isa_tcs_flaw(&t) != NULL, "its last byte is reserved");
	t.reserved[4007] = 0;
	t.flags = 4;
	ok(isa_tcs_flaw(&t) != NULL, "a reserved flag");
	t.flags = 0;
	t.ocetssa = 4096;
	ok(isa_tcs_flaw(&t) != NULL, "a CET field");

	struct isa_tcs used = { .stage = 1, .flags = TCS_DBGOPTIN | TCS_AEXNOTIFY, .cssa = 1,
				.nssa = 3, .oentry = 4096, .aep = 77 };
	isa_tcs_reset(&used);
	struct isa_tcs want = { .flags = TCS_AEXNOTIFY, .nssa = 3, .oentry = 4096 };
	is_mem(&used, &want, sizeof(want), "EADD resets a used TCS");
}

static struct isa_sigstruct good_sigstruct(void)
{
	struct isa_sigstruct s = { .exponent = 3 };

	memcpy(s.header, isa_sigstruct_header, 16);
	memcpy(s.header2, isa_sigstruct_header2, 16);
	return s;
}

static void test_sigstruct(void)
{
	/* The whole of what is constant, as one literal from the SDM. */
	static const uint8_t header[16] = "\x06\0\0\0\xe1\0\0\0\0\0\x01\0\0\0\0";
	static const uint8_t header2[16] = "\x01\x01\0\0\x60\0\0\0\x60\0\0\0\x01\0\0";
	struct isa_sigstruct good = good_sigstruct();

	is_mem(isa_sigstruct_header, header, 16, "HEADER");
	is_mem(isa_sigstruct_header2, header2, 16, "HEADER2");
	ok(isa_sigstruct_flaw(&good) == NULL, "constants hold");
	good.vendor = ISA_VENDOR_INTEL;
	ok(isa_sigstruct_flaw(&good) == NULL, "Intel as vendor");

	good.header[15] = 0x80;
	ok(isa_sigstruct_flaw(&good) && strstr(isa_sigstruct_flaw(&good), "debug"),
	   "a debug signature is named");
	good.header[15] = 0;

	/* Every byte that may not be changed freely, flipped. */
	unsigned caught = 0, wanted = 0;
	for (size_t i = 0; i < sizeof(good); i++) {
		bool constant = i < 20 || (i >= 24 && i < 40) || (i >= 44 && i < 128) ||
				(i >= 512 && i < 516) || i == 910 || i == 911 ||
				(i >= 992 && i < 1008) || (i >= 1028 && i < 1040);
		struct isa_sigstruct s = good_sigstruct();

		((uint8_t *)&s)[i] ^= 0x40;
		wanted += constant;
		if ((isa_sigstruct_flaw(&s) != NULL) == constant)
			caught += constant;
		else
			ok(false, "byte %zu %s", i, constant ? "goes unnoticed" : "is refused");
	}
	is_int(caught, wanted, "each constant byte flipped is noticed, no other");

	uint8_t body[ISA_SIGSTRUCT_SIGNED];
	for (size_t i = 0; i < sizeof(good); i++)
		((uint8_t *)&good)[i] = (uint8_t)(i * 7 + i / 256);
	isa_sigstruct_signed(&good, body);
	is_mem(body, &good, 128, "signed: the first 128 bytes");
	is_mem(body + 128, (uint8_t *)&good + 900, 128, "signed: 128 bytes from 900");
}

static void test_measure(void)
{
	static const uint8_t ecreate[64] = { 'E', 'C', 'R', 'E', 'A', 'T', 'E', 0, 1, 0, 0, 0,
					     0,	  0,   2 };
	static const uint8_t eadd[64] = { 'E', 'A', 'D', 'D', 0, 0, 0, 0, 0, 0x30, 0, 0, 0, 0, 0, 0,
					  3,   2 };
	static const uint8_t eadd_tcs[64] = { 'E', 'A', 'D', 'D', 0, 0, 0, 0,
					      0,   0x30, 0,  0,  0, 0, 0, 0, 0, 1 };
	static const uint8_t eextend[64] = { 'E', 'E', 'X', 'T', 'E', 'N', 'D', 0, 0, 0x31 };
	struct isa_secinfo s = { .flags = SECINFO_OF_PT(PT_REG) | SECINFO_R | SECINFO_W };
	uint8_t block[ISA_MEASURE_BLOCK];

	isa_measure_ecreate(1, 0x20000, block);
	is_mem(block, ecreate, 64, "ECREATE's block");
	isa_measure_eadd(0x3000, &s, block);
	is_mem(block, eadd, 64, "EADD's block");
	s.flags = SECINFO_OF_PT(PT_TCS) | SECINFO_RWX;
	isa_measure_eadd(0x3000, &s, block);
	is_mem(block, eadd_tcs, 64, "EADD's block of a TCS has no permissions");
	isa_measure_eextend(0x3100, block);
	is_mem(block, eextend, 64, "EEXTEND's block");
}

int main(void)
{
	test_secs();
	test_xfrm();
	test_secinfo();
	test_tcs();
	test_sigstruct();
	test_measure();
	is_str(isa_status_name(16), "SGX_INVALID_EINITTOKEN", "a status by name");
	is_str(isa_status_name(0), "success", "success by name");
	is_str(isa_status_name(22), "unknown status", "an unnamed status");
	return tap_done();
}
