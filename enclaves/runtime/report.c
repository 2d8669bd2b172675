/* EREPORT and EGETKEY with their alignment, and the MAC of a report. */
#include "runtime/runtime.h"

#include <bearssl.h>
#include <string.h>

/* bawn_enclave.h has the structures of isa.h under public names: the same bytes. */
#define SAME(a, b, field) \
	_Static_assert(offsetof(struct a, field) == offsetof(struct b, field), #a " " #field)
_Static_assert(sizeof(struct bawn_report) == sizeof(struct isa_report), "REPORT");
_Static_assert(sizeof(struct bawn_targetinfo) == sizeof(struct isa_targetinfo), "TARGETINFO");
_Static_assert(sizeof(struct bawn_keyrequest) == sizeof(struct isa_keyrequest), "KEYREQUEST");
SAME(bawn_report_body, isa_report_body, miscselect);
SAME(bawn_report_body, isa_report_body, attributes);
SAME(bawn_report_body, isa_report_body, mrenclave);
SAME(bawn_report_body, isa_report_body, mrsigner);
SAME(bawn_report_body, isa_report_body, configid);
SAME(bawn_report_body, isa_report_body, isvsvn);
SAME(bawn_report_body, isa_report_body, reportdata);
SAME(bawn_targetinfo, isa_targetinfo, configsvn);
SAME(bawn_targetinfo, isa_targetinfo, miscselect);
SAME(bawn_targetinfo, isa_targetinfo, configid);
SAME(bawn_keyrequest, isa_keyrequest, isvsvn);
SAME(bawn_keyrequest, isa_keyrequest, attributemask);
SAME(bawn_keyrequest, isa_keyrequest, keyid);
SAME(bawn_keyrequest, isa_keyrequest, configsvn);

void bawn_self(struct bawn_report_body *out)
{
	memcpy(out, &runtime_self, sizeof(*out));
}

void bawn_self_targetinfo(struct bawn_targetinfo *out)
{
	struct isa_targetinfo t = {
		.attributes = runtime_self.attributes,
		.cet_attributes = runtime_self.cet_attributes,
		.configsvn = runtime_self.configsvn,
		.miscselect = runtime_self.miscselect,
	};

	memcpy(t.measurement, runtime_self.mrenclave, sizeof(t.measurement));
	memcpy(t.configid, runtime_self.configid, sizeof(t.configid));
	memcpy(out, &t, sizeof(*out));
}

uint32_t bawn_report(const struct bawn_targetinfo *target, const uint8_t data[64],
		     struct bawn_report *out)
{
	_Alignas(512) struct isa_targetinfo t;
	_Alignas(512) struct isa_report r;
	_Alignas(128) uint8_t d[64];

	memcpy(&t, target, sizeof(t));
	memcpy(d, data, sizeof(d));
	/* Targets often come from the host, and reserved bits fault (SDM 40.4, EREPORT). */
	if (t.reserved1 || !ct_is_zero(t.reserved2, sizeof(t.reserved2)) ||
	    !ct_is_zero(t.reserved3, sizeof(t.reserved3)) || runtime_ereport(&t, d, &r))
		return BAWN_STATUS_ARGUMENT;
	memcpy(out, &r, sizeof(*out));
	return BAWN_STATUS_OK;
}

static uint32_t key_status(uint32_t status)
{
	switch (status) {
	case ISA_SUCCESS:
		return BAWN_STATUS_OK;
	case ISA_INVALID_ATTRIBUTE:
		return BAWN_STATUS_ATTRIBUTE;
	case ISA_INVALID_CPUSVN:
		return BAWN_STATUS_CPUSVN;
	case ISA_INVALID_ISVSVN:
		return BAWN_STATUS_ISVSVN;
	case ISA_INVALID_KEYNAME:
		return BAWN_STATUS_KEYNAME;
	default:
		return BAWN_STATUS_FAILED;
	}
}

uint32_t bawn_key(const struct bawn_keyrequest *request, uint8_t key[16])
{
	_Alignas(512) struct isa_keyrequest r;
	_Alignas(16) uint8_t k[16];
	uint32_t status;

	memcpy(&r, request, sizeof(r));
	if (r.reserved1 || !ct_is_zero(r.reserved2, sizeof(r.reserved2)))
		return BAWN_STATUS_ARGUMENT; /* would fault */
	status = key_status(runtime_egetkey(&r, k));
	if (status == BAWN_STATUS_OK)
		memcpy(key, k, sizeof(k));
	wipe(k, sizeof(k));
	return status;
}

/* A subkey of RFC 4493, 2.3: one bit to the left, and Rb if one fell out. */
static void cmac_double(uint8_t k[16])
{
	uint8_t carry = (uint8_t)-(k[0] >> 7);

	for (int i = 0; i < 15; i++)
		k[i] = (uint8_t)(k[i] << 1 | k[i + 1] >> 7);
	k[15] = (uint8_t)((k[15] << 1) ^ (0x87 & carry));
}

/*
 * With AES-NI, which every CPU with SGX has: no code is chosen by what the host
 * says of the CPU, and the time depends on lengths alone.
 */
void bawn_cmac(const uint8_t key[16], const void *p, size_t n, uint8_t mac[16])
{
	br_aes_x86ni_ctrcbc_keys aes;
	uint8_t subkey[16] = { 0 }, last[16] = { 0 }, zero[16] = { 0 };
	size_t head = n ? (n - 1) / 16 * 16 : 0, tail = n - head;

	br_aes_x86ni_ctrcbc_init(&aes, key, 16);
	br_aes_x86ni_ctrcbc_mac(&aes, subkey, zero, sizeof(zero)); /* L = AES(0) */
	cmac_double(subkey);
	if (tail)
		memcpy(last, (const uint8_t *)p + head, tail);
	if (tail < sizeof(last)) {
		last[tail] = 0x80;
		cmac_double(subkey);
	}
	for (size_t i = 0; i < sizeof(last); i++)
		last[i] ^= subkey[i];
	memset(mac, 0, 16);
	if (head)
		br_aes_x86ni_ctrcbc_mac(&aes, mac, p, head);
	br_aes_x86ni_ctrcbc_mac(&aes, mac, last, sizeof(last));
	wipe(&aes, sizeof(aes));
	wipe(subkey, sizeof(subkey));
	wipe(last, sizeof(last));
}

uint32_t bawn_verify_report(const struct bawn_report *r)
{
	struct bawn_keyrequest request = { .keyname = BAWN_KEY_REPORT };
	uint8_t key[16], mac[16];
	uint32_t status;
	bool good;

	memcpy(request.keyid, r->keyid, sizeof(request.keyid));
	status = bawn_key(&request, key);
	if (status != BAWN_STATUS_OK)
		return status;
	bawn_cmac(key, &r->body, sizeof(r->body), mac);
	good = ct_equal(mac, r->mac, sizeof(mac));
	wipe(key, sizeof(key));
	wipe(mac, sizeof(mac));
	return good ? BAWN_STATUS_OK : BAWN_STATUS_MAC;
}
