/*
 * Who can change what decides. A configuration, a policy or a directory of
 * state that somebody else can write is theirs, and so would be all that we
 * give by it. So each must belong to root or to us, and be nobody else's to
 * write, and so must the directories on the way there.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel's */

struct walk {
	char at[PATH_MAX];   /* what was looked at, without links; "" is the root directory */
	char rest[PATH_MAX]; /* what comes after it */
	const struct conf_user *also;
	unsigned links;
};

static bool is_owner(const struct walk *w, uid_t uid, bool last)
{
	return uid == 0 || uid == geteuid() || (last && w->also && w->also->set && uid == w->also->uid);
}

static int look(const struct walk *w, const char *path, const struct stat *st, bool last,
		struct bawn_error *e)
{
	/* In a directory such as /tmp, everybody may only change what is theirs. */
	const bool sticky = S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX && !last;

	if (!is_owner(w, st->st_uid, last))
		return err_set(e, BAWN_ERR_DENIED, "%s belongs to user %u, who could change it: chown it to %s",
			       path, st->st_uid, last && w->also ? "the role's user" : geteuid() ? "yourself" : "root");
	if (!S_ISLNK(st->st_mode) && st->st_mode & 022 && !sticky)
		return err_set(e, BAWN_ERR_DENIED, "%s can be changed by others (mode %04o): chmod go-w it", path,
			       st->st_mode & 07777);
	return 0;
}

/* A link's target comes in place of the link. */
static int follow(struct walk *w, const char *path, const char *rest, struct bawn_error *e)
{
	char target[PATH_MAX], all[2 * PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		return err_sys(e, "%s", path);
	target[n] = '\0';
	if (++w->links > LINKS_MAX)
		return err_set(e, BAWN_ERR_DENIED, "%s: too many links", path);
	if (*target == '/')
		w->at[0] = '\0';
	if (snprintf(all, sizeof(all), "%s/%s", target, rest) >= (int)sizeof(w->rest))
		return err_set(e, BAWN_ERR_USAGE, "%s: the path is too long", path);
	strcpy(w->rest, all);
	return 0;
}

/* One component. 0, a refusal, or BAWN_ERR_NOT_FOUND. */
static int step(struct walk *w, struct bawn_error *e)
{
	char path[2 * PATH_MAX];
	const char *name = w->rest + strspn(w->rest, "/"), *rest = name + strcspn(name, "/");
	const int n = (int)(rest - name);
	struct stat st;
	int r;

	rest += strspn(rest, "/");
	if (n == 2 && name[0] == '.' && name[1] == '.') {
		char *slash = strrchr(w->at, '/');

		if (slash)
			*slash = '\0';
	} else if (!(n == 1 && name[0] == '.')) {
		if (snprintf(path, sizeof(path), "%s/%.*s", w->at, n, name) >= (int)sizeof(w->at))
			return err_set(e, BAWN_ERR_USAGE, "%s: the path is too long", path);
		if (lstat(path, &st))
			return errno == ENOENT || errno == ENOTDIR ? BAWN_ERR_NOT_FOUND : err_sys(e, "%s", path);
		r = look(w, path, &st, !*rest && !S_ISLNK(st.st_mode), e);
		if (r)
			return r;
		if (S_ISLNK(st.st_mode)) {
			char after[PATH_MAX];

			strcpy(after, rest);
			return follow(w, path, after, e);
		}
		strcpy(w->at, path);
	}
	memmove(w->rest, rest, strlen(rest) + 1);
	return 0;
}

int place_check(const char *path, const struct conf_user *also, struct bawn_error *e)
{
	struct walk w = { .also = also };
	struct stat root;
	int n, r;

	if (*path == '/') {
		n = snprintf(w.rest, sizeof(w.rest), "%s", path);
	} else {
		if (!getcwd(w.at, sizeof(w.at)))
			return err_sys(e, "the working directory");
		n = snprintf(w.rest, sizeof(w.rest), "%.2000s/%.2000s", w.at, path);
		w.at[0] = '\0';
	}
	if (n < 0 || n >= (int)sizeof(w.rest))
		return err_set(e, BAWN_ERR_USAGE, "%.60s: the path is too long", path);
	if (stat("/", &root))
		return err_sys(e, "/");
	r = look(&w, "/", &root, false, e);
	while (r == 0 && w.rest[strspn(w.rest, "/")])
		r = step(&w, e);
	return r == BAWN_ERR_NOT_FOUND ? 0 : r;
}

int places_check(const struct config *c, struct bawn_error *e)
{
	static const struct {
		const char *name;
		enum process whose;
	} below[] = { { "vault", PROC_VAULT }, { "courier", PROC_COURIER } };
	char path[CONF_PATH + 16];
	int r = place_check(c->policy, NULL, e);

	if (r)
		err_context(e, "policy");
	else if ((r = place_check(c->state, NULL, e)) != 0)
		err_context(e, "state");
	else if ((r = place_check(c->audit, NULL, e)) != 0)
		err_context(e, "audit");
	for (size_t i = 0; i < ARRAY_LEN(below) && r == 0; i++) {
		snprintf(path, sizeof(path), "%s/%s", c->state, below[i].name);
		r = place_check(path, c->separate ? &c->user[below[i].whose] : NULL, e);
		if (r)
			err_context(e, "state");
	}
	return r;
}
