/*
 * Any truncation and 10 000 random mutations of each kind of file: an error
 * that names what is wrong, or an image that can be measured; never a crash, a
 * hang or a read beyond the end. The bytes end at an unmapped page, so the
 * last is noticed without a sanitizer too.
 */
#include "make.h"

#include "../tap.h"

#include <elf.h>
#include <sys/mman.h>

#define MUTATIONS 10000
#define MEASURE_PAGES 4096 /* measure what is not larger, to stay fast */
#define RW (SECINFO_R | SECINFO_W | SECINFO_OF_PT(PT_REG))

/* ---- numbers that look random and are always the same ---- */

static uint64_t state = 88172645463325252u;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* ---- bytes before an unmapped page ---- */

static uint8_t *arena;
static size_t arena_size;

static void arena_make(size_t n)
{
	arena_size = (n + 8191) & ~(size_t)4095;
	arena = mmap(NULL, arena_size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		     -1, 0);
	if (arena == MAP_FAILED || mprotect(arena + arena_size, 4096, PROT_NONE) != 0)
		abort();
}

static uint8_t *arena_put(const void *p, size_t n)
{
	uint8_t *at = arena + arena_size - n;

	memcpy(at, p, n);
	return at;
}

/* ---- one attempt ---- */

static unsigned silent, accepted; /* errors without a message; images that were read */

static void attempt_image(const uint8_t *p, size_t n)
{
	static const struct image_open_options all[] = {
		{ .edmm = true, .unsized = 0x20000 },
		{ .any_version = true, .unsized = 0x20000 },
	};
	const struct image_open_options *opt = &all[next() % 2];
	struct bawn_error e = { 0 };
	uint64_t added, measured;
	struct image *im;
	uint8_t m[32];

	if (image_open_memory(&im, p, n, opt, &e)) {
		silent += e.msg[0] == '\0' || e.code == 0;
		return;
	}
	accepted++;
	image_count(im, &added, &measured);
	if (added < MEASURE_PAGES)
		image_measure(im, m, &e);
	image_free(&im);
}

static struct isa_sigstruct genuine;
static unsigned forged; /* SIGSTRUCTs that hold and are not the genuine one */

static void attempt_sigstruct(const uint8_t *p, size_t n)
{
	struct bawn_error e = { 0 };
	struct isa_sigstruct s;

	if (n != sizeof(s)) /* a file of another size is not read at all */
		return;
	memcpy(&s, p, n);
	if (image_sigstruct_check(&s, &e))
		silent += e.msg[0] == '\0';
	else
		forged += memcmp(&s, &genuine, sizeof(s)) != 0;
}

static void attempt_config(const uint8_t *p, size_t n)
{
	struct bawn_error e = { 0 };
	struct image_config c;

	image_config_default(&c);
	if (image_config_parse(p, n, &c, &e))
		silent += e.msg[0] == '\0';
	else
		accepted++;
}

static void attempt_lay_out(const uint8_t *p, size_t n)
{
	struct bawn_error e = { 0 };
	struct image_config c;

	image_config_default(&c);
	c.threads_max = 3;
	c.heap_max = 2 << 20;
	/* In place: the bytes are a copy. */
	if (image_lay_out((uint8_t *)(uintptr_t)p, n, &c, &e))
		silent += e.msg[0] == '\0';
	else
		accepted++;
}

typedef void (*attempt_fn)(const uint8_t *p, size_t n);

/* ---- mutations ---- */

static uint64_t interesting(void)
{
	static const uint64_t values[] = { 0, 1, 0x7f, 0xff, 0xffff, 0x1000, 0x7fffffff, 0xffffffff,
					   0x100000000, 0x7fffffffffffffff, UINT64_MAX, 0x760 };

	return next() % 4 ? values[next() % ARRAY_LEN(values)] : next();
}

static void mutate(uint8_t *p, size_t n)
{
	for (unsigned k = 1 + next() % 3; k; k--) {
		size_t at = next() % n, width = (size_t)1 << next() % 4;
		uint64_t v = interesting();

		if (next() % 2)
			p[at] ^= (uint8_t)(1 << next() % 8);
		else
			for (size_t i = 0; i < width && at + i < n; i++)
				p[at + i] = (uint8_t)(v >> 8 * i);
	}
}

/* Where something is to be broken: most of a file is content that may be anything. */
struct part {
	size_t from, to;
};

static void run(const char *name, attempt_fn attempt, const uint8_t *p, size_t n,
		const struct part *parts, size_t nparts)
{
	uint8_t *copy = malloc(n);

	arena_make(n);
	silent = accepted = 0;
	for (size_t at = 0; at < n; at += 1 + (n > 8192 ? next() % 4 : 0))
		attempt(arena_put(p, at), at);
	is_int(silent, 0, "every truncation that is refused is refused with a word");
	printf("# %s: %zu bytes, %u truncations still make sense\n", name, n, accepted);
	silent = accepted = 0;
	for (unsigned i = 0; i < MUTATIONS; i++) {
		const struct part *part = &parts[next() % nparts];

		memcpy(copy, p, n);
		mutate(copy + part->from, part->to - part->from);
		attempt(arena_put(copy, n), n);
	}
	is_int(silent, 0, "every mutation that is refused is refused with a word");
	ok(accepted < MUTATIONS, "%s: %u of %u mutations still make sense", name, accepted, MUTATIONS);
	munmap(arena, arena_size + 4096);
	free(copy);
}

/* ---- files ---- */

static void test_elf(void)
{
	struct made made;

	make_rich(&made);
	const struct part parts[] = { { 0, 64 },
				      { made.phdr, made.phdr + 224 },
				      { made.shdr, made.file.n },
				      { made.segment[1], made.note },
				      { made.note, made.shdr },
				      { made.meta, made.meta + 64 },
				      { made.meta + 0x750, made.meta + 0x770 },
				      { made.meta + 0x8c0, made.meta + 0xac0 },
				      { 0, made.file.n } };
	run("SDK-format ELF", attempt_image, made.file.p, made.file.n, parts, ARRAY_LEN(parts));
	bytes_free(&made.file);
	make_plain(&made, METADATA_VERSION(1, 4));
	const struct part whole[] = { { 0, made.file.n } };
	run("ELF with metadata 1.4", attempt_image, made.file.p, made.file.n, whole, 1);
	bytes_free(&made.file);
}

static void test_kit(void)
{
	struct make_elf d = plain_kit;
	struct made made;

	d.tls_size = 40;
	d.tls_align = 8;
	make_kit(&made, &d);
	const struct part parts[] = { { 0, 64 },
				      { made.phdr, made.phdr + 168 },
				      { made.segment[1], made.segment[1] + 16 },
				      { made.segment[1] + 0x400, made.meta },
				      { made.meta + 0x2000, made.file.n } };
	run("unsigned kit ELF", attempt_lay_out, made.file.p, made.file.n, parts, ARRAY_LEN(parts));
	bytes_free(&made.file);
}

static void test_sgxs(void)
{
	struct bytes b = { 0 };

	make_stream(&b, "ECREATE");
	const struct part parts[] = { { 0, 64 }, { 64, 128 }, { 64, 512 }, { 0, b.n } };
	run("SGXS stream", attempt_image, b.p, b.n, parts, ARRAY_LEN(parts));
	bytes_free(&b);
	make_stream(&b, "UNSIZED");
	run("SGXS stream of open size", attempt_image, b.p, b.n, parts, ARRAY_LEN(parts));
	bytes_free(&b);
}

static void test_sigstruct(void)
{
	uint8_t hash[32] = { 1 }, body[256], digest[32], n[384], sig[384];
	struct crypto_key *key = NULL;
	struct bawn_error e = { 0 };
	struct image_config c;

	image_config_default(&c);
	c.date = 0x20240102;
	image_sigstruct_make(&genuine, &c, hash);
	isa_sigstruct_signed(&genuine, body);
	crypto_sha256(body, sizeof(body), digest);
	if (!ok(crypto_key_new_rsa3(&key, &e) == 0 && crypto_key_rsa3_modulus(key, n, &e) == 0 &&
			crypto_rsa3_sign(key, digest, sig, &e) == 0 &&
			image_sigstruct_complete(&genuine, n, sig, &e) == 0,
		"a signature to damage"))
		return;
	const struct part parts[] = { { 0, sizeof(genuine) }, { 900, 1040 }, { 128, 512 } };
	run("SIGSTRUCT", attempt_sigstruct, (uint8_t *)&genuine, sizeof(genuine), parts, ARRAY_LEN(parts));
	is_int(forged, 0, "none but the genuine one holds");
	crypto_key_free(&key);
}

static void test_config(void)
{
	static const char text[] = "product = 7\nsvn = 0x10\nkss = yes # yes\n"
				   "family_id = 000102030405060708090a0b0c0d0e0f\n"
				   "heap_min = 8K\nheap_max = 2M\nthreads = 2\ndate = 20240229\n";
	const struct part whole[] = { { 0, sizeof(text) - 1 } };

	run("configuration", attempt_config, (const uint8_t *)text, sizeof(text) - 1, whole, 1);
}

int main(void)
{
	test_elf();
	test_kit();
	test_sgxs();
	test_sigstruct();
	test_config();
	return tap_done();
}
