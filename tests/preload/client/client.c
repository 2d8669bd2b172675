/* See client.h. */
#include "client.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

sgx_enter_fn enter;

void bail(const char *what)
{
	printf("Bail out! %s (errno %d)\n", what, errno);
	fflush(stdout);
	_exit(1);
}

const struct blob *blob_get(const char *name)
{
	const char *folder = getenv("BLOBS");
	char path[512];
	struct stat st;
	void *p;
	int fd;

	snprintf(path, sizeof(path), "%s/%s.blob", folder ? folder : "build/tests/preload/blobs", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		bail(path);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED || ((struct blob *)p)->magic != BLOB_MAGIC)
		bail(path);
	return p;
}

/* ---- requests ---- */

int sgx_open(void)
{
	int fd = open("/dev/sgx_enclave", O_RDWR | O_CLOEXEC);

	return fd >= 0 ? fd : -errno;
}

int sgx_open_provision(void)
{
	int fd = open("/dev/sgx_provision", O_RDONLY | O_CLOEXEC);

	return fd >= 0 ? fd : -errno;
}

int sgx_ioctl(int fd, unsigned long request, void *arg)
{
	int r = ioctl(fd, request, arg);

	return r == -1 ? -errno : r;
}

uint64_t reserve(uint64_t size)
{
	char *p = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t at = (uint64_t)p, base = (at + size - 1) & -size;

	if (p == MAP_FAILED)
		bail("address space");
	if (base > at)
		munmap(p, base - at);
	munmap((void *)(base + size), at + size - base);
	return base;
}

void secs_fill(struct sgx_secs *s, const struct blob *b, uint64_t base)
{
	memset(s, 0, sizeof(*s));
	s->size = b->size;
	s->base = base;
	s->ssaframesize = b->ssaframesize;
	s->miscselect = b->miscselect;
	s->attributes = b->attributes;
	s->xfrm = b->xfrm;
}

int sgx_create(int fd, const struct blob *b, uint64_t base)
{
	struct sgx_secs secs __attribute__((aligned(4096)));
	struct sgx_create c = { (uintptr_t)&secs };

	secs_fill(&secs, b, base);
	return sgx_ioctl(fd, SGX_CREATE, &c);
}

int sgx_add(int fd, const struct blob_page *p)
{
	struct sgx_secinfo si __attribute__((aligned(64))) = { .flags = p->secinfo };
	struct sgx_add a = {
		.src = (uintptr_t)p->data,
		.offset = p->offset,
		.length = PAGE,
		.secinfo = (uintptr_t)&si,
		.flags = p->measured ? SGX_MEASURE : 0,
	};
	int r = sgx_ioctl(fd, SGX_ADD_PAGES, &a);

	return r == 0 && a.count != PAGE ? -EPROTO : r;
}

int sgx_add_all(int fd, const struct blob *b)
{
	for (uint64_t i = 0; i < b->pages; i++) {
		int r = sgx_add(fd, &blob_pages(b)[i]);

		if (r)
			return r;
	}
	return 0;
}

int sgx_init(int fd, const void *sigstruct)
{
	struct sgx_init i = { (uintptr_t)sigstruct };

	return sgx_ioctl(fd, SGX_INIT, &i);
}

int sgx_modify(int fd, unsigned long request, struct sgx_modify *m, uint64_t offset, uint64_t length,
	       uint64_t what)
{
	*m = (struct sgx_modify){ offset, length, what, 0, 0 };
	return sgx_ioctl(fd, request, m);
}

int sgx_remove(int fd, struct sgx_remove *r, uint64_t offset, uint64_t length)
{
	*r = (struct sgx_remove){ offset, length, 0 };
	return sgx_ioctl(fd, SGX_REMOVE, r);
}

/* ---- enclaves ---- */

void encl_build(struct encl *e, const char *name)
{
	int r;

	e->blob = blob_get(name);
	e->size = e->blob->size;
	e->fd = sgx_open();
	if (e->fd < 0)
		bail("opening /dev/sgx_enclave");
	e->base = reserve(e->size);
	r = sgx_create(e->fd, e->blob, e->base);
	if (!r)
		r = sgx_add_all(e->fd, e->blob);
	if (r) {
		errno = -r;
		bail("CREATE and ADD_PAGES");
	}
}

void encl_map(const struct encl *e)
{
	const struct blob_page *p = blob_pages(e->blob);

	for (uint64_t i = 0; i < e->blob->pages; i++) {
		int prot = p[i].secinfo & SI_TCS ? PROT_READ | PROT_WRITE : (int)(p[i].secinfo & 7);
		void *at = (void *)(e->base + p[i].offset);

		/* SECINFO's R, W, X are PROT_'s. */
		if (mmap(at, PAGE, prot, MAP_SHARED | MAP_FIXED, e->fd, 0) != at)
			bail("mapping a page");
	}
}

void encl_make(struct encl *e, const char *name)
{
	int r;

	encl_build(e, name);
	r = sgx_init(e->fd, e->blob->sigstruct);
	if (r) {
		errno = -r;
		bail("INIT");
	}
	encl_map(e);
	if (!enter)
		enter = vdso_by_hash();
	if (!enter)
		bail("no __vdso_sgx_enter_enclave");
}

void encl_free(struct encl *e)
{
	munmap((void *)e->base, e->size);
	close(e->fd);
	munmap((void *)e->blob, sizeof(*e->blob) + e->blob->pages * sizeof(struct blob_page));
}

/* ---- ENCLU ---- */

__asm__(".text\n"
	".globl enclu_call, enclu_aep\n"
	"enclu_call:\n"
	"	push	%rbx\n	push	%rbp\n	push	%r12\n	push	%r13\n	push	%r14\n	push	%r15\n"
	"	push	%rdi\n"
	"	mov	%rdi, %rax\n"
	"	mov	0(%rax), %rbx\n"
	"	mov	8(%rax), %rdi\n"
	"	mov	16(%rax), %rsi\n"
	"	mov	24(%rax), %rdx\n"
	"	mov	32(%rax), %r8\n"
	"	mov	40(%rax), %r9\n"
	"	lea	enclu_aep(%rip), %rcx\n"
	"	mov	$2, %eax\n"
	"enclu_aep:\n"
	"	.byte	0x0f, 0x01, 0xd7\n"
	"	pop	%rax\n"
	"	mov	%rdi, 8(%rax)\n"
	"	mov	%rsi, 16(%rax)\n"
	"	mov	%rdx, 24(%rax)\n"
	"	mov	%r8, 32(%rax)\n"
	"	mov	%r9, 40(%rax)\n"
	"	pop	%r15\n	pop	%r14\n	pop	%r13\n	pop	%r12\n	pop	%rbp\n	pop	%rbx\n"
	"	ret\n");

int enter_by_enclu(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned leaf,
		   unsigned long r8, unsigned long r9, struct sgx_run *run)
{
	struct enclu_regs r = { run->tcs, rdi, rsi, rdx, r8, r9 };
	sgx_handler_fn handler = (sgx_handler_fn)(uintptr_t)run->user_handler;

	if (leaf != EENTER)
		return -EINVAL;
	enclu_call(&r);
	run->function = EEXIT;
	return handler ? handler((long)r.rdi, (long)r.rsi, (long)r.rdx, 0, (long)r.r8, (long)r.r9, run) : 0;
}

/* ---- calls ---- */

static int take_answer(long rdi, long rsi, long rdx, long rsp, long r8, long r9, struct sgx_run *run)
{
	struct answer *a = (struct answer *)run->user_data;

	(void)r8;
	(void)r9;
	if (run->function != EEXIT) {
		if (a->exceptions++ == 0)
			a->first = *run;
		return a->fix ? a->fix(a) : 0;
	}
	a->rdi = (uint64_t)rdi;
	a->rsi = (uint64_t)rsi;
	a->rdx = (uint64_t)rdx;
	a->rsp = (uint64_t)rsp;
	return 0;
}

/*
 * All entries of a thread are made with one stack pointer, however deep the call
 * is: after ERESUME the enclave leaves with the stack and frame pointers of the
 * EENTER before it, which a compiler that inlines differently would make others.
 */
static __attribute__((noinline)) struct answer go(const struct encl *e, unsigned tcs, unsigned leaf,
						  enum kit_command c, const uint64_t arg[4], fix_fn fix)
{
	static _Thread_local uintptr_t anchor;
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	struct answer a = { .run = { .tcs = tcs_at(e, tcs) }, .e = e, .tcs = tcs, .fix = fix };

	if (!anchor)
		anchor = here - 4096;
	/* An entry from within a handler is deeper, and of another frame of the SSA. */
	if (here > anchor)
		__asm__ volatile("" : : "r"(__builtin_alloca(here - anchor)) : "memory");
	a.run.user_handler = (uintptr_t)take_answer;
	a.run.user_data = (uintptr_t)&a;
	a.ret = enter(c, arg[0], arg[1], leaf, arg[2], arg[3], &a.run);
	return a;
}

struct answer call_fix(const struct encl *e, unsigned tcs, enum kit_command c, uint64_t rsi,
		       uint64_t rdx, uint64_t r8, uint64_t r9, fix_fn fix)
{
	const uint64_t arg[4] = { rsi, rdx, r8, r9 };

	return go(e, tcs, EENTER, c, arg, fix);
}

struct answer call(const struct encl *e, unsigned tcs, enum kit_command c, uint64_t rsi, uint64_t rdx)
{
	return call_fix(e, tcs, c, rsi, rdx, 0, 0, NULL);
}

struct answer resume(const struct encl *e, unsigned tcs)
{
	const uint64_t arg[4] = { 0 };

	return go(e, tcs, ERESUME, 0, arg, NULL);
}

struct answer call_enclu(const struct encl *e, unsigned tcs, unsigned leaf, uint64_t rbx, uint64_t rcx,
			 uint64_t rdx)
{
	return call_fix(e, tcs, KIT_ENCLU, leaf, rbx, rcx, rdx, NULL);
}

void poke(const struct encl *e, unsigned tcs, uint64_t offset, uint64_t value)
{
	struct answer a = call(e, tcs, KIT_WRITE, e->base + offset, value);

	if (a.ret || a.exceptions)
		bail("a write inside the enclave");
}

void poke_all(const struct encl *e, unsigned tcs, uint64_t offset, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i += 8) {
		uint64_t word;

		memcpy(&word, (const char *)p + i, 8);
		poke(e, tcs, offset + i, word);
	}
}

uint64_t peek(const struct encl *e, unsigned tcs, uint64_t offset)
{
	struct answer a = call(e, tcs, KIT_READ, e->base + offset, 0);

	if (a.ret || a.exceptions)
		bail("a read inside the enclave");
	return a.rdi;
}

static int secinfo_leaf(const struct encl *e, unsigned tcs, unsigned leaf, uint64_t offset,
			uint64_t flags)
{
	/* SECINFO of its own for each TCS, on the data page. */
	const uint64_t at = KIT_DATA + 2048 + 64 * tcs;
	const struct sgx_secinfo si = { .flags = flags };
	struct answer a;

	poke_all(e, tcs, at, &si, sizeof(si));
	a = call_enclu(e, tcs, leaf, e->base + at, e->base + offset, 0);
	return a.exceptions ? -1 - a.first.vector : (int)a.rdi;
}

int accept_page(const struct encl *e, unsigned tcs, uint64_t offset, uint64_t flags)
{
	return secinfo_leaf(e, tcs, EACCEPT, offset, flags);
}

int extend_page(const struct encl *e, unsigned tcs, uint64_t offset, uint64_t flags)
{
	int r = secinfo_leaf(e, tcs, EMODPE, offset, flags);

	return r == EMODPE ? 0 : r; /* it has no status: RAX is as it was */
}

uint64_t spin(uint64_t rounds, uint64_t from)
{
	while (rounds--)
		from = from * UINT64_C(6364136223846793005) + (UINT64_C(1442695040888963407) & 0x7fffffff);
	return from;
}

/* ---- processes ---- */

int in_child(int (*fn)(void *arg), void *arg)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(fn(arg));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		bail("fork");
	return status;
}

void send_fd(int sock, int fd)
{
	char byte = 'f', space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space,
			    .msg_controllen = sizeof(space) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(sock, &m, 0) != 1)
		bail("sendmsg");
}

int receive_fd(int sock)
{
	char byte, space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space,
			    .msg_controllen = sizeof(space) };
	struct cmsghdr *c;
	int fd;

	if (recvmsg(sock, &m, 0) != 1 || !(c = CMSG_FIRSTHDR(&m)) || c->cmsg_type != SCM_RIGHTS)
		bail("recvmsg");
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}
