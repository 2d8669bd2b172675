/*
 * gen_quote: a report of this platform, signed with the attestation key, in a
 * quote of version 3.
 *
 *	  0  header 48, report body 384            signed
 *	432  u32 size of the rest
 *	436  signature 64, attestation key 64, QE report body 384, PCK's signature 64
 *	     u16 32, authentication data 32
 *	     u16 type, u32 size, certification data
 */
#include "quote/quote.h"

#include <bearssl.h>
#include <string.h>

/* All but the certification data, whose size only the host knows. */
struct fixed {
	uint16_t version, key_type;
	uint32_t tee;
	uint16_t qe_svn, pce_svn;
	uint8_t vendor[16], user_data[20];
	struct isa_report_body body;
	uint32_t rest;
	uint8_t signature[64], key[64];
	struct isa_report_body qe_report;
	uint8_t qe_report_signature[64];
	uint16_t auth_size;
	uint8_t auth[AE_QE_AUTH_BYTES];
	uint16_t certification_type;
	uint32_t certification_size;
} __attribute__((packed));
_Static_assert(offsetof(struct fixed, rest) == 432, "quote");
_Static_assert(sizeof(struct fixed) == 1052, "quote");

static const uint8_t vendor_id[16] = { 0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
				       0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07 };

/* What follows the fixed part: the host's, at an address, or what the blob says of the PPID. */
struct certification {
	uint16_t type;
	uint32_t size;
	uint64_t host; /* 0: own */
	struct {
		uint8_t ppid[AE_PPID_CIPHER_BYTES], cpusvn[16];
		struct ae_pce_info pce;
	} own;
};
_Static_assert(sizeof(((struct certification *)0)->own) == 404, "certification data of type 3");

/* What there is of a platform's id has one size each: the id, or a cipher of it, CPUSVN, PCESVN, PCEID. */
static bool size_good(uint16_t type, uint32_t size)
{
	switch (type) {
	case AE_CERTIFIED_PPID_CLEAR:
		return size == 16 + 20;
	case AE_CERTIFIED_PPID_RSA2048:
		return size == 256 + 20;
	case AE_CERTIFIED_PPID_RSA3072:
		return size == 384 + 20;
	default:
		return size <= AE_CERTIFICATION_MAX;
	}
}

static uint32_t read_certification(const struct ae_ms_quote *a, const struct quote_blob *b,
				   struct certification *c)
{
	struct {
		uint16_t type;
		uint32_t size;
	} __attribute__((packed)) head;

	if (!a->certification) {
		/* Who asked for no PPID has to bring a certificate. */
		if (!b->ppid_size)
			return AE_QE_ERROR_WRONG_STATE;
		c->type = AE_CERTIFIED_PPID_RSA3072;
		c->size = sizeof(c->own);
		memcpy(c->own.ppid, b->ppid, sizeof(c->own.ppid));
		memcpy(c->own.cpusvn, b->plain.cert_cpusvn, sizeof(c->own.cpusvn));
		c->own.pce = b->plain.cert_pce;
		return AE_SUCCESS;
	}
	if (a->certification_size < sizeof(head) ||
	    !bawn_outside(a->certification, a->certification_size) ||
	    !bawn_copy_in(&head, a->certification, sizeof(head)) ||
	    head.type < AE_CERTIFIED_PPID_CLEAR || head.type > AE_CERTIFIED_PCK_CHAIN ||
	    !size_good(head.type, head.size) || head.size != a->certification_size - sizeof(head))
		return AE_QE_ERROR_INVALID_PARAMETER;
	c->host = a->certification + sizeof(head); /* no overflow: all of it is outside */
	c->type = head.type;
	c->size = head.size;
	return AE_SUCCESS;
}

static uint32_t sign(struct fixed *q, const uint8_t key[32])
{
	const struct common_part part = { q, offsetof(struct fixed, rest) };
	uint8_t digest[32];

	common_sha256(&part, 1, digest);
	return common_p256_sign(key, digest, q->signature) ? AE_SUCCESS : AE_QE_ERROR_CRYPTO;
}

static uint32_t fill(struct fixed *q, const struct ae_ms_quote *a, const struct isa_report *report,
		     const struct quote_blob *b, const struct certification *c)
{
	struct bawn_report_body self;

	bawn_self(&self);
	*q = (struct fixed){
		.version = 3,
		.key_type = 2, /* ECDSA, P-256 */
		.qe_svn = self.isvsvn,
		.pce_svn = a->pce_isvsvn,
		.body = report->body,
		.rest = sizeof(*q) - 436 + c->size,
		.qe_report = b->plain.qe_report.body,
		.auth_size = AE_QE_AUTH_BYTES,
		.certification_type = c->type,
		.certification_size = c->size,
	};
	memcpy(q->vendor, vendor_id, sizeof(q->vendor));
	memcpy(q->user_data, b->plain.qe_id, sizeof(b->plain.qe_id));
	memcpy(q->key, b->plain.key, sizeof(q->key));
	memcpy(q->qe_report_signature, b->plain.qe_report_signature,
	       sizeof(q->qe_report_signature));
	memcpy(q->auth, b->plain.auth, sizeof(q->auth));
	return sign(q, b->key);
}

/*
 * Write the quote out, and hash nonce and quote on the way: every byte of the
 * host's certification data is read once, so both have the same ones.
 */
static bool write(const struct ae_ms_quote *a, const struct fixed *q, const struct certification *c,
		  const uint8_t nonce[16], uint8_t digest[32])
{
	/* The first piece ends where the host's buffer has a word's boundary, as it does at its start. */
	uint8_t piece[2048];
	uint32_t room = sizeof(piece) - sizeof(*q) % sizeof(uint64_t);
	br_sha256_context h;
	uint64_t to;

	br_sha256_init(&h);
	if (nonce)
		br_sha256_update(&h, nonce, 16);
	to = a->quote + sizeof(*q); /* no overflow: all of the quote is outside */
	if (!bawn_copy_out(a->quote, q, sizeof(*q)))
		return false;
	if (nonce)
		br_sha256_update(&h, q, sizeof(*q));
	for (uint32_t done = 0; done < c->size; room = sizeof(piece)) {
		uint32_t n = c->size - done < room ? c->size - done : room;

		if (!c->host)
			memcpy(piece, (const uint8_t *)&c->own + done, n);
		else if (!bawn_copy_in(piece, c->host + done, n))
			return false;
		if (nonce)
			br_sha256_update(&h, piece, n);
		if (!bawn_copy_out(to + done, piece, n))
			return false;
		done += n;
	}
	br_sha256_out(&h, digest);
	return true;
}

/* A report for who asked: this enclave made the quote, in answer to this nonce. */
static uint32_t answer_nonce(const struct ae_ms_quote *a, const uint8_t digest[32])
{
	struct isa_targetinfo target;
	struct isa_report report;

	if (!bawn_copy_in(&target, a->target, sizeof(target)))
		return AE_QE_ERROR_INVALID_PARAMETER;
	if (!common_report(&target, digest, &report))
		return AE_QE_UNABLE_TO_GENERATE_QE_REPORT;
	return bawn_copy_out(a->qe_report, &report, sizeof(report)) ? AE_SUCCESS :
								       AE_QE_ERROR_INVALID_PARAMETER;
}

static uint32_t generate(const struct ae_ms_quote *a, struct quote_blob *b)
{
	uint8_t sealed[AE_QE_BLOB_BYTES], nonce[16], digest[32];
	struct certification c = { 0 };
	struct isa_report report;
	struct fixed q;
	uint32_t answer;
	bool resealed;

	if (a->blob_size != AE_QE_BLOB_BYTES || !a->nonce != !a->target ||
	    !a->nonce != !a->qe_report || !a->certification != !a->certification_size ||
	    !bawn_copy_in(&report, a->report, sizeof(report)) ||
	    !bawn_copy_in(sealed, a->blob, sizeof(sealed)) ||
	    (a->nonce && !bawn_copy_in(nonce, a->nonce, sizeof(nonce))))
		return AE_QE_ERROR_INVALID_PARAMETER;
	if (!common_report_holds(&report, AE_QE_ERROR_INVALID_REPORT, &answer))
		return answer;
	answer = quote_open(sealed, b, &resealed);
	if (answer != AE_SUCCESS)
		return answer;
	if (ct_is_zero(b->plain.qe_report_signature, sizeof(b->plain.qe_report_signature)))
		return AE_QE_ERROR_WRONG_STATE; /* never certified */
	answer = read_certification(a, b, &c);
	if (answer != AE_SUCCESS)
		return answer;
	/* All of it, before any of it is written. */
	if (a->quote_size < sizeof(q) + c.size || !bawn_outside(a->quote, sizeof(q) + c.size))
		return AE_QE_ERROR_INVALID_PARAMETER;
	answer = fill(&q, a, &report, b, &c);
	if (answer != AE_SUCCESS)
		return answer;
	if ((resealed && !bawn_copy_out(a->blob, sealed, sizeof(sealed))) ||
	    !write(a, &q, &c, a->nonce ? nonce : NULL, digest))
		return AE_QE_ERROR_INVALID_PARAMETER;
	return a->nonce ? answer_nonce(a, digest) : AE_SUCCESS;
}

uint32_t quote_generate(const struct ae_ms_quote *a)
{
	struct quote_blob b = { 0 };
	uint32_t answer = generate(a, &b);

	bawn_wipe(&b, sizeof(b));
	return answer;
}
