/* Options of `bawn verify` and `bawn collateral`: time, servers, store, root. */
#include "cli/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAMES_MAX 16384u

void verify_store_path(const struct cli *c, char *out, size_t max)
{
	const char *given = cli_value(c, "collateral"), *cache = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");

	if (!given)
		given = getenv("BAWN_COLLATERAL");
	if (given && *given)
		snprintf(out, max, "%s", given);
	else if (cache && *cache == '/')
		snprintf(out, max, "%s/bawn/collateral", cache);
	else if (home && *home == '/')
		snprintf(out, max, "%s/.cache/bawn/collateral", home);
	else
		*out = '\0';
}

int verify_time(struct cli *c, bool *fixed, int64_t *t)
{
	*fixed = cli_value(c, "at") != NULL;
	*t = time(NULL);
	return cli_time(c, "at", t);
}

int verify_source(struct cli *c, struct attest_source *s, bool *given)
{
	const char *pcs = cli_value(c, "pcs"), *pccs = cli_value(c, "pccs");
	uint64_t timeout = 0, tries = 0;
	int rc;

	if (pcs && pccs)
		return cli_usage(c, "--pcs and --pccs at once");
	rc = cli_number(c, "timeout", 1, 3600, &timeout);
	if (rc == 0)
		rc = cli_number(c, "tries", 1, 10, &tries);
	*s = (struct attest_source){
		.url = pccs ? pccs : pcs && strcmp(pcs, "intel") == 0 ? ATTEST_PCS_URL : pcs,
		.pccs = pccs != NULL,
		.tries = (unsigned)tries,
		.http = {
			.proxy = cli_value(c, "proxy"),
			.ca_file = cli_value(c, "tls-ca"),
			.insecure = cli_flag(c, "insecure"),
			.timeout_s = (unsigned)timeout,
		},
	};
	*given = s->url != NULL;
	if (rc == 0 && *given && strncmp(s->url, "https://", 8) != 0 && strncmp(s->url, "http://", 7) != 0)
		rc = cli_usage(c, "--%s: not an https URL: %s", pccs ? "pccs" : "pcs", s->url);
	return rc;
}

/* ---- the root and its names ---- */

/* A line "key value of any words", as in the names file of an owner's root. */
static bool names_line(struct bawn_names *names, char *line)
{
	const struct {
		const char *key;
		const char **field;
	} fields[] = {
		{ "root", &names->root },       { "pck-ca", &names->pck_ca },
		{ "pck-ca2", &names->pck_ca2 }, { "pck", &names->pck },
		{ "rest", &names->rest },       { "tcb-signing", &names->tcb_signing },
	};
	size_t n = strcspn(line, " \t");
	char *value = line + n + strspn(line + n, " \t");

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (strlen(fields[i].key) != n || memcmp(line, fields[i].key, n) != 0)
			continue;
		if (*fields[i].field || !line[n])
			return false;
		*fields[i].field = value;
		return true;
	}
	return false;
}

static int read_names(struct cli *c, const char *path, struct verify_root *r)
{
	struct bawn_error e = { 0 };
	uint8_t *text;
	size_t n;
	int number = 0;

	if (io_read_file(path, NAMES_MAX, &text, &n, &e))
		return cli_fail(c, path, &e);
	r->names_text = malloc(n + 1);
	if (r->names_text) {
		memcpy(r->names_text, text, n);
		r->names_text[n] = '\0';
	}
	free(text);
	if (!r->names_text) {
		cli_warn(c, NULL, "out of memory");
		return CLI_FAILURE;
	}
	for (char *line = r->names_text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		line[strcspn(line, "\r")] = '\0';
		number++;
		if (*line && *line != '#' && !names_line(&r->names, line)) {
			cli_warn(c, path, "line %d: not root, pck-ca, pck-ca2, pck, tcb-signing or rest and a name",
				 number);
			return CLI_FAILURE;
		}
	}
	if (!r->names.root || !r->names.pck_ca || !r->names.pck || !r->names.tcb_signing) {
		cli_warn(c, path, "root, pck-ca, pck and tcb-signing must be named");
		return CLI_FAILURE;
	}
	r->root.names = &r->names;
	return 0;
}

int verify_root_open(struct cli *c, struct verify_root *r)
{
	const char *file = cli_value(c, "root"), *profile = cli_value(c, "profile");
	struct bawn_error e = { 0 };

	*r = (struct verify_root){ .root = { .profile = BAWN_PROFILE_INTEL } };
	if (profile && strcmp(profile, "emulated") == 0)
		r->root.profile = BAWN_PROFILE_EMULATED;
	else if (profile && strcmp(profile, "intel") != 0)
		r->root.profile = BAWN_PROFILE_OWNER;
	if (r->root.profile != BAWN_PROFILE_INTEL && !file)
		return cli_usage(c, "--profile %s needs --root: whose certificates are to bear these names?",
				 profile);
	if (file) {
		size_t n;

		if (io_read_file(file, 65536, &r->certificate, &n, &e))
			return cli_fail(c, file, &e);
		r->root.certificate = (struct bawn_bytes){ r->certificate, n };
	}
	return r->root.profile == BAWN_PROFILE_OWNER ? read_names(c, profile, r) : 0;
}

void verify_root_close(struct verify_root *r)
{
	free(r->certificate);
	free(r->names_text);
	r->certificate = NULL;
	r->names_text = NULL;
}
