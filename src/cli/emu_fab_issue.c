/* bawn emu fab issue, pck: certificates for platforms' keys. */
#include "cli/emu_fab.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PCK_DAYS (7 * 365)

/* ---- what both print ---- */

/* The whole chain in one text, and the TCB it is for as a PCS tells it. */
static void result_json(struct json *j, const struct fab *f, const struct fab_certificate *k,
			const struct buf *chain)
{
	char name[FAB_CHAIN_NAME], tcbm[37];

	fab_chain_name(f, k, name);
	hex_encode(k->cpusvn, 16, tcbm);
	snprintf(tcbm + 32, 5, "%02x%02x", k->pcesvn & 0xff, k->pcesvn >> 8);
	json_open(j, NULL, '{');
	emu_fab_head(j, f);
	json_hex(j, "serial", k->serial, sizeof(k->serial));
	json_hex(j, "ppid", f->platform[k->platform].ppid, 16);
	json_hex(j, "pce_mrsigner", f->platform[k->platform].pce_mrsigner, 32);
	json_hex(j, "fmspc", f->fmspc, sizeof(f->fmspc));
	json_string(j, "ca", f->processor_ca ? "processor" : "platform");
	json_hex(j, "cpusvn", k->cpusvn, sizeof(k->cpusvn));
	json_u64(j, "pcesvn", k->pcesvn);
	json_string(j, "tcbm", tcbm);
	show_time(j, "valid_from", k->from);
	show_time(j, "valid_until", k->until);
	json_string(j, "file", name);
	json_string(j, "chain", (const char *)chain->p);
	json_close(j, '}');
}

/* The chain to --output, or to standard output unless there is JSON. */
static int deliver(struct cli *c, const struct fab *f, const struct fab_certificate *k, struct buf *chain)
{
	int rc = cli_deliver(c, chain->p, chain->n);

	buf_add(chain, "", 1);
	if (rc == CLI_OK && cli_flag(c, "json"))
		result_json(cli_json(c), f, k, chain);
	return rc;
}

/* Issue, save, deliver; closes the fab. */
static int issue(struct cli *c, struct fab **f, const struct fab_issue *o)
{
	struct bawn_error e = { 0 };
	struct buf chain;
	uint32_t number;
	int rc = CLI_OK;

	buf_init(&chain, ATTEST_CHAIN_TEXT_MAX + 1);
	if (fab_issue(*f, o, &number, &chain, &e) || fab_save(*f, &e))
		rc = cli_fail(c, NULL, &e);
	else
		rc = deliver(c, *f, &(*f)->certificate[number], &chain);
	buf_free(&chain);
	fab_close(f);
	return rc;
}

/* ---- issue ---- */

static const struct cli_option issue_options[] = {
	FAB_OPT_DIR,
	CLI_OPT_PLATFORM,
	{ .name = "pce", .value = "ENCLAVE", .help = "the PCE on the platform: a file, or MRSIGNER (default: the fab's)" },
	{ .name = "cpusvn", .value = "HEX", .help = "the platform's CPUSVN (default: what it is)" },
	{ .name = "pcesvn", .value = "N", .help = "the PCE's ISVSVN (default: the file's, or the fab's)" },
	{ .name = "raw", .help = "for just this TCB, not for the level that it reaches" },
	{ .name = "anew", .help = "a new certificate, even if there is one that holds" },
	{ .name = "sgx-type", .value = "standard|scalable|scalable-integrity",
	  .help = "the platform's memory protection (default: scalable)" },
	{ .name = "dynamic", .help = "a platform to which packages can be added" },
	{ .name = "cached-keys", .help = "its keys are cached by the registration service" },
	{ .name = "smt", .help = "it runs with hyper-threading" },
	FAB_OPT_DATES,
	{ .name = "output", .value = "FILE", .letter = 'o', .help = "the chain goes here (default: standard output)" },
	CLI_OPT_JSON,
	{ 0 }
};

/* Which of the words of an option's "a|b|c"; 1 without it. */
static uint8_t sgx_type(const struct cli *c)
{
	static const char *const words[] = { "standard", "scalable", "scalable-integrity" };
	const char *v = cli_value(c, "sgx-type");

	for (uint8_t i = 0; v && i < ARRAY_LEN(words); i++)
		if (strcmp(v, words[i]) == 0)
			return i;
	return 1;
}

static int load_platform(struct cli *c, struct cpu_platform *p)
{
	const char *given = cli_value(c, "platform");
	struct bawn_error e = { 0 };
	char dir[PATH_MAX];

	if (!given) {
		if (cpu_platform_default_dir(dir, sizeof(dir), &e))
			return cli_fail(c, NULL, &e);
		given = dir;
	}
	return cpu_platform_load(given, p, &e) ? cli_fail(c, NULL, &e) : 0;
}

/* The PCE of --pce, else the fab's own. */
static int which_pce(struct cli *c, const struct fab *f, uint8_t mrsigner[32], uint16_t *isvsvn)
{
	const char *given = cli_value(c, "pce");
	struct emu_fab_enclave pce;
	int rc;

	memcpy(mrsigner, f->pce_mrsigner, 32);
	*isvsvn = f->pce_isvsvn;
	if (given) {
		rc = emu_fab_enclave(c, "pce", true, given, &pce);
		if (rc)
			return rc;
		memcpy(mrsigner, pce.mrsigner, 32);
		*isvsvn = pce.sigstruct.isvsvn;
		if (!pce.has_file && !cli_value(c, "pcesvn"))
			return cli_usage(c, "--pce with an MRSIGNER needs --pcesvn");
	}
	if (ct_is_zero(mrsigner, 32))
		return cli_usage(c, "whose PCE? Give --pce, or tell the fab: bawn emu fab vouch --pce FILE");
	return 0;
}

static int registered(struct cli *c, struct fab *f, struct fab_issue *o)
{
	const struct fab_platform how = { .sgx_type = sgx_type(c), .dynamic_platform = cli_flag(c, "dynamic"),
					  .cached_keys = cli_flag(c, "cached-keys"), .smt = cli_flag(c, "smt") };
	bool told = cli_value(c, "sgx-type") || how.dynamic_platform || how.cached_keys || how.smt;
	struct bawn_error e = { 0 };
	struct cpu_platform p;
	uint8_t mrsigner[32];
	uint64_t pcesvn;
	int rc = which_pce(c, f, mrsigner, &o->pcesvn);

	pcesvn = o->pcesvn;
	if (rc == 0)
		rc = cli_number(c, "pcesvn", 0, UINT16_MAX, &pcesvn);
	if (rc == 0)
		rc = load_platform(c, &p);
	if (rc)
		return rc;
	o->pcesvn = (uint16_t)pcesvn;
	o->anew |= told;
	memcpy(o->cpusvn, p.cpusvn, sizeof(o->cpusvn));
	rc = cli_hex(c, "cpusvn", o->cpusvn, sizeof(o->cpusvn));
	if (rc == 0 && fab_register(f, &p, mrsigner, told ? &how : NULL, &o->platform, &e))
		rc = cli_fail(c, NULL, &e);
	wipe(&p, sizeof(p));
	return rc;
}

static int run_issue(struct cli *c)
{
	struct fab_issue o = { .raw = cli_flag(c, "raw") };
	struct fab *f;
	int rc = emu_fab_begin(c, PCK_DAYS, &o.dates, &f);

	if (rc)
		return rc;
	o.anew = cli_flag(c, "anew") || cli_value(c, "from") || cli_value(c, "until");
	rc = registered(c, f, &o);
	if (rc == 0)
		return issue(c, &f, &o);
	fab_close(&f);
	return rc;
}

const struct cli_command cmd_emu_fab_issue = {
	.name = "issue",
	.summary = "certify the key that a platform's PCE has",
	.details = "The chain is PEM: PCK certificate, CA, root. It is for the highest TCB level that\n"
		   "the platform reaches, and the same one as before if that still holds.",
	.options = issue_options,
	.run = run_issue,
};

/* ---- pck ---- */

static const struct cli_option pck_options[] = {
	FAB_OPT_DIR,
	{ .name = "encrypted-ppid", .value = "HEX", .help = "as the PCE gave it, 768 digits" },
	{ .name = "cpusvn", .value = "HEX", .help = "of the platform, 32 digits" },
	{ .name = "pcesvn", .value = "HEX", .help = "of its PCE, 4 digits, little-endian" },
	{ .name = "pceid", .value = "HEX", .help = "4 digits, little-endian (default: the fab's)" },
	{ .name = "output", .value = "FILE", .letter = 'o', .help = "the chain goes here (default: standard output)" },
	CLI_OPT_JSON,
	{ 0 }
};

static int run_pck(struct cli *c)
{
	struct fab_issue o = { 0 };
	uint8_t cipher[AE_PPID_CIPHER_BYTES], pcesvn[2], pceid[2], ppid[16];
	struct bawn_error e = { 0 };
	struct fab *f;
	int rc;

	if (!cli_value(c, "encrypted-ppid") || !cli_value(c, "cpusvn") || !cli_value(c, "pcesvn"))
		return cli_usage(c, "--encrypted-ppid, --cpusvn and --pcesvn must be given");
	rc = cli_hex(c, "encrypted-ppid", cipher, sizeof(cipher));
	if (rc == 0)
		rc = cli_hex(c, "cpusvn", o.cpusvn, sizeof(o.cpusvn));
	if (rc == 0)
		rc = cli_hex(c, "pcesvn", pcesvn, sizeof(pcesvn));
	if (rc == 0)
		rc = cli_hex(c, "pceid", pceid, sizeof(pceid));
	if (rc == 0)
		rc = emu_fab_open(c, true, &f);
	if (rc)
		return rc;
	o.pcesvn = get_le16(pcesvn);
	o.dates.now = o.dates.from = time(NULL);
	o.dates.until = o.dates.from + PCK_DAYS * FAB_DAY;
	/* The certificate's PCE id is two bytes in memory order, as in a request. */
	if (cli_value(c, "pceid") && memcmp(pceid, f->pce_id, 2) != 0)
		rc = err_set(&e, BAWN_ERR_NOT_FOUND, "no platform of this fab has a PCE with this id");
	if (rc == 0)
		rc = fab_decrypt_ppid(f, cipher, sizeof(cipher), ppid, &e);
	if (rc == 0)
		rc = fab_find_ppid(f, ppid, &o.platform, &e);
	if (rc == 0)
		return issue(c, &f, &o);
	fab_close(&f);
	return cli_fail(c, NULL, &e);
}

const struct cli_command cmd_emu_fab_pck = {
	.name = "pck",
	.summary = "answer what a PCS is asked: the certificate for an encrypted PPID",
	.details = "The platform must have been registered by `bawn emu fab issue`.",
	.options = pck_options,
	.run = run_pck,
};
