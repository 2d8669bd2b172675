/*
 * The key hierarchy: for every key, what changes it and what does not (SDM
 * 40.4, EGETKEY, table of key derivation), and that it is for ever the same.
 */
#include "tests/cpu/world.h"

#include <string.h>

/* Everything that could enter a key. */
struct setup {
	struct cpu_platform platform;
	struct isa_secs secs;
	struct isa_sigstruct sig; /* ISV fields alone */
	struct isa_keyrequest request;
	uint8_t code;
	unsigned signer;
};

static void base_setup(struct setup *s)
{
	memset(s, 0, sizeof(*s));
	platform_fake(&s->platform, 1);
	secs_fill(&s->secs, ATTR_PROVISIONKEY | ATTR_EINITTOKEN_KEY | ATTR_KSS);
	memset(s->secs.configid, 0xc1, sizeof(s->secs.configid));
	s->secs.configsvn = 4;
	s->sig.isvprodid = 7;
	s->sig.isvsvn = 3;
	memset(s->sig.isvfamilyid, 0xfa, 16);
	memset(s->sig.isvextprodid, 0xe1, 16);
	s->request.isvsvn = 3;
	s->request.configsvn = 0;
	s->request.attributemask.flags = ATTR_INIT | ATTR_DEBUG;
	memset(s->request.cpusvn, 5, 16);
	s->code = 0x90;
}

/* An enclave by this setup, up to EINIT. The tests of EINIT are elsewhere: here it must succeed. */
static bool start(struct world *w, const struct setup *s)
{
	struct isa_tcs tcs;
	uint8_t page[ISA_PAGE] = { 0 };
	uint8_t mrsigner[32], block[ISA_MEASURE_BLOCK];
	struct crypto_sha256 h;
	struct bawn_error e = { 0 };

	memset(w, 0, sizeof(*w));
	w->secs = s->secs;
	if (cpu_epc_new(&w->epc, &s->platform, &e) != 0 || cpu_ecreate(w->epc, &w->secs, &w->f) != 0)
		return false;
	isa_measure_ecreate(w->secs.ssaframesize, w->secs.size, block);
	crypto_sha256_init(&w->hash);
	crypto_sha256_update(&w->hash, block, sizeof(block));
	tcs_fill(&tcs);
	if (w->secs.attributes.flags & ATTR_AEXNOTIFY)
		tcs.flags = TCS_AEXNOTIFY;
	if (world_add(w, DATA, page, REG_RW, false) != 0 || world_add(w, SSA, page, REG_RW, false) != 0 ||
	    world_add(w, TCS, &tcs, TCS_INFO, false) != 0)
		return false;
	memset(page, s->code, sizeof(page));
	if (world_add(w, CODE, page, REG_RX, true) != 0)
		return false;
	w->sig = s->sig;
	memcpy(w->sig.header, isa_sigstruct_header, 16);
	memcpy(w->sig.header2, isa_sigstruct_header2, 16);
	w->sig.exponent = 3;
	w->sig.attributes = w->secs.attributes;
	w->sig.miscselect = w->secs.miscselect;
	h = w->hash;
	crypto_sha256_final(&h, w->sig.enclavehash);
	sign(&w->sig, s->signer);
	mrsigner_of(s->signer, mrsigner);
	return cpu_lepubkeyhash_write(w->epc, mrsigner, &w->f) == 0 &&
	       cpu_einit(w->epc, &w->sig, NULL, &w->f) == 0;
}

static bool ask(struct world *w, const struct isa_keyrequest *q, uint16_t name, uint8_t key[16])
{
	struct isa_keyrequest *at = (void *)AT(w, DATA);

	*at = *q;
	at->keyname = name;
	if (enclu(w, ENCLU_EGETKEY, BASE + DATA, BASE + DATA + 0x400, 0) != 0)
		return false;
	memcpy(key, AT(w, DATA + 0x400), 16);
	return true;
}

struct keys {
	uint8_t of[5][16]; /* by enum isa_keyname */
};

static bool all_keys(const struct setup *s, struct keys *k)
{
	struct world w;
	bool good = start(&w, s);

	if (good) {
		enter(&w);
		for (uint16_t name = 0; name < 5; name++)
			good &= ask(&w, &s->request, name, k->of[name]);
	}
	cpu_epc_free(&w.epc);
	return good;
}

/* ---- changes, one at a time ---- */

#define CHANGE(name, statement)                                                                    \
	static void name(struct setup *s)                                                          \
	{                                                                                          \
		statement;                                                                         \
	}
CHANGE(nothing, (void)s)
CHANGE(provision_fuse, s->platform.provision_fuse[0] ^= 1)
CHANGE(provision_fuse_end, s->platform.provision_fuse[31] ^= 1)
CHANGE(seal_fuse, s->platform.seal_fuse[16] ^= 1)
CHANGE(owner_epoch, s->platform.owner_epoch[15] ^= 1)
CHANGE(platform_id, s->platform.id[0] ^= 1)
CHANGE(cpu_upgraded, s->platform.cpusvn[9]++)
CHANGE(older_cpusvn, s->request.cpusvn[15]--)
CHANGE(older_isvsvn, s->request.isvsvn--)
CHANGE(newer_enclave, s->sig.isvsvn++)
CHANGE(keyid, s->request.keyid[31] ^= 1)
CHANGE(isvprodid, s->sig.isvprodid++)
CHANGE(signer, s->signer = 1)
CHANGE(code, s->code ^= 1)
CHANGE(debug, s->secs.attributes.flags |= ATTR_DEBUG)
CHANGE(aexnotify, s->secs.attributes.flags |= ATTR_AEXNOTIFY)
CHANGE(mask_aexnotify, s->request.attributemask.flags |= ATTR_AEXNOTIFY)
CHANGE(mask_xfrm, s->request.attributemask.xfrm |= UINT64_C(1) << 30)
CHANGE(miscselect, s->secs.miscselect = 0)
CHANGE(mask_misc, s->request.miscmask = 0x10)
CHANGE(mask_exinfo, s->request.miscmask = MISC_EXINFO)
CHANGE(by_mrenclave, s->request.keypolicy |= KEYPOLICY_MRENCLAVE)
CHANGE(by_mrsigner, s->request.keypolicy |= KEYPOLICY_MRSIGNER)
CHANGE(by_no_prodid, s->request.keypolicy |= KEYPOLICY_NOISVPRODID)
CHANGE(by_configid, s->request.keypolicy |= KEYPOLICY_CONFIGID)
CHANGE(by_family, s->request.keypolicy |= KEYPOLICY_ISVFAMILYID)
CHANGE(by_extprod, s->request.keypolicy |= KEYPOLICY_ISVEXTPRODID)
CHANGE(configid, s->secs.configid[63] ^= 1)
CHANGE(configsvn, s->request.configsvn = 2)
CHANGE(secs_configsvn, s->secs.configsvn++)
CHANGE(family, s->sig.isvfamilyid[0] ^= 1)
CHANGE(extprod, s->sig.isvextprodid[15] ^= 1)

/*
 * From base (changed by `first`) to the same with `then` too: does the key
 * change? Columns: EINITTOKEN, PROVISION, PROVISION_SEAL, REPORT, SEAL.
 */
static const struct row {
	const char *name;
	void (*first)(struct setup *s), (*then)(struct setup *s);
	bool changes[5];
} rows[] = {
	{ "nothing: another EPC, the same platform and enclave", nothing, nothing, { 0, 0, 0, 0, 0 } },
	{ "a bit of the provisioning fuses", nothing, provision_fuse, { 1, 1, 1, 1, 1 } },
	{ "the last bit of the provisioning fuses", nothing, provision_fuse_end, { 1, 1, 1, 1, 1 } },
	{ "a bit of the seal fuses", nothing, seal_fuse, { 1, 0, 1, 1, 1 } },
	{ "the owner epoch", nothing, owner_epoch, { 1, 0, 0, 1, 1 } },
	{ "the platform's public name", nothing, platform_id, { 0, 0, 0, 0, 0 } },
	{ "a CPU upgraded meanwhile", nothing, cpu_upgraded, { 0, 0, 0, 1, 0 } },
	{ "an older CPUSVN asked for", nothing, older_cpusvn, { 1, 1, 1, 0, 1 } },
	{ "an older ISVSVN asked for", nothing, older_isvsvn, { 1, 1, 1, 0, 1 } },
	{ "an enclave upgraded meanwhile", nothing, newer_enclave, { 0, 0, 0, 0, 0 } },
	{ "KEYID", nothing, keyid, { 1, 0, 0, 1, 1 } },
	{ "ISVPRODID", nothing, isvprodid, { 1, 1, 1, 0, 1 } },
	{ "ISVPRODID, policy NOISVPRODID", by_no_prodid, isvprodid, { 1, 1, 0, 0, 0 } },
	{ "the signer", nothing, signer, { 1, 1, 1, 0, 0 } },
	{ "the signer, policy MRSIGNER", by_mrsigner, signer, { 1, 1, 1, 0, 1 } },
	{ "the code", nothing, code, { 0, 0, 0, 1, 0 } },
	{ "the code, policy MRENCLAVE", by_mrenclave, code, { 0, 0, 0, 1, 1 } },
	{ "DEBUG, which no mask leaves out", nothing, debug, { 1, 1, 1, 1, 1 } },
	{ "an attribute that is masked out", nothing, aexnotify, { 0, 0, 0, 1, 0 } },
	{ "an attribute that is masked in", mask_aexnotify, aexnotify, { 1, 1, 1, 1, 1 } },
	{ "the mask of an attribute that is clear", nothing, mask_aexnotify, { 0, 1, 1, 0, 1 } },
	{ "the mask of XFRM", nothing, mask_xfrm, { 0, 1, 1, 0, 1 } },
	{ "MISCSELECT, masked out", nothing, miscselect, { 0, 0, 0, 1, 0 } },
	{ "MISCSELECT, masked in", mask_exinfo, miscselect, { 1, 1, 1, 1, 1 } },
	{ "the mask of MISCSELECT", nothing, mask_misc, { 0, 1, 1, 0, 1 } },
	{ "policy MRENCLAVE", nothing, by_mrenclave, { 0, 0, 1, 0, 1 } },
	{ "policy MRSIGNER", nothing, by_mrsigner, { 0, 0, 1, 0, 1 } },
	{ "policy NOISVPRODID", nothing, by_no_prodid, { 0, 0, 1, 0, 1 } },
	{ "policy CONFIGID", nothing, by_configid, { 0, 0, 1, 0, 1 } },
	{ "policy ISVFAMILYID", nothing, by_family, { 0, 0, 1, 0, 1 } },
	{ "policy ISVEXTPRODID", nothing, by_extprod, { 0, 0, 1, 0, 1 } },
	{ "CONFIGID", nothing, configid, { 0, 0, 0, 1, 0 } },
	{ "CONFIGID, policy CONFIGID", by_configid, configid, { 0, 0, 1, 1, 1 } },
	{ "CONFIGSVN of the enclave", nothing, secs_configsvn, { 0, 0, 0, 1, 0 } },
	{ "CONFIGSVN asked for", nothing, configsvn, { 0, 0, 0, 0, 0 } },
	{ "CONFIGSVN asked for, policy CONFIGID", by_configid, configsvn, { 0, 0, 1, 0, 1 } },
	{ "ISVFAMILYID", nothing, family, { 0, 0, 0, 0, 0 } },
	{ "ISVFAMILYID, policy ISVFAMILYID", by_family, family, { 0, 0, 1, 0, 1 } },
	{ "ISVEXTPRODID", nothing, extprod, { 0, 0, 0, 0, 0 } },
	{ "ISVEXTPRODID, policy ISVEXTPRODID", by_extprod, extprod, { 0, 0, 1, 0, 1 } },
};

static void test_dependencies(void)
{
	static const char *const names[] = { "EINITTOKEN", "PROVISION", "PROVISION_SEAL", "REPORT", "SEAL" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct keys a, b;
		struct setup s;
		bool good = true;

		base_setup(&s);
		r->first(&s);
		good &= all_keys(&s, &a);
		r->then(&s);
		good &= all_keys(&s, &b);
		for (int k = 0; k < 5; k++) {
			bool differ = memcmp(a.of[k], b.of[k], 16) != 0;

			if (differ != r->changes[k]) {
				good = false;
				printf("# %s: the key %s\n", names[k], differ ? "changes" : "stays");
			}
		}
		ok(good, "%s", r->name);
	}
}

static void test_distinct(void)
{
	struct keys k;
	struct setup s;
	bool distinct = true;

	base_setup(&s);
	ok(all_keys(&s, &k), "all five keys");
	for (int a = 0; a < 5; a++)
		for (int b = a + 1; b < 5; b++)
			distinct &= memcmp(k.of[a], k.of[b], 16) != 0;
	ok(distinct, "are five different ones");
}

/* Fixed inputs, values computed by hand from doc/EMULATED-CPU.md: never to change. */
static void test_for_ever(void)
{
	struct isa_attributes masked = { .flags = ATTR_INIT | ATTR_PROVISIONKEY, .xfrm = 3 };
	struct isa_attributes mask = { .flags = ~UINT64_C(0), .xfrm = 3 };
	struct cpu_platform p;
	uint8_t mrsigner[32], cpusvn[16] = { 1, 2, 3 }, key[16];
	char hex[33];

	platform_fake(&p, 1);
	memset(mrsigner, 0xab, sizeof(mrsigner));
	cpu_provision_key(&p, mrsigner, 1, 2, cpusvn, &masked, &mask, 0, 0xfffffff0, key);
	hex_encode(key, 16, hex);
	is_str(hex, "052008062847d8c0d161f8534f95bfe7", "a provisioning key by the book");
}

static void test_provision_key(void)
{
	struct isa_attributes masked;
	uint8_t got[16], want[16], mrsigner[32];
	struct setup s;
	struct keys k;

	base_setup(&s);
	s.request.attributemask.flags = ATTR_DEBUG | ATTR_PROVISIONKEY | ATTR_KSS;
	s.request.attributemask.xfrm = 2;
	s.request.miscmask = 0xff;
	s.request.isvsvn = 2;
	s.request.cpusvn[4] = 1;
	ok(all_keys(&s, &k), "keys");
	memcpy(want, k.of[KEY_PROVISION], 16);
	masked.flags = ATTR_INIT | ATTR_PROVISIONKEY | ATTR_KSS;
	masked.xfrm = 2;
	mrsigner_of(0, mrsigner);
	cpu_provision_key(&s.platform, mrsigner, 7, 2, s.request.cpusvn, &masked,
			  &s.request.attributemask, MISC_EXINFO, 0xff, got);
	is_mem(got, want, 16, "the provisioning key outside is the one inside");
	cpu_provision_key(&s.platform, mrsigner, 7, 3, s.request.cpusvn, &masked,
			  &s.request.attributemask, MISC_EXINFO, 0xff, got);
	ok(memcmp(got, want, 16) != 0, "for this ISVSVN alone");
}

int main(void)
{
	test_distinct();
	test_dependencies();
	test_provision_key();
	test_for_ever();
	return tap_done();
}
