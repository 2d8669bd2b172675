/* Quotes as files and people have them: raw, in hexadecimal, in base64. */
#include "attest/attest.h"

#include <stdlib.h>
#include <string.h>

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Every quote has zero bytes, and a certificate bytes above 0x7f: text has neither. */
static bool is_text(const uint8_t *p, size_t n)
{
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

int attest_input_decode(const void *p, size_t n, uint8_t **out, size_t *outn, struct bawn_error *e)
{
	uint8_t *b = malloc(n ? n : 1);

	if (!b)
		return err_nomem(e);
	*out = b;
	if (is_text(p, n) && (hex_text(p, n, b, outn) || base64_decode(p, n, b, n, outn)))
		return 0;
	if (n)
		memcpy(b, p, n);
	*outn = n;
	return 0;
}
