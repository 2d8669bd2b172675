/* Collateral: what the fab says, signed, in the formats of a PCS. */
#include "fab/internal.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- TCB info and QE identity ---- */

static void put_date(struct buf *b, const char *name, int64_t t)
{
	char text[21];

	attest_time_format(t, text);
	buf_printf(b, "\"%s\":\"%s\"", name, text);
}

static void put_hex(struct buf *b, const char *name, const void *p, size_t n)
{
	char hex[2 * 32 + 1];

	hex_encode(p, n, hex);
	buf_printf(b, "\"%s\":\"%s\",", name, hex);
}

static void put_head(struct buf *b, const struct fab *f, const char *id, int version, bool early,
		     const struct fab_dates *d)
{
	buf_printf(b, "{\"id\":\"%s\",\"version\":%d,", id, version);
	put_date(b, "issueDate", d->from);
	buf_str(b, ",");
	put_date(b, "nextUpdate", d->until);
	buf_printf(b, ",\"tcbEvaluationDataNumber\":%u,", (unsigned)(f->evaluation + (early && f->has_early)));
}

static void put_level(struct buf *b, int kind, const struct fab_level *l)
{
	if (kind == FAB_PLATFORM_LEVELS) {
		buf_str(b, "{\"tcb\":{\"sgxtcbcomponents\":[");
		for (int i = 0; i < 16; i++)
			buf_printf(b, "%s{\"svn\":%u}", i ? "," : "", l->components[i]);
		buf_printf(b, "],\"pcesvn\":%u},", l->svn);
	} else {
		buf_printf(b, "{\"tcb\":{\"isvsvn\":%u},", l->svn);
	}
	put_date(b, "tcbDate", l->date);
	buf_printf(b, ",\"tcbStatus\":\"%s\"", bawn_tcb_status_name((enum bawn_tcb_status)l->status));
	for (uint32_t i = 0; i < l->advisory_count; i++)
		buf_printf(b, "%s\"%s\"", i ? "," : ",\"advisoryIDs\":[", l->advisory[i]);
	buf_str(b, l->advisory_count ? "]}" : "}");
}

static void put_levels(struct buf *b, const struct fab *f, int kind, bool early)
{
	const struct fab_levels *set = fab_levels(f, kind, early);

	buf_str(b, "\"tcbLevels\":[");
	for (uint32_t i = 0; i < set->count; i++) {
		if (i)
			buf_str(b, ",");
		put_level(b, kind, &set->level[i]);
	}
	buf_str(b, "]}");
}

static int sign(const struct fab *f, const char *name, struct buf *body, struct attest_bundle *out,
		enum attest_part part, struct bawn_error *e)
{
	struct buf text;
	int rc;

	buf_init(&text, ATTEST_JSON_MAX);
	if (body->failed)
		rc = err_nomem(e);
	else
		rc = fab_json_sign(&text, name, cur_make(body->p, body->n), f->key[FAB_TCB_SIGNER].d, e);
	if (rc == 0)
		rc = attest_bundle_put(out, part, text.p, text.n, e);
	buf_free(&text);
	return rc;
}

static int put_tcb_info(const struct fab *f, bool early, const struct fab_dates *d,
			struct attest_bundle *out, struct bawn_error *e)
{
	struct buf b;
	int rc;

	buf_init(&b, ATTEST_JSON_MAX);
	put_head(&b, f, "SGX", 3, early, d);
	put_hex(&b, "fmspc", f->fmspc, sizeof(f->fmspc));
	put_hex(&b, "pceId", f->pce_id, sizeof(f->pce_id));
	buf_str(&b, "\"tcbType\":0,");
	put_levels(&b, f, FAB_PLATFORM_LEVELS, early);
	rc = sign(f, "tcbInfo", &b, out, ATTEST_PART_TCB_INFO, e);
	buf_free(&b);
	return rc;
}

static int put_qe_identity(const struct fab *f, bool early, const struct fab_dates *d,
			   struct attest_bundle *out, struct bawn_error *e)
{
	struct buf b;
	int rc;

	buf_init(&b, ATTEST_JSON_MAX);
	put_head(&b, f, "QE", 2, early, d);
	/* Integers of the enclave's, written as bytes in memory order, as Intel's are. */
	put_hex(&b, "miscselect", f->qe.miscselect, 4);
	put_hex(&b, "miscselectMask", f->qe.miscselect_mask, 4);
	put_hex(&b, "attributes", f->qe.attributes, 16);
	put_hex(&b, "attributesMask", f->qe.attributes_mask, 16);
	put_hex(&b, "mrsigner", f->qe.mrsigner, 32);
	buf_printf(&b, "\"isvprodid\":%u,", f->qe.isvprodid);
	put_levels(&b, f, FAB_QE_LEVELS, early);
	rc = sign(f, "enclaveIdentity", &b, out, ATTEST_PART_QE_IDENTITY, e);
	buf_free(&b);
	return rc;
}

/* ---- revocation lists ---- */

struct revoked {
	const struct fab *f;
	enum fab_authority issuer;
};

/* The i-th revoked of what this authority has issued; false behind the last. */
static bool find_revoked(const struct revoked *r, size_t i, const uint8_t **serial, int64_t *since)
{
	const struct fab *f = r->f;

	if (r->issuer == FAB_ROOT) {
		for (int k = 0; k < FAB_AUTHORITIES; k++)
			if (f->revoked[k].is && i-- == 0) {
				*serial = f->serial[k];
				*since = f->revoked[k].since;
				return true;
			}
		return false;
	}
	for (uint32_t k = 0; k < f->certificate_count; k++)
		if (f->certificate[k].revoked.is && i-- == 0) {
			*serial = f->certificate[k].serial;
			*since = f->certificate[k].revoked.since;
			return true;
		}
	return false;
}

static void entry(const void *arg, size_t i, const uint8_t **serial, size_t *n, int64_t *since)
{
	*n = FAB_SERIAL;
	find_revoked(arg, i, serial, since);
}

static int put_crl(const struct fab *f, enum fab_authority issuer, const struct fab_dates *d,
		   struct attest_bundle *out, enum attest_part part, struct bawn_error *e)
{
	const struct revoked r = { f, issuer };
	struct fab_crl spec = {
		.issuer = fab_name(f, issuer), .rest = fab_rest(f), .issuer_key = f->key[issuer].xy,
		.from = d->from, .until = d->until, .number = f->crl_number, .entry = entry, .arg = &r,
	};
	const uint8_t *serial;
	struct buf b;
	int64_t since;
	int rc;

	while (find_revoked(&r, spec.count, &serial, &since))
		spec.count++;
	buf_init(&b, ATTEST_CRL_MAX);
	fab_crl_tbs(&b, &spec);
	rc = fab_x509_sign(&b, f->key[issuer].d, e);
	if (rc == 0)
		rc = attest_bundle_put(out, part, b.p, b.n, e);
	buf_free(&b);
	return rc;
}

/* ---- chains, and all of it ---- */

static int put_chain(const struct fab *f, enum fab_authority leaf, struct attest_bundle *out,
		     enum attest_part part, struct bawn_error *e)
{
	struct buf b;
	int rc;

	buf_init(&b, ATTEST_CHAIN_TEXT_MAX);
	rc = fab_authority_pem(f, leaf, &b, e);
	if (rc == 0)
		rc = fab_authority_pem(f, FAB_ROOT, &b, e);
	if (rc == 0)
		rc = attest_bundle_put(out, part, b.p, b.n, e);
	buf_free(&b);
	return rc;
}

static int make_set(const struct fab *f, bool early, const struct fab_dates *d, struct attest_bundle *out,
		    struct bawn_error *e)
{
	int rc = put_tcb_info(f, early, d, out, e);

	if (rc == 0)
		rc = put_chain(f, FAB_TCB_SIGNER, out, ATTEST_PART_TCB_CHAIN, e);
	if (rc == 0 && !ct_is_zero(f->qe.mrsigner, sizeof(f->qe.mrsigner)))
		rc = put_qe_identity(f, early, d, out, e);
	if (rc == 0)
		rc = put_crl(f, FAB_PCK_CA, d, out, ATTEST_PART_PCK_CRL, e);
	if (rc == 0)
		rc = put_chain(f, FAB_PCK_CA, out, ATTEST_PART_PCK_CRL_CHAIN, e);
	if (rc == 0)
		rc = put_crl(f, FAB_ROOT, d, out, ATTEST_PART_ROOT_CRL, e);
	return rc;
}

/* One of the fab's own files, for everybody to read. */
static int copy_public(const struct fab *f, const char *store, const char *name, struct bawn_error *e)
{
	char from[sizeof(f->dir) + 300], to[PATH_MAX];
	uint8_t *p;
	size_t n;
	int rc;

	snprintf(from, sizeof(from), "%s/%s", f->dir, name);
	if (snprintf(to, sizeof(to), "%s/%s", store, name) >= (int)sizeof(to))
		return err_set(e, BAWN_ERR_USAGE, "the directory's name is too long");
	rc = io_read_file(from, 65536, &p, &n, e);
	if (rc)
		return rc;
	rc = io_write_file(to, p, n, 0644, e);
	free(p);
	return rc;
}

/*
 * The root, and the platforms' certificates: with the collateral all that a
 * service needs of the fab (collateral = directory, in bawnd.conf(5)), and
 * nothing that is secret.
 */
static int copy_certificates(const struct fab *f, const char *store, struct bawn_error *e)
{
	char dir[sizeof(f->dir) + sizeof("/" FAB_PCK_FOLDER)], name[300];
	int rc = copy_public(f, store, fab_authority_file(FAB_ROOT), e);
	const struct dirent *x;
	char to[PATH_MAX];
	DIR *d;

	if (rc)
		return rc;
	if (snprintf(to, sizeof(to), "%s/" FAB_PCK_FOLDER, store) >= (int)sizeof(to))
		return err_set(e, BAWN_ERR_USAGE, "the directory's name is too long");
	if ((mkdir(to, 0755) && errno != EEXIST) || chmod(to, 0755))
		return err_sys(e, "%s", to);
	snprintf(dir, sizeof(dir), "%s/" FAB_PCK_FOLDER, f->dir);
	d = opendir(dir);
	if (!d)
		return err_sys(e, "%s", dir);
	while (rc == 0 && (x = readdir(d))) {
		if (x->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), FAB_PCK_FOLDER "/%s", x->d_name);
		rc = copy_public(f, store, name, e);
	}
	closedir(d);
	return rc;
}

int fab_publish(struct fab *f, const struct fab_dates *dates, const char *store,
		struct bawn_error *e)
{
	struct attest_key k = { .tee = BAWN_TEE_SGX };
	char own[sizeof(f->dir) + sizeof("/" FAB_COLLATERAL)];
	int rc;

	snprintf(own, sizeof(own), "%s/" FAB_COLLATERAL, f->dir);
	memcpy(k.fmspc, f->fmspc, sizeof(k.fmspc));
	if (f->intel_names)
		snprintf(k.ca, sizeof(k.ca), "%s", f->processor_ca ? "processor" : "platform");
	f->crl_number++; /* lists of one issuer are numbered upwards, those that replaced nothing included */
	rc = fab_save(f, e);
	for (int early = 0; early < 2 && rc == 0; early++) {
		struct attest_bundle set = { 0 };

		k.early = early;
		rc = make_set(f, early, dates, &set, e);
		if (rc == 0)
			rc = attest_dir_write(store ? store : own, &k, &set, e);
		attest_bundle_free(&set);
	}
	return rc == 0 && store ? copy_certificates(f, store, e) : rc;
}
