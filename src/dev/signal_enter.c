/*
 * Faults in enclaves where the kernel's vDSO does not report them: the signal
 * handlers of dev_signal_enter. Whatever is not a fault at its ENCLU goes to
 * the handler that was there before. A program that installs handlers of its
 * own later takes these away: it then sees enclave faults as its signals.
 */
#include "dev/internal.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <ucontext.h>

extern const char dev_signal_enclu[], dev_signal_fixup[]; /* enter.S */

static const int fault_signals[] = { SIGSEGV, SIGILL, SIGFPE, SIGBUS };
static struct sigaction previous[ARRAY_LEN(fault_signals)];

static bool enclave_fault(const siginfo_t *si, ucontext_t *uc)
{
	greg_t *r = uc->uc_mcontext.gregs;

	if (si->si_code <= 0 || r[REG_RIP] != (greg_t)(uintptr_t)dev_signal_enclu)
		return false;
	r[REG_RIP] = (greg_t)(uintptr_t)dev_signal_fixup;
	r[REG_RDI] = r[REG_TRAPNO];
	r[REG_RSI] = r[REG_ERR];
	/* As the kernel tells it: page-granular, and only page faults have an address. */
	r[REG_RDX] = r[REG_TRAPNO] == VEC_PF ? r[REG_CR2] & ~(greg_t)(ISA_PAGE - 1) : 0;
	return true;
}

static void pass_on(int sig, siginfo_t *si, void *context)
{
	struct sigaction *old = NULL;

	for (size_t i = 0; i < ARRAY_LEN(fault_signals); i++)
		if (fault_signals[i] == sig)
			old = &previous[i];
	if (!old)
		return;
	if (old->sa_flags & SA_SIGINFO) {
		old->sa_sigaction(sig, si, context);
	} else if (old->sa_handler == SIG_DFL || old->sa_handler == SIG_IGN) {
		/* A fault cannot be ignored: it happens again, with the default action. */
		signal(sig, SIG_DFL);
		if (si->si_code <= 0)
			raise(sig);
	} else {
		old->sa_handler(sig);
	}
}

static void on_fault(int sig, siginfo_t *si, void *context)
{
	if (!enclave_fault(si, context))
		pass_on(sig, si, context);
}

static int start_result;

static void start(void)
{
	struct sigaction sa = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART,
	};

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < ARRAY_LEN(fault_signals); i++)
		if (sigaction(fault_signals[i], &sa, &previous[i]) != 0)
			start_result = -1;
}

int dev_signal_enter_start(struct bawn_error *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, start);
	return start_result ? err_set(e, BAWN_ERR_SYSTEM, "installing the handlers of enclave faults") : 0;
}
