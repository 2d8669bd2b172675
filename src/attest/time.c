/* Instants as certificates and TCB infos write them. */
#include "attest/attest.h"

#include <stdio.h>

/* Days from 1970-01-01 to a date of the Gregorian calendar, year 0 to 9999. */
static int64_t days(int y, int m, int d)
{
	static const int before[12] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	int leap_years = y > 0 ? (y - 1) / 4 - (y - 1) / 100 + (y - 1) / 400 + 1 : 0;
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return (int64_t)y * 365 + leap_years + before[m - 1] + (leap && m > 2) + d - 1 - 719528;
}

static int month_length(int y, int m)
{
	static const int length[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (m == 2 && ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0))
		return 29;
	return length[m - 1];
}

/* No leap second: neither DER nor the PCS writes them. */
static bool compose(int y, const int v[5], int64_t *t)
{
	if (v[0] < 1 || v[0] > 12 || v[1] < 1 || v[1] > month_length(y, v[0]) || v[2] > 23 || v[3] > 59 ||
	    v[4] > 59)
		return false;
	*t = days(y, v[0], v[1]) * 86400 + v[2] * 3600 + v[3] * 60 + v[4];
	return true;
}

/* Two digits, or -1. */
static int two(const uint8_t *p)
{
	unsigned a = p[0] - (unsigned)'0', b = p[1] - (unsigned)'0';

	return a > 9 || b > 9 ? -1 : (int)(a * 10 + b);
}

bool attest_time_der(uint8_t tag, struct cur body, int64_t *t)
{
	int y, century, v[5];

	if (tag == DER_UTC_TIME && body.n == 13) {
		y = two(body.p);
		century = y < 50 ? 20 : 19;
		body.p += 2;
	} else if (tag == DER_GENERALIZED_TIME && body.n == 15) {
		century = two(body.p);
		y = two(body.p + 2);
		body.p += 4;
	} else {
		return false;
	}
	for (int i = 0; i < 5; i++) {
		v[i] = two(body.p + 2 * i);
		if (v[i] < 0)
			return false;
	}
	return y >= 0 && century >= 0 && body.p[10] == 'Z' && compose(century * 100 + y, v, t);
}

bool attest_time_iso(const char *s, size_t n, int64_t *t)
{
	static const char marks[] = "--T::Z";
	static const uint8_t mark_at[] = { 4, 7, 10, 13, 16, 19 };
	const uint8_t *p = (const uint8_t *)s;
	int century, y, v[5];

	if (n != 20)
		return false;
	for (size_t i = 0; i < sizeof(mark_at); i++)
		if (s[mark_at[i]] != marks[i])
			return false;
	century = two(p);
	y = two(p + 2);
	for (int i = 0; i < 5; i++) {
		v[i] = two(p + 5 + 3 * i);
		if (v[i] < 0)
			return false;
	}
	return century >= 0 && y >= 0 && compose(century * 100 + y, v, t);
}

void attest_time_format(int64_t t, char out[21])
{
	static const int64_t first = -62167219200, last = 253402300799; /* years 0 and 9999 */
	int64_t day;
	int y, m = 1, second;

	t = t < first ? first : t > last ? last : t;
	day = t / 86400 - (t % 86400 < 0);
	second = (int)(t - day * 86400);
	/* A guess from below, at most a year off. */
	for (y = (int)((day + 719528) * 400 / 146097); day < days(y, 1, 1); y--)
		;
	while (y < 9999 && day >= days(y + 1, 1, 1))
		y++;
	while (m < 12 && day >= days(y, m + 1, 1))
		m++;
	snprintf(out, 21, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)y % 10000, (unsigned)m % 100,
		 (unsigned)(day - days(y, m, 1) + 1) % 100, (unsigned)(second / 3600) % 100,
		 (unsigned)(second / 60 % 60), (unsigned)(second % 60));
}
