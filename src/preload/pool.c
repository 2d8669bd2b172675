/*
 * How much of a platform's EPC is in use, over all the processes that run
 * enclaves on it. A file beside the platform, mapped by all of them, holds a
 * record of every enclave and of every process that has it open. A process
 * that was killed leaves its records; whoever finds no room looks who is dead
 * and drops what nobody alive holds.
 *
 * The limit is twice the EPC's size: a kernel swaps enclave pages to ordinary
 * memory, so programs may have more than CPUID reports, but not without end.
 */
#include "preload/preload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POOL_MAGIC "BAWNPOOL"
#define POOL_ENCLAVES 8192u
#define POOL_HOLDS 32768u
#define SWAP_FACTOR 2
#define SPINS 1000000u

struct pool {
	uint8_t magic[8];
	uint64_t lock;     /* a thread (cpu_owner_self), or 0 */
	uint8_t boot[16];  /* of which boot of the machine the records are */
	uint64_t used;     /* pages of all records */
	uint32_t enclaves, holds; /* records in use lie below these */
	uint8_t reserved[16];
	struct pool_enclave {
		uint64_t inode; /* of its memory file; 0: not in use */
		uint64_t pages;
	} enclave[POOL_ENCLAVES];
	struct pool_process {
		uint64_t owner; /* cpu_owner_process; 0: not in use */
		uint64_t enclave;
	} hold[POOL_HOLDS];
};

struct pool_hold {
	uint64_t inode;
	uint32_t enclave, hold;
	uint64_t owner;
};

static struct pool *pool;
static uint64_t pool_limit; /* pages */
struct lock pool_lock;
static bool tried;

/* ---- the file ---- */

static void boot_id(uint8_t out[16])
{
	char text[40];
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	char hex[32];
	size_t k = 0;

	memset(out, 0, 16);
	if (fd >= 0)
		close(fd);
	for (ssize_t i = 0; i < n && k < sizeof(hex); i++)
		if (text[i] != '-')
			hex[k++] = text[i];
	if (k == sizeof(hex))
		hex_decode(hex, sizeof(hex), out, 16);
}

/* As its platform file, so that those who share the platform share this. */
static int open_file(const char *dir)
{
	char path[sizeof(settings.platform) + 16];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/epc", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    (st.st_size < (off_t)sizeof(struct pool) && ftruncate(fd, sizeof(struct pool)) != 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void open_pool(void)
{
	const struct cpu_platform *p = settings_platform();
	int fd = p ? open_file(settings.platform) : -1;
	void *at;

	if (fd < 0)
		return;
	at = mmap(NULL, sizeof(struct pool), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return;
	pool_limit = p->epc_size / ISA_PAGE * SWAP_FACTOR;
	__atomic_store_n(&pool, at, __ATOMIC_RELEASE);
}

/* ---- the lock, which a killed process leaves ---- */

static bool take(struct pool *s)
{
	uint64_t self = cpu_owner_self();

	for (unsigned i = 1; i < SPINS; i++) {
		uint64_t holder = 0;

		if (__atomic_compare_exchange_n(&s->lock, &holder, self, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
		if (holder == self)
			return false;
		if (i % 1024 == 0 && !cpu_owner_alive(holder))
			__atomic_compare_exchange_n(&s->lock, &holder, 0, false, __ATOMIC_RELAXED,
						    __ATOMIC_RELAXED);
		if (i % 16 == 0)
			raw(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	}
	return false;
}

static void give(struct pool *s)
{
	__atomic_store_n(&s->lock, 0, __ATOMIC_RELEASE);
}

/* ---- under the lock; the file is others' too, so every index in it is checked ---- */

static uint32_t holds(const struct pool *s)
{
	return s->holds < POOL_HOLDS ? s->holds : POOL_HOLDS;
}

static uint32_t pool_enclaves(const struct pool *s)
{
	return s->enclaves < POOL_ENCLAVES ? s->enclaves : POOL_ENCLAVES;
}

/* From another boot, nothing of it is true any more. */
static void refresh(struct pool *s)
{
	uint8_t boot[16];

	boot_id(boot);
	if (memcmp(s->magic, POOL_MAGIC, sizeof(s->magic)) == 0 && memcmp(s->boot, boot, 16) == 0)
		return;
	memset(s->enclave, 0, pool_enclaves(s) * sizeof(s->enclave[0]));
	memset(s->hold, 0, holds(s) * sizeof(s->hold[0]));
	s->used = 0;
	s->enclaves = s->holds = 0;
	memcpy(s->boot, boot, 16);
	memcpy(s->magic, POOL_MAGIC, sizeof(s->magic));
}

static bool is_held(const struct pool *s, uint32_t enclave)
{
	for (uint32_t i = 0; i < holds(s); i++)
		if (s->hold[i].owner && s->hold[i].enclave == enclave)
			return true;
	return false;
}

/* Drop the records of the dead, and count what is left. */
static void collect(struct pool *s)
{
	uint64_t used = 0;

	for (uint32_t i = 0; i < holds(s); i++)
		if (s->hold[i].owner && !cpu_owner_process_alive(s->hold[i].owner))
			s->hold[i].owner = 0;
	while (s->holds && s->holds <= POOL_HOLDS && !s->hold[s->holds - 1].owner)
		s->holds--;
	for (uint32_t i = 0; i < pool_enclaves(s); i++) {
		if (s->enclave[i].inode && !is_held(s, i))
			s->enclave[i] = (struct pool_enclave){ 0 };
		used += s->enclave[i].pages;
	}
	while (s->enclaves && s->enclaves <= POOL_ENCLAVES && !s->enclave[s->enclaves - 1].inode)
		s->enclaves--;
	s->used = used;
}

/* The record of this enclave, a new one if need be; POOL_ENCLAVES if the table is full. */
static uint32_t find_enclave(struct pool *s, uint64_t inode, uint64_t pages)
{
	const uint32_t n = pool_enclaves(s);
	uint32_t room = POOL_ENCLAVES;

	for (uint32_t i = 0; i < n; i++) {
		if (s->enclave[i].inode == inode)
			return i;
		if (!s->enclave[i].inode && room == POOL_ENCLAVES)
			room = i;
	}
	if (room == POOL_ENCLAVES && n < POOL_ENCLAVES) {
		room = n;
		s->enclaves = n + 1;
	}
	if (room < POOL_ENCLAVES) {
		s->enclave[room] = (struct pool_enclave){ inode, pages };
		s->used += pages;
	}
	return room;
}

static uint32_t find_hold(struct pool *s)
{
	const uint32_t n = holds(s);

	for (uint32_t i = 0; i < n; i++)
		if (!s->hold[i].owner)
			return i;
	if (n < POOL_HOLDS)
		s->holds = n + 1;
	return n;
}

static bool enter(struct pool *s, struct pool_hold *h, uint64_t pages)
{
	h->enclave = find_enclave(s, h->inode, pages);
	if (h->enclave == POOL_ENCLAVES)
		return false;
	h->hold = find_hold(s);
	if (h->hold == POOL_HOLDS)
		return false;
	s->hold[h->hold] = (struct pool_process){ h->owner, h->enclave };
	return true;
}

static bool is_mine(const struct pool *s, const struct pool_hold *h)
{
	return h->enclave < POOL_ENCLAVES && s->enclave[h->enclave].inode == h->inode;
}

/* ---- what the files layer uses ---- */

struct pool_hold *pool_hold(uint64_t inode, uint64_t pages)
{
	uint64_t mask = lock_take(&pool_lock);
	struct pool_hold *h;
	struct pool *s;
	bool done;

	if (!tried)
		open_pool();
	tried = true;
	lock_give(&pool_lock, mask);
	s = __atomic_load_n(&pool, __ATOMIC_ACQUIRE);
	h = s ? malloc(sizeof(*h)) : NULL;
	if (!h)
		return NULL;
	*h = (struct pool_hold){ .inode = inode, .owner = cpu_owner_process() };
	mask = lock_take(&pool_lock);
	done = take(s);
	if (done) {
		refresh(s);
		done = enter(s, h, pages);
		if (!done) {
			collect(s);
			done = enter(s, h, pages);
		}
		give(s);
	}
	lock_give(&pool_lock, mask);
	if (done)
		return h;
	free(h);
	return NULL;
}

void pool_drop(struct pool_hold *h)
{
	uint64_t mask;

	if (!h)
		return;
	mask = lock_take(&pool_lock);
	/* After fork it is the parent's, who may go on with the enclave. */
	if (h->owner == cpu_owner_process() && take(pool)) {
		struct pool_process *p = &pool->hold[h->hold < POOL_HOLDS ? h->hold : 0];

		if (p->owner == h->owner && p->enclave == h->enclave)
			p->owner = 0;
		if (is_mine(pool, h) && !is_held(pool, h->enclave)) {
			pool->used -= pool->enclave[h->enclave].pages;
			pool->enclave[h->enclave] = (struct pool_enclave){ 0 };
		}
		give(pool);
	}
	lock_give(&pool_lock, mask);
	free(h);
}

bool pool_charge(void *arg, int64_t pages)
{
	struct pool_hold *h = arg;
	uint64_t mask = lock_take(&pool_lock);
	struct pool *s = pool;
	bool room = true;

	if (take(s)) {
		struct pool_enclave *e;

		/* It was taken for dead: a child that outlived its parent. */
		if (!is_mine(s, h))
			enter(s, h, 0);
		e = &s->enclave[h->enclave < POOL_ENCLAVES ? h->enclave : 0];
		if (pages > 0 && s->used + (uint64_t)pages > pool_limit) {
			collect(s);
			room = s->used + (uint64_t)pages <= pool_limit;
		}
		if (room && e->inode == h->inode) {
			/* Others write this file: what is given back was there. */
			if (pages < 0 && ((uint64_t)-pages > e->pages || (uint64_t)-pages > s->used))
				pages = 0;
			e->pages += (uint64_t)pages;
			s->used += (uint64_t)pages;
		}
		give(s);
	}
	lock_give(&pool_lock, mask);
	return room;
}
