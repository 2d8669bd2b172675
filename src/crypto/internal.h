/* What the files of crypto share: the key behind the opaque pointer. */
#ifndef BAWN_CRYPTO_INTERNAL_H
#define BAWN_CRYPTO_INTERNAL_H

#include <openssl/evp.h>

struct crypto_key {
	EVP_PKEY *pkey;
};

#endif
