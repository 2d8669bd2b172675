/*
 * no-asan: runs enclaves, whose traps AddressSanitizer does not understand
 *
 * The desk: from nothing to a quote, with our provision enclave and with
 * Intel's signed ones; what happens to blobs when SVNs rise; enclaves that are
 * lost; who waits, who is served, who stays resident.
 */
#include "ae/desk.h"
#include "tests/ae/kit.h"

#include <pthread.h>
#include <unistd.h>

/* ---- a source that sees, and can be told to fail ---- */

struct source {
	struct ae_files files;
	struct bawn_enclave *last[AE_ENCLAVES]; /* the one loaded last: for taking it away */
	unsigned lose[AE_ENCLAVES];             /* so many of the next are lost as soon as loaded */
};

static int load(void *arg, enum ae_enclave which, const struct isa_einittoken *token,
		struct bawn_enclave **out, struct bawn_error *e)
{
	struct source *s = arg;
	struct ae_source files = ae_files_source(&s->files);
	int rc = files.load(files.arg, which, token, out, e);

	if (rc == 0) {
		s->last[which] = *out;
		if (s->lose[which]) {
			s->lose[which]--;
			kit_lose(*out);
		}
	}
	return rc;
}

static void source_init(struct source *s, const char *platform, const char *pce)
{
	*s = (struct source){ .files = { .device = "emulated", .platform = platform } };
	s->files.enclave[AE_PROVISION].path = pce;
	s->files.enclave[AE_QUOTE].path = kit_path("quote");
}

static struct ae_desk *open_desk(struct source *s, uint32_t keep_ms, const uint8_t *ppid_key)
{
	struct ae_desk_options opt = { .source = { .load = load, .arg = s }, .ppid_key = ppid_key };
	struct bawn_error e = { 0 };
	struct ae_desk *d;

	for (int i = 0; i < AE_ENCLAVES; i++)
		opt.keep_ms[i] = keep_ms;
	ok(ae_desk_new(&d, &opt, &e) == 0, "a desk");
	kit_say(&e);
	return d;
}

/* ---- an application ---- */

static bool app_report(struct ae_desk *d, struct bawn_enclave *app, struct isa_report *out)
{
	uint8_t data[64] = "from the application";
	struct isa_targetinfo t;
	struct bawn_error e = { 0 };

	if (ae_desk_target(d, &t, &e)) {
		ok(false, "the desk's target");
		kit_say(&e);
		return false;
	}
	return kit_report(app, &t, data, out);
}

static int quote(struct ae_desk *d, struct bawn_enclave *app, uint8_t *blob,
		 const struct ae_certification *c, struct bawn_bytes *out, bool *resealed,
		 struct bawn_error *e)
{
	struct isa_report r;
	struct ae_quote_request q = { .report = &r, .certification = c };
	size_t n = ae_quote_size(c);
	uint8_t *p = calloc(1, n);

	*out = (struct bawn_bytes){ p, n };
	if (!app_report(d, app, &r))
		return BAWN_ERR_SYSTEM;
	return ae_desk_quote(d, blob, resealed, &q, NULL, p, n, e);
}

static void quote_verifies(struct ae_desk *d, struct bawn_enclave *app, uint8_t *blob,
			   const struct kit_trust *t, const char *what)
{
	struct ae_certification chain = { AE_CERTIFIED_PCK_CHAIN, t->chain, t->chain_n };
	struct bawn_verification v;
	struct bawn_bytes q;
	struct bawn_error e = { 0 };

	is_int(quote(d, app, blob, &chain, &q, NULL, &e), 0, what);
	kit_say(&e);
	ok(kit_verify(t, q.p, q.n, false, &v) == 0 && v.status == BAWN_TCB_UP_TO_DATE,
	   "it verifies, UpToDate");
	if (v.error.code)
		printf("#   %s: %s\n", bawn_reason_name(v.reason), v.error.msg);
	free((void *)(uintptr_t)q.p);
}

/* ---- from nothing to a quote ---- */

static void test_quoting(const char *pce, const char *name)
{
	const char *dir = kit_platform(name, NULL);
	struct bawn_enclave *app = kit_load(kit_path("witness"), dir, false);
	uint8_t blob[AE_QE_BLOB_BYTES], ppid[16], want[16], id[32];
	struct bawn_enclave_info pce_info, qe_info;
	struct ae_pck_request request;
	struct ae_blob_state state;
	struct cpu_platform p;
	struct kit_trust trust;
	struct bawn_error e = { 0 };
	struct ae_tcb tcb;
	struct source s;
	struct ae_desk *d;

	printf("# %s\n", pce);
	source_init(&s, dir, pce);
	d = open_desk(&s, AE_KEEP, kit_pek());
	if (cpu_platform_load(dir, &p, &e) || !app || !d)
		return;
	is_int(ae_desk_pck_request(d, &request, &e), 0, "what to ask a PCK certificate with");
	kit_say(&e);
	is_int(ae_desk_enclave(d, AE_PROVISION, &pce_info, &e), 0, "the PCE");
	is_int(ae_desk_enclave(d, AE_QUOTE, &qe_info, &e), 0, "the quoting enclave");
	ok(request.has_ppid && request.pce_isvsvn == pce_info.isvsvn && request.pce_id == 0 &&
		   !memcmp(request.cpusvn, p.cpusvn, 16) &&
		   !memcmp(request.pce_mrsigner, pce_info.mrsigner, 32),
	   "names the platform's TCB and the PCE");
	ae_ppid(&p, pce_info.mrsigner, want);
	if (kit_decrypt_ppid(request.encrypted_ppid, ppid))
		is_mem(ppid, want, 16, "to the PPID from the fuses");

	is_int(ae_desk_generate(d, NULL, NULL, blob, &e), 0, "an attestation key, certified");
	kit_say(&e);
	is_int(ae_desk_blob(d, blob, &state, &e), 0, "its blob is good");
	ok(state.certified && !state.behind && !state.resealed &&
		   !memcmp(state.qe_id, request.qe_id, 16) && state.tcb.pce_isvsvn == pce_info.isvsvn,
	   "certified at the present TCB");
	crypto_sha256(state.key, 64, id);
	is_mem(state.key_id, id, 32, "its id is the public key's hash");
	tcb = state.tcb;
	if (kit_trust(&trust, &p, pce_info.mrsigner, &tcb, &qe_info)) {
		quote_verifies(d, app, blob, &trust, "a quote");
		quote_verifies(d, app, blob, &trust, "another");
	}
	kit_trust_free(&trust);

	tcb.pce_isvsvn--;
	tcb.cpusvn[1]--;
	is_int(ae_desk_recertify(d, &tcb, blob, &e), 0, "certified anew, at an older TCB");
	kit_say(&e);
	is_int(ae_desk_blob(d, blob, &state, &e), 0, "the blob is good");
	ok(!memcmp(&state.tcb, &tcb, sizeof(tcb)) && !memcmp(state.key_id, id, 32) && !state.behind,
	   "the same key at that TCB");
	if (kit_trust(&trust, &p, pce_info.mrsigner, &tcb, &qe_info))
		quote_verifies(d, app, blob, &trust, "a quote at that TCB");
	kit_trust_free(&trust);
	is_int(ae_desk_generate(d, &tcb, id, blob, &e), 0, "a key certified at that TCB from the start");
	if (kit_trust(&trust, &p, pce_info.mrsigner, &tcb, &qe_info))
		quote_verifies(d, app, blob, &trust, "a quote with authentication data of one's own");
	kit_trust_free(&trust);
	tcb.cpusvn[0] = 255;
	is_int(ae_desk_generate(d, &tcb, NULL, blob, &e), BAWN_ERR_DENIED, "none above the platform's own");
	ae_desk_free(&d);
	bawn_enclave_free(&app);
	wipe(&p, sizeof(p));
}

/* What may be certified is what the vault asks for others, too. */
static void test_certify(void)
{
	const char *dir = kit_platform("certify", NULL);
	struct bawn_enclave *app = kit_load(kit_path("witness-provision"), dir, false);
	uint8_t data[64] = { 5 }, rs[64], xy[64], digest[32], cipher[AE_PPID_CIPHER_BYTES];
	uint8_t blob[AE_QE_BLOB_BYTES];
	struct bawn_enclave_info info;
	struct isa_targetinfo t;
	struct isa_report r;
	struct ae_pce_info pce;
	struct cpu_platform p;
	struct bawn_error e = { 0 };
	struct ae_tcb used;
	struct source s;
	struct ae_desk *d;

	source_init(&s, dir, kit_path("provision"));
	s.files.enclave[AE_QUOTE].path = NULL;
	d = open_desk(&s, AE_KEEP, NULL);
	if (cpu_platform_load(dir, &p, &e) || !app || !d)
		return;
	is_int(ae_desk_pce_target(d, &t, &e), 0, "the PCE's target");
	kit_report(app, &t, data, &r);
	is_int(ae_desk_certify(d, &r, NULL, &used, rs, &e), 0, "a report is certified");
	ae_desk_enclave(d, AE_PROVISION, &info, &e);
	crypto_sha256(&r.body, sizeof(r.body), digest);
	ok(ae_pck_public(&p, info.mrsigner, used.cpusvn, used.pce_isvsvn, xy, &e) == 0 &&
		   crypto_p256_verify(xy, digest, rs, &e) == 0,
	   "by the PCK of the platform's TCB");
	ae_pce_report_data(AE_SUITE_RSA_OAEP_3072, kit_pek(), data);
	kit_report(app, &t, data, &r);
	is_int(ae_desk_pce_info(d, &r, kit_pek(), cipher, &pce, &e), 0, "and gets the PPID");
	is_int(ae_desk_target(d, &t, &e), BAWN_ERR_NOT_FOUND, "there is no quote enclave");
	is_int(ae_desk_generate(d, NULL, NULL, blob, &e), BAWN_ERR_NOT_FOUND, "no key without it");
	ae_desk_free(&d);
	bawn_enclave_free(&app);
	wipe(&p, sizeof(p));
}

/* ---- SVNs that rise ---- */

static void test_update(void)
{
	const char *dir = kit_platform("update", NULL);
	struct bawn_enclave *app;
	uint8_t blob[AE_QE_BLOB_BYTES], key[64];
	struct bawn_enclave_info pce_info, qe_info;
	struct ae_blob_state state;
	struct cpu_platform p;
	struct kit_trust trust;
	struct bawn_error e = { 0 };
	struct ae_tcb old;
	struct source s;
	struct ae_desk *d;

	source_init(&s, dir, kit_path("provision"));
	d = open_desk(&s, AE_KEEP, kit_pek());
	if (cpu_platform_load(dir, &p, &e) || !d)
		return;
	is_int(ae_desk_generate(d, NULL, NULL, blob, &e), 0, "a key before the update");
	is_int(ae_desk_blob(d, blob, &state, &e), 0, "its blob");
	old = state.tcb;
	memcpy(key, state.key, 64);
	ae_desk_enclave(d, AE_PROVISION, &pce_info, &e);
	ae_desk_enclave(d, AE_QUOTE, &qe_info, &e);
	/* The update takes effect only when no enclave is left. */
	ae_desk_close(d);
	is_int(cpu_platform_upgrade(dir, 1, (uint8_t)(p.cpusvn[1] + 1), &e), 0, "CPUSVN rises");
	ae_desk_open(d);
	app = kit_load(kit_path("witness"), dir, false);
	is_int(ae_desk_blob(d, blob, &state, &e), 0, "the blob is taken");
	kit_say(&e);
	ok(state.resealed && state.behind && state.certified && !memcmp(state.key, key, 64),
	   "sealed anew, its certification is behind");
	kit_refused(ae_desk_recertify(d, NULL, blob, &e), &e, AE_REPORT_OTHER_CPUSVN,
		    "the report that was certified is of the old TCB");
	if (kit_trust(&trust, &p, pce_info.mrsigner, &old, &qe_info))
		quote_verifies(d, app, blob, &trust, "the old key still quotes");
	kit_trust_free(&trust);
	is_int(ae_desk_generate(d, &old, NULL, blob, &e), 0, "a new key, certified at the old TCB");
	is_int(ae_desk_blob(d, blob, &state, &e), 0, "its blob");
	ok(!state.behind && memcmp(state.key, key, 64) != 0, "is another key, and not behind");
	if (kit_trust(&trust, &p, pce_info.mrsigner, &old, &qe_info))
		quote_verifies(d, app, blob, &trust, "it quotes");
	kit_trust_free(&trust);

	/* A quote reseals too, and says so. */
	ae_desk_free(&d);
	is_int(cpu_platform_upgrade(dir, 1, (uint8_t)(p.cpusvn[1] + 2), &e), 0, "CPUSVN rises again");
	bawn_enclave_free(&app);
	app = kit_load(kit_path("witness"), dir, false);
	d = open_desk(&s, 0, kit_pek());
	for (int i = 0; i < 2; i++) {
		bool resealed = !!i;
		struct bawn_bytes q;

		is_int(quote(d, app, blob, NULL, &q, &resealed, &e), 0, "a quote");
		kit_say(&e);
		is_int(resealed, !i, i ? "leaves a present blob as it is" : "seals an older blob anew");
		free((void *)(uintptr_t)q.p);
	}
	ae_desk_free(&d);
	bawn_enclave_free(&app);
	wipe(&p, sizeof(p));
}

/* A later release of the provision enclave: keys certified by the earlier one are behind. */
static void test_release(void)
{
	const char *dir = kit_platform("release", NULL);
	uint8_t blob[AE_QE_BLOB_BYTES];
	struct ae_blob_state state;
	struct bawn_error e = { 0 };
	struct source s;
	struct ae_desk *d;

	source_init(&s, dir, kit_path("provision"));
	d = open_desk(&s, AE_KEEP, kit_pek());
	is_int(ae_desk_generate(d, NULL, NULL, blob, &e), 0, "a key certified by release 1");
	ae_desk_free(&d);
	s.files.enclave[AE_PROVISION].path = kit_path("provision-svn2");
	d = open_desk(&s, AE_KEEP, kit_pek());
	is_int(ae_desk_blob(d, blob, &state, &e), 0, "its blob, at a desk with release 2");
	ok(state.behind && !state.resealed && state.tcb.pce_isvsvn == 1, "is behind");
	/* The code is the same, so the report that was for release 1 is for release 2 as well. */
	is_int(ae_desk_recertify(d, NULL, blob, &e), 0, "certified anew by release 2");
	is_int(ae_desk_blob(d, blob, &state, &e), 0, "its blob");
	ok(!state.behind && state.tcb.pce_isvsvn == 2, "is not behind any more");
	kit_say(&e);
	ae_desk_free(&d);
	s.files.enclave[AE_QUOTE].path = kit_path("quote-svn2");
	d = open_desk(&s, AE_KEEP, kit_pek());
	is_int(ae_desk_blob(d, blob, &state, &e), 0, "its blob, at release 2 of the quote enclave");
	ok(state.resealed && state.behind, "is: what was certified is release 1");
	is_int(ae_desk_recertify(d, NULL, blob, &e), 0, "certified anew");
	is_int(ae_desk_blob(d, blob, &state, &e), 0, "its blob");
	ok(state.behind, "that does not change");
	is_int(ae_desk_generate(d, NULL, NULL, blob, &e), 0, "a new key");
	is_int(ae_desk_blob(d, blob, &state, &e), 0, "its blob");
	ok(!state.behind, "does");
	ae_desk_free(&d);
}

/* ---- loss ---- */

static void test_loss(void)
{
	const char *dir = kit_platform("loss", NULL);
	struct bawn_enclave *app = kit_load(kit_path("witness"), dir, false);
	uint8_t blob[AE_QE_BLOB_BYTES], other[AE_QE_BLOB_BYTES];
	struct ae_desk_state state;
	struct bawn_error e = { 0 };
	struct isa_targetinfo t;
	struct bawn_bytes q;
	struct source s;
	struct ae_desk *d;

	source_init(&s, dir, kit_path("provision"));
	d = open_desk(&s, AE_KEEP, kit_pek());
	is_int(ae_desk_generate(d, NULL, NULL, blob, &e), 0, "a key");
	kit_say(&e);
	kit_lose(s.last[AE_QUOTE]);
	is_int(quote(d, app, blob, NULL, &q, NULL, &e), 0, "a quote all the same");
	kit_say(&e);
	free((void *)(uintptr_t)q.p);
	ae_desk_state(d, &state);
	ok(state.enclave[AE_QUOTE].loads == 2 && state.enclave[AE_QUOTE].losses == 1,
	   "by a quote enclave that was loaded again");
	kit_lose(s.last[AE_PROVISION]);
	kit_lose(s.last[AE_QUOTE]);
	is_int(ae_desk_generate(d, NULL, NULL, other, &e), 0, "a key with both of them gone");
	kit_say(&e);
	ae_desk_state(d, &state);
	ok(state.enclave[AE_QUOTE].loads == 3 && state.enclave[AE_PROVISION].loads == 2,
	   "both were loaded again");

	/* What is lost twice in a row is told; nothing of a blob has changed. */
	kit_lose(s.last[AE_QUOTE]);
	s.lose[AE_QUOTE] = 1;
	memcpy(other, blob, sizeof(blob));
	{
		struct isa_report r = { 0 };
		struct ae_quote_request request = { .report = &r };
		uint8_t *p = calloc(1, ae_quote_size(NULL));

		is_int(ae_desk_quote(d, other, NULL, &request, NULL, p, ae_quote_size(NULL), &e),
		       BAWN_ERR_LOST, "lost twice in a row is lost");
		printf("# %s\n", e.msg);
		e = (struct bawn_error){ 0 };
		free(p);
	}
	is_mem(other, blob, sizeof(blob), "the blob is as it was");
	is_int(ae_desk_target(d, &t, &e), 0, "the next one finds a new one");
	is_int(quote(d, app, blob, NULL, &q, NULL, &e), 0, "and quotes");
	kit_say(&e);
	free((void *)(uintptr_t)q.p);
	ae_desk_free(&d);
	bawn_enclave_free(&app);
}

/* ---- residency ---- */

static void resident(struct ae_desk *d, unsigned provision, unsigned in_quote, const char *what)
{
	struct ae_desk_state state;

	ae_desk_state(d, &state);
	if (!ok(state.enclave[AE_PROVISION].resident == provision &&
			state.enclave[AE_QUOTE].resident == in_quote,
		"%s", what))
		printf("#   %u provision, %u quote\n", state.enclave[AE_PROVISION].resident,
		       state.enclave[AE_QUOTE].resident);
}

static void test_keeping(void)
{
	const char *dir = kit_platform("keeping", NULL);
	uint8_t blob[AE_QE_BLOB_BYTES];
	struct ae_desk_state state;
	struct bawn_error e = { 0 };
	struct isa_targetinfo t;
	struct source s;
	struct ae_desk *d;
	int left;

	source_init(&s, dir, kit_path("provision"));
	d = open_desk(&s, 0, kit_pek());
	resident(d, 0, 0, "nothing is loaded before it is needed");
	is_int(ae_desk_generate(d, NULL, NULL, blob, &e), 0, "a key");
	resident(d, 0, 0, "nothing stays where nothing is to be kept");
	ae_desk_state(d, &state);
	ok(state.enclave[AE_PROVISION].loads == 1 && state.enclave[AE_QUOTE].loads == 1,
	   "but while it was made, each was loaded once");
	is_int(ae_desk_expire(d), -1, "nothing will expire");
	ae_desk_free(&d);

	d = open_desk(&s, AE_KEEP, kit_pek());
	is_int(ae_desk_generate(d, NULL, NULL, blob, &e), 0, "a key");
	is_int(ae_desk_expire(d), -1, "what is kept does not expire");
	resident(d, 1, 1, "and is there");
	ae_desk_close(d);
	resident(d, 0, 0, "closing drops it");
	is_int(ae_desk_target(d, &t, &e), BAWN_ERR_BUSY, "and nothing is loaded");
	e = (struct bawn_error){ 0 };
	ae_desk_open(d);
	is_int(ae_desk_target(d, &t, &e), 0, "until it is opened");
	ae_desk_free(&d);

	d = open_desk(&s, 50, kit_pek());
	is_int(ae_desk_target(d, &t, &e), 0, "kept for 50 ms");
	left = ae_desk_expire(d);
	ok(left >= 0 && left <= 50, "of which some are left (%d)", left);
	usleep(80000);
	is_int(ae_desk_expire(d), -1, "then it is dropped");
	resident(d, 0, 0, "and gone");
	ae_desk_free(&d);
}

/* ---- the queue ---- */

#define CALLERS 6
static pthread_mutex_t order_lock = PTHREAD_MUTEX_INITIALIZER;
static int order[CALLERS + 1], served;
static pthread_barrier_t both;

struct caller {
	struct ae_desk *d;
	int number, rc;
	bool hold; /* until somebody waits for it to go on */
	int gate[2];
	pthread_t thread;
};

static int note(struct bawn_enclave *en, void *arg, struct bawn_error *e)
{
	struct caller *c = arg;
	char byte;

	(void)en;
	(void)e;
	pthread_mutex_lock(&order_lock);
	order[served++] = c->number;
	pthread_mutex_unlock(&order_lock);
	if (c->hold && read(c->gate[0], &byte, 1) != 1)
		return BAWN_ERR_SYSTEM;
	return 0;
}

static void *call(void *arg)
{
	struct caller *c = arg;

	c->rc = desk_do(c->d, AE_QUOTE, note, c, NULL);
	return NULL;
}

static void wait_for(struct ae_desk *d, unsigned busy, unsigned waiting)
{
	struct ae_desk_state state;

	for (int i = 0; i < 10000; i++) {
		ae_desk_state(d, &state);
		if (state.enclave[AE_QUOTE].busy == busy && state.enclave[AE_QUOTE].waiting == waiting)
			return;
		usleep(1000);
	}
	ok(false, "%u busy and %u waiting", busy, waiting);
}

static void start(struct caller *c, struct ae_desk *d, int number, bool hold)
{
	*c = (struct caller){ .d = d, .number = number, .hold = hold };
	if (hold && pipe(c->gate))
		exit(1);
	if (pthread_create(&c->thread, NULL, call, c))
		exit(1);
}

static void release(struct caller *c)
{
	if (write(c->gate[1], "", 1) != 1)
		exit(1);
}

static void *close_desk(void *d)
{
	ae_desk_close(d);
	return NULL;
}

static void test_queue(void)
{
	const char *dir = kit_platform("queue", NULL);
	struct ae_desk_options opt = { .keep_ms = { [AE_QUOTE] = AE_KEEP }, .queue = CALLERS - 1 };
	struct caller first, c[CALLERS];
	struct bawn_error e = { 0 };
	struct isa_targetinfo t;
	struct source s;
	struct ae_desk *d;
	bool in_order = true;

	source_init(&s, dir, NULL);
	opt.source = (struct ae_source){ .load = load, .arg = &s };
	is_int(ae_desk_new(&d, &opt, &e), 0, "a desk with room for five to wait");
	served = 0;
	start(&first, d, 0, true);
	wait_for(d, 1, 0);
	for (int i = 0; i < CALLERS - 1; i++) {
		start(&c[i], d, i + 1, false);
		wait_for(d, 1, (unsigned)i + 1);
	}
	is_int(ae_desk_target(d, &t, &e), BAWN_ERR_BUSY, "the sixth is sent away");
	e = (struct bawn_error){ 0 };
	release(&first);
	pthread_join(first.thread, NULL);
	for (int i = 0; i < CALLERS - 1; i++)
		pthread_join(c[i].thread, NULL);
	for (int i = 0; i < served; i++)
		in_order &= order[i] == i;
	ok(served == CALLERS && in_order, "all are served in the order in which they came");

	/* Closing: who is served is waited for, who waits is refused. */
	start(&first, d, 0, true);
	wait_for(d, 1, 0);
	start(&c[0], d, 1, false);
	wait_for(d, 1, 1);
	{
		pthread_t closer;

		if (pthread_create(&closer, NULL, close_desk, d))
			exit(1);
		pthread_join(c[0].thread, NULL);
		is_int(c[0].rc, BAWN_ERR_BUSY, "closing refuses who waits");
		release(&first);
		pthread_join(closer, NULL);
		pthread_join(first.thread, NULL);
		is_int(first.rc, 0, "and waits for who is served");
	}
	resident(d, 0, 0, "nothing is left");
	ae_desk_free(&d);
}

static int meet(struct bawn_enclave *en, void *arg, struct bawn_error *e)
{
	(void)e;
	*(struct bawn_enclave **)arg = en;
	pthread_barrier_wait(&both);
	return 0;
}

struct pair {
	struct ae_desk *d;
	struct bawn_enclave *seen;
	pthread_t thread;
};

static void *meet_other(void *arg)
{
	struct pair *p = arg;

	desk_do(p->d, AE_QUOTE, meet, &p->seen, NULL);
	return NULL;
}

static void test_instances(void)
{
	struct ae_desk_options opt = { .keep_ms = { [AE_QUOTE] = AE_KEEP }, .instances = { [AE_QUOTE] = 2 } };
	struct pair p[2];
	struct bawn_error e = { 0 };
	struct source s;
	struct ae_desk *d;

	source_init(&s, kit_platform("instances", NULL), NULL);
	opt.source = (struct ae_source){ .load = load, .arg = &s };
	is_int(ae_desk_new(&d, &opt, &e), 0, "a desk with two quote enclaves");
	pthread_barrier_init(&both, NULL, 2);
	for (int i = 0; i < 2; i++) {
		p[i] = (struct pair){ .d = d };
		if (pthread_create(&p[i].thread, NULL, meet_other, &p[i]))
			exit(1);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(p[i].thread, NULL);
	ok(p[0].seen && p[1].seen && p[0].seen != p[1].seen, "two callers are served at once");
	resident(d, 0, 2, "by two of them");
	ae_desk_free(&d);
	pthread_barrier_destroy(&both);
	opt.instances[AE_LAUNCH] = 2;
	is_int(ae_desk_new(&d, &opt, &e), BAWN_ERR_USAGE, "two launch enclaves there cannot be");
	e = (struct bawn_error){ 0 };
	is_int(ae_desk_new(&d, &(struct ae_desk_options){ 0 }, &e), BAWN_ERR_USAGE, "nor a desk without a source");
}

static unsigned tries;

static int crash(struct bawn_enclave *en, void *arg, struct bawn_error *e)
{
	(void)en;
	(void)arg;
	tries++;
	return err_set(e, BAWN_ERR_CRASHED, "it crashed");
}

static void test_crash(void)
{
	struct bawn_error e = { 0 };
	struct isa_targetinfo t;
	struct source s;
	struct ae_desk *d;

	source_init(&s, kit_platform("crash", NULL), NULL);
	d = open_desk(&s, AE_KEEP, NULL);
	is_int(desk_do(d, AE_QUOTE, crash, NULL, &e), BAWN_ERR_CRASHED, "a crash is told");
	is_int(tries, 1, "and not tried again");
	is_str(e.msg, "it crashed", "with its cause");
	resident(d, 0, 0, "the enclave is dropped");
	e = (struct bawn_error){ 0 };
	is_int(ae_desk_target(d, &t, &e), 0, "the next call has a new one");
	ae_desk_free(&d);
}

/* ---- many threads ---- */

struct worker {
	struct ae_desk *d;
	const struct isa_report *report;
	const uint8_t *blob;
	pthread_t thread;
	unsigned good;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct ae_quote_request q = { .report = w->report };
	uint8_t blob[AE_QE_BLOB_BYTES], *p = calloc(1, ae_quote_size(NULL));

	for (int i = 0; i < 5; i++) {
		memcpy(blob, w->blob, sizeof(blob));
		w->good += ae_desk_quote(w->d, blob, NULL, &q, NULL, p, ae_quote_size(NULL), NULL) == 0;
	}
	free(p);
	return NULL;
}

static void test_threads(void)
{
	const char *dir = kit_platform("threads", NULL);
	struct bawn_enclave *app = kit_load(kit_path("witness"), dir, false);
	struct ae_desk_options opt = { .instances = { [AE_QUOTE] = 2 }, .keep_ms = { [AE_QUOTE] = 1 },
				       .ppid_key = kit_pek() };
	uint8_t blob[AE_QE_BLOB_BYTES];
	struct worker w[8];
	struct isa_report r;
	struct bawn_error e = { 0 };
	struct source s;
	struct ae_desk *d;
	unsigned good = 0;

	source_init(&s, dir, kit_path("provision"));
	opt.source = ae_files_source(&s.files);
	is_int(ae_desk_new(&d, &opt, &e), 0, "a desk");
	is_int(ae_desk_generate(d, NULL, NULL, blob, &e), 0, "a key");
	if (!app || !app_report(d, app, &r))
		return;
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		w[i] = (struct worker){ .d = d, .report = &r, .blob = blob };
		if (pthread_create(&w[i].thread, NULL, work, &w[i]))
			exit(1);
	}
	/* Meanwhile what is idle expires. */
	for (int i = 0; i < 20; i++) {
		ae_desk_expire(d);
		usleep(2000);
	}
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		pthread_join(w[i].thread, NULL);
		good += w[i].good;
	}
	is_int(good, 5 * ARRAY_LEN(w), "eight threads get forty quotes from two enclaves");
	ae_desk_free(&d);
	bawn_enclave_free(&app);
}

/* ---- enclaves in memory, and small readers ---- */

static void test_memory(void)
{
	struct bawn_error e = { 0 };
	struct bawn_enclave_info info;
	struct ae_desk_options opt = { 0 };
	struct ae_files files = { .device = "emulated", .platform = kit_platform("memory", NULL) };
	struct ae_desk *d;
	struct ae_tcb tcb;
	uint8_t *file = NULL;
	size_t n;

	is_int(io_read_file(kit_path("quote"), 16 << 20, &file, &n, &e), 0, "a file in memory");
	files.enclave[AE_QUOTE].file = file;
	files.enclave[AE_QUOTE].n = n;
	opt.source = ae_files_source(&files);
	is_int(ae_desk_new(&d, &opt, &e), 0, "a desk");
	is_int(ae_desk_enclave(d, AE_QUOTE, &info, &e), 0, "loads it");
	ok(info.isvprodid == 1 && info.isvsvn == 1, "it is the quote enclave");
	is_int(ae_desk_enclave(d, (enum ae_enclave)7, &info, &e), BAWN_ERR_USAGE, "there is no seventh");
	ae_desk_free(&d);
	free(file);
	is_int(ae_tcb_parse("000102030405060708090a0b0c0d0e0f0d00", 36, &tcb, &e), 0, "an SGX-TCBm");
	ok(tcb.pce_isvsvn == 13 && tcb.cpusvn[15] == 15, "is read");
	is_int(ae_tcb_parse("000102030405060708090a0b0c0d0e0f0d", 34, &tcb, NULL), BAWN_ERR_FORMAT, "not a short one");
	is_int(ae_tcb_parse("000102030405060708090a0b0c0d0e0f0d0g", 36, &tcb, NULL), BAWN_ERR_FORMAT, "nor other digits");
}

int main(void)
{
	static const char *const intel[] = { "libsgx_pce.signed.so", "libsgx_pce-1.25.signed.so" };

	if (!kit_start())
		return tap_done();
	test_quoting(kit_path("provision"), "ours");
	for (size_t i = 0; i < ARRAY_LEN(intel); i++) {
		const char *path = kit_real(intel[i]);

		if (path)
			test_quoting(path, i ? "intel2" : "intel1");
		else
			skip("BAWN_CONFORMANCE has no such PCE of Intel's");
	}
	test_certify();
	test_update();
	test_release();
	test_loss();
	test_keeping();
	test_queue();
	test_instances();
	test_crash();
	test_threads();
	test_memory();
	kit_done();
	return tap_done();
}
