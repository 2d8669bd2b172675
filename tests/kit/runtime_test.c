/*
 * The parts of the enclave runtime that need no enclave: the boundary, CMAC,
 * reports, sealing. The CPU's two instructions are played by the doubles here.
 */
#include "runtime/runtime.h"
#include "runtime/sealed.h"
#include "tests/tap.h"

#include <sys/mman.h>

/* ---- what the rest of the runtime would define ---- */

uint64_t runtime_base, runtime_size;
struct isa_report_body runtime_self;

/* EGETKEY: a key that depends on every field of the request, and fails when told to. */
static struct isa_keyrequest last_request;
static uint32_t egetkey_status;
static uint8_t platform;

uint32_t runtime_egetkey(const void *request, void *key)
{
	uint8_t seed[16] = { 0 };

	memcpy(&last_request, request, sizeof(last_request));
	if ((uintptr_t)request % 512 || (uintptr_t)key % 16)
		return UINT32_MAX;
	if (egetkey_status)
		return egetkey_status;
	seed[0] = platform;
	bawn_cmac(seed, request, sizeof(last_request), key);
	return 0;
}

static bool ereport_faults;

uint32_t runtime_ereport(const void *target, const void *data, void *report)
{
	struct isa_report *r = report;

	if (ereport_faults || (uintptr_t)target % 512 || (uintptr_t)data % 128 ||
	    (uintptr_t)report % 512)
		return 1;
	memset(r, 0, sizeof(*r));
	memcpy(r->body.reportdata, data, 64);
	memcpy(r->body.mrenclave, target, 32);
	return 0;
}

#ifndef __GLIBC__
/* The distribution's BearSSL was built with glibc's checks. */
void *__memcpy_chk(void *restrict dst, const void *restrict src, size_t n, size_t size);
void *__memcpy_chk(void *restrict dst, const void *restrict src, size_t n, size_t size)
{
	if (n > size)
		abort();
	return memcpy(dst, src, n);
}
#endif

/* ---- the boundary ---- */

static void test_ranges(void)
{
	const uint64_t b = UINT64_C(0x7f0000000000), n = 0x100000, top = UINT64_MAX;

	runtime_base = b;
	runtime_size = n;
	ok(bawn_outside(b - 16, 16), "up to the enclave is outside");
	ok(!bawn_outside(b - 16, 17), "one byte into it is not");
	ok(!bawn_outside(b, 1), "its first byte is not");
	ok(!bawn_outside(b + n - 1, 1), "nor its last");
	ok(!bawn_outside(b + n - 1, 2), "nor what begins in its last");
	ok(bawn_outside(b + n, 4096), "what begins behind it is outside");
	ok(!bawn_outside(b - 1, n + 2), "what surrounds it is not");
	ok(!bawn_outside(1, top), "a range over everything is not");
	ok(!bawn_outside(b + n, top), "a range that wraps is not");
	ok(!bawn_outside(top - 7, 9), "nor one that wraps by a byte");
	ok(bawn_outside(top - 7, 8), "the last bytes of the address space are outside");
	ok(!bawn_outside(0, 1), "a null pointer is nobody's");
	ok(bawn_outside(0, 0), "unless nothing is there");
	ok(!bawn_outside(b, 0) && !bawn_outside(b + n - 1, 0), "an empty range within is not outside");
	ok(bawn_outside(b + n, 0) && bawn_outside(b - 1, 0), "an empty range beside it is");

	ok(bawn_inside((void *)b, n), "all of it is inside");
	ok(!bawn_inside((void *)b, n + 1), "a byte more is not");
	ok(!bawn_inside((void *)(b + 1), n), "nor all of it, shifted");
	ok(!bawn_inside((void *)(b - 1), 2), "nor what begins before it");
	ok(bawn_inside((void *)(b + n - 1), 1), "its last byte is");
	ok(!bawn_inside((void *)(b + n), 1), "the next is not");
	ok(!bawn_inside((void *)(b + 8), top - 4), "a range that wraps is not");
}

static void test_copies(void)
{
	uint8_t host[64], inside[64], want[64];
	bool in = true, out = true;

	for (unsigned i = 0; i < sizeof(host); i++)
		host[i] = (uint8_t)(i * 7 + 1);
	for (size_t at = 0; at < 16; at++)
		for (size_t n = 0; n <= 40; n++) {
			memset(inside, 0xee, sizeof(inside));
			in = in && bawn_copy_in(inside, (uint64_t)host + at, n) &&
			     !memcmp(inside, host + at, n) && inside[n] == 0xee;
		}
	ok(in, "copies in, of every length at every alignment, and not a byte more");
	for (size_t at = 0; at < 16; at++)
		for (size_t n = 0; n <= 40; n++) {
			memset(want, 0x11, sizeof(want));
			memcpy(want + at, host, n);
			memset(inside, 0x11, sizeof(inside));
			out = out && bawn_copy_out((uint64_t)inside + at, host, n) &&
			      !memcmp(inside, want, sizeof(want));
		}
	ok(out, "copies out, the same");

	runtime_base = (uint64_t)host & ~UINT64_C(4095);
	memset(inside, 0xee, sizeof(inside));
	ok(!bawn_copy_in(inside, (uint64_t)host, 16) && inside[0] == 0xee, "none in from within");
	ok(!bawn_copy_out((uint64_t)host, inside, 16) && host[0] == 1, "none out to within");
	ok(!bawn_copy_in(inside, UINT64_MAX - 3, 8), "none in from a range that wraps");
}

/* The page after the range is not there: a word may be read whole, but none beyond. */
static void test_copy_at_page_end(void)
{
	uint8_t *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t inside[8];

	if (p == MAP_FAILED || mprotect(p + 4096, 4096, PROT_NONE)) {
		ok(false, "two pages");
		return;
	}
	p[4095] = 0x5a;
	ok(bawn_copy_in(inside, (uint64_t)p + 4095, 1) && inside[0] == 0x5a,
	   "the last byte of a page is read without the next page");
	inside[0] = 0xa5;
	ok(bawn_copy_out((uint64_t)p + 4095, inside, 1) && p[4095] == 0xa5, "and written");
	munmap(p, 8192);
}

/* ---- RFC 4493, section 4 ---- */

static void test_cmac(void)
{
	static const uint8_t key[16] = { 0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
					 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c };
	static const uint8_t text[64] = {
		0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d, 0x7e, 0x11, 0x73,
		0x93, 0x17, 0x2a, 0xae, 0x2d, 0x8a, 0x57, 0x1e, 0x03, 0xac, 0x9c, 0x9e, 0xb7,
		0x6f, 0xac, 0x45, 0xaf, 0x8e, 0x51, 0x30, 0xc8, 0x1c, 0x46, 0xa3, 0x5c, 0xe4,
		0x11, 0xe5, 0xfb, 0xc1, 0x19, 0x1a, 0x0a, 0x52, 0xef, 0xf6, 0x9f, 0x24, 0x45,
		0xdf, 0x4f, 0x9b, 0x17, 0xad, 0x2b, 0x41, 0x7b, 0xe6, 0x6c, 0x37, 0x10 };
	static const struct {
		size_t n;
		uint8_t mac[16];
	} vectors[] = {
		{ 0, { 0xbb, 0x1d, 0x69, 0x29, 0xe9, 0x59, 0x37, 0x28, 0x7f, 0xa3, 0x7d, 0x12, 0x9b,
		       0x75, 0x67, 0x46 } },
		{ 16, { 0x07, 0x0a, 0x16, 0xb4, 0x6b, 0x4d, 0x41, 0x44, 0xf7, 0x9b, 0xdd, 0x9d,
			0xd0, 0x4a, 0x28, 0x7c } },
		{ 40, { 0xdf, 0xa6, 0x67, 0x47, 0xde, 0x9a, 0xe6, 0x30, 0x30, 0xca, 0x32, 0x61,
			0x14, 0x97, 0xc8, 0x27 } },
		{ 64, { 0x51, 0xf0, 0xbe, 0xbf, 0x7e, 0x3b, 0x9d, 0x92, 0xfc, 0x49, 0x74, 0x17,
			0x79, 0x36, 0x3c, 0xfe } },
	};
	uint8_t mac[16];

	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		bawn_cmac(key, text, vectors[i].n, mac);
		is_mem(mac, vectors[i].mac, 16, "AES-CMAC, RFC 4493");
	}
}

/* ---- reports ---- */

static void test_reports(void)
{
	struct bawn_targetinfo t = { 0 };
	struct bawn_report r;
	uint8_t data[64], key[16];
	struct isa_keyrequest request = { .keyname = KEY_REPORT };
	_Alignas(512) struct isa_keyrequest aligned;
	_Alignas(16) uint8_t aligned_key[16];
	bool all = true;

	memset(data, 0x42, sizeof(data));
	memset(t.mrenclave, 7, sizeof(t.mrenclave));
	is_int(bawn_report(&t, data, &r), BAWN_STATUS_OK, "a report");
	is_mem(r.body.reportdata, data, 64, "with the data");
	t.reserved2[3] = 1;
	is_int(bawn_report(&t, data, &r), BAWN_STATUS_ARGUMENT, "none for a target with reserved bits");
	t.reserved2[3] = 0;
	t.reserved3[383] = 1;
	is_int(bawn_report(&t, data, &r), BAWN_STATUS_ARGUMENT, "in either place");
	t.reserved3[383] = 0;
	ereport_faults = true;
	is_int(bawn_report(&t, data, &r), BAWN_STATUS_ARGUMENT, "none if the instruction faults");
	ereport_faults = false;

	memset(r.keyid, 9, sizeof(r.keyid));
	memcpy(request.keyid, r.keyid, 32);
	aligned = request;
	runtime_egetkey(&aligned, aligned_key);
	memcpy(key, aligned_key, 16);
	bawn_cmac(key, &r.body, sizeof(r.body), r.mac);
	is_int(bawn_verify_report(&r), BAWN_STATUS_OK, "a report that verifies");
	ok(last_request.keyname == KEY_REPORT && !last_request.keypolicy, "under the report key");
	for (size_t i = 0; i < sizeof(r); i++) {
		((uint8_t *)&r)[i] ^= 0x10;
		all = all && bawn_verify_report(&r) == BAWN_STATUS_MAC;
		((uint8_t *)&r)[i] ^= 0x10;
	}
	ok(all, "and does not with any byte changed");
	platform = 1;
	is_int(bawn_verify_report(&r), BAWN_STATUS_MAC, "nor on another platform");
	platform = 0;
}

static void test_key(void)
{
	static const struct {
		uint32_t status, want;
	} codes[] = {
		{ ISA_INVALID_ATTRIBUTE, BAWN_STATUS_ATTRIBUTE },
		{ ISA_INVALID_CPUSVN, BAWN_STATUS_CPUSVN },
		{ ISA_INVALID_ISVSVN, BAWN_STATUS_ISVSVN },
		{ ISA_INVALID_KEYNAME, BAWN_STATUS_KEYNAME },
		{ 0x1234, BAWN_STATUS_FAILED },
	};
	struct bawn_keyrequest request = { .keyname = BAWN_KEY_SEAL };
	uint8_t key[16] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		egetkey_status = codes[i].status;
		is_int(bawn_key(&request, key), codes[i].want, "EGETKEY's status comes through");
	}
	egetkey_status = 0;
	ok(ct_is_zero(key, 16), "and no key with it");
	request.reserved2[433] = 1;
	is_int(bawn_key(&request, key), BAWN_STATUS_ARGUMENT, "reserved bits are refused");
	request.reserved2[433] = 0;
	request.reserved1 = 1;
	is_int(bawn_key(&request, key), BAWN_STATUS_ARGUMENT, "all of them");
}

/* ---- sealing ---- */

static uint8_t aad[5000], text[5000], blob[10100], back[5000];

static void test_seal_sizes(void)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 255, 4096, 5000 };
	bool all = true, other = true;
	size_t n;

	for (size_t i = 0; i < sizeof(text); i++) {
		text[i] = (uint8_t)(i * 31);
		aad[i] = (uint8_t)(i * 17);
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (size_t j = 0; j < ARRAY_LEN(sizes); j++) {
			size_t size = bawn_sealed_size(sizes[i], sizes[j]);
			struct bawn_sealed s;

			all = all && size == sizes[i] + sizes[j] + BAWN_SEAL_OVERHEAD &&
			      bawn_seal(BAWN_SEAL_MRSIGNER, aad, sizes[i], text, sizes[j], blob,
					size) == BAWN_STATUS_OK &&
			      bawn_unseal(blob, size, back, sizeof(back), &n, &s) == BAWN_STATUS_OK &&
			      n == sizes[j] && !memcmp(back, text, n) && s.aad_n == sizes[i] &&
			      !memcmp(s.aad, aad, s.aad_n);
			other = other && (sizes[j] < 16 || memcmp(s.text, text, sizes[j]));
		}
	ok(all, "what is sealed is unsealed, for lengths of text and data from 0 to 5000");
	ok(other, "and is not in the clear in between");
	is_int(bawn_sealed_size(BAWN_SEAL_MAX, 1), 0, "too much in all is refused");
	is_int(bawn_sealed_size(SIZE_MAX, 2), 0, "and what would wrap");
	is_int(bawn_seal(BAWN_SEAL_MRSIGNER, aad, 1, text, 1, blob, BAWN_SEAL_OVERHEAD + 1),
	       BAWN_STATUS_MEMORY, "and too little room for it");
	is_int(bawn_seal(0, aad, 1, text, 1, blob, sizeof(blob)), BAWN_STATUS_ARGUMENT,
	       "no policy is no policy");
	is_int(bawn_seal(3, aad, 1, text, 1, blob, sizeof(blob)), BAWN_STATUS_ARGUMENT,
	       "nor are both at once");
}

static void test_seal_request(void)
{
	uint8_t first[32];
	size_t n;

	memset(runtime_self.cpusvn, 3, sizeof(runtime_self.cpusvn));
	runtime_self.isvsvn = 0x0102;
	n = bawn_sealed_size(0, 4);
	bawn_seal(BAWN_SEAL_MRENCLAVE, NULL, 0, text, 4, blob, n);
	ok(last_request.keyname == KEY_SEAL && last_request.keypolicy == KEYPOLICY_MRENCLAVE &&
		   last_request.isvsvn == 0x0102 &&
		   !memcmp(last_request.cpusvn, runtime_self.cpusvn, 16),
	   "the key is asked for by policy, at the present SVNs");
	ok(last_request.attributemask.flags & ATTR_DEBUG, "a debug enclave gets another");
	ok(!memcmp(blob, "BWNS\x01\x01\x02\x01", 8) && !memcmp(blob + 8, runtime_self.cpusvn, 16),
	   "the header records them");
	memcpy(first, blob + 24, 32);
	ok(!ct_is_zero(first, 32) && !memcmp(first, last_request.keyid, 32), "and the key id");
	bawn_seal(BAWN_SEAL_MRSIGNER, NULL, 0, text, 4, blob, n);
	is_int(last_request.keypolicy, KEYPOLICY_MRSIGNER, "the other policy");
	ok(memcmp(first, blob + 24, 32), "the key id is new each time");
	runtime_self.isvsvn = 0x0203;
	is_int(bawn_unseal(blob, n, back, sizeof(back), &n, NULL), BAWN_STATUS_OK,
	       "a later enclave unseals");
	is_int(last_request.isvsvn, 0x0102, "with the SVN that the blob tells");
}

static void test_seal_damage(void)
{
	enum { AAD = 20, TEXT = 33 };
	const size_t n = bawn_sealed_size(AAD, TEXT);
	bool all = true, clear = true;
	size_t got = 77;

	bawn_seal(BAWN_SEAL_MRSIGNER, aad, AAD, text, TEXT, blob, n);
	for (size_t i = 0; i < n; i++)
		for (int bit = 0; bit < 8; bit++) {
			uint32_t status;

			memset(back, 0, sizeof(back));
			blob[i] ^= (uint8_t)(1 << bit);
			status = bawn_unseal(blob, n, back, sizeof(back), &got, NULL);
			blob[i] ^= (uint8_t)(1 << bit);
			all = all && (status == BAWN_STATUS_MAC || status == BAWN_STATUS_ARGUMENT);
			clear = clear && ct_is_zero(back, sizeof(back)) && got == 77;
		}
	ok(all, "no bit of a blob can be changed");
	ok(clear, "and nothing comes out when one was");
	all = true;
	for (size_t i = 0; i < n; i++)
		all = all && bawn_unseal(blob, i, back, sizeof(back), &got, NULL) ==
				     BAWN_STATUS_ARGUMENT;
	ok(all, "no blob cut short is taken");
	is_int(bawn_unseal(blob, n + 1, back, sizeof(back), &got, NULL), BAWN_STATUS_ARGUMENT,
	       "nor one with a byte behind it");
	is_int(bawn_unseal(blob, n, back, TEXT - 1, &got, NULL), BAWN_STATUS_MEMORY,
	       "too little room is said so");
	platform = 1;
	is_int(bawn_unseal(blob, n, back, sizeof(back), &got, NULL), BAWN_STATUS_MAC,
	       "another platform can not unseal");
	platform = 0;
	egetkey_status = ISA_INVALID_ISVSVN;
	is_int(bawn_unseal(blob, n, back, sizeof(back), &got, NULL), BAWN_STATUS_ISVSVN,
	       "nor an earlier enclave");
	egetkey_status = 0;
	is_int(bawn_unseal(blob, n, back, sizeof(back), &got, NULL), BAWN_STATUS_OK,
	       "the blob itself was good");
}

/* Each field of the header, with a value that is wrong and no accident. */
static void test_seal_fields(void)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t value;
		uint32_t want;
	} fields[] = {
		{ "magic", 0, 'b', BAWN_STATUS_ARGUMENT },
		{ "version 0", 4, 0, BAWN_STATUS_ARGUMENT },
		{ "version 2", 4, 2, BAWN_STATUS_ARGUMENT },
		{ "no policy", 5, 0, BAWN_STATUS_ARGUMENT },
		{ "both policies", 5, 3, BAWN_STATUS_ARGUMENT },
		{ "the other policy", 5, BAWN_SEAL_MRENCLAVE, BAWN_STATUS_MAC },
		{ "another ISVSVN", 6, 0x55, BAWN_STATUS_MAC },
		{ "another CPUSVN", 8, 0x55, BAWN_STATUS_MAC },
		{ "another key id", 55, 0x55, BAWN_STATUS_MAC },
		{ "length of the data", 56, 21, BAWN_STATUS_ARGUMENT },
		{ "a vast length of the data", 59, 0xff, BAWN_STATUS_ARGUMENT },
		{ "length of the text", 60, 0, BAWN_STATUS_ARGUMENT },
		{ "a vast length of the text", 63, 0xff, BAWN_STATUS_ARGUMENT },
	};
	size_t n = bawn_sealed_size(20, 33), got;

	bawn_seal(BAWN_SEAL_MRSIGNER, aad, 20, text, 33, blob, n);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		uint8_t was = blob[fields[i].at];

		blob[fields[i].at] = fields[i].value == was ? (uint8_t)(was ^ 1) : fields[i].value;
		is_int(bawn_unseal(blob, n, back, sizeof(back), &got, NULL), fields[i].want,
		       fields[i].what);
		blob[fields[i].at] = was;
	}
	/* The sum of the lengths is right, but where one ends is not. */
	put_le32(blob + 56, 21);
	put_le32(blob + 60, 32);
	is_int(bawn_unseal(blob, n, back, sizeof(back), &got, NULL), BAWN_STATUS_MAC,
	       "a byte of text passed off as data");
}

static void test_random(void)
{
	uint8_t a[41] = { 0 }, b[41] = { 0 };

	ok(bawn_random(a, 40) && bawn_random(b, 40) && memcmp(a, b, 40) && !a[40],
	   "random bytes differ, and are as many as asked for");
}

int main(void)
{
	test_ranges();
	test_copies();
	runtime_base = runtime_size = 0;
	test_copy_at_page_end();
	test_cmac();
	test_reports();
	test_key();
	test_seal_sizes();
	test_seal_request();
	test_seal_damage();
	test_seal_fields();
	test_random();
	return tap_done();
}
