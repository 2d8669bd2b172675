/*
 * In the kernel's own harness: that a test which dies by a signal somebody sent
 * is seen to. An emulator that swallowed such signals would make the suite pass
 * whatever its enclaves did: later versions of the harness pass a case's death
 * on by sending themselves a signal.
 */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "kselftest_harness.h"

/* What uses enclaves has its signals watched over. */
static void use_device(void)
{
	close(open("/dev/sgx_enclave", O_RDWR));
}

TEST_SIGNAL(death_by_kill, SIGSEGV)
{
	use_device();
	kill(getpid(), SIGSEGV);
}

TEST_SIGNAL(death_by_raise, SIGILL)
{
	use_device();
	raise(SIGILL);
}

TEST_HARNESS_MAIN
