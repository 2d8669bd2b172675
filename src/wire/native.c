/* The native messages: a table of fields for each body, one line for each request. */
#include "crypto/crypto.h"
#include "wire/wire.h"

#include <string.h>

const struct wire_layout wire_empty_layout = { .name = "empty", .host = sizeof(struct wire_empty) };

static const struct wire_field refusal_fields[] = {
	F_UINT(struct wire_refusal, retry_ms),
	F_UINT(struct wire_refusal, sgx_status),
	F_TEXT(struct wire_refusal, text),
};
static const struct wire_layout refusal = LAYOUT(struct wire_refusal, "refusal", refusal_fields);

/* ---- hello ---- */

static const struct wire_field hello_fields[] = {
	F_UINT(struct wire_hello, min),
	F_UINT(struct wire_hello, max),
	F_TEXT(struct wire_hello, client),
};

static const char *hello_flaw(const void *host)
{
	const struct wire_hello *h = host;

	return !h->min || h->min > h->max ? "no version from min to max" : NULL;
}

static const struct wire_layout hello =
	LAYOUT(struct wire_hello, "hello", hello_fields, .flaw = hello_flaw);

static const struct wire_field hello_answer_fields[] = {
	F_UINT(struct wire_hello_answer, version),
	F_UINT(struct wire_hello_answer, features),
	F_UINT(struct wire_hello_answer, message_max),
	F_BOOL(struct wire_hello_answer, emulated),
	F_ZERO(3),
	F_TEXT(struct wire_hello_answer, server),
	F_TEXT(struct wire_hello_answer, section),
};
static const struct wire_layout hello_answer =
	LAYOUT(struct wire_hello_answer, "hello", hello_answer_fields);

/* ---- status ---- */

static const struct wire_field status_fields[] = {
	F_BOOL(struct wire_status, emulated),
	F_BOOL(struct wire_status, full),
	F_ZERO(2),
	F_MAX(struct wire_status, state, WIRE_STATES - 1),
	F_TEXT(struct wire_status, device),
	F_BYTES(struct wire_status, cpusvn),
	F_BYTES(struct wire_status, fmspc),
	F_UINT(struct wire_status, pce_id),
	F_UINT(struct wire_status, pce_svn),
	F_UINT(struct wire_status, qe_svn),
	F_MAX(struct wire_status, tcb_status, BAWN_TCB_REVOKED),
	F_UINT(struct wire_status, now),
	F_UINT(struct wire_status, started),
	F_UINT(struct wire_status, key_made),
	F_UINT(struct wire_status, certificate_expires),
	F_UINT(struct wire_status, collateral_expires),
	F_TEXT(struct wire_status, root),
	F_TEXT(struct wire_status, problem),
	F_UINT(struct wire_status, clients),
	F_UINT(struct wire_status, clients_max),
	F_UINT(struct wire_status, quotes_minute),
	F_UINT(struct wire_status, enclaves),
	F_UINT(struct wire_status, requests),
	F_UINT(struct wire_status, quotes),
	F_UINT(struct wire_status, tokens),
	F_UINT(struct wire_status, launches),
	F_UINT(struct wire_status, denied),
	F_UINT(struct wire_status, limited),
	F_UINT(struct wire_status, malformed),
	F_UINT(struct wire_status, timeouts),
	F_UINT(struct wire_status, failed),
	F_UINT(struct wire_status, epc_held),
	F_UINT(struct wire_status, epc_limit),
	F_UINT(struct wire_status, audit_count),
	F_UINT(struct wire_status, audit_lost),
	F_UINT(struct wire_status, restarts),
};
static const struct wire_layout status = LAYOUT(struct wire_status, "status", status_fields);

/* ---- quotes ---- */

static const char *key_flaw(uint32_t key)
{
	return key ? NULL : "no key is named";
}

static const struct wire_field target_info_fields[] = {
	F_MAX(struct wire_target_info, key, WIRE_KEYS - 1),
};

static const char *target_info_flaw(const void *host)
{
	return key_flaw(((const struct wire_target_info *)host)->key);
}

static const struct wire_layout target_info =
	LAYOUT(struct wire_target_info, "target-info", target_info_fields, .flaw = target_info_flaw);

static const struct wire_field target_info_answer_fields[] = {
	F_UINT(struct wire_target_info_answer, quote_size),
	F_BYTES(struct wire_target_info_answer, key_id),
	F_BYTES(struct wire_target_info_answer, target),
};
static const struct wire_layout target_info_answer =
	LAYOUT(struct wire_target_info_answer, "target-info", target_info_answer_fields);

static const struct wire_field quote_fields[] = {
	F_MAX(struct wire_quote, key, WIRE_KEYS - 1),
	F_BOOL(struct wire_quote, want_report),
	F_ZERO(3),
	F_BYTES(struct wire_quote, nonce),
	F_BYTES(struct wire_quote, app),
	F_BYTES(struct wire_quote, report),
};

static const char *quote_flaw(const void *host)
{
	const struct wire_quote *q = host;

	if (!q->want_report && (!ct_is_zero(q->nonce, sizeof(q->nonce)) ||
				!ct_is_zero(&q->app, sizeof(q->app))))
		return "nonce and app without want_report";
	return key_flaw(q->key);
}

static const struct wire_layout quote =
	LAYOUT(struct wire_quote, "quote", quote_fields, .flaw = quote_flaw);

static const struct wire_field quote_answer_fields[] = {
	F_BOOL(struct wire_quote_answer, has_report),
	F_ZERO(3),
	F_BYTES(struct wire_quote_answer, qe_report),
};

static const char *quote_answer_flaw(const void *host)
{
	const struct wire_quote_answer *a = host;

	return !a->has_report && !ct_is_zero(&a->qe_report, sizeof(a->qe_report)) ?
		       "a report that is none" :
		       NULL;
}

static const struct wire_layout quote_answer =
	LAYOUT(struct wire_quote_answer, "quote", quote_answer_fields, .flaw = quote_answer_flaw,
	       .tail_max = WIRE_TAIL_MAX);

static const struct wire_field certify_fields[] = {
	F_BYTES(struct wire_certify, cpusvn),
	F_UINT(struct wire_certify, pce_svn),
	F_ZERO(2),
	F_BYTES(struct wire_certify, report),
};
static const struct wire_layout certify = LAYOUT(struct wire_certify, "certify", certify_fields);

static const struct wire_field certify_answer_fields[] = {
	F_BYTES(struct wire_certify_answer, signature),
	F_UINT(struct wire_certify_answer, pce_id),
	F_UINT(struct wire_certify_answer, pce_svn),
};
static const struct wire_layout certify_answer =
	LAYOUT(struct wire_certify_answer, "certify", certify_answer_fields, .tail_max = WIRE_TAIL_MAX);

static const struct wire_field pce_info_fields[] = {
	F_UINT(struct wire_pce_info, suite),
	F_ZERO(3),
	F_BYTES(struct wire_pce_info, key),
	F_BYTES(struct wire_pce_info, report),
};
static const struct wire_layout pce_info = LAYOUT(struct wire_pce_info, "pce-info", pce_info_fields);

static const struct wire_field pce_info_answer_fields[] = {
	F_BYTES(struct wire_pce_info_answer, ppid),
	F_UINT(struct wire_pce_info_answer, pce_id),
	F_UINT(struct wire_pce_info_answer, pce_svn),
};
static const struct wire_layout pce_info_answer =
	LAYOUT(struct wire_pce_info_answer, "pce-info", pce_info_answer_fields);

/* ---- launching ---- */

static const struct wire_field token_fields[] = {
	F_BYTES(struct wire_token, mrenclave),
	F_BYTES(struct wire_token, mrsigner),
	F_UINT(struct wire_token, attributes),
	F_UINT(struct wire_token, xfrm),
};
static const struct wire_layout token = LAYOUT(struct wire_token, "token", token_fields);

static const struct wire_field token_answer_fields[] = { F_BYTES(struct wire_token_answer, token) };
static const struct wire_layout token_answer =
	LAYOUT(struct wire_token_answer, "token", token_answer_fields);

static const struct wire_field launch_fields[] = {
	F_UINT(struct wire_launch, base),
	F_UINT(struct wire_launch, size),
	F_UINT(struct wire_launch, attributes),
	F_UINT(struct wire_launch, xfrm),
	F_UINT(struct wire_launch, ssaframesize),
	F_UINT(struct wire_launch, miscselect),
	F_UINT(struct wire_launch, config_svn),
	F_ZERO(2),
	F_BYTES(struct wire_launch, config_id),
	F_MAX(struct wire_launch, pages, WIRE_STREAM_PAGES_MAX),
	F_BYTES(struct wire_launch, sigstruct),
};

static const char *launch_flaw(const void *host)
{
	const struct wire_launch *l = host;

	if (!l->size || l->size & (l->size - 1) || l->size % ISA_PAGE)
		return "size is no power of two of at least a page";
	if (l->base & (l->size - 1))
		return "base is no multiple of size";
	if (!l->pages || l->pages > l->size / ISA_PAGE)
		return "no pages, or more than fit";
	return NULL;
}

static const struct wire_layout launch =
	LAYOUT(struct wire_launch, "launch", launch_fields, .flaw = launch_flaw);

static const struct wire_field launch_answer_fields[] = {
	F_BOOL(struct wire_launch_answer, emulated),
	F_ZERO(7),
	F_UINT(struct wire_launch_answer, id),
	F_UINT(struct wire_launch_answer, base),
	F_UINT(struct wire_launch_answer, size),
	F_TEXT(struct wire_launch_answer, device),
};
static const struct wire_layout launch_answer =
	LAYOUT(struct wire_launch_answer, "launch", launch_answer_fields);

/* ---- provisioning, collateral ---- */

static const struct wire_field provisioning_fields[] = {
	F_BOOL(struct wire_provisioning, emulated),
	F_ZERO(3),
	F_MAX(struct wire_provisioning, state, WIRE_PROVISIONING_STATES - 1),
	F_BYTES(struct wire_provisioning, cpusvn),
	F_BYTES(struct wire_provisioning, fmspc),
	F_BYTES(struct wire_provisioning, qe_id),
	F_UINT(struct wire_provisioning, pce_id),
	F_UINT(struct wire_provisioning, pce_svn),
	F_UINT(struct wire_provisioning, key_made),
	F_UINT(struct wire_provisioning, certificate_from),
	F_UINT(struct wire_provisioning, certificate_expires),
	F_UINT(struct wire_provisioning, collateral_expires),
	F_UINT(struct wire_provisioning, last_success),
	F_UINT(struct wire_provisioning, last_try),
	F_UINT(struct wire_provisioning, next_try),
	F_UINT(struct wire_provisioning, tries),
	F_TEXT(struct wire_provisioning, source),
	F_TEXT(struct wire_provisioning, problem),
};
static const struct wire_layout provisioning =
	LAYOUT(struct wire_provisioning, "provisioning", provisioning_fields);

static const struct wire_field provision_now_fields[] = {
	F_MAX(struct wire_provision_now, what, WIRE_PROVISION_ALL),
};

static const char *provision_now_flaw(const void *host)
{
	return ((const struct wire_provision_now *)host)->what ? NULL : "nothing to be done";
}

static const struct wire_layout provision_now = LAYOUT(
	struct wire_provision_now, "provision-now", provision_now_fields, .flaw = provision_now_flaw);

static const struct wire_field collateral_fields[] = {
	F_MAX(struct wire_collateral, part, WIRE_COLLATERAL_PARTS - 1),
	F_MAX(struct wire_collateral, tee, BAWN_TEE_TDX),
	F_BOOL(struct wire_collateral, early),
	F_ZERO(1),
	F_BYTES(struct wire_collateral, fmspc),
	F_TEXT(struct wire_collateral, ca),
};

static const char *collateral_flaw(const void *host)
{
	const struct wire_collateral *c = host;

	if (c->tee != BAWN_TEE_SGX && c->tee != BAWN_TEE_TDX)
		return "no such TEE";
	if (*c->ca && strcmp(c->ca, "platform") != 0 && strcmp(c->ca, "processor") != 0)
		return "ca is platform, processor or empty";
	return NULL;
}

static const struct wire_layout collateral =
	LAYOUT(struct wire_collateral, "collateral", collateral_fields, .flaw = collateral_flaw);

static const struct wire_field collateral_answer_fields[] = {
	F_UINT(struct wire_collateral_answer, size),
	F_UINT(struct wire_collateral_answer, fetched),
};
static const struct wire_layout collateral_answer =
	LAYOUT(struct wire_collateral_answer, "collateral", collateral_answer_fields);

/* ---- administration ---- */

static const struct wire_field quiesce_fields[] = { F_UINT(struct wire_quiesce, seconds) };
static const struct wire_layout quiesce = LAYOUT(struct wire_quiesce, "quiesce", quiesce_fields);

static const struct wire_field quiesce_answer_fields[] = {
	F_UINT(struct wire_quiesce_answer, enclaves),
	F_UINT(struct wire_quiesce_answer, outside),
};
static const struct wire_layout quiesce_answer =
	LAYOUT(struct wire_quiesce_answer, "quiesce", quiesce_answer_fields);

static const struct wire_field policy_info_fields[] = {
	F_BOOL(struct wire_policy_info, locked),
	F_ZERO(3),
	F_BYTES(struct wire_policy_info, digest),
	F_UINT(struct wire_policy_info, loaded),
	F_UINT(struct wire_policy_info, rules),
	F_UINT(struct wire_policy_info, sections),
	F_UINT(struct wire_policy_info, grants),
	F_UINT(struct wire_policy_info, revocations),
	F_TEXT(struct wire_policy_info, path),
};
static const struct wire_layout policy_info =
	LAYOUT(struct wire_policy_info, "policy", policy_info_fields);

static const struct wire_field subject_fields[] = {
	F_UINT(struct wire_subject, uid),
	F_UINT(struct wire_subject, gid),
	F_UINT(struct wire_subject, pid),
	F_MAX(struct wire_subject, ngroups, WIRE_GROUPS),
	F_UINTS(struct wire_subject, groups),
	F_TEXT(struct wire_subject, socket),
	F_BOOL(struct wire_subject, has_cgroup),
	F_ZERO(3),
	F_TEXT(struct wire_subject, cgroup),
};
static const struct wire_layout subject = LAYOUT(struct wire_subject, "subject", subject_fields);

static const struct wire_field policy_test_fields[] = {
	F_MAX(struct wire_policy_test, operation, WIRE_OPERATIONS - 1),
	F_PART(struct wire_policy_test, subject, subject),
	F_PART(struct wire_policy_test, identity, wire_identity_layout),
};
static const struct wire_layout policy_test =
	LAYOUT(struct wire_policy_test, "policy-test", policy_test_fields);

static const struct wire_field grant_add_answer_fields[] = {
	F_UINT(struct wire_grant_add_answer, id),
	F_UINT(struct wire_grant_add_answer, lifted),
	F_UINT(struct wire_grant_add_answer, blocker),
	F_MAX(struct wire_grant_add_answer, outlives, WIRE_OUTLIVES_ALL),
	F_UINT(struct wire_grant_add_answer, outside),
	F_BOOL(struct wire_grant_add_answer, kept),
	F_ZERO(3),
};
static const struct wire_layout grant_add_answer =
	LAYOUT(struct wire_grant_add_answer, "grant-add", grant_add_answer_fields);

static const struct wire_field grant_remove_fields[] = { F_UINT(struct wire_grant_remove, id) };
static const struct wire_layout grant_remove =
	LAYOUT(struct wire_grant_remove, "grant-remove", grant_remove_fields);

static const struct wire_field grant_list_fields[] = { F_UINT(struct wire_grant_list, after) };
static const struct wire_layout grant_list =
	LAYOUT(struct wire_grant_list, "grant-list", grant_list_fields);

static const struct wire_field grant_list_answer_fields[] = {
	F_UINT(struct wire_grant_list_answer, count),
	F_BOOL(struct wire_grant_list_answer, more),
	F_ZERO(3),
};
static const struct wire_layout grant_list_answer = LAYOUT(
	struct wire_grant_list_answer, "grant-list", grant_list_answer_fields, .tail_max = WIRE_TAIL_MAX);

/* ---- the requests ---- */

static const struct wire_message messages[WIRE_TYPES] = {
	[WIRE_HELLO] = { "hello", WIRE_OP_STATUS, &hello, &hello_answer, 0, 0 },
	[WIRE_STATUS] = { "status", WIRE_OP_STATUS, &wire_empty_layout, &status, 0, 0 },
	[WIRE_TARGET_INFO] = { "target-info", WIRE_OP_QUOTE, &target_info, &target_info_answer, 0, 0 },
	[WIRE_QUOTE] = { "quote", WIRE_OP_QUOTE, &quote, &quote_answer, 0, 0 },
	[WIRE_CERTIFY] = { "certify", WIRE_OP_CERTIFY, &certify, &certify_answer, 0, 0 },
	[WIRE_PCE_INFO] = { "pce-info", WIRE_OP_CERTIFY, &pce_info, &pce_info_answer, 0, 0 },
	[WIRE_TOKEN] = { "token", WIRE_OP_LAUNCH, &token, &token_answer, 0, 0 },
	[WIRE_LAUNCH] = { "launch", WIRE_OP_LAUNCH, &launch, &launch_answer, 1, 1 },
	[WIRE_PROVISIONING] = { "provisioning", WIRE_OP_PROVISION, &wire_empty_layout, &provisioning,
				0, 0 },
	[WIRE_PROVISION_NOW] = { "provision-now", WIRE_OP_PROVISION, &provision_now, &provisioning,
				 0, 0 },
	[WIRE_COLLATERAL] = { "collateral", WIRE_OP_COLLATERAL, &collateral, &collateral_answer, 0, 1 },
	[WIRE_QUIESCE] = { "quiesce", WIRE_OP_ADMINISTER, &quiesce, &quiesce_answer, 0, 0 },
	[WIRE_POLICY_INFO] = { "policy-info", WIRE_OP_ADMINISTER, &wire_empty_layout, &policy_info,
			       0, 0 },
	[WIRE_POLICY_TEST] = { "policy-test", WIRE_OP_ADMINISTER, &policy_test, &wire_decision_layout,
			       0, 0 },
	[WIRE_POLICY_RELOAD] = { "policy-reload", WIRE_OP_ADMINISTER, &wire_empty_layout, &policy_info,
				 0, 0 },
	[WIRE_POLICY_LOCK] = { "policy-lock", WIRE_OP_ADMINISTER, &wire_empty_layout, &policy_info,
			       0, 0 },
	[WIRE_GRANT_ADD] = { "grant-add", WIRE_OP_ADMINISTER, &wire_entry_layout, &grant_add_answer,
			     0, 0 },
	[WIRE_GRANT_REMOVE] = { "grant-remove", WIRE_OP_ADMINISTER, &grant_remove, &wire_empty_layout,
				0, 0 },
	[WIRE_GRANT_LIST] = { "grant-list", WIRE_OP_ADMINISTER, &grant_list, &grant_list_answer, 0, 0 },
	[WIRE_AUDIT_HEAD] = { "audit-head", WIRE_OP_ADMINISTER, &wire_empty_layout, &wire_anchor_layout,
			      0, 0 },
};

const struct wire_message *wire_message_of(unsigned type)
{
	return type < WIRE_TYPES && messages[type].name ? &messages[type] : NULL;
}

void wire_request_encode(const struct wire_request *r, struct buf *out)
{
	const struct wire_message *m = wire_message_of(r->head.type);
	const struct wire_head h = { .type = r->head.type, .tag = r->head.tag };

	if (!m) {
		out->failed = true;
		return;
	}
	wire_frame(&h, m->request, &r->u, cur_make(NULL, 0), out);
}

int wire_request_decode(const void *p, size_t n, size_t nfds, struct wire_request *r,
			struct bawn_error *e)
{
	struct cur c = cur_make(p, n), tail;
	const struct wire_message *m;
	int rc;

	memset(&r->head, 0, sizeof(r->head));
	rc = wire_head_decode(&c, &r->head, e);
	if (rc)
		return rc;
	if (n > WIRE_MAX || r->head.code)
		return err_set(e, BAWN_ERR_FORMAT, "not a request: too large, or with a code");
	m = wire_message_of(r->head.type);
	if (!m)
		return err_set(e, BAWN_ERR_UNSUPPORTED, "no request has the number %u", r->head.type);
	rc = wire_decode(m->request, &c, &r->u, e);
	if (rc == 0)
		rc = wire_tail(m->request, &c, &tail, e);
	if (rc == 0 && nfds != m->request_fds)
		rc = err_set(e, BAWN_ERR_FORMAT, "%s: %zu descriptors came along, not %u", m->name, nfds,
			     m->request_fds);
	return rc;
}

/* The layout of an answer's body, or NULL. A refusal can answer what is no request. */
static const struct wire_layout *answer_layout(const struct wire_head *h)
{
	const struct wire_message *m = wire_message_of(h->type);

	if (h->code != WIRE_OK)
		return &refusal;
	return m ? m->answer : NULL;
}

void wire_answer_encode(const struct wire_answer *a, struct buf *out)
{
	const struct wire_layout *l = answer_layout(&a->head);

	if (l)
		wire_frame(&a->head, l, &a->u, a->tail, out);
	else
		out->failed = true;
}

int wire_answer_decode(const void *p, size_t n, size_t nfds, struct wire_answer *a,
		       struct bawn_error *e)
{
	struct cur c = cur_make(p, n);
	const struct wire_layout *l;
	size_t fds;
	int rc;

	memset(&a->head, 0, sizeof(a->head));
	a->tail = cur_make(NULL, 0);
	rc = wire_head_decode(&c, &a->head, e);
	if (rc)
		return rc;
	if (n > WIRE_MAX || a->head.code >= WIRE_CODES)
		return err_set(e, BAWN_ERR_FORMAT, "not an answer: too large, or an unknown code");
	l = answer_layout(&a->head);
	if (!l)
		return err_set(e, BAWN_ERR_UNSUPPORTED, "an answer to no request: %u", a->head.type);
	fds = a->head.code == WIRE_OK ? wire_message_of(a->head.type)->answer_fds : 0;
	rc = wire_decode(l, &c, &a->u, e);
	if (rc == 0)
		rc = wire_tail(l, &c, &a->tail, e);
	if (rc == 0 && nfds != fds)
		rc = err_set(e, BAWN_ERR_FORMAT, "%s: %zu descriptors came along, not %zu", l->name, nfds,
			     fds);
	return rc;
}

/* ---- whom a request is about ---- */

static void identity_of_launch(const struct wire_launch *l, struct wire_identity *out)
{
	out->known = WIRE_KNOWN_ALL;
	memcpy(out->mrenclave, l->sigstruct.enclavehash, 32);
	crypto_sha256(l->sigstruct.modulus, sizeof(l->sigstruct.modulus), out->mrsigner);
	out->attributes = l->attributes;
	out->product = l->sigstruct.isvprodid;
	out->svn = l->sigstruct.isvsvn;
}

void wire_request_identity(const struct wire_request *r, struct wire_identity *out)
{
	memset(out, 0, sizeof(*out));
	switch (r->head.type) {
	case WIRE_QUOTE:
		wire_identity_of_report(&r->u.quote.report.body, out);
		break;
	case WIRE_CERTIFY:
		wire_identity_of_report(&r->u.certify.report.body, out);
		break;
	case WIRE_PCE_INFO:
		wire_identity_of_report(&r->u.pce_info.report.body, out);
		break;
	case WIRE_TOKEN:
		out->known = WIRE_KNOWN_MRENCLAVE | WIRE_KNOWN_MRSIGNER | WIRE_KNOWN_ATTRIBUTES;
		memcpy(out->mrenclave, r->u.token.mrenclave, 32);
		memcpy(out->mrsigner, r->u.token.mrsigner, 32);
		out->attributes = r->u.token.attributes;
		break;
	case WIRE_LAUNCH:
		identity_of_launch(&r->u.launch, out);
		break;
	default:
		break;
	}
}

/* ---- page streams ---- */

uint64_t wire_stream_data(uint32_t pages)
{
	if (!pages || pages > WIRE_STREAM_PAGES_MAX)
		return 0;
	return ((uint64_t)pages * WIRE_STREAM_ENTRY + ISA_PAGE - 1) / ISA_PAGE * ISA_PAGE;
}

uint64_t wire_stream_size(uint32_t pages)
{
	uint64_t data = wire_stream_data(pages);

	return data ? data + (uint64_t)pages * ISA_PAGE : 0;
}

void wire_page_encode(const struct wire_page *p, uint8_t out[WIRE_STREAM_ENTRY])
{
	memset(out, 0, WIRE_STREAM_ENTRY);
	put_le64(out, p->offset);
	put_le32(out + 8, p->secinfo);
	out[12] = p->measured;
}

int wire_page_decode(const uint8_t in[WIRE_STREAM_ENTRY], const struct wire_page *before,
		     uint64_t size, struct wire_page *out, struct bawn_error *e)
{
	struct isa_secinfo secinfo = { .flags = get_le32(in + 8) };
	const char *why = isa_secinfo_flaw(&secinfo);

	out->offset = get_le64(in);
	out->secinfo = get_le32(in + 8);
	out->measured = in[12] == 1;
	if (why)
		return err_set(e, BAWN_ERR_FORMAT, "page stream: %s", why);
	if (in[12] > 1 || in[13] || in[14] || in[15])
		return err_set(e, BAWN_ERR_FORMAT, "page stream: reserved bytes are not zero");
	if (out->offset % ISA_PAGE || out->offset >= size)
		return err_set(e, BAWN_ERR_FORMAT, "page stream: an offset that is no page of the enclave");
	if (before && out->offset <= before->offset)
		return err_set(e, BAWN_ERR_FORMAT, "page stream: offsets do not ascend");
	return 0;
}
