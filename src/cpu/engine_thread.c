/*
 * Thread records: who is in an enclave, on which alternate stack its traps
 * arrive, and what its program believes of alternate stack and signal mask.
 *
 * A record is made at a thread's first entry. It is not freed when the thread
 * ends, since nothing that runs then can be relied upon (threads end by plain
 * system calls too, and a destructor may enter an enclave after ours): who
 * needs a record first looks whether the threads of a few existing ones are
 * still there. So there are never many more records than there were threads
 * at one time.
 *
 * fork: the child has a copy of all records, of which one, at most, is that of
 * a thread it has, its first. A record of another process's epoch is not judged
 * by its thread id. That thread claims its own when next it enters an enclave or
 * traps, and by that the others are known to be nobody's.
 */
#include "cpu/engine.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#define ARCH_SET_GS 0x1001
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

_Static_assert(offsetof(struct cpu_thread, magic) == T_MAGIC, "entry.S");
_Static_assert(offsetof(struct cpu_thread, state) == T_STATE, "entry.S");
_Static_assert(offsetof(struct cpu_thread, deferred) == T_DEFERRED, "entry.S");
_Static_assert(offsetof(struct cpu_thread, fs) == T_FS, "entry.S");
_Static_assert(offsetof(struct cpu_thread, gs) == T_GS, "entry.S");
_Static_assert(offsetof(struct cpu_thread, host_fs) == T_HOST_FS, "entry.S");
_Static_assert(offsetof(struct cpu_thread, host_gs) == T_HOST_GS, "entry.S");
_Static_assert(offsetof(struct cpu_ucontext, stack.sp) == UC_SS_SP, "entry.S");
_Static_assert(offsetof(struct cpu_ucontext, stack.size) == UC_SS_SIZE, "entry.S");
_Static_assert(offsetof(struct cpu_ucontext, mc) == UC_MCONTEXT, "entry.S");
_Static_assert(sizeof(struct cpu_mcontext) == 256, "kernel ABI");
_Static_assert(offsetof(struct cpu_frame, uc) == FRAME_UC, "kernel ABI");
_Static_assert(offsetof(struct cpu_frame, info) == FRAME_INFO, "kernel ABI");
_Static_assert(sizeof(struct cpu_frame) == 440, "kernel ABI");
_Static_assert(offsetof(struct cpu_entry, rsp) == E_RSP, "entry.S");
_Static_assert(offsetof(struct cpu_entry, rax) == E_RAX, "entry.S");
_Static_assert(offsetof(struct cpu_entry, rip) == E_RIP, "entry.S");
_Static_assert(offsetof(struct cpu_entry, fs) == E_FS, "entry.S");
_Static_assert(offsetof(struct cpu_entry, thread) == E_THREAD, "entry.S");

struct cpu_fork_page *cpu_fork_page;
uint64_t cpu_thread_magic;
uint8_t cpu_fsgsbase;

/* Not reached through a function call, and so usable where a handler interrupts anything. */
static _Thread_local struct cpu_thread *self __attribute__((tls_model("initial-exec")));

static struct cpu_thread *all_records; /* grows at the head, under the lock */
static struct cpu_counters retired;    /* of records that were given up, under the lock */
static uint32_t last_epoch;

/* ---- locks and fork ---- */

uint64_t cpu_lock(struct cpu_lock *l)
{
	uint64_t mask = cpu_mask_swap(SIG_SETMASK, ~UINT64_C(0));

	while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE))
		cpu_syscall(SYS_sched_yield, 0, 0, 0, 0);
	return mask;
}

void cpu_unlock(struct cpu_lock *l, uint64_t mask)
{
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
	cpu_mask_swap(SIG_SETMASK, mask);
}

int cpu_fork_page_init(struct bawn_error *e)
{
	struct cpu_fork_page *none = NULL;
	void *p;

	if (__atomic_load_n(&cpu_fork_page, __ATOMIC_ACQUIRE))
		return 0;
	p = (void *)cpu_syscall6(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0);
	if (cpu_syscall_failed((long)p))
		return err_nomem(e);
	if (cpu_syscall(SYS_madvise, (uintptr_t)p, 4096, MADV_WIPEONFORK, 0) != 0) {
		cpu_syscall(SYS_munmap, (uintptr_t)p, 4096, 0, 0);
		return err_set(e, BAWN_ERR_UNSUPPORTED,
			       "the emulated CPU needs MADV_WIPEONFORK (Linux 4.14)");
	}
	if (!__atomic_compare_exchange_n(&cpu_fork_page, &none, p, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		cpu_syscall(SYS_munmap, (uintptr_t)p, 4096, 0, 0);
	return 0;
}

uint32_t cpu_fork_epoch(void)
{
	uint32_t zero = 0, mine = __atomic_load_n(&cpu_fork_page->epoch, __ATOMIC_ACQUIRE);

	if (mine)
		return mine;
	mine = __atomic_load_n(&last_epoch, __ATOMIC_RELAXED) + 1;
	if (!__atomic_compare_exchange_n(&cpu_fork_page->epoch, &zero, mine, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		return zero; /* another thread of the child was first */
	__atomic_store_n(&last_epoch, mine, __ATOMIC_RELAXED);
	return mine;
}

/* ---- bases ---- */

uint64_t cpu_fsbase(void)
{
	uint64_t v = 0;

	if (cpu_fsgsbase)
		__asm__ volatile("rdfsbase %0" : "=r"(v));
	else
		cpu_syscall(SYS_arch_prctl, ARCH_GET_FS, (uintptr_t)&v, 0, 0);
	return v;
}

uint64_t cpu_gsbase(void)
{
	uint64_t v = 0;

	if (cpu_fsgsbase)
		__asm__ volatile("rdgsbase %0" : "=r"(v));
	else
		cpu_syscall(SYS_arch_prctl, ARCH_GET_GS, (uintptr_t)&v, 0, 0);
	return v;
}

/* ---- records ---- */

struct cpu_thread *cpu_thread_self(void)
{
	return self;
}

struct cpu_altstack cpu_thread_stack(const struct cpu_thread *t)
{
	return (struct cpu_altstack){
		.sp = (uintptr_t)t + RECORD_STACK,
		.size = RECORD_STACK_LEN,
	};
}

static int32_t own_tid(void)
{
	return (int32_t)cpu_syscall(SYS_gettid, 0, 0, 0, 0);
}

static void count(struct cpu_counters *sum, const struct cpu_thread *t)
{
	sum->eenter += t->eenter;
	sum->eresume += t->eresume;
	sum->eexit += t->eexit;
	sum->aex += t->aex;
	sum->faults += t->faults;
}

/* Under the lock: the record's thread is gone; so is what it used of the stack. */
static void record_release(struct cpu_thread *t)
{
	t->tid = 0;
	count(&retired, t);
	cpu_syscall(SYS_madvise, (uintptr_t)t + RECORD_STACK, RECORD_SIZE - RECORD_STACK, MADV_FREE, 0);
}

/*
 * Under the lock, in a process whose first thread is known to have the record
 * `mine`, or none: the other records that fork copied are nobody's.
 */
static void release_inherited(const struct cpu_thread *mine, uint32_t epoch)
{
	for (struct cpu_thread *t = all_records; t; t = t->next)
		if (t != mine && t->tid && t->epoch != epoch)
			record_release(t);
}

/*
 * Under the lock: a record without a thread, or NULL. Looks at a few records
 * each time, starting after where it stopped before, so that many threads do
 * not make each new one slow.
 */
static struct cpu_thread *record_find_free(uint32_t epoch, int32_t tid)
{
	static struct cpu_thread *hand;
	uint64_t pid = (uint64_t)cpu_syscall(SYS_getpid, 0, 0, 0, 0);
	struct cpu_thread *found = NULL;

	for (int looked = 0; looked < 8; looked++) {
		struct cpu_thread *t = hand = hand && hand->next ? hand->next : all_records;

		if (!t)
			break;
		/* A thread that has no record and the same id as one that has: that one is gone. */
		if (t->tid && t->epoch == epoch &&
		    (t->tid == tid ||
		     cpu_syscall(SYS_tgkill, pid, (uint64_t)t->tid, 0, 0) == -ESRCH))
			record_release(t);
		if (!t->tid && !found)
			found = t;
	}
	return found;
}

/* Memory for a record, aligned to its size, with its untouchable page. */
static struct cpu_thread *record_map(void)
{
	uint64_t p = (uint64_t)cpu_syscall6(SYS_mmap, 0, 2 * RECORD_SIZE, PROT_READ | PROT_WRITE,
					    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, (uint64_t)-1, 0);
	uint64_t base = (p + RECORD_SIZE - 1) & ~(uint64_t)(RECORD_SIZE - 1);

	if (cpu_syscall_failed((long)p))
		return NULL;
	if (base != p)
		cpu_syscall(SYS_munmap, p, base - p, 0, 0);
	cpu_syscall(SYS_munmap, base + RECORD_SIZE, p + RECORD_SIZE - base, 0, 0);
	cpu_syscall(SYS_mprotect, base + RECORD_STACK - 4096, 4096, PROT_NONE, 0);
	return (struct cpu_thread *)base;
}

/* With all signals blocked: a record for this thread, nothing of it registered yet. */
static struct cpu_thread *record_new(void)
{
	uint32_t epoch = cpu_fork_epoch();
	int32_t tid = own_tid();
	uint64_t owner = cpu_owner_self(); /* reads files: not under a lock that others spin on */
	uint64_t mask = cpu_lock(&cpu_fork_page->threads);
	struct cpu_thread *t, *next;

	/* The thread that forked is the child's first, and it has no record, or would not be here. */
	if (tid == cpu_syscall(SYS_getpid, 0, 0, 0, 0))
		release_inherited(NULL, epoch);
	t = record_find_free(epoch, tid);
	next = t ? t->next : NULL;
	if (!t) {
		t = record_map();
		next = all_records;
		if (t)
			all_records = t;
	}
	if (t) {
		memset(t, 0, sizeof(*t));
		t->next = next;
		t->tid = tid;
		t->epoch = epoch;
		t->magic = cpu_thread_magic ^ (uintptr_t)t;
		t->lp.owner = owner;
	}
	cpu_unlock(&cpu_fork_page->threads, mask);
	return t;
}

/* Register the record's stack; what was registered becomes the program's. */
static bool record_register(struct cpu_thread *t)
{
	struct cpu_altstack mine = cpu_thread_stack(t);

	cpu_syscall(SYS_sigaltstack, 0, (uintptr_t)&t->alt, 0, 0);
	/* That it runs there now is not a property of the stack. */
	t->alt.flags &= ~ALT_ONSTACK;
	if (cpu_altstack_from(mine.sp + mine.size, &mine) != 0) {
		t->tid = 0;
		return false;
	}
	t->faults_cpuid = cpu_engine_faults_cpuid() && cpu_cpuid_fault(true) == 0;
	cpu_syscall_arm(t);
	self = t;
	return true;
}

struct cpu_thread *cpu_thread_get(void)
{
	struct cpu_thread *t = self;
	uint64_t mask;

	if (t) {
		if (t->epoch != cpu_fork_epoch())
			cpu_thread_claim(t);
		return t;
	}
	if (!cpu_is_on())
		return NULL;
	mask = cpu_mask_swap(SIG_SETMASK, ~UINT64_C(0));
	t = record_new();
	if (t && !record_register(t))
		t = NULL;
	if (t) {
		t->traps_blocked = mask & TRAP_SIGNALS;
		mask &= ~TRAP_SIGNALS;
	}
	cpu_mask_swap(SIG_SETMASK, mask);
	return t;
}

struct cpu_thread *cpu_thread_get_in_trap(struct cpu_frame *f)
{
	struct cpu_thread *t = record_new();

	if (!t || !record_register(t))
		return NULL;
	t->traps_blocked = f->uc.sigmask & TRAP_SIGNALS;
	f->uc.sigmask &= ~TRAP_SIGNALS;
	f->uc.stack = cpu_thread_stack(t);
	return t;
}

void cpu_thread_claim(struct cpu_thread *t)
{
	uint32_t epoch = cpu_fork_epoch();
	uint64_t mask, owner;

	if (t->epoch == epoch)
		return;
	owner = cpu_owner_self();
	mask = cpu_lock(&cpu_fork_page->threads);
	release_inherited(t, epoch);
	cpu_syscall_arm(t);
	t->tid = own_tid();
	t->epoch = epoch;
	t->lp.owner = owner;
	cpu_unlock(&cpu_fork_page->threads, mask);
}

void cpu_engine_counters(struct cpu_counters *out)
{
	uint64_t mask;

	memset(out, 0, sizeof(*out));
	if (!cpu_is_on())
		return;
	mask = cpu_lock(&cpu_fork_page->threads);
	*out = retired;
	for (const struct cpu_thread *t = all_records; t; t = t->next)
		if (t->tid) {
			count(out, t);
			out->threads++;
		}
	cpu_unlock(&cpu_fork_page->threads, mask);
}
