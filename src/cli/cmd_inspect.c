/* bawn inspect: what there is to know of an enclave file, and whether it holds. */
#include "cli/show.h"
#include "image/image.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EXIT_DOES_NOT_HOLD 3

static const struct cli_option options[] = {
	{ .name = "sigstruct", .value = "FILE",
	  .help = "the SIGSTRUCT, where the file has none or another is meant" },
	{ .name = "size", .value = "BYTES", .help = "size of an SGXS stream that leaves it open" },
	CLI_OPT_JSON,
	{ 0 }
};

/* All that is found out, before anything is printed. */
struct facts {
	const char *path;
	const struct image *im;
	const struct isa_sigstruct *s;
	uint8_t mrenclave[32], mrsigner[32];
	uint64_t added, measured;
	struct image_verdict verdict;
	bool signature_holds, measurement_holds;
	size_t threads, dynamic_threads;
};

static const char *permissions(uint64_t secinfo, char out[4])
{
	out[0] = secinfo & SECINFO_R ? 'r' : '-';
	out[1] = secinfo & SECINFO_W ? 'w' : '-';
	out[2] = secinfo & SECINFO_X ? 'x' : '-';
	out[3] = '\0';
	return SECINFO_PT(secinfo) == PT_TCS ? "tcs" : out;
}

static const char *added_how(uint16_t attributes)
{
	if (attributes & LAYOUT_ATTR_EADD)
		return attributes & LAYOUT_ATTR_EEXTEND ? "added, measured" : "added";
	return attributes & LAYOUT_ATTR_POST_ADD ? "on demand" : "never added";
}

/* ---- finding out ---- */

/* Every version of the metadata must add up to what was signed. */
static int measure_versions(struct facts *f, struct image_open_options opt, struct bawn_error *e)
{
	f->measurement_holds =
		f->im->has_sigstruct && memcmp(f->mrenclave, f->s->enclavehash, 32) == 0;
	for (size_t i = 0; i < f->im->nversions; i++) {
		struct image *other;
		uint8_t mrenclave[32];

		if (f->im->versions[i] == f->im->metadata_version)
			continue;
		opt.version = f->im->versions[i];
		int rc = image_open(&other, f->path, &opt, e);
		if (rc)
			return rc;
		rc = image_measure(other, mrenclave, e);
		if (rc == 0 && memcmp(mrenclave, f->mrenclave, 32) != 0)
			f->measurement_holds = false;
		image_free(&other);
		if (rc)
			return rc;
	}
	return 0;
}

static int find_out(struct facts *f, const struct image_open_options *opt, struct bawn_error *e)
{
	int rc = image_measure(f->im, f->mrenclave, e);

	if (rc)
		return rc;
	f->s = &f->im->sigstruct;
	image_count(f->im, &f->added, &f->measured);
	for (size_t i = 0; i < f->im->ntcs; i++) {
		f->threads += !f->im->tcs[i].dynamic;
		f->dynamic_threads += f->im->tcs[i].dynamic;
	}
	if (f->im->has_sigstruct) {
		image_mrsigner(f->s, f->mrsigner);
		image_sigstruct_examine(f->s, &f->verdict);
		f->signature_holds =
			!f->verdict.flaw && f->verdict.rsa && f->verdict.q1 && f->verdict.q2;
	}
	return measure_versions(f, *opt, e);
}

static const char *signature_text(const struct facts *f)
{
	if (!f->im->has_sigstruct)
		return "there is none";
	if (f->signature_holds)
		return "holds (constants, RSA-3072, Q1, Q2)";
	if (f->verdict.flaw)
		return f->verdict.flaw;
	if (!f->verdict.rsa)
		return "the RSA signature is not by the key in it";
	return f->verdict.q1 ? "Q2 is wrong" : "Q1 is wrong";
}

static const char *measurement_text(const struct facts *f)
{
	if (f->measurement_holds)
		return "holds: MRENCLAVE is the signed one";
	return f->im->has_sigstruct ? "DIFFERS from the signed one" : "nothing to compare it with";
}

/* ---- as text ---- */

static void line_hex(const char *name, const void *p, size_t n)
{
	char hex[2 * 64 + 1];

	hex_encode(p, n, hex);
	printf("%-14s %s\n", name, hex);
}

static void text_signed(const struct facts *f)
{
	const struct isa_sigstruct *s = f->s;
	char a[128];

	line_hex("mrsigner", f->mrsigner, 32);
	printf("%-14s %u, svn %u\n", "product", s->isvprodid, s->isvsvn);
	printf("%-14s %s\n", "vendor",
	       s->vendor == ISA_VENDOR_INTEL ? "Intel (0x8086)" : s->vendor ? "unknown" : "0");
	printf("%-14s %04x-%02x-%02x, software-defined 0x%x%s\n", "date", s->date >> 16,
	       s->date >> 8 & 0xff, s->date & 0xff, s->swdefined,
	       s->swdefined == ISA_SWDEFINED_DEVELOPMENT ? ": a development signature" : "");
	printf("%-14s %s\n", "debug",
	       s->attributemask.flags & ATTR_DEBUG && !(s->attributes.flags & ATTR_DEBUG) ?
		       "refused" :
		       "allowed");
	printf("%-14s 0x%" PRIx64 " %s\n", "attributes", s->attributes.flags,
	       show_bits(show_flags, s->attributes.flags, a, sizeof(a)));
	printf("%-14s 0x%" PRIx64 ", leaves open: %s\n", "  mask", s->attributemask.flags,
	       show_open_bits(show_flags, s->attributemask.flags, a, sizeof(a)));
	printf("%-14s 0x%" PRIx64 " %s\n", "xfrm", s->attributes.xfrm,
	       show_bits(show_xfrm, s->attributes.xfrm, a, sizeof(a)));
	printf("%-14s 0x%" PRIx64 ", leaves open: %s\n", "  mask", s->attributemask.xfrm,
	       show_open_bits(show_xfrm, s->attributemask.xfrm, a, sizeof(a)));
	printf("%-14s 0x%x %s\n", "miscselect", s->miscselect,
	       show_bits(show_misc, s->miscselect, a, sizeof(a)));
	printf("%-14s 0x%x, leaves open: %s\n", "  mask", s->miscmask,
	       show_open_bits(show_misc, s->miscmask, a, sizeof(a)));
	if (s->attributes.flags & ATTR_KSS) {
		line_hex("family id", s->isvfamilyid, sizeof(s->isvfamilyid));
		line_hex("ext. product", s->isvextprodid, sizeof(s->isvextprodid));
	}
}

static void text_metadata(const struct facts *f)
{
	const struct image *im = f->im;

	printf("%-14s", "metadata");
	for (size_t i = 0; i < im->nversions; i++)
		printf("%s %u.%u", i ? "," : "", (unsigned)(im->versions[i] >> 32),
		       (unsigned)im->versions[i]);
	putchar('\n');
	printf("%-14s %zu, and %zu more with EDMM; %s to host threads\n", "threads", f->threads,
	       f->dynamic_threads, im->tcs_policy ? "not bound" : "bound");
	printf("%-14s %" PRIu64 " KiB, at start %" PRIu64 " KiB, at most %" PRIu64 " KiB\n", "heap",
	       im->heap_min >> 10, im->heap_init >> 10, im->heap_max >> 10);
	printf("%-14s %" PRIu64 " KiB, at most %" PRIu64 " KiB\n", "stack", im->stack_min >> 10,
	       im->stack_max >> 10);
}

static void text_layout(const struct image *im)
{
	char access[4];

	puts("\nlayout         offset       pages  access  how");
	for (size_t i = 0; i < im->nlayout; i++) {
		const struct image_layout *l = &im->layout[i];

		if (l->id & LAYOUT_GROUP)
			printf("  the last %u entries, %u times more, 0x%" PRIx64 " bytes apart\n",
			       l->entry_count, l->load_times, l->load_step);
		else
			printf("  0x%010" PRIx64 "  %10u  %-6s  %s, %s%s\n",
			       im->image_offset + l->rva, l->page_count,
			       permissions(l->si_flags, access),
			       image_layout_name(im->metadata_version, l->id),
			       added_how(l->attributes),
			       l->attributes & LAYOUT_ATTR_EREMOVE ? ", removed" : "");
	}
}

#define RUNS_SHOWN 64

static void text_runs(const struct image *im)
{
	char access[4];

	puts("\npages          offset       pages  access  how");
	for (size_t i = 0; i < im->nruns && i < RUNS_SHOWN; i++)
		printf("  0x%010" PRIx64 "  %10" PRIu64 "  %-6s  %s\n", im->runs[i].offset,
		       im->runs[i].length / ISA_PAGE, permissions(im->runs[i].secinfo, access),
		       im->runs[i].measured ? "measured" : "added");
	if (im->nruns > RUNS_SHOWN)
		printf("  ... and %zu more; --json has all\n", im->nruns - RUNS_SHOWN);
}

static void print_text(const struct facts *f)
{
	const struct image *im = f->im;

	printf("%-14s %s, %s%s%s\n", "file", f->path,
	       im->format == IMAGE_SGXS ? "an SGXS stream" : "an SDK-format ELF file",
	       im->is_kit ? " of Bawn's kit" : "",
	       im->is_simulation ? ", a SIMULATION build: cannot run on SGX" :
	       im->is_encrypted	 ? ", ENCRYPTED: needs its protected code loader" :
				   "");
	line_hex("mrenclave", f->mrenclave, 32);
	if (im->has_sigstruct)
		text_signed(f);
	printf("%-14s 0x%" PRIx64 " bytes, %" PRIu64 " pages added, %" PRIu64 " of them measured\n",
	       "size", im->size, f->added, f->measured);
	if (im->fixed_base)
		printf("%-14s only at base 0x%" PRIx64 ", image at offset 0x%" PRIx64 "\n", "address",
		       im->elrange_base, im->image_offset);
	printf("%-14s 0x%" PRIx64 "\n", "entry", im->entry);
	printf("%-14s %u page%s a frame\n", "ssa", im->ssaframesize,
	       im->ssaframesize == 1 ? "" : "s");
	if (im->format == IMAGE_SDK)
		text_metadata(f);
	else
		printf("%-14s %zu\n", "threads", f->threads);
	printf("%-14s %s%s\n", "signature",
	       im->has_sigstruct && !f->signature_holds ? "DOES NOT HOLD: " : "",
	       signature_text(f));
	printf("%-14s %s\n", "measurement", measurement_text(f));
	if (im->format == IMAGE_SDK)
		text_layout(im);
	else
		text_runs(im);
}

/* ---- as JSON: 64-bit masks are strings, since a number in JSON has 53 bits ---- */

static void json_bits(struct json *j, const char *key, uint64_t v)
{
	char s[32];

	snprintf(s, sizeof(s), "0x%" PRIx64, v);
	json_string(j, key, s);
}

static void json_masked(struct json *j, const char *key, const struct show_bit *bits, uint64_t value,
			uint64_t mask)
{
	json_open(j, key, '{');
	json_bits(j, "value", value);
	json_bits(j, "mask", mask);
	show_bits_json(j, "set", bits, value);
	show_bits_json(j, "open", bits, ~mask);
	json_close(j, '}');
}

static void json_signed(struct json *j, const struct facts *f)
{
	const struct isa_sigstruct *s = f->s;
	char date[9];

	snprintf(date, sizeof(date), "%08x", s->date);
	json_open(j, "sigstruct", '{');
	json_hex(j, "mrenclave", s->enclavehash, 32);
	json_hex(j, "mrsigner", f->mrsigner, 32);
	json_u64(j, "product", s->isvprodid);
	json_u64(j, "svn", s->isvsvn);
	json_u64(j, "vendor", s->vendor);
	json_string(j, "date", date);
	json_u64(j, "software_defined", s->swdefined);
	json_bool(j, "debug_allowed",
		  !(s->attributemask.flags & ATTR_DEBUG) || s->attributes.flags & ATTR_DEBUG);
	json_masked(j, "attributes", show_flags, s->attributes.flags, s->attributemask.flags);
	json_masked(j, "xfrm", show_xfrm, s->attributes.xfrm, s->attributemask.xfrm);
	json_masked(j, "miscselect", show_misc, s->miscselect, s->miscmask);
	json_hex(j, "family_id", s->isvfamilyid, sizeof(s->isvfamilyid));
	json_hex(j, "extended_product_id", s->isvextprodid, sizeof(s->isvextprodid));
	json_open(j, "holds", '{');
	json_bool(j, "constants", f->verdict.flaw == NULL);
	json_bool(j, "rsa", f->verdict.rsa);
	json_bool(j, "q1", f->verdict.q1);
	json_bool(j, "q2", f->verdict.q2);
	json_close(j, '}');
	json_close(j, '}');
}

static void json_layout(struct json *j, const struct image *im)
{
	json_open(j, "layout", '[');
	for (size_t i = 0; i < im->nlayout; i++) {
		const struct image_layout *l = &im->layout[i];
		char access[4];

		json_open(j, NULL, '{');
		json_u64(j, "id", l->id);
		json_string(j, "name", image_layout_name(im->metadata_version, l->id));
		if (l->id & LAYOUT_GROUP) {
			json_u64(j, "entries", l->entry_count);
			json_u64(j, "times", l->load_times);
			json_u64(j, "step", l->load_step);
		} else {
			json_u64(j, "offset", im->image_offset + l->rva);
			json_u64(j, "pages", l->page_count);
			json_u64(j, "attributes", l->attributes);
			json_string(j, "access", permissions(l->si_flags, access));
		}
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void json_metadata(struct json *j, const struct facts *f)
{
	const struct image *im = f->im;

	json_open(j, "metadata", '[');
	for (size_t i = 0; i < im->nversions; i++) {
		char version[32];

		snprintf(version, sizeof(version), "%u.%u", (unsigned)(im->versions[i] >> 32),
			 (unsigned)im->versions[i]);
		json_string(j, NULL, version);
	}
	json_close(j, ']');
	json_string(j, "thread_policy", im->tcs_policy ? "unbound" : "bound");
	json_u64(j, "heap_min", im->heap_min);
	json_u64(j, "heap_init", im->heap_init);
	json_u64(j, "heap_max", im->heap_max);
	json_u64(j, "stack_min", im->stack_min);
	json_u64(j, "stack_max", im->stack_max);
	json_layout(j, im);
}

static void json_runs(struct json *j, const struct image *im)
{
	json_open(j, "stretches", '[');
	for (size_t i = 0; i < im->nruns; i++) {
		char access[4];

		json_open(j, NULL, '{');
		json_u64(j, "offset", im->runs[i].offset);
		json_u64(j, "pages", im->runs[i].length / ISA_PAGE);
		json_string(j, "access", permissions(im->runs[i].secinfo, access));
		json_bool(j, "measured", im->runs[i].measured);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void print_json(struct json *j, const struct facts *f)
{
	const struct image *im = f->im;

	json_open(j, NULL, '{');
	json_string(j, "file", f->path);
	json_string(j, "format", im->format == IMAGE_SGXS ? "sgxs" : "sdk");
	json_bool(j, "kit", im->is_kit);
	json_bool(j, "simulation", im->is_simulation);
	json_bool(j, "encrypted", im->is_encrypted);
	json_bool(j, "signature_holds", f->signature_holds);
	json_bool(j, "measurement_holds", f->measurement_holds);
	json_hex(j, "mrenclave", f->mrenclave, 32);
	if (im->has_sigstruct)
		json_signed(j, f);
	else
		json_null(j, "sigstruct");
	json_u64(j, "size", im->size);
	json_u64(j, "pages", f->added);
	json_u64(j, "measured_pages", f->measured);
	if (im->fixed_base) {
		json_bits(j, "base", im->elrange_base);
		json_u64(j, "image_offset", im->image_offset);
	}
	json_u64(j, "entry", im->entry);
	json_u64(j, "ssa_frame_pages", im->ssaframesize);
	json_u64(j, "threads", f->threads);
	json_u64(j, "dynamic_threads", f->dynamic_threads);
	if (im->format == IMAGE_SDK)
		json_metadata(j, f);
	json_runs(j, im);
	json_close(j, '}');
}

/* ---- the command ---- */

static int run(struct cli *c)
{
	struct image_open_options opt = { .any_version = true,
					  .edmm = true,
					  .sigstruct_path = cli_value(c, "sigstruct") };
	struct facts f = { .path = c->argv[0] };
	struct bawn_error e = { 0 };
	struct image *im = NULL;
	int rc = cli_number(c, "size", 2 * ISA_PAGE, IMAGE_MAX_SIZE, &opt.unsized);

	if (rc)
		return rc;
	rc = image_open(&im, f.path, &opt, &e);
	if (rc == 0) {
		f.im = im;
		rc = find_out(&f, &opt, &e);
	}
	if (rc)
		rc = cli_fail(c, NULL, &e);
	else if (cli_flag(c, "json"))
		print_json(cli_json(c), &f);
	else
		print_text(&f);
	image_free(&im);
	if (rc == 0 && !(f.signature_holds && f.measurement_holds))
		rc = EXIT_DOES_NOT_HOLD;
	return rc;
}

const struct cli_command cmd_inspect = {
	.name = "inspect",
	.summary = "show what an enclave file is, and whether its signature holds",
	.operands = "FILE",
	.details = "Exit code 0 if signature and measurement hold, 3 if either does not.",
	.options = options,
	.min = 1,
	.max = 1,
	.run = run,
};
