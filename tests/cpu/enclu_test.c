/* ENCLU inside an enclave: EREPORT, EGETKEY, EACCEPT, EACCEPTCOPY, EMODPE, and what is not there. */
#include "tests/cpu/world.h"

#include <string.h>
#include <sys/mman.h>

#define REQUEST (DATA)
#define OUT (DATA + 0x1000)
#define RFLAGS_STATUS UINT64_C(0x8d5) /* CF PF AF ZF SF OF */
#define RFLAGS_ZF UINT64_C(0x40)

/* PF codes of operands: EPCM and page tables. */
#define PF_READ (PF_SGX | PF_P | PF_U)
#define PF_WRITE (PF_SGX | PF_P | PF_U | PF_W)

static void put(struct world *w, uint64_t offset, const void *p, size_t n)
{
	memcpy(AT(w, offset), p, n);
}

static void leave(struct world *w)
{
	w->r.rbx = 0x400000;
	is_int(cpu_eexit(&w->lp, &w->r, &w->f), 0, "EEXIT");
}

/* An operand in RBX, RCX or RDX that must lie on a regular page with these permissions. */
static void operand_cases(struct world *w, uint32_t leaf, int which, uint64_t align, bool write,
			  const uint64_t good[3], const char *name)
{
	uint64_t v[3] = { good[0], good[1], good[2] };
	const uint32_t code = write ? PF_WRITE : PF_READ;
	char text[100];

#define TRY(value, what, check)                                                                    \
	v[which] = (value);                                                                        \
	snprintf(text, sizeof(text), "%s %s", name, what);                                         \
	check
	TRY(good[which] + align / 2, "unaligned", is_gp(w, enclu(w, leaf, v[0], v[1], v[2]), text));
	TRY(BASE + SIZE, "behind ELRANGE", is_gp(w, enclu(w, leaf, v[0], v[1], v[2]), text));
	TRY(BASE - ISA_PAGE, "before ELRANGE", is_gp(w, enclu(w, leaf, v[0], v[1], v[2]), text));
	TRY(BASE + FREE, "on an absent page",
	    is_pf(w, enclu(w, leaf, v[0], v[1], v[2]), PF_U | (write ? PF_W : 0), BASE + FREE, text));
	TRY(BASE + TCS, "on a TCS",
	    is_pf(w, enclu(w, leaf, v[0], v[1], v[2]), code, BASE + TCS, text));
	if (write) {
		TRY(BASE + CONST, "on a read-only page",
		    is_pf(w, enclu(w, leaf, v[0], v[1], v[2]), code, BASE + CONST, text));
	}
	TRY(BASE + FREE + ISA_PAGE, "on a pending page",
	    is_pf(w, enclu(w, leaf, v[0], v[1], v[2]), code, BASE + FREE + ISA_PAGE, text));
#undef TRY
}

/* ---- EREPORT ---- */

/* EGETKEY of the report key, as the target would. */
static void report_key(struct world *w, const uint8_t keyid[32], uint8_t key[16])
{
	struct isa_keyrequest q = { .keyname = KEY_REPORT };

	memcpy(q.keyid, keyid, 32);
	put(w, REQUEST, &q, sizeof(q));
	is_int(enclu(w, ENCLU_EGETKEY, BASE + REQUEST, BASE + OUT, 0), 0, "EGETKEY(REPORT)");
	memcpy(key, AT(w, OUT), 16);
}

static bool mac_holds(const struct isa_report *r, const uint8_t key[16])
{
	uint8_t mac[16];

	crypto_cmac(key, &r->body, sizeof(r->body), mac);
	return memcmp(mac, r->mac, 16) == 0;
}

static void test_report_contents(void)
{
	struct isa_targetinfo t = { 0 };
	struct isa_report r;
	struct isa_secs secs;
	uint8_t key[16];
	struct world w, target;

	world_start(&w, ATTR_KSS | ATTR_DEBUG);
	memset(w.secs.configid, 0xc1, sizeof(w.secs.configid));
	w.secs.configsvn = 6;
	world_build(&w);
	world_init(&w);
	world_ready(&target, ATTR_KSS);
	cpu_epc_secs(target.epc, &secs);
	memcpy(t.measurement, secs.mrenclave, 32);
	t.attributes = secs.attributes;
	t.miscselect = secs.miscselect;
	enter(&w);
	put(&w, DATA, &t, sizeof(t));
	memset(AT(&w, DATA + 0x280), 0xda, 64);
	w.r.rflags |= RFLAGS_STATUS;
	is_int(enclu(&w, ENCLU_EREPORT, BASE + DATA, BASE + DATA + 0x280, BASE + OUT), 0, "EREPORT");
	is_int(w.r.rip, BASE + OENTRY + 3, "RIP is behind the instruction");
	is_int(w.r.rax, ENCLU_EREPORT, "RAX is unchanged");
	is_int(w.r.rflags & RFLAGS_STATUS, RFLAGS_STATUS, "so are the flags");
	memcpy(&r, AT(&w, OUT), sizeof(r));
	cpu_epc_secs(w.epc, &secs);
	is_mem(r.body.mrenclave, secs.mrenclave, 32, "MRENCLAVE");
	is_mem(r.body.mrsigner, secs.mrsigner, 32, "MRSIGNER");
	is_mem(&r.body.attributes, &secs.attributes, 16, "ATTRIBUTES, INIT included");
	is_mem(r.body.cpusvn, w.platform.cpusvn, 16, "CPUSVN");
	is_mem(r.body.configid, secs.configid, 64, "CONFIGID");
	ok(r.body.miscselect == MISC_EXINFO && r.body.isvprodid == 7 && r.body.isvsvn == 3 &&
		   r.body.configsvn == 6, "MISCSELECT, ISVPRODID, ISVSVN, CONFIGSVN");
	is_mem(r.body.isvfamilyid, w.sig.isvfamilyid, 16, "ISVFAMILYID");
	is_mem(r.body.isvextprodid, w.sig.isvextprodid, 16, "ISVEXTPRODID");
	ok(r.body.reportdata[0] == 0xda && r.body.reportdata[63] == 0xda, "REPORTDATA");
	ok(ct_is_zero(r.body.reserved4, sizeof(r.body.reserved4)) && r.body.cet_attributes == 0,
	   "the rest is zero");

	enter(&target);
	report_key(&target, r.keyid, key);
	ok(mac_holds(&r, key), "the target's report key verifies it");
	r.body.isvsvn++;
	ok(!mac_holds(&r, key), "but nothing else");
	r.body.isvsvn--;
	report_key(&w, r.keyid, key);
	ok(!mac_holds(&r, key), "the reporting enclave has another report key");
	r.keyid[0] ^= 1;
	report_key(&target, r.keyid, key);
	ok(!mac_holds(&r, key), "KEYID enters the key");
	world_end(&target);
	world_end(&w);
}

/* What of TARGETINFO enters the key: a report for the wrong target does not verify. */
static void test_report_target(void)
{
	struct isa_targetinfo t, good = { 0 };
	struct isa_report r;
	struct isa_secs secs;
	uint8_t key[16];
	struct world w;

	world_ready(&w, ATTR_KSS);
	cpu_epc_secs(w.epc, &secs);
	memcpy(good.measurement, secs.mrenclave, 32);
	good.attributes = secs.attributes;
	good.miscselect = secs.miscselect;
	enter(&w);
#define CASE(want, name, change)                                                                   \
	t = good;                                                                                  \
	change;                                                                                    \
	put(&w, DATA, &t, sizeof(t));                                                              \
	is_int(enclu(&w, ENCLU_EREPORT, BASE + DATA, BASE + DATA + 0x280, BASE + OUT), 0, "EREPORT"); \
	memcpy(&r, AT(&w, OUT), sizeof(r));                                                        \
	report_key(&w, r.keyid, key);                                                              \
	ok(mac_holds(&r, key) == want, "target: " name)
	CASE(true, "itself", (void)0);
	CASE(false, "another measurement", t.measurement[5] ^= 1);
	CASE(false, "attributes without INIT: the CPU adds nothing", t.attributes.flags &= ~ATTR_INIT);
	CASE(false, "another XFRM", t.attributes.xfrm |= 4);
	CASE(false, "another MISCSELECT", t.miscselect = 0);
	CASE(false, "another CONFIGID", t.configid[0] = 1);
	CASE(false, "another CONFIGSVN", t.configsvn = 1);
#undef CASE
	world_end(&w);
}

static void test_report_operands(void)
{
	const uint64_t good[3] = { BASE + DATA, BASE + DATA + 0x280, BASE + OUT };
	struct world w;

	world_ready(&w, 0);
	is_int(cpu_eaug(w.epc, FREE + ISA_PAGE, &w.f), 0, "EAUG");
	is_gp(&w, enclu(&w, ENCLU_EREPORT, good[0], good[1], good[2]), "EREPORT outside an enclave");
	enter(&w);
	operand_cases(&w, ENCLU_EREPORT, 0, 512, false, good, "TARGETINFO");
	operand_cases(&w, ENCLU_EREPORT, 1, 128, false, good, "REPORTDATA");
	operand_cases(&w, ENCLU_EREPORT, 2, 512, true, good, "REPORT");
	world_end(&w);
}

/* ---- EGETKEY: statuses and faults; what enters the keys is keys_test's ---- */

static void test_getkey(void)
{
	const uint64_t good[3] = { BASE + REQUEST, BASE + OUT, 0 };
	struct isa_keyrequest q;
	struct world w;

	world_ready(&w, ATTR_KSS);
	is_int(cpu_eaug(w.epc, FREE + ISA_PAGE, &w.f), 0, "EAUG");
	enter(&w);
	operand_cases(&w, ENCLU_EGETKEY, 0, 512, false, good, "KEYREQUEST");
	operand_cases(&w, ENCLU_EGETKEY, 1, 16, true, good, "OUTPUTDATA");
#define CASE(check, name, change)                                                                  \
	q = (struct isa_keyrequest){ .keyname = KEY_SEAL };                                        \
	change;                                                                                    \
	put(&w, REQUEST, &q, sizeof(q));                                                           \
	memset(AT(&w, OUT), 0xee, 16);                                                             \
	check(enclu(&w, ENCLU_EGETKEY, good[0], good[1], 0), "EGETKEY: " name)
#define STATUS_0(r, name) is_int(r, 0, name)
#define STATUS_2(r, name) is_int(r, ISA_INVALID_ATTRIBUTE, name)
#define STATUS_32(r, name) is_int(r, ISA_INVALID_CPUSVN, name)
#define STATUS_64(r, name) is_int(r, ISA_INVALID_ISVSVN, name)
#define STATUS_256(r, name) is_int(r, ISA_INVALID_KEYNAME, name)
#define GP(r, name) is_gp(&w, r, name)
	CASE(GP, "reserved byte 7", q.reserved1 = 1);
	CASE(GP, "the last reserved byte", q.reserved2[sizeof(q.reserved2) - 1] = 1);
	CASE(GP, "reserved policy bits", q.keypolicy = 0x40);
	CASE(GP, "CET_ATTRIBUTES_MASK, without CET", q.cet_attributes_mask = 1);
	CASE(STATUS_256, "KEYNAME 5", q.keyname = 5);
	CASE(STATUS_256, "KEYNAME 0xffff", q.keyname = 0xffff);
	CASE(STATUS_2, "PROVISION without the attribute", q.keyname = KEY_PROVISION);
	CASE(STATUS_2, "PROVISION_SEAL without the attribute", q.keyname = KEY_PROVISION_SEAL);
	CASE(STATUS_2, "EINITTOKEN without the attribute", q.keyname = KEY_EINITTOKEN);
	CASE(STATUS_32, "a CPUSVN yet to come", q.cpusvn[0] = 6);
	CASE(STATUS_32, "in its last component", q.cpusvn[15] = 6);
	CASE(STATUS_64, "an ISVSVN yet to come", q.isvsvn = 4);
	CASE(STATUS_64, "a CONFIGSVN yet to come", q.configsvn = 1);
	ok(w.r.rax == ISA_INVALID_ISVSVN && (w.r.rflags & RFLAGS_STATUS) == RFLAGS_ZF,
	   "the status is in RAX and ZF is set");
	ok(*AT(&w, OUT) == 0xee && *AT(&w, OUT + 15) == 0xee, "no key is written");
	w.r.rflags |= RFLAGS_STATUS;
	CASE(STATUS_0, "SVNs of zero", (void)0);
	ok(w.r.rax == 0 && (w.r.rflags & RFLAGS_STATUS) == 0, "RAX and ZF are clear");
	CASE(STATUS_0, "a REPORT key looks at no SVN",
	     (q.keyname = KEY_REPORT, q.cpusvn[0] = 6, q.isvsvn = 9));
	leave(&w);
	world_end(&w);

	world_ready(&w, 0);
	enter(&w);
	CASE(GP, "policy NOISVPRODID without KSS", q.keypolicy = KEYPOLICY_NOISVPRODID);
	CASE(GP, "policy CONFIGID without KSS", q.keypolicy = KEYPOLICY_CONFIGID);
	CASE(GP, "policy ISVFAMILYID without KSS", q.keypolicy = KEYPOLICY_ISVFAMILYID);
	CASE(GP, "policy ISVEXTPRODID without KSS", q.keypolicy = KEYPOLICY_ISVEXTPRODID);
	CASE(GP, "CONFIGSVN without KSS", q.configsvn = 1);
	CASE(STATUS_0, "policies MRENCLAVE and MRSIGNER without KSS",
	     q.keypolicy = KEYPOLICY_MRENCLAVE | KEYPOLICY_MRSIGNER);
#undef CASE
	world_end(&w);
}

/* ---- EACCEPT ---- */

static int accept(struct world *w, uint64_t offset, uint64_t flags)
{
	struct isa_secinfo si = secinfo(flags);

	put(w, DATA, &si, sizeof(si));
	return enclu(w, ENCLU_EACCEPT, BASE + DATA, BASE + offset, 0);
}

static struct cpu_epcm epcm(const struct world *w, uint64_t offset)
{
	struct cpu_epcm m = { 0 };

	cpu_epcm_get(w->epc, offset, &m);
	return m;
}

#define ACCEPT_NEW (SECINFO_PENDING | SECINFO_R | SECINFO_W | SECINFO_OF_PT(PT_REG))

static void test_eaccept_faults(void)
{
	const uint64_t good[3] = { BASE + DATA, BASE + FREE + ISA_PAGE, 0 };
	struct isa_secinfo si;
	struct world w;

	world_ready(&w, 0);
	is_int(cpu_eaug(w.epc, FREE + ISA_PAGE, &w.f), 0, "EAUG");
	enter(&w);
	si = secinfo(ACCEPT_NEW);
	put(&w, DATA, &si, sizeof(si));
	operand_cases(&w, ENCLU_EACCEPT, 0, 64, false, good, "SECINFO");
	is_gp(&w, accept(&w, FREE + ISA_PAGE + 0x40, ACCEPT_NEW), "EACCEPT of an unaligned page");
	is_gp(&w, accept(&w, SIZE, ACCEPT_NEW), "EACCEPT outside ELRANGE");
	is_pf(&w, accept(&w, FREE, ACCEPT_NEW), PF_U | PF_W, BASE + FREE,
	      "EACCEPT of an absent page (the driver may EAUG it)");
	is_gp(&w, accept(&w, FREE + ISA_PAGE, ACCEPT_NEW | 0x40), "EACCEPT: reserved flags");
	si = secinfo(ACCEPT_NEW);
	si.reserved[55] = 1;
	put(&w, DATA, &si, sizeof(si));
	is_gp(&w, enclu(&w, ENCLU_EACCEPT, good[0], good[1], 0), "EACCEPT: reserved bytes");

	static const struct {
		uint64_t flags;
		const char *name;
	} senseless[] = {
		{ SECINFO_OF_PT(PT_REG) | SECINFO_R, "REG with nothing to accept" },
		{ SECINFO_OF_PT(PT_REG) | SECINFO_MODIFIED, "REG, modified" },
		{ SECINFO_OF_PT(PT_REG) | SECINFO_PR | SECINFO_MODIFIED, "REG, restricted and modified" },
		{ SECINFO_OF_PT(PT_TCS), "TCS, not modified" },
		{ SECINFO_OF_PT(PT_TCS) | SECINFO_MODIFIED | SECINFO_PENDING, "TCS, pending" },
		{ SECINFO_OF_PT(PT_TRIM) | SECINFO_MODIFIED | SECINFO_PR, "TRIM, restricted" },
		{ SECINFO_OF_PT(PT_SECS) | SECINFO_MODIFIED, "SECS" },
		{ SECINFO_OF_PT(PT_SS_FIRST) | SECINFO_PENDING, "a shadow stack" },
	};
	for (size_t i = 0; i < ARRAY_LEN(senseless); i++)
		is_gp(&w, accept(&w, FREE + ISA_PAGE, senseless[i].flags), senseless[i].name);
	world_end(&w);
}

static void test_eaccept_new(void)
{
	struct world w;

	world_ready(&w, 0);
	is_int(cpu_eaug(w.epc, FREE, &w.f), 0, "EAUG");
	enter(&w);
	is_int(accept(&w, FREE, ACCEPT_NEW & ~SECINFO_W), ISA_PAGE_ATTRIBUTES_MISMATCH,
	       "other permissions than the page has");
	is_int(accept(&w, FREE, ACCEPT_NEW | SECINFO_X), ISA_PAGE_ATTRIBUTES_MISMATCH, "more of them");
	is_int(accept(&w, DATA + ISA_PAGE, ACCEPT_NEW), ISA_PAGE_ATTRIBUTES_MISMATCH,
	       "a page that is not pending");
	is_int(accept(&w, FREE, SECINFO_MODIFIED | SECINFO_OF_PT(PT_TRIM)),
	       ISA_PAGE_ATTRIBUTES_MISMATCH, "another type");
	ok(w.r.rax == ISA_PAGE_ATTRIBUTES_MISMATCH && w.r.rflags & RFLAGS_ZF, "RAX and ZF tell");
	is_int(accept(&w, FREE, ACCEPT_NEW), 0, "EACCEPT");
	ok(w.r.rax == 0 && !(w.r.rflags & RFLAGS_ZF), "RAX and ZF are clear");
	ok(!epcm(&w, FREE).pending, "the page is no longer pending");
	ok(w.changed_offset == FREE, "the hook is told");
	is_int(accept(&w, FREE, ACCEPT_NEW), ISA_PAGE_ATTRIBUTES_MISMATCH, "not twice");
	world_end(&w);
}

static void test_eaccept_modified(void)
{
	struct isa_secinfo r = REG_R, tcs = TCS_INFO, trim = secinfo(SECINFO_OF_PT(PT_TRIM));
	const uint64_t make_tcs = SECINFO_MODIFIED | SECINFO_OF_PT(PT_TCS);
	struct isa_tcs t;
	struct world w;

	world_ready(&w, 0);
	is_int(cpu_emodpr(w.epc, DATA + ISA_PAGE, &r, &w.f), 0, "EMODPR");
	is_int(cpu_emodt(w.epc, CONST, &trim, &w.f), 0, "EMODT to TRIM");
	enter(&w);
	is_int(accept(&w, DATA + ISA_PAGE, SECINFO_PR | SECINFO_R | SECINFO_OF_PT(PT_REG)), 0,
	       "EACCEPT of restricted permissions");
	ok(!epcm(&w, DATA + ISA_PAGE).pr, "PR is clear");
	is_int(accept(&w, CONST, SECINFO_MODIFIED | SECINFO_OF_PT(PT_TRIM)), 0, "EACCEPT of TRIM");
	ok(!epcm(&w, CONST).modified && epcm(&w, CONST).pt == PT_TRIM, "trimmed for good");

#define CASE(name, change)                                                                         \
	tcs_fill(&t);                                                                              \
	change;                                                                                    \
	put(&w, FREE, &t, sizeof(t));                                                              \
	is_gp(&w, accept(&w, FREE, make_tcs), "EACCEPT of a TCS " name)
	is_int(cpu_eaug(w.epc, FREE, &w.f), 0, "EAUG");
	is_int(accept(&w, FREE, ACCEPT_NEW), 0, "EACCEPT");
	is_int(cpu_emodt(w.epc, FREE, &tcs, &w.f), 0, "EMODT to TCS");
	CASE("with reserved bytes", t.reserved[100] = 1);
	CASE("with reserved flags", t.flags = 4);
	CASE("opted in to debugging", t.flags = TCS_DBGOPTIN);
	CASE("without an SSA frame left", t.cssa = NSSA);
	CASE("with an AEP", t.aep = AEP);
	CASE("that is busy", t.stage = 1);
#undef CASE
	tcs_fill(&t);
	put(&w, FREE, &t, sizeof(t));
	is_int(accept(&w, FREE, make_tcs), 0, "EACCEPT of a good one");
	leave(&w);
	host_regs(&w, FREE);
	is_int(cpu_eenter(&w.lp, w.epc, &w.r, &w.f), 0, "EENTER of it");
	world_end(&w);
}

/* ---- EACCEPTCOPY ---- */

static int acceptcopy(struct world *w, uint64_t to, uint64_t from, uint64_t flags)
{
	struct isa_secinfo si = secinfo(flags);

	put(w, DATA, &si, sizeof(si));
	return enclu(w, ENCLU_EACCEPTCOPY, BASE + DATA, BASE + to, BASE + from);
}

static void test_eacceptcopy(void)
{
	const uint64_t rx = SECINFO_R | SECINFO_X | SECINFO_OF_PT(PT_REG);
	const uint64_t good[3] = { BASE + DATA, BASE + FREE + ISA_PAGE, BASE + CONST };
	struct isa_secinfo si = secinfo(rx);
	struct world w;

	world_ready(&w, 0);
	is_int(cpu_eaug(w.epc, FREE + ISA_PAGE, &w.f), 0, "EAUG");
	is_int(cpu_eaug(w.epc, FREE + 2 * ISA_PAGE, &w.f), 0, "EAUG");
	enter(&w);
	put(&w, DATA, &si, sizeof(si));
	operand_cases(&w, ENCLU_EACCEPTCOPY, 0, 64, false, good, "EACCEPTCOPY: SECINFO");
	operand_cases(&w, ENCLU_EACCEPTCOPY, 2, ISA_PAGE, false, good, "EACCEPTCOPY: source");
	is_gp(&w, acceptcopy(&w, FREE + 1, CONST, rx), "EACCEPTCOPY to an unaligned page");
	is_gp(&w, acceptcopy(&w, SIZE, CONST, rx), "EACCEPTCOPY outside ELRANGE");
	is_pf(&w, acceptcopy(&w, FREE, CONST, rx), PF_U | PF_W, BASE + FREE, "EACCEPTCOPY to an absent page");
	is_gp(&w, acceptcopy(&w, FREE + ISA_PAGE, CONST, SECINFO_OF_PT(PT_TCS)), "EACCEPTCOPY to TCS");
	is_gp(&w, acceptcopy(&w, FREE + ISA_PAGE, CONST, SECINFO_W | SECINFO_OF_PT(PT_REG)),
	      "EACCEPTCOPY to writable, not readable");
	is_gp(&w, acceptcopy(&w, FREE + ISA_PAGE, CONST, rx | 0x40), "EACCEPTCOPY: reserved flags");
	is_int(acceptcopy(&w, DATA + ISA_PAGE, CONST, rx), ISA_PAGE_ATTRIBUTES_MISMATCH,
	       "EACCEPTCOPY to a page that is not pending");
	is_int(acceptcopy(&w, TCS, CONST, rx), ISA_PAGE_ATTRIBUTES_MISMATCH, "EACCEPTCOPY to a TCS");
	is_int(acceptcopy(&w, FREE + ISA_PAGE, CONST, rx), 0, "EACCEPTCOPY");
	ok(memcmp(AT(&w, FREE + ISA_PAGE), AT(&w, CONST), ISA_PAGE) == 0, "the contents are copied");
	ok(epcm(&w, FREE + ISA_PAGE).permissions == (SECINFO_R | SECINFO_X) &&
		   !epcm(&w, FREE + ISA_PAGE).pending, "with the permissions asked for");
	world_end(&w);
}

/* ---- EMODPE ---- */

static int modpe(struct world *w, uint64_t offset, uint64_t flags)
{
	struct isa_secinfo si = secinfo(flags);

	put(w, DATA, &si, sizeof(si));
	return enclu(w, ENCLU_EMODPE, BASE + DATA, BASE + offset, 0);
}

static void test_emodpe(void)
{
	const uint64_t good[3] = { BASE + DATA, BASE + CONST, 0 };
	struct isa_secinfo none = secinfo(SECINFO_OF_PT(PT_REG)), trim = secinfo(SECINFO_OF_PT(PT_TRIM));
	struct world w;

	world_ready(&w, 0);
	is_int(cpu_eaug(w.epc, FREE + ISA_PAGE, &w.f), 0, "EAUG");
	is_int(cpu_emodpr(w.epc, DATA + 2 * ISA_PAGE, &none, &w.f), 0, "EMODPR to nothing");
	is_int(cpu_emodt(w.epc, DATA + 3 * ISA_PAGE, &trim, &w.f), 0, "EMODT");
	enter(&w);
	put(&w, DATA, &none, sizeof(none));
	operand_cases(&w, ENCLU_EMODPE, 0, 64, false, good, "EMODPE: SECINFO");
	is_gp(&w, modpe(&w, CONST + 8, SECINFO_W), "EMODPE of an unaligned page");
	is_gp(&w, modpe(&w, SIZE, SECINFO_W), "EMODPE outside ELRANGE");
	is_gp(&w, modpe(&w, CONST, 0x40), "EMODPE: reserved flags");
	is_pf(&w, modpe(&w, FREE, SECINFO_W), PF_U | PF_W, BASE + FREE, "EMODPE of an absent page");
	is_pf(&w, modpe(&w, FREE + ISA_PAGE, SECINFO_X), PF_WRITE, BASE + FREE + ISA_PAGE,
	      "EMODPE of a pending page");
	is_pf(&w, modpe(&w, DATA + 3 * ISA_PAGE, SECINFO_X), PF_WRITE, BASE + DATA + 3 * ISA_PAGE,
	      "EMODPE of a modified page");
	is_pf(&w, modpe(&w, TCS, SECINFO_R), PF_WRITE, BASE + TCS, "EMODPE of a TCS");
	is_gp(&w, modpe(&w, DATA + 2 * ISA_PAGE, SECINFO_W), "EMODPE to writable, not readable");
	is_int(modpe(&w, DATA + 2 * ISA_PAGE, SECINFO_W | SECINFO_R), 0, "to both");
	w.r.rflags |= RFLAGS_STATUS;
	is_int(modpe(&w, CONST, SECINFO_W), 0, "EMODPE");
	ok(w.r.rax == ENCLU_EMODPE && (w.r.rflags & RFLAGS_STATUS) == RFLAGS_STATUS,
	   "it has no status and leaves RAX and the flags alone");
	is_int(epcm(&w, CONST).permissions, SECINFO_R | SECINFO_W, "the page is writable now");
	world_end(&w);
}

/* ---- what is not there ---- */

static void test_absent(void)
{
	struct world w;

	world_ready(&w, 0);
	enter(&w);
	is_ud(&w, enclu(&w, ENCLU_EVERIFYREPORT2, 0, 0, 0), "EVERIFYREPORT2");
	is_gp(&w, enclu(&w, ENCLU_EENTER, BASE + TCS, AEP, 0), "EENTER inside");
	is_gp(&w, enclu(&w, ENCLU_ERESUME, BASE + TCS, AEP, 0), "ERESUME inside");
	is_gp(&w, enclu(&w, 10, 0, 0, 0), "leaf 10");
	is_gp(&w, enclu(&w, 0xffffffff, 0, 0, 0), "leaf 0xffffffff");
	w.epc->platform.sgx2 = false;
	w.epc->platform.aexnotify = false;
	is_gp(&w, enclu(&w, ENCLU_EACCEPT, BASE + DATA, BASE + FREE, 0), "EACCEPT on SGX1");
	is_gp(&w, enclu(&w, ENCLU_EACCEPTCOPY, BASE + DATA, BASE + FREE, BASE + DATA), "EACCEPTCOPY on SGX1");
	is_gp(&w, enclu(&w, ENCLU_EMODPE, BASE + DATA, BASE + FREE, 0), "EMODPE on SGX1");
	is_gp(&w, enclu(&w, ENCLU_EDECCSSA, 0, 0, 0), "EDECCSSA without AEX-notify");
	world_end(&w);
}

/* Operands go through the page tables too. */
static int vma_read_only(void *arg, uint64_t offset)
{
	(void)arg;
	return offset == OUT ? PROT_READ : PROT_READ | PROT_WRITE;
}

static void test_vma(void)
{
	struct isa_keyrequest q = { .keyname = KEY_SEAL };
	struct world w;

	world_ready(&w, 0);
	enter(&w);
	put(&w, REQUEST, &q, sizeof(q));
	w.epc->vma = vma_read_only;
	is_pf(&w, enclu(&w, ENCLU_EGETKEY, BASE + REQUEST, BASE + OUT, 0), PF_P | PF_U | PF_W, BASE + OUT,
	      "a key into a page that is mapped read-only");
	is_int(enclu(&w, ENCLU_EGETKEY, BASE + REQUEST, BASE + OUT + ISA_PAGE, 0), 0, "into another");
	world_end(&w);
}

int main(void)
{
	test_report_contents();
	test_report_target();
	test_report_operands();
	test_getkey();
	test_eaccept_faults();
	test_eaccept_new();
	test_eaccept_modified();
	test_eacceptcopy();
	test_emodpe();
	test_absent();
	test_vma();
	return tap_done();
}
