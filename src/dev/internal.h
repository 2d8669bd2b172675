/* Shared by the backends of dev; nobody else's business. */
#ifndef BAWN_DEV_INTERNAL_H
#define BAWN_DEV_INTERNAL_H

#include "dev/dev.h"

/* ---- the backends: each fills ops, enter, features and fd, or fails ---- */

int dev_kernel_open(struct dev *d, struct bawn_error *e);
int dev_isgx_open(struct dev *d, struct bawn_error *e);
int dev_emulated_open(struct dev *d, const char *platform, struct bawn_error *e);

/* The nodes, in the order they are looked for; NULL ends. */
extern const char *const dev_node_paths[DEV_NODES][3];
/*
 * Open a node read-write. BAWN_ERR_NO_DEVICE if there is none, BAWN_ERR_DENIED
 * if permissions or the mount forbid it, both saying what to do.
 */
int dev_node_open(enum dev_node_id id, int *fd, struct bawn_error *e);

/* __vdso_sgx_enter_enclave, or NULL where the kernel has none. */
isa_enter_fn dev_vdso_enter(void);
/*
 * The same function by our own hand, for kernels without it: faults are
 * caught by signal handlers, which the first call installs. See enter.S.
 */
int dev_signal_enter_start(struct bawn_error *e);
int dev_signal_enter(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned int leaf,
		     unsigned long r8, unsigned long r9, struct isa_run *run);

/* The symbol in a vDSO image as mapped; NULL if it has none of that name. */
void *dev_vdso_symbol(const void *image, const char *name);

/* What CPUID says of SGX. Also used for a hardware device's features. */
void dev_probe_cpu(struct dev_probe *out);
void dev_hardware_features(struct dev_features *f);

/* ---- what drivers have in common ---- */

/* Open the node; priv is for the ranges. Closes after itself on failure. */
int dev_driver_open(struct dev *d, enum dev_node_id id, struct bawn_error *e);
void dev_driver_close(struct dev *d);

/* ---- enclaves that a broker made: *d has base and size, and the pages' ranges in r ---- */

struct dev_ranges;
int dev_kernel_adopt(struct dev *d, int fd, const struct dev_ranges *r, struct bawn_error *e);
/* What dev_emulated_open left in priv must be there again; reserved becomes the device's to unmap. */
int dev_emulated_adopt(struct dev *d, int fd, const struct dev_ranges *r, struct bawn_error *e);
void dev_emulated_close(struct dev *d);

/* ---- ELRANGE ---- */

/* Reserve address space: at *base if not 0, else anywhere that is naturally aligned. */
int dev_reserve(uint64_t size, uint64_t *base, struct bawn_error *e);

/* The pages added so far and how they may be mapped: joined where neighbours agree. */
struct dev_range {
	uint64_t offset, length;
	int prot;
};
struct dev_ranges {
	struct dev_range *r;
	size_t n, cap;
};
/* Appends; prot follows from SECINFO: a TCS is mapped read-write, as the driver allows. */
int dev_ranges_add(struct dev_ranges *l, uint64_t offset, uint64_t length, uint64_t secinfo_flags,
		   struct bawn_error *e);
/* ops->map of each. */
int dev_ranges_map(const struct dev_ranges *l, struct dev *d, struct bawn_error *e);
void dev_ranges_free(struct dev_ranges *l);

#endif
