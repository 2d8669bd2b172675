/* The decision: who asks for what, and which line says what about it. */
#include "authority/authority.h"

#include <stdio.h>
#include <string.h>

/* ---- matching; `unknown` is what a condition on something unknown comes to ---- */

static bool has_gid(const struct authority_subject *s, uint32_t first, uint32_t last)
{
	if (s->gid >= first && s->gid <= last)
		return true;
	for (size_t i = 0; i < s->ngroups; i++)
		if (s->groups[i] >= first && s->groups[i] <= last)
			return true;
	return false;
}

/* The group itself or one below it. */
static bool in_cgroup(const char *path, const char *group)
{
	size_t n = strlen(group);

	if (strcmp(group, "/") == 0)
		return true;
	return strncmp(path, group, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

static bool subject_matches(const struct wire_match *m, const struct authority_subject *s, bool unknown)
{
	if (m->has & WIRE_HAS_UID && (s->uid < m->uid_first || s->uid > m->uid_last))
		return false;
	if (m->has & WIRE_HAS_GID && !has_gid(s, m->gid_first, m->gid_last) &&
	    !(s->more_groups && unknown))
		return false;
	if (m->has & WIRE_HAS_SOCKET && strcmp(s->section, m->socket) != 0)
		return false;
	if (m->has & WIRE_HAS_CGROUP && !(s->cgroup ? in_cgroup(s->cgroup, m->cgroup) : unknown))
		return false;
	return true;
}

static bool enclave_matches(const struct wire_match *m, const struct wire_identity *i, bool unknown)
{
	const struct {
		uint32_t has, known;
		bool holds;
	} conditions[] = {
		{ WIRE_HAS_MRENCLAVE, WIRE_KNOWN_MRENCLAVE, ct_equal(i->mrenclave, m->mrenclave, 32) },
		{ WIRE_HAS_MRSIGNER, WIRE_KNOWN_MRSIGNER, ct_equal(i->mrsigner, m->mrsigner, 32) },
		{ WIRE_HAS_PRODUCT, WIRE_KNOWN_PRODUCT, i->product == m->product },
		{ WIRE_HAS_SVN, WIRE_KNOWN_SVN, i->svn >= m->svn },
		{ WIRE_HAS_DEBUG, WIRE_KNOWN_ATTRIBUTES, !(i->attributes & ATTR_DEBUG) == !m->debug },
	};

	for (size_t k = 0; k < ARRAY_LEN(conditions); k++)
		if (m->has & conditions[k].has &&
		    !(i->known & conditions[k].known ? conditions[k].holds : unknown))
			return false;
	return true;
}

bool authority_matches(const struct wire_match *m, const struct authority_subject *s,
		       const struct wire_identity *identity, bool unknown)
{
	if (!subject_matches(m, s, unknown))
		return false;
	if (!(m->has & WIRE_HAS_ENCLAVE))
		return true;
	return identity && identity->known && enclave_matches(m, identity, unknown);
}

/* ---- the order of things ---- */

struct question {
	const struct authority_policy *p;
	const struct authority_entries *entries;
	const struct authority_subject *s;
	const struct wire_identity *identity;
	enum wire_operation op;
	uint64_t now;
	bool ahead; /* of an enclave that is not there yet: identity is NULL */
};

/*
 * What may become of it: it can be just the enclave that a permission names,
 * and none of those that are refused.
 */
static bool applies(const struct question *q, const struct wire_match *m, bool refuses)
{
	if (q->ahead && m->has & WIRE_HAS_ENCLAVE)
		return !refuses && subject_matches(m, q->s, false);
	return authority_matches(m, q->s, q->identity, refuses);
}

/* The first entry of a kind that says something about this, or NULL. */
static const struct wire_entry *find_entry(const struct question *q, enum wire_entry_kind kind)
{
	const struct wire_entry *x;

	for (size_t i = 0; (x = authority_entries_at(q->entries, i)); i++)
		if (x->kind == kind && x->match.operations & WIRE_OP_BIT(q->op) &&
		    !(x->expires && x->expires <= q->now) &&
		    applies(q, &x->match, kind == WIRE_REVOCATION))
			return x;
	return NULL;
}

/* The first rule of these sections (0: those before the first) that applies, or NULL. */
static const struct authority_rule *find_rule(const struct question *q, uint64_t sections)
{
	for (uint32_t i = 0; i < q->p->rules; i++) {
		const struct authority_rule *r = &q->p->rule[i];

		if ((sections ? r->sections & sections : !r->sections) &&
		    r->match.operations & WIRE_OP_BIT(q->op) &&
		    applies(q, &r->match, !r->allow))
			return r;
	}
	return NULL;
}

static void by_rule(const struct authority_rule *r, struct wire_decision *out)
{
	out->allowed = r->allow;
	out->reason = WIRE_REASON_RULE;
	out->line = r->line;
	out->rate = r->rate;
	out->rate_seconds = r->rate_seconds;
	out->burst = r->burst;
	out->epc = r->epc;
}

static void by_entry(const struct wire_entry *x, struct wire_decision *out)
{
	out->allowed = x->kind == WIRE_GRANT;
	out->reason = out->allowed ? WIRE_REASON_GRANT : WIRE_REASON_REVOKED;
	out->entry = x->id;
}

#define KEY_ATTRIBUTES (ATTR_PROVISIONKEY | ATTR_EINITTOKEN_KEY)

/* What no permission can overrule when an enclave is to be launched. True if it decided. */
static bool launch_refused(const struct question *q, struct wire_decision *out)
{
	const struct wire_identity *i = q->identity;

	if (q->op != WIRE_OP_LAUNCH || !i || !i->known)
		return false;
	if (!(i->known & WIRE_KNOWN_ATTRIBUTES) || i->attributes & KEY_ATTRIBUTES) {
		out->reason = WIRE_REASON_KEYS;
		return true;
	}
	if (q->p->list[AUTHORITY_SIGNING_KEYS].line &&
	    !(i->known & WIRE_KNOWN_MRSIGNER &&
	      authority_listed(q->p, AUTHORITY_SIGNING_KEYS, i->mrsigner))) {
		out->reason = WIRE_REASON_LIST;
		out->line = q->p->list[AUTHORITY_SIGNING_KEYS].line;
		return true;
	}
	return false;
}

static void decide(const struct question *q, struct wire_decision *out)
{
	int section = authority_section(q->p, q->s->section);
	const struct authority_rule *r;
	const struct wire_entry *x;

	if (q->entries && authority_entries_damaged(q->entries)) {
		out->reason = WIRE_REASON_DAMAGED;
		return;
	}
	x = q->entries ? find_entry(q, WIRE_REVOCATION) : NULL;
	if (x) {
		by_entry(x, out);
		return;
	}
	if (launch_refused(q, out))
		return;
	r = find_rule(q, 0);
	x = !r && q->entries ? find_entry(q, WIRE_GRANT) : NULL;
	if (x) {
		by_entry(x, out);
		return;
	}
	if (!r && section >= 0)
		r = find_rule(q, UINT64_C(1) << section);
	if (r)
		by_rule(r, out);
}

void authority_decide(const struct authority_policy *p, const struct authority_entries *entries,
		      const struct authority_subject *s, enum wire_operation op,
		      const struct wire_identity *identity, uint64_t now, struct wire_decision *out)
{
	const struct question q = { .p = p, .entries = entries, .s = s, .identity = identity,
				    .op = op, .now = now };

	memset(out, 0, sizeof(*out));
	out->reason = WIRE_REASON_DEFAULT;
	if (op < WIRE_OPERATIONS)
		decide(&q, out);
}

void authority_decide_ahead(const struct authority_policy *p, const struct authority_entries *entries,
			    const struct authority_subject *s, enum wire_operation op, uint64_t now,
			    struct wire_decision *out)
{
	const struct question q = { .p = p, .entries = entries, .s = s, .op = op, .now = now, .ahead = true };
	struct wire_decision status;

	memset(out, 0, sizeof(*out));
	out->reason = WIRE_REASON_DEFAULT;
	if (op < WIRE_OPERATIONS)
		decide(&q, out);
	authority_decide(p, entries, s, WIRE_OP_STATUS, NULL, now, &status);
	if (!out->allowed && status.allowed)
		*out = status;
	out->rate = out->rate_seconds = out->burst = 0;
	out->epc = 0;
}

/* ---- words ---- */

void authority_decision_rule(uint32_t reason, uint32_t line, uint64_t entry, char out[32])
{
	static const char *const names[WIRE_REASONS] = {
		[WIRE_REASON_DEFAULT] = "default", [WIRE_REASON_RULE] = "line",
		[WIRE_REASON_GRANT] = "grant",     [WIRE_REASON_REVOKED] = "revocation",
		[WIRE_REASON_LIST] = "list",       [WIRE_REASON_KEYS] = "keys",
		[WIRE_REASON_RATE] = "rate",       [WIRE_REASON_BUDGET] = "budget",
		[WIRE_REASON_DAMAGED] = "damaged",
	};
	const char *name = reason < WIRE_REASONS ? names[reason] : "?";

	if (entry)
		snprintf(out, 32, "%s %llu", name, (unsigned long long)entry);
	else if (line)
		snprintf(out, 32, "%s %u", name, line);
	else
		snprintf(out, 32, "%s", name);
}

void authority_decision_text(const struct wire_decision *d, char out[WIRE_NOTE])
{
	const char *verb = d->allowed ? "allowed" : "refused";
	unsigned long long id = d->entry;

	switch (d->reason) {
	case WIRE_REASON_RULE:
		snprintf(out, WIRE_NOTE, "%s by line %u of the policy", verb, d->line);
		break;
	case WIRE_REASON_GRANT:
		snprintf(out, WIRE_NOTE, "allowed by grant %llu", id);
		break;
	case WIRE_REASON_REVOKED:
		snprintf(out, WIRE_NOTE, "refused by revocation %llu", id);
		break;
	case WIRE_REASON_LIST:
		snprintf(out, WIRE_NOTE, "refused: the signer is not in signing_keys (line %u of the policy)",
			 d->line);
		break;
	case WIRE_REASON_KEYS:
		snprintf(out, WIRE_NOTE,
			 "refused: an enclave with PROVISION_KEY or EINITTOKEN_KEY is never handed out");
		break;
	case WIRE_REASON_RATE:
		if (id)
			snprintf(out, WIRE_NOTE, "refused: more often than grant %llu allows", id);
		else
			snprintf(out, WIRE_NOTE, "refused: more often than line %u of the policy allows", d->line);
		break;
	case WIRE_REASON_BUDGET:
		snprintf(out, WIRE_NOTE, "refused: the budget of EPC is used up");
		break;
	case WIRE_REASON_DAMAGED:
		snprintf(out, WIRE_NOTE, "refused: grants and revocations can not be read, so nothing is allowed");
		break;
	default:
		snprintf(out, WIRE_NOTE, "refused: no rule of the policy allows it");
	}
}
