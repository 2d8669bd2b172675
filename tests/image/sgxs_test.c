/* SGXS streams: read, measured, written, and refused record by record. */
#include "make.h"

#include "../tap.h"

#include <unistd.h>

#define RW (SECINFO_R | SECINFO_W | SECINFO_OF_PT(PT_REG))
#define TCS SECINFO_OF_PT(PT_TCS)

static void record(struct bytes *b, const char *tag, uint64_t a, uint64_t second)
{
	size_t at = bytes_grow(b, 64);

	memcpy(b->p + at, tag, strlen(tag));
	put_le64(b->p + at + 8, a);
	put_le64(b->p + at + 16, second);
}

static void ecreate(struct bytes *b, const char *tag, uint32_t ssa, uint64_t size)
{
	record(b, tag, ssa | size << 32, size >> 32);
}

static void chunk(struct bytes *b, const char *tag, uint64_t offset, const uint8_t *data)
{
	record(b, tag, offset, 0);
	size_t at = bytes_grow(b, 256);
	if (data)
		memcpy(b->p + at, data, 256);
}

static void page(struct bytes *b, uint64_t offset, uint64_t flags, const uint8_t *data,
		 const char *tag)
{
	record(b, "EADD", offset, flags);
	for (unsigned c = 0; tag && c < 16; c++)
		chunk(b, tag, offset + 256 * c, data ? data + 256 * c : NULL);
}

static const uint8_t *pattern(uint8_t seed)
{
	static uint8_t p[4096];

	for (unsigned i = 0; i < sizeof(p); i++)
		p[i] = (uint8_t)(i * seed + i / 256);
	return p;
}

static struct image *open_bytes(const struct bytes *b, const struct image_open_options *opt)
{
	struct bawn_error e = { 0 };
	struct image *im;

	if (image_open_memory(&im, b->p, b->n, opt, &e))
		printf("# %s\n", e.msg);
	return im;
}

static void test_read(void)
{
	struct bytes b = { 0 };
	struct expect x;

	ecreate(&b, "ECREATE", 2, 0x10000);
	page(&b, 0x1000, RW, pattern(3), "EEXTEND");
	page(&b, 0x2000, RW, pattern(5), "UNMEASRD");
	page(&b, 0x3000, RW, NULL, NULL);
	page(&b, 0x4000, TCS, NULL, "EEXTEND");
	struct image *im = open_bytes(&b, NULL);
	expect_begin(&x, 2, 0x10000);
	expect_page(&x, 0x1000, RW, pattern(3), true);
	expect_page(&x, 0x2000, RW, NULL, false);
	expect_page(&x, 0x3000, RW, NULL, false);
	expect_page(&x, 0x4000, TCS, NULL, true);
	if (expect_is(&x, im, "measured, unmeasured and empty pages")) {
		is_int(im->format, IMAGE_SGXS, "it is a stream");
		is_int(im->ntcs, 1, "one TCS");
		is_int(im->ssaframesize, 2, "its SSA frames");
		is_mem(im->runs[1].src, pattern(5), 4096, "unmeasured data is loaded");
	}
	image_free(&im);
	bytes_free(&b);
}

static void test_unsized(void)
{
	struct image_open_options opt = { .unsized = 0x20000 };
	uint8_t data[4096];
	struct bytes b = { 0 };
	struct expect x;

	ecreate(&b, "UNSIZED", 1, 0x1008);
	page(&b, 0x1000, RW, pattern(3), "EEXTEND");
	struct image *im = open_bytes(&b, NULL);
	ok(!im, "a stream that leaves its size open needs one");
	im = open_bytes(&b, &opt);
	memcpy(data, pattern(3), sizeof(data));
	put_le64(data + 8, 0x20000);
	expect_begin(&x, 1, 0x20000);
	expect_page(&x, 0x1000, RW, data, true);
	expect_is(&x, im, "the size is written where the stream wants it");
	image_free(&im);
	opt.unsized = 0x18000;
	ok(!open_bytes(&b, &opt), "a size that is no power of two");
	put_le64(b.p + 12, 0x3000);
	opt.unsized = 0x20000;
	ok(!open_bytes(&b, &opt), "a place for the size that is in no page");
	bytes_free(&b);
}

/* EADD resets what a TCS says of a running thread; the measurement is of that. */
static void test_tcs(void)
{
	uint8_t used[4096] = { 0 }, fresh[4096] = { 0 };
	struct bytes b = { 0 };
	struct expect x;

	used[0] = 1;         /* stage */
	used[8] = fresh[8] = TCS_AEXNOTIFY;
	used[8] |= TCS_DBGOPTIN;
	used[24] = 3;        /* CSSA */
	used[40] = 9;        /* AEP */
	used[28] = fresh[28] = 2;
	ecreate(&b, "ECREATE", 1, 0x10000);
	page(&b, 0, TCS, used, "EEXTEND");
	struct image *im = open_bytes(&b, NULL);
	expect_begin(&x, 1, 0x10000);
	expect_page(&x, 0, TCS, fresh, true);
	expect_is(&x, im, "a TCS in use is reset");
	image_free(&im);
	bytes_free(&b);
}

/* An image written as a stream and read again is the same; and its hash is MRENCLAVE. */
static void test_write(void)
{
	char path[] = "/tmp/bawn-sgxs-test.XXXXXX";
	uint8_t before[32], after[32], hash[32], *p = NULL;
	struct image *im = NULL, *again = NULL;
	struct made made;
	size_t n = 0;
	int fd = mkstemp(path);

	make_plain(&made, METADATA_VERSION(1, 5));
	image_open_memory(&im, made.file.p, made.file.n, NULL, NULL);
	ok(im && image_write_sgxs(im, fd, NULL) == 0, "an ELF file becomes a stream");
	close(fd);
	ok(image_open(&again, path, NULL, NULL) == 0, "which can be read");
	if (im && again) {
		image_measure(im, before, NULL);
		image_measure(again, after, NULL);
		is_mem(before, after, 32, "and measures the same");
		is_int(again->ntcs, 2, "with the same threads");
		ok(io_read_file(path, 1 << 24, &p, &n, NULL) == 0, "read as bytes");
		crypto_sha256(p, n, hash);
		is_mem(hash, before, 32, "whose hash is MRENCLAVE");
		free(p);
	}
	image_free(&im);
	image_free(&again);
	unlink(path);
	bytes_free(&made.file);
}

static void test_write_unmeasured(void)
{
	char path[] = "/tmp/bawn-sgxs-test.XXXXXX";
	struct image *im, *again = NULL;
	struct bytes b = { 0 };
	int fd = mkstemp(path);

	ecreate(&b, "ECREATE", 1, 0x10000);
	page(&b, 0x2000, RW, pattern(5), "UNMEASRD");
	page(&b, 0x3000, RW, NULL, NULL);
	im = open_bytes(&b, NULL);
	ok(im && image_write_sgxs(im, fd, NULL) == 0, "unmeasured data is written");
	close(fd);
	ok(image_open(&again, path, NULL, NULL) == 0 && !again->runs[0].measured &&
		   memcmp(again->runs[0].src, pattern(5), 4096) == 0,
	   "and read again");
	image_free(&im);
	image_free(&again);
	unlink(path);
	bytes_free(&b);
}

/* ---- what is refused ---- */

static void refused(struct bytes *b, const char *name, const char *word)
{
	struct bawn_error e = { 0 };
	struct image *im;
	int rc = image_open_memory(&im, b->p, b->n, NULL, &e);

	ok(rc < 0 && !im && strstr(e.msg, word), "%s: %s", name, rc ? e.msg : "accepted");
	image_free(&im);
	bytes_free(b);
}

static struct bytes begin(void)
{
	struct bytes b = { 0 };

	ecreate(&b, "ECREATE", 1, 0x10000);
	return b;
}

static void test_bad_ecreate(void)
{
	static const struct {
		size_t at;
		uint64_t value;
		const char *name, *word;
	} cases[] = {
		{ 8, 0, "no SSA frame", "SSA frame" },
		{ 8, 17, "a large SSA frame", "SSA frame" },
		{ 12, 0x18000, "an odd size", "power of two" },
		{ 12, 0, "no size", "power of two" },
		{ 12, UINT64_C(1) << 40, "a size above the limit", "64 GiB" },
		{ 56, 1, "unused bytes", "unused bytes" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes b = begin();

		page(&b, 0, RW, NULL, NULL);
		if (cases[i].at == 8)
			put_le32(b.p + 8, (uint32_t)cases[i].value);
		else
			put_le64(b.p + cases[i].at, cases[i].value);
		refused(&b, cases[i].name, cases[i].word);
	}
}

static void test_bad_pages(void)
{
	struct bytes b = begin();

	refused(&b, "no pages", "no pages");
	b = begin();
	page(&b, 0x800, RW, NULL, NULL);
	refused(&b, "a page off its place", "not page-aligned");
	b = begin();
	page(&b, 0x10000, RW, NULL, NULL);
	refused(&b, "a page beyond the end", "outside the enclave");
	b = begin();
	page(&b, 0, RW, NULL, NULL);
	page(&b, 0, RW, NULL, NULL);
	refused(&b, "a page twice", "twice");
	b = begin();
	page(&b, 0, RW | SECINFO_PENDING, NULL, NULL);
	refused(&b, "a pending page", "reserved");
	b = begin();
	page(&b, 0, SECINFO_OF_PT(PT_SECS), NULL, NULL);
	refused(&b, "a SECS", "page type");
	b = begin();
	page(&b, 0, TCS | SECINFO_R, NULL, NULL);
	refused(&b, "a TCS that can be read", "permissions");
	b = begin();
	page(&b, 0, TCS, pattern(3), "EEXTEND");
	refused(&b, "a TCS of noise", "TCS");
	b = begin();
	page(&b, 0, RW, NULL, NULL);
	b.p[64 + 63] = 1;
	refused(&b, "reserved bytes of SECINFO", "reserved");
}

static void test_bad_chunks(void)
{
	struct bytes b = begin();

	chunk(&b, "EEXTEND", 0, NULL);
	refused(&b, "a chunk before any page", "does not belong");
	b = begin();
	record(&b, "EADD", 0x1000, RW);
	chunk(&b, "UNMEASRD", 0x2000, NULL);
	refused(&b, "a chunk of another page", "does not belong");
	b = begin();
	record(&b, "EADD", 0x1000, RW);
	chunk(&b, "UNMEASRD", 0x0f00, NULL);
	refused(&b, "a chunk of the page before", "does not belong");
	b = begin();
	record(&b, "EADD", 0x1000, RW);
	chunk(&b, "UNMEASRD", 0x1080, NULL);
	refused(&b, "a chunk off its place", "does not belong");
	b = begin();
	record(&b, "EADD", 0x1000, RW);
	chunk(&b, "EEXTEND", 0x1000, NULL);
	chunk(&b, "EEXTEND", 0x1000, NULL);
	refused(&b, "a chunk twice", "twice");
	b = begin();
	record(&b, "EADD", 0x1000, RW);
	chunk(&b, "EEXTEND", 0x1100, NULL);
	refused(&b, "chunks out of order", "out of order");
	b = begin();
	record(&b, "EADD", 0x1000, RW);
	chunk(&b, "EEXTEND", 0x1000, NULL);
	refused(&b, "a part of a page measured", "only in part");
	b = begin();
	page(&b, 0x1000, RW, NULL, "EEXTEND");
	b.p[2 * 64 + 20] = 1;
	refused(&b, "unused bytes of a chunk", "unused bytes");
	b = begin();
	page(&b, 0x1000, RW, NULL, "EEXTEND");
	b.n--;
	refused(&b, "data cut short", "cut short");
}

static void test_bad_records(void)
{
	struct bytes b = begin();

	page(&b, 0, RW, NULL, NULL);
	ecreate(&b, "ECREATE", 1, 0x10000);
	refused(&b, "a second ECREATE", "second ECREATE");
	b = begin();
	page(&b, 0, RW, NULL, NULL);
	ecreate(&b, "UNSIZED", 1, 0x10000);
	refused(&b, "UNSIZED in the middle", "second ECREATE");
	b = begin();
	record(&b, "EREMOVE", 0, 0);
	refused(&b, "an unknown tag", "unknown tag");
	b = begin();
	page(&b, 0, RW, NULL, NULL);
	b.n -= 3;
	refused(&b, "a record cut short", "cut short");
	page(&b, 0, RW, NULL, NULL);
	refused(&b, "no ECREATE", "neither");
}

/* A SIGSTRUCT beside the stream. */
static void test_sigstruct_file(void)
{
	char path[] = "/tmp/bawn-sgxs-test.XXXXXX";
	struct isa_sigstruct s = { .exponent = 3, .isvsvn = 7, .miscselect = 1 };
	struct image_open_options opt = { .sigstruct_path = path };
	struct bytes b = begin();
	int fd = mkstemp(path);

	page(&b, 0, RW, NULL, NULL);
	s.attributes.flags = ATTR_MODE64BIT | ATTR_DEBUG;
	ok(write(fd, &s, sizeof(s)) == sizeof(s), "a SIGSTRUCT");
	struct image *im = open_bytes(&b, &opt);
	ok(im && im->has_sigstruct && im->sigstruct.isvsvn == 7, "is taken from its file");
	ok(im && im->attributes.flags == s.attributes.flags && im->miscselect == 1,
	   "and says what to ask for");
	image_free(&im);
	ok(write(fd, "x", 1) == 1 && !open_bytes(&b, &opt), "a longer file is refused");
	ok(ftruncate(fd, 1807) == 0 && !open_bytes(&b, &opt), "a shorter one too");
	close(fd);
	unlink(path);
	ok(!open_bytes(&b, &opt), "and one that is not there");
	bytes_free(&b);
}

int main(void)
{
	test_read();
	test_unsized();
	test_tcs();
	test_write();
	test_write_unmeasured();
	test_bad_ecreate();
	test_bad_pages();
	test_bad_chunks();
	test_bad_records();
	test_sigstruct_file();
	return tap_done();
}
