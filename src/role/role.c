/* What bawnd's processes say to each other. To add a message: its struct in role.h, its table here. */
#include "role/role.h"

#include <string.h>

static const struct wire_field request_fields[] = {
	F_MAX(struct role_request, conn, ROLE_CONN_MAX),
	F_UINT(struct role_request, generation),
	F_UINT(struct role_request, seq),
	F_MAX(struct role_request, protocol, ROLE_AESM),
	F_UINT(struct role_request, type),
	F_UINT(struct role_request, tag),
	F_UINT(struct role_request, received),
	F_BOOL(struct role_request, has_socket),
	F_BOOL(struct role_request, has_fd),
	F_ZERO(2),
};

static const char *request_flaw(const void *host)
{
	return ((const struct role_request *)host)->protocol ? NULL : "no protocol";
}

static const struct wire_layout request =
	LAYOUT(struct role_request, "request", request_fields, .flaw = request_flaw,
	       .tail_max = ROLE_MAX - 256);

static const struct wire_field closed_fields[] = {
	F_MAX(struct role_closed, conn, ROLE_CONN_MAX),
	F_UINT(struct role_closed, generation),
};
static const struct wire_layout closed = LAYOUT(struct role_closed, "closed", closed_fields);

static const struct wire_field answered_fields[] = {
	F_MAX(struct role_answered, conn, ROLE_CONN_MAX),
	F_UINT(struct role_answered, generation),
	F_UINT(struct role_answered, seq),
	F_BOOL(struct role_answered, close),
	F_ZERO(3),
};
static const struct wire_layout answered = LAYOUT(struct role_answered, "answered", answered_fields);

static const struct wire_field parked_fields[] = {
	F_MAX(struct role_parked, conn, ROLE_CONN_MAX),
	F_UINT(struct role_parked, generation),
	F_UINT(struct role_parked, seq),
};
static const struct wire_layout parked = LAYOUT(struct role_parked, "parked", parked_fields);

static const struct wire_field counters_fields[] = {
	F_UINT(struct role_counters, clients),
	F_UINT(struct role_counters, clients_max),
	F_UINT(struct role_counters, accepted),
	F_UINT(struct role_counters, malformed),
	F_UINT(struct role_counters, timeouts),
	F_UINT(struct role_counters, refused),
};
static const struct wire_layout counters = LAYOUT(struct role_counters, "counters", counters_fields);

static const struct wire_field audit_fields[] = {
	F_UINT(struct role_audit, number),
	F_UINT(struct role_audit, time),
	F_MAX(struct role_audit, event, WIRE_AUDIT_EVENTS - 1),
	F_MAX(struct role_audit, operation, WIRE_OPERATIONS),
	F_MAX(struct role_audit, protocol, ROLE_AESM),
	F_MAX(struct role_audit, code, WIRE_CODES - 1),
	F_MAX(struct role_audit, reason, WIRE_REASONS - 1),
	F_UINT(struct role_audit, line),
	F_UINT(struct role_audit, entry),
	F_BOOL(struct role_audit, has_subject),
	F_ZERO(3),
	F_UINT(struct role_audit, uid),
	F_UINT(struct role_audit, gid),
	F_UINT(struct role_audit, pid),
	F_TEXT(struct role_audit, socket),
	F_TEXT(struct role_audit, cgroup),
	F_PART(struct role_audit, identity, wire_identity_layout),
	F_UINT(struct role_audit, changed),
	F_UINT(struct role_audit, until),
	F_TEXT(struct role_audit, match),
	F_TEXT(struct role_audit, note),
};
static const struct wire_layout audit = LAYOUT(struct role_audit, "audit", audit_fields);

static const struct wire_field anchor_fields[] = {
	F_UINT(struct role_anchor, number),
	F_UINT(struct role_anchor, lost),
	F_UINT(struct role_anchor, restarts),
	F_BOOL(struct role_anchor, failing),
	F_ZERO(3),
	F_PART(struct role_anchor, head, wire_anchor_layout),
	F_BYTES(struct role_anchor, proof),
};
static const struct wire_layout anchor = LAYOUT(struct role_anchor, "anchor", anchor_fields);

static const struct wire_field key_fields[] = {
	F_PART(struct role_key, from, wire_anchor_layout),
	F_BYTES(struct role_key, key),
};
static const struct wire_layout key = LAYOUT(struct role_key, "key", key_fields);

static const struct wire_field line_ask_fields[] = { F_UINT(struct role_line_ask, number) };
static const struct wire_layout line_ask = LAYOUT(struct role_line_ask, "line-ask", line_ask_fields);

static const struct wire_field line_fields[] = {
	F_BYTES(struct role_line, log),
	F_UINT(struct role_line, last),
	F_UINT(struct role_line, dropped),
	F_BOOL(struct role_line, gone),
	F_BOOL(struct role_line, has),
	F_ZERO(2),
	F_BYTES(struct role_line, mac),
};
static const struct wire_layout line = LAYOUT(struct role_line, "line", line_fields);

static const struct wire_field policy_fields[] = {
	F_MAX(struct role_policy, code, WIRE_CODES - 1),
	F_UINT(struct role_policy, size),
	F_BYTES(struct role_policy, digest),
	F_TEXT(struct role_policy, path),
	F_TEXT(struct role_policy, problem),
};
static const struct wire_layout policy = LAYOUT(struct role_policy, "policy", policy_fields);

static const struct wire_field fetch_fields[] = {
	F_UINT(struct role_fetch, number),
	F_MAX(struct role_fetch, what, ROLE_FETCHES - 1),
	F_BYTES(struct role_fetch, ppid),
	F_BYTES(struct role_fetch, cpusvn),
	F_BYTES(struct role_fetch, qe_id),
	F_BYTES(struct role_fetch, fmspc),
	F_UINT(struct role_fetch, pce_id),
	F_UINT(struct role_fetch, pce_svn),
	F_TEXT(struct role_fetch, ca),
	F_MAX(struct role_fetch, tee, BAWN_TEE_TDX),
	F_BOOL(struct role_fetch, early),
	F_ZERO(3),
	F_UINT(struct role_fetch, skip),
};

static const char *fetch_flaw(const void *host)
{
	const struct role_fetch *f = host;

	return f->what && (f->tee == BAWN_TEE_SGX || f->tee == BAWN_TEE_TDX) ? NULL :
									       "nothing to fetch";
}

static const struct wire_layout fetch =
	LAYOUT(struct role_fetch, "fetch", fetch_fields, .flaw = fetch_flaw);

static const struct wire_field fetched_fields[] = {
	F_UINT(struct role_fetched, number),
	F_MAX(struct role_fetched, what, ROLE_FETCHES - 1),
	F_MAX(struct role_fetched, code, WIRE_CODES - 1),
	F_UINTS(struct role_fetched, part_size),
	F_UINT(struct role_fetched, fetched),
	F_BYTES(struct role_fetched, cpusvn),
	F_UINT(struct role_fetched, pce_svn),
	F_UINT(struct role_fetched, pce_id),
	F_BYTES(struct role_fetched, key),
	F_BYTES(struct role_fetched, fmspc),
	F_ZERO(2),
	F_TEXT(struct role_fetched, ca),
	F_TEXT(struct role_fetched, root),
	F_UINT(struct role_fetched, from),
	F_UINT(struct role_fetched, expires),
	F_MAX(struct role_fetched, tcb_status, BAWN_TCB_REVOKED),
	F_TEXT(struct role_fetched, problem),
};
static const struct wire_layout fetched = LAYOUT(struct role_fetched, "fetched", fetched_fields);

static const struct role {
	uint16_t type;
	const struct wire_layout *layout;
} roles[] = {
	{ ROLE_REQUEST, &request }, { ROLE_CLOSED, &closed },   { ROLE_ANSWERED, &answered },
	{ ROLE_COUNTERS, &counters }, { ROLE_AUDIT, &audit },   { ROLE_ANCHOR, &anchor },
	{ ROLE_POLICY, &policy },   { ROLE_FETCH, &fetch },     { ROLE_FETCHED, &fetched },
	{ ROLE_PARKED, &parked },   { ROLE_LINE_ASK, &line_ask }, { ROLE_LINE, &line },
	{ ROLE_KEY_ASK, &wire_empty_layout }, { ROLE_KEY, &key },
};

const struct wire_layout *role_layout(unsigned type)
{
	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		if (roles[i].type == type)
			return roles[i].layout;
	return NULL;
}

void role_encode(const struct role_message *m, struct buf *out)
{
	const struct wire_layout *l = role_layout(m->head.type);
	const struct wire_head h = { .type = m->head.type, .tag = m->head.tag };

	if (l)
		wire_frame(&h, l, &m->u, m->tail, out);
	else
		out->failed = true;
}

int role_decode(const void *p, size_t n, struct role_message *m, struct bawn_error *e)
{
	struct cur c = cur_make(p, n);
	const struct wire_layout *l;
	int rc;

	memset(&m->head, 0, sizeof(m->head));
	m->tail = cur_make(NULL, 0);
	rc = wire_head_decode(&c, &m->head, e);
	if (rc)
		return rc;
	l = role_layout(m->head.type);
	if (!l || n > ROLE_MAX || m->head.code)
		return err_set(e, BAWN_ERR_FORMAT, "not a message between roles: type %u, code %u",
			       m->head.type, m->head.code);
	rc = wire_decode(l, &c, &m->u, e);
	return rc ? rc : wire_tail(l, &c, &m->tail, e);
}

/* ---- requests on their way to the vault ---- */

void role_request_native(const struct wire_request *r, struct buf *out)
{
	const struct wire_message *m = wire_message_of(r->head.type);

	if (m)
		wire_encode(m->request, &r->u, out);
	else
		out->failed = true;
}

int role_read_native(const struct role_message *m, struct wire_request *r, struct bawn_error *e)
{
	const struct wire_message *w = wire_message_of(m->u.request.type);
	struct cur c = m->tail;
	int rc;

	if (m->u.request.protocol != ROLE_NATIVE || !w)
		return err_set(e, BAWN_ERR_FORMAT, "no native request: %u", m->u.request.type);
	if (m->u.request.has_fd != (w->request_fds != 0))
		return err_set(e, BAWN_ERR_FORMAT, "%s: with a descriptor, or without", w->name);
	r->head = (struct wire_head){ .type = (uint16_t)m->u.request.type, .tag = m->u.request.tag };
	rc = wire_decode(w->request, &c, &r->u, e);
	if (rc == 0 && c.n)
		rc = err_set(e, BAWN_ERR_FORMAT, "%s: %zu bytes too many", w->name, c.n);
	return rc;
}

void role_request_aesm(const struct aesm_request *r, struct buf *out)
{
	if (r->blob_size > sizeof(r->blob)) {
		out->failed = true;
		return;
	}
	wire_encode(&aesm_request_layout, r, out);
	buf_add(out, r->blob, r->blob_size);
}

int role_read_aesm(const struct role_message *m, struct aesm_request *r, struct bawn_error *e)
{
	struct cur c = m->tail;
	int rc;

	if (m->u.request.protocol != ROLE_AESM || m->u.request.has_fd)
		return err_set(e, BAWN_ERR_FORMAT, "no request of AESM's protocol");
	rc = wire_decode(&aesm_request_layout, &c, r, e);
	if (rc)
		return rc;
	if (r->type != m->u.request.type || r->blob_size > sizeof(r->blob) || r->blob_size != c.n)
		return err_set(e, BAWN_ERR_FORMAT, "AESM request: type or size differ from what is said");
	cur_bytes(&c, r->blob, c.n);
	return 0;
}
