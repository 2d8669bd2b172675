/* Metrics in Prometheus's text format, to whoever connects to the socket for them (HTTP if it is spoken), and for a file. */
#include "daemon/vault.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 200

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP bawnd_%s %s\n# TYPE bawnd_%s %s\n", name, help, name, type);
}

static void number(struct buf *b, const char *name, const char *type, const char *help, uint64_t n)
{
	head(b, name, type, help);
	buf_printf(b, "bawnd_%s %llu\n", name, (unsigned long long)n);
}

/* By socket, operation and outcome: no more of them than the configuration has sockets for, and no client can add one. */
static void operations(struct vault *v, struct buf *b)
{
	static const char *const outcomes[OUTCOMES] = {
		[OUTCOME_OK] = "ok", [OUTCOME_REFUSED] = "refused", [OUTCOME_FAILED] = "failed", [OUTCOME_BAD] = "bad",
	};

	head(b, "operations_total", "counter", "Requests answered, by socket, operation and outcome.");
	for (uint32_t i = 0; i < v->config->nsockets; i++)
		for (unsigned op = 0; op < WIRE_OPERATIONS; op++)
			for (unsigned o = 0; o < OUTCOMES; o++)
				buf_printf(b, "bawnd_operations_total{socket=\"%s\",operation=\"%s\",outcome=\"%s\"} %llu\n",
					   v->config->sockets[i].name, wire_operation_name(op), outcomes[o],
					   (unsigned long long)atomic_load(&v->count.by_operation[i][op][o]));
}

/* One of them is 1, as Prometheus has states. */
static void standing(struct buf *b, uint32_t status)
{
	head(b, "tcb_status", "gauge", "1: where the platform stands by the collateral.");
	for (unsigned s = BAWN_TCB_UNKNOWN; s <= BAWN_TCB_REVOKED; s++)
		buf_printf(b, "bawnd_tcb_status{status=\"%s\"} %d\n", bawn_tcb_status_name((enum bawn_tcb_status)s),
			   s == status);
}

static void write_metrics(struct vault *v, struct buf *b)
{
	struct wire_provisioning p;
	struct wire_status s;
	char problem[WIRE_NOTE];
	uint64_t ns, fetched;
	bool quotes, failing;

	status_fill(v, &s, true);
	provision_fill(v, &p);
	pthread_mutex_lock(&v->lock);
	fetched = v->bundle >= 0 ? v->bundle_info.fetched : 0;
	failing = v->anchor.failing;
	pthread_mutex_unlock(&v->lock);
	/* Not while it would have to be on record, and cannot be. */
	quotes = !provision_no_quotes(v, problem) && !(failing && v->config->audit_required);
	number(b, "up", "gauge", "1: the service is ready.", s.state == WIRE_STATE_READY);
	number(b, "emulated", "gauge", "1: the platform is emulated and protects nothing.", s.emulated);
	number(b, "quotes_possible", "gauge", "1: quotes can be made, as far as is known.", quotes);
	head(b, "requests_total", "counter", "Requests answered, by what was answered.");
	for (unsigned i = 0; i < WIRE_CODES; i++)
		buf_printf(b, "bawnd_requests_total{answer=\"%s\"} %llu\n", wire_code_name(i),
			   (unsigned long long)atomic_load(&v->count.by_code[i]));
	number(b, "quotes_total", "counter", "Quotes made.", s.quotes);
	operations(v, b);
	ns = atomic_load(&v->count.quote_ns);
	head(b, "quote_seconds_total", "counter", "Time spent on them.");
	buf_printf(b, "bawnd_quote_seconds_total %llu.%09llu\n", (unsigned long long)(ns / SECOND_NS),
		   (unsigned long long)(ns % SECOND_NS));
	number(b, "tokens_total", "counter", "Launch tokens issued.", s.tokens);
	number(b, "launches_total", "counter", "Enclaves made and handed over.", s.launches);
	number(b, "certifications_total", "counter", "Reports certified by the PCE.",
	       atomic_load(&v->count.certifications));
	number(b, "malformed_total", "counter", "Requests that could not be read.", s.malformed);
	number(b, "timeouts_total", "counter", "Requests that did not come, or were not answered, in time.", s.timeouts);
	number(b, "clients", "gauge", "Connections open.", s.clients);
	number(b, "enclaves", "gauge", "Architectural enclaves loaded.", s.enclaves);
	number(b, "epc_held_bytes", "gauge", "EPC in enclaves handed over, as far as known.", s.epc_held);
	number(b, "certificate_expires_seconds", "gauge", "When the PCK certificate ends, since 1970; 0: none.", s.certificate_expires);
	number(b, "certificate_valid", "gauge", "1: quotes are issued under a certificate that holds.",
	       p.certificate_from <= s.now && s.now < p.certificate_expires);
	number(b, "collateral_valid", "gauge", "1: there is collateral, and it holds.", s.now < s.collateral_expires);
	number(b, "collateral_expires_seconds", "gauge", "When the first of the collateral ends, since 1970; 0: none.", s.collateral_expires);
	number(b, "collateral_fetched_seconds", "gauge", "When the collateral was fetched, since 1970; 0: none.", fetched);
	standing(b, s.tcb_status);
	number(b, "provisioning_tries", "gauge", "Tries since the last success.", p.tries);
	number(b, "audit_lines", "gauge", "Lines of the audit log.", s.audit_count);
	number(b, "audit_failing", "gauge", "1: the audit log cannot be written just now.", failing);
	number(b, "audit_lost_total", "counter", "Lines of it that could not be written.", s.audit_lost);
	number(b, "restarts_total", "counter", "Roles that died and were started again.", s.restarts);
	number(b, "start_seconds", "gauge", "When the vault started, since 1970.", s.started);
}

/*
 * A scraper that speaks HTTP sends its request at once; others may send
 * nothing. The first thread waits a moment, so the socket is the owner's alone.
 */
static bool speaks_http(int fd)
{
	struct pollfd f = { .fd = fd, .events = POLLIN };
	char request[4096];

	return poll(&f, 1, PATIENCE_MS) == 1 &&
	       recv(fd, request, sizeof(request), MSG_DONTWAIT) >= 4 && memcmp(request, "GET ", 4) == 0;
}

void metrics_serve(struct vault *v, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct buf text, head_text;

	if (fd < 0)
		return;
	buf_init(&text, 65536);
	buf_init(&head_text, 256);
	write_metrics(v, &text);
	if (speaks_http(fd))
		buf_printf(&head_text, "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"
			   "Content-Length: %zu\r\n\r\n", text.n);
	if (!text.failed && !head_text.failed &&
	    send(fd, head_text.p, head_text.n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)head_text.n &&
	    send(fd, text.p, text.n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)text.n)
		log_msg(LOG_DEBUG, "the metrics were not taken in whole");
	buf_free(&text);
	buf_free(&head_text);
	shutdown(fd, SHUT_RDWR);
	close(fd);
}

void metrics_tick(struct vault *v)
{
	uint64_t now = clock_ns();
	struct buf text;

	if (!v->config->metrics_file[0] || now < v->metrics_next)
		return;
	v->metrics_next = now + v->config->metrics_seconds * SECOND_NS;
	buf_init(&text, CHANNEL_MAX - 1);
	write_metrics(v, &text);
	if (!text.failed)
		channel_send(FD_PARENT, CHAN_METRICS, text.p, text.n, NULL, 0, NULL);
	buf_free(&text);
}
