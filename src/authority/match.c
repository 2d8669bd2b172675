/* Matches in words, and words for them: the same in policy files, on the command line and in lists. */
#include "authority/authority.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

/* ---- names of users and groups ---- */

static bool system_user(void *arg, const char *name, uint32_t *uid)
{
	struct passwd pw, *found = NULL;
	char buf[16384];

	(void)arg;
	if (getpwnam_r(name, &pw, buf, sizeof(buf), &found) || !found)
		return false;
	*uid = found->pw_uid;
	return true;
}

static bool system_group(void *arg, const char *name, uint32_t *gid)
{
	struct group gr, *found = NULL;
	size_t n = 65536; /* a group with many members has a long line */
	char *buf = malloc(n);
	bool ok = buf && getgrnam_r(name, &gr, buf, n, &found) == 0 && found;

	(void)arg;
	if (ok)
		*gid = found->gr_gid;
	free(buf);
	return ok;
}

const struct authority_names authority_system_names = { .user = system_user, .group = system_group };

/* ---- values ---- */

static int bad(struct bawn_error *e, const char *what, const char *word)
{
	return err_set(e, BAWN_ERR_FORMAT, "%s: %s", what, word);
}

/* "1000" or "1000-1999". The largest number means "nobody" to the system and is no id. */
static bool read_range(const char *s, uint32_t *first, uint32_t *last)
{
	const char *dash = strchr(s, '-');
	size_t n = dash ? (size_t)(dash - s) : strlen(s);
	uint64_t a, b;

	if (!words_number(s, n, UINT32_MAX - 1, &a))
		return false;
	b = a;
	if (dash && !words_number(dash + 1, strlen(dash + 1), UINT32_MAX - 1, &b))
		return false;
	*first = (uint32_t)a;
	*last = (uint32_t)b;
	return a <= b;
}

static int read_id(const char *s, uint32_t *first, uint32_t *last, struct bawn_error *e)
{
	return read_range(s, first, last) ? 0 : bad(e, "not a number or a range such as 1000-1999", s);
}

static int read_name(const char *s, const struct authority_names *names, bool group, uint32_t *first,
		     uint32_t *last, struct bawn_error *e)
{
	bool known = names && (group ? names->group : names->user)(names->arg, s, first);

	*last = *first;
	if (known)
		return 0;
	return bad(e, group ? "no such group on this system" : "no such user on this system", s);
}

static int read_hash(const char *s, uint8_t out[32], struct bawn_error *e)
{
	return hex_decode(s, strlen(s), out, 32) ? 0 : bad(e, "not 32 bytes in hexadecimal", s);
}

static int read_u16(const char *s, uint16_t *out, struct bawn_error *e)
{
	uint64_t v;

	if (!words_number(s, strlen(s), UINT16_MAX, &v))
		return bad(e, "not a number up to 65535", s);
	*out = (uint16_t)v;
	return 0;
}

static int read_text(const char *s, char *out, size_t size, struct bawn_error *e)
{
	size_t n = strlen(s);

	if (!n || n >= size)
		return bad(e, "empty, or too long", s);
	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x21 || s[i] > 0x7e)
			return bad(e, "only printable ASCII is possible here", s);
	memcpy(out, s, n + 1);
	return 0;
}

static int read_debug(const char *s, bool *out, struct bawn_error *e)
{
	if (strcmp(s, "yes") != 0 && strcmp(s, "no") != 0)
		return bad(e, "debug is yes or no", s);
	*out = *s == 'y';
	return 0;
}

/* ---- words ---- */

enum key { K_UID, K_USER, K_GID, K_GROUP, K_CGROUP, K_SOCKET, K_MRENCLAVE, K_MRSIGNER, K_PRODUCT, K_SVN,
	   K_DEBUG };
static const struct {
	const char *name;
	uint32_t has;
} keys[] = {
	[K_UID] = { "uid", WIRE_HAS_UID },
	[K_USER] = { "user", WIRE_HAS_UID },
	[K_GID] = { "gid", WIRE_HAS_GID },
	[K_GROUP] = { "group", WIRE_HAS_GID },
	[K_CGROUP] = { "cgroup", WIRE_HAS_CGROUP },
	[K_SOCKET] = { "socket", WIRE_HAS_SOCKET },
	[K_MRENCLAVE] = { "mrenclave", WIRE_HAS_MRENCLAVE },
	[K_MRSIGNER] = { "mrsigner", WIRE_HAS_MRSIGNER },
	[K_PRODUCT] = { "product", WIRE_HAS_PRODUCT },
	[K_SVN] = { "svn", WIRE_HAS_SVN },
	[K_DEBUG] = { "debug", WIRE_HAS_DEBUG },
};

static int read_value(struct wire_match *m, size_t key, const char *s,
		      const struct authority_names *names, struct bawn_error *e)
{
	switch (key) {
	case K_UID:
		return read_id(s, &m->uid_first, &m->uid_last, e);
	case K_GID:
		return read_id(s, &m->gid_first, &m->gid_last, e);
	case K_USER:
		return read_name(s, names, false, &m->uid_first, &m->uid_last, e);
	case K_GROUP:
		return read_name(s, names, true, &m->gid_first, &m->gid_last, e);
	case K_CGROUP:
		return read_text(s, m->cgroup, sizeof(m->cgroup), e);
	case K_SOCKET:
		return read_text(s, m->socket, sizeof(m->socket), e);
	case K_MRENCLAVE:
		return read_hash(s, m->mrenclave, e);
	case K_MRSIGNER:
		return read_hash(s, m->mrsigner, e);
	case K_PRODUCT:
		return read_u16(s, &m->product, e);
	case K_SVN:
		return read_u16(s, &m->svn, e);
	default:
		return read_debug(s, &m->debug, e);
	}
}

int authority_match_word(struct wire_match *m, const char *word, const struct authority_names *names,
			 struct bawn_error *e)
{
	const char *equals = strchr(word, '=');
	size_t n = equals ? (size_t)(equals - word) : 0;
	int rc;

	if (!n || !equals[1])
		return bad(e, "not of the form key=value", word);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strlen(keys[i].name) != n || memcmp(keys[i].name, word, n) != 0)
			continue;
		if (m->has & keys[i].has)
			return bad(e, "said twice", keys[i].name);
		rc = read_value(m, i, equals + 1, names, e);
		if (rc == 0)
			m->has |= keys[i].has;
		return rc;
	}
	return bad(e, "no such condition", word);
}

int authority_match_operations(struct wire_match *m, const char *words, struct bawn_error *e)
{
	while (*words) {
		size_t n = strcspn(words, ","), op = 0;
		uint32_t bits;

		while (op < WIRE_OPERATIONS && (strlen(wire_operation_name((unsigned)op)) != n ||
						memcmp(words, wire_operation_name((unsigned)op), n) != 0))
			op++;
		if (n == 3 && memcmp(words, "any", 3) == 0)
			bits = WIRE_OP_ANY;
		else if (op < WIRE_OPERATIONS)
			bits = WIRE_OP_BIT(op);
		else
			return bad(e, "no such operation", words);
		if (m->operations & bits)
			return bad(e, "an operation is said twice", words);
		m->operations |= bits;
		words += n;
		if (*words == ',' && !*++words)
			return bad(e, "an operation is missing after the comma", ",");
	}
	return m->operations ? 0 : err_set(e, BAWN_ERR_FORMAT, "no operation");
}

/* ---- text ---- */

static void operations_text(uint32_t operations, struct buf *out)
{
	const char *comma = "";

	if ((operations & WIRE_OP_ANY) == WIRE_OP_ANY) {
		buf_str(out, "any");
		operations &= ~WIRE_OP_ANY;
		comma = ",";
	}
	for (unsigned op = 0; op < WIRE_OPERATIONS; op++) {
		if (!(operations & WIRE_OP_BIT(op)))
			continue;
		buf_printf(out, "%s%s", comma, wire_operation_name(op));
		comma = ",";
	}
}

static void range_text(const char *key, uint32_t first, uint32_t last, struct buf *out)
{
	buf_printf(out, " %s=%u", key, first);
	if (last != first)
		buf_printf(out, "-%u", last);
}

static void hash_text(const char *key, const uint8_t hash[32], struct buf *out)
{
	char hex[65];

	hex_encode(hash, 32, hex);
	buf_printf(out, " %s=%s", key, hex);
}

void authority_match_text(const struct wire_match *m, struct buf *out)
{
	operations_text(m->operations, out);
	if (m->has & WIRE_HAS_UID)
		range_text("uid", m->uid_first, m->uid_last, out);
	if (m->has & WIRE_HAS_GID)
		range_text("gid", m->gid_first, m->gid_last, out);
	if (m->has & WIRE_HAS_CGROUP)
		buf_printf(out, " cgroup=%s", m->cgroup);
	if (m->has & WIRE_HAS_SOCKET)
		buf_printf(out, " socket=%s", m->socket);
	if (m->has & WIRE_HAS_MRENCLAVE)
		hash_text("mrenclave", m->mrenclave, out);
	if (m->has & WIRE_HAS_MRSIGNER)
		hash_text("mrsigner", m->mrsigner, out);
	if (m->has & WIRE_HAS_PRODUCT)
		buf_printf(out, " product=%u", m->product);
	if (m->has & WIRE_HAS_SVN)
		buf_printf(out, " svn=%u", m->svn);
	if (m->has & WIRE_HAS_DEBUG)
		buf_printf(out, " debug=%s", m->debug ? "yes" : "no");
}

/* Their encodings are the same: what is not said is zero, and texts are filled with zeros. */
bool authority_match_equal(const struct wire_match *a, const struct wire_match *b)
{
	return a->has == b->has && a->operations == b->operations && a->uid_first == b->uid_first &&
	       a->uid_last == b->uid_last && a->gid_first == b->gid_first && a->gid_last == b->gid_last &&
	       strcmp(a->cgroup, b->cgroup) == 0 && strcmp(a->socket, b->socket) == 0 &&
	       memcmp(a->mrenclave, b->mrenclave, 32) == 0 && memcmp(a->mrsigner, b->mrsigner, 32) == 0 &&
	       a->product == b->product && a->svn == b->svn && a->debug == b->debug;
}
