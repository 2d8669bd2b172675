/* Where the courier gets things: servers and their trust, directories; and reading certificates. */
#include "daemon/courier.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHAINS_MAX 256 /* files looked at in a directory */

/* ---- configuration ---- */

static int read_api_key(struct courier *c, struct bawn_error *e)
{
	uint8_t *text;
	size_t n;
	int r;

	if (!c->config->api_key_file[0])
		return 0;
	r = io_read_file(c->config->api_key_file, 128, &text, &n, e);
	if (r)
		return r;
	while (n && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' '))
		n--;
	for (size_t i = 0; i < n; i++)
		if (text[i] < 0x21 || text[i] > 0x7e)
			r = err_set(e, BAWN_ERR_FORMAT, "%s: an API key is one word", c->config->api_key_file);
	if (r == 0)
		snprintf(c->api_key, sizeof(c->api_key), "Ocp-Apim-Subscription-Key: %.*s", (int)n,
			 (const char *)text);
	c->headers[0] = c->api_key[0] ? c->api_key : NULL;
	wipe(text, n);
	free(text);
	return r;
}

static int set_anchor(struct courier *c, struct bawn_error *e)
{
	struct bawn_root root = { .profile = BAWN_PROFILE_INTEL };
	uint8_t *pem = NULL;
	size_t n = 0;
	int r = 0;

	if (c->config->root_file[0])
		r = io_read_file(c->config->root_file, 64u << 10, &pem, &n, e);
	if (r)
		return r;
	if (c->config->emulated)
		root.profile = BAWN_PROFILE_EMULATED;
	root.certificate = (struct bawn_bytes){ .p = pem, .n = n };
	/* A directory is the owner's: no root is needed to read it. */
	if (pem || c->config->source == SOURCE_PCS || c->config->source == SOURCE_PCCS)
		r = attest_anchor_init(&c->anchor, pem || root.profile != BAWN_PROFILE_INTEL ? &root : NULL, e);
	free(pem);
	return r;
}

int courier_set_up(struct courier *c, struct bawn_error *e)
{
	const struct config *k = c->config;
	int r;

	snprintf(c->store, sizeof(c->store), "%s/courier", k->state);
	c->source = (struct attest_source){
		.url = k->url[0] ? k->url : ATTEST_PCS_URL,
		.pccs = k->source == SOURCE_PCCS,
		.http = { .proxy = k->proxy[0] ? k->proxy : NULL,
			  .ca_file = k->ca_file[0] ? k->ca_file : NULL },
	};
	r = read_api_key(c, e);
	c->source.http.headers = c->headers;
	return r ? r : set_anchor(c, e);
}

/* ---- chains ---- */

static int read_pck(const struct attest_file *f, struct attest_chain *chain, struct attest_pck *pck,
		    struct bawn_error *e)
{
	int r = attest_chain_parse(f->p, f->n, chain, e);

	if (r == 0 && (chain->count != ATTEST_CHAIN_MAX || !chain->cert[0].sgx_extension.p))
		r = err_set(e, BAWN_ERR_FORMAT, "not a PCK certificate with its CA and root");
	return r ? r : attest_pck_parse(chain->cert[0].sgx_extension, pck, e);
}

int courier_describe(struct courier *c, const struct attest_file *file, struct role_fetched *f,
		     struct bawn_error *e)
{
	struct attest_chain *chain = malloc(sizeof(*chain));
	struct attest_pck pck;
	char ca[64];
	int r;

	if (!chain)
		return err_nomem(e);
	r = read_pck(file, chain, &pck, e);
	if (r == 0) {
		memcpy(f->cpusvn, pck.cpusvn, sizeof(f->cpusvn));
		f->pce_svn = pck.pcesvn;
		f->pce_id = get_le16(pck.pce_id);
		memcpy(f->fmspc, pck.fmspc, sizeof(f->fmspc));
		memcpy(f->key, chain->cert[0].key, sizeof(f->key));
		f->from = (uint64_t)chain->cert[0].not_before;
		f->expires = (uint64_t)chain->cert[0].not_after;
		attest_name_cn(chain->cert[0].issuer, ca, sizeof(ca));
		/* Of Intel's two CAs; other roots have one, which needs no name. */
		strcpy(f->ca, strstr(ca, "Processor") ? "processor" : strstr(ca, "Platform") ? "platform" : "");
		attest_name_cn(chain->cert[2].subject, f->root, sizeof(f->root));
		c->pck = pck;
		c->has_pck = true;
	}
	free(chain);
	return r;
}

/* ---- a directory of chains ---- */

struct candidate {
	char name[256];
	struct attest_pck pck;
	bool exact;
};

/* Exactly this platform's TCB first; then the higher, by PCE and then by components. */
static int better(const void *pa, const void *pb)
{
	const struct candidate *a = pa, *b = pb;
	int d;

	if (a->exact != b->exact)
		return a->exact ? -1 : 1;
	if (a->pck.pcesvn != b->pck.pcesvn)
		return a->pck.pcesvn > b->pck.pcesvn ? -1 : 1;
	d = memcmp(b->pck.components, a->pck.components, sizeof(a->pck.components));
	return d ? d : strcmp(a->name, b->name);
}

static bool look_at(int dir, const char *name, const struct role_fetch *q, struct candidate *out)
{
	struct attest_chain *chain = malloc(sizeof(*chain));
	struct attest_file f = { 0 };
	bool good = false;

	if (chain && strlen(name) < sizeof(out->name) &&
	    io_read_file_at(dir, name, 64u << 10, &f.p, &f.n, NULL) == 0) {
		good = read_pck(&f, chain, &out->pck, NULL) == 0;
		strcpy(out->name, name);
		out->exact = memcmp(out->pck.cpusvn, q->cpusvn, sizeof(q->cpusvn)) == 0 &&
			     out->pck.pcesvn == q->pce_svn;
		free(f.p);
	}
	free(chain);
	return good;
}

static size_t list(int dir, const struct role_fetch *q, struct candidate *all)
{
	DIR *d = fdopendir(dup(dir));
	const struct dirent *x;
	size_t n = 0;

	if (!d)
		return 0;
	rewinddir(d);
	while (n < CHAINS_MAX && (x = readdir(d))) {
		size_t len = strlen(x->d_name);

		if (len > 4 && strcmp(x->d_name + len - 4, ".pem") == 0 && look_at(dir, x->d_name, q, &all[n]))
			n++;
	}
	closedir(d);
	qsort(all, n, sizeof(*all), better);
	return n;
}

int courier_find_pck(const struct courier *c, const struct role_fetch *q, struct attest_bundle *out,
		     struct bawn_error *e)
{
	struct candidate *all = calloc(CHAINS_MAX, sizeof(*all));
	struct attest_file f = { 0 };
	char path[CONF_PATH + 8];
	int dir, r;
	size_t n;

	snprintf(path, sizeof(path), "%s/pck", c->config->url);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) /* or right in it */
		dir = open(c->config->url, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!all || dir < 0) {
		free(all);
		if (dir >= 0)
			close(dir);
		return all ? err_sys(e, "%s", c->config->url) : err_nomem(e);
	}
	n = list(dir, q, all);
	if (n == 0)
		r = err_set(e, BAWN_ERR_NOT_FOUND, "no PCK certificates (*.pem) in %s", c->config->url);
	else if (q->skip >= n)
		r = err_set(e, BAWN_ERR_NOT_FOUND, "none of the certificates in %s is this platform's",
			    c->config->url);
	else
		r = io_read_file_at(dir, all[q->skip].name, 64u << 10, &f.p, &f.n, e);
	if (r == 0)
		r = attest_bundle_put(out, ATTEST_PART_PCK_CHAIN, f.p, f.n, e);
	free(f.p);
	free(all);
	close(dir);
	return r;
}

/* ---- standing ---- */

uint32_t courier_standing(const struct courier *c, const struct attest_bundle *b,
			  const uint8_t fmspc[6])
{
	struct attest_tcb_info *t = malloc(sizeof(*t));
	struct attest_qe_identity *q = malloc(sizeof(*q));
	const struct attest_file *tf = &b->part[ATTEST_PART_TCB_INFO];
	const struct attest_file *qf = &b->part[ATTEST_PART_QE_IDENTITY];
	uint32_t status = BAWN_TCB_UNKNOWN;
	struct attest_standing s;
	enum bawn_reason reason;

	/* The quoting enclave's SVN is the vault's to know: the best is assumed, so this is the platform's. */
	if (t && q && c->has_pck && memcmp(c->pck.fmspc, fmspc, 6) == 0 &&
	    attest_tcb_info_parse(tf->p, tf->n, t, NULL) == 0 &&
	    attest_qe_identity_parse(qf->p, qf->n, q, NULL) == 0 &&
	    attest_standing(t, q, &c->pck, UINT16_MAX, NULL, &s, &reason, NULL) == 0)
		status = s.platform;
	free(t);
	free(q);
	return status;
}
