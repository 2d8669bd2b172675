/* The owner's policy: its text. bawn-policy(5) documents every word of it. */
#include "authority/authority.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parser {
	struct authority_policy *p;
	const struct authority_names *names;
	const struct words *w;
	uint64_t sections; /* of the header above; 0: still before the first */
};

static int wrong(const struct parser *x, struct bawn_error *e, const char *what, const char *word)
{
	return words_wrong(x->w, e, what, word);
}

const char *authority_list_name(enum authority_list which)
{
	static const char *const names[AUTHORITY_LISTS] = { "signing_keys", "launch_keys",
							    "provisioning_keys" };

	return which < AUTHORITY_LISTS ? names[which] : "?";
}

/* ---- sections ---- */

int authority_section(const struct authority_policy *p, const char *name)
{
	for (uint32_t i = 0; i < p->sections; i++)
		if (strcmp(p->section[i], name) == 0)
			return (int)i;
	return -1;
}

static bool section_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return n && n < WIRE_SECTION && !s[n];
}

static int add_section(struct parser *x, const char *name, struct bawn_error *e)
{
	struct authority_policy *p = x->p;
	int at = authority_section(p, name);

	if (!section_name(name))
		return wrong(x, e, "a section's name has letters, digits, . _ and -, up to 31", name);
	if (at < 0) {
		if (p->sections == AUTHORITY_SECTIONS_MAX)
			return wrong(x, e, "too many sections", name);
		at = (int)p->sections++;
		strcpy(p->section[at], name); /* fits: section_name */
	}
	if (x->sections & UINT64_C(1) << at)
		return wrong(x, e, "said twice", name);
	x->sections |= UINT64_C(1) << at;
	return 0;
}

/* "[native aesm]": brackets may touch the names or not. */
static int do_header(struct parser *x, struct bawn_error *e)
{
	bool open = true;

	x->sections = 0;
	for (size_t i = 0; i < x->w->count; i++) {
		char *s = x->w->word[i];
		size_t n;
		int rc;

		if (!open)
			return wrong(x, e, "something follows the section's name", s);
		s += i == 0; /* the bracket */
		n = strlen(s);
		if (n && s[n - 1] == ']') {
			s[n - 1] = '\0';
			open = false;
		}
		rc = *s ? add_section(x, s, e) : 0;
		if (rc)
			return rc;
	}
	if (open || !x->sections)
		return wrong(x, e, "a section looks like [native]", NULL);
	return 0;
}

/* ---- what stands before the first section ---- */

static int do_lock(struct parser *x, struct bawn_error *e)
{
	if (x->w->count != 1 || x->p->lock)
		return wrong(x, e, "lock stands alone, and once", NULL);
	x->p->lock = true;
	return 0;
}

static int do_list(struct parser *x, enum authority_list which, struct bawn_error *e)
{
	struct authority_signers *l = &x->p->list[which];
	bool none = x->w->count == 2 && strcmp(x->w->word[1], "none") == 0;

	if (x->w->count < 2)
		return wrong(x, e, "a list names signers, or none", x->w->word[0]);
	if (l->line && (none || !l->count))
		return wrong(x, e, "none stands alone", x->w->word[0]);
	if (!l->line)
		l->line = x->w->number;
	for (size_t i = 1; i < x->w->count && !none; i++) {
		const char *hex = x->w->word[i];

		if (l->count == AUTHORITY_SIGNERS_MAX)
			return wrong(x, e, "too many signers in one list", x->w->word[0]);
		if (!hex_decode(hex, strlen(hex), l->mrsigner[l->count++], 32))
			return wrong(x, e, "not an MRSIGNER, 32 bytes in hexadecimal", hex);
	}
	return 0;
}

/* ---- rules ---- */

/* "600/m": so many in a second, minute, hour or day. */
static int read_rate(struct parser *x, const char *s, struct authority_rule *r, struct bawn_error *e)
{
	static const struct {
		const char *unit;
		uint32_t seconds;
	} units[] = { { "/s", 1 }, { "/m", 60 }, { "/h", 3600 }, { "/d", 86400 } };
	size_t n = strcspn(s, "/");
	uint64_t v;

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(s + n, units[i].unit) == 0)
			r->rate_seconds = units[i].seconds;
	if (!r->rate_seconds || !words_number(s, n, 1000000, &v) || !v)
		return wrong(x, e, "a rate looks like 600/m: s, m, h or d, up to a million", s);
	r->rate = (uint32_t)v;
	return 0;
}

static int read_burst(struct parser *x, const char *s, struct authority_rule *r, struct bawn_error *e)
{
	uint64_t v;

	if (!words_number(s, strlen(s), 1000000, &v) || !v)
		return wrong(x, e, "a burst is a number from 1 to a million", s);
	r->burst = (uint32_t)v;
	return 0;
}

/* "64M": bytes, or K, M, G of 1024. */
static int read_epc(struct parser *x, const char *s, struct authority_rule *r, struct bawn_error *e)
{
	static const char units[] = "KMG";
	size_t n = strlen(s);
	const char *unit = n ? strchr(units, s[n - 1]) : NULL;
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	uint64_t v;

	if (!words_number(s, n - (unit != NULL), UINT64_C(1) << 20, &v) || !v || v << shift < ISA_PAGE)
		return wrong(x, e, "a size looks like 64M: at least a page", s);
	r->epc = v << shift;
	return 0;
}

static int rule_word(struct parser *x, char *word, struct authority_rule *r, struct bawn_error *e)
{
	static const struct {
		const char *key;
		int (*fn)(struct parser *x, const char *s, struct authority_rule *r, struct bawn_error *e);
	} own[] = { { "rate=", read_rate }, { "burst=", read_burst }, { "epc=", read_epc } };
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		size_t n = strlen(own[i].key);

		if (strncmp(word, own[i].key, n) != 0)
			continue;
		if (!r->allow)
			return wrong(x, e, "a denial has no limits", word);
		if (i == 0 ? r->rate : i == 1 ? r->burst : r->epc != 0)
			return wrong(x, e, "said twice", word);
		return own[i].fn(x, word + n, r, e);
	}
	if (x->sections && strncmp(word, "socket=", 7) == 0)
		return wrong(x, e, "the section already says which socket", word);
	rc = authority_match_word(&r->match, word, x->names, e);
	if (rc)
		err_context(e, "line %u", x->w->number);
	return rc;
}

/* What can only be seen when the whole rule is there. */
static const char *rule_flaw(struct authority_rule *r)
{
	const char *why = wire_match_flaw(&r->match);

	if (r->burst && !r->rate)
		return "a burst without a rate";
	if (r->rate && !r->burst)
		r->burst = r->rate;
	if (r->epc && !(r->match.operations & WIRE_OP_BIT(WIRE_OP_LAUNCH)))
		return "epc is about launch";
	return why;
}

static int do_rule(struct parser *x, bool allow, struct bawn_error *e)
{
	struct authority_rule *r = &x->p->rule[x->p->rules];
	const char *why;
	int rc;

	if (x->p->rules == AUTHORITY_RULES_MAX)
		return wrong(x, e, "too many rules", NULL);
	if (allow && !x->sections)
		return wrong(x, e, "allow stands in a section, which says on which socket: [native]", NULL);
	if (x->w->count < 2)
		return wrong(x, e, "a rule names operations, such as quote or any", x->w->word[0]);
	*r = (struct authority_rule){ .allow = allow, .line = x->w->number, .sections = x->sections };
	rc = authority_match_operations(&r->match, x->w->word[1], e);
	if (rc) {
		err_context(e, "line %u", x->w->number);
		return rc;
	}
	for (size_t i = 2; i < x->w->count && rc == 0; i++)
		rc = rule_word(x, x->w->word[i], r, e);
	if (rc)
		return rc;
	why = rule_flaw(r);
	if (why)
		return wrong(x, e, why, NULL);
	x->p->rules++;
	return 0;
}

/* ---- the text ---- */

static int do_line(struct parser *x, struct bawn_error *e)
{
	const char *first = x->w->word[0];

	if (*first == '[')
		return do_header(x, e);
	if (strcmp(first, "allow") == 0 || strcmp(first, "deny") == 0)
		return do_rule(x, *first == 'a', e);
	if (strcmp(first, "lock") == 0)
		return x->sections ? wrong(x, e, "this stands before the first section", first) :
				     do_lock(x, e);
	for (unsigned i = 0; i < AUTHORITY_LISTS; i++)
		if (strcmp(first, authority_list_name(i)) == 0)
			return x->sections ? wrong(x, e, "this stands before the first section", first) :
					     do_list(x, i, e);
	return wrong(x, e, "not a word that a policy knows", first);
}

int authority_policy_parse(const char *text, size_t n, const struct authority_names *names,
			   struct authority_policy **out, struct bawn_error *e)
{
	struct authority_policy *p = calloc(1, sizeof(*p));
	struct words *w = malloc(sizeof(*w));
	struct parser x = { .p = p, .names = names, .w = w };
	struct cur rest = cur_make(text, n);
	int rc = p && w ? 0 : err_nomem(e);

	if (rc == 0 && n > AUTHORITY_TEXT_MAX)
		rc = err_set(e, BAWN_ERR_FORMAT, "a policy has at most %u bytes", AUTHORITY_TEXT_MAX);
	if (rc == 0)
		w->number = 0;
	while (rc == 0 && (rc = words_next(&rest, w, e)) > 0)
		rc = do_line(&x, e);
	free(w);
	if (rc) {
		free(p);
		return rc;
	}
	*out = p;
	return 0;
}

bool authority_listed(const struct authority_policy *p, enum authority_list which,
		      const uint8_t mrsigner[32])
{
	const struct authority_signers *l = &p->list[which];
	bool found = false;

	for (uint32_t i = 0; i < l->count; i++)
		found = ct_equal(l->mrsigner[i], mrsigner, 32) || found;
	return !l->line || found;
}

/* ---- what is probably not meant ---- */

#define NO_ENCLAVE                                                                                 \
	(WIRE_OP_BIT(WIRE_OP_STATUS) | WIRE_OP_BIT(WIRE_OP_COLLATERAL) |                           \
	 WIRE_OP_BIT(WIRE_OP_PROVISION) | WIRE_OP_BIT(WIRE_OP_ADMINISTER))

/* The line that decides before rule `at` in every one of its sections, or 0. */
static uint32_t hidden_by(const struct authority_policy *p, uint32_t at)
{
	const struct authority_rule *r = &p->rule[at];

	for (uint32_t i = 0; i < at; i++) {
		const struct authority_rule *q = &p->rule[i];
		struct wire_match same = q->match;

		if (q->sections && r->sections & ~q->sections)
			continue;
		if (r->match.operations & ~q->match.operations)
			continue;
		same.operations = r->match.operations;
		if (!q->match.has || authority_match_equal(&same, &r->match))
			return q->line;
	}
	return 0;
}

void authority_policy_remarks(const struct authority_policy *p,
			      void (*fn)(void *arg, unsigned line, const char *remark), void *arg)
{
	bool administered = false;
	char text[80];

	for (uint32_t i = 0; i < p->rules; i++) {
		const struct authority_rule *r = &p->rule[i];
		bool administer = r->allow && r->match.operations & WIRE_OP_BIT(WIRE_OP_ADMINISTER);
		uint32_t by = hidden_by(p, i);

		administered = administered || administer;
		if (by) {
			snprintf(text, sizeof(text), "never reached: line %u decides before it", by);
			fn(arg, r->line, text);
		}
		if (r->match.has & WIRE_HAS_ENCLAVE && !(r->match.operations & ~NO_ENCLAVE))
			fn(arg, r->line, "these operations are about no enclave, so this never holds");
		if (administer && !(r->match.has & WIRE_HAS_SUBJECT))
			fn(arg, r->line, "whoever can open the socket may administer");
	}
	if (!administered)
		fn(arg, 0, "nobody may administer: no grants, revocations or reloads over the socket");
}
