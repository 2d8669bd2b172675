/*
 * The courier: gets certificates and collateral, from a server or a
 * directory, and keeps them for when neither is there. What it brings is
 * verified by others: the vault holds certificates against the PCE's
 * signature, relying parties verify collateral themselves.
 */
#include "daemon/courier.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FRESH_S 3600 /* what was fetched by others' request so lately is not fetched again */

static uint64_t now_seconds(void)
{
	return (uint64_t)time(NULL);
}

/* ---- answers ---- */

/* All parts one after the other. */
static int bundle_memory(const struct attest_bundle *b, struct role_fetched *f, int *fd,
			 struct bawn_error *e)
{
	int r = sealed_begin("bawn-collateral", fd, e);

	_Static_assert(ATTEST_PARTS == WIRE_COLLATERAL_PARTS, "parts of collateral");
	for (int i = 0; i < ATTEST_PARTS && r == 0; i++) {
		f->part_size[i] = (uint32_t)b->part[i].n;
		if (b->part[i].n)
			r = io_write_full(*fd, b->part[i].p, b->part[i].n, e);
	}
	return r ? r : sealed_end(*fd, e);
}

static void answer(struct courier *c, const struct role_fetch *q, struct role_fetched *f, int rc,
		   const struct bawn_error *e, int fd)
{
	struct role_message m = { .head.type = ROLE_FETCHED };

	f->number = q->number;
	f->what = q->what;
	if (rc) {
		f->code = wire_code_of(rc);
		text_printf(f->problem, sizeof(f->problem), "%s", e->msg);
	}
	m.u.fetched = *f;
	if (c->vault >= 0)
		channel_send_role(c->vault, &m, &fd, rc == 0 && fd >= 0 ? 1 : 0, NULL);
	if (fd >= 0)
		close(fd);
}

/* ---- PCK certificates ---- */

static void fetch_pck(struct courier *c, const struct role_fetch *q)
{
	struct attest_pck_query pq = { .pcesvn = q->pce_svn, .pce_id = q->pce_id };
	struct role_fetched f = { .fetched = now_seconds() };
	struct attest_bundle b = { 0 };
	struct bawn_error e = { 0 };
	int fd = -1, r;

	pq.has_ppid = !ct_is_zero(q->ppid, sizeof(q->ppid));
	memcpy(pq.encrypted_ppid, q->ppid, sizeof(pq.encrypted_ppid));
	memcpy(pq.cpusvn, q->cpusvn, sizeof(pq.cpusvn));
	memcpy(pq.qe_id, q->qe_id, sizeof(pq.qe_id));
	if (c->config->source == SOURCE_DIRECTORY)
		r = courier_find_pck(c, q, &b, &e);
	else if (q->skip)
		r = err_set(&e, BAWN_ERR_NOT_FOUND, "the server's certificate is not this platform's");
	else
		r = attest_fetch_pck(&c->source, &pq, &b, &e);
	if (r == 0)
		r = courier_describe(c, &b.part[ATTEST_PART_PCK_CHAIN], &f, &e);
	if (r == 0)
		r = sealed_new("bawn-pck", b.part[ATTEST_PART_PCK_CHAIN].p, b.part[ATTEST_PART_PCK_CHAIN].n,
			       &fd, &e);
	f.part_size[0] = (uint32_t)b.part[ATTEST_PART_PCK_CHAIN].n;
	answer(c, q, &f, r, &e, fd);
	attest_bundle_free(&b);
}

/* ---- collateral ---- */

static void expiry(const struct attest_bundle *b, struct role_fetched *f)
{
	struct attest_validity v[ATTEST_VALIDITY_MAX];
	size_t n = 0;

	attest_bundle_validity(b, v, &n, NULL);
	for (size_t i = 0; i < n; i++)
		if (!f->expires || (uint64_t)v[i].until < f->expires)
			f->expires = v[i].until > 0 ? (uint64_t)v[i].until : 0;
}

/* The store below the configured directory, or that directory itself. */
static int from_directory(const struct courier *c, const struct attest_key *k,
			  struct attest_bundle *b, struct bawn_error *e)
{
	char path[CONF_PATH + 16];
	struct bawn_error first = { 0 };

	snprintf(path, sizeof(path), "%s/collateral", c->config->url);
	if (attest_dir_read(path, k, b, &first) == 0)
		return 0;
	if (attest_dir_read(c->config->url, k, b, NULL) == 0)
		return 0;
	return err_set(e, first.code, "%s", first.msg);
}

static struct kept *kept_of(struct courier *c, const struct attest_key *k)
{
	struct kept *oldest = &c->kept[0];

	for (size_t i = 0; i < KEPT; i++) {
		struct kept *x = &c->kept[i];

		if (x->fetched && x->key.tee == k->tee && x->key.early == k->early &&
		    memcmp(x->key.fmspc, k->fmspc, 6) == 0 && strcmp(x->key.ca, k->ca) == 0)
			return x;
		if (x->fetched < oldest->fetched)
			oldest = x;
	}
	*oldest = (struct kept){ .key = *k };
	return oldest;
}

/* From the server; what is kept if it was fetched just now, or if the server is not to be had. */
static int from_server(struct courier *c, const struct attest_key *k, struct attest_bundle *b,
		       uint64_t *fetched, struct bawn_error *e)
{
	struct kept *x = kept_of(c, k);
	struct bawn_error why = { 0 }, unkept = { 0 };
	int r;

	if (x->fetched && now_seconds() - x->fetched < FRESH_S &&
	    attest_dir_read(c->store, k, b, NULL) == 0) {
		*fetched = x->fetched;
		return 0;
	}
	r = attest_fetch(&c->source, &c->anchor, k, b, &why);
	if (r == 0) {
		x->fetched = *fetched = now_seconds();
		if (attest_dir_write(c->store, k, b, &unkept))
			log_msg(LOG_WARN, "collateral cannot be kept: %s", unkept.msg);
		return 0;
	}
	if (attest_dir_read(c->store, k, b, NULL) == 0) {
		log_msg(LOG_WARN, "%s; what was fetched earlier has to do", why.msg);
		*fetched = x->fetched;
		return 0;
	}
	return err_set(e, why.code, "%s", why.msg);
}

/* The platform's own certificate, if that is whose collateral is asked for. */
static void learn_pck(struct courier *c, int fd)
{
	struct role_fetched ignored = { 0 };
	struct attest_file chain = { 0 };
	struct bawn_error e = { 0 };

	if (sealed_read(fd, 64u << 10, &chain.p, &chain.n, &e) || courier_describe(c, &chain, &ignored, &e))
		log_msg(LOG_WARN, "the platform's certificate, from the vault: %s", e.msg);
	free(chain.p);
}

static void fetch_collateral(struct courier *c, const struct role_fetch *q)
{
	struct attest_key k = { .tee = (enum bawn_tee)q->tee, .early = q->early };
	struct role_fetched f = { .fetched = now_seconds() };
	struct attest_bundle b = { 0 };
	struct bawn_error e = { 0 };
	int fd = message_fd(&c->in), r;

	if (fd >= 0) {
		learn_pck(c, fd);
		close(fd);
	}
	fd = -1;
	memcpy(k.fmspc, q->fmspc, sizeof(k.fmspc));
	memcpy(k.ca, q->ca, sizeof(k.ca));
	if (c->config->source == SOURCE_NONE)
		r = err_set(&e, BAWN_ERR_NOT_FOUND, "no source of collateral is configured");
	else if (c->config->source == SOURCE_DIRECTORY)
		r = from_directory(c, &k, &b, &e);
	else
		r = from_server(c, &k, &b, &f.fetched, &e);
	if (r == 0)
		r = bundle_memory(&b, &f, &fd, &e);
	if (r == 0) {
		expiry(&b, &f);
		f.tcb_status = courier_standing(c, &b, k.fmspc);
	}
	answer(c, q, &f, r, &e, fd);
	attest_bundle_free(&b);
}

/* ---- the loop ---- */

static void from_vault(struct courier *c)
{
	struct bawn_error e = { 0 };
	struct role_message m;
	int r = channel_recv(c->vault, &c->in, &e);

	if (r == BAWN_ERR_NOT_FOUND) {
		close(c->vault);
		c->vault = -1;
	}
	if (r)
		return;
	if (c->in.kind != CHAN_ROLE || role_decode(c->in.body, c->in.n, &m, &e) ||
	    m.head.type != ROLE_FETCH)
		log_msg(LOG_WARN, "the vault says what cannot be read: %s", e.msg);
	else if (c->broken.code)
		answer(c, &m.u.fetch, &(struct role_fetched){ 0 }, c->broken.code, &c->broken, -1);
	else if (m.u.fetch.what == ROLE_FETCH_PCK)
		fetch_pck(c, &m.u.fetch);
	else
		fetch_collateral(c, &m.u.fetch);
	message_close(&c->in);
}

static bool from_parent(struct courier *c)
{
	if (channel_recv(FD_PARENT, &c->in, NULL))
		return false;
	if (c->in.kind == CHAN_PING)
		channel_send(FD_PARENT, CHAN_PONG, NULL, 0, NULL, 0, NULL);
	if (c->in.kind == CHAN_PEER && c->in.n == 1 && c->in.body[0] == PROC_VAULT && c->in.nfds) {
		if (c->vault >= 0)
			close(c->vault);
		c->vault = message_fd(&c->in);
	}
	message_close(&c->in);
	return c->in.kind != CHAN_STOP;
}

int courier_main(const struct config *config)
{
	static struct courier c = { .vault = FD_COURIER_VAULT };
	struct bawn_error e = { 0 };
	bool on = true;

	c.config = config;
	if (courier_set_up(&c, &e)) {
		log_msg(LOG_ERROR, "%s", e.msg);
		c.broken = e;
	}
	if (channel_send(FD_PARENT, CHAN_READY, NULL, 0, NULL, 0, &e))
		return 1;
	while (on) {
		struct pollfd f[2] = {
			{ .fd = FD_PARENT, .events = POLLIN },
			{ .fd = c.vault, .events = POLLIN },
		};

		poll(f, 2, -1);
		if (f[0].revents)
			on = from_parent(&c);
		else if (f[1].revents)
			from_vault(&c);
	}
	return 0;
}
