/* Signing: the configuration, the layout of a kit enclave, SIGSTRUCT and its check. */
#include "make.h"

#include "../tap.h"

#include <elf.h>

/* ---- configuration ---- */

static int parse(const char *text, struct image_config *c, struct bawn_error *e)
{
	*e = (struct bawn_error){ 0 };
	image_config_default(c);
	return image_config_parse(text, strlen(text), c, e);
}

static void test_config(void)
{
	static const char text[] = "# all of them\n"
				   "product = 7\nsvn=0x10  # sixteen\n  debug = yes\r\n"
				   "provision_key = yes\neinittoken_key = no\nkss = yes\n"
				   "aex_notify = yes\n"
				   "family_id = 000102030405060708090a0b0c0d0e0f\n"
				   "extended_product_id = F0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF\n"
				   "misc_select = 1\nmisc_mask = 0xfffffffe\n"
				   "xfrm = 7\nxfrm_mask = 0xffffffffffffff1b\n"
				   "vendor = 0x8086\nsoftware_defined = 9\ndate = 20240229\n"
				   "heap_min = 8K\nheap_init = 64K\nheap_max = 2M\n"
				   "stack_min = 16K\nstack_max = 1G\nthreads = 2\nthreads_max = 5\n"
				   "thread_policy = bound";
	struct image_config c;
	struct bawn_error e;

	is_int(parse(text, &c, &e), 0, "every key");
	is_int(c.isvprodid, 7, "product");
	is_int(c.isvsvn, 16, "svn");
	ok(c.debug && c.provision_key && !c.einittoken_key && c.kss && c.aexnotify, "yes and no");
	is_int(c.isvfamilyid[15], 15, "family");
	is_int(c.isvextprodid[0], 0xf0, "extended product");
	ok(c.miscselect == 1 && c.miscmask == 0xfffffffe && c.xfrm == 7 &&
		   c.xfrm_mask == 0xffffffffffffff1b,
	   "masks");
	ok(c.vendor == 0x8086 && c.swdefined == 9 && c.date == 0x20240229, "vendor and date");
	ok(c.heap_min == 0x2000 && c.heap_init == 0x10000 && c.heap_max == 0x200000, "heap");
	ok(c.stack_min == 0x4000 && c.stack_max == 0x40000000 && c.threads == 2 &&
		   c.threads_max == 5 && c.threads_bound && c.has_layout,
	   "stack and threads");

	is_int(parse("", &c, &e), 0, "nothing at all");
	ok(!c.has_layout && !c.debug && c.xfrm == 3 && c.miscmask == UINT32_MAX, "defaults");
	is_int(parse("heap_max = 4M", &c, &e), 0, "one size of the heap");
	ok(c.heap_min == 4 << 20 && c.heap_init == 4 << 20, "stands for all");
	is_int(parse("heap_min = 16K\nheap_max = 4M", &c, &e), 0, "two sizes of the heap");
	ok(c.heap_min == 16384 && c.heap_init == 4 << 20, "stand for the third");
	is_int(parse("stack_max = 64K\nthreads = 3", &c, &e), 0, "stack and threads");
	ok(c.stack_min == 65536 && c.threads_max == 3, "follow");
}

static void test_bad_config(void)
{
	static const struct {
		const char *text, *word;
	} cases[] = {
		{ "product 7", "line 1" },
		{ "\nsvn = 65536", "line 2" },
		{ "svn = -1", "svn" },
		{ "svn = ", "svn" },
		{ "svn = 0x", "svn" },
		{ "svn = 1 2", "svn" },
		{ "svn = 1\nsvn = 1", "twice" },
		{ "SVN = 1", "no key" },
		{ "=1", "no key" },
		{ "debug = true", "yes or no" },
		{ "family_id = 00", "32 hex" },
		{ "family_id = 000102030405060708090a0b0c0d0e0f", "kss" },
		{ "kss=yes\nfamily_id = 000102030405060708090a0b0c0d0e0g", "32 hex" },
		{ "misc_mask = 0x100000000", "32-bit" },
		{ "xfrm = 0x10000000000000000", "64-bit" },
		{ "xfrm = 1", "XFRM" },
		{ "xfrm = 0x27", "AVX-512" },
		{ "vendor = 5", "vendor" },
		{ "date = 20240230", "date" },
		{ "date = 20241301", "date" },
		{ "date = 2024021", "date" },
		{ "date = 202402011", "date" },
		{ "heap_min = 100", "pages" },
		{ "heap_min = 4X", "pages" },
		{ "heap_min = K", "pages" },
		{ "heap_min = 17G", "pages" },
		{ "heap_min = 0x10000000000G", "pages" },
		{ "heap_min = 0", "page at least" },
		{ "heap_init = 8K\nheap_max = 4K", "must not fall" },
		{ "heap_min = 8K\nheap_init = 4K", "must not fall" },
		{ "stack_min = 4K", "two pages" },
		{ "stack_min = 16K\nstack_max = 8K", "stack_max" },
		{ "threads = 0", "threads" },
		{ "threads = 9000", "threads" },
		{ "threads = 3\nthreads_max = 2", "threads" },
		{ "thread_policy = free", "bound" },
	};
	struct image_config c;
	struct bawn_error e;
	char line[600];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ok(parse(cases[i].text, &c, &e) < 0 && strstr(e.msg, cases[i].word), "refused: %s",
		   e.msg);
	memset(line, 'a', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	ok(parse(line, &c, &e) < 0 && strstr(e.msg, "too long"), "a long line");
	ok(image_config_parse("svn = 1\0", 8, &c, NULL) < 0, "a zero byte");
}

static void test_dates(void)
{
	uint32_t d = 0;

	ok(image_date_from_time(0, &d, NULL) == 0 && d == 0x19700101, "the epoch");
	ok(image_date_from_time(1709251199, &d, NULL) == 0 && d == 0x20240229, "a leap day's end");
	ok(image_date_from_time(1709251200, &d, NULL) == 0 && d == 0x20240301, "and the next");
	ok(image_date_from_time(INT64_MAX, &d, NULL) < 0, "no date");
}

/* ---- layout of an enclave of the kit ---- */

/* With a thread-local block of an odd size. */
static void make_usual(struct made *made)
{
	struct make_elf d = plain_kit;

	d.symbols[0] = "enclave_entry";
	d.tls_size = 0x1010;
	d.tls_align = 32;
	make_kit(made, &d);
}

/* The page of the image that has the layout block, as loaded. */
static bool loaded_layout(const struct image *im, struct isa_enclave_layout *l)
{
	for (size_t i = 0; i < im->nruns; i++)
		if (im->runs[i].offset <= 0x3000 && 0x3000 - im->runs[i].offset < im->runs[i].length) {
			memcpy(l, im->runs[i].src + (0x3000 - im->runs[i].offset) + 0x100,
			       sizeof(*l));
			return true;
		}
	return false;
}

static void check_layout(const struct image *im)
{
	struct isa_enclave_layout l;
	struct isa_tcs tcs = { 0 };

	if (!ok(loaded_layout(im, &l), "the layout block is loaded"))
		return;
	ok(memcmp(l.magic, ISA_LAYOUT_MAGIC, 8) == 0 && l.size == sizeof(l), "it is one");
	is_int(l.enclave_size, im->size, "the enclave's size");
	is_int(l.heap_offset, 0x5000, "the heap is behind the image");
	is_int(l.heap_init, 0x8000, "the heap at start");
	is_int(l.stack_top, -0x1000, "the stack ends below a guard below the TCS");
	is_int(l.stack_limit, -0x9000, "and begins");
	is_int(l.stack_start, -0x5000, "what of it a dynamic thread has");
	is_int(l.ssa, 0x1000, "the SSA");
	is_int(l.ssa_frame_size, 0x1000, "its frames");
	/* TCS, 2 frames, guard, two pages of TLS, the thread's data. */
	is_int(l.td, 0x6000, "thread data");
	is_int(l.tls, 0x6000 - 0x1020, "TLS, rounded up to its alignment");
	is_int(l.thread_stride, 0x1000 + 0x8000 + 0x1000 + 0x1000 + 0x2000 + 0x1000 + 0x3000,
	       "threads are this far apart");
	is_int(l.dynamic_tcs_offset, im->tcs[0].offset + 2 * l.thread_stride, "the first dynamic TCS");
	is_int(l.threads_max, 4, "threads at most");
	is_int(l.flags, ISA_LAYOUT_EDMM, "it can grow");
	memcpy(&tcs, l.tcs_template, sizeof(l.tcs_template));
	is_int(tcs.ofsbase, 0x6000, "a dynamic TCS points to its thread data");
	is_int(tcs.oentry, 0x1000, "and to the entry point");
	for (size_t i = 0; i < im->nruns; i++)
		if (im->runs[i].offset == im->tcs[1].offset) {
			memcpy(&tcs, im->runs[i].src, sizeof(tcs));
			is_int(tcs.ossa, im->tcs[1].offset + 0x1000, "a TCS points to its own SSA");
			is_int(tcs.nssa, 2, "of two frames");
			is_int(tcs.fslimit, UINT32_MAX, "and has no limits");
		}
}

static void test_lay_out(void)
{
	static const char text[] = "heap_min = 16K\nheap_init = 32K\nheap_max = 1M\nstack_min = 16K\n"
				   "stack_max = 32K\nthreads = 2\nthreads_max = 4\nthread_policy = bound";
	const struct image_open_options edmm = { .edmm = true };
	struct image *one = NULL, *three = NULL;
	struct bawn_error e = { 0 };
	struct image_config c;
	struct made made;
	uint8_t a[32] = { 1 }, b[32] = { 2 };

	parse(text, &c, &e);
	make_usual(&made);
	is_int(image_lay_out(made.file.p, made.file.n, &c, &e), 0, "laid out");
	image_open_memory(&three, made.file.p, made.file.n, &edmm, &e);
	image_open_memory(&one, made.file.p, made.file.n, NULL, &e);
	if (ok(one && three, "and read%s%s", e.msg[0] ? ": " : "", e.msg)) {
		is_int(one->metadata_version, METADATA_VERSION(1, 5), "1.5 without EDMM");
		is_int(three->metadata_version, METADATA_VERSION(3, 3), "3.3 with it");
		image_measure(one, a, &e);
		image_measure(three, b, &e);
		is_mem(a, b, 32, "both measure the same");
		is_int(one->ntcs, 2, "two threads without EDMM");
		is_int(three->ntcs, 4, "four with it");
		is_int(one->ndynamic, 0, "nothing to add without EDMM");
		is_int(one->tcs_policy, 0, "threads are bound");
		ok(one->is_kit && !one->has_sigstruct, "of the kit, not signed");
		check_layout(three);
	}
	image_free(&one);
	image_free(&three);
	is_int(image_lay_out(made.file.p, made.file.n, &c, &e), 0, "laid out again");
	image_open_memory(&one, made.file.p, made.file.n, NULL, &e);
	if (one)
		image_measure(one, b, &e);
	is_mem(a, b, 32, "with the same result");
	image_free(&one);
	bytes_free(&made.file);
}

static void refused_kit(struct made *made, const char *name, const char *word)
{
	struct bawn_error e = { 0 };
	struct image_config c;

	image_config_default(&c);
	ok(image_lay_out(made->file.p, made->file.n, &c, &e) < 0 && strstr(e.msg, word), "%s: %s",
	   name, e.msg);
	bytes_free(&made->file);
}

static void test_bad_kit(void)
{
	struct make_elf d = plain_kit;
	struct made made;

	d.no_note = true;
	make_kit(&made, &d);
	refused_kit(&made, "no note", "no section .note.sgxmeta");
	d = plain_kit;
	d.layout_at = 0;
	make_kit(&made, &d);
	refused_kit(&made, "no layout block", "bawn_enclave_layout");
	d.symbols[0] = "g_global_data";
	make_kit(&made, &d);
	refused_kit(&made, "built with the SDK", "Intel's SDK");
	d = plain_kit;
	d.undefined = "memcpy";
	make_kit(&made, &d);
	refused_kit(&made, "an undefined symbol", "memcpy");
	d = plain_kit;
	d.textrel = 0x1ffc;
	make_kit(&made, &d);
	refused_kit(&made, "text relocations", "text relocations");
	d = plain_kit;
	d.layout_at = 0x3500;
	make_kit(&made, &d);
	refused_kit(&made, "a layout block without data", "fills in");
	d = plain_kit;
	make_kit(&made, &d);
	made.file.p[made.segment[1] + 3] ^= 1;
	refused_kit(&made, "a layout block of another kind", "fills in");
	d = plain_kit;
	d.segment[0].flags = PF_R;
	make_kit(&made, &d);
	refused_kit(&made, "an entry point in data", "executable");
	d = plain_kit;
	d.meta_room = 0x800;
	make_kit(&made, &d);
	refused_kit(&made, "a note too small", "too little");
	d = plain_kit;
	d.tls_size = 1 << 30;
	make_kit(&made, &d);
	refused_kit(&made, "a gigabyte of TLS", "thread-local");
	d = plain_kit;
	d.tls_size = 8;
	d.tls_align = 8192;
	make_kit(&made, &d);
	refused_kit(&made, "TLS aligned to two pages", "thread-local");
}

static void test_too_large(void)
{
	struct bawn_error e = { 0 };
	struct image_config c;
	struct made made;

	parse("stack_max = 16G\nthreads = 8", &c, &e);
	make_usual(&made);
	ok(image_lay_out(made.file.p, made.file.n, &c, &e) < 0 && strstr(e.msg, "64 GiB"), "%s",
	   e.msg);
	bytes_free(&made.file);
}

/* ---- SIGSTRUCT ---- */

static struct crypto_key *key;

static void signed_sigstruct(struct isa_sigstruct *s, const struct image_config *c)
{
	uint8_t hash[32], body[256], digest[32], n[384], sig[384];
	struct bawn_error e = { 0 };

	memset(hash, 0x5a, sizeof(hash));
	image_sigstruct_make(s, c, hash);
	isa_sigstruct_signed(s, body);
	crypto_sha256(body, sizeof(body), digest);
	crypto_key_rsa3_modulus(key, n, &e);
	crypto_rsa3_sign(key, digest, sig, &e);
	is_int(image_sigstruct_complete(s, n, sig, &e), 0, "signed");
}

static void test_sigstruct(void)
{
	struct isa_sigstruct s, t;
	struct image_config c, back;
	struct bawn_error e;
	uint8_t mrsigner[32], want[32];
	unsigned unnoticed = 0;

	parse("product=3\nsvn=4\ndebug=yes\nkss=yes\nfamily_id=000102030405060708090a0b0c0d0e0f\n"
	      "xfrm=7\nxfrm_mask=0xfffffffffffffffb\nmisc_select=1\nmisc_mask=0xfffffffe\n"
	      "provision_key=yes\naex_notify=yes\ndate=20240102",
	      &c, &e);
	signed_sigstruct(&s, &c);
	is_int(image_sigstruct_check(&s, &e), 0, "it holds");
	ok(isa_sigstruct_flaw(&s) == NULL && s.date == 0x20240102 && s.isvsvn == 4, "its fields");
	is_int(s.attributes.flags, ATTR_MODE64BIT | ATTR_PROVISIONKEY | ATTR_KSS | ATTR_AEXNOTIFY,
	       "its attributes");
	is_int(s.attributemask.flags, (int64_t)~ATTR_DEBUG, "debugging is left open");
	is_int(s.miscselect, 0, "MISCSELECT is masked");
	is_int((long long)image_wanted_attributes(&c).xfrm, 7, "AVX is wanted where there is any");
	crypto_sha256(s.modulus, 384, want);
	image_mrsigner(&s, mrsigner);
	is_mem(mrsigner, want, 32, "MRSIGNER");

	/* Every byte is under some check. */
	for (size_t i = 0; i < sizeof(s); i += 1 + i % 3) {
		t = s;
		((uint8_t *)&t)[i] ^= 0x10;
		if (image_sigstruct_check(&t, &e) == 0) {
			unnoticed++;
			printf("# byte %zu\n", i);
		}
	}
	is_int(unnoticed, 0, "a change of any byte is noticed");

	image_config_from_sigstruct(&back, &s);
	ok(back.isvprodid == 3 && back.debug && back.provision_key && !back.einittoken_key &&
		   back.kss && back.aexnotify && back.xfrm_mask == c.xfrm_mask &&
		   memcmp(back.isvfamilyid, c.isvfamilyid, 16) == 0,
	   "a SIGSTRUCT gives its configuration back");
}

static void test_verdict(void)
{
	struct image_verdict v;
	struct isa_sigstruct s, t;
	struct image_config c;
	struct bawn_error e = { 0 };

	parse("date=20240102", &c, &e);
	signed_sigstruct(&s, &c);
	image_sigstruct_examine(&s, &v);
	ok(!v.flaw && v.rsa && v.q1 && v.q2, "all holds");
	t = s;
	t.header[0] ^= 1;
	image_sigstruct_examine(&t, &v);
	ok(v.flaw && !v.rsa && v.q1 && v.q2, "a constant");
	t = s;
	t.enclavehash[0] ^= 1;
	image_sigstruct_examine(&t, &v);
	ok(!v.flaw && !v.rsa && v.q1 && v.q2, "the body");
	t = s;
	t.q1[5] ^= 1;
	image_sigstruct_examine(&t, &v);
	ok(!v.flaw && v.rsa && !v.q1 && v.q2, "Q1");
	t = s;
	t.q2[383] ^= 1;
	image_sigstruct_examine(&t, &v);
	ok(!v.flaw && v.rsa && v.q1 && !v.q2, "Q2");
	t = s;
	t.signature[0] ^= 1;
	image_sigstruct_examine(&t, &v);
	ok(!v.flaw && !v.rsa && !(v.q1 && v.q2), "the signature");
	t = s;
	memset(t.modulus, 0, sizeof(t.modulus));
	image_sigstruct_examine(&t, &v);
	ok(!v.rsa && !v.q1 && !v.q2, "a modulus of zero");
}

/* The whole way: laid out, signed, stored, opened. */
static void test_store(void)
{
	struct bawn_error e = { 0 };
	struct isa_sigstruct s;
	struct image_config c;
	struct image *im = NULL;
	struct made made;

	parse("date=20240102\nheap_init=4K\nheap_max=1M\nmisc_select=1\nmisc_mask=0xfffffffe", &c, &e);
	make_usual(&made);
	image_lay_out(made.file.p, made.file.n, &c, &e);
	signed_sigstruct(&s, &c);
	is_int(image_store_sigstruct(made.file.p, made.file.n, &c, &s, &e), 0, "stored");
	for (int edmm = 0; edmm < 2; edmm++) {
		const struct image_open_options opt = { .edmm = edmm };

		image_open_memory(&im, made.file.p, made.file.n, &opt, &e);
		ok(im && im->has_sigstruct && memcmp(&im->sigstruct, &s, sizeof(s)) == 0,
		   "in metadata %u.%u", im ? METADATA_MAJOR(im->metadata_version) : 0,
		   im ? METADATA_MINOR(im->metadata_version) : 0);
		ok(im && im->miscselect == 1, "which asks for what the mask leaves open");
		image_free(&im);
	}
	bytes_free(&made.file);
}

int main(void)
{
	struct bawn_error e = { 0 };

	if (crypto_key_new_rsa3(&key, &e))
		return skip_all(e.msg);
	test_config();
	test_bad_config();
	test_dates();
	test_lay_out();
	test_bad_kit();
	test_too_large();
	test_sigstruct();
	test_verdict();
	test_store();
	crypto_key_free(&key);
	return tap_done();
}
