/* The witness on the emulated CPU: each thing that an enclave of the kit can do. */
#include "tests/witness/witness.h"
#include "isa/isa.h"

#include <pthread.h>

#define OK 0u
#define ARGUMENT 2u
#define MEMORY 3u
#define CRASHED 0x1006u
#define MAC 0x3001u

static void test_echo(struct bawn_enclave *en)
{
	static uint8_t in[WITNESS_BUFFER + 8], out[WITNESS_BUFFER + 8];
	static const size_t sizes[] = { 0, 1, 7, 8, 9, 100, 4096, WITNESS_BUFFER };
	bool all = true;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 13 + 5);
	for (size_t at = 0; at < 8; at += 3)
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			struct witness_echo a = { (uint64_t)in + at, (uint64_t)out + 8 - at, sizes[i] };

			memset(out, 0, sizeof(out));
			all = all && witness_call(en, WITNESS_ECHO, &a) == OK &&
			      !memcmp(in + at, out + 8 - at, sizes[i]) &&
			      (8 - at + sizes[i] >= sizeof(out) || out[8 - at + sizes[i]] == 0);
		}
	ok(all, "echo, of any length and alignment");
	struct witness_echo more = { (uint64_t)in, (uint64_t)out, WITNESS_BUFFER + 1 };
	is_int(witness_call(en, WITNESS_ECHO, &more), MEMORY, "more than it takes is refused");
}

static void test_calls(struct bawn_enclave *en)
{
	struct witness_sum sum = { .a = 1234, .b = UINT64_MAX };
	struct witness_deep deep = { .depth = 6 };
	struct bawn_error e = { 0 };
	uint32_t status;

	is_int(witness_call(en, WITNESS_EMPTY, NULL), OK, "an empty call");
	is_int(witness_call(en, WITNESS_SUM, &sum), OK, "a call out of it");
	is_int(sum.sum, 1233, "whose answer came back");
	is_int(witness_call(en, WITNESS_DEEP, &deep), OK, "calls in within calls out");
	is_int(deep.reached, 6, "as deep as asked");
	is_int(bawn_ecall(en, 999, NULL, &status, &e), 0, "an unknown call comes back");
	is_int(status, 0x1001, "and says so");
}

/* ---- reports and keys ---- */

static void test_reports(struct bawn_enclave *en, struct bawn_enclave *other)
{
	struct witness_targetinfo target;
	struct witness_report report;
	struct witness_verify verify;
	struct bawn_enclave_info info;
	struct isa_report r;
	uint8_t hosts[512];
	bool all = true;

	is_int(witness_call(other, WITNESS_TARGETINFO, &target), OK, "an enclave's TARGETINFO");
	bawn_enclave_targetinfo(other, hosts);
	is_mem(target.targetinfo, hosts, 512, "is what the host would say");
	memcpy(report.targetinfo, target.targetinfo, 512);
	memset(report.data, 0x3c, sizeof(report.data));
	is_int(witness_call(en, WITNESS_REPORT, &report), OK, "a report for it by another");
	memcpy(&r, report.report, sizeof(r));
	bawn_enclave_info(en, &info);
	is_mem(r.body.mrenclave, info.mrenclave, 32, "names the measurement of its maker");
	is_mem(r.body.mrsigner, info.mrsigner, 32, "and its signer");
	is_mem(r.body.reportdata, report.data, 64, "and carries the data");
	memcpy(verify.report, report.report, sizeof(verify.report));
	is_int(witness_call(other, WITNESS_VERIFY, &verify), OK, "verifies where it was meant to");
	is_int(witness_call(en, WITNESS_VERIFY, &verify), MAC, "and nowhere else");
	for (size_t i = 0; i < sizeof(verify.report); i += 11) {
		verify.report[i] ^= 1;
		all = all && witness_call(other, WITNESS_VERIFY, &verify) == MAC;
		verify.report[i] ^= 1;
	}
	ok(all, "nor with a bit changed");
	report.targetinfo[511] = 1;
	is_int(witness_call(en, WITNESS_REPORT, &report), ARGUMENT, "reserved bits in the target");
}

static uint32_t fingerprint(struct bawn_enclave *en, uint16_t name, uint16_t policy,
			    uint8_t keyid, uint8_t out[16])
{
	struct isa_keyrequest r = { .keyname = name, .keypolicy = policy };
	struct witness_key a;
	uint32_t status;

	memset(r.keyid, keyid, sizeof(r.keyid));
	r.attributemask.flags = ATTR_INIT | ATTR_DEBUG;
	memcpy(a.keyrequest, &r, sizeof(r));
	status = witness_call(en, WITNESS_KEY, &a);
	memcpy(out, a.fingerprint, 16);
	return status;
}

static void test_keys(struct bawn_enclave *en, struct bawn_enclave *other)
{
	uint8_t a[16], b[16];

	is_int(fingerprint(en, KEY_SEAL, KEYPOLICY_MRENCLAVE, 1, a), OK, "a seal key");
	fingerprint(en, KEY_SEAL, KEYPOLICY_MRENCLAVE, 1, b);
	is_mem(a, b, 16, "is the same again");
	fingerprint(other, KEY_SEAL, KEYPOLICY_MRENCLAVE, 1, b);
	is_mem(a, b, 16, "and for the same enclave of another signer");
	fingerprint(en, KEY_SEAL, KEYPOLICY_MRENCLAVE, 2, b);
	ok(memcmp(a, b, 16), "another for another key id");
	fingerprint(en, KEY_SEAL, KEYPOLICY_MRSIGNER, 1, a);
	ok(memcmp(a, b, 16), "another by signer");
	fingerprint(other, KEY_SEAL, KEYPOLICY_MRSIGNER, 1, b);
	ok(memcmp(a, b, 16), "which differs between signers");
	is_int(fingerprint(en, KEY_PROVISION, 0, 1, a), 0x3002, "no provision key without the attribute");
	is_int(fingerprint(en, 9, 0, 1, a), 0x3005, "no key of no name");
}

/* ---- sealing ---- */

static uint8_t blob[16384];

static size_t seal(struct bawn_enclave *en, uint64_t policy, const char *aad, const char *text)
{
	struct witness_seal a = { policy, (uint64_t)aad, strlen(aad), (uint64_t)text, strlen(text),
				  (uint64_t)blob, sizeof(blob) };

	if (witness_call(en, WITNESS_SEAL, &a) != OK)
		return 0;
	return a.blob_size;
}

static uint32_t unseal(struct bawn_enclave *en, size_t n, char *aad, char *text)
{
	struct witness_unseal a = { (uint64_t)blob, n, (uint64_t)aad, 100, (uint64_t)text, 100 };
	uint32_t status;

	memset(aad, 0, 101);
	memset(text, 0, 101);
	status = witness_call(en, WITNESS_UNSEAL, &a);
	if (status == OK && (a.aad_size != strlen(aad) || a.text_size != strlen(text)))
		return UINT32_MAX;
	return status;
}

static void test_sealing(struct bawn_enclave *en, struct bawn_enclave *other)
{
	char aad[101], text[101];
	size_t n = seal(en, 2, "label", "the secret");

	ok(n == 80 + 5 + 10, "a secret sealed to its signer");
	is_int(unseal(en, n, aad, text), OK, "and unsealed");
	ok(!strcmp(aad, "label") && !strcmp(text, "the secret"), "both parts of it");
	is_int(unseal(other, n, aad, text), MAC, "not by an enclave of another signer");
	ok(!*text, "which gets nothing");
	blob[n - 1] ^= 1;
	is_int(unseal(en, n, aad, text), MAC, "nor once it was changed");
	blob[n - 1] ^= 1;
	is_int(unseal(en, n - 1, aad, text), ARGUMENT, "nor cut short");
	n = seal(en, 1, "", "code alone");
	is_int(unseal(other, n, aad, text), OK, "sealed to the code: whoever signed it");
	ok(!strcmp(text, "code alone"), "unseals");
	is_int(seal(en, 3, "", "x"), 0, "a policy that is none is refused");
}

/* ---- faults ---- */

static uint32_t fault(struct bawn_enclave *en, uint64_t kind, struct witness_fault *a)
{
	*a = (struct witness_fault){ .kind = kind };
	return witness_call(en, WITNESS_FAULT, a);
}

static void test_recovered(struct bawn_enclave *en)
{
	struct witness_fault a;

	is_int(fault(en, WITNESS_FAULT_UD, &a), OK, "UD2, stepped over; vector registers kept");
	is_int(a.vector, VEC_UD, "as #UD");
	is_int(fault(en, WITNESS_FAULT_DIVIDE, &a), OK, "a division by zero, repaired");
	is_int(a.result, 6, "and done again");
	is_int(fault(en, WITNESS_FAULT_PAGE, &a), OK, "a read of a page that is not there");
	is_int(a.vector, VEC_PF, "as #PF");
	ok(a.result < 4096, "at its address");
	is_int(fault(en, WITNESS_FAULT_OCALL, &a), OK, "an OCALL in the handler");
	is_int(a.result, 0x1008, "is refused");
	is_int(fault(en, WITNESS_FAULT_UD, &a), OK, "and again");
}

/* Each in an enclave of its own, which it ends. */
static void test_fatal(void)
{
	static const struct {
		uint64_t kind;
		const char *what;
	} kinds[] = {
		{ WITNESS_FAULT_FATAL, "a fault that is not handled" },
		{ WITNESS_FAULT_HANDLER, "a fault in the handler" },
		{ WITNESS_FAULT_STACK, "a stack that overflows" },
		{ WITNESS_FAULT_CANARY, "a buffer overrun" },
		{ WITNESS_FAULT_ABORT, "bawn_abort" },
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct bawn_enclave *en = witness_load("witness");
		struct witness_fault a = { .kind = kinds[i].kind };
		struct bawn_error e = { 0 }, again = { 0 };
		uint32_t status;

		if (!en)
			return;
		is_int(bawn_ecall(en, WITNESS_FAULT, &a, &status, &e), BAWN_ERR_CRASHED,
		       kinds[i].what);
		is_int(bawn_ecall(en, WITNESS_EMPTY, NULL, &status, &again), BAWN_ERR_CRASHED,
		       "and it takes no call after it");
		bawn_enclave_free(&en);
	}
}

/* ---- threads ---- */

struct worker {
	pthread_t id;
	struct bawn_enclave *en;
	pthread_barrier_t *barrier;
	uint64_t slot, own[2];
	bool good;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct witness_thread a = { .add = 1 };
	struct witness_compute c = { .rounds = 20000 };
	uint64_t result = 0;

	w->good = true;
	for (int i = 0; i < 2; i++) {
		pthread_barrier_wait(w->barrier);
		w->good = w->good && witness_call(w->en, WITNESS_THREAD, &a) == OK;
		w->own[i] = a.own;
		w->slot = a.thread;
	}
	for (int i = 0; i < 20; i++) {
		w->good = w->good && witness_call(w->en, WITNESS_COMPUTE, &c) == OK &&
			  (!result || c.result == result);
		result = c.result;
	}
	/* Nobody ends, giving its TCS back, before all have theirs. */
	pthread_barrier_wait(w->barrier);
	return NULL;
}

static void test_threads(struct bawn_enclave *en)
{
	enum { N = 4 };
	struct worker w[N];
	struct witness_thread a = { 0 };
	pthread_barrier_t barrier;
	bool good = true, slots = true, own = true;
	uint64_t before;

	witness_call(en, WITNESS_THREAD, &a);
	before = a.shared;
	pthread_barrier_init(&barrier, NULL, N);
	for (int i = 0; i < N; i++) {
		w[i] = (struct worker){ .en = en, .barrier = &barrier };
		pthread_create(&w[i].id, NULL, work, &w[i]);
	}
	for (int i = 0; i < N; i++)
		pthread_join(w[i].id, NULL);
	pthread_barrier_destroy(&barrier);
	for (int i = 0; i < N; i++) {
		good = good && w[i].good;
		own = own && w[i].own[1] == w[i].own[0] + 1;
		for (int j = 0; j < i; j++)
			slots = slots && w[i].slot != w[j].slot;
	}
	ok(good, "threads at once, with the same results all the time");
	ok(slots, "each by a TCS of its own");
	ok(own, "with variables of its own, kept between calls");
	witness_call(en, WITNESS_THREAD, &a);
	is_int(a.shared - before, 2 * N, "and what is shared, shared");
}

static void test_unbound(struct bawn_enclave *en)
{
	struct witness_thread a = { .add = 5 };

	witness_call(en, WITNESS_THREAD, &a);
	is_int(a.own, 1005, "an unbound TCS begins with fresh thread variables");
	witness_call(en, WITNESS_THREAD, &a);
	is_int(a.own, 1005, "at every call");
	is_int(a.shared, 10, "the rest stays");
}

/* More state to save, scrub and restore: the same calls. */
static void test_avx(void)
{
	struct bawn_enclave *en;
	struct bawn_enclave_info info;

	if (!__builtin_cpu_supports("avx")) {
		skip("this CPU has no AVX");
		return;
	}
	en = witness_load("witness-avx");
	if (!en)
		return;
	bawn_enclave_info(en, &info);
	is_int(info.xfrm, 7, "an enclave with AVX state");
	test_calls(en);
	test_recovered(en);
	bawn_enclave_free(&en);
}

int main(void)
{
	struct bawn_enclave *en, *other, *unbound;
	struct bawn_enclave_info info;

	if (!witness_platform(true))
		return tap_done();
	en = witness_load("witness");
	other = witness_load("witness-other");
	unbound = witness_load("witness-unbound"); /* other data, hence another measurement */
	if (en && other && unbound) {
		bawn_enclave_info(en, &info);
		is_str(info.device, getenv("BAWN_DEVICE"), "on the device that was asked for");
		test_echo(en);
		test_calls(en);
		test_reports(en, unbound);
		test_keys(en, other);
		test_sealing(en, other);
		test_recovered(en);
		test_threads(en);
		test_unbound(unbound);
		test_avx();
		test_fatal();
	}
	bawn_enclave_free(&en);
	bawn_enclave_free(&other);
	bawn_enclave_free(&unbound);
	witness_platform_done();
	return tap_done();
}
