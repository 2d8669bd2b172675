/* A policy as bytes: from the process that reads its text to the one that decides by it. */
#include "authority/authority.h"

#include <stdlib.h>
#include <string.h>

struct head {
	bool lock;
	uint32_t sections, rules;
	uint32_t list_line[AUTHORITY_LISTS], list_count[AUTHORITY_LISTS];
};
static const struct wire_field head_fields[] = {
	F_BOOL(struct head, lock),
	F_ZERO(3),
	F_MAX(struct head, sections, AUTHORITY_SECTIONS_MAX),
	F_MAX(struct head, rules, AUTHORITY_RULES_MAX),
	F_UINTS(struct head, list_line),
	{ WIRE_AT_(struct head, list_count), .kind = WIRE_UINT, .each = 4, .max = AUTHORITY_SIGNERS_MAX },
};

static const char *head_flaw(const void *host)
{
	const struct head *h = host;

	for (size_t i = 0; i < AUTHORITY_LISTS; i++)
		if (h->list_count[i] && !h->list_line[i])
			return "a list that is not there has entries";
	return NULL;
}

static const struct wire_layout head_layout =
	LAYOUT(struct head, "policy", head_fields, .flaw = head_flaw);

struct name {
	char name[WIRE_SECTION];
};
static const struct wire_field name_fields[] = { F_TEXT(struct name, name) };

static const char *name_flaw(const void *host)
{
	return *((const struct name *)host)->name ? NULL : "empty";
}

static const struct wire_layout name_layout =
	LAYOUT(struct name, "section", name_fields, .flaw = name_flaw);

static const struct wire_field rule_fields[] = {
	F_BOOL(struct authority_rule, allow),
	F_ZERO(3),
	F_UINT(struct authority_rule, line),
	F_UINT(struct authority_rule, sections),
	F_PART(struct authority_rule, match, wire_match_layout),
	F_MAX(struct authority_rule, rate, 1000000),
	F_MAX(struct authority_rule, rate_seconds, 86400),
	F_MAX(struct authority_rule, burst, 1000000),
	F_UINT(struct authority_rule, epc),
};

static const char *rule_flaw(const void *host)
{
	const struct authority_rule *r = host;

	if (!r->line)
		return "of no line";
	if (r->allow && !r->sections)
		return "a permission in no section";
	if (!r->rate != !r->rate_seconds || !r->rate != !r->burst)
		return "half a rate";
	if (!r->allow && (r->rate || r->epc))
		return "a denial with limits";
	return NULL;
}

static const struct wire_layout rule_layout =
	LAYOUT(struct authority_rule, "rule", rule_fields, .flaw = rule_flaw);

void authority_policy_encode(const struct authority_policy *p, struct buf *out)
{
	struct head h = { .lock = p->lock, .sections = p->sections, .rules = p->rules };

	for (size_t i = 0; i < AUTHORITY_LISTS; i++) {
		h.list_line[i] = p->list[i].line;
		h.list_count[i] = p->list[i].count;
	}
	wire_encode(&head_layout, &h, out);
	for (uint32_t i = 0; i < p->sections; i++)
		wire_encode(&name_layout, p->section[i], out);
	for (size_t i = 0; i < AUTHORITY_LISTS; i++)
		buf_add(out, p->list[i].mrsigner, p->list[i].count * 32);
	for (uint32_t i = 0; i < p->rules; i++)
		wire_encode(&rule_layout, &p->rule[i], out);
}

static int read_sections(struct authority_policy *p, struct cur *c, struct bawn_error *e)
{
	for (uint32_t i = 0; i < p->sections; i++) {
		int rc = wire_decode(&name_layout, c, p->section[i], e);

		if (rc)
			return rc;
		if (authority_section(p, p->section[i]) != (int)i)
			return err_set(e, BAWN_ERR_FORMAT, "policy: a section twice");
	}
	return 0;
}

static int read_rules(struct authority_policy *p, struct cur *c, struct bawn_error *e)
{
	uint64_t known = p->sections == 64 ? UINT64_MAX : (UINT64_C(1) << p->sections) - 1;

	for (uint32_t i = 0; i < p->rules; i++) {
		int rc = wire_decode(&rule_layout, c, &p->rule[i], e);

		if (rc)
			return rc;
		if (p->rule[i].sections & ~known)
			return err_set(e, BAWN_ERR_FORMAT, "policy: a rule in a section that is not there");
	}
	return 0;
}

static int read_policy(struct authority_policy *p, struct cur c, struct bawn_error *e)
{
	struct head h;
	int rc = wire_decode(&head_layout, &c, &h, e);

	if (rc)
		return rc;
	p->lock = h.lock;
	p->sections = h.sections;
	p->rules = h.rules;
	rc = read_sections(p, &c, e);
	for (size_t i = 0; i < AUTHORITY_LISTS && rc == 0; i++) {
		p->list[i].line = h.list_line[i];
		p->list[i].count = h.list_count[i];
		if (!cur_bytes(&c, p->list[i].mrsigner, (size_t)h.list_count[i] * 32))
			rc = err_set(e, BAWN_ERR_FORMAT, "policy: a list is cut short");
	}
	if (rc == 0)
		rc = read_rules(p, &c, e);
	if (rc == 0 && c.n)
		rc = err_set(e, BAWN_ERR_FORMAT, "policy: %zu bytes too many", c.n);
	return rc;
}

int authority_policy_decode(const void *bytes, size_t n, struct authority_policy **out,
			    struct bawn_error *e)
{
	struct authority_policy *p = calloc(1, sizeof(*p));
	int rc = p ? read_policy(p, cur_make(bytes, n), e) : err_nomem(e);

	if (rc) {
		free(p);
		return rc;
	}
	*out = p;
	return 0;
}
