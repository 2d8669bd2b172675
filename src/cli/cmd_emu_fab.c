/* bawn emu fab: the manufacturer of emulated platforms. */
#include "attester/attester.h"
#include "cli/emu_fab.h"
#include "image/image.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* ---- what verbs share ---- */

int emu_fab_dates(struct cli *c, int64_t days, struct fab_dates *d)
{
	int rc;

	d->now = d->from = time(NULL);
	rc = cli_time(c, "from", &d->from);
	if (rc)
		return rc;
	d->until = d->from + days * FAB_DAY;
	rc = cli_time(c, "until", &d->until);
	if (rc == 0 && d->until < d->from)
		return cli_usage(c, "--until is before --from");
	return rc;
}

int emu_fab_dir(struct cli *c, char out[4096])
{
	const char *given = cli_value(c, "fab");
	struct bawn_error e = { 0 };

	if (!given)
		return fab_default_dir(out, 4096, &e) ? cli_fail(c, NULL, &e) : 0;
	if ((size_t)snprintf(out, 4096, "%s", given) >= 4096)
		return cli_usage(c, "the directory's name is too long");
	return 0;
}

int emu_fab_open(struct cli *c, bool change, struct fab **f)
{
	struct bawn_error e = { 0 };
	char dir[4096];
	int rc = emu_fab_dir(c, dir);

	if (rc)
		return rc;
	return fab_open(f, dir, change, &e) ? cli_fail(c, NULL, &e) : 0;
}

int emu_fab_begin(struct cli *c, int64_t days, struct fab_dates *d, struct fab **f)
{
	int rc = emu_fab_dates(c, days, d);

	return rc ? rc : emu_fab_open(c, true, f);
}

int emu_fab_enclave(struct cli *c, const char *option, bool with_digits, const char *given,
		    struct emu_fab_enclave *out)
{
	const struct image_open_options any = { .any_version = true };
	struct bawn_error e = { 0 };
	struct image *im;

	*out = (struct emu_fab_enclave){ 0 };
	if (with_digits && hex_decode(given, strlen(given), out->mrsigner, sizeof(out->mrsigner)))
		return 0;
	if (image_open(&im, given, &any, &e))
		return cli_fail(c, NULL, &e);
	out->has_file = im->has_sigstruct;
	out->sigstruct = im->sigstruct;
	image_free(&im);
	if (!out->has_file) {
		cli_warn(c, given, "--%s: it is not signed, so it has no MRSIGNER", option);
		return CLI_FAILURE;
	}
	image_mrsigner(&out->sigstruct, out->mrsigner);
	return 0;
}

/* ---- show ---- */

void emu_fab_head(struct json *j, const struct fab *f)
{
	json_bool(j, "emulated", true);
	json_string(j, "directory", f->dir);
}

static void certificates_json(struct json *j, const struct fab *f)
{
	char name[FAB_CHAIN_NAME];

	json_open(j, "certificates", '[');
	for (uint32_t i = 0; i < f->certificate_count; i++) {
		const struct fab_certificate *k = &f->certificate[i];
		const struct fab_platform *p = &f->platform[k->platform];

		fab_chain_name(f, k, name);
		json_open(j, NULL, '{');
		json_hex(j, "serial", k->serial, sizeof(k->serial));
		json_hex(j, "platform", p->id, sizeof(p->id));
		json_hex(j, "pce_mrsigner", p->pce_mrsigner, sizeof(p->pce_mrsigner));
		json_hex(j, "ppid", p->ppid, sizeof(p->ppid));
		json_hex(j, "cpusvn", k->cpusvn, sizeof(k->cpusvn));
		json_u64(j, "pcesvn", k->pcesvn);
		show_time(j, "valid_from", k->from);
		show_time(j, "valid_until", k->until);
		if (k->revoked.is)
			show_time(j, "revoked", k->revoked.since);
		json_string(j, "chain", name);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static int show_json(struct json *j, const struct fab *f, struct bawn_error *e)
{
	uint8_t pek[AE_PEK_BYTES];
	int rc = fab_ppid_key(f, pek, e);

	if (rc)
		return rc;
	json_open(j, NULL, '{');
	emu_fab_head(j, f);
	json_string(j, "names", f->intel_names ? "intel" : "emulated");
	json_string(j, "ca", f->processor_ca ? "processor" : "platform");
	json_string(j, "url", f->url);
	json_hex(j, "fmspc", f->fmspc, sizeof(f->fmspc));
	json_hex(j, "pce_id", f->pce_id, sizeof(f->pce_id));
	json_hex(j, "pce_mrsigner", f->pce_mrsigner, sizeof(f->pce_mrsigner));
	json_u64(j, "pce_isvsvn", f->pce_isvsvn);
	json_hex(j, "qe_mrsigner", f->qe.mrsigner, sizeof(f->qe.mrsigner));
	json_u64(j, "qe_product", f->qe.isvprodid);
	json_hex(j, "root_key", f->key[FAB_ROOT].xy, 64);
	json_hex(j, "ppid_key", pek, sizeof(pek));
	json_u64(j, "crl_number", f->crl_number);
	for (int i = 0; i < FAB_AUTHORITIES; i++) {
		static const char *const revoked[] = { "root_revoked", "pck_ca_revoked", "tcb_signer_revoked" };

		json_bool(j, revoked[i], f->revoked[i].is);
	}
	emu_fab_levels_json(j, f);
	certificates_json(j, f);
	json_close(j, '}');
	return 0;
}

static void certificates_text(const struct fab *f)
{
	char serial[33], ppid[33], date[21], name[FAB_CHAIN_NAME];

	for (uint32_t i = 0; i < f->certificate_count; i++) {
		const struct fab_certificate *k = &f->certificate[i];

		hex_encode(k->serial, sizeof(k->serial), serial);
		hex_encode(f->platform[k->platform].ppid, 16, ppid);
		attest_time_format(k->until, date);
		fab_chain_name(f, k, name);
		printf("  certificate      %s, until %.10s%s\n    %s\n", serial, date,
		       k->revoked.is ? ", REVOKED" : "", name);
	}
}

static void show_text(const struct fab *f)
{
	static const char *const who[] = { "root", "PCK CA", "TCB signer" };
	char hex[129];

	printf("emulated fab       %s\n", f->dir);
	printf("  names            %s, the marker of emulated platforms in all certificates\n",
	       f->intel_names ? "as Intel's are" : fab_name(f, FAB_ROOT));
	hex_encode(f->key[FAB_ROOT].xy, 64, hex);
	printf("  root key         %.64s\n                   %s\n", hex, hex + 64);
	hex_encode(f->fmspc, sizeof(f->fmspc), hex);
	printf("  FMSPC            %s, PCE %02x%02x\n", hex, f->pce_id[0], f->pce_id[1]);
	hex_encode(f->pce_mrsigner, 32, hex);
	printf("  PCE              %s\n", ct_is_zero(f->pce_mrsigner, 32) ? "not told yet: bawn emu fab vouch --pce" : hex);
	hex_encode(f->qe.mrsigner, 32, hex);
	printf("  quoting enclave  %s\n",
	       ct_is_zero(f->qe.mrsigner, 32) ? "not told yet: bawn emu fab vouch --qe" : hex);
	for (int i = 0; i < FAB_AUTHORITIES; i++)
		if (f->revoked[i].is)
			printf("  REVOKED          its %s\n", who[i]);
	emu_fab_levels_text(f);
	certificates_text(f);
}

static int show(struct cli *c, const struct fab *f)
{
	struct bawn_error e = { 0 };

	if (cli_flag(c, "json"))
		return show_json(cli_json(c), f, &e) ? cli_fail(c, NULL, &e) : CLI_OK;
	show_text(f);
	return CLI_OK;
}

int emu_fab_finish(struct cli *c, struct fab **f, const struct fab_dates *dates)
{
	struct bawn_error e = { 0 };
	int rc = fab_publish(*f, dates, NULL, &e) ? cli_fail(c, NULL, &e) : CLI_OK;

	if (rc == 0 && cli_flag(c, "json"))
		rc = show(c, *f);
	fab_close(f);
	return rc;
}

static const struct cli_option show_options[] = { FAB_OPT_DIR, CLI_OPT_JSON, { 0 } };

static int run_show(struct cli *c)
{
	struct fab *f;
	int rc = emu_fab_open(c, false, &f);

	if (rc)
		return rc;
	rc = show(c, f);
	fab_close(&f);
	return rc;
}

static const struct cli_command cmd_show = {
	.name = "show",
	.summary = "tell about a fab, except its keys",
	.options = show_options,
	.run = run_show,
};

/* ---- create ---- */

#define OPT_ENCLAVES                                                                               \
	{ .name = "pce", .value = "ENCLAVE",                                                 \
	  .help = "the PCE of its platforms: a file, or MRSIGNER (create: else Bawn's)" },                     \
	{ .name = "pcesvn", .value = "N", .help = "its ISVSVN (default: the file's)" },            \
	{ .name = "qe", .value = "FILE", .help = "the quoting enclave that it vouches for (create: else Bawn's)" }

static const struct cli_option create_options[] = {
	FAB_OPT_DIR,
	OPT_ENCLAVES,
	{ .name = "names", .value = "emulated|intel",
	  .help = "whose names its certificates bear (default: emulated)" },
	{ .name = "ca", .value = "platform|processor",
	  .help = "which of Intel's CAs its certificates look like (default: platform)" },
	{ .name = "fmspc", .value = "HEX", .help = "its platforms' FMSPC, 12 digits" },
	{ .name = "url", .value = "URL", .help = "of the PCS that will serve it (default: https://localhost:8081)" },
	FAB_OPT_DATES,
	CLI_OPT_JSON,
	{ 0 }
};

/* Bawn's own enclave where none is named, if there is one. */
static const char *own_enclave(const char *name, char out[4096])
{
	return attester_enclave_path(name, out, 4096, NULL) == 0 ? out : NULL;
}

/* --pce and --pcesvn, where they are given; else, if wanted, our own. *found tells if there is one. */
static int take_pce(struct cli *c, bool own, uint8_t mrsigner[32], uint16_t *isvsvn, bool *found)
{
	char path[4096];
	const char *given = cli_value(c, "pce");
	struct emu_fab_enclave pce;
	uint64_t svn = *isvsvn;
	int rc;

	if (!given && own)
		given = own_enclave("provision", path);
	*found = given != NULL;
	if (given) {
		rc = emu_fab_enclave(c, "pce", true, given, &pce);
		if (rc)
			return rc;
		if (!pce.has_file && !cli_value(c, "pcesvn"))
			return cli_usage(c, "--pce with an MRSIGNER needs --pcesvn");
		memcpy(mrsigner, pce.mrsigner, 32);
		svn = pce.sigstruct.isvsvn;
	}
	rc = cli_number(c, "pcesvn", 0, UINT16_MAX, &svn);
	*isvsvn = (uint16_t)svn;
	return rc;
}

/* --qe, where it is given; else, if wanted, our own. has_file tells if there is one. */
static int take_qe(struct cli *c, bool own, struct emu_fab_enclave *qe)
{
	const char *given = cli_value(c, "qe");
	char path[4096];

	*qe = (struct emu_fab_enclave){ 0 };
	if (!given && own)
		given = own_enclave("quote", path);
	return given ? emu_fab_enclave(c, "qe", false, given, qe) : 0;
}

static void set_qe(struct fab *f, const struct emu_fab_enclave *qe, int64_t date)
{
	if (qe->has_file)
		fab_set_qe(f, &qe->sigstruct, date);
}

static bool chosen(const struct cli *c, const char *option, const char *word)
{
	const char *v = cli_value(c, option);

	return v && strcmp(v, word) == 0;
}

#define ROOT_DAYS (20 * 365)

static int run_create(struct cli *c)
{
	struct fab_options o = { .intel_names = chosen(c, "names", "intel"),
				 .processor_ca = chosen(c, "ca", "processor"),
				 .url = cli_value(c, "url") };
	uint8_t fmspc[6], mrsigner[32];
	struct emu_fab_enclave qe;
	struct fab_dates now = { 0 };
	struct bawn_error e = { 0 };
	struct fab *f = NULL;
	bool has_pce = false;
	char dir[4096];
	int rc = emu_fab_dir(c, dir);

	if (rc == 0)
		rc = emu_fab_dates(c, ROOT_DAYS, &o.dates);
	if (rc == 0)
		rc = cli_hex(c, "fmspc", fmspc, sizeof(fmspc));
	if (rc == 0)
		rc = take_pce(c, true, mrsigner, &o.pce_isvsvn, &has_pce);
	if (rc == 0)
		rc = take_qe(c, true, &qe);
	if (rc)
		return rc;
	o.fmspc = cli_value(c, "fmspc") ? fmspc : NULL;
	o.pce_mrsigner = has_pce ? mrsigner : NULL;
	if (fab_create(dir, &o, &e) || fab_open(&f, dir, true, &e))
		return cli_fail(c, NULL, &e);
	set_qe(f, &qe, o.dates.from);
	now.now = now.from = o.dates.from;
	now.until = now.from + EMU_FAB_COLLATERAL_DAYS * FAB_DAY;
	rc = fab_publish(f, &now, NULL, &e) ? cli_fail(c, NULL, &e) : show(c, f);
	fab_close(&f);
	return rc;
}

static const struct cli_command cmd_create = {
	.name = "create",
	.summary = "make a fab with fresh keys, and its first collateral",
	.details = "PCE and quoting enclave are Bawn's own unless others are named.\n"
		   "Refuses a directory that exists. Without --fab it is $BAWN_FAB, else\n"
		   "$XDG_STATE_HOME/bawn/fab, else ~/.local/state/bawn/fab.",
	.options = create_options,
	.run = run_create,
};

/* ---- vouch ---- */

static const struct cli_option vouch_options[] = {
	FAB_OPT_DIR, OPT_ENCLAVES, FAB_OPT_DATES, CLI_OPT_JSON, { 0 }
};

static int run_vouch(struct cli *c)
{
	struct emu_fab_enclave qe;
	struct fab_dates dates;
	struct fab *f;
	bool has_pce;
	int rc;

	if (!cli_value(c, "pce") && !cli_value(c, "qe") && !cli_value(c, "pcesvn"))
		return cli_usage(c, "give --pce or --qe");
	rc = emu_fab_begin(c, EMU_FAB_COLLATERAL_DAYS, &dates, &f);
	if (rc)
		return rc;
	rc = take_pce(c, false, f->pce_mrsigner, &f->pce_isvsvn, &has_pce);
	if (rc == 0)
		rc = take_qe(c, false, &qe);
	if (rc == 0) {
		set_qe(f, &qe, dates.from);
		return emu_fab_finish(c, &f, &dates);
	}
	fab_close(&f);
	return rc;
}

static const struct cli_command cmd_vouch = {
	.name = "vouch",
	.summary = "take other enclaves as its platforms' PCE and quoting enclave",
	.details = "Certificates depend on the PCE's signer, so another PCE needs new ones. Another\n"
		   "quoting enclave starts with one level: its own ISVSVN, UpToDate.",
	.options = vouch_options,
	.run = run_vouch,
};

/* ---- publish ---- */

static const struct cli_option publish_options[] = {
	FAB_OPT_DIR, FAB_OPT_DATES,
	{ .name = "output", .value = "DIR", .letter = 'o', .help = "into this store of collateral, not the fab's own" },
	CLI_OPT_JSON, { 0 }
};

static int run_publish(struct cli *c)
{
	struct bawn_error e = { 0 };
	struct fab_dates dates;
	struct fab *f;
	int rc = emu_fab_begin(c, EMU_FAB_COLLATERAL_DAYS, &dates, &f);

	if (rc)
		return rc;
	if (cli_value(c, "output"))
		umask(022); /* it is for others to read, and its directories are made as they come */
	if (fab_publish(f, &dates, cli_value(c, "output"), &e))
		rc = cli_fail(c, NULL, &e);
	else if (cli_flag(c, "json"))
		rc = show(c, f);
	fab_close(&f);
	return rc;
}

static const struct cli_command cmd_publish = {
	.name = "publish",
	.summary = "sign the collateral anew, with other dates if wanted",
	.options = publish_options,
	.run = run_publish,
};

/* ---- revoke ---- */

static const struct cli_option revoke_options[] = {
	FAB_OPT_DIR,
	{ .name = "pck-ca", .help = "revoke the CA of PCK certificates" },
	{ .name = "tcb-signer", .help = "revoke the signer of TCB info and QE identity" },
	{ .name = "root", .help = "have the root revoke itself" },
	{ .name = "lift", .help = "take back instead" },
	FAB_OPT_DATES, CLI_OPT_JSON, { 0 }
};

static int revoke_one(struct cli *c, struct fab *f, const char *text, struct fab_revocation when)
{
	uint8_t serial[FAB_SERIAL];

	if (!hex_decode(text, strlen(text), serial, sizeof(serial)))
		return cli_usage(c, "not a serial number, %d hexadecimal digits: %.80s", 2 * FAB_SERIAL, text);
	for (uint32_t i = 0; i < f->certificate_count; i++)
		if (memcmp(f->certificate[i].serial, serial, sizeof(serial)) == 0) {
			f->certificate[i].revoked = when;
			return 0;
		}
	cli_warn(c, text, "this fab has issued no such certificate: see `bawn emu fab show`");
	return CLI_FAILURE;
}

static int run_revoke(struct cli *c)
{
	const char *const own[FAB_AUTHORITIES] = { "root", "pck-ca", "tcb-signer" };
	struct fab_dates dates;
	struct fab *f;
	struct fab_revocation when;
	bool any = c->argc > 0;
	int rc;

	for (int i = 0; i < FAB_AUTHORITIES; i++)
		any |= cli_flag(c, own[i]);
	if (!any)
		return cli_usage(c, "name a certificate by its serial number, or --pck-ca, --tcb-signer, --root");
	rc = emu_fab_begin(c, EMU_FAB_COLLATERAL_DAYS, &dates, &f);
	if (rc)
		return rc;
	when = (struct fab_revocation){ .is = !cli_flag(c, "lift"), .since = dates.from };
	for (unsigned i = 0; i < c->argc && rc == 0; i++)
		rc = revoke_one(c, f, c->argv[i], when);
	for (int i = 0; i < FAB_AUTHORITIES; i++)
		if (cli_flag(c, own[i]))
			f->revoked[i] = when;
	if (rc == 0)
		return emu_fab_finish(c, &f, &dates);
	fab_close(&f);
	return rc;
}

static const struct cli_command cmd_revoke = {
	.name = "revoke",
	.summary = "put certificates into the revocation lists",
	.operands = "[SERIAL...]",
	.options = revoke_options,
	.max = CLI_ANY,
	.run = run_revoke,
};

static const struct cli_command *const verbs[] = {
	&cmd_create, &cmd_show, &cmd_vouch, &cmd_emu_fab_issue, &cmd_emu_fab_pck,
	&cmd_emu_fab_level, &cmd_revoke, &cmd_publish, NULL,
};

const struct cli_command cmd_emu_fab = {
	.name = "fab",
	.summary = "vouch for emulated platforms, as Intel does for processors",
	.details = "All that a fab signs says that it is for emulated platforms, which protect nothing.",
	.verbs = verbs,
};
