/* bawn launch: tokens and white lists, where launch control is locked to a launch enclave. */
#include "attester/attester.h"
#include "cli/show.h"
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 65536u

static int read_whole(struct cli *c, const char *path, size_t max, uint8_t **p, size_t *n)
{
	struct bawn_error e = { 0 };

	return io_read_file(path, max, p, n, &e) ? cli_fail(c, path, &e) : 0;
}

/* ---- whitelist create ---- */

static const struct cli_option create_options[] = {
	{ .name = "root-key", .value = "FILE", .help = "the root's private key, P-256, PEM: bawn sign --p256 --new-key" },
	{ .name = "provider-key", .value = "FILE", .help = "the provider's, which signs the list (default: the root's)" },
	{ .name = "type", .value = "launch|provision", .help = "who may launch (default), or have PROVISION_KEY" },
	{ .name = "list-version", .value = "N", .help = "of the list: a launch enclave takes only a higher one than it has" },
	{ .name = "product", .value = "N", .help = "ISVPRODID of the launch enclave it is for (default: 32)" },
	{ .name = "any", .help = "every signer may launch" },
	{ .name = "output", .value = "FILE", .letter = 'o', .help = "where the list goes; -: standard output" },
	CLI_OPT_JSON,
	{ 0 }
};

/* A P-256 private key's scalar from a PEM file. */
static int read_key(struct cli *c, const char *path, uint8_t d[32])
{
	struct bawn_error e = { 0 };
	struct crypto_key *key = NULL;
	uint8_t *pem, xy[64];
	size_t n;
	int rc = read_whole(c, path, KEY_MAX, &pem, &n);

	if (rc)
		return rc;
	if (crypto_key_from_pem(&key, pem, n, &e) || crypto_key_p256(key, d, xy, &e))
		rc = cli_fail(c, path, &e);
	crypto_key_free(&key);
	wipe(pem, n);
	free(pem);
	return rc;
}

/* MRSIGNER, as 64 digits or of a signed enclave file. */
static int read_signer(struct cli *c, const char *given, uint8_t mrsigner[32])
{
	const struct image_open_options any = { .any_version = true };
	struct bawn_error e = { 0 };
	struct image *im;
	bool is_signed;

	if (hex_decode(given, strlen(given), mrsigner, 32))
		return 0;
	if (image_open(&im, given, &any, &e))
		return cli_fail(c, given, &e);
	is_signed = im->has_sigstruct;
	image_mrsigner(&im->sigstruct, mrsigner);
	image_free(&im);
	if (is_signed)
		return 0;
	cli_warn(c, given, "it is not signed, so it has no MRSIGNER");
	return CLI_FAILURE;
}

static void list_members(const struct show *s, const struct ae_white_list *l)
{
	char signer[65];

	show_word(s, "type", "type", l->type == AE_LIST_PROVISION ? "provision" : "launch");
	show_number(s, "version", "version", l->version);
	show_number(s, "product", "launch enclave's product", l->product);
	show_flag(s, "any", "every signer", l->any);
	show_hex(s, "provider", "provider's key", l->provider, sizeof(l->provider));
	if (s->json)
		json_open(s->json, "signers", '[');
	for (uint32_t i = 0; i < l->count; i++) {
		hex_encode(l->signers + 32 * (size_t)i, 32, signer);
		show_word(s, NULL, "signer", signer);
	}
	if (s->json)
		json_close(s->json, ']');
}

static int write_list(struct cli *c, const struct ae_white_list *list, const uint8_t root[32],
		      const uint8_t provider[32])
{
	struct show s = { .json = NULL };
	struct ae_white_list made;
	struct bawn_error e = { 0 };
	struct buf out;
	int rc = CLI_OK;

	buf_init(&out, AE_WHITE_LIST_MAX);
	if (ae_white_list_sign(list, root, provider, &out, &e) || ae_white_list_parse(out.p, out.n, &made, &e))
		rc = cli_fail(c, NULL, &e);
	else
		rc = cli_deliver(c, out.p, out.n);
	if (rc == 0 && cli_flag(c, "json")) {
		s.json = cli_json(c);
		json_open(s.json, NULL, '{');
		list_members(&s, &made);
		json_close(s.json, '}');
	}
	buf_free(&out);
	return rc;
}

static int read_keys(struct cli *c, uint8_t root[32], uint8_t provider[32])
{
	const char *other = cli_value(c, "provider-key");
	int rc;

	if (!cli_value(c, "root-key") || !cli_value(c, "output") || !cli_value(c, "list-version"))
		return cli_usage(c, "--root-key, --list-version and -o must be given");
	if (cli_flag(c, "json") && !cli_output(c))
		return cli_usage(c, "with --json the list has to go to a file: -o FILE");
	rc = read_key(c, cli_value(c, "root-key"), root);
	if (rc == 0 && other)
		rc = read_key(c, other, provider);
	else if (rc == 0)
		memcpy(provider, root, 32);
	return rc;
}

static int run_create(struct cli *c)
{
	uint64_t version = 0, product = AE_LIST_PRODUCT;
	const char *type = cli_value(c, "type");
	struct ae_white_list list = { .any = cli_flag(c, "any") };
	uint8_t root[32] = { 0 }, provider[32] = { 0 }, *signers;
	int rc = cli_number(c, "list-version", 0, UINT32_MAX, &version);

	if (rc == 0)
		rc = cli_number(c, "product", 0, UINT16_MAX, &product);
	list.type = type && strcmp(type, "provision") == 0 ? AE_LIST_PROVISION : AE_LIST_LAUNCH;
	if (rc == 0 && list.any && list.type == AE_LIST_PROVISION)
		return cli_usage(c, "PROVISION_KEY is for named signers: no --any");
	if (rc == 0 && !list.any && c->argc == 0)
		return cli_usage(c, "no signer is named; --any is for all of them");
	if (rc == 0 && c->argc + list.any > AE_LIST_ENTRIES_MAX)
		return cli_usage(c, "a list has %u signers at most", AE_LIST_ENTRIES_MAX);
	if (rc == 0)
		rc = read_keys(c, root, provider);
	/* A first entry of zeros is what stands for all signers. */
	signers = rc == 0 ? calloc((size_t)c->argc + 1, 32) : NULL;
	for (unsigned i = 0; rc == 0 && signers && i < c->argc; i++)
		rc = read_signer(c, c->argv[i], signers + 32 * (size_t)(i + list.any));
	list.version = (uint32_t)version;
	list.product = (uint16_t)product;
	list.count = c->argc + list.any;
	list.signers = signers;
	if (rc == 0)
		rc = signers ? write_list(c, &list, root, provider) : CLI_FAILURE;
	wipe(root, sizeof(root));
	wipe(provider, sizeof(provider));
	free(signers);
	return rc;
}

static const struct cli_command cmd_create = {
	.name = "create",
	.summary = "make and sign a white list",
	.operands = "[SIGNER...]",
	.details = "A signer is MRSIGNER in 64 digits, or a signed enclave file.",
	.options = create_options,
	.max = CLI_ANY,
	.run = run_create,
};

/* ---- whitelist show ---- */

enum { EXIT_DOES_NOT_HOLD = 3 };

static const struct cli_option show_options[] = {
	{ .name = "root", .value = "FILE", .help = "the root's key, PEM or 128 digits of the public one: check the signatures" },
	CLI_OPT_JSON,
	{ 0 }
};

static int public_point(const uint8_t *pem, size_t n, uint8_t xy[64], struct bawn_error *e)
{
	struct crypto_key *key = NULL;
	int rc = crypto_key_from_public_pem(&key, pem, n, e);

	if (rc == 0)
		rc = crypto_key_p256_public(key, xy, e);
	crypto_key_free(&key);
	return rc;
}

/* Out of the private key, as `bawn sign --p256 --new-key` writes it. */
static int private_point(const uint8_t *pem, size_t n, uint8_t xy[64], struct bawn_error *e)
{
	struct crypto_key *key = NULL;
	uint8_t d[32];
	int rc = crypto_key_from_pem(&key, pem, n, e);

	if (rc == 0)
		rc = crypto_key_p256(key, d, xy, e);
	wipe(d, sizeof(d));
	crypto_key_free(&key);
	return rc;
}

static bool digits(const uint8_t *text, size_t n, uint8_t xy[64])
{
	while (n && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' '))
		n--;
	return hex_decode((const char *)text, n, xy, 64);
}

/* The public point of a key in whatever form people have it. */
static int read_root(struct cli *c, const char *path, uint8_t xy[64])
{
	struct bawn_error e = { 0 };
	uint8_t *text;
	size_t n;
	int rc = read_whole(c, path, KEY_MAX, &text, &n);

	if (rc)
		return rc;
	if (memmem(text, n, "PRIVATE KEY-----", 16))
		rc = private_point(text, n, xy, &e);
	else if (memmem(text, n, "PUBLIC KEY-----", 15))
		rc = public_point(text, n, xy, &e);
	else if (!digits(text, n, xy))
		rc = err_set(&e, BAWN_ERR_FORMAT,
			     "no P-256 key: neither PEM (public, or as `bawn sign --p256 --new-key` makes it) nor 128 digits");
	wipe(text, n);
	free(text);
	return rc ? cli_fail(c, path, &e) : 0;
}

static int show_list(struct cli *c, const uint8_t *file, size_t n)
{
	struct show s = { .json = cli_flag(c, "json") ? cli_json(c) : NULL };
	const char *root = cli_value(c, "root");
	struct ae_white_list list;
	struct bawn_error e = { 0 };
	uint8_t xy[64];
	bool holds = false;
	int rc = root ? read_root(c, root, xy) : 0;

	if (rc)
		return rc;
	if (ae_white_list_parse(file, n, &list, &e)) {
		cli_foreign(file, n, CLI_KIND_WHITE_LIST, &e);
		if (s.json) {
			json_open(s.json, NULL, '{');
			json_string(s.json, "error", e.msg);
			json_close(s.json, '}');
		}
		return cli_fail(c, c->argv[0], &e);
	}
	if (root)
		holds = ae_white_list_verify(file, n, xy, &e) == 0;
	if (s.json)
		json_open(s.json, NULL, '{');
	list_members(&s, &list);
	if (root)
		show_word(&s, "signatures", "signatures", holds ? "hold" : e.msg);
	else
		show_word(&s, "signatures", "signatures", "not checked: give --root");
	if (s.json)
		json_close(s.json, '}');
	return !root || holds ? CLI_OK : EXIT_DOES_NOT_HOLD;
}

static int run_show(struct cli *c)
{
	uint8_t *file;
	size_t n;
	int rc = read_whole(c, c->argv[0], AE_WHITE_LIST_MAX, &file, &n);

	if (rc)
		return rc;
	rc = show_list(c, file, n);
	free(file);
	return rc;
}

static const struct cli_command cmd_show = {
	.name = "show",
	.summary = "what a white list says, and whether its signatures hold",
	.operands = "FILE",
	.details = "Exits 3 if a signature does not hold.",
	.options = show_options,
	.min = 1,
	.max = 1,
	.run = run_show,
};

static const struct cli_command *const whitelist_verbs[] = { &cmd_create, &cmd_show, NULL };
static const struct cli_command cmd_whitelist = {
	.name = "whitelist",
	.summary = "make and look into lists of signers",
	.verbs = whitelist_verbs,
};

/* ---- token ---- */

static const struct cli_option token_options[] = {
	{ .name = "launch", .value = "FILE", .help = "the launch enclave (default: Bawn's)" },
	{ .name = "launch-sigstruct", .value = "FILE", .help = "the launch enclave's signature, instead of its file's own" },
	{ .name = "sigstruct", .value = "FILE", .help = "ENCLAVE's signature, instead of its file's own" },
	{ .name = "white-list", .value = "FILE", .help = "a list for it; may be repeated, one of each type" },
	{ .name = "debug", .help = "for the enclave with ATTRIBUTES.DEBUG" },
	CLI_OPT_DEVICE,
	CLI_OPT_PLATFORM,
	{ .name = "allow-development", .help = "hardware: take a launch enclave that a development key signed" },
	{ .name = "output", .value = "FILE", .letter = 'o', .help = "where the token goes; -: standard output" },
	CLI_OPT_JSON,
	{ 0 }
};

static int give_lists(struct cli *c, struct ae_desk *desk)
{
	const char *path;
	uint8_t *file;
	size_t n;
	int rc = 0;

	for (size_t i = 0; rc == 0 && (path = cli_value_at(c, "white-list", i)); i++) {
		struct bawn_error e = { 0 };

		rc = read_whole(c, path, AE_WHITE_LIST_MAX, &file, &n);
		if (rc)
			break;
		if (ae_desk_white_list(desk, file, n, &e))
			rc = cli_fail(c, path, &e);
		free(file);
	}
	return rc;
}

static int print_token(struct cli *c, const struct ae_identity *who, const struct isa_einittoken *t, bool emulated)
{
	const struct show s = { .json = cli_json(c) };

	json_open(s.json, NULL, '{');
	json_bool(s.json, "emulated", emulated);
	show_hex(&s, "mrenclave", NULL, who->mrenclave, 32);
	show_hex(&s, "mrsigner", NULL, who->mrsigner, 32);
	show_hex(&s, "attributes", NULL, &who->attributes, sizeof(who->attributes));
	show_hex(&s, "cpusvn", NULL, t->cpusvnle, sizeof(t->cpusvnle));
	json_u64(s.json, "launch_isvsvn", t->isvsvnle);
	show_hex(&s, "token", NULL, t, sizeof(*t));
	json_close(s.json, '}');
	return CLI_OK;
}

/* The launch enclave is loaded, and asked. */
static int ask(struct cli *c, struct ae_desk *desk, const struct ae_source *source)
{
	struct bawn_enclave_info le;
	struct isa_einittoken token;
	struct ae_identity who;
	struct bawn_error e = { 0 };
	int rc;

	if (source->identify(source->arg, AE_QUOTE, &who, &e))
		return cli_fail(c, c->argv[0], &e);
	if (cli_flag(c, "debug"))
		who.attributes.flags |= ATTR_DEBUG;
	rc = give_lists(c, desk);
	if (rc)
		return rc;
	if (ae_desk_enclave(desk, AE_LAUNCH, &le, &e) || ae_desk_token(desk, &who, &token, &e))
		return cli_fail(c, c->argv[0], &e);
	rc = cli_deliver(c, &token, sizeof(token));
	return rc == CLI_OK && cli_flag(c, "json") ? print_token(c, &who, &token, le.emulated) : rc;
}

/* The SIGSTRUCT that an option names, malloc'd; NULL without the option. */
static int read_sigstruct(struct cli *c, const char *option, uint8_t **out)
{
	const char *path = cli_value(c, option);
	size_t n;
	int rc;

	*out = NULL;
	if (!path)
		return CLI_OK;
	rc = read_whole(c, path, sizeof(struct isa_sigstruct), out, &n);
	if (rc == CLI_OK && n != sizeof(struct isa_sigstruct)) {
		cli_warn(c, path, "a SIGSTRUCT has %zu bytes, this file %zu", sizeof(struct isa_sigstruct), n);
		free(*out);
		*out = NULL;
		rc = CLI_FAILURE;
	}
	return rc;
}

static int run_token(struct cli *c)
{
	/* The desk's source can say what any enclave file will be: this one stands where the quoting enclave would. */
	struct ae_files files = { .device = cli_value(c, "device"), .platform = cli_value(c, "platform"),
				  .allow_development = cli_flag(c, "allow-development"),
				  .enclave = { [AE_LAUNCH] = { .path = cli_value(c, "launch") },
					       [AE_QUOTE] = { .path = c->argv[0] } } };
	struct ae_desk_options opt = { .source = ae_files_source(&files), .keep_ms = { [AE_LAUNCH] = AE_KEEP } };
	struct bawn_error e = { 0 };
	struct ae_desk *desk = NULL;
	uint8_t *launch = NULL, *enclave = NULL;
	char found[4096];
	int rc;

	if (!cli_value(c, "output") && !cli_flag(c, "json"))
		return cli_usage(c, "where to? Give -o FILE, or --json");
	if (!files.enclave[AE_LAUNCH].path) {
		if (attester_enclave_path("launch", found, sizeof(found), &e))
			return cli_fail(c, NULL, &e);
		files.enclave[AE_LAUNCH].path = found;
	}
	rc = read_sigstruct(c, "launch-sigstruct", &launch);
	if (rc == CLI_OK)
		rc = read_sigstruct(c, "sigstruct", &enclave);
	files.enclave[AE_LAUNCH].sigstruct = launch;
	files.enclave[AE_QUOTE].sigstruct = enclave;
	if (rc == CLI_OK && ae_desk_new(&desk, &opt, &e))
		rc = cli_fail(c, NULL, &e);
	if (rc == CLI_OK)
		rc = ask(c, desk, &opt.source);
	ae_desk_free(&desk);
	free(launch);
	free(enclave);
	return rc;
}

static const struct cli_command cmd_token = {
	.name = "token",
	.summary = "have the launch enclave issue a token for an enclave",
	.operands = "ENCLAVE",
	.details = "The launch enclave's signer must be the one that launch control is locked to.",
	.options = token_options,
	.min = 1,
	.max = 1,
	.run = run_token,
};

static const struct cli_command *const verbs[] = { &cmd_token, &cmd_whitelist, NULL };

const struct cli_command cmd_launch = {
	.name = "launch",
	.summary = "launch tokens and white lists, where launch control is locked",
	.verbs = verbs,
};
