/* The courier's files share this. */
#ifndef BAWN_DAEMON_COURIER_H
#define BAWN_DAEMON_COURIER_H

#include "attest/attest.h"
#include "daemon/daemon.h"

#define KEPT 64

struct kept {
	struct attest_key key;
	uint64_t fetched; /* seconds since 1970; 0: never, or not known */
};

struct courier {
	const struct config *config;
	int vault; /* -1: none now */
	struct attest_source source;
	const char *headers[2];
	char api_key[192];
	struct attest_anchor anchor;
	char store[CONF_PATH + 16]; /* of what was fetched */
	struct kept kept[KEPT];
	bool has_pck;
	struct attest_pck pck; /* of the certificate described last: this platform's, as far as known */
	struct bawn_error broken; /* what is wrong with the configuration */
	struct message in;
};

/* ---- courier_sources.c ---- */

int courier_set_up(struct courier *c, struct bawn_error *e);
/* The certificate number `skip` of those in the directory, the best first. */
int courier_find_pck(const struct courier *c, const struct role_fetch *q, struct attest_bundle *out,
		     struct bawn_error *e);
/* What a chain says of itself. */
int courier_describe(struct courier *c, const struct attest_file *chain, struct role_fetched *f,
		     struct bawn_error *e);
/* Where this platform stands by that collateral: enum bawn_tcb_status, UNKNOWN if that cannot be told. */
uint32_t courier_standing(const struct courier *c, const struct attest_bundle *b,
			  const uint8_t fmspc[6]);

#endif
