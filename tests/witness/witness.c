#include "tests/witness/witness.h"
#include "cpu/cpu.h"

#include <stdlib.h>
#include <unistd.h>

static char made[64]; /* the folder that holds our platform, or "" */

bool witness_platform(bool own)
{
	struct bawn_error e = { 0 };
	char dir[80];

	/* Under `bawn emulate` it is the in-kernel driver's (tests/preload/runtime_test.sh). */
	setenv("BAWN_DEVICE", getenv("BAWN_TEST_DEVICE") ? getenv("BAWN_TEST_DEVICE") : "emulated", 1);
	if (!own)
		return true;
	strcpy(made, "/tmp/bawn-test-XXXXXX");
	if (!mkdtemp(made)) {
		ok(false, "a folder for a platform");
		return false;
	}
	snprintf(dir, sizeof(dir), "%s/platform", made);
	if (cpu_platform_create(dir, NULL, &e)) {
		ok(false, "a new platform: %s", e.msg);
		return false;
	}
	setenv("BAWN_PLATFORM", dir, 1);
	return true;
}

void witness_platform_done(void)
{
	struct bawn_error e = { 0 };
	char dir[80];

	if (!*made)
		return;
	snprintf(dir, sizeof(dir), "%s/platform", made);
	if (cpu_platform_remove(dir, &e) || rmdir(made))
		ok(false, "removing the platform: %s", e.msg);
	*made = '\0';
}

/* ---- the witness's OCALLs ---- */

static uint32_t add(void *ms, void *arg)
{
	struct witness_add *a = ms;

	(void)arg;
	if (!a)
		return 1;
	a->sum = a->a + a->b;
	return 0;
}

/* arg is where the enclave is kept, which is not there yet when its OCALLs are named. */
static uint32_t again(void *ms, void *arg)
{
	struct bawn_error e = { 0 };
	uint32_t status = 0;

	if (bawn_ecall(*(struct bawn_enclave **)arg, WITNESS_DEEP, ms, &status, &e))
		return 1;
	return status;
}

struct bawn_enclave *witness_load(const char *name)
{
	static const bawn_ocall_fn ocalls[] = { [WITNESS_ADD] = add, [WITNESS_AGAIN] = again };
	static struct bawn_enclave *loaded[16];
	static unsigned count;
	struct bawn_enclave **slot = &loaded[count++ % 16];
	struct bawn_options options = { .ocalls = ocalls, .ocall_count = 2, .ocall_arg = slot,
					.allow_development = true };
	struct bawn_error e = { 0 };
	const char *build = getenv("BUILD");
	char path[512];

	snprintf(path, sizeof(path), "%s/enclaves/%s.signed.so", build ? build : "build", name);
	if (bawn_enclave_load(slot, path, &options, &e)) {
		ok(false, "%s: %s", path, e.msg);
		return NULL;
	}
	return *slot;
}

uint32_t witness_call(struct bawn_enclave *en, uint32_t index, void *args)
{
	struct bawn_error e = { 0 };
	uint32_t status = UINT32_MAX;

	if (bawn_ecall(en, index, args, &status, &e)) {
		ok(false, "ECALL %u: %s", index, e.msg);
		return UINT32_MAX;
	}
	return status;
}
