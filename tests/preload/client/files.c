/* The device nodes, by every name and call that clients use; what is no device is left alone. */
#include "client.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const char *const nodes[] = { "/dev/sgx_enclave", "/dev/sgx/enclave", "/dev/sgx_provision",
				     "/dev/sgx/provision" };

static void test_stat(void)
{
	struct stat st, fst;
	char name[80];

	for (size_t i = 0; i < COUNT(nodes); i++) {
		int fd = open(nodes[i], O_RDWR);

		snprintf(name, sizeof(name), "stat of %s", nodes[i]);
		ok(stat(nodes[i], &st) == 0 && S_ISCHR(st.st_mode), "%s: a character device", name);
		ok(lstat(nodes[i], &fst) == 0, "lstat, too");
		ok(fstat(fd, &fst) == 0 && S_ISCHR(fst.st_mode) && fst.st_rdev == st.st_rdev,
		   "fstat of its descriptor says the same");
		is_int(access(nodes[i], F_OK), 0, "access: it is there");
		is_int(access(nodes[i], R_OK | W_OK), 0, "access: to be read and written");
		is_int(faccessat(AT_FDCWD, nodes[i], R_OK, 0), 0, "faccessat");
		ok(fstatat(AT_FDCWD, nodes[i], &fst, 0) == 0 && S_ISCHR(fst.st_mode), "fstatat");
		close(fd);
	}
	stat(nodes[0], &st);
	stat(nodes[2], &fst);
	ok(st.st_rdev != fst.st_rdev, "enclave and provision are two devices");
	ok(stat("/dev/isgx", &st) == -1 && errno == ENOENT, "there is no /dev/isgx");
	ok(open("/dev/isgx", O_RDWR) == -1 && errno == ENOENT, "nor can it be opened");
	ok(access("/dev/sgx_other", F_OK) == -1 && errno == ENOENT, "nor something else of SGX");
	ok(open("/dev/sgx_enclave/x", O_RDWR) == -1 && (errno == ENOTDIR || errno == ENOENT), "nor anything below it");
	ok(open("/dev/sgx_enclave", O_RDWR | O_CREAT | O_EXCL, 0600) == -1 && errno == EEXIST,
	   "O_CREAT | O_EXCL: EEXIST");
}

static void test_open(void)
{
	int fd;

	fd = openat(AT_FDCWD, "/dev/sgx_enclave", O_RDWR);
	ok(fd >= 0, "openat with AT_FDCWD");
	close(fd);
	fd = openat(12345, "/dev/sgx_enclave", O_RDWR);
	ok(fd >= 0, "openat with an absolute name: the descriptor does not matter");
	close(fd);
	fd = open("/dev/sgx_enclave", O_RDWR | O_CLOEXEC);
	is_int(fcntl(fd, F_GETFD), FD_CLOEXEC, "O_CLOEXEC");
	is_int(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR, "F_GETFL: read and write");
	close(fd);
	fd = open("/dev/sgx_enclave", O_RDWR);
	is_int(fcntl(fd, F_GETFD), 0, "not without");
	close(fd);
}

/* read and write: the driver has neither. */
static void test_io(void)
{
	int fd = open("/dev/sgx_enclave", O_RDWR);
	char byte = 0;

	ok(read(fd, &byte, 1) == -1 && errno == EINVAL, "read: EINVAL");
	ok(write(fd, &byte, 1) == -1 && errno == EINVAL, "write: EINVAL");
	close(fd);
}

static void test_descriptors(void)
{
	struct encl e;
	int a, b, c, other;

	encl_make(&e, "plain");
	a = dup(e.fd);
	b = dup2(e.fd, 200);
	c = dup3(e.fd, 201, O_CLOEXEC);
	ok(a >= 0 && b == 200 && c == 201, "dup, dup2, dup3");
	is_int(fcntl(c, F_GETFD), FD_CLOEXEC, "dup3 with O_CLOEXEC");
	other = fcntl(e.fd, F_DUPFD, 300);
	ok(other >= 300, "F_DUPFD");
	is_int(sgx_init(a, e.blob->sigstruct), -EINVAL, "a duplicate is the same enclave: initialised");
	is_int(sgx_init(b, e.blob->sigstruct), -EINVAL, "so is another");
	is_int(sgx_init(c, e.blob->sigstruct), -EINVAL, "and another");
	is_int(sgx_init(other, e.blob->sigstruct), -EINVAL, "and the last");
	close(e.fd);
	close(a);
	close(c);
	close(other);
	ok(mmap((void *)(e.base + KIT_DATA), PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, b, 0) != MAP_FAILED,
	   "one that is left maps it");
	is_int(call(&e, 0, KIT_ADD, 1, 2).rdi, 3, "and it runs");
	/* The number becomes another file's. */
	other = open("/dev/null", O_RDWR);
	dup2(other, b);
	is_int(sgx_init(b, e.blob->sigstruct), -ENOTTY, "a number that dup2 gave to another file is that file");
	close(b);
	close(other);
	e.fd = -1;
	encl_free(&e);
}

/* Beyond what the emulation keeps a table of. */
static void test_high_number(void)
{
	struct rlimit most, now;
	struct encl e;
	int high;

	if (getrlimit(RLIMIT_NOFILE, &now) || now.rlim_max <= 70000)
		return;
	most = now;
	most.rlim_cur = now.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	encl_make(&e, "plain");
	high = fcntl(e.fd, F_DUPFD, 70000);
	ok(high >= 70000, "a descriptor with a high number");
	is_int(sgx_init(high, e.blob->sigstruct), -EINVAL, "is the enclave");
	ok(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, high, 0) == MAP_FAILED && errno == EINVAL, "and maps as one");
	close(high);
	setrlimit(RLIMIT_NOFILE, &now);
	encl_free(&e);
}

/* Files that have nothing to do with it. */
static void test_others(void)
{
	char path[] = "/tmp/bawn-files.XXXXXX", text[6] = "";
	int fd = mkstemp(path), n = 0;
	struct stat st;
	void *p;

	ok(fd >= 0 && write(fd, "hello", 5) == 5, "a file is written");
	is_int(ioctl(fd, SGX_CREATE, text), -1, "an SGX request to it");
	is_int(errno, ENOTTY, "is not understood");
	is_int(ioctl(fd, FIONREAD, &n), 0, "its own requests are");
	p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	ok(p != MAP_FAILED && memcmp(p, "hello", 5) == 0, "it is mapped");
	is_int(mprotect(p, PAGE, PROT_NONE), 0, "protected");
	is_int(munmap(p, PAGE), 0, "unmapped");
	ok(fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 5, "fstat");
	close(fd);
	fd = openat(AT_FDCWD, path, O_RDONLY);
	ok(read(fd, text, 5) == 5 && strcmp(text, "hello") == 0, "and read");
	close(fd);
	unlink(path);
	ok(open(path, O_RDONLY) == -1 && errno == ENOENT, "gone: ENOENT");
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0640);
	ok(fstat(fd, &st) == 0 && (st.st_mode & 0777) == 0640, "the mode of a new file arrives");
	close(fd);
	unlink(path);
	fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	ok(fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 0777) == 0600, "O_TMPFILE, too");
	close(fd);
	ok(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL,
	   "errors are the kernel's");
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	p = mremap(p, PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	ok(p != MAP_FAILED, "mremap");
	munmap(p, 4 * PAGE);
}

int main(void)
{
	test_stat();
	test_open();
	test_io();
	test_descriptors();
	test_high_number();
	test_others();
	return tap_done();
}
