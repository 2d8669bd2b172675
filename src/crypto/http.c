/*
 * GET over TLS: URLs, proxies, connections and certificates by OpenSSL, one
 * deadline for the whole exchange, the response by http_reader.c.
 */
#include "crypto/crypto.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/http.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_TIMEOUT_S 30u
#define DEFAULT_BODY (4u << 20)
#define REQUEST_MAX 16384u

struct target {
	int tls;
	char *user, *host, *port, *path, *query;
};

struct exchange {
	const struct http_options *o;
	struct target to, proxy;
	bool via_proxy;
	uint64_t deadline_ns;
	SSL_CTX *ctx;
	BIO *bio;
};

static void target_free(struct target *t)
{
	OPENSSL_free(t->user);
	OPENSSL_free(t->host);
	OPENSSL_free(t->port);
	OPENSSL_free(t->path);
	OPENSSL_free(t->query);
}

static int target_parse(const char *url, struct target *t, struct bawn_error *e)
{
	char *fragment = NULL;
	bool good;

	for (const char *p = url; *p; p++)
		if (*p <= 0x20 || *p >= 0x7f)
			return err_set(e, BAWN_ERR_USAGE, "a URL with a blank or a control character");
	good = OSSL_HTTP_parse_url(url, &t->tls, &t->user, &t->host, &t->port, NULL, &t->path, &t->query,
				   &fragment) == 1 && (!fragment || !*fragment) && *t->host;
	OPENSSL_free(fragment);
	ERR_clear_error();
	if (!good)
		return err_set(e, BAWN_ERR_USAGE, "not an http or https URL: %.100s", url);
	return 0;
}

/* The host without the brackets of an IPv6 literal, which OpenSSL leaves on. */
static void bare_host(const struct target *t, char out[256])
{
	size_t n = strlen(t->host);
	bool brackets = n > 2 && t->host[0] == '[' && t->host[n - 1] == ']';

	snprintf(out, 256, "%.*s", (int)(brackets ? n - 2 : n), t->host + brackets);
}

static bool is_loopback(const struct target *t)
{
	char host[256];
	ASN1_OCTET_STRING *ip;
	bool yes;

	bare_host(t, host);
	ip = a2i_IPADDRESS(host);
	ERR_clear_error();
	if (!ip)
		return strcasecmp(host, "localhost") == 0;
	yes = ASN1_STRING_length(ip) == 4 ? ASN1_STRING_get0_data(ip)[0] == 127 : strcmp(host, "::1") == 0;
	ASN1_OCTET_STRING_free(ip);
	return yes;
}

/* Wait until the socket is ready for what the BIO wants, or the deadline is past. */
static int wait_ready(struct exchange *x, struct bawn_error *e)
{
	struct pollfd p = { .fd = -1 };
	uint64_t now = clock_ns();
	int rc;

	if (now >= x->deadline_ns)
		return err_set(e, BAWN_ERR_NETWORK, "%.80s: timed out", x->to.host);
	if (BIO_get_fd(x->bio, &p.fd) < 0)
		return err_set(e, BAWN_ERR_NETWORK, "%.80s: no connection", x->to.host);
	p.events = BIO_should_read(x->bio) ? POLLIN : POLLOUT;
	rc = poll(&p, 1, (int)((x->deadline_ns - now) / 1000000 + 1));
	if (rc < 0 && errno != EINTR)
		return err_sys(e, "poll");
	return 0;
}

/* The certificate's fault, if that is why the connection failed; else OpenSSL's own word for it. */
static int connection_failed(struct exchange *x, struct bawn_error *e)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = ERR_reason_error_string(code);
	SSL *ssl = NULL;
	long verify = X509_V_OK;

	BIO_get_ssl(x->bio, &ssl);
	if (ssl)
		verify = SSL_get_verify_result(ssl);
	ERR_clear_error();
	if (verify != X509_V_OK)
		return err_set(e, BAWN_ERR_NETWORK, "%.50s: its TLS certificate is not acceptable: %.60s",
			       x->to.host, X509_verify_cert_error_string(verify));
	return err_set(e, BAWN_ERR_NETWORK, "%.60s: %s failed: %.60s", x->to.host,
		       ssl ? "TLS" : "the connection", why ? why : "it was closed");
}

static int connect_tcp(struct exchange *x, struct bawn_error *e)
{
	const struct target *t = x->via_proxy ? &x->proxy : &x->to;

	x->bio = BIO_new(BIO_s_connect());
	if (!x->bio || BIO_set_conn_hostname(x->bio, t->host) != 1 ||
	    BIO_set_conn_port(x->bio, t->port) != 1)
		return err_nomem(e);
	BIO_set_nbio(x->bio, 1);
	while (BIO_do_connect(x->bio) <= 0) {
		int rc;

		if (!BIO_should_retry(x->bio)) {
			const char *why = ERR_reason_error_string(ERR_peek_error());
			int saved = ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_SYS ?
					    ERR_GET_REASON(ERR_peek_error()) : 0;

			ERR_clear_error();
			return err_set(e, BAWN_ERR_NETWORK, "%s%.60s port %.10s: %.60s",
				       x->via_proxy ? "proxy " : "", t->host, t->port,
				       saved ? strerror(saved) : why ? why : "can not connect");
		}
		rc = wait_ready(x, e);
		if (rc)
			return rc;
	}
	return 0;
}

static int write_all(struct exchange *x, const struct buf *b, struct bawn_error *e)
{
	size_t off = 0;

	while (off < b->n) {
		int n = BIO_write(x->bio, b->p + off, (int)(b->n - off)), rc;

		if (n > 0) {
			off += (size_t)n;
			continue;
		}
		if (!BIO_should_retry(x->bio))
			return connection_failed(x, e);
		rc = wait_ready(x, e);
		if (rc)
			return rc;
	}
	return 0;
}

/*
 * Read until the response is complete. With TLS an end without close_notify
 * is an error of BIO_read, so that a body without a length can not be cut short.
 */
static int read_response(struct exchange *x, struct http_reader *r, struct bawn_error *e)
{
	uint8_t piece[8192];
	int rc = 0;

	while (rc == 0 && !r->done) {
		int n = BIO_read(x->bio, piece, sizeof(piece));

		if (n > 0)
			rc = http_reader_feed(r, piece, (size_t)n, e);
		else if (BIO_should_retry(x->bio))
			rc = wait_ready(x, e);
		else if (n == 0 && !ERR_peek_error())
			return http_reader_eof(r, e);
		else
			return connection_failed(x, e);
	}
	return rc;
}

/* What a proxy asks for, RFC 7617; nothing if its URL names no user. */
static void add_proxy_authorization(struct buf *req, const struct target *proxy)
{
	unsigned char encoded[512];
	size_t n = proxy->user ? strlen(proxy->user) : 0;

	if (!n || n > 360)
		return;
	EVP_EncodeBlock(encoded, (const unsigned char *)proxy->user, (int)n);
	buf_printf(req, "Proxy-Authorization: Basic %s\r\n", (const char *)encoded);
	wipe(encoded, sizeof(encoded));
}

/* CONNECT, RFC 9110 section 9.3.6: a tunnel through the proxy to an https server. */
static int connect_tunnel(struct exchange *x, struct bawn_error *e)
{
	struct http_reader r;
	struct buf req;
	int rc;

	buf_init(&req, REQUEST_MAX);
	buf_printf(&req, "CONNECT %s:%s HTTP/1.1\r\nHost: %s:%s\r\n", x->to.host, x->to.port, x->to.host,
		   x->to.port);
	add_proxy_authorization(&req, &x->proxy);
	buf_str(&req, "\r\n");
	http_reader_init(&r, 0);
	r.head_only = true;
	rc = req.failed ? err_nomem(e) : write_all(x, &req, e);
	if (rc == 0)
		rc = read_response(x, &r, e);
	if (rc == 0 && r.status / 100 != 2)
		rc = err_set(e, BAWN_ERR_NETWORK, "proxy %.60s refuses the connection: status %u",
			     x->proxy.host, r.status);
	http_reader_free(&r);
	buf_free(&req);
	return rc;
}

/*
 * The system's roots. A static binary carries another system's default path,
 * so the usual places are tried where that one does not exist.
 */
static void load_system_roots(SSL_CTX *ctx)
{
	static const char *const usual[] = {
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/cert.pem",
	};
	bool chosen = getenv(X509_get_default_cert_file_env()) || getenv(X509_get_default_cert_dir_env());

	SSL_CTX_set_default_verify_paths(ctx);
	if (chosen || access(X509_get_default_cert_file(), R_OK) == 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (access(usual[i], R_OK) == 0 && SSL_CTX_load_verify_file(ctx, usual[i]) == 1)
			return;
}

static int make_context(struct exchange *x, struct bawn_error *e)
{
	x->ctx = SSL_CTX_new(TLS_client_method());
	if (!x->ctx || SSL_CTX_set_min_proto_version(x->ctx, TLS1_2_VERSION) != 1)
		return err_set(e, BAWN_ERR_CRYPTO, "OpenSSL offers no TLS 1.2");
	if (x->o->ca_file) {
		/* A pinned certificate need not be a root: a PCCS often has a self-made one. */
		X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(x->ctx), X509_V_FLAG_PARTIAL_CHAIN);
		if (SSL_CTX_load_verify_file(x->ctx, x->o->ca_file) != 1) {
			ERR_clear_error();
			return err_set(e, BAWN_ERR_FORMAT, "%.100s: no readable PEM certificates",
				       x->o->ca_file);
		}
	} else if (!x->o->insecure) {
		load_system_roots(x->ctx);
	}
	SSL_CTX_set_verify(x->ctx, x->o->insecure && !x->o->ca_file ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
			   NULL);
	return 0;
}

static int start_tls(struct exchange *x, struct bawn_error *e)
{
	char host[256];
	BIO *tls;
	SSL *ssl = NULL;
	int rc = make_context(x, e);

	if (rc)
		return rc;
	bare_host(&x->to, host);
	tls = BIO_new_ssl(x->ctx, 1);
	if (!tls)
		return err_nomem(e);
	BIO_get_ssl(tls, &ssl);
	x->bio = BIO_push(tls, x->bio);
	/* A name goes into SNI and is matched as a name; an address is matched as an address. */
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) != 1) {
		ERR_clear_error();
		if (SSL_set1_host(ssl, host) != 1 || SSL_set_tlsext_host_name(ssl, host) != 1)
			return err_set(e, BAWN_ERR_USAGE, "not a host name: %.80s", host);
	}
	ERR_clear_error();
	while (BIO_do_handshake(x->bio) <= 0) {
		if (!BIO_should_retry(x->bio))
			return connection_failed(x, e);
		rc = wait_ready(x, e);
		if (rc)
			return rc;
	}
	return 0;
}

static int send_request(struct exchange *x, struct bawn_error *e)
{
	const struct target *t = &x->to;
	bool default_port = strcmp(t->port, t->tls ? OSSL_HTTPS_PORT : OSSL_HTTP_PORT) == 0;
	struct buf req;
	int rc;

	buf_init(&req, REQUEST_MAX);
	buf_str(&req, "GET ");
	if (x->via_proxy && !t->tls) /* absolute form, RFC 9112 section 3.2.2 */
		buf_printf(&req, "http://%s:%s", t->host, t->port);
	buf_printf(&req, "%s%s%s HTTP/1.1\r\nHost: %s", t->path && *t->path ? t->path : "/",
		   t->query && *t->query ? "?" : "", t->query ? t->query : "", t->host);
	if (!default_port)
		buf_printf(&req, ":%s", t->port);
	buf_str(&req, "\r\nUser-Agent: bawn\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
		      "Connection: close\r\n");
	if (x->via_proxy && !t->tls)
		add_proxy_authorization(&req, &x->proxy);
	for (const char *const *h = x->o->headers; h && *h; h++)
		buf_printf(&req, "%s\r\n", *h);
	buf_str(&req, "\r\n");
	rc = req.failed ? err_set(e, BAWN_ERR_USAGE, "a request of more than %u bytes", REQUEST_MAX) :
			  write_all(x, &req, e);
	buf_free(&req);
	return rc;
}

static int prepare(const char *url, struct exchange *x, struct bawn_error *e)
{
	const char *proxy;
	int rc = target_parse(url, &x->to, e);

	if (rc)
		return rc;
	if (x->to.user && *x->to.user)
		return err_set(e, BAWN_ERR_USAGE, "a URL must not carry a user name or password");
	if (!x->to.tls && !x->o->insecure && !is_loopback(&x->to))
		return err_set(e, BAWN_ERR_USAGE,
			       "%.60s: plain http is taken from this host only; use https, or --insecure",
			       x->to.host);
	for (const char *const *h = x->o->headers; h && *h; h++)
		if (strpbrk(*h, "\r\n"))
			return err_set(e, BAWN_ERR_USAGE, "a request header with a line break");
	proxy = OSSL_HTTP_adapt_proxy(x->o->proxy, NULL, x->to.host, x->to.tls);
	if (!proxy)
		return 0;
	x->via_proxy = true;
	rc = target_parse(proxy, &x->proxy, e);
	if (rc == 0 && x->proxy.tls)
		rc = err_set(e, BAWN_ERR_UNSUPPORTED, "a proxy reached over https; give an http:// one");
	if (rc)
		err_context(e, "proxy");
	return rc;
}

/*
 * OpenSSL writes with write(2), so a server that closes early would end the
 * program by SIGPIPE: it is held back in this thread, and taken away after.
 */
static void sigpipe_hold(sigset_t *before)
{
	sigset_t pipe_only;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_only, before);
}

static void sigpipe_release(const sigset_t *before)
{
	const struct timespec now = { 0 };
	sigset_t pipe_only;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	if (!sigismember(before, SIGPIPE))
		while (sigtimedwait(&pipe_only, NULL, &now) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

int http_get(const char *url, const struct http_options *o, struct http_reader *r,
	     struct bawn_error *e)
{
	struct exchange x = { .o = o };
	sigset_t before;
	int rc;

	sigpipe_hold(&before);
	http_reader_init(r, o->max_body ? o->max_body : DEFAULT_BODY);
	x.deadline_ns = clock_ns() + (o->timeout_s ? o->timeout_s : DEFAULT_TIMEOUT_S) * 1000000000ull;
	rc = prepare(url, &x, e);
	if (rc == 0)
		rc = connect_tcp(&x, e);
	if (rc == 0 && x.via_proxy && x.to.tls)
		rc = connect_tunnel(&x, e);
	if (rc == 0 && x.to.tls)
		rc = start_tls(&x, e);
	if (rc == 0)
		rc = send_request(&x, e);
	if (rc == 0)
		rc = read_response(&x, r, e);
	BIO_free_all(x.bio);
	SSL_CTX_free(x.ctx);
	target_free(&x.to);
	target_free(&x.proxy);
	sigpipe_release(&before);
	if (rc)
		http_reader_free(r);
	return rc;
}
