/*
 * seeds DIR: writes the seed corpora of the fuzz targets for blobs, white
 * lists and tokens below DIR (fuzz/corpus in this tree), as our enclaves and
 * our signer of lists make them.
 */
#include "tests/ae/kit.h"
#include "tests/seed.h"

static const char *base;

static void seed(const char *target, const char *name, const void *p, size_t n)
{
	seed_write(base, target, name, p, n);
}

static void blobs(const char *platform)
{
	struct ae_files files = { .device = "emulated", .platform = platform };
	struct ae_desk_options opt = { .source = ae_files_source(&files), .ppid_key = kit_pek() };
	uint8_t blob[AE_QE_BLOB_BYTES], sdk[AE_QE_BLOB_BYTES] = { 0 };
	struct bawn_error e = { 0 };
	struct ae_desk *d;

	files.enclave[AE_PROVISION].path = kit_path("provision");
	files.enclave[AE_QUOTE].path = kit_path("quote");
	if (ae_desk_new(&d, &opt, &e) || ae_desk_generate(d, NULL, NULL, blob, &e)) {
		kit_say(&e);
		exit(1);
	}
	seed("ae_blob", "certified", blob, sizeof(blob));
	/* As Intel's SDK lays it out: a KEYREQUEST for SEAL, lengths, secret, clear part. */
	sdk[0] = KEY_SEAL;
	put_le16(sdk + 4, 1);
	put_le32(sdk + 512, sizeof(struct ae_qe_secret));
	put_le32(sdk + 528, sizeof(sdk) - AE_SDK_SEALED_BYTES);
	memcpy(sdk + AE_SDK_SEALED_BYTES + sizeof(struct ae_qe_secret), blob + 64, sizeof(struct ae_qe_plain));
	seed("ae_blob", "sdk", sdk, sizeof(sdk));
	memset(blob + 64 + offsetof(struct ae_qe_plain, qe_report_signature), 0, 64);
	seed("ae_blob", "uncertified", blob, sizeof(blob));
	ae_desk_free(&d);
}

static void lists(void)
{
	uint8_t d[32] = { [31] = 1 }, signers[3][32] = { { 0 }, { 1 }, { 2 } };
	struct bawn_error e = { 0 };

	for (uint16_t type = 1; type <= 2; type++) {
		struct ae_white_list l = { .type = type, .product = AE_LIST_PRODUCT, .version = 7,
					   .count = type, .signers = signers[2 - type] };
		struct buf b;

		buf_init(&b, AE_WHITE_LIST_MAX);
		if (ae_white_list_sign(&l, d, d, &b, &e))
			exit(1);
		seed("white_list", type == 1 ? "launch" : "provision", b.p, b.n);
		buf_free(&b);
	}
}

static void tokens(const char *platform)
{
	struct bawn_enclave *le = kit_load(kit_path("launch"), platform, false);
	const struct isa_attributes a = { ATTR_MODE64BIT | ATTR_DEBUG, XFRM_X87_SSE };
	static const uint8_t id[32] = { 1 };
	struct isa_einittoken t;
	struct bawn_error e = { 0 };

	if (!le || ae_launch_token(le, id, id, &a, &t, &e))
		exit(1);
	seed("token", "debug", &t, sizeof(t));
	seed("token", "tcbm", "000102030405060708090a0b0c0d0e0f0d00", 36);
	bawn_enclave_free(&le);
}

int main(int argc, char **argv)
{
	const char *platform;

	if (argc != 2) {
		fprintf(stderr, "usage: seeds DIR\n");
		return 64;
	}
	base = argv[1];
	kit_start();
	platform = kit_platform("seeds", NULL);
	blobs(platform);
	lists();
	tokens(platform);
	kit_done();
	return 0;
}
