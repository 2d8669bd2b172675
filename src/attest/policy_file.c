/*
 * Policy files: a line says one thing, a word what about, further words what.
 * bawn-verify-policy(5) documents every word of it.
 */
#include "attest/attest.h"

#include <stdlib.h>
#include <string.h>

#define LIST_MAX 65536u /* entries of one list */

struct list {
	void *p;
	size_t n, cap;
};

struct blob {
	struct blob *next;
	uint8_t bytes[];
};

struct attest_policy {
	struct bawn_policy policy;
	struct blob *blobs;
	struct list refused, accepted, enclaves, tds, ppids, piids;
	uint32_t said; /* directives met, by their number */
};

/* ---- memory ---- */

static void *blob_new(struct attest_policy *p, size_t n)
{
	struct blob *b = calloc(1, sizeof(*b) + n);

	if (!b)
		return NULL;
	b->next = p->blobs;
	p->blobs = b;
	return b->bytes;
}

/* Room for one more element; NULL if there is none. */
static void *list_add(struct list *l, size_t size)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 8;
		void *p = cap <= LIST_MAX ? realloc(l->p, cap * size) : NULL;

		if (!p)
			return NULL;
		l->p = p;
		l->cap = cap;
	}
	return (uint8_t *)l->p + l->n++ * size;
}

/* ---- values ---- */

static int read_bytes(struct attest_policy *p, const struct words *l, const char *hex, size_t n,
		      const uint8_t **out, struct bawn_error *e)
{
	uint8_t *b = blob_new(p, n);

	if (!b)
		return err_nomem(e);
	if (!hex_decode(hex, strlen(hex), b, n))
		return err_set(e, BAWN_ERR_FORMAT, "line %u: not %zu bytes in hexadecimal: %.60s", l->number,
			       n, hex);
	*out = b;
	return 0;
}

static int read_number(const struct words *l, const char *s, uint64_t max, uint64_t *out,
		       struct bawn_error *e)
{
	if (!words_number(s, strlen(s), UINT64_MAX, out))
		return words_wrong(l, e, "not a number", s);
	return *out > max ? words_wrong(l, e, "too large", s) : 0;
}

/* One of two words: 1 for the first, 0 for the second. */
static int read_choice(const struct words *l, const char *yes, const char *no, bool *out,
		       struct bawn_error *e)
{
	const char *s = l->word[1];

	if (strcmp(s, yes) && strcmp(s, no))
		return err_set(e, BAWN_ERR_FORMAT, "line %u: %s takes %s or %s, not %.40s", l->number,
			       l->word[0], yes, no, s);
	*out = strcmp(s, yes) == 0;
	return 0;
}

/* ---- directives: words[0] is the directive, at least one more word follows ---- */

static int do_status(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	enum bawn_tcb_status s;

	for (size_t i = 1; i < l->count; i++) {
		if (!bawn_tcb_status_parse(l->word[i], &s) || s == BAWN_TCB_UNKNOWN)
			return words_wrong(l, e, "no TCB status", l->word[i]);
		if (s == BAWN_TCB_REVOKED)
			return words_wrong(l, e, "Revoked can not be accepted", NULL);
		p->policy.statuses |= BAWN_STATUS_BIT(s);
	}
	return 0;
}

/* "INTEL-SA-00615": letters, digits and hyphens. */
static bool is_advisory(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");

	return n && n < 32 && !s[n];
}

static int add_advisories(struct attest_policy *p, const struct words *l, struct list *to,
			  struct bawn_error *e)
{
	for (size_t i = 1; i < l->count; i++) {
		size_t n = strlen(l->word[i]) + 1;
		const char **slot;
		char *copy;

		if (!is_advisory(l->word[i]))
			return words_wrong(l, e, "no advisory", l->word[i]);
		copy = blob_new(p, n);
		slot = copy ? list_add(to, sizeof(*slot)) : NULL;
		if (!slot)
			return err_nomem(e);
		memcpy(copy, l->word[i], n);
		*slot = copy;
	}
	return 0;
}

static int do_refuse_advisory(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	return add_advisories(p, l, &p->refused, e);
}

static int do_accept_advisory(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	bool none = l->count == 2 && strcmp(l->word[1], "none") == 0;

	if (none ? p->accepted.n != 0 : p->accepted.p && !p->accepted.n)
		return words_wrong(l, e, "accept-advisory none stands alone", NULL);
	if (none && !list_add(&p->accepted, sizeof(char *)))
		return err_nomem(e);
	if (none) {
		p->accepted.n = 0; /* a list that is there and empty: no advisory at all */
		return 0;
	}
	return add_advisories(p, l, &p->accepted, e);
}

/* 2024-03-13, meaning its first second, or 2024-03-13T09:30:00Z. */
static int do_min_tcb_date(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	const char *s = l->word[1];
	char whole[21];

	if (strlen(s) == 10) {
		memcpy(whole, s, 10);
		memcpy(whole + 10, "T00:00:00Z", 11);
		s = whole;
	}
	if (!attest_time_iso(s, strlen(s), &p->policy.min_tcb_date) || p->policy.min_tcb_date <= 0)
		return words_wrong(l, e, "not a date such as 2024-03-13 or 2024-03-13T00:00:00Z", l->word[1]);
	return 0;
}

static int do_min_evaluation(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	uint64_t v = 0;
	int rc = read_number(l, l->word[1], UINT32_MAX, &v, e);

	p->policy.min_evaluation = (uint32_t)v;
	return rc;
}

/* 30d, 12h or 3600s. */
static int do_grace(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	char *s = l->word[1], unit = 0;
	size_t n = strlen(s);
	uint32_t factor;
	uint64_t v = 0;
	int rc;

	if (n > 1) {
		unit = s[n - 1];
		s[n - 1] = '\0';
	}
	factor = unit == 'd' ? 86400 : unit == 'h' ? 3600 : unit == 's' ? 1 : 0;
	if (!factor)
		return words_wrong(l, e, "a time such as 30d, 12h or 3600s is missing its unit", NULL);
	rc = read_number(l, s, UINT32_MAX / factor, &v, e);
	p->policy.grace_seconds = (uint32_t)v * factor;
	return rc;
}

static int do_debug(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	return read_choice(l, "allow", "refuse", &p->policy.allow_debug, e);
}

static int do_emulated(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	return read_choice(l, "allow", "refuse", &p->policy.allow_emulated, e);
}

static int do_evaluation_set(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	return read_choice(l, "early", "standard", &p->policy.early, e);
}

static int add_platforms(const struct words *l, struct list *to, struct bawn_error *e)
{
	for (size_t i = 1; i < l->count; i++) {
		uint8_t *slot = list_add(to, 16);

		if (!slot)
			return err_nomem(e);
		if (!hex_decode(l->word[i], strlen(l->word[i]), slot, 16))
			return words_wrong(l, e, "not 16 bytes in hexadecimal", l->word[i]);
	}
	return 0;
}

static int do_ppid(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	return add_platforms(l, &p->ppids, e);
}

static int do_piid(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	return add_platforms(l, &p->piids, e);
}

static int do_report_data(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	size_t n = strlen(l->word[1]) / 2;
	const uint8_t *b;
	int rc;

	if (!n || n > 64)
		return words_wrong(l, e, "report data has 1 to 64 bytes", NULL);
	rc = read_bytes(p, l, l->word[1], n, &b, e);
	if (rc == 0)
		p->policy.report_data = (struct bawn_bytes){ b, n };
	return rc;
}

/* WANT/MASK: the bits of MASK must be as in WANT. Bytes in the report's order. */
static int read_masked(struct attest_policy *p, const struct words *l, size_t n,
		       struct bawn_masked *out, struct bawn_error *e)
{
	char *slash = strchr(l->word[1], '/');
	int rc;

	if (!slash)
		return words_wrong(l, e, "takes WANT/MASK", l->word[0]);
	*slash = '\0';
	rc = read_bytes(p, l, l->word[1], n, &out->want, e);
	if (rc == 0)
		rc = read_bytes(p, l, slash + 1, n, &out->mask, e);
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (out->want[i] & ~out->mask[i])
			rc = words_wrong(l, e, "a bit is wanted that the mask leaves out", l->word[0]);
	return rc;
}

static int do_sgx_attributes(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	return read_masked(p, l, 16, &p->policy.sgx_attributes, e);
}

static int do_sgx_miscselect(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	return read_masked(p, l, 4, &p->policy.sgx_miscselect, e);
}

static int do_td_attributes(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	return read_masked(p, l, 8, &p->policy.td_attributes, e);
}

static int do_td_xfam(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	return read_masked(p, l, 8, &p->policy.xfam, e);
}

static int read_tristate(const struct words *l, enum bawn_tristate *out, struct bawn_error *e)
{
	bool required = false;
	int rc = read_choice(l, "require", "forbid", &required, e);

	*out = required ? BAWN_REQUIRE : BAWN_FORBID;
	return rc;
}

static int do_smt(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	return read_tristate(l, &p->policy.smt, e);
}

static int do_dynamic_platform(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	return read_tristate(l, &p->policy.dynamic_platform, e);
}

static int do_cached_keys(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	return read_tristate(l, &p->policy.cached_keys, e);
}

/* Cut "key=value"; a key may be said once in a rule. */
static int cut_pair(const struct words *l, size_t at, char **key, char **value, struct bawn_error *e)
{
	char *equals = strchr(l->word[at], '=');

	if (!equals || equals == l->word[at] || !equals[1])
		return words_wrong(l, e, "not of the form key=value", l->word[at]);
	*equals = '\0';
	*key = l->word[at];
	*value = equals + 1;
	for (size_t i = 1; i < at; i++)
		if (strcmp(l->word[i], *key) == 0)
			return words_wrong(l, e, "said twice", *key);
	return 0;
}

static int enclave_pair(struct attest_policy *p, const struct words *l, const char *key,
			const char *value, struct bawn_enclave_rule *r, struct bawn_error *e)
{
	uint64_t v = 0;
	int rc;

	if (strcmp(key, "mrenclave") == 0)
		return read_bytes(p, l, value, 32, &r->mrenclave, e);
	if (strcmp(key, "mrsigner") == 0)
		return read_bytes(p, l, value, 32, &r->mrsigner, e);
	if (strcmp(key, "configid") == 0)
		return read_bytes(p, l, value, 64, &r->configid, e);
	if (strcmp(key, "product") != 0 && strcmp(key, "svn") != 0)
		return words_wrong(l, e, "an enclave has no such thing", key);
	rc = read_number(l, value, UINT16_MAX, &v, e);
	if (*key == 'p')
		r->product = (int32_t)v;
	else
		r->min_svn = (uint16_t)v;
	return rc;
}

static int do_enclave(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	struct bawn_enclave_rule *r = list_add(&p->enclaves, sizeof(*r));
	int rc = 0;

	if (!r)
		return err_nomem(e);
	*r = (struct bawn_enclave_rule){ .product = -1 };
	for (size_t i = 1; i < l->count && rc == 0; i++) {
		char *key, *value;

		rc = cut_pair(l, i, &key, &value, e);
		if (rc == 0)
			rc = enclave_pair(p, l, key, value, r, e);
	}
	if (rc == 0 && !r->mrenclave && !r->mrsigner)
		rc = words_wrong(l, e, "an enclave rule needs mrenclave or mrsigner: products and SVNs are the signer's",
			   NULL);
	return rc;
}

static int td_pair(struct attest_policy *p, const struct words *l, const char *key, const char *value,
		   struct bawn_td_rule *r, struct bawn_error *e)
{
	const struct {
		const char *key;
		const uint8_t **field;
	} fields[] = {
		{ "mrtd", &r->mrtd },
		{ "rtmr0", &r->rtmr[0] },
		{ "rtmr1", &r->rtmr[1] },
		{ "rtmr2", &r->rtmr[2] },
		{ "rtmr3", &r->rtmr[3] },
		{ "mrconfigid", &r->mrconfigid },
		{ "mrowner", &r->mrowner },
		{ "mrownerconfig", &r->mrownerconfig },
		{ "mrseam", &r->mrseam },
		{ "mrservicetd", &r->mrservicetd },
	};

	if (strcmp(key, "mrservicetd") == 0 && strcmp(value, "none") == 0) {
		r->no_service_td = true;
		return 0;
	}
	if (strcmp(key, "sept-ve-disable") == 0) {
		if (strcmp(value, "required") != 0)
			return words_wrong(l, e, "sept-ve-disable can be =required", NULL);
		r->sept_ve_disable = true;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (strcmp(key, fields[i].key) == 0)
			return read_bytes(p, l, value, 48, fields[i].field, e);
	return words_wrong(l, e, "a trust domain has no such thing", key);
}

static int do_td(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	struct bawn_td_rule *r = list_add(&p->tds, sizeof(*r));
	int rc = 0;

	if (!r)
		return err_nomem(e);
	*r = (struct bawn_td_rule){ 0 };
	for (size_t i = 1; i < l->count && rc == 0; i++) {
		char *key, *value;

		rc = cut_pair(l, i, &key, &value, e);
		if (rc == 0)
			rc = td_pair(p, l, key, value, r, e);
	}
	return rc;
}

static const struct directive {
	const char *name;
	int (*fn)(struct attest_policy *p, const struct words *l, struct bawn_error *e);
	bool list; /* takes several words, and may be said again */
} directives[] = {
	{ "status", do_status, true },
	{ "refuse-advisory", do_refuse_advisory, true },
	{ "accept-advisory", do_accept_advisory, true },
	{ "min-tcb-date", do_min_tcb_date, false },
	{ "min-evaluation", do_min_evaluation, false },
	{ "grace", do_grace, false },
	{ "debug", do_debug, false },
	{ "emulated", do_emulated, false },
	{ "evaluation-set", do_evaluation_set, false },
	{ "enclave", do_enclave, true },
	{ "td", do_td, true },
	{ "ppid", do_ppid, true },
	{ "piid", do_piid, true },
	{ "report-data", do_report_data, false },
	{ "sgx-attributes", do_sgx_attributes, false },
	{ "sgx-miscselect", do_sgx_miscselect, false },
	{ "td-attributes", do_td_attributes, false },
	{ "td-xfam", do_td_xfam, false },
	{ "smt", do_smt, false },
	{ "dynamic-platform", do_dynamic_platform, false },
	{ "cached-keys", do_cached_keys, false },
};
_Static_assert(ARRAY_LEN(directives) <= 32, "said has 32 bits");

static int run_line(struct attest_policy *p, const struct words *l, struct bawn_error *e)
{
	for (size_t i = 0; i < ARRAY_LEN(directives); i++) {
		const struct directive *d = &directives[i];

		if (strcmp(l->word[0], d->name) != 0)
			continue;
		if (l->count < 2)
			return words_wrong(l, e, "says nothing", d->name);
		if (!d->list && l->count > 2)
			return words_wrong(l, e, "too many words", l->word[2]);
		if (!d->list && p->said & 1u << i)
			return words_wrong(l, e, "said twice", d->name);
		p->said |= 1u << i;
		return d->fn(p, l, e);
	}
	return words_wrong(l, e, "not a word that a policy knows", l->word[0]);
}

/* ---- the text ---- */

/* Lists become the policy's when no more can move them. */
static void finish(struct attest_policy *p)
{
	struct bawn_policy *b = &p->policy;

	b->refused_advisories = p->refused.p;
	b->refused_advisory_count = p->refused.n;
	b->accepted_advisories = p->accepted.p;
	b->accepted_advisory_count = p->accepted.n;
	b->enclaves = p->enclaves.p;
	b->enclave_count = p->enclaves.n;
	b->tds = p->tds.p;
	b->td_count = p->tds.n;
	b->ppids = p->ppids.p;
	b->ppid_count = p->ppids.n;
	b->piids = p->piids.p;
	b->piid_count = p->piids.n;
}

int attest_policy_parse(const char *text, size_t n, struct attest_policy **out,
			struct bawn_error *e)
{
	struct attest_policy *p = calloc(1, sizeof(*p));
	struct words *l = malloc(sizeof(*l));
	struct cur rest = cur_make(text, n);
	int rc = p && l ? 0 : err_nomem(e);

	if (rc == 0)
		l->number = 0;
	while (rc == 0 && (rc = words_next(&rest, l, e)) > 0)
		rc = run_line(p, l, e);
	free(l);
	if (rc) {
		attest_policy_free(&p);
		return rc;
	}
	finish(p);
	*out = p;
	return 0;
}

const struct bawn_policy *attest_policy_get(const struct attest_policy *p)
{
	return &p->policy;
}

void attest_policy_free(struct attest_policy **p)
{
	if (!*p)
		return;
	while ((*p)->blobs) {
		struct blob *next = (*p)->blobs->next;

		free((*p)->blobs);
		(*p)->blobs = next;
	}
	free((*p)->refused.p);
	free((*p)->accepted.p);
	free((*p)->enclaves.p);
	free((*p)->tds.p);
	free((*p)->ppids.p);
	free((*p)->piids.p);
	free(*p);
	*p = NULL;
}
