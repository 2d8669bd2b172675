/*
 * client_prog COMMAND...: a client of bawnd for the shell tests, by BAWN_SOCKET.
 *
 *	report TARGET FILE    a report of the witness for the TARGETINFO in a file
 *	quote FILE            have a report of the witness quoted; write the quote
 *	load SECONDS THREADS  the same over and over; says how often, and fails at the first wrong answer
 *	load FILE THREADS     the same, as long as FILE is there
 *	hold COMMAND...    connect, run COMMAND, and ask for a quote on that connection
 *	launch FILE           have an enclave file made by the broker, and call it if it is the witness
 *	token HEX HEX         a launch token for MRENCLAVE, MRSIGNER
 *	collateral HEX CA     collateral for SGX platforms of that FMSPC, certified by that CA of Intel's ("": of others)
 *
 * The witness runs on the emulated platform that BAWN_PLATFORM names, or on the
 * device that BAWN_TEST_DEVICE names; where launch control is locked, by the token
 * in the file BAWN_TEST_TOKEN.
 */
#include "bawn.h"
#include "base/base.h"
#include "crypto/crypto.h"
#include "enclaves/witness/witness.h"
#include "isa/isa.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void die(const char *what, const struct bawn_error *e)
{
	fprintf(stderr, "%s: %s (%d)\n", what, e ? e->msg : "wrong", e ? e->code : 0);
	exit(e && e->code == BAWN_ERR_DENIED ? 3 : 1);
}

static struct bawn_enclave *witness(void)
{
	const char *build = getenv("BUILD"), *device = getenv("BAWN_TEST_DEVICE");
	const char *token_file = getenv("BAWN_TEST_TOKEN");
	struct bawn_options o = { .device = device ? device : "emulated" };
	struct bawn_error e = { 0 };
	struct bawn_enclave *en;
	uint8_t *token = NULL;
	char path[4096];
	size_t n;

	if (token_file && (io_read_file(token_file, 304, &token, &n, &e) || n != 304))
		die(token_file, &e);
	o.token = token;
	snprintf(path, sizeof(path), "%s/enclaves/witness.signed.so", build ? build : "build");
	if (bawn_enclave_load(&en, path, &o, &e))
		die("witness", &e);
	free(token);
	return en;
}

static void ecall(struct bawn_enclave *en, uint32_t index, void *ms, const char *what)
{
	struct bawn_error e = { 0 };
	uint32_t status;

	if (bawn_ecall(en, index, ms, &status, &e))
		die(what, &e);
	if (status)
		die(what, NULL);
}

/* Our own report within, and the quoting enclave's word for it, both checked. */
static void check(struct bawn_enclave *en, const struct witness_report *r, const uint8_t *quote,
		  size_t n, const struct bawn_quote_proof *proof)
{
	struct witness_verify v;
	struct isa_report qe;
	struct crypto_sha256 h;
	uint8_t digest[32];

	if (n < 436 || memcmp(quote + 48, r->report, 384) != 0)
		die("the quote is of another report", NULL);
	memcpy(v.report, proof->report, sizeof(v.report));
	ecall(en, WITNESS_VERIFY, &v, "the quoting enclave's report");
	crypto_sha256_init(&h);
	crypto_sha256_update(&h, proof->nonce, sizeof(proof->nonce));
	crypto_sha256_update(&h, quote, n);
	crypto_sha256_final(&h, digest);
	memcpy(&qe, proof->report, sizeof(qe));
	if (!ct_equal(qe.body.reportdata, digest, sizeof(digest)))
		die("the quoting enclave vouches for another quote", NULL);
}

/* One quote, checked. 0 or an enum bawn_code. */
static int quote_once(struct bawn_client *c, struct bawn_enclave *en, uint8_t **quote, size_t *n,
		      struct bawn_error *e)
{
	struct bawn_quote_proof proof;
	struct witness_report r;
	int rc = bawn_client_target(c, r.targetinfo, NULL, NULL, e);

	if (rc)
		return rc;
	if (crypto_random(r.data, sizeof(r.data), e) || crypto_random(proof.nonce, 16, e))
		die("random", e);
	ecall(en, WITNESS_REPORT, &r, "report");
	bawn_enclave_targetinfo(en, proof.target);
	rc = bawn_client_quote(c, r.report, &proof, quote, n, e);
	if (rc == 0)
		check(en, &r, *quote, *n, &proof);
	return rc;
}

static struct bawn_client *client(void)
{
	struct bawn_error e = { 0 };
	struct bawn_client *c;

	if (bawn_client_open(&c, NULL, &e))
		die("client", &e);
	return c;
}

static int cmd_quote(const char *file)
{
	struct bawn_enclave *en = witness();
	struct bawn_client *c = client();
	struct bawn_error e = { 0 };
	uint8_t *quote;
	size_t n;

	if (quote_once(c, en, &quote, &n, &e))
		die("quote", &e);
	if (io_write_file(file, quote, n, 0644, &e))
		die("quote", &e);
	free(quote);
	bawn_client_free(&c);
	bawn_enclave_free(&en);
	return 0;
}

static int cmd_report(const char *target, const char *file)
{
	struct bawn_enclave *en = witness();
	struct bawn_error e = { 0 };
	struct witness_report r;
	uint8_t *t;
	size_t n;

	if (io_read_file(target, 512, &t, &n, &e) || n != 512)
		die("target", &e);
	memcpy(r.targetinfo, t, sizeof(r.targetinfo));
	if (crypto_random(r.data, sizeof(r.data), &e))
		die("random", &e);
	ecall(en, WITNESS_REPORT, &r, "report");
	if (io_write_file(file, r.report, sizeof(r.report), 0644, &e))
		die("report", &e);
	free(t);
	bawn_enclave_free(&en);
	return 0;
}

/* ---- load ---- */

struct load {
	struct bawn_enclave *en;
	const char *file;
	uint64_t until;
	_Atomic uint64_t quotes, refused;
};

static void *load_thread(void *arg)
{
	struct load *l = arg;
	struct bawn_client *c = client();

	while (l->file ? access(l->file, F_OK) == 0 : clock_ns() < l->until) {
		struct bawn_error e = { 0 };
		uint8_t *quote = NULL;
		size_t n;
		int rc = quote_once(c, l->en, &quote, &n, &e);

		/* "Later" is an answer; everything else but a good quote is wrong. */
		if (rc && rc != BAWN_ERR_BUSY)
			die("load", &e);
		atomic_fetch_add(rc ? &l->refused : &l->quotes, 1);
		free(quote);
		if (rc)
			usleep(20000);
	}
	bawn_client_free(&c);
	return NULL;
}

static int cmd_load(const char *how_long, int threads)
{
	struct load l = { .en = witness(), .file = strchr(how_long, '/') ? how_long : NULL,
			  .until = clock_ns() + (uint64_t)(atof(how_long) * 1e9) };
	pthread_t t[64];

	if (threads < 1 || threads > 64)
		die("threads", NULL);
	for (int i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, load_thread, &l))
			die("thread", NULL);
	for (int i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	printf("%llu quotes, %llu times later\n", (unsigned long long)l.quotes,
	       (unsigned long long)l.refused);
	bawn_enclave_free(&l.en);
	return l.quotes ? 0 : 1;
}

/* A connection that is open before COMMAND and used again after it. */
static int cmd_hold(char **command)
{
	struct bawn_enclave *en = witness();
	struct bawn_client *c = client();
	struct bawn_error e = { 0 };
	char line[4096] = "";
	uint8_t *quote;
	size_t n;

	if (quote_once(c, en, &quote, &n, &e))
		die("before", &e);
	for (; *command; command++) {
		strncat(line, *command, sizeof(line) - strlen(line) - 2);
		strcat(line, " ");
	}
	if (system(line) != 0)
		die("the command", NULL);
	if (quote_once(c, en, &quote, &n, &e))
		die("after", &e);
	puts("after: a quote");
	return 0;
}

/* ---- the broker ---- */

static int cmd_launch(const char *file)
{
	struct bawn_client *c = client();
	struct bawn_error e = { 0 };
	struct bawn_enclave *en;
	struct witness_report r;
	struct witness_verify v;

	if (bawn_client_launch(c, file, NULL, &en, &e))
		die("launch", &e);
	bawn_client_free(&c);
	/* It reports to itself, and verifies that. */
	memset(&r, 0, sizeof(r));
	bawn_enclave_targetinfo(en, r.targetinfo);
	ecall(en, WITNESS_REPORT, &r, "report");
	memcpy(v.report, r.report, sizeof(v.report));
	ecall(en, WITNESS_VERIFY, &v, "verify");
	bawn_enclave_free(&en);
	puts("launched, entered, called");
	return 0;
}

static int cmd_token(const char *mrenclave, const char *mrsigner)
{
	struct bawn_client *c = client();
	uint8_t a[32], b[32], token[304];
	struct bawn_error e = { 0 };

	if (!hex_decode(mrenclave, strlen(mrenclave), a, 32) || !hex_decode(mrsigner, strlen(mrsigner), b, 32))
		die("hex", NULL);
	if (bawn_client_token(c, a, b, 4, 3, token, &e))
		die("token", &e);
	puts("a token");
	bawn_client_free(&c);
	return 0;
}

static int cmd_collateral(const char *fmspc, const char *ca)
{
	struct bawn_client *c = client();
	struct bawn_collateral got;
	struct bawn_error e = { 0 };
	uint8_t id[6];

	if (!hex_decode(fmspc, strlen(fmspc), id, sizeof(id)))
		die("hex", NULL);
	if (bawn_client_collateral(c, BAWN_TEE_SGX, id, ca, false, &got, &e))
		die("collateral", &e);
	puts("collateral");
	bawn_client_collateral_free(&got);
	bawn_client_free(&c);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "quote") == 0)
		return cmd_quote(argv[2]);
	if (argc == 4 && strcmp(argv[1], "report") == 0)
		return cmd_report(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "load") == 0)
		return cmd_load(argv[2], atoi(argv[3]));
	if (argc > 2 && strcmp(argv[1], "hold") == 0)
		return cmd_hold(argv + 2);
	if (argc == 3 && strcmp(argv[1], "launch") == 0)
		return cmd_launch(argv[2]);
	if (argc == 4 && strcmp(argv[1], "token") == 0)
		return cmd_token(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "collateral") == 0)
		return cmd_collateral(argv[2], argv[3]);
	fputs("client_prog report TARGET FILE | quote FILE | load SECONDS|FILE THREADS | hold COMMAND... | launch FILE | token HEX HEX |\n"
	      "  collateral HEX CA\n", stderr);
	return 64;
}
