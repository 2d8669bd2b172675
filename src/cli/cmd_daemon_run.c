/* bawn daemon provision, quiesce, reload: what administrators have the service do. */
#include "cli/daemon.h"

#include <stdio.h>
#include <string.h>

/* ---- provision ---- */

static const struct cli_option provision_options[] = {
	CLI_OPT_SOCKET,
	{ .name = "now", .help = "ask for a certificate and collateral at once" },
	{ .name = "new-key", .help = "make a new attestation key as well" },
	CLI_OPT_JSON,
	{ 0 }
};

static void provisioning_json(struct json *j, const struct wire_provisioning *p)
{
	json_open(j, NULL, '{');
	json_string(j, "state", wire_provisioning_name(p->state));
	json_string(j, "problem", p->problem);
	json_bool(j, "emulated", p->emulated);
	json_string(j, "source", p->source);
	daemon_json_hex(j, "cpusvn", p->cpusvn, sizeof(p->cpusvn));
	daemon_json_hex(j, "fmspc", p->fmspc, sizeof(p->fmspc));
	daemon_json_hex(j, "qe_id", p->qe_id, sizeof(p->qe_id));
	daemon_json_known(j, "pce_id", p->certificate_expires != 0, p->pce_id);
	daemon_json_known(j, "pce_svn", !ct_is_zero(p->cpusvn, sizeof(p->cpusvn)), p->pce_svn);
	daemon_json_time(j, "key_made", p->key_made);
	daemon_json_time(j, "certificate_from", p->certificate_from);
	daemon_json_time(j, "certificate_expires", p->certificate_expires);
	daemon_json_time(j, "collateral_expires", p->collateral_expires);
	daemon_json_time(j, "last_success", p->last_success);
	daemon_json_time(j, "last_try", p->last_try);
	daemon_json_time(j, "next_try", p->next_try);
	json_u64(j, "tries", p->tries);
	json_close(j, '}');
}

static void provisioning_text(const struct wire_provisioning *p)
{
	char hex[33], a[32], b[32];

	printf("provisioning: %s%s%s\n", wire_provisioning_name(p->state), p->problem[0] ? ": " : "",
	       p->problem);
	printf("  source       %s\n", p->source);
	printf("  CPUSVN       %s, PCE %s, PCE SVN %s\n", daemon_hex(p->cpusvn, 16, hex),
	       daemon_known(p->certificate_expires != 0, p->pce_id, a),
	       daemon_known(!ct_is_zero(p->cpusvn, sizeof(p->cpusvn)), p->pce_svn, b));
	printf("  QE_ID        %s\n", daemon_hex(p->qe_id, 16, hex));
	printf("  FMSPC        %s\n", daemon_hex(p->fmspc, 6, hex));
	printf("  key made     %s\n", daemon_time(p->key_made, a));
	printf("  certificate  from %s until %s\n", daemon_time(p->certificate_from, a),
	       daemon_time(p->certificate_expires, b));
	printf("  collateral   until %s\n", daemon_time(p->collateral_expires, a));
	printf("  last tried   %s, with success %s\n", daemon_time(p->last_try, a),
	       daemon_time(p->last_success, b));
	if (p->tries)
		printf("  next try     %s, after %u in vain\n", daemon_time(p->next_try, a), p->tries);
}

static int run_provision(struct cli *c)
{
	struct wire_request q = { .head.type = WIRE_PROVISIONING };
	struct bawn_client *client;
	struct wire_answer a;
	uint32_t what = 0;
	int r = cli_service(c, &client);

	if (cli_flag(c, "now"))
		what |= WIRE_PROVISION_CERTIFICATE | WIRE_PROVISION_COLLATERAL;
	if (cli_flag(c, "new-key"))
		what |= WIRE_PROVISION_ALL;
	if (what) {
		q.head.type = WIRE_PROVISION_NOW;
		q.u.provision_now.what = what;
	}
	if (r == 0)
		r = cli_ask(c, &client, &q, &a);
	if (r)
		return r;
	if (cli_flag(c, "json"))
		provisioning_json(cli_json(c), &a.u.provisioning);
	else
		provisioning_text(&a.u.provisioning);
	bawn_client_free(&client);
	return CLI_OK;
}

const struct cli_command cmd_daemon_provision = {
	.name = "provision",
	.summary = "show attestation key, certificate and collateral, or renew them",
	.details = "--now returns at once; ask again to see what came of it.",
	.options = provision_options,
	.run = run_provision,
};

/* ---- quiesce ---- */

static const struct cli_option quiesce_options[] = {
	CLI_OPT_SOCKET,
	{ .name = "seconds", .value = "N",
	  .help = "stay closed for so long (default: until something is asked for)" },
	CLI_OPT_JSON,
	{ 0 }
};

static int run_quiesce(struct cli *c)
{
	struct wire_request q = { .head.type = WIRE_QUIESCE };
	const struct wire_quiesce_answer *z;
	struct bawn_client *client;
	struct wire_answer a;
	uint64_t seconds = 0;
	int r = cli_number(c, "seconds", 1, 86400, &seconds);

	if (r == 0)
		r = cli_service(c, &client);
	q.u.quiesce.seconds = (uint32_t)seconds;
	if (r == 0)
		r = cli_ask(c, &client, &q, &a);
	if (r)
		return r;
	z = &a.u.quiesce;
	if (cli_flag(c, "json")) {
		struct json *j = cli_json(c);

		json_open(j, NULL, '{');
		json_u64(j, "closed", z->enclaves);
		json_u64(j, "outside", z->outside);
		json_close(j, '}');
	} else {
		printf("%u enclaves closed\n", z->enclaves);
		if (z->outside)
			printf("%u enclaves that were handed over are still there: their holders alone can end them\n",
			       z->outside);
	}
	bawn_client_free(&client);
	return CLI_OK;
}

const struct cli_command cmd_daemon_quiesce = {
	.name = "quiesce",
	.summary = "close all of the service's enclaves and devices",
	.details = "A microcode update takes a raised security version only while no enclave exists.",
	.options = quiesce_options,
	.run = run_quiesce,
};

/* ---- reload ---- */

static const struct cli_option reload_options[] = { CLI_OPT_SOCKET, CLI_OPT_JSON, { 0 } };

static int run_reload(struct cli *c)
{
	return daemon_policy_info(c, WIRE_POLICY_RELOAD);
}

const struct cli_command cmd_daemon_reload = {
	.name = "reload",
	.summary = "read the policy and the enclaves again",
	.details = "What SIGHUP does, with an answer: a policy that cannot be read is refused, and the one\n"
		   "in force stays.",
	.options = reload_options,
	.run = run_reload,
};
