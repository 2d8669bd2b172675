/*
 * blobs_prog FOLDER: the enclaves that the clients load, all of them
 * tests/cpu/kit_enclave.c's code, signed by two keys of the moment.
 * blobs_prog --token KEY BLOB OUT: a copy with the EINITTOKEN that a launch
 * enclave makes of its EINITTOKEN key (which isgx.c asks of one that runs).
 */
#include "client/blob.h"
#include "crypto/crypto.h"
#include "image/image.h"
#include "tests/cpu/kit_enclave.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct isa_sigstruct) == BLOB_SIGSTRUCT, "SDM 38.13");
_Static_assert(sizeof(struct isa_einittoken) == BLOB_TOKEN, "SDM 38.14");

#define MAX_PAGES 4096u

/* What there is to choose. */
struct recipe {
	const char *name;
	unsigned signer;      /* which key */
	uint64_t attributes;  /* beside MODE64BIT */
	uint64_t xfrm;        /* 0: x87 and SSE */
	uint64_t size;        /* 0: KIT_SIZE */
	uint32_t vendor;
	unsigned heap;        /* read-write pages, not measured, behind the TCSs */
	uint64_t not_signed;  /* attributes that the SIGSTRUCT demands and SECS lacks */
	bool no_exinfo;
};

static const struct recipe recipes[] = {
	{ .name = "plain", .attributes = ATTR_DEBUG },
	{ .name = "production" },
	{ .name = "provision", .attributes = ATTR_DEBUG | ATTR_PROVISIONKEY },
	{ .name = "launch", .attributes = ATTR_EINITTOKEN_KEY },
	{ .name = "kss", .attributes = ATTR_DEBUG | ATTR_KSS },
	{ .name = "aexnotify", .attributes = ATTR_DEBUG | ATTR_AEXNOTIFY },
	{ .name = "other", .attributes = ATTR_DEBUG, .signer = 1 },
	{ .name = "intel", .attributes = ATTR_DEBUG, .vendor = ISA_VENDOR_INTEL },
	{ .name = "vendor", .attributes = ATTR_DEBUG, .vendor = 0x1022 },
	{ .name = "undebug", .attributes = ATTR_DEBUG, .not_signed = ATTR_DEBUG },
	{ .name = "heap", .attributes = ATTR_DEBUG, .heap = 1024, .size = 8 << 20 },
	{ .name = "large", .attributes = ATTR_DEBUG, .heap = 3 << 8, .size = 16 << 20 },
	{ .name = "avx", .attributes = ATTR_DEBUG, .xfrm = 7 },
	{ .name = "sgx1", .attributes = ATTR_DEBUG, .no_exinfo = true },
};

static void die(const char *what, const struct bawn_error *e)
{
	fprintf(stderr, "blobs: %s: %s\n", what, e ? e->msg : "failed");
	exit(1);
}

static struct crypto_key *signers[2];
static struct blob_page *pages;
static struct blob head;

static void add(uint64_t offset, uint64_t secinfo, bool measured, const void *data, size_t n)
{
	struct blob_page *p = &pages[head.pages++];

	if (head.pages > MAX_PAGES)
		die("too many pages", NULL);
	memset(p, 0, sizeof(*p));
	p->offset = offset;
	p->secinfo = secinfo;
	p->measured = measured;
	memcpy(p->data, data, n);
}

static void lay_out(const struct recipe *r)
{
	const uint64_t reg = SECINFO_OF_PT(PT_REG), rw = reg | SECINFO_R | SECINFO_W;
	const uint8_t word[8] = { 0x17, 0x04, 0xad, 0x5e };

	add(KIT_CODE, reg | SECINFO_R | SECINFO_X, true, kit_code, (size_t)(kit_code_end - kit_code));
	add(KIT_DATA, rw, true, "", 0);
	add(KIT_RODATA, reg | SECINFO_R, true, word, sizeof(word));
	add(KIT_RWX, rw | SECINFO_X, true, "", 0);
	for (unsigned i = 0; i < KIT_TCSS; i++) {
		const uint64_t at = KIT_TCS + (uint64_t)i * KIT_STRIDE;
		struct isa_tcs tcs = {
			.ossa = at + ISA_PAGE, .nssa = KIT_SSA_FRAMES, .oentry = KIT_CODE,
			.ofsbase = at + 0x7000, .ogsbase = at + 0x7000,
			.fslimit = 0xfff, .gslimit = 0xfff,
		};
		uint8_t bases[16];

		add(at, SECINFO_OF_PT(PT_TCS), true, &tcs, sizeof(tcs));
		for (unsigned n = 0; n < KIT_SSA_FRAMES; n++)
			add(at + ISA_PAGE * (1 + n), rw, true, "", 0);
		put_le64(bases, 0xf5f5000 + i);
		put_le64(bases + 8, 0x656500 + i);
		add(at + 0x7000, rw, true, bases, sizeof(bases));
	}
	for (unsigned i = 0; i < r->heap; i++)
		add(KIT_SIZE + (uint64_t)i * ISA_PAGE, rw, false, "", 0);
}

/* By the blocks that the leaf functions hash: ECREATE, then for each page EADD and 16 EEXTENDs. */
static void measure(uint8_t mrenclave[32])
{
	struct crypto_sha256 h;
	uint8_t block[ISA_MEASURE_BLOCK];

	crypto_sha256_init(&h);
	isa_measure_ecreate(head.ssaframesize, head.size, block);
	crypto_sha256_update(&h, block, sizeof(block));
	for (uint64_t i = 0; i < head.pages; i++) {
		const struct isa_secinfo si = { .flags = pages[i].secinfo };

		isa_measure_eadd(pages[i].offset, &si, block);
		crypto_sha256_update(&h, block, sizeof(block));
		for (unsigned c = 0; c < ISA_PAGE && pages[i].measured; c += ISA_MEASURE_CHUNK) {
			isa_measure_eextend(pages[i].offset + c, block);
			crypto_sha256_update(&h, block, sizeof(block));
			crypto_sha256_update(&h, pages[i].data + c, ISA_MEASURE_CHUNK);
		}
	}
	crypto_sha256_final(&h, mrenclave);
}

static void sign(const struct recipe *r)
{
	uint8_t body[ISA_SIGSTRUCT_SIGNED], digest[32];
	struct isa_sigstruct s;
	struct image_config c;
	struct bawn_error e = { 0 };

	image_config_default(&c);
	c.isvprodid = 7;
	c.isvsvn = 3;
	c.date = 0x20260101;
	image_sigstruct_make(&s, &c, head.mrenclave);
	s.vendor = r->vendor;
	s.attributes.flags = (head.attributes & ~r->not_signed);
	s.attributes.xfrm = head.xfrm;
	s.attributemask = (struct isa_attributes){ ~UINT64_C(0), ~UINT64_C(0) };
	s.miscselect = head.miscselect;
	s.miscmask = ~UINT32_C(0);
	isa_sigstruct_signed(&s, body);
	crypto_sha256(body, sizeof(body), digest);
	/* Not image_sigstruct_complete, which refuses to sign what no CPU takes. */
	s.exponent = 3;
	if (crypto_key_rsa3_modulus(signers[r->signer], s.modulus, &e) ||
	    crypto_rsa3_sign(signers[r->signer], digest, s.signature, &e) ||
	    crypto_rsa3_quotients(s.signature, s.modulus, s.q1, s.q2, &e))
		die("signing", &e);
	memcpy(head.sigstruct, &s, sizeof(s));
	image_mrsigner(&s, head.mrsigner);
}

static void write_blob(const char *path)
{
	FILE *f = fopen(path, "wb");

	if (!f || fwrite(&head, sizeof(head), 1, f) != 1 ||
	    fwrite(pages, sizeof(*pages), head.pages, f) != head.pages || fclose(f))
		die(path, NULL);
}

static void make(const char *folder, const struct recipe *r)
{
	char path[512];

	memset(&head, 0, sizeof(head));
	head.magic = BLOB_MAGIC;
	head.size = r->size ? r->size : KIT_SIZE;
	head.attributes = ATTR_MODE64BIT | r->attributes;
	head.xfrm = r->xfrm ? r->xfrm : XFRM_X87_SSE;
	head.miscselect = r->no_exinfo ? 0 : MISC_EXINFO;
	head.ssaframesize = 1;
	lay_out(r);
	measure(head.mrenclave);
	sign(r);
	snprintf(path, sizeof(path), "%s/%s.blob", folder, r->name);
	write_blob(path);
}

/* ---- a token ---- */

static void read_blob(const char *path)
{
	FILE *f = fopen(path, "rb");

	if (!f || fread(&head, sizeof(head), 1, f) != 1 || head.magic != BLOB_MAGIC ||
	    head.pages > MAX_PAGES || fread(pages, sizeof(*pages), head.pages, f) != head.pages)
		die(path, NULL);
	fclose(f);
}

/*
 * The token that a launch enclave (ISVPRODID 7, ISVSVN 3, attributes masked to
 * all but DEBUG) makes of its EINITTOKEN key.
 */
static void make_token(const char *key_hex)
{
	struct isa_einittoken t = { .valid = 1, .isvprodidle = 7, .isvsvnle = 3 };
	uint8_t key[16];

	if (!hex_decode(key_hex, strlen(key_hex), key, sizeof(key)))
		die("a key of 32 hexadecimal digits", NULL);
	t.attributes.flags = head.attributes;
	t.attributes.xfrm = head.xfrm;
	memcpy(t.mrenclave, head.mrenclave, sizeof(t.mrenclave));
	memcpy(t.mrsigner, head.mrsigner, sizeof(t.mrsigner));
	memset(t.cpusvnle, 1, sizeof(t.cpusvnle));
	memset(t.keyid, 0x1d, sizeof(t.keyid));
	t.maskedattributesle.flags = ATTR_MODE64BIT | ATTR_INIT | ATTR_EINITTOKEN_KEY;
	t.maskedattributesle.xfrm = XFRM_X87_SSE;
	crypto_cmac(key, &t, ISA_EINITTOKEN_MACED, t.mac);
	memcpy(head.token, &t, sizeof(t));
}

static void write_signer(const char *folder)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/signer.hex", folder);
	f = fopen(path, "w");
	if (!f)
		die(path, NULL);
	for (size_t i = 0; i < sizeof(head.mrsigner); i++)
		fprintf(f, "%02x", head.mrsigner[i]);
	if (fclose(f))
		die(path, NULL);
}

int main(int argc, char **argv)
{
	struct bawn_error e = { 0 };

	pages = calloc(MAX_PAGES, sizeof(*pages));
	if (!pages)
		die("memory", NULL);
	if (argc == 5 && strcmp(argv[1], "--token") == 0) {
		read_blob(argv[3]);
		make_token(argv[2]);
		write_blob(argv[4]);
		return 0;
	}
	if (argc != 2) {
		fprintf(stderr, "usage: blobs_prog FOLDER | --token KEY BLOB OUT\n");
		return 64;
	}
	for (size_t i = 0; i < ARRAY_LEN(signers); i++)
		if (crypto_key_new_rsa3(&signers[i], &e))
			die("a key", &e);
	for (size_t i = 0; i < ARRAY_LEN(recipes); i++) {
		make(argv[1], &recipes[i]);
		if (i == 0)
			write_signer(argv[1]);
	}
	return 0;
}
