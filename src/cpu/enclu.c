/* ENCLU inside an enclave: dispatch, EREPORT, EGETKEY (SDM 40.4). */
#include "cpu/state.h"

#include <string.h>

#define TARGETINFO_ALIGN 512
#define REPORTDATA_ALIGN 128
#define REPORT_ALIGN 512
#define KEYREQUEST_ALIGN 512
#define KEY_ALIGN 16

#define KEYPOLICY_KNOWN                                                                            \
	(KEYPOLICY_MRENCLAVE | KEYPOLICY_MRSIGNER | KEYPOLICY_NOISVPRODID | KEYPOLICY_CONFIGID |   \
	 KEYPOLICY_ISVFAMILYID | KEYPOLICY_ISVEXTPRODID)
#define KEYPOLICY_OF_KSS                                                                           \
	(KEYPOLICY_NOISVPRODID | KEYPOLICY_CONFIGID | KEYPOLICY_ISVFAMILYID |                      \
	 KEYPOLICY_ISVEXTPRODID)

int cpu_enclu_inside(struct cpu_lp *lp, struct cpu_regs *r, struct cpu_fault *f)
{
	const uint32_t leaf = (uint32_t)r->rax;
	int result;

	if (!lp->epc)
		return fault_gp(f);
	if ((leaf == ENCLU_EACCEPT || leaf == ENCLU_EACCEPTCOPY || leaf == ENCLU_EMODPE) &&
	    !lp->epc->platform.sgx2)
		return fault_gp(f);
	switch (leaf) {
	case ENCLU_EREPORT:
		result = leaf_ereport(lp, r, f);
		break;
	case ENCLU_EGETKEY:
		result = leaf_egetkey(lp, r, f);
		break;
	case ENCLU_EACCEPT:
		result = leaf_eaccept(lp, r, f);
		break;
	case ENCLU_EACCEPTCOPY:
		result = leaf_eacceptcopy(lp, r, f);
		break;
	case ENCLU_EMODPE:
		result = leaf_emodpe(lp, r, f);
		break;
	case ENCLU_EDECCSSA:
		result = leaf_edeccssa(lp, r, f);
		break;
	case ENCLU_EVERIFYREPORT2: /* not enumerated: CPUID.(12H,0).EAX[7] = 0 */
		return fault_ud(f);
	default: /* EENTER and ERESUME too: not from inside an enclave */
		return fault_gp(f);
	}
	if (result == CPU_FAULT)
		return CPU_FAULT;
	r->rip += ENCLU_LENGTH;
	return result;
}

static void make_report(const struct cpu_epc *epc, const struct epc_view *v,
			const struct isa_targetinfo *target, struct isa_report *report)
{
	struct isa_report_body *b = &report->body;
	uint8_t key[16];

	b->miscselect = v->miscselect;
	b->attributes = v->attributes;
	b->isvprodid = v->isvprodid;
	b->isvsvn = v->isvsvn;
	b->configsvn = v->configsvn;
	memcpy(b->cpusvn, epc->platform.cpusvn, sizeof(b->cpusvn));
	memcpy(b->mrenclave, v->mrenclave, sizeof(b->mrenclave));
	memcpy(b->mrsigner, v->mrsigner, sizeof(b->mrsigner));
	memcpy(b->configid, v->configid, sizeof(b->configid));
	memcpy(b->isvfamilyid, v->isvfamilyid, sizeof(b->isvfamilyid));
	memcpy(b->isvextprodid, v->isvextprodid, sizeof(b->isvextprodid));
	memcpy(report->keyid, epc->priv->report_keyid, sizeof(report->keyid));
	key_report(&epc->platform, target, report->keyid, key);
	crypto_cmac(key, b, sizeof(*b), report->mac);
	wipe(key, sizeof(key));
}

int leaf_ereport(struct cpu_lp *lp, struct cpu_regs *r, struct cpu_fault *f)
{
	const struct cpu_epc *epc = lp->epc;
	struct isa_targetinfo target;
	struct isa_report report = { 0 };
	struct epc_view tmp;
	const struct epc_view *v = epc_view(epc, &tmp);
	uint8_t *p, *out;

	if (!v)
		return fault_gp(f);
	if (operand(epc, r->rbx, TARGETINFO_ALIGN, true, false, &p, f) != 0)
		return CPU_FAULT;
	memcpy(&target, p, sizeof(target));
	if (operand(epc, r->rcx, REPORTDATA_ALIGN, true, false, &p, f) != 0)
		return CPU_FAULT;
	memcpy(report.body.reportdata, p, sizeof(report.body.reportdata));
	if (operand(epc, r->rdx, REPORT_ALIGN, false, true, &out, f) != 0)
		return CPU_FAULT;
	make_report(epc, v, &target, &report);
	memcpy(out, &report, sizeof(report));
	return 0;
}

/* #GP by the contents of KEYREQUEST alone. */
static bool request_legal(const struct isa_keyrequest *q, const struct epc_view *v)
{
	if (q->keypolicy & ~KEYPOLICY_KNOWN || q->cet_attributes_mask || q->reserved1 ||
	    !ct_is_zero(q->reserved2, sizeof(q->reserved2)))
		return false;
	return v->attributes.flags & ATTR_KSS ||
	       (!(q->keypolicy & KEYPOLICY_OF_KSS) && q->configsvn == 0);
}

int leaf_egetkey(struct cpu_lp *lp, struct cpu_regs *r, struct cpu_fault *f)
{
	const struct cpu_epc *epc = lp->epc;
	struct isa_keyrequest q;
	struct epc_view tmp;
	const struct epc_view *v = epc_view(epc, &tmp);
	uint8_t *p, *out, key[16];
	int status;

	if (!v)
		return fault_gp(f);
	if (operand(epc, r->rbx, KEYREQUEST_ALIGN, true, false, &p, f) != 0)
		return CPU_FAULT;
	memcpy(&q, p, sizeof(q));
	if (operand(epc, r->rcx, KEY_ALIGN, false, true, &out, f) != 0)
		return CPU_FAULT;
	if (!request_legal(&q, v))
		return fault_gp(f);
	status = key_request(&epc->platform, v, &q, key);
	if (status == 0)
		memcpy(out, key, sizeof(key));
	wipe(key, sizeof(key));
	leaf_status(r, status);
	return status;
}
