/*
 * crypto: the only user of OpenSSL. Plain functions over plain bytes.
 *
 * Byte order is each structure's own: SIGSTRUCT numbers are little-endian
 * (SDM 38.13), ECDSA numbers big-endian (FIPS 186-5).
 */
#ifndef BAWN_CRYPTO_H
#define BAWN_CRYPTO_H

#include "base/base.h"

/*
 * SHA-256 whose running state is plain memory: it is kept in the SECS of an
 * enclave under construction, which more than one process may be building.
 */
struct crypto_sha256 {
	uint64_t opaque[16];
};
void crypto_sha256_init(struct crypto_sha256 *h);
void crypto_sha256_update(struct crypto_sha256 *h, const void *p, size_t n);
void crypto_sha256_final(struct crypto_sha256 *h, uint8_t out[32]); /* wipes h */
void crypto_sha256(const void *p, size_t n, uint8_t out[32]);
void crypto_sha384(const void *p, size_t n, uint8_t out[48]);
void crypto_sha512(const void *p, size_t n, uint8_t out[64]);
/*
 * The same state without the library's own layout, for memory that others can
 * write: the chaining value H0 to H7 and the number of bytes hashed so far,
 * which must be a multiple of 64. Any values make a safe state.
 */
void crypto_sha256_save(const struct crypto_sha256 *h, uint32_t chain[8], uint64_t *bytes);
void crypto_sha256_load(struct crypto_sha256 *h, const uint32_t chain[8], uint64_t bytes);

/* AES-128-CMAC (RFC 4493). Neither allocates nor locks: called in signal handlers. */
void crypto_cmac(const uint8_t key[16], const void *p, size_t n, uint8_t out[16]);

/* HMAC-SHA-256 (RFC 2104) of a || b under a key of 32 bytes. */
void crypto_hmac_sha256(const uint8_t key[32], const void *a, size_t an, const void *b, size_t bn,
			uint8_t out[32]);

int crypto_random(void *p, size_t n, struct bawn_error *e);

/* ---- RSA-3072 with exponent 3, as SIGSTRUCT uses it (SDM 38.13, EINIT) ---- */

#define CRYPTO_RSA_BYTES 384

/*
 * q1 = floor(s^2 / n), q2 = floor((s^3 - q1 * s * n) / n); all little-endian.
 * BAWN_ERR_SIGNATURE if a quotient does not fit or s >= n.
 */
int crypto_rsa3_quotients(const uint8_t s[CRYPTO_RSA_BYTES], const uint8_t n[CRYPTO_RSA_BYTES],
			  uint8_t q1[CRYPTO_RSA_BYTES], uint8_t q2[CRYPTO_RSA_BYTES],
			  struct bawn_error *e);
/*
 * 0 if s is the PKCS #1 v1.5 signature with SHA-256 of the digest under (n, 3);
 * BAWN_ERR_SIGNATURE otherwise. All numbers little-endian. Does not look at q1, q2.
 */
int crypto_rsa3_verify(const uint8_t s[CRYPTO_RSA_BYTES], const uint8_t n[CRYPTO_RSA_BYTES],
		       const uint8_t digest[32], struct bawn_error *e);

struct crypto_key; /* a private key, RSA or P-256; freeing wipes it */
int crypto_key_from_pem(struct crypto_key **out, const void *pem, size_t n, struct bawn_error *e);
/* A public key alone (SubjectPublicKeyInfo in PEM), for what needs no more. */
int crypto_key_from_public_pem(struct crypto_key **out, const void *pem, size_t n,
			       struct bawn_error *e);
int crypto_key_new_rsa3(struct crypto_key **out, struct bawn_error *e);
int crypto_key_new_p256(struct crypto_key **out, struct bawn_error *e);
/* The private scalar and the public point x || y; BAWN_ERR_UNSUPPORTED unless P-256. */
int crypto_key_p256(const struct crypto_key *k, uint8_t d[32], uint8_t xy[64],
		    struct bawn_error *e);
/* The public point x || y alone, of a public key too; BAWN_ERR_UNSUPPORTED unless P-256. */
int crypto_key_p256_public(const struct crypto_key *k, uint8_t xy[64], struct bawn_error *e);
/* PKCS #8 PEM, appended to out. */
int crypto_key_to_pem(const struct crypto_key *k, struct buf *out, struct bawn_error *e);
void crypto_key_free(struct crypto_key **k);
/* The modulus, little-endian; BAWN_ERR_UNSUPPORTED unless RSA-3072 with exponent 3. */
int crypto_key_rsa3_modulus(const struct crypto_key *k, uint8_t n[CRYPTO_RSA_BYTES],
			    struct bawn_error *e);
/* PKCS #1 v1.5 signature with SHA-256 of a digest, little-endian. */
int crypto_rsa3_sign(const struct crypto_key *k, const uint8_t digest[32],
		     uint8_t s[CRYPTO_RSA_BYTES], struct bawn_error *e);
/* RSA-OAEP (SHA-256 for both) decryption of a big-endian ciphertext, any RSA key. */
int crypto_rsa_oaep_decrypt(const struct crypto_key *k, const uint8_t *c, size_t n, uint8_t *out,
			    size_t max, size_t *outn, struct bawn_error *e);

/* ---- P-256 ---- */

/* 0 if r || s (32 + 32, big-endian) signs the digest under x || y; else BAWN_ERR_SIGNATURE. */
int crypto_p256_verify(const uint8_t xy[64], const uint8_t digest[32], const uint8_t rs[64],
		       struct bawn_error *e);
/* The public point x || y of a private scalar, big-endian. */
int crypto_p256_public(const uint8_t d[32], uint8_t xy[64], struct bawn_error *e);
/* d = (x mod (n - 1)) + 1 for a big-endian x of any length up to 64: FIPS 186-5 A.2.1. */
int crypto_p256_scalar(const uint8_t *x, size_t n, uint8_t d[32], struct bawn_error *e);
/* Sign a digest with a private scalar, with a random nonce: r || s, big-endian. */
int crypto_p256_sign(const uint8_t d[32], const uint8_t digest[32], uint8_t rs[64],
		     struct bawn_error *e);

/* ---- HTTP/1.1 GET, over TLS as a rule: how collateral is fetched ---- */

/*
 * OpenSSL 3.0's own HTTP client keeps no response header, and a PCS puts the
 * certificate chains there; so OpenSSL gives URLs, proxy rules, connections
 * and TLS, and the response is read by a strict reader of ours (RFC 9112).
 */
#define HTTP_HEAD_MAX (64u << 10) /* status line and header fields of one response */
#define HTTP_FIELDS_MAX 128u

/* One response, taken piece by piece as it arrives. Zero, then http_reader_init. */
struct http_reader {
	int state;       /* private */
	unsigned status; /* 100..599, valid from the end of the head on */
	bool done;       /* complete: a further byte is an error */
	bool head_only;  /* set by the caller: done after the head (an answer to CONNECT) */
	struct buf head; /* status line and fields, CRLF after each, all of them checked */
	struct buf body;
	unsigned interim; /* 1xx responses skipped */
	unsigned match;   /* private: how much of the head's end was seen */
	uint64_t left;    /* private: bytes that the length or the chunk still has */
	char line[128];   /* private: a chunk's size */
	size_t line_len;
};
void http_reader_init(struct http_reader *r, size_t max_body);
void http_reader_free(struct http_reader *r);
/*
 * The next n bytes. BAWN_ERR_FORMAT for anything that RFC 9112 does not let a
 * server send or that could be read in two ways; BAWN_ERR_NETWORK past a limit.
 */
int http_reader_feed(struct http_reader *r, const void *p, size_t n, struct bawn_error *e);
/* The connection ended: 0 if the response is whole, BAWN_ERR_NETWORK if it is cut short. */
int http_reader_eof(struct http_reader *r, struct bawn_error *e);
/* How many fields have this name (any case); *value is the first one's, without blanks around. */
unsigned http_header(const struct http_reader *r, const char *name, struct cur *value);
/* Decode %XX (RFC 3986 section 2.1); false for a broken escape or an octet 0. */
bool http_percent_decode(struct cur in, struct buf *out);

struct http_options {
	const char *proxy;   /* NULL: from https_proxy, http_proxy, no_proxy; "": none */
	const char *ca_file; /* PEM to trust in place of the system's roots; may be the server's own */
	bool insecure;       /* plain http and unauthenticated TLS are acceptable */
	unsigned timeout_s;  /* for the whole exchange, from the name's resolution on; 0: 30 */
	size_t max_body;     /* 0: 4 MiB */
	const char *const *headers; /* "Name: value", NULL at the end; may be NULL */
};
/*
 * GET url (https, or http to this host itself or if insecure). 0 for any
 * complete response, whatever its status: redirections are not followed. r is
 * initialised here, and the caller's to free when 0 is returned.
 * BAWN_ERR_NETWORK: not reached, not authenticated, timed out, cut short.
 */
int http_get(const char *url, const struct http_options *o, struct http_reader *r,
	     struct bawn_error *e);

#endif
