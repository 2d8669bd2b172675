/* Values of bawnd.conf, as their text is; config.c knows which setting has which. */
#ifndef BAWN_DAEMON_CONFIG_VALUES_H
#define BAWN_DAEMON_CONFIG_VALUES_H

#include "daemon/daemon.h"

/* Where a value is being read, for errors. */
struct place {
	const char *name;    /* of the file */
	unsigned line;
	const char *setting; /* NULL: it is not about a value */
};

/* An error that tells the place. */
int bad(const struct place *at, struct bawn_error *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

int take_text(char *out, size_t max, const char *v, const struct place *at, struct bawn_error *e);
int take_path(char *out, size_t max, const char *v, const struct place *at, struct bawn_error *e);
int take_u32(uint32_t min, uint32_t max, const char *v, uint32_t *out, const struct place *at,
	     struct bawn_error *e);
/* "64M": bytes, with K, M or G. */
int take_size(uint64_t min, uint64_t max, const char *v, uint64_t *out, const struct place *at,
	      struct bawn_error *e);
int take_bool(const char *v, bool *out, const struct place *at, struct bawn_error *e);
int take_mode(const char *v, uint32_t *out, const struct place *at, struct bawn_error *e);
int take_gid(const char *v, uint32_t *out, const struct place *at, struct bawn_error *e);
/* "NAME" or "UID[:GID]"; a name brings its primary and supplementary groups. */
int take_user(const char *v, struct conf_user *u, const struct place *at, struct bawn_error *e);

#endif
