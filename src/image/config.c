/* The signer's configuration: lines of "key = value". */
#include "image/image.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_LENGTH 256
#define THREADS_MAX 8192
#define REGION_MAX (UINT64_C(16) << 30) /* of a heap or a stack */

void image_config_default(struct image_config *c)
{
	*c = (struct image_config){
		.miscmask = UINT32_MAX,
		.xfrm = XFRM_X87_SSE,
		.xfrm_mask = UINT64_MAX,
		.heap_min = 1 << 20,
		.heap_init = 1 << 20,
		.heap_max = 1 << 20,
		.stack_min = 256 << 10,
		.stack_max = 256 << 10,
		.threads = 1,
		.threads_max = 1,
	};
}

void image_config_from_sigstruct(struct image_config *c, const struct isa_sigstruct *s)
{
	const uint64_t flags = s->attributes.flags;

	image_config_default(c);
	c->isvprodid = s->isvprodid;
	c->isvsvn = s->isvsvn;
	c->debug = !(s->attributemask.flags & ATTR_DEBUG);
	c->provision_key = flags & ATTR_PROVISIONKEY;
	c->einittoken_key = flags & ATTR_EINITTOKEN_KEY;
	c->kss = flags & ATTR_KSS;
	c->aexnotify = flags & ATTR_AEXNOTIFY;
	memcpy(c->isvfamilyid, s->isvfamilyid, sizeof(c->isvfamilyid));
	memcpy(c->isvextprodid, s->isvextprodid, sizeof(c->isvextprodid));
	c->miscselect = s->miscselect;
	c->miscmask = s->miscmask;
	c->xfrm = s->attributes.xfrm;
	c->xfrm_mask = s->attributemask.xfrm;
	c->swdefined = s->swdefined;
}

/* ---- values ---- */

static bool parse_bool(const char *v, bool *out)
{
	if (strcmp(v, "yes") != 0 && strcmp(v, "no") != 0)
		return false;
	*out = *v == 'y';
	return true;
}

/* Decimal or 0x; nothing else around it. */
static bool parse_digits(const char *v, size_t n, uint64_t *out)
{
	unsigned base = 10;
	uint64_t sum = 0;

	if (n > 2 && v[0] == '0' && v[1] == 'x') {
		base = 16;
		v += 2;
		n -= 2;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned d = v[i] >= '0' && v[i] <= '9' ? (unsigned)(v[i] - '0') :
			     v[i] >= 'a' && v[i] <= 'f' ? (unsigned)(v[i] - 'a' + 10) :
			     v[i] >= 'A' && v[i] <= 'F' ? (unsigned)(v[i] - 'A' + 10) :
							  99;
		if (d >= base || !mul_u64(sum, base, &sum) || !add_u64(sum, d, &sum))
			return false;
	}
	*out = sum;
	return n > 0;
}

static bool parse_number(const char *v, uint64_t max, uint64_t *out)
{
	return parse_digits(v, strlen(v), out) && *out <= max;
}

/* Bytes, with K, M or G for 1024 and its powers; whole pages. */
static bool parse_size(const char *v, uint64_t *out)
{
	static const char units[] = "KMG";
	size_t n = strlen(v);
	const char *unit = n ? strchr(units, v[n - 1]) : NULL;
	uint64_t scale = 1;

	if (unit && *unit) {
		scale = UINT64_C(1) << 10 * (unit - units + 1);
		n--;
	}
	return parse_digits(v, n, out) && mul_u64(*out, scale, out) && *out <= REGION_MAX &&
	       *out % ISA_PAGE == 0;
}

/* ---- keys ---- */

enum kind { BOOL, NUMBER, SIZE, ID, DATE, POLICY };
struct key {
	const char *name;
	enum kind kind;
	size_t offset, width; /* of the field */
	bool layout;
	const char *want;
};
#define FIELD(f) offsetof(struct image_config, f), sizeof(((struct image_config *)0)->f)
static const struct key keys[] = {
	{ "product", NUMBER, FIELD(isvprodid), false, "0 to 65535" },
	{ "svn", NUMBER, FIELD(isvsvn), false, "0 to 65535" },
	{ "debug", BOOL, FIELD(debug), false, "yes or no" },
	{ "provision_key", BOOL, FIELD(provision_key), false, "yes or no" },
	{ "einittoken_key", BOOL, FIELD(einittoken_key), false, "yes or no" },
	{ "kss", BOOL, FIELD(kss), false, "yes or no" },
	{ "aex_notify", BOOL, FIELD(aexnotify), false, "yes or no" },
	{ "family_id", ID, FIELD(isvfamilyid), false, "32 hexadecimal digits" },
	{ "extended_product_id", ID, FIELD(isvextprodid), false, "32 hexadecimal digits" },
	{ "misc_select", NUMBER, FIELD(miscselect), false, "a 32-bit number" },
	{ "misc_mask", NUMBER, FIELD(miscmask), false, "a 32-bit number" },
	{ "xfrm", NUMBER, FIELD(xfrm), false, "a 64-bit number" },
	{ "xfrm_mask", NUMBER, FIELD(xfrm_mask), false, "a 64-bit number" },
	{ "vendor", NUMBER, FIELD(vendor), false, "0 or 0x8086" },
	{ "software_defined", NUMBER, FIELD(swdefined), false, "a 32-bit number" },
	{ "date", DATE, FIELD(date), false, "yyyymmdd" },
	{ "heap_min", SIZE, FIELD(heap_min), true, "bytes in whole pages, at most 16G" },
	{ "heap_init", SIZE, FIELD(heap_init), true, "bytes in whole pages, at most 16G" },
	{ "heap_max", SIZE, FIELD(heap_max), true, "bytes in whole pages, at most 16G" },
	{ "stack_min", SIZE, FIELD(stack_min), true, "bytes in whole pages, at most 16G" },
	{ "stack_max", SIZE, FIELD(stack_max), true, "bytes in whole pages, at most 16G" },
	{ "threads", NUMBER, FIELD(threads), true, "1 to 8192" },
	{ "threads_max", NUMBER, FIELD(threads_max), true, "1 to 8192" },
	{ "thread_policy", POLICY, FIELD(threads_bound), true, "bound or unbound" },
};
_Static_assert(ARRAY_LEN(keys) <= 32, "one bit for each key");

static bool set_number(const struct key *k, const char *v, void *field)
{
	uint64_t max = k->width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * k->width) - 1, n;

	if (!parse_number(v, max, &n))
		return false;
	memcpy(field, &n, k->width); /* little-endian, as all of SGX */
	return true;
}

static bool set(const struct key *k, const char *v, struct image_config *c)
{
	void *field = (char *)c + k->offset;
	struct bawn_error ignored = { 0 };

	switch (k->kind) {
	case BOOL:
		return parse_bool(v, field);
	case NUMBER:
		return set_number(k, v, field);
	case SIZE:
		return parse_size(v, field);
	case ID:
		return hex_decode(v, strlen(v), field, k->width);
	case DATE:
		return image_date_parse(v, field, &ignored) == 0;
	case POLICY:
		c->threads_bound = strcmp(v, "bound") == 0;
		return c->threads_bound || strcmp(v, "unbound") == 0;
	}
	return false;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* [from, to) without blanks around it, ended by a NUL in the line's own buffer. */
static char *trim(char *from, char *to)
{
	while (from < to && blank(*from))
		from++;
	while (to > from && blank(to[-1]))
		to--;
	*to = '\0';
	return from;
}

static int parse_line(char *line, size_t n, unsigned number, struct image_config *c, uint32_t *seen,
		      struct bawn_error *e)
{
	char *hash = memchr(line, '#', n), *end = hash ? hash : line + n;
	char *equals = memchr(line, '=', (size_t)(end - line));

	if (!equals) {
		if (*trim(line, end))
			return err_set(e, BAWN_ERR_FORMAT, "line %u is not \"key = value\"", number);
		return 0;
	}
	char *value = trim(equals + 1, end), *name = trim(line, equals);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(name, keys[i].name) != 0)
			continue;
		if (*seen >> i & 1)
			return err_set(e, BAWN_ERR_FORMAT, "line %u: \"%s\" is there twice", number,
				       name);
		if (!set(&keys[i], value, c))
			return err_set(e, BAWN_ERR_FORMAT, "line %u: \"%s\" must be %s", number,
				       name, keys[i].want);
		*seen |= UINT32_C(1) << i;
		c->has_layout |= keys[i].layout;
		return 0;
	}
	return err_set(e, BAWN_ERR_FORMAT, "line %u: there is no key \"%.40s\"", number, name);
}

static bool said(uint32_t seen, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return seen >> i & 1;
	return false;
}

/* One of a group of sizes stands for those that follow from it. */
static void derive(struct image_config *c, uint32_t seen)
{
	bool min = said(seen, "heap_min"), init = said(seen, "heap_init"),
	     max = said(seen, "heap_max");

	if (!init && (min || max))
		c->heap_init = max ? c->heap_max : c->heap_min;
	if (!min && (init || max))
		c->heap_min = c->heap_init;
	if (!max && (min || init))
		c->heap_max = c->heap_init;
	if (said(seen, "stack_max") && !said(seen, "stack_min"))
		c->stack_min = c->stack_max;
	if (said(seen, "stack_min") && !said(seen, "stack_max"))
		c->stack_max = c->stack_min;
	if (said(seen, "threads") && !said(seen, "threads_max"))
		c->threads_max = c->threads;
}

static const char *flaw(const struct image_config *c)
{
	if (c->vendor != 0 && c->vendor != ISA_VENDOR_INTEL)
		return "vendor must be 0 or 0x8086";
	if (isa_xfrm_flaw(c->xfrm, UINT64_MAX))
		return isa_xfrm_flaw(c->xfrm, UINT64_MAX);
	if (!c->kss && !(ct_is_zero(c->isvfamilyid, sizeof(c->isvfamilyid)) &&
			 ct_is_zero(c->isvextprodid, sizeof(c->isvextprodid))))
		return "family_id and extended_product_id need kss = yes";
	if (c->heap_min > c->heap_init || c->heap_init > c->heap_max)
		return "heap_min, heap_init and heap_max must not fall";
	if (c->heap_min < ISA_PAGE)
		return "heap_min must be a page at least";
	if (c->stack_min < 2 * ISA_PAGE || c->stack_min > c->stack_max)
		return "stack_min must be two pages at least and not above stack_max";
	if (c->threads == 0 || c->threads > c->threads_max || c->threads_max > THREADS_MAX)
		return "threads must be 1 at least, threads_max not below it nor above 8192";
	return NULL;
}

int image_config_parse(const void *text, size_t n, struct image_config *c, struct bawn_error *e)
{
	const char *p = text, *end = p + n;
	uint32_t seen = 0;
	const char *wrong;

	for (unsigned number = 1; p < end; number++) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		const char *stop = newline ? newline : end;
		char line[LINE_MAX_LENGTH];
		size_t length = (size_t)(stop - p);
		int rc;

		if (length >= sizeof(line) || memchr(p, '\0', length))
			return err_set(e, BAWN_ERR_FORMAT, "line %u is too long or not text",
				       number);
		memcpy(line, p, length);
		rc = parse_line(line, length, number, c, &seen, e);
		if (rc)
			return rc;
		p = newline ? newline + 1 : end;
	}
	derive(c, seen);
	wrong = flaw(c);
	return wrong ? err_set(e, BAWN_ERR_FORMAT, "%s", wrong) : 0;
}

/* ---- dates ---- */

int image_date_parse(const char *text, uint32_t *date, struct bawn_error *e)
{
	static const uint8_t days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	uint32_t bcd = 0;

	for (unsigned i = 0; i < 8; i++) {
		if (text[i] < '0' || text[i] > '9')
			return err_set(e, BAWN_ERR_USAGE, "a date is eight digits, yyyymmdd");
		bcd = bcd << 4 | (uint32_t)(text[i] - '0');
	}
	unsigned month = (bcd >> 12 & 15) * 10 + (bcd >> 8 & 15);
	unsigned day = (bcd >> 4 & 15) * 10 + (bcd & 15);
	if (text[8] || month < 1 || month > 12 || day < 1 || day > days[month - 1])
		return err_set(e, BAWN_ERR_USAGE, "there is no such date: %.8s", text);
	*date = bcd;
	return 0;
}

int image_date_from_time(int64_t seconds, uint32_t *date, struct bawn_error *e)
{
	time_t t = (time_t)seconds;
	char text[40];
	struct tm tm;

	if (!gmtime_r(&t, &tm) || tm.tm_year < 70 || tm.tm_year > 8099)
		return err_set(e, BAWN_ERR_USAGE, "the time of signing is not in this millennium");
	snprintf(text, sizeof(text), "%04d%02d%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
	return image_date_parse(text, date, e);
}
