/*
 * dev: one table of operations over the in-kernel driver (/dev/sgx_enclave),
 * the out-of-tree isgx driver and the emulated CPU.
 */
#ifndef BAWN_DEV_H
#define BAWN_DEV_H

#include "cpu/cpu.h"

enum dev_kind { DEV_AUTO, DEV_KERNEL, DEV_ISGX, DEV_EMULATED };

struct dev; /* one open enclave on one device */

struct dev_ops {
	const char *name;
	/* Reserve ELRANGE (naturally aligned), set secs->baseaddr, ECREATE. */
	int (*create)(struct dev *d, struct isa_secs *secs, struct bawn_error *e);
	/* EADD, and EEXTEND if measured, of length bytes; src page-aligned, one page if repeat. */
	int (*add_pages)(struct dev *d, uint64_t offset, uint64_t length, const void *src,
			 bool repeat, uint64_t secinfo_flags, bool measured, struct bawn_error *e);
	/* EINIT; token NULL where launch control is flexible. Afterwards the pages are mapped. */
	int (*init)(struct dev *d, const struct isa_sigstruct *s, const struct isa_einittoken *token,
		    struct bawn_error *e);
	/* SGX2; BAWN_ERR_UNSUPPORTED where absent. Lengths in bytes. */
	int (*map)(struct dev *d, uint64_t offset, uint64_t length, int prot, struct bawn_error *e);
	int (*restrict_pages)(struct dev *d, uint64_t offset, uint64_t length, uint64_t permissions,
			      struct bawn_error *e);
	int (*modify_type)(struct dev *d, uint64_t offset, uint64_t length, enum isa_page_type pt,
			   struct bawn_error *e);
	int (*remove_pages)(struct dev *d, uint64_t offset, uint64_t length, struct bawn_error *e);
	/* PROVISION_KEY for this enclave, between create and init. */
	int (*allow_provision)(struct dev *d, struct bawn_error *e);
	void (*close)(struct dev *d);
};

struct dev_features {
	uint64_t xfrm;       /* allowed in SECS.ATTRIBUTES.XFRM */
	uint32_t miscselect; /* allowed */
	bool sgx2, kss, aexnotify;
	bool needs_token;    /* launch control locked to a signer */
};

struct dev {
	const struct dev_ops *ops;
	isa_enter_fn enter;
	struct dev_features features;
	uint64_t base, size;
	bool emulated;
	int fd;
	void *priv;
};

/*
 * Open a device for one enclave. DEV_AUTO never chooses the emulated CPU; its
 * error says how to ask for it. platform: directory of the emulated platform,
 * or NULL for BAWN_PLATFORM or the default.
 */
int dev_open(struct dev **out, enum dev_kind kind, const char *platform, struct bawn_error *e);
void dev_free(struct dev **d);
/* "auto", "kernel", "isgx", "emulated"; NULL means BAWN_DEVICE or auto. */
int dev_kind_parse(const char *name, enum dev_kind *out, struct bawn_error *e);

#endif
