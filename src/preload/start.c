/* How the injected object comes to life in its program. */
#include "preload/preload.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define NOT_YET 0
#define AT_WORK 1
#define DONE 2

uint64_t cpu_libc_signals;

uint64_t lock_take(struct lock *l)
{
	uint64_t all = ~UINT64_C(0), mask = 0;

	raw(SYS_rt_sigprocmask, SIG_SETMASK, (uintptr_t)&all, (uintptr_t)&mask, 8, 0, 0);
	while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE))
		raw(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	return mask;
}

void lock_give(struct lock *l, uint64_t mask)
{
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
	raw(SYS_rt_sigprocmask, SIG_SETMASK, (uintptr_t)&mask, 0, 8, 0, 0);
}

/* Written and read by whoever has the locks. */
static uint64_t fork_mask;

void preload_before_fork(void)
{
	uint64_t mask = lock_take(&files_lock);

	lock_take(&pool_lock);
	lock_take(&settings_lock);
	fork_mask = mask;
}

void preload_after_fork(void)
{
	uint64_t mask = fork_mask, all = ~UINT64_C(0);

	lock_give(&settings_lock, all);
	lock_give(&pool_lock, all);
	lock_give(&files_lock, mask);
}

void preload_say(const char *text)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "bawn emulate: %s\n", text);

	raw(SYS_write, 2, (uintptr_t)line, (uint64_t)(n < (int)sizeof(line) ? n : (int)sizeof(line) - 1), 0,
	    0, 0);
}

static void place_vdso(void)
{
	void *image = vdso_make((const void *)auxv_value(AT_SYSINFO_EHDR));

	if (image)
		auxv_change(AT_SYSINFO_EHDR, (uintptr_t)image);
}

void preload_start(void)
{
	static uint32_t state;
	uint32_t none = NOT_YET;

	if (__atomic_load_n(&state, __ATOMIC_ACQUIRE) == DONE)
		return;
	if (!__atomic_compare_exchange_n(&state, &none, AT_WORK, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		while (__atomic_load_n(&state, __ATOMIC_ACQUIRE) != DONE)
			raw(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
		return;
	}
	settings_read();
	if (settings.on) {
		place_vdso();
		file_look_at_all();
	}
	__atomic_store_n(&state, DONE, __ATOMIC_RELEASE);
}

bool preload_rewrites(void)
{
	return settings.on && !cpu_engine_faults_cpuid();
}

void preload_cpuid(void)
{
	if (!settings.on || (preload_rewrites() && rewrite_count() == 0))
		return;
	/* Read now: a trap may come where a thread cannot wait for the file. */
	if (settings_platform() && preload_engine() == 0)
		cpu_engine_cpuid(cpuid_filter, rewrite_is);
}

/* Of this object. */
extern const char __ehdr_start[], etext[];

static void be_strict(void)
{
	static uint32_t done;

	if (settings.strict && !__atomic_exchange_n(&done, 1, __ATOMIC_ACQ_REL) &&
	    !cpu_engine_strict(__ehdr_start, etext))
		preload_say("--strict needs Linux 5.11: system calls in enclaves are executed");
}

int preload_engine(void)
{
	struct bawn_error e = { 0 };

	be_strict();
	if (cpu_engine_start(&e) == 0)
		return 0;
	preload_say(e.msg);
	return -EIO;
}
