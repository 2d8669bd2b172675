/* Certificates as DER, and chains of them as PEM: parts lie within the input, names can be shown. */
#include "attest/attest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct attest_cert *c)
{
	const struct cur parts[] = { c->tbs, c->issuer, c->subject };
	char text[64];

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (parts[i].p < c->der.p || parts[i].p + parts[i].n > c->der.p + c->der.n)
			abort();
	if (c->serial.n < 1 || c->serial.n > 20 || c->serial.p[0] == 0)
		abort();
	attest_name_text(c->subject, text, sizeof(text));
	if (memchr(text, 0, sizeof(text)) == NULL)
		abort();
	attest_name_cn(c->issuer, text, sizeof(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct attest_anchor intel;
	static struct attest_chain chain;
	struct bawn_error e = { 0 };
	enum bawn_reason reason;
	struct attest_cert c;
	struct attest_pck pck;
	int r = attest_cert_parse(data, size, &c, &e);

	if ((r != 0) != (e.msg[0] != 0))
		abort();
	if (!r) {
		check(&c);
		if (c.sgx_extension.p)
			attest_pck_parse(c.sgx_extension, &pck, NULL);
	}
	if (!intel.names.root[0] && attest_anchor_init(&intel, NULL, NULL))
		return 0;
	if (attest_chain_parse(data, size, &chain, NULL))
		return 0;
	for (size_t i = 0; i < chain.count; i++)
		check(&chain.cert[i]);
	/* The seeds are below a test root. */
	if (!attest_chain_verify(&chain, ATTEST_ROLE_PCK, &intel, NULL, &reason, NULL))
		abort();
	return 0;
}
