#include "bench/trap.h"

#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* The kernel's own structure: the library's sigaction is the emulated CPU's to see. */
struct kernel_sigaction {
	void (*handler)(int, siginfo_t *, void *);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};
#define KERNEL_SA_RESTORER 0x04000000ul

void bench_restorer(void);
__asm__(".text\n.globl bench_restorer\n.hidden bench_restorer\n"
	"bench_restorer:\n\tmov $15, %eax\n\tsyscall\n");

static void step_over(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)si;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

void bench_trap(void *arg, uint64_t times)
{
	struct kernel_sigaction sa = {
		.handler = step_over,
		.flags = SA_SIGINFO | SA_ONSTACK | KERNEL_SA_RESTORER,
		.restorer = bench_restorer,
	};
	struct kernel_sigaction old;

	(void)arg;
	if (syscall(SYS_rt_sigaction, SIGILL, &sa, &old, sizeof(sa.mask)))
		bench_fail("rt_sigaction");
	for (uint64_t i = 0; i < times; i++)
		__asm__ volatile("ud2");
	if (syscall(SYS_rt_sigaction, SIGILL, &old, NULL, sizeof(sa.mask)))
		bench_fail("rt_sigaction");
}
