/* bawn collateral check: do signatures and dates hold, and what ends soon? */
#include "cli/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check {
	struct cli *c;
	struct verify_root root;
	struct json *json;
	int64_t time, warn_seconds;
	int worst; /* exit code */
};

/* Of two exit codes the graver: broken before expired before due. */
static void worsen(struct check *k, int code)
{
	static const int order[] = { CLI_OK, COLLATERAL_DUE, COLLATERAL_EXPIRED, COLLATERAL_BROKEN };
	size_t a = 0, b = 0;

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		a = order[i] == k->worst ? i : a;
		b = order[i] == code ? i : b;
	}
	k->worst = order[a > b ? a : b];
}

static void finding(struct check *k, int code, const char *what, const char *text)
{
	static const char *const words[] = {
		[CLI_OK] = "good", [COLLATERAL_DUE] = "due", [COLLATERAL_BROKEN] = "broken",
		[COLLATERAL_EXPIRED] = "expired",
	};

	worsen(k, code);
	if (k->json) {
		json_open(k->json, NULL, '{');
		json_string(k->json, "state", words[code]);
		json_string(k->json, "what", what);
		json_string(k->json, "message", text);
		json_close(k->json, '}');
	} else {
		printf("  %-8s %s: %s\n", words[code], what, text);
	}
}

static void check_window(struct check *k, const struct attest_validity *w)
{
	char text[80], from[21], until[21];

	attest_time_format(w->from, from);
	attest_time_format(w->until, until);
	if (k->time < w->from) {
		snprintf(text, sizeof(text), "not valid before %s", from);
		finding(k, COLLATERAL_EXPIRED, w->what, text);
	} else if (k->time > w->until) {
		snprintf(text, sizeof(text), "ended %s", until);
		finding(k, COLLATERAL_EXPIRED, w->what, text);
	} else {
		snprintf(text, sizeof(text), "until %s", until);
		finding(k, w->until - k->time < k->warn_seconds ? COLLATERAL_DUE : CLI_OK, w->what, text);
	}
}

static void check_missing(struct check *k, const struct attest_bundle *s)
{
	static const enum attest_part needed[] = {
		ATTEST_PART_TCB_INFO, ATTEST_PART_TCB_CHAIN,     ATTEST_PART_QE_IDENTITY,
		ATTEST_PART_PCK_CRL,  ATTEST_PART_PCK_CRL_CHAIN, ATTEST_PART_ROOT_CRL,
	};

	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (!s->part[needed[i]].p)
			finding(k, COLLATERAL_EXPIRED, attest_part_file(needed[i]), "missing");
}

static bool in_list(const struct attest_crl *crl, const struct attest_serial *serial)
{
	struct cur entries = crl->entries;
	struct attest_serial other;
	int64_t since;

	while (attest_crl_next(&entries, &other, &since))
		if (other.n == serial->n && memcmp(other.p, serial->p, serial->n) == 0)
			return true;
	return false;
}

/* Certificates of one chain that the root has revoked; serials count under their own issuer. */
static void check_chain(struct check *k, const struct attest_file *f, const struct attest_crl *crl)
{
	struct attest_chain *chain = malloc(sizeof(*chain));
	char cn[64];

	if (chain && attest_chain_parse(f->p, f->n, chain, NULL) == 0)
		for (size_t i = 0; i < chain->count; i++) {
			if (!attest_name_equal(chain->cert[i].issuer, crl->issuer) ||
			    !in_list(crl, &chain->cert[i].serial))
				continue;
			attest_name_cn(chain->cert[i].subject, cn, sizeof(cn));
			finding(k, COLLATERAL_BROKEN, cn, "its certificate is revoked by the root");
		}
	free(chain);
}

static void check_revoked(struct check *k, const struct attest_bundle *s)
{
	static const enum attest_part chains[] = { ATTEST_PART_TCB_CHAIN, ATTEST_PART_QE_CHAIN,
						   ATTEST_PART_PCK_CRL_CHAIN };
	const struct attest_file *f = &s->part[ATTEST_PART_ROOT_CRL];
	struct attest_crl crl;
	const uint8_t *der;
	bool owned;
	size_t n;

	if (!f->p || attest_crl_decode(f->p, f->n, &der, &n, &owned, NULL))
		return;
	if (attest_crl_parse(der, n, &crl, NULL) == 0)
		for (size_t i = 0; i < ARRAY_LEN(chains); i++)
			if (s->part[chains[i]].p)
				check_chain(k, &s->part[chains[i]], &crl);
	if (owned)
		free((uint8_t *)der);
}

static int check_signatures(struct check *k, const struct attest_bundle *s, bool early, struct bawn_error *e)
{
	struct bawn_error why = { 0 };
	struct bawn_verifier *v;
	int rc = bawn_verifier_new(&v, &k->root.root, e);

	if (rc)
		return rc;
	if (attest_bundle_add(s, early, v, &why))
		finding(k, COLLATERAL_BROKEN, "signatures", why.msg);
	else
		finding(k, CLI_OK, "signatures", "all hold, up to the root");
	bawn_verifier_free(&v);
	return 0;
}

static int check_set(void *arg, const char *path, bool early, struct bawn_error *e)
{
	struct check *k = arg;
	struct attest_validity w[ATTEST_VALIDITY_MAX];
	struct bawn_error why = { 0 };
	struct attest_bundle s;
	size_t n = 0;
	int rc = attest_bundle_read(&s, path, e);

	if (rc)
		return rc;
	if (k->json) {
		json_open(k->json, NULL, '{');
		json_string(k->json, "path", path);
		json_bool(k->json, "early", early);
		json_open(k->json, "findings", '[');
	} else {
		puts(path);
	}
	rc = check_signatures(k, &s, early, e);
	if (rc == 0) {
		check_missing(k, &s);
		if (attest_bundle_validity(&s, w, &n, &why))
			finding(k, COLLATERAL_BROKEN, "format", why.msg);
		for (size_t i = 0; i < n; i++)
			check_window(k, &w[i]);
		check_revoked(k, &s);
	}
	if (k->json) {
		json_close(k->json, ']');
		json_close(k->json, '}');
	}
	attest_bundle_free(&s);
	return rc;
}

int collateral_check(struct cli *c)
{
	struct check k = { .c = c };
	uint64_t days = 7;
	char store[4096];
	bool fixed;
	int rc = cli_number(c, "warn", 0, 3650, &days);

	verify_store_path(c, store, sizeof(store));
	if (rc == 0 && !c->argc && !*store)
		rc = collateral_nowhere(c);
	if (rc == 0)
		rc = verify_time(c, &fixed, &k.time);
	if (rc == 0)
		rc = verify_root_open(c, &k.root);
	if (rc == 0 && cli_flag(c, "json")) {
		k.json = cli_json(c);
		json_open(k.json, NULL, '[');
	}
	k.warn_seconds = (int64_t)days * 86400;
	for (unsigned i = 0; i < (c->argc ? c->argc : 1) && rc == 0; i++) {
		struct bawn_error e = { 0 };
		int failed = attest_dir_each(c->argc ? c->argv[i] : store, check_set, &k, &e);

		if (failed == BAWN_ERR_NOT_FOUND) {
			collateral_missing(c, &e);
			worsen(&k, COLLATERAL_EXPIRED);
		} else if (failed) {
			rc = cli_fail(c, NULL, &e);
		}
	}
	if (k.json)
		json_close(k.json, ']');
	verify_root_close(&k.root);
	return rc ? rc : k.worst;
}
