/* Values of bawnd.conf: texts, paths, numbers, sizes, modes, users. */
#include "daemon/config_values.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int bad(const struct place *at, struct bawn_error *e, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(e, BAWN_ERR_FORMAT, "%s, line %u: %s%s%s", at->name, at->line,
		       at->setting ? at->setting : "", at->setting ? ": " : "", text);
}

int take_text(char *out, size_t max, const char *v, const struct place *at, struct bawn_error *e)
{
	if (strlen(v) >= max)
		return bad(at, e, "longer than %zu bytes", max - 1);
	strcpy(out, v);
	return 0;
}

int take_path(char *out, size_t max, const char *v, const struct place *at, struct bawn_error *e)
{
	if (*v && *v != '/')
		return bad(at, e, "a path from the root is needed, not %.100s", v);
	return take_text(out, max, v, at, e);
}

/* False: no whole number, or none of 64 bits. */
static bool read_number(const char *v, uint64_t *out)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(v, &end, 10);
	*out = n;
	return isdigit((unsigned char)*v) && !*end && !errno;
}

int take_u32(uint32_t min, uint32_t max, const char *v, uint32_t *out, const struct place *at,
	     struct bawn_error *e)
{
	uint64_t n;

	if (!read_number(v, &n) || n < min || n > max)
		return bad(at, e, "\"%.40s\" is not a whole number from %u to %u", v, min, max);
	*out = (uint32_t)n;
	return 0;
}

/* As it would be written: 4096 is 4K. */
static const char *size_text(uint64_t n, char out[32])
{
	unsigned i = 0;

	for (; i < 3 && n && n % 1024 == 0; i++)
		n /= 1024;
	snprintf(out, 32, "%llu%.1s", (unsigned long long)n, &"\0KMG"[i]);
	return out;
}

int take_size(uint64_t min, uint64_t max, const char *v, uint64_t *out, const struct place *at,
	      struct bawn_error *e)
{
	char digits[32], from[32], to[32];
	size_t n = strlen(v);
	unsigned shift = 0;
	bool good = n > 0 && n < sizeof(digits);

	if (good) {
		strcpy(digits, v);
		switch (digits[n - 1]) {
		case 'K': shift = 10; break;
		case 'M': shift = 20; break;
		case 'G': shift = 30; break;
		}
		if (shift)
			digits[n - 1] = '\0';
		good = read_number(digits, out) && *out <= max >> shift && *out << shift >= min;
	}
	if (!good)
		return bad(at, e, "\"%.40s\" is not a number of bytes from %s to %s: a whole number, with K, "
			   "M or G behind it if it is of KiB, MiB or GiB", v, size_text(min, from),
			   size_text(max, to));
	*out <<= shift;
	return 0;
}

int take_bool(const char *v, bool *out, const struct place *at, struct bawn_error *e)
{
	if (strcmp(v, "yes") != 0 && strcmp(v, "no") != 0)
		return bad(at, e, "yes or no, not \"%.40s\"", v);
	*out = *v == 'y';
	return 0;
}

int take_mode(const char *v, uint32_t *out, const struct place *at, struct bawn_error *e)
{
	unsigned long m;
	char *end;

	m = strtoul(v, &end, 8);
	if (!isdigit((unsigned char)*v) || *end || m > 0777)
		return bad(at, e, "octal digits from 0 to 0777 are needed, such as 0660, not \"%.40s\"", v);
	*out = (uint32_t)m;
	return 0;
}

int take_gid(const char *v, uint32_t *out, const struct place *at, struct bawn_error *e)
{
	const struct group *g = getgrnam(v);

	if (g) {
		*out = g->gr_gid;
		return 0;
	}
	return isdigit((unsigned char)*v) ? take_u32(0, UINT32_MAX - 1, v, out, at, e)
					  : bad(at, e, "there is no group %.40s", v);
}

int take_user(const char *v, struct conf_user *u, const struct place *at, struct bawn_error *e)
{
	const struct passwd *p = getpwnam(v);
	char first[24];
	const char *colon;
	int r;

	*u = (struct conf_user){ .set = true };
	if (p) {
		gid_t groups[CONF_GROUPS];
		int n = CONF_GROUPS;

		u->uid = p->pw_uid;
		u->gid = p->pw_gid;
		if (getgrouplist(v, p->pw_gid, groups, &n) < 0)
			return bad(at, e, "user %.40s is in more than %d groups", v, CONF_GROUPS);
		for (int i = 0; i < n; i++)
			u->groups[u->ngroups++] = groups[i];
		return 0;
	}
	colon = strchr(v, ':');
	if (!isdigit((unsigned char)*v) || (colon && colon - v >= (int)sizeof(first)))
		return bad(at, e, "there is no user %.40s: sysusers.d(5) makes the package's, or useradd(8)", v);
	snprintf(first, sizeof(first), "%.*s", colon ? (int)(colon - v) : 20, v);
	r = take_u32(0, UINT32_MAX - 1, first, &u->uid, at, e);
	if (r == 0 && colon)
		return take_u32(0, UINT32_MAX - 1, colon + 1, &u->gid, at, e);
	u->gid = u->uid;
	return r;
}
