/*
 * SYSCALL in an enclave: raises #UD under --strict; elsewhere it is executed.
 *
 *	strict yes|no
 */
#include "client.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSCALL_AT 8 /* in the code below */

/* rbx := r11, where the kit keeps the address to exit to; getpid; rdi := its result; EEXIT */
static const uint8_t code[24] = {
	0x4c, 0x89, 0xdb, 0xb8, 0x27, 0x00, 0x00, 0x00, 0x0f, 0x05, 0x48, 0x89,
	0xc7, 0xb8, 0x04, 0x00, 0x00, 0x00, 0x0f, 0x01, 0xd7,
};

static struct encl en;
static bool strict;
static volatile sig_atomic_t ticks;

static int give_up(struct answer *a)
{
	(void)a;
	return 0;
}

static void check(unsigned tcs, const char *where)
{
	struct answer a = call_fix(&en, tcs, KIT_JUMP, en.base + KIT_RWX, 0, 0, 0, give_up);

	if (strict)
		is_fault(a, 6, 0, 0, where);
	else
		ok((pid_t)a.rdi == getpid(), "%s", where);
	is_int((int)syscall(SYS_getppid), getppid(), "system calls outside are made");
}

/* The exception has left the enclave's thread in the first frame: back to the beginning. */
static void *in_thread(void *arg)
{
	check(1, "in another thread");
	return arg;
}

static int in_a_child(void *arg)
{
	struct answer a = call_fix(&en, 2, KIT_JUMP, en.base + KIT_RWX, 0, 0, 0, give_up);

	(void)arg;
	return strict ? !(a.exceptions == 1 && a.first.vector == 6) : (pid_t)a.rdi != getpid();
}

static void tick(int sig)
{
	(void)sig;
	/* System calls of a handler are none of the enclave's. */
	ticks += getppid() > 0;
}

int main(int argc, char **argv)
{
	const struct itimerval often = { { 0, 300 }, { 0, 300 } }, never = { 0 };
	struct sigaction sa = { .sa_handler = tick, .sa_flags = SA_RESTART };
	sigset_t all;
	pthread_t t;
	int status;

	strict = argc == 2 && strcmp(argv[1], "yes") == 0;
	encl_make(&en, "plain");
	poke_all(&en, 0, KIT_RWX, code, sizeof(code));
	check(0, "SYSCALL in an enclave");
	if (pthread_create(&t, NULL, in_thread, NULL))
		bail("pthread_create");
	pthread_join(t, NULL);
	status = in_child(in_a_child, NULL);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "in a child of fork");

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	check(3, "with all signals blocked");
	sigprocmask(SIG_UNBLOCK, &all, NULL);

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (unsigned i = 0; i < 200 && ticks < 20; i++)
		if (call(&en, 4, KIT_SPIN, 1000000, i).rdi != spin(1000000, i))
			bail("a wrong result");
	setitimer(ITIMER_REAL, &never, NULL);
	ok(ticks >= 20, "handlers of signals in the enclave make system calls");
	return tap_done();
}
