/* Who makes the quotes of `bawn attest`: an attester in this process, or bawnd. */
#include "attester/attester.h"
#include "cli/daemon.h"
#include "cli/maker.h"
#include "cli/show.h"

#include <stdlib.h>
#include <string.h>

#define LISTS_MAX 2 /* types of white lists: enum ae_list_type */

int maker_file(struct cli *c, const char *path, size_t max, uint8_t **p, size_t *n)
{
	struct bawn_error e = { 0 };

	return io_read_file(path, max, p, n, &e) ? cli_fail(c, path, &e) : 0;
}

/* ---- in this process ---- */

/* Files that the attester is given as bytes. */
struct given {
	uint8_t *chain, *key;
	struct bawn_bytes list[LISTS_MAX];
};

static int read_lists(struct cli *c, struct given *g, struct bawn_attester_options *o)
{
	const char *path;
	uint8_t *p;
	int rc = 0;

	o->white_lists = g->list;
	for (size_t i = 0; rc == 0 && (path = cli_value_at(c, "white-list", i)); i++) {
		if (i == LISTS_MAX)
			return cli_usage(c, "there are %d types of white lists", LISTS_MAX);
		rc = maker_file(c, path, AE_WHITE_LIST_MAX, &p, &g->list[i].n);
		if (rc == 0) {
			g->list[i].p = p;
			o->white_list_count++;
		}
	}
	return rc;
}

static int read_given(struct cli *c, struct given *g, struct bawn_attester_options *o)
{
	const char *chain = cli_value(c, "pck-chain"), *key = cli_value(c, "ppid-key");
	struct bawn_error e = { 0 };
	uint8_t *text;
	size_t n;
	int rc = read_lists(c, g, o);

	if (rc == 0 && chain) {
		rc = maker_file(c, chain, ATTEST_CHAIN_TEXT_MAX, &g->chain, &o->pck_chain.n);
		o->pck_chain.p = g->chain;
	}
	if (rc == 0 && key) {
		rc = maker_file(c, key, 4096, &text, &n);
		if (rc)
			return rc;
		if (attest_input_decode(text, n, &g->key, &o->ppid_key.n, &e))
			rc = cli_fail(c, key, &e);
		o->ppid_key.p = g->key;
		free(text);
	}
	return rc;
}

static int open_attester(struct cli *c, struct bawn_attester **a)
{
	struct bawn_attester_options o = {
		.device = cli_value(c, "device"), .platform = cli_value(c, "platform"),
		.allow_development = cli_flag(c, "allow-development"), .provision = cli_value(c, "provision"),
		.quote = cli_value(c, "quoting"), .launch = cli_value(c, "launch"), .state = cli_value(c, "state"),
	};
	struct bawn_error e = { 0 };
	struct given g = { 0 };
	int rc = read_given(c, &g, &o);

	if (rc == 0 && bawn_attester_new(a, &o, &e))
		rc = cli_fail(c, NULL, &e);
	free(g.chain);
	free(g.key);
	for (size_t i = 0; i < LISTS_MAX; i++)
		free((void *)(uintptr_t)g.list[i].p);
	return rc;
}

/* ---- bawnd ---- */

bool maker_by_service(const struct cli *c)
{
	return cli_flag(c, "daemon") || cli_value(c, "socket");
}

/* What bawnd's owner decides is not for its clients to say. */
static int open_service(struct cli *c, struct bawn_client **client)
{
	static const char *const owners[] = { "pck-chain", "ppid-key", "provision", "quoting", "launch", "white-list",
					      "state" };

	for (size_t i = 0; i < ARRAY_LEN(owners); i++)
		if (cli_value(c, owners[i]))
			return cli_usage(c, "--%s is for its owner to say, when bawnd makes the quote", owners[i]);
	return cli_service(c, client);
}

static void service_json(struct json *j, struct bawn_client *client)
{
	struct bawn_service s;

	if (bawn_client_status(client, &s, NULL))
		return; /* the quote is there all the same */
	json_bool(j, "emulated", s.emulated);
	json_string(j, "device", s.device);
	json_string(j, "service", s.server);
	json_string(j, "section", s.section);
	json_hex(j, "fmspc", s.fmspc, sizeof(s.fmspc));
	json_hex(j, "cpusvn", s.cpusvn, sizeof(s.cpusvn));
	json_u64(j, "pcesvn", s.pce_svn);
	show_time(j, "certificate_expires", s.certificate_expires);
}

/* ---- either ---- */

static void attester_json(struct json *j, const struct bawn_attester *a)
{
	struct bawn_attester_info i;

	bawn_attester_info(a, &i);
	json_bool(j, "emulated", i.emulated);
	json_string(j, "device", i.device);
	json_string(j, "state", i.state);
	json_bool(j, "has_certificate", i.has_certificate);
	if (!i.has_certificate)
		return;
	json_hex(j, "fmspc", i.fmspc, sizeof(i.fmspc));
	json_hex(j, "ppid", i.ppid, sizeof(i.ppid));
	json_hex(j, "cpusvn", i.cpusvn, sizeof(i.cpusvn));
	json_u64(j, "pcesvn", i.pcesvn);
	show_time(j, "certificate_expires", i.certificate_expires);
}

int maker_open(struct cli *c, struct maker *m)
{
	*m = (struct maker){ 0 };
	return maker_by_service(c) ? open_service(c, &m->service) : open_attester(c, &m->attester);
}

void maker_close(struct maker *m)
{
	bawn_attester_free(&m->attester);
	bawn_client_free(&m->service);
}

int maker_target(const struct maker *m, uint8_t target[512], struct bawn_error *e)
{
	return m->service ? bawn_client_target(m->service, target, NULL, NULL, e) :
			    bawn_attester_target(m->attester, target, e);
}

int maker_quote(const struct maker *m, const uint8_t report[432], uint8_t **quote, size_t *n, struct bawn_error *e)
{
	return m->service ? bawn_client_quote(m->service, report, NULL, quote, n, e) :
			    bawn_attester_quote(m->attester, report, NULL, quote, n, e);
}

int maker_fail(struct cli *c, const struct maker *m, const struct bawn_error *e)
{
	const int rc = cli_fail(c, NULL, e);

	if (m->service)
		cli_service_hint(c, WIRE_QUOTE, e);
	return rc;
}

void maker_json(const struct maker *m, struct json *j)
{
	if (m->service)
		service_json(j, m->service);
	else
		attester_json(j, m->attester);
}
