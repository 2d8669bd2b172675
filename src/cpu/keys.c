/*
 * The key hierarchy (SDM 40.4, EGETKEY; 38.17-38.19). Intel's derivation is
 * not public, nor need it be the same: this one has the same inputs, and
 * doc/EMULATED-CPU.md says exactly how they are hashed.
 *
 *	root = CMAC(provision_fuse[0..15], "Bawn root key 1\0" | provision_fuse[16..31])
 *	key  = CMAC(root, struct key_deps)
 */
#include "cpu/state.h"

#include <string.h>

_Static_assert(sizeof(struct key_deps) == 680, "key_deps has no padding");
_Static_assert(offsetof(struct key_deps, attributes) == 40, "key_deps: attributes");
_Static_assert(offsetof(struct key_deps, mrenclave) == 136, "key_deps: mrenclave");
_Static_assert(offsetof(struct key_deps, configid) == 264, "key_deps: configid");

/* Attributes that no mask can leave out. */
#define REQUIRED_SEALING_MASK (ATTR_INIT | ATTR_DEBUG)

/*
 * HARDCODED_PKCS1_5_PADDING: the upper 352 bytes of the encoded message of an
 * RSA-3072 signature with SHA-256, as the number lies in memory. It is also
 * SECS.PADDING of every initialised enclave, since EINIT checked it there.
 */
static void pkcs_padding(uint8_t out[352])
{
	static const uint8_t digest_info[20] = {
		0x20, 0x04, 0x00, 0x05, 0x01, 0x02, 0x04, 0x03, 0x65, 0x01,
		0x48, 0x86, 0x60, 0x09, 0x06, 0x0d, 0x30, 0x31, 0x30, 0x00,
	};

	memcpy(out, digest_info, sizeof(digest_info));
	memset(out + 20, 0xff, 330);
	out[350] = 0x01;
	out[351] = 0x00;
}

void key_derive(const struct cpu_platform *p, struct key_deps *d, uint8_t out[16])
{
	uint8_t root[16], text[32];

	memcpy(text, "Bawn root key 1", 16);
	memcpy(text + 16, p->provision_fuse + 16, 16);
	crypto_cmac(p->provision_fuse, text, sizeof(text), root);
	memcpy(d->label, "Bawn SGX key 1\0", sizeof(d->label));
	pkcs_padding(d->padding);
	crypto_cmac(root, d, sizeof(*d), out);
	wipe(root, sizeof(root));
	wipe(text, sizeof(text));
	wipe(d, sizeof(*d));
}

bool cpusvn_reached(const struct cpu_platform *p, const uint8_t cpusvn[16])
{
	for (int i = 0; i < 16; i++)
		if (cpusvn[i] > p->cpusvn[i])
			return false;
	return true;
}

static void add_owner_epoch(const struct cpu_platform *p, struct key_deps *d)
{
	memcpy(d->ownerepoch, p->owner_epoch, sizeof(d->ownerepoch));
}
static void add_seal_fuses(const struct cpu_platform *p, struct key_deps *d)
{
	memcpy(d->seal_fuses, p->seal_fuse, sizeof(d->seal_fuses));
}

void key_einittoken(const struct cpu_platform *p, const struct isa_einittoken *t, uint8_t out[16])
{
	struct key_deps d = {
		.keyname = KEY_EINITTOKEN,
		.isvprodid = t->isvprodidle,
		.isvsvn = t->isvsvnle,
		.attributes = t->maskedattributesle,
		.miscselect = t->maskedmiscselectle,
	};

	add_owner_epoch(p, &d);
	add_seal_fuses(p, &d);
	memcpy(d.mrsigner, p->lepubkeyhash, sizeof(d.mrsigner));
	memcpy(d.keyid, t->keyid, sizeof(d.keyid));
	memcpy(d.cpusvn, t->cpusvnle, sizeof(d.cpusvn));
	key_derive(p, &d, out);
}

/* The report key of the enclave with this identity, now. */
static void report_key(const struct cpu_platform *p, struct key_deps *d, const uint8_t keyid[32],
		       uint8_t out[16])
{
	d->keyname = KEY_REPORT;
	add_owner_epoch(p, d);
	add_seal_fuses(p, d);
	memcpy(d->cpusvn, p->cpusvn, sizeof(d->cpusvn));
	memcpy(d->keyid, keyid, sizeof(d->keyid));
	key_derive(p, d, out);
}

void key_report(const struct cpu_platform *p, const struct isa_targetinfo *target,
		const uint8_t keyid[32], uint8_t out[16])
{
	struct key_deps d = {
		.attributes = target->attributes,
		.miscselect = target->miscselect,
		.configsvn = target->configsvn,
	};

	memcpy(d.mrenclave, target->measurement, sizeof(d.mrenclave));
	memcpy(d.configid, target->configid, sizeof(d.configid));
	report_key(p, &d, keyid, out);
}

static void request_report(const struct cpu_platform *p, const struct epc_view *v,
			   const struct isa_keyrequest *q, uint8_t out[16])
{
	struct key_deps d = {
		.attributes = v->attributes,
		.miscselect = v->miscselect,
		.configsvn = v->configsvn,
	};

	memcpy(d.mrenclave, v->mrenclave, sizeof(d.mrenclave));
	memcpy(d.configid, v->configid, sizeof(d.configid));
	report_key(p, &d, q->keyid, out);
}

/* What SEAL and PROVISION_SEAL include by policy (KSS's bits were checked against the attribute). */
static void add_policy(struct key_deps *d, const struct epc_view *v, const struct isa_keyrequest *q)
{
	d->keypolicy = q->keypolicy;
	d->isvprodid = q->keypolicy & KEYPOLICY_NOISVPRODID ? 0 : v->isvprodid;
	if (q->keypolicy & KEYPOLICY_ISVFAMILYID)
		memcpy(d->isvfamilyid, v->isvfamilyid, sizeof(d->isvfamilyid));
	if (q->keypolicy & KEYPOLICY_ISVEXTPRODID)
		memcpy(d->isvextprodid, v->isvextprodid, sizeof(d->isvextprodid));
	if (q->keypolicy & KEYPOLICY_CONFIGID) {
		memcpy(d->configid, v->configid, sizeof(d->configid));
		d->configsvn = q->configsvn;
	}
}

static void add_masks(struct key_deps *d, const struct isa_keyrequest *q)
{
	d->attributemask = q->attributemask;
	d->miscmask = ~q->miscmask;
}

static void request_seal(const struct cpu_platform *p, struct key_deps *d,
			 const struct epc_view *v, const struct isa_keyrequest *q)
{
	add_policy(d, v, q);
	add_masks(d, q);
	add_owner_epoch(p, d);
	add_seal_fuses(p, d);
	if (q->keypolicy & KEYPOLICY_MRENCLAVE)
		memcpy(d->mrenclave, v->mrenclave, sizeof(d->mrenclave));
	if (q->keypolicy & KEYPOLICY_MRSIGNER)
		memcpy(d->mrsigner, v->mrsigner, sizeof(d->mrsigner));
	memcpy(d->keyid, q->keyid, sizeof(d->keyid));
}

static void request_einittoken(const struct cpu_platform *p, struct key_deps *d,
			       const struct epc_view *v, const struct isa_keyrequest *q)
{
	d->isvprodid = v->isvprodid;
	add_owner_epoch(p, d);
	add_seal_fuses(p, d);
	memcpy(d->mrsigner, v->mrsigner, sizeof(d->mrsigner));
	memcpy(d->keyid, q->keyid, sizeof(d->keyid));
}

static void request_provision(const struct cpu_platform *p, struct key_deps *d,
			      const struct epc_view *v, const struct isa_keyrequest *q)
{
	if (q->keyname == KEY_PROVISION_SEAL) {
		add_policy(d, v, q);
		add_seal_fuses(p, d);
	} else {
		d->isvprodid = v->isvprodid;
	}
	add_masks(d, q);
	memcpy(d->mrsigner, v->mrsigner, sizeof(d->mrsigner));
}

/* The attribute that a key is reserved for, or 0. */
static uint64_t key_privilege(uint16_t keyname)
{
	switch (keyname) {
	case KEY_EINITTOKEN:
		return ATTR_EINITTOKEN_KEY;
	case KEY_PROVISION:
	case KEY_PROVISION_SEAL:
		return ATTR_PROVISIONKEY;
	default:
		return 0;
	}
}

static int check_request(const struct cpu_platform *p, const struct epc_view *v,
			 const struct isa_keyrequest *q)
{
	uint64_t privilege = key_privilege(q->keyname);

	if ((v->attributes.flags & privilege) != privilege)
		return ISA_INVALID_ATTRIBUTE;
	if (!cpusvn_reached(p, q->cpusvn))
		return ISA_INVALID_CPUSVN;
	if (q->isvsvn > v->isvsvn)
		return ISA_INVALID_ISVSVN;
	if ((q->keyname == KEY_SEAL || q->keyname == KEY_PROVISION_SEAL) &&
	    q->configsvn > v->configsvn)
		return ISA_INVALID_ISVSVN;
	return 0;
}

int key_request(const struct cpu_platform *p, const struct epc_view *v,
		const struct isa_keyrequest *q, uint8_t out[16])
{
	struct key_deps d = { .keyname = q->keyname, .isvsvn = q->isvsvn };
	int status;

	if (q->keyname > KEY_SEAL)
		return ISA_INVALID_KEYNAME;
	/* The report key is of now alone: no SVN asked for, no mask. */
	if (q->keyname == KEY_REPORT) {
		request_report(p, v, q, out);
		return 0;
	}
	status = check_request(p, v, q);
	if (status != 0)
		return status;
	d.attributes.flags = (q->attributemask.flags | REQUIRED_SEALING_MASK) & v->attributes.flags;
	d.attributes.xfrm = q->attributemask.xfrm & v->attributes.xfrm;
	d.miscselect = q->miscmask & v->miscselect;
	memcpy(d.cpusvn, q->cpusvn, sizeof(d.cpusvn));
	if (q->keyname == KEY_SEAL)
		request_seal(p, &d, v, q);
	else if (q->keyname == KEY_EINITTOKEN)
		request_einittoken(p, &d, v, q);
	else
		request_provision(p, &d, v, q);
	key_derive(p, &d, out);
	return 0;
}

void cpu_provision_key(const struct cpu_platform *p, const uint8_t mrsigner[32],
		       uint16_t isvprodid, uint16_t isvsvn, const uint8_t cpusvn[16],
		       const struct isa_attributes *masked, const struct isa_attributes *mask,
		       uint32_t masked_misc, uint32_t miscmask, uint8_t out[16])
{
	const struct epc_view v = { .isvprodid = isvprodid };
	const struct isa_keyrequest q = {
		.keyname = KEY_PROVISION,
		.attributemask = *mask,
		.miscmask = miscmask,
	};
	struct key_deps d = {
		.keyname = KEY_PROVISION,
		.isvsvn = isvsvn,
		.attributes = *masked,
		.miscselect = masked_misc,
	};

	request_provision(p, &d, &v, &q);
	memcpy(d.mrsigner, mrsigner, sizeof(d.mrsigner));
	memcpy(d.cpusvn, cpusvn, sizeof(d.cpusvn));
	key_derive(p, &d, out);
}
