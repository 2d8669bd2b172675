/* What the files of fab share: structures as JSON, by tables. */
#ifndef BAWN_FAB_INTERNAL_H
#define BAWN_FAB_INTERNAL_H

#include "fab/fab.h"

/* A member of a structure, and of the JSON object that it is written as. */
enum fab_kind {
	FAB_HEX,    /* size bytes */
	FAB_NUMBER, /* uint8_t to uint64_t, by size */
	FAB_TIME,   /* int64_t */
	FAB_SINCE,  /* struct fab_revocation; an empty text if it is none */
	FAB_BOOL,
	FAB_TEXT,   /* char[size], plain ASCII */
	FAB_STATUS, /* uint8_t, enum bawn_tcb_status */
	FAB_OBJECT, /* a structure, by `of` */
	FAB_ARRAY,  /* up to `max` of `size` bytes each, by `of`; their uint32_t count is at count_at */
};
struct fab_table;
struct fab_member {
	const char *name;
	enum fab_kind kind;
	size_t at, size;
	const struct fab_table *of;
	size_t max, count_at;
};
struct fab_table {
	const struct fab_member *member; /* a single one without a name: the value itself, no object */
	size_t count;
};
void fab_record_write(struct json *j, const char *key, const struct fab_table *t, const void *from);
/* Every member exactly once and no other, numbers and texts that fit. */
bool fab_record_read(struct jread *r, const struct fab_table *t, void *to);

/* Names of the files in a fab's directory. */
#define FAB_FILE "fab.json"
#define FAB_FILE_MAX (4u << 20)
#define FAB_PPID_KEY "ppid_key.pem"
#define FAB_PCK_FOLDER "pck"
#define FAB_COLLATERAL "collateral"
const char *fab_authority_file(enum fab_authority which);
bool fab_url_good(const char *url);
int fab_random_serial(uint8_t serial[FAB_SERIAL], struct bawn_error *e);
/* What follows the common name in all of its names. */
const char *fab_rest(const struct fab *f);
/* Where an authority's list of the revoked is. */
void fab_crl_url(const struct fab *f, enum fab_authority issuer, char out[FAB_URL_MAX + 64]);
/* Negative, zero, positive, as a's versions are below, at or above b's: components, then svn. */
int fab_level_compare(const struct fab_level *a, const struct fab_level *b);

#endif
