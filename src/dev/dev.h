/*
 * dev: one table of operations over the in-kernel driver (/dev/sgx_enclave),
 * the out-of-tree isgx driver and the emulated CPU; and what this machine has
 * of them.
 */
#ifndef BAWN_DEV_H
#define BAWN_DEV_H

#include "cpu/cpu.h"

enum dev_kind { DEV_AUTO, DEV_KERNEL, DEV_ISGX, DEV_EMULATED };

struct dev; /* one open enclave on one device */

/*
 * Offsets are from SECS.BASEADDR; offsets and lengths are bytes, multiples of
 * the page size. Order: create, add_pages, allow_provision, init, then the
 * SGX2 operations. Not thread-safe up to and including init; afterwards the
 * SGX2 operations may be called from many threads.
 */
struct dev_ops {
	const char *name;
	/*
	 * Reserve ELRANGE (naturally aligned, at secs->baseaddr if that is not 0),
	 * set secs->baseaddr, ECREATE.
	 */
	int (*create)(struct dev *d, struct isa_secs *secs, struct bawn_error *e);
	/* EADD, and EEXTEND if measured, of length bytes; src page-aligned, one page if repeat. */
	int (*add_pages)(struct dev *d, uint64_t offset, uint64_t length, const void *src,
			 bool repeat, uint64_t secinfo_flags, bool measured, struct bawn_error *e);
	/*
	 * EINIT; token NULL where launch control is flexible. Afterwards the pages
	 * are mapped, with the permissions that they were added with.
	 */
	int (*init)(struct dev *d, const struct isa_sigstruct *s, const struct isa_einittoken *token,
		    struct bawn_error *e);
	/* What the host side of the page tables allows: PROT_*. Pages need not exist yet (SGX2). */
	int (*map)(struct dev *d, uint64_t offset, uint64_t length, int prot, struct bawn_error *e);
	/* SGX2; BAWN_ERR_UNSUPPORTED where absent. */
	int (*restrict_pages)(struct dev *d, uint64_t offset, uint64_t length, uint64_t permissions,
			      struct bawn_error *e);
	int (*modify_type)(struct dev *d, uint64_t offset, uint64_t length, enum isa_page_type pt,
			   struct bawn_error *e);
	int (*remove_pages)(struct dev *d, uint64_t offset, uint64_t length, struct bawn_error *e);
	/* PROVISION_KEY for this enclave, between create and init. */
	int (*allow_provision)(struct dev *d, struct bawn_error *e);
	/* Give everything back; called once, by dev_free. */
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
	uint64_t base, size; /* ELRANGE; 0 before create */
	bool emulated; /* it protects nothing: this backend, or any under `bawn emulate` */
	/*
	 * Set before create by a broker, who makes the enclave for another process:
	 * nothing is reserved or mapped here, secs->baseaddr is where the other will
	 * have it, and `fd` is what to hand over after init.
	 */
	bool detached;
	int fd;     /* the driver's, or the memfd of the emulated EPC once created; -1 */
	void *priv; /* the backend's */
};

/*
 * Open a device for one enclave. DEV_AUTO never chooses the emulated CPU; its
 * error says how to ask for it. platform: directory of the emulated platform,
 * or NULL for BAWN_PLATFORM or the default.
 */
int dev_open(struct dev **out, enum dev_kind kind, const char *platform, struct bawn_error *e);
void dev_free(struct dev **d);
/*
 * A device whose enclaves a broker makes: pages are collected, and `launch` is
 * called at init with SECS (as it stands after create), SIGSTRUCT and the page
 * stream in sealed memory (wire.h), to bring back the enclave's descriptor,
 * which becomes the device's. From then on it is a device like any other.
 * arg must live until init. platform: as in dev_open, for an emulated one.
 */
struct dev_broker {
	int (*launch)(void *arg, const struct isa_secs *secs, const struct isa_sigstruct *s,
		      int stream, uint32_t pages, int *fd, struct bawn_error *e);
	void *arg;
};
int dev_open_brokered(struct dev **out, const struct dev_broker *b, bool emulated,
		      const char *platform, struct bawn_error *e);
/* "auto", "kernel", "isgx", "emulated"; NULL means BAWN_DEVICE or auto. */
int dev_kind_parse(const char *name, enum dev_kind *out, struct bawn_error *e);
/* The emulated EPC of an emulated device after create; NULL for others. */
struct cpu_epc *dev_emulated_epc(const struct dev *d);

/* ---- what this machine has: for dev_open's DEV_AUTO and for `bawn check` ---- */

enum dev_node_id { DEV_NODE_ENCLAVE, DEV_NODE_PROVISION, DEV_NODE_ISGX, DEV_NODES };

struct dev_node {
	const char *path;  /* the one found, else the one looked for first */
	bool present;
	int open_errno;    /* 0 if this process can open it read-write */
	bool noexec;       /* on a file system mounted noexec: PROT_EXEC mappings fail with EPERM */
};

struct dev_probe {
	/* CPUID.(7,0) and leaf 0x12; all zero where the CPU or a hypervisor has none */
	bool cpu_sgx;      /* CPUID.(7,0):EBX.SGX */
	bool sgx1, sgx2;   /* CPUID.(0x12,0):EAX: usable; firmware can leave sgx1 clear */
	bool kss, aexnotify;
	bool launch_control; /* CPUID.(7,0):ECX.SGX_LC: flexible launch control exists */
	uint64_t epc_size; /* bytes in all sections */
	struct dev_node node[DEV_NODES];
	bool vdso;         /* __vdso_sgx_enter_enclave */
	bool driver_sgx2;  /* the in-kernel driver knows the SGX2 requests */
};
void dev_probe(struct dev_probe *out);
/* The device that DEV_AUTO would choose: DEV_KERNEL, DEV_ISGX, or DEV_AUTO for none. */
enum dev_kind dev_probe_choice(const struct dev_probe *p);

/*
 * What the emulated CPU needs, tried in a child process (so the caller should
 * have no other threads). Each of the first four implies those before it.
 */
struct dev_emulation {
	bool memfd;    /* a memory file can be made, grown and written */
	bool reserve;  /* address space for an ELRANGE can be reserved */
	bool exec;     /* a page of the memory file can be mapped executable */
	bool traps;    /* ENCLU arrives as a signal, on an alternate stack, and can be stepped over */
	bool fsgsbase; /* user space may use WRFSBASE and its kin: faster, not needed */
	bool cpuid_faulting; /* CPUID can be made to fault inside enclaves, as on hardware */
};
void dev_probe_emulation(struct dev_emulation *out);

#endif
