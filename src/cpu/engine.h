/*
 * Private to the engine half of the emulated CPU (engine_*.c, entry.S,
 * elrange.c): its data structures, and the kernel's signal ABI as far as the
 * engine reads and writes it. Nobody else includes this; the tests do.
 *
 * The pieces:
 *
 *   entry.S          the signal handler's first and last instructions, the way
 *                    into an enclave, the way back from a program's handler
 *   engine_trap.c    what a signal means: a leaf function, an exception, an
 *                    asynchronous exit, a signal of the program
 *   engine_deliver.c the program's own handlers, on the stack they would have had
 *   engine_signals.c what the program asked of sigaction, sigprocmask, sigaltstack
 *   engine_thread.c  a record for each thread that enters enclaves
 *   engine_syscall.c system calls that fault in enclaves, where that is asked for
 *   elrange.c        ELRANGE in this process, with the protections the EPCM allows
 *   signal_names.c   front end of libbawn: the C library's names for the above, and the start
 *
 * Everything on the trap path runs with all signals blocked, allocates
 * nothing and calls nothing of the C library but memcpy and its kin. Above all
 * no cancellation point, nor under a lock: a thread that is cancelled there
 * leaves the lock taken and its signals blocked.
 */
#ifndef BAWN_CPU_ENGINE_H
#define BAWN_CPU_ENGINE_H

/* ---- numbers shared with entry.S; the offsets are asserted in engine_thread.c ---- */

/*
 * A thread's record: its own page, a page that nobody may touch, and the
 * alternate signal stack above. All of it aligned to its size, so that a
 * handler finds the record by masking its stack pointer. The odd length of
 * the stack tells it from stacks that others registered.
 */
#define RECORD_SIZE 0x40000
#define RECORD_STACK 0x2000
#define RECORD_STACK_LEN (RECORD_SIZE - RECORD_STACK - 0xc0)

/* struct cpu_thread */
#define T_MAGIC 0
#define T_STATE 8
#define T_DEFERRED 12
#define T_FS 16
#define T_GS 24
#define T_HOST_FS 32
#define T_HOST_GS 40

#define STATE_OUT 0      /* not in an enclave */
#define STATE_ENTERING 1 /* cpu_enter_fast is at work; signals are put off */
#define STATE_INSIDE 2   /* in an enclave: FS and GS bases may be the enclave's */

/* struct cpu_frame, from the `ucontext` that RDX points to on entry to a handler */
#define UC_SS_SP 16
#define UC_SS_SIZE 32
#define UC_MCONTEXT 40
#define FRAME_UC 8
#define FRAME_INFO 312

/* struct cpu_entry, and where it lies below RBP in cpu_enter_enclave */
#define ENTRY_SIZE 128
#define ENTRY_AT (-40 - ENTRY_SIZE)
#define E_RDI 0
#define E_RSI 8
#define E_RDX 16
#define E_R8 24
#define E_R9 32
#define E_R10 40
#define E_R11 48
#define E_RSP 56
#define E_RAX 64
#define E_RBX 72
#define E_RCX 80
#define E_RIP 88
#define E_FS 96
#define E_GS 104
#define E_THREAD 112

/* What cpu_trap tells its caller to do. */
#define VERDICT_RETURN 0  /* rt_sigreturn; bases as they are */
#define VERDICT_ENCLAVE 1 /* load the bases from the record, then rt_sigreturn */
#define VERDICT_HANDLER 2 /* call the program's handler on this very frame */

#define RFLAGS_TF 0x100
#define RFLAGS_DF 0x400
#define RFLAGS_RF 0x10000
#define RFLAGS_AC 0x40000

#ifndef __ASSEMBLER__

#include "cpu/cpu.h"

#include <signal.h>
#include <sys/syscall.h>

/* ======================= the kernel's signal ABI ======================= */

/* struct sigcontext_64 of asm/sigcontext.h. */
struct cpu_mcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2;
	uint64_t fpstate;
	uint64_t reserved[8];
};
/* stack_t */
struct cpu_altstack {
	uint64_t sp;
	uint32_t flags;
	uint32_t pad;
	uint64_t size;
};
#define ALT_ONSTACK 1u
#define ALT_DISABLE 2u
#define ALT_AUTODISARM 0x80000000u

/* struct ucontext of asm-generic/ucontext.h: the signal mask has 8 bytes here. */
struct cpu_ucontext {
	uint64_t flags;
	uint64_t link;
	struct cpu_altstack stack;
	struct cpu_mcontext mc;
	uint64_t sigmask;
};
struct cpu_siginfo {
	int32_t signo, error, code, pad;
	uint64_t addr; /* of faults */
	uint8_t rest[104];
};
/* struct rt_sigframe: what the kernel pushes, and what rt_sigreturn takes back. */
struct cpu_frame {
	uint64_t pretcode;
	struct cpu_ucontext uc;
	struct cpu_siginfo info;
};
/* struct kernel_sigaction: what rt_sigaction takes. */
struct cpu_action {
	uint64_t handler; /* SIG_DFL 0, SIG_IGN 1 */
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};
#define ACTION_DEFAULT 0u
#define ACTION_IGNORE 1u
#define KSA_RESTORER 0x04000000u
#define KSIGSETSIZE 8

#define SIGBIT(sig) (UINT64_C(1) << ((sig) - 1))
/*
 * The signals that faults arrive as. The kernel must find them unblocked in
 * threads with a record. SIGSYS is one where system calls fault in enclaves.
 */
#define TRAP_SIGNALS                                                                               \
	(SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGBUS) | SIGBIT(SIGFPE) | SIGBIT(SIGSEGV) |    \
	 cpu_syscall_signal)
extern uint64_t cpu_syscall_signal; /* SIGSYS's bit, or 0: see engine_syscall.c */
/*
 * Blocked, besides what the program blocks, while a handler of the program runs
 * that blocks trap signals: those are not blocked in truth, so nothing else
 * would tell that the handler was left by a jump which restored the mask from
 * before it, by a system call that nobody can interpose. The number is one that
 * programs never see in a mask and that may be late: cancellation with glibc,
 * a signal that musl only ever waits for.
 */
#define SCOPE_SIGNAL SIGBIT(32)
/*
 * What the C library keeps for itself (cancellation, setuid in all threads,
 * timers): it installs those handlers by system calls that nobody can
 * interpose, so they are blocked while a thread is in an enclave.
 */
#if defined(BAWN_PRELOAD)
extern uint64_t cpu_libc_signals; /* it finds out at run time in which C library it is */
#define LIBC_SIGNALS cpu_libc_signals
#elif defined(__GLIBC__)
#define LIBC_SIGNALS (UINT64_C(3) << 31) /* 32, 33 */
#else
#define LIBC_SIGNALS (UINT64_C(7) << 31) /* and 34 */
#endif

/* ======================= locks ======================= */

/*
 * A spinning lock, held with all signals blocked and for a few microseconds.
 * Lives in a page that fork leaves zeroed in the child (MADV_WIPEONFORK), so
 * that a lock held by a thread which the child does not have is free there.
 */
struct cpu_lock {
	uint32_t held;
};
struct cpu_fork_page {
	uint32_t epoch; /* of this process; 0 right after fork */
	struct cpu_lock threads, actions, maps;
};
extern struct cpu_fork_page *cpu_fork_page;
/* Returns the signal mask to give back to cpu_unlock. */
uint64_t cpu_lock(struct cpu_lock *l);
void cpu_unlock(struct cpu_lock *l, uint64_t mask);
/* Makes the page; idempotent. */
int cpu_fork_page_init(struct bawn_error *e);
/* This process's epoch: another number in a forked child. Never 0. */
uint32_t cpu_fork_epoch(void);

static inline uint64_t cpu_mask_swap(int how, uint64_t set)
{
	uint64_t old = 0;

	cpu_syscall(SYS_rt_sigprocmask, (uint64_t)how, (uintptr_t)&set, (uintptr_t)&old, KSIGSETSIZE);
	return old;
}

/* ======================= ELRANGE ======================= */

/* One enclave in this process's address space; never freed, recycled. */
struct cpu_map {
	struct cpu_map *next;
	struct cpu_epc *epc;
	uint64_t base, size; /* size 0: not in use */
	uint64_t generation; /* of the EPCM when the protections were last compared */
	uint8_t *vma;        /* per page: what mmap and mprotect allow */
	uint8_t *host;       /* per page: the protection that the host has now */
	size_t arrays;       /* bytes of the two */
};
/* The enclave that this linear address belongs to, or NULL. */
struct cpu_map *cpu_map_find(uint64_t address);
/* Protections after changes that other processes made to the EPCM. */
void cpu_map_refresh(struct cpu_map *m);
/* A page fault inside the enclave at this address, with the host's error code. */
enum cpu_page_fault {
	CPU_PF_FAULT,    /* *f is the exception */
	CPU_PF_MENDED,   /* the protection was stale: retry */
	CPU_PF_SPURIOUS, /* nothing is wrong: retry, but not for ever; *f is what it would be */
};
enum cpu_page_fault cpu_map_fault(struct cpu_map *m, uint64_t address, uint32_t error_code,
				  struct cpu_fault *f);

/* ======================= threads ======================= */

#define HELD_SIGNALS 6 /* as many as there are trap signals */
#define SCOPES 8

/* A handler of the program that runs with trap signals blocked, as the program sees it. */
struct cpu_scope {
	uint64_t sp;     /* of its frame */
	uint64_t before; /* traps_blocked when it was called */
};

struct cpu_thread {
	uint64_t magic;    /* cpu_thread_magic ^ own address */
	uint32_t state;    /* STATE_* */
	uint32_t deferred; /* a signal put off while entering, or 0 */
	uint64_t fs, gs;   /* the enclave's bases: found at a trap, loaded on return */
	/* Bases to run C code with while STATE_INSIDE. */
	uint64_t host_fs, host_gs;

	struct cpu_lp lp;
	struct cpu_map *map;      /* the enclave that lp is in, or was last */
	uint64_t retry_address;   /* page faults that only needed a protection brought up to date */
	uint32_t retries;

	/* What the program asked for, which the kernel does not know. */
	struct cpu_altstack alt;
	uint64_t traps_blocked;
	uint64_t libc_held; /* of LIBC_SIGNALS: blocked by us while inside, not by the thread */
	struct cpu_scope scope[SCOPES];
	uint32_t scopes;

	struct cpu_siginfo deferred_info;
	uint64_t deferred_mask;
	uint64_t held; /* trap signals sent while the program has them blocked */
	struct cpu_siginfo held_info[HELD_SIGNALS];

	uint64_t eenter, eresume, eexit, aex, faults;

	/* Under the lock of threads. */
	struct cpu_thread *next; /* all records */
	int32_t tid;             /* 0: free */
	uint32_t epoch;          /* of the process that the thread is of */
	bool faults_cpuid;
	uint8_t syscalls_fault; /* read by the kernel: engine_syscall.c */
};
_Static_assert(sizeof(struct cpu_thread) <= 4096, "a record has one page");

extern uint64_t cpu_thread_magic;
/* This thread's record or NULL: host bases are in place. */
struct cpu_thread *cpu_thread_self(void);
/* This thread's record, made if there is none. NULL without memory or before the engine has started. */
struct cpu_thread *cpu_thread_get(void);
/*
 * The same from a trap on a thread that has none: the frame is changed to
 * return with the new alternate stack and with the trap signals unblocked.
 */
struct cpu_thread *cpu_thread_get_in_trap(struct cpu_frame *f);
/* After fork the record is the child's: owner of TCSs, thread id. */
void cpu_thread_claim(struct cpu_thread *t);
/* The alternate stack that the kernel has for this thread. */
struct cpu_altstack cpu_thread_stack(const struct cpu_thread *t);
int cpu_threads_init(struct bawn_error *e);

/* FS and GS base of the running thread. */
uint64_t cpu_fsbase(void);
uint64_t cpu_gsbase(void);
extern uint8_t cpu_fsgsbase; /* rdfsbase and its kin are usable */

/* ======================= signals ======================= */

extern uint32_t cpu_engine_on; /* handlers are wrapped */

/*
 * Start the engine: from here on it has the signals. For front ends alone,
 * whose names the program has to call instead of the C library's: everybody
 * else starts the engine by its front end's cpu_engine_start, which links
 * those names with it. Idempotent.
 */
int cpu_signals_take_over(struct bawn_error *e);

static inline bool cpu_is_on(void)
{
	return __atomic_load_n(&cpu_engine_on, __ATOMIC_ACQUIRE) != 0;
}

/*
 * What sigaction, sigprocmask and sigaltstack do, for every front end; 0 or
 * -errno. Pass-through before cpu_signals_take_over. sp is the caller's stack
 * pointer. NULL where the system call takes NULL.
 */
int cpu_signal_action(int sig, const struct cpu_action *act, struct cpu_action *old);
int cpu_signal_mask(int how, const uint64_t *set, uint64_t *old);
int cpu_signal_altstack(const struct cpu_altstack *ss, struct cpu_altstack *old, uint64_t sp);
/* The action to take now: a handler with SA_RESETHAND is returned once. */
void cpu_signal_take(int sig, struct cpu_action *out);
/* Give a trap signal back to the kernel's default action. */
void cpu_signal_default(int sig);

/*
 * `bawn emulate` injects an engine of its own into programs, those that have
 * one from libbawn included. Such a program's interposed names may be found
 * before the injected ones, so while its own engine is off it passes on to this.
 */
struct cpu_front {
	int (*action)(int sig, const struct cpu_action *act, struct cpu_action *old);
	int (*mask)(int how, const uint64_t *set, uint64_t *old);
	int (*altstack)(const struct cpu_altstack *ss, struct cpu_altstack *old, uint64_t sp);
};
#ifdef BAWN_PRELOAD
#define FRONT_VISIBLE __attribute__((visibility("default")))
#else
#define FRONT_VISIBLE __attribute__((visibility("default"), weak))
#endif
extern const struct cpu_front bawn_emulate_signals FRONT_VISIBLE;

/* ---- delivery ---- */

struct cpu_verdict {
	uint64_t what;    /* VERDICT_* */
	uint64_t handler; /* VERDICT_HANDLER */
};
/*
 * Have the program's handler for the signal in this frame run, in the context
 * of the frame, once the trap returns. fault: a fault of the running
 * instruction, which cannot be held back. t NULL: a thread without a record.
 */
struct cpu_verdict cpu_deliver(struct cpu_frame *f, struct cpu_thread *t, bool fault);
/* A program's handler returns: make its frame fit for rt_sigreturn. From entry.S. */
void cpu_handler_return(struct cpu_ucontext *uc);
/* Hold a trap signal back that somebody sent: pending once, however often it was sent. */
void cpu_hold(struct cpu_thread *t, int sig, const struct cpu_siginfo *info);
/* Send what was held back and is not blocked any more. */
void cpu_release_held(struct cpu_thread *t);
/*
 * Drop scopes of handlers that were left by a jump. sp and mask are the
 * program's stack pointer and the kernel's mask, outside enclaves. Returns what
 * the mask should be.
 */
uint64_t cpu_settle_scopes(struct cpu_thread *t, uint64_t sp, uint64_t mask);
/*
 * The kernel's mask on entering an enclave, where the C library's signals have to
 * wait, and on leaving it: as they were before. (A thread may block them itself:
 * those of musl's timers do, and would die of theirs.)
 */
uint64_t cpu_mask_inside(struct cpu_thread *t, uint64_t mask);
uint64_t cpu_mask_outside(struct cpu_thread *t, uint64_t mask);
/* Is this stack pointer on that alternate stack? */
bool cpu_on_altstack(const struct cpu_altstack *a, uint64_t sp);
/* The signal that the kernel makes of an exception: number, siginfo, trapno and all in the frame. */
void cpu_frame_set_fault(struct cpu_frame *f, const struct cpu_fault *fault);

/* ---- traps ---- */

/* The C part of the handler; from entry.S, on the alternate stack, host bases in place. */
struct cpu_verdict cpu_trap(struct cpu_frame *f, struct cpu_thread *t);

/* What cpu_enter_enclave keeps while it enters: all that a jump into the enclave needs. */
struct cpu_entry {
	uint64_t rdi, rsi, rdx, r8, r9, r10, r11, rsp;
	uint64_t rax, rbx, rcx, rip, fs, gs;
	struct cpu_thread *thread;
	uint64_t pad;
};
_Static_assert(sizeof(struct cpu_entry) == ENTRY_SIZE, "entry.S reserves as much");
/* EENTER without a trap; 0: the window may be passed. Else execute ENCLU. From entry.S. */
int cpu_enter_fast(struct cpu_entry *e, uint64_t rflags);

/* ---- SYSCALL ---- */

/* For this thread, which has a new record, or is a child's first after fork. */
void cpu_syscall_arm(struct cpu_thread *t);
/* The signal is of a system call that was made inside, and not executed. */
bool cpu_syscall_trapped(const struct cpu_frame *f);
static inline void cpu_syscall_fault(struct cpu_thread *t, bool on)
{
	__atomic_store_n(&t->syscalls_fault, on && cpu_syscall_signal, __ATOMIC_RELAXED);
}

/* ---- CPUID ---- */

int cpu_cpuid_fault(bool on); /* for this thread; -errno where the CPU or kernel cannot */
bool cpu_cpuid_emulate(struct cpu_mcontext *mc);

/* ---- places in entry.S ---- */

extern char cpu_trap_entry[], cpu_handler_restorer[];
extern char cpu_window[], cpu_window_end[], cpu_window_deferred[];
extern char cpu_aep[];       /* the ENCLU of cpu_enter_enclave, its AEP */
extern char cpu_aep_fixup[]; /* where it goes after an exception */
extern char cpu_raised_here[];
extern char cpu_entry_again[], cpu_entry_blocked[]; /* of cpu_entry_begin */
extern char cpu_copy_here[], cpu_copy_failed[]; /* of cpu_copy_guarded */
size_t cpu_copy_guarded(void *to, const void *from, size_t n); /* bytes not copied */
/* Block these signals, *before := the mask from before, STATE_ENTERING: all or nothing. */
void cpu_entry_begin(struct cpu_thread *t, const uint64_t *block, uint64_t *before);
/* Have the signal that was put off delivered, now that nothing is entered. */
void cpu_raise_deferred(void);
/* sigaltstack(2), called with the stack pointer at `from`. */
long cpu_altstack_from(uint64_t from, const struct cpu_altstack *ss);

#endif /* __ASSEMBLER__ */
#endif
