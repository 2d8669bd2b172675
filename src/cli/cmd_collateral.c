/* bawn collateral: what it takes to verify quotes, kept in a directory. */
#include "cli/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 256u
#define QUOTE_FILE_MAX (4u << 20)

/* ---- keeping ---- */

static int64_t issued(const struct attest_bundle *s, enum attest_part part)
{
	struct attest_validity w[ATTEST_VALIDITY_MAX];
	size_t n = 0;

	attest_bundle_validity(s, w, &n, NULL);
	for (size_t i = 0; i < n; i++)
		if (w[i].part == part)
			return w[i].from;
	return INT64_MIN;
}

/*
 * A server, or whoever stands in front of it, may serve statements that are
 * old but have not expired, from before a recovery: what is kept stays then.
 */
static int refuse_older(const char *store, const struct attest_key *k, const struct attest_bundle *s,
			struct bawn_error *e)
{
	static const enum attest_part dated[] = { ATTEST_PART_TCB_INFO, ATTEST_PART_QE_IDENTITY,
						  ATTEST_PART_PCK_CRL, ATTEST_PART_ROOT_CRL };
	struct attest_bundle old;
	int rc = 0;

	if (attest_dir_read(store, k, &old, NULL))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(dated) && rc == 0; i++)
		if (old.part[dated[i]].p && s->part[dated[i]].p &&
		    issued(s, dated[i]) < issued(&old, dated[i]))
			rc = err_set(e, BAWN_ERR_DENIED,
				     "%s is older than the one that is kept (--older takes it all the same)",
				     attest_part_file(dated[i]));
	attest_bundle_free(&old);
	return rc;
}

/* A server may answer another question than the one that was asked. */
static int check_key(const struct attest_key *k, const struct attest_bundle *s, struct bawn_error *e)
{
	char asked[ATTEST_KEY_NAME], got[ATTEST_KEY_NAME];
	struct attest_key is;
	int rc = attest_bundle_key(s, k->early, &is, e);

	if (rc)
		return rc;
	attest_key_name(k, asked);
	attest_key_name(&is, got);
	if (strcmp(asked, got) != 0)
		return err_set(e, BAWN_ERR_FORMAT, "what came is for %s", got);
	return 0;
}

int collateral_keep(const char *store, const struct attest_key *k, const struct attest_bundle *s,
		    bool older, struct bawn_error *e)
{
	int rc = check_key(k, s, e);

	if (rc == 0 && !older)
		rc = refuse_older(store, k, s, e);
	return rc ? rc : attest_dir_write(store, k, s, e);
}

/* ---- no collateral ---- */

int collateral_nowhere(const struct cli *c)
{
	return cli_usage(c, "where is collateral kept? There is no home directory: give --collateral DIR");
}

void collateral_missing(const struct cli *c, const struct bawn_error *e)
{
	cli_warn(c, NULL, "%s; `bawn collateral fetch` or `import` keeps some, --collateral says where", e->msg);
}

/* ---- what fetch and import share ---- */

struct keeper {
	struct cli *c;
	struct verify_root root;
	struct attest_anchor anchor;
	char store[4096];
	int64_t time;
	bool older;        /* --older */
	bool must_be_valid; /* what is fetched: now; what is imported: once */
	bool failed;
	struct json *json;
};

static int keeper_open(struct cli *c, struct keeper *k)
{
	struct bawn_error e = { 0 };
	bool fixed;
	int rc;

	*k = (struct keeper){ .c = c, .older = cli_flag(c, "older") };
	rc = verify_time(c, &fixed, &k->time);
	if (rc == 0)
		rc = verify_root_open(c, &k->root);
	if (rc)
		return rc;
	if (attest_anchor_init(&k->anchor, &k->root.root, &e))
		return cli_fail(c, cli_value(c, "root"), &e);
	verify_store_path(c, k->store, sizeof(k->store));
	if (!*k->store)
		return collateral_nowhere(c);
	if (cli_flag(c, "json")) {
		k->json = cli_json(c);
		json_open(k->json, NULL, '[');
	}
	return 0;
}

static int keeper_close(struct keeper *k, int rc)
{
	if (k->json)
		json_close(k->json, ']');
	verify_root_close(&k->root);
	return rc ? rc : k->failed ? CLI_FAILURE : CLI_OK;
}

static int check_windows(const struct keeper *k, const struct attest_bundle *s, int64_t *until,
			 struct bawn_error *e)
{
	struct attest_validity w[ATTEST_VALIDITY_MAX];
	size_t n = 0;
	int rc = attest_bundle_validity(s, w, &n, e);

	*until = INT64_MAX;
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (k->must_be_valid && (k->time < w[i].from || k->time > w[i].until))
			rc = err_set(e, BAWN_ERR_DENIED, "%s %s", w[i].what,
				     k->time < w[i].from ? "is not valid yet (is the clock right?)" :
							   "has expired");
		if (w[i].until < *until)
			*until = w[i].until;
	}
	return rc;
}

static int verify_set(const struct keeper *k, const struct attest_bundle *s, bool early,
		      struct bawn_error *e)
{
	struct bawn_verifier *v;
	int rc = bawn_verifier_new(&v, &k->root.root, e);

	if (rc)
		return rc;
	rc = attest_bundle_add(s, early, v, e);
	bawn_verifier_free(&v);
	return rc;
}

/* Verify a set and put it into the store; tell of it either way. */
static void keep(struct keeper *k, const struct attest_key *key, const struct attest_bundle *s)
{
	char name[ATTEST_KEY_NAME], until_text[21];
	struct bawn_error e = { 0 };
	int64_t until = 0;
	int rc = verify_set(k, s, key->early, &e);

	attest_key_name(key, name);
	if (rc == 0)
		rc = check_windows(k, s, &until, &e);
	if (rc == 0)
		rc = collateral_keep(k->store, key, s, k->older, &e);
	if (rc) {
		k->failed = true;
		cli_fail(k->c, name, &e);
	}
	attest_time_format(until, until_text);
	if (k->json) {
		json_open(k->json, NULL, '{');
		json_string(k->json, "set", name);
		json_bool(k->json, "kept", rc == 0);
		if (rc)
			json_string(k->json, "message", e.msg);
		else
			json_string(k->json, "valid_until", until_text);
		json_close(k->json, '}');
	} else if (rc == 0) {
		printf("%s: kept in %s, holds until %s\n", name, k->store, until_text);
	}
}

/* ---- fetch ---- */

struct wanted {
	struct attest_key key[KEYS_MAX];
	size_t n;
	bool full; /* there were more */
};

static void want(struct wanted *w, const struct attest_key *k)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->key[i].tee == k->tee && w->key[i].early == k->early &&
		    memcmp(w->key[i].fmspc, k->fmspc, 6) == 0 && strcmp(w->key[i].ca, k->ca) == 0)
			return;
	w->full = w->n == KEYS_MAX;
	if (!w->full)
		w->key[w->n++] = *k;
}

/* Standard, early or both, as --set says. */
static void want_sets(struct cli *c, struct wanted *w, struct attest_key k)
{
	const char *set = cli_value(c, "set");

	k.early = false;
	if (!set || strcmp(set, "early") != 0)
		want(w, &k);
	k.early = true;
	if (!set || strcmp(set, "standard") != 0)
		want(w, &k);
}

static int want_quote(struct cli *c, struct wanted *w, const char *path)
{
	struct bawn_quote_needs needs;
	struct bawn_error e = { 0 };
	struct attest_key k = { 0 };
	uint8_t *text, *raw = NULL;
	size_t n, raw_n;
	int rc = io_read_file(path, QUOTE_FILE_MAX, &text, &n, &e);

	if (rc)
		return cli_fail(c, path, &e);
	rc = attest_input_decode(text, n, &raw, &raw_n, &e);
	free(text);
	if (rc == 0)
		rc = bawn_quote_needs(raw, raw_n, &needs, &e);
	free(raw);
	if (rc == 0 && !needs.has_pck)
		rc = err_set(&e, BAWN_ERR_UNSUPPORTED,
			     "the quote carries no PCK certificate; give --fmspc, --ca and --tee");
	if (rc)
		return cli_fail(c, path, &e);
	k.tee = needs.tee;
	memcpy(k.fmspc, needs.fmspc, 6);
	memcpy(k.ca, needs.ca, sizeof(k.ca));
	want_sets(c, w, k);
	return 0;
}

static int want_given(struct cli *c, struct wanted *w)
{
	const char *tee = cli_value(c, "tee"), *ca = cli_value(c, "ca"), *fmspc;
	struct attest_key k = { .tee = tee && strcmp(tee, "tdx") == 0 ? BAWN_TEE_TDX : BAWN_TEE_SGX };
	int rc = 0;

	snprintf(k.ca, sizeof(k.ca), "%s", ca ? ca : "platform");
	for (size_t i = 0; (fmspc = cli_value_at(c, "fmspc", i)); i++) {
		if (!hex_decode(fmspc, strlen(fmspc), k.fmspc, 6))
			return cli_usage(c, "--fmspc: not 6 bytes in hexadecimal: %s", fmspc);
		want_sets(c, w, k);
	}
	for (unsigned i = 0; i < c->argc && rc == 0; i++)
		rc = want_quote(c, w, c->argv[i]);
	if (rc == 0 && !w->n)
		return cli_usage(c, "nothing to fetch: name quotes, or --fmspc");
	if (rc == 0 && w->full)
		return cli_usage(c, "more than %u sets at once", KEYS_MAX);
	return rc;
}

static int fetch_all(struct keeper *k, struct attest_source *source, const struct wanted *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct bawn_error e = { 0 };
		char name[ATTEST_KEY_NAME];
		struct attest_bundle s;

		if (attest_fetch(source, &k->anchor, &w->key[i], &s, &e) == 0) {
			keep(k, &w->key[i], &s);
			attest_bundle_free(&s);
			continue;
		}
		attest_key_name(&w->key[i], name);
		cli_fail(k->c, name, &e);
		k->failed = true;
		if (k->json) {
			json_open(k->json, NULL, '{');
			json_string(k->json, "set", name);
			json_bool(k->json, "kept", false);
			json_string(k->json, "message", e.msg);
			json_close(k->json, '}');
		}
	}
	return 0;
}

static int run_fetch(struct cli *c)
{
	struct attest_source source;
	struct wanted *w = NULL;
	struct keeper k;
	uint64_t evaluation = 0;
	bool given;
	int rc = keeper_open(c, &k);

	k.must_be_valid = true;
	if (rc == 0)
		rc = verify_source(c, &source, &given);
	if (rc == 0)
		rc = cli_number(c, "evaluation", 1, UINT32_MAX, &evaluation);
	if (rc == 0 && evaluation && (!cli_value(c, "set") || strcmp(cli_value(c, "set"), "both") == 0))
		rc = cli_usage(c, "--evaluation needs --set standard or --set early: as which is it kept?");
	if (rc == 0) {
		if (!given)
			source.url = ATTEST_PCS_URL;
		source.evaluation = (uint32_t)evaluation;
		w = calloc(1, sizeof(*w));
		rc = w ? want_given(c, w) : CLI_FAILURE;
	}
	if (rc == 0)
		rc = fetch_all(&k, &source, w);
	free(w);
	return keeper_close(&k, rc);
}

/* ---- import ---- */

static int import_one(void *arg, const char *path, bool early, struct bawn_error *e)
{
	struct keeper *k = arg;
	struct attest_key key;
	struct attest_bundle s;
	int rc = attest_bundle_read(&s, path, e);

	if (rc)
		return rc;
	rc = attest_bundle_key(&s, early || cli_flag(k->c, "early"), &key, e);
	if (rc == 0)
		keep(k, &key, &s);
	attest_bundle_free(&s);
	return rc;
}

static int run_import(struct cli *c)
{
	struct keeper k;
	int rc = keeper_open(c, &k);

	for (unsigned i = 0; i < c->argc && rc == 0; i++) {
		struct bawn_error e = { 0 };

		if (attest_dir_each(c->argv[i], import_one, &k, &e)) {
			cli_fail(c, c->argv[i], &e);
			k.failed = true;
		}
	}
	return keeper_close(&k, rc);
}

/* ---- the table ---- */

#define OPT_OLDER { .name = "older", .help = "keep it even if it is older than what is there" }

static const struct cli_option fetch_options[] = {
	VERIFY_OPT_STORE,
	VERIFY_OPT_NETWORK,
	{ .name = "fmspc", .value = "HEX", .help = "for platforms of this FMSPC; may be repeated" },
	{ .name = "ca", .value = "platform|processor", .help = "their PCK CA (default: platform)" },
	{ .name = "tee", .value = "sgx|tdx", .help = "for quotes of this kind (default: sgx)" },
	{ .name = "set", .value = "standard|early|both", .help = "which evaluation (default: both)" },
	{ .name = "evaluation", .value = "N", .help = "this tcbEvaluationDataNumber" },
	OPT_OLDER,
	VERIFY_OPT_AT,
	VERIFY_OPT_ROOT,
	CLI_OPT_JSON,
	{ 0 },
};
static const struct cli_command cmd_fetch = {
	.name = "fetch",
	.summary = "fetch collateral, verify it, keep it",
	.operands = "[QUOTE...]",
	.details = "What is fetched depends on the quotes' platforms, or on --fmspc, --ca and --tee.\n"
		   "From Intel's PCS unless --pcs or --pccs names another server.",
	.options = fetch_options,
	.max = CLI_ANY,
	.run = run_fetch,
};

static const struct cli_option import_options[] = {
	VERIFY_OPT_STORE,
	{ .name = "early", .help = "it is of the early evaluation" },
	OPT_OLDER,
	VERIFY_OPT_AT,
	VERIFY_OPT_ROOT,
	CLI_OPT_JSON,
	{ 0 },
};
static const struct cli_command cmd_import = {
	.name = "import",
	.summary = "verify collateral in directories, keep it",
	.operands = "DIR...",
	.details = "DIR has one file for each part (tcb_info.json, tcb_signing_chain.pem,\n"
		   "qe_identity.json, pck_crl.der, pck_crl_issuer_chain.pem, root_ca_crl.der), or is\n"
		   "a directory of such directories.",
	.options = import_options,
	.min = 1,
	.max = CLI_ANY,
	.run = run_import,
};

static const struct cli_option show_options[] = { VERIFY_OPT_STORE, CLI_OPT_JSON, { 0 } };
static const struct cli_command cmd_show = {
	.name = "show",
	.summary = "what the collateral says",
	.operands = "[DIR|FILE...]",
	.details = "FILE is a part of it by itself; `-` is standard input.\n"
		   "Nothing is verified: see `bawn collateral check`.",
	.options = show_options,
	.max = CLI_ANY,
	.run = collateral_show,
};

static const struct cli_option check_options[] = {
	VERIFY_OPT_STORE,
	{ .name = "warn", .value = "DAYS", .help = "complain this long before something ends (default: 7)" },
	VERIFY_OPT_AT,
	VERIFY_OPT_ROOT,
	CLI_OPT_JSON,
	{ 0 },
};
static const struct cli_command cmd_check = {
	.name = "check",
	.summary = "does the collateral hold, and how long?",
	.operands = "[DIR...]",
	.details = "Exit codes: 0 all of it holds, 3 something ends soon, 4 something does not hold\n"
		   "(signature, format, revoked signer), 5 something is missing or not valid now.",
	.options = check_options,
	.max = CLI_ANY,
	.run = collateral_check,
};

static const struct cli_command *const verbs[] = { &cmd_fetch, &cmd_import, &cmd_show, &cmd_check, NULL };
const struct cli_command cmd_collateral = {
	.name = "collateral",
	.summary = "fetch, keep and inspect what quotes are verified with",
	.verbs = verbs,
};
