/* Structs filled from their layout, and every way to spoil the bytes of one. */
#ifndef TESTS_WIRE_SAMPLE_H
#define TESTS_WIRE_SAMPLE_H

#include "role/role.h"

/* Fill *host with values that its decoder accepts, none of them zero where it may be otherwise. */
void sample_fill(const struct wire_layout *l, void *host);
/*
 * Call fn for every spoiled version of the encoding of *host: each field cut
 * short, each value out of its range, each reserved byte set.
 */
void sample_spoil(const struct wire_layout *l, const void *host,
		  void (*fn)(void *arg, const uint8_t *p, size_t n, const char *what), void *arg);

#endif
