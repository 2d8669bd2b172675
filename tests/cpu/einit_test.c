/* EINIT: every status and fault, one by one; launch control in both forms. */
#include "tests/cpu/world.h"

#include <string.h>

/* A world before EINIT, its SIGSTRUCT signed by key 0, launch control flexible and written. */
static void prepare(struct world *w, uint64_t attributes)
{
	uint8_t mrsigner[32];

	world_start(w, attributes);
	world_build(w);
	mrsigner_of(0, mrsigner);
	cpu_lepubkeyhash_write(w->epc, mrsigner, &w->f);
}

static void test_success(void)
{
	uint8_t mrsigner[32];
	struct isa_secs secs;
	struct world w;

	prepare(&w, ATTR_KSS);
	sign(&w.sig, 0);
	ok(!cpu_epc_initialised(w.epc), "not initialised");
	is_int(cpu_einit(w.epc, &w.sig, NULL, &w.f), 0, "EINIT");
	ok(cpu_epc_initialised(w.epc), "initialised");
	mrsigner_of(0, mrsigner);
	cpu_epc_secs(w.epc, &secs);
	is_mem(secs.mrsigner, mrsigner, 32, "MRSIGNER");
	is_mem(secs.mrenclave, w.sig.enclavehash, 32, "MRENCLAVE");
	ok(secs.isvprodid == 7 && secs.isvsvn == 3, "ISVPRODID and ISVSVN");
	ok(secs.attributes.flags & ATTR_INIT, "ATTRIBUTES.INIT");
	is_gp(&w, cpu_einit(w.epc, &w.sig, NULL, &w.f), "EINIT again");
	world_end(&w);

	world_start(&w, 0);
	memcpy(w.sig.header, isa_sigstruct_header, 16);
	memcpy(w.sig.header2, isa_sigstruct_header2, 16);
	w.sig.exponent = 3;
	sign(&w.sig, 0);
	is_pf(&w, cpu_einit(w.epc, &w.sig, NULL, &w.f), PF_ENCLS, 0, "EINIT before ECREATE");
	world_end(&w);
}

/* ---- SIGSTRUCT ---- */

/* One world for all refusals: they change nothing. */
static struct world shared;

static void refused(const struct isa_sigstruct *s, int status, const char *name)
{
	is_int(cpu_einit(shared.epc, s, NULL, &shared.f), status, name);
	ok(cpu_epc_initialised(shared.epc) == (status == 0), "and the enclave is%s initialised",
	   status ? " not" : "");
}

static void test_sigstruct(void)
{
	struct isa_sigstruct s;

	prepare(&shared, 0);
	sign(&shared.sig, 0);
#define CASE(status, name, change)                                                                 \
	s = shared.sig;                                                                            \
	change;                                                                                    \
	refused(&s, status, name)
	CASE(ISA_INVALID_SIG_STRUCT, "HEADER", s.header[0] ^= 1);
	CASE(ISA_INVALID_SIG_STRUCT, "HEADER2", s.header2[15] ^= 1);
	CASE(ISA_INVALID_SIG_STRUCT, "VENDOR", s.vendor = 1);
	CASE(ISA_INVALID_SIG_STRUCT, "EXPONENT", s.exponent = 65537);
	CASE(ISA_INVALID_SIG_STRUCT, "reserved bytes 44-127", s.reserved1[83] = 1);
	CASE(ISA_INVALID_SIG_STRUCT, "reserved bytes 910-911", s.reserved2[0] = 1);
	CASE(ISA_INVALID_SIG_STRUCT, "reserved bytes 992-1007", s.reserved3[15] = 1);
	CASE(ISA_INVALID_SIG_STRUCT, "reserved bytes 1028-1039", s.reserved4[0] = 1);
	CASE(ISA_INVALID_SIGNATURE, "a bit of the signature", s.signature[7] ^= 4);
	CASE(ISA_INVALID_SIGNATURE, "a bit of the modulus", s.modulus[200] ^= 1);
	CASE(ISA_INVALID_SIGNATURE, "a bit of q1", s.q1[0] ^= 1);
	CASE(ISA_INVALID_SIGNATURE, "a bit of q2", s.q2[383] ^= 1);
	CASE(ISA_INVALID_SIGNATURE, "a signed field: the date", s.date ^= 1);
	CASE(ISA_INVALID_SIGNATURE, "a signed field: VENDOR", s.vendor = ISA_VENDOR_INTEL);
	CASE(ISA_INVALID_SIGNATURE, "a signed field: SWDEFINED", s.swdefined = 1);
	CASE(ISA_INVALID_SIGNATURE, "a signed field: ISVSVN", s.isvsvn++);
	CASE(ISA_INVALID_SIGNATURE, "a signed field: the attributes", s.attributes.flags |= ATTR_DEBUG);
	CASE(ISA_INVALID_SIG_STRUCT, "ISVFAMILYID without KSS", (s.isvfamilyid[0] = 1, sign(&s, 0)));
	CASE(ISA_INVALID_MEASUREMENT, "another measurement", (s.enclavehash[31] ^= 1, sign(&s, 0)));
	CASE(ISA_INVALID_ATTRIBUTE, "ATTRIBUTES.FLAGS", (s.attributes.flags ^= ATTR_DEBUG, sign(&s, 0)));
	CASE(ISA_INVALID_ATTRIBUTE, "ATTRIBUTES.XFRM", (s.attributes.xfrm |= 4, sign(&s, 0)));
	CASE(ISA_INVALID_ATTRIBUTE, "MISCSELECT", (s.miscselect = 0, sign(&s, 0)));
	CASE(ISA_INVALID_ATTRIBUTE, "CET_ATTRIBUTES",
	     (s.cet_attributes = 1, s.cet_attributes_mask = 1, sign(&s, 0)));
	CASE(ISA_INVALID_EINITTOKEN, "a signer other than the one that is allowed", sign(&s, 1));
	CASE(0, "what the masks leave out may differ",
	     (s.attributes.flags |= ATTR_DEBUG, s.attributemask.flags &= ~ATTR_DEBUG,
	      s.attributes.xfrm |= 4, s.attributemask.xfrm = 3, s.miscselect = 8, s.miscmask = 1 | 2,
	      s.miscselect |= 1, sign(&s, 0)));
#undef CASE
	world_end(&shared);
}

/* A code byte that differs from the signed one. */
static void test_code_byte(void)
{
	struct isa_secinfo si = REG_RX;
	uint8_t page[ISA_PAGE];
	struct world w, other;

	prepare(&w, 0);
	world_start(&other, 0);
	is_int(cpu_ecreate(other.epc, &other.secs, &other.f), 0, "ECREATE of the twin");
	memset(page, 0x90, sizeof(page));
	page[1234] ^= 1;
	is_int(world_add(&other, CODE, page, si, true), 0, "its code differs in a bit");
	sign(&w.sig, 0);
	is_int(cpu_einit(other.epc, &w.sig, NULL, &other.f), ISA_INVALID_MEASUREMENT,
	       "EINIT notices the bit");
	world_end(&other);
	world_end(&w);
}

static void test_debug_rule(void)
{
	struct world w;

	prepare(&w, ATTR_DEBUG);
	w.sig.attributes.flags &= ~ATTR_DEBUG;
	sign(&w.sig, 0);
	is_int(cpu_einit(w.epc, &w.sig, NULL, &w.f), ISA_INVALID_ATTRIBUTE,
	       "DEBUG on an enclave that was signed without it");
	w.sig.attributemask.flags &= ~ATTR_DEBUG;
	sign(&w.sig, 0);
	is_int(cpu_einit(w.epc, &w.sig, NULL, &w.f), 0, "DEBUG where the signer left it open");
	world_end(&w);
}

/* ---- launch control ---- */

/* A platform whose launch enclaves are signed by key 0, for ever. */
static void lock_launch(struct world *w)
{
	mrsigner_of(0, w->epc->platform.lepubkeyhash);
	w->epc->platform.launch_locked = true;
}

/* The token that a launch enclave (ISVPRODID 7, ISVSVN 3) would make for this world's enclave. */
static void make_token(struct world *w, struct world *le, struct isa_einittoken *t)
{
	struct isa_keyrequest *q;
	uint8_t key[16];
	int r;

	memset(t, 0, sizeof(*t));
	t->valid = 1;
	t->attributes = w->secs.attributes;
	memcpy(t->mrenclave, w->sig.enclavehash, 32);
	crypto_sha256(w->sig.modulus, sizeof(w->sig.modulus), t->mrsigner);
	memcpy(t->cpusvnle, w->platform.cpusvn, 16);
	t->isvprodidle = 7;
	t->isvsvnle = 3;
	t->maskedattributesle.flags = ATTR_MODE64BIT | ATTR_INIT | ATTR_EINITTOKEN_KEY;
	t->maskedattributesle.xfrm = 3;
	memset(t->keyid, 0x1d, sizeof(t->keyid));

	q = (void *)AT(le, DATA);
	memset(q, 0, sizeof(*q));
	q->keyname = KEY_EINITTOKEN;
	q->isvsvn = 3;
	memcpy(q->cpusvn, t->cpusvnle, 16);
	q->attributemask.flags = ~ATTR_DEBUG;
	q->attributemask.xfrm = ~UINT64_C(0);
	memcpy(q->keyid, t->keyid, 32);
	enter(le);
	r = enclu(le, ENCLU_EGETKEY, BASE + DATA, BASE + DATA + 0x400, 0);
	if (r != 0)
		printf("# EGETKEY of the launch enclave: %d\n", r);
	le->r.rbx = 0x400000;
	cpu_eexit(&le->lp, &le->r, &le->f);
	memcpy(key, AT(le, DATA + 0x400), 16);
	crypto_cmac(key, t, ISA_EINITTOKEN_MACED, t->mac);
}

static void test_launch_enclave(struct world *le)
{
	world_start(le, ATTR_EINITTOKEN_KEY);
	lock_launch(le);
	world_build(le);
	sign(&le->sig, 1);
	is_int(cpu_einit(le->epc, &le->sig, NULL, &le->f), ISA_INVALID_ATTRIBUTE,
	       "EINITTOKEN_KEY for another signer");
	sign(&le->sig, 0);
	is_int(cpu_einit(le->epc, &le->sig, NULL, &le->f), 0, "the launch enclave needs no token");
}

static void test_tokens(void)
{
	struct isa_einittoken good, t;
	struct world le, w;
	uint8_t hash[32];

	test_launch_enclave(&le);
	world_start(&w, 0);
	lock_launch(&w);
	world_build(&w);
	sign(&w.sig, 1);
	make_token(&w, &le, &good);
	mrsigner_of(1, hash);
	is_gp(&w, cpu_lepubkeyhash_write(w.epc, hash, &w.f), "WRMSR where launch control is locked");
#define CASE(status, name, change)                                                                 \
	t = good;                                                                                  \
	change;                                                                                    \
	is_int(cpu_einit(w.epc, &w.sig, &t, &w.f), status, "token: " name)
	is_int(cpu_einit(w.epc, &w.sig, NULL, &w.f), ISA_INVALID_EINITTOKEN, "no token");
	CASE(ISA_INVALID_EINITTOKEN, "not VALID", t.valid = 0);
	CASE(ISA_INVALID_EINITTOKEN, "reserved bits of VALID", t.valid = 3);
	CASE(ISA_INVALID_EINITTOKEN, "reserved bytes 4-47", t.reserved1[0] = 1);
	CASE(ISA_INVALID_EINITTOKEN, "reserved bytes 96-127", t.reserved2[31] = 1);
	CASE(ISA_INVALID_EINITTOKEN, "reserved bytes 160-191", t.reserved3[0] = 1);
	CASE(ISA_INVALID_EINITTOKEN, "reserved bytes 212-235", t.reserved4[23] = 1);
	CASE(ISA_INVALID_EINITTOKEN, "a debug launch enclave, a production enclave",
	     t.maskedattributesle.flags |= ATTR_DEBUG);
	CASE(ISA_INVALID_CPUSVN, "a CPUSVN yet to come", t.cpusvnle[3] = 6);
	CASE(ISA_INVALID_EINITTOKEN, "an older CPUSVN has another key", t.cpusvnle[3] = 4);
	CASE(ISA_INVALID_EINITTOKEN, "another ISVSVN of the launch enclave", t.isvsvnle = 2);
	CASE(ISA_INVALID_EINITTOKEN, "another ISVPRODID of it", t.isvprodidle = 8);
	CASE(ISA_INVALID_EINITTOKEN, "another KEYID", t.keyid[0] ^= 1);
	CASE(ISA_INVALID_EINITTOKEN, "other attributes of it", t.maskedattributesle.xfrm = 7);
	CASE(ISA_INVALID_EINITTOKEN, "another MISCSELECT of it", t.maskedmiscselectle = 1);
	CASE(ISA_INVALID_EINITTOKEN, "a damaged MAC", t.mac[15] ^= 1);
	CASE(ISA_INVALID_EINITTOKEN, "a changed MRENCLAVE", t.mrenclave[0] ^= 1);

	/* With a MAC that fits, the contents are looked at. */
	struct world twin = w;

	twin.sig.enclavehash[0] ^= 1;
	make_token(&twin, &le, &t);
	is_int(cpu_einit(w.epc, &w.sig, &t, &w.f), ISA_INVALID_MEASUREMENT, "token for another MRENCLAVE");
	twin = w;
	sign(&twin.sig, 0);
	make_token(&twin, &le, &t);
	is_int(cpu_einit(w.epc, &w.sig, &t, &w.f), ISA_INVALID_MEASUREMENT, "token for another MRSIGNER");
	twin = w;
	twin.secs.attributes.flags |= ATTR_PROVISIONKEY;
	make_token(&twin, &le, &t);
	is_int(cpu_einit(w.epc, &w.sig, &t, &w.f), ISA_INVALID_ATTRIBUTE, "token for other attributes");
	CASE(0, "a good one", (void)0);
#undef CASE
	world_end(&w);

	/* Debug launch enclave and debug enclave: the rule is met, the key is another. */
	world_start(&w, ATTR_DEBUG);
	lock_launch(&w);
	world_build(&w);
	sign(&w.sig, 1);
	make_token(&w, &le, &t);
	t.maskedattributesle.flags |= ATTR_DEBUG;
	is_int(cpu_einit(w.epc, &w.sig, &t, &w.f), ISA_INVALID_EINITTOKEN,
	       "DEBUG enters the launch key");
	world_end(&w);
	world_end(&le);
}

int main(void)
{
	test_success();
	test_sigstruct();
	test_code_byte();
	test_debug_rule();
	test_tokens();
	return tap_done();
}
