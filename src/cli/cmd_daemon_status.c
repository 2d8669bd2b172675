/* bawn daemon status: what the service is, what it has, and what it did. */
#include "cli/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXIT_NOT_READY 2

static const struct cli_option options[] = {
	CLI_OPT_SOCKET,
	{ .name = "watch", .help = "print it again every two seconds, until interrupted" },
	{ .name = "interval", .value = "SECONDS", .help = "with --watch: how often (default: 2)" },
	CLI_OPT_JSON,
	{ 0 }
};

static void print_json(struct json *j, const struct wire_hello_answer *h, const struct wire_status *s)
{
	json_open(j, NULL, '{');
	json_string(j, "server", h->server);
	json_string(j, "section", h->section);
	json_string(j, "state", wire_state_name(s->state));
	json_string(j, "problem", s->problem);
	json_string(j, "device", s->device);
	json_bool(j, "emulated", s->emulated);
	const bool seen = !ct_is_zero(s->cpusvn, sizeof(s->cpusvn));

	daemon_json_hex(j, "cpusvn", s->cpusvn, sizeof(s->cpusvn));
	daemon_json_known(j, "pce_svn", seen, s->pce_svn);
	daemon_json_known(j, "qe_svn", seen, s->qe_svn);
	daemon_json_hex(j, "fmspc", s->fmspc, sizeof(s->fmspc));
	if (s->tcb_status == BAWN_TCB_UNKNOWN)
		json_null(j, "tcb_status");
	else
		json_string(j, "tcb_status", bawn_tcb_status_name((enum bawn_tcb_status)s->tcb_status));
	if (s->root[0])
		json_string(j, "root", s->root);
	else
		json_null(j, "root");
	daemon_json_time(j, "now", s->now);
	daemon_json_time(j, "started", s->started);
	daemon_json_time(j, "key_made", s->key_made);
	daemon_json_time(j, "certificate_expires", s->certificate_expires);
	daemon_json_time(j, "collateral_expires", s->collateral_expires);
	json_bool(j, "full", s->full);
	if (s->full) {
		json_u64(j, "clients", s->clients);
		json_u64(j, "clients_max", s->clients_max);
		json_u64(j, "enclaves", s->enclaves);
		json_u64(j, "requests", s->requests);
		json_u64(j, "quotes", s->quotes);
		json_u64(j, "quotes_minute", s->quotes_minute);
		json_u64(j, "tokens", s->tokens);
		json_u64(j, "launches", s->launches);
		json_u64(j, "denied", s->denied);
		json_u64(j, "limited", s->limited);
		json_u64(j, "malformed", s->malformed);
		json_u64(j, "timeouts", s->timeouts);
		json_u64(j, "failed", s->failed);
		json_u64(j, "epc_held", s->epc_held);
		json_u64(j, "epc_limit", s->epc_limit);
		json_u64(j, "audit_lines", s->audit_count);
		json_u64(j, "audit_lost", s->audit_lost);
		json_u64(j, "restarts", s->restarts);
	}
	json_close(j, '}');
}

static unsigned long long n(uint64_t v)
{
	return (unsigned long long)v;
}

static void print_text(const struct wire_hello_answer *h, const struct wire_status *s)
{
	char hex[33], t[32];

	printf("%s: %s%s%s\n", h->server, wire_state_name(s->state), s->problem[0] ? ": " : "", s->problem);
	printf("  device       %s%s\n", s->device,
	       s->emulated ? " (EMULATED: what it issues proves nothing)" : "");
	if (ct_is_zero(s->cpusvn, sizeof(s->cpusvn))) /* no enclave has told yet */
		printf("  CPUSVN       -, PCE SVN -, QE SVN -\n");
	else
		printf("  CPUSVN       %s, PCE SVN %u, QE SVN %u\n", daemon_hex(s->cpusvn, 16, hex), s->pce_svn,
		       s->qe_svn);
	printf("  FMSPC        %s, TCB %s\n", daemon_hex(s->fmspc, 6, hex), s->tcb_status == BAWN_TCB_UNKNOWN ? "-" :
	       bawn_tcb_status_name((enum bawn_tcb_status)s->tcb_status));
	printf("  root         %s\n", s->root[0] ? s->root : "-");
	printf("  key made     %s\n", daemon_time(s->key_made, t));
	printf("  certificate  until %s\n", daemon_time(s->certificate_expires, t));
	printf("  collateral   until %s\n", daemon_time(s->collateral_expires, t));
	printf("  started      %s\n", daemon_time(s->started, t));
	printf("  this socket  %s\n", h->section);
	if (!s->full)
		return;
	printf("  clients      %u now, %u at most\n", s->clients, s->clients_max);
	printf("  enclaves     %u loaded\n", s->enclaves);
	printf("  answered     %llu requests, %llu quotes (%u in the last minute), %llu tokens, %llu launches\n",
	       n(s->requests), n(s->quotes), s->quotes_minute, n(s->tokens), n(s->launches));
	printf("  refused      %llu by policy, %llu too often; %llu malformed, %llu too slow, %llu failed\n",
	       n(s->denied), n(s->limited), n(s->malformed), n(s->timeouts), n(s->failed));
	printf("  EPC          %llu KiB in enclaves handed over, of %llu KiB\n", n(s->epc_held >> 10),
	       n(s->epc_limit >> 10));
	printf("  audit log    %llu lines, %llu could not be written\n", n(s->audit_count), n(s->audit_lost));
	printf("  restarts     %llu of processes that died\n", n(s->restarts));
}

/* One JSON document a line while watching: a stream that programs can read. */
static void print_line(const struct wire_hello_answer *h, const struct wire_status *s)
{
	struct json j;
	struct buf b;

	buf_init(&b, 65536);
	json_init(&j, &b);
	print_json(&j, h, s);
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] == '\n')
			b.p[i] = ' ';
	printf("%.*s\n", (int)b.n, (const char *)b.p);
	buf_free(&b);
}

static int run(struct cli *c)
{
	struct wire_request q = { .head.type = WIRE_STATUS };
	bool watch = cli_flag(c, "watch"), as_json = cli_flag(c, "json");
	struct bawn_client *client;
	struct wire_answer a;
	uint64_t interval = 2;
	int r = cli_number(c, "interval", 1, 86400, &interval);

	if (r == 0 && !watch && cli_value(c, "interval"))
		return cli_usage(c, "--interval goes with --watch");
	if (r == 0)
		r = cli_service(c, &client);
	if (r)
		return r;
	for (;;) {
		r = cli_ask(c, &client, &q, &a);
		if (r)
			return r;
		if (as_json && watch)
			print_line(client_hello(client), &a.u.status);
		else if (as_json)
			print_json(cli_json(c), client_hello(client), &a.u.status);
		else
			print_text(client_hello(client), &a.u.status);
		if (!watch || fflush(stdout))
			break;
		sleep((unsigned)interval);
	}
	bawn_client_free(&client);
	return a.u.status.state == WIRE_STATE_READY ? CLI_OK : EXIT_NOT_READY;
}

const struct cli_command cmd_daemon_status = {
	.name = "status",
	.summary = "show platform, certificates, clients, rates and refusals",
	.details = "Exit codes: 0 the service is ready, 2 it answers but is not ready (the first line says\n"
		   "why), 1 it does not answer, or refuses. Counts are shown to administrators alone.",
	.options = options,
	.run = run,
};
