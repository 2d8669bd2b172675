/*
 * Provisioning: an attestation key, a certificate of the key that the PCE
 * certifies it with, and collateral. The courier gets the last two; what it
 * brings is believed only as far as the PCE's own signature bears it out.
 */
#include "daemon/vault.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATE_FILE "provisioning"
#define STATE_VERSION 1u
#define STATE_RESERVE (64u << 10) /* kept allocated for the next version */
#define DAY UINT64_C(86400)
#define BUNDLE_MAX (4u << 20) /* bytes of a platform's collateral: attest.h has what a part may have */
#define FIRST_WAIT 5u
#define LONGEST_WAIT 3600u
#define HOUR_NS (3600 * SECOND_NS)
#define SKIP_MAX 64u
#define LOOK_NS (10 * SECOND_NS)

static const char no_source[] = "no quotes can be made: no certificate, and \"collateral =\" in bawnd.conf names no source";

/* ---- the state file ---- */

#define P ((struct provisioning *)0)
#define FIELD(k, m) { .name = #m, .kind = (k), .offset = offsetof(struct provisioning, m), .size = sizeof(P->m), .each = sizeof(P->m) }
static const struct wire_field fields[] = {
	FIELD(WIRE_BOOL, has_key), FIELD(WIRE_BOOL, has_chain), FIELD(WIRE_BYTES, blob),
	FIELD(WIRE_UINT, key_made), FIELD(WIRE_BYTES, key_id), FIELD(WIRE_BYTES, qe_id),
	FIELD(WIRE_BYTES, tcb.cpusvn), FIELD(WIRE_UINT, tcb.pce_isvsvn), FIELD(WIRE_UINT, from),
	FIELD(WIRE_UINT, expires), FIELD(WIRE_BYTES, fmspc), FIELD(WIRE_TEXT, ca),
	FIELD(WIRE_TEXT, root), FIELD(WIRE_UINT, pce_id), FIELD(WIRE_UINT, chain_n),
	FIELD(WIRE_BYTES, chain),
};
static const struct wire_layout layout = {
	.name = "provisioning",
	.field = fields,
	.fields = ARRAY_LEN(fields),
	.host = sizeof(struct provisioning),
};

/* What is in force, to the disk. */
static int save(struct vault *v)
{
	uint8_t version[4];
	struct bawn_error e = { 0 };
	struct buf b;
	int r;

	put_le32(version, STATE_VERSION);
	buf_init(&b, STATE_RESERVE);
	buf_add(&b, version, sizeof(version));
	/* Workers may be putting a key in that was sealed anew. */
	pthread_rwlock_rdlock(&v->prov_lock);
	wire_encode(&layout, &v->prov, &b);
	pthread_rwlock_unlock(&v->prov_lock);
	r = b.failed ? err_nomem(&e)
		     : authority_state_write(FD_VAULT_STATE, STATE_FILE, b.p, b.n, STATE_RESERVE, &e);
	buf_free(&b);
	pthread_mutex_lock(&v->lock);
	if (r && !v->unsaved)
		log_msg(LOG_ERROR, "the provisioning state cannot be kept: %s", e.msg);
	if (r)
		text_printf(v->problem, sizeof(v->problem), "state cannot be kept: %s", e.msg);
	else if (v->unsaved)
		v->problem[0] = '\0';
	v->unsaved = r != 0;
	pthread_mutex_unlock(&v->lock);
	return r;
}

int provision_load(struct vault *v, struct bawn_error *e)
{
	struct provisioning p = { 0 };
	uint32_t version = 0;
	struct cur c;
	uint8_t *bytes;
	size_t n;
	int r = authority_state_read(FD_VAULT_STATE, STATE_FILE, STATE_RESERVE, &bytes, &n, e);

	if (r)
		return r;
	c = cur_make(bytes, n);
	if (!cur_le32(&c, &version) || version != STATE_VERSION)
		r = err_set(e, BAWN_ERR_FORMAT, "provisioning state of another version");
	if (r == 0)
		r = wire_decode(&layout, &c, &p, e);
	if (r == 0 && p.chain_n > CHAIN_MAX)
		r = err_set(e, BAWN_ERR_FORMAT, "provisioning state with a chain too long");
	if (r == 0 && c.n)
		r = err_set(e, BAWN_ERR_FORMAT, "provisioning state with bytes left over");
	free(bytes);
	if (r == 0) {
		v->prov = p;
		v->unchecked = p.has_key;
	}
	return r;
}

/* ---- what to do next ---- */

__attribute__((format(printf, 3, 4))) static void failed(struct vault *v, bool late,
							  const char *fmt, ...)
{
	uint64_t wait = FIRST_WAIT;
	char text[WIRE_NOTE];
	va_list ap;

	va_start(ap, fmt);
	text_vprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&v->lock);
	if (strcmp(text, v->problem) != 0)
		log_msg(LOG_WARN, "provisioning: %s", text);
	memcpy(v->problem, text, sizeof(text));
	for (uint32_t i = 0; i < v->tries && wait < LONGEST_WAIT; i++)
		wait *= 2;
	v->tries++;
	v->last_try = now_s();
	v->next_try = clock_ns() + (late || wait > LONGEST_WAIT ? LONGEST_WAIT : wait) * SECOND_NS;
	pthread_mutex_unlock(&v->lock);
	/* Those who waited for it learn why. */
	parked_resume(v, PARK_PROVISIONED, 0, NULL, -1);
}

static void succeeded(struct vault *v)
{
	pthread_mutex_lock(&v->lock);
	v->tries = 0;
	v->next_try = 0;
	if (!v->unsaved)
		v->problem[0] = '\0';
	v->last_success = v->last_try = now_s();
	pthread_mutex_unlock(&v->lock);
}

/*
 * Is it the key that is at fault? An enclave that is not to be had, by the
 * policy's lists of signers or since its file is no good, says nothing of it.
 */
static bool useless(const uint8_t blob[AE_QE_BLOB_BYTES], const struct bawn_error *e)
{
	struct ae_blob b;

	return ae_blob_parse(blob, AE_QE_BLOB_BYTES, &b, NULL) != 0 || ae_qe_refused_blob(e);
}

/* After a restart, or a reseal: is the key still this platform's, and certified as it is now? */
static void check_key(struct vault *v)
{
	struct ae_blob_state s;
	struct bawn_error e = { 0 };
	struct provisioning *p = &v->prov;
	bool changed = false, dropped = false;
	int r;

	pthread_rwlock_wrlock(&v->prov_lock);
	r = ae_desk_blob(v->desk, p->blob, &s, &e);
	if (r == 0) {
		memcpy(p->key_id, s.key_id, sizeof(p->key_id));
		memcpy(p->qe_id, s.qe_id, sizeof(p->qe_id));
		changed = s.resealed;
	} else if (useless(p->blob, &e)) {
		/* Another platform's, another signer's, or of a TCB that is no more. */
		dropped = true;
		p->has_key = false;
	}
	pthread_rwlock_unlock(&v->prov_lock);
	if (dropped) {
		log_msg(LOG_WARN, "the attestation key that was kept is of no use here: %s", e.msg);
		vault_note(v, WIRE_AUDIT_PROVISION, "attestation key dropped: %s", e.msg);
		v->unchecked = false;
		v->want_key = v->want_pck = true;
		return;
	}
	if (r) {
		v->unasked = true;
		failed(v, false, "the quoting enclave cannot be asked: %s", e.msg);
		return;
	}
	if (v->unasked)
		succeeded(v); /* there may be nothing else to do that would tell so */
	v->unasked = v->unchecked = false;
	v->behind = s.behind || !s.certified;
	if (v->behind)
		log_msg(LOG_INFO, "the platform's TCB has risen: a new certificate is needed");
	if (changed)
		save(v);
}

/* Both enclaves say what the platform is; and so it is seen whether they work. */
static int ask_platform(struct vault *v, struct ae_pck_request *q, struct bawn_error *e)
{
	struct bawn_error why = { 0 };
	char text[WIRE_NOTE];
	bool news;
	int r;

	pthread_rwlock_rdlock(&v->prov_lock);
	r = ae_desk_pck_request(v->desk, q, &why);
	pthread_rwlock_unlock(&v->prov_lock);
	pthread_mutex_lock(&v->lock);
	v->looked = r == 0;
	v->look_next = clock_ns() + LOOK_NS;
	if (r == 0) {
		memcpy(v->cpusvn, q->cpusvn, sizeof(v->cpusvn));
		v->pce_svn = q->pce_isvsvn;
	}
	text_printf(text, sizeof(text), "%s", why.msg);
	news = r && r != BAWN_ERR_BUSY && strcmp(v->cannot, text) != 0;
	if (r != BAWN_ERR_BUSY)
		memcpy(v->cannot, text, sizeof(text));
	pthread_mutex_unlock(&v->lock);
	if (news)
		log_msg(LOG_ERROR, "no quotes can be made: %s", text);
	return r ? err_set(e, r, "%s", why.msg) : 0;
}

void provision_look(struct vault *v)
{
	pthread_mutex_lock(&v->lock);
	v->looked = false;
	pthread_mutex_unlock(&v->lock);
}

/* At the start, and when something may have been wrong: for those who ask for the state. */
static void look(struct vault *v, uint64_t clock)
{
	struct ae_pck_request q;

	if (!v->looked && v->look_next <= clock)
		ask_platform(v, &q, NULL);
	if (v->config->source == SOURCE_NONE && !v->told_none && !v->prov.has_chain) {
		v->told_none = true;
		log_msg(LOG_WARN, "%s", no_source);
	}
}

bool provision_no_quotes(struct vault *v, char problem[WIRE_NOTE])
{
	bool have;

	pthread_rwlock_rdlock(&v->prov_lock);
	have = v->desk && v->prov.has_key && v->prov.has_chain;
	pthread_rwlock_unlock(&v->prov_lock);
	pthread_mutex_lock(&v->lock);
	if (v->cannot[0])
		text_printf(problem, WIRE_NOTE, "no quotes can be made: %s", v->cannot);
	else if (!have && v->config->source == SOURCE_NONE)
		text_printf(problem, WIRE_NOTE, "%s", no_source);
	else
		problem[0] = '\0'; /* what is on its way is no problem, and what failed is told */
	have = have && !v->cannot[0] && !v->quiesced_until;
	pthread_mutex_unlock(&v->lock);
	return !have;
}

static void ask_pck(struct vault *v)
{
	struct role_message m = { .head.type = ROLE_FETCH };
	struct role_fetch *f = &m.u.fetch;
	struct ae_pck_request q;
	struct bawn_error e = { 0 };
	int r = ask_platform(v, &q, &e);

	if (r) {
		failed(v, r == BAWN_ERR_NOT_FOUND || r == BAWN_ERR_NO_DEVICE, "%s", e.msg);
		return;
	}
	*f = (struct role_fetch){ .what = ROLE_FETCH_PCK, .pce_id = q.pce_id, .pce_svn = q.pce_isvsvn,
				  .skip = v->pck_skip };
	memcpy(f->cpusvn, q.cpusvn, sizeof(f->cpusvn));
	memcpy(f->qe_id, q.qe_id, sizeof(f->qe_id));
	if (q.has_ppid)
		memcpy(f->ppid, q.encrypted_ppid, sizeof(f->ppid));
	pthread_mutex_lock(&v->lock);
	f->number = v->pck_number = ++v->fetch_number;
	if (v->courier >= 0 && channel_send_role(v->courier, &m, NULL, 0, NULL) == 0) {
		v->pck = FETCH_ASKED;
		v->pck_since = clock_ns();
	}
	pthread_mutex_unlock(&v->lock);
}

/* With the certificate, for the courier to tell where the platform stands. */
static void ask_collateral(struct vault *v)
{
	struct role_message m = { .head.type = ROLE_FETCH };
	struct role_fetch *f = &m.u.fetch;
	struct bawn_error e = { 0 };
	int chain = -1, r;

	*f = (struct role_fetch){ .what = ROLE_FETCH_COLLATERAL, .tee = BAWN_TEE_SGX };
	pthread_rwlock_rdlock(&v->prov_lock);
	memcpy(f->fmspc, v->prov.fmspc, sizeof(f->fmspc));
	memcpy(f->ca, v->prov.ca, sizeof(f->ca));
	r = sealed_new("bawn-pck", v->prov.chain, v->prov.chain_n, &chain, &e);
	pthread_rwlock_unlock(&v->prov_lock);
	if (r) {
		failed(v, false, "%s", e.msg);
		return;
	}
	pthread_mutex_lock(&v->lock);
	f->number = v->collateral_number = ++v->fetch_number;
	if (v->courier >= 0 && channel_send_role(v->courier, &m, &chain, 1, NULL) == 0) {
		v->collateral = FETCH_ASKED;
		v->collateral_since = clock_ns();
	}
	pthread_mutex_unlock(&v->lock);
	close(chain);
}

static bool overdue(enum fetch_state *s, uint64_t since)
{
	if (*s != FETCH_ASKED || clock_ns() - since < COURIER_NS)
		return false;
	*s = FETCH_IDLE;
	return true;
}

/* What has ended, or begun to hold, is logged once. Quotes are issued in any case: a verifier decides. */
static void remark_time(struct vault *v)
{
	char problem[WIRE_NOTE] = "";
	bool late = provision_time(v, problem);

	if (strcmp(problem, v->time_told) == 0)
		return;
	if (late)
		log_msg(LOG_WARN, "%s", problem);
	else
		log_msg(LOG_INFO, "certificate and collateral hold again");
	memcpy(v->time_told, problem, sizeof(problem));
}

uint64_t provision_step(struct vault *v)
{
	uint64_t now = now_s(), clock = clock_ns(), renew = v->config->renew_days * DAY, expires;
	bool have, pck, collateral;

	remark_time(v);
	if (!v->desk || v->quiesced_until || v->stopping)
		return 60 * SECOND_NS;
	if (v->resealed) {
		pthread_mutex_lock(&v->lock);
		v->resealed = false;
		pthread_mutex_unlock(&v->lock);
		save(v);
	}
	if (v->unsaved && v->next_try <= clock && save(v))
		failed(v, false, "%s", v->problem);
	look(v, clock);
	if (v->config->source == SOURCE_NONE)
		return 60 * SECOND_NS;
	if (overdue(&v->pck, v->pck_since) || overdue(&v->collateral, v->collateral_since))
		failed(v, false, "the courier does not answer");
	if (v->next_try > clock)
		return SECOND_NS;
	if (v->unchecked)
		check_key(v);
	pthread_rwlock_rdlock(&v->prov_lock);
	have = v->prov.has_key && v->prov.has_chain;
	expires = v->prov.expires;
	pthread_rwlock_unlock(&v->prov_lock);
	pck = !v->unchecked && (!have || v->behind || v->want_pck || v->want_key ||
				(expires < now + renew && v->renew_next <= clock));
	collateral = have && (v->bundle < 0 || v->want_collateral ||
			      (v->collateral_expires < now + DAY && v->refresh_next <= clock));
	if (v->pck != FETCH_IDLE || v->collateral != FETCH_IDLE)
		return SECOND_NS;
	/* By turns, where both are wanted: what cannot be had is not in the other's way. */
	v->collateral_turn = collateral && !(pck && v->collateral_turn);
	if (v->collateral_turn)
		ask_collateral(v);
	else if (pck)
		ask_pck(v);
	return SECOND_NS;
}

/* ---- what came back ---- */

/* The key that there is, certified for this certificate; else a new one. */
static int certify(struct vault *v, struct provisioning *p, const struct role_fetched *f,
		   struct bawn_error *e)
{
	struct bawn_error first = { 0 };
	struct ae_blob_state s;
	int r = BAWN_ERR_NOT_FOUND;

	pthread_rwlock_rdlock(&v->prov_lock);
	if (p->has_key && !v->want_key)
		r = ae_desk_recertify(v->desk, &p->tcb, p->blob, &first);
	if (r) {
		r = ae_desk_generate(v->desk, &p->tcb, NULL, p->blob, e);
		p->key_made = now_s();
	}
	if (r == 0)
		r = ae_desk_blob(v->desk, p->blob, &s, e);
	pthread_rwlock_unlock(&v->prov_lock);
	if (r)
		return r;
	p->has_key = true;
	memcpy(p->key_id, s.key_id, sizeof(p->key_id));
	memcpy(p->qe_id, s.qe_id, sizeof(p->qe_id));
	return ae_blob_certified_by(p->blob, f->key, e);
}

static bool take_chain(struct provisioning *p, const struct role_fetched *f, int fd)
{
	uint8_t *chain;
	size_t n;

	if (fd < 0 || sealed_read(fd, CHAIN_MAX, &chain, &n, NULL))
		return false;
	if (n != f->part_size[0] || n == 0) {
		free(chain);
		return false;
	}
	memset(p->chain, 0, sizeof(p->chain));
	memcpy(p->chain, chain, n);
	p->chain_n = (uint32_t)n;
	free(chain);
	memcpy(p->tcb.cpusvn, f->cpusvn, sizeof(p->tcb.cpusvn));
	p->tcb.pce_isvsvn = f->pce_svn;
	p->pce_id = f->pce_id;
	p->from = f->from;
	p->expires = f->expires;
	memcpy(p->fmspc, f->fmspc, sizeof(p->fmspc));
	memcpy(p->ca, f->ca, sizeof(p->ca));
	memcpy(p->root, f->root, sizeof(p->root));
	p->has_chain = true;
	return true;
}

static void in_force(struct vault *v, const struct provisioning *p)
{
	char hex[13];

	pthread_rwlock_wrlock(&v->prov_lock);
	v->prov = *p;
	pthread_rwlock_unlock(&v->prov_lock);
	v->want_key = v->want_pck = v->behind = v->unchecked = false;
	v->pck_skip = 0;
	v->want_collateral = true; /* where the platform stands is another matter now */
	/* What the source has may end as soon as what there was: asked again in an hour. */
	v->renew_next = clock_ns() + HOUR_NS;
	hex_encode(p->fmspc, 6, hex);
	vault_note(v, WIRE_AUDIT_PROVISION, "certificate in force, FMSPC %s, root %s", hex, p->root);
	log_msg(LOG_INFO, "provisioned: FMSPC %s, certificates lead to \"%s\"", hex, p->root);
	if (save(v) == 0)
		succeeded(v);
	parked_resume(v, PARK_PROVISIONED, 0, NULL, -1);
}

static void fetched_pck(struct vault *v, const struct role_fetched *f, int fd)
{
	struct provisioning p;
	struct bawn_error e = { 0 };
	bool have;
	int r;

	/* This thread alone writes it, but for a reseal. */
	pthread_rwlock_rdlock(&v->prov_lock);
	p = v->prov;
	pthread_rwlock_unlock(&v->prov_lock);
	have = p.has_key && p.has_chain;
	v->pck = FETCH_IDLE;
	if (f->code != WIRE_OK) {
		/* Renewed as far as there is something newer: not a failure while the old one holds. */
		v->want_pck = false;
		failed(v, have && p.expires > now_s() && !v->behind, "%s", v->pck_skip ?
		       "none of the certificates there is this platform's" : f->problem);
		v->pck_skip = 0;
		return;
	}
	if (have && f->expires <= now_s()) {
		v->want_pck = false;
		failed(v, p.expires > now_s(), "the source has no certificate but one that has expired");
		return;
	}
	if (!take_chain(&p, f, fd)) {
		failed(v, false, "the courier brought a certificate that cannot be read");
		return;
	}
	r = certify(v, &p, f, &e);
	if (r == 0) {
		in_force(v, &p);
		return;
	}
	if ((r == BAWN_ERR_SIGNATURE || r == BAWN_ERR_DENIED) && ++v->pck_skip < SKIP_MAX) {
		log_msg(LOG_DEBUG, "a certificate that is not this platform's: %s", e.msg);
		ask_pck(v);
		return;
	}
	v->pck_skip = 0;
	failed(v, false, "%s", e.msg);
}

static void fetched_collateral(struct vault *v, const struct role_fetched *f, int fd)
{
	v->collateral = FETCH_IDLE;
	v->want_collateral = false;
	if (f->code != WIRE_OK || fd < 0) {
		failed(v, false, "%s", f->problem);
		return;
	}
	pthread_mutex_lock(&v->lock);
	if (v->bundle >= 0)
		close(v->bundle);
	v->bundle = dup(fd);
	v->bundle_info = *f;
	v->collateral_expires = f->expires;
	v->tcb_status = f->tcb_status;
	pthread_mutex_unlock(&v->lock);
	/* What is served is what there is, even if it ends soon: asked again in an hour. */
	v->refresh_next = clock_ns() + HOUR_NS;
	succeeded(v);
}

/* Collateral is sealed memory with all its parts in it, and no more than those have at most. */
static int check_bundle(const struct role_fetched *f, int fd, struct bawn_error *e)
{
	uint64_t size = 0, sum = 0;
	int r = sealed_check(fd, BUNDLE_MAX, &size, e);

	for (size_t i = 0; i < WIRE_COLLATERAL_PARTS; i++)
		sum += f->part_size[i];
	return r == 0 && sum != size ? err_set(e, BAWN_ERR_FORMAT, "parts that do not add up") : r;
}

void provision_fetched(struct vault *v, const struct role_fetched *brought, int fd)
{
	struct role_fetched refused = { .number = brought->number, .what = brought->what, .code = WIRE_FAILED };
	const struct role_fetched *f = brought;
	struct bawn_error e = { 0 };

	if (f->what == ROLE_FETCH_COLLATERAL && f->code == WIRE_OK && check_bundle(f, fd, &e)) {
		text_printf(refused.problem, sizeof(refused.problem),
			    "the courier brought what is no collateral: %s", e.msg);
		log_msg(LOG_WARN, "%s", refused.problem);
		f = &refused;
		fd = -1;
	}
	if (f->what == ROLE_FETCH_PCK && v->pck == FETCH_ASKED && f->number == v->pck_number)
		fetched_pck(v, f, fd);
	else if (f->what == ROLE_FETCH_COLLATERAL && v->collateral == FETCH_ASKED &&
		 f->number == v->collateral_number)
		fetched_collateral(v, f, fd);
	else
		collateral_came(v, f, fd);
}

void provision_courier(struct vault *v)
{
	v->pck = v->collateral = FETCH_IDLE;
	collateral_courier(v);
}

/* ---- asked by administrators ---- */

void provision_now(struct vault *v, uint32_t what)
{
	pthread_mutex_lock(&v->lock);
	v->want_pck |= (what & WIRE_PROVISION_CERTIFICATE) != 0;
	v->want_key |= (what & WIRE_PROVISION_KEY) != 0;
	v->want_collateral |= (what & WIRE_PROVISION_COLLATERAL) != 0;
	v->next_try = v->renew_next = v->refresh_next = 0;
	v->tries = 0;
	pthread_mutex_unlock(&v->lock);
}

enum wire_provisioning_state provision_state(struct vault *v)
{
	enum wire_provisioning_state s = WIRE_PROVISIONING_NONE;

	pthread_rwlock_rdlock(&v->prov_lock);
	if (v->prov.has_key && v->prov.has_chain)
		s = v->prov.expires <= now_s() ? WIRE_PROVISIONING_EXPIRED : WIRE_PROVISIONING_READY;
	else if (v->prov.has_key)
		s = WIRE_PROVISIONING_WAITING;
	pthread_rwlock_unlock(&v->prov_lock);
	pthread_mutex_lock(&v->lock);
	if (s == WIRE_PROVISIONING_READY &&
	    (v->pck == FETCH_ASKED || v->behind || v->want_pck || v->want_key))
		s = WIRE_PROVISIONING_RENEWING;
	pthread_mutex_unlock(&v->lock);
	return s;
}

bool provision_time(struct vault *v, char problem[WIRE_NOTE])
{
	uint64_t now = now_s();
	const char *what = NULL;

	pthread_rwlock_rdlock(&v->prov_lock);
	if (v->prov.has_chain && v->prov.expires <= now)
		what = "the certificate has expired: no verifier accepts quotes until there is another";
	else if (v->prov.has_chain && v->prov.from > now)
		what = "the certificate does not hold yet: is the time of day right?";
	pthread_rwlock_unlock(&v->prov_lock);
	pthread_mutex_lock(&v->lock);
	if (!what && v->bundle >= 0 && v->collateral_expires <= now)
		what = "the collateral has expired: who verifies quotes needs newer";
	pthread_mutex_unlock(&v->lock);
	if (what)
		text_printf(problem, WIRE_NOTE, "%s", what);
	return what;
}

/* Without credentials: an URL may carry some. */
static void source_text(const struct config *c, char out[WIRE_NOTE])
{
	const char *at = strchr(c->url, '@'), *host = strstr(c->url, "://");

	if (c->source == SOURCE_NONE)
		snprintf(out, WIRE_NOTE, "none");
	else if (c->source == SOURCE_PCS && !c->url[0])
		snprintf(out, WIRE_NOTE, "pcs");
	else if (c->source != SOURCE_DIRECTORY && at && host && at > host)
		text_printf(out, WIRE_NOTE, "%.*s://%s", (int)(host - c->url), c->url, at + 1);
	else
		text_printf(out, WIRE_NOTE, "%s", c->url);
}

void provision_fill(struct vault *v, struct wire_provisioning *out)
{
	uint64_t clock = clock_ns();

	*out = (struct wire_provisioning){ .emulated = v->emulated, .state = provision_state(v) };
	source_text(v->config, out->source);
	pthread_rwlock_rdlock(&v->prov_lock);
	memcpy(out->fmspc, v->prov.fmspc, sizeof(out->fmspc));
	memcpy(out->qe_id, v->prov.qe_id, sizeof(out->qe_id));
	out->pce_id = v->prov.pce_id;
	out->key_made = v->prov.key_made;
	out->certificate_from = v->prov.from;
	out->certificate_expires = v->prov.expires;
	pthread_rwlock_unlock(&v->prov_lock);
	pthread_mutex_lock(&v->lock);
	memcpy(out->cpusvn, v->cpusvn, sizeof(out->cpusvn));
	out->pce_svn = v->pce_svn;
	out->collateral_expires = v->collateral_expires;
	out->last_success = v->last_success;
	out->last_try = v->last_try;
	if (v->next_try)
		out->next_try = now_s() + (v->next_try > clock ? (v->next_try - clock) / SECOND_NS : 0);
	out->tries = v->tries;
	memcpy(out->problem, v->problem, sizeof(out->problem));
	pthread_mutex_unlock(&v->lock);
}
