/* Every request of the in-kernel driver, and every way in which it refuses. */
#include "client.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#define NOWHERE ((void *)0x1000)

static uint8_t page[PAGE] __attribute__((aligned(4096)));
static uint8_t sigstruct[4096] __attribute__((aligned(4096)));

/* A descriptor with an enclave created, nothing added. */
static int created(const struct blob *b)
{
	int fd = sgx_open();

	if (fd < 0 || sgx_create(fd, b, reserve(b->size)))
		bail("CREATE");
	return fd;
}

static int add(int fd, const void *src, uint64_t offset, uint64_t length, const void *secinfo,
	       uint64_t flags, uint64_t *count)
{
	struct sgx_add a = { (uintptr_t)src, offset, length, (uintptr_t)secinfo, flags, 77 * PAGE };
	int r = sgx_ioctl(fd, SGX_ADD_PAGES, &a);

	if (count)
		*count = a.count;
	return r;
}

static int add_flags(int fd, uint64_t flags)
{
	struct sgx_secinfo si = { .flags = flags };

	return add(fd, page, 0, PAGE, &si, 0, NULL);
}

static void test_create(const struct blob *b)
{
	struct sgx_secs secs __attribute__((aligned(4096)));
	struct sgx_create c = { (uintptr_t)&secs };
	const uint64_t base = reserve(b->size);
	int fd = sgx_open();
	static uint8_t wide[2 * PAGE] __attribute__((aligned(4096)));

	is_int(sgx_ioctl(fd, SGX_CREATE, NOWHERE), -EFAULT, "CREATE: its argument is not there");
	c.src = (uintptr_t)NOWHERE;
	is_int(sgx_ioctl(fd, SGX_CREATE, &c), -EFAULT, "CREATE: the SECS is not there");
	c.src = (uintptr_t)&secs;
	secs_fill(&secs, b, base);
	secs.size = b->size + PAGE;
	is_int(sgx_ioctl(fd, SGX_CREATE, &c), -EINVAL, "CREATE: a size that is no power of two");
	secs.size = 0;
	is_int(sgx_ioctl(fd, SGX_CREATE, &c), -EINVAL, "CREATE: no size");
	secs.size = PAGE;
	is_int(sgx_ioctl(fd, SGX_CREATE, &c), -EIO, "CREATE: ECREATE wants two pages at least");
	secs_fill(&secs, b, base + PAGE);
	is_int(sgx_ioctl(fd, SGX_CREATE, &c), -EIO, "CREATE: a base that is not aligned to the size");
	secs_fill(&secs, b, base);
	secs.attributes |= AT_INIT;
	is_int(sgx_ioctl(fd, SGX_CREATE, &c), -EIO, "CREATE: INIT is not software's to set");
	secs_fill(&secs, b, base);
	secs.attributes |= UINT64_C(1) << 40;
	is_int(sgx_ioctl(fd, SGX_CREATE, &c), -EIO, "CREATE: an attribute that does not exist");
	secs_fill(&secs, b, base);
	secs.xfrm = 1;
	is_int(sgx_ioctl(fd, SGX_CREATE, &c), -EIO, "CREATE: XFRM without SSE");
	secs_fill(&secs, b, base);
	secs.ssaframesize = 0;
	is_int(sgx_ioctl(fd, SGX_CREATE, &c), -EIO, "CREATE: no room for an SSA frame");
	secs_fill(&secs, b, base);
	secs.reserved4[3833] = 1;
	is_int(sgx_ioctl(fd, SGX_CREATE, &c), -EIO, "CREATE: a reserved byte");
	secs_fill(&secs, b, base);
	memcpy(wide + 8, &secs, sizeof(secs));
	c.src = (uintptr_t)wide + 8;
	is_int(sgx_ioctl(fd, SGX_CREATE, &c), 0, "CREATE: the SECS may lie anywhere");
	c.src = (uintptr_t)&secs;
	secs_fill(&secs, b, base);
	is_int(sgx_ioctl(fd, SGX_CREATE, &c), -EINVAL, "CREATE: once");
	is_int(sgx_ioctl(fd, SGX_CREATE, NOWHERE), -EINVAL, "CREATE: which is looked at first");
	close(fd);
}

static void test_add(const struct blob *b)
{
	struct sgx_secinfo si = { .flags = SI_REG | SI_R | SI_W };
	uint64_t count;
	int fd = sgx_open();

	is_int(add(fd, page, 0, PAGE, &si, 0, &count), -EINVAL, "ADD_PAGES: before CREATE");
	is_int(count, 77 * PAGE, "ADD_PAGES: count is not touched then");
	close(fd);
	fd = created(b);
	is_int(sgx_ioctl(fd, SGX_ADD_PAGES, NOWHERE), -EFAULT, "ADD_PAGES: its argument is not there");
	is_int(add(fd, page + 8, 0, PAGE, &si, 0, NULL), -EINVAL, "ADD_PAGES: a source in the middle of a page");
	is_int(add(fd, page, 8, PAGE, &si, 0, NULL), -EINVAL, "ADD_PAGES: an offset likewise");
	is_int(add(fd, page, 0, 100, &si, 0, NULL), -EINVAL, "ADD_PAGES: part of a page");
	is_int(add(fd, page, 0, 0, &si, 0, NULL), -EINVAL, "ADD_PAGES: nothing");
	is_int(add(fd, page, b->size, PAGE, &si, 0, NULL), -EINVAL, "ADD_PAGES: behind ELRANGE");
	is_int(add(fd, page, b->size - PAGE, 2 * PAGE, &si, 0, NULL), -EINVAL, "ADD_PAGES: across its end");
	is_int(add(fd, page, -PAGE, 2 * PAGE, &si, 0, NULL), -EINVAL, "ADD_PAGES: around zero");
	is_int(add(fd, page, 0, PAGE, NOWHERE, 0, &count), -EFAULT, "ADD_PAGES: no SECINFO");
	is_int(count, 77 * PAGE, "ADD_PAGES: count is not touched then either");
	is_int(add_flags(fd, SI_TRIM | SI_R), -EINVAL, "SECINFO: only REG and TCS");
	is_int(add_flags(fd, SI_R), -EINVAL, "SECINFO: a SECS is no page to add");
	is_int(add_flags(fd, SI_REG | SI_W), -EINVAL, "SECINFO: W needs R");
	is_int(add_flags(fd, SI_TCS | SI_R), -EINVAL, "SECINFO: a TCS has no permissions");
	is_int(add_flags(fd, SI_REG | SI_R | SI_PENDING), -EINVAL, "SECINFO: PENDING is not software's");
	is_int(add_flags(fd, SI_REG | SI_R | 0x10000), -EINVAL, "SECINFO: reserved flags");
	si.reserved[55] = 1;
	is_int(add(fd, page, 0, PAGE, &si, 0, NULL), -EINVAL, "SECINFO: reserved bytes");
	si.reserved[55] = 0;
	is_int(add(fd, NOWHERE, 0, PAGE, &si, 0, &count), -EFAULT, "ADD_PAGES: no source");
	is_int(count, 0, "ADD_PAGES: and nothing done, as count says");
	is_int(add(fd, page, 0, PAGE, &si, 0, &count), 0, "ADD_PAGES: a page");
	is_int(count, PAGE, "ADD_PAGES: counted");
	is_int(add(fd, page, 0, PAGE, &si, 0, &count), -EBUSY, "ADD_PAGES: where there is one");
	is_int(count, 0, "ADD_PAGES: nothing done");
	close(fd);
}

/* A page of a file where nothing may be executed, behind one of no file. */
static void test_add_noexec(const struct blob *b, const char *folder)
{
	struct sgx_secinfo si = { .flags = SI_REG | SI_R };
	char *two = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = created(b), file;
	char path[4096];
	uint64_t count;

	snprintf(path, sizeof(path), "%s/source", folder);
	file = open(path, O_CREAT | O_RDWR, 0600);
	is_int(ftruncate(file, PAGE), 0, "a file on a file system mounted noexec");
	mmap(two + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0);
	is_int(add(fd, two + PAGE, 0, PAGE, &si, 0, &count), -EACCES, "ADD_PAGES: not from there");
	is_int(count, 0, "ADD_PAGES: nothing done");
	is_int(add(fd, two, 0, 2 * PAGE, &si, 0, &count), -EACCES, "ADD_PAGES: nor behind another page");
	is_int(count, PAGE, "ADD_PAGES: which is in");
	mmap(two + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	is_int(add(fd, two + PAGE, PAGE, PAGE, &si, 0, NULL), 0, "ADD_PAGES: from what took its place");
	close(file);
	close(fd);
}

/* Three pages, of which the last is not there, is taken, or is no valid TCS. */
static void test_add_partial(const struct blob *b)
{
	struct sgx_secinfo si = { .flags = SI_REG | SI_R | SI_W }, tcs = { .flags = SI_TCS };
	char *three = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t count;
	int fd = created(b);

	munmap(three + 2 * PAGE, PAGE);
	is_int(add(fd, three, 0, 3 * PAGE, &si, SGX_MEASURE, &count), -EFAULT, "the third page's source is missing");
	is_int(count, 2 * PAGE, "two are in");
	is_int(add(fd, three, 2 * PAGE, PAGE, &si, 0, NULL), 0, "the third from elsewhere");
	is_int(add(fd, three, 0x6000, PAGE, &si, 0, NULL), 0, "one further on");
	mmap(three, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	is_int(add(fd, three, 0x4000, 4 * PAGE, &si, 0, &count), -EBUSY, "the third place is taken");
	is_int(count, 2 * PAGE, "two are in");
	for (unsigned i = 0; i < 3; i++) {
		three[i * PAGE + 28] = 1; /* NSSA */
		memset(three + i * PAGE + 64, 0xff, 8); /* limits */
	}
	three[2 * PAGE + 200] = 1; /* reserved */
	is_int(add(fd, three, 0x10000, 3 * PAGE, &tcs, SGX_MEASURE, &count), -EIO, "the third is no TCS");
	is_int(count, 2 * PAGE, "two are in");
	close(fd);
	munmap(three, 4 * PAGE);
}

static int init_changed(const char *name, size_t at, uint8_t bit)
{
	struct encl e;
	int r;

	encl_build(&e, name);
	memcpy(sigstruct, e.blob->sigstruct, sizeof(sigstruct));
	if (at)
		sigstruct[at] ^= bit;
	r = sgx_init(e.fd, sigstruct);
	encl_free(&e);
	return r;
}

static void test_init(const struct blob *b)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t bit;
	} bits[] = {
		{ "the header's constant", 3, 0x10 },
		{ "the second constant", 24, 0x10 },
		{ "a reserved byte that is signed", 60, 0x10 },
		{ "the modulus", 128 + 17, 0x10 },
		{ "the exponent", 512, 0x10 },
		{ "the signature", 516 + 17, 0x10 },
		{ "MISCSELECT", 900, 0x01 },
		{ "the measurement", 960, 0x10 },
		{ "ISVSVN", 1026, 0x10 },
		{ "Q1", 1040 + 17, 0x10 },
		{ "Q2", 1424 + 17, 0x10 },
	};
	struct encl e;
	int fd = sgx_open();
	struct sgx_init i = { (uintptr_t)NOWHERE };
	char name[64];

	is_int(sgx_init(fd, b->sigstruct), -EINVAL, "INIT: before CREATE");
	close(fd);
	encl_build(&e, "plain");
	is_int(sgx_ioctl(e.fd, SGX_INIT, NOWHERE), -EFAULT, "INIT: its argument is not there");
	is_int(sgx_ioctl(e.fd, SGX_INIT, &i), -EFAULT, "INIT: no SIGSTRUCT");
	memcpy(sigstruct + 1, e.blob->sigstruct, 1808);
	is_int(sgx_init(e.fd, sigstruct + 1), 0, "INIT: it may lie anywhere");
	is_int(sgx_init(e.fd, e.blob->sigstruct), -EINVAL, "INIT: once");
	is_int(sgx_add(e.fd, blob_pages(e.blob)), -EINVAL, "ADD_PAGES: after INIT");
	encl_free(&e);
	for (size_t n = 0; n < COUNT(bits); n++) {
		snprintf(name, sizeof(name), "INIT: a bit of %s", bits[n].name);
		is_int(init_changed("plain", bits[n].at, bits[n].bit), -EPERM, name);
	}
	is_int(init_changed("plain", 16, 0x10), -EINVAL, "INIT: the vendor");
	is_int(init_changed("vendor", 0, 0), -EINVAL, "INIT: a vendor other than 0 and Intel, signed");
	is_int(init_changed("intel", 0, 0), 0, "INIT: Intel's");
	/* ATTRIBUTES at 928, ATTRIBUTEMASK at 944, MISCMASK at 904: what does not exist is asked for. */
	is_int(init_changed("plain", 928 + 5, 1), -EINVAL, "INIT: an attribute that does not exist");
	is_int(init_changed("plain", 928 + 8 + 7, 0x40), -EINVAL, "INIT: a state component that does not");
	is_int(init_changed("plain", 900 + 3, 1), -EINVAL, "INIT: a MISCSELECT bit that does not");
	is_int(init_changed("undebug", 0, 0), -EPERM, "INIT: DEBUG on an enclave signed without it");
	is_int(init_changed("production", 0, 0), 0, "INIT: without DEBUG");
	is_int(init_changed("kss", 0, 0), 0, "INIT: with KSS");
	is_int(init_changed("launch", 0, 0), -EACCES, "INIT: EINITTOKEN_KEY is granted to nobody");
	is_int(init_changed("provision", 0, 0), -EACCES, "INIT: PROVISION_KEY not without the device");
	is_int(init_changed("provision", 516, 1), -EACCES, "INIT: which is looked at before the signature");
}

/* One byte of one page is not what was measured. */
static void test_code(const struct blob *b)
{
	struct blob_page p = blob_pages(b)[0];
	int fd = created(b);

	p.data[100] ^= 1;
	sgx_add(fd, &p);
	for (uint64_t n = 1; n < b->pages; n++)
		sgx_add(fd, &blob_pages(b)[n]);
	is_int(sgx_init(fd, b->sigstruct), -EPERM, "INIT: a bit of the code");
	close(fd);
}

static void test_provision(void)
{
	struct sgx_provision p;
	struct encl e;
	int fd = sgx_open_provision(), null = open("/dev/null", O_RDWR), other = sgx_open(), r;

	ok(fd >= 0, "the provision device");
	encl_build(&e, "provision");
	is_int(sgx_ioctl(e.fd, SGX_PROVISION, NOWHERE), -EFAULT, "PROVISION: its argument is not there");
	p.fd = 12345;
	is_int(sgx_ioctl(e.fd, SGX_PROVISION, &p), -EINVAL, "PROVISION: no descriptor");
	p.fd = (uint64_t)null;
	is_int(sgx_ioctl(e.fd, SGX_PROVISION, &p), -EINVAL, "PROVISION: another device");
	p.fd = (uint64_t)other;
	is_int(sgx_ioctl(e.fd, SGX_PROVISION, &p), -EINVAL, "PROVISION: an enclave");
	is_int(sgx_init(e.fd, e.blob->sigstruct), -EACCES, "INIT: refused still");
	p.fd = (uint64_t)fd;
	is_int(sgx_ioctl(e.fd, SGX_PROVISION, &p), 0, "PROVISION: the provision device");
	is_int(sgx_init(e.fd, e.blob->sigstruct), 0, "INIT: accepted now");
	is_int(sgx_ioctl(e.fd, SGX_PROVISION, &p), 0, "PROVISION: afterwards it changes nothing");
	encl_free(&e);
	encl_build(&e, "provision");
	r = dup(fd);
	close(fd);
	p.fd = (uint64_t)r;
	is_int(sgx_ioctl(e.fd, SGX_PROVISION, &p), 0, "PROVISION: a duplicate of the descriptor");
	is_int(sgx_init(e.fd, e.blob->sigstruct), 0, "INIT: accepted");
	encl_free(&e);
	encl_build(&e, "launch");
	is_int(sgx_ioctl(e.fd, SGX_PROVISION, &p), 0, "PROVISION: for an enclave that wants another key");
	is_int(sgx_init(e.fd, e.blob->sigstruct), -EACCES, "INIT: it does not get it");
	encl_free(&e);
	is_int(sgx_ioctl(r, SGX_CREATE, page), -ENOTTY, "the provision device knows no requests");
	close(r);
	close(other);
	close(null);
}

static void test_unknown(void)
{
	int fd = sgx_open();

	is_int(sgx_ioctl(fd, 0xa404, NULL), -ENOTTY, "a request that does not exist");
	is_int(sgx_ioctl(fd, 0xc030a402, NULL), -ENOTTY, "the number of one, another size");
	is_int(sgx_ioctl(fd, 0xa4ff, NULL), -ENOTTY, "another");
	close(fd);
	is_int(sgx_ioctl(fd, SGX_CREATE, page), -EBADF, "a closed descriptor");
}

/* ---- two at once, and signals in between ---- */

struct both {
	int fd;
	bool stop;
	unsigned busy, others;
};

static void *bother(void *arg)
{
	struct both *b = arg;
	struct sgx_provision p = { 12345 };

	while (!__atomic_load_n(&b->stop, __ATOMIC_RELAXED)) {
		int r = sgx_ioctl(b->fd, SGX_PROVISION, &p);

		if (r == -EBUSY)
			b->busy++;
		else if (r != -EINVAL)
			b->others++;
	}
	return NULL;
}

/* All of the heap in one request, as often as somebody else is in the way. */
static int add_heap(int fd, uint64_t offset, uint64_t length, char *src, unsigned *partial,
		    unsigned *interrupted, unsigned *busy)
{
	struct sgx_secinfo si = { .flags = SI_REG | SI_R | SI_W };

	while (length) {
		uint64_t count = 0;
		int r = add(fd, src, offset, length, &si, SGX_MEASURE, &count);

		if (r == -EBUSY) { /* somebody else's request: nothing was done */
			++*busy;
			continue;
		}
		if (r == -EINTR)
			++*interrupted;
		else if (r)
			return r;
		if (count > length || count % PAGE || (r && count))
			return -EPROTO;
		if (!r && count < length)
			++*partial;
		offset += count;
		src += count;
		length -= count;
	}
	return 0;
}

static void test_busy(const struct blob *b)
{
	const uint64_t length = b->size - KIT_SIZE;
	char *src = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct both both = { 0 };
	unsigned partial = 0, interrupted = 0, busy = 0, rounds = 0;
	pthread_t t;
	int r = 0;

	/* Busy as the machine may be: until it was seen, or often enough. */
	while (!both.busy && rounds++ < 20 && !r) {
		both.fd = created(b);
		both.stop = false;
		if (pthread_create(&t, NULL, bother, &both))
			bail("a thread");
		r = add_heap(both.fd, KIT_SIZE, length, src, &partial, &interrupted, &busy);
		__atomic_store_n(&both.stop, true, __ATOMIC_RELAXED);
		pthread_join(t, NULL);
		close(both.fd);
	}
	is_int(r, 0, "pages are added while another thread makes requests");
	ok(both.busy > 0, "which are told EBUSY meanwhile (%u times)", both.busy);
	is_int(both.others, 0, "and nothing else");
	munmap(src, length);
}

static volatile unsigned alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

/* With a timer at its fastest; the enclave must come out as measured. */
static void test_interrupted(int flags)
{
	const struct blob *b = blob_get("large");
	const struct blob_page *p = blob_pages(b);
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, off = { { 0 } };
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = flags }, old;
	unsigned partial = 0, interrupted = 0, tries = 0;
	struct sgx_secinfo si;
	int fd = created(b), r = 0;
	char *data = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	alarms = 0;
	sigaction(SIGALRM, &sa, &old);
	setitimer(ITIMER_REAL, &often, NULL);
	for (uint64_t i = 0, n; i < b->pages && !r; i += n) {
		uint64_t done = 0;

		/* As many pages as are alike, in one request. */
		for (n = 0; i + n < b->pages && p[i + n].secinfo == p[i].secinfo &&
			    p[i + n].measured == p[i].measured && p[i + n].offset == p[i].offset + n * PAGE; n++)
			memcpy(data + n * PAGE, p[i + n].data, PAGE);
		si = (struct sgx_secinfo){ .flags = p[i].secinfo };
		while (done < n * PAGE && !r) {
			uint64_t count = 0;

			r = add(fd, data + done, p[i].offset + done, n * PAGE - done, &si, p[i].measured, &count);
			if (r == -EINTR && count == 0 && ++tries < 100000) {
				interrupted++;
				r = 0;
				continue;
			}
			partial += !r && count < n * PAGE - done;
			done += count;
		}
	}
	setitimer(ITIMER_REAL, &off, NULL);
	sigaction(SIGALRM, &old, NULL);
	is_int(r, 0, flags ? "signals with SA_RESTART while pages are added" :
			     "signals while pages are added");
	ok(alarms > 0, "they were delivered (%u)", alarms);
	ok(partial + interrupted > 0 || alarms < 3,
	   "requests end early for them: %u after some pages, %u after none", partial, interrupted);
	if (flags)
		is_int(interrupted, 0, "never with EINTR: SA_RESTART");
	is_int(sgx_init(fd, b->sigstruct), 0, "and what comes out is what was signed");
	close(fd);
	munmap(data, b->size);
}

int main(int argc, char **argv)
{
	const struct blob *b = blob_get("plain");

	if (argc > 1) {
		test_add_noexec(b, argv[1]);
		return tap_done();
	}
	test_create(b);
	test_add(b);
	test_add_partial(b);
	test_init(b);
	test_code(b);
	test_provision();
	test_unknown();
	test_busy(blob_get("heap"));
	test_interrupted(0);
	test_interrupted(SA_RESTART);
	return tap_done();
}
