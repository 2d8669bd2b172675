/*
 * An EPC between processes: passing it on, building it together, processes
 * that are killed at the worst moment, and descriptors that lie.
 */
#include "cpu/state.h"
#include "tests/cpu/world.h"

#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- children ---- */

struct child {
	pid_t pid;
	int sock;
};

/* fork; the child runs fn(socket, arg) and exits with what it returns. */
static struct child start(int (*fn)(int sock, void *arg), void *arg)
{
	struct child c;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		err(1, "socketpair");
	fflush(stdout);
	c.pid = fork();
	if (c.pid < 0)
		err(1, "fork");
	if (c.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		_exit(fn(pair[1], arg));
	}
	close(pair[1]);
	c.sock = pair[0];
	return c;
}

/* Wait until the child says that it is where it should be. */
static bool said(const struct child *c)
{
	char byte;

	return read(c->sock, &byte, 1) == 1;
}

static void say(int sock)
{
	if (write(sock, "x", 1) != 1)
		_exit(99);
}

static int finish(struct child *c)
{
	int status;

	close(c->sock);
	if (waitpid(c->pid, &status, 0) != c->pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void kill_child(struct child *c)
{
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	close(c->sock);
}

_Noreturn static void stay(int sock)
{
	say(sock);
	for (;;)
		pause();
}

/* ---- passing it on ---- */

/* Receives an EPC, attaches it, builds on and initialises it. */
static int build_on(int sock, void *arg)
{
	struct world *w = arg;
	struct cpu_epc *epc;
	struct bawn_error e = { 0 };
	uint8_t page[ISA_PAGE], mrsigner[32];
	struct isa_secinfo si = REG_R;
	size_t n, nfds;
	int fd;

	if (io_recv_fds(sock, page, 1, &n, &fd, 1, &nfds, &e) != 0 || nfds != 1)
		return 1;
	if (cpu_epc_attach(&epc, fd, &w->platform, &e) != 0)
		return 2;
	close(fd);
	if (epc->size != 0)
		return 3; /* attached before ECREATE */
	say(sock);
	if (read(sock, page, 1) != 1)
		return 4;
	memset(page, 0x33, sizeof(page));
	if (cpu_eadd(epc, FREE, page, &si, &w->f) != 0 || cpu_eextend(epc, FREE + 256, &w->f) != 0)
		return 5;
	if (epc->size != SIZE || epc->base != BASE || epc->alias[FREE] != 0x33)
		return 6;
	mrsigner_of(0, mrsigner);
	if (cpu_lepubkeyhash_write(epc, mrsigner, &w->f) != 0)
		return 7;
	if (recv(sock, &w->sig, sizeof(w->sig), 0) != (ssize_t)sizeof(w->sig))
		return 8;
	if (cpu_einit(epc, &w->sig, NULL, &w->f) != 0)
		return 9;
	cpu_epc_free(&epc);
	return 0;
}

static void test_passed_on(void)
{
	uint8_t block[ISA_MEASURE_BLOCK], chunk[ISA_MEASURE_CHUNK];
	struct isa_secinfo si = REG_R;
	struct bawn_error e = { 0 };
	struct child c;
	struct world w;

	world_start(&w, 0);
	key_of(0); /* the child has it too then */
	c = start(build_on, &w);
	is_int(io_send_fds(c.sock, "x", 1, &w.epc->fd, 1, &e), 0, "pass an empty EPC on");
	ok(said(&c), "the other process attaches it");
	world_build(&w);
	isa_measure_eadd(FREE, &si, block);
	crypto_sha256_update(&w.hash, block, sizeof(block));
	isa_measure_eextend(FREE + 256, block);
	memset(chunk, 0x33, sizeof(chunk));
	crypto_sha256_update(&w.hash, block, sizeof(block));
	crypto_sha256_update(&w.hash, chunk, sizeof(chunk));
	crypto_sha256_final(&w.hash, w.sig.enclavehash);
	sign(&w.sig, 0);
	say(c.sock);
	ok(send(c.sock, &w.sig, sizeof(w.sig), 0) > 0, "send SIGSTRUCT");
	is_int(finish(&c), 0, "it adds and measures a page and initialises the enclave");
	ok(cpu_epc_initialised(w.epc), "it is initialised here too");
	is_int(*AT(&w, FREE), 0x33, "with that page");
	enter(&w);
	is_int(w.r.rip, BASE + OENTRY, "and can be entered");
	world_end(&w);
}

/* Two processes add pages at once; every page counts once. */
#define TOGETHER 0x40u

static int add_pages(int sock, void *arg)
{
	struct world *w = arg;
	uint8_t page[ISA_PAGE] = { 1 };
	struct isa_secinfo si = REG_RW;
	unsigned added = 0;

	say(sock);
	for (unsigned i = 0; i < TOGETHER; i++)
		added += cpu_eadd(w->epc, FREE + i * ISA_PAGE, page, &si, &w->f) == 0;
	return (int)added;
}

static void test_together(void)
{
	struct child a, b;
	struct world w;
	int na, nb;

	world_start(&w, 0);
	world_build(&w);
	a = start(add_pages, &w);
	b = start(add_pages, &w);
	ok(said(&a) && said(&b), "two processes start to add pages");
	na = finish(&a);
	nb = finish(&b);
	is_int(na + nb, TOGETHER, "two processes add the same pages: each goes in once");
	is_int(cpu_epc_pages(w.epc), FREE / ISA_PAGE + TOGETHER, "and is counted once");
	world_end(&w);
}

/* ---- threads: one TCS, many takers ---- */

struct taker {
	struct world *w;
	unsigned entered, failed;
	unsigned *inside;
};

static void *take(void *arg)
{
	struct taker *t = arg;
	struct cpu_lp lp = { .owner = cpu_owner_self() };
	struct cpu_regs r;
	struct cpu_fault f;

	for (int i = 0; i < 3000; i++) {
		r = (struct cpu_regs){ .rbx = BASE + TCS, .rcx = AEP, .rsp = HOST_RSP };
		if (cpu_eenter(&lp, t->w->epc, &r, &f) != 0)
			continue;
		t->entered++;
		if (__atomic_fetch_add(t->inside, 1, __ATOMIC_ACQ_REL) != 0)
			t->failed++;
		if (i % 3 == 0) {
			r.rdx = (uint64_t)i;
			cpu_aex(&lp, &r, NULL);
			__atomic_fetch_sub(t->inside, 1, __ATOMIC_ACQ_REL);
			continue;
		}
		__atomic_fetch_sub(t->inside, 1, __ATOMIC_ACQ_REL);
		r.rbx = 0x400000;
		if (cpu_eexit(&lp, &r, &f) != 0)
			t->failed++;
	}
	return NULL;
}

/* Resumes whatever frames there are, against the takers' entering. */
static void *resume(void *arg)
{
	struct taker *t = arg;
	struct cpu_lp lp = { .owner = cpu_owner_self() };
	struct cpu_regs r;
	struct cpu_fault f;

	for (int i = 0; i < 20000; i++) {
		r = (struct cpu_regs){ .rbx = BASE + TCS, .rcx = AEP, .rsp = HOST_RSP };
		if (cpu_eresume(&lp, t->w->epc, &r, &f) != 0)
			continue;
		t->entered++;
		if (r.rdx % 3 != 0)
			t->failed++;
		r.rbx = 0x400000;
		cpu_eexit(&lp, &r, &f);
	}
	return NULL;
}

static void test_threads(void)
{
	struct taker t[3];
	unsigned inside = 0;
	pthread_t id[3];
	struct world w;
	struct isa_tcs *tcs;

	world_ready(&w, 0);
	for (int i = 0; i < 3; i++) {
		t[i] = (struct taker){ .w = &w, .inside = &inside };
		pthread_create(&id[i], NULL, i < 2 ? take : resume, &t[i]);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(id[i], NULL);
	tcs = (void *)AT(&w, TCS);
	ok(t[0].failed + t[1].failed + t[2].failed == 0, "one TCS is never used by two threads");
	ok(t[0].entered + t[1].entered > 0, "they did enter: %u and %u times, resumed %u",
	   t[0].entered, t[1].entered, t[2].entered);
	ok(tcs->stage == 0 && tcs->cssa <= NSSA, "the TCS is free in the end");
	world_end(&w);
}

/* ---- killed inside ---- */

static int enter_and_stay(int sock, void *arg)
{
	struct world *w = arg;

	w->lp.owner = 0; /* this process is another owner */
	host_regs(w, TCS);
	if (cpu_eenter(&w->lp, w->epc, &w->r, &w->f) != 0)
		return 1;
	stay(sock);
}

static void test_killed_inside(void)
{
	struct child c;
	struct world w;
	struct isa_tcs *tcs;

	world_ready(&w, 0);
	tcs = (void *)AT(&w, TCS);
	c = start(enter_and_stay, &w);
	ok(said(&c), "another process is inside");
	ok(tcs->stage != 0, "the TCS is busy");
	host_regs(&w, TCS);
	is_gp(&w, cpu_eenter(&w.lp, w.epc, &w.r, &w.f), "EENTER while it lives");
	is_int(cpu_eremove(w.epc, CONST, &w.f), ISA_ENCLAVE_ACT, "EREMOVE while it lives");
	kill(c.pid, SIGKILL);
	/* Not waited for: a zombie is dead, too. */
	waitid(P_PID, (id_t)c.pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT);
	is_int(cpu_eremove(w.epc, CONST, &w.f), 0, "EREMOVE when it was killed");
	host_regs(&w, TCS);
	is_int(cpu_eenter(&w.lp, w.epc, &w.r, &w.f), 0, "EENTER takes its TCS over");
	is_int(w.r.rax, 0, "CSSA is as it was");
	kill_child(&c);
	world_end(&w);
}

/* ---- killed with the lock ---- */

static int lock_and_stay(int sock, void *arg)
{
	struct world *w = arg;
	uint64_t mask;

	if (!epc_lock(w->epc, &mask))
		return 1;
	stay(sock);
}

static void test_lock_conflict(void)
{
	struct isa_secinfo r = REG_R, trim = secinfo(SECINFO_OF_PT(PT_TRIM));
	struct child c;
	struct world w;

	world_ready(&w, 0);
	c = start(lock_and_stay, &w);
	ok(said(&c), "another process works on the EPC");
	is_int(cpu_emodpr(w.epc, DATA, &r, &w.f), ISA_EPC_PAGE_CONFLICT, "EMODPR meanwhile");
	is_int(cpu_emodt(w.epc, DATA, &trim, &w.f), ISA_EPC_PAGE_CONFLICT, "EMODT meanwhile");
	enter(&w);
	ok(w.lp.epc == w.epc, "EENTER does not wait for it");
	kill_child(&c);
	is_int(cpu_eaug(w.epc, FREE, &w.f), 0, "EAUG when it was killed");
	world_end(&w);
}

/* Killed while adding pages: `stage` says how far it had come. */
struct adding {
	struct world *w;
	int stage;
};

static int add_partly(int sock, void *arg)
{
	struct adding *a = arg;
	struct cpu_epc *epc = a->w->epc;
	struct cpu_epc_shared *s = epc->shared;
	const uint64_t entry = EPCM_VALID | SECINFO_R | EPCM_OF_PT(PT_REG);
	uint64_t mask;

	if (!epc_lock(epc, &mask))
		return 1;
	epc_intend(epc, EPC_ADD, FREE, 2 * ISA_PAGE, s->pages + 2);
	memset(epc->alias + FREE, 0x11, ISA_PAGE);
	s->measure[!s->measure_current] = s->measure[s->measure_current];
	s->measure[!s->measure_current].chain[0] ^= 1;
	if (a->stage >= 1)
		epcm_store(epc, FREE, entry);
	if (a->stage >= 2) {
		epcm_store(epc, FREE + ISA_PAGE, entry);
		s->measure_current = !s->measure_current;
	}
	stay(sock);
}

static void test_killed_adding(void)
{
	static const char *const names[] = { "before the EPCM", "between two EPCM entries",
					     "after the measurement" };
	uint8_t page[ISA_PAGE] = { 0 };
	struct isa_secinfo si = REG_R;

	for (int stage = 0; stage < 3; stage++) {
		struct cpu_epcm m;
		struct child c;
		struct world w;
		uint32_t chain;
		struct adding a = { &w, stage };

		world_start(&w, 0);
		world_build(&w);
		chain = w.epc->shared->measure[w.epc->shared->measure_current].chain[0];
		c = start(add_partly, &a);
		ok(said(&c), "a process adds pages, and is killed %s", names[stage]);
		kill_child(&c);
		/* Any leaf puts things right; this one fails by itself. */
		is_pf(&w, cpu_eadd(w.epc, CODE, page, &si, &w.f), PF_ENCLS, BASE + CODE, "EADD");
		cpu_epcm_get(w.epc, FREE, &m);
		is_int(m.valid, stage == 2, "the page is there if it was measured");
		is_int(*AT(&w, FREE), stage == 2 ? 0x11 : 0, "with its contents, or zero");
		is_int(cpu_epc_pages(w.epc), FREE / ISA_PAGE + (stage == 2 ? 2 : 0), "pages");
		ok((w.epc->shared->measure[w.epc->shared->measure_current].chain[0] != chain) ==
			   (stage == 2), "the measurement agrees");
		is_int(w.epc->shared->intent.op, EPC_NOTHING, "nothing is left to do");
		world_end(&w);
	}
}

static int remove_partly(int sock, void *arg)
{
	struct adding *a = arg;
	struct cpu_epc *epc = a->w->epc;
	uint64_t mask;

	if (!epc_lock(epc, &mask))
		return 1;
	epc_intend(epc, EPC_REMOVE, CONST, ISA_PAGE, epc->shared->pages - 1);
	if (a->stage >= 1)
		epcm_store(epc, CONST, 0);
	stay(sock);
}

static int augment_partly(int sock, void *arg)
{
	struct adding *a = arg;
	struct cpu_epc *epc = a->w->epc;
	uint64_t mask;

	if (!epc_lock(epc, &mask))
		return 1;
	epc_intend(epc, EPC_AUG, FREE, ISA_PAGE, epc->shared->pages + 1);
	if (a->stage >= 1)
		epcm_store(epc, FREE, EPCM_VALID | SECINFO_PENDING | EPCM_OF_PT(PT_REG));
	stay(sock);
}

static void test_killed_changing(void)
{
	const uint64_t pages = FREE / ISA_PAGE;

	for (int stage = 0; stage < 2; stage++) {
		struct cpu_epcm m;
		struct child c;
		struct world w;
		struct adding a = { &w, stage };

		world_ready(&w, 0);
		c = start(remove_partly, &a);
		ok(said(&c), "a process removes a page");
		kill_child(&c);
		is_int(cpu_eremove(w.epc, SIZE - ISA_PAGE, &w.f), 0, "any leaf");
		cpu_epcm_get(w.epc, CONST, &m);
		is_int(m.valid, stage == 0, "the page is there or not");
		is_int(*AT(&w, CONST), stage == 0 ? 0xc0 : 0, "and so are its contents");
		is_int(cpu_epc_pages(w.epc), pages - (unsigned)stage, "pages");
		c = start(augment_partly, &a);
		ok(said(&c), "a process augments a page");
		kill_child(&c);
		is_int(cpu_eremove(w.epc, SIZE - ISA_PAGE, &w.f), 0, "any leaf");
		is_int(cpu_epc_pages(w.epc), pages, "pages");
		world_end(&w);
	}
}

/* ---- owners ---- */

static int wait_for_end(int sock, void *arg)
{
	char byte;

	(void)arg;
	return read(sock, &byte, 1) < 0;
}

static void test_owners(void)
{
	uint64_t self = cpu_owner_self();
	struct child c = start(wait_for_end, NULL);
	uint64_t his = (self & ~UINT64_C(0x3fffff)) | (uint64_t)c.pid;

	ok(self != 0 && self == cpu_owner_self(), "an owner's name stays");
	ok(cpu_owner_alive(self), "I live");
	/* The child's id with this process's start time: an id that was given again. */
	ok(!cpu_owner_alive(his ^ UINT64_C(1) << 40), "a thread id with another start time is another");
	ok(!cpu_owner_alive((self & ~UINT64_C(0x3fffff)) | 0x3ffffe), "a thread that never was");
	is_int(finish(&c), 0, "a child ends");
	ok(!cpu_owner_alive(his), "it is dead then");
	ok(cpu_owner_alive(his ^ UINT64_C(1) << 63), "of another namespace nothing is known");
}

/* ---- descriptors that lie ---- */

static int attach(int fd, const struct cpu_platform *p)
{
	struct bawn_error e = { 0 };
	struct cpu_epc *epc = NULL;
	int r = cpu_epc_attach(&epc, fd, p, &e);

	if (r != 0 && (epc || e.code != (enum bawn_code)r || !e.msg[0]))
		printf("# the error is not told well\n");
	cpu_epc_free(&epc);
	return r;
}

/* A memfd of this size with these seals and a good header. */
static int fake(off_t size, int seals, const struct cpu_platform *p)
{
	struct cpu_epc_shared s = { .version = EPC_VERSION };
	int fd = memfd_create("fake", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	memcpy(s.magic, EPC_MAGIC, sizeof(s.magic));
	memcpy(s.platform, p->id, sizeof(s.platform));
	if (fd < 0 || pwrite(fd, &s, sizeof(s), 0) != (ssize_t)sizeof(s) || ftruncate(fd, size) != 0 ||
	    (seals && fcntl(fd, F_ADD_SEALS, seals) != 0))
		err(1, "memfd");
	return fd;
}

static void is_attach(int fd, const struct cpu_platform *p, int want, const char *name)
{
	is_int(attach(fd, p), want, name);
	close(fd);
}

static void test_wrong_files(void)
{
	struct cpu_platform p;
	int pair[2];

	platform_fake(&p, 1);
	is_attach(fake(EPC_EPCM_OFF, F_SEAL_SHRINK, &p), &p, 0, "a faked but well-formed EPC");
	is_attach(open("/dev/zero", O_RDWR), &p, BAWN_ERR_FORMAT, "/dev/zero");
	is_attach(open("/proc/self/exe", O_RDONLY), &p, BAWN_ERR_FORMAT, "a program");
	if (pipe(pair) != 0)
		err(1, "pipe");
	close(pair[1]);
	is_attach(pair[0], &p, BAWN_ERR_FORMAT, "a pipe");
	is_int(attach(-1, &p), BAWN_ERR_FORMAT, "no descriptor");
	is_attach(fake(EPC_EPCM_OFF, 0, &p), &p, BAWN_ERR_FORMAT, "a memfd that can shrink");
	is_attach(fake(EPC_EPCM_OFF - 1, F_SEAL_SHRINK, &p), &p, BAWN_ERR_FORMAT, "one that is too short");
	is_attach(fake(EPC_EPCM_OFF, F_SEAL_SHRINK | F_SEAL_WRITE, &p), &p, BAWN_ERR_SYSTEM,
		  "one that cannot be written");
}

/* Headers, one field wrong at a time. */
static void header_case(void (*spoil)(struct cpu_epc_shared *s, struct isa_secs *secs), int want,
			const char *name)
{
	struct cpu_platform p;
	struct isa_secs *secs;
	uint8_t *m;
	int fd;

	platform_fake(&p, 1);
	fd = fake((off_t)epc_file_size(SIZE), F_SEAL_SHRINK, &p);
	m = mmap(NULL, EPC_EPCM_OFF, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	secs = (void *)(m + EPC_SECS_OFF);
	secs_fill(secs, 0);
	((struct cpu_epc_shared *)(void *)m)->state = EPC_INITIALISED;
	((struct cpu_epc_shared *)(void *)m)->size = SIZE;
	spoil((void *)m, secs);
	munmap(m, EPC_EPCM_OFF);
	is_attach(fd, &p, want, name);
}

#define SPOIL(name, statement)                                                                     \
	static void name(struct cpu_epc_shared *s, struct isa_secs *secs)                          \
	{                                                                                          \
		(void)s;                                                                           \
		(void)secs;                                                                        \
		statement;                                                                         \
	}
SPOIL(not_at_all, (void)0)
SPOIL(magic, s->magic[7] ^= 1)
SPOIL(version, s->version++)
SPOIL(platform, s->platform[0] ^= 1)
SPOIL(state, s->state = 4)
SPOIL(larger, (s->size = secs->size = 2 * SIZE, secs->baseaddr = 4 * SIZE))
SPOIL(huge, (s->size = secs->size = UINT64_C(1) << 63, secs->baseaddr = 0))
SPOIL(zero, s->size = secs->size = 0)
SPOIL(odd, s->size = secs->size = SIZE - ISA_PAGE)
SPOIL(disagree, secs->size = SIZE / 2)
SPOIL(misplaced, secs->baseaddr = ISA_PAGE)
SPOIL(kernel_space, secs->baseaddr = UINT64_C(0xffff800000000000))
SPOIL(no_frame, secs->ssaframesize = 0)
SPOIL(wide_xfrm, secs->attributes.xfrm |= UINT64_C(1) << 40)
SPOIL(wrong_attributes, secs->attributes.flags |= UINT64_C(1) << 50)

static void test_wrong_headers(void)
{
	header_case(not_at_all, 0, "a header and SECS that are right");
	header_case(magic, BAWN_ERR_FORMAT, "magic");
	header_case(version, BAWN_ERR_UNSUPPORTED, "version");
	header_case(platform, BAWN_ERR_DENIED, "another platform's");
	header_case(state, BAWN_ERR_FORMAT, "unknown state");
	header_case(larger, BAWN_ERR_FORMAT, "ELRANGE larger than the file");
	header_case(huge, BAWN_ERR_FORMAT, "ELRANGE of 2^63 bytes");
	header_case(zero, BAWN_ERR_FORMAT, "ELRANGE of no bytes");
	header_case(odd, BAWN_ERR_FORMAT, "ELRANGE not a power of two");
	header_case(disagree, BAWN_ERR_FORMAT, "SECS says another size");
	header_case(misplaced, BAWN_ERR_FORMAT, "BASEADDR not aligned");
	header_case(kernel_space, BAWN_ERR_FORMAT, "BASEADDR in the kernel's half");
	header_case(no_frame, BAWN_ERR_FORMAT, "SSAFRAMESIZE 0");
	header_case(wide_xfrm, BAWN_ERR_FORMAT, "XFRM beyond this CPU");
	header_case(wrong_attributes, BAWN_ERR_FORMAT, "unknown attributes");
}

/* A peer that writes whatever it likes while we work: wrong results are its own, memory is not. */
static void test_hostile_peer(void)
{
	uint8_t page[ISA_PAGE] = { 0 };
	struct isa_secinfo si = REG_RW;
	struct cpu_epc_shared *s;
	struct isa_secs *secs;
	struct isa_tcs *tcs;
	struct world w;
	uint64_t v;

	world_start(&w, ATTR_DEBUG);
	world_build(&w);
	s = w.epc->shared;
	ok(ftruncate(w.epc->fd, 0) != 0, "the file cannot be truncated");
	s->measure_current = 0x80000001;
	s->measure[1].bytes = UINT64_MAX;
	is_int(cpu_eextend(w.epc, CODE, &w.f), 0, "EEXTEND with a wild index and length");
	s->intent.op = EPC_ADD;
	s->intent.first = UINT64_MAX - 1;
	s->intent.count = 5;
	is_int(cpu_eadd(w.epc, FREE, page, &si, &w.f), 0, "EADD after an intent far outside");
	s->intent.op = 77;
	is_int(cpu_eadd(w.epc, FREE + ISA_PAGE, page, &si, &w.f), 0, "EADD after an unknown intent");
	s->intent.op = EPC_REMOVE;
	s->intent.first = SIZE / ISA_PAGE;
	s->intent.count = 1;
	is_int(cpu_eadd(w.epc, FREE + 2 * ISA_PAGE, page, &si, &w.f), 0, "EADD after an intent just outside");
	s->lock = 12345; /* a dead owner of another namespace, or so: held for good */
	is_gp(&w, cpu_eextend(w.epc, CODE, &w.f), "EEXTEND with the lock held for good");
	s->lock = 0;
	s->size = UINT64_MAX;
	is_int(cpu_eextend(w.epc, CODE, &w.f), 0, "the size was read once");
	s->size = SIZE;

	s->state = EPC_INITIALISED;
	secs = (void *)((uint8_t *)s + EPC_SECS_OFF);
	secs->ssaframesize = 0;
	host_regs(&w, TCS);
	is_gp(&w, cpu_eenter(&w.lp, w.epc, &w.r, &w.f), "EENTER after SSAFRAMESIZE became 0");
	w.epc->priv->view_state = 0;
	secs->ssaframesize = 1;
	secs->attributes.xfrm = UINT64_MAX;
	is_gp(&w, cpu_eenter(&w.lp, w.epc, &w.r, &w.f), "EENTER after XFRM grew");
	w.epc->priv->view_state = 0;
	secs->attributes.xfrm = 3;
	secs->ssaframesize = UINT32_MAX;
	tcs = (void *)AT(&w, TCS);
	tcs->cssa = UINT32_MAX - 1;
	tcs->nssa = UINT32_MAX;
	ok(cpu_eenter(&w.lp, w.epc, &w.r, &w.f) == CPU_FAULT, "EENTER with frames of 16 TiB");
	for (uint64_t at = 0; at < SIZE; at += ISA_PAGE)
		w.epc->priv->epcm[at / ISA_PAGE] = UINT64_MAX;
	ok(cpu_eenter(&w.lp, w.epc, &w.r, &w.f) == CPU_FAULT, "EENTER with every EPCM bit set");
	ok(cpu_edbgrd(w.epc, DATA, &v, &w.f) != 0, "EDBGRD then");
	is_int(cpu_page_protection(w.epc, DATA, PROT_READ), PROT_NONE, "no protection for nonsense");
	is_int(cpu_eremove(w.epc, DATA, &w.f), 0, "EREMOVE then");
	world_end(&w);
}

int main(void)
{
	test_passed_on();
	test_together();
	test_threads();
	test_killed_inside();
	test_lock_conflict();
	test_killed_adding();
	test_killed_changing();
	test_owners();
	test_wrong_files();
	test_wrong_headers();
	test_hostile_peer();
	return tap_done();
}
