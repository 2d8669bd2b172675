/* Quotes as files and people have them: raw, in hexadecimal, in base64 of either alphabet. */
#include "attest/attest.h"

#include <stdlib.h>
#include <string.h>

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool attest_input_is_text(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++)
		if (!is_blank(p[i]) && (p[i] <= 0x20 || p[i] >= 0x7f))
			return false;
	return n > 0;
}

/* Hexadecimal digits in pairs; out has room for n / 2 bytes. */
static bool hex_text(const uint8_t *p, size_t n, uint8_t *out, size_t *outn)
{
	size_t done = 0;
	char pair[2];
	int have = 0;

	while (n && is_blank(*p))
		p++, n--;
	if (n >= 2 && p[0] == '0' && (p[1] | 0x20) == 'x')
		p += 2, n -= 2;
	for (size_t i = 0; i < n; i++) {
		if (is_blank(p[i]))
			continue;
		pair[have++] = (char)p[i];
		if (have == 2 && !hex_decode(pair, 2, &out[done++], 1))
			return false;
		have %= 2;
	}
	*outn = done;
	return done && !have;
}

/*
 * base64url (RFC 4648 section 5) in one piece, with or without its padding, to
 * base64: PEM has the same characters, but never without blanks between. b has
 * room for n + 3.
 */
static size_t from_base64url(const uint8_t *p, size_t n, char *b)
{
	while (n && is_blank(p[n - 1]))
		n--;
	for (size_t i = 0; i < n; i++) {
		if (is_blank(p[i]))
			return 0;
		b[i] = p[i] == '-' ? '+' : p[i] == '_' ? '/' : (char)p[i];
	}
	while (n % 4)
		b[n++] = '=';
	return n;
}

static bool base64_text(const uint8_t *p, size_t n, uint8_t *out, size_t *outn)
{
	char *b;
	bool good;

	if (base64_decode((const char *)p, n, out, n, outn))
		return true;
	b = malloc(n + 3);
	if (!b)
		return false;
	good = (n = from_base64url(p, n, b)) && base64_decode(b, n, out, n, outn);
	free(b);
	return good;
}

int attest_input_decode(const void *p, size_t n, uint8_t **out, size_t *outn, struct bawn_error *e)
{
	uint8_t *b = malloc(n + 3);

	if (!b)
		return err_nomem(e);
	*out = b;
	if (attest_input_is_text(p, n) && (hex_text(p, n, b, outn) || base64_text(p, n, b, outn)))
		return 0;
	if (n)
		memcpy(b, p, n);
	*outn = n;
	return 0;
}
