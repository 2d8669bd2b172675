/* A verifier that knows an emulated platform: certificates and collateral by the forge. */
#include "tests/ae/kit.h"
#include "tests/attest/forge.h"

/* The forge's QE identity asks for ISVSVN 8, MRSIGNER 00 01 .. 1f, and PROVISION_KEY as we have it. */
#define FORGE_SIGNER "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"

static void edit_identity(struct forge *f, const struct bawn_enclave_info *qe)
{
	static char signer[65], svn[32];

	hex_encode(qe->mrsigner, 32, signer);
	snprintf(svn, sizeof(svn), "{\"isvsvn\":%u}", qe->isvsvn);
	f->qe_edit[0] = (struct forge_edit){ FORGE_SIGNER, signer };
	f->qe_edit[1] = (struct forge_edit){ "{\"isvsvn\":8}", svn };
}

static void edit_platform(struct forge *f, const struct cpu_platform *p,
			  const uint8_t pce_mrsigner[32], const struct ae_tcb *tcb)
{
	static char svn[32];

	ae_ppid(p, pce_mrsigner, f->platform.ppid);
	memcpy(f->platform.cpusvn, tcb->cpusvn, 16);
	memset(f->platform.components, 5, 8); /* of the forge's best level */
	f->platform.pcesvn = tcb->pce_isvsvn;
	snprintf(svn, sizeof(svn), "\"pcesvn\":%u", tcb->pce_isvsvn);
	f->tcb_edit[0] = (struct forge_edit){ "\"pcesvn\":11", svn };
}

bool kit_trust(struct kit_trust *out, const struct cpu_platform *p, const uint8_t pce_mrsigner[32],
	       const struct ae_tcb *tcb, const struct bawn_enclave_info *qe)
{
	struct bawn_root root;
	struct bawn_collateral c;
	struct bawn_error e = { 0 };
	struct forge f;
	bool good;

	*out = (struct kit_trust){ 0 };
	forge_init(&f, BAWN_TEE_SGX);
	edit_identity(&f, qe);
	edit_platform(&f, p, pce_mrsigner, tcb);
	/* The private half stays in the enclave. */
	good = ae_pck_public(p, pce_mrsigner, tcb->cpusvn, tcb->pce_isvsvn, f.key[FORGE_PCK].xy, &e) == 0;
	forge_build(&f);
	root = forge_root(&f);
	c = forge_collateral(&f);
	good = good && bawn_verifier_new(&out->verifier, &root, &e) == 0 &&
	       bawn_verifier_add_collateral(out->verifier, &c, &e) == 0;
	out->chain_n = f.pck_chain.n + 1;
	out->chain = calloc(1, out->chain_n);
	memcpy(out->chain, f.pck_chain.p, f.pck_chain.n);
	forge_free(&f);
	ok(good, "a root that knows the platform");
	kit_say(&e);
	return good;
}

void kit_trust_free(struct kit_trust *t)
{
	bawn_verifier_free(&t->verifier);
	free(t->chain);
	t->chain = NULL;
}

int kit_verify(const struct kit_trust *t, const void *quote, size_t n, bool with_chain,
	       struct bawn_verification *v)
{
	struct bawn_policy policy = { 0 };

	if (with_chain)
		return bawn_verify_quote_with_pck(t->verifier, quote, n,
						  (struct bawn_bytes){ t->chain, t->chain_n - 1 },
						  FORGE_NOW, &policy, v);
	return bawn_verify_quote(t->verifier, quote, n, FORGE_NOW, &policy, v);
}
