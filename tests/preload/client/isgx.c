/*
 * The out-of-tree driver's interface under locked launch control.
 *
 *	isgx key          run the launch enclave and print its EINITTOKEN key
 *	isgx refused BLOB that enclave is refused without a token, and with one that is none
 *	isgx run BLOB     it is accepted with the token in the file, and runs
 *	isgx sgx2 BLOB    the requests of the driver's SGX2 branch
 */
#include "client.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct encl en;

/* Everything but INIT. The driver aligns a mapping to its size. */
static void build(const char *name)
{
	struct sgx_secs secs __attribute__((aligned(4096)));
	struct isgx_create c = { (uintptr_t)&secs };
	void *p;
	int r;

	en.blob = blob_get(name);
	en.size = en.blob->size;
	if (en.fd <= 0)
		en.fd = open("/dev/isgx", O_RDWR);
	if (en.fd < 0)
		bail("/dev/isgx");
	p = mmap(NULL, en.size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, en.fd, 0);
	if (p == MAP_FAILED || (uintptr_t)p % en.size)
		bail("an aligned mapping");
	en.base = (uintptr_t)p;
	secs_fill(&secs, en.blob, en.base);
	r = sgx_ioctl(en.fd, ISGX_CREATE, &c);
	for (uint64_t i = 0; i < en.blob->pages && !r; i++) {
		const struct blob_page *b = &blob_pages(en.blob)[i];
		struct sgx_secinfo si __attribute__((aligned(64))) = { .flags = b->secinfo };
		struct isgx_add_page a = { en.base + b->offset, (uintptr_t)b->data, (uintptr_t)&si,
					   b->measured ? 0xffff : 0 };

		r = sgx_ioctl(en.fd, ISGX_ADD_PAGE, &a);
	}
	if (r) {
		errno = r < 0 ? -r : r;
		bail("CREATE and ADD_PAGE");
	}
}

static int init(const void *token)
{
	struct isgx_init i = { en.base, (uintptr_t)en.blob->sigstruct, (uintptr_t)token };

	return sgx_ioctl(en.fd, ISGX_INIT, &i);
}

static void protect(void)
{
	for (uint64_t i = 0; i < en.blob->pages; i++) {
		const struct blob_page *b = &blob_pages(en.blob)[i];
		int prot = b->secinfo & SI_TCS ? PROT_READ | PROT_WRITE : (int)(b->secinfo & 7);

		if (mprotect((void *)(en.base + b->offset), PAGE, prot))
			bail("mprotect");
	}
}

static void key(void)
{
	static const uint8_t none[BLOB_TOKEN];
	uint8_t request[512] = { 0 };
	uint64_t word;

	build("launch");
	if (init(none))
		bail("INIT of the launch enclave");
	protect();
	request[4] = 3;               /* ISVSVN */
	memset(request + 8, 1, 16);   /* CPUSVN */
	memset(request + 24, 0xff, 16);
	request[24] = 0xfd;           /* all attributes but DEBUG */
	memset(request + 40, 0x1d, 32);
	enter = enter_by_enclu;
	poke_all(&en, 0, KIT_DATA, request, sizeof(request));
	if (call_enclu(&en, 0, EGETKEY, en.base + KIT_DATA, en.base + KIT_DATA + 0x400, 0).rdi != 0)
		bail("EGETKEY");
	printf("KEY ");
	for (unsigned i = 0; i < 16; i++) {
		word = peek(&en, 0, KIT_DATA + 0x400 + (i & 8));
		printf("%02x", (unsigned)(word >> (i % 8 * 8) & 0xff));
	}
	printf("\n");
}

static void refused(const char *name)
{
	static uint8_t token[BLOB_TOKEN] __attribute__((aligned(512)));

	build(name);
	is_int(init(token), 16, "no token: INVALID_EINITTOKEN");
	memcpy(token, en.blob->token, sizeof(token));
	token[0] = 1;
	token[290] ^= 4;
	is_int(init(token), 16, "a MAC of nobody's: INVALID_EINITTOKEN");
}

static void run(const char *name)
{
	struct sgx_secs secs __attribute__((aligned(4096)));
	struct isgx_create c = { (uintptr_t)&secs };
	struct isgx_init i = { 0x1000, 0, 0 };
	uint8_t token[BLOB_TOKEN];
	struct stat st;

	ok(stat("/dev/isgx", &st) == 0 && S_ISCHR(st.st_mode), "/dev/isgx is there");
	ok(stat("/dev/sgx_enclave", &st) == -1 && errno == ENOENT, "and no device of the in-kernel driver");
	build(name);
	memcpy(token, en.blob->token, sizeof(token));
	token[290] ^= 4;
	is_int(init(token), 16, "a bit of the token's MAC: INVALID_EINITTOKEN");
	memcpy(token, en.blob->token, sizeof(token));
	token[48] ^= 0x80;
	is_int(init(token), 16, "a bit of its attributes: INVALID_EINITTOKEN");
	is_int(init(en.blob->token), 0, "the launch enclave's token: accepted");
	protect();
	enter = enter_by_enclu;
	is_int(call(&en, 0, KIT_ADD, 40, 2).rdi, 42, "and it runs, entered by ENCLU");
	ok(sgx_ioctl(en.fd, ISGX_INIT, &i) < 0, "INIT where no enclave is");
	secs_fill(&secs, en.blob, en.base + PAGE);
	ok(sgx_ioctl(en.fd, ISGX_CREATE, &c) < 0, "CREATE off its alignment");
	is_int(sgx_ioctl(en.fd, 0xa477, &c), -ENOTTY, "an unknown request");
	/* One descriptor, two enclaves. */
	{
		static const uint8_t none[BLOB_TOKEN];
		const struct encl first = en;

		build("plain");
		ok(en.base != first.base && en.fd == first.fd, "a second enclave on the same descriptor");
		is_int(init(none), 0, "of the signer that launch control is locked to: needs no token");
		protect();
		poke(&first, 0, KIT_DATA, 1);
		poke(&en, 0, KIT_DATA, 2);
		is_int(peek(&first, 0, KIT_DATA), 1, "each has its own memory");
		is_int(munmap((void *)en.base, en.size), 0, "the second is unmapped");
		is_int(peek(&first, 0, KIT_DATA), 1, "the first goes on");
	}
}

#define RW (SI_R | SI_W)
#define FREE 0x60000u /* nothing is there at EINIT */

static int range_request(unsigned long request, uint64_t offset, unsigned pages)
{
	struct isgx_range r = { en.base + offset, pages };

	return sgx_ioctl(en.fd, request, &r);
}

static void sgx2(const char *name)
{
	static const uint8_t none[BLOB_TOKEN];
	/* OSSA; CSSA and NSSA; OENTRY, AEP; bases; limits */
	static const uint64_t tcs[9] = { 0, 0, FREE + PAGE, UINT64_C(1) << 32, 0, 0, FREE, FREE, 0xfff00000fff };
	struct isgx_modify m = { { 0, 1 }, SI_R };
	uint64_t page;

	build(name);
	is_int(init(none), 0, "an enclave");
	protect();
	enter = vdso_by_hash(); /* faults come back */
	poke(&en, 0, KIT_RWX, 5);
	m.range.start = en.base + KIT_RWX;
	is_int(sgx_ioctl(en.fd, ISGX_EMODPR, &m), 0, "EMODPR to R");
	is_int(accept_page(&en, 0, KIT_RWX, SI_REG | RW | SI_PR), 19, "EACCEPT of other permissions: 19");
	is_int(accept_page(&en, 0, KIT_RWX, SI_REG | SI_R | SI_PR), 0, "EACCEPT");
	is_int(peek(&en, 0, KIT_RWX), 5, "it can be read");
	is_int(extend_page(&en, 0, KIT_RWX, RW), 0, "EMODPE");
	poke(&en, 0, KIT_RWX, 6);
	is_int(peek(&en, 0, KIT_RWX), 6, "and written again");

	is_int(accept_page(&en, 0, FREE, SI_REG | RW | SI_PENDING), 0, "a new page");
	poke_all(&en, 0, FREE, tcs, sizeof(tcs));
	is_int(range_request(ISGX_MKTCS, FREE, 1), 0, "MKTCS");
	is_int(accept_page(&en, 0, FREE, SI_TCS | SI_MODIFIED), 0, "EACCEPT");
	is_int(range_request(ISGX_TRIM, FREE, 1), 0, "TRIM");
	ok(range_request(ISGX_NOTIFY_ACCEPT, FREE, 1) != 0, "NOTIFY_ACCEPT before it is accepted");
	is_int(accept_page(&en, 0, FREE, SI_TRIM | SI_MODIFIED), 0, "EACCEPT");
	is_int(range_request(ISGX_NOTIFY_ACCEPT, FREE, 1), 0, "NOTIFY_ACCEPT");
	is_int(accept_page(&en, 0, FREE, SI_REG | RW | SI_PENDING), 0, "a page is there again");
	is_int(peek(&en, 0, FREE), 0, "empty");
	is_int(range_request(ISGX_TRIM, FREE, 1), 0, "TRIM");
	is_int(accept_page(&en, 0, FREE, SI_TRIM | SI_MODIFIED), 0, "EACCEPT");
	page = en.base + FREE;
	is_int(sgx_ioctl(en.fd, ISGX_REMOVE, &page), 0, "REMOVE");
	ok(range_request(ISGX_TRIM, KIT_SIZE, 1) != 0, "TRIM behind ELRANGE");
	m.range.start = 0x1000;
	ok(sgx_ioctl(en.fd, ISGX_EMODPR, &m) != 0, "EMODPR where no enclave is");
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "key") == 0) {
		key();
		return 0;
	}
	if (argc != 3)
		bail("usage");
	if (strcmp(argv[1], "refused") == 0)
		refused(argv[2]);
	else if (strcmp(argv[1], "sgx2") == 0)
		sgx2(argv[2]);
	else
		run(argv[2]);
	return tap_done();
}
