/*
 * Signatures that were verified. Sets of four slots, each with a sequence
 * number that is odd while the slot is written (a seqlock): a reader that sees
 * it odd or changed has simply not found anything and verifies.
 */
#include "attest/attest.h"
#include "attest/internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* 8192 signatures in 320 KiB. Banks are made when the first entry comes, and small: most verifiers need few. */
#define WAYS 4
#define SETS 4 /* of a bank */
#define BANKS 512

struct slot {
	_Atomic uint32_t sequence;
	_Atomic uint64_t word[4];
};

struct bank {
	struct slot slot[SETS][WAYS];
};

struct attest_sigcache {
	pthread_mutex_t write;
	uint32_t turn; /* under `write`: which way of a set goes next */
	_Atomic(struct bank *) bank[BANKS]; /* NULL, then the same for ever */
};

int attest_sigcache_new(struct attest_sigcache **out, struct bawn_error *e)
{
	struct attest_sigcache *c = calloc(1, sizeof(*c));

	if (!c)
		return err_nomem(e);
	pthread_mutex_init(&c->write, NULL);
	*out = c;
	return 0;
}

void attest_sigcache_free(struct attest_sigcache **c)
{
	if (!*c)
		return;
	pthread_mutex_destroy(&(*c)->write);
	for (size_t i = 0; i < BANKS; i++)
		free(atomic_load(&(*c)->bank[i]));
	free(*c);
	*c = NULL;
}

static bool slot_holds(struct slot *s, const uint64_t id[4])
{
	uint32_t before = atomic_load_explicit(&s->sequence, memory_order_acquire);
	bool same = !(before & 1);

	for (int i = 0; i < 4; i++)
		same &= atomic_load_explicit(&s->word[i], memory_order_relaxed) == id[i];
	atomic_thread_fence(memory_order_acquire);
	return same && atomic_load_explicit(&s->sequence, memory_order_relaxed) == before && before;
}

static bool known(struct attest_sigcache *c, const uint64_t id[4])
{
	struct bank *bank = atomic_load_explicit(&c->bank[id[1] % BANKS], memory_order_acquire);
	struct slot *set = bank ? bank->slot[id[0] % SETS] : NULL;

	if (!bank)
		return false;
	for (int i = 0; i < WAYS; i++)
		if (slot_holds(&set[i], id))
			return true;
	return false;
}

/* The bank for an entry, made if need be; NULL without memory, and then nothing is remembered. */
static struct bank *get_bank(struct attest_sigcache *c, const uint64_t id[4])
{
	_Atomic(struct bank *) *at = &c->bank[id[1] % BANKS];
	struct bank *bank = atomic_load_explicit(at, memory_order_relaxed);

	if (!bank) {
		bank = calloc(1, sizeof(*bank));
		atomic_store_explicit(at, bank, memory_order_release);
	}
	return bank;
}

static void remember(struct attest_sigcache *c, const uint64_t id[4])
{
	struct slot *set, *s = NULL;
	struct bank *bank;
	uint32_t sequence;

	pthread_mutex_lock(&c->write);
	bank = get_bank(c, id);
	if (!bank) {
		pthread_mutex_unlock(&c->write);
		return;
	}
	set = bank->slot[id[0] % SETS];
	for (int i = 0; i < WAYS && !s; i++)
		if (!atomic_load_explicit(&set[i].sequence, memory_order_relaxed))
			s = &set[i];
	if (!s)
		s = &set[c->turn++ % WAYS];
	sequence = atomic_load_explicit(&s->sequence, memory_order_relaxed);
	atomic_store_explicit(&s->sequence, sequence + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (int i = 0; i < 4; i++)
		atomic_store_explicit(&s->word[i], id[i], memory_order_relaxed);
	/* Never back to 0, which means an empty slot. */
	sequence = sequence + 2 ? sequence + 2 : 2;
	atomic_store_explicit(&s->sequence, sequence, memory_order_release);
	pthread_mutex_unlock(&c->write);
}

void attest_sigcache_id(const uint8_t key[64], const uint8_t digest[32], const uint8_t rs[64], uint8_t id[32])
{
	uint8_t all[160];

	memcpy(all, key, 64);
	memcpy(all + 64, digest, 32);
	memcpy(all + 96, rs, 64);
	crypto_sha256(all, sizeof(all), id);
}

void attest_sigcache_add(struct attest_sigcache *c, const uint8_t id[32])
{
	uint64_t words[4];

	memcpy(words, id, sizeof(words));
	remember(c, words);
}

int attest_sigcache_verify(struct attest_sigcache *c, const uint8_t key[64], const uint8_t digest[32],
			   const uint8_t rs[64], struct bawn_error *e)
{
	uint64_t id[4];
	int r;

	if (!c)
		return crypto_p256_verify(key, digest, rs, e);
	attest_sigcache_id(key, digest, rs, (uint8_t *)id);
	if (known(c, id))
		return 0;
	r = crypto_p256_verify(key, digest, rs, e);
	if (!r)
		remember(c, id);
	return r;
}
