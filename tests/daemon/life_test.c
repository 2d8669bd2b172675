/* How long an enclave is there that was handed over: its descriptors and mappings, whoever has them. */
#include "daemon/vault.h"

#include "tests/tap.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* As an EPC of the emulated CPU. */
static int memory(void)
{
	int fd = memfd_create("life", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, 4096))
		abort();
	return fd;
}

static int terminal; /* a device that no other process has */

/* One of several descriptors of one inode that is no regular file, as enclaves' of /dev/sgx_enclave are. */
static int device(void)
{
	int fd = open(ptsname(terminal), O_RDWR | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		abort();
	return fd;
}

static bool ended(struct lives *l, const struct life *of)
{
	return of->watch >= 0 ? life_ended(l) == of->watch : life_over(l, of);
}

/* To another process, on its way, and there. */
static int passed_on(int fd, int pair[2])
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { .iov_base = (char[1]){ 0 }, .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		abort();
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(pair[0], &m, 0) == 1 ? 0 : -1;
}

static void test_life(int (*make)(void), bool maps, const char *what)
{
	struct bawn_error e = { 0 };
	struct life one, two;
	struct lives l;
	int a = make(), b = make(), copy, pair[2];
	void *p = NULL;

	lives_new(&l);
	is_int(life_watch(&l, a, &one, &e), 0, what);
	is_int(life_watch(&l, b, &two, &e), 0, "... and another");
	ok(!ended(&l, &one) && !ended(&l, &two), "both are there");
	copy = dup(a);
	close(a);
	ok(!ended(&l, &one), "one of two descriptors is closed: it is there");
	if (maps)
		p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, copy, 0);
	is_int(passed_on(copy, pair), 0, "it is passed on");
	close(copy);
	ok(!ended(&l, &one), "... on its way it is there");
	close(pair[0]);
	close(pair[1]);
	if (maps) {
		ok(!ended(&l, &one), "mapped it is there");
		munmap(p, 4096);
	}
	ok(ended(&l, &one), "nobody has it: it is gone");
	ok(!ended(&l, &two), "... the other is not");
	close(b);
	ok(ended(&l, &two), "nor has anybody that one");
	close(l.inotify);
	if (l.device >= 0)
		close(l.device);
}

/* An enclave of before: another process, or an earlier start, has locked much of the device. */
static void test_locked(void)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct bawn_error e = { 0 };
	int a = device(), before = device();
	struct life one;
	struct lives l;

	lives_new(&l);
	is_int(life_watch(&l, a, &one, &e), 0, "an enclave");
	close(a);
	is_int(fcntl(before, F_OFD_SETLK, &all), 0, "whoever else locks all there is");
	ok(life_over(&l, &one), "... does not stand for an enclave that is gone");
	a = device();
	is_int(life_watch(&l, a, &one, &e), BAWN_ERR_BUSY, "... and one that cannot be told from it is not counted");
	close(a);
	close(before);
	close(l.inotify);
	close(l.device);
}

int main(void)
{
	test_life(memory, true, "an EPC in a memory file");
	terminal = posix_openpt(O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0) {
		test_life(device, false, "a descriptor of a device");
		test_locked();
	} else {
		skip("devices: there are no pseudoterminals here");
	}
	return tap_done();
}
