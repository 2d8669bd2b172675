/* Whether the emulated CPU would work here: each thing it stands on is tried, in a child. */
#include "dev/dev.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define HWCAP2_FSGSBASE_BIT 2u /* Documentation/arch/x86/x86_64/fsgs.rst */
#define ARCH_SET_CPUID_CODE 0x1012
#define RESERVE (UINT64_C(1) << 32)
#define STACK (64u << 10)

/* How far the child came, as its exit code. */
enum stage { STAGE_MEMFD = 1, STAGE_RESERVE, STAGE_EXEC, STAGE_TRAP, STAGE_DONE };

/* mov $4, %eax; enclu; ret: EEXIT outside an enclave faults on every CPU. */
static const uint8_t code[] = { 0xb8, 4, 0, 0, 0, 0x0f, 0x01, 0xd7, 0xc3 };
#define ENCLU_AT 5u

static uint8_t *code_at;

/* Step over the ENCLU; anything else that faults here ends the child. */
static void trapped(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *rip = &uc->uc_mcontext.gregs[REG_RIP];

	(void)sig;
	(void)info;
	if ((uintptr_t)*rip != (uintptr_t)(code_at + ENCLU_AT))
		_exit(STAGE_TRAP);
	*rip += 3;
}

/* A range of address space is reserved, and a page of it mapped from a memfd, writable elsewhere. */
static enum stage map_code(void)
{
	uint8_t *range, *alias;
	int fd = memfd_create("bawn-probe", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, ISA_PAGE) != 0)
		return STAGE_MEMFD;
	range = mmap(NULL, RESERVE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (range == MAP_FAILED)
		return STAGE_RESERVE;
	alias = mmap(NULL, ISA_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (alias == MAP_FAILED)
		return STAGE_MEMFD;
	memcpy(alias, code, sizeof(code));
	code_at = mmap(range, ISA_PAGE, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, fd, 0);
	return code_at == MAP_FAILED ? STAGE_EXEC : STAGE_DONE;
}

static enum stage try_all(void)
{
	static uint8_t stack[STACK];
	struct sigaction sa = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	enum stage s = map_code();
	void (*enter)(void);

	if (s != STAGE_DONE)
		return s;
	if (sigaltstack(&ss, NULL) || sigaction(SIGILL, &sa, NULL) || sigaction(SIGSEGV, &sa, NULL))
		return STAGE_TRAP;
	memcpy(&enter, &code_at, sizeof(enter));
	enter();
	return STAGE_DONE;
}

void dev_probe_emulation(struct dev_emulation *out)
{
	int status = 0, stage = STAGE_TRAP; /* a child that dies does so at the trap */
	pid_t pid = fork(), got;

	*out = (struct dev_emulation){ .fsgsbase = getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT };
	/* Turning CPUID on is what it is already: the answer tells whether it could be turned off. */
	out->cpuid_faulting = syscall(SYS_arch_prctl, ARCH_SET_CPUID_CODE, 1UL) == 0;
	if (pid == 0) {
		alarm(10);
		_exit((int)try_all());
	}
	do
		got = pid < 0 ? pid : waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return;
	if (WIFEXITED(status))
		stage = WEXITSTATUS(status);
	out->memfd = stage > STAGE_MEMFD;
	out->reserve = stage > STAGE_RESERVE;
	out->exec = stage > STAGE_EXEC;
	out->traps = stage > STAGE_TRAP;
}
