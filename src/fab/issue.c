/* Platforms and their PCK certificates. */
#include "fab/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the key that PPIDs are encrypted to ---- */

static int open_ppid_key(const struct fab *f, struct crypto_key **key, struct bawn_error *e)
{
	uint8_t *pem;
	size_t n;
	int rc = io_read_file_at(f->fd, FAB_PPID_KEY, 16384, &pem, &n, e);

	if (rc == 0) {
		rc = crypto_key_from_pem(key, pem, n, e);
		wipe(pem, n);
		free(pem);
	}
	if (rc)
		err_context(e, "%s/" FAB_PPID_KEY, f->dir);
	return rc;
}

int fab_decrypt_ppid(const struct fab *f, const uint8_t *cipher, size_t n, uint8_t ppid[16],
		     struct bawn_error *e)
{
	struct crypto_key *key = NULL;
	size_t got = 0;
	int rc = open_ppid_key(f, &key, e);

	if (rc == 0)
		rc = crypto_rsa_oaep_decrypt(key, cipher, n, ppid, 16, &got, e);
	if (rc == 0 && got != 16)
		rc = err_set(e, BAWN_ERR_FORMAT, "what was encrypted is no PPID: it has %zu bytes", got);
	crypto_key_free(&key);
	return rc;
}

int fab_ppid_key(const struct fab *f, uint8_t out[AE_PEK_BYTES], struct bawn_error *e)
{
	uint8_t modulus[CRYPTO_RSA_BYTES];
	struct crypto_key *key = NULL;
	int rc = open_ppid_key(f, &key, e);

	if (rc == 0)
		rc = crypto_key_rsa3_modulus(key, modulus, e);
	if (rc == 0) {
		memset(out, 0, AE_PEK_BYTES);
		for (size_t i = 0; i < sizeof(modulus); i++)
			out[i] = modulus[sizeof(modulus) - 1 - i];
		out[AE_PEK_BYTES - 1] = 3;
	}
	crypto_key_free(&key);
	return rc;
}

/* ---- platforms ---- */

int fab_find_ppid(const struct fab *f, const uint8_t ppid[16], uint32_t *number,
		  struct bawn_error *e)
{
	for (uint32_t i = 0; i < f->platform_count; i++)
		if (memcmp(f->platform[i].ppid, ppid, 16) == 0) {
			*number = i;
			return 0;
		}
	return err_set(e, BAWN_ERR_NOT_FOUND,
		       "no platform of this fab has this PPID: register it with \"bawn emu fab issue\"");
}

static void set_how(struct fab_platform *p, const struct fab_platform *how)
{
	p->sgx_type = how->sgx_type;
	p->dynamic_platform = how->dynamic_platform;
	p->cached_keys = how->cached_keys;
	p->smt = how->smt;
}

int fab_register(struct fab *f, const struct cpu_platform *p, const uint8_t pce_mrsigner[32],
		 const struct fab_platform *how, uint32_t *number, struct bawn_error *e)
{
	struct fab_platform *r;
	uint8_t ppid[16];
	int rc;

	/* Fuses and MRSIGNER, and nothing else, make the PPID. */
	ae_ppid(p, pce_mrsigner, ppid);
	if (fab_find_ppid(f, ppid, number, NULL) == 0) {
		if (how)
			set_how(&f->platform[*number], how);
		return 0;
	}
	if (f->platform_count == FAB_PLATFORMS_MAX)
		return err_set(e, BAWN_ERR_USAGE, "this fab has made %d platforms: make another fab",
			       FAB_PLATFORMS_MAX);
	r = &f->platform[f->platform_count];
	*r = (struct fab_platform){ .sgx_type = 1 };
	if (how)
		set_how(r, how);
	memcpy(r->id, p->id, sizeof(r->id));
	memcpy(r->provision_fuse, p->provision_fuse, sizeof(r->provision_fuse));
	memcpy(r->pce_mrsigner, pce_mrsigner, sizeof(r->pce_mrsigner));
	memcpy(r->ppid, ppid, sizeof(r->ppid));
	rc = crypto_random(r->piid, sizeof(r->piid), e);
	if (rc == 0)
		*number = f->platform_count++;
	return rc;
}

/* ---- certificates ---- */

/* The highest level of either set that this TCB reaches, as levels are found (doc/QUOTE-VERIFICATION.md 9). */
static bool reached(const struct fab *f, const uint8_t cpusvn[16], uint16_t pcesvn, struct fab_level *out)
{
	bool found = false;

	for (int early = 0; early < 2; early++) {
		const struct fab_levels *set = fab_levels(f, FAB_PLATFORM_LEVELS, early);
		uint32_t i = 0;

		for (; i < set->count; i++) {
			const struct fab_level *l = &set->level[i];
			int k = 0;

			while (k < 16 && cpusvn[k] >= l->components[k])
				k++;
			if (k == 16 && pcesvn >= l->svn)
				break;
		}
		if (i < set->count && (!found || fab_level_compare(&set->level[i], out) > 0)) {
			*out = set->level[i];
			found = true;
		}
	}
	return found;
}

void fab_chain_name(const struct fab *f, const struct fab_certificate *c, char out[FAB_CHAIN_NAME])
{
	char ppid[33], cpusvn[33];

	hex_encode(f->platform[c->platform].ppid, 16, ppid);
	hex_encode(c->cpusvn, 16, cpusvn);
	/* PCESVN as a PCS is asked for it: two bytes, little-endian. */
	snprintf(out, FAB_CHAIN_NAME, FAB_PCK_FOLDER "/%s-%s-%02x%02x.pem", ppid, cpusvn, c->pcesvn & 0xff,
		 c->pcesvn >> 8);
}

/* The chain that was issued for this record, if it is still there and still that. */
static bool read_chain(const struct fab *f, const struct fab_certificate *c, struct buf *chain)
{
	struct attest_chain *parsed = malloc(sizeof(*parsed));
	char name[FAB_CHAIN_NAME];
	uint8_t *pem = NULL;
	size_t n;
	bool good;

	fab_chain_name(f, c, name);
	good = parsed && io_read_file_at(f->fd, name, ATTEST_CHAIN_TEXT_MAX, &pem, &n, NULL) == 0 &&
	       attest_chain_parse(pem, n, parsed, NULL) == 0 && parsed->cert[0].serial.n == FAB_SERIAL &&
	       memcmp(parsed->cert[0].serial.p, c->serial, FAB_SERIAL) == 0;
	if (good)
		buf_add(chain, pem, n);
	free(pem);
	free(parsed);
	return good;
}

static void describe(const struct fab *f, const struct fab_certificate *c, struct attest_pck *out)
{
	const struct fab_platform *p = &f->platform[c->platform];

	*out = (struct attest_pck){
		.pcesvn = c->pcesvn, .sgx_type = p->sgx_type, .dynamic_platform = p->dynamic_platform,
		.cached_keys = p->cached_keys, .smt = p->smt,
	};
	memcpy(out->ppid, p->ppid, sizeof(out->ppid));
	memcpy(out->piid, p->piid, sizeof(out->piid));
	memcpy(out->cpusvn, c->cpusvn, sizeof(out->cpusvn));
	memcpy(out->components, c->cpusvn, sizeof(out->components));
	memcpy(out->pce_id, f->pce_id, sizeof(out->pce_id));
	memcpy(out->fmspc, f->fmspc, sizeof(out->fmspc));
}

/* The certificate itself: the key that the PCE on that platform derives at that TCB. */
static int make_leaf(const struct fab *f, const struct fab_certificate *c, struct buf *der,
		     struct bawn_error *e)
{
	const struct fab_platform *p = &f->platform[c->platform];
	struct cpu_platform fuses = { 0 };
	char url[FAB_URL_MAX + 64];
	struct attest_pck pck;
	uint8_t key[64];
	struct fab_cert spec = {
		.issuer = fab_name(f, FAB_PCK_CA), .subject = fab_name(f, FAB_AUTHORITIES), .rest = fab_rest(f),
		.serial = c->serial, .serial_n = FAB_SERIAL, .from = c->from, .until = c->until,
		.key = key, .issuer_key = f->key[FAB_PCK_CA].xy, .ca = 0, .key_usage = FAB_USAGE_SIGNER,
		.key_id = true, .crl_url = url, .emulated = true,
		.pck = &pck, .pck_members = f->processor_ca ? FAB_PCK_PROCESSOR : FAB_PCK_PLATFORM,
	};
	int rc;

	memcpy(fuses.provision_fuse, p->provision_fuse, sizeof(fuses.provision_fuse));
	rc = ae_pck_public(&fuses, p->pce_mrsigner, c->cpusvn, c->pcesvn, key, e);
	wipe(&fuses, sizeof(fuses));
	if (rc)
		return rc;
	fab_crl_url(f, FAB_PCK_CA, url);
	describe(f, c, &pck);
	fab_cert_tbs(der, &spec);
	return fab_x509_sign(der, f->key[FAB_PCK_CA].d, e);
}

/* Leaf, CA, root to the folder, and appended to out. */
static int write_chain(const struct fab *f, const struct fab_certificate *c, struct buf *out,
		       struct bawn_error *e)
{
	char name[FAB_CHAIN_NAME];
	struct buf der, pem;
	int rc;

	buf_init(&der, ATTEST_CERT_MAX);
	buf_init(&pem, ATTEST_CHAIN_TEXT_MAX);
	rc = make_leaf(f, c, &der, e);
	buf_pem(&pem, "CERTIFICATE", der.p, der.n);
	if (rc == 0)
		rc = fab_authority_pem(f, FAB_PCK_CA, &pem, e);
	if (rc == 0)
		rc = fab_authority_pem(f, FAB_ROOT, &pem, e);
	fab_chain_name(f, c, name);
	if (rc == 0)
		rc = io_write_file_at(f->fd, name, pem.p, pem.n, 0644, e);
	if (rc == 0)
		buf_add(out, pem.p, pem.n);
	buf_free(&der);
	buf_free(&pem);
	return rc ? rc : out->failed ? err_nomem(e) : 0;
}

/* A record that will do as it is. */
static bool find_record(const struct fab *f, const struct fab_certificate *like, int64_t now, uint32_t *number)
{
	for (uint32_t i = f->certificate_count; i--;) {
		const struct fab_certificate *c = &f->certificate[i];

		if (c->platform == like->platform && c->pcesvn == like->pcesvn && !c->revoked.is &&
		    memcmp(c->cpusvn, like->cpusvn, 16) == 0 && c->from <= now && now <= c->until) {
			*number = i;
			return true;
		}
	}
	return false;
}

int fab_issue(struct fab *f, const struct fab_issue *o, uint32_t *number, struct buf *chain,
	      struct bawn_error *e)
{
	struct fab_certificate c = { .platform = o->platform, .pcesvn = o->pcesvn,
				     .from = o->dates.from, .until = o->dates.until };
	struct fab_level level;
	int rc;

	memcpy(c.cpusvn, o->cpusvn, sizeof(c.cpusvn));
	if (!o->raw) {
		if (!reached(f, o->cpusvn, o->pcesvn, &level))
			return err_set(e, BAWN_ERR_NOT_FOUND,
				       "this TCB is below every level: set one with \"bawn emu fab level set\"");
		memcpy(c.cpusvn, level.components, sizeof(c.cpusvn));
		c.pcesvn = level.svn;
	}
	if (!o->anew && find_record(f, &c, o->dates.now, number) &&
	    read_chain(f, &f->certificate[*number], chain))
		return 0;
	if (f->certificate_count == FAB_CERTIFICATES_MAX)
		return err_set(e, BAWN_ERR_USAGE, "this fab has issued %d certificates: make another fab",
			       FAB_CERTIFICATES_MAX);
	rc = fab_random_serial(c.serial, e);
	if (rc)
		return rc;
	/* On record before it exists: what the fab does not know of it could never revoke. */
	*number = f->certificate_count;
	f->certificate[f->certificate_count++] = c;
	rc = fab_save(f, e);
	return rc ? rc : write_chain(f, &c, chain, e);
}
