/* See forge.h. */
#include "tests/attest/forge.h"

#include "fab/fab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTEL_REST "O=Intel Corporation, L=Santa Clara, ST=CA, C=US"

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "forge: %s\n", what);
	exit(1);
}

/* ---- default statements ---- */

#define SVN8(v) "{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "}"
#define SVNS(v) "[" SVN8(v) "," SVN8("0") "]"
#define NAMED(v) "[{\"svn\":" v ",\"category\":\"BIOS\",\"type\":\"Early Microcode Update\"}," \
	"{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "},{\"svn\":" v "}," SVN8("0") "]"
#define TDXS(v) "[{\"svn\":" v ",\"category\":\"OS/VMM\",\"type\":\"TDX Module\"},{\"svn\":0},{\"svn\":" v "},{\"svn\":0}," \
	"{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0}," SVN8("0") "]"
#define HEAD(id) "{\"id\":\"" id "\",\"version\":3,\"issueDate\":\"2025-12-20T00:00:00Z\"," \
	"\"nextUpdate\":\"2026-01-19T00:00:00Z\",\"fmspc\":\"00a0b0c0d0e0\",\"pceId\":\"0000\",\"tcbType\":0," \
	"\"tcbEvaluationDataNumber\":20,"
#define ZERO48 "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"

const char forge_sgx_tcb[] = HEAD("SGX") "\"tcbLevels\":["
	"{\"tcb\":{\"sgxtcbcomponents\":" NAMED("5") ",\"pcesvn\":11},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"},"
	"{\"tcb\":{\"sgxtcbcomponents\":" NAMED("4") ",\"pcesvn\":10},\"tcbDate\":\"2024-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\","
		"\"advisoryIDs\":[\"INTEL-SA-00001\",\"INTEL-SA-00002\"]},"
	"{\"tcb\":{\"sgxtcbcomponents\":" SVNS("2") ",\"pcesvn\":5},\"tcbDate\":\"2020-01-01T00:00:00Z\",\"tcbStatus\":\"Revoked\","
		"\"advisoryIDs\":[\"INTEL-SA-00003\"]}]}";

#define COMP(n, v) "\"sgxtcbcomp" n "svn\":" v ","
#define COMPS(v) COMP("01", v) COMP("02", v) COMP("03", v) COMP("04", v) COMP("05", v) COMP("06", v) COMP("07", v) \
	COMP("08", v) COMP("09", "0") COMP("10", "0") COMP("11", "0") COMP("12", "0") COMP("13", "0") COMP("14", "0") \
	COMP("15", "0") COMP("16", "0")

const char forge_sgx_tcb_v2[] = "{\"version\":2,\"issueDate\":\"2025-12-20T00:00:00Z\",\"nextUpdate\":\"2026-01-19T00:00:00Z\","
	"\"fmspc\":\"00a0b0c0d0e0\",\"pceId\":\"0000\",\"tcbType\":0,\"tcbEvaluationDataNumber\":20,\"tcbLevels\":["
	"{\"tcb\":{" COMPS("5") "\"pcesvn\":11},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"},"
	"{\"tcb\":{" COMPS("4") "\"pcesvn\":10},\"tcbDate\":\"2024-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\"}]}";

const char forge_tdx_tcb[] = HEAD("TDX")
	"\"tdxModule\":{\"mrsigner\":\"" ZERO48 "\",\"attributes\":\"0000000000000000\",\"attributesMask\":\"FFFFFFFFFFFFFFFF\"},"
	"\"tdxModuleIdentities\":[{\"id\":\"TDX_01\",\"mrsigner\":\"" ZERO48 "\",\"attributes\":\"0000000000000000\","
	"\"attributesMask\":\"FFFFFFFFFFFFFFFF\",\"tcbLevels\":["
		"{\"tcb\":{\"isvsvn\":5},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"},"
		"{\"tcb\":{\"isvsvn\":3},\"tcbDate\":\"2024-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":[\"INTEL-SA-00005\"]},"
		"{\"tcb\":{\"isvsvn\":2},\"tcbDate\":\"2023-01-01T00:00:00Z\",\"tcbStatus\":\"Revoked\"}]}],"
	"\"tcbLevels\":["
	"{\"tcb\":{\"sgxtcbcomponents\":" SVNS("5") ",\"pcesvn\":11,\"tdxtcbcomponents\":" TDXS("5") "},"
		"\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"},"
	"{\"tcb\":{\"sgxtcbcomponents\":" SVNS("4") ",\"pcesvn\":10,\"tdxtcbcomponents\":" TDXS("3") "},"
		"\"tcbDate\":\"2024-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":[\"INTEL-SA-00004\"]}]}";

#define QE(id, product) "{\"id\":\"" id "\",\"version\":2,\"issueDate\":\"2025-12-21T00:00:00Z\"," \
	"\"nextUpdate\":\"2026-01-20T00:00:00Z\",\"tcbEvaluationDataNumber\":20,\"miscselect\":\"00000000\"," \
	"\"miscselectMask\":\"FFFFFFFF\",\"attributes\":\"11000000000000000000000000000000\"," \
	"\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\"," \
	"\"mrsigner\":\"000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F\",\"isvprodid\":" product "," \
	"\"tcbLevels\":[{\"tcb\":{\"isvsvn\":8},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"}," \
	"{\"tcb\":{\"isvsvn\":6},\"tcbDate\":\"2023-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":[\"INTEL-SA-00009\"]}," \
	"{\"tcb\":{\"isvsvn\":4},\"tcbDate\":\"2021-01-01T00:00:00Z\",\"tcbStatus\":\"Revoked\"}]}"

const char forge_sgx_qe[] = QE("QE", "1");
const char forge_tdx_qe[] = QE("TD_QE", "2");

/* ---- keys, edits, PEM ---- */

void forge_key(struct forge_key *k, const char *label)
{
	uint8_t h[64];

	crypto_sha256(label, strlen(label), h);
	crypto_sha256(h, 32, h + 32);
	must(!crypto_p256_scalar(h, 64, k->d, NULL) && !crypto_p256_public(k->d, k->xy, NULL), "key");
}

static void replace_first(struct buf *b, const uint8_t *from, size_t from_n, const uint8_t *to, size_t to_n)
{
	uint8_t *at = memmem(b->p, b->n, from, from_n);
	struct buf out;
	size_t before;

	must(at != NULL, "an edit does not apply");
	before = (size_t)(at - b->p);
	buf_init(&out, 1 << 20);
	buf_add(&out, b->p, before);
	buf_add(&out, to, to_n);
	buf_add(&out, at + from_n, b->n - before - from_n);
	must(!out.failed, "memory");
	buf_free(b);
	*b = out;
}

static void apply_text(struct buf *b, const struct forge_edit *edits)
{
	for (int i = 0; edits && i < FORGE_EDITS && edits[i].from; i++)
		replace_first(b, (const uint8_t *)edits[i].from, strlen(edits[i].from), (const uint8_t *)edits[i].to,
			      strlen(edits[i].to));
}

static void apply_hex(struct buf *b, const struct forge_edit *edits)
{
	uint8_t from[256], to[256];

	for (int i = 0; i < FORGE_EDITS && edits[i].from; i++) {
		size_t n = strlen(edits[i].from) / 2, m = strlen(edits[i].to) / 2;

		must(n <= 256 && m <= 256 && hex_decode(edits[i].from, 2 * n, from, n) &&
		     hex_decode(edits[i].to, 2 * m, to, m), "hexadecimal edit");
		replace_first(b, from, n, to, m);
	}
}

void forge_json(struct buf *out, const char *name, const char *body, const struct forge_edit *edits,
		const struct forge_key *key)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_str(&b, body);
	apply_text(&b, edits);
	must(!b.failed && !fab_json_sign(out, name, cur_make(b.p, b.n), key->d, NULL), "signing");
	buf_free(&b);
}

/* ---- certificates ---- */

static void make_cert(struct forge *f, int which, const struct forge_key *issuer)
{
	const struct forge_cert *c = &f->cert[which];
	const struct fab_cert spec = {
		.issuer = c->issuer, .subject = c->subject, .rest = c->rest,
		.serial = c->serial, .serial_n = c->serial_n,
		.from = c->from, .until = c->until, .generalized = c->generalized,
		.key = f->key[which].xy, .issuer_key = issuer->xy,
		.ca = c->ca, .path_len = -1, .key_usage = c->key_usage, .emulated = c->emulated,
		.pck = which == FORGE_PCK && f->pck_members ? &f->platform : NULL,
		.pck_members = f->pck_members,
	};
	struct buf *b = &f->der[which];

	buf_free(b);
	buf_init(b, 1 << 16);
	fab_cert_tbs(b, &spec);
	apply_hex(b, c->edit);
	must(!fab_x509_sign(b, issuer->d, NULL), "signing");
}

/* ---- revocation lists ---- */

static void crl_entry(const void *arg, size_t i, const uint8_t **serial, size_t *n, int64_t *since)
{
	const struct forge_crl *c = arg;
	static uint8_t made[20] = { 0x11 };

	*since = c->from;
	if (i < c->others) {
		made[18] = (uint8_t)(i >> 8);
		made[19] = (uint8_t)i;
		*serial = made;
		*n = sizeof(made);
	} else {
		*serial = c->serial[i - c->others];
		*n = c->serial_n[i - c->others];
	}
}

static void make_crl(struct buf *b, const struct forge_crl *c, const struct forge_key *issuer)
{
	const struct fab_crl spec = {
		.issuer = c->issuer, .rest = c->rest, .issuer_key = issuer->xy,
		.from = c->from, .until = c->until, .number = 7,
		.count = c->others + c->count, .entry = crl_entry, .arg = c,
	};

	buf_free(b);
	buf_init(b, 1 << 20);
	fab_crl_tbs(b, &spec);
	apply_hex(b, c->edit);
	must(!fab_x509_sign(b, issuer->d, NULL), "signing");
}

/* ---- the quote ---- */

static size_t body_size(enum attest_body t)
{
	return t == ATTEST_BODY_SGX ? 384 : t == ATTEST_BODY_TD10 ? 584 : t == ATTEST_BODY_TD15 ? 648 : 885;
}

static void le16(struct buf *b, unsigned v)
{
	uint8_t p[2] = { (uint8_t)v, (uint8_t)(v >> 8) };

	buf_add(b, p, 2);
}

static void le32(struct buf *b, size_t v)
{
	le16(b, v & 0xffff);
	le16(b, (unsigned)(v >> 16));
}

static void certification(struct buf *b, const struct forge *f)
{
	uint8_t ppid[384 + 20] = { 0 };
	size_t sizes[] = { 0, 16, 256, 384 }, n;

	le16(b, f->cert_type);
	switch (f->cert_type) {
	case ATTEST_CERT_PCK_CHAIN:
		le32(b, f->pck_chain.n + 1);
		buf_add(b, f->pck_chain.p, f->pck_chain.n);
		buf_add(b, "", 1); /* as most quoting libraries leave it */
		return;
	case ATTEST_CERT_PCK_LEAF:
		le32(b, f->der[FORGE_PCK].n);
		buf_add(b, f->der[FORGE_PCK].p, f->der[FORGE_PCK].n);
		return;
	case ATTEST_CERT_PPID_PLAIN:
	case ATTEST_CERT_PPID_RSA2048:
	case ATTEST_CERT_PPID_RSA3072:
		n = sizes[f->cert_type];
		memcpy(ppid, f->platform.ppid, 16);
		memcpy(ppid + n, f->platform.cpusvn, 16);
		put_le16(ppid + n + 16, f->platform.pcesvn);
		memcpy(ppid + n + 18, f->platform.pce_id, 2);
		le32(b, n + 20);
		buf_add(b, ppid, n + 20);
		return;
	default:
		le32(b, 8);
		buf_add(b, "manifest", 8);
	}
}

void forge_quote(struct forge *f)
{
	uint8_t digest[32], rs[64];
	struct buf *b = &f->quote, auth, inner;
	struct crypto_sha256 h;
	size_t signed_n;

	buf_free(b);
	buf_init(b, 1 << 17);
	le16(b, f->version);
	le16(b, 2);
	le32(b, f->tee == BAWN_TEE_TDX ? 0x81 : 0);
	le32(b, 0);
	buf_add(b, f->vendor, 16);
	buf_add(b, f->user_data, 20);
	if (f->version == 5) {
		le16(b, f->body_type);
		le32(b, body_size(f->body_type));
	}
	buf_add(b, f->body, body_size(f->body_type));
	signed_n = b->n;
	crypto_sha256(b->p, b->n, digest);
	must(!crypto_p256_sign(f->attestation.d, digest, rs, NULL), "signing");
	buf_init(&auth, 1 << 17);
	buf_init(&inner, 1 << 17);
	buf_add(&auth, rs, 64);
	buf_add(&auth, f->attestation.xy, 64);
	crypto_sha256_init(&h);
	crypto_sha256_update(&h, f->attestation.xy, 64);
	crypto_sha256_update(&h, f->qe_auth, f->qe_auth_n);
	crypto_sha256_final(&h, f->qe_report + 320);
	buf_add(&inner, f->qe_report, 384);
	crypto_sha256(f->qe_report, 384, digest);
	must(!crypto_p256_sign(f->key[FORGE_PCK].d, digest, rs, NULL), "signing");
	buf_add(&inner, rs, 64);
	le16(&inner, (unsigned)f->qe_auth_n);
	buf_add(&inner, f->qe_auth, f->qe_auth_n);
	certification(&inner, f);
	if (f->version > 3) {
		le16(&auth, 6);
		le32(&auth, inner.n);
	}
	buf_add(&auth, inner.p, inner.n);
	le32(b, auth.n);
	buf_add(b, auth.p, auth.n);
	must(!b->failed && !auth.failed && !inner.failed && signed_n < b->n, "memory");
	buf_free(&auth);
	buf_free(&inner);
}

/* ---- all of it ---- */

static void pem_chain(struct buf *out, const struct forge *f, const int *which, size_t n)
{
	buf_free(out);
	buf_init(out, 1 << 16);
	for (size_t i = 0; i < n; i++)
		buf_pem(out, "CERTIFICATE", f->der[which[i]].p, f->der[which[i]].n);
}

void forge_platform(struct forge *f)
{
	static const int pck[] = { FORGE_PCK, FORGE_CA, FORGE_ROOT };

	make_cert(f, FORGE_PCK, &f->key[FORGE_CA]);
	pem_chain(&f->pck_chain, f, pck, 3);
	forge_quote(f);
}

void forge_build(struct forge *f)
{
	static const int tcb[] = { FORGE_TCB, FORGE_ROOT },
			 ca[] = { FORGE_CA, FORGE_ROOT }, root[] = { FORGE_ROOT };

	make_cert(f, FORGE_ROOT, &f->key[FORGE_ROOT]);
	make_cert(f, FORGE_CA, &f->key[FORGE_ROOT]);
	make_cert(f, FORGE_TCB, &f->key[FORGE_ROOT]);
	pem_chain(&f->tcb_chain, f, tcb, 2);
	pem_chain(&f->ca_chain, f, ca, 2);
	pem_chain(&f->root_pem, f, root, 1);
	make_crl(&f->root_crl_der, &f->root_crl, &f->key[FORGE_ROOT]);
	make_crl(&f->pck_crl_der, &f->pck_crl, &f->key[FORGE_CA]);
	buf_free(&f->tcb_json);
	buf_init(&f->tcb_json, 1 << 18);
	forge_json(&f->tcb_json, "tcbInfo", f->tcb_info, f->tcb_edit, &f->key[FORGE_TCB]);
	buf_free(&f->qe_json);
	buf_init(&f->qe_json, 1 << 18);
	forge_json(&f->qe_json, "enclaveIdentity", f->qe_identity, f->qe_edit, &f->key[FORGE_TCB]);
	forge_platform(f);
}

static void init_certs(struct forge *f)
{
	static const char *const subject[] = { "Intel SGX Root CA", "Intel SGX PCK Platform CA", "Intel SGX TCB Signing",
					       "Intel SGX PCK Certificate" };
	static const char *const label[] = { "root", "ca", "tcb signing", "pck" };

	for (int i = 0; i < FORGE_CERTS; i++) {
		struct forge_cert *c = &f->cert[i];

		forge_key(&f->key[i], label[i]);
		c->subject = subject[i];
		c->issuer = subject[i == FORGE_PCK ? FORGE_CA : FORGE_ROOT];
		c->rest = INTEL_REST;
		c->serial_n = 20;
		memcpy(c->serial, f->key[i].xy, 20);
		c->serial[0] |= 1;
		c->from = FORGE_NOW - (400 + i) * FORGE_DAY;
		c->until = FORGE_NOW + (400 + i) * FORGE_DAY;
		c->ca = i == FORGE_ROOT || i == FORGE_CA;
		c->key_usage = c->ca ? 0x06 : 0xc0;
	}
	forge_key(&f->attestation, "attestation");
	f->root_crl = (struct forge_crl){ .issuer = subject[FORGE_ROOT], .rest = INTEL_REST,
					  .from = FORGE_NOW - 20 * FORGE_DAY, .until = FORGE_NOW + 17 * FORGE_DAY };
	f->pck_crl = (struct forge_crl){ .issuer = subject[FORGE_CA], .rest = INTEL_REST,
					 .from = FORGE_NOW - 21 * FORGE_DAY, .until = FORGE_NOW + 16 * FORGE_DAY };
}

void forge_init(struct forge *f, enum bawn_tee tee)
{
	static const uint8_t intel[16] = { 0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
					   0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07 };
	static const uint8_t fmspc[6] = { 0x00, 0xa0, 0xb0, 0xc0, 0xd0, 0xe0 };
	bool tdx = tee == BAWN_TEE_TDX;

	memset(f, 0, sizeof(*f));
	init_certs(f);
	memset(f->platform.ppid, 0x11, 16);
	memset(f->platform.piid, 0x22, 16);
	memset(f->platform.components, 5, 8);
	memset(f->platform.cpusvn, 5, 8);
	f->platform.pcesvn = 11;
	memcpy(f->platform.fmspc, fmspc, 6);
	f->platform.sgx_type = 1;
	f->platform.smt = true;
	f->pck_members = 0xfe;
	f->tcb_info = tdx ? forge_tdx_tcb : forge_sgx_tcb;
	f->qe_identity = tdx ? forge_tdx_qe : forge_sgx_qe;
	f->tee = tee;
	f->version = tdx ? 4 : 3;
	f->cert_type = ATTEST_CERT_PCK_CHAIN;
	f->body_type = tdx ? ATTEST_BODY_TD10 : ATTEST_BODY_SGX;
	memcpy(f->vendor, intel, 16);
	memset(f->user_data, 0x33, 16);
	/* QE: ATTRIBUTES INIT | PROVISION_KEY, the identity's MRSIGNER, product and SVN 8 */
	f->qe_report[48] = 0x11;
	for (int i = 0; i < 32; i++)
		f->qe_report[128 + i] = (uint8_t)i;
	f->qe_report[256] = tdx ? 2 : 1;
	f->qe_report[258] = 8;
	memset(f->qe_auth, 0x44, 32);
	f->qe_auth_n = 32;
	if (tdx) {
		f->body[0] = 5; /* TEE_TCB_SVN: module 5 of version 0, then the loader's 5 */
		f->body[2] = 5;
		f->body[120 + 3] = 0x10; /* SEPT_VE_DISABLE */
		memset(f->body + 136, 0x55, 48);
		memset(f->body + 520, 0x66, 64);
	} else {
		f->body[48] = 0x05; /* INIT | MODE64BIT */
		memset(f->body + 64, 0x55, 32);
		memset(f->body + 128, 0x77, 32);
		f->body[256] = 3;
		f->body[258] = 4;
		memset(f->body + 320, 0x66, 64);
	}
}

void forge_version5(struct forge *f, enum attest_body body)
{
	f->version = 5;
	f->body_type = body;
	memcpy(f->body + 584, f->body, 16); /* TEE_TCB_SVN2 as at launch */
}

void forge_free(struct forge *f)
{
	struct buf *all[] = { &f->pck_chain, &f->tcb_chain, &f->ca_chain, &f->root_pem, &f->root_crl_der,
			      &f->pck_crl_der, &f->tcb_json, &f->qe_json, &f->quote };

	for (int i = 0; i < FORGE_CERTS; i++)
		buf_free(&f->der[i]);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		buf_free(all[i]);
}

static struct bawn_bytes view(const struct buf *b)
{
	return (struct bawn_bytes){ b->p, b->n };
}

struct bawn_root forge_root(const struct forge *f)
{
	return (struct bawn_root){ .profile = BAWN_PROFILE_INTEL, .certificate = view(&f->root_pem) };
}

struct bawn_collateral forge_collateral(const struct forge *f)
{
	return (struct bawn_collateral){
		.tcb_info = view(&f->tcb_json), .qe_identity = view(&f->qe_json), .tcb_chain = view(&f->tcb_chain),
		.root_crl = view(&f->root_crl_der), .pck_crl = view(&f->pck_crl_der), .pck_crl_chain = view(&f->ca_chain),
	};
}
