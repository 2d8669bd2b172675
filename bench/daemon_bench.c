/*
 * bawnd against what cannot be done without: quotes in one's own process, a
 * bare relay over as many sockets, starting a program that does nothing.
 */
#include "ae/ae.h"
#include "bench/bench.h"
#include "enclaves/witness/witness.h"
#include "host/host.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CLIENTS 256
#define SAMPLES 4000 /* latencies kept of each client */
#define RUN_NS UINT64_C(1500000000)
#define TURNS 3
#define TURNS_ALONE 100 /* with one client */
#define TURN 11         /* quotes */
#define REQUEST 1456 /* bytes of a quote's request and answer, for the relay */
#define ANSWER 5200

static char dir[64], build[256];
static uint8_t report[432];

/* ---- a daemon ---- */

static void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (system(line) != 0)
		bench_fail("failed: %s", line);
}

static void write_text(const char *name, const char *text)
{
	char path[128];
	struct bawn_error e = { 0 };

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (io_write_file(path, text, strlen(text), 0644, &e))
		bench_fail("%s", e.msg);
}

static void set_up(void)
{
	const char *b = getenv("BUILD");
	char text[4096], path[96], *real = realpath(b ? b : "build", NULL);

	if (!real || strlen(real) >= sizeof(build))
		bench_fail("no build");
	strcpy(build, real);
	free(real);
	strcpy(dir, "/tmp/bawn-bench.XXXXXX");
	if (!mkdtemp(dir) || chmod(dir, 0755))
		bench_fail("mkdtemp");
	run("%s/bawn emu platform create %s/platform >/dev/null", build, dir);
	run("%s/bawn emu fab create --fab %s/fab --pce %s/enclaves/provision.signed.so --qe %s/enclaves/quote.signed.so >/dev/null",
	    build, dir, build, build);
	run("%s/bawn emu fab issue --fab %s/fab --platform %s/platform -o %s/chain.pem >/dev/null", build, dir, dir, dir);
	/* The vault's own, if it has a user of its own; ours is the same machine. */
	run("cp -R %s/platform %s/vault && chmod -R a+rX %s/fab", dir, dir, dir);
	write_text("policy", "[native]\nallow any,administer uid=0-4000000\n");
	snprintf(text, sizeof(text),
		 "device = emulated\nplatform = %s/vault\nstate = %s/state\naudit = %s/audit\npolicy = %s/policy\n"
		 "provision-enclave = %s/enclaves/provision.signed.so\nquote-enclave = %s/enclaves/quote.signed.so\n"
		 "ledger-enclave = %s/enclaves/ledger.signed.so\n"
		 "collateral = directory %s/fab\nconnections-per-uid = 512\nlog = error\n%s"
		 "[socket native]\npath = %s/sock\nmode = 0666\n",
		 dir, dir, dir, dir, build, build, build, dir,
		 geteuid() == 0 ? "gate-user = 61001\nvault-user = 61002\ncourier-user = 61003\n" : "", dir);
	write_text("conf", text);
	if (geteuid() == 0)
		run("chown -R 61002 %s/vault", dir);
	snprintf(path, sizeof(path), "%s/sock", dir);
	setenv("BAWN_SOCKET", path, 1);
}

/* activated: the listener is handed over at 3, as a service manager would. */
static pid_t start(int listener)
{
	char conf[96], bawnd[300], number[24];
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	snprintf(conf, sizeof(conf), "%s/conf", dir);
	snprintf(bawnd, sizeof(bawnd), "%s/bawnd", build);
	if (listener >= 0) {
		if (listener != 3)
			dup2(listener, 3);
		else
			fcntl(3, F_SETFD, 0);
		snprintf(number, sizeof(number), "%d", (int)getpid());
		setenv("LISTEN_PID", number, 1);
		setenv("LISTEN_FDS", "1", 1);
	}
	execl(bawnd, bawnd, "--config", conf, "--foreground", (char *)NULL);
	_exit(127);
}

static void stop(pid_t pid)
{
	int status;

	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		bench_fail("bawnd ended badly");
}

static struct bawn_client *client(void)
{
	struct bawn_error e = { 0 };
	struct bawn_client *c;

	for (int i = 0; i < 500; i++) {
		e = (struct bawn_error){ 0 };
		if (bawn_client_open(&c, NULL, &e) == 0)
			return c;
		usleep(10000);
	}
	bench_fail("%s", e.msg);
}

/* ---- a report, and quotes of it in this process ---- */

static struct ae_desk *desk;
static uint8_t blob[AE_QE_BLOB_BYTES];
static char chain[16384];
static size_t chain_n;

static void make_report(const uint8_t target[512])
{
	struct bawn_options o = { .device = "emulated" };
	struct bawn_error e = { 0 };
	struct witness_report w = { 0 };
	struct bawn_enclave *en;
	char path[300];
	uint32_t status;

	snprintf(path, sizeof(path), "%s/platform", dir);
	setenv("BAWN_PLATFORM", path, 1);
	snprintf(path, sizeof(path), "%s/enclaves/witness.signed.so", build);
	if (bawn_enclave_load(&en, path, &o, &e))
		bench_fail("%s", e.msg);
	memcpy(w.targetinfo, target, 512);
	if (bawn_ecall(en, WITNESS_REPORT, &w, &status, &e) || status)
		bench_fail("report: %s", e.msg);
	memcpy(report, w.report, sizeof(report));
	bawn_enclave_free(&en);
}

static void open_desk(void)
{
	static char pce[300], qe[300], platform[96], file[96];
	static struct ae_files files = { .device = "emulated" };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct ae_desk_options opt = { .instances = { 1, 1, (unsigned)(cpus > 8 ? 8 : cpus) },
				       .keep_ms = { AE_KEEP, AE_KEEP, AE_KEEP }, .queue = 1024 };
	struct bawn_error e = { 0 };
	uint8_t *p;

	snprintf(pce, sizeof(pce), "%s/enclaves/provision.signed.so", build);
	snprintf(qe, sizeof(qe), "%s/enclaves/quote.signed.so", build);
	snprintf(platform, sizeof(platform), "%s/platform", dir);
	snprintf(file, sizeof(file), "%s/chain.pem", dir);
	files.platform = platform;
	files.enclave[AE_PROVISION].path = pce;
	files.enclave[AE_QUOTE].path = qe;
	opt.source = ae_files_source(&files);
	if (io_read_file(file, sizeof(chain), &p, &chain_n, &e) || ae_desk_new(&desk, &opt, &e) ||
	    ae_desk_generate(desk, NULL, NULL, blob, &e))
		bench_fail("%s", e.msg);
	memcpy(chain, p, chain_n);
	free(p);
}

static void quote_here(void)
{
	struct ae_certification c = { AE_CERTIFIED_PCK_CHAIN, chain, chain_n };
	struct isa_report r;
	struct ae_quote_request q = { .report = &r, .certification = &c };
	struct bawn_error e = { 0 };
	uint8_t own[AE_QE_BLOB_BYTES], quote[8192];

	memcpy(own, blob, sizeof(own));
	memcpy(&r, report, sizeof(r));
	if (ae_desk_quote(desk, own, NULL, &q, NULL, quote, ae_quote_size(&c), &e))
		bench_fail("%s", e.msg);
}

static void quote_there(struct bawn_client *c)
{
	struct bawn_error e = { 0 };
	uint8_t *quote;
	size_t n;

	if (bawn_client_quote(c, report, NULL, &quote, &n, &e))
		bench_fail("%s", e.msg);
	free(quote);
}

/* ---- many at once ---- */

struct runner {
	bool there;
	uint64_t done, end;
	uint32_t n;
	float us[SAMPLES];
};
static struct runner runners[MAX_CLIENTS];
static pthread_barrier_t line_up;
static _Atomic uint64_t until;

static void *runner(void *arg)
{
	struct runner *r = arg;
	struct bawn_client *c = r->there ? client() : NULL;

	/* Quotes are counted once everybody is connected. */
	pthread_barrier_wait(&line_up);
	pthread_barrier_wait(&line_up);
	while (clock_ns() < until) {
		uint64_t t = clock_ns();

		if (r->there)
			quote_there(c);
		else
			quote_here();
		r->us[r->n++ % SAMPLES] = (float)(clock_ns() - t) / 1000;
		r->done++;
	}
	r->end = clock_ns();
	if (c)
		bawn_client_free(&c);
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

static float median(float *v, size_t n)
{
	qsort(v, n, sizeof(v[0]), by_value);
	return v[n / 2];
}

/* Quotes per second by so many threads in ns; their 99th percentile in microseconds, if wanted. */
static double rate(unsigned threads, bool there, uint64_t ns, double *p99)
{
	static float all[MAX_CLIENTS * SAMPLES];
	uint64_t start_ns, end = 0, sum = 0;
	pthread_t t[MAX_CLIENTS];
	size_t n = 0;

	pthread_barrier_init(&line_up, NULL, threads + 1);
	for (unsigned i = 0; i < threads; i++) {
		runners[i].there = there;
		runners[i].done = runners[i].n = 0;
		if (pthread_create(&t[i], NULL, runner, &runners[i]))
			bench_fail("a thread");
	}
	pthread_barrier_wait(&line_up);
	start_ns = clock_ns();
	until = start_ns + ns;
	pthread_barrier_wait(&line_up);
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(t[i], NULL);
		sum += runners[i].done;
		if (runners[i].end > end)
			end = runners[i].end;
		for (uint32_t k = 0; k < runners[i].n && k < SAMPLES; k++)
			all[n++] = runners[i].us[k];
	}
	pthread_barrier_destroy(&line_up);
	qsort(all, n, sizeof(all[0]), by_value);
	if (p99)
		*p99 = n ? all[n * 99 / 100] : 0;
	return (double)sum * 1e9 / (double)(end - start_ns);
}

/*
 * What the service adds is compared with many clients as without it, in turns:
 * a machine that slows down slows both.
 */
static void many(unsigned clients, const char *name, double *p99)
{
	unsigned cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	double here = 0, there = 0;
	float late[TURNS];

	for (int i = 0; i < TURNS; i++) {
		double p;

		here += rate(cpus > 8 ? 8 : cpus, false, RUN_NS / TURNS, NULL) / TURNS;
		there += rate(clients, true, RUN_NS / TURNS, &p) / TURNS;
		late[i] = (float)p;
	}
	if (p99)
		*p99 = median(late, TURNS);
	bench_row(name, there, "/s", here, there / here, BENCH_AT_LEAST, 0.8);
}

/* ---- a bare relay: us to one process, to another that makes the quote, and back to us ---- */

/*
 * The same quote in the other process, not a mere echo: a process that is
 * woken after a quote's time wakes up slower than one that was just asleep.
 */
static int relay_in, relay_out;

static void pass_on(int in, int out, bool make)
{
	static uint8_t b[8192];

	while (recv(in, b, sizeof(b), 0) > 0) {
		if (make) {
			if (!desk)
				open_desk();
			memcpy(report, b, sizeof(report));
			quote_here();
		}
		if (send(out, b, make ? ANSWER : REQUEST, MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

/* While this process has no enclave yet: what is forked off begins without. */
static void start_relay(void)
{
	int first[2], second[2], third[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, first) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, second) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, third))
		bench_fail("socketpair");
	for (int i = 0; i < 2; i++)
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (i == 0)
				pass_on(first[1], second[0], false);
			pass_on(second[1], third[0], true);
		}
	relay_in = first[0];
	relay_out = third[1];
}

static void quote_relayed(void)
{
	static uint8_t b[8192];

	memcpy(b, report, sizeof(report));
	if (send(relay_in, b, REQUEST, 0) < 0 || recv(relay_out, b, sizeof(b), 0) <= 0)
		bench_fail("relay");
}

/* The median of a few times of it in a row, in microseconds. */
static float turn(void (*fn)(void))
{
	float us[TURN];

	for (int i = 0; i < TURN; i++) {
		uint64_t t = clock_ns();

		fn();
		us[i] = (float)(clock_ns() - t) / 1000;
	}
	return median(us, TURN);
}

static struct bawn_client *alone;
static void quote_alone(void)
{
	quote_there(alone);
}

/* One client: what the service adds to a quote, and what the relay adds. Returns the client's time. */
static double latency(void)
{
	static float added[TURNS_ALONE], relayed[TURNS_ALONE], there[TURNS_ALONE];
	double a, r;

	alone = client();
	quote_relayed(); /* loads its enclaves */
	quote_here();
	quote_alone();
	/* In short turns: what is subtracted was measured on the same machine in the same state. */
	for (int i = 0; i < TURNS_ALONE; i++) {
		float here = turn(quote_here);

		there[i] = turn(quote_alone);
		added[i] = there[i] - here;
		relayed[i] = turn(quote_relayed) - here;
	}
	bawn_client_free(&alone);
	a = median(added, TURNS_ALONE);
	r = median(relayed, TURNS_ALONE);
	bench_row("one client: added, of what a relay adds", a, "us", r, a / r, BENCH_AT_MOST, 2);
	return median(there, TURNS_ALONE);
}

/* ---- memory ---- */

/* Pss of a process in KiB, without the pages of enclaves. */
static unsigned long pss(int pid)
{
	char path[40], line[512];
	unsigned long sum = 0, k;
	bool enclave = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (strchr(line, '-') && strspn(line, "0123456789abcdef") > 4 && !strstr(line, "kB"))
			enclave = strstr(line, "memfd:") != NULL;
		else if (sscanf(line, "Pss: %lu kB", &k) == 1 && !enclave)
			sum += k;
	}
	if (f)
		fclose(f);
	return sum;
}

static double all_pss(pid_t parent)
{
	char path[64], line[256] = "";
	unsigned long sum = pss(parent);
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	f = fopen(path, "r");
	if (f && fgets(line, sizeof(line), f))
		for (char *p = strtok(line, " \n"); p; p = strtok(NULL, " \n"))
			sum += pss(atoi(p));
	if (f)
		fclose(f);
	return (double)sum / 1024;
}

/* ---- starting ---- */

static double start_true(void)
{
	uint64_t t = clock_ns();
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	return (double)(clock_ns() - t) / 1e6;
}

static double cold_start(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct bawn_service s;
	struct bawn_error e = { 0 };
	struct bawn_client *c;
	double ms;
	uint64_t t;
	pid_t pid;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/sock", dir);
	unlink(a.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 8))
		bench_fail("listener");
	t = clock_ns();
	pid = start(fd);
	c = client();
	if (bawn_client_status(c, &s, &e))
		bench_fail("%s", e.msg);
	ms = (double)(clock_ns() - t) / 1e6;
	bawn_client_free(&c);
	stop(pid);
	close(fd);
	unlink(a.sun_path);
	return ms;
}

static double median5(double (*fn)(void))
{
	float v[5];

	for (int i = 0; i < 5; i++)
		v[i] = (float)fn();
	qsort(v, 5, sizeof(v[0]), by_value);
	return v[2];
}

int main(void)
{
	double one, p99, base, cold;
	uint8_t target[512];
	struct bawn_error e = { 0 };
	struct bawn_client *c;
	pid_t pid;

	set_up();
	start_relay();
	pid = start(-1);
	c = client();
	if (bawn_client_target(c, target, NULL, NULL, &e))
		bench_fail("%s", e.msg);
	make_report(target);
	open_desk();
	one = latency();
	many(16, "quotes, 16 clients", &p99);
	bench_row("p99 of 16, of one's median", p99, "us", one, p99 / one, BENCH_AT_MOST, 20);
	many(256, "quotes, 256 clients", NULL);
	bawn_client_free(&c);
	sleep(1);
	bench_row("memory of all roles (Pss)", all_pss(pid), "MiB", 0, 0, BENCH_AT_MOST, 12);
	stop(pid);
	base = median5(start_true);
	cold = median5(cold_start);
	bench_row("cold start to a status", cold, "ms", base, cold / base, BENCH_AT_MOST, 20);
	ae_desk_free(&desk);
	run("rm -rf %s", dir);
	return bench_done();
}
