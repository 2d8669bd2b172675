/*
 * Real and made quotes with their collateral, from a corpus beside the
 * checkout (../shared/corpus, or $BAWN_CORPUS): every case as expected, a line
 * a group. Skipped without it.
 */
#include "attest/attest.h"
#include "attest/internal.h"
#include "tests/tap.h"

#include <dirent.h>
#include <sys/stat.h>

struct expected {
	char group[32], verdict[64], advisories[64][32];
	size_t advisory_count;
	int64_t time;
	int accept; /* 1, 0, -1 for neither */
	bool own_root, has_module, debug;
	char platform[64], qe[64], module[64];
};

struct file {
	uint8_t *p;
	size_t n;
};

static const char *corpus;

static struct file slurp(const char *id, const char *name)
{
	struct file f = { 0 };
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s/%s", corpus, id, name);
	if (io_read_file(path, 1 << 20, &f.p, &f.n, NULL))
		f.p = NULL;
	return f;
}

static struct bawn_bytes bytes(struct file f)
{
	return (struct bawn_bytes){ f.p, f.n };
}

static void text(struct jread *r, char *out, size_t max)
{
	struct cur s;

	if (jread_here(r)[0] == 'n') {
		jread_skip(r);
		return;
	}
	if (jread_string(r, &s))
		snprintf(out, max, "%.*s", (int)s.n, (const char *)s.p);
}

static void read_detail(struct jread *r, struct expected *x)
{
	struct jread_object o;
	struct cur name;

	jread_object(r, &o);
	while (jread_member(r, &o, &name)) {
		if (jread_is(name, "platform"))
			text(r, x->platform, sizeof(x->platform));
		else if (jread_is(name, "qe"))
			text(r, x->qe, sizeof(x->qe));
		else if (jread_is(name, "module"))
			text(r, x->module, sizeof(x->module));
		else if (jread_is(name, "debug"))
			jread_bool(r, &x->debug);
		else
			jread_skip(r);
	}
}

static void read_expected(struct jread *r, struct expected *x)
{
	struct jread_object o;
	struct cur name;
	size_t i = SIZE_MAX;
	bool b;

	jread_object(r, &o);
	while (jread_member(r, &o, &name)) {
		if (jread_is(name, "accept")) {
			if (jread_here(r)[0] == 'n')
				jread_skip(r);
			else if (jread_bool(r, &b))
				x->accept = b;
		} else if (jread_is(name, "verdict")) {
			struct cur s;
			const uint8_t *from = jread_here(r);

			jread_skip(r); /* some have escapes */
			s = cur_make(from + 1, (size_t)(r->p - from) - 2);
			snprintf(x->verdict, sizeof(x->verdict), "%.*s", (int)s.n, (const char *)s.p);
		} else if (jread_is(name, "advisory_ids")) {
			jread_array(r);
			while (jread_element(r, &i) && i < ARRAY_LEN(x->advisories))
				text(r, x->advisories[i], sizeof(x->advisories[i]));
			x->advisory_count = i + 1;
		} else if (jread_is(name, "detail")) {
			read_detail(r, x);
		} else {
			jread_skip(r);
		}
	}
}

static bool read_case(const char *id, struct expected *x)
{
	struct file f = slurp(id, "case.json");
	struct jread_object o;
	struct cur name;
	char anchor[16] = "";
	uint64_t time = 0;
	struct jread r;
	bool good;

	memset(x, 0, sizeof(*x));
	x->accept = -1;
	if (!f.p)
		return false;
	jread_init(&r, f.p, f.n);
	jread_object(&r, &o);
	while (jread_member(&r, &o, &name)) {
		if (jread_is(name, "group"))
			text(&r, x->group, sizeof(x->group));
		else if (jread_is(name, "verify_time"))
			jread_u64(&r, INT64_MAX, &time);
		else if (jread_is(name, "trust_anchor"))
			text(&r, anchor, sizeof(anchor));
		else if (jread_is(name, "expected"))
			read_expected(&r, x);
		else
			jread_skip(&r);
	}
	good = jread_end(&r);
	x->time = (int64_t)time;
	x->own_root = strcmp(anchor, "intel") != 0;
	free(f.p);
	return good;
}

/* ---- a quote with its collateral ---- */

static int verify_case(const char *id, const struct expected *x, struct bawn_verification *v)
{
	struct bawn_policy all = { .statuses = UINT32_MAX, .allow_debug = true };
	struct file root = slurp(id, "root_ca.pem"), quote = slurp(id, "quote.bin"),
		    tcb = slurp(id, "tcb_info.json"), chain = slurp(id, "tcb_signing_chain.pem"),
		    qe = slurp(id, "qe_identity.json"), pck_crl = slurp(id, "pck_crl.der"),
		    pck_crl_chain = slurp(id, "pck_crl_issuer_chain.pem"), root_crl = slurp(id, "root_ca_crl.der"),
		    pck = slurp(id, "pck_chain.pem");
	struct bawn_root anchor = { .profile = BAWN_PROFILE_INTEL, .certificate = bytes(root) };
	struct bawn_collateral c = {
		.tcb_info = bytes(tcb), .tcb_chain = bytes(chain), .qe_identity = bytes(qe),
		.pck_crl = bytes(pck_crl), .pck_crl_chain = bytes(pck_crl_chain), .root_crl = bytes(root_crl),
	};
	struct bawn_verifier *ver = NULL;
	int r, collateral = 0;

	/* Without a file for it, the PCK chain says who issued the list. */
	if (!c.pck_crl_chain.p && pck.p) {
		uint8_t *second = memmem(pck.p + 1, pck.n - 1, "-----BEGIN", 10);

		if (second)
			c.pck_crl_chain = (struct bawn_bytes){ second, pck.n - (size_t)(second - pck.p) };
	}
	memset(v, 0, sizeof(*v));
	r = bawn_verifier_new(&ver, x->own_root ? &anchor : NULL, &v->error);
	if (!r) {
		struct bawn_error e = { 0 };

		collateral = bawn_verifier_add_collateral(ver, &c, &e);
		r = bawn_verify_quote_with_pck(ver, quote.p, quote.n, bytes(pck), x->time, &all, v);
		if (collateral && v->verdict >= BAWN_UNACCEPTABLE)
			ok(false, "%s: verified although the collateral was refused", id);
		if (collateral && v->verdict == BAWN_UNDECIDED)
			v->error = e;
	}
	bawn_verifier_free(&ver);
	free(root.p);
	free(quote.p);
	free(tcb.p);
	free(chain.p);
	free(qe.p);
	free(pck_crl.p);
	free(pck_crl_chain.p);
	free(root_crl.p);
	free(pck.p);
	return r;
}

static bool same_advisories(const struct expected *x, const struct bawn_verification *v)
{
	if (x->advisory_count != v->advisory_count)
		return false;
	for (size_t i = 0; i < x->advisory_count; i++)
		if (strcmp(x->advisories[i], v->advisories[i]) != 0)
			return false;
	return true;
}

/* Empty: as expected; else what is not. */
static const char *quote_case(const char *id, const struct expected *x, struct bawn_verification *v)
{
	int r = verify_case(id, x, v);
	bool held = v->verdict >= BAWN_UNACCEPTABLE;

	if ((r == 0) != (v->verdict == BAWN_ACCEPTED))
		return "the code and the verdict disagree";
	/* Everything is accepted here but what nobody may accept. */
	if (held && (v->verdict == BAWN_ACCEPTED) == (v->status == BAWN_TCB_REVOKED))
		return "Revoked was accepted, or something else was not";
	if (x->accept < 0)
		return !held && v->verdict == BAWN_UNDECIDED && v->signatures_hold ? "" : "signatures should hold, no more";
	if (x->accept != held)
		return held ? "accepted" : "refused";
	if (!held)
		return "";
	if (strcmp(x->verdict, bawn_tcb_status_name(v->status)) != 0)
		return "another status";
	if (!same_advisories(x, v))
		return "other advisories";
	if (*x->platform && strcmp(x->platform, bawn_tcb_status_name(v->platform_status)) != 0)
		return "another platform status";
	if (*x->qe && strcmp(x->qe, bawn_tcb_status_name(v->qe_status)) != 0)
		return "another QE status";
	if (*x->module && strcmp(x->module, bawn_tcb_status_name(v->module_status)) != 0)
		return "another module status";
	if (x->debug != v->debug)
		return "debug or not";
	return "";
}

/* ---- a chain with its revocation lists, and no quote ---- */

static int chain_case(const char *id, const struct expected *x, struct bawn_verification *v)
{
	struct file root = slurp(id, "root_ca.pem"), pck = slurp(id, "pck_chain.pem"),
		    pck_crl = slurp(id, "pck_crl.der"), root_crl = slurp(id, "root_ca_crl.der");
	struct bawn_root given = { .profile = BAWN_PROFILE_INTEL, .certificate = bytes(root) };
	struct attest_chain *c = calloc(2, sizeof(*c));
	struct attest_crl lists[2];
	struct attest_anchor anchor;
	struct attest_pck ext;
	enum bawn_reason reason;
	uint8_t digest[32];
	int r = attest_anchor_init(&anchor, &given, &v->error);

	if (!r)
		r = attest_chain_parse(pck.p, pck.n, c, &v->error);
	/* These files have the root first. */
	if (!r) {
		c[1].count = c[0].count;
		for (size_t i = 0; i < c[0].count && !r; i++) {
			struct cur der = c[0].cert[c[0].count - 1 - i].der;

			memcpy(c[1].der[i], der.p, der.n);
			r = attest_cert_parse(c[1].der[i], der.n, &c[1].cert[i], &v->error);
		}
	}
	c++;
	if (!r)
		r = attest_chain_verify(c, ATTEST_ROLE_PCK, &anchor, NULL, &reason, &v->error);
	if (!r)
		r = attest_pck_parse(c->cert[0].sgx_extension, &ext, &v->error);
	if (!r)
		r = attest_crl_parse(pck_crl.p, pck_crl.n, &lists[0], &v->error);
	if (!r)
		r = attest_crl_parse(root_crl.p, root_crl.n, &lists[1], &v->error);
	for (int i = 0; i < 3 && !r; i++)
		if (x->time < c->cert[i].not_before || x->time > c->cert[i].not_after)
			r = err_set(&v->error, BAWN_ERR_NOT_FOUND, "date of certificate %d", i);
	for (int i = 0; i < 2 && !r; i++) {
		struct attest_serial serial;
		struct cur entries = lists[i].entries;
		int64_t since;

		if (!attest_name_equal(lists[i].issuer, c->cert[i + 1].subject)) {
			r = err_set(&v->error, BAWN_ERR_SIGNATURE, "issuer of list %d", i);
			break;
		}
		crypto_sha256(lists[i].tbs.p, lists[i].tbs.n, digest);
		r = crypto_p256_verify(c->cert[i + 1].key, digest, lists[i].signature, &v->error);
		if (x->time < lists[i].this_update || x->time > lists[i].next_update)
			r = err_set(&v->error, BAWN_ERR_NOT_FOUND, "date of list %d", i);
		while (!r && attest_crl_next(&entries, &serial, &since))
			if (memcmp(&serial, &c->cert[i].serial, sizeof(serial)) == 0)
				r = err_set(&v->error, BAWN_ERR_SIGNATURE, "revoked by list %d", i);
	}
	free(c - 1);
	free(root.p);
	free(pck.p);
	free(pck_crl.p);
	free(root_crl.p);
	return r;
}

/* ---- the signatures of Intel's root certificates that are taken as verified ---- */

static bool root_seen[ATTEST_INTEL_ROOTS];

static void look_for_roots(const char *id)
{
	static const char *const names[] = { "tcb_signing_chain.pem", "quote.bin" };
	uint8_t der[ATTEST_CERT_MAX], digest[32], known[32];
	struct attest_anchor intel;
	struct attest_cert c;
	size_t n;

	if (attest_anchor_init(&intel, NULL, NULL))
		abort();
	for (size_t k = 0; k < ARRAY_LEN(names); k++) {
		struct file f = slurp(id, names[k]);
		struct cur text = cur_make(f.p, f.n);

		while (f.p && attest_pem_next(&text, "CERTIFICATE", der, sizeof(der), &n, NULL) > 0) {
			if (attest_cert_parse(der, n, &c, NULL) || memcmp(c.key, intel.key, 64) != 0 ||
			    attest_cert_verify(&c, intel.key, NULL))
				continue;
			crypto_sha256(c.tbs.p, c.tbs.n, digest);
			attest_sigcache_id(c.key, digest, c.signature, known);
			for (size_t i = 0; i < ATTEST_INTEL_ROOTS; i++)
				root_seen[i] |= memcmp(known, attest_intel_roots[i], 32) == 0;
		}
		free(f.p);
	}
}

/* ---- all of them ---- */

struct group {
	char name[32];
	int cases, wrong;
};

static struct group *group_of(struct group *g, size_t max, const char *name)
{
	for (size_t i = 0; i < max; i++) {
		if (!*g[i].name)
			snprintf(g[i].name, sizeof(g[i].name), "%s", name);
		if (strcmp(g[i].name, name) == 0)
			return &g[i];
	}
	abort();
}

static int no_dots(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

int main(void)
{
	const char *env = getenv("BAWN_CORPUS");
	struct bawn_verification v;
	struct group groups[16] = { 0 };
	struct dirent **list;
	struct stat st;
	int n;

	corpus = env ? env : "../shared/corpus";
	if (stat(corpus, &st) || (n = scandir(corpus, &list, no_dots, alphasort)) < 0) {
		printf("1..0 # SKIP no corpus at %s (set BAWN_CORPUS)\n", corpus);
		return 0;
	}
	for (int i = 0; i < n; i++) {
		const char *id = list[i]->d_name, *wrong;
		struct expected x;
		struct group *g;

		if (!strchr(id, '.') && strcmp(id, "INDEX.tsv") != 0) {
			if (!read_case(id, &x)) {
				ok(false, "%s: its case.json can be read", id);
			} else {
				g = group_of(groups, ARRAY_LEN(groups), x.group);
				g->cases++;
				if (strcmp(x.group, "real") == 0)
					look_for_roots(id);
				memset(&v, 0, sizeof(v));
				if (strcmp(x.group, "chain") == 0)
					wrong = (chain_case(id, &x, &v) == 0) == x.accept ? "" : "not as expected";
				else
					wrong = quote_case(id, &x, &v);
				if (*wrong) {
					g->wrong++;
					printf("# %s: %s: %s, should be %s (%s: %s)\n", id, wrong,
					       bawn_tcb_status_name(v.status), x.verdict, bawn_verdict_name(v.verdict),
					       v.error.msg);
				} else if (getenv("BAWN_CORPUS_VERBOSE")) {
					printf("# %s: %s, %s (%s), %s\n", id, bawn_verdict_name(v.verdict),
					       bawn_reason_name(v.reason), v.error.msg, x.verdict);
				}
			}
		}
		free(list[i]);
	}
	free(list);
	for (size_t i = 0; i < ARRAY_LEN(groups) && *groups[i].name; i++)
		ok(groups[i].wrong == 0, "%s: %d of %d cases as expected", groups[i].name,
		   groups[i].cases - groups[i].wrong, groups[i].cases);
	for (size_t i = 0; i < ATTEST_INTEL_ROOTS; i++)
		ok(root_seen[i], "Intel's root certificate %zu is signed as the table says", i);
	return tap_done();
}
