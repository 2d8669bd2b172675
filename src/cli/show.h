/*
 * Showing structures in words and as JSON, side by side, so that neither tells
 * less than the other: what `quote show`, `collateral show`, `inspect` and
 * `verify` share.
 */
#ifndef BAWN_CLI_SHOW_H
#define BAWN_CLI_SHOW_H

#include "attest/attest.h"
#include "cli/cli.h"

struct show {
	struct json *json; /* NULL: text to standard output */
	bool failed;
	struct cli *c;
};

/* One member of the object that is open; label: what it is called in text, in a column of its own. */
void show_hex(const struct show *s, const char *name, const char *label, const void *p, size_t n);
void show_number(const struct show *s, const char *name, const char *label, uint64_t v);
void show_word(const struct show *s, const char *name, const char *label, const char *word);
void show_flag(const struct show *s, const char *name, const char *label, bool v);
/* 16 bytes as decimal numbers, each after a blank; the line stays open in text. */
void show_numbers(const struct show *s, const char *name, const uint8_t p[16]);
/* Members valid_from and valid_until; a line. */
void show_dates(const struct show *s, int64_t from, int64_t until);
void show_time(struct json *j, const char *key, int64_t t);
/* An object below; in text a heading. */
void show_open(const struct show *s, const char *name, const char *heading);
void show_close(const struct show *s);

/* Named bits; the last has mask 0. */
struct show_bit {
	uint64_t mask;
	const char *name;
};
extern const struct show_bit show_flags[], show_xfrm[], show_misc[]; /* of ATTRIBUTES, MISCSELECT */
extern const struct show_bit show_td_flags[];                        /* of a TD's ATTRIBUTES */
/* Names of the known bits that are set, and in hexadecimal what is left. */
const char *show_bits(const struct show_bit *bits, uint64_t value, char *out, size_t max);
/* The known bits that a mask leaves to whoever loads the enclave. */
const char *show_open_bits(const struct show_bit *bits, uint64_t mask, char *out, size_t max);
void show_bits_json(struct json *j, const char *key, const struct show_bit *bits, uint64_t value);

/*
 * Objects; key as in JSON. With the bytes of the report also what its structure
 * leaves out; with its report data, that. Both may be NULL.
 */
void show_sgx_report(const struct show *s, const char *key, const struct bawn_sgx_report *r,
		     const uint8_t *bytes);
void show_td_report(const struct show *s, const char *key, const struct bawn_td_report *r,
		    const uint8_t *report_data);
/* An element of an array. */
void show_certificate(const struct show *s, const struct attest_cert *c);
/* All certificates of a PEM text, or the one in DER; an array called key. */
int show_certificates(const struct show *s, const char *key, struct cur text, struct bawn_error *e);

#endif
