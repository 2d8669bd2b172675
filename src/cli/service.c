/* The commands that ask the service: a connection, a request, and what to do if there is no answer. */
#include "cli/daemon.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Who may write to the socket, as its group and mode say. */
static void hint_rights(const char *path)
{
	struct group *group = NULL;
	struct stat st;

	if (stat(path, &st) == 0 && st.st_mode & S_IWGRP)
		group = getgrgid(st.st_gid);
	if (group && group->gr_gid != 0)
		cli_hint("It is for the group %s: `usermod -aG %s USER`, by root, and a new login; or ask as root.",
			 group->gr_name, group->gr_name);
	else
		cli_hint("Ask as root. Who else may is what mode and group of this socket in bawnd.conf(5) say.");
}

/* What was asked for, as the policy calls it. */
static enum wire_operation operation_of(unsigned type)
{
	switch (type) {
	case WIRE_HELLO:
	case WIRE_STATUS:
		return WIRE_OP_STATUS;
	case WIRE_TARGET_INFO:
	case WIRE_QUOTE:
		return WIRE_OP_QUOTE;
	case WIRE_PROVISIONING:
	case WIRE_PROVISION_NOW:
		return WIRE_OP_PROVISION;
	default:
		return WIRE_OP_ADMINISTER;
	}
}

static void hint_policy(unsigned type)
{
	const enum wire_operation op = operation_of(type);

	if (op == WIRE_OP_ADMINISTER)
		cli_hint("Who may administer is for the policy to say, by default root alone: bawn-policy(5).");
	else
		cli_hint("Who administers the service can allow it: `bawn daemon grant %s uid=%u` or a rule of bawn-policy(5), or take a revocation back.",
			 wire_operation_name(op), (unsigned)getuid());
}

static void hint_connect(const struct cli *c, const struct bawn_error *e)
{
	const char *path = client_socket(cli_value(c, "socket"));

	switch (e->code) {
	case BAWN_ERR_NOT_FOUND:
		cli_hint("Start it: `systemctl start bawnd.socket`, or bawnd(8) by hand. "
			 "--socket or $BAWN_SOCKET names another socket.");
		break;
	case BAWN_ERR_DENIED:
		if (access(path, W_OK) && errno == EACCES)
			hint_rights(path);
		else
			hint_policy(WIRE_HELLO);
		break;
	case BAWN_ERR_FORMAT:
	case BAWN_ERR_USAGE:
		cli_hint("Give --socket the path of the socket with `protocol = native` in bawnd.conf(5).");
		break;
	case BAWN_ERR_BUSY:
		cli_hint("See its log: `journalctl -u bawnd`.");
		break;
	default:
		break;
	}
}

/* code: the service's, or WIRE_OK if it did not come to an answer. */
static void hint_answer(const struct cli *c, unsigned type, unsigned code, const struct bawn_error *e)
{
	switch (code) {
	case WIRE_DENIED:
		hint_policy(type);
		break;
	case WIRE_LIMITED:
		cli_hint("How often is for the policy to say: rate= and burst= of bawn-policy(5).");
		break;
	case WIRE_LOCKED:
		cli_hint("To change it, start bawnd again. Revocations can be made all the same.");
		break;
	case WIRE_NOT_FOUND:
		if (type == WIRE_GRANT_REMOVE)
			cli_hint("`bawn daemon grant --list` tells the numbers.");
		break;
	case WIRE_UNAVAILABLE:
	case WIRE_FAILED:
		if (type != WIRE_STATUS)
			cli_hint("`bawn daemon status` and the service's log tell more.");
		break;
	case WIRE_OK:
		if (e->code == BAWN_ERR_BUSY)
			cli_hint("See its log: `journalctl -u bawnd`.");
		else
			hint_connect(c, e);
		break;
	default:
		break;
	}
}

int cli_service(struct cli *c, struct bawn_client **out)
{
	struct bawn_error e = { 0 };

	if (bawn_client_open(out, cli_value(c, "socket"), &e) == 0)
		return 0;
	cli_fail(c, NULL, &e);
	hint_connect(c, &e);
	return CLI_FAILURE;
}

int cli_ask(struct cli *c, struct bawn_client **client, struct wire_request *q,
	    struct wire_answer *a)
{
	struct bawn_error e = { 0 };

	a->head.code = WIRE_OK;
	if (client_call(*client, q, -1, a, NULL, &e) == 0)
		return 0;
	bawn_client_free(client);
	cli_fail(c, NULL, &e);
	hint_answer(c, q->head.type, a->head.code, &e);
	return CLI_FAILURE;
}

void cli_service_hint(const struct cli *c, enum wire_type type, const struct bawn_error *e)
{
	if (e->code == BAWN_ERR_DENIED)
		hint_answer(c, type, WIRE_DENIED, e);
	else if (e->code == BAWN_ERR_SYSTEM)
		hint_answer(c, type, WIRE_FAILED, e);
	else if (e->code == BAWN_ERR_NOT_FOUND) /* it has gone since */
		hint_connect(c, e);
}
