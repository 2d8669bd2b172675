/* Trust anchors: a name, a key, and the names that go with them. */
#include "attest/attest.h"
#include "attest/internal.h"

#include <stdio.h>
#include <string.h>

/* The key of "Intel SGX Root CA", the same in every certificate that it was issued with. */
static const uint8_t intel_key[64] = {
	0x0b, 0xa9, 0xc4, 0xc0, 0xc0, 0xc8, 0x61, 0x93, 0xa3, 0xfe, 0x23, 0xd6, 0xb0, 0x2c, 0xda, 0x10,
	0xa8, 0xbb, 0xd4, 0xe8, 0x8e, 0x48, 0xb4, 0x45, 0x85, 0x61, 0xa3, 0x6e, 0x70, 0x55, 0x25, 0xf5,
	0x67, 0x91, 0x8e, 0x2e, 0xdc, 0x88, 0xe4, 0x0d, 0x86, 0x0b, 0xd0, 0xcc, 0x4e, 0xe2, 0x6a, 0xac,
	0xc9, 0x88, 0xe5, 0x05, 0xa9, 0x53, 0x55, 0x8c, 0x45, 0x3f, 0x6b, 0x09, 0x04, 0xae, 0x73, 0x94,
};

const uint8_t attest_intel_roots[ATTEST_INTEL_ROOTS][32] = {
	/* 2018-05-21 10:45:10, until 2049 */
	{ 0x1d, 0xcc, 0xb2, 0x0f, 0x77, 0x11, 0x2f, 0xa7, 0xab, 0x6d, 0x6e, 0x1c, 0x93, 0xd7, 0x29, 0x0b,
	  0xd9, 0x31, 0x45, 0xa6, 0x16, 0xb8, 0xa7, 0xbf, 0xa3, 0xba, 0x65, 0x4c, 0xb3, 0xf9, 0x74, 0x9b },
	/* 2018-05-21 10:41:11, until 2033, twice */
	{ 0xe7, 0xa4, 0x25, 0x07, 0xd9, 0x2d, 0x4a, 0xee, 0xde, 0xea, 0x63, 0x31, 0x41, 0x70, 0x76, 0x03,
	  0x70, 0xad, 0x2a, 0xe6, 0x4f, 0xe3, 0x62, 0xd2, 0xc0, 0xc7, 0xa8, 0x58, 0xc5, 0x32, 0x3c, 0xc7 },
	{ 0x12, 0xa9, 0xf3, 0xbd, 0xec, 0x33, 0x3f, 0xc2, 0xe4, 0x64, 0x9a, 0x10, 0x07, 0xc3, 0x85, 0x41,
	  0x0d, 0x6e, 0x02, 0x90, 0x73, 0xd5, 0x04, 0xb5, 0xcb, 0xde, 0x28, 0x3e, 0xa1, 0x13, 0xf2, 0xc0 },
};

static const struct bawn_names intel_names = {
	.root = "Intel SGX Root CA",
	.pck_ca = "Intel SGX PCK Platform CA",
	.pck_ca2 = "Intel SGX PCK Processor CA",
	.pck = "Intel SGX PCK Certificate",
	.tcb_signing = "Intel SGX TCB Signing",
	.rest = "O=Intel Corporation, L=Santa Clara, ST=CA, C=US",
};

static const struct bawn_names emulated_names = {
	.root = "Bawn Emulated SGX Root CA",
	.pck_ca = "Bawn Emulated SGX PCK CA",
	.pck = "Bawn Emulated SGX PCK Certificate",
	.tcb_signing = "Bawn Emulated SGX TCB Signing",
	.rest = NULL,
};

static int copy_name(char out[64], const char *name, const char *which, struct bawn_error *e)
{
	size_t n = name ? strlen(name) : 0;

	if (n == 0 || n > 63)
		return err_set(e, BAWN_ERR_USAGE, "the name of the %s must have 1 to 63 bytes", which);
	memcpy(out, name, n + 1);
	return 0;
}

/* "O=Example, L=Galway" */
static int parse_rest(struct attest_names *out, const char *s, struct bawn_error *e)
{
	static const struct {
		const char *key;
		uint8_t attribute;
	} keys[] = { { "OU=", 11 }, { "O=", 10 }, { "L=", 7 }, { "ST=", 8 }, { "C=", 6 } };

	out->check_rest = s != NULL;
	while (s && *s) {
		size_t k = 0, n;

		if (out->rest_count == ATTEST_NAME_PARTS)
			return err_set(e, BAWN_ERR_USAGE, "a name can have %d attributes at most", ATTEST_NAME_PARTS);
		while (k < ARRAY_LEN(keys) && strncmp(s, keys[k].key, strlen(keys[k].key)) != 0)
			k++;
		if (k == ARRAY_LEN(keys))
			return err_set(e, BAWN_ERR_USAGE, "names are given as O=, OU=, L=, ST=, C=, not \"%.20s\"", s);
		s += strlen(keys[k].key);
		n = strcspn(s, ",");
		if (n == 0 || n > 63)
			return err_set(e, BAWN_ERR_USAGE, "an attribute of a name must have 1 to 63 bytes");
		out->rest[out->rest_count].attribute = keys[k].attribute;
		memcpy(out->rest[out->rest_count].value, s, n);
		out->rest[out->rest_count++].value[n] = '\0';
		s += n;
		if (*s == ',')
			s += 1 + strspn(s + 1, " ");
	}
	return 0;
}

static int copy_names(struct attest_names *out, const struct bawn_names *names, struct bawn_error *e)
{
	int r = copy_name(out->root, names->root, "root", e);

	if (!r)
		r = copy_name(out->pck_ca[0], names->pck_ca, "PCK CA", e);
	if (!r && names->pck_ca2)
		r = copy_name(out->pck_ca[1], names->pck_ca2, "second PCK CA", e);
	if (!r)
		r = copy_name(out->pck, names->pck, "PCK certificates", e);
	if (!r)
		r = copy_name(out->tcb_signing, names->tcb_signing, "TCB signer", e);
	return r ? r : parse_rest(out, names->rest, e);
}

/* PEM or DER, one certificate. */
static int read_root(struct bawn_bytes in, uint8_t buf[ATTEST_CERT_MAX], struct attest_cert *c,
		     struct bawn_error *e)
{
	struct cur text = cur_make(in.p, in.n);
	uint8_t more[ATTEST_CERT_MAX];
	size_t n;
	int r;

	if (in.n && text.p[0] == DER_SEQUENCE)
		return attest_cert_parse(in.p, in.n, c, e);
	if (in.n > ATTEST_CHAIN_TEXT_MAX)
		return err_set(e, BAWN_ERR_FORMAT, "too large for a root certificate");
	r = attest_pem_next(&text, "CERTIFICATE", buf, ATTEST_CERT_MAX, &n, e);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(e, BAWN_ERR_FORMAT, "no certificate, neither PEM nor DER");
	r = attest_pem_next(&text, "CERTIFICATE", more, sizeof(more), &(size_t){ 0 }, e);
	if (r < 0)
		return r;
	if (r)
		return err_set(e, BAWN_ERR_FORMAT, "more than one certificate; the root alone is wanted");
	return attest_cert_parse(buf, n, c, e);
}

int attest_anchor_init(struct attest_anchor *a, const struct bawn_root *root, struct bawn_error *e)
{
	static const struct bawn_root intel = { .profile = BAWN_PROFILE_INTEL };
	uint8_t buf[ATTEST_CERT_MAX], digest[32];
	struct attest_cert c;
	int r;

	memset(a, 0, sizeof(*a));
	if (!root)
		root = &intel;
	a->profile = root->profile;
	switch (root->profile) {
	case BAWN_PROFILE_INTEL:
		r = copy_names(&a->names, &intel_names, e);
		break;
	case BAWN_PROFILE_EMULATED:
		r = copy_names(&a->names, &emulated_names, e);
		break;
	case BAWN_PROFILE_OWNER:
		if (!root->names)
			return err_set(e, BAWN_ERR_USAGE, "an owner's root needs the names that go with it");
		r = copy_names(&a->names, root->names, e);
		break;
	default:
		return err_set(e, BAWN_ERR_USAGE, "unknown profile %d of a root", (int)root->profile);
	}
	if (r)
		return r;
	if (!root->certificate.p) {
		if (root->profile != BAWN_PROFILE_INTEL)
			return err_set(e, BAWN_ERR_USAGE, "this profile needs a root certificate");
		memcpy(a->key, intel_key, sizeof(a->key));
		return 0;
	}
	r = read_root(root->certificate, buf, &c, e);
	if (!r && (!attest_name_is(c.subject, a->names.root, &a->names) ||
		   !attest_name_equal(c.issuer, c.subject)))
		r = err_set(e, BAWN_ERR_USAGE, "the root must be self-signed and be called \"%s\"", a->names.root);
	if (!r && (!c.is_ca || c.emulated != (a->profile == BAWN_PROFILE_EMULATED)))
		r = err_set(e, BAWN_ERR_USAGE, c.is_ca ? "the marker of emulated platforms and the profile disagree"
						       : "the root certificate is not a CA's");
	if (!r) {
		crypto_sha256(c.tbs.p, c.tbs.n, digest);
		r = crypto_p256_verify(c.key, digest, c.signature, e);
	}
	if (r) {
		err_context(e, "root certificate");
		return r;
	}
	memcpy(a->key, c.key, sizeof(a->key));
	a->given = true;
	attest_sigcache_id(c.key, digest, c.signature, a->signature_id);
	return 0;
}
