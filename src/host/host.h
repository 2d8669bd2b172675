/*
 * host: enclaves in this process. Loading, the way in and out, OCALLs,
 * exceptions, and the threads that all this happens on. What programs see of
 * it is in bawn.h; the ABI towards enclaves is doc/RUNTIME-ABI.md's.
 */
#ifndef BAWN_HOST_H
#define BAWN_HOST_H

#include "dev/dev.h"
#include "image/image.h"
#include "wire/wire.h"

#include <pthread.h>
#include <stdatomic.h>

/* RDI at EENTER: an ECALL's index, or one of these. */
enum host_command {
	HOST_INIT = -1,
	HOST_ORET = -2,
	HOST_EXCEPT = -3,
	HOST_MKTCS = -4,
	HOST_UNINIT = -5,
	HOST_PTHREAD = -6,
};
/* RDI at EEXIT: an OCALL's index, one of the built-in OCALLs, or this: done, status in RSI. */
#define HOST_DONE (-1)

/* Statuses that the runtime itself gives or understands. */
enum host_status {
	HOST_STATUS_OK = 0,
	HOST_STATUS_FAILED = 0x0001,
	HOST_STATUS_FUNCTION = 0x1001, /* no such OCALL */
	HOST_STATUS_TCS = 0x1003,      /* no TCS is free */
	HOST_STATUS_CRASHED = 0x1006,
	HOST_STATUS_STACK = 0x1009,
};

/* ---- TCSs ---- */

enum host_slot_state {
	SLOT_FREE,
	SLOT_BUSY,    /* in use by a call */
	SLOT_BOUND,   /* belongs to a host thread until that ends */
	SLOT_ABSENT,  /* not made yet: a dynamic thread */
	SLOT_UTILITY, /* makes the dynamic ones, and nothing else */
	SLOT_DEAD,    /* left behind by a crash */
};
struct host_slot {
	_Atomic uint32_t state;
	_Atomic uint32_t event; /* 1: set; see the event OCALLs */
	uint64_t tcs;           /* linear address */
	/* Both for SLOT_BOUND: whose, and whether a call is in it. */
	struct host_thread *_Atomic owner;
	bool active;
} __attribute__((aligned(64)));

/* ---- an enclave ---- */

enum host_state { HOST_RUNNING, HOST_CRASHED, HOST_LOST };

struct bawn_enclave {
	/* what every call reads */
	isa_enter_fn enter;
	uint64_t id; /* never used again in this process */
	_Atomic uint32_t state;
	unsigned fork_generation;
	bool bound, no_wait, no_init, aexnotify;
	const bawn_ocall_fn *ocalls;
	size_t ocall_count;
	void *ocall_arg;
	bawn_exception_fn exception;
	void *exception_arg;

	struct host_slot *slot;
	size_t nslots;
	struct host_slot *utility; /* or NULL */
	_Atomic uint32_t waiters, released; /* released: what waiters sleep on */
	_Atomic uint32_t started; /* threads that the enclave started and that have not ended */
	pthread_mutex_t making;    /* one dynamic thread at a time */

	struct dev *dev;
	bool edmm; /* SGX2 in use: the enclave manages its memory after EINIT */
	struct isa_secs secs; /* measurement and signer filled in */
	struct bawn_enclave_info info;

	struct bawn_enclave *next, **link; /* the registry's */
};

/* ---- a call in progress: on its caller's stack ---- */

struct host_call {
	struct isa_run run;
	/* The host's floating-point control, kept across the enclave by enter.S. */
	uint32_t mxcsr;
	uint16_t fcw;
	int16_t command; /* of enum host_command, or 0 for an ECALL */

	int code; /* enum bawn_code: why it ended otherwise than by EEXIT */
	uint64_t result; /* RSI at the final EEXIT */
	struct bawn_enclave *en;
	struct host_slot *slot;
	struct host_call *outer; /* of the same thread */
	bool in_ocall;           /* the enclave is waiting: it may be entered here */
	bool delivered;          /* entered in place for an exception (AEX-notify) */
	struct bawn_exception fault; /* for the message */
};

/* What a thread keeps. No destructor is needed unless a TCS is bound to it. */
#define HOST_CACHE 4
struct host_thread {
	struct host_call *top;
	struct {
		uint64_t id;
		struct host_slot *slot;
	} cache[HOST_CACHE]; /* the TCS last used, by enclave */
};
struct host_thread *host_thread(void);

/* enter.S: enter c->run.tcs with command and ms. 0, or what the entry function returned. */
int host_enter(isa_enter_fn enter, long command, void *ms, struct host_call *c);
/* enter.S: c->run.user_handler. */
void host_exited(void);
/* call.c, from host_exited: where to go next. Laid out for RAX:RDX. */
struct host_next {
	uint32_t leaf; /* 0: leave */
	int32_t command;
	uint64_t arg;
};
struct host_next host_dispatch(long rdi, long rsi, struct isa_run *run);

/* One command on one TCS, from entry to the final EEXIT. */
int host_run(struct bawn_enclave *en, struct host_slot *slot, long command, void *ms,
	     uint64_t *result, struct bawn_error *e);
/* 0, BAWN_ERR_CRASHED or BAWN_ERR_LOST. */
int host_alive(const struct bawn_enclave *en, struct bawn_error *e);
/* Give the enclave up: from now on all calls end. */
void host_kill(struct bawn_enclave *en, enum host_state why);

/*
 * The second half of bawn_enclave_load: an image on a device, which becomes the
 * enclave's (*dev is NULL afterwards in any case). im may be freed afterwards.
 * started: when the loading began, for the timings.
 */
int host_load_image(struct bawn_enclave **out, struct image *im, struct dev **dev,
		    const struct bawn_options *opt, uint64_t started, struct bawn_error *e);

/* ---- threads.c ---- */

int host_threads_init(struct bawn_enclave *en, const struct image *im, struct bawn_error *e);
/* After the enclave's own initialisation: its first dynamic threads. */
int host_threads_start(struct bawn_enclave *en, uint32_t min_pool, struct bawn_error *e);
/* A TCS for a call by this thread; give it back with what the call returned. */
int host_slot_take(struct bawn_enclave *en, struct host_thread *t, struct host_slot **out,
		   struct bawn_error *e);
void host_slot_give(struct bawn_enclave *en, struct host_slot *s, int r);
void host_wake_all(struct bawn_enclave *en);
/* A TCS for a thread that the enclave starts, without waiting for one; and back. */
int host_slot_reserve(struct bawn_enclave *en, struct host_slot **out, struct bawn_error *e);
void host_slot_return(struct bawn_enclave *en, struct host_slot *s, int r);
/* One of en->started is no more: the last thing that it does with the enclave. */
void host_threads_left(struct bawn_enclave *en);
/* Make those that are left end, and wait until they have. */
void host_threads_end(struct bawn_enclave *en);

/* The registry of live enclaves, for threads that end; and whether we are a fork's child. */
int host_register(struct bawn_enclave *en, struct bawn_error *e);
void host_unregister(struct bawn_enclave *en);
unsigned host_fork_generation(void);

/* ---- ocall.c ---- */

/* A built-in OCALL (rdi below HOST_DONE); the status for the enclave. */
uint32_t host_builtin(struct bawn_enclave *en, long number, void *ms);
/*
 * The event of the thread whose TCS is at this address: wait for it, for so
 * many seconds (0: for ever); set it. False if there is no such thread, or if
 * the enclave came to its end.
 */
bool host_event_wait(struct bawn_enclave *en, uint64_t tcs, uint64_t seconds);
bool host_event_set(struct bawn_enclave *en, uint64_t tcs);
/* After the enclave's end: let all go who wait for one. */
void host_events_end(struct bawn_enclave *en);

/* ---- start.c ---- */

/* HOST_INIT with what this machine offers. */
int host_start(struct bawn_enclave *en, const struct image *im, struct bawn_error *e);

/* ---- client.c: one request of the service, for the functions of bawn.h and for the command ---- */

/*
 * Ask, and take the answer: a->tail points into the client's memory until the
 * next call. fd goes along, or -1. *answer_fd is the caller's to close, -1 if
 * none came; NULL where none can come. A refusal is an error, and a->u.refusal
 * has it.
 */
int client_call(struct bawn_client *c, struct wire_request *q, int fd, struct wire_answer *a,
		int *answer_fd, struct bawn_error *e);
/* The socket that bawn_client_open takes for this path, which may be NULL. */
const char *client_socket(const char *path);
const struct wire_hello_answer *client_hello(const struct bawn_client *c);

#endif
