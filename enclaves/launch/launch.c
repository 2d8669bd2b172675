/*
 * The launch enclave: decides whose enclaves may run where launch control is
 * locked to its signer, with the interface of Intel's LE. An EINITTOKEN is its
 * word for it, under a key that EINIT derives as well.
 *
 * The host passes addresses; everything is copied in once, checked, and used
 * as copied.
 */
#include "launch/launch.h"

#include <string.h>

/* What a token may be asked for: neither INIT, which EINIT sets, nor the key of tokens itself. */
#define GRANTABLE                                                                                  \
	(ATTR_DEBUG | ATTR_MODE64BIT | ATTR_PROVISIONKEY | ATTR_CET | ATTR_KSS | ATTR_AEXNOTIFY)

static uint32_t decide(const uint8_t mrsigner[32], const struct isa_attributes *a)
{
	if (a->flags & ~GRANTABLE)
		return AE_LE_INVALID_ATTRIBUTE;
	/* Debug or not: the key names the platform for good. */
	if ((a->flags & ATTR_PROVISIONKEY) && !lists_allow_provision(mrsigner))
		return AE_LE_INVALID_ATTRIBUTE;
	/* A debug enclave has no secrets, and can tell nobody that it has. */
	if (a->flags & ATTR_DEBUG)
		return AE_SUCCESS;
	return lists_allow_launch(mrsigner);
}

/* The MAC's key: EINIT derives it from what the token says of this enclave (SDM 40.3, EINIT). */
static uint32_t authenticate(struct isa_einittoken *t)
{
	struct bawn_keyrequest r = {
		.keyname = BAWN_KEY_EINITTOKEN,
		.attributemask.flags = ~ATTR_MODE64BIT,
		.miscmask = UINT32_MAX,
	};
	struct bawn_report_body self;
	uint8_t key[16];

	bawn_self(&self);
	memcpy(t->cpusvnle, self.cpusvn, sizeof(t->cpusvnle));
	t->isvprodidle = self.isvprodid;
	t->isvsvnle = self.isvsvn;
	t->maskedmiscselectle = self.miscselect & r.miscmask;
	t->maskedattributesle.flags = self.attributes.flags & r.attributemask.flags;
	t->maskedattributesle.xfrm = self.attributes.xfrm & r.attributemask.xfrm;
	if (!bawn_random(t->keyid, sizeof(t->keyid)))
		return AE_LE_UNEXPECTED_ERROR;
	memcpy(r.cpusvn, self.cpusvn, sizeof(r.cpusvn));
	memcpy(r.keyid, t->keyid, sizeof(r.keyid));
	r.isvsvn = self.isvsvn;
	if (bawn_key(&r, key) != BAWN_STATUS_OK)
		return AE_LE_GET_EINITTOKEN_KEY_ERROR;
	bawn_cmac(key, t, ISA_EINITTOKEN_MACED, t->mac);
	bawn_wipe(key, sizeof(key));
	return AE_SUCCESS;
}

static uint32_t token(const struct ae_ms_launch_token *a)
{
	struct isa_einittoken t = { .valid = 1 };
	struct isa_attributes attributes;
	uint32_t answer;

	if (!bawn_copy_in(t.mrenclave, a->mrenclave, sizeof(t.mrenclave)) ||
	    !bawn_copy_in(t.mrsigner, a->mrsigner, sizeof(t.mrsigner)) ||
	    !bawn_copy_in(&attributes, a->attributes, sizeof(attributes)))
		return AE_LE_INVALID_PARAMETER;
	t.attributes = attributes;
	answer = decide(t.mrsigner, &attributes);
	if (answer == AE_SUCCESS)
		answer = authenticate(&t);
	if (answer == AE_SUCCESS && !bawn_copy_out(a->token, &t, sizeof(t)))
		answer = AE_LE_INVALID_PARAMETER;
	return answer;
}

static uint32_t ecall_token(void *args)
{
	struct ae_ms_launch_token *a = args;

	a->answer = token(a);
	return BAWN_STATUS_OK;
}

static uint32_t ecall_white_list(void *args)
{
	struct ae_ms_white_list *a = args;

	a->answer = lists_take(a);
	return BAWN_STATUS_OK;
}

const struct bawn_ecall bawn_ecalls[] = {
	[AE_LE_GET_LAUNCH_TOKEN] = { ecall_token, sizeof(struct ae_ms_launch_token), 0 },
	[AE_LE_INIT_WHITE_LIST] = { ecall_white_list, sizeof(struct ae_ms_white_list), 0 },
};
const uint32_t bawn_ecall_count = sizeof(bawn_ecalls) / sizeof(bawn_ecalls[0]);
