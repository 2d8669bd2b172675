/* The SGX extension of a PCK certificate, 1.2.840.113741.1.13.1. */
#include "attest/attest.h"

#include <string.h>

static const uint8_t oid_base[] = { 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01 };

static int malformed(struct bawn_error *e, const char *what)
{
	return err_set(e, BAWN_ERR_FORMAT, "the PCK certificate's SGX extension is malformed: %s", what);
}

/*
 * The next member of a sequence of (OID, value): the OID must be `depth` bytes
 * below the base, *id becomes the last of them and those before must be prefix.
 */
static bool next_member(struct cur *list, const uint8_t *prefix, size_t depth, uint8_t *id,
			struct cur *value)
{
	struct cur oid;
	size_t n = sizeof(oid_base);

	if (!der_get(list, DER_SEQUENCE, value) || !der_get(value, DER_OID, &oid) || oid.n != n + depth ||
	    memcmp(oid.p, oid_base, n) != 0 || (depth > 1 && memcmp(oid.p + n, prefix, depth - 1) != 0))
		return false;
	*id = oid.p[oid.n - 1];
	return true;
}

static bool octets(struct cur *value, uint8_t *out, size_t n)
{
	struct cur body;

	return der_get(value, DER_OCTET_STRING, &body) && body.n == n && cur_bytes(&body, out, n);
}

/* .2: sixteen component SVNs, PCESVN and CPUSVN, each once, in any order. */
static bool parse_tcb(struct cur *value, struct attest_pck *out)
{
	static const uint8_t prefix[] = { 2 };
	struct cur list, v;
	uint32_t seen = 0;
	uint64_t svn;
	uint8_t id;

	if (!der_get(value, DER_SEQUENCE, &list))
		return false;
	while (list.n) {
		if (!next_member(&list, prefix, 2, &id, &v) || id < 1 || id > 18 || seen >> id & 1)
			return false;
		seen |= 1u << id;
		if (id <= 16) {
			if (!der_uint(&v, DER_INTEGER, 255, &svn))
				return false;
			out->components[id - 1] = (uint8_t)svn;
		} else if (id == 17) {
			if (!der_uint(&v, DER_INTEGER, 65535, &svn))
				return false;
			out->pcesvn = (uint16_t)svn;
		} else if (!octets(&v, out->cpusvn, sizeof(out->cpusvn))) {
			return false;
		}
		if (v.n)
			return false;
	}
	return seen == 0x7fffe;
}

/* .7: three flags, each once at most. */
static bool parse_configuration(struct cur *value, struct attest_pck *out)
{
	static const uint8_t prefix[] = { 7 };
	bool *const flag[] = { &out->dynamic_platform, &out->cached_keys, &out->smt };
	struct cur list, v;
	uint32_t seen = 0;
	uint8_t id;

	if (!der_get(value, DER_SEQUENCE, &list))
		return false;
	while (list.n) {
		if (!next_member(&list, prefix, 2, &id, &v) || id < 1 || id > 3 || seen >> id & 1 ||
		    !der_bool(&v, flag[id - 1]) || v.n)
			return false;
		seen |= 1u << id;
	}
	return seen == 0xe;
}

/*
 * .6 and .7 were flags in the first drafts (2018). Such a certificate has no
 * platform instance id, and what its flags say is not comparable.
 */
static bool is_draft_flag(struct cur v)
{
	bool flag;

	return der_bool(&v, &flag) && v.n == 0;
}

static bool parse_member(uint8_t id, struct cur *v, struct attest_pck *out)
{
	uint64_t type;

	if ((id == 6 || id == 7) && is_draft_flag(*v))
		return cur_skip(v, v->n);

	switch (id) {
	case 1:
		return octets(v, out->ppid, sizeof(out->ppid));
	case 2:
		return parse_tcb(v, out);
	case 3:
		return octets(v, out->pce_id, sizeof(out->pce_id));
	case 4:
		return octets(v, out->fmspc, sizeof(out->fmspc));
	case 5:
		if (!der_uint(v, DER_ENUMERATED, 2, &type))
			return false;
		out->sgx_type = (uint8_t)type;
		return true;
	case 6:
		out->has_piid = true;
		return octets(v, out->piid, sizeof(out->piid));
	case 7:
		out->has_configuration = true;
		return parse_configuration(v, out);
	default:
		return false;
	}
}

int attest_pck_parse(struct cur sgx_extension, struct attest_pck *out, struct bawn_error *e)
{
	static const char *const name[] = { "it has a member that is not known", "PPID", "TCB", "PCE id",
					    "FMSPC", "SGX type", "platform instance id", "configuration" };
	struct cur list, v;
	uint32_t seen = 0;
	uint8_t id;

	memset(out, 0, sizeof(*out));
	if (!der_get(&sgx_extension, DER_SEQUENCE, &list) || sgx_extension.n)
		return malformed(e, "no sequence");
	while (list.n) {
		if (!next_member(&list, NULL, 1, &id, &v))
			return malformed(e, "no sequence of members");
		if (id < 32 && seen >> id & 1)
			return malformed(e, "a member comes twice");
		if (!parse_member(id, &v, out) || v.n)
			return malformed(e, name[id < ARRAY_LEN(name) ? id : 0]);
		seen |= 1u << id;
	}
	/* One to five, or one to seven: six and seven are a Platform CA's and come together. */
	for (id = 1; id <= 5; id++)
		if (!(seen >> id & 1))
			return err_set(e, BAWN_ERR_FORMAT, "the PCK certificate's SGX extension has no %s", name[id]);
	if ((seen >> 6 & 1) != (seen >> 7 & 1) || out->has_piid != out->has_configuration)
		return malformed(e, "six members");
	return 0;
}
