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

/* n digits off the front, or -1. */
static int number(struct cur *c, size_t n)
{
	struct cur part;
	int v = 0;

	if (!cur_sub(c, n, &part))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (part.p[i] < '0' || part.p[i] > '9')
			return -1;
		v = v * 10 + (part.p[i] - '0');
	}
	return v;
}

bool attest_time_der(uint8_t tag, struct cur body, int64_t *t)
{
	int y, v[5];

	if (tag == DER_UTC_TIME) {
		y = number(&body, 2);
		if (y >= 0)
			y += y < 50 ? 2000 : 1900;
	} else if (tag == DER_GENERALIZED_TIME) {
		y = number(&body, 4);
	} else {
		return false;
	}
	if (y < 0)
		return false;
	for (int i = 0; i < 5; i++) {
		v[i] = number(&body, 2);
		if (v[i] < 0)
			return false;
	}
	return body.n == 1 && body.p[0] == 'Z' && compose(y, v, t);
}

bool attest_time_iso(const char *s, size_t n, int64_t *t)
{
	static const char after[5] = { '-', 'T', ':', ':', 'Z' };
	struct cur c = cur_make(s, n);
	int y = number(&c, 4), v[5];
	uint8_t mark;

	if (y < 0 || !cur_u8(&c, &mark) || mark != '-')
		return false;
	for (int i = 0; i < 5; i++) {
		v[i] = number(&c, 2);
		if (v[i] < 0 || !cur_u8(&c, &mark) || mark != after[i])
			return false;
	}
	return c.n == 0 && compose(y, v, t);
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
