/*
 * no-asan: runs enclaves, whose traps AddressSanitizer does not understand
 *
 * Launch enclaves on platforms that are locked to their signer: ours, and
 * Intel's signed one with its own white list where BAWN_CONFORMANCE has them.
 * Both issue tokens that EINIT takes, and refuse the same.
 */
#include "image/image.h"
#include "tests/ae/kit.h"

#include <unistd.h>

struct world {
	const char *dir;
	struct bawn_enclave *le;
	bool ours;
};

static const struct isa_attributes production = { ATTR_MODE64BIT, XFRM_X87_SSE };
static const struct isa_attributes debug = { ATTR_MODE64BIT | ATTR_DEBUG, XFRM_X87_SSE };

/* ---- identities ---- */

static bool identity(const char *path, const void *css, struct ae_identity *out)
{
	struct image_open_options opt = { .edmm = true };
	struct image *im = NULL;
	struct bawn_error e = { 0 };
	bool good = image_open(&im, path, &opt, &e) == 0;

	if (good && css)
		memcpy(&im->sigstruct, css, sizeof(im->sigstruct));
	if (good) {
		memcpy(out->mrenclave, im->sigstruct.enclavehash, 32);
		image_mrsigner(&im->sigstruct, out->mrsigner);
		out->attributes = im->attributes;
	}
	kit_say(&e);
	image_free(&im);
	return good;
}

static int ask(struct world *w, const struct ae_identity *who, const struct isa_attributes *a,
	       struct isa_einittoken *token, struct bawn_error *e)
{
	return ae_launch_token(w->le, who->mrenclave, who->mrsigner, a, token, e);
}

/* What EINIT makes of an enclave with this token; its status, or UINT32_MAX. */
static uint32_t einit(struct world *w, const char *name, bool as_debug, const void *token)
{
	struct bawn_options opt = { .device = "emulated", .platform = w->dir, .debug = as_debug,
				    .token = token };
	struct bawn_enclave *en = NULL;
	struct bawn_error e = { 0 };
	int rc = bawn_enclave_load(&en, name, &opt, &e);

	bawn_enclave_free(&en);
	if (rc == 0)
		return 0;
	return rc == BAWN_ERR_SGX ? e.sgx_status : UINT32_MAX;
}

/* ---- what both do ---- */

static void test_before_list(struct world *w, const struct ae_identity *witness)
{
	struct isa_einittoken t;
	struct bawn_error e = { 0 };

	kit_refused(ask(w, witness, &production, &t, &e), &e, AE_LE_WHITELIST_UNINITIALIZED_ERROR,
		    "a production enclave, without a list");
	is_int(ask(w, witness, &debug, &t, &e), 0, "a debug enclave needs none");
	kit_say(&e);
}

static void test_attributes(struct world *w, const struct ae_identity *witness)
{
	static const uint64_t bad[] = { 0x8, 0x800, UINT64_C(1) << 63, ATTR_EINITTOKEN_KEY };
	struct isa_einittoken t;
	struct isa_attributes a;
	struct bawn_error e = { 0 };
	char what[64];

	/* Intel's would give a token to another enclave with the key of tokens, which EINIT refuses. */
	for (size_t i = 0; i < ARRAY_LEN(bad) - !w->ours; i++) {
		a = debug;
		a.flags |= bad[i];
		snprintf(what, sizeof(what), "attribute 0x%llx", (unsigned long long)bad[i]);
		kit_refused(ask(w, witness, &a, &t, &e), &e, AE_LE_INVALID_ATTRIBUTE, what);
	}
	a = debug;
	a.flags |= ATTR_PROVISIONKEY;
	kit_refused(ask(w, witness, &a, &t, &e), &e, AE_LE_INVALID_ATTRIBUTE,
		    "PROVISION_KEY for a signer that is not listed for it");
	a = production;
	a.flags |= ATTR_PROVISIONKEY;
	kit_refused(ask(w, witness, &a, &t, &e), &e, AE_LE_INVALID_ATTRIBUTE, "in production neither");
}

static void test_einit(struct world *w, const char *path, const struct ae_identity *who)
{
	struct isa_einittoken t, bad;
	struct isa_attributes other = debug;
	struct bawn_error e = { 0 };

	is_int(einit(w, path, true, NULL), ISA_INVALID_EINITTOKEN, "without a token EINIT refuses");
	is_int(ask(w, who, &debug, &t, &e), 0, "a token for it");
	kit_say(&e);
	is_int(einit(w, path, true, &t), 0, "with it EINIT accepts");
	ok(ae_token_parse(&t, sizeof(t), &bad, &e) == 0 && !memcmp(&bad, &t, sizeof(t)),
	   "it is well formed");
	bad.mac[3] ^= 4;
	is_int(einit(w, path, true, &bad), ISA_INVALID_EINITTOKEN, "not with a damaged MAC");
	bad = t;
	bad.keyid[0] ^= 1;
	is_int(einit(w, path, true, &bad), ISA_INVALID_EINITTOKEN, "nor another KEYID");
	is_int(einit(w, path, false, &t), ISA_INVALID_ATTRIBUTE, "nor for other attributes");
	is_int(einit(w, kit_path("witness-unbound"), true, &t), ISA_INVALID_MEASUREMENT,
	       "nor for another enclave");
	other.xfrm = 7;
	is_int(ask(w, who, &other, &t, &e), 0, "a token for XFRM 7");
	is_int(einit(w, path, true, &t), ISA_INVALID_ATTRIBUTE, "is none for XFRM 3");
}

static void test_unlisted(struct world *w, const struct ae_identity *witness)
{
	struct isa_einittoken t;
	struct bawn_error e = { 0 };

	kit_refused(ask(w, witness, &production, &t, &e), &e, AE_LE_INVALID_PRIVILEGE_ERROR,
		    "a production enclave of a signer that is not on the list");
	is_int(ask(w, witness, &debug, &t, &e), 0, "in debug mode it may run");
	kit_say(&e);
}

/* ---- lists of our own ---- */

static uint8_t root_d[32], root_xy[64], provider_d[32];

static bool root_key(void)
{
	const char *build = getenv("BUILD");
	struct crypto_key *key = NULL;
	struct bawn_error e = { 0 };
	char path[256];
	uint8_t *pem = NULL;
	size_t n;
	bool good;

	snprintf(path, sizeof(path), "%s/keys/launch-root.pem", build ? build : "build");
	if (access(path, R_OK) != 0) {
		skip("the build tree's keys are another user's");
		return false;
	}
	good = io_read_file(path, 4096, &pem, &n, &e) == 0 && crypto_key_from_pem(&key, pem, n, &e) == 0 &&
	       crypto_key_p256(key, root_d, root_xy, &e) == 0;
	crypto_sha256("a provider", 10, provider_d);
	ok(good, "the build's root for white lists");
	kit_say(&e);
	crypto_key_free(&key);
	free(pem);
	return good;
}

static void make_list(struct buf *b, uint16_t type, uint16_t product, uint32_t version,
		      const void *signers, uint32_t count, const uint8_t root[32])
{
	struct ae_white_list l = { .type = type, .product = product, .version = version, .count = count,
				   .signers = signers };
	struct bawn_error e = { 0 };

	buf_free(b);
	buf_init(b, AE_WHITE_LIST_MAX);
	if (ae_white_list_sign(&l, root, provider_d, b, &e)) {
		ok(false, "a list is made");
		kit_say(&e);
	}
}

/* Sign anew what was changed in the list's part. */
static void resign(struct buf *b)
{
	uint8_t digest[32];

	crypto_sha256(b->p + 136, b->n - 136 - 64, digest);
	crypto_p256_sign(provider_d, digest, b->p + b->n - 64, NULL);
}

static void test_bad_lists(struct world *w, const struct ae_identity *who)
{
	static const struct {
		size_t at;
		uint32_t answer;
		const char *what;
	} bad[] = {
		{ 1, AE_LE_INVALID_PARAMETER, "the certificate's version" },
		{ 3, AE_LE_INVALID_PARAMETER, "its type" },
		{ 5, AE_LE_INVALID_PARAMETER, "its provider" },
		{ 7, AE_LE_INVALID_PARAMETER, "its root" },
		{ 9, AE_LE_LIST_SIGNATURE, "the provider's key" },
		{ 80, AE_LE_LIST_SIGNATURE, "the root's signature" },
		{ 137, AE_LE_INVALID_PARAMETER, "the list's version" },
		{ 141, AE_LE_INVALID_PARAMETER, "its provider" },
		{ 143, AE_LE_LIST_SIGNATURE, "its product, unsigned" },
		{ 147, AE_LE_LIST_SIGNATURE, "its number, unsigned" },
		{ 151, AE_LE_INVALID_PARAMETER, "its count" },
		{ 152, AE_LE_LIST_SIGNATURE, "a signer" },
		{ 190, AE_LE_LIST_SIGNATURE, "the provider's signature" },
	};
	uint8_t other_root[32];
	struct bawn_error e = { 0 };
	struct buf b = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		make_list(&b, AE_LIST_LAUNCH, AE_LIST_PRODUCT, 9, who->mrsigner, 1, root_d);
		b.p[bad[i].at] ^= 1;
		kit_refused(ae_launch_white_list(w->le, b.p, b.n, &e), &e, bad[i].answer, bad[i].what);
		ok(ae_white_list_verify(b.p, b.n, root_xy, NULL) != 0, "outside it is refused too");
	}
	make_list(&b, AE_LIST_LAUNCH, AE_LIST_PRODUCT, 9, who->mrsigner, 1, root_d);
	kit_refused(ae_launch_white_list(w->le, b.p, b.n - 1, &e), &e, AE_LE_INVALID_PARAMETER, "a byte less");
	buf_add(&b, "", 1);
	kit_refused(ae_launch_white_list(w->le, b.p, b.n, &e), &e, AE_LE_INVALID_PARAMETER, "a byte more");
	b.n--;
	b.p[139] = 3;
	resign(&b);
	kit_refused(ae_launch_white_list(w->le, b.p, b.n, &e), &e, AE_LE_INVALID_PARAMETER,
		    "a list of no known type");
	make_list(&b, AE_LIST_LAUNCH, 0x21, 9, who->mrsigner, 1, root_d);
	kit_refused(ae_launch_white_list(w->le, b.p, b.n, &e), &e, AE_LE_LIST_PRODUCT,
		    "a list for another launch enclave");
	crypto_sha256("another root", 12, other_root);
	make_list(&b, AE_LIST_LAUNCH, AE_LIST_PRODUCT, 9, who->mrsigner, 1, other_root);
	kit_refused(ae_launch_white_list(w->le, b.p, b.n, &e), &e, AE_LE_LIST_SIGNATURE,
		    "a list below another root");
	is_int(ae_launch_white_list(w->le, b.p, AE_WHITE_LIST_MAX + 1, &e), BAWN_ERR_FORMAT,
	       "the driver refuses what is too large");
	buf_free(&b);
}

static void test_lists(struct world *w, const struct ae_identity *witness,
		       const struct ae_identity *other)
{
	static uint8_t many[AE_LIST_ENTRIES_MAX][32];
	struct isa_einittoken t;
	struct bawn_error e = { 0 };
	struct buf b = { 0 };

	make_list(&b, AE_LIST_LAUNCH, AE_LIST_PRODUCT, 3, other->mrsigner, 1, root_d);
	is_int(ae_launch_white_list(w->le, b.p, b.n, &e), 0, "version 3 with another signer");
	kit_say(&e);
	kit_refused(ae_launch_white_list(w->le, b.p, b.n, &e), &e, AE_LE_WHITE_LIST_ALREADY_UPDATED,
		    "version 3 again");
	test_unlisted(w, witness);
	is_int(ask(w, other, &production, &t, &e), 0, "the listed signer's runs in production");
	make_list(&b, AE_LIST_LAUNCH, AE_LIST_PRODUCT, 2, witness->mrsigner, 1, root_d);
	kit_refused(ae_launch_white_list(w->le, b.p, b.n, &e), &e, AE_LE_WHITE_LIST_ALREADY_UPDATED,
		    "version 2");
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		memset(many[i], (int)(i % 255) + 1, 32);
	memcpy(many[AE_LIST_ENTRIES_MAX - 1], witness->mrsigner, 32);
	make_list(&b, AE_LIST_LAUNCH, AE_LIST_PRODUCT, 4, many, AE_LIST_ENTRIES_MAX, root_d);
	is_int(ae_launch_white_list(w->le, b.p, b.n, &e), 0, "version 4 with 2048 signers");
	is_int(ask(w, witness, &production, &t, &e), 0, "of which the last is ours");
	is_int(einit(w, kit_path("witness"), false, &t), 0, "EINIT accepts it in production");
	kit_refused(ask(w, other, &production, &t, &e), &e, AE_LE_INVALID_PRIVILEGE_ERROR,
		    "whose signer is no longer on the list");
	memset(many[0], 0, 32);
	make_list(&b, AE_LIST_LAUNCH, AE_LIST_PRODUCT, 5, many, 2, root_d);
	is_int(ae_launch_white_list(w->le, b.p, b.n, &e), 0, "version 5 begins with zeros");
	is_int(ask(w, other, &production, &t, &e), 0, "which stands for everybody");
	buf_free(&b);
}

static void test_provision_list(struct world *w, const struct ae_identity *provision)
{
	const struct isa_attributes a = { ATTR_MODE64BIT | ATTR_PROVISIONKEY, XFRM_X87_SSE };
	uint8_t signers[2][32] = { { 0 } };
	struct isa_einittoken t;
	struct bawn_error e = { 0 };
	struct buf b = { 0 };

	kit_refused(ask(w, provision, &a, &t, &e), &e, AE_LE_INVALID_ATTRIBUTE,
		    "everybody does not mean PROVISION_KEY");
	make_list(&b, AE_LIST_PROVISION, AE_LIST_PRODUCT, 1, signers, 2, root_d);
	is_int(ae_launch_white_list(w->le, b.p, b.n, &e), 0, "a provision list of zeros");
	kit_refused(ask(w, provision, &a, &t, &e), &e, AE_LE_INVALID_ATTRIBUTE, "does not either");
	memcpy(signers[1], provision->mrsigner, 32);
	make_list(&b, AE_LIST_PROVISION, AE_LIST_PRODUCT, 2, signers, 2, root_d);
	is_int(ae_launch_white_list(w->le, b.p, b.n, &e), 0, "a provision list with the signer");
	is_int(ask(w, provision, &a, &t, &e), 0, "the provision enclave may have it");
	is_int(einit(w, kit_path("provision"), false, &t), 0, "and EINIT accepts it");
	make_list(&b, AE_LIST_PROVISION, AE_LIST_PRODUCT, 2, signers, 1, root_d);
	kit_refused(ae_launch_white_list(w->le, b.p, b.n, &e), &e, AE_LE_WHITE_LIST_ALREADY_UPDATED,
		    "provision lists have versions of their own");
	buf_free(&b);
}

/* A desk finds out by itself that tokens are needed, and keeps lists for the next launch enclave. */
static void test_desk(const char *dir, const struct ae_identity *provision)
{
	struct ae_files files = { .device = "emulated", .platform = dir };
	struct ae_desk_options opt = { .source = ae_files_source(&files),
				       .keep_ms = { [AE_PROVISION] = AE_KEEP } };
	struct bawn_enclave_info info;
	struct ae_desk_state state;
	struct bawn_error e = { 0 };
	struct ae_desk *d = NULL;
	struct buf b = { 0 };
	struct isa_einittoken t;

	files.enclave[AE_LAUNCH].path = kit_path("launch");
	files.enclave[AE_PROVISION].path = kit_path("provision");
	is_int(ae_desk_new(&d, &opt, &e), 0, "a desk on a locked platform");
	is_int(ae_desk_enclave(d, AE_PROVISION, &info, &e), BAWN_ERR_SYSTEM,
	       "the provision enclave is not launched without a list");
	ok(strstr(e.msg, "no launch token for the provision enclave (which has PROVISION_KEY)"), "which is told by name");
	is_int(e.sgx_status, AE_LE_INVALID_ATTRIBUTE, "the launch enclave says why");
	e = (struct bawn_error){ 0 };
	make_list(&b, AE_LIST_PROVISION, AE_LIST_PRODUCT, 7, provision->mrsigner, 1, root_d);
	is_int(ae_desk_white_list(d, b.p, b.n, &e), 0, "a provision list");
	make_list(&b, AE_LIST_LAUNCH, AE_LIST_PRODUCT, 7, provision->mrsigner, 1, root_d);
	is_int(ae_desk_white_list(d, b.p, b.n, &e), 0, "and a launch list");
	is_int(ae_desk_enclave(d, AE_PROVISION, &info, &e), 0, "with them it is");
	kit_say(&e);
	is_mem(info.mrsigner, provision->mrsigner, 32, "by its own signer");
	is_int(ae_desk_token(d, provision, &t, &e), 0, "a token by the desk");
	ae_desk_state(d, &state);
	ok(state.enclave[AE_LAUNCH].loads > 2 && state.enclave[AE_LAUNCH].resident == 0,
	   "the launch enclave was loaded %llu times, with the lists, and is gone",
	   (unsigned long long)state.enclave[AE_LAUNCH].loads);
	ae_desk_free(&d);
	buf_free(&b);
}

static void test_ours(void)
{
	struct ae_identity le, witness, other, provision;
	struct cpu_platform_options locked = { .launch_locked = true, .lepubkeyhash = le.mrsigner };
	struct world w = { .ours = true };

	if (!ok(identity(kit_path("launch"), NULL, &le) && identity(kit_path("witness"), NULL, &witness) &&
			identity(kit_path("witness-other"), NULL, &other) &&
			identity(kit_path("provision"), NULL, &provision),
		"who is who") ||
	    !root_key())
		return;
	/* SECS will have no more than the CPU of the build machine: XFRM 3. */
	provision.attributes = (struct isa_attributes){ ATTR_MODE64BIT | ATTR_PROVISIONKEY, XFRM_X87_SSE };
	w.dir = kit_platform("locked", &locked);
	w.le = kit_load(kit_path("launch"), w.dir, false);
	if (!w.le)
		return;
	test_before_list(&w, &witness);
	test_attributes(&w, &witness);
	test_einit(&w, kit_path("witness"), &witness);
	test_bad_lists(&w, &witness);
	test_before_list(&w, &witness); /* none of them left a trace */
	test_lists(&w, &witness, &other);
	test_provision_list(&w, &provision);
	bawn_enclave_free(&w.le);
	test_desk(w.dir, &provision);
}

/* ---- Intel's ---- */

/* Intel's launch enclave for Intel's PCE, by way of a desk. */
static void test_services(struct world *w, const void *css, const void *list, size_t n)
{
	struct ae_files files = { .device = "emulated", .platform = w->dir };
	struct ae_desk_options opt = { .source = ae_files_source(&files),
				       .keep_ms = { [AE_PROVISION] = AE_KEEP } };
	struct bawn_enclave_info info;
	struct bawn_error e = { 0 };
	struct ae_desk *d = NULL;

	files.enclave[AE_LAUNCH].path = kit_real("libsgx_le.signed.so");
	files.enclave[AE_LAUNCH].sigstruct = css;
	files.enclave[AE_PROVISION].path = kit_real("libsgx_pce.signed.so");
	if (!files.enclave[AE_PROVISION].path) {
		skip("no libsgx_pce.signed.so");
		return;
	}
	is_int(ae_desk_new(&d, &opt, &e), 0, "a desk with Intel's enclaves");
	is_int(ae_desk_white_list(d, list, n, &e), 0, "its launch enclave takes Intel's list");
	is_int(ae_desk_enclave(d, AE_PROVISION, &info, &e), 0,
	       "and launches Intel's PCE, with PROVISION_KEY");
	kit_say(&e);
	ok(info.attributes & ATTR_PROVISIONKEY, "which it has");
	ae_desk_free(&d);
}

static void test_intel(void)
{
	uint8_t *css = NULL, *list = NULL, signer[32];
	size_t css_size = 0, list_size = 0;
	struct isa_sigstruct sig;
	struct cpu_platform_options locked = { .launch_locked = true, .lepubkeyhash = signer };
	struct bawn_options opt = { 0 };
	struct ae_identity witness;
	struct ae_white_list parsed;
	struct world w = { 0 };
	struct bawn_error e = { 0 };
	const char *path;

	if (!(path = kit_real("le_prod_css.bin")) || io_read_file(path, 4096, &css, &css_size, &e) ||
	    css_size != sizeof(sig) || !(path = kit_real("white_list_cert_to_be_verify.bin")) ||
	    io_read_file(path, AE_WHITE_LIST_MAX, &list, &list_size, &e) ||
	    !(path = kit_real("libsgx_le.signed.so"))) {
		skip("no Intel launch enclave with its production SIGSTRUCT and white list in BAWN_CONFORMANCE");
		free(css);
		free(list);
		return;
	}
	memcpy(&sig, css, sizeof(sig));
	image_mrsigner(&sig, signer);
	w.dir = kit_platform("intel", &locked);
	opt.sigstruct = css;
	w.le = kit_load_with(path, w.dir, &opt);
	if (w.le && identity(kit_path("witness"), NULL, &witness)) {
		test_before_list(&w, &witness);
		is_int(ae_white_list_parse(list, list_size, &parsed, &e), 0, "Intel's white list is one");
		ok(parsed.type == AE_LIST_LAUNCH && parsed.product == AE_LIST_PRODUCT,
		   "of type 1: version %u, %u signers", parsed.version, parsed.count);
		list[list_size - 1] ^= 1;
		kit_refused(ae_launch_white_list(w.le, list, list_size, &e), &e, AE_LE_INVALID_PARAMETER,
			    "its launch enclave does not take it changed");
		list[list_size - 1] ^= 1;
		is_int(ae_launch_white_list(w.le, list, list_size, &e), 0, "its launch enclave takes it");
		kit_say(&e);
		kit_refused(ae_launch_white_list(w.le, list, list_size, &e), &e,
			    AE_LE_WHITE_LIST_ALREADY_UPDATED, "the same version again");
		test_attributes(&w, &witness);
		test_einit(&w, kit_path("witness"), &witness);
		test_unlisted(&w, &witness);
		bawn_enclave_free(&w.le);
		test_services(&w, css, list, list_size);
	}
	free(css);
	free(list);
}

int main(void)
{
	if (!kit_start())
		return tap_done();
	test_ours();
	test_intel();
	kit_done();
	return tap_done();
}
