/*
 * The layout of the architectural structures, asserted field by field against
 * the SDM, the names of the status codes, and the blocks of a measurement.
 */
#include "isa/isa.h"

#include <string.h>

#define AT(type, field, offset)                                                                    \
	_Static_assert(offsetof(struct type, field) == (offset), #type "." #field)
#define SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type)

/* SECS, SDM 38.7 */
SIZE(isa_secs, 4096);
AT(isa_secs, baseaddr, 8);
AT(isa_secs, ssaframesize, 16);
AT(isa_secs, miscselect, 20);
AT(isa_secs, cet_leg_bitmap_offset, 24);
AT(isa_secs, cet_attributes, 32);
AT(isa_secs, attributes, 48);
AT(isa_secs, mrenclave, 64);
AT(isa_secs, mrsigner, 128);
AT(isa_secs, configid, 192);
AT(isa_secs, isvprodid, 256);
AT(isa_secs, isvsvn, 258);
AT(isa_secs, configsvn, 260);
AT(isa_secs, reserved4, 262);

/* SECINFO, SDM 38.11 */
SIZE(isa_secinfo, 64);

/* TCS, SDM 38.8 */
SIZE(isa_tcs, 4096);
AT(isa_tcs, flags, 8);
AT(isa_tcs, ossa, 16);
AT(isa_tcs, cssa, 24);
AT(isa_tcs, nssa, 28);
AT(isa_tcs, oentry, 32);
AT(isa_tcs, aep, 40);
AT(isa_tcs, ofsbase, 48);
AT(isa_tcs, ogsbase, 56);
AT(isa_tcs, fslimit, 64);
AT(isa_tcs, gslimit, 68);
AT(isa_tcs, ocetssa, 72);
AT(isa_tcs, prevssp, 80);
AT(isa_tcs, reserved, 88);

/* GPRSGX and EXINFO, SDM 38.9.1 and 38.9.2 */
SIZE(isa_gprsgx, 184);
AT(isa_gprsgx, rdi, 56);
AT(isa_gprsgx, r15, 120);
AT(isa_gprsgx, rflags, 128);
AT(isa_gprsgx, rip, 136);
AT(isa_gprsgx, ursp, 144);
AT(isa_gprsgx, urbp, 152);
AT(isa_gprsgx, exitinfo, 160);
AT(isa_gprsgx, aexnotify, 167);
AT(isa_gprsgx, fsbase, 168);
AT(isa_gprsgx, gsbase, 176);
SIZE(isa_exinfo, 16);
AT(isa_exinfo, errcd, 8);

/* REPORT, TARGETINFO, KEYREQUEST, SDM 38.15 to 38.17 */
SIZE(isa_report_body, 384);
AT(isa_report_body, miscselect, 16);
AT(isa_report_body, cet_attributes, 20);
AT(isa_report_body, isvextprodid, 32);
AT(isa_report_body, attributes, 48);
AT(isa_report_body, mrenclave, 64);
AT(isa_report_body, mrsigner, 128);
AT(isa_report_body, configid, 192);
AT(isa_report_body, isvprodid, 256);
AT(isa_report_body, isvsvn, 258);
AT(isa_report_body, configsvn, 260);
AT(isa_report_body, isvfamilyid, 304);
AT(isa_report_body, reportdata, 320);
SIZE(isa_report, 432);
AT(isa_report, keyid, 384);
AT(isa_report, mac, 416);
SIZE(isa_targetinfo, 512);
AT(isa_targetinfo, attributes, 32);
AT(isa_targetinfo, cet_attributes, 48);
AT(isa_targetinfo, configsvn, 50);
AT(isa_targetinfo, miscselect, 52);
AT(isa_targetinfo, configid, 64);
SIZE(isa_keyrequest, 512);
AT(isa_keyrequest, keypolicy, 2);
AT(isa_keyrequest, isvsvn, 4);
AT(isa_keyrequest, cet_attributes_mask, 6);
AT(isa_keyrequest, cpusvn, 8);
AT(isa_keyrequest, attributemask, 24);
AT(isa_keyrequest, keyid, 40);
AT(isa_keyrequest, miscmask, 72);
AT(isa_keyrequest, configsvn, 76);

/* SIGSTRUCT and EINITTOKEN, SDM 38.13 and 38.14 */
SIZE(isa_sigstruct, 1808);
AT(isa_sigstruct, vendor, 16);
AT(isa_sigstruct, date, 20);
AT(isa_sigstruct, header2, 24);
AT(isa_sigstruct, swdefined, 40);
AT(isa_sigstruct, modulus, 128);
AT(isa_sigstruct, exponent, 512);
AT(isa_sigstruct, signature, 516);
AT(isa_sigstruct, miscselect, 900);
AT(isa_sigstruct, miscmask, 904);
AT(isa_sigstruct, cet_attributes, 908);
AT(isa_sigstruct, isvfamilyid, 912);
AT(isa_sigstruct, attributes, 928);
AT(isa_sigstruct, attributemask, 944);
AT(isa_sigstruct, enclavehash, 960);
AT(isa_sigstruct, isvextprodid, 1008);
AT(isa_sigstruct, isvprodid, 1024);
AT(isa_sigstruct, isvsvn, 1026);
AT(isa_sigstruct, reserved4, 1028);
AT(isa_sigstruct, q1, 1040);
AT(isa_sigstruct, q2, 1424);
SIZE(isa_einittoken, 304);
AT(isa_einittoken, attributes, 48);
AT(isa_einittoken, mrenclave, 64);
AT(isa_einittoken, mrsigner, 128);
AT(isa_einittoken, cpusvnle, 192);
AT(isa_einittoken, isvprodidle, 208);
AT(isa_einittoken, isvsvnle, 210);
AT(isa_einittoken, maskedmiscselectle, 236);
AT(isa_einittoken, maskedattributesle, 240);
AT(isa_einittoken, keyid, 256);
AT(isa_einittoken, mac, 288);
_Static_assert(offsetof(struct isa_einittoken, cpusvnle) == ISA_EINITTOKEN_MACED, "MACed part");

/* struct sgx_enclave_run of the kernel's asm/sgx.h */
SIZE(isa_run, 256);
AT(isa_run, function, 8);
AT(isa_run, exception_vector, 12);
AT(isa_run, exception_error_code, 14);
AT(isa_run, exception_addr, 16);
AT(isa_run, user_handler, 24);
AT(isa_run, user_data, 32);

/* The layout block is shared with enclaves built earlier: its shape is fixed. */
SIZE(isa_enclave_layout, 296);
AT(isa_enclave_layout, heap_offset, 24);
AT(isa_enclave_layout, stack_top, 80);
AT(isa_enclave_layout, dynamic_tcs_offset, 144);
AT(isa_enclave_layout, tcs_template, 152);
AT(isa_enclave_layout, flags, 224);

const uint8_t isa_sigstruct_header[16] = { 0x06, 0, 0, 0, 0xe1, 0, 0, 0, 0, 0, 0x01 };
const uint8_t isa_sigstruct_header2[16] = { 0x01, 0x01, 0, 0, 0x60, 0, 0, 0,
					    0x60, 0,	0, 0, 0x01, 0, 0, 0 };

const char *isa_status_name(uint32_t status)
{
	static const struct {
		uint32_t status;
		const char *name;
	} names[] = {
		{ ISA_SUCCESS, "success" },
		{ ISA_INVALID_SIG_STRUCT, "SGX_INVALID_SIG_STRUCT" },
		{ ISA_INVALID_ATTRIBUTE, "SGX_INVALID_ATTRIBUTE" },
		{ ISA_BLKSTATE, "SGX_BLKSTATE" },
		{ ISA_INVALID_MEASUREMENT, "SGX_INVALID_MEASUREMENT" },
		{ ISA_NOTBLOCKABLE, "SGX_NOTBLOCKABLE" },
		{ ISA_PG_INVLD, "SGX_PG_INVLD" },
		{ ISA_EPC_PAGE_CONFLICT, "SGX_EPC_PAGE_CONFLICT" },
		{ ISA_INVALID_SIGNATURE, "SGX_INVALID_SIGNATURE" },
		{ ISA_MAC_COMPARE_FAIL, "SGX_MAC_COMPARE_FAIL" },
		{ ISA_PAGE_NOT_BLOCKED, "SGX_PAGE_NOT_BLOCKED" },
		{ ISA_NOT_TRACKED, "SGX_NOT_TRACKED" },
		{ ISA_VA_SLOT_OCCUPIED, "SGX_VA_SLOT_OCCUPIED" },
		{ ISA_CHILD_PRESENT, "SGX_CHILD_PRESENT" },
		{ ISA_ENCLAVE_ACT, "SGX_ENCLAVE_ACT" },
		{ ISA_ENTRYEPOCH_LOCKED, "SGX_ENTRYEPOCH_LOCKED" },
		{ ISA_INVALID_EINITTOKEN, "SGX_INVALID_EINITTOKEN" },
		{ ISA_PREV_TRK_INCMPL, "SGX_PREV_TRK_INCMPL" },
		{ ISA_PG_IS_SECS, "SGX_PG_IS_SECS" },
		{ ISA_PAGE_ATTRIBUTES_MISMATCH, "SGX_PAGE_ATTRIBUTES_MISMATCH" },
		{ ISA_PAGE_NOT_MODIFIABLE, "SGX_PAGE_NOT_MODIFIABLE" },
		{ ISA_PAGE_NOT_DEBUGGABLE, "SGX_PAGE_NOT_DEBUGGABLE" },
		{ ISA_INVALID_COUNTER, "SGX_INVALID_COUNTER" },
		{ ISA_PG_NONEPC, "SGX_PG_NONEPC" },
		{ ISA_TRACK_NOT_REQUIRED, "SGX_TRACK_NOT_REQUIRED" },
		{ ISA_INVALID_REPORTMACSTRUCT, "SGX_INVALID_REPORTMACSTRUCT" },
		{ ISA_INSUFFICIENT_ENTROPY, "SGX_INSUFFICIENT_ENTROPY" },
		{ ISA_EPC_NOT_READY, "SGX_EPC_NOT_READY" },
		{ ISA_NO_UPDATE, "SGX_NO_UPDATE" },
		{ ISA_INVALID_CPUSVN, "SGX_INVALID_CPUSVN" },
		{ ISA_INVALID_ISVSVN, "SGX_INVALID_ISVSVN" },
		{ ISA_UNMASKED_EVENT, "SGX_UNMASKED_EVENT" },
		{ ISA_INVALID_KEYNAME, "SGX_INVALID_KEYNAME" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].status == status)
			return names[i].name;
	return "unknown status";
}

void isa_sigstruct_signed(const struct isa_sigstruct *s, uint8_t out[ISA_SIGSTRUCT_SIGNED])
{
	const size_t half = offsetof(struct isa_sigstruct, modulus);
	const uint8_t *p = (const uint8_t *)s;

	memcpy(out, p, half);
	memcpy(out + half, p + offsetof(struct isa_sigstruct, miscselect), half);
}
_Static_assert(offsetof(struct isa_sigstruct, modulus) * 2 == ISA_SIGSTRUCT_SIGNED, "first half");
_Static_assert(offsetof(struct isa_sigstruct, reserved4) -
			       offsetof(struct isa_sigstruct, miscselect) ==
		       ISA_SIGSTRUCT_SIGNED / 2,
	       "second half");

/* SDM 40.3, ECREATE: "ECREATE\0", SSAFRAMESIZE, SIZE, zeros. */
void isa_measure_ecreate(uint32_t ssaframesize, uint64_t size, uint8_t out[ISA_MEASURE_BLOCK])
{
	memset(out, 0, ISA_MEASURE_BLOCK);
	memcpy(out, "ECREATE", 7);
	put_le32(out + 8, ssaframesize);
	put_le64(out + 12, size);
}

/* EADD: "EADD\0\0\0\0", offset, the first 48 bytes of SECINFO. */
void isa_measure_eadd(uint64_t offset, const struct isa_secinfo *s, uint8_t out[ISA_MEASURE_BLOCK])
{
	uint64_t flags = s->flags;

	if (SECINFO_PT(flags) == PT_TCS)
		flags &= ~SECINFO_RWX;
	memset(out, 0, 16);
	memcpy(out, "EADD", 4);
	put_le64(out + 8, offset);
	put_le64(out + 16, flags);
	memcpy(out + 24, s->reserved, 40);
}

/* EEXTEND: "EEXTEND\0", offset of the chunk, zeros; the chunk follows. */
void isa_measure_eextend(uint64_t offset, uint8_t out[ISA_MEASURE_BLOCK])
{
	memset(out, 0, ISA_MEASURE_BLOCK);
	memcpy(out, "EEXTEND", 7);
	put_le64(out + 8, offset);
}

void isa_measure_page_begin(struct isa_measure_page *m, const struct isa_secinfo *s)
{
	isa_measure_eadd(0, s, m->eadd);
	for (unsigned c = 0; c < ARRAY_LEN(m->chunk); c++)
		isa_measure_eextend(0, m->chunk[c].eextend);
}

void isa_measure_page_set(struct isa_measure_page *m, uint64_t offset, const uint8_t *page)
{
	put_le64(m->eadd + 8, offset);
	for (unsigned c = 0; c < ARRAY_LEN(m->chunk); c++) {
		put_le64(m->chunk[c].eextend + 8, offset + c * ISA_MEASURE_CHUNK);
		memcpy(m->chunk[c].data, page + c * ISA_MEASURE_CHUNK, ISA_MEASURE_CHUNK);
	}
}
