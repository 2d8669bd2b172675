/* What programs ask of bawnd, call by call. */
#include "host/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLLATERAL_MAX (8u << 20) /* bytes of one part */

int bawn_client_status(struct bawn_client *c, struct bawn_service *out, struct bawn_error *e)
{
	struct wire_request q = { .head.type = WIRE_STATUS };
	const struct wire_status *s;
	struct wire_answer a;
	int r = client_call(c, &q, -1, &a, NULL, e);

	if (r)
		return r;
	s = &a.u.status;
	*out = (struct bawn_service){
		.emulated = s->emulated,
		.ready = s->state == WIRE_STATE_READY,
		.pce_svn = s->pce_svn,
		.qe_svn = s->qe_svn,
		.tcb_status = (enum bawn_tcb_status)s->tcb_status,
		.started = (int64_t)s->started,
		.certificate_expires = (int64_t)s->certificate_expires,
		.collateral_expires = (int64_t)s->collateral_expires,
	};
	_Static_assert(sizeof(out->problem) == sizeof(s->problem) &&
		       sizeof(out->root) == sizeof(s->root) && sizeof(out->device) == sizeof(s->device),
		       "struct bawn_service");
	memcpy(out->server, client_hello(c)->server, sizeof(out->server));
	memcpy(out->section, client_hello(c)->section, sizeof(out->section));
	memcpy(out->device, s->device, sizeof(out->device));
	memcpy(out->root, s->root, sizeof(out->root));
	memcpy(out->problem, s->problem, sizeof(out->problem));
	memcpy(out->cpusvn, s->cpusvn, sizeof(out->cpusvn));
	memcpy(out->fmspc, s->fmspc, sizeof(out->fmspc));
	return 0;
}

int bawn_client_target(struct bawn_client *c, uint8_t target[512], size_t *quote_size,
		       uint8_t key_id[32], struct bawn_error *e)
{
	struct wire_request q = { .head.type = WIRE_TARGET_INFO };
	struct wire_answer a;
	int r;

	q.u.target_info.key = WIRE_KEY_ECDSA_P256;
	r = client_call(c, &q, -1, &a, NULL, e);
	if (r)
		return r;
	memcpy(target, &a.u.target_info.target, 512);
	if (quote_size)
		*quote_size = a.u.target_info.quote_size;
	if (key_id)
		memcpy(key_id, a.u.target_info.key_id, 32);
	return 0;
}

int bawn_client_quote(struct bawn_client *c, const uint8_t report[432],
		      struct bawn_quote_proof *proof, uint8_t **quote, size_t *n,
		      struct bawn_error *e)
{
	struct wire_request q = { .head.type = WIRE_QUOTE };
	struct wire_answer a;
	int r;

	*quote = NULL;
	q.u.quote.key = WIRE_KEY_ECDSA_P256;
	memcpy(&q.u.quote.report, report, sizeof(q.u.quote.report));
	if (proof) {
		q.u.quote.want_report = true;
		memcpy(q.u.quote.nonce, proof->nonce, sizeof(q.u.quote.nonce));
		memcpy(&q.u.quote.app, proof->target, sizeof(q.u.quote.app));
	}
	r = client_call(c, &q, -1, &a, NULL, e);
	if (r)
		return r;
	if (a.tail.n == 0 || (proof && !a.u.quote.has_report))
		return err_set(e, BAWN_ERR_FORMAT, "the service answers without what was asked for");
	*quote = malloc(a.tail.n);
	if (!*quote)
		return err_nomem(e);
	memcpy(*quote, a.tail.p, a.tail.n);
	*n = a.tail.n;
	if (proof)
		memcpy(proof->report, &a.u.quote.qe_report, sizeof(proof->report));
	return 0;
}

int bawn_client_token(struct bawn_client *c, const uint8_t mrenclave[32],
		      const uint8_t mrsigner[32], uint64_t attributes, uint64_t xfrm,
		      uint8_t token[304], struct bawn_error *e)
{
	struct wire_request q = { .head.type = WIRE_TOKEN };
	struct wire_answer a;
	int r;

	memcpy(q.u.token.mrenclave, mrenclave, 32);
	memcpy(q.u.token.mrsigner, mrsigner, 32);
	q.u.token.attributes = attributes;
	q.u.token.xfrm = xfrm;
	r = client_call(c, &q, -1, &a, NULL, e);
	if (r == 0)
		memcpy(token, &a.u.token.token, 304);
	return r;
}

int bawn_client_certify(struct bawn_client *c, const uint8_t report[432],
			const uint8_t cpusvn[16], uint16_t pce_svn, uint8_t signature[64],
			struct bawn_error *e)
{
	struct wire_request q = { .head.type = WIRE_CERTIFY };
	struct wire_answer a;
	int r;

	memcpy(&q.u.certify.report, report, sizeof(q.u.certify.report));
	memcpy(q.u.certify.cpusvn, cpusvn, 16);
	q.u.certify.pce_svn = pce_svn;
	r = client_call(c, &q, -1, &a, NULL, e);
	if (r == 0)
		memcpy(signature, a.u.certify.signature, 64);
	return r;
}

/* ---- collateral ---- */

/* Parts by their number in the protocol (doc/PROTOCOL.md), as bawn.h has them. */
static struct bawn_bytes *part_of(struct bawn_collateral *c, uint32_t part)
{
	struct bawn_bytes *parts[] = { &c->tcb_info, &c->tcb_chain, &c->qe_identity, &c->qe_chain,
				       &c->pck_crl, &c->pck_crl_chain, &c->root_crl };

	return part < ARRAY_LEN(parts) ? parts[part] : NULL;
}

static int read_part(int fd, uint32_t size, struct bawn_bytes *out, struct bawn_error *e)
{
	uint8_t *p;

	if (size == 0 || size > COLLATERAL_MAX)
		return err_set(e, BAWN_ERR_FORMAT, "collateral of %u bytes", size);
	p = malloc(size);
	if (!p)
		return err_nomem(e);
	/* At offset 0, wherever others who have this memory left off. */
	if (pread(fd, p, size, 0) != (ssize_t)size) {
		free(p);
		return err_set(e, BAWN_ERR_FORMAT, "collateral that is cut short");
	}
	*out = (struct bawn_bytes){ .p = p, .n = size };
	return 0;
}

int bawn_client_collateral(struct bawn_client *c, enum bawn_tee tee, const uint8_t fmspc[6],
			   const char *ca, bool early, struct bawn_collateral *out,
			   struct bawn_error *e)
{
	*out = (struct bawn_collateral){ .early = early };
	if (strlen(ca) >= sizeof(((struct wire_collateral *)0)->ca))
		return err_set(e, BAWN_ERR_USAGE, "ca: platform, processor, or nothing");
	for (uint32_t i = 0; part_of(out, i); i++) {
		struct wire_request q = { .head.type = WIRE_COLLATERAL };
		struct bawn_error why = { 0 };
		struct wire_answer a;
		int fd = -1, r;

		q.u.collateral = (struct wire_collateral){ .part = i, .tee = tee, .early = early };
		memcpy(q.u.collateral.fmspc, fmspc, 6);
		strcpy(q.u.collateral.ca, ca);
		r = client_call(c, &q, -1, &a, &fd, &why);
		if (r == 0)
			r = read_part(fd, a.u.collateral.size, part_of(out, i), &why);
		if (fd >= 0)
			close(fd);
		/* The QE identity's signers may be the TCB info's. */
		if (r && !(r == BAWN_ERR_NOT_FOUND && part_of(out, i) == &out->qe_chain)) {
			bawn_client_collateral_free(out);
			return err_set(e, why.code, "%s", why.msg);
		}
	}
	return 0;
}

void bawn_client_collateral_free(struct bawn_collateral *c)
{
	for (uint32_t i = 0; part_of(c, i); i++)
		free((void *)(uintptr_t)part_of(c, i)->p);
	*c = (struct bawn_collateral){ 0 };
}
