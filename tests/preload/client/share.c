/* Enclaves and processes: fork, exec, descriptors over sockets, many enclaves. */
#include "client.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- an enclave fd over a socket: a broker builds, a client runs ---- */

static int broker(int sock)
{
	const struct blob *b = blob_get("plain");
	uint64_t base = 0;
	int fd = sgx_open(), r;

	if (read(sock, &base, sizeof(base)) != sizeof(base))
		return 1;
	/* No mapping here, and none needed. */
	r = sgx_create(fd, b, base);
	if (!r)
		r = sgx_add_all(fd, b);
	if (!r)
		r = sgx_init(fd, b->sigstruct);
	send_fd(sock, fd);
	close(fd);
	return r ? 2 : 0;
}

static void test_broker(void)
{
	int pair[2], status = 0;
	struct encl e = { .blob = blob_get("plain") };
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		bail("socketpair");
	e.size = e.blob->size;
	e.base = reserve(e.size);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(broker(pair[1]));
	if (write(pair[0], &e.base, sizeof(e.base)) != sizeof(e.base))
		bail("write");
	e.fd = receive_fd(pair[0]);
	waitpid(pid, &status, 0);
	is_int(status, 0, "another process makes an enclave, passes its descriptor, and ends");
	enter = vdso_by_hash();
	encl_map(&e);
	is_int(call(&e, 0, KIT_ADD, 40, 2).rdi, 42, "it runs here");
	is_int(sgx_init(e.fd, e.blob->sigstruct), -EINVAL, "it is initialised, as its descriptor knows");
	is_int(mprotect((void *)(e.base + KIT_DATA), PAGE, PROT_READ | PROT_EXEC), -1, "its permissions hold here");
	close(pair[0]);
	close(pair[1]);
	encl_free(&e);
}

/* ---- two processes in one enclave ---- */

static struct encl shared;

static int other_process(void *arg)
{
	struct sgx_modify m;

	(void)arg;
	poke(&shared, 1, KIT_DATA, 0xc411d);
	if (peek(&shared, 1, KIT_DATA + 8) != 0xfa7e4)
		return 1;
	if (call(&shared, 1, KIT_SPIN, 1000, 5).rdi != spin(1000, 5))
		return 2;
	/* What is changed here is seen by the other. */
	if (sgx_modify(shared.fd, SGX_RESTRICT, &m, KIT_RWX, PAGE, SI_R))
		return 3;
	if (accept_page(&shared, 1, KIT_RWX, SI_REG | SI_R | SI_PR))
		return 4;
	return 0;
}

static void test_fork(void)
{
	struct answer a;
	int s;

	encl_make(&shared, "plain");
	poke(&shared, 0, KIT_DATA + 8, 0xfa7e4);
	poke(&shared, 0, KIT_RWX, 1);
	s = in_child(other_process, NULL);
	ok(WIFEXITED(s) && WEXITSTATUS(s) == 0, "a child runs in the enclave that it inherited (0x%x)", s);
	is_int(peek(&shared, 0, KIT_DATA), 0xc411d, "what it wrote is seen here");
	a = call(&shared, 2, KIT_WRITE, shared.base + KIT_RWX, 2);
	is_fault(a, 14, 0x8007, shared.base + KIT_RWX, "a permission that it took away is gone here");
	encl_free(&shared);
}

static int killed_inside(void *arg)
{
	(void)arg;
	alarm(20);
	/* The parent may be there just now. */
	while (call(&shared, 3, KIT_SPIN, UINT64_C(1) << 40, 1).run.function == EENTER)
		;
	return 0;
}

static void test_killed_inside(void)
{
	pid_t pid;
	struct answer a;

	encl_make(&shared, "plain");
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(killed_inside(NULL));
	/* Until it is in: the TCS is busy then. */
	for (unsigned i = 0; i < 2000; i++) {
		a = call(&shared, 3, KIT_ADD, 1, 2);
		if (a.run.function == EENTER)
			break;
		usleep(1000);
	}
	ok(a.run.function == EENTER && a.run.vector == 13, "a TCS that another process is in: #GP");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	a = call(&shared, 3, KIT_ADD, 1, 2);
	ok(a.run.function == EEXIT && a.rdi == 3, "it was killed: the TCS is free");
	encl_free(&shared);
}

/* ---- a fork while other threads are in enclaves ---- */

static void *spins(void *arg)
{
	const unsigned tcs = (unsigned)(uintptr_t)arg;
	uintptr_t wrong = 0;

	for (uint64_t i = 0; i < 30; i++)
		wrong += call(&shared, tcs, KIT_SPIN, 2000000, i).rdi != spin(2000000, i);
	return (void *)wrong;
}

static int forked(void *arg)
{
	/* Of all threads only this one is here; the others' TCSs are theirs. */
	for (uint64_t i = 0; i < 50; i++)
		if (call(&shared, (unsigned)(uintptr_t)arg, KIT_SPIN, 1000, i).rdi != spin(1000, i))
			return 1;
	return 0;
}

static void test_fork_meanwhile(void)
{
	uintptr_t wrong = 0;
	pthread_t t[2];
	void *r;
	int s = 0;

	encl_make(&shared, "plain");
	for (uintptr_t i = 0; i < COUNT(t); i++)
		pthread_create(&t[i], NULL, spins, (void *)(i + 1));
	for (unsigned i = 0; i < 20 && !s; i++)
		s = in_child(forked, (void *)(uintptr_t)4);
	is_int(s, 0, "20 children, forked while two threads are in the enclave, run in it");
	for (uintptr_t i = 0; i < COUNT(t); i++) {
		pthread_join(t[i], &r);
		wrong += (uintptr_t)r;
	}
	is_int(wrong, 0, "and the threads' results are right");
	is_int(call(&shared, 4, KIT_ADD, 1, 2).rdi, 3, "all is free afterwards");
	encl_free(&shared);
}

/* ---- exec ---- */

static void test_exec(const char *self)
{
	char number[16];
	struct encl e;
	int s = 0;
	pid_t pid;

	encl_make(&e, "plain");
	fcntl(e.fd, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", e.fd);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		char base[32];

		snprintf(base, sizeof(base), "%llu", (unsigned long long)e.base);
		execl(self, self, "inherit", number, base, (char *)NULL);
		_exit(98);
	}
	waitpid(pid, &s, 0);
	ok(WIFEXITED(s) && WEXITSTATUS(s) == 0, "an enclave's descriptor over exec (%d)", WEXITSTATUS(s));
	pid = fork();
	if (pid == 0) {
		execl(self, self, "fresh", (char *)NULL);
		_exit(98);
	}
	waitpid(pid, &s, 0);
	ok(WIFEXITED(s) && WEXITSTATUS(s) == 0, "a program that was exec'ed has the devices, too (%d)", WEXITSTATUS(s));
	is_int(call(&e, 0, KIT_ADD, 1, 2).rdi, 3, "and here it runs on");
	encl_free(&e);
}

static int inherit(int fd, uint64_t base)
{
	struct encl e = { fd, base, KIT_SIZE, blob_get("plain") };

	if (mmap((void *)base, KIT_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)base)
		return 77; /* the addresses are taken here */
	enter = vdso_by_hash();
	encl_map(&e);
	return call(&e, 0, KIT_ADD, 40, 2).rdi == 42 ? 0 : 3;
}

static int fresh(void)
{
	struct encl e;

	encl_make(&e, "plain");
	return call(&e, 0, KIT_ADD, 40, 2).rdi == 42 ? 0 : 3;
}

/* ---- many ---- */

static void test_hundred(void)
{
	static struct encl all[100];
	unsigned wrong = 0;

	for (unsigned i = 0; i < COUNT(all); i++)
		encl_make(&all[i], i % 2 ? "plain" : "other");
	for (unsigned i = 0; i < COUNT(all); i++)
		poke(&all[i], i % KIT_TCSS, KIT_DATA, i * 3 + 1);
	for (unsigned i = 0; i < COUNT(all); i++)
		wrong += peek(&all[i], (i + 1) % KIT_TCSS, KIT_DATA) != i * 3 + 1;
	is_int(wrong, 0, "100 enclaves at once, each with its own memory");
	for (unsigned i = 0; i < COUNT(all); i += 3)
		encl_free(&all[i]);
	wrong = 0;
	for (unsigned i = 0; i < COUNT(all); i++)
		if (i % 3)
			wrong += peek(&all[i], 0, KIT_DATA) != i * 3 + 1;
	is_int(wrong, 0, "a third of them gone, the others go on");
	for (unsigned i = 0; i < COUNT(all); i++)
		if (i % 3)
			encl_free(&all[i]);
	for (unsigned i = 0; i < 300; i++) {
		struct encl e;

		encl_make(&e, "plain");
		wrong += call(&e, 0, KIT_ADD, i, 1).rdi != i + 1;
		encl_free(&e);
	}
	is_int(wrong, 0, "300 one after another");
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "inherit") == 0)
		return inherit(atoi(argv[2]), strtoull(argv[3], NULL, 0));
	if (argc == 2 && strcmp(argv[1], "fresh") == 0)
		return fresh();
	test_broker();
	test_fork();
	test_killed_inside();
	test_fork_meanwhile();
	test_exec(argv[0]);
	test_hundred();
	return tap_done();
}
