/*
 * corpus_prog DIR: write the seeds of the fuzz targets of enclave files into
 * DIR/image_elf, DIR/sgxs and DIR/sigstruct (fuzz/corpus in the sources).
 */
#include "make.h"
#include "tests/seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void elf_seeds(const char *dir)
{
	struct made made;

	make_plain(&made, METADATA_VERSION(1, 4));
	seed_write(dir, "image_elf", "plain", made.file.p, made.file.n);
	bytes_free(&made.file);
	make_rich(&made);
	seed_write(dir, "image_elf", "rich", made.file.p, made.file.n);
	bytes_free(&made.file);
	make_kit(&made, &plain_kit);
	seed_write(dir, "image_elf", "kit", made.file.p, made.file.n);
	bytes_free(&made.file);
}

static void stream_seeds(const char *dir)
{
	struct bytes b = { 0 };

	make_stream(&b, "ECREATE");
	seed_write(dir, "sgxs", "sized", b.p, b.n);
	bytes_free(&b);
	make_stream(&b, "UNSIZED");
	seed_write(dir, "sgxs", "unsized", b.p, b.n);
	bytes_free(&b);
}

static int sigstruct_seed(const char *dir)
{
	uint8_t hash[32] = { 1 }, body[256], digest[32], n[384], sig[384];
	struct crypto_key *key = NULL;
	struct bawn_error e = { 0 };
	struct isa_sigstruct s;
	struct image_config c;
	int rc;

	image_config_default(&c);
	c.date = 0x20260101;
	image_sigstruct_make(&s, &c, hash);
	isa_sigstruct_signed(&s, body);
	crypto_sha256(body, sizeof(body), digest);
	rc = crypto_key_new_rsa3(&key, &e);
	if (rc == 0)
		rc = crypto_key_rsa3_modulus(key, n, &e);
	if (rc == 0)
		rc = crypto_rsa3_sign(key, digest, sig, &e);
	if (rc == 0)
		rc = image_sigstruct_complete(&s, n, sig, &e);
	crypto_key_free(&key);
	if (rc)
		fprintf(stderr, "corpus_prog: %s\n", e.msg);
	else
		seed_write(dir, "sigstruct", "signed", &s, sizeof(s));
	return rc;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: corpus_prog DIR\n", stderr);
		return 64;
	}
	elf_seeds(argv[1]);
	stream_seeds(argv[1]);
	return sigstruct_seed(argv[1]) ? 1 : 0;
}
