/* Base64 text (RFC 4648 section 4), as PEM and services write it. */
#include "base/base.h"

/* A symbol's value has this bit; spaces and the pad have others; what is neither has none. */
enum { B64_VALUE = 0x40, B64_SPACE = 0x80, B64_PAD = 0x81 };

#define V(v) (B64_VALUE | (v))
static const uint8_t symbols[256] = {
	['A'] = V(0), ['B'] = V(1), ['C'] = V(2), ['D'] = V(3), ['E'] = V(4), ['F'] = V(5), ['G'] = V(6), ['H'] = V(7),
	['I'] = V(8), ['J'] = V(9), ['K'] = V(10), ['L'] = V(11), ['M'] = V(12), ['N'] = V(13), ['O'] = V(14), ['P'] = V(15),
	['Q'] = V(16), ['R'] = V(17), ['S'] = V(18), ['T'] = V(19), ['U'] = V(20), ['V'] = V(21), ['W'] = V(22), ['X'] = V(23),
	['Y'] = V(24), ['Z'] = V(25), ['a'] = V(26), ['b'] = V(27), ['c'] = V(28), ['d'] = V(29), ['e'] = V(30), ['f'] = V(31),
	['g'] = V(32), ['h'] = V(33), ['i'] = V(34), ['j'] = V(35), ['k'] = V(36), ['l'] = V(37), ['m'] = V(38), ['n'] = V(39),
	['o'] = V(40), ['p'] = V(41), ['q'] = V(42), ['r'] = V(43), ['s'] = V(44), ['t'] = V(45), ['u'] = V(46), ['v'] = V(47),
	['w'] = V(48), ['x'] = V(49), ['y'] = V(50), ['z'] = V(51), ['0'] = V(52), ['1'] = V(53), ['2'] = V(54), ['3'] = V(55),
	['4'] = V(56), ['5'] = V(57), ['6'] = V(58), ['7'] = V(59), ['8'] = V(60), ['9'] = V(61), ['+'] = V(62), ['/'] = V(63),
	['='] = B64_PAD, [' '] = B64_SPACE, ['\t'] = B64_SPACE, ['\r'] = B64_SPACE, ['\n'] = B64_SPACE,
};
#undef V

/* The next symbol's value, B64_PAD, or -1 for the end and for what is none. */
static int next_symbol(const uint8_t *s, size_t len, size_t *at)
{
	while (*at < len) {
		uint8_t v = symbols[s[*at]];

		if (v != B64_SPACE && !(v & B64_VALUE) && v != B64_PAD)
			return -1;
		(*at)++;
		if (v != B64_SPACE)
			return v == B64_PAD ? B64_PAD : v & 63;
	}
	return -1;
}

/* Four symbols to one to three bytes; 0 if they are no group. */
static size_t group(const int v[4], uint8_t out[3])
{
	uint32_t bits;
	size_t n = v[2] == B64_PAD ? 1 : v[3] == B64_PAD ? 2 : 3;

	for (int i = 0; i < 4; i++)
		if (v[i] < 0 || (v[i] > 63 && i < 2))
			return 0;
	if ((n > 1 && v[2] > 63) || (n > 2 && v[3] > 63) || (n == 1 && v[3] != B64_PAD))
		return 0;
	bits = (uint32_t)v[0] << 18 | (uint32_t)v[1] << 12;
	if (n > 1)
		bits |= (uint32_t)v[2] << 6;
	if (n > 2)
		bits |= (uint32_t)v[3];
	/* Bits that no byte takes must be zero: one text for every value. */
	if ((n == 1 && bits & 0xffff) || (n == 2 && bits & 0xff))
		return 0;
	out[0] = (uint8_t)(bits >> 16);
	out[1] = (uint8_t)(bits >> 8);
	out[2] = (uint8_t)bits;
	return n;
}

bool base64_decode(const char *text, size_t len, void *out, size_t max, size_t *n)
{
	const uint8_t *s = (const uint8_t *)text;
	uint8_t *dst = out, last[3];
	size_t at = 0, w = 0;
	int v[4];

	for (;;) {
		/* The common case: four plain symbols in a row, room for three bytes. */
		while (len - at >= 4 && max - w >= 3) {
			uint8_t a = symbols[s[at]], b = symbols[s[at + 1]], c = symbols[s[at + 2]],
				d = symbols[s[at + 3]];

			if (!(a & b & c & d & B64_VALUE))
				break;
			b &= 63;
			c &= 63;
			dst[w++] = (uint8_t)(a << 2 | b >> 4);
			dst[w++] = (uint8_t)(b << 4 | c >> 2);
			dst[w++] = (uint8_t)(c << 6 | (d & 63));
			at += 4;
		}
		/* A line's end: on with the next one. */
		if (at < len && symbols[s[at]] == B64_SPACE) {
			at++;
			continue;
		}
		v[0] = next_symbol(s, len, &at);
		if (v[0] < 0)
			break; /* the end, unless something is left: see below */
		for (int i = 1; i < 4; i++)
			v[i] = next_symbol(s, len, &at);
		size_t got = group(v, last);

		if (!got || got > max - w)
			return false;
		for (size_t i = 0; i < got; i++)
			dst[w++] = last[i];
		if (got < 3) {
			if (next_symbol(s, len, &at) >= 0)
				return false;
			break;
		}
	}
	if (at != len)
		return false;
	*n = w;
	return true;
}
