/*
 * The platform file: what makes an emulated platform, as text.
 *
 *	# comment
 *	key = value
 *
 * One key a line, every key exactly once, in any order; lower-case hexadecimal
 * or words; nothing else. A file that says anything unexpected is refused: with
 * other fuses than meant, every key of every enclave would be another.
 */
#include "cpu/platform.h"

#include <string.h>

#define VERSION "1"

enum kind { K_VERSION, K_HEX, K_BOOL, K_LAUNCH, K_SIZE };

static const struct field {
	const char *name;
	enum kind kind;
	size_t offset, size; /* size: bytes for K_HEX */
} fields[] = {
#define HEX(name, member)                                                                          \
	{ name, K_HEX, offsetof(struct cpu_platform, member),                                      \
	  sizeof(((struct cpu_platform *)0)->member) }
#define BOOL(name, member) { name, K_BOOL, offsetof(struct cpu_platform, member), 0 }
	{ "bawn-platform", K_VERSION, 0, 0 },
	HEX("id", id),
	HEX("provision-fuse", provision_fuse),
	HEX("seal-fuse", seal_fuse),
	HEX("owner-epoch", owner_epoch),
	HEX("cpusvn", cpusvn),
	{ "launch-control", K_LAUNCH, offsetof(struct cpu_platform, launch_locked), 0 },
	HEX("lepubkeyhash", lepubkeyhash),
	BOOL("sgx2", sgx2),
	BOOL("kss", kss),
	BOOL("aex-notify", aexnotify),
	{ "epc-size", K_SIZE, offsetof(struct cpu_platform, epc_size), 0 },
#undef HEX
#undef BOOL
};

/* ---- reading ---- */

/* A piece of the text, not terminated. */
struct span {
	const char *p;
	size_t n;
};

static bool span_is(struct span s, const char *word)
{
	return s.n == strlen(word) && memcmp(s.p, word, s.n) == 0;
}

static bool parse_hex(struct span v, void *out, size_t n)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] >= 'A' && v.p[i] <= 'F')
			return false;
	return hex_decode(v.p, v.n, out, n);
}

/* Two words for a boolean. */
static bool parse_choice(struct span v, const char *yes, const char *no, bool *out)
{
	*out = span_is(v, yes);
	return *out || span_is(v, no);
}

static bool parse_size(struct span v, uint64_t *out)
{
	uint64_t n = 0;

	if (v.n == 0 || v.n > 19 || v.p[0] == '0')
		return false;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(v.p[i] - '0');
	}
	if (!platform_epc_size_legal(n))
		return false;
	*out = n;
	return true;
}

static bool parse_value(const struct field *f, struct span v, struct cpu_platform *out)
{
	void *to = (uint8_t *)out + f->offset;

	switch (f->kind) {
	case K_VERSION:
		return span_is(v, VERSION);
	case K_HEX:
		return parse_hex(v, to, f->size);
	case K_BOOL:
		return parse_choice(v, "yes", "no", to);
	case K_LAUNCH:
		return parse_choice(v, "locked", "flexible", to);
	case K_SIZE:
		return parse_size(v, to);
	}
	return false;
}

/* "key = value", one space on either side of the sign. */
static bool split(struct span line, struct span *key, struct span *value)
{
	const char *sign = memchr(line.p, '=', line.n);
	size_t at;

	if (!sign)
		return false;
	at = (size_t)(sign - line.p);
	if (at < 2 || line.n < at + 3 || sign[-1] != ' ' || sign[1] != ' ')
		return false;
	*key = (struct span){ line.p, at - 1 };
	*value = (struct span){ sign + 2, line.n - at - 2 };
	return true;
}

static int parse_line(struct span line, unsigned number, uint32_t *seen, struct cpu_platform *out,
		      struct bawn_error *e)
{
	struct span key, value;

	if (line.n == 0 || line.p[0] == '#')
		return 0;
	if (!split(line, &key, &value))
		return err_set(e, BAWN_ERR_FORMAT, "line %u: not of the form \"key = value\"",
			       number);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (!span_is(key, fields[i].name))
			continue;
		if (*seen & 1u << i)
			return err_set(e, BAWN_ERR_FORMAT, "line %u: %s is there twice", number,
				       fields[i].name);
		*seen |= 1u << i;
		if (!parse_value(&fields[i], value, out))
			return err_set(e, BAWN_ERR_FORMAT, "line %u: no valid value for %s",
				       number, fields[i].name);
		return 0;
	}
	return err_set(e, BAWN_ERR_FORMAT, "line %u: no such key", number);
}

static int check_whole(const struct cpu_platform *p, uint32_t seen, struct bawn_error *e)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (!(seen & 1u << i))
			return err_set(e, BAWN_ERR_FORMAT, "%s is missing", fields[i].name);
	if (ct_is_zero(p->provision_fuse, sizeof(p->provision_fuse)) ||
	    ct_is_zero(p->seal_fuse, sizeof(p->seal_fuse)))
		return err_set(e, BAWN_ERR_FORMAT, "the fuses are not blown (all zeros)");
	if (!p->sgx2 && p->aexnotify)
		return err_set(e, BAWN_ERR_FORMAT, "aex-notify = yes needs sgx2 = yes");
	return 0;
}

int cpu_platform_parse(const void *text, size_t n, struct cpu_platform *out, struct bawn_error *e)
{
	struct span rest = { text, n };
	struct cpu_platform p = { 0 };
	unsigned number = 0;
	uint32_t seen = 0;
	int r = 0;

	_Static_assert(ARRAY_LEN(fields) <= 32, "seen has a bit for each");
	if (n > PLATFORM_FILE_MAX)
		return err_set(e, BAWN_ERR_FORMAT, "larger than a platform file can be");
	while (rest.n && r == 0) {
		const char *end = memchr(rest.p, '\n', rest.n);
		struct span line = rest;

		if (!end) {
			r = err_set(e, BAWN_ERR_FORMAT, "the last line has no end");
			break;
		}
		line.n = (size_t)(end - rest.p);
		rest = (struct span){ end + 1, rest.n - line.n - 1 };
		r = parse_line(line, ++number, &seen, &p, e);
	}
	if (r == 0)
		r = check_whole(&p, seen, e);
	if (r == 0)
		*out = p;
	wipe(&p, sizeof(p));
	return r;
}

/* ---- writing ---- */

static void render_hex(struct buf *b, const void *p, size_t n)
{
	char hex[2 * 32 + 1];

	hex_encode(p, n, hex);
	buf_str(b, hex);
	wipe(hex, sizeof(hex));
}

void platform_render(const struct cpu_platform *p, struct buf *b)
{
	buf_str(b, "# An emulated SGX platform. Whoever can read this file is this machine:\n"
		   "# its enclaves' keys follow from the fuses below. Keep it, or lose them.\n");
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		const void *from = (const uint8_t *)p + fields[i].offset;
		uint64_t size;

		buf_str(b, fields[i].name);
		buf_str(b, " = ");
		switch (fields[i].kind) {
		case K_VERSION:
			buf_str(b, VERSION);
			break;
		case K_HEX:
			render_hex(b, from, fields[i].size);
			break;
		case K_BOOL:
			buf_str(b, *(const bool *)from ? "yes" : "no");
			break;
		case K_LAUNCH:
			buf_str(b, *(const bool *)from ? "locked" : "flexible");
			break;
		case K_SIZE:
			memcpy(&size, from, sizeof(size));
			buf_printf(b, "%llu", (unsigned long long)size);
			break;
		}
		buf_str(b, "\n");
	}
}
