/* The audit log's own: what writing and reading it share. */
#ifndef BAWN_AUTHORITY_INTERNAL_H
#define BAWN_AUTHORITY_INTERNAL_H

#include "authority/authority.h"

/* ---- lines ---- */

/* `,"mac":"`, 64 digits, `"}`; the line's end comes after. */
#define AUDIT_MAC_BYTES 74u

/* What only the log itself says. */
struct audit_extra {
	uint64_t lost, cut;
	uint64_t first, last;
	const uint8_t *log, *before; /* 16 and 32 bytes, or NULL */
};
/* The line up to where the MAC covers it. */
void audit_render(const struct role_audit *ev, uint64_t n, const struct audit_extra *x,
		  struct buf *out);

/* ---- keys ---- */

/* K[n + 1] from K[n], in place. */
void audit_key_next(uint8_t key[32]);
/* The name of the log that begins with this key: nobody who does not have it can begin that log again. */
void audit_log_name(const uint8_t first[32], uint8_t log[16]);
void audit_mac(const uint8_t key[32], const uint8_t before[32], const void *line, size_t n,
	       uint8_t mac[32]);
/* That whoever says so has the key of the line after this end. */
void audit_prove(const uint8_t key[32], const struct wire_anchor *end, uint8_t proof[32]);

/* ---- files ---- */

#define AUDIT_NAME 32
void audit_name(uint64_t first, char out[AUDIT_NAME]);
/* The numbers in the names of the files there are, ascending; *out is malloc'd. */
int audit_segments(int dirfd, uint64_t **out, size_t *n, struct bawn_error *e);

/* Reads a file line by line. */
struct audit_reader {
	int fd;
	size_t start, end;
	uint64_t line;   /* number in the file of the last line, from 1 */
	uint64_t offset; /* in the file, behind the last line */
	uint8_t buf[65536];
};
int audit_reader_open(struct audit_reader **out, int dirfd, uint64_t segment, uint64_t offset,
		      struct bawn_error *e);
void audit_reader_free(struct audit_reader **r);
/*
 * The next line, without its end, valid until the next call: 1; 0 at the end
 * of the file, where *line is what is left without a line end. A line that is
 * too long comes in pieces, each of which is no line of a log.
 */
int audit_reader_next(struct audit_reader *r, struct cur *line, struct bawn_error *e);

/* ---- the record of the head ---- */

#define AUDIT_HEAD_FILE "audit-head"
struct audit_head {
	struct wire_anchor anchor;
	uint8_t key[32]; /* K[count + 1] */
	uint64_t segment, offset; /* the file, and bytes of it, that end with line `count` */
};
int audit_head_read(int dirfd, struct audit_head *out, struct bawn_error *e);
int audit_head_write(int dirfd, const struct audit_head *h, struct bawn_error *e);

#endif
