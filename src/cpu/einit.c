/* EINIT (SDM 40.3) and the launch-control registers (SDM 38.1.4). */
#include "cpu/state.h"

#include <string.h>

int cpu_lepubkeyhash_write(struct cpu_epc *epc, const uint8_t hash[32], struct cpu_fault *f)
{
	if (epc->platform.launch_locked)
		return fault_gp(f);
	memcpy(epc->platform.lepubkeyhash, hash, sizeof(epc->platform.lepubkeyhash));
	return 0;
}

/* The CPU computes s^3 mod n with the help of q1 and q2, so they must be the right ones. */
static bool signature_holds(const struct isa_sigstruct *s)
{
	uint8_t text[ISA_SIGSTRUCT_SIGNED], digest[32];
	uint8_t q1[CRYPTO_RSA_BYTES], q2[CRYPTO_RSA_BYTES];

	isa_sigstruct_signed(s, text);
	crypto_sha256(text, sizeof(text), digest);
	return crypto_rsa3_quotients(s->signature, s->modulus, q1, q2, NULL) == 0 &&
	       memcmp(q1, s->q1, sizeof(q1)) == 0 && memcmp(q2, s->q2, sizeof(q2)) == 0 &&
	       crypto_rsa3_verify(s->signature, s->modulus, digest, NULL) == 0;
}

/* What SIGSTRUCT demands of ATTRIBUTES and MISCSELECT, and the attribute that launch control guards. */
static bool attributes_hold(const struct cpu_epc *epc, const struct isa_secs *secs,
			    const struct isa_sigstruct *s, const uint8_t mrsigner[32])
{
	const struct isa_attributes *a = &secs->attributes;

	if (a->flags & ATTR_EINITTOKEN_KEY &&
	    memcmp(mrsigner, epc->platform.lepubkeyhash, sizeof(epc->platform.lepubkeyhash)) != 0)
		return false;
	return (a->flags & s->attributemask.flags) ==
		       (s->attributes.flags & s->attributemask.flags) &&
	       (a->xfrm & s->attributemask.xfrm) == (s->attributes.xfrm & s->attributemask.xfrm) &&
	       (secs->miscselect & s->miscmask) == (s->miscselect & s->miscmask) &&
	       (s->cet_attributes & s->cet_attributes_mask) == 0;
}

static bool token_reserved_clear(const struct isa_einittoken *t)
{
	return t->valid == 1 && ct_is_zero(t->reserved1, sizeof(t->reserved1)) &&
	       ct_is_zero(t->reserved2, sizeof(t->reserved2)) &&
	       ct_is_zero(t->reserved3, sizeof(t->reserved3)) &&
	       ct_is_zero(t->reserved4, sizeof(t->reserved4));
}

static int check_token(const struct cpu_epc *epc, const struct isa_secs *secs,
		       const uint8_t mrenclave[32], const uint8_t mrsigner[32],
		       const struct isa_einittoken *t)
{
	uint8_t key[16], mac[16];
	bool good;

	if (!(t->valid & 1))
		return memcmp(mrsigner, epc->platform.lepubkeyhash, 32) == 0 ?
			       0 :
			       ISA_INVALID_EINITTOKEN;
	/* A debug launch enclave cannot launch production enclaves. */
	if (t->maskedattributesle.flags & ATTR_DEBUG && !(secs->attributes.flags & ATTR_DEBUG))
		return ISA_INVALID_EINITTOKEN;
	if (!token_reserved_clear(t))
		return ISA_INVALID_EINITTOKEN;
	if (!cpusvn_reached(&epc->platform, t->cpusvnle))
		return ISA_INVALID_CPUSVN;
	key_einittoken(&epc->platform, t, key);
	crypto_cmac(key, t, ISA_EINITTOKEN_MACED, mac);
	good = ct_equal(mac, t->mac, sizeof(mac));
	wipe(key, sizeof(key));
	wipe(mac, sizeof(mac));
	if (!good)
		return ISA_INVALID_EINITTOKEN;
	if (memcmp(t->mrenclave, mrenclave, 32) != 0 || memcmp(t->mrsigner, mrsigner, 32) != 0)
		return ISA_INVALID_MEASUREMENT;
	if (t->attributes.flags != secs->attributes.flags ||
	    t->attributes.xfrm != secs->attributes.xfrm)
		return ISA_INVALID_ATTRIBUTE;
	return 0;
}

static void commit(struct cpu_epc *epc, const struct isa_sigstruct *s, const uint8_t mrenclave[32],
		   const uint8_t mrsigner[32])
{
	struct cpu_epc_shared *sh = epc->shared;
	struct isa_secs *secs = epc_secs(epc);

	memcpy(secs->mrenclave, mrenclave, sizeof(secs->mrenclave));
	memcpy(secs->mrsigner, mrsigner, sizeof(secs->mrsigner));
	secs->isvprodid = s->isvprodid;
	secs->isvsvn = s->isvsvn;
	memcpy(sh->isvfamilyid, s->isvfamilyid, sizeof(sh->isvfamilyid));
	memcpy(sh->isvextprodid, s->isvextprodid, sizeof(sh->isvextprodid));
	/* From here on it is initialised; ATTRIBUTES.INIT is this state and stored nowhere else. */
	__atomic_store_n(&sh->state, EPC_INITIALISED, __ATOMIC_RELEASE);
}

static int init_locked(struct cpu_epc *epc, const struct isa_sigstruct *s,
		       const struct isa_einittoken *t, struct cpu_fault *f)
{
	const struct epc_measure *m = &epc->shared->measure[epc->shared->measure_current & 1];
	uint8_t mrenclave[32], mrsigner[32];
	struct crypto_sha256 h;
	struct isa_secs secs;
	int status;

	if (epc_state(epc) == EPC_INITIALISED)
		return fault_gp(f);
	if (epc_state(epc) != EPC_CREATED)
		return fault_encls(epc, CPU_SECS_PAGE, f);
	secs = *epc_secs(epc);
	if (!(secs.attributes.flags & ATTR_KSS) &&
	    !ct_is_zero(s->isvfamilyid, sizeof(s->isvfamilyid)))
		return ISA_INVALID_SIG_STRUCT;
	crypto_sha256_load(&h, m->chain, m->bytes);
	crypto_sha256_final(&h, mrenclave);
	if (memcmp(mrenclave, s->enclavehash, sizeof(mrenclave)) != 0)
		return ISA_INVALID_MEASUREMENT;
	crypto_sha256(s->modulus, sizeof(s->modulus), mrsigner);
	if (!attributes_hold(epc, &secs, s, mrsigner))
		return ISA_INVALID_ATTRIBUTE;
	status = check_token(epc, &secs, mrenclave, mrsigner, t);
	if (status == 0)
		commit(epc, s, mrenclave, mrsigner);
	return status;
}

int cpu_einit(struct cpu_epc *epc, const struct isa_sigstruct *s, const struct isa_einittoken *t,
	      struct cpu_fault *f)
{
	const struct isa_sigstruct sig = *s; /* checked and used: one and the same */
	const struct isa_einittoken token = t ? *t : (struct isa_einittoken){ 0 };
	struct epc_view tmp;
	uint64_t mask;
	int r;

	if (isa_sigstruct_flaw(&sig))
		return ISA_INVALID_SIG_STRUCT;
	if (!signature_holds(&sig))
		return ISA_INVALID_SIGNATURE;
	if (!epc_lock(epc, &mask))
		return fault_gp(f);
	r = init_locked(epc, &sig, &token, f);
	epc_unlock(epc, mask);
	if (r == 0)
		epc_view(epc, &tmp);
	return r;
}
