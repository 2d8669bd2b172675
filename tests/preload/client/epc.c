/*
 * epc: fill the enclave page cache until ADD_PAGES says ENOMEM; it is there
 * again when enclaves are closed, and when a process that has some is killed.
 * The script runs this with a small --epc.
 */
#include "client.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 4096

static int fds[MOST];

/* One enclave with 768 pages after another; 0, or the errno that ended it. */
static int fill(unsigned *made)
{
	const struct blob *b = blob_get("large");

	for (*made = 0; *made < MOST; ++*made) {
		int fd = sgx_open(), r;

		if (fd < 0)
			return fd;
		r = sgx_create(fd, b, reserve(b->size));
		if (!r)
			r = sgx_add_all(fd, b);
		if (r) {
			close(fd);
			return r;
		}
		fds[*made] = fd;
	}
	return 0;
}

static void drop(unsigned n)
{
	while (n)
		close(fds[--n]);
}

/* An enclave that only a mapping holds: a child inherits that, and unmaps it. */
static void test_unmapped_by_child(void)
{
	const struct blob *b = blob_get("large");
	uint64_t base = reserve(b->size);
	unsigned before, after;
	int fd = sgx_open();
	pid_t pid;

	if (sgx_create(fd, b, base) || sgx_add_all(fd, b) ||
	    mmap((void *)base, b->size, PROT_NONE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		bail("an enclave");
	close(fd);
	fill(&before);
	drop(before);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(munmap((void *)base, b->size) != 0);
	waitpid(pid, NULL, 0);
	fill(&after);
	drop(after);
	is_int(after, before, "a child that unmaps what it inherited gives nothing of its parent's back");
	munmap((void *)base, b->size);
	fill(&after);
	drop(after);
	is_int(after, before + 1, "the parent does");
}

int main(void)
{
	unsigned first, second, third;
	int r = fill(&first), go[2], status;
	char byte;
	pid_t pid;

	is_int(r, -ENOMEM, "the page cache is exhausted");
	ok(first > 0, "after %u enclaves", first);
	drop(first);
	r = fill(&second);
	is_int(r, -ENOMEM, "after they are closed, as many again");
	is_int(second, first, "just as many");
	drop(second);

	if (pipe(go))
		bail("pipe");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		r = fill(&third);
		byte = r == -ENOMEM;
		if (write(go[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	if (read(go[0], &byte, 1) != 1)
		bail("the child");
	is_int(byte, 1, "another process fills it");
	r = fill(&third);
	is_int(r, -ENOMEM, "for all");
	ok(third < first, "little is left here: %u", third);
	drop(third);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	r = fill(&third);
	is_int(third, first, "it was killed by SIGKILL: all is there again");
	drop(third);
	test_unmapped_by_child();
	return tap_done();
}
