/* What the tests of authority share: names, subjects, identities, a directory of the test's own. */
#ifndef TESTS_AUTHORITY_KIT_H
#define TESTS_AUTHORITY_KIT_H

#include "authority/authority.h"
#include "tests/tap.h"

/* user alice 1000, bob 1001; group sgx 200, users 100. */
extern const struct authority_names kit_names;
/* Parsed, or NULL after printing why not. */
struct authority_policy *kit_policy(const char *text);
/* A fresh directory, removed with what is in it at exit. */
int kit_dir(void);
const char *kit_dir_path(int dirfd);
/* All that is known, each byte of mrenclave and mrsigner as given; product 1, svn 2, 64-bit. */
struct wire_identity kit_identity(uint8_t mrenclave, uint8_t mrsigner);
/*
 * Run fn(dir, told) in a child that writes records of `size` bytes to `told`,
 * and kill it at an instant that depends on the round; in odd rounds not before
 * the first record, however slow the disk is. *last is the last record, left
 * alone if there was none. False if the child ended by itself.
 */
bool kit_killed(void (*fn)(int dir, int told), int dir, int round, void *last, size_t size);

#endif
