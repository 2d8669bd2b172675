/* Private keys: read, made, written. OpenSSL wipes its numbers when they are freed. */
#include "crypto/crypto.h"
#include "crypto/internal.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

static int wrap(struct crypto_key **out, EVP_PKEY *pkey, struct bawn_error *e)
{
	struct crypto_key *k = malloc(sizeof(*k));

	if (!k) {
		EVP_PKEY_free(pkey);
		return err_nomem(e);
	}
	k->pkey = pkey;
	*out = k;
	return 0;
}

/* An encrypted key must not make a library ask at a terminal: it is refused. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

int crypto_key_from_pem(struct crypto_key **out, const void *pem, size_t n, struct bawn_error *e)
{
	BIO *bio = n <= INT32_MAX ? BIO_new_mem_buf(pem, (int)n) : NULL;
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	if (!pkey)
		return err_set(e, BAWN_ERR_FORMAT,
			       "not an unencrypted private key in PEM (decrypt it with `openssl pkey` first)");
	return wrap(out, pkey, e);
}

int crypto_key_from_public_pem(struct crypto_key **out, const void *pem, size_t n,
			       struct bawn_error *e)
{
	BIO *bio = n <= INT32_MAX ? BIO_new_mem_buf(pem, (int)n) : NULL;
	EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	if (!pkey)
		return err_set(e, BAWN_ERR_FORMAT,
			       "not a public key in PEM (make one with `openssl pkey -pubout`)");
	return wrap(out, pkey, e);
}

int crypto_key_new_rsa3(struct crypto_key **out, struct bawn_error *e)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
	BIGNUM *three = BN_new();
	EVP_PKEY *pkey = NULL;

	if (!ctx || !three || !BN_set_word(three, 3) || EVP_PKEY_keygen_init(ctx) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 3072) <= 0 ||
	    EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, three) <= 0 ||
	    EVP_PKEY_keygen(ctx, &pkey) <= 0)
		pkey = NULL;
	BN_free(three);
	EVP_PKEY_CTX_free(ctx);
	if (!pkey)
		return err_set(e, BAWN_ERR_CRYPTO, "OpenSSL: cannot generate an RSA-3072 key");
	return wrap(out, pkey, e);
}

int crypto_key_new_p256(struct crypto_key **out, struct bawn_error *e)
{
	EVP_PKEY *pkey = EVP_EC_gen("P-256");

	if (!pkey)
		return err_set(e, BAWN_ERR_CRYPTO, "OpenSSL: cannot generate a P-256 key");
	return wrap(out, pkey, e);
}

static bool is_p256(const struct crypto_key *k)
{
	char group[32] = "";

	return EVP_PKEY_is_a(k->pkey, "EC") &&
	       EVP_PKEY_get_group_name(k->pkey, group, sizeof(group), NULL) == 1 &&
	       strcmp(group, "prime256v1") == 0;
}

int crypto_key_p256_public(const struct crypto_key *k, uint8_t xy[64], struct bawn_error *e)
{
	BIGNUM *x = NULL, *y = NULL;
	int rc = 0;

	if (!is_p256(k))
		rc = err_set(e, BAWN_ERR_UNSUPPORTED, "not a P-256 key");
	else if (EVP_PKEY_get_bn_param(k->pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x) != 1 ||
		 EVP_PKEY_get_bn_param(k->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) != 1 ||
		 BN_bn2binpad(x, xy, 32) != 32 || BN_bn2binpad(y, xy + 32, 32) != 32)
		rc = err_set(e, BAWN_ERR_CRYPTO, "OpenSSL: cannot read the key's point");
	BN_free(x);
	BN_free(y);
	ERR_clear_error();
	return rc;
}

int crypto_key_p256(const struct crypto_key *k, uint8_t d[32], uint8_t xy[64],
		    struct bawn_error *e)
{
	BIGNUM *secret = NULL;
	int rc = 0;

	if (!is_p256(k))
		rc = err_set(e, BAWN_ERR_UNSUPPORTED, "not a P-256 key");
	else if (EVP_PKEY_get_bn_param(k->pkey, OSSL_PKEY_PARAM_PRIV_KEY, &secret) != 1 ||
		 BN_bn2binpad(secret, d, 32) != 32)
		rc = err_set(e, BAWN_ERR_UNSUPPORTED, "not a private P-256 key");
	else
		rc = crypto_p256_public(d, xy, e);
	BN_clear_free(secret);
	ERR_clear_error();
	return rc;
}

int crypto_key_to_pem(const struct crypto_key *k, struct buf *out, struct bawn_error *e)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *p;
	long n;
	int rc = 0;

	if (!bio || !PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) ||
	    (n = BIO_get_mem_data(bio, &p)) <= 0)
		rc = err_set(e, BAWN_ERR_CRYPTO, "OpenSSL: cannot write the key as PEM");
	else
		buf_add(out, p, (size_t)n);
	BIO_free(bio);
	return rc ? rc : out->failed ? err_nomem(e) : 0;
}

void crypto_key_free(struct crypto_key **k)
{
	if (!*k)
		return;
	EVP_PKEY_free((*k)->pkey);
	free(*k);
	*k = NULL;
}
