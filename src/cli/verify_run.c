/* A run of `bawn verify`: what the command line says, made ready; and its collateral, by key. */
#include "cli/verify.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SET_LIFE_S 600 /* a long batch looks at the collateral again */
#define SETS_MAX 1024u /* kinds of genuine platforms in one batch */

/*
 * The collateral of one kind of platform, with a verifier of its own: what
 * other kinds' collateral says, and when it was issued, changes nothing here.
 */
struct verify_set {
	struct verify_set *next;
	struct attest_key key;
	struct bawn_verifier *verifier;
	pthread_mutex_t lock; /* of the rest: a server that is slow delays quotes of its platforms alone */
	uint64_t looked_ns, fetched_ns; /* 0: never */
	struct bawn_error error;        /* why some of it is missing, if it is */
	struct attest_file pck_chain;
};

/* ---- the policy ---- */

static int read_policy(struct cli *c, struct verify_run *r, const char *path)
{
	struct bawn_error e = { 0 };
	uint8_t *text;
	size_t n;
	int rc;

	if (io_read_file(path, ATTEST_POLICY_MAX, &text, &n, &e))
		return cli_fail(c, path, &e);
	rc = attest_policy_parse((const char *)text, n, &r->file, &e);
	free(text);
	if (rc)
		return cli_fail(c, path, &e);
	r->policy = *attest_policy_get(r->file);
	return 0;
}

static int open_policy(struct cli *c, struct verify_run *r)
{
	const char *path = cli_value(c, "policy"), *hex = cli_value(c, "report-data");
	int rc = path ? read_policy(c, r, path) : 0;

	if (rc)
		return rc;
	r->policy.allow_emulated |= cli_flag(c, "allow-emulated");
	r->policy.early |= cli_flag(c, "early");
	if (hex) {
		size_t n = strlen(hex) / 2;

		if (r->policy.report_data.p)
			return cli_usage(c, "--report-data, and report-data in the policy");
		if (!n || n > 64 || !hex_decode(hex, strlen(hex), r->report_data, n))
			return cli_usage(c, "--report-data: not 1 to 64 bytes in hexadecimal");
		r->policy.report_data = (struct bawn_bytes){ r->report_data, n };
	}
	return 0;
}

/* ---- open and close ---- */

static int open_verifier(struct cli *c, struct verify_run *r)
{
	struct bawn_error e = { 0 };
	int rc = verify_root_open(c, &r->root);

	if (rc)
		return rc;
	if (attest_anchor_init(&r->anchor, &r->root.root, &e) ||
	    bawn_verifier_new(&r->verifier, &r->root.root, &e))
		return cli_fail(c, cli_value(c, "root"), &e);
	return 0;
}

int verify_run_open(struct cli *c, struct verify_run *r)
{
	int rc;

	*r = (struct verify_run){ .certificates = cli_flag(c, "cert") };
	pthread_mutex_init(&r->lock, NULL);
	rc = verify_time(c, &r->fixed_time, &r->time);
	if (rc == 0)
		rc = verify_source(c, &r->source, &r->fetches);
	if (rc == 0)
		rc = open_policy(c, r);
	if (rc == 0)
		rc = open_verifier(c, r);
	r->store_given = cli_value(c, "collateral") != NULL;
	/* What is kept at home is for whoever named nothing else. */
	if (r->store_given || !r->fetches)
		verify_store_path(c, r->store, sizeof(r->store));
	r->store_is_set = *r->store && attest_dir_is_set(r->store);
	return rc;
}

void verify_run_close(struct verify_run *r)
{
	while (r->sets) {
		struct verify_set *next = r->sets->next;

		bawn_verifier_free(&r->sets->verifier);
		pthread_mutex_destroy(&r->sets->lock);
		free(r->sets->pck_chain.p);
		free(r->sets);
		r->sets = next;
	}
	bawn_verifier_free(&r->verifier);
	attest_policy_free(&r->file);
	verify_root_close(&r->root);
	pthread_mutex_destroy(&r->lock);
}

/* ---- sets, under the run's lock; none goes before the run does ---- */

static struct verify_set *set_find(struct verify_run *r, const struct attest_key *k)
{
	struct verify_set *s = r->sets;

	while (s && (s->key.tee != k->tee || memcmp(s->key.fmspc, k->fmspc, 6) != 0 ||
		     strcmp(s->key.ca, k->ca) != 0 || s->key.early != k->early))
		s = s->next;
	return s;
}

static struct verify_set *set_make(struct verify_run *r, const struct attest_key *k,
				   struct bawn_error *e)
{
	struct verify_set *s = set_find(r, k);

	if (s)
		return s;
	if (r->set_count == SETS_MAX) {
		err_set(e, BAWN_ERR_UNSUPPORTED, "more than %u kinds of platforms at once", SETS_MAX);
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		err_nomem(e);
		return NULL;
	}
	s->key = *k;
	if (bawn_verifier_new(&s->verifier, &r->root.root, e)) {
		free(s);
		return NULL;
	}
	pthread_mutex_init(&s->lock, NULL);
	s->next = r->sets;
	r->sets = s;
	r->set_count++;
	return s;
}

/* ---- a set's collateral, under its lock ---- */

static bool is_due(uint64_t since_ns)
{
	return !since_ns || clock_ns() - since_ns > SET_LIFE_S * 1000000000ull;
}

/* One bundle of the store into a set's verifier; its PCK chain stays with the set. */
static int look_at(struct verify_run *r, struct verify_set *s, bool early, struct cur quoted_chain,
		   struct bawn_error *e)
{
	struct attest_key k = s->key;
	struct attest_bundle b;
	int rc;

	k.early = early;
	rc = attest_dir_read(r->store, &k, &b, e);
	if (rc)
		return rc;
	rc = attest_bundle_infer(&b, quoted_chain, e);
	if (rc == 0)
		rc = attest_bundle_add(&b, early, s->verifier, e);
	if (b.part[ATTEST_PART_PCK_CHAIN].p) {
		free(s->pck_chain.p);
		s->pck_chain = b.part[ATTEST_PART_PCK_CHAIN];
		b.part[ATTEST_PART_PCK_CHAIN] = (struct attest_file){ 0 };
	}
	attest_bundle_free(&b);
	return rc;
}

/*
 * Collateral comes from the store the first time, and again from time to time.
 * What the early set lacks (revocation lists, as a rule) is the standard one's.
 */
static void set_look(struct verify_run *r, struct verify_set *s, struct cur quoted_chain)
{
	struct bawn_error e = { 0 };
	int rc;

	if (!*r->store || !is_due(s->looked_ns))
		return;
	s->looked_ns = clock_ns();
	s->error = (struct bawn_error){ 0 };
	if (s->key.early)
		look_at(r, s, false, quoted_chain, NULL);
	rc = look_at(r, s, s->key.early, quoted_chain, &e);
	if (rc && (rc != BAWN_ERR_NOT_FOUND || r->store_given))
		s->error = e;
}

static void set_fetch(struct verify_run *r, struct verify_set *s)
{
	struct bawn_error e = { 0 };
	struct attest_bundle b;
	int rc;

	s->fetched_ns = clock_ns();
	s->error = (struct bawn_error){ 0 };
	rc = attest_fetch(&r->source, &r->anchor, &s->key, &b, &e);
	if (rc == 0) {
		rc = attest_bundle_add(&b, s->key.early, s->verifier, &e);
		if (rc == 0 && *r->store && !r->store_is_set && 
		    collateral_keep(r->store, &s->key, &b, false, &e))
			log_msg(LOG_WARN, "what was fetched is not kept: %s", e.msg);
		attest_bundle_free(&b);
	}
	if (rc)
		s->error = e;
}

/* ---- one quote ---- */

static bool lacks_collateral(const struct bawn_verification *v)
{
	return v->verdict == BAWN_UNDECIDED &&
	       (v->reason == BAWN_REASON_NO_TCB_INFO || v->reason == BAWN_REASON_NO_QE_IDENTITY ||
		v->reason == BAWN_REASON_NO_ROOT_CRL || v->reason == BAWN_REASON_NO_PCK_CRL ||
		v->reason == BAWN_REASON_EXPIRED);
}

/* A quote on its way through a run. */
struct job {
	struct verify_run *r;
	struct cur quote, quoted_chain; /* the chain in the quote, or none */
	bool has_pck;
	struct attest_key key;
	int64_t time;
	const struct bawn_policy *policy;
	struct bawn_verification *v;
};

enum how { LOOK, FETCH };

/* With the collateral of a key, from the store or from the server. */
static void verify_by(struct job *j, const struct attest_key *k, enum how how)
{
	struct verify_run *r = j->r;
	struct attest_file chain = { 0 };
	struct bawn_error e = { 0 };
	struct verify_set *s;

	pthread_mutex_lock(&r->lock);
	s = set_make(r, k, &e);
	pthread_mutex_unlock(&r->lock);
	if (s) {
		pthread_mutex_lock(&s->lock);
		if (how == LOOK)
			set_look(r, s, j->quoted_chain);
		else if (is_due(s->fetched_ns))
			set_fetch(r, s);
		e = s->error;
		if (!j->has_pck && s->pck_chain.p && (chain.p = malloc(s->pck_chain.n))) {
			chain.n = s->pck_chain.n; /* a copy: another thread may look again */
			memcpy(chain.p, s->pck_chain.p, chain.n);
		}
		pthread_mutex_unlock(&s->lock);
	}
	bawn_verify_quote_with_pck(s ? s->verifier : r->verifier, j->quote.p, j->quote.n,
				   (struct bawn_bytes){ chain.p, chain.n }, j->time, j->policy, j->v);
	free(chain.p);
	if (lacks_collateral(j->v) && e.code) { /* the cause lies there */
		j->v->error = (struct bawn_error){ 0 };
		err_set(&j->v->error, BAWN_ERR_NOT_FOUND, "%s", e.msg);
	}
}

static bool is_known(struct verify_run *r, const struct attest_key *k)
{
	bool known;

	pthread_mutex_lock(&r->lock);
	known = set_find(r, k) != NULL;
	pthread_mutex_unlock(&r->lock);
	return known;
}

/*
 * Nobody but a genuine platform makes us look for collateral, or ask a server:
 * before a new kind of platform is believed in, its quote must be genuine as
 * far as that can be told without.
 */
static void verify_job(struct job *j)
{
	struct verify_run *r = j->r;
	const struct attest_key any = { .early = j->policy->early };

	if (r->store_is_set) {
		verify_by(j, &any, LOOK);
		if (!lacks_collateral(j->v) || !r->fetches)
			return;
	}
	if (!is_known(r, &j->key)) {
		bawn_verify_quote(r->verifier, j->quote.p, j->quote.n, j->time, j->policy, j->v);
		if (!lacks_collateral(j->v))
			return;
	}
	if (!r->store_is_set)
		verify_by(j, &j->key, LOOK);
	if (r->fetches && lacks_collateral(j->v))
		verify_by(j, &j->key, FETCH);
}

static void verify_with(struct verify_run *r, struct cur quote, int64_t t,
			const struct bawn_policy *policy, struct bawn_verification *v)
{
	struct job j = { .r = r, .quote = quote, .time = t, .policy = policy, .v = v };
	struct bawn_quote_needs needs = { 0 };
	struct attest_quote q;

	bawn_quote_needs(quote.p, quote.n, &needs, NULL);
	j.has_pck = needs.has_pck;
	j.key.tee = needs.tee;
	j.key.early = policy->early;
	memcpy(j.key.fmspc, needs.fmspc, 6);
	memcpy(j.key.ca, needs.ca, sizeof(j.key.ca));
	if (attest_quote_parse(quote.p, quote.n, &q, NULL) == 0 && q.cert_type == ATTEST_CERT_PCK_CHAIN)
		j.quoted_chain = q.cert_data;
	verify_job(&j);
}

/* The certificate around the quote: 0, or the answer is that it is none. */
static int unwrap(struct cur *input, struct attest_evidence *ev, uint8_t *der, size_t max,
		  struct verify_answer *a)
{
	struct cur text = *input;
	struct bawn_error e = { 0 };
	size_t n = 0;
	int rc = text.n && text.p[0] == 0x30 ? 0 :
					       attest_pem_next(&text, "CERTIFICATE", der, max, &n, &e);

	if (rc == 1)
		*input = cur_make(der, n);
	else if (rc == 0 && !(text.n && text.p[0] == 0x30))
		rc = err_set(&e, BAWN_ERR_FORMAT, "no certificate in it, neither PEM nor DER");
	if (rc >= 0)
		rc = attest_evidence_read(input->p, input->n, ev, &e);
	if (rc < 0) {
		a->v.verdict = BAWN_NOT_GENUINE;
		a->v.reason = BAWN_REASON_QUOTE_FORMAT;
		a->v.error = e;
		return rc;
	}
	a->format = ev->format;
	a->nonce_n = ev->nonce.n < sizeof(a->nonce) ? ev->nonce.n : sizeof(a->nonce);
	if (a->nonce_n)
		memcpy(a->nonce, ev->nonce.p, a->nonce_n);
	*input = ev->quote;
	return 0;
}

/* A quote that does not vouch for the certificate it came in is somebody else's. */
static void check_key(const struct attest_evidence *ev, struct verify_answer *a)
{
	struct bawn_error e = { 0 };

	if (a->v.verdict != BAWN_ACCEPTED && a->v.verdict != BAWN_UNACCEPTABLE)
		return;
	a->key_bound = attest_evidence_check(ev, a->v.report_data, &e) == 0;
	if (a->key_bound)
		return;
	a->v.verdict = BAWN_NOT_GENUINE;
	a->v.error = e;
	a->reason = "certificate-key";
}

static void verify_decoded(struct verify_run *r, struct cur input, struct bawn_bytes report_data,
			   struct verify_answer *a)
{
	struct bawn_policy policy = r->policy;
	struct attest_evidence ev;
	uint8_t der[ATTEST_QUOTE_MAX];

	if (report_data.p)
		policy.report_data = report_data;
	if (r->certificates && unwrap(&input, &ev, der, sizeof(der), a))
		return;
	if (policy.early) { /* the standard set first, so that both can be told */
		struct bawn_policy standard = policy;
		struct bawn_verification *v = malloc(sizeof(*v));

		standard.early = false;
		if (v) {
			verify_with(r, input, a->time, &standard, v);
			a->has_standard = v->verdict == BAWN_ACCEPTED || v->verdict == BAWN_UNACCEPTABLE;
			a->standard = v->status;
		}
		free(v);
	}
	verify_with(r, input, a->time, &policy, &a->v);
	if (r->certificates)
		check_key(&ev, a);
}

void verify_one(struct verify_run *r, const void *input, size_t n, struct bawn_bytes report_data,
		struct verify_answer *a)
{
	struct bawn_error e = { 0 };
	uint8_t *raw;
	size_t raw_n;

	memset(a, 0, sizeof(*a));
	a->early = r->policy.early;
	a->fetches = r->fetches;
	a->time = r->fixed_time ? r->time : time(NULL);
	if (attest_input_decode(input, n, &raw, &raw_n, &e)) {
		a->v.error = e;
		a->v.reason = BAWN_REASON_INTERNAL;
	} else {
		verify_decoded(r, cur_make(raw, raw_n), report_data, a);
		if (a->v.reason == BAWN_REASON_QUOTE_FORMAT && !r->certificates && attest_input_is_text(raw, raw_n)) {
			a->v.error = (struct bawn_error){ 0 };
			err_set(&a->v.error, BAWN_ERR_FORMAT,
				"the input is text that is neither hexadecimal digits nor base64");
		}
		free(raw);
	}
	if (!a->reason)
		a->reason = bawn_reason_name(a->v.reason);
}

int verify_exit_code(const struct verify_answer *a)
{
	switch (a->v.verdict) {
	case BAWN_ACCEPTED:
		return CLI_OK;
	case BAWN_UNACCEPTABLE:
		return VERIFY_UNACCEPTABLE;
	case BAWN_NOT_GENUINE:
		return VERIFY_NOT_GENUINE;
	case BAWN_UNDECIDED:
		break;
	}
	return VERIFY_UNDECIDED;
}
