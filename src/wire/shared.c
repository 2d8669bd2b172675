/* What native and role messages both speak of: identities, matches, entries, decisions; names. */
#include "crypto/crypto.h"
#include "wire/wire.h"

#include <string.h>

/* ---- layouts ---- */

static const struct wire_field identity_fields[] = {
	F_MAX(struct wire_identity, known, WIRE_KNOWN_ALL),
	F_BYTES(struct wire_identity, mrenclave),
	F_BYTES(struct wire_identity, mrsigner),
	F_UINT(struct wire_identity, attributes),
	F_UINT(struct wire_identity, product),
	F_UINT(struct wire_identity, svn),
};

static const char *identity_flaw(const void *host)
{
	const struct wire_identity *i = host;

	if ((!(i->known & WIRE_KNOWN_MRENCLAVE) && !ct_is_zero(i->mrenclave, 32)) ||
	    (!(i->known & WIRE_KNOWN_MRSIGNER) && !ct_is_zero(i->mrsigner, 32)) ||
	    (!(i->known & WIRE_KNOWN_ATTRIBUTES) && i->attributes) ||
	    (!(i->known & WIRE_KNOWN_PRODUCT) && i->product) ||
	    (!(i->known & WIRE_KNOWN_SVN) && i->svn))
		return "what is not known is not zero";
	return NULL;
}

const struct wire_layout wire_identity_layout =
	LAYOUT(struct wire_identity, "identity", identity_fields, .flaw = identity_flaw);

static const struct wire_field match_fields[] = {
	F_MAX(struct wire_match, has, WIRE_HAS_ALL),
	F_MAX(struct wire_match, operations, WIRE_OP_ALL),
	F_UINT(struct wire_match, uid_first),
	F_UINT(struct wire_match, uid_last),
	F_UINT(struct wire_match, gid_first),
	F_UINT(struct wire_match, gid_last),
	F_TEXT(struct wire_match, cgroup),
	F_TEXT(struct wire_match, socket),
	F_BYTES(struct wire_match, mrenclave),
	F_BYTES(struct wire_match, mrsigner),
	F_UINT(struct wire_match, product),
	F_UINT(struct wire_match, svn),
	F_BOOL(struct wire_match, debug),
	F_ZERO(3),
};

/* True if the match says something that `has` does not cover. */
static bool says_more(const struct wire_match *m)
{
	return (!(m->has & WIRE_HAS_UID) && (m->uid_first || m->uid_last)) ||
	       (!(m->has & WIRE_HAS_GID) && (m->gid_first || m->gid_last)) ||
	       (!(m->has & WIRE_HAS_CGROUP) && *m->cgroup) ||
	       (!(m->has & WIRE_HAS_SOCKET) && *m->socket) ||
	       (!(m->has & WIRE_HAS_MRENCLAVE) && !ct_is_zero(m->mrenclave, 32)) ||
	       (!(m->has & WIRE_HAS_MRSIGNER) && !ct_is_zero(m->mrsigner, 32)) ||
	       (!(m->has & WIRE_HAS_PRODUCT) && m->product) ||
	       (!(m->has & WIRE_HAS_SVN) && m->svn) || (!(m->has & WIRE_HAS_DEBUG) && m->debug);
}

const char *wire_match_flaw(const struct wire_match *m)
{
	size_t n = strlen(m->cgroup);

	if (m->has & ~WIRE_HAS_ALL || says_more(m))
		return "a condition without its bit, or an unknown bit";
	if (!m->operations || m->operations & ~WIRE_OP_ALL)
		return "no operation, or an unknown one";
	if (m->uid_first > m->uid_last || m->gid_first > m->gid_last)
		return "a range that ends before it begins";
	if (m->has & WIRE_HAS_CGROUP && (m->cgroup[0] != '/' || (n > 1 && m->cgroup[n - 1] == '/')))
		return "a control group is a path such as /system.slice/web.service";
	if (m->has & WIRE_HAS_SOCKET && !*m->socket)
		return "an empty socket name";
	if (m->has & (WIRE_HAS_PRODUCT | WIRE_HAS_SVN) &&
	    !(m->has & (WIRE_HAS_MRSIGNER | WIRE_HAS_MRENCLAVE)))
		return "product and svn are the signer's: say mrsigner or mrenclave too";
	return NULL;
}

static const char *match_flaw(const void *host)
{
	return wire_match_flaw(host);
}

const struct wire_layout wire_match_layout =
	LAYOUT(struct wire_match, "match", match_fields, .flaw = match_flaw);

static const struct wire_field entry_fields[] = {
	F_UINT(struct wire_entry, id),
	F_MAX(struct wire_entry, kind, WIRE_REVOCATION),
	F_UINT(struct wire_entry, by),
	F_UINT(struct wire_entry, made),
	F_UINT(struct wire_entry, expires),
	F_PART(struct wire_entry, match, wire_match_layout),
	F_TEXT(struct wire_entry, note),
};

static const char *entry_flaw(const void *host)
{
	const struct wire_entry *x = host;

	if (x->kind != WIRE_GRANT && x->kind != WIRE_REVOCATION)
		return "neither a grant nor a revocation";
	if (x->kind == WIRE_REVOCATION && x->expires)
		return "a revocation does not expire";
	return NULL;
}

const struct wire_layout wire_entry_layout =
	LAYOUT(struct wire_entry, "entry", entry_fields, .flaw = entry_flaw);

static const struct wire_field decision_fields[] = {
	F_BOOL(struct wire_decision, allowed),
	F_ZERO(3),
	F_MAX(struct wire_decision, reason, WIRE_REASONS - 1),
	F_UINT(struct wire_decision, line),
	F_UINT(struct wire_decision, entry),
	F_UINT(struct wire_decision, rate),
	F_UINT(struct wire_decision, rate_seconds),
	F_UINT(struct wire_decision, burst),
	F_UINT(struct wire_decision, epc),
};
const struct wire_layout wire_decision_layout =
	LAYOUT(struct wire_decision, "decision", decision_fields);

static const struct wire_field anchor_fields[] = {
	F_BYTES(struct wire_anchor, log),
	F_UINT(struct wire_anchor, count),
	F_BYTES(struct wire_anchor, mac),
	F_UINT(struct wire_anchor, time),
};

static const char *anchor_flaw(const void *host)
{
	const struct wire_anchor *a = host;

	return !a->count && !ct_is_zero(a->mac, 32) ? "a MAC of no line" : NULL;
}

const struct wire_layout wire_anchor_layout =
	LAYOUT(struct wire_anchor, "anchor", anchor_fields, .flaw = anchor_flaw);

/* ---- identities ---- */

void wire_identity_of_report(const struct isa_report_body *r, struct wire_identity *out)
{
	memset(out, 0, sizeof(*out));
	out->known = WIRE_KNOWN_ALL;
	memcpy(out->mrenclave, r->mrenclave, 32);
	memcpy(out->mrsigner, r->mrsigner, 32);
	out->attributes = r->attributes.flags;
	out->product = r->isvprodid;
	out->svn = r->isvsvn;
}

/* ---- names ---- */

#define NAME_IN(names, i) ((i) < ARRAY_LEN(names) && (names)[i] ? (names)[i] : "?")

const char *wire_operation_name(unsigned op)
{
	static const char *const names[WIRE_OPERATIONS] = {
		[WIRE_OP_STATUS] = "status",         [WIRE_OP_QUOTE] = "quote",
		[WIRE_OP_CERTIFY] = "certify",       [WIRE_OP_COLLATERAL] = "collateral",
		[WIRE_OP_LAUNCH] = "launch",         [WIRE_OP_PROVISION] = "provision",
		[WIRE_OP_ADMINISTER] = "administer",
	};

	return NAME_IN(names, op);
}

const char *wire_code_name(unsigned code)
{
	static const char *const names[WIRE_CODES] = {
		[WIRE_OK] = "ok",
		[WIRE_MALFORMED] = "malformed",
		[WIRE_UNSUPPORTED] = "unsupported",
		[WIRE_DENIED] = "denied",
		[WIRE_LIMITED] = "limited",
		[WIRE_BUSY] = "busy",
		[WIRE_UNAVAILABLE] = "unavailable",
		[WIRE_BAD_INPUT] = "bad-input",
		[WIRE_NOT_FOUND] = "not-found",
		[WIRE_LOCKED] = "locked",
		[WIRE_TOO_LARGE] = "too-large",
		[WIRE_TIMEOUT] = "timeout",
		[WIRE_FAILED] = "failed",
	};

	return NAME_IN(names, code);
}

int wire_code_error(unsigned code)
{
	static const int codes[WIRE_CODES] = {
		[WIRE_MALFORMED] = BAWN_ERR_FORMAT,
		[WIRE_UNSUPPORTED] = BAWN_ERR_UNSUPPORTED,
		[WIRE_DENIED] = BAWN_ERR_DENIED,
		[WIRE_LIMITED] = BAWN_ERR_BUSY,
		[WIRE_BUSY] = BAWN_ERR_BUSY,
		[WIRE_UNAVAILABLE] = BAWN_ERR_NO_DEVICE,
		[WIRE_BAD_INPUT] = BAWN_ERR_USAGE,
		[WIRE_NOT_FOUND] = BAWN_ERR_NOT_FOUND,
		[WIRE_LOCKED] = BAWN_ERR_DENIED,
		[WIRE_TOO_LARGE] = BAWN_ERR_DENIED,
		[WIRE_TIMEOUT] = BAWN_ERR_BUSY,
		[WIRE_FAILED] = BAWN_ERR_SYSTEM,
	};

	return code < WIRE_CODES ? codes[code] : BAWN_ERR_FORMAT;
}

enum wire_code wire_code_of(int rc)
{
	switch (rc) {
	case BAWN_OK:
		return WIRE_OK;
	case BAWN_ERR_USAGE:
	case BAWN_ERR_FORMAT:
	case BAWN_ERR_SIGNATURE:
	case BAWN_ERR_MEASUREMENT:
	case BAWN_ERR_SGX:
		return WIRE_BAD_INPUT;
	case BAWN_ERR_UNSUPPORTED:
		return WIRE_UNSUPPORTED;
	case BAWN_ERR_DENIED:
		return WIRE_DENIED;
	case BAWN_ERR_NOT_FOUND:
		return WIRE_NOT_FOUND;
	case BAWN_ERR_BUSY:
		return WIRE_BUSY;
	case BAWN_ERR_NO_DEVICE:
	case BAWN_ERR_LOST:
	case BAWN_ERR_NETWORK:
		return WIRE_UNAVAILABLE;
	default:
		return WIRE_FAILED;
	}
}

const char *wire_state_name(unsigned state)
{
	static const char *const names[WIRE_STATES] = { "starting", "ready", "degraded", "quiesced" };

	return NAME_IN(names, state);
}

const char *wire_provisioning_name(unsigned state)
{
	static const char *const names[WIRE_PROVISIONING_STATES] = { "none", "waiting", "ready",
								     "renewing", "expired" };

	return NAME_IN(names, state);
}

const char *wire_audit_event_name(unsigned event)
{
	static const char *const names[WIRE_AUDIT_EVENTS] = {
		"request", "start",     "stop",    "policy", "grant",   "revoke",
		"remove",  "provision", "quiesce", "fault",  "recover", "drop",   "begin",
	};

	return NAME_IN(names, event);
}

/* ---- what a revocation does not reach ---- */

uint32_t wire_outlives(uint32_t operations)
{
	uint32_t bits = 0;

	if (operations & WIRE_OP_BIT(WIRE_OP_QUOTE))
		bits |= WIRE_OUTLIVES_QUOTES;
	if (operations & WIRE_OP_BIT(WIRE_OP_LAUNCH))
		bits |= WIRE_OUTLIVES_TOKENS | WIRE_OUTLIVES_ENCLAVES;
	if (operations & WIRE_OP_BIT(WIRE_OP_CERTIFY))
		bits |= WIRE_OUTLIVES_SIGNATURES;
	if (operations & WIRE_OP_BIT(WIRE_OP_COLLATERAL))
		bits |= WIRE_OUTLIVES_COPIES;
	return bits;
}

const char *wire_outlives_text(unsigned bit)
{
	static const char *const texts[] = {
		"quotes already issued stay valid until the platform's certificates are revoked",
		"launch tokens already issued stay valid on this platform",
		"enclaves already handed over run until their holders end",
		"certifications already issued stay valid until the platform's certificates are revoked",
		"collateral already read is a copy",
	};

	return bit < ARRAY_LEN(texts) ? texts[bit] : NULL;
}
