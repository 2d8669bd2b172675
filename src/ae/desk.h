/* The desk from inside: residency and queues (desk.c), what is done with them (desk_*.c). */
#ifndef AE_DESK_H
#define AE_DESK_H

#include "ae/internal.h"

#include <pthread.h>

/* One ECALL, or several, on an enclave that the caller has to itself for so long. */
typedef int (*desk_fn)(struct bawn_enclave *en, void *arg, struct bawn_error *e);

/*
 * Do fn on an enclave of this kind: wait for one, load it if need be, and once
 * more from the start if the enclave was lost under it. fn must therefore have
 * no effect before it succeeds.
 */
int desk_do(struct ae_desk *d, enum ae_enclave which, desk_fn fn, void *arg,
	    struct bawn_error *e);

/* Between the two, enclaves of these kinds (bits) stay resident, whatever keep_ms says. */
void desk_pin(struct ae_desk *d, unsigned kinds);
void desk_unpin(struct ae_desk *d, unsigned kinds);
#define DESK_BIT(which) (1u << (which))

/* ISVSVN of this kind, if one was ever loaded. */
bool desk_known_isvsvn(struct ae_desk *d, enum ae_enclave which, uint16_t *isvsvn);

const uint8_t *desk_ppid_key(const struct ae_desk *d); /* or NULL */

/* Called by desk.c on a launch enclave just loaded: the lists that are kept (desk_launch.c). */
struct desk_lists {
	uint8_t *list[2]; /* by type - 1; malloc'd */
	size_t n[2];
};
int desk_give_lists(struct bawn_enclave *le, const struct desk_lists *lists, struct bawn_error *e);
/* Only within desk_do on the launch enclave. */
struct desk_lists *desk_lists(struct ae_desk *d);

#endif
