/* Who makes the quotes of `bawn attest`: this process, or bawnd. */
#ifndef BAWN_CLI_MAKER_H
#define BAWN_CLI_MAKER_H

#include "cli/cli.h"

struct maker {
	struct bawn_attester *attester; /* one of the two */
	struct bawn_client *service;
};
/* --daemon or --socket was given. */
bool maker_by_service(const struct cli *c);
/* 0 or an exit code, after saying why; *m can be closed in either case. */
int maker_open(struct cli *c, struct maker *m);
void maker_close(struct maker *m);
int maker_target(const struct maker *m, uint8_t target[512], struct bawn_error *e);
/* *quote is malloc'd. */
int maker_quote(const struct maker *m, const uint8_t report[432], uint8_t **quote, size_t *n, struct bawn_error *e);
/* An error of these, told with what to do; an exit code. */
int maker_fail(struct cli *c, const struct maker *m, const struct bawn_error *e);
/* Members of an object that is open: what is known of the platform. */
void maker_json(const struct maker *m, struct json *j);
/* A file's bytes, malloc'd; 0 or an exit code. */
int maker_file(struct cli *c, const char *path, size_t max, uint8_t **p, size_t *n);

#endif
