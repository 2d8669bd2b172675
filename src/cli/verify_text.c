/* What a verification found, in words. */
#include "cli/verify.h"

#include <stdio.h>
#include <string.h>

#define SAY "  %-13s "

static void hex_line(struct buf *out, const char *what, const void *p, size_t n)
{
	char text[2 * 64 + 1];

	hex_encode(p, n < 64 ? n : 64, text);
	buf_printf(out, SAY "%s\n", what, text);
}

static void day(int64_t t, char out[21])
{
	attest_time_format(t, out);
	out[10] = '\0';
}

/* "the microcode (BIOS: Early Microcode Update) is at 7, the level UpToDate of 2024-03-13 asks for 11" */
static void shortfall(struct buf *out, const struct bawn_shortfall *s)
{
	static const char *const kinds[] = {
		[BAWN_SVN_SGX_COMPONENT] = "SGX component", [BAWN_SVN_PCE] = "the PCE",
		[BAWN_SVN_TDX_COMPONENT] = "TDX component", [BAWN_SVN_TDX_MODULE] = "the TDX module",
		[BAWN_SVN_QE] = "the quoting enclave",
	};
	char number[8] = "", date[21];

	if (s->kind == BAWN_SVN_SGX_COMPONENT || s->kind == BAWN_SVN_TDX_COMPONENT)
		snprintf(number, sizeof(number), " %u", s->index + 1u);
	day(s->level_date, date);
	buf_printf(out, SAY "%s%s is at %u, below %u of the level %s of %s", "short", kinds[s->kind], number,
		   s->have, s->need, bawn_tcb_status_name(s->level_status), date);
	if (*s->category || *s->type)
		buf_printf(out, " (%s%s%s)", s->category, *s->category && *s->type ? ": " : "", s->type);
	buf_str(out, "\n");
}

static void standing(struct buf *out, const struct verify_answer *a)
{
	const struct bawn_verification *v = &a->v;
	char date[21];

	day(v->tcb_date, date);
	buf_printf(out, SAY "%s, by levels of %s and evaluation %u%s\n", "TCB", bawn_tcb_status_name(v->status),
		   date, v->evaluation, a->early ? " (the early set)" : "");
	if (v->qe_status != BAWN_TCB_UNKNOWN && v->qe_status != v->status)
		buf_printf(out, SAY "platform %s, quoting enclave %s\n", "of it",
			   bawn_tcb_status_name(v->platform_status), bawn_tcb_status_name(v->qe_status));
	if (v->module_status != BAWN_TCB_UNKNOWN && v->module_status != v->status)
		buf_printf(out, SAY "TDX module %s\n", "of it", bawn_tcb_status_name(v->module_status));
	if (a->early && a->has_standard)
		buf_printf(out, SAY "%s%s\n", "standard set", bawn_tcb_status_name(a->standard),
			   a->standard == v->status ? ": the coming evaluation changes nothing" :
						      ": the coming evaluation changes that");
	for (uint32_t i = 0; i < v->shortfall_count; i++)
		shortfall(out, &v->shortfalls[i]);
	if (v->advisory_count) {
		buf_printf(out, SAY, "advisories");
		for (uint32_t i = 0; i < v->advisory_count; i++)
			buf_printf(out, "%s%s", i ? " " : "", v->advisories[i]);
		buf_str(out, "\n");
	}
	attest_time_format(v->expires, date);
	buf_printf(out, SAY "%s (%s)\n", "holds until", date, v->expires_first ? v->expires_first : "collateral");
}

static void platform(struct buf *out, const struct bawn_verification *v)
{
	char fmspc[13];

	hex_encode(v->fmspc, 6, fmspc);
	buf_printf(out, SAY "FMSPC %s, certified by %s\n", "platform", fmspc, v->pck_ca);
	hex_line(out, "PPID", v->ppid, 16);
	if (v->has_piid)
		hex_line(out, "PIID", v->piid, 16);
}

static void identity(struct buf *out, const struct bawn_verification *v)
{
	static const char *const rtmr[] = { "RTMR0", "RTMR1", "RTMR2", "RTMR3" };

	if (v->tee == BAWN_TEE_TDX) {
		hex_line(out, "MRTD", v->td.mrtd, 48);
		for (int i = 0; i < 4; i++)
			hex_line(out, rtmr[i], v->td.rtmr[i], 48);
		if (v->td.has_15 && !ct_is_zero(v->td.mrservicetd, 48))
			hex_line(out, "MRSERVICETD", v->td.mrservicetd, 48);
		if (!(v->td.attributes[3] & 0x10))
			buf_printf(out, SAY "SEPT_VE_DISABLE is clear: its host may raise exceptions in it\n", "attributes");
	} else {
		hex_line(out, "MRENCLAVE", v->sgx.mrenclave, 32);
		hex_line(out, "MRSIGNER", v->sgx.mrsigner, 32);
		buf_printf(out, SAY "%u, SVN %u\n", "product", v->sgx.isvprodid, v->sgx.isvsvn);
	}
	if (v->debug)
		buf_printf(out, SAY "a debug %s: its memory is open to its host\n", "debug",
			   v->tee == BAWN_TEE_TDX ? "trust domain" : "enclave");
	hex_line(out, "report data", v->report_data, 64);
}

static void certificate(struct buf *out, const struct verify_answer *a)
{
	buf_printf(out, SAY "%s\n", "carried by", a->format);
	if (a->key_bound)
		buf_printf(out, SAY "the quote vouches for the certificate's key\n", "binding");
	else if (a->v.verdict == BAWN_UNDECIDED)
		buf_printf(out, SAY "whether the quote vouches for the certificate's key\n", "not checked");
	if (a->nonce_n)
		hex_line(out, "nonce", a->nonce, a->nonce_n);
	buf_printf(out, SAY "the certificate's own signature, names and dates%s\n", "not checked",
		   a->nonce_n ? "; whether the nonce is yours" : "");
}

/* What to do where something is missing. */
static void next_step(struct buf *out, const struct verify_answer *a)
{
	const struct bawn_verification *v = &a->v;
	char now[21];

	switch (v->reason) {
	case BAWN_REASON_NOT_YET_VALID:
		attest_time_format(a->time, now);
		buf_printf(out, "  the instant asked about is %s; if that is not so, set the clock\n", now);
		break;
	case BAWN_REASON_NO_TCB_INFO:
	case BAWN_REASON_NO_QE_IDENTITY:
	case BAWN_REASON_NO_ROOT_CRL:
	case BAWN_REASON_NO_PCK_CRL:
	case BAWN_REASON_EXPIRED:
		if (!a->fetches)
			buf_str(out, "  to fetch collateral: --pcs intel or --pccs URL; to keep it: `bawn collateral fetch QUOTE`;\n"
				     "  to use what is kept elsewhere: --collateral DIR\n");
		break;
	case BAWN_REASON_NO_PCK:
		buf_str(out, "  put its PCK certificate with CA and root, as PEM, into pck_chain.pem beside the other collateral\n");
		break;
	default:
		break;
	}
}

/* The verdict and why, in one or more sentences. */
static void verdict(struct buf *out, const struct verify_answer *a)
{
	const struct bawn_verification *v = &a->v;

	buf_printf(out, "%s: ", bawn_verdict_name(v->verdict));
	switch (v->verdict) {
	case BAWN_ACCEPTED:
		buf_printf(out, "the quote is genuine, the platform %s, and the policy accepts it\n",
			   bawn_tcb_status_name(v->status));
		break;
	case BAWN_UNACCEPTABLE:
		buf_str(out, "the quote is genuine, but the policy does not accept it:\n");
		for (unsigned i = 0; i < 32; i++) {
			enum bawn_violation bit = (enum bawn_violation)(1u << i);

			if (v->violations & bit)
				buf_printf(out, "  - %s%s%s\n", bawn_violation_text(bit),
					   bit == BAWN_VIOLATES_STATUS ? ": " : "",
					   bit == BAWN_VIOLATES_STATUS ? bawn_tcb_status_name(v->status) : "");
		}
		break;
	case BAWN_NOT_GENUINE:
		buf_printf(out, "%s\n", v->error.msg);
		break;
	case BAWN_UNDECIDED:
		buf_printf(out, "%s\n", v->error.msg);
		next_step(out, a);
		break;
	}
}

void verify_text(const struct verify_answer *a, struct buf *out)
{
	const struct bawn_verification *v = &a->v;

	verdict(out, a);
	if (v->emulated)
		buf_printf(out, SAY "the root is an emulated platform's: it protects nothing\n", "EMULATED");
	if (v->version)
		buf_printf(out, SAY "%s, version %u\n", "quote", v->tee == BAWN_TEE_TDX ? "TDX" : "SGX",
			   v->version);
	if (v->version && !v->signatures_hold)
		buf_printf(out, SAY "its signatures do not hold or could not be checked: what follows is a claim\n",
			   "beware");
	if (v->status != BAWN_TCB_UNKNOWN)
		standing(out, a);
	if (v->version) {
		if (v->status != BAWN_TCB_UNKNOWN)
			platform(out, v);
		identity(out, v);
	}
	if (a->format)
		certificate(out, a);
}
