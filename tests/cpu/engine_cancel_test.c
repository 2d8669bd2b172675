/*
 * Threads that are cancelled, and have not come to a cancellation point yet:
 * what they do in the emulated CPU is none. It would leave its locks taken, and
 * the next thread that wants one would wait for ever.
 */
#include "cpu/state.h"
#include "engine_kit.h"
#include "tests/tap.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static struct kit kit;

static volatile bool came_back, good;

static void *cancelled(void *arg)
{
	void (*const *deed)(void) = arg;

	/* Deferred: from now on every cancellation point is the end of this thread. */
	pthread_cancel(pthread_self());
	(*deed)();
	came_back = true;
	pthread_testcancel();
	return NULL;
}

static void *next_thread(void *arg)
{
	(void)arg;
	return (void *)(uintptr_t)(kit_call(&kit, 0, KIT_ADD, 1, 1).rdi == 2);
}

/* The deed by a new thread that is cancelled before; then a first entry by another. */
static void test_deed(void (*deed)(void), const char *name)
{
	pthread_t t;
	void *r = NULL;

	came_back = good = false;
	pthread_create(&t, NULL, cancelled, &deed);
	pthread_join(t, &r);
	ok(came_back && good && r == PTHREAD_CANCELED, "%s: done, and cancelled afterwards", name);
	pthread_create(&t, NULL, next_thread, NULL);
	pthread_join(t, &r);
	ok(r && kit.epc->shared->lock == 0, "and the next thread enters");
}

static void first_entry(void)
{
	good = kit_call(&kit, 1, KIT_ADD, 1, 1).rdi == 2;
}

/* Whether its owner lives is asked twice, on the way in and in the trap that follows. */
static void busy_tcs(void)
{
	struct kit_answer a = kit_call(&kit, 2, KIT_ADD, 1, 1);

	good = a.first.function == ENCLU_EENTER && a.first.exception_vector == VEC_GP;
}

/* The page fault adds the page; what is pending faults all the same. */
static void added_on_demand(void)
{
	struct kit_answer a = kit_call(&kit, 1, KIT_WRITE, kit.base + KIT_ABSENT, 1);
	struct cpu_epcm page;

	good = a.first.exception_vector == VEC_PF && cpu_epcm_get(kit.epc, KIT_ABSENT, &page) &&
	       page.valid && page.pending;
}

static void removed(void)
{
	struct cpu_epcm page;
	struct cpu_fault f;

	good = cpu_eremove(kit.epc, KIT_ABSENT, &f) == 0 &&
	       cpu_epcm_get(kit.epc, KIT_ABSENT, &page) && !page.valid;
}

/* A page each way: the lock is another's for as long as a thread waits for it. */
static void waits_for_lock(void)
{
	struct cpu_fault f;

	good = cpu_eaug(kit.epc, KIT_ABSENT, &f) == CPU_FAULT && f.vector == VEC_GP;
	kit.epc->shared->lock = 0;
}

#define LOADED (UINT64_C(8) << 20)

/* Large enough for a second thread, which is waited for at the end if it is late. */
static bool load(void)
{
	const struct isa_secinfo si = { .flags = SECINFO_R | SECINFO_OF_PT(PT_REG) };
	uint8_t page[ISA_PAGE] = { 1 };
	struct isa_secs secs;
	struct cpu_epc *epc;
	struct cpu_fault f;
	uint64_t done = 0;
	bool loaded;

	if (cpu_epc_new(&epc, &kit.epc->platform, NULL) != 0)
		return false;
	cpu_epc_secs(kit.epc, &secs);
	secs.size = LOADED;
	secs.baseaddr = LOADED;
	memset(secs.mrenclave, 0, sizeof(secs.mrenclave));
	memset(secs.mrsigner, 0, sizeof(secs.mrsigner));
	secs.attributes.flags &= ~ATTR_INIT;
	loaded = cpu_ecreate(epc, &secs, &f) == 0 &&
		 cpu_eadd_many(epc, 0, LOADED, page, true, &si, false, &done, &f) == 0 &&
		 done == LOADED;
	/* A single page is written to the file. */
	loaded = loaded && cpu_eremove(epc, 0, &f) == 0 && cpu_eadd(epc, 0, page, &si, &f) == 0 &&
		 epc->alias[0] == 1 && epc->shared->lock == 0;
	cpu_epc_free(&epc);
	return loaded;
}

static void loads(void)
{
	bool all = true;

	for (int i = 0; i < 8; i++)
		all = load() && all;
	good = all;
}

int main(void)
{
	struct bawn_error e = { 0 };

	if (cpu_engine_start(&e) != 0) {
		printf("Bail out! %s\n", e.msg);
		return 1;
	}
	kit_make(&kit, NULL);
	test_deed(first_entry, "a first entry");
	kit_tcs(&kit, 2)->stage = cpu_owner_self();
	test_deed(busy_tcs, "an entry by a TCS that is another's");
	kit_tcs(&kit, 2)->stage = 0;
	test_deed(added_on_demand, "a page that the kernel adds");
	kit_drop(&kit, 1);
	test_deed(removed, "EREMOVE");
	kit.epc->shared->lock = cpu_owner_self();
	test_deed(waits_for_lock, "the lock of the EPC in another's hands");
	test_deed(loads, "EADD of many pages");
	kit_free(&kit);
	return tap_done();
}
