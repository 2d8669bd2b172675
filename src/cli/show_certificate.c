/* Certificates and their SGX extension, in words and as JSON. */
#include "cli/show.h"

#include <stdio.h>
#include <string.h>

static const char *sgx_type(uint8_t t)
{
	static const char *const words[] = { "standard", "scalable", "scalable with integrity" };

	return t < ARRAY_LEN(words) ? words[t] : "unknown";
}

static void show_pck(const struct show *s, const struct attest_pck *p)
{
	if (s->json)
		json_open(s->json, "sgx_extension", '{');
	else
		puts("    SGX extension");
	show_hex(s, "ppid", "  PPID", p->ppid, 16);
	show_hex(s, "fmspc", "  FMSPC", p->fmspc, 6);
	show_hex(s, "pce_id", "  PCE id", p->pce_id, 2);
	show_hex(s, "cpusvn", "  CPUSVN", p->cpusvn, 16);
	if (!s->json)
		printf("    %-27s", "  components");
	show_numbers(s, "components", p->components);
	if (!s->json)
		putchar('\n');
	show_number(s, "pcesvn", "  PCESVN", p->pcesvn);
	if (s->json)
		json_u64(s->json, "sgx_type", p->sgx_type);
	else
		show_word(s, NULL, "  SGX type", sgx_type(p->sgx_type));
	if (p->has_piid)
		show_hex(s, "piid", "  platform instance id", p->piid, 16);
	if (p->has_configuration) {
		show_flag(s, "dynamic_platform", "  dynamic platform", p->dynamic_platform);
		show_flag(s, "cached_keys", "  cached keys", p->cached_keys);
		show_flag(s, "smt", "  SMT enabled", p->smt);
	}
	if (s->json)
		json_close(s->json, '}');
}

static void show_uses(const struct show *s, const struct attest_cert *c)
{
	static const char *const names[] = { "digitalSignature", "nonRepudiation", "keyEncipherment",
					     "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign",
					     "encipherOnly", "decipherOnly" };

	if (s->json) {
		json_bool(s->json, "ca", c->is_ca);
		if (c->path_len >= 0)
			json_u64(s->json, "path_length", (uint64_t)c->path_len);
		json_open(s->json, "key_usage", '[');
	} else {
		printf("    %s", c->is_ca ? "a CA" : "no CA");
		if (c->path_len >= 0)
			printf(", path length %d", c->path_len);
		fputs(c->key_usage ? "; for" : "", stdout);
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!(c->key_usage >> i & 1))
			continue;
		if (s->json)
			json_string(s->json, NULL, names[i]);
		else
			printf(" %s", names[i]);
	}
	if (s->json)
		json_close(s->json, ']');
	else
		putchar('\n');
}

void show_certificate(const struct show *s, const struct attest_cert *c)
{
	char subject[256], issuer[256], serial[41], url[512];
	struct bawn_error e = { 0 };
	struct attest_pck pck;

	attest_name_text(c->subject, subject, sizeof(subject));
	attest_name_text(c->issuer, issuer, sizeof(issuer));
	hex_encode(c->serial.p, c->serial.n, serial);
	if (s->json) {
		json_open(s->json, NULL, '{');
		json_string(s->json, "subject", subject);
		json_string(s->json, "issuer", issuer);
		json_string(s->json, "serial", serial);
		json_bool(s->json, "emulated", c->emulated);
	} else {
		printf("  certificate %s\n    issued by %s\n    serial %s%s\n", subject, issuer, serial,
		       c->emulated ? "\n    EMULATED: it protects nothing" : "");
	}
	show_dates(s, c->not_before, c->not_after);
	show_uses(s, c);
	show_hex(s, "key", "key (P-256, x and y)", c->key, 64);
	if (attest_x509_crl_url(c->der, url, sizeof(url)))
		show_word(s, "crl_url", "its issuer's revocations", url);
	if (c->sgx_extension.p && attest_pck_parse(c->sgx_extension, &pck, &e) == 0)
		show_pck(s, &pck);
	else if (c->sgx_extension.p)
		show_word(s, "sgx_extension_error", "SGX extension", e.msg);
	if (s->json)
		json_close(s->json, '}');
}

int show_certificates(const struct show *s, const char *key, struct cur text, struct bawn_error *e)
{
	uint8_t der[ATTEST_CERT_MAX];
	struct attest_cert cert;
	size_t n, count = 0;
	int rc;

	if (s->json)
		json_open(s->json, key, '[');
	if (text.n && text.p[0] == DER_SEQUENCE) {
		rc = attest_cert_parse(text.p, text.n, &cert, e);
		if (rc == 0)
			show_certificate(s, &cert);
		count++;
	} else {
		while ((rc = attest_pem_next(&text, "CERTIFICATE", der, sizeof(der), &n, e)) > 0) {
			rc = attest_cert_parse(der, n, &cert, e);
			if (rc)
				break;
			show_certificate(s, &cert);
			count++;
		}
	}
	if (s->json)
		json_close(s->json, ']');
	return rc || count ? rc : err_set(e, BAWN_ERR_FORMAT, "no certificate in it, neither PEM nor DER");
}
