/*
 * Instructions that enclaves must not execute, as far as they can be caught:
 *
 *	strict          SYSCALL is, with --strict; the program's own system calls work as ever
 *	strict lenient  without --strict it executes
 */
#include "client.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *thread(void *arg)
{
	struct answer a = call(arg, 3, KIT_SYSCALL, SYS_getpid, 0);

	return a.exceptions == 1 && a.first.vector == 6 && getpid() > 0 ? arg : NULL;
}

static void test_program(void)
{
	char text[8] = "";
	int pipes[2];

	ok(pipe(pipes) == 0 && write(pipes[1], "hello", 5) == 5 && read(pipes[0], text, 5) == 5 &&
		   strcmp(text, "hello") == 0,
	   "the program's own system calls work");
	ok(syscall(SYS_getppid) == getppid(), "direct ones, too");
	close(pipes[0]);
	close(pipes[1]);
	ok(close(12345) == -1 && errno == EBADF, "their errors arrive");
}

static int child(void *arg)
{
	struct answer a = call(arg, 4, KIT_SYSCALL, SYS_getpid, 0);

	return a.exceptions == 1 && a.first.vector == 6 && getppid() > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct answer a;
	struct encl e;
	pthread_t t;
	void *r;

	(void)argv;
	encl_make(&e, "plain");
	if (argc > 1) {
		is_int(call(&e, 0, KIT_SYSCALL, SYS_getpid, 0).rdi, getpid(), "SYSCALL executes without --strict");
		return tap_done();
	}
	a = call(&e, 0, KIT_SYSCALL, SYS_getpid, 0);
	is_fault(a, 6, 0, 0, "SYSCALL in an enclave: #UD");
	is_int(call(&e, 1, KIT_ADD, 1, 2).rdi, 3, "it goes on");
	test_program();
	for (unsigned i = 0; i < 3; i++) {
		pthread_create(&t, NULL, thread, &e);
		pthread_join(t, &r);
		ok(r == &e, "in another thread, too");
	}
	is_int(in_child(child, &e), 0, "and in a child");
	test_program();
	encl_free(&e);
	return tap_done();
}
